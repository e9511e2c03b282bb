//! Opening the store at a start, and logging what it found and what the settings lack.

use super::error::RunError;
use crate::config::{Destination, Settings};
use crate::gates::drop_ins::Gate;
use crate::gates::units;
use crate::identity;
use crate::log::log_event;
use crate::storage::{Opened, Plan, Route, Store};
use svm_core::clock::Clock;

/// Opens the store with the routes of the settings.
///
/// # Errors
/// [`RunError::Store`]: without it nothing can be stored.
pub(super) fn open(settings: &Settings, clock: &Clock) -> Result<(Store, Opened), RunError> {
    let route = |(name, destination): (&String, &Destination)| Route {
        name: name.clone(),
        filter: destination.filter.clone(),
    };
    let routes = settings.destinations.iter().map(route).collect();
    let plan = Plan { routes, bounds: settings.outbox };
    let make_id = || uuid::Uuid::now_v7().to_string();
    let machine = identity::of_this_machine(&settings.identity, &settings.runtime_dir);
    Ok(Store::open(&settings.state_dir, plan, clock.now(), &machine, make_id)?)
}

pub(super) fn log(settings: &Settings, opened: &Opened) {
    let Opened { id, new_id, changed, rebuilt, recovery_damaged, left, .. } = opened;
    if *new_id {
        log_event!(IDENTITY_NEW, id, "this SVM has a new id: {id}");
    }
    if let Some(changed) = changed {
        let (old_id, why) = (&changed.old_id, changed.why.as_str());
        let because = svm_core::events::new_id_because(why);
        log_event!(
            IDENTITY_TAKEN,
            id,
            old_id,
            why,
            "this SVM has a new id, {id}, because {because}; its keys are kept, and what waited under the old id {old_id} is dropped"
        );
    }
    if let Some(rebuilt) = rebuilt {
        if rebuilt.lost {
            log_event!(
                STATE_LOST,
                set_aside = rebuilt.set_aside,
                "what this SVM held is lost: {}",
                rebuilt.problem
            );
        } else {
            log_event!(
                STORE_REBUILT,
                set_aside = rebuilt.set_aside,
                "the database was rebuilt: {}",
                rebuilt.problem
            );
        }
    }
    if let Some((problem, set_aside)) = recovery_damaged {
        log_event!(
            RECOVERY_DAMAGED,
            set_aside,
            "the recovery file was damaged and is made again from the database: {problem}; the damaged one is kept as {set_aside}"
        );
    }
    for (name, events) in left {
        log_event!(
            DESTINATION_LEFT of name,
            destination = name,
            events,
            "the destination {name} is configured no more; {events} events that wait for it are kept as history, and go on if it comes back"
        );
    }
    if settings.destinations.is_empty() {
        log_event!(DESTINATION_NONE, "no destination is configured: no console hears of this SVM");
    }
    // Where they cannot be listed, each keeper says so.
    let gates = units::installed(&settings.enforcement.gates_dir).unwrap_or_default();
    for unit in gates.into_iter().filter(Gate::is_outdated).map(|gate| gate.unit) {
        log_event!(
            GATE_OUTDATED of unit,
            unit,
            "the gate of {unit} was installed by an older svm-agent and obeys the environment of the unit: svm-agent gate install {unit}"
        );
    }
}
