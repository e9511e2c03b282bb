//! The whole status, as both sockets and the metrics show it.

use super::Api;
use crate::agent::identity::hostname;
use crate::agent::status::Status;

pub(super) async fn status(api: &Api) -> Status {
    // A store that cannot be read is in the status already.
    let waiting = api.store.waiting().await.unwrap_or_default();
    let picture = api.engine.picture.borrow();
    Status::of(&picture, &api.board, &api.settings, &api.id, &hostname(), waiting, &api.clock)
}
