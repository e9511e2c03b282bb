//! The network: for the source, each destination and each upstream its name, its port, its certificate, its answer. All at
//! once, each step within a few seconds. Nothing is sent but questions.

use super::context::{DoctorContext, ONE, instant, wait};
use super::finding::{Area, Finding, Findings, Grade, REFUSED_DOCUMENT};
use crate::config::{Destination, Settings, Speaks};
use crate::delivery::probe;
use crate::fetch::{Answer, SourceError, fetch};
use crate::storage::{StoredDocument, stored_documents};
use jiff::SignedDuration;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use svm_core::clock::Clock;
use svm_core::documents::{Expect, TrustStore, verify};
use svm_core::error_chain::Chain;
use svm_core::library_words;
use svm_core::tls::{self, TlsError, TlsFiles};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A certificate that expires sooner is a warning.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A place to connect to.
struct Place {
    host: String,
    port: u16,
    tls: Option<TlsFiles>,
    proxied: bool,
}

impl Place {
    /// Of an address of HTTP, or of the proxy before it.
    fn of(url: &str, proxy: Option<&str>, tls: &TlsFiles) -> Option<Self> {
        let to = svm_core::http::Target::parse(proxy.unwrap_or(url)).ok()?;
        let (host, port) = (to.host, to.port);
        // What the proxy connects to shows its certificate in the question that follows.
        let tls = (proxy.is_none() && svm_core::http::is_secure(url)).then(|| tls.clone());
        Some(Self { host, port, tls, proxied: proxy.is_some() })
    }

    fn name(&self) -> String {
        let proxy = if self.proxied { "the proxy " } else { "" };
        format!("{proxy}{}:{}", self.host, self.port)
    }
}

pub(super) fn check(context: &DoctorContext) -> Vec<Finding> {
    let settings = &context.settings;
    if !context.settings_are_right {
        let mut none = Findings::of(Area::Delivery);
        none.note(
            "the network",
            "source and destinations were not checked, because the settings are not valid",
        );
        return none.found;
    }
    let documents = stored_documents(&settings.state_dir, context.runs).unwrap_or_default();
    let found = wait(async {
        let mut checks = tokio::task::JoinSet::new();
        let (of_source, all) = (settings.clone(), documents);
        checks.spawn(async move { source(&of_source, &all).await });
        for (name, destination) in &settings.destinations {
            let (name, destination) = (name.clone(), destination.clone());
            checks.spawn(async move { one_destination(&name, &destination).await });
        }
        for upstream in settings.gateway.iter().flat_map(|gateway| &gateway.upstreams) {
            let place = upstream.to_string();
            checks.spawn(async move { one_upstream(&place).await });
        }
        checks.join_all().await
    });
    let mut found = found.unwrap_or_default().concat();
    if settings.destinations.is_empty() {
        let mut none = Findings::of(Area::Delivery);
        none.warn(
            "destinations",
            "none is configured, so no console sees this SVM",
            "add [destinations.console] to /etc/svm-agent/agent.toml",
        );
        found.extend(none.found);
    }
    found.sort_by(|a, b| a.about.cmp(&b.about));
    found
}

async fn source(settings: &Settings, documents: &[StoredDocument]) -> Vec<Finding> {
    let mut found = Findings::of(Area::Source);
    let Some(url) = &settings.source.url else {
        found.note("source.url", "is not set: keys come from svm-agent key add alone");
        return found.found;
    };
    let connection = &settings.source.connection;
    let Some(place) = Place::of(url, connection.proxy.as_deref(), &connection.tls) else {
        return found.found;
    };
    if !reach(&mut found, "source", &place, "renewals are not noticed").await {
        return found.found;
    }
    if documents.is_empty() {
        found.note(
            "source",
            "the published document was not checked: there is no key, or only root can see its name",
        );
    }
    for stored in documents {
        let about = format!("published document of {}", stored.key);
        let Ok(sub) = stored.sub.parse() else { continue };
        let fetched = timeout(ONE, fetch(&settings.source, &sub, None, &Clock::system())).await;
        let text = match fetched {
            Err(_) => {
                found.warn(
                    about,
                    format!("no answer within {} s", ONE.as_secs()),
                    "try again; then ask the provider",
                );
                continue;
            }
            Ok(Err(error)) => {
                let remedy = match &error {
                    SourceError::NotFound | SourceError::Withdrawn => {
                        "ask the provider whether it is still published"
                    }
                    SourceError::Redirect { .. } => {
                        "set source.url to the address that it leads to, then: systemctl reload svm-agent"
                    }
                    _ => "check source.url, the proxy and the provider's server; then: svm-agent refresh",
                };
                let text = match &error {
                    SourceError::NotFound => "the provider no longer publishes it (404)".to_owned(),
                    error => error.to_string(),
                };
                found.warn(about, text, remedy);
                continue;
            }
            Ok(Ok(Answer::NotChanged)) => continue,
            Ok(Ok(Answer::Document { text, .. })) => text,
        };
        let Ok(trust) = TrustStore::load(&settings.trust_dir) else { continue };
        let expect = Expect { sub: Some(&sub), issuer: Some(&stored.issuer) };
        match verify(&text, &trust.store, expect) {
            Ok(document) if text.trim_ascii() == stored.jws.trim_ascii() => {
                found.ok(about, format!("is the one in use, revision {}", document.statement.rev));
            }
            Ok(document) => found.add(
                Grade::Note,
                about,
                format!("is revision {}, not the one in use", document.statement.rev),
                Some("svm-agent refresh".to_owned()),
            ),
            Err(error) => found.warn(about, Chain(&error).to_string(), REFUSED_DOCUMENT),
        }
    }
    found.found
}

