//! The watch over the reserve key: that it would be of no use is told once, and so is that it is good again.

use crate::support::running::Running;
use crate::support::{Agent, Program, Vendor, at, now, wait_for};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use svm_core::clock::Clock;
use svm_core::documents::ActivationCode;
use svm_core::subscription::{KeyId, Licence, Terms};
use svm_vendor::{Change, IssueOrder, KeyRef};

struct World {
    vendor: Vendor,
    agent: Agent,
    trust: PathBuf,
    reserve: String,
    _folder: tempfile::TempDir,
}

impl World {
    /// With `SUB-1` and `COM-1` ready to be added from `SUB-1.jws` and `COM-1.jws`; `COM-1` activates 6.1 and later.
    fn new(more: &str) -> Self {
        Self::blocked(None, more)
    }

    /// The same, where the vendor has said already from when it blocks `COM-1`.
    fn blocked(blocked_since: Option<Timestamp>, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vendor = Vendor::new(folder.path(), at("2040-01-01T00:00:00Z"), 0);
        let mut order = IssueOrder::new(Terms::Licence(Licence { period_days: 365, blocked_since }));
        order.key_id = Some(KeyId::try_from("COM-1".to_owned()).unwrap());
        order.min_product_version = Some("6.1".parse().unwrap());
        let reserve = vendor.provider.issue(order, now()).unwrap().0.reveal();
        vendor.publish();
        let trust = folder.path().join("trust");
        copy_all(&vendor.trust(), &trust);
        let agent = Agent::new(folder.path(), &trust, more);
        Self { vendor, agent, trust, reserve, _folder: folder }
    }

    fn add(&self, code: &str, more: &[&str]) {
        let file = self.agent.folder.join("key.jws");
        std::fs::write(&file, self.vendor.document(code)).unwrap();
        self.agent.ask(&[&["key", "add", file.to_str().unwrap()], more].concat()).unwrap();
    }

    fn both(&self) {
        self.add(&self.vendor.code, &[]);
        self.add(&self.reserve, &["--reserve"]);
    }

    fn retire_the_signer(&self) {
        for entry in std::fs::read_dir(&self.trust).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }

    /// Anything that happens has the signers looked at.
    fn stir(&self, count: &str) {
        self.agent.ask(&["devices", "set", count]).unwrap();
    }

    /// What was told of the reserve: types, each with its reason.
    fn reported(&self) -> Vec<String> {
        let events = self.agent.ask(&["events", "list", "--limit", "1000"]).unwrap();
        let of_reserve = |event: &&Value| event["type"].as_str().unwrap().starts_with("reserve.");
        let shown = |event: &Value| {
            let id = event["id"].as_str().unwrap();
            let whole = self.agent.ask(&["events", "show", id]).unwrap();
            format!("{} {}", event["type"].as_str().unwrap(), whole["event"]["data"]["why"])
        };
        events.as_array().unwrap().iter().filter(of_reserve).map(shown).collect()
    }

    fn until_reported(&self, reported: &[&str]) {
        wait_for("what is told of the reserve", 20, || (self.reported() == reported).then_some(()));
        let status = self.agent.status();
        let reasons = status["reasons"].as_array().unwrap();
        let bad = reported.last().is_some_and(|last| last.starts_with("reserve.unusable"));
        assert_eq!(reasons.contains(&json!("reserve_unusable")), bad, "{status}");
        assert_eq!(status["reserve_problem"].is_string(), bad, "{status}");
        assert_eq!(status["device_status"], if bad { "warning" } else { "ok" });
    }
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn restarted(program: &mut Program, agent: &Agent) {
    program.kill();
    *program = agent.start_ready();
}

const RETIRED: &str = "reserve.unusable \"untrusted_signer\"";
const GOOD: &str = "reserve.usable null";

#[test]
fn a_retired_signer_is_told_once_and_so_is_its_return() {
    let world = World::new("");
    let mut program = world.agent.start_ready();
    world.both();
    world.until_reported(&[]);
    world.retire_the_signer();
    world.stir("1");
    world.until_reported(&[RETIRED]);
    let shown = String::from_utf8(world.agent.command(&["status"]).output().unwrap().stdout).unwrap();
    assert!(shown.contains("could not take over now: the signer"), "{shown}");
    restarted(&mut program, &world.agent);
    world.stir("2");
    world.until_reported(&[RETIRED]);
    // Found at the start.
    program.kill();
    copy_all(&world.vendor.trust(), &world.trust);
    program = world.agent.start_ready();
    world.until_reported(&[RETIRED, GOOD]);
    restarted(&mut program, &world.agent);
    world.stir("3");
    world.until_reported(&[RETIRED, GOOD]);
    // Without a reserve there is nothing to take back.
    world.retire_the_signer();
    world.stir("4");
    world.until_reported(&[RETIRED, GOOD, RETIRED]);
    world.agent.ask(&["key", "remove", "COM-1"]).unwrap();
    wait_for("the reason to go", 20, || (world.agent.status()["device_status"] == "ok").then_some(()));
    assert_eq!(world.reported(), [RETIRED, GOOD, RETIRED]);
}

#[test]
fn another_reason_is_told_anew() {
    let world = World::new("[product]\nversion = \"6.1\"\n");
    let mut program = world.agent.start_ready();
    world.both();
    let downgraded = world.agent.folder.join("agent.toml");
    let text = std::fs::read_to_string(&downgraded).unwrap();
    std::fs::write(&downgraded, text.replace("version = \"6.1\"", "version = \"6.0.9\"")).unwrap();
    restarted(&mut program, &world.agent);
    let too_old = "reserve.unusable \"product_version_too_old\"";
    world.until_reported(&[too_old]);
    world.retire_the_signer();
    world.stir("1");
    world.until_reported(&[too_old, RETIRED]);
    copy_all(&world.vendor.trust(), &world.trust);
    std::fs::write(&downgraded, text).unwrap();
    restarted(&mut program, &world.agent);
    world.until_reported(&[too_old, RETIRED, GOOD]);
    let keys = world.agent.ask(&["key", "list"]).unwrap();
    let active = keys.as_array().unwrap().iter().find(|key| key["role"] == "active").unwrap();
    world.agent.ask(&["key", "remove", active["key"].as_str().unwrap()]).unwrap();
    world.agent.wrote(&["reserve.unusable", "reserve.usable", "key.reserve_applied"]);
}

#[test]
fn a_key_that_was_blocked_before_it_was_added_is_told_at_once() {
    let world = World::new("");
    let _program = world.agent.start_ready();
    let key = KeyRef::Code(ActivationCode::parse(&world.reserve).unwrap());
    world.vendor.provider.change(&key, &Change::Block, now()).unwrap();
    world.vendor.publish();
    world.both();
    world.until_reported(&["reserve.unusable \"blocked\""]);
}

/// Nothing that can be seen changes on the day from which it is blocked: only the daily look finds it.
#[test]
fn it_is_looked_at_once_a_day() {
    let since = now().checked_add(SignedDuration::from_hours(48)).unwrap();
    let world = World::blocked(Some(since), "");
    // Twelve hours a second.
    let running = Running::start(&world.agent, Clock::fast(now(), 43_200));
    world.both();
    let before = world.reported();
    wait_for("the daily look", 30, || (world.reported() == ["reserve.unusable \"blocked\""]).then_some(()));
    running.stop();
    assert!(before.is_empty(), "{before:?}");
}
