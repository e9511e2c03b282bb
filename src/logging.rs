//! Logs: one line for each thing that matters, to standard error, plain or as JSON.

use serde::Deserialize;
use std::sync::atomic::{AtomicU8, Ordering};
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};
use tracing_subscriber::layer::{Context, Filter};
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

/// The least severe level that is written, as a [`LogLevel`] is numbered: of the process, as its log is.
static LEAST: AtomicU8 = AtomicU8::new(LogLevel::Info as u8);

/// Has lines of this level and above written, from now on.
pub fn set_level(level: LogLevel) {
    LEAST.store(level as u8, Ordering::Relaxed);
}

/// The lines that are written.
struct Heard;

impl<S> Filter<S> for Heard {
    fn enabled(&self, about: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        let level = match *about.level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            Level::DEBUG => LogLevel::Debug,
            Level::TRACE => return false,
        };
        let least = LEAST.load(Ordering::Relaxed);
        let talkative = about.target().starts_with(TALKATIVE);
        level as u8 <= if talkative { least.min(LogLevel::Warn as u8) } else { least }
    }

    /// It may change at any time.
    fn callsite_enabled(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }
}

/// Starts logging for this process; a second call changes nothing but the level. `under_systemd` leaves out the time.
pub fn start(format: LogFormat, level: LogLevel, under_systemd: bool) {
    set_level(level);
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    let lines = match (format, under_systemd) {
        (LogFormat::Json, _) => lines.json().flatten_event(true).with_current_span(false).boxed(),
        (LogFormat::Plain, true) => lines.without_time().boxed(),
        (LogFormat::Plain, false) => lines.boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(Heard)).try_init().ok();
}
