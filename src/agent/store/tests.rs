use super::*;
use crate::events::{Operational, Origin, REPORT, Renderer, Snapshot};
use crate::subscription::{Event, Kind, Severity};
use jiff::Timestamp;
use std::path::Path;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn open(folder: &Path) -> (Store, Opened) {
    Store::open(folder, &["a", "b"], now(), || "id-1".to_owned()).unwrap()
}

fn records(kinds: usize, reports: usize) -> Vec<Record> {
    let text = String::new;
    let origin = Origin { source: text(), hostname: text(), product_name: text(), product_version: text() };
    let state = State::default();
    let renderer =
        Renderer { origin: &origin, time: now(), view: &state.told, snapshot: &Snapshot::of(&state) };
    let kind = Kind::DevicesLimit {
        from: crate::subscription::LimitLevel::None,
        to: crate::subscription::LimitLevel::Over90,
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

async fn sequences(store: &Store, destination: &str) -> Vec<u64> {
    store.next(destination, 10_000).await.unwrap().iter().map(|o| o.sequence).collect()
}

#[tokio::test]
async fn what_is_kept_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, opened) = open(folder.path());
    assert!(opened.new_id && opened.rebuilt.is_none());
    let state = State { protected_devices: Some(7), ..State::default() };
    let paper = Paper { key: "K".into(), issuer: "i".into(), sub: "s".into(), jws: "j".into() };
    let commit = Commit {
        state: Some(state.clone()),
        papers: Some(vec![paper.clone()]),
        records: records(3, 0),
        notes: vec![(SOURCE_NOTE, "note".into())],
        ..Commit::default()
    };
    store.commit(commit, 10_000).await.unwrap();
    store.delivered("a", 2).await.unwrap();
    store.close().await;
    let (store, opened) = open(folder.path());
    assert!(!opened.new_id && opened.rebuilt.is_none());
    assert_eq!((opened.id.as_str(), opened.state, opened.papers), ("id-1", state, vec![paper]));
    assert_eq!(opened.source_note.as_deref(), Some("note"));
    assert_eq!(sequences(&store, "a").await, [3]);
    assert_eq!(sequences(&store, "b").await, [1, 2, 3]);
    let rows = store.events(None, 2).await.unwrap();
    assert_eq!(rows.iter().map(|r| r.waiting_for.len()).collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test]
async fn only_the_latest_report_waits_and_a_sent_one_keeps_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store.commit(keep(records(1, 1)), 10_000).await.unwrap();
    let second = records(0, 1);
    store.commit(keep(second.clone()), 10_000).await.unwrap();
    let waiting = store.next("a", 10).await.unwrap();
    assert_eq!(waiting.iter().map(|o| o.sequence).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(waiting[1].id, second[0].id.to_string());
    // "a" has seen the second report now; "b" has not.
    store.commit(keep(records(0, 1)), 10_000).await.unwrap();
    assert_eq!(sequences(&store, "a").await, [1, 2, 3]);
    assert_eq!(sequences(&store, "b").await, [1, 2]);
    assert!(store.next("a", 10).await.unwrap()[1].body.contains(REPORT));
}

#[tokio::test]
async fn a_damaged_database_is_set_aside_and_rebuilt_with_the_same_id_and_state() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("not a database", |file| std::fs::write(file, "x".repeat(9000)).unwrap()),
        ("malformed", |file| {
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
            .commit(
                Commit { state: Some(state.clone()), records: records(5, 0), ..Commit::default() },
                10_000,
            )
            .await
            .unwrap();
        store.close().await;
        damage(&folder.path().join("agent.db"));
        let (store, opened) = open(folder.path());
        let rebuilt = opened.rebuilt.unwrap_or_else(|| panic!("{name} was not noticed"));
        assert!(rebuilt.problem.contains(name), "{name}: {}", rebuilt.problem);
        assert_eq!((opened.id.as_str(), &opened.state), ("id-1", &state));
        // Numbers that were used are not used again.
        store.commit(keep(records(1, 0)), 10_000).await.unwrap();
        assert_eq!(sequences(&store, "a").await, [1001], "{name}");
        assert_eq!(rebuilt.ceiling, 1000);
        let aside = rebuilt.set_aside.map(|n| folder.path().join(n).exists());
        assert_eq!(aside, (name != "missing" && name != "empty").then_some(true));
    }
}

#[tokio::test]
async fn history_is_bounded_and_never_eats_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store.commit(keep(records(50, 0)), 10).await.unwrap();
    store.delivered("a", 50).await.unwrap();
    store.commit(keep(records(1, 0)), 10).await.unwrap();
    assert_eq!(store.events(None, 100).await.unwrap().len(), 51, "b waits for all of them");
    store.delivered("b", 45).await.unwrap();
    store.commit(keep(records(1, 0)), 3).await.unwrap();
    assert_eq!(sequences(&store, "b").await, [46, 47, 48, 49, 50, 51, 52]);
    store.delivered("b", 52).await.unwrap();
    store.delivered("a", 52).await.unwrap();
    store.commit(keep(records(1, 0)), 3).await.unwrap();
    assert_eq!(store.events(None, 100).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_destination_that_comes_back_counts_on() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store.commit(keep(records(3, 0)), 100).await.unwrap();
    store.delivered("b", 2).await.unwrap();
    store.close().await;
    let only_a = || Store::open(folder.path(), &["a"], now(), String::new).unwrap();
    let (store, opened) = only_a();
    assert_eq!(opened.left, [("b".to_owned(), 1)]);
    store.commit(keep(records(2, 0)), 100).await.unwrap();
    store.close().await;
    let (store, opened) = open(folder.path());
    assert!(opened.left.is_empty());
    store.commit(keep(records(1, 0)), 100).await.unwrap();
    assert_eq!(sequences(&store, "b").await, [3, 4]);
    assert_eq!(sequences(&store, "a").await, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn what_cannot_be_read_is_not_taken_for_damaged() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    // A folder in the file's place cannot be read, whoever asks.
    std::fs::remove_file(folder.path().join("recovery.json")).unwrap();
    std::fs::create_dir(folder.path().join("recovery.json")).unwrap();
    let opened = Store::open(folder.path(), &["a"], now(), String::new);
    assert!(matches!(opened.map(drop), Err(StoreError::File { .. })));
    assert!(folder.path().join("agent.db").exists() && folder.path().join("recovery.json").is_dir());
}

#[tokio::test]
async fn a_full_disk_keeps_nothing_halfway_and_room_is_left_for_critical_events() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    // SQLite's own limit stands for the disk here; tests/faults.rs fills a real one.
    let limit = |pages: i64| {
        move |db: &rusqlite::Connection| {
            db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
        }
    };
    store.worker.call(false, limit(1)).await.unwrap();
    let mut full = false;
    for _ in 0..50 {
        match store.commit(keep(records(20, 0)), 10_000).await {
            Ok(()) => {}
            Err(StoreError::Full) => full = true,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(full);
    let before = sequences(&store, "a").await.len();
    assert_eq!(before % 20, 0);
    assert!(folder.path().join("agent.reserve").exists());
    store.worker.call(false, limit(100_000)).await.unwrap();
    store.commit(keep(records(20, 0)), 10_000).await.unwrap();
    assert_eq!(sequences(&store, "a").await.len(), before + 20);
    assert!(records(1, 0)[0].severity < Severity::Critical);
}
