//! syslog-ng with its reliable disk buffer, told to be as fast as its manual says it can be.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Debian's package syslog-ng-core has both in `/usr/sbin`.
const PROGRAM: &str = "/usr/sbin/syslog-ng";
const CONTROL: &str = "/usr/sbin/syslog-ng-ctl";

/// Its version, where it is installed.
pub fn version() -> Option<String> {
    let reported = Command::new(PROGRAM).arg("--version").output().ok()?;
    let reported = String::from_utf8_lossy(&reported.stdout).into_owned();
    reported.lines().find_map(|line| line.strip_prefix("Revision: ")).map(str::to_owned)
}

/// One that takes lines and passes them on as they are.
pub struct SyslogNg {
    folder: PathBuf,
    source: SocketAddr,
    pub process: super::Process,
}

impl SyslogNg {
    /// Starts it in a new folder, with its destination at `to`.
    pub fn start(folder: &Path, to: SocketAddr) -> Self {
        std::fs::create_dir(folder).unwrap();
        let source = super::sink::free_address();
        // The message is not parsed and not changed. The windows are as large as a batch of 1,000 can use;
        // `time-reopen` is the least that it takes.
        let config = format!(
            r#"@version: 3.35
options {{ time-reopen(1); stats-freq(0); stats-level(1); keep-hostname(yes); use-dns(no); chain-hostnames(no); log-msg-size(65536); }};
source s {{ network(ip("127.0.0.1") port({0}) transport("tcp") flags(no-parse) log-iw-size(100000) log-fetch-limit(1000)); }};
destination d {{
  network("127.0.0.1" port({1}) transport("tcp") template("${{MSG}}\n") flush-lines(1000)
    disk-buffer(reliable(yes) disk-buf-size(536870912) mem-buf-size(10485760) dir("{2}")));
}};
log {{ source(s); destination(d); flags(flow-control); }};
"#,
            source.port(),
            to.port(),
            folder.display()
        );
        std::fs::write(folder.join("syslog-ng.conf"), config).unwrap();
        let file = |name: &str| folder.join(name).display().to_string();
        let process = Command::new(PROGRAM)
            .args(["--foreground", "--no-caps", "--cfgfile", &file("syslog-ng.conf")])
            .args(["--persist-file", &file("persist"), "--pidfile", &file("pid"), "--control", &file("ctl")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("stderr")).unwrap())
            .spawn()
            .unwrap();
        Self { folder: folder.to_owned(), source, process: super::Process(process) }
    }

    /// A connection to its source.
    pub fn connect(&self) -> TcpStream {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            match TcpStream::connect(self.source) {
                Ok(connection) => {
                    connection.set_nodelay(true).unwrap();
                    return connection;
                }
                Err(error) => assert!(Instant::now() < until, "syslog-ng does not come up: {error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Hands it lines; returns when all of them wait in its disk buffer.
    pub fn fill(&self, lines: impl Iterator<Item = String>) {
        let mut connection = std::io::BufWriter::new(self.connect());
        let mut count = 0;
        for line in lines {
            connection.write_all(line.as_bytes()).unwrap();
            count += 1;
        }
        connection.flush().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while self.queued() != Some(count) {
            assert!(Instant::now() < until, "syslog-ng took {:?} of {count} lines", self.queued());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// How many messages wait for the destination, by its own count.
    fn queued(&self) -> Option<u64> {
        let control = format!("--control={}", self.folder.join("ctl").display());
        let stats = Command::new(CONTROL).args(["stats", &control]).output().unwrap();
        let stats = String::from_utf8_lossy(&stats.stdout).into_owned();
        let line = stats.lines().find(|line| line.starts_with("dst.") && line.contains(";queued;"))?;
        line.rsplit(';').next()?.parse().ok()
    }
}
