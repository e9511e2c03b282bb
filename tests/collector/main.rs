//! The collector from outside: the real program over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod access;
mod bounds;
mod numbers;
mod proxies;
mod shown;
#[path = "../support/mod.rs"]
mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::disk::Disk;
use support::program;

/// Longer than anything here takes on a busy machine.
const BOUND: Duration = Duration::from_secs(20);

/// A running collector; killed when dropped.
struct Collector {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Collector {
    fn start(dir: &std::path::Path, settings: &str) -> Self {
        Self::start_with(dir, "", "", settings)
    }

    /// With lines for the head of the settings, and for the store.
    fn start_with(dir: &std::path::Path, top: &str, store: &str, settings: &str) -> Self {
        let file = dir.join("collector.toml");
        let path = dir.join("collector.db");
        let text = format!("listen = \"127.0.0.1:0\"\n{top}[store]\npath = {path:?}\n{store}{settings}");
        std::fs::write(&file, text).unwrap();
        let mut child = Command::new(program("svm-collector"))
            .args(["run", "--config"])
            .arg(file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("the collector ended").unwrap();
            if let Some((_, rest)) = line.split_once("http://") {
                break rest.split('/').next().unwrap().parse().unwrap();
            }
        };
        // The pipe stays open and is emptied, so that the collector never waits for it.
        let log = Arc::<Mutex<String>>::default();
        let written = log.clone();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| *written.lock().unwrap() += &(line + "\n"));
        });
        Self { child, address, log }
    }

    fn trial(dir: &std::path::Path) -> Self {
        Self::start(dir, "[tokens]\nrequired = false\n")
    }

    fn ask(&self, head: &str, body: &[u8]) -> Option<Answer> {
        ask(self.address, head, body)
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\n"), b"").unwrap()
    }

    fn json(&self, path: &str) -> Value {
        self.get(path).json()
    }

    fn post(&self, event: &Value) -> Answer {
        self.ask(
            "POST /v1/events HTTP/1.1\r\nContent-Type: application/cloudevents+json\r\n",
            event.to_string().as_bytes(),
        )
        .unwrap()
    }

    fn post_with(&self, token: &str, event: &Value) -> Answer {
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nContent-Type: application/cloudevents+json\r\nAuthorization: Bearer {token}\r\n"
        );
        self.ask(&head, event.to_string().as_bytes()).unwrap()
    }

    fn post_zstd(&self, kind: &str, packed: &[u8]) -> Answer {
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nContent-Type: application/{kind}\r\nContent-Encoding: zstd\r\n"
        );
        self.ask(&head, packed).unwrap()
    }

    /// The ids of all events that are kept.
    fn ids(&self) -> BTreeSet<String> {
        let (mut there, mut after) = (BTreeSet::new(), json!(0));
        while !after.is_null() {
            let page = self.json(&format!("/v1/events?limit=1000&after={after}"));
            let events = page["events"].as_array().unwrap();
            there.extend(events.iter().map(|e| e["event"]["id"].as_str().unwrap().to_owned()));
            after = page["next"].clone();
        }
        there
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// The most memory it ever had, in KiB.
    fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// A line of `/proc/PID/status` (`proc_pid_status(5)`), in KiB.
    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// A line of the metrics.
    fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").body;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}: {text}")).parse().unwrap()
    }

    fn logged(&self, text: &str) -> usize {
        self.log.lock().unwrap().lines().filter(|line| line.contains(text)).count()
    }

    fn post_batch(&self, events: &[Value]) -> Answer {
        let head = "POST /v1/events HTTP/1.1\r\nContent-Type: application/cloudevents-batch+json\r\n";
        self.ask(head, json!(events).to_string().as_bytes()).unwrap()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// One request on a connection of its own; `None` where the connection broke.
fn ask(address: SocketAddr, head: &str, body: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(BOUND)).unwrap();
    let length = body.len();
    // A refusal may come before all of the body is taken: then writing fails, and the answer is there.
    stream
        .write_all(
            format!("{head}Host: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")
                .as_bytes(),
        )
        .ok()?;
    stream.write_all(body).ok();
    let mut text = Vec::new();
    let read = stream.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").filter(|_| read.is_ok() || text.contains("\r\n\r\n"))?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

fn event(svm: &str, id: &str, sequence: u64) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": format!("urn:svm:{svm}"), "type": "svm.subscription.status_changed",
        "time": "2026-01-01T00:00:00Z", "subject": "SUB-1", "sequence": format!("{sequence:020}"),
        "datacontenttype": "application/json",
        "data": {"severity": 4, "event_type_display_name": "Status changed", "description": "It changed.",
            "hostname": format!("host-{svm}"), "device_status": "warning", "device_status_reasons": ["grace"],
            "phase": "grace", "phase_cause": "ended",
            "snapshot": {"key": "SUB-1", "devices": sequence, "devices_limit": 100, "ends_at": "2026-01-01T00:00:00Z"}}
    })
}

