//! The settings: which files were read, and every mistake in them.

use super::finding::{Area, Finding, Findings};
use crate::config::{PREFIX, Settings};
use std::ffi::OsString;
use std::path::PathBuf;
use svm_core::environment;
use svm_core::settings::{MAX_FILE, SettingsError};

pub(super) fn check(files: &[PathBuf], read: &Result<Settings, SettingsError>) -> Vec<Finding> {
    let mut found = Findings::of(Area::Settings);
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let ours = format!("{PREFIX}__");
    let variables = environment::variables();
    let variables = variables.iter().filter(|(name, _)| name.as_encoded_bytes().starts_with(ours.as_bytes()));
    let variables = match variables.count() {
        0 => String::new(),
        1 => ", and 1 environment variable SVM_AGENT__*".to_owned(),
        count => format!(", and {count} environment variables SVM_AGENT__*"),
    };
    match names.as_slice() {
        [] => found.note("files read", format!("none: the built-in defaults apply{variables}")),
        names => found.ok("files read", format!("{}{variables}", names.join(", "))),
    }
    match read {
        Err(SettingsError(problems)) => {
            for problem in problems {
                found.fail(
                    problem.place.clone(),
                    problem.message.clone(),
                    "correct it: the agent does not start with it. Then: svm-agent config check && systemctl restart svm-agent",
                );
            }
        }
        Ok(settings) => {
            found.ok("values", "every key is known and every value is valid");
            for remark in settings.unencrypted() {
                found.warn(
                    "encryption",
                    remark,
                    "use an encrypted address, then: svm-agent config check && sudo systemctl reload svm-agent",
                );
            }
            for unreadable in settings.unreadable() {
                let denied = unreadable.contains("ermission denied");
                match denied && !rustix::process::geteuid().is_root() {
                    true => {
                        found.note("files", format!("{unreadable}; only root can see whether the agent can read it"))
                    }
                    false => found.fail(
                        "files",
                        unreadable,
                        "put the file there, or correct the path; the user svm-agent must be able to read the file",
                    ),
                }
            }
        }
    }
    found.found
}

/// The folders of settings that are not valid, as far as they can be read; all else is as by default. So the doctor can
/// check what does not need the others.
pub fn places_of(files: &[PathBuf]) -> Option<Settings> {
    let mut places: Vec<(OsString, OsString)> = Vec::new();
    for file in files {
        let text = svm_core::files::read_text_bounded(file, MAX_FILE).unwrap_or_default();
        let table: toml::Table = toml::from_str(&text).unwrap_or_default();
        for (section, key) in [
            ("paths", "state_dir"),
            ("paths", "runtime_dir"),
            ("paths", "trust_dir"),
            ("enforcement", "gates_dir"),
        ] {
            if let Some(value) = table.get(section).and_then(|section| section.get(key)?.as_str()) {
                let variable = format!("{PREFIX}__{}__{}", section.to_uppercase(), key.to_uppercase());
                places.push((variable.into(), value.into()));
            }
        }
    }
    let paths = format!("{PREFIX}__PATHS__");
    let variables = environment::variables().into_iter();
    places.extend(variables.filter(|(name, _)| name.as_encoded_bytes().starts_with(paths.as_bytes())));
    Settings::read(&[], places).or_else(|_| Settings::read(&[], [])).ok()
}
