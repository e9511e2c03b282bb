//! What a signed document says of one key, read from its claims and checked for sense.
//!
//! What is absent equals its default; claims that are not known are passed over, so that a newer vendor can
//! say more to an older agent. `docs/documents.md` lists every claim.

use super::{Allowance, Refusal, Resource, Version, instant};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt;

/// The name of a key: opaque text of 1 to 128 printable ASCII characters without spaces.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl KeyId {
    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || text.len() > 128 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("a key id is 1 to 128 printable ASCII characters without spaces".to_owned());
        }
        Ok(Self(text))
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of key a document is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Runs as the provider says; only ever the active key.
    Subscription,
    /// Runs so many days from its first use on this SVM; active or reserve.
    Commercial,
}

impl KeyKind {
    /// The word used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscription => "subscription",
            Self::Commercial => "commercial",
        }
    }
}

/// The vendor's word about a key, in force from `state_since` on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VendorState {
    /// Runs.
    #[default]
    Active,
    /// Interrupted; grace counts from here.
    Paused,
    /// Not renewed any more; usable to the end of the term.
    SoftCancelled,
    /// Over at once, without grace.
    HardCancelled,
    /// Withdrawn, without grace.
    Blocked,
}

impl VendorState {
    /// The word used in documents and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::SoftCancelled => "soft_cancelled",
            Self::HardCancelled => "hard_cancelled",
            Self::Blocked => "blocked",
        }
    }
}

/// How long a subscription runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// To an end date, at which it is over.
    Limited {
        /// The first instant after the term.
        ends_at: Timestamp,
    },
    /// For as long as the vendor was prepaid.
    Unlimited {
        /// The first instant that is not paid; `None` runs on.
        paid_until: Option<Timestamp>,
    },
}

/// What is left of each resource once the grace period has lapsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AfterGrace {
    /// Runs of the database update per day.
    pub database_updates: Allowance,
    /// KSN look-ups per minute.
    pub ksn: Allowance,
}

impl AfterGrace {
    /// The allowance of one resource.
    pub fn of(&self, resource: Resource) -> Allowance {
        match resource {
            Resource::DatabaseUpdates => self.database_updates,
            Resource::Ksn => self.ksn,
        }
    }
}

/// Through which channel the subscription was bought: it decides where to cancel it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The manufacturer's website and the sellers behind it.
    Website,
    /// The customer's account in the manufacturer's portal.
    Portal,
    /// An internet provider.
    Isp,
    /// A partner company, such as a telephone operator.
    Partner,
    /// A vendor of corporate subscriptions.
    Corporate,
}

impl Channel {
    /// The word used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Website => "website",
            Self::Portal => "portal",
            Self::Isp => "isp",
            Self::Partner => "partner",
            Self::Corporate => "corporate",
        }
    }
}

/// The order behind a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// As the seller wrote it; up to 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Where it was bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The day of the order.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "instant::deserialize_day")]
    pub placed_on: Option<Date>,
}

/// A subscription as its provider states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The vendor's word.
    pub state: VendorState,
    /// From when it counts; before that the key is as if active.
    pub state_since: Option<Timestamp>,
    /// How long it runs.
    pub term: Term,
    /// Days of grace after the end, the pause or the unpaid date; 0 means none.
    pub grace_days: u64,
    /// Whether the seller renews it without being asked.
    pub auto_renew: bool,
    /// What the vendor leaves after the grace.
    pub after_grace: AfterGrace,
    /// The order behind it.
    pub order: Option<Order>,
}

/// A commercial key as its vendor states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    /// Days of use from its first activation on this SVM; 1 or more.
    pub period_days: u64,
    /// From when the vendor withdrew it.
    pub blocked_since: Option<Timestamp>,
}

/// What a key allows, by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    /// Of a subscription key.
    Subscription(Subscription),
    /// Of a commercial key.
    Licence(Licence),
}

