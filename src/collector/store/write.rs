//! Writing: requests become rows, all of a group in one transaction.

use super::StoreError;
use super::remove::Removal;
use super::schema::EVENT_OVERHEAD;
use crate::collector::cloudevent::Event;
use crate::collector::fleet::{ConflictReason, LastConflict, SVM_SOURCE, Told};
use crate::collector::gaps::Gaps;
use crate::collector::machines::Machines;
use crate::collector::metrics::Metrics;
use crate::sequence::format_sequence;
use crate::subscription::DeviceStatus;
use crate::text::clean;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};

/// A number further above the highest known one of an SVM is taken for a mistake or an attack: an SVM that reports
/// something each minute uses so many numbers in two years.
pub(super) const MAX_JUMP: u64 = 1_000_000;

/// Who sent a request: what the token file says of its token and of the source it speaks for.
#[derive(Clone, Debug)]
pub(crate) struct TokenHolder {
    /// The hash of the token, in hex.
    pub(crate) hash: String,
    /// The source that the token file names for this token.
    pub(crate) source: Option<String>,
    /// Whether the token file names the events' source for some token.
    pub(crate) source_is_named: bool,
}

/// One request to store events.
pub(crate) struct Ingest {
    /// Whose token it came with; `None` if none is required.
    pub(crate) token: Option<TokenHolder>,
    /// The events. With a token they are all of one source.
    pub(crate) events: Vec<Event>,
    /// When it came.
    pub(crate) at: Timestamp,
}

/// An event that was not stored because of its sequence number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The event.
    pub id: String,
    /// Its number.
    pub sequence: String,
    /// The highest number known of that source: the sender goes on above it.
    pub highest: String,
    /// What is wrong with the number.
    pub why: ConflictReason,
}

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Ids that are on disk, new or from before.
    pub kept: Vec<String>,
    /// How many of these were there before.
    pub duplicates: usize,
    /// Events that are not stored.
    pub conflicts: Vec<Conflict>,
    /// The position of the last new event.
    pub last_position: Option<i64>,
}

/// A source while a transaction runs: read once, written once.
struct Source {
    number: i64,
    is_svm: bool,
    gaps: Gaps,
    changed_gaps: bool,
    state_sequence: Option<u64>,
    state_at: Option<Timestamp>,
    told: Option<Told>,
    report: Option<NewReport>,
    machines: Machines,
    changed_machines: bool,
    conflicts: u64,
    last_conflict: Option<LastConflict>,
    last_contact: Timestamp,
    /// What its events take, before this transaction.
    bytes: i64,
    added: i64,
}

/// A report that came in this transaction.
struct NewReport {
    text: String,
    sequence: u64,
    at: Timestamp,
}

/// Writes the requests in one transaction. After it returns, they are on disk.
pub(super) fn commit(
    db: &mut Connection,
    requests: &[Ingest],
    removal: &mut Removal,
    metrics: &Metrics,
) -> rusqlite::Result<Vec<Result<Stored, StoreError>>> {
    let took = crate::clock::stopwatch();
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut sources = HashMap::new();
    let mut known_sources = removal.sources;
    let mut outcomes = Vec::with_capacity(requests.len());
    for request in requests {
        let outcome = match admit(&transaction, request, &mut sources, &mut known_sources, removal)? {
            Ok(()) => Ok(store(&transaction, request, &mut sources)?),
            Err(refusal) => Err(refusal),
        };
        outcomes.push(outcome);
    }
    let mut added = 0;
    for source in sources.values() {
        save(&transaction, source)?;
        added += source.added;
    }
    if added > 0 {
        let grown = sources.values().filter(|source| source.added > 0);
        let grown: Vec<(i64, i64)> =
            grown.map(|source| (source.number, source.bytes.saturating_add(source.added))).collect();
        removal.keep_up(&transaction, &grown, took(), metrics)?;
    }
    transaction.commit()?;
    removal.sources = known_sources;
    metrics.committed(took(), outcomes.iter().flatten());
    Ok(outcomes)
}

