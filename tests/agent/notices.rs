//! What the agent says without a question: the lines at login, and the status line of systemd.

use crate::support::{Agent, Program, Vendor, have, now, wait_for};
use jiff::SignedDuration;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use svm_vendor::Cancel;

/// An agent under a systemd whose messages to systemd are recorded.
struct Watched {
    agent: Agent,
    motd: PathBuf,
    socket: UnixDatagram,
    line: String,
}

impl Watched {
    fn new(folder: &Path, vendor: &Vendor) -> Self {
        let agent = Agent::new(folder, &vendor.trust(), &vendor.source());
        let socket = UnixDatagram::bind(folder.join("notify")).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { agent, motd: folder.join("run/motd"), socket, line: String::new() }
    }

    fn start(&self, language: &str) -> Program {
        let mut command = self.agent.command(&["run"]);
        command.env("NOTIFY_SOCKET", self.agent.folder.join("notify"));
        command.env_remove("LC_ALL").env_remove("LC_MESSAGES").env("LANG", language);
        let program = Program::start(&mut command, &self.agent.folder.join("agent.log"));
        wait_for("the agent", 20, || self.agent.ask(&["status"]).ok());
        program
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.motd).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits for a status line with these words, and for lines at login that begin so; none if there are no words.
    fn shows(&mut self, status: &str, login: &[&str]) {
        wait_for(status, 20, || {
            let mut message = [0; 4096];
            while let Ok(length) = self.socket.recv(&mut message) {
                let text = String::from_utf8(message[..length].to_vec()).unwrap();
                if let Some(line) = text.lines().find_map(|line| line.strip_prefix("STATUS=")) {
                    self.line = line.to_owned();
                }
            }
            let lines = self.lines();
            let begins = lines.len() == login.len()
                && lines.iter().zip(login).all(|(line, start)| line.starts_with(start));
            (self.line.starts_with(status) && begins && (!login.is_empty() || !self.motd.exists()))
                .then_some(())
        });
    }
}

#[test]
fn the_lines_at_login_and_the_status_line_follow_the_subscription() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), now() + SignedDuration::from_hours(90 * 24), 3);
    let mut watched = Watched::new(folder.path(), &vendor);
    let mut program = watched.start("C.UTF-8");
    let since = "Since 20";
    watched.shows(
        "Not activated; database updates and KSN stopped; no events wait",
        &["svm-agent: The SVM has no active key.", "Next step: Activate the SVM: svm-agent activate CODE"],
    );
    let mode = std::fs::metadata(&watched.motd).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "everybody reads it");

    watched.agent.ask(&["activate", &vendor.code]).unwrap();
    watched.shows("Active until 20", &[]);
    assert!(watched.line.ends_with("; database updates and KSN allowed; no events wait"), "{}", watched.line);

    let publish = |watched: &Watched| {
        vendor.publish();
        watched.agent.ask(&["refresh"]).unwrap();
    };
    vendor.provider.pause(&vendor.key, now()).unwrap();
    publish(&watched);
    let paused = [
        "svm-agent: The subscription is in its grace period, because the provider paused it.",
        "Grace period until 20",
        "Next step: Ask the provider to resume",
    ];
    watched.shows("In its grace period (paused) until 20", &paused);

    // Off by the settings, on again; and it does not outlast the agent.
    let settings = std::fs::read_to_string(&watched.agent.config).unwrap();
    std::fs::write(&watched.agent.config, settings.clone() + "[motd]\nenabled = false\n").unwrap();
    watched.agent.ask(&["reload"]).unwrap();
    watched.shows("In its grace period (paused) until 20", &[]);
    std::fs::write(&watched.agent.config, settings).unwrap();
    watched.agent.ask(&["reload"]).unwrap();
    watched.shows("In its grace period (paused) until 20", &paused);
    assert!(program.terminate().success());
    watched.shows("The agent is stopped; permits remain valid until they end", &[]);

    // In the language of the system.
    let mut program = watched.start("ru_RU.UTF-8");
    watched.shows(
        "Льготный период (пауза) до ",
        &[
            "svm-agent: У подписки льготный период: ",
            "Льготный период до ",
            "Следующий шаг: Попросите поставщика",
        ],
    );
    program.kill();

    vendor.provider.resume(&vendor.key, now()).unwrap();
    vendor.publish();
    assert!(watched.motd.exists(), "a killed agent leaves it");
    let _program = watched.start("C.UTF-8");
    watched.agent.ask(&["refresh"]).unwrap();
    watched.shows("Active until 20", &[]);

    vendor.provider.cancel(&vendor.key, Cancel::Now, now()).unwrap();
    publish(&watched);
    watched.shows(
        "Restricted (cancelled); database updates and KSN stopped",
        &[
            "svm-agent: The subscription is restricted, because the provider cancelled it.",
            since,
            "Next step: Ask the provider why",
        ],
    );
    assert!(
        watched.lines()[1].ends_with(" UTC: database updates are stopped; the use of KSN is stopped."),
        "{:?}",
        watched.lines()
    );
}

#[test]
fn a_login_warns_before_the_end_within_the_days_of_the_reminders() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), now() + SignedDuration::from_hours(20 * 24), 3);
    let mut watched = Watched::new(folder.path(), &vendor);
    let _program = watched.start("C.UTF-8");
    watched.agent.ask(&["activate", &vendor.code]).unwrap();
    watched.shows(
        "Active until 20",
        &["svm-agent: The subscription ends soon.", "It ends on 20", "Next step: Renew the subscription"],
    );
    let settings = std::fs::read_to_string(&watched.agent.config).unwrap();
    std::fs::write(&watched.agent.config, settings + "[reminders]\nbefore_end_days = [14]\n").unwrap();
    watched.agent.ask(&["reload"]).unwrap();
    watched.shows("Active until 20", &[]);
}

/// The agent has no right in a folder that root reads at login: a link there leads to its own.
#[test]
fn the_package_links_the_lines_to_where_pam_motd_reads_them() {
    if !have("systemd-tmpfiles", "systemd") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let lines =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/svm-agent.tmpfiles")).unwrap();
    // Those that need no user of the package.
    let lines: String =
        lines.lines().filter(|line| line.contains("/run/motd.d")).map(|line| format!("{line}\n")).collect();
    let file = root.path().join("motd.conf");
    std::fs::write(&file, lines).unwrap();
    let mut command = Command::new("systemd-tmpfiles");
    command.arg(format!("--root={}", root.path().display())).arg("--create").arg(&file);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let link = std::fs::read_link(root.path().join("run/motd.d/50-svm-agent")).unwrap();
    assert_eq!(link, Path::new("/run/svm-agent").join(svm_agent::notices::MOTD));
}
