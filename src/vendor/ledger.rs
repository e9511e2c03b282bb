//! The ledger folder: which keys there are. Reading it needs no signing key.

use super::{
    Entry, Profile, VendorError,
    entry::{Unverified, path_of},
};
use crate::{
    documents::{ActivationCode, TrustStore},
    subscription::KeyId,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A ledger that was opened: its issuer and its signers. Keys are read when they are asked for.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    profile: Profile,
    trust: TrustStore,
}

/// How a command names a key.
#[derive(Clone, Debug)]
pub enum KeyRef {
    /// By its code.
    Code(ActivationCode),
    /// By its id.
    Id(KeyId),
}

/// The keys that could be read, by their ids, and what was wrong with the others.
#[derive(Debug, Default)]
pub struct Listing {
    /// Ordered by key id.
    pub entries: Vec<Entry>,
    /// One for each bad file.
    pub problems: Vec<VendorError>,
}

impl KeyRef {
    /// Reads what a person typed: a code, or else the id of a key.
    ///
    /// # Errors
    /// [`VendorError::UnknownKey`] where it can be neither.
    pub fn parse(typed: &str) -> Result<Self, VendorError> {
        match ActivationCode::parse(typed) {
            Ok(code) => Ok(Self::Code(code)),
            Err(typing) => KeyId::try_from(typed.trim().to_owned())
                .map(Self::Id)
                .map_err(|_| VendorError::UnknownKey { typing: Some(typing) }),
        }
    }
}

impl Ledger {
    /// Opens a ledger for reading and publishing.
    ///
    /// # Errors
    /// [`VendorError::NotALedger`], or what is wrong with `provider.toml` or a file of `trust.d`.
    pub fn open(folder: &Path) -> Result<Self, VendorError> {
        let profile = Profile::read(folder)?;
        let loaded = TrustStore::load(&folder.join("trust.d"))?;
        if let Some(problem) = loaded.problems.into_iter().next() {
            return Err(problem.into());
        }
        Ok(Self { folder: folder.to_owned(), profile, trust: loaded.store })
    }

    /// Who issues.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Those who signed for it.
    pub fn trust(&self) -> &TrustStore {
        &self.trust
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }

    /// Keeps other processes from changing or publishing meanwhile; over when the value is dropped.
    pub(super) fn lock(&self) -> Result<fs::File, VendorError> {
        let path = self.folder.join(Profile::FILE);
        let file = fs::File::open(&path).map_err(VendorError::io("lock", &path))?;
        file.lock().map_err(VendorError::io("lock", &path))?;
        Ok(file)
    }

    /// The paths of all keys.
    fn paths(&self) -> Result<Vec<PathBuf>, VendorError> {
        let folder = self.keys();
        let failed = VendorError::io("read", &folder);
        let mut paths = Vec::new();
        for item in fs::read_dir(&folder).map_err(&failed)? {
            let path = item.map_err(&failed)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// All keys, each verified.
    ///
    /// # Errors
    /// Where the folder cannot be read; bad files are in [`Listing::problems`].
    pub fn list(&self) -> Result<Listing, VendorError> {
        let mut listing = Listing::default();
        for path in self.paths()? {
            match Unverified::read(&path).and_then(|file| file.verified(&self.trust, &self.profile.iss)) {
                Ok(entry) => listing.entries.push(entry),
                Err(problem) => listing.problems.push(problem),
            }
        }
        listing.entries.sort_by(|a, b| a.document.statement.key.cmp(&b.document.statement.key));
        Ok(listing)
    }

    /// One key, verified.
    ///
    /// # Errors
    /// [`VendorError::UnknownKey`], and a file that is not as it was written.
    pub fn find(&self, key: &KeyRef) -> Result<Entry, VendorError> {
        let found = match key {
            KeyRef::Code(code) => {
                let path = path_of(&self.keys(), &code.sub());
                if path.exists() { Some(Unverified::read(&path)?) } else { None }
            }
            KeyRef::Id(id) => self.with_id(id)?,
        };
        let unknown = || VendorError::UnknownKey {
            // What looks like a code may be one with a typing error.
            typing: match key {
                KeyRef::Id(id) if id.as_str().len() >= 15 => ActivationCode::parse(id.as_str()).err(),
                _ => None,
            },
        };
        found.ok_or_else(unknown)?.verified(&self.trust, &self.profile.iss)
    }

    /// The key with an id. Every file is read, so that none hides behind another's damage.
    pub(super) fn with_id(&self, id: &KeyId) -> Result<Option<Unverified>, VendorError> {
        let mut found = None;
        for path in self.paths()? {
            let file = Unverified::read(&path)?;
            if file.key() == id {
                found = Some(file);
            }
        }
        Ok(found)
    }
}
