//! All SQL of the agent.

use super::{Commit, Paper};
use crate::events::REPORT;
use rusqlite::{Connection, OptionalExtension, Result, params};

/// The form of the database; raised when the tables change.
pub(super) const FORM: i64 = 1;

const TABLES: &str = "
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (key TEXT PRIMARY KEY, issuer TEXT NOT NULL, sub TEXT NOT NULL, jws TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL,
  severity INTEGER NOT NULL,
  time TEXT NOT NULL,
  subject TEXT,
  description TEXT NOT NULL,
  body TEXT NOT NULL
);
CREATE TABLE destinations (
  name TEXT PRIMARY KEY,
  last_sequence INTEGER NOT NULL,
  configured INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;
CREATE TABLE outbox (
  destination TEXT NOT NULL REFERENCES destinations(name),
  sequence INTEGER NOT NULL,
  event INTEGER NOT NULL REFERENCES events(number),
  sent INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (destination, sequence)
) WITHOUT ROWID;
CREATE INDEX outbox_by_event ON outbox(event);
";

/// Prepares a connection; must come before anything else. One that is `alone` keeps other programs out.
pub(super) fn prepare(db: &Connection, alone: bool) -> Result<()> {
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    if alone {
        db.execute_batch("PRAGMA locking_mode = EXCLUSIVE")?;
    }
    // It is written each time that it is said, which a full disk would not let through.
    if form(db)? == 0 {
        db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    }
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA cache_size = -256; PRAGMA journal_size_limit = 1048576; PRAGMA foreign_keys = ON;",
    )
}

/// The form of the file: 0 where it is empty.
pub(super) fn form(db: &Connection) -> Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Makes the tables and what stands in them from the first, all or nothing.
pub(super) fn create(db: &Connection, id: &str, first: &Commit) -> Result<()> {
    let transaction = db.unchecked_transaction()?;
    transaction.execute_batch(&format!("{TABLES} PRAGMA user_version = {FORM};"))?;
    set_note(&transaction, "id", id)?;
    keep(&transaction, first, u32::MAX)?;
    transaction.commit()
}

/// What SQLite finds wrong with the file, if anything, on one line.
pub(super) fn damage(db: &Connection) -> Result<Option<String>> {
    let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(Some(found.replace('\n', " ")).filter(|found| found != "ok"))
}

/// A note by name.
pub(super) fn note(db: &Connection, name: &str) -> Result<Option<String>> {
    db.query_row("SELECT value FROM notes WHERE name = ?1", [name], |row| row.get(0)).optional()
}

/// A note that is a number; 0 where there is none.
pub(super) fn number(db: &Connection, name: &str) -> Result<u64> {
    Ok(note(db, name)?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Writes a note.
pub(super) fn set_note(db: &Connection, name: &str, value: &str) -> Result<()> {
    let sql = "INSERT INTO notes VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    db.prepare_cached(sql)?.execute([name, value]).map(drop)
}

/// The documents of held keys.
pub(super) fn papers(db: &Connection) -> Result<Vec<Paper>> {
    let mut rows = db.prepare("SELECT key, issuer, sub, jws FROM documents ORDER BY key")?;
    let rows = rows.query_map([], |row| {
        Ok(Paper { key: row.get(0)?, issuer: row.get(1)?, sub: row.get(2)?, jws: row.get(3)? })
    })?;
    rows.collect()
}

/// Makes the destinations those of the settings; a new one counts on from `start`. One that is configured no more
/// gets no new events, and keeps its place and what waits for it in case it comes back: answers how much, by name.
pub(super) fn set_destinations(db: &Connection, names: &[&str], start: u64) -> Result<Vec<(String, u64)>> {
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
            let sql = "SELECT count(*) FROM outbox WHERE destination = ?1";
            left.push((name.clone(), db.query_row(sql, [name], |row| row.get::<_, i64>(0))?.cast_unsigned()));
        }
    }
    for name in names.iter().filter(|name| !known.iter().any(|(known, _)| known == *name)) {
        let sql = "INSERT INTO destinations (name, last_sequence) VALUES (?1, ?2)";
        db.execute(sql, params![name, start.cast_signed()])?;
    }
    Ok(left)
}

