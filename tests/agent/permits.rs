//! Permits as those meet them who ask: runs that are spent, an agent that is down, hangs or is killed meanwhile.

use crate::support::disk::Disk;
use crate::support::{Agent, Program, Vendor, at, now, order, random, wait_for};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use svm_core::subscription::{AfterGrace, Allowance, Terms};
use svm_vendor::KeyRef;

/// An agent whose subscription is paused without a grace, and whose vendor allows `runs` updates a day and 2 look-ups a minute.
fn trickle(runs: u64, more: &str) -> (tempfile::TempDir, Agent, Program) {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), at("2040-01-01T00:00:00Z"), 0);
    let mut order = order("SUB-2", at("2040-01-01T00:00:00Z"), 0);
    if let Terms::Subscription(subscription) = &mut order.terms {
        subscription.after_grace =
            AfterGrace { database_updates: Allowance::Rate(runs), ksn: Allowance::Rate(2) };
    }
    let (code, _) = vendor.provider.issue(order, now()).unwrap();
    vendor.provider.pause(&KeyRef::Code(code.clone()), now()).unwrap();
    vendor.publish();
    let agent = Agent::new(folder.path(), &vendor.trust(), &format!("{}{more}", vendor.source()));
    let program = agent.start_ready();
    agent.ask(&["activate", &code.reveal()]).unwrap();
    (folder, agent, program)
}

const TAKE: [&str; 5] = ["permit", "database-updates", "--take", "--unit", "update.service"];

/// Whether a run was granted.
fn take(agent: &Agent) -> bool {
    agent.command(&TAKE).output().unwrap().status.code().unwrap() == 0
}

fn permit(agent: &Agent, resource: &str) -> Value {
    let status = agent.status();
    status["permits"].as_array().unwrap().iter().find(|p| p["resource"] == resource).unwrap().clone()
}

#[test]
fn a_run_is_spent_once_also_over_a_kill_and_shown() {
    let (_folder, agent, mut program) = trickle(1, "");
    assert_eq!(agent.permit("database-updates"), 0, "asking spends nothing");
    assert!(take(&agent));
    let (exit, refusal) = agent.ask(&TAKE).unwrap_err();
    assert_eq!((exit, &refusal["allowed"]), (75, &false.into()));
    assert!(refusal["why"].as_str().unwrap().contains("spent until 20"), "{refusal}");
    assert!(refusal["spent_until"].is_string(), "{refusal}");
    let said =
        String::from_utf8(agent.command(&["permit", "database-updates"]).output().unwrap().stdout).unwrap();
    assert!(said.contains("allowed: limited to 1 per day") && said.contains("spent until 20"), "{said}");
    let status = String::from_utf8(agent.command(&["status"]).output().unwrap().stdout).unwrap();
    assert!(status.contains("spent until 20"), "{status}");
    program.kill();
    let mut program = agent.start_ready();
    assert!(!take(&agent), "spent for good");
    let shown = permit(&agent, "database_updates");
    assert_eq!(
        (&shown["asked"]["by"], &shown["asked"]["allowed"]),
        (&"update.service".into(), &false.into())
    );
    assert!(shown["next_run_at"].is_string() && shown["since"].is_string(), "{shown}");
    let explained =
        String::from_utf8(agent.command(&["status", "--explain"]).output().unwrap().stdout).unwrap();
    let line = explained
        .lines()
        .find(|l| l.starts_with("Database updates: allowed at a reduced rate, 1 per day"))
        .unwrap();
    for part in ["grants no grace period", "since 20", "spent until 20", "Last asked by update.service"] {
        assert!(line.contains(part), "{part} is not in: {line}");
    }
    // The database is lost: the recovery file remembers what was spent.
    program.kill();
    std::fs::write(agent.folder.join("state/agent.db"), "no database").unwrap();
    program = agent.start_ready();
    assert!(!take(&agent), "spent, whatever became of the database");
    program.kill();
    assert!(!take(&agent), "nobody can count it");
    let (_, refusal) = agent.ask(&TAKE).unwrap_err();
    assert!(refusal["why"].as_str().unwrap().contains("the agent cannot count this run"), "{refusal}");
}

