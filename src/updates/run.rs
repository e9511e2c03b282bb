//! One run of the update unit: whether it may begin, and how it ends.
//!
//! Promises: what is watched is one run, by its invocation, also over a restart of the agent; one that lasts too long
//! is stopped, then killed, and given up at last; what a unit says is bounded. Its permit is its own gate's to spend.
//! Must not know: schedules.

use crate::gates::drop_ins::PROGRAM;
use crate::gates::protection::{Guard, GuardError};
use crate::log::log_event;
use crate::permits::permit_file::PermitFile;
use crate::systemd::systemctl;
use crate::systemd::systemctl::{RunEnd, SystemctlError, UnitState};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use svm_core::clock::{self, Clock};
use svm_core::subscription::Resource;
use tokio::sync::watch;
use tokio::time::Instant;

/// Lines of a journal that a report quotes.
const LINES: usize = 10;

/// A process ends before what it said is in the journal.
const JOURNAL_BEHIND: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(2)];

/// Looks at a unit begin after this, and lie twice as far apart each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// But no further.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// A unit that systemd was asked to start begins within this, or has a job that waits.
const BEGINS_WITHIN: Duration = Duration::from_secs(2);

/// A process that was killed so often and is still there hangs in the kernel.
const KILLS: u32 = 5;

/// A run that goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Underway {
    pub unit: String,
    /// The run of it before; what is found under this is not ours.
    pub before: String,
    /// Which run; empty until systemd has begun it.
    pub invocation: String,
    pub started_at: Timestamp,
    pub boot: String,
}

/// Why a run failed, or did not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A short name, such as `exit_code`.
    pub code: &'static str,
    pub message: String,
    /// The last lines of its journal.
    pub lines: Vec<String>,
}

impl Failure {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), lines: Vec::new() }
    }
}

impl From<SystemctlError> for Failure {
    fn from(error: SystemctlError) -> Self {
        let code = match error {
            SystemctlError::Failed { .. } => "refused_by_systemd",
            SystemctlError::NotRun { .. } | SystemctlError::TimedOut { .. } => "no_systemd",
        };
        Self::new(code, error.to_string())
    }
}

impl From<GuardError> for Failure {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::Systemd(error) => error.into(),
            harm @ GuardError::Harm { .. } => Self::new("stops_protection", harm.to_string()),
        }
    }
}

/// Why nothing was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoStart {
    /// It runs, started by anyone.
    Runs,
    Failed(Failure),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The databases are new.
    Succeeded,
    /// Its gate refused it.
    Refused,
    /// It was stopped with its permit.
    WithPermit,
    Failed(Failure),
}

/// How long a run may take.
#[derive(Clone, Copy, Debug)]
pub struct RunTimeouts {
    /// Until it is stopped.
    pub run: SignedDuration,
    /// From there until it is killed.
    pub stop: SignedDuration,
}

/// Whether database updates may run now, by the permit as it was last written, and why.
pub fn permitted(permits: &watch::Receiver<Vec<PermitFile>>, clock: &Clock) -> (bool, String) {
    let permit = permits.borrow().iter().find(|permit| permit.resource == Resource::DatabaseUpdates).cloned();
    match permit {
        None => (false, "there is no permit yet".to_owned()),
        Some(permit) => {
            let decision = permit.decide_now(clock);
            (decision.allowed, decision.why)
        }
    }
}

/// Checks whether a unit can be started; returns which run it had before.
///
/// # Errors
/// It runs, is not there, or has no gate.
pub async fn may_begin(unit: &str) -> Result<String, NoStart> {
    let state = inspect(unit).await.map_err(|error| NoStart::Failed(error.into()))?;
    if state.runs() && state.properties.get("SubState").is_none_or(|sub| sub != "exited") {
        return Err(NoStart::Runs);
    }
    let failed = |code, message: String| Err(NoStart::Failed(Failure::new(code, message)));
    match state.load.as_str() {
        "loaded" => {}
        "not-found" => return failed("not_found", "the unit does not exist".to_owned()),
        "masked" => return failed("masked", format!("the unit is masked; run: systemctl unmask {unit}")),
        other => {
            return failed(
                "bad_unit",
                format!("systemd cannot load the unit ({other}); see systemctl status {unit}"),
            );
        }
    }
    let gated = state.properties.get("ExecCondition").is_some_and(|conditions| gated(conditions));
    if !gated {
        let message = format!(
            "the unit does not ask for its permit, so it is not started; run: svm-agent gate install {unit}"
        );
        return failed("not_gated", message);
    }
    Ok(state.invocation)
}

