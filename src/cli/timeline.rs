//! `svm-agent simulate`: a scenario, or what time will bring to this SVM.

use super::client;
use super::error::CliError;
use super::output::Out;
use super::output::WIDTH;
use crate::control::SocketKind;
use crate::control::client::ask;
use crate::forecast::{in_words, worded};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;
use std::path::Path;
use svm_core::error_chain::Chain;
use svm_core::subscription::{Scenario, days_left, read_instant};

/// A scenario larger than this is none.
const MAX_SCENARIO_BYTES: u64 = 16 * 1024 * 1024;

/// Plays a scenario: JSON lines, or a table for people.
pub(super) fn scenario(file: &Path, table: bool, out: &mut Out) -> Result<u8, CliError> {
    let text = client::read_bounded(file, MAX_SCENARIO_BYTES)?;
    let rows = Scenario::read(&text).and_then(|scenario| scenario.play());
    let rows =
        rows.map_err(|e| CliError::given("bad_scenario", format!("{}: {}", file.display(), Chain(&e))))?;
    if table && !out.json() {
        show(&in_words(&rows), out)?;
    } else {
        worded(rows).iter().try_for_each(|row| out.value(row))?;
    }
    Ok(0)
}

/// Foretells until an instant, or a year ahead.
pub(super) async fn forecast(until: Option<&str>, dir: &Path, out: &mut Out) -> Result<(), CliError> {
    let until = until.map(parse_instant).transpose()?;
    let path = match until {
        Some(until) => format!("v1/forecast?until={}", svm_core::percent::encode(&until.to_string())),
        None => "v1/forecast".to_owned(),
    };
    let rows: Vec<Value> = ask(dir, SocketKind::Query, Method::GET, &path, None).await?;
    if out.json() {
        return Ok(rows.iter().try_for_each(|row| out.value(row))?);
    }
    show(&rows, out)?;
    out.line("")?;
    if rows.len() < 2 {
        out.line("Nothing of this changes in that time.")?;
    }
    let until = until.map_or_else(|| "for a year".to_owned(), |until| format!("until {}", minute(until)));
    let assumed = format!(
        "Looked ahead {until}, at what time alone brings. Assumed: the vendor renews and changes nothing, nobody gives a command, and as many devices are protected as now. After a renewal ask again: it moves what follows."
    );
    Ok(out.wrapped("", &assumed)?)
}

/// A day (`2027-01-01`, at 0:00 UTC) or an instant.
fn parse_instant(text: &str) -> Result<Timestamp, CliError> {
    let is_day = text.len() == "2027-01-01".len();
    let read = if is_day { read_instant(&format!("{text}T00:00:00Z")) } else { read_instant(text) };
    read.map_err(|error| {
        let shown: String = text.escape_debug().take(60).collect();
        let message = format!("`{shown}` is no instant such as 2027-01-01 or 2027-01-01T12:00:00Z: {error}");
        CliError::given("bad_instant", message)
    })
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A table of rows, and under each what happens.
fn show(rows: &[Value], out: &mut Out) -> Result<(), CliError> {
    let columns = |cells: [&str; 6]| {
        let [when, days, phase, updates, ksn, device] = cells;
        let line = format!("{when:<16} {days:>7}  {phase:<24} {updates:<8} {ksn:<8} {device}");
        debug_assert!(line.chars().count() <= WIDTH, "{line}");
        line
    };
    out.line(columns(["When (UTC)", "In days", "Subscription", "Updates", "KSN", "Device"]))?;
    let instant = |row: &Value| row.get("at").and_then(Value::as_str)?.parse::<Timestamp>().ok();
    let start = rows.first().and_then(instant);
    for (index, row) in rows.iter().enumerate() {
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let at = instant(row);
        let days = match (index, start, at) {
            (1.., Some(start), Some(at)) => days_left(start, at).to_string(),
            _ => "now".to_owned(),
        };
        let phase = match text("cause") {
            "" => text("phase").to_owned(),
            cause => format!("{} ({cause})", text("phase")),
        };
        let when = at.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
        out.line(columns([
            &when,
            &days,
            &phase,
            text("database_updates"),
            text("ksn"),
            text("device_status"),
        ]))?;
        events(row, out)?;
    }
    Ok(())
}

/// What happens in a row, in sentences; the columns show what becomes of the permits.
fn events(row: &Value, out: &mut Out) -> Result<(), CliError> {
    let list = |name: &str| row.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut told = false;
    for event in list("events") {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("type") != "enforcement.changed" {
            out.wrapped("    - ", text("description"))?;
            told = true;
        }
    }
    let reasons: Vec<&str> = list("reasons").iter().filter_map(Value::as_str).collect();
    if !told && !reasons.is_empty() {
        out.wrapped("    - ", &format!("the device's status is {}", because(row, &reasons)))?;
    }
    Ok(())
}

fn because(row: &Value, reasons: &[&str]) -> String {
    let status = row.get("device_status").and_then(Value::as_str).unwrap_or_default();
    format!("{status}: {}", reasons.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_or_an_instant_and_nothing_else() {
        assert_eq!(parse_instant("2027-01-01").unwrap().to_string(), "2027-01-01T00:00:00Z");
        assert_eq!(parse_instant("2027-01-01T12:00:00+03:00").unwrap().to_string(), "2027-01-01T09:00:00Z");
        // Beyond the last instant that can be represented.
        assert_eq!(parse_instant("9999-12-31").unwrap(), Timestamp::MAX);
        for wrong in [
            "",
            "9999",
            "2027-02-30",
            "tomorrow",
            "2027-01-01T12:00:00",
            "20270101T120000Z",
            "2027-01-01T12:00:00Z[UTC]",
            "12027-01-01",
            "ÿÿÿÿÿ",
        ] {
            let error = parse_instant(wrong).unwrap_err();
            assert_eq!((error.code(), error.exit_code()), ("bad_instant", 1), "{wrong}");
        }
        let hostile = parse_instant(&"\u{1b}".repeat(5000)).unwrap_err().to_string();
        assert!(!hostile.contains('\u{1b}') && hostile.len() < 1000, "{hostile}");
    }
}
