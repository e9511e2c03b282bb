//! The units of a keeper: which they are, how they are stopped, and which are started when the permit is back.

use super::{Keeper, LAST_RETRY, Outcome};
use crate::agent::enforcement::systemctl::{self, UnitState};
use crate::agent::enforcement::{gates, governed_by_schedule, owed};
use crate::agent::engine::Order;
use crate::subscription::{Permit, Resource};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Between looks at units that are stopping.
const STOPPING_LOOK: [Duration; 5] = [
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

/// Units that are governed: for this resource, and for the other.
#[derive(Default)]
pub(super) struct Governed {
    pub(super) here: BTreeSet<String>,
    there: BTreeSet<String>,
}

impl Keeper {
    /// What is governed, here and for the other resource: units with a gate, and the one that the schedule starts.
    fn units(&self) -> Result<Governed, String> {
        let folder = &self.settings.enforcement.gates_dir;
        let found = gates::installed(folder)
            .map_err(|e| format!("the gates in {} cannot be read: {e}", folder.display()))?;
        let gated = found.into_iter().map(|gate| (gate.resource, gate.unit));
        let scheduled = Resource::ALL.into_iter().filter_map(|resource| {
            governed_by_schedule(&self.settings, resource).map(|unit| (resource, unit))
        });
        let mut governed = Governed::default();
        for (resource, unit) in gated.chain(scheduled) {
            if resource == self.resource { &mut governed.here } else { &mut governed.there }.insert(unit);
        }
        Ok(governed)
    }

    /// What must not be broken off: units are told to stop, and those that ran are remembered.
    pub(super) async fn begin(&mut self, verdict: Permit) -> Result<Governed, String> {
        let governed = self.units()?;
        let units: Vec<String> = governed.here.iter().cloned().collect();
        if verdict != Permit::Stopped || units.is_empty() {
            return Ok(governed);
        }
        // Only what runs: a stop waits for polkit, and must not meet what was started with the next permit meanwhile. What
        // is not seen running asks its gate from here on.
        let shown = systemctl::show(&units, &[]).await.map_err(|e| e.to_string())?;
        let running: Vec<String> = shown.iter().filter(|u| u.runs()).map(|u| u.id.clone()).collect();
        self.owed.extend(running.iter().cloned());
        let known = self.engine.picture.borrow().state.clone();
        let new: Vec<String> = self.owed.difference(&known.owed).cloned().collect();
        let remember = async {
            if !new.is_empty() {
                // A disk that is full is told by the engine; they stay in mind.
                self.engine.order(Order::Owed(new)).await.ok();
            }
        };
        let (told, ()) = tokio::join!(systemctl::stop(&running), remember);
        told.map(|()| governed).map_err(|error| error.to_string())
    }

    /// Waits until none of the units runs; one that does not stop is killed.
    pub(super) async fn see_stopped(&self, units: &[String]) -> Outcome {
        let mut outcome = Outcome::default();
        let patience = self.clock.world(self.settings.enforcement.stop_timeout.unsigned_abs());
        let began = Instant::now();
        let mut pauses = STOPPING_LOOK.into_iter().chain(std::iter::repeat(Duration::from_secs(2)));
        let mut killed = false;
        loop {
            let shown = match systemctl::show(units, &[]).await {
                Ok(shown) => shown,
                Err(error) => {
                    outcome.problems.push(error.to_string());
                    return outcome;
                }
            };
            let running: Vec<String> = shown.iter().filter(|u| u.runs()).map(|u| u.id.clone()).collect();
            if running.is_empty() {
                outcome.by.extend(loaded(&shown));
                return outcome;
            }
            if began.elapsed() >= patience && !killed {
                killed = true;
                tracing::warn!(units = running.join(" "), "asked to stop and still there: killed");
                if let Err(error) = systemctl::kill(&running).await {
                    outcome.problems.push(error.to_string());
                    return outcome;
                }
            } else if began.elapsed() >= patience + systemctl::PATIENCE {
                outcome.problems.push(format!("{} does not stop, not even killed", running.join(", ")));
                return outcome;
            }
            tokio::time::sleep(pauses.next().unwrap_or(LAST_RETRY)).await;
        }
    }

    /// Starts, once, what was stopped or skipped for want of the permit.
    pub(super) async fn start_owed(&self, governed: Governed) -> Outcome {
        let mut outcome = Outcome::default();
        let units: Vec<String> = governed.here.iter().cloned().collect();
        let shown = match systemctl::show(&units, &[]).await {
            Ok(shown) => shown,
            Err(error) => {
                outcome.problems.push(error.to_string());
                return outcome;
            }
        };
        let known = self.engine.picture.borrow().state.clone();
        let is_governed = |unit: &&String| governed.here.contains(*unit) || governed.there.contains(*unit);
        let stale: Vec<String> = known.owed.iter().filter(|unit| !is_governed(unit)).cloned().collect();
        if !stale.is_empty() {
            // Its gate was taken away: it runs when it likes.
            self.engine.order(Order::Paid(stale)).await.ok();
        }
        let noted = owed::noted(&self.settings.runtime_dir);
        let is_owed = |unit: &&UnitState| {
            let id = &unit.id;
            unit.load == "loaded" && (known.owed.contains(id) || self.owed.contains(id) || noted.contains(id))
        };
        let owed: Vec<String> = shown.iter().filter(is_owed).map(|unit| unit.id.clone()).collect();
        if !owed.is_empty() {
            // A run of the schedule's unit is watched by those who watch its others.
            let scheduled = governed_by_schedule(&self.settings, self.resource);
            let (runs, units): (Vec<_>, Vec<_>) =
                owed.iter().cloned().partition(|id| scheduled.as_ref() == Some(id));
            if !runs.is_empty() {
                // Nobody waits for the answer.
                self.updates.try_send(oneshot::channel().0).ok();
            }
            match systemctl::start(&units).await {
                Ok(()) => {
                    tracing::info!(units = owed.join(" "), "the permit is back: started what waited for it")
                }
                Err(error) => {
                    outcome.problems.push(error.to_string());
                    return outcome;
                }
            }
            owed::forget(&self.settings.runtime_dir, &owed);
            self.engine.order(Order::Paid(owed)).await.ok();
        }
        outcome.by.extend(loaded(&shown));
        outcome
    }
}

/// Units that are there, as what holds a resource to its permit.
fn loaded(shown: &[UnitState]) -> Vec<String> {
    shown.iter().filter(|unit| unit.load == "loaded").map(|unit| unit.id.clone()).collect()
}
