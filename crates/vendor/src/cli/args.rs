//! The commands and their options.

use super::{
    issue_args::Issue,
    select::ListArgs,
    values::{AfterGraceArgs, Dry, instant},
    which::{Resign, Which},
};
use crate::{Contact, Parameters, Renewal, Until, UsageError, VendorError};
use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use std::{net::SocketAddr, path::PathBuf};
use svm_core::command_line::whole;
use svm_core::subscription::{AfterGrace, Version};

/// Issue, change and publish subscription keys.
///
/// For the provider: each change of a key is signed and stored in the ledger, a folder of plain files. `publish` copies
/// the signed documents to a folder that any web server can serve.
#[derive(Parser)]
#[command(name = "svm-vendor", version, after_help = EXIT_CODES, max_term_width = 80)]
pub(super) struct Cli {
    /// Folder of the ledger, with provider.toml, trust.d/ and keys/
    #[arg(long, global = true, value_name = "DIR", default_value = ".", help_heading = GLOBAL)]
    pub(super) ledger: PathBuf,
    /// Private key that signs [default: ~/.config/svm-vendor/ISS.pem]
    #[arg(long, global = true, value_name = "FILE", help_heading = GLOBAL)]
    pub(super) signing_key: Option<PathBuf>,
    /// Print results and errors as JSON
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

const GLOBAL: &str = "Options of all commands";

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused or failed; of several keys, at least one
  2  wrong usage";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a signing key, and the ledger if it does not exist yet
    Keygen(Keygen),
    /// Issue one key, or many equal ones, with activation codes
    Issue(Box<Issue>),
    /// Give subscriptions a later end date or paid date
    Renew(Renew),
    /// Pause subscriptions; their grace period begins
    Pause(Which),
    /// Undo a pause, a cancellation or a block
    Resume(Which),
    /// Cancel subscriptions, at the end of their term or at once
    Cancel(CancelArgs),
    /// Block keys at once, without a grace period
    Block(Which),
    /// Change the number of devices, the grace period and other terms
    Change(ChangeArgs),
    /// Sign documents again, after a new signing key or provider.toml
    Resign(Resign),
    /// Copy new and changed documents to a folder for a web server
    Publish {
        /// Root folder of the published files
        dir: PathBuf,
        #[command(flatten)]
        dry: Dry,
    },
    /// Serve published documents on this machine, for trials
    Serve {
        /// Root folder of the published files
        dir: PathBuf,
        /// Address and port to listen on; port 0 takes a free one
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8470")]
        listen: SocketAddr,
        /// Allow an address that other machines can reach
        #[arg(long)]
        public: bool,
    },
    /// Check a web server from outside, as an agent and as a stranger
    Doctor {
        /// Address that agents have as source.url
        url: String,
        /// PEM file of the certificate authority to trust, not the system's
        #[arg(long, value_name = "FILE")]
        ca_file: Option<PathBuf>,
    },
    /// Verify a document and print its content
    Inspect {
        /// Document, such as a published .jws file
        file: PathBuf,
        /// Folder of trusted signers [default: trust.d of the ledger]
        #[arg(long, value_name = "DIR")]
        trust: Option<PathBuf>,
    },
    /// List the keys of the ledger
    List(ListArgs),
    /// List the signers and how many documents each one signed
    Signers,
    /// Remove a signer that signs no document any longer from trust.d
    Retire {
        /// Key id of the signer, as `svm-vendor signers` shows it
        #[arg(allow_hyphen_values = true)]
        kid: String,
        #[command(flatten)]
        dry: Dry,
    },
}

#[derive(Args)]
pub(super) struct Keygen {
    /// Name of the issuer, best your domain; a new ledger needs it
    #[arg(long)]
    pub(super) iss: Option<String>,
    /// Name of your company, shown to customers
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Web page where you help customers
    #[arg(long, value_name = "URL")]
    pub(super) support_url: Option<String>,
    /// Telephone number for customers
    #[arg(long)]
    pub(super) phone: Option<String>,
    /// Web page where customers renew
    #[arg(long, value_name = "URL")]
    pub(super) renewal_url: Option<String>,
}

#[derive(Args)]
pub(super) struct CancelArgs {
    #[command(flatten)]
    pub(super) which: Which,
    /// Cancel at once and without grace, not at the end of the term
    #[arg(long)]
    pub(super) now: bool,
}

#[derive(Args)]
pub(super) struct Renew {
    #[command(flatten)]
    pub(super) which: Which,
    /// New end date of a subscription that has one
    #[arg(long, value_name = "TIME", value_parser = instant, group = "until")]
    ends_at: Option<Timestamp>,
    /// New paid date of an unlimited subscription
    #[arg(long, value_name = "TIME", value_parser = instant, group = "until")]
    paid_until: Option<Timestamp>,
    /// Add days to the present date, or to today if that has passed
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1..=36500), group = "until")]
    days: Option<u64>,
    /// Allow an earlier date, to correct a wrong one
    #[arg(long)]
    earlier: bool,
}

#[derive(Args)]
pub(super) struct ChangeArgs {
    #[command(flatten)]
    pub(super) which: Which,
    /// Number of devices that the key protects
    #[arg(long, value_name = "N")]
    devices: Option<u64>,
    /// No limit on devices
    #[arg(long, conflicts_with = "devices")]
    any_devices: bool,
    /// Length of the grace period in days
    #[arg(long, value_name = "N")]
    grace_days: Option<u64>,
    /// Whether you renew the subscription automatically
    #[arg(long, value_name = "true|false")]
    auto_renew: Option<bool>,
    #[command(flatten)]
    after_grace: AfterGraceArgs,
    /// No updates and no KSN after the grace period
    #[arg(long, conflicts_with_all = ["after_grace_updates", "after_grace_ksn"])]
    after_grace_stop: bool,
    /// Lowest version of the product that the key activates
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
            return Err(UsageError::NoChange.into());
        }
        Ok(parameters)
    }
}
