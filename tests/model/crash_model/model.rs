//! What the store promises, told a second time and simply: lists that only grow, and how far each was delivered.

use super::store::{Answer, DESTINATIONS, Found, Given, Step, Unreported, length, takes};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Whether calls that only say how far delivery came may be forgotten although they were answered: `true` where
/// the store does not sync each of them. They are never forgotten before what came earlier, and never once something
/// that is synced came later.
const DELIVERY_MAY_BE_FORGOTTEN: bool = true;

/// An event's place at a destination.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Row {
    sequence: u64,
    event: u64,
    /// A report that nobody has seen: a newer one takes its place.
    unseen_report: bool,
    /// Its destination was not configured once: it may have left with the history.
    may_be_gone: bool,
    /// It was refused once, and came to the end: nobody looks for its age before it is the first again.
    again: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Queue {
    configured: bool,
    /// What waits.
    rows: Vec<Row>,
    /// What was refused.
    quarantine: Vec<Row>,
    /// The last number.
    given: u64,
    /// Up to here it was delivered.
    delivered: u64,
    /// What delivery remembers.
    retry: Option<u64>,
}

impl Queue {
    /// What a read gives.
    fn read(&self, step: &Step) -> Vec<Given> {
        let Step::Next { after, received, most, bytes, .. } = step else { return Vec::new() };
        let mut before = self.delivered.max(*received);
        let (mut given, mut size) = (Vec::new(), 0);
        for row in self.rows.iter().filter(|row| row.sequence > *after).take(*most) {
            size += length(row.event);
            if size > *bytes && !given.is_empty() {
                break;
            }
            let skipped_from = (before + 1 < row.sequence).then_some(before + 1);
            given.push(Given { sequence: row.sequence, event: row.event, skipped_from });
            before = row.sequence;
        }
        given
    }
}

/// Which state, documents and note, and whether a rebuilding is still to be told.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) state: u64,
    pub(crate) documents: u64,
    pub(crate) note: u64,
    pub(crate) rebuilt: bool,
}

impl Stored {
    fn after(self, step: &Step) -> Self {
        let Step::Commit { state, documents, note, reported, .. } = step else { return self };
        Self {
            state: state.unwrap_or(self.state),
            documents: documents.unwrap_or(self.documents),
            note: note.unwrap_or(self.note),
            rebuilt: self.rebuilt && !reported,
        }
    }

    /// What the recovery file holds of it.
    fn recovered(self) -> (u64, u64) {
        (self.state, self.documents)
    }
}

/// Least and most: what waited for a destination while it was not configured may leave uncounted.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Span(u64, u64);

impl Span {
    fn add(&mut self, certain: bool) {
        self.0 += u64::from(certain);
        self.1 += 1;
    }

    fn has(self, found: u64) -> bool {
        (self.0..=self.1).contains(&found)
    }
}

/// What was dropped and not told.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Drops {
    destinations: BTreeMap<String, Span>,
    events: Span,
}

impl Drops {
    /// Takes over what was found, where it may be.
    fn settle(&mut self, found: &Unreported) -> Result<(), String> {
        let counted = |name: &str| found.destinations.get(name).copied().unwrap_or(0);
        let span = |name: &str| self.destinations.get(name).copied().unwrap_or_default();
        if DESTINATIONS.iter().any(|name| !span(name).has(counted(name))) || !self.events.has(found.events) {
            return Err(format!("{found:?} is said to be dropped, and missing is {self:?}"));
        }
        let exact = |count: u64| Span(count, count);
        self.destinations = found.destinations.iter().map(|(name, n)| (name.clone(), exact(*n))).collect();
        self.events = exact(found.events);
        Ok(())
    }
}

/// Whether a step wrote something, and whether that was synced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrote {
    Nothing,
    Later,
    Now,
}

