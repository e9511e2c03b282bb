//! The status in a few sentences of the catalogue: where the subscription stands, and what is stopped.

use super::{KeyStatus, PermitStatus, Status};
use jiff::SignedDuration;
use svm_core::subscription::{
    Cause, KeyFacts, KnownEnd, Permit, Phase, Reason, Resource, Role, Situation, days_left,
};
use svm_core::words::labels::Phrase;
use svm_core::words::{Language, Noun, causes, count, permits, phases, reasons, times};

impl Status {
    /// What advice depends on.
    pub fn situation(&self) -> Situation {
        let facts = |key: &KeyStatus| KeyFacts {
            kind: key.kind,
            state: key.state,
            state_since: key.state_since,
            ends_at: key.ends_at,
            paid_until: key.paid_until,
            grace_ends_at: key.grace_ends_at,
            auto_renew: key.auto_renew,
        };
        Situation {
            now: self.at,
            phase: self.phase,
            cause: self.cause,
            lapse_cause: self.lapse_cause,
            key: self.active().map(facts),
            known_end: self.known_end.filter(|_| self.phase == Phase::Active),
            has_reserve: self.keys.iter().any(|key| key.role == Role::Reserve),
            is_activating: self.activations.iter().any(|pending| pending.role == Role::Active),
            has_source: self.source.configured,
        }
    }

    /// How much is left of the term or of the grace period, and what then comes; nothing if no end is known.
    pub fn left(&self, language: Language) -> Option<String> {
        let KnownEnd { ends_at, why } = self.known_end?;
        let is_soon = ends_at.duration_since(self.at) < SignedDuration::from_hours(24);
        let days = days_left(self.at, ends_at);
        let span = count(days, Noun::Day, language);
        let when =
            if is_soon { times::days_ahead(1, ends_at, language) } else { times::in_days(days, language) };
        let phrase = match why {
            Cause::GraceOver if is_soon => Phrase::GraceOver,
            Cause::GraceOver => Phrase::GraceDaysLeft,
            Cause::Cancelled => Phrase::WillCancel,
            Cause::Blocked => Phrase::WillBlock,
            Cause::Paused => Phrase::WillPause,
            Cause::Unpaid => Phrase::PaidUntil,
            _ if is_soon => Phrase::Ends,
            _ => Phrase::DaysLeft,
        };
        Some(phrase.fill(language, &[("days", &span), ("when", &when)]))
    }

    /// Why it is in grace or restricted, as half a sentence.
    pub fn because(&self, language: Language) -> &'static str {
        self.cause.map(|cause| causes::because(cause, self.lapse_cause).get(language)).unwrap_or_default()
    }

    /// Where the subscription stands, in one line.
    pub fn stands(&self, language: Language) -> String {
        let phase = phases::with_cause(self.phase, self.cause, self.lapse_cause, language);
        self.left(language).map_or(phase.clone(), |left| format!("{phase}, {left}"))
    }

    /// The reasons of the device status, in a few words each. A reason of another version keeps its name.
    pub fn reasons_in_short(&self, language: Language) -> Vec<String> {
        let short = |name: &String| {
            Reason::from_name(name)
                .map_or(name.clone(), |reason| reasons::short(reason).get(language).to_owned())
        };
        self.reasons.iter().map(short).collect()
    }

    /// What is stopped or limited, and what should be although nothing enforces it; nothing if all is allowed.
    pub fn stopped(&self, language: Language) -> Option<String> {
        let names = |of: &dyn Fn(&PermitStatus) -> bool| {
            let names = self.permits.iter().filter(|p| of(p));
            let names: Vec<&str> = names.map(|p| permits::resource(p.resource).get(language)).collect();
            names.join(Phrase::And.get(language))
        };
        let is_enforced = |p: &PermitStatus| !p.enforced_by.is_empty();
        let stopped = names(&|p| p.verdict == Permit::Stopped && is_enforced(p));
        let limited = names(&|p| p.verdict == Permit::Limited && is_enforced(p));
        let mut parts = Vec::new();
        if !stopped.is_empty() {
            parts.push(stopped);
        }
        if !limited.is_empty() {
            parts.push(Phrase::LimitedPart.fill(language, &[("what", &limited)]));
        }
        let ungoverned = names(&|p| p.verdict != Permit::Full && !is_enforced(p) && !p.governed);
        if !ungoverned.is_empty() {
            parts.push(Phrase::NotGovernedPart.fill(language, &[("what", &ungoverned)]));
        }
        let is_unenforced = |p: &PermitStatus, verdict| p.governed && !is_enforced(p) && p.verdict == verdict;
        for (verdict, phrase) in
            [(Permit::Stopped, Phrase::MustStop), (Permit::Limited, Phrase::MustBeLimited)]
        {
            let what = names(&|p| is_unenforced(p, verdict));
            if !what.is_empty() {
                parts.push(phrase.fill(language, &[("what", &what)]));
            }
        }
        if parts.is_empty() {
            return None;
        }
        let what = Phrase::ProtectionContinues.fill(language, &[("what", &parts.join("; "))]);
        let is_allowed = matches!(self.phase, Phase::Active | Phase::Grace);
        Some(if is_allowed && self.store_problem.is_some() {
            Phrase::StoreBroken.fill(language, &[("what", &what)])
        } else {
            what
        })
    }

    /// The status of a resource's permit.
    pub fn permit(&self, resource: Resource) -> Option<&PermitStatus> {
        self.permits.iter().find(|p| p.resource == resource)
    }
}
