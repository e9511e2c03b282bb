//! `svm-agent updates`.

use super::arguments::UpdatesCommand;
use super::client::typed;
use super::error::CliError;
use super::format::{databases, instant, or_none};
use super::output::Out;
use crate::control::SocketKind;
use crate::control::client::ask;
use crate::health::UpdatesHealth;
use crate::update_request::RunAnswer;
use reqwest::Method;
use serde_json::Value;
use std::path::Path;

pub(super) async fn run(command: &UpdatesCommand, dir: &Path, out: &mut Out) -> Result<(), CliError> {
    match command {
        UpdatesCommand::Status => {
            let value: Value = ask(dir, SocketKind::Query, Method::GET, "v1/updates", None).await?;
            if out.json() { Ok(out.value(&value)?) } else { status(out, &typed(value)?) }
        }
        UpdatesCommand::Run => {
            let value: Value = ask(dir, SocketKind::Control, Method::POST, "v1/updates/run", None).await?;
            if out.json() {
                return Ok(out.value(&value)?);
            }
            Ok(out.line(match typed::<RunAnswer>(value)? {
                RunAnswer::Started { unit } => {
                    format!("{unit} was started. Follow it: journalctl -fu {unit}")
                }
                RunAnswer::AlreadyRuns { unit } => format!("{unit} is running already."),
                RunAnswer::Refused { message, .. } => message,
            })?)
        }
    }
}

fn status(out: &mut Out, updates: &UpdatesHealth) -> Result<(), CliError> {
    let mut row = |name: &str, text: String| out.row(name, &text);
    row("Unit", updates.unit.clone())?;
    let schedule = match updates.schedule.as_slice() {
        [] => "none: the agent starts no updates (updates.schedule)".to_owned(),
        lines => format!("{} ({})", lines.join("; "), updates.time_zone),
    };
    row("Schedule", schedule)?;
    if !updates.schedule.is_empty() {
        row("Next run", or_none(updates.next_run_at))?;
    }
    if let Some(since) = updates.running_since {
        row("Running", format!("since {}", instant(since)))?;
    }
    row("Last started", or_none(updates.last_started_at))?;
    row("Last succeeded", or_none(updates.last_succeeded_at))?;
    if let Some(failed) = &updates.last_failed {
        row("Last failed", format!("{}: {} ({})", instant(failed.at), failed.message, failed.code))?;
    }
    row("Databases", databases(updates))?;
    Ok(())
}
