//! Worlds in which something is broken: disks, rows, descriptors, and time that passes over it.

use super::life::foreign;
use super::{DEBUG, FAR, line, lines, vendor_file};
use crate::support::disk::Disk;
use crate::support::machine::Machine;
use crate::support::server::whole;
use crate::support::{Agent, Vendor, at, free_port, now, wait_for};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use svm_core::documents::ActivationCode;

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;
/// The schedule's.
const SLOT: i64 = 3 * MINUTE;

/// Disks that are full: of the state, and of the permits.
pub(crate) fn disks() -> Option<Agent> {
    let folder = tempfile::tempdir().unwrap().keep();
    let state = Disk::mount(&folder.join("state"), "6m")?;
    let run = Disk::mount(&folder.join("run"), "128k")?;
    let vendor = Vendor::new(&folder, at(FAR), 30);
    let agent = Agent::new(&folder, &vendor.trust(), &(vendor.source() + DEBUG));
    let _program = agent.start_ready();
    agent.ask(&["activate", &vendor.code]).unwrap();
    state.fill();
    run.fill();
    for devices in 1..20 {
        agent.ask(&["devices", "set", &devices.to_string()]).ok();
    }
    agent.ask(&["key", "remove", "SUB-1"]).ok();
    line(&agent, "store.fails");
    state.free();
    line(&agent, "store.works");
    agent.ask(&["key", "remove", "SUB-1"]).ok();
    run.fill();
    agent.ask(&["activate", &vendor.code]).ok();
    line(&agent, "permits.fails");
    run.free();
    line(&agent, "permits.works");
    // Nothing can be made in place of the recovery file.
    let recovery = folder.join("state/recovery.json");
    std::fs::remove_file(&recovery).unwrap();
    std::fs::create_dir(&recovery).unwrap();
    agent.ask(&["devices", "set", "50"]).unwrap();
    line(&agent, "recovery.fails");
    std::fs::remove_dir(&recovery).unwrap();
    agent.ask(&["devices", "set", "51"]).unwrap();
    line(&agent, "recovery.works");
    Some(agent)
}

/// Ten minutes of what can fail: the clock is moved on by no more than a time service may.
pub(crate) fn ten_minutes() -> Option<Agent> {
    let folder = tempfile::tempdir().unwrap().keep();
    let run = Disk::mount(&folder.join("run"), "128k")?;
    let vendor = Vendor::new(&folder, at(FAR), 30);
    let (port, upstream) = (free_port(), free_port());
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let metrics = folder.join("node-exporter");
    // Without the file for logins: the agent removes it after the activation, which would make room on the full disk.
    let more = format!(
        "{}{DEBUG}[gateway]\nlisten = \"127.0.0.1:{port}\"\nupstreams = [\"127.0.0.1:{upstream}\"]\n\
         [metrics]\ntextfile = {:?}\nevery = \"10s\"\n[motd]\nenabled = false\n",
        vendor.source(),
        metrics.join("svm-agent.prom")
    );
    let mut machine = Machine::new(&folder, &vendor.trust(), &more);
    machine.start();
    let code = || machine.agent.ask(&["activate", &vendor.code]);
    lines(&machine.agent, &["gateway_port.fails", "metrics_file.fails"]);
    run.fill();
    code().unwrap();
    lines(&machine.agent, &["permits.fails", "enforcing.fails"]);
    machine.set(11 * MINUTE);
    machine.nudge();
    let last = ["gateway_port", "metrics_file", "permits", "enforcing"];
    let all = |how: &str| {
        for what in last {
            line(&machine.agent, &format!("{what}.{how}"));
        }
    };
    all("still_fails");
    drop(taken);
    std::fs::create_dir(metrics).unwrap();
    run.free();
    all("works");

    let look_up = || TcpStream::connect(("127.0.0.1", port)).ok();
    let looked_up = |event: &str| {
        let event = format!("event=\"{event}\"");
        wait_for(&event, 90, || {
            look_up();
            machine.agent.log().contains(&event).then_some(())
        });
    };
    looked_up("ksn_upstream.fails");
    machine.set(22 * MINUTE);
    machine.nudge();
    looked_up("ksn_upstream.still_fails");
    machine.stop();
    Some(machine.agent)
}

