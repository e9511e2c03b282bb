//! What a receiver's answer means: on to the next, again, or held until somebody changes something.

use super::secrets::Secrets;
use crate::config::Receiver;
use crate::storage::Outgoing;
use jiff::Timestamp;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;
use svm_core::bounds::MAX_SEQUENCE;
use svm_core::failure_code::FailureCode;
use svm_core::http::{self, Answer, Failure};
use svm_core::settings::Address;
use svm_core::text::{clean_start, trim_pasted};

/// A receipt of 1,000 ids has about 40 KB.
const MAX_ANSWER: usize = 256 * 1024;

/// What follows from an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The receiver has everything up to this sequence number.
    Delivered { upto: u64 },
    /// It may go better later.
    Again { code: FailureCode, message: String, retry_after: Option<Duration> },
    /// It has another event under this number, which is the next one, and numbers up to `highest`.
    Conflict { sequence: u64, highest: u64 },
    /// Something in what was sent is refused.
    Refused { code: FailureCode, answer: String },
    /// It is a matter of configuration, here or there.
    Hold { code: FailureCode, message: String, wait: Duration },
}

/// What is held is tried again so often.
const HOLD: Duration = Duration::from_secs(300);

/// A receiver that says it is gone for good is asked so often.
const GONE: Duration = Duration::from_secs(24 * 3600);

impl Outcome {
    pub(super) fn again(code: FailureCode, message: impl Into<String>) -> Self {
        Self::Again { code, message: message.into(), retry_after: None }
    }

    pub(super) fn hold(code: FailureCode, message: impl Into<String>) -> Self {
        Self::Hold { code, message: message.into(), wait: HOLD }
    }
}

/// The receipt of `svm-collector`: the ids that are on its disk.
#[derive(Deserialize)]
struct Receipt<'a> {
    #[serde(default, borrow, rename = "kept")]
    stored: Vec<Cow<'a, str>>,
    #[serde(default)]
    conflicts: Vec<Conflict>,
}

/// An event whose number another one has there.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Conflict {
    highest: String,
}

/// Why nothing is sent any more to a receiver that has other events under this SVM's numbers.
pub(super) fn another_machine() -> Outcome {
    Outcome::hold(
        FailureCode::SequenceConflict,
        "the receiver repeatedly has other events under this SVM's sequence numbers, so another machine uses this SVM's id; on the copy, stop the agent, run `svm-agent identity reset` and start the agent again",
    )
}

/// Why nothing is sent any more to a receiver whose numbers are not this SVM's.
pub(super) fn too_far_ahead(highest: u64, last: u64) -> Outcome {
    Outcome::hold(
        FailureCode::SequenceJump,
        format!(
            "the receiver reports events of this SVM up to number {highest}, and the last one here is {last}, so its records of this SVM are wrong; remove this SVM there, or give this SVM a new id: stop the agent, run `svm-agent identity reset` and start the agent again"
        ),
    )
}

pub(super) fn of_failure(failure: &Failure) -> Outcome {
    match failure {
        failure if failure.is_configuration() => Outcome::hold(failure.code(), failure.to_string()),
        failure => Outcome::again(failure.code(), failure.to_string()),
    }
}

pub(super) async fn read(
    answer: Answer,
    receiver: Receiver,
    sent: &[Outgoing],
    secrets: &Secrets<'_>,
    now: Timestamp,
) -> Outcome {
    let status = answer.status.as_u16();
    let retry_after = http::retry_after(&answer.headers, now);
    let who = match &answer.proxy {
        Some(proxy) => format!("the receiver, or the proxy {proxy} in between,"),
        None => "the receiver".to_owned(),
    };
    let leads =
        (300..=399).contains(&status).then(|| answer.header("location").and_then(|to| redirect(secrets, to)));
    let encoding = answer.header("content-encoding").filter(|name| !name.eq_ignore_ascii_case("identity"));
    let encoding = encoding.map(|name| svm_core::text::clean_start(name, 40));
    // A receipt that is not read to its end may have been cut off, and says nothing.
    let body = match answer.body(MAX_ANSWER).await {
        Ok(body) => body,
        // Nothing was promised: the status says enough, and a receiver that refuses may close without reading on.
        Err(_) if !matches!(status, 200..=299 | 409) => Vec::new(),
        Err(failure) => return Outcome::again(failure.code(), failure.to_string()),
    };
    match status {
        200..=299 if http::is_page(&body) => Outcome::hold(
            FailureCode::NotAReceiver,
            "a web page answered instead of a receiver; check the url, and whether a proxy in between answers",
        ),
        200..=299 => match receiver {
            Receiver::SvmCollector => match (receipt(&body, sent), encoding) {
                (Outcome::Hold { code: FailureCode::NoReceipt, .. }, Some(encoding)) => Outcome::hold(
                    FailureCode::NoReceipt,
                    format!(
                        "the answer is compressed ({encoding}), though the agent asked for plain data; check whether a proxy in between compresses"
                    ),
                ),
                (outcome, _) => outcome,
            },
            Receiver::Generic => match sent.last() {
                Some(last) => Outcome::Delivered { upto: last.sequence },
                None => Outcome::again(FailureCode::NothingSent, "there was nothing to send"),
            },
        },
        409 if receiver == Receiver::SvmCollector => receipt(&body, sent),
        408 | 425 | 429 | 500..=599 => Outcome::Again {
            code: FailureCode::Http(status),
            message: format!("{who} answers {status}"),
            retry_after,
        },
        400 | 413 | 415 | 422 => {
            Outcome::Refused { code: FailureCode::Http(status), answer: said(&body, secrets) }
        }
        410 => Outcome::Hold {
            code: FailureCode::Http(410),
            message: format!(
                "the receiver answers 410, it is gone for good: {}; correct the url, or remove the destination",
                said(&body, secrets)
            ),
            wait: GONE,
        },
        403 if code(&body) == Some(FailureCode::TokenOfAnotherSource) => Outcome::hold(
            FailureCode::TokenOfAnotherSource,
            "the receiver knows this token from another SVM; give this SVM a token of its own (token_file); if its id changed (`svm-agent identity show`), it needs a new token as well",
        ),
        300..=399 => Outcome::hold(
            FailureCode::Http(status),
            match leads.flatten() {
                Some(to) => format!(
                    "{who} redirects ({status}) to {to}; redirects are not followed, so set the url to this address"
                ),
                None => {
                    format!("{who} redirects ({status}) to an address that it does not name; correct the url")
                }
            },
        ),
        _ => Outcome::hold(
            FailureCode::Http(status),
            format!("{who} answers {status}: {}", said(&body, secrets)),
        ),
    }
}

