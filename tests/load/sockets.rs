//! The agent's two sockets under attack, and spoken to in ways that HTTP allows.

use crate::support::{Agent, Vendor, at, wait_for};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::{Resource, Rlimit, Signal, Uid};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use svm_agent::control::SocketKind;

const FAR: &str = "2040-01-01T00:00:00Z";
const NOBODY: u32 = 65534;
const ANOTHER: u32 = 65533;

struct World {
    folder: tempfile::TempDir,
    vendor: Vendor,
    agent: Agent,
}

impl World {
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Other users come as far as the sockets.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let vendor = Vendor::new(folder.path(), at(FAR), 30);
        let agent = Agent::new(folder.path(), &vendor.trust(), &(vendor.source() + more));
        Self { folder, vendor, agent }
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.folder.path().join("run").join(name)
    }
}

/// One request to a socket, as it is written, and all that comes back.
fn say(socket: &Path, request: &str, shut: bool) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(request.as_bytes())?;
    if shut {
        stream.shutdown(Shutdown::Write)?;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn get(socket: &Path, target: &str) -> (u16, String) {
    let answer =
        say(socket, &format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), false);
    split(&answer.unwrap())
}

fn split(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A connection that does not wait for anything.
fn connect_at_once(path: &Path) -> Option<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path).ok()?).ok()?;
    Some(socket)
}

/// A thread that goes on as another user: what the kernel says of who connects is said of the thread.
fn as_user<T: Send + 'static>(
    user: u32,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    std::thread::spawn(move || {
        let user = Uid::from_raw(user);
        rustix::thread::set_thread_res_uid(user, user, user).unwrap();
        work()
    })
}

/// Keeps so many half requests open, and makes new ones for those that are closed, as fast as it can.
fn half_requests(path: &Path, count: usize, goes_on: &AtomicBool, made: &AtomicU64) {
    let mut open: Vec<OwnedFd> = Vec::new();
    while goes_on.load(Ordering::Relaxed) {
        if open.len() >= count {
            open.drain(..count / 2);
        }
        match connect_at_once(path) {
            Some(socket) => {
                rustix::net::send(
                    &socket,
                    b"GET /v1/status HTTP/1.1\r\nHost: a\r\nX: ",
                    rustix::net::SendFlags::NOSIGNAL,
                )
                .ok();
                open.push(socket);
                made.fetch_add(1, Ordering::Relaxed);
            }
            // The queue is full, or there are no more descriptors.
            None => std::thread::sleep(Duration::from_micros(200)),
        }
    }
}

fn files(most: u64) -> bool {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let maximum = limit.maximum;
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum }).is_ok()
}

#[test]
fn a_user_with_thousands_of_half_requests_shuts_nobody_out() {
    let _alone = crate::ALONE.lock();
    if !rustix::process::geteuid().is_root() || !files(16_384) {
        println!("not run: only root can be several users");
        return;
    }
    let world = World::new("[enforcement]\nwhen_agent_is_down = \"stopped\"\n");
    let _program = world.agent.start_ready();
    world.agent.ask(&["activate", &world.vendor.code]).unwrap();
    let query = world.socket("query.sock");
    let (goes_on, made) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let attack: Vec<_> = (0..2)
        .map(|_| {
            let (query, goes_on, made) = (query.clone(), goes_on.clone(), made.clone());
            as_user(NOBODY, move || half_requests(&query, 3000, &goes_on, &made))
        })
        .collect();
    wait_for("6,000 half requests", 60, || (made.load(Ordering::Relaxed) > 6000).then_some(()));
    let mut longest = Duration::ZERO;
    let mut timed = |what: &str, work: &dyn Fn() -> bool| {
        let began = Instant::now();
        assert!(work(), "{what}");
        longest = longest.max(began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(5), "{what}: {:?}", began.elapsed());
    };
    for _ in 0..5 {
        timed("root at the socket for everyone", &|| get(&query, "/v1/status").0 == 200);
        timed("status", &|| world.agent.ask(&["status"]).is_ok());
        timed("permit", &|| world.agent.permit("ksn") == 0 && world.agent.permit("database-updates") == 0);
        timed("check", &|| world.agent.command(&["check"]).output().unwrap().status.code() != Some(3));
        timed("another user", &|| {
            let query = query.clone();
            as_user(ANOTHER, move || get(&query, "/v1/permits/ksn").0 == 200).join().unwrap()
        });
    }
    let (path, reported) = (query.clone(), made.load(Ordering::Relaxed));
    // The attacker hears why; where the flood of its own threads lets it.
    goes_on.store(false, Ordering::Relaxed);
    attack.into_iter().for_each(|thread| thread.join().unwrap());
    println!("{reported} half requests; the longest wait for an answer: {longest:?}");
    let refused = as_user(NOBODY, move || {
        let open: Vec<_> = std::iter::from_fn(|| UnixStream::connect(&path).ok()).take(200).collect();
        let answers = open.into_iter().filter_map(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_millis(100))).ok()?;
            let mut answer = [0; 1024];
            let read = stream.read(&mut answer).ok()?;
            Some(String::from_utf8_lossy(&answer[..read]).into_owned())
        });
        answers.collect::<Vec<_>>()
    });
    let refused = refused.join().unwrap();
    assert!(refused.len() >= 150, "{}", refused.len());
    assert!(refused.iter().all(|answer| answer.starts_with("HTTP/1.1 503 ") && answer.contains("\"busy\"")));
}

