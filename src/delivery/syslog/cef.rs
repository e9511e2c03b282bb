//! A kept event in ArcSight's Common Event Format, version 0, behind the header of RFC 5424.
//!
//! Promises: one event gives one message, whatever stands in it; at most [`LONGEST`] bytes, cut between characters,
//! and what was cut is named; no control character. The header is that of RFC 5424 and not the older one, for its
//! year, its time zone and its bounds; what reads CEF looks for `CEF:` behind either. The fields are described in
//! `docs/reference/syslog.md`.

use super::facts::{Cut, Facts, QueuedEvent, clean, fitted};
use super::rfc5424::{LONGEST, MAX_TEXT, MAX_VALUE, header};
use std::fmt::Write;
use std::net::IpAddr;

/// The message for an event that is sent from this address.
pub(crate) fn message(stored: QueuedEvent<'_>, from: Option<IpAddr>) -> String {
    let facts = Facts::of(stored);
    let mut cut = Cut::default();
    let mut message = header(&facts);
    message.push_str(" - CEF:0|svm-agent");
    for (name, value) in [
        ("product", &facts.product),
        ("version", &facts.version),
        ("type", &facts.type_name),
        ("name", &facts.display_name),
    ] {
        let (value, whole) = fitted(value, MAX_VALUE, |out, c| {
            if matches!(c, '|' | '\\') {
                out.push('\\');
            }
            out.push(clean(c));
        });
        let _ = write!(message, "|{value}");
        if !whole {
            cut.note(name);
        }
    }
    let _ = write!(message, "|{}|", facts.severity);

    let time = facts.time.map(|time| time.as_millisecond().to_string()).unwrap_or_default();
    let ip = from.map(|ip| ip.to_canonical());
    let address = |wanted: bool| ip.filter(|_| wanted).map(|ip| ip.to_string()).unwrap_or_default();
    let six = ip.is_some_and(|ip| ip.is_ipv6());
    let named = [
        ("rt", time),
        ("dhost", facts.hostname),
        // The dictionary of CEF has no IPv6 in `dst`.
        ("dst", address(!six)),
        ("c6a3", address(six)),
        ("c6a3Label", if six { "Destination IPv6 Address" } else { "" }.to_owned()),
        ("cs2", facts.product),
        ("cs2Label", "ProductName".to_owned()),
        ("cs3", facts.version),
        ("cs3Label", "ProductVersion".to_owned()),
    ];
    let others = facts.others.iter().map(|(name, value)| (key(name), value, MAX_VALUE));
    let own =
        facts.parameters.iter().enumerate().map(|(n, value)| (format!("svmP{}", n + 1), value, LONGEST));
    let mut first = true;
    let all = named
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value, MAX_VALUE))
        .chain([("msg".to_owned(), &facts.description, MAX_TEXT)])
        .chain(others)
        .chain(own);
    for (name, value, most) in all.filter(|(_, value, _)| !value.is_empty()) {
        let beside = name.len() + " =".len() + " svmCut=".len() + Cut::MOST;
        let whole = match (LONGEST - beside).checked_sub(message.len()) {
            Some(room) => extension(&mut message, &mut first, &name, value, most.min(room)),
            None => false,
        };
        if !whole {
            cut.note(&name);
        }
    }
    if let Some(text) = cut.text() {
        extension(&mut message, &mut first, "svmCut", &text, Cut::MOST);
    }
    message
}

/// The name of one of our own fields: `svm` and the words, of letters and digits alone.
fn key(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    });
    "svm".chars().chain(words.collect::<String>().chars().take(40)).collect()
}

/// Adds `name=value`; whether all of it did fit. A line's end may stand in an extension, as `\n` or `\r`.
fn extension(out: &mut String, first: &mut bool, name: &str, value: &str, most: usize) -> bool {
    let (value, whole) = fitted(value, most, |out, c| match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        c => {
            if matches!(c, '=' | '\\') {
                out.push('\\');
            }
            out.push(clean(c));
        }
    });
    let space = if std::mem::take(first) { "" } else { " " };
    let _ = write!(out, "{space}{name}={value}");
    whole
}

#[cfg(test)]
mod tests;
