//! Each line of the table is written by the real program, and none of them without an end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]
#![allow(clippy::disallowed_methods, reason = "a test waits in the world's time")]

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use support::disk::Disk;
use support::server::{Server, whole};
use support::{Agent, Program, Vendor, at, free_port, now, wait_for};
use svm::agent::lines::{catalogue, events};
use svm::vendor::{Renewal, Until};

const FAR: &str = "2040-01-01T00:00:00Z";

/// Lines that other tests see in the log of the real program, where what they tell is tested (`Agent::wrote`).
const SEEN_BY: &[(&str, &[&str])] = &[
    ("tests/time.rs", &["clock.suspect", "clock.trusted", "clock.reset"]),
    ("tests/time.rs", &["licence.expired", "source.stale", "activation.failed"]),
    ("tests/time.rs", &["delivery.still_fails", "source.still_fails"]),
    ("tests/reserve.rs", &["reserve.unusable", "reserve.usable", "key.reserve_applied"]),
    ("tests/identity.rs", &["sequence.reverted"]),
    ("tests/delivery/certificates.rs", &["destination.certificate_expiring"]),
    ("tests/delivery/bounds.rs", &["events.dropped"]),
];

/// Lines that no test brings about, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("clock.steps_unseen", "a kernel without timerfd"),
    ("schedule.fails", "settings that were checked and are refused all the same: a fault of ours"),
    ("update.not_noted", "a fault in a library's memory"),
    ("update.unseen", "systemd that answers one question and not the next"),
    ("update.not_kept", "a full disk at the moment an update ends"),
    ("update.not_ended", "polkit that lets start and not stop"),
    ("update.journal_unreadable", "a system without the group systemd-journal"),
    ("store.drops_unreadable", "damage that SQLite does not see"),
    ("activation.not_dropped", "a disk that is full between two writes"),
    ("activation.note_not_kept", "a disk that is full between two writes"),
    ("source.note_not_kept", "a disk that is full while a look is made"),
    ("socket.accept_fails", "no file descriptor left at this moment"),
    ("permits.still_fails", "ten minutes: src/agent/outage.rs"),
    ("metrics_file.still_fails", "ten minutes: src/agent/outage.rs"),
    ("enforcing.still_fails", "ten minutes: src/agent/outage.rs"),
    ("action.still_fails", "ten minutes: src/agent/outage.rs"),
    ("gateway_port.still_fails", "ten minutes: src/agent/outage.rs"),
    ("ksn_upstream.still_fails", "ten minutes: src/agent/outage.rs"),
    (
        "action.works",
        "enforcing.works tells it where the permit is carried out anew: tests/systemd/enforcement.sh",
    ),
    ("databases.unseen", "a look at the databases' age, once a minute"),
    ("unit.killed", "a unit that ignores SIGTERM for as long as enforcement.stop_timeout"),
    ("update.foreign", "a slot of the schedule, each a minute: tests/updates.rs has the schedule"),
    ("update.missed", "the same"),
    ("update.no_permit", "the same"),
    ("update.overlaps", "the same"),
    ("update.skipped", "the same"),
    ("log.left_out", "an hour: src/agent/lines/tests.rs"),
];

/// Waits until a line was written, and says how often.
fn line(agent: &Agent, event: &str) -> usize {
    let wanted = format!("event=\"{event}\"");
    wait_for(event, 60, || Some(agent.log().matches(&wanted).count()).filter(|count| *count > 0))
}

fn lines(agent: &Agent, events: &[&str]) {
    for event in events {
        line(agent, event);
    }
}

fn add(agent: &Agent, more: &str) {
    let text = std::fs::read_to_string(&agent.config).unwrap();
    std::fs::write(&agent.config, text + more).unwrap();
}

const DEBUG: &str = "[log]\nlevel = \"debug\"\n";

