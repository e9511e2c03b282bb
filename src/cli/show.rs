//! The whole status and the keys, for a person.

use super::headline::name;
use super::output::Out;
use crate::health::{GatewayHealth, Outdated, PendingActivation, UpdatesHealth};
use crate::outage::Outage;
use crate::remedy;
use crate::status::{DestinationStatus, KeyStatus, PermitStatus, Status};
use jiff::Timestamp;
use std::io;
use svm_core::subscription::{KeyKind, Permit, Phase, Reason, Resource, Role};
use svm_core::words::labels::{Explain, Label, Phrase};
use svm_core::words::permits::{self, Enforcement};
use svm_core::words::renewal::channel;
use svm_core::words::times::{self, instant};
use svm_core::words::{Language, Noun, count, phases, reasons, vendor_states};

/// Texts in the language of an answer.
#[derive(Clone, Copy)]
struct Words {
    language: Language,
}

impl Words {
    fn instant(self, at: Timestamp) -> String {
        instant(at, self.language)
    }

    /// When something was last, or that it never was.
    fn last(self, at: Option<Timestamp>, last: Phrase, none: Phrase) -> String {
        at.map_or_else(
            || none.get(self.language).to_owned(),
            |at| self.say(last, &[("when", &self.instant(at))]),
        )
    }

    fn say(self, phrase: Phrase, values: &[(&str, &str)]) -> String {
        phrase.fill(self.language, values)
    }

    fn failing(self, outage: &Outage) -> String {
        let attempts = count(outage.times.into(), Noun::Attempt, self.language);
        let when = self.instant(outage.since);
        self.say(
            Phrase::FailingSince,
            &[("when", &when), ("attempts", &attempts), ("problem", &outage.message)],
        )
    }

