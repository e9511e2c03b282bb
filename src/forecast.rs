//! The forecast: what time alone will bring to this SVM's subscription, by the daemon's own step.
//!
//! Promises: it ends, and is small, however far somebody wants to look. Must not know: sockets, and how it is shown.

use jiff::Timestamp;
use serde_json::{Value, json};
use svm_core::events::{self, shown};
use svm_core::subscription::{Event, Row, Settings, State, add_days, forecast_rows};

/// So far ahead a forecast looks at most: nobody sells terms of a hundred years.
pub const MAX_DAYS: u64 = 36_525;

/// So far ahead it looks where nobody says how far.
const USUAL_DAYS: u64 = 365;

/// Why there is no forecast.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForecastError {
    /// Before now.
    #[error("{until} has passed, it is {now} now: a forecast looks ahead, svm-agent events list back")]
    Past {
        until: Timestamp,
        /// The agent's time.
        now: Timestamp,
    },
    /// Beyond [`MAX_DAYS`].
    #[error("{until} is too far ahead: a forecast looks at most 100 years ahead, here until {most}")]
    TooFar {
        until: Timestamp,
        /// The farthest.
        most: Timestamp,
    },
}

/// The rows of a forecast from `now` to `until`, or a year ahead; the first is what holds now.
///
/// # Errors
/// [`ForecastError`].
pub fn forecast(
    state: State,
    settings: &Settings,
    now: Timestamp,
    until: Option<Timestamp>,
) -> Result<Vec<Value>, ForecastError> {
    let (until, most) = (until.unwrap_or_else(|| add_days(now, USUAL_DAYS)), add_days(now, MAX_DAYS));
    match until {
        _ if until < now => Err(ForecastError::Past { until, now }),
        _ if until > most => Err(ForecastError::TooFar { until, most }),
        _ => Ok(in_words(&forecast_rows(state, settings, now, until))),
    }
}

/// Rows of a timeline, each event with its sentence in `description`.
pub fn in_words(rows: &[Row]) -> Vec<Value> {
    let row = |row: &Row| {
        let mut told = json!(row);
        if let Some(told) = told.as_object_mut() {
            told.insert("events".to_owned(), row.events.iter().map(|event| shown(event, row.at)).collect());
        }
        told
    };
    rows.iter().map(row).collect()
}

/// Rows of a timeline for programs, each refusal with the words of its way out.
pub fn worded(rows: Vec<Row>) -> Vec<Row> {
    let all = |told: &[Event]| told.iter().map(|event| events::worded(event).into_owned()).collect();
    rows.into_iter().map(|row| Row { events: all(&row.events), ..row }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use svm_core::subscription::{Input, Statement, step};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn state(terms: Value, settings: &Settings) -> State {
        let mut claims = json!({"rev": 1, "key": {"id": "S", "kind": "subscription"}, "subscription": terms});
        claims["fresh_until"] = json!("2026-03-01T00:00:00Z");
        let offer = Ok(Statement::read(&claims).unwrap());
        step(State::default(), settings, at("2026-01-01T00:00:00Z"), Input::Activate(offer)).0
    }

    #[test]
    fn it_ends_however_far_one_looks() {
        let mut settings = Settings::new("6.1".parse().unwrap());
        settings.reminder_days = Settings::reminder_list((1..=400).collect()).unwrap();
        let (now, far) = (at("2026-01-01T00:00:00Z"), Some(at("2125-12-31T00:00:00Z")));
        let unlimited = state(json!({"term": {"type": "unlimited"}}), &settings);
        assert_eq!(forecast(unlimited, &settings, now, far).unwrap().len(), 2, "now, and what is stale");
        let limited =
            json!({"term": {"type": "limited", "ends_at": "2125-01-01T00:00:00Z"}, "grace_days": 9});
        let rows = forecast(state(limited, &settings), &settings, now, far).unwrap();
        assert!((400..450).contains(&rows.len()), "{}", rows.len());
        assert_eq!(rows.last().unwrap()["phase"], "restricted");
    }

    #[test]
    fn what_lies_behind_or_too_far_ahead_is_refused() {
        let settings = Settings::new("6.1".parse().unwrap());
        let now = at("2026-01-01T00:00:00Z");
        let ask = |until: &str| forecast(State::default(), &settings, now, Some(at(until)));
        assert!(matches!(ask("2025-12-31T23:59:59Z"), Err(ForecastError::Past { .. })));
        assert!(matches!(ask("2126-01-03T00:00:00Z"), Err(ForecastError::TooFar { .. })));
        assert!(matches!(ask("9999-12-30T00:00:00Z"), Err(ForecastError::TooFar { .. })));
        assert_eq!(ask("2026-01-01T00:00:00Z").unwrap().len(), 1);
        assert_eq!(ask("2126-01-01T00:00:00Z").unwrap()[0]["phase"], "not_activated");
    }
}
