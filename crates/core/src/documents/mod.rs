//! Signed documents: what a vendor states of one key, so that nobody between can change it.
//!
//! Promises: [`verify`] answers for everything (size, form, algorithm, signer, signature, issuer, the code it
//! belongs to, sense) before any claim can be used, and [`sign`] makes only what [`verify`] takes. No message
//! and no `Debug` of this module holds a code, a [`Sub`] or a private key. Must not know: networks, clocks,
//! the keys an SVM holds, and who asks. The format is JWS (RFC 7515) with Ed25519 (RFC 8037), written down in
//! `docs/reference/documents.md`.
//!
//! One idea a file: [`ActivationCode`] in `code.rs`, its hash in `sub.rs`, the private key in `signing_key.rs`,
//! who is trusted in `trust.rs`, JSON without surprises in `strict_json.rs`.

pub mod base64url;
mod code;
mod error;
mod limits;
mod public_key;
mod sign;
mod signing_key;
pub mod strict_json;
mod sub;
pub mod trust;
mod verify;

pub use code::random_text;
pub use code::{ActivationCode, CodeError};
pub use error::DocumentError;
pub use limits::{MAX_DEPTH, MAX_DOCUMENT_BYTES};
pub use public_key::{PublicKey, is_issuer};
pub use sign::{Draft, sign};
pub use signing_key::{SigningKey, SigningKeyError};
pub use sub::{Sub, SubError, published_path, text_digest};
pub use trust::{Loaded, SignerFile, SignerProblem, TrustError, TrustStore, TrustedSigner};
pub use verify::{Document, Expect, verify};
