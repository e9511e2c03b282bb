//! What the other parts know of the engine: what can be asked, what comes of it, and what it shows.

use crate::permits::permit_file::PermitFile;
use crate::storage::{NoteName, Quarantined, StoreError, StoredDocument};
use jiff::Timestamp;
use std::sync::Arc;
use svm_core::ask::ask;
use svm_core::documents::{Document, Sub};
use svm_core::events::Operational;
use svm_core::subscription::{DeviceStatus, Event, Kind, Permit, Reason, Refusal, Resource, State};
use svm_core::words::refusals::with_way_out;
use tokio::sync::{mpsc, oneshot, watch};

/// A document as it came: verified, or refused already.
pub type Offered = Result<Document, Refusal>;

/// What can be asked of the engine.
pub enum Command {
    /// Activate a code or a file.
    Activate(Box<Offered>),
    /// Add a reserve key.
    AddReserve(Box<Offered>),
    /// The vendor published this.
    Publish(Box<Offered>),
    RemoveKey(String),
    /// So many devices are protected.
    Devices(Option<u64>),
    /// Store a report of the whole status. [`Outcome::taken`] is false, and nothing is stored, if the state has changed
    /// since the status was built.
    StatusReport(Box<StatusReport>),
    /// A destination refused these events, each with its type, for what is in them.
    Quarantine(Vec<(Quarantined, String)>),
    /// A destination has another event under this number, and knows numbers up to `highest`: what waits for it goes on
    /// above. [`Outcome::taken`] says whether it does; not, where that happens too often.
    GoOnAbove {
        destination: String,
        sequence: u64,
        /// The highest that it knows.
        highest: u64,
    },
    /// A part of the agent has something to tell, or to keep.
    AgentReport(Box<AgentReport>),
    /// This permit is carried out, by these.
    Enforced(Resource, Permit, Vec<String>),
    /// Spend one run of a permit, if there is one; a unit that is refused is owed a start.
    Take(Resource, Option<String>),
    /// Nothing but an answer.
    Alive,
    /// Go by the wall clock, whatever is held against it.
    ResetClock,
    /// These units no longer wait for their permit.
    StartsSettled(Vec<String>),
    /// These units were stopped for want of a permit.
    StartsPending(Vec<String>),
}

/// A report of the whole status.
pub struct StatusReport {
    /// The state that the status shows.
    pub of: Arc<State>,
    /// The machine's name, in this event and all that follow.
    pub hostname: String,
    pub status: serde_json::Value,
}

/// What a part of the agent has to tell; kept in one transaction.
#[derive(Default)]
pub struct AgentReport {
    pub events: Vec<Operational>,
    /// A reason for the device status begins or ends.
    pub condition: Option<(Reason, Option<DeviceStatus>)>,
    /// Named notes, which outlast a restart.
    pub notes: Vec<(NoteName, String)>,
}

/// What an order came to.
#[derive(Debug)]
pub struct Outcome {
    pub at: Timestamp,
    /// What happened, already kept.
    pub events: Vec<Event>,
    /// Whether a document was taken; a revision may change what no event tells, such as the vendor's address. Of
    /// [`Command::GoOnAbove`]: whether the numbers go on.
    pub taken: bool,
    /// Of [`Command::Take`]: whether one run may be made now.
    pub run: Option<Run>,
}

/// What came of asking for one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// It may be made: there is no limit, or one was spent.
    Granted,
    /// The permit is stopped.
    Stopped,
    /// All that is allowed is spent; the next may be made then.
    SpentUntil(Timestamp),
}

impl Outcome {
    /// The refusal among the events, its message with the way out.
    pub fn refusal(&self) -> Option<Refusal> {
        self.events.iter().find_map(|event| match &event.kind {
            Kind::KeyRejected { code, message, way_out, .. } => {
                Some(Refusal::new(*code, with_way_out(message, way_out.as_ref())))
            }
            Kind::DocumentsRejected { code, message, .. } => Some(Refusal::new(*code, message.clone())),
            _ => None,
        })
    }
}

/// The document of the active key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The name of its published file.
    pub sub: Sub,
    /// Who speaks for it.
    pub issuer: String,
    /// What tells the text that is held from other revisions.
    pub digest: String,
}

/// What the engine shows to the other parts.
#[derive(Clone, Debug)]
pub struct EngineSnapshot {
    pub state: Arc<State>,
    /// The document of the active key, and where it is published.
    pub active: Option<Published>,
    /// The document of the reserve key.
    pub reserve: Option<Arc<StoredDocument>>,
    /// Until when each permit holds.
    pub permits: Vec<PermitFile>,
    /// The next instant at which time alone changes something.
    pub next_change: Option<Timestamp>,
    /// What is wrong with the store.
    pub store_problem: Option<String>,
    /// How many events the store dropped since the engine began, as far as that was reported.
    pub dropped: u64,
    /// Which start of the agent this is, as its events say.
    pub instance: String,
}

/// An order, and where its outcome goes.
pub(super) struct Request {
    pub(super) order: Command,
    pub(super) reply: oneshot::Sender<Result<Outcome, StoreError>>,
}

/// How the other parts speak to the engine.
#[derive(Clone)]
pub struct Handle {
    pub(super) orders: mpsc::Sender<Request>,
    /// What the engine shows.
    pub snapshot: watch::Receiver<EngineSnapshot>,
    /// Changes when there may be more to send.
    pub outbox: watch::Receiver<u64>,
    /// The permits as they were last written; a tighter one is seen before it is kept.
    pub permits: watch::Receiver<Vec<PermitFile>>,
    pub(super) outbox_changed: watch::Sender<u64>,
}

impl Handle {
    /// There may be more to send, though the engine kept nothing new.
    pub fn check_outbox(&self) {
        self.outbox_changed.send_modify(|n| *n += 1);
    }

    /// Has an order carried out.
    ///
    /// # Errors
    /// It could not be kept, and nothing of it is in force.
    pub async fn command(&self, order: Command) -> Result<Outcome, StoreError> {
        ask(&self.orders, |reply| Request { order, reply }).await.ok_or(StoreError::Closed)?
    }
}
