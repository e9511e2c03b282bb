//! Opening the store at a start, and logging what it found and what the settings lack.

use super::error::RunError;
use crate::config::{Destination, Settings};
use crate::gates::drop_ins::Gate;
use crate::gates::units;
use crate::identity;
use crate::log::log_event;
use crate::storage::{Opened, Plan, Route, Store};
use svm_core::clock::Clock;
use svm_core::words::events::new_id_because;
use svm_core::words::{Language, Noun, count};

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
        log_event!(IDENTITY_NEW, id);
    }
    if let Some(changed) = changed {
        let (old_id, why) = (&changed.old_id, changed.why.as_str());
        let reason = new_id_because(why).get(Language::English);
        log_event!(IDENTITY_TAKEN, id, old_id, why; reason = reason);
    }
    if let Some(rebuilt) = rebuilt {
        if rebuilt.lost {
            log_event!(STATE_LOST, set_aside = rebuilt.set_aside; problem = rebuilt.problem);
        } else {
            log_event!(STORE_REBUILT, set_aside = rebuilt.set_aside; problem = rebuilt.problem);
        }
    }
    if let Some((problem, set_aside)) = recovery_damaged {
        log_event!(RECOVERY_DAMAGED, set_aside; problem);
    }
    for (name, events) in left {
        log_event!(
            DESTINATION_LEFT of name,
            destination = name,
            events;
            pending = count(*events, Noun::Event, Language::English)
        );
    }
    if settings.destinations.is_empty() {
        log_event!(DESTINATION_NONE);
    }
    // Where they cannot be listed, each keeper says so.
    let gates = units::installed(&settings.enforcement.gates_dir).unwrap_or_default();
    for unit in gates.into_iter().filter(Gate::is_outdated).map(|gate| gate.unit) {
        log_event!(GATE_OUTDATED of unit, unit);
    }
}
