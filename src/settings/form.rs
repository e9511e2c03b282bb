//! The form of a program's settings: which keys there are, and of which type, learnt from a TOML text in which
//! each stands with its default.

use super::Problem;
use std::collections::{BTreeMap, BTreeSet};
use toml::Table;
use toml::de::{DeTable, DeValue};

/// The keys of a program's settings.
pub struct Form {
    pub(super) defaults: &'static str,
    /// Tables whose keys are names that the administrator gives, and the form of what is under each.
    pub(super) maps: &'static [(&'static str, &'static str)],
    pub(super) root: Kind,
}

/// What may stand at a key.
pub(super) enum Kind {
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

    /// As JSON Schema names it; of a leaf.
    pub(super) fn json_type(&self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::List => "array",
            Self::Table(_) | Self::Named(_) => "object",
        }
    }

    /// The text of a variable as a value of this kind.
    fn read(&self, text: &str) -> Option<toml::Value> {
        match self {
            Self::Text => Some(text.into()),
            Self::Integer => text.trim().parse::<i64>().ok().map(toml::Value::Integer),
            Self::Boolean => text.trim().parse::<bool>().ok().map(toml::Value::Boolean),
            Self::List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                let item =
                    |text: &str| text.parse::<i64>().map_or_else(|_| text.into(), toml::Value::Integer);
                Some(toml::Value::Array(items.map(item).collect()))
            }
            Self::Table(_) | Self::Named(_) => None,
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
}

/// Holds layers against a form: what fits goes on, what does not is told.
pub(super) struct Check<'a> {
    form: &'a Form,
    /// The place of every key that was set.
    pub(super) origins: BTreeMap<String, String>,
    pub(super) problems: Vec<Problem>,
    /// What was given a name: the table, and the name, which may have a dot in it.
    named: BTreeSet<(String, String)>,
}

impl<'a> Check<'a> {
    pub(super) fn new(form: &'a Form) -> Self {
        Self { form, origins: BTreeMap::new(), problems: Vec::new(), named: BTreeSet::new() }
    }

    pub(super) fn wrong(&mut self, place: String, message: String) {
        self.problems.push(Problem { place, message });
    }

    /// What fits of a file.
    pub(super) fn file(&mut self, name: &str, text: &str) -> Table {
        let ends: Vec<usize> = text.match_indices('\n').map(|(end, _)| end).collect();
        let line = |offset: usize| 1 + ends.partition_point(|end| *end < offset);
        let parsed = DeTable::parse(text)
            .map_err(|error| (error.span().map_or(0, |span| span.start), error.message().to_owned()));
        let (spanned, mut fitting) = match (parsed, toml::from_str::<Table>(text)) {
            (Ok(spanned), Ok(table)) => (spanned, table),
            (Err((at, message)), _) => {
                self.wrong(format!("{name}:{}", line(at)), message);
                return Table::new();
            }
            (_, Err(error)) => {
                self.wrong(name.to_owned(), error.message().to_owned());
                return Table::new();
            }
        };
        let mut walk = Walk {
            place: &|at| format!("{name}:{}", line(at)),
            origins: &mut self.origins,
            named: &mut self.named,
            wrong: Vec::new(),
        };
        walk.table("", spanned.get_ref(), &mut fitting, &self.form.root);
        let mut wrong = walk.wrong;
        wrong.sort();
        for (at, message) in wrong {
            self.wrong(format!("{name}:{}", line(at)), message);
        }
        fitting
    }

    /// A variable as a layer, where it fits.
    pub(super) fn variable(&mut self, name: &str, key: &str, value: &str) -> Option<Table> {
        let mut kind = &self.form.root;
        for part in key.split('.') {
            let below = match kind {
                Kind::Table(keys) => keys.get(part).ok_or_else(|| unknown(part, keys)),
                Kind::Named(each) => Ok(each.as_ref()),
                _ => Err(format!("`{key}` goes below a key that has no keys of its own")),
            };
            match below {
                Ok(below) => kind = below,
                Err(message) => {
                    self.wrong(name.to_owned(), message);
                    return None;
                }
            }
        }
        let Some(value) = kind.read(value) else {
            self.wrong(name.to_owned(), format!("`{key}` must be {}", kind.wanted()));
            return None;
        };
        self.origins.insert(key.to_owned(), name.to_owned());
        if let [map, own, _, ..] = key.split('.').collect::<Vec<_>>().as_slice()
            && self.form.maps.iter().any(|(name, _)| name == map)
        {
            self.named.insert(((*map).to_owned(), (*own).to_owned()));
        }
        let nested = key
            .rsplit('.')
            .fold(value, |value, part| toml::Value::Table(Table::from_iter([(part.to_owned(), value)])));
        nested.as_table().cloned()
    }

    /// The defaults of everything that was given a name, in whichever layer.
    pub(super) fn defaults_of_named(&self) -> Table {
        let mut layer = Table::new();
        for (map, defaults) in self.form.maps {
            let Ok(defaults) = toml::from_str::<Table>(defaults) else { continue };
            let names = self.named.iter().filter(|(of, _)| of == map).map(|(_, name)| name);
            let named: Table =
                names.map(|name| (name.clone(), toml::Value::Table(defaults.clone()))).collect();
            layer.insert((*map).to_owned(), toml::Value::Table(named));
        }
        layer
    }
}

struct Walk<'a> {
    place: &'a dyn Fn(usize) -> String,
    origins: &'a mut BTreeMap<String, String>,
    named: &'a mut BTreeSet<(String, String)>,
    /// By offset in the text.
    wrong: Vec<(usize, String)>,
}

impl Walk<'_> {
    /// Notes the place of every key, and takes out of `fitting` what does not fit.
    fn table(&mut self, path: &str, table: &DeTable<'_>, fitting: &mut Table, kind: &Kind) {
        for (key, value) in table {
            let (name, key_at) = (key.get_ref().as_ref(), key.span().start);
            let below = match kind {
                Kind::Table(keys) => keys.get(name).ok_or_else(|| unknown(name, keys)),
                Kind::Named(each) => Ok(each.as_ref()),
                _ => continue,
            };
            let (above, path) = (path, join(path, name));
            let outcome = below.and_then(|below| match below.accepts(value.get_ref()) {
                true => Ok(below),
                false => {
                    Err(format!("`{path}` must be {}, not {}", below.wanted(), value.get_ref().type_str()))
                }
            });
            match outcome {
                Err(message) => {
                    self.wrong.push((key_at, message));
                    fitting.remove(name);
                }
                Ok(below) => {
                    if matches!(kind, Kind::Named(_)) {
                        self.named.insert((above.to_owned(), name.to_owned()));
                    }
                    self.origins.insert(path.clone(), (self.place)(key_at));
                    if let (DeValue::Table(inner), Some(toml::Value::Table(fitting))) =
                        (value.get_ref(), fitting.get_mut(name))
                    {
                        self.table(&path, inner, fitting, below);
                    }
                }
            }
        }
    }
}

/// More of a key than this is not looked at where it is unknown.
const LONGEST_NAME: usize = 100;

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn unknown(name: &str, keys: &BTreeMap<String, Kind>) -> String {
    // A longer name is no typing error, and comparing it would take long.
    let alike = keys.keys().filter(|_| name.len() <= LONGEST_NAME);
    let nearest = alike.map(|key| (strsim::damerau_levenshtein(name, key), key)).min();
    let name: String = name.escape_debug().take(LONGEST_NAME).collect();
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
