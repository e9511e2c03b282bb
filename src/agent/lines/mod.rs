//! What the log may say: each line has a name, and comes from one table.
//!
//! Promises: no line without a name; of one kind at most [`MOST`] lines an hour, the rest is counted. Must not know:
//! how lines look and where they go ([`crate::logging`]).

pub mod catalogue;
pub mod events;
#[cfg(test)]
mod tests;

use crate::clock::boot_time;
use crate::events::Record;
use crate::logging::LogLevel;
use crate::subscription::Severity;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tracing::Level;

/// A line that the log can hold.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Its name, the field `event`: it never changes.
    pub id: &'static str,
    /// How much it matters.
    pub level: Level,
    /// What it says, with what differs in capitals.
    pub sentence: &'static str,
    /// Its fields.
    pub fields: &'static [&'static str],
    /// What it means.
    pub means: &'static str,
    /// What to do, or nothing.
    pub todo: &'static str,
}

/// Writes a line of the [`catalogue`], fields first and then the sentence: `say!(AGENT_READY, version, "ready")`.
macro_rules! say {
    ($line:ident, $($told:tt)+) => {
        if $crate::agent::lines::may(
            $crate::agent::lines::catalogue::$line.id,
            $crate::agent::lines::catalogue::$line.level,
        ) {
            ::tracing::event!(
                $crate::agent::lines::catalogue::$line.level,
                event = $crate::agent::lines::catalogue::$line.id,
                $($told)+
            )
        }
    };
}
pub(crate) use say;

/// So many lines of one name are written in [`WINDOW`].
pub const MOST: u32 = 60;
/// The time that [`MOST`] is for.
pub const WINDOW: Duration = Duration::from_secs(3600);

/// How many lines of a name came since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    began: Duration,
    came: u32,
}

/// What is to be done with one more line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Write,
    /// Write, and say before how many were left out.
    WriteAfter(u32),
    /// Say that this kind is held back from now on.
    HoldBack,
    Count,
}

impl Count {
    fn one_more(&mut self, now: Duration) -> Told {
        let left_out = self.came.saturating_sub(MOST);
        if self.came == 0 || now.saturating_sub(self.began) >= WINDOW {
            *self = Self { began: now, came: 1 };
            return if left_out == 0 { Told::Write } else { Told::WriteAfter(left_out) };
        }
        self.came = self.came.saturating_add(1);
        match self.came.saturating_sub(MOST) {
            0 => Told::Write,
            1 => Told::HoldBack,
            _ => Told::Count,
        }
    }
}

static COUNTS: Mutex<BTreeMap<&'static str, Count>> = Mutex::new(BTreeMap::new());

/// Whether a line of this name is written now, or was told too often. Where `debug` is written, everything is.
pub fn may(id: &'static str, level: Level) -> bool {
    if level == Level::DEBUG || crate::logging::level() == LogLevel::Debug {
        return true;
    }
    let told = {
        let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
        counts.entry(id).or_default().one_more(boot_time())
    };
    match told {
        Told::Write => true,
        Told::Count => false,
        Told::HoldBack => {
            let line = catalogue::LOG_HELD_BACK;
            tracing::warn!(
                event = line.id,
                line = id,
                "{id} came {MOST} times within the hour: more of it is counted, and not written until the hour is over"
            );
            false
        }
        Told::WriteAfter(count) => {
            let line = catalogue::LOG_LEFT_OUT;
            tracing::warn!(event = line.id, line = id, count, "{count} lines {id} were left out since");
            true
        }
    }
}

/// The line of an event that was kept.
pub fn kept(record: &Record) {
    let Record { id, type_name: event, subject, description, .. } = record;
    let key = subject.as_deref();
    let level = match record.severity {
        _ if *event == crate::events::REPORT => Level::DEBUG,
        Severity::Info => Level::INFO,
        Severity::Warning => Level::WARN,
        Severity::Failure | Severity::Critical => Level::ERROR,
    };
    if !may(event, level) {
        return;
    }
    match level {
        Level::ERROR => tracing::error!(event, %id, key, "{description}"),
        Level::WARN => tracing::warn!(event, %id, key, "{description}"),
        Level::INFO => tracing::info!(event, %id, key, "{description}"),
        _ => tracing::debug!(event, %id, key, "{description}"),
    }
}
