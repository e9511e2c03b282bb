//! Receivers that fail, as they do in the world: each disaster has a name, costs no event, is told once and when it
//! is over, and never holds up another destination. Every store here is a real `svm-collector`.

use crate::support;
use crate::support::certificates::{Authority, Issued};
use crate::support::server::{Request, hang, reset, whole};
use crate::support::{
    Agent, Collector, Program, Vendor, at, free_port, get, get_json, have, now, program, wait_for,
};
use jiff::{SignedDuration, Timestamp};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The destination that nothing happens to.
const WELL: &str = "well";

/// A vendor, and a store for each destination.
struct World {
    vendor: Vendor,
    stores: BTreeMap<String, (Collector, Program)>,
    folder: tempfile::TempDir,
}

impl World {
    /// With a store for each of these names, and one for [`WELL`].
    fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vendor = Vendor::new(folder.path(), at("2040-01-01T00:00:00Z"), 30);
        let store = |name: &str| {
            let folder = folder.path().join(format!("store-{name}"));
            std::fs::create_dir(&folder).unwrap();
            let collector = Collector::new(&folder);
            let program = collector.start_ready();
            (name.to_owned(), (collector, program))
        };
        let stores = names.into_iter().chain([WELL]).map(store).collect();
        Self { vendor, stores, folder }
    }

    fn port(&self, name: &str) -> u16 {
        self.stores[name].0.port
    }

    fn at(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// An agent with these destinations and the one that is well.
    fn agent(&self, destinations: &str) -> Agent {
        let well = destination(WELL, &format!("http://127.0.0.1:{}", self.port(WELL)), "");
        Agent::new(self.folder.path(), &self.vendor.trust(), &(self.vendor.source() + &well + destinations))
    }

    /// Starts it, and lets some things happen.
    fn live(&self, agent: &Agent) -> Program {
        let program = agent.start_ready();
        agent.ask(&["activate", &self.vendor.code]).unwrap();
        happen(agent);
        program
    }

    /// A store holds everything that was told, in order and once.
    fn holds_everything(&self, name: &str, agent: &Agent) {
        let store = &self.stores[name].0;
        let events = wait_for("the store", 10, || store.events());
        let numbers: Vec<u64> =
            events.iter().map(|e| e["sequence"].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "{name}: lost, or out of order");
        let svm = get_json(store.port, "/v1/svms").unwrap()["svms"][0].clone();
        assert_eq!((&svm["missing"]["count"], &svm["conflicts"]["count"]), (&0.into(), &0.into()), "{name}");
        // Reports give way to later ones; all else is there as it was kept.
        let all =
            |kinds: Vec<String>| kinds.into_iter().filter(|kind| kind != "agent.report").collect::<Vec<_>>();
        let kinds = events.iter().map(|e| e["type"].as_str().unwrap().trim_start_matches("svm.").to_owned());
        assert_eq!(all(kinds.collect()), all(agent.reported()), "{name}");
    }

    /// How many events came to a store that it had already.
    fn repeated(&self, name: &str) -> u64 {
        let (_, metrics) = get(self.port(name), "/metrics").unwrap();
        let line = metrics.lines().find(|l| l.starts_with("svm_collector_events_duplicate_total ")).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Whatever happens to the others: this one has everything, and nothing was ever wrong with it.
    fn well_has_everything(&self, agent: &Agent) {
        happen(agent);
        settled(agent, WELL);
        self.holds_everything(WELL, agent);
        assert!(agent.status()["destinations"][WELL]["outage"].is_null());
        assert_eq!(reported(agent, WELL), (0, 0));
    }
}

fn destination(name: &str, base: &str, more: &str) -> String {
    format!("[destinations.{name}]\nurl = \"{base}/v1/events\"\ntimeout = \"1s\"\n{more}")
}

/// Four events.
fn happen(agent: &Agent) {
    for count in ["95", "10", "95", "10"] {
        agent.ask(&["devices", "set", count]).unwrap();
    }
}

fn settled(agent: &Agent, name: &str) {
    wait_for(&format!("delivery to {name}"), 60, || {
        (agent.status()["destinations"][name]["waiting"] == 0).then_some(())
    });
}

/// Waits until a destination failed so often, under one of these codes; the message.
fn fails(agent: &Agent, name: &str, codes: &[&str], times: u64) -> String {
    let what = format!("{name} to fail with {codes:?}: {}", agent.status()["destinations"][name]);
    let health = wait_for(&what, 30, || {
        let health = agent.status()["destinations"][name].clone();
        let outage = &health["outage"];
        (codes.contains(&outage["code"].as_str()?) && outage["times"].as_u64()? >= times).then_some(health)
    });
    assert!(health["waiting"].as_u64() > Some(0), "{name}: {health}");
    health["outage"]["message"].as_str().unwrap().to_owned()
}

/// How often the log says that delivery fails, and that it works again.
fn reported(agent: &Agent, name: &str) -> (usize, usize) {
    let log = agent.log();
    let lines = |text: &str| {
        let text = format!("delivery to {name} {text}");
        log.lines().filter(|line| line.contains(&text)).count()
    };
    (lines("fails"), lines("works again"))
}

/// What a receiver does to a connection; the port is that of the store behind it.
type Fault = Arc<dyn Fn(&mut TcpStream, u16) -> std::io::Result<()> + Send + Sync>;

/// A receiver that hands what it gets to its store, or does what it is told to do.
struct Front {
    port: u16,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl Front {
    fn before(store: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let fault = Arc::<Mutex<Option<Fault>>>::default();
        let now = fault.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let fault = now.lock().unwrap().clone();
                // Whoever sent may have had enough.
                std::thread::spawn(move || match fault {
                    Some(fault) => fault(&mut stream, store),
                    None => stored(&stream, store).and_then(|answer| stream.write_all(&answer)),
                });
            }
        });
        Self { port, fault }
    }

    fn does(&self, fault: impl Fn(&mut TcpStream, u16) -> std::io::Result<()> + Send + Sync + 'static) {
        *self.fault.lock().unwrap() = Some(Arc::new(fault));
    }

    fn works(&self) {
        *self.fault.lock().unwrap() = None;
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Hands one request to the store, which keeps it; its answer.
fn stored(client: &TcpStream, store: u16) -> std::io::Result<Vec<u8>> {
    let Some(Request { head, body, .. }) = Request::read(client) else {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    };
    let mut server = TcpStream::connect(("127.0.0.1", store))?;
    server.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    Ok(answer)
}

// What is tried again.

#[test]
fn receivers_that_break_off_or_never_end_lose_nothing_and_hold_up_nobody() {
    type Case = (&'static str, &'static str, bool, fn(&mut TcpStream, u16) -> std::io::Result<()>);
    // The third says whether the store kept what the agent was not told of.
    let cases: [Case; 7] = [
        ("hangs", "timeout", false, |stream, _| {
            // It does not even read.
            std::thread::sleep(Duration::from_secs(5));
            reset(stream)
        }),
        ("hangs_at_the_answer", "timeout", true, |stream, store| {
            stored(stream, store)?;
            hang(stream)
        }),
        ("resets_the_request", "answer_cut", false, |stream, _| {
            stream.read_exact(&mut [0; 200])?;
            reset(stream)
        }),
        ("resets_the_answer", "answer_cut", true, |stream, store| {
            let answer = stored(stream, store)?;
            stream.write_all(&answer[..answer.len() - 5])?;
            reset(stream)
        }),
        ("ends_half_way", "answer_cut", true, |stream, store| {
            let answer = stored(stream, store)?;
            stream.write_all(&answer[..answer.len() - 5])
        }),
        ("a_byte_a_second", "timeout", true, |stream, store| {
            for byte in stored(stream, store)? {
                stream.write_all(&[byte])?;
                std::thread::sleep(Duration::from_secs(1));
            }
            Ok(())
        }),
        ("never_ends", "answer_too_large", true, |stream, store| {
            stored(stream, store)?;
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[b' '; 16 * 1024])?;
            }
        }),
    ];
    let world = World::new(cases.map(|(name, ..)| name));
    let fronts = cases.map(|(name, ..)| Front::before(world.port(name)));
    let mut destinations = String::new();
    for ((name, _, _, fault), front) in cases.iter().zip(&fronts) {
        front.does(*fault);
        destinations += &destination(name, &front.url(), "");
    }
    let agent = world.agent(&destinations);
    let _program = world.live(&agent);
    for (name, code, ..) in cases {
        fails(&agent, name, &[code], 2);
    }
    world.well_has_everything(&agent);
    for (name, code, ..) in cases {
        fails(&agent, name, &[code], 3);
    }
    fronts.iter().for_each(Front::works);
    for (name, _, was_stored, _) in cases {
        settled(&agent, name);
        world.holds_everything(name, &agent);
        assert_eq!(reported(&agent, name), (1, 1), "{name}: {}", agent.log());
        assert_eq!(world.repeated(name) > 0, was_stored, "{name}");
    }
}