#[test]
fn many_at_once_get_no_more_than_there_is_while_the_agent_is_killed() {
    const RUNS: u64 = 6;
    let (_folder, agent, mut program) = trickle(RUNS, "");
    let mut dice = random(now().as_nanosecond() as u64);
    let mut granted = 0;
    for _ in 0..4 {
        let takers: Vec<_> = (0..6).map(|_| agent.command(&TAKE).spawn().unwrap()).collect();
        std::thread::sleep(Duration::from_millis(dice(30)));
        program.kill();
        let ended = takers.into_iter().map(|mut taker| taker.wait().unwrap().code().unwrap());
        granted += ended.filter(|code| *code == 0).count() as u64;
        program = agent.start_ready();
    }
    while granted <= RUNS && take(&agent) {
        granted += 1;
    }
    // A run whose grant was kept and not heard of is lost; none is made twice.
    assert!((1..=RUNS).contains(&granted), "{granted} runs of {RUNS}");
    assert!(!take(&agent));
}

#[test]
fn a_full_permit_needs_no_agent_unless_the_settings_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), at("2040-01-01T00:00:00Z"), 0);
    for (word, killed, hung) in [("last", true, true), ("stopped", false, false)] {
        let folder = tempfile::tempdir().unwrap();
        let more = format!("[enforcement]\nwhen_agent_is_down = {word:?}\n");
        let agent = Agent::new(folder.path(), &vendor.trust(), &format!("{}{more}", vendor.source()));
        let mut program = agent.start_ready();
        agent.ask(&["activate", &vendor.code]).unwrap();
        assert!(take(&agent));
        assert_eq!(permit(&agent, "database_updates")["asked"]["by"], "update.service", "{word}");
        assert_eq!(agent.permit("ksn"), 0, "{word}");
        program.signal(Signal::STOP);
        assert_eq!((take(&agent), agent.permit("ksn") == 0), (hung, hung), "{word}: it hangs");
        program.kill();
        assert_eq!((take(&agent), agent.permit("ksn") == 0), (killed, killed), "{word}: it is gone");
    }
}

/// The gate program as it is given out.
fn gate_program() -> std::path::PathBuf {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let made =
        std::process::Command::new(root.join("packaging/gate.sh")).env("CARGO", env!("CARGO")).status();
    assert!(made.unwrap().success(), "packaging/gate.sh");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    target.join("gate/release/svm-gate")
}

