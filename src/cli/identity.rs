//! `svm-agent identity`: which id this SVM has, removing it before an image is made, and the step that runs as root
//! before each start.

use super::arguments::IdentityCommand;
use super::client::wait;
use super::error::CliError;
use super::format::instant;
use super::output::Out;
use crate::config::Settings;
use crate::control::SocketKind;
use crate::control::client::ask;
use crate::daemon::{self, RunError};
use crate::identity::{Binding, hand_over};
use crate::storage::{Plan, Store};
use reqwest::Method;
use rustix::fs::{Gid, Uid};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use svm_core::clock::Clock;
use svm_core::files;

/// The answer of the agent about its id.
#[derive(Deserialize, Serialize)]
struct Shown {
    id: String,
    since: Option<jiff::Timestamp>,
    /// Missing in the answer of an older agent.
    #[serde(default)]
    instance: Option<String>,
    bound_to: Vec<String>,
    seen_now: Vec<String>,
    differs: Option<String>,
}

pub(super) fn run(command: &IdentityCommand, settings: &Settings, out: &mut Out) -> Result<u8, CliError> {
    match command {
        IdentityCommand::Show => show(settings, out)?,
        IdentityCommand::Reset { forget_keys, .. } => reset(settings, *forget_keys, out)?,
        IdentityCommand::HandOver => hand_over(&settings.identity, &settings.runtime_dir)
            .map_err(|e| CliError::given("not_handed_over", svm_core::error_chain::Chain(&e).to_string()))?,
    }
    Ok(0)
}

fn show(settings: &Settings, out: &mut Out) -> Result<(), CliError> {
    let shown: Shown =
        wait(ask(&settings.runtime_dir, SocketKind::Query, Method::GET, "v1/identity", None))??;
    if out.json() {
        return Ok(out.value(&shown)?);
    }
    out.row("Id", &shown.id)?;
    if let Some(since) = shown.since {
        out.row("Since", &instant(since))?;
    }
    if let Some(instance) = &shown.instance {
        out.row("Instance", &format!("{instance}, made at this start of the agent"))?;
    }
    out.row("Bound to", &words(&shown.bound_to))?;
    let machine = match &shown.differs {
        Some(what) => format!("another {}: at its next start the agent takes a new id", word(what)),
        None if shown.bound_to.iter().any(|name| shown.seen_now.contains(name)) => {
            "the one that the id is bound to".to_owned()
        }
        None => {
            "unknown: it shows nothing of what the id is bound to, so a copy cannot be told from the original"
                .to_owned()
        }
    };
    Ok(out.row("This machine", &machine)?)
}

fn word(name: &str) -> &str {
    match name {
        "machine_id" => "machine-id",
        "product_uuid" => "product UUID",
        other => other,
    }
}

fn words(names: &[String]) -> String {
    let words: Vec<&str> = names.iter().map(|name| word(name)).collect();
    if words.is_empty() {
        "nothing yet: the machine showed no identifier".to_owned()
    } else {
        words.join(" and ")
    }
}

fn reset(settings: &Settings, forget_keys: bool, out: &mut Out) -> Result<(), CliError> {
    let folder = &settings.state_dir;
    let cannot = |problem: std::io::Error| {
        CliError::given("cannot_reset", format!("cannot reset the id in {}: {problem}", folder.display()))
    };
    let there = match std::fs::metadata(folder) {
        Ok(there) => Some(there),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(cannot(error)),
    };
    let mut had = false;
    if let Some(there) = there {
        become_owner(&there).map_err(cannot)?;
        // Whatever is made is the agent's alone.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let _lock = daemon::lock(folder).map_err(|error| match error {
            RunError::AlreadyRunning(_) => CliError::given(
                "agent_runs",
                "the agent is running; stop it first: systemctl stop svm-agent.socket svm-agent-query.socket svm-agent",
            ),
            error => error.into(),
        })?;
        had = ["agent.db", "recovery.json"].iter().any(|name| files::is_there(&folder.join(name)));
        if had && !forget_keys {
            wait(give_up(folder))??;
        }
        remove(folder, |name| match forget_keys {
            true => name.starts_with("agent.") || name.starts_with("recovery."),
            false => {
                name.starts_with("agent.db.damaged-")
                    || name.starts_with("recovery.json.damaged-")
                    || name == "recovery.damaged"
            }
        })
        .map_err(cannot)?;
    }
    if out.json() {
        out.value(&json!({"reset": had, "keys_kept": had && !forget_keys}))?;
        return Ok(());
    }
    out.line(match (had, forget_keys) {
        (false, _) => "There was no id. The first start makes one.",
        (true, false) => "The id is removed. At the next start the agent takes a new one and keeps the keys.",
        (true, true) => "The id, the keys and the events are removed. The next start is like the first one.",
    })?;
    Ok(())
}

/// Root does what follows as the user who has the folder: what is made there is his, and no link leads elsewhere.
fn become_owner(folder: &std::fs::Metadata) -> std::io::Result<()> {
    if !rustix::process::geteuid().is_root() || folder.uid() == 0 {
        return Ok(());
    }
    let group = Gid::from_raw(folder.gid());
    // The only thread there is.
    rustix::thread::set_thread_groups(&[group])?;
    rustix::thread::set_thread_gid(group)?;
    Ok(rustix::thread::set_thread_uid(Uid::from_raw(folder.uid()))?)
}

async fn give_up(folder: &Path) -> Result<(), CliError> {
    let (routes, clock) = (Vec::new(), Clock::system());
    let bounds = crate::config::Retention { history: u32::MAX, bytes: u64::MAX };
    // Nothing is known of this machine: it may be another one already.
    let make_id = || uuid::Uuid::now_v7().to_string();
    let (store, _) = Store::open(folder, Plan { routes, bounds }, clock.now(), &Binding::default(), make_id)
        .map_err(RunError::from)?;
    let given_up = store.give_up_identity().await;
    store.safe().await;
    store.close().await;
    Ok(given_up.map_err(RunError::from)?)
}

/// Removes files of the folder by name; the recovery file first: without it no database is rebuilt.
fn remove(folder: &Path, which: impl Fn(&str) -> bool) -> std::io::Result<()> {
    let mut names: Vec<String> = Vec::new();
    #[allow(clippy::disallowed_methods, reason = "what is forgotten may have any name")]
    for entry in std::fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string().ok().filter(|name| which(name)));
    }
    names.sort_by_key(|name| (!name.starts_with("recovery."), name.clone()));
    names.iter().try_for_each(|name| std::fs::remove_file(folder.join(name)))?;
    std::fs::File::open(folder)?.sync_all()
}
