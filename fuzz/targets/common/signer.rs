//! Who signs what is tried.

use std::sync::LazyLock;
use svm_core::documents::{SigningKey, TrustStore};

/// The secret of RFC 8032, test 1: the same in each run, and nobody's.
const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

const ISSUER: &str = "provider.example";

pub(crate) static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_pem(PEM.into()).unwrap());

pub(crate) fn trust() -> TrustStore {
    TrustStore::from_keys([(KEY.public(), ISSUER.to_owned())])
}
