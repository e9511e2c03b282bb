//! What the vendor's own host says of the time: the `Date` of its answers over verified TLS.
//!
//! Promises: an answer that says anything else than what is known counts only once it was asked for past all caches; one
//! that took long, or came over plain HTTP, never does. `docs/reference/clock.md` has the rules.

use hyper::header::CACHE_CONTROL;
use jiff::Timestamp;
use std::time::Duration;
use svm_core::clock::Clock;
use svm_core::clock::trust::SLACK;
use svm_core::http::{self, Answer, Client, Method};
use svm_core::tls::{Good, GoodCell};

/// An answer that took longer says little of what time it is.
const PROMPT: Duration = Duration::from_secs(30);

/// Sets `clock` by the `Date` of an answer from `url`, which came after `took`.
pub(super) async fn observe_server_date(
    answer: &Answer,
    took: Duration,
    (client, url, good): (&Client, &str, &GoodCell),
    clock: &Clock,
) {
    if !http::is_secure(url) || took > PROMPT {
        return;
    }
    let differs = |date: Timestamp| {
        let off = |from: Timestamp| date.duration_since(from).abs() > SLACK;
        off(clock.now()) || off(clock.status().wall)
    };
    match http::server_time(&answer.headers) {
        // A cache may have kept it, and not every cache says for how long.
        Some(date) if differs(date) => {
            let asked = svm_core::clock::stopwatch();
            let answer = client.request(Method::HEAD).header(CACHE_CONTROL, "no-cache").send().await;
            let date = answer
                .ok()
                .and_then(|answer| http::server_time(&answer.headers))
                .filter(|_| asked() <= PROMPT);
            if let Some(date) = date {
                accept(date, good.get(), clock);
            }
        }
        Some(date) => accept(date, good.get(), clock),
        None => {}
    }
}

fn accept(date: Timestamp, good: Good, clock: &Clock) {
    match good {
        Good::Now => clock.confirm(date, false),
        // It has just begun, so it is not earlier; an old, stolen one would prove nothing else.
        Good::Later => clock.confirm(date, true),
        // One that has expired by trusted time proves nothing alone. The system clock is the second witness.
        Good::ByWallClock => {
            if date.duration_since(clock.status().wall).abs() <= SLACK {
                clock.confirm(date, false);
            }
        }
    }
}
