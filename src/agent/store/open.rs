//! Opening the store: what is whole is read, what is damaged is set aside and rebuilt, never taken for empty.

use super::recovery::{Contents, Recovery};
use super::worker::Worker;
use super::{Paper, SOURCE_NOTE, Store, StoreError, sql};
use crate::subscription::State;
use jiff::Timestamp;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// So many damaged databases are kept for whoever wants to look at them.
const SET_ASIDE_KEPT: usize = 3;

/// What was found on opening.
pub struct Opened {
    /// The SVM's id.
    pub id: String,
    /// Whether the id was made just now.
    pub new_id: bool,
    /// The state.
    pub state: State,
    /// The documents of held keys.
    pub papers: Vec<Paper>,
    /// The poller's note.
    pub source_note: Option<String>,
    /// Where the database had to be rebuilt.
    pub rebuilt: Option<Rebuilt>,
    /// What waited for destinations that are configured no more, by name.
    pub dropped: Vec<(String, u64)>,
}

/// How the database was rebuilt.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    /// What was wrong.
    pub problem: String,
    /// The name that the damaged file has now.
    pub set_aside: Option<String>,
    /// For each destination, the last sequence number that the lost outbox may have used.
    pub ceilings: BTreeMap<String, u64>,
}

/// Opens the file ready for use.
pub(super) fn connect(file: &Path) -> Result<Connection, StoreError> {
    let db = Connection::open(file)?;
    sql::prepare(&db)?;
    Ok(db)
}

/// What is in a database that is whole; `None` where it is new.
struct Found {
    db: Connection,
    contents: Option<(String, State, Vec<Paper>, Option<String>)>,
}

fn look(file: &Path) -> Result<Found, StoreError> {
    let db = connect(file)?;
    match sql::form(&db)? {
        0 => return Ok(Found { db, contents: None }),
        sql::FORM => {}
        found => return Err(StoreError::Newer { found, known: sql::FORM }),
    }
    if let Some(damage) = sql::damage(&db)? {
        return Err(StoreError::Damaged(damage));
    }
    let missing = |what| StoreError::Damaged(format!("its {what} is missing"));
    let id = sql::note(&db, "id")?.ok_or_else(|| missing("id"))?;
    let state = sql::note(&db, "state")?.ok_or_else(|| missing("state"))?;
    let state = serde_json::from_str(&state)
        .map_err(|e| StoreError::Damaged(format!("its state cannot be read: {e}")))?;
    let (papers, note) = (sql::papers(&db)?, sql::note(&db, SOURCE_NOTE)?);
    Ok(Found { db, contents: Some((id, state, papers, note)) })
}

impl Store {
    /// Opens the store in `folder`, which is there and ours. `make_id` is asked where the SVM has no id yet.
    ///
    /// # Errors
    /// A folder that cannot be used, or a database of a newer program. Damage is no error: see [`Opened`].
    pub fn open(
        folder: &Path,
        destinations: &[&str],
        now: Timestamp,
        make_id: impl FnOnce() -> String,
    ) -> Result<(Self, Opened), StoreError> {
        let file = folder.join("agent.db");
        let recovery_path = folder.join("recovery.json");
        let (recovery, recovery_problem) = match Recovery::read(&recovery_path) {
            Ok(contents) => (contents, None),
            Err(problem) => (None, Some(problem)),
        };
        let there = file.exists();
        let (found, problem) = match look(&file) {
            Ok(found) => {
                let lost = found.contents.is_none() && recovery.is_some();
                let problem =
                    lost.then_some(if there { "the database was empty" } else { "the database was missing" });
                (Some(found), problem.map(str::to_owned))
            }
            Err(error @ (StoreError::Newer { .. } | StoreError::Full)) => return Err(error),
            Err(error @ (StoreError::Damaged(_) | StoreError::Failed(_))) => (None, Some(error.to_string())),
            Err(error) => return Err(error),
        };
        let mut set_aside = None;
        let found = match found {
            Some(found) => found,
            None => {
                set_aside = Some(put_aside(&file, now)?);
                look(&file)?
            }
        };
        let Found { db, contents } = found;
        let source_note = contents.as_ref().and_then(|(.., note)| note.clone());
        let was_there = contents.is_some();
        let recovered = recovery.clone();
        let (kept, new_id) = match (contents, recovery) {
            (Some((id, state, papers, _)), recovery) => (
                Contents { id, state, papers, ceilings: recovery.map(|r| r.ceilings).unwrap_or_default() },
                false,
            ),
            (None, Some(recovery)) => (recovery, false),
            (None, None) => (Contents { id: make_id(), ..Contents::default() }, true),
        };
        let names: Vec<&str> = destinations.to_vec();
        if !was_there {
            let first = super::Commit {
                state: Some(kept.state.clone()),
                papers: Some(kept.papers.clone()),
                ..super::Commit::default()
            };
            sql::create(&db, &kept.id, &first)?;
        }
        let lost_numbers = if was_there { BTreeMap::new() } else { kept.ceilings.clone() };
        let dropped = sql::set_destinations(&db, &names, &lost_numbers)?;
        let problem = problem.map(|problem| match (&recovered, &recovery_problem) {
            (Some(_), _) => problem,
            (None, Some(other)) => {
                format!("{problem}; and {other}: this SVM starts anew and must be activated again")
            }
            (None, None) => format!(
                "{problem}; there was no recovery file: this SVM starts anew and must be activated again"
            ),
        });
        let rebuilt = problem.map(|problem| Rebuilt { problem, set_aside, ceilings: lost_numbers });
        let recovery = Recovery::new(recovery_path, kept.clone());
        recovery.write();
        let store = Self { worker: Worker::start(db, file)?, recovery: Arc::new(Mutex::new(recovery)) };
        let Contents { id, state, papers, .. } = kept;
        Ok((store, Opened { id, new_id, state, papers, source_note, rebuilt, dropped }))
    }
}

/// Renames the damaged file and what SQLite keeps beside it.
fn put_aside(file: &Path, now: Timestamp) -> Result<String, StoreError> {
    let problem =
        |error: std::io::Error| StoreError::File { path: file.to_owned(), problem: error.to_string() };
    let stamp = now.strftime("%Y%m%dT%H%M%SZ");
    let name = format!("agent.db.damaged-{stamp}");
    let folder = file.parent().unwrap_or(file);
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", file.display()));
    for suffix in ["-wal", "-shm"] {
        if beside(suffix).exists() {
            std::fs::rename(beside(suffix), folder.join(format!("{name}{suffix}"))).map_err(problem)?;
        }
    }
    std::fs::rename(file, folder.join(&name)).map_err(problem)?;
    let entries = std::fs::read_dir(folder).map_err(problem)?;
    let mut old: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| {
            name.starts_with("agent.db.damaged-") && !name.ends_with("-wal") && !name.ends_with("-shm")
        })
        .collect();
    old.sort();
    for name in old.iter().rev().skip(SET_ASIDE_KEPT) {
        for suffix in ["", "-wal", "-shm"] {
            std::fs::remove_file(folder.join(format!("{name}{suffix}"))).ok();
        }
    }
    Ok(name)
}
