//! Serves a socket: connections within their bounds, one request each.

use super::api::Api;
use super::peer::Peer;
use super::refused::RefusedConnections;
use super::sockets::SocketKind;
use super::{client, routes};
use crate::log::log_event;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use svm_core::library_words;
use svm_core::places::{PlaceBounds, Places};
use tokio::net::UnixListener;

/// Connections on one socket at a time: no user shuts out another, and root and the agent's own user always get in.
const PLACES: PlaceBounds = PlaceBounds { total: 128, each: 32, reserved: 32 };

/// After so many connections that were refused, others have their turn.
const BURST: u32 = 64;
const BURST_REST: Duration = Duration::from_millis(1);

/// After so long without a new connection the memory that requests used is given back.
const QUIET: Duration = Duration::from_secs(10);

/// A connection's whole life: longer than a caller waits for an answer.
const LIFE: Duration = client::TIMEOUT.saturating_add(Duration::from_secs(10));

/// From connecting to the end of a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// The answer to a user with too many connections.
const BUSY: &str = r#"{"error":{"code":"busy","message":"too many connections of this user are open; close some, or try again"}}"#;

/// Serves one socket for as long as the program runs. Everything that waits is taken at once: what is beyond the bounds
/// is refused, and never keeps others waiting in the kernel's queue.
pub async fn serve(api: Api, socket: SocketKind, listener: Arc<UnixListener>) {
    let places = Places::new(PLACES);
    let own = rustix::process::geteuid().as_raw();
    let (mut fails, mut refused, mut turned_away) = (false, 0_u32, RefusedConnections::default());
    let mut holds_memory = false;
    loop {
        let accepted = if holds_memory {
            match tokio::time::timeout(QUIET, listener.accept()).await {
                Ok(accepted) => accepted,
                Err(_) => {
                    svm_core::memory::give_back();
                    holds_memory = false;
                    continue;
                }
            }
        } else {
            listener.accept().await
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Such as no file descriptors left: the listener itself stands.
                if !std::mem::replace(&mut fails, true) {
                    let socket = socket.file_name();
                    let error = library_words::io(&error);
                    log_event!(SOCKET_ACCEPT of socket, socket, %error);
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        (fails, holds_memory) = (false, true);
        let peer = Peer::of(&stream);
        let privileged = peer.user.is_some_and(|user| user == 0 || user == own);
        let Some(place) = places.take(peer.user, privileged) else {
            turned_away.refuse(stream, BUSY);
            refused = refused.saturating_add(1);
            if refused >= BURST {
                refused = 0;
                tokio::time::sleep(BURST_REST).await;
            }
            continue;
        };
        let (api, peer) = (api.clone(), Arc::new(peer));
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let (api, peer) = (api.clone(), peer.clone());
                async move {
                    Ok::<Response<Full<Bytes>>, Infallible>(
                        routes::answer(&api, socket, &peer, request).await,
                    )
                }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .half_close(true)
                .keep_alive(false)
                .max_buf_size(64 * 1024)
                .serve_connection(TokioIo::new(stream), service);
            let socket = socket.file_name();
            match tokio::time::timeout(LIFE, served).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let error = library_words::of(&error).unwrap_or_default();
                    log_event!(SOCKET_BROKE, socket, %error; problem = error);
                }
                Err(error) => {
                    log_event!(SOCKET_BROKE, socket, %error; problem = "the client did not read the answer in time");
                }
            }
            drop(place);
        });
    }
}
