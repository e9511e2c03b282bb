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
    let mut row = |name: &str, text: String| out.row(name, &text);
    row("Trusted time", instant(status.time))?;
    row("System clock", format!("{}, {}", instant(status.wall), suspicion(&status)))?;
    let proven = status.proven_at.map_or_else(
        || "not since the machine started".to_owned(),
        |at| format!("{} (by the clock of the provider's server)", instant(at)),
    );
    row("Confirmed", proven)?;
    let floor = status.floor.map_or_else(
        || "no limit: there is no document yet".to_owned(),
        |at| format!("{} (the newest document was signed then)", instant(at)),
    );
    row("Not before", floor)?;
    if status.suspicion.is_some() {
        out.wrapped("", WAY_OUT)?;
    }
    Ok(())
}

const WAY_OUT: &str = "Correct the system clock with timedatectl; the agent then trusts it at once. If the clock is correct as it is, run: sudo svm-agent clock reset";
