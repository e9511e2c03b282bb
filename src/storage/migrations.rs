//! The steps from older databases to the tables of `sql.rs`. A step that changes a table changes it there too; a test
//! compares the two.

use svm_core::migrations::Migration;

/// The first schema that was released: databases before it are not migrated.
pub(crate) const OLDEST: i64 = 2;

/// All steps, in order. Version 2 is still the newest.
pub(crate) const MIGRATIONS: &[Migration] = &[];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sql::SCHEMA_VERSION;

    #[test]
    fn the_steps_lead_from_the_oldest_version_to_the_newest() {
        assert!(svm_core::migrations::lead(MIGRATIONS, OLDEST, SCHEMA_VERSION));
    }
}