/// Who sells the key, for people who have to turn to them. Each text is up to 200 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vendor {
    /// The company's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support_url: Option<String>,
    /// Its telephone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Where to renew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal_url: Option<String>,
}

/// Everything one revision of a document says of its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Statement {
    /// Who states it; `None` in a scenario. A key id is this issuer's: by another one it is another key.
    pub issuer: Option<String>,
    /// Grows with each revision of the key; 1 or more.
    pub rev: u64,
    /// The key.
    pub key: KeyId,
    /// What it allows.
    pub terms: Terms,
    /// How many devices it protects, over all SVMs that hold it; `None` is without limit.
    pub devices: Option<u64>,
    /// The lowest version of the product that it activates.
    pub min_product_version: Option<Version>,
    /// Until when the vendor's word is fresh; after it the SVM should hear from its vendor again.
    pub fresh_until: Option<Timestamp>,
    /// Who sells it.
    pub vendor: Option<Vendor>,
}

// The claims as they are written, before they are checked for sense.

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

/// A count that may be absent but not 0 or negative.
fn one_or_more(name: &str, value: Option<i64>) -> Result<Option<u64>, Refusal> {
    let count = |n: i64| u64::try_from(n).ok().filter(|n| *n > 0);
    match value {
        None => Ok(None),
        Some(n) => {
            count(n).map(Some).ok_or_else(|| Refusal::invalid(format!("`{name}` must be 1 or more, not {n}")))
        }
    }
}

fn bounded(name: &str, text: Option<&String>, most: usize) -> Result<(), Refusal> {
    match text {
        Some(text) if text.chars().count() > most => {
            Err(Refusal::invalid(format!("`{name}` is longer than {most} characters")))
        }
        Some(text) if text.chars().any(char::is_control) => {
            Err(Refusal::invalid(format!("`{name}` holds control characters")))
        }
        _ => Ok(()),
    }
}

impl Statement {
    /// Reads the claims of a document.
    ///
    /// # Errors
    /// [`super::RefusalCode::InvalidDocument`] with a sentence that names the claim.
    pub fn read(claims: &Value) -> Result<Self, Refusal> {
        let raw = RawClaims::deserialize(claims)
            .map_err(|e| Refusal::invalid(format!("the document's claims cannot be read: {e}")))?;
        bounded("iss", raw.iss.as_ref(), 200)?;
        let rev = one_or_more("rev", raw.rev)?.ok_or_else(|| Refusal::invalid("`rev` is missing"))?;
        let terms = match (raw.key.kind, raw.subscription, raw.licence) {
            (KeyKind::Subscription, Some(subscription), None) => {
                Terms::Subscription(Subscription::read(subscription, raw.order)?)
            }
            (KeyKind::Commercial, None, Some(licence)) => Terms::Licence(Licence::read(&licence)?),
            (KeyKind::Subscription, ..) => {
                return Err(Refusal::invalid("a subscription key needs `subscription`, and no `licence`"));
            }
            (KeyKind::Commercial, ..) => {
                return Err(Refusal::invalid("a commercial key needs `licence`, and no `subscription`"));
            }
        };
        if let Some(vendor) = &raw.vendor {
            for (name, text) in [
                ("vendor.name", &vendor.name),
                ("vendor.support_url", &vendor.support_url),
                ("vendor.phone", &vendor.phone),
                ("vendor.renewal_url", &vendor.renewal_url),
            ] {
                bounded(name, text.as_ref(), 200)?;
            }
        }
        Ok(Self {
            issuer: raw.iss,
            rev,
            key: raw.key.id,
            terms,
            devices: one_or_more("devices", raw.devices)?,
            min_product_version: raw.min_product_version,
            fresh_until: raw.fresh_until,
            vendor: raw.vendor,
        })
    }

