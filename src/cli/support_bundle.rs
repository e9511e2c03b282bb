//! `svm-agent support-bundle`: writes the archive for support, and says what is in it and what is not.

use super::arguments::Cli;
use super::error::CliError;
use super::output::Out;
use crate::bundle::{self, ArchiveError, Bundle};
use crate::config::{Settings, installed_files};
use crate::identity::hostname;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use svm_core::clock::Clock;
use svm_core::environment;
use svm_core::error_chain::Chain;

/// Columns of the names in the list of contents.
const NAMES: usize = 26;

pub(super) fn run(cli: &Cli, output: Option<&Path>, out: &mut Out) -> Result<u8, CliError> {
    let clock = Clock::system();
    let now = clock.now();
    let folder = format!("svm-agent-support-{}-{}", plain(&hostname()), now.strftime("%Y%m%dT%H%M%SZ"));
    let path = output.map_or_else(|| PathBuf::from(format!("{folder}.tar.zst")), Path::to_owned);
    let files = if cli.config.is_empty() { installed_files() } else { Ok(cli.config.clone()) };
    let read = files.clone().and_then(|files| Settings::read(&files, environment::variables()));
    let bundle = bundle::collect(&files.unwrap_or_default(), read, &clock)?;
    let bytes = bundle::write(&path, &folder, &bundle, now).map_err(|error| {
        let code = match &error {
            ArchiveError::Exists(_) => "exists",
            ArchiveError::Write { .. } => "not_written",
        };
        CliError::given(code, Chain(&error).to_string())
    })?;
    if out.json() {
        out.value(&as_json(&path, bytes, &bundle))?;
    } else {
        show(&path, bytes, &bundle, out)?;
    }
    Ok(0)
}

/// A host name as a part of a file name.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let name: String = name.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    name.trim_start_matches('.').to_owned()
}

fn as_json(path: &Path, bytes: u64, bundle: &Bundle) -> Value {
    let part = |part: &bundle::Part| json!({"name": part.name, "about": part.about, "bytes": part.text.as_str().len()});
    json!({
        "file": path.to_string_lossy(),
        "bytes": bytes,
        "contents": bundle.parts.iter().map(part).collect::<Vec<_>>(),
        "left_out": bundle.left_out,
        "removed": bundle.removed,
    })
}

fn show(path: &Path, bytes: u64, bundle: &Bundle, out: &mut Out) -> std::io::Result<()> {
    out.line(format!("{} ({} KiB, readable by you alone)", path.display(), bytes.div_ceil(1024)))?;
    out.line("Inside:")?;
    for part in &bundle.parts {
        out.wrapped(&format!("  {:<NAMES$} ", part.name), part.about)?;
    }
    out.line("Left out:")?;
    for left in &bundle.left_out {
        out.wrapped("  - ", &format!("{}: {}", left.what, left.why))?;
    }
    out.line(match bundle.removed {
        0 => "No secret was found in the texts.".to_owned(),
        1 => "1 secret was removed from the texts.".to_owned(),
        count => format!("{count} secrets were removed from the texts."),
    })?;
    out.wrapped(
        "",
        &format!(
            "The archive names this host, its addresses and its services. Read it before you send it: tar --zstd -xf {}",
            path.display()
        ),
    )
}
