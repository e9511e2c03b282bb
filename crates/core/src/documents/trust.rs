//! Who is trusted: a folder of PEM files, each a public key and the issuers it may speak for.
//!
//! A file is what `svm-vendor keygen` writes: explanatory text (RFC 7468, section 2) with one or more lines
//! `iss: provider.example`, then one `PUBLIC KEY` as `openssl pkey -pubout` writes it. Several files may be
//! there, so that keys rotate. A bad file is named and trusts nobody; the others count all the same. A file that
//! somebody else than root may change trusts nobody, either: a user who may write it could trust themselves.

use crate::documents::public_key::{PublicKey, is_issuer};
use crate::files::list_folder;
use crate::root_only::{Exposed, only_root_may_change};
use crate::secrets::pem::{self, Label};
use crate::secrets::{Plain, SecretFile};
use crate::text::trim_pasted;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

const MAX_FILE_BYTES: u64 = 64 * 1024;

/// A signer and the issuers it may speak for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedSigner {
    /// Verifies the documents of this signer.
    pub key: PublicKey,
    /// At least one; compared byte by byte.
    pub issuers: Vec<String>,
}

/// The trusted signers, by key id.
#[derive(Clone, Debug, Default)]
pub struct TrustStore {
    signers: BTreeMap<String, TrustedSigner>,
}

/// A folder that was read: who is trusted, and which files could not be taken.
#[derive(Debug)]
pub struct Loaded {
    /// The signers of the good files.
    pub store: TrustStore,
    /// One for each bad file, in the order of their names.
    pub problems: Vec<TrustError>,
}

/// Why a folder or a file of it trusts nobody.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The folder or file could not be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        source: io::Error,
    },
    /// The file was read, and trusts nobody.
    #[error("{} is not used: {problem}", path.display())]
    File {
        path: PathBuf,
        /// What is wrong with it.
        problem: SignerProblem,
    },
    /// Somebody else than root may change the file.
    #[error("{} is not used, because others may change it: {exposed}", path.display())]
    Exposed {
        path: PathBuf,
        /// Who, and what to do.
        exposed: Exposed,
    },
}

/// What is wrong with a signer's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignerProblem {
    /// Over 64 KiB.
    #[error("it is larger than 64 KiB")]
    TooLarge,
    /// The text is not PEM.
    #[error("its PEM is damaged: {0}")]
    Pem(Plain),
    /// There is no PEM in it at all.
    #[error("expected one `-----BEGIN PUBLIC KEY-----` and nothing else: {0}")]
    NoPem(Plain),
    /// There is a private key in it.
    #[error(
        "it holds a private key, which only the provider may have; remove the file, and tell the provider if it came from there"
    )]
    PrivateKey,
    /// No `PUBLIC KEY`, or several, or something else.
    #[error("expected one `-----BEGIN PUBLIC KEY-----` and nothing else, found {0}")]
    NotOneKey(usize),
    /// A public key of another kind.
    #[error("its public key is not an Ed25519 key; ask the provider for the right file")]
    NotEd25519,
    /// A key for which anybody can sign.
    #[error(
        "its public key is weak (of small order, or in a second spelling), so anybody could sign for it; ask the provider for the right file"
    )]
    WeakKey,
    /// No `iss:` line.
    #[error("it names no issuer; put a line `iss: provider.example` above the key")]
    NoIssuer,
    /// An `iss:` line that names nobody.
    #[error(
        "one of its `iss:` lines has no issuer; expected 1 to 200 printable ASCII characters without spaces"
    )]
    Issuer,
}

/// A file, and the signer in it or what is wrong with it.
pub type SignerFile = (PathBuf, Result<TrustedSigner, TrustError>);

impl TrustStore {
    /// Reads every `*.pem` of a folder that only root may change ([`only_root_may_change`]); other files are passed over.
    ///
    /// # Errors
    /// Where the folder itself cannot be read. Bad files are in [`Loaded::problems`].
    pub fn load(folder: &Path) -> Result<Loaded, TrustError> {
        let exposed = |path: &PathBuf| {
            let exposed = only_root_may_change(path).err();
            exposed.map(|exposed| TrustError::Exposed { path: path.clone(), exposed })
        };
        let files = Self::files(folder)?;
        let checked =
            |(path, signer): SignerFile| signer.and_then(|signer| exposed(&path).map_or(Ok(signer), Err));
        Ok(Self::gather(files.into_iter().map(checked)))
    }

