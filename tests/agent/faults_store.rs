//! Faults below the agent: a damaged store, a kill at each durable step, a disk that fails, a disk that is full.

use crate::support::disk::Disk;
use crate::support::server::whole;
use crate::support::{Agent, Collector, Program, Vendor, at, get_json, have, now, program, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use svm_vendor::{Change, Parameters};

const FAR: &str = "2040-01-01T00:00:00Z";

/// A collector, a vendor, and an agent between them.
struct World {
    collector: Collector,
    vendor: Vendor,
    agent: Agent,
    _collecting: Program,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vendor = Vendor::new(folder.path(), at(FAR), 30);
        let collector = Collector::new(folder.path());
        let collecting = collector.start_ready();
        let agent = Self::agent(folder.path(), &vendor, &collector);
        Self { collector, vendor, agent, _collecting: collecting, folder }
    }

    fn agent(folder: &Path, vendor: &Vendor, collector: &Collector) -> Agent {
        let more = format!(
            "{}[destinations.console]\nurl = \"http://127.0.0.1:{}/v1/events\"\ntimeout = \"2s\"\n",
            vendor.source(),
            collector.port
        );
        Agent::new(folder, &vendor.trust(), &more)
    }

    fn state(&self, file: &str) -> PathBuf {
        self.agent.folder.join("state").join(file)
    }

    /// What the collector says of an SVM.
    fn svm(&self, id: &str) -> Value {
        let svms = get_json(self.collector.port, "/v1/svms").unwrap();
        let svms = svms["svms"].as_array().unwrap();
        let source = format!("urn:svm:{id}");
        svms.iter()
            .find(|svm| svm["source"] == source)
            .unwrap_or_else(|| panic!("{source}: {svms:?}"))
            .clone()
    }

    /// Events of an SVM, in the order of their numbers.
    fn events(&self, id: &str) -> Vec<Value> {
        let source = format!("urn:svm:{id}");
        let events = self.collector.events().unwrap();
        let mut events: Vec<Value> = events.into_iter().filter(|e| e["source"] == source).collect();
        events.sort_by_key(|event| event["sequence"].as_str().unwrap().to_owned());
        events
    }

    fn no_gap_no_conflict(&self, id: &str, name: &str) {
        let svm = self.svm(id);
        assert_eq!(
            (&svm["missing"]["count"], &svm["conflicts"]["count"]),
            (&0.into(), &0.into()),
            "{name}: {svm}"
        );
    }
}

fn kinds(events: &[Value], kind: &str) -> usize {
    events.iter().filter(|event| event["type"] == format!("svm.{kind}")).count()
}

/// The key, and what is allowed.
fn held(agent: &Agent) -> (Value, i32, i32) {
    (agent.status()["keys"].clone(), agent.permit("ksn"), agent.permit("database-updates"))
}

// Damage.

fn log_of(database: &Path) -> PathBuf {
    database.with_extension("db-wal")
}

fn cut_in_half(path: &Path) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

