//! Activation by a code: asked of the vendor at once, and kept where the vendor does not answer.
//!
//! Promises: a code whose vendor cannot be reached is not lost; it is tried again over restarts until its document
//! comes, it is refused, somebody cancels it, or it has lasted too long, and each of these is reported. The code itself is
//! never kept. Must not know: sockets and the command line.

pub(crate) mod pending;

pub use pending::Failure;

use super::context::Context;
use super::engine::{AgentReport, Command, Offered};
use super::fetch::{Answer, DocumentSource, SourceError, after_failure, fetch, verify_now};
use super::health::{Answered, HealthRegistry, PendingActivation};
use crate::config::SourceSettings;
use crate::log::log_event;
use crate::storage::{Commit, NoteName, StoreError, read_note};
use pending::{Pending, Waiting};
use svm_core::clock::Clock;
use svm_core::documents::{Expect, Sub, text_digest};
use svm_core::events::Operational;
use svm_core::failure_code::FailureCode;
use svm_core::http;
use svm_core::subscription::Role;
use tokio::sync::{mpsc, oneshot};

/// What is asked of the pending activations.
#[derive(Debug)]
pub enum ActivationRequest {
    /// Keep this one, and go on trying. Answers how it is shown, and whether another one gave way to it.
    Keep(Box<Keep>, oneshot::Sender<Result<(PendingActivation, bool), StoreError>>),
    /// Drop those of this role, or all. Answers which were dropped.
    Cancel(Option<Role>, oneshot::Sender<Result<Vec<PendingActivation>, StoreError>>),
    /// A document of this code came otherwise. It does not wait any more; where its key was added, neither does
    /// another that waits for the role.
    Came {
        role: Role,
        sub: Sub,
        /// Or refused.
        added: bool,
    },
}

/// An activation that the vendor did not answer.
#[derive(Debug)]
pub struct Keep {
    pub sub: Sub,
    pub role: Role,
    /// Why there is none yet.
    pub failure: Failure,
}

/// Asks the vendor for the document of a code, once, and verifies it.
///
/// # Errors
/// [`SourceError`]: no document came.
pub async fn ask_vendor(
    documents: &DocumentSource,
    clock: &Clock,
    health: &HealthRegistry,
    sub: &Sub,
) -> Result<Offered, SourceError> {
    match fetch(&documents.source, sub, None, clock).await? {
        Answer::Document { text, .. } => {
            let expect = Expect { sub: Some(sub), issuer: None };
            let offered = verify_now(&text, &documents.trust_dir, expect, &mut Vec::new());
            let digest = offered.as_ref().ok().map(|document| text_digest(&document.text));
            health.note_answer(Answered { sub: sub.clone(), digest, at: clock.now() });
            Ok(offered)
        }
        // Nobody asked whether anything changed.
        Answer::NotChanged => Err(SourceError::NotFound),
    }
}

/// The order that makes a key of what was offered.
pub fn order(role: Role, offered: Offered) -> Command {
    match role {
        Role::Active => Command::Activate(Box::new(offered)),
        Role::Reserve => Command::AddReserve(Box::new(offered)),
    }
}

impl Failure {
    /// Why the vendor gave no document for a code, with the way out.
    pub fn of(error: &SourceError, source: &SourceSettings) -> Self {
        let url = source.url.as_deref().and_then(|url| http::Target::parse(url).ok());
        let host = url.as_ref().map_or("the provider's host", |url| url.name());
        let message = match error {
            SourceError::NotFound => format!(
                "{host} has no document for this code (404). The check character of the code fits, so it has hardly a typing error. Either the document is not published yet, or source.url is not the address of the provider who gave you the code, or that provider withdrew it; ask the provider"
            ),
            SourceError::Withdrawn => format!(
                "{host} reports that the document of this code was withdrawn for good (410); ask the provider for another code"
            ),
            // These name the host already.
            SourceError::NotConfigured | SourceError::Exchange(http::Failure::Unreachable(_)) => {
                error.to_string()
            }
            other => format!("{host}: {other}"),
        };
        let retry_after = match error {
            SourceError::Status { retry_after, .. } => *retry_after,
            _ => None,
        };
        Self { code: error.code(), message, retry_after }
    }
}

/// The part that keeps what is pending, and tries it again.
pub struct Activations {
    /// What all tasks share.
    pub context: Context,
    /// Where documents come from and whose signatures count.
    pub documents: DocumentSource,
}

impl Activations {
    /// Works until every sender of requests is gone.
    pub async fn run(self, mut requests: mpsc::Receiver<ActivationRequest>) {
        let note = self.context.store.note(NoteName::Activation).await.ok().flatten();
        let mut waiting: Waiting = read_note(NoteName::Activation, note).unwrap_or_default();
        loop {
            self.show(&waiting);
            let due = waiting.first().map(|pending| pending.due(self.context.clock.now()));
            let clock = self.context.clock;
            tokio::select! {
                request = requests.recv() => match request {
                    None => return,
                    Some(request) => self.grant(&mut waiting, request).await,
                },
                () = clock.sleep_until(due.unwrap_or(jiff::Timestamp::MAX)) => {
                    let Some(pending) = waiting.first().cloned() else { continue };
                    // A long wait is cut into hours.
                    if due.is_none_or(|due| clock.now() < due) {
                        continue;
                    }
                    // A request does not wait for the provider's answer to another.
                    tokio::select! {
                        asked = ask_vendor(&self.documents, &clock, &self.context.health, &pending.sub) => {
                            self.answered(&mut waiting, pending, asked).await;
                        }
                        request = requests.recv() => match request {
                            None => return,
                            Some(request) => self.grant(&mut waiting, request).await,
                        },
                    }
                }
            }
        }
    }