    fn kind(self, kind: KeyKind) -> &'static str {
        let kind = match kind {
            KeyKind::Subscription => Phrase::KeyIsSubscription,
            KeyKind::Commercial => Phrase::KeyIsCommercial,
        };
        kind.get(self.language)
    }

    fn role(self, role: Role) -> &'static str {
        let role = if role == Role::Active { Phrase::RoleActive } else { Phrase::RoleReserve };
        role.get(self.language)
    }

    /// When a key ends.
    fn dates(self, key: &KeyStatus) -> String {
        let dated = |phrase: Phrase, at| self.say(phrase, &[("when", &self.instant(at))]);
        let mut parts = vec![match (key.ends_at, key.paid_until) {
            (Some(end), _) => dated(Phrase::EndsAt, end),
            (None, Some(paid)) => dated(Phrase::IsPaidUntil, paid),
            (None, None) if key.role == Role::Reserve => Phrase::FromTakeOver.get(self.language).to_owned(),
            (None, None) => Phrase::NoEnd.get(self.language).to_owned(),
        }];
        parts.extend(key.grace_ends_at.map(|end| dated(Phrase::GraceUntil, end)));
        parts.join(", ")
    }

    fn key(self, key: &KeyStatus) -> String {
        self.say(
            Phrase::Revision,
            &[
                ("key", &key.key),
                ("kind", self.kind(key.kind)),
                ("rev", &key.rev.to_string()),
                ("dates", &self.dates(key)),
            ],
        )
    }

    /// What the provider says of a key beside its dates: a label and a text each.
    fn details(self, key: &KeyStatus, now: Timestamp) -> Vec<(Label, String)> {
        let state = vendor_states::state(key.state, key.state_since, now, self.language);
        let mut rows = vec![(Label::ProviderState, state)];
        rows.extend(key.activated_at.map(|at| (Label::ActiveSince, self.instant(at))));
        if key.kind == KeyKind::Subscription {
            let renewal = if key.auto_renew { Phrase::RenewalAutomatic } else { Phrase::RenewalManual };
            rows.push((Label::Renewal, renewal.get(self.language).to_owned()));
        }
        let join = |parts: Vec<Option<String>>| parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        if let Some(vendor) = &key.vendor {
            let with = |phrase: Phrase, name, text: &Option<String>| {
                text.as_ref().map(|text| self.say(phrase, &[(name, text)]))
            };
            let contact = join(vec![
                vendor.name.clone(),
                with(Phrase::SupportAt, "url", &vendor.support_url),
                with(Phrase::RenewAt, "url", &vendor.renewal_url),
                with(Phrase::PhoneAt, "phone", &vendor.phone),
            ]);
            rows.extend((!contact.is_empty()).then_some((Label::Provider, contact)));
        }
        if let Some(order) = &key.order {
            let number = order.number.as_ref();
            let bought = order.channel.map(|of| channel(of).get(self.language));
            let placed = order.placed_on.map(|day| times::day(day, self.language));
            let order = join(vec![
                number.map(|number| self.say(Phrase::OrderNumber, &[("number", number)])),
                bought.map(|channel| self.say(Phrase::OrderChannel, &[("channel", channel)])),
                placed.map(|day| self.say(Phrase::OrderPlaced, &[("day", &day)])),
            ]);
            rows.extend((!order.is_empty()).then_some((Label::Order, order)));
        }
        rows
    }

    /// The permit of a resource: what it allows, what enforces it, until when.
    fn permit(self, p: &PermitStatus) -> String {
        let mut parts = vec![permits::permit(p.resource, p.verdict, p.rate, self.language)];
        parts.push(match p.enforced_by.as_slice() {
            [] if !p.governed => Enforcement::NotGoverned.get(self.language).to_owned(),
            [] => Enforcement::Nothing.get(self.language).to_owned(),
            by => {
                let text = if p.carried_out { Enforcement::By } else { Enforcement::NotYet };
                text.fill(self.language, &[("names", &by.join(", "))])
            }
        });
        let dated = |phrase: Phrase, at| self.say(phrase, &[("when", &self.instant(at))]);
        parts.extend(p.next_run_at.map(|next| dated(Phrase::SpentUntil, next)));
        let until = p.until.filter(|_| p.verdict != Permit::Stopped);
        parts.extend(until.map(|until| dated(Phrase::AtLeastUntil, until)));
        parts.extend(p.outage.as_ref().map(|outage| self.failing(outage)));
        parts.join("; ")
    }

    fn databases(self, updates: &UpdatesHealth) -> String {
        let age = match (updates.databases_of, updates.outdated) {
            (None, _) => Phrase::DatabasesUnknown,
            (_, Outdated::None) => Phrase::DatabasesOf,
            (_, Outdated::Warning) => Phrase::DatabasesOld,
            (_, Outdated::Critical) => Phrase::DatabasesTooOld,
        };
        let dated = |phrase: Phrase, at| self.say(phrase, &[("when", &self.instant(at))]);
        let mut parts = vec![updates.databases_of.map_or_else(|| self.say(age, &[]), |of| dated(age, of))];
        parts.extend(match (updates.running_since, updates.next_run_at) {
            (Some(since), _) => Some(dated(Phrase::UpdateRunning, since)),
            (None, Some(next)) => Some(dated(Phrase::NextUpdate, next)),
            (None, None) => None,
        });
        let failed =
            updates.last_failed.as_ref().filter(|failed| Some(failed.at) > updates.last_succeeded_at);
        parts.extend(failed.map(|failed| self.say(Phrase::UpdateFailed, &[("problem", &failed.message)])));
        parts.join("; ")
    }

    fn source(self, status: &Status) -> String {
        let source = &status.source;
        if !source.configured {
            return Phrase::NoSource.get(self.language).to_owned();
        }
        let mut parts = vec![self.last(source.last_heard_at, Phrase::LastAnswer, Phrase::NoAnswer)];
        parts.push(match source.next_look_at {
            Some(at) => self.say(Phrase::NextCheck, &[("when", &self.instant(at))]),
            None => Phrase::NoCheck.get(self.language).to_owned(),
        });
        parts.extend(source.outage.as_ref().map(|outage| self.failing(outage)));
        parts.join("; ")
    }

    fn destination(self, name: &str, d: &DestinationStatus) -> String {
        let events = |number| count(number, Noun::Event, self.language);
        let mut parts = vec![match d.waiting {
            0 => Phrase::NothingWaits.get(self.language).to_owned(),
            number => self.say(Phrase::Waits, &[("events", &events(number))]),
        }];
        let oldest = d.oldest.as_deref().filter(|_| d.waiting > 0);
        parts.extend(oldest.map(|oldest| {
            let when = oldest.parse().map_or_else(|_| oldest.to_owned(), |at| self.instant(at));
            self.say(Phrase::OldestSince, &[("when", &when)])
        }));
        if d.quarantined > 0 {
            parts.push(self.say(Phrase::Quarantined, &[("events", &events(d.quarantined))]));
        }
        parts.push(self.last(d.health.last_delivered_at, Phrase::LastDelivered, Phrase::NoDelivery));
        parts.extend(d.health.outage.as_ref().map(|outage| self.failing(outage)));
        format!("{name} ({}): {}", d.health.url, parts.join("; "))
    }

    fn pending(self, pending: &PendingActivation) -> String {
        let PendingActivation { role, since, next_try_at, tries, message, .. } = pending;
        self.say(
            Phrase::Pending,
            &[
                ("role", self.role(*role)),
                ("when", &self.instant(*since)),
                ("next", &self.instant(*next_try_at)),
                ("attempts", &count((*tries).into(), Noun::Attempt, self.language)),
                ("problem", message),
            ],
        )
    }

    fn gateway(self, gateway: &GatewayHealth) -> String {
        let refused = gateway.refused_stopped + gateway.refused_rate + gateway.refused_full;
        let open = count(gateway.open, Noun::Connection, self.language);
        let mut parts = vec![self.say(
            Phrase::Gateway,
            &[
                ("listen", &gateway.listen),
                ("permit", permits::word(gateway.in_force).get(self.language)),
                ("open", &open),
                ("served", &gateway.accepted.to_string()),
                ("refused", &refused.to_string()),
            ],
        )];
        for upstream in &gateway.upstreams {
            parts.extend(upstream.failing_since.map(|since| {
                let values = [("upstream", upstream.address.as_str()), ("when", &self.instant(since))];
                self.say(Phrase::UpstreamFails, &values)
            }));
        }
        parts.extend(gateway.problem.as_ref().map(|p| self.say(Phrase::GatewayProblem, &[("problem", p)])));
        parts.join("; ")
    }
}

