//! One SVM: its status and what to do on top, its events below, newest first.

use super::advice::{Advice, advice, phase_and_cause};
use super::fleet::{delivery, devices};
use super::words::{
    ago, capitalised, cause, date, instant, known_end, permit, phase, relative, severity, state, status_chip,
};
use crate::fleet::{ConflictReason, Svm};
use crate::reported::ReportedState;
use crate::store::{Event, StoredReport};
use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;
use svm_core::percent;
use svm_core::subscription::read_instant;
use svm_core::text::{clean, clean_start};

/// The way from this page to the fleet's.
pub(super) const ROOT: &str = "../";
/// Characters of a description.
const DESCRIPTION: usize = 2000;
/// Characters of the whole status, indented.
const STATUS: usize = 200_000;
/// Missing ranges that are written out.
const RANGES: usize = 12;

/// Everything the page shows.
pub(crate) struct View {
    pub(crate) svm: Svm,
    pub(crate) report: Option<StoredReport>,
    pub(crate) events: Vec<Event>,
    pub(crate) older: Option<i64>,
    pub(crate) newest: bool,
    pub(crate) now: Timestamp,
    pub(crate) silent_before: Timestamp,
}

impl View {
    pub(crate) fn name(&self) -> String {
        let hostname = self.svm.reported.as_ref().and_then(|reported| reported.hostname.as_deref());
        clean(hostname.unwrap_or(&self.svm.id)).into_owned()
    }

    pub(crate) fn render(&self) -> Markup {
        // Relative to this page.
        let path = format!("./{}", percent::encode(&self.svm.id));
        html! {
            nav class="crumbs" aria-label="Where you are" { a href=(ROOT) { "Fleet" } " / " bdi { (self.name()) } }
            section class="panel" aria-labelledby="svm-title" {
                div class="svm-head" {
                    div {
                        h1 id="svm-title" { bdi { (self.name()) } }
                        p class="mono muted id" { bdi { (clean(&self.svm.id)) } }
                    }
                    div class="svm-status" {
                        (status_chip(self.svm.status(self.silent_before)))
                    }
                }
                (self.advice())
                (self.facts())
            }
            section class="panel" aria-labelledby="events-title" {
                div class="panel-head" {
                    h2 id="events-title" { "Events" }
                    span class="muted" { "newest first" }
                }
                @if self.events.is_empty() { div class="empty" { p { "No events." } } }
                ol class="timeline" { @for event in &self.events { (self.event(event)) } }
                nav class="pages" aria-label="Pages" {
                    @if !self.newest { a href=(path) { "Newest" } }
                    @if let Some(position) = self.older { a rel="next" href={ (path) "?before=" (position) } { "Older" } }
                }
            }
            @if let Some(report) = &self.report { (self.whole_status(report)) }
        }
    }

    /// Each reason of the status, and what to do about it.
    fn advice(&self) -> Markup {
        let all = advice(&self.svm, self.silent_before, self.now);
        html! {
            @if !all.is_empty() {
                section class="advice" aria-labelledby="advice-title" {
                    h2 id="advice-title" { "What to do" }
                    p class="sub" { "Run the commands on the SVM." }
                    ul {
                        @for Advice { sentence, steps } in &all {
                            li {
                                bdi { (clean(sentence)) }
                                @for step in steps { p class="step" { bdi { (clean(step)) } } }
                            }
                        }
                    }
                }
            }
        }
    }

    fn facts(&self) -> Markup {
        let fact = |name: &str, value: Markup| html! { div { dt { (name) } dd { (value) } } };
        let svm = &self.svm;
        html! {
            dl class="facts" {
                @if let Some(reported) = &svm.reported { (self.reported(reported)) }
                (fact("Last contact", html! { (ago(self.now, svm.last_contact)) div class="sub" { (instant(svm.last_contact)) } }))
                (fact("First contact", html! { (ago(self.now, svm.first_contact)) div class="sub" { (instant(svm.first_contact)) } }))
                (fact("Delivery", html! {
                    (delivery(svm))
                    @let ranges: Vec<_> = svm.gaps.ranges().take(RANGES + 1).collect();
                    @for (from, to) in ranges.iter().take(RANGES) {
                        div class="sub mono" { (from) @if from != to { "–" (to) } }
                    }
                    @if ranges.len() > RANGES { div class="sub" { "and more" } }
                    @if let Some(conflict) = &svm.last_conflict {
                        div class="sub" { "last conflict " (ago(self.now, conflict.at)) @if conflict.why == ConflictReason::Jump { ", far above the highest number" } ", number " span class="mono" { (clean(conflict.sequence.trim_start_matches('0'))) } }
                    }
                }))
            }
        }
    }

