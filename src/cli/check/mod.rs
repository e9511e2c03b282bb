//! `svm-agent check`: a plug-in for Nagios, Icinga and whatever else speaks as they do.
//!
//! Promises: one line, performance data, then long output, as the Monitoring Plugins Development Guidelines want it; the
//! exit code is 0 OK, 1 WARNING, 2 CRITICAL or 3 UNKNOWN, also where it is used wrongly; an answer within the time that
//! is given, whatever the agent does; nothing from outside can end a line or begin performance data.

mod judge;
mod range;

use crate::cli::arguments::{CheckArguments, CheckPart as Part, Cli};
use crate::cli::client::wait;
use crate::cli::error::CliError;
use crate::cli::output::PROGRAM;
use crate::control::SocketKind;
use crate::control::client::{AskError, ask_within};
use crate::status::Status;
use judge::{Limits, Verdict, judge};
use range::Range;
use reqwest::Method;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use svm_core::error_chain::Chain;
use svm_core::library_words;

const PARTS: [Part; 4] = [Part::Status, Part::Subscription, Part::Delivery, Part::Databases];

/// Prints the answer and gives the exit code.
pub(super) fn run(cli: &Cli, asked: &CheckArguments) -> u8 {
    let verdict = match limits(asked) {
        Err(problem) => Verdict::unknown(problem),
        Ok(limits) => match runtime_dir(cli) {
            Err(problem) => Verdict::unknown(problem),
            Ok(dir) => match ask(dir, Duration::from_secs(asked.timeout)) {
                Err(problem) => Verdict::unknown(problem),
                Ok(status) => judge(&status, &parts(&asked.only), &limits),
            },
        },
    };
    print(&verdict)
}

/// Answers a wrong command line as a plug-in does.
pub(super) fn misused(problem: &str) -> u8 {
    print(&Verdict::unknown(problem.to_owned()))
}

/// The exit code; a verdict that nobody can read is none.
fn print(verdict: &Verdict) -> u8 {
    let mut out = std::io::stdout().lock();
    match out.write_all(verdict.text().as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => verdict.exit_code(),
        Err(error) => {
            svm_core::logging::complain(&format!(
                "{PROGRAM}: error: cannot write to standard output: {}",
                library_words::io(&error)
            ));
            Verdict::unknown(String::new()).exit_code()
        }
    }
}

fn parts(only: &[Part]) -> Vec<Part> {
    PARTS.into_iter().filter(|part| only.is_empty() || only.contains(part)).collect()
}

fn limits(asked: &CheckArguments) -> Result<Limits, String> {
    let range = |name: &str, text: &str| text.parse::<Range>().map_err(|error| format!("--{name}: {error}"));
    let optional =
        |name: &str, text: &Option<String>| text.as_ref().map(|text| range(name, text)).transpose();
    Ok(Limits {
        days: [range("warning", &asked.warning)?, range("critical", &asked.critical)?],
        backlog: [
            range("backlog-warning", &asked.backlog_warning)?,
            range("backlog-critical", &asked.backlog_critical)?,
        ],
        age: [optional("age-warning", &asked.age_warning)?, optional("age-critical", &asked.age_critical)?],
    })
}

fn runtime_dir(cli: &Cli) -> Result<PathBuf, String> {
    let reach = cli.reach().map_err(|error| format!("the settings are not valid: {}", Chain(&error)))?;
    Ok(reach.runtime_dir)
}

/// Asks on a thread of its own: connecting to a socket whose agent is held up may wait for ever.
fn ask(dir: PathBuf, timeout: Duration) -> Result<Status, String> {
    let (told, answer) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let asked =
            wait(ask_within::<Status>(&dir, SocketKind::Query, Method::GET, "v1/status", None, timeout));
        let asked = asked.and_then(|asked| Ok(asked?));
        told.send(asked).ok();
    });
    match answer.recv_timeout(timeout) {
        Ok(Ok(status)) => Ok(status),
        Ok(Err(CliError::Ask(AskError::Answer(problem)))) => Err(format!(
            "the agent's answer cannot be read, so it is of another version than this program: restart it ({problem})"
        )),
        Ok(Err(error)) => Err(Chain(&error).to_string()),
        Err(_) => Err(format!("the agent gave no answer within {} s", timeout.as_secs())),
    }
}
