//! Receivers that cost little and believe nothing: every event is looked at for its id and sequence number.
//!
//! One for the agent (HTTP/1.1, batches, plain or zstd, with receipts as `svm-collector` gives them) and one for
//! syslog-ng (lines over TCP). Both look for the same two texts, and an event that is lost, comes twice or out of
//! order ends the measurement.

use memchr::memmem;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What is said of each request (HTTP) or each read (lines).
pub struct Received {
    /// When its first byte was here, and its last.
    pub first: Instant,
    pub last: Instant,
    /// The sequence number of its last event.
    pub upto: u64,
    /// How long the sender took to begin, since the last answer; nothing at first.
    pub turn: Duration,
    /// How long it took to look at.
    pub checked: Duration,
    /// On the wire, and after decoding.
    pub wire: usize,
    pub body: usize,
}

/// Ids by their sequence numbers from 1, as long as they are known, and what is to come next.
struct Order {
    ids: Arc<Vec<String>>,
    next: u64,
}

impl Order {
    /// Takes one event.
    fn take(&mut self, sequence: &[u8], id: &[u8]) {
        let sequence: u64 = std::str::from_utf8(sequence).unwrap().parse().unwrap();
        assert_eq!(sequence, self.next, "an event was lost, came twice or out of order");
        if let Some(known) = self.ids.get(usize::try_from(sequence - 1).unwrap()) {
            assert_eq!(known.as_bytes(), id, "sequence {sequence} has another id");
        }
        self.next += 1;
    }
}

const SEQUENCE: &[u8] = b"\"sequence\":\"";
const ID: &[u8] = b"\"id\":\"";

/// The texts that follow each of `name`, to the next quote.
fn texts<'a>(body: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    memmem::find_iter(body, name).map(move |at| {
        let rest = &body[at + name.len()..];
        &rest[..memchr::memchr(b'"', rest).unwrap()]
    })
}

/// Ids and sequence numbers of a batch. Where `data` of some event has an `id` of its own, all is read properly.
fn events(body: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let sequences: Vec<&[u8]> = texts(body, SEQUENCE).collect();
    let ids: Vec<&[u8]> = texts(body, ID).collect();
    if sequences.len() == ids.len() {
        return sequences.iter().zip(ids).map(|(s, i)| (s.to_vec(), i.to_vec())).collect();
    }
    let read: serde_json::Value = serde_json::from_slice(body).unwrap();
    let read = read.as_array().cloned().unwrap_or_else(|| vec![read]);
    let text = |event: &serde_json::Value, name: &str| event[name].as_str().unwrap().as_bytes().to_vec();
    read.iter().map(|event| (text(event, "sequence"), text(event, "id"))).collect()
}

/// The value of a header, by its lower-case name.
pub fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    std::str::from_utf8(head).unwrap().split("\r\n").find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// A receiver that is up. Its threads end with the measurement.
pub struct Sink {
    pub address: SocketAddr,
    received: mpsc::Receiver<Received>,
    /// The last sequence number that was asked for.
    upto: std::cell::Cell<u64>,
}

type Serve = fn(TcpStream, &Mutex<Order>, &mpsc::Sender<Received>);

impl Sink {
    /// For the agent. Comes up at `address`, where that port is free, and accepts at once.
    pub fn http(address: SocketAddr, ids: Arc<Vec<String>>) -> Self {
        Self::up(address, ids, serve_http)
    }

    /// For syslog-ng.
    pub fn lines(address: SocketAddr, ids: Arc<Vec<String>>) -> Self {
        Self::up(address, ids, serve_lines)
    }

