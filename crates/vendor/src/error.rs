//! What the vendor's tool refuses or could not do, each with a code for scripts.

use jiff::Timestamp;
use std::{io, path::PathBuf};
use svm_core::documents::{CodeError, DocumentError, SigningKeyError, TrustError};
use svm_core::http::ClientError;
use svm_core::subscription::{KeyId, Refusal};

/// Why nothing was done. No message holds a code.
#[allow(missing_docs, reason = "the messages say what each field is")]
#[derive(Debug, thiserror::Error)]
pub enum VendorError {
    /// The command line asks for what does not go together.
    #[error("{0}")]
    Usage(String),
    /// The order makes no sense.
    #[error("{0}")]
    Order(String),
    /// The key is not in a state in which this can be done.
    #[error("{0}")]
    NotPossible(String),
    /// No key of the ledger has this id or code. It is not quoted: it may be a code with a typing error.
    #[error("no key of the ledger has this id, and it is not the code of one: `svm-vendor list` shows the keys{}", .typing.as_ref().map(|e| format!("; if it is a code: {e}")).unwrap_or_default())]
    UnknownKey {
        /// What is wrong with it as a code.
        typing: Option<CodeError>,
    },
    /// The key id is used already.
    #[error("the key id {id} is used already: each key has its own, leave --key-id out to have one made")]
    KeyIdTaken { id: KeyId },
    /// The code is used already.
    #[error("this activation code is used already: each key has its own, issue again with a new one")]
    CodeTaken,
    /// The last change was signed after the time that it is now.
    #[error(
        "the clock shows {now}, and the last change of this key was signed at {last}: set the clock of this machine first"
    )]
    ClockBehind {
        /// The time handed in.
        now: Timestamp,
        /// When the revision held was signed.
        last: Timestamp,
    },
    /// The reader would refuse it.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A code could not be made or read.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// The signing key.
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    /// The signing key would lie in the ledger, which is for sharing.
    #[error("{} lies inside the ledger, which is made to be shared: give --signing-key a path outside", path.display())]
    KeyInLedger { path: PathBuf },
    /// The signing key is not one of the ledger's signers.
    #[error(
        "the signing key {kid} is not among the ledger's signers in trust.d: `svm-vendor keygen --signing-key PATH` adds it"
    )]
    UnknownSigner { kid: String },
    /// A signer's file.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// There is no ledger here.
    #[error("{} is not a ledger: `svm-vendor keygen --iss NAME` makes one, --ledger says where it is", path.display())]
    NotALedger { path: PathBuf },
    /// The ledger belongs to another issuer, or none was named for a new one.
    #[error("{0}")]
    Issuer(String),
    /// A file of the ledger is not as it was written.
    #[error("{} {problem}: nobody but svm-vendor changes it, take it back from git or a copy", path.display())]
    Damaged { path: PathBuf, problem: String },
    /// A file of the ledger that git could not merge.
    #[error(
        "{} has a merge conflict in it: take the side with the higher `rev` whole (`git checkout --ours` or `--theirs` \
         with this path, then `git add`), then make the other side's change again with svm-vendor", path.display()
    )]
    Conflict { path: PathBuf },
    /// Two keys have one id, as when two clones of the ledger issued it.
    #[error(
        "two keys have the id {id}: block one of them by its file, {} or {}, and issue another", paths[0].display(), paths[1].display()
    )]
    KeyIdTwice { id: KeyId, paths: [PathBuf; 2] },
    /// What is published is not older than what the ledger has, and is another document.
    #[error(
        "the published document of {id} has revision {published} and is not the ledger's, which has {held}: {}",
        if published > held { "this ledger is behind, `git pull` first or take the newer side of the merge" }
        else { "two clones changed the key, `svm-vendor resign` with its id makes a revision above both" }
    )]
    PublishedElsewhere {
        id: KeyId,
        /// The revision that is published.
        published: u64,
        /// The revision of the ledger.
        held: u64,
    },
    /// A signer that still is needed.
    #[error("{0}")]
    SignerInUse(String),
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
    /// `provider.toml` cannot be used.
    #[error("{} cannot be used: {problem}", path.display())]
    Profile { path: PathBuf, problem: String },
    /// A text of the ledger has characters in it that steer a terminal or hide from a reader.
    #[error(
        "{}:{line}: {} stands in {what}, where it could steer a terminal or hide: write plain text in its place, or take the file back from git or a copy",
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
            Self::OfKey { problem, .. } => problem.code(),
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
