//! Syslog to real receivers: what syslog-ng and rsyslog read is what happened, and nothing counts that was not read.

use crate::support::certificates::{Authority, Issued};
use crate::support::syslog::{Kind, Listen, Received, Receiver};
use crate::support::{Agent, Collector, Vendor, free_port, have, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use svm_agent::config::{Framing, SyslogFormat, SyslogSettings};
use svm_agent::delivery::syslog::{Failure, QueuedEvent, Syslog};
use svm_core::clock::Clock;
use svm_core::failure_code::FailureCode;
use svm_core::tls::TlsFiles;

const LOCAL: &str = "DNS:localhost,IP:127.0.0.1";

/// rsyslog, as `tests/syslog/rsyslog.sh` unpacks it.
fn rsyslog() -> Option<PathBuf> {
    let folder = std::env::var_os("SVM_TEST_RSYSLOG")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rsyslog"), PathBuf::from);
    if folder.join(".complete").exists() {
        return Some(folder);
    }
    let message = format!("not run: there is no {}; tests/syslog/rsyslog.sh makes it", folder.display());
    assert!(std::env::var_os("SVM_TEST_REQUIRE_ALL").is_none(), "{message}");
    println!("{message}");
    None
}

/// The receivers that are there, with the folder of rsyslog.
fn receivers() -> Vec<(Kind, PathBuf)> {
    let mut found = Vec::new();
    if !have("openssl", "openssl") {
        return found;
    }
    if have("syslog-ng", "syslog-ng-core") {
        found.push((Kind::SyslogNg, PathBuf::new()));
    }
    if let Some(folder) = rsyslog() {
        found.extend([(Kind::RsyslogGnutls, folder.clone()), (Kind::RsyslogOpenssl, folder)]);
    }
    found
}

fn settings(port: u16) -> SyslogSettings {
    SyslogSettings {
        host: "127.0.0.1".to_owned(),
        port,
        tls: false,
        format: SyslogFormat::Rfc5424,
        framing: Framing::OctetCounting,
        tls_files: TlsFiles::default(),
        timeout: Duration::from_secs(20),
    }
}

fn over_tls(port: u16, tls_files: TlsFiles) -> SyslogSettings {
    SyslogSettings { host: "localhost".to_owned(), tls: true, tls_files, ..settings(port) }
}

fn tls(server: &Issued, clients: &Authority, wants_certificate: bool, only_tls12: bool) -> Listen {
    Listen::Tls {
        certificate: server.certificate.clone(),
        key: server.key.clone(),
        authority: clients.certificate(),
        wants_certificate,
        only_tls12,
    }
}

fn event(id: &str, data: &Value) -> String {
    let mut all = json!({
        "severity": 4, "event_type_display_name": "Subscription expired", "description": "it ended",
        "hostname": "svm-17", "product_name": "Security Virtual Machine", "product_version": "6.1.0",
        "device_status": "critical", "device_status_reasons": ["restricted"], "phase": "restricted",
        "phase_cause": null, "snapshot": {"key": "SUB-1", "devices": 240, "paid_until": null},
    });
    all.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
    json!({
        "specversion": "1.0", "id": id, "source": "urn:svm:x", "type": "svm.subscription.expired",
        "time": "2026-11-22T01:14:21.796618Z", "subject": "SUB-1", "datacontenttype": "application/json", "data": all,
    })
    .to_string()
}

fn numbered(bodies: &[String]) -> Vec<QueuedEvent<'_>> {
    (1..).zip(bodies).map(|(sequence, body)| QueuedEvent { sequence, skipped_from: None, body }).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn send(syslog: &mut Syslog, bodies: &[String]) -> Result<u64, Failure> {
    // The agent spawns its deliveries.
    fn that_can_be_spawned<F: Future + Send>(future: F) -> F {
        future
    }
    runtime().block_on(that_can_be_spawned(syslog.send(&numbered(bodies))))
}

/// The code of a failure, whether it is held, and that its message has these words.
fn failed(syslog: &mut Syslog, code: &str, hold: bool, words: &[&str]) {
    let failure = send(syslog, &[event("x", &json!({}))]).expect_err(code);
    assert_eq!((&*failure.code.code(), failure.hold), (code, hold), "{failure}");
    for word in words {
        assert!(failure.message.contains(word), "{word:?} is not in {failure}");
    }
}

/// Text that would be another message, field or line, if it could.
const HOSTILE: &str = "a\"] [svm@32473 id=\"forged\"] \\ \n<10>1 - forged - - - - x\r\n12 <9>1 \0\u{1b}[2J \u{202e}ü\u{1f600} end]";
/// What is left of it.
const HARMLESS: &str = "a\"] [svm@32473 id=\"forged\"] \\ \u{fffd}<10>1 - forged - - - - x\u{fffd}\u{fffd}12 <9>1 \
                        \u{fffd}\u{fffd}[2J \u{fffd}ü\u{1f600} end]";

/// Three events, and what each field of the second must be.
fn three() -> (Vec<String>, BTreeMap<String, String>) {
    let hostile = json!({
        "severity": 2, "event_type_display_name": HOSTILE, "description": HOSTILE, "cause": HOSTILE, "phase": HOSTILE,
        "days_left": 3, "auto_renew": false, "to": null, "fields": ["term", "devices"], "changes": {"new": HOSTILE},
        "snapshot": {"key": HOSTILE},
    });
    let bodies = vec![
        event("one", &json!({})),
        event("two", &hostile),
        event("three", &json!({"report": {"long": "]".repeat(20_000)}})),
    ];
    // In JSON the text has its own escapes for control characters already.
    let in_json = Value::from(HOSTILE).to_string().replace('\u{202e}', "\u{fffd}");
    let fields = [
        ("event@23668 p1", "auto_renew=false"),
        ("event@23668 p2", &format!("cause={HARMLESS}")),
        ("event@23668 p3", &format!("changes={{\"new\":{in_json}}}")),
        ("event@23668 p4", "days_left=3"),
        ("event@23668 p5", "fields=term,devices"),
        ("event@23668 p6", "to="),
        ("event@23668 et", "svm.subscription.expired"),
        ("event@23668 tdn", ""),
        ("event@23668 etdn", HARMLESS),
        ("event@23668 hdn", "svm-17"),
        ("event@23668 hip", "127.0.0.1"),
        ("event@23668 gn", ""),
        ("svm@32473 id", "two"),
        ("svm@32473 source", "urn:svm:x"),
        ("svm@32473 sequence", "00000000000000000002"),
        ("svm@32473 severity", "2"),
        ("svm@32473 phase", HARMLESS),
        ("svm@32473 device_status", "critical"),
        ("svm@32473 device_status_reasons", "restricted"),
        ("svm@32473 subject", "SUB-1"),
        ("svm@32473 product", "Security Virtual Machine"),
        ("svm@32473 product_version", "6.1.0"),
        ("svm@32473 snapshot.key", HARMLESS),
    ];
    (bodies, fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

fn check_rfc5424(received: &[Received], expected: &BTreeMap<String, String>) {
    assert_eq!(received.len(), 3, "{received:#?}");
    let second = &received[1];
    assert_eq!(second.fields, *expected);
    assert_eq!(second.text, HARMLESS);
    assert_eq!((second.priority.as_str(), second.time.as_str()), ("12", "2026-11-22T01:14:21.796618Z"));
    assert_eq!((second.host.as_str(), second.app.as_str()), ("svm-17", "Security_Virtual_Machine|6.1.0"));
    assert_eq!(second.msgid, "svm.subscription.expired");
    assert_eq!((received[0].priority.as_str(), received[0].text.as_str()), ("10", "it ended"));
    // Eight thousand bytes arrive whole: the last field and the text behind it are there.
    assert_eq!(received[2].fields["svm@32473 cut"], "p1");
    assert_eq!(received[2].text, "it ended");
    assert!(received[2].fields["event@23668 p1"].len() > 3000);
}

/// The value of a CEF extension, by the rules of CEF: up to the next word before an `=` that is not escaped.
fn extension(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!(" {name}="))?;
    let mut value = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => value.push(match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                c => c,
            }),
            '=' => {
                value.truncate(value.rfind(' ')?);
                break;
            }
            c => value.push(c),
        }
    }
    Some(value)
}

