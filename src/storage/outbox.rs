//! The outbox: what waits for each destination, in which order, and what it refused.
//!
//! A destination has everything up to `delivered`; rows above it wait, rows at or below it are history. A number
//! without a row above `delivered` is a hole that was made on purpose, and the event after it says so.

use crate::storage::types::{Above, Commit, Quarantined, Route};
use rusqlite::{Connection, OptionalExtension, Result, params};
use std::collections::HashMap;
use svm_core::bounds::MAX_SEQUENCE;
use svm_core::events::{DROPPED, REPORT};

/// Makes the destinations those of the settings; a new one counts on from `start`. One that is no longer configured
/// gets no new events, and keeps its place and what waits for it in case it comes back: answers how much, by name.
pub(crate) fn set_destinations(db: &Connection, names: &[&str], start: u64) -> Result<Vec<(String, u64)>> {
    let mut known = db.prepare("SELECT name, configured FROM destinations")?;
    let known = known.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let known: Vec<(String, bool)> = known.collect::<Result<_>>()?;
    let mut left = Vec::new();
    for (name, configured) in &known {
        let wanted = names.contains(&name.as_str());
        if wanted != *configured {
            db.execute("UPDATE destinations SET configured = ?2 WHERE name = ?1", params![name, wanted])?;
        }
        if !wanted {
            let sql = "SELECT count(*) FROM outbox o JOIN destinations d ON d.name = o.destination
                       WHERE o.destination = ?1 AND o.sequence > d.delivered";
            left.push((name.clone(), db.query_row(sql, [name], |row| row.get::<_, i64>(0))?.cast_unsigned()));
        }
    }
    for name in names.iter().filter(|name| !known.iter().any(|(known, _)| known == *name)) {
        let sql = "INSERT INTO destinations (name, last_sequence) VALUES (?1, ?2)";
        db.execute(sql, params![name, start.cast_signed()])?;
    }
    Ok(left)
}

/// What came of putting events into the outbox.
#[derive(Default)]
pub(crate) struct Numbered {
    /// The highest sequence number that was used, 0 where none was.
    pub(crate) highest: u64,
    /// Types of events that got no number, each with the destination that has none left.
    pub(crate) without: Vec<(&'static str, String)>,
}

/// Puts the events of a commit into history and outbox, and what was refused into quarantine.
pub(crate) fn keep(db: &Connection, commit: &Commit, routes: &[Route]) -> Result<Numbered> {
    let renumbered = commit.above.as_ref().map_or(Ok(0), |above| renumber(db, above))?;
    for refused in &commit.quarantined {
        put_aside(db, refused)?;
    }
    let mut numbered = Numbered { highest: renumbered, without: Vec::new() };
    if commit.records.is_empty() {
        return Ok(numbered);
    }
    let mut last = db.prepare_cached("SELECT name, last_sequence FROM destinations WHERE configured")?;
    let last = last.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut last: HashMap<String, i64> = last.collect::<Result<_>>()?;
    let mut insert = db.prepare_cached(
        "INSERT INTO events (id, type, severity, time, subject, description, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let mut queue = db.prepare_cached(
        "INSERT INTO outbox (destination, sequence, event, replaceable) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for record in &commit.records {
        insert.execute(params![
            record.id.to_string(),
            record.type_name,
            record.severity.number(),
            record.time.to_string(),
            record.subject,
            record.description,
            record.body
        ])?;
        let event = db.last_insert_rowid();
        let is_report = record.type_name == REPORT;
        for route in routes.iter().filter(|route| route.filter.takes(record.type_name, record.severity)) {
            let Some(sequence) = last.get_mut(&route.name) else { continue };
            if is_report && replace_report(db, &route.name, event)? {
                continue;
            }
            if *sequence >= MAX_SEQUENCE.cast_signed() {
                // An event that reports drops would be dropped for the same reason.
                if record.type_name != DROPPED {
                    numbered.without.push((record.type_name, route.name.clone()));
                }
                continue;
            }
            *sequence += 1;
            queue.execute(params![route.name, *sequence, event, is_report])?;
        }
    }
    let mut update = db.prepare_cached("UPDATE destinations SET last_sequence = ?2 WHERE name = ?1")?;
    for (name, sequence) in last {
        update.execute(params![name, sequence])?;
        numbered.highest = numbered.highest.max(sequence.cast_unsigned());
    }
    Ok(numbered)
}

/// Only the latest report waits: a report that nobody was sent gives its place to the new one.
fn replace_report(db: &Connection, destination: &str, event: i64) -> Result<bool> {
    // Told which index, or SQLite reads all rows of the destination.
    let sql = "SELECT sequence, event FROM outbox INDEXED BY outbox_replaceable
               WHERE destination = ?1 AND replaceable LIMIT 1";
    let waiting = db
        .prepare_cached(sql)?
        .query_row([destination], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
        .optional()?;
    let Some((sequence, old)) = waiting else { return Ok(false) };
    let sql = "UPDATE outbox SET event = ?3 WHERE destination = ?1 AND sequence = ?2";
    db.execute(sql, params![destination, sequence, event])?;
    // Another destination may have it in its outbox, or have refused it.
    let sql = "DELETE FROM events WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM outbox WHERE event = ?1)
                 AND NOT EXISTS (SELECT 1 FROM quarantine WHERE event = ?1)";
    db.execute(sql, [old])?;
    Ok(true)
}

/// An event on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number at this destination.
    pub sequence: u64,
    /// The first of the numbers right before it that will never come, where there are such.
    pub skipped_from: Option<u64>,
    pub id: String,
    /// The CloudEvent without `sequence`.
    pub body: String,
}

/// Which events to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// Those with higher numbers than this.
    pub after: u64,
    /// What the receiver has, where that is more than was kept yet: what is missing above it was skipped.
    pub received: u64,
    /// At most so many.
    pub most: usize,
    /// And about so many bytes, but one event at least.
    pub bytes: usize,
}

