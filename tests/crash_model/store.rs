//! The real store behind the few calls that are tested, and the program that makes them in random order.

use super::dice::Dice;
use super::model::Kept;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use svm::agent::store::{Commit, Opened, Paper, REBUILT_NOTE, SOURCE_NOTE, Store, StoreError};
use svm::events::{REPORT, Record};
use svm::subscription::{DeviceStatus, Severity, State};
use uuid::Uuid;

pub(crate) const DESTINATIONS: [&str; 2] = ["console", "siem"];

/// A call of the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    Open,
    /// Events are numbers, from `first`; the last is a report, or not. States, documents and notes are numbers too.
    Commit {
        first: u64,
        events: u64,
        report: bool,
        state: Option<u64>,
        papers: Option<u64>,
        note: Option<u64>,
        /// Whether it tells of a rebuilding.
        told: bool,
        urgent: bool,
        history: u32,
    },
    Next {
        destination: String,
        most: usize,
    },
    Delivered {
        destination: String,
        sequence: u64,
    },
    Close,
}

// The store's own words.

fn state(n: u64) -> State {
    // Of many sizes: a text that is torn is not whole.
    let conditions = (0..n % 40).map(|i| (format!("condition {i} of {n}"), DeviceStatus::Warning));
    match n {
        0 => State::default(),
        _ => State { protected_devices: Some(n), conditions: conditions.collect(), ..State::default() },
    }
}

fn papers(n: u64) -> Vec<Paper> {
    let paper = |i| {
        let key = format!("KEY-{i}");
        Paper {
            key,
            issuer: "i".into(),
            sub: format!("{n}"),
            jws: "j".repeat(usize::try_from(n % 999).unwrap()),
        }
    };
    if n == 0 { Vec::new() } else { (0..=n % 2).map(paper).collect() }
}

fn record(event: u64, report: bool) -> Record {
    Record {
        id: Uuid::from_u128(event.into()),
        type_name: if report { REPORT } else { "devices.limit" },
        severity: Severity::Info,
        time: Timestamp::UNIX_EPOCH,
        subject: None,
        description: "x".repeat(usize::try_from(event % 1500).unwrap()),
        // Short: one read must give everything that waits.
        body: format!("{{\"id\":{event}}}"),
    }
}

/// Runs what is asynchronous to its end.
pub(crate) fn wait_for<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Opens the store. An id that is not there yet is `id`.
pub(crate) fn open(folder: &Path, id: &str) -> Result<(Store, Opened), StoreError> {
    Store::open(folder, &DESTINATIONS, Timestamp::UNIX_EPOCH, || id.to_owned())
}

/// Makes a call. Answers what was given out: sequence and event.
pub(crate) async fn call(store: &Store, step: Step) -> Result<Vec<(u64, u64)>, StoreError> {
    match step {
        Step::Open => {}
        Step::Close => store.close().await,
        Step::Commit { first, events, report, state: s, papers: p, note, told, urgent, history } => {
            let mut notes: Vec<_> = note.iter().map(|n| (SOURCE_NOTE, n.to_string())).collect();
            notes.extend(told.then(|| (REBUILT_NOTE, String::new())));
            let commit = Commit {
                state: s.map(state),
                papers: p.map(papers),
                records: (first..first + events)
                    .map(|n| record(n, report && n == first + events - 1))
                    .collect(),
                notes,
                urgent,
            };
            store.commit(commit, history).await?;
        }
        Step::Delivered { destination, sequence } => store.delivered(&destination, sequence).await?,
        Step::Next { destination, most } => {
            let given = store.next(&destination, most).await?;
            let event = |id: &str| u64::try_from(Uuid::parse_str(id).unwrap().as_u128()).unwrap();
            return Ok(given.iter().map(|outgoing| (outgoing.sequence, event(&outgoing.id))).collect());
        }
    }
    Ok(Vec::new())
}

/// Which state, documents and note these are; an error where they are none that was ever made.
pub(crate) fn kept(opened: &Opened) -> Result<Kept, String> {
    let kept = Kept {
        state: opened.state.protected_devices.unwrap_or(0),
        papers: opened.papers.first().map_or(0, |paper| paper.sub.parse().unwrap()),
        note: opened.source_note.as_ref().map_or(0, |note| note.parse().unwrap()),
        rebuilt: opened.rebuilt.is_some(),
    };
    let whole = state(kept.state) == opened.state && papers(kept.papers) == opened.papers;
    if whole {
        Ok(kept)
    } else {
        Err(format!("{kept:?} is not whole: {:?}, {:?}", opened.state, opened.papers))
    }
}

