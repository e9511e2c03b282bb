//! What the log may say: each line has a name, and comes from one table.
//!
//! Promises: no line without a name; of one kind about one object at most [`MOST`] lines an hour, the rest is counted, so
//! that what flaps hides nothing else. Must not know:
//! how lines look and where they go ([`svm_core::logging`]).

pub mod catalogue;
pub mod events;
pub mod message;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::time::Duration;
use svm_core::clock::boot_time;
use svm_core::events::Record;
use svm_core::lock::lock;
use svm_core::logging::LogLevel;
use svm_core::subscription::Severity;
use tracing::Level;

/// Writes a line of the [`catalogue`], fields first and then the sentence: `log_event!(AGENT_READY, version, "ready")`. A line that
/// is about one of several names it: `log_event!(EVENT_REFUSED of destination, …)` is counted for each destination.
macro_rules! log_event {
    ($line:ident of $object:expr, $($told:tt)+) => {
        $crate::log::log_event!(@ $line, Some(::std::convert::AsRef::<str>::as_ref(&$object)), $($told)+)
    };
    ($line:ident, $($told:tt)+) => { $crate::log::log_event!(@ $line, None, $($told)+) };
    (@ $line:ident, $object:expr, $($told:tt)+) => {
        if $crate::log::may(
            $crate::log::catalogue::$line.id,
            $crate::log::catalogue::$line.level,
            $object,
        ) {
            ::tracing::event!(
                $crate::log::catalogue::$line.level,
                event = $crate::log::catalogue::$line.id,
                $($told)+
            )
        }
    };
}
pub(crate) use log_event;

/// So many lines of one name are written in [`WINDOW`] about one object, such as a destination.
pub const MOST: u32 = 60;
/// So many objects of one name are counted each for itself; more are counted together.
const OBJECTS: usize = 32;
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
enum Admission {
    Write,
    /// Write, and say before how many were left out.
    WriteAfter(u32),
    /// Say that this kind is held back from now on.
    HoldBack,
    Count,
}

impl Count {
    fn one_more(&mut self, now: Duration) -> Admission {
        let left_out = self.came.saturating_sub(MOST);
        if self.came == 0 || now.saturating_sub(self.began) >= WINDOW {
            *self = Self { began: now, came: 1 };
            return if left_out == 0 { Admission::Write } else { Admission::WriteAfter(left_out) };
        }
        self.came = self.came.saturating_add(1);
        match self.came.saturating_sub(MOST) {
            0 => Admission::Write,
            1 => Admission::HoldBack,
            _ => Admission::Count,
        }
    }
}

/// How many lines came of each name and object. The object is a digest; 0 is none, and 1 all that are too many.
#[derive(Debug, Default)]
struct Counts(BTreeMap<(&'static str, u64), Count>);

const TOGETHER: u64 = 1;

impl Counts {
    const fn new() -> Self {
        Self(BTreeMap::new())
    }

    fn one_more(&mut self, id: &'static str, object: Option<&str>, now: Duration) -> Admission {
        let mut key = (id, object.map_or(0, digest));
        let of_id = (id, TOGETHER + 1)..=(id, u64::MAX);
        if key.1 > TOGETHER && !self.0.contains_key(&key) && self.0.range(of_id.clone()).count() >= OBJECTS {
            // One whose hour is over, and of which nothing is left to say, makes room.
            let over = |count: &Count| now.saturating_sub(count.began) >= WINDOW && count.came <= MOST;
            let old = self.0.range(of_id).find(|(_, count)| over(count)).map(|(key, _)| *key);
            match old {
                Some(old) => drop(self.0.remove(&old)),
                None => key.1 = TOGETHER,
            }
        }
        self.0.entry(key).or_default().one_more(now)
    }
}

fn digest(object: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.hash(&mut hasher);
    hasher.finish().max(TOGETHER + 1)
}

static COUNTS: Mutex<Counts> = Mutex::new(Counts::new());

/// Whether a line of this name, about this object, is written now, or was told too often. Where `debug` is written,
/// everything is.
pub fn may(id: &'static str, level: Level, object: Option<&str>) -> bool {
    if level == Level::DEBUG || svm_core::logging::level() == LogLevel::Debug {
        return true;
    }
    let admission = {
        let mut counts = lock(&COUNTS);
        counts.one_more(id, object, boot_time())
    };
    let of = object.map(|object| format!(" of {object}")).unwrap_or_default();
    match admission {
        Admission::Write => true,
        Admission::Count => false,
        Admission::HoldBack => {
            let line = catalogue::LOG_HELD_BACK;
            tracing::warn!(
                event = line.id,
                line = id,
                object,
                "{id}{of} came {MOST} times within the hour: more of it is counted, and not written until the hour is over"
            );
            false
        }
        Admission::WriteAfter(count) => {
            let line = catalogue::LOG_LEFT_OUT;
            tracing::warn!(
                event = line.id,
                line = id,
                object,
                count,
                "{count} lines {id}{of} were left out since"
            );
            true
        }
    }
}

/// The line of an event that was kept.
pub fn stored_event(record: &Record) {
    let Record { id, type_name: event, subject, object, description, .. } = record;
    let key = subject.as_deref();
    let level = match record.severity {
        _ if *event == svm_core::events::REPORT => Level::DEBUG,
        Severity::Info => Level::INFO,
        Severity::Warning => Level::WARN,
        Severity::Failure | Severity::Critical => Level::ERROR,
    };
    if !may(event, level, object.as_deref()) {
        return;
    }
    match level {
        Level::ERROR => tracing::error!(event, %id, key, "{description}"),
        Level::WARN => tracing::warn!(event, %id, key, "{description}"),
        Level::INFO => tracing::info!(event, %id, key, "{description}"),
        _ => tracing::debug!(event, %id, key, "{description}"),
    }
}
