//! The claims of a document: read and checked for sense, and written again.
//!
//! What is absent equals its default; claims that are not known are passed over, so that a newer vendor can
//! say more to an older agent. `docs/reference/documents.md` lists every claim.

use crate::subscription::claim_form;
use crate::subscription::instant;
use crate::subscription::key::{KeyId, KeyKind};
use crate::subscription::permit::{Allowance, Resource};
use crate::subscription::refusal::Refusal;
use crate::subscription::statement::Statement;
use crate::subscription::terms::{
    AfterGrace, Licence, Order, Subscription, Term, Terms, Vendor, VendorState,
};
use crate::subscription::version::Version;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct RawClaims {
    iss: Option<String>,
    rev: Option<i64>,
    key: RawKey,
    subscription: Option<RawSubscription>,
    licence: Option<RawLicence>,
    order: Option<Order>,
    devices: Option<i64>,
    min_product_version: Option<Version>,
    #[serde(default, deserialize_with = "instant::deserialize_option")]
    fresh_until: Option<Timestamp>,
    vendor: Option<Vendor>,
}

#[derive(Deserialize)]
struct RawKey {
    id: KeyId,
    kind: KeyKind,
}

#[derive(Deserialize)]
struct RawSubscription {
    state: Option<VendorState>,
    #[serde(default, deserialize_with = "instant::deserialize_option")]
    state_since: Option<Timestamp>,
    term: RawTerm,
    grace_days: Option<i64>,
    auto_renew: Option<bool>,
    after_grace: Option<RawAfterGrace>,
    order: Option<Order>,
}

#[derive(Deserialize)]
struct RawTerm {
    r#type: RawTermType,
    #[serde(default, deserialize_with = "instant::deserialize_option")]
    ends_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "instant::deserialize_option")]
    paid_until: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawTermType {
    Limited,
    Unlimited,
}

#[derive(Deserialize)]
struct RawAfterGrace {
    database_updates: Option<Value>,
    ksn: Option<Value>,
}

#[derive(Deserialize)]
struct RawLicence {
    period_days: Option<i64>,
    state: Option<VendorState>,
    #[serde(default, deserialize_with = "instant::deserialize_option")]
    state_since: Option<Timestamp>,
}

/// A count of which the form was checked.
fn count(value: Option<i64>) -> Option<u64> {
    value.and_then(|number| u64::try_from(number).ok())
}

impl Statement {
    /// Reads the claims of a document.
    ///
    /// # Errors
    /// [`crate::subscription::refusal::RefusalCode::InvalidDocument`] with a sentence that names the claim.
    pub fn read(claims: &Value) -> Result<Self, Refusal> {
        Self::from_claims(claims).map_err(|refusal| {
            Refusal::new(
                refusal.code,
                format!("{}; ask the provider for a corrected document", refusal.message),
            )
        })
    }

    fn from_claims(claims: &Value) -> Result<Self, Refusal> {
        claim_form::check(claims)?;
        let raw = RawClaims::deserialize(claims)
            .map_err(|_| Refusal::invalid("the claims have another form than expected"))?;
        let terms = match (raw.key.kind, raw.subscription, raw.licence) {
            (KeyKind::Subscription, Some(subscription), None) => {
                Terms::Subscription(Subscription::read(subscription, raw.order)?)
            }
            (KeyKind::Commercial, None, Some(licence)) => Terms::Licence(Licence::read(&licence)?),
            (KeyKind::Subscription, ..) => {
                return Err(Refusal::invalid(
                    "the document of a subscription key must have the claim `subscription`, and no `licence`",
                ));
            }
            (KeyKind::Commercial, ..) => {
                return Err(Refusal::invalid(
                    "the document of a commercial key must have the claim `licence`, and no `subscription`",
                ));
            }
        };
        Ok(Self {
            issuer: raw.iss,
            rev: count(raw.rev).unwrap_or(1),
            key: raw.key.id,
            terms,
            devices: count(raw.devices),
            min_product_version: raw.min_product_version,
            fresh_until: raw.fresh_until,
            vendor: raw.vendor,
        })
    }

