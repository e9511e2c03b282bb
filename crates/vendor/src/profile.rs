//! Who issues: `provider.toml` of the ledger, made by the first `keygen` and edited by hand after.

use super::VendorError;
use super::error::{ContactError, ContactProblem, IssuerError, MAX_TEXT, ProfileError};
use serde::Serialize;
use std::{io, path::Path};
use svm_core::documents::is_issuer;
use svm_core::files::read_text_bounded;
use svm_core::subscription::Vendor;
use svm_core::text::{clean_start, is_deceptive};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// Characters of an unknown key that are shown at most.
const MAX_KEY: usize = 40;

/// The file has a few lines.
const MAX_BYTES: u64 = 64 * 1024;

/// The issuer, and what each of its documents says of the vendor from the next change on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// The claim `iss` of its documents: [`is_issuer`]. It stays: revisions come from the issuer of the key.
    pub iss: String,
    /// Shown to people who have to turn to the vendor.
    #[serde(skip_serializing_if = "Contact::is_empty")]
    pub vendor: Contact,
}

/// As [`Vendor`], as `provider.toml` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contact {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal_url: Option<String>,
}

impl Contact {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it can stand in documents.
    ///
    /// # Errors
    /// The field, what is wrong with it, and the way out.
    pub fn check(&self) -> Result<(), ContactError> {
        let Self { name, support_url, phone, renewal_url } = self;
        let rows = [
            ("name", name, false),
            ("support_url", support_url, true),
            ("phone", phone, false),
            ("renewal_url", renewal_url, true),
        ];
        for (field, text, is_url) in rows {
            let Some(text) = text else { continue };
            let length = text.chars().count();
            if text.chars().any(is_deceptive) {
                return Err(ContactError { field, problem: ContactProblem::Hidden });
            }
            if !(1..=MAX_TEXT).contains(&length) {
                return Err(ContactError { field, problem: ContactProblem::Length(length) });
            }
            if is_url && !is_web_address(text) {
                return Err(ContactError { field, problem: ContactProblem::Address });
            }
        }
        Ok(())
    }

    /// For a statement; `None` where nothing is known.
    pub fn to_vendor(&self) -> Option<Vendor> {
        let Self { name, support_url, phone, renewal_url } = self.clone();
        (!self.is_empty()).then_some(Vendor { name, support_url, phone, renewal_url })
    }
}

fn is_web_address(text: &str) -> bool {
    let url = reqwest::Url::parse(text);
    // A parser passes over spaces and mends what it can; what stands in a document is as it was typed.
    !text.contains(char::is_whitespace)
        && url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        && text.contains("://")
}

impl Profile {
    /// The file's name in the ledger.
    pub(super) const FILE: &str = "provider.toml";

    pub(super) fn check(&self) -> Result<(), VendorError> {
        if is_issuer(&self.iss) { Ok(()) } else { Err(IssuerError::Name.into()) }
    }

