//! `doctor`: what a web server makes of the published folder, on the command line.

use super::report::Report;
use crate::{Ledger, UsageError, VendorError, doctor};
use doctor::{ExamineError, Finding, Grade};
use serde_json::json;
use std::{io, path::PathBuf, time::Duration};
use svm_core::clock::Clock;
use svm_core::http::Connection;
use svm_core::terminal::{width, wrap};
use svm_core::tls::TlsFiles;

/// For one exchange.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Examines the server, and says what was found. A failure is a problem: the exit code tells.
pub(super) fn examine(
    url: &str,
    ca_file: Option<PathBuf>,
    ledger: Option<&Ledger>,
    clock: Clock,
) -> Result<Report, VendorError> {
    let connection =
        Connection { timeout: TIMEOUT, tls: TlsFiles { ca_file, ..TlsFiles::default() }, proxy: None };
    let failed = |source: io::Error| VendorError::Io { verb: "ask", path: url.into(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let findings =
        runtime.block_on(doctor::examine(url, ledger, &connection, clock)).map_err(|error| match error {
            ExamineError::Address => UsageError::Address.into(),
            ExamineError::Client(error) => VendorError::Connection(error),
        })?;
    let worst = findings.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Ok);
    let json = json!({"url": url, "worst": worst.as_str(), "findings": findings});
    let text = findings.iter().map(lines).collect();
    Ok(Report::new(json, text).failing(findings.iter().filter(|f| f.grade == Grade::Failure).count()))
}

fn lines(finding: &Finding) -> String {
    let grade = match finding.grade {
        Grade::Failure => "FAILURE",
        other => other.as_str(),
    };
    let row = |first: &str, second: &str, text: &str| {
        let first = format!("{first:<8}  {second:<16}  ");
        wrap(&first, first.len(), text, width(io::stdout())).join("\n") + "\n"
    };
    let remedy = finding.remedy.iter().map(|remedy| row("", "do", remedy));
    row(grade, finding.check, &finding.found) + &remedy.collect::<String>()
}
