//! A message that the log may hold: one row of the catalogue, and how its text is rendered.

use std::fmt::{Display, Write};
use tracing::Level;

/// One row of `docs/reference/logs.md`. The text stands here once; a call gives the values.
#[derive(Clone, Copy, Debug)]
pub struct LogMessage {
    /// The field `event`. It never changes.
    pub id: &'static str,
    /// How much it matters.
    pub level: Level,
    /// The text, with a name in braces for each value: `delivery to {destination} fails: {problem}`.
    pub template: &'static str,
    /// The fields that each line of this message has, in any order.
    pub fields: &'static [&'static str],
    pub means: &'static str,
    /// What to do; empty if nothing is to be done.
    pub todo: &'static str,
}

impl LogMessage {
    /// Whether a call gives what this message needs: exactly its fields, a value for each name of the template, and no
    /// value that the template does not use. `log_event!` asks when it is compiled.
    pub const fn accepts(&self, fields: &[&str], values: &[&str]) -> bool {
        if !all_in(fields, self.fields) || !all_in(self.fields, fields) {
            return false;
        }
        let mut names = self.template.as_bytes();
        while let Some((name, rest)) = next_name(names) {
            if !is_in(name, fields) && !is_in(name, values) {
                return false;
            }
            names = rest;
        }
        let mut values = values;
        while let [value, rest @ ..] = values {
            if !names_value(self.template, value) {
                return false;
            }
            values = rest;
        }
        true
    }

    /// The text, with the values in place of their names. A name without a value stays empty.
    pub fn render(&self, values: &[(&str, &dyn TemplateValue)]) -> String {
        let (mut text, mut rest) = (String::with_capacity(160), self.template);
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
                value.write_to(&mut text);
            }
            rest = after;
        }
        text + rest
    }

    /// The names in braces, in their order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.template.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name))
    }
}

/// A value that a template may name: what `tracing` takes as a field, or [`Shown`].
pub trait TemplateValue {
    /// Appends the value, as a person reads it.
    fn write_to(&self, text: &mut String);
}

macro_rules! displayed {
    ($($type:ty),+) => { $(
        impl TemplateValue for $type {
            fn write_to(&self, text: &mut String) {
                write!(text, "{self}").ok();
            }
        }
    )+ };
}

displayed!(str, String, bool, u16, u32, u64, usize, i64);

impl<T: TemplateValue + ?Sized> TemplateValue for &T {
    fn write_to(&self, text: &mut String) {
        (**self).write_to(text);
    }
}

impl<T: TemplateValue> TemplateValue for Option<T> {
    fn write_to(&self, text: &mut String) {
        if let Some(value) = self {
            value.write_to(text);
        }
    }
}

/// A value that is no field, or is one by its `Display`.
#[derive(Debug)]
pub struct Shown<T>(pub T);

impl<T: Display> TemplateValue for Shown<T> {
    fn write_to(&self, text: &mut String) {
        write!(text, "{}", self.0).ok();
    }
}

const fn equal(mut one: &[u8], mut other: &[u8]) -> bool {
    // A field may be called `type`, which is a raw identifier at the call.
    if let [b'r', b'#', name @ ..] = one {
        one = name;
    }
    if let [b'r', b'#', name @ ..] = other {
        other = name;
    }
    while let ([a, rest @ ..], [b, others @ ..]) = (one, other) {
        if *a != *b {
            return false;
        }
        (one, other) = (rest, others);
    }
    one.is_empty() && other.is_empty()
}

const fn is_in(name: &[u8], mut names: &[&str]) -> bool {
    while let [first, rest @ ..] = names {
        if equal(first.as_bytes(), name) {
            return true;
        }
        names = rest;
    }
    false
}

const fn all_in(mut some: &[&str], names: &[&str]) -> bool {
    while let [first, rest @ ..] = some {
        if !is_in(first.as_bytes(), names) {
            return false;
        }
        some = rest;
    }
    true
}

const fn names_value(template: &str, value: &str) -> bool {
    let mut names = template.as_bytes();
    while let Some((name, rest)) = next_name(names) {
        if equal(name, value.as_bytes()) {
            return true;
        }
        names = rest;
    }
    false
}

/// The next name in braces, and what follows it.
const fn next_name(mut text: &[u8]) -> Option<(&[u8], &[u8])> {
    while let [byte, rest @ ..] = text {
        text = rest;
        if *byte != b'{' {
            continue;
        }
        let (mut length, mut after) = (0, rest);
        while let [byte, more @ ..] = after {
            after = more;
            if *byte == b'}' {
                return match rest.split_at_checked(length) {
                    Some((name, _)) => Some((name, after)),
                    None => None,
                };
            }
            length += 1;
        }
    }
    None
}
