//! One CloudEvent 1.0: what makes it valid, and what is taken from it.
//!
//! Promises: an [`Event`] has passed every rule of the specification that a receiver can check and the bounds
//! below, and its text is JSON in one line. It must not know how it came (that is `wire`), nor the store.

use super::reported::{ReportedState, text};
use super::sender::Sender;
use jiff::Timestamp;
use serde_json::{Map, Value};
use svm_core::bounds::MAX_SEQUENCE;
use svm_core::subscription::read_instant;

/// Bytes of one event as it is kept.
pub(crate) const MAX_EVENT: usize = 64 * 1024;
/// How deep arrays and objects may nest.
pub(super) const MAX_DEPTH: usize = 32;

/// An event as the store takes it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Unique for its source.
    pub id: String,
    /// Who sent it.
    pub source: String,
    /// What kind of thing happened.
    pub kind: String,
    /// When, by the sender's clock.
    pub time: Option<Timestamp>,
    /// The number in the source's own order.
    pub sequence: Option<u64>,
    /// 1 to 4, where the data has one.
    pub severity: Option<u8>,
    /// The first of the numbers that will never come; the last of them is the one before `sequence`.
    pub skipped_from: Option<u64>,
    /// The state of the SVM as of this event.
    pub reported: Option<ReportedState>,
    /// Which machine sent it, where it says so.
    pub sender: Option<Sender>,
    /// The whole event as JSON in one line.
    pub text: String,
}

/// What is wrong with one event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub(crate) struct Invalid {
    /// The attribute, or a path such as `data.severity`; `event` where it is the whole.
    pub field: String,
    /// What is wrong with it, to be read after the field.
    pub problem: String,
}

/// Makes an [`Invalid`].
pub(super) fn invalid(field: &str, problem: impl Into<String>) -> Invalid {
    // A name comes from the sender: an answer shows at most this much of it.
    Invalid { field: field.chars().take(64).collect(), problem: problem.into() }
}

/// A text that is not JSON, by its place.
pub(super) fn not_json(field: &str, error: &serde_json::Error) -> Invalid {
    invalid(field, format!("is not JSON (line {}, column {})", error.line(), error.column()))
}

/// Reads one event in the JSON format.
pub(crate) fn from_json(text: &str) -> Result<Event, Invalid> {
    check_size_and_depth(text)?;
    let value: Value = serde_json::from_str(text).map_err(|e| not_json("event", &e))?;
    let Value::Object(members) = value else { return Err(invalid("event", "is not a JSON object")) };
    from_members(members)
}

/// Judges an event's members: attributes beside `data` or `data_base64`.
pub(super) fn from_members(mut members: Map<String, Value>) -> Result<Event, Invalid> {
    // "null" is how the JSON format writes an attribute that is absent.
    members.retain(|name, value| !value.is_null() || name == "data");
    if required(&members, "specversion", 8)? != "1.0" {
        return Err(invalid("specversion", "is not 1.0"));
    }
    let id = required(&members, "id", 128)?.to_owned();
    let source = required(&members, "source", 256)?.to_owned();
    if source.contains(|c: char| c.is_whitespace() || "<>\"{}|\\^`".contains(c)) {
        return Err(invalid("source", "is not a URI"));
    }
    let kind = required(&members, "type", 256)?.to_owned();
    for name in ["subject", "datacontenttype", "dataschema"] {
        optional(&members, name, 512)?;
    }
    let time = optional(&members, "time", 64)?.map(rfc3339).transpose()?;
    let sequence = optional(&members, "sequence", 64)?.map(|text| digits("sequence", text)).transpose()?;
    let skipped_from = optional(&members, "skippedfrom", 64)?;
    let skipped_from = skipped_from.map(|text| before("skippedfrom", text, sequence)).transpose()?;
    check_extensions(&members)?;
    if let Some(binary) = members.get("data_base64") {
        use base64::{Engine, engine::general_purpose::STANDARD};
        if members.contains_key("data") {
            return Err(invalid("data_base64", "cannot be used together with data"));
        }
        if binary.as_str().is_none_or(|text| STANDARD.decode(text).is_err()) {
            return Err(invalid("data_base64", "is not base64"));
        }
    }
    let ours = kind.starts_with("svm.");
    let data = members.get("data").and_then(Value::as_object);
    let severity = severity(data, ours)?;
    let sender = data.filter(|_| ours).and_then(|data| {
        Some(Sender { instance: text(data.get("instance"))?, hostname: text(data.get("hostname")) })
    });
    let reported =
        data.filter(|_| ours && sequence.is_some()).and_then(|data| ReportedState::read(&kind, data));
    let whole = Value::Object(members).to_string();
    if whole.len() > MAX_EVENT {
        return Err(too_large());
    }
    Ok(Event { id, source, kind, time, sequence, severity, skipped_from, reported, sender, text: whole })
}

