//! The first lines of the status: where the subscription stands, what is stopped and why, what to do now.

use super::output::{Out, Paint};
use crate::remedy;
use crate::status::{PermitStatus, Status};
use std::io;
use svm_core::subscription::{DeviceStatus, Permit, Phase, Resource};

pub(super) fn print(out: &mut Out, status: &Status) -> io::Result<()> {
    let paint = match status.device_status {
        DeviceStatus::Ok => Paint::Green,
        DeviceStatus::Warning => Paint::Yellow,
        DeviceStatus::Critical => Paint::Red,
    };
    let mut row = |name: &str, paint, text: &str| out.painted(paint, &format!("{name:<16}"), text);
    row("Subscription", paint, &stands(status))?;
    let (paint, text) = stopped(status);
    row("Stopped", paint, &text)?;
    let todo = remedy::first(status);
    row("Do now", Paint::Plain, todo.as_deref().unwrap_or("nothing"))?;
    let reasons =
        if status.reasons.is_empty() { String::new() } else { format!(": {}", status.reasons.join(", ")) };
    let word = status.device_status.as_str().to_uppercase();
    row("Device status", Paint::Plain, &format!("{word}{reasons}"))
}

fn stands(status: &Status) -> String {
    let left = status.left().map(|left| format!(", {left}")).unwrap_or_default();
    format!("{}{left}", status.phase_words())
}

fn stopped(status: &Status) -> (Paint, String) {
    let name = |p: &PermitStatus| match p.resource {
        Resource::DatabaseUpdates => "database updates",
        Resource::Ksn => "KSN",
    };
    let of = |verdict| {
        let names = status.permits.iter().filter(|p| p.verdict == verdict).map(name);
        names.collect::<Vec<_>>().join(" and ")
    };
    let (stopped, limited) = (of(Permit::Stopped), of(Permit::Limited));
    let limited = if limited.is_empty() { String::new() } else { format!("{limited} limited") };
    let parts: Vec<String> = [stopped, limited].into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return (Paint::Plain, "nothing".to_owned());
    }
    let why = match status.phase {
        Phase::NotActivated => "the SVM is not activated",
        Phase::Restricted => "the subscription is restricted",
        Phase::Active | Phase::Grace if status.store_problem.is_some() => "nothing can be kept",
        Phase::Active | Phase::Grace => "the vendor says so",
    };
    (Paint::Red, format!("{}: {why}; protection goes on", parts.join(", ")))
}
