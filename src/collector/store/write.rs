//! Writing: requests become rows, all of a group in one transaction.

use super::StoreError;
use crate::collector::cloudevent::{Event, twenty};
use crate::collector::fleet::{LastConflict, SVM_SOURCE, Told};
use crate::collector::gaps::Gaps;
use crate::collector::machines::Machines;
use crate::collector::metrics::Metrics;
use crate::subscription::DeviceStatus;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;
use std::collections::HashMap;

/// One request to keep events.
pub(crate) struct Ingest {
    /// The hash of the token it came with, in hex; `None` where none is required.
    pub(crate) token: Option<String>,
    /// The events. With a token they are all of one source.
    pub(crate) events: Vec<Event>,
    /// When it came.
    pub(crate) at: Timestamp,
}

/// An event that was not kept because another event of its source has its sequence number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The event.
    pub id: String,
    /// Its number.
    pub sequence: String,
    /// The highest number known of that source: the sender goes on above it.
    pub highest: String,
}

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Ids that are on disk, new or from before.
    pub kept: Vec<String>,
    /// How many of these were there before.
    pub duplicates: usize,
    /// Events that are not kept.
    pub conflicts: Vec<Conflict>,
    /// The position of the last new event.
    pub last_position: Option<i64>,
}

/// A source while a transaction runs: read once, written once.
struct Source {
    number: i64,
    gaps: Gaps,
    changed_gaps: bool,
    state_sequence: Option<u64>,
    told: Option<(Told, Timestamp)>,
    machines: Machines,
    changed_machines: bool,
    conflicts: u64,
    last_conflict: Option<LastConflict>,
    last_contact: Timestamp,
}

/// Writes the requests in one transaction. After it returns, they are on disk.
pub(super) fn commit(
    db: &mut Connection,
    requests: &[Ingest],
    metrics: &Metrics,
) -> rusqlite::Result<Vec<Result<Kept, StoreError>>> {
    let took = crate::clock::stopwatch();
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut sources = HashMap::new();
    let mut outcomes = Vec::with_capacity(requests.len());
    for request in requests {
        outcomes.push(match may_send(&transaction, request)? {
            true => Ok(keep(&transaction, request, &mut sources)?),
            false => Err(StoreError::TokenOfAnother),
        });
    }
    for source in sources.values() {
        save(&transaction, source)?;
    }
    transaction.commit()?;
    metrics.committed(took(), outcomes.iter().flatten());
    Ok(outcomes)
}

/// Whether the request's token is the source's; a new token becomes it.
fn may_send(db: &Transaction<'_>, request: &Ingest) -> rusqlite::Result<bool> {
    let (Some(token), Some(first)) = (&request.token, request.events.first()) else { return Ok(true) };
    let mut bound = db.prepare_cached("SELECT source FROM tokens WHERE hash = ?1")?;
    let source: Option<String> = bound.query_row([token], |row| row.get(0)).optional()?;
    if let Some(source) = source {
        return Ok(source == first.source);
    }
    let mut bind = db.prepare_cached("INSERT INTO tokens (hash, source, bound) VALUES (?1, ?2, ?3)")?;
    bind.execute(params![token, first.source, request.at.as_microsecond()])?;
    tracing::info!(source = ?first.source, "a new token now belongs to the source that used it first");
    Ok(true)
}

fn keep(
    db: &Transaction<'_>,
    request: &Ingest,
    sources: &mut HashMap<String, Source>,
) -> rusqlite::Result<Kept> {
    let mut outcome = Kept::default();
    for event in &request.events {
        if !sources.contains_key(&event.source) {
            sources.insert(event.source.clone(), source(db, &event.source, request.at)?);
        }
        let Some(source) = sources.get_mut(&event.source) else { continue };
        source.last_contact = source.last_contact.max(request.at);
        if insert(db, source.number, event, request.at)? {
            outcome.last_position = Some(db.last_insert_rowid());
            source.took(event, request.at);
        } else if let Some(sequence) = kept_as(db, source.number, &event.id)? {
            outcome.duplicates += 1;
            source.came_again(event, sequence);
        } else {
            outcome.conflicts.push(source.conflict(event, request.at));
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
        event.sequence.map(twenty),
        event.kind,
        event.severity,
        event.time.map(Timestamp::as_microsecond),
        at.as_microsecond(),
        event.text,
    ])?;
    Ok(rows == 1)
}

/// The number of an event that is kept, which may have none.
fn kept_as(db: &Transaction<'_>, source: i64, id: &str) -> rusqlite::Result<Option<Option<u64>>> {
    let mut kept = db.prepare_cached("SELECT sequence FROM events WHERE source = ?1 AND id = ?2")?;
    kept.query_row(params![source, id], |row| Ok(number(row.get(0)?))).optional()
}

