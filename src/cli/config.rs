//! `svm-agent config` and `reload`: whether the settings are valid, what they are and where they are set, and having the
//! agent read them again.

use super::arguments::{Cli, ConfigCommand};
use super::client::{typed, wait};
use super::error::CliError;
use super::output::Out;
use crate::config::{Settings, action_program, json_schema};
use crate::control::SocketKind;
use crate::control::client::{AskError, ask_within};
use crate::control::reload::Reloaded;
use crate::delivery::probe;
use crate::gates::rules;
use crate::systemd::systemctl;
use crate::updates::run::{NoStart, may_begin};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use svm_core::documents::TrustStore;
use svm_core::files;
use svm_core::library_words;
use svm_core::settings::{DEFAULT, Problem, SettingsError};

/// A reload ends all parts of the agent and starts them anew.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn run(cli: &Cli, command: &ConfigCommand, out: &mut Out) -> Result<u8, CliError> {
    match command {
        ConfigCommand::Check { offline, .. } => wait(check_settings(cli, *offline, out))?,
        ConfigCommand::Show { changed, .. } => show(&cli.settings()?, *changed, out),
        ConfigCommand::Schema if out.json() => {
            out.value(&json_schema())?;
            Ok(0)
        }
        ConfigCommand::Schema => {
            for line in format!("{:#}", json_schema()).lines() {
                out.line(line)?;
            }
            Ok(0)
        }
    }
}

/// Every key with its value, and the place that sets it.
fn show(settings: &Settings, changed: bool, out: &mut Out) -> Result<u8, CliError> {
    let keys = || settings.shown.iter().filter(|(_, value)| !changed || value.from != DEFAULT);
    if out.json() {
        let all: serde_json::Map<String, Value> =
            keys().map(|(key, value)| (key.to_owned(), json!(value))).collect();
        out.value(&all)?;
        return Ok(0);
    }
    let width = keys().map(|(key, value)| key.len() + value.value.chars().count());
    let width = width.filter(|width| *width <= 50).max().unwrap_or(0);
    for (key, value) in keys() {
        let setting = format!("{key} = {}", value.value);
        out.two_parts(&format!("{setting:<0$}", width + 3), &format!("  # {}", value.from))?;
    }
    if keys().next().is_none() {
        out.line("# Every key has its default.")?;
    }
    Ok(0)
}

/// Has the agent read its settings again. This program finds most mistakes first: it runs the same code.
pub(super) fn reload(cli: &Cli, quiet: bool, out: &mut Out) -> Result<u8, CliError> {
    let settings = cli.settings().map_err(|error| {
        CliError::NotReloaded(format!(
            "the settings are not valid, and the agent keeps the ones that it has:\n{error}"
        ))
    })?;
    wait(ask_to_reload(&settings.runtime_dir, quiet, out))??;
    Ok(0)
}

async fn ask_to_reload(dir: &Path, quiet: bool, out: &mut Out) -> Result<(), CliError> {
    let asked = ask_within(dir, SocketKind::Control, Method::POST, "v1/reload", None, RELOAD_TIMEOUT).await;
    let value: Value = asked.map_err(|error| match error {
        AskError::Refused { code, message, .. } if code == "bad_settings" => CliError::NotReloaded(message),
        error => error.into(),
    })?;
    if quiet {
        return Ok(());
    }
    if out.json() {
        return Ok(out.value(&value)?);
    }
    let Reloaded { changes, at_restart } = typed(value)?;
    if changes.is_empty() {
        out.line(
            "No setting changed. The agent tries every destination again now, and enforces every permit anew.",
        )?;
    }
    for change in changes {
        let none = || "not set".to_owned();
        let later = if at_restart.contains(&change.key) { " (from the next restart on)" } else { "" };
        let (old, new) = (change.old.unwrap_or_else(none), change.new.unwrap_or_else(none));
        out.line(format!("{}: {old} -> {new}{later}", change.key))?;
    }
    Ok(())
}

/// Whether the unit of the schedule exists and asks for its permit, if systemd runs here.
async fn units_can_work(settings: &Settings) -> Result<(), SettingsError> {
    let unit = &settings.updates.unit;
    let booted = files::is_there(Path::new("/run/systemd/system"));
    if settings.updates.schedule.is_empty() || !booted {
        return Ok(());
    }
    let Err(NoStart::Failed(failure)) = may_begin(unit).await else { return Ok(()) };
    let nearest = match failure.code {
        "not_found" => systemctl::services().await.ok().and_then(|there| rules::nearest(unit, &there)),
        _ => None,
    };
    let nearest = nearest.map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default();
    let message = format!("\"{unit}\": {}{nearest}", failure.message);
    Err(SettingsError(vec![Problem { place: "`updates.unit`".to_owned(), message }]))
}

async fn check_settings(cli: &Cli, offline: bool, out: &mut Out) -> Result<u8, CliError> {
    let settings = cli.usable_settings()?;
    let mut remarks = Vec::new();
    match TrustStore::load(&settings.trust_dir) {
        Ok(loaded) => {
            remarks.extend(loaded.problems.iter().map(|p| svm_core::error_chain::Chain(p).to_string()));
            if loaded.store.is_empty() {
                remarks.push(format!(
                    "no provider is trusted: put the public key of yours into {}",
                    settings.trust_dir.display()
                ));
            }
        }
        Err(error) => remarks.push(svm_core::error_chain::Chain(&error).to_string()),
    }
    remarks.extend(settings.exposed());
    remarks.extend(settings.unreadable());
    remarks.extend(settings.unencrypted());
    if settings.destinations.is_empty() {
        remarks.push(
            "no destination is configured, so no console sees this SVM; add [destinations.console]"
                .to_owned(),
        );
    }
    if let Some(gateway) = &settings.gateway
        && !files::is_there(&settings.runtime_dir.join(SocketKind::Query.file_name()))
        && let Err(error) = std::net::TcpListener::bind(gateway.listen)
    {
        remarks.push(format!(
            "gateway.listen: cannot listen on {}: {}",
            gateway.listen,
            library_words::io(&error)
        ));
    }
    if !offline {
        units_can_work(&settings).await?;
        remarks.extend(settings.actions.keys().filter_map(|name| {
            let program = action_program(name);
            (!files::is_there(&program)).then(|| {
                format!("`actions.{name}`: {} does not exist; put the program there", program.display())
            })
        }));
        let mut probes = tokio::task::JoinSet::new();
        for (name, destination) in settings.destinations {
            probes.spawn(async move {
                let answered = probe(&destination).await;
                answered
                    .err()
                    .map(|problem| format!("destination {name} ({}): {problem}", destination.address()))
            });
        }
        let mut problems = probes.join_all().await;
        problems.sort();
        remarks.extend(problems.into_iter().flatten());
    }
    if out.json() {
        out.value(&json!({"ok": true, "remarks": remarks}))?;
    } else {
        out.line("The settings are valid.")?;
        remarks.iter().for_each(|remark| out.warning(remark));
    }
    Ok(0)
}
