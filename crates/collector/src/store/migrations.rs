//! The steps from older databases to the tables of `schema.rs`. A step that changes a table changes it there too; a test
//! compares the two.

use svm_core::migrations::Migration;

/// The first schema that was released.
pub(super) const OLDEST: i64 = 1;

/// All steps, in order.
pub(super) const MIGRATIONS: &[Migration] = &[
    // Which machines sent as a source.
    Migration {
        to: 2,
        sql: "
            ALTER TABLE sources ADD COLUMN machines TEXT;
            ALTER TABLE sources ADD COLUMN side_by_side INTEGER NOT NULL DEFAULT 0;
        ",
    },
    // Reports in a table of their own, the bytes of each source, and an index for each question. A number above the bound
    // of 2^53 - 1, which earlier versions accepted, would hold back the state of its source for ever.
    Migration {
        to: 3,
        sql: "
            CREATE TABLE reports (
              source INTEGER PRIMARY KEY,
              sequence TEXT,
              at INTEGER,
              report TEXT NOT NULL
            ) STRICT;
            INSERT INTO reports (source, report) SELECT number, report FROM sources WHERE report IS NOT NULL;
            ALTER TABLE sources DROP COLUMN report;
            ALTER TABLE sources ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
            UPDATE sources SET bytes =
              (SELECT coalesce(sum(octet_length(event) + 256), 0) FROM events WHERE events.source = number);
            UPDATE sources SET gaps = '', gaps_forgotten = '00000000000000000000', state_sequence = NULL,
              highest = (SELECT max(sequence) FROM events
                         WHERE events.source = number AND sequence <= '00009007199254740991')
              WHERE highest > '00009007199254740991' OR state_sequence > '00009007199254740991';
            CREATE INDEX events_by_severity ON events (severity, position) WHERE severity >= 2;
            CREATE INDEX svms ON sources (id, last_contact, side_by_side, status, phase, hostname, key)
              WHERE id IS NOT NULL;
            CREATE INDEX svms_by_key ON sources (key, devices, devices_limit, state_at)
              WHERE key IS NOT NULL AND id IS NOT NULL;
        ",
    },
];
