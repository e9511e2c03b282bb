//! `[metrics]`: metrics as a file.

use crate::config::check::{Check, path};
use jiff::SignedDuration;
use serde::Deserialize;
use std::path::PathBuf;

/// Metrics as a file, for node_exporter's textfile collector.
#[derive(Clone, Debug)]
pub struct MetricsSettings {
    /// Where it is written; `None`: nowhere.
    pub textfile: Option<PathBuf>,
    /// How often, where nothing changes.
    pub every: SignedDuration,
}

/// The keys as they are written.
#[derive(Deserialize)]
pub(crate) struct RawMetrics {
    pub(crate) textfile: String,
    every: String,
}

impl Check<'_> {
    pub(crate) fn metrics(&mut self, raw: &RawMetrics) -> Option<MetricsSettings> {
        let textfile = path(&raw.textfile);
        let fits = textfile
            .as_deref()
            .is_none_or(|file| file.is_absolute() && file.extension().is_some_and(|end| end == "prom"));
        let wrong = "must be an absolute path that ends in .prom, such as /var/lib/node_exporter/svm-agent.prom; node_exporter reads no other files";
        let textfile = self.take("metrics.textfile", fits.then_some(textfile).ok_or(wrong));
        let every = self.span("metrics.every", &raw.every, 10, 86_400);
        Some(MetricsSettings { textfile: textfile?, every: every? })
    }
}
