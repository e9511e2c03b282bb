//! The form of settings as JSON Schema (draft 2020-12), for editors and for whoever makes settings by program.
//!
//! Learnt from the same text as the form itself: the types and defaults of its keys, and the comments above them.

use super::form::{Form, Kind};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The schema of a form. `id` is its name, `title` is for people.
pub fn schema(form: &Form, id: &str, title: &str) -> Value {
    let mut defaults: toml::Table = toml::from_str(form.defaults).unwrap_or_default();
    for (name, text) in form.maps {
        let named = toml::from_str::<toml::Table>(text).unwrap_or_default();
        defaults.insert((*name).to_owned(), toml::Value::Table(named));
    }
    let mut schema = of(&form.root, "", Some(&toml::Value::Table(defaults)), &comments(form.defaults));
    if let Value::Object(schema) = &mut schema {
        schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.insert("$id".into(), id.into());
        schema.insert("title".into(), title.into());
    }
    schema
}

fn of(kind: &Kind, key: &str, default: Option<&toml::Value>, comments: &BTreeMap<String, String>) -> Value {
    let mut schema = match kind {
        Kind::Table(keys) => {
            let property = |(name, kind): (&String, &Kind)| {
                let below = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                (name.clone(), of(kind, &below, default.and_then(|default| default.get(name)), comments))
            };
            let properties: Map<String, Value> = keys.iter().map(property).collect();
            json!({"type": "object", "properties": properties, "additionalProperties": false})
        }
        Kind::Named(each) => {
            json!({"type": "object", "additionalProperties": of(each, key, default, comments)})
        }
        leaf => json!({"type": leaf.json_type(), "default": default}),
    };
    let comment = comments.get(key).filter(|_| !matches!(kind, Kind::Named(_)));
    if let (Some(comment), Value::Object(schema)) = (comment, &mut schema) {
        schema.insert("description".into(), comment.as_str().into());
    }
    schema
}

/// The comment right above each key and table.
fn comments(defaults: &str) -> BTreeMap<String, String> {
    let (mut table, mut above, mut found) = (String::new(), Vec::new(), BTreeMap::new());
    for line in defaults.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix('#') {
            above.push(comment.trim());
            continue;
        }
        let key = if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = name.to_owned();
            Some(table.clone())
        } else {
            line.split_once('=').map(|(name, _)| match table.as_str() {
                "" => name.trim().to_owned(),
                table => format!("{table}.{}", name.trim()),
            })
        };
        if let Some(key) = key.filter(|_| !above.is_empty()) {
            found.insert(key, above.join(" "));
        }
        above.clear();
    }
    found
}
