//! The public half of a signer: its key id, and the PEM file by which it becomes trusted.

use super::base64url;
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    digest::{SHA256, digest},
    signature::{ED25519, UnparsedPublicKey},
};

/// What an Ed25519 key has before its 32 bytes in a SubjectPublicKeyInfo (RFC 8410; it has no parameters, so
/// there is no second form).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// An Ed25519 public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// From its 32 bytes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From a SubjectPublicKeyInfo in DER; `None` where it is of another kind.
    pub(super) fn from_spki(der: &[u8]) -> Option<Self> {
        der.strip_prefix(&SPKI_PREFIX).and_then(Self::from_bytes)
    }

    /// The key id: the thumbprint of the key (RFC 7638, SHA-256) in base64url, 43 characters.
    pub fn thumbprint(&self) -> String {
        let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url::encode(self.0));
        base64url::encode(digest(&SHA256, jwk.as_bytes()))
    }

    /// The file that makes the key trusted for `issuer`, in the form that [`super::TrustStore::load`] takes.
    pub fn to_pem(&self, issuer: &str) -> String {
        let der = STANDARD.encode([SPKI_PREFIX.as_slice(), self.0.as_slice()].concat());
        format!(
            "Signer of subscription documents; its key id is {}\niss: {issuer}\n\
             -----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n",
            self.thumbprint()
        )
    }

    /// Whether `signature` is this key's over `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

/// Whether a text can name an issuer: 1 to 200 printable ASCII characters without spaces, best a domain.
pub fn is_issuer(text: &str) -> bool {
    (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        let key = PublicKey::from_bytes(&base64url::decode(X).unwrap()).unwrap();
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn the_signature_is_that_of_rfc_8037() {
        let key = PublicKey::from_bytes(&base64url::decode(X).unwrap()).unwrap();
        let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature =
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let signature = base64url::decode(signature).unwrap();
        assert!(key.verifies(signed.as_bytes(), &signature));
        assert!(!key.verifies(b"else", &signature));
    }
}
