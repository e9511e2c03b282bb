//! What leaves the store, and when: history by number, what waits by size and age. Nothing that waits leaves
//! untold.

use crate::config::Retention;
use crate::log::log_event;
use crate::storage::notes::NoteName;
use crate::storage::sql;
use crate::storage::types::Commit;
use rusqlite::{CachedStatement, Connection, Result, params};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use svm_core::events::{DropCount, Drops};
use svm_core::library_words;

/// So many events leave at once at most, but for want of room.
const CHUNK: usize = 64;

fn count(drops: &mut Drops, r#type: &str, reason: &str, destinations: &str) {
    match drops.dropped.iter_mut().find(|d| d.r#type == r#type && d.reason == reason) {
        Some(known) => known.count = known.count.saturating_add(1),
        None => {
            drops.dropped.push(DropCount { r#type: r#type.to_owned(), reason: reason.to_owned(), count: 1 });
        }
    }
    for destination in destinations.split(',') {
        let count = drops.destinations.entry(destination.to_owned()).or_default();
        *count = count.saturating_add(1);
    }
}

/// Holds the bounds after a commit. Answers everything that was dropped and not told yet, `without` numbers too; a commit
/// that tells it has written the note anew before.
pub(crate) fn apply(
    db: &Connection,
    commit: &Commit,
    without: &[(&str, String)],
    bounds: Retention,
    trim_cursor: &TrimCursor,
) -> Result<Drops> {
    let unreported = sql::note(db, NoteName::Dropped)?.unwrap_or_default();
    let mut drops = Drops::default();
    if !unreported.is_empty() {
        match serde_json::from_str(&unreported) {
            Ok(counted) => drops = counted,
            Err(error) => {
                let error = library_words::json(&error);
                log_event!(DROPS_UNREADABLE, %error);
            }
        }
    }
    for (r#type, destination) in without {
        count(&mut drops, r#type, "numbers", destination);
    }
    if let Some(before) = commit.expire_before {
        expire(db, &before.to_string(), &mut drops)?;
    }
    if !commit.records.is_empty() {
        trim(db, bounds.history, trim_cursor)?;
        make_room(db, bounds.bytes, &mut drops)?;
    }
    let text = match drops.is_empty() {
        true => String::new(),
        false => serde_json::to_string(&drops).unwrap_or_default(),
    };
    if text != unreported {
        sql::set_note(db, NoteName::Dropped, &text)?;
    }
    Ok(drops)
}

/// Destinations to which the event of a row of `events e` is still to go, or which refused it.
const WANTED_BY: &str = "
  (SELECT group_concat(name) FROM (
     SELECT o.destination AS name FROM outbox o JOIN destinations d ON d.name = o.destination
       WHERE o.event = e.number AND d.configured AND o.sequence > d.delivered
     UNION SELECT q.destination FROM quarantine q WHERE q.event = e.number))";

fn delete(db: &Connection, number: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM events WHERE number = ?1")?.execute([number]).map(drop)
}

fn bytes(db: &Connection) -> Result<u64> {
    let bytes: i64 = db.prepare_cached("SELECT bytes FROM stored")?.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// How far the last look at old events came. What somebody wants stands between what nobody does, for years where one
/// destination is dead: each commit looks on from here at a few, rather than at all.
#[derive(Clone, Default)]
pub(crate) struct TrimCursor(Arc<AtomicI64>);

/// Of what waits for nobody the newest `history` events stay. Looks at a few at once; answers whether it has not
/// come to the last.
pub(crate) fn trim(db: &Connection, history: u32, trim_cursor: &TrimCursor) -> Result<bool> {
    let newest: Option<i64> =
        db.prepare_cached("SELECT max(number) FROM events")?.query_row([], |row| row.get(0))?;
    let old = newest.unwrap_or(0) - i64::from(history);
    if old <= 0 {
        return Ok(false);
    }
    let sql = format!(
        "SELECT e.number, {WANTED_BY} IS NULL FROM events e
         WHERE e.number > ?1 AND e.number <= ?2 ORDER BY e.number LIMIT {CHUNK}"
    );
    let mut found = db.prepare_cached(&sql)?;
    let found = found
        .query_map([trim_cursor.0.load(Relaxed), old], |row| Ok((row.get(0)?, row.get::<_, bool>(1)?)))?;
    let found: Vec<(i64, bool)> = found.collect::<Result<_>>()?;
    for (number, _) in found.iter().filter(|(_, unwanted)| *unwanted) {
        delete(db, *number)?;
    }
    let more = found.get(CHUNK - 1).map(|(last, _)| *last);
    trim_cursor.0.store(more.unwrap_or(0), Relaxed);
    Ok(more.is_some())
}

/// A number at or below which nothing waits but what lost its order: reports that took an older one's place.
fn below_waiting(db: &Connection) -> Result<i64> {
    let mut names = db.prepare_cached("SELECT name, delivered FROM destinations WHERE configured")?;
    let names = names.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut lowest = i64::MAX;
    for name in names {
        let (name, delivered): (String, i64) = name?;
        let sql = "SELECT o.event FROM outbox o JOIN events e ON e.number = o.event
                   WHERE o.destination = ?1 AND o.sequence > ?2 AND e.type <> ?3 ORDER BY o.sequence LIMIT 1";
        let mut first = db.prepare_cached(sql)?;
        let mut first = first.query(params![name, delivered, svm_core::events::REPORT])?;
        if let Some(row) = first.next()? {
            lowest = lowest.min(row.get::<_, i64>(0)? - 1);
        }
    }
    Ok(lowest)
}

/// Deletes a few events up to a number that nobody wants, the oldest first; answers how many.
fn forget(db: &Connection, upto: i64) -> Result<usize> {
    let sql = format!(
        "DELETE FROM events WHERE number IN
           (SELECT e.number FROM events e WHERE e.number <= ?1 AND {WANTED_BY} IS NULL ORDER BY e.number LIMIT {CHUNK})"
    );
    db.prepare_cached(&sql)?.execute([upto])
}

/// Where more is kept than may be: history leaves first, then what waits, by severity and age: the oldest Info
/// first, Critical last. Goes on to a sixty-fourth below the bound, lest it has to begin again with the next event.
fn make_room(db: &Connection, most: u64, drops: &mut Drops) -> Result<()> {
    if bytes(db)? <= most {
        return Ok(());
    }
    let enough = most - most / 64;
    while bytes(db)? > enough && forget(db, below_waiting(db)?)? > 0 {}
    let sql = format!(
        "SELECT e.number, e.type, {WANTED_BY} FROM events e WHERE e.severity = ?1 ORDER BY e.number LIMIT {CHUNK}"
    );
    for severity in 1_u8..=4 {
        while bytes(db)? > enough {
            let mut oldest = db.prepare_cached(&sql)?;
            if take(db, &mut oldest, params![severity], "size", drops)? == 0 {
                break;
            }
        }
    }
    Ok(())
}

/// Gives some free pages back to the file system; answers whether there were any.
pub(crate) fn vacuum(db: &Connection) -> Result<bool> {
    let mut freed = db.prepare_cached(&format!("PRAGMA incremental_vacuum({CHUNK})"))?;
    let mut freed = freed.query([])?;
    let mut any = false;
    // A page for each row.
    while freed.next()?.is_some() {
        any = true;
    }
    Ok(any)
}

/// What waits since before an instant is dropped, as far as one commit may take.
fn expire(db: &Connection, before: &str, drops: &mut Drops) -> Result<()> {
    // The first that waits for each, whatever it is, and the first that is not a report with an older one's place.
    let sql = "SELECT EXISTS (SELECT 1 FROM events WHERE number = ?1 AND time < ?2)
                 OR EXISTS (SELECT 1 FROM destinations d WHERE d.configured AND
                      (SELECT e.time FROM outbox o JOIN events e ON e.number = o.event
                         WHERE o.destination = d.name AND o.sequence > d.delivered ORDER BY o.sequence LIMIT 1) < ?2)
                 OR EXISTS (SELECT 1 FROM quarantine q JOIN events e ON e.number = q.event WHERE e.time < ?2)";
    let oldest = below_waiting(db)?.saturating_add(1);
    if !db.query_row(sql, params![oldest, before], |row| row.get::<_, bool>(0))? {
        return Ok(());
    }
    let sql = format!(
        "SELECT e.number, e.type, {WANTED_BY} AS wanted FROM events e
         WHERE e.time < ?1 AND wanted IS NOT NULL ORDER BY e.number LIMIT 1024"
    );
    let mut old = db.prepare_cached(&sql)?;
    take(db, &mut old, params![before], "age", drops).map(drop)
}

/// Deletes and counts the events that a query answers with number, type and who wants them.
fn take(
    db: &Connection,
    query: &mut CachedStatement,
    parameters: &[&dyn rusqlite::ToSql],
    reason: &str,
    drops: &mut Drops,
) -> Result<usize> {
    let found = query.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let found: Vec<(i64, String, Option<String>)> = found.collect::<Result<_>>()?;
    for (number, r#type, wanted_by) in &found {
        if let Some(wanted_by) = wanted_by {
            count(drops, r#type, reason, wanted_by);
        }
        delete(db, *number)?;
    }
    Ok(found.len())
}
