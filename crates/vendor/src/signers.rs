//! Who signs for a ledger, how many of its documents each signed, and how one is retired.

use super::{InUse, Ledger, VendorError, files};
use std::{collections::BTreeMap, fs, path::PathBuf};
use svm_core::documents::TrustStore;

/// A signer of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    pub kid: String,
    /// For whom it may speak.
    pub issuers: Vec<String>,
    /// Its files in `trust.d`.
    pub files: Vec<PathBuf>,
    /// How many documents of the ledger it signed.
    pub documents: u64,
}

impl Ledger {
    /// All signers by their key ids, and what could not be read of the keys.
    ///
    /// # Errors
    /// Where `trust.d` or the folder of keys cannot be read.
    pub fn signers(&self) -> Result<(Vec<Signer>, Vec<VendorError>), VendorError> {
        let mut files: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for (path, signer) in TrustStore::files(&self.folder().join("trust.d"))? {
            files.entry(signer?.key.thumbprint()).or_default().push(path);
        }
        let listing = self.list()?;
        let mut documents: BTreeMap<&str, u64> = BTreeMap::new();
        for entry in &listing.entries {
            *documents.entry(&entry.document.kid).or_default() += 1;
        }
        let signers = self.trust().signers().map(|(kid, signer)| Signer {
            kid: kid.to_owned(),
            issuers: signer.issuers.clone(),
            files: files.remove(kid).unwrap_or_default(),
            documents: documents.get(kid).copied().unwrap_or(0),
        });
        let signers = signers.collect();
        Ok((signers, listing.problems))
    }

    /// Takes a signer out of `trust.d`; answers which files that were. With `rehearses` they stay.
    ///
    /// # Errors
    /// [`VendorError::SignerInUse`] where a document of the ledger is still signed by it, where one cannot be read,
    /// and where it is the last signer.
    pub fn retire(&self, kid: &str, rehearses: bool) -> Result<Vec<PathBuf>, VendorError> {
        let _lock = self.lock()?;
        let (signers, mut problems) = self.signers()?;
        let Some(signer) = signers.iter().find(|signer| signer.kid == kid) else {
            return Err(VendorError::NoSuchSigner { kid: kid.escape_debug().take(80).collect() });
        };
        if signer.documents > 0 {
            return Err(InUse::Signs { kid: kid.to_owned(), documents: signer.documents }.into());
        }
        if signers.len() == 1 {
            return Err(InUse::Last { kid: kid.to_owned() }.into());
        }
        if let Some(problem) = problems.pop() {
            return Err(VendorError::UnknownUse { problem: problem.into() });
        }
        if !rehearses {
            for path in &signer.files {
                fs::remove_file(path).map_err(VendorError::io("remove", path))?;
            }
            files::sync_folder(&self.folder().join("trust.d"))?;
        }
        Ok(signer.files.clone())
    }
}
