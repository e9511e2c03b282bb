//! Answers at the sockets of an agent that does not start.

use super::refused::RefusedConnections;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::time::{Instant, sleep, timeout_at};

/// While clients connect, an agent that does not start waits this long before it ends: otherwise systemd would start it
/// again for each client, as fast as clients like.
const LINGER: Duration = Duration::from_secs(5);

/// A connection that waits in the queue is accepted within this.
const GLANCE: Duration = Duration::from_millis(10);

/// Between two checks of the queue.
const PAUSE: Duration = Duration::from_millis(50);

/// The answer to every request.
const WHY: &str = r#"{"error":{"code":"bad_settings","message":"svm-agent does not start, because its settings are not valid; see svm-agent config check"}}"#;

/// Refuses the clients that wait at the sockets from systemd: systemd would start the agent again and again for a client
/// that keeps waiting. If no client waits, this ends at once; otherwise those that come within `LINGER` are refused too.
pub async fn turn_away() {
    let (mut passed, mut listeners) = (listenfd::ListenFd::from_env(), Vec::new());
    for index in 0..passed.len() {
        let Ok(Some(listener)) = passed.take_unix_listener(index) else { continue };
        if listener.set_nonblocking(true).is_ok()
            && let Ok(listener) = UnixListener::from_std(listener)
        {
            listeners.push(listener);
        }
    }
    let (ends, mut anyone, mut refused) = (Instant::now() + LINGER, false, RefusedConnections::default());
    loop {
        for listener in &listeners {
            while let Ok(Ok((stream, _))) = timeout_at(Instant::now() + GLANCE, listener.accept()).await {
                anyone = true;
                refused.refuse(stream, WHY);
                if Instant::now() >= ends {
                    return;
                }
            }
        }
        if !anyone || Instant::now() >= ends {
            return;
        }
        sleep(PAUSE).await;
    }
}
