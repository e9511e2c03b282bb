//! Logs: one line for each thing that matters, to standard error, plain or as JSON.

use serde::Deserialize;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// A library that tells what it does as if it mattered: only what goes wrong there is told.
const TALKATIVE: &str = "tokio_cron_scheduler";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people. Under systemd without a time of its own: the journal has it.
    #[default]
    Plain,
    /// One JSON object a line.
    Json,
}

/// The least severe lines that are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// What did not work.
    Error,
    /// And what should be looked at.
    Warn,
    /// And what happened.
    #[default]
    Info,
    /// And why.
    Debug,
}

/// Starts logging for this process; a second call changes nothing. `under_systemd` leaves out the time.
pub fn start(format: LogFormat, level: LogLevel, under_systemd: bool) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    let lines = match (format, under_systemd) {
        (LogFormat::Json, _) => lines.json().flatten_event(true).with_current_span(false).boxed(),
        (LogFormat::Plain, true) => lines.without_time().boxed(),
        (LogFormat::Plain, false) => lines.boxed(),
    };
    let heard = FilterFn::new(move |about| {
        let most = if about.target().starts_with(TALKATIVE) { level.min(LevelFilter::WARN) } else { level };
        *about.level() <= most
    });
    let heard = heard.with_max_level_hint(level);
    tracing_subscriber::registry().with(lines.with_filter(heard)).try_init().ok();
}
