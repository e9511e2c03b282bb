//! What each command does.

use super::arguments::{Cli, Command, DevicesCommand, IdentityCommand, KeyCommand};
use super::client::{typed, wait};
use super::error::{CliError, WRONG_SETTINGS};
use super::format::{happened, instant};
use super::output::Out;
use super::reach::AgentEndpoint;
use super::show;
use crate::config::{Settings, WhenDown};
use crate::control::client::{ask, ask_within};
use crate::control::{SocketKind, turn_away};
use crate::daemon;
use crate::log::log_event;
use crate::permits::permit_file;
use crate::permits::permit_file::Decision;
use crate::permits::start_notes;
use crate::status::Status;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use svm_core::clock::Clock;
use svm_core::environment;
use svm_core::settings::SettingsError;
use svm_core::subscription::{Permit, Resource};
use svm_core::words::Language;
use svm_core::words::notices::Notice;
use tokio::signal::unix::{SignalKind, signal};

/// The exit code of a permit that is refused; systemd's `ExecCondition=` skips on it.
const REFUSED: u8 = 75;

pub(super) fn run(cli: Cli, out: &mut Out) -> Result<u8, CliError> {
    match &cli.command {
        Command::Permit { resource, take, unit, .. } => {
            let take = take.then(|| json!({"unit": unit}));
            permit(&cli, resource, take.as_ref(), out)
        }
        Command::Simulate { file: Some(file), table, .. } => super::timeline::scenario(file, *table, out),
        Command::Doctor => super::doctor::run(&cli, out),
        Command::SupportBundle { output } => super::support_bundle::run(&cli, output.as_deref(), out),
        Command::Check(asked) => Ok(super::check::run(&cli, asked)),
        Command::Config { command } => super::config::run(&cli, command, out),
        Command::Reload { quiet, .. } => super::config::reload(&cli, *quiet, out),
        Command::Renewal(asked) => wait(asked.answer(|| cli.reach(), out))?,
        Command::Gate { command } => wait(super::gate::run(command, || Ok(cli.settings()?), out))?,
        // `run` follows at once and tells what is wrong with the settings; here it would stand in the journal twice.
        Command::Identity { command: IdentityCommand::HandOver } if cli.settings().is_err() => {
            Ok(WRONG_SETTINGS)
        }
        Command::Identity { command } => super::identity::run(command, &cli.settings()?, out),
        Command::Run => {
            let settings = match cli.usable_settings() {
                Ok(settings) => settings,
                Err(error) => {
                    wait(turn_away())?;
                    return Err(error.into());
                }
            };
            wait(serve(settings, || cli.settings()))??;
            Ok(0)
        }
        command => {
            let reach = cli.reach()?;
            let asked = wait(online(command, &reach, out))?;
            reach.settle(asked, out)
        }
    }
}

async fn serve(
    settings: Settings,
    reread: impl Fn() -> Result<Settings, SettingsError>,
) -> Result<(), CliError> {
    svm_core::logging::start("svm-agent", settings.log_format, settings.log_level);
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    let (hung_up, reload) = tokio::sync::watch::channel(0_u64);
    let stop = async {
        loop {
            tokio::select! {
                _ = term.recv() => break,
                _ = int.recv() => break,
                _ = hangup.recv() => hung_up.send_modify(|n| *n += 1),
            }
        }
        log_event!(AGENT_STOPPING);
        sd_notify::notify(&[sd_notify::NotifyState::Stopping]).ok();
    };
    let ready = || {
        log_event!(AGENT_READY, version = env!("CARGO_PKG_VERSION"));
        sd_notify::notify(&[sd_notify::NotifyState::Ready]).ok();
    };
    let ended = daemon::run(settings, Clock::system(), reread, ready, reload, stop).await;
    // systemd still shows the last status line of a service that ended.
    let line = Notice::AgentStopped.get(Language::of_locale(environment::text));
    sd_notify::notify(&[sd_notify::NotifyState::Status(line)]).ok();
    Ok(ended?)
}

