//! Who is connected, and who makes room for whom.
//!
//! Promises: at most as many connections as the settings allow, and of one address at most its part. A new connection gets
//! its place from one that waits for its client, the longest first, and of the address that has the most: a client that holds
//! connections open without using them locks nobody out. Places are reserved for this machine.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use svm_core::clock::boot_time;
use svm_core::lock::lock;
use svm_core::places::{Place, PlaceBounds, Places};
use tokio::sync::Notify;

/// Places for this machine only.
const RESERVED: usize = 16;
/// No instant: the collector works for the client, and does not wait for it.
const NEVER: u64 = u64::MAX;

pub(super) struct Connections {
    places: Places<IpAddr>,
    each: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    last: u64,
    all: HashMap<u64, Arc<Connection>>,
}

pub(super) struct Connection {
    owner: IpAddr,
    place: Mutex<Option<Place<IpAddr>>>,
    /// Milliseconds of the boot clock since which it waits for its client; [`NEVER`] while it works.
    waits_since: AtomicU64,
    /// The same, since which the client has not taken the whole of its answer.
    answer_since: AtomicU64,
    cut: Notify,
}

/// An open connection; it is closed when this is dropped.
pub(super) struct Admitted {
    connections: Arc<Connections>,
    number: u64,
    pub(super) connection: Arc<Connection>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.connections.open().all.remove(&self.number);
    }
}

/// Whose places and shares a reader takes.
#[derive(Clone, Copy)]
pub(super) struct Owner(pub(super) IpAddr);

/// Whose connection it is: an address, of IPv6 its network, since a host there has a whole one.
pub(super) fn owner(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << 64);
            if address.is_loopback() { IpAddr::V6(address) } else { IpAddr::V6(network.into()) }
        }
        address => address,
    }
}

fn now() -> u64 {
    u64::try_from(boot_time().as_millis()).unwrap_or(NEVER - 1)
}

impl Connections {
    pub(super) fn new(total: usize, each: usize) -> Arc<Self> {
        let reserved = RESERVED.min(total / 8);
        let places = Places::new(PlaceBounds { total, each, reserved });
        Arc::new(Self { places, each, open: Mutex::default() })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        lock(&self.open)
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.open().all.len()
    }

    /// A place for a new connection; `None` if all places, or those of its address, are at work.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Admitted> {
        let (owner, is_local) = (owner(peer), peer.to_canonical().is_loopback());
        let place = match self.places.take(owner, is_local) {
            Some(place) => place,
            None => {
                self.make_room(owner, is_local)?;
                self.places.take(owner, is_local)?
            }
        };
        let connection = Arc::new(Connection {
            owner,
            place: Mutex::new(Some(place)),
            waits_since: AtomicU64::new(now()),
            answer_since: AtomicU64::new(NEVER),
            cut: Notify::new(),
        });
        let mut open = self.open();
        open.last += 1;
        let number = open.last;
        open.all.insert(number, Arc::clone(&connection));
        drop(open);
        Some(Admitted { connections: Arc::clone(self), number, connection })
    }

    /// Cuts one connection that waits for its client.
    fn make_room(&self, owner: IpAddr, is_local: bool) -> Option<()> {
        let open = self.open();
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for connection in open.all.values().filter(|connection| connection.has_place()) {
            *counts.entry(connection.owner).or_default() += 1;
        }
        let count = |owner: IpAddr| counts.get(&owner).copied().unwrap_or_default();
        let own = count(owner);
        let has_its_part = !is_local && own >= self.each;
        let victim = open
            .all
            .values()
            .filter(|connection| connection.has_place() && connection.waits_since.load(Relaxed) != NEVER)
            .filter(
                |connection| {
                    if has_its_part { connection.owner == owner } else { count(connection.owner) >= own }
                },
            )
            .max_by_key(|connection| {
                (count(connection.owner), std::cmp::Reverse(connection.waits_since.load(Relaxed)))
            })?;
        victim.place().take();
        victim.cut.notify_one();
        Some(())
    }

    /// Cuts the connection whose client has been the longest in taking its answer, if that is `at_least` long.
    pub(super) fn cut_slowest(&self, at_least: Duration) {
        let before = now().saturating_sub(u64::try_from(at_least.as_millis()).unwrap_or(NEVER));
        let open = self.open();
        let slowest = open.all.values().min_by_key(|connection| connection.answer_since.load(Relaxed));
        if let Some(slowest) = slowest.filter(|slowest| slowest.answer_since.load(Relaxed) <= before) {
            // The next one who needs room cuts another.
            slowest.answered();
            slowest.cut.notify_one();
        }
    }
}

impl Connection {
    fn place(&self) -> MutexGuard<'_, Option<Place<IpAddr>>> {
        lock(&self.place)
    }

    fn has_place(&self) -> bool {
        self.place().is_some()
    }

    /// Over when this connection has to make room.
    pub(super) async fn cut(&self) {
        self.cut.notified().await;
    }

    /// From now on the collector works for the client.
    pub(super) fn works(&self) {
        self.waits_since.store(NEVER, Relaxed);
    }

    /// From now on it waits for the client.
    pub(super) fn waits(&self) {
        self.waits_since.store(now(), Relaxed);
    }

    /// From now on there is an answer that the client has not taken.
    pub(super) fn answers(&self) {
        self.answer_since.store(now(), Relaxed);
    }

    /// The client has taken its answer.
    pub(super) fn answered(&self) {
        self.answer_since.store(NEVER, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_waits_the_longest_makes_room_and_no_other() {
        let connections = Connections::new(8, 3);
        let of = |peer: &str| connections.admit(address(peer));
        let stranger: Vec<_> = (0..3).map(|_| of("10.0.0.1").unwrap()).collect();
        // A fourth of the same address: the first of its own is cut, and nobody else's.
        let other = of("10.0.0.2").unwrap();
        stranger[1].connection.waits_since.store(0, Relaxed);
        let fourth = of("10.0.0.1").unwrap();
        assert!(!stranger[1].connection.has_place() && other.connection.has_place());
        // All of them at work: it has its part.
        for connection in stranger.iter().chain([&fourth]) {
            connection.connection.works();
        }
        assert!(of("10.0.0.1").is_none());
        // Full: the address that has the most makes room, though another waits longer.
        let fill: Vec<_> =
            ["10.0.0.2", "10.0.0.3", "10.0.0.4"].into_iter().map(|peer| of(peer).unwrap()).collect();
        other.connection.waits_since.store(1, Relaxed);
        fill[1].connection.waits_since.store(0, Relaxed);
        let _last = of("10.0.0.5").unwrap();
        assert!(!other.connection.has_place() && fill[1].connection.has_place());
        drop((stranger, fourth, fill, other));
        // This machine has the reserve, and all of the rest.
        let local: Vec<_> = (0..7).map(|_| of("127.0.0.1").unwrap()).collect();
        assert_eq!(connections.count(), 8);
        local.iter().for_each(|one| one.connection.works());
        drop(local);
        assert_eq!(connections.places.taken(), 1);
    }

    #[test]
    fn a_network_of_ipv6_is_one_owner() {
        assert_eq!(owner(address("2001:db8::1")), owner(address("2001:db8::ffff:1")));
        assert_ne!(owner(address("2001:db8::1")), owner(address("2001:db8:0:1::1")));
        assert_eq!(owner(address("::ffff:10.0.0.1")), address("10.0.0.1"));
        assert_eq!(owner(address("::1")), address("::1"));
    }
}
