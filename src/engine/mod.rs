//! The engine: one loop around the pure step. An input or a due instant comes, the step says what follows, one
//! transaction keeps it, and only then anyone is told.
//!
//! One exception, for safety: a permit that gets tighter is written before the transaction, so that stopping
//! never waits for a disk that is full or broken; giving back does wait. It sleeps until the next due instant.

mod doubt;
mod handle;
mod permits;
pub(crate) mod reverts;

pub use handle::{Handle, Offered, Order, Picture, Published, Report, Run, Tell, Turn};

use super::enforcement::permit_file::{self, PermitFile};
use super::identity::{Changed, hostname};
use super::outage::Outage;
use super::settings::Settings;
use super::store::{
    Above, CHANGED_NOTE, Commit, DROPS_NOTE, Paper, Quarantined, REBUILT_NOTE, Rebuilt, Store, StoreError,
    TIME_NOTE,
};
use crate::lines::say;
use handle::Request;
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use svm_core::backoff::Backoff;
use svm_core::clock::Clock;
use svm_core::documents::{Document, text_digest};
use svm_core::events::{Drops, Operational, Origin, QUARANTINED, Record, Refused, Renderer, Snapshot};
use svm_core::sequence::format_sequence;
use svm_core::subscription::{DeviceStatus, Event, Input, Offer, Reason, Severity, State, next_due, step};
use tokio::sync::{mpsc, watch};

/// So much is held back at most; more than a few is a vendor that publishes into a broken disk.
const BACKLOG: usize = 16;

/// A store that failed is tried again after so long at most.
const MOST_PUT_OFF: SignedDuration = SignedDuration::from_secs(60);

/// Between attempts at a store that fails.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(2), MOST_PUT_OFF.unsigned_abs());

/// The way a document comes in.
type Door = fn(Offer) -> Input;

/// What comes into a turn.
#[derive(Clone, Debug)]
struct Step {
    input: Input,
    document: Option<Document>,
    also: Vec<Operational>,
    above: Option<Above>,
    quarantined: Vec<Quarantined>,
    notes: Vec<(&'static str, String)>,
}

impl Step {
    fn new(input: Input) -> Self {
        let (also, quarantined, notes) = (Vec::new(), Vec::new(), Vec::new());
        Self { input, document: None, also, above: None, quarantined, notes }
    }

    /// Whether it came by time or from the vendor: what must stop then, stops even where nothing can be kept.
    /// A command that could not be kept is not in force, and whoever gave it is told so.
    fn by_itself(&self) -> bool {
        matches!(self.input, Input::Look | Input::Publish(_) | Input::Condition(..))
    }
}

/// How an engine comes to begin.
pub enum Begin {
    /// The agent started.
    Start {
        /// The SVM has a new id.
        changed: Option<Changed>,
        /// The database was rebuilt.
        rebuilt: Option<Rebuilt>,
    },
    /// These settings changed.
    Reloaded {
        /// By their names.
        keys: Vec<String>,
    },
}

/// The engine.
pub struct Engine {
    settings: Arc<Settings>,
    clock: Clock,
    store: Store,
    origin: Origin,
    permits: PathBuf,
    state: State,
    papers: Vec<Paper>,
    orders: mpsc::Receiver<Request>,
    picture: watch::Sender<Picture>,
    outbox: watch::Sender<u64>,
    permits_shown: watch::Sender<Vec<PermitFile>>,
    /// The time of the last turn.
    seen: Timestamp,
    /// When the permits are to be written again, by the boot clock, and what they say.
    written: Option<(Duration, Vec<PermitFile>)>,
    /// Why they are not what they say.
    permit_outage: Option<Outage>,
    /// What nobody waits for and could not be kept, in order; nothing overtakes it.
    backlog: VecDeque<Step>,
    /// Whose numbers were taken above others.
    reverts: reverts::Reverts,
    /// What the store dropped and nobody was told yet.
    drops: Drops,
    /// How many dropped events were reported.
    dropped: u64,
    /// After the store failed: when to try again, and how often it failed.
    retry: Option<(Timestamp, u32)>,
    store_problem: Option<String>,
}

impl Engine {
    /// An engine over what the store holds. It tells `permits` those that it writes.
    pub fn new(
        settings: Arc<Settings>,
        clock: Clock,
        store: Store,
        id: &str,
        (mut state, papers): (State, Vec<Paper>),
        permits: &watch::Sender<Vec<PermitFile>>,
    ) -> (Self, Handle) {
        state.learn_issuers(|key| {
            papers.iter().find(|paper| paper.key == key.as_str()).map(|paper| paper.issuer.clone())
        });
        let (orders, queue) = mpsc::channel(64);
        let shown = Picture {
            state: Arc::new(state.clone()),
            active: None,
            reserve: None,
            permits: Vec::new(),
            next_change: None,
            store_problem: None,
            dropped: 0,
        };
        let (picture, picture_seen) = watch::channel(shown);
        let (outbox, outbox_seen) = watch::channel(0);
        let outbox_changed = outbox.clone();
        let (permits_shown, permits_seen) = (permits.clone(), permits.subscribe());
        let origin = Origin {
            source: format!("urn:svm:{id}"),
            hostname: hostname(),
            product_name: settings.product_name.clone(),
            product_version: settings.rules.product_version.to_string(),
            instance: instance(),
        };
        let permits = permit_file::folder(&settings.runtime_dir);
        let seen = clock.now();
        let engine = Self {
            settings,
            clock,
            store,
            origin,
            permits,
            state,
            papers,
            orders: queue,
            picture,
            outbox,
            permits_shown,
            seen,
            written: None,
            permit_outage: None,
            backlog: VecDeque::new(),
            reverts: reverts::Reverts::default(),
            drops: Drops::default(),
            dropped: 0,
            retry: None,
            store_problem: None,
        };
        let handle = Handle {
            orders,
            picture: picture_seen,
            outbox: outbox_seen,
            permits: permits_seen,
            outbox_changed,
        };
        (engine, handle)
    }

