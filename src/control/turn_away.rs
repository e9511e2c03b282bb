//! Answers at the sockets of an agent that does not start.

use super::refused::RefusedConnections;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::time::{Instant, sleep, timeout_at};

/// While somebody asks, an agent that does not start ends no sooner: systemd would start it again for the next who asks,
/// as fast as anybody likes.
const LINGER: Duration = Duration::from_secs(5);

/// What waits in a queue is had within this.
const GLANCE: Duration = Duration::from_millis(10);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// The answer to every request.
const WHY: &str = r#"{"error":{"code":"bad_settings","message":"svm-agent does not start, because its settings are not valid; see svm-agent config check"}}"#;

/// Refuses those that wait at the sockets that systemd passed: for one that goes on waiting it would start the agent again
/// at once, and again. Where nobody waits this is over at once; else those that come within `LINGER` are refused too.
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