/// What is in the database.
#[derive(Clone, Default, PartialEq, Eq)]
struct Model {
    stored: Stored,
    /// Every destination counts on from here.
    start: u64,
    queues: BTreeMap<String, Queue>,
    /// Whether so little room is allowed that events may be dropped.
    tight: bool,
    /// Something may have been dropped, and nobody looked yet what.
    may_drop: bool,
    /// Nothing before this event is left.
    expired: u64,
    dropped: Drops,
}

impl Model {
    fn queue(&mut self, destination: &str) -> &mut Queue {
        let start = Queue { given: self.start, ..Queue::default() };
        self.queues.entry(destination.to_owned()).or_insert(start)
    }

    fn apply(&mut self, step: &Step) -> Wrote {
        match step {
            Step::Tick | Step::Safe => Wrote::Nothing,
            Step::Close => Wrote::Now,
            Step::Open { destinations, tight, .. } => {
                self.tight = *tight;
                for name in DESTINATIONS {
                    let configured = destinations.iter().any(|d| d == name);
                    let queue = self.queue(name);
                    queue.configured = configured;
                    queue.rows.iter_mut().for_each(|row| row.may_be_gone |= !configured);
                }
                Wrote::Now
            }
            Step::Commit { .. } => self.commit(step),
            Step::Next { destination, .. } => {
                let queue = self.queue(destination);
                let given = queue.read(step);
                let mut wrote = Wrote::Nothing;
                for row in &mut queue.rows {
                    if row.unseen_report && given.iter().any(|given| given.sequence == row.sequence) {
                        (row.unseen_report, wrote) = (false, Wrote::Now);
                    }
                }
                wrote
            }
            Step::Delivered { destination, sequence } => {
                let queue = self.queue(destination);
                queue.delivered = queue.delivered.max(*sequence);
                queue.retry = None;
                let delivered = queue.delivered;
                queue.rows.retain(|row| row.sequence > delivered);
                Wrote::Later
            }
            Step::SetRetry { destination, retry } => {
                self.queue(destination).retry = Some(*retry);
                Wrote::Later
            }
            Step::Requeue { .. } if self.requeued(step) == 0 => Wrote::Nothing,
            Step::Requeue { .. } => {
                for queue in self.queues.values_mut().filter(|queue| queue.configured) {
                    let (again, stay) = queue.quarantine.drain(..).partition(|row| step.requeues(row.event));
                    queue.quarantine = stay;
                    for row in again {
                        queue.given += 1;
                        queue.rows.push(Row { sequence: queue.given, again: true, ..row });
                    }
                }
                Wrote::Now
            }
        }
    }

    fn commit(&mut self, step: &Step) -> Wrote {
        let Step::Commit {
            first,
            events,
            report,
            quarantined,
            above,
            expire_before,
            reported,
            reports_drops,
            ..
        } = step
        else {
            return Wrote::Nothing;
        };
        // A note that stays as it was is not written, and nothing is synced for it.
        let ends_drops = *reports_drops && self.dropped != Drops::default();
        let mut writes = step.writes() || *reported && self.stored.rebuilt || ends_drops;
        self.stored = self.stored.after(step);
        if *reports_drops {
            self.dropped = Drops::default();
        }
        if let Some((destination, number)) = above {
            let queue = self.queue(destination);
            if let Some(first) = queue.rows.first().map(|row| row.sequence) {
                let shift = queue.given.max(*number) + 1 - first;
                queue.rows.iter_mut().for_each(|row| row.sequence += shift);
                queue.given += shift;
                writes = true;
            }
        }
        for (destination, sequence) in quarantined {
            let queue = self.queue(destination);
            if let Some(at) = queue.rows.iter().position(|row| row.sequence == *sequence) {
                let row = queue.rows.remove(at);
                writes = true;
                queue.quarantine.push(Row { may_be_gone: false, ..row });
                queue.quarantine.sort_by_key(|row| row.sequence);
            }
        }
        for event in *first..first + events {
            let report = *report && event == first + events - 1;
            for (name, queue) in self.queues.iter_mut().filter(|(_, queue)| queue.configured) {
                if !takes(name, event, report) {
                    continue;
                }
                if report && let Some(old) = queue.rows.iter_mut().find(|row| row.unseen_report) {
                    old.event = event;
                    continue;
                }
                queue.given += 1;
                let sequence = queue.given;
                queue.rows.push(Row {
                    sequence,
                    event,
                    unseen_report: report,
                    may_be_gone: false,
                    again: false,
                });
            }
        }
        self.may_drop |= step.may_drop(self.tight);
        self.expired = self.expired.max(expire_before.unwrap_or(0));
        if writes { Wrote::Now } else { Wrote::Nothing }
    }

