//! Makes documents: only such as [`verify`] takes.

use crate::documents::error::DocumentError;
use crate::documents::signing_key::SigningKey;
use crate::documents::sub::Sub;
use crate::documents::trust::TrustStore;
use crate::documents::verify::{Document, Expect, type_of};
use crate::documents::{base64url, verify};
use crate::subscription::{Refusal, Statement};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What is to be signed.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// Who states it: [`crate::documents::public_key::is_issuer`].
    pub iss: &'a str,
    /// The code it belongs to, hashed.
    pub sub: &'a Sub,
    /// A name for this one document, not used before.
    pub jti: &'a str,
    /// The time of signing; cut to the second.
    pub iat: Timestamp,
    /// What it says of the key.
    pub statement: &'a Statement,
}

/// Signs a draft and reads it back as its readers will.
///
/// # Errors
/// Whatever its readers would refuse, and a statement that they would understand otherwise.
pub fn sign(draft: &Draft<'_>, key: &SigningKey) -> Result<Document, DocumentError> {
    let public = key.public();
    let header = json!({
        "alg": "EdDSA",
        "kid": public.thumbprint(),
        "typ": type_of(draft.statement.kind()),
    });
    let mut claims = draft.statement.to_claims();
    claims.insert("iss".into(), draft.iss.into());
    claims.insert("sub".into(), draft.sub.as_str().into());
    claims.insert("jti".into(), draft.jti.into());
    claims.insert("iat".into(), draft.iat.as_second().into());
    let part = |json: Value| base64url::encode(json.to_string());
    let signed = format!("{}.{}", part(header), part(claims.into()));
    let text = format!("{signed}.{}", base64url::encode(key.sign(signed.as_bytes())));

    let trust = TrustStore::from_keys([(public, draft.iss.to_owned())]);
    let document = verify(&text, &trust, Expect { sub: Some(draft.sub), issuer: Some(draft.iss) })?;
    let meant = Statement { issuer: Some(draft.iss.to_owned()), ..draft.statement.clone() };
    if document.statement != meant {
        let refusal = Refusal::invalid("the document would not be read as it was meant: it was not signed");
        return Err(DocumentError::Statement(refusal));
    }
    Ok(document)
}
