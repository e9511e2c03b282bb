//! What the store promises, told a second time and simply: lists that only grow, and how far each was delivered.

use super::store::{DESTINATIONS, Step, Waiting};
use std::collections::BTreeMap;

/// Whether a delivery that was answered may be forgotten and made again: `true` where the store does not sync each
/// delivery before it answers. The other way round it is never allowed.
const DELIVERY_MAY_BE_FORGOTTEN: bool = false;

/// By so many changes the recovery file may be behind what was answered: 0 where it is written before the answer,
/// 1 where shortly after it. Its ceiling is never behind.
const RECOVERY_BEHIND: usize = 0;

/// An event's place at a destination.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Row {
    sequence: u64,
    event: u64,
    /// A report that nobody has seen: a newer one takes its place.
    unseen_report: bool,
}

#[derive(Clone)]
struct Queue {
    /// All that ever had a place, and keep it.
    rows: Vec<Row>,
    /// The last number.
    given: u64,
    /// Up to here it was delivered.
    delivered: u64,
}

impl Queue {
    fn waiting(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.sequence > self.delivered)
    }
}

/// Which state, documents and note, and whether a rebuilding is still to be told.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Kept {
    pub(crate) state: u64,
    pub(crate) papers: u64,
    pub(crate) note: u64,
    pub(crate) rebuilt: bool,
}

impl Kept {
    fn after(self, step: &Step) -> Self {
        let Step::Commit { state, papers, note, told, .. } = step else { return self };
        Self {
            state: state.unwrap_or(self.state),
            papers: papers.unwrap_or(self.papers),
            note: note.unwrap_or(self.note),
            rebuilt: self.rebuilt && !told,
        }
    }

    /// What the recovery file holds of it.
    fn recovered(self) -> (u64, u64) {
        (self.state, self.papers)
    }
}

/// What is in the database.
#[derive(Clone, Default)]
struct Model {
    kept: Kept,
    /// Every destination counts on from here.
    start: u64,
    queues: BTreeMap<String, Queue>,
}

impl Model {
    fn queue(&mut self, destination: &str) -> &mut Queue {
        let start = Queue { rows: Vec::new(), given: self.start, delivered: self.start };
        self.queues.entry(destination.to_owned()).or_insert(start)
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Open | Step::Close => {}
            Step::Commit { first, events, report, .. } => {
                self.kept = self.kept.after(step);
                for destination in DESTINATIONS {
                    let queue = self.queue(destination);
                    for event in *first..first + events {
                        let unseen_report = *report && event == first + events - 1;
                        if unseen_report
                            && let Some(old) = queue.rows.iter_mut().find(|row| row.unseen_report)
                        {
                            old.event = event;
                            continue;
                        }
                        queue.given += 1;
                        queue.rows.push(Row { sequence: queue.given, event, unseen_report });
                    }
                }
            }
            Step::Next { destination, most } => {
                let queue = self.queue(destination);
                let delivered = queue.delivered;
                for row in queue.rows.iter_mut().filter(|row| row.sequence > delivered).take(*most) {
                    row.unseen_report = false;
                }
            }
            Step::Delivered { destination, sequence } => {
                let queue = self.queue(destination);
                queue.delivered = queue.delivered.max(*sequence);
            }
        }
    }

    /// Whether this is what was found; see `waits`.
    fn is(&mut self, kept: Option<Kept>, waiting: &Waiting, least: &Self) -> Result<(), String> {
        if let Some(kept) = kept.filter(|kept| *kept != self.kept) {
            return Err(format!("{kept:?} instead of {:?}", self.kept));
        }
        waiting.iter().try_for_each(|(destination, waiting)| self.waits(destination, waiting, least))
    }

    /// Whether exactly this waits for a destination; `least` is what is known to be delivered. Takes over how much
    /// really was.
    fn waits(&mut self, destination: &str, waiting: &[(u64, u64)], least: &Self) -> Result<(), String> {
        let known = least.queues.get(destination).map_or(self.start, |queue| queue.delivered);
        let known = if DELIVERY_MAY_BE_FORGOTTEN { self.start } else { known };
        let queue = self.queue(destination);
        let last = queue.given;
        let found = waiting.first().map_or(last, |(sequence, _)| sequence - 1);
        let most = queue.delivered;
        if found < known || found > most {
            return Err(format!(
                "{destination}: everything up to {found} is gone, delivered was {known} to {most}, given {last}"
            ));
        }
        queue.delivered = found;
        let mut expected = queue.waiting().map(|row| (row.sequence, row.event));
        for (n, found) in waiting.iter().enumerate() {
            let expected = expected.next();
            if expected != Some(*found) {
                return Err(format!("{destination}: in place {n} is {found:?} instead of {expected:?}"));
            }
        }
        match expected.next() {
            Some(missing) => Err(format!("{destination}: {missing:?} and what follows is missing")),
            None => Ok(()),
        }
    }
}

/// What was asked, and what of it was answered.
#[derive(Clone, Default)]
pub(crate) struct History {
    /// With everything that was answered.
    answered: Model,
    /// Asked and not answered, in order: the store takes calls in their order.
    asked: Vec<(usize, Step)>,
    /// Whether the store was ever open.
    opened: bool,
    /// The states that were ever to be kept, and how many of them were answered.
    kept: Vec<Kept>,
    kept_answered: usize,
    /// The event that each number was given out for, by destination.
    given: BTreeMap<String, BTreeMap<u64, u64>>,
    /// Reads that were done, for one that was asked later was answered: with what they must give.
    unreported: BTreeMap<usize, (String, Rows)>,
}

