//! What the provider's tool refuses or could not do, each with a code for scripts.

mod change;
mod ledger;
mod order;
mod usage;

pub use change::ChangeError;
pub use ledger::{Damage, InUse, IssuerError, ProfileError};
pub use order::{ContactError, ContactProblem, MAX_DAYS, MAX_DEVICES, OrderError};
pub(crate) use order::{FIRST_ORDER, MAX_AHEAD_DAYS, MAX_TEXT};
pub use usage::UsageError;

use jiff::Timestamp;
use std::{io, path::PathBuf};
use svm_core::documents::{CodeError, DocumentError, SigningKeyError, TrustError};
use svm_core::http::ClientError;
use svm_core::subscription::{KeyId, Refusal};

/// Why nothing was done. No message holds a code.
#[derive(Debug, thiserror::Error)]
pub enum VendorError {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The key is not in a state in which this can be done.
    #[error(transparent)]
    NotPossible(#[from] ChangeError),
    /// No key of the ledger has this id or code. It is not quoted: it may be a code with a typing error.
    #[error("no key of the ledger has this id or activation code: `svm-vendor list` shows the keys{}", .typing.as_ref().map(|e| format!("; if it is a code: {e}")).unwrap_or_default())]
    UnknownKey {
        /// What is wrong with it as a code.
        typing: Option<CodeError>,
    },
    #[error(
        "the key id {id} is already used, and each key has its own: choose another, or leave --key-id out"
    )]
    KeyIdTaken { id: KeyId },
    #[error("this activation code is already used, and each key has its own: issue again with another code")]
    CodeTaken,
    /// The last change was signed after the time that it is now.
    #[error(
        "the clock of this machine shows {now}, but the last change of this key was signed at {last}: set the clock first"
    )]
    ClockBehind {
        /// The time handed in.
        now: Timestamp,
        /// When the revision held was signed.
        last: Timestamp,
    },
    /// The reader would refuse it.
    #[error("{}", for_the_provider(.0))]
    Document(DocumentError),
    /// A code could not be made or read.
    #[error(transparent)]
    Code(#[from] CodeError),
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    #[error(
        "the signing key {} would lie inside the ledger, which is made to be shared: give --signing-key a path outside", path.display()
    )]
    KeyInLedger { path: PathBuf },
    #[error(
        "the signing key {kid} is not one of the ledger's signers: `svm-vendor keygen --signing-key PATH` adds it"
    )]
    UnknownSigner { kid: String },
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error(
        "{} is not a ledger: name its folder with --ledger, or make one with `svm-vendor keygen --iss NAME`", path.display()
    )]
    NotALedger { path: PathBuf },
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    #[error(
        "cannot use {}: {problem}; only svm-vendor may change this file, so restore it from git or a backup", path.display()
    )]
    Damaged {
        path: PathBuf,
        #[source]
        problem: Damage,
    },
    /// A file of the ledger that git could not merge.
    #[error(
        "{} has a merge conflict: take the side with the higher `rev` whole (`git checkout --ours` or `--theirs` with this \
         path, then `git add`), then make the change of the other side again with svm-vendor", path.display()
    )]
    Conflict { path: PathBuf },
    /// Two keys have one id, as when two clones of the ledger issued it.
    #[error(
        "two keys have the id {id}: block one of them by its file, {} or {}, and issue another", paths[0].display(), paths[1].display()
    )]
    KeyIdTwice { id: KeyId, paths: [PathBuf; 2] },
    /// What is published is not older than what the ledger has, and is another document.
    #[error(
        "the published document of {id} has revision {published}, and the ledger has another document with revision {held}: {}",
        if published > held { "this ledger is behind, so `git pull` first or take the newer side of the merge" }
        else { "two clones of the ledger changed the key, and `svm-vendor resign` with its id makes a revision above both" }
    )]
    PublishedElsewhere {
        id: KeyId,
        /// The revision that is published.
        published: u64,
        /// The revision of the ledger.
        held: u64,
    },
    #[error(transparent)]
    SignerInUse(#[from] InUse),
    /// No signer of the ledger has this key id.
    #[error("no signer of the ledger has the key id {kid}: `svm-vendor signers` shows them")]
    NoSuchSigner { kid: String },
    /// Something about one of many keys.
    #[error("{which}")]
    OfKey {
        /// Which, by its id or its place among those that were named.
        which: String,
        #[source]
        problem: Box<VendorError>,
    },
    /// The signers that are still needed are not known.
    #[error(
        "a key of the ledger cannot be read, so its signer is unknown and none is retired; repair the key first"
    )]
    UnknownUse {
        #[source]
        problem: Box<VendorError>,
    },
    #[error("cannot use {}: {problem}", path.display())]
    Profile {
        path: PathBuf,
        #[source]
        problem: ProfileError,
    },
    /// A text of the ledger has characters in it that steer a terminal or hide from a reader.
    #[error(
        "{}:{line}: {} stands in {what} and could steer a terminal or hide text: replace it with plain text, or restore \
         the file from git or a backup",
        path.display(), character.escape_unicode()
    )]
    Deceptive {
        path: PathBuf,
        /// The first line with such a character.
        line: usize,
        what: &'static str,
        character: char,
    },
    /// A connection cannot be prepared.
    #[error(transparent)]
    Connection(#[from] ClientError),
    /// A file could not be read or written.
    #[error("cannot {verb} {}", path.display())]
    Io {
        /// `read`, `write`, `lock`, `close`, `remove`.
        verb: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl VendorError {
    /// The word for scripts; those of a document are the reader's own.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Order(_) => "invalid_order",
            Self::NotPossible(_) => "not_possible",
            Self::UnknownKey { .. } => "unknown_key",
            Self::KeyIdTaken { .. } => "key_id_taken",
            Self::CodeTaken => "code_taken",
            Self::ClockBehind { .. } => "clock_behind",
            Self::Document(error) => Refusal::from(error.clone()).code.as_str(),
            Self::Code(_) => "invalid_code",
            Self::SigningKey(_) | Self::KeyInLedger { .. } => "signing_key",
            Self::UnknownSigner { .. } => "unknown_signer",
            Self::Trust(_) => "trust",
            Self::NotALedger { .. } => "not_a_ledger",
            Self::Issuer(_) => "issuer",
            Self::Damaged { .. } => "ledger_damaged",
            Self::Conflict { .. } => "ledger_conflict",
            Self::KeyIdTwice { .. } => "key_id_twice",
            Self::PublishedElsewhere { .. } => "published_elsewhere",
            Self::SignerInUse(_) => "signer_in_use",
            Self::NoSuchSigner { .. } => "no_such_signer",
            Self::OfKey { problem, .. } | Self::UnknownUse { problem } => problem.code(),
            Self::Profile { .. } => "provider_file",
            Self::Deceptive { .. } => "ledger_damaged",
            Self::Connection(_) => "connection",
            Self::Io { .. } => "io",
        }
    }

    /// For `map_err`: an operation on a file failed.
    pub(super) fn io(verb: &'static str, path: &std::path::Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { verb, path: path.to_owned(), source }
    }
}

impl From<DocumentError> for VendorError {
    fn from(error: DocumentError) -> Self {
        Self::Document(error)
    }
}

/// What a reader would say, without the advice to ask the provider: the provider reads it.
fn for_the_provider(error: &DocumentError) -> String {
    let text = error.to_string();
    text.strip_suffix("; ask the provider for a corrected document").unwrap_or(&text).to_owned()
}
