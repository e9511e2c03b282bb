//! Damage is never taken for absence, and what is written can be read again whatever a receiver claims.

use super::*;
use crate::delivery::answer::{self, Outcome};
use crate::engine::reverts::may_follow;
use proptest::prelude::*;
use svm_core::bounds::MAX_SEQUENCE;
use svm_core::lock::lock;

const RECOVERY: &str = "recovery.json";

fn damaged(folder: &Path, prefix: &str) -> usize {
    let names = std::fs::read_dir(folder).unwrap();
    names.filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with(prefix)).count()
}

/// A store that holds a key's document and a state, closed again.
async fn lived(folder: &Path) {
    let (store, _) = open(folder);
    let state = State { protected_devices: Some(7), ..State::default() };
    let document = StoredDocument { key: "K".into(), issuer: "i".into(), sub: "s".into(), jws: "j".into() };
    store
        .commit(Commit {
            state: Some(state),
            documents: Some(vec![document]),
            records: records(3, 0),
            ..Commit::default()
        })
        .await
        .unwrap();
    store.close().await;
}

fn open_anew(folder: &Path) -> (Store, Opened) {
    Store::open(folder, plan(&["a"], AMPLE), now(), &Binding::default(), || "id-2".to_owned()).unwrap()
}

#[tokio::test]
async fn a_damaged_recovery_file_beside_a_missing_database_is_no_first_start() {
    for text in ["", "{", "null", "\0\0\0\0", "{\"id\":\"id-1\"}"] {
        let folder = tempfile::tempdir().unwrap();
        lived(folder.path()).await;
        std::fs::remove_file(folder.path().join("agent.db")).unwrap();
        std::fs::write(folder.path().join(RECOVERY), text).unwrap();
        let (store, opened) = open_anew(folder.path());
        let rebuilt = opened.rebuilt.unwrap();
        assert!(rebuilt.lost && rebuilt.problem.contains("must be activated again"), "{text}: {rebuilt:?}");
        assert!(rebuilt.problem.contains("recovery file was damaged too"), "{rebuilt:?}");
        assert!(opened.new_id && opened.id == "id-2" && opened.state == State::default(), "{text}");
        assert_eq!(damaged(folder.path(), set_aside::RECOVERY), 1, "{text}: it is kept");
        // It is remembered until it is reported, and after that it is over.
        store.close().await;
        let (store, opened) = open_anew(folder.path());
        assert!(opened.rebuilt.unwrap().lost);
        let told = Commit { notes: vec![(NoteName::Rebuilt, String::new())], ..Commit::default() };
        store.commit(told).await.unwrap();
        store.close().await;
        assert!(open_anew(folder.path()).1.rebuilt.is_none());
    }
}

#[tokio::test]
async fn what_a_damaged_recovery_file_still_says_is_used() {
    let folder = tempfile::tempdir().unwrap();
    lived(folder.path()).await;
    let path = folder.path().join(RECOVERY);
    let whole: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let spoilt = |name: &str, value: serde_json::Value| {
        let mut text = whole.clone();
        text[name] = value;
        std::fs::write(&path, text.to_string()).unwrap();
        std::fs::remove_file(folder.path().join("agent.db")).ok();
    };
    // A number that is never used, such as one that a receiver had an older version follow.
    spoilt("ceiling", ((1_u64 << 53) + 1000).into());
    let (store, opened) = open_anew(folder.path());
    let rebuilt = opened.rebuilt.unwrap();
    assert!(!rebuilt.lost && rebuilt.problem.contains("9007199254741992"), "{rebuilt:?}");
    assert_eq!(
        (opened.id.as_str(), opened.state.protected_devices, opened.documents.len()),
        ("id-1", Some(7), 1)
    );
    store.close().await;
    // The state is lost, and the id is not.
    spoilt("state", "x".into());
    let (_store, opened) = open_anew(folder.path());
    assert!(opened.rebuilt.unwrap().lost && opened.id == "id-1" && !opened.new_id);
    assert_eq!((opened.state, opened.documents), (State::default(), Vec::new()));
}

#[tokio::test]
async fn a_damaged_recovery_file_beside_a_whole_database_is_kept_and_named() {
    let folder = tempfile::tempdir().unwrap();
    lived(folder.path()).await;
    for n in 1..5 {
        std::fs::write(folder.path().join(RECOVERY), "{").unwrap();
        let later = now() + jiff::SignedDuration::from_secs(n);
        let plan = plan(&["a"], AMPLE);
        let (store, opened) =
            Store::open(folder.path(), plan, later, &Binding::default(), String::new).unwrap();
        let (_, name) = opened.recovery_damaged.unwrap();
        assert!(opened.rebuilt.is_none() && opened.id == "id-1" && opened.documents.len() == 1);
        assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), b"{");
        // Its numbers are those of the database.
        assert!(lock(&store.recovery).contents.ceiling >= 3);
        store.close().await;
    }
    assert_eq!(damaged(folder.path(), set_aside::RECOVERY), 3, "the last three");
}

