//! Files that may hold a secret, and what may be said about them.
//!
//! Promises: the content of a [`SecretFile`] reaches a message through [`Plain`] alone, and a [`Plain`] is made of the
//! program's own sentences and a number: there is no way from a `String` or from a library's error to one. So a
//! library that quotes what it could not read quotes it to nobody. Must not know: what the files are for.

pub mod pem;

use secrecy::zeroize::Zeroizing;
use std::fmt;
use std::io;
use std::path::Path;

/// What may be said about a text that may hold a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Plain {
    text: &'static str,
    number: Option<usize>,
}

impl Plain {
    /// A sentence as it stands in the program.
    pub const fn new(text: &'static str) -> Self {
        Self { text, number: None }
    }

    /// A sentence with a number, such as that of a line, in the place of its `{}`.
    pub const fn with(text: &'static str, number: usize) -> Self {
        Self { text, number: Some(number) }
    }
}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.number, self.text.split_once("{}")) {
            (Some(number), Some((before, after))) => write!(f, "{before}{number}{after}"),
            _ => f.write_str(self.text),
        }
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl std::error::Error for Plain {}

/// The content of a file that may hold a secret, by purpose or by mistake. It is overwritten when it is dropped, and
/// has neither `Display` nor a `Debug` that shows it.
pub struct SecretFile(Zeroizing<Vec<u8>>);

impl SecretFile {
    /// Reads a regular file of at most `max` bytes.
    ///
    /// # Errors
    /// Of opening and reading, as [`crate::files::read_bounded`]: the system's word, which knows nothing of the content.
    pub fn read(path: &Path, max: u64) -> io::Result<Self> {
        crate::files::read_bounded(path, max).map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// What is made of the content. The only error that can come out is one that may be shown.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn interpret<T>(&self, read: impl FnOnce(&[u8]) -> Result<T, Plain>) -> Result<T, Plain> {
        read(&self.0)
    }

    /// As [`SecretFile::interpret`], of a text.
    ///
    /// # Errors
    /// Those of `read`; or the number of the first line that is not UTF-8.
    pub fn interpret_text<T>(&self, read: impl FnOnce(&str) -> Result<T, Plain>) -> Result<T, Plain> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => read(text),
            Err(error) => {
                let good = self.0.get(..error.valid_up_to()).unwrap_or_default();
                let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
                Err(match self.0.as_slice() {
                    [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Plain::new("it is UTF-16 text; save it as UTF-8"),
                    _ => Plain::with("line {} is not UTF-8 text; save the file as UTF-8", line),
                })
            }
        }
    }
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretFile([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_its_number_and_a_file_shows_nothing() {
        assert_eq!(Plain::with("line {} is wrong", 7).to_string(), "line 7 is wrong");
        assert_eq!(Plain::new("it is {}").to_string(), "it is {}");
        assert_eq!(format!("{:?}", Plain::new("it is cut")), "\"it is cut\"");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let of = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let file = SecretFile::read(&path, 100).unwrap();
            assert_eq!(format!("{file:?}"), "SecretFile([redacted])");
            file.interpret_text(|text| Ok(text.len()))
        };
        assert_eq!(of("één".as_bytes()), Ok(5));
        assert_eq!(
            of(b"planted\nplant\xa3ed").unwrap_err().to_string(),
            "line 2 is not UTF-8 text; save the file as UTF-8"
        );
        assert!(of(b"\xff\xfep\0l\0").unwrap_err().to_string().contains("UTF-16"));
    }
}
