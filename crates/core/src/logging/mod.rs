//! Logs: one line for each thing that matters, to systemd's journal or to standard error, plain or as JSON.

mod journal;
mod level;

pub use journal::message_id;
pub use level::LogLevel;

use crate::environment;
use crate::terminal;
use crate::text::{clean, one_line};
use serde::Deserialize;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use tracing::Metadata;
use tracing::subscriber::Interest;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// The targets of this package's own lines. Of other libraries only warnings and errors are written.
const OWN: &str = "svm";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// To systemd's journal if standard error is connected to it, else plain.
    #[default]
    Auto,
    /// For people. Under systemd without a time of its own: the journal has it.
    Plain,
    /// One JSON object a line.
    Json,
    /// To systemd's journal, each field as one of its own.
    Journal,
}

/// The least severe level that is written, as a [`LogLevel`] is numbered: of the process, as its log is.
static LEAST: AtomicU8 = AtomicU8::new(LogLevel::Info as u8);

/// Writes lines of this level and above, from now on.
pub fn set_level(level: LogLevel) {
    LEAST.store(level as u8, Ordering::Relaxed);
}

/// The least severe level that is written now.
pub fn level() -> LogLevel {
    let least = LEAST.load(Ordering::Relaxed);
    [LogLevel::Error, LogLevel::Warn, LogLevel::Info]
        .into_iter()
        .find(|level| *level as u8 == least)
        .unwrap_or(LogLevel::Debug)
}

/// The lines that are written.
struct Heard;

impl<S> Filter<S> for Heard {
    fn enabled(&self, about: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        let Some(level) = LogLevel::of(*about.level()) else { return false };
        let least = LEAST.load(Ordering::Relaxed);
        let own = about.target().starts_with(OWN);
        level as u8 <= if own { least } else { least.min(LogLevel::Warn as u8) }
    }

    /// It may change at any time.
    fn callsite_enabled(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }
}

/// Starts logging for this process, by the name that the journal has for it; a second call changes nothing but the level.
pub fn start(program: &'static str, format: LogFormat, level: LogLevel) {
    set_level(level);
    let stream = environment::text("JOURNAL_STREAM");
    let into_journal = match format {
        LogFormat::Journal => true,
        LogFormat::Auto => stderr_is_the_journal(),
        LogFormat::Plain | LogFormat::Json => false,
    };
    if into_journal && let Ok(journal) = journal::Journal::new(program) {
        tracing_subscriber::registry().with(journal.with_filter(Heard)).try_init().ok();
        return;
    }
    let lines = tracing_subscriber::fmt::layer().with_writer(|| Stderr).with_ansi(false).with_target(false);
    let lines = match (format, stream) {
        (LogFormat::Json, _) => lines.json().flatten_event(true).with_current_span(false).boxed(),
        (_, Some(_)) => lines.without_time().boxed(),
        (_, None) => lines.boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(Heard)).try_init().ok();
}

/// Standard error, one line for each thing that is logged: whatever texts from outside a line has, it ends where it ends
/// and steers no terminal.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        // Each line comes whole.
        let text = String::from_utf8_lossy(line);
        let clean = one_line(text.trim_end_matches('\n'));
        std::io::stderr().lock().write_all(format!("{clean}\n").as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// Writes why a program ends to standard error, for people: a terminal gets lines of its width. In the journal each line
/// has the priority of an error (`sd-daemon(3)`), so that `journalctl -p err` shows it.
pub fn complain(text: &str) {
    let priority = if stderr_is_the_journal() { "<3>" } else { "" };
    let width = terminal::width(std::io::stderr());
    let lines = text.lines().flat_map(|line| terminal::wrap("", 2, &clean(line), width));
    let lines: String = lines.map(|line| format!("{priority}{line}\n")).collect();
    // If not even this can be written, the exit code remains.
    std::io::stderr().lock().write_all(lines.as_bytes()).ok();
}

fn stderr_is_the_journal() -> bool {
    environment::text("JOURNAL_STREAM").is_some_and(|stream| leads_to_stderr(&stream))
}

/// Whether standard error is the stream that `JOURNAL_STREAM` names: a program may have been given another one since
/// (`systemd.exec(5)`).
fn leads_to_stderr(stream: &str) -> bool {
    let own = rustix::fs::fstat(std::io::stderr()).map(|stat| (stat.st_dev, stat.st_ino));
    let named =
        stream.split_once(':').and_then(|(device, inode)| Some((device.parse().ok()?, inode.parse().ok()?)));
    named.is_some_and(|named| own == Ok(named))
}
