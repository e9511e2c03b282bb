//! The command line of `svm-agent`.

mod check;
mod client;
mod clock;
mod commands;
mod config;
mod doctor;
mod events;
mod format;
mod gate;
mod headline;
mod identity;
mod keys;
mod output;
pub(crate) mod paste;
mod renewal;
mod show;
mod timeline;
mod updates;

use super::control::client::AskError;
use super::settings::{LONGEST_TIMEOUT, RUNTIME_DIR, Settings, installed_files};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use svm_core::command_line;
use svm_core::environment;
use svm_core::settings::SettingsError;
use svm_core::subscription::Resource;

pub use output::Out;

/// The exit code of wrong settings, `EX_CONFIG` of `sysexits.h(3head)`; `svm-agent.service` is not started again on it.
const WRONG_SETTINGS: u8 = 78;

/// The exit code where the answer cannot be written, `EX_IOERR` of `sysexits.h(3head)`.
const CANNOT_WRITE: u8 = 74;

const PROGRAM: &str = "svm-agent";

/// The command line of the agent.
#[derive(Parser)]
#[command(
    name = "svm-agent",
    version,
    about = "Keeps a security virtual machine and its console in step with its subscription"
)]
pub struct Cli {
    /// Read these settings instead of the installed ones; may be given several times, later ones win
    #[arg(long, global = true, value_name = "FILE")]
    config: Vec<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the agent (the service does this)
    Run,
    /// Show where the subscription stands
    Status {
        #[command(flatten)]
        json: Json,
        /// Say what it means and what to do
        #[arg(long)]
        explain: bool,
    },
    /// Activate with a code
    Activate {
        /// The code, or - to read it from standard input, where no other user sees it
        #[arg(required_unless_present = "cancel")]
        code: Option<String>,
        /// Add its commercial key as the reserve key
        #[arg(long)]
        reserve: bool,
        /// Wait for it also where the vendor has no document for the code yet
        #[arg(long)]
        until_published: bool,
        /// Drop the activation that is pending; with --reserve that of the reserve key alone
        #[arg(long, conflicts_with_all = ["code", "until_published"])]
        cancel: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Add, remove and list keys
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Look for a new revision at the vendor now
    Refresh {
        #[command(flatten)]
        json: Json,
    },
    /// Say whether a resource may be used now: exit code 0 if so, 75 if not
    Permit {
        /// database-updates or ksn
        #[arg(value_parser = ["database-updates", "ksn"])]
        resource: String,
        /// Spend one run of a limited permit; refused where the agent cannot count it
        #[arg(long)]
        take: bool,
        /// The unit that asks, which is started once when its permit returns
        #[arg(long, value_name = "UNIT", requires = "take")]
        unit: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Have units ask for their permit at each start
    Gate {
        #[command(subcommand)]
        command: GateCommand,
    },
    /// Show what happened
    Events {
        #[command(subcommand)]
        command: EventsCommand,
    },
    /// Play a scenario, or without one foretell what this SVM's own subscription will do
    Simulate {
        /// A scenario; - reads it from standard input
        file: Option<PathBuf>,
        /// Foretell until this instant
        #[arg(long, value_name = "INSTANT", conflicts_with = "file")]
        until: Option<String>,
        /// With a scenario: a table for people instead of JSON lines
        #[arg(long, requires = "file")]
        table: bool,
        #[command(flatten)]
        json: Json,
    },
    /// The time that is gone by, and how this machine's clock stands to it
    Clock {
        #[command(subcommand)]
        command: ClockCommand,
    },
    /// Say how to stop or renew the subscription: whom to turn to, with a letter that is ready
    Renewal(renewal::Asked),
    /// Database updates: how they are, and run one now
    Updates {
        #[command(subcommand)]
        command: UpdatesCommand,
    },
    /// Tell how many devices this SVM protects
    Devices {
        #[command(subcommand)]
        command: DevicesCommand,
    },
    /// Send the whole status to all destinations now
    Report {
        #[command(flatten)]
        json: Json,
    },
    /// Look at everything that this SVM needs, say what is wrong and what to do; changes nothing
    Doctor {
        #[command(flatten)]
        json: Json,
    },
    /// Answer as a plug-in of Nagios or Icinga does
    Check(check::Asked),
    /// Show this SVM's id, or give it up before an image is made
    Identity {
        #[command(subcommand)]
        command: IdentityCommand,
    },
    /// Have the agent read its settings again; where they are wrong, it keeps the old ones
    Reload {
        /// Say only what is wrong: what changed stands in the agent's log
        #[arg(short, long, conflicts_with = "json")]
        quiet: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Check and show the settings
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Clone, Copy, Args)]
struct Json {
    /// Print JSON, errors included
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Add a key from a document, without a network
    Add {
        /// The document; - reads it from standard input
        file: PathBuf,
        /// Add a commercial key as the reserve key
        #[arg(long)]
        reserve: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Remove a key
    Remove {
        /// Its name, as `key list` shows it
        #[arg(allow_hyphen_values = true)]
        key: String,
        #[command(flatten)]
        json: Json,
    },
    /// List the keys that are held
    List {
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Subcommand)]
enum GateCommand {
    /// Gate a service: it runs only with a permit, and the agent may stop and start it
    Install {
        /// The service, such as kesl-update.service
        unit: String,
        /// It uses KSN: cut it off from everything but this machine, where the gateway is
        #[arg(long)]
        ksn: bool,
        /// The permit that it needs [default: database-updates; with --ksn: ksn]
        #[arg(long, value_enum)]
        resource: Option<ResourceName>,
        /// With --ksn, of a service that does not run now: it takes no connections from elsewhere
        #[arg(long, requires = "ksn")]
        not_listening: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Take a gate away
    Remove {
        /// The service
        #[arg(required_unless_present = "all")]
        unit: Option<String>,
        /// All gates, as before the package is removed
        #[arg(long, conflicts_with = "unit")]
        all: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Install again the gates that an older svm-agent installed, as an upgrade of the package does
    Renew {
        #[command(flatten)]
        json: Json,
    },
    /// List the gates, and whether they are in force
    List {
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ResourceName {
    DatabaseUpdates,
    Ksn,
}

impl From<ResourceName> for Resource {
    fn from(name: ResourceName) -> Self {
        match name {
            ResourceName::DatabaseUpdates => Self::DatabaseUpdates,
            ResourceName::Ksn => Self::Ksn,
        }
    }
}

#[derive(Subcommand)]
enum EventsCommand {
    /// The newest events, newest last
    List {
        /// So many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// Only those of at least this severity
        #[arg(long, value_enum, default_value_t = SeverityName::Info)]
        severity: SeverityName,
        /// Only those that a destination has not taken yet
        #[arg(long)]
        waiting: bool,
        /// Only those that a destination refused
        #[arg(long)]
        quarantined: bool,
        #[command(flatten)]
        json: Json,
    },
    /// The newest events, and each new one as it happens, until interrupted
    Tail {
        #[command(flatten)]
        json: Json,
    },
    /// One event, with all that is known of it
    Show {
        /// Its id, as `events list --json` and the log show it
        id: String,
        #[command(flatten)]
        json: Json,
    },
    /// Send what a destination refused once more, under a new number
    Retry {
        /// The id of one event
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// All that is in quarantine
        #[arg(long, conflicts_with = "id")]
        all: bool,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SeverityName {
    Info = 1,
    Warning,
    Failure,
    Critical,
}

#[derive(Subcommand)]
enum DevicesCommand {
    /// Set the number
    Set {
        /// So many
        count: u64,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Subcommand)]
enum ClockCommand {
    /// Show both, and why they differ
    Show {
        #[command(flatten)]
        json: Json,
    },
    /// Go by this machine's clock, whatever is held against it: for root, once it is right
    Reset {
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Subcommand)]
enum UpdatesCommand {
    /// When the next one is due, and how the last ones ended
    Status {
        #[command(flatten)]
        json: Json,
    },
    /// Start one now, without waiting for its time
    Run {
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Subcommand)]
enum IdentityCommand {
    /// The id, to what it is bound, and whether this is still that machine
    Show {
        #[command(flatten)]
        json: Json,
    },
    /// Give the id up: the next start takes a new one; the agent must be stopped
    Reset {
        /// Forget the keys as well, and everything else that the agent keeps
        #[arg(long)]
        forget_keys: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Read what names this machine and leave digests of it for the agent (systemd does this before each start)
    #[command(hide = true)]
    HandOver,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Read and check the settings as the service would, and whether each destination can be reached
    Check {
        /// Do not connect to anything
        #[arg(long)]
        offline: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Every key with its value, and the file and line where it is said
    Show {
        /// Only what differs from the defaults
        #[arg(long)]
        changed: bool,
        #[command(flatten)]
        json: Json,
    },
    /// The form of the settings as JSON Schema
    Schema {
        #[command(flatten)]
        json: Json,
    },
}

/// Why a command failed; says which exit code the program ends with.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Wrong settings: 78, on which systemd does not loop.
    #[error("the settings are wrong:\n{0}")]
    Settings(#[from] SettingsError),
    /// Wrong settings, by the agent's word, which keeps its old ones.
    #[error("{0}")]
    NotReloaded(String),
    /// The agent refused, or is not there.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The daemon cannot work.
    #[error(transparent)]
    Run(#[from] super::daemon::RunError),
    /// What was given on the command line cannot be used.
    #[error("{message}")]
    Given {
        /// A short name.
        code: &'static str,
        /// One sentence.
        message: String,
    },
    /// Nothing can be written, such as into a closed pipe.
    #[error("cannot write")]
    Write(#[from] std::io::Error),
}

impl CliError {
    fn given(code: &'static str, message: impl Into<String>) -> Self {
        Self::Given { code, message: message.into() }
    }

    /// The exit code; the table is in `docs/reference/configuration.md`.
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

/// What a command needs to know to ask the agent.
struct Reach {
    runtime_dir: PathBuf,
    /// So long the agent may ask the vendor.
    source_timeout: Duration,
    /// Why the settings cannot be gone by.
    wrong: Option<SettingsError>,
}

impl Reach {
    /// What came of asking. Where nobody answered, it is the settings that are to be mended first; where somebody did,
    /// they are to be mended all the same.
    fn settle<T>(self, asked: Result<T, CliError>, out: &mut Out) -> Result<T, CliError> {
        match (self.wrong, asked) {
            (Some(wrong), Err(CliError::Ask(AskError::Unreachable { .. }))) => Err(wrong.into()),
            // An agent that does not start for them.
            (Some(wrong), Err(CliError::Ask(AskError::Refused { code, .. }))) if code == "bad_settings" => {
                Err(wrong.into())
            }
            (Some(_), asked) => {
                out.remark("the settings are wrong or not for you to read (svm-agent config check); the agent goes by those that it has");
                asked
            }
            (None, asked) => asked,
        }
    }
}

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
        command_line::parse(&arguments).map_err(|error| {
            // A host of plug-ins takes 2, which is a wrong use elsewhere, for CRITICAL.
            if error.use_stderr() && is_check(&arguments) {
                return check::misused(&error.render().to_string());
            }
            command_line::answer(PROGRAM, &error, &arguments, CANNOT_WRITE)
        })
    }

    /// Does what was asked, and gives the exit code. Errors are told here, in the form that was asked for.
    pub fn run(self) -> u8 {
        let json = self.command.wants_json();
        let mut out = Out::new(json);
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

    fn settings(&self) -> Result<Settings, SettingsError> {
        let files = if self.config.is_empty() { installed_files()? } else { self.config.clone() };
        Settings::read(&files, environment::variables())
    }

    /// Settings by which an agent could run now.
    fn usable_settings(&self) -> Result<Settings, SettingsError> {
        let settings = self.settings()?;
        let problems = settings.unusable();
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError(problems)) }
    }

    /// Where the agent is asked. Where the installed settings are wrong, or not for this user to read, an agent may go on
    /// by those that it has, at the usual place.
    fn reach(&self) -> Result<Reach, SettingsError> {
        match self.settings() {
            Ok(Settings { runtime_dir, source, .. }) => {
                Ok(Reach { runtime_dir, source_timeout: source.connection.timeout, wrong: None })
            }
            Err(wrong) if self.config.is_empty() => Ok(Reach {
                runtime_dir: RUNTIME_DIR.into(),
                source_timeout: LONGEST_TIMEOUT.unsigned_abs(),
                wrong: Some(wrong),
            }),
            Err(wrong) => Err(wrong),
        }
    }
}

impl Command {
    fn wants_json(&self) -> bool {
        match self {
            Self::Run | Self::Check(_) => false,
            Self::Status { json, .. }
            | Self::Activate { json, .. }
            | Self::Refresh { json }
            | Self::Permit { json, .. }
            | Self::Simulate { json, .. }
            | Self::Doctor { json }
            | Self::Report { json }
            | Self::Reload { json, .. } => json.json,
            Self::Key { command } => match command {
                KeyCommand::Add { json, .. }
                | KeyCommand::Remove { json, .. }
                | KeyCommand::List { json } => json.json,
            },
            Self::Gate {
                command:
                    GateCommand::Install { json, .. }
                    | GateCommand::Remove { json, .. }
                    | GateCommand::Renew { json }
                    | GateCommand::List { json },
            } => json.json,
            Self::Events {
                command:
                    EventsCommand::List { json, .. }
                    | EventsCommand::Tail { json }
                    | EventsCommand::Show { json, .. }
                    | EventsCommand::Retry { json, .. },
            } => json.json,
            Self::Clock { command: ClockCommand::Show { json } | ClockCommand::Reset { json } } => json.json,
            Self::Renewal(asked) => asked.json.json,
            Self::Updates { command: UpdatesCommand::Status { json } | UpdatesCommand::Run { json } } => {
                json.json
            }
            Self::Devices { command: DevicesCommand::Set { json, .. } } => json.json,
            Self::Identity { command } => match command {
                IdentityCommand::Show { json } | IdentityCommand::Reset { json, .. } => json.json,
                IdentityCommand::HandOver => false,
            },
            Self::Config { command } => match command {
                ConfigCommand::Check { json, .. }
                | ConfigCommand::Show { json, .. }
                | ConfigCommand::Schema { json } => json.json,
            },
        }
    }
}
