//! What is wrong with the ledger itself: its issuer, its signers and its files.

use super::order::ContactError;
use svm_core::documents::DocumentError;

/// Why a ledger does not take an issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    #[error(
        "the name of the issuer must be 1 to 200 printable ASCII characters without spaces, best your domain, such as \
         provider.example"
    )]
    Name,
    #[error(
        "this ledger belongs to the issuer {held}, not {given}: give {given} a ledger of its own with --ledger"
    )]
    Other { held: String, given: String },
}

/// Why a signer is not retired.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InUse {
    #[error(
        "{kid} still signs {documents} of the ledger's documents: sign them again with another key (`svm-vendor resign \
         --all --signing-key PATH`), publish, and give the agents time to fetch them"
    )]
    Signs { kid: String, documents: u64 },
    #[error(
        "{kid} is the only signer of the ledger: make another first (`svm-vendor keygen --signing-key PATH`)"
    )]
    Last { kid: String },
}

/// Why a file of `keys/` is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("line {line}, column {column} is not as it was written")]
    NotAsWritten { line: usize, column: usize },
    #[error("its name is not that of a document")]
    Name,
    #[error("its document is refused ({0})")]
    Document(#[source] DocumentError),
    #[error("it was edited by hand: its claims are not the signed ones")]
    Edited,
}

/// Why `provider.toml` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    #[error("line {line} is not valid TOML: write each setting as `name = \"text\"`, on a line of its own")]
    Syntax { line: usize },
    #[error("line {line}: unknown key `{key}`; the keys here are {known}")]
    UnknownKey { line: usize, key: String, known: &'static str },
    #[error("line {line}: `{key}` must be {expected}")]
    Type { line: usize, key: &'static str, expected: &'static str },
    #[error("the line with the issuer's name is missing: write `iss = \"provider.example\"`")]
    NoIssuer,
    #[error(transparent)]
    Contact(#[from] ContactError),
    #[error("its text cannot be made")]
    Unwritable(#[source] toml::ser::Error),
}
