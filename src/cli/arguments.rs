//! The arguments of `svm-agent`.

use super::help;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use svm_core::command_line::whole;
use svm_core::subscription::{Channel, Resource};
use svm_core::words::Language;

/// The command line of the agent.
#[derive(Parser)]
#[command(
    name = "svm-agent",
    version,
    about = "Tracks the subscription of a security virtual machine (SVM) and enforces it",
    long_about = "Tracks the subscription of a security virtual machine (SVM) and its keys. After the \
                  grace period it stops database updates and the use of KSN, never protection. It \
                  reports each change to the configured destinations.",
    after_help = "svm-agent --help shows examples and exit codes.",
    after_long_help = help::program(),
    max_term_width = 80
)]
pub struct Cli {
    /// Read this settings file instead of the installed ones; may be given several times, later files win
    #[arg(long, global = true, value_name = "FILE", help_heading = ALL_COMMANDS)]
    pub(super) config: Vec<PathBuf>,
    /// Print JSON, also for errors
    #[arg(long, global = true, help_heading = ALL_COMMANDS)]
    pub(super) json: bool,
    /// The language of status, events and renewal [default: the locale's]
    #[arg(long, global = true, value_enum, value_name = "LANGUAGE", help_heading = ALL_COMMANDS)]
    pub(super) lang: Option<LangName>,
    #[command(subcommand)]
    pub(super) command: Command,
}

const ALL_COMMANDS: &str = "Options of all commands";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Run the agent; svm-agent.service does this
    Run,
    /// Show the subscription, what is stopped, and what to do
    #[command(after_long_help = help::STATUS)]
    Status {
        /// Explain what each line means and what to do
        #[arg(long)]
        explain: bool,
    },
    /// Activate this SVM with an activation code
    #[command(after_long_help = help::ACTIVATE)]
    Activate {
        /// The activation code; - reads it from standard input, so that no other user sees it in the process list
        #[arg(required_unless_present = "cancel")]
        code: Option<String>,
        /// Add the commercial key of this code as the reserve key
        #[arg(long)]
        reserve: bool,
        /// Keep trying if the provider has not published a document for this code yet
        #[arg(long)]
        until_published: bool,
        /// Cancel the pending activation; with --reserve only that of the reserve key
        #[arg(long, conflicts_with_all = ["code", "until_published"])]
        cancel: bool,
    },
    /// List, add and remove keys
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Check now whether the provider published a new revision
    Refresh,
    /// Say whether a resource may be used now (exit code 0) or not (75)
    #[command(after_long_help = help::PERMIT)]
    Permit {
        /// What is to be used
        #[arg(value_parser = ["database-updates", "ksn"])]
        resource: String,
        /// Count one run of a limited permit
        ///
        /// For scripts that are about to use the resource. If the permit is limited to a rate, it is spent after this run
        /// until the next one is allowed. The answer is "refused" if the agent cannot count the run.
        #[arg(long)]
        take: bool,
        /// With --take: the unit that asks; the agent starts it once when its permit returns
        #[arg(long, value_name = "UNIT", requires = "take")]
        unit: Option<String>,
    },
    /// Make services start only with a permit
    Gate {
        #[command(subcommand)]
        command: GateCommand,
    },
    /// Show the events of this SVM, and what was not sent
    Events {
        #[command(subcommand)]
        command: EventsCommand,
    },
    /// Show what the coming time changes, or play a scenario
    #[command(after_long_help = help::SIMULATE)]
    Simulate {
        /// A scenario file; - reads standard input [default: the subscription of this SVM]
        file: Option<PathBuf>,
        /// Look ahead until this day or instant, such as 2027-01-01 or 2027-01-01T12:00:00Z [default: a year]
        #[arg(long, value_name = "INSTANT", conflicts_with = "file")]
        until: Option<String>,
        /// With a scenario: print a table instead of JSON lines
        #[arg(long, requires = "file")]
        table: bool,
    },
    /// Show the time that the agent trusts, or reset it
    Clock {
        #[command(subcommand)]
        command: ClockCommand,
    },
    /// Say how to renew or stop the subscription, with a letter
    #[command(after_long_help = help::RENEWAL)]
    Renewal(RenewalArguments),
    /// Show or start database updates
    Updates {
        #[command(subcommand)]
        command: UpdatesCommand,
    },
    /// Set how many devices this SVM protects
    #[command(after_long_help = help::DEVICES)]
    Devices {
        #[command(subcommand)]
        command: DevicesCommand,
    },
    /// Send the whole status to all destinations now
    Report,
    /// Find out what does not work and what to do; changes nothing
    #[command(after_long_help = help::DOCTOR)]
    Doctor,
    /// Write what support needs into one archive, without secrets
    #[command(after_long_help = help::SUPPORT_BUNDLE)]
    SupportBundle {
        /// The archive [default: svm-agent-support-HOST-TIME.tar.zst in this folder]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Answer as a plug-in for Nagios or Icinga
    #[command(after_long_help = help::check())]
    Check(CheckArguments),
    /// Show or remove the id of this SVM
    Identity {
        #[command(subcommand)]
        command: IdentityCommand,
    },
    /// Make the agent read its settings again
    ///
    /// If the new settings are not valid, the agent keeps the old ones.
    Reload {
        /// Print only errors; the log says what changed
        #[arg(short, long, conflicts_with = "json")]
        quiet: bool,
    },
    /// Check and show the settings
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// Add a key from a document, without a network
    #[command(after_long_help = help::KEY_ADD)]
    Add {
        /// The document that the provider sent; - reads standard input
        file: PathBuf,
        /// Add a commercial key as the reserve key
        #[arg(long)]
        reserve: bool,
    },
    /// Remove a key
    #[command(after_long_help = help::KEY_REMOVE)]
    Remove {
        /// The name of the key, as key list shows it
        #[arg(allow_hyphen_values = true)]
        key: String,
    },
    /// List the keys of this SVM
    List,
}

