//! What the measurements share: the binary as it is shipped, a running agent, and what the kernel counts of it.
#![allow(dead_code, unreachable_pub, reason = "each measurement uses its part")]

pub mod backlog;
pub mod gateway;
pub mod haproxy;
pub mod lapse;
pub mod life;
pub mod permit;
pub mod publishing;
pub mod sink;
pub mod syslog_ng;
pub mod ten_years;
pub mod verifying;

use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use svm_core::documents::SigningKey;
use svm_core::subscription::{AfterGrace, Subscription, Term, Terms, VendorState};
use svm_vendor::{Contact, IssueOrder, Profile, Provider};

/// Figures by their names.
pub type Figures = std::collections::BTreeMap<&'static str, Value>;

/// Names of the parts of a target, and what measures each.
pub type Parts<'a> = &'a [(&'static str, &'a dyn Fn(&mut Figures))];

/// Measures the parts of a target that the command line asks for, and prints the figures.
pub fn run(parts: Parts<'_>) {
    let known = |name: &str| parts.iter().any(|(part, _)| *part == name);
    let args = args();
    if let Some(unknown) = args.only.iter().find(|name| !known(name)) {
        let names: Vec<_> = parts.iter().map(|(name, _)| *name).collect();
        panic!("--only {unknown}: there is no such part; there are {}", names.join(", "));
    }
    let mut figures = Figures::new();
    for (_, part) in parts.iter().filter(|(name, _)| args.only.as_ref().is_none_or(|only| only == name)) {
        part(&mut figures);
    }
    print(&figures);
}

/// Prints figures, one on each line; with `--json` the last line is one JSON object with all of them. Figures of the short
/// form are marked, because they say nothing about speed or size.
pub fn print(figures: &Figures) {
    for (name, value) in figures {
        println!("{name:<40}{value}{}", if args().quick { "   (quick)" } else { "" });
    }
    if args().json {
        let mut all = serde_json::json!(figures);
        all["quick"] = args().quick.into();
        println!("{all}");
    }
}

/// What the command line of a target asks for.
#[derive(Debug, Default)]
pub struct Args {
    /// Small counts and short waits: whether everything that is measured works at all.
    pub quick: bool,
    pub json: bool,
    /// One part alone.
    pub only: Option<String>,
    /// The agent's drain alone (delivery).
    pub drain_only: bool,
    /// A folder with packages, instead of those that are made for the measurement (enforcement, footprint).
    pub packages: Option<PathBuf>,
}

/// The command line. An argument that is not known ends the program.
pub fn args() -> &'static Args {
    static ARGS: std::sync::OnceLock<Args> = std::sync::OnceLock::new();
    ARGS.get_or_init(|| {
        let (mut args, mut words) = (Args::default(), std::env::args().skip(1));
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            match word.as_str() {
                "--quick" => args.quick = true,
                "--json" => args.json = true,
                "--drain-only" => args.drain_only = true,
                "--only" => args.only = Some(value()),
                "--packages" => args.packages = Some(value().into()),
                // From cargo itself.
                "--bench" => {}
                other => panic!(
                    "{other}: unknown argument; there are --quick, --json, --only PART, --drain-only and --packages FOLDER"
                ),
            }
        }
        args
    })
}

/// A count or a span: of the measurement, or of its short form.
pub fn sized<T>(measured: T, quick: T) -> T {
    if args().quick { quick } else { measured }
}

/// After the last request, until the agent is at rest: the whole status is reported a minute after the last change, and its
/// connection is closed 20 s later.
pub fn settle() -> Duration {
    Duration::from_secs(sized(90, 2))
}

/// How long an agent at rest is watched.
pub fn idle() -> Duration {
    Duration::from_secs(sized(60, 2))
}

