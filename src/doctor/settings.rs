//! The settings: which layers there are, and all that is wrong with them.

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
        count => format!(", and {count} variables SVM_AGENT__…"),
    };
    match names.as_slice() {
        [] => found.note("layers", format!("no file is there: the built-in defaults hold{variables}")),
        names => found.ok("layers", format!("{}{variables}", names.join(", "))),
    }
    match read {
        Err(SettingsError(problems)) => {
            for problem in problems {
                found.fail(
                    problem.place.clone(),
                    problem.message.clone(),
                    "correct it, then: svm-agent config check && systemctl restart svm-agent",
                );
            }
        }
        Ok(settings) => {
            found.ok("values", "every key is known and every value can be");
            for remark in settings.unencrypted() {
                found.warn(
                    "encryption",
                    remark,
                    "then: svm-agent config check && sudo systemctl reload svm-agent",
                );
            }
            for unreadable in settings.unreadable() {
                let denied = unreadable.contains("ermission denied");
                match denied && !rustix::process::geteuid().is_root() {
                    true => {
                        found.note("files", format!("{unreadable}; whether the agent can, only root sees"))
                    }
                    false => found.fail(
                        "files",
                        unreadable,
                        "put the file there, or correct the path; the user svm-agent must be able to read it",
                    ),
                }
            }
        }
    }
    found.found
}

/// Of settings that are wrong, the places alone, as far as they can be read; the rest is as by default. So the doctor
/// goes on with what does not need the others.
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