fn check_cef(received: &[Received]) {
    assert_eq!(received.len(), 3, "{received:#?}");
    let text = &received[1].text;
    let header = "CEF:0|svm-agent|Security Virtual Machine|6.1.0|svm.subscription.expired|";
    assert!(
        text.strip_prefix(header).is_some_and(|rest| rest.contains("end]|2|rt=1795310061796 ")),
        "{text}"
    );
    let lines = HOSTILE.chars().map(|c| match c {
        '\0' | '\u{1b}' | '\u{202e}' => '\u{fffd}',
        c => c,
    });
    assert_eq!(extension(text, "msg"), Some(lines.collect()));
    for (name, value) in [
        ("dhost", "svm-17"),
        ("dst", "127.0.0.1"),
        ("cs2", "Security Virtual Machine"),
        ("svmSequence", "00000000000000000002"),
        ("svmId", "two"),
        ("svmP4", "days_left=3"),
        ("svmDeviceStatus", "critical"),
    ] {
        assert_eq!(extension(text, name).as_deref(), Some(value), "{name} in {text}");
    }
    assert_eq!((received[1].priority.as_str(), received[1].host.as_str()), ("12", "svm-17"));
    assert_eq!(extension(&received[2].text, "svmCut").as_deref(), Some("svmP1"));
}

