//! The listening end: connections within their bounds, and a stop that lets requests finish.
//!
//! Promises: at most as many connections as the settings allow; a client that is slow with its head, or takes nothing
//! of its answer, is cut; a failed accept ends nothing.

use super::app::App;
use super::connections::Admitted;
use super::metrics::Gauge;
use super::routes;
use super::shutdown::closed;
use super::stream;
use axum::Router;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How long requests may take to finish once the collector stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// What a client gets for which there is no place.
const NO_PLACE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\n\
    Connection: close\r\nContent-Length: 81\r\n\r\n\
    {\"error\":{\"code\":\"busy\",\"message\":\"all connections of this address are at work\"}}";

/// Accepts until `closing`, then waits for what is under way.
pub(super) async fn run(app: Arc<App>, listener: TcpListener, mut closing: watch::Receiver<bool>) {
    let routes = TowerToHyperService::new(routes::router(Arc::clone(&app)));
    let server = Server { app, routes, closing: closing.clone() };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closed(&mut closing) => break,
        };
        match accepted {
            Ok((stream, peer)) => server.accept(stream, peer),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    drop(listener);
    let ended = async {
        while server.app.connections.count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(DRAIN_TIMEOUT, ended).await.is_err() {
        tracing::warn!("closing connections that did not end in time");
    }
}

/// What each connection needs.
#[derive(Clone)]
struct Server {
    app: Arc<App>,
    routes: TowerToHyperService<Router>,
    closing: watch::Receiver<bool>,
}

impl Server {
    /// Serves a connection in a task of its own, if there is a place for it.
    fn accept(&self, stream: TcpStream, peer: SocketAddr) {
        match self.app.connections.admit(peer.ip()) {
            Some(admitted) => drop(tokio::spawn(connection(self.clone(), stream, peer, admitted))),
            None => {
                self.app.metrics.connections_refused.fetch_add(1, Relaxed);
                tracing::debug!(%peer, "refused a connection: too many are open");
                // For a client that just connected, the kernel takes this much at once.
                let flags = rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL;
                rustix::net::send(&stream, NO_PLACE, flags).ok();
            }
        }
    }
}

async fn connection(server: Server, stream: TcpStream, address: SocketAddr, admitted: Admitted) {
    let Server { app, routes, mut closing } = server;
    let limits = &app.settings.limits;
    let _gauge = Gauge::up(&app.metrics, |metrics| &metrics.connections);
    let write_timeout = Duration::from_secs(limits.write_timeout_seconds.into());
    let client = Arc::clone(&admitted.connection);
    let metrics = Arc::clone(&app.metrics);
    let (stream, peer) = stream::split(stream, address, Arc::clone(&client), write_timeout);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        let client = Arc::clone(&client);
        client.works();
        metrics.requests.fetch_add(1, Relaxed);
        request.extensions_mut().insert(peer.clone());
        let answer = routes.call(request);
        async move {
            let answer = answer.await;
            client.waits();
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.header_timeout_seconds.into()))
        .max_buf_size(64 * 1024)
        // A client that has closed its sending side may wait for its answer.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = admitted.connection.cut() => {
            app.metrics.connections_cut.fetch_add(1, Relaxed);
            return;
        }
        () = closed(&mut closing) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(peer = %address, error = %svm_core::error_chain::Chain(&error), "a connection ended early");
    }
}
