//! The one call that decides whether a document counts.

use crate::documents::base64url;
use crate::documents::error::{DocumentError, shown};
use crate::documents::limits::{MAX_DEPTH, MAX_DOCUMENT_BYTES};
use crate::documents::strict_json::{self, Fault};
use crate::documents::sub::Sub;
use crate::documents::trust::TrustStore;
use crate::subscription::{KeyKind, Statement};
use crate::text::trim_pasted;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::fmt;

pub(super) const TYPE_SUBSCRIPTION: &str = "svm-subscription+jws";
pub(super) const TYPE_LICENCE: &str = "svm-licence+jws";

/// What the one who asks knows already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expect<'a> {
    /// The code it must belong to; `None` where it was not asked for by one, such as a file that is added.
    pub sub: Option<&'a Sub>,
    /// The issuer of the key that is held: revisions come from the same.
    pub issuer: Option<&'a str>,
}

/// A document that was verified. Its `Debug` shows neither `sub` nor text.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// The issuer, for whom the signer may speak.
    pub iss: String,
    /// The code it belongs to, hashed.
    pub sub: Sub,
    /// The name of this one document; 1 to 128 characters.
    pub jti: String,
    /// When it was signed, to the second.
    pub iat: Timestamp,
    /// The key id of its signer.
    pub kid: String,
    /// What it says of its key.
    pub statement: Statement,
    /// The document itself, to keep and to verify again.
    pub text: String,
}

impl Document {
    /// All its claims, as [`super::sign`] writes them.
    pub fn claims(&self) -> Map<String, Value> {
        let mut claims = self.statement.to_claims();
        claims.insert("iss".into(), self.iss.as_str().into());
        claims.insert("sub".into(), self.sub.as_str().into());
        claims.insert("jti".into(), self.jti.as_str().into());
        claims.insert("iat".into(), self.iat.as_second().into());
        claims
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("iss", &self.iss)
            .field("jti", &self.jti)
            .field("iat", &self.iat)
            .field("kid", &self.kid)
            .field("statement", &self.statement)
            .finish_non_exhaustive()
    }
}

/// Verifies a document in JWS compact form; white space and characters that nobody sees around it are passed over.
///
/// Looked at in this order: size, form, header, algorithm, signer, signature, type, claims, issuer, code, and
/// whether what it says of its key makes sense. Nothing of the claims is used before the signature verified.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(text: &str, trust: &TrustStore, expect: Expect<'_>) -> Result<Document, DocumentError> {
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(DocumentError::TooLarge { bytes: text.len() });
    }
    let text = trim_pasted(text);
    let (signed, signature) = text.rsplit_once('.').ok_or(DocumentError::NotAJws)?;
    let (header, payload) =
        signed.split_once('.').filter(|(_, payload)| !payload.contains('.')).ok_or(DocumentError::NotAJws)?;

    let header = read_header(header)?;
    // Only the trust store says with what to verify; a header that asks for anything else is turned away.
    let alg = header.get("alg").and_then(Value::as_str);
    if !matches!(alg, Some("EdDSA" | "Ed25519")) {
        let alg = alg.map_or_else(|| "(none named)".to_owned(), shown);
        return Err(DocumentError::Algorithm { alg });
    }
    let kid = header.get("kid").and_then(Value::as_str);
    let Some((kid, signer)) = kid.and_then(|kid| Some((kid, trust.signer(kid)?))) else {
        let kid = kid.map_or_else(|| "(none named)".to_owned(), shown);
        return Err(DocumentError::UnknownSigner { kid });
    };
    let signature = base64url::decode(signature).ok_or(DocumentError::Signature)?;
    if !signer.key.verifies(signed.as_bytes(), &signature) {
        return Err(DocumentError::Signature);
    }

    let kind = read_type(&header)?;
    let payload = base64url::decode(payload).ok_or(DocumentError::NotAJws)?;
    let claims = strict_json::read(&payload, MAX_DEPTH).map_err(|fault| match fault {
        Fault::NotJson(place) => DocumentError::PayloadNotJson { place },
        Fault::Duplicate(name) => DocumentError::DuplicateClaim { name },
        Fault::TooDeep => DocumentError::TooDeep,
    })?;
    let iss = text_claim(&claims, "iss", 200, "a text of 1 to 200 characters")?;
    if !signer.issuers.contains(&iss) {
        return Err(DocumentError::IssuerNotAllowed { iss: shown(&iss), kid: shown(kid) });
    }
    if let Some(held) = expect.issuer.filter(|held| *held != iss) {
        return Err(DocumentError::OtherIssuer { iss: shown(&iss), held: shown(held) });
    }
    let sub = "64 lower-case hexadecimal characters";
    let sub: Sub = text_claim(&claims, "sub", 64, sub)?
        .parse()
        .map_err(|_| DocumentError::Claim { name: "sub", expected: sub })?;
    if expect.sub.is_some_and(|expected| *expected != sub) {
        return Err(DocumentError::OtherCode);
    }
    let jti = text_claim(&claims, "jti", 128, "a text of 1 to 128 characters")?;
    let iat = read_iat(&claims)?;
    let statement = Statement::read(&claims).map_err(DocumentError::Statement)?;
    if statement.kind() != kind {
        let expected = type_of(statement.kind());
        return Err(DocumentError::Type { typ: shown(type_of(kind)), expected });
    }
    Ok(Document { iss, sub, jti, iat, kid: kid.to_owned(), statement, text: text.to_owned() })
}

