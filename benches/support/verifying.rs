//! Verifying one document, and the same token by `jsonwebtoken` in the same run.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::hint::black_box;
use svm_core::documents::{ActivationCode, Draft, Expect, SigningKey, Sub, TrustStore, sign, verify};
use svm_core::subscription::Statement;

const ISS: &str = "provider.example";
/// In one measurement; the middle of so many measurements counts.
fn calls() -> u32 {
    super::sized(5_000, 20)
}

fn times() -> usize {
    super::sized(9, 3)
}

/// What a program that reads such a token by itself would have: the same claims, not checked for sense.
#[derive(Deserialize)]
#[allow(dead_code, reason = "they are read, and that is what is measured")]
struct Claims {
    iss: String,
    sub: String,
    jti: String,
    iat: i64,
    rev: u64,
    key: Key,
    devices: Option<u64>,
    min_product_version: Option<String>,
    fresh_until: Option<jiff::Timestamp>,
    subscription: Option<Subscription>,
    vendor: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "they are read, and that is what is measured")]
struct Key {
    id: String,
    kind: String,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "they are read, and that is what is measured")]
struct Subscription {
    state: Option<String>,
    state_since: Option<jiff::Timestamp>,
    term: BTreeMap<String, String>,
    grace_days: Option<u64>,
    auto_renew: Option<bool>,
    after_grace: Option<Value>,
    order: Option<BTreeMap<String, String>>,
}

/// A document, and who is trusted.
pub struct Signed {
    text: String,
    sub: Sub,
    trust: TrustStore,
    public: Vec<u8>,
}

impl Signed {
    pub fn new(statement: &Statement) -> Self {
        let key = SigningKey::generate().unwrap();
        let sub = ActivationCode::generate().unwrap().sub();
        let iat = jiff::Timestamp::now();
        let draft = Draft { iss: ISS, sub: &sub, jti: "TJMQOH2BGATAKV8J8R2PSCET", iat, statement };
        let text = sign(&draft, &key).unwrap().text;
        let other = SigningKey::generate().unwrap().public();
        let trust = TrustStore::from_keys([key.public(), other].map(|key| (key, ISS.to_owned())));
        let pem = key.public().to_pem(ISS);
        let der = STANDARD.decode(pem.lines().rev().nth(1).unwrap()).unwrap();
        Self { text, sub, trust, public: der[12..].to_vec() }
    }

    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Microseconds of one call of ours, of one of `jsonwebtoken`'s, and of the signature alone.
    pub fn measure(&self) -> [f64; 3] {
        let expect = Expect { sub: Some(&self.sub), issuer: Some(ISS) };
        let key = DecodingKey::from_ed_der(&self.public);
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.set_issuer(&[ISS]);
        validation.sub = Some(self.sub.as_str().to_owned());
        let (signed, signature) = self.text.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let bare = UnparsedPublicKey::new(&ED25519, &self.public);
        // In turn, so that a busy machine is busy for all.
        let (mut ours, mut theirs, mut least) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..times() {
            ours.push(micros(|| {
                drop(black_box(verify(black_box(&self.text), &self.trust, expect).unwrap()))
            }));
            theirs.push(micros(|| {
                drop(black_box(decode::<Claims>(black_box(&self.text), &key, &validation).unwrap()));
            }));
            least.push(micros(|| bare.verify(black_box(signed.as_bytes()), &signature).unwrap()));
        }
        [ours, theirs, least].map(|mut took| super::percentile(&mut took, 0.5))
    }
}

fn micros(call: impl Fn()) -> f64 {
    super::own_seconds(|| (0..calls()).for_each(|_| call())) * 1e6 / f64::from(calls())
}