    fn show(&self, waiting: &Waiting) {
        *self.context.health.activations() = waiting.shown();
    }

    async fn grant(&self, waiting: &mut Waiting, request: ActivationRequest) {
        // The requester may have gone.
        match request {
            ActivationRequest::Keep(keep, reply) => drop(reply.send(self.keep(waiting, *keep).await)),
            ActivationRequest::Cancel(role, reply) => drop(reply.send(self.cancel(waiting, role).await)),
            ActivationRequest::Came { role, sub, added } => {
                let of_role = waiting.of(role).as_ref().map(|pending| pending.sub == sub);
                match of_role {
                    Some(true) => {
                        *waiting.of(role) = None;
                        self.note(waiting).await;
                    }
                    Some(false) if added => {
                        if let Err(error) = self.end(waiting, &[role], "replaced").await {
                            log_event!(ACTIVATION_NOT_DROPPED, %error);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    async fn keep(&self, waiting: &mut Waiting, keep: Keep) -> Result<(PendingActivation, bool), StoreError> {
        let Keep { sub, role, failure } = keep;
        let now = self.context.clock.now();
        let mut next = waiting.clone();
        let known = next.of(role).take_if(|pending| pending.sub == sub);
        let (again, replaces) = (known.is_some(), next.of(role).is_some());
        let mut pending = known.unwrap_or_else(|| Pending {
            sub,
            role,
            since: now,
            next_try_at: now,
            tries: 0,
            failure: failure.clone(),
        });
        self.put_off(&mut pending, failure);
        let shown = pending.shown();
        *next.of(role) = Some(pending);
        let PendingActivation { code, message, .. } = shown.clone();
        let event = Operational::ActivationPending { role, since: shown.since, code, message, replaces };
        self.report(&next, if again { Vec::new() } else { vec![event] }).await?;
        *waiting = next;
        // A subscriber may read at once.
        self.show(waiting);
        Ok((shown, replaces))
    }

    async fn cancel(
        &self,
        waiting: &mut Waiting,
        role: Option<Role>,
    ) -> Result<Vec<PendingActivation>, StoreError> {
        let roles: Vec<Role> = match role {
            Some(role) => vec![role],
            None => vec![Role::Active, Role::Reserve],
        };
        self.end(waiting, &roles, "cancelled").await
    }

    /// Ends those of these roles that wait, and tells why.
    async fn end(
        &self,
        waiting: &mut Waiting,
        roles: &[Role],
        why: &'static str,
    ) -> Result<Vec<PendingActivation>, StoreError> {
        let mut next = waiting.clone();
        let ended: Vec<_> = roles.iter().filter_map(|role| next.of(*role).take()).collect();
        let cancelled = |p: &Pending| Operational::ActivationCancelled { role: p.role, since: p.since, why };
        if !ended.is_empty() {
            self.report(&next, ended.iter().map(cancelled).collect()).await?;
            *waiting = next;
            self.show(waiting);
        }
        Ok(ended.iter().map(Pending::shown).collect())
    }

    fn put_off(&self, pending: &mut Pending, failure: Failure) {
        let most = self.documents.source.interval;
        let wait = after_failure(pending.tries, failure.retry_after, most);
        pending.failed(self.context.clock.now(), failure, wait);
    }

    async fn answered(
        &self,
        waiting: &mut Waiting,
        mut pending: Pending,
        asked: Result<Offered, SourceError>,
    ) {
        let role = pending.role;
        let failure = match asked {
            Err(error) => Failure::of(&error, &self.documents.source),
            Ok(offered) => match self.context.engine.command(order(role, offered)).await {
                // Taken or refused: the engine has told it.
                Ok(_) => {
                    *waiting.of(role) = None;
                    return self.note(waiting).await;
                }
                Err(error) => {
                    Failure { code: FailureCode::NotKept, message: error.to_string(), retry_after: None }
                }
            },
        };
        log_event!(ACTIVATION_WAITS, code = &*failure.code.code(), role = role.as_str());
        self.put_off(&mut pending, failure);
        if pending.is_hopeless(self.context.clock.now()) {
            let PendingActivation { since, code, message, .. } = pending.shown();
            let mut next = waiting.clone();
            *next.of(role) = None;
            let event = Operational::ActivationFailed { role, since, code, message };
            if self.report(&next, vec![event]).await.is_ok() {
                *waiting = next;
                return;
            }
        }
        *waiting.of(role) = Some(pending);
        self.note(waiting).await;
    }

    /// Tells events and keeps what waits in one transaction.
    async fn report(&self, waiting: &Waiting, events: Vec<Operational>) -> Result<(), StoreError> {
        let note = serde_json::to_string(waiting).unwrap_or_default();
        let report = AgentReport { events, condition: None, notes: vec![(NoteName::Activation, note)] };
        self.context.engine.command(Command::AgentReport(Box::new(report))).await.map(drop)
    }

    /// Keeps what waits. Where that fails, the next start tries what is over once more, and nothing comes of it.
    async fn note(&self, waiting: &Waiting) {
        let note = serde_json::to_string(waiting).unwrap_or_default();
        let commit = Commit { notes: vec![(NoteName::Activation, note)], ..Commit::default() };
        if let Err(error) = self.context.store.commit(commit).await {
            log_event!(ACTIVATION_NOTE, %error);
        }
    }
}
