//! The tables, and what stands in them but once: notes and documents. The other files of this folder hold the
//! SQL of what they are named for.

use crate::identity::Bond;
use crate::storage::notes::NoteName;
use crate::storage::types::{Commit, StoredDocument};
use rusqlite::{Connection, OptionalExtension, Result, params};
use svm_core::bounds::MAX_SEQUENCE;

/// The version of the tables below, in `user_version`; raised with a step in `migrations.rs` when they change.
pub(crate) const SCHEMA_VERSION: i64 = 2;

/// What the SVM is.
const TABLES: &str = "
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (key TEXT PRIMARY KEY, issuer TEXT NOT NULL, sub TEXT NOT NULL, jws TEXT NOT NULL) WITHOUT ROWID;
";

/// What happened, and where it goes.
const EVENTS: &str = "
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
CREATE INDEX events_by_severity ON events(severity);
CREATE TABLE destinations (
  name TEXT PRIMARY KEY,
  last_sequence INTEGER NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0,
  configured INTEGER NOT NULL DEFAULT 1,
  retry TEXT
) WITHOUT ROWID;
CREATE TABLE outbox (
  destination TEXT NOT NULL REFERENCES destinations(name),
  sequence INTEGER NOT NULL,
  event INTEGER NOT NULL REFERENCES events(number) ON DELETE CASCADE,
  replaceable INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (destination, sequence)
) WITHOUT ROWID;
CREATE INDEX outbox_by_event ON outbox(event);
CREATE INDEX outbox_replaceable ON outbox(destination) WHERE replaceable;
CREATE TABLE quarantine (
  destination TEXT NOT NULL REFERENCES destinations(name),
  sequence INTEGER NOT NULL,
  event INTEGER NOT NULL REFERENCES events(number) ON DELETE CASCADE,
  code TEXT NOT NULL,
  answer TEXT NOT NULL,
  time TEXT NOT NULL,
  PRIMARY KEY (destination, sequence)
) WITHOUT ROWID;
CREATE INDEX quarantine_by_event ON quarantine(event);
CREATE TABLE stored (bytes INTEGER NOT NULL);
INSERT INTO stored VALUES (0);
CREATE TRIGGER event_kept AFTER INSERT ON events BEGIN
  UPDATE stored SET bytes = bytes + octet_length(new.body) + 512;
END;
CREATE TRIGGER event_gone AFTER DELETE ON events BEGIN
  UPDATE stored SET bytes = bytes - octet_length(old.body) - 512;
END;
";

/// Makes the tables and what stands in them from the first, all or nothing.
pub(crate) fn create(db: &Connection, id: &str, bond: &Bond, first: &Commit) -> Result<()> {
    let transaction = db.unchecked_transaction()?;
    transaction.execute_batch(&format!("{TABLES} {EVENTS} PRAGMA user_version = {SCHEMA_VERSION};"))?;
    set_note(&transaction, NoteName::Id, id)?;
    set_bond(&transaction, bond)?;
    keep(&transaction, first)?;
    transaction.commit()
}

/// Takes a new id in place of the old one, all or nothing: what `first` holds is kept with it.
pub(crate) fn renew(db: &Connection, id: &str, bond: &Bond, first: &Commit) -> Result<()> {
    let transaction = db.unchecked_transaction()?;
    forget_events(&transaction)?;
    set_note(&transaction, NoteName::Id, id)?;
    set_bond(&transaction, bond)?;
    keep(&transaction, first)?;
    transaction.commit()
}

/// Drops all events, and what is remembered of destinations: they belong to an id that is given up. Tables and not
/// rows, so that it takes only the room that there is, however many there are.
pub(crate) fn forget_events(db: &Connection) -> Result<()> {
    db.execute_batch(
        "DROP TABLE outbox; DROP TABLE quarantine; DROP TABLE destinations; DROP TABLE events; DROP TABLE stored;",
    )?;
    db.execute_batch(EVENTS)?;
    for name in [NoteName::Dropped, NoteName::Reverts, NoteName::Certificates] {
        db.execute("DELETE FROM notes WHERE name = ?1", [name.as_str()])?;
    }
    Ok(())
}

/// To what the id is bound; why not, where that cannot be read.
pub(crate) fn bond(db: &Connection) -> Result<serde_json::Result<Bond>> {
    let text = note(db, NoteName::Bond)?.unwrap_or_else(|| "{}".to_owned());
    Ok(serde_json::from_str(&text))
}

/// Writes to what the id is bound.
pub(crate) fn set_bond(db: &Connection, bond: &Bond) -> Result<()> {
    set_note(db, NoteName::Bond, &json(bond)?)
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

/// What SQLite finds wrong with the file, if anything, on one line.
pub(crate) fn damage(db: &Connection) -> Result<Option<String>> {
    let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(Some(found.replace('\n', " ")).filter(|found| found != "ok"))
}

/// A note by name.
pub(crate) fn note(db: &Connection, name: NoteName) -> Result<Option<String>> {
    db.query_row("SELECT value FROM notes WHERE name = ?1", [name.as_str()], |row| row.get(0)).optional()
}

/// A note that is a number; 0 where there is none, or one that is never used.
pub(crate) fn number(db: &Connection, name: NoteName) -> Result<u64> {
    let number = note(db, name)?.and_then(|text| text.parse().ok());
    Ok(number.filter(|number| *number <= MAX_SEQUENCE).unwrap_or(0))
}

pub(crate) fn set_note(db: &Connection, name: NoteName, value: &str) -> Result<()> {
    let sql = "INSERT INTO notes VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    db.prepare_cached(sql)?.execute([name.as_str(), value]).map(drop)
}

/// The documents of held keys.
pub(crate) fn documents(db: &Connection) -> Result<Vec<StoredDocument>> {
    let mut rows = db.prepare("SELECT key, issuer, sub, jws FROM documents ORDER BY key")?;
    let rows = rows.query_map([], |row| {
        Ok(StoredDocument { key: row.get(0)?, issuer: row.get(1)?, sub: row.get(2)?, jws: row.get(3)? })
    })?;
    rows.collect()
}

/// Writes the state, the documents and the notes of a commit.
pub(crate) fn keep(db: &Connection, commit: &Commit) -> Result<()> {
    if let Some(state) = &commit.state {
        set_note(db, NoteName::State, &json(state)?)?;
    }
    if let Some(documents) = &commit.documents {
        db.execute("DELETE FROM documents", [])?;
        for document in documents {
            let sql = "INSERT INTO documents VALUES (?1, ?2, ?3, ?4)";
            db.execute(sql, params![document.key, document.issuer, document.sub, document.jws])?;
        }
    }
    for (name, value) in &commit.notes {
        set_note(db, *name, value)?;
    }
    Ok(())
}
