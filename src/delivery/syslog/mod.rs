//! Destinations that speak syslog: RFC 5424 in the shape of Kaspersky Security Center, or CEF, over TCP or TLS.
//!
//! Promises: [`Syslog::send`] answers that a batch was delivered only after the receiver's process read every byte
//! of it (`wire.rs` says how that is known); else nothing counts, and all of it is to be sent again under the same ids
//! and numbers. TLS files are read anew when they were replaced. Must not know: the store, the backoff, the log.

pub(crate) mod cef;
mod facts;
mod failure;
mod frame;
pub(crate) mod rfc5424;
mod wire;

use crate::config::SyslogSettings;
pub use facts::QueuedEvent;
pub use failure::Failure;
use std::sync::Arc;
use svm_core::clock::Clock;
use svm_core::error_chain::Chain;
use svm_core::failure_code::FailureCode;
use svm_core::tls::FilesState;
use tokio_rustls::TlsConnector;

/// A destination that speaks syslog.
pub struct Syslog {
    settings: SyslogSettings,
    clock: Clock,
    /// What TLS needs, and what its files were like when they were read.
    tls: Option<(FilesState, TlsConnector)>,
}

impl Syslog {
    /// Nothing is read or opened before the first batch. Certificates are good or not by `clock`.
    pub fn new(settings: SyslogSettings, clock: Clock) -> Self {
        Self { settings, clock, tls: None }
    }

    /// Sends a batch over a connection of its own. The number up to which the receiver has everything: that of the
    /// last event, or 0 for an empty batch, which connects to nobody.
    ///
    /// # Errors
    /// [`Failure`]: none of the batch counts as delivered, though the receiver may have some of it.
    pub async fn send(&mut self, batch: &[QueuedEvent<'_>]) -> Result<u64, Failure> {
        let Some(last) = batch.last() else { return Ok(0) };
        let connector = if self.settings.tls { Some(self.connector()?) } else { None };
        let sent = wire::send(&self.settings, connector, batch).await;
        if sent.is_err() {
            // The next try starts from nothing: trusted certificates of the system may have changed as well.
            self.rest();
        }
        sent.map(|()| last.sequence)
    }

    /// Whether TLS holds something between batches.
    pub fn holds_certificates(&self) -> bool {
        self.tls.is_some()
    }

    /// Connects, sends nothing, and sees the receiver close.
    ///
    /// # Errors
    /// [`Failure`]: what a batch would fail with.
    pub async fn probe(&mut self) -> Result<(), Failure> {
        let connector = if self.settings.tls { Some(self.connector()?) } else { None };
        wire::send(&self.settings, connector, &[]).await
    }

    /// Gives up what TLS holds between batches, certificates of the system among it. For idle times.
    pub fn rest(&mut self) {
        self.tls = None;
    }

    fn connector(&mut self) -> Result<TlsConnector, Failure> {
        // Looked at before the files are read: if they are replaced meanwhile, the next batch sees it.
        let state = self.settings.tls_files.state();
        if let Some((read, connector)) = &self.tls
            && *read == state
        {
            return Ok(connector.clone());
        }
        let mut config = self.settings.tls_files.client_config(self.clock).map_err(|error| Failure {
            code: FailureCode::ConnectionSettings,
            message: Chain(&error).to_string(),
            hold: true,
        })?;
        // A session that is resumed shows no certificates: neither side would see that the other's has expired, and
        // receivers would not know from whom the batch is.
        config.resumption = rustls::client::Resumption::disabled();
        let connector = TlsConnector::from(Arc::new(config));
        self.tls = Some((state, connector.clone()));
        Ok(connector)
    }
}
