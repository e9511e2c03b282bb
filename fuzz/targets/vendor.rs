//! The vendor's ledger: files that people edit.

use super::bytes::{Bytes, text};
use super::documents::trust;
use crate::vendor::KeyRef;
use crate::vendor::Profile;
use crate::vendor::entry::Unverified;
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
        let read = Unverified::parse(Path::new(&name), rest);
        let _ = read.and_then(|entry| entry.verified(&trust(), "provider.example"));
    }
}
