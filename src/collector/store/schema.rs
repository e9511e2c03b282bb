//! The tables, and how a database file is opened.

use super::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// The version of the tables, kept in `user_version`.
const VERSION: i64 = 2;

/// From version 1, where nothing was known of machines.
const FROM_1: &str = "
ALTER TABLE sources ADD COLUMN machines TEXT;
ALTER TABLE sources ADD COLUMN side_by_side INTEGER NOT NULL DEFAULT 0;
";

/// Instants are microseconds since 1970, UTC. Sequence numbers reach further than SQLite's integers: they are
/// text of 20 digits, which sorts as numbers do. Kept documentation of this: `docs/collector-api.md`.
const TABLES: &str = "
CREATE TABLE sources (
  number INTEGER PRIMARY KEY,
  source TEXT NOT NULL UNIQUE,
  id TEXT UNIQUE,
  first_contact INTEGER NOT NULL,
  last_contact INTEGER NOT NULL,
  highest TEXT,
  gaps TEXT NOT NULL DEFAULT '',
  gaps_forgotten TEXT NOT NULL DEFAULT '00000000000000000000',
  conflicts INTEGER NOT NULL DEFAULT 0,
  last_conflict TEXT,
  state_sequence TEXT,
  state_at INTEGER,
  state TEXT,
  report TEXT,
  status INTEGER NOT NULL DEFAULT 2,
  hostname TEXT,
  phase TEXT,
  key TEXT,
  devices INTEGER,
  devices_limit INTEGER,
  machines TEXT,
  side_by_side INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE events (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  source INTEGER NOT NULL,
  id TEXT NOT NULL,
  sequence TEXT,
  type TEXT NOT NULL,
  severity INTEGER,
  time INTEGER,
  received INTEGER NOT NULL,
  event TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_id ON events (source, id);
CREATE UNIQUE INDEX events_by_sequence ON events (source, sequence) WHERE sequence IS NOT NULL;
CREATE INDEX events_by_source ON events (source, position);
CREATE INDEX events_by_type ON events (type, position);
CREATE INDEX events_by_received ON events (received);
CREATE INDEX reports_by_received ON events (received) WHERE type = 'svm.agent.report';
CREATE TABLE tokens (
  hash TEXT PRIMARY KEY,
  source TEXT NOT NULL,
  bound INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Opens the file for the one thread that writes; makes it where there is none.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let open = |source| StoreError::Open { path: path.to_owned(), source };
    let db = Connection::open(path).map_err(open)?;
    let prepare = || -> rusqlite::Result<i64> {
        db.busy_timeout(std::time::Duration::from_secs(10))?;
        db.execute_batch(
            "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        )?;
        let version = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            db.execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version={VERSION}; COMMIT;"))?;
            return Ok(VERSION);
        }
        if version == 1 {
            db.execute_batch(&format!("BEGIN; {FROM_1} PRAGMA user_version={VERSION}; COMMIT;"))?;
            return Ok(VERSION);
        }
        Ok(version)
    };
    match prepare().map_err(open)? {
        VERSION => Ok(db),
        found => Err(StoreError::Version { path: path.to_owned(), found }),
    }
}

/// Opens the file for the one thread that reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let open = |source| StoreError::Open { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(open)?;
    db.busy_timeout(std::time::Duration::from_secs(10)).map_err(open)?;
    Ok(db)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_version_1_is_taken_on_with_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("collector.db");
        let db = open_writer(&path).unwrap();
        let as_before =
            "ALTER TABLE sources DROP COLUMN machines; ALTER TABLE sources DROP COLUMN side_by_side;
             INSERT INTO sources (source, first_contact, last_contact) VALUES ('urn:svm:a', 1, 2);
             PRAGMA user_version = 1;";
        db.execute_batch(as_before).unwrap();
        drop(db);
        for _ in 0..2 {
            let db = open_writer(&path).unwrap();
            let kept = "SELECT source, side_by_side FROM sources WHERE machines IS NULL";
            let kept = db.query_row(kept, [], |row| Ok((row.get(0)?, row.get(1)?)));
            assert_eq!(kept, Ok(("urn:svm:a".to_owned(), 0)));
        }
        open_writer(&path).unwrap().execute_batch("PRAGMA user_version = 3").unwrap();
        assert!(matches!(open_writer(&path), Err(StoreError::Version { found: 3, .. })));
    }
}
