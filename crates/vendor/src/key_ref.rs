//! How a command names a key.

use super::VendorError;
use std::path::Path;
use svm_core::documents::{ActivationCode, CodeError, Sub};
use svm_core::subscription::KeyId;
use svm_core::text::trim_pasted;

/// How a command names a key.
#[derive(Clone, Debug)]
pub enum KeyRef {
    /// By its code.
    Code(ActivationCode),
    /// By its id.
    Id(KeyId),
    /// By its file in the ledger: the way out where two keys have one id.
    File(Sub),
}

impl KeyRef {
    /// Reads what a person typed: a code, the name of a file of the ledger (`keys/SUB.json`), or else an id.
    ///
    /// # Errors
    /// [`VendorError::UnknownKey`] where it can be none of these.
    pub fn parse(typed: &str) -> Result<Self, VendorError> {
        let typing = match ActivationCode::parse(typed) {
            Ok(code) => return Ok(Self::Code(code)),
            Err(typing) => typing,
        };
        let typed = trim_pasted(typed);
        let name = Path::new(typed).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(Ok(sub)) = name.strip_suffix(".json").map(str::parse) {
            return Ok(Self::File(sub));
        }
        KeyId::try_from(typed.to_owned())
            .map(Self::Id)
            .map_err(|_| VendorError::UnknownKey { typing: Some(typing) })
    }

    /// What is wrong with it as a code, where it looks like one.
    pub(super) fn typing(&self) -> Option<CodeError> {
        match self {
            Self::Id(id) if id.as_str().len() >= 15 => ActivationCode::parse(id.as_str()).err(),
            _ => None,
        }
    }
}
