//! The reporter: sends the whole status as an event, regularly and soon after keys or devices change.
//!
//! Before each regular report it has the number of devices and the certificates checked.
//! The engine stores a report only if the state is still the one that the report shows.

use super::source::StatusSource;
use crate::context::CheckRequest;
use crate::engine::{Command, Outcome, StatusReport};
use crate::identity::hostname;
use crate::log::log_event;
use crate::spread::next_on_grid;
use crate::storage::StoreError;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use svm_core::ask::ask;
use svm_core::subscription::State;
use tokio::sync::{mpsc, oneshot};

/// After keys or devices changed, the status is reported within this time; what changes meanwhile is in the same report.
const REPORT_SOON: SignedDuration = SignedDuration::from_secs(60);

/// A regular report that could not be stored is tried again after this time.
const REPORT_AGAIN: SignedDuration = SignedDuration::from_secs(60);

/// What the reporter can be asked.
enum Request {
    StatusReport(oneshot::Sender<Result<Outcome, StoreError>>),
    /// Check devices and host name now, and report a new name.
    Inspect(oneshot::Sender<()>),
}

#[derive(Clone)]
pub struct ReporterHandle(mpsc::Sender<Request>);

impl ReporterHandle {
    /// Reports the whole status.
    ///
    /// # Errors
    /// The report could not be stored.
    pub async fn report(&self) -> Result<Outcome, StoreError> {
        ask(&self.0, Request::StatusReport).await.ok_or(StoreError::Closed)?
    }

    /// Checks what is not a setting and may have changed; returns once the engine has it.
    pub async fn inspect(&self) {
        // A reporter that ended takes the agent with it.
        ask(&self.0, Request::Inspect).await;
    }
}

/// The tasks that check what only the machine can tell. The reporter asks them before each regular report, so that the
/// report has what they find.
pub struct Checks {
    pub devices: mpsc::Sender<CheckRequest>,
    pub certificates: mpsc::Sender<CheckRequest>,
}

pub struct Reporter {
    source: StatusSource,
    checks: Checks,
    requests: mpsc::Receiver<Request>,
    /// The SVM's place in an interval, 0 to 1.
    spread: f64,
    /// The name of the machine in events.
    hostname: String,
    /// The state of the last snapshot, to see that keys or devices changed.
    seen: Arc<State>,
    report_at: Timestamp,
}

impl Reporter {
    /// A reporter that has not reported yet. What `checks` asks was checked just now.
    pub fn new(source: StatusSource, checks: Checks, spread: f64) -> (Self, ReporterHandle) {
        let (handle, requests) = mpsc::channel(8);
        let seen = source.context.engine.snapshot.borrow().state.clone();
        let mut reporter =
            Self { source, checks, requests, spread, hostname: hostname(), seen, report_at: Timestamp::MAX };
        reporter.plan();
        (reporter, ReporterHandle(handle))
    }

    /// Works until the engine or everybody who may ask is gone.
    pub async fn run(mut self) {
        loop {
            self.notice_change();
            let (clock, report_at) = (self.source.context.clock, self.report_at);
            tokio::select! {
                changed = self.source.context.engine.snapshot.changed() => if changed.is_err() { return },
                request = self.requests.recv() => match request {
                    None => return,
                    // The one who asked may have gone.
                    Some(Request::StatusReport(reply)) => drop(reply.send(self.report().await)),
                    Some(Request::Inspect(reply)) => {
                        self.inspect().await;
                        reply.send(()).ok();
                    }
                },
                // It also returns before: the clock may have been set.
                () = clock.sleep_until(report_at) => {
                    if clock.now() >= report_at {
                        self.report_regularly().await;
                    }
                }
            }
        }
    }

    fn plan(&mut self) {
        self.report_at =
            next_on_grid(self.source.context.clock.now(), self.source.settings.report_every, self.spread);
    }

    /// Brings the next report forward if keys or devices changed, or the clock was set back.
    fn notice_change(&mut self) {
        let (now, after) = (
            self.source.context.clock.now(),
            self.source.context.engine.snapshot.borrow_and_update().state.clone(),
        );
        if self.report_at.duration_since(now) > self.source.settings.report_every {
            self.plan();
        }
        let before = std::mem::replace(&mut self.seen, after);
        let same = before.active == self.seen.active
            && before.reserve == self.seen.reserve
            && before.protected_devices == self.seen.protected_devices;
        if !same && let Ok(soon) = now.checked_add(REPORT_SOON) {
            self.report_at = self.report_at.min(soon);
        }
    }

    async fn report_regularly(&mut self) {
        // A task that ended takes the agent with it.
        ask(&self.checks.devices, |reply| reply).await;
        ask(&self.checks.certificates, |reply| reply).await;
        if self.report().await.is_err() {
            // The engine logs why.
            let again = self.source.context.clock.now().checked_add(REPORT_AGAIN);
            self.report_at = again.unwrap_or(Timestamp::MAX);
        }
    }

    async fn inspect(&mut self) {
        ask(&self.checks.devices, |reply| reply).await;
        if self.check_hostname() {
            // The engine logs why it fails.
            self.report().await.ok();
        }
    }

    async fn report(&mut self) -> Result<Outcome, StoreError> {
        self.check_hostname();
        loop {
            let (status, of) = self.source.status_and_state().await;
            let status = serde_json::to_value(&status).unwrap_or_default();
            let report = StatusReport { of: of.clone(), hostname: self.hostname.clone(), status };
            let turn = self.source.context.engine.command(Command::StatusReport(Box::new(report))).await?;
            // Otherwise the state changed since it was shown, and this report would come after newer events.
            if turn.taken {
                self.seen = of;
                self.plan();
                return Ok(turn);
            }
        }
    }

    /// Reads the machine's name; true if it changed.
    fn check_hostname(&mut self) -> bool {
        let new = hostname();
        let renamed = new != self.hostname;
        if renamed {
            let old = std::mem::replace(&mut self.hostname, new);
            let new = &self.hostname;
            log_event!(HOST_RENAMED, new, old);
        }
        renamed
    }
}
