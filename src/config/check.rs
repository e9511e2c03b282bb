//! Checks single values of the settings and collects what is wrong with them, each at its place.

use jiff::SignedDuration;
use std::collections::BTreeSet;
use std::path::PathBuf;
use svm_core::http::{Connection, Target};
use svm_core::settings::{Origins, Problem, quoted, span};
use svm_core::tls::TlsFiles;

/// No request waits longer, whatever is set.
pub const LONGEST_TIMEOUT: SignedDuration = SignedDuration::from_secs(600);

/// What was found wrong so far. Each section of the settings adds its own check in a file of its own.
pub(crate) struct Check<'a> {
    pub(crate) origins: &'a Origins,
    pub(crate) problems: Vec<Problem>,
    /// Keys that have a problem of form already.
    pub(crate) wrong: BTreeSet<String>,
}

/// Characters of a value that are quoted at most: a longer one is no typing error, and may be a secret.
pub(crate) const MAX_QUOTED: usize = 24;

/// Seconds in the largest unit that fits, as a setting has it.
fn in_units(seconds: i64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "m")];
    let unit = units.iter().find(|(size, _)| seconds >= *size && seconds % size == 0);
    unit.map_or_else(|| format!("{seconds}s"), |(size, name)| format!("{}{name}", seconds / size))
}

fn article(noun: &str) -> String {
    let an = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if an { "an" } else { "a" })
}

pub(crate) fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

impl Check<'_> {
    /// Notes what is wrong with a key, and goes on without it. What follows from another problem of the same key is none.
    pub(crate) fn take<T, E: std::fmt::Display>(&mut self, key: &str, value: Result<T, E>) -> Option<T> {
        let known = self.wrong.contains(key);
        value
            .map_err(|error| {
                if !known {
                    self.problems.push(self.origins.problem(key, error))
                }
            })
            .ok()
    }

    /// Reads each item of a list, and notes what is wrong with it at its own line.
    pub(crate) fn items<T, E: std::fmt::Display>(
        &mut self,
        key: &str,
        texts: &[String],
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let all: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| self.take(&format!("{key}[{at}]"), read(text)))
            .collect();
        all.into_iter().collect()
    }

    /// Whether a table's name is one that files, units and variables can have.
    pub(crate) fn name(&mut self, key: &str, name: &str, what: &str) {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
            let message =
                format!("the name of {} is 1 to 40 letters, digits, - and _; rename it", article(what));
            self.take::<(), _>(key, Err(message));
        }
    }

    pub(crate) fn span(&mut self, key: &str, text: &str, least: i64, most: i64) -> Option<SignedDuration> {
        let span = self.take(key, span(text))?;
        let fits = (least..=most).contains(&span.as_secs());
        let range = format!(
            "must be from {} to {}, not {}",
            in_units(least),
            in_units(most),
            quoted(text, MAX_QUOTED)
        );
        self.take(key, fits.then_some(span).ok_or(range))
    }

    /// An address to which requests go as it stands.
    pub(crate) fn url(&mut self, key: &str, text: &str) -> Option<String> {
        self.take(key, Target::parse(text).map(|_| text.to_owned()))
    }

    /// An address to which a path is put, or of which the host counts alone. A slash at its end means nothing.
    pub(crate) fn base(&mut self, key: &str, text: &str) -> Option<String> {
        let bare = match text.contains(['?', '#']) {
            true => Err(
                "must end with the host or its path, such as https://name.example/path; nothing may follow behind `?` or `#`",
            ),
            false => Ok(()),
        };
        self.take(key, bare)?;
        self.url(key, text.trim_end_matches('/'))
    }

    pub(crate) fn connection(
        &mut self,
        key: &str,
        timeout: &str,
        tls: TlsFiles,
        proxy: &str,
    ) -> Option<Connection> {
        let timeout = self.span(&format!("{key}.timeout"), timeout, 1, LONGEST_TIMEOUT.as_secs());
        let proxy = match proxy {
            "" => Some(None),
            proxy => self.base(&format!("{key}.proxy"), proxy).map(Some),
        };
        Some(Connection { timeout: timeout?.unsigned_abs(), tls, proxy: proxy? })
    }
}
