//! What black-box tests share: the real programs, a real web server, a recording proxy, bounded waits.
#![allow(dead_code, unreachable_pub, clippy::print_stdout, reason = "each test program uses its part")]
#![allow(clippy::disallowed_methods, reason = "a test waits in the world's time")]

pub mod certificates;
pub mod disk;
pub mod machine;
pub mod programs;
pub mod running;
pub mod server;
pub mod syslog;

use jiff::Timestamp;
pub use programs::program;
use serde_json::Value;
use server::Request;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use svm_core::clock::Clock;
use svm_core::documents::{ActivationCode, SigningKey, published_path};
use svm_core::subscription::{AfterGrace, KeyId, Subscription, Term, Terms, VendorState};
use svm_vendor::{Contact, IssueOrder, KeyRef, Profile, Provider};

/// Waits until `look` finds something; panics with `what` after `seconds`.
pub fn wait_for<T>(what: &str, seconds: u64, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited {seconds} s in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a program from Debian's packages is there. Where not, it says so, or fails if all must run.
pub fn have(program: &str, package: &str) -> bool {
    let there = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).chain(["/usr/sbin".into()]).any(|p| p.join(program).exists())
    });
    if !there {
        let message = format!("not run: {program} is not installed (Debian's package {package})");
        assert!(std::env::var_os("SVM_TEST_REQUIRE_ALL").is_none(), "{message}");
        println!("{message}");
    }
    there
}

/// A program that `tests/monitoring/tools.sh` unpacked, where it did; else as [`have`] says.
pub fn unpacked(program: &str) -> Option<PathBuf> {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/monitoring");
    let folder = std::env::var_os("SVM_TEST_MONITORING").map_or_else(usual, PathBuf::from);
    let path = folder.join(program);
    if path.exists() {
        return Some(path);
    }
    let message = format!("not run: {program} is not there (tests/monitoring/tools.sh {})", folder.display());
    assert!(std::env::var_os("SVM_TEST_REQUIRE_ALL").is_none(), "{message}");
    println!("{message}");
    None
}

/// A port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program that runs, its output in a file; killed when dropped.
pub struct Program {
    pub child: Child,
    pub log: PathBuf,
}

impl Program {
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        Self { child, log: log.to_owned() }
    }

    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn terminate(&mut self) -> std::process::ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        wait_for("the program's end", 20, || self.child.try_wait().unwrap())
    }

    pub fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One HTTP GET; the status and the body.
pub fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

pub fn get_json(port: u16, path: &str) -> Option<Value> {
    let (status, body) = get(port, path)?;
    (status == 200).then(|| serde_json::from_str(&body).unwrap_or_else(|e| panic!("{path}: {e}: {body}")))
}

/// nginx over a folder of published documents.
pub fn nginx(folder: &Path, root: &Path, port: u16) -> Program {
    nginx_with(folder, root, port, "", "")
}

/// The same, with more after the port and in the server's block.
pub fn nginx_with(folder: &Path, root: &Path, port: u16, listen: &str, more: &str) -> Program {
    std::fs::create_dir_all(folder.join("tmp")).unwrap();
    let tmp = folder.join("tmp");
    let tmp = tmp.display();
    let text = format!(
        "master_process off; daemon off; pid {0}/nginx.pid; error_log {0}/error.log;\n\
         events {{ worker_connections 64; }}\n\
         http {{ log_format plain '$status $request_method $uri'; access_log {0}/access.log plain;\n\
         client_body_temp_path {1}; proxy_temp_path {1}; fastcgi_temp_path {1}; uwsgi_temp_path {1}; scgi_temp_path {1};\n\
         default_type application/jose;\n\
         server {{ listen 127.0.0.1:{port}{listen}; {more} root {2}; }} }}\n",
        folder.display(),
        tmp,
        root.display()
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    // nginx's worker gives up root, and must reach the files.
    let mut at = Some(root);
    while let Some(path) = at.filter(|p| p.starts_with(std::env::temp_dir()) && *p != std::env::temp_dir()) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        at = path.parent();
    }
    let mut command = Command::new("nginx");
    command
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .arg("-c")
        .arg(&file)
        .arg("-e")
        .arg(folder.join("error.log"));
    let program = Program::start(&mut command, &folder.join("nginx.log"));
    wait_for("nginx", 20, || TcpStream::connect(("127.0.0.1", port)).ok());
    program
}

