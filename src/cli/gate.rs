//! `svm-agent gate`: puts units behind their permit, and takes them away from there.
//!
//! A unit that must not be gated is refused before anything is written; what systemd does not heed is taken back.

use super::arguments::GateCommand;
use super::error::CliError;
use super::output::Out;
use crate::config::{RUNTIME_DIR, Settings};
use crate::control::SocketKind;
use crate::control::client::{AskError, ask};
use crate::gates::check;
use crate::gates::check::{GateState, gate_states, protection_drop_ins};
use crate::gates::drop_ins::{Asks, Gate};
use crate::gates::install::{Files, GateFilesError, Places};
use crate::gates::protection::{Act, Guard, all_relations};
use crate::gates::rules;
use crate::gates::rules::GateRefusal;
use crate::gates::units::installed;
use crate::gates::{drop_ins, listening};
use crate::systemd::systemctl;
use crate::systemd::systemctl::{SystemctlError, UnitState};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use svm_core::error_chain::Chain;
use svm_core::library_words;
use svm_core::subscription::Resource;

/// The agent answers at once, or is not well.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

impl From<GateRefusal> for CliError {
    fn from(refusal: GateRefusal) -> Self {
        Self::given(refusal.code(), refusal.to_string())
    }
}

impl From<SystemctlError> for CliError {
    fn from(error: SystemctlError) -> Self {
        Self::given("systemd", error.to_string())
    }
}

impl From<GateFilesError> for CliError {
    fn from(error: GateFilesError) -> Self {
        Self::given(error.code(), Chain(&error).to_string())
    }
}

/// Does what was asked. Only an installation minds settings that are wrong.
pub(super) async fn run(
    command: &GateCommand,
    settings: impl FnOnce() -> Result<Settings, CliError>,
    out: &mut Out,
) -> Result<u8, CliError> {
    let places = Places::installed();
    match command {
        GateCommand::Install { unit, ksn, resource, not_listening, .. } => {
            root()?;
            rules::name(unit).or_else(|refusal| match refusal {
                // Which service it starts is asked later.
                GateRefusal::NotAService { .. } => Ok(()),
                refusal => Err(refusal),
            })?;
            let usual = if *ksn { Resource::Ksn } else { Resource::DatabaseUpdates };
            let resource = resource.map_or(usual, Into::into);
            if *ksn && resource != Resource::Ksn {
                return Err(CliError::given(
                    "bad_resource",
                    "--ksn is for --resource ksn: leave one of them out",
                ));
            }
            let settings = settings()?;
            let wanted = Wanted { unit, resource, ksn_only: *ksn, not_listening: *not_listening };
            install(&wanted, &settings, &places, out).await
        }
        GateCommand::Remove { unit, .. } => {
            root()?;
            let runtime_dir = settings().map_or_else(|_| RUNTIME_DIR.into(), |settings| settings.runtime_dir);
            remove(unit.as_deref(), &runtime_dir, &places, out).await
        }
        GateCommand::Renew => {
            root()?;
            let runtime_dir = settings().map_or_else(|_| RUNTIME_DIR.into(), |settings| settings.runtime_dir);
            renew(&runtime_dir, &places, out).await
        }
        GateCommand::List => {
            // Of settings that are wrong, the usual ones: the gates are there all the same.
            let read = settings().ok();
            let runtime_dir =
                read.as_ref().map_or_else(|| RUNTIME_DIR.into(), |read| read.runtime_dir.clone());
            let guard = read.map_or_else(|| Guard::of(&[]), |read| Guard::new(&read.enforcement));
            list(&places, &runtime_dir, &guard, out).await
        }
    }
}

fn root() -> Result<(), CliError> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(CliError::given("not_root", "only root may change the units of systemd; run the command with sudo"))
}

struct Wanted<'a> {
    unit: &'a str,
    resource: Resource,
    ksn_only: bool,
    not_listening: bool,
}

