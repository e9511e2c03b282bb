//! Where the command line writes: lines for people, or JSON. Nothing that came from outside can steer the terminal.

use super::error::CliError;
use serde::Serialize;
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use svm_core::command_line;
use svm_core::environment;
use svm_core::error_chain::Chain;
use svm_core::terminal;
use svm_core::text::{clean, clean_start};
use svm_core::words::Language;

pub(super) const PROGRAM: &str = "svm-agent";

/// A colour of a word, for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Green,
    Yellow,
    Red,
}

impl Paint {
    /// The number of the colour, if it can be shown.
    fn code(self) -> Option<u8> {
        let code = match self {
            Self::Plain => return None,
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Red => 31,
        };
        colours().then_some(code)
    }
}

/// Whether to use colours: on a terminal that has them, unless `NO_COLOR` is set and not empty (no-color.org).
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
    /// Of the terminal that standard output leads to; `None` if it leads to a file or a pipe.
    width: Option<usize>,
    language: Language,
}

impl Out {
    /// Writes JSON if that is asked for.
    pub fn new(json: bool) -> Self {
        Self { json, width: terminal::width(io::stdout()), language: Language::English }
    }

    /// Whether JSON is asked for.
    pub fn json(&self) -> bool {
        self.json
    }

    /// In this language, as far as there are texts in it.
    #[must_use]
    pub fn in_language(self, language: Language) -> Self {
        Self { language, ..self }
    }

    /// The language of texts.
    pub fn language(&self) -> Language {
        self.language
    }

    /// One line for people, or for programs that read lines.
    ///
    /// # Errors
    /// Of standard output.
    pub fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{}", clean(text.as_ref()))
    }

    /// One line, for lists with one thing a line. If a terminal has no room for it, the text is cut, and has the short
    /// ending instead of the long one.
    ///
    /// # Errors
    /// Of standard output.
    pub fn cut(&mut self, text: &str, long: &str, short: &str) -> io::Result<()> {
        let length = |text: &str| text.chars().count();
        let Some(width) = self.width.filter(|width| length(text) + length(long) > *width) else {
            return self.line(format!("{text}{long}"));
        };
        let room = width.saturating_sub(length(short));
        let room = if length(text) > room { room.saturating_sub(1) } else { room };
        self.line(format!("{}{short}", clean_start(text, room)))
    }

    /// A word in a colour if standard output is a terminal, and a text beside it, wrapped like [`Out::wrapped`].
    ///
    /// # Errors
    /// Of standard output.
    pub(super) fn marked(&mut self, paint: Paint, word: &str, text: &str) -> io::Result<()> {
        let first = format!("  {word:<8} ");
        let lines = terminal::wrap(&first, first.len(), &clean(text), self.width);
        let mut out = io::stdout().lock();
        for (number, line) in lines.iter().enumerate() {
            match paint.code().filter(|_| number == 0) {
                Some(code) => {
                    let rest = line.get(2 + word.len()..).unwrap_or_default();
                    writeln!(out, "  \u{1b}[{code}m{word}\u{1b}[0m{rest}")?;
                }
                None => writeln!(out, "{line}")?,
            }
        }
        Ok(())
    }

    /// A text in a colour if standard output is a terminal, wrapped like [`Out::wrapped`].
    ///
    /// # Errors
    /// Of standard output.
    pub(super) fn painted(&mut self, paint: Paint, first: &str, text: &str) -> io::Result<()> {
        let Some(code) = paint.code() else { return self.wrapped(first, text) };
        let (first, text) = (clean(first), clean(text));
        let indent = first.chars().count();
        let mut out = io::stdout().lock();
        for line in terminal::wrap(&first, indent, &text, self.width) {
            let start = line.char_indices().nth(indent).map_or(line.len(), |(at, _)| at);
            let (before, words) = line.split_at(start);
            writeln!(out, "{before}\u{1b}[{code}m{words}\u{1b}[0m")?;
        }
        Ok(())
    }

    /// A text of any length: a terminal gets lines of its width, anything else one line. `first` stands before the first
    /// line, and as much space before the others.
    ///
    /// # Errors
    /// Of standard output.
    pub fn wrapped(&mut self, first: &str, text: &str) -> io::Result<()> {
        let (first, text) = (clean(first), clean(text));
        let mut out = io::stdout().lock();
        let lines = terminal::wrap(&first, first.chars().count(), &text, self.width);
        lines.into_iter().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
    }

    /// Two parts in one line, or in two if a terminal has no room for that.
    ///
    /// # Errors
    /// Of standard output.
    pub fn two_parts(&mut self, first: &str, second: &str) -> io::Result<()> {
        if self.width.is_none_or(|width| first.chars().count() + second.chars().count() <= width) {
            return self.line(format!("{first}{second}"));
        }
        let first = clean(first.trim_end());
        for line in terminal::wrap("", 2, &first, self.width) {
            writeln!(io::stdout().lock(), "{line}")?;
        }
        self.line(format!("  {second}"))
    }

    /// A row of facts: a name in its column, and a text beside it.
    ///
    /// # Errors
    /// Of standard output.
    pub fn row(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.wrapped(&format!("{name:<16}"), text)
    }

    /// Says what to type if somebody sits at a terminal; on standard error, so that it is no part of the answer.
    pub fn ask(&mut self, what: &str) {
        if !self.json && io::stdin().is_terminal() {
            // If it cannot be said, it can be typed all the same.
            let lines = terminal::wrap("", 0, what, terminal::width(io::stderr()));
            writeln!(io::stderr().lock(), "{}", lines.join("\n")).ok();
        }
    }

    /// A warning beside the answer; on standard error, so that it is no part of the answer.
    pub fn warning(&mut self, what: &str) {
        if !self.json {
            svm_core::logging::complain(&format!("{PROGRAM}: warning: {what}"));
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
