//! The real store behind the few calls that are tested, and the program that makes them in random order.

use super::dice::Dice;
use super::model::Stored;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use svm_agent::identity::Binding;
use svm_agent::storage::{
    Above, Commit, Listing, NoteName, Opened, Plan, Quarantined, Reading, Route, Store, StoreError,
    StoredDocument,
};
use svm_core::events::{Drops, Filter, REPORT, Record};
use svm_core::subscription::{Enforcement, Severity, State};
use uuid::Uuid;

/// Every destination; the last comes and goes.
pub(crate) const DESTINATIONS: [&str; 3] = ["console", "siem", "archive"];

/// Room for about so many events, where there is little.
const ROOM: u64 = 60;

/// A call of the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    Open {
        destinations: Vec<String>,
        history: u32,
        /// Whether there is little room.
        tight: bool,
    },
    /// Events are numbers, from `first`; the last is a report, or not. States, documents and notes are numbers too.
    Commit {
        first: u64,
        events: u64,
        report: bool,
        state: Option<u64>,
        documents: Option<u64>,
        note: Option<u64>,
        /// Whether it tells of a rebuilding, and of what was dropped.
        reported: bool,
        reports_drops: bool,
        urgent: bool,
        /// A destination, and the number above which what waits for it goes on.
        above: Option<(String, u64)>,
        /// Destination and sequence.
        quarantined: Vec<(String, u64)>,
        /// What happened before this event.
        expire_before: Option<u64>,
    },
    Next {
        destination: String,
        after: u64,
        received: u64,
        most: usize,
        bytes: usize,
    },
    Delivered {
        destination: String,
        sequence: u64,
    },
    SetRetry {
        destination: String,
        retry: u64,
    },
    /// One event, or all.
    Requeue {
        event: Option<u64>,
    },
    /// Several calls that look where each event is, and change nothing.
    Tick,
    Safe,
    Close,
}

impl Step {
    /// Whether the recovery file has to follow it.
    pub(crate) fn changes(&self) -> bool {
        matches!(self, Self::Commit { state, documents, .. } if state.is_some() || documents.is_some())
    }

    /// Whether it is sure that a commit writes.
    pub(crate) fn writes(&self) -> bool {
        let Self::Commit { events, note, .. } = self else { return false };
        *events > 0 || note.is_some() || self.changes()
    }

    /// Whether events may be dropped by it.
    pub(crate) fn may_drop(&self, tight: bool) -> bool {
        matches!(self, Self::Commit { events, expire_before, .. } if tight && *events > 0 || expire_before.is_some())
    }

    pub(crate) fn requeues(&self, of: u64) -> bool {
        matches!(self, Self::Requeue { event } if event.is_none_or(|event| event == of))
    }

    pub(crate) fn read_all(destination: &str) -> Self {
        let destination = destination.to_owned();
        Self::Next { destination, after: 0, received: 0, most: 1_000_000, bytes: usize::MAX }
    }
}

/// What was given out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Given {
    pub(crate) sequence: u64,
    pub(crate) event: u64,
    pub(crate) skipped_from: Option<u64>,
}

/// Where an event is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Placed {
    pub(crate) event: u64,
    pub(crate) waiting: Vec<String>,
    pub(crate) quarantined: Vec<String>,
}

/// How much was dropped and not told.
#[derive(Clone, Default, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unreported {
    pub(crate) destinations: BTreeMap<String, u64>,
    pub(crate) events: u64,
}

/// What is in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) stored: Option<Stored>,
    pub(crate) events: Vec<Placed>,
    pub(crate) unreported: Unreported,
    pub(crate) retry: BTreeMap<String, Option<u64>>,
    /// All that waits, by destination, where it was read.
    pub(crate) waiting: BTreeMap<String, Vec<Given>>,
}

/// What a call answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Given(Vec<Given>),
    Moved(u64),
    Tick(Found),
}

// The store's own words.

fn state(n: u64) -> State {
    // Of many sizes: a text that is torn is not whole.
    let pending_starts = (0..n % 40).map(|i| format!("unit {i} of {n}")).collect();
    let enforcement = Enforcement { pending_starts, ..Enforcement::default() };
    match n {
        0 => State::default(),
        _ => State { protected_devices: Some(n), enforcement, ..State::default() },
    }
}