/// Were the others to wait for it, they would wait longer than this test does.
#[test]
fn a_receiver_that_takes_five_minutes_to_time_out_holds_up_nobody() {
    let world = World::new(["slow"]);
    let front = Front::before(world.port("slow"));
    let open = Arc::<Mutex<Vec<TcpStream>>>::default();
    let held = open.clone();
    front.does(move |stream, _| {
        held.lock().unwrap().push(stream.try_clone()?);
        Ok(())
    });
    let slow = destination("slow", &front.url(), "").replace("\"1s\"", "\"5m\"");
    let agent = world.agent(&slow);
    let _program = world.live(&agent);
    wait_for("the request", 10, || (!open.lock().unwrap().is_empty()).then_some(()));
    world.well_has_everything(&agent);
    assert_eq!((open.lock().unwrap().len(), reported(&agent, "slow")), (1, (0, 0)));
    front.works();
    open.lock().unwrap().drain(..).for_each(|mut stream| reset(&mut stream).unwrap());
    settled(&agent, "slow");
    world.holds_everything("slow", &agent);
    assert_eq!(reported(&agent, "slow"), (1, 1), "{}", agent.log());
}

#[test]
fn a_receiver_is_not_asked_again_before_the_time_it_names() {
    let world = World::new(["seconds", "date"]);
    let mut destinations = String::new();
    // For each: when it was asked, and the instant before which it wants to be left alone.
    type Asked = Arc<Mutex<Vec<(Timestamp, Timestamp)>>>;
    let cases = ["seconds", "date"].map(|name| {
        let (front, asked) = (Front::before(world.port(name)), Asked::default());
        destinations += &destination(name, &front.url(), "");
        let seen = asked.clone();
        front.does(move |stream, store| {
            let mut seen = seen.lock().unwrap();
            let came = now();
            let until = came + SignedDuration::from_secs(3);
            // A date has whole seconds.
            let whole_second = Timestamp::from_second(until.as_second()).unwrap();
            let (until, answer) = match (seen.len(), name) {
                (0 | 1, "seconds") => (until, whole(&["429 Slow down", "Retry-After: 3"], "")),
                (0 | 1, _) => {
                    let date = whole_second.strftime("Retry-After: %a, %d %b %Y %H:%M:%S GMT").to_string();
                    (whole_second, whole(&["503 Not now", &date], ""))
                }
                _ => (came, stored(stream, store)?),
            };
            if seen.len() < 2 {
                Request::read(stream);
            }
            seen.push((came, until));
            drop(seen);
            stream.write_all(&answer)
        });
        (name, front, asked)
    });
    let agent = world.agent(&destinations);
    let _program = world.live(&agent);
    for (name, code) in [("seconds", "http_429"), ("date", "http_503")] {
        fails(&agent, name, &[code], 1);
    }
    world.well_has_everything(&agent);
    for (name, _, asked) in &cases {
        settled(&agent, name);
        world.holds_everything(name, &agent);
        assert_eq!(reported(&agent, name), (1, 1), "{name}: {}", agent.log());
        let asked = asked.lock().unwrap();
        assert!(asked.len() > 2, "{name}");
        for ((_, until), (next, _)) in asked.iter().zip(&asked[1..]) {
            assert!(next >= until, "{name}: asked at {next}, and not before {until} was said");
        }
    }
}