/// Reads a source, or makes it.
fn source(db: &Transaction<'_>, name: &str, at: Timestamp) -> rusqlite::Result<Source> {
    let id = name.strip_prefix(SVM_SOURCE).filter(|id| !id.is_empty());
    let now = at.as_microsecond();
    db.prepare_cached(
        "INSERT INTO sources (source, id, first_contact, last_contact) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![name, id, now])?;
    db.prepare_cached(
        "SELECT number, highest, gaps, gaps_forgotten, state_sequence, conflicts, last_contact,
           machines, side_by_side
         FROM sources WHERE source = ?1",
    )?
    .query_row([name], |row| {
        let machines: Option<String> = row.get(7)?;
        Ok(Source {
            number: row.get(0)?,
            gaps: Gaps::restore(
                number(row.get(1)?),
                &row.get::<_, String>(2)?,
                number(row.get(3)?).unwrap_or(0),
            ),
            changed_gaps: false,
            state_sequence: number(row.get(4)?),
            told: None,
            machines: machines.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
            // Whether it is over is a matter of time alone.
            changed_machines: row.get(8)?,
            conflicts: row.get(5)?,
            last_conflict: None,
            last_contact: Timestamp::from_microsecond(row.get(6)?).unwrap_or(at),
        })
    })
}

/// A sequence number as it is kept.
pub(super) fn number(text: Option<String>) -> Option<u64> {
    text?.parse().ok()
}

impl Source {
    /// An event that is kept came again. Where it has another number now, such as after a revert, that one is nobody's.
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
            tracing::warn!(source = ?event.source, ?names, "several machines use one id: on the copies, svm-agent identity reset");
        }
    }

    /// A new event was inserted.
    fn took(&mut self, event: &Event, at: Timestamp) {
        self.saw(event, at);
        if let Some(sequence) = event.sequence {
            self.changed_gaps = true;
            // Before the event itself, so that what is skipped is not even for a moment among what is missing.
            if let Some(from) = event.skipped_from {
                self.gaps.skipped(from, sequence.saturating_sub(1));
            }
            self.gaps.took(sequence);
            if let Some(told) = &event.told
                && self.state_sequence.is_none_or(|before| sequence > before)
            {
                self.state_sequence = Some(sequence);
                // An earlier report of this transaction outlives a later event without one.
                let report =
                    told.report.clone().or_else(|| self.told.take().and_then(|(told, _)| told.report));
                self.told = Some((Told { report, ..told.clone() }, event.time.unwrap_or(at)));
            }
        }
    }

    fn conflict(&mut self, event: &Event, at: Timestamp) -> Conflict {
        self.saw(event, at);
        let sequence = event.sequence.map(twenty).unwrap_or_default();
        if self.conflicts == 0 {
            tracing::warn!(source = ?event.source, %sequence, event = ?event.id,
                "a sequence number came again with another event: the source was reverted or copied");
        }
        self.conflicts = self.conflicts.saturating_add(1);
        self.last_conflict = Some(LastConflict { id: event.id.clone(), sequence: sequence.clone(), at });
        let highest = self.gaps.highest().map(twenty).unwrap_or_default();
        Conflict { id: event.id.clone(), sequence, highest }
    }
}

/// Writes back what changed.
fn save(db: &Transaction<'_>, source: &Source) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE sources SET last_contact = ?2 WHERE number = ?1")?
        .execute(params![source.number, source.last_contact.as_microsecond()])?;
    if source.changed_gaps {
        db.prepare_cached(
            "UPDATE sources SET highest = ?2, gaps = ?3, gaps_forgotten = ?4 WHERE number = ?1",
        )?
        .execute(params![
            source.number,
            source.gaps.highest().map(twenty),
            source.gaps.ranges_text(),
            twenty(source.gaps.forgotten()),
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
    if let Some((told, at)) = &source.told {
        db.prepare_cached(
            "UPDATE sources SET state_sequence = ?2, state_at = ?3, state = ?4, report = coalesce(?5, report),
               status = ?6, hostname = ?7, phase = ?8, key = ?9, devices = ?10, devices_limit = ?11
             WHERE number = ?1",
        )?
        .execute(params![
            source.number,
            source.state_sequence.map(twenty),
            at.as_microsecond(),
            json(told),
            told.report,
            level(told.status),
            told.hostname,
            told.phase,
            told.key,
            told.devices,
            told.devices_limit,
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

/// Removes old events, a bounded number at a time so that senders do not wait long.
pub(super) fn prune(
    db: &Connection,
    events_before: Timestamp,
    reports_before: Timestamp,
) -> rusqlite::Result<()> {
    let events = db.execute(
        "DELETE FROM events WHERE position IN (SELECT position FROM events WHERE received < ?1 LIMIT 5000)",
        [events_before.as_microsecond()],
    )?;
    let reports = db.execute(
        "DELETE FROM events WHERE position IN
           (SELECT position FROM events WHERE type = 'svm.agent.report' AND received < ?1 LIMIT 5000)",
        [reports_before.as_microsecond()],
    )?;
    if events + reports > 0 {
        tracing::debug!(events, reports, "removed old events");
        // A page with each step, and whatever executes a statement takes one step.
        let mut vacuum = db.prepare("PRAGMA incremental_vacuum(1000)")?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
    }
    Ok(())
}
