//! The schedule of database updates against a clock that runs fast, over a stop of the agent. What systemd says does not
//! matter: here it starts nothing, so each slot that was tried is one failure.

use crate::support::running::Running;
use crate::support::{Agent, Vendor, now, wait_for};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use svm_core::clock::Clock;

/// A quarter of an hour takes a second.
const RATE: u32 = 900;

/// When updates were tried.
fn tried(agent: &Agent) -> Vec<Timestamp> {
    let events = agent.ask(&["events", "list", "--limit", "1000"]).unwrap();
    let events = events.as_array().unwrap().iter().filter(|event| event["type"] == "updates.failed");
    events.map(|event| event["time"].as_str().unwrap().parse().unwrap()).collect()
}

/// The quarter of an hour of an instant.
fn quarter(at: Timestamp) -> i64 {
    at.as_second().div_euclid(900)
}

#[test]
fn each_slot_is_tried_once_and_what_was_missed_once_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let year = now().checked_add(SignedDuration::from_hours(365 * 24)).unwrap();
    let vendor = Vendor::new(folder.path(), year, 0);
    let more = "[updates]\nunit = \"there-is-no-such-unit.service\"\nschedule = [\"*/15 * * * *\"]\n\
                time_zone = \"Asia/Kolkata\"\nrandom_delay = \"0s\"\n";
    let agent = Agent::new(folder.path(), &vendor.trust(), more);
    let clock = Clock::fast(now(), RATE);
    let running = Running::start(&agent, clock);
    let document = folder.path().join("key.jws");
    std::fs::write(&document, vendor.document(&vendor.code)).unwrap();
    agent.ask(&["key", "add", document.to_str().unwrap()]).unwrap();
    let before = wait_for("five slots", 30, || Some(tried(&agent)).filter(|tried| tried.len() >= 5));
    running.stop();
    for pair in before.windows(2) {
        assert_eq!(quarter(pair[1]), quarter(pair[0]) + 1, "{before:?}");
    }
    // Three to four slots pass.
    let asleep = svm_core::clock::stopwatch();
    wait_for("a while", 10, || (asleep() > Duration::from_millis(3500)).then_some(()));
    let running = Running::start(&agent, clock);
    let after = wait_for("three more", 30, || {
        let tried = tried(&agent).split_off(before.len());
        (tried.len() >= 4).then_some(tried)
    });
    let status = agent.ask(&["updates", "status"]).unwrap();
    running.stop();
    let last = *before.last().unwrap();
    // One that was tried while the agent stopped may have been kept after it was looked for.
    let after: Vec<_> = after.into_iter().skip_while(|at| quarter(*at) <= quarter(last) + 1).collect();
    assert!(quarter(after[0]) >= quarter(last) + 3, "made up for: {before:?} {after:?}");
    for pair in after.windows(2) {
        assert!(matches!(quarter(pair[1]) - quarter(pair[0]), 0 | 1), "{after:?}");
    }
    let doubled = after.windows(2).filter(|pair| quarter(pair[0]) == quarter(pair[1])).count();
    assert!(doubled <= 1, "the one that is made up for may fall beside the next: {after:?}");
    assert!(status["last_failed"]["message"].is_string());
    assert_eq!(status["time_zone"], "Asia/Kolkata");
}

/// Each run waits at random, also over a restart: no slot is lost, none comes twice, none at once for all.
#[test]
fn each_run_waits_at_random_and_a_wait_outlasts_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let year = now().checked_add(SignedDuration::from_hours(365 * 24)).unwrap();
    let vendor = Vendor::new(folder.path(), year, 0);
    let more = "[updates]\nunit = \"there-is-no-such-unit.service\"\nschedule = [\"0 * * * *\"]\nrandom_delay = \"20m\"\n";
    let agent = Agent::new(folder.path(), &vendor.trust(), more);
    let clock = Clock::fast(now(), RATE);
    let mut running = Running::start(&agent, clock);
    let document = folder.path().join("key.jws");
    std::fs::write(&document, vendor.document(&vendor.code)).unwrap();
    agent.ask(&["key", "add", document.to_str().unwrap()]).unwrap();
    let into_hour = |at: Timestamp| at.as_second().rem_euclid(3600);
    // Stopped and started in the middle of waits, for some hours.
    for _ in 0..5 {
        wait_for("the beginning of an hour", 20, || {
            (60..300).contains(&into_hour(clock.now())).then_some(())
        });
        running.stop();
        running = Running::start(&agent, clock);
        wait_for("the rest of the hour", 20, || (into_hour(clock.now()) > 3000).then_some(()));
    }
    let tried = tried(&agent);
    running.stop();
    let hours: Vec<i64> = tried.iter().map(|at| at.as_second().div_euclid(3600)).collect();
    assert!(hours.windows(2).all(|pair| pair[1] == pair[0] + 1) && hours.len() >= 4, "{tried:?}");
    assert!(tried.iter().any(|at| into_hour(*at) > 120), "nothing waits: {tried:?}");
}

#[test]
fn a_wrong_line_and_a_wrong_zone_are_refused_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let more = "[updates]\nschedule = [\"0 3 * * *\", \"0 0 3 * * *\"]\ntime_zone = \"Europe/Berln\"\n";
    let agent = Agent::new(folder.path(), folder.path(), more);
    let output = agent.command(&["config", "check", "--offline"]).output().unwrap();
    let reported = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78));
    let place = |line: u8| format!("{}:{line}: ", agent.config.display());
    assert!(
        reported.contains(&format!("{}`updates.schedule`", place(6)))
            && reported.contains("write \"0 3 * * *\""),
        "{reported}"
    );
    assert!(
        reported.contains(&format!("{}`updates.time_zone`", place(7))) && reported.contains("Europe/Berlin"),
        "{reported}"
    );
}
