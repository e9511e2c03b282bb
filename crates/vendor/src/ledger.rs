//! The ledger folder: which keys there are. Reading it needs no signing key.

use super::{
    Entry, KeyRef, Profile, VendorError,
    entry::{self, label, path_of},
    parallel::par_map,
};
use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use svm_core::documents::TrustStore;
use svm_core::files::{is_there, list_folder};
use svm_core::subscription::KeyId;

/// A ledger that was opened: its issuer and its signers. Keys are read when they are asked for.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    profile: Profile,
    trust: TrustStore,
}

/// The keys that could be read, by their ids, and what was wrong with the others.
#[derive(Debug, Default)]
pub struct Listing {
    /// Ordered by key id.
    pub entries: Vec<Entry>,
    /// One for each bad file, and for each id that two keys have.
    pub problems: Vec<VendorError>,
}

impl Ledger {
    /// Opens a ledger for reading and publishing.
    ///
    /// # Errors
    /// [`VendorError::NotALedger`], or what is wrong with `provider.toml` or a file of `trust.d`.
    pub fn open(folder: &Path) -> Result<Self, VendorError> {
        let profile = Profile::read(folder)?;
        let loaded = TrustStore::load_own(&folder.join("trust.d"))?;
        if let Some(problem) = loaded.problems.into_iter().next() {
            return Err(problem.into());
        }
        Ok(Self { folder: folder.to_owned(), profile, trust: loaded.store })
    }

    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Those who signed for it.
    pub fn trust(&self) -> &TrustStore {
        &self.trust
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }

    /// Whether other users of the machine can read the folder of keys. A clone by git leaves it so: git keeps no
    /// such modes.
    pub fn is_open_to_others(&self) -> bool {
        fs::metadata(self.keys()).is_ok_and(|folder| folder.permissions().mode() & 0o077 != 0)
    }

    /// Closes the folder of keys to others.
    ///
    /// # Errors
    /// Where it belongs to somebody else.
    pub fn close_to_others(&self) -> Result<(), VendorError> {
        let keys = self.keys();
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o700)).map_err(VendorError::io("close", &keys))
    }

    /// Keeps other processes from changing or publishing meanwhile; over when the value is dropped.
    pub(super) fn lock(&self) -> Result<fs::File, VendorError> {
        let path = self.folder.join(Profile::FILE);
        let file = fs::File::open(&path).map_err(VendorError::io("lock", &path))?;
        file.lock().map_err(VendorError::io("lock", &path))?;
        Ok(file)
    }

    /// The paths of all keys. Git keeps no empty folder, so there may be none.
    pub(super) fn paths(&self) -> Result<Vec<PathBuf>, VendorError> {
        let folder = self.keys();
        let failed = VendorError::io("read", &folder);
        let mut paths = match list_folder(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        Ok(paths)
    }

    /// The key of a file, verified.
    pub(super) fn read(&self, path: &Path) -> Result<Entry, VendorError> {
        entry::read(path, &self.trust, &self.profile.iss)
    }

    /// All keys, each verified.
    ///
    /// # Errors
    /// Where the folder cannot be read; bad files are in [`Listing::problems`].
    pub fn list(&self) -> Result<Listing, VendorError> {
        let mut listing = Listing::default();
        for read in par_map(&self.paths()?, |path| self.read(path)) {
            match read {
                Ok(entry) => listing.entries.push(entry),
                Err(problem) => listing.problems.push(problem),
            }
        }
        let id = |entry: &Entry| entry.document.statement.key.clone();
        listing.entries.sort_by_cached_key(|entry| (id(entry), entry.document.sub.clone()));
        let twice = listing.entries.iter().zip(listing.entries.iter().skip(1));
        for (one, other) in twice.filter(|(one, other)| id(one) == id(other)) {
            let paths = [one, other].map(|entry| path_of(&self.keys(), &entry.document.sub));
            listing.problems.push(VendorError::KeyIdTwice { id: id(one), paths });
        }
        Ok(listing)
    }

    /// One key, verified.
    ///
    /// # Errors
    /// [`VendorError::UnknownKey`], and a file that is not as it was written.
    pub fn find(&self, key: &KeyRef) -> Result<Entry, VendorError> {
        match self.find_paths(std::slice::from_ref(key))?.pop() {
            Some(found) => self.read(&found?),
            None => Err(VendorError::UnknownKey { typing: None }),
        }
    }

    /// The files of many keys, in one look through the ledger.
    pub(super) fn find_paths(
        &self,
        keys: &[KeyRef],
    ) -> Result<Vec<Result<PathBuf, VendorError>>, VendorError> {
        // An id is in no file's name, so every file is read; but only if an id is given.
        let by_id = keys.iter().any(|key| matches!(key, KeyRef::Id(_)));
        let mut labelled: HashMap<KeyId, Vec<PathBuf>> = HashMap::new();
        if by_id {
            let paths = self.paths()?;
            let labels = par_map(&paths, |path| label(path));
            for (key, path) in labels.into_iter().zip(paths).filter_map(|(key, path)| Some((key?, path))) {
                labelled.entry(key).or_default().push(path);
            }
        }
        let unknown = |key: &KeyRef| VendorError::UnknownKey { typing: key.typing() };
        let known = |path: PathBuf, key: &KeyRef| if is_there(&path) { Ok(path) } else { Err(unknown(key)) };
        let find = |key: &KeyRef| match key {
            KeyRef::Code(code) => known(path_of(&self.keys(), &code.sub()), key),
            KeyRef::File(sub) => known(path_of(&self.keys(), sub), key),
            KeyRef::Id(id) => match labelled.get(id).map(Vec::as_slice) {
                None | Some([]) => Err(unknown(key)),
                // What is wrong with it is said when it is read.
                Some([path]) => Ok(path.clone()),
                Some([one, other, ..]) => {
                    Err(VendorError::KeyIdTwice { id: id.clone(), paths: [one.clone(), other.clone()] })
                }
            },
        };
        Ok(keys.iter().map(find).collect())
    }

    /// Whether a key has this id, its file damaged or not.
    pub(super) fn has_id(&self, id: &KeyId) -> Result<bool, VendorError> {
        Ok(par_map(&self.paths()?, |path| label(path)).iter().flatten().any(|key| key == id))
    }
}