/// What the gate of a unit answers, in an environment that the unit's user chose: its exit code and its words.
fn pass_gate(gate: &std::path::Path, agent: &Agent, resource: &str) -> (i32, String) {
    let forged = agent.folder.join("forged");
    let output = std::process::Command::new(gate)
        .arg(agent.folder.join("run"))
        .args([resource, "update.service"])
        .env("LD_PRELOAD", "/nowhere.so")
        .env("SVM_BOOT_ID", "another")
        .env("SVM_AGENT__PATHS__RUNTIME_DIR", forged)
        .output()
        .unwrap();
    // A loader would complain of what it cannot preload.
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_gate_of_a_unit_decides_as_the_agent_does_and_obeys_no_environment() {
    let gate = gate_program();
    let (_folder, agent, mut program) = trickle(1, "");
    // A forged permit where the environment points to.
    let permit = std::fs::read_to_string(agent.folder.join("run/permits/database-updates")).unwrap();
    std::fs::create_dir_all(agent.folder.join("forged/permits")).unwrap();
    let full = permit.replace("limited", "full");
    std::fs::write(agent.folder.join("forged/permits/database-updates"), &full).unwrap();
    let (code, said) = pass_gate(&gate, &agent, "database-updates");
    assert!(code == 0 && said.contains("database-updates: allowed: limited to 1 per day"), "{said}");
    let (code, said) = pass_gate(&gate, &agent, "database-updates");
    assert!(code == 75 && said.contains("refused") && said.contains("spent until 20"), "{said}");
    // One run, counted by either program.
    assert!(!take(&agent));
    program.signal(Signal::STOP);
    let (code, said) = pass_gate(&gate, &agent, "database-updates");
    assert!(code == 75 && said.contains("cannot count this run"), "{said}");
    // A full permit needs nobody.
    std::fs::write(agent.folder.join("run/permits/database-updates"), &full).unwrap();
    let began = std::time::Instant::now();
    assert_eq!(pass_gate(&gate, &agent, "database-updates").0, 0);
    assert!(began.elapsed() < Duration::from_secs(1), "it asked an agent that hangs");
    std::fs::write(agent.folder.join("run/permits/ksn"), &full).unwrap();
    let (code, said) = pass_gate(&gate, &agent, "ksn");
    assert!(code == 75 && said.contains("it is the permit of another resource"), "{said}");
    program.kill();
    std::fs::remove_file(agent.folder.join("run/permits/ksn")).unwrap();
    let (code, said) = pass_gate(&gate, &agent, "ksn");
    assert!(code == 75 && said.contains("there is no permit"), "{said}");
    assert!(agent.folder.join("run/owed/update.service").exists(), "it is started when the permit is back");
}

#[test]
fn what_is_asked_of_a_permit_wrongly_is_told() {
    let (_folder, agent, _program) = trickle(1, "");
    let usage = |arguments: &[&str]| agent.command(arguments).output().unwrap();
    for wrong in [&["permit", "updates"][..], &["permit", "ksn", "--unit", "a.service"]] {
        assert_eq!(usage(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let refused = agent.ask(&["permit", "ksn", "--take", "--unit", "a b"]).unwrap_err();
    assert!(refused.1["why"].as_str().unwrap().contains("must be the name of a service"), "{refused:?}");
    // The vendor's trickle of KSN is counted by the minute.
    let ksn = ["permit", "ksn", "--take"];
    let granted: Vec<bool> = (0..3).map(|_| agent.ask(&ksn).is_ok()).collect();
    assert_eq!(granted, [true, true, false]);
    wait_for("the next look-up", 40, || agent.ask(&ksn).is_ok().then_some(()));
}

#[test]
fn a_run_that_cannot_be_kept_is_not_granted_and_metrics_show_the_permits() {
    let (_folder, agent, program) = trickle(5, "");
    let metrics = || {
        let mut query = UnixStream::connect(agent.folder.join("run/query.sock")).unwrap();
        query.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut text = String::new();
        query.read_to_string(&mut text).unwrap();
        text
    };
    assert!(metrics().contains("svm_agent_permit{resource=\"database_updates\"} 1\n"), "{}", metrics());
    drop(program);
    assert_eq!(json!(take(&agent)), json!(false));
}

/// The runtime folder is in memory, and may be full: a stop is enforced there as well.
#[test]
fn where_no_permit_can_be_written_what_must_stop_stops() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(&folder.path().join("run"), "128k") else { return };
    let vendor = Vendor::new(folder.path(), at("2040-01-01T00:00:00Z"), 0);
    let agent = Agent::new(folder.path(), &vendor.trust(), &vendor.source());
    let _program = agent.start_ready();
    agent.ask(&["activate", &vendor.code]).unwrap();
    assert_eq!((agent.permit("ksn"), agent.permit("database-updates")), (0, 0));
    disk.fill();
    agent.ask(&["key", "remove", "SUB-1"]).unwrap();
    assert_eq!((agent.permit("ksn"), agent.permit("database-updates"), take(&agent)), (75, 75, false));
    // What was taken away left a little.
    disk.fill();
    agent.ask(&["activate", &vendor.code]).unwrap();
    assert_eq!(
        (agent.permit("ksn"), agent.permit("database-updates")),
        (75, 75),
        "there is no room to allow it"
    );
    wait_for("the problem to be shown", 30, || permit(&agent, "ksn")["outage"].is_object().then_some(()));
    disk.free();
    wait_for("the permit", 40, || (agent.permit("ksn") == 0 && take(&agent)).then_some(()));
    wait_for("the problem to be over", 90, || permit(&agent, "ksn")["outage"].is_null().then_some(()));
    let count = |text: &str| agent.log().lines().filter(|line| line.contains(text)).count();
    assert_eq!((count("writing the permits fails"), count("writing the permits works again")), (1, 1));
}