#[test]
fn receivers_read_every_field_as_it_was() {
    let (bodies, expected) = three();
    for (kind, rsyslog) in receivers() {
        for way in ["octets", "lines", "tls 1.3", "tls 1.2"] {
            let folder = tempfile::tempdir().unwrap();
            let authority = Authority::new(folder.path(), "authority");
            let server = authority.issue("server", LOCAL, 2);
            let port = free_port();
            let (listen, mut settings) = match way {
                "octets" => (Listen::Counted, settings(port)),
                "lines" => (Listen::Lines, SyslogSettings { framing: Framing::Newline, ..settings(port) }),
                way => {
                    (tls(&server, &authority, false, way == "tls 1.2"), over_tls(port, authority.files(None)))
                }
            };
            println!("{kind:?} over {way}");
            let receiver = Receiver::start(kind, &rsyslog, folder.path(), port, &listen);
            let sent = send(&mut Syslog::new(settings.clone(), Clock::system()), &bodies);
            assert_eq!(sent, Ok(3), "{}", receiver.program.logged());
            check_rfc5424(&receiver.wait(3), &expected);
            settings.format = SyslogFormat::Cef;
            assert_eq!(send(&mut Syslog::new(settings, Clock::system()), &bodies), Ok(3));
            check_cef(&receiver.wait(6)[3..]);
        }
    }
}

/// The numbers that a receiver wrote down.
fn sequences(received: &[Received]) -> Vec<u64> {
    received.iter().map(|message| message.fields["svm@32473 sequence"].parse().unwrap()).collect()
}

