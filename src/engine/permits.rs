//! The permits that follow from the state: what they say, and when they are written.

use super::{Engine, Run, Step, Turn};
use crate::enforcement::budget;
use crate::enforcement::permit_file::PermitFile;
use crate::outage::{Outage, Trouble};
use crate::store::StoreError;
use jiff::Timestamp;
use std::time::Duration;
use svm_core::subscription::{Input, Permit, Resource, State, Terms, permit_until};

/// A permit that could not be written is tried again after so long.
const WRITE_AGAIN: Duration = Duration::from_secs(10);

impl Engine {
    /// Permits are renewed at half of the time that they are good for, by the boot clock: nobody sets that.
    pub(super) fn permits_left(&self) -> Duration {
        let renew_at = self.written.as_ref().map(|(renew_at, _)| *renew_at);
        renew_at.map_or(Duration::ZERO, |at| at.saturating_sub(svm_core::clock::boot_time()))
    }

    fn permit(&self, state: &State, now: Timestamp, resource: Resource) -> PermitFile {
        let horizon = now.checked_add(self.settings.permit_max_age).unwrap_or(Timestamp::MAX);
        let until = permit_until(state, &self.settings.rules, now, resource, horizon);
        let verdict = state.told.permit(resource);
        let after_grace = state.active.as_ref().and_then(|held| match &held.statement.terms {
            Terms::Subscription(s) => Some(self.settings.rules.tighten(resource, s.after_grace.of(resource))),
            Terms::Licence(_) => None,
        });
        PermitFile {
            resource,
            verdict,
            rate: after_grace.filter(|_| verdict == Permit::Limited).and_then(|a| a.rate()),
            phase: state.told.phase,
            cause: state.told.cause,
            until,
            until_boot_ms: PermitFile::boot_ms(&self.clock, until),
            boot_id: svm_core::clock::boot_id().to_owned(),
            written_at: now,
            when_agent_is_down: self.settings.enforcement.when_agent_is_down,
        }
    }

    /// Writes the permits that are right at `now`, where the written ones say anything else or are half as old as
    /// they may get. Where `next` is not kept yet, whichever of it and the kept state allows less is written.
    pub(super) fn write_permits(&mut self, now: Timestamp, next: Option<&State>) {
        let permits = Resource::ALL.map(|resource| {
            let kept = self.permit(&self.state, now, resource);
            let next = next.map(|state| self.permit(state, now, resource));
            next.filter(|next| rank(next.verdict) < rank(kept.verdict)).unwrap_or(kept)
        });
        let old = self.written.as_ref().map(|(_, old)| old.as_slice()).unwrap_or_default();
        // A permit that only its age ends says the same a moment later.
        let ends = |p: &PermitFile| {
            Some(p.until).filter(|_| p.until.duration_since(p.written_at) < self.settings.permit_max_age)
        };
        let says = |p: &PermitFile| (p.verdict, p.rate, p.phase, p.cause, ends(p));
        let stands =
            old.len() == permits.len() && old.iter().zip(&permits).all(|(old, new)| says(old) == says(new));
        if !stands || self.permits_left().is_zero() {
            let written: std::io::Result<()> =
                permits.iter().map(|permit| permit.put(&self.permits)).fold(Ok(()), Result::and);
            let again = match written {
                Ok(()) => {
                    Outage::over(&mut self.permit_outage, Trouble::Permits);
                    self.clock.world(self.settings.permit_max_age.unsigned_abs() / 2)
                }
                Err(error) => {
                    let message = format!("{}: {error}", self.permits.display());
                    Outage::note(
                        &mut self.permit_outage,
                        now,
                        Trouble::Permits,
                        "permit_not_written",
                        message,
                    );
                    WRITE_AGAIN
                }
            };
            self.permits_shown.send_replace(permits.to_vec());
            self.written = Some((svm_core::clock::boot_time().saturating_add(again), permits.into()));
        }
    }

    /// Spends one run of a resource. What is spent is kept before it is granted, so that none is spent twice.
    pub(super) async fn take(
        &mut self,
        resource: Resource,
        unit: Option<String>,
    ) -> Result<Turn, StoreError> {
        // What time brought is in the permit, kept or not.
        self.turn(Step::new(Input::Look)).await.ok();
        let at = self.now();
        let permit = self.written.as_ref().and_then(|(_, all)| all.iter().find(|p| p.resource == resource));
        let (verdict, rate) = permit.map_or((Permit::Stopped, None), |p| (p.verdict, p.rate));
        let (run, keep) = match verdict {
            Permit::Full => (Run::Granted, None),
            Permit::Stopped => (Run::Stopped, unit.map(Input::StartPending)),
            Permit::Limited => {
                let spent = self.state.enforcement.spent.get(&resource).copied();
                match budget::take(spent, rate.unwrap_or(0), resource.period(), at) {
                    Ok(spent) => (Run::Granted, Some(Input::Spent(resource, spent))),
                    Err(next) => (Run::SpentUntil(next), None),
                }
            }
        };
        let turn = match keep {
            Some(input) => self.turn(Step::new(input)).await?,
            None => Turn { at, events: Vec::new(), taken: false, run: None },
        };
        Ok(Turn { run: Some(run), ..turn })
    }
}

fn rank(permit: Permit) -> u8 {
    match permit {
        Permit::Stopped => 0,
        Permit::Limited => 1,
        Permit::Full => 2,
    }
}
