//! The files and folders that the settings name, as they are on the disk: which are in the way, which cannot be read, and
//! which others may change.

use crate::config::actions::action_program;
use crate::config::read::Settings;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use svm_core::files;
use svm_core::library_words;
use svm_core::root_only::only_root_may_change;
use svm_core::settings::{Problem, SettingsError, listed, present};

/// Where more files of the settings are.
const CONF_D: &str = "/etc/svm-agent/conf.d";

/// The files of an installed agent that are there, in the order in which they are read. Only what is absent is passed
/// over.
///
/// # Errors
/// A folder that cannot be listed, by name.
pub fn installed_files() -> Result<Vec<PathBuf>, SettingsError> {
    let etc = Path::new("/etc/svm-agent");
    let mut files = listed(Path::new("/usr/lib/svm-agent"))?;
    files.extend(present([etc.join("agent.toml")]));
    files.extend(listed(Path::new(CONF_D))?);
    Ok(files)
}

/// Why a folder cannot be used or made, where something else is in its place.
fn in_the_way(folder: &Path) -> Option<String> {
    for path in folder.ancestors() {
        match std::fs::metadata(path) {
            Ok(about) if about.is_dir() => return None,
            Ok(_) => {
                return Some(format!(
                    "expected a directory, found a file: {}; move the file away, or choose another path",
                    path.display()
                ));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if let Ok(target) = std::fs::read_link(path) {
                    return Some(format!(
                        "{} is a link to {}, which does not exist; create that directory, or remove the link",
                        path.display(),
                        target.display()
                    ));
                }
            }
            Err(error) if error.kind() == ErrorKind::NotADirectory => {}
            // A user with more rights sees more.
            Err(_) => return None,
        }
    }
    None
}

/// Why a file that a key names cannot be read, and the way out.
fn cannot_read(key: &str, file: &Path, error: &std::io::Error) -> String {
    let name = file.display();
    let pem = ["ca_file", "certificate_file", "key_file"].iter().any(|end| key.ends_with(end));
    let expected = if pem { "a PEM file" } else { "a file" };
    match error.kind() {
        ErrorKind::IsADirectory => {
            format!("expected {expected}, found a directory: {name}; name the file in it")
        }
        ErrorKind::NotFound => {
            format!("cannot read {name}: it does not exist; create it, or correct the path")
        }
        ErrorKind::PermissionDenied => {
            format!("cannot read {name}: permission denied; let the group svm-agent read it")
        }
        _ => format!("cannot read {name}: {}", library_words::io(error)),
    }
}

impl Settings {
    /// What the disk has in place of the folders that `run` makes and works in.
    pub fn unusable(&self) -> Vec<Problem> {
        let folders = [("paths.state_dir", &self.state_dir), ("paths.runtime_dir", &self.runtime_dir)];
        let problem = |(key, folder): (&str, &PathBuf)| {
            let message = in_the_way(folder)?;
            let place =
                self.shown.iter().find(|(shown, _)| *shown == key).map(|(_, value)| value.from.clone());
            Some(Problem { place: place.unwrap_or_default(), message: format!("`{key}`: {message}") })
        };
        folders.into_iter().filter_map(problem).collect()
    }
    /// What decides whom the agent trusts and what runs for it, with what each is: none of these may be changed by others
    /// ([`svm_core::root_only`]). The files of the settings themselves are checked when they are read.
    pub fn governing(&self) -> Vec<(String, PathBuf)> {
        let mut governing = vec![
            ("keys of trusted providers".to_owned(), self.trust_dir.clone()),
            ("settings".to_owned(), PathBuf::from(CONF_D)),
        ];
        governing.extend(
            self.actions.keys().map(|name| (format!("program of the action {name}"), action_program(name))),
        );
        let mut add = |key: String, file: &Option<PathBuf>| {
            governing.extend(file.clone().map(|file| (format!("`{key}`"), file)));
        };
        add("source.ca_file".to_owned(), &self.source.connection.tls.ca_file);
        for (destination, settings) in &self.destinations {
            for (key, file) in settings.files().into_iter().filter(|(key, _)| *key == "ca_file") {
                add(format!("destinations.{destination}.{key}"), file);
            }
        }
        governing
    }

    /// Which of [`Self::governing`] others may change, as sentences.
    pub fn exposed(&self) -> Vec<String> {
        let of = |(what, path): (String, PathBuf)| {
            let exposed = only_root_may_change(&path).err()?;
            Some(format!("{what}: others may change {}: {exposed}", path.display()))
        };
        self.governing().into_iter().filter_map(of).collect()
    }

    /// Files that the settings name and that cannot be read now, by key. They are read when they are needed, by
    /// the part that needs them: not everyone who may ask for the status may read a token.
    pub fn unreadable(&self) -> Vec<String> {
        let mut unreadable = Vec::new();
        let mut check = |key: String, file: &Option<PathBuf>| {
            if let Some(file) = file.as_deref()
                && let Err(error) = files::open_regular(file)
            {
                unreadable.push(format!("`{key}`: {}", cannot_read(&key, file, &error)));
            }
        };
        check("source.ca_file".to_owned(), &self.source.connection.tls.ca_file);
        check("devices.count_file".to_owned(), &self.devices_count_file);
        for (destination, settings) in &self.destinations {
            for (key, file) in settings.files() {
                check(format!("destinations.{destination}.{key}"), file);
            }
        }
        unreadable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_of_a_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", at("link")).unwrap();
        for (path, way) in [
            ("absent/state", None),
            (".", None),
            ("file", Some("expected a directory, found a file: ")),
            ("file/below/it", Some("expected a directory, found a file: ")),
            ("link", Some("link is a link to nowhere")),
            ("link/below", Some("link is a link to nowhere")),
        ] {
            let said = in_the_way(&at(path));
            assert_eq!(said.is_some(), way.is_some(), "{path}: {said:?}");
            assert!(said.unwrap_or_default().contains(way.unwrap_or_default()), "{path}");
        }
    }
}
