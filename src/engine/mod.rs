//! The engine: one loop around the pure step. An input or a due instant comes, the step says what follows, one
//! transaction stores it, and only then it takes effect.
//!
//! `commands` turns what the other parts ask into inputs, `turn` is input, step, commit and effects, `permits` and
//! `publisher` are the effects, `backlog` holds back what a broken store could not take. It sleeps until the next due
//! instant. Must not know: how the status is built, what is read from the machine, who sends events.

mod backlog;
mod clock_suspicion;
mod commands;
mod handle;
mod pending_input;
mod permits;
mod publisher;
mod renumber;
pub(crate) mod reverts;
mod settings;
mod state;
mod turn;

pub use handle::{
    AgentReport, Command, EngineSnapshot, Handle, Offered, Outcome, Published, Run, StatusReport,
};
pub use settings::EngineSettings;
pub use state::Engine;

use super::identity::{Changed, hostname};
use crate::permits::permit_file::PermitFile;
use crate::storage::{Rebuilt, Store, StoredDocument};
use backlog::Backlog;
use handle::Request;
use jiff::{SignedDuration, Timestamp};
use pending_input::PendingInput;
use permits::PermitWriter;
use publisher::Publisher;
use state::instance;
use std::sync::Arc;
use svm_core::clock::Clock;
use svm_core::events::{Drops, Operational, Origin};
use svm_core::subscription::{DeviceStatus, Input, Reason, State, next_due};
use tokio::sync::{mpsc, watch};

/// How an engine comes to begin.
pub enum StartReason {
    Start {
        /// The SVM has a new id.
        changed: Option<Changed>,
        /// The database was rebuilt.
        rebuilt: Option<Rebuilt>,
    },
    Reloaded {
        /// By their names.
        keys: Vec<String>,
    },
}

/// What an engine is made of.
pub struct EngineParts {
    pub settings: EngineSettings,
    /// The time that the agent trusts.
    pub clock: Clock,
    /// Where everything is stored.
    pub store: Store,
    /// The SVM's id, the source of its events.
    pub id: String,
    /// The state as it was stored.
    pub state: State,
    /// The documents of the keys that are held.
    pub documents: Vec<StoredDocument>,
    /// Where the permits are shown as they are written.
    pub permits: watch::Sender<Vec<PermitFile>>,
}

impl Engine {
    /// An engine over what the store holds.
    pub fn new(parts: EngineParts) -> (Self, Handle) {
        let EngineParts { settings, clock, store, id, mut state, documents, permits } = parts;
        state.learn_issuers(|key| {
            documents
                .iter()
                .find(|document| document.key == key.as_str())
                .map(|document| document.issuer.clone())
        });
        let settings = Arc::new(settings);
        let (orders, requests) = mpsc::channel(64);
        let instance = instance();
        let publisher = Publisher::new(&state, &instance);
        let handle = publisher.handle(orders, permits.subscribe());
        let origin = Origin {
            source: format!("urn:svm:{id}"),
            hostname: hostname(),
            product_name: settings.product_name.clone(),
            product_version: settings.rules.product_version.to_string(),
            instance,
        };
        let engine = Self {
            clock,
            store,
            origin,
            state,
            documents,
            seen: clock.now(),
            requests,
            backlog: Backlog::default(),
            permits: PermitWriter::new(settings.clone(), clock, permits),
            publisher,
            reverts: reverts::Reverts::default(),
            drops: Drops::default(),
            settings,
        };
        (engine, handle)
    }

    /// Catches up with the time that passed, reports that the agent started, and writes the permits: after this they are
    /// right. A store that fails is logged and tried again later; the permits do not wait for it.
    pub async fn begin(&mut self, begin: StartReason) {
        let (mut operational_events, mut lost) = (Vec::new(), false);
        match begin {
            StartReason::Start { changed, rebuilt } => {
                if let Some(Changed { old_id, new_id, why }) = changed {
                    let why = why.as_str();
                    operational_events.push(Operational::IdentityChanged { old_id, new_id, why });
                }
                operational_events.push(Operational::AgentStarted { version: env!("CARGO_PKG_VERSION") });
                if let Some(Rebuilt { problem, set_aside, lost: keys_too, .. }) = rebuilt {
                    lost = keys_too;
                    operational_events.push(Operational::StoreRebuilt { problem, set_aside, lost });
                }
            }
            StartReason::Reloaded { keys } => operational_events.push(Operational::SettingsReloaded { keys }),
        }
        let input = match lost {
            true => Input::Condition(Reason::StateLost, Some(DeviceStatus::Critical)),
            false => Input::Tick,
        };
        // The error is logged, and the status shows it.
        self.turn(PendingInput { operational_events, ..PendingInput::new(input) }).await.ok();
        self.recall_reverts().await;
    }

    /// Works until every [`Handle`] is gone.
    pub async fn run(mut self) {
        loop {
            self.report_drops().await;
            self.report_clock_suspicion().await;
            self.forget_loss().await;
            let (clock, due) = (self.clock, self.due());
            tokio::select! {
                request = self.requests.recv() => match request {
                    None => return,
                    Some(request) => self.answer(request).await,
                },
                () = clock.sleep_until(due) => drop(self.turn(PendingInput::new(Input::Tick)).await),
            }
        }
    }

    async fn answer(&mut self, Request { order, reply }: Request) {
        // Nothing is stored for it, and the store need not be woken.
        let is_alive = matches!(order, Command::Alive);
        let outcome = self.carry_out(order).await;
        if !is_alive {
            self.store.safe().await;
        }
        // The part that asked may have ended.
        reply.send(outcome).ok();
    }

    /// When time alone changes something next.
    fn due(&self) -> Timestamp {
        if let Some(retry_at) = self.backlog.retry_at(self.now()) {
            return retry_at;
        }
        let change = next_due(&self.state, &self.settings.rules, self.seen).unwrap_or(Timestamp::MAX);
        let left =
            SignedDuration::try_from(self.clock.span(self.permits.left())).unwrap_or(SignedDuration::MAX);
        let permits = self.now().checked_add(left).unwrap_or(Timestamp::MAX);
        let obeyed = self.clock.obeys_at().unwrap_or(Timestamp::MAX);
        change.min(permits).min(obeyed)
    }

    /// Reports what was dropped. If that cannot be stored, the store's note remembers it.
    async fn report_drops(&mut self) {
        if self.drops.is_empty() || self.backlog.is_retrying() {
            return;
        }
        let drops = std::mem::take(&mut self.drops);
        let count = drops.dropped.iter().map(|drop| drop.count).sum();
        let operational_events = vec![Operational::EventsDropped(drops)];
        if self.turn(PendingInput { operational_events, ..PendingInput::new(Input::Tick) }).await.is_ok() {
            self.publisher.count_dropped(count);
        }
    }

    /// Ends the reason that the state was lost, once there is a key again.
    async fn forget_loss(&mut self) {
        let lost = self.state.conditions.contains_key(&Reason::StateLost);
        if lost && self.state.active.is_some() && !self.backlog.is_retrying() {
            self.turn(PendingInput::new(Input::Condition(Reason::StateLost, None))).await.ok();
        }
    }
}
