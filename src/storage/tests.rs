use super::*;
use crate::config::Retention;
use crate::identity::Binding;
use crate::storage::types::Durability;
use jiff::Timestamp;
use std::path::Path;
use svm_core::events::{Drops, Filter, Operational, Origin, REPORT, Record, Renderer, Snapshot};
use svm_core::subscription::{Event, Kind, Severity, State};

mod damage;
mod identity;
mod versions;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn plan(names: &[&str], bounds: Retention) -> Plan {
    let routes = names.iter().map(|name| Route { name: (*name).to_owned(), filter: Filter::default() });
    Plan { routes: routes.collect(), bounds }
}

fn open_with(folder: &Path, bounds: Retention) -> (Store, Opened) {
    Store::open(folder, plan(&["a", "b"], bounds), now(), &Binding::default(), || "id-1".to_owned()).unwrap()
}

const AMPLE: Retention = Retention { history: 10_000, bytes: 1 << 40 };

fn open(folder: &Path) -> (Store, Opened) {
    open_with(folder, AMPLE)
}

fn records(kinds: usize, reports: usize) -> Vec<Record> {
    let text = String::new;
    let origin = Origin {
        source: text(),
        hostname: text(),
        product_name: text(),
        product_version: text(),
        instance: text(),
    };
    let state = State::default();
    let renderer =
        Renderer { origin: &origin, time: now(), view: &state.reported, snapshot: &Snapshot::of(&state) };
    let kind = Kind::DevicesLimit {
        from: svm_core::subscription::LimitLevel::None,
        to: svm_core::subscription::LimitLevel::Over90,
        count: Some(1),
        limit: Some(1),
    };
    let event = Event { kind, effective_at: None };
    let report = Operational::AgentReport { report: serde_json::Value::Null };
    let kinds = (0..kinds).map(|_| renderer.life_cycle(&event));
    kinds.chain((0..reports).map(|_| renderer.operational(&report))).collect()
}

fn keep(records: Vec<Record>) -> Commit {
    Commit { records, ..Commit::default() }
}

async fn next(store: &Store, destination: &str) -> Vec<Outgoing> {
    let reading = Reading { most: 10_000, bytes: usize::MAX, ..Reading::default() };
    store.next(destination, reading).await.unwrap()
}

async fn sequences(store: &Store, destination: &str) -> Vec<u64> {
    next(store, destination).await.iter().map(|o| o.sequence).collect()
}

async fn listed(store: &Store, most: usize) -> Vec<EventRow> {
    store.events(Listing { most, ..Listing::default() }).await.unwrap()
}

#[tokio::test]
async fn what_is_kept_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, opened) = open(folder.path());
    assert!(opened.new_id && opened.rebuilt.is_none());
    let state = State { protected_devices: Some(7), ..State::default() };
    let document = StoredDocument { key: "K".into(), issuer: "i".into(), sub: "s".into(), jws: "j".into() };
    let commit = Commit {
        state: Some(state.clone()),
        documents: Some(vec![document.clone()]),
        records: records(3, 0),
        notes: vec![(NoteName::Source, "note".into())],
        ..Commit::default()
    };
    store.commit(commit).await.unwrap();
    store.delivered("a", 2).await.unwrap();
    store.close().await;
    let (store, opened) = open(folder.path());
    assert!(!opened.new_id && opened.rebuilt.is_none());
    assert_eq!((opened.id.as_str(), opened.state, opened.documents), ("id-1", state, vec![document]));
    assert_eq!(opened.source_note.as_deref(), Some("note"));
    assert_eq!(sequences(&store, "a").await, [3]);
    assert_eq!(sequences(&store, "b").await, [1, 2, 3]);
    let rows = listed(&store, 2).await;
    assert_eq!(rows.iter().map(|r| r.waiting_for.len()).collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test]
async fn only_the_latest_report_waits_and_a_sent_one_keeps_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store.commit(keep(records(1, 1))).await.unwrap();
    let second = records(0, 1);
    store.commit(keep(second.clone())).await.unwrap();
    let waiting = next(&store, "a").await;
    assert_eq!(waiting.iter().map(|o| o.sequence).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(waiting[1].id, second[0].id.to_string());
    // "a" has seen the second report now; "b" has not.
    store.commit(keep(records(0, 1))).await.unwrap();
    assert_eq!(sequences(&store, "a").await, [1, 2, 3]);
    assert_eq!(sequences(&store, "b").await, [1, 2]);
    assert!(next(&store, "a").await[1].body.contains(REPORT));
}

