//! Settings: files, with variables after a line of a single `%`.

use super::bytes::text;
use std::ffi::OsString;
use std::io::Write;
use svm_core::settings::SettingsError;

pub(crate) fn read<T>(
    data: &[u8],
    of: impl Fn(&[std::path::PathBuf], Vec<(OsString, OsString)>) -> Result<T, SettingsError>,
) {
    let text = text(data);
    let (file, variables) = text.split_once("\n%\n").unwrap_or((&text, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables = variables.map(|(name, value)| (name.into(), value.into())).collect();
    let mut path = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
    path.write_all(file.as_bytes()).unwrap();
    if let Err(SettingsError(problems)) = of(&[path.path().to_owned()], variables) {
        assert!(!problems.is_empty());
        for problem in problems {
            let shown = problem.to_string();
            assert!(!problem.place.is_empty() && !problem.message.is_empty());
            assert!(shown.len() < 20 * data.len() + 4000, "{} for {}", shown.len(), data.len());
        }
    }
}
