//! Who issues: `provider.toml` of the ledger, made by the first `keygen` and edited by hand after.

use super::VendorError;
use crate::{documents::is_issuer, subscription::Vendor};
use serde::{Deserialize, Serialize};
use std::{fs, io, path::Path};

/// The issuer, and what each of its documents says of the vendor from the next change on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The claim `iss` of its documents: [`is_issuer`]. It stays: revisions come from the issuer of the key.
    pub iss: String,
    /// Shown to people who have to turn to the vendor.
    #[serde(default, skip_serializing_if = "Contact::is_empty")]
    pub vendor: Contact,
}

/// As [`Vendor`], but a wrong name in the file is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contact {
    /// The company's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support_url: Option<String>,
    /// Its telephone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Where to renew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal_url: Option<String>,
}

impl Contact {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// For a statement; `None` where nothing is known.
    pub fn to_vendor(&self) -> Option<Vendor> {
        let Self { name, support_url, phone, renewal_url } = self.clone();
        (!self.is_empty()).then_some(Vendor { name, support_url, phone, renewal_url })
    }
}

impl Profile {
    /// The file's name in the ledger.
    pub(super) const FILE: &str = "provider.toml";

    pub(super) fn check(&self) -> Result<(), VendorError> {
        if is_issuer(&self.iss) {
            return Ok(());
        }
        Err(VendorError::Issuer(
            "the issuer's name must be 1 to 200 printable ASCII characters without spaces, best your domain, \
             such as --iss provider.example"
                .to_owned(),
        ))
    }

    /// Reads the ledger's.
    pub(super) fn read(ledger: &Path) -> Result<Self, VendorError> {
        let path = ledger.join(Self::FILE);
        let text = fs::read_to_string(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                VendorError::NotALedger { path: ledger.to_owned() }
            }
            _ => VendorError::Io { verb: "read", path: path.clone(), source },
        })?;
        Self::parse(&path, &text)
    }

    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, VendorError> {
        let profile: Self = toml::from_str(text).map_err(|error| VendorError::Profile {
            path: path.to_owned(),
            problem: error.to_string().trim_end().to_owned(),
        })?;
        profile.check()?;
        Ok(profile)
    }

    /// The text of the file.
    pub(crate) fn to_text(&self) -> Result<String, VendorError> {
        let problem = |error: toml::ser::Error| VendorError::Profile {
            path: Self::FILE.into(),
            problem: error.to_string(),
        };
        Ok(format!(
            "# Who issues. What stands under [vendor] (name, support_url, phone, renewal_url) is in each document\n\
             # from its next change on. `iss` stays as it is: a key takes revisions from its own issuer alone.\n{}",
            toml::to_string(self).map_err(problem)?
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_wrong_name_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let contact =
            Contact { name: Some("A \"b\"".into()), phone: Some("+1".into()), ..Contact::default() };
        let profile = Profile { iss: "provider.example".into(), vendor: contact };
        fs::write(folder.path().join(Profile::FILE), profile.to_text().unwrap()).unwrap();
        assert_eq!(Profile::read(folder.path()).unwrap(), profile);
        fs::write(folder.path().join(Profile::FILE), "iss = 'a'\n[vendor]\nnmae = 'b'\n").unwrap();
        let error = Profile::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("nmae") && error.contains("line 3"), "{error}");
        let error = Profile::read(&folder.path().join("none")).unwrap_err();
        assert!(matches!(error, VendorError::NotALedger { .. }), "{error}");
    }
}
