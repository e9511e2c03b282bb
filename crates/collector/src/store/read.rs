//! Reading: the fleet, one SVM, keys, events.
//!
//! Promises: each question reads an index, or a bounded number of rows, or stops after [`SCAN_BUDGET`] and says where to
//! go on; each answer is cut at the number of bytes it may have.

use super::columns::{level, number};
use crate::fleet::{Counts, Filter, KeySum, Svm};
use crate::gaps::Gaps;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use std::time::Duration;

/// Bytes of the texts in one answer. The last row may reach above it: it is at most one event, or one SVM.
pub const MAX_ANSWER: usize = 1024 * 1024;
/// Positions that are looked through at once where no index has all that is asked for.
const WINDOW: i64 = 4096;
/// How long one question may look through windows before it answers with what it has.
const SCAN_BUDGET: Duration = Duration::from_millis(250);

/// An SVM and its latest report.
#[derive(Clone, Debug)]
pub struct StoredSvm {
    pub svm: Svm,
    /// The latest `svm.agent.report`; only if one SVM was asked for.
    pub report: Option<StoredReport>,
}

/// The latest `svm.agent.report` of an SVM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredReport {
    /// The report as JSON.
    pub text: String,
    /// The number of its event; not known of reports from before version 3 of the store.
    pub sequence: Option<String>,
    /// When it was made, by the sender's clock, but not later than it was received.
    pub at: Option<Timestamp>,
}

/// One event as it is stored.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place among all events; grows.
    pub position: i64,
    pub received_at: Timestamp,
    /// The CloudEvent as JSON in one line.
    pub text: String,
}

/// Which events are asked for. With `before` the newest come first, else the oldest.
#[derive(Clone, Debug)]
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
    /// The answer is cut when its texts have this many bytes.
    pub bytes: usize,
}

impl Default for Events {
    fn default() -> Self {
        Self { source: None, kind: None, severity: None, after: 0, before: None, limit: 0, bytes: MAX_ANSWER }
    }
}

/// Which SVMs are asked for, the worst first.
#[derive(Clone, Debug)]
pub struct Svms {
    /// Only those that it lets through.
    pub filter: Filter,
    /// An SVM whose last contact is before this was silent for too long.
    pub silent_before: Timestamp,
    /// So many are passed over.
    pub offset: u32,
    /// At most so many.
    pub limit: u32,
}

/// SVMs, and how many there are in all.
#[derive(Clone, Debug, Default)]
pub struct SvmsPage {
    /// Fewer than asked for if they would take more than [`MAX_ANSWER`].
    pub svms: Vec<StoredSvm>,
    /// Those that the filter lets through.
    pub total: u64,
}

/// Events, and where the next answer begins.
#[derive(Clone, Debug, Default)]
pub struct EventsPage {
    /// In the order that was asked for.
    pub events: Vec<Event>,
    /// The `after` of the next question, or its `before`; `None` at the end.
    pub next: Option<i64>,
}

const COLUMNS: &str =
    "id, first_contact, last_contact, highest, gaps, gaps_forgotten, conflicts, last_conflict,
    state_sequence, state, machines, number";

/// `?1` is the instant before which a last contact is too long ago.
const SHOWN_STATUS: &str = "(CASE WHEN last_contact < ?1 OR side_by_side THEN 3 ELSE status END)";

fn instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_microsecond(row.get(column)?).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// An SVM, and about how many bytes it takes in an answer.
fn svm_of(row: &Row<'_>) -> rusqlite::Result<(Svm, usize)> {
    let forgotten = number(row.get(5)?).unwrap_or(0);
    let last_conflict: Option<String> = row.get(7)?;
    let (state, machines): (Option<String>, Option<String>) = (row.get(9)?, row.get(10)?);
    let gaps: String = row.get(4)?;
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    // A range is shown as two numbers of 20 digits with their names.
    let bytes =
        512 + length(&state) + length(&machines) + length(&last_conflict) + 64 * gaps.matches('-').count();
    let svm = Svm {
        id: row.get(0)?,
        first_contact: instant(row, 1)?,
        last_contact: instant(row, 2)?,
        gaps: Gaps::restore(number(row.get(3)?), &gaps, forgotten),
        machines: machines.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        conflicts: row.get(6)?,
        last_conflict: last_conflict.and_then(|text| serde_json::from_str(&text).ok()),
        state_sequence: row.get(8)?,
        reported: state.and_then(|text| serde_json::from_str(&text).ok()),
    };
    Ok((svm, bytes))
}

