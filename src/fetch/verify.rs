//! Verification of a document against the signers that are trusted now.

use crate::log::log_event;
use std::path::Path;
use svm_core::documents::{Document, Expect, TrustStore, verify};
use svm_core::error_chain::Chain;
use svm_core::subscription::Refusal;

/// Verifies a document against the signers that are trusted now. What is wrong with them is logged, but for what
/// stands in `told`; there it stands afterwards.
///
/// # Errors
/// The refusal that applies.
pub fn verify_now(
    text: &str,
    trust_dir: &Path,
    expect: Expect<'_>,
    logged: &mut Vec<String>,
) -> Result<Document, Refusal> {
    let mut wrong = Vec::new();
    let store = match TrustStore::load(trust_dir) {
        Ok(loaded) => {
            for problem in &loaded.problems {
                let problem = Chain(problem).to_string();
                if !logged.contains(&problem) {
                    log_event!(SIGNER_USELESS of problem; problem);
                }
                wrong.push(problem);
            }
            loaded.store
        }
        Err(error) => {
            let error = Chain(&error).to_string();
            if !logged.contains(&error) {
                log_event!(SIGNERS_UNREADABLE; problem = error);
            }
            wrong.push(error);
            TrustStore::default()
        }
    };
    *logged = wrong;
    Ok(verify(text, &store, expect)?)
}
