//! The whole status and the keys, for a person.

use super::format::{dates, failing, in_short, instant, or_none, suspicion};
use super::output::Out;
use crate::health::{GatewayHealth, PendingActivation};
use crate::status::{KeyStatus, PermitStatus, Status};
use jiff::Timestamp;
use std::io;
use svm_core::clock::ClockStatus;
use svm_core::events::vendor_state;
use svm_core::subscription::{Cause, KeyKind, Permit, Phase, Resource, Role};

/// What the vendor says of a key beside its dates: a name and a text each.
fn details(key: &KeyStatus, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut rows = vec![("State", vendor_state(key.state, key.state_since, now))];
    rows.extend(key.activated_at.map(|at| ("Active since", instant(at))));
    if key.kind == KeyKind::Subscription {
        let renewal = if key.auto_renew { "automatic" } else { "not automatic" };
        rows.push(("Renewal", renewal.to_owned()));
    }
    if let Some(vendor) = &key.vendor {
        let link = |what: &str, text: &Option<String>| text.as_ref().map(|text| format!("{what}{text}"));
        let parts = [
            link("", &vendor.name),
            link("support ", &vendor.support_url),
            link("renewal ", &vendor.renewal_url),
            link("phone ", &vendor.phone),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if !parts.is_empty() {
            rows.push(("Sold by", parts.join(", ")));
        }
    }
    if let Some(order) = &key.order {
        let parts = [
            order.number.clone(),
            order.channel.map(|channel| format!("channel {}", channel.as_str())),
            order.placed_on.map(|day| format!("placed on {day}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if !parts.is_empty() {
            rows.push(("Order", parts.join(", ")));
        }
    }
    rows
}

fn permit(permit: &PermitStatus) -> String {
    match (permit.verdict, permit.rate) {
        (Permit::Full, _) => "full".to_owned(),
        (Permit::Limited, Some(rate)) => {
            format!("limited to {rate} {}", permit.resource.unit().replace('_', " "))
        }
        (Permit::Limited, None) => "limited".to_owned(),
        (Permit::Stopped, _) => "stopped".to_owned(),
    }
}

pub(super) fn status(out: &mut Out, status: &Status, explain: bool) -> io::Result<()> {
    super::headline::print(out, status)?;
    let mut row = |name: &str, text: String| out.line(format!("{name:<16}{text}"));
    for key in &status.keys {
        let name = if key.role == Role::Active { "Active key" } else { "Reserve key" };
        row(name, format!("{} ({}, revision {}): {}", key.key, key.kind.as_str(), key.rev, dates(key)))?;
        for (name, text) in details(key, status.at) {
            row(&format!("  {name}"), text)?;
        }
    }
    if let Some(problem) = &status.reserve_problem {
        row("", format!("it would be of NO USE now: {problem}"))?;
    }
    for p in &status.permits {
        let name = match p.resource {
            Resource::DatabaseUpdates => "Updates",
            Resource::Ksn => "KSN",
        };
        let until = p.until.filter(|_| p.verdict != Permit::Stopped);
        let by = match p.enforced_by.as_slice() {
            [] if !p.governed => "; this SVM has none (enforcement.governs)".to_owned(),
            [] => "; NOBODY holds it to that (svm-agent gate install UNIT)".to_owned(),
            by => format!("; held to it by {}", by.join(", ")),
        };
        row(
            name,
            format!(
                "{}{}{}{by}{}",
                permit(p),
                p.next_run_at.map(|next| format!(", spent until {}", instant(next))).unwrap_or_default(),
                until.map(|u| format!(", at least until {}", instant(u))).unwrap_or_default(),
                failing(p.outage.as_ref())
            ),
        )?;
    }
    if let Some(gateway) = &status.gateway {
        row("KSN gateway", gateway_line(gateway))?;
    }
    row("Databases", in_short(&status.updates))?;
    let number = |n: Option<u64>| n.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
    let limit = status.devices.limit.map_or_else(|| "no limit".to_owned(), |n| format!("limit {n}"));
    row("Devices", format!("{}, {limit}", number(status.devices.count)))?;
    let source = &status.source;
    let heard = if source.configured {
        format!(
            "last heard {}, {}{}",
            or_none(source.last_heard_at),
            source.next_look_at.map_or_else(
                || "no look is due without a key".to_owned(),
                |at| format!("next look {}", instant(at))
            ),
            failing(source.outage.as_ref())
        )
    } else {
        "no source.url is configured".to_owned()
    };
    row("Vendor", heard)?;
    for pending in &status.activations {
        row("Activation", pending_line(pending))?;
    }
    if let Some(refused) = &source.refused {
        row("", format!("what is published is refused: {refused}"))?;
    }
    for (name, d) in &status.destinations {
        let waiting = match (&d.oldest, d.waiting) {
            (_, 0) => "nothing waits".to_owned(),
            (Some(oldest), n) => format!("{n} events wait, the oldest since {oldest}"),
            (None, n) => format!("{n} events wait"),
        };
        let refused = match d.quarantined {
            0 => String::new(),
            n => format!(", {n} refused and in quarantine (svm-agent events list --quarantined)"),
        };
        row(
            "Destination",
            format!(
                "{name} ({}): {waiting}{refused}, last taken {}{}",
                d.health.url,
                or_none(d.health.last_delivered_at),
                failing(d.health.outage.as_ref())
            ),
        )?;
    }
    if status.clock.suspicion.is_some() {
        let ClockStatus { time, wall, .. } = &status.clock;
        let suspicion = suspicion(&status.clock);
        row(
            "Clock",
            format!("shows {}, {suspicion}; it is {} (svm-agent clock show)", instant(*wall), instant(*time)),
        )?;
    }
    if let Some(problem) = &status.store_problem {
        row("Store", format!("nothing can be kept: {problem}"))?;
    }
    row("SVM", format!("{} on {}, svm-agent {}", status.id, status.hostname, status.agent_version))?;
    if explain {
        for line in explanation(status) {
            out.line(line)?;
        }
    }
    Ok(())
}

fn pending_line(pending: &PendingActivation) -> String {
    let PendingActivation { role, since, next_try_at, tries, message, .. } = pending;
    format!(
        "of the {} key is pending since {}, next try {} ({tries} failed): {message}; svm-agent activate --cancel drops it",
        role.as_str(),
        instant(*since),
        instant(*next_try_at)
    )
}

fn gateway_line(gateway: &GatewayHealth) -> String {
    let refused = gateway.refused_stopped + gateway.refused_rate + gateway.refused_full;
    let mut line = format!(
        "{}: {}, {} connections open, {} served, {refused} refused",
        gateway.listen,
        gateway.in_force.as_str(),
        gateway.open,
        gateway.accepted
    );
    for upstream in &gateway.upstreams {
        if let Some(since) = upstream.failing_since {
            line.push_str(&format!("; {} fails since {}", upstream.address, instant(since)));
        }
    }
    if let Some(problem) = &gateway.problem {
        line.push_str(&format!("; PROBLEM: {problem}"));
    }
    line
}

/// A permit: why, since when, until when, whether it is carried out, and who asked last.
fn permit_explained(p: &PermitStatus, phase: Phase, cause: &str) -> String {
    let name = match p.resource {
        Resource::DatabaseUpdates => "Database updates",
        Resource::Ksn => "KSN",
    };
    let why = match phase {
        Phase::NotActivated => "the SVM is not activated",
        Phase::Active => "the subscription is in its term",
        Phase::Grace => "the subscription is in its grace period",
        Phase::Restricted => cause,
    };
    let mut line = format!("{name}: {}, because {why}", permit(p));
    if let Some(since) = p.since {
        line.push_str(&format!("; since {}", instant(since)));
    }
    match p.until {
        Some(until) if p.verdict != Permit::Stopped => {
            line.push_str(&format!(
                "; the permit ends by itself at {} and is renewed before",
                instant(until)
            ));
        }
        _ => line.push_str("; until a renewal or a new key"),
    }
    if let Some(next) = p.next_run_at {
        line.push_str(&format!("; spent until {}, when the next run may be made", instant(next)));
    }
    match (p.carried_out, p.enforced_by.as_slice()) {
        (_, []) if !p.governed => {
            line.push_str(". This SVM has none, say the settings (enforcement.governs).")
        }
        (_, []) => line.push_str(
            ". Nobody holds it to that: give the unit that uses it a gate (svm-agent gate install UNIT).",
        ),
        (true, by) => line.push_str(&format!(". Carried out by {}.", by.join(", "))),
        (false, by) => line.push_str(&format!(". NOT carried out yet; {} should.", by.join(", "))),
    }
    if let Some(asked) = &p.asked {
        let answer = if asked.allowed { "allowed" } else { "refused" };
        line.push_str(&format!(" Asked last by {} at {}: {answer}.", asked.by, instant(asked.at)));
    }
    line
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

/// What it means and what to do.
fn explanation(status: &Status) -> Vec<String> {
    let mut lines = vec![String::new()];
    let active = status.active();
    let vendor = active.and_then(|k| k.vendor.as_ref());
    let name = vendor.and_then(|v| v.name.clone()).unwrap_or_else(|| "the vendor".to_owned());
    let purpose = match status.root_cause() {
        Some(Cause::Paused) => "To have it resumed",
        Some(Cause::Unpaid) => "To have it paid for",
        _ => "To renew",
    };
    let renew = match vendor.and_then(|v| v.renewal_url.clone().or_else(|| v.support_url.clone())) {
        Some(url) => format!("{purpose}, turn to {name}: {url}"),
        None => format!("{purpose}, turn to {name}."),
    };
    let why = status.because();
    match status.phase {
        Phase::NotActivated => lines.push(format!(
            "The SVM holds no key. Protection works, database updates and KSN are stopped. {}",
            if status.activations.is_empty() {
                "Activate it: svm-agent activate CODE"
            } else {
                "It is activated by itself when the vendor answers; or with a document: svm-agent key add FILE"
            }
        )),
        Phase::Active => {
            let left = status.left().map(|left| format!(" {}.", capital(&left))).unwrap_or_default();
            lines.push(format!("The subscription is in its term; nothing is restricted.{left}"));
        }
        Phase::Grace => lines.push(format!(
            "The subscription is in its grace period because {why}. Everything works until the grace is over; then database updates and KSN are cut. {renew}"
        )),
        Phase::Restricted => lines.push(format!(
            "The subscription is restricted because {why}. Protection itself goes on, with the databases it has. {renew} A published renewal is found within 15 minutes, or at once with: svm-agent refresh"
        )),
    }
    if let Some(outage) = &status.source.outage {
        lines.push(format!(
            "The vendor cannot be heard ({}). What is held stays in force until its own dates; a document can also come as a file: svm-agent key add FILE",
            outage.message
        ));
    }
    for (name, destination) in status.destinations.iter().filter(|(_, d)| d.health.outage.is_some()) {
        lines.push(format!("{name} takes no events; {} wait and none is lost.", destination.waiting));
    }
    lines.extend(status.permits.iter().map(|p| permit_explained(p, status.phase, why)));
    lines.push("The permits in force are in the files under permits/ of the runtime folder: svm-agent permit database-updates".to_owned());
    lines
}

pub(super) fn keys(out: &mut Out, status: &Status) -> io::Result<()> {
    if status.keys.is_empty() {
        out.line("no key is held; activate one: svm-agent activate CODE")?;
    }
    for key in &status.keys {
        out.line(format!(
            "{}  {}  {}  revision {}  {}",
            key.key,
            key.role.as_str(),
            key.kind.as_str(),
            key.rev,
            dates(key)
        ))?;
        for (name, text) in details(key, status.at) {
            out.line(format!("    {name:<14}{text}"))?;
        }
    }
    Ok(())
}