    /// How many a step puts into the outbox again.
    fn requeued(&self, step: &Step) -> u64 {
        let refused =
            self.queues.values().filter(|queue| queue.configured).flat_map(|queue| &queue.quarantine);
        refused.filter(|row| step.requeues(row.event)).count() as u64
    }

    /// Whether this is what was found. Takes over what was dropped.
    fn is(&mut self, found: &Found) -> Result<(), String> {
        if let Some(stored) = found.stored.filter(|stored| *stored != self.stored) {
            return Err(format!("{stored:?} instead of {:?}", self.stored));
        }
        let (mut gone, mut old): (BTreeMap<u64, bool>, _) = (BTreeMap::new(), None);
        for name in DESTINATIONS {
            let dropped = self.places(name, found)?;
            old = old.or(self.too_old(name));
            for (event, certain) in dropped {
                self.dropped.destinations.entry(name.to_owned()).or_default().add(certain);
                *gone.entry(event).or_default() |= certain;
            }
        }
        if let Some(old) = old.filter(|_| gone.len() < AT_ONCE) {
            return Err(format!("{old}, and should have been dropped for its age"));
        }
        for certain in gone.values() {
            self.dropped.events.add(*certain);
        }
        self.dropped.settle(&found.unreported).map_err(|why| format!("{why}: {gone:?}"))?;
        (self.may_drop, self.expired) = (false, 0);
        for (name, given) in &found.waiting {
            let queue = self.queue(name);
            let expected = queue.read(&Step::read_all(name));
            if *given != expected {
                return Err(format!("{name}: {}", first_difference(given, &expected)));
            }
        }
        for (name, retry) in &found.retry {
            let expected = self.queue(name).retry;
            if *retry != expected {
                return Err(format!("{name}: remembered is {retry:?} instead of {expected:?}"));
            }
        }
        Ok(())
    }

    /// Whether each event is where it should be for a destination, and nowhere else. Takes out and answers what was
    /// dropped, each with whether that must be counted.
    fn places(&mut self, name: &str, found: &Found) -> Result<Vec<(u64, bool)>, String> {
        let may_drop = self.may_drop;
        let queue = self.queue(name);
        let at = |places: fn(&super::store::Placed) -> &Vec<String>| {
            let here = found.events.iter().filter(|placed| places(placed).iter().any(|d| d == name));
            here.map(|placed| placed.event).collect::<BTreeSet<u64>>()
        };
        let (waiting, refused) = (at(|p| &p.waiting), at(|p| &p.quarantined));
        let mut dropped = Vec::new();
        let sides =
            [("waits", &mut queue.rows, &waiting), ("is in quarantine", &mut queue.quarantine, &refused)];
        for (what, rows, found) in sides {
            let expected: BTreeSet<u64> = rows.iter().map(|row| row.event).collect();
            if let Some(event) = found.difference(&expected).next() {
                return Err(format!("{name}: event {event} {what}, and should not"));
            }
            let missing = rows.iter().filter(|row| !found.contains(&row.event));
            dropped.extend(missing.map(|row| (row.event, !row.may_be_gone)));
            rows.retain(|row| found.contains(&row.event));
            if let Some((event, _)) = dropped.iter().find(|(_, certain)| *certain && !may_drop) {
                return Err(format!("{name}: event {event} {what} no more"));
            }
        }
        Ok(dropped)
    }