pub(super) fn latest(db: &Connection) -> rusqlite::Result<i64> {
    // The counter, not the highest row: that one may have been removed.
    let latest = db.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'events'", [], |row| row.get(0));
    Ok(latest.optional()?.unwrap_or(0))
}

pub(super) fn svms(db: &Connection, asked: &Svms) -> rusqlite::Result<SvmsPage> {
    let Svms { filter, silent_before, offset, limit } = asked;
    let like = filter.text.as_ref().map(|text| {
        let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        format!("%{escaped}%")
    });
    // Everything here is in the index: rows are read only of the SVMs that are answered.
    let condition = format!(
        "FROM sources INDEXED BY svms WHERE id IS NOT NULL AND ?1 IS ?1
           AND (?2 IS NULL OR {SHOWN_STATUS} = ?2) AND (?3 IS NULL OR phase = ?3)
           AND (?4 IS NULL OR hostname LIKE ?4 ESCAPE '\\' OR id LIKE ?4 ESCAPE '\\' OR key LIKE ?4 ESCAPE '\\')"
    );
    let (silent, status) = (silent_before.as_microsecond(), filter.status.map(level));
    let total = db
        .prepare_cached(&format!("SELECT count(*) {condition}"))?
        .query_row(params![silent, status, filter.phase, like], |row| row.get(0))?;
    let numbers = db
        .prepare_cached(&format!(
            "SELECT number {condition} ORDER BY {SHOWN_STATUS} DESC, hostname COLLATE NOCASE, id LIMIT ?5 OFFSET ?6"
        ))?
        .query_map(params![silent, status, filter.phase, like, limit, offset], |row| row.get::<_, i64>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut one = db.prepare_cached(&format!("SELECT {COLUMNS} FROM sources WHERE number = ?1"))?;
    let (mut svms, mut bytes) = (Vec::new(), 0);
    for number in numbers {
        let Some((svm, size)) = one.query_row([number], svm_of).optional()? else { continue };
        bytes += size;
        svms.push(StoredSvm { svm, report: None });
        if bytes >= MAX_ANSWER {
            break;
        }
    }
    Ok(SvmsPage { svms, total })
}

pub(super) fn svm(db: &Connection, id: &str) -> rusqlite::Result<Option<StoredSvm>> {
    let mut one = db.prepare_cached(&format!("SELECT {COLUMNS} FROM sources WHERE id = ?1"))?;
    let found = one.query_row([id], |row| Ok((svm_of(row)?.0, row.get::<_, i64>(11)?))).optional()?;
    let Some((svm, number)) = found else { return Ok(None) };
    let report = db
        .prepare_cached("SELECT report, sequence, at FROM reports WHERE source = ?1")?
        .query_row([number], |row| {
            let at: Option<i64> = row.get(2)?;
            Ok(StoredReport {
                text: row.get(0)?,
                sequence: row.get(1)?,
                at: at.and_then(|at| Timestamp::from_microsecond(at).ok()),
            })
        })
        .optional()?;
    Ok(Some(StoredSvm { svm, report }))
}

pub(super) fn counts(db: &Connection, silent_before: Timestamp) -> rusqlite::Result<Counts> {
    let mut counts = Counts::default();
    let mut statement = db.prepare_cached(&format!(
        "SELECT {SHOWN_STATUS} AS shown, count(*) FROM sources INDEXED BY svms WHERE id IS NOT NULL GROUP BY shown"
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

pub(super) fn keys(db: &Connection, offset: u32, limit: u32) -> rusqlite::Result<Vec<KeySum>> {
    // With max(), SQLite takes the other columns from the row that has it: the limit as reported last. total() is
    // a float, so that the sum of what hostile senders report cannot overflow.
    db.prepare_cached(
        "SELECT key, count(*), count(devices), cast(total(devices) AS INTEGER), devices_limit, max(state_at)
         FROM sources INDEXED BY svms_by_key WHERE key IS NOT NULL AND id IS NOT NULL GROUP BY key
         ORDER BY cast(total(devices) AS REAL) / nullif(devices_limit, 0) DESC, key LIMIT ?1 OFFSET ?2",
    )?
    .query_map([limit, offset], |row| {
        let (svms, known): (u64, u64) = (row.get(1)?, row.get(2)?);
        let sum: u64 = row.get(3)?;
        Ok(KeySum {
            key: row.get(0)?,
            svms,
            svms_unknown: svms.saturating_sub(known),
            devices: (known > 0).then_some(sum),
            devices_limit: row.get(4)?,
        })
    })?
    .collect()
}

/// What was read so far, and whether the answer is full.
struct Answer {
    page: EventsPage,
    limit: usize,
    room: usize,
}

impl Answer {
    fn is_full(&self) -> bool {
        self.page.events.len() >= self.limit
    }

    /// Takes an event; false where the answer ends before it, because it has no room for it.
    fn take(&mut self, event: Event) -> bool {
        let size = event.text.len().saturating_add(128);
        if size > self.room && !self.page.events.is_empty() {
            self.page.next = self.page.events.last().map(|event| event.position);
            return false;
        }
        self.room = self.room.saturating_sub(size);
        let position = event.position;
        self.page.events.push(event);
        if self.is_full() {
            self.page.next = Some(position);
            return false;
        }
        true
    }
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event { position: row.get(0)?, received_at: instant(row, 1)?, text: row.get(2)? })
}

pub(super) fn events(db: &Connection, asked: &Events) -> rusqlite::Result<EventsPage> {
    let answer =
        Answer { page: EventsPage::default(), limit: asked.limit.max(1) as usize, room: asked.bytes };
    let source = match &asked.source {
        None => None,
        Some(source) => {
            let mut find = db.prepare_cached("SELECT number FROM sources WHERE source = ?1")?;
            match find.query_row([source], |row| row.get::<_, i64>(0)).optional()? {
                Some(number) => Some(number),
                None => return Ok(answer.page),
            }
        }
    };
    // Events without a severity, and of severity 1, are the most: looking through all is as good as an index.
    let severity = asked.severity.filter(|least| *least > 0);
    match (source, &asked.kind, severity) {
        (None, None, Some(least @ 2..)) => by_severity(db, asked, least, answer),
        _ => Scan { asked, source, severity }.run(db, answer),
    }
}

/// From the index of each severity the positions, and then the events in their order.
fn by_severity(
    db: &Connection,
    asked: &Events,
    least: u8,
    mut answer: Answer,
) -> rusqlite::Result<EventsPage> {
    let order = if asked.before.is_some() { "DESC" } else { "ASC" };
    let mut positions = Vec::new();
    for severity in least..=4 {
        let text = format!(
            "SELECT position FROM events INDEXED BY events_by_severity
             WHERE severity = {severity} AND severity >= 2 AND position > ?1 AND position < ?2
             ORDER BY position {order} LIMIT ?3"
        );
        let mut find = db.prepare_cached(&text)?;
        let found = find
            .query_map(params![asked.after, asked.before.unwrap_or(i64::MAX), asked.limit], |row| {
                row.get::<_, i64>(0)
            })?;
        positions.extend(found.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    positions.sort_unstable();
    if asked.before.is_some() {
        positions.reverse();
    }
    let mut one = db.prepare_cached("SELECT position, received, event FROM events WHERE position = ?1")?;
    for position in positions {
        // One that was removed meanwhile is passed over.
        if let Some(event) = one.query_row([position], event).optional()?
            && !answer.take(event)
        {
            break;
        }
    }
    Ok(answer.page)
}

/// A walk along the positions, by the index of the source or the type.
struct Scan<'a> {
    asked: &'a Events,
    /// The number of the source that is asked for.
    source: Option<i64>,
    severity: Option<u8>,
}

impl Scan<'_> {
    /// Whether rows must be read to know whether they are asked for, because no index has all of it.
    fn reads_rows(&self) -> bool {
        let indexed = usize::from(self.source.is_some()) + usize::from(self.asked.kind.is_some());
        self.severity.is_some() || indexed > 1
    }

    /// The statement, whose first two parameters are the ends of a window, and the parameters behind them.
    fn statement(&self) -> (String, Vec<&dyn ToSql>) {
        let index = match (self.source, &self.asked.kind) {
            (Some(_), _) => "INDEXED BY events_by_source",
            (None, Some(_)) => "INDEXED BY events_by_type",
            (None, None) => "NOT INDEXED",
        };
        let mut text = format!(
            "SELECT position, received, event FROM events {index} WHERE position > ?1 AND position < ?2"
        );
        let mut values: Vec<&dyn ToSql> = Vec::new();
        for (name, value) in [
            ("source =", self.source.as_ref().map(|value| value as &dyn ToSql)),
            ("type =", self.asked.kind.as_ref().map(|value| value as &dyn ToSql)),
            ("severity >=", self.severity.as_ref().map(|value| value as &dyn ToSql)),
        ] {
            if let Some(value) = value {
                values.push(value);
                text.push_str(&format!(" AND {name} ?{}", values.len() + 2));
            }
        }
        let order = if self.asked.before.is_some() { "DESC" } else { "ASC" };
        text.push_str(&format!(" ORDER BY position {order}"));
        (text, values)
    }

    /// Both ends of what is walked along; they are outside.
    fn ends(&self, db: &Connection) -> rusqlite::Result<(i64, i64)> {
        let last = latest(db)?;
        // What was removed is passed over.
        let first: i64 =
            db.query_row("SELECT coalesce(min(position), 1) FROM events", [], |row| row.get(0))?;
        let low = self.asked.after.max(first.saturating_sub(1));
        let high = self.asked.before.unwrap_or(i64::MAX).min(last.saturating_add(1));
        Ok((low, high))
    }

    /// Where rows must be read, it goes window by window, and ends when it took too long.
    fn run(&self, db: &Connection, mut answer: Answer) -> rusqlite::Result<EventsPage> {
        let (newest_first, reads_rows) = (self.asked.before.is_some(), self.reads_rows());
        let (mut low, mut high) = self.ends(db)?;
        let (text, values) = self.statement();
        let mut find = db.prepare_cached(&text)?;
        let elapsed = svm_core::clock::stopwatch();
        while low.saturating_add(1) < high {
            let (from, to) = match reads_rows {
                false => (low, high),
                true if newest_first => (low.max(high.saturating_sub(WINDOW + 1)), high),
                true => (low, high.min(low.saturating_add(WINDOW + 1))),
            };
            let all: Vec<&dyn ToSql> =
                [&from as &dyn ToSql, &to as &dyn ToSql].into_iter().chain(values.iter().copied()).collect();
            let mut rows = find.query(all.as_slice())?;
            while let Some(row) = rows.next()? {
                if !answer.take(event(row)?) {
                    return Ok(answer.page);
                }
            }
            if !reads_rows {
                break;
            }
            if newest_first {
                high = from.saturating_add(1);
            } else {
                low = to.saturating_sub(1);
            }
            if elapsed() > SCAN_BUDGET && low.saturating_add(1) < high {
                answer.page.next = Some(if newest_first { high } else { low });
                break;
            }
        }
        Ok(answer.page)
    }
}
