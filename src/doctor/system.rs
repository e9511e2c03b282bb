//! What systemd shows: the service, its sockets, the unit of updates, the gates and the time service.

use super::context::{DoctorContext, ONE, wait};
use super::finding::{Area, Finding, Findings};
use crate::config::{RUNTIME_DIR, Settings};
use crate::gates::check::{GateState, gate_states};
use crate::gates::drop_ins::{Asks, Gate};
use crate::gates::install::Places;
use crate::gates::protection::Guard;
use crate::gates::rules;
use crate::gates::units::installed;
use crate::systemd::systemctl;
use crate::systemd::systemctl::UnitState;
use crate::updates::run::{NoStart, may_begin};
use std::path::Path;
use std::time::Duration;
use svm_core::library_words;
use svm_core::subscription::Resource;

/// All units are asked about, as each may stop another.
const GATES: Duration = Duration::from_secs(8);

/// Services that keep the time, by their names in Debian.
const TIME: [&str; 6] = [
    "systemd-timesyncd.service",
    "chrony.service",
    "ntpsec.service",
    "openntpd.service",
    "ntp.service",
    "open-vm-tools.service",
];

/// The service and its sockets.
const OURS: [&str; 3] = ["svm-agent.service", "svm-agent.socket", "svm-agent-query.socket"];

/// Whether the agent does not run and systemd would start it for a connection to its sockets: the doctor changes
/// nothing, so it does not ask then.
pub fn asleep(settings: &Settings) -> bool {
    if !booted() || settings.runtime_dir != Path::new(RUNTIME_DIR) {
        return false;
    }
    let units = wait(show(&OURS, &[])).ok().and_then(Result::ok).unwrap_or_default();
    let is = |name: &str, runs: bool| units.iter().any(|unit| unit.id == name && unit.runs() == runs);
    is("svm-agent.service", false) && OURS.iter().any(|name| name.ends_with(".socket") && is(name, true))
}

fn booted() -> bool {
    svm_core::files::is_there(Path::new("/run/systemd/system"))
}

pub(super) fn check(context: &DoctorContext) -> Vec<Finding> {
    let settings = &context.settings;
    let mut service = Findings::of(Area::Service);
    if !booted() {
        service.note("systemd", "does not run here: units, gates and the time service were not checked");
        return service.found;
    }
    let asked = wait(async {
        let (units, time, updates) = tokio::join!(
            show(&OURS, &["UnitFileState", "NRestarts"]),
            show(&TIME, &[]),
            tokio::time::timeout(ONE, may_begin(&settings.updates.unit)),
        );
        let undone = updates_gate(settings).await;
        let gates = tokio::time::timeout(GATES, gates(settings)).await;
        (units, time, updates, undone, gates)
    });
    let Ok((units, time, updates, undone, gates)) = asked else { return service.found };
    match units {
        Ok(units) => ours(&mut service, &units),
        Err(problem) => service.note("systemd", format!("does not answer: {problem}")),
    }
    let mut clock = Findings::of(Area::Clock);
    if let Ok(time) = time {
        time_service(&mut clock, &time);
    }
    let mut update = Findings::of(Area::Updates);
    if context.settings_are_right && !settings.updates.schedule.is_empty() {
        let unit = &settings.updates.unit;
        match updates {
            Ok(Err(NoStart::Failed(failure))) => {
                update.fail(
                    unit,
                    failure.message,
                    format!("systemctl status {unit}; sudo svm-agent gate install {unit}"),
                );
            }
            Ok(_) => match undone {
                Ok(None) => update.ok(unit, "exists and asks for its permit"),
                Ok(Some(why)) => update.fail(
                    unit,
                    format!("asks for its permit, but the gate can be bypassed: {why}"),
                    format!("give it the line ExecCondition= of svm-agent-update.service, or run: sudo svm-agent gate install {unit}"),
                ),
                Err(problem) => update.note(unit, format!("systemd does not answer: {problem}")),
            },
            Err(_) => update.note(unit, format!("systemd did not answer within {} s", ONE.as_secs())),
        }
    }
    let mut gated = Findings::of(Area::Enforcement);
    match gates {
        Ok(gates) => gated.found = gates,
        Err(_) => gated.note("gates", format!("systemd did not answer within {} s", GATES.as_secs())),
    }
    [service.found, clock.found, update.found, gated.found].concat()
}