#[test]
fn all_three_modes_are_kept_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let answer = collector.post(&event("a", "one", 1));
    assert_eq!((answer.status, answer.json()["kept"].clone()), (200, json!(["one"])));
    assert!(
        answer.head.contains(concat!("server: svm-collector/", env!("CARGO_PKG_VERSION"))),
        "{}",
        answer.head
    );
    let batch = [event("a", "two", 2), event("b", "three", 1)];
    assert_eq!(collector.post_batch(&batch).json()["kept"], json!(["two", "three"]));
    let binary = "POST /v1/events HTTP/1.1\r\nContent-Type: application/json\r\nce-specversion: 1.0\r\nce-id: four\r\n\
                  ce-source: /generic\r\nce-type: com.example.thing\r\n";
    assert_eq!(collector.ask(binary, b"{\"x\":1}").unwrap().json()["kept"], json!(["four"]));
    let events = collector.json("/v1/events?limit=2");
    assert_eq!(events["events"][1]["event"]["id"], "two");
    let rest = collector.json(&format!("/v1/events?after={}", events["next"]));
    assert_eq!(rest["events"][1]["event"]["data"]["x"], 1);
    assert_eq!(collector.json("/v1/events?type=com.example.thing")["events"].as_array().unwrap().len(), 1);
    assert_eq!(collector.json("/v1/svms?q=host-a")["total"], 1);
    assert!(collector.get("/metrics").body.contains("svm_collector_events_kept_total 4"));
    assert_eq!(collector.get("/healthz").status, 200);
}

#[test]
fn duplicates_gaps_skips_and_conflicts() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let missing = || collector.json("/v1/svms/a")["missing"]["ranges"].clone();
    let range = |from: u64, to: u64| json!({"from": format!("{from:020}"), "to": format!("{to:020}")});

    collector.post(&event("a", "1", 1));
    let again = collector.post(&event("a", "1", 1));
    assert_eq!((again.status, again.json()["kept"].clone()), (200, json!(["1"])));
    assert_eq!(collector.json("/v1/svms/a/events")["events"].as_array().unwrap().len(), 1, "stored once");

    collector.post(&event("a", "10", 10));
    assert_eq!(missing(), json!([range(2, 9)]));
    collector.post(&event("a", "5", 5));
    assert_eq!(missing(), json!([range(2, 4), range(6, 9)]));
    assert_eq!(collector.json("/v1/svms/a")["devices"], 10, "the state is that of the highest number");
    let mut skipping = event("a", "8", 8);
    skipping["skippedfrom"] = json!(format!("{:020}", 2));
    collector.post(&skipping);
    assert_eq!(missing(), json!([range(9, 9)]));
    // Where a skipped number comes all the same, it is taken; a duplicate names nothing as skipped.
    assert_eq!(collector.post(&event("a", "3", 3)).json()["kept"], json!(["3"]));
    let mut again = event("a", "10", 10);
    again["skippedfrom"] = json!(format!("{:020}", 9));
    collector.post(&again);
    assert_eq!(missing(), json!([range(9, 9)]));
    collector.post(&event("a", "11", 11));

    // Binary mode, and far ahead: an SVM whose first event says that all before it will never come.
    let binary = format!(
        "POST /v1/events HTTP/1.1\r\nContent-Type: application/json\r\nce-specversion: 1.0\r\nce-id: 1001\r\n\
         ce-source: urn:svm:b\r\nce-type: svm.agent.started\r\nce-sequence: {:020}\r\nce-skippedfrom: {:020}\r\n",
        1001, 1
    );
    assert_eq!(collector.ask(&binary, b"{\"severity\":1}").unwrap().status, 200);
    let svm = collector.json("/v1/svms/b");
    assert_eq!(
        (svm["missing"]["count"].clone(), svm["highest_sequence"].clone()),
        (json!(0), json!(format!("{:020}", 1001)))
    );

    let alone = collector.post(&event("a", "other", 10));
    assert_eq!(alone.status, 409);
    assert_eq!(alone.json()["conflicts"][0]["highest"], format!("{:020}", 11));
    let mixed = collector.post_batch(&[event("a", "other", 10), event("a", "12", 12)]);
    assert_eq!((mixed.status, mixed.json()["kept"].clone()), (200, json!(["12"])));
    assert_eq!(mixed.json()["conflicts"][0]["id"], "other");
    let svm = collector.json("/v1/svms/a");
    assert_eq!(
        (svm["conflicts"]["count"].clone(), svm["conflicts"]["last"]["id"].clone()),
        (json!(2), json!("other"))
    );
}