    /// The kind of the key.
    pub fn kind(&self) -> KeyKind {
        match self.terms {
            Terms::Subscription(_) => KeyKind::Subscription,
            Terms::Licence(_) => KeyKind::Commercial,
        }
    }

    /// The subscription, where it is one.
    pub fn subscription(&self) -> Option<&Subscription> {
        match &self.terms {
            Terms::Subscription(subscription) => Some(subscription),
            Terms::Licence(_) => None,
        }
    }

    /// The vendor's word, and from when it counts.
    pub fn vendor_state(&self) -> (VendorState, Option<Timestamp>) {
        match &self.terms {
            Terms::Subscription(s) => (s.state, s.state_since),
            Terms::Licence(l) => match l.blocked_since {
                Some(since) => (VendorState::Blocked, Some(since)),
                None => (VendorState::Active, None),
            },
        }
    }

    /// The vendor's word that is in force at `now`: one that is announced for later does not count yet.
    pub fn vendor_state_at(&self, now: Timestamp) -> VendorState {
        let (state, since) = self.vendor_state();
        if since.is_some_and(|since| since > now) { VendorState::Active } else { state }
    }

    /// Until when an unlimited subscription was prepaid.
    pub fn paid_until(&self) -> Option<Timestamp> {
        match self.subscription()?.term {
            Term::Unlimited { paid_until } => paid_until,
            Term::Limited { .. } => None,
        }
    }

    /// Whether the seller renews the key without being asked.
    pub fn auto_renew(&self) -> bool {
        self.subscription().is_some_and(|s| s.auto_renew)
    }

    /// The vendor's name, or "the vendor".
    pub fn vendor_name(&self) -> &str {
        self.vendor.as_ref().and_then(|v| v.name.as_deref()).unwrap_or("the vendor")
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
                return Err(Refusal::invalid("a limited subscription needs `term.ends_at`"));
            }
            (RawTermType::Limited, ..) => {
                return Err(Refusal::invalid("`term.paid_until` is for unlimited subscriptions"));
            }
            (RawTermType::Unlimited, None, paid_until) => Term::Unlimited { paid_until },
            (RawTermType::Unlimited, ..) => {
                return Err(Refusal::invalid("`term.ends_at` is for limited subscriptions"));
            }
        };
        if raw.state.is_some() && raw.state_since.is_none() {
            return Err(Refusal::invalid("`subscription.state` needs `state_since`"));
        }
        let (state, auto_renew) = (raw.state.unwrap_or_default(), raw.auto_renew.unwrap_or_default());
        if state == VendorState::SoftCancelled && (auto_renew || !matches!(term, Term::Limited { .. })) {
            return Err(Refusal::invalid(
                "only a limited subscription without `auto_renew` can be `soft_cancelled`: it is the renewal that was cancelled",
            ));
        }
        let grace_days = raw.grace_days.unwrap_or(0);
        let grace_days = u64::try_from(grace_days)
            .map_err(|_| Refusal::invalid(format!("`grace_days` must be 0 or more, not {grace_days}")))?;
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
        bounded("order.number", order.as_ref().and_then(|o| o.number.as_ref()), 64)?;
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
        let period_days = one_or_more("licence.period_days", raw.period_days)?
            .ok_or_else(|| Refusal::invalid("`licence.period_days` is missing"))?;
        if raw.state.is_some() && raw.state_since.is_none() {
            return Err(Refusal::invalid("`licence.state` needs `state_since`"));
        }
        let blocked_since = match raw.state {
            None | Some(VendorState::Active) => None,
            Some(VendorState::Blocked) => raw.state_since,
            Some(_) => return Err(Refusal::invalid("`licence.state` can be `active` or `blocked`")),
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
            ("unknown variant", |c| c["subscription"]["state"] = json!("sleeping")),
            ("unknown variant", |c| c["key"]["kind"] = json!("trial")),
            ("unknown variant", |c| c["subscription"]["order"]["channel"] = json!("pigeon")),
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
