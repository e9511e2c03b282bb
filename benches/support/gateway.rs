//! The gateway for KSN beside HAProxy: bytes a second, connections a second, and what idle connections hold. Both run
//! as processes of their own, one thread each, over loopback, in turns.

use super::haproxy::{self, Haproxy};
use super::{Agent, Counters, Figures, Process, build, pss_mb, rounded, sized};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// What is relayed through one connection in a run.
fn relayed() -> u64 {
    sized(1024, 32) * 1024 * 1024
}

/// An odd number: one of them is the middle one.
fn runs() -> usize {
    sized(7, 1)
}

/// In a run, by so many clients at a time.
fn connections_made() -> u64 {
    sized(16_000, 400)
}
const CLIENTS: u64 = 8;
/// Of a look-up and its answer.
const REQUEST: usize = 64;
const ANSWER: usize = 256;

fn held_idle() -> usize {
    sized(5000, 200)
}

/// As many as a relay is to take.
fn most() -> usize {
    held_idle() + 100
}

/// A relay that runs: where to connect.
struct Relay {
    process: Process,
    at: SocketAddr,
}

/// The release agent, HAProxy, and HAProxy with `splice(2)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Gateway,
    Haproxy,
    Splicing,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Gateway, Self::Haproxy, Self::Splicing];

    fn start(self, folder: &Path, to: SocketAddr) -> Relay {
        match self {
            Self::Gateway => start_gateway(folder, to),
            _ => {
                let haproxy = Haproxy::start(folder, to, most(), self == Self::Splicing);
                Relay { process: haproxy.process, at: haproxy.listen }
            }
        }
    }
}

/// The agent as it is shipped, with a subscription in its term.
fn start_gateway(folder: &Path, to: SocketAddr) -> Relay {
    let at = super::sink::free_address();
    let folder = folder.join(format!("agent-{}", at.port()));
    std::fs::create_dir(&folder).unwrap();
    let settings =
        format!("[gateway]\nlisten = \"{at}\"\nupstreams = [\"{to}\"]\nmax_connections = {}\n", most());
    let agent = Agent::new(&build(), &folder, &settings);
    let (process, _) = agent.start();
    agent.activate(10);
    let until = Instant::now() + Duration::from_secs(20);
    let lets_through = || {
        let mut query = agent.query();
        query.send("GET", "v1/status", "");
        query.answer()["gateway"]["in_force"] == "full"
    };
    while !lets_through() {
        assert!(Instant::now() < until, "the gateway does not come up");
        std::thread::sleep(Duration::from_millis(20));
    }
    Relay { process, at }
}

/// Measures everything.
pub fn measure(figures: &mut Figures) {
    let folder = tempfile::tempdir().unwrap();
    let kinds: &[Kind] = match haproxy::version() {
        Some(version) => {
            println!("beside HAProxy {version}");
            &Kind::ALL
        }
        None => {
            super::not_measured("HAProxy is not installed (Debian's package haproxy)");
            &[Kind::Gateway]
        }
    };
    throughput(figures, folder.path(), kinds);
    connections(figures, folder.path(), kinds);
    idle(figures, folder.path(), kinds);
}

/// In turns, one relay at a time: what a run of each gives, sorted.
fn turns(
    folder: &Path,
    kinds: &[Kind],
    to: SocketAddr,
    run: impl Fn(&Relay) -> f64,
) -> BTreeMap<Kind, Vec<f64>> {
    let relays: Vec<(Kind, Relay)> = kinds.iter().map(|kind| (*kind, kind.start(folder, to))).collect();
    let mut values = BTreeMap::<Kind, Vec<f64>>::new();
    for turn in 0..=runs() {
        for (kind, relay) in &relays {
            let before = Counters::read(relay.process.id()).cpu_ns;
            let value = run(relay);
            let cpu = (Counters::read(relay.process.id()).cpu_ns - before) as f64 / 1e6;
            // The first warms up.
            if turn > 0 {
                println!("  {kind:?}: {value:.0} ({cpu:.0} ms of its time)");
                values.entry(*kind).or_default().push(value);
            }
        }
    }
    values.values_mut().for_each(|values| values.sort_by(f64::total_cmp));
    values
}

fn throughput(figures: &mut Figures, folder: &Path, kinds: &[Kind]) {
    println!("{} MiB through one connection, MB/s:", relayed() / 1024 / 1024);
    let to = source();
    let values = turns(folder, kinds, to, |relay| {
        let began = Instant::now();
        let mut client = TcpStream::connect(relay.at).unwrap();
        client.write_all(&relayed().to_be_bytes()).unwrap();
        let (mut got, mut buffer) = (0, vec![0; 256 * 1024]);
        loop {
            match client.read(&mut buffer).unwrap() {
                0 => break,
                count => got += count as u64,
            }
        }
        assert_eq!(got, relayed());
        relayed() as f64 / 1e6 / began.elapsed().as_secs_f64()
    });
    report(
        figures,
        &values,
        [
            ["throughput_mb_per_s", "throughput_mb_per_s_lowest", "throughput_mb_per_s_highest", ""],
            [
                "haproxy_mb_per_s",
                "haproxy_mb_per_s_lowest",
                "haproxy_mb_per_s_highest",
                "throughput_ratio_to_haproxy",
            ],
            [
                "haproxy_splice_mb_per_s",
                "haproxy_splice_mb_per_s_lowest",
                "haproxy_splice_mb_per_s_highest",
                "throughput_ratio_to_haproxy_splice",
            ],
        ],
    );
}