    /// Tells what was slept through and that the agent started, and writes the permits: after this they are
    /// right. A store that fails is told and tried again later; the permits do not wait for it.
    pub async fn begin(&mut self, begin: Begin) {
        let (mut told, mut lost) = (Vec::new(), false);
        match begin {
            Begin::Start { changed, rebuilt } => {
                if let Some(Changed { old_id, new_id, why }) = changed {
                    told.push(Operational::IdentityChanged { old_id, new_id, why: why.as_str() });
                }
                told.push(Operational::AgentStarted { version: env!("CARGO_PKG_VERSION") });
                if let Some(Rebuilt { problem, set_aside, lost: keys_too, .. }) = rebuilt {
                    lost = keys_too;
                    told.push(Operational::StoreRebuilt { problem, set_aside, lost });
                }
            }
            Begin::Reloaded { keys } => told.push(Operational::SettingsReloaded { keys }),
        }
        let input = match lost {
            true => Input::Condition(Reason::StateLost, Some(DeviceStatus::Critical)),
            false => Input::Look,
        };
        // The error was told and is shown in the status.
        let _ = self.turn(Step { also: told, ..Step::new(input) }).await;
        self.recall_reverts().await;
    }

    /// Works until the orders end.
    pub async fn run(mut self) {
        loop {
            self.tell_drops().await;
            self.tell_doubt().await;
            self.forget_loss().await;
            let (clock, due) = (self.clock, self.due());
            tokio::select! {
                request = self.orders.recv() => match request {
                    None => return,
                    // Nothing was kept, and the store need not be woken for it.
                    Some((Order::Alive, reply)) => drop(reply.send(Ok(self.nothing()))),
                    Some((order, reply)) => {
                        let outcome = self.carry_out(order).await;
                        self.store.safe().await;
                        // Whoever asked may have gone.
                        reply.send(outcome).ok();
                    }
                },
                () = clock.sleep_until(due) => drop(self.turn(Step::new(Input::Look)).await),
            }
        }
    }

    fn due(&self) -> Timestamp {
        if let Some((at, _)) = self.retry {
            // Not longer than it may be put off, also where time was taken back.
            return self.clock.now().checked_add(MOST_PUT_OFF).map_or(at, |most| at.min(most));
        }
        let change = next_due(&self.state, &self.settings.rules, self.seen).unwrap_or(Timestamp::MAX);
        let left =
            SignedDuration::try_from(self.clock.span(self.permits_left())).unwrap_or(SignedDuration::MAX);
        let permits = self.clock.now().checked_add(left).unwrap_or(Timestamp::MAX);
        let obeyed = self.clock.obeys_at().unwrap_or(Timestamp::MAX);
        change.min(permits).min(obeyed)
    }

