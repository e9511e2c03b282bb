//! Control: HTTP on two unix sockets. `query.sock` answers what anyone may know, `control.sock` also changes
//! things; the kernel decides who may open which (`docs/reference/configuration.md`).

mod access;
pub mod client;
mod connect;
pub(crate) mod fault;
pub(crate) mod keys;
mod metrics;
mod metrics_file;
mod query;
pub mod reload;
pub(crate) mod routes;
mod sockets;
mod turn_away;

use super::activation::Wish;
use super::board::Board;
use super::enforcement::updates::RunNow;
use super::engine::Handle;
use super::identity::Bond;
use super::settings::Settings;
use super::source::poller::Refresh;
use super::status::{ReporterHandle, StatusSource};
use super::store::Store;
use crate::lines::say;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use reload::Reload;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;
use svm_core::clock::Clock;
use svm_core::places::{PlaceBounds, Places};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};

pub use connect::is_served;
pub use metrics_file::keep as keep_metrics_file;
pub use sockets::{Door, SocketError, open};
pub use turn_away::turn_away;

/// Connections on one socket at a time: no user shuts out another, and root and the agent's own user always get in.
const PLACES: PlaceBounds = PlaceBounds { total: 128, each: 32, reserved: 32 };

/// After so many connections that were refused, others have their turn.
const BURST: u32 = 64;
const BURST_REST: Duration = Duration::from_millis(1);

/// A connection's whole life: longer than whoever asks waits for an answer.
const LIFE: Duration = client::PATIENCE.saturating_add(Duration::from_secs(10));

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
    /// Builds the status.
    pub status: StatusSource,
    /// Reports the status.
    pub reporter: ReporterHandle,
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

/// What whoever has too many connections is told.
const BUSY: &str = r#"{"error":{"code":"busy","message":"too many connections of this user are open; close some, or try again"}}"#;

/// Connections that were refused, the latest of them. They stay open until others come: who is cut off while it still
/// sends its request would not read why.
#[derive(Default)]
struct Refused(VecDeque<std::os::unix::net::UnixStream>);

impl Refused {
    /// So many stay open.
    const MAX: usize = 32;

    /// Refuses a connection with a body that says why, without waiting for anything.
    fn refuse(&mut self, stream: UnixStream, why: &str) {
        let Ok(mut stream) = stream.into_std() else { return };
        let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close";
        // It fits into what the kernel holds for a new connection; where it does not, nobody is told.
        stream
            .write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n{why}\n", why.len() + 1).as_bytes())
            .ok();
        stream.shutdown(Shutdown::Write).ok();
        if self.0.len() >= Self::MAX {
            // What is closed with something unread, is reset.
            if let Some(mut first) = self.0.pop_front() {
                drop(first.read(&mut [0; 4096]));
            }
        }
        self.0.push_back(stream);
    }
}

/// Serves one socket for as long as the program runs. Everything that waits is taken at once: what is beyond the bounds
/// is refused, and never keeps others waiting in the kernel's queue.
pub async fn serve(api: Api, door: Door, listener: Arc<UnixListener>) {
    let places = Places::new(PLACES);
    let own = rustix::process::geteuid().as_raw();
    let (mut fails, mut refused, mut turned_away) = (false, 0_u32, Refused::default());
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Such as no file descriptors left: the listener itself stands.
                if !std::mem::replace(&mut fails, true) {
                    let socket = door.file_name();
                    say!(SOCKET_ACCEPT of socket, socket, %error, "a connection to {socket} could not be accepted: {error}");
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        fails = false;
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
                    Ok::<Response<Full<Bytes>>, Infallible>(routes::answer(&api, door, &peer, request).await)
                }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .half_close(true)
                .keep_alive(false)
                .max_buf_size(64 * 1024)
                .serve_connection(TokioIo::new(stream), service);
            let socket = door.file_name();
            match tokio::time::timeout(LIFE, served).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    say!(SOCKET_BROKE, socket, %error, "a connection to {socket} broke: {error}");
                }
                Err(error) => {
                    say!(SOCKET_BROKE, socket, %error, "a connection to {socket} broke: its answer was not taken in time");
                }
            }
            drop(place);
        });
    }
}