async fn install(
    wanted: &Wanted<'_>,
    settings: &Settings,
    places: &Places,
    out: &mut Out,
) -> Result<u8, CliError> {
    let guard = Guard::new(&settings.enforcement);
    let unit = inspect_unit(wanted.unit, &guard).await?;
    let runtime_dir = settings.runtime_dir.as_path();
    if !drop_ins::is_plain(runtime_dir) {
        return Err(GateRefusal::RuntimeDir(runtime_dir.display().to_string()).into());
    }
    let asks = Asks::Gate { runtime_dir: runtime_dir.to_owned() };
    let gate = Gate { unit: unit.id.clone(), resource: wanted.resource, ksn_only: wanted.ksn_only, asks };
    let ours = drop_ins::drop_in_path(&places.systemd_dir, &gate.unit);
    check::exposed(&ours).map_err(|exposed| GateRefusal::Exposed { unit: gate.unit.clone(), exposed })?;
    let files = Files::of(&gate);
    let before = places.files(&gate.unit)?;
    let in_force = rules::in_force(&gate, runtime_dir, &commands(&gate.unit).await?).is_ok();
    if gate.ksn_only && !(before == files && in_force) {
        not_listening(&unit, wanted.not_listening)?;
    }
    let written = places.put(&gate.unit, &files).inspect_err(|_| {
        // Half a gate is none: what was there before is tried once.
        places.put(&gate.unit, &before).ok();
    })?;
    if !in_force || written {
        systemctl::reload().await?;
        // Of the protection, nothing is gated, whatever names its units have.
        let drop_ins = protection_drop_ins(&guard).await?;
        if let Some((protection, _)) = drop_ins.into_iter().find(|(_, file)| Path::new(file) == ours) {
            places.remove(&gate.unit);
            systemctl::reload().await?;
            return Err(GateRefusal::ProtectionGated { unit: gate.unit, protection }.into());
        }
        let now = commands(&gate.unit).await?;
        if let Err(why) = rules::in_force(&gate, runtime_dir, &now) {
            places.put(&gate.unit, &before)?;
            systemctl::reload().await?;
            let files = now.words("FragmentPath").into_iter().chain(now.words("DropInPaths"));
            let files = files.filter(|file| Path::new(file) != ours).collect();
            return Err(GateRefusal::Undone { unit: gate.unit, why, files }.into());
        }
    }
    let changed = written || !in_force;
    let mut remarks = Vec::new();
    if changed {
        remarks.extend(request_check(&settings.runtime_dir).await);
    }
    let polkit = systemctl::show(&["polkit.service".to_owned()], &[]).await?;
    if polkit.iter().all(|polkit| polkit.load != "loaded") {
        remarks.push(format!(
            "polkit is not installed: {} asks for its permit at each start, but the agent can neither stop nor start it; install polkitd",
            gate.unit
        ));
    }
    if out.json() {
        let resource = gate.resource.file_name();
        out.value(&json!({"unit": gate.unit, "resource": resource, "ksn": gate.ksn_only, "changed": changed, "remarks": remarks}))?;
        return Ok(0);
    }
    out.line(match changed {
        true => format!("{} is gated: it starts only with a permit for {}.", gate.unit, what(&gate)),
        false => format!("Nothing changed: {} is gated already.", gate.unit),
    })?;
    remarks.iter().for_each(|remark| out.warning(remark));
    Ok(0)
}

fn what(gate: &Gate) -> String {
    let only = if gate.ksn_only { ", this machine only" } else { "" };
    format!("{}{only}", gate.resource.file_name())
}

/// The unit as systemd knows it, where it may be gated.
async fn inspect_unit(name: &str, guard: &Guard) -> Result<UnitState, CliError> {
    if let Err(GateRefusal::NotAService { unit, .. }) = rules::name(name) {
        let found = systemctl::show(std::slice::from_ref(&unit), &["Triggers"]).await?;
        let mut services: Vec<String> = found.iter().flat_map(|unit| unit.words("Triggers")).collect();
        services.retain(|name| name.ends_with(".service"));
        return Err(GateRefusal::NotAService { unit, services }.into());
    }
    let unit = one(name, rules::PROPERTIES).await?;
    // Whether or not it is there.
    if rules::is_protection(&unit, guard.names()) {
        return Err(GateRefusal::Protection { unit: unit.id }.into());
    }
    if unit.load == "not-found" {
        let services = systemctl::services().await?;
        let nearest = rules::nearest(name, &services);
        return Err(GateRefusal::NotFound { unit: name.to_owned(), nearest }.into());
    }
    // Each name of each unit of the protection, whichever of them the settings have.
    let found = systemctl::show(guard.names(), &["Names"]).await?;
    let names = found.iter().flat_map(|unit| unit.words("Names"));
    let protection: Vec<String> = guard.names().iter().cloned().chain(names).collect();
    let has_command = !text(&commands(&unit.id).await?, "ExecStart").is_empty();
    rules::check(&unit, has_command, &protection)?;
    let mut relations = all_relations().await?;
    match guard.harm(&mut relations, &[Act::Stop, Act::Start], &unit.id).await? {
        None => Ok(unit),
        Some(harm) => {
            let (protection, way) = (harm.protection, harm.way);
            Err(GateRefusal::ProtectionFollows { unit: unit.id, protection, way }.into())
        }
    }
}

