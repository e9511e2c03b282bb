//! `svm-agent simulate`: a scenario, or what time will bring to this SVM.

use super::client;
use super::error::CliError;
use super::format::sentence;
use super::output::Out;
use crate::control::SocketKind;
use crate::control::client::ask;
use crate::forecast::{in_words, worded};
use jiff::Timestamp;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;
use svm_core::error_chain::Chain;
use svm_core::subscription::{DeviceStatus, Permit, Phase, Reason, Scenario, days_left, read_instant};
use svm_core::words::events::LifeCycle;
use svm_core::words::labels::Forecast;
use svm_core::words::{permits, phases, reasons, times};

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
    let language = out.language();
    out.line("")?;
    if rows.len() < 2 {
        out.wrapped("", Forecast::NothingChanges.get(language))?;
    }
    let until = match until {
        Some(until) => Forecast::Until.fill(language, &[("when", &times::instant(until, language))]),
        None => Forecast::Year.get(language).to_owned(),
    };
    Ok(out.wrapped("", &Forecast::Assumed.fill(language, &[("until", &until)]))?)
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

/// A table of rows, and under each what happens.
fn show(rows: &[Value], out: &mut Out) -> Result<(), CliError> {
    let language = out.language();
    let columns = |cells: [&str; 6]| {
        let [when, days, phase, updates, ksn, device] = cells;
        let line = format!("{when:<16} {days:>7}  {phase:<24} {updates:<8} {ksn:<8} {device}");
        line.trim_end().to_owned()
    };
    out.line(columns(Forecast::COLUMNS.map(|name| name.get(language))))?;
    let instant = |row: &Value| row.get("at").and_then(Value::as_str)?.parse::<Timestamp>().ok();
    let start = rows.first().and_then(instant);
    for (index, row) in rows.iter().enumerate() {
        let at = instant(row);
        let days = match (index, start, at) {
            (1.., Some(start), Some(at)) => days_left(start, at).to_string(),
            _ => Forecast::Now.get(language).to_owned(),
        };
        let phase = read::<Phase>(row, "phase")
            .map(|phase| phases::in_short(phase, read(row, "cause"), read(row, "lapse_cause"), language));
        let permit = |name: &str| {
            read::<Permit>(row, name).map(|permit| permits::word(permit).get(language)).unwrap_or_default()
        };
        let status = read::<DeviceStatus>(row, "device_status");
        let status = status.map(|status| phases::device_status_in_short(status).get(language));
        let when = at.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
        out.line(columns([
            &when,
            &days,
            &phase.unwrap_or_default(),
            permit("database_updates"),
            permit("ksn"),
            status.unwrap_or_default(),
        ]))?;
        events(row, out)?;
    }
    Ok(())
}

fn read<T: DeserializeOwned>(row: &Value, name: &str) -> Option<T> {
    T::deserialize(row.get(name)?).ok()
}

/// What happens in a row, in sentences. The columns show what becomes of the permits.
fn events(row: &Value, out: &mut Out) -> Result<(), CliError> {
    let language = out.language();
    let list = |name: &str| row.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut has_events = false;
    for event in list("events") {
        if event.get("type").and_then(Value::as_str) != Some("enforcement.changed") {
            out.wrapped("    - ", &sentence(event, language))?;
            has_events = true;
        }
    }
    let reasons = list("reasons").iter().filter_map(|name| Reason::from_name(name.as_str()?));
    let reasons: Vec<&str> = reasons.map(|reason| reasons::short(reason).get(language)).collect();
    if let Some(status) =
        read::<DeviceStatus>(row, "device_status").filter(|_| !has_events && !reasons.is_empty())
    {
        let status = phases::device_status(status).get(language);
        let values = [("status", status), ("reasons", &reasons.join(", "))];
        out.wrapped("    - ", &LifeCycle::DeviceStatusBecause.fill(language, &values))?;
    }
    Ok(())
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
