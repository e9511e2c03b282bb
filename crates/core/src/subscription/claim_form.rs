//! The form of each claim of a document, so that a refusal names the claim, what it holds and what is expected.

use crate::subscription::instant;
use crate::subscription::key::{KeyId, KeyKind};
use crate::subscription::permit::{Allowance, Resource};
use crate::subscription::refusal::Refusal;
use crate::subscription::terms::{Channel, VendorState};
use crate::subscription::version::Version;
use crate::text::clean_start;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Characters of a text that are quoted.
const MAX_QUOTED: usize = 40;

/// One claim.
struct Claim {
    /// Dotted, as in `subscription.term.ends_at`.
    path: &'static str,
    /// Whether the object above it must have it.
    needed: bool,
    /// What it must be, after "expected".
    expected: &'static str,
    fits: fn(&Value) -> bool,
}

const fn needed(path: &'static str, expected: &'static str, fits: fn(&Value) -> bool) -> Claim {
    Claim { path, needed: true, expected, fits }
}

const fn optional(path: &'static str, expected: &'static str, fits: fn(&Value) -> bool) -> Claim {
    Claim { path, needed: false, expected, fits }
}

const POSITIVE: &str = "a whole number of 1 or more";
const INSTANT: &str = "a time as in RFC 3339, such as 2027-12-31T23:59:59Z";
const OBJECT: &str = "an object";
const STATE: &str = "\"active\", \"paused\", \"soft_cancelled\", \"hard_cancelled\" or \"blocked\"";
const CHANNEL: &str = "\"website\", \"portal\", \"isp\", \"partner\" or \"corporate\"";
const SHORT_TEXT: &str = "a text of at most 200 characters without control characters";
const NUMBER_TEXT: &str = "a text of at most 64 characters without control characters";

/// Each claim, an object before what is in it.
const CLAIMS: &[Claim] = &[
    optional("iss", SHORT_TEXT, is_text::<200>),
    needed("rev", POSITIVE, is_positive),
    needed("key", "an object with id and kind", Value::is_object),
    needed("key.id", "a key id of 1 to 128 printable ASCII characters without spaces", is::<KeyId>),
    needed("key.kind", "\"subscription\" or \"commercial\"", is::<KeyKind>),
    optional("subscription", OBJECT, Value::is_object),
    optional("subscription.state", STATE, is::<VendorState>),
    optional("subscription.state_since", INSTANT, is_instant),
    needed("subscription.term", "an object with type", Value::is_object),
    needed("subscription.term.type", "\"limited\" or \"unlimited\"", is_term_type),
    optional("subscription.term.ends_at", INSTANT, is_instant),
    optional("subscription.term.paid_until", INSTANT, is_instant),
    optional("subscription.grace_days", "a whole number of 0 or more", is_count),
    optional("subscription.auto_renew", "true or false", Value::is_boolean),
    optional("subscription.after_grace", OBJECT, Value::is_object),
    optional(
        "subscription.after_grace.database_updates",
        "\"stop\" or {\"per_day\": N} with N of 1 or more",
        is_update_allowance,
    ),
    optional(
        "subscription.after_grace.ksn",
        "\"stop\" or {\"per_minute\": N} with N of 1 or more",
        is_ksn_allowance,
    ),
    optional("subscription.order", OBJECT, Value::is_object),
    optional("subscription.order.number", NUMBER_TEXT, is_text::<64>),
    optional("subscription.order.channel", CHANNEL, is::<Channel>),
    optional("subscription.order.placed_on", "a day such as 2027-12-31", is_day),
    optional("licence", OBJECT, Value::is_object),
    needed("licence.period_days", POSITIVE, is_positive),
    optional("licence.state", "\"active\" or \"blocked\"", is_licence_state),
    optional("licence.state_since", INSTANT, is_instant),
    optional("order", OBJECT, Value::is_object),
    optional("order.number", NUMBER_TEXT, is_text::<64>),
    optional("order.channel", CHANNEL, is::<Channel>),
    optional("order.placed_on", "a day such as 2027-12-31", is_day),
    optional("devices", POSITIVE, is_positive),
    optional("min_product_version", "a version such as \"6.1\"", is::<Version>),
    optional("fresh_until", INSTANT, is_instant),
    optional("vendor", OBJECT, Value::is_object),
    optional("vendor.name", SHORT_TEXT, is_text::<200>),
    optional("vendor.support_url", SHORT_TEXT, is_text::<200>),
    optional("vendor.phone", SHORT_TEXT, is_text::<200>),
    optional("vendor.renewal_url", SHORT_TEXT, is_text::<200>),
];

fn is<T: DeserializeOwned>(value: &Value) -> bool {
    T::deserialize(value).is_ok()
}

fn is_instant(value: &Value) -> bool {
    value.as_str().is_some_and(|text| instant::read_instant(text).is_ok())
}

fn is_day(value: &Value) -> bool {
    instant::deserialize_day(value).is_ok()
}

fn is_text<const MOST: usize>(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.chars().count() <= MOST && !text.chars().any(char::is_control))
}

fn is_positive(value: &Value) -> bool {
    value.as_i64().is_some_and(|number| number > 0)
}

fn is_count(value: &Value) -> bool {
    value.as_i64().is_some_and(|number| number >= 0)
}

fn is_term_type(value: &Value) -> bool {
    matches!(value.as_str(), Some("limited" | "unlimited"))
}

fn is_licence_state(value: &Value) -> bool {
    matches!(value.as_str(), Some("active" | "blocked"))
}

