//! `[product]`: the protection product.

use crate::config::check::{Check, path};
use serde::Deserialize;
use svm_core::files;
use svm_core::library_words;
use svm_core::subscription::Version;

/// A file of which the first line counts, such as a version or a number, is not larger: in bytes.
pub const MAX_LINE_FILE: u64 = 64 * 1024;

/// The keys as they are written.
#[derive(Deserialize)]
pub(crate) struct RawProduct {
    pub(crate) name: String,
    version: String,
    pub(crate) version_file: String,
}

impl Check<'_> {
    pub(crate) fn product_version(&mut self, raw: &RawProduct) -> Option<Version> {
        let Some(file) = path(&raw.version_file) else {
            return self.take("product.version", raw.version.parse());
        };
        let line = files::read_text_bounded(&file, MAX_LINE_FILE)
            .map_err(|error| format!("cannot read {}: {}", file.display(), library_words::io(&error)))
            .map(|text| text.lines().next().unwrap_or_default().trim().to_owned());
        let line = self.take("product.version_file", line)?;
        // What stands there instead may be a secret of another file.
        let wrong = || {
            format!(
                "the first line of {} is not a version; expected numbers separated by dots, such as 6.1",
                file.display()
            )
        };
        self.take("product.version_file", line.parse().map_err(|_: String| wrong()))
    }
}
