//! What commands share that ask the agent: waiting, reading an answer into its type, reading what is passed to them.

use super::error::CliError;
use crate::control::client::AskError;
use serde_json::Value;
use std::io::ErrorKind;
use std::path::Path;
use svm_core::files::{self, into_text};
use svm_core::library_words;

pub(super) fn wait<T>(work: impl Future<Output = T>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(work))
}

pub(super) fn typed<T: for<'a> serde::Deserialize<'a>>(value: Value) -> Result<T, CliError> {
    serde_json::from_value(value).map_err(|e| AskError::Answer(library_words::json(&e)).into())
}

pub(super) fn read_bounded(path: &Path, most: u64) -> Result<String, CliError> {
    let read = if path == Path::new("-") {
        files::read_stream_bounded(std::io::stdin().lock(), most).and_then(into_text)
    } else {
        files::read_text_bounded(path, most)
    };
    read.map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => {
            CliError::given("too_large", format!("{} is larger than {most} bytes", path.display()))
        }
        kind => {
            let pipe = if kind == ErrorKind::InvalidInput { "; - reads standard input" } else { "" };
            CliError::given(
                "cannot_read",
                format!("cannot read {}: {}{pipe}", path.display(), library_words::io(&error)),
            )
        }
    })
}
