//! How the agent, in its sandbox, learns what only root may read: a step before it, run as root, leaves digests in the
//! runtime folder (`systemd/svm-agent-identity.service`).
//!
//! Promises: root writes into a folder of the agent's user there, so it follows no link, opens nothing that is there,
//! and the file belongs to root from its first moment on. It counts in the boot in which it was made.

use super::binding::Binding;
use super::machine;
use crate::config::IdentitySettings;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use svm_core::clock::boot_id;

/// Its name in the runtime folder.
const NAME: &str = "identity.json";

/// Its name while it is written.
const NEXT: &str = "identity.new";

/// It is never longer.
const MOST: u64 = 4096;

/// What could not be handed over.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the digests of this machine's identifiers into {folder}")]
pub struct HandOverError {
    folder: PathBuf,
    source: std::io::Error,
}

#[derive(Serialize, Deserialize)]
struct Handed {
    boot_id: String,
    #[serde(flatten)]
    binding: Binding,
}

/// Reads what names this machine and leaves digests of it for the agent: a file that belongs to its caller, readable by the
/// group that has the folder. What cannot be read is left out.
///
/// # Errors
/// A folder that is not there or is a link, or a file that cannot be written.
pub fn hand_over(settings: &IdentitySettings, runtime_dir: &Path) -> Result<(), HandOverError> {
    let handed = Handed { boot_id: boot_id().to_owned(), binding: machine::read_machine_identity(settings) };
    let text = serde_json::to_vec(&handed).map_err(std::io::Error::other);
    text.and_then(|text| write(runtime_dir, &text))
        .map_err(|source| HandOverError { folder: runtime_dir.to_owned(), source })
}

fn write(runtime_dir: &Path, text: &[u8]) -> std::io::Result<()> {
    let within = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(runtime_dir, within, Mode::empty())?;
    match rustix::fs::unlinkat(&folder, NEXT, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let new = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&folder, NEXT, new, Mode::from_raw_mode(0o400))?;
    let group = rustix::fs::Gid::from_raw(rustix::fs::fstat(&folder)?.st_gid);
    rustix::fs::fchown(&file, None, Some(group))?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(0o440))?;
    std::fs::File::from(file).write_all(text)?;
    Ok(rustix::fs::renameat(&folder, NEXT, &folder, NAME)?)
}

/// What was handed over in this boot, if anything.
pub(super) fn taken(runtime_dir: &Path) -> Option<Binding> {
    let plain = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(runtime_dir.join(NAME), plain, Mode::empty()).ok()?;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&file).ok()?.st_mode);
    let mut text = Vec::new();
    if kind == FileType::RegularFile {
        std::fs::File::from(file).take(MOST).read_to_end(&mut text).ok()?;
    }
    let handed: Handed = serde_json::from_slice(&text).ok()?;
    (handed.boot_id == boot_id()).then_some(handed.binding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn settings(folder: &Path) -> IdentitySettings {
        let file = folder.join("product_uuid");
        std::fs::write(&file, "4c3d2b1a-6f5e-8a79-9bac-bdcedfe0f102\n").unwrap();
        IdentitySettings { machine_id_file: None, product_uuid_file: Some(file) }
    }

    #[test]
    fn what_is_handed_over_is_taken_in_the_same_boot() {
        let folder = tempfile::tempdir().unwrap();
        let (run, settings) = (folder.path(), settings(folder.path()));
        assert_eq!(taken(run), None);
        hand_over(&settings, run).unwrap();
        hand_over(&settings, run).unwrap();
        assert_eq!(taken(run), Some(machine::read_machine_identity(&settings)));
        let file = run.join(NAME);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o440);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("4c3d2b1a"), "{text}");
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, text.replace(boot_id(), "another")).unwrap();
        assert_eq!(taken(run), None);
    }

    #[test]
    fn no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let (run, victim) = (folder.path().join("run"), folder.path().join("victim"));
        std::fs::create_dir(&run).unwrap();
        std::fs::write(&victim, "whole").unwrap();
        for name in [NEXT, NAME] {
            symlink(&victim, run.join(name)).unwrap();
        }
        hand_over(&settings, &run).unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "whole");
        assert!(taken(&run).is_some());
        // Nor is one read through, nor a pipe that nobody writes into.
        std::fs::rename(run.join(NAME), folder.path().join("moved")).unwrap();
        symlink(folder.path().join("moved"), run.join(NAME)).unwrap();
        assert_eq!(taken(&run), None);
        symlink(&run, folder.path().join("link")).unwrap();
        assert!(hand_over(&settings, &folder.path().join("link")).is_err());
    }
}
