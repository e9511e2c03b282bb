//! The listening end: connections within their bounds, and a stop that lets requests finish.
//!
//! Promises: no more connections than the settings allow; a client that is slow with its head, or takes nothing
//! of its answer, is cut; a failed accept ends nothing.

use super::answer::Refusal;
use super::metrics::Gauge;
use super::settings::OpenTo;
use super::{App, api, ingest, live, page};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// How long requests may take to finish once the collector stops.
const DRAIN: Duration = Duration::from_secs(10);

/// The client's address, for rules that depend on it.
#[derive(Clone, Copy)]
struct Peer(SocketAddr);

fn routes(app: Arc<App>) -> Router {
    let reading = Router::new()
        .route("/", get(page::fleet))
        .route("/svms/{id}", get(page::svm))
        .route("/v1/svms", get(api::svms))
        .route("/v1/svms/{id}", get(api::svm))
        .route("/v1/svms/{id}/events", get(api::svm_events))
        .route("/v1/live", get(live::get))
        .route("/metrics", get(api::metrics));
    let events = post(ingest::post)
        .merge(get(api::events).layer(middleware::from_fn_with_state(Arc::clone(&app), readers_only)));
    reading
        .layer(middleware::from_fn_with_state(Arc::clone(&app), readers_only))
        .route("/v1/events", events)
        .route("/healthz", get(api::health))
        .route("/static/style.css", get(page::style))
        .route("/static/app.js", get(page::script))
        .fallback(|| async { Refusal::NotFound("such address") })
        .method_not_allowed_fallback(|| async { Refusal::Method })
        .layer(middleware::map_response(security_headers))
        .with_state(app)
}

async fn readers_only(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let loopback =
        request.extensions().get().is_some_and(|Peer(peer)| peer.ip().to_canonical().is_loopback());
    match app.settings.page.open_to {
        OpenTo::Loopback if !loopback => Refusal::NotLoopback.into_response(),
        _ => next.run(request).await,
    }
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

/// Waits until the collector stops.
pub(super) async fn closed(closing: &mut watch::Receiver<bool>) {
    closing.wait_for(|closing| *closing).await.ok();
}

/// Accepts until `closing`, then waits for what is under way.
pub(super) async fn run(app: Arc<App>, listener: TcpListener, mut closing: watch::Receiver<bool>) {
    let most = app.settings.limits.connections;
    let places = Arc::new(Semaphore::new(most as usize));
    let routes = TowerToHyperService::new(routes(Arc::clone(&app)));
    loop {
        let accepted = async {
            // A place first: what is over the bound waits in the kernel's queue, not here.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = closed(&mut closing) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(Arc::clone(&app), routes.clone(), stream, peer, closing.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, places.acquire_many(most)).await.is_err() {
        tracing::warn!("some connections did not end in time and are cut");
    }
}

async fn connection(
    app: Arc<App>,
    routes: TowerToHyperService<Router>,
    stream: TcpStream,
    peer: SocketAddr,
    mut closing: watch::Receiver<bool>,
) {
    let limits = &app.settings.limits;
    let _gauge = Gauge::up(&app.metrics, |metrics| &metrics.connections);
    // The kernel cuts a client that acknowledges nothing or keeps its window shut for this long.
    let patience = limits.write_timeout_seconds.saturating_mul(1000);
    rustix::net::sockopt::set_tcp_user_timeout(&stream, patience).ok();
    stream.set_nodelay(true).ok();
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.header_timeout_seconds.into()))
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = closed(&mut closing) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%peer, error = %crate::error_chain::Chain(&error), "a connection ended early");
    }
}