    fn up(address: SocketAddr, ids: Arc<Vec<String>>, serve: Serve) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (report, received) = mpsc::channel();
        let order = Arc::new(Mutex::new(Order { ids, next: 1 }));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (order, report) = (order.clone(), report.clone());
                std::thread::spawn(move || serve(connection.unwrap(), &order, &report));
            }
        });
        Self { address, received, upto: std::cell::Cell::new(0) }
    }

    /// The next that comes; a receiver whose thread gave up says nothing any more.
    pub fn next(&self) -> Received {
        self.received.recv_timeout(Duration::from_secs(60)).expect("the receiver gets what is sent")
    }

    /// When the one event was here that comes next.
    pub fn one(&self) -> Instant {
        let received = self.next();
        let before = self.upto.replace(received.upto);
        assert!(before == 0 || received.upto == before + 1, "one event was to come");
        received.last
    }

    /// Waits until nothing came for a second; answers the last sequence number.
    pub fn quiet(&self) -> u64 {
        while let Ok(received) = self.received.recv_timeout(Duration::from_secs(1)) {
            self.upto.set(received.upto);
        }
        self.upto.get()
    }

    /// All that comes until this sequence number is here.
    pub fn until(&self, sequence: u64) -> VecDeque<Received> {
        let mut all = VecDeque::new();
        loop {
            all.push_back(self.next());
            if all.back().unwrap().upto >= sequence {
                return all;
            }
        }
    }
}

/// An address that is free now, for a receiver that comes up later.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A receiver of syslog that reads everything to its end and looks at nothing; its address.
pub fn reader() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            std::thread::spawn(move || {
                std::io::copy(&mut connection.unwrap(), &mut std::io::sink()).unwrap()
            });
        }
    });
    address
}

fn serve_http(mut connection: TcpStream, order: &Mutex<Order>, report: &mpsc::Sender<Received>) {
    connection.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 4 * 1024 * 1024];
    let mut decoded = Vec::new();
    let mut answered: Option<Instant> = None;
    loop {
        let (mut filled, mut first, mut end) = (0, None, None);
        while end.is_none_or(|(_, end)| filled < end) {
            let length = match connection.read(&mut buffer[filled..]) {
                Ok(0) | Err(_) => return,
                Ok(length) => length,
            };
            first.get_or_insert_with(Instant::now);
            filled += length;
            if end.is_none()
                && let Some(head) = memmem::find(&buffer[..filled], b"\r\n\r\n")
            {
                let length = header(&buffer[..head], "content-length").expect("a content-length");
                end = Some((head, head + 4 + length.parse::<usize>().unwrap()));
                assert!(end.unwrap().1 <= buffer.len(), "a request is larger than any should be");
            }
        }
        let (last, first, (head, end)) = (Instant::now(), first.unwrap(), end.unwrap());
        assert_eq!(end, filled, "one request at a time");
        let (head, body) = (&buffer[..head], &buffer[head + 4..end]);
        let plain = match header(head, "content-encoding") {
            None => body,
            Some("zstd") => {
                decoded.clear();
                zstd::stream::copy_decode(body, &mut decoded).unwrap();
                &decoded
            }
            Some(other) => panic!("content-encoding: {other}"),
        };
        let mut receipt = String::from("{\"kept\":[");
        let mut order = order.lock().unwrap();
        for (sequence, id) in events(plain) {
            order.take(&sequence, &id);
            if !receipt.ends_with('[') {
                receipt.push(',');
            }
            receipt.push('"');
            receipt.push_str(std::str::from_utf8(&id).unwrap());
            receipt.push('"');
        }
        receipt.push_str("],\"conflicts\":[]}");
        let upto = order.next - 1;
        drop(order);
        let turn = answered.map_or(Duration::ZERO, |answered| first.duration_since(answered));
        let (wire, body) = (end, plain.len());
        report.send(Received { first, last, upto, turn, checked: last.elapsed(), wire, body }).ok();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{receipt}",
            receipt.len()
        );
        answered = Some(Instant::now());
        if connection.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn serve_lines(mut connection: TcpStream, order: &Mutex<Order>, report: &mpsc::Sender<Received>) {
    let mut buffer = vec![0; 1024 * 1024];
    let mut filled = 0;
    loop {
        let length = match connection.read(&mut buffer[filled..]) {
            Ok(0) | Err(_) => return,
            Ok(length) => length,
        };
        let first = Instant::now();
        filled += length;
        let Some(end) = memchr::memrchr(b'\n', &buffer[..filled]) else { continue };
        let mut order = order.lock().unwrap();
        for (sequence, id) in events(&buffer[..end]) {
            order.take(&sequence, &id);
        }
        let upto = order.next - 1;
        drop(order);
        buffer.copy_within(end + 1..filled, 0);
        filled -= end + 1;
        let (turn, checked) = (Duration::ZERO, first.elapsed());
        report.send(Received { first, last: first, upto, turn, checked, wire: length, body: length }).ok();
    }
}
