//! Whose the gateway's connections are, so that no local user takes the places of all others.
//!
//! Promises: as long as at most half of the places are taken, nobody is asked and nothing costs anything; beyond
//! that, whose each connection is, is known. A user has three quarters of the places at most, and a sixteenth is left
//! for root. Must not know: permits, bytes.

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard};
use svm_core::lock::lock;
use svm_core::places::{Place, PlaceBounds, Places};

/// With fewer places they are anybody's.
const FEW: usize = 8;

/// Whose a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Owner {
    /// A user of this machine.
    User(u32),
    /// Somebody at this address.
    Address(IpAddr),
}

/// What is known of an open connection.
#[derive(Debug)]
enum Known {
    /// Where it comes from.
    From(SocketAddr),
    /// Its place.
    Placed { _place: Place<Owner> },
    /// It was there before its owner had too many.
    Beyond,
}

#[derive(Debug)]
pub(crate) struct Owners {
    /// Where the gateway listens.
    listen: SocketAddr,
    most: usize,
    places: Places<Owner>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    known: HashMap<u64, Known>,
    /// Where the kernel is asked; opened when it is first needed.
    kernel: Option<OwnedFd>,
}

impl Owners {
    pub(crate) fn new(listen: SocketAddr, most: usize) -> Self {
        let bounds = PlaceBounds { total: most, each: most - most / 4, reserved: most / 16 };
        Self { listen, most, places: Places::new(bounds), open: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        lock(&self.open)
    }

    /// Lets a connection in: the number by which it is forgotten. `None` where its owner has too many.
    pub(crate) fn let_in(&self, client: SocketAddr) -> Option<u64> {
        let mut open = self.lock();
        let many = self.most >= FEW && open.known.len() >= self.most / 2;
        let known = match many {
            false => Known::From(client),
            true => {
                self.ask_for_all(&mut open);
                Known::Placed { _place: self.place(&mut open, client)? }
            }
        };
        let number = open.next;
        open.next = open.next.wrapping_add(1);
        open.known.insert(number, known);
        Some(number)
    }

    pub(crate) fn forget(&self, number: u64) {
        // Its place is free again after the lock is.
        let gone = self.lock().known.remove(&number);
        drop(gone);
    }

    /// Asks for the owners of those that came when nobody was asked.
    fn ask_for_all(&self, open: &mut Open) {
        let mut known = std::mem::take(&mut open.known);
        for one in known.values_mut() {
            if let Known::From(client) = *one {
                *one = match self.place(open, client) {
                    Some(place) => Known::Placed { _place: place },
                    None => Known::Beyond,
                };
            }
        }
        open.known = known;
    }

    fn place(&self, open: &mut Open, client: SocketAddr) -> Option<Place<Owner>> {
        if open.kernel.is_none() {
            open.kernel = kernel().ok();
        }
        let user = open.kernel.as_ref().and_then(|kernel| user_of(kernel, client, self.listen));
        let owner = user.map_or_else(|| Owner::Address(client.ip().to_canonical()), Owner::User);
        self.places.take(owner, owner == Owner::User(0))
    }
}

// `sock_diag(7)`: one question about one connection, which the kernel answers at once.

const BY_FAMILY: u16 = 20;
const REQUEST: u16 = 1;
const TCP: u8 = 6;

/// Of `struct nlmsghdr`, of `struct inet_diag_req_v2` behind it, and of `struct inet_diag_msg`.
const HEAD: usize = 16;
const QUESTION: usize = 56;
const ANSWER: usize = 72;

fn kernel() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::SOCK_DIAG))
}

