//! The form of settings as JSON Schema (draft 2020-12), for editors and for programs that write settings.
//!
//! Learnt from the same text as the form itself: the types and defaults of its keys, and the comments above them.

use crate::settings::form::{Form, Kind, Rule, Rules};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use toml::Table;

/// The schema of a form. `id` is its name, `title` is for people.
pub fn schema(form: &Form, id: &str, title: &str) -> Value {
    let mut defaults: toml::Table = toml::from_str(form.defaults).unwrap_or_default();
    for (name, text) in form.maps {
        let named = toml::from_str::<toml::Table>(text).unwrap_or_default();
        defaults.insert(
            (*name).to_owned(),
            toml::Value::Table(Table::from_iter([("*".to_owned(), named.into())])),
        );
    }
    let writer = Writer { rules: form.rules, comments: comments(form.defaults) };
    let mut schema = writer.of(&form.root, "", Some(&toml::Value::Table(defaults)));
    if let Value::Object(schema) = &mut schema {
        schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.insert("$id".into(), id.into());
        schema.insert("title".into(), title.into());
    }
    schema
}

struct Writer {
    rules: Rules,
    comments: BTreeMap<String, String>,
}

impl Writer {
    fn rules(&self, key: &str) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |(of, _)| *of == key).map(|(_, rule)| rule)
    }

    fn is_needed(&self, key: &str) -> bool {
        self.rules(key).any(|rule| matches!(rule, Rule::Needed))
    }

    fn of(&self, kind: &Kind, key: &str, default: Option<&toml::Value>) -> Value {
        let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
        let mut schema = match kind {
            Kind::Table(keys) => {
                let property = |(name, kind): (&String, &Kind)| {
                    let default = default.and_then(|default| default.get(name));
                    (name.clone(), self.of(kind, &below(name), default))
                };
                let properties: Map<String, Value> = keys.iter().map(property).collect();
                let needed: Vec<&String> = keys.keys().filter(|name| self.is_needed(&below(name))).collect();
                let mut schema =
                    json!({"type": "object", "properties": properties, "additionalProperties": false});
                if let (false, Value::Object(schema)) = (needed.is_empty(), &mut schema) {
                    schema.insert("required".into(), json!(needed));
                }
                schema
            }
            Kind::Named(each) => {
                let default = default.and_then(|default| default.get("*"));
                json!({"type": "object", "additionalProperties": self.of(each, &below("*"), default)})
            }
            Kind::List(item) => json!({"type": "array", "items": self.leaf(item, key), "default": default}),
            leaf => {
                let mut schema = self.leaf(leaf, key);
                if let (false, Value::Object(schema)) = (self.is_needed(key), &mut schema) {
                    schema.insert("default".into(), json!(default));
                }
                schema
            }
        };
        if let Value::Object(schema) = &mut schema {
            // The names of a table have a pattern of their own.
            if let (Kind::Named(_), Some(Rule::Pattern(pattern))) = (kind, self.rules(key).next()) {
                schema.insert("propertyNames".into(), json!({"pattern": pattern}));
            }
            for rule in self.rules(key) {
                if let Rule::Schema(more) = rule {
                    let more: Map<String, Value> = serde_json::from_str(more).unwrap_or_default();
                    schema.extend(more);
                }
            }
            if let Some(comment) = self.comments.get(key) {
                schema.insert("description".into(), comment.as_str().into());
            }
        }
        schema
    }

    fn leaf(&self, kind: &Kind, key: &str) -> Value {
        let mut schema = Map::from_iter([("type".to_owned(), Value::from(kind.json_type()))]);
        match kind {
            Kind::Text([]) => {}
            Kind::Text(words) => drop(schema.insert("enum".into(), json!(words))),
            Kind::Integer(least, most) => {
                schema.insert("minimum".into(), (*least).into());
                schema.insert("maximum".into(), (*most).into());
            }
            Kind::Boolean | Kind::List(_) | Kind::Table(_) | Kind::Named(_) => {}
        }
        let patterns = self.rules(key).filter_map(|rule| match rule {
            Rule::Pattern(pattern) => Some(*pattern),
            _ => None,
        });
        for pattern in patterns {
            schema.insert("pattern".into(), pattern.into());
        }
        schema.into()
    }
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