fn connections(figures: &mut Figures, folder: &Path, kinds: &[Kind]) {
    println!("{} connections by {CLIENTS} clients, a second:", connections_made());
    let kinds: Vec<Kind> = kinds.iter().copied().filter(|kind| *kind != Kind::Splicing).collect();
    let values = turns(folder, &kinds, answerer(), |relay| {
        let began = Instant::now();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let at = relay.at;
                std::thread::spawn(move || {
                    let mut answer = [0; ANSWER];
                    for _ in 0..connections_made() / CLIENTS {
                        let mut client = TcpStream::connect(at).unwrap();
                        client.write_all(&[1; REQUEST]).unwrap();
                        client.read_exact(&mut answer).unwrap();
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        connections_made() as f64 / began.elapsed().as_secs_f64()
    });
    report(
        figures,
        &values,
        [
            ["connections_per_s", "connections_per_s_lowest", "connections_per_s_highest", ""],
            [
                "haproxy_connections_per_s",
                "haproxy_connections_per_s_lowest",
                "haproxy_connections_per_s_highest",
                "connections_ratio_to_haproxy",
            ],
            [""; 4],
        ],
    );
}

/// Median, lowest, highest of each, and what the gateway's median is to that of another.
fn report(figures: &mut Figures, values: &BTreeMap<Kind, Vec<f64>>, names: [[&'static str; 4]; 3]) {
    let ours = values[&Kind::Gateway][runs() / 2];
    for (kind, values) in values {
        let [median, lowest, highest, ratio] = names[*kind as usize];
        figures.insert(median, rounded(values[runs() / 2]));
        figures.insert(lowest, rounded(values[0]));
        figures.insert(highest, rounded(values[runs() - 1]));
        if !ratio.is_empty() {
            figures.insert(ratio, rounded(ours / values[runs() / 2]));
        }
    }
}

/// Each connection is asked for something first, so that it was used.
fn idle(figures: &mut Figures, folder: &Path, kinds: &[Kind]) {
    raise_files();
    for kind in kinds.iter().filter(|kind| **kind != Kind::Splicing) {
        let (to, held) = holder();
        let relay = kind.start(folder, to);
        std::thread::sleep(Duration::from_millis(500));
        let before = pss_mb(relay.process.id());
        let clients: Vec<TcpStream> = (0..held_idle())
            .map(|_| {
                let mut client = TcpStream::connect(relay.at).unwrap();
                client.write_all(&[1; REQUEST]).unwrap();
                client.read_exact(&mut [0; ANSWER]).unwrap();
                client
            })
            .collect();
        assert!(held.load(SeqCst) >= held_idle() as u64);
        std::thread::sleep(Duration::from_secs(sized(2, 1)));
        let cpu = Counters::read(relay.process.id());
        std::thread::sleep(Duration::from_secs(sized(10, 1)));
        let after = Counters::read(relay.process.id());
        let total = pss_mb(relay.process.id());
        let [growth_name, total_name, switches_name] = match kind {
            Kind::Gateway => ["idle_5000_mb", "idle_5000_total_mb", "idle_5000_wakeups_in_10_s"],
            _ => ["haproxy_idle_5000_mb", "haproxy_idle_5000_total_mb", "haproxy_idle_5000_wakeups_in_10_s"],
        };
        figures.insert(growth_name, rounded(total - before));
        figures.insert(total_name, rounded(total));
        figures.insert(switches_name, rounded((after.switches - cpu.switches) as f64));
        drop(clients);
    }
}

fn raise_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
}

/// Sends as many bytes as it is asked for, and ends.
fn source() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let part = vec![7; 256 * 1024];
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut asked = [0; 8];
            // A look whether the relay is there asks for nothing.
            if stream.read_exact(&mut asked).is_err() {
                continue;
            }
            let mut left = u64::from_be_bytes(asked) as usize;
            while left > 0 {
                let next = left.min(part.len());
                stream.write_all(&part[..next]).unwrap();
                left -= next;
            }
        }
    });
    address
}

/// Answers one request a connection, and waits for its end.
fn answerer() -> SocketAddr {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    for _ in 0..CLIENTS * 2 {
        let listener = listener.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut request = [0; REQUEST];
                if stream.read_exact(&mut request).is_ok() {
                    stream.write_all(&[2; ANSWER]).unwrap();
                    // Its end, not more of it.
                    stream.read_to_end(&mut Vec::new()).ok();
                }
            }
        });
    }
    address
}

/// Answers one request a connection, and keeps it; how many it keeps.
fn holder() -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let held = Arc::new(AtomicU64::new(0));
    let count = held.clone();
    std::thread::spawn(move || {
        let mut stored = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            if stream.read_exact(&mut [0; REQUEST]).is_ok() {
                count.fetch_add(1, SeqCst);
                stream.write_all(&[2; ANSWER]).unwrap();
                stored.push(stream);
            }
        }
    });
    (address, held)
}