#[test]
fn an_event_that_comes_again_under_another_number_leaves_no_gap() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    // Reverted, an SVM sends again what it sent before, above the numbers that it used.
    collector.post_batch(&[event("a", "one", 1), event("a", "two", 2), event("a", "three", 3)]);
    let mut again = event("a", "two", 4);
    again["skippedfrom"] = json!(format!("{:020}", 2));
    let answer = collector.post_batch(&[again, event("a", "five", 6)]);
    assert_eq!((answer.status, answer.json()["kept"].clone()), (200, json!(["two", "five"])));
    let svm = collector.json("/v1/svms/a");
    assert_eq!(svm["missing"]["ranges"], json!([{"from": format!("{:020}", 5), "to": format!("{:020}", 5)}]));
    assert_eq!(svm["conflicts"]["count"], 0);
    assert_eq!(collector.json("/v1/svms/a/events")["events"].as_array().unwrap().len(), 4);
}

#[test]
fn two_machines_with_one_id_are_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let of = |instance: &str, host: &str, id: &str, number: u64| {
        let mut event = event("a", id, number);
        event["time"] = json!(format!("2026-01-01T00:00:{:02}Z", number));
        event["data"]["instance"] = json!(instance);
        event["data"]["hostname"] = json!(host);
        event
    };
    let svm = || collector.json("/v1/svms/a");
    collector.post(&of("left", "<svm-left>", "1", 1));
    collector.post(&of("right", "svm-right", "2", 2));
    assert_eq!((&svm()["machines"], &svm()["reasons"][0]), (&json!([]), &json!("grace")), "a restart");
    // What is refused for its number comes from a machine as well.
    let mut refused = of("left", "<svm-left>", "other", 2);
    refused["time"] = json!("2026-01-01T00:00:04Z");
    assert_eq!(collector.post(&refused).status, 409);
    assert_eq!(svm()["machines"], json!([]), "a revert");
    collector.post(&of("right", "svm-right", "3", 3));
    let shown = svm();
    let names: Vec<&Value> = shown["machines"].as_array().unwrap().iter().map(|m| &m["hostname"]).collect();
    assert_eq!(names, ["svm-right", "<svm-left>"]);
    assert_eq!((&shown["status"], &shown["reasons"][0]), (&json!("critical"), &json!("two_machines")));
    assert_eq!(collector.json("/v1/svms?status=critical")["counts"]["critical"], 1);
    assert_eq!(collector.logged("several machines use one id"), 1);
    for (page, says) in
        [("/", "several machines use its id"), ("/svms/a", "Several machines use the id of this SVM")]
    {
        let page = collector.get(page).body;
        assert!(page.contains(says) && page.contains("svm-right, &lt;svm-left&gt;"), "{page}");
    }
    assert!(collector.get("/svms/a").body.contains("svm-agent identity reset"));
    // A duplicate is an old event, and says nothing of who is alive.
    collector.post(&of("left", "<svm-left>", "1", 1));
    assert_eq!(collector.logged("several machines use one id"), 1);
}

