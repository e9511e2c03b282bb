//! What an SVM says of its subscription without being asked: at login, and in `systemctl status svm-agent`.

use crate::subscription::{Cause, Permit, Phase, Reason, Remedy, Resource, Situation, Vendor};
use crate::words::labels::{Explain, Label, Phrase};
use crate::words::permits::{became, resource, should};
use crate::words::reasons::sentence;
use crate::words::remedies::{self, Then};
use crate::words::times::day_or_instant;
use crate::words::{Language, Noun, causes, count, phases};
use jiff::Timestamp;

texts! {
    /// What stands around the sentences of the catalogue.
    Notice {
        Since: "Since {when}: {what}.", "С {when}: {what}.";
        On: "on {when}", "{when}";
        PhaseUntil: "{phase} until {when}", "{phase} до {when}";
        Allowed: "{what} allowed", "{what}: разрешено";
        Limited: "{what} limited", "{what}: с ограничением";
        Stopped: "{what} stopped", "{what}: остановлено";
        AgentStopped: "The agent is stopped; permits remain valid until they end", "Агент остановлен; разрешения действуют до конца своего срока";
    }
}

/// What a resource may do, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermitFacts {
    /// Of what.
    pub resource: Resource,
    /// How much of it.
    pub permit: Permit,
    /// Since when, if it ever changed.
    pub since: Option<Timestamp>,
    /// Whether something must enforce it here and nothing does.
    pub is_unenforced: bool,
}

impl PermitFacts {
    /// What became of the resource, as half a sentence.
    fn became(&self, language: Language) -> &'static str {
        let text = if self.is_unenforced { should } else { became };
        text(self.resource, self.permit).get(language)
    }
}

/// What both notices are made from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Where the subscription stands.
    pub situation: &'a Situation,
    /// Who provides the active key.
    pub vendor: Option<&'a Vendor>,
    /// Of every resource.
    pub permits: &'a [PermitFacts],
    /// What is wrong with the store.
    pub store_problem: Option<&'a str>,
    /// How many days before the known end people are to be reminded; `None`: not at all.
    pub remind_days: Option<u32>,
}