/// Start, activation, the vendor's documents, settings, devices, a new id.
fn a_life() -> Agent {
    let folder = tempfile::tempdir().unwrap().keep();
    let vendor = Vendor::new(&folder, at(FAR), 30);
    let trust = folder.join("trust.d");
    std::fs::create_dir(&trust).unwrap();
    let trusted = |name: &std::ffi::OsStr| trust.join(name);
    let copy = || {
        for entry in std::fs::read_dir(vendor.trust()).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, trusted(path.file_name().unwrap())).unwrap();
        }
    };
    copy();
    let count = folder.join("devices");
    let agent = Agent::new(&folder, &trust, &(vendor.source() + DEBUG));
    add(&agent, &format!("[devices]\ncount_file = {count:?}\n"));
    let mut program = agent.start_ready();
    lines(
        &agent,
        &[
            "identity.new",
            "destination.none",
            "agent.started",
            "agent.ready",
            "agent.report",
            "devices.unreadable",
        ],
    );

    vendor.server.say(whole(&["500 Oh"], ""));
    agent.ask(&["activate", &vendor.code]).unwrap_err();
    lines(&agent, &["activation.pending", "activation.waits"]);
    agent.ask(&["activate", "--cancel"]).unwrap();
    line(&agent, "activation.cancelled");
    vendor.serve();
    agent.ask(&["activate", &vendor.code]).unwrap();
    lines(
        &agent,
        &["key.added", "subscription.status_changed", "enforcement.changed", "device.status_changed"],
    );

    vendor.server.say(whole(&["500 Oh"], ""));
    line(&agent, "source.fails");
    vendor.serve();
    line(&agent, "source.works");
    let revise = |until: &str, earlier| {
        vendor
            .provider
            .renew(&vendor.key, Renewal { until: Until::EndsAt(at(until)), earlier }, now())
            .unwrap();
        vendor.publish();
    };
    revise("2041-01-01T00:00:00Z", false);
    line(&agent, "subscription.renewed");
    revise("2039-01-01T00:00:00Z", true);
    line(&agent, "subscription.parameters_changed");
    // Its signer is trusted no more, and again.
    for entry in std::fs::read_dir(&trust).unwrap() {
        std::fs::write(entry.unwrap().path(), "nobody").unwrap();
    }
    revise("2042-01-01T00:00:00Z", false);
    lines(&agent, &["signers.file_useless", "documents.rejected"]);
    copy();
    line(&agent, "document.good_again");
    std::fs::rename(&trust, folder.join("away")).unwrap();
    revise("2043-01-01T00:00:00Z", false);
    line(&agent, "signers.unreadable");
    std::fs::rename(folder.join("away"), &trust).unwrap();

    let foreign = foreign(&folder);
    agent.ask(&["key", "add", foreign.to_str().unwrap()]).unwrap_err();
    line(&agent, "key.rejected");
    std::fs::write(&count, "111\n").unwrap();
    agent.ask(&["reload"]).unwrap();
    line(&agent, "settings.taken");
    agent.ask(&["devices", "set", "111"]).ok();
    line(&agent, "devices.limit");

    add(&agent, "[reminders]\nbefore_end_days = [9]\n");
    agent.ask(&["reload"]).unwrap();
    lines(&agent, &["settings.changed", "settings.reloaded"]);
    let good = std::fs::read_to_string(&agent.config).unwrap();
    std::fs::write(&agent.config, good.replace("[log]\n", "[log]\nformat = \"plain\"\n")).unwrap();
    agent.ask(&["reload"]).unwrap();
    line(&agent, "settings.at_restart");
    add(&agent, "nonsense = 1\n");
    program.signal(rustix::process::Signal::HUP);
    line(&agent, "settings.refused");
    std::fs::write(&agent.config, good).unwrap();

    let mut broken = UnixStream::connect(folder.join("run/query.sock")).unwrap();
    broken.write_all(b"no HTTP\r\n\r\n").unwrap();
    line(&agent, "socket.broke");
    agent.ask(&["key", "remove", "SUB-1"]).unwrap();
    line(&agent, "key.removed");
    assert!(program.terminate().success());
    line(&agent, "agent.stopping");

    agent.ask(&["identity", "reset"]).unwrap();
    let program = agent.start_ready();
    lines(&agent, &["identity.taken", "identity.changed"]);
    drop(program);
    // Damage: the database and what is on its way into it.
    for name in ["agent.db", "agent.db-wal"] {
        std::fs::write(folder.join("state").join(name), vec![b'x'; 8192]).unwrap();
    }
    let _program = agent.start_ready();
    lines(&agent, &["store.rebuilding", "store.rebuilt"]);
    agent
}

/// A document whose signer nobody trusts here.
fn foreign(folder: &Path) -> PathBuf {
    let folder = folder.join("foreign");
    std::fs::create_dir(&folder).unwrap();
    vendor_file(&Vendor::new(&folder, at(FAR), 0))
}

