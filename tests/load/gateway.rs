//! The gateway for KSN over real sockets: what it passes on, what it refuses, and when it closes.

use crate::support;
use crate::support::{free_port, random, wait_for};
use jiff::SignedDuration;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use svm_agent::config::{GatewaySettings, Upstream, WhenDown};
use svm_agent::gateway;
use svm_agent::gateway::Gateway;
use svm_agent::health::GatewayHealth;
use svm_agent::permits::follower::PermitFollower;
use svm_agent::permits::permit_file::PermitFile;
use svm_core::clock::{self, Clock};
use svm_core::subscription::{Permit, Phase, Resource};
use tokio::sync::watch;

const LONG: Duration = Duration::from_secs(3600);

/// A permit for KSN that ends after so much time.
fn permit(verdict: Permit, rate: Option<u64>, lasts: Duration) -> PermitFile {
    let clock = Clock::system();
    let now = clock.now();
    let until = now + SignedDuration::try_from(lasts).unwrap();
    PermitFile {
        resource: Resource::Ksn,
        verdict,
        rate,
        phase: Phase::Active,
        cause: None,
        until,
        until_boot_ms: PermitFile::boot_ms(&clock, until),
        boot_id: clock::boot_id().to_owned(),
        written_at: now,
        when_agent_is_down: WhenDown::Last,
    }
}

/// The permits of both resources: that of the other must not matter.
fn permits(ksn: PermitFile) -> Vec<PermitFile> {
    let verdict = if ksn.verdict == Permit::Stopped { Permit::Full } else { Permit::Stopped };
    let other = PermitFile { resource: Resource::DatabaseUpdates, verdict, ..ksn.clone() };
    vec![other, ksn]
}

fn full() -> PermitFile {
    permit(Permit::Full, None, LONG)
}

struct World {
    gateway: Gateway,
    permits: watch::Sender<Vec<PermitFile>>,
    at: SocketAddr,
}

impl World {
    fn start(upstreams: &[SocketAddr], change: impl FnOnce(&mut GatewaySettings)) -> Self {
        let world = Self::start_with(permits(full()), upstreams, change);
        world.wait_in_force(Permit::Full);
        world
    }

    fn start_with(
        permits: Vec<PermitFile>,
        upstreams: &[SocketAddr],
        change: impl FnOnce(&mut GatewaySettings),
    ) -> Self {
        let at = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut settings = GatewaySettings {
            listen: at,
            upstreams: upstreams.iter().map(|a| a.to_string().parse().unwrap()).collect(),
            max_connections: 4000,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(600),
            max_age: LONG,
        };
        change(&mut settings);
        let at = settings.listen;
        let (permits, reported) = watch::channel(permits);
        let gateway = gateway::start(settings, Clock::system(), reported).unwrap();
        let world = Self { gateway, permits, at };
        wait_for("the gateway", 20, || (listens(at) || world.health().problem.is_some()).then_some(()));
        world
    }

    fn health(&self) -> GatewayHealth {
        self.gateway.health()
    }

    fn wait_in_force(&self, verdict: Permit) {
        let reported = self.gateway.in_force();
        wait_for("the verdict to be carried out", 20, || (*reported.borrow() == verdict).then_some(()));
        assert_eq!(self.health().in_force, verdict);
    }

    fn give(&self, ksn: PermitFile) {
        let verdict = ksn.verdict;
        self.permits.send(permits(ksn)).unwrap();
        self.wait_in_force(verdict);
    }

    fn connect(&self) -> TcpStream {
        connect(self.at)
    }

    /// A connection that is relayed: a byte went both ways.
    fn connect_through(&self) -> TcpStream {
        let mut client = self.connect();
        assert!(echoes(&mut client), "it is relayed");
        client
    }
}

/// Whether somebody listens there, without connecting.
fn listens(at: SocketAddr) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!(":{:04X}", at.port());
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1).is_some_and(|f| f.ends_with(&local)) && fields.get(3) == Some(&"0A")
    })
}

fn connect(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

fn echoes(client: &mut TcpStream) -> bool {
    let mut byte = [0];
    client.write_all(b"?").is_ok() && client.read_exact(&mut byte).is_ok() && byte == *b"?"
}

/// Whether the other side hung up with a reset, not with an end.
fn was_reset(client: &mut TcpStream) -> bool {
    match client.read(&mut [0; 64]) {
        Ok(_) => false,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("it is neither closed nor does it answer")
        }
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// A server: each connection is handled by a thread of its own.
fn server_at(listener: TcpListener, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let at = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            std::thread::Builder::new().stack_size(128 * 1024).spawn(move || serve(stream)).unwrap();
        }
    });
    at
}

fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    server_at(TcpListener::bind("127.0.0.1:0").unwrap(), serve)
}

/// Gives back what it gets, and then the end.
fn echo_to(stream: TcpStream) {
    let (mut from, mut to) = (&stream, &stream);
    let mut buffer = [0; 16 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break drop(stream.shutdown(Shutdown::Write)),
            Ok(count) => {
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            Err(_) => break,
        }
    }
}

fn echo() -> SocketAddr {
    server(echo_to)
}

fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut next = random(seed);
    (0..bytes).map(|_| next(256) as u8).collect()
}

#[test]
fn what_is_sent_arrives_whole_both_ways_at_once() {
    let _alone = crate::ALONE.lock();
    let world = World::start(&[echo()], |_| {});
    let clients: Vec<_> = (1..=4)
        .map(|seed| {
            let (at, sent) = (world.at, noise(6_000_000, seed));
            std::thread::spawn(move || {
                let stream = connect(at);
                let mut writer = stream.try_clone().unwrap();
                let copy = sent.clone();
                let writing = std::thread::spawn(move || {
                    writer.write_all(&copy).unwrap();
                    writer.shutdown(Shutdown::Write).unwrap();
                });
                let mut got = Vec::new();
                (&stream).read_to_end(&mut got).unwrap();
                writing.join().unwrap();
                assert!(got == sent, "{} of {} bytes", got.len(), sent.len());
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    wait_for("all to be closed", 20, || (world.health().open == 0).then_some(()));
    let health = world.health();
    assert_eq!((health.relayed_bytes_up, health.relayed_bytes_down), (24_000_000, 24_000_000));
    assert_eq!((health.accepted, health.upstreams[0].connections), (4, 0));
    assert_eq!(health.closed_idle + health.closed_age + health.closed_by_permit, 0);
}

#[test]
fn an_end_is_passed_on_while_the_other_way_goes_on() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seen_there = seen.clone();
    // Answers after it has seen the end.
    let upstream = server(move |mut stream| {
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        stream.write_all(&noise(3_000_000, 9)).unwrap();
        *seen_there.lock().unwrap() = got;
    });
    let world = World::start(&[upstream], |_| {});
    let mut client = world.connect();
    client.write_all(b"a question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer == noise(3_000_000, 9));
    wait_for("what the upstream saw", 20, || (*seen.lock().unwrap() == b"a question").then_some(()));

    // And the other way round: the upstream ends first.
    let upstream = server(|mut stream| {
        stream.write_all(b"hello").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"more");
    });
    let world = World::start(&[upstream], |_| {});
    let mut client = world.connect();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"hello");
    client.write_all(b"more").unwrap();
    drop(client);
    wait_for("the end", 20, || (world.health().open == 0).then_some(()));
    assert_eq!(world.health().relayed_bytes_up, 4);
}

#[test]
fn a_reset_is_passed_on_as_one() {
    let upstream = server(|stream| {
        (&stream).read_exact(&mut [0]).unwrap();
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    });
    let world = World::start(&[upstream], |_| {});
    let mut client = world.connect();
    client.write_all(b"?").unwrap();
    assert!(was_reset(&mut client));
}

#[test]
fn what_comes_while_it_is_stopped_is_reset_and_counted() {
    for reported in [
        Vec::new(),
        permits(permit(Permit::Stopped, None, LONG)),
        permits(permit(Permit::Full, None, Duration::ZERO)),
    ] {
        let world = World::start_with(reported, &[echo()], |_| {});
        for count in 1..=3 {
            assert!(was_reset(&mut world.connect()));
            assert_eq!(world.health().refused_stopped, count);
        }
        assert!(TcpListener::bind(world.at).is_err(), "nobody else may take the port");
        assert_eq!(world.health().in_force, Permit::Stopped);
        world.give(full());
        world.connect_through();
    }
}

#[test]
fn a_permit_that_is_stopped_closes_what_is_open_before_it_is_told() {
    let ends = Arc::new(AtomicUsize::new(0));
    let ends_there = ends.clone();
    let upstream = server(move |stream| {
        echo_to(stream);
        ends_there.fetch_add(1, SeqCst);
    });
    let world = World::start(&[upstream], |_| {});
    let mut clients: Vec<_> = (0..50).map(|_| world.connect_through()).collect();
    assert_eq!(world.health().open, 50);
    // A tighter one that still allows leaves them.
    world.give(permit(Permit::Limited, Some(5), LONG));
    assert!(clients.iter_mut().all(echoes));

    world.give(permit(Permit::Stopped, None, LONG));
    let health = world.health();
    assert_eq!((health.open, health.closed_by_permit, health.upstreams[0].connections), (0, 50, 0));
    for client in &mut clients {
        client.set_nonblocking(true).unwrap();
        assert_eq!(client.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset, "at once");
    }
    wait_for("the upstream to see it", 20, || (ends.load(SeqCst) == 50).then_some(()));
}

#[test]
fn a_permit_that_ends_by_itself_closes_what_is_open() {
    let world =
        World::start_with(permits(permit(Permit::Full, None, Duration::from_secs(1))), &[echo()], |_| {});
    world.wait_in_force(Permit::Full);
    let mut client = world.connect_through();
    assert!(was_reset(&mut client), "nobody told the gateway");
    world.wait_in_force(Permit::Stopped);
    assert!(was_reset(&mut world.connect()));
    assert_eq!((world.health().closed_by_permit, world.health().refused_stopped), (1, 1));
}

/// The engine wakes at the permit's own end as well: what is limited from then on is not cut off first.
#[test]
fn a_permit_that_is_followed_by_a_limited_one_cuts_nothing_off() {
    let world = World::start(&[echo()], |_| ());
    // More than once, for a machine that is so busy that nobody follows in time.
    let held = (0..5).any(|_| {
        let short = permit(Permit::Full, None, Duration::from_millis(700));
        let until = short.until;
        world.give(short);
        let mut client = world.connect_through();
        let after = until + SignedDuration::from_millis(50);
        wait_for("a moment after the permit's own end", 10, || (Clock::system().now() > after).then_some(()));
        world.give(permit(Permit::Limited, Some(60), LONG));
        echoes(&mut client)
    });
    assert!(held, "a connection was cut off by a permit that goes on as a limited one");
}

#[test]
fn a_wall_clock_that_is_behind_does_not_prolong_a_permit() {
    let mut ksn = full();
    ksn.until_boot_ms = u64::try_from(clock::boot_time().as_millis()).unwrap() + 300;
    let world = World::start_with(permits(ksn), &[echo()], |_| {});
    world.wait_in_force(Permit::Stopped);
    assert!(was_reset(&mut world.connect()));
    // That of another boot says nothing.
    let ksn = PermitFile { until_boot_ms: 0, boot_id: "another".into(), ..full() };
    world.give(ksn);
    world.connect_through();
}

#[test]
fn an_engine_that_is_gone_leaves_the_permit_to_its_own_end() {
    let world =
        World::start_with(permits(permit(Permit::Full, None, Duration::from_secs(2))), &[echo()], |_| {});
    let World { gateway, permits, at } = world;
    drop(permits);
    let mut client = connect(at);
    assert!(echoes(&mut client), "it goes on");
    assert!(was_reset(&mut client));
    wait_for("the end", 20, || (gateway.health().in_force == Permit::Stopped).then_some(()));
}

#[test]
fn a_limited_permit_lets_so_many_in_a_minute() {
    let world = World::start(&[echo()], |_| {});
    let mut before = world.connect_through();
    world.give(permit(Permit::Limited, Some(3), LONG));
    let began = Instant::now();
    let through = (0..10).filter(|_| echoes(&mut world.connect())).count();
    // Where the machine is slow, another may be allowed after 20 s.
    if began.elapsed() < Duration::from_secs(10) {
        assert_eq!((through, world.health().refused_rate), (3, 7));
    }
    assert!(echoes(&mut before), "what was open stays");
    // Renewing the permit does not renew what is spent.
    world.give(permit(Permit::Limited, Some(3), LONG));
    if began.elapsed() < Duration::from_secs(10) {
        assert!(was_reset(&mut world.connect()));
    }
    world.give(permit(Permit::Limited, None, LONG));
    assert!(was_reset(&mut world.connect()), "without a rate nothing is allowed");
    world.give(full());
    world.connect_through();
}

#[test]
fn no_more_connections_are_open_than_may_be() {
    let world = World::start(&[echo()], |settings| settings.max_connections = 5);
    let mut clients: Vec<_> = (0..5).map(|_| world.connect_through()).collect();
    for _ in 0..3 {
        assert!(was_reset(&mut world.connect()));
    }
    assert_eq!((world.health().refused_full, world.health().open), (3, 5));
    assert!(clients.iter_mut().all(echoes));
    clients.pop();
    wait_for("room for another", 20, || echoes(&mut world.connect()).then_some(()));
}

/// A thread that goes on as another user: a connection is that of the thread's user.
fn as_user<T: Send + 'static>(user: u32, work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        let user = rustix::process::Uid::from_raw(user);
        rustix::thread::set_thread_res_uid(user, user, user).unwrap();
        work()
    });
    thread.join().unwrap()
}

