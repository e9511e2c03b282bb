//! Issuing: new keys, one or many alike, whose codes are known to nobody but who is given them.

use super::{
    Done, Entry, IssueOrder, OrderError, Provider, VendorError, entry::path_of, files, order,
    parallel::par_map, provider::whole_second, validation,
};
use jiff::Timestamp;
use svm_core::documents::{ActivationCode, random_text};
use svm_core::files::is_there;
use svm_core::subscription::{KeyId, Statement, Terms};

impl Provider {
    /// Issues a key. The code is in the answer and nowhere else: the ledger keeps its hash.
    ///
    /// # Errors
    /// An order that makes no sense, and an id or a code that is used already. Nothing is kept then.
    pub fn issue(&self, order: IssueOrder, now: Timestamp) -> Result<(ActivationCode, Entry), VendorError> {
        let issued = self.issue_many(&order, 1, now, |_| Ok(()))?.pop();
        issued.ok_or_else(|| OrderError::NoKey.into())
    }

    /// Issues many keys alike, each with an id and a code of its own. `keep` is given them once all are on the
    /// disk and before one of them is in force; where it fails, none is.
    ///
    /// # Errors
    /// As [`Provider::issue`], and those of `keep`.
    pub fn issue_many(
        &self,
        order: &IssueOrder,
        count: usize,
        now: Timestamp,
        keep: impl FnOnce(&[(ActivationCode, Entry)]) -> Result<(), VendorError>,
    ) -> Result<Vec<(ActivationCode, Entry)>, VendorError> {
        let now = whole_second(now);
        let _lock = self.ledger.lock()?;
        if let Some(days) = order.fresh_for_days {
            validation::check_days("--fresh-for", days, 1)?;
        }
        if count != 1 && (order.key_id.is_some() || order.code.is_some()) {
            return Err(OrderError::NotForMany.into());
        }
        // Looking for an id reads every file. One that is made has 62 bits of chance, and is not looked for: so
        // issuing a hundred thousand keys is no slower a key than issuing one.
        if let Some(id) = &order.key_id {
            if ActivationCode::parse(id.as_str()).is_ok() {
                return Err(OrderError::KeyIdIsCode.into());
            }
            if self.ledger.has_id(id)? {
                return Err(VendorError::KeyIdTaken { id: id.clone() });
            }
        }
        let folder = self.keys()?;
        let orders = vec![order; count];
        let issued = par_map(&orders, |order| -> Result<_, VendorError> {
            let (code, entry) = self.issued(order, now)?;
            if is_there(&path_of(&folder, &entry.document.sub)) {
                return Err(VendorError::CodeTaken);
            }
            let path = if self.rehearses { None } else { Some(entry.write_beside(&folder)?) };
            Ok((code, entry, path))
        });
        let mut batch = files::Batch::new(&folder);
        let mut refused = None;
        let mut all = Vec::with_capacity(issued.len());
        for one in issued {
            match one {
                Ok((code, entry, path)) => {
                    path.into_iter().for_each(|path| batch.add(path));
                    all.push((code, entry));
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        if let Some(error) = refused {
            return Err(error);
        }
        if !self.rehearses {
            batch.sync()?;
            keep(&all)?;
            batch.put()?;
        }
        Ok(all)
    }

    /// A new key of an order, not written yet.
    fn issued(&self, order: &IssueOrder, now: Timestamp) -> Result<(ActivationCode, Entry), VendorError> {
        let order = order.clone();
        let key = match order.key_id {
            Some(id) => id,
            None => new_id(&order.terms)?,
        };
        let code = match order.code {
            Some(code) => code,
            None => ActivationCode::generate()?,
        };
        let statement = Statement {
            issuer: None,
            rev: 1,
            key,
            fresh_until: order::fresh_until(&order.terms, order.fresh_for_days, now),
            terms: order.terms,
            devices: order.devices,
            min_product_version: order.min_product_version,
            vendor: self.ledger.profile().vendor.to_vendor(),
        };
        validation::check_new(&statement, now)?;
        let document = self.sign(&statement, &code.sub(), now)?;
        let history = vec![Done { rev: 1, at: now, what: "issued".to_owned(), why: None }];
        Ok((code, Entry { document, fresh_for_days: order.fresh_for_days, history }))
    }
}

/// A new id that no other key has: 12 characters of chance.
fn new_id(terms: &Terms) -> Result<KeyId, VendorError> {
    let kind = match terms {
        Terms::Subscription(_) => "SUB",
        Terms::Licence(_) => "COM",
    };
    KeyId::try_from(format!("{kind}-{}", random_text(12)?)).map_err(|_| OrderError::KeyId.into())
}
