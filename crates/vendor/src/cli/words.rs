//! What is said of a key: as JSON and as lines for people.

use crate::Entry;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use svm_core::documents::{Document, published_path};
use svm_core::subscription::{Statement, Term, Terms, VendorState};

/// What every answer about a key has.
pub(super) fn facts(document: &Document) -> Map<String, Value> {
    let mut json = document.statement.to_claims();
    json.insert("iat".to_owned(), document.iat.to_string().into());
    json.insert("jti".to_owned(), document.jti.as_str().into());
    json.insert("path".to_owned(), published_path(&document.sub).into());
    json.insert("state".to_owned(), state_word(&document.statement).into());
    json
}

pub(super) fn with_history(entry: &Entry) -> Value {
    let mut json = facts(&entry.document);
    json.insert("kid".to_owned(), entry.document.kid.as_str().into());
    json.insert("history".to_owned(), json!(entry.history));
    json.into()
}

pub(super) fn lines(statement: &Statement) -> String {
    let grace = statement.subscription().map(|s| days(s.grace_days));
    let fresh = statement.fresh_until.map(|at| at.to_string());
    let rows = [
        ("key", Some(statement.key.to_string())),
        ("revision", Some(statement.rev.to_string())),
        ("state", Some(state_word(statement).to_owned())),
        ("term", Some(term(statement))),
        ("grace", grace),
        ("devices", Some(devices(statement))),
        ("fresh until", fresh),
    ];
    let rows = rows.into_iter().filter_map(|(name, value)| Some((name, value?)));
    rows.map(|(name, value)| format!("{name:<17}{value}\n")).collect()
}

pub(super) fn state(statement: &Statement) -> VendorState {
    match &statement.terms {
        Terms::Subscription(subscription) => subscription.state,
        Terms::Licence(licence) if licence.blocked_since.is_some() => VendorState::Blocked,
        Terms::Licence(_) => VendorState::Active,
    }
}

pub(super) fn state_word(statement: &Statement) -> &'static str {
    match state(statement) {
        VendorState::Active => "active",
        VendorState::Paused => "paused",
        VendorState::SoftCancelled => "soft_cancelled",
        VendorState::HardCancelled => "hard_cancelled",
        VendorState::Blocked => "blocked",
    }
}

pub(super) fn days(count: u64) -> String {
    format!("{count} {}", if count == 1 { "day" } else { "days" })
}

/// The end or the paid date.
pub(super) fn date(statement: &Statement) -> Option<Timestamp> {
    match statement.subscription()?.term {
        Term::Limited { ends_at } => Some(ends_at),
        Term::Unlimited { paid_until } => paid_until,
    }
}

pub(super) fn term(statement: &Statement) -> String {
    match &statement.terms {
        Terms::Licence(licence) => format!("{} from first use", days(licence.period_days)),
        Terms::Subscription(subscription) => match subscription.term {
            Term::Limited { ends_at } => format!("ends {ends_at}"),
            Term::Unlimited { paid_until: Some(paid) } => format!("paid until {paid}"),
            Term::Unlimited { paid_until: None } => "open-ended".to_owned(),
        },
    }
}

pub(super) fn devices(statement: &Statement) -> String {
    statement.devices.map_or_else(|| "no limit".to_owned(), |devices| devices.to_string())
}
