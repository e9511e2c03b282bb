//! Whoever waits at the sockets of an agent that does not start.

/// Ends the connections that wait at the sockets that systemd passed: for one that goes on waiting it would start the agent
/// again at once, and again, whatever keeps it from starting.
pub fn turn_away() {
    let mut passed = listenfd::ListenFd::from_env();
    for index in 0..passed.len() {
        let Ok(Some(listener)) = passed.take_unix_listener(index) else { continue };
        if listener.set_nonblocking(true).is_ok() {
            // No more than may wait at once: those that come later are another start's.
            (0..MOST_WAITING).take_while(|_| listener.accept().is_ok()).for_each(drop);
        }
    }
}

/// systemd's `Backlog=` is bounded by the kernel's `net.core.somaxconn`, which is this.
const MOST_WAITING: usize = 4096;
