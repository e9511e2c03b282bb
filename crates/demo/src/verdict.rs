//! The verdict: whether the collector holds exactly what `simulate` foretells for the same story.

use crate::world::Received;
use jiff::Timestamp;
use serde_json::Value;
use svm_core::subscription::Scenario;

/// Fields that say when, which are compared as one instant.
const WHEN: &[&str] = &["type", "effective_at"];

/// Every difference, in words; none where all is as foretold.
pub(crate) fn compare(scenario: &Scenario, told: &[Received]) -> anyhow::Result<Vec<String>> {
    let mut foretold = Vec::new();
    for row in scenario.play()? {
        for event in &row.events {
            foretold.push((
                event.effective_at.unwrap_or(row.at),
                event.kind.type_name(),
                serde_json::to_value(event)?,
            ));
        }
    }
    let told: Vec<&Received> = told.iter().filter(|told| told.effective <= scenario.end).collect();
    let mut differences = Vec::new();
    // What is enforced is told when it is done, after what else happened at that instant: each resource in its own order.
    for enforced in [None, Some("database_updates"), Some("ksn")] {
        let of = |kind: &str, data: &Value| {
            let resource = data.get("resource").and_then(Value::as_str);
            resource.filter(|_| kind == "enforcement.changed") == enforced
        };
        let foretold: Vec<_> = foretold.iter().filter(|(_, kind, data)| of(kind, data)).collect();
        let told: Vec<_> = told.iter().filter(|told| of(&told.kind, &told.data)).collect();
        for index in 0..foretold.len().max(told.len()) {
            match (foretold.get(index), told.get(index)) {
                (Some((at, kind, fields)), Some(told)) => {
                    if let Some(difference) = differs(*at, kind, fields, told) {
                        differences.push(format!("event {}: {difference}", index + 1));
                    }
                }
                (Some((at, kind, _)), None) => {
                    differences.push(format!("foretold and not told: {kind} at {at}"))
                }
                (None, Some(told)) => {
                    differences.push(format!("told and not foretold: {} at {}", told.kind, told.effective))
                }
                (None, None) => {}
            }
        }
    }
    Ok(differences)
}

fn differs(at: Timestamp, kind: &str, fields: &Value, told: &Received) -> Option<String> {
    if kind != told.kind {
        return Some(format!("foretold {kind} at {at}, told {} at {}", told.kind, told.effective));
    }
    if at != told.effective {
        return Some(format!("{kind} is foretold for {at} and was told of {}", told.effective));
    }
    let fields = fields.as_object()?.iter().filter(|(name, _)| !WHEN.contains(&name.as_str()));
    for (name, foretold) in fields {
        let told = told.data.get(name).unwrap_or(&Value::Null);
        if told != foretold {
            return Some(format!("{kind} at {at}: {name} is foretold as {foretold} and was told as {told}"));
        }
    }
    None
}
