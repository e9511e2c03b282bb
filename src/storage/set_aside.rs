//! Files that are damaged are kept under another name, the newest of them.

use crate::storage::error::StoreError;
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use svm_core::files::is_there;

/// How the names of damaged databases begin that were set aside.
const DATABASE: &str = "agent.db.damaged-";

/// Damaged databases that are kept for inspection.
const KEPT: usize = 3;

/// How the names of damaged files begin that were set aside.
pub(crate) const RECOVERY: &str = "recovery.json.damaged-";

/// Renames the damaged file and what SQLite keeps beside it.
pub(crate) fn database(file: &Path, now: Timestamp) -> Result<String, StoreError> {
    let problem = |source| StoreError::File { path: file.to_owned(), source };
    let folder = file.parent().unwrap_or(file);
    let name = format!("{DATABASE}{}", stamp(now));
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", file.display()));
    for suffix in ["-wal", "-shm"] {
        if is_there(&beside(suffix)) {
            std::fs::rename(beside(suffix), folder.join(format!("{name}{suffix}"))).map_err(problem)?;
        }
    }
    std::fs::rename(file, folder.join(&name)).map_err(problem)?;
    for name in older(folder, DATABASE) {
        for suffix in ["", "-wal", "-shm"] {
            std::fs::remove_file(folder.join(format!("{name}{suffix}"))).ok();
        }
    }
    Ok(name)
}

/// Renames a damaged file, so that the next one does not replace it. Answers its new name.
///
/// # Errors
/// It could not be renamed.
pub(crate) fn recovery(path: &Path, now: Timestamp) -> std::io::Result<String> {
    let name = format!("{RECOVERY}{}", stamp(now));
    std::fs::rename(path, path.with_file_name(&name))?;
    if let Some(folder) = path.parent() {
        for old in older(folder, RECOVERY) {
            std::fs::remove_file(folder.join(old)).ok();
        }
    }
    Ok(name)
}

/// Of when something is set aside. To the microsecond: what was set aside in the same second is not written over, and
/// sorts before.
fn stamp(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%S.%6fZ").to_string()
}

/// Names of what was set aside, but for the newest.
fn older(folder: &Path, prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = names(folder)
        .into_iter()
        .filter(|name| name.starts_with(prefix) && !name.ends_with("-wal") && !name.ends_with("-shm"))
        .collect();
    names.sort();
    names.truncate(names.len().saturating_sub(KEPT));
    names
}

/// What lies in a folder; nothing where it cannot be listed.
fn names(folder: &Path) -> Vec<String> {
    #[allow(clippy::disallowed_methods, reason = "the agent's own folder, whose names are all its own")]
    let entries = std::fs::read_dir(folder);
    entries
        .map(|all| all.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
        .unwrap_or_default()
}

/// Whether there is anything in the folder that only an agent leaves that has kept something.
pub(crate) fn ran_before(folder: &Path) -> bool {
    let left = ["agent.reserve", "recovery.damaged"];
    names(folder).iter().any(|name| {
        left.contains(&name.as_str()) || [DATABASE, RECOVERY].iter().any(|prefix| name.starts_with(prefix))
    })
}
