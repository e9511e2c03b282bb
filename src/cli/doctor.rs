//! `svm-agent doctor`: shows what was found, by part: each problem with what to do, and a summary last.

use super::arguments::Cli;
use super::error::CliError;
use super::output::Out;
use super::output::Paint;
use crate::config::{Settings, installed_files};
use crate::doctor::{Area, Finding, Grade, examine};
use serde_json::json;

/// Exit codes: 0 if there is no problem.
const WARNINGS: u8 = 4;
const FAILURES: u8 = 5;

pub(super) fn run(cli: &Cli, out: &mut Out) -> Result<u8, CliError> {
    let files = if cli.config.is_empty() { installed_files() } else { Ok(cli.config.clone()) };
    let read = files.clone().and_then(|files| Settings::read(&files, svm_core::environment::variables()));
    let found = examine(&files.unwrap_or_default(), read);
    let worst = found.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Ok);
    let code = match worst {
        Grade::Ok | Grade::Note => 0,
        Grade::Warning => WARNINGS,
        Grade::Failure => FAILURES,
    };
    let count = |grade| found.iter().filter(|finding| finding.grade == grade).count();
    if out.json() {
        out.value(&json!({
            "findings": found,
            "summary": {"ok": count(Grade::Ok), "notes": count(Grade::Note), "warnings": count(Grade::Warning), "failures": count(Grade::Failure)},
        }))?;
        return Ok(code);
    }
    let mut area = None;
    for finding in &found {
        if area.replace(finding.area) != Some(finding.area) {
            out.line(title(finding.area))?;
        }
        show(out, finding)?;
    }
    let (failures, warnings) = (count(Grade::Failure), count(Grade::Warning));
    let many = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let paint = paint(worst);
    let text = match (failures, warnings) {
        (0, 0) => {
            format!("No problems: {}, {}.", many(count(Grade::Ok), "check"), many(count(Grade::Note), "note"))
        }
        _ => format!(
            "{}, {}, {}, {} ok.",
            many(failures, "failure"),
            many(warnings, "warning"),
            many(count(Grade::Note), "note"),
            count(Grade::Ok)
        ),
    };
    out.painted(paint, "", &text)?;
    Ok(code)
}

fn title(area: Area) -> &'static str {
    match area {
        Area::Settings => "Settings",
        Area::Service => "Service",
        Area::Subscription => "Subscription",
        Area::Trust => "Trust",
        Area::Source => "Source",
        Area::Delivery => "Delivery",
        Area::Enforcement => "Enforcement",
        Area::Updates => "Updates",
        Area::Clock => "Clock",
        Area::Identity => "Identity",
        Area::Files => "Files",
        Area::Disk => "Disk",
    }
}

fn paint(grade: Grade) -> Paint {
    match grade {
        Grade::Ok => Paint::Green,
        Grade::Note => Paint::Plain,
        Grade::Warning => Paint::Yellow,
        Grade::Failure => Paint::Red,
    }
}

/// A finding, and below it what to do.
fn show(out: &mut Out, finding: &Finding) -> std::io::Result<()> {
    let word = match finding.grade {
        Grade::Ok => "ok",
        Grade::Note => "note",
        Grade::Warning => "WARNING",
        Grade::Failure => "FAILURE",
    };
    let text = format!("{}: {}", finding.about, finding.found);
    out.marked(paint(finding.grade), word, &text)?;
    match &finding.remedy {
        Some(remedy) => out.wrapped("           To do: ", remedy),
        None => Ok(()),
    }
}
