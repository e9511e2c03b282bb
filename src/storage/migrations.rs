//! Brings an older database to the schema of this program.
//!
//! Rules: a step leads from one version of the schema to the next and is SQL, so that no later change of the code changes what
//! it does; a step that was released is never edited; each is one transaction, so that a kill leaves a whole version. A step
//! that changes a table changes it in `sql.rs` too, where new databases come from; a test compares the two.

use crate::storage::sql::schema_version;
use rusqlite::{Connection, Result};

/// A step from the version before `to`.
pub(crate) struct Migration {
    pub(crate) to: i64,
    pub(crate) sql: &'static str,
}

/// The first schema that was released: databases before it are not migrated.
pub(crate) const OLDEST: i64 = 2;

/// All steps, in order. Version 2 is still the newest.
pub(crate) const MIGRATIONS: &[Migration] = &[];

/// Takes the steps that a database lacks, each in a transaction of its own.
///
/// # Errors
/// Of the step that failed: the database then has the version before it.
pub(crate) fn migrate(db: &Connection, migrations: &[Migration]) -> Result<()> {
    for step in migrations {
        if step.to > schema_version(db)? {
            let transaction = db.unchecked_transaction()?;
            transaction.execute_batch(step.sql)?;
            transaction.pragma_update(None, "user_version", step.to)?;
            transaction.commit()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sql::SCHEMA_VERSION;

    #[test]
    fn the_steps_lead_from_the_oldest_version_to_the_newest() {
        assert!(MIGRATIONS.iter().zip(OLDEST + 1..).all(|(step, to)| step.to == to));
        assert_eq!(MIGRATIONS.last().map_or(OLDEST, |step| step.to), SCHEMA_VERSION);
    }

    #[test]
    fn each_step_is_taken_once_and_one_that_fails_leaves_the_version_before_it() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE a (x); PRAGMA user_version = 2").unwrap();
        let step = |to, sql| Migration { to, sql };
        let bad = [
            step(2, "CREATE TABLE never (x)"),
            step(3, "ALTER TABLE a ADD COLUMN y"),
            step(4, "ALTER TABLE a ADD COLUMN z; ALTER TABLE none ADD COLUMN y"),
        ];
        assert!(migrate(&db, &bad).is_err());
        assert_eq!(schema_version(&db).unwrap(), 3);
        let good = [step(3, "ALTER TABLE none ADD COLUMN y"), step(4, "ALTER TABLE a ADD COLUMN z")];
        migrate(&db, &good).unwrap();
        migrate(&db, &good).unwrap();
        assert_eq!(schema_version(&db).unwrap(), 4);
        let columns = "SELECT count(*) FROM pragma_table_info('a')";
        assert_eq!(db.query_row(columns, [], |row| row.get::<_, i64>(0)).unwrap(), 3);
    }
}
