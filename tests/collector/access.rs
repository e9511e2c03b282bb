//! Who may do what: tokens, names, pages from elsewhere, readers, and how a request must look.

use super::*;
use svm_collector::access::Access;
use svm_collector::routes::{Address, Method, addresses};

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// What comes back for exactly these bytes.
fn raw(collector: &Collector, text: &str) -> String {
    let mut stream = TcpStream::connect(collector.address).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_fresh_token_speaks_for_nobody_who_was_there_before() {
    let dir = tempfile::tempdir().unwrap();
    // From a trial without tokens there are events of an SVM.
    let collector = Collector::trial(dir.path());
    assert_eq!(collector.post(&event("trial", "1", 1)).status, 200);
    drop(collector);
    let made: Vec<_> = (0..4).map(|_| made_token()).collect();
    let file = dir.path().join("tokens");
    let write = |lines: &[String]| std::fs::write(&file, lines.join("\n")).unwrap();
    write(&[made[0].1.clone(), made[1].1.clone(), made[2].1.clone()]);
    let settings = format!("[tokens]\nfile = {file:?}\n");
    let collector = Collector::start(dir.path(), &settings);
    let post = |token: usize, svm: &str, number: u64| {
        code(&collector.post_with(&made[token].0, &event(svm, &format!("{token}-{number}"), number)))
    };
    let good = (200, String::new());
    assert_eq!(post(0, "a", 1), good);
    // Not for an SVM with another token, and not for one that sent without.
    assert_eq!(post(1, "a", 2), refused(403, "source_of_another_token"));
    assert_eq!(post(1, "trial", 2), refused(403, "source_of_another_token"));
    // That bound it to nothing: it is still free for a new one, and only that.
    assert_eq!(post(1, "b", 1), good);
    assert_eq!(post(1, "c", 1), refused(403, "token_of_another_source"));
    assert_eq!(post(0, "a", 2), good);
    assert_eq!(collector.json("/v1/svms/a")["conflicts"]["count"], 0);
    drop(collector);

    // The file may name a source: for a token in place of a lost one, and for what was there before. Then no other
    // token speaks for it, not even the one that did.
    let named = |token: usize, svm: &str| format!("{} source=urn:svm:{svm} of {svm}", made[token].1);
    write(&[made[0].1.clone(), named(1, "trial"), named(2, "a"), named(3, "fresh")]);
    let collector = Collector::start(dir.path(), &settings);
    let post = |token: usize, svm: &str, number: u64| {
        code(&collector.post_with(&made[token].0, &event(svm, &format!("{token}-{number}"), number)))
    };
    assert_eq!(post(2, "a", 3), good);
    assert_eq!(post(0, "a", 4), refused(403, "source_of_another_token"));
    assert_eq!(post(1, "trial", 2), good);
    assert_eq!(post(1, "b", 2), refused(403, "token_of_another_source"), "what the file names counts");
    assert_eq!(post(2, "fresh", 1), refused(403, "token_of_another_source"));
    assert_eq!(post(3, "fresh", 1), good);
    // The message says what to do.
    let answer = collector.post_with(&made[0].0, &event("a", "x", 9));
    assert!(answer.body.contains("source=SOURCE"), "{}", answer.body);
}

#[test]
fn a_line_with_its_source_is_made() {
    let made = Command::new(program("svm-collector"))
        .args(["token", "--source", "urn:svm:0197A0B2-0000-7000-8000-00000000000A"])
        .output()
        .unwrap();
    let made = String::from_utf8(made.stdout).unwrap();
    assert!(made.trim_end().ends_with(" source=urn:svm:0197a0b2-0000-7000-8000-00000000000a"), "{made}");
    let bad = Command::new(program("svm-collector")).args(["token", "--source", "a b"]).output().unwrap();
    assert!(!bad.status.success());
}

/// A path of an address that exists, with an SVM `a`.
fn path(address: &Address) -> String {
    address.path.replace("{id}", "a")
}

/// The paths that only readers may ask for.
fn reading() -> Vec<String> {
    let is_reading = |address: &&Address| !matches!(address.access, Access::Open | Access::Sending);
    addresses().iter().filter(is_reading).map(path).collect()
}

/// The status line's number, without waiting for the end of the answer: a live stream has none.
fn status(collector: &Collector, head: &str) -> u16 {
    let mut stream = TcpStream::connect(collector.address).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    write!(stream, "{head}Connection: close\r\n\r\n").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn the_table_decides_every_path_and_method() {
    let dir = tempfile::tempdir().unwrap();
    let (token, line) = made_token();
    let file = dir.path().join("tokens");
    std::fs::write(&file, &line).unwrap();
    let start = |open_to: &str| {
        let readers = if open_to == "readers" { format!("readers_file = {file:?}\n") } else { String::new() };
        let settings = format!("[tokens]\nfile = {file:?}\n[page]\nopen_to = {open_to:?}\n{readers}");
        Collector::start(dir.path(), &settings)
    };
    let table = addresses();
    let paths: std::collections::BTreeSet<&str> = table.iter().map(|address| address.path).collect();
    for (open_to, refused, forwarded) in
        [("readers", 401, ""), ("loopback", 403, "X-Forwarded-For: 192.0.2.7\r\n")]
    {
        let collector = start(open_to);
        collector.post_with(&token, &event("a", "1", 1));
        for pattern in &paths {
            let lines: Vec<&Address> = table.iter().filter(|address| address.path == *pattern).collect();
            let path = path(lines[0]);
            for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "LOOK"] {
                let of = |line: &&&Address| line.method.allow().split(", ").any(|name| name == method);
                let expected = match lines.iter().find(of).map(|line| line.access) {
                    _ if method == "OPTIONS" => 204,
                    None => 405,
                    Some(Access::Open) => 200,
                    Some(Access::Sending) => 401,
                    Some(Access::Reading | Access::Listing | Access::Following) => refused,
                };
                let head = format!(
                    "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{forwarded}"
                );
                assert_eq!(status(&collector, &head), expected, "{method} {path}, open to {open_to}");
            }
        }
        for nowhere in [
            "/v1",
            "/v1/",
            "//",
            "/v1/svms/",
            "/v1/svms/a/b",
            "/svms",
            "/healthz/",
            "/static/",
            "/static/..",
            "/index.html",
        ] {
            for method in ["GET", "POST", "OPTIONS"] {
                let head = format!("{method} {nowhere} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n");
                assert_eq!(status(&collector, &head), 404, "{method} {nowhere}");
            }
        }
    }
}

#[test]
fn a_name_that_strangers_can_have_is_not_answered_to() {
    let dir = tempfile::tempdir().unwrap();
    let top = "hosts = [\"console.example.com\"]\n";
    let collector = Collector::start_with(dir.path(), top, "", "[tokens]\nrequired = false\n");
    collector.post(&event("a", "1", 1));
    let get = |path: &str, host: &str| {
        let answer =
            raw(&collector, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    let others = ["rebound.example", "rebound.example:8480", "127.0.0.1.nip.io", "localhost.evil.example"];
    for path in &reading() {
        for host in others {
            assert_eq!(get(path, host), "421", "{path} as {host}");
        }
    }
    let counted = format!("svm_collector_requests_refused_total {}\n", reading().len() * others.len());
    let metrics = collector.get("/metrics").body;
    assert!(metrics.contains(&counted), "{counted} is not in {metrics}");
    let own = rustix::system::uname().nodename().to_str().unwrap().to_owned();
    for host in [
        "127.0.0.1:8480",
        "[::1]",
        "10.1.2.3",
        "localhost:1",
        "console.example.com",
        "CONSOLE.example.com.",
        &own,
    ] {
        assert_eq!(get("/v1/svms", host), "200", "{host}");
    }
    // Nothing of the fleet: load balancers may ask by any name.
    assert_eq!(get("/healthz", "rebound.example"), "200");
    // Where tokens are off, sending too; and by the address in the request line as by the header.
    let one = event("a", "2", 2).to_string();
    let post = |target: &str, head: &str| {
        let length = one.len();
        let answer = raw(
            &collector,
            &format!(
                "POST {target} HTTP/1.1\r\n{head}Content-Type: application/cloudevents+json\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n{one}"
            ),
        );
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(post("/v1/events", "Host: rebound.example\r\n"), "421");
    assert_eq!(post("http://rebound.example/v1/events", "Host: localhost\r\n"), "421");
    assert_eq!(collector.ids().len(), 1);
    let answer = raw(&collector, "GET / HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n");
    assert!(answer.contains("add it to hosts"), "{answer}");
}

#[test]
fn a_page_from_elsewhere_may_not_send() {
    let dir = tempfile::tempdir().unwrap();
    let (token, line) = made_token();
    let file = dir.path().join("tokens");
    std::fs::write(&file, line).unwrap();
    let with_tokens = format!("[tokens]\nfile = {file:?}\n");
    for (settings, authorization) in [
        ("[tokens]\nrequired = false\n", String::new()),
        (with_tokens.as_str(), format!("Authorization: Bearer {token}\r\n")),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let collector = Collector::start(dir.path(), settings);
        let post = |origin: &str, id: &str, number: u64| {
            let head = format!(
                "POST /v1/events HTTP/1.1\r\n{authorization}Content-Type: application/cloudevents+json\r\nOrigin: {origin}\r\n"
            );
            code(&collector.ask(&head, event("a", id, number).to_string().as_bytes()).unwrap())
        };
        for origin in [
            "http://evil.example",
            "https://localhost.evil.example",
            "null",
            "http://localhost:3000",
            "file://",
        ] {
            assert_eq!(post(origin, "1", 1), refused(403, "foreign_origin"), "{origin}");
        }
        // Nor does it take places of live readers.
        let live = "GET /v1/live HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\n";
        assert_eq!(code(&collector.ask(live, b"").unwrap()), refused(403, "foreign_origin"));
        let metrics = collector.get("/metrics").body;
        assert!(metrics.contains("svm_collector_requests_unauthorised_total 6\n"), "{metrics}");
        // Its own pages, and the sender of a webhook, who shows the bare name of its system.
        assert_eq!(post("http://localhost", "1", 1).0, 200);
        assert_eq!(post("eventemitter.example.com", "2", 2).0, 200);
    }
}

#[test]
fn http_1_1_has_one_host() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    for (head, expected) in [
        ("GET /healthz HTTP/1.1\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nHost: a, b\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nHost: a/b\r\n", "400"),
        ("GET /healthz HTTP/1.0\r\nHost: a\r\nHost: b\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\n", "200"),
        ("GET /healthz HTTP/1.0\r\n", "200"),
        ("GET /v1/svms HTTP/1.0\r\n", "200"),
    ] {
        let answer = raw(&collector, &format!("{head}Connection: close\r\n\r\n"));
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{head}: {answer}");
    }
}

#[test]
fn what_a_proxy_passes_on_is_not_from_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    collector.post(&event("a", "1", 1));
    for header in [
        "X-Forwarded-For: 192.0.2.7",
        "Forwarded: for=192.0.2.7",
        "Via: 1.1 proxy",
        "X-Real-IP: 192.0.2.7",
        "X-Forwarded-Host: console.example.com",
        "X-Forwarded-Proto: https",
        "x-forwarded-for:",
    ] {
        for path in &reading() {
            let answer = collector.ask(&format!("GET {path} HTTP/1.1\r\n{header}\r\n"), b"").unwrap();
            assert_eq!(code(&answer), refused(403, "forwarded"), "{path} with {header}");
            assert!(answer.body.contains("page.readers_file"), "the way out: {}", answer.body);
        }
        let health = collector.ask(&format!("GET /healthz HTTP/1.1\r\n{header}\r\n"), b"").unwrap();
        assert_eq!(health.status, 200);
    }
    // Senders come through proxies as before.
    let head = "POST /v1/events HTTP/1.1\r\nContent-Type: application/cloudevents+json\r\nX-Forwarded-For: 192.0.2.7\r\n";
    assert_eq!(collector.ask(head, event("a", "2", 2).to_string().as_bytes()).unwrap().status, 200);
}

#[test]
fn a_reading_token_lets_in_and_nothing_else_where_only_readers_may() {
    let dir = tempfile::tempdir().unwrap();
    let (token, line) = made_token();
    let file = dir.path().join("readers");
    std::fs::write(&file, format!("{line} nginx\n")).unwrap();
    let start = |open_to: &str| {
        let settings =
            format!("[tokens]\nrequired = false\n[page]\nopen_to = {open_to:?}\nreaders_file = {file:?}\n");
        let collector = Collector::start(dir.path(), &settings);
        collector.post(&event("a", "1", 1));
        collector
    };
    let collector = start("loopback");
    let get = |collector: &Collector, path: &str, head: &str| {
        // A live stream does not end: the head is enough.
        let mut stream = TcpStream::connect(collector.address).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
    };
    let shown = format!("Authorization: Bearer {token}\r\n");
    for path in &reading() {
        assert_eq!(get(&collector, path, "X-Forwarded-For: 192.0.2.7\r\n"), 403, "{path}");
        assert_eq!(get(&collector, path, &format!("X-Forwarded-For: 192.0.2.7\r\n{shown}")), 200, "{path}");
        assert_eq!(get(&collector, path, ""), 200, "{path}");
    }
    drop(collector);
    let collector = start("readers");
    for path in &reading() {
        assert_eq!(get(&collector, path, ""), 401, "{path}");
        assert_eq!(get(&collector, path, "Authorization: Bearer wrong\r\n"), 401, "{path}");
        assert_eq!(get(&collector, path, &shown), 200, "{path}");
    }
    assert_eq!(get(&collector, "/healthz", ""), 200);
    // A reading token is no sending token, and the other way round: the files are two.
    drop(collector);
    let settings =
        format!("[tokens]\nfile = {file:?}\n[page]\nopen_to = \"readers\"\nreaders_file = {file:?}\n");
    let collector = Collector::start(dir.path(), &settings);
    assert_eq!(get(&collector, "/v1/svms", ""), 401);
}

#[test]
fn each_address_says_what_it_takes_and_a_webhook_is_welcome() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    collector.post(&event("a", "1", 1));
    let options =
        |path: &str, head: &str| collector.ask(&format!("OPTIONS {path} HTTP/1.1\r\n{head}"), b"").unwrap();
    let table = addresses();
    for address in table.iter().filter(|address| address.method == Method::Get) {
        let path = &path(address);
        let answer = options(path, "");
        assert_eq!(answer.status, 204, "{path}");
        let lines = table.iter().filter(|line| line.path == address.path);
        let methods: String = lines.map(|line| format!("{}, ", line.method.allow())).collect();
        assert!(answer.head.contains(&format!("\r\nallow: {methods}OPTIONS\r\n")), "{path}: {}", answer.head);
        assert!(!answer.head.contains("access-control-"), "{}", answer.head);
        // HEAD is GET without the body.
        if address.access != Access::Following {
            let (head, get) =
                (collector.ask(&format!("HEAD {path} HTTP/1.1\r\n"), b"").unwrap(), collector.get(path));
            assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
            let length = format!("\r\ncontent-length: {}\r\n", get.body.len());
            assert!(path == "/metrics" || (head.head + "\r\n").contains(&length), "{path}");
        }
    }
    let handshake = "WebHook-Request-Origin: eventemitter.example.com\r\nWebHook-Request-Rate: 120\r\n";
    let answer = options("/v1/events", handshake);
    assert!(answer.head.contains("\r\nwebhook-allowed-origin: eventemitter.example.com"), "{}", answer.head);
    assert!(answer.head.contains("\r\nwebhook-allowed-rate: *"), "{}", answer.head);
    assert!(!options("/v1/svms", handshake).head.contains("webhook-allowed"));
    assert_eq!(options("/nowhere", "").status, 404);
    for method in ["PUT", "DELETE", "PATCH", "TRACE", "POST"] {
        let answer = collector.ask(&format!("{method} /v1/svms HTTP/1.1\r\n"), b"").unwrap();
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.head.to_lowercase().contains("\r\nallow: "), "{}", answer.head);
    }
}

#[test]
fn a_client_that_sends_no_more_gets_its_answer() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let one = event("a", "1", 1).to_string();
    for (request, expected) in [
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), "200"),
        (
            format!(
                "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\n\
                 Content-Length: {}\r\n\r\n{one}",
                one.len()
            ),
            "200",
        ),
        ("GET /v1/svms HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), "200"),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), "200"),
    ] {
        let mut stream = TcpStream::connect(collector.address).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{request}");
    }
}

#[test]
fn quoted_headers_of_binary_mode_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let head = "POST /v1/events HTTP/1.1\r\nContent-Type: application/json\r\nce-specversion: \"1.0\"\r\nce-id: \"a b\"\r\n\
                ce-source: /generic\r\nce-type: com.example.thing\r\nce-subject: \"say \\\"hi\\\" %E2%82%AC\"\r\n";
    assert_eq!(collector.ask(head, b"{}").unwrap().json()["kept"], json!(["a b"]));
    assert_eq!(collector.json("/v1/events")["events"][0]["event"]["subject"], "say \"hi\" €");
    let bad = head.replace("\"1.0\"", "\"1.0");
    assert_eq!(code(&collector.ask(&bad, b"{}").unwrap()), refused(400, "invalid_event"));
}