    /// The same for a folder that belongs to its reader, such as a provider's own ledger: it trusts its files even if others
    /// may change them.
    ///
    /// # Errors
    /// As above.
    pub fn load_own(folder: &Path) -> Result<Loaded, TrustError> {
        Ok(Self::gather(Self::files(folder)?.into_iter().map(|(_, signer)| signer)))
    }

    fn gather(signers: impl Iterator<Item = Result<TrustedSigner, TrustError>>) -> Loaded {
        let mut loaded = Loaded { store: Self::default(), problems: Vec::new() };
        for signer in signers {
            match signer {
                Ok(signer) => loaded.store.add(signer),
                Err(problem) => loaded.problems.push(problem),
            }
        }
        loaded
    }

    /// The same, each signer with its file, in the order of the files' names.
    ///
    /// # Errors
    /// Where the folder itself cannot be read.
    pub fn files(folder: &Path) -> Result<Vec<SignerFile>, TrustError> {
        let failed = |source| TrustError::Io { path: folder.to_owned(), source };
        let mut paths = list_folder(folder).map_err(failed)?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "pem"));
        let read = |path: PathBuf| {
            let signer = match read_file(&path) {
                Ok(Ok(signer)) => Ok(signer),
                Ok(Err(problem)) => Err(TrustError::File { path: path.clone(), problem }),
                Err(source) => Err(TrustError::Io { path: path.clone(), source }),
            };
            (path, signer)
        };
        Ok(paths.into_iter().map(read).collect())
    }

    /// A store of keys that are at hand, each with an issuer.
    pub fn from_keys(keys: impl IntoIterator<Item = (PublicKey, String)>) -> Self {
        let mut store = Self::default();
        for (key, issuer) in keys {
            store.add(TrustedSigner { key, issuers: vec![issuer] });
        }
        store
    }

    /// The same key in two files may speak for the issuers of both.
    fn add(&mut self, signer: TrustedSigner) {
        let held = self
            .signers
            .entry(signer.key.thumbprint())
            .or_insert_with(|| TrustedSigner { key: signer.key, issuers: Vec::new() });
        for issuer in signer.issuers {
            if !held.issuers.contains(&issuer) {
                held.issuers.push(issuer);
            }
        }
    }

    /// The signer with this key id.
    pub fn signer(&self, kid: &str) -> Option<&TrustedSigner> {
        self.signers.get(kid)
    }

    /// All of them with their key ids, in the order of these.
    pub fn signers(&self) -> impl Iterator<Item = (&str, &TrustedSigner)> {
        self.signers.iter().map(|(kid, signer)| (kid.as_str(), signer))
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.signers.is_empty()
    }
}

fn read_file(path: &Path) -> io::Result<Result<TrustedSigner, SignerProblem>> {
    match SecretFile::read(path, MAX_FILE_BYTES) {
        Ok(file) => {
            let mut signer = Err(SignerProblem::NotOneKey(0));
            // A problem is one that may be shown, by its type.
            file.interpret(|text| {
                signer = read_signer(text);
                Ok(())
            })
            .ok();
            Ok(signer)
        }
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(Err(SignerProblem::TooLarge)),
        Err(error) => Err(error),
    }
}

