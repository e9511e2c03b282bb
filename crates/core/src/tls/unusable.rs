//! Why a certificate or a key of ours cannot be used, in our own words: libraries name a function or nothing.

use crate::secrets::Plain;
use crate::secrets::pem::Label;
use rustls::{CertificateError, OtherError};

/// What is wrong with a certificate.
pub(super) fn certificate(error: &rustls::Error) -> Plain {
    let found = match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(error))) => error.downcast_ref(),
        _ => None,
    };
    found.map_or(DAMAGED, x509)
}

const DAMAGED: Plain =
    Plain::new("it is damaged and cannot be read as X.509; replace it with the whole file");

/// The same, in the words of the verifier.
pub(super) fn x509(error: &webpki::Error) -> Plain {
    match error {
        webpki::Error::UnsupportedCertVersion => Plain::new(
            "it is X.509 version 1, and version 3 is required; have it issued again with subjectAltName",
        ),
        webpki::Error::InvalidCertValidity => Plain::new("it ends before it begins; have it issued again"),
        webpki::Error::UnsupportedCriticalExtension => {
            Plain::new("it has a critical extension that is not supported; have it issued without it")
        }
        _ => DAMAGED,
    }
}

/// Object identifiers as they lie in a key, and what keys of that kind are called.
const KINDS: [(&[u8], Plain); 8] = [
    (
        b"\x2b\x81\x04\x00\x23",
        Plain::new(
            "its curve is P-521, and P-256, P-384, Ed25519 and RSA are supported; make another key: openssl ecparam -name prime256v1 -genkey -noout",
        ),
    ),
    (
        b"\x2b\x81\x04\x00\x0a",
        Plain::new(
            "its curve is secp256k1, and P-256, P-384, Ed25519 and RSA are supported; make another key: openssl ecparam -name prime256v1 -genkey -noout",
        ),
    ),
    (
        b"\x2b\x81\x04\x00\x21",
        Plain::new(
            "its curve is P-224, and P-256, P-384, Ed25519 and RSA are supported; make another key: openssl ecparam -name prime256v1 -genkey -noout",
        ),
    ),
    (
        b"\x2b\x24\x03\x03\x02\x08\x01\x01",
        Plain::new(
            "its curve is of the brainpool family, and P-256, P-384, Ed25519 and RSA are supported; make another key: openssl ecparam -name prime256v1 -genkey -noout",
        ),
    ),
    (
        b"\x2b\x65\x71",
        Plain::new("it is an Ed448 key, and Ed25519, P-256, P-384 and RSA are supported; make another key"),
    ),
    (
        b"\x2b\x65\x6e",
        Plain::new(
            "it is an X25519 key, which cannot sign; make an Ed25519 key: openssl genpkey -algorithm ed25519",
        ),
    ),
    (
        b"\x2a\x86\x48\xce\x38\x04\x01",
        Plain::new("it is a DSA key, and P-256, P-384, Ed25519 and RSA are supported; make another key"),
    ),
    (
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a",
        Plain::new(
            "it is bound to RSASSA-PSS, which is not supported here; make a plain RSA key: openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:3072",
        ),
    ),
];

const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";

/// The identifiers stand at the beginning; behind it the same bytes may come by chance.
const HEAD: usize = 48;

/// Why a private key cannot be used, as far as its kind says it.
pub(super) fn private_key(label: Label, der: &[u8]) -> Plain {
    let head = if label == Label::Sec1 { der } else { der.get(..HEAD).unwrap_or(der) };
    let has = |part: &[u8]| head.windows(part.len()).any(|window| window == part);
    if let Some((_, plain)) = KINDS.iter().find(|(oid, _)| has(oid)) {
        return *plain;
    }
    // About 4.6 bits of a key for each bit of its modulus: 2048 bits make 1190 bytes, 4096 make 2350.
    match (label == Label::Pkcs1 || has(RSA), der.len()) {
        (true, 100..1100) => Plain::new(
            "it is an RSA key of less than 2048 bits; make a longer one: openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:3072",
        ),
        (true, 2600..) => Plain::new(
            "it is an RSA key of more than 4096 bits; make a shorter one: openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:3072",
        ),
        _ => Plain::new(
            "it is damaged, or of a kind that is not supported; use P-256, P-384, Ed25519 or RSA of 2048 to 4096 bits",
        ),
    }
}
