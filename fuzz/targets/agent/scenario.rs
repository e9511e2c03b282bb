//! Scenarios: bounded work for whatever story.

use super::bytes::text;
use crate::forecast::in_words;
use svm_core::subscription::Scenario;

pub(super) fn scenario(data: &[u8]) {
    let Ok(scenario) = Scenario::read(&text(data)) else { return };
    if let Ok(rows) = scenario.play() {
        assert!(rows.is_sorted_by_key(|row| row.at), "time goes back");
        assert!(rows.iter().all(|row| row.at >= scenario.start && row.at <= scenario.end));
        if rows.len() < 1000 {
            in_words(&rows);
        }
    }
}
