//! JSON without surprises: each name once in its object, and no deeper than a bound.
//!
//! Parsers differ in which of two equal names they keep; a signed document must read the same everywhere, so
//! repeated names are refused at every level. The size is bounded by who calls.

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::{cell::RefCell, fmt};

/// Why a text was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not JSON; what and where, in the parser's words.
    NotJson(String),
    /// This name occurs twice in one object; escaped and cut.
    Duplicate(String),
    /// Objects and lists within each other, more than the bound.
    TooDeep,
}

/// Reads one JSON text whose objects and lists are nested at most `depth` deep.
pub fn read(text: &[u8], depth: usize) -> Result<Value, Fault> {
    let fault = RefCell::new(None);
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = Level { left: depth, fault: &fault }.deserialize(&mut json);
    match value.and_then(|value| json.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => Err(fault.take().unwrap_or_else(|| {
            // Classified and placed, but never quoted: the text may hold a secret.
            Fault::NotJson(format!("line {}, column {}", error.line(), error.column()))
        })),
    }
}

#[derive(Clone, Copy)]
struct Level<'a> {
    left: usize,
    fault: &'a RefCell<Option<Fault>>,
}

impl Level<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Self { left, ..self }),
            None => Err(self.failed(Fault::TooDeep)),
        }
    }

    fn failed<E: Error>(self, fault: Fault) -> E {
        *self.fault.borrow_mut() = Some(fault);
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(inside)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut values = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if values.contains_key(&name) {
                let shown = name.escape_debug().take(40).collect();
                return Err(self.failed(Fault::Duplicate(shown)));
            }
            values.insert(name, object.next_value_seed(inside)?);
        }
        Ok(values.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_json_reads_as_serde_json_reads_it() {
        let text = r#" {"a": [1, -2, 3.5, true, null, "x\n"], "b": {"c": {}}, "": 18446744073709551615} "#;
        assert_eq!(read(text.as_bytes(), 16), Ok(serde_json::from_str(text).unwrap()));
        assert_eq!(read(b"7", 0), Ok(json!(7)));
    }

    #[test]
    fn a_name_twice_is_refused_at_every_level() {
        let rows =
            [r#"{"a": 1, "a": 1}"#, r#"[{"b": {"a": 1, "c": 2, "a": 3}}]"#, r#"{"a": 1, "\u0061": 2}"#];
        for text in rows {
            assert_eq!(read(text.as_bytes(), 16), Err(Fault::Duplicate("a".into())), "{text}");
        }
        assert!(read(br#"{"a": {"a": 1}, "b": {"a": 1}}"#, 16).is_ok());
    }

    #[test]
    fn the_depth_is_bounded() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(read(nested(16).as_bytes(), 16).is_ok());
        assert_eq!(read(nested(17).as_bytes(), 16), Err(Fault::TooDeep));
        assert_eq!(read(r#"{"a":"#.repeat(5000).as_bytes(), 16), Err(Fault::TooDeep));
    }

    #[test]
    fn what_is_not_json_is_placed_and_not_quoted() {
        for text in ["", "{", "{} x", "{'a': 1}", "{\"secret\": nope}", "\u{feff}{}"] {
            let Err(Fault::NotJson(place)) = read(text.as_bytes(), 16) else { panic!("{text}") };
            assert!(place.starts_with("line 1, column") && !place.contains("secret"), "{place}");
        }
        assert!(matches!(read(b"\"\xff\"", 16), Err(Fault::NotJson(_))));
    }
}