impl Facts<'_> {
    /// One line: phase and end, permits, and how many events wait.
    pub fn status_line(&self, waiting: u64, language: Language) -> String {
        let Situation { phase, cause, lapse_cause, .. } = *self.situation;
        let word = phases::phase(phase).get(language);
        let word = match cause {
            Some(cause) => format!("{word} ({})", causes::short(cause, lapse_cause).get(language)),
            None => word.to_owned(),
        };
        let until = self.until().map(|at| day_or_instant(at, language));
        let state = match until {
            Some(when) => Notice::PhaseUntil.fill(language, &[("phase", &word), ("when", &when)]),
            None => word,
        };
        let mut parts = vec![capitalised(&state)];
        parts.extend(self.permits_in_short(language));
        parts.push(match waiting {
            0 => Phrase::NothingWaits.get(language).to_owned(),
            n => Phrase::Waits.fill(language, &[("events", &count(n, Noun::Event, language))]),
        });
        parts.extend(self.store_problem.map(|problem| {
            let problem = Phrase::CannotWrite.fill(language, &[("problem", problem)]);
            format!("{}: {problem}", Label::Store.get(language))
        }));
        parts.join("; ")
    }

    /// At most three lines for people who log in: what holds, since or until when, and the next step. None while nothing is
    /// restricted and nothing ends soon.
    pub fn login(&self, language: Language) -> Vec<String> {
        let Situation { phase, cause, lapse_cause, .. } = *self.situation;
        let restricted: Vec<&PermitFacts> =
            self.permits.iter().filter(|p| p.permit != Permit::Full).collect();
        let became = restricted.iter().map(|permit| permit.became(language)).collect::<Vec<_>>().join("; ");
        let since = restricted.iter().filter_map(|permit| permit.since).max();
        let since = since.map(|at| {
            let when = day_or_instant(at, language);
            Notice::Since.fill(language, &[("when", &when), ("what", &became)])
        });
        let holds = cause.map(|cause| causes::because(cause, lapse_cause).get(language)).unwrap_or_default();
        let holds = phases::meaning(phase).fill(language, &[("because", holds)]);
        let (what, when) = match phase {
            Phase::NotActivated | Phase::Restricted => (holds, since),
            Phase::Grace => (holds, self.grace_end(language)),
            Phase::Active if !restricted.is_empty() => (capitalised(&became) + ".", None),
            Phase::Active if self.ends_soon() => {
                (sentence(Reason::Expiring).get(language).to_owned(), self.end(language))
            }
            Phase::Active => return Vec::new(),
        };
        let mut lines = vec![format!("svm-agent: {what}")];
        lines.extend(when);
        lines.push(Explain::NextStep.fill(language, &[("step", &self.step(language))]));
        lines
    }

    /// The end of what holds now, if it is known.
    fn until(&self) -> Option<Timestamp> {
        let Situation { phase, key, known_end, .. } = *self.situation;
        match phase {
            Phase::Active => known_end.map(|end| end.ends_at),
            Phase::Grace => key.and_then(|key| key.grace_ends_at),
            Phase::NotActivated | Phase::Restricted => None,
        }
    }

    /// Whether the known end is near, and somebody has to do something about it.
    fn ends_soon(&self) -> bool {
        let Some((end, days)) = self.situation.known_end.zip(self.remind_days) else { return false };
        let renews = end.why == Cause::Ended && self.situation.key.is_some_and(|key| key.auto_renew);
        let takes_over = self.situation.before_known_end() == Some(Remedy::ReserveTakesOver);
        let left = end.ends_at.duration_since(self.situation.now).as_secs();
        left <= i64::from(days) * 86_400 && !renews && !takes_over
    }

    fn grace_end(&self, language: Language) -> Option<String> {
        let when = day_or_instant(self.until()?, language);
        Some(capitalised(&Phrase::GraceUntil.fill(language, &[("when", &when)])) + ".")
    }

    fn end(&self, language: Language) -> Option<String> {
        let end = self.situation.known_end?;
        let phrase = match end.why {
            Cause::Cancelled => Phrase::WillCancel,
            Cause::Blocked => Phrase::WillBlock,
            Cause::Paused => Phrase::WillPause,
            Cause::Unpaid => Phrase::IsPaidUntil,
            _ => Phrase::Ends,
        };
        let day = day_or_instant(end.ends_at, language);
        let on = match phrase {
            Phrase::IsPaidUntil => day,
            _ => Notice::On.fill(language, &[("when", &day)]),
        };
        Some(capitalised(&phrase.fill(language, &[("when", &on)])) + ".")
    }

    /// The first thing to do.
    fn step(&self, language: Language) -> String {
        let situation = self.situation;
        let remedy = situation.remedies().first().copied();
        match remedy.or_else(|| situation.before_known_end().filter(|_| self.ends_soon())) {
            Some(remedy) => remedies::sentence(remedy, situation, self.vendor, language),
            None if self.store_problem.is_some() => Then::Store.get(language).to_owned(),
            None => Then::Explain.get(language).to_owned(),
        }
    }

    fn permits_in_short(&self, language: Language) -> Vec<String> {
        let is = |permit: Permit, names: &str| {
            let text = match permit {
                Permit::Full => Notice::Allowed,
                Permit::Limited => Notice::Limited,
                Permit::Stopped => Notice::Stopped,
            };
            text.fill(language, &[("what", names)])
        };
        let name = |facts: &PermitFacts| resource(facts.resource).get(language);
        match self.permits {
            [first, rest @ ..] if !first.is_unenforced && rest.iter().all(|next| alike(first, next)) => {
                let names: Vec<&str> = self.permits.iter().map(name).collect();
                vec![is(first.permit, &names.join(Phrase::And.get(language)))]
            }
            permits => {
                let one = |facts: &PermitFacts| match facts.is_unenforced && facts.permit != Permit::Full {
                    true => facts.became(language).to_owned(),
                    false => is(facts.permit, name(facts)),
                };
                permits.iter().map(one).collect()
            }
        }
    }
}

fn alike(one: &PermitFacts, other: &PermitFacts) -> bool {
    (one.permit, one.is_unenforced) == (other.permit, other.is_unenforced)
}