/// The agent itself: what it tells its collector is what a SIEM reads, in the same order, over both ways of syslog at
/// once; one that is away for a while gets everything later.
#[test]
fn the_agent_tells_a_siem_what_it_tells_its_collector() {
    for (kind, rsyslog) in receivers() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        let authority = Authority::new(&at("authority"), "authority");
        let server = authority.issue("server", LOCAL, 2);
        let (secure, plain) = (free_port(), free_port());
        let over_tls = tls(&server, &authority, false, false);
        let collector = Collector::new(&at("collector"));
        let _collector = collector.start_ready();
        let vendor = Vendor::new(&at("vendor"), "2040-01-01T00:00:00Z".parse().unwrap(), 30);
        let destinations = format!(
            "[destinations.console]\nurl = \"http://127.0.0.1:{}/v1/events\"\nexcept = [\"agent.report\"]\n\
             [destinations.siem]\nkind = \"syslog\"\nurl = \"tls://localhost:{secure}\"\nca_file = {:?}\n\
             except = [\"agent.report\"]\n\
             [destinations.alerts]\nkind = \"syslog\"\nurl = \"tcp://127.0.0.1:{plain}\"\nformat = \"cef\"\n\
             severity = \"critical\"\n",
            collector.port,
            authority.certificate(),
        );
        let agent = Agent::new(&at("agent"), &vendor.trust(), &(vendor.source() + &destinations));
        let siem = Receiver::start(kind, &rsyslog, &at("siem"), secure, &over_tls);
        let _agent = agent.start_ready();
        agent.ask(&["activate", &vendor.code]).unwrap();
        agent.settled();
        siem.wait(1);
        drop(siem);
        for count in ["95", "120", "10"] {
            agent.ask(&["devices", "set", count]).unwrap();
        }
        let outage = || agent.status()["destinations"]["siem"]["outage"].clone();
        wait_for("the SIEM to be missed", 20, || (!outage().is_null()).then_some(()));
        let siem = Receiver::start(kind, &rsyslog, &at("siem"), secure, &over_tls);
        let alerts = Receiver::start(kind, &rsyslog, &at("alerts"), plain, &Listen::Counted);
        agent.settled();
        let reported = collector.events().unwrap();
        let id = |event: &Value| event["id"].as_str().unwrap().to_owned();
        let all: Vec<String> = reported.iter().map(id).collect();
        wait_for("everything at the SIEM", 60, || {
            let mut read: Vec<String> =
                siem.received().iter().map(|message| message.fields["svm@32473 id"].clone()).collect();
            // What was sent before the break may have come twice, and only that.
            read.dedup();
            (read == all).then_some(())
        });
        let critical = reported.iter().filter(|event| event["data"]["severity"] == 4);
        let critical: Vec<&str> =
            critical.map(|event| event["data"]["event_type_display_name"].as_str().unwrap()).collect();
        assert!(critical.len() >= 2, "{critical:?}");
        let read = alerts.wait(critical.len());
        let names: Vec<&str> = read.iter().map(|message| message.text.split('|').nth(5).unwrap()).collect();
        assert_eq!(names, critical);
    }
}

/// Stops a receiver, all its threads, so that it reads nothing from here on.
fn stop(receiver: &Receiver) {
    receiver.program.signal(rustix::process::Signal::STOP);
    let threads = format!("/proc/{}/task", receiver.program.child.id());
    wait_for("the receiver to stop", 20, || {
        let mut threads = std::fs::read_dir(&threads).unwrap();
        let stopped = threads.all(|thread| {
            let stat = std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap();
            stat.rsplit_once(") ").unwrap().1.starts_with('T')
        });
        stopped.then_some(())
    });
}

/// Waits until bytes lie unread at the receiver's side of a connection to this port.
fn wait_for_unread(port: u16) {
    wait_for("unread bytes", 20, || {
        let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        table.lines().skip(1).find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = u16::from_str_radix(words[1].rsplit(':').next().unwrap(), 16).unwrap();
            let unread = u64::from_str_radix(words[4].rsplit(':').next().unwrap(), 16).unwrap();
            // A socket that listens counts connections there, and a close counts as a byte.
            (at == port && words[3] != "0A" && unread > 100).then_some(())
        })
    });
}