fn documents(n: u64) -> Vec<StoredDocument> {
    let document = |i| {
        let key = format!("KEY-{i}");
        StoredDocument {
            key,
            issuer: "i".into(),
            sub: format!("{n}"),
            jws: "j".repeat(usize::try_from(n % 999).unwrap()),
        }
    };
    if n == 0 { Vec::new() } else { (0..=n % 2).map(document).collect() }
}

fn severity(event: u64) -> Severity {
    [Severity::Info, Severity::Warning, Severity::Failure, Severity::Critical]
        [usize::try_from(event % 4).unwrap()]
}

fn filter(destination: &str) -> Filter {
    let types = |types: &[&str]| types.iter().map(|text| text.parse().unwrap()).collect();
    match destination {
        "siem" => Filter { least: Severity::Warning, ..Filter::default() },
        "archive" => Filter { types: types(&["devices.*", "agent.report"]), ..Filter::default() },
        _ => Filter::default(),
    }
}

/// Whether an event goes to a destination, told a second time.
pub(crate) fn takes(destination: &str, event: u64, report: bool) -> bool {
    match destination {
        "siem" => !report && !event.is_multiple_of(4),
        "archive" => report || !event.is_multiple_of(3),
        _ => true,
    }
}

/// Short: one read must give everything that waits.
fn body(event: u64) -> String {
    format!("{{\"id\":{event}}}")
}

/// How long the body of an event is, in bytes.
pub(crate) fn length(event: u64) -> usize {
    body(event).len()
}

fn time(event: u64) -> Timestamp {
    Timestamp::from_second(event.cast_signed()).unwrap()
}

fn record(event: u64, report: bool) -> Record {
    let type_name = if event.is_multiple_of(3) { "subscription.expired" } else { "devices.limit" };
    Record {
        id: Uuid::from_u128(event.into()),
        type_name: if report { REPORT } else { type_name },
        severity: if report { Severity::Info } else { severity(event) },
        time: time(event),
        subject: None,
        object: None,
        description: "x".repeat(usize::try_from(event % 1500).unwrap()),
        body: body(event),
    }
}

fn event(id: &str) -> u64 {
    u64::try_from(Uuid::parse_str(id).unwrap().as_u128()).unwrap()
}

/// Runs what is asynchronous to its end.
pub(crate) fn wait_for<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Opens the store as a step says. An id that is not there yet is `id`.
pub(crate) fn open(folder: &Path, step: &Step, id: &str) -> Result<(Store, Opened), StoreError> {
    let Step::Open { destinations, history, tight } = step else { panic!("{step:?} opens nothing") };
    let route = |name: &String| Route { name: name.clone(), filter: filter(name) };
    let bytes = if *tight { ROOM * 530 } else { 1 << 40 };
    let bounds = svm_agent::config::Retention { history: *history, bytes };
    let plan = Plan { routes: destinations.iter().map(route).collect(), bounds };
    Store::open(folder, plan, Timestamp::UNIX_EPOCH, &Binding::default(), || id.to_owned())
}

/// Makes a call.
pub(crate) async fn call(store: &Store, step: Step) -> Result<Answer, StoreError> {
    match step {
        Step::Open { .. } => {}
        Step::Close => store.close().await,
        Step::Safe => store.safe().await,
        Step::Tick => return Ok(Answer::Tick(tick(store).await?)),
        Step::Commit { .. } => drop(store.commit(commit_of(step)).await?),
        Step::Delivered { destination, sequence } => store.delivered(&destination, sequence).await?,
        Step::SetRetry { destination, retry } => store.set_retry(&destination, retry.to_string()).await?,
        Step::Requeue { event } => {
            let id = event.map(|event| Uuid::from_u128(event.into()).to_string());
            return Ok(Answer::Moved(store.requeue(id).await?));
        }
        Step::Next { destination, after, received, most, bytes } => {
            let given = store.next(&destination, Reading { after, received, most, bytes }).await?;
            let given = given.iter().map(|outgoing| {
                let event = event(&outgoing.id);
                assert_eq!(outgoing.body, body(event));
                Given { sequence: outgoing.sequence, event, skipped_from: outgoing.skipped_from }
            });
            return Ok(Answer::Given(given.collect()));
        }
    }
    Ok(Answer::Done)
}

