//! Writing: requests become rows, all of a group in one transaction.

use super::columns::number;
use super::error::StoreError;
use super::remove::Removal;
use super::source::{self, Source};
use super::summary::CommitSummary;
use crate::cloudevent::Event;
use crate::fleet::ConflictReason;
use crate::metrics::{CommitCounts, Metrics};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::collections::{BTreeSet, HashMap};
use svm_core::sequence::format_sequence;
use svm_core::text::clean;

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
    pub(crate) at: Timestamp,
}

/// Whether a request may be stored. One that may not changes nothing, and the others of its transaction are stored.
enum Admission {
    Granted,
    Refused(StoreError),
}

/// Writes the requests in one transaction. After it returns, they are on disk.
pub(super) fn commit(
    db: &mut Connection,
    requests: &[Ingest],
    removal: &mut Removal,
    metrics: &Metrics,
) -> rusqlite::Result<Vec<Result<CommitSummary, StoreError>>> {
    let took = svm_core::clock::stopwatch();
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut sources = HashMap::new();
    let mut known_sources = removal.sources;
    let mut outcomes = Vec::with_capacity(requests.len());
    for request in requests {
        let outcome = match admit(&transaction, request, &mut sources, &mut known_sources, removal)? {
            Admission::Granted => Ok(store(&transaction, request, &mut sources)?),
            Admission::Refused(refusal) => Err(refusal),
        };
        outcomes.push(outcome);
    }
    let mut added = 0;
    for source in sources.values() {
        source::save(&transaction, source)?;
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
    metrics.committed(took(), counts(&outcomes));
    Ok(outcomes)
}

fn counts(outcomes: &[Result<CommitSummary, StoreError>]) -> CommitCounts {
    let mut counts = CommitCounts::default();
    for summary in outcomes.iter().flatten() {
        counts.stored += summary.kept.len().saturating_sub(summary.duplicates) as u64;
        counts.duplicates += summary.duplicates as u64;
        counts.conflicts += summary.conflicts.len() as u64;
    }
    counts
}

/// Reads the sources of a request, and makes those that are new, if the request may be stored.
fn admit(
    db: &Transaction<'_>,
    request: &Ingest,
    sources: &mut HashMap<String, Source>,
    known_sources: &mut u64,
    removal: &Removal,
) -> rusqlite::Result<Admission> {
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
        match source::find(db, &event.source, request.at)? {
            Some(source) => drop(sources.insert(event.source.clone(), source)),
            None => drop(new.insert(event.source.clone())),
        }
    }
    if let (Some(token), Some(first)) = (&request.token, request.events.first())
        && let refused @ Admission::Refused(_) =
            may_send(db, token, &first.source, new.contains(&first.source), request.at)?
    {
        return Ok(refused);
    }
    if known_sources.saturating_add(new.len() as u64) > removal.bounds.sources {
        return Ok(Admission::Refused(StoreError::TooManySources));
    }
    let mut bytes = request.events.iter().filter_map(|event| sources.get(&event.source));
    if removal.is_far_behind() || bytes.any(|source| removal.is_far_above_quota(source.bytes)) {
        return Ok(Admission::Refused(StoreError::Busy));
    }
    for name in new {
        source::make(db, &name, request.at)?;
        if let Some(source) = source::find(db, &name, request.at)? {
            sources.insert(name, source);
            *known_sources += 1;
        }
    }
    Ok(Admission::Granted)
}

/// Whether a token may speak for a source. The token file decides where it names the source; else the token belongs to
/// the source that it was first used for, and that must be one nobody has spoken for.
fn may_send(
    db: &Transaction<'_>,
    token: &TokenHolder,
    source: &str,
    is_new: bool,
    at: Timestamp,
) -> rusqlite::Result<Admission> {
    if let Some(named) = &token.source {
        return Ok(if named == source {
            Admission::Granted
        } else {
            Admission::Refused(StoreError::TokenOfAnother)
        });
    }
    if token.source_is_named {
        return Ok(Admission::Refused(StoreError::SourceOfAnother));
    }
    let mut bound = db.prepare_cached("SELECT source FROM tokens WHERE hash = ?1")?;
    let bound: Option<String> = bound.query_row([&token.hash], |row| row.get(0)).optional()?;
    match bound {
        Some(bound) if bound == source => return Ok(Admission::Granted),
        Some(_) => return Ok(Admission::Refused(StoreError::TokenOfAnother)),
        None if !is_new => return Ok(Admission::Refused(StoreError::SourceOfAnother)),
        None => {}
    }
    let mut owner = db.prepare_cached("SELECT 1 FROM tokens WHERE source = ?1")?;
    if owner.exists([source])? {
        return Ok(Admission::Refused(StoreError::SourceOfAnother));
    }
    let mut bind = db.prepare_cached("INSERT INTO tokens (hash, source, bound) VALUES (?1, ?2, ?3)")?;
    bind.execute(params![token.hash, source, at.as_microsecond()])?;
    tracing::info!(source = %clean(source), "bound a new token to the source that used it first");
    Ok(Admission::Granted)
}

fn store(
    db: &Transaction<'_>,
    request: &Ingest,
    sources: &mut HashMap<String, Source>,
) -> rusqlite::Result<CommitSummary> {
    let mut outcome = CommitSummary::default();
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
