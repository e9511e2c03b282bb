//! A pending activation: what is remembered of one that the vendor did not answer. Pure but for its note's form.

use crate::health::PendingActivation;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;
use svm_core::documents::Sub;
use svm_core::failure_code::FailureCode;
use svm_core::subscription::Role;

/// After so long without a document it has failed.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A wait is never longer; what says so was noted under another clock.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(2);

/// Why there is no document yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: FailureCode,
    pub message: String,
    /// How long the server wants to be left alone.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

/// An activation that waits for its document. The code is not needed any more: `sub` finds the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// A secret, as in documents; its `Debug` does not show it.
    #[serde(serialize_with = "write_sub", deserialize_with = "read_sub")]
    pub(crate) sub: Sub,
    pub(crate) role: Role,
    pub(crate) since: Timestamp,
    pub(crate) next_try_at: Timestamp,
    /// How often in a row it failed.
    pub(crate) tries: u32,
    pub(crate) failure: Failure,
}

fn write_sub<S: Serializer>(sub: &Sub, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(sub.as_str())
}

fn read_sub<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Sub, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

impl Pending {
    /// When it is to be tried, seen at `now`.
    pub(crate) fn due(&self, now: Timestamp) -> Timestamp {
        let longest = now.checked_add(LONGEST_WAIT).unwrap_or(now);
        if self.next_try_at > longest { now } else { self.next_try_at }
    }

    /// One more failure, with the next try after `wait`.
    pub(crate) fn failed(&mut self, now: Timestamp, failure: Failure, wait: Duration) {
        self.tries = self.tries.saturating_add(1);
        self.failure = failure;
        let wait = SignedDuration::try_from(wait).unwrap_or(LONGEST_WAIT);
        self.next_try_at = now.checked_add(wait).unwrap_or(now);
    }

    /// Whether it lasts too long to go on. Asked after a failure.
    pub(crate) fn is_hopeless(&self, now: Timestamp) -> bool {
        now.duration_since(self.since) >= GIVEN_UP_AFTER
    }

    /// What may be shown of it.
    pub(crate) fn shown(&self) -> PendingActivation {
        let Self { role, since, next_try_at, tries, failure, .. } = self;
        PendingActivation {
            role: *role,
            since: *since,
            next_try_at: *next_try_at,
            tries: *tries,
            code: failure.code.clone(),
            message: failure.message.clone(),
        }
    }
}

/// All that wait: at most one for each role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Waiting {
    pub(crate) active: Option<Pending>,
    pub(crate) reserve: Option<Pending>,
}

impl Waiting {
    pub(crate) fn of(&mut self, role: Role) -> &mut Option<Pending> {
        match role {
            Role::Active => &mut self.active,
            Role::Reserve => &mut self.reserve,
        }
    }

    /// The one whose turn it is: a reserve stands behind an active key, and waits for it.
    pub(crate) fn first(&self) -> Option<&Pending> {
        self.active.as_ref().or(self.reserve.as_ref())
    }

    pub(crate) fn shown(&self) -> Vec<PendingActivation> {
        [&self.active, &self.reserve].into_iter().flatten().map(Pending::shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn pending(role: Role) -> Pending {
        let since = at("2026-01-01T00:00:00Z");
        let failure =
            Failure { code: FailureCode::Timeout, message: "no answer".to_owned(), retry_after: None };
        let sub = "0123456789abcdef".repeat(4).parse().unwrap();
        Pending { sub, role, since, next_try_at: since, tries: 0, failure }
    }

    #[test]
    fn a_note_brings_it_back_and_nothing_shown_has_the_secret() {
        let mut waiting = Waiting { active: None, reserve: Some(pending(Role::Reserve)) };
        let note = serde_json::to_string(&waiting).unwrap();
        assert_eq!(serde_json::from_str::<Waiting>(&note).unwrap(), waiting);
        let shown = format!("{waiting:?} {}", serde_json::to_string(&waiting.shown()).unwrap());
        assert!(!shown.contains("0123456789abcdef"), "{shown}");
        assert_eq!(waiting.first().unwrap().role, Role::Reserve);
        *waiting.of(Role::Active) = Some(pending(Role::Active));
        assert_eq!(waiting.first().unwrap().role, Role::Active, "the reserve waits for it");
    }

    #[test]
    fn it_waits_as_told_and_not_for_ever() {
        let mut one = pending(Role::Active);
        let now = at("2026-01-01T10:00:00Z");
        let failure = one.failure.clone();
        one.failed(now, failure, Duration::from_secs(600));
        assert_eq!((one.due(now), one.tries), (at("2026-01-01T10:10:00Z"), 1));
        // Noted under a clock that was far ahead.
        assert_eq!(one.due(at("2025-01-01T00:00:00Z")), at("2025-01-01T00:00:00Z"));
        assert!(!one.is_hopeless(at("2026-01-30T23:59:59Z")) && one.is_hopeless(at("2026-01-31T00:00:00Z")));
    }
}
