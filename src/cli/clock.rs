//! `svm-agent clock`.

use super::arguments::ClockCommand;
use super::client::typed;
use super::error::CliError;
use super::format::{instant, suspicion};
use super::output::Out;
use crate::control::SocketKind;
use crate::control::client::ask;
use reqwest::Method;
use serde_json::Value;
use std::path::Path;
use svm_core::clock::ClockStatus;

pub(super) async fn run(command: &ClockCommand, dir: &Path, out: &mut Out) -> Result<(), CliError> {
    let value: Value = match command {
        ClockCommand::Show => ask(dir, SocketKind::Query, Method::GET, "v1/clock", None).await?,
        ClockCommand::Reset => ask(dir, SocketKind::Control, Method::POST, "v1/clock/reset", None).await?,
    };
    if out.json() {
        return Ok(out.value(&value)?);
    }
    let status: ClockStatus = typed(value)?;
    let mut row = |name: &str, text: String| out.line(format!("{name:<16}{text}"));
    row("Time", instant(status.time))?;
    row("Clock shows", format!("{}, {}", instant(status.wall), suspicion(&status)))?;
    let proven = status.proven_at.map_or_else(|| "not since boot".to_owned(), instant);
    row("Vendor's word", format!("{proven}, by the clock of its host"))?;
    let floor = status.floor.map_or_else(|| "no document was taken yet".to_owned(), instant);
    row("Not before", format!("{floor}, when the newest document was signed"))?;
    if status.suspicion.is_some() {
        out.line(WAY_OUT)?;
    }
    Ok(())
}

const WAY_OUT: &str = "Set the clock right (timedatectl): it is gone by again at once. If it is right as it is: sudo svm-agent clock reset";
