//! The command line of `svm-agent`.

mod arguments;
mod check;
mod client;
mod clock;
mod commands;
mod config;
mod doctor;
mod error;
mod events;
mod format;
mod gate;
mod headline;
mod identity;
mod keys;
mod output;
pub(crate) mod paste;
mod reach;
mod renewal;
mod show;
mod support_bundle;
mod timeline;
mod updates;

use clap::CommandFactory;
use clap::error::ErrorKind;
use error::CANNOT_WRITE;
use output::PROGRAM;
use svm_core::command_line;

pub use arguments::Cli;
pub use error::CliError;
pub use output::Out;

/// Whether the command is `check`; `config check` is not.
fn is_check(arguments: &[std::ffi::OsString]) -> bool {
    let mut words = arguments.iter().skip(1);
    while let Some(word) = words.next() {
        match word.to_string_lossy() {
            word if word == "--config" => drop(words.next()),
            word if word.starts_with('-') => {}
            word => return word == "check",
        }
    }
    false
}

impl Cli {
    /// Reads the program's arguments; wrong ones, and questions for help, are answered here: the exit code is the error.
    ///
    /// # Errors
    /// What is left to do is to end with this code.
    pub fn read(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, u8> {
        let arguments: Vec<_> = arguments.into_iter().collect();
        command_line::parse(&arguments).and_then(Self::with_known_form).map_err(|error| {
            // A host of plug-ins takes 2, which is a wrong use elsewhere, for CRITICAL.
            if error.use_stderr() && is_check(&arguments) {
                return check::misused(&error.render().to_string());
            }
            command_line::answer(PROGRAM, &error, &arguments, CANNOT_WRITE)
        })
    }

    /// Does what was asked, and gives the exit code. Errors are told here, in the form that was asked for.
    pub fn run(self) -> u8 {
        let mut out = Out::new(self.json);
        let done = commands::run(self, &mut out);
        match done {
            Ok(code) => code,
            Err(CliError::Write(error)) => command_line::unwritten(PROGRAM, &error, CANNOT_WRITE),
            Err(error) => {
                out.error(&error);
                error.exit_code()
            }
        }
    }

    fn with_known_form(self) -> Result<Self, clap::Error> {
        if self.json && !self.command.has_json() {
            let message = "unexpected argument '--json' found";
            return Err(Self::command().error(ErrorKind::UnknownArgument, message));
        }
        Ok(self)
    }
}
