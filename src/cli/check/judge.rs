//! What the status comes to, for a monitoring system. Pure.

use super::range::Range;
use crate::cli::arguments::CheckPart as Part;
use crate::health::Outdated;
use crate::status::Status;
use std::fmt::Write;
use svm_core::subscription::{DeviceStatus, Permit, Phase};
use svm_core::text::clean_start;
use svm_core::words::Language::English;
use svm_core::words::times::instant;
use svm_core::words::{Noun, count, permits, phases};

/// Longer texts are cut: a host keeps 4 to 8 KiB of a whole answer.
const MAX_CHARS: usize = 300;

/// So many destinations have performance data and lines of their own.
const MAX_DESTINATIONS: usize = 10;

/// So many lines of long output.
const MAX_LINES: usize = 20;

/// States in the order in which one outweighs another; UNKNOWN comes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Ok,
    Warning,
    Critical,
    Unknown,
}

pub(super) struct Limits {
    pub(super) days: [Range; 2],
    /// Of events that wait for a destination.
    pub(super) backlog: [Range; 2],
    /// Of the databases' age in days; without one the agent's own settings decide.
    pub(super) age: [Option<Range>; 2],
}

#[derive(Debug)]
pub(super) struct Verdict {
    state: State,
    findings: Vec<(State, String)>,
    facts: Vec<String>,
    perfdata: Vec<String>,
}

impl Verdict {
    pub(super) fn unknown(problem: String) -> Self {
        let findings = vec![(State::Unknown, problem)];
        Self { state: State::Unknown, findings, facts: Vec::new(), perfdata: Vec::new() }
    }

    /// As the guidelines want it.
    pub(super) fn exit_code(&self) -> u8 {
        match self.state {
            State::Ok => 0,
            State::Warning => 1,
            State::Critical => 2,
            State::Unknown => 3,
        }
    }

    /// All that is printed: the line with performance data, then long output.
    pub(super) fn text(&self) -> String {
        let mut findings: Vec<&(State, String)> = self.findings.iter().collect();
        // What is worst is what a pager shows.
        findings.sort_by_key(|(state, _)| std::cmp::Reverse(*state));
        let mut sentence: Vec<&str> = findings.iter().map(|(_, text)| text.as_str()).collect();
        if sentence.is_empty() {
            sentence = self.facts.iter().map(String::as_str).take(1).collect();
        }
        let perfdata =
            if self.perfdata.is_empty() { String::new() } else { format!(" | {}", self.perfdata.join(" ")) };
        let mut text = format!("SVM {} - {}{perfdata}\n", word(self.state), clean(&sentence.join("; ")));
        let lines = findings.iter().map(|(state, line)| format!("{}: {}", word(*state), clean(line)));
        let lines =
            lines.filter(|_| self.state != State::Unknown).chain(self.facts.iter().map(|fact| clean(fact)));
        for line in lines.take(MAX_LINES) {
            writeln!(text, "{line}").ok();
        }
        text
    }

    fn find(&mut self, state: State, text: impl Into<String>) {
        self.state = self.state.max(state);
        if state != State::Ok {
            self.findings.push((state, text.into()));
        }
    }

    /// A value against its thresholds, into performance data; nothing where there is no value.
    fn measure(&mut self, label: &str, value: f64, limits: [Option<&Range>; 2], max: &str) -> State {
        let [warning, critical] = limits.map(|limit| limit.map(ToString::to_string).unwrap_or_default());
        // Names come from the settings, where they are plain.
        let data = format!("'{label}'={value};{warning};{critical};0;{max}");
        self.perfdata.push(data.trim_end_matches(';').to_owned());
        let alerts = |limit: Option<&Range>| limit.is_some_and(|limit| limit.alerts(value));
        let [warning, critical] = limits;
        match (alerts(critical), alerts(warning)) {
            (true, _) => State::Critical,
            (_, true) => State::Warning,
            _ => State::Ok,
        }
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Ok => "OK",
        State::Warning => "WARNING",
        State::Critical => "CRITICAL",
        State::Unknown => "UNKNOWN",
    }
}

/// One line that a host cannot take for anything else: cleaned, and without `|`, which begins performance data.
fn clean(text: &str) -> String {
    clean_start(&text.replace(['\n', '\t'], " ").replace('|', "/"), MAX_CHARS)
}

/// What the status comes to.
pub(super) fn judge(status: &Status, parts: &[Part], limits: &Limits) -> Verdict {
    let mut verdict =
        Verdict { state: State::Ok, findings: Vec::new(), facts: Vec::new(), perfdata: Vec::new() };
    for part in parts {
        match part {
            Part::Status => device(&mut verdict, status),
            Part::Subscription => subscription(&mut verdict, status, limits),
            Part::Delivery => delivery(&mut verdict, status, limits),
            Part::Databases => databases(&mut verdict, status, limits),
        }
    }
    verdict
}

