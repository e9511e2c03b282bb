//! A disk that can be filled.

use super::have;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system of its own for a store; unmounted when dropped.
pub struct Disk(PathBuf);

impl Disk {
    /// Mounts it on a new folder; `None` where that cannot be done here.
    pub fn mount(folder: &Path, size: &str) -> Option<Self> {
        if !have("mount", "mount") {
            return None;
        }
        std::fs::create_dir(folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder)
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            assert!(std::env::var_os("SVM_TEST_REQUIRE_ALL").is_none(), "cannot mount");
            println!("not run: a file system cannot be mounted here");
            return None;
        }
        Some(Self(folder.to_owned()))
    }

    /// To the last byte.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filling")).unwrap();
        for size in [64 * 1024, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    pub fn free(&self) {
        std::fs::remove_file(self.0.join("filling")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}