/// Sequence and event.
type Rows = Vec<(u64, u64)>;

impl History {
    pub(crate) fn asked(&mut self, number: usize, step: Step) {
        if let Step::Commit { state, papers, .. } = &step
            && (state.is_some() || papers.is_some())
        {
            let old = self.kept.last().copied().unwrap_or_default();
            self.kept.push(old.after(&step));
        }
        self.asked.push((number, step));
    }

    /// Call `number` was answered, a read with what was given out.
    pub(crate) fn answered(&mut self, number: usize, given: &[(u64, u64)]) -> Result<(), String> {
        self.done(number);
        let Some((destination, expected)) = self.unreported.remove(&number) else { return Ok(()) };
        if given != expected {
            return Err(format!("{destination}: given was {given:?} instead of {expected:?}"));
        }
        self.given(&destination, given)
    }

    /// Call `number` was done, and so was what was asked before it.
    pub(crate) fn done(&mut self, number: usize) {
        while self.asked.first().is_some_and(|(next, _)| *next <= number) {
            let (next, step) = self.asked.remove(0);
            match &step {
                Step::Open => self.opened = true,
                Step::Commit { state, papers, .. } => {
                    self.kept_answered += usize::from(state.is_some() || papers.is_some());
                }
                Step::Next { destination, most } => {
                    let waiting = self.answered.queue(destination).waiting().take(*most);
                    let waiting = waiting.map(|row| (row.sequence, row.event)).collect();
                    self.unreported.insert(next, (destination.clone(), waiting));
                }
                _ => {}
            }
            self.answered.apply(&step);
        }
    }

    /// Numbers were given out.
    fn given(&mut self, destination: &str, given: &[(u64, u64)]) -> Result<(), String> {
        let known = self.given.entry(destination.to_owned()).or_default();
        for (sequence, event) in given {
            let before = known.insert(*sequence, *event);
            if before.is_some_and(|before| before != *event) {
                return Err(format!(
                    "{destination}: number {sequence} meant event {before:?}, and now {event}"
                ));
            }
        }
        Ok(())
    }

    /// The highest number that was given out.
    pub(crate) fn highest(&self) -> u64 {
        self.given.values().filter_map(|given| given.keys().last().copied()).max().unwrap_or(0)
    }

    pub(crate) fn was_open(&self) -> bool {
        self.opened
    }

    /// Whether everything that was asked was answered.
    pub(crate) fn is_quiet(&self) -> bool {
        self.asked.is_empty()
    }

    /// The histories that go on from what was found after a crash: those in which every answer, and the first so
    /// many of what was asked and not answered, explain it. Where there is none, says why.
    pub(crate) fn explain(&self, kept: Option<Kept>, waiting: &Waiting) -> Result<Vec<Self>, String> {
        let (mut explained, mut whys) = (Vec::new(), Vec::new());
        let mut tried = self.clone();
        let mut asked = std::mem::take(&mut tried.asked).into_iter();
        loop {
            let mut one = tried.clone();
            match one.answered.is(kept, waiting, &self.answered) {
                Ok(()) => explained.push(one),
                Err(why) => whys.push(why),
            }
            let Some((number, step)) = asked.next() else { break };
            tried.asked.push((number, step));
            tried.done(number);
        }
        for one in &mut explained {
            // What the crash undid will not come back, and what was under way will not be answered.
            one.kept.truncate(one.kept_answered);
            one.unreported.clear();
        }
        if explained.is_empty() { Err(whys.join("; or ")) } else { Ok(explained) }
    }

    /// All this was read, and so given out.
    pub(crate) fn seen(&mut self, waiting: &Waiting) -> Result<(), String> {
        for (destination, given) in waiting {
            self.given(destination, given)?;
            self.answered.apply(&Step::Next { destination: (*destination).to_owned(), most: usize::MAX });
        }
        Ok(())
    }

    /// Whether the recovery file may hold this.
    pub(crate) fn may_recover(&self, kept: Kept) -> Result<(), String> {
        let all = std::iter::once(Kept::default()).chain(self.kept.iter().copied()).map(Kept::recovered);
        let allowed: Vec<_> = all.skip(self.kept_answered.saturating_sub(RECOVERY_BEHIND)).collect();
        let found = kept.recovered();
        if allowed.contains(&found) {
            Ok(())
        } else {
            Err(format!("recovered {found:?}, none of {allowed:?}"))
        }
    }

    /// Whether the database was lost and nobody was told yet, as far as answers say.
    pub(crate) fn expects_rebuilding(&self) -> bool {
        self.answered.kept.rebuilt
    }

    /// Goes on from the recovery file alone, which held this.
    pub(crate) fn without_database(self, kept: Kept, ceiling: u64) -> Self {
        let answered = Model { kept, start: ceiling, queues: BTreeMap::new() };
        Self {
            answered,
            asked: Vec::new(),
            opened: true,
            kept: vec![kept],
            kept_answered: 1,
            given: self.given,
            unreported: BTreeMap::new(),
        }
    }
}