/// Whether one of the conditions asks for the permit of database updates: by the gate program, or by this agent's own
/// command, as units have it that people wrote.
fn gated(conditions: &str) -> bool {
    let asks = |condition: &str| {
        let words: Vec<&str> = condition.split_whitespace().collect();
        let by_agent =
            words.windows(2).any(|pair| matches!(pair, [agent, "permit"] if agent.ends_with("svm-agent")));
        (by_agent || by_gate(condition)) && words.contains(&Resource::DatabaseUpdates.file_name())
    };
    conditions.lines().any(asks)
}

fn by_gate(condition: &str) -> bool {
    condition.contains(&format!("argv[]={PROGRAM} "))
}

async fn inspect(unit: &str) -> Result<UnitState, SystemctlError> {
    let more = [
        "SubState",
        "ExecMainCode",
        "ExecCondition",
        "ConditionResult",
        "Job",
        "ExecMainStartTimestampMonotonic",
        "InactiveExitTimestampMonotonic",
    ];
    let states = systemctl::show(&[unit.to_owned()], &more).await?;
    Ok(states.into_iter().next().unwrap_or_default())
}

/// Starts a unit, and waits until systemd has begun it; answers which run it is.
///
/// # Errors
/// How it ended without having begun.
pub async fn begin(guard: &Guard, unit: &str, before: &str, now: Timestamp) -> Result<String, Outcome> {
    let failed = |failure: Failure| Outcome::Failed(failure);
    guard.start(unit, Vec::new()).await.map_err(|error| failed(error.into()))?;
    let (asked, mut pace) = (Instant::now(), FIRST_PAUSE);
    loop {
        let state = inspect(unit).await.map_err(|error| failed(error.into()))?;
        if !state.invocation.is_empty() && state.invocation != before {
            return Ok(state.invocation);
        }
        let waits = state.properties.get("Job").is_some_and(|job| !matches!(job.as_str(), "" | "0"));
        if !waits && asked.elapsed() >= BEGINS_WITHIN {
            if let Some(invocation) = find_in_journal(unit, before, now).await {
                return Ok(invocation);
            }
            return Err(failed(match state.result.as_str() {
                "start-limit-hit" => {
                    Failure::new("start_limit", "it was started too often; run: systemctl reset-failed")
                }
                _ if state.properties.get("ConditionResult").is_some_and(|result| result == "no") => {
                    Failure::new(
                        "not_started",
                        "systemd did not start it: a condition of the unit is not met",
                    )
                }
                _ => Failure::new("not_started", "systemd did not start it; systemctl status shows why"),
            }));
        }
        tokio::time::sleep(pace).await;
        pace = (pace * 2).min(if waits { MAX_PAUSE } else { BEGINS_WITHIN / 4 });
    }
}

/// The run that was begun since an instant, where there is one: it is there, or was over at once and forgotten.
pub async fn find(unit: &str, before: &str, since: Timestamp) -> Option<String> {
    let state = inspect(unit).await.ok()?;
    if !state.invocation.is_empty() && state.invocation != before {
        return Some(state.invocation);
    }
    find_in_journal(unit, before, since).await
}

async fn find_in_journal(unit: &str, before: &str, since: Timestamp) -> Option<String> {
    let found = systemctl::last_run_since(unit, since.as_microsecond()).await.ok().flatten();
    found.filter(|invocation| invocation != before)
}

/// The journal has two entries for a stop, right after each other.
const STOP_ENTRY_DELAY: Duration = Duration::from_millis(500);

/// What is seen of a run that has ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// How, as systemd has it.
    Known(Outcome),
    /// systemd has forgotten it.
    Forgotten,
}

/// Whether a run has ended, and how.
fn judge(state: &UnitState, invocation: &str) -> Option<End> {
    let property = |name: &str| state.properties.get(name).map(String::as_str).unwrap_or_default();
    if state.invocation != invocation {
        return Some(End::Forgotten);
    }
    let sub = property("SubState");
    if state.runs() && sub != "exited" && !sub.starts_with("auto-restart") {
        return None;
    }
    // `si_code` of waitid(2): 2 and 3 are signals.
    let by_signal = matches!(property("ExecMainCode"), "2" | "3");
    let number = state.exit_status;
    // What is known of a main process may be that of the run before.
    let instant = |name: &str| property(name).parse::<u64>().unwrap_or(0);
    let began = instant("ExecMainStartTimestampMonotonic") >= instant("InactiveExitTimestampMonotonic");
    let failed = |code, message: String| Outcome::Failed(Failure::new(code, message));
    Some(End::Known(match state.result.as_str() {
        "success" if by_signal => failed("stopped", format!("it was stopped early, by signal {number}")),
        "success" if !began => failed("stopped", "it was stopped before it started".to_owned()),
        "success" => Outcome::Succeeded,
        "exec-condition" => Outcome::Refused,
        "exit-code" if number == 0 => failed(
            "exit_code",
            "a command before or after the main one failed, or the gate refused".to_owned(),
        ),
        "exit-code" => failed("exit_code", format!("it ended with exit status {number}")),
        "signal" => failed("signal", format!("it was terminated by signal {number}")),
        "core-dump" => failed("core_dump", format!("it crashed with signal {number}")),
        "timeout" => failed("timeout", "it reached the time limit of its unit".to_owned()),
        "watchdog" => failed("watchdog", "the watchdog of its unit ended it".to_owned()),
        "oom-kill" => failed("out_of_memory", "it was killed because memory ran out".to_owned()),
        "resources" => failed("resources", "systemd lacked the resources to run it".to_owned()),
        "start-limit-hit" => failed("start_limit", "it was started too often".to_owned()),
        other => failed("failed", format!("it failed; systemd says {other}")),
    }))
}