#[test]
fn no_command_waits_without_an_end_and_sigterm_ends_it() {
    let _alone = crate::ALONE.lock();
    let world = World::new("[enforcement]\nwhen_agent_is_down = \"stopped\"\n");
    let mut program = world.agent.start_ready();
    world.agent.ask(&["activate", &world.vendor.code]).unwrap();
    assert_eq!(world.agent.permit("ksn"), 0);
    program.signal(Signal::STOP);
    let full: Vec<_> = ["query.sock", "control.sock"]
        .into_iter()
        .flat_map(|name| {
            let path = world.socket(name);
            std::iter::from_fn(move || connect_at_once(&path)).take(8000)
        })
        .collect();
    assert!(
        full.len() > 100 && connect_at_once(&world.socket("query.sock")).is_none(),
        "the queues are full"
    );
    let began = Instant::now();
    assert_eq!(world.agent.permit("ksn"), 75, "refused, for nobody answers");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    for arguments in
        [["permit", "ksn", "--json"], ["permit", "ksn", "--take"], ["status", "--explain", "--json"]]
    {
        let mut waiting = world.agent.command(&arguments).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(700));
        assert!(waiting.try_wait().unwrap().is_none(), "{arguments:?} waits");
        let began = Instant::now();
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(waiting.id().cast_signed()).unwrap(),
            Signal::TERM,
        )
        .unwrap();
        let ended = waiting.wait().unwrap();
        assert!(began.elapsed() < Duration::from_secs(1), "{arguments:?}: {:?}", began.elapsed());
        // A gate's unit takes an end by SIGTERM for success: what asks for a permit refuses.
        assert!(arguments[0] != "permit" || ended.code() == Some(75), "{arguments:?}: {ended}");
    }
    let began = Instant::now();
    let ended = world.agent.command(&["check", "--timeout", "2"]).stdout(Stdio::null()).status().unwrap();
    assert_eq!(ended.code(), Some(3));
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    // A second agent sees that there is one, and does not wait for it either.
    let began = Instant::now();
    let second = world.agent.command(&["run"]).stderr(Stdio::null()).status().unwrap();
    assert!(second.code() == Some(1) && began.elapsed() < Duration::from_secs(6));
    drop(full);
    program.signal(Signal::CONT);
    wait_for("it goes on", 20, || world.agent.ask(&["status"]).ok());
    program.kill();
}

#[test]
fn whoever_has_said_all_and_shut_his_side_is_answered() {
    let world = World::new("");
    let _program = world.agent.start_ready();
    let (query, control) = (world.socket("query.sock"), world.socket("control.sock"));
    for socket in [&query, &control] {
        let answer = say(socket, "GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n", true).unwrap();
        let (status, body) = split(&answer);
        assert_eq!((status, body.contains("\"phase\"")), (200, true), "{answer}");
        // As `printf 'GET …' | ncat -U` with HTTP/1.0.
        assert_eq!(split(&say(socket, "GET /metrics HTTP/1.0\r\n\r\n", true).unwrap()).0, 200);
    }
    let body = "{\"count\": 42}";
    let put = format!("PUT /v1/devices HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let (status, body) = split(&say(&control, &put, true).unwrap());
    assert_eq!((status, body.contains("\"at\"")), (200, true), "{body}");
    assert_eq!(world.agent.status()["devices"]["count"], 42);
}

#[test]
fn queries_are_decoded_and_methods_answered_by_one_table() {
    let world = World::new("");
    let _program = world.agent.start_ready();
    let (query, control) = (world.socket("query.sock"), world.socket("control.sock"));
    world.agent.ask(&["activate", &world.vendor.code]).unwrap();
    for target in [
        "/v1/forecast?until=2027-01-01T00%3A00%3A00Z",
        "/v1/forecast?until=2027-01-01T03:00:00%2B03:00",
        "/v1/forecast?%75ntil=2027-01-01T00:00:00Z&",
        "/v1/forecast?",
    ] {
        let (status, body) = get(&query, target);
        assert_eq!((status, body.starts_with('[')), (200, true), "{target}: {body}");
    }
    for (target, code) in [
        ("/v1/forecast?until=2027-01-01T00:00:00+03:00", "bad_instant"),
        ("/v1/forecast?until=soon", "bad_instant"),
        ("/v1/forecast?until=2027-01-01T00:00:00Z&until=2027-01-01T00:00:00Z", "bad_request"),
        ("/v1/forecast?since=2027-01-01T00:00:00Z", "bad_request"),
    ] {
        let (status, body) = get(&query, target);
        assert!(status == 400 && body.contains(code), "{target}: {body}");
    }
    let (status, body) = get(&control, "/v1/events?limit=%31&severity=1&w%61iting=false");
    let listed: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, listed["events"].as_array().unwrap().len()), (200, 1), "{body}");
    for target in ["/v1/status", "/metrics", "/v1/permits/ksn"] {
        let head = say(&query, &format!("HEAD {target} HTTP/1.1\r\nHost: a\r\n\r\n"), false).unwrap();
        let (status, body) = split(&head);
        assert_eq!((status, body.as_str()), (200, ""), "{head}");
        assert!(
            head.to_lowercase().contains("content-length: ") && !head.contains("length: 0\r\n"),
            "{head}"
        );
    }
    let refused =
        say(&query, "POST /v1/status HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", false).unwrap();
    assert!(
        refused.starts_with("HTTP/1.1 405 ") && refused.to_lowercase().contains("allow: get, head"),
        "{refused}"
    );
    assert_eq!(get(&query, "/v1/events").0, 403);
    assert_eq!(get(&query, "/v1/nothing").0, 404);
}

