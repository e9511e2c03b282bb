//! HAProxy as a plain relay on one thread.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Debian's package haproxy has it in `/usr/sbin`.
const PROGRAM: &str = "/usr/sbin/haproxy";

/// Its version, where it is installed.
pub fn version() -> Option<String> {
    let reported = Command::new(PROGRAM).arg("-v").output().ok()?;
    let reported = String::from_utf8_lossy(&reported.stdout).into_owned();
    Some(reported.split_whitespace().nth(2)?.to_owned())
}

/// One that passes on what comes to an address of its own.
pub struct Haproxy {
    pub process: super::Process,
    pub listen: SocketAddr,
}

impl Haproxy {
    /// Starts it with so many connections at most; with `splice`, bytes need not pass through its memory.
    pub fn start(folder: &Path, to: SocketAddr, connections: usize, splice: bool) -> Self {
        let listen = super::sink::free_address();
        let option = if splice { "option splice-auto" } else { "no option splice-auto" };
        let config = format!(
            "global\n  nbthread 1\n  maxconn {connections}\n\
             defaults\n  mode tcp\n  {option}\n  timeout connect 5s\n  timeout client 10m\n  timeout server 10m\n\
             listen ksn\n  bind {listen}\n  maxconn {connections}\n  server upstream {to}\n"
        );
        let file = folder.join(format!("haproxy-{}.cfg", listen.port()));
        std::fs::write(&file, config).unwrap();
        let process = Command::new(PROGRAM)
            .args(["-db", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("haproxy.log")).unwrap())
            .spawn()
            .unwrap();
        let process = super::Process(process);
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(listen).is_err() {
            assert!(Instant::now() < until, "haproxy does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, listen }
    }
}