#[derive(Subcommand)]
pub(super) enum GateCommand {
    /// Gate a service: it starts only with a permit
    ///
    /// The agent stops the service when its permit ends, and starts it again when the permit returns.
    #[command(after_long_help = help::GATE_INSTALL)]
    Install {
        /// The service, such as kesl-update.service
        unit: String,
        /// The service uses KSN: let it connect only to this machine, where the KSN gateway listens
        #[arg(long)]
        ksn: bool,
        /// The permit that the service needs [default: database-updates; with --ksn: ksn]
        #[arg(long, value_enum)]
        resource: Option<ResourceName>,
        /// With --ksn, if the service does not run now: it accepts no connections from other machines
        #[arg(long, requires = "ksn")]
        not_listening: bool,
    },
    /// Remove the gate of a service
    #[command(after_long_help = help::GATE_REMOVE)]
    Remove {
        /// The service
        #[arg(required_unless_present = "all")]
        unit: Option<String>,
        /// Remove all gates; the removal of the package does this
        #[arg(long, conflicts_with = "unit")]
        all: bool,
    },
    /// Install the gates of an older svm-agent again; an upgrade of the package does this
    Renew,
    /// List the gates, and whether each is in force
    List,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ResourceName {
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
pub(super) enum EventsCommand {
    /// List the newest events, newest last
    #[command(after_long_help = help::EVENTS_LIST)]
    List {
        /// How many events
        #[arg(long, default_value_t = 50, value_parser = whole::<u16>(1..=1000))]
        limit: u16,
        /// Only events of this severity or a higher one
        #[arg(long, value_enum, default_value_t = SeverityName::Info)]
        severity: SeverityName,
        /// Only events that wait for a destination
        #[arg(long)]
        waiting: bool,
        /// Only events that a destination refused
        #[arg(long)]
        quarantined: bool,
    },
    /// List the newest events, and each new one until interrupted
    Tail,
    /// Show one event with all its data
    Show {
        /// The id of the event: events list --json and the log have it
        id: String,
    },
    /// Send refused events again
    #[command(after_long_help = help::EVENTS_RETRY)]
    Retry {
        /// The id of one event
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// All refused events
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum SeverityName {
    Info = 1,
    Warning,
    Failure,
    Critical,
}

#[derive(Subcommand)]
pub(super) enum DevicesCommand {
    /// Set the number of protected devices
    #[command(after_long_help = help::DEVICES)]
    Set {
        /// How many devices
        #[arg(value_parser = whole::<u64>(0..=u64::MAX))]
        count: u64,
    },
}

#[derive(Subcommand)]
pub(super) enum ClockCommand {
    /// Show the trusted time, and how the system clock compares
    Show,
    /// Trust the system clock as it is now; only root may, after setting it right
    Reset,
}

#[derive(Subcommand)]
pub(super) enum UpdatesCommand {
    /// Show the schedule, the last updates and the age of the databases
    Status,
    /// Start an update now
    Run,
}

#[derive(Subcommand)]
pub(super) enum IdentityCommand {
    /// Show the id, what it is bound to, and whether this is still that machine
    Show,
    /// Remove the id: the next start takes a new one. Stop the agent first
    #[command(after_long_help = help::IDENTITY_RESET)]
    Reset {
        /// Remove the keys too, and everything else that the agent stored
        #[arg(long)]
        forget_keys: bool,
    },
    /// Write digests of the machine's identifiers for the agent; systemd does this before each start
    #[command(hide = true)]
    HandOver,
}

#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Check the settings as the service does, and whether each destination answers
    #[command(after_long_help = help::CONFIG_CHECK)]
    Check {
        /// Do not connect to anything, and do not ask systemd
        #[arg(long)]
        offline: bool,
    },
    /// Show each key with its value, and the file and line that set it
    Show {
        /// Only keys that differ from the defaults
        #[arg(long)]
        changed: bool,
    },
    /// Print the JSON Schema of the settings
    Schema,
}

/// The options of `check`. Ranges are texts: a wrong one is UNKNOWN, not wrong usage of a program.
#[derive(Args)]
pub(super) struct CheckArguments {
    /// WARNING by the days left to the end, or to the end of the grace period
    #[arg(short, long, value_name = "RANGE", default_value = "7:", allow_hyphen_values = true)]
    pub(super) warning: String,
    /// CRITICAL by the same days
    #[arg(short, long, value_name = "RANGE", default_value = "1:", allow_hyphen_values = true)]
    pub(super) critical: String,
    /// WARNING by the number of events that wait for a destination
    #[arg(long, value_name = "RANGE", default_value = "1000", allow_hyphen_values = true)]
    pub(super) backlog_warning: String,
    /// CRITICAL by the same number
    #[arg(long, value_name = "RANGE", default_value = "10000", allow_hyphen_values = true)]
    pub(super) backlog_critical: String,
    /// WARNING by the age of the databases in days [default: the agent's settings]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(super) age_warning: Option<String>,
    /// CRITICAL by the same age [default: the agent's settings]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(super) age_critical: Option<String>,
    /// Check only this part; may be given several times
    #[arg(long, value_enum, value_name = "PART")]
    pub(super) only: Vec<CheckPart>,
    /// UNKNOWN if the agent gives no answer within this time
    #[arg(short, long, value_name = "SECONDS", default_value_t = 10, value_parser = whole::<u64>(1..=600))]
    pub(super) timeout: u64,
}

/// A part of the status that `check` can be limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum CheckPart {
    /// Device status, permits, clock and database of the agent.
    Status,
    /// Phase of the subscription, and the days left.
    Subscription,
    /// Destinations, and the events that wait for them.
    Delivery,
    /// Age of the databases.
    Databases,
}

#[derive(Args)]
pub(super) struct RenewalArguments {
    /// The order number from its confirmation [default: the order of the active key]
    #[arg(long, value_name = "NUMBER")]
    pub(super) order: Option<String>,
    /// Where it was bought [default: the channel of the active key]
    #[arg(long, value_enum)]
    pub(super) channel: Option<ChannelName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ChannelName {
    Website,
    Portal,
    Isp,
    Partner,
    Corporate,
}

impl From<ChannelName> for Channel {
    fn from(name: ChannelName) -> Self {
        match name {
            ChannelName::Website => Self::Website,
            ChannelName::Portal => Self::Portal,
            ChannelName::Isp => Self::Isp,
            ChannelName::Partner => Self::Partner,
            ChannelName::Corporate => Self::Corporate,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LangName {
    En,
    Ru,
}

impl From<LangName> for Language {
    fn from(name: LangName) -> Self {
        match name {
            LangName::En => Self::English,
            LangName::Ru => Self::Russian,
        }
    }
}

impl Cli {
    /// The language of the answer: the one that is asked for, or the locale's.
    pub(super) fn language(&self) -> Language {
        self.lang.map_or_else(|| Language::of_locale(svm_core::environment::text), Language::from)
    }
}
