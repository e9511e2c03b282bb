//! `[log]`: the form and the level of log lines.

use crate::config::check::Check;
use serde::Deserialize;
use svm_core::logging::{LogFormat, LogLevel};
use svm_core::settings::choice;

/// The keys as they are written.
#[derive(Deserialize)]
pub(crate) struct RawLog {
    format: String,
    level: String,
}

impl Check<'_> {
    pub(crate) fn log(&mut self, raw: &RawLog) -> (Option<LogFormat>, Option<LogLevel>) {
        let formats = [
            ("auto", LogFormat::Auto),
            ("plain", LogFormat::Plain),
            ("json", LogFormat::Json),
            ("journal", LogFormat::Journal),
        ];
        let format = self.take("log.format", choice(&raw.format, &formats));
        let levels = [
            ("error", LogLevel::Error),
            ("warn", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
        ];
        (format, self.take("log.level", choice(&raw.level, &levels)))
    }
}
