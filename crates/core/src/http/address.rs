//! Where a request goes. What the settings say is sent as it stands: path and query are not written anew.

use hyper::http::uri::PathAndQuery;
use reqwest::Url;

/// An address of HTTP, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether it is one of TLS.
    pub secure: bool,
    /// A name or an address, without brackets; an IPv6 address may have a zone (`fe80::1%eth0`).
    pub host: String,
    /// As it is written, or that of the scheme.
    pub port: u16,
    /// What a request asks for; it may hold a secret.
    pub(super) path: PathAndQuery,
}

/// Why a text is no address to which requests can be sent. Nothing of the text is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme, or none.
    #[error("must begin with http:// or https://, such as https://name.example/path")]
    Scheme,
    /// A name or password before the host.
    #[error("must not hold a user name or a password, which would be seen in logs")]
    Userinfo,
    /// A part that no request carries.
    #[error(
        "must not have a fragment (`#` and what follows), which no request carries; remove it, or write %23 if a # belongs to the address"
    )]
    Fragment,
    /// An international name.
    #[error("must be ASCII; write an internationalised host in its xn-- form, and percent-encode the rest")]
    NotAscii,
    /// A character that cannot stand in a request.
    #[error("has a character in its path or query that must be percent-encoded, such as %20 for a space")]
    Character,
    /// No host that could be looked up.
    #[error("has no usable host; write it like https://name.example/path, an IPv6 address in brackets")]
    Host,
}

impl Target {
    /// Takes an address apart.
    ///
    /// # Errors
    /// [`AddressError`]: why it is none.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        let secure = match () {
            () if scheme.eq_ignore_ascii_case("http") => false,
            () if scheme.eq_ignore_ascii_case("https") => true,
            () => return Err(AddressError::Scheme),
        };
        if !text.is_ascii() {
            return Err(AddressError::NotAscii);
        }
        if rest.contains('#') {
            return Err(AddressError::Fragment);
        }
        let end = rest.find(['/', '?', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or(AddressError::Host)?;
        if authority.contains('@') {
            return Err(AddressError::Userinfo);
        }
        let (bare, zone) = without_zone(authority).ok_or(AddressError::Host)?;
        if bare.bytes().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control()) {
            return Err(AddressError::Host);
        }
        let scheme = if secure { "https" } else { "http" };
        let url = Url::parse(&format!("{scheme}://{bare}/")).map_err(|_| AddressError::Host)?;
        let host = url.host_str().ok_or(AddressError::Host)?.trim_matches(['[', ']']).to_owned() + &zone;
        let port = url.port_or_known_default().filter(|port| *port > 0).ok_or(AddressError::Host)?;
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>' | b'`');
        if !path.bytes().all(plain) {
            return Err(AddressError::Character);
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let path = path.parse().map_err(|_| AddressError::Character)?;
        Ok(Self { secure, host, port, path })
    }

    /// Host and port as they stand in a request: an IPv6 address in brackets and without its zone, which means nothing
    /// elsewhere; no port where it is that of the scheme.
    pub(super) fn authority(&self) -> String {
        match self.port == if self.secure { 443 } else { 80 } {
            true => self.bracketed(),
            false => self.place(),
        }
    }

    /// Host and port, for people and for a proxy.
    pub fn place(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    fn bracketed(&self) -> String {
        let host = self.name();
        if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
    }

    /// The host without a zone: what a certificate is for.
    pub fn name(&self) -> &str {
        self.host.split('%').next().unwrap_or_default()
    }

    /// Scheme, host and port, for people.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.authority())
    }

    /// Whether it is on this machine: nobody on a network sees what is sent there.
    pub fn is_loopback(&self) -> bool {
        let host = self.name();
        match host.parse::<std::net::IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        }
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({:?})", self.origin())
    }
}

/// An authority without the zone of its IPv6 address, and the zone with its `%`; `None` for a zone that cannot be one.
/// The percent sign of RFC 6874 is taken as well as the bare one that people write.
fn without_zone(authority: &str) -> Option<(String, String)> {
    let Some((address, rest)) = authority.strip_prefix('[').and_then(|inner| inner.split_once('%')) else {
        return Some((authority.to_owned(), String::new()));
    };
    let (zone, behind) = rest.split_once(']')?;
    let name = zone.strip_prefix("25").filter(|name| !name.is_empty()).unwrap_or(zone);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    let fits = !name.is_empty() && name.bytes().all(plain);
    fits.then(|| (format!("[{address}]{behind}"), format!("%{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_is_written() {
        for (text, authority, path) in [
            ("http://h", "h", "/"),
            ("http://h/", "h", "/"),
            ("HTTP://H:80/Hooks/SVM/", "h", "/Hooks/SVM/"),
            ("https://h:8443/a//b/../c/./?token=c2Vj/", "h:8443", "/a//b/../c/./?token=c2Vj/"),
            ("https://h?", "h", "/?"),
            ("https://h/p?", "h", "/p?"),
            ("https://h?a=b?c&d=/e/", "h", "/?a=b?c&d=/e/"),
            ("https://h/%7Esvm/%2e%2E/%c3%a9?q=%2F|{}^[]", "h", "/%7Esvm/%2e%2E/%c3%a9?q=%2F|{}^[]"),
            ("http://[::1]:8080/x", "[::1]:8080", "/x"),
            ("http://[fe80::1%25eth0]:8080/x", "[fe80::1]:8080", "/x"),
        ] {
            let target = Target::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((target.authority().as_str(), target.path.as_str()), (authority, path), "{text}");
        }
        for zoned in ["http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/"] {
            let target = Target::parse(zoned).unwrap();
            assert_eq!(
                (target.host.as_str(), target.name(), target.place().as_str()),
                ("fe80::1%eth0", "fe80::1", "[fe80::1]:80")
            );
        }
    }

    #[test]
    fn what_cannot_be_sent_is_named_and_not_quoted() {
        use AddressError as E;
        for (text, error) in [
            ("", E::Scheme),
            ("h/planted", E::Scheme),
            ("ftp://h/planted", E::Scheme),
            ("https://me:planted@h/", E::Userinfo),
            ("https://planted@h/", E::Userinfo),
            ("https://h/p#planted", E::Fragment),
            ("https://h#", E::Fragment),
            ("https://h/p?t=a#planted", E::Fragment),
            ("https://h\u{e9}/planted", E::NotAscii),
            ("https://h/pl\u{e4}nted", E::NotAscii),
            ("https://h/p planted", E::Character),
            ("https://h/p\nplanted", E::Character),
            ("https://h\\planted", E::Character),
            ("https:///planted", E::Host),
            ("https://h h/planted", E::Host),
            ("https://h:0/planted", E::Host),
            ("https://h:99999/planted", E::Host),
            ("https://[fe80::1%25]]/planted", E::Host),
            ("https://[fe80::1%a/planted", E::Host),
            ("https://::1/planted", E::Host),
        ] {
            assert_eq!(Target::parse(text), Err(error), "{text}");
            assert!(!error.to_string().contains("planted"));
        }
        assert_eq!(format!("{:?}", Target::parse("https://h/p?t=planted").unwrap()), "Target(\"https://h\")");
    }

    #[test]
    fn this_machine_is_known_by_its_names_and_addresses() {
        for (host, here) in [
            ("localhost", true),
            ("LOCALHOST", true),
            ("a.localhost", true),
            ("127.9.8.7", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("10.0.0.1", false),
            ("localhost.example", false),
            ("[::2]", false),
        ] {
            assert_eq!(Target::parse(&format!("http://{host}/")).unwrap().is_loopback(), here, "{host}");
        }
    }
}
