//! The page over hostile text: an event that was taken, shown.

use super::bytes::text;
use crate::cloudevent::from_json;
use crate::fleet::{Counts, Svm};
use crate::gaps::Gaps;
use crate::machines::Machines;
use crate::page::{fleet, svm};
use crate::store::{Event, StoredReport};
use jiff::Timestamp;
use svm_core::text::clean;

/// Nothing of an event becomes a part of the page's own.
fn harmless(shown: &str) {
    let line = shown.replace('\n', " ");
    assert!(
        clean(&line) == line,
        "{:?}",
        line.chars().zip(clean(&line).chars()).find(|(is, clean)| is != clean)
    );
    assert!(!shown.contains("javascript:\""));
    // The pieces of the page's own have quoted attributes and known names.
    for tag in shown.split('<').skip(1) {
        let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').collect();
        assert!(NAMES.contains(&name.trim_start_matches('/')), "<{tag}");
    }
}

const NAMES: &[&str] = &[
    "a", "b", "bdi", "button", "caption", "code", "dd", "details", "div", "dl", "dt", "form", "h1", "h2",
    "h3", "input", "label", "li", "meter", "nav", "ol", "option", "p", "path", "pre", "section", "select",
    "span", "summary", "svg", "table", "tbody", "td", "th", "thead", "time", "tr", "ul",
];

pub(super) fn page(data: &[u8]) {
    let text = text(data);
    clean(&text);
    // The text itself in every place, where it is no event.
    let body = match from_json(&text) {
        Ok(event) => event,
        Err(_) => {
            let word = text.chars().take(200).collect::<String>();
            let word = serde_json::Value::from(word);
            let reported = format!(
                r#"{{"specversion":"1.0","id":"a","source":"urn:svm:a","type":"svm.agent.report","sequence":"00000000000000000002",
                "data":{{"severity":1,"device_status":"warning","device_status_reasons":[{word}],"hostname":{word},
                "product_name":{word},"product_version":{word},"phase":{word},"phase_cause":{word},"description":{word},
                "event_type_display_name":{word},"report":{{"a":{word}}},"instance":{word},
                "snapshot":{{"key":{word},"kind":{word},"reserve":{word},"database_updates":{word},"ksn":{word},
                "state":{word},"lapse_cause":{word},"known_end":{{"ends_at":"1970-01-02T00:00:00Z","why":{word}}},
                "vendor":{{"name":{word},"support_url":{word},"phone":{word},"renewal_url":{word}}},
                "order":{{"number":{word},"channel":{word},"placed_on":{word}}}}}}}}}"#
            );
            from_json(&reported).unwrap()
        }
    };
    let now = Timestamp::UNIX_EPOCH;
    let mut gaps = Gaps::default();
    body.sequence.into_iter().for_each(|number| gaps.took(number));
    let mut machines = Machines::default();
    machines.saw(&body, now);
    let shown = Svm {
        id: body.source.trim_start_matches("urn:svm:").to_owned(),
        first_contact: now,
        last_contact: now,
        reported: body.reported.clone(),
        state_sequence: None,
        gaps,
        machines,
        conflicts: 0,
        last_conflict: None,
    };
    let one = svm::View {
        svm: shown.clone(),
        report: body
            .reported
            .as_ref()
            .and_then(|reported| reported.report.clone())
            .map(|text| StoredReport { text, sequence: None, at: Some(now) }),
        events: vec![Event { position: 1, received_at: now, text: body.text.clone() }],
        older: Some(1),
        newest: true,
        now,
        silent_before: now,
    };
    harmless(&one.render().into_string());
    let fleet = fleet::View {
        query: Default::default(),
        page: 1,
        rows: 100,
        svms: vec![shown],
        total: 1,
        counts: Counts::default(),
        keys: Vec::new(),
        now,
        silent_before: now,
    };
    harmless(&fleet.render().into_string());
}
