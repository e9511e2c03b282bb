//! Settings of all programs: defaults, TOML files and the environment, later ones win.
//!
//! Promises: everything that is wrong is told at once, each with its file, line and the nearest right name.
//! The defaults are themselves a TOML text, in which every key stands: it is the documentation for people, the
//! lowest layer, and the form against which all other layers are held. Must not know: any program's keys.

mod form;

use config::{Config, Environment, File, FileFormat};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, fmt, path::PathBuf};

pub use form::Form;

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
    /// The place of a key, or of the nearest table above it.
    pub fn place(&self, key: &str) -> String {
        let mut key = key;
        loop {
            if let Some(place) = self.0.get(key) {
                return place.clone();
            }
            match key.rsplit_once('.') {
                Some((above, _)) => key = above,
                None => return "default".to_owned(),
            }
        }
    }

    /// A problem with the value of `key`.
    pub fn problem(&self, key: &str, message: impl fmt::Display) -> Problem {
        Problem { place: self.place(key), message: format!("`{key}`: {message}") }
    }
}

/// Reads `form`'s defaults, the files in order, then variables `PREFIX__SECTION__KEY` out of `environment`.
///
/// # Errors
/// Everything that is wrong with the form of the layers: unreadable files, syntax, unknown keys, wrong types.
pub fn load<T: DeserializeOwned>(
    form: &Form,
    files: &[PathBuf],
    prefix: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(T, Origins), SettingsError> {
    let mut problems = Vec::new();
    let mut origins = BTreeMap::new();
    let mut merged = Config::builder().add_source(File::from_str(form.defaults(), FileFormat::Toml));
    for path in files {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Err(error) => {
                problems.push(Problem { place: name, message: format!("cannot be read: {error}") });
            }
            Ok(text) => {
                form.check_file(&name, &text, &mut origins, &mut problems);
                merged = merged.add_source(File::from_str(&form.with_map_defaults(&text), FileFormat::Toml));
            }
        }
    }
    let start = format!("{prefix}__");
    let variables: BTreeMap<String, String> =
        environment.into_iter().filter(|(name, _)| name.starts_with(&start)).collect();
    for (name, value) in &variables {
        let key = name.trim_start_matches(&start).to_lowercase().replace("__", ".");
        form.check_variable(name, &key, value, &mut origins, &mut problems);
    }
    if problems.is_empty() {
        let mut layer =
            Environment::with_prefix(prefix).prefix_separator("__").separator("__").try_parsing(true);
        layer = layer.list_separator(",");
        for key in form.lists() {
            layer = layer.with_list_parse_key(&key);
        }
        let read = merged
            .add_source(layer.source(Some(variables.into_iter().collect())))
            .build()
            .and_then(Config::try_deserialize);
        match read {
            Ok(settings) => return Ok((settings, Origins(origins))),
            Err(error) => {
                let (key, message) = explain(&error);
                let origins = Origins(origins);
                problems.push(match key {
                    Some(key) => origins.problem(&key, message),
                    None => Problem { place: "settings".to_owned(), message },
                });
            }
        }
    }
    Err(SettingsError(problems))
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