    /// What is wanted at a destination and happened too long ago, if anything.
    fn too_old(&self, name: &str) -> Option<String> {
        let queue = self.queues.get(name)?;
        // Whether its destination was configured then is not remembered.
        let waiting = queue.rows.iter().filter(|row| !row.may_be_gone && !row.again);
        let old = waiting.chain(&queue.quarantine).find(|row| row.event < self.expired)?;
        Some(format!("{name}: {old:?} is there"))
    }
}

/// So many events are dropped for their age by one commit at most.
const AT_ONCE: usize = 1024;

fn first_difference(given: &[Given], expected: &[Given]) -> String {
    let at = given.iter().zip(expected).take_while(|(given, expected)| given == expected).count();
    format!("in place {at} is {:?} instead of {:?}", given.get(at), expected.get(at))
}

/// What was asked, and what of it was answered.
#[derive(Clone, Default)]
pub(crate) struct History {
    /// With everything that was synced.
    synced: Model,
    /// Answered since then: a crash may take back what came last.
    since: Vec<Step>,
    /// With all that, too.
    answered: Model,
    /// Asked and not answered, in order: the store takes calls in their order.
    asked: Vec<(usize, Step)>,
    /// Where the store was ever open: how it was last asked to be.
    opened: Option<Step>,
    /// The states that were ever to be kept, how many of them were answered, and how many must be in the recovery file.
    stored: Vec<Stored>,
    stored_answered: usize,
    stored_safe: usize,
    /// What will be in the recovery file when these are answered.
    waits_for_safe: BTreeMap<usize, usize>,
    /// The event that each number was given out for, by destination.
    given: BTreeMap<String, BTreeMap<u64, u64>>,
    /// What was done, for a call that was asked later was answered: what it must answer.
    unreported: BTreeMap<usize, (String, Answer)>,
}

impl History {
    pub(crate) fn asked(&mut self, number: usize, step: Step) {
        match &step {
            Step::Commit { .. } if step.changes() => {
                let old = self.stored.last().copied().unwrap_or_default();
                self.stored.push(old.after(&step));
            }
            Step::Safe => drop(self.waits_for_safe.insert(number, self.stored_answered)),
            _ => {}
        }
        self.asked.push((number, step));
    }

    /// Call `number` was answered.
    pub(crate) fn answered(&mut self, number: usize, answer: &Answer) -> Result<(), String> {
        self.done(number);
        if let Some(safe) = self.waits_for_safe.remove(&number) {
            self.stored_safe = self.stored_safe.max(safe);
        }
        if let Answer::Tick(found) = answer {
            // What was dropped is known now; nothing that a crash may take back was asked since.
            assert!(self.since.is_empty());
            self.answered.is(found)?;
            self.synced = self.answered.clone();
            return Ok(());
        }
        let Some((destination, expected)) = self.unreported.remove(&number) else { return Ok(()) };
        if *answer != expected {
            return Err(format!("{destination}: answered was {answer:?} instead of {expected:?}"));
        }
        match answer {
            Answer::Given(given) => self.given(&destination, given),
            _ => Ok(()),
        }
    }

    /// Call `number` was done, and so was what was asked before it.
    pub(crate) fn done(&mut self, number: usize) {
        while self.asked.first().is_some_and(|(next, _)| *next <= number) {
            let (next, step) = self.asked.remove(0);
            match &step {
                Step::Open { .. } => {
                    self.opened = Some(step.clone());
                    self.stored_safe = self.stored_answered;
                }
                Step::Close => self.stored_safe = self.stored_answered,
                Step::Commit { .. } => self.stored_answered += usize::from(step.changes()),
                Step::Next { destination, .. } => {
                    let given = Answer::Given(self.answered.queue(destination).read(&step));
                    self.unreported.insert(next, (destination.clone(), given));
                }
                Step::Requeue { .. } => {
                    let moved = Answer::Moved(self.answered.requeued(&step));
                    self.unreported.insert(next, ("quarantine".to_owned(), moved));
                }
                _ => {}
            }
            match self.answered.apply(&step) {
                Wrote::Nothing => {}
                Wrote::Later if DELIVERY_MAY_BE_FORGOTTEN => self.since.push(step),
                _ => (self.synced, self.since) = (self.answered.clone(), Vec::new()),
            }
        }
    }

