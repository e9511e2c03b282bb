//! Events as they are told, whatever the store holds.

use super::bytes::{Bytes, text};
use crate::delivery::cloudevents::binary;
use crate::delivery::syslog::{QueuedEvent, cef, rfc5424};
use crate::storage::Outgoing;

pub(super) fn syslog(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let (sequence, skipped_from) = (bytes.number(), bytes.maybe(Bytes::number));
    let body = text(bytes.rest());
    let stored = || QueuedEvent { sequence, skipped_from, body: &body };
    for message in [rfc5424::message(stored(), None), cef::message(stored(), "2001:db8::1".parse().ok())] {
        assert!(message.len() <= rfc5424::LONGEST, "{} bytes", message.len());
        // The mark before the text is the protocol's own (RFC 5424, section 6.4).
        let text = message.replacen('\u{feff}', "", 1);
        assert!(!text.chars().any(svm_core::text::is_deceptive), "{message:?}");
    }
    let event = Outgoing { sequence, skipped_from, id: "a".to_owned(), body: body.clone().into_owned() };
    binary(&event, &mut reqwest::header::HeaderMap::new());
}
