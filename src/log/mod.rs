//! What the log may say: each line has an id, and its text comes from one table.
//!
//! Promises: no line without an id; of one message about one object at most [`MAX_LINES`] lines an hour, the rest is
//! counted, so that a failure that comes and goes hides nothing else. Must not know: how lines look and where they go
//! ([`svm_core::logging`]).

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

/// Writes a message of the [`catalogue`]: first its fields, as `tracing` takes them, then after `;` the values that are
/// in the text alone. `log_event!(SETTINGS_REFUSED, code; problem = error)`. A message that is about one of several things names it:
/// `log_event!(EVENT_REFUSED of destination, …)` is counted for each destination. A value that is missing, or one too
/// many, does not compile.
macro_rules! log_event {
    ($message:ident of $object:expr, $($given:tt)+) => {
        $crate::log::log_event!(@ $message, Some(::std::convert::AsRef::<str>::as_ref(&$object)), [, $($given)+])
    };
    ($message:ident of $object:expr; $($given:tt)+) => {
        $crate::log::log_event!(@ $message, Some(::std::convert::AsRef::<str>::as_ref(&$object)), [; $($given)+])
    };
    ($message:ident $($given:tt)*) => { $crate::log::log_event!(@ $message, None, [$($given)*]) };
    (@ $message:ident, $object:expr, [$($given:tt)*]) => {
        if $crate::log::is_due(
            $crate::log::catalogue::$message.id,
            $crate::log::catalogue::$message.level,
            $object,
        ) {
            $crate::log::write_message!($message $($given)*)
        }
    };
}
pub(crate) use log_event;

/// Writes a message without counting it.
macro_rules! write_message {
    ($message:ident $(, $(% $shown:ident)? $($field:ident $(= $value:expr)?)?)* $(; $($name:ident $(= $text:expr)?),+)?) => {{
        const { assert!(
            $crate::log::catalogue::$message.accepts(
                &[$($(stringify!($shown),)? $(stringify!($field),)?)*],
                &[$($(stringify!($name)),+)?],
            ),
            "the fields and values are not those of the catalogue"
        ) };
        ::tracing::event!(
            $crate::log::catalogue::$message.level,
            event = $crate::log::catalogue::$message.id,
            $($(% $shown)? $($field $(= $value)?)?,)*
            "{}",
            $crate::log::catalogue::$message.render(&[
                $($((stringify!($shown), &$crate::log::message::Shown(&$shown)),)?
                $((stringify!($field), &$crate::log::value_of!($field $(= $value)?)),)?)*
                $($((stringify!($name), &$crate::log::message::Shown(&$crate::log::value_of!($name $(= $text)?)))),+)?
            ])
        )
    }};
}
pub(crate) use write_message;

macro_rules! value_of {
    ($name:ident) => {
        $name
    };
    ($name:ident = $value:expr) => {
        $value
    };
}
pub(crate) use value_of;

/// So many lines of one message are written in [`WINDOW`] about one object, such as a destination.
pub const MAX_LINES: u32 = 60;
/// So many objects of one message are counted each for itself; more are counted together.
const MAX_OBJECTS: usize = 32;
/// The time that [`MAX_LINES`] is for.
pub const WINDOW: Duration = Duration::from_secs(3600);

/// How many lines of a message came since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    began: Duration,
    came: u32,
}

/// What to do with one more line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    Write,
    /// Write, and before it how many were left out.
    WriteAfter(u32),
    /// Write that this message is held back from now on.
    HoldBack,
    Count,
}

impl Count {
    fn one_more(&mut self, now: Duration) -> Admission {
        let left_out = self.came.saturating_sub(MAX_LINES);
        if self.came == 0 || now.saturating_sub(self.began) >= WINDOW {
            *self = Self { began: now, came: 1 };
            return if left_out == 0 { Admission::Write } else { Admission::WriteAfter(left_out) };
        }
        self.came = self.came.saturating_add(1);
        match self.came.saturating_sub(MAX_LINES) {
            0 => Admission::Write,
            1 => Admission::HoldBack,
            _ => Admission::Count,
        }
    }
}

/// How many lines came of each message and object. The object is a digest; 0 is none, and 1 all that are too many.
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
        if key.1 > TOGETHER
            && !self.0.contains_key(&key)
            && self.0.range(of_id.clone()).count() >= MAX_OBJECTS
        {
            // One whose hour is over, and of which nothing is left to say, makes room.
            let over = |count: &Count| now.saturating_sub(count.began) >= WINDOW && count.came <= MAX_LINES;
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

/// Whether a line of this message, about this object, is written now, or came too often. If `debug` is written,
/// everything is.
pub fn is_due(id: &'static str, level: Level, object: Option<&str>) -> bool {
    if level == Level::DEBUG || svm_core::logging::level() == LogLevel::Debug {
        return true;
    }
    let admission = {
        let mut counts = lock(&COUNTS);
        counts.one_more(id, object, boot_time())
    };
    let message = object.map_or_else(|| id.to_owned(), |object| format!("{id} of {object}"));
    match admission {
        Admission::Write => true,
        Admission::Count => false,
        Admission::HoldBack => {
            write_message!(LOG_HELD_BACK, line = id, object; message, limit = MAX_LINES);
            false
        }
        Admission::WriteAfter(count) => {
            write_message!(LOG_LEFT_OUT, line = id, object, count; message);
            true
        }
    }
}

/// Writes the line of an event that was stored.
pub fn stored_event(record: &Record) {
    let Record { id, type_name: event, subject, object, description, .. } = record;
    let key = subject.as_deref();
    let level = match record.severity {
        _ if *event == svm_core::events::REPORT => Level::DEBUG,
        Severity::Info => Level::INFO,
        Severity::Warning => Level::WARN,
        Severity::Failure | Severity::Critical => Level::ERROR,
    };
    if !is_due(event, level, object.as_deref()) {
        return;
    }
    match level {
        Level::ERROR => tracing::error!(event, %id, key, "{description}"),
        Level::WARN => tracing::warn!(event, %id, key, "{description}"),
        Level::INFO => tracing::info!(event, %id, key, "{description}"),
        _ => tracing::debug!(event, %id, key, "{description}"),
    }
}