/// How long a unit that starts waits for an agent that hangs.
const PERMIT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long `permit` waits for the agent to say whether the runs of a limited permit are spent.
const SPENT_TIMEOUT: Duration = Duration::from_secs(1);

/// What the agent says of a permit; with `take` one run is spent. A file that allows is asked for with it: what is
/// refused by either is refused.
fn ask_permit(
    dir: &Path,
    resource: Resource,
    take: Option<&Value>,
    of_file: &dyn Fn() -> Decision,
) -> Result<Decision, CliError> {
    let name = resource.file_name();
    let (socket, method, path) = match take {
        Some(_) => (SocketKind::Control, Method::POST, format!("v1/permits/{name}/take")),
        None => (SocketKind::Query, Method::GET, format!("v1/permits/{name}")),
    };
    let asked = wait(async {
        let answer = ask_within::<Decision>(dir, socket, method, &path, take, PERMIT_TIMEOUT);
        // The gate's unit takes an end by SIGTERM for success, and this is a part of it: it ends at once, and refuses.
        let Ok(mut term) = signal(SignalKind::terminate()) else { return Some(answer.await) };
        tokio::select! {
            answer = answer => Some(answer),
            _ = term.recv() => None,
        }
    })?;
    let Some(asked) = asked else {
        let mut decision = of_file();
        decision.refuse("the command was ended by SIGTERM before the agent answered".to_owned());
        return Ok(decision);
    };
    // What the agent itself refuses, it remembers. One that stops or cannot keep anything is as good as away.
    let refused_there = asked.as_ref().is_ok_and(|answer| !answer.allowed);
    // Asking takes its time, and the permit's own end may have come meanwhile.
    let mut decision = of_file();
    match (asked, &decision.permit) {
        _ if !decision.allowed => {}
        (Ok(answer), _) if answer.allowed => decision.spent_until = answer.spent_until,
        (Ok(answer), _) => decision = answer,
        (Err(error), Some(permit)) if permit.when_agent_is_down == WhenDown::Stopped => {
            decision.refuse(format!(
                "a permit counts only while the agent answers (enforcement.when_agent_is_down): {error}"
            ));
        }
        (Err(error), Some(permit)) if permit.verdict == Permit::Limited => {
            decision.refuse(format!(
                "the permit is limited to a rate, and the agent cannot count this run: {error}"
            ));
        }
        (Err(_), _) => {}
    }
    let unit = take.and_then(|take| take.get("unit")).and_then(Value::as_str);
    if let Some(unit) = unit.filter(|_| !decision.allowed && !refused_there) {
        // If that fails, the unit starts at its own next time.
        start_notes::note(dir, unit).ok();
    }
    Ok(decision)
}

fn permit(cli: &Cli, name: &str, take: Option<&Value>, out: &mut Out) -> Result<u8, CliError> {
    // A permit is read without the agent, even if the settings are not valid.
    let runtime_dir = cli.reach()?.runtime_dir;
    let resource = Resource::ALL.into_iter().find(|r| r.file_name() == name);
    let resource = resource.ok_or_else(|| {
        CliError::given("unknown_resource", "unknown resource; there are database-updates and ksn")
    })?;
    let of_file = || permit_file::decision(&permit_file::folder(&runtime_dir), resource, &Clock::system());
    let mut decision = of_file();
    let counts_only_with_agent =
        decision.permit.as_ref().is_some_and(|p| p.when_agent_is_down == WhenDown::Stopped);
    if take.is_some() || counts_only_with_agent {
        decision = ask_permit(&runtime_dir, resource, take, &of_file)?;
    }
    let limited = decision.permit.as_ref().is_some_and(|permit| permit.verdict == Permit::Limited);
    if take.is_none() && decision.allowed && limited && decision.spent_until.is_none() {
        // Only the agent counts runs. If it does not answer, this is left out.
        let path = format!("v1/permits/{}", resource.file_name());
        let asked =
            ask_within::<Decision>(&runtime_dir, SocketKind::Query, Method::GET, &path, None, SPENT_TIMEOUT);
        decision.spent_until = wait(asked)?.ok().and_then(|answer| answer.spent_until);
    }
    if out.json() {
        out.value(&decision)?;
    } else {
        let verdict = if decision.allowed { "allowed" } else { "refused" };
        let until = decision.until.map(|until| format!(", until {}", instant(until))).unwrap_or_default();
        let spent = decision.spent_until.filter(|_| decision.allowed);
        let spent =
            spent.map(|next| format!("; spent until {}: --take is refused until then", instant(next)));
        let spent = spent.unwrap_or_default();
        out.wrapped("", &format!("{name}: {verdict}: {}{until}{spent}", decision.why))?;
    }
    Ok(if decision.allowed { 0 } else { REFUSED })
}

