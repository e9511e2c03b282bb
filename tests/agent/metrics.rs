//! Metrics, held by Prometheus's own tools: what the agent says in each phase, the file for node_exporter, the alerts.

use crate::support::{Agent, Vendor, free_port, now, unpacked, wait_for};
use jiff::SignedDuration;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scrape(agent: &Agent) -> String {
    let mut socket = UnixStream::connect(agent.folder.join("run/query.sock")).unwrap();
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// What `promtool check metrics` has against a text; nothing where it is as it should be.
fn check(promtool: &Path, text: &str) {
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}

fn families(text: &str) -> BTreeSet<String> {
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

/// Every word of a text that looks like one of our metrics.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = |word: &&str| word.starts_with("svm_agent_") && word.len() > "svm_agent_".len();
    words.filter(ours).map(str::to_owned).collect()
}

/// A resident of everything: two keys would need a second vendor, so what only they have is looked for apart.
fn settings(vendor: &Vendor, more: &str) -> String {
    format!(
        "{}[gateway]\nlisten = \"127.0.0.1:{}\"\nupstreams = [\"127.0.0.1:1\"]\n\
         [destinations.console]\nurl = \"http://127.0.0.1:1/\"\n{more}",
        vendor.source(),
        free_port()
    )
}

#[test]
fn what_the_agent_says_is_as_prometheus_wants_it_and_as_the_page_names_it() {
    let Some(promtool) = unpacked("promtool") else { return };
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), now() + SignedDuration::from_hours(90 * 24), 3);
    let agent = Agent::new(folder.path(), &vendor.trust(), &settings(&vendor, ""));
    let _program = agent.start_ready();
    let bare = scrape(&agent);
    check(&promtool, &bare);
    assert!(bare.contains("svm_agent_phase{phase=\"not_activated\"} 1\n"), "{bare}");
    assert!(!bare.contains("svm_agent_left_seconds"), "what does not exist has no sample");
    agent.ask(&["activate", &vendor.code]).unwrap();
    agent.ask(&["devices", "set", "7"]).unwrap();
    wait_for("a failing destination", 20, || {
        scrape(&agent).contains("svm_agent_delivery_failing{destination=\"console\"} 1\n").then_some(())
    });
    let text = scrape(&agent);
    check(&promtool, &text);
    for line in [
        "svm_agent_phase{phase=\"active\"} 1\n",
        "svm_agent_key_info{role=\"active\",kind=\"subscription\",key=\"SUB-1\"} 1\n",
        "svm_agent_permit{resource=\"ksn\"} 2\n",
        "svm_agent_devices 7\n",
        "svm_agent_devices_limit 100\n",
        "svm_agent_gateway_listening 1\n",
        "svm_agent_events_dropped_total 0\n",
    ] {
        assert!(text.contains(line), "{line}in\n{text}");
    }
    let value = |name: &str| -> i64 {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")))
            .unwrap_or_else(|| panic!("{name}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let left = value("svm_agent_left_seconds");
    assert!((89 * 86_400..=90 * 86_400).contains(&left), "{left}");
    assert!((now().as_second() - value("svm_agent_start_timestamp_seconds")) < 120);
    // No secret, and nothing that grows: the code, and the name under which the document is published.
    let sub = svm_core::documents::ActivationCode::parse(&vendor.code).unwrap().sub();
    assert!(!text.contains(sub.as_str()) && !text.contains(&vendor.code));

    // The page names each family, and no other; the rules use no other.
    let page = std::fs::read_to_string(root().join("docs/reference/metrics.md")).unwrap();
    let (said, on_page) = (families(&text), named(&page));
    let missing: Vec<_> = said.iter().filter(|name| !on_page.contains(*name)).collect();
    assert!(missing.is_empty(), "not in docs/reference/metrics.md: {missing:?}");
    let source = ["metrics.rs", "metrics/gateway.rs"]
        .map(|file| std::fs::read_to_string(root().join("src/control").join(file)).unwrap());
    let all = named(&source.concat());
    let unknown: Vec<_> = on_page.iter().filter(|name| !all.contains(*name)).collect();
    assert!(unknown.is_empty(), "only in docs/reference/metrics.md: {unknown:?}");
    let rules = std::fs::read_to_string(root().join("monitoring/svm-agent.rules.yml")).unwrap();
    let unknown: Vec<_> = named(&rules).into_iter().filter(|name| !all.contains(name)).collect();
    assert!(unknown.is_empty(), "the rules name what is not: {unknown:?}");

    vendor.provider.pause(&vendor.key, now()).unwrap();
    vendor.publish();
    agent.ask(&["refresh"]).unwrap();
    let text = scrape(&agent);
    check(&promtool, &text);
    assert!(
        text.contains("svm_agent_phase{phase=\"grace\"} 1\n")
            && text.contains("svm_agent_cause{cause=\"paused\"} 1\n")
    );
    assert!(text.contains("svm_agent_device_status_reason{reason=\"grace\"} 1\n"), "{text}");
}

#[test]
fn each_alert_fires_where_it_should_and_nowhere_else() {
    let Some(promtool) = unpacked("promtool") else { return };
    let run = |arguments: &[&str]| {
        let output =
            Command::new(&promtool).current_dir(root().join("monitoring")).args(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat())
        );
    };
    run(&["check", "rules", "svm-agent.rules.yml"]);
    run(&["test", "rules", "svm-agent.rules.test.yml"]);
    let alerts = |file: &str, before: &str| -> BTreeSet<String> {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let names = text.lines().filter_map(|line| Some(line.trim().strip_prefix(before)?.trim().to_owned()));
        names.collect()
    };
    let all = alerts("monitoring/svm-agent.rules.yml", "- alert:");
    assert_eq!(alerts("monitoring/svm-agent.rules.test.yml", "- alertname:"), all, "each has its test");
    let page = std::fs::read_to_string(root().join("docs/reference/metrics.md")).unwrap();
    let missing: Vec<_> = all.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "not in docs/reference/metrics.md: {missing:?}");
}

