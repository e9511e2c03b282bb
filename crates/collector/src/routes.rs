//! Every address that the collector answers to, and who may ask there: one table.
//!
//! Promises: an address that is not in the table is not there (404), a method that its lines do not name is refused (405),
//! and each request passes the check of its line (401, 403, 421) before its handler runs.

use super::access::{self, Access, Asker};
use super::answer::Refusal;
use super::app::App;
use super::connections::Owner;
use super::stream::Peer;
use super::{api, ingest, live, page};
use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on, options};
use std::collections::BTreeMap;
use std::sync::Arc;
use svm_core::text::clean;

/// How an address is asked. `HEAD` goes where `GET` goes, and each path answers `OPTIONS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`, and `HEAD`.
    Get,
    /// `POST`.
    Post,
}

impl Method {
    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
        }
    }

    /// As `Allow` names it.
    pub fn allow(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            Self::Post => "POST",
        }
    }
}

/// What can be asked, and who may ask it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    pub method: Method,
    /// Where; `{id}` stands for one part.
    pub path: &'static str,
    pub access: Access,
}

/// One line of the table.
struct Route {
    address: Address,
    handler: MethodRouter<Arc<App>>,
}

fn route<H, T>(method: Method, path: &'static str, access: Access, handler: H) -> Route
where
    H: Handler<T, Arc<App>>,
    T: 'static,
{
    Route { address: Address { method, path, access }, handler: on(method.filter(), handler) }
}

fn table() -> Vec<Route> {
    use Access::{Following, Listing, Open, Reading, Sending};
    use Method::{Get, Post};
    vec![
        route(Get, "/", Reading, page::fleet),
        route(Get, "/svms/{id}", Reading, page::svm),
        route(Get, "/v1/svms", Reading, api::svms),
        route(Get, "/v1/svms/{id}", Reading, api::svm),
        route(Get, "/v1/svms/{id}/events", Listing, api::svm_events),
        route(Get, "/v1/keys", Reading, api::keys),
        route(Get, "/v1/events", Listing, api::events),
        route(Post, "/v1/events", Sending, ingest::post),
        route(Get, "/v1/live", Following, live::get),
        route(Get, "/metrics", Reading, api::metrics),
        route(Get, "/healthz", Open, api::health),
        route(Get, "/static/style.css", Open, page::style),
        route(Get, "/static/app.js", Open, page::script),
    ]
}

/// Everything that can be asked, for tests that walk it.
pub fn addresses() -> Vec<Address> {
    table().into_iter().map(|line| line.address).collect()
}

/// The table as a service.
pub(super) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    let mut methods: BTreeMap<&str, Vec<Method>> = BTreeMap::new();
    for Route { address: Address { method, path, access }, handler } in table() {
        methods.entry(path).or_default().push(method);
        let guard = middleware::from_fn_with_state((Arc::clone(&app), access), guard);
        router = router.route(path, handler.layer(guard));
    }
    for (path, methods) in methods {
        let allow: String = methods.iter().map(|method| format!("{}, ", method.allow())).collect();
        let allow = HeaderValue::from_str(&format!("{allow}OPTIONS"));
        let allow = allow.unwrap_or(HeaderValue::from_static("OPTIONS"));
        let takes_events = methods.contains(&Method::Post);
        let answer = move |headers: HeaderMap| async move { allowed(&headers, allow, takes_events) };
        router = router.route(path, options(answer));
    }
    router
        .fallback(|| async { Refusal::NotFound("such address") })
        .method_not_allowed_fallback(|| async { Refusal::Method })
        .layer(middleware::from_fn(one_host))
        .layer(middleware::map_response(security_headers))
        .layer(middleware::map_response_with_state(Arc::clone(&app), counted))
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
        || first.is_some_and(|name| !name.is_empty() && access::authority(name).is_none());
    if is_wrong { Refusal::Host.into_response() } else { next.run(request).await }
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
    let Asker { owner, token } = match access::admit(&app, access, &request, peer.address.ip()) {
        Ok(asker) => asker,
        Err(refusal) => {
            tracing::debug!(refusal = %clean(&refusal.to_string()), "refused a request");
            return refusal.into_response();
        }
    };
    request.extensions_mut().insert(Owner(owner));
    if let Some(token) = token {
        request.extensions_mut().insert(token);
    }
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

/// Counts what is refused, whichever part refuses it.
async fn counted(State(app): State<Arc<App>>, response: Response) -> Response {
    app.metrics.answered(response.status());
    response
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
        for Address { method, path, access } in addresses() {
            let expected = match (method, path) {
                (Method::Get, "/healthz" | "/static/style.css" | "/static/app.js") => Access::Open,
                (Method::Get, "/v1/live") => Access::Following,
                (Method::Get, path) if path.ends_with("/events") => Access::Listing,
                (Method::Get, _) => Access::Reading,
                (Method::Post, _) => Access::Sending,
            };
            assert_eq!(access, expected, "{method:?} {path}");
        }
    }
}
