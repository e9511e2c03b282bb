//! Command lines of all programs: what is wrong with one is reported in the form that was asked for.
//!
//! Promises: arguments that are not UTF-8 are a wrong use, never a panic; with `--json` an error is one JSON object on
//! standard output, also where the command line itself cannot be understood; an error that cannot be written there goes
//! to standard error, so that no failure is silent.

use crate::logging::complain;
use crate::text::escape_json;
use clap::Parser;
use serde::Serialize;
use serde_json::json;
use std::ffi::OsString;
use std::io::{self, Write};

/// The exit code of wrong usage.
pub const USAGE: u8 = 2;

/// Reads a command line, the name of the program first.
///
/// # Errors
/// What `clap` says; [`answer`] reports it.
pub fn parse<T: Parser>(arguments: &[OsString]) -> Result<T, clap::Error> {
    T::try_parse_from(arguments)
}

/// Answers a command line that asks for help, or is wrong, and gives the exit code; `cannot_write` is that of an answer
/// that cannot be written.
pub fn answer(program: &str, error: &clap::Error, arguments: &[OsString], cannot_write: u8) -> u8 {
    if !error.use_stderr() {
        // `--help` and `--version`.
        return match error.print().and_then(|()| io::stdout().flush()) {
            Ok(()) => 0,
            Err(problem) => unwritten(program, &problem, cannot_write),
        };
    }
    if wants_json(arguments) {
        report(program, true, "usage", &sentence(error));
    } else {
        // Where not even this can be written, the exit code remains.
        error.print().ok();
    }
    USAGE
}

/// Standard output took no more. A reader who left, such as `head`, had enough; anything else is reported.
pub fn unwritten(program: &str, problem: &io::Error, cannot_write: u8) -> u8 {
    if problem.kind() == io::ErrorKind::BrokenPipe {
        return 0;
    }
    complain(&format!("{program}: cannot write to standard output: {problem}"));
    cannot_write
}

/// Reports an error: as JSON on standard output, or as text on standard error.
pub fn report(program: &str, as_json: bool, code: &str, message: &str) {
    if as_json && print_json(&json!({"error": {"code": code, "message": message}})).is_ok() {
        return;
    }
    complain(&format!("{program}: {message}"));
}

/// Prints a value as one line of JSON.
///
/// # Errors
/// Of standard output.
pub fn print_json(value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string(value)?;
    writeln!(io::stdout().lock(), "{}", escape_json(&text))
}

/// Whether a command line asks for JSON, however wrong the rest of it is.
fn wants_json(arguments: &[OsString]) -> bool {
    arguments.iter().skip(1).take_while(|argument| *argument != "--").any(|argument| argument == "--json")
}

/// What is wrong, in one line without the usage.
pub fn sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.split("\n\nUsage:").next().unwrap_or_default();
    let text = text.split("\n\nFor more information").next().unwrap_or_default();
    let words: Vec<&str> = text.trim_start_matches("error: ").split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_wanted_before_the_end_of_options() {
        let wants = |words: &[&str]| wants_json(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(wants(&["svm-agent", "--nonsense", "--json"]));
        assert!(!wants(&["--json", "status"]) && !wants(&["svm-agent", "events", "show", "--", "--json"]));
    }
}