async fn one(name: &str, more: &[&str]) -> Result<UnitState, CliError> {
    let found = systemctl::show(&[name.to_owned()], more).await?;
    found.into_iter().next().ok_or_else(|| {
        CliError::given(
            "systemd",
            format!("systemctl shows nothing about {name}; see systemctl status {name}"),
        )
    })
}

/// What systemd runs for a unit. For itself: a command can have any text, lines like those of properties too.
async fn commands(unit: &str) -> Result<UnitState, CliError> {
    let more: Vec<&str> =
        rules::EFFECTIVE.iter().copied().chain(["ExecStart", "FragmentPath", "DropInPaths"]).collect();
    one(unit, &more).await
}

fn text<'a>(unit: &'a UnitState, property: &str) -> &'a str {
    unit.properties.get(property).map(String::as_str).unwrap_or_default()
}

/// Refuses a unit that takes connections from elsewhere.
fn not_listening(unit: &UnitState, known: bool) -> Result<(), CliError> {
    rules::no_sockets(unit)?;
    let group = listening::control_group(Path::new("/sys"), text(unit, "ControlGroup"));
    let Some(group) = group.filter(|_| unit.runs()) else {
        return if known { Ok(()) } else { Err(GateRefusal::NotLookedAt(unit.id.clone()).into()) };
    };
    let sockets = listening::sockets(Path::new("/proc"), &group).map_err(|error| {
        CliError::given("cannot_look", format!("cannot find out what {} listens on: {error}", unit.id))
    })?;
    match sockets.into_iter().next() {
        Some(by) => Err(GateRefusal::Listens { unit: unit.id.clone(), by }.into()),
        None => Ok(()),
    }
}

/// Has a running agent check its gates now; gives a warning if it did not.
async fn request_check(runtime_dir: &Path) -> Option<String> {
    let check = ask::<Value>(runtime_dir, SocketKind::Control, Method::POST, "v1/enforcement/look", None);
    match tokio::time::timeout(CHECK_TIMEOUT, check).await {
        // It checks them when it starts.
        Ok(Ok(_) | Err(AskError::Unreachable { .. })) => None,
        Ok(Err(error)) => {
            Some(format!("the agent did not check the gates: {error}; run: systemctl restart svm-agent"))
        }
        Err(_) => {
            Some("the agent does not answer; it checks the gates at the next change of a permit".to_owned())
        }
    }
}

async fn remove(
    unit: Option<&str>,
    runtime_dir: &Path,
    places: &Places,
    out: &mut Out,
) -> Result<u8, CliError> {
    let (found, mut problems) = places.units();
    let units = match unit {
        None => found,
        Some(unit) => {
            problems.clear();
            BTreeSet::from([known(unit, &found).await?])
        }
    };
    let mut removed = Vec::new();
    for unit in units {
        let (gone, failed) = places.remove(&unit);
        problems.extend(failed);
        if gone {
            removed.push(unit);
        }
    }
    let mut failures: Vec<String> = problems.iter().map(|problem| Chain(problem).to_string()).collect();
    let mut remarks = Vec::new();
    if !removed.is_empty() {
        // Without systemd, as when a package is removed from an image, nothing has read them.
        if Path::new("/run/systemd/system").is_dir() {
            failures.extend(systemctl::reload().await.err().map(|error| error.to_string()));
        }
        remarks.extend(request_check(runtime_dir).await);
    }
    if !failures.is_empty() {
        let done =
            if removed.is_empty() { String::new() } else { format!("; removed: {}", removed.join(", ")) };
        return Err(CliError::given("gate_not_removed", format!("{}{done}", failures.join("; "))));
    }
    if out.json() {
        out.value(&json!({"removed": removed, "remarks": remarks}))?;
        return Ok(0);
    }
    if removed.is_empty() {
        out.line("Nothing changed: no service is gated.")?;
    }
    for unit in removed {
        out.line(format!("{unit} is no longer gated."))?;
    }
    remarks.iter().for_each(|remark| out.warning(remark));
    Ok(0)
}

