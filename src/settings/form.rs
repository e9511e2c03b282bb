//! The form of a program's settings: which keys there are, and of which type, learnt from a TOML text in which
//! each stands with its default.

use super::Problem;
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// The keys of a program's settings.
pub struct Form {
    defaults: &'static str,
    /// Tables whose keys are names that the administrator gives, and the form of what is under each.
    maps: &'static [(&'static str, &'static str)],
    root: Kind,
}

/// What may stand at a key.
enum Kind {
    Text,
    Integer,
    Boolean,
    List,
    Table(BTreeMap<String, Kind>),
    /// Any names, all with tables of this form.
    Named(Box<Kind>),
}

impl Kind {
    fn of(value: &toml::Value) -> Self {
        match value {
            toml::Value::Integer(_) | toml::Value::Float(_) => Self::Integer,
            toml::Value::Boolean(_) => Self::Boolean,
            toml::Value::Array(_) => Self::List,
            toml::Value::Table(table) => {
                Self::Table(table.iter().map(|(key, value)| (key.clone(), Self::of(value))).collect())
            }
            toml::Value::String(_) | toml::Value::Datetime(_) => Self::Text,
        }
    }

    fn wanted(&self) -> &'static str {
        match self {
            Self::Text => "a text in quotes",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::List => "a list in brackets",
            Self::Table(_) | Self::Named(_) => "a table",
        }
    }

    fn accepts(&self, value: &DeValue<'_>) -> bool {
        match value {
            DeValue::String(_) => matches!(self, Self::Text),
            DeValue::Integer(_) => matches!(self, Self::Integer),
            DeValue::Boolean(_) => matches!(self, Self::Boolean),
            DeValue::Array(_) => matches!(self, Self::List),
            DeValue::Table(_) => matches!(self, Self::Table(_) | Self::Named(_)),
            DeValue::Float(_) | DeValue::Datetime(_) => false,
        }
    }
}

impl Form {
    /// A form by example. `maps` are tables with names of the administrator's choice, such as
    /// `("destinations", DEFAULTS_OF_ONE)`; they do not stand in `defaults`.
    ///
    /// # Errors
    /// Texts that are not TOML: a defect of the program, which its tests find.
    pub fn new(
        defaults: &'static str,
        maps: &'static [(&'static str, &'static str)],
    ) -> Result<Self, toml::de::Error> {
        let table = |text: &str| toml::from_str::<toml::Table>(text).map(toml::Value::Table);
        let mut root = Kind::of(&table(defaults)?);
        for (name, text) in maps {
            let of_each = Kind::of(&table(text)?);
            if let Kind::Table(keys) = &mut root {
                keys.insert((*name).to_owned(), Kind::Named(Box::new(of_each)));
            }
        }
        Ok(Self { defaults, maps, root })
    }

