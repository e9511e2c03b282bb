//! The life of a subscription as its inputs: what an agent's step is asked over the years.

use serde_json::json;
use svm_core::subscription::{Input, Settings, State, Statement, add_days, step};

/// An hour's input: most are looks.
pub type Inputs = Vec<(jiff::Timestamp, Input)>;

const DEVICES: u64 = 250;
const GRACE_DAYS: u64 = 14;

pub fn settings() -> Settings {
    Settings::new("6.1.0".parse().unwrap())
}

fn revision(rev: u64, ends_at: jiff::Timestamp, state: &str, since: jiff::Timestamp) -> Statement {
    let claims = json!({
        "rev": rev, "key": {"id": "SUB-0001", "kind": "subscription"}, "devices": DEVICES,
        "min_product_version": "6.0", "fresh_until": add_days(ends_at, 30),
        "subscription": {
            "state": state, "state_since": since, "grace_days": GRACE_DAYS,
            "term": {"type": "limited", "ends_at": ends_at},
            "after_grace": {"database_updates": {"per_day": 1}},
            "order": {"number": "A221234065", "channel": "isp", "placed_on": "2016-01-31"},
        },
        "vendor": {"name": "Example ISP", "support_url": "https://provider.example/help"},
    });
    Statement::read(&claims).unwrap()
}

/// So many days of a subscription that is renewed each month: a look each hour, a number of devices each day that is
/// over the limit now and then; every sixth month the renewal comes five days late, and once a year there is a pause.
pub fn inputs(start: jiff::Timestamp, days: u64) -> Inputs {
    let mut inputs = Inputs::new();
    let (mut rev, mut ends_at) = (1, add_days(start, 30));
    inputs.push((start, Input::Activate(Ok(revision(rev, ends_at, "active", start)))));
    for day in 0..days {
        let midnight = add_days(start, day);
        for hour in 1..24 {
            inputs.push((midnight + jiff::SignedDuration::from_hours(hour), Input::Tick));
        }
        let noon = midnight + jiff::SignedDuration::from_hours(23);
        let count = if day % 45 < 43 { 200 + day % 40 } else { DEVICES + 10 };
        inputs.push((noon, Input::ProtectedDevices(Some(count))));
        let late = if (day / 30) % 6 == 5 { 5 } else { 0 };
        let mut publish = |state, ends_at| {
            rev += 1;
            inputs.push((noon, Input::Publish(Ok(revision(rev, ends_at, state, noon)))));
        };
        // Two days before the end, or after it.
        if add_days(ends_at, late) <= add_days(noon, if late > 0 { 0 } else { 2 }) {
            ends_at = add_days(ends_at, 30);
            publish("active", ends_at);
        }
        match day % 365 {
            200 => publish("paused", ends_at),
            203 => publish("active", ends_at),
            _ => {}
        }
    }
    inputs
}

/// Steps through inputs, and answers the last state and how many events there were.
pub fn live(inputs: Inputs, settings: &Settings) -> (State, usize) {
    let mut events = 0;
    let mut state = State::default();
    for (now, input) in inputs {
        let (next, reported) = step(state, settings, now, input);
        state = next;
        events += reported.len();
    }
    (state, events)
}