/// The gated unit that is meant.
async fn known(unit: &str, found: &BTreeSet<String>) -> Result<String, CliError> {
    if found.contains(unit) {
        return Ok(unit.to_owned());
    }
    // By an alias; a unit that is gone has none, and no systemd is no reason to fail.
    if rules::name(unit).is_ok()
        && let Ok(state) = one(unit, &[]).await
        && found.contains(&state.id)
    {
        return Ok(state.id);
    }
    let all: Vec<String> = found.iter().cloned().collect();
    let nearest = rules::nearest(unit, &all).map(|nearest| format!("; did you mean {nearest}?"));
    let nearest = nearest.unwrap_or_else(|| "; svm-agent gate list shows the services that are".to_owned());
    Err(CliError::given("not_gated", format!("{unit} is not gated{nearest}")))
}

/// Installs again what an older svm-agent installed: the gate program asks then.
async fn renew(runtime_dir: &Path, places: &Places, out: &mut Out) -> Result<u8, CliError> {
    if !drop_ins::is_plain(runtime_dir) {
        return Err(GateRefusal::RuntimeDir(runtime_dir.display().to_string()).into());
    }
    let gates = installed(&places.systemd_dir).map_err(|error| {
        CliError::given(
            "cannot_read",
            format!("cannot list {}: {}", places.systemd_dir.display(), library_words::io(&error)),
        )
    })?;
    let (mut renewed, mut problems) = (Vec::new(), Vec::new());
    for gate in gates.into_iter().filter(Gate::is_outdated) {
        let gate = Gate { asks: Asks::Gate { runtime_dir: runtime_dir.to_owned() }, ..gate };
        match places.put(&gate.unit, &Files::of(&gate)) {
            Ok(_) => renewed.push(gate.unit),
            Err(error) => problems.push(Chain(&error).to_string()),
        }
    }
    // Without systemd, as when an image is made, nothing has read them.
    if !renewed.is_empty() && Path::new("/run/systemd/system").is_dir() {
        problems.extend(systemctl::reload().await.err().map(|error| error.to_string()));
    }
    if !problems.is_empty() {
        return Err(CliError::given("gate_not_renewed", problems.join("; ")));
    }
    if out.json() {
        out.value(&json!({"renewed": renewed}))?;
        return Ok(0);
    }
    if renewed.is_empty() {
        out.line("Nothing changed: every gate is of this version.")?;
    }
    for unit in renewed {
        out.line(format!("The gate of {unit} was installed again."))?;
    }
    Ok(0)
}

async fn list(places: &Places, runtime_dir: &Path, guard: &Guard, out: &mut Out) -> Result<u8, CliError> {
    let gates = installed(&places.systemd_dir).map_err(|error| {
        CliError::given(
            "cannot_read",
            format!("cannot list {}: {}", places.systemd_dir.display(), library_words::io(&error)),
        )
    })?;
    let gate_states = gate_states(&gates, places, runtime_dir, guard).await;
    let rows: Vec<_> = gates
        .into_iter()
        .zip(gate_states)
        .map(|(gate, state)| (state, places.has_rule(&gate.unit), gate))
        .collect();
    if out.json() {
        let row = |(state, rule, gate): &(GateState, Option<bool>, Gate)| {
            let (in_force, why) = match state {
                GateState::InForce => (Some(true), None),
                GateState::Not(why) => (Some(false), Some(why)),
                GateState::Unknown => (None, None),
            };
            json!({"unit": gate.unit, "resource": gate.resource.file_name(), "ksn": gate.ksn_only,
                "in_force": in_force, "why": why, "rule": rule})
        };
        out.value(&rows.iter().map(row).collect::<Vec<_>>())?;
        return Ok(0);
    }
    if rows.is_empty() {
        out.line("No service is gated. To gate one: svm-agent gate install UNIT")?;
    }
    let unit = rows.iter().map(|(.., gate)| gate.unit.len()).max().unwrap_or(0);
    let permit = rows.iter().map(|(.., gate)| what(gate).len()).max().unwrap_or(0);
    for (state, rule, gate) in rows {
        let force = match state {
            GateState::Unknown => "unknown: systemd does not answer".to_owned(),
            GateState::InForce => "in force".to_owned(),
            GateState::Not(why) => format!("NOT IN FORCE: {why}"),
        };
        let rule = match rule {
            Some(true) => "",
            Some(false) => "; its polkit rule is missing: install the gate again",
            None => "; only root can see whether its polkit rule is there",
        };
        let columns = format!("{:<unit$}  {:<permit$}  ", gate.unit, what(&gate));
        out.wrapped(&columns, &format!("{force}{rule}"))?;
    }
    Ok(0)
}