/// Writes over the middle third of a file.
fn overwrite(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let third = bytes.len() / 3;
    bytes[third..2 * third].fill(0xa5);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_database_is_told_and_rebuilt_with_nothing_lost_but_what_waited() {
    let world = World::new();
    let mut program = world.agent.start_ready();
    world.agent.ask(&["activate", &world.vendor.code]).unwrap();
    world.agent.settled();
    let id = world.agent.status()["id"].as_str().unwrap().to_owned();
    let before = held(&world.agent);
    type Damage = fn(&Path);
    let damages: [(&str, bool, bool, Damage); 10] = [
        ("truncated", false, true, cut_in_half),
        ("overwritten in the middle", false, true, overwrite),
        ("garbage", false, true, |f| std::fs::write(f, [0x5a; 40_000]).unwrap()),
        ("a text", false, true, |f| std::fs::write(f, "not a database").unwrap()),
        ("no length", false, false, |f| std::fs::write(f, "").unwrap()),
        ("deleted", false, false, |f| std::fs::remove_file(f).unwrap()),
        ("killed, and its log deleted", true, true, |f| std::fs::remove_file(log_of(f)).unwrap()),
        ("killed, and its log emptied", true, true, |f| std::fs::write(log_of(f), "").unwrap()),
        ("killed, and its log garbage", true, true, |f| std::fs::write(log_of(f), [0x5a; 9000]).unwrap()),
        ("killed, and its log cut", true, true, |f| cut_in_half(&log_of(f))),
    ];
    for (n, (name, killed, set_aside, damage)) in damages.into_iter().enumerate() {
        assert!(program.terminate().success());
        if killed {
            program = world.agent.start_ready();
            world.agent.ask(&["devices", "set", "77"]).unwrap();
            program.kill();
        }
        damage(&world.state("agent.db"));
        let mark = world.agent.log().len();
        program = world.agent.start_ready();
        let status = world.agent.status();
        assert_eq!(
            (status["id"].as_str(), held(&world.agent)),
            (Some(id.as_str()), before.clone()),
            "{name}"
        );
        world.agent.settled();
        let log = world.agent.log()[mark..].to_owned();
        let rebuilt = |l: &&str| l.contains("store.rebuilt") && l.contains("rebuilt: ");
        assert_eq!(log.lines().filter(rebuilt).count(), 1, "{name}: {log}");
        let events = world.events(&id);
        assert_eq!(kinds(&events, "store.rebuilt"), n + 1, "{name}");
        let rebuilt = events.iter().rfind(|event| event["type"] == "svm.store.rebuilt").unwrap();
        let aside = rebuilt["data"]["set_aside"].as_str();
        assert_eq!(aside.is_some(), set_aside, "{name}: {rebuilt}");
        assert!(aside.is_none_or(|file| world.state(file).exists()), "{name}: {rebuilt}");
        assert_eq!(kinds(&events, "key.added"), 1, "{name}");
        world.no_gap_no_conflict(&id, name);
        assert!(!killed || world.agent.status()["devices"]["count"] == 77, "{name}");
        // And it works on.
        let limits = kinds(&world.events(&id), "devices.limit");
        world.agent.ask(&["devices", "set", &(95 + n % 2 * 10).to_string()]).unwrap();
        world.agent.settled();
        assert_eq!(kinds(&world.events(&id), "devices.limit"), limits + 1, "{name}");
        world.no_gap_no_conflict(&id, name);
    }

    // The database is good, and the file beside it is not: it is made again, and the log says so.
    let recovery = world.state("recovery.json");
    for damage in ["", "{", "null"] {
        assert!(program.terminate().success());
        std::fs::write(&recovery, damage).unwrap();
        program = world.agent.start_ready();
        assert_eq!(
            (world.agent.status()["id"].as_str(), held(&world.agent)),
            (Some(id.as_str()), before.clone())
        );
        let made: Value = serde_json::from_slice(&std::fs::read(&recovery).unwrap()).unwrap();
        assert_eq!(made["id"], id.as_str());
        world.agent.wrote(&["recovery.damaged"]);
    }

    // Both: nothing is left to rebuild from. It starts anew, under another id, and says so.
    assert!(program.terminate().success());
    std::fs::write(&recovery, "{").unwrap();
    overwrite(&world.state("agent.db"));
    let mut program = world.agent.start_ready();
    let first = is_lost(&world, &id);

    // The same where the database is gone, and where both are: that is no first start.
    for damage in ["{", ""] {
        assert!(program.terminate().success());
        std::fs::remove_file(world.state("agent.db")).unwrap();
        match damage {
            "" => std::fs::remove_file(&recovery).unwrap(),
            damage => std::fs::write(&recovery, damage).unwrap(),
        }
        program = world.agent.start_ready();
        is_lost(&world, &first);
    }
    // A new key ends it.
    world.agent.ask(&["activate", &world.vendor.code]).unwrap();
    let reasons = || world.agent.status()["reasons"].to_string();
    wait_for("a good status", 20, || (!reasons().contains("state_lost")).then_some(()));
}

/// What the SVM held is lost, and everybody hears of it. Answers its new id.
fn is_lost(world: &World, id: &str) -> String {
    world.agent.settled();
    let status = world.agent.status();
    let new = status["id"].as_str().unwrap();
    assert!(new != id && status["phase"] == "not_activated", "{status}");
    assert!(status["reasons"].to_string().contains("state_lost"), "{status}");
    assert_eq!((world.agent.permit("ksn"), world.agent.permit("database-updates")), (75, 75));
    let events = world.events(new);
    let rebuilt = events.iter().find(|event| event["type"] == "svm.store.rebuilt").unwrap();
    assert!(rebuilt["data"]["problem"].as_str().unwrap().contains("must be activated again"), "{rebuilt}");
    assert_eq!((&rebuilt["data"]["severity"], &rebuilt["data"]["lost"]), (&4.into(), &true.into()));
    let reported = events.iter().find(|event| event["type"] == "svm.agent.report").unwrap();
    assert!(reported["data"]["device_status_reasons"].to_string().contains("state_lost"), "{reported}");
    world.agent.wrote(&["store.state_lost"]);
    world.no_gap_no_conflict(new, "lost");
    new.to_owned()
}

// A kill at each durable step.

fn strace() -> bool {
    have("strace", "strace")
}

/// The agent under strace, which makes system calls fail or kills at them.
fn traced(agent: &Agent, inject: &str) -> Program {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={inject}")]);
    command.arg(program("svm-agent"));
    command.arg("--config").arg(&agent.config).arg("run");
    Program::start(&mut command, &agent.folder.join("agent.log"))
}

/// Ends a traced agent: without its tracer it would go on.
fn end_traced(mut program: Program) {
    let children = format!("/proc/{0}/task/{0}/children", program.child.id());
    let children = std::fs::read_to_string(children).unwrap_or_default();
    for child in children.split_whitespace() {
        let pid = rustix::process::Pid::from_raw(child.parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).ok();
    }
    program.child.wait().unwrap();
}

/// Starts an agent that is killed at its `n`th call of `calls`, activates, and looks at what is there afterwards.
/// Answers whether it came to the kill.
fn killed_at(world: &World, calls: &str, n: u32, prepare: impl Fn(&Agent)) -> bool {
    let name = format!("{calls} {n}");
    let folder = world.folder.path().join(name.replace([',', ' '], "-"));
    std::fs::create_dir(&folder).unwrap();
    let agent = World::agent(&folder, &world.vendor, &world.collector);
    prepare(&agent);
    let mut program = traced(&agent, &format!("{calls}:signal=KILL:when={n}"));
    wait_for("the agent or its end", 20, || {
        (agent.ask(&["status"]).is_ok() || program.child.try_wait().unwrap().is_some()).then_some(())
    });
    let activated = agent.ask(&["activate", &world.vendor.code]).is_ok();
    let killed = match activated {
        // What comes after the answer has a moment.
        true => (0..20).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            program.child.try_wait().unwrap().is_some()
        }),
        false => wait_for("the kill", 20, || program.child.try_wait().unwrap().map(|_| true)),
    };
    end_traced(program);

    let mut program = agent.start_ready();
    agent.settled();
    let status = agent.status();
    let id = status["id"].as_str().unwrap();
    let held = status["phase"] == "active";
    assert!(held || !activated, "{name}: what was answered is lost");
    let events = world.events(id);
    assert_eq!(
        kinds(&events, "key.added"),
        usize::from(held),
        "{name}: state and events say different things"
    );
    world.no_gap_no_conflict(id, &name);
    let ids: BTreeSet<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len(), "{name}");
    assert_eq!(agent.permit("ksn"), if held { 0 } else { 75 }, "{name}");
    let recovery: Value =
        serde_json::from_slice(&std::fs::read(agent.folder.join("state/recovery.json")).unwrap()).unwrap();
    assert_eq!(
        (recovery["id"].as_str(), recovery["state"]["active"].is_object()),
        (Some(id), held),
        "{name}"
    );
    agent.ask(&["activate", &world.vendor.code]).unwrap();
    agent.settled();
    assert_eq!(kinds(&world.events(id), "key.added"), 1, "{name}");
    program.kill();
    std::fs::remove_dir_all(&folder).unwrap();
    killed
}