// What is held.

/// Starts the agent again where what held it up, or its settings, are mended; the log of both lives is one.
fn mended(program: &mut Program, agent: &Agent) {
    assert!(program.terminate().success());
    *program = agent.start_ready();
}

#[test]
fn a_web_page_and_a_name_that_nobody_knows_hold_up_nobody() {
    let names = ["page", "name"];
    let world = World::new(names);
    let front = Front::before(world.port("page"));
    front.does(|stream, _| {
        Request::read(stream);
        stream.write_all(&whole(&["200 OK", "Content-Type: text/html"], "<html>Please log in</html>"))
    });
    let page = destination("page", &front.url(), "");
    let agent = world.agent(&(page.clone() + &destination("name", "http://name.invalid", "")));
    let mut program = world.live(&agent);
    fails(&agent, "page", &["not_a_receiver"], 1);
    // Where not even a name server answers, it is the time that is over.
    fails(&agent, "name", &["unreachable", "timeout"], 2);
    world.well_has_everything(&agent);
    assert_eq!(reported(&agent, "page"), (1, 0));
    front.works();
    let name = destination("name", &format!("http://127.0.0.1:{}", world.port("name")), "");
    let agent = world.agent(&(page + &name));
    mended(&mut program, &agent);
    for name in names {
        settled(&agent, name);
        world.holds_everything(name, &agent);
    }
    world.well_has_everything(&agent);
}