/// Reads the sources of a request, and makes those that are new, if the request may be stored.
fn admit(
    db: &Transaction<'_>,
    request: &Ingest,
    sources: &mut HashMap<String, Source>,
    known_sources: &mut u64,
    removal: &Removal,
) -> rusqlite::Result<Result<(), StoreError>> {
    let mut new = BTreeSet::new();
    let mut last = None;
    for event in &request.events {
        // Most requests are of one source.
        if last.replace(&event.source) == Some(&event.source)
            || sources.contains_key(&event.source)
            || new.contains(&event.source)
        {
            continue;
        }
        match find(db, &event.source, request.at)? {
            Some(source) => drop(sources.insert(event.source.clone(), source)),
            None => drop(new.insert(event.source.clone())),
        }
    }
    if let (Some(token), Some(first)) = (&request.token, request.events.first())
        && let Err(refusal) = may_send(db, token, &first.source, new.contains(&first.source), request.at)?
    {
        return Ok(Err(refusal));
    }
    if known_sources.saturating_add(new.len() as u64) > removal.bounds.sources {
        return Ok(Err(StoreError::TooManySources));
    }
    let mut bytes = request.events.iter().filter_map(|event| sources.get(&event.source));
    if removal.is_far_behind() || bytes.any(|source| removal.is_far_above_quota(source.bytes)) {
        return Ok(Err(StoreError::Busy));
    }
    for name in new {
        make(db, &name, request.at)?;
        if let Some(source) = find(db, &name, request.at)? {
            sources.insert(name, source);
            *known_sources += 1;
        }
    }
    Ok(Ok(()))
}

/// Whether a token may speak for a source. The token file decides where it names the source; else the token belongs to
/// the source that it was first used for, and that must be one nobody has spoken for.
fn may_send(
    db: &Transaction<'_>,
    token: &TokenHolder,
    source: &str,
    is_new: bool,
    at: Timestamp,
) -> rusqlite::Result<Result<(), StoreError>> {
    if let Some(named) = &token.source {
        return Ok(if named == source { Ok(()) } else { Err(StoreError::TokenOfAnother) });
    }
    if token.source_is_named {
        return Ok(Err(StoreError::SourceOfAnother));
    }
    let mut bound = db.prepare_cached("SELECT source FROM tokens WHERE hash = ?1")?;
    let bound: Option<String> = bound.query_row([&token.hash], |row| row.get(0)).optional()?;
    match bound {
        Some(bound) if bound == source => return Ok(Ok(())),
        Some(_) => return Ok(Err(StoreError::TokenOfAnother)),
        None if !is_new => return Ok(Err(StoreError::SourceOfAnother)),
        None => {}
    }
    let mut owner = db.prepare_cached("SELECT 1 FROM tokens WHERE source = ?1")?;
    if owner.exists([source])? {
        return Ok(Err(StoreError::SourceOfAnother));
    }
    let mut bind = db.prepare_cached("INSERT INTO tokens (hash, source, bound) VALUES (?1, ?2, ?3)")?;
    bind.execute(params![token.hash, source, at.as_microsecond()])?;
    tracing::info!(source = %clean(source), "a new token now belongs to the source that used it first");
    Ok(Ok(()))
}

fn store(
    db: &Transaction<'_>,
    request: &Ingest,
    sources: &mut HashMap<String, Source>,
) -> rusqlite::Result<Stored> {
    let mut outcome = Stored::default();
    for event in &request.events {
        let Some(source) = sources.get_mut(&event.source) else { continue };
        source.last_contact = source.last_contact.max(request.at);
        let is_jump = source.is_jump(event);
        if !is_jump && insert(db, source.number, event, request.at)? {
            outcome.last_position = Some(db.last_insert_rowid());
            source.took(event, request.at);
        } else if let Some(sequence) = stored_as(db, source.number, &event.id)? {
            outcome.duplicates += 1;
            if !is_jump {
                source.came_again(event, sequence);
            }
        } else {
            let why = if is_jump { ConflictReason::Jump } else { ConflictReason::NumberTaken };
            outcome.conflicts.push(source.conflict(event, request.at, why));
            continue;
        }
        outcome.kept.push(event.id.clone());
    }
    Ok(outcome)
}

/// Inserts an event; false where its id or its number is taken.
fn insert(db: &Transaction<'_>, source: i64, event: &Event, at: Timestamp) -> rusqlite::Result<bool> {
    let mut insert = db.prepare_cached(
        "INSERT INTO events (source, id, sequence, type, severity, time, received, event)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
    )?;
    let rows = insert.execute(params![
        source,
        event.id,
        event.sequence.map(format_sequence),
        event.kind,
        event.severity,
        event.time.map(Timestamp::as_microsecond),
        at.as_microsecond(),
        event.text,
    ])?;
    Ok(rows == 1)
}

