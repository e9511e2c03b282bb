//! Changes keys: signs when a change is made, and keeps the document in the ledger.

use super::{
    Cancel, Change, Difference, Done, Entry, IssuerError, KeyRef, Ledger, OrderError, Parameters, Profile,
    Published, Renewal, VendorError, differences, entry::label, files, order, parallel::par_map, validation,
};
use jiff::Timestamp;
use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};
use svm_core::documents::{Document, Draft, SigningKey, Sub, random_text, sign};
use svm_core::subscription::Statement;

/// A ledger with the key that signs for it.
#[derive(Debug)]
pub struct Provider {
    pub(super) ledger: Ledger,
    key: SigningKey,
    /// Everything is done but the writing.
    pub(super) rehearses: bool,
}

/// A change that was made.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The key as it is now.
    pub entry: Entry,
    /// What its document says otherwise than the one before.
    pub differences: Vec<Difference>,
}

/// The keys of a ledger that have to be signed anew.
#[derive(Debug)]
pub struct ToResign {
    pub keys: Vec<KeyRef>,
    /// How many others are as they should be.
    pub unchanged: u64,
    /// One for each key that could not be read.
    pub problems: Vec<VendorError>,
}

impl Provider {
    /// Makes a ledger, or adds a signer to one that is there (its profile stays).
    ///
    /// # Errors
    /// A ledger of another issuer, and what cannot be written.
    pub fn create(folder: &Path, profile: &Profile, key: SigningKey) -> Result<Self, VendorError> {
        profile.check()?;
        profile.vendor.check().map_err(OrderError::Contact)?;
        match Profile::read(folder) {
            Ok(held) if held.iss == profile.iss => {}
            Ok(held) => {
                return Err(IssuerError::Other { held: held.iss, given: profile.iss.clone() }.into());
            }
            Err(VendorError::NotALedger { .. }) => {
                files::make_folder(folder, 0o700)?;
                let path = folder.join(Profile::FILE);
                files::write_atomic(&path, profile.to_text()?.as_bytes(), 0o644)?;
            }
            Err(error) => return Err(error),
        }
        let trust = folder.join("trust.d");
        files::make_folder(&trust, 0o755)?;
        files::make_folder(&folder.join("keys"), 0o700)?;
        let public = key.public();
        let path = trust.join(format!("{}.pem", public.thumbprint()));
        files::write_atomic(&path, public.to_pem(&profile.iss).as_bytes(), 0o644)?;
        Self::open(folder, key)
    }

