//! Databases of each schema that was released are opened and lose nothing.

use super::*;
use svm_core::migrations::schema_version;

/// By version: the schema as it was released, with something in each table. Never edited.
const RELEASED: &[(i64, &str)] = &[(2, include_str!("version_2.sql"))];

fn schema(db: &rusqlite::Connection) -> Vec<(String, String)> {
    let mut rows =
        db.prepare("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").unwrap();
    let text = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    rows.query_map([], |row| Ok((row.get(0)?, text(row.get(1)?)))).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_database_of_each_released_schema_is_opened_and_keeps_what_it_holds() {
    assert_eq!(RELEASED.iter().map(|(version, _)| *version).collect::<Vec<_>>(), [2], "one for each version");
    let new = tempfile::tempdir().unwrap();
    open(new.path()).0.close().await;
    let new = schema(&rusqlite::Connection::open(new.path().join("agent.db")).unwrap());
    for (version, text) in RELEASED {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.db");
        let db = rusqlite::Connection::open(&file).unwrap();
        db.execute_batch(text).unwrap();
        assert_eq!(schema_version(&db).unwrap(), *version);
        drop(db);
        let (store, opened) = open(folder.path());
        assert!(!opened.new_id && opened.rebuilt.is_none() && opened.changed.is_none(), "{version}");
        assert_eq!((opened.id.as_str(), opened.state.protected_devices), ("id-1", Some(7)));
        assert_eq!(opened.documents.iter().map(|document| document.key.as_str()).collect::<Vec<_>>(), ["K"]);
        assert_eq!(
            (opened.source_note.as_deref(), opened.time_note.as_deref()),
            (Some("note"), Some("memory"))
        );
        assert_eq!((sequences(&store, "a").await, sequences(&store, "b").await), (vec![2], vec![2]));
        assert_eq!(store.waiting().await.unwrap()[1].quarantined, 1);
        store.commit(keep(records(1, 0))).await.unwrap();
        assert_eq!(sequences(&store, "a").await, [2, 3]);
        store.close().await;
        let db = rusqlite::Connection::open(&file).unwrap();
        assert_eq!(schema_version(&db).unwrap(), sql::SCHEMA_VERSION);
        assert_eq!(schema(&db), new, "{version}");
    }
}

#[tokio::test]
async fn a_newer_database_is_left_alone_and_one_from_before_the_first_release_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).0.close().await;
    let set = |version: i64| {
        let db = rusqlite::Connection::open(folder.path().join("agent.db")).unwrap();
        db.pragma_update(None, "user_version", version).unwrap();
    };
    set(sql::SCHEMA_VERSION + 1);
    let opened = Store::open(folder.path(), plan(&["a"], AMPLE), now(), &Binding::default(), String::new);
    let refused = opened.map(drop).unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 3 }), "{refused}");
    set(1);
    let (_store, opened) = open(folder.path());
    assert!(opened.rebuilt.unwrap().problem.contains("older than the first release") && opened.id == "id-1");
}