    /// Numbers were given out.
    fn given(&mut self, destination: &str, given: &[Given]) -> Result<(), String> {
        let known = self.given.entry(destination.to_owned()).or_default();
        for Given { sequence, event, .. } in given {
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

    /// How the store was last opened, where it was.
    pub(crate) fn opened(&self) -> Option<&Step> {
        self.opened.as_ref()
    }

    /// Whether everything that was asked was answered, and it is known what was dropped.
    pub(crate) fn is_quiet(&self) -> bool {
        self.asked.is_empty() && !self.answered.may_drop
    }

    /// The histories that go on from what was found after a crash and after `then`: those in which everything that was
    /// synced, and the first so many of what came after it, explain it. Where there is none, says why.
    pub(crate) fn explain(&self, then: &Step, found: &Found) -> Result<Vec<Self>, String> {
        let mut tried = self.clone();
        tried.answered = self.synced.clone();
        let after = std::mem::take(&mut tried.since).into_iter().map(|step| (None, step));
        let asked = std::mem::take(&mut tried.asked).into_iter().map(|(number, step)| (Some(number), step));
        let mut after = after.chain(asked);
        let (mut explained, mut whys): (Vec<Self>, Vec<String>) = (Vec::new(), Vec::new());
        loop {
            let mut one = tried.clone();
            one.answered.apply(then);
            match one.answered.is(found) {
                Ok(()) if explained.iter().any(|other| other.is_like(&one)) => {}
                Ok(()) => explained.push(one),
                Err(why) if whys.contains(&why) => {}
                Err(why) => whys.push(why),
            }
            match after.next() {
                Some((Some(number), step)) => {
                    tried.asked.push((number, step));
                    tried.done(number);
                }
                Some((None, step)) => drop(tried.answered.apply(&step)),
                None => break,
            }
        }
        for one in &mut explained {
            // What the crash undid will not come back, and what was under way will not be answered.
            one.stored.truncate(one.stored_answered);
            one.stored_safe = self.stored_safe;
            one.synced = one.answered.clone();
            one.since.clear();
            one.unreported.clear();
            one.waits_for_safe.clear();
        }
        if explained.is_empty() { Err(whys.join("; or ")) } else { Ok(explained) }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.answered == other.answered && self.stored_answered == other.stored_answered
    }

    /// All this was read, and so given out.
    pub(crate) fn seen(&mut self, found: &Found) -> Result<(), String> {
        for (destination, given) in &found.waiting {
            self.given(destination, given)?;
            self.answered.apply(&Step::read_all(destination));
        }
        self.synced = self.answered.clone();
        Ok(())
    }

    /// Whether the recovery file may hold this.
    pub(crate) fn may_recover(&self, stored: Stored) -> Result<(), String> {
        let all =
            std::iter::once(Stored::default()).chain(self.stored.iter().copied()).map(Stored::recovered);
        let allowed: Vec<_> = all.skip(self.stored_safe).collect();
        let found = stored.recovered();
        if allowed.contains(&found) {
            Ok(())
        } else {
            Err(format!("recovered {found:?}, none of {allowed:?}"))
        }
    }

    /// The recovery file was waited for, after everything that was answered.
    pub(crate) fn safe(&mut self) {
        self.stored_safe = self.stored_answered;
    }

    /// Whether the database was lost and nobody was told yet, as far as answers say.
    pub(crate) fn expects_rebuilding(&self) -> bool {
        self.answered.stored.rebuilt
    }

    /// Goes on from the recovery file alone, which held this.
    pub(crate) fn without_database(self, stored: Stored, ceiling: u64) -> Self {
        let synced = Model { stored, start: ceiling, ..Model::default() };
        Self {
            answered: synced.clone(),
            synced,
            opened: self.opened,
            stored: vec![stored],
            stored_answered: 1,
            stored_safe: 1,
            given: self.given,
            ..Self::default()
        }
    }
}