/// What waits, by destination: sequence and event.
pub(crate) type Waiting = Vec<(&'static str, Vec<(u64, u64)>)>;

/// Everything that waits; reading it gives it out.
pub(crate) fn waiting(store: &Store) -> Result<Waiting, String> {
    let mut waiting = Vec::new();
    for destination in DESTINATIONS {
        let next = Step::Next { destination: destination.to_owned(), most: 1_000_000 };
        waiting.push((destination, wait_for(call(store, next)).map_err(|error| error.to_string())?));
    }
    Ok(waiting)
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
    /// With what was given out.
    Answered(usize, Vec<(u64, u64)>),
}

#[derive(Clone)]
struct Marks(Arc<File>);

impl Marks {
    fn write(&self, mark: &Mark) {
        let line = serde_json::to_vec(mark).unwrap();
        (&*self.0).write_all(&line).unwrap();
    }
}

/// A random commit, one in `large` of many events; takes numbers from `free`.
pub(crate) fn commit(dice: &mut Dice, free: &mut u64, large: usize) -> Step {
    let mut number = |often: usize, dice: &mut Dice| {
        let taken = dice.one_in(often).then_some(*free);
        *free += 1;
        taken
    };
    let (state, papers, note) = (number(3, dice), number(6, dice), number(5, dice));
    let events = match dice.below(3) {
        _ if dice.one_in(large) => dice.below(150),
        0 => dice.below(5),
        _ => 1,
    };
    let events = u64::try_from(events).unwrap();
    let first = *free;
    *free += events;
    let history = [3, 10_000][dice.below(2)];
    Step::Commit {
        first,
        events,
        report: dice.one_in(3),
        state,
        papers,
        note,
        told: dice.one_in(9),
        urgent: dice.one_in(9),
        history,
    }
}

/// Calls the store as the orders say.
pub(crate) async fn work(orders: Orders) {
    let (mut dice, mut free) = (Dice(orders.seed), orders.first);
    let marks = Marks(Arc::new(File::create(&orders.marks).unwrap()));
    let mut given: BTreeMap<String, u64> = BTreeMap::new();
    let mut number = 0;
    let mut asked = |step: &Step| {
        number += 1;
        marks.write(&Mark::Asked(number, step.clone()));
        number
    };
    let reopen = |number| {
        let (store, _) = open(&orders.folder, &orders.id).unwrap();
        marks.write(&Mark::Answered(number, Vec::new()));
        store
    };
    let mut store = reopen(asked(&Step::Open));
    for _ in 0..orders.steps {
        // Mostly one call; now and then several at once, as the engine and the deliveries make them.
        let mut steps = Vec::new();
        if orders.large > 1 && dice.one_in(25) {
            // This empties the log.
            steps.push(Step::Close);
        } else if dice.one_in(2) {
            steps.push(commit(&mut dice, &mut free, orders.large));
        }
        let crowd = dice.one_in(5);
        for destination in DESTINATIONS {
            if steps.is_empty() || crowd && dice.one_in(2) && !matches!(steps[0], Step::Close) {
                let destination = destination.to_owned();
                let last = given.get(&destination).copied().unwrap_or(0);
                steps.push(match dice.below(3) {
                    0 => Step::Delivered { destination, sequence: last - last.min(dice.below(3) as u64) },
                    _ => Step::Next { destination, most: [1, 20, 500][dice.below(3)] },
                });
            }
        }
        let at = dice.below(steps.len());
        steps.rotate_left(at);
        let numbers: Vec<usize> = steps.iter().map(&mut asked).collect();
        let mut calls = Vec::new();
        for (number, step) in numbers.into_iter().zip(&steps) {
            let (store, step, marks) = (store.clone(), step.clone(), marks.clone());
            calls.push(tokio::spawn(async move {
                let given = call(&store, step).await.unwrap();
                marks.write(&Mark::Answered(number, given.clone()));
                given
            }));
        }
        for (call, step) in calls.into_iter().zip(&steps) {
            let numbers = call.await.unwrap();
            if let (Step::Next { destination, .. }, Some((last, _))) = (step, numbers.last()) {
                let known = given.entry(destination.clone()).or_default();
                *known = (*known).max(*last);
            }
        }
        if matches!(steps[0], Step::Close) {
            store = reopen(asked(&Step::Open));
        }
    }
    // The store's thread has nothing left to do after this, so that what it left can be compared; and no close.
    store.waiting().await.unwrap();
    std::mem::forget(store);
}
