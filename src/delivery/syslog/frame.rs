//! One event as it goes over the wire.

use super::facts::QueuedEvent;
use super::{cef, rfc5424};
use crate::config::{Framing, SyslogFormat, SyslogSettings};
use std::net::IpAddr;

/// Adds one event to what goes over the wire.
pub(super) fn frame(
    out: &mut Vec<u8>,
    settings: &SyslogSettings,
    stored: QueuedEvent<'_>,
    from: Option<IpAddr>,
) {
    let message = match settings.format {
        SyslogFormat::Rfc5424 => rfc5424::message(stored, from),
        SyslogFormat::Cef => cef::message(stored, from),
    };
    match settings.framing {
        Framing::Newline if !settings.tls => {
            out.extend_from_slice(message.as_bytes());
            out.push(b'\n');
        }
        Framing::Newline | Framing::OctetCounting => {
            out.extend_from_slice(format!("{} ", message.len()).as_bytes());
            out.extend_from_slice(message.as_bytes());
        }
    }
}
