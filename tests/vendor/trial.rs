//! `serve`: the small web server for trials, asked by a real agent and by those who ask badly.

use super::{
    support::{Agent, Program, free_port, wait_for},
    *,
};
use std::{io::Read, net::TcpStream, os::unix::fs::symlink};

/// Serves `web` of a provider.
pub(super) fn serve(provider: &Provider, port: u16, more: &[&str]) -> Program {
    let listen = format!("127.0.0.1:{port}");
    let mut command = provider.command(&[&["serve", "web", "--listen", &listen], more].concat());
    let program = Program::start(&mut command, &provider.path("serve.log"));
    wait_for("the server", 20, || TcpStream::connect(("127.0.0.1", port)).ok());
    program
}

/// Sends a request as it stands, and answers head and body.
fn raw(port: u16, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "{request}\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

fn status(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

#[test]
fn documents_are_served_with_what_a_web_server_says_of_them() {
    let provider = Provider::new();
    let code = provider.issue("A");
    provider.ok(&["publish", "web"]);
    let port = free_port();
    let mut server = serve(&provider, port, &[]);
    let path = format!("/{}", published_path(&ActivationCode::parse(&code).unwrap().sub()));
    let (head, body) = raw(port, &format!("GET {path} HTTP/1.1"));
    assert_eq!(status(&head), "200", "{head}");
    assert_eq!(body, fs::read_to_string(provider.path("web").join(&path[1..])).unwrap());
    assert_eq!(header(&head, "content-type"), Some("application/jose"));
    assert_eq!(header(&head, "content-length").unwrap(), body.len().to_string());
    assert!(header(&head, "date").is_some_and(|date| date.ends_with("GMT")), "{head}");
    assert!(header(&head, "last-modified").is_some_and(|date| date.ends_with("GMT")), "{head}");
    let etag = header(&head, "etag").unwrap().to_owned();

    let (head, nothing) = raw(port, &format!("HEAD {path} HTTP/1.1"));
    assert_eq!((status(&head), nothing.as_str(), header(&head, "etag")), ("200", "", Some(etag.as_str())));
    assert_eq!(header(&head, "content-length").unwrap(), body.len().to_string());
    let (head, nothing) = raw(port, &format!("GET {path} HTTP/1.1\r\nIf-None-Match: \"x\", {etag}"));
    assert_eq!((status(&head), nothing.as_str(), header(&head, "etag")), ("304", "", Some(etag.as_str())));
    // A revision of the same size is another.
    provider.ok(&["pause", "A"]);
    provider.ok(&["resume", "A"]);
    provider.ok(&["publish", "web"]);
    let (head, _) = raw(port, &format!("GET {path} HTTP/1.1\r\nIf-None-Match: {etag}"));
    assert_eq!(status(&head), "200");

    assert!(server.terminate().success());
    let log = server.logged();
    assert!(
        log.starts_with("svm-vendor: serving web at http://127.0.0.1:") && log.contains("plain HTTP"),
        "{log}"
    );
    // One line a request, and none with what would fetch the document.
    assert_eq!(log.lines().filter(|line| line.contains(" GET /v1/keys/")).count(), 3, "{log}");
    assert!(log.contains("... 304\n") && log.contains("... 200\n"), "{log}");
    assert!(!log.contains(&path) && !log.contains(path.rsplit('/').next().unwrap()), "{log}");
}

#[test]
fn nothing_else_is_served() {
    let provider = Provider::new();
    let code = provider.issue("A");
    provider.ok(&["publish", "web"]);
    let name = published_path(&ActivationCode::parse(&code).unwrap().sub());
    let sub = "0123456789abcdef".repeat(4);
    let keys = provider.path("web/v1/keys");
    fs::write(provider.path("secret"), "secret").unwrap();
    fs::write(keys.join("notes.txt"), "secret").unwrap();
    fs::write(provider.path("web").join(format!("{sub}.jws")), "secret").unwrap();
    fs::create_dir(keys.join(format!("{}.jws", sub.replace('0', "1")))).unwrap();
    symlink(provider.path("secret"), keys.join(format!("{}.jws", sub.replace('0', "2")))).unwrap();
    symlink("../../../secret", keys.join(format!("{}.jws", sub.replace('0', "3")))).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        keys.join(format!("{}.jws", sub.replace('0', "4"))),
        rustix::fs::FileType::Fifo,
        0o644.into(),
        0,
    )
    .unwrap();
    // A link that stays inside is as good as its file.
    let inside = sub.replace('0', "5");
    symlink(name.rsplit('/').next().unwrap(), keys.join(format!("{inside}.jws"))).unwrap();
    let port = free_port();
    let _server = serve(&provider, port, &[]);
    let linked = |digit: &str| format!("/v1/keys/{}.jws", sub.replace('0', digit));
    let bad = [
        "/",
        "/v1",
        "/v1/",
        "/v1/keys",
        "/v1/keys/",
        "/v1/.published",
        "/v1/keys/notes.txt",
        "/v1/keys/x.jws",
        "/v1/keys/..%2f..%2f..%2fsecret",
        "/v1/keys/../../../secret",
        "/../secret",
        "//etc/passwd",
        "/v1/keys/..%2f..%2f",
        "/v1/keys/%00.jws",
    ];
    let more = [
        format!("/{sub}.jws"),
        format!("/v1/keys/{sub}.jws"),
        format!("/v1/keys/..%2f..%2f{sub}.jws"),
        format!("/v1/keys/x/{sub}.jws"),
        format!("/v1/keys/{}.jws", sub.to_uppercase()),
        linked("1"),
        linked("2"),
        linked("3"),
        linked("4"),
    ];
    for path in bad.iter().map(|path| (*path).to_owned()).chain(more) {
        let (head, body) = raw(port, &format!("GET {path} HTTP/1.1"));
        assert!(matches!(status(&head), "404" | "400"), "{path}: {head}");
        assert!(!body.contains("secret") && !body.contains(".jws"), "{path}: {body}");
    }
    assert_eq!(status(&raw(port, &format!("GET /v1/keys/{inside}.jws HTTP/1.1")).0), "200");
    for method in ["POST", "PUT", "DELETE"] {
        let (head, _) = raw(port, &format!("{method} /{name} HTTP/1.1\r\nContent-Length: 0"));
        assert_eq!(status(&head), "405", "{head}");
    }
}

#[test]
fn an_agent_follows_what_is_served() {
    let provider = Provider::new();
    let code = provider.issue("A");
    provider.ok(&["publish", "web"]);
    let port = free_port();
    let server = serve(&provider, port, &["--json"]);
    let first: Value = serde_json::from_str(server.logged().lines().next().unwrap()).unwrap();
    assert_eq!(first["url"], format!("http://127.0.0.1:{port}"));
    fs::create_dir(provider.path("agent")).unwrap();
    let source =
        format!("[source]\nurl = \"http://127.0.0.1:{port}\"\ninterval = \"1s\"\nurgent_interval = \"1s\"\n");
    let agent = Agent::new(&provider.path("agent"), &provider.path("ledger/trust.d"), &source);
    let _agent = agent.start_ready();
    agent.ask(&["activate", &code]).unwrap();
    assert_eq!(agent.status()["phase"], "active");
    provider.ok(&["pause", "A"]);
    provider.ok(&["publish", "web"]);
    wait_for("the pause", 60, || (agent.status()["phase"] != "active").then_some(()));
    wait_for("a look that brings nothing new", 60, || server.logged().contains("... 304\n").then_some(()));
}

#[test]
fn other_machines_are_served_only_where_that_is_said() {
    let provider = Provider::new();
    let (error, message) = provider.refused(&["serve", "web", "--listen=0.0.0.0:0"], 2);
    assert!(error == "usage" && message.contains("--public") && message.contains("trials"), "{message}");
    let (error, message) = provider.refused(&["serve", "web"], 1);
    assert!(error == "io" && message.contains("web"), "{message}");
    fs::create_dir(provider.path("web")).unwrap();
    let mut command = provider.command(&["serve", "web", "--listen=0.0.0.0:0", "--public"]);
    let mut program = Program::start(&mut command, &provider.path("serve.log"));
    wait_for("the server", 20, || program.logged().contains("nothing is published there yet").then_some(()));
    program.signal(rustix::process::Signal::INT);
    let ended = wait_for("the end", 20, || program.child.try_wait().unwrap());
    assert!(ended.success());
    // A place that is taken is named.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let (error, message) = provider.refused(&["serve", "web", "--listen", &at], 1);
    assert!(error == "io" && message.contains(&at), "{message}");
}
