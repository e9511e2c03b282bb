//! The form of a program's settings: which keys there are and what may stand at each, learnt from a TOML text in which
//! each stands with its default, and from rules beside it.

use crate::nearest::{distance, nearest};
use crate::settings::address::quoted;
use crate::settings::problem::Problem;
use crate::settings::values::choice;
use crate::text;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use toml::Table;
use toml::de::{DeTable, DeValue};

/// What may stand at a key, beyond the type of its default. In a list it holds for each item.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A whole number, from the first to the second.
    Range(i64, i64),
    /// What a text looks like (ECMA 262), for the JSON Schema. The program's own check is finer and says more.
    Pattern(&'static str),
    /// Its default cannot be used: somebody has to set it.
    Needed,
    /// More of the JSON Schema, as its text.
    Schema(&'static str),
}

/// Rules by key; `*` stands for each name that the administrator gives.
pub type Rules = &'static [(&'static str, Rule)];

/// The keys of a program's settings.
pub struct Form {
    pub(super) defaults: &'static str,
    /// Tables whose keys are names that the administrator gives, and the form of what is under each.
    pub(super) maps: &'static [(&'static str, &'static str)],
    pub(super) rules: Rules,
    pub(super) root: Kind,
}

/// What may stand at a key.
pub(super) enum Kind {
    /// A text; where there are words, one of them.
    Text(&'static [&'static str]),
    /// From and to.
    Integer(i64, i64),
    Boolean,
    List(Box<Kind>),
    Table(BTreeMap<String, Kind>),
    /// Any names, all with tables of this form.
    Named(Box<Kind>),
}

/// No number is larger than the type that holds it.
const ANY_NUMBER: Kind = Kind::Integer(0, u32::MAX as i64);

impl Kind {
    fn of(value: &toml::Value) -> Self {
        match value {
            toml::Value::Integer(_) | toml::Value::Float(_) => ANY_NUMBER,
            toml::Value::Boolean(_) => Self::Boolean,
            // An empty list is one of texts.
            toml::Value::Array(items) => {
                Self::List(Box::new(items.first().map_or(Self::Text(&[]), Self::of)))
            }
            toml::Value::Table(table) => {
                Self::Table(table.iter().map(|(key, value)| (key.clone(), Self::of(value))).collect())
            }
            toml::Value::String(_) | toml::Value::Datetime(_) => Self::Text(&[]),
        }
    }

