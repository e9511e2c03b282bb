//! Faults around the agent: each disaster has a name, is told once, changes nothing that it must not, and heals.

use crate::support::server::{Request, Server, hang, reset, whole};
use crate::support::{Agent, Program, Vendor, at, free_port, have, now, order, wait_for};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use svm_core::documents::{ActivationCode, SigningKey};
use svm_vendor::{Contact, Profile, Provider, Renewal, Until};

const FAR: &str = "2040-01-01T00:00:00Z";

/// A vendor and an agent that looks at it each second.
struct World {
    vendor: Vendor,
    agent: Agent,
    program: Program,
    trust: PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    /// With `SUB-1` active.
    fn activated() -> Self {
        let world = Self::new();
        world.agent.ask(&["activate", &world.vendor.code]).unwrap();
        world
    }

    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vendor = Vendor::new(folder.path(), at(FAR), 30);
        let trust = folder.path().join("trust.d");
        std::fs::create_dir(&trust).unwrap();
        copy_all(&vendor.trust(), &trust);
        let agent = Agent::new(folder.path(), &trust, &vendor.source());
        let program = agent.start_ready();
        Self { vendor, agent, program, trust, _folder: folder }
    }

    fn restart(&mut self) {
        self.program.kill();
        self.program = self.agent.start_ready();
    }

    fn renew(&self, until: &str) {
        let renewal = Renewal { until: Until::EndsAt(at(until)), earlier: false };
        self.vendor.provider.renew(&self.vendor.key, renewal, now()).unwrap();
        self.vendor.publish();
    }

    /// What no fault of the source may change: the key, its revision and dates, and what is allowed.
    fn held(&self) -> (Value, Vec<i32>) {
        let permits = ["database-updates", "ksn"].map(|resource| self.agent.permit(resource));
        (self.agent.status()["keys"].clone(), permits.to_vec())
    }

    fn rejected(&self) -> usize {
        self.agent.reported().iter().filter(|kind| *kind == "documents.rejected").count()
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// How often a text stands in the lines that came after `mark`.
fn lines(agent: &Agent, mark: usize, text: &str) -> usize {
    agent.log()[mark..].lines().filter(|line| line.contains(text)).count()
}

fn peak_memory(program: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

// Answers of the source.

#[test]
fn each_wrong_answer_of_the_source_has_a_name_and_changes_nothing() {
    let world = World::activated();
    let (vendor, agent, server) = (&world.vendor, &world.agent, &world.vendor.server);
    let document = vendor.document(&vendor.code);
    let page = "<!doctype html><title>Log in</title>";
    let elsewhere = Server::start();
    let to = format!("Location: http://127.0.0.1:{}/v1/keys/x.jws", elsewhere.port);
    let cut = {
        let mut answer = whole(&["200 OK"], &document);
        answer.truncate(answer.len() - document.len() / 2);
        answer
    };
    let half = &document[..document.len() / 4];
    let whole_answers: Vec<(&str, &str, Vec<u8>)> = vec![
        ("a proxy's page", "not_a_document", whole(&["200 OK", "Content-Type: text/html"], page)),
        ("a page without a type", "not_a_document", whole(&["200 OK"], page)),
        ("nothing", "not_a_document", whole(&["200 OK"], "")),
        ("half a document", "not_a_document", whole(&["200 OK"], half)),
        ("bytes", "not_a_document", whole(&["200 OK"], b"\xff\xfe\x00")),
        (
            "a compressed answer",
            "not_a_document",
            whole(&["200 OK", "Content-Encoding: br"], b"\xff\xfe\x00"),
        ),
        ("one that is not said to be", "not_a_document", whole(&["200 OK"], b"\x1f\x8b\x08\x00\xff")),
        ("a body that is cut", "answer_cut", cut),
        ("no answer at all", "answer_cut", Vec::new()),
        ("no HTTP", "answer_cut", b"220 mail.example ESMTP\r\n".to_vec()),
        (
            "50 MB that are announced",
            "answer_too_large",
            b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\nA".to_vec(),
        ),
        ("301", "redirect", whole(&["301 Moved Permanently", &to], "")),
        ("302", "redirect", whole(&["302 Found", &to], "")),
        ("307 to nowhere", "redirect", whole(&["307 Temporary Redirect"], "")),
        ("304 that nobody asked for", "http_status", whole(&["304 Not Modified"], "")),
        ("404", "not_found", whole(&["404 Not Found"], page)),
        ("410", "withdrawn", whole(&["410 Gone"], "")),
        ("401", "http_status", whole(&["401 Unauthorized"], page)),
        ("403", "http_status", whole(&["403 Forbidden"], page)),
        ("interim answers without end", "answer_too_large", b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(5000)),
        (
            "a head without end",
            "answer_too_large",
            [&b"HTTP/1.1 200 OK\r\n"[..], &b"A: b\r\n".repeat(50_000)].concat(),
        ),
        (
            "chunks that are all frame",
            "answer_too_large",
            [&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..], &b"1\r\nA\r\n".repeat(50_000)]
                .concat(),
        ),
        ("500", "http_status", whole(&["500 Internal Server Error"], page)),
        ("503", "http_status", whole(&["503 Service Unavailable"], "")),
    ];
    let before = world.held();
    for (name, code, answer) in whole_answers {
        server.say(answer);
        fails_and_heals(&world, name, code, &before);
    }
    assert!(elsewhere.requests().is_empty(), "a redirect was followed");

    server.answer(|_, stream| hang(stream));
    fails_and_heals(&world, "silence", "timeout", &before);
    server.answer(move |_, stream| {
        for byte in whole(&["200 OK"], &document) {
            stream.write_all(&[byte])?;
            std::thread::sleep(Duration::from_secs(1));
        }
        Ok(())
    });
    fails_and_heals(&world, "a byte a second", "timeout", &before);
    server.answer(|_, stream| reset(stream));
    fails_and_heals(&world, "a reset", "answer_cut", &before);

    // Nobody told its length; it is not read to its end, and does not grow the agent.
    let (memory, sent) = (peak_memory(&world.program), Arc::new(AtomicU64::new(0)));
    let count = sent.clone();
    server.answer(move |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&[b'A'; 16 * 1024])?;
            count.fetch_add(16 * 1024, Ordering::SeqCst);
        }
    });
    fails_and_heals(&world, "a body without an end", "answer_too_large", &before);
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < 40 << 20, "{sent} bytes were taken");
    // The kernel counts pages in batches, so the peak may seem to shrink by some.
    let grown = peak_memory(&world.program).saturating_sub(memory);
    assert!(grown < 4096, "the agent grew by {grown} KiB");

    // The whole story was one of the network: no event came of it.
    assert_eq!(world.rejected(), 0);
    let sub = ActivationCode::parse(&vendor.code).unwrap().sub();
    assert!(!agent.log().contains(sub.as_str()), "the name of a published file is a secret");
}