#[test]
fn bad_input_is_refused_with_its_code() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let structured = "Content-Type: application/cloudevents+json\r\n";
    let batched = "Content-Type: application/cloudevents-batch+json\r\n";
    let with = |name: &str, value: Value| {
        let mut event = event("a", "1", 1);
        event[name] = value;
        event.to_string()
    };
    let one = event("a", "1", 1).to_string();
    let mut without_sequence = event("a", "1", 1);
    without_sequence.as_object_mut().unwrap().remove("sequence");
    without_sequence["skippedfrom"] = json!(format!("{:020}", 1));
    let without_sequence = without_sequence.to_string();
    let many = format!("[{}{one}]", format!("{one},").repeat(1000));
    for (head, body, status, code, field) in [
        (structured, with("specversion", json!("0.3")), 400, "invalid_event", "specversion"),
        (structured, with("id", json!("")), 400, "invalid_event", "id"),
        (structured, with("source", json!("s".repeat(300))), 400, "invalid_event", "source"),
        (structured, with("time", json!("yesterday")), 400, "invalid_event", "time"),
        (structured, with("sequence", json!("1")), 400, "invalid_event", "sequence"),
        (structured, with("skippedfrom", json!("1")), 400, "invalid_event", "skippedfrom"),
        (structured, with("skippedfrom", json!(format!("{:020}", 1))), 400, "invalid_event", "skippedfrom"),
        (structured, without_sequence, 400, "invalid_event", "skippedfrom"),
        (structured, with("data", json!({"severity": 9})), 400, "invalid_event", "data.severity"),
        (structured, with("data", json!("x".repeat(65_536))), 400, "invalid_event", "event"),
        (structured, "[".repeat(100_000), 400, "invalid_event", "event"),
        (structured, "{".to_owned(), 400, "invalid_event", "event"),
        (structured, "x".repeat(5 << 20), 413, "body_too_large", ""),
        (batched, "{}".to_owned(), 400, "invalid_batch", ""),
        (batched, format!("[{one},{{}}]"), 400, "invalid_event", "specversion"),
        (batched, many, 413, "batch_too_large", ""),
        ("Content-Type: text/plain\r\n", one.clone(), 415, "content_type", ""),
        ("Content-Type: application/cloudevents+xml\r\n", one.clone(), 415, "content_type", ""),
    ] {
        let answer = collector.ask(&format!("POST /v1/events HTTP/1.1\r\n{head}"), body.as_bytes()).unwrap();
        let error = answer.json()["error"].clone();
        let shown = error["field"].as_str().unwrap_or("");
        assert_eq!((answer.status, error["code"].as_str().unwrap(), shown), (status, code, field), "{error}");
    }
    for (path, status) in [
        ("/v1/svms?status=fine", 400),
        ("/v1/svms?stats=ok", 400),
        ("/v1/events?limit=0", 400),
        ("/v1/svms/nobody", 404),
        ("/nowhere", 404),
    ] {
        assert_eq!(collector.get(path).status, status, "{path}");
    }
    assert_eq!(collector.ask("DELETE /v1/events HTTP/1.1\r\n", b"").unwrap().status, 405);
    assert_eq!(collector.json("/v1/events")["events"], json!([]), "nothing of all that was kept");
}

// Compressed bodies.

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}

#[test]
fn a_zstd_body_is_taken_in_all_three_ways() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let stored = |answer: Answer| answer.json()["kept"].clone();
    let one = zstd(&event("a", "one", 1).to_string());
    assert_eq!(stored(collector.post_zstd("cloudevents+json", &one)), json!(["one"]));
    let batch = json!([event("a", "two", 2), event("b", "three", 1)]).to_string();
    // A batch that was cut anywhere into frames of different levels.
    let (first, second) = batch.split_at(batch.len() / 3);
    let frames = [zstd(first), zstd::encode_all(second.as_bytes(), 19).unwrap()].concat();
    assert_eq!(stored(collector.post_zstd("cloudevents-batch+json", &frames)), json!(["two", "three"]));
    let binary =
        "json\r\nce-specversion: 1.0\r\nce-id: four\r\nce-source: /generic\r\nce-type: com.example.thing";
    assert_eq!(stored(collector.post_zstd(binary, &zstd("{\"x\":1}"))), json!(["four"]));
    let events = collector.json("/v1/events");
    assert_eq!(events["events"][3]["event"]["data"]["x"], 1);
    assert_eq!(events["events"][1]["event"], event("a", "two", 2));
}

/// A frame of one byte again and again: 4 bytes for each 128 KiB (RFC 8878, section 3.1.1.2.2).
fn bomb(window_log: u8, bytes: u64) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (window_log - 10) << 3];
    let blocks = bytes / (128 * 1024);
    for n in 1..=blocks {
        let header: u32 = ((128 * 1024) << 3) | (1 << 1) | u32::from(n == blocks);
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(b' ');
    }
    frame
}

