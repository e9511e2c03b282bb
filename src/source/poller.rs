//! The poller: looks at the source when the schedule says so, and hands what it finds to the engine.
//!
//! Its memory (the ETag of an accepted body, failures, a reported refusal) is in the store, so
//! that a restart neither forgets a backoff nor tells a refusal again. ETag and refusal were judged against the document that
//! was held then: where another one is held, they say nothing, and a key that was just added is looked for at once.

use super::schedule::{self, Facts};
use crate::context::Context;
use crate::engine::{Command, Published};
use crate::fetch::DocumentSource;
use crate::fetch::{Answer, SourceError, after_failure, fetch, verify_now};
use crate::health::HealthRegistry;
use crate::log::log_event;
use crate::outage::{FailureKind, Outage};
use crate::storage::{Commit, NoteName, read_note};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use svm_core::clock::trust::Suspicion;
use svm_core::documents::{Expect, text_digest};
use svm_core::failure_code::FailureCode;
use svm_core::subscription::{Held, RefusalCode};
use tokio::sync::{mpsc, oneshot};

/// A body is asked for as if it were not known so often, lest a wrong 304 stand for ever.
const FULL_POLL_INTERVAL: SignedDuration = SignedDuration::from_hours(24);

/// After a take-over, which many SVMs have at one instant, the look is spread over so long.
const TAKE_OVER_SPREAD: SignedDuration = SignedDuration::from_secs(60);

/// Refusals that the administrator can end by trusting a signer.
const SIGNERS: &[RefusalCode] = &[RefusalCode::UntrustedSigner, RefusalCode::BadSignature];

/// The outcome of a check, for the one that requested it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum PollOutcome {
    /// The document that is held is the newest.
    NotChanged,
    /// A new revision is in force.
    Taken,
    /// The published document is refused.
    Refused { code: String, message: String },
    /// The look failed; nothing changed.
    Failed { code: FailureCode, message: String },
}

/// Asks the poller to poll now; the answer comes when it has.
pub type Refresh = oneshot::Sender<PollOutcome>;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// Of which published file; another one makes this void.
    sub: String,
    /// Digest of the document that was held when `etag` and `refused` were noted; `None` in the note of an older agent.
    held: Option<String>,
    etag: Option<String>,
    #[serde(rename = "last_look")]
    last_poll: Option<Timestamp>,
    last_heard: Option<Timestamp>,
    last_full: Option<Timestamp>,
    failures: u32,
    not_before: Option<Timestamp>,
    /// Digest of a body that was refused and told, and why.
    refused: Option<(String, String, String)>,
    outage: Option<Outage>,
    /// The reported problem of the signers' files.
    #[serde(skip)]
    logged_problems: Vec<String>,
}

impl Memory {
    /// Goes by the document that is held now. What was learnt of another one is void; what the vendor just gave to
    /// the activation counts as checked.
    fn go_by(&mut self, active: &Published, held: &Held, health: &HealthRegistry) -> bool {
        let same_file = self.sub == active.sub.as_str();
        if same_file && self.held.as_ref() == Some(&active.digest) {
            return false;
        }
        if !same_file {
            *self = Self { sub: active.sub.as_str().to_owned(), ..Self::default() };
        } else if self.held.is_some() {
            self.refused = None;
        }
        self.etag = None;
        self.held = Some(active.digest.clone());
        if let Some(answered) = health.answered(&active.sub) {
            self.last_heard = self.last_heard.max(Some(answered.at));
            if answered.digest.as_ref() == Some(&active.digest) {
                self.last_poll = self.last_poll.max(Some(held.role_since));
            }
        }
        true
    }

    /// When to look for a key that was not looked for since it has its role.
    fn first_poll(&self, held: &Held, spread: f64) -> Option<Timestamp> {
        let outcome = self.last_poll.is_some_and(|last| last >= held.role_since);
        let took_over = held.role_since != held.added_at;
        let wait = SignedDuration::from_secs_f64(if took_over {
            TAKE_OVER_SPREAD.as_secs_f64() * spread
        } else {
            0.0
        });
        (!outcome).then(|| held.role_since.checked_add(wait).unwrap_or(held.role_since))
    }