/// What went over the wire, and what to do when an answer comes back.
#[derive(Default)]
pub struct Wire {
    /// Every event that was sent, as it came.
    pub sent: Mutex<Vec<Value>>,
    /// Called when the receiver answered, before the sender hears of it.
    pub answered: Mutex<Option<Box<dyn FnMut() + Send>>>,
}

/// A proxy that writes down every event that is sent, and passes requests on, one a connection.
pub fn recording_proxy(to: u16) -> (u16, Arc<Wire>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let wire = Arc::<Wire>::default();
    let seen = wire.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(stream), seen) = (stream, seen.clone()) else { continue };
            std::thread::spawn(move || pass_on(stream, to, &seen));
        }
    });
    (port, wire)
}

fn pass_on(client: TcpStream, to: u16, seen: &Wire) -> Option<()> {
    let request = Request::read(&client)?;
    match serde_json::from_slice::<Value>(&request.content()).ok()? {
        Value::Array(events) => seen.sent.lock().unwrap().extend(events),
        event => seen.sent.lock().unwrap().push(event),
    }
    let Request { head, body, .. } = request;
    let head: String =
        head.split_inclusive('\n').filter(|l| !l.to_ascii_lowercase().starts_with("connection:")).collect();
    let mut server = TcpStream::connect(("127.0.0.1", to)).ok()?;
    server.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    server.write_all(head.as_bytes()).ok()?;
    server.write_all(b"Connection: close\r\n\r\n").ok()?;
    server.write_all(&body).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    if let Some(answered) = seen.answered.lock().unwrap().as_mut() {
        answered();
    }
    let mut client = client;
    client.write_all(&answer).ok()
}

/// An agent with its settings in a folder.
pub struct Agent {
    pub folder: PathBuf,
    pub config: PathBuf,
}

