//! Files that are whole or not there: written beside, synced, renamed.

use super::VendorError;
use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    time::{Duration, SystemTime},
};

/// Writes a file under its name in one step. After a crash there is the old one or the new one, whole.
///
/// The file gets exactly `mode`, whatever the process's mask is. Where `after` is given, its time is at least
/// one second past that. The folder is not synced: [`sync_folder`] does it once for many.
pub(super) fn write_atomic(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    after: Option<SystemTime>,
) -> Result<(), VendorError> {
    write(path, bytes, mode, after).map_err(VendorError::io("write", path))
}

fn write(path: &Path, bytes: &[u8], mode: u32, after: Option<SystemTime>) -> io::Result<()> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let beside = path.with_file_name(name);
    // One writer at a time (the ledger is locked), so this is what a crash left behind.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Never more open than it will be: created closed, opened up by exactly `mode`.
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode & 0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    if let Some(least) = after.and_then(|before| before.checked_add(Duration::from_secs(1)))
        && file.metadata()?.modified()? < least
    {
        file.set_modified(least)?;
    }
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// Waits until the names in a folder are on disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), VendorError> {
    fs::File::open(path).and_then(|folder| folder.sync_all()).map_err(VendorError::io("write", path))
}

/// Makes a folder and those above it, the new ones with exactly this mode, and waits for the disk.
pub(super) fn make_folder(path: &Path, mode: u32) -> Result<(), VendorError> {
    if path.is_dir() {
        return Ok(());
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(above, mode)?;
    fs::DirBuilder::new()
        .mode(mode & 0o700)
        .create(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(VendorError::io("write", path))?;
    sync_folder(above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_mode_and_a_later_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/file");
        make_folder(path.parent().unwrap(), 0o755).unwrap();
        fs::write(path.with_file_name(".file.new"), "left by a crash").unwrap();
        write_atomic(&path, b"one", 0o644, None).unwrap();
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        let far = before + Duration::from_secs(1000);
        write_atomic(&path, b"two", 0o644, Some(far)).unwrap();
        let now = fs::metadata(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(now.modified().unwrap(), far + Duration::from_secs(1));
        assert_eq!(now.permissions().mode() & 0o777, 0o644);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.path().join("a")), 0o755);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let error = write_atomic(Path::new("/nowhere/at/all"), b"", 0o644, None).unwrap_err();
        assert_eq!(error.to_string(), "cannot write /nowhere/at/all");
    }
}
