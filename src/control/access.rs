//! Who may ask for what: one table, from which it also follows what is not there (404), not for this socket (403) and
//! not by this method (405).

use super::Door;
use super::fault::Fault;
use hyper::{Method, StatusCode};
use svm_core::percent;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Metrics,
    Status,
    Permit,
    Take,
    Identity,
    Updates,
    RunUpdates,
    Clock,
    ResetClock,
    Forecast,
    AddKey,
    RemoveKey,
    CancelAll,
    CancelActive,
    CancelReserve,
    Look,
    Reload,
    Refresh,
    Devices,
    Report,
    Events,
    Event,
    RetryEvents,
}

/// Who may ask it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Everyone on the machine.
    Everyone,
    /// Whoever may open `control.sock`.
    Control,
}

/// Method, path (`*` stands for one part), who may ask, and what it is. `HEAD` goes where `GET` goes.
const TABLE: &[(Method, &str, Who, Route)] = &[
    (Method::GET, "metrics", Who::Everyone, Route::Metrics),
    (Method::GET, "v1/status", Who::Everyone, Route::Status),
    (Method::GET, "v1/permits/*", Who::Everyone, Route::Permit),
    (Method::GET, "v1/identity", Who::Everyone, Route::Identity),
    (Method::GET, "v1/updates", Who::Everyone, Route::Updates),
    (Method::GET, "v1/clock", Who::Everyone, Route::Clock),
    (Method::GET, "v1/forecast", Who::Everyone, Route::Forecast),
    (Method::POST, "v1/permits/*/take", Who::Control, Route::Take),
    (Method::POST, "v1/keys", Who::Control, Route::AddKey),
    (Method::DELETE, "v1/keys/*", Who::Control, Route::RemoveKey),
    (Method::DELETE, "v1/activations", Who::Control, Route::CancelAll),
    (Method::DELETE, "v1/activations/active", Who::Control, Route::CancelActive),
    (Method::DELETE, "v1/activations/reserve", Who::Control, Route::CancelReserve),
    (Method::POST, "v1/enforcement/look", Who::Control, Route::Look),
    (Method::POST, "v1/clock/reset", Who::Control, Route::ResetClock),
    (Method::POST, "v1/reload", Who::Control, Route::Reload),
    (Method::POST, "v1/refresh", Who::Control, Route::Refresh),
    (Method::POST, "v1/updates/run", Who::Control, Route::RunUpdates),
    (Method::PUT, "v1/devices", Who::Control, Route::Devices),
    (Method::POST, "v1/report", Who::Control, Route::Report),
    (Method::GET, "v1/events", Who::Control, Route::Events),
    (Method::GET, "v1/events/*", Who::Control, Route::Event),
    (Method::POST, "v1/events/retry", Who::Control, Route::RetryEvents),
];

/// What a request asks, and the part of its path that `*` stands for.
///
/// # Errors
/// Why it is not answered.
pub(super) fn find(door: Door, method: &Method, path: &str) -> Result<(Route, String), Fault> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let open = |who: Who| who == Who::Everyone || door == Door::Control;
    let rows =
        || TABLE.iter().filter_map(|(m, pattern, who, route)| Some((m, *who, *route, fits(pattern, path)?)));
    if let Some((_, who, route, part)) = rows().find(|(m, ..)| *m == method)
        && open(who)
    {
        return Ok((route, part));
    }
    if rows().next().is_none() {
        return Err(Fault::new(StatusCode::NOT_FOUND, "unknown_path", "there is nothing at this path"));
    }
    if rows().any(|(m, who, ..)| m == method && !open(who)) || !rows().any(|(_, who, ..)| open(who)) {
        return Err(Fault::new(
            StatusCode::FORBIDDEN,
            "control_socket",
            "this is asked through control.sock, which root and the group svm-agent may open",
        ));
    }
    let mut allow: Vec<&str> = rows().filter(|(_, who, ..)| open(*who)).map(|(m, ..)| m.as_str()).collect();
    if allow.contains(&"GET") {
        allow.push("HEAD");
    }
    let message = format!("{method} is not for this path, which takes {}", allow.join(", "));
    Err(Fault {
        allow: Some(allow.join(", ")),
        ..Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method", message)
    })
}

/// The decoded part that `*` stands for, where the pattern fits.
fn fits(pattern: &str, path: &str) -> Option<String> {
    let (mut wanted, mut parts) = (pattern.split('/'), path.trim_matches('/').split('/'));
    let mut star = String::new();
    loop {
        match (wanted.next(), parts.next()) {
            (None, None) => return Some(star),
            (Some("*"), Some(part)) if !part.is_empty() => star = percent::decode(part),
            (Some(wanted), Some(part)) if wanted == part => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_answered_follows_from_the_table() {
        let is = |door, method: &str, path: &str| {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            match find(door, &method, path) {
                Ok((route, part)) => format!("{route:?} {part}"),
                Err(Fault { status, allow, .. }) => {
                    format!("{} {}", status.as_u16(), allow.unwrap_or_default())
                }
            }
        };
        for (door, method, path, outcome) in [
            (Door::Query, "GET", "/v1/status", "Status "),
            (Door::Query, "HEAD", "/v1/status", "Status "),
            (Door::Query, "HEAD", "/metrics", "Metrics "),
            (Door::Query, "GET", "/v1/permits/ksn", "Permit ksn"),
            (Door::Query, "POST", "/v1/status", "405 GET, HEAD"),
            (Door::Query, "PUT", "/v1/permits/ksn", "405 GET, HEAD"),
            (Door::Query, "POST", "/v1/permits/ksn/take", "403 "),
            (Door::Query, "GET", "/v1/permits/ksn/take", "403 "),
            (Door::Query, "POST", "/v1/updates/run", "403 "),
            (Door::Query, "GET", "/v1/events", "403 "),
            (Door::Query, "BREW", "/v1/keys", "403 "),
            (Door::Query, "GET", "/", "404 "),
            (Door::Query, "GET", "/v1/permits/", "404 "),
            (Door::Query, "GET", "/v2/status", "404 "),
            (Door::Query, "GET", "/v1/status/x", "404 "),
            (Door::Query, "GET", "/v1/%73tatus", "404 "),
            (Door::Control, "DELETE", "/v1/keys/SUB%2F2026%2f001", "RemoveKey SUB/2026/001"),
            (Door::Control, "DELETE", "/v1/keys/SUB/2026/001", "404 "),
            (Door::Control, "GET", "/v1/keys", "405 POST"),
            (Door::Control, "GET", "/v1/events/retry", "Event retry"),
            (Door::Control, "POST", "/v1/events/retry", "RetryEvents "),
            (Door::Control, "PATCH", "/v1/events/retry", "405 GET, POST, HEAD"),
            (Door::Control, "GET", "/v1/status", "Status "),
        ] {
            assert_eq!(is(door, method, path), outcome, "{method} {path} at {door:?}");
        }
        // Through the socket for everyone nothing is changed.
        for (method, pattern, who, _) in TABLE {
            assert_eq!(
                *who == Who::Everyone,
                is(Door::Query, method.as_str(), &format!("/{pattern}")) != "403 "
            );
            assert!(*who == Who::Control || method == Method::GET, "{method} {pattern}");
        }
    }
}