/// What web frameworks and gateways answer to a POST when all is well: hardly one of them says what it is.
#[test]
fn a_generic_receiver_is_judged_by_what_it_answers_and_not_by_what_it_calls_it() {
    let html = "Content-Type: text/html; charset=utf-8";
    let page = "\r\n<!doctype html>\n<html><title>Log in</title></html>";
    let cases: [(&str, bool, Vec<u8>); 9] = [
        ("flask", true, whole(&["200 OK", html], "OK")),
        ("flask_empty", true, whole(&["204 No Content", html], "")),
        ("express", true, whole(&["202 Accepted", html], "<p>Accepted</p>")),
        ("slack", true, whole(&["200 OK", "Content-Type: text/html"], "ok")),
        ("php", true, whole(&["200 OK", html], "")),
        ("bare", true, b"HTTP/1.1 201 Created\r\nConnection: close\r\n\r\n".to_vec()),
        ("xml", true, whole(&["200 OK", "Content-Type: application/xml"], "<?xml version=\"1.0\"?><ok/>")),
        ("portal", false, whole(&["200 OK", html], page)),
        ("quiet_portal", false, whole(&["200 OK", "Content-Type: application/json"], page)),
    ];
    let servers = cases.clone().map(|(_, _, answer)| {
        let server = support::server::Server::start();
        server.say(answer);
        server
    });
    let world = World::new([]);
    let mut destinations = String::new();
    for ((name, ..), server) in cases.iter().zip(&servers) {
        let url = format!("http://127.0.0.1:{}", server.port);
        destinations += &destination(name, &url, "receiver = \"generic\"\n");
    }
    let agent = world.agent(&destinations);
    let _program = world.live(&agent);
    for ((name, is_receipt, _), server) in cases.iter().zip(&servers) {
        if *is_receipt {
            settled(&agent, name);
            assert_eq!(reported(&agent, name), (0, 0), "{name}: {}", agent.log());
            assert!(server.requests().len() > 4, "{name}");
        } else {
            fails(&agent, name, &["not_a_receiver"], 1);
        }
    }
    world.well_has_everything(&agent);
}

/// tinyproxy, with a user and password where `login` is set.
fn tinyproxy(folder: &Path, port: u16, login: bool) -> Program {
    let (config, log) = (folder.join(format!("{port}.conf")), folder.join(format!("{port}.log")));
    let mut text = format!("Port {port}\nListen 127.0.0.1\nTimeout 20\nLogFile {:?}\nLogLevel Info\n", log);
    if login {
        text += "BasicAuth somebody secret\n";
    }
    std::fs::write(&config, text).unwrap();
    let program = Program::start(
        Command::new("tinyproxy").arg("-d").arg("-c").arg(&config),
        &folder.join("tinyproxy.out"),
    );
    wait_for("tinyproxy", 10, || TcpStream::connect(("127.0.0.1", port)).ok());
    program
}

