//! All SVMs: how many need attention, which keys are used up, and every SVM, the worst first.

use super::words::{
    ago, cause, date, known_end, permit, phase, reason, relative, status_chip, status_icon, status_word,
};
use crate::api::FleetQuery;
use crate::fleet::{Counts, KeySum, Svm};
use jiff::Timestamp;
use maud::{Markup, html};
use svm_core::percent;
use svm_core::subscription::{DeviceStatus, LimitLevel};
use svm_core::text::clean;

/// The way from this page to itself.
pub(super) const ROOT: &str = "./";
/// Reasons of a status in one row.
const REASONS: usize = 4;

/// Everything the page shows.
pub(crate) struct View {
    pub(crate) query: FleetQuery,
    pub(crate) page: u32,
    pub(crate) rows: u32,
    pub(crate) svms: Vec<Svm>,
    pub(crate) total: u64,
    pub(crate) counts: Counts,
    pub(crate) keys: Vec<KeySum>,
    pub(crate) now: Timestamp,
    pub(crate) silent_before: Timestamp,
}

impl View {
    pub(crate) fn render(&self) -> Markup {
        html! {
            h1 class="visually-hidden" { "Fleet of security virtual machines" }
            div class="summary" {
                (self.tiles())
                @if !self.keys.is_empty() { (self.key_sums()) }
            }
            section class="panel" aria-labelledby="svms-title" {
                div class="panel-head" {
                    h2 id="svms-title" { "SVMs " span class="count" { (self.total) } }
                    (self.filters())
                }
                @if self.svms.is_empty() { (self.nothing()) } @else { (self.table()) (self.pages()) }
            }
        }
    }

    fn tiles(&self) -> Markup {
        let all = self.counts.total();
        let parts = [
            (DeviceStatus::Critical, self.counts.critical, "act now"),
            (DeviceStatus::Warning, self.counts.warning, "plan ahead"),
            (DeviceStatus::Ok, self.counts.ok, "nothing to do"),
        ];
        html! {
            section class="panel overview" aria-labelledby="status-title" {
                div class="panel-head" {
                    h2 id="status-title" { "Status" }
                    span class="muted" { (all) @if all == 1 { " SVM" } @else { " SVMs" } }
                }
                ul class="tiles" {
                    @for (status, count, meaning) in parts {
                        li {
                            a class={ "tile " (status.as_str()) } href={ "./?status=" (status.as_str()) }
                                aria-current=[(self.query.status == status.as_str()).then_some("true")] {
                                span class="tile-label" { (status_icon(status)) (status_word(status)) }
                                span class="tile-count" { (count) }
                                span class="tile-meaning" { (meaning) }
                            }
                        }
                    }
                }
                @if all > 0 { (share(&parts.map(|(status, count, _)| (status.as_str(), count)), all)) }
            }
        }
    }

    fn key_sums(&self) -> Markup {
        html! {
            section class="panel keys" aria-labelledby="keys-title" {
                div class="panel-head" {
                    h2 id="keys-title" { "Devices by key" }
                    span class="muted" { "all SVMs with a key together" }
                }
                ul class="sums" {
                    @for sum in &self.keys {
                        li {
                            div class="sum-head" {
                                a class="mono" href={ "./?q=" (percent::encode(&sum.key)) } { bdi { (clean(&sum.key)) } }
                                span class="muted" { (sum.svms) @if sum.svms == 1 { " SVM" } @else { " SVMs" } }
                                span class="sum-value" {
                                    @match sum.devices {
                                        Some(devices) => b { (devices) },
                                        None => span class="muted" { "unknown" },
                                    }
                                    @match sum.devices_limit {
                                        Some(limit) => { " / " (limit) }
                                        None => { span class="muted" { " · no limit" } }
                                    }
                                    @if sum.devices.is_some() && sum.svms_unknown > 0 {
                                        span class="muted" {
                                            " · " (sum.svms_unknown) @if sum.svms_unknown == 1 { " SVM" } @else { " SVMs" }
                                            " not counted: number unknown"
                                        }
                                    }
                                    @if let Some(word) = level_word(sum.level()) {
                                        " " span class={ "tag " (level_class(sum.level())) } { (word) }
                                    }
                                }
                            }
                            @if let (Some(devices), Some(limit)) = (sum.devices, sum.devices_limit) { (bar(devices, limit, level_class(sum.level()))) }
                        }
                    }
                }
            }
        }
    }

