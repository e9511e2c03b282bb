//! What can be typed, and what it means in the library's words.

use super::{
    issue_args::Issue,
    select::ListArgs,
    values::{AfterGraceArgs, Dry, instant, usage},
    which::{Resign, Which},
};
use crate::{Contact, Parameters, Renewal, Until, VendorError};
use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use std::{net::SocketAddr, path::PathBuf};
use svm_core::subscription::{AfterGrace, Version};

/// Issues signed subscription documents and publishes them as static files.
#[derive(Parser)]
#[command(
    name = "svm-vendor",
    version,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage."
)]
pub(super) struct Cli {
    /// The ledger folder: provider.toml, trust.d/, keys/
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub(super) ledger: PathBuf,
    /// The private key that signs [default: ~/.config/svm-vendor/ISS.pem]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) signing_key: Option<PathBuf>,
    /// Print facts and errors as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a signing key, and the ledger where there is none; or register a key that is there
    Keygen(Keygen),
    /// Issue a key and print its activation code, once; or many keys alike
    Issue(Box<Issue>),
    /// Move the end date or the paid date of subscriptions
    Renew(Renew),
    /// Interrupt subscriptions; their grace begins
    Pause(Which),
    /// Take back a pause, a cancellation or a block
    Resume(Which),
    /// Cancel subscriptions: at the end of their term, or at once
    Cancel(CancelArgs),
    /// Withdraw keys at once, without grace
    Block(Which),
    /// Change the devices, the grace or another parameter of keys
    Change(ChangeArgs),
    /// Sign documents anew, with another signing key or a changed provider.toml
    Resign(Resign),
    /// Write what changed below DIR, for any web server to serve
    Publish {
        /// The root of the published files
        dir: PathBuf,
        #[command(flatten)]
        dry: Dry,
    },
    /// Serve what was published, for trials: plain HTTP, on this machine
    Serve {
        /// The root of the published files
        dir: PathBuf,
        /// Where to listen; port 0 takes one that is free
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8470")]
        listen: SocketAddr,
        /// Listen on an address that other machines reach, too
        #[arg(long)]
        public: bool,
    },
    /// Look at a web server from outside: whether it gives out documents, and no lists of them
    Doctor {
        /// The address that agents have as source.url
        url: String,
        /// The certificate authority to trust instead of the system's, a PEM file
        #[arg(long, value_name = "FILE")]
        ca_file: Option<PathBuf>,
    },
    /// Verify a document and print what it says
    Inspect {
        /// A document, such as a published .jws file
        file: PathBuf,
        /// The trusted signers [default: trust.d of the ledger]
        #[arg(long, value_name = "DIR")]
        trust: Option<PathBuf>,
    },
    /// List the keys of the ledger, all or some
    List(ListArgs),
    /// Show who signs, and how many documents each signed
    Signers,
    /// Take a signer that signs no document any more out of trust.d
    Retire {
        /// Its key id, as `signers` shows it
        #[arg(allow_hyphen_values = true)]
        kid: String,
        #[command(flatten)]
        dry: Dry,
    },
}

#[derive(Args)]
pub(super) struct Keygen {
    /// Who issues, best your domain: provider.example. Needed for a new ledger
    #[arg(long)]
    pub(super) iss: Option<String>,
    /// Your company's name, for people
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Where you help your customers
    #[arg(long, value_name = "URL")]
    pub(super) support_url: Option<String>,
    /// Your telephone number
    #[arg(long)]
    pub(super) phone: Option<String>,
    /// Where your customers renew
    #[arg(long, value_name = "URL")]
    pub(super) renewal_url: Option<String>,
}

#[derive(Args)]
pub(super) struct CancelArgs {
    #[command(flatten)]
    pub(super) which: Which,
    /// At once and without grace, instead of at the end of the term
    #[arg(long)]
    pub(super) now: bool,
}

#[derive(Args)]
pub(super) struct Renew {
    #[command(flatten)]
    pub(super) which: Which,
    /// The new end date of a limited subscription
    #[arg(long, value_name = "TIME", value_parser = instant, group = "until")]
    ends_at: Option<Timestamp>,
    /// The new paid date of an unlimited subscription
    #[arg(long, value_name = "TIME", value_parser = instant, group = "until")]
    paid_until: Option<Timestamp>,
    /// So many days more, from the date held, or from now where it has passed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=36500), group = "until")]
    days: Option<u64>,
    /// Take an earlier date too, to put a wrong one right
    #[arg(long)]
    earlier: bool,
}

#[derive(Args)]
pub(super) struct ChangeArgs {
    #[command(flatten)]
    pub(super) which: Which,
    /// How many devices it protects
    #[arg(long, value_name = "N")]
    devices: Option<u64>,
    /// Without a limit on devices
    #[arg(long, conflicts_with = "devices")]
    any_devices: bool,
    /// Days of grace
    #[arg(long, value_name = "N")]
    grace_days: Option<u64>,
    /// Whether you renew it without being asked
    #[arg(long, value_name = "true|false")]
    auto_renew: Option<bool>,
    #[command(flatten)]
    after_grace: AfterGraceArgs,
    /// Nothing stays after the grace
    #[arg(long, conflicts_with_all = ["after_grace_updates", "after_grace_ksn"])]
    after_grace_stop: bool,
    /// The lowest version of the product that it activates
    #[arg(long, value_name = "VERSION")]
    min_product_version: Option<Version>,
}

impl Keygen {
    pub(super) fn contact(&self) -> Contact {
        Contact {
            name: self.name.clone(),
            support_url: self.support_url.clone(),
            phone: self.phone.clone(),
            renewal_url: self.renewal_url.clone(),
        }
    }
}

impl Renew {
    pub(super) fn renewal(&self) -> Renewal {
        let until = match (self.ends_at, self.paid_until, self.days) {
            (Some(at), ..) => Until::EndsAt(at),
            (None, Some(at), _) => Until::PaidUntil(at),
            (None, None, Some(days)) => Until::Days(days),
            (None, None, None) => Until::OpenEnded,
        };
        Renewal { until, earlier: self.earlier }
    }
}

impl ChangeArgs {
    pub(super) fn parameters(&self) -> Result<Parameters, VendorError> {
        let stop = self.after_grace_stop.then(AfterGrace::default);
        let parameters = Parameters {
            devices: if self.any_devices { Some(None) } else { self.devices.map(Some) },
            grace_days: self.grace_days,
            auto_renew: self.auto_renew,
            after_grace: self.after_grace.allowances().or(stop),
            min_product_version: self.min_product_version.clone(),
        };
        if parameters == Parameters::default() {
            return usage("say what to change, such as --devices 50; `svm-vendor change --help` lists it");
        }
        Ok(parameters)
    }
}