fn commit_of(step: Step) -> Commit {
    let Step::Commit { first, events, report, state: s, documents: p, note, .. } = step else {
        panic!("{step:?} is no commit")
    };
    let Step::Commit { reported, reports_drops, urgent, above, quarantined, expire_before, .. } = step else {
        unreachable!()
    };
    let mut notes: Vec<_> = note.iter().map(|n| (NoteName::Source, n.to_string())).collect();
    notes.extend(reported.then(|| (NoteName::Rebuilt, String::new())));
    notes.extend(reports_drops.then(|| (NoteName::Dropped, String::new())));
    let records = (first..first + events).map(|n| record(n, report && n == first + events - 1));
    let quarantined = quarantined.into_iter().map(|(destination, sequence)| Quarantined {
        destination,
        sequence,
        id: String::new(),
        code: svm_core::failure_code::FailureCode::Http(400),
        answer: "no".to_owned(),
        at: Timestamp::UNIX_EPOCH,
    });
    Commit {
        state: s.map(state),
        documents: p.map(documents),
        above: above.map(|(destination, number)| Above { destination, number }),
        records: records.collect(),
        notes,
        quarantined: quarantined.collect(),
        expire_before: expire_before.map(time),
        urgent,
    }
}

/// Where each event is, and what was dropped; changes nothing.
async fn tick(store: &Store) -> Result<Found, StoreError> {
    let rows = store.events(Listing { most: usize::MAX, ..Listing::default() }).await?;
    let events = rows.into_iter().map(|row| Placed {
        event: event(&row.id),
        waiting: row.waiting_for,
        quarantined: row.quarantined_by,
    });
    // Another call may be first in reading the note, and nothing is dropped by it.
    let Drops { dropped, destinations } = store.commit(Commit::default()).await?;
    let unreported = Unreported { destinations, events: dropped.iter().map(|dropped| dropped.count).sum() };
    let mut retry = BTreeMap::new();
    for name in DESTINATIONS {
        retry.insert(name.to_owned(), store.retry(name).await?.map(|text| text.parse().unwrap()));
    }
    Ok(Found { stored: None, events: events.collect(), unreported, retry, waiting: BTreeMap::new() })
}

/// Looks, and reads everything that waits, which gives it out.
pub(crate) fn found(store: &Store, open: &Step, stored: Option<Stored>) -> Result<Found, String> {
    let Step::Open { destinations, .. } = open else { panic!("{open:?} opens nothing") };
    let failed = |error: StoreError| error.to_string();
    let mut found = wait_for(tick(store)).map_err(failed)?;
    for name in destinations {
        let Answer::Given(given) = wait_for(call(store, Step::read_all(name))).map_err(failed)? else {
            panic!("a read gives")
        };
        found.waiting.insert(name.clone(), given);
    }
    Ok(Found { stored, ..found })
}

/// Which state, documents and note these are; an error where they are none that was ever made.
pub(crate) fn stored(opened: &Opened) -> Result<Stored, String> {
    let stored = Stored {
        state: opened.state.protected_devices.unwrap_or(0),
        documents: opened.documents.first().map_or(0, |document| document.sub.parse().unwrap()),
        note: opened.source_note.as_ref().map_or(0, |note| note.parse().unwrap()),
        rebuilt: opened.rebuilt.is_some(),
    };
    let whole = state(stored.state) == opened.state && documents(stored.documents) == opened.documents;
    if whole {
        Ok(stored)
    } else {
        Err(format!("{stored:?} is not whole: {:?}, {:?}", opened.state, opened.documents))
    }
}

// The program.

/// What the program is to do, from its environment.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) folder: PathBuf,
    /// Where it writes its marks.
    pub(crate) marks: PathBuf,
    pub(crate) id: String,
    pub(crate) seed: u64,
    pub(crate) steps: usize,
    /// One in so many commits is large.
    pub(crate) large: usize,
    /// The first number that is free for an event or anything else.
    pub(crate) first: u64,
}

