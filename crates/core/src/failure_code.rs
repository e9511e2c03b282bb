//! Short names of failures: of exchanges with the provider's host and with receivers, and of what the agent carries out.
//!
//! They stand in logs, events, status and the database, and do not change.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum FailureCode {
    Accept,
    ActionFailed,
    AnswerCut,
    AnswerTooLarge,
    ConnectionCut,
    ConnectionSettings,
    EnforcementFailed,
    HttpStatus,
    Listen,
    MetricsNotWritten,
    NoReceipt,
    NotADocument,
    NotAReceiver,
    NotActivated,
    NotConfigured,
    NotFound,
    NotKept,
    NothingKept,
    NothingSent,
    PermitNotWritten,
    ProxyRefused,
    Redirect,
    SequenceConflict,
    SequenceJump,
    Store,
    Timeout,
    TlsRefused,
    TokenFile,
    TokenOfAnotherSource,
    Unreachable,
    WebhookNotAllowed,
    Withdrawn,
    /// `http_` and the status of an answer.
    Http(u16),
    /// A name that another version of the agent stored.
    Other(String),
}

/// Each name that is not made of a number.
const NAMES: &[(&str, FailureCode)] = &[
    ("accept", FailureCode::Accept),
    ("action_failed", FailureCode::ActionFailed),
    ("answer_cut", FailureCode::AnswerCut),
    ("answer_too_large", FailureCode::AnswerTooLarge),
    ("connection_cut", FailureCode::ConnectionCut),
    ("connection_settings", FailureCode::ConnectionSettings),
    ("enforcement_failed", FailureCode::EnforcementFailed),
    ("http_status", FailureCode::HttpStatus),
    ("listen", FailureCode::Listen),
    ("metrics_not_written", FailureCode::MetricsNotWritten),
    ("no_receipt", FailureCode::NoReceipt),
    ("not_a_document", FailureCode::NotADocument),
    ("not_a_receiver", FailureCode::NotAReceiver),
    ("not_activated", FailureCode::NotActivated),
    ("not_configured", FailureCode::NotConfigured),
    ("not_found", FailureCode::NotFound),
    ("not_kept", FailureCode::NotKept),
    ("nothing_kept", FailureCode::NothingKept),
    ("nothing_sent", FailureCode::NothingSent),
    ("permit_not_written", FailureCode::PermitNotWritten),
    ("proxy_refused", FailureCode::ProxyRefused),
    ("redirect", FailureCode::Redirect),
    ("sequence_conflict", FailureCode::SequenceConflict),
    ("sequence_jump", FailureCode::SequenceJump),
    ("store", FailureCode::Store),
    ("timeout", FailureCode::Timeout),
    ("tls_refused", FailureCode::TlsRefused),
    ("token_file", FailureCode::TokenFile),
    ("token_of_another_source", FailureCode::TokenOfAnotherSource),
    ("unreachable", FailureCode::Unreachable),
    ("webhook_not_allowed", FailureCode::WebhookNotAllowed),
    ("withdrawn", FailureCode::Withdrawn),
];

impl FailureCode {
    /// The name, as it is stored and sent.
    pub fn code(&self) -> Cow<'_, str> {
        match self {
            Self::Http(status) => format!("http_{status}").into(),
            Self::Other(name) => name.into(),
            known => NAMES.iter().find(|(_, code)| code == known).map_or("other", |(name, _)| name).into(),
        }
    }
}

impl From<String> for FailureCode {
    fn from(name: String) -> Self {
        if let Some((_, code)) = NAMES.iter().find(|(known, _)| *known == name) {
            return code.clone();
        }
        match name.strip_prefix("http_").and_then(|status| status.parse().ok()).map(Self::Http) {
            Some(code) if code.code() == name => code,
            _ => Self::Other(name),
        }
    }
}

impl From<FailureCode> for String {
    fn from(code: FailureCode) -> Self {
        code.code().into_owned()
    }
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_read_back_and_a_name_of_another_version_survives() {
        for (name, code) in NAMES {
            assert_eq!(code.code(), *name);
            assert_eq!(FailureCode::from((*name).to_owned()), *code);
        }
        for (name, code) in [
            ("http_400", FailureCode::Http(400)),
            ("http_0400", FailureCode::Other("http_0400".to_owned())),
            ("of_version_9", FailureCode::Other("of_version_9".to_owned())),
            ("", FailureCode::Other(String::new())),
        ] {
            let read: FailureCode = serde_json::from_str(&format!("\"{name}\"")).unwrap();
            assert_eq!(read, code);
            assert_eq!(serde_json::to_string(&read).unwrap(), format!("\"{name}\""));
        }
        // Every variant with a name of its own is in the table: the last two are made of what they hold.
        let source = include_str!("failure_code.rs");
        let variants = source.split("pub enum FailureCode {").nth(1).unwrap().split('}').next().unwrap();
        let plain = variants.lines().filter(|line| line.trim_end().ends_with(',') && !line.contains('('));
        assert_eq!(plain.count(), NAMES.len());
    }
}