#[test]
fn a_receiver_that_is_killed_loses_nothing_that_it_did_not_read() {
    for (kind, rsyslog) in receivers() {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let start = || Receiver::start(kind, &rsyslog, folder.path(), port, &Listen::Counted);
        let mut receiver = start();
        let mut syslog = Syslog::new(settings(port), Clock::system());
        let bodies: Vec<String> = (0..20).map(|n| event(&format!("id{n}"), &json!({}))).collect();
        assert_eq!(send(&mut syslog, &bodies[..5]), Ok(5));
        receiver.wait(5);

        // Between two batches: nobody is there, and then somebody is.
        receiver.program.kill();
        failed(&mut syslog, "unreachable", false, &["cannot connect to 127.0.0.1", "refused"]);
        receiver = start();
        assert_eq!(send(&mut syslog, &bodies[..10]), Ok(10));
        receiver.wait(15);

        // During a batch, small and large: its kernel acknowledged what it could, and it read nothing.
        for count in [20, 2000] {
            stop(&receiver);
            let batch: Vec<String> = bodies.iter().cycle().take(count).cloned().collect();
            let sending = std::thread::spawn(move || (send(&mut syslog, &batch), syslog));
            wait_for_unread(port);
            receiver.program.kill();
            let (sent, returned) = sending.join().unwrap();
            let failure = sent.unwrap_err();
            assert_eq!((&*failure.code.code(), failure.hold), ("connection_cut", false), "{failure}");
            syslog = returned;
            receiver = start();
        }
        let before = receiver.received().len();
        assert_eq!(send(&mut syslog, &bodies), Ok(20));
        let received = receiver.wait(before + 20);
        assert_eq!(sequences(&received[before..]), (1..=20).collect::<Vec<u64>>(), "{kind:?}");
    }
}

/// A peer that does with each connection what a test says; its port.
fn peer(what: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().flatten().for_each(what));
    port
}

#[test]
fn only_what_was_read_to_its_end_counts() {
    let whole = |mut stream: &TcpStream| stream.read_to_end(&mut Vec::new()).unwrap();
    let read = peer(move |stream| {
        whole(&stream);
    });
    let ok = |port| {
        assert_eq!(
            send(&mut Syslog::new(settings(port), Clock::system()), &vec![event("x", &json!({})); 500]),
            Ok(500)
        );
    };
    ok(read);
    // It has a word to say, as some do.
    ok(peer(move |mut stream| {
        stream.write_all(b"hello\r\n").unwrap();
        whole(&stream);
    }));

    let cut = |port| {
        failed(
            &mut Syslog::new(settings(port), Clock::system()),
            "connection_cut",
            false,
            &["ended the connection before it had read everything"],
        )
    };
    cut(peer(drop));
    // It closes after any part of it, with or without something unread: whatever the order of the last packets is.
    let (bodies, many) = (vec![event("x", &json!({})); 200], 300);
    let lengths = std::sync::Mutex::new(0..many);
    let partial = peer(move |mut stream| {
        let n = lengths.lock().unwrap().next().unwrap();
        stream.read_exact(&mut vec![0; n * 100_000 / many]).unwrap();
    });
    for n in 0..many {
        let failure = send(&mut Syslog::new(settings(partial), Clock::system()), &bodies)
            .expect_err(&format!("part {n}"));
        assert_eq!((&*failure.code.code(), failure.hold), ("connection_cut", false), "{failure}");
    }
    // It closed its side before ours: that it read all the same cannot be known.
    let early = peer(move |stream| {
        stream.shutdown(Shutdown::Write).unwrap();
        whole(&stream);
    });
    // More than kernels hold: the last is written after the receiver began to read.
    let large = vec![event("x", &json!({"report": "x".repeat(20_000)})); 5000];
    let failure = send(&mut Syslog::new(settings(early), Clock::system()), &large).unwrap_err();
    assert_eq!((&*failure.code.code(), failure.hold), ("connection_cut", false), "{failure}");

    let talker = peer(|mut stream| while stream.write_all(&[b'x'; 1000]).is_ok() {});
    failed(
        &mut Syslog::new(settings(talker), Clock::system()),
        "not_a_receiver",
        true,
        &["correct the port"],
    );
}