    pub(super) fn read(ledger: &Path) -> Result<Self, VendorError> {
        let path = ledger.join(Self::FILE);
        let text = read_text_bounded(&path, MAX_BYTES).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                VendorError::NotALedger { path: ledger.to_owned() }
            }
            _ => VendorError::Io { verb: "read", path: path.clone(), source },
        })?;
        Self::parse(&path, &text)
    }

    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, VendorError> {
        let wrong = |problem| VendorError::Profile { path: path.to_owned(), problem };
        let profile = Self::of(text).map_err(wrong)?;
        profile.check()?;
        profile.check_texts(path, text)?;
        Ok(profile)
    }

    /// Reads the keys that there are; no message quotes more of a file than a key, which may belong elsewhere.
    fn of(text: &str) -> Result<Self, ProfileError> {
        let line = |at: usize| text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        let table = DeTable::parse(text).map_err(|error| ProfileError::Syntax {
            line: line(error.span().map_or(0, |span| span.start)),
        })?;
        let unknown = |key: &Spanned<DeString<'_>>, known| ProfileError::UnknownKey {
            line: line(key.span().start),
            key: clean_start(key.get_ref(), MAX_KEY),
            known,
        };
        let typed = |key, value: &Spanned<DeValue<'_>>, expected| ProfileError::Type {
            line: line(value.span().start),
            key,
            expected,
        };
        let read = |key, value: &Spanned<DeValue<'_>>| match value.get_ref().as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(typed(key, value, "a text in quotes")),
        };
        let (mut iss, mut vendor) = (None, Contact::default());
        for (key, value) in table.get_ref() {
            match key.get_ref().as_ref() {
                "iss" => iss = Some(read("iss", value)?),
                "vendor" => {
                    let inner = value.get_ref().as_table();
                    let inner = inner.ok_or_else(|| typed("vendor", value, "a table: write [vendor]"))?;
                    for (key, value) in inner {
                        match key.get_ref().as_ref() {
                            "name" => vendor.name = Some(read("name", value)?),
                            "support_url" => vendor.support_url = Some(read("support_url", value)?),
                            "phone" => vendor.phone = Some(read("phone", value)?),
                            "renewal_url" => vendor.renewal_url = Some(read("renewal_url", value)?),
                            _ => return Err(unknown(key, "name, support_url, phone and renewal_url")),
                        }
                    }
                }
                _ => return Err(unknown(key, "iss and [vendor]")),
            }
        }
        Ok(Self { iss: iss.ok_or(ProfileError::NoIssuer)?, vendor })
    }

    /// A name that steers a terminal or hides from a reader is refused where it stands, before anything is signed with it.
    fn check_texts(&self, path: &Path, text: &str) -> Result<(), VendorError> {
        let Contact { name, support_url, phone, renewal_url } = &self.vendor;
        let texts = [name, support_url, phone, renewal_url];
        let Some(character) =
            texts.into_iter().flatten().flat_map(|text| text.chars()).find(|c| is_deceptive(*c))
        else {
            return Ok(());
        };
        let code = u32::from(character);
        // As it stands there, or as TOML escapes it.
        let escaped =
            [format!("\\u{code:04x}"), format!("\\u{code:08x}"), format!("\\x{code:02x}"), "\\e".to_owned()];
        let short = ["\\n", "\\r", "\\t", "\\b", "\\f"];
        let has = |line: &str| {
            let line = line.to_lowercase();
            line.contains(character)
                || escaped.iter().any(|form| line.contains(form.as_str()))
                || short.iter().any(|form| line.contains(form))
        };
        let line = text.split('\n').position(has).map_or(1, |at| at + 1);
        Err(VendorError::Deceptive {
            path: path.to_owned(),
            line,
            what: "the provider's own texts",
            character,
        })
    }

    /// The text of the file.
    pub(crate) fn to_text(&self) -> Result<String, VendorError> {
        let problem = |error: toml::ser::Error| VendorError::Profile {
            path: Self::FILE.into(),
            problem: ProfileError::Unwritable(error),
        };
        Ok(format!(
            "# Who issues. Each document carries what stands under [vendor] (name, support_url, phone, renewal_url)\n\
             # from its next change on. Never change `iss`: agents take changes of a key from its own issuer only.\n{}",
            toml::to_string(self).map_err(problem)?
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_cannot_stand_in_a_document_is_named() {
        let text = |text: &str| Some(text.to_owned());
        let plain = Contact::default;
        let rows = [
            (Contact { name: text("A\u{1b}[2J"), ..plain() }, "`name` holds control"),
            (Contact { name: text(""), ..plain() }, "`name` must be 1 to 200"),
            (Contact { phone: text(&"1".repeat(201)), ..plain() }, "`phone` must be 1 to 200"),
            (
                Contact { support_url: text("provider.example/help"), ..plain() },
                "`support_url` must be a web",
            ),
            (
                Contact { support_url: text("https:provider.example"), ..plain() },
                "`support_url` must be a web",
            ),
            (
                Contact { renewal_url: text("ftp://provider.example"), ..plain() },
                "`renewal_url` must be a web",
            ),
            (Contact { renewal_url: text("https://a b"), ..plain() }, "`renewal_url` must be a web"),
            (Contact { renewal_url: text("https://"), ..plain() }, "`renewal_url` must be a web"),
            (Contact { renewal_url: text("javascript://x"), ..plain() }, "`renewal_url` must be a web"),
        ];
        for (contact, word) in rows {
            let problem = contact.check().unwrap_err().to_string();
            assert!(problem.contains(word), "{problem}");
        }
        let good = Contact {
            name: text("ООО «Провайдер»"),
            support_url: text("https://xn--e1afmkfd.example:8443/help?x=1"),
            phone: text("+7 (000) 000-00-00"),
            renewal_url: text("http://provider.example"),
        };
        good.check().unwrap();
        plain().check().unwrap();
    }

    #[test]
    fn what_is_written_is_read_and_a_wrong_key_is_named() {
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