/// The number of an event that is stored, which may have none.
fn stored_as(db: &Transaction<'_>, source: i64, id: &str) -> rusqlite::Result<Option<Option<u64>>> {
    let mut stored = db.prepare_cached("SELECT sequence FROM events WHERE source = ?1 AND id = ?2")?;
    stored.query_row(params![source, id], |row| Ok(number(row.get(0)?))).optional()
}

/// The id of an SVM in the name of a source.
fn svm_id(source: &str) -> Option<&str> {
    source.strip_prefix(SVM_SOURCE).filter(|id| !id.is_empty())
}

fn make(db: &Transaction<'_>, name: &str, at: Timestamp) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO sources (source, id, first_contact, last_contact) VALUES (?1, ?2, ?3, ?3)",
    )?
    .execute(params![name, svm_id(name), at.as_microsecond()])
    .map(drop)
}

fn find(db: &Transaction<'_>, name: &str, at: Timestamp) -> rusqlite::Result<Option<Source>> {
    db.prepare_cached(
        "SELECT number, highest, gaps, gaps_forgotten, state_sequence, conflicts, last_contact,
           machines, side_by_side, state_at, bytes
         FROM sources WHERE source = ?1",
    )?
    .query_row([name], |row| {
        let machines: Option<String> = row.get(7)?;
        let state_at: Option<i64> = row.get(9)?;
        Ok(Source {
            number: row.get(0)?,
            is_svm: svm_id(name).is_some(),
            gaps: Gaps::restore(
                number(row.get(1)?),
                &row.get::<_, String>(2)?,
                number(row.get(3)?).unwrap_or(0),
            ),
            changed_gaps: false,
            state_sequence: number(row.get(4)?),
            state_at: state_at.and_then(|at| Timestamp::from_microsecond(at).ok()),
            told: None,
            report: None,
            machines: machines.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
            // Whether it is over is a matter of time alone.
            changed_machines: row.get(8)?,
            conflicts: row.get(5)?,
            last_conflict: None,
            last_contact: Timestamp::from_microsecond(row.get(6)?).unwrap_or(at),
            bytes: row.get(10)?,
            added: 0,
        })
    })
    .optional()
}

/// A sequence number as it is stored.
pub(super) fn number(text: Option<String>) -> Option<u64> {
    text?.parse().ok()
}

impl Source {
    /// An event that is stored came again. Where it has another number now, such as after a revert, that one is nobody's.
    fn came_again(&mut self, event: &Event, kept: Option<u64>) {
        if let Some(sequence) = event.sequence.filter(|sequence| kept != Some(*sequence)) {
            self.changed_gaps = true;
            self.gaps.skipped(event.skipped_from.unwrap_or(sequence), sequence);
        }
    }

    fn saw(&mut self, event: &Event, at: Timestamp) {
        let before = self.machines.side_by_side(at).len();
        self.changed_machines |= self.machines.saw(event, at);
        let names: Vec<_> =
            self.machines.side_by_side(at).iter().map(|machine| machine.hostname.clone()).collect();
        if names.len() > before {
            tracing::warn!(source = %clean(&event.source), ?names, "several machines use one id: on the copies, svm-agent identity reset");
        }
    }

    /// Whether the number lies so far above all known ones that it would decide what the state is for ever.
    fn is_jump(&self, event: &Event) -> bool {
        let known = self.gaps.highest().unwrap_or(0);
        self.is_svm && event.sequence.is_some_and(|sequence| sequence > known.saturating_add(MAX_JUMP))
    }