/// Where a redirect leads, for people: without what may be a secret.
pub(super) fn redirect(secrets: &Secrets<'_>, to: &str) -> Option<String> {
    let to = reqwest::Url::parse(secrets.url).ok()?.join(to).ok()?;
    let to = Address::from(to.to_string()).to_string();
    Some(svm_core::text::clean_start(&secrets.hide(&to), 200))
}

/// What was kept counts as far as it goes without a hole: the order is never changed.
pub(crate) fn receipt(body: &[u8], sent: &[Outgoing]) -> Outcome {
    let Ok(receipt) = serde_json::from_slice::<Receipt>(body) else {
        return Outcome::hold(
            FailureCode::NoReceipt,
            "the answer is not a receipt of svm-collector; if another program receives there, set receiver = \"generic\"",
        );
    };
    // Usually it is what was sent, in the same order.
    let mut stored = sent.iter().zip(&receipt.stored).take_while(|(event, id)| event.id == **id).count();
    if stored < sent.len() {
        let ids: HashSet<&str> = receipt.stored.iter().map(|id| &**id).collect();
        stored = sent.iter().take_while(|event| ids.contains(event.id.as_str())).count();
    }
    match sent.get(..stored).and_then(<[Outgoing]>::last) {
        Some(last) => Outcome::Delivered { upto: last.sequence },
        None if !receipt.conflicts.is_empty() => {
            let known = receipt.conflicts.iter().map(|conflict| conflict.highest.parse().unwrap_or(0)).max();
            match (sent.first(), known) {
                (Some(first), Some(highest)) if highest <= MAX_SEQUENCE => {
                    Outcome::Conflict { sequence: first.sequence, highest }
                }
                _ => another_machine(),
            }
        }
        None => Outcome::again(FailureCode::NothingKept, "the receiver stored none of the events"),
    }
}

/// The code of an error of `svm-collector`.
pub(crate) fn code(body: &[u8]) -> Option<FailureCode> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(answer.get("error")?.get("code")?.as_str()?.to_owned().into())
}

/// The beginning of an answer's text, on one line, for a log, and without what only the receiver may know.
pub(crate) fn said(body: &[u8], secrets: &Secrets<'_>) -> String {
    // Before it is cut: else a part could be left.
    let text = secrets.hide(&String::from_utf8_lossy(body));
    // White space and line ends become single spaces; what hides or steers is made visible.
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match trim_pasted(&line) {
        "" => "no explanation".to_owned(),
        line => clean_start(line, 200),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Vec<Outgoing> {
        (5..8)
            .map(|n| Outgoing { sequence: n, skipped_from: None, id: format!("id{n}"), body: String::new() })
            .collect()
    }

    #[test]
    fn only_what_the_receipt_names_counts_and_only_without_a_hole() {
        let of = |text: &str| receipt(text.as_bytes(), &sent());
        assert_eq!(of(r#"{"kept":["id5","id6","id7"]}"#), Outcome::Delivered { upto: 7 });
        assert_eq!(of(r#"{"kept":["id5","id7"]}"#), Outcome::Delivered { upto: 5 });
        assert!(matches!(of(r#"{"kept":["id6","id7"]}"#), Outcome::Again { .. }));
        let conflict = |highest: &str| {
            of(&format!(r#"{{"kept":["id6"],"conflicts":[{{"id":"id5","highest":"{highest}"}}]}}"#))
        };
        assert_eq!(conflict("00000000000000000019"), Outcome::Conflict { sequence: 5, highest: 19 });
        // What cannot be is not followed; a receiver that does not say how far it is may still be gone on above.
        assert!(matches!(conflict("09999999999999999999"), Outcome::Hold { .. }));
        assert_eq!(of(r#"{"conflicts":[{}]}"#), Outcome::Conflict { sequence: 5, highest: 0 });
        assert!(matches!(of("ok"), Outcome::Hold { .. }));
    }
}
