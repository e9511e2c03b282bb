//! Everything that must be refused, each with its own name, and nothing that tells a secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use svm_core::documents::{
    ActivationCode, Document, DocumentError as E, Draft, Expect, SigningKey, TrustStore, sign, verify,
};
use svm_core::subscription::{Refusal, RefusalCode, Statement};

const ISS: &str = "provider.example";
const SEED: [u8; 32] = [7; 32];

/// The same key as the library holds it, and as a forger would.
struct Bench {
    key: SigningKey,
    raw: Ed25519KeyPair,
    trust: TrustStore,
    code: ActivationCode,
}

impl Bench {
    fn new() -> Self {
        let der = [&hex("302e020100300506032b657004220420")[..], &SEED].concat();
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        let key = SigningKey::from_pem(pem.into()).unwrap();
        let trust = TrustStore::from_keys([(key.public(), ISS.to_owned())]);
        let code = ActivationCode::parse("01234-56789-ABCDE-FGHII").unwrap();
        Self { key, raw: Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap(), trust, code }
    }

    fn good(&self) -> Document {
        let statement = Statement::read(&self.claims()).unwrap();
        let sub = self.code.sub();
        let iat = "2026-01-01T00:00:00.9Z".parse().unwrap();
        sign(&Draft { iss: ISS, sub: &sub, jti: "D-1", iat, statement: &statement }, &self.key).unwrap()
    }

    fn header(&self) -> Value {
        json!({"alg": "EdDSA", "kid": self.key.public().thumbprint(), "typ": "svm-subscription+jws"})
    }

    fn claims(&self) -> Value {
        json!({"iss": ISS, "sub": self.code.sub().as_str(), "jti": "D-1", "iat": 1_767_225_600, "rev": 1,
            "key": {"id": "SUB-1", "kind": "subscription"},
            "subscription": {"term": {"type": "limited", "ends_at": "2027-01-01T00:00:00Z"}}})
    }

    /// Signs any two texts with the trusted key.
    fn forge(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.raw.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn with_header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.header();
        change(&mut header);
        self.forge(&header.to_string(), &self.claims().to_string())
    }

    fn with_claims(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.claims();
        change(&mut claims);
        self.forge(&self.header().to_string(), &claims.to_string())
    }

    fn verify(&self, text: &str) -> Result<Document, E> {
        verify(text, &self.trust, Expect { sub: Some(&self.code.sub()), issuer: Some(ISS) })
    }