    /// Tells what was dropped; where that cannot be kept, the store's note remembers it.
    async fn tell_drops(&mut self) {
        if !self.drops.is_empty() && self.retry.is_none() {
            let drops = std::mem::take(&mut self.drops);
            let count = drops.dropped.iter().map(|drop| drop.count).sum();
            let also = vec![Operational::EventsDropped(drops)];
            if self.turn(Step { also, ..Step::new(Input::Look) }).await.is_ok() {
                self.dropped = self.dropped.saturating_add(count);
                self.show();
            }
        }
    }

    /// That the state was lost is over with the next key.
    async fn forget_loss(&mut self) {
        let lost = self.state.conditions.contains_key(&Reason::StateLost);
        if lost && self.state.active.is_some() && self.retry.is_none() {
            self.turn(Step::new(Input::Condition(Reason::StateLost, None))).await.ok();
        }
    }

    /// Stores a report, unless the state has changed since: it would come after events that it does not show.
    async fn report(&mut self, report: Report) -> Result<Turn, StoreError> {
        let Report { of, hostname, status } = report;
        if *of != self.state {
            return Ok(self.nothing());
        }
        self.origin.hostname = hostname;
        let also = vec![Operational::AgentReport { report: status }];
        let turn = self.turn(Step { also, ..Step::new(Input::Look) }).await?;
        Ok(Turn { taken: true, ..turn })
    }

    async fn carry_out(&mut self, order: Order) -> Result<Turn, StoreError> {
        let (door, offered): (Door, Offered) = match order {
            Order::Activate(offered) => (Input::Activate, *offered),
            Order::AddReserve(offered) => (Input::AddReserve, *offered),
            Order::Publish(offered) => (Input::Publish, *offered),
            Order::RemoveKey(key) => return self.turn(Step::new(Input::RemoveKey(key))).await,
            Order::Devices(count) => {
                return self.turn(Step::new(Input::ProtectedDevices(count))).await;
            }
            Order::Report(report) => return self.report(*report).await,
            Order::Alive => return Ok(self.nothing()),
            Order::ResetClock => return self.reset_clock().await,
            Order::Quarantine(refused) => return self.quarantine(refused).await,
            Order::GoOnAbove { destination, sequence, highest } => {
                let gone_on = self.go_on_above(destination, sequence, highest).await?;
                return Ok(Turn { at: self.now(), events: Vec::new(), taken: gone_on, run: None });
            }
            Order::Tell(tell) => {
                let Tell { events: also, condition, notes } = *tell;
                let condition = condition.map(|(reason, status)| Input::Condition(reason, status));
                return self.turn(Step { also, notes, ..Step::new(condition.unwrap_or(Input::Look)) }).await;
            }
            Order::Enforced(resource, permit, by) => {
                return self.turn(Step::new(Input::Enforced(resource, permit, by))).await;
            }
            Order::Take(resource, unit) => return self.take(resource, unit).await,
            Order::Paid(units) => return self.turn(Step::new(Input::StartSettled(units))).await,
            Order::Owed(units) => {
                let mut last = self.turn(Step::new(Input::Look)).await?;
                for unit in units {
                    last = self.turn(Step::new(Input::StartPending(unit))).await?;
                }
                return Ok(last);
            }
        };
        let offered = offered.and_then(|document| self.learn_time(document, door));
        let offer = offered.as_ref().map(|d| d.statement.clone()).map_err(Clone::clone);
        self.turn(Step { document: offered.ok(), ..Step::new(door(offer)) }).await
    }

    /// Puts what a destination refused into quarantine and tells it, in one commit. That a destination refuses to
    /// hear of refusals is told in the log alone, or it would never end.
    async fn quarantine(&mut self, refused: Vec<(Quarantined, String)>) -> Result<Turn, StoreError> {
        let told = |(refused, r#type): &(Quarantined, String)| {
            let Quarantined { destination, sequence, id, code, answer, .. } = refused;
            say!(
                EVENT_REFUSED of destination,
                destination,
                sequence,
                id,
                r#type,
                code,
                "{destination} refuses an event, which stays here in quarantine: {answer}; look with `svm-agent events show {id}`"
            );
            let sequence = format_sequence(*sequence);
            (r#type != QUARANTINED).then(|| Refused {
                id: id.clone(),
                sequence,
                code: code.clone(),
                answer: answer.clone(),
            })
        };
        let events: Vec<Refused> = refused.iter().filter_map(told).collect();
        let destination = refused.first().map(|(q, _)| q.destination.clone()).unwrap_or_default();
        let quarantined = refused.into_iter().map(|(q, _)| q).collect();
        let also = (!events.is_empty()).then_some(Operational::EventsQuarantined { destination, events });
        let also = also.into_iter().collect();
        self.turn(Step { also, quarantined, ..Step::new(Input::Look) }).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What an order comes to that changes nothing.
    fn nothing(&self) -> Turn {
        Turn { at: self.now(), events: Vec::new(), taken: false, run: None }
    }

