//! Removal: what is too old, and what is too much.
//!
//! Promises: the store does not grow above its bound, nor one source above its quota, however fast events come: each
//! transaction that adds events removes as much as it must, for at most about as long as the adding took, and where that
//! does not suffice, events are refused until removal has caught up. The rest is removed in slices while no request
//! waits.

use super::schema::EVENT_OVERHEAD;
use crate::metrics::{Metrics, RemovalReason};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How long one slice lasts, and with it the wait of a request that comes meanwhile.
const SLICE: Duration = Duration::from_millis(10);
/// Events removed by one statement.
const CHUNK: i64 = 100;
/// Free pages that are given back to the file system in one slice.
const FREED_PAGES: u32 = 256;

/// What the store may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoreBounds {
    /// Bytes of the file, without what is free in it.
    pub(crate) bytes: u64,
    /// Bytes of the events of one source.
    pub(crate) source_bytes: i64,
    pub(crate) sources: u64,
}

/// What is to be removed, as the writing thread knows it.
pub(super) struct Removal {
    pub(super) bounds: StoreBounds,
    /// How many sources there are.
    pub(super) sources: u64,
    page_size: u64,
    used: u64,
    free_pages: u64,
    /// Sources above their quota.
    above_quota: BTreeSet<i64>,
    events_before: Option<Timestamp>,
    reports_before: Option<Timestamp>,
    is_due: bool,
}

/// Which events are removed.
#[derive(Clone, Copy)]
enum Which {
    /// The oldest, until so many bytes are free.
    Oldest(i64),
    /// The oldest of a source, until so many bytes are free.
    OldestOf(i64, i64),
    Before(Timestamp),
    ReportsBefore(Timestamp),
}

impl Removal {
    pub(super) fn new(db: &Connection, bounds: StoreBounds, metrics: &Metrics) -> rusqlite::Result<Self> {
        let above = "SELECT number FROM sources WHERE bytes > ?1";
        let above_quota: rusqlite::Result<BTreeSet<i64>> =
            db.prepare(above)?.query_map([bounds.source_bytes], |row| row.get(0))?.collect();
        let mut removal = Self {
            bounds,
            sources: db.query_row("SELECT count(*) FROM sources", [], |row| row.get(0))?,
            page_size: db.pragma_query_value(None, "page_size", |row| row.get(0))?,
            used: 0,
            free_pages: 0,
            above_quota: above_quota?,
            events_before: None,
            reports_before: None,
            is_due: true,
        };
        removal.measure(db, metrics)?;
        Ok(removal)
    }

    /// From now on events of before these instants are too old.
    pub(super) fn set_ages(&mut self, events_before: Timestamp, reports_before: Timestamp) {
        (self.events_before, self.reports_before) = (Some(events_before), Some(reports_before));
        self.is_due = true;
    }

    /// Whether there may be something to remove.
    pub(super) fn is_due(&self) -> bool {
        self.is_due
    }

    /// After a failure: not again before the next time that ages are set.
    pub(super) fn pause(&mut self) {
        self.is_due = false;
    }

    /// Whether the store is so far above its bound that nothing may be added.
    pub(super) fn is_far_behind(&self) -> bool {
        self.used > self.bounds.bytes.saturating_add(self.bounds.bytes / 10)
    }

    /// Whether a source is so far above its quota that nothing may be added.
    pub(super) fn is_far_above_quota(&self, bytes: i64) -> bool {
        bytes > self.bounds.source_bytes.saturating_add(self.bounds.source_bytes / 10)
    }

    fn is_over(&self) -> bool {
        self.used > self.bounds.bytes
    }

    fn oldest(&self) -> Which {
        Which::Oldest(i64::try_from(self.used.saturating_sub(self.bounds.bytes)).unwrap_or(i64::MAX))
    }

    fn measure(&mut self, db: &Connection, metrics: &Metrics) -> rusqlite::Result<()> {
        let pages: u64 = db.pragma_query_value(None, "page_count", |row| row.get(0))?;
        self.free_pages = db.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        self.used = pages.saturating_sub(self.free_pages).saturating_mul(self.page_size);
        metrics.store_bytes.store(self.used, Relaxed);
        Ok(())
    }

    /// In the transaction that added events to `sources` (number and bytes): removes what is too much.
    pub(super) fn keep_up(
        &mut self,
        db: &Transaction<'_>,
        sources: &[(i64, i64)],
        spent: Duration,
        metrics: &Metrics,
    ) -> rusqlite::Result<()> {
        let budget = spent.max(SLICE);
        let elapsed = svm_core::clock::stopwatch();
        self.measure(db, metrics)?;
        while self.is_over() && elapsed() < budget {
            if remove(db, self.oldest(), metrics)? == (0, 0) {
                break;
            }
            self.measure(db, metrics)?;
        }
        for (number, bytes) in sources {
            let mut bytes = *bytes;
            while bytes > self.bounds.source_bytes && elapsed() < budget {
                match remove(db, Which::OldestOf(*number, bytes - self.bounds.source_bytes), metrics)? {
                    (0, _) => break,
                    (_, freed) => bytes = bytes.saturating_sub(freed),
                }
            }
            if bytes > self.bounds.source_bytes {
                self.above_quota.insert(*number);
                self.is_due = true;
            }
        }
        self.is_due |= self.is_over();
        Ok(())
    }

