//! A source while a transaction runs: its rows, and what the events of the transaction change in them.

use super::columns::{json, level, number};
use super::schema::EVENT_OVERHEAD;
use super::summary::Conflict;
use crate::cloudevent::Event;
use crate::fleet::{ConflictReason, LastConflict, SVM_SOURCE};
use crate::gaps::Gaps;
use crate::machines::Machines;
use crate::reported::ReportedState;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use svm_core::sequence::format_sequence;
use svm_core::text::clean;

/// A number further above the highest known one of an SVM is taken for a mistake or an attack: an SVM that reports
/// something each minute uses so many numbers in two years.
pub(super) const MAX_JUMP: u64 = 1_000_000;

/// A source while a transaction runs: read once, written once.
pub(super) struct Source {
    pub(super) number: i64,
    is_svm: bool,
    pub(super) gaps: Gaps,
    changed_gaps: bool,
    state_sequence: Option<u64>,
    state_at: Option<Timestamp>,
    reported: Option<ReportedState>,
    report: Option<NewReport>,
    machines: Machines,
    changed_machines: bool,
    conflicts: u64,
    last_conflict: Option<LastConflict>,
    pub(super) last_contact: Timestamp,
    /// What its events take, before this transaction.
    pub(super) bytes: i64,
    pub(super) added: i64,
}

/// A report that came in this transaction.
struct NewReport {
    text: String,
    sequence: u64,
    at: Timestamp,
}

/// The id of an SVM in the name of a source.
fn svm_id(source: &str) -> Option<&str> {
    source.strip_prefix(SVM_SOURCE).filter(|id| !id.is_empty())
}

pub(super) fn make(db: &Transaction<'_>, name: &str, at: Timestamp) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO sources (source, id, first_contact, last_contact) VALUES (?1, ?2, ?3, ?3)",
    )?
    .execute(params![name, svm_id(name), at.as_microsecond()])
    .map(drop)
}

pub(super) fn find(db: &Transaction<'_>, name: &str, at: Timestamp) -> rusqlite::Result<Option<Source>> {
    db.prepare_cached(
        "SELECT number, highest, gaps, gaps_forgotten, state_sequence, conflicts, last_contact,
           machines, side_by_side, state_at, bytes
         FROM sources WHERE source = ?1",
    )?
    .query_row([name], |row| {
        let machines: Option<String> = row.get(7)?;
        let state_at: Option<i64> = row.get(9)?;
        Ok(Source {
            number: row.get(0)?,
            is_svm: svm_id(name).is_some(),
            gaps: Gaps::restore(
                number(row.get(1)?),
                &row.get::<_, String>(2)?,
                number(row.get(3)?).unwrap_or(0),
            ),
            changed_gaps: false,
            state_sequence: number(row.get(4)?),
            state_at: state_at.and_then(|at| Timestamp::from_microsecond(at).ok()),
            reported: None,
            report: None,
            machines: machines.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
            // Whether it is over is a matter of time alone.
            changed_machines: row.get(8)?,
            conflicts: row.get(5)?,
            last_conflict: None,
            last_contact: Timestamp::from_microsecond(row.get(6)?).unwrap_or(at),
            bytes: row.get(10)?,
            added: 0,
        })
    })
    .optional()
}

impl Source {
    /// An event that is stored came again. Where it has another number now, such as after a revert, that one is nobody's.
    pub(super) fn came_again(&mut self, event: &Event, kept: Option<u64>) {
        if let Some(sequence) = event.sequence.filter(|sequence| kept != Some(*sequence)) {
            self.changed_gaps = true;
            self.gaps.skipped(event.skipped_from.unwrap_or(sequence), sequence);
        }
    }

    fn saw(&mut self, event: &Event, at: Timestamp) {
        let before = self.machines.side_by_side(at).len();
        self.changed_machines |= self.machines.saw(event, at);
        let names: Vec<_> =
            self.machines.side_by_side(at).iter().map(|machine| machine.hostname.clone()).collect();
        if names.len() > before {
            tracing::warn!(source = %clean(&event.source), ?names, "several machines use one id; on each copy run: svm-agent identity reset");
        }
    }

    /// Whether the number lies so far above all known ones that it would decide what the state is for ever.
    pub(super) fn is_jump(&self, event: &Event) -> bool {
        let known = self.gaps.highest().unwrap_or(0);
        self.is_svm && event.sequence.is_some_and(|sequence| sequence > known.saturating_add(MAX_JUMP))
    }