/// The user who has the other end of a connection, where that is on this machine and still held by somebody.
fn user_of(kernel: &OwnedFd, client: SocketAddr, listen: SocketAddr) -> Option<u32> {
    let (client, listen) = (canonical(client), canonical(listen));
    // Where the gateway listens on all addresses, a connection within the machine has one address at both ends, or goes
    // from one of its addresses to another: then it is known by the address alone.
    let to = if listen.ip().is_unspecified() { SocketAddr::new(client.ip(), listen.port()) } else { listen };
    let question = question(client, to)?;
    rustix::net::send(kernel, &question, SendFlags::empty()).ok()?;
    let mut answer = [0; 512];
    let (read, _) = rustix::net::recv(kernel, &mut answer, RecvFlags::empty()).ok()?;
    read_answer(answer.get(..read)?, client)
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn question(from: SocketAddr, to: SocketAddr) -> Option<Vec<u8>> {
    let address = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => {
            let mut bytes = [0; 16];
            bytes.iter_mut().zip(ip.octets()).for_each(|(byte, octet)| *byte = octet);
            bytes
        }
        IpAddr::V6(ip) => ip.octets(),
    };
    let family = match (from, to) {
        (SocketAddr::V4(_), SocketAddr::V4(_)) => AddressFamily::INET,
        (SocketAddr::V6(_), SocketAddr::V6(_)) => AddressFamily::INET6,
        _ => return None,
    };
    let mut text = Vec::with_capacity(HEAD + QUESTION);
    text.extend(u32::try_from(HEAD + QUESTION).ok()?.to_ne_bytes());
    text.extend(BY_FAMILY.to_ne_bytes());
    text.extend(REQUEST.to_ne_bytes());
    text.extend([0; 8]);
    text.extend([u8::try_from(family.as_raw()).ok()?, TCP, 0, 0]);
    // In whatever state.
    text.extend(u32::MAX.to_ne_bytes());
    text.extend(from.port().to_be_bytes());
    text.extend(to.port().to_be_bytes());
    text.extend(address(from.ip()));
    text.extend(address(to.ip()));
    text.extend([0; 4]);
    // No cookie.
    text.extend([0xff; 8]);
    Some(text)
}

/// The user in an answer that is about this connection. Of one that nobody holds any more the kernel says that it is
/// root's.
fn read_answer(answer: &[u8], client: SocketAddr) -> Option<u32> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let answer = answer.get(HEAD..HEAD + ANSWER).filter(|_| kind == BY_FAMILY)?;
    let port = u16::from_be_bytes(answer.get(4..6)?.try_into().ok()?);
    let number = |at: usize| Some(u32::from_ne_bytes(answer.get(at..at + 4)?.try_into().ok()?));
    let (user, inode) = (number(64)?, number(68)?);
    (port == client.port() && inode != 0).then_some(user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    fn own() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn the_kernel_says_whose_a_connection_is() {
        let kernel = kernel().unwrap();
        for address in ["127.0.0.1:0", "[::1]:0", "127.3.2.1:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let listen = listener.local_addr().unwrap();
            let client = TcpStream::connect(listen).unwrap();
            let (_server, from) = listener.accept().unwrap();
            assert_eq!(user_of(&kernel, from, listen), Some(own()), "{address}");
            drop(client);
            assert_eq!(user_of(&kernel, from, listen), None, "{address}: nobody holds it");
            assert_eq!(user_of(&kernel, SocketAddr::new(from.ip(), 1), listen), None, "{address}");
        }
        // One that listens on all addresses; and an answer that is cut.
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let listen = listener.local_addr().unwrap();
        let _client = TcpStream::connect(("127.0.0.1", listen.port())).unwrap();
        let (_server, from) = listener.accept().unwrap();
        assert_eq!(user_of(&kernel, from, listen), Some(own()));
        for length in 0..HEAD + ANSWER {
            assert_eq!(read_answer(&vec![0; length], from), None);
        }
    }

    /// Connections from an address that is not of this machine: nobody here has them.
    fn from(host: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, host], port))
    }

    #[test]
    fn beyond_half_the_places_each_owner_has_three_quarters_at_most() {
        let owners = Owners::new(SocketAddr::from(([127, 0, 0, 1], 9)), 64);
        let taken: Vec<u64> = (1..100).filter_map(|port| owners.let_in(from(1, port))).collect();
        assert_eq!(taken.len(), 48, "those that came before anybody was asked are counted");
        let others: Vec<u64> = (1..100).filter_map(|port| owners.let_in(from(2, port))).collect();
        assert_eq!(others.len(), 12, "four are left for root");
        for number in &taken[..20] {
            owners.forget(*number);
        }
        assert!(owners.let_in(from(3, 1)).is_some());
        for number in taken.iter().chain(&others) {
            owners.forget(*number);
        }
        assert_eq!((owners.lock().known.len(), owners.places.taken()), (1, 1));
        // Few places are anybody's.
        let owners = Owners::new(SocketAddr::from(([127, 0, 0, 1], 9)), 5);
        assert_eq!((1..10).filter_map(|port| owners.let_in(from(1, port))).count(), 9);
    }
}
