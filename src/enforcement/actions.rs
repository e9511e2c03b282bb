//! Actions: what else is set when a permit changes, by instances of one unit, `svm-agent-action@NAME.service`.
//!
//! Promises: an action is run at each change and looked at now and then; what somebody undid is set again, but never more
//! than so many times an hour: then people are to decide. What the unit's exit code says is in `docs/reference/enforcement.md`.

use crate::config::{Action, action_program};
use crate::gates::protection::{Guard, GuardError};
use crate::systemd::systemctl;
use crate::systemd::systemctl::UnitState;
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;
use svm_core::files::read_unlinked_text;
use svm_core::root_only::only_root_may_change;
use svm_core::subscription::Permit;
use tokio::time::Instant;

/// The exit code of an action that found things otherwise and set them; 0 is that they stood.
const SET: i32 = 10;

/// The longest that one run may take, beyond the unit's own timeout.
const TIMEOUT: Duration = Duration::from_secs(180);

/// Where units of actions write how they ended, each in a folder of its name (`systemd/svm-agent-action@.service`).
const ENDS: &str = "/run/svm-agent-actions";

/// The file there.
const ENDED: &str = "ended";

/// How often, and with which pause, its end is polled.
const ENDED_POLLS: u32 = 50;
const ENDED_PAUSE: Duration = Duration::from_millis(20);

/// How often an action that runs already is waited for and run again.
const ROUNDS: u32 = 3;

/// Lines of an action's journal that a report of its failure quotes.
const LINES: usize = 5;

const HOUR: Duration = Duration::from_secs(3600);

/// What one run of an action found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Stood,
    /// Something else, which it changed.
    Set,
}

/// What to report after a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// All is well, or the problem was reported before.
    Well,
    /// Somebody had changed it, and it was set again: the first time.
    Repaired,
    /// It is changed again and again, and is left alone for a while.
    Contested,
}

/// One action, and how it fared.
#[derive(Debug)]
pub struct Running {
    name: String,
    settings: Action,
    guard: Guard,
    next_check: Instant,
    /// When it was set again, in the last hour.
    repairs: VecDeque<Instant>,
    reported: bool,
    fails: bool,
    /// The permit that it was last run for.
    applied: Option<Permit>,
}

/// How long after a failure the agent checks an action again.
const AGAIN: Duration = Duration::from_secs(60);

impl Running {
    /// An action that was never run.
    pub fn new(name: &str, settings: &Action, guard: Guard, now: Instant) -> Self {
        let settings = settings.clone();
        Self {
            name: name.to_owned(),
            settings,
            guard,
            next_check: now,
            repairs: VecDeque::new(),
            reported: false,
            fails: false,
            applied: None,
        }
    }

    /// Its name in the settings.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When to check it again.
    pub fn next_check(&self) -> Instant {
        self.next_check
    }

    /// Whether it failed at the last check, or is contested.
    pub fn fails(&self) -> bool {
        self.fails
    }

    /// Whether somebody else sets it otherwise, more often than it may be set again.
    pub fn is_contested(&self, now: Instant) -> bool {
        let lately = self.repairs.iter().filter(|at| now.duration_since(**at) < HOUR).count();
        lately >= usize::try_from(self.settings.repairs_per_hour).unwrap_or(usize::MAX)
    }

    /// Runs it because a permit is carried out. One that is contested is left alone, unless the permit is another one.
    ///
    /// # Errors
    /// What went wrong, as a sentence.
    pub async fn apply(&mut self, verdict: Permit) -> Result<(), String> {
        if self.applied == Some(verdict) && self.is_contested(Instant::now()) {
            return Ok(());
        }
        self.applied = Some(verdict);
        let found = run(&self.guard, &self.name).await;
        self.next_check = Instant::now() + self.settings.look_every.unsigned_abs();
        self.fails = found.is_err();
        found.map(drop)
    }

    /// Runs it to see whether what it set still stands.
    ///
    /// # Errors
    /// As above.
    pub async fn check(&mut self) -> Result<CheckOutcome, String> {
        let now = Instant::now();
        self.next_check = now + self.settings.look_every.unsigned_abs();
        if self.is_contested(now) {
            return Ok(CheckOutcome::Well);
        }
        let found = run(&self.guard, &self.name).await;
        self.fails = found.is_err();
        if self.fails {
            self.next_check = self.next_check.min(Instant::now() + AGAIN);
        }
        let outcome = self.after(found?, Instant::now());
        self.fails = outcome == CheckOutcome::Contested;
        Ok(outcome)
    }