#[test]
fn killed_at_each_durable_step_of_an_activation_state_and_events_agree() {
    if !strace() {
        return;
    }
    let world = World::new();
    let mut kills = 0;
    for calls in ["fsync,fdatasync", "pwrite64", "rename"] {
        for n in (1..60).step_by(if calls == "pwrite64" { 3 } else { 1 }) {
            if !killed_at(&world, calls, n, |_| ()) {
                break;
            }
            kills += 1;
        }
    }
    println!("{kills} kills");
    assert!(kills > 15, "{kills} kills");
}

#[test]
fn killed_at_each_durable_step_of_a_rebuilding_it_is_told_all_the_same() {
    if !strace() {
        return;
    }
    let world = World::new();
    let mut program = world.agent.start_ready();
    world.agent.ask(&["activate", &world.vendor.code]).unwrap();
    world.agent.settled();
    assert!(program.terminate().success());
    let id = serde_json::from_slice::<Value>(&std::fs::read(world.state("recovery.json")).unwrap()).unwrap();
    let id = id["id"].as_str().unwrap();
    let mut rebuilt = 0;
    for calls in ["fsync,fdatasync", "rename"] {
        for n in 1..30 {
            overwrite(&world.state("agent.db"));
            let mut program = traced(&world.agent, &format!("{calls}:signal=KILL:when={n}"));
            let ready = wait_for("the agent or its end", 20, || {
                let ended = program.child.try_wait().unwrap().is_some();
                (ended || world.agent.ask(&["status"]).is_ok()).then_some(!ended)
            });
            end_traced(program);
            let mut program = world.agent.start_ready();
            world.agent.settled();
            let reported = kinds(&world.events(id), "store.rebuilt");
            assert!(reported > rebuilt, "{calls} {n}: what was rebuilt was not told");
            rebuilt = reported;
            world.no_gap_no_conflict(id, &format!("{calls} {n}"));
            assert_eq!(world.agent.status()["phase"], "active");
            assert!(program.terminate().success());
            if ready {
                break;
            }
        }
    }
    println!("{rebuilt} rebuilt");
}