#[test]
fn a_bad_zstd_body_is_refused_and_costs_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::start(dir.path(), "[tokens]\nrequired = false\n[limits]\nbodies_mib = 8\n");
    let batched = "cloudevents-batch+json";
    let good = zstd(&json!([event("a", "1", 1)]).to_string());
    assert!(zstd::decode_all(&bomb(23, 1 << 20)[..]).unwrap() == vec![b' '; 1 << 20], "the bomb is a frame");
    let before = collector.peak_memory();
    let bomb_40_gib = bomb(23, 40 << 30);
    let mut damaged = bomb_40_gib.clone();
    // The first block is of a kind that there is not.
    damaged[6] |= 3 << 1;
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(json!([event("a", "1", 1)]).to_string().as_bytes()).unwrap();
    let mut changed = encoder.finish().unwrap();
    *changed.last_mut().unwrap() ^= 1;
    let behind = |end: &[u8]| [&good, end].concat();
    let large = zstd(&format!("[{}]", " ".repeat(4 << 20)));
    for (name, body, status, code) in [
        ("40 GiB", bomb_40_gib, 413, "body_too_large"),
        ("a byte too many", large, 413, "body_too_large"),
        ("packed too large", bomb(23, 160 << 30), 413, "body_too_large"),
        ("a window of 16 MiB", bomb(24, 1 << 20), 400, "zstd_broken"),
        ("a window of 2 GiB", bomb(31, 1 << 20), 400, "zstd_broken"),
        ("half a frame", good[..good.len() / 2].to_vec(), 400, "zstd_broken"),
        ("a damaged frame", damaged, 400, "zstd_broken"),
        ("a changed byte", changed, 400, "zstd_broken"),
        ("nothing", Vec::new(), 400, "zstd_broken"),
        ("no frame", b"[]".to_vec(), 400, "zstd_broken"),
        ("text behind it", behind(b"[]"), 400, "zstd_broken"),
        ("half a frame behind it", behind(&good[..9]), 400, "zstd_broken"),
        ("a frame that is no JSON", behind(&zstd("]")), 400, "invalid_batch"),
    ] {
        // More often than there would be room for, were it not given back.
        for _ in 0..4 {
            let answer = collector.post_zstd(batched, &body);
            let error = answer.json()["error"].clone();
            assert_eq!((answer.status, error["code"].as_str().unwrap()), (status, code), "{name}: {error}");
        }
    }
    // 4 MiB as it came, 4 MiB unpacked, a window of 8 MiB, and as much again for what an allocator keeps.
    let grown = collector.peak_memory() - before;
    assert!(grown < 32 << 10, "the collector grew by {grown} KiB");
    for coding in ["gzip", "br", "zstd, gzip", "zstd\r\nContent-Encoding: gzip"] {
        let head = format!("Content-Type: application/{batched}\r\nContent-Encoding: {coding}\r\n");
        let answer = collector.ask(&format!("POST /v1/events HTTP/1.1\r\n{head}"), &good).unwrap();
        let error = answer.json()["error"].clone();
        assert_eq!((answer.status, error["code"].as_str().unwrap()), (415, "content_encoding"), "{coding}");
        assert!(answer.head.contains("\r\naccept-encoding: zstd"), "{}", answer.head);
        assert!(error["message"].as_str().unwrap().contains("send zstd"), "{error}");
    }
    assert!(collector.ids().is_empty(), "nothing of all that was kept");
    assert_eq!(collector.post_zstd(batched, &good).json()["kept"], json!(["1"]));
}

/// Room for two bodies of 4 MiB, and one of them is taken by a client that does not send the end of it.
#[test]
fn what_a_body_unpacks_to_counts_as_a_body() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::start(dir.path(), "[tokens]\nrequired = false\n[limits]\nbodies_mib = 8\n");
    let large = |n: u64| {
        let mut event = event("a", &n.to_string(), n);
        event["data"]["filler"] = json!("x".repeat(60_000));
        event
    };
    let packed = zstd(&Value::from((1..=60).map(large).collect::<Vec<_>>()).to_string());
    assert!(packed.len() < 8192);
    let post = || collector.post_zstd("cloudevents-batch+json", &packed);
    assert_eq!(post().status, 200);
    let mut slow = TcpStream::connect(collector.address).unwrap();
    write!(
        slow,
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\nContent-Length: {}\r\n\r\n",
        4 << 20
    )
    .unwrap();
    slow.write_all(&vec![b'['; (4 << 20) - 1]).unwrap();
    eventually("a refusal", || {
        let answer = post();
        let busy = answer.status == 503;
        assert!(!busy || answer.json()["error"]["code"] == "busy" && answer.head.contains("retry-after: "));
        busy
    });
    // What is smaller still has room.
    assert_eq!(collector.post_zstd("cloudevents+json", &zstd(&event("a", "61", 61).to_string())).status, 200);
    drop(slow);
    eventually("room", || post().status == 200);
}

/// A token and its line for the token file.
fn made_token() -> (String, String) {
    let made = Command::new(program("svm-collector")).args(["token", "--json"]).output().unwrap();
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    ["token", "line"].map(|name| made[name].as_str().unwrap().to_owned()).into()
}

