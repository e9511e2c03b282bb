//! The keys that a command is for.

use super::values::Dry;
use crate::{KeyRef, UsageError, VendorError};
use clap::Args;
use std::io::{self, Read};
use std::path::Path;
use svm_core::files::into_text;
use svm_core::text::trim_pasted;

/// A list of more than this is something else.
const MAX_LIST_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Args)]
pub(super) struct Which {
    /// Key id, activation code or file of the ledger; `-` reads them from standard input, one a
    /// line. Prefer the id: other users of this machine can see a code that is typed here
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
    /// Reason, for the history in the ledger; it is not published
    #[arg(long, value_name = "TEXT")]
    pub(super) why: Option<String>,
    #[command(flatten)]
    pub(super) dry: Dry,
}

#[derive(Args)]
pub(super) struct Resign {
    /// Key id, activation code or file of the ledger; `-` reads standard input
    #[arg(value_name = "KEY", conflicts_with = "all")]
    keys: Vec<String>,
    /// All keys signed by another key, or with an older provider.toml
    #[arg(long)]
    pub(super) all: bool,
    /// Reason, for the history in the ledger; it is not published
    #[arg(long, value_name = "TEXT")]
    pub(super) why: Option<String>,
    #[command(flatten)]
    pub(super) dry: Dry,
}

/// The keys that were named, and whether they may be more than one.
pub(super) struct Named {
    pub(super) keys: Vec<KeyRef>,
    pub(super) one: bool,
}

/// Reads the keys that were typed, or come on standard input. What cannot be a key is refused as a whole: it is
/// known before anything is changed.
fn named(keys: &[String]) -> Result<Named, VendorError> {
    let [key] = keys else {
        let all: Result<_, _> = keys.iter().zip(1..).map(|(key, at)| parse(key, at)).collect();
        return Ok(Named { keys: all?, one: false });
    };
    if key != "-" {
        return Ok(Named { keys: vec![KeyRef::parse(key)?], one: true });
    }
    let failed = VendorError::io("read", Path::new("standard input"));
    let mut bytes = Vec::new();
    io::stdin().take(MAX_LIST_BYTES).read_to_end(&mut bytes).map_err(&failed)?;
    if bytes.len() as u64 == MAX_LIST_BYTES {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    let text = into_text(bytes).map_err(failed)?;
    let lines = text.lines().zip(1..).filter(|(line, _)| !trim_pasted(line).is_empty());
    let all: Result<_, _> = lines.map(|(key, at)| parse(key, at)).collect();
    Ok(Named { keys: all?, one: false })
}

fn parse(key: &str, at: usize) -> Result<KeyRef, VendorError> {
    KeyRef::parse(key).map_err(|problem| VendorError::OfKey {
        which: format!("key {at} of those named"),
        problem: problem.into(),
    })
}

impl Which {
    pub(super) fn keys(&self) -> Result<Named, VendorError> {
        named(&self.keys)
    }
}

impl Resign {
    pub(super) fn keys(&self) -> Result<Named, VendorError> {
        if self.keys.is_empty() {
            return Err(UsageError::NoKeys.into());
        }
        named(&self.keys)
    }
}
