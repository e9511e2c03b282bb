//! How the installed gates stand: whether systemd will do what each says, and whether each may still be there. Files change
//! after a gate was installed, so `gate list`, `doctor` and the installation itself ask here.
//!
//! Promises: nothing is changed; without systemd it says so.

use crate::gates::drop_ins::{Gate, PROGRAM, drop_in_path};
use crate::gates::install::Places;
use crate::gates::protection::{Act, Guard, Relations, all_relations};
use crate::gates::rules;
use crate::gates::rules::EFFECTIVE;
use crate::systemd::systemctl;
use crate::systemd::systemctl::{SystemctlError, UnitState};
use std::path::Path;
use svm_core::files::is_there;
use svm_core::root_only::{Who, only_root_may_change};

/// How a gate stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateState {
    /// Its unit asks for a permit at each start.
    InForce,
    /// It does not, or the gate must not be there; one sentence.
    Not(String),
    /// systemd cannot be asked.
    Unknown,
}

/// How each of the gates stands. `runtime_dir` is where the agent writes permits.
pub async fn gate_states(
    gates: &[Gate],
    places: &Places,
    runtime_dir: &Path,
    guard: &Guard,
) -> Vec<GateState> {
    if gates.is_empty() {
        return Vec::new();
    }
    let relations = all_relations().await;
    let drop_ins = protection_drop_ins(guard).await.unwrap_or_default();
    let mut relations = match relations {
        Ok(relations) => relations,
        Err(_) => return vec![GateState::Unknown; gates.len()],
    };
    let mut gate_states = Vec::new();
    for gate in gates {
        let state = state(gate, places, runtime_dir, guard, &mut relations, &drop_ins).await;
        gate_states.push(state.unwrap_or(GateState::Unknown));
    }
    gate_states
}

async fn state(
    gate: &Gate,
    places: &Places,
    runtime_dir: &Path,
    guard: &Guard,
    relations: &mut Relations,
    drop_ins: &[(String, String)],
) -> Result<GateState, SystemctlError> {
    // Each for itself: a command can have any text, lines like those of properties too.
    let more: Vec<&str> = EFFECTIVE.iter().copied().chain(["Names"]).collect();
    let found = systemctl::show(std::slice::from_ref(&gate.unit), &more).await?;
    let Some(state) = found.into_iter().next() else {
        return Ok(GateState::Not("systemd does not know the unit".to_owned()));
    };
    if let Err(why) = by_state(gate, &state, places, runtime_dir, guard, drop_ins) {
        return Ok(GateState::Not(why));
    }
    Ok(match guard.harm(relations, &[Act::Stop, Act::Start], &gate.unit).await? {
        None => GateState::InForce,
        Some(harm) => GateState::Not(format!(
            "starting or stopping it would stop {}, a unit of the protection, by {}; run: svm-agent gate remove {}",
            harm.protection, harm.way, gate.unit
        )),
    })
}

fn by_state(
    gate: &Gate,
    state: &UnitState,
    places: &Places,
    runtime_dir: &Path,
    guard: &Guard,
    drop_ins: &[(String, String)],
) -> Result<(), String> {
    match state.load.as_str() {
        "loaded" => {}
        "not-found" => return Err("the unit does not exist".to_owned()),
        load => return Err(format!("the unit is {load}")),
    }
    rules::name(&gate.unit).map_err(|refusal| refusal.to_string())?;
    if rules::is_protection(state, guard.names()) {
        return Err(format!(
            "it is a unit of the protection, which is never stopped; run: svm-agent gate remove {}",
            gate.unit
        ));
    }
    let ours = drop_in_path(&places.systemd_dir, &gate.unit);
    if let Some((protection, _)) = drop_ins.iter().find(|(_, file)| Path::new(file) == ours) {
        let unit = &gate.unit;
        return Err(format!("its drop-in also applies to {protection}; run: svm-agent gate remove {unit}"));
    }
    exposed(&ours)?;
    rules::in_force(gate, runtime_dir, state)
}

/// Refuses a gate that a user other than root could change, or whose program is missing. The unit's own files are not
/// checked: only root can write those.
///
/// # Errors
/// One sentence.
pub fn exposed(drop_in: &Path) -> Result<(), String> {
    let program = Path::new(PROGRAM);
    if !is_there(program) {
        return Err(format!("{PROGRAM} does not exist; install the package svm-agent again"));
    }
    for path in [program, drop_in] {
        match only_root_may_change(path) {
            Err(exposed) if !matches!(exposed.who, Who::Unknown(_)) => {
                return Err(format!("other users can change what root runs: {exposed}"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The drop-ins of units that are never stopped: each with its unit.
///
/// # Errors
/// [`SystemctlError`]
pub async fn protection_drop_ins(guard: &Guard) -> Result<Vec<(String, String)>, SystemctlError> {
    let states = systemctl::show(guard.names(), &["DropInPaths"]).await?;
    let files = |state: UnitState| {
        let files = state.words("DropInPaths");
        files.into_iter().map(move |file| (state.id.clone(), file))
    };
    Ok(states.into_iter().flat_map(files).collect())
}
