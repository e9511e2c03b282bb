//! Why a batch was not delivered.

use svm_core::failure_code::FailureCode;

/// Why a batch was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// `unreachable`, `tls_refused`, `timeout`, `connection_cut`, `connection_settings` or `not_a_receiver`.
    pub code: FailureCode,
    /// What went wrong, for people, with the way out where there is one.
    pub message: String,
    /// Whether it is a matter of configuration, here or there; else it may go better later.
    pub hold: bool,
}