// A disk that fails.

#[test]
fn while_the_disk_fails_nothing_is_in_force_and_later_it_works_again() {
    if !strace() {
        return;
    }
    let world = World::new();
    let mut program = world.agent.start_ready();
    world.agent.ask(&["devices", "set", "10"]).unwrap();
    let id = world.agent.status()["id"].as_str().unwrap().to_owned();
    world.agent.settled();
    let (before, reported) = (held(&world.agent), world.agent.reported().len());
    let fail = |program: &Program, inject: &str| {
        let pid = program.child.id().to_string();
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={inject}"), "-p", &pid]);
        let tracer = Program::start(&mut command, &world.agent.folder.join("strace.log"));
        wait_for("the tracer", 10, || {
            let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
            let traced = |task: std::fs::DirEntry| {
                let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
                !status.contains("TracerPid:\t0\n")
            };
            tasks.flatten().all(traced).then_some(())
        });
        tracer
    };
    for inject in ["fsync,fdatasync:error=EIO", "pwrite64:error=EIO", "pwrite64:error=ENOSPC"] {
        let mark = world.agent.log().len();
        let mut tracer = fail(&program, inject);
        for _ in 0..3 {
            assert_eq!(world.agent.refused(&["devices", "set", "95"]), (1, "not_kept".to_owned()));
            assert_eq!(world.agent.refused(&["activate", &world.vendor.code]), (1, "not_kept".to_owned()));
        }
        let status = world.agent.status();
        assert_eq!((&status["devices"]["count"], held(&world.agent)), (&10.into(), before.clone()));
        assert!(status["store_problem"].is_string(), "{status}");
        tracer.terminate();
        wait_for("the store", 10, || world.agent.status()["store_problem"].is_null().then_some(()));
        world.agent.settled();
        let log = world.agent.log()[mark..].to_owned();
        for line in ["cannot write to the database", "the database can be written again"] {
            assert_eq!(log.lines().filter(|l| l.contains(line)).count(), 1, "{inject}: {line}: {log}");
        }
        assert_eq!((held(&world.agent), world.agent.reported().len()), (before.clone(), reported), "{log}");
        assert_eq!(world.agent.status()["devices"]["count"], 10);
    }
    world.agent.ask(&["activate", &world.vendor.code]).unwrap();

    // Killed in the middle of it: whatever came of the last try, state and events agree.
    let tracer = fail(&program, "fsync,fdatasync:error=EIO");
    assert_eq!(world.agent.refused(&["devices", "set", "95"]), (1, "not_kept".to_owned()));
    program.kill();
    drop(tracer);
    let _program = world.agent.start_ready();
    world.agent.settled();
    let in_force = world.agent.status()["devices"]["count"] == 95;
    let events = world.events(&id);
    assert_eq!(kinds(&events, "devices.limit"), usize::from(in_force));
    assert_eq!(kinds(&events, "key.added"), 1);
    world.no_gap_no_conflict(&id, "killed while syncs fail");
}

// A full disk.

fn log_count(agent: &Agent, text: &str) -> usize {
    agent.log().lines().filter(|line| line.contains(text)).count()
}