    /// The outcome of a check.
    fn after(&mut self, found: Found, now: Instant) -> CheckOutcome {
        self.repairs.retain(|at| now.duration_since(*at) < HOUR);
        if found == Found::Stood {
            self.reported &= !self.repairs.is_empty();
            return CheckOutcome::Well;
        }
        self.repairs.push_back(now);
        if self.is_contested(now) {
            return CheckOutcome::Contested;
        }
        if std::mem::replace(&mut self.reported, true) { CheckOutcome::Well } else { CheckOutcome::Repaired }
    }
}

/// The unit of an action.
fn unit(name: &str) -> String {
    format!("svm-agent-action@{name}.service")
}

async fn run(guard: &Guard, name: &str) -> Result<Found, String> {
    let unit = unit(name);
    // It runs as root: a user who may write it would be root.
    only_root_may_change(&action_program(name)).map_err(|exposed| {
        format!("the action {name} is not run, because not only root may change it: {exposed}")
    })?;
    let mut before = ended(Path::new(ENDS), name);
    for round in 0..ROUNDS {
        before = ended(Path::new(ENDS), name);
        let shown = systemctl::show(std::slice::from_ref(&unit), &[]).await.map_err(|e| e.to_string())?;
        if let Err(error) = guard.run(&unit, TIMEOUT).await {
            return Err(format!("the action {name} fails: {}", complaint(&unit, error).await));
        }
        // One that ran already may have asked for the permit that was: it was waited for, and is run again.
        if !shown.iter().any(UnitState::runs) || round + 1 == ROUNDS {
            break;
        }
    }
    // Written when it ends; a unit that was edited may not write it.
    for _ in 0..ENDED_POLLS {
        match ended(Path::new(ENDS), name) {
            Some(now) if before.as_ref().is_none_or(|before| before.invocation != now.invocation) => {
                return Ok(if now.exit == SET { Found::Set } else { Found::Stood });
            }
            _ => tokio::time::sleep(ENDED_PAUSE).await,
        }
    }
    Ok(Found::Stood)
}

/// What a unit writes down of how it ended is not larger, in bytes.
const MAX_ENDED_BYTES: u64 = 16 * 1024;

/// How a run of an action ended, as its unit writes it down: systemd forgets what nothing else names.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    exit: i32,
    invocation: String,
}

fn ended(folder: &Path, name: &str) -> Option<Ended> {
    let text = read_unlinked_text(&folder.join(name).join(ENDED), MAX_ENDED_BYTES).ok().flatten()?;
    let mut words = text.split_whitespace().skip(1);
    let (exit, invocation) = (words.next()?.parse().ok()?, words.next()?.to_owned());
    Some(Ended { exit, invocation })
}

/// One that failed is not forgotten.
async fn complaint(unit: &str, error: GuardError) -> String {
    if matches!(error, GuardError::Harm { .. }) {
        return error.to_string();
    }
    let shown = systemctl::show(&[unit.to_owned()], &[]).await.unwrap_or_default();
    let Some(state) = shown.into_iter().next() else { return error.to_string() };
    let lines = systemctl::last_lines(&state.invocation, LINES).await.unwrap_or_default();
    match lines.is_empty() {
        true => error.to_string(),
        false => format!("{} (exit code {}): {}", state.result, state.exit_status, lines.join(" | ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use svm_core::subscription::Resource;

    #[test]
    fn an_end_is_read_from_what_the_unit_wrote() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a").join(ENDED), "success 10 4f2a\n").unwrap();
        assert_eq!(ended(folder.path(), "a"), Some(Ended { exit: 10, invocation: "4f2a".into() }));
        std::fs::write(folder.path().join("a").join(ENDED), "success\n").unwrap();
        assert_eq!((ended(folder.path(), "a"), ended(folder.path(), "b")), (None, None));
    }

    #[tokio::test]
    async fn what_is_undone_is_reported_once_and_repaired_so_many_times_an_hour() {
        let settings = Action {
            resource: Resource::Ksn,
            look_every: SignedDuration::from_mins(15),
            repairs_per_hour: 3,
        };
        let start = Instant::now();
        let at = |minutes: u64| start + Duration::from_secs(60 * minutes);
        let mut action = Running::new("a", &settings, Guard::of(&[]), start);
        assert_eq!(action.after(Found::Stood, at(0)), CheckOutcome::Well);
        assert_eq!(action.after(Found::Set, at(15)), CheckOutcome::Repaired);
        assert_eq!(action.after(Found::Set, at(30)), CheckOutcome::Well, "told once");
        assert!(!action.is_contested(at(30)));
        assert_eq!(action.after(Found::Set, at(45)), CheckOutcome::Contested);
        assert!(action.is_contested(at(74)) && !action.is_contested(at(75)), "an hour after the first");
        assert_eq!(action.after(Found::Stood, at(106)), CheckOutcome::Well);
        assert_eq!(action.after(Found::Set, at(120)), CheckOutcome::Repaired, "another fight");
    }
}
