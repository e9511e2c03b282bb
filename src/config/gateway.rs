//! `[gateway]`: where KSN look-ups are taken and where they go.

use crate::config::check::Check;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;
use svm_core::settings::quoted;
use thiserror::Error;

/// How the gateway is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySettings {
    pub listen: SocketAddr,
    /// Where look-ups go: to the first that works.
    pub upstreams: Vec<Upstream>,
    /// So many connections at a time; more are refused. Fewer where the process may not have enough open files.
    pub max_connections: usize,
    /// So long may a connection to one upstream take, with the look-up of its name.
    pub connect_timeout: Duration,
    /// A connection without a byte for so long is closed, and one whose peer takes none.
    pub idle_timeout: Duration,
    /// A connection is closed after so long, whatever it does.
    pub max_age: Duration,
}

/// Where look-ups go: `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Upstream {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// From 1.
    pub port: u16,
}

/// A text that names no upstream.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{text} is not HOST:PORT: {why}; write it like \"ksn.example:13111\", \"192.0.2.1:13111\" or \"[2001:db8::1]:13111\""
)]
pub struct BadUpstream {
    text: String,
    why: &'static str,
}

impl FromStr for Upstream {
    type Err = BadUpstream;

    fn from_str(text: &str) -> Result<Self, BadUpstream> {
        let bad = |why| BadUpstream { text: quoted(text, 80), why };
        if text.contains('/') {
            return Err(bad("it must have neither a scheme nor a path"));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| bad("the port is missing"))?;
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let inner = rest.strip_suffix(']').ok_or_else(|| bad("a bracket is missing"))?;
                inner
                    .parse::<std::net::Ipv6Addr>()
                    .map_err(|_| bad("there is no IPv6 address in the brackets"))?;
                inner
            }
            None if host.contains(':') => {
                return Err(bad("an IPv6 address needs brackets, and then the port"));
            }
            None => host,
        };
        let names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() {
            return Err(bad("the host is missing"));
        }
        if !host.chars().all(names) {
            return Err(bad("the host has a character that no name has"));
        }
        match port.parse() {
            Ok(0) | Err(_) => Err(bad("the port is not a number from 1 to 65535")),
            Ok(port) => Ok(Self { host: host.to_owned(), port }),
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl TryFrom<String> for Upstream {
    type Error = BadUpstream;

    fn try_from(text: String) -> Result<Self, BadUpstream> {
        text.parse()
    }
}

impl From<Upstream> for String {
    fn from(upstream: Upstream) -> Self {
        upstream.to_string()
    }
}

/// The keys as they are written.
#[derive(Deserialize)]
pub(crate) struct RawGateway {
    upstreams: Vec<String>,
    listen: String,
    max_connections: u32,
    connect_timeout: String,
    idle_timeout: String,
    max_age: String,
}

impl Check<'_> {
    pub(crate) fn gateway(&mut self, raw: RawGateway) -> Option<Option<GatewaySettings>> {
        let form = "must be an address of the loopback with its port, such as \"127.0.0.1:13111\"";
        let listen = raw.listen.parse::<SocketAddr>();
        let listen = listen.map_err(|_| format!("{form}, not {}", quoted(&raw.listen, 60)));
        let listen = listen.and_then(|at| match at.ip().is_loopback() {
            true if at.port() == 0 => {
                Err(format!("{form}; with port 0 the system chooses one, which no client would find"))
            }
            true => Ok(at),
            false => Err(format!("{form}, not {at}; the gateway serves only this machine")),
        });
        let listen = self.take("gateway.listen", listen);
        let upstreams = self.items("gateway.upstreams", &raw.upstreams, str::parse::<Upstream>);
        let most = raw.max_connections;
        let most = self.take(
            "gateway.max_connections",
            (1..=100_000).contains(&most).then_some(most).ok_or("must be 1 to 100000"),
        );
        let mut span = |name: &str, text: &str, most: i64| {
            self.span(&format!("gateway.{name}"), text, 1, most).map(SignedDuration::unsigned_abs)
        };
        let connect_timeout = span("connect_timeout", &raw.connect_timeout, 300);
        let idle_timeout = span("idle_timeout", &raw.idle_timeout, 86_400);
        let max_age = span("max_age", &raw.max_age, 30 * 86_400);
        let gateway = GatewaySettings {
            listen: listen?,
            upstreams: upstreams?,
            max_connections: usize::try_from(most?).unwrap_or(usize::MAX),
            connect_timeout: connect_timeout?,
            idle_timeout: idle_timeout?,
            max_age: max_age?,
        };
        let itself = gateway.listen;
        let round = gateway.upstreams.iter().any(|to| to.to_string() == itself.to_string());
        let message = "must not be the gateway itself (`gateway.listen`), which would relay to itself";
        self.take("gateway.upstreams", (!round).then_some(()).ok_or(message))?;
        Some(Some(gateway).filter(|gateway| !gateway.upstreams.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_host_and_a_port() {
        for (text, host, port) in [
            ("ksn.example:13111", "ksn.example", 13111),
            ("127.0.0.1:1", "127.0.0.1", 1),
            ("[::1]:13111", "::1", 13111),
        ] {
            let upstream: Upstream = text.parse().unwrap();
            assert_eq!((upstream.host.as_str(), upstream.port), (host, port));
            assert_eq!(upstream.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_upstream_is_refused_with_the_right_form() {
        for (text, why) in [
            ("ksn.example", "the port is missing"),
            ("", "the port is missing"),
            (":13111", "the host is missing"),
            ("ksn.example:", "not a number"),
            ("ksn.example:0", "not a number"),
            ("ksn.example:65536", "not a number"),
            ("::1:13111", "needs brackets"),
            ("[::1:13111", "a bracket is missing"),
            ("[ksn]:13111", "no IPv6 address"),
            ("http://ksn.example:13111", "neither a scheme"),
            ("ksn,x:13111", "a character"),
            ("a b:13111", "a character"),
        ] {
            let error = text.parse::<Upstream>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("ksn.example:13111"), "{text}: {error}");
        }
    }
}