/// What the program says of its calls, one line each: they are in the trace among the writes and syncs.
#[derive(Serialize, Deserialize)]
pub(crate) enum Mark {
    Asked(usize, Step),
    Answered(usize, Answer),
}

#[derive(Clone)]
struct Marks(Arc<File>);

impl Marks {
    fn write(&self, mark: &Mark) {
        let line = serde_json::to_vec(mark).unwrap();
        (&*self.0).write_all(&line).unwrap();
    }
}

/// A random opening: one destination is there, or not; much history or little; much room or little.
pub(crate) fn opening(dice: &mut Dice) -> Step {
    let all = if dice.one_in(3) { &DESTINATIONS[..2] } else { &DESTINATIONS };
    let destinations = all.iter().map(|name| (*name).to_owned()).collect();
    Step::Open { destinations, history: [3, 10_000][dice.below(2)], tight: dice.one_in(3) }
}

/// A random commit, one in `large` of many events; takes numbers from `free`.
pub(crate) fn commit(dice: &mut Dice, free: &mut u64, large: usize) -> Step {
    let mut number = |often: usize, dice: &mut Dice| {
        let taken = dice.one_in(often).then_some(*free);
        *free += 1;
        taken
    };
    let (state, documents, note) = (number(3, dice), number(6, dice), number(5, dice));
    let events = match dice.below(3) {
        _ if dice.one_in(large) => dice.below(150),
        0 => dice.below(5),
        _ => 1,
    };
    let events = u64::try_from(events).unwrap();
    let first = *free;
    *free += events;
    Step::Commit {
        first,
        events,
        report: dice.one_in(3),
        state,
        documents,
        note,
        reported: dice.one_in(9),
        reports_drops: dice.one_in(4),
        urgent: dice.one_in(9),
        above: None,
        quarantined: Vec::new(),
        expire_before: (events > 0 && dice.one_in(20)).then(|| first.saturating_sub(40)),
    }
}

/// What the program knows of a destination.
#[derive(Default)]
struct Sent {
    /// What it was given last, and is not delivered or refused.
    given: Vec<Given>,
    delivered: u64,
}

impl Sent {
    fn last(&self) -> u64 {
        self.given.last().map_or(self.delivered, |given| given.sequence)
    }

    /// The next call of a delivery.
    fn step(&mut self, destination: &str, dice: &mut Dice) -> Step {
        let destination = destination.to_owned();
        match dice.below(7) {
            0 | 1 if !self.given.is_empty() => {
                let upto = dice.below(self.given.len());
                let sequence = self.given[upto].sequence;
                self.given.drain(..=upto);
                self.delivered = self.delivered.max(sequence);
                Step::Delivered { destination, sequence }
            }
            2 => Step::SetRetry { destination, retry: dice.below(1000) as u64 },
            read => {
                // From the beginning, on from what is under way, or past what was refused.
                let (after, received) = match read {
                    3 => (self.last(), self.last()),
                    4 => (self.last(), 0),
                    _ => (0, 0),
                };
                let (most, bytes) =
                    ([1, 20, 500][dice.below(3)], [60, usize::MAX, usize::MAX][dice.below(3)]);
                Step::Next { destination, after, received, most, bytes }
            }
        }
    }

    /// Up to three of what was given are refused.
    fn refuse(&mut self, destination: &str, dice: &mut Dice, step: &mut Step) {
        let Step::Commit { quarantined, .. } = step else { return };
        for _ in 0..dice.below(4).min(self.given.len()) {
            let refused = self.given.remove(dice.below(self.given.len()));
            quarantined.push((destination.to_owned(), refused.sequence));
        }
    }

    fn answered(&mut self, given: Vec<Given>) {
        self.given = given.into_iter().filter(|given| given.sequence > self.delivered).collect();
    }
}

