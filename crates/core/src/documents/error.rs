//! Why a document is refused: one variant a failure, each a sentence with the way out.

use crate::documents::limits::MAX_DOCUMENT_BYTES;
use crate::subscription::{Refusal, RefusalCode};

/// Why a text is not a document to rely on. Text that came from outside is escaped and cut; the code and its
/// hash are never in a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// More than [`MAX_DOCUMENT_BYTES`].
    #[error(
        "the document has {bytes} bytes, and documents have at most {MAX_DOCUMENT_BYTES}; this is another file, fetch it again from the provider"
    )]
    TooLarge { bytes: usize },
    /// Not three parts with dots between.
    #[error(
        "this is not a signed document (three parts of base64url with dots between); fetch it again from the provider"
    )]
    NotAJws,
    /// The first part is not what a JWS header is.
    #[error("the header of the document cannot be read: {what}; fetch it again from the provider")]
    Header { what: String },
    /// `crit` asks for extensions, and none is known.
    #[error(
        "the header of the document requires extensions (`crit`) that this version does not know; upgrade this program, or ask the provider for a document without them"
    )]
    CriticalHeader,
    /// Another algorithm than Ed25519.
    #[error(
        "the document is signed with the algorithm {alg}, and only EdDSA (Ed25519) is accepted; ask the provider for a document that is signed so"
    )]
    Algorithm {
        /// As the header has it.
        alg: String,
    },
    /// The header's `typ` is of neither kind, or not the kind of the key inside.
    #[error(
        "the type of the document is {typ}, not {expected}; ask the provider for a document for this program"
    )]
    Type {
        /// As the header has it.
        typ: String,
        /// What it could be.
        expected: &'static str,
    },
    /// No trusted signer has this key id.
    #[error(
        "the signer {kid} of the document is not trusted; put the provider's signer file into trust.d, or ask the provider which key signs"
    )]
    UnknownSigner {
        /// The key id, or what stands in its place.
        kid: String,
    },
    /// A trusted signer speaks for an issuer that its file does not name.
    #[error(
        "the document was issued by {iss}, and its signer {kid} is not trusted for this issuer; the signer's file in trust.d names its issuers (`iss:`)"
    )]
    IssuerNotAllowed {
        iss: String,
        /// The signer's key id.
        kid: String,
    },
    /// Trusted, but not the issuer of the key that is held.
    #[error(
        "the document was issued by {iss}, and the key on this SVM by {held}; only {held} can issue a new revision, ask the provider"
    )]
    OtherIssuer {
        iss: String,
        /// The held key's.
        held: String,
    },
    /// The signature is not the signer's over this text.
    #[error(
        "the signature of the document does not verify: the document was changed or cut on its way; fetch it again from the provider"
    )]
    Signature,
    /// The claims are not JSON.
    #[error("the claims of the document are not JSON at {place}; ask the provider to issue it again")]
    PayloadNotJson {
        /// Line and column of the first byte that is not JSON.
        place: String,
    },
    /// A name occurs twice in one object.
    #[error("the document has the claim `{name}` twice in one object; ask the provider to issue it again")]
    DuplicateClaim { name: String },
    /// Nested deeper than [`crate::documents::limits::MAX_DEPTH`].
    #[error("the claims of the document are nested too deeply; ask the provider to issue it again")]
    TooDeep,
    /// It answers for another code than the one asked for.
    #[error(
        "the document belongs to another activation code: it was published under the wrong name; report this to the provider"
    )]
    OtherCode,
    /// A standard claim is missing or of the wrong form.
    #[error("the claim `{name}` must be {expected}; ask the provider to issue the document again")]
    Claim {
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// The claims about the key have another form than expected, or contradict each other.
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