fn is_update_allowance(value: &Value) -> bool {
    Allowance::read(Resource::DatabaseUpdates, value).is_ok()
}

fn is_ksn_allowance(value: &Value) -> bool {
    Allowance::read(Resource::Ksn, value).is_ok()
}

/// Checks the form of all claims that are known.
///
/// # Errors
/// The first claim that is missing or has another form: by its path, what it holds and what is expected.
pub(super) fn check(claims: &Value) -> Result<(), Refusal> {
    if !claims.is_object() {
        return Err(Refusal::invalid(format!("the claims are {}; expected an object", kind(claims))));
    }
    CLAIMS.iter().try_for_each(|claim| claim.check(claims))
}

impl Claim {
    fn check(&self, claims: &Value) -> Result<(), Refusal> {
        let wrong = |found: String| {
            Err(Refusal::invalid(format!("the claim `{}` {found}; expected {}", self.path, self.expected)))
        };
        let (above, name) = match self.path.rsplit_once('.') {
            None => (Some(claims), self.path),
            Some((above, name)) => {
                let above = above.split('.').try_fold(claims, |value, part| value.get(part));
                (above.filter(|above| !above.is_null()), name)
            }
        };
        let Some(above) = above else { return Ok(()) };
        match above.get(name) {
            None if self.needed => wrong("is missing".to_owned()),
            Some(Value::Null) if self.needed => wrong("is null".to_owned()),
            None | Some(Value::Null) => Ok(()),
            Some(value) if (self.fits)(value) => Ok(()),
            Some(value) => wrong(format!("is {}", kind(value))),
        }
    }
}

/// What a value is, after "is".
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {}", clean_start(&number.to_string(), MAX_QUOTED)),
        Value::String(text) => format!("the text \"{}\"", clean_start(text, MAX_QUOTED)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscription::statement::Statement;
    use serde_json::json;

    /// Claims with everything that can be in them.
    fn whole() -> Value {
        json!({
            "iss": "provider.example",
            "rev": 1,
            "key": {"id": "SUB-1", "kind": "subscription"},
            "subscription": {
                "state": "active",
                "state_since": "2026-01-01T00:00:00Z",
                "term": {"type": "limited", "ends_at": "2027-01-31T00:00:00Z"},
                "grace_days": 3,
                "auto_renew": false,
                "after_grace": {"database_updates": "stop", "ksn": {"per_minute": 1}},
                "order": {"number": "A1", "channel": "partner", "placed_on": "2026-01-01"},
            },
            "devices": 10,
            "min_product_version": "6.1",
            "fresh_until": "2027-01-31T00:00:00Z",
            "vendor": {"name": "Example", "support_url": "https://e", "phone": "1", "renewal_url": "https://e"},
        })
    }

    fn unlimited() -> Value {
        let mut claims = whole();
        claims["subscription"]["term"] = json!({"type": "unlimited", "paid_until": "2027-01-31T00:00:00Z"});
        claims
    }

    fn commercial() -> Value {
        json!({
            "rev": 1,
            "key": {"id": "COM-1", "kind": "commercial"},
            "licence": {"period_days": 365, "state": "blocked", "state_since": "2026-01-01T00:00:00Z"},
            "order": {"number": "A1", "channel": "isp", "placed_on": "2026-01-01"},
        })
    }

    /// The value at a path, in claims that have it.
    fn at<'a>(claims: &'a mut Value, path: &str) -> Option<&'a mut Value> {
        path.split('.').try_fold(claims, |value, part| value.get_mut(part))
    }

    #[test]
    fn a_claim_of_another_form_is_named_with_what_it_holds_and_what_is_expected() {
        for claim in CLAIMS {
            let claims = [whole(), unlimited(), commercial()]
                .into_iter()
                .find(|claims| at(&mut claims.clone(), claim.path).is_some());
            let claims = claims.unwrap_or_else(|| panic!("no example has {}", claim.path));
            Statement::read(&claims).unwrap();
            for value in [json!(["planted"]), json!(-7.5), json!("\u{1b}[31m"), json!({"a": 1}), json!(true)]
            {
                if (claim.fits)(&value) {
                    continue;
                }
                let mut wrong = claims.clone();
                *at(&mut wrong, claim.path).unwrap() = value.clone();
                let refusal = Statement::read(&wrong).unwrap_err();
                let shown = &refusal.message;
                assert!(shown.starts_with(&format!("the claim `{}` is ", claim.path)), "{shown}");
                assert!(
                    shown.contains(&format!("; expected {}; ask the provider", claim.expected)),
                    "{shown}"
                );
                for library in
                    ["invalid type", "expected struct", "did not match", "planted", "\u{1b}", "variant"]
                {
                    assert!(!shown.contains(library), "{shown}");
                }
            }
            let mut without = claims.clone();
            let (above, name) = claim.path.rsplit_once('.').unwrap_or(("", claim.path));
            let above = if above.is_empty() { Some(&mut without) } else { at(&mut without, above) };
            above.unwrap().as_object_mut().unwrap().remove(name);
            if claim.needed {
                let shown = check(&without).unwrap_err().message;
                assert_eq!(
                    shown,
                    format!("the claim `{}` is missing; expected {}", claim.path, claim.expected)
                );
            }
        }
    }

    #[test]
    fn every_word_of_an_enumeration_is_listed() {
        for word in STATE.split('"').skip(1).step_by(2) {
            assert!(is::<VendorState>(&json!(word)), "{word}");
        }
        for word in CHANNEL.split('"').skip(1).step_by(2) {
            assert!(is::<Channel>(&json!(word)), "{word}");
        }
    }
}