pub(crate) fn next(db: &Connection, destination: &str, reading: Reading) -> Result<Vec<Outgoing>> {
    let sql = "SELECT delivered FROM destinations WHERE name = ?1";
    let delivered: Option<i64> =
        db.prepare_cached(sql)?.query_row([destination], |row| row.get(0)).optional()?;
    let delivered = delivered.unwrap_or(0).cast_unsigned();
    let mut before = delivered.max(reading.received);
    let after = delivered.max(reading.after);
    let mut rows = db.prepare_cached(
        "SELECT o.sequence, o.replaceable, e.id, e.body FROM outbox o JOIN events e ON e.number = o.event
         WHERE o.destination = ?1 AND o.sequence > ?2 ORDER BY o.sequence LIMIT ?3",
    )?;
    let most = i64::try_from(reading.most).unwrap_or(i64::MAX);
    let mut rows = rows.query(params![destination, after.cast_signed(), most])?;
    let (mut found, mut bytes, mut report) = (Vec::new(), 0, None);
    while let Some(row) = rows.next()? {
        let sequence = row.get::<_, i64>(0)?.cast_unsigned();
        let body: String = row.get(3)?;
        bytes += body.len();
        if bytes > reading.bytes && !found.is_empty() {
            break;
        }
        if row.get(1)? {
            report = Some(sequence);
        }
        let skipped_from = (before + 1 < sequence).then_some(before + 1);
        before = sequence;
        found.push(Outgoing { sequence, skipped_from, id: row.get(2)?, body });
    }
    if let Some(sequence) = report {
        // From here on it may have been seen: it keeps its number, and a newer report gets one of its own.
        let sql = "UPDATE outbox SET replaceable = 0 WHERE destination = ?1 AND sequence = ?2";
        db.execute(sql, params![destination, sequence.cast_signed()])?;
    }
    Ok(found)
}

/// The highest number that any destination's events were given.
pub(crate) fn highest(db: &Connection) -> Result<u64> {
    let highest: Option<i64> =
        db.query_row("SELECT max(last_sequence) FROM destinations", [], |row| row.get(0))?;
    Ok(highest.unwrap_or(0).cast_unsigned())
}

pub(crate) fn last_sequence(db: &Connection, destination: &str) -> Result<u64> {
    let sql = "SELECT last_sequence FROM destinations WHERE name = ?1";
    let last: Option<i64> = db.query_row(sql, [destination], |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(0).cast_unsigned())
}

