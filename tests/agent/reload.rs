//! Reload: checked first, told by difference, and without a permit refused or an event lost; and the watchdog.

use crate::support::{Agent, Collector, Program, Vendor, free_port, now, wait_for};
use jiff::SignedDuration;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// An agent with an active key and these settings, and more at the end.
fn active(folder: &Path, more: &str) -> (Agent, Program, Vendor) {
    let year = now().checked_add(SignedDuration::from_hours(365 * 24)).unwrap();
    let vendor = Vendor::new(folder, year, 0);
    let agent = Agent::new(folder, &vendor.trust(), more);
    let running = agent.start_ready();
    let document = folder.join("key.jws");
    std::fs::write(&document, vendor.document(&vendor.code)).unwrap();
    agent.ask(&["key", "add", document.to_str().unwrap()]).unwrap();
    (agent, running, vendor)
}

/// Other settings after the paths.
fn change(agent: &Agent, more: &str) {
    let text = std::fs::read_to_string(&agent.config).unwrap();
    let paths: Vec<&str> = text.lines().take(4).collect();
    // Whole or not at all: others read it meanwhile.
    let next = agent.config.with_extension("next");
    std::fs::write(&next, format!("{}\n{more}", paths.join("\n"))).unwrap();
    std::fs::rename(next, &agent.config).unwrap();
}

#[test]
fn what_changed_is_told_and_in_force_and_nothing_else_happens() {
    let folder = tempfile::tempdir().unwrap();
    let (agent, running, _vendor) = active(folder.path(), "");
    let collector = Collector::new(folder.path());
    let _collector = collector.start_ready();
    let console =
        format!("[destinations.console]\nurl = \"http://127.0.0.1:{}/v1/events\"\n", collector.port);
    change(&agent, &format!("[reminders]\nbefore_end_days = [400, 7]\n[log]\nlevel = \"debug\"\n{console}"));
    let reloaded = agent.ask(&["reload"]).unwrap();
    let changed: Vec<&str> =
        reloaded["changes"].as_array().unwrap().iter().map(|c| c["key"].as_str().unwrap()).collect();
    assert_eq!(changed, ["destinations.console.url", "log.level", "reminders.before_end_days"]);
    let of_days = &reloaded["changes"].as_array().unwrap()[changed.len() - 1];
    assert_eq!(
        of_days,
        &json!({"key": "reminders.before_end_days", "old": "[30, 14, 7, 3, 1]", "new": "[400, 7]"})
    );
    // In force: a reminder is due at once, goes to the new destination, and debug lines are written.
    wait_for("the console to hear", 20, || {
        let events = collector.events()?;
        let has = |t: &str| events.iter().any(|e| e["type"] == format!("svm.{t}"));
        (has("subscription.expiring") && has("settings.reloaded") && has("agent.report")).then_some(())
    });
    agent.settled();
    wait_for("a debug line", 20, || agent.log().contains("DEBUG").then_some(()));
    assert!(
        agent.log().contains("setting log.level: \"debug\" (was \"info\") event=\"settings.changed\""),
        "{}",
        agent.log()
    );
    assert_eq!(agent.reported().iter().filter(|t| *t == "agent.started").count(), 1, "it is no start");
    // By a signal too; a removed destination is reported, and a reload that changes nothing says so.
    change(&agent, "");
    running.signal(rustix::process::Signal::HUP);
    wait_for("the reload", 20, || agent.status()["destinations"].as_object()?.is_empty().then_some(()));
    assert_eq!(agent.ask(&["reload"]).unwrap(), json!({"changes": [], "at_restart": []}));
    assert!(agent.log().contains("the settings were reloaded: nothing changed"));
}

#[test]
fn what_is_wrong_is_named_and_the_old_settings_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (agent, running, _vendor) = active(folder.path(), "[clock]\ndwell = \"2h\"\n");
    change(&agent, "[clock]\ndwell = \"soon\"\n[lgo]\nlevel = \"info\"\n");
    let output = agent.command(&["reload"]).output().unwrap();
    let reported = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78));
    let place = agent.config.display();
    for line in [
        "the agent keeps the ones that it has",
        &format!("{place}:6: `clock.dwell`: must be a span"),
        "did you mean `log`?",
    ] {
        assert!(reported.contains(line), "{line} is not in {reported}");
    }
    running.signal(rustix::process::Signal::HUP);
    wait_for("the log", 20, || agent.log().contains("keeps the old ones").then_some(()));
    change(&agent, "");
    assert_eq!((agent.permit("ksn"), agent.status()["phase"].as_str()), (0, Some("active")));
    // Where it lives does not change while it does.
    let text = std::fs::read_to_string(&agent.config).unwrap();
    std::fs::write(
        &agent.config,
        text.lines().next().unwrap().to_owned()
            + "\n"
            + &text.lines().skip(1).take(3).collect::<Vec<_>>().join("\n").replace("/state", "/elsewhere"),
    )
    .unwrap();
    let (exit, code) = agent.refused(&["reload"]);
    assert_eq!((exit, code.as_str()), (1, "restart_needed"));
    assert!(!folder.path().join("elsewhere").exists());
}

