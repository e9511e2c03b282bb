//! Changes keys: signs when a change is made, and keeps the document in the ledger.

use super::{
    Cancel, Change, Done, Entry, IssueOrder, KeyRef, Ledger, Parameters, Profile, Published, Renewal,
    VendorError, entry::path_of, files, order,
};
use crate::{
    documents::{ActivationCode, Document, Draft, SigningKey, random_text, sign},
    subscription::{KeyId, Statement, Terms},
};
use jiff::Timestamp;
use std::{fs, io, path::Path};

/// A ledger with the key that signs for it.
#[derive(Debug)]
pub struct Provider {
    ledger: Ledger,
    key: SigningKey,
}

impl Provider {
    /// Makes a ledger, or adds a signer to one that is there (its profile stays).
    ///
    /// # Errors
    /// A ledger of another issuer, and what cannot be written.
    pub fn create(folder: &Path, profile: &Profile, key: SigningKey) -> Result<Self, VendorError> {
        profile.check()?;
        match Profile::read(folder) {
            Ok(held) if held.iss == profile.iss => {}
            Ok(held) => {
                return Err(VendorError::Issuer(format!(
                    "this ledger belongs to {}: give another issuer its own with --ledger",
                    held.iss
                )));
            }
            Err(VendorError::NotALedger { .. }) => {
                files::make_folder(folder, 0o700)?;
                let path = folder.join(Profile::FILE);
                files::write_atomic(&path, profile.to_text()?.as_bytes(), 0o644, None)?;
            }
            Err(error) => return Err(error),
        }
        let trust = folder.join("trust.d");
        files::make_folder(&trust, 0o755)?;
        files::make_folder(&folder.join("keys"), 0o700)?;
        let public = key.public();
        let path = trust.join(format!("{}.pem", public.thumbprint()));
        files::write_atomic(&path, public.to_pem(&profile.iss).as_bytes(), 0o644, None)?;
        files::sync_folder(&trust)?;
        files::sync_folder(folder)?;
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
        Ok(Self { ledger, key })
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Issues a key. The code is in the answer and nowhere else: the ledger keeps its hash.
    ///
    /// # Errors
    /// An order that makes no sense, and an id or a code that is used already. Nothing is kept then.
    pub fn issue(&self, order: IssueOrder, now: Timestamp) -> Result<(ActivationCode, Entry), VendorError> {
        let now = whole_second(now);
        let _lock = self.ledger.lock()?;
        if let Some(days) = order.fresh_for_days {
            order::check_days("the freshness", days, 1)?;
        }
        // Looking for an id reads every file. One that is made has 62 bits of chance, and is not looked for: so
        // issuing a hundred thousand keys is no slower a key than issuing one.
        let chosen = order.key_id.is_some();
        let id = match order.key_id {
            Some(id) => id,
            None => new_id(&order.terms)?,
        };
        if ActivationCode::parse(id.as_str()).is_ok() {
            return Err(VendorError::Order(
                "the key id has the form of an activation code: choose another".to_owned(),
            ));
        }
        let code = match order.code {
            Some(code) => code,
            None => ActivationCode::generate()?,
        };
        let statement = Statement {
            rev: 1,
            key: id,
            fresh_until: order::fresh_until(&order.terms, order.fresh_for_days, now),
            terms: order.terms,
            devices: order.devices,
            min_product_version: order.min_product_version,
            vendor: self.ledger.profile().vendor.to_vendor(),
        };
        order::check_statement(&statement)?;
        order::check_new(&statement, now)?;
        if chosen && self.ledger.with_id(&statement.key)?.is_some() {
            return Err(VendorError::KeyIdTaken { id: statement.key });
        }
        if path_of(&self.ledger.keys(), &code.sub()).exists() {
            return Err(VendorError::CodeTaken);
        }
        let history = vec![Done { rev: 1, at: now, what: "issued".to_owned() }];
        let document = self.sign(&statement, &code.sub(), now)?;
        let entry = Entry { document, fresh_for_days: order.fresh_for_days, history };
        entry.write(&self.ledger.keys())?;
        Ok((code, entry))
    }

    /// Makes the next revision of a key.
    ///
    /// # Errors
    /// [`VendorError::NotPossible`] in the key's state, [`VendorError::Order`] for what makes no sense,
    /// [`VendorError::ClockBehind`] where `now` is before the revision held. The key stays as it is then.
    pub fn change(&self, key: &KeyRef, change: &Change, now: Timestamp) -> Result<Entry, VendorError> {
        let now = whole_second(now);
        let _lock = self.ledger.lock()?;
        let mut entry = self.ledger.find(key)?;
        let held = &entry.document;
        if now < held.iat {
            return Err(VendorError::ClockBehind { now, last: held.iat });
        }
        let mut next = change.apply(&held.statement, now)?;
        next.rev = held.statement.rev.saturating_add(1);
        next.fresh_until = order::fresh_until(&next.terms, entry.fresh_for_days, now);
        next.vendor = self.ledger.profile().vendor.to_vendor();
        order::check_statement(&next)?;
        entry.document = self.sign(&next, &held.sub, now)?;
        entry.history.push(Done { rev: next.rev, at: now, what: change.as_str().to_owned() });
        entry.write(&self.ledger.keys())?;
        Ok(entry)
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
        self.ledger.publish(folder)
    }

    fn sign(
        &self,
        statement: &Statement,
        sub: &crate::documents::Sub,
        now: Timestamp,
    ) -> Result<Document, VendorError> {
        let jti = random_text(24)?;
        let iss = &self.ledger.profile().iss;
        Ok(sign(&Draft { iss, sub, jti: &jti, iat: now, statement }, &self.key)?)
    }
}

/// Reads the signing key, or makes one and writes it. It must not lie in the ledger. Tells whether it was made.
///
/// # Errors
/// [`VendorError::KeyInLedger`], and what cannot be read or written.
pub(super) fn read_or_make_key(path: &Path, ledger: &Path) -> Result<(SigningKey, bool), VendorError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    files::make_folder(folder, 0o700)?;
    let real = |path: &Path| fs::canonicalize(path).map_err(VendorError::io("read", path));
    if ledger.exists() && real(folder)?.starts_with(real(ledger)?) {
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

/// A new id that no other key has: 12 characters of chance.
fn new_id(terms: &Terms) -> Result<KeyId, VendorError> {
    let kind = match terms {
        Terms::Subscription(_) => "SUB",
        Terms::Licence(_) => "COM",
    };
    KeyId::try_from(format!("{kind}-{}", random_text(12)?)).map_err(VendorError::Order)
}

/// Documents carry whole seconds, so everything that is signed counts in them.
pub(super) fn whole_second(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