/// Reads the text of one file.
pub fn read_signer(text: &[u8]) -> Result<TrustedSigner, SignerProblem> {
    let sections = pem::sections(text).map_err(SignerProblem::Pem)?;
    if sections.iter().any(|section| section.label.is_private()) {
        return Err(SignerProblem::PrivateKey);
    }
    let [only] = sections.as_slice() else {
        return Err(match sections.len() {
            0 => SignerProblem::NoPem(pem::instead(text)),
            count => SignerProblem::NotOneKey(count),
        });
    };
    if only.label != Label::PublicKey {
        return Err(SignerProblem::NoPem(pem::instead(text)));
    }
    let key = PublicKey::from_spki(&only.der).ok_or(SignerProblem::NotEd25519)?;
    if key.is_weak() {
        return Err(SignerProblem::WeakKey);
    }
    let mut issuers = Vec::new();
    let text = String::from_utf8_lossy(text);
    let lines = text.split(['\n', '\r']).map(trim_pasted);
    for line in lines.take_while(|line| !line.starts_with("-----BEGIN")) {
        if let Some(issuer) = line.strip_prefix("iss:").map(trim_pasted) {
            if !is_issuer(issuer) {
                return Err(SignerProblem::Issuer);
            }
            issuers.push(issuer.to_owned());
        }
    }
    if issuers.is_empty() {
        return Err(SignerProblem::NoIssuer);
    }
    Ok(TrustedSigner { key, issuers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::SigningKey;
    use std::fs;

    fn key() -> PublicKey {
        SigningKey::generate().unwrap().public()
    }

    #[test]
    fn a_folder_of_several_is_read_and_bad_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let (old, new) = (key(), key());
        write("2026.pem", &old.to_pem("provider.example"));
        write("2027.pem", &new.to_pem("provider.example").replace("iss:", "iss: sister.example\r\niss:"));
        write("again.pem", &old.to_pem("third.example"));
        write("README", "not a key");
        write("old.pem.disabled", "not a key");
        write("zz.pem", "not a key");
        let loaded = TrustStore::load(folder.path()).unwrap();
        let issuers = |key: &PublicKey| loaded.store.signer(&key.thumbprint()).unwrap().issuers.clone();
        assert_eq!(loaded.store.signers().count(), 2);
        assert_eq!(issuers(&old), ["provider.example", "third.example"]);
        assert_eq!(issuers(&new), ["sister.example", "provider.example"]);
        let [problem] = loaded.problems.as_slice() else { panic!("{:?}", loaded.problems) };
        assert!(problem.to_string().contains("zz.pem is not used: expected one"), "{problem}");
    }

    #[test]
    fn a_file_that_others_may_change_trusts_nobody() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let (good, open) = (folder.path().join("good.pem"), folder.path().join("open.pem"));
        fs::write(&good, key().to_pem("provider.example")).unwrap();
        fs::write(&open, key().to_pem("provider.example")).unwrap();
        mode(&good, 0o644);
        mode(&open, 0o666);
        let loaded = TrustStore::load(folder.path()).unwrap();
        assert_eq!(loaded.store.signers().count(), 1);
        let problem = loaded.problems[0].to_string();
        assert!(problem.contains("open.pem is not used") && problem.contains("chmod o-w"), "{problem}");
        assert_eq!(TrustStore::load_own(folder.path()).unwrap().store.signers().count(), 2, "a ledger's");
        mode(folder.path(), 0o777);
        assert!(TrustStore::load(folder.path()).unwrap().store.is_empty(), "a file can be put there");
    }

    #[test]
    fn each_fault_of_a_file_has_its_word() {
        use SignerProblem as P;
        let good = key().to_pem("provider.example");
        let private = "iss: a\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let ec = "iss: a\n-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n";
        let rows = [
            (good.replace("iss: provider.example\n", ""), P::NoIssuer),
            (good.replace("provider.example", ""), P::Issuer),
            (good.replace("provider.example", "two words"), P::Issuer),
            // Below the key it is no explanatory text of this key.
            (good.replace("iss: provider.example\n", "") + "iss: a\n", P::NoIssuer),
            (good.clone() + &good, P::NotOneKey(2)),
            (
                good.replace("-----END PUBLIC KEY-----\n", ""),
                P::Pem(Plain::with(
                    "the section that begins in line {} has no end; the file was cut, replace it with the whole file",
                    3,
                )),
            ),
            (good.clone() + private, P::PrivateKey),
            (ec.to_owned(), P::NotEd25519),
            (String::new(), P::NoPem(Plain::new("the file is empty"))),
            (PublicKey::from_bytes(&[0; 32]).unwrap().to_pem("provider.example"), P::WeakKey),
            (PublicKey::from_bytes(&[0xff; 32]).unwrap().to_pem("provider.example"), P::WeakKey),
            (
                good.replace("PUBLIC KEY", "CERTIFICATE"),
                P::NoPem(Plain::new("it holds a certificate; check that it is the right file")),
            ),
        ];
        for (text, problem) in rows {
            assert_eq!(read_signer(text.as_bytes()), Err(problem), "{text}");
        }
        for same in [
            good.replace('\n', "\r\n"),
            good.replace('\n', "\r"),
            format!("\u{feff}{}", good.split_once('\n').unwrap().1),
            good.replace('\n', "\u{200b}\n\u{a0} "),
        ] {
            assert_eq!(read_signer(same.as_bytes()).unwrap().issuers, ["provider.example"], "{same}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert!(TrustStore::load(Path::new("/nowhere/trust.d")).is_err());
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("folder.pem")).unwrap();
        let large = vec![b'x'; 70_000];
        fs::write(folder.path().join("large.pem"), large).unwrap();
        let loaded = TrustStore::load(folder.path()).unwrap();
        assert!(loaded.store.is_empty());
        assert_eq!(loaded.problems.len(), 2);
        assert!(loaded.problems[1].to_string().contains("larger than 64 KiB"));
    }
}
