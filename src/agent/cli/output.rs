//! Where the command line writes: lines for people, or JSON; nothing that came from outside can steer the
//! terminal.

use super::CliError;
use crate::error_chain::Chain;
use serde::Serialize;
use serde_json::json;
use std::io::{self, Write};

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
        let clean: String =
            text.as_ref().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        writeln!(io::stdout().lock(), "{clean}")
    }

    /// A value as one line of JSON.
    ///
    /// # Errors
    /// Of standard output.
    pub fn value(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value)?;
        writeln!(io::stdout().lock(), "{text}")
    }

    /// An error: for people on standard error, as JSON on standard output.
    pub fn error(&mut self, error: &CliError) {
        let message = Chain(error).to_string();
        // Where not even this can be written, the exit code remains.
        if self.json {
            self.value(&json!({"error": {"code": error.code(), "message": message}})).ok();
        } else {
            writeln!(io::stderr().lock(), "svm-agent: {message}").ok();
        }
    }
}
