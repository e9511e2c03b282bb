//! The three ways CloudEvents travel over HTTP: structured, binary, batched.
//!
//! Promises: what comes out is as valid as `cloudevent` says; what is refused names the event and the field.
//! It must not know sockets, tokens or the store.

use super::cloudevent::{self, Event, Invalid, invalid};
use axum::http::{HeaderMap, header};
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};
use std::borrow::Cow;
use std::fmt;
use svm_core::percent;

/// Bytes of a request's body, as it comes and unpacked.
pub(super) const MAX_BODY: usize = 4 * 1024 * 1024;
/// Events of one request.
pub(crate) const MAX_BATCH: usize = 1000;

/// Why a request's events are not taken; none of them is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// One event is not valid.
    #[error("event {position}: {invalid}")]
    Event {
        /// Its place in the request, from 0.
        position: usize,
        invalid: Invalid,
    },
    /// The batch as a whole cannot be read.
    #[error("the batch is not a JSON array of events (line {line}, column {column})")]
    Batch {
        /// Where reading failed, from 1.
        line: usize,
        /// In bytes, from 1; 0 at the beginning of a line.
        column: usize,
    },
    /// More events than [`MAX_BATCH`].
    #[error("the batch has more than {MAX_BATCH} events")]
    TooMany,
    /// None of the three content types.
    #[error(
        "unknown Content-Type {0:?}: send application/cloudevents+json, application/cloudevents-batch+json, or ce- headers"
    )]
    ContentType(String),
}

/// How a request carries its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Structured,
    Binary,
    Batched,
}

/// Finds the mode from the headers alone, so that a wrong one is refused before the body is read.
pub(crate) fn mode(headers: &HeaderMap) -> Result<Mode, WireError> {
    let declared = headers.get(header::CONTENT_TYPE).map_or(Ok(""), |value| value.to_str()).unwrap_or("?");
    let wrong = || WireError::ContentType(declared.chars().take(128).collect());
    let mut parts = declared.split(';').map(str::trim);
    let essence = parts.next().unwrap_or("").to_ascii_lowercase();
    let utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    let mode = match essence.as_str() {
        "application/cloudevents+json" => Mode::Structured,
        "application/cloudevents-batch+json" => Mode::Batched,
        other if other.starts_with("application/cloudevents") => return Err(wrong()),
        _ if headers.keys().any(|name| name.as_str().starts_with("ce-")) => Mode::Binary,
        _ => return Err(wrong()),
    };
    if utf8 || mode == Mode::Binary { Ok(mode) } else { Err(wrong()) }
}

/// Reads all events of a request.
pub(crate) fn read(mode: Mode, headers: &HeaderMap, body: &[u8]) -> Result<Vec<Event>, WireError> {
    match mode {
        Mode::Structured => {
            let event = text(body).and_then(cloudevent::from_json);
            event.map(|event| vec![event]).map_err(|invalid| WireError::Event { position: 0, invalid })
        }
        Mode::Binary => {
            let event = binary(headers, body).and_then(cloudevent::from_members);
            event.map(|event| vec![event]).map_err(|invalid| WireError::Event { position: 0, invalid })
        }
        Mode::Batched => {
            let Batch { parts, more } = serde_json::from_slice(body)
                .map_err(|e: serde_json::Error| WireError::Batch { line: e.line(), column: e.column() })?;
            if more {
                return Err(WireError::TooMany);
            }
            let read = |(position, part): (usize, &&RawValue)| {
                cloudevent::from_json(part.get()).map_err(|invalid| WireError::Event { position, invalid })
            };
            parts.iter().enumerate().map(read).collect()
        }
    }
}

/// The texts of the events of a batch. More than there may be are passed over: a body of ones and commas would take
/// many times its size.
struct Batch<'a> {
    parts: Vec<&'a RawValue>,
    more: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Batch<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BatchVisitor)
    }
}

struct BatchVisitor;

impl<'de> Visitor<'de> for BatchVisitor {
    type Value = Batch<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Batch<'de>, A::Error> {
        let mut parts = Vec::new();
        while parts.len() < MAX_BATCH {
            match list.next_element()? {
                Some(part) => parts.push(part),
                None => return Ok(Batch { parts, more: false }),
            }
        }
        let mut more = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            more = true;
        }
        Ok(Batch { parts, more })
    }
}

fn text(body: &[u8]) -> Result<&str, Invalid> {
    std::str::from_utf8(body)
        .map_err(|error| invalid("event", format!("is not UTF-8 from byte {} on", error.valid_up_to())))
}

