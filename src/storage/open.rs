//! Opening the store: what is whole is read, what is damaged is set aside and rebuilt, never taken for empty.

use crate::identity::{Binding, Bond, Changed};
use crate::storage::connection::connect;
use crate::storage::error::{Damage, StoreError};
use crate::storage::handle::Store;
use crate::storage::migrations::{MIGRATIONS, OLDEST};
use crate::storage::notes::{NoteName, read_note};
use crate::storage::recovery::{Contents, Read, Recovery, Salvaged};
use crate::storage::types::{Commit, Plan, StoredDocument};
use crate::storage::worker::Worker;
use crate::storage::{bounds, outbox, set_aside, sql};
use jiff::Timestamp;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Arc, Mutex};
use svm_core::bounds::MAX_SEQUENCE;
use svm_core::migrations::{migrate, schema_version};
use svm_core::subscription::State;

/// What was found on opening.
pub struct Opened {
    pub id: String,
    /// Whether the id was made just now.
    pub new_id: bool,
    /// To what it is bound.
    pub bond: Bond,
    /// The former id of the SVM, if its change was not reported yet.
    pub changed: Option<Changed>,
    pub state: State,
    /// The documents of held keys.
    pub documents: Vec<StoredDocument>,
    pub source_note: Option<String>,
    /// What trusted time has to remember.
    pub time_note: Option<String>,
    /// If the database had to be rebuilt.
    pub rebuilt: Option<Rebuilt>,
    /// If the database is intact and the recovery file was not: what was wrong with the file, and its new name.
    pub recovery_damaged: Option<(String, String)>,
    /// Pending events of destinations that are no longer configured, by name.
    pub left: Vec<(String, u64)>,
}

/// How the database was rebuilt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rebuilt {
    pub problem: String,
    /// The name that the damaged file has now.
    pub set_aside: Option<String>,
    /// The last sequence number that the lost outbox may have used, for any destination.
    pub ceiling: u64,
    /// Whether the keys are lost with it.
    #[serde(default)]
    pub lost: bool,
}

/// What is in a database that is whole; `None` where it is new.
struct Found {
    db: Connection,
    contents: Option<(Contents, Option<String>)>,
}

/// Reads the database. One that knows of less than `changes` changes has lost some, such as with its log.
fn inspect_file(file: &Path, changes: u64) -> Result<Found, StoreError> {
    let db = connect(file)?;
    match schema_version(&db)? {
        0 => return Ok(Found { db, contents: None }),
        found if found < OLDEST => return Err(Damage::Unreleased.into()),
        found if found > sql::SCHEMA_VERSION => return Err(StoreError::Newer { found }),
        _ => {}
    }
    if let Some(damage) = sql::damage(&db)? {
        return Err(Damage::Found(damage).into());
    }
    migrate(&db, MIGRATIONS)?;
    let id = sql::note(&db, NoteName::Id)?.filter(|id| !id.is_empty()).ok_or(Damage::Missing("id"))?;
    let state = sql::note(&db, NoteName::State)?.ok_or(Damage::Missing("state"))?;
    let state = serde_json::from_str(&state).map_err(Damage::State)?;
    let known = sql::number(&db, NoteName::Changes)?;
    if known < changes {
        return Err(Damage::LostChanges(changes - known).into());
    }
    let (documents, note, time) =
        (sql::documents(&db)?, sql::note(&db, NoteName::Source)?, sql::note(&db, NoteName::Time)?);
    let bond = sql::bond(&db)?.map_err(Damage::Bond)?;
    let contents = Contents { id, bond, state, documents, ceiling: 0, changes: known, time };
    Ok(Found { db, contents: Some((contents, note)) })
}

