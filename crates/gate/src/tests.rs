#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

use super::*;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

fn permit(verdict: &str, until_boot_ms: u64, when_down: &str) -> Result<PermitText, String> {
    let text = format!(
        "{{\"resource\":\"ksn\",\"verdict\":\"{verdict}\",\"rate\":2,\"phase\":\"grace\",\"cause\":null,\
         \"until\":\"2026-01-02T00:00:00Z\",\"until_boot_ms\":{until_boot_ms},\"boot_id\":\"b\",\
         \"written_at\":\"2026-01-01T00:00:00Z\",\"when_agent_is_down\":\"{when_down}\"}}"
    );
    Ok(PermitText::read(&text).unwrap())
}

fn at(boot_ms: u64) -> Now {
    Now { wall: Instant { seconds: 0, nanoseconds: 0 }, boot_ms, boot_id: "b".to_owned() }
}

#[test]
fn the_command_line_is_read_whole() {
    let read = |words: &[&str]| Question::read(&words.iter().map(OsString::from).collect::<Vec<_>>());
    let good = read(&["/run/svm-agent", "database-updates", "a\\x2db@1.service"]).unwrap();
    assert_eq!(good.permit_path(), Path::new("/run/svm-agent/permits/database-updates"));
    for bad in [
        &["/run/svm-agent", "ksn"][..],
        &["/run/svm-agent", "ksn", "a.service", "more"],
        &["run", "ksn", "a.service"],
        &["/run/svm-agent", "updates", "a.service"],
        &["/run/svm-agent", "ksn", "a"],
        &["/run/svm-agent", "ksn", "../a.service"],
        &["/run/svm-agent", "ksn", "a b.service"],
        &["/run/svm-agent", "ksn", "-a.service"],
        &["/run/svm-agent", "ksn", "a\"b.service"],
    ] {
        assert_eq!(read(bad), None, "{bad:?}");
    }
}

#[test]
fn only_a_full_permit_in_force_needs_nobody() {
    let alone = |permit: Result<PermitText, String>, boot_ms| {
        let decision = by_file(Resource::Ksn, &permit, &at(boot_ms));
        needs_nobody(&permit, &decision)
    };
    assert!(alone(permit("full", 1000, "last"), 999));
    assert!(!alone(permit("full", 1000, "last"), 1000), "over");
    assert!(!alone(permit("full", 1000, "stopped"), 999));
    assert!(!alone(permit("limited", 1000, "last"), 999));
    assert!(!alone(permit("stopped", 1000, "last"), 999));
    assert!(!alone(Err("none".to_owned()), 0));
}

#[test]
fn what_either_refuses_is_refused() {
    let yes = || Ok(Answer { allowed: true, why: "full".to_owned() });
    let no = || Ok(Answer { allowed: false, why: "spent".to_owned() });
    let away = || Err("it is not running".to_owned());
    for (permit, answer, allowed, words) in [
        (permit("limited", 1000, "last"), yes(), true, "limited to 2 per minute"),
        (permit("limited", 1000, "last"), no(), false, "spent"),
        (permit("limited", 1000, "last"), away(), false, "svm-agent cannot count this run"),
        (permit("limited", 0, "last"), yes(), false, "was not extended"),
        (permit("full", 1000, "stopped"), yes(), true, "until 2026-01-02 00:00:00 UTC"),
        (permit("full", 1000, "stopped"), away(), false, "when_agent_is_down"),
        (permit("full", 1000, "last"), away(), true, "full"),
        (permit("stopped", 1000, "last"), yes(), false, "stopped: the subscription is in its grace period"),
        (Err("there is no permit".to_owned()), yes(), false, "there is no permit"),
    ] {
        let file = by_file(Resource::Ksn, &permit, &at(10));
        let decision = together(&permit, file, &answer);
        assert_eq!(decision.allowed, allowed, "{permit:?} {answer:?}");
        assert!(decision.why.contains(words), "{words}: {}", decision.why);
    }
}

