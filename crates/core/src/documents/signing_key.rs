//! The private key of a vendor.
//!
//! It is kept as PKCS#8 in PEM (RFC 8410), as `openssl genpkey -algorithm ed25519` writes it. Its file is made
//! readable by its owner alone, from its first moment.

use crate::documents::public_key::PublicKey;
use crate::secrets::pem::{self, Label};
use crate::secrets::{Plain, SecretFile};
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{Ed25519KeyPair, KeyPair},
};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use std::{
    fmt, fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// What an Ed25519 seed has before its 32 bytes in PKCS#8, version 1 (RFC 8410).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const MAX_FILE_BYTES: u64 = 16 * 1024;

/// An Ed25519 key that signs. Its `Debug` shows the key id alone.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
    pem: SecretString,
}

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The system's random source failed.
    #[error("this machine gave no random numbers, so no key was made; try again")]
    Random,
    /// The text is not a private key in PEM.
    #[error(
        "expected a private key in PKCS#8 PEM (`-----BEGIN PRIVATE KEY-----`, without a passphrase): {0}"
    )]
    NoKey(Plain),
    /// A private key, but of another kind.
    #[error("its private key is not an Ed25519 key; make one with `openssl genpkey -algorithm ed25519`")]
    NotEd25519,
    /// A file with this name is there already.
    #[error("{} exists already, and a private key is never overwritten; give another path", path.display())]
    Exists { path: PathBuf },
    /// The file could not be read or written.
    #[error("cannot {verb} the signing key {}", path.display())]
    Io {
        /// `read` or `write`.
        verb: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The file was read, and what is in it is no signing key.
    #[error("{} is not a signing key: {problem}", path.display())]
    File {
        path: PathBuf,
        /// What is wrong with it.
        problem: Box<SigningKeyError>,
    },
}

impl SigningKey {
    /// A new key from the system's secure random source.
    ///
    /// # Errors
    /// [`SigningKeyError::Random`] where the system has no random numbers.
    pub fn generate() -> Result<Self, SigningKeyError> {
        let mut der = Zeroizing::new([0_u8; 48]);
        let (prefix, seed) = der.split_at_mut(PKCS8_PREFIX.len());
        prefix.copy_from_slice(&PKCS8_PREFIX);
        SystemRandom::new().fill(seed).map_err(|_| SigningKeyError::Random)?;
        // Version 1, though ring could write version 2: older OpenSSL does not read that.
        let text = Zeroizing::new(STANDARD.encode(der.as_slice()));
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", text.as_str());
        Self::from_pem(pem.into())
    }

    /// Reads PKCS#8 in PEM, version 1 or 2 (where a public key that stands beside it must belong to it).
    ///
    /// # Errors
    /// [`SigningKeyError::NoKey`] and [`SigningKeyError::NotEd25519`].
    pub fn from_pem(pem: SecretString) -> Result<Self, SigningKeyError> {
        let text = pem.expose_secret().as_bytes();
        let sections = pem::sections(text).map_err(SigningKeyError::NoKey)?;
        let key = sections.iter().find(|section| section.label == Label::Pkcs8);
        let der = &key.ok_or_else(|| SigningKeyError::NoKey(instead(&sections, text)))?.der;
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| SigningKeyError::NotEd25519)?;
        let public = PublicKey::from_bytes(pair.public_key().as_ref()).ok_or(SigningKeyError::NotEd25519)?;
        Ok(Self { pair, public, pem })
    }

    /// Reads the file of a key.
    ///
    /// # Errors
    /// Names the file, and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, SigningKeyError> {
        let failed = |source| SigningKeyError::Io { verb: "read", path: path.to_owned(), source };
        let file = SecretFile::read(path, MAX_FILE_BYTES).map_err(failed)?;
        file.interpret_text(|text| Ok(SecretString::from(text)))
            .map_err(SigningKeyError::NoKey)
            .and_then(Self::from_pem)
            .map_err(|problem| SigningKeyError::File { path: path.to_owned(), problem: problem.into() })
    }

    /// Writes the key to a new file that only its owner can read (mode 0600), and waits for the disk.
    ///
    /// # Errors
    /// [`SigningKeyError::Exists`] where the file is there already; it stays as it is.
    pub fn write_new(&self, path: &Path) -> Result<(), SigningKeyError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => SigningKeyError::Exists { path: path.to_owned() },
            _ => SigningKeyError::Io { verb: "write", path: path.to_owned(), source },
        };
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(self.pem.expose_secret().as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)
    }

    /// What a signer file publishes, and documents are verified by.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The signature of a message, 64 bytes.
    pub fn sign(&self, message: &[u8]) -> impl AsRef<[u8]> + use<> {
        self.pair.sign(message)
    }
}

/// What a text has in the place of a key that can sign.
fn instead(sections: &[pem::Section], text: &[u8]) -> Plain {
    let has = |label| sections.iter().any(|section| section.label == label);
    match () {
        () if has(Label::Locked) => Plain::new("its key has a passphrase; remove it with `openssl pkey`"),
        () if has(Label::Sec1) || has(Label::Pkcs1) => {
            Plain::new("it holds a key of another kind; make one with `openssl genpkey -algorithm ed25519`")
        }
        () => pem::instead(text),
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.public.thumbprint()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn pem(label: &str, der: &[u8]) -> SecretString {
        let text = STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n").into()
    }

    #[test]
    fn it_is_written_for_its_owner_alone_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.pem");
        let key = SigningKey::generate().unwrap();
        key.write_new(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SigningKey::read(&path).unwrap().public(), key.public());
        let before = fs::read(&path).unwrap();
        let error = SigningKey::generate().unwrap().write_new(&path).unwrap_err();
        assert!(matches!(error, SigningKeyError::Exists { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn both_versions_of_pkcs_8_are_read() {
        let v2 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        assert_eq!(v2.as_ref()[4], 1, "version 2 is written as 1");
        SigningKey::from_pem(pem("PRIVATE KEY", v2.as_ref())).unwrap();
        let mut other_public = v2.as_ref().to_vec();
        *other_public.last_mut().unwrap() ^= 1;
        assert!(SigningKey::from_pem(pem("PRIVATE KEY", &other_public)).is_err());
        let v1 = [PKCS8_PREFIX.as_slice(), &[7; 32]].concat();
        SigningKey::from_pem(pem("PRIVATE KEY", &v1)).unwrap();
    }

    #[test]
    fn what_is_no_key_is_said_without_quoting_it() {
        for text in ["", "secret", "-----BEGIN PRIVATE KEY-----\nsecret!\n-----END PRIVATE KEY-----\n"] {
            let error = SigningKey::from_pem(text.to_owned().into()).unwrap_err();
            assert!(matches!(error, SigningKeyError::NoKey(_)) && !error.to_string().contains("secret"));
        }
        let error = SigningKey::from_pem(pem("PRIVATE KEY", &[0x30, 0x00])).unwrap_err();
        assert!(matches!(error, SigningKeyError::NotEd25519));
        assert!(SigningKey::from_pem(pem("PUBLIC KEY", &[0; 44])).is_err());
        let error = SigningKey::read(Path::new("/nowhere/key.pem")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the signing key /nowhere/key.pem");
    }

    #[test]
    fn debug_shows_the_key_id_alone() {
        let key = SigningKey::generate().unwrap();
        let kid = key.public().thumbprint();
        assert_eq!(format!("{key:?}"), format!("SigningKey {{ kid: {kid:?}, .. }}"));
    }
}