fn too_large() -> Invalid {
    invalid("event", format!("is larger than {MAX_EVENT} bytes"))
}

/// Looks at size and nesting before anything is built from the text.
pub(super) fn check_size_and_depth(text: &str) -> Result<(), Invalid> {
    if text.len() > MAX_EVENT {
        return Err(too_large());
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(invalid("event", format!("is nested deeper than {MAX_DEPTH} levels")));
        }
    }
    Ok(())
}

fn required<'a>(members: &'a Map<String, Value>, name: &str, most: usize) -> Result<&'a str, Invalid> {
    optional(members, name, most)?.ok_or_else(|| invalid(name, "is missing"))
}

/// A string attribute, within the characters the specification allows and our own bound.
fn optional<'a>(
    members: &'a Map<String, Value>,
    name: &str,
    most: usize,
) -> Result<Option<&'a str>, Invalid> {
    let Some(value) = members.get(name) else { return Ok(None) };
    let text = value.as_str().ok_or_else(|| invalid(name, "is not a string"))?;
    if text.is_empty() {
        return Err(invalid(name, "is empty"));
    }
    if text.chars().count() > most {
        return Err(invalid(name, format!("is longer than {most} characters")));
    }
    if text.contains(forbidden) {
        return Err(invalid(name, "has a control character"));
    }
    Ok(Some(text))
}

/// Control characters and noncharacters, which attributes may not have.
fn forbidden(c: char) -> bool {
    c.is_control() || matches!(u32::from(c), 0xFDD0..=0xFDEF) || u32::from(c) & 0xFFFE == 0xFFFE
}

fn check_extensions(members: &Map<String, Value>) -> Result<(), Invalid> {
    for (name, value) in members {
        if name == "data" || name == "data_base64" {
            continue;
        }
        if name.len() > 64 || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            return Err(invalid(name, "is not the name of an attribute: lower-case letters and digits only"));
        }
        match value {
            Value::String(text) if text.chars().count() > 1024 || text.contains(forbidden) => {
                return Err(invalid(name, "is too long or has a control character"));
            }
            Value::String(_) | Value::Bool(_) => {}
            Value::Number(number) if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {}
            _ => return Err(invalid(name, "is not a string, a boolean or a 32-bit integer")),
        }
    }
    Ok(())
}

fn rfc3339(text: &str) -> Result<Timestamp, Invalid> {
    read_instant(text).map_err(|_| invalid("time", "is not an RFC 3339 time"))
}

fn digits(field: &str, text: &str) -> Result<u64, Invalid> {
    if text.len() != 20 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid(field, "is not 20 digits"));
    }
    let number = text.parse().ok().filter(|number| *number <= MAX_SEQUENCE);
    number.ok_or_else(|| invalid(field, format!("is above {MAX_SEQUENCE}")))
}

/// A number below the event's own.
fn before(field: &str, text: &str, sequence: Option<u64>) -> Result<u64, Invalid> {
    let number = digits(field, text)?;
    match sequence {
        Some(sequence) if number < sequence => Ok(number),
        Some(_) => Err(invalid(field, "is not below sequence")),
        None => Err(invalid(field, "needs sequence")),
    }
}

