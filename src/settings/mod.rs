//! Settings of all programs: TOML files and the environment, later ones win.

use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// What is wrong with the settings, all of it at once.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SettingsError(pub Vec<String>);

/// Reads the files in order, then the variables `PREFIX__SECTION__KEY`; later ones win.
///
/// # Errors
/// Everything that is wrong, each with file, line and the nearest right name.
pub fn load<T: DeserializeOwned>(files: &[PathBuf], prefix: &str) -> Result<T, SettingsError> {
    let mut builder = config::Config::builder();
    for file in files {
        builder = builder.add_source(config::File::from(file.clone()).format(config::FileFormat::Toml));
    }
    builder =
        builder.add_source(config::Environment::with_prefix(prefix).prefix_separator("__").separator("__"));
    builder.build().and_then(config::Config::try_deserialize).map_err(|e| SettingsError(vec![e.to_string()]))
}
