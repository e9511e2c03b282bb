//! `[source]`: where documents are published.

use crate::config::check::{Check, path};
use jiff::SignedDuration;
use serde::Deserialize;
use svm_core::http::Connection;
use svm_core::tls::TlsFiles;

/// Where documents are published, and how to look.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// The part before `/v1/keys/`, without a slash at its end; `None` never looks.
    pub url: Option<String>,
    /// Between looks, usually.
    pub interval: SignedDuration,
    /// Between looks in the last day of a term, in grace and while restricted.
    pub urgent_interval: SignedDuration,
    /// How the connection is made.
    pub connection: Connection,
}

/// The keys as they are written.
#[derive(Deserialize)]
pub(crate) struct RawSource {
    url: String,
    interval: String,
    urgent_interval: String,
    timeout: String,
    pub(crate) ca_file: String,
    proxy: String,
}

impl Check<'_> {
    pub(crate) fn source(&mut self, raw: RawSource) -> Option<SourceSettings> {
        let url = match raw.url.as_str() {
            "" => Some(None),
            url => self.base("source.url", url).map(Some),
        };
        let interval = self.span("source.interval", &raw.interval, 1, 7 * 86_400);
        let urgent = self.span("source.urgent_interval", &raw.urgent_interval, 1, 86_400);
        let connection = TlsFiles { ca_file: path(&raw.ca_file), ..TlsFiles::default() };
        let connection = self.connection("source", &raw.timeout, connection, &raw.proxy);
        Some(SourceSettings {
            url: url?,
            interval: interval?,
            urgent_interval: urgent?,
            connection: connection?,
        })
    }
}