    /// Opens a ledger with one of its signing keys.
    ///
    /// # Errors
    /// As [`Ledger::open`], and [`VendorError::UnknownSigner`].
    pub fn open(folder: &Path, key: SigningKey) -> Result<Self, VendorError> {
        let ledger = Ledger::open(folder)?;
        let kid = key.public().thumbprint();
        let speaks = |issuers: &[String]| issuers.contains(&ledger.profile().iss);
        if !ledger.trust().signer(&kid).is_some_and(|signer| speaks(&signer.issuers)) {
            return Err(VendorError::UnknownSigner { kid });
        }
        Ok(Self { ledger, key, rehearses: false })
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The same, but nothing is written: what is done is checked and answered, and forgotten.
    #[must_use]
    pub fn rehearsing(self, rehearses: bool) -> Self {
        Self { rehearses, ..self }
    }

    /// The key id of the key that signs.
    pub fn kid(&self) -> String {
        self.key.public().thumbprint()
    }

    /// Makes the next revision of a key.
    ///
    /// # Errors
    /// [`VendorError::NotPossible`] in the key's state, [`VendorError::Order`] for what makes no sense,
    /// [`VendorError::ClockBehind`] where `now` is before the revision held. The key stays as it is then.
    pub fn change(&self, key: &KeyRef, change: &Change, now: Timestamp) -> Result<Entry, VendorError> {
        let changed = self.change_each(std::slice::from_ref(key), change, None, now)?.pop();
        Ok(changed.unwrap_or(Err(VendorError::UnknownKey { typing: None }))?.entry)
    }

    /// Makes the next revision of many keys, each for itself: what is refused of one is its answer, in the order in
    /// which they were named. A key that is named twice is changed once. `why` stands in the history of each.
    ///
    /// # Errors
    /// Where the ledger cannot be read or written as a whole.
    pub fn change_each(
        &self,
        keys: &[KeyRef],
        change: &Change,
        why: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<Result<Changed, VendorError>>, VendorError> {
        let now = whole_second(now);
        why.map_or(Ok(()), validation::check_why)?;
        let _lock = self.ledger.lock()?;
        let mut seen = HashSet::new();
        let found: Vec<_> = self
            .ledger
            .find_paths(keys)?
            .into_iter()
            .zip(1..)
            .filter(|(path, _)| path.as_ref().map_or(true, |path| seen.insert(path.clone())))
            .collect();
        let folder = self.keys()?;
        let changed = par_map(&found, |(path, _)| {
            let Ok(path) = path else { return None };
            let next = self.next(path, change, why, now);
            // What is not written is not changed.
            Some(next.and_then(|changed| {
                let path = if self.rehearses { None } else { Some(changed.entry.write_beside(&folder)?) };
                Ok((changed, path))
            }))
        });
        let mut batch = files::Batch::new(&folder);
        let mut answers = Vec::with_capacity(found.len());
        for ((path, at), changed) in found.into_iter().zip(changed) {
            answers.push(match (path, changed) {
                (_, Some(Ok((changed, path)))) => {
                    path.into_iter().for_each(|path| batch.add(path));
                    Ok(changed)
                }
                (path, Some(Err(problem))) => Err(name(problem, path.as_deref().ok(), at, keys.len())),
                (Err(problem), None) => Err(name(problem, None, at, keys.len())),
                (Ok(_), None) => Err(VendorError::UnknownKey { typing: None }),
            });
        }
        if !self.rehearses {
            batch.put()?;
        }
        Ok(answers)
    }

    /// The next revision of the key in a file, not written yet.
    fn next(
        &self,
        path: &Path,
        change: &Change,
        why: Option<&str>,
        now: Timestamp,
    ) -> Result<Changed, VendorError> {
        let mut entry = self.ledger.read(path)?;
        let held = &entry.document;
        if now < held.iat {
            return Err(VendorError::ClockBehind { now, last: held.iat });
        }
        let mut next = change.apply(&held.statement, now)?;
        next.rev = held.statement.rev.saturating_add(1);
        next.fresh_until = order::fresh_until(&next.terms, entry.fresh_for_days, now);
        next.vendor = self.ledger.profile().vendor.to_vendor();
        let differences = differences(&held.statement, &next);
        entry.document = self.sign(&next, &held.sub, now)?;
        let (what, why) = (change.as_str().to_owned(), why.map(str::to_owned));
        entry.history.push(Done { rev: next.rev, at: now, what, why });
        Ok(Changed { entry, differences })
    }

    /// The keys whose document is not by the present signing key, or does not have the present `provider.toml`.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn to_resign(&self) -> Result<ToResign, VendorError> {
        let listing = self.ledger.list()?;
        let (kid, vendor) = (self.kid(), self.ledger.profile().vendor.to_vendor());
        let is_so = |entry: &&Entry| entry.document.kid == kid && entry.document.statement.vendor == vendor;
        let so = listing.entries.iter().filter(is_so).count();
        let others = listing.entries.iter().filter(|entry| !is_so(entry));
        let keys = others.map(|entry| KeyRef::File(entry.document.sub.clone())).collect();
        let unchanged = u64::try_from(so).unwrap_or(u64::MAX);
        Ok(ToResign { keys, unchanged, problems: listing.problems })
    }

    /// [`Change::Renew`].
    ///
    /// # Errors
    /// As [`Provider::change`].
    pub fn renew(&self, key: &KeyRef, renewal: Renewal, now: Timestamp) -> Result<Entry, VendorError> {
        self.change(key, &Change::Renew(renewal), now)
    }

    /// [`Change::Pause`].
    ///
    /// # Errors
    /// As [`Provider::change`].
    pub fn pause(&self, key: &KeyRef, now: Timestamp) -> Result<Entry, VendorError> {
        self.change(key, &Change::Pause, now)
    }

    /// [`Change::Resume`].
    ///
    /// # Errors
    /// As [`Provider::change`].
    pub fn resume(&self, key: &KeyRef, now: Timestamp) -> Result<Entry, VendorError> {
        self.change(key, &Change::Resume, now)
    }

    /// [`Change::Cancel`].
    ///
    /// # Errors
    /// As [`Provider::change`].
    pub fn cancel(&self, key: &KeyRef, how: Cancel, now: Timestamp) -> Result<Entry, VendorError> {
        self.change(key, &Change::Cancel(how), now)
    }

    /// [`Change::Block`].
    ///
    /// # Errors
    /// As [`Provider::change`].
    pub fn block(&self, key: &KeyRef, now: Timestamp) -> Result<Entry, VendorError> {
        self.change(key, &Change::Block, now)
    }

    /// [`Change::Parameters`].
    ///
    /// # Errors
    /// As [`Provider::change`].
    pub fn set(&self, key: &KeyRef, to: Parameters, now: Timestamp) -> Result<Entry, VendorError> {
        self.change(key, &Change::Parameters(to), now)
    }

    /// [`Ledger::publish`].
    ///
    /// # Errors
    /// As there.
    pub fn publish(&self, folder: &Path) -> Result<Published, VendorError> {
        self.ledger.publish(folder, self.rehearses)
    }

    /// The folder of keys, which a clone of a new ledger does not have.
    pub(super) fn keys(&self) -> Result<PathBuf, VendorError> {
        let folder = self.ledger.keys();
        if !self.rehearses {
            files::make_folder(&folder, 0o700)?;
        }
        Ok(folder)
    }

    pub(super) fn sign(
        &self,
        statement: &Statement,
        sub: &Sub,
        now: Timestamp,
    ) -> Result<Document, VendorError> {
        validation::check_statement(statement, now)?;
        self.ledger.profile().vendor.check().map_err(|problem| VendorError::Profile {
            path: self.ledger.folder().join(Profile::FILE),
            problem: problem.into(),
        })?;
        let jti = random_text(24)?;
        let iss = &self.ledger.profile().iss;
        Ok(sign(&Draft { iss, sub, jti: &jti, iat: now, statement }, &self.key)?)
    }
}

/// Says which of many keys a problem is of.
fn name(problem: VendorError, path: Option<&Path>, at: usize, of: usize) -> VendorError {
    let which = match path.and_then(label) {
        _ if of == 1 => return problem,
        Some(id) => id.to_string(),
        // What was not found may be a code, and is not quoted.
        None => format!("key {at} of those named"),
    };
    VendorError::OfKey { which, problem: problem.into() }
}

/// Reads the signing key, or makes one and writes it. It must not lie in the ledger. Tells whether it was made.
///
/// # Errors
/// [`VendorError::KeyInLedger`], and what cannot be read or written.
pub(super) fn read_or_make_key(path: &Path, ledger: &Path) -> Result<(SigningKey, bool), VendorError> {
    let folder = files::folder_of(path);
    files::make_folder(folder, 0o700)?;
    let real = |path: &Path| fs::canonicalize(path).map_err(VendorError::io("read", path));
    if svm_core::files::is_there(ledger) && real(folder)?.starts_with(real(ledger)?) {
        return Err(VendorError::KeyInLedger { path: path.to_owned() });
    }
    match fs::symlink_metadata(path) {
        Ok(_) => Ok((SigningKey::read(path)?, false)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = SigningKey::generate()?;
            key.write_new(path)?;
            files::sync_folder(folder)?;
            Ok((key, true))
        }
        Err(error) => Err(VendorError::io("read", path)(error)),
    }
}

/// Documents carry whole seconds, so everything that is signed counts in them.
pub(super) fn whole_second(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
