//! What the settings would have sent over a network for everyone on the way to read.

use crate::config::destination::Speaks;
use crate::config::read::Settings;
use svm_core::http::Target;

impl Settings {
    /// Secrets that go to another machine without TLS, and client certificates that are shown to nobody for want of
    /// it: one sentence each.
    pub fn unencrypted(&self) -> Vec<String> {
        let plain = |url: &str| {
            let target = Target::parse(url).ok()?;
            (!target.secure && !target.is_loopback()).then(|| target.place())
        };
        let mut found = Vec::new();
        if let Some(place) = self.source.url.as_deref().and_then(plain) {
            found.push(format!(
                "`source.url`: documents and their secret names travel unencrypted to and from {place}, and anybody who reads them can use them; use https://"
            ));
        }
        for (name, destination) in &self.destinations {
            let key = format!("destinations.{name}");
            let secure = match &destination.speaks {
                Speaks::Syslog(settings) => settings.tls,
                Speaks::CloudEvents(settings) => {
                    let url = settings.url.whole();
                    if let Some(place) = plain(url) {
                        if settings.token_file.is_some() {
                            found.push(format!("`{key}.token_file`: the token goes unencrypted to {place}; use https:// in url"));
                        }
                        if url.contains('?') {
                            found.push(format!("`{key}.url`: what stands behind `?` goes unencrypted to {place}; use https://"));
                        }
                    }
                    svm_core::http::is_secure(url)
                        || settings.connection.proxy.as_deref().is_some_and(svm_core::http::is_secure)
                }
            };
            if !secure && destination.certificate_file().is_some() {
                found.push(format!(
                    "`{key}.certificate_file`: the client certificate is never used, because the url does not use TLS; use https:// or tls://"
                ));
            }
        }
        found
    }
}
