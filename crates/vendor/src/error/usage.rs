//! Options that are missing, or that do not go together.

use std::{net::SocketAddr, path::PathBuf};

/// Why a command line cannot be carried out. Each message names the options to use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    #[error("--period-days is for --kind commercial; a subscription needs --ends-at, --days or --unlimited")]
    PeriodOfSubscription,
    #[error("a subscription needs a term: --ends-at, --days or --unlimited")]
    NoTerm,
    #[error(
        "an unlimited subscription needs --paid-until: without it an SVM that cannot reach you keeps its permits for ever; \
         if you want that, add --open-ended"
    )]
    Unpaid,
    #[error(
        "a commercial key has --period-days, and no end date, grace, renewal or order: leave those options out"
    )]
    TermOfCommercial,
    #[error("a commercial key needs --period-days")]
    NoPeriod,
    #[error("nothing to change: give an option such as --devices 50; `svm-vendor change --help` lists them")]
    NoChange,
    #[error("say which keys to sign again, or --all")]
    NoKeys,
    #[error("a new ledger needs the name of its issuer, best your domain: --iss provider.example")]
    NoIssuer,
    #[error(
        "provider.toml of the ledger already has these: edit name, support_url, phone and renewal_url there"
    )]
    ProfileExists,
    #[error("HOME is not set, so there is no default place for the signing key: give --signing-key")]
    NoHome,
    #[error("{} already exists, and codes are never overwritten: give --codes-to another path", path.display())]
    CodesExist { path: PathBuf },
    #[error(
        "{listen} can be reached from other machines. This server is for trials: plain HTTP, no limits. Use a real web \
         server, or add --public"
    )]
    Public { listen: SocketAddr },
    #[error("expected the address that agents have as source.url, such as https://keys.provider.example")]
    Address,
    #[error(
        "could be an activation code, a file of the ledger or standard input for other commands: choose another"
    )]
    AmbiguousId,
}