    fn wanted(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text in quotes",
            Self::Integer(..) => "a whole number",
            Self::Boolean => "true or false",
            Self::List(_) => "a list in brackets",
            Self::Table(_) | Self::Named(_) => "a table",
        }
    }

    /// How to write a value of another kind, after the sentence that refuses it.
    fn way_out(&self, value: &DeValue<'_>) -> &'static str {
        match (self, value) {
            (Self::Text(_), DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_)) => {
                "; put the value in quotes"
            }
            (Self::Integer(..) | Self::Boolean, DeValue::String(text)) if self.read(text).is_ok() => {
                "; write it without quotes"
            }
            (Self::List(item), _) => match item.as_ref() {
                Self::Integer(..) => "; write it like [30, 7]",
                _ => "; write it like [\"one\", \"two\"]",
            },
            (Self::Table(_) | Self::Named(_), _) => {
                "; write its settings below a line with its name in brackets"
            }
            _ => "",
        }
    }

    /// As JSON Schema names it; of a leaf.
    pub(super) fn json_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Integer(..) => "integer",
            Self::Boolean => "boolean",
            Self::List(_) => "array",
            Self::Table(_) | Self::Named(_) => "object",
        }
    }

    /// The kind at a key of a rule.
    fn at(&mut self, key: &str) -> Option<&mut Self> {
        key.split('.').try_fold(self, |kind, part| match kind {
            Self::Table(keys) => keys.get_mut(part),
            Self::Named(each) if part == "*" => Some(each.as_mut()),
            _ => None,
        })
    }

    /// Puts a rule into the kind that it is about. `None` where it fits no such kind.
    fn obey(&mut self, rule: Rule) -> Option<()> {
        match (self, rule) {
            (Self::List(item), rule @ (Rule::OneOf(_) | Rule::Range(..))) => return item.obey(rule),
            (Self::Text(words), Rule::OneOf(allowed)) => *words = allowed,
            (Self::Integer(least, most), Rule::Range(from, to)) => (*least, *most) = (from, to),
            (_, Rule::OneOf(_) | Rule::Range(..)) => return None,
            (_, Rule::Pattern(_) | Rule::Needed | Rule::Schema(_)) => {}
        }
        Some(())
    }

    /// The text of a variable as a value of this kind.
    ///
    /// # Errors
    /// How it should be.
    fn read(&self, text: &str) -> Result<toml::Value, String> {
        let wrong = || format!(" must be {}, not {}", self.wanted(), quoted(text, MAX_QUOTED));
        let value = match self {
            Self::Text(_) => text.into(),
            Self::Integer(..) => text.trim().parse::<i64>().map(toml::Value::Integer).map_err(|_| wrong())?,
            Self::Boolean => text.trim().parse::<bool>().map(toml::Value::Boolean).map_err(|_| wrong())?,
            Self::List(item) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                toml::Value::Array(items.map(|text| item.read(text)).collect::<Result<_, _>>()?)
            }
            Self::Table(_) | Self::Named(_) => return Err(wrong()),
        };
        self.allows(&value).map(|()| value)
    }

    /// A value as it was parsed; of a list each item is taken apart by the caller.
    ///
    /// # Errors
    /// How it should be.
    fn take(&self, value: &DeValue<'_>) -> Result<toml::Value, String> {
        let taken = match (self, value) {
            (Self::Text(_), DeValue::String(text)) => toml::Value::String(text.to_string()),
            (Self::Integer(least, most), DeValue::Integer(number)) => {
                let value = i64::from_str_radix(number.as_str(), number.radix());
                toml::Value::Integer(value.map_err(|_| out_of_range(*least, *most, number))?)
            }
            (Self::Boolean, DeValue::Boolean(value)) => toml::Value::Boolean(*value),
            _ => {
                return Err(format!(
                    " must be {}, not {}{}",
                    self.wanted(),
                    found(value),
                    self.way_out(value)
                ));
            }
        };
        self.allows(&taken).map(|()| taken)
    }

    fn allows(&self, value: &toml::Value) -> Result<(), String> {
        match (self, value) {
            (Self::Text(_), toml::Value::String(text)) if text.chars().any(text::is_deceptive) => {
                let hidden = text.chars().find(|c| text::is_deceptive(*c)).unwrap_or_default();
                Err(format!(
                    ": has the control or invisible character U+{:04X}; remove it",
                    u32::from(hidden)
                ))
            }
            (Self::Text(words), toml::Value::String(text)) if !words.is_empty() => {
                let choices: Vec<(&str, ())> = words.iter().map(|word| (*word, ())).collect();
                choice(text, &choices).map_err(|message| format!(": {message}"))
            }
            (Self::Integer(least, most), toml::Value::Integer(number))
                if !(least..=most).contains(&number) =>
            {
                Err(out_of_range(*least, *most, number))
            }
            _ => Ok(()),
        }
    }
}

/// A value of another kind than expected, after "not". What may be a secret is not quoted.
fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {}", quoted(text, MAX_QUOTED)),
        DeValue::Integer(number) => format!("the number {}", cut(number)),
        DeValue::Float(number) => format!("the number {}", cut(number)),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The beginning of a number, which may have any length.
fn cut(number: &dyn std::fmt::Display) -> String {
    number.to_string().chars().take(40).collect()
}

fn out_of_range(least: i64, most: i64, number: &dyn std::fmt::Display) -> String {
    format!(": must be {least} to {most}, not {}", cut(number))
}

