//! Puts the files of a gate where systemd and polkit look, and takes them away.
//!
//! Promises: each file is whole or absent, with its mode; a file of somebody else under the same name is neither written
//! over nor removed; whatever a crash left half done, the same call ends. Must not know: systemctl, which units may be
//! gated.

use crate::gates::drop_ins::{
    Gate, MAX_BYTES, RULES_DIR, drop_in, drop_in_path, is_marked, rule, rule_path, ruled_unit,
};
use crate::gates::units::{SYSTEMD_DIR, marked};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use svm_core::atomic_file::write_atomically;
use svm_core::files::{list_folder, read_unlinked_text};

/// The mode of the files: anyone may read what is governed.
const FILE_MODE: u32 = 0o644;

/// Why a file of a gate is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum GateFilesError {
    #[error("{0} was not written by svm-agent gate; move it away and try again")]
    NotOurs(PathBuf),
    /// What the file system says.
    #[error("cannot {verb} {path}")]
    Io {
        verb: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl GateFilesError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotOurs(_) => "not_ours",
            Self::Io { .. } => "cannot_write_gate",
        }
    }
}

fn cannot(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> GateFilesError + use<> {
    let path = path.to_owned();
    move |source| GateFilesError::Io { verb, path, source }
}

/// Where the files go.
#[derive(Clone, Debug)]
pub struct Places {
    pub systemd_dir: PathBuf,
    pub rules_dir: PathBuf,
}

impl Places {
    /// Those of the machine.
    pub fn installed() -> Self {
        Self { systemd_dir: SYSTEMD_DIR.into(), rules_dir: RULES_DIR.into() }
    }
}

/// Both files of a unit, `None` where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The text of the drop-in.
    pub drop_in: Option<String>,
    /// The text of the rule.
    pub rule: Option<String>,
}

impl Files {
    /// Those of a gate.
    pub fn of(gate: &Gate) -> Self {
        Self { drop_in: Some(drop_in(gate)), rule: Some(rule(&gate.unit)) }
    }
}

impl Places {
    /// The files of a unit that are there.
    ///
    /// # Errors
    /// [`GateFilesError`]; a file that is not ours among them.
    pub fn files(&self, unit: &str) -> Result<Files, GateFilesError> {
        Ok(Files {
            drop_in: ours(&drop_in_path(&self.systemd_dir, unit))?,
            rule: ours(&rule_path(&self.rules_dir, unit))?,
        })
    }

    /// Whether the rule of a unit is there; `None` where that cannot be seen, as polkit keeps its folder to itself.
    pub fn has_rule(&self, unit: &str) -> Option<bool> {
        match read_unlinked_text(&rule_path(&self.rules_dir, unit), MAX_BYTES) {
            Ok(found) => Some(found.is_some_and(|found| found == rule(unit))),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
            Err(_) => Some(false),
        }
    }

    /// Has both files of a unit be as given, and answers whether anything had to be done. First what holds the unit back,
    /// then what lets the agent govern it; the other way round where they go.
    ///
    /// # Errors
    /// [`GateFilesError`]; one file may be done then, and the same call does the rest.
    pub fn put(&self, unit: &str, files: &Files) -> Result<bool, GateFilesError> {
        self.files(unit)?;
        let (drop_in, rule) = (drop_in_path(&self.systemd_dir, unit), rule_path(&self.rules_dir, unit));
        if files.drop_in.is_none() {
            return Ok(put_one(&rule, files.rule.as_deref())? | put_one(&drop_in, None)?);
        }
        Ok(put_one(&drop_in, files.drop_in.as_deref())? | put_one(&rule, files.rule.as_deref())?)
    }

    /// Removes what is ours of a unit, and answers whether anything was there. What cannot be removed stops nothing.
    pub fn remove(&self, unit: &str) -> (bool, Vec<GateFilesError>) {
        let (mut removed, mut problems) = (false, Vec::new());
        for path in [rule_path(&self.rules_dir, unit), drop_in_path(&self.systemd_dir, unit)] {
            match ours(&path).and_then(|_| put_one(&path, None)) {
                Ok(there) => removed |= there,
                Err(problem) => problems.push(problem),
            }
        }
        (removed, problems)
    }