    /// One turn: step, persist, then act and tell. What was held back comes before it.
    async fn turn(&mut self, coming: Step) -> Result<Turn, StoreError> {
        let (ahead, urgent) = self.ahead(&coming);
        if coming.by_itself() {
            self.write_permits(self.now(), Some(&ahead));
        }
        let mut told = Vec::new();
        let outcome = self.keep_all(&coming, urgent, &mut told).await;
        match &outcome {
            Ok(turn) => {
                self.kept();
                self.write_permits(turn.at, None);
            }
            Err(error) => self.not_kept(error, coming),
        }
        self.show();
        if !told.is_empty() {
            self.outbox.send_modify(|n| *n += 1);
        }
        for record in &told {
            super::lines::kept(record);
        }
        outcome
    }

    /// The state in which all that is held back and `coming` end, and whether anything Critical comes of it.
    fn ahead(&self, coming: &Step) -> (State, bool) {
        let (mut state, mut critical) = (self.state.clone(), false);
        for held in self.backlog.iter().chain([coming]) {
            let (next, events) = step(state, &self.settings.rules, self.now(), held.input.clone());
            critical |= events.iter().any(|event| event.kind.severity() == Severity::Critical);
            state = next;
        }
        (state, critical)
    }

    /// Keeps what was held back, then `coming`. Adds to `told` what was kept, also where not all was.
    async fn keep_all(
        &mut self,
        coming: &Step,
        urgent: bool,
        told: &mut Vec<Record>,
    ) -> Result<Turn, StoreError> {
        while let Some(held) = self.backlog.front().cloned() {
            self.keep(&held, urgent, told).await?;
            self.backlog.pop_front();
        }
        self.keep(coming, urgent, told).await
    }

    async fn keep(
        &mut self,
        coming: &Step,
        urgent: bool,
        told: &mut Vec<Record>,
    ) -> Result<Turn, StoreError> {
        let now = self.now();
        let (state, events) = step(self.state.clone(), &self.settings.rules, now, coming.input.clone());
        let papers = self.papers_after(&state, coming.document.clone());
        let records = self.render(&state, now, &events, &coming.also);
        // A store that failed is tried with something, or nobody would know that it works again.
        let changed = (state != self.state || self.store_problem.is_some()).then(|| state.clone());
        let taken = papers != self.papers;
        let papers_changed = taken.then(|| papers.clone());
        let asked = !coming.quarantined.is_empty() || !coming.notes.is_empty();
        if changed.is_some() || taken || !records.is_empty() || asked {
            // Told now: the note that it is to be told is over.
            let told_now = coming.also.iter().filter_map(|event| match event {
                Operational::IdentityChanged { .. } => Some((CHANGED_NOTE, String::new())),
                Operational::StoreRebuilt { .. } => Some((REBUILT_NOTE, String::new())),
                Operational::EventsDropped(_) => Some((DROPS_NOTE, String::new())),
                _ => None,
            });
            let is_report = |event: &Operational| matches!(event, Operational::AgentReport { .. });
            let expire_before = || now.checked_sub(self.settings.outbox_max_age).ok();
            let commit = Commit {
                state: changed,
                papers: papers_changed,
                records: records.clone(),
                notes: told_now
                    .chain(coming.notes.iter().cloned())
                    .chain([(TIME_NOTE, self.clock.memory())])
                    .collect(),
                above: coming.above.clone(),
                quarantined: coming.quarantined.clone(),
                expire_before: coming.also.iter().any(is_report).then(expire_before).flatten(),
                urgent,
            };
            self.drops = self.store.commit(commit).await?;
        }
        (self.state, self.papers, self.seen) = (state, papers, now);
        told.extend(records);
        Ok(Turn { at: now, events, taken, run: None })
    }