/// Of what waits for no configured destination, the newest `history` events stay.
fn trim(db: &Connection, history: u32) -> Result<()> {
    let newest: Option<i64> =
        db.prepare_cached("SELECT max(number) FROM events")?.query_row([], |row| row.get(0))?;
    let old = newest.unwrap_or(0) - i64::from(history);
    if old <= 0 {
        return Ok(());
    }
    let sql =
        "SELECT min(o.event) FROM outbox o JOIN destinations d ON d.name = o.destination WHERE d.configured";
    let waits: Option<i64> = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    let cut = waits.map_or(old, |waits| old.min(waits - 1));
    db.prepare_cached("DELETE FROM outbox WHERE event <= ?1")?.execute([cut])?;
    if db.prepare_cached("DELETE FROM events WHERE number <= ?1")?.execute([cut])? > 0 {
        db.execute_batch("PRAGMA incremental_vacuum(64)")?;
    }
    Ok(())
}

/// Writes a commit. Answers the highest sequence number that it used, 0 where it used none.
pub(super) fn keep(db: &Connection, commit: &Commit, history: u32) -> Result<u64> {
    if let Some(state) = &commit.state {
        let state =
            serde_json::to_string(state).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
        set_note(db, "state", &state)?;
    }
    if let Some(papers) = &commit.papers {
        db.execute("DELETE FROM documents", [])?;
        for paper in papers {
            let sql = "INSERT INTO documents VALUES (?1, ?2, ?3, ?4)";
            db.execute(sql, params![paper.key, paper.issuer, paper.sub, paper.jws])?;
        }
    }
    for (name, value) in &commit.notes {
        set_note(db, name, value)?;
    }
    if commit.records.is_empty() {
        return Ok(0);
    }
    let mut destinations =
        db.prepare_cached("SELECT name, last_sequence FROM destinations WHERE configured")?;
    let destinations = destinations.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut destinations: Vec<(String, i64)> = destinations.collect::<Result<_>>()?;
    let mut insert = db.prepare_cached(
        "INSERT INTO events (id, type, severity, time, subject, description, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let mut queue =
        db.prepare_cached("INSERT INTO outbox (destination, sequence, event) VALUES (?1, ?2, ?3)")?;
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
        for (name, sequence) in &mut destinations {
            if record.type_name == REPORT && replace_report(db, name, event)? {
                continue;
            }
            *sequence += 1;
            queue.execute(params![name.as_str(), *sequence, event])?;
        }
    }
    let mut update = db.prepare_cached("UPDATE destinations SET last_sequence = ?2 WHERE name = ?1")?;
    let mut last = 0;
    for (name, sequence) in destinations {
        update.execute(params![name, sequence])?;
        last = last.max(sequence.cast_unsigned());
    }
    trim(db, history)?;
    Ok(last)
}

/// Only the latest report waits: a report that was never sent gives its place to the new one.
fn replace_report(db: &Connection, destination: &str, event: i64) -> Result<bool> {
    let waiting = db
        .prepare_cached(
            "SELECT o.sequence, o.event FROM outbox o JOIN events e ON e.number = o.event
             WHERE o.destination = ?1 AND o.sent = 0 AND e.type = ?2 LIMIT 1",
        )?
        .query_row(params![destination, REPORT], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
        .optional()?;
    let Some((sequence, old)) = waiting else { return Ok(false) };
    let sql = "UPDATE outbox SET event = ?3 WHERE destination = ?1 AND sequence = ?2";
    db.execute(sql, params![destination, sequence, event])?;
    let sql = "DELETE FROM events WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM outbox WHERE event = ?1)";
    db.execute(sql, [old])?;
    Ok(true)
}

/// An event on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number at this destination.
    pub sequence: u64,
    /// Its id.
    pub id: String,
    /// The CloudEvent without `sequence`.
    pub body: String,
}

