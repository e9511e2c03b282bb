//! The engine: one loop around the pure step. An input or a due instant comes, the step says what follows, one
//! transaction keeps it, and only then anyone is told.
//!
//! One exception, for safety: a permit that gets tighter is written before the transaction, so that stopping
//! never waits for a disk that is full or broken; giving back does wait. It sleeps until the next due instant.

use super::board::Board;
use super::enforcement::permit_file::{self, PermitFile};
use super::settings::Settings;
use super::source::schedule::spread_of;
use super::status::Status;
use super::store::{Commit, Paper, Rebuilt, Store, StoreError};
use crate::clock::Clock;
use crate::documents::{Document, Sub};
use crate::events::{Operational, Origin, Record, Renderer, Skips, Snapshot};
use crate::http::jitter;
use crate::subscription::{
    Event, Input, Kind, Offer, Permit, Refusal, RefusalCode, Resource, Severity, State, Terms, next_due,
    permit_until, step,
};
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// A document as it came: verified, or refused already.
pub type Offered = Result<Document, Refusal>;

/// What can be asked of the engine.
#[derive(Debug)]
pub enum Order {
    /// Activate a code or a file.
    Activate(Box<Offered>),
    /// Add a reserve key.
    AddReserve(Box<Offered>),
    /// The vendor published this.
    Publish(Box<Offered>),
    /// Remove a key.
    RemoveKey(String),
    /// So many devices are protected.
    Devices(Option<u64>),
    /// Send the whole status now.
    Report,
}

/// What an order came to.
#[derive(Debug)]
pub struct Turn {
    /// When.
    pub at: Timestamp,
    /// What happened, already kept.
    pub events: Vec<Event>,
}

impl Turn {
    /// The refusal among the events.
    pub fn refusal(&self) -> Option<Refusal> {
        self.events.iter().find_map(|event| match &event.kind {
            Kind::KeyRejected { code, message, .. } | Kind::DocumentsRejected { code, message, .. } => {
                Some(Refusal::new(*code, message.clone()))
            }
            _ => None,
        })
    }
}

/// What the engine shows to the other parts.
#[derive(Clone, Debug)]
pub struct Picture {
    /// What is kept.
    pub state: Arc<State>,
    /// The published file of the active key, and who speaks for it.
    pub active: Option<(Sub, String)>,
    /// Until when each permit holds.
    pub permits: Vec<PermitFile>,
    /// The next instant at which time alone changes something.
    pub next_change: Option<Timestamp>,
    /// What is wrong with the store.
    pub store_problem: Option<String>,
}

type Request = (Order, oneshot::Sender<Result<Turn, StoreError>>);

/// How the other parts speak to the engine.
#[derive(Clone)]
pub struct Handle {
    orders: mpsc::Sender<Request>,
    /// What the engine shows.
    pub picture: watch::Receiver<Picture>,
    /// Changes when new events were kept.
    pub outbox: watch::Receiver<u64>,
}

