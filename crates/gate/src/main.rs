//! The gate of a unit: systemd runs it as root before each start (`ExecCondition=+`), and what it answers decides.
//!
//! `gate RUNTIME_FOLDER RESOURCE UNIT`: exit code 0 lets the unit start, 75 has systemd skip the start. Everything it needs
//! stands in that command line, which only root can write. It reads no environment, no settings and no library: the unit's
//! own `Environment=` and `EnvironmentFile=`, which the unit's user may be able to write, come to a root process here.
//!
//! Promises: a full permit is decided from its file alone; nothing else waits for longer than [`TIMEOUT`]; SIGTERM ends it
//! with a refusal; anything unusual is a refusal. What it writes is one empty file, through no link. Rust's runtime looks
//! at no variable before `main` and at one (`RUST_BACKTRACE`) in a panic, which would end it with a refusal all the same;
//! the C library looks at the switches of its own memory and processor code (`GLIBC_TUNABLES`) and loads nothing.

#[cfg(not(any(test, target_feature = "crt-static")))]
compile_error!("the gate is linked statically: build it in crates/gate, whose .cargo/config.toml says so");

mod agent;
mod files;
#[path = "../../../src/permits/permit_text.rs"]
#[allow(dead_code, reason = "the agent uses the rest")]
mod permit_text;

use agent::Answer;
use permit_text::{Instant, Now, PermitText, Verdict, is_over, sentence};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The exit code of a refusal: systemd skips the start, and no unit counts it as success by accident.
const REFUSED: u8 = 75;

/// The longest wait for the agent, from the connection to the last byte of its answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The longest wait to write the one line that says what was decided.
const LINE_TIMEOUT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    runtime_dir: PathBuf,
    resource: Resource,
    unit: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    DatabaseUpdates,
    Ksn,
}

impl Resource {
    /// On the command line, of the permit file and in the agent's paths.
    fn file_name(self) -> &'static str {
        match self {
            Self::DatabaseUpdates => "database-updates",
            Self::Ksn => "ksn",
        }
    }

    /// Inside the permit file.
    fn name(self) -> &'static str {
        match self {
            Self::DatabaseUpdates => "database_updates",
            Self::Ksn => "ksn",
        }
    }

    /// What its rate counts.
    fn unit(self) -> &'static str {
        match self {
            Self::DatabaseUpdates => "per day",
            Self::Ksn => "per minute",
        }
    }
}

impl Question {
    fn read(arguments: &[OsString]) -> Option<Self> {
        let [runtime_dir, resource, unit] = arguments else { return None };
        let resource = [Resource::DatabaseUpdates, Resource::Ksn]
            .into_iter()
            .find(|known| resource.as_os_str() == OsStr::new(known.file_name()))?;
        let runtime_dir = PathBuf::from(runtime_dir);
        let unit = unit.to_str().filter(|unit| is_service(unit))?.to_owned();
        runtime_dir.is_absolute().then_some(Self { runtime_dir, resource, unit })
    }

    fn permit_path(&self) -> PathBuf {
        self.runtime_dir.join("permits").join(self.resource.file_name())
    }

    /// The permit as its file has it now.
    fn permit(&self) -> Result<PermitText, String> {
        let path = self.permit_path();
        let missing = || {
            format!(
                "there is no permit file {}, because svm-agent has not run since the machine started; start it: systemctl start svm-agent",
                path.display()
            )
        };
        let unreadable = |problem: &str| format!("cannot read the permit file {}: {problem}", path.display());
        let text = files::small_text(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => missing(),
            _ => unreadable(&error.to_string()),
        })?;
        let permit = PermitText::read(&text).map_err(|error| unreadable(error.0))?;
        match permit.resource == self.resource.name() {
            true => Ok(permit),
            false => Err(unreadable("it is the permit of another resource")),
        }
    }
}

/// A name that systemd has for a service, and that is one file name.
fn is_service(unit: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b":_.\\@-".contains(&b);
    let stem = unit.strip_suffix(".service").unwrap_or_default();
    !stem.is_empty() && unit.len() <= 255 && unit.bytes().all(plain) && !stem.starts_with('-')
}

/// What was decided, and why.
#[derive(Debug, PartialEq, Eq)]
struct Decision {
    allowed: bool,
    why: String,
}

/// What the permit file alone decides.
fn by_file(resource: Resource, permit: &Result<PermitText, String>, now: &Now) -> Decision {
    match permit {
        Err(why) => Decision { allowed: false, why: why.clone() },
        Ok(permit) => {
            let over = is_over(permit.until, permit.until_boot_ms, &permit.boot_id, now);
            let standing = (permit.phase.as_str(), permit.cause.as_deref());
            let unit = resource.unit();
            let until = shown(&permit.until_text);
            let why = sentence(permit.verdict, over, permit.rate, unit, standing, &until);
            let allowed = permit.verdict != Verdict::Stopped && !over;
            let until = if allowed { format!(", until {until}") } else { String::new() };
            Decision { allowed, why: why + &until }
        }
    }
}