#[tokio::test]
async fn a_damaged_database_is_set_aside_and_rebuilt_with_the_same_id_and_state() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("not a database", |file| std::fs::write(file, "x".repeat(9000)).unwrap()),
        ("damaged", |file| {
            let whole = std::fs::read(file).unwrap();
            std::fs::write(file, &whole[..whole.len() / 2]).unwrap();
        }),
        ("empty", |file| std::fs::write(file, "").unwrap()),
        ("missing", |file| std::fs::remove_file(file).unwrap()),
    ];
    for (name, damage) in damages {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(folder.path());
        let state = State { protected_devices: Some(9), ..State::default() };
        store
            .commit(Commit { state: Some(state.clone()), records: records(5, 0), ..Commit::default() })
            .await
            .unwrap();
        store.close().await;
        damage(&folder.path().join("agent.db"));
        let (store, opened) = open(folder.path());
        let rebuilt = opened.rebuilt.unwrap_or_else(|| panic!("{name} was not noticed"));
        assert!(rebuilt.problem.contains(name), "{name}: {}", rebuilt.problem);
        assert_eq!((opened.id.as_str(), &opened.state), ("id-1", &state));
        // Numbers that were used are not used again.
        store.commit(keep(records(1, 0))).await.unwrap();
        assert_eq!(sequences(&store, "a").await, [1001], "{name}");
        assert_eq!(rebuilt.ceiling, 1000);
        let aside = rebuilt.set_aside.map(|n| folder.path().join(n).exists());
        assert_eq!(aside, (name != "missing" && name != "empty").then_some(true));
    }
}

#[tokio::test]
async fn history_is_bounded_and_never_eats_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open_with(folder.path(), Retention { history: 3, ..AMPLE });
    store.commit(keep(records(50, 0))).await.unwrap();
    store.delivered("a", 50).await.unwrap();
    store.commit(keep(records(1, 0))).await.unwrap();
    assert_eq!(listed(&store, 100).await.len(), 51, "b waits for all of them");
    store.delivered("b", 45).await.unwrap();
    store.commit(keep(records(1, 0))).await.unwrap();
    assert_eq!(sequences(&store, "b").await, [46, 47, 48, 49, 50, 51, 52]);
    store.delivered("b", 52).await.unwrap();
    store.delivered("a", 52).await.unwrap();
    store.commit(keep(records(1, 0))).await.unwrap();
    assert_eq!(listed(&store, 100).await.len(), 3);
}

#[tokio::test]
async fn what_one_dead_destination_wants_does_not_keep_the_rest_of_history() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(&["a", "b"], Retention { history: 3, ..AMPLE });
    plan.routes[1].filter.least = Severity::Critical;
    let (store, _) =
        Store::open(folder.path(), plan, now(), &Binding::default(), || "id-1".to_owned()).unwrap();
    for _ in 0..100 {
        store.commit(keep(critical())).await.unwrap();
    }
    for _ in 0..100 {
        store.commit(keep(records(3, 0))).await.unwrap();
        let last = *sequences(&store, "a").await.last().unwrap();
        store.delivered("a", last).await.unwrap();
    }
    store.commit(keep(records(1, 0))).await.unwrap();
    let stored = listed(&store, 1000).await.len();
    assert_eq!(sequences(&store, "b").await.len(), 100);
    // A pass over what "b" waits for takes two commits, in which some more came.
    assert!((103..115).contains(&stored), "{stored}");
}