#[test]
fn an_answer_is_whole_or_none() {
    let answer = |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let good = answer("{\"allowed\":true,\"why\":\"w\",\"until\":null,\"permit\":{\"x\":[1]}}\n");
    assert_eq!(agent::read(good.as_bytes()), Ok(Answer { allowed: true, why: "w".to_owned() }));
    for end in 0..good.len() {
        assert!(agent::read(&good.as_bytes()[..end]).is_err(), "{end}");
    }
    for bad in [
        good.replace("200", "500"),
        good.replace("content-length", "x"),
        good.clone() + "x",
        answer("{\"allowed\":1,\"why\":\"w\"}"),
        answer("{\"allowed\":true}"),
        answer("true"),
    ] {
        assert!(agent::read(bad.as_bytes()).is_err(), "{bad}");
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("svm-gate-{}-{name}", std::process::id()));
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir(&folder).unwrap();
    folder
}

#[test]
fn the_agent_is_asked_within_bounds() {
    let folder = folder("ask");
    let socket = folder.join("control.sock");
    let ask = |timeout| {
        agent::ask(&socket, "/v1/permits/ksn/take", "a\\x2d.service", Duration::from_millis(timeout))
    };
    assert!(ask(100).unwrap_err().contains("it is not running"));
    let listener = UnixListener::bind(&socket).unwrap();
    // Nobody takes the connection; then its queue is full as well.
    let began = clock_gettime(ClockId::Monotonic).tv_sec;
    assert!(ask(100).unwrap_err().contains("did not answer in time"));
    let flags = rustix::net::SocketFlags::NONBLOCK;
    let address = rustix::net::SocketAddrUnix::new(&socket).unwrap();
    let full: Vec<_> = (0..5000)
        .map_while(|_| {
            let family = rustix::net::AddressFamily::UNIX;
            let made =
                rustix::net::socket_with(family, rustix::net::SocketType::STREAM, flags, None).unwrap();
            rustix::net::connect(&made, &address).ok().map(|()| made)
        })
        .collect();
    assert!(ask(100).unwrap_err().contains("did not answer in time"), "{}", full.len());
    assert!(clock_gettime(ClockId::Monotonic).tv_sec - began < 3);
    drop(full);
    std::fs::remove_file(&socket).unwrap();
    drop(listener);
    let listener = UnixListener::bind(&socket).unwrap();
    let serve = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = vec![0; 4096];
        let length = connection.read(&mut request).unwrap();
        let body = "{\"allowed\":false,\"why\":\"spent\"}";
        write!(connection, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        String::from_utf8(request[..length].to_vec()).unwrap()
    });
    assert_eq!(ask(3000), Ok(Answer { allowed: false, why: "spent".to_owned() }));
    let request = serve.join().unwrap();
    assert!(request.starts_with("POST /v1/permits/ksn/take HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"unit\":\"a\\\\x2d.service\"}"), "{request}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn no_link_is_followed_and_nothing_is_waited_for() {
    let folder = folder("files");
    let at = |name: &str| folder.join(name);
    std::fs::write(at("whole"), "text").unwrap();
    assert_eq!(files::small_text(&at("whole")).unwrap(), "text");
    std::os::unix::fs::symlink(at("whole"), at("link")).unwrap();
    std::fs::write(at("large"), "x".repeat(20_000)).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    for bad in ["link", "large", "pipe", "none", "."] {
        assert!(files::small_text(&at(bad)).is_err(), "{bad}");
    }
    std::fs::create_dir(at("run")).unwrap();
    assert!(files::note(&at("run"), "a.service").is_err() && !at("run/owed").exists(), "it makes no folder");
    std::os::unix::fs::symlink(&folder, at("run/owed")).unwrap();
    assert!(files::note(&at("run"), "a.service").is_err() && !at("a.service").exists());
    std::fs::remove_file(at("run/owed")).unwrap();
    std::fs::create_dir(at("run/owed")).unwrap();
    files::note(&at("run"), "a.service").unwrap();
    files::note(&at("run"), "a.service").unwrap();
    assert!(at("run/owed/a.service").exists());
    std::fs::remove_dir_all(folder).unwrap();
}
