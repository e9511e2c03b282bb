//! Permit files: what a resource may do, why, and until when, for anyone to read without the agent.
//!
//! Promises: a file is whole or absent; a permit has an end of its own by the boot clock, which nobody sets, so that one given
//! before the agent died is over on time all the same. Where the boot is another one, the wall clock is all there is.
//! `docs/reference/enforcement.md` has the form.

use crate::config::WhenDown;
use crate::permits::permit_text;
use crate::permits::permit_text::{Now, PermitText, Verdict};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use svm_core::atomic_file::write_atomically;
use svm_core::clock::{self, Clock};
use svm_core::files::read_unlinked_text;
use svm_core::subscription::{Cause, Permit, Phase, Resource};
use tokio::sync::watch;

/// No permit file is larger, in bytes.
const MAX_BYTES: u64 = 16 * 1024;

/// What a permit file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermitFile {
    pub resource: Resource,
    /// What it may do.
    pub verdict: Permit,
    /// Of a `limited` one: so many runs a day or look-ups a minute.
    pub rate: Option<u64>,
    pub phase: Phase,
    pub cause: Option<Cause>,
    /// The next instant at which it could change.
    pub until: Timestamp,
    /// The same instant in milliseconds since boot: what counts.
    pub until_boot_ms: u64,
    /// Of which boot that counts.
    pub boot_id: String,
    /// When it was written.
    pub written_at: Timestamp,
    /// What it is worth while the agent does not answer.
    #[serde(default)]
    pub when_agent_is_down: WhenDown,
}

/// What a permit file comes to at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether the resource may be used.
    pub allowed: bool,
    pub why: String,
    /// Until when this holds, where it ends.
    pub until: Option<Timestamp>,
    /// Of a limited permit whose runs are all spent, as far as the agent was asked: from when the next is granted.
    #[serde(default)]
    pub spent_until: Option<Timestamp>,
    /// The permit, where there is a readable one.
    pub permit: Option<PermitFile>,
}

impl Decision {
    /// Refuses all the same, for another reason.
    pub fn refuse(&mut self, why: String) {
        (self.allowed, self.why, self.until) = (false, why, None);
    }
}

/// How long a reader of a permit that has reached its own end waits for the next one: the engine wakes at the same
/// instant, and what is limited from now on need not be cut off first.
const FOLLOWS: Duration = Duration::from_millis(300);

/// The permit of a resource as it was last written; of one whose own end has come, the one that follows it, if it does.
pub async fn last_written(
    permits: &mut watch::Receiver<Vec<PermitFile>>,
    resource: Resource,
    clock: &Clock,
) -> Option<PermitFile> {
    let find = |all: &[PermitFile]| all.iter().find(|permit| permit.resource == resource).cloned();
    let permit = find(&permits.borrow_and_update())?;
    if permit.verdict == Permit::Stopped || permit.in_force(clock) != Permit::Stopped {
        return Some(permit);
    }
    let follows = permits.wait_for(|all| find(all).as_ref() != Some(&permit));
    match tokio::time::timeout(FOLLOWS, follows).await {
        Ok(Ok(all)) => find(&all),
        _ => Some(permit),
    }
}

/// The folder of the permit files.
pub fn folder(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("permits")
}

fn boot_ms() -> u64 {
    u64::try_from(clock::boot_time().as_millis()).unwrap_or(u64::MAX)
}

/// The boot clock's time after `left`, in milliseconds. Rounded up: a permit must not end before its instant, not even by
/// a part of a millisecond.
fn end_ms(boot: Duration, left: Duration) -> u64 {
    let end = boot.saturating_add(left).as_nanos().div_ceil(1_000_000);
    u64::try_from(end).unwrap_or(u64::MAX)
}

fn instant(at: Timestamp) -> permit_text::Instant {
    // Below the beginning of 1970 both are negative.
    let (seconds, below) = (at.as_second(), i64::from(at.subsec_nanosecond()));
    let borrowed = i64::from(below < 0);
    let nanoseconds = u32::try_from(below + borrowed * 1_000_000_000).unwrap_or(0);
    permit_text::Instant { seconds: seconds - borrowed, nanoseconds }
}

fn path(folder: &Path, resource: Resource) -> PathBuf {
    folder.join(resource.file_name())
}

