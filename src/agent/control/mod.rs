//! Control: HTTP on two unix sockets. `query.sock` answers what anyone may know, `control.sock` also changes
//! things; the kernel decides who may open which (`docs/configuration.md`).

pub mod client;
pub(crate) mod keys;
mod metrics;
mod metrics_file;
pub(crate) mod routes;
mod sockets;
mod turn_away;

use super::activation::Wish;
use super::board::Board;
use super::daemon::Reload;
use super::enforcement::updates::RunNow;
use super::engine::Handle;
use super::identity::Bond;
use super::settings::Settings;
use super::source::poller::Refresh;
use super::store::Store;
use crate::agent::lines::say;
use crate::clock::Clock;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};

pub use metrics_file::keep as keep_metrics_file;
pub use sockets::{Door, SocketError, open};
pub use turn_away::turn_away;

/// Connections on one socket at a time.
const CONNECTIONS: usize = 64;

/// From connecting to the end of a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// What requests are answered from.
#[derive(Clone)]
pub struct Api {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The time.
    pub clock: Clock,
    /// The engine.
    pub engine: Handle,
    /// The store, for the events that are kept.
    pub store: Store,
    /// How the parts are.
    pub board: Arc<Board>,
    /// Asks the poller to look.
    pub refresh: mpsc::Sender<Refresh>,
    /// Keeps and drops pending activations.
    pub activations: mpsc::Sender<Wish>,
    /// Has every permit carried out anew.
    pub look: watch::Sender<u64>,
    /// Asks for a database update.
    pub run_now: mpsc::Sender<RunNow>,
    /// Has the settings read again.
    pub reload: mpsc::Sender<Reload>,
    /// The SVM's id.
    pub id: Arc<str>,
    /// To what it is bound.
    pub bond: Arc<Bond>,
    /// The machine's name.
    pub hostname: Arc<str>,
}

/// Who asks, by the kernel's word (`unix(7)`, SO_PEERCRED).
#[derive(Debug)]
struct Peer {
    /// The number of the user.
    user: Option<u32>,
    /// For people: user and process.
    name: String,
}

impl Peer {
    fn of(stream: &UnixStream) -> Self {
        let Ok(peer) = stream.peer_cred() else {
            return Self { user: None, name: "somebody".to_owned() };
        };
        let name = match peer.pid() {
            Some(pid) => format!("user {} (process {pid})", peer.uid()),
            None => format!("user {}", peer.uid()),
        };
        Self { user: Some(peer.uid()), name }
    }
}

/// Serves one socket for as long as the program runs.
pub async fn serve(api: Api, door: Door, listener: Arc<UnixListener>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut refused = false;
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Such as no file descriptors left: the listener itself stands.
                if !std::mem::replace(&mut refused, true) {
                    let socket = door.file_name();
                    say!(SOCKET_ACCEPT, socket, %error, "a connection to {socket} could not be accepted: {error}");
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        refused = false;
        let api = api.clone();
        let peer = Arc::new(Peer::of(&stream));
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let (api, peer) = (api.clone(), peer.clone());
                async move {
                    Ok::<Response<Full<Bytes>>, Infallible>(routes::answer(&api, door, &peer, request).await)
                }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .keep_alive(false)
                .max_buf_size(64 * 1024)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = served.await {
                let socket = door.file_name();
                say!(SOCKET_BROKE, socket, %error, "a connection to {socket} broke: {error}");
            }
            drop(place);
        });
    }
}
