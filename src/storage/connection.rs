//! Opening the database file.

use crate::storage::error::StoreError;
use rusqlite::{Connection, Result};
use std::path::Path;
use svm_core::migrations::schema_version;

/// Opens the file ready for use.
pub(crate) fn connect(file: &Path) -> std::result::Result<Connection, StoreError> {
    let open = |alone| {
        let db = Connection::open(file)?;
        prepare(&db, alone)?;
        Ok(db)
    };
    match open(false) {
        // A disk without any room has none for the index that is shared with other programs either.
        Err(error) if no_room_for_index(&error) => open(true),
        opened => opened,
    }
    .map_err(|error: rusqlite::Error| error.into())
}

fn no_room_for_index(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMOPEN, SQLITE_IOERR_SHMSIZE};
    let code = error.sqlite_error().map(|error| error.extended_code);
    code.is_some_and(|code| [SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMOPEN, SQLITE_IOERR_SHMSIZE].contains(&code))
}

/// Prepares a connection; must come before anything else. One that is `alone` keeps other programs out.
fn prepare(db: &Connection, alone: bool) -> Result<()> {
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    if alone {
        db.execute_batch("PRAGMA locking_mode = EXCLUSIVE")?;
    }
    // It is written each time that it is said, which a full disk would not let through.
    if schema_version(db)? == 0 {
        db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    }
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA cache_size = -256; PRAGMA journal_size_limit = 8388608; PRAGMA foreign_keys = ON;",
    )
}