impl PermitFile {
    /// The instant `until` by the boot clock, in milliseconds.
    pub fn boot_ms(clock: &Clock, until: Timestamp) -> u64 {
        // In this order: whatever passes between the two readings makes the permit longer, never shorter.
        let left = until.duration_since(clock.now()).max(SignedDuration::ZERO);
        end_ms(clock::boot_time(), clock.world(left.unsigned_abs()))
    }

    /// Writes the file, readable by all.
    ///
    /// # Errors
    /// What the file system says; the old file then stands.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        let text = serde_json::to_vec(self).map_err(std::io::Error::other)?;
        write_atomically(&path(folder, self.resource), &text, 0o644)
    }

    /// Writes the file. One that allows nothing needs no room: where it cannot be written, the old one is taken away, and
    /// a missing permit allows nothing either.
    ///
    /// # Errors
    /// What the file system says; then the old file stands, or none.
    pub fn put(&self, folder: &Path) -> std::io::Result<()> {
        let written = self.write(folder);
        if written.is_err() && self.verdict == Permit::Stopped {
            std::fs::remove_file(path(folder, self.resource)).ok();
        }
        written
    }

    /// Reads the file of a resource.
    ///
    /// # Errors
    /// What the file system says, or a text that is no permit.
    pub fn read(folder: &Path, resource: Resource) -> std::io::Result<Self> {
        // Root asks here too, in a folder of the agent's user: only a regular file is read, and only as many bytes as a permit has.
        let text = read_unlinked_text(&path(folder, resource), MAX_BYTES)?;
        let text = text.ok_or(std::io::ErrorKind::NotFound)?;
        Self::parse(&text, resource)
    }

    pub(crate) fn parse(text: &str, resource: Resource) -> std::io::Result<Self> {
        let bad = |problem: &'static str| std::io::Error::new(std::io::ErrorKind::InvalidData, problem);
        let said = PermitText::read(text).map_err(|unreadable| bad(unreadable.0))?;
        if said.resource != resource.as_str() {
            return Err(bad("it is of another resource"));
        }
        let word = |word: String| serde_json::Value::String(word);
        let instant = |at: permit_text::Instant| {
            let at = Timestamp::new(at.seconds, i32::try_from(at.nanoseconds).unwrap_or(0));
            at.map_err(|_| bad("an instant in it is out of range"))
        };
        let cause = said.cause.map(|cause| serde_json::from_value(word(cause)));
        Ok(Self {
            resource,
            verdict: match said.verdict {
                Verdict::Full => Permit::Full,
                Verdict::Limited => Permit::Limited,
                Verdict::Stopped => Permit::Stopped,
            },
            rate: said.rate,
            phase: serde_json::from_value(word(said.phase)).map_err(|_| bad("its phase is unknown"))?,
            cause: cause.transpose().map_err(|_| bad("its cause is unknown"))?,
            until: instant(said.until)?,
            until_boot_ms: said.until_boot_ms,
            boot_id: said.boot_id,
            written_at: instant(said.written_at)?,
            when_agent_is_down: if said.needs_agent { WhenDown::Stopped } else { WhenDown::Last },
        })
    }

    /// Whether its own end has come.
    fn is_over(&self, now: Timestamp, boot_ms: u64, boot_id: &str) -> bool {
        let now = Now { wall: instant(now), boot_ms, boot_id: boot_id.to_owned() };
        permit_text::is_over(instant(self.until), self.until_boot_ms, &self.boot_id, &now)
    }

    /// What it allows now: nothing, where it is over.
    pub fn in_force(&self, clock: &Clock) -> Permit {
        let over = self.is_over(clock.now(), boot_ms(), clock::boot_id());
        if over { Permit::Stopped } else { self.verdict }
    }

    /// How long it is until its own end, in the world's time.
    pub fn left(&self, clock: &Clock) -> Duration {
        match self.boot_id == clock::boot_id() && !self.boot_id.is_empty() {
            true => Duration::from_millis(self.until_boot_ms.saturating_sub(boot_ms())),
            false => {
                let left = self.until.duration_since(clock.now()).max(SignedDuration::ZERO);
                clock.world(left.unsigned_abs())
            }
        }
    }

    /// What the permit comes to now.
    pub fn decide_now(self, clock: &Clock) -> Decision {
        self.decide(clock.now(), boot_ms(), clock::boot_id())
    }

    /// What the permit comes to.
    fn decide(self, now: Timestamp, boot_ms: u64, boot_id: &str) -> Decision {
        let over = self.is_over(now, boot_ms, boot_id);
        let allowed = self.verdict != Permit::Stopped && !over;
        let verdict = match self.verdict {
            Permit::Full => Verdict::Full,
            Permit::Limited => Verdict::Limited,
            Permit::Stopped => Verdict::Stopped,
        };
        let unit = self.resource.unit().replace('_', " ");
        let status = (self.phase.as_str(), self.cause.map(|cause| cause.as_str()));
        let until = self.until.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        let why = permit_text::sentence(verdict, over, self.rate, &unit, status, &until);
        Decision { allowed, why, until: allowed.then_some(self.until), spent_until: None, permit: Some(self) }
    }
}