#[tokio::test]
async fn a_folder_in_which_an_agent_has_run_is_no_first_start() {
    let folder = tempfile::tempdir().unwrap();
    assert!(open(folder.path()).1.rebuilt.is_none(), "this one is");
    for name in ["agent.db", "agent.db-wal", RECOVERY] {
        std::fs::remove_file(folder.path().join(name)).ok();
    }
    let rebuilt = open_anew(folder.path()).1.rebuilt.unwrap();
    assert!(rebuilt.lost && rebuilt.problem.contains("no recovery file"), "{rebuilt:?}");
    // Killed after the damaged database was set aside, and before there was another.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("agent.db.damaged-20260101T000000.000000Z"), "x").unwrap();
    assert!(open_anew(folder.path()).1.rebuilt.unwrap().lost);
}

#[tokio::test]
async fn a_destination_without_numbers_left_gets_no_events_and_they_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store.commit(keep(records(1, 0))).await.unwrap();
    store.close().await;
    let db = rusqlite::Connection::open(folder.path().join("agent.db")).unwrap();
    let last = MAX_SEQUENCE.cast_signed() - 1;
    db.execute("UPDATE destinations SET last_sequence = ?1 WHERE name = 'a'", [last]).unwrap();
    drop(db);
    let (store, _) = open(folder.path());
    assert!(store.commit(keep(records(1, 0))).await.unwrap().is_empty());
    let drops = store.commit(keep(records(2, 0))).await.unwrap();
    assert_eq!((drops.dropped[0].reason.as_str(), drops.dropped[0].count), ("numbers", 2));
    assert_eq!(drops.destinations.into_iter().collect::<Vec<_>>(), [("a".to_owned(), 2)]);
    assert_eq!(store.last_sequence("a").await.unwrap(), MAX_SEQUENCE);
    assert_eq!(sequences(&store, "b").await.len(), 4, "another goes on");
    store.close().await;
    // And the next start reads what was written.
    let (_store, opened) = open(folder.path());
    assert!(opened.rebuilt.is_none() && opened.recovery_damaged.is_none());
}

/// What happens to a store.
#[derive(Clone, Debug)]
enum Happens {
    Events(usize),
    /// A receipt of a receiver that has another event under the next number.
    Claims(String),
    Again,
    LosesDatabase,
}

fn any_happening() -> impl Strategy<Value = Happens> {
    let edges = prop::sample::select(vec![
        0,
        1,
        999,
        1_000_000,
        MAX_SEQUENCE - 1_000_000,
        MAX_SEQUENCE - 1,
        MAX_SEQUENCE,
        MAX_SEQUENCE + 1,
        i64::MAX.unsigned_abs(),
        u64::MAX,
    ]);
    let number = prop_oneof![4 => edges, 1 => any::<u64>(), 1 => 0..3_000_000_u64];
    let text = prop_oneof![6 => number.prop_map(|n| n.to_string()), 1 => "[0-9]{0,25}", 1 => ".{0,8}"];
    prop_oneof![
        3 => (1..4_usize).prop_map(Happens::Events),
        4 => text.prop_map(Happens::Claims),
        1 => Just(Happens::Again),
        1 => Just(Happens::LosesDatabase),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_follows_a_receipt_can_be_read_again(story in prop::collection::vec(any_happening(), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut store = open(folder.path()).0;
            store.commit(keep(records(1, 0))).await.unwrap();
            let mut highest = 0;
            for happens in story {
                let mut lost = false;
                match happens {
                    Happens::Events(count) => drop(store.commit(keep(records(count, 0))).await.unwrap()),
                    Happens::Claims(claim) => {
                        let sent = next(&store, "a").await;
                        let body = serde_json::json!({"conflicts": [{"highest": claim}]}).to_string();
                        let last = store.last_sequence("a").await.unwrap();
                        // What delivery and engine do with it.
                        if let Outcome::Conflict { highest, .. } = answer::receipt(body.as_bytes(), &sent)
                            && may_follow(highest, last)
                        {
                            let number = highest.max(last);
                            let above = Some(Above { destination: "a".into(), number });
                            store.commit(Commit { above, ..keep(records(1, 0)) }).await.unwrap();
                        }
                    }
                    Happens::Again => {}
                    Happens::LosesDatabase => lost = true,
                }
                highest = highest.max(store.last_sequence("a").await.unwrap());
                prop_assert!(highest <= MAX_SEQUENCE);
                store.close().await;
                if lost {
                    std::fs::remove_file(folder.path().join("agent.db")).unwrap();
                }
                let (again, opened) = open(folder.path());
                prop_assert!(opened.recovery_damaged.is_none(), "{:?}", opened.recovery_damaged);
                prop_assert_eq!((opened.rebuilt.is_some(), opened.id.as_str()), (lost, "id-1"));
                prop_assert!(!opened.rebuilt.is_some_and(|rebuilt| rebuilt.lost));
                if lost {
                    again.commit(Commit { notes: vec![(NoteName::Rebuilt, String::new())], ..keep(records(1, 0)) })
                        .await
                        .unwrap();
                    let first = sequences(&again, "a").await[0];
                    prop_assert!(first > highest, "{} was used before: {}", first, highest);
                }
                store = again;
            }
            store.close().await;
            Ok(())
        })?;
    }
}
