//! One turn: step, commit, effects.
//!
//! Command, for safety: a permit that gets tighter is written before the commit, so that stopping never waits for a disk
//! that is full or broken; one that is given back is written after it. Nothing is sent or logged before it is stored.

use super::handle::{EngineSnapshot, Outcome, Published};
use super::pending_input::PendingInput;
use super::state::Engine;
use crate::storage::{Commit, NoteName, StoreError, StoredDocument};
use jiff::Timestamp;
use std::sync::Arc;
use svm_core::documents::Document;
use svm_core::documents::text_digest;
use svm_core::events::{Operational, Record, Renderer, Snapshot};
use svm_core::subscription::{Event, Severity, State, next_due, step};

impl Engine {
    /// Carries out one input, after all that was held back.
    ///
    /// # Errors
    /// It could not be stored; only tighter permits are in force.
    pub(super) async fn turn(&mut self, coming: PendingInput) -> Result<Outcome, StoreError> {
        let (ahead, urgent) = self.ahead(&coming);
        if coming.is_automatic() {
            self.permits.write(&self.state, Some(&ahead), self.now());
        }
        let mut stored = Vec::new();
        let outcome = self.commit_all(&coming, urgent, &mut stored).await;
        match &outcome {
            Ok(turn) => {
                self.backlog.recovered();
                self.permits.write(&self.state, None, turn.at);
            }
            // The rest of the state stays as it was.
            Err(error) => self.backlog.failed(error, coming, self.now()),
        }
        self.publish();
        if !stored.is_empty() {
            self.publisher.outbox.send_modify(|n| *n += 1);
        }
        for record in &stored {
            crate::log::stored_event(record);
        }
        outcome
    }

    /// The state after all that is held back and `coming`, and whether a Critical event is among its events.
    fn ahead(&self, coming: &PendingInput) -> (State, bool) {
        let (mut state, mut critical) = (self.state.clone(), false);
        for held in self.backlog.iter().chain([coming]) {
            let (next, events) = step(state, &self.settings.rules, self.now(), held.input.clone());
            critical |= events.iter().any(|event| event.kind.severity() == Severity::Critical);
            state = next;
        }
        (state, critical)
    }

    /// Commits what was held back, then `coming`. Adds to `stored` what was stored, also if not everything was.
    async fn commit_all(
        &mut self,
        coming: &PendingInput,
        urgent: bool,
        stored: &mut Vec<Record>,
    ) -> Result<Outcome, StoreError> {
        while let Some(held) = self.backlog.first() {
            self.commit(&held, urgent, stored).await?;
            self.backlog.remove_first();
        }
        self.commit(coming, urgent, stored).await
    }

    async fn commit(
        &mut self,
        coming: &PendingInput,
        urgent: bool,
        stored: &mut Vec<Record>,
    ) -> Result<Outcome, StoreError> {
        let now = self.now();
        let (state, events) = step(self.state.clone(), &self.settings.rules, now, coming.input.clone());
        let documents = self.documents_after(&state, coming.document.clone());
        let taken = documents != self.documents;
        let records = self.render(&state, now, &events, &coming.operational_events);
        // Something is written to a store that failed, or nobody would learn that it works again.
        let changed = state != self.state || self.backlog.problem().is_some();
        let asked = !coming.quarantined.is_empty() || !coming.notes.is_empty();
        if changed || taken || !records.is_empty() || asked {
            let commit = Commit {
                state: changed.then(|| state.clone()),
                documents: taken.then(|| documents.clone()),
                records: records.clone(),
                notes: self.notes(coming),
                above: coming.renumber_above.clone(),
                quarantined: coming.quarantined.clone(),
                expire_before: self.expire_before(coming, now),
                urgent,
            };
            self.drops = self.store.commit(commit).await?;
        }
        (self.state, self.documents, self.seen) = (state, documents, now);
        stored.extend(records);
        Ok(Outcome { at: now, events, taken, run: None })
    }

    /// The notes of a commit: an event that is stored with it clears the note that it is still to be reported.
    fn notes(&self, coming: &PendingInput) -> Vec<(NoteName, String)> {
        let reported = coming.operational_events.iter().filter_map(|event| match event {
            Operational::IdentityChanged { .. } => Some((NoteName::ChangedIdentity, String::new())),
            Operational::StoreRebuilt { .. } => Some((NoteName::Rebuilt, String::new())),
            Operational::EventsDropped(_) => Some((NoteName::Dropped, String::new())),
            _ => None,
        });
        reported.chain(coming.notes.iter().cloned()).chain([(NoteName::Time, self.clock.memory())]).collect()
    }

    /// Events that are older expire with each report.
    fn expire_before(&self, coming: &PendingInput, now: Timestamp) -> Option<Timestamp> {
        let is_report = |event: &Operational| matches!(event, Operational::AgentReport { .. });
        let has_report = coming.operational_events.iter().any(is_report);
        has_report.then(|| now.checked_sub(self.settings.outbox_max_age).ok()).flatten()
    }

    fn documents_after(&self, state: &State, document: Option<Document>) -> Vec<StoredDocument> {
        let mut documents = self.documents.clone();
        if let Some(document) = document {
            let key = &document.statement.key;
            let taken = state.held(key).is_some_and(|(_, held)| held.statement == document.statement);
            let known = self.state.held(key).is_some_and(|(_, held)| held.statement == document.statement);
            let have = documents.iter().any(|document| document.key == key.as_str());
            if taken && !(known && have) {
                documents.retain(|document| document.key != key.as_str());
                documents.push(StoredDocument {
                    key: key.to_string(),
                    issuer: document.iss,
                    sub: document.sub.as_str().to_owned(),
                    jws: document.text,
                });
            }
        }
        let held = [&state.active, &state.reserve];
        documents
            .retain(|p| held.iter().any(|h| h.as_ref().is_some_and(|h| h.statement.key.as_str() == p.key)));
        documents
    }

    fn render(
        &self,
        state: &State,
        time: Timestamp,
        events: &[Event],
        operational: &[Operational],
    ) -> Vec<Record> {
        let renderer =
            Renderer { origin: &self.origin, time, view: &state.reported, snapshot: &Snapshot::of(state) };
        let operational = operational.iter().map(|event| renderer.operational(event));
        operational.chain(events.iter().map(|event| renderer.life_cycle(event))).collect()
    }

    /// Shows the state as it is stored, the permits as they are written, and what is wrong with the store.
    pub(super) fn publish(&self) {
        let document = |key: &str| self.documents.iter().find(|document| document.key == key);
        let active = self.state.active.as_ref().and_then(|held| {
            let document = document(held.statement.key.as_str())?;
            let (sub, issuer) = (document.sub.parse().ok()?, document.issuer.clone());
            Some(Published { sub, issuer, digest: text_digest(&document.jws) })
        });
        let reserve = self.state.reserve.as_ref().and_then(|held| document(held.statement.key.as_str()));
        let next = EngineSnapshot {
            state: Arc::new(self.state.clone()),
            active,
            reserve: reserve.cloned().map(Arc::new),
            permits: self.permits.written().to_vec(),
            next_change: next_due(&self.state, &self.settings.rules, self.seen),
            store_problem: self.backlog.problem().cloned(),
            dropped: self.publisher.dropped(),
            instance: self.origin.instance.clone(),
        };
        self.publisher.snapshot.send_replace(next);
    }
}