/// About so much is sent at once.
const BATCH_BYTES: usize = 256 * 1024;

pub(super) fn next(db: &Connection, destination: &str, most: usize) -> Result<Vec<Outgoing>> {
    let mut rows = db.prepare_cached(
        "SELECT o.sequence, e.id, e.body, e.type = ?3 AND o.sent = 0 FROM outbox o JOIN events e ON e.number = o.event
         WHERE o.destination = ?1 ORDER BY o.sequence LIMIT ?2",
    )?;
    let mut rows = rows.query(params![destination, i64::try_from(most).unwrap_or(i64::MAX), REPORT])?;
    let (mut found, mut bytes, mut unsent_report) = (Vec::new(), 0, None);
    while let Some(row) = rows.next()? {
        let sequence: i64 = row.get(0)?;
        let body: String = row.get(2)?;
        bytes += body.len();
        if bytes > BATCH_BYTES && !found.is_empty() {
            break;
        }
        if row.get(3)? {
            unsent_report = Some(sequence);
        }
        found.push(Outgoing { sequence: sequence.cast_unsigned(), id: row.get(1)?, body });
    }
    if let Some(sequence) = unsent_report {
        // From here on it may have been seen: it keeps its number, and a newer report gets one of its own.
        let sql = "UPDATE outbox SET sent = 1 WHERE destination = ?1 AND sequence = ?2";
        db.execute(sql, params![destination, sequence])?;
    }
    Ok(found)
}

pub(super) fn delivered(db: &Connection, destination: &str, sequence: u64) -> Result<()> {
    let sql = "DELETE FROM outbox WHERE destination = ?1 AND sequence <= ?2";
    db.prepare_cached(sql)?.execute(params![destination, sequence.cast_signed()]).map(drop)
}

/// What waits for a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub destination: String,
    /// How many events.
    pub events: u64,
    /// When the oldest of them was told.
    pub oldest: Option<String>,
}

pub(super) fn waiting(db: &Connection) -> Result<Vec<Waiting>> {
    let mut rows = db.prepare_cached(
        "SELECT d.name, count(o.sequence), (SELECT e.time FROM outbox f JOIN events e ON e.number = f.event
           WHERE f.destination = d.name ORDER BY f.sequence LIMIT 1)
         FROM destinations d LEFT JOIN outbox o ON o.destination = d.name WHERE d.configured GROUP BY d.name ORDER BY d.name",
    )?;
    let rows = rows.query_map([], |row| {
        Ok(Waiting {
            destination: row.get(0)?,
            events: row.get::<_, i64>(1)?.cast_unsigned(),
            oldest: row.get(2)?,
        })
    })?;
    rows.collect()
}

/// An event that is kept.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EventRow {
    /// Its number here; newer ones are higher.
    pub number: i64,
    /// Its id on the wire.
    pub id: String,
    /// When it was told.
    pub time: String,
    /// What happened.
    pub r#type: String,
    /// 1 to 4.
    pub severity: u8,
    /// The key it is about.
    pub subject: Option<String>,
    /// One sentence.
    pub description: String,
    /// Destinations that have not taken it yet.
    pub waiting_for: Vec<String>,
}

pub(super) fn events(db: &Connection, before: Option<i64>, most: usize) -> Result<Vec<EventRow>> {
    let mut rows = db.prepare_cached(
        "SELECT number, id, time, type, severity, subject, description,
           (SELECT group_concat(destination) FROM outbox WHERE event = number)
         FROM events WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = rows.query_map(params![before.unwrap_or(i64::MAX), most], |row| {
        let waiting: Option<String> = row.get(7)?;
        Ok(EventRow {
            number: row.get(0)?,
            id: row.get(1)?,
            time: row.get(2)?,
            r#type: row.get(3)?,
            severity: row.get(4)?,
            subject: row.get(5)?,
            description: row.get(6)?,
            waiting_for: waiting.map(|w| w.split(',').map(str::to_owned).collect()).unwrap_or_default(),
        })
    })?;
    rows.collect()
}