impl Handle {
    /// Has an order carried out.
    ///
    /// # Errors
    /// It could not be kept, and nothing of it is in force.
    pub async fn order(&self, order: Order) -> Result<Turn, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.orders.send((order, reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

/// The engine.
pub struct Engine {
    settings: Arc<Settings>,
    clock: Clock,
    store: Store,
    board: Arc<Board>,
    origin: Origin,
    id: String,
    permits: PathBuf,
    state: State,
    papers: Vec<Paper>,
    orders: mpsc::Receiver<Request>,
    picture: watch::Sender<Picture>,
    outbox: watch::Sender<u64>,
    /// Time that was seen; the engine's own time never goes back.
    seen: Timestamp,
    /// When the permits were written, and what they said.
    written: Option<(Timestamp, Vec<PermitFile>)>,
    report_at: Timestamp,
    /// After the store failed: when to try again, and how often it failed.
    retry: Option<(Timestamp, u32)>,
    store_problem: Option<String>,
}

impl Engine {
    /// An engine over what the store holds.
    pub fn new(
        settings: Arc<Settings>,
        clock: Clock,
        store: Store,
        board: Arc<Board>,
        id: &str,
        (state, papers): (State, Vec<Paper>),
    ) -> (Self, Handle) {
        let (orders, queue) = mpsc::channel(64);
        let shown = Picture {
            state: Arc::new(state.clone()),
            active: None,
            permits: Vec::new(),
            next_change: None,
            store_problem: None,
        };
        let (picture, picture_seen) = watch::channel(shown);
        let (outbox, outbox_seen) = watch::channel(0);
        let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let origin = Origin {
            source: format!("urn:svm:{id}"),
            hostname,
            product_name: settings.product_name.clone(),
            product_version: settings.rules.product_version.to_string(),
        };
        let permits = permit_file::folder(&settings.runtime_dir);
        let (seen, id) = (clock.now(), id.to_owned());
        let engine = Self {
            settings,
            clock,
            store,
            board,
            origin,
            id,
            permits,
            state,
            papers,
            orders: queue,
            picture,
            outbox,
            seen,
            written: None,
            report_at: seen,
            retry: None,
            store_problem: None,
        };
        (engine, Handle { orders, picture: picture_seen, outbox: outbox_seen })
    }

    /// Tells what was slept through and that the agent started, and writes the permits: after this they are
    /// right. A store that fails is told and tried again later; the permits do not wait for it.
    pub async fn begin(&mut self, rebuilt: Option<Rebuilt>) {
        let mut told = vec![Operational::AgentStarted { version: env!("CARGO_PKG_VERSION") }];
        if let Some(Rebuilt { problem, set_aside, ceilings }) = rebuilt {
            // One range serves all destinations: they count alike since they were made together.
            let skips = ceilings.values().max().map(|most| Skips { from: number(1), to: number(*most) });
            told.push(Operational::StoreRebuilt { problem, set_aside, skips });
        }
        // The error was told and is shown in the status.
        let _ = self.turn(Input::Look, None, told).await;
        self.count_devices().await;
        self.plan_report();
    }

    /// Works until the orders end.
    pub async fn run(mut self) {
        loop {
            let (clock, due) = (self.clock, self.due());
            tokio::select! {
                request = self.orders.recv() => match request {
                    None => return,
                    Some((order, reply)) => {
                        let outcome = self.carry_out(order).await;
                        // Whoever asked may have gone.
                        reply.send(outcome).ok();
                    }
                },
                () = clock.sleep_until(due) => self.wake().await,
            }
        }
    }

    fn due(&self) -> Timestamp {
        if let Some((at, _)) = self.retry {
            return at;
        }
        let change = next_due(&self.state, &self.settings.rules, self.seen).unwrap_or(Timestamp::MAX);
        change.min(self.report_at).min(self.permits_due())
    }

    /// Permits are renewed at half of the time that they are good for.
    fn permits_due(&self) -> Timestamp {
        let half = self.settings.permit_max_age / 2;
        self.written.as_ref().and_then(|(at, _)| at.checked_add(half).ok()).unwrap_or(self.seen)
    }

    async fn wake(&mut self) {
        let now = self.clock.now();
        if now >= self.report_at {
            self.count_devices().await;
            self.report().await.ok();
        } else if self.turn(Input::Look, None, Vec::new()).await.is_ok() && now >= self.permits_due() {
            self.write_permits(|_, _| true);
        }
    }

    fn plan_report(&mut self) {
        let every = self.settings.report_every.as_secs().max(1);
        #[expect(clippy::cast_possible_truncation, reason = "less than `every`, which fits")]
        let phase = (spread_of(&self.id) * every as f64) as i64 % every;
        let next = ((self.seen.as_second() - phase).div_euclid(every) + 1) * every + phase;
        self.report_at = Timestamp::from_second(next).unwrap_or(Timestamp::MAX);
    }

    async fn report(&mut self) -> Result<Turn, StoreError> {
        let status = self.status().await;
        let report = serde_json::to_value(&status).unwrap_or_default();
        let turn = self.turn(Input::Look, None, vec![Operational::AgentReport { report }]).await;
        self.plan_report();
        turn
    }

    async fn status(&self) -> Status {
        let waiting = self.store.waiting().await.unwrap_or_default();
        let (picture, now) = (self.picture.borrow(), self.clock.now());
        Status::of(&picture, &self.board, &self.settings, &self.id, &self.origin.hostname, waiting, now)
    }

    /// The number of protected devices, where a file tells it.
    async fn count_devices(&mut self) {
        let Some(file) = self.settings.devices_count_file.clone() else { return };
        let count = std::fs::read_to_string(&file).map_err(|e| e.to_string()).and_then(|text| {
            text.lines().next().unwrap_or_default().trim().parse::<u64>().map_err(|e| e.to_string())
        });
        match count {
            Ok(count) if self.state.protected_devices == Some(count) => {}
            Ok(count) => drop(self.turn(Input::ProtectedDevices(Some(count)), None, Vec::new()).await),
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "the number of protected devices cannot be read; the last one stands")
            }
        }
    }

    async fn carry_out(&mut self, order: Order) -> Result<Turn, StoreError> {
        type Door = fn(Offer) -> Input;
        let (door, offered): (Door, Offered) = match order {
            Order::Activate(offered) => (Input::Activate, *offered),
            Order::AddReserve(offered) => (Input::AddReserve, *offered),
            Order::Publish(offered) => (Input::Publish, *offered),
            Order::RemoveKey(key) => return self.turn(Input::RemoveKey(key), None, Vec::new()).await,
            Order::Devices(count) => {
                return self.turn(Input::ProtectedDevices(count), None, Vec::new()).await;
            }
            Order::Report => return self.report().await,
        };
        let offered = offered.and_then(|document| self.same_issuer(document));
        let offer = offered.as_ref().map(|d| d.statement.clone()).map_err(Clone::clone);
        self.turn(door(offer), offered.ok(), Vec::new()).await
    }

    /// Revisions come from the issuer of the key that is held, whichever door they come through.
    fn same_issuer(&self, document: Document) -> Offered {
        let key = document.statement.key.as_str();
        match self.papers.iter().find(|paper| paper.key == key) {
            Some(paper) if paper.issuer != document.iss => Err(Refusal::new(
                RefusalCode::UntrustedSigner,
                format!(
                    "key {key} was issued by {}, and this document comes from another issuer; ask the issuer of the key",
                    paper.issuer
                ),
            )),
            _ => Ok(document),
        }
    }

    /// One turn: step, persist, then act and tell.
    async fn turn(
        &mut self,
        input: Input,
        document: Option<Document>,
        also: Vec<Operational>,
    ) -> Result<Turn, StoreError> {
        let now = self.clock.now().max(self.seen);
        let (state, events) = step(self.state.clone(), &self.settings.rules, now, input);
        let papers = self.papers_after(&state, document);
        self.tighten(&state, now);
        let records = self.render(&state, now, &events, &also);
        let changed = (state != self.state).then(|| state.clone());
        let papers_changed = (papers != self.papers).then(|| papers.clone());
        if changed.is_some() || papers_changed.is_some() || !records.is_empty() {
            let commit = Commit {
                state: changed,
                papers: papers_changed,
                records: records.clone(),
                notes: Vec::new(),
            };
            if let Err(error) = self.store.commit(commit).await {
                self.not_kept(now, &error);
                return Err(error);
            }
        }
        self.kept();
        (self.state, self.papers, self.seen) = (state, papers, now);
        self.write_permits(|old, new| {
            old.verdict != new.verdict || old.until != new.until || old.rate != new.rate
        });
        self.show();
        if !records.is_empty() {
            self.outbox.send_modify(|n| *n += 1);
        }
        for record in &records {
            log(record);
        }
        Ok(Turn { at: now, events })
    }

    fn kept(&mut self) {
        self.retry = None;
        if let Some(problem) = self.store_problem.take() {
            tracing::info!(was = problem, "the store works again; what was held back is kept now");
        }
    }

    /// Nothing was kept: the state stays as it was, and the same step is taken again soon.
    fn not_kept(&mut self, now: Timestamp, error: &StoreError) {
        let times = self.retry.map_or(0, |(_, times)| times) + 1;
        let cap = Duration::from_secs(1).saturating_mul(1 << times.min(6)).min(Duration::from_secs(60));
        let wait = Duration::from_millis(500) + jitter(cap);
        let at = SignedDuration::try_from(wait).ok().and_then(|wait| now.checked_add(wait).ok());
        self.retry = Some((at.unwrap_or(now), times));
        if self.store_problem.is_none() {
            tracing::error!(%error, "nothing can be kept: no event is told and nothing is given back until the store works; what must stop is stopped");
        }
        self.store_problem = Some(error.to_string());
        self.show();
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

    // Permits.

    fn permit(&self, state: &State, now: Timestamp, resource: Resource) -> PermitFile {
        let horizon = now.checked_add(self.settings.permit_max_age).unwrap_or(Timestamp::MAX);
        let until = permit_until(state, &self.settings.rules, now, resource, horizon);
        let verdict = state.told.permit(resource);
        let after_grace = state.active.as_ref().and_then(|held| match &held.statement.terms {
            Terms::Subscription(s) => Some(self.settings.rules.tighten(resource, s.after_grace.of(resource))),
            Terms::Licence(_) => None,
        });
        PermitFile {
            resource,
            verdict,
            rate: after_grace.filter(|_| verdict == Permit::Limited).and_then(|a| a.rate()),
            phase: state.told.phase,
            cause: state.told.cause,
            until,
            until_boot_ms: PermitFile::boot_ms(&self.clock, until),
            boot_id: crate::clock::boot_id(),
            written_at: now,
        }
    }

    /// Before anything is kept: what must stop, stops.
    fn tighten(&mut self, next: &State, now: Timestamp) {
        for resource in Resource::ALL {
            if rank(next.told.permit(resource)) < rank(self.state.told.permit(resource)) {
                self.write_permit(&self.permit(next, now, resource));
            }
        }
    }

    /// Writes the permits of the kept state, where they differ from what was written as `differs` says.
    fn write_permits(&mut self, differs: impl Fn(&PermitFile, &PermitFile) -> bool) {
        let now = self.seen.max(self.clock.now());
        let permits: Vec<_> = Resource::ALL.map(|resource| self.permit(&self.state, now, resource)).into();
        let old = self.written.as_ref().map(|(_, old)| old.as_slice()).unwrap_or_default();
        let horizon = |p: &PermitFile| p.until.duration_since(p.written_at) >= self.settings.permit_max_age;
        // A permit that only its age would end is not written anew at each turn, but at half its age.
        let same = |old: &PermitFile, new: &PermitFile| {
            old.verdict == new.verdict
                && old.rate == new.rate
                && old.phase == new.phase
                && horizon(old)
                && horizon(new)
        };
        let fresh = self.written.is_some() && now < self.permits_due();
        let stands = old.len() == permits.len()
            && old.iter().zip(&permits).all(|(old, new)| !differs(old, new) || (fresh && same(old, new)));
        if !stands {
            for permit in &permits {
                self.write_permit(permit);
            }
            self.written = Some((now, permits));
        }
    }

    fn write_permit(&self, permit: &PermitFile) {
        if let Err(error) = permit.write(&self.permits) {
            tracing::error!(resource = permit.resource.as_str(), %error, folder = %self.permits.display(), "the permit could not be written; the last one ends by itself");
        }
    }

    fn show(&self) {
        let active = self.state.active.as_ref().and_then(|held| {
            let paper = self.papers.iter().find(|paper| paper.key == held.statement.key.as_str())?;
            Some((paper.sub.parse().ok()?, paper.issuer.clone()))
        });
        self.picture.send_replace(Picture {
            state: Arc::new(self.state.clone()),
            active,
            permits: self.written.as_ref().map(|(_, permits)| permits.clone()).unwrap_or_default(),
            next_change: next_due(&self.state, &self.settings.rules, self.seen),
            store_problem: self.store_problem.clone(),
        });
    }
}

fn rank(permit: Permit) -> u8 {
    match permit {
        Permit::Stopped => 0,
        Permit::Limited => 1,
        Permit::Full => 2,
    }
}

fn number(sequence: u64) -> String {
    format!("{sequence:020}")
}

/// One line for each event that was kept.
fn log(record: &Record) {
    let Record { id, type_name, subject, description, .. } = record;
    let key = subject.as_deref();
    match record.severity {
        _ if *type_name == crate::events::REPORT => {
            tracing::debug!(event = type_name, %id, key, "{description}")
        }
        Severity::Info => tracing::info!(event = type_name, %id, key, "{description}"),
        Severity::Warning => tracing::warn!(event = type_name, %id, key, "{description}"),
        Severity::Failure | Severity::Critical => {
            tracing::error!(event = type_name, %id, key, "{description}")
        }
    }
}