/// A destination that is dead, alive, particular, and gone.
fn deliveries() -> Agent {
    let folder = tempfile::tempdir().unwrap().keep();
    let vendor = Vendor::new(&folder, at(FAR), 30);
    let agent = Agent::new(&folder, &vendor.trust(), DEBUG);
    let alone = std::fs::read_to_string(&agent.config).unwrap();
    let port = free_port();
    add(
        &agent,
        &format!(
            "[destinations.console]\nurl = \"http://127.0.0.1:{port}/\"\nmode = \"structured\"\nreceiver = \"generic\"\n"
        ),
    );
    let mut program = agent.start_ready();
    line(&agent, "delivery.fails");
    // The first failure is kept before there is a second.
    wait_for("a second failure", 20, || {
        (agent.status()["destinations"]["console"]["outage"]["times"].as_u64()? > 1).then_some(())
    });
    let retried = |program: &mut Program| {
        program.kill();
        *program = agent.start_ready();
    };
    retried(&mut program);
    line(&agent, "delivery.failed_before");
    let server = Server::on(port);
    server.say(whole(&["204 No Content"], ""));
    lines(&agent, &["delivery.works", "delivery.delivered"]);
    // One event is refused for what is in it, the others are taken.
    server.answer(|request, stream| {
        let refused = String::from_utf8_lossy(&request.content()).contains("svm.devices.limit");
        let status = if refused { "400 Bad Request" } else { "204 No Content" };
        stream.write_all(&whole(&[status], "no"))
    });
    agent.ask(&["activate", &vendor.code]).ok();
    agent.ask(&["key", "add", vendor_file(&vendor).to_str().unwrap()]).unwrap();
    agent.ask(&["devices", "set", "111"]).unwrap();
    agent.ask(&["devices", "set", "11"]).unwrap();
    agent.ask(&["report"]).ok();
    lines(&agent, &["event.refused", "events.quarantined"]);
    server.say(whole(&["503 Later"], ""));
    agent.ask(&["devices", "set", "1"]).unwrap();
    agent.ask(&["report"]).ok();
    wait_for("something that waits", 20, || {
        (agent.status()["destinations"]["console"]["waiting"].as_u64()? > 0).then_some(())
    });
    program.kill();
    std::fs::write(&agent.config, alone).unwrap();
    let _program = agent.start_ready();
    line(&agent, "destination.left");
    agent
}

fn vendor_file(vendor: &Vendor) -> PathBuf {
    let file = vendor.folder.join("document.jws");
    std::fs::write(&file, vendor.document(&vendor.code)).unwrap();
    file
}

/// Disks that are full: of the state, and of the permits.
fn disks() -> Option<Agent> {
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

/// The gateway: without its port, without its upstream, and open.
fn gateway() -> Agent {
    let folder = tempfile::tempdir().unwrap().keep();
    let vendor = Vendor::new(&folder, at(FAR), 30);
    let (port, upstream) = (free_port(), free_port());
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let agent = Agent::new(&folder, &vendor.trust(), &(vendor.source() + DEBUG));
    add(
        &agent,
        &format!(
            "[gateway]\nlisten = \"127.0.0.1:{port}\"\nupstreams = [\"127.0.0.1:{upstream}\"]\nmax_connections = 10000\n"
        ),
    );
    let mut command = std::process::Command::new("prlimit");
    let started = agent.command(&["run"]);
    command.arg("--nofile=1024:1024").arg(started.get_program()).args(started.get_args());
    let _program = Program::start(&mut command, &folder.join("agent.log"));
    wait_for("the agent", 20, || agent.ask(&["status"]).ok());
    lines(&agent, &["gateway.small", "gateway_port.fails"]);
    drop(taken);
    lines(&agent, &["gateway_port.works", "gateway.listens"]);
    agent.ask(&["activate", &vendor.code]).unwrap();
    line(&agent, "gateway.open");
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    line(&agent, "ksn_upstream.fails");
    let _upstream = TcpListener::bind(("127.0.0.1", upstream)).unwrap();
    wait_for("the upstream to be used", 60, || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok();
        agent.log().contains("event=\"ksn_upstream.works\"").then_some(())
    });
    agent.ask(&["key", "remove", "SUB-1"]).unwrap();
    line(&agent, "gateway.shut");
    agent
}