    /// The claims again, in the form that [`Statement::read`] takes; defaults are left out.
    pub fn to_claims(&self) -> Map<String, Value> {
        let mut claims = Map::new();
        if let Some(issuer) = &self.issuer {
            claims.insert("iss".into(), issuer.as_str().into());
        }
        claims.insert("rev".into(), self.rev.into());
        claims.insert("key".into(), json!({"id": self.key, "kind": self.kind()}));
        match &self.terms {
            Terms::Subscription(s) => claims.insert("subscription".into(), s.to_claims()),
            Terms::Licence(l) => claims.insert("licence".into(), l.to_claims()),
        };
        let mut optional = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                claims.insert(name.into(), value);
            }
        };
        optional("devices", self.devices.map(Value::from));
        optional("min_product_version", self.min_product_version.as_ref().map(|v| json!(v)));
        optional("fresh_until", self.fresh_until.map(|t| json!(t)));
        optional("vendor", self.vendor.as_ref().map(|v| json!(v)));
        claims
    }
}

impl TryFrom<Value> for Statement {
    type Error = Refusal;
    fn try_from(claims: Value) -> Result<Self, Refusal> {
        Self::read(&claims)
    }
}

impl From<Statement> for Value {
    fn from(statement: Statement) -> Self {
        Self::Object(statement.to_claims())
    }
}

impl Subscription {
    fn read(raw: RawSubscription, order_beside: Option<Order>) -> Result<Self, Refusal> {
        let term = match (raw.term.r#type, raw.term.ends_at, raw.term.paid_until) {
            (RawTermType::Limited, Some(ends_at), None) => Term::Limited { ends_at },
            (RawTermType::Limited, None, _) => {
                return Err(Refusal::invalid(
                    "the claim `subscription.term.ends_at` is missing; a limited subscription needs it",
                ));
            }
            (RawTermType::Limited, ..) => {
                return Err(Refusal::invalid(
                    "the claim `subscription.term.paid_until` is for unlimited subscriptions, and this one is limited",
                ));
            }
            (RawTermType::Unlimited, None, paid_until) => Term::Unlimited { paid_until },
            (RawTermType::Unlimited, ..) => {
                return Err(Refusal::invalid(
                    "the claim `subscription.term.ends_at` is for limited subscriptions, and this one is unlimited",
                ));
            }
        };
        if raw.state.is_some() && raw.state_since.is_none() {
            return Err(Refusal::invalid("the claim `subscription.state` needs `subscription.state_since`"));
        }
        let (state, auto_renew) = (raw.state.unwrap_or_default(), raw.auto_renew.unwrap_or_default());
        if state == VendorState::SoftCancelled && (auto_renew || !matches!(term, Term::Limited { .. })) {
            return Err(Refusal::invalid(
                "the claim `subscription.state` is \"soft_cancelled\", which is for limited subscriptions without `auto_renew`: it cancels the renewal",
            ));
        }
        let grace_days = count(raw.grace_days).unwrap_or(0);
        let allowance = |resource, value: Option<&Value>| match value {
            None => Ok(Allowance::Stop),
            Some(value) => Allowance::read(resource, value).map_err(|e| Refusal::invalid(e.to_string())),
        };
        let after_grace = match &raw.after_grace {
            None => AfterGrace::default(),
            Some(after) => AfterGrace {
                database_updates: allowance(Resource::DatabaseUpdates, after.database_updates.as_ref())?,
                ksn: allowance(Resource::Ksn, after.ksn.as_ref())?,
            },
        };
        let order = raw.order.or(order_beside);
        Ok(Self { state, state_since: raw.state_since, term, grace_days, auto_renew, after_grace, order })
    }

