//! Settings of all programs: defaults, TOML files and the environment, later ones win.
//!
//! Promises: all problems are reported at once, each with its file, line and the nearest valid name.
//! The defaults are themselves a TOML text, in which every key stands: it is the documentation for people, the
//! lowest layer, and the form against which all other layers are held. Must not know: any program's keys.

mod address;
mod form;
mod problem;
mod schema;
mod shown;
mod values;

use crate::files;
use crate::library_words;
use crate::root_only::only_root_may_change;
use config::{Config, File, FileFormat};
use problem::without_index;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

pub use address::{Address, quoted};
pub use form::{Form, Rule, Rules};
pub use problem::{DEFAULT, Origins, Problem, SettingsError};
pub use schema::schema;
pub use shown::{Change, Shown, changes};
pub use values::{choice, span};

/// Settings that were read, and what is wrong with them so far.
pub struct Loaded<T> {
    /// The settings. Where something is wrong, they are as if that had not been said.
    pub settings: T,
    /// Where each key got its value.
    pub origins: Origins,
    /// Every key with its value.
    pub shown: Shown,
    /// Problems with the form of the layers; the check of the values adds to them.
    pub problems: Vec<Problem>,
    /// The keys that have one of these problems: whatever follows from them is no problem of its own.
    pub wrong: BTreeSet<String>,
}

impl<T> Loaded<T> {
    /// Whether a key, or the list of which it is an item, has a problem already.
    pub fn is_wrong(&self, key: &str) -> bool {
        self.wrong.contains(without_index(key))
    }
}

/// No file of settings is larger.
pub const MAX_FILE: u64 = 1024 * 1024;

/// The files that are there of `candidates`, in order: one that is absent is passed over. A link that leads nowhere, a
/// folder, and what cannot be looked at are there: reading them reports what is wrong.
pub fn present(candidates: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    candidates.into_iter().filter(|path| files::is_there(path)).collect()
}

/// The `*.toml` files of a folder, in order; none where the folder is absent.
///
/// # Errors
/// A folder that cannot be listed, by name.
pub fn listed(folder: &Path) -> Result<Vec<PathBuf>, SettingsError> {
    if !files::is_there(folder) {
        return Ok(Vec::new());
    }
    let mut found = files::list_folder(folder).map_err(|error| {
        let message = format!("cannot be listed: {}", reason(folder, &error));
        SettingsError(vec![Problem { place: folder.display().to_string(), message }])
    })?;
    found.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    Ok(found)
}

/// Why a path cannot be read, also where that is about a link on the way.
fn reason(path: &Path, error: &io::Error) -> String {
    match std::fs::read_link(path) {
        Ok(target) if error.kind() == io::ErrorKind::NotFound => {
            format!("it is a link to {}, which does not exist", target.display())
        }
        _ => library_words::io(error),
    }
}

/// Reads `form`'s defaults, the files in order, then variables `PREFIX__SECTION__KEY` out of `environment`.
/// A file that somebody else than root may change is a problem, and is not read ([`only_root_may_change`]).
/// Unknown keys and wrong types are problems of the outcome, so that all of them can be reported together with
/// values that cannot be.
///
/// # Errors
/// Where no settings can be made at all, all that is wrong.
pub fn load<T: DeserializeOwned>(
    form: &Form,
    files: &[PathBuf],
    prefix: &str,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded<T>, SettingsError> {
    let mut check = form::Check::new(form);
    let mut layers = Vec::new();
    for path in files {
        let name = path.display().to_string();
        match files::read_text_bounded(path, MAX_FILE) {
            Err(error) => check.wrong(name, format!("cannot be read: {}", reason(path, &error))),
            // A user who may write it decides whom the program trusts, and what it runs.
            Ok(text) => match only_root_may_change(path) {
                Ok(()) => layers.push(check.file(&name, &text)),
                Err(exposed) => {
                    check.wrong(name, format!("is not read, because others may change it: {exposed}"));
                }
            },
        }
    }
    layers.extend(check.variables(prefix, environment));
    let named = check.defaults_of_named();
    let form::Check { origins, mut problems, mut wrong, .. } = check;
    let origins = Origins(origins);
    // A value that the form lets pass and that cannot be is taken out, and the next one is looked for: no value hides
    // what is wrong with another.
    let mut refused: Vec<Problem> = Vec::new();
    loop {
        let mut merged = Config::builder().add_source(File::from_str(form.defaults, FileFormat::Toml));
        for layer in std::iter::once(&named).chain(&layers) {
            merged = merged.add_source(File::from_str(&layer.to_string(), FileFormat::Toml));
        }
        let read = merged.build().and_then(|merged| {
            let whole = merged.clone().try_deserialize()?;
            Ok((merged.try_deserialize()?, Shown::of(&whole, &origins)))
        });
        let error = match read {
            Ok((settings, shown)) => {
                refused.sort_by(|one, other| one.place.cmp(&other.place));
                problems.extend(refused);
                return Ok(Loaded { settings, origins, shown, problems, wrong });
            }
            Err(error) => error,
        };
        let (key, message) = explain(&error);
        let key = key.map(|key| without_index(&key).to_owned());
        let Some(key) = key else {
            problems.extend(refused);
            problems.push(Problem { place: "settings".to_owned(), message });
            return Err(SettingsError(problems));
        };
        refused.push(origins.problem(&key, message));
        let path: Vec<&str> = key.split('.').collect();
        let removed = layers.iter_mut().map(|layer| remove(layer, &path)).filter(|removed| *removed).count();
        if removed == 0 {
            problems.extend(refused);
            return Err(SettingsError(problems));
        }
        wrong.insert(key);
    }
}

/// Takes a key out of a layer; whether it was there.
fn remove(table: &mut toml::Table, path: &[&str]) -> bool {
    match path {
        [] => false,
        [key] => table.remove(*key).is_some(),
        [key, below @ ..] => match table.get_mut(*key) {
            Some(toml::Value::Table(inner)) => remove(inner, below),
            _ => false,
        },
    }
}

fn explain(error: &config::ConfigError) -> (Option<String>, String) {
    match error {
        config::ConfigError::At { error, key, .. } => {
            let (inner, message) = explain(error);
            (key.clone().or(inner), message)
        }
        config::ConfigError::Type { key, unexpected, expected, .. } => {
            (key.clone(), format!("must be {expected}, not {unexpected}"))
        }
        other => (None, other.to_string()),
    }
}

#[cfg(test)]
mod tests;