    fn reported(&self, reported: &ReportedState) -> Markup {
        let fact = |name: &str, value: Markup| html! { div { dt { (name) } dd { (value) } } };
        let text = |text: &Option<String>| html! { @match text { Some(text) => bdi { (clean(text)) }, None => span class="muted" { "–" } } };
        let when = |at: Timestamp| html! { (date(at)) div class="sub" { (relative(self.now, at)) } };
        html! {
            (fact("Phase", html! {
                @match (phase_and_cause(reported, self.now), &reported.phase) {
                    (Some(known), _) => b { (capitalised(&known)) },
                    (None, Some(name)) => {
                        b { (phase(name)) }
                        @if let Some(why) = &reported.cause { div class="sub" { (cause(why, None)) } }
                    },
                    (None, None) => span class="muted" { "–" },
                }
            }))
            @if let Some(name) = &reported.state {
                (fact("Provider's state", html! {
                    (capitalised(&state(name, reported.state_since, self.now)))
                    @if let Some(at) = reported.state_since { div class="sub" { (relative(self.now, at)) } }
                }))
            }
            @if let Some(end) = &reported.known_end {
                @if end.why != "ended" { (fact(known_end(&end.why), when(end.ends_at))) }
            }
            @if let Some(at) = reported.ends_at { (fact(if at <= self.now { "Term ended" } else { "Term ends" }, when(at))) }
            @if let Some(at) = reported.paid_until { (fact("Paid until", when(at))) }
            @if let Some(at) = reported.grace_ends_at { (fact(if at <= self.now { "Grace ended" } else { "Grace ends" }, when(at))) }
            (fact("Key", html! {
                span class="mono" { (text(&reported.key)) }
                @if let Some(kind) = &reported.kind {
                    div class="sub" { (clean(kind)) @if let Some(rev) = reported.rev { ", revision " (rev) } }
                }
                @if let Some(at) = reported.activated_at { div class="sub" { "active since " (instant(at)) } }
                @if let Some(automatic) = reported.auto_renew {
                    div class="sub" { (if automatic { "renewed automatically" } else { "not renewed automatically" }) }
                }
            }))
            @if let Some(seller) = &reported.vendor {
                (fact("Provider", html! {
                    (text(&seller.name))
                    @for (what, line) in [("renewal", &seller.renewal_url), ("support", &seller.support_url), ("phone", &seller.phone)] {
                        @if let Some(line) = line { div class="sub" { (what) " " bdi { (clean(line)) } } }
                    }
                }))
            }
            @if let Some(order) = &reported.order {
                (fact("Order", html! {
                    span class="mono" { (text(&order.number)) }
                    @if let Some(channel) = &order.channel { div class="sub" { "channel " (clean(channel)) } }
                    @if let Some(day) = &order.placed_on { div class="sub" { "placed on " (clean(day)) } }
                }))
            }
            (fact("Reserve key", html! { span class="mono" { (text(&reported.reserve)) } }))
            (fact("Devices", devices(reported.devices, reported.devices_limit)))
            (fact("Permits", html! {
                div class="permits" { (permit("Updates", reported.database_updates.as_deref())) (permit("KSN", reported.ksn.as_deref())) }
            }))
            (fact("Product", html! {
                (text(&reported.product_name))
                @if let Some(version) = &reported.product_version { div class="sub" { (clean(version)) } }
            }))
        }
    }

    fn event(&self, stored: &Event) -> Markup {
        let event: Value = serde_json::from_str(&stored.text).unwrap_or(Value::Null);
        let data = event.get("data").unwrap_or(&Value::Null);
        let text = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).map(|text| clean_start(text, DESCRIPTION))
        };
        let at = |value: &Value, name: &str| read_instant(value.get(name).and_then(Value::as_str)?).ok();
        let kind = text(&event, "type").unwrap_or_default();
        let name = text(data, "event_type_display_name").unwrap_or_else(|| kind.clone());
        let happened = at(&event, "time").unwrap_or(stored.received_at);
        let (class, word) = severity(data.get("severity").and_then(Value::as_u64));
        html! {
            li class=(class) {
                div class="event-head" {
                    span class={ "tag " (class) } { (word) }
                    h3 { bdi { (name) } }
                    span class="when" { (instant(happened)) span class="muted" { " · " (ago(self.now, happened)) } }
                }
                @if let Some(description) = text(data, "description") { p { bdi { (description) } } }
                p class="sub" {
                    span class="mono" { (kind) }
                    @if let Some(effective) = at(data, "effective_at") { " · effective from " (instant(effective)) }
                    @if let Some(sequence) = text(&event, "sequence") { " · number " (sequence.trim_start_matches('0')) }
                }
            }
        }
    }

    /// The latest report, with its time: what came after it stands above, and not here.
    fn whole_status(&self, report: &StoredReport) -> Markup {
        let value: Value = serde_json::from_str(&report.text).unwrap_or(Value::Null);
        let pretty = serde_json::to_string_pretty(&value).unwrap_or_default();
        let is_cut = pretty.len() > STATUS;
        let mut end = pretty.len().min(STATUS);
        while !pretty.is_char_boundary(end) {
            end -= 1;
        }
        // Numbers are text of 20 digits, which sorts as they do.
        let has_newer = report.sequence < self.svm.state_sequence;
        html! {
            details class="panel report" {
                summary {
                    "Whole status as of "
                    @match report.at {
                        Some(at) => { (instant(at)) ", " (relative(self.now, at)) },
                        None => "an unknown time: an earlier version of this collector did not store it",
                    }
                }
                @if has_newer {
                    p class="notice" {
                        "Newer events changed the status: the top of this page has the present one. The next report has the \
                         whole status again."
                    }
                }
                pre { @for line in pretty.get(..end).unwrap_or_default().lines() { (clean(line)) "\n" } @if is_cut { "…" } }
            }
        }
    }
}
