//! Opening the store: what is whole is read, what is damaged is set aside and rebuilt, never taken for empty.

use super::recovery::{Contents, Recovery};
use super::worker::Worker;
use super::{Paper, SOURCE_NOTE, Store, StoreError, sql};
use crate::subscription::State;
use jiff::Timestamp;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// So many damaged databases are kept for whoever wants to look at them.
const SET_ASIDE_KEPT: usize = 3;

/// Name of the note with the sequence number that every destination counts on from.
const FIRST_NOTE: &str = "first_sequence";

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
    /// How much waits for destinations that are configured no more, by name.
    pub left: Vec<(String, u64)>,
}

/// How the database was rebuilt.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    /// What was wrong.
    pub problem: String,
    /// The name that the damaged file has now.
    pub set_aside: Option<String>,
    /// The last sequence number that the lost outbox may have used, for any destination.
    pub ceiling: u64,
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
        let (recovery, recovery_problem) = Recovery::read(&recovery_path)?;
        let there = file.exists();
        let looked = match look(&file) {
            // What is kept for such a time is given up: a full disk must not keep the service from starting.
            Err(StoreError::Full) if std::fs::remove_file(file.with_extension("reserve")).is_ok() => {
                look(&file)
            }
            looked => looked,
        };
        let (found, problem, set_aside) = match looked {
            Ok(found) => {
                let lost = found.contents.is_none() && recovery.is_some();
                let problem = if there { "the database was empty" } else { "the database was missing" };
                (found, lost.then(|| problem.to_owned()), None)
            }
            Err(error @ StoreError::Damaged(_)) => {
                let set_aside = put_aside(&file, now)?;
                (look(&file)?, Some(error.to_string()), Some(set_aside))
            }
            Err(error) => return Err(error),
        };
        let Found { db, contents } = found;
        let was_there = contents.is_some();
        let anew = |problem: String| match (&recovery, &recovery_problem) {
            (Some(_), _) => problem,
            (None, Some(other)) => {
                format!("{problem}; and {other}: this SVM starts anew and must be activated again")
            }
            (None, None) => format!(
                "{problem}; there was no recovery file: this SVM starts anew and must be activated again"
            ),
        };
        let problem = problem.map(anew);
        let ceiling = recovery.as_ref().map_or(0, |r| r.ceiling);
        let (kept, source_note, new_id) = match (contents, recovery) {
            (Some((id, state, papers, note)), _) => (Contents { id, state, papers, ceiling }, note, false),
            (None, Some(recovery)) => (recovery, None, false),
            (None, None) => (Contents { id: make_id(), ..Contents::default() }, None, true),
        };
        if !was_there {
            let first = super::Commit {
                state: Some(kept.state.clone()),
                papers: Some(kept.papers.clone()),
                // Numbers that were used are never used again, whichever destination is configured when.
                notes: vec![(FIRST_NOTE, ceiling.to_string())],
                ..super::Commit::default()
            };
            sql::create(&db, &kept.id, &first)?;
        }
        let first = sql::note(&db, FIRST_NOTE)?.and_then(|text| text.parse().ok()).unwrap_or(0);
        let left = sql::set_destinations(&db, destinations, first)?;
        let rebuilt = problem.map(|problem| Rebuilt { problem, set_aside, ceiling });
        let recovery = Recovery::new(recovery_path, kept.clone());
        recovery.write();
        let store = Self { worker: Worker::start(db, file)?, recovery: Arc::new(Mutex::new(recovery)) };
        let Contents { id, state, papers, .. } = kept;
        Ok((store, Opened { id, new_id, state, papers, source_note, rebuilt, left }))
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
