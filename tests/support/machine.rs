//! A machine whose clocks are set: the wall clock by libfaketime, the boot clock and the boot's name by namespaces.

use super::{Agent, Program, now, wait_for};
use jiff::Timestamp;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// Steps the real clock by a microsecond: the kernel tells whoever waits for that.
const NUDGE: &str = "import ctypes
class T(ctypes.Structure): _fields_ = [('modes', ctypes.c_uint), ('a', ctypes.c_long * 4), ('status', ctypes.c_int),
    ('b', ctypes.c_long * 3), ('sec', ctypes.c_long), ('usec', ctypes.c_long), ('rest', ctypes.c_long * 30)]
t = T(modes=0x100, usec=1)
assert ctypes.CDLL(None).adjtimex(ctypes.byref(t)) >= 0";

/// Whether a clock can be set for one program; where not, as [`super::have`] says.
pub fn faketime() -> bool {
    let there = Path::new(FAKETIME).exists();
    if !there {
        let message = format!("not run: there is no {FAKETIME} (Debian's package libfaketime)");
        assert!(std::env::var_os("SVM_TEST_REQUIRE_ALL").is_none(), "{message}");
        println!("{message}");
    }
    there
}

/// A machine: an agent whose clocks can be set.
pub struct Machine {
    pub agent: Agent,
    running: Option<Program>,
    /// By so many seconds the boot clock is ahead.
    pub boot: i64,
    boot_id: PathBuf,
}

impl Machine {
    pub fn new(folder: &Path, trust: &Path, more: &str) -> Self {
        let agent = Agent::new(folder, trust, more);
        let boot_id = folder.join("boot_id");
        std::fs::write(&boot_id, "00000001-0000-4000-8000-000000000000\n").unwrap();
        let machine = Self { agent, running: None, boot: 0, boot_id };
        machine.set(0);
        machine
    }

    /// The wall clock is this far from the true time.
    pub fn set(&self, seconds: i64) {
        let file = self.agent.folder.join("faketime");
        std::fs::write(file.with_extension("new"), format!("{seconds:+}\n")).unwrap();
        std::fs::rename(file.with_extension("new"), file).unwrap();
    }

    /// The kernel tells of a step.
    pub fn nudge(&self) {
        assert!(Command::new("python3").args(["-c", NUDGE]).status().unwrap().success());
    }

    /// The machine boots anew: its boot clock begins again.
    pub fn reboot(&mut self, number: u8) {
        self.stop();
        std::fs::write(&self.boot_id, format!("{number:08}-0000-4000-8000-000000000000\n")).unwrap();
        let up = std::fs::read_to_string("/proc/uptime").unwrap();
        self.boot = 5 - up.split('.').next().unwrap().parse::<i64>().unwrap();
    }

    /// Starts the agent in a boot of its own.
    pub fn start(&mut self) -> &mut Self {
        let command = self.agent.command(&["run"]);
        let script = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
        let mut machine = Command::new("unshare");
        machine.args(["--mount", "--time", "--fork", "--kill-child", "--boottime", &self.boot.to_string()]);
        machine.args(["sh", "-c", script]).arg(&self.boot_id);
        // Only the agent itself is given another wall clock.
        machine.arg("env").arg(format!("LD_PRELOAD={FAKETIME}"));
        machine
            .arg(format!("FAKETIME_TIMESTAMP_FILE={}", self.agent.folder.join("faketime").display()))
            .args(["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"])
            .arg(command.get_program())
            .args(command.get_args());
        self.running = Some(Program::start(&mut machine, &self.agent.folder.join("agent.log")));
        wait_for("the agent", 20, || self.agent.ask(&["status"]).ok());
        self
    }

    /// Stops it as systemd does.
    pub fn stop(&mut self) {
        let mut running = self.running.take().unwrap();
        let pid = running.child.id();
        // The agent is the child of what holds its boot.
        let agent = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let agent = rustix::process::Pid::from_raw(agent.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(agent, rustix::process::Signal::TERM).unwrap();
        wait_for("the agent to stop", 20, || running.child.try_wait().unwrap());
    }

    pub fn restart(&mut self) {
        self.stop();
        self.start();
    }

    pub fn clock(&self) -> Value {
        self.agent.ask(&["clock", "show"]).unwrap()
    }

    /// By how much the time that is gone by is off, in seconds.
    pub fn off(&self) -> i64 {
        let time: Timestamp = self.clock()["time"].as_str().unwrap().parse().unwrap();
        time.duration_since(now()).as_secs()
    }

    /// How the wall clock stands, where it is not obeyed.
    pub fn doubt(&self) -> &'static str {
        match &self.clock()["suspicion"] {
            Value::Null => "none",
            doubt if doubt["ahead"] == true => "ahead",
            _ => "behind",
        }
    }

    pub fn phase(&self) -> String {
        self.agent.status()["phase"].as_str().unwrap().to_owned()
    }

    pub fn has_reason(&self, reason: &str) -> bool {
        self.agent.status()["reasons"].as_array().unwrap().iter().any(|r| r == reason)
    }

    pub fn reported(&self, r#type: &str) -> usize {
        self.agent.reported().iter().filter(|t| *t == r#type).count()
    }
}