    /// What is published now is what is held: a refusal no longer applies.
    fn accepted(&mut self) {
        if let Some((_, code, _)) = self.refused.take() {
            log_event!(DOCUMENT_GOOD, code);
        }
    }
}

/// A doubt of the clock: the vendor's host is asked once for each, and all SVMs of a host that woke up within a minute.
#[derive(Default)]
struct ClockSuspicion {
    of: Option<Suspicion>,
    poll_at: Option<Timestamp>,
}

impl ClockSuspicion {
    /// When to look for its sake.
    fn poll_at(&mut self, is: Option<Suspicion>, now: Timestamp, spread: f64) -> Option<Timestamp> {
        if self.of != is {
            let wait = SignedDuration::from_secs_f64(60.0 * spread);
            *self = Self { of: is, poll_at: is.and_then(|_| now.checked_add(wait).ok()) };
        }
        self.poll_at
    }

    fn asked(&mut self) {
        self.poll_at = None;
    }
}

pub struct Poller {
    /// What all tasks share.
    pub context: Context,
    /// Where documents come from and whose signatures count.
    pub documents: DocumentSource,
    /// The SVM's place in an interval, 0 to 1.
    pub spread: f64,
}

impl Poller {
    /// Works until every sender of refresh requests is gone.
    pub async fn run(mut self, note: Option<String>, mut refresh: mpsc::Receiver<Refresh>) {
        let mut memory: Memory = read_note(NoteName::Source, note).unwrap_or_default();
        let mut suspicion = ClockSuspicion::default();
        loop {
            let snapshot = self.context.engine.snapshot.borrow_and_update().clone();
            let active = snapshot.active.as_ref().zip(snapshot.state.active.as_ref());
            if let Some((active, held)) = active
                && memory.go_by(active, held, &self.context.health)
            {
                self.store(&memory).await;
            }
            let due = active.filter(|_| self.documents.source.url.is_some()).map(|(_, held)| {
                let now = self.context.clock.now();
                let facts = Facts::of(&snapshot.state, now, self.spread);
                // An instant that lies ahead was noted under another clock.
                let last = memory.last_poll.unwrap_or(now).min(now);
                let next = schedule::next_poll(&self.documents.source, &facts, last);
                let next = memory.first_poll(held, self.spread).map_or(next, |at| at.min(next));
                let longest = now.checked_add(SignedDuration::from_hours(2)).unwrap_or(now);
                let next = memory.not_before.filter(|at| *at <= longest).unwrap_or(next);
                suspicion
                    .poll_at(self.context.clock.suspicion(), now, self.spread)
                    .map_or(next, |at| at.min(next))
            });
            self.show(&memory, due);
            let mut asked = None;
            tokio::select! {
                changed = self.context.engine.snapshot.changed() => {
                    if changed.is_err() { return }
                    continue;
                }
                request = refresh.recv() => match request {
                    None => return,
                    Some(reply) => asked = Some(reply),
                },
                () = self.context.clock.sleep_until(due.unwrap_or(Timestamp::MAX)) => {
                    // A long wait is cut into hours.
                    if due.is_none_or(|due| self.context.clock.now() < due) {
                        continue;
                    }
                }
            }
            suspicion.asked();
            let outcome = match &snapshot.active {
                Some(active) => self.poll(&mut memory, active, asked.is_some()).await,
                None => PollOutcome::Failed {
                    code: FailureCode::NotActivated,
                    message: "there is no active key, so nothing can be fetched; activate one: svm-agent activate CODE".to_owned(),
                },
            };
            if let Some(reply) = asked {
                reply.send(outcome).ok();
            }
        }
    }