impl Form {
    /// A form by example. `maps` are tables with names of the administrator's choice, such as
    /// `("destinations", DEFAULTS_OF_ONE)`; they do not stand in `defaults`. `rules` say more of some keys.
    ///
    /// # Errors
    /// Texts that are not TOML, and rules about keys that are not there: defects of the program, which its tests find.
    pub fn new(
        defaults: &'static str,
        maps: &'static [(&'static str, &'static str)],
        rules: Rules,
    ) -> Result<Self, toml::de::Error> {
        let table = |text: &str| toml::from_str::<toml::Table>(text).map(toml::Value::Table);
        let mut root = Kind::of(&table(defaults)?);
        for (name, text) in maps {
            let of_each = Kind::of(&table(text)?);
            if let Kind::Table(keys) = &mut root {
                keys.insert((*name).to_owned(), Kind::Named(Box::new(of_each)));
            }
        }
        for (key, rule) in rules {
            let wrong = || serde::de::Error::custom(format!("the rule of `{key}` fits no key"));
            root.at(key).and_then(|kind| kind.obey(*rule)).ok_or_else(wrong)?;
        }
        Ok(Self { defaults, maps, rules, root })
    }

    /// The keys with a value, each as its parts.
    fn leaves(&self) -> Vec<Vec<&str>> {
        let (mut found, mut open) = (Vec::new(), vec![(Vec::new(), &self.root)]);
        while let Some((path, kind)) = open.pop() {
            let below = |name| [path.as_slice(), &[name]].concat();
            match kind {
                Kind::Table(keys) => {
                    open.extend(keys.iter().map(|(name, kind)| (below(name.as_str()), kind)))
                }
                Kind::Named(each) => open.push((below("*"), each)),
                _ => found.push(path),
            }
        }
        found
    }

    /// The variable that was meant by one whose name is not right, and how far it is from that.
    fn meant(&self, prefix: &str, name: &str) -> Option<(usize, String)> {
        let bare = |text: &str| -> String {
            text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
        };
        let (typed, start) = (bare(name), bare(prefix));
        // What begins otherwise is somebody else's, and a longer name is no typing error.
        if typed.get(..3) != start.get(..3) || typed.len() > MAX_NAME {
            return None;
        }
        let candidate = |leaf: Vec<&str>| {
            let mut parts: Vec<String> = leaf.iter().map(|part| part.to_uppercase()).collect();
            if let Some(at) = leaf.iter().position(|part| *part == "*") {
                // Some name stands between.
                let (before, after) = (parts.get(..at)?.concat(), parts.get(at + 1..)?.concat());
                let inner =
                    typed.strip_prefix(&start)?.strip_prefix(&bare(&before))?.strip_suffix(&bare(&after))?;
                *parts.get_mut(at)? = Some(inner.to_owned()).filter(|inner| !inner.is_empty())?;
            }
            let right = format!("{prefix}__{}", parts.join("__"));
            Some((distance(&typed, &bare(&right))?, right))
        };
        self.leaves().into_iter().filter_map(candidate).min()
    }
}

/// Holds layers against a form: what fits goes on, what does not is reported.
pub(super) struct Check<'a> {
    form: &'a Form,
    /// The place of every key that was set.
    pub(super) origins: BTreeMap<String, String>,
    pub(super) problems: Vec<Problem>,
    /// The keys that have a problem.
    pub(super) wrong: BTreeSet<String>,
    /// What was given a name: the table, and the name, which may have a dot in it.
    named: BTreeSet<(String, String)>,
}

impl<'a> Check<'a> {
    pub(super) fn new(form: &'a Form) -> Self {
        Self {
            form,
            origins: BTreeMap::new(),
            problems: Vec::new(),
            wrong: BTreeSet::new(),
            named: BTreeSet::new(),
        }
    }

    pub(super) fn wrong(&mut self, place: String, message: String) {
        self.problems.push(Problem { place, message });
    }

    /// What fits of a file.
    pub(super) fn file(&mut self, name: &str, text: &str) -> Table {
        let ends: Vec<usize> = text.match_indices('\n').map(|(end, _)| end).collect();
        let line = |offset: usize| 1 + ends.partition_point(|end| *end < offset);
        let (parsed, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            // What is left of a broken text may mean something else: none of it counts.
            for error in errors.iter().take(MAX_SYNTAX_ERRORS) {
                let at = error.span().map_or(0, |span| span.start);
                self.wrong(format!("{name}:{}", line(at)), syntax(error.message()));
            }
            return Table::new();
        }
        let mut walk = Walk {
            place: &|at| format!("{name}:{}", line(at)),
            origins: &mut self.origins,
            named: &mut self.named,
            keys: &mut self.wrong,
            wrong: Vec::new(),
        };
        let fitting = walk.table("", parsed.get_ref(), &self.form.root);
        let mut wrong = walk.wrong;
        wrong.sort();
        for (at, message) in wrong {
            self.wrong(format!("{name}:{}", line(at)), message);
        }
        fitting
    }

