//! Worlds in which an agent lives as it should, and people and servers are as they are.

use super::{DEBUG, FAR, add, line, lines, vendor_file};
use crate::support::server::{Server, whole};
use crate::support::{Agent, Program, Vendor, at, free_port, now, wait_for};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use svm_vendor::{Renewal, Until};

/// Start, activation, the vendor's documents, settings, devices, a new id.
pub(crate) fn a_life() -> Agent {
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
    // Its signer is no longer trusted, and then trusted again.
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
pub(crate) fn foreign(folder: &Path) -> PathBuf {
    let folder = folder.join("foreign");
    std::fs::create_dir(&folder).unwrap();
    vendor_file(&Vendor::new(&folder, at(FAR), 0))
}

/// A destination that is dead, alive, particular, and gone.
pub(crate) fn deliveries() -> Agent {
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

/// The gateway: without its port, without its upstream, and open.
pub(crate) fn gateway() -> Agent {
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
pub(crate) fn hammered() -> Agent {
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
    let reported = agent.reported();
    assert_eq!(
        reported.iter().filter(|event| *event == "key.rejected").count(),
        80,
        "events are kept all the same"
    );
    agent
}
