//! Everything that the agent's sockets answer: one table. A refusal is an answer with a code and the way out.

use super::access::{self, NoRoute, Route};
use super::api::Api;
use super::fault::Fault;
use super::peer::Peer;
use super::request::{Answer, Call};
use super::sockets::SocketKind::{self, Control, Query};
use super::{commands, events, keys, metrics, permits, status};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use std::pin::Pin;
use svm_core::subscription::Role;

type Handler = for<'a> fn(Call<'a>) -> Pin<Box<dyn Future<Output = Result<Answer, Fault>> + Send + 'a>>;

/// What is open at the query socket is open at the control socket too.
type AgentRoute = Route<SocketKind, Handler>;

const fn route(method: Method, path: &'static str, access: SocketKind, handler: Handler) -> AgentRoute {
    Route { method, path, access, handler }
}

static TABLE: &[AgentRoute] = &[
    route(Method::GET, "metrics", Query, |call| Box::pin(metrics::show(call))),
    route(Method::GET, "v1/status", Query, |call| Box::pin(status::show(call))),
    route(Method::GET, "v1/identity", Query, |call| Box::pin(status::identity(call))),
    route(Method::GET, "v1/updates", Query, |call| Box::pin(status::updates(call))),
    route(Method::GET, "v1/clock", Query, |call| Box::pin(status::clock(call))),
    route(Method::GET, "v1/forecast", Query, |call| Box::pin(status::forecast(call))),
    route(Method::GET, "v1/permits/*", Query, |call| Box::pin(permits::show(call))),
    route(Method::POST, "v1/permits/*/take", Control, |call| Box::pin(permits::take(call))),
    route(Method::POST, "v1/keys", Control, |call| Box::pin(keys::add(call))),
    route(Method::DELETE, "v1/keys/*", Control, |call| Box::pin(keys::remove(call))),
    route(Method::DELETE, "v1/activations", Control, |call| Box::pin(keys::cancel(call, None))),
    route(Method::DELETE, "v1/activations/active", Control, |call| {
        Box::pin(keys::cancel(call, Some(Role::Active)))
    }),
    route(Method::DELETE, "v1/activations/reserve", Control, |call| {
        Box::pin(keys::cancel(call, Some(Role::Reserve)))
    }),
    route(Method::POST, "v1/enforcement/look", Control, |call| Box::pin(commands::check_enforcement(call))),
    route(Method::POST, "v1/clock/reset", Control, |call| Box::pin(commands::reset_clock(call))),
    route(Method::POST, "v1/reload", Control, |call| Box::pin(commands::reload(call))),
    route(Method::POST, "v1/refresh", Control, |call| Box::pin(commands::refresh(call))),
    route(Method::POST, "v1/updates/run", Control, |call| Box::pin(commands::run_updates(call))),
    route(Method::PUT, "v1/devices", Control, |call| Box::pin(commands::devices(call))),
    route(Method::POST, "v1/report", Control, |call| Box::pin(commands::report(call))),
    route(Method::GET, "v1/events", Control, |call| Box::pin(events::list(call))),
    route(Method::GET, "v1/events/*", Control, |call| Box::pin(events::show(call))),
    route(Method::POST, "v1/events/retry", Control, |call| Box::pin(events::retry(call))),
];

/// The table without its handlers: method, path (`*` stands for one part) and the socket that it takes at least.
pub fn listed() -> impl Iterator<Item = (&'static Method, &'static str, SocketKind)> {
    TABLE.iter().map(|route| (&route.method, route.path, route.access))
}

fn find(socket: SocketKind, method: &Method, path: &str) -> Result<(&'static AgentRoute, String), NoRoute> {
    access::find(TABLE, |access| *access == Query || socket == Control, method, path)
}

impl From<NoRoute> for Fault {
    fn from(why: NoRoute) -> Self {
        match why {
            NoRoute::UnknownPath => {
                Self::new(StatusCode::NOT_FOUND, "unknown_path", "this path does not exist")
            }
            NoRoute::Forbidden => Self::new(
                StatusCode::FORBIDDEN,
                "control_socket",
                "this request needs control.sock, which root and the group svm-agent may open",
            ),
            NoRoute::Method { asked, allow } => {
                let message = format!("this path does not accept {asked}, only {allow}");
                Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", message) }
            }
        }
    }
}

/// Answers a request that came through `door`.
pub(super) async fn answer(
    api: &Api,
    socket: SocketKind,
    peer: &Peer,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let answer = match find(socket, &head.method, head.uri.path()) {
        Ok((route, part)) => {
            let query = head.uri.query().unwrap_or_default();
            (route.handler)(Call { api, peer, part, query, body }).await
        }
        Err(why) => Err(why.into()),
    };
    match answer {
        Ok(Answer::Json(value)) => json_response(StatusCode::OK, &value),
        Ok(Answer::Accepted(value)) => json_response(StatusCode::ACCEPTED, &value),
        Ok(Answer::Text(kind, text)) => response(StatusCode::OK, kind, text),
        Err(Fault { status, code, message, allow }) => {
            let body = json!({"error": {"code": code, "message": message}});
            let mut response = json_response(status, &body);
            if let Some(allow) = allow.and_then(|methods| HeaderValue::try_from(methods).ok()) {
                response.headers_mut().insert(hyper::header::ALLOW, allow);
            }
            response
        }
    }
}