async fn one_destination(name: &str, destination: &Destination) -> Vec<Finding> {
    let mut found = Findings::of(Area::Delivery);
    if let Some(file) = destination.certificate_file() {
        let now = Clock::system().now();
        let about = format!("{name}: client certificate");
        let renew = "put a new certificate and key into the files; no restart is needed";
        match tls::file_ends_at(file) {
            Ok(end) if end <= now => found.fail(
                about,
                format!("expired at {}, so the receiver refuses this SVM", instant(end)),
                renew,
            ),
            Ok(end) if end.duration_since(now) < SOON => {
                found.warn(about, format!("expires at {}", instant(end)), renew)
            }
            Ok(end) => found.ok(about, format!("valid until {}", instant(end))),
            // One that cannot be read is reported with the settings.
            Err(TlsError::Read { .. }) => {}
            Err(problem) => found.fail(about, Chain(&problem).to_string(), renew),
        }
    }
    let place = match &destination.speaks {
        Speaks::CloudEvents(settings) => {
            let connection = &settings.connection;
            Place::of(settings.url.whole(), connection.proxy.as_deref(), &connection.tls)
        }
        Speaks::Syslog(settings) => Some(Place {
            host: settings.host.trim_matches(['[', ']']).to_owned(),
            port: settings.port,
            tls: settings.tls.then(|| settings.tls_files.clone()),
            proxied: false,
        }),
    };
    let Some(place) = place else { return found.found };
    if !reach(&mut found, name, &place, "its events wait on this SVM").await {
        return found.found;
    }
    let about = format!("{name}: answer");
    match timeout(ONE, probe(destination)).await {
        Ok(Ok(())) => found.ok(about, "answers as a receiver should"),
        Ok(Err(problem)) => {
            found.fail(about, problem, format!("correct destinations.{name}, then: svm-agent config check"))
        }
        Err(_) => found.fail(
            about,
            format!("no answer within {} s", ONE.as_secs()),
            "find out why the receiver does not answer",
        ),
    }
    found.found
}

async fn one_upstream(place: &str) -> Vec<Finding> {
    let mut found = Findings::of(Area::Enforcement);
    if let Some((host, port)) = place.rsplit_once(':')
        && let Ok(port) = port.parse()
    {
        let host = host.trim_matches(['[', ']']).to_owned();
        let place = Place { host, port, tls: None, proxied: false };
        reach(&mut found, "KSN upstream", &place, "the gateway cannot use it").await;
    }
    found.found
}

/// Name, port and certificate, one after the other; gives whether there is more to check. `so` says why it matters.
async fn reach(found: &mut Findings, of: &str, place: &Place, so: &str) -> bool {
    let (host, port) = (place.host.trim_matches(['[', ']']), place.port);
    let about = format!("{of}: {}", place.name());
    let addresses: Vec<SocketAddr> = match timeout(ONE, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            let remedy =
                format!("correct the name, or check DNS: getent ahosts {host}; cat /etc/resolv.conf");
            found.fail(
                about,
                format!("the name cannot be resolved: {}, so {so}", library_words::io(&error)),
                remedy,
            );
            return false;
        }
        Err(_) => {
            let text = format!("DNS gave no answer within {} s, so {so}", ONE.as_secs());
            found.fail(about, text, "check whether the servers in /etc/resolv.conf can be reached");
            return false;
        }
    };
    let stream = match timeout(ONE, TcpStream::connect(addresses.as_slice())).await {
        Ok(Ok(stream)) => stream,
        failed => {
            let why = match failed {
                Ok(Err(error)) => library_words::io(&error),
                _ => format!("no answer within {} s", ONE.as_secs()),
            };
            let remedy = format!(
                "check that a program listens at {host}:{port} and that no firewall is in between: nc -vz {host} {port}"
            );
            found.fail(about, format!("cannot connect: {why}, so {so}"), remedy);
            return false;
        }
    };
    let Some(files) = &place.tls else {
        found.ok(about, "can be reached");
        return true;
    };
    let config = match files.client_config(Clock::system()) {
        Ok(config) => config,
        Err(error) => {
            found.fail(about, Chain(&error).to_string(), "repair the file that is named");
            return false;
        }
    };
    let Ok(name) = ServerName::try_from(host.split('%').next().unwrap_or_default().to_owned()) else {
        found.fail(about, "no certificate can be issued for this name", "correct the host name");
        return false;
    };
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let secured = match timeout(ONE, connector.connect(name, stream)).await {
        Ok(Ok(secured)) => secured,
        Ok(Err(error)) => {
            let why = tls::refusal(&error).map_or_else(|| library_words::io(&error), tls::explain);
            let remedy =
                format!("show the certificate: openssl s_client -connect {host}:{port} -servername {host}");
            found.fail(about, format!("{why}; until then {so}"), remedy);
            return false;
        }
        Err(_) => {
            let text = format!("connected, but no TLS handshake within {} s, so {so}", ONE.as_secs());
            found.fail(about, text, "check that this is a TLS port");
            return false;
        }
    };
    let chain = secured.get_ref().1.peer_certificates().unwrap_or_default();
    match chain.first().map(tls::shown) {
        Some(Ok(shown)) => {
            let text = format!(
                "its certificate is valid until {}, issued by {}",
                instant(shown.ends_at),
                shown.issuer
            );
            match shown.ends_at.duration_since(Clock::system().now()) < SOON {
                true => found.warn(about, text, "the operator of that server must renew it soon"),
                false => found.ok(about, text),
            }
        }
        Some(Err(problem)) => found.note(about, format!("speaks TLS; {problem}")),
        None => found.ok(about, "speaks TLS"),
    }
    true
}