/// Says what is not measured, because something is not installed. Where nothing may be left out, that ends the program.
pub fn not_measured(why: &str) {
    assert!(std::env::var_os("SVM_TEST_REQUIRE_ALL").is_none(), "not measured: {why}");
    println!("not measured: {why}");
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Builds the agent as it is given out; answers where it is.
pub fn build() -> PathBuf {
    build_program("svm-agent")
}

/// Builds one of the programs as it is given out; answers where it is. `SVM_BENCH_PROGRAMS` names a folder with others,
/// such as those of another version, or with symbols.
pub fn build_program(name: &str) -> PathBuf {
    if let Some(others) = std::env::var_os("SVM_BENCH_PROGRAMS") {
        return Path::new(&others).join(name);
    }
    static BUILT: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    let mut built = BUILT.lock().unwrap();
    if !built.iter().any(|known| known == name) {
        let program = root().join("packaging/programs.sh");
        let status = Command::new(program).arg(name).env("CARGO", env!("CARGO")).status().unwrap();
        assert!(status.success(), "packaging/programs.sh {name}");
        built.push(name.to_owned());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("release").join(name)
}

/// The Debian packages: those of `--packages`, else made from the programs as they are given out.
pub fn packages() -> &'static Path {
    static MADE: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    MADE.get_or_init(|| {
        if let Some(given) = &args().packages {
            return given.canonicalize().unwrap_or_else(|e| panic!("--packages {}: {e}", given.display()));
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-packages");
        std::fs::remove_dir_all(&folder).ok();
        let mut build = Command::new(root().join("packaging/build.sh"));
        build.arg(&folder).env("COMPRESS", "--fast").env("CARGO", env!("CARGO"));
        if let Some(others) = std::env::var_os("SVM_BENCH_PROGRAMS") {
            build.env("BINARIES", others);
        }
        assert!(build.status().unwrap().success(), "packaging/build.sh");
        folder
    })
}

/// Runs a script in a systemd that is booted for it, with the packages at `/src` and more files at their places; answers
/// what it printed. `None`, and a word about it, where there is no root file system to boot.
pub fn in_a_booted_system(script: &str, more: &[(&Path, &str)]) -> Option<String> {
    let rootfs = std::env::var_os("SVM_TEST_ROOTFS")
        .map_or_else(|| root().join("target/systemd-rootfs"), PathBuf::from);
    if !rootfs.join(".complete").exists() {
        not_measured(&format!("there is no {0}: tests/systemd/rootfs.sh {0} makes it", rootfs.display()));
        return None;
    }
    let bound = more.iter().map(|(from, to)| format!("{}:{to}", from.display()));
    let output = Command::new(root().join("tests/systemd/boot.sh"))
        .arg(rootfs)
        .arg(script)
        .arg(format!("{}:/src", packages().display()))
        .args(bound)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    Some(printed)
}

/// An agent of its own: `folder` has its settings, and `state` and `run` under it.
pub struct Agent {
    binary: PathBuf,
    folder: PathBuf,
}

impl Agent {
    /// Writes the settings: `more` follows the paths.
    pub fn new(binary: &Path, folder: &Path, more: &str) -> Self {
        let text = format!(
            "[paths]\nstate_dir = \"{0}/state\"\nruntime_dir = \"{0}/run\"\ntrust_dir = \"{0}/ledger/trust.d\"\n{more}",
            folder.display()
        );
        std::fs::write(folder.join("agent.toml"), text).unwrap();
        // What is governed on this machine is not its business.
        let machine = format!("[enforcement]\ngoverns = []\ngates_dir = {folder:?}\n");
        std::fs::write(folder.join("machine.toml"), machine).unwrap();
        Self { binary: binary.to_owned(), folder: folder.to_owned() }
    }

    pub fn state_dir(&self) -> PathBuf {
        self.folder.join("state")
    }

    pub fn runtime_dir(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// Starts it; answers how long it took until it said that it is ready.
    pub fn start(&self) -> (Process, Duration) {
        let path = self.folder.join("notify");
        std::fs::remove_file(&path).ok();
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let began = Instant::now();
        let child = Command::new(&self.binary)
            .arg("--config")
            .arg(self.folder.join("machine.toml"))
            .arg("--config")
            .arg(self.folder.join("agent.toml"))
            .arg("run")
            .env("NOTIFY_SOCKET", &path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let child = Process(child);
        let mut message = [0; 256];
        loop {
            let length = socket.recv(&mut message).expect("the agent says that it is ready");
            if String::from_utf8_lossy(&message[..length]).contains("READY=1") {
                return (child, began.elapsed());
            }
        }
    }

    /// Gives it a key for so many devices. A vendor is made for that.
    pub fn activate(&self, devices: u64) {
        let now = jiff::Timestamp::now();
        let profile = Profile { iss: "provider.example".into(), vendor: Contact::default() };
        let key = SigningKey::generate().unwrap();
        let provider = Provider::create(&self.folder.join("ledger"), &profile, key).unwrap();
        let mut order = IssueOrder::new(Terms::Subscription(Subscription {
            state: VendorState::Active,
            state_since: Some(now),
            term: Term::Limited { ends_at: svm_core::subscription::add_days(now, 200) },
            grace_days: 14,
            auto_renew: false,
            after_grace: AfterGrace::default(),
            order: None,
        }));
        order.devices = Some(devices);
        let (code, _) = provider.issue(order, now).unwrap();
        let published = self.folder.join("published");
        provider.publish(&published).unwrap();
        let document = published.join("v1/keys").join(format!("{}.jws", code.sub().as_str()));
        let document = std::fs::read_to_string(document).unwrap();
        self.ask("POST", "v1/keys", &serde_json::json!({"document": document}).to_string());
    }

    /// Sends a request to the control socket and answers the answer.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut control = self.control();
        control.send(method, path, body);
        control.answer()
    }

    /// A connection to the control socket, which takes one request.
    pub fn control(&self) -> Control {
        self.socket("control.sock")
    }

    /// The same to the query socket.
    pub fn query(&self) -> Control {
        self.socket("query.sock")
    }

    fn socket(&self, name: &str) -> Control {
        let socket = UnixStream::connect(self.runtime_dir().join(name)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Control::new(socket)
    }
}

/// A process that does not outlive the measurement, however that ends.
pub struct Process(Child);

impl Process {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ends it with SIGTERM, and waits for it.
    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that was stopped is gone already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Asks an agent with as little work as can be, so that the asking is not what is measured.
pub struct Control {
    socket: UnixStream,
}

impl Control {
    /// Over a connection that was made.
    pub fn new(socket: UnixStream) -> Self {
        Self { socket }
    }

    /// Sends a request; answers when that was begun.
    pub fn send(&mut self, method: &str, path: &str, body: &str) -> Instant {
        let length = body.len();
        let text =
            format!("{method} /{path} HTTP/1.1\r\nhost: agent\r\ncontent-length: {length}\r\n\r\n{body}");
        let began = Instant::now();
        self.socket.write_all(text.as_bytes()).unwrap();
        began
    }

    /// Reads the answer to a request.
    pub fn answer(mut self) -> Value {
        let mut answer = Vec::new();
        let end = loop {
            if let Some(head) = memchr::memmem::find(&answer, b"\r\n\r\n") {
                let length = sink::header(&answer[..head], "content-length").unwrap();
                break head + 4 + length.parse::<usize>().unwrap();
            }
            self.more(&mut answer);
        };
        while answer.len() < end {
            self.more(&mut answer);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer[memchr::memmem::find(&answer, b"\r\n\r\n").unwrap()..]).unwrap()
    }

    fn more(&mut self, answer: &mut Vec<u8>) {
        let mut part = [0; 16 * 1024];
        let length = self.socket.read(&mut part).unwrap();
        assert!(length > 0, "the agent hung up: {}", String::from_utf8_lossy(answer));
        answer.extend_from_slice(&part[..length]);
    }
}

/// What all threads of a process did so far.
#[derive(Default)]
pub struct Counters {
    pub switches: u64,
    pub cpu_ns: u64,
    /// The same, by the names of the threads.
    pub threads: std::collections::BTreeMap<String, u64>,
}

impl Counters {
    pub fn read(pid: u32) -> Self {
        let mut counters = Self::default();
        for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
            let task = task.unwrap().path();
            let status = std::fs::read_to_string(task.join("status")).unwrap();
            for line in status.lines().filter(|l| l.contains("ctxt_switches")) {
                counters.switches += line.split_whitespace().last().unwrap().parse::<u64>().unwrap();
            }
            let schedstat = std::fs::read_to_string(task.join("schedstat")).unwrap();
            let ns = schedstat.split_whitespace().next().unwrap().parse::<u64>().unwrap();
            counters.cpu_ns += ns;
            let name = std::fs::read_to_string(task.join("comm")).unwrap();
            *counters.threads.entry(name.trim().to_owned()).or_default() += ns;
        }
        counters
    }
}

/// Proportional set size, in units of 10⁶ bytes.
pub fn pss_mb(pid: u32) -> f64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find(|l| l.starts_with("Pss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0 / 1e6
}

/// The highest [`pss_mb`] that is seen every 50 ms, until told to end.
pub struct PeakPss {
    end: std::sync::mpsc::Sender<()>,
    thread: std::thread::JoinHandle<f64>,
}

impl PeakPss {
    pub fn watch(pid: u32) -> Self {
        let (end, ended) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut peak = pss_mb(pid);
            while ended.recv_timeout(Duration::from_millis(50)).is_err() {
                peak = peak.max(pss_mb(pid));
            }
            peak.max(pss_mb(pid))
        });
        Self { end, thread }
    }

    pub fn end(self) -> f64 {
        self.end.send(()).ok();
        self.thread.join().unwrap()
    }
}

/// The disk that a folder's files take, in units of 10⁶ bytes.
pub fn disk_mb(folder: &Path) -> f64 {
    use std::os::unix::fs::MetadataExt;
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().blocks() as f64 * 512.0 / 1e6).sum()
}

/// Seconds of this thread's own time on a processor that `work` takes: what others on the machine take is not in it.
pub fn own_seconds(work: impl FnOnce()) -> f64 {
    let now = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
    };
    let began = now();
    work();
    now() - began
}

/// The value below which this share (0 to 1) of the values is.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

/// To two places.
pub fn rounded(x: f64) -> Value {
    serde_json::json!((x * 100.0).round() / 100.0)
}
