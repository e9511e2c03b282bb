//! Units that were refused while no agent answered: the question itself leaves a note, and the agent that comes starts
//! each once when its permit is back.
//!
//! Promises: a note is an empty file in a folder of the agent's, below `/run`. The question runs as root: it follows no
//! link there, makes no folder, writes nothing but that, and leaves it where anything is unusual. What the agent
//! itself refuses, it keeps in its state.

use crate::config::service_name;
use rustix::fs::{Mode, OFlags};
use std::path::{Path, PathBuf};

/// So many notes are read at most.
const MOST: usize = 1000;

/// The folder of the notes.
pub fn folder(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("owed")
}

/// Leaves a note for a unit.
///
/// # Errors
/// What the system says; then the unit comes at its own next time.
pub fn note(runtime_dir: &Path, unit: &str) -> std::io::Result<()> {
    if service_name(unit).is_err() {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let within = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let outer = rustix::fs::open(runtime_dir, within, Mode::empty())?;
    let inner = rustix::fs::openat(outer, "owed", within, Mode::empty())?;
    let new = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(inner, unit, new, Mode::from_raw_mode(0o600)) {
        Ok(_) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The units that have a note.
pub fn noted(runtime_dir: &Path) -> Vec<String> {
    let Ok(entries) = svm_core::files::list_folder(&folder(runtime_dir)) else { return Vec::new() };
    let names = entries.iter().take(MOST).filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    names.filter(|name| service_name(name).is_ok()).collect()
}

/// Takes the notes of units away.
pub fn forget(runtime_dir: &Path, units: &[String]) {
    for unit in units {
        // One that has none is the usual case.
        std::fs::remove_file(folder(runtime_dir).join(unit)).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_left_once_and_through_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let (run, elsewhere) = (folder.path().join("run"), folder.path().join("elsewhere"));
        std::fs::create_dir(&run).unwrap();
        assert!(note(&run, "a.service").is_err() && !run.join("owed").exists(), "it makes no folder");
        std::fs::create_dir(run.join("owed")).unwrap();
        note(&run, "a.service").unwrap();
        note(&run, "a.service").unwrap();
        assert!(note(&run, "../a.service").is_err() && note(&run, "a").is_err());
        assert_eq!(noted(&run), ["a.service"]);
        forget(&run, &["a.service".into(), "b.service".into()]);
        assert!(noted(&run).is_empty());
        std::fs::create_dir(&elsewhere).unwrap();
        std::fs::remove_dir(run.join("owed")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, run.join("owed")).unwrap();
        assert!(note(&run, "a.service").is_err() && std::fs::read_dir(&elsewhere).unwrap().next().is_none());
    }
}