    /// The variables as layers. Those with another prefix are not looked at, whatever they hold; only a name that is
    /// nearly one of ours is reported.
    pub(super) fn variables(
        &mut self,
        prefix: &str,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Vec<Table> {
        let start = format!("{prefix}__");
        let mut ours: Vec<(OsString, OsString)> = Vec::new();
        for (name, value) in environment {
            if name.as_encoded_bytes().starts_with(start.as_bytes()) {
                ours.push((name, value));
            } else if let Some(name) = name.to_str()
                && let Some((_, right)) = self.form.meant(prefix, name)
            {
                self.wrong(name.to_owned(), format!("is not the name of a setting; did you mean {right}?"));
            }
        }
        ours.sort();
        ours.iter().filter_map(|(name, value)| self.variable(prefix, &start, name, value)).collect()
    }

    fn variable(&mut self, prefix: &str, start: &str, name: &OsStr, value: &OsStr) -> Option<Table> {
        let Some(text) = name.to_str() else {
            self.wrong(
                name.to_string_lossy().into_owned(),
                "the name of this variable is not UTF-8 text".to_owned(),
            );
            return None;
        };
        let key = text.strip_prefix(start).unwrap_or(text).to_lowercase().replace("__", ".");
        match value.to_str() {
            Some(value) => self.value_of(prefix, text, &key, value),
            None => {
                self.wrong.insert(key.clone());
                self.wrong(text.to_owned(), format!("the value of `{key}` is not UTF-8 text"));
                None
            }
        }
    }

    /// A variable as a layer, where it fits.
    fn value_of(&mut self, prefix: &str, name: &str, key: &str, value: &str) -> Option<Table> {
        let mut kind = &self.form.root;
        for part in key.split('.') {
            let below = match kind {
                Kind::Table(keys) => keys.get(part).ok_or_else(|| unknown(part, keys)),
                Kind::Named(each) => Ok(each.as_ref()),
                _ => Err(format!("`{key}` is below a setting that is not a table")),
            };
            match below {
                Ok(below) => kind = below,
                Err(message) => {
                    // One underscore where two belong.
                    let meant = self.form.meant(prefix, name).filter(|(distance, _)| *distance == 0);
                    let message = meant.map_or(message, |(_, right)| {
                        format!("is not the name of a setting; did you mean {right}?")
                    });
                    self.wrong(name.to_owned(), message);
                    return None;
                }
            }
        }
        let value = match kind.read(value) {
            Ok(value) => value,
            Err(message) => {
                self.wrong.insert(key.to_owned());
                self.wrong(name.to_owned(), format!("`{key}`{message}"));
                return None;
            }
        };
        self.origins.insert(key.to_owned(), name.to_owned());
        // The items of an earlier layer had places of their own.
        self.origins.retain(|item, _| item.strip_prefix(key).is_none_or(|rest| !rest.starts_with('[')));
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
    keys: &'a mut BTreeSet<String>,
    /// By offset in the text.
    wrong: Vec<(usize, String)>,
}

impl Walk<'_> {
    /// Notes the place of every key, and answers what fits.
    fn table(&mut self, path: &str, table: &DeTable<'_>, kind: &Kind) -> Table {
        let mut fitting = Table::new();
        for (key, value) in table {
            let (name, key_at) = (key.get_ref().as_ref(), key.span().start);
            let below = match kind {
                Kind::Table(keys) => keys.get(name).ok_or_else(|| unknown(name, keys)),
                Kind::Named(each) => Ok(each.as_ref()),
                _ => continue,
            };
            let (above, path) = (path, join(path, name));
            let below = match below {
                Ok(below) => below,
                Err(message) => {
                    self.wrong.push((key_at, message));
                    continue;
                }
            };
            let taken = match (below, value.get_ref()) {
                (Kind::Table(_) | Kind::Named(_), DeValue::Table(inner)) => {
                    Some(toml::Value::Table(self.table(&path, inner, below)))
                }
                (Kind::List(item), DeValue::Array(items)) => {
                    let mut list = Vec::new();
                    for (index, value) in items.iter().enumerate() {
                        let at = value.span().start;
                        // The place of what is taken: items that do not fit are not counted.
                        let own = format!("{path}[{}]", list.len());
                        if let Some(value) = self.item(&path, index, at, item.take(value.get_ref())) {
                            list.push(value);
                            self.origins.insert(own, (self.place)(at));
                        }
                    }
                    // The items of an earlier layer had places of their own.
                    let stale = (list.len()..).map(|index| format!("{path}[{index}]"));
                    for item in stale {
                        if self.origins.remove(&item).is_none() {
                            break;
                        }
                    }
                    Some(toml::Value::Array(list))
                }
                (below, value) => match below.take(value) {
                    Ok(value) => Some(value),
                    Err(message) => {
                        self.fault(&path, key_at, format!("`{path}`{message}"));
                        None
                    }
                },
            };
            if let Some(value) = taken {
                if matches!(kind, Kind::Named(_)) {
                    self.named.insert((above.to_owned(), name.to_owned()));
                }
                self.origins.insert(path, (self.place)(key_at));
                fitting.insert(name.to_owned(), value);
            }
        }
        fitting
    }

    fn item(
        &mut self,
        path: &str,
        index: usize,
        at: usize,
        taken: Result<toml::Value, String>,
    ) -> Option<toml::Value> {
        taken.map_err(|message| self.fault(path, at, format!("item {} of `{path}`{message}", index + 1))).ok()
    }

    fn fault(&mut self, path: &str, at: usize, message: String) {
        self.keys.insert(path.to_owned());
        self.wrong.push((at, message));
    }
}

/// What is wrong with the syntax of a line: the parser's messages in words, each by a part of it.
const SYNTAX: &[(&str, &str)] = &[
    ("string values must be quoted", "there is no value behind `=`, or a text without quotes"),
    ("cannot be empty", "there is no name before `=`"),
    ("duplicate key", "this setting or table stands here a second time; remove one of the two"),
    ("unclosed table", "the name of a table must end with `]`"),
    ("unclosed array", "the list has no closing `]`"),
    ("unclosed inline table", "the table has no closing `}`"),
    ("multi-line", "a text in quotes must end in the line where it begins"),
    (
        "basic string",
        "the text in quotes is not complete; check the quotes, and write `\\\\` for a backslash",
    ),
    ("literal string", "the text in quotes is not complete; check the quotes"),
    ("escape", "a backslash in a text in quotes must be written as `\\\\`"),
    ("missing value", "there is no value behind `=`"),
    ("missing assignment", "there is no `=` behind the name of the setting"),
    ("expected `=`", "there is no `=` behind the name of the setting"),
    ("newline", "more than one setting stands in the line, or the value is not in quotes"),
    ("comment", "a comment has a character that is not allowed"),
    ("integer", "a number has a character that is not allowed; a text must stand in quotes"),
    ("float", "a number has a character that is not allowed; a text must stand in quotes"),
    ("date", "a date or time is not complete; a text must stand in quotes"),
    ("key", "the name of the setting has a character that is not allowed"),
];

fn syntax(message: &str) -> String {
    let lower = message.to_ascii_lowercase();
    let known = SYNTAX.iter().find(|(part, _)| lower.contains(part)).map(|(_, words)| *words);
    format!("not valid TOML: {}", known.unwrap_or("write it like name = \"value\""))
}

/// Characters of a value that are quoted at most: a longer one is no typing error, and may be a secret.
const MAX_QUOTED: usize = 24;

/// More of a key than this is not looked at where it is unknown.
const MAX_NAME: usize = 100;

/// More errors of syntax in one file follow from those before them.
const MAX_SYNTAX_ERRORS: usize = 20;

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn unknown(name: &str, keys: &BTreeMap<String, Kind>) -> String {
    let meant = nearest(name, keys.keys().map(String::as_str));
    let name: String = name.escape_debug().take(MAX_NAME).collect();
    match meant {
        Some(key) => format!("unknown setting `{name}`; did you mean `{key}`?"),
        None => {
            let all: Vec<_> = keys.keys().map(String::as_str).collect();
            format!("unknown setting `{name}`; the settings here are {}", all.join(", "))
        }
    }
}