/// Somebody asks for nonsense without an end: what is written of it has one.
fn hammered() -> Agent {
    let folder = tempfile::tempdir().unwrap().keep();
    let vendor = Vendor::new(&folder, at(FAR), 30);
    let agent = Agent::new(&folder, &vendor.trust(), "");
    let _program = agent.start_ready();
    let key = foreign(&folder);
    for _ in 0..80 {
        agent.ask(&["key", "add", key.to_str().unwrap()]).unwrap_err();
        let mut socket = UnixStream::connect(folder.join("run/query.sock")).unwrap();
        socket.write_all(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_ne!(agent.permit("ksn"), 0);
    }
    line(&agent, "log.held_back");
    let log = agent.log();
    assert_eq!(log.matches("event=\"key.rejected\"").count(), 60, "{log}");
    assert_eq!(log.matches("event=\"log.held_back\"").count(), 1);
    assert!(log.lines().count() < 75, "{log}");
    let told = agent.told();
    assert_eq!(
        told.iter().filter(|event| *event == "key.rejected").count(),
        80,
        "events are kept all the same"
    );
    agent
}

/// A metrics file whose folder is not there, and then is.
fn metrics() -> Agent {
    let folder = tempfile::tempdir().unwrap().keep();
    let there = folder.join("node-exporter");
    let more = format!("{DEBUG}[metrics]\ntextfile = {:?}\nevery = \"10s\"\n", there.join("svm-agent.prom"));
    let agent = Agent::new(&folder, &folder, &more);
    let _program = agent.start_ready();
    line(&agent, "metrics_file.fails");
    std::fs::create_dir(there).unwrap();
    line(&agent, "metrics_file.works");
    agent
}

#[test]
fn each_line_of_the_table_is_written_by_the_program() {
    let worlds: Vec<std::thread::JoinHandle<Option<Agent>>> = vec![
        std::thread::spawn(|| Some(a_life())),
        std::thread::spawn(|| Some(deliveries())),
        std::thread::spawn(disks),
        std::thread::spawn(|| Some(gateway())),
        std::thread::spawn(|| Some(hammered())),
        std::thread::spawn(|| Some(metrics())),
    ];
    let mut seen = BTreeSet::new();
    for world in worlds {
        let Some(agent) = world.join().unwrap() else { return };
        for line in agent.log().lines() {
            if let Some((_, after)) = line.split_once("event=\"") {
                seen.insert(after.split('"').next().unwrap().to_owned());
            } else {
                // What is no line of the log: why it does not start.
                assert!(line.starts_with("svm-agent: "), "a line without a name: {line}");
            }
        }
        std::fs::remove_dir_all(&agent.folder).ok();
    }
    let table: BTreeSet<&str> =
        catalogue::ALL.iter().map(|line| line.id).chain(events::ALL.iter().map(|event| event.id)).collect();
    for event in &seen {
        assert!(table.contains(event.as_str()), "{event} is not in the table");
    }
    let in_systemd: BTreeSet<&str> =
        include_str!("systemd/lines.txt").lines().flat_map(|line| line.split_whitespace().skip(1)).collect();
    let elsewhere: BTreeSet<&str> = ELSEWHERE.iter().map(|(event, _)| *event).collect();
    let by_others: BTreeSet<&str> = SEEN_BY.iter().flat_map(|(_, events)| *events).copied().collect();
    for (test, events) in SEEN_BY {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(test);
        let text = std::fs::read_to_string(file).unwrap();
        assert!(events.iter().all(|event| text.contains(event)), "{test} looks for none of {events:?}");
    }
    let unseen: Vec<_> = table
        .iter()
        .filter(|event| {
            let named = [&in_systemd, &elsewhere, &by_others];
            !seen.contains(**event) && named.iter().all(|named| !named.contains(**event))
        })
        .collect();
    assert!(unseen.is_empty(), "nothing writes {unseen:?}");
    // The list stays as short as it can: what is seen here does not stand there, but for what a full disk brings by chance.
    let by_chance = |event: &str| {
        ELSEWHERE.iter().any(|(named, why)| *named == event && why.contains("disk that is full"))
    };
    let here: Vec<_> = elsewhere.iter().filter(|e| seen.contains(**e) && !by_chance(e)).collect();
    assert!(here.is_empty(), "seen after all: {here:?}");
}

#[test]
fn as_json_each_line_has_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), at(FAR), 30);
    let agent = Agent::new(folder.path(), &vendor.trust(), "[log]\nformat = \"json\"\n");
    let mut program = agent.start_ready();
    assert!(program.terminate().success());
    for line in agent.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            line["event"].is_string() && line["message"].is_string() && line["level"].is_string(),
            "{line}"
        );
    }
}
