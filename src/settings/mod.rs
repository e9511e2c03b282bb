//! Settings of all programs: defaults, TOML files and the environment, later ones win.
//!
//! Promises: everything that is wrong is told at once, each with its file, line and the nearest right name.
//! The defaults are themselves a TOML text, in which every key stands: it is the documentation for people, the
//! lowest layer, and the form against which all other layers are held. Must not know: any program's keys.

mod address;
mod form;
mod schema;
mod shown;

use crate::root_only::only_root_may_change;
use config::{Config, File, FileFormat};
use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, fmt, path::PathBuf};

pub use address::Address;
pub use form::Form;
pub use schema::schema;
pub use shown::{Change, DEFAULT, Shown, changes};

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `file:line`, the name of a variable, or the program's defaults.
    pub place: String,
    /// What is wrong and how it should be.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// All that is wrong with the settings; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub Vec<Problem>);

impl std::error::Error for SettingsError {}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// Where each key got its value: `file:line` by dotted key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, String>);

impl Origins {
    /// The place of a key itself, where it was set.
    fn own_place(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The place of a key, or of the nearest table above it.
    pub fn place(&self, key: &str) -> String {
        let mut key = key;
        loop {
            if let Some(place) = self.0.get(key) {
                return place.clone();
            }
            match key.rsplit_once('.') {
                Some((above, _)) => key = above,
                None => return DEFAULT.to_owned(),
            }
        }
    }

    /// A problem with the value of `key`.
    pub fn problem(&self, key: &str, message: impl fmt::Display) -> Problem {
        Problem { place: self.place(key), message: format!("`{key}`: {message}") }
    }
}

/// Settings that were read, and what is wrong with them so far.
pub struct Loaded<T> {
    /// The settings. Where something is wrong, they are as if that had not been said.
    pub settings: T,
    /// Where each key got its value.
    pub origins: Origins,
    /// Every key with its value.
    pub shown: Shown,
    /// What is wrong with the form of the layers; whoever checks the values adds to it.
    pub problems: Vec<Problem>,
}

/// Reads `form`'s defaults, the files in order, then variables `PREFIX__SECTION__KEY` out of `environment`.
/// A file that somebody else than root may change is a problem, and is not read ([`only_root_may_change`]).
/// Unknown keys and wrong types are problems of the outcome, so that all of them can be told together with
/// values that cannot be.
///
/// # Errors
/// Where no settings can be made at all, all that is wrong.
pub fn load<T: DeserializeOwned>(
    form: &Form,
    files: &[PathBuf],
    prefix: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded<T>, SettingsError> {
    let mut check = form::Check::new(form);
    let mut layers = Vec::new();
    for path in files {
        let name = path.display().to_string();
        // Whoever may write it decides whom the program trusts, and what it runs.
        if let Err(exposed) = only_root_may_change(path) {
            check.wrong(name, format!("is not read, because others may change it: {exposed}"));
            continue;
        }
        match std::fs::read_to_string(path) {
            Err(error) => check.wrong(name, format!("cannot be read: {error}")),
            Ok(text) => layers.push(check.file(&name, &text)),
        }
    }
    let start = format!("{prefix}__");
    let variables: BTreeMap<String, String> =
        environment.into_iter().filter(|(name, _)| name.starts_with(&start)).collect();
    for (name, value) in &variables {
        let key = name.trim_start_matches(&start).to_lowercase().replace("__", ".");
        layers.extend(check.variable(name, &key, value));
    }
    let mut merged = Config::builder().add_source(File::from_str(form.defaults, FileFormat::Toml));
    for layer in std::iter::once(check.defaults_of_named()).chain(layers) {
        merged = merged.add_source(File::from_str(&layer.to_string(), FileFormat::Toml));
    }
    let form::Check { origins, mut problems, .. } = check;
    let origins = Origins(origins);
    let read = merged.build().and_then(|merged| {
        let whole = merged.clone().try_deserialize()?;
        Ok((merged.try_deserialize()?, Shown::of(&whole, &origins)))
    });
    match read {
        Ok((settings, shown)) => Ok(Loaded { settings, origins, shown, problems }),
        Err(error) => {
            let (key, message) = explain(&error);
            problems.push(match key {
                Some(key) => origins.problem(&key, message),
                None => Problem { place: "settings".to_owned(), message },
            });
            Err(SettingsError(problems))
        }
    }
}

/// One of a few words, by name.
///
/// # Errors
/// A sentence that lists them, with the nearest first where one is near.
pub fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    Err(format!("must be {}, not \"{}\"", names.join(" or "), text.escape_debug()))
}

/// A span of time such as `6h`, `15m`, `30s` or `2d`.
///
/// # Errors
/// A sentence that shows the form.
pub fn span(text: &str) -> Result<SignedDuration, String> {
    let wrong = || {
        format!("must be a span such as \"30s\", \"15m\", \"6h\" or \"7d\", not \"{}\"", text.escape_debug())
    };
    if let Some(days) = text.trim().strip_suffix('d').and_then(|days| days.parse::<i64>().ok()) {
        return days.checked_mul(86_400).map(SignedDuration::from_secs).ok_or_else(wrong);
    }
    text.parse().map_err(|_| wrong())
}

fn explain(error: &config::ConfigError) -> (Option<String>, String) {
    match error {
        config::ConfigError::At { error, key, .. } => {
            let (inner, message) = explain(error);
            (key.clone().or(inner), message)
        }
        config::ConfigError::Type { key, unexpected, expected, .. } => {
            (key.clone(), format!("{expected} is wanted, not {unexpected}"))
        }
        other => (None, other.to_string()),
    }
}

#[cfg(test)]
mod tests;
