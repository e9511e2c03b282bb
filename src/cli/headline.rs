//! The first lines of the status: where the subscription stands, what is stopped, what to do now.

use super::output::{Out, Paint};
use crate::remedy;
use crate::status::Status;
use std::io;
use svm_core::subscription::DeviceStatus;
use svm_core::words::labels::{Label, Phrase};
use svm_core::words::{Language, phases};

/// A label in its column.
pub(super) fn name(label: Label, language: Language) -> String {
    format!("{:<16}", label.get(language))
}

pub(super) fn print(out: &mut Out, status: &Status) -> io::Result<()> {
    let language = out.language();
    let paint = match status.device_status {
        DeviceStatus::Ok => Paint::Green,
        DeviceStatus::Warning => Paint::Yellow,
        DeviceStatus::Critical => Paint::Red,
    };
    let nothing = Phrase::Nothing.get(language);
    out.painted(paint, &name(Label::Subscription, language), &status.stands(language))?;
    let stopped = name(Label::Stopped, language);
    match status.stopped(language) {
        Some(what) => out.painted(Paint::Red, &stopped, &what)?,
        None => out.wrapped(&stopped, nothing)?,
    }
    do_now(out, &remedy::all(status, language))?;
    let reasons = status.reasons_in_short(language).join(", ");
    let reasons = if reasons.is_empty() { reasons } else { format!(": {reasons}") };
    let word = phases::device_status(status.device_status).get(language).to_uppercase();
    out.painted(paint, &name(Label::DeviceStatus, language), &format!("{word}{reasons}"))
}

/// All that is to be done, one step a row, with numbers if there are several.
fn do_now(out: &mut Out, steps: &[String]) -> io::Result<()> {
    let language = out.language();
    let first = name(Label::DoNow, language);
    match steps {
        [] => out.wrapped(&first, Phrase::Nothing.get(language)),
        [step] => out.wrapped(&first, step),
        steps => steps.iter().enumerate().try_for_each(|(index, step)| {
            let before = if index == 0 { first.clone() } else { " ".repeat(16) };
            out.wrapped(&format!("{before}{}. ", index + 1), step)
        }),
    }
}
