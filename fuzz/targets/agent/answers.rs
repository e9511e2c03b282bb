//! What receivers and the vendor's host answer.

use super::bytes::{Bytes, text};
use crate::delivery::answer::{Outcome, code, receipt, said};
use crate::delivery::secrets::Secrets;
use crate::storage::Outgoing;
use std::time::Duration;
use svm_core::http::{is_page, retry_after, server_time};

pub(super) fn answers(data: &[u8]) {
    let sent: Vec<Outgoing> = (5..9)
        .map(|n| Outgoing { sequence: n, skipped_from: None, id: format!("id{n}"), body: String::new() })
        .collect();
    match receipt(data, &sent) {
        Outcome::Delivered { upto } => assert!((5..9).contains(&upto)),
        Outcome::Conflict { sequence, .. } => assert_eq!(sequence, 5),
        Outcome::Again { .. } | Outcome::Hold { .. } => {}
        Outcome::Refused { .. } => panic!("a receipt refuses nothing"),
    }
    code(data);
    let line = said(data, &Secrets { url: "https://h/?sig=secret", token: Some("token-of-it") });
    assert!(!line.contains("secret") && !line.contains("token-of-it"));
    assert!(line.chars().count() <= 201 && !line.chars().any(svm_core::text::is_deceptive));

    let mut bytes = Bytes::new(data);
    let now = bytes.instant();
    let rest = text(bytes.rest());
    let mut lines = rest.lines();
    let mut headers = hyper::HeaderMap::new();
    for name in ["retry-after", "date", "age"] {
        if let Ok(value) = hyper::header::HeaderValue::from_str(lines.next().unwrap_or_default()) {
            headers.insert(name, value);
        }
    }
    assert!(retry_after(&headers, now).is_none_or(|wait| wait <= Duration::from_secs(3600)));
    server_time(&headers);
    is_page(data);
}
