//! Documents, the keys of those who sign them, and what people type.

use super::bytes::{Bytes, text};
use super::signer::{KEY, trust};
use crate::cli::paste;
use crate::renewal::{self, OrderNumber};
use svm_core::documents::trust::read_signer;
use svm_core::documents::{
    ActivationCode, Document, Draft, Expect, MAX_DEPTH, SigningKey, Sub, TrustStore, base64url, sign,
    strict_json, verify,
};
use svm_core::subscription::{Statement, Version};

/// What holds of each document that is taken.
fn taken(document: &Document, trust: &TrustStore) {
    let again =
        verify(&document.text, trust, Expect { sub: Some(&document.sub), issuer: Some(&document.iss) });
    assert_eq!(again.as_ref().ok(), Some(document));
    let Document { iss, sub, jti, iat, statement, .. } = document;
    // Its provider can say the same again.
    if let Ok(signed) = sign(&Draft { iss, sub, jti, iat: *iat, statement }, &KEY) {
        assert_eq!(signed.statement, *statement);
        assert_eq!(signed.claims(), document.claims());
    }
    assert!(!format!("{document:?}").contains(sub.as_str()), "a debug text shows the sub");
}

/// A document as it comes: first as it is, then with header and claims signed, so that what is behind the signature is
/// reached.
pub(super) fn document(data: &[u8]) {
    let trust = trust();
    let raw = text(data);
    if let Err(error) = verify(&raw, &trust, Expect::default()) {
        assert!(error.to_string().chars().count() < 1000, "{error}");
    }
    paste::document(&raw).map_or_else(|error| assert!(!error.to_string().is_empty()), drop);

    // The first byte says how long the header is; a header of its own where it has none.
    let mut bytes = Bytes::new(data);
    let length = usize::from(bytes.byte());
    let rest = bytes.rest();
    let (header, claims) = rest.split_at(length.min(rest.len()));
    let usual = format!(
        r#"{{"alg":"EdDSA","typ":"svm-{}+jws","kid":"{}"}}"#,
        if length == 1 { "licence" } else { "subscription" },
        KEY.public().thumbprint()
    );
    let (header, claims) = if length < 2 { (usual.as_bytes(), rest) } else { (header, claims) };
    let signed = format!("{}.{}", base64url::encode(header), base64url::encode(claims));
    let whole = format!("{signed}.{}", base64url::encode(KEY.sign(signed.as_bytes())));
    match verify(&whole, &trust, Expect::default()) {
        Ok(document) => taken(&document, &trust),
        Err(error) => assert!(error.to_string().chars().count() < 1000, "{error}"),
    }
}

/// The claims alone.
pub(super) fn claims(data: &[u8]) {
    let Ok(claims) = serde_json::from_slice(data) else { return };
    match Statement::read(&claims) {
        Ok(statement) => {
            let again = Statement::read(&statement.to_claims().into());
            assert_eq!(again, Ok(statement));
        }
        Err(refusal) => assert!(refusal.message.chars().count() <= 500),
    }
}

/// JSON that repeats no name: what is read is what everybody reads.
pub(super) fn json(data: &[u8]) {
    if let Ok(value) = strict_json::read(data, MAX_DEPTH) {
        assert_eq!(serde_json::from_slice::<serde_json::Value>(data).unwrap(), value);
    }
    if let Some(bytes) = std::str::from_utf8(data).ok().and_then(base64url::decode) {
        assert_eq!(base64url::encode(bytes).as_bytes(), data, "a second spelling was taken");
    }
}

/// Files of signers, public and private.
pub(super) fn keys(data: &[u8]) {
    match read_signer(data) {
        Ok(signer) => {
            assert!(!signer.issuers.is_empty());
            let again = read_signer(signer.key.to_pem(&signer.issuers[0]).as_bytes()).unwrap();
            assert_eq!(again.key, signer.key);
        }
        Err(problem) => assert!(!problem.to_string().is_empty()),
    }
    if let Ok(key) = SigningKey::from_pem(text(data).into_owned().into()) {
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }
}

/// What people type.
pub(super) fn typed(data: &[u8]) {
    let text = text(data);
    match ActivationCode::parse(&text) {
        Ok(code) => {
            let again = ActivationCode::parse(&code.reveal()).unwrap();
            assert!(again.sub() == code.sub());
            assert!(!format!("{code:?}").contains(&code.reveal()));
        }
        Err(error) => assert!(error.to_string().chars().count() < 300),
    }
    if let Ok(sub) = text.parse::<Sub>() {
        assert_eq!(sub.as_str(), text);
    }
    if let Ok(version) = text.parse::<Version>() {
        assert_eq!(version.to_string().parse(), Ok(version));
    }
    match OrderNumber::parse(&text) {
        Ok(number) => {
            assert!(!number.written().is_empty());
            for lang in svm_core::words::Language::ALL {
                let known = renewal::Known { number: Some(number.clone()), ..Default::default() };
                let advice = renewal::advise(&known, lang);
                assert!(!advice.steps.is_empty());
            }
        }
        Err(error) => assert!(error.to_string().chars().count() < 300),
    }
}