    /// The units of which something of ours is there, by name; and what could not be looked at.
    pub fn units(&self) -> (BTreeSet<String>, Vec<GateFilesError>) {
        let (mut units, mut problems) = (BTreeSet::new(), Vec::new());
        match marked(&self.systemd_dir) {
            Ok(found) => units.extend(found.into_iter().map(|(unit, _)| unit)),
            Err(source) => problems.push(cannot("list", &self.systemd_dir)(source)),
        }
        match list_folder(&self.rules_dir) {
            Ok(files) => {
                let names = files.iter().filter_map(|file| file.file_name()?.to_str());
                let ruled = names.filter_map(|name| ruled_unit(name).map(str::to_owned));
                units.extend(
                    ruled.filter(|unit| matches!(ours(&rule_path(&self.rules_dir, unit)), Ok(Some(_)))),
                );
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => problems.push(cannot("list", &self.rules_dir)(source)),
        }
        (units, problems)
    }
}

/// The text of a file of ours.
fn ours(path: &Path) -> Result<Option<String>, GateFilesError> {
    match read_unlinked_text(path, MAX_BYTES) {
        Ok(Some(text)) if !is_marked(&text) => Err(GateFilesError::NotOurs(path.to_owned())),
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(GateFilesError::NotOurs(path.to_owned())),
        Err(source) => Err(cannot("read", path)(source)),
    }
}

fn put_one(path: &Path, wanted: Option<&str>) -> Result<bool, GateFilesError> {
    let Some(wanted) = wanted else {
        let there = not_there(std::fs::remove_file(path)).map_err(cannot("remove", path))?;
        // What a crash left of writing it; and the folder, where nothing else is in it.
        std::fs::remove_file(path.with_extension("new")).ok();
        if let Some(folder) =
            path.parent().filter(|folder| folder.extension().is_some_and(|kind| kind == "d"))
            && folder.to_string_lossy().ends_with(".service.d")
        {
            std::fs::remove_dir(folder).ok();
        }
        return Ok(there);
    };
    let mode = std::fs::metadata(path).map(|found| found.permissions().mode() & 0o7777);
    if mode.is_ok_and(|mode| mode == FILE_MODE) && ours(path)?.as_deref() == Some(wanted) {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        make_folder(folder).map_err(cannot("make", folder))?;
    }
    write_atomically(path, wanted.as_bytes(), FILE_MODE).map_err(cannot("write", path))?;
    Ok(true)
}

fn not_there(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a folder that all can read, whatever the umask says, and what is above it; one that is there stays as it is.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(above) = folder.parent() else { return Ok(()) };
    make_folder(above)?;
    std::fs::create_dir(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    std::fs::File::open(above)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::drop_ins::Asks;
    use std::fs;
    use svm_core::subscription::Resource;

    const UNIT: &str = "a\\x2db@1.service";

    fn places() -> (tempfile::TempDir, Places) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let places = Places { systemd_dir: at("system"), rules_dir: at("polkit-1/rules.d") };
        (folder, places)
    }

    fn gate(ksn_only: bool) -> Gate {
        let asks = Asks::Gate { runtime_dir: "/run/svm-agent".into() };
        Gate { unit: UNIT.to_owned(), resource: Resource::Ksn, ksn_only, asks }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_gate_is_put_once_changed_and_taken_away() {
        let (_folder, places) = places();
        let files = Files::of(&gate(false));
        assert!(places.put(UNIT, &files).unwrap());
        assert!(!places.put(UNIT, &files).unwrap(), "nothing is left to do");
        let (drop_in, rule) = (drop_in_path(&places.systemd_dir, UNIT), rule_path(&places.rules_dir, UNIT));
        assert_eq!((mode(&drop_in), mode(&rule)), (0o644, 0o644));
        assert_eq!((mode(drop_in.parent().unwrap()), mode(&places.rules_dir)), (0o755, 0o755));
        assert!(places.put(UNIT, &Files::of(&gate(true))).unwrap(), "another kind");
        assert_eq!(crate::gates::units::installed(&places.systemd_dir).unwrap(), [gate(true)]);
        fs::set_permissions(&rule, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(places.put(UNIT, &Files::of(&gate(true))).unwrap() && mode(&rule) == 0o644);
        assert_eq!(places.has_rule(UNIT), Some(true));
        assert!(places.put(UNIT, &files).unwrap(), "and back, as where systemd does not heed it");
        let (removed, problems) = places.remove(UNIT);
        assert!(removed && problems.is_empty());
        assert!(!drop_in.parent().unwrap().exists() && !rule.exists());
        assert!(places.systemd_dir.exists() && places.rules_dir.exists(), "nothing more is taken away");
        assert!(!places.remove(UNIT).0);
    }

    #[test]
    fn what_a_crash_left_is_completed_or_taken_away() {
        let (_folder, places) = places();
        let files = Files::of(&gate(false));
        let (drop_in, rule) = (drop_in_path(&places.systemd_dir, UNIT), rule_path(&places.rules_dir, UNIT));
        for left in [&drop_in, &rule] {
            places.put(UNIT, &files).unwrap();
            fs::remove_file(left).unwrap();
            fs::write(left.with_extension("new"), "half").unwrap();
            assert_eq!(places.units().0.into_iter().collect::<Vec<_>>(), [UNIT], "either is found");
            assert!(places.put(UNIT, &files).unwrap());
            assert_eq!(places.files(UNIT).unwrap(), files);
            fs::remove_file(left).unwrap();
            fs::write(left.with_extension("new"), "half").unwrap();
            assert!(places.remove(UNIT).0);
            assert!(!drop_in.parent().unwrap().exists());
            assert_eq!(fs::read_dir(&places.rules_dir).unwrap().count(), 0);
        }
    }

    #[test]
    fn what_is_of_others_stays() {
        let (_folder, places) = places();
        let drop_in = drop_in_path(&places.systemd_dir, UNIT);
        fs::create_dir_all(drop_in.parent().unwrap()).unwrap();
        for foreign in ["[Service]\nNice=5\n".to_owned(), "x".repeat(20_000)] {
            fs::write(&drop_in, &foreign).unwrap();
            assert_eq!(places.put(UNIT, &Files::of(&gate(false))).unwrap_err().code(), "not_ours");
            assert_eq!(fs::read_to_string(&drop_in).unwrap(), foreign);
            assert!(!places.rules_dir.join("50-svm-agent-a.rules").exists());
            let (removed, problems) = places.remove(UNIT);
            assert!(!removed && problems.len() == 1 && drop_in.exists());
        }
        fs::remove_file(&drop_in).unwrap();
        fs::write(drop_in.with_file_name("other.conf"), "").unwrap();
        places.put(UNIT, &Files::of(&gate(false))).unwrap();
        assert!(places.remove(UNIT).0);
        assert!(drop_in.with_file_name("other.conf").exists());
        // The agent's own rule and other people's are not gates.
        fs::write(places.rules_dir.join("50-svm-agent.rules"), "").unwrap();
        fs::write(places.rules_dir.join("50-svm-agent-x.service.rules"), "polkit.log();").unwrap();
        assert!(places.units().0.is_empty());
    }
}