/// The rows below the headline: what stands in the column of names, and the text beside it.
fn rows(words: Words, status: &Status) -> Vec<(String, String)> {
    let language = words.language;
    let row = |label: Label, text: String| (name(label, language), text);
    let mut rows = Vec::new();
    for key in &status.keys {
        let label = if key.role == Role::Active { Label::ActiveKey } else { Label::ReserveKey };
        rows.push(row(label, words.key(key)));
        let details = words.details(key, status.at).into_iter();
        rows.extend(details.map(|(label, text)| (format!("  {:<14}", label.get(language)), text)));
    }
    if let Some(problem) = &status.reserve_problem {
        rows.push((" ".repeat(16), words.say(Phrase::ReserveUnusable, &[("problem", problem)])));
    }
    for p in &status.permits {
        let label = match p.resource {
            Resource::DatabaseUpdates => Label::Updates,
            Resource::Ksn => Label::Ksn,
        };
        rows.push(row(label, words.permit(p)));
    }
    rows.extend(status.gateway.as_ref().map(|gateway| row(Label::Gateway, words.gateway(gateway))));
    rows.push(row(Label::Databases, words.databases(&status.updates)));
    let unknown = || Phrase::Unknown.get(language).to_owned();
    let number = status.devices.count.map_or_else(unknown, |n| n.to_string());
    let limit = match status.devices.limit {
        Some(limit) => words.say(Phrase::Limit, &[("number", &limit.to_string())]),
        None => Phrase::NoLimit.get(language).to_owned(),
    };
    rows.push(row(Label::Devices, format!("{number}, {limit}")));
    rows.push(row(Label::Source, words.source(status)));
    if let Some(problem) = &status.source.refused {
        rows.push((" ".repeat(16), words.say(Phrase::PublishedRefused, &[("problem", problem)])));
    }
    rows.extend(status.activations.iter().map(|pending| row(Label::Activation, words.pending(pending))));
    let destinations = status.destinations.iter();
    rows.extend(destinations.map(|(name, d)| row(Label::Destination, words.destination(name, d))));
    if status.clock.suspicion.is_some() {
        let values = [("wall", words.instant(status.clock.wall)), ("time", words.instant(status.clock.time))];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        rows.push(row(Label::Clock, words.say(Phrase::ClockDoubt, &values)));
    }
    if let Some(problem) = &status.store_problem {
        rows.push(row(Label::Store, words.say(Phrase::CannotWrite, &[("problem", problem)])));
    }
    let svm = [("id", status.id.as_str()), ("host", &status.hostname), ("version", &status.agent_version)];
    rows.push(row(Label::Svm, words.say(Phrase::SvmOn, &svm)));
    rows
}

pub(super) fn status(out: &mut Out, status: &Status, explain: bool) -> io::Result<()> {
    super::headline::print(out, status)?;
    let words = Words { language: out.language() };
    for (first, text) in rows(words, status) {
        out.wrapped(&first, &text)?;
    }
    if explain {
        for Paragraph { text, steps } in explanation(words, status) {
            out.line("")?;
            out.wrapped("", &text)?;
            for step in steps {
                out.wrapped("  ", &Explain::NextStep.fill(words.language, &[("step", &step)]))?;
            }
        }
    }
    Ok(())
}

/// A part of the explanation, and what to do about it.
struct Paragraph {
    text: String,
    steps: Vec<String>,
}