/// Watches a run to its end. One that lasts too long is stopped, then killed.
pub async fn follow(
    guard: Guard,
    run: Underway,
    timeouts: RunTimeouts,
    clock: Clock,
    permits: watch::Receiver<Vec<PermitFile>>,
) -> Outcome {
    let world = |span: SignedDuration| clock.world(span.unsigned_abs());
    let units = [run.unit.clone()];
    let elapsed = clock.now().duration_since(run.started_at).max(SignedDuration::ZERO);
    let mut deadline = Instant::now() + world(timeouts.run.saturating_sub(elapsed).max(SignedDuration::ZERO));
    let (mut pace, mut stopped, mut kills, mut without_permit) = (FIRST_PAUSE, false, 0, false);
    let late = || {
        let seconds = timeouts.run.as_secs();
        Failure::new("timed_out", format!("it took longer than {seconds} s (updates.timeout) and was ended"))
    };
    let mut outcome = loop {
        without_permit |= !permitted(&permits, &clock).0;
        match inspect(&run.unit).await {
            Ok(state) => match judge(&state, &run.invocation) {
                None => {}
                Some(End::Known(outcome)) => break outcome,
                Some(End::Forgotten) => break forgotten(&run).await,
            },
            Err(error) => {
                log_event!(UPDATE_UNSEEN, unit = run.unit, %error)
            }
        }
        if Instant::now() >= deadline {
            let done = if stopped {
                kills += 1;
                guard.kill(&units).await
            } else {
                log_event!(UPDATE_LONG of run.unit, unit = run.unit);
                guard.stop(&run.unit).await
            };
            if let Err(error) = done {
                log_event!(UPDATE_UNENDED of run.unit, unit = run.unit, %error);
            }
            if kills > KILLS {
                let mut failure = late();
                failure
                    .message
                    .push_str(", but it still runs: it hangs in the kernel, or the agent may not kill it");
                break Outcome::Failed(failure);
            }
            let next = if stopped { Duration::from_secs(2) } else { world(timeouts.stop) };
            (stopped, pace, deadline) = (true, FIRST_PAUSE, Instant::now() + next);
        }
        tokio::time::sleep_until(deadline.min(Instant::now() + pace)).await;
        pace = (pace * 2).min(MAX_PAUSE);
    };
    without_permit |= !permitted(&permits, &clock).0;
    outcome = match outcome {
        Outcome::Refused => Outcome::Refused,
        Outcome::Failed(failure) if stopped && failure.code == "timed_out" => Outcome::Failed(failure),
        _ if stopped => Outcome::Failed(late()),
        // It is stopped elsewhere with its permit; what it was up to then is nobody's fault.
        _ if without_permit => Outcome::WithPermit,
        outcome => outcome,
    };
    if let Outcome::Failed(failure) = &mut outcome {
        failure.lines = last_lines(&run).await;
    }
    outcome
}

/// What a run said last. The journal may be behind: it is given a moment, and asked again where it has nothing.
async fn last_lines(run: &Underway) -> Vec<String> {
    for wait in JOURNAL_BEHIND {
        tokio::time::sleep(wait).await;
        match systemctl::last_lines_since(&run.unit, run.started_at.as_microsecond(), LINES).await {
            Ok(lines) if lines.is_empty() => {}
            Ok(lines) => return lines,
            Err(error) => {
                log_event!(UPDATE_JOURNAL of run.unit, unit = run.unit, %error);
                return Vec::new();
            }
        }
    }
    Vec::new()
}