#[tokio::test]
async fn a_report_that_took_an_older_ones_place_is_not_trimmed_away() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open_with(folder.path(), Retention { history: 0, ..AMPLE });
    store.commit(keep(records(0, 1))).await.unwrap();
    store.commit(keep(records(5, 0))).await.unwrap();
    assert_eq!(sequences(&store, "a").await, [1, 2, 3, 4, 5, 6]);
    store.delivered("a", 6).await.unwrap();
    let latest = records(0, 1);
    store.commit(keep(latest.clone())).await.unwrap();
    store.commit(keep(records(1, 0))).await.unwrap();
    let waiting = next(&store, "b").await;
    assert_eq!(waiting.iter().map(|e| e.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(waiting[0].id, latest[0].id.to_string());
    assert_eq!(sequences(&store, "a").await, [7, 8]);
}

/// Commits until something is dropped; answers that.
async fn fill(store: &Store, records: impl Fn() -> Vec<Record>) -> Drops {
    for _ in 0..10_000 {
        let drops = store.commit(keep(records())).await.unwrap();
        if !drops.is_empty() {
            return drops;
        }
    }
    panic!("nothing was dropped");
}

fn critical() -> Vec<Record> {
    let mut records = records(1, 0);
    records[0].severity = Severity::Critical;
    records[0].type_name = "subscription.expired";
    records
}

#[tokio::test]
async fn for_want_of_room_the_oldest_info_goes_first_and_all_of_it_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open_with(folder.path(), Retention { history: 10, bytes: 300_000 });
    store.commit(keep(critical())).await.unwrap();
    let drops = fill(&store, || records(5, 0)).await;
    let left = sequences(&store, "a").await;
    assert_eq!(left[0], 1, "what is Critical stays");
    let [one] = &drops.dropped[..] else { panic!("{drops:?}") };
    assert_eq!((one.r#type.as_str(), one.reason.as_str()), ("devices.limit", "size"));
    assert_eq!(left[1], 2 + one.count, "the oldest left");
    assert_eq!(drops.destinations, [("a".to_owned(), one.count), ("b".to_owned(), one.count)].into());
    // The next event names the numbers that never come.
    assert_eq!(next(&store, "a").await[1].skipped_from, Some(2));
    assert_eq!(next(&store, "a").await[2].skipped_from, None);
    // It is remembered until it was reported, also over a restart.
    store.close().await;
    let (store, _) = open_with(folder.path(), Retention { history: 10, bytes: 300_000 });
    assert_eq!(store.commit(keep(vec![])).await.unwrap(), drops);
    let told = Commit { notes: vec![(NoteName::Dropped, String::new())], ..Commit::default() };
    assert!(store.commit(told).await.unwrap().is_empty());
    // Where nothing but Critical is left, the oldest of that goes.
    let mut dropped = Vec::new();
    while sequences(&store, "a").await[0] == 1 {
        let told = vec![(NoteName::Dropped, String::new())];
        let commit = Commit { records: critical(), notes: told, ..Commit::default() };
        dropped.extend(store.commit(commit).await.unwrap().dropped.into_iter().map(|d| d.r#type));
    }
    dropped.dedup();
    assert_eq!(dropped, ["devices.limit", "subscription.expired"]);
    assert!(folder.path().join("agent.db").metadata().unwrap().len() < 2_000_000);
}

#[tokio::test]
async fn a_count_of_drops_that_cannot_be_read_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let spoilt = Commit {
        notes: vec![(NoteName::Dropped, "{\"dropped\":[{\"count\":-1".into())],
        ..Commit::default()
    };
    assert!(store.commit(spoilt).await.unwrap().is_empty());
    assert_eq!(store.note(NoteName::Dropped).await.unwrap().as_deref(), Some(""));
}

#[tokio::test]
async fn what_waited_too_long_is_dropped_and_counted_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let mut old = records(3, 0);
    for record in &mut old {
        record.time = now() - jiff::SignedDuration::from_hours(2);
    }
    store.commit(keep(old)).await.unwrap();
    store.delivered("b", 2).await.unwrap();
    store.commit(keep(records(2, 0))).await.unwrap();
    let before = Some(now() - jiff::SignedDuration::from_hours(1));
    let drops = store.commit(Commit { expire_before: before, ..Commit::default() }).await.unwrap();
    assert_eq!(drops.destinations, [("a".to_owned(), 3), ("b".to_owned(), 1)].into());
    assert_eq!(drops.dropped[0].reason, "age");
    assert_eq!((sequences(&store, "a").await, sequences(&store, "b").await), (vec![4, 5], vec![4, 5]));
    assert_eq!(next(&store, "a").await[0].skipped_from, Some(1));
    assert_eq!(next(&store, "b").await[0].skipped_from, Some(3));
}

#[tokio::test]
async fn a_destination_gets_what_its_filter_takes_and_its_numbers_have_no_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(&["a", "b"], AMPLE);
    plan.routes[1].filter = Filter {
        least: Severity::Critical,
        types: vec!["subscription.*".parse().unwrap()],
        ..Filter::default()
    };
    let (store, _) =
        Store::open(folder.path(), plan, now(), &Binding::default(), || "id-1".to_owned()).unwrap();
    store.commit(keep(records(2, 1))).await.unwrap();
    store.commit(keep(critical())).await.unwrap();
    assert_eq!((sequences(&store, "a").await, sequences(&store, "b").await), (vec![1, 2, 3, 4], vec![1]));
    assert_eq!(next(&store, "b").await[0].skipped_from, None);
}

#[tokio::test]
async fn what_is_refused_leaves_the_outbox_and_comes_back_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open_with(folder.path(), Retention { history: 0, ..AMPLE });
    store.commit(keep(records(3, 0))).await.unwrap();
    let second = next(&store, "a").await[1].clone();
    store.commit(refuse(&second)).await.unwrap();
    assert_eq!(
        next(&store, "a").await.iter().map(|e| (e.sequence, e.skipped_from)).collect::<Vec<_>>(),
        [(1, None), (3, Some(2))]
    );
    store.delivered("a", 3).await.unwrap();
    store.delivered("b", 3).await.unwrap();
    store.commit(keep(records(1, 0))).await.unwrap();
    let shown = store.event(&second.id).await.unwrap().unwrap();
    assert_eq!(shown.row.quarantined_by, ["a"], "trimming leaves it alone");
    let states: Vec<_> = shown.places.iter().map(|p| (p.destination.as_str(), p.state.as_str())).collect();
    assert_eq!(states, [("a", "quarantined"), ("b", "delivered")]);
    assert_eq!(store.waiting().await.unwrap()[0].quarantined, 1);
    assert_eq!(store.requeue(Some("other".into())).await.unwrap(), 0);
    assert_eq!(store.requeue(None).await.unwrap(), 1);
    let again = next(&store, "a").await;
    assert_eq!(
        again.iter().map(|e| (e.sequence, e.skipped_from)).collect::<Vec<_>>(),
        [(4, None), (5, None)]
    );
    assert_eq!(again[1].id, second.id);
}