    /// Refused, with a code and a word of the sentence, and without a secret.
    fn refused(&self, text: &str, code: RefusalCode, word: &str) -> E {
        let error = self.verify(text).expect_err(word);
        let refusal = Refusal::from(error.clone());
        let (message, sub) = (&refusal.message, self.code.sub());
        assert_eq!(refusal.code, code, "{message}");
        assert!(message.contains(word), "{word}: {message}");
        assert!(!message.contains(sub.as_str()) && !format!("{error:?}").contains(sub.as_str()), "{message}");
        error
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

use RefusalCode::{BadSignature, InvalidDocument, UntrustedSigner};

#[test]
fn a_good_document_is_read_as_it_was_meant() {
    let bench = Bench::new();
    let good = bench.good();
    let read = bench.verify(&good.text).unwrap();
    assert_eq!(read, good);
    assert_eq!((read.iss.as_str(), read.jti.as_str(), read.iat.as_second()), (ISS, "D-1", 1_767_225_600));
    assert_eq!(read.kid, bench.key.public().thumbprint());
    assert!(read.sub == bench.code.sub());
    // Nothing expected, white space around, the newer name of the algorithm, a fraction in `iat`, claims and
    // header members that are not known.
    verify(&good.text, &bench.trust, Expect::default()).unwrap();
    assert_eq!(bench.verify(&format!(" {}\r\n", good.text)).unwrap(), good);
    bench.verify(&bench.with_header(|h| h["alg"] = json!("Ed25519"))).unwrap();
    bench.verify(&bench.with_header(|h| h["jku"] = json!("https://evil.example/jwks"))).unwrap();
    let later = bench.with_claims(|c| (c["iat"], c["new"]) = (json!(1_767_225_600.75), json!({"a": 1})));
    assert_eq!(bench.verify(&later).unwrap().iat.as_second(), 1_767_225_600);
}

#[test]
fn debug_tells_no_secret() {
    let bench = Bench::new();
    let good = bench.good();
    let shown = format!("{good:?} {:?} {:?}", good.sub, Expect { sub: Some(&good.sub), issuer: None });
    assert!(!shown.contains(good.sub.as_str()) && !shown.contains(&good.text[..40]), "{shown}");
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let bench = Bench::new();
    let good = bench.good().text.into_bytes();
    let mut refused = 0;
    for at in 0..good.len() {
        for other in [good[at] ^ 1, good[at] ^ 0x20, b'A', b'_', b'.', b'=', b' '] {
            if other == good[at] {
                continue;
            }
            let mut text = good.clone();
            text[at] = other;
            let Ok(text) = String::from_utf8(text) else { continue };
            let error = bench.verify(&text).expect_err(&format!("byte {at} of {}", good.len()));
            assert_ne!(Refusal::from(error).message, "");
            refused += 1;
        }
        // Left out, and cut here.
        let text = String::from_utf8(good.clone()).unwrap();
        assert!(bench.verify(&text[..at]).is_err());
        assert!(bench.verify(&format!("{}{}", &text[..at], &text[at + 1..])).is_err());
        assert!(bench.verify(&format!("{}A{}", &text[..at], &text[at..])).is_err());
    }
    assert!(refused > 6 * good.len() - 100, "{refused}");
}

#[test]
fn only_the_key_s_own_algorithm_counts() {
    let bench = Bench::new();
    for alg in ["none", "HS256", "ES256", "RS256", "eddsa", "Ed448", ""] {
        let text = bench.with_header(|h| h["alg"] = json!(alg));
        assert!(matches!(bench.refused(&text, BadSignature, &format!("`{alg}`")), E::Algorithm { .. }));
    }
    bench.refused(&bench.with_header(|h| h["alg"] = json!(null)), BadSignature, "(none named)");
    // Unsigned, and signed with the public key as if it were a shared secret.
    let none = bench.with_header(|h| h["alg"] = json!("none"));
    bench.refused(&format!("{}.", none.rsplit_once('.').unwrap().0), BadSignature, "`none`");
    let unsigned = bench.good().text;
    let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
    assert_eq!(bench.refused(&unsigned, BadSignature, "fetch it again"), E::Signature);
    let text = bench.with_header(|h| h["alg"] = json!("HS256"));
    let (signed, _) = text.rsplit_once('.').unwrap();
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[7; 32]);
    let mac = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&secret, signed.as_bytes()));
    bench.refused(&format!("{signed}.{mac}"), BadSignature, "`HS256`");
}

#[test]
fn the_signer_must_be_trusted_for_the_issuer() {
    let bench = Bench::new();
    let text = bench.with_header(|h| h["kid"] = json!("not-known"));
    assert!(matches!(bench.refused(&text, UntrustedSigner, "`not-known`"), E::UnknownSigner { .. }));
    let text = bench.with_header(|h| drop(h.as_object_mut().unwrap().remove("kid")));
    bench.refused(&text, UntrustedSigner, "trust.d");
    let text = bench.with_claims(|c| c["iss"] = json!("other.example"));
    assert!(matches!(bench.refused(&text, UntrustedSigner, "`other.example`"), E::IssuerNotAllowed { .. }));

    // A stranger's signature under the trusted key's name.
    let stranger = Bench { raw: Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap(), ..Bench::new() };
    let text = stranger.with_claims(|_| ());
    assert_eq!(bench.refused(&text, BadSignature, "does not verify"), E::Signature);

    // Trusted for two issuers; the key that is held came from the other.
    let key = bench.key.public();
    let trust = TrustStore::from_keys([(key, ISS.to_owned()), (key, "sister.example".to_owned())]);
    let held = Expect { sub: None, issuer: Some("sister.example") };
    let error = verify(&bench.good().text, &trust, held).unwrap_err();
    assert!(matches!(error, E::OtherIssuer { .. }), "{error}");
    assert_eq!(Refusal::from(error).code, UntrustedSigner);
    verify(&bench.good().text, &trust, Expect::default()).unwrap();
}

