//! The permits that follow from the state: what they say, and when they are written.

use super::settings::EngineSettings;
use crate::outage::{FailureKind, Outage};
use crate::permits::permit_file;
use crate::permits::permit_file::PermitFile;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use svm_core::clock::Clock;
use svm_core::failure_code::FailureCode;
use svm_core::library_words;
use svm_core::subscription::{Permit, Resource, State, Terms, permit_until};
use tokio::sync::watch;

/// A permit that could not be written is tried again after this time.
const WRITE_AGAIN: Duration = Duration::from_secs(10);

/// The permits as they were last written.
struct Written {
    /// When to write them again, by the boot clock.
    renew_at: Duration,
    permits: Vec<PermitFile>,
}

/// Writes the permit files, and shows them to the other parts.
pub(super) struct PermitWriter {
    settings: Arc<EngineSettings>,
    clock: Clock,
    folder: PathBuf,
    shown: watch::Sender<Vec<PermitFile>>,
    written: Option<Written>,
    /// Why the files do not say what they should.
    outage: Option<Outage>,
}

impl PermitWriter {
    pub(super) fn new(
        settings: Arc<EngineSettings>,
        clock: Clock,
        shown: watch::Sender<Vec<PermitFile>>,
    ) -> Self {
        let folder = permit_file::folder(&settings.runtime_dir);
        Self { settings, clock, folder, shown, written: None, outage: None }
    }

    /// The permits as they were last written; empty before.
    pub(super) fn written(&self) -> &[PermitFile] {
        self.written.as_ref().map(|written| written.permits.as_slice()).unwrap_or_default()
    }

    /// How long until the permits are to be renewed: at half of the time that they are good for, by the boot clock, which
    /// nobody sets.
    pub(super) fn left(&self) -> Duration {
        let renew_at = self.written.as_ref().map(|written| written.renew_at);
        renew_at.map_or(Duration::ZERO, |at| at.saturating_sub(svm_core::clock::boot_time()))
    }

    fn permit(&self, state: &State, now: Timestamp, resource: Resource) -> PermitFile {
        let horizon = now.checked_add(self.settings.permit_max_age).unwrap_or(Timestamp::MAX);
        let until = permit_until(state, &self.settings.rules, now, resource, horizon);
        let verdict = state.reported.permit(resource);
        let after_grace = state.active.as_ref().and_then(|held| match &held.statement.terms {
            Terms::Subscription(s) => Some(self.settings.rules.tighten(resource, s.after_grace.of(resource))),
            Terms::Licence(_) => None,
        });
        PermitFile {
            resource,
            verdict,
            rate: after_grace.filter(|_| verdict == Permit::Limited).and_then(|a| a.rate()),
            phase: state.reported.phase,
            cause: state.reported.cause,
            until,
            until_boot_ms: PermitFile::boot_ms(&self.clock, until),
            boot_id: svm_core::clock::boot_id().to_owned(),
            written_at: now,
            when_agent_is_down: self.settings.when_agent_is_down,
        }
    }

    /// Writes the permits that are right at `now`, if the written ones say anything else or are due for renewal. If `next`
    /// is not stored yet, whichever of it and `stored` allows less is written.
    pub(super) fn write(&mut self, stored: &State, next: Option<&State>, now: Timestamp) {
        let permits = Resource::ALL.map(|resource| {
            let stored = self.permit(stored, now, resource);
            let next = next.map(|state| self.permit(state, now, resource));
            next.filter(|next| rank(next.verdict) < rank(stored.verdict)).unwrap_or(stored)
        });
        let old = self.written();
        // A permit that only its age ends says the same a moment later.
        let ends = |p: &PermitFile| {
            Some(p.until).filter(|_| p.until.duration_since(p.written_at) < self.settings.permit_max_age)
        };
        let says = |p: &PermitFile| (p.verdict, p.rate, p.phase, p.cause, ends(p));
        let stands =
            old.len() == permits.len() && old.iter().zip(&permits).all(|(old, new)| says(old) == says(new));
        if stands && !self.left().is_zero() {
            return;
        }
        // The one that cannot be written does not keep the other from being written.
        let written: std::io::Result<()> =
            permits.iter().map(|permit| permit.put(&self.folder)).fold(Ok(()), Result::and);
        let again = match written {
            Ok(()) => {
                Outage::over(&mut self.outage, FailureKind::Permits);
                self.clock.world(self.settings.permit_max_age.unsigned_abs() / 2)
            }
            Err(error) => {
                let message =
                    format!("cannot write to {}: {}", self.folder.display(), library_words::io(&error));
                Outage::note(
                    &mut self.outage,
                    now,
                    FailureKind::Permits,
                    FailureCode::PermitNotWritten,
                    message,
                );
                WRITE_AGAIN
            }
        };
        self.shown.send_replace(permits.to_vec());
        let renew_at = svm_core::clock::boot_time().saturating_add(again);
        self.written = Some(Written { renew_at, permits: permits.into() });
    }
}

fn rank(permit: Permit) -> u8 {
    match permit {
        Permit::Stopped => 0,
        Permit::Limited => 1,
        Permit::Full => 2,
    }
}