/// How a run ended that systemd no longer knows: the journal may.
async fn forgotten(run: &Underway) -> Outcome {
    let mut found = systemctl::run_end(&run.invocation).await;
    if matches!(found, Ok(Some(RunEnd::Finished))) {
        // The journal says that it was stopped after it says that it ended well.
        tokio::time::sleep(STOP_ENTRY_DELAY).await;
        found = systemctl::run_end(&run.invocation).await;
    }
    let failed = |code, message: &str| Outcome::Failed(Failure::new(code, message));
    match found {
        Ok(Some(RunEnd::Finished)) => Outcome::Succeeded,
        Ok(Some(RunEnd::Skipped)) => Outcome::Refused,
        Ok(Some(RunEnd::Stopped)) => failed("stopped", "it was stopped early"),
        Ok(Some(RunEnd::Failed)) => failed("failed", "it failed"),
        _ if run.boot != clock::boot_id() => failed("interrupted", "the machine stopped while it ran"),
        Ok(None) | Err(_) => failed(
            "not_known",
            "how it ended is unknown, because systemd forgets units that nothing refers to; add Before= with its name to svm-agent.service: systemctl edit svm-agent",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn state(active: &str, sub: &str, result: &str, code: &str, status: i32) -> UnitState {
        let properties = [("SubState", sub), ("ExecMainCode", code)];
        let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned()));
        UnitState {
            active: active.to_owned(),
            result: result.to_owned(),
            exit_status: status,
            invocation: "a1".to_owned(),
            properties: BTreeMap::from(properties),
            ..UnitState::default()
        }
    }

    #[test]
    fn how_a_run_ended() {
        let code = |state: UnitState| match judge(&state, "a1") {
            None => "goes on",
            Some(End::Forgotten) => "forgotten",
            Some(End::Known(Outcome::Succeeded)) => "succeeded",
            Some(End::Known(Outcome::Refused)) => "refused",
            Some(End::Known(Outcome::WithPermit)) => "with permit",
            Some(End::Known(Outcome::Failed(failure))) => failure.code,
        };
        for (seen, is) in [
            (state("activating", "start", "success", "0", 0), "goes on"),
            (state("activating", "condition", "success", "0", 0), "goes on"),
            (state("deactivating", "stop-sigterm", "timeout", "0", 0), "goes on"),
            (state("inactive", "dead", "success", "1", 0), "succeeded"),
            (state("active", "exited", "success", "1", 0), "succeeded"),
            (state("active", "running", "success", "0", 0), "goes on"),
            // SuccessExitStatus=SIGTERM: stopped is not done.
            (state("inactive", "dead", "success", "2", 15), "stopped"),
            (state("inactive", "dead", "exec-condition", "0", 0), "refused"),
            (state("failed", "failed", "exit-code", "1", 3), "exit_code"),
            (state("activating", "auto-restart", "exit-code", "1", 3), "exit_code"),
            (state("failed", "failed", "signal", "2", 9), "signal"),
            (state("failed", "failed", "core-dump", "3", 11), "core_dump"),
            (state("failed", "failed", "timeout", "2", 15), "timeout"),
            (state("failed", "failed", "oom-kill", "2", 9), "out_of_memory"),
            (
                UnitState { invocation: String::new(), ..state("inactive", "dead", "success", "0", 0) },
                "forgotten",
            ),
            (
                UnitState { invocation: "b2".into(), ..state("active", "running", "success", "0", 0) },
                "forgotten",
            ),
        ] {
            assert_eq!(code(seen.clone()), is, "{seen:?}");
        }
    }

    #[test]
    fn one_that_was_stopped_while_its_gate_asked_did_not_succeed() {
        let mut state = state("inactive", "dead", "success", "1", 0);
        let mut at = |name: &str, us: &str| drop(state.properties.insert(name.to_owned(), us.to_owned()));
        at("InactiveExitTimestampMonotonic", "20");
        at("ExecMainStartTimestampMonotonic", "10");
        let ended = judge(&state, "a1");
        assert!(
            matches!(ended, Some(End::Known(Outcome::Failed(Failure { code: "stopped", .. })))),
            "{ended:?}"
        );
        state.properties.insert("ExecMainStartTimestampMonotonic".to_owned(), "20".to_owned());
        assert_eq!(judge(&state, "a1"), Some(End::Known(Outcome::Succeeded)));
    }

    #[test]
    fn a_gate_asks_this_agent_about_this_resource() {
        let shown = |command: &str| format!("{{ path=/x ; argv[]={command} ; ignore_errors=no ; pid=0 }}");
        let gate = shown("/usr/libexec/svm-agent/gate /run/svm-agent database-updates a.service");
        assert!(gated(&gate) && by_gate(&gate));
        let gate = shown("/usr/bin/svm-agent permit --take database-updates --unit a.service");
        assert!(!by_gate(&gate) && gated(&gate) && gated(&format!("{}\n{gate}", shown("/bin/true"))));
        for other in [
            "",
            &shown("/bin/true"),
            &shown("/usr/bin/svm-agent permit ksn"),
            &shown("/usr/libexec/svm-agent/gate /run/svm-agent ksn a.service"),
            &shown("/home/kesl/gate /run/svm-agent database-updates a.service"),
            &shown("/usr/bin/svm-agent status database-updates"),
        ] {
            assert!(!gated(other), "{other}");
        }
    }
}