/// The calls that are made together: mostly one; now and then several, as the engine and the deliveries make them.
fn crowd(
    dice: &mut Dice,
    free: &mut u64,
    orders: &Orders,
    open: &Step,
    sent: &mut BTreeMap<String, Sent>,
) -> Vec<Step> {
    let Step::Open { destinations, tight, .. } = open else { panic!("{open:?} opens nothing") };
    if orders.large > 1 && dice.one_in(25) {
        // This empties the log.
        return vec![Step::Close];
    }
    let mut steps = Vec::new();
    if dice.one_in(2) {
        let mut step = commit(dice, free, orders.large);
        for name in destinations {
            if !dice.one_in(5) {
                continue;
            }
            sent.entry(name.clone()).or_default().refuse(name, dice, &mut step);
        }
        // One that always is there; nobody else says anything of it meanwhile.
        if let Step::Commit { above, quarantined, .. } = &mut step
            && quarantined.is_empty()
            && dice.one_in(6)
        {
            let name = DESTINATIONS[dice.below(2)].to_owned();
            sent.entry(name.clone()).or_default().given.clear();
            *above = Some((name, dice.below(6000) as u64));
            return vec![step];
        }
        steps.push(step);
    } else if dice.one_in(6) {
        steps.push(Step::Safe);
    } else if dice.one_in(8) {
        let all = dice.one_in(2);
        steps.push(Step::Requeue { event: (!all).then(|| free.saturating_sub(dice.below(30) as u64)) });
    }
    // What is refused is not said to be delivered meanwhile.
    let refuses = matches!(steps.first(), Some(Step::Commit { quarantined, .. }) if !quarantined.is_empty());
    let many = !refuses && dice.one_in(5);
    for name in destinations {
        if steps.is_empty() || many && dice.one_in(2) {
            steps.push(sent.entry(name.clone()).or_default().step(name, dice));
        }
    }
    // What a call drops is looked at before anything else is asked.
    let at = if steps.iter().any(|step| step.may_drop(*tight)) { 1 } else { dice.below(steps.len()) };
    let several = steps.len();
    steps.rotate_left(at % several);
    steps
}

/// Calls the store as the orders say.
pub(crate) async fn work(orders: Orders) {
    let (mut dice, mut free) = (Dice(orders.seed), orders.first);
    let marks = Marks(Arc::new(File::create(&orders.marks).unwrap()));
    let mut sent: BTreeMap<String, Sent> = BTreeMap::new();
    let mut number = 0;
    let mut asked = |step: &Step| {
        number += 1;
        marks.write(&Mark::Asked(number, step.clone()));
        number
    };
    let reopen = |number, step: &Step| {
        let (store, _) = open(&orders.folder, step, &orders.id).unwrap();
        marks.write(&Mark::Answered(number, Answer::Done));
        store
    };
    let mut opened = opening(&mut dice);
    let mut store = reopen(asked(&opened), &opened);
    let mut to_tick = true;
    for _ in 0..orders.steps {
        let steps = match std::mem::take(&mut to_tick) {
            true => vec![Step::Tick],
            false => crowd(&mut dice, &mut free, &orders, &opened, &mut sent),
        };
        let numbers: Vec<usize> = steps.iter().map(&mut asked).collect();
        let mut calls = Vec::new();
        for (number, step) in numbers.into_iter().zip(&steps) {
            let (store, step, marks) = (store.clone(), step.clone(), marks.clone());
            calls.push(tokio::spawn(async move {
                let answer = call(&store, step).await.unwrap();
                marks.write(&Mark::Answered(number, answer.clone()));
                answer
            }));
        }
        let tight = matches!(opened, Step::Open { tight: true, .. });
        for (call, step) in calls.into_iter().zip(&steps) {
            to_tick |= step.may_drop(tight);
            if let (Step::Next { destination, .. }, Answer::Given(given)) = (step, call.await.unwrap()) {
                sent.entry(destination.clone()).or_default().answered(given);
            }
        }
        if matches!(steps[0], Step::Close) {
            opened = opening(&mut dice);
            store = reopen(asked(&opened), &opened);
            to_tick = true;
        }
    }
    // The store's thread has nothing left to do after this, so that what it left can be compared; and no close.
    store.safe().await;
    store.waiting().await.unwrap();
    std::mem::forget(store);
}