    fn filters(&self) -> Markup {
        let option = |value: &str, chosen: &str, word: &str| {
            html! {
                option value=(value) selected[value == chosen] { (word) }
            }
        };
        let filtered =
            !(self.query.status.is_empty() && self.query.phase.is_empty() && self.query.q.is_empty());
        html! {
            form class="filters" method="get" action="./" role="search" {
                label { span class="visually-hidden" { "Name, id or key" }
                    input type="search" name="q" value=(self.query.q) placeholder="Name, id or key" maxlength="200"; }
                label { span class="visually-hidden" { "Status" }
                    select name="status" {
                        (option("", &self.query.status, "Any status"))
                        (option("critical", &self.query.status, "Critical"))
                        (option("warning", &self.query.status, "Warning"))
                        (option("ok", &self.query.status, "OK"))
                    } }
                label { span class="visually-hidden" { "Phase" }
                    select name="phase" {
                        (option("", &self.query.phase, "Any phase"))
                        @for name in ["active", "grace", "restricted", "not_activated"] {
                            (option(name, &self.query.phase, &phase(name)))
                        }
                    } }
                button type="submit" { "Show" }
                @if filtered { a class="clear" href="./" { "Clear" } }
            }
        }
    }

    fn nothing(&self) -> Markup {
        html! {
            div class="empty" {
                @if self.counts.total() == 0 {
                    p { b { "No SVM has sent an event yet." } }
                    p class="muted" {
                        "On an SVM, add a destination with the address of this console and " code { "/v1/events" }
                        ", then run " code { "svm-agent reload" } "."
                    }
                } @else {
                    p { b { "No SVM matches." } }
                    p { a href="./" { "Show all" } }
                }
            }
        }
    }

    fn table(&self) -> Markup {
        html! {
            table class="fleet" {
                thead { tr {
                    th scope="col" { "Status" } th scope="col" { "SVM" } th scope="col" { "Phase" }
                    th scope="col" { "Key and term" } th scope="col" class="number" { "Devices" }
                    th scope="col" { "Permits" } th scope="col" { "Last contact" } th scope="col" { "Delivery" }
                } }
                tbody { @for svm in &self.svms { (self.row(svm)) } }
            }
        }
    }

    fn row(&self, svm: &Svm) -> Markup {
        let status = svm.status(self.silent_before);
        let reported = svm.reported.as_ref();
        let name = reported.and_then(|reported| reported.hostname.as_deref()).unwrap_or(&svm.id);
        html! {
            tr class=(status.as_str()) {
                td data-label="Status" {
                    (status_chip(status))
                    @let reasons = svm.reasons(self.silent_before);
                    @if !reasons.is_empty() { div class="sub" { (join(&reasons)) } }
                    @if let Some(names) = names(svm) { div class="sub" { bdi { (names) } } }
                }
                th scope="row" data-label="SVM" {
                    a href={ "svms/" (percent::encode(&svm.id)) } { bdi { (clean(name)) } }
                    @if name != svm.id { div class="sub mono id" title=(clean(&svm.id)) { bdi { (clean(&svm.id)) } } }
                }
                td data-label="Phase" {
                    @match reported.and_then(|reported| reported.phase.as_deref()) {
                        Some(name) => {
                            span class={ "phase " (phase_class(name)) } { (phase(name)) }
                            @if let Some(why) = reported.and_then(|reported| reported.cause.as_deref()) {
                                div class="sub" { (cause(why, reported.and_then(|reported| reported.lapse_cause.as_deref()))) }
                            }
                        }
                        None => (absent()),
                    }
                }
                td data-label="Key and term" { (self.term(svm)) }
                td data-label="Devices" class="number" { (devices(reported.and_then(|t| t.devices), reported.and_then(|t| t.devices_limit))) }
                td data-label="Permits" {
                    @match reported {
                        Some(reported) => div class="permits" {
                            (permit("Updates", reported.database_updates.as_deref()))
                            (permit("KSN", reported.ksn.as_deref()))
                        },
                        None => (absent()),
                    }
                }
                td data-label="Last contact" class=[svm.is_silent(self.silent_before).then_some("silent")] {
                    (ago(self.now, svm.last_contact))
                }
                td data-label="Delivery" { (delivery(svm)) }
            }
        }
    }

    /// The key with its end; the end of a grace is never shown without the end before it.
    fn term(&self, svm: &Svm) -> Markup {
        let Some(reported) = &svm.reported else { return absent() };
        html! {
            @match &reported.key {
                Some(key) => span class="mono" { bdi { (clean(key)) } },
                None => span class="muted" { "no key" },
            }
            @if let Some(ends) = reported.ends_at {
                div class="sub" { (ended(self.now, ends)) " " (date(ends)) " · " (relative(self.now, ends)) }
            } @else if let Some(paid) = reported.paid_until {
                div class="sub" { "paid until " (date(paid)) " · " (relative(self.now, paid)) }
            }
            @if let Some(end) = reported.known_end.as_ref().filter(|end| end.why != "ended") {
                div class="sub" { (known_end(&end.why).to_lowercase()) " " (date(end.ends_at)) " · " (relative(self.now, end.ends_at)) }
            }
            @if let Some(grace) = reported.grace_ends_at {
                div class="sub" { "grace " (ended(self.now, grace)) " " (date(grace)) " · " (relative(self.now, grace)) }
            }
            @if let Some(reserve) = &reported.reserve { div class="sub" { "reserve " span class="mono" { bdi { (clean(reserve)) } } } }
        }
    }

