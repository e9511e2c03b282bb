//! Delivery: what was kept reaches each destination at least once and in order.
//!
//! One task for each destination: it takes the oldest events that wait, sends them, and moves on only when the
//! receiver has them; meanwhile the next are made ready, and those after them are read. What an answer means is decided in `answer.rs`;
//! nothing else looks at it. `docs/reference/delivery.md` has the table.

pub(crate) mod answer;
mod batch;
pub(crate) mod cloudevents;
mod probe;
mod refusal_isolator;
pub(crate) mod secrets;
mod sender;
pub mod syslog;

pub use probe::probe;

use super::context::Context;
use super::engine::{Command, reverts};
use super::health::DestinationHealth;
use super::outage::{FailureKind, Outage};
use crate::config::Destination;
use crate::log::log_event;
use crate::storage::{Outgoing, Quarantined, Reading, StoreError, read_note};
use answer::Outcome;
use batch::BATCH_BYTES;
use jiff::{SignedDuration, Timestamp};
use refusal_isolator::RefusalIsolator;
use sender::{Encoder, Prepared, Sender};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use svm_core::backoff::{Backoff, jitter};
use svm_core::failure_code::FailureCode;
use tokio::sync::watch;

/// A connection that carries nothing is kept so long.
const KEPT: Duration = Duration::from_secs(20);

/// Between attempts at a receiver that fails.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(300));

/// No receiver is let wait longer than this, whatever was remembered: a day, for one that is gone, and jitter.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(27);

/// Events that the store reads at the moment.
type Coming = tokio::task::JoinHandle<Result<Vec<Outgoing>, StoreError>>;

pub struct Delivery {
    /// Its name in the settings.
    pub name: String,
    pub settings: Destination,
    /// What all tasks share.
    pub context: Context,
    /// Changes when somebody wants it tried now.
    pub nudge: watch::Receiver<u64>,
}

/// What is remembered of failures over a restart, until something is delivered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Retry {
    /// How often in a row.
    failures: u32,
    /// When to try again.
    pub(crate) until: Option<Timestamp>,
    /// Whether it is a matter of configuration, which a restart may have changed.
    held: bool,
    outage: Option<Outage>,
}

impl Delivery {
    /// Delivers until the engine ends.
    pub async fn run(mut self) {
        let mut sender = Sender::new(&self.settings.speaks, self.context.clock);
        let mut isolator = RefusalIsolator::new(sender.encoder.most());
        let mut retry = match self.resume().await {
            Ok(retry) => retry,
            Err(_) => return,
        };
        let (mut ready, mut coming) = (None, None);
        loop {
            self.context.engine.outbox.mark_unchanged();
            let prepared = match ready.take() {
                Some(prepared) => prepared,
                None => match self.read(&mut sender, &isolator).await {
                    Ok(prepared) => prepared,
                    Err(outcome) => {
                        self.wait_after(outcome, &mut retry).await;
                        continue;
                    }
                },
            };
            let Some(last) = prepared.events.last().map(|event| event.sequence) else {
                if self.wait_for_events(&mut sender, &isolator, &mut retry).await.is_err() {
                    return;
                }
                // The receiver may have been mended meanwhile: what comes now proves nothing against what it refused.
                isolator.start_over();
                continue;
            };
            let outcome;
            if isolator.is_idle() {
                let Sender { encoder, transport } = &mut sender;
                let read_on = self.read_on(encoder, &mut coming, last, isolator.limit());
                (outcome, ready) = tokio::join!(transport.send(&prepared), read_on);
            } else {
                outcome = sender.transport.send(&prepared).await;
            }
            if !matches!(outcome, Outcome::Delivered { upto } if upto == last) {
                // What follows will be read anew.
                (ready, coming) = (None, None);
            }
            let outcome = match outcome {
                Outcome::Delivered { upto } => self.settle(&mut isolator, upto).await,
                Outcome::Refused { code, answer } => {
                    let again = if code == FailureCode::Http(415) && prepared.is_compressed() {
                        sender.encoder.leave_uncompressed();
                        true
                    } else {
                        isolator.refused(&prepared.events, code, &answer)
                    };
                    if again {
                        continue;
                    }
                    if self.takes_what_it_has(&mut sender).await {
                        self.settle(&mut isolator, 0).await
                    } else {
                        all_refused(&isolator)
                    }
                }
                Outcome::Conflict { sequence, highest } => match self.go_on_above(sequence, highest).await {
                    Ok(()) => {
                        // What was refused alone has another number now.
                        isolator.start_over();
                        continue;
                    }
                    Err(outcome) => outcome,
                },
                other => other,
            };
            if let Outcome::Delivered { upto } = outcome {
                retry = Retry::default();
                self.note_delivered();
                log_event!(DELIVERED, destination = self.name, upto, partly = upto < last);
                continue;
            }
            // Certificates and tokens may have changed: the next try reads them anew.
            sender.rest();
            (ready, coming) = (None, None);
            self.wait_after(outcome, &mut retry).await;
            isolator.start_over();
        }
    }