    /// One slice of removal, on its own.
    pub(super) fn slice(&mut self, db: &mut Connection, metrics: &Metrics) -> rusqlite::Result<()> {
        let elapsed = svm_core::clock::stopwatch();
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut removed = 0;
        while elapsed() < SLICE {
            let Some(which) = self.next(&transaction)? else { break };
            let (rows, _) = remove(&transaction, which, metrics)?;
            removed += rows;
            match which {
                // Nothing is left but the sources themselves.
                Which::Oldest(_) if rows == 0 => break,
                Which::OldestOf(number, _) if rows == 0 => drop(self.above_quota.remove(&number)),
                Which::Before(_) if rows < CHUNK => self.events_before = None,
                Which::ReportsBefore(_) if rows < CHUNK => self.reports_before = None,
                _ => {}
            }
            self.measure(&transaction, metrics)?;
        }
        transaction.commit()?;
        self.measure(db, metrics)?;
        if removed > 0 {
            tracing::debug!(removed, "removed old events");
            return Ok(());
        }
        // What will be written soon takes free pages: a part of them stays.
        let used_pages = self.used / self.page_size.max(1);
        if self.free_pages > u64::from(FREED_PAGES) + used_pages / 64 {
            // A page with each step.
            let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({FREED_PAGES})"))?;
            let mut pages = vacuum.query([])?;
            while pages.next()?.is_some() {}
            return Ok(());
        }
        self.is_due = false;
        Ok(())
    }

    fn next(&mut self, db: &Connection) -> rusqlite::Result<Option<Which>> {
        if self.is_over() {
            return Ok(Some(self.oldest()));
        }
        while let Some(number) = self.above_quota.first().copied() {
            let mut bytes = db.prepare_cached("SELECT bytes FROM sources WHERE number = ?1")?;
            let bytes: i64 = bytes.query_row([number], |row| row.get(0))?;
            if bytes > self.bounds.source_bytes {
                return Ok(Some(Which::OldestOf(number, bytes - self.bounds.source_bytes)));
            }
            self.above_quota.remove(&number);
        }
        Ok(self.events_before.map(Which::Before).or(self.reports_before.map(Which::ReportsBefore)))
    }
}