#[test]
fn a_document_answers_for_its_own_code_and_kind() {
    let bench = Bench::new();
    let other = ActivationCode::generate().unwrap().sub();
    let text = bench.with_claims(|c| c["sub"] = json!(other.as_str()));
    let error = bench.refused(&text, InvalidDocument, "another activation code");
    assert_eq!(error, E::OtherCode);
    assert!(!error.to_string().contains(other.as_str()));

    for typ in [json!("JWT"), json!("SVM-subscription+jws"), json!(7), Value::Null] {
        let text = bench.with_header(|h| h["typ"] = typ.clone());
        assert!(matches!(bench.refused(&text, InvalidDocument, "type"), E::Type { .. }), "{typ}");
    }
    let text = bench.with_header(|h| h["typ"] = json!("svm-licence+jws"));
    bench.refused(&text, InvalidDocument, "`svm-licence+jws`, not svm-subscription+jws");
}

#[test]
fn what_is_no_document_is_named() {
    let bench = Bench::new();
    let (header, claims) = (bench.header().to_string(), bench.claims().to_string());
    for page in ["", ".", "a.b", "<html>proxy error</html>", "a.b.c.d", "{\"payload\": \"\"}"] {
        assert_eq!(bench.refused(page, InvalidDocument, "fetch it again"), E::NotAJws, "{page}");
    }
    let large = "x".repeat(10 * 1024 * 1024);
    assert!(matches!(bench.refused(&large, InvalidDocument, "10485760 bytes"), E::TooLarge { .. }));
    let padded = bench.with_claims(|c| c["padding"] = json!("x".repeat(60_000)));
    assert!(matches!(bench.verify(&padded), Err(E::TooLarge { .. })));

    for (bad, word) in [
        ("[]".to_owned(), "not an object"),
        ("nonsense".to_owned(), "not JSON"),
        (header.replacen('{', r#"{"alg":"none","#, 1), "`alg` twice"),
        (r#"{"a":"#.repeat(40), "nested"),
    ] {
        let text = bench.forge(&bad, &claims);
        assert!(matches!(bench.refused(&text, InvalidDocument, word), E::Header { .. }));
    }
    bench.refused("a+b.c.d", InvalidDocument, "base64url");
    let text = bench.with_header(|h| (h["crit"], h["b64"]) = (json!(["b64"]), json!(false)));
    assert_eq!(bench.refused(&text, InvalidDocument, "`crit`"), E::CriticalHeader);
}

#[test]
fn claims_that_read_in_two_ways_are_refused() {
    let bench = Bench::new();
    let (header, claims) = (bench.header().to_string(), bench.claims().to_string());
    let twice = claims.replacen('{', r#"{"rev":9,"#, 1);
    let error = bench.refused(&bench.forge(&header, &twice), InvalidDocument, "`rev` twice");
    assert!(matches!(error, E::DuplicateClaim { .. }));
    let inside = claims.replacen(r#""type""#, r#""type":"unlimited","type""#, 1);
    bench.refused(&bench.forge(&header, &inside), InvalidDocument, "`type` twice");

    let deep = format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(bench.refused(&bench.forge(&header, &deep), InvalidDocument, "deeply"), E::TooDeep);
    let text = bench.with_claims(|c| c["x"] = (0..15).fold(json!(1), |inner, _| json!([inner])));
    bench.verify(&text).unwrap();
    let text = bench.with_claims(|c| c["x"] = (0..16).fold(json!(1), |inner, _| json!([inner])));
    assert_eq!(bench.verify(&text), Err(E::TooDeep));
    for bad in ["", "{", "null x", "\u{0}"] {
        let text = bench.forge(&header, bad);
        assert!(matches!(bench.refused(&text, InvalidDocument, "not JSON"), E::PayloadNotJson { .. }));
    }
}

#[test]
fn missing_and_mistyped_claims_are_named() {
    let bench = Bench::new();
    let long = "x".repeat(129);
    let rows = [
        ("iss", json!(7)),
        ("iss", json!("")),
        ("sub", json!(["a"])),
        ("sub", json!(bench.code.sub().as_str().to_uppercase())),
        ("sub", json!(bench.code.reveal())),
        ("jti", json!("")),
        ("jti", json!(long)),
        ("iat", json!("2026-01-01T00:00:00Z")),
        ("iat", json!(-1)),
        ("iat", json!(1e300)),
        ("iat", json!(u64::MAX)),
    ];
    for (name, value) in rows {
        let text = bench.with_claims(|c| c[name] = value.clone());
        let error = bench.refused(&text, InvalidDocument, &format!("`{name}` must be"));
        assert!(!error.to_string().contains("01234"), "{value}");
    }
    for name in ["iss", "sub", "jti", "iat"] {
        let text = bench.with_claims(|c| drop(c.as_object_mut().unwrap().remove(name)));
        bench.refused(&text, InvalidDocument, &format!("`{name}` must be"));
    }
    bench.refused(&bench.forge(&bench.header().to_string(), "[1]"), InvalidDocument, "`iss` must be");
}

#[test]
fn nonsense_about_the_key_is_refused_by_the_rules_of_the_life_cycle() {
    let bench = Bench::new();
    let text = bench.with_claims(|c| c["rev"] = json!(0));
    assert!(matches!(
        bench.refused(&text, InvalidDocument, "`rev` is the number 0; expected a whole number of 1 or more"),
        E::Statement(_)
    ));
    let text = bench.with_claims(|c| c["subscription"]["term"] = json!({"type": "limited"}));
    bench.refused(&text, InvalidDocument, "term.ends_at");
}

#[test]
fn nothing_is_signed_that_would_be_refused() {
    let bench = Bench::new();
    let mut statement = Statement::read(&bench.claims()).unwrap();
    let sub = bench.code.sub();
    let iat = "2026-01-01T00:00:00Z".parse().unwrap();
    statement.rev = 0;
    let draft = |jti: &'static str| Draft { iss: ISS, sub: &sub, jti, iat, statement: &statement };
    assert!(matches!(sign(&draft("D"), &bench.key), Err(E::Statement(_))));
    assert!(matches!(sign(&draft(""), &bench.key), Err(E::Claim { name: "jti", .. })));
}

#[test]
fn the_trust_file_in_the_documentation_is_one() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/documents.md")).unwrap();
    let (before, after) = page.split_once("Signer of subscription documents").unwrap();
    assert!(before.ends_with("```\n"));
    let (example, _) = after.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("example.pem"), example).unwrap();
    let loaded = TrustStore::load(folder.path()).unwrap();
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let (kid, signer) = loaded.store.signers().next().unwrap();
    assert!(example.contains(kid));
    assert_eq!(signer.issuers, [ISS]);
}

proptest::proptest! {
    #[test]
    fn any_text_gets_an_answer(parts in proptest::collection::vec(".{0,40}", 0..5)) {
        let bench = Bench::new();
        proptest::prop_assert!(bench.verify(&parts.join(".")).is_err());
        let signed = bench.forge(&bench.header().to_string(), &parts.concat());
        proptest::prop_assert!(bench.verify(&signed).is_err());
        let signed = bench.forge(&parts.concat(), &bench.claims().to_string());
        proptest::prop_assert!(bench.verify(&signed).is_err());
    }
}
