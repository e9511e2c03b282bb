//! Settings as they are shown: every key with its value and where that comes from, and what differs between two.

use crate::settings::address::without_secrets;
use crate::settings::problem::{DEFAULT, Origins};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// Every key with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Shown(BTreeMap<String, Value>);

/// What a key has.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Value {
    /// As it is written in TOML.
    pub value: String,
    /// `file:line`, the name of a variable, or [`DEFAULT`].
    pub from: String,
    /// Of the whole value: what is left out of `value` may differ.
    #[serde(skip)]
    whole: Fingerprint,
}

/// Tells values apart within one process, and nothing else of them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fingerprint(u64);

impl Fingerprint {
    fn of(value: &toml::Value) -> Self {
        static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(KEYS.hash_one(value.to_string()))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A key whose value differs.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Change {
    /// Dotted, such as `source.url`.
    pub key: String,
    /// What it had; nothing where it was not there.
    pub old: Option<String>,
    /// Its value; `None` if the setting no longer exists.
    pub new: Option<String>,
}

impl Shown {
    /// The leaves of a table.
    pub(super) fn of(table: &toml::Table, origins: &Origins) -> Self {
        let mut shown = BTreeMap::new();
        let mut walk = vec![(String::new(), table)];
        while let Some((path, table)) = walk.pop() {
            for (name, value) in table {
                let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match value {
                    toml::Value::Table(inner) => walk.push((key, inner)),
                    leaf => {
                        let from = origins.own_place(&key).unwrap_or(DEFAULT).to_owned();
                        shown.insert(key, Value { value: plain(leaf), from, whole: Fingerprint::of(leaf) });
                    }
                }
            }
        }
        Self(shown)
    }

    /// Each key in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

/// A value without what may be a secret.
fn plain(value: &toml::Value) -> String {
    fn hidden(value: &toml::Value) -> toml::Value {
        match value {
            toml::Value::String(text) => without_secrets(text).as_ref().into(),
            toml::Value::Array(items) => toml::Value::Array(items.iter().map(hidden).collect()),
            other => other.clone(),
        }
    }
    hidden(value).to_string()
}

/// What differs, by key; also where that is left out of what is shown. A table that came or went brings its defaults
/// along: nobody set these, and they are no change.
pub fn changes(old: &Shown, new: &Shown) -> Vec<Change> {
    let keys: std::collections::BTreeSet<&String> = old.0.keys().chain(new.0.keys()).collect();
    let differs = |key: &&String| match (old.0.get(*key), new.0.get(*key)) {
        (Some(old), Some(new)) => old.whole != new.whole,
        (Some(alone), None) | (None, Some(alone)) => alone.from != DEFAULT,
        (None, None) => false,
    };
    let value = |shown: &Shown, key: &String| shown.0.get(key).map(|value| value.value.clone());
    let change = |key: &String| Change { key: key.clone(), old: value(old, key), new: value(new, key) };
    keys.into_iter().filter(differs).map(change).collect()
}
