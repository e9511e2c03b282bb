//! Who is at the other end of a connection.

use tokio::net::UnixStream;

/// Who asks, by the kernel's word (`unix(7)`, SO_PEERCRED).
#[derive(Debug)]
pub(super) struct Peer {
    /// The number of the user.
    pub(super) user: Option<u32>,
    /// For people: user and process.
    pub(super) name: String,
}

impl Peer {
    pub(super) fn of(stream: &UnixStream) -> Self {
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