#[test]
fn a_document_is_taken_whatever_its_server_calls_it() {
    let world = World::activated();
    type Form = (&'static str, fn(Vec<u8>) -> Vec<u8>);
    let forms: [Form; 8] = [
        ("a page", |text| whole(&["200 OK", "Content-Type: text/html; charset=utf-8"], text)),
        ("JSON", |text| whole(&["200 OK", "Content-Type: application/json"], text)),
        ("a mark before it", |text| whole(&["200 OK"], [b"\xef\xbb\xbf", &text[..]].concat())),
        ("what nobody sees around it", |text| {
            whole(
                &["200 OK"],
                [" \u{a0}\u{200b}".as_bytes(), &text, "\u{200b}\r\n\u{feff}\n".as_bytes()].concat(),
            )
        }),
        ("compressed, though it is not", |text| whole(&["200 OK", "Content-Encoding: gzip"], text)),
        ("chunked", |text| {
            let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            for chunk in text.chunks(100) {
                answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                answer.extend_from_slice(chunk);
                answer.extend_from_slice(b"\r\n");
            }
            [&answer[..], b"0\r\n\r\n"].concat()
        }),
        ("to the end of the connection", |text| [b"HTTP/1.0 200 OK\r\n\r\n", &text[..]].concat()),
        ("after an interim answer", |text| {
            [&b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"[..], &whole(&["200 OK"], text)].concat()
        }),
    ];
    for (year, (name, form)) in (2041..).zip(forms) {
        world.renew(&format!("{year}-01-01T00:00:00Z"));
        world.vendor.server.say(form(world.vendor.document(&world.vendor.code)));
        wait_for(&format!("the document as {name}: {}", world.agent.status()["source"]), 20, || {
            let ends_at = world.agent.status()["keys"][0]["ends_at"].as_str()?.to_owned();
            ends_at.starts_with(&year.to_string()).then_some(())
        });
    }
    let asked = world.vendor.server.requests();
    assert!(asked.iter().all(|request| request.header("accept-encoding") == Some("identity")));
}

#[test]
fn a_web_server_that_compresses_is_asked_not_to_and_named_where_it_does() {
    if !have("nginx", "nginx-light") {
        return;
    }
    let world = World::activated();
    let folder = tempfile::tempdir().unwrap();
    let sub = ActivationCode::parse(&world.vendor.code).unwrap().sub();
    let file = folder.path().join("v1/keys").join(format!("{}.jws", sub.as_str()));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, world.vendor.document(&world.vendor.code)).unwrap();
    let zip = std::process::Command::new("gzip").arg("-k").arg(&file).status().unwrap();
    assert!(zip.success());
    for (how, compressed) in
        [("gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any", false), ("gzip_static always", true)]
    {
        let port = free_port();
        let at = folder.path().display();
        std::fs::create_dir_all(folder.path().join("tmp")).unwrap();
        let text = format!(
            "master_process off; daemon off; pid {at}/nginx.pid; error_log {at}/error.log;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; client_body_temp_path {at}/tmp; proxy_temp_path {at}/tmp; fastcgi_temp_path {at}/tmp;\n\
             uwsgi_temp_path {at}/tmp; scgi_temp_path {at}/tmp; default_type text/html; {how};\n\
             server {{ listen 127.0.0.1:{port}; root {at}; }} }}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), text).unwrap();
        let mut command = std::process::Command::new("nginx");
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").arg("-c").arg(folder.path().join("nginx.conf"));
        let _nginx = Program::start(
            command.arg("-e").arg(folder.path().join("error.log")),
            &folder.path().join("nginx.log"),
        );
        wait_for("nginx", 20, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        let settings = svm_agent::config::SourceSettings {
            url: Some(format!("http://127.0.0.1:{port}")),
            interval: jiff::SignedDuration::from_hours(1),
            urgent_interval: jiff::SignedDuration::from_hours(1),
            connection: svm_core::http::Connection {
                timeout: Duration::from_secs(5),
                tls: svm_core::tls::TlsFiles::default(),
                proxy: None,
            },
        };
        svm_core::http::install_tls();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let clock = svm_core::clock::Clock::system();
        let answer = runtime.block_on(svm_agent::fetch::fetch(&settings, &sub, None, &clock));
        match (answer, compressed) {
            (Ok(svm_agent::fetch::Answer::Document { text, .. }), false) => {
                assert_eq!(text.as_bytes(), world.vendor.document(&world.vendor.code).trim_ascii());
            }
            (Err(error), true) => {
                let reported = error.to_string();
                assert!(reported.contains("compresses the document (gzip)"), "{reported}");
            }
            (answer, _) => panic!("{how}: {:?}", answer.map(drop)),
        }
    }
}

#[test]
fn a_place_where_no_document_is_says_so_in_many_ways_and_each_is_explained() {
    let world = World::new();
    for (status, reported) in [
        ("401 Unauthorized", "it requires a log-in"),
        ("403 Forbidden", "object stores answer so for what does not exist"),
        ("405 Method Not Allowed", "check source.url"),
        ("429 Too Many", "too many requests"),
        ("503 Busy", "the server has a fault"),
    ] {
        world.vendor.server.say(whole(&[status], "<Error><Code>AccessDenied</Code></Error>"));
        let output = world.agent.command(&["activate", &world.vendor.code]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(&status[..3]) && said.contains(reported), "{said}");
        let pending = world.agent.status()["activations"].to_string();
        assert!(pending.contains(reported), "{}", world.agent.status());
    }
}

#[test]
fn peers_without_an_end_hold_up_nobody() {
    let mut world = World::activated();
    let pours = |again: &'static [u8]| {
        let server = Server::start();
        server.answer(move |_, stream| {
            let many = again.repeat(1 + 65_536 / again.len());
            loop {
                stream.write_all(&many)?;
            }
        });
        server
    };
    let (hints, heads) = (pours(b"HTTP/1.1 103 Early Hints\r\n\r\n"), pours(b"A: b\r\n"));
    let chunks = Server::start();
    chunks.answer(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        let many = b"1\r\nx\r\n".repeat(10_000);
        loop {
            stream.write_all(&many)?;
        }
    });
    let mut settings = std::fs::read_to_string(&world.agent.config).unwrap();
    for (name, server) in [("hints", &hints), ("heads", &heads), ("chunks", &chunks)] {
        settings += &format!(
            "[destinations.{name}]\nurl = \"http://127.0.0.1:{}/\"\ntimeout = \"30s\"\n",
            server.port
        );
    }
    std::fs::write(&world.agent.config, settings).unwrap();
    world.vendor.server.answer(|_, stream| {
        loop {
            stream.write_all(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000))?;
        }
    });
    world.restart();
    let (began, mut slowest, mut asked) = (Instant::now(), Duration::ZERO, 0);
    let ticks = cpu_ticks(&world.program);
    while began.elapsed() < Duration::from_secs(6) {
        let one = Instant::now();
        let mut stream =
            std::os::unix::net::UnixStream::connect(world.agent.folder.join("run/query.sock")).unwrap();
        stream.write_all(b"GET /v1/status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        (slowest, asked) = (slowest.max(one.elapsed()), asked + 1);
        std::thread::sleep(Duration::from_millis(20));
    }
    // Each of them was tried, and is refused by what it sends rather than by the time.
    let status = world.agent.status();
    for name in ["hints", "heads", "chunks"] {
        let code = &status["destinations"][name]["outage"]["code"];
        assert!(code == "answer_too_large" || code == "answer_cut", "{name}: {status}");
    }
    assert_eq!(status["source"]["outage"]["code"], "answer_too_large", "{status}");
    assert!(slowest < Duration::from_secs(1), "of {asked} the slowest answer took {slowest:?}");
    let spent = cpu_ticks(&world.program) - ticks;
    assert!(spent < 300, "the agent was busy for {spent} of 600 ticks");
}

/// What a program has spent, in hundredths of a second.
fn cpu_ticks(program: &Program) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", program.child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// With a server that fails: two looks say so, it is told once, nothing changes; then it is mended.
fn fails_and_heals(world: &World, name: &str, code: &str, before: &(Value, Vec<i32>)) {
    let (agent, mark) = (&world.agent, world.agent.log().len());
    for _ in 0..2 {
        assert_eq!(agent.refused(&["refresh"]), (1, code.to_owned()), "{name}");
    }
    let source = agent.status()["source"].clone();
    assert_eq!(source["outage"]["code"], code, "{name}");
    assert!(
        source["outage"]["times"].as_u64().unwrap() >= 2 && source["refused"].is_null(),
        "{name}: {source}"
    );
    assert_eq!(world.held(), *before, "{name}");
    assert_eq!(lines(agent, mark, "fetching the provider's document fails"), 1, "{name}: {}", agent.log());
    world.vendor.serve();
    agent.ask(&["refresh"]).unwrap_or_else(|e| panic!("{name}: {e:?}"));
    assert!(agent.status()["source"]["outage"].is_null(), "{name}");
    assert_eq!(lines(agent, mark, "fetching the provider's document works again"), 1, "{name}");
    assert_eq!(lines(agent, mark, "fails"), 1, "{name}: {}", &agent.log()[mark..]);
}

#[test]
fn a_source_that_nobody_serves_is_named() {
    let mut world = World::activated();
    let before = world.held();
    world.program.kill();
    let settings = std::fs::read_to_string(&world.agent.config).unwrap();
    let dead = settings.replace(&format!(":{}\"", world.vendor.server.port), &format!(":{}\"", free_port()));
    std::fs::write(&world.agent.config, dead).unwrap();
    world.program = world.agent.start_ready();
    let mark = world.agent.log().len();
    assert_eq!(world.agent.refused(&["refresh"]), (1, "unreachable".to_owned()));
    assert_eq!(world.held(), before);
    // A restart forgets nothing: the outage goes on, and its end is told.
    std::fs::write(&world.agent.config, settings).unwrap();
    world.restart();
    wait_for("the end of the outage", 10, || {
        world.agent.status()["source"]["outage"].is_null().then_some(())
    });
    assert_eq!(lines(&world.agent, mark, "document works again"), 1);
    assert_eq!(world.held(), before);
}

fn retry_after_is_obeyed(value: &str, wait: Duration) {
    let mut world = World::activated();
    let server = world.vendor.server.clone();
    let answer = whole(&["503 Service Unavailable", &format!("Retry-After: {value}")], "");
    server.say(answer);
    wait_for("the outage", 10, || {
        (world.agent.status()["source"]["outage"]["code"] == "http_status").then_some(())
    });
    let asked = server.requests().len();
    let first = server.requests()[asked - 1].at;
    world.vendor.serve();
    // Not even over a restart.
    world.restart();
    let next = at(world.agent.status()["source"]["next_look_at"].as_str().unwrap());
    let left = Duration::try_from(next.duration_since(now())).unwrap() + first.elapsed();
    assert!(left >= wait, "the next look is due {left:?} after the answer");
    wait_for("the time to pass", 30, || (first.elapsed() > wait.min(Duration::from_secs(3))).then_some(()));
    assert_eq!(server.requests().len(), asked, "it was asked again too early");
    // Whoever asks by hand need not wait.
    world.agent.ask(&["refresh"]).unwrap();
    assert_eq!(world.agent.status()["source"]["outage"], Value::Null);
}

#[test]
fn retry_after_in_seconds_is_obeyed() {
    retry_after_is_obeyed("3", Duration::from_secs(3));
}

#[test]
fn retry_after_as_a_date_is_obeyed() {
    let date = now() + jiff::SignedDuration::from_secs(60);
    let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    retry_after_is_obeyed(&date, Duration::from_secs(50));
}

#[test]
fn a_document_that_is_refused_is_told_once_and_over_a_restart_too() {
    let mut world = World::activated();
    let old = world.vendor.document(&world.vendor.code);
    world.renew("2041-01-01T00:00:00Z");
    world.agent.ask(&["refresh"]).unwrap();
    let good = world.vendor.document(&world.vendor.code);
    let mut forged = good.clone();
    let last = forged.len() - 10;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let cut = good[..good.len() - 40].to_vec();
    let (other, _) = world.vendor.provider.issue(order("SUB-2", at(FAR), 0), now()).unwrap();
    world.vendor.publish();
    let other = world.vendor.document(&other.reveal());
    let before = world.held();
    for (name, code, body) in [
        ("an older revision", "older_revision", old),
        ("a changed signature", "bad_signature", forged),
        ("half a signature", "bad_signature", cut),
        ("a document of another code", "invalid_document", other),
    ] {
        let (reported, mark) = (world.rejected(), world.agent.log().len());
        world.vendor.server.say(whole(&["200 OK", "ETag: \"wrong\""], body));
        for _ in 0..2 {
            assert_eq!(world.agent.refused(&["refresh"]), (1, code.to_owned()), "{name}");
        }
        world.restart();
        assert_eq!(world.agent.refused(&["refresh"]), (1, code.to_owned()), "{name}");
        let source = world.agent.status()["source"].clone();
        assert!(source["refused"].is_string() && source["outage"].is_null(), "{name}: {source}");
        assert_eq!(world.rejected(), reported + 1, "{name}");
        assert_eq!(lines(&world.agent, mark, "documents.rejected"), 1, "{name}");
        assert_eq!(world.held(), before, "{name}");
        world.vendor.serve();
        world.agent.ask(&["refresh"]).unwrap();
        assert!(world.agent.status()["source"]["refused"].is_null(), "{name}");
        assert_eq!(lines(&world.agent, mark, "the provider's document is valid again"), 1, "{name}");
        assert_eq!((world.held(), world.rejected()), (before.clone(), reported + 1), "{name}");
    }
}

#[test]
fn trusting_the_missing_signer_heals_without_a_new_body() {
    let world = World::activated();
    let profile = Profile { iss: "provider.example".into(), vendor: Contact::default() };
    let ledger = world.vendor.folder.join("second");
    let second = Provider::create(&ledger, &profile, SigningKey::generate().unwrap()).unwrap();
    let mut order = order("SUB-1", at(FAR), 30);
    order.code = Some(ActivationCode::parse(&world.vendor.code).unwrap());
    second.issue(order, now()).unwrap();
    let renewal = Renewal { until: Until::EndsAt(at("2042-01-01T00:00:00Z")), earlier: false };
    second.renew(&world.vendor.key, renewal, now()).unwrap();
    second.publish(&world.vendor.folder.join("published")).unwrap();
    let before = world.held();
    std::fs::write(world.trust.join("broken.pem"), "no key").unwrap();
    let (asked, mark) = (world.vendor.server.requests().len(), world.agent.log().len());
    wait_for("the refusal", 10, || (world.rejected() == 1).then_some(()));
    wait_for("more looks", 10, || (world.vendor.server.requests().len() >= asked + 4).then_some(()));
    assert_eq!(lines(&world.agent, mark, "broken.pem"), 1, "{}", world.agent.log());
    assert_eq!(world.agent.refused(&["refresh"]), (1, "untrusted_signer".to_owned()));
    assert_eq!(world.held(), before);
    copy_all(&ledger.join("trust.d"), &world.trust);
    wait_for("the renewal, and the refusal to be over", 10, || {
        let status = world.agent.status();
        let renewed = status["keys"][0]["ends_at"] == "2042-01-01T00:00:00Z";
        (renewed && status["source"]["refused"].is_null()).then_some(())
    });
    assert_eq!(world.rejected(), 1);
}

// Activation.

#[test]
fn an_activation_that_fails_says_why_and_the_code_stands_nowhere() {
    let world = World::new();
    let (agent, vendor) = (&world.agent, &world.vendor);
    let asked = || vendor.server.requests().len();
    let code = &vendor.code;
    let typo = {
        let last = code.chars().last().unwrap();
        format!("{}{}", &code[..code.len() - 1], if last == '2' { '3' } else { '2' })
    };
    for wrong in [typo.as_str(), "", "AAAAA-BBBBB", &code[1..]] {
        assert_eq!(agent.refused(&["activate", wrong]), (1, "bad_code".to_owned()), "{wrong}");
    }
    assert_eq!(asked(), 0, "the network was asked about a typing error");
    let unknown = ActivationCode::generate().unwrap().reveal();
    assert_eq!(agent.refused(&["activate", &unknown]), (1, "not_found".to_owned()));
    assert_eq!(asked(), 1);

    let (other, _) = vendor.provider.issue(order("SUB-2", at(FAR), 0), now()).unwrap();
    vendor.publish();
    let good = vendor.document(code);
    for (expected, answer) in [
        ("invalid_document", whole(&["200 OK"], vendor.document(&other.reveal()))),
        ("bad_signature", whole(&["200 OK"], &good[..good.len() - 40])),
    ] {
        vendor.server.say(answer);
        assert_eq!(agent.refused(&["activate", code]), (1, expected.to_owned()));
        assert_eq!(agent.status()["phase"], "not_activated");
    }
    vendor.serve();
    for entry in std::fs::read_dir(&world.trust).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert_eq!(agent.refused(&["activate", code]), (1, "untrusted_signer".to_owned()));
    assert_eq!((agent.permit("ksn"), agent.permit("database-updates")), (75, 75));
    copy_all(&vendor.trust(), &world.trust);
    let spaced = code.to_lowercase().replace('-', " ");
    agent.ask(&["activate", &spaced]).unwrap();
    assert_eq!((agent.permit("ksn"), agent.permit("database-updates")), (0, 0));
    let reported: Vec<_> = agent.reported().into_iter().filter(|kind| kind.starts_with("key.")).collect();
    assert_eq!(reported, ["key.rejected", "key.rejected", "key.rejected", "key.added"]);
    assert_eq!(agent.refused(&["activate", &other.reveal()]), (1, "active_key_still_valid".to_owned()));

    // Neither as it was typed nor as it is meant, nor that of another.
    let forms =
        |code: &str| [code.to_owned(), code.replace('-', ""), code.to_lowercase(), code.replace('-', " ")];
    let secrets: Vec<String> =
        [code.as_str(), &unknown, &other.reveal()].into_iter().flat_map(forms).collect();
    let mut places = vec![agent.folder.join("agent.log")];
    for folder in ["state", "run/permits"] {
        let entries = std::fs::read_dir(agent.folder.join(folder)).unwrap();
        places.extend(entries.map(|entry| entry.unwrap().path()));
    }
    let mut texts: Vec<(String, Vec<u8>)> =
        places.into_iter().map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())).collect();
    texts.push(("status".to_owned(), agent.status().to_string().into_bytes()));
    texts.push((
        "requests".to_owned(),
        vendor.server.requests().iter().flat_map(|r| r.head.bytes()).collect(),
    ));
    for (place, text) in texts {
        for secret in &secrets {
            assert!(!text.windows(secret.len()).any(|w| w == secret.as_bytes()), "a code stands in {place}");
        }
    }
}