/// Units that start while the settings are reloaded, again and again, are never refused; a connection through the gateway
/// stays, unless it is the gateway that changes.
#[test]
fn no_permit_is_refused_and_no_connection_is_cut_by_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = upstream.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in upstream.incoming().flatten() {
            std::thread::spawn(move || {
                let mut bytes = [0; 64];
                while let Ok(n @ 1..) = stream.read(&mut bytes) {
                    stream.write_all(&bytes[..n]).unwrap();
                }
            });
        }
    });
    let port = free_port();
    let gateway =
        |more: &str| format!("[gateway]\nlisten = \"127.0.0.1:{port}\"\nupstreams = [\"{to}\"]\n{more}");
    let (agent, _running, _vendor) = active(folder.path(), &gateway(""));
    let echo = |stream: &mut TcpStream| {
        stream.write_all(b"look").ok()?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).ok().map(|()| answer)
    };
    let mut client = wait_for("the gateway", 20, || {
        let mut client = TcpStream::connect(("127.0.0.1", port)).ok()?;
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        echo(&mut client).map(|_| client)
    });
    let (asked, done) = (AtomicU32::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let output = agent.command(&["permit", "database-updates", "--take"]).output().unwrap();
                assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
        // On a loaded machine the reloads are quicker than the questions.
        for round in (0..100).take_while(|round| *round < 8 || asked.load(Ordering::Relaxed) <= 8) {
            change(&agent, &gateway(&format!("[reminders]\nexpiring_status_days = {round}\n")));
            agent.ask(&["reload"]).unwrap();
            assert_eq!(echo(&mut client), Some(*b"look"), "round {round}");
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(asked.load(Ordering::Relaxed) > 8);
    change(&agent, &gateway("idle_timeout = \"5m\"\n"));
    agent.ask(&["reload"]).unwrap();
    assert_eq!(echo(&mut client), None, "another gateway");
    wait_for("the new gateway", 20, || {
        let mut client = TcpStream::connect(("127.0.0.1", port)).ok()?;
        echo(&mut client)
    });
}

#[test]
fn the_settings_are_shown_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::new(folder.path(), folder.path(), "[log]\nlevel = \"warn\"\n");
    let shown = agent.ask(&["config", "show"]).unwrap();
    let place = |line: u8| format!("{}:{line}", agent.config.display());
    assert_eq!(shown["log.level"], json!({"value": "\"warn\"", "from": place(6)}));
    assert_eq!(shown["log.format"]["from"], "default");
    let output = agent
        .command(&["config", "show", "--changed"])
        .env("SVM_AGENT__REPORT__EVERY", "2h")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.lines()
            .any(|line| line.starts_with("report.every = \"2h\"")
                && line.ends_with("# SVM_AGENT__REPORT__EVERY")),
        "{text}"
    );
    assert!(!text.contains("log.format"));
    let schema = agent.command(&["config", "schema"]).output().unwrap().stdout;
    let written =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/svm-agent.schema.json")).unwrap();
    assert_eq!(String::from_utf8(schema).unwrap(), String::from_utf8(written).unwrap());
}

#[test]
fn the_watchdog_is_fed_by_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::new(folder.path(), folder.path(), "");
    let socket = folder.path().join("notify");
    let listener = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    listener.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut command = agent.command(&["run"]);
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "900000");
    let _running = Program::start(&mut command, &folder.path().join("agent.log"));
    let mut heard = String::new();
    let mut fed = 0;
    while fed < 3 {
        let mut bytes = [0; 256];
        let n = listener.recv(&mut bytes).unwrap_or_else(|e| panic!("{e}: {heard}"));
        let text = String::from_utf8_lossy(&bytes[..n]).into_owned();
        fed += text.matches("WATCHDOG=1").count();
        heard.push_str(&text);
    }
    assert!(heard.contains("READY=1"));
}