fn refuse(event: &Outgoing) -> Commit {
    let refused = Quarantined {
        destination: "a".into(),
        sequence: event.sequence,
        id: event.id.clone(),
        code: svm_core::failure_code::FailureCode::Http(400),
        answer: "no".into(),
        at: now(),
    };
    Commit { quarantined: vec![refused], ..Commit::default() }
}

#[tokio::test]
async fn a_report_that_one_refused_and_another_was_not_sent_yet_stays_in_quarantine() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store.commit(keep(records(0, 1))).await.unwrap();
    let report = next(&store, "a").await[0].clone();
    store.commit(refuse(&report)).await.unwrap();
    // It takes the place of the one that "b" was not sent.
    store.commit(keep(records(0, 1))).await.unwrap();
    assert_eq!(sequences(&store, "b").await, [1]);
    assert_eq!(store.event(&report.id).await.unwrap().unwrap().row.quarantined_by, ["a"]);
    assert_eq!(store.requeue(None).await.unwrap(), 1);
}

#[tokio::test]
async fn a_number_that_a_refused_event_got_anew_is_below_the_ceiling() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    // The second of them is just below the ceiling that the first one raised.
    store.commit(keep(records(500, 0))).await.unwrap();
    store.commit(keep(records(500, 0))).await.unwrap();
    let first = next(&store, "a").await[0].clone();
    store.commit(refuse(&first)).await.unwrap();
    store.requeue(None).await.unwrap();
    assert_eq!(sequences(&store, "a").await.last(), Some(&1001));
    store.close().await;
    std::fs::remove_file(folder.path().join("agent.db")).unwrap();
    assert_eq!(open(folder.path()).1.rebuilt.unwrap().ceiling, 2000);
}

#[tokio::test]
async fn changes_that_are_kept_at_once_are_counted_each() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    // While the first is synced the others wait, and are committed together.
    let mut commits = tokio::task::JoinSet::new();
    for devices in 1..=20 {
        let (store, state) = (store.clone(), State { protected_devices: Some(devices), ..State::default() });
        commits.spawn(async move { store.commit(Commit { state: Some(state), ..Commit::default() }).await });
    }
    assert!(commits.join_all().await.iter().all(Result::is_ok));
    store.close().await;
    let (_, opened) = open(folder.path());
    assert!(opened.rebuilt.is_none(), "{:?}", opened.rebuilt);
    assert_eq!(opened.state.protected_devices, Some(20));
    std::fs::remove_file(folder.path().join("agent.db")).unwrap();
    assert_eq!(open(folder.path()).1.state.protected_devices, Some(20));
}

