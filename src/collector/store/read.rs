//! Reading: the fleet, one SVM, events.

use super::write::{level, number};
use crate::collector::fleet::{Counts, Filter, KeySum, Svm};
use crate::collector::gaps::Gaps;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// An SVM and its latest report.
#[derive(Clone, Debug)]
pub struct KeptSvm {
    /// The SVM.
    pub svm: Svm,
    /// The latest `svm.agent.report`, as JSON; only where one SVM was asked for.
    pub report: Option<String>,
}

/// One event as it is kept.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place among all events; grows.
    pub position: i64,
    /// When it came.
    pub received_at: Timestamp,
    /// The CloudEvent as JSON in one line.
    pub text: String,
}

/// Which events are asked for. Where `before` is given, the newest come first; else the oldest.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// Only those of this source.
    pub source: Option<String>,
    /// Only those of this type.
    pub kind: Option<String>,
    /// Only those at least this severe.
    pub severity: Option<u8>,
    /// Only positions above.
    pub after: i64,
    /// Only positions below.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

const COLUMNS: &str =
    "id, first_contact, last_contact, highest, gaps, gaps_forgotten, conflicts, last_conflict,
    state_sequence, state, machines";

/// `?1` is the instant before which a last contact is too long ago.
const SHOWN_STATUS: &str = "(CASE WHEN last_contact < ?1 OR side_by_side THEN 3 ELSE status END)";

fn instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_microsecond(row.get(column)?).unwrap_or(Timestamp::UNIX_EPOCH))
}

fn svm_of(row: &Row<'_>) -> rusqlite::Result<Svm> {
    let forgotten = number(row.get(5)?).unwrap_or(0);
    let last_conflict: Option<String> = row.get(7)?;
    let (state, machines): (Option<String>, Option<String>) = (row.get(9)?, row.get(10)?);
    Ok(Svm {
        id: row.get(0)?,
        first_contact: instant(row, 1)?,
        last_contact: instant(row, 2)?,
        gaps: Gaps::restore(number(row.get(3)?), &row.get::<_, String>(4)?, forgotten),
        machines: machines.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        conflicts: row.get(6)?,
        last_conflict: last_conflict.and_then(|text| serde_json::from_str(&text).ok()),
        state_sequence: row.get(8)?,
        told: state.and_then(|text| serde_json::from_str(&text).ok()),
    })
}

pub(super) fn latest(db: &Connection) -> rusqlite::Result<i64> {
    // The counter, not the highest row: that one may have been removed.
    let latest = db.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'events'", [], |row| row.get(0));
    Ok(latest.optional()?.unwrap_or(0))
}

pub(super) fn svms(
    db: &Connection,
    filter: &Filter,
    silent_before: Timestamp,
    offset: u32,
    limit: u32,
) -> rusqlite::Result<(Vec<KeptSvm>, u64)> {
    let like = filter.text.as_ref().map(|text| {
        let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        format!("%{escaped}%")
    });
    let condition = format!(
        "FROM sources WHERE id IS NOT NULL AND ?1 IS ?1
           AND (?2 IS NULL OR {SHOWN_STATUS} = ?2) AND (?3 IS NULL OR phase = ?3)
           AND (?4 IS NULL OR hostname LIKE ?4 ESCAPE '\\' OR id LIKE ?4 ESCAPE '\\' OR key LIKE ?4 ESCAPE '\\')"
    );
    let (silent, status) = (silent_before.as_microsecond(), filter.status.map(level));
    let total = db
        .prepare_cached(&format!("SELECT count(*) {condition}"))?
        .query_row(params![silent, status, filter.phase, like], |row| row.get(0))?;
    let rows = db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} {condition}
             ORDER BY {SHOWN_STATUS} DESC, hostname COLLATE NOCASE, id LIMIT ?5 OFFSET ?6"
        ))?
        .query_map(params![silent, status, filter.phase, like, limit, offset], |row| {
            Ok(KeptSvm { svm: svm_of(row)?, report: None })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok((rows, total))
}

pub(super) fn svm(db: &Connection, id: &str) -> rusqlite::Result<Option<KeptSvm>> {
    db.prepare_cached(&format!("SELECT {COLUMNS}, report FROM sources WHERE id = ?1"))?
        .query_row([id], |row| Ok(KeptSvm { svm: svm_of(row)?, report: row.get(11)? }))
        .optional()
}

pub(super) fn counts(db: &Connection, silent_before: Timestamp) -> rusqlite::Result<Counts> {
    let mut counts = Counts::default();
    let mut statement = db.prepare_cached(&format!(
        "SELECT {SHOWN_STATUS} AS shown, count(*) FROM sources WHERE id IS NOT NULL GROUP BY shown"
    ))?;
    let mut rows = statement.query([silent_before.as_microsecond()])?;
    while let Some(row) = rows.next()? {
        let count = row.get(1)?;
        match row.get::<_, i64>(0)? {
            1 => counts.ok = count,
            2 => counts.warning = count,
            _ => counts.critical = count,
        }
    }
    Ok(counts)
}

pub(super) fn keys(db: &Connection, limit: u32) -> rusqlite::Result<Vec<KeySum>> {
    // With max(), SQLite takes the other columns from the row that has it: the limit as told last. total() is
    // a float, so that the sum of what hostile senders tell cannot overflow.
    db.prepare_cached(
        "SELECT key, count(*), cast(total(devices) AS INTEGER) AS sum, devices_limit, max(state_at)
         FROM sources WHERE key IS NOT NULL AND id IS NOT NULL GROUP BY key
         ORDER BY cast(total(devices) AS REAL) / nullif(devices_limit, 0) DESC, key LIMIT ?1",
    )?
    .query_map([limit], |row| {
        Ok(KeySum { key: row.get(0)?, svms: row.get(1)?, devices: row.get(2)?, devices_limit: row.get(3)? })
    })?
    .collect()
}

pub(super) fn events(db: &Connection, asked: &Events) -> rusqlite::Result<Vec<Event>> {
    let order = if asked.before.is_some() { "DESC" } else { "ASC" };
    let mut conditions = vec!["position > ?1", "position < ?2"];
    // Only what is asked stands in the text, so that each question finds its index.
    if asked.source.is_some() {
        conditions.push("source = (SELECT number FROM sources WHERE source = ?4)");
    }
    if asked.kind.is_some() {
        conditions.push("type = ?5");
    }
    if asked.severity.is_some() {
        conditions.push("severity >= ?6");
    }
    let text = format!(
        "SELECT position, received, event FROM events WHERE {} AND ?4 IS ?4 AND ?5 IS ?5 AND ?6 IS ?6
         ORDER BY position {order} LIMIT ?3",
        conditions.join(" AND ")
    );
    db.prepare_cached(&text)?
        .query_map(
            params![
                asked.after,
                asked.before.unwrap_or(i64::MAX),
                asked.limit,
                asked.source,
                asked.kind,
                asked.severity
            ],
            |row| Ok(Event { position: row.get(0)?, received_at: instant(row, 1)?, text: row.get(2)? }),
        )?
        .collect()
}
