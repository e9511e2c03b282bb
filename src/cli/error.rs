//! Why a command failed, and the exit code.

use crate::control::client::AskError;
use svm_core::settings::SettingsError;

/// The exit code of wrong settings, `EX_CONFIG` of `sysexits.h(3head)`; `svm-agent.service` is not started again on it.
pub(super) const WRONG_SETTINGS: u8 = 78;

/// The exit code if the answer cannot be written, `EX_IOERR` of `sysexits.h(3head)`.
pub(super) const CANNOT_WRITE: u8 = 74;

/// Why a command failed; says which exit code the program ends with.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Settings that are not valid: 78, after which systemd does not start the service again.
    #[error("the settings are not valid:\n{0}")]
    Settings(#[from] SettingsError),
    /// Settings that are not valid at a reload; the agent keeps its old ones.
    #[error("{0}")]
    NotReloaded(String),
    /// The agent refused, or cannot be reached.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The daemon cannot work.
    #[error(transparent)]
    Run(#[from] crate::daemon::RunError),
    /// What was given on the command line cannot be used.
    #[error("{message}")]
    Given { code: &'static str, message: String },
    /// Nothing can be written, such as into a closed pipe.
    #[error("cannot write")]
    Write(#[from] std::io::Error),
}

impl CliError {
    pub(super) fn given(code: &'static str, message: impl Into<String>) -> Self {
        Self::Given { code, message: message.into() }
    }

    /// The exit code; the table is in `docs/reference/commands.md`.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::NotReloaded(_) => WRONG_SETTINGS,
            Self::Ask(AskError::Unreachable { .. }) => 69,
            Self::Ask(_) | Self::Run(_) | Self::Given { .. } => 1,
            Self::Write(_) => CANNOT_WRITE,
        }
    }

    /// A short name for `--json`.
    pub fn code(&self) -> &str {
        match self {
            Self::Settings(_) | Self::NotReloaded(_) => "bad_settings",
            Self::Ask(error) => error.code(),
            Self::Run(_) => "cannot_run",
            Self::Given { code, .. } => code,
            Self::Write(_) => "cannot_write",
        }
    }
}