    /// A new event was inserted.
    pub(super) fn took(&mut self, event: &Event, received: Timestamp) {
        self.saw(event, received);
        self.added = self.added.saturating_add(size(event));
        let Some(sequence) = event.sequence else { return };
        self.changed_gaps = true;
        // Before the event itself, so that what is skipped is not even for a moment among what is missing.
        if let Some(from) = event.skipped_from {
            self.gaps.skipped(from, sequence.saturating_sub(1));
        }
        self.gaps.took(sequence);
        let Some(reported) = &event.reported else { return };
        // A clock that is ahead must not make an event the latest for longer than it is ahead.
        let at = event.time.map_or(received, |time| time.min(received));
        // By its number; and by its time where the number that leads was wrong: else one event, such as of another sender,
        // would stand until its number is reached.
        let by_number = self.state_sequence.is_none_or(|before| sequence > before);
        let by_time = self.state_at.is_none_or(|before| at > before);
        if by_number || by_time {
            self.state_sequence = Some(sequence);
            self.state_at = Some(at);
            self.reported = Some(ReportedState { report: None, ..reported.clone() });
            if let Some(text) = &reported.report {
                self.report = Some(NewReport { text: text.clone(), sequence, at });
            }
        }
    }

    pub(super) fn conflict(&mut self, event: &Event, at: Timestamp, why: ConflictReason) -> Conflict {
        self.saw(event, at);
        let sequence = event.sequence.map(format_sequence).unwrap_or_default();
        if self.conflicts == 0 {
            let (source, event) = (clean(&event.source), clean(&event.id));
            match why {
                ConflictReason::NumberTaken => tracing::warn!(%source, %sequence, %event,
                    "received a sequence number again with another event; the SVM was reverted to an earlier state, or copied"),
                ConflictReason::Jump => tracing::warn!(%source, %sequence, %event,
                    "refused an event: its sequence number is more than {MAX_JUMP} above the highest known one"),
            }
        }
        self.conflicts = self.conflicts.saturating_add(1);
        self.last_conflict = Some(LastConflict { id: event.id.clone(), sequence: sequence.clone(), at, why });
        let highest = self.gaps.highest().map(format_sequence).unwrap_or_default();
        Conflict { id: event.id.clone(), sequence, highest, why }
    }
}

/// What an event takes in the store.
fn size(event: &Event) -> i64 {
    i64::try_from(event.text.len()).unwrap_or(i64::MAX).saturating_add(EVENT_OVERHEAD)
}

/// Writes back what changed.
pub(super) fn save(db: &Transaction<'_>, source: &Source) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE sources SET last_contact = ?2, bytes = bytes + ?3 WHERE number = ?1")?
        .execute(params![source.number, source.last_contact.as_microsecond(), source.added])?;
    if source.changed_gaps {
        db.prepare_cached(
            "UPDATE sources SET highest = ?2, gaps = ?3, gaps_forgotten = ?4 WHERE number = ?1",
        )?
        .execute(params![
            source.number,
            source.gaps.highest().map(format_sequence),
            source.gaps.ranges_text(),
            format_sequence(source.gaps.forgotten()),
        ])?;
    }
    if source.changed_machines {
        let several = !source.machines.side_by_side(source.last_contact).is_empty();
        db.prepare_cached("UPDATE sources SET machines = ?2, side_by_side = ?3 WHERE number = ?1")?
            .execute(params![source.number, json(&source.machines), several])?;
    }
    if let Some(conflict) = &source.last_conflict {
        db.prepare_cached("UPDATE sources SET conflicts = ?2, last_conflict = ?3 WHERE number = ?1")?
            .execute(params![source.number, source.conflicts, json(conflict)])?;
    }
    if let Some(reported) = &source.reported {
        db.prepare_cached(
            "UPDATE sources SET state_sequence = ?2, state_at = ?3, state = ?4,
               status = ?5, hostname = ?6, phase = ?7, key = ?8, devices = ?9, devices_limit = ?10
             WHERE number = ?1",
        )?
        .execute(params![
            source.number,
            source.state_sequence.map(format_sequence),
            source.state_at.map(Timestamp::as_microsecond),
            json(reported),
            level(reported.status),
            reported.hostname,
            reported.phase,
            reported.key,
            reported.devices,
            reported.devices_limit,
        ])?;
    }
    if let Some(report) = &source.report {
        db.prepare_cached(
            "INSERT OR REPLACE INTO reports (source, sequence, at, report) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            source.number,
            format_sequence(report.sequence),
            report.at.as_microsecond(),
            report.text
        ])?;
    }
    Ok(())
}
