//! Every address that the collector answers to, and who may ask there: one table.
//!
//! Promises: what is not in the table is refused; each of its lines says who may ask. Being on this machine lets nobody
//! read on behalf of others.

use super::answer::Refusal;
use super::app::App;
use super::connections::{Owner, owner};
use super::hosts::{self, Authority};
use super::settings::OpenTo;
use super::stream::Peer;
use super::{api, ingest, live, page};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, options, post};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use svm_core::text::clean;

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Everyone: it says nothing of the fleet.
    Open,
    /// Readers, by `page.open_to`. The answer is made whole.
    Reading,
    /// The same, of a list of events.
    Listing,
    /// Readers too. The answer goes on.
    Following,
    /// Senders, by their token.
    Sending,
}

/// One line of the table.
struct Line {
    path: &'static str,
    method: Method,
    access: Access,
    handler: MethodRouter<Arc<App>>,
}

fn line(path: &'static str, access: Access, handler: MethodRouter<Arc<App>>) -> Line {
    Line { path, method: Method::GET, access, handler }
}

fn table() -> Vec<Line> {
    vec![
        line("/", Access::Reading, get(page::fleet)),
        line("/svms/{id}", Access::Reading, get(page::svm)),
        line("/v1/svms", Access::Reading, get(api::svms)),
        line("/v1/svms/{id}", Access::Reading, get(api::svm)),
        line("/v1/svms/{id}/events", Access::Listing, get(api::svm_events)),
        line("/v1/keys", Access::Reading, get(api::keys)),
        line("/v1/events", Access::Listing, get(api::events)),
        Line {
            path: "/v1/events",
            method: Method::POST,
            access: Access::Sending,
            handler: post(ingest::post),
        },
        line("/v1/live", Access::Following, get(live::get)),
        line("/metrics", Access::Reading, get(api::metrics)),
        line("/healthz", Access::Open, get(api::health)),
        line("/static/style.css", Access::Open, get(page::style)),
        line("/static/app.js", Access::Open, get(page::script)),
    ]
}

/// The table as a service.
pub(super) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    let mut methods: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Line { path, method, access, handler } in table() {
        let allowed = methods.entry(path).or_default();
        allowed.push(if method == Method::POST { "POST" } else { "GET, HEAD" });
        let guard = middleware::from_fn_with_state((Arc::clone(&app), access), guard);
        router = router.route(path, handler.layer(guard));
    }
    for (path, methods) in methods {
        let allow = HeaderValue::from_str(&format!("{}, OPTIONS", methods.join(", ")));
        let allow = allow.unwrap_or(HeaderValue::from_static("OPTIONS"));
        let takes_events = methods.contains(&"POST");
        let answer = move |headers: HeaderMap| async move { allowed(&headers, allow, takes_events) };
        router = router.route(path, options(answer));
    }
    router
        .fallback(|| async { Refusal::NotFound("such address") })
        .method_not_allowed_fallback(|| async { Refusal::Method })
        .layer(middleware::from_fn(one_host))
        .layer(middleware::map_response(security_headers))
        .with_state(app)
}

/// What an address takes; and the handshake of a webhook's sender (CloudEvents, HTTP webhooks, section 4): here is one who
/// expects events. It lets nobody in.
fn allowed(headers: &HeaderMap, allow: HeaderValue, takes_events: bool) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let answer = response.headers_mut();
    answer.insert(header::ALLOW, allow);
    if let Some(origin) = headers.get("webhook-request-origin").filter(|_| takes_events) {
        answer.insert(HeaderName::from_static("webhook-allowed-origin"), origin.clone());
        answer.insert(HeaderName::from_static("webhook-allowed-rate"), HeaderValue::from_static("*"));
    }
    response
}

/// Each request of HTTP/1.1 has one `Host` (RFC 9112, section 3.2).
async fn one_host(request: Request, next: Next) -> Response {
    let mut names = request.headers().get_all(header::HOST).iter();
    let (first, second) = (names.next(), names.next());
    let is_wrong = second.is_some()
        || first.is_none() && request.version() == Version::HTTP_11
        || first.is_some_and(|name| !name.is_empty() && authority(name).is_none());
    if is_wrong { Refusal::Host.into_response() } else { next.run(request).await }
}

fn authority(value: &HeaderValue) -> Option<Authority> {
    Authority::read(value.to_str().ok()?)
}

