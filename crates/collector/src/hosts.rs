//! The names that the collector answers to, and the pages that may send to it.
//!
//! Promises: a name that a stranger can point at this machine is not answered to (DNS rebinding); IP addresses, `localhost`
//! and this machine's own name are no such names. A browser's request from another site's page is recognised. Pure,
//! besides the machine's name.

use std::net::{IpAddr, Ipv6Addr};

/// Host and port of an authority, as in `Host: console.example.com:8480`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    /// In lower case, without a last dot; of an IPv6 address without brackets.
    host: String,
    port: Option<u16>,
}

impl Authority {
    /// Reads an authority; `None` if it is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                (address.parse::<Ipv6Addr>().ok()?.to_string(), port)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let (host, port) = text.split_at_checked(end)?;
                let host = host.strip_suffix('.').unwrap_or(host);
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
                if host.is_empty() || host.len() > 253 || !host.bytes().all(is_plain) {
                    return None;
                }
                (host.to_ascii_lowercase(), port)
            }
        };
        let port = match port {
            "" | ":" => None,
            port => Some(port.strip_prefix(':')?.parse().ok()?),
        };
        Some(Self { host, port })
    }

    /// The name or address.
    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

/// A name without scheme, port and path, as it is compared.
pub(super) fn host_name(text: &str) -> Option<String> {
    Authority::read(text)
        .filter(|authority| authority.port.is_none() && !text.ends_with(':'))
        .map(|authority| authority.host)
}

/// Whether an authority is one of this collector's, beside those that `names` has.
pub(super) fn is_ours(authority: &Authority, names: &[String]) -> bool {
    let host = authority.host();
    host.parse::<IpAddr>().is_ok()
        || host == "localhost"
        || host.ends_with(".localhost")
        || names.iter().any(|name| name == host)
        || rustix::system::uname().nodename().to_str().is_ok_and(|own| own.eq_ignore_ascii_case(host))
}

/// Whether an `Origin` is that of a page from elsewhere. A browser's has a scheme, or is `null`; the sender of a webhook
/// shows the bare name of its system (CloudEvents, HTTP webhooks, section 4.1.2), which no browser does.
pub(super) fn is_foreign(origin: &str, asked: Option<&Authority>, names: &[String]) -> bool {
    let Some((scheme, rest)) = origin.split_once("://") else {
        return Authority::read(origin).is_none() || origin.eq_ignore_ascii_case("null");
    };
    let usual = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return true,
    };
    let Some(origin) = Authority::read(rest) else { return true };
    let same = asked.is_some_and(|asked| {
        asked.host == origin.host && asked.port.unwrap_or(usual) == origin.port.unwrap_or(usual)
    });
    !same && !names.contains(&origin.host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(text: &str) -> Authority {
        Authority::read(text).unwrap()
    }

    #[test]
    fn only_names_that_nobody_else_can_have_are_ours() {
        let names = ["console.example.com".to_owned()];
        for ours in [
            "127.0.0.1",
            "127.0.0.1:8480",
            "10.0.0.7:80",
            "[::1]:8480",
            "[2001:db8::1]",
            "localhost",
            "LocalHost.:1",
            "svm.localhost",
            "console.example.com",
            "CONSOLE.example.com:443",
        ] {
            assert!(is_ours(&authority(ours), &names), "{ours}");
        }
        let own = rustix::system::uname().nodename().to_str().unwrap().to_owned();
        assert!(is_ours(&authority(&format!("{own}:8480")), &[]));
        for other in [
            "evil.example",
            "console.example.com.evil.example",
            "127.0.0.1.nip.io",
            "localhost.evil.example",
            "xlocalhost",
        ] {
            assert!(!is_ours(&authority(other), &names), "{other}");
        }
        for wrong in [
            "", ":80", "a b", "a/b", "http://a", "a:b", "a:99999", "[::1", "[x]", "user@a", "a:1:2", "\u{e9}",
        ] {
            assert_eq!(Authority::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_page_from_elsewhere_is_foreign() {
        let names = ["console.example.com".to_owned()];
        for (origin, host, foreign) in [
            ("http://127.0.0.1:8480", "127.0.0.1:8480", false),
            ("http://localhost", "localhost:80", false),
            ("https://console.example.com", "127.0.0.1:8480", false),
            ("eventemitter.example.com", "127.0.0.1:8480", false),
            ("http://localhost:3000", "localhost:8480", true),
            ("http://evil.example", "127.0.0.1:8480", true),
            ("https://console.example.com.evil.example", "127.0.0.1:8480", true),
            ("null", "127.0.0.1:8480", true),
            ("NULL", "127.0.0.1:8480", true),
            ("file://", "127.0.0.1:8480", true),
            ("", "127.0.0.1:8480", true),
            ("moz-extension://x", "x", true),
        ] {
            assert_eq!(is_foreign(origin, Authority::read(host).as_ref(), &names), foreign, "{origin}");
        }
    }
}