/// Our own events must have a severity; of others it is taken where it is one.
fn severity(data: Option<&Map<String, Value>>, ours: bool) -> Result<Option<u8>, Invalid> {
    let declared = data.and_then(|data| data.get("severity"));
    let number = declared.and_then(Value::as_u64).and_then(|n| u8::try_from(n).ok());
    match number.filter(|n| (1..=4).contains(n)) {
        None if ours && declared.is_some() => Err(invalid("data.severity", "is not a number from 1 to 4")),
        number => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({"specversion": "1.0", "id": "1", "source": "urn:svm:a", "type": "svm.key.added",
            "time": "2026-01-01T00:00:00.25+03:00", "sequence": "00000000000000000012",
            "data": {"severity": 4, "device_status": "critical"}})
    }

    /// The field that is complained about after setting one member.
    fn field(name: &str, value: Value) -> String {
        let mut event = good();
        event[name] = value;
        from_json(&event.to_string()).map_or_else(|e| e.field, |_| "none".to_owned())
    }

    #[test]
    fn a_good_one_is_read() {
        let event = from_json(&good().to_string()).unwrap();
        assert_eq!((event.sequence, event.severity), (Some(12), Some(4)));
        assert_eq!(event.time.unwrap().to_string(), "2025-12-31T21:00:00.25Z");
        assert!(event.reported.is_some());
    }

    #[test]
    fn each_wrong_member_is_named() {
        for (name, value) in [
            ("specversion", json!("0.3")),
            ("specversion", json!(1.0)),
            ("id", json!("")),
            ("id", json!("x".repeat(129))),
            ("id", json!("a\nb")),
            ("id", json!(7)),
            ("source", json!("x".repeat(257))),
            ("source", json!("not a uri")),
            ("type", json!(null)),
            ("time", json!("20260101T000000Z")),
            ("time", json!("2026-01-01T00:00:00Z[Asia/Tokyo]")),
            ("time", json!("2026-01-01T00:00:00")),
            ("time", json!("2026-01-01T00:00:00.Z")),
            ("time", json!("2026-01-01T00:00:00.5")),
            ("time", json!("2026-13-01T00:00:00Z")),
            ("time", json!("2026-01-01T00:00:00Z[UTC]")),
            ("sequence", json!("12")),
            ("sequence", json!("-0000000000000000012")),
            ("sequence", json!("99999999999999999999")),
            ("sequence", json!(format!("{:020}", u64::MAX))),
            ("sequence", json!(format!("{:020}", MAX_SEQUENCE + 1))),
            ("skippedfrom", json!("7")),
            ("skippedfrom", json!(7)),
            ("skippedfrom", json!("0000000000000000000x")),
            ("skippedfrom", json!("00000000000000000012")),
            ("skippedfrom", json!("00000000000000000013")),
            ("Sequence", json!("1")),
            ("extension", json!([1])),
            ("extension", json!(1.5)),
            ("data_base64", json!("AA==")),
        ] {
            assert_eq!(field(name, value.clone()), name, "{name} = {value}");
        }
        assert_eq!(field("data", json!({"severity": 5})), "data.severity");
        assert_eq!(field("extension", json!("fine")), "none");
        assert_eq!(field("sequence", json!(format!("{MAX_SEQUENCE:020}"))), "none");
        assert_eq!(field("time", json!("9999-12-31T00:00:00+00:00")), "none", "for ever");
        assert_eq!(field("subject", json!(null)), "none");
    }

    #[test]
    fn what_is_skipped_ends_before_the_event() {
        let mut event = good();
        event["skippedfrom"] = json!("00000000000000000011");
        assert_eq!(from_json(&event.to_string()).unwrap().skipped_from, Some(11));
        event.as_object_mut().unwrap().remove("sequence");
        assert_eq!(from_json(&event.to_string()).unwrap_err().to_string(), "skippedfrom needs sequence");
    }

    #[test]
    fn size_and_depth_are_bounded() {
        assert_eq!(field("data", json!({"severity": 1, "text": "x".repeat(MAX_EVENT)})), "event");
        let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
        assert!(from_json(&format!("{{\"data\":{deep}}}")).unwrap_err().problem.contains("deeper"));
        let text = good().to_string().replace("critical", &"[".repeat(100));
        assert!(from_json(&text).is_ok(), "brackets in a string do not nest");
    }
}