#[test]
fn a_token_belongs_to_one_source_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let (token, line) = made_token();
    let file = dir.path().join("tokens");
    std::fs::write(&file, format!("{line}\n")).unwrap();
    let settings = format!("[tokens]\nfile = {file:?}\n");

    let collector = Collector::start(dir.path(), &settings);
    assert_eq!(collector.post(&event("a", "1", 1)).status, 401);
    assert_eq!(collector.post_with("wrong", &event("a", "1", 1)).status, 401);
    assert_eq!(collector.post_with(&token, &event("a", "1", 1)).status, 200);
    drop(collector);
    let collector = Collector::start(dir.path(), &settings);
    let other = collector.post_with(&token, &event("b", "1", 1));
    assert_eq!(
        (other.status, other.json()["error"]["code"].clone()),
        (403, json!("token_of_another_source"))
    );
    assert_eq!(collector.post_with(&token, &event("a", "2", 2)).status, 200);
    assert_eq!(collector.json("/v1/svms")["total"], 1);
}

#[test]
fn the_token_file_is_read_again_and_a_wrong_one_changes_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let ((first, first_line), (second, second_line)) = (made_token(), made_token());
    let file = dir.path().join("tokens");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write(&first_line);
    let collector = Collector::start(dir.path(), &format!("[tokens]\nfile = {file:?}\n"));
    let status = |token: &str, svm: &str| collector.post_with(token, &event(svm, "1", 1)).status;
    assert_eq!((status(&first, "a"), status(&second, "b")), (200, 401));

    // A line more, by a signal at once and without one after a while; then the other line only.
    write(&format!("{first_line}\n{second_line} b\n"));
    collector.signal(rustix::process::Signal::HUP);
    eventually("the second token", || status(&second, "b") == 200);
    let other = dir.path().join("tokens.new");
    std::fs::write(&other, &second_line).unwrap();
    std::fs::rename(&other, &file).unwrap();
    eventually("the end of the first token", || status(&first, "a") == 401);
    assert_eq!(status(&second, "b"), 200);

    // Whatever is wrong with the file, the tokens stay and the log says it once.
    let wrong = "cannot reload the token file";
    type Break<'a> = &'a dyn Fn();
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap()
    };
    let open_file = format!("every user can change {}; run: chmod", file.display());
    let open_folder = format!("every user can change {}; run: chmod", dir.path().display());
    let breaks: [(&str, Break<'_>); 4] = [
        ("line 2 of the token file", &|| write(&format!("{first_line}\nplain\n"))),
        (&open_file, &|| {
            write(&first_line);
            mode(&file, 0o606);
        }),
        // A user who may write to the folder can put another file there.
        (&open_folder, &|| {
            mode(dir.path(), 0o707);
            mode(&file, 0o601);
        }),
        ("cannot read the token file", &|| std::fs::remove_file(&file).unwrap()),
    ];
    for (reported, break_it) in breaks {
        let before = collector.logged(wrong);
        break_it();
        eventually(reported, || {
            assert_eq!((status(&first, "a"), status(&second, "b")), (401, 200), "{reported}");
            collector.logged(reported) > 0
        });
        // By asking: it is read, and told, again.
        collector.signal(rustix::process::Signal::HUP);
        eventually("the signal", || collector.logged(reported) == 2);
        assert_eq!((status(&first, "a"), status(&second, "b")), (401, 200), "{reported}");
        assert_eq!(collector.logged(wrong), before + 2);
    }
    write(&format!("{first_line}\n"));
    mode(&file, 0o600);
    mode(dir.path(), 0o700);
    eventually("the first token", || (status(&first, "a"), status(&second, "b")) == (200, 401));
    let log = collector.log.lock().unwrap();
    assert!(!log.contains(&first) && !log.contains(&first_line) && !log.contains(&second_line), "{log}");
}

// A full disk.