/// Gives what waits for a destination new numbers above all that were used, in the same order, and with the holes that
/// there are. Its old numbers become a hole. Answers the last number. Where there are not so many numbers left, nothing
/// changes.
fn renumber(db: &Connection, above: &Above) -> Result<u64> {
    let name = &above.destination;
    let last = last_sequence(db, name)?;
    let highest = last.max(above.number);
    let sql = "SELECT min(o.sequence) FROM outbox o JOIN destinations d ON d.name = o.destination
               WHERE o.destination = ?1 AND o.sequence > d.delivered";
    let first: Option<i64> = db.query_row(sql, [name], |row| row.get(0))?;
    let Some(first) = first.map(i64::cast_unsigned) else { return Ok(last) };
    let shift = highest.saturating_add(1).saturating_sub(first);
    if last.saturating_add(shift) > MAX_SEQUENCE {
        return Ok(last);
    }
    let shift = shift.cast_signed();
    // All new numbers are above all that are there: none is in the way of another.
    let sql = "UPDATE outbox SET sequence = sequence + ?2 WHERE destination = ?1 AND sequence >= ?3";
    db.execute(sql, params![name, shift, first.cast_signed()])?;
    let sql =
        "UPDATE destinations SET last_sequence = last_sequence + ?2 WHERE name = ?1 RETURNING last_sequence";
    db.query_row(sql, params![name, shift], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

pub(crate) fn last_delivered(db: &Connection, destination: &str) -> Result<Option<Outgoing>> {
    let sql = "SELECT o.sequence, e.id, e.body FROM outbox o
                 JOIN destinations d ON d.name = o.destination JOIN events e ON e.number = o.event
               WHERE o.destination = ?1 AND o.sequence <= d.delivered ORDER BY o.sequence DESC LIMIT 1";
    let event = db.query_row(sql, [destination], |row| {
        let sequence = row.get::<_, i64>(0)?.cast_unsigned();
        Ok(Outgoing { sequence, skipped_from: None, id: row.get(1)?, body: row.get(2)? })
    });
    event.optional()
}

pub(crate) fn delivered(db: &Connection, destination: &str, sequence: u64) -> Result<()> {
    let sql = "UPDATE destinations SET delivered = max(delivered, ?2), retry = NULL WHERE name = ?1";
    db.prepare_cached(sql)?.execute(params![destination, sequence.cast_signed()]).map(drop)
}

/// Takes a refused event out of the outbox.
fn put_aside(db: &Connection, refused: &Quarantined) -> Result<()> {
    let Quarantined { destination, sequence, code, answer, at, .. } = refused;
    let place = params![destination, sequence.cast_signed()];
    let sql = "SELECT event FROM outbox WHERE destination = ?1 AND sequence = ?2";
    let event: Option<i64> = db.query_row(sql, place, |row| row.get(0)).optional()?;
    // It may have been dropped in the meantime.
    let Some(event) = event else { return Ok(()) };
    db.execute("DELETE FROM outbox WHERE destination = ?1 AND sequence = ?2", place)?;
    let sql = "INSERT INTO quarantine VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let at = at.to_string();
    db.execute(sql, params![destination, sequence.cast_signed(), event, code.code(), answer, at]).map(drop)
}

/// Puts quarantined events at the end of the outbox again, under new numbers: those of one `id`, or all. Only
/// where the destination is configured. Answers how many, and the highest number used.
pub(crate) fn requeue(db: &Connection, id: Option<&str>) -> Result<(u64, u64)> {
    let mut rows = db.prepare(
        "SELECT q.destination, q.sequence, q.event FROM quarantine q
           JOIN events e ON e.number = q.event JOIN destinations d ON d.name = q.destination AND d.configured
         WHERE ?1 IS NULL OR e.id = ?1 ORDER BY q.destination, q.sequence",
    )?;
    let rows = rows.query_map([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let rows: Vec<(String, i64, i64)> = rows.collect::<Result<_>>()?;
    let (mut moved, mut highest) = (0, 0);
    for (destination, sequence, event) in rows {
        let sql = "UPDATE destinations SET last_sequence = last_sequence + 1
                   WHERE name = ?1 AND last_sequence < ?2 RETURNING last_sequence";
        let most = MAX_SEQUENCE.cast_signed();
        let new = db.query_row(sql, params![destination, most], |row| row.get::<_, i64>(0)).optional()?;
        let Some(new) = new else { continue };
        let sql = "INSERT INTO outbox (destination, sequence, event) VALUES (?1, ?2, ?3)";
        db.execute(sql, params![destination, new, event])?;
        let sql = "DELETE FROM quarantine WHERE destination = ?1 AND sequence = ?2";
        db.execute(sql, params![destination, sequence])?;
        moved += 1;
        highest = highest.max(new.cast_unsigned());
    }
    Ok((moved, highest))
}

/// What delivery wants to remember of its failures over a restart.
pub(crate) fn retry(db: &Connection, destination: &str) -> Result<Option<String>> {
    let sql = "SELECT retry FROM destinations WHERE name = ?1";
    Ok(db.query_row(sql, [destination], |row| row.get(0)).optional()?.flatten())
}

pub(crate) fn set_retry(db: &Connection, destination: &str, retry: &str) -> Result<()> {
    let sql = "UPDATE destinations SET retry = ?2 WHERE name = ?1";
    db.prepare_cached(sql)?.execute([destination, retry]).map(drop)
}