    fn to_claims(&self) -> Value {
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                claims.insert(name.into(), value);
            }
        };
        claim("state", self.state_since.map(|_| json!(self.state)));
        claim("state_since", self.state_since.map(|since| json!(since)));
        claim("term", Some(self.term.to_claims()));
        claim("grace_days", Some(self.grace_days.into()));
        claim("auto_renew", Some(self.auto_renew.into()));
        let differs = self.after_grace != AfterGrace::default();
        claim("after_grace", differs.then(|| self.after_grace.to_claims()));
        claim("order", self.order.as_ref().map(|order| json!(order)));
        Value::Object(claims)
    }
}

impl Term {
    /// The `term` object of the claims.
    pub fn to_claims(&self) -> Value {
        match self {
            Self::Limited { ends_at } => json!({"type": "limited", "ends_at": ends_at}),
            Self::Unlimited { paid_until: None } => json!({"type": "unlimited"}),
            Self::Unlimited { paid_until: Some(paid) } => json!({"type": "unlimited", "paid_until": paid}),
        }
    }
}

impl AfterGrace {
    /// The `after_grace` object of the claims.
    pub fn to_claims(&self) -> Value {
        Resource::ALL
            .into_iter()
            .map(|r| (r.as_str().to_owned(), self.of(r).to_json(r)))
            .collect::<Map<_, _>>()
            .into()
    }
}

impl Licence {
    fn read(raw: &RawLicence) -> Result<Self, Refusal> {
        let period_days = count(raw.period_days).unwrap_or(1);
        if raw.state.is_some() && raw.state_since.is_none() {
            return Err(Refusal::invalid("the claim `licence.state` needs `licence.state_since`"));
        }
        let blocked_since = match raw.state {
            None | Some(VendorState::Active) => None,
            Some(VendorState::Blocked) => raw.state_since,
            Some(_) => {
                return Err(Refusal::invalid("the claim `licence.state` must be \"active\" or \"blocked\""));
            }
        };
        Ok(Self { period_days, blocked_since })
    }