#[test]
fn the_query_socket_refuses_every_request_that_is_not_listed_for_it() {
    let world = World::new("");
    let _program = world.agent.start_ready();
    let query = world.socket("query.sock");
    for (method, path, access) in svm_agent::control::listed() {
        let path = path.replace('*', "ksn");
        let request = format!("{method} /{path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        let (status, body) = split(&say(&query, &request, false).unwrap());
        let refused = (status, body.contains("\"control_socket\"")) == (403, true);
        assert_eq!(refused, access == SocketKind::Control, "{method} {path}: {status} {body}");
        assert!(refused || status == 200, "{method} {path}: {status} {body}");
        for unlisted in [format!("/{path}/x"), format!("/x/{path}")] {
            // These two are the paths of an event and of a key.
            if !["/v1/events/x", "/v1/keys/x"].contains(&unlisted.as_str()) {
                assert_eq!(get(&query, &unlisted).0, 404, "{unlisted}");
            }
        }
    }
}

#[test]
fn reading_a_permit_leaves_no_trace_and_taking_one_does() {
    let world = World::new("[enforcement]\nwhen_agent_is_down = \"stopped\"\n");
    let _program = world.agent.start_ready();
    world.agent.ask(&["activate", &world.vendor.code]).unwrap();
    let asked = || {
        let permits = world.agent.status()["permits"].clone();
        permits.as_array().unwrap().iter().map(|permit| permit["asked"].clone()).collect::<Vec<_>>()
    };
    for name in ["query.sock", "control.sock"] {
        for resource in ["ksn", "database-updates"] {
            assert_eq!(get(&world.socket(name), &format!("/v1/permits/{resource}")).0, 200);
        }
    }
    assert_eq!(world.agent.permit("ksn"), 0);
    assert_eq!(asked(), [Value::Null, Value::Null], "a question changes nothing");
    let take = world.agent.command(&["permit", "ksn", "--take"]).output().unwrap();
    assert!(take.status.success());
    assert!(asked().iter().any(|by| by["allowed"] == true), "{:?}", asked());
}

/// Starts an agent with a socket from systemd, as the first and only one.
fn with_socket(agent: &Agent, listener: UnixListener) -> Child {
    let run = agent.command(&["run"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\""]);
    shell.arg(run.get_program()).args(run.get_args());
    shell.stdin(OwnedFd::from(listener)).stdout(Stdio::null()).stderr(Stdio::null());
    shell.spawn().unwrap()
}

#[test]
fn with_wrong_settings_whoever_asks_is_told_and_cannot_have_it_started_without_end() {
    let world = World::new("[log]\nlevle = \"info\"\n");
    std::fs::create_dir(world.folder.path().join("run")).unwrap();
    let query = world.socket("query.sock");
    let listener = UnixListener::bind(&query).unwrap();
    let began = Instant::now();
    let mut program = with_socket(&world.agent, listener.try_clone().unwrap());
    assert_eq!(program.wait().unwrap().code(), Some(78));
    assert!(began.elapsed() < Duration::from_secs(3), "nobody asked: {:?}", began.elapsed());
    let socket = query.clone();
    let waits = std::thread::spawn(move || get(&socket, "/v1/status"));
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    let mut program = with_socket(&world.agent, listener);
    let (status, body) = waits.join().unwrap();
    assert!(status == 503 && body.contains("bad_settings"), "{body}");
    let (status, _) = get(&query, "/v1/status");
    assert_eq!(status, 503, "those that come later are told as well");
    assert_eq!(program.wait().unwrap().code(), Some(78));
    assert!((4..9).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}
