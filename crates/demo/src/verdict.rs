//! The verdict: whether the console received exactly the events that `simulate` foretells for the same story.

use crate::world::Received;
use jiff::Timestamp;
use serde_json::Value;
use svm_core::subscription::Scenario;

/// Fields that say when, which are compared as one instant.
const WHEN: &[&str] = &["type", "effective_at"];

/// Every difference, in words; none if all is as foretold.
pub(crate) fn compare(scenario: &Scenario, reported: &[Received]) -> anyhow::Result<Vec<String>> {
    let mut forecast = Vec::new();
    for row in scenario.play()? {
        for event in &row.events {
            forecast.push((
                event.effective_at.unwrap_or(row.at),
                event.kind.type_name(),
                serde_json::to_value(event)?,
            ));
        }
    }
    let reported: Vec<&Received> =
        reported.iter().filter(|reported| reported.effective <= scenario.end).collect();
    let mut differences = Vec::new();
    // The agent reports enforcement when it is done, after other events of that instant: each resource in its own order.
    for enforced in [None, Some("database_updates"), Some("ksn")] {
        let of = |kind: &str, data: &Value| {
            let resource = data.get("resource").and_then(Value::as_str);
            resource.filter(|_| kind == "enforcement.changed") == enforced
        };
        let forecast: Vec<_> = forecast.iter().filter(|(_, kind, data)| of(kind, data)).collect();
        let reported: Vec<_> =
            reported.iter().filter(|reported| of(&reported.kind, &reported.data)).collect();
        for index in 0..forecast.len().max(reported.len()) {
            match (forecast.get(index), reported.get(index)) {
                (Some((at, kind, fields)), Some(reported)) => {
                    if let Some(difference) = differs(*at, kind, fields, reported) {
                        differences.push(format!("event {}: {difference}", index + 1));
                    }
                }
                (Some((at, kind, _)), None) => {
                    differences.push(format!("foretold, but not received: {kind} at {at}"))
                }
                (None, Some(reported)) => differences
                    .push(format!("received, but not foretold: {} at {}", reported.kind, reported.effective)),
                (None, None) => {}
            }
        }
    }
    Ok(differences)
}

fn differs(at: Timestamp, kind: &str, fields: &Value, reported: &Received) -> Option<String> {
    if kind != reported.kind {
        return Some(format!(
            "foretold {kind} at {at}, received {} at {}",
            reported.kind, reported.effective
        ));
    }
    if at != reported.effective {
        return Some(format!("{kind} is foretold for {at} and was received for {}", reported.effective));
    }
    let fields = fields.as_object()?.iter().filter(|(name, _)| !WHEN.contains(&name.as_str()));
    for (name, forecast) in fields {
        let reported = reported.data.get(name).unwrap_or(&Value::Null);
        if reported != forecast {
            return Some(format!(
                "{kind} at {at}: {name} is foretold as {forecast} and was received as {reported}"
            ));
        }
    }
    None
}