#[test]
fn on_a_full_disk_nothing_is_promised_and_nothing_lost() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("disk");
    let Some(disk) = Disk::mount(&folder, "4m") else { return };
    let mut collector = Collector::trial(&folder);
    let large = |n: u64| {
        let mut event = event("a", &n.to_string(), n);
        event["data"]["filler"] = json!("x".repeat(20_000));
        event
    };
    let (mut named, mut refused) = (BTreeSet::new(), Vec::new());
    let mut post = |collector: &Collector, numbers: std::ops::Range<u64>, named: &mut BTreeSet<String>| {
        let answer = collector.post_batch(&numbers.clone().map(large).collect::<Vec<_>>());
        if answer.status == 200 {
            let stored = answer.json()["kept"].as_array().unwrap().clone();
            named.extend(stored.iter().map(|id| id.as_str().unwrap().to_owned()));
            return true;
        }
        assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (503, json!("store")));
        assert!(answer.head.contains("\r\nretry-after: "), "{}", answer.head);
        refused.push(numbers);
        false
    };
    assert!(post(&collector, 1..21, &mut named));
    disk.fill();
    // Some may find room in what SQLite has already.
    let mut next = 21;
    for _ in 0..10 {
        while post(&collector, next..next + 5, &mut named) {
            next += 5;
            assert!(next < 1000, "more is named than the disk can hold");
        }
        next += 5;
        assert_eq!(collector.ids(), named, "what was named, and nothing else");
        assert_eq!((collector.get("/healthz").status, collector.get("/").status), (200, 200));
    }
    // Killed there, it has it still.
    collector.child.kill().unwrap();
    drop(collector);
    disk.free();
    collector = Collector::trial(&folder);
    assert_eq!(collector.ids(), named);
    disk.fill();
    for _ in 0..3 {
        while post(&collector, next..next + 5, &mut named) {
            next += 5;
            assert!(next < 1000, "more is named than the disk can hold");
        }
        next += 5;
    }
    disk.free();
    // Without a restart it goes on, with what was refused.
    let again = std::mem::take(&mut refused);
    assert!(again.len() > 10);
    for numbers in again {
        let answer = collector.post_batch(&numbers.clone().map(large).collect::<Vec<_>>());
        assert_eq!(answer.json()["kept"].as_array().unwrap().len(), 5);
        named.extend(numbers.map(|n| n.to_string()));
    }
    assert_eq!(collector.ids(), named);
    assert_eq!(collector.json("/v1/svms/a")["missing"]["count"], 0);
    for line in ["cannot write to the database", "the database can be written again"] {
        eventually(line, || collector.logged(line) == 1);
    }
    assert_eq!(collector.logged("ERROR"), 1, "{}", collector.log.lock().unwrap());
    drop(collector);
    let store = rusqlite::Connection::open(folder.join("collector.db")).unwrap();
    let sound: String = store.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

#[test]
fn hostile_text_is_shown_as_text() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202E}";
    let mut event = event("<b>id", "1", 1);
    event["source"] = json!("urn:svm:a'b&c");
    for name in ["description", "event_type_display_name", "hostname", "phase", "phase_cause"] {
        event["data"][name] = json!(hostile);
    }
    event["data"]["snapshot"]["key"] = json!(hostile);
    event["data"]["device_status_reasons"] = json!([hostile]);
    assert_eq!(collector.post(&event).status, 200);
    for path in ["/", "/svms/a%27b%26c", "/?q=%3Cscript%3E&phase=%22%3E%3Ci%3E"] {
        let page = collector.get(path);
        assert_eq!(page.status, 200, "{path}");
        assert!(
            !page.body.contains("<script>alert")
                && !page.body.contains("<img")
                && !page.body.contains("\"><i>"),
            "{path}"
        );
        assert!(!page.body.contains('\u{202E}') && !page.body.contains("<b>id"), "{path}");
        assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
    }
    assert!(collector.get("/").body.contains("&lt;script&gt;alert"));
}

#[test]
fn live_readers_get_events_and_resume() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let live = |last: &str| {
        let mut stream = TcpStream::connect(collector.address).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        write!(stream, "GET /v1/live HTTP/1.1\r\nHost: localhost\r\n{last}\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines();
        // The stream has begun, so what is kept from now on comes.
        lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("retry:")).unwrap();
        lines
    };
    let ids = |lines: &mut dyn Iterator<Item = std::io::Result<String>>, count: usize| -> Vec<String> {
        let ids = lines.map(Result::unwrap).filter_map(|line| line.strip_prefix("id: ").map(str::to_owned));
        ids.take(count).collect()
    };
    collector.post(&event("a", "1", 1));
    let mut reader = live("");
    collector.post_batch(&(2..=120).map(|n| event("a", &n.to_string(), n)).collect::<Vec<_>>());
    let expected: Vec<String> = (2..=120).map(|n| n.to_string()).collect();
    assert_eq!(ids(&mut reader, 119), expected);
    assert_eq!(ids(&mut live("Last-Event-ID: 117\r\n"), 3), ["118", "119", "120"]);
}