async fn online(command: &Command, reach: &AgentEndpoint, out: &mut Out) -> Result<u8, CliError> {
    let dir = &reach.runtime_dir;
    match command {
        Command::Status { explain, .. } => {
            let value: Value = ask(dir, SocketKind::Query, Method::GET, "v1/status", None).await?;
            if out.json() {
                out.value(&value)?;
            } else {
                show::status(out, &typed::<Status>(value)?, *explain)?;
            }
        }
        Command::Key { command: KeyCommand::List } => {
            let status: Status = ask(dir, SocketKind::Query, Method::GET, "v1/status", None).await?;
            if out.json() {
                out.value(&status.keys)?;
            } else {
                show::keys(out, &status)?;
            }
        }
        Command::Activate { cancel: true, reserve, .. } => super::keys::cancel(*reserve, dir, out).await?,
        Command::Activate { code, reserve, until_published, .. } => {
            let code = code.as_deref().unwrap_or("-");
            return super::keys::activate(code, *reserve, *until_published, reach, out).await;
        }
        Command::Key { command: KeyCommand::Add { file, reserve, .. } } => {
            super::keys::add(file, *reserve, dir, out).await?;
        }
        Command::Key { command: KeyCommand::Remove { key, .. } } => {
            super::keys::remove(key, dir, out).await?;
        }
        Command::Devices { command: DevicesCommand::Set { count, .. } } => {
            let body = json!({"count": count});
            let value: Value = ask(dir, SocketKind::Control, Method::PUT, "v1/devices", Some(&body)).await?;
            if out.json() {
                out.value(&value)?;
            } else {
                out.line(format!(
                    "This SVM protects {count} {}.",
                    if *count == 1 { "device" } else { "devices" }
                ))?;
                happened(&value, out)?;
            }
        }
        Command::Report => {
            let value: Value = ask(dir, SocketKind::Control, Method::POST, "v1/report", None).await?;
            if out.json() {
                out.value(&value)?;
            } else {
                out.line("The status will be sent to each destination now.")?;
            }
        }
        Command::Refresh => {
            let value: Value = ask(dir, SocketKind::Control, Method::POST, "v1/refresh", None).await?;
            if out.json() {
                out.value(&value)?;
            } else {
                let taken = value.get("outcome").and_then(Value::as_str) == Some("taken");
                out.line(if taken {
                    "The provider published a new revision. It is in force now."
                } else {
                    "The provider published nothing new."
                })?;
            }
        }
        Command::Events { command } => super::events::run(command, dir, out).await?,
        Command::Clock { command } => super::clock::run(command, dir, out).await?,
        Command::Updates { command } => super::updates::run(command, dir, out).await?,
        Command::Simulate { until, .. } => {
            super::timeline::forecast(until.as_deref(), dir, out).await?;
        }
        Command::Renewal(_)
        | Command::Doctor
        | Command::SupportBundle { .. }
        | Command::Check(_)
        | Command::Identity { .. }
        | Command::Run
        | Command::Reload { .. }
        | Command::Permit { .. }
        | Command::Gate { .. }
        | Command::Config { .. } => {}
    }
    Ok(0)
}