#[test]
fn a_receiver_that_does_not_read_is_given_up_in_time() {
    let stuck = peer(std::mem::forget);
    let mut syslog =
        Syslog::new(SyslogSettings { timeout: Duration::from_secs(1), ..settings(stuck) }, Clock::system());
    // A small batch lies in its kernel, acknowledged; a large one does not even fit there.
    failed(&mut syslog, "timeout", false, &["waiting for the receiver to read to the end"]);
    let large = vec![event("x", &json!({"report": "x".repeat(20_000)})); 5000];
    let failure = send(&mut syslog, &large).unwrap_err();
    assert_eq!((&*failure.code.code(), failure.hold), ("timeout", false));
    assert!(failure.message.contains("stopped while writing"), "{failure}");
    // It never gets to accepting, nor to TLS.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let timeout = Duration::from_secs(1);
    failed(
        &mut Syslog::new(SyslogSettings { timeout, ..settings(port) }, Clock::system()),
        "timeout",
        false,
        &["waiting for"],
    );
    let ca = tempfile::tempdir().unwrap();
    if have("openssl", "openssl") {
        let files = Authority::new(ca.path(), "authority").files(None);
        let mut syslog = Syslog::new(SyslogSettings { timeout, ..over_tls(port, files) }, Clock::system());
        failed(&mut syslog, "timeout", false, &["stopped while waiting for the TLS handshake"]);
    }
}

#[test]
fn a_place_that_cannot_be_reached_is_named() {
    let mut nowhere = settings(free_port());
    failed(
        &mut Syslog::new(nowhere.clone(), Clock::system()),
        "unreachable",
        false,
        &["cannot connect to 127.0.0.1:"],
    );
    nowhere.host = "nobody.invalid".to_owned();
    failed(
        &mut Syslog::new(nowhere, Clock::system()),
        "unreachable",
        false,
        &["cannot look up the host nobody.invalid: the name does not exist in DNS"],
    );
    // The second of two addresses is tried when the first does not take it.
    let port = peer(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    for host in ["localhost", "127.0.0.1"] {
        let named = SyslogSettings { host: host.to_owned(), ..settings(port) };
        assert_eq!(send(&mut Syslog::new(named, Clock::system()), &[event("x", &json!({}))]), Ok(1));
    }
    assert_eq!(send(&mut Syslog::new(settings(1), Clock::system()), &[]), Ok(0));
}

#[test]
fn an_ipv6_address_is_taken_with_and_without_brackets() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        println!("not run: there is no IPv6 here");
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let reader = std::thread::spawn(move || {
        let read = |stream: std::io::Result<TcpStream>| {
            let mut text = String::new();
            stream.unwrap().read_to_string(&mut text).unwrap();
            text
        };
        listener.incoming().take(2).map(read).collect::<Vec<String>>()
    });
    for host in ["::1", "[::1]"] {
        let named = SyslogSettings { host: host.to_owned(), ..settings(port) };
        assert_eq!(send(&mut Syslog::new(named, Clock::system()), &[event("x", &json!({}))]), Ok(1));
    }
    assert!(reader.join().unwrap().iter().all(|text| text.contains(" hip=\"::1\" ")));
}

