//! `svm-agent check`: a plug-in for Nagios, Icinga and whatever else speaks as they do.
//!
//! Promises: one line, performance data, then long output, as the Monitoring Plugins Development Guidelines want it; the
//! exit code is 0 OK, 1 WARNING, 2 CRITICAL or 3 UNKNOWN, also where it is used wrongly; an answer within the time that
//! is given, whatever the agent does; nothing from outside can end a line or begin performance data.

mod judge;
mod range;

use super::client::wait;
use super::{Cli, CliError};
use crate::control::Door;
use crate::control::client::{AskError, ask_within};
use crate::status::Status;
use clap::{Args, ValueEnum};
use judge::{Limits, Verdict, judge};
use range::Range;
use reqwest::Method;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use svm_core::error_chain::Chain;

/// What is asked for. Ranges are texts: a wrong one is UNKNOWN, not a wrong use of a program.
#[derive(Args)]
pub(super) struct Asked {
    /// Warn by the days left to the known end or of the grace period; 7: alerts below 7
    #[arg(short, long, value_name = "RANGE", default_value = "7:", allow_hyphen_values = true)]
    warning: String,
    /// The same, critical
    #[arg(short, long, value_name = "RANGE", default_value = "1:", allow_hyphen_values = true)]
    critical: String,
    /// Warn by the number of events that wait for a destination
    #[arg(long, value_name = "RANGE", default_value = "1000", allow_hyphen_values = true)]
    backlog_warning: String,
    /// The same, critical
    #[arg(long, value_name = "RANGE", default_value = "10000", allow_hyphen_values = true)]
    backlog_critical: String,
    /// Warn by the age of the databases in days [default: as the agent's settings say]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    age_warning: Option<String>,
    /// The same, critical
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    age_critical: Option<String>,
    /// Look at this alone; may be given several times
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    /// UNKNOWN after so many seconds
    #[arg(short, long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Part {
    /// The device status, permits, clock and store.
    Status,
    /// The days left.
    Subscription,
    /// Destinations and what waits for them.
    Delivery,
    /// How old the databases are.
    Databases,
}

const PARTS: [Part; 4] = [Part::Status, Part::Subscription, Part::Delivery, Part::Databases];

/// Prints the answer and gives the exit code.
pub(super) fn run(cli: &Cli, asked: &Asked) -> u8 {
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

/// A command line that cannot be understood, as a plug-in tells it.
pub(super) fn misused(problem: &str) -> u8 {
    let problem = problem.strip_prefix("error: ").unwrap_or(problem);
    // The first paragraph; usage and hints follow.
    let words: Vec<&str> = problem.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    print(&Verdict::unknown(format!("{}; see svm-agent check --help", words.join(" "))))
}

/// The exit code; a verdict that nobody can read is none.
fn print(verdict: &Verdict) -> u8 {
    let mut out = std::io::stdout().lock();
    match out.write_all(verdict.text().as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => verdict.exit_code(),
        Err(error) => {
            svm_core::logging::complain(&format!("svm-agent: cannot write to standard output: {error}"));
            Verdict::unknown(String::new()).exit_code()
        }
    }
}

fn parts(only: &[Part]) -> Vec<Part> {
    PARTS.into_iter().filter(|part| only.is_empty() || only.contains(part)).collect()
}

fn limits(asked: &Asked) -> Result<Limits, String> {
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
    let reach = cli.reach().map_err(|error| format!("the settings are wrong: {}", Chain(&error)))?;
    Ok(reach.runtime_dir)
}

/// Asks on a thread of its own: connecting to a socket whose agent is held up may wait for ever.
fn ask(dir: PathBuf, patience: Duration) -> Result<Status, String> {
    let (told, answer) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let asked = wait(ask_within::<Status>(&dir, Door::Query, Method::GET, "v1/status", None, patience));
        let asked = asked.and_then(|asked| Ok(asked?));
        told.send(asked).ok();
    });
    match answer.recv_timeout(patience) {
        Ok(Ok(status)) => Ok(status),
        Ok(Err(CliError::Ask(AskError::Answer(problem)))) => Err(format!(
            "the agent's answer cannot be read, so it is of another version than this program: restart it ({problem})"
        )),
        Ok(Err(error)) => Err(Chain(&error).to_string()),
        Err(_) => Err(format!("the agent gave no answer within {} s", patience.as_secs())),
    }
}
