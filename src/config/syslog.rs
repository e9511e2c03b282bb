//! How syslog goes to a destination.

use std::time::Duration;
use svm_core::http::Target;
use svm_core::tls::TlsFiles;

/// The form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyslogFormat {
    /// RFC 5424 with structured data.
    Rfc5424,
    /// The Common Event Format behind a header of RFC 5424.
    Cef,
}

/// How a receiver knows where a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Its length stands before it (RFC 5425, section 4.3; RFC 6587, section 3.4.1). The only one over TLS.
    OctetCounting,
    /// A newline stands behind it (RFC 6587, section 3.4.2). No message has one inside.
    Newline,
}

/// Where to send and how.
#[derive(Clone, Debug)]
pub struct SyslogSettings {
    /// A name or an address; an IPv6 address with or without brackets.
    pub host: String,
    /// 6514 is the port for TLS; plain TCP has none of its own, 514 and 601 are usual.
    pub port: u16,
    /// Whether to speak TLS.
    pub tls: bool,
    pub format: SyslogFormat,
    /// Of the stream. Over TLS messages are counted, whatever this says.
    pub framing: Framing,
    /// What is trusted, and the client's certificate.
    pub tls_files: TlsFiles,
    /// For one batch, from looking up the name to the receiver's close.
    pub timeout: Duration,
}

/// Scheme, host and port of a syslog receiver.
pub(crate) fn syslog_place(text: &str) -> Result<(bool, String, u16), String> {
    let form = "must be an address such as \"tls://siem.example:6514\" or \"tcp://siem.example:514\"";
    let (scheme, place) = text.split_once("://").ok_or(form)?;
    let tls = match scheme {
        "tls" => true,
        "tcp" => false,
        _ => return Err(form.to_owned()),
    };
    let place = place.strip_suffix('/').unwrap_or(place);
    // Taken apart as an address of HTTP is, with a path that tells whether a port was written.
    let has_port =
        place.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    if place.contains(['/', '?', '#', '@']) || place.is_empty() {
        return Err(form.to_owned());
    }
    let target = Target::parse(&format!("http://{place}")).map_err(|_| form)?;
    // RFC 5425, section 4.1; plain TCP has no port of its own.
    let port = if has_port { Some(target.port) } else { tls.then_some(6514) };
    let host = if target.name().contains(':') { format!("[{}]", target.host) } else { target.host };
    Ok((tls, host, port.ok_or_else(|| format!("{form}, with its port"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syslog_receiver_has_a_scheme_a_host_and_a_port() {
        assert_eq!(syslog_place("tls://siem.example"), Ok((true, "siem.example".into(), 6514)));
        assert_eq!(syslog_place("tcp://[::1]:514"), Ok((false, "[::1]".into(), 514)));
        assert_eq!(syslog_place("tcp://[fe80::1%25eth0]:514/"), Ok((false, "[fe80::1%eth0]".into(), 514)));
        assert_eq!(syslog_place("tcp://siem.example:80"), Ok((false, "siem.example".into(), 80)));
        for wrong in [
            "",
            "siem:514",
            "tcp://siem",
            "udp://siem:514",
            "tls://",
            "tls://u@h",
            "tls://h/x",
            "https://h",
            "tcp://[::1]",
            "tls://h#",
        ] {
            assert!(syslog_place(wrong).is_err(), "{wrong}");
        }
    }
}
