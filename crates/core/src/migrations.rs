//! Brings an older SQLite database to the schema of the program that opens it.
//!
//! Rules for steps: a step leads from one version of the schema to the next and is SQL, so that no later change of the code
//! changes what it does; a step that was released is never edited; each is one transaction, so that a kill leaves a whole
//! version. New databases come from the tables themselves and not from steps; each program has a test that compares the two.

use rusqlite::{Connection, Result, Transaction, TransactionBehavior};

/// A step from the version before `to`.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The version of the schema that it leads to.
    pub to: i64,
    /// What it changes.
    pub sql: &'static str,
}

/// The version of the schema, in `user_version`: 0 if the file is empty.
///
/// # Errors
/// Of the database.
pub fn schema_version(db: &Connection) -> Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Takes the steps that a database lacks, each in a transaction of its own. Another process may do the same at once.
///
/// # Errors
/// Of the step that failed: the database then has the version before it.
pub fn migrate(db: &Connection, migrations: &[Migration]) -> Result<()> {
    for step in migrations {
        if step.to <= schema_version(db)? {
            continue;
        }
        let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
        // Looked at again under the lock.
        if step.to > schema_version(&transaction)? {
            transaction.execute_batch(step.sql)?;
            transaction.pragma_update(None, "user_version", step.to)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// Whether steps lead from `oldest` to `newest` one version at a time, for the tests of who has steps.
pub fn lead(migrations: &[Migration], oldest: i64, newest: i64) -> bool {
    migrations.iter().map(|step| step.to).eq(oldest + 1..=newest)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn steps_without_a_hole_lead_to_the_newest_version() {
        let step = |to| Migration { to, sql: "" };
        assert!(lead(&[step(2), step(3)], 1, 3) && lead(&[], 2, 2));
        assert!(!lead(&[step(3)], 1, 3) && !lead(&[step(2)], 1, 3) && !lead(&[step(2), step(2)], 1, 2));
    }
}