#[test]
fn the_file_is_whole_for_everyone_and_a_failure_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), now() + SignedDuration::from_hours(90 * 24), 3);
    let there: PathBuf = folder.path().join("node-exporter");
    let file = there.join("svm-agent.prom");
    let more = format!("[metrics]\ntextfile = {file:?}\nevery = \"10s\"\n");
    let agent = Agent::new(folder.path(), &vendor.trust(), &settings(&vendor, &more));
    let _program = agent.start_ready();
    let reported = || agent.log().lines().filter(|line| line.contains("writing the metrics file")).count();
    wait_for("a line in the log", 20, || (reported() == 1).then_some(()));
    let log = agent.log();
    let line = log.lines().find(|line| line.contains("metrics file fails")).unwrap();
    assert!(line.contains("WARN") && line.contains("metrics_not_written"), "{line}");
    assert!(line.contains(file.to_str().unwrap()) && line.contains("svm-agent doctor"), "{line}");
    std::fs::create_dir(&there).unwrap();
    wait_for("the file", 40, || file.exists().then_some(()));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o644);
    wait_for("the end of the outage", 20, || (reported() == 2).then_some(()));
    assert!(agent.log().contains("writing the metrics file works again"), "{}", agent.log());
    let names: Vec<_> = std::fs::read_dir(&there).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["svm-agent.prom"], "nothing is left beside it");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.ends_with('\n') && text.contains("svm_agent_clock_ahead_seconds "), "{text}");
    // What node_exporter says of itself is not in it.
    assert!(families(&text).iter().all(|name| name.starts_with("svm_agent_")), "{text}");
    if let Some(promtool) = unpacked("promtool") {
        check(&promtool, &text);
    }
    // A change comes soon.
    agent.ask(&["activate", &vendor.code]).unwrap();
    wait_for("the change", 40, || {
        std::fs::read_to_string(&file)
            .unwrap()
            .contains("svm_agent_phase{phase=\"active\"} 1\n")
            .then_some(())
    });
    assert_eq!(reported(), 2);
}

#[test]
fn a_file_that_node_exporter_would_not_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (wrong, why) in [("svm.prom", "absolute"), ("/var/lib/svm.txt", ".prom"), ("/x/prom", ".prom")] {
        let agent = Agent::new(folder.path(), folder.path(), &format!("[metrics]\ntextfile = \"{wrong}\"\n"));
        let (exit, error) = agent.ask(&["config", "check", "--offline"]).unwrap_err();
        let message = error["error"]["message"].as_str().unwrap();
        assert!(exit == 78 && message.contains("metrics.textfile") && message.contains(why), "{message}");
    }
}
