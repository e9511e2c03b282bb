//! The arguments of `svm-agent`.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use svm_core::subscription::{Channel, Resource};

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
    pub(super) config: Vec<PathBuf>,
    /// Print JSON, errors included
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Run the agent (the service does this)
    Run,
    /// Show where the subscription stands
    Status {
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
    },
    /// Add, remove and list keys
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Look for a new revision at the vendor now
    Refresh,
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
    },
    /// The time that is gone by, and how this machine's clock stands to it
    Clock {
        #[command(subcommand)]
        command: ClockCommand,
    },
    /// Say how to stop or renew the subscription: whom to turn to, with a letter that is ready
    Renewal(RenewalArguments),
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
    Report,
    /// Look at everything that this SVM needs, say what is wrong and what to do; changes nothing
    Doctor,
    /// Write what support needs to know into one archive, without secrets
    SupportBundle {
        /// The archive [default: svm-agent-support-HOST-TIME.tar.zst in this folder]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Answer as a plug-in of Nagios or Icinga does
    Check(CheckArguments),
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
    Add {
        /// The document; - reads it from standard input
        file: PathBuf,
        /// Add a commercial key as the reserve key
        #[arg(long)]
        reserve: bool,
    },
    /// Remove a key
    Remove {
        /// Its name, as `key list` shows it
        #[arg(allow_hyphen_values = true)]
        key: String,
    },
    /// List the keys that are held
    List,
}

#[derive(Subcommand)]
pub(super) enum GateCommand {
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
    },
    /// Take a gate away
    Remove {
        /// The service
        #[arg(required_unless_present = "all")]
        unit: Option<String>,
        /// All gates, as before the package is removed
        #[arg(long, conflicts_with = "unit")]
        all: bool,
    },
    /// Install again the gates that an older svm-agent installed, as an upgrade of the package does
    Renew,
    /// List the gates, and whether they are in force
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
    },
    /// The newest events, and each new one as it happens, until interrupted
    Tail,
    /// One event, with all that is known of it
    Show {
        /// Its id, as `events list --json` and the log show it
        id: String,
    },
    /// Send what a destination refused once more, under a new number
    Retry {
        /// The id of one event
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// All that is in quarantine
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
    /// Set the number
    Set {
        /// So many
        count: u64,
    },
}

#[derive(Subcommand)]
pub(super) enum ClockCommand {
    /// Show both, and why they differ
    Show,
    /// Go by this machine's clock, whatever is held against it: for root, once it is right
    Reset,
}

#[derive(Subcommand)]
pub(super) enum UpdatesCommand {
    /// When the next one is due, and how the last ones ended
    Status,
    /// Start one now, without waiting for its time
    Run,
}

#[derive(Subcommand)]
pub(super) enum IdentityCommand {
    /// The id, to what it is bound, and whether this is still that machine
    Show,
    /// Give the id up: the next start takes a new one; the agent must be stopped
    Reset {
        /// Forget the keys as well, and everything else that the agent keeps
        #[arg(long)]
        forget_keys: bool,
    },
    /// Read what names this machine and leave digests of it for the agent (systemd does this before each start)
    #[command(hide = true)]
    HandOver,
}

#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Read and check the settings as the service would, and whether each destination can be reached
    Check {
        /// Do not connect to anything
        #[arg(long)]
        offline: bool,
    },
    /// Every key with its value, and the file and line where it is said
    Show {
        /// Only what differs from the defaults
        #[arg(long)]
        changed: bool,
    },
    /// The form of the settings as JSON Schema
    Schema,
}

impl Command {
    /// Whether it can answer in JSON: the daemon has a log, and the host of a plug-in expects its own form.
    pub(super) fn has_json(&self) -> bool {
        !matches!(self, Self::Run | Self::Check(_) | Self::Identity { command: IdentityCommand::HandOver })
    }
}

/// What is asked for. Ranges are texts: a wrong one is UNKNOWN, not a wrong use of a program.
#[derive(Args)]
pub(super) struct CheckArguments {
    /// Warn by the days left to the known end or of the grace period; 7: alerts below 7
    #[arg(short, long, value_name = "RANGE", default_value = "7:", allow_hyphen_values = true)]
    pub(super) warning: String,
    /// The same, critical
    #[arg(short, long, value_name = "RANGE", default_value = "1:", allow_hyphen_values = true)]
    pub(super) critical: String,
    /// Warn by the number of events that wait for a destination
    #[arg(long, value_name = "RANGE", default_value = "1000", allow_hyphen_values = true)]
    pub(super) backlog_warning: String,
    /// The same, critical
    #[arg(long, value_name = "RANGE", default_value = "10000", allow_hyphen_values = true)]
    pub(super) backlog_critical: String,
    /// Warn by the age of the databases in days [default: as the agent's settings say]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(super) age_warning: Option<String>,
    /// The same, critical
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(super) age_critical: Option<String>,
    /// Look at this alone; may be given several times
    #[arg(long, value_enum, value_name = "PART")]
    pub(super) only: Vec<CheckPart>,
    /// UNKNOWN after so many seconds
    #[arg(short, long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(super) timeout: u64,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum CheckPart {
    /// The device status, permits, clock and store.
    Status,
    /// The days left.
    Subscription,
    /// Destinations and what waits for them.
    Delivery,
    /// How old the databases are.
    Databases,
}

#[derive(Args)]
pub(super) struct RenewalArguments {
    /// The number of the order, as its confirmation has it [default: that of the key that is held]
    #[arg(long, value_name = "NUMBER")]
    pub(super) order: Option<String>,
    /// Where it was bought [default: as the key that is held says]
    #[arg(long, value_enum)]
    pub(super) channel: Option<ChannelName>,
    /// The language of the answer and the letter [default: that of the locale]
    #[arg(long, value_enum)]
    pub(super) lang: Option<LangName>,
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