/// Attributes from `ce-` headers, data from the body.
fn binary(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Invalid> {
    let mut members = Map::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix("ce-") else { continue };
        if matches!(name, "data" | "data_base64" | "datacontenttype") {
            return Err(invalid(name, "cannot be a header in binary mode"));
        }
        let value = value.to_str().map_err(|_| invalid(name, "is not percent-encoded ASCII"))?;
        let value = percent_decoded(name, &unquoted(name, value)?)?;
        if members.insert(name.to_owned(), Value::String(value)).is_some() {
            return Err(invalid(name, "is given more than once"));
        }
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if !kind.is_empty() {
        members.insert("datacontenttype".to_owned(), kind.into());
    }
    if body.is_empty() {
        return Ok(members);
    }
    let essence = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if essence.is_empty() || essence == "application/json" || essence.ends_with("+json") {
        // One way to read JSON data, and one set of bounds: as a member of an event.
        let wrapped = format!("{{\"data\":{}}}", text(body)?);
        cloudevent::check_size_and_depth(&wrapped)?;
        let data: Value = serde_json::from_slice(body).map_err(|e| cloudevent::not_json("data", &e))?;
        members.insert("data".to_owned(), data);
    } else if let (true, Ok(text)) = (essence.starts_with("text/"), text(body)) {
        members.insert("data".to_owned(), text.into());
    } else {
        use base64::{Engine, engine::general_purpose::STANDARD};
        members.insert("data_base64".to_owned(), STANDARD.encode(body).into());
    }
    Ok(members)
}

/// The text of a quoted string (RFC 9110, section 5.6.4), as older versions of the HTTP binding write values with spaces.
fn unquoted<'a>(name: &str, value: &'a str) -> Result<Cow<'a, str>, Invalid> {
    let Some(quoted) = value.trim().strip_prefix('"') else { return Ok(Cow::Borrowed(value)) };
    let wrong = || invalid(name, "is not a complete quoted string");
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    loop {
        match characters.next().ok_or_else(wrong)? {
            '"' => break,
            '\\' => text.push(characters.next().ok_or_else(wrong)?),
            other => text.push(other),
        }
    }
    if characters.next().is_some() { Err(wrong()) } else { Ok(Cow::Owned(text)) }
}

/// Takes `%41` for `A`, as the HTTP binding writes what a header cannot hold.
fn percent_decoded(name: &str, value: &str) -> Result<String, Invalid> {
    percent::decode_strictly(value).ok_or_else(|| invalid(name, "is not percent-encoded UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn modes_follow_the_content_type() {
        for (kind, expected) in [
            ("application/cloudevents+json; charset=UTF-8", Some(Mode::Structured)),
            ("Application/CloudEvents-Batch+json", Some(Mode::Batched)),
            ("application/cloudevents+avro", None),
            ("application/cloudevents+json; charset=latin1", None),
            ("application/json", None),
        ] {
            assert_eq!(mode(&headers(&[("content-type", kind)])).ok(), expected, "{kind}");
        }
        assert_eq!(mode(&headers(&[("ce-id", "1")])).ok(), Some(Mode::Binary));
    }

    #[test]
    fn binary_mode_reads_headers_and_body() {
        let headers = headers(&[
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", "caf%C3%A9"),
            ("ce-source", "urn:svm:a"),
            ("ce-type", "svm.key.added"),
            ("ce-sequence", "00000000000000000001"),
        ]);
        let events = read(Mode::Binary, &headers, br#"{"severity":2}"#).unwrap();
        assert_eq!((events[0].id.as_str(), events[0].severity), ("café", Some(2)));
        assert!(read(Mode::Binary, &headers, b"{").is_err());
        assert!(read(Mode::Binary, &headers, b"1,\"id\":2").is_err());
    }

    #[test]
    fn quoted_values_are_read() {
        for (value, read) in [
            ("\"1.0\"", Some("1.0")),
            (r#""a \"b\" \\ c""#, Some(r#"a "b" \ c"#)),
            ("\"Euro%20%E2%82%AC\"", Some("Euro €")),
            ("Euro%20%e2%82%ac%20%F0%9F%98%80", Some("Euro € 😀")),
            ("\"\"", Some("")),
            ("a\"b", Some("a\"b")),
            ("\"open", None),
            ("\"a\"b", None),
            ("\"a\\", None),
            ("%C0%A0", None),
            ("%4", None),
        ] {
            let text = unquoted("x", value).and_then(|text| percent_decoded("x", &text));
            assert_eq!(text.ok().as_deref(), read, "{value}");
        }
        let headers = headers(&[
            ("content-type", "application/json"),
            ("ce-specversion", "\"1.0\""),
            ("ce-id", "\"1\""),
            ("ce-source", "urn:svm:a"),
            ("ce-type", "svm.key.added"),
            ("ce-subject", r#""a \"b\"""#),
        ]);
        let event: Value = serde_json::from_str(&read(Mode::Binary, &headers, b"").unwrap()[0].text).unwrap();
        assert_eq!((&event["id"], &event["subject"]), (&"1".into(), &"a \"b\"".into()));
    }

    #[test]
    fn a_batch_names_the_bad_event() {
        let good = r#"{"specversion":"1.0","id":"1","source":"a","type":"t"}"#;
        let error = read(Mode::Batched, &HeaderMap::new(), format!("[{good},{{}}]").as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "event 1: specversion is missing");
        assert!(read(Mode::Batched, &HeaderMap::new(), b"[]").unwrap().is_empty());
        let most = format!("[{}{good}]", format!("{good},").repeat(MAX_BATCH - 1));
        assert_eq!(read(Mode::Batched, &HeaderMap::new(), most.as_bytes()).unwrap().len(), MAX_BATCH);
        let ones = format!("[{}1]", "1,".repeat(2_000_000));
        for many in [most.replacen('[', &format!("[{good},"), 1), ones] {
            assert!(matches!(
                read(Mode::Batched, &HeaderMap::new(), many.as_bytes()),
                Err(WireError::TooMany)
            ));
        }
    }
}