impl Store {
    /// Opens the store in `folder`, which is there and ours, for the destinations and bounds of `plan`. `make_id` is
    /// asked where the SVM has no id yet, or takes a new one because it is another machine's or was given up.
    ///
    /// # Errors
    /// A folder that cannot be used, a database of a newer program, or a new id that cannot be kept. Damage is no
    /// error: see [`Opened`].
    pub fn open(
        folder: &Path,
        plan: Plan,
        now: Timestamp,
        machine: &Binding,
        make_id: impl Fn() -> String,
    ) -> Result<(Self, Opened), StoreError> {
        let file = folder.join("agent.db");
        let recovery_path = folder.join("recovery.json");
        let recovery = Recovery::read(&recovery_path)?;
        let ran_before = set_aside::ran_before(folder);
        let there = svm_core::files::is_there(&file);
        let changes = match &recovery {
            Read::Whole(contents) => contents.changes,
            Read::Damaged { salvaged: Some(salvaged), .. } => salvaged.contents.changes,
            _ => 0,
        };
        let inspected = match inspect_file(&file, changes) {
            // What is kept for such a time is given up: a full disk must not keep the service from starting.
            Err(StoreError::Full) if std::fs::remove_file(file.with_extension("reserve")).is_ok() => {
                inspect_file(&file, changes)
            }
            inspected => inspected,
        };
        let (found, problem, set_aside) = match inspected {
            Ok(found) => {
                // Where anything is left of an earlier run, this is no first start.
                let lost = found.contents.is_none() && (!matches!(recovery, Read::Absent) || ran_before);
                let problem = if there { "the database was empty" } else { "the database was missing" };
                (found, lost.then(|| problem.to_owned()), None)
            }
            Err(error @ StoreError::Damaged(_)) => {
                let set_aside = set_aside::database(&file, now)?;
                (inspect_file(&file, 0)?, Some(error.to_string()), Some(set_aside))
            }
            Err(error) => return Err(error),
        };
        let Found { db, contents } = found;
        let was_there = contents.is_some();
        let mut recovery_problem = None;
        let (recovered, state_recovered) = match recovery {
            Read::Absent => (None, false),
            Read::Whole(contents) => (Some(contents), true),
            Read::Damaged { problem, salvaged } => {
                recovery_problem = Some(problem);
                salvaged.map_or((None, false), |Salvaged { contents, state }| (Some(contents), state))
            }
        };
        let lost = problem.is_some() && !state_recovered;
        let problem = problem.map(|mut problem| {
            match &recovery_problem {
                Some(other) => {
                    problem.push_str(&format!("; and the recovery file was damaged too ({other})"))
                }
                None if lost => problem.push_str("; there was no recovery file"),
                None => {}
            }
            if lost {
                let id = if recovered.is_some() { "it keeps its id" } else { "it has a new id" };
                problem.push_str(&format!("; this SVM lost its keys, {id}, and must be activated again"));
            }
            problem
        });
        let ceiling = recovered.as_ref().map_or(0, |r| r.ceiling);
        let (mut contents, source_note, new_id) = match (contents, recovered) {
            (Some((contents, note)), _) => {
                // The file may be gone, and older than the database.
                let ceiling = ceiling.max(outbox::highest(&db)?.min(MAX_SEQUENCE));
                (Contents { ceiling, ..contents }, note, false)
            }
            (None, Some(recovered)) => (recovered, None, false),
            (None, None) => (Contents { id: make_id(), ..Contents::default() }, None, true),
        };
        let stored_bond = contents.bond.clone();
        let why = if new_id { None } else { contents.bond.ends_on(machine) };
        let mut changed = None;
        if let Some(why) = why {
            // No event was sent under an id whose change was not reported.
            let unreported = if was_there { unreported_change(&db)? } else { None };
            let old_id = unreported.map_or_else(|| contents.id.clone(), |unreported| unreported.old_id);
            contents = Contents { id: make_id(), bond: Bond::default(), ceiling: 0, ..contents };
            changed = Some(Changed { old_id, new_id: contents.id.clone(), why });
        }
        contents.bond.binding = contents.bond.binding.completed(machine);
        contents
            .bond
            .since
            .get_or_insert_with(|| if new_id || why.is_some() { now } else { made(&contents.id, now) });
        let note = |changed: &Changed| {
            serde_json::to_string(changed).ok().map(|text| (NoteName::ChangedIdentity, text))
        };
        let change = changed.as_ref().and_then(note);
        let rebuilt = problem.map(|problem| Rebuilt { problem, set_aside, ceiling, lost });
        if !was_there {
            // Told with the first events; a note until then, lest a kill in between keeps it untold.
            let unreported = rebuilt.as_ref().and_then(|rebuilt| serde_json::to_string(rebuilt).ok());
            let first = Commit {
                state: Some(contents.state.clone()),
                documents: Some(contents.documents.clone()),
                // Numbers that were used are never used again, whichever destination is configured when.
                notes: [
                    (NoteName::FirstSequence, contents.ceiling.to_string()),
                    (NoteName::Changes, contents.changes.to_string()),
                    (NoteName::Rebuilt, unreported.unwrap_or_default()),
                ]
                .into_iter()
                .chain(change)
                .collect(),
                ..Commit::default()
            };
            sql::create(&db, &contents.id, &contents.bond, &first)?;
        } else if changed.is_some() {
            let first = [(NoteName::FirstSequence, contents.ceiling.to_string())];
            let first = Commit { notes: first.into_iter().chain(change).collect(), ..Default::default() };
            let renew = || sql::renew(&db, &contents.id, &contents.bond, &first).map_err(StoreError::from);
            match renew() {
                Err(StoreError::Full) if std::fs::remove_file(file.with_extension("reserve")).is_ok() => {
                    renew()
                }
                renewed => renewed,
            }?;
        } else if contents.bond != stored_bond {
            // Without room it is left to the next start.
            sql::set_bond(&db, &contents.bond).ok();
        }
        // A start is a change: where the log of this run is lost, the next one sees that. Without room it is left.
        let changes = contents.changes.saturating_add(1);
        if sql::set_note(&db, NoteName::Changes, &changes.to_string()).is_ok() {
            contents.changes = changes;
        }
        let unreported = sql::note(&db, NoteName::Rebuilt)?;
        let rebuilt = rebuilt.or_else(|| read_note(NoteName::Rebuilt, unreported));
        let changed = changed.map_or_else(|| unreported_change(&db), |changed| Ok(Some(changed)))?;
        let first = sql::number(&db, NoteName::FirstSequence)?;
        let names: Vec<&str> = plan.routes.iter().map(|route| route.name.as_str()).collect();
        let left = outbox::set_destinations(&db, &names, first)?;
        // Only now: killed before this, the next start still sees that there was one.
        let recovery_damaged = match recovery_problem {
            Some(problem) => {
                let failed = |source| StoreError::File { path: recovery_path.clone(), source };
                let name = set_aside::recovery(&recovery_path, now).map_err(failed)?;
                rebuilt.is_none().then_some((problem, name))
            }
            None => None,
        };
        let recovery = Arc::new(Mutex::new(Recovery::new(recovery_path, contents.clone())));
        Recovery::write(&recovery);
        let trim_cursor = bounds::TrimCursor::default();
        let store = Self {
            worker: Worker::start(db, file, plan.bounds, recovery.clone(), trim_cursor.clone())?,
            trim_cursor,
            recovery,
            plan: Arc::new(plan),
        };
        let Contents { id, bond, state, documents, time: time_note, .. } = contents;
        let opened = Opened {
            id,
            new_id,
            bond,
            changed,
            state,
            documents,
            source_note,
            time_note,
            rebuilt,
            recovery_damaged,
            left,
        };
        Ok((store, opened))
    }
}

fn unreported_change(db: &Connection) -> Result<Option<Changed>, StoreError> {
    Ok(read_note(NoteName::ChangedIdentity, sql::note(db, NoteName::ChangedIdentity)?))
}

/// When an id was made, where that stands in it; it was kept by an agent that wrote it nowhere else.
fn made(id: &str, now: Timestamp) -> Timestamp {
    let made = uuid::Uuid::try_parse(id).ok().and_then(|id| id.get_timestamp());
    let made = made.and_then(|made| Timestamp::from_second(made.to_unix().0.try_into().ok()?).ok());
    made.unwrap_or(now)
}
