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
mod help;
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

use arguments::{Command, IdentityCommand};
use error::CANNOT_WRITE;
use output::PROGRAM;
use svm_core::command_line;

pub use arguments::Cli;
pub use error::CliError;
pub use help::{CHECK_EXIT_CODES, EXIT_CODES};
pub use output::Out;

impl Cli {
    /// Reads the program's arguments. Wrong ones, and questions for help, are answered here.
    ///
    /// # Errors
    /// The exit code with which the program is to end.
    pub fn read(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, u8> {
        let arguments: Vec<_> = arguments.into_iter().collect();
        let cli: Self = command_line::parse(&arguments).map_err(|misuse| match misuse.command() {
            // A host of plug-ins takes 2, which is wrong usage elsewhere, for CRITICAL.
            Some("check") if !misuse.is_question() => check::misused(&misuse.sentence()),
            _ => command_line::answer(PROGRAM, &misuse, CANNOT_WRITE),
        })?;
        match cli.without_json() {
            Some(command) if cli.json => {
                let message = format!("{command} has no output in JSON; leave out --json");
                Err(if command == "check" {
                    check::misused(&message)
                } else {
                    command_line::report(PROGRAM, true, "usage", &message);
                    command_line::USAGE
                })
            }
            _ => Ok(cli),
        }
    }

    /// Does what was asked, and gives the exit code. Errors are reported here, in the form that was asked for.
    pub fn run(self) -> u8 {
        let mut out = Out::new(self.json).in_language(self.language());
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

    /// The name of the command, if it has no output in JSON: the daemon has a log, and the host of a plug-in expects its
    /// own form.
    fn without_json(&self) -> Option<&'static str> {
        match self.command {
            Command::Run => Some("run"),
            Command::Check(_) => Some("check"),
            Command::Identity { command: IdentityCommand::HandOver } => Some("identity hand-over"),
            _ => None,
        }
    }
}