/// Removes up to [`CHUNK`] events. Answers how many, and how many bytes they took.
fn remove(db: &Transaction<'_>, which: Which, metrics: &Metrics) -> rusqlite::Result<(i64, i64)> {
    let (found, value, wanted, reason) = match which {
        Which::Oldest(bytes) => ("WHERE ?1 = 0 ORDER BY position", 0, bytes, RemovalReason::Size),
        Which::OldestOf(source, bytes) => {
            ("WHERE source = ?1 ORDER BY position", source, bytes, RemovalReason::Quota)
        }
        Which::Before(at) => {
            ("WHERE received < ?1 ORDER BY received", at.as_microsecond(), i64::MAX, RemovalReason::Age)
        }
        Which::ReportsBefore(at) => (
            "WHERE type = 'svm.agent.report' AND received < ?1 ORDER BY received",
            at.as_microsecond(),
            i64::MAX,
            RemovalReason::Age,
        ),
    };
    let text = format!("SELECT position, source, octet_length(event) FROM events {found} LIMIT {CHUNK}");
    let (mut positions, mut bytes) = (Vec::new(), 0_i64);
    let mut by_source: BTreeMap<i64, i64> = BTreeMap::new();
    {
        let mut find = db.prepare_cached(&text)?;
        let mut rows = find.query([value])?;
        while bytes < wanted
            && let Some(row) = rows.next()?
        {
            let size = row.get::<_, i64>(2)?.saturating_add(EVENT_OVERHEAD);
            positions.push(row.get::<_, i64>(0)?);
            let sum = by_source.entry(row.get(1)?).or_default();
            *sum = sum.saturating_add(size);
            bytes = bytes.saturating_add(size);
        }
    }
    let mut delete = db.prepare_cached("DELETE FROM events WHERE position = ?1")?;
    for position in &positions {
        delete.execute([position])?;
    }
    let mut update = db.prepare_cached("UPDATE sources SET bytes = max(0, bytes - ?2) WHERE number = ?1")?;
    for (source, bytes) in by_source {
        update.execute(params![source, bytes])?;
    }
    metrics.removed(reason, positions.len() as u64);
    Ok((i64::try_from(positions.len()).unwrap_or(i64::MAX), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudevent::from_json;
    use crate::store::commit::{Ingest, commit};
    use crate::store::schema::open_writer;
    use serde_json::json;

    struct Trial {
        db: Connection,
        removal: Removal,
        metrics: Metrics,
        number: u64,
        _folder: tempfile::TempDir,
    }

    impl Trial {
        fn new(bounds: StoreBounds) -> Self {
            let (folder, metrics) = (tempfile::tempdir().unwrap(), Metrics::default());
            let db = open_writer(&folder.path().join("collector.db")).unwrap();
            let removal = Removal::new(&db, bounds, &metrics).unwrap();
            Self { db, removal, metrics, number: 0, _folder: folder }
        }

        /// Stores events of one source; false if it has to wait.
        fn post(&mut self, source: &str, kind: &str, size: usize, count: u64, at: i64) -> bool {
            let events = (0..count).map(|_| {
                self.number += 1;
                let event = json!({"specversion": "1.0", "id": self.number.to_string(), "source": source, "type": kind,
                    "data": {"filler": "x".repeat(size)}});
                from_json(&event.to_string()).unwrap()
            });
            let request =
                Ingest { token: None, events: events.collect(), at: Timestamp::from_second(at).unwrap() };
            commit(&mut self.db, &[request], &mut self.removal, &self.metrics).unwrap().pop().unwrap().is_ok()
        }

        fn count(&self, source: &str) -> i64 {
            let text = "SELECT count(*) FROM events JOIN sources ON number = events.source WHERE sources.source = ?1";
            self.db.query_row(text, [source], |row| row.get(0)).unwrap()
        }

        fn finish(&mut self) {
            for _ in 0..10_000 {
                if !self.removal.is_due() {
                    return;
                }
                self.removal.slice(&mut self.db, &self.metrics).unwrap();
            }
            panic!("removal does not end");
        }

        /// What is counted of each source is what is there.
        fn check(&self) {
            let text = "SELECT count(*) FROM sources WHERE bytes <>
                (SELECT coalesce(sum(octet_length(event) + ?1), 0) FROM events WHERE events.source = number)";
            let wrong: i64 = self.db.query_row(text, [EVENT_OVERHEAD], |row| row.get(0)).unwrap();
            assert_eq!(wrong, 0);
        }
    }

    #[test]
    fn the_store_stays_within_its_bound_however_fast_events_come() {
        let bound = 4_000_000;
        let mut trial = Trial::new(StoreBounds { bytes: bound, source_bytes: i64::MAX / 2, sources: 10 });
        // Small ones first: of these many must go for each large one.
        for _ in 0..8 {
            trial.post("a", "t", 100, 1000, 0);
        }
        let mut refused = 0;
        for _ in 0..100 {
            while !trial.post("a", "t", 40_000, 20, 0) {
                refused += 1;
                trial.removal.slice(&mut trial.db, &trial.metrics).unwrap();
            }
            // A request is at most 4 MiB: here 0.8 MB.
            assert!(trial.removal.used < bound + bound / 10 + 1_000_000, "{}", trial.removal.used);
        }
        trial.finish();
        assert!(trial.removal.used <= bound, "{} after {refused} refusals", trial.removal.used);
        let first: i64 =
            trial.db.query_row("SELECT min(position) FROM events", [], |row| row.get(0)).unwrap();
        assert!(first > 8000, "the oldest go first: {first}");
        assert!(trial.count("a") > 50);
        trial.check();
    }

    #[test]
    fn a_source_pushes_out_its_own_events_only() {
        let mut trial = Trial::new(StoreBounds { bytes: 1 << 40, source_bytes: 1_000_000, sources: 10 });
        trial.post("b", "t", 1000, 100, 0);
        for _ in 0..40 {
            trial.post("a", "t", 10_000, 50, 0);
        }
        trial.finish();
        assert_eq!(trial.count("b"), 100);
        let bytes: i64 =
            trial.db.query_row("SELECT bytes FROM sources WHERE source = 'a'", [], |row| row.get(0)).unwrap();
        assert!((500_000..=1_000_000).contains(&bytes), "{bytes}");
        trial.check();
    }

    #[test]
    fn what_is_too_old_goes_in_slices_and_the_space_comes_back() {
        let mut trial = Trial::new(StoreBounds { bytes: 1 << 40, source_bytes: i64::MAX / 2, sources: 10 });
        for _ in 0..12 {
            trial.post("a", "t", 1000, 1000, 10);
        }
        trial.post("a", "svm.agent.report", 10, 300, 20);
        trial.post("a", "t", 10, 300, 20);
        trial.post("a", "svm.agent.report", 10, 7, 30);
        let before = trial.removal.used;
        trial.finish();
        trial.removal.set_ages(Timestamp::from_second(20).unwrap(), Timestamp::from_second(30).unwrap());
        trial.finish();
        assert_eq!(trial.count("a"), 307);
        let pages: u64 = trial.db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        assert!(pages * trial.removal.page_size < before / 4, "the file is as large as before");
        trial.check();
    }
}
