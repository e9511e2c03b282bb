//! Checks the reserve key, and reports one that would be useless while there is time to get another.
//!
//! It is checked when the agent starts, when the key or the trusted signers change, and once a day at a phase of the
//! SVM's own. Told once, also over restarts; so is that it is good again. Must not know: how events are sent.

use super::context::Context;
use super::engine::{AgentReport, Command};
use super::fetch::verify_now;
use super::spread::next_on_grid;
use crate::storage::{NoteName, StoredDocument, read_note};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use svm_core::documents::{Expect, Sub};
use svm_core::events::Operational;
use svm_core::subscription::{DeviceStatus, Held, Reason, Settings as Rules, State, Unusable};
use svm_core::words::Language::English;
use svm_core::words::{refusals::ReserveProblem, remedies::provider, times::day_or_instant};

/// How often it is checked in any case.
const EVERY: SignedDuration = SignedDuration::from_hours(24);

/// Wait before a report that could not be stored is repeated.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// The problem that was reported and still exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ReportedProblem {
    key: String,
    why: String,
}

/// What is wrong with the reserve.
struct Problem {
    why: String,
    message: String,
}

pub struct ReserveWatch {
    /// What all tasks share.
    pub context: Context,
    /// The folder of the trusted signers.
    pub trust_dir: PathBuf,
    /// What the rules of the life cycle take from the settings.
    pub rules: Rules,
    /// The SVM's place in an interval, 0 to 1.
    pub spread: f64,
}

/// Names, times and sizes of the signers' files: whether they changed, without reading them.
type Signers = Vec<(std::ffi::OsString, Option<SystemTime>, u64)>;

fn signers(folder: &Path) -> Signers {
    let files = svm_core::files::list_folder(folder).unwrap_or_default();
    let about = |path: std::path::PathBuf| {
        // What a link points to counts, too.
        let data = std::fs::metadata(&path).ok()?;
        Some((path.file_name()?.to_owned(), data.modified().ok(), data.len()))
    };
    files.into_iter().filter_map(about).collect()
}

impl ReserveWatch {
    /// Works until the engine is gone.
    pub async fn run(mut self) {
        let note = self.context.store.note(NoteName::Reserve).await.ok().flatten();
        let mut reported: Option<ReportedProblem> = read_note(NoteName::Reserve, note);
        let mut seen: Option<(Arc<StoredDocument>, Signers)> = None;
        let (mut next, mut problems) = (Timestamp::MIN, Vec::new());
        loop {
            let (state, document) = {
                let snapshot = self.context.engine.snapshot.borrow_and_update();
                (snapshot.state.clone(), snapshot.reserve.clone())
            };
            let now = self.context.clock.now();
            let checked = document.map(|document| (document, signers(&self.trust_dir)));
            if checked != seen || now >= next {
                let document = checked.as_ref().map(|(document, _)| document.as_ref());
                let held = state.reserve.as_ref().zip(document);
                let problem =
                    held.and_then(|(held, document)| self.problem(&state, held, document, &mut problems));
                if self.report(&state, &mut reported, held.map(|(held, _)| held), problem).await {
                    (seen, next) = (checked, next_on_grid(now, EVERY, self.spread));
                } else {
                    next = now.checked_add(AGAIN).unwrap_or(Timestamp::MAX);
                }
            }
            let (clock, due) = (self.context.clock, next);
            tokio::select! {
                changed = self.context.engine.snapshot.changed() => if changed.is_err() { return },
                () = clock.sleep_until(due) => {}
            }
        }
    }

    /// Why the reserve would be of no use now, with the way out.
    fn problem(
        &self,
        state: &State,
        held: &Held,
        document: &StoredDocument,
        problems: &mut Vec<String>,
    ) -> Option<Problem> {
        let sub: Option<Sub> = document.sub.parse().ok();
        let expect = Expect { sub: sub.as_ref(), issuer: Some(&document.issuer) };
        if let Err(refusal) = verify_now(&document.jws, &self.trust_dir, expect, problems) {
            return Some(Problem { why: refusal.code.as_str().to_owned(), message: refusal.message });
        }
        let first_active = state.first_active(&held.statement);
        let rules = &self.rules;
        let unusable = held.unusable_at(first_active, rules, self.context.clock.now())?;
        let provider = provider(held.statement.vendor.as_ref(), English);
        let say = |text: ReserveProblem, name, value: String| {
            let version = rules.product_version.to_string();
            text.fill(English, &[("provider", &provider), ("version", &version), (name, &value)])
        };
        let message = match &unusable {
            Unusable::Blocked { since } => {
                say(ReserveProblem::Blocked, "when", day_or_instant(*since, English))
            }
            Unusable::Expired { since } => {
                say(ReserveProblem::Expired, "when", day_or_instant(*since, English))
            }
            Unusable::ProductVersionTooOld { least } => {
                say(ReserveProblem::ProductVersionTooOld, "least", least.to_string())
            }
        };
        Some(Problem { why: unusable.as_str().to_owned(), message })
    }

    /// Reports what changed since the last report. True if that is stored, or nothing had to be.
    async fn report(
        &self,
        state: &State,
        reported: &mut Option<ReportedProblem>,
        held: Option<&Held>,
        problem: Option<Problem>,
    ) -> bool {
        self.context
            .health
            .reserve_problem()
            .clone_from(&problem.as_ref().map(|problem| problem.message.clone()));
        let key = held.map(|held| held.statement.key.to_string());
        let new =
            key.clone().zip(problem.as_ref()).map(|(key, p)| ReportedProblem { key, why: p.why.clone() });
        // Where the note was lost with the database, the reason of the device status was not.
        let stands = state.conditions.contains_key(&Reason::ReserveUnusable);
        if new == *reported && stands == new.is_some() {
            return true;
        }
        let event = match (&new, problem, key) {
            (Some(ReportedProblem { key, why }), Some(Problem { message, .. }), _) if new != *reported => {
                Some(Operational::ReserveUnusable { key: key.clone(), why: why.clone(), message })
            }
            // No open report is about another key, so none has to be withdrawn.
            (None, None, Some(key)) if reported.as_ref().is_none_or(|reported| reported.key == key) => {
                Some(Operational::ReserveUsable { key })
            }
            _ => None,
        };
        let condition = Some((Reason::ReserveUnusable, new.as_ref().map(|_| DeviceStatus::Warning)));
        let note = new.as_ref().map(|reported| serde_json::to_string(reported).unwrap_or_default());
        let notes = vec![(NoteName::Reserve, note.unwrap_or_default())];
        let report = AgentReport { events: event.into_iter().collect(), condition, notes };
        let stored = self.context.engine.command(Command::AgentReport(Box::new(report))).await.is_ok();
        if stored {
            *reported = new;
        }
        stored
    }
}