#[test]
fn one_user_does_not_take_all_places() {
    if !rustix::process::geteuid().is_root() {
        println!("not run: only root can be several users");
        return;
    }
    let world = World::start(&[echo()], |settings| settings.max_connections = 64);
    let at = world.at;
    let greedy =
        move || (0..200).map(|_| connect(at)).filter_map(|mut c| echoes(&mut c).then_some(c)).collect();
    let mut first: Vec<TcpStream> = as_user(65534, greedy);
    assert_eq!((first.len(), world.health().open), (48, 48));
    let second: Vec<TcpStream> = as_user(65533, greedy);
    assert_eq!((second.len(), world.health().refused_full), (12, 152 + 188));
    // Root still gets in, up to the last place; and what is open goes on.
    let root: Vec<TcpStream> = (0..4).map(|_| world.connect_through()).collect();
    assert!(was_reset(&mut world.connect()) && first.iter_mut().all(echoes));
    drop((second, root));
    wait_for("room for another user", 20, || as_user(65532, move || echoes(&mut connect(at))).then_some(()));
}

#[test]
fn a_connection_is_closed_when_nothing_moves_or_when_it_is_old() {
    let world = World::start(&[echo()], |settings| settings.idle_timeout = Duration::from_millis(700));
    let (mut idle, mut busy) = (world.connect_through(), world.connect_through());
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert!(echoes(&mut busy), "it is not idle");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(was_reset(&mut idle));
    assert_eq!((world.health().closed_idle, world.health().open), (1, 1));

    let world = World::start(&[echo()], |settings| settings.max_age = Duration::from_millis(700));
    let mut busy = world.connect_through();
    wait_for("it to be too old", 20, || (!echoes(&mut busy)).then_some(()));
    assert_eq!((world.health().closed_age, world.health().closed_idle), (1, 0));
}

