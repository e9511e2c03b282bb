//! Files that are whole or not there: written beside, synced, renamed. One, or many at once.

use super::VendorError;
use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Up to so many files are synced one by one; of more, the whole file system is, once: a tenth of the time.
const FEW: usize = 64;

/// How a file is to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// Exactly this, whatever the process's mask is.
    pub(super) mode: u32,
    /// Its time is at least one second past this.
    pub(super) after: Option<SystemTime>,
}

/// Files of one folder that are written beside their names and put in place together.
///
/// Each is whole at every moment. After a crash some may be new and others old; what is dropped before
/// [`Batch::put`] leaves nothing behind.
#[derive(Debug)]
pub(super) struct Batch {
    folder: PathBuf,
    /// The names that are to be replaced; what is to be there lies beside each.
    waiting: Vec<PathBuf>,
}

impl Batch {
    /// For files of this folder.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), waiting: Vec::new() }
    }

    /// Counts a file that [`write_beside`] wrote.
    pub(super) fn add(&mut self, path: PathBuf) {
        self.waiting.push(path);
    }

    /// Waits until all are on the disk, so that they can be put in place.
    pub(super) fn sync(&self) -> Result<(), VendorError> {
        if self.waiting.len() <= FEW {
            for path in &self.waiting {
                let beside = beside(path);
                fs::File::open(&beside)
                    .and_then(|file| file.sync_all())
                    .map_err(VendorError::io("write", path))?;
            }
            return Ok(());
        }
        fs::File::open(&self.folder)
            .and_then(|folder| Ok(rustix::fs::syncfs(folder)?))
            .map_err(VendorError::io("write", &self.folder))
    }

    /// Puts all in place, synced before; the names are on the disk when this returns.
    pub(super) fn put(mut self) -> Result<(), VendorError> {
        self.sync()?;
        while let Some(path) = self.waiting.last() {
            fs::rename(beside(path), path).map_err(VendorError::io("write", path))?;
            self.waiting.pop();
        }
        sync_folder(&self.folder)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        for path in &self.waiting {
            // What cannot be taken away is replaced by the next that is written there.
            fs::remove_file(beside(path)).ok();
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    path.with_file_name(name)
}

/// Writes what is to be at `path` beside it, for a [`Batch`]. Not synced.
pub(super) fn write_beside(path: &Path, bytes: &[u8], form: Form) -> Result<(), VendorError> {
    write(&beside(path), bytes, form).map_err(VendorError::io("write", path))
}

fn write(beside: &Path, bytes: &[u8], form: Form) -> io::Result<()> {
    // Never more open than it will be: created closed, opened up by exactly the mode.
    let create = || fs::OpenOptions::new().write(true).create_new(true).mode(form.mode & 0o600).open(beside);
    let mut file = match create() {
        // One writer at a time (the ledger is locked), so this is what a crash left behind.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(beside)?;
            create()?
        }
        other => other?,
    };
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(form.mode))?;
    if let Some(least) = form.after.and_then(|before| before.checked_add(Duration::from_secs(1)))
        && file.metadata()?.modified()? < least
    {
        file.set_modified(least)?;
    }
    Ok(())
}

/// Writes a file under its name in one step and waits for the disk. After a crash there is the old one or the new
/// one, whole.
pub(super) fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), VendorError> {
    let mut batch = Batch::new(folder_of(path));
    write_beside(path, bytes, Form { mode, after: None })?;
    batch.add(path.to_owned());
    batch.put()
}

/// The folder that a path lies in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file that is not there yet, for its owner alone, and waits for the disk.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), VendorError> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(VendorError::io("write", path))?;
    sync_folder(folder_of(path))
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
    let above = folder_of(path);
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

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_and_a_later_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/file");
        make_folder(path.parent().unwrap(), 0o755).unwrap();
        fs::write(path.with_file_name(".file.new"), "left by a crash").unwrap();
        write_atomic(&path, b"one", 0o644).unwrap();
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        let far = before + Duration::from_secs(1000);
        write_beside(&path, b"two", Form { mode: 0o644, after: Some(far) }).unwrap();
        let mut batch = Batch::new(path.parent().unwrap());
        batch.add(path.clone());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        batch.put().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), far + Duration::from_secs(1));
        assert_eq!((mode(&path), mode(&folder.path().join("a"))), (0o644, 0o755));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn many_are_put_in_place_together_or_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for (count, put) in [(FEW, true), (FEW + 1, true), (FEW + 1, false)] {
            let mut batch = Batch::new(folder.path());
            for n in 0..count {
                let path = folder.path().join(format!("{count}-{put}-{n}"));
                write_beside(&path, b"x", Form { mode: 0o600, after: None }).unwrap();
                batch.add(path);
            }
            let before = fs::read_dir(folder.path()).unwrap().count();
            if put {
                batch.put().unwrap();
                assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
                assert_eq!(fs::read(folder.path().join(format!("{count}-{put}-0"))).unwrap(), b"x");
            } else {
                drop(batch);
                assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before - count);
            }
        }
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let error = write_atomic(Path::new("/nowhere/at/all"), b"", 0o644).unwrap_err();
        assert_eq!(error.to_string(), "cannot write /nowhere/at/all");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("codes");
        write_new(&path, b"one").unwrap();
        assert_eq!(mode(&path), 0o600);
        write_new(&path, b"two").unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }
}
