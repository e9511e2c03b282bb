//! Sequence numbers that decide too much.

use super::*;

/// 2^53 − 1, the highest that there is.
const HIGHEST: u64 = (1 << 53) - 1;

#[test]
fn a_number_above_the_bound_is_invalid() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    for number in [u64::MAX, 1 << 53] {
        let answer = collector.post(&event("a", "1", number));
        let error = answer.json()["error"].clone();
        assert_eq!((answer.status, error["field"].as_str()), (400, Some("sequence")), "{error}");
        assert!(error["message"].as_str().unwrap().contains("9007199254740991"), "{error}");
    }
    // It is refused whole: nothing of the SVM is known.
    assert_eq!(collector.get("/v1/svms/a").status, 404);
}

#[test]
fn a_jump_is_a_conflict_that_is_shown_and_freezes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let svm = || collector.json("/v1/svms/a");
    let far = |id: &str, number: u64| {
        let mut event = event("a", id, number);
        event["skippedfrom"] = json!(format!("{:020}", 1));
        event["data"]["phase"] = json!("forged");
        event
    };
    // Also as the first event of an SVM, and also where it explains the jump.
    for event in [far("first", HIGHEST), far("first", 1_000_001)] {
        let answer = collector.post(&event);
        assert_eq!((answer.status, answer.json()["conflicts"][0]["why"].clone()), (409, json!("jump")));
    }
    assert_eq!(collector.post(&event("a", "1", 1)).status, 200);
    for number in [HIGHEST, 1_000_002] {
        let answer = collector.post(&far("far", number));
        assert_eq!(answer.status, 409, "{number}");
        assert_eq!(answer.json()["conflicts"][0]["highest"], format!("{:020}", 1));
    }
    let shown = svm();
    assert_eq!(
        (&shown["phase"], &shown["highest_sequence"]),
        (&json!("grace"), &json!(format!("{:020}", 1)))
    );
    assert_eq!(
        (&shown["conflicts"]["count"], &shown["conflicts"]["last"]["why"]),
        (&json!(4), &json!("jump"))
    );
    assert!(collector.get("/svms/a").body.contains("far above the highest number"));
    // What comes next is the state, as if nothing had been.
    let mut next = event("a", "2", 2);
    next["data"]["phase"] = json!("restricted");
    assert_eq!(collector.post(&next).status, 200);
    assert_eq!(svm()["phase"], "restricted");
    // One batch cannot climb by a jump in its midst either.
    let answer = collector.post_batch(&[event("a", "3", 3), far("high", 2_000_000), event("a", "4", 4)]);
    assert_eq!((answer.status, answer.json()["kept"].clone()), (200, json!(["3", "4"])));
    // An event that is stored and comes again far above is named as stored, and its new number is not believed.
    assert_eq!(collector.post(&far("2", HIGHEST)).json()["kept"], json!(["2"]));
    assert_eq!(svm()["highest_sequence"], format!("{:020}", 4));
    // Sources that are no SVMs have no state, and count as they like.
    let mut generic = event("x", "1", HIGHEST);
    generic["source"] = json!("/generic");
    assert_eq!(collector.post(&generic).status, 200);
}

#[test]
fn an_event_below_a_jump_that_was_taken_becomes_the_state_by_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let of = |id: &str, number: u64, time: &str, phase: &str| {
        let mut event = event("a", id, number);
        event["time"] = json!(time);
        event["data"]["phase"] = json!(phase);
        assert_eq!(collector.post(&event).status, 200);
        collector.json("/v1/svms/a")["phase"].as_str().unwrap().to_owned()
    };
    assert_eq!(of("1", 1, "2026-01-01T00:00:00Z", "active"), "active");
    assert_eq!(of("forged", 900_000, "2026-01-01T00:00:01Z", "forged"), "forged");
    assert_eq!(of("2", 2, "2026-01-01T00:00:02Z", "grace"), "grace", "later by its time");
    assert_eq!(
        of("late", 3, "2025-12-31T00:00:00Z", "active"),
        "active",
        "later by its number than the state"
    );
    assert_eq!(of("old", 1000, "2025-01-01T00:00:00Z", "x"), "x");
    assert_eq!(of("older", 999, "2024-01-01T00:00:00Z", "y"), "x", "earlier by both");
}
