//! Files and folders as all programs read them: bounded in size and time, and without what editors leave behind.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Reads a regular file of at most `max` bytes. Links are followed.
///
/// # Errors
/// Of opening and reading; [`io::ErrorKind::InvalidInput`] for what is no regular file (a pipe, a device: reading it might
/// never end), [`io::ErrorKind::FileTooLarge`] for more than `max` bytes, whatever size the file claims.
pub fn read_bounded(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    read_stream_bounded(open_regular(path)?, max)
}

/// As [`read_bounded`], as text.
///
/// # Errors
/// As [`read_bounded`]; [`io::ErrorKind::InvalidData`] where it is not UTF-8, with the number of the line.
pub fn read_text_bounded(path: &Path, max: u64) -> io::Result<String> {
    into_text(read_bounded(path, max)?)
}

/// The text of a regular file of at most `max` bytes; `None` where nothing is at the path. A link is not followed.
///
/// # Errors
/// Of opening and reading: a link, for one; [`io::ErrorKind::InvalidData`] for what is no regular file, larger than `max` or
/// not UTF-8.
pub fn read_unlinked_text(path: &Path, max: u64) -> io::Result<Option<String>> {
    // Without waiting for a writer, should it be a pipe.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let file = match File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        file => file?,
    };
    let found = file.metadata()?;
    if !found.is_file() || found.len() > max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no small file"));
    }
    let mut text = String::new();
    file.take(max).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Bytes as text.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] with the number of the first line that is not UTF-8.
pub fn into_text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        // The text itself stays out of the error: the file may hold a secret.
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line} is not UTF-8 text"))
    })
}

/// Opens a regular file for reading, without waiting for the other end of a pipe.
///
/// # Errors
/// Of opening; [`io::ErrorKind::InvalidInput`] for what is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // O_NONBLOCK: opening a FIFO must not wait for a writer. It means nothing for a regular file.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    match kind.is_file() {
        true => Ok(file),
        false if kind.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
    }
}

/// Reads a stream of at most `max` bytes to its end.
///
/// # Errors
/// Of reading; [`io::ErrorKind::FileTooLarge`] for more.
pub fn read_stream_bounded(stream: impl Read, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= max) {
        return Ok(bytes);
    }
    Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {max} bytes")))
}

/// Whether anything is at a path: a link that leads nowhere, and what cannot be looked at, is there, so that using it
/// reports what is wrong.
pub fn is_there(path: &Path) -> bool {
    !std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// The entries of a folder, sorted by name, without those that [`is_leftover`].
///
/// # Errors
/// Of listing the folder, or one entry of it.
pub fn list_folder(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    #[allow(clippy::disallowed_methods, reason = "the one place that lists folders")]
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !is_leftover(&entry.file_name()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a name is one of no file that a person put there to be read: hidden files, locks and backups of editors, and
/// what dpkg, ucf and rpm set aside at an upgrade.
pub fn is_leftover(name: &OsStr) -> bool {
    const ENDINGS: [&[u8]; 9] =
        [b"~", b".bak", b".swp", b".swo", b".tmp", b".orig", b".rej", b".old", b".save"];
    const SET_ASIDE: [&[u8]; 5] = [b".dpkg-", b".ucf-", b".rpmnew", b".rpmsave", b".rpmorig"];
    let name = name.as_bytes();
    name.starts_with(b".")
        || (name.starts_with(b"#") && name.ends_with(b"#"))
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
        || SET_ASIDE.iter().any(|mark| name.windows(mark.len()).any(|part| part == *mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_read_ends_whatever_the_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read_text_bounded(&path, 5).unwrap(), "12345");
        assert_eq!(read_bounded(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read_bounded(Path::new("/dev/zero"), 4).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(read_bounded(folder.path(), 4).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
        assert_eq!(read_bounded(&fifo, 4).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        // A file that claims no size and has no end of its own.
        assert_eq!(
            read_bounded(Path::new("/proc/self/maps"), 4).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
        fs::write(&path, b"one\ntwo \xa3\n").unwrap();
        assert_eq!(read_text_bounded(&path, 99).unwrap_err().to_string(), "line 2 is not UTF-8 text");
    }

    #[test]
    fn what_editors_and_packages_leave_behind_is_not_listed() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("me@host.123:456", folder.path().join(".#10-local.toml")).unwrap();
        for name in
            ["b.toml", "a.toml", ".hidden.toml", "a.toml~", "#a.toml#", "a.toml.dpkg-old", "a.toml.dpkg-dist"]
        {
            fs::write(folder.path().join(name), "").unwrap();
        }
        for name in ["a.toml.ucf-dist", "a.toml.rpmnew", ".a.toml.swp", "a.toml.orig", "a.toml.bak"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<_> = list_folder(folder.path())
            .unwrap()
            .into_iter()
            .map(|path| path.file_name().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["a.toml", "b.toml"]);
    }
}