async fn show(units: &[&str], more: &[&str]) -> Result<Vec<UnitState>, String> {
    let units: Vec<String> = units.iter().map(|unit| (*unit).to_owned()).collect();
    match tokio::time::timeout(ONE, systemctl::show(&units, more)).await {
        Ok(shown) => shown.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", ONE.as_secs())),
    }
}

/// Why the gate of the unit that updates the databases is not the gate program over this machine's files.
async fn updates_gate(settings: &Settings) -> Result<Option<String>, String> {
    let unit = settings.updates.unit.clone();
    let states = show(&[&unit], rules::EFFECTIVE).await?;
    let asks = Asks::Gate { runtime_dir: settings.runtime_dir.clone() };
    let gate = Gate { unit, resource: Resource::DatabaseUpdates, ksn_only: false, asks };
    Ok(states.first().and_then(|state| rules::in_force(&gate, &settings.runtime_dir, state).err()))
}

fn ours(found: &mut Findings, units: &[UnitState]) {
    for unit in units {
        let text = |name: &str| unit.properties.get(name).map(String::as_str).unwrap_or_default();
        let (name, enabled) = (unit.id.as_str(), text("UnitFileState"));
        match (unit.load.as_str(), unit.active.as_str()) {
            ("not-found", _) => found.note(name, "is not installed here"),
            ("masked", _) => {
                found.fail(name, "is masked, so systemd never starts it", format!("systemctl unmask {name}"))
            }
            ("loaded", "failed") => found.fail(
                name,
                format!("failed ({}), exit code {}", unit.result, unit.exit_status),
                format!("journalctl -u {name} -n 20; then: systemctl restart {name}"),
            ),
            ("loaded", _)
                if name.ends_with(".service") && !matches!(enabled, "enabled" | "enabled-runtime") =>
            {
                found.warn(
                    name,
                    format!("is {}, but not started at boot ({enabled})", unit.active),
                    format!("systemctl enable {name}"),
                );
            }
            ("loaded", active) => {
                let restarts = text("NRestarts").parse::<u32>().unwrap_or(0);
                match restarts {
                    0 => found.ok(name, format!("is {active}")),
                    _ => found.warn(
                        name,
                        format!("is {active}, but was restarted {restarts} times"),
                        format!("find out why: journalctl -u {name}"),
                    ),
                }
            }
            (load, _) => found.fail(
                name,
                format!("systemd cannot load it ({load})"),
                format!("systemctl status {name}"),
            ),
        }
    }
}

fn time_service(found: &mut Findings, units: &[UnitState]) {
    let active: Vec<&str> =
        units.iter().filter(|unit| unit.active == "active").map(|unit| unit.id.as_str()).collect();
    match active.as_slice() {
        [] => found.warn(
            "time service",
            "none is active: the clock may become wrong, and with it the dates of the subscription",
            "apt install systemd-timesyncd && timedatectl set-ntp true",
        ),
        active => found.ok("time service", format!("{} is active", active.join(", "))),
    }
}

/// Every gate, and whether it is in force.
async fn gates(settings: &Settings) -> Vec<Finding> {
    let mut found = Findings::of(Area::Enforcement);
    let places = Places { systemd_dir: settings.enforcement.gates_dir.clone(), ..Places::installed() };
    let gates = match installed(&places.systemd_dir) {
        Ok(gates) => gates,
        Err(error) => {
            found.note(
                "gates",
                format!("cannot list {}: {}", places.systemd_dir.display(), library_words::io(&error)),
            );
            return found.found;
        }
    };
    let guard = Guard::new(&settings.enforcement);
    let gate_states = gate_states(&gates, &places, &settings.runtime_dir, &guard).await;
    for (gate, state) in gates.iter().zip(gate_states) {
        let name = format!("gate of {}", gate.unit);
        match (state, places.has_rule(&gate.unit)) {
            (GateState::Unknown, _) => found.note(name, "systemd does not answer"),
            (GateState::Not(why), _) => found.fail(
                name,
                format!("is not in force, so the service runs without a permit: {why}"),
                format!("sudo svm-agent gate install {0}; or, if it needs no gate: sudo svm-agent gate remove {0}", gate.unit),
            ),
            (GateState::InForce, Some(false)) => found.warn(
                name,
                "its polkit rule is missing, so the agent can neither stop nor start the service",
                format!("sudo svm-agent gate install {}", gate.unit),
            ),
            (GateState::InForce, _) => found.ok(name, "is in force"),
        }
    }
    found.found
}
