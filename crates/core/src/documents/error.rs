//! Why a document is refused: one variant a failure, each a sentence with the way out.

use crate::documents::limits::MAX_DOCUMENT_BYTES;
use crate::subscription::{Refusal, RefusalCode};

/// Why a text is not a document to rely on. Text that came from outside is escaped and cut; the code and its
/// hash are never in a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// More than [`MAX_DOCUMENT_BYTES`].
    #[error(
        "the document has {bytes} bytes, and none has more than {MAX_DOCUMENT_BYTES}: this is something else, fetch it again from the vendor"
    )]
    TooLarge { bytes: usize },
    /// Not three parts with dots between.
    #[error(
        "this is no signed document (three parts of base64url with dots between): fetch it again from the vendor"
    )]
    NotAJws,
    /// The first part is not what a JWS header is.
    #[error("the document's header cannot be read ({what}): fetch it again from the vendor")]
    Header { what: String },
    /// `crit` asks for extensions, and none is known.
    #[error(
        "the document's header has critical extensions (`crit`), and none is known here: a newer version of this program may read it"
    )]
    CriticalHeader,
    /// Another algorithm than Ed25519.
    #[error(
        "the document is signed with the algorithm {alg}, and only EdDSA (Ed25519) is taken: ask the vendor for a document made for this program"
    )]
    Algorithm {
        /// As the header has it.
        alg: String,
    },
    /// The header's `typ` is of neither kind, or not the kind of the key inside.
    #[error(
        "the document's type is {typ}, where {expected} belongs: ask the vendor for a document made for this program"
    )]
    Type {
        /// As the header has it.
        typ: String,
        /// What it could be.
        expected: &'static str,
    },
    /// No trusted signer has this key id.
    #[error(
        "the document's signer {kid} is not trusted here: put the vendor's signer file into trust.d, or ask the vendor which key signs"
    )]
    UnknownSigner {
        /// The key id, or what stands in its place.
        kid: String,
    },
    /// A trusted signer speaks for an issuer that its file does not name.
    #[error(
        "the document speaks for {iss}, and its signer {kid} is not trusted for that: the signer's file in trust.d names whom it may speak for"
    )]
    IssuerNotAllowed {
        iss: String,
        /// The signer's key id.
        kid: String,
    },
    /// Trusted, but not the issuer of the key that is held.
    #[error(
        "the document comes from {iss}, and the key that is held from {held}: revisions come from the same issuer"
    )]
    OtherIssuer {
        iss: String,
        /// The held key's.
        held: String,
    },
    /// The signature is not the signer's over this text.
    #[error(
        "the document's signature does not verify: it was changed or cut on its way, fetch it again from the vendor"
    )]
    Signature,
    /// The claims are not JSON.
    #[error("the document's claims are not JSON ({place}): the vendor has to issue it again")]
    PayloadNotJson {
        /// Line and column of the first byte that is not JSON.
        place: String,
    },
    /// A name occurs twice in one object.
    #[error("the document has `{name}` twice in one object: the vendor has to issue it again")]
    DuplicateClaim { name: String },
    /// Nested deeper than [`crate::documents::limits::MAX_DEPTH`].
    #[error("the document is nested too deeply: the vendor has to issue it again")]
    TooDeep,
    /// It answers for another code than the one asked for.
    #[error(
        "the document belongs to another activation code: it was published under the wrong name, tell the vendor"
    )]
    OtherCode,
    /// A standard claim is missing or of the wrong form.
    #[error("the document's claim `{name}` must be {expected}: the vendor has to issue it again")]
    Claim {
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// What it says of its key makes no sense.
    #[error("{0}")]
    Statement(Refusal),
}

impl From<DocumentError> for Refusal {
    fn from(error: DocumentError) -> Self {
        use DocumentError as E;
        let code = match &error {
            E::Algorithm { .. } | E::Signature => RefusalCode::BadSignature,
            E::UnknownSigner { .. } | E::IssuerNotAllowed { .. } | E::OtherIssuer { .. } => {
                RefusalCode::UntrustedSigner
            }
            E::Statement(refusal) => return refusal.clone(),
            E::TooLarge { .. }
            | E::NotAJws
            | E::Header { .. }
            | E::CriticalHeader
            | E::Type { .. }
            | E::PayloadNotJson { .. }
            | E::DuplicateClaim { .. }
            | E::TooDeep
            | E::OtherCode
            | E::Claim { .. } => RefusalCode::InvalidDocument,
        };
        Refusal::new(code, error.to_string())
    }
}

/// Text from outside, for a message: cleaned, quoted, at most 80 characters.
pub(super) fn shown(text: &str) -> String {
    format!("`{}`", crate::text::clean_start(text, 80))
}