#[test]
fn on_a_full_disk_what_must_stop_stops_and_the_rest_is_told_later_in_order_and_once() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.state(""), "3m") else { return };
    let _program = world.agent.start_ready();
    assert!(!world.state("agent.reserve").exists(), "this disk is too small for a reserve");
    let (agent, vendor) = (&world.agent, &world.vendor);
    agent.ask(&["activate", &vendor.code]).unwrap();
    agent.ask(&["devices", "set", "10"]).unwrap();
    agent.settled();
    let id = agent.status()["id"].as_str().unwrap().to_owned();
    let before = held(agent);
    disk.fill();
    for command in [["devices", "set", "95"], ["key", "remove", "SUB-1"], ["devices", "set", "120"]] {
        assert_eq!(agent.refused(&command), (1, "not_kept".to_owned()));
    }
    assert_eq!((held(agent), &agent.status()["devices"]["count"]), (before, &10.into()));
    assert!(agent.status()["store_problem"].is_string());

    // The vendor's word: a change, then a block. Only what stops is in force.
    let change = Parameters { devices: Some(Some(300)), ..Parameters::default() };
    vendor.provider.change(&vendor.key, &Change::Parameters(change), now()).unwrap();
    vendor.publish();
    for _ in 0..2 {
        assert_eq!(agent.refused(&["refresh"]), (1, "store".to_owned()));
    }
    assert_eq!((agent.permit("ksn"), agent.permit("database-updates")), (0, 0));
    vendor.provider.block(&vendor.key, now()).unwrap();
    vendor.publish();
    assert_eq!(agent.refused(&["refresh"]), (1, "store".to_owned()));
    let stopped = || {
        assert_eq!((agent.permit("ksn"), agent.permit("database-updates")), (75, 75));
        let permits = agent.status()["permits"].clone();
        assert!(permits.as_array().unwrap().iter().all(|p| p["verdict"] == "stopped"), "{permits}");
    };
    stopped();
    // Nothing that comes after it gives anything back.
    assert_eq!(agent.refused(&["report"]), (1, "not_kept".to_owned()));
    stopped();
    assert_eq!(agent.refused(&["devices", "set", "11"]), (1, "not_kept".to_owned()));
    stopped();
    vendor.server.say(whole(&["200 OK"], "a.b.c"));
    assert_eq!(agent.refused(&["refresh"]), (1, "store".to_owned()));
    stopped();
    vendor.serve();
    agent.refused(&["refresh"]);
    stopped();

    // What was held back does not need the vendor again.
    vendor.server.say(whole(&["500 Oh"], ""));
    disk.free();
    wait_for("the store", 90, || agent.status()["store_problem"].is_null().then_some(()));
    agent.settled();
    stopped();
    let status = agent.status();
    assert_eq!((&status["cause"], &status["keys"][0]["rev"]), (&"blocked".into(), &3.into()));
    wait_for("what is enforced to be told", 30, || {
        (kinds(&world.events(&id), "enforcement.changed") == 4).then_some(())
    });
    let events = world.events(&id);
    let story: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap().trim_start_matches("svm."))
        .filter(|kind| !kind.starts_with("agent.") && *kind != "device.status_changed")
        .collect();
    assert_eq!(
        story,
        [
            "key.added",
            "subscription.status_changed",
            "enforcement.changed",
            "enforcement.changed",
            "subscription.parameters_changed",
            "subscription.status_changed",
            "enforcement.changed",
            "enforcement.changed",
        ]
    );
    world.no_gap_no_conflict(&id, "after a full disk");
    assert_eq!(log_count(agent, "cannot write to the database"), 1);
    assert_eq!(log_count(agent, "the database can be written again"), 1);
    agent.ask(&["devices", "set", "12"]).unwrap();
}

#[test]
fn the_reserve_keeps_a_critical_event_on_a_full_disk_and_a_start_works_there() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.state(""), "8m") else { return };
    let mut program = world.agent.start_ready();
    let (agent, vendor) = (&world.agent, &world.vendor);
    agent.ask(&["activate", &vendor.code]).unwrap();
    agent.settled();
    let reserve = world.state("agent.reserve");
    assert!(reserve.exists());
    disk.fill();
    assert_eq!(agent.refused(&["devices", "set", "95"]), (1, "not_kept".to_owned()));
    assert!(reserve.exists(), "not for that");
    vendor.provider.block(&vendor.key, now()).unwrap();
    vendor.publish();
    // The poller may have been there before.
    agent.ask(&["refresh"]).unwrap();
    assert!(!reserve.exists());
    assert_eq!((agent.permit("ksn"), &agent.status()["cause"]), (75, &"blocked".into()));
    let id = agent.status()["id"].as_str().unwrap().to_owned();
    wait_for("what is enforced to be told", 30, || {
        (kinds(&world.events(&id), "enforcement.changed") == 4).then_some(())
    });

    // A start where there is no room at all: after a stop, and after a kill.
    for kill in [false, true] {
        if kill {
            program.kill();
        } else {
            assert!(program.terminate().success());
        }
        disk.fill();
        program = agent.start_ready();
        assert_eq!((agent.permit("ksn"), &agent.status()["cause"]), (75, &"blocked".into()));
    }
    disk.free();
    wait_for("the store", 90, || agent.status()["store_problem"].is_null().then_some(()));
    wait_for("the reserve", 30, || {
        agent.ask(&["report"]).unwrap();
        reserve.exists().then_some(())
    });
    agent.settled();
    world.no_gap_no_conflict(&id, "after a full disk");
    assert_eq!(agent.status()["cause"], "blocked");
}