/// A sentence begins with a capital letter.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscription::{KeyFacts, KeyKind, KnownEnd, VendorState};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn situation(phase: Phase, cause: Option<Cause>, lapse_cause: Option<Cause>) -> Situation {
        let ends_at = at("2027-01-15T00:00:00Z");
        let key = KeyFacts {
            kind: KeyKind::Subscription,
            state: if lapse_cause.or(cause) == Some(Cause::Paused) {
                VendorState::Paused
            } else {
                VendorState::Active
            },
            state_since: None,
            ends_at: Some(ends_at),
            paid_until: None,
            grace_ends_at: Some(at("2027-02-14T00:00:00Z")),
            auto_renew: false,
        };
        Situation {
            now: at("2027-01-01T12:00:00Z"),
            phase,
            cause,
            lapse_cause,
            key: (phase != Phase::NotActivated).then_some(key),
            known_end: (phase == Phase::Active).then_some(KnownEnd { ends_at, why: Cause::Ended }),
            has_reserve: false,
            is_activating: false,
            has_source: true,
        }
    }

    fn permits(permit: Permit, is_unenforced: bool) -> Vec<PermitFacts> {
        let since = Some(at("2027-02-14T00:00:00Z"));
        Resource::ALL.map(|resource| PermitFacts { resource, permit, since, is_unenforced }).into()
    }

    fn facts<'a>(situation: &'a Situation, permits: &'a [PermitFacts]) -> Facts<'a> {
        Facts { situation, vendor: None, permits, store_problem: None, remind_days: Some(30) }
    }

    #[test]
    fn a_login_shows_what_holds_until_or_since_when_and_the_next_step() {
        let (full, stopped) = (permits(Permit::Full, false), permits(Permit::Stopped, false));
        let renew = "Renew the subscription with the provider; svm-agent renewal has a letter for it. Then run: svm-agent refresh";
        for (is, permits, lines) in [
            (
                situation(Phase::Active, None, None),
                &full,
                vec![
                    "svm-agent: The subscription ends soon.".to_owned(),
                    "It ends on 2027-01-15.".to_owned(),
                    "Next step: Renew the subscription with the provider before 2027-01-15; svm-agent renewal has a letter for it".to_owned(),
                ],
            ),
            (
                situation(Phase::Grace, Some(Cause::Paused), None),
                &full,
                vec![
                    "svm-agent: The subscription is in its grace period, because the provider paused it. Database updates and KSN are still allowed in full.".to_owned(),
                    "Grace period until 2027-02-14.".to_owned(),
                    "Next step: Ask the provider to resume the subscription. Then run: svm-agent refresh".to_owned(),
                ],
            ),
            (
                Situation { now: at("2027-03-01T00:00:00Z"), ..situation(Phase::Restricted, Some(Cause::GraceOver), Some(Cause::Ended)) },
                &stopped,
                vec![
                    "svm-agent: The subscription is restricted, because its term ended and its grace period is over. Protection continues with the databases that the SVM has.".to_owned(),
                    "Since 2027-02-14: database updates are stopped; the use of KSN is stopped.".to_owned(),
                    format!("Next step: {renew}"),
                ],
            ),
            (
                situation(Phase::NotActivated, None, None),
                &stopped,
                vec![
                    "svm-agent: The SVM has no active key. Protection works; database updates and KSN are not allowed.".to_owned(),
                    "Since 2027-02-14: database updates are stopped; the use of KSN is stopped.".to_owned(),
                    "Next step: Activate the SVM: svm-agent activate CODE".to_owned(),
                ],
            ),
        ] {
            assert_eq!(facts(&is, permits).login(Language::English), lines);
            let russian = facts(&is, permits).login(Language::Russian);
            assert_eq!(russian.len(), lines.len());
            assert!(russian.last().unwrap().starts_with("Следующий шаг: "), "{russian:?}");
        }
    }

    #[test]
    fn a_login_shows_nothing_while_all_is_well() {
        let full = permits(Permit::Full, false);
        let soon = situation(Phase::Active, None, None);
        let key = soon.key.map(|key| KeyFacts { auto_renew: true, ..key });
        for quiet in [
            Situation { now: at("2026-12-15T00:00:00Z"), ..soon },
            Situation { known_end: None, ..soon },
            Situation { key, ..soon },
            Situation { has_reserve: true, ..soon },
        ] {
            assert_eq!(facts(&quiet, &full).login(Language::English), [""; 0], "{quiet:?}");
        }
        assert_eq!(Facts { remind_days: None, ..facts(&soon, &full) }.login(Language::English), [""; 0]);
        let paused = KnownEnd { ends_at: at("2027-01-09T14:00:00Z"), why: Cause::Paused };
        let announced = Situation { known_end: Some(paused), ..soon };
        let lines = facts(&announced, &full).login(Language::English);
        assert_eq!(lines[1], "The provider pauses it on 2027-01-09 14:00 UTC.");
    }

    #[test]
    fn the_status_line_is_short() {
        let (full, stopped) = (permits(Permit::Full, false), permits(Permit::Stopped, false));
        let unenforced = permits(Permit::Stopped, true);
        let restricted = situation(Phase::Restricted, Some(Cause::Cancelled), None);
        for (is, permits, waiting, line, russian) in [
            (
                situation(Phase::Active, None, None),
                &full,
                0,
                "Active until 2027-01-15; database updates and KSN allowed; no events wait",
                "Действует до 15.01.2027; обновление баз и KSN: разрешено; очередь пуста",
            ),
            (
                situation(Phase::Grace, Some(Cause::Paused), None),
                &full,
                1,
                "In its grace period (paused) until 2027-02-14; database updates and KSN allowed; 1 event waiting",
                "Льготный период (пауза) до 14.02.2027; обновление баз и KSN: разрешено; в очереди 1 событие",
            ),
            (
                restricted,
                &stopped,
                22,
                "Restricted (cancelled); database updates and KSN stopped; 22 events waiting",
                "Ограничена (отменена); обновление баз и KSN: остановлено; в очереди 22 события",
            ),
            (
                restricted,
                &unenforced,
                0,
                "Restricted (cancelled); database updates must stop, but nothing on this SVM enforces it; the use of KSN must stop, but nothing on this SVM enforces it; no events wait",
                "Ограничена (отменена); обновление баз должно быть остановлено, но на этой SVM ничто за этим не следит; использование KSN должно быть остановлено, но на этой SVM ничто за этим не следит; очередь пуста",
            ),
        ] {
            assert_eq!(facts(&is, permits).status_line(waiting, Language::English), line);
            assert_eq!(facts(&is, permits).status_line(waiting, Language::Russian), russian);
        }
        let broken = Facts { store_problem: Some("disk full"), ..facts(&restricted, &stopped) };
        assert!(
            broken.status_line(0, Language::English).ends_with("; Database: cannot be written: disk full")
        );
    }
}
