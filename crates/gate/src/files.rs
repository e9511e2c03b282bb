//! The few files that the gate touches, as root, in folders of the agent's user: it follows no link there, never waits,
//! and makes nothing but an empty file.

use rustix::fs::{FileType, Mode, OFlags};
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

/// No file that is read is larger.
const MAX_BYTES: u64 = 16 * 1024;

/// The text of a small regular file.
pub fn small_text(path: &Path) -> std::io::Result<String> {
    // A pipe must not make the gate wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&file)?;
    let large = u64::try_from(found.st_size).is_ok_and(|size| size > MAX_BYTES);
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile || large {
        return Err(Error::new(ErrorKind::InvalidData, "it is not a regular file of at most 16 KiB"));
    }
    let mut text = String::new();
    std::fs::File::from(file).take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Leaves a note that a unit was refused while no agent answered, for the agent that comes.
pub fn note(runtime_dir: &Path, unit: &str) -> std::io::Result<()> {
    let within = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let outer = rustix::fs::open(runtime_dir, within, Mode::empty())?;
    let inner = rustix::fs::openat(outer, "owed", within, Mode::empty())?;
    let new = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(inner, unit, new, Mode::from_raw_mode(0o600)) {
        Ok(_) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
