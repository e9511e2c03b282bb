//! What senders post to the collector.

use super::bytes::{Bytes, text};
use crate::cloudevent::{self, MAX_EVENT};
use crate::coding::{Coding, coding, unpack as unpacked};
use crate::gaps::{Gaps, MAX_RANGES};
use crate::machines::Machines;
use crate::tokens::Tokens;
use crate::wire::{self, MAX_BATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

/// A head of header lines, an empty line, and the body.
pub(super) fn ingest(data: &[u8]) {
    let end = data.windows(2).position(|two| two == b"\n\n").unwrap_or(data.len());
    let (head, body) = data.split_at(end);
    let body = body.get(2..).unwrap_or_default();
    let mut headers = HeaderMap::new();
    for line in head.split(|b| *b == b'\n').take(100) {
        let at = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(at);
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name),
            HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii()),
        ) {
            headers.append(name, value);
        }
    }
    let body = match coding(&headers) {
        Ok(Coding::Zstd) => unpacked(body, 1 << 20, |_| Ok(())).unwrap_or_default(),
        Ok(Coding::Identity) => body.to_vec(),
        Err(_) => return,
    };
    let mode = match wire::mode(&headers) {
        Ok(mode) => mode,
        Err(error) => return assert!(error.to_string().len() < 2000),
    };
    match wire::read(mode, &headers, &body) {
        Ok(events) => {
            assert!(events.len() <= MAX_BATCH);
            let (mut machines, mut gaps) = (Machines::default(), Gaps::default());
            for event in &events {
                assert!(event.text.len() <= MAX_EVENT && !event.text.contains('\n'));
                machines.saw(event, Timestamp::UNIX_EPOCH);
                if let Some(number) = event.sequence {
                    gaps.took(number);
                    event.skipped_from.into_iter().for_each(|from| gaps.skipped(from, number - 1));
                }
                // What is kept is read again as the same event.
                let again = cloudevent::from_json(&event.text).unwrap();
                assert_eq!(again.text, event.text);
                assert_eq!(
                    (&again.id, &again.source, again.sequence),
                    (&event.id, &event.source, event.sequence)
                );
            }
        }
        Err(error) => assert!(error.to_string().len() < 2000, "{error}"),
    }
    Tokens::parse(&text(&body)).ok();
}

/// Bodies that grow.
pub(super) fn unpack(data: &[u8]) {
    const MOST: usize = 1 << 20;
    let mut asked = 0;
    let body = unpacked(data, MOST, |bytes| {
        asked = bytes;
        Ok(())
    });
    assert!(asked <= MOST);
    if let Ok(body) = body {
        assert!(body.len() <= MOST && body.len() <= asked);
    }
}

/// Numbers of a source, over restarts, and from a damaged text.
pub(super) fn gaps(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let text = bytes.text();
    let mut gaps = Gaps::restore(bytes.maybe(Bytes::number), &text, bytes.number());
    for _ in 0..64 {
        gaps.missing();
        gaps.forgotten();
        assert!(gaps.ranges().all(|(from, to)| from <= to));
        if bytes.is_empty() {
            break;
        }
        match bytes.flag() {
            true => gaps.took(bytes.number()),
            false => gaps.skipped(bytes.number(), bytes.number()),
        }
        assert!(gaps.ranges().count() <= MAX_RANGES);
        gaps = Gaps::restore(gaps.highest(), &gaps.ranges_text(), gaps.forgotten());
    }
}
