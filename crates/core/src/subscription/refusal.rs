//! Refusals: what is not allowed is a value with a code and the way out.

use crate::subscription::key::KeyId;
use serde::{Deserialize, Serialize};

/// Why a document or a command is refused; the order is the order in which the rules are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The signature does not verify, or uses another algorithm.
    BadSignature,
    /// The signer's key id is not trusted, or not for this issuer.
    UntrustedSigner,
    /// The document makes no sense.
    InvalidDocument,
    /// The key asks for a newer product.
    ProductVersionTooOld,
    /// The key is not held, or not the active one.
    UnknownKey,
    /// A newer revision is held.
    OlderRevision,
    /// A subscription key can only be active.
    SubscriptionKeyCannotBeReserve,
    /// A reserve key needs an active key first.
    NoActiveKey,
    /// The key is held in the other role.
    KeyAlreadyHeld,
    /// There is a reserve key already.
    ReserveKeyExists,
    /// The active key still runs.
    ActiveKeyStillValid,
}

impl RefusalCode {
    pub const ALL: [Self; 11] = [
        Self::BadSignature,
        Self::UntrustedSigner,
        Self::InvalidDocument,
        Self::ProductVersionTooOld,
        Self::UnknownKey,
        Self::OlderRevision,
        Self::SubscriptionKeyCannotBeReserve,
        Self::NoActiveKey,
        Self::KeyAlreadyHeld,
        Self::ReserveKeyExists,
        Self::ActiveKeyStillValid,
    ];

    /// The code of a name; `None` for one that only another version knows.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// The word used in events and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::UntrustedSigner => "untrusted_signer",
            Self::InvalidDocument => "invalid_document",
            Self::ProductVersionTooOld => "product_version_too_old",
            Self::UnknownKey => "unknown_key",
            Self::OlderRevision => "older_revision",
            Self::SubscriptionKeyCannotBeReserve => "subscription_key_cannot_be_reserve",
            Self::NoActiveKey => "no_active_key",
            Self::KeyAlreadyHeld => "key_already_held",
            Self::ReserveKeyExists => "reserve_key_exists",
            Self::ActiveKeyStillValid => "active_key_still_valid",
        }
    }
}

/// What a person can do about a refusal by a command. Its words are those of the program that has the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayOut {
    RemoveKey(KeyId),
    /// See which keys are held.
    ListKeys,
}

/// A refusal: its code, and one sentence that names what is wrong and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The rule that applies.
    pub code: RefusalCode,
    /// For people: what, and the way out. Never a secret, never more than 500 characters.
    pub message: String,
    /// The command that is the way out, where there is one; `message` leads up to it.
    pub way_out: Option<WayOut>,
}

/// Characters of a message at most.
const MAX_MESSAGE: usize = 500;

/// A message cut at 500 characters.
pub fn bounded_message(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE) {
        message.truncate(end);
    }
    message
}

impl Refusal {
    /// A refusal with its sentence, cut at 500 characters.
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: bounded_message(message.into()), way_out: None }
    }

    /// With the command that is the way out.
    #[must_use]
    pub fn with_way_out(self, way_out: WayOut) -> Self {
        Self { way_out: Some(way_out), ..self }
    }

    /// The document makes no sense.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(RefusalCode::InvalidDocument, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_one_name() {
        for code in RefusalCode::ALL {
            assert_eq!(RefusalCode::from_name(code.as_str()), Some(code));
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
        assert_eq!(RefusalCode::from_name("of_version_9"), None);
    }
}
