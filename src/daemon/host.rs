//! Where a daemon lives as long as its process: its folders, the lock, the sockets, and the permits that the gateway
//! follows. A reload changes none of them.

use super::error::RunError;
use crate::config::Settings;
use crate::control::{self, SocketKind};
use crate::permits::permit_file;
use crate::permits::permit_file::PermitFile;
use crate::permits::start_notes;
use std::fs::File;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio::sync::watch;

pub(super) struct HostResources {
    /// Held until the process ends.
    _lock: File,
    pub(super) listeners: Vec<(SocketKind, Arc<UnixListener>)>,
    /// The permits as they were last written.
    pub(super) permits: watch::Sender<Vec<PermitFile>>,
}

impl HostResources {
    /// Makes what is missing, and takes possession of it.
    ///
    /// # Errors
    /// [`RunError`]: what it cannot be without.
    pub(super) fn open(settings: &Settings) -> Result<Self, RunError> {
        // Whatever is made without a word on its mode, such as by SQLite, is ours alone.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        folder(&settings.state_dir, 0o700)?;
        folder(&settings.runtime_dir, 0o755)?;
        folder(&permit_file::folder(&settings.runtime_dir), 0o755)?;
        folder(&start_notes::folder(&settings.runtime_dir), 0o755)?;
        let lock = lock(&settings.state_dir)?;
        let listeners = control::open(&settings.runtime_dir)?;
        let listeners = listeners.into_iter().map(|(door, listener)| (door, Arc::new(listener))).collect();
        Ok(Self { _lock: lock, listeners, permits: watch::channel(Vec::new()).0 })
    }
}

fn folder(path: &Path, mode: u32) -> Result<(), RunError> {
    let made = || {
        if path.is_dir() {
            return Ok(());
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
    };
    made().map_err(|source| RunError::Path { path: path.to_owned(), source })
}

/// One daemon for each state folder: holds until the process ends.
pub(crate) fn lock(folder: &Path) -> Result<File, RunError> {
    let path = folder.join("lock");
    let failed = |source| RunError::Path { path: path.clone(), source };
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(failed)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(RunError::AlreadyRunning(folder.to_owned())),
        Err(error) => Err(failed(error.into())),
    }
}