impl Agent {
    /// Writes the settings; `more` comes after the paths.
    pub fn new(folder: &Path, trust: &Path, more: &str) -> Self {
        let config = folder.join("agent.toml");
        let text = format!(
            "[paths]\nstate_dir = \"{0}/state\"\nruntime_dir = \"{0}/run\"\ntrust_dir = \"{1}\"\n{more}",
            folder.display(),
            trust.display()
        );
        std::fs::write(&config, text).unwrap();
        // There is no scanner here: nothing is missed where nothing enforces.
        std::fs::write(
            folder.join("machine.toml"),
            format!("[enforcement]\ngoverns = []\ngates_dir = {folder:?}\n"),
        )
        .unwrap();
        Self { folder: folder.to_owned(), config }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("svm-agent"));
        command.arg("--config").arg(self.folder.join("machine.toml"));
        command.arg("--config").arg(&self.config).args(arguments);
        command
    }

    pub fn start(&self) -> Program {
        Program::start(&mut self.command(&["run"]), &self.folder.join("agent.log"))
    }

    /// Starts, and waits until it answers.
    pub fn start_ready(&self) -> Program {
        let mut program = self.start();
        wait_for("the agent", 20, || {
            assert!(program.child.try_wait().unwrap().is_none(), "the agent ended: {}", self.log());
            self.ask(&["status"]).ok()
        });
        program
    }

    /// Runs a command with `--json`: its answer, or its exit code and error.
    pub fn ask(&self, arguments: &[&str]) -> Result<Value, (i32, Value)> {
        let output = self.command(arguments).arg("--json").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let value = match lines.len() {
            1 => lines.into_iter().next().unwrap(),
            _ => Value::Array(lines),
        };
        match output.status.code() {
            Some(0) => Ok(value),
            code => Err((code.unwrap_or(-1), value)),
        }
    }

    pub fn status(&self) -> Value {
        self.ask(&["status"]).unwrap()
    }

    /// A command that must fail: its exit code, and the code of its error.
    pub fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let (exit, error) = self.ask(arguments).unwrap_err();
        (exit, error["error"]["code"].as_str().unwrap_or_else(|| panic!("{error}")).to_owned())
    }

    /// The exit code of `permit`.
    pub fn permit(&self, resource: &str) -> i32 {
        self.command(&["permit", resource]).output().unwrap().status.code().unwrap()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("agent.log")).unwrap_or_default()
    }

    /// Holds the log to have these lines, by their names; `tests/agent/logs/` counts on it.
    pub fn wrote(&self, lines: &[&str]) {
        for line in lines {
            let wanted = format!("event=\"{line}\"");
            wait_for(&format!("the line {line}"), 30, || self.log().contains(&wanted).then_some(()));
        }
    }

    /// Types of all events that are kept, oldest first.
    pub fn reported(&self) -> Vec<String> {
        let events = self.ask(&["events", "list", "--limit", "1000"]).unwrap();
        let events = if events.is_array() { events } else { Value::Array(vec![events]) };
        events.as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until nothing waits for the destination `console`.
    pub fn settled(&self) {
        self.settled_at("console");
    }

    /// Waits until nothing waits for a destination.
    pub fn settled_at(&self, destination: &str) {
        wait_for("everything to be delivered", 60, || {
            let status = self.ask(&["status"]).ok()?;
            (status["destinations"][destination]["waiting"] == 0).then_some(())
        });
    }
}

/// A collector with its settings in a folder.
pub struct Collector {
    pub folder: PathBuf,
    pub port: u16,
}

impl Collector {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), port: free_port() }
    }

    pub fn start(&self) -> Program {
        let config = self.folder.join("collector.toml");
        let text = format!(
            "listen = \"127.0.0.1:{}\"\n[store]\npath = \"{}/collector.db\"\n[tokens]\nrequired = false\n",
            self.port,
            self.folder.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(program("svm-collector"));
        command.arg("run").arg("--config").arg(&config);
        Program::start(&mut command, &self.folder.join("collector.log"))
    }

    pub fn start_ready(&self) -> Program {
        let program = self.start();
        wait_for("the collector", 20, || get_json(self.port, "/healthz"));
        program
    }

    /// Every event that is kept, oldest first.
    pub fn events(&self) -> Option<Vec<Value>> {
        let (mut events, mut after) = (Vec::new(), 0);
        loop {
            let page = get_json(self.port, &format!("/v1/events?after={after}&limit=1000"))?;
            let rows = page["events"].as_array().unwrap().clone();
            let Some(last) = rows.last() else { return Some(events) };
            after = last["position"].as_i64().unwrap();
            events.extend(rows.into_iter().map(|mut row| row["event"].take()));
        }
    }

    /// The events of the life cycle, as type and the fields that do not depend on the time of the run.
    pub fn story(&self) -> Option<Vec<String>> {
        Some(story(&self.events()?))
    }
}

