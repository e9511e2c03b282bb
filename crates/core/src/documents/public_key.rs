//! The public half of a signer: its key id, and the PEM file by which it becomes trusted.

use crate::documents::base64url;
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

/// The y of all points of order 1, 2, 4 and 8 of edwards25519, little-endian.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    ONE,
    // p - 1
    below_p(0xec),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

const ONE: [u8; 32] = {
    let mut bytes = [0; 32];
    let [lowest, ..] = &mut bytes;
    *lowest = 1;
    bytes
};

/// A number that has p's bytes but for the lowest.
const fn below_p(value: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    let [lowest, .., highest] = &mut bytes;
    *lowest = value;
    *highest = 0x7f;
    bytes
}

/// Whether a number is below p = 2^255 - 19.
fn is_below_p(y: &[u8; 32]) -> bool {
    let [lowest, middle @ .., highest] = y;
    *highest != 0x7f || middle.iter().any(|byte| *byte != 0xff) || *lowest < 0xed
}

impl PublicKey {
    /// From its 32 bytes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From a SubjectPublicKeyInfo in DER; `None` where it is of another kind.
    pub(super) fn from_spki(der: &[u8]) -> Option<Self> {
        der.strip_prefix(&SPKI_PREFIX).and_then(Self::from_bytes)
    }

    /// Whether it is a key for which anybody can sign: its point has a small order, so signatures that fit can be made
    /// without the private half. Or a second spelling of another key (RFC 8032, section 5.1.3), which would have a key
    /// id of its own.
    pub(super) fn is_weak(&self) -> bool {
        let mut y = self.0;
        let [.., last] = &mut y;
        // The sign of x stands here, and no point is less weak for it.
        *last &= 0x7f;
        !is_below_p(&y) || SMALL_ORDER.contains(&y)
    }

    /// The key id: the thumbprint of the key (RFC 7638, SHA-256) in base64url, 43 characters.
    pub fn thumbprint(&self) -> String {
        let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url::encode(self.0));
        base64url::encode(digest(&SHA256, jwk.as_bytes()))
    }

    /// The file that makes the key trusted for `issuer`, in the form that [`crate::documents::trust::TrustStore::load`] takes.
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
    fn keys_for_which_anybody_can_sign_are_known() {
        let weak = |bytes: [u8; 32]| PublicKey(bytes).is_weak();
        let mut count = 0;
        let second = [below_p(0xed), below_p(0xee)];
        for y in SMALL_ORDER.into_iter().chain(second) {
            for sign in [0, 0x80] {
                let mut bytes = y;
                bytes[31] |= sign;
                assert!(weak(bytes), "{bytes:02x?}");
                // Why: with the neutral element as the commitment and 0 as the answer, a signature fits where the
                // challenge is a multiple of the order, which one message in eight has.
                let signature = [ONE, [0; 32]].concat();
                assert!(
                    (0..200_u8).any(|message| PublicKey(bytes).verifies(&[message], &signature)),
                    "{bytes:02x?} is a point of small order"
                );
                count += 1;
            }
        }
        assert_eq!(count, 14);
        for lowest in 0xed..=0xff {
            assert!(weak(below_p(lowest)), "{lowest}");
        }
        assert!(!weak(below_p(0xeb)));
        for _ in 0..100 {
            assert!(!crate::documents::SigningKey::generate().unwrap().public().is_weak());
        }
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
