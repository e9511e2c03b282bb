//! Delivery: what was kept reaches each destination at least once and in order.
//!
//! One task for each destination: it takes the oldest events that wait, sends them, and moves on only when the
//! receiver has them. What an answer means is decided in `answer.rs`; nothing else looks at it.

mod answer;
pub mod syslog;

use super::board::{Board, DestinationHealth};
use super::outage::Outage;
use super::settings::{DestinationSettings, Receiver};
use super::store::{Outgoing, Store, StoreError};
use crate::clock::Clock;
use crate::events::with_sequence;
use crate::http::{self, Failure, jitter};
use answer::Outcome;
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Events in one batch at most.
const BATCH: usize = 500;

/// A connection that carries nothing is kept so long.
const KEPT: Duration = Duration::from_secs(20);

/// What is held is tried again so often.
const HOLD: Duration = Duration::from_secs(300);

/// The backoff grows to this.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// One destination's task.
pub struct Delivery {
    /// Its name in the settings.
    pub name: String,
    /// Where and how.
    pub settings: DestinationSettings,
    /// Where the events wait.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Where it writes how it is.
    pub board: Arc<Board>,
    /// Changes when new events were kept.
    pub outbox: watch::Receiver<u64>,
}

impl Delivery {
    /// Delivers until the engine ends.
    pub async fn run(mut self) {
        let what = format!("delivery to {}", self.name);
        let health = DestinationHealth { url: self.settings.url.clone(), ..DestinationHealth::default() };
        self.board.destinations().insert(self.name.clone(), health);
        let (mut failures, mut client) = (0_u32, None);
        loop {
            self.outbox.mark_unchanged();
            let waiting = match self.store.next(&self.name, self.batch()).await {
                Ok(waiting) => waiting,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    let outcome = Outcome::again("store", error.to_string());
                    self.wait_after(outcome, &mut failures, &what).await;
                    continue;
                }
            };
            let Some(last) = waiting.last().map(|event| event.sequence) else {
                let more = match client {
                    None => self.outbox.changed().await,
                    // A connection, and the certificates that it trusts, are kept for a while and no longer.
                    Some(_) => match tokio::time::timeout(KEPT, self.outbox.changed()).await {
                        Ok(more) => more,
                        Err(_) => {
                            client = None;
                            self.outbox.changed().await
                        }
                    },
                };
                if more.is_err() {
                    return;
                }
                continue;
            };
            let outcome = self.send(&mut client, &waiting).await;
            let Outcome::Delivered { upto } = outcome else {
                // Certificates and tokens may have changed: the next try reads them anew.
                client = None;
                self.wait_after(outcome, &mut failures, &what).await;
                continue;
            };
            if let Err(error) = self.store.delivered(&self.name, upto).await {
                // It will be sent again, under the same ids.
                let outcome = Outcome::again("store", error.to_string());
                self.wait_after(outcome, &mut failures, &what).await;
                continue;
            }
            failures = 0;
            self.note_delivered(&what);
            tracing::debug!(destination = self.name, upto, partly = upto < last, "delivered");
        }
    }

    fn batch(&self) -> usize {
        match self.settings.receiver {
            Receiver::SvmCollector => BATCH,
            Receiver::Generic => 1,
        }
    }

    fn note_delivered(&self, what: &str) {
        if let Some(health) = self.board.destinations().get_mut(&self.name) {
            Outage::over(&mut health.outage, what);
            health.last_delivered_at = Some(self.clock.now());
        }
    }

    async fn wait_after(&mut self, outcome: Outcome, failures: &mut u32, what: &str) {
        let (code, message, wait) = match outcome {
            Outcome::Delivered { .. } => return,
            Outcome::Hold { code, message } => (code, message, HOLD + jitter(HOLD / 10)),
            Outcome::Again { code, message, retry_after } => {
                let cap =
                    Duration::from_millis(500).saturating_mul(1 << (*failures).min(10)).min(LONGEST_BACKOFF);
                let jittered = jitter(cap).max(Duration::from_millis(100));
                (code, message, retry_after.map_or(jittered, |asked| asked + jittered))
            }
        };
        *failures = failures.saturating_add(1);
        let now = self.clock.now();
        if let Some(health) = self.board.destinations().get_mut(&self.name) {
            Outage::note(&mut health.outage, now, what, &code, message);
        }
        let until = SignedDuration::try_from(wait).ok().and_then(|wait| now.checked_add(wait).ok());
        self.clock.sleep_until(until.unwrap_or(now)).await;
    }

    /// Sends what waits, and says what the answer means.
    async fn send(&self, client: &mut Option<reqwest::Client>, waiting: &[Outgoing]) -> Outcome {
        let client = match client {
            Some(client) => client,
            None => match http::client(&self.settings.url, &self.settings.connection, true) {
                Ok(made) => client.insert(made),
                Err(error) => {
                    return Outcome::hold(
                        "connection_settings",
                        crate::error_chain::Chain(&error).to_string(),
                    );
                }
            },
        };
        let events = waiting.iter().map(|event| with_sequence(&event.body, event.sequence));
        let (kind, body) = match self.settings.receiver {
            Receiver::SvmCollector => {
                let events: Vec<String> = events.collect();
                ("application/cloudevents-batch+json", format!("[{}]", events.join(",")))
            }
            Receiver::Generic => ("application/cloudevents+json", events.collect()),
        };
        let mut request =
            client.post(&self.settings.url).header(reqwest::header::CONTENT_TYPE, kind).body(body);
        match self.token() {
            Ok(None) => {}
            Ok(Some(token)) => request = request.bearer_auth(token.expose_secret()),
            Err(message) => return Outcome::hold("token_file", message),
        }
        match request.send().await {
            Err(error) => answer::of_failure(&Failure::of(&error)),
            Ok(response) => answer::read(response, self.settings.receiver, waiting, self.clock.now()).await,
        }
    }

    fn token(&self) -> Result<Option<SecretString>, String> {
        let Some(file) = &self.settings.token_file else { return Ok(None) };
        let text =
            std::fs::read_to_string(file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
        let token = text.lines().next().unwrap_or_default().trim();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(format!("the first line of {} is not a token", file.display()));
        }
        Ok(Some(SecretString::from(token)))
    }
}