fn json_response(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    response(status, "application/json", format!("{body}\n"))
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The line's path and the part, or the status and `Allow`.
    fn outcome(socket: SocketKind, method: &str, path: &str) -> String {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        match find(socket, &method, path) {
            Ok((route, part)) => format!("{} {part}", route.path),
            Err(why) => {
                let Fault { status, allow, .. } = why.into();
                format!("{} {}", status.as_u16(), allow.unwrap_or_default())
            }
        }
    }

    #[test]
    fn what_is_not_answered_follows_from_the_table() {
        for (socket, method, path, expected) in [
            (Query, "GET", "/v1/status", "v1/status "),
            (Query, "HEAD", "/v1/status", "v1/status "),
            (Query, "HEAD", "/metrics", "metrics "),
            (Query, "GET", "/v1/permits/ksn", "v1/permits/* ksn"),
            (Query, "POST", "/v1/status", "405 GET, HEAD"),
            (Query, "PUT", "/v1/permits/ksn", "405 GET, HEAD"),
            (Query, "POST", "/v1/permits/ksn/take", "403 "),
            (Query, "GET", "/v1/permits/ksn/take", "403 "),
            (Query, "POST", "/v1/updates/run", "403 "),
            (Query, "GET", "/v1/events", "403 "),
            (Query, "BREW", "/v1/keys", "403 "),
            (Query, "GET", "/", "404 "),
            (Query, "GET", "/v1/permits/", "404 "),
            (Query, "GET", "/v2/status", "404 "),
            (Query, "GET", "/v1/status/x", "404 "),
            (Query, "GET", "/v1/%73tatus", "404 "),
            (Control, "DELETE", "/v1/keys/SUB%2F2026%2f001", "v1/keys/* SUB/2026/001"),
            (Control, "DELETE", "/v1/keys/SUB/2026/001", "404 "),
            (Control, "GET", "/v1/keys", "405 POST"),
            (Control, "GET", "/v1/events/retry", "v1/events/* retry"),
            (Control, "POST", "/v1/events/retry", "v1/events/retry "),
            (Control, "PATCH", "/v1/events/retry", "405 GET, POST, HEAD"),
            (Control, "GET", "/v1/status", "v1/status "),
        ] {
            assert_eq!(outcome(socket, method, path), expected, "{method} {path} at {socket:?}");
        }
    }

    #[test]
    fn the_query_socket_answers_its_own_lines_alone_and_changes_nothing() {
        for Route { method, path, access, .. } in TABLE {
            let asked = format!("/{path}").replace('*', "ksn");
            let answered = format!("{path} {}", if path.contains('*') { "ksn" } else { "" });
            let at_query = if *access == Query { answered.as_str() } else { "403 " };
            assert_eq!(outcome(Query, method.as_str(), &asked), at_query, "{method} {path}");
            assert_eq!(outcome(Control, method.as_str(), &asked), answered, "{method} {path}");
            assert!(*access == Control || *method == Method::GET, "{method} {path} changes something");
        }
    }

    #[test]
    fn each_path_takes_the_methods_of_its_lines_alone() {
        for Route { path, .. } in TABLE {
            let asked = format!("/{path}").replace('*', "ksn");
            for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
                let as_listed = if method == "HEAD" { "GET" } else { method };
                let mut lines = TABLE.iter().filter(|route| route.path == *path && route.method == as_listed);
                let answer = outcome(Control, method, &asked);
                // `v1/events/retry` is also an event's path.
                if lines.next().is_none() && !answer.starts_with("v1/events/* ") {
                    assert!(answer.starts_with("405 "), "{method} {path}: {answer}");
                }
            }
        }
    }

    #[test]
    fn a_path_that_is_not_listed_is_not_there() {
        let listed: BTreeSet<&str> = TABLE.iter().map(|route| route.path).collect();
        for path in &listed {
            let parts: Vec<&str> = path.split('/').collect();
            let mut near =
                vec![format!("{path}/x"), format!("x/{path}"), format!("{path}x"), path.to_uppercase()];
            near.extend((0..parts.len()).map(|count| parts[..count].join("/")));
            // `*` takes any one part.
            near.retain(|path| !listed.contains(path.as_str()) && !listed.iter().any(|l| fits(l, path)));
            for path in near {
                for (socket, method) in
                    [(Query, "GET"), (Query, "POST"), (Control, "GET"), (Control, "DELETE")]
                {
                    assert_eq!(outcome(socket, method, &format!("/{path}")), "404 ", "{method} {path}");
                }
            }
        }
    }

    fn fits(pattern: &str, path: &str) -> bool {
        let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
        pattern.len() == path.len() && pattern.iter().zip(path).all(|(p, part)| *p == "*" || *p == part)
    }
}
