//! The vendor's ledger: files that people edit.

use super::bytes::{Bytes, text};
use super::signer::trust;
use crate::KeyRef;
use crate::Profile;
use crate::entry::{label_in, parse};
use std::path::Path;

pub(super) fn ledger(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let profile = bytes.flag();
    let rest = bytes.rest();
    if profile {
        match Profile::parse(Path::new("provider.toml"), &text(rest)) {
            Ok(profile) => {
                let again = Profile::parse(Path::new("provider.toml"), &profile.to_text().unwrap());
                assert_eq!(again.unwrap(), profile);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        KeyRef::parse(&text(rest)).ok();
    } else {
        let name = format!("{}.json", "0123456789abcdef".repeat(4));
        label_in(rest);
        match parse(Path::new(&name), rest, &trust(), "provider.example") {
            Ok(entry) => assert!(label_in(rest).is_some_and(|key| key == entry.document.statement.key)),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}
