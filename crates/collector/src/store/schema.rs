//! The tables, and how a database file is opened.

use super::error::StoreError;
use super::migrations::{MIGRATIONS, OLDEST};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::path::Path;
use svm_core::migrations::{migrate, schema_version};

/// The version of the tables below, in `user_version`; raised with a step in `migrations.rs` when they change.
const VERSION: i64 = 3;

/// What an event takes on disk besides its text: its columns, and its entries in the indexes. Counted with the events of
/// a source.
pub(super) const EVENT_OVERHEAD: i64 = 256;

/// Instants are microseconds since 1970, UTC. Sequence numbers are text of 20 digits, which sorts as numbers do. The
/// documentation of the tables is in `docs/reference/collector-api.md`.
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
  status INTEGER NOT NULL DEFAULT 2,
  hostname TEXT,
  phase TEXT,
  key TEXT,
  devices INTEGER,
  devices_limit INTEGER,
  machines TEXT,
  side_by_side INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE reports (
  source INTEGER PRIMARY KEY,
  sequence TEXT,
  at INTEGER,
  report TEXT NOT NULL
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

/// `svms` and `svms_by_key` hold every column that the questions about the whole fleet read,
/// so that none of these reads the rows of the sources.
const INDEXES: &str = "
CREATE INDEX events_by_severity ON events (severity, position) WHERE severity >= 2;
CREATE INDEX svms ON sources (id, last_contact, side_by_side, status, phase, hostname, key) WHERE id IS NOT NULL;
CREATE INDEX svms_by_key ON sources (key, devices, devices_limit, state_at) WHERE key IS NOT NULL AND id IS NOT NULL;
";

/// Opens the file for the thread that writes; makes it if it is missing.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let open = |source| StoreError::Open { path: path.to_owned(), source };
    let mut db = Connection::open(path).map_err(open)?;
    let mut prepare = || -> rusqlite::Result<i64> {
        db.busy_timeout(std::time::Duration::from_secs(10))?;
        // A WAL that grew while a reader held it back is cut to this size once it is written into the file.
        db.execute_batch(
            "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
             PRAGMA journal_size_limit=67108864;",
        )?;
        match schema_version(&db)? {
            0 => {
                let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
                // Looked at again under the lock.
                if schema_version(&change)? == 0 {
                    change.execute_batch(TABLES)?;
                    change.execute_batch(INDEXES)?;
                    change.pragma_update(None, "user_version", VERSION)?;
                }
                change.commit()?;
            }
            found if (OLDEST..VERSION).contains(&found) => {
                tracing::info!(
                    found,
                    VERSION,
                    "converting the database for this version; a large database takes minutes"
                );
                migrate(&db, MIGRATIONS)?;
            }
            _ => {}
        }
        schema_version(&db)
    };
    match prepare().map_err(open)? {
        VERSION => Ok(db),
        found => Err(StoreError::Version { path: path.to_owned(), found }),
    }
}

/// Opens the file for a thread that reads.
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
    fn the_steps_lead_from_the_oldest_version_to_the_newest() {
        assert!(svm_core::migrations::lead(MIGRATIONS, OLDEST, VERSION));
    }

    /// Every column and index, however it came to be.
    fn shape(db: &Connection) -> Vec<String> {
        let query = "SELECT name || ' ' || coalesce((SELECT group_concat(part, ',') FROM
               (SELECT c.name || ' ' || c.type || ' ' || c.\"notnull\" AS part FROM pragma_table_info(m.name) c ORDER BY 1)), '')
               || coalesce((SELECT group_concat(i.name, ',') FROM pragma_index_info(m.name) i), '')
             FROM sqlite_master m WHERE name NOT LIKE 'sqlite_%' ORDER BY name";
        let mut rows = db.prepare(query).unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn an_older_store_is_changed_and_keeps_what_it_holds() {
        for version in [1, 2] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("collector.db");
            let db = open_writer(&path).unwrap();
            db.execute_batch(
                "DROP INDEX events_by_severity; DROP INDEX svms; DROP INDEX svms_by_key; DROP TABLE reports;
                 ALTER TABLE sources DROP COLUMN bytes; ALTER TABLE sources ADD COLUMN report TEXT;
                 INSERT INTO sources (source, id, first_contact, last_contact, report, highest, state_sequence)
                   VALUES ('urn:svm:a', 'a', 1, 2, '{}', '18446744073709551615', '18446744073709551615');
                 INSERT INTO events (source, id, sequence, type, received, event) VALUES
                   (1, 'x', '00000000000000000007', 't', 1, 'ab'), (1, 'y', '18446744073709551615', 't', 1, 'c');",
            )
            .unwrap();
            if version == 1 {
                db.execute_batch(
                    "ALTER TABLE sources DROP COLUMN machines; ALTER TABLE sources DROP COLUMN side_by_side;",
                )
                .unwrap();
            }
            db.pragma_update(None, "user_version", version).unwrap();
            drop(db);
            for _ in 0..2 {
                let db = open_writer(&path).unwrap();
                let query =
                    "SELECT sources.source, side_by_side, bytes, highest, state_sequence IS NULL, report
                             FROM sources JOIN reports ON reports.source = number";
                let stored = db.query_row(query, [], |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, i64>(1)?,
                        row.get::<_, i64>(2)?,
                        row.get::<_, String>(3)?,
                        row.get::<_, bool>(4)?,
                        row.get::<_, String>(5)?,
                    ))
                });
                let bytes = 3 + 2 * EVENT_OVERHEAD;
                let number = "00000000000000000007".to_owned();
                assert_eq!(stored, Ok(("urn:svm:a".to_owned(), 0, bytes, number, true, "{}".to_owned())));
            }
            let db = open_writer(&path).unwrap();
            assert_eq!(shape(&db), shape(&open_writer(&folder.path().join("new.db")).unwrap()));
            db.execute_batch("PRAGMA user_version = 4").unwrap();
            assert!(matches!(open_writer(&path), Err(StoreError::Version { found: 4, .. })));
        }
    }
}