    pub(super) fn defaults(&self) -> &'static str {
        self.defaults
    }

    /// Dotted keys that hold lists.
    pub(super) fn lists(&self) -> Vec<String> {
        fn walk(path: &str, kind: &Kind, found: &mut Vec<String>) {
            match kind {
                Kind::List => found.push(path.to_owned()),
                Kind::Table(keys) => {
                    for (key, kind) in keys {
                        walk(&join(path, key), kind, found);
                    }
                }
                _ => {}
            }
        }
        let mut found = Vec::new();
        walk("", &self.root, &mut found);
        found
    }

    /// The text with the defaults of named tables filled in: what it leaves out has its default.
    pub(super) fn with_map_defaults(&self, text: &str) -> String {
        let Ok(mut root) = toml::from_str::<toml::Table>(text) else { return text.to_owned() };
        for (name, defaults) in self.maps {
            let Ok(defaults) = toml::from_str::<toml::Table>(defaults) else { continue };
            for (_, given) in root.get_mut(*name).and_then(toml::Value::as_table_mut).into_iter().flatten() {
                let Some(given) = given.as_table_mut() else { continue };
                for (key, value) in &defaults {
                    given.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        root.to_string()
    }

    /// Holds a file against the form, and notes the place of every key.
    pub(super) fn check_file(
        &self,
        name: &str,
        text: &str,
        origins: &mut BTreeMap<String, String>,
        problems: &mut Vec<Problem>,
    ) {
        let line = |offset: usize| 1 + text.bytes().take(offset).filter(|b| *b == b'\n').count();
        match DeTable::parse(text) {
            Err(error) => {
                let at = line(error.span().map_or(0, |span| span.start));
                problems.push(Problem { place: format!("{name}:{at}"), message: error.message().to_owned() });
            }
            Ok(table) => {
                let mut check =
                    Check { place: &|at| format!("{name}:{}", line(at)), origins, wrong: Vec::new() };
                check.table("", table.get_ref(), &self.root);
                check.wrong.sort();
                problems.extend(
                    check
                        .wrong
                        .into_iter()
                        .map(|(at, message)| Problem { place: format!("{name}:{}", line(at)), message }),
                );
            }
        }
    }

    /// Holds a variable of the environment against the form.
    pub(super) fn check_variable(
        &self,
        name: &str,
        key: &str,
        value: &str,
        origins: &mut BTreeMap<String, String>,
        problems: &mut Vec<Problem>,
    ) {
        let mut kind = &self.root;
        let mut wrong = |message: String| problems.push(Problem { place: name.to_owned(), message });
        for part in key.split('.') {
            kind = match kind {
                Kind::Table(keys) => match keys.get(part) {
                    Some(kind) => kind,
                    None => return wrong(unknown(part, keys)),
                },
                Kind::Named(each) => each,
                _ => return wrong(format!("`{key}` goes below a key that has no keys of its own")),
            };
        }
        let fits = match kind {
            Kind::Integer => value.parse::<i64>().is_ok(),
            Kind::Boolean => value.parse::<bool>().is_ok(),
            Kind::Text | Kind::List => true,
            Kind::Table(_) | Kind::Named(_) => false,
        };
        if fits {
            origins.insert(key.to_owned(), name.to_owned());
        } else {
            wrong(format!("`{key}` must be {}", kind.wanted()));
        }
    }
}

struct Check<'a> {
    place: &'a dyn Fn(usize) -> String,
    origins: &'a mut BTreeMap<String, String>,
    /// By offset in the text.
    wrong: Vec<(usize, String)>,
}

impl Check<'_> {
    fn table(&mut self, path: &str, table: &DeTable<'_>, kind: &Kind) {
        for (key, value) in table {
            let (name, key_at) = (key.get_ref(), key.span().start);
            let kind = match kind {
                Kind::Table(keys) => match keys.get(name.as_ref()) {
                    Some(kind) => kind,
                    None => {
                        self.wrong(key_at, unknown(name, keys));
                        continue;
                    }
                },
                Kind::Named(each) => each,
                _ => continue,
            };
            let path = join(path, name);
            self.origins.insert(path.clone(), (self.place)(key_at));
            let value = value.get_ref();
            if !kind.accepts(value) {
                let found = value.type_str();
                self.wrong(key_at, format!("`{path}` must be {}, not {found}", kind.wanted()));
            } else if let DeValue::Table(below) = value {
                self.table(&path, below, kind);
            }
        }
    }

    fn wrong(&mut self, at: usize, message: String) {
        self.wrong.push((at, message));
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn unknown(name: &str, keys: &BTreeMap<String, Kind>) -> String {
    let nearest = keys.keys().map(|key| (strsim::damerau_levenshtein(name, key), key)).min();
    let name = name.escape_debug();
    match nearest {
        Some((distance, key)) if distance <= 1 + key.len() / 3 => {
            format!("unknown key `{name}`; did you mean `{key}`?")
        }
        _ => {
            let all: Vec<_> = keys.keys().map(String::as_str).collect();
            format!("unknown key `{name}`; here one of these can stand: {}", all.join(", "))
        }
    }
}