    /// A new event was inserted.
    fn took(&mut self, event: &Event, received: Timestamp) {
        self.saw(event, received);
        self.added = self.added.saturating_add(size(event));
        let Some(sequence) = event.sequence else { return };
        self.changed_gaps = true;
        // Before the event itself, so that what is skipped is not even for a moment among what is missing.
        if let Some(from) = event.skipped_from {
            self.gaps.skipped(from, sequence.saturating_sub(1));
        }
        self.gaps.took(sequence);
        let Some(told) = &event.told else { return };
        // A clock that is ahead must not make an event the latest for longer than it is ahead.
        let at = event.time.map_or(received, |time| time.min(received));
        // By its number; and by its time where the number that leads was wrong: else one event, such as of another sender,
        // would stand until its number is reached.
        let by_number = self.state_sequence.is_none_or(|before| sequence > before);
        let by_time = self.state_at.is_none_or(|before| at > before);
        if by_number || by_time {
            self.state_sequence = Some(sequence);
            self.state_at = Some(at);
            self.told = Some(Told { report: None, ..told.clone() });
            if let Some(text) = &told.report {
                self.report = Some(NewReport { text: text.clone(), sequence, at });
            }
        }
    }

    fn conflict(&mut self, event: &Event, at: Timestamp, why: ConflictReason) -> Conflict {
        self.saw(event, at);
        let sequence = event.sequence.map(format_sequence).unwrap_or_default();
        if self.conflicts == 0 {
            let (source, event) = (clean(&event.source), clean(&event.id));
            match why {
                ConflictReason::NumberTaken => tracing::warn!(%source, %sequence, %event,
                    "a sequence number came again with another event: the source was reverted or copied"),
                ConflictReason::Jump => tracing::warn!(%source, %sequence, %event,
                    "a sequence number is more than {MAX_JUMP} above the highest known one: the event was not stored"),
            }
        }
        self.conflicts = self.conflicts.saturating_add(1);
        self.last_conflict = Some(LastConflict { id: event.id.clone(), sequence: sequence.clone(), at, why });
        let highest = self.gaps.highest().map(format_sequence).unwrap_or_default();
        Conflict { id: event.id.clone(), sequence, highest, why }
    }
}

/// What an event takes in the store.
fn size(event: &Event) -> i64 {
    i64::try_from(event.text.len()).unwrap_or(i64::MAX).saturating_add(EVENT_OVERHEAD)
}

/// Writes back what changed.
fn save(db: &Transaction<'_>, source: &Source) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE sources SET last_contact = ?2, bytes = bytes + ?3 WHERE number = ?1")?
        .execute(params![source.number, source.last_contact.as_microsecond(), source.added])?;
    if source.changed_gaps {
        db.prepare_cached(
            "UPDATE sources SET highest = ?2, gaps = ?3, gaps_forgotten = ?4 WHERE number = ?1",
        )?
        .execute(params![
            source.number,
            source.gaps.highest().map(format_sequence),
            source.gaps.ranges_text(),
            format_sequence(source.gaps.forgotten()),
        ])?;
    }
    if source.changed_machines {
        let several = !source.machines.side_by_side(source.last_contact).is_empty();
        db.prepare_cached("UPDATE sources SET machines = ?2, side_by_side = ?3 WHERE number = ?1")?
            .execute(params![source.number, json(&source.machines), several])?;
    }
    if let Some(conflict) = &source.last_conflict {
        db.prepare_cached("UPDATE sources SET conflicts = ?2, last_conflict = ?3 WHERE number = ?1")?
            .execute(params![source.number, source.conflicts, json(conflict)])?;
    }
    if let Some(told) = &source.told {
        db.prepare_cached(
            "UPDATE sources SET state_sequence = ?2, state_at = ?3, state = ?4,
               status = ?5, hostname = ?6, phase = ?7, key = ?8, devices = ?9, devices_limit = ?10
             WHERE number = ?1",
        )?
        .execute(params![
            source.number,
            source.state_sequence.map(format_sequence),
            source.state_at.map(Timestamp::as_microsecond),
            json(told),
            level(told.status),
            told.hostname,
            told.phase,
            told.key,
            told.devices,
            told.devices_limit,
        ])?;
    }
    if let Some(report) = &source.report {
        db.prepare_cached(
            "INSERT OR REPLACE INTO reports (source, sequence, at, report) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            source.number,
            format_sequence(report.sequence),
            report.at.as_microsecond(),
            report.text
        ])?;
    }
    Ok(())
}

/// 1 is ok, 2 warning, 3 critical: the worst has the greatest number.
pub(super) fn level(status: DeviceStatus) -> i64 {
    match status {
        DeviceStatus::Ok => 1,
        DeviceStatus::Warning => 2,
        DeviceStatus::Critical => 3,
    }
}

fn json(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok()
}