/// What the permit of a resource is now; a missing or unreadable file allows nothing.
pub fn decision(folder: &Path, resource: Resource, clock: &Clock) -> Decision {
    match PermitFile::read(folder, resource) {
        Ok(permit) => permit.decide_now(clock),
        Err(error) => {
            let file = path(folder, resource);
            let why = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    format!(
                        "there is no permit {}: svm-agent has not run since the machine started",
                        file.display()
                    )
                }
                _ => format!("the permit {} cannot be read: {error}", file.display()),
            };
            Decision { allowed: false, why, until: None, spent_until: None, permit: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_ends_in_no_part_of_a_millisecond_before_its_instant() {
        let after = |boot, left| end_ms(Duration::from_nanos(boot), Duration::from_nanos(left));
        assert_eq!(after(1_000_000, 2_000_000), 3);
        assert_eq!(after(1_000_000, 2_000_001), 4);
        assert_eq!(after(1_999_999, 2_999_999), 5);
        assert_eq!(end_ms(Duration::MAX, Duration::MAX), u64::MAX);
    }

    #[test]
    fn a_permit_ends_by_the_boot_clock_and_after_another_boot_by_the_wall_clock() {
        let at = |s: &str| s.parse::<Timestamp>().unwrap();
        let permit = PermitFile {
            resource: Resource::Ksn,
            verdict: Permit::Full,
            rate: None,
            phase: Phase::Active,
            cause: None,
            until: at("2026-01-02T00:00:00Z"),
            until_boot_ms: 1000,
            boot_id: "b".into(),
            written_at: at("2026-01-01T00:00:00Z"),
            when_agent_is_down: WhenDown::Last,
        };
        let allowed = |now: &str, boot, id: &str| permit.clone().decide(at(now), boot, id).allowed;
        assert!(allowed("2026-01-01T23:59:59Z", 999, "b"));
        assert!(allowed("2040-01-01T00:00:00Z", 999, "b"), "a wall clock set ahead does no harm");
        assert!(!allowed("2025-01-01T00:00:00Z", 1000, "b"), "a wall clock set back does not help");
        assert!(allowed("2026-01-01T00:00:00Z", 1000, "another boot"));
        assert!(!allowed("2026-01-02T00:00:00Z", 0, "another boot"));
    }

    #[test]
    fn what_is_written_is_read() {
        let at = |s: &str| s.parse::<Timestamp>().unwrap();
        for until in ["1969-12-31T23:59:59.25Z", "2026-01-02T00:00:00Z", "9999-12-30T22:00:00.999999999Z"] {
            assert_eq!(permit_text::Instant::read(until), Some(instant(at(until))), "{until}");
            for (cause, rate, when_agent_is_down) in
                [(None, None, WhenDown::Last), (Some(Cause::Blocked), Some(7), WhenDown::Stopped)]
            {
                let permit = PermitFile {
                    resource: Resource::DatabaseUpdates,
                    verdict: Permit::Limited,
                    rate,
                    phase: Phase::Restricted,
                    cause,
                    until: at(until),
                    until_boot_ms: u64::MAX,
                    boot_id: "b".into(),
                    written_at: at("2026-01-01T00:00:00.5Z"),
                    when_agent_is_down,
                };
                let text = serde_json::to_string(&permit).unwrap();
                assert_eq!(PermitFile::parse(&text, Resource::DatabaseUpdates).unwrap(), permit);
                assert!(PermitFile::parse(&text, Resource::Ksn).is_err());
            }
        }
    }

    #[test]
    fn no_file_and_nonsense_allow_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let now = || decision(folder.path(), Resource::Ksn, &Clock::system());
        assert!(!now().allowed);
        std::fs::write(folder.path().join("ksn"), "{").unwrap();
        assert!(!now().allowed && now().why.contains("cannot be read"));
    }
}