    fn to_claims(&self) -> Value {
        match self.blocked_since {
            None => json!({"period_days": self.period_days}),
            Some(since) => json!({"period_days": self.period_days, "state": "blocked", "state_since": since}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscription::RefusalCode;

    fn subscription(change: impl FnOnce(&mut Value)) -> Value {
        let mut claims = json!({
            "rev": 1, "key": {"id": "SUB-1", "kind": "subscription"}, "devices": 5,
            "subscription": {"state": "active", "state_since": "2026-01-01T00:00:00Z", "grace_days": 3,
                "term": {"type": "limited", "ends_at": "2026-02-01T00:00:00Z"}, "auto_renew": false,
                "order": {"number": "A1", "channel": "partner", "placed_on": "2025-12-30"}}
        });
        change(&mut claims);
        claims
    }

    #[test]
    fn what_is_read_is_written_again() {
        for claims in [
            subscription(|_| {}),
            subscription(|c| {
                c["subscription"]["term"] = json!({"type": "unlimited", "paid_until": "2026-03-01T00:00:00Z"})
            }),
            subscription(|c| {
                c["subscription"]["after_grace"] = json!({"database_updates": {"per_day": 2}, "ksn": "stop"})
            }),
            json!({"rev": 2, "key": {"id": "C", "kind": "commercial"}, "min_product_version": "6.1",
                   "licence": {"period_days": 30, "state": "blocked", "state_since": "2026-01-01T00:00:00Z"}}),
        ] {
            let statement = Statement::read(&claims).unwrap();
            assert_eq!(Value::Object(statement.to_claims()), claims);
        }
    }

    #[test]
    fn instants_are_rfc_3339_and_for_ever_is_the_last_one() {
        for text in ["9999-12-31T00:00:00+00:00", "9999-12-31T23:59:59Z"] {
            let read = |text: &str| {
                Statement::read(&subscription(|c| c["subscription"]["term"]["ends_at"] = text.into()))
            };
            let statement = read(text).unwrap();
            assert_eq!(statement.subscription().unwrap().term, Term::Limited { ends_at: Timestamp::MAX });
            // What is written is read again.
            assert_eq!(Statement::read(&Value::Object(statement.to_claims())).unwrap(), statement);
            for wrong in
                ["20271231T235959Z", "2027-12-31T23:59:59Z[Asia/Tokyo]", "2027-12-31", "2027-12-31T23:59:59"]
            {
                assert!(read(wrong).unwrap_err().message.contains("RFC 3339"), "{wrong}");
            }
        }
        for (name, body) in [("state_since", "subscription"), ("fresh_until", "")] {
            let with = |text: &str| {
                Statement::read(&subscription(|c| {
                    if body.is_empty() { c[name] = text.into() } else { c[body][name] = text.into() }
                }))
            };
            assert!(with("2026-01-01 00:00:00Z").is_ok());
            assert!(with("20260101T000000Z").is_err(), "{name}");
        }
        for wrong in ["20251230", "2025-12-30T00:00:00Z", "2025-12-3"] {
            assert!(
                Statement::read(&subscription(|c| c["subscription"]["order"]["placed_on"] = wrong.into()))
                    .is_err()
            );
        }
    }

    #[test]
    fn nonsense_is_named() {
        type Change = fn(&mut Value);
        let rows: &[(&str, Change)] = &[
            ("ends_at", |c| c["subscription"]["term"] = json!({"type": "limited"})),
            ("paid_until", |c| c["subscription"]["term"]["paid_until"] = json!("2026-02-01T00:00:00Z")),
            ("ends_at", |c| c["subscription"]["term"]["type"] = json!("unlimited")),
            ("state_since", |c| drop(c["subscription"].as_object_mut().unwrap().remove("state_since"))),
            ("soft_cancelled", |c| {
                c["subscription"]["state"] = json!("soft_cancelled");
                c["subscription"]["auto_renew"] = json!(true);
            }),
            ("grace_days", |c| c["subscription"]["grace_days"] = json!(-1)),
            ("rev", |c| c["rev"] = json!(0)),
            ("rev", |c| drop(c.as_object_mut().unwrap().remove("rev"))),
            ("devices", |c| c["devices"] = json!(0)),
            ("devices", |c| c["devices"] = json!(-3)),
            ("per_minute", |c| c["subscription"]["after_grace"] = json!({"ksn": {"per_day": 1}})),
            ("per_day", |c| c["subscription"]["after_grace"] = json!({"database_updates": {"per_day": 0}})),
            ("is the text \"sleeping\"; expected \"active\"", |c| {
                c["subscription"]["state"] = json!("sleeping")
            }),
            ("expected \"subscription\" or", |c| c["key"]["kind"] = json!("trial")),
            ("`subscription.order.channel` is", |c| c["subscription"]["order"]["channel"] = json!("pigeon")),
            ("licence", |c| c["licence"] = json!({"period_days": 1})),
            ("key id", |c| c["key"]["id"] = json!("")),
            ("version", |c| c["min_product_version"] = json!("six")),
            ("vendor.name", |c| c["vendor"] = json!({"name": "x".repeat(201)})),
            ("vendor.phone", |c| c["vendor"] = json!({"phone": "1\u{1b}[2J"})),
        ];
        for (word, change) in rows {
            let refusal = Statement::read(&subscription(change)).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::InvalidDocument);
            assert!(refusal.message.contains(word), "{word}: {}", refusal.message);
        }
        let licence = |l: Value| {
            Statement::read(&json!({"rev": 1, "key": {"id": "C", "kind": "commercial"}, "licence": l}))
        };
        assert!(licence(json!({"period_days": 0})).is_err());
        assert!(
            licence(json!({"period_days": 9, "state": "paused", "state_since": "2026-01-01T00:00:00Z"}))
                .is_err()
        );
        assert!(licence(json!({"period_days": 9, "state": "blocked"})).is_err());
    }
}