// A receiver that fails.

/// Takes events as a collector does, and can be told to fail.
struct Receiver {
    server: Server,
    stored: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    fn on(port: u16) -> Self {
        Self { server: Server::on(port), stored: Arc::default() }
    }

    /// Keeps at most `most` events of each request.
    fn works(&self, most: usize) {
        let stored = self.stored.clone();
        self.server.answer(move |request, stream| {
            stream.write_all(&whole(&["200 OK"], receipt(&stored, request, most)))
        });
    }
}

fn receipt(stored: &Mutex<Vec<Value>>, request: &Request, most: usize) -> String {
    let mut stored = stored.lock().unwrap();
    let events: Vec<Value> = serde_json::from_slice(&request.content()).unwrap();
    let mut ids = Vec::new();
    for event in events.into_iter().take(most) {
        ids.push(event["id"].clone());
        if !stored.iter().any(|held| held["id"] == event["id"]) {
            stored.push(event);
        }
    }
    json!({ "kept": ids }).to_string()
}

/// The number of devices as a story: each step is told.
fn devices(agent: &Agent, count: &str) {
    agent.ask(&["devices", "set", count]).unwrap();
}

#[test]
fn a_receiver_that_fails_loses_nothing_and_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), at(FAR), 30);
    let port = free_port();
    let destination =
        format!("[destinations.console]\nurl = \"http://127.0.0.1:{port}/v1/events\"\ntimeout = \"1s\"\n");
    let agent = Agent::new(folder.path(), &vendor.trust(), &(vendor.source() + &destination));
    let mut program = agent.start_ready();
    agent.ask(&["activate", &vendor.code]).unwrap();
    let outage = |code: &str, times: u64| {
        let health = wait_for(code, 20, || {
            let health = agent.status()["destinations"]["console"].clone();
            let outage = &health["outage"];
            (outage["code"] == code && outage["times"].as_u64()? >= times).then_some(health)
        });
        assert!(health["outage"]["since"].is_string() && health["waiting"].as_u64() > Some(0), "{health}");
        assert!(health["oldest"].is_string());
    };
    let reported = |mark, code: &str| {
        let (fails, over) = ("delivery to console fails", "delivery to console works again");
        assert_eq!(
            (lines(&agent, mark, fails), lines(&agent, mark, over)),
            (1, 1),
            "{code}: {}",
            agent.log()
        );
    };

    // Nobody there at all.
    outage("unreachable", 2);
    let receiver = Receiver::on(port);
    receiver.works(500);
    agent.settled();
    reported(0, "unreachable");
    assert!(agent.status()["destinations"]["console"]["outage"].is_null());

    type Fault = (&'static str, fn(&Server));
    let again: [Fault; 6] = [
        ("http_500", |s| s.say(whole(&["500 Oh"], "no"))),
        ("http_429", |s| s.say(whole(&["429 Slow down", "Retry-After: 1"], ""))),
        ("answer_cut", |s| s.answer(|_, stream| reset(stream))),
        ("timeout", |s| s.answer(|_, stream| hang(stream))),
        ("answer_too_large", |s| {
            s.answer(|_, stream| {
                stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
                loop {
                    stream.write_all(&[b' '; 16 * 1024])?;
                }
            });
        }),
        ("nothing_kept", |s| s.say(whole(&["200 OK"], r#"{"kept":["of","another"]}"#))),
    ];
    for (code, break_it) in again {
        let mark = agent.log().len();
        break_it(&receiver.server);
        devices(&agent, "95");
        devices(&agent, "10");
        outage(code, 2);
        receiver.works(500);
        agent.settled();
        reported(mark, code);
    }
    let asked: Vec<Instant> = receiver.server.requests().iter().map(|request| request.at).collect();
    assert!(asked.len() < 100, "it was asked {} times", asked.len());

    // A matter of configuration: held for minutes, so the agent is started anew.
    let held: [Fault; 4] = [
        ("not_a_receiver", |s| s.say(whole(&["200 OK", "Content-Type: text/html"], "<html>"))),
        ("no_receipt", |s| s.say(whole(&["200 OK"], "ok"))),
        ("http_401", |s| s.say(whole(&["401 Unauthorized"], "who are you?"))),
        ("http_302", |s| s.say(whole(&["302 Found", "Location: http://127.0.0.1:1/"], ""))),
    ];
    for (code, break_it) in held {
        let mark = agent.log().len();
        break_it(&receiver.server);
        devices(&agent, "95");
        devices(&agent, "10");
        outage(code, 1);
        assert_eq!(lines(&agent, mark, "delivery to console fails"), 1, "{code}");
        program.kill();
        receiver.works(500);
        program = agent.start_ready();
        agent.settled();
    }

    // A receipt that names only part: the rest comes again, and nothing twice.
    receiver.works(1);
    for count in ["95", "105", "115", "10"] {
        devices(&agent, count);
    }
    agent.settled();
    let stored = receiver.stored.lock().unwrap().clone();
    let sequences: Vec<u64> =
        stored.iter().map(|e| e["sequence"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(sequences, (1..=stored.len() as u64).collect::<Vec<_>>(), "lost, or out of order");
    let ids: BTreeSet<&str> = stored.iter().map(|e| e["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), stored.len());
    // Reports give way to later ones; all else is there as it is kept.
    let all = |kinds: Vec<String>| kinds.into_iter().filter(|k| k != "agent.report").collect::<Vec<_>>();
    let received = stored.iter().map(|e| e["type"].as_str().unwrap().trim_start_matches("svm.").to_owned());
    assert_eq!(all(received.collect()), all(agent.reported()));
}

// Settings.

/// Whatever a receiver claims of this SVM's numbers, it can make the agent wait, and nothing else.
#[test]
fn a_receiver_that_claims_numbers_costs_the_svm_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), at(FAR), 30);
    let port = free_port();
    let receiver = Receiver::on(port);
    let destination =
        format!("[destinations.console]\nurl = \"http://127.0.0.1:{port}/v1/events\"\ntimeout = \"1s\"\n");
    let agent = Agent::new(folder.path(), &vendor.trust(), &(vendor.source() + &destination));
    let mut program = agent.start_ready();
    agent.ask(&["activate", &vendor.code]).unwrap();
    let held = || (agent.status()["id"].clone(), agent.status()["keys"].clone());
    let before = held();
    for claimed in ["09007199254740991", "09007199254740992", "00000000000001500000", "9223372036854775807"] {
        let receipt = format!("{{\"kept\":[],\"conflicts\":[{{\"highest\":\"{claimed}\"}}]}}");
        receiver.server.say(whole(&["409 Conflict"], &receipt));
        program.signal(Signal::HUP);
        wait_for(claimed, 20, || {
            let code = agent.status()["destinations"]["console"]["outage"]["code"].clone();
            matches!(code.as_str()?, "sequence_jump" | "sequence_conflict").then_some(())
        });
        // Neither file is damaged by what was claimed, and either is enough.
        for lost in ["nothing", "agent.db", "recovery.json"] {
            assert!(program.terminate().success());
            std::fs::remove_file(folder.path().join("state").join(lost)).ok();
            program = agent.start_ready();
            assert_eq!(held(), before, "{claimed}, and {lost} is lost");
        }
    }
    assert!(!agent.log().contains("recovery.damaged"), "{}", agent.log());
    // It is mended, and has everything.
    receiver.works(500);
    program.signal(Signal::HUP);
    agent.settled();
}

#[test]
fn wrong_settings_are_told_all_at_once_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::new(folder.path(), folder.path(), "");
    let text = "[log]\nlevle = \"warn\"\n[source]\ninterval = 5\ntimeout = \"1h\"\nurl = \"ftp://x\"\n\
                [reminders]\nbefore_end_days = [0]\n[destinations.console]\nuri = \"http://127.0.0.1:1/\"\n";
    std::fs::write(&agent.config, text).unwrap();
    let place = agent.config.display();
    let wanted = [
        format!("{place}:2: unknown setting `levle`; did you mean `level`?"),
        format!(
            "{place}:4: `source.interval` must be a text in quotes, not the number 5; put the value in quotes"
        ),
        format!("{place}:5: `source.timeout`: must be from"),
        format!("{place}:6: `source.url`: must begin with http:// or https://"),
        format!("{place}:8: item 1 of `reminders.before_end_days`"),
        format!("{place}:10: unknown setting `uri`; did you mean `url`?"),
    ];
    for command in [["run"].as_slice(), &["config", "check"], &["status"]] {
        let output = agent.command(command).output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{command:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        for wanted in &wanted {
            assert!(said.contains(wanted), "{command:?}: {wanted}: {said}");
        }
    }
    assert_eq!(agent.refused(&["config", "check"]), (78, "bad_settings".to_owned()));
    assert!(!folder.path().join("state").exists(), "wrong settings leave no trace");

    for (name, text) in [("no TOML", "[log\n"), ("bytes", "\u{0}")] {
        std::fs::write(&agent.config, text).unwrap();
        let output = agent.command(&["run"]).output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{name}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&format!("{place}:1: ")), "{name}: {said}");
    }
    // Root may read everything, but not a folder.
    for config in [folder.path().to_owned(), folder.path().join("none.toml")] {
        let agent = Agent { folder: folder.path().to_owned(), config };
        let output = agent.command(&["run"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78));
        assert!(said.contains(&format!("{}: cannot be read", agent.config.display())), "{said}");
    }
}

// Permits, and one agent for a folder.

/// An agent whose subscription ends `seconds` from now, without a grace.
fn short(seconds: i64) -> (tempfile::TempDir, Agent, Program) {
    let folder = tempfile::tempdir().unwrap();
    // The vendor's dates are whole seconds.
    let ends_at = jiff::Timestamp::from_second(now().as_second() + 1 + seconds).unwrap();
    let vendor = Vendor::new(folder.path(), ends_at, 0);
    let agent = Agent::new(folder.path(), &vendor.trust(), &vendor.source());
    let program = agent.start_ready();
    agent.ask(&["activate", &vendor.code]).unwrap();
    (folder, agent, program)
}

fn ends_by_itself(agent: &Agent) {
    assert_eq!((agent.permit("ksn"), agent.permit("database-updates")), (0, 0));
    let permit = agent.ask(&["permit", "ksn"]).unwrap();
    let until = at(permit["until"].as_str().unwrap());
    wait_for("the permit's end", 10, || (agent.permit("ksn") == 75).then_some(()));
    assert!(now() >= until, "it ended too early");
    assert!(now().duration_since(until).as_millis() < 1500, "it ended too late");
    let (exit, refusal) = agent.ask(&["permit", "database-updates"]).unwrap_err();
    assert_eq!((exit, &refusal["allowed"]), (75, &false.into()));
    assert!(refusal["why"].as_str().unwrap().contains("was not extended"), "{refusal}");
}

#[test]
fn a_permit_ends_by_itself_though_the_agent_was_killed() {
    let (_folder, agent, mut program) = short(3);
    program.kill();
    ends_by_itself(&agent);
}

#[test]
fn a_permit_ends_by_itself_though_the_agent_hangs() {
    let (_folder, agent, program) = short(3);
    program.signal(Signal::STOP);
    ends_by_itself(&agent);
    program.signal(Signal::CONT);
    wait_for("the agent's own word", 10, || {
        agent.ask(&["permit", "ksn"]).unwrap_err().1["why"].as_str()?.contains("stopped").then_some(())
    });
    assert!(agent.reported().contains(&"subscription.expired".to_owned()));
}

#[test]
fn a_damaged_permit_allows_nothing_and_the_next_start_mends_it() {
    let mut world = World::activated();
    let file = world.agent.folder.join("run/permits/ksn");
    let good = std::fs::read_to_string(&file).unwrap();
    let other = good.replace("\"ksn\"", "\"database_updates\"");
    for damage in ["", "{", "null", "full", &good[..good.len() / 2], &other, &"[".repeat(1 << 20)] {
        std::fs::write(&file, damage).unwrap();
        assert_eq!(
            (world.agent.permit("ksn"), world.agent.permit("database-updates")),
            (75, 0),
            "{damage:.20}"
        );
    }
    std::fs::remove_file(&file).unwrap();
    assert_eq!(world.agent.permit("ksn"), 75);
    std::fs::create_dir(&file).unwrap();
    assert_eq!(world.agent.permit("ksn"), 75);
    std::fs::remove_dir(&file).unwrap();
    world.restart();
    assert_eq!(world.agent.permit("ksn"), 0);
}

#[test]
fn a_second_agent_says_so_and_ends() {
    let world = World::activated();
    let output = world.agent.command(&["run"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let state = world.agent.folder.join("state");
    assert!(said.contains(&format!("another svm-agent uses the folder {}", state.display())), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    // The first works on, and its sockets are still its own.
    world.agent.ask(&["refresh"]).unwrap();
    assert_eq!(world.agent.permit("ksn"), 0);
}
