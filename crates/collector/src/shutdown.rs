//! How tasks learn that the collector stops.

use tokio::sync::watch;

/// Waits until the collector stops.
pub(super) async fn closed(closing: &mut watch::Receiver<bool>) {
    closing.wait_for(|closing| *closing).await.ok();
}