    fn kept(&mut self) {
        self.retry = None;
        if let Some(problem) = self.store_problem.take() {
            say!(STORE_WORKS, was = problem, "the store works again; what was held back is kept now");
        }
    }

    /// Not everything was kept: the rest of the state stays as it was. What came by itself is tried again soon.
    fn not_kept(&mut self, error: &StoreError, coming: Step) {
        let now = self.now();
        // Time comes again by itself, as do a later report and the store's note of what was dropped; delivery asks
        // for a quarantine again, and the poller offers again what is refused.
        let held = match &coming.input {
            Input::Look | Input::Condition(..) => {
                coming.quarantined.is_empty()
                    && coming.above.is_none()
                    && coming.also.iter().any(Operational::is_told_once)
            }
            Input::Publish(offer) => offer.is_ok() && !self.backlog.iter().any(|h| h.input == coming.input),
            _ => false,
        };
        if held && self.backlog.len() < BACKLOG {
            self.backlog.push_back(coming);
        }
        // Whoever asks meanwhile does not put it off.
        if self.retry.is_none_or(|(at, _)| now >= at) {
            let earlier = self.retry.map_or(0, |(_, times)| times);
            let wait = Duration::from_millis(500) + BACKOFF.jittered(earlier);
            let at = SignedDuration::try_from(wait).ok().and_then(|wait| now.checked_add(wait).ok());
            self.retry = Some((at.unwrap_or(now), earlier + 1));
        }
        if self.store_problem.is_none() {
            say!(STORE_FAILS, %error, "nothing can be kept: {error}; no event is told and nothing is given back until the store works; what must stop is stopped");
        }
        self.store_problem = Some(error.to_string());
    }

    fn papers_after(&self, state: &State, document: Option<Document>) -> Vec<Paper> {
        let mut papers = self.papers.clone();
        if let Some(document) = document {
            let key = &document.statement.key;
            let taken = state.held(key).is_some_and(|(_, held)| held.statement == document.statement);
            let known = self.state.held(key).is_some_and(|(_, held)| held.statement == document.statement);
            let have = papers.iter().any(|paper| paper.key == key.as_str());
            if taken && !(known && have) {
                papers.retain(|paper| paper.key != key.as_str());
                papers.push(Paper {
                    key: key.to_string(),
                    issuer: document.iss,
                    sub: document.sub.as_str().to_owned(),
                    jws: document.text,
                });
            }
        }
        let held = [&state.active, &state.reserve];
        papers.retain(|p| held.iter().any(|h| h.as_ref().is_some_and(|h| h.statement.key.as_str() == p.key)));
        papers
    }

    fn render(&self, state: &State, time: Timestamp, events: &[Event], also: &[Operational]) -> Vec<Record> {
        let renderer =
            Renderer { origin: &self.origin, time, view: &state.told, snapshot: &Snapshot::of(state) };
        let operational = also.iter().map(|event| renderer.operational(event));
        operational.chain(events.iter().map(|event| renderer.life_cycle(event))).collect()
    }

    fn reserve_paper(&self) -> Option<Arc<Paper>> {
        let key = self.state.reserve.as_ref()?.statement.key.as_str();
        self.papers.iter().find(|paper| paper.key == key).cloned().map(Arc::new)
    }

    fn show(&self) {
        let active = self.state.active.as_ref().and_then(|held| {
            let paper = self.papers.iter().find(|paper| paper.key == held.statement.key.as_str())?;
            let (sub, issuer) = (paper.sub.parse().ok()?, paper.issuer.clone());
            Some(Published { sub, issuer, digest: text_digest(&paper.jws) })
        });
        self.picture.send_replace(Picture {
            state: Arc::new(self.state.clone()),
            active,
            reserve: self.reserve_paper(),
            permits: self.written.as_ref().map(|(_, permits)| permits.clone()).unwrap_or_default(),
            next_change: next_due(&self.state, &self.settings.rules, self.seen),
            store_problem: self.store_problem.clone(),
            dropped: self.dropped,
        });
    }
}

/// What tells this start of the agent from all others, here and elsewhere: 62 random bits.
fn instance() -> String {
    let id = uuid::Uuid::now_v7().simple().to_string();
    id.get(16..).unwrap_or_default().to_owned()
}
