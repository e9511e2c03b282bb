//! What a change changes of a key's claims, claim by claim.

use serde::Serialize;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt};
use svm_core::subscription::Statement;

/// One claim that is another after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// With dots: `subscription.term.ends_at`.
    pub claim: String,
    /// `None` where it was absent.
    pub old: Option<Value>,
    /// `None` where it is absent now.
    pub new: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<Value>| match value {
            None => "(not set)".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        write!(f, "{}: {} -> {}", self.claim, shown(&self.old), shown(&self.new))
    }
}

/// What differs between two revisions, by the claims' names; the number of the revision does not count.
pub fn differences(old: &Statement, new: &Statement) -> Vec<Difference> {
    let (mut old, mut new) = (flat(old), flat(new));
    let mut names: Vec<String> = old.keys().chain(new.keys()).cloned().collect();
    names.sort();
    names.dedup();
    let both = names.into_iter().map(|claim| {
        let (old, new) = (old.remove(&claim), new.remove(&claim));
        Difference { claim, old, new }
    });
    both.filter(|difference| difference.claim != "rev" && difference.old != difference.new).collect()
}

fn flat(statement: &Statement) -> BTreeMap<String, Value> {
    fn add(claims: Map<String, Value>, above: &str, to: &mut BTreeMap<String, Value>) {
        for (name, value) in claims {
            match value {
                Value::Object(inner) => add(inner, &format!("{above}{name}."), to),
                value => drop(to.insert(format!("{above}{name}"), value)),
            }
        }
    }
    let mut claims = BTreeMap::new();
    add(statement.to_claims(), "", &mut claims);
    // What is absent equals its default; the state of a new subscription is, and people ask for it.
    if statement.subscription().is_some() {
        claims.entry("subscription.state".to_owned()).or_insert_with(|| "active".into());
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claims_that_differ_are_named_with_dots() {
        let statement = |rev: u64, more: Value| {
            let mut claims = json!({"rev": rev, "key": {"id": "S", "kind": "subscription"},
                "subscription": {"term": {"type": "unlimited"}, "grace_days": 3}});
            claims["devices"] = more["devices"].clone();
            claims["subscription"]["term"]["paid_until"] = more["paid"].clone();
            Statement::read(&claims).unwrap()
        };
        let old = statement(1, json!({"devices": 5, "paid": null}));
        let new = statement(2, json!({"devices": 6, "paid": "2026-01-01T00:00:00Z"}));
        let shown: Vec<String> = differences(&old, &new).iter().map(Difference::to_string).collect();
        assert_eq!(
            shown,
            ["devices: 5 -> 6", "subscription.term.paid_until: (not set) -> 2026-01-01T00:00:00Z"]
        );
        assert!(differences(&old, &statement(9, json!({"devices": 5, "paid": null}))).is_empty());
    }
}