/// An instant of a permit file as people read it: `2026-01-02 00:00:00 UTC`.
fn shown(instant: &str) -> String {
    match (instant.get(..10), instant.get(11..19)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => instant.to_owned(),
    }
}

/// Whether the file alone is enough: a permit that is full, in force, and valid without the agent.
fn needs_nobody(permit: &Result<PermitText, String>, decision: &Decision) -> bool {
    let full = permit.as_ref().is_ok_and(|permit| permit.verdict == Verdict::Full && !permit.needs_agent);
    full && decision.allowed
}

/// What file and agent come to together: what either refuses is refused.
fn together(permit: &Result<PermitText, String>, file: Decision, agent: &Result<Answer, String>) -> Decision {
    let refused = |why: String| Decision { allowed: false, why };
    match (agent, permit) {
        _ if !file.allowed => file,
        (Ok(answer), _) if answer.allowed => file,
        (Ok(answer), _) => refused(answer.why.clone()),
        (Err(error), Ok(permit)) if permit.needs_agent => refused(format!(
            "by enforcement.when_agent_is_down permits hold only while svm-agent answers, and it does not: {error}"
        )),
        (Err(error), Ok(permit)) if permit.verdict != Verdict::Full => {
            refused(format!("the permit is limited to a rate, and svm-agent cannot count this run: {error}"))
        }
        // It became full meanwhile.
        (Err(_), _) => file,
    }
}

fn now() -> Now {
    let (wall, boot) = (clock_gettime(ClockId::Realtime), clock_gettime(ClockId::Boottime));
    let milliseconds = boot.tv_sec.saturating_mul(1000).saturating_add(boot.tv_nsec / 1_000_000);
    let boot_id = files::small_text(Path::new("/proc/sys/kernel/random/boot_id")).unwrap_or_default();
    Now {
        wall: Instant { seconds: wall.tv_sec, nanoseconds: u32::try_from(wall.tv_nsec).unwrap_or(0) },
        boot_ms: u64::try_from(milliseconds).unwrap_or(u64::MAX),
        boot_id: boot_id.trim().replace('-', ""),
    }
}

fn decide(question: &Question) -> Decision {
    let permit = question.permit();
    let decision = by_file(question.resource, &permit, &now());
    if needs_nobody(&permit, &decision) {
        return decision;
    }
    // Also if the file refuses: a unit that the agent refuses, it starts again when the permit returns.
    let path = format!("/v1/permits/{}/take", question.resource.file_name());
    let answer = agent::ask(&question.runtime_dir.join("control.sock"), &path, &question.unit, TIMEOUT);
    // Asking takes time, and the permit may have changed meanwhile.
    let permit = question.permit();
    let decision = together(&permit, by_file(question.resource, &permit, &now()), &answer);
    let refused_there = answer.is_ok_and(|answer| !answer.allowed);
    if !decision.allowed && !refused_there {
        // If that fails, the unit starts at its own next time.
        files::note(&question.runtime_dir, &question.unit).ok();
    }
    decision
}

/// SIGTERM ends the gate with a refusal. Ended by the signal itself, it would count as leave: the unit's
/// `SuccessExitStatus=SIGTERM` holds for its condition too.
#[allow(unsafe_code, reason = "a signal handler, which calls nothing but _exit")]
fn refuse_on_sigterm() {
    extern "C" fn refuse(_: libc::c_int) {
        // SAFETY: _exit may be called from a signal handler, and touches no memory of ours.
        unsafe { libc::_exit(libc::c_int::from(REFUSED)) }
    }
    let handler: extern "C" fn(libc::c_int) = refuse;
    // SAFETY: the handler is async-signal-safe, and no other thread exists.
    unsafe { libc::signal(libc::SIGTERM, handler as libc::sighandler_t) };
}

/// One line for the journal of the unit, if that takes one at once.
fn say(line: &str) {
    let out = std::io::stdout();
    let mut ready = [PollFd::new(&out, PollFlags::OUT)];
    if poll(&mut ready, Some(&LINE_TIMEOUT)).is_ok_and(|ready| ready > 0) {
        rustix::io::write(&out, format!("{line}\n").as_bytes()).ok();
    }
}

#[allow(clippy::disallowed_methods, reason = "its command line is all that it takes")]
fn main() -> ExitCode {
    refuse_on_sigterm();
    #[allow(clippy::disallowed_methods, reason = "this program stands alone, and its arguments are root's")]
    let arguments: Vec<OsString> = std::env::args_os().skip(1).take(4).collect();
    let Some(question) = Question::read(&arguments) else {
        say(
            "error: wrong usage, so the unit is not started; usage: gate RUNTIME_FOLDER database-updates|ksn UNIT.service",
        );
        return ExitCode::from(REFUSED);
    };
    let decision = decide(&question);
    let word = if decision.allowed { "allowed" } else { "refused, the unit is not started" };
    let plain: String = decision.why.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    say(&format!("{}: {word}: {plain}", question.resource.file_name()));
    ExitCode::from(if decision.allowed { 0 } else { REFUSED })
}

#[cfg(test)]
mod tests;