fn device(verdict: &mut Verdict, status: &Status) {
    let state = match status.device_status {
        DeviceStatus::Ok => State::Ok,
        DeviceStatus::Warning => State::Warning,
        DeviceStatus::Critical => State::Critical,
    };
    verdict.find(
        state,
        format!(
            "device status {}: {}",
            status.device_status.as_str(),
            status.reasons_in_short(English).join(", ")
        ),
    );
    if let Some(problem) = &status.store_problem {
        verdict.find(State::Critical, format!("the agent cannot write to its database: {problem}"));
    }
    for p in status.permits.iter().filter(|p| p.outage.is_some()) {
        let why = p.outage.as_ref().map(|outage| outage.message.as_str()).unwrap_or_default();
        verdict.find(
            State::Warning,
            format!("the permit for {} is not enforced: {why}", permits::resource(p.resource).get(English)),
        );
    }
    if let Some(outage) = &status.source.outage {
        let since = instant(outage.since, English);
        verdict.facts.push(format!("the provider has not answered since {since}: {}", outage.message));
    }
    for p in &status.permits {
        verdict.facts.push(if p.governed && p.enforced_by.is_empty() && p.verdict != Permit::Full {
            permits::should(p.resource, p.verdict).get(English).to_owned()
        } else {
            let permit = permits::permit(p.resource, p.verdict, p.rate, English);
            format!("{}: {permit}", permits::resource(p.resource).get(English))
        });
    }
    if let Some(count) = status.devices.count {
        let max = status.devices.limit.map(|limit| limit.to_string()).unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "devices are few")]
        verdict.measure("devices", count as f64, [None, None], &max);
    }
}

fn subscription(verdict: &mut Verdict, status: &Status, limits: &Limits) {
    let phase = format!(
        "subscription {}",
        phases::with_cause(status.phase, status.cause, status.lapse_cause, English)
    );
    let mut line = phase.clone();
    if let (Some(end), Some(left)) = (status.known_end, status.left(English)) {
        let days = (end.ends_at.duration_since(status.at).as_secs_f64() / 86_400.0).max(0.0);
        // To a hundredth of a day, and at most what is left: the last day is below 1.
        let days = (days * 100.0).floor() / 100.0;
        let [warning, critical] = &limits.days;
        let state = verdict.measure("days_left", days, [Some(warning), Some(critical)], "");
        line = format!("{phase}, {left}");
        verdict.find(state, line.clone());
    }
    verdict.facts.insert(0, line);
    match status.phase {
        Phase::Active => {}
        // Whatever the days: the term is over.
        Phase::Grace => verdict.find(State::Warning, phase),
        Phase::Restricted | Phase::NotActivated => verdict.find(State::Critical, phase),
    }
    // Once is enough.
    let mut seen: Vec<(State, String)> = Vec::new();
    for (state, text) in verdict.findings.drain(..) {
        match seen.iter_mut().find(|(_, known)| known.starts_with(&text)) {
            Some((worst, _)) => *worst = (*worst).max(state),
            None => seen.push((state, text)),
        }
    }
    verdict.findings = seen;
}

fn events(number: u64) -> String {
    count(number, Noun::Event, English)
}

fn delivery(verdict: &mut Verdict, status: &Status, limits: &Limits) {
    let [warning, critical] = &limits.backlog;
    if status.destinations.is_empty() {
        verdict.facts.push("no destination is configured".to_owned());
    }
    for (name, destination) in status.destinations.iter().take(MAX_DESTINATIONS) {
        #[expect(clippy::cast_precision_loss, reason = "a count for people")]
        let waiting = destination.waiting as f64;
        let state = verdict.measure(&format!("{name}_waiting"), waiting, [Some(warning), Some(critical)], "");
        verdict.find(state, format!("{} waiting for {name}", events(destination.waiting)));
        if let Some(outage) = &destination.health.outage {
            verdict.find(
                State::Warning,
                format!(
                    "delivery to {name} has failed since {}: {}",
                    instant(outage.since, English),
                    outage.message
                ),
            );
        }
        if destination.quarantined > 0 {
            let many = events(destination.quarantined);
            verdict
                .find(State::Warning, format!("{name} refused {many} (svm-agent events list --quarantined)"));
        }
        let last = destination.health.last_delivered_at;
        let last = last.map_or_else(|| "never".to_owned(), |at| instant(at, English));
        verdict.facts.push(format!("{name}: {} waiting, last delivered {last}", events(destination.waiting)));
    }
    let more = status.destinations.iter().skip(MAX_DESTINATIONS);
    let ill = more.clone().filter(|(_, d)| {
        #[expect(clippy::cast_precision_loss, reason = "a count for people")]
        let waiting = d.waiting as f64;
        d.health.outage.is_some() || d.quarantined > 0 || warning.alerts(waiting) || critical.alerts(waiting)
    });
    let ill = ill.count();
    if ill > 0 {
        verdict.find(State::Warning, format!("{ill} of {} more destinations have a problem", more.count()));
    }
}

fn databases(verdict: &mut Verdict, status: &Status, limits: &Limits) {
    let Some(of) = status.updates.databases_of else {
        verdict.facts.push("databases: their age is not known (updates.databases_file)".to_owned());
        return;
    };
    let days = (status.at.duration_since(of).as_secs_f64() / 86_400.0).max(0.0);
    // To a tenth of a day.
    let days = (days * 10.0).floor() / 10.0;
    let [warning, critical] = &limits.age;
    let mut state = verdict.measure("databases_days", days, [warning.as_ref(), critical.as_ref()], "");
    if warning.is_none() && critical.is_none() {
        state = match status.updates.outdated {
            Outdated::None => State::Ok,
            Outdated::Warning => State::Warning,
            Outdated::Critical => State::Critical,
        };
    }
    let line = format!("databases of {}, {days} days old", instant(of, English));
    verdict.facts.push(line.clone());
    verdict.find(state, line);
}