/// A permit: why, since when, until when, whether it is carried out and by what, and who asked last.
fn permit_explained(words: Words, p: &PermitStatus, phase: Phase, because: &str) -> Paragraph {
    let language = words.language;
    let dated = |text: Explain, at| text.fill(language, &[("when", &words.instant(at))]);
    let why = match phase {
        Phase::NotActivated => Explain::NoActiveKey.get(language).to_owned(),
        Phase::Active => Explain::InTerm.get(language).to_owned(),
        Phase::Grace => Explain::InGrace.get(language).to_owned(),
        Phase::Restricted => Explain::WhyRestricted.fill(language, &[("why", because)]),
    };
    let resource = capital(permits::resource(p.resource).get(language));
    let permit = permits::permit(p.resource, p.verdict, p.rate, language);
    let mut facts =
        vec![Explain::Because.fill(language, &[("resource", &resource), ("permit", &permit), ("why", &why)])];
    facts.extend(p.since.map(|since| dated(Explain::SinceWhen, since)));
    facts.push(match p.until.filter(|_| p.verdict != Permit::Stopped) {
        Some(until) => dated(Explain::PermitEnds, until),
        None => Explain::UntilRenewal.get(language).to_owned(),
    });
    facts.extend(p.next_run_at.map(|next| dated(Explain::SpentUntil, next)));
    let mut sentences = vec![format!("{}.", facts.join("; "))];
    let (names, mut steps) = (p.enforced_by.join(", "), Vec::new());
    match (p.carried_out, p.enforced_by.is_empty()) {
        (_, true) if !p.governed => sentences.push(Explain::NotGoverned.get(language).to_owned()),
        (_, true) => {
            let should = permits::should(p.resource, p.verdict).get(language);
            let is_full = p.verdict == Permit::Full;
            sentences.push(match is_full {
                true => Explain::NothingEnforces.get(language).to_owned(),
                false => format!("{}.", capital(should)),
            });
            steps.push(Explain::GateTheUnit.get(language).to_owned());
        }
        (true, false) => sentences.push(Explain::CarriedOut.fill(language, &[("names", &names)])),
        (false, false) => sentences.push(Explain::NotCarriedOut.fill(language, &[("names", &names)])),
    }
    if let Some(asked) = &p.asked {
        let answer = if asked.allowed { Explain::Allowed } else { Explain::Refused }.get(language);
        let when = words.instant(asked.at);
        sentences.push(
            Explain::AskedBy.fill(language, &[("who", &asked.by), ("when", &when), ("answer", answer)]),
        );
    }
    Paragraph { text: sentences.join(" "), steps }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

/// What it means and what to do.
fn explanation(words: Words, status: &Status) -> Vec<Paragraph> {
    let language = words.language;
    let because = status.because(language);
    let mut meaning = vec![phases::meaning(status.phase).fill(language, &[("because", because)])];
    meaning.extend(status.left(language).map(|left| format!("{}.", capital(&left))));
    let has_lapsed = matches!(status.phase, Phase::Grace | Phase::Restricted);
    if has_lapsed && status.source.configured {
        meaning.push(Explain::RenewalFound.get(language).to_owned());
    }
    let mut paragraphs =
        vec![Paragraph { text: meaning.join(" "), steps: remedy::of_phase(status, language) }];
    for reason in status.reasons.iter().filter_map(|name| Reason::from_name(name)) {
        // What the phase means has been said.
        if !matches!(reason, Reason::NotActivated | Reason::Grace | Reason::Restricted) {
            let text = reasons::sentence(reason).fill(language, &[("because", because)]);
            let mut steps = remedy::of_reason(reason.as_str(), status, language);
            steps.retain(|step| !paragraphs.iter().any(|said| said.steps.contains(step)));
            paragraphs.push(Paragraph { text, steps });
        }
    }
    let mut say = |text| paragraphs.push(Paragraph { text, steps: Vec::new() });
    if let Some(outage) = &status.source.outage {
        say(Explain::SourceFails.fill(language, &[("problem", &outage.message)]));
    }
    for (name, destination) in status.destinations.iter().filter(|(_, d)| d.health.outage.is_some()) {
        let events = count(destination.waiting, Noun::Event, language);
        say(Explain::DestinationFails.fill(language, &[("name", name), ("events", &events)]));
    }
    paragraphs.extend(status.permits.iter().map(|p| permit_explained(words, p, status.phase, because)));
    paragraphs
}

pub(super) fn keys(out: &mut Out, status: &Status) -> io::Result<()> {
    let words = Words { language: out.language() };
    if status.keys.is_empty() {
        out.wrapped("", Phrase::NoKey.get(words.language))?;
    }
    for key in &status.keys {
        let label = if key.role == Role::Active { Label::ActiveKey } else { Label::ReserveKey };
        out.wrapped(&name(label, words.language), &words.key(key))?;
        for (label, text) in words.details(key, status.at) {
            out.wrapped(&format!("  {:<14}", label.get(words.language)), &text)?;
        }
        if let Some(problem) = status.reserve_problem.as_ref().filter(|_| key.role == Role::Reserve) {
            out.wrapped(&" ".repeat(16), &words.say(Phrase::ReserveUnusable, &[("problem", problem)]))?;
        }
    }
    Ok(())
}
