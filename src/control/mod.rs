//! Control: HTTP on two unix sockets. `query.sock` answers what anyone may know, `control.sock` also changes
//! things; the kernel decides who may open which (`docs/reference/sockets.md`).

mod access;
mod api;
pub mod client;
pub(crate) mod commands;
mod connect;
pub(crate) mod events;
pub(crate) mod fault;
pub(crate) mod keys;
mod metrics;
mod metrics_file;
mod peer;
pub(crate) mod permits;
mod query;
mod refused;
pub mod reload;
pub(crate) mod request;
mod routes;
mod serve;
mod sockets;
pub(crate) mod status;
mod turn_away;

pub use api::{Api, ApiSettings, Requests};
pub use connect::is_served;
pub use metrics_file::keep as keep_metrics_file;
pub use routes::listed;
pub use serve::serve;
pub use sockets::{SocketError, SocketKind, open};
pub use turn_away::turn_away;
