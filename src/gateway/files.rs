//! Open files: each connection takes two.

use crate::log::log_event;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the rest of the process may have open.
const OTHERS: u64 = 64;

/// Raises the soft limit of open files for so many connections, where it is too low and may be raised. Answers for how
/// many there is room.
pub(crate) fn make_room(connections: usize) -> usize {
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(OTHERS);
    let limit = getrlimit(Resource::Nofile);
    let mut now = limit.current.unwrap_or(u64::MAX);
    if now < wanted {
        let raised = limit.maximum.map_or(wanted, |most| wanted.min(most));
        if raised > now
            && setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum }).is_ok()
        {
            now = raised;
        }
    }
    let room = room(connections, now);
    if room < connections {
        log_event!(GATEWAY_SMALL, connections = room, wanted = connections, open_files = now);
    }
    room
}

/// For how many connections there is room with so many open files; for one at least.
fn room(connections: usize, files: u64) -> usize {
    usize::try_from(files.saturating_sub(OTHERS) / 2).unwrap_or(usize::MAX).clamp(1, connections.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_takes_two_files() {
        assert_eq!(room(1000, 2064), 1000);
        assert_eq!(room(1000, 2063), 999);
        assert_eq!(room(1000, 1024), 480);
        assert_eq!(room(1000, 10), 1);
        assert_eq!(room(1000, u64::MAX), 1000);
        assert_eq!(room(usize::MAX, u64::MAX), usize::try_from((u64::MAX - OTHERS) / 2).unwrap());
    }
}
