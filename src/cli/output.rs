//! Where the command line writes: lines for people, or JSON; nothing that came from outside can steer the
//! terminal.

use super::error::CliError;
use serde::Serialize;
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use svm_core::command_line;
use svm_core::environment;
use svm_core::error_chain::Chain;
use svm_core::text::clean;

pub(super) const PROGRAM: &str = "svm-agent";

/// So wide are tables and wrapped texts: a terminal has 80 columns.
pub(super) const WIDTH: usize = 80;

/// A colour of a word, for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Green,
    Yellow,
    Red,
}

/// Whether colours are wanted: on a terminal that has them, unless `NO_COLOR` is set and not empty (no-color.org).
fn colours() -> bool {
    let (term, no_color) = (environment::variable("TERM"), environment::variable("NO_COLOR"));
    has_colours(term.as_deref(), no_color.is_some()) && io::stdout().is_terminal()
}

/// `TERM` is `None` also where it is empty.
fn has_colours(term: Option<&OsStr>, no_color: bool) -> bool {
    !no_color && term.is_some_and(|term| term != "dumb")
}

/// Standard output and error.
pub struct Out {
    json: bool,
}

impl Out {
    /// Writes JSON where that is wanted.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON is wanted.
    pub fn json(&self) -> bool {
        self.json
    }

    /// One line for people, or for programs that read lines.
    ///
    /// # Errors
    /// Of standard output.
    pub fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{}", clean(text.as_ref()))
    }

    /// One line of two parts, the second in a colour where standard output is a terminal.
    ///
    /// # Errors
    /// Of standard output.
    pub(super) fn painted(&mut self, paint: Paint, first: &str, text: &str) -> io::Result<()> {
        let code = match paint {
            Paint::Plain => return self.line(format!("{first}{text}")),
            _ if !colours() => return self.line(format!("{first}{text}")),
            Paint::Green => 32,
            Paint::Yellow => 33,
            Paint::Red => 31,
        };
        let (first, text) = (clean(first), clean(text));
        writeln!(io::stdout().lock(), "{first}\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// A text of any length, in lines of at most 80 characters: `first` stands before the first of them, and as
    /// much space before the others.
    ///
    /// # Errors
    /// Of standard output.
    pub fn wrapped(&mut self, first: &str, text: &str) -> io::Result<()> {
        let indent = first.chars().count();
        let mut line = first.to_owned();
        let mut used = indent;
        for word in text.split_whitespace() {
            let length = word.chars().count();
            if used > indent && used + 1 + length > WIDTH {
                self.line(&line)?;
                (line, used) = (" ".repeat(indent), indent);
            }
            if used > indent {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
        self.line(line)
    }

    /// Says what to type, where somebody sits there; on standard error, so that it is no part of the answer.
    pub fn ask(&mut self, what: &str) {
        if !self.json && io::stdin().is_terminal() {
            // Where it cannot be said, it can be typed all the same.
            writeln!(io::stderr().lock(), "{what}").ok();
        }
    }

    /// What is to be known beside the answer; on standard error, so that it is no part of it.
    pub fn remark(&mut self, what: &str) {
        if !self.json {
            svm_core::logging::complain(&format!("{}: {what}", PROGRAM));
        }
    }

    /// A value as one line of JSON.
    ///
    /// # Errors
    /// Of standard output.
    pub fn value(&mut self, value: &impl Serialize) -> io::Result<()> {
        command_line::print_json(value)
    }

    /// An error: for people on standard error, as JSON on standard output.
    pub fn error(&mut self, error: &CliError) {
        command_line::report(PROGRAM, self.json, error.code(), &Chain(error).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_without_a_name_has_no_colours() {
        assert!(has_colours(Some(OsStr::new("xterm")), false));
        assert!(
            !has_colours(Some(OsStr::new("xterm")), true) && !has_colours(Some(OsStr::new("dumb")), false)
        );
        assert!(!has_colours(None, false));
    }
}