#[test]
fn a_proxy_that_asks_who_one_is_holds_up_nobody_and_one_that_works_is_used() {
    if !have("tinyproxy", "tinyproxy") {
        return;
    }
    let world = World::new(["refused", "passed"]);
    let (strict, open) = (free_port(), free_port());
    let mut refusing = tinyproxy(world.folder.path(), strict, true);
    let _passing = tinyproxy(world.folder.path(), open, false);
    let through = |name: &str, proxy: u16| {
        let url = format!("http://127.0.0.1:{}", world.port(name));
        destination(name, &url, &format!("proxy = \"http://127.0.0.1:{proxy}\"\n"))
    };
    let tunnel =
        destination("tunnel", "https://127.0.0.1:1", &format!("proxy = \"http://127.0.0.1:{strict}\"\n"));
    let agent = world.agent(&(through("refused", strict) + &through("passed", open) + &tunnel));
    let mut program = world.live(&agent);
    // Asked for a tunnel, the proxy gives no connection at all.
    let message = fails(&agent, "tunnel", &["http_407"], 1);
    assert!(message.contains("the proxy requires a password"), "{message}");
    fails(&agent, "refused", &["http_407"], 1);
    world.well_has_everything(&agent);
    settled(&agent, "passed");
    world.holds_everything("passed", &agent);
    assert_eq!((reported(&agent, "refused"), reported(&agent, "passed")), ((1, 0), (0, 0)));
    let used = std::fs::read_to_string(world.at(&format!("{open}.log"))).unwrap();
    let asked = format!("POST http://127.0.0.1:{}/v1/events", world.port("passed"));
    assert!(used.contains(&asked), "{used}");
    refusing.kill();
    let _refusing = tinyproxy(world.folder.path(), strict, false);
    mended(&mut program, &agent);
    settled(&agent, "refused");
    world.holds_everything("refused", &agent);
    world.well_has_everything(&agent);
}

// TLS.

