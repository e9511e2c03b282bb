//! The settings of a command line, and where the agent is asked by them.

use super::arguments::Cli;
use super::error::CliError;
use super::output::Out;
use crate::config::{LONGEST_TIMEOUT, RUNTIME_DIR, Settings, installed_files};
use crate::control::client::AskError;
use std::path::PathBuf;
use std::time::Duration;
use svm_core::environment;
use svm_core::settings::SettingsError;

const UNREADABLE: &str = "the settings on disk are not valid, or this user may not read them: svm-agent config check says which; \
                          the agent runs with the settings that it read before";

/// What a command needs to know to ask the agent.
pub(super) struct AgentEndpoint {
    pub(super) runtime_dir: PathBuf,
    /// How long the agent may take to ask the provider.
    pub(super) source_timeout: Duration,
    /// Why the settings cannot be used.
    wrong: Option<SettingsError>,
}

impl AgentEndpoint {
    /// The outcome of a request. If the agent did not answer, wrong settings are reported as the cause; if it did, they
    /// are a warning.
    pub(super) fn settle<T>(self, asked: Result<T, CliError>, out: &mut Out) -> Result<T, CliError> {
        match (self.wrong, asked) {
            (Some(wrong), Err(CliError::Ask(AskError::Unreachable { .. }))) => Err(wrong.into()),
            // An agent that does not start because of them.
            (Some(wrong), Err(CliError::Ask(AskError::Refused { code, .. }))) if code == "bad_settings" => {
                Err(wrong.into())
            }
            (Some(_), asked) => {
                out.warning(UNREADABLE);
                asked
            }
            (None, asked) => asked,
        }
    }
}

impl Cli {
    pub(super) fn settings(&self) -> Result<Settings, SettingsError> {
        let files = if self.config.is_empty() { installed_files()? } else { self.config.clone() };
        Settings::read(&files, environment::variables())
    }

    /// Settings by which an agent could run now.
    pub(super) fn usable_settings(&self) -> Result<Settings, SettingsError> {
        let settings = self.settings()?;
        let problems = settings.unusable();
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError(problems)) }
    }

    /// Where the agent answers. If the installed settings are not valid, or this user may not read them, an agent may
    /// still run with older ones, at the usual place.
    pub(super) fn reach(&self) -> Result<AgentEndpoint, SettingsError> {
        match self.settings() {
            Ok(Settings { runtime_dir, source, .. }) => {
                Ok(AgentEndpoint { runtime_dir, source_timeout: source.connection.timeout, wrong: None })
            }
            Err(wrong) if self.config.is_empty() => Ok(AgentEndpoint {
                runtime_dir: RUNTIME_DIR.into(),
                source_timeout: LONGEST_TIMEOUT.unsigned_abs(),
                wrong: Some(wrong),
            }),
            Err(wrong) => Err(wrong),
        }
    }
}