    fn pages(&self) -> Markup {
        let last = self.total.div_ceil(u64::from(self.rows)).max(1);
        let link = |page: u32, word: &str| {
            html! {
                a rel=(word.to_lowercase()) href={ "./?status=" (percent::encode(&self.query.status)) "&phase=" (percent::encode(&self.query.phase))
                    "&q=" (percent::encode(&self.query.q)) "&page=" (page) } { (word) }
            }
        };
        html! {
            @if last > 1 {
                nav class="pages" aria-label="Pages" {
                    @if self.page > 1 { (link(self.page - 1, "Previous")) }
                    span { "Page " (self.page) " of " (last) }
                    @if u64::from(self.page) < last { (link(self.page + 1, "Next")) }
                }
            }
        }
    }
}

/// The names of the machines that use one id.
pub(super) fn names(svm: &Svm) -> Option<String> {
    let machines = svm.side_by_side();
    let names = machines.iter().map(|machine| clean(machine.hostname.as_deref().unwrap_or("unnamed")));
    (!machines.is_empty()).then(|| names.collect::<Vec<_>>().join(", "))
}

fn absent() -> Markup {
    html! { span class="muted" aria-label="unknown" { "–" } }
}

fn join(reasons: &[String]) -> String {
    let shown = reasons.iter().take(REASONS).map(|name| reason(name)).collect::<Vec<_>>().join(", ");
    if reasons.len() > REASONS { format!("{shown}, and {} more", reasons.len() - REASONS) } else { shown }
}

fn ended(now: Timestamp, at: Timestamp) -> &'static str {
    if at <= now { "ended" } else { "ends" }
}

fn phase_class(name: &str) -> &'static str {
    match name {
        "active" => "ok",
        "grace" => "warning",
        "restricted" | "not_activated" => "critical",
        _ => "",
    }
}

pub(super) fn devices(count: Option<u64>, limit: Option<u64>) -> Markup {
    html! {
        @match count { Some(count) => (count), None => (absent()) }
        @if let Some(limit) = limit { span class="muted" { " / " (limit) } }
    }
}

/// What is missing, and what was sent twice under one number.
pub(super) fn delivery(svm: &Svm) -> Markup {
    let missing = svm.gaps.missing().saturating_add(svm.gaps.forgotten());
    html! {
        @if missing > 0 { span class="tag warning" title="events that did not arrive" { (missing) " missing" } " " }
        @if svm.conflicts > 0 {
            span class="tag critical" title="events that were not stored because of their sequence number" {
                (svm.conflicts) @if svm.conflicts == 1 { " conflict" } @else { " conflicts" }
            }
        }
        @if missing == 0 && svm.conflicts == 0 { span class="muted" { "complete" } }
    }
}

fn level_class(level: LimitLevel) -> &'static str {
    match level {
        LimitLevel::None => "ok",
        LimitLevel::Over90 => "info",
        LimitLevel::Over100 => "warning",
        LimitLevel::Over110 => "critical",
    }
}

fn level_word(level: LimitLevel) -> Option<&'static str> {
    match level {
        LimitLevel::None => None,
        LimitLevel::Over90 => Some("over 90 %"),
        LimitLevel::Over100 => Some("over the limit"),
        LimitLevel::Over110 => Some("over 110 %"),
    }
}

/// A bar against a limit. Drawn with attributes: the page allows no inline styles.
fn bar(value: u64, limit: u64, class: &str) -> Markup {
    let share = value.saturating_mul(1000).checked_div(limit).unwrap_or(1000).min(1000);
    html! {
        svg class={ "bar " (class) } viewBox="0 0 1000 8" preserveAspectRatio="none" width="100%" height="8" aria-hidden="true" focusable="false" {
            rect class="track" width="1000" height="8" {}
            rect class="fill" width=(share) height="8" {}
        }
    }
}

/// How the fleet divides.
fn share(parts: &[(&str, u64)], all: u64) -> Markup {
    let mut from = 0;
    let parts = parts.iter().map(|(class, count)| {
        let width = u128::from(*count) * 1000 / u128::from(all.max(1));
        let begin = from;
        from += width;
        (class, begin, width)
    });
    html! {
        svg class="share" viewBox="0 0 1000 8" preserveAspectRatio="none" width="100%" height="8" aria-hidden="true" focusable="false" {
            @for (class, begin, width) in parts { rect class=(class) x=(begin) width=(width) height="8" {} }
        }
    }
}