    /// Takes up what was remembered, and waits where that is still to be waited for.
    async fn resume(&mut self) -> Result<Retry, StoreError> {
        let address = self.settings.address();
        let mut health = DestinationHealth { url: address, ..DestinationHealth::default() };
        let stored = match self.context.store.retry(&self.name).await {
            Err(StoreError::Closed) => return Err(StoreError::Closed),
            stored => read_note::<Retry>(&format!("retry of {}", self.name), stored.ok().flatten()),
        };
        let retry = stored.unwrap_or_default();
        health.outage.clone_from(&retry.outage);
        self.context.health.destinations().insert(self.name.clone(), health);
        if let Some(outage) = &retry.outage {
            outage.resumed(&self.name);
        }
        let now = self.context.clock.now();
        if let Some(until) = retry.until
            && !retry.held
            && until.duration_since(now) < LONGEST_WAIT
        {
            self.sleep(until).await;
        }
        Ok(retry)
    }

    /// Reads the events after those that were refused alone, and makes a request of them.
    async fn read(&self, sender: &mut Sender, isolator: &RefusalIsolator) -> Result<Prepared, Outcome> {
        let reading =
            Reading { after: isolator.after(), received: 0, most: isolator.limit(), bytes: BATCH_BYTES };
        match self.context.store.next(&self.name, reading).await {
            Ok(events) => Ok(sender.encoder.prepare(events)),
            Err(error) => Err(Outcome::again(FailureCode::Store, error.to_string())),
        }
    }

    /// Makes the events after `after` ready; meanwhile the store reads those that follow them. That there are none
    /// says nothing afterwards.
    async fn read_on(
        &self,
        encoder: &mut Encoder,
        coming: &mut Option<Coming>,
        after: u64,
        most: usize,
    ) -> Option<Prepared> {
        let read = |after| {
            let (store, name) = (self.context.store.clone(), self.name.clone());
            let reading = Reading { after, received: after, most, bytes: BATCH_BYTES };
            tokio::spawn(async move { store.next(&name, reading).await })
        };
        // Where it cannot be read, the next look says why.
        let events = coming.take().unwrap_or_else(|| read(after)).await.ok()?.ok()?;
        *coming = Some(read(events.last()?.sequence));
        // So that the store is asked before this thread is busy.
        tokio::task::yield_now().await;
        Some(encoder.prepare(events))
    }

    /// Whether the receiver takes the last event once more that it took before, under its old id and number: then it
    /// does not refuse everything. Asked where so many are refused in a row that looking further among those that
    /// wait would be to hand it everything to refuse.
    async fn takes_what_it_has(&self, sender: &mut Sender) -> bool {
        let Ok(Some(event)) = self.context.store.last_delivered(&self.name).await else { return false };
        let prepared = sender.encoder.prepare(vec![event]);
        matches!(sender.transport.send(&prepared).await, Outcome::Delivered { .. })
    }

    /// The receiver has everything up to a number: what it refused before that goes into quarantine first.
    async fn settle(&self, isolator: &mut RefusalIsolator, upto: u64) -> Outcome {
        if !isolator.suspects().is_empty() {
            let at = self.context.clock.now();
            let refused = isolator.suspects().iter().map(|suspect| {
                let suspect = suspect.clone();
                let refused = Quarantined {
                    destination: self.name.clone(),
                    sequence: suspect.sequence,
                    id: suspect.id,
                    code: suspect.code,
                    answer: suspect.answer,
                    at,
                };
                (refused, suspect.type_name)
            });
            if let Err(error) = self.context.engine.command(Command::Quarantine(refused.collect())).await {
                return Outcome::again(FailureCode::Store, error.to_string());
            }
        }
        // Where this fails it will be sent again, under the same ids.
        match self.context.store.delivered(&self.name, upto).await {
            Err(error) => Outcome::again(FailureCode::Store, error.to_string()),
            Ok(()) => {
                isolator.taken();
                Outcome::Delivered { upto }
            }
        }
    }

    /// Has what waits numbered above what the receiver has from another event.
    ///
    /// # Errors
    /// The outcome: that cannot be kept, or is done too often.
    async fn go_on_above(&self, sequence: u64, highest: u64) -> Result<(), Outcome> {
        let destination = self.name.clone();
        let last = self.context.store.last_sequence(&destination).await;
        let last = last.map_err(|error| Outcome::again(FailureCode::Store, error.to_string()))?;
        if !reverts::may_follow(highest, last) {
            return Err(answer::too_far_ahead(highest, last));
        }
        match self.context.engine.command(Command::GoOnAbove { destination, sequence, highest }).await {
            Ok(turn) if turn.taken => Ok(()),
            Ok(_) => Err(answer::another_machine()),
            Err(error) => Err(Outcome::again(FailureCode::Store, error.to_string())),
        }
    }

