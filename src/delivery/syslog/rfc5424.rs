//! A kept event as one message of RFC 5424, in the shape in which Kaspersky Security Center exports its events.
//!
//! Promises: one event gives one message, whatever stands in it; at most [`LONGEST`] bytes, cut between characters,
//! and what was cut is named; no control character. The fields are described in `docs/reference/syslog.md`.

use super::facts::{Cut, Facts, QueuedEvent, clean, fitted};
use std::fmt::Write;
use std::net::IpAddr;

/// Bytes of a message at most. Receivers of RFC 5425 should take 8192; rsyslog takes 8096 by default.
pub(crate) const LONGEST: usize = 8000;

/// Bytes of the sentence for people.
pub(super) const MAX_TEXT: usize = 2000;

/// Bytes of a value that is not one of the event's own fields.
pub(super) const MAX_VALUE: usize = 255;

/// Bytes of the element that is ours, without parameters that found no place in KSC's.
const MAX_OURS: usize = 2500;

/// What a parameter takes beside its name and value: a space, `=` and two quotes.
const BESIDE: usize = 4;

/// KSC's element has p1 to p9.
const PARAMETERS: usize = 9;

/// The message for an event that is sent from this address.
pub(crate) fn message(stored: QueuedEvent<'_>, from: Option<IpAddr>) -> String {
    let facts = Facts::of(stored);
    let mut cut = Cut::default();

    let (text, whole) = fitted(&facts.description, MAX_TEXT, |out, c| out.push(clean(c)));
    if !whole {
        cut.note("text");
    }
    // RFC 5424, section 6.4: a byte order mark says that the text is UTF-8. Plain ASCII needs none, and reads better
    // in the many tools that show it.
    let mark = if text.is_ascii() { "" } else { "\u{feff}" };

    let mut named = String::new();
    let ip = from.map(|ip| ip.to_canonical().to_string()).unwrap_or_default();
    for (name, value) in [
        ("et", facts.type_name.as_str()),
        ("tdn", ""),
        ("etdn", &facts.display_name),
        ("hdn", &facts.hostname),
        ("hip", &ip),
        ("gn", ""),
    ] {
        if !parameter(&mut named, name, value, MAX_VALUE) {
            cut.note(name);
        }
    }
    let mut ours = String::new();
    for (name, value) in &facts.others {
        let name = sd_name(name);
        let whole = match MAX_OURS.checked_sub(ours.len() + name.len() + BESIDE) {
            Some(room) => parameter(&mut ours, &name, value, MAX_VALUE.min(room)),
            None => false,
        };
        if !whole {
            cut.note(&name);
        }
    }

    let mut message = header(&facts);
    let frame = " [event@23668] [svm@32473 cut=\"\"]".len() + Cut::MOST;
    let taken = message.len() + frame + named.len() + ours.len() + mark.len() + text.len();
    let mut left = LONGEST.saturating_sub(taken);
    let mut own = String::new();
    for (index, value) in facts.parameters.iter().enumerate() {
        let name = format!("p{}", index + 1);
        let target = if index < PARAMETERS { &mut own } else { &mut ours };
        let before = target.len();
        let whole = match left.checked_sub(name.len() + BESIDE) {
            Some(room) => parameter(target, &name, value, room),
            None => false,
        };
        left = left.saturating_sub(target.len() - before);
        if !whole {
            cut.note(&name);
        }
    }
    if let Some(text) = cut.text() {
        parameter(&mut ours, "cut", &text, Cut::MOST);
    }
    // Writing to a text cannot fail.
    let _ = write!(message, " [event@23668{own}{named}][svm@32473{ours}] {mark}{text}");
    message
}

/// `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID`.
pub(super) fn header(facts: &Facts) -> String {
    let time = facts.time.map(|time| format!("{time:.6}")).filter(|text| text.len() == 27);
    // Such as `KES|11.0.0.0`: cut so that the version stays, and with one bar only.
    let version = field(&facts.version.replace('|', "_"), 16);
    let product = field(&facts.product.replace('|', "_"), 48 - 1 - version.len());
    format!(
        "<{}>1 {} {} {product}|{version} - {}",
        priority(facts.severity),
        time.as_deref().unwrap_or("-"),
        field(&facts.hostname, 255),
        field(&facts.type_name, 32),
    )
}

/// Facility user (1) and the severity of syslog for that of KSC.
fn priority(severity: u8) -> u8 {
    let severity = match severity {
        1 => 6, // Info: informational
        2 => 4, // Warning: warning
        3 => 3, // Functional failure: error
        _ => 2, // Critical: critical
    };
    8 + severity
}

/// A field of the header: `PRINTUSASCII`, of which nothing else may be in it; `-` where there is nothing to say.
fn field(text: &str, most: usize) -> String {
    let printable = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    let field: String = text.chars().take(most).map(printable).collect();
    if field.is_empty() { "-".to_owned() } else { field }
}

/// A name of section 6.3.3: at most 32 of `PRINTUSASCII`, but for four.
fn sd_name(text: &str) -> String {
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '=' | ']' | '"');
    field(&text.chars().map(|c| if fits(c) { c } else { '_' }).collect::<String>(), 32)
}

/// Adds ` name="value"`, the value escaped as section 6.3.3 has it; whether all of it did fit.
fn parameter(out: &mut String, name: &str, value: &str, most: usize) -> bool {
    let (value, whole) = fitted(value, most, |out, c| {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(clean(c));
    });
    let _ = write!(out, " {name}=\"{value}\"");
    whole
}

#[cfg(test)]
mod tests;
