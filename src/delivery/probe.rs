//! A look at whether a destination can work, before anything is entrusted to it. Nothing is sent.

use super::answer::redirect;
use super::secrets::Secrets;
use super::syslog::Syslog;
use crate::config::{CloudEvents, Destination, Speaks, SyslogSettings};
use std::time::Duration;
use svm_core::clock::Clock;
use svm_core::http::{self, Connection, Method};

/// A check of settings waits no longer than this.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to a destination and asks what it answers there.
///
/// # Errors
/// What is wrong, in one sentence with the way out.
pub async fn probe(destination: &Destination) -> Result<(), String> {
    match &destination.speaks {
        Speaks::CloudEvents(settings) => ask(settings).await,
        Speaks::Syslog(settings) => {
            let timeout = settings.timeout.min(TIMEOUT);
            let mut syslog = Syslog::new(SyslogSettings { timeout, ..settings.clone() }, Clock::system());
            syslog.probe().await.map_err(|failure| failure.message)
        }
    }
}

async fn ask(settings: &CloudEvents) -> Result<(), String> {
    let connection = Connection {
        timeout: settings.connection.timeout.min(TIMEOUT),
        tls: settings.connection.tls.clone(),
        proxy: settings.connection.proxy.clone(),
    };
    let client = http::client(settings.url.whole(), &connection, false, Clock::system());
    let client = client.map_err(|error| svm_core::error_chain::Chain(&error).to_string())?;
    let answer = client.request(Method::OPTIONS).send().await.map_err(|failure| failure.to_string())?;
    let status = answer.status;
    match status.as_u16() {
        404 | 410 => Err(format!("the receiver answers {status}; check the path of the url")),
        300..=399 => {
            let secrets = Secrets { url: settings.url.whole(), token: None };
            let to = answer.header("location").and_then(|to| redirect(&secrets, to));
            let to = to.unwrap_or_else(|| "an address that it does not name".to_owned());
            Err(format!(
                "the receiver redirects ({}) to {to}; redirects are not followed, so set the url to this address",
                status.as_u16()
            ))
        }
        // Others may be about the question alone, which is not the one that delivery asks.
        _ => Ok(()),
    }
}