#[test]
fn a_certificate_that_is_not_right_is_refused_and_the_way_out_named() {
    let Some((kind, rsyslog)) = receivers().into_iter().next() else { return };
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let other = Authority::new(folder.path(), "other");
    let cases = [
        (
            authority.issue_expired("old", LOCAL),
            &["expired on 2021-01-01 00:00 UTC", "renew it on the server"][..],
        ),
        (
            authority.issue("elsewhere", "DNS:siem.example", 2),
            &["another name", "siem.example", "use a name of the certificate in the address"],
        ),
        (other.issue("foreign", LOCAL, 2), &["was issued by \"other\", which ", "add it to `ca_file`"]),
    ];
    for (server, words) in cases {
        let port = free_port();
        let listen = tls(&server, &authority, false, false);
        let receiver = Receiver::start(kind, &rsyslog, folder.path(), port, &listen);
        failed(
            &mut Syslog::new(over_tls(port, authority.files(None)), Clock::system()),
            "tls_refused",
            true,
            words,
        );
        assert!(receiver.received().is_empty());
    }
    // Without a file the system's authorities are trusted, and none of them issued this.
    let good = authority.issue("good", LOCAL, 2);
    let port = free_port();
    let _receiver =
        Receiver::start(kind, &rsyslog, folder.path(), port, &tls(&good, &authority, false, false));
    let mut trusting = over_tls(port, TlsFiles::default());
    match send(&mut Syslog::new(trusting.clone(), Clock::system()), &[event("x", &json!({}))]) {
        Err(Failure {
            code: FailureCode::TlsRefused | FailureCode::ConnectionSettings,
            hold: true,
            message,
        }) => {
            assert!(message.contains("`ca_file`"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    trusting.tls_files = authority.files(None);
    assert_eq!(send(&mut Syslog::new(trusting.clone(), Clock::system()), &[event("x", &json!({}))]), Ok(1));
    // What answers is no TLS at all.
    trusting.port = peer(|mut stream| {
        stream.write_all(b"220 mail.example ESMTP\r\n").ok();
        stream.read_to_end(&mut Vec::new()).ok();
    });
    failed(&mut Syslog::new(trusting.clone(), Clock::system()), "tls_refused", true, &["does not speak TLS"]);
    // Files and names that cannot be used.
    trusting.tls_files.ca_file = Some(folder.path().join("none"));
    failed(
        &mut Syslog::new(trusting.clone(), Clock::system()),
        "connection_settings",
        true,
        &["cannot read", "none"],
    );
}

#[test]
fn a_receiver_that_wants_a_client_certificate_gets_it_or_says_so() {
    for (kind, rsyslog) in receivers() {
        for only_tls12 in [false, true] {
            println!("{kind:?}, TLS 1.2 only: {only_tls12}");
            let folder = tempfile::tempdir().unwrap();
            let authority = Authority::new(folder.path(), "authority");
            let other = Authority::new(folder.path(), "other");
            let server = authority.issue("server", LOCAL, 2);
            let (svm, foreign) =
                (authority.issue("svm-17", "DNS:svm-17", 2), other.issue("foreign", "DNS:f", 2));
            let port = free_port();
            let listen = tls(&server, &authority, true, only_tls12);
            let receiver = Receiver::start(kind, &rsyslog, folder.path(), port, &listen);
            for shown in [None, Some(&foreign)] {
                let mut syslog = Syslog::new(over_tls(port, authority.files(shown)), Clock::system());
                match kind {
                    // It looks at the certificate after TLS is agreed on, and hangs up.
                    Kind::RsyslogGnutls => {
                        failed(&mut syslog, "connection_cut", false, &["certificate_file"])
                    }
                    _ => failed(&mut syslog, "tls_refused", true, &["certificate_file"]),
                }
            }
            assert!(receiver.received().is_empty());
            let mut syslog = Syslog::new(over_tls(port, authority.files(Some(&svm))), Clock::system());
            assert_eq!(send(&mut syslog, &[event("x", &json!({}))]), Ok(1), "{}", receiver.program.logged());
            receiver.wait(1);
        }
    }
}

#[test]
fn a_client_certificate_that_is_replaced_is_shown_without_a_restart() {
    if !have("openssl", "openssl") || !have("syslog-ng", "syslog-ng-core") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let other = Authority::new(folder.path(), "other");
    let server = authority.issue("server", LOCAL, 2);
    let (ours, foreign) = (authority.issue("svm", "DNS:svm", 2), other.issue("foreign", "DNS:svm", 2));
    let shown = Issued { certificate: folder.path().join("shown.crt"), key: folder.path().join("shown.key") };
    let put = |issued: &Issued| {
        for (from, to) in [(&issued.certificate, &shown.certificate), (&issued.key, &shown.key)] {
            let beside = to.with_extension("tmp");
            std::fs::copy(from, &beside).unwrap();
            std::fs::rename(&beside, to).unwrap();
        }
    };
    let port = free_port();
    let listen = tls(&server, &authority, true, false);
    let receiver = Receiver::start(Kind::SyslogNg, Path::new(""), folder.path(), port, &listen);
    let mut syslog = Syslog::new(over_tls(port, authority.files(Some(&shown))), Clock::system());
    failed(&mut syslog, "connection_settings", true, &["shown.crt", "cannot read"]);
    // What the receiver accepts and refuses tells which certificate it was shown.
    for count in [1, 2] {
        put(&ours);
        assert_eq!(send(&mut syslog, &[event("x", &json!({}))]), Ok(1));
        receiver.wait(count);
        put(&foreign);
        failed(&mut syslog, "tls_refused", true, &["certificate_file"]);
    }
}

#[test]
fn the_examples_of_the_documentation_work() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/syslog.md");
    let page = std::fs::read_to_string(page).unwrap();
    for (kind, rsyslog) in receivers() {
        let (name, head) = match kind {
            Kind::SyslogNg => ("syslog-ng", "@version: 3.38\n"),
            Kind::RsyslogGnutls => ("rsyslog", ""),
            Kind::RsyslogOpenssl => continue,
        };
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let clients = Authority::new(folder.path(), "clients");
        clients.issue("server", LOCAL, 2);
        let svm = clients.issue("svm", "DNS:svm", 2);
        let port = free_port();
        let (_, example) = page.split_once(&format!("<!-- {name} -->\n```\n")).unwrap();
        let example = example.split_once("```").unwrap().0;
        let mut config = format!("{head}{example}");
        for (from, to) in [
            ("/etc/ssl/siem/", format!("{at}/")),
            ("/var/log/svm.json", format!("{at}/received")),
            ("ip(\"0.0.0.0\") port(6514)", format!("ip(\"127.0.0.1\") port({port})")),
            ("port=\"6514\"", format!("address=\"127.0.0.1\" port=\"{port}\"")),
        ] {
            config = config.replace(from, &to);
        }
        let _receiver = Receiver::configured(kind, &rsyslog, folder.path(), port, &config);
        let mut syslog = Syslog::new(over_tls(port, clients.files(Some(&svm))), Clock::system());
        assert_eq!(send(&mut syslog, &[event("one", &json!({})), event("two", &json!({}))]), Ok(2));
        wait_for("what the documentation promises", 20, || {
            let text = std::fs::read_to_string(folder.path().join("received")).ok()?;
            let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>().ok()?;
            let whole = |line: &Value| {
                let line = line.to_string();
                ["svm-17", "svm.subscription.expired", "it ended", "SUB-1"]
                    .iter()
                    .all(|word| line.contains(word))
            };
            (lines.len() == 2 && lines.iter().all(whole)).then_some(())
        });
    }
}

#[test]
fn in_a_slow_network_a_close_that_came_before_our_bytes_does_not_count() {
    if !have("unshare", "util-linux") || !have("tc", "iproute2") {
        return;
    }
    let slow = "ip link set lo mtu 1500 up && tc qdisc add dev lo root tbf rate 2mbit burst 4kb latency 5s && exec \"$0\" \
                --exact syslog::in_a_slow_network --ignored";
    let mut command = std::process::Command::new("unshare");
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").arg("--net");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    let output = command.args(["sh", "-c", slow]).arg(std::env::current_exe().unwrap()).output().unwrap();
    let reported = String::from_utf8_lossy(&output.stdout);
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && reported.contains("1 passed"), "{reported}\n{problem}");
}

/// The receiver's close is on its way before our bytes are there, and the reset that they cause comes after it.
#[test]
#[ignore = "run by the test above, in a network of its own"]
fn in_a_slow_network() {
    let hasty = peer(|mut stream| {
        stream.read_exact(&mut [0; 1]).unwrap();
        // It reads what is there until nothing is, and leaves while more is on its way.
        stream.set_nonblocking(true).unwrap();
        while stream.read(&mut [0; 65536]).is_ok_and(|n| n > 0) {}
    });
    for _ in 0..5 {
        let failure =
            send(&mut Syslog::new(settings(hasty), Clock::system()), &vec![event("x", &json!({})); 20])
                .unwrap_err();
        assert_eq!((&*failure.code.code(), failure.hold), ("connection_cut", false), "{failure}");
    }
}