/// The `typ` of the documents of a kind of key.
pub(super) fn type_of(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Subscription => TYPE_SUBSCRIPTION,
        KeyKind::Commercial => TYPE_LICENCE,
    }
}

fn read_header(part: &str) -> Result<Map<String, Value>, DocumentError> {
    let unreadable = |what: &str| DocumentError::Header { what: what.to_owned() };
    let bytes = base64url::decode(part).ok_or_else(|| unreadable("it is not base64url"))?;
    let header = strict_json::read(&bytes, MAX_DEPTH).map_err(|fault| match fault {
        Fault::NotJson(place) => unreadable(&format!("it is not JSON at {place}")),
        Fault::Duplicate(name) => unreadable(&format!("it has `{name}` twice")),
        Fault::TooDeep => unreadable("it is nested too deeply"),
    })?;
    let Value::Object(header) = header else { return Err(unreadable("it is not an object")) };
    // RFC 7515, section 4.1.11: who does not understand an extension that is critical must refuse.
    if header.contains_key("crit") {
        return Err(DocumentError::CriticalHeader);
    }
    Ok(header)
}

fn read_type(header: &Map<String, Value>) -> Result<KeyKind, DocumentError> {
    match header.get("typ").and_then(Value::as_str) {
        Some(TYPE_SUBSCRIPTION) => Ok(KeyKind::Subscription),
        Some(TYPE_LICENCE) => Ok(KeyKind::Commercial),
        other => Err(DocumentError::Type {
            typ: other.map_or_else(|| "not named".to_owned(), shown),
            expected: "svm-subscription+jws or svm-licence+jws",
        }),
    }
}

fn text_claim(
    claims: &Value,
    name: &'static str,
    most: usize,
    expected: &'static str,
) -> Result<String, DocumentError> {
    let fits = |text: &&str| (1..=most).contains(&text.chars().count());
    let text = claims.get(name).and_then(Value::as_str).filter(fits);
    text.map(str::to_owned).ok_or(DocumentError::Claim { name, expected })
}

/// Seconds since 1970, whole or (RFC 7519 allows it) with a fraction, which is cut.
fn read_iat(claims: &Value) -> Result<Timestamp, DocumentError> {
    let seconds = claims.get("iat").and_then(|iat| {
        #[allow(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
        iat.as_i64().or_else(|| iat.as_f64().map(|seconds| seconds.floor() as i64))
    });
    seconds
        .filter(|seconds| *seconds >= 0)
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or(DocumentError::Claim { name: "iat", expected: "a time in seconds since 1970" })
}