    fn failure_kind(&self) -> FailureKind<'_> {
        FailureKind::Delivery(&self.name)
    }

    fn note_delivered(&self) {
        if let Some(health) = self.context.health.destinations().get_mut(&self.name) {
            Outage::over(&mut health.outage, self.failure_kind());
            health.last_delivered_at = Some(self.context.clock.now());
        }
    }

    /// Nothing waits, or nothing but what was refused.
    ///
    /// # Errors
    /// The engine is gone.
    async fn wait_for_events(
        &mut self,
        sender: &mut Sender,
        isolator: &RefusalIsolator,
        retry: &mut Retry,
    ) -> Result<(), watch::error::RecvError> {
        if !isolator.suspects().is_empty() {
            let until = self.note_failure(all_refused(isolator), retry).await;
            let wait = left(self.context.clock.now(), until);
            let Self { context: Context { clock, engine, .. }, nudge, .. } = self;
            return tokio::select! {
                more = engine.outbox.changed() => more,
                () = clock.sleep(wait) => Ok(()),
                Ok(()) = nudge.changed() => Ok(()),
            };
        }
        if sender.transport.is_open() {
            // A connection, and the certificates that it trusts, are kept for a while and no longer.
            match tokio::time::timeout(KEPT, self.context.engine.outbox.changed()).await {
                Ok(more) => return more,
                Err(_) => sender.rest(),
            }
        }
        self.context.engine.outbox.changed().await
    }

    async fn wait_after(&mut self, outcome: Outcome, retry: &mut Retry) {
        let until = self.note_failure(outcome, retry).await;
        self.sleep(until).await;
    }

    async fn sleep(&mut self, until: Timestamp) {
        let wait = left(self.context.clock.now(), until);
        let Self { context: Context { clock, .. }, nudge, .. } = self;
        tokio::select! {
            () = clock.sleep(wait) => {}
            Ok(()) = nudge.changed() => {}
        }
    }

    /// Notes a failure in the health, the log and the store; answers when to try again.
    async fn note_failure(&self, outcome: Outcome, retry: &mut Retry) -> Timestamp {
        let (code, message, wait, held) = match outcome {
            Outcome::Delivered { .. } | Outcome::Conflict { .. } => return self.context.clock.now(),
            Outcome::Refused { code, answer } => (code, answer, Duration::ZERO, true),
            Outcome::Hold { code, message, wait } => (code, message, wait + jitter(wait / 10), true),
            Outcome::Again { code, message, retry_after } => {
                let jittered = BACKOFF.jittered(retry.failures).max(Duration::from_millis(100));
                (code, message, retry_after.map_or(jittered, |asked| asked + jittered), false)
            }
        };
        let now = self.context.clock.now();
        let until = SignedDuration::try_from(wait).ok().and_then(|wait| now.checked_add(wait).ok());
        let until = until.unwrap_or(now);
        let outage = {
            let mut destinations = self.context.health.destinations();
            let outage = &mut destinations.entry(self.name.clone()).or_default().outage;
            Outage::note(outage, now, self.failure_kind(), code, message);
            outage.clone()
        };
        *retry = Retry { failures: retry.failures.saturating_add(1), until: Some(until), held, outage };
        if let Ok(text) = serde_json::to_string(retry) {
            // Where it cannot be kept, a restart tries at once.
            self.context.store.set_retry(&self.name, text).await.ok();
        }
        until
    }
}

/// How long it is until an instant. It is waited for as a span: a clock that is stepped meanwhile neither shortens nor
/// lengthens it.
pub(crate) fn left(now: Timestamp, until: Timestamp) -> Duration {
    until.duration_since(now).clamp(SignedDuration::ZERO, LONGEST_WAIT).unsigned_abs()
}

fn all_refused(isolator: &RefusalIsolator) -> Outcome {
    let (code, answer) = isolator
        .suspects()
        .last()
        .map(|s| (s.code.clone(), s.answer.as_str()))
        .unwrap_or((FailureCode::NothingKept, ""));
    let count = isolator.suspects().len();
    Outcome::hold(
        code,
        match count {
            1 => {
                format!("the receiver refuses an event and accepts none after it, so all are kept: {answer}")
            }
            _ => format!(
                "the receiver refuses {count} events one by one and accepts none after them, so all are kept: {answer}"
            ),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_is_gone_is_left_alone_for_a_day_and_no_wait_is_without_an_end() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let after = |hours: i64| left(now, now + SignedDuration::from_hours(hours));
        assert_eq!(after(24), Duration::from_hours(24));
        assert_eq!(after(-1), Duration::ZERO);
        assert_eq!(after(24 * 3650), LONGEST_WAIT.unsigned_abs());
    }
}
