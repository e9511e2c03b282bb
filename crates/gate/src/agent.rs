//! Asks the agent for one run, over its control socket: one request of HTTP, and one answer that is bounded in size and time.

use crate::permit_text::{Value, object};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::time::{ClockId, clock_gettime};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

/// More of an answer is not read.
const MAX_BYTES: usize = 64 * 1024;

/// Between two tries of a socket whose queue is full.
const QUEUE_PAUSE: Duration = Duration::from_millis(20);

/// What the agent says.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether the unit may run.
    pub allowed: bool,
    pub why: String,
}

/// Asks for one run of the resource at `path`, for a unit; one that cannot be counted is an error.
pub fn ask(socket: &Path, path: &str, unit: &str, timeout: Duration) -> Result<Answer, String> {
    let deadline = monotonic().saturating_add(timeout);
    let within = |problem: String| format!("cannot ask svm-agent at {}: {problem}", socket.display());
    // A name of a unit has no character that JSON escapes, but the backslash.
    let body = format!("{{\"unit\":\"{}\"}}", unit.replace('\\', "\\\\"));
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: svm-agent\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    let bytes = exchange(socket, request.as_bytes(), deadline).map_err(within)?;
    read(&bytes).map_err(within)
}

fn exchange(socket: &Path, request: &[u8], deadline: Duration) -> Result<Vec<u8>, String> {
    let connection = connected(socket, deadline)?;
    let mut left = request;
    while !left.is_empty() {
        match rustix::net::send(&connection, left, rustix::net::SendFlags::NOSIGNAL) {
            Ok(sent) => left = left.get(sent..).unwrap_or_default(),
            Err(Errno::AGAIN | Errno::INTR) => wait(Some((&connection, PollFlags::OUT)), deadline)?,
            Err(error) => return Err(error.to_string()),
        }
    }
    let (mut answer, mut piece) = (Vec::new(), [0_u8; 4096]);
    loop {
        match rustix::io::read(&connection, &mut piece) {
            Ok(0) => return Ok(answer),
            Ok(length) => answer.extend_from_slice(piece.get(..length).unwrap_or_default()),
            Err(Errno::AGAIN | Errno::INTR) => wait(Some((&connection, PollFlags::IN)), deadline)?,
            Err(error) => return Err(error.to_string()),
        }
        if answer.len() > MAX_BYTES {
            return Err("its answer is too long".to_owned());
        }
    }
}

fn connected(socket: &Path, deadline: Duration) -> Result<OwnedFd, String> {
    let address = SocketAddrUnix::new(socket).map_err(|error| error.to_string())?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let made = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
    let made = made.map_err(|error| error.to_string())?;
    loop {
        match connect(&made, &address) {
            Ok(()) => return Ok(made),
            // Its queue is full: a local socket is connected at once, or not at all.
            Err(Errno::AGAIN | Errno::INTR) => {
                wait(None, deadline.min(monotonic().saturating_add(QUEUE_PAUSE)))
                    .or_else(|late| if monotonic() < deadline { Ok(()) } else { Err(late) })?;
            }
            Err(Errno::NOENT | Errno::CONNREFUSED) => return Err("it is not running".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Waits until something can be done with a socket, or until the deadline, which is an error.
fn wait(socket: Option<(&OwnedFd, PollFlags)>, deadline: Duration) -> Result<(), String> {
    let left = deadline.saturating_sub(monotonic());
    let timeout = Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(left.subsec_nanos()),
    };
    let mut watched: Vec<PollFd<'_>> =
        socket.into_iter().map(|(socket, flags)| PollFd::new(socket, flags)).collect();
    match poll(&mut watched, Some(&timeout)) {
        Ok(0) => Err("it did not answer in time".to_owned()),
        Ok(_) | Err(Errno::INTR) if monotonic() < deadline => Ok(()),
        Ok(_) | Err(Errno::INTR) => Err("it did not answer in time".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Reads an answer of HTTP/1.1 whose body has a length.
pub fn read(bytes: &[u8]) -> Result<Answer, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "its answer is not text".to_owned())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("its answer is incomplete")?;
    let (status, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = status.split(' ').nth(1).unwrap_or_default();
    let length = headers.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") { value.trim().parse::<usize>().ok() } else { None }
    });
    if length != Some(body.len()) {
        return Err("its answer is incomplete".to_owned());
    }
    if status != "200" {
        return Err(format!("it answered with the status {status}"));
    }
    let members = object(body).map_err(|error| format!("its answer is not valid: {error}"))?;
    let member = |name: &str| members.iter().find(|(found, _)| found == name).map(|(_, value)| value);
    match (member("allowed"), member("why")) {
        (Some(Value::Truth(allowed)), Some(Value::Text(why))) => {
            Ok(Answer { allowed: *allowed, why: why.clone() })
        }
        _ => Err("its answer is not valid".to_owned()),
    }
}
