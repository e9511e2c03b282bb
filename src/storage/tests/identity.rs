//! Whose id it is, and numbers that go on above others.

use super::*;

/// A machine with these for its machine-id and product UUID; empty is not known.
fn machine(machine_id: &str, product_uuid: &str) -> Binding {
    let known = [("machine_id", machine_id), ("product_uuid", product_uuid)];
    let known = known.into_iter().filter(|(_, mark)| !mark.is_empty());
    let known: serde_json::Map<_, _> = known.map(|(name, mark)| (name.to_owned(), mark.into())).collect();
    serde_json::from_value(known.into()).unwrap()
}

fn open_on(folder: &Path, machine: &Binding, id: &str) -> (Store, Opened) {
    Store::open(folder, plan(&["a", "b"], AMPLE), now(), machine, || id.to_owned()).unwrap()
}

fn kept_key() -> Commit {
    let state = State { protected_devices: Some(7), ..State::default() };
    let document = StoredDocument { key: "K".into(), issuer: "i".into(), sub: "s".into(), jws: "j".into() };
    Commit {
        state: Some(state),
        documents: Some(vec![document]),
        records: records(3, 1),
        ..Commit::default()
    }
}

#[tokio::test]
async fn another_machine_takes_a_new_id_and_keeps_the_keys_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (store, opened) = open_on(folder.path(), &machine("m", ""), "one");
    assert!(opened.new_id && opened.changed.is_none());
    store.commit(kept_key()).await.unwrap();
    store.set_retry("a", "again".into()).await.unwrap();
    store.close().await;
    // What is known only now is bound, and is no other machine.
    let (store, opened) = open_on(folder.path(), &machine("m", "p"), "no");
    assert_eq!((opened.id.as_str(), opened.bond.binding.names().len()), ("one", 2));
    assert_eq!((opened.bond.since, sequences(&store, "a").await.len()), (Some(now()), 4));
    store.close().await;
    let (store, opened) = open_on(folder.path(), &machine("m", "q"), "two");
    let changed = opened.changed.unwrap();
    assert_eq!((changed.old_id.as_str(), changed.new_id.as_str()), ("one", "two"));
    assert_eq!((changed.why.as_str(), opened.id.as_str(), opened.new_id), ("product_uuid", "two", false));
    assert_eq!((opened.state.protected_devices, opened.documents.len()), (Some(7), 1));
    assert!(listed(&store, 10).await.is_empty() && next(&store, "a").await.is_empty());
    assert!(store.retry("a").await.unwrap().is_none());
    // Its own numbers begin anew; and it is remembered until it is reported.
    store.commit(keep(records(2, 0))).await.unwrap();
    assert_eq!(sequences(&store, "a").await, [1, 2]);
    store.close().await;
    let (store, opened) = open_on(folder.path(), &machine("m", "q"), "no");
    assert_eq!((opened.id.as_str(), opened.changed), ("two", Some(changed)));
    store
        .commit(Commit { notes: vec![(NoteName::ChangedIdentity, String::new())], ..Commit::default() })
        .await
        .unwrap();
    store.close().await;
    let (_, opened) = open_on(folder.path(), &machine("m", "q"), "no");
    assert_eq!((opened.id.as_str(), opened.changed), ("two", None));
}

#[tokio::test]
async fn an_id_whose_change_was_never_told_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    open_on(folder.path(), &machine("m", ""), "one").0.close().await;
    open_on(folder.path(), &machine("n", ""), "two").0.close().await;
    let (_, opened) = open_on(folder.path(), &machine("o", ""), "three");
    let changed = opened.changed.unwrap();
    assert_eq!((changed.old_id.as_str(), changed.new_id.as_str()), ("one", "three"));
}

#[tokio::test]
async fn the_recovery_file_of_another_machine_is_another_machine_s() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open_on(folder.path(), &machine("m", "p"), "one");
    store.commit(kept_key()).await.unwrap();
    store.close().await;
    std::fs::remove_file(folder.path().join("agent.db")).unwrap();
    let (store, opened) = open_on(folder.path(), &machine("n", "p"), "two");
    assert_eq!((opened.id.as_str(), opened.documents.len(), opened.rebuilt.is_some()), ("two", 1, true));
    assert_eq!(opened.changed.unwrap().old_id, "one");
    store.commit(keep(records(1, 0))).await.unwrap();
    let first = next(&store, "a").await;
    assert_eq!((first[0].sequence, first[0].skipped_from), (1, None));
    store.close().await;
    // And it is bound by what it is rebuilt from.
    std::fs::remove_file(folder.path().join("agent.db")).unwrap();
    let (_, opened) = open_on(folder.path(), &machine("n", "p"), "no");
    assert_eq!((opened.id.as_str(), opened.changed), ("two", None));
}

#[tokio::test]
async fn an_id_that_was_given_up_ends_with_the_next_start_whatever_is_left() {
    for lost in ["", "agent.db", "recovery.json"] {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open_on(folder.path(), &machine("m", "p"), "one");
        store.commit(kept_key()).await.unwrap();
        store.give_up_identity().await.unwrap();
        store.close().await;
        if !lost.is_empty() {
            std::fs::remove_file(folder.path().join(lost)).unwrap();
        }
        let (store, opened) = open_on(folder.path(), &machine("m", "p"), "two");
        let changed = opened.changed.unwrap();
        assert_eq!((changed.old_id.as_str(), changed.why.as_str()), ("one", "reset"), "{lost}");
        assert_eq!((opened.documents.len(), next(&store, "a").await.len()), (1, 0), "{lost}");
        store.close().await;
        let (_, opened) = open_on(folder.path(), &machine("m", "p"), "no");
        assert_eq!(opened.id, "two", "{lost}: it is given up once");
    }
}

#[tokio::test]
async fn what_waits_goes_on_above_and_its_old_numbers_are_a_hole() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store.commit(keep(records(4, 1))).await.unwrap();
    store.delivered("a", 2).await.unwrap();
    let above = |number| Some(Above { destination: "a".into(), number });
    let ids: Vec<String> = next(&store, "a").await.into_iter().map(|event| event.id).collect();
    store.commit(Commit { above: above(1500), ..keep(records(1, 0)) }).await.unwrap();
    let moved = next(&store, "a").await;
    assert_eq!(moved.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1501, 1502, 1503, 1504]);
    assert_eq!(moved.iter().map(|event| event.skipped_from).collect::<Vec<_>>(), [Some(3), None, None, None]);
    assert_eq!(moved.iter().take(3).map(|event| event.id.clone()).collect::<Vec<_>>(), ids);
    assert_eq!(sequences(&store, "b").await, [1, 2, 3, 4, 5, 6], "another destination has its own");
    // Nothing that was used is used again: not where the receiver knows of less, and not after a rebuilding.
    store.commit(Commit { above: above(7), ..keep(records(1, 0)) }).await.unwrap();
    assert_eq!(sequences(&store, "a").await, [1505, 1506, 1507, 1508, 1509]);
    let ceiling = || {
        let text = std::fs::read_to_string(folder.path().join("recovery.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["ceiling"].as_u64().unwrap()
    };
    assert!(ceiling() >= 1509, "{}", ceiling());
    store.commit(Commit { above: above(9000), ..Commit::default() }).await.unwrap();
    assert!(ceiling() >= 9005, "{}", ceiling());
}