#[test]
fn a_peer_that_takes_nothing_is_closed_though_it_sends() {
    // It sends without end.
    let upstream = server(|mut stream| while stream.write_all(&[0; 64 * 1024]).is_ok() {});
    let world = World::start(&[upstream], |settings| settings.idle_timeout = Duration::from_secs(1));
    let mut client = world.connect();
    wait_for("it to be closed", 30, || {
        std::thread::sleep(Duration::from_millis(10));
        client.write_all(b"?").is_err().then_some(())
    });
    wait_for("its end", 20, || (world.health().open == 0).then_some(()));
    assert_eq!(world.health().closed_idle, 1);
}

#[test]
fn a_receiver_that_is_slow_slows_the_sender_down_and_gets_all() {
    let taken = Arc::new(AtomicUsize::new(0));
    let taken_there = taken.clone();
    let upstream = server(move |mut stream| {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            taken_there.fetch_add(count, SeqCst);
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let world = World::start(&[upstream], |_| {});
    let mut client = world.connect();
    let mut ahead = 0;
    for part in 1..=256 {
        client.write_all(&[7; 128 * 1024]).unwrap();
        ahead = ahead.max(part * 128 * 1024 - taken.load(SeqCst));
    }
    drop(client);
    wait_for("all of it", 60, || (taken.load(SeqCst) == 32 * 1024 * 1024).then_some(()));
    assert!(ahead < 24 * 1024 * 1024, "{ahead} bytes lay between them");
}

#[test]
fn a_dead_upstream_is_passed_over_and_taken_back() {
    let dead = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let world = World::start(&[dead, echo()], |_| {});
    let mut clients: Vec<_> = (0..10).map(|_| world.connect_through()).collect();
    let health = world.health();
    assert_eq!((health.upstreams[0].healthy, health.upstreams[0].failures), (false, 1), "it is asked once");
    assert!(health.upstreams[0].failing_since.is_some_and(|since| since <= support::now()));
    assert_eq!((health.upstreams[1].healthy, health.upstreams[1].connections), (true, 10));
    assert_eq!(health.upstream_failed, 0);
    // It comes back, and is asked again in time.
    server_at(TcpListener::bind(dead).unwrap(), echo_to);
    wait_for("the first upstream to be used", 40, || {
        world.connect_through();
        world.health().upstreams[0].healthy.then_some(())
    });
    assert!(clients.iter_mut().all(echoes), "what was open stays where it is");
    assert_eq!((world.health().upstreams[0].failing_since, world.health().upstreams[0].failures), (None, 0));
}

#[test]
fn where_no_upstream_works_the_client_is_reset_and_all_are_tried_for_the_next() {
    let dead = || SocketAddr::from(([127, 0, 0, 1], free_port()));
    let (first, second) = (dead(), dead());
    let world = World::start(&[first, second], |_| {});
    for count in 1..=3 {
        assert!(was_reset(&mut world.connect()));
        wait_for("the count", 20, || (world.health().upstream_failed == count).then_some(()));
    }
    assert!(world.health().upstreams.iter().all(|u| !u.healthy && u.failures == 3));
    server_at(TcpListener::bind(second).unwrap(), echo_to);
    world.connect_through();
}

#[test]
fn an_upstream_that_does_not_answer_is_given_up_in_time() {
    // A listener whose queue is full: the kernel drops what comes.
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let silent = full.local_addr().unwrap();
    let _first = TcpStream::connect(silent).unwrap();
    let world =
        World::start(&[silent, echo()], |settings| settings.connect_timeout = Duration::from_millis(500));
    world.connect_through();
    assert!(!world.health().upstreams[0].healthy);
}

#[test]
fn a_name_is_looked_up() {
    let port = echo().port();
    let world = World::start(&[], |settings| {
        settings.upstreams = vec![
            Upstream { host: "no-such-host.invalid".into(), port: 1 },
            Upstream { host: "localhost".into(), port },
        ];
    });
    world.connect_through();
    world.connect_through();
    assert!(!world.health().upstreams[0].healthy && world.health().upstreams[1].healthy);
}

#[test]
fn a_port_that_is_taken_is_told_and_taken_when_it_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    let world = World::start(&[echo()], |settings| settings.listen = at);
    let problem = wait_for("the problem", 20, || world.health().problem);
    assert!(problem.contains(&at.to_string()) && problem.contains("already uses the address"), "{problem}");
    assert_eq!(world.health().listen, at.to_string());
    drop(taken);
    wait_for("the gateway", 40, || (world.health().problem.is_none()).then_some(()));
    world.connect_through();
}

#[test]
fn a_flood_is_counted_and_the_thread_answers_all_the_same() {
    const EACH: u64 = 1500;
    let world = World::start_with(Vec::new(), &[echo()], |_| {});
    let floods: Vec<_> = (0..2)
        .map(|_| {
            let at = world.at;
            std::thread::spawn(move || {
                for _ in 0..EACH {
                    drop(connect(at));
                }
            })
        })
        .collect();
    wait_for("the flood", 20, || (world.health().refused_stopped > 100).then_some(()));
    world.give(permit(Permit::Full, None, LONG));
    world.give(permit(Permit::Stopped, None, LONG));
    for flood in floods {
        flood.join().unwrap();
    }
    let counted = || {
        let health = world.health();
        (health.refused_stopped + health.accepted == 2 * EACH).then_some(())
    };
    wait_for("all to be counted", 30, counted);
    world.give(full());
    world.connect_through();
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn connections_that_are_idle_hold_little() {
    const COUNT: usize = 2000;
    let _alone = crate::ALONE.lock();
    // It reads and answers for all connections in one thread.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = listener.local_addr().unwrap();
    let held = std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming().take(COUNT) {
            let mut stream = stream.unwrap();
            stream.read_exact(&mut [0; 8 * 1024]).unwrap();
            stream.write_all(b"!").unwrap();
            held.push(stream);
        }
        held
    });
    let world = World::start(&[upstream], |_| {});
    let before = resident();
    let clients: Vec<_> = (0..COUNT)
        .map(|_| {
            let mut client = world.connect();
            client.write_all(&[1; 8 * 1024]).unwrap();
            client.read_exact(&mut [0]).unwrap();
            client
        })
        .collect();
    let held = held.join().unwrap();
    assert_eq!(world.health().open, u64::try_from(COUNT).unwrap());
    // Other tests run beside; a buffer for each would be 16 MB and more.
    let grown = resident().saturating_sub(before);
    assert!(grown < COUNT * 12 * 1024, "{grown} bytes for {COUNT} connections");
    drop((clients, held));
    wait_for("all to be closed", 20, || (world.health().open == 0).then_some(()));
}

#[test]
fn when_it_is_dropped_everything_is_closed() {
    let world = World::start(&[echo()], |_| {});
    let mut client = world.connect_through();
    let World { gateway, at, permits: _permits } = world;
    drop(gateway);
    assert!(was_reset(&mut client));
    TcpListener::bind(at).unwrap();
}

#[test]
fn health_can_be_written_and_read() {
    let world = World::start(&[echo()], |_| {});
    world.connect_through();
    let health = world.health();
    let text = serde_json::to_string(&health).unwrap();
    assert_eq!(serde_json::from_str::<GatewayHealth>(&text).unwrap(), health);
    assert!(text.contains("\"in_force\":\"full\""), "{text}");
}