/// Eventually true, looked at now and then.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < BOUND, "{what} did not come true");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn slow_clients_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    let settings = "[tokens]\nrequired = false\n[limits]\nheader_timeout_seconds = 1\nbody_timeout_seconds = 1\nwrite_timeout_seconds = 1\n";
    let collector = Collector::start(dir.path(), settings);
    let answer_to = |sent: &str| {
        let mut stream = TcpStream::connect(collector.address).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(!answer_to("POST /v1/events HT").contains("200 OK"));
    let head = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\nContent-Length: 99\r\n\r\n{";
    assert!(answer_to(head).starts_with("HTTP/1.1 408"));

    let mut reader = TcpStream::connect(collector.address).unwrap();
    write!(reader, "GET /v1/live?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    eventually("the reader", || collector.get("/metrics").body.contains("svm_collector_live_readers 1\n"));
    let mut number = 0;
    eventually("the cut of a reader that takes nothing", || {
        let batch: Vec<Value> = (0..40)
            .map(|_| {
                number += 1;
                let mut event = event("a", &number.to_string(), number);
                event["data"]["filler"] = json!("x".repeat(60_000));
                event
            })
            .collect();
        assert_eq!(collector.post_batch(&batch).status, 200);
        collector.get("/metrics").body.contains("svm_collector_live_readers 0\n")
    });
    // What is left is the connection that asks.
    eventually("the end of its connection", || {
        collector.get("/metrics").body.contains("svm_collector_connections 1\n")
    });
}

/// Four senders write as fast as they can, the collector is killed in the midst, and is started again: all that
/// it named is there. A kill cannot show a missing sync; it shows an answer before the commit.
#[test]
fn what_was_named_survives_kills() {
    let dir = tempfile::tempdir().unwrap();
    let mut named = BTreeSet::new();
    let mut next = 1_u64;
    for _ in 0..20 {
        let mut collector = Collector::trial(dir.path());
        let address = collector.address;
        let (sender, stored) = std::sync::mpsc::channel();
        let begin = next;
        next += 100_000;
        let senders: Vec<_> = (0..4)
            .map(|worker: u64| {
                let sender = sender.clone();
                std::thread::spawn(move || {
                    for number in 0.. {
                        let sequence = begin + worker * 20_000 + number * 5;
                        let events: Vec<Value> =
                            (sequence..sequence + 5).map(|n| event("a", &n.to_string(), n)).collect();
                        let head = "POST /v1/events HTTP/1.1\r\nContent-Type: application/cloudevents-batch+json\r\n";
                        let Some(answer) = ask(address, head, json!(events).to_string().as_bytes()) else { return };
                        // An answer cut short by the kill names nothing.
                        let Ok(answer) = serde_json::from_str::<Value>(&answer.body) else { return };
                        for id in answer["kept"].as_array().unwrap() {
                            sender.send(id.as_str().unwrap().to_owned()).unwrap();
                        }
                    }
                })
            })
            .collect();
        // Killed in the middle of its work, not before and not after.
        named.extend((0..100).map(|_| stored.recv_timeout(BOUND).unwrap()));
        collector.child.kill().unwrap();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        named.extend(stored.try_iter());
    }
    let there = Collector::trial(dir.path()).ids();
    let lost: Vec<_> = named.difference(&there).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), named.len());
}

/// As `svm-demo` uses it: inside another program, on a clock that runs an hour a second.
#[test]
fn silence_is_seen_by_the_clock_that_was_handed_in() {
    use svm_collector as collector;
    use svm_core::clock::Clock;
    let dir = tempfile::tempdir().unwrap();
    let (started, address) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut settings = collector::Settings::default();
    settings.store.path = dir.path().join("collector.db");
    settings.tokens.required = false;
    settings.svms.silent_after_minutes = 60;
    let running = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            started.send(listener.local_addr().unwrap()).unwrap();
            let clock = Clock::fast("2030-01-01T00:00:00Z".parse().unwrap(), 3600);
            let shutdown = async { drop(stopped.await) };
            collector::serve(settings, listener, clock, shutdown).await.unwrap();
        });
    });
    let address = address.recv_timeout(BOUND).unwrap();
    let post = "POST /v1/events HTTP/1.1\r\nContent-Type: application/cloudevents+json\r\n";
    assert_eq!(ask(address, post, event("a", "1", 1).to_string().as_bytes()).unwrap().status, 200);
    let svm = || ask(address, "GET /v1/svms/a HTTP/1.1\r\n", b"").unwrap().json();
    assert!(svm()["first_contact"].as_str().unwrap().starts_with("2030-01-01T"));
    eventually("silence", || svm()["reasons"] == json!(["not_connected", "grace"]));
    assert_eq!(svm()["status"], "critical");
    stop.send(()).unwrap();
    running.join().unwrap();
}

#[test]
fn it_stops_when_told_and_open_readers_do_not_hold_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut collector = Collector::trial(dir.path());
    let mut reader = TcpStream::connect(collector.address).unwrap();
    reader.set_read_timeout(Some(BOUND)).unwrap();
    write!(reader, "GET /v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    reader.read_exact(&mut [0; 16]).unwrap();
    collector.signal(rustix::process::Signal::TERM);
    eventually("the end", || collector.child.try_wait().unwrap().is_some());
    assert!(collector.child.wait().unwrap().success());
}