/// Lets a request through to its handler, within its bounds, if its line of the table allows it.
async fn guard(
    State((app, access)): State<(Arc<App>, Access)>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(peer) = request.extensions().get::<Peer>().cloned() else {
        return Refusal::NotLoopback.into_response();
    };
    let owner = match may_ask(&app, access, &request, &peer) {
        Ok(owner) => owner,
        Err(refusal) => {
            tracing::debug!(refusal = %clean(&refusal.to_string()), "a request was refused");
            return refusal.into_response();
        }
    };
    request.extensions_mut().insert(Owner(owner));
    if !matches!(access, Access::Reading | Access::Listing) {
        return next.run(request).await;
    }
    let answer = async {
        let room = app.answers.room(access == Access::Listing, &app.connections).await?;
        Ok::<_, Refusal>(room.hold(next.run(request).await, &peer.connection).await)
    };
    tokio::select! {
        answer = answer => answer.unwrap_or_else(IntoResponse::into_response),
        () = peer.left() => Refusal::Left.into_response(),
    }
}

/// Who asks, if he may.
fn may_ask(app: &App, access: Access, request: &Request, peer: &Peer) -> Result<IpAddr, Refusal> {
    let headers = request.headers();
    let own = owner(peer.address.ip());
    if access == Access::Open {
        return Ok(own);
    }
    // The address in the request line counts before `Host` (RFC 9112, section 3.2.2).
    let asked = match request.uri().authority() {
        Some(named) => Some(Authority::read(named.as_str()).ok_or(Refusal::Host)?),
        None => headers.get(header::HOST).filter(|name| !name.is_empty()).and_then(authority),
    };
    // A sender with a token needs no such check: no foreign page has it.
    let names_matter = access != Access::Sending || app.tokens.is_none();
    if let Some(asked) = &asked
        && names_matter
        && !hosts::is_ours(asked, &app.settings.hosts)
    {
        return Err(Refusal::UnknownHost(asked.host().chars().take(100).collect()));
    }
    if access == Access::Sending {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let foreign = |origin: &HeaderValue| {
            origin
                .to_str()
                .map_or(true, |origin| hosts::is_foreign(origin, asked.as_ref(), &app.settings.hosts))
        };
        return if origins.any(foreign) { Err(Refusal::ForeignOrigin) } else { Ok(own) };
    }
    // A stream that a foreign page opens could not be read there, but would take a place.
    if access == Access::Following && headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return Err(Refusal::ForeignOrigin);
    }
    let is_reader = app.readers.as_ref().is_some_and(|readers| readers.known(headers).is_some());
    if is_reader {
        // Whoever holds a reading token says whom it asks for: the last address is what it added itself.
        return Ok(forwarded_for(headers).map_or(own, owner));
    }
    let is_local = peer.address.ip().to_canonical().is_loopback();
    match app.settings.page.open_to {
        OpenTo::All => Ok(own),
        OpenTo::Readers => Err(Refusal::NotReader),
        OpenTo::Loopback if !is_local => Err(Refusal::NotLoopback),
        OpenTo::Loopback if is_forwarded(headers) => Err(Refusal::Forwarded),
        OpenTo::Loopback => Ok(own),
    }
}

/// What proxies say of whom they ask for.
const FORWARDED: &[&str] = &[
    "forwarded",
    "via",
    "x-forwarded",
    "x-forwarded-by",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-uri",
    "x-forwarded-user",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-user",
    "cf-connecting-ip",
    "client-ip",
    "true-client-ip",
    "remote-user",
];

fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(*name))
}

fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

/// Text of events is hostile: should a page ever carry markup of theirs, the browser still runs nothing.
async fn security_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::SERVER, concat!("svm-collector/", env!("CARGO_PKG_VERSION"))),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_nothing_of_the_fleet_is_open() {
        for Line { path, method, access, .. } in table() {
            let expected = match (path, method.as_str()) {
                ("/healthz" | "/static/style.css" | "/static/app.js", "GET") => Access::Open,
                ("/v1/events", "POST") => Access::Sending,
                ("/v1/live", "GET") => Access::Following,
                ("/v1/events" | "/v1/svms/{id}/events", "GET") => Access::Listing,
                (_, "GET") => Access::Reading,
                other => panic!("{other:?}"),
            };
            assert_eq!(access, expected, "{method} {path}");
        }
    }
}