/// Events of the life cycle without what depends on the time of the run. What is enforced is told when it is done, so
/// its place among the others depends on that as well: it comes last.
pub fn story(events: &[Value]) -> Vec<String> {
    let (mut reported, mut enforced) = (Vec::new(), Vec::new());
    for event in events {
        let kind = event["type"].as_str().unwrap();
        if kind.starts_with("svm.agent.") || kind == "svm.store.rebuilt" {
            continue;
        }
        let data: BTreeMap<_, _> = event["data"].as_object().unwrap().iter().collect();
        let stored = [
            "key",
            "role",
            "from",
            "to",
            "cause",
            "fields",
            "resource",
            "severity",
            "code",
            "replaced",
            "why",
            "device_status",
            "count",
        ];
        let fields: Vec<String> = data
            .into_iter()
            .filter(|(name, _)| stored.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let fields =
            |but: &str| fields.iter().filter(|f| !f.starts_with(but)).cloned().collect::<Vec<_>>().join(" ");
        match kind {
            "svm.enforcement.changed" => enforced.push(format!("{kind} {}", fields("device_status="))),
            _ => reported.push(format!("{kind} {}", fields("\0"))),
        }
    }
    // Each resource in its own order.
    enforced.sort_by_key(|line| line.contains("resource=\"ksn\""));
    reported.extend(enforced);
    reported
}

/// A vendor with one subscription, `SUB-1` for 100 devices, served from a folder by a scripted server.
pub struct Vendor {
    pub folder: PathBuf,
    pub provider: Provider,
    pub code: String,
    pub key: KeyRef,
    pub server: server::Server,
}

impl Vendor {
    pub fn new(folder: &Path, ends_at: Timestamp, grace_days: u64) -> Self {
        let profile = Profile { iss: "provider.example".into(), vendor: Contact::default() };
        let key = SigningKey::generate().unwrap();
        let provider = Provider::create(&folder.join("ledger"), &profile, key).unwrap();
        let (code, _) = provider.issue(order("SUB-1", ends_at, grace_days), now()).unwrap();
        let server = server::Server::start();
        let (key, code) = (KeyRef::Code(code.clone()), code.reveal());
        let vendor = Self { folder: folder.to_owned(), provider, code, key, server };
        vendor.publish();
        vendor.serve();
        vendor
    }

    pub fn publish(&self) {
        self.provider.publish(&self.folder.join("published")).unwrap();
    }

    pub fn trust(&self) -> PathBuf {
        self.folder.join("ledger/trust.d")
    }

    /// The published document of a code.
    pub fn document(&self, code: &str) -> Vec<u8> {
        let sub = ActivationCode::parse(code).unwrap().sub();
        std::fs::read(self.folder.join("published").join(published_path(&sub))).unwrap()
    }

    /// Answers as a web server does.
    pub fn serve(&self) {
        let root = self.folder.join("published");
        self.server.answer(move |request, stream| {
            let Ok(body) = std::fs::read(root.join(request.path().trim_matches('/'))) else {
                return stream.write_all(&server::whole(&["404 Not Found"], "none"));
            };
            let etag = format!("\"{:?}\"", ring::digest::digest(&ring::digest::SHA256, &body));
            if request.header("If-None-Match") == Some(&etag) {
                return stream.write_all(&server::whole(&["304 Not Modified"], ""));
            }
            stream.write_all(&server::whole(&["200 OK", &format!("ETag: {etag}")], body))
        });
    }

    /// `[source]` of an agent: looks each second.
    pub fn source(&self) -> String {
        format!(
            "[source]\nurl = \"http://127.0.0.1:{}\"\ninterval = \"1s\"\nurgent_interval = \"1s\"\ntimeout = \"1s\"\n",
            self.server.port
        )
    }
}

/// A fast source of numbers that need not be good.
pub fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

pub fn now() -> Timestamp {
    Clock::system().now()
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A limited subscription for 100 devices.
pub fn order(key: &str, ends_at: Timestamp, grace_days: u64) -> IssueOrder {
    let mut order = IssueOrder::new(Terms::Subscription(Subscription {
        state: VendorState::Active,
        state_since: Some(now()),
        term: Term::Limited { ends_at },
        grace_days,
        auto_renew: false,
        after_grace: AfterGrace::default(),
        order: None,
    }));
    order.key_id = Some(KeyId::try_from(key.to_owned()).unwrap());
    order.devices = Some(100);
    order
}