/// nginx as a TLS server before each store. A site is a name, its port, its certificate, and a protocol.
fn nginx_tls(world: &World, sites: &[(&str, u16, Issued, &str)]) -> Program {
    let folder = world.folder.path();
    let mut text = format!(
        "master_process off; daemon off; pid {0}/nginx.pid; error_log {0}/nginx-error.log info;\n\
         events {{ worker_connections 64; }}\nhttp {{ access_log off; client_body_temp_path {0}/tmp; \
         proxy_temp_path {0}/tmp; fastcgi_temp_path {0}/tmp; uwsgi_temp_path {0}/tmp; scgi_temp_path {0}/tmp;\n",
        folder.display()
    );
    for (name, port, certificate, protocol) in sites {
        writeln!(
            text,
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {0}; ssl_certificate_key {1};\n\
             ssl_protocols {protocol}; ssl_ciphers ALL:@SECLEVEL=0; client_max_body_size 8m;\n\
             location / {{ proxy_pass http://127.0.0.1:{2}; }} }}",
            certificate.certificate.display(),
            certificate.key.display(),
            world.port(name)
        )
        .unwrap();
    }
    let config = folder.join("nginx.conf");
    std::fs::write(&config, text + "}\n").unwrap();
    let mut command = Command::new("nginx");
    command
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .arg("-c")
        .arg(&config)
        .arg("-e")
        .arg(folder.join("nginx-error.log"));
    let mut program = Program::start(&mut command, &folder.join("nginx.log"));
    for (_, port, ..) in sites {
        wait_for("nginx", 20, || {
            assert!(program.child.try_wait().unwrap().is_none(), "nginx ended: {}", program.logged());
            TcpStream::connect(("127.0.0.1", *port)).ok()
        });
    }
    program
}

#[test]
fn each_certificate_that_is_not_good_is_refused_by_its_name_and_holds_up_nobody() {
    if !have("nginx", "nginx-light") || !have("openssl", "openssl") {
        return;
    }
    let names = ["good", "expired", "wrong_name", "unknown", "self_signed", "tls_1_1"];
    let world = World::new(names);
    let folder = world.at("certificates");
    std::fs::create_dir(&folder).unwrap();
    // Two authorities of one name would be taken for one, and then the signature would be what is wrong.
    let (ours, theirs) = (Authority::new(&folder, "ours"), Authority::new(&folder, "theirs"));
    let ip = "IP:127.0.0.1";
    let good = ours.issue("good", ip, 30);
    let sites = names.map(|name| {
        let modern = "TLSv1.2 TLSv1.3";
        let (certificate, protocol) = match name {
            "expired" => (ours.issue_expired(name, ip), modern),
            "wrong_name" => (ours.issue(name, "DNS:elsewhere.example", 30), modern),
            "unknown" => (theirs.issue(name, ip, 30), modern),
            "self_signed" => (ours.self_signed(name, ip), modern),
            "tls_1_1" => (good.clone(), "TLSv1.1"),
            _ => (good.clone(), modern),
        };
        (name, free_port(), certificate, protocol)
    });
    let mut destinations = String::new();
    for (name, port, ..) in &sites {
        // Each its own file, so that one can be replaced.
        let ca_file = world.at(&format!("{name}.ca"));
        std::fs::copy(ours.certificate(), &ca_file).unwrap();
        destinations +=
            &destination(name, &format!("https://127.0.0.1:{port}"), &format!("ca_file = {ca_file:?}\n"));
    }
    let mut web = nginx_tls(&world, &sites);
    let agent = world.agent(&destinations);
    let mut program = world.live(&agent);
    for (name, why) in [
        ("expired", "expired on 2021-01-01 00:00 UTC, and this machine's time is 2"),
        ("wrong_name", "it is for elsewhere.example, and the address has 127.0.0.1"),
        ("unknown", "was issued by \"theirs\", which "),
        ("self_signed", "self-signed certificate (\"self_signed\"), which "),
        ("tls_1_1", "neither TLS 1.2 nor TLS 1.3"),
    ] {
        let message = fails(&agent, name, &["tls_refused"], 1);
        assert!(message.contains(why), "{name}: {message}");
        assert_eq!(reported(&agent, name), (1, 0), "{name}");
        let nothing = world.stores[name].0.events().unwrap();
        assert!(nothing.is_empty(), "{name}: {nothing:?}");
    }
    world.well_has_everything(&agent);
    settled(&agent, "good");
    world.holds_everything("good", &agent);
    assert_eq!(reported(&agent, "good"), (0, 0));

    // The unknown authority is trusted now; all others get what was issued to the good one.
    std::fs::copy(theirs.certificate(), world.at("unknown.ca")).unwrap();
    web.kill();
    let mended_sites: Vec<_> = sites
        .into_iter()
        .map(|(name, port, certificate, _)| {
            let certificate = if name == "unknown" { certificate } else { good.clone() };
            (name, port, certificate, "TLSv1.2 TLSv1.3")
        })
        .collect();
    let _web = nginx_tls(&world, &mended_sites);
    mended(&mut program, &agent);
    for name in names {
        settled(&agent, name);
        world.holds_everything(name, &agent);
    }
    world.well_has_everything(&agent);
}

// Tokens.

#[test]
fn a_token_that_is_replaced_is_used_without_a_restart() {
    let world = World::new([]);
    let made = Command::new(program("svm-collector")).arg("token").output().unwrap();
    let made = String::from_utf8(made.stdout).unwrap();
    let values = made.lines().filter(|line| line.starts_with("  "));
    let words: Vec<&str> = values.map(str::trim).collect();
    let [token, line] = words[..] else { panic!("{made}") };
    let (port, folder) = (free_port(), world.at("strict"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("tokens"), line).unwrap();
    let config = folder.join("collector.toml");
    let text = format!(
        "listen = \"127.0.0.1:{port}\"\n[store]\npath = {:?}\n[tokens]\nfile = {:?}\n",
        folder.join("collector.db"),
        folder.join("tokens")
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(program("svm-collector"));
    let running = Program::start(command.args(["run", "--config"]).arg(&config), &folder.join("log"));
    wait_for("the collector", 20, || get_json(port, "/healthz"));
    let mut world = world;
    world.stores.insert("strict".to_owned(), (Collector { folder, port }, running));

    let token_file = world.at("token");
    std::fs::write(&token_file, "a-token-of-another\n").unwrap();
    let more = format!("token_file = {token_file:?}\n");
    let agent = world.agent(&destination("strict", &format!("http://127.0.0.1:{port}"), &more));
    let program = world.live(&agent);
    fails(&agent, "strict", &["http_401"], 1);
    world.well_has_everything(&agent);
    assert_eq!(world.stores["strict"].0.events(), Some(Vec::<Value>::new()));
    let id = program.child.id();
    std::fs::write(&token_file, token).unwrap();
    // What is held is tried every five minutes, and now.
    program.signal(Signal::HUP);
    settled(&agent, "strict");
    world.holds_everything("strict", &agent);
    assert_eq!(reported(&agent, "strict"), (1, 1), "{}", agent.log());
    assert!(Path::new(&format!("/proc/{id}/exe")).exists(), "it was not restarted");
    assert!(!agent.log().contains(token), "the token stands in the log");
    world.well_has_everything(&agent);
}