    async fn poll(&self, memory: &mut Memory, active: &Published, full: bool) -> PollOutcome {
        let now = self.context.clock.now();
        let old = memory.last_full.is_none_or(|at| now.duration_since(at).abs() >= FULL_POLL_INTERVAL);
        let etag = memory.etag.clone().filter(|_| !full && !old);
        memory.last_poll = Some(now);
        let outcome =
            match fetch(&self.documents.source, &active.sub, etag.as_deref(), &self.context.clock).await {
                Err(error @ SourceError::NotConfigured) => {
                    return PollOutcome::Failed { code: error.code(), message: error.to_string() };
                }
                Ok(Answer::NotChanged) => {
                    // The refused document is no longer published.
                    memory.accepted();
                    PollOutcome::NotChanged
                }
                Ok(Answer::Document { text, etag }) => {
                    let outcome = self.offer(memory, &text, active).await;
                    if matches!(outcome, PollOutcome::NotChanged | PollOutcome::Taken) {
                        memory.etag = etag;
                        memory.last_full = Some(now);
                    }
                    outcome
                }
                Err(error) => {
                    let retry_after = match &error {
                        SourceError::Status { retry_after, .. } => *retry_after,
                        _ => None,
                    };
                    memory.not_before = Some(self.later(now, memory.failures, retry_after));
                    memory.failures = memory.failures.saturating_add(1);
                    PollOutcome::Failed { code: error.code(), message: error.to_string() }
                }
            };
        match &outcome {
            PollOutcome::Failed { code, message } => {
                if memory.not_before.is_none_or(|at| at <= now) {
                    memory.not_before = Some(self.later(now, memory.failures, None));
                }
                Outage::note(&mut memory.outage, now, FailureKind::Source, code.clone(), message.clone());
            }
            _ => {
                Outage::over(&mut memory.outage, FailureKind::Source);
                (memory.failures, memory.not_before, memory.last_heard) = (0, None, Some(now));
            }
        }
        self.store(memory).await;
        outcome
    }

    async fn store(&self, memory: &Memory) {
        let note = serde_json::to_string(memory).unwrap_or_default();
        let commit = Commit { notes: vec![(NoteName::Source, note)], ..Commit::default() };
        if let Err(error) = self.context.store.commit(commit).await {
            log_event!(SOURCE_NOTE, %error);
        }
    }

    fn later(&self, now: Timestamp, failures: u32, retry_after: Option<Duration>) -> Timestamp {
        let wait = after_failure(failures, retry_after, self.documents.source.interval);
        SignedDuration::try_from(wait).ok().and_then(|w| now.checked_add(w).ok()).unwrap_or(now)
    }

    async fn offer(&self, memory: &mut Memory, text: &str, active: &Published) -> PollOutcome {
        // The key may have left while the answer was under way, as where a reserve key takes over: what is published of it
        // is not for this SVM any more, and no fault of the vendor's.
        if self.context.engine.snapshot.borrow().active.as_ref().is_none_or(|now| now.sub != active.sub) {
            return PollOutcome::NotChanged;
        }
        let digest = text_digest(text);
        let expect = Expect { sub: Some(&active.sub), issuer: Some(&active.issuer) };
        let offered = verify_now(text, &self.documents.trust_dir, expect, &mut memory.logged_problems);
        if let Some((known, code, message)) = &memory.refused
            && *known == digest
            && let known = RefusalCode::from_name(code)
            && offered.as_ref().err().is_none_or(|refusal| known == Some(refusal.code))
            && !(offered.is_ok() && known.is_some_and(|known| SIGNERS.contains(&known)))
        {
            // Told once; it stands until another body is published, or its signer is trusted after all.
            return PollOutcome::Refused { code: code.clone(), message: message.clone() };
        }
        let document = offered.as_ref().ok().map(|document| text_digest(&document.text));
        match self.context.engine.command(Command::Publish(Box::new(offered))).await {
            Err(error) => PollOutcome::Failed { code: FailureCode::Store, message: error.to_string() },
            Ok(turn) => match turn.refusal() {
                Some(refusal) => {
                    let (code, message) = (refusal.code.as_str().to_owned(), refusal.message);
                    memory.refused = Some((digest, code.clone(), message.clone()));
                    PollOutcome::Refused { code, message }
                }
                None => {
                    memory.accepted();
                    if turn.taken {
                        memory.held = document;
                        PollOutcome::Taken
                    } else {
                        PollOutcome::NotChanged
                    }
                }
            },
        }
    }

    fn show(&self, memory: &Memory, due: Option<Timestamp>) {
        let mut source = self.context.health.source();
        source.configured = self.documents.source.url.is_some();
        source.last_heard_at = memory.last_heard;
        source.next_look_at = due;
        source.outage.clone_from(&memory.outage);
        source.refused = memory.refused.as_ref().map(|(_, _, message)| message.clone());
    }
}