/// A schedule of updates: without a permit, over a day when the machine is off, and one that waits for the next.
pub(crate) fn schedule() -> Agent {
    let folder = tempfile::tempdir().unwrap().keep();
    let vendor = Vendor::new(&folder, at(FAR), 30);
    let updates = |delay: &str| {
        format!(
            "[updates]\nschedule = [\"*/3 * * * *\"]\nrandom_delay = \"{delay}\"\ndatabases_file = \"/nowhere\"\n"
        )
    };
    let mut machine = Machine::new(&folder, &vendor.trust(), &(DEBUG.to_owned() + &updates("0s")));
    machine.start();
    line(&machine.agent, "databases.unseen");
    // Each slot from `from` on. A request for an update makes the agent check the schedule.
    let slots = |machine: &Machine, from: i64, event: &str| {
        let event = format!("event=\"{event}\"");
        let mut at = from;
        wait_for(&event, 20, || {
            at += SLOT;
            machine.set(at);
            machine.agent.ask(&["updates", "run"]).ok();
            machine.agent.log().contains(&event).then_some(())
        });
    };
    slots(&machine, 0, "update.skipped");
    line(&machine.agent, "update.no_permit");
    machine.reboot(2);
    // Between two slots, and too late for the first.
    let off = DAY + (100 - now().as_second() - DAY).rem_euclid(SLOT);
    machine.set(off);
    machine.start();
    line(&machine.agent, "update.missed");
    machine.agent.ask(&["key", "add", vendor_file(&vendor).to_str().unwrap()]).unwrap();
    let text = std::fs::read_to_string(&machine.agent.config).unwrap();
    std::fs::write(&machine.agent.config, text.replace(&updates("0s"), &updates("1h"))).unwrap();
    machine.agent.ask(&["reload"]).unwrap();
    slots(&machine, off, "update.overlaps");
    machine.stop();
    machine.agent
}

/// A row that is not what it should be, and rows that cannot be written.
pub(crate) fn rows() -> Agent {
    let folder = tempfile::tempdir().unwrap().keep();
    let vendor = Vendor::new(&folder, at(FAR), 30);
    let agent = Agent::new(&folder, &vendor.trust(), &(vendor.source() + DEBUG));
    let mut program = agent.start_ready();
    let unknown = ActivationCode::generate().unwrap().reveal();
    vendor.server.say(whole(&["500 Oh"], ""));
    agent.ask(&["activate", &unknown]).unwrap_err();
    assert!(program.terminate().success());
    let database = rusqlite::Connection::open(folder.join("state/agent.db")).unwrap();
    database
        .execute_batch(
            "INSERT OR REPLACE INTO notes VALUES ('dropped', 'seven');
             INSERT OR REPLACE INTO notes VALUES ('updates', '{\"followed\":');
             CREATE TRIGGER broken BEFORE INSERT ON notes WHEN NEW.name IN ('activation', 'source')
             BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END",
        )
        .unwrap();
    drop(database);
    let _program = agent.start_ready();
    lines(&agent, &["store.drops_unreadable", "store.note_unreadable", "activation.note_not_kept"]);
    // Another key takes the place of what waits, and that it does cannot be kept.
    agent.ask(&["key", "add", vendor_file(&vendor).to_str().unwrap()]).unwrap();
    line(&agent, "activation.not_dropped");
    vendor.serve();
    line(&agent, "source.note_not_kept");
    agent
}

/// No descriptor is left for one more connection.
pub(crate) fn descriptors() -> Agent {
    let folder = tempfile::tempdir().unwrap().keep();
    let vendor = Vendor::new(&folder, at(FAR), 30);
    let agent = Agent::new(&folder, &vendor.trust(), DEBUG);
    let program = agent.start_ready();
    let pid = program.child.id();
    let limit = |descriptors: &str| {
        let soft = format!("--nofile={descriptors}:");
        let done = Command::new("prlimit").args(["--pid", &pid.to_string(), &soft]).status();
        assert!(done.unwrap().success());
    };
    limit("4");
    let waits = UnixStream::connect(folder.join("run/query.sock")).unwrap();
    line(&agent, "socket.accept_fails");
    limit("1024");
    drop(waits);
    assert!(agent.ask(&["status"]).is_ok(), "it heals");
    drop(program);
    agent
}

/// What was counted and not written within an hour is logged after it.
pub(crate) fn an_hour() -> Agent {
    let folder = tempfile::tempdir().unwrap().keep();
    let vendor = Vendor::new(&folder, at(FAR), 30);
    let agent = Agent::new(&folder, &vendor.trust(), "");
    let _program = agent.start_ready();
    let key = foreign(&folder);
    let refused = || agent.ask(&["key", "add", key.to_str().unwrap()]).unwrap_err();
    for _ in 0..70 {
        refused();
    }
    line(&agent, "log.held_back");
    std::thread::sleep(svm_agent::log::WINDOW);
    refused();
    line(&agent, "log.left_out");
    assert!(agent.log().contains("key.rejected came 10 more times and was not written"), "{}", agent.log());
    agent
}