#[tokio::test]
async fn reports_age_where_nothing_else_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let mut old = records(0, 1);
    old[0].time = now() - jiff::SignedDuration::from_hours(2);
    store.commit(keep(old)).await.unwrap();
    let before = Some(now() - jiff::SignedDuration::from_hours(1));
    let drops = store.commit(Commit { expire_before: before, ..Commit::default() }).await.unwrap();
    assert_eq!(drops.destinations, [("a".to_owned(), 1), ("b".to_owned(), 1)].into());
}

#[tokio::test]
async fn room_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open_with(folder.path(), Retention { history: 0, ..AMPLE });
    store.commit(keep(records(1000, 0))).await.unwrap();
    store.delivered("a", 1000).await.unwrap();
    store.delivered("b", 1000).await.unwrap();
    let free =
        |db: &rusqlite::Connection| db.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0));
    let trim_cursor = bounds::TrimCursor::default();
    let rest = |trim_cursor: bounds::TrimCursor| {
        move |db: &rusqlite::Connection| Ok(bounds::trim(db, 0, &trim_cursor)? || bounds::vacuum(db)?)
    };
    let mut most_free = 0;
    while store.worker.call(Durability::Now, false, rest(trim_cursor.clone())).await.unwrap() {
        most_free = most_free.max(store.worker.call(Durability::Now, false, free).await.unwrap());
    }
    assert!(most_free > 100);
    assert_eq!(store.worker.call(Durability::Now, false, free).await.unwrap(), 0);
}

#[tokio::test]
async fn a_destination_that_comes_back_counts_on() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store.commit(keep(records(3, 0))).await.unwrap();
    store.delivered("b", 2).await.unwrap();
    store.close().await;
    let only_a =
        || Store::open(folder.path(), plan(&["a"], AMPLE), now(), &Binding::default(), String::new).unwrap();
    let (store, opened) = only_a();
    assert_eq!(opened.left, [("b".to_owned(), 1)]);
    store.commit(keep(records(2, 0))).await.unwrap();
    store.close().await;
    let (store, opened) = open(folder.path());
    assert!(opened.left.is_empty());
    store.commit(keep(records(1, 0))).await.unwrap();
    assert_eq!(sequences(&store, "b").await, [3, 4]);
    assert_eq!(sequences(&store, "a").await, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn what_cannot_be_read_is_not_taken_for_damaged() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    // A folder in the file's place can be read by nobody.
    std::fs::remove_file(folder.path().join("recovery.json")).unwrap();
    std::fs::create_dir(folder.path().join("recovery.json")).unwrap();
    let opened = Store::open(folder.path(), plan(&["a"], AMPLE), now(), &Binding::default(), String::new);
    assert!(matches!(opened.map(drop), Err(StoreError::File { .. })));
    assert!(folder.path().join("agent.db").exists() && folder.path().join("recovery.json").is_dir());
}

#[tokio::test]
async fn a_full_disk_keeps_nothing_halfway_and_room_is_left_for_critical_events() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    // SQLite's own limit stands for the disk here; tests/agent/faults.rs fills a real one.
    let limit = |pages: i64| {
        move |db: &rusqlite::Connection| {
            db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
        }
    };
    store.worker.call(Durability::Now, false, limit(1)).await.unwrap();
    let mut full = false;
    for _ in 0..50 {
        match store.commit(keep(records(20, 0))).await {
            Ok(_) => {}
            Err(StoreError::Full) => full = true,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(full);
    let before = sequences(&store, "a").await.len();
    assert_eq!(before % 20, 0);
    assert!(folder.path().join("agent.reserve").exists());
    store.worker.call(Durability::Now, false, limit(100_000)).await.unwrap();
    store.commit(keep(records(20, 0))).await.unwrap();
    assert_eq!(sequences(&store, "a").await.len(), before + 20);
    assert!(records(1, 0)[0].severity < Severity::Critical);
}
