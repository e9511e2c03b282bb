//! `svm-agent doctor`: what is broken, one thing at a time, each found by its word; for root and another user, with an agent
//! and without; and nothing is changed.

use crate::support;
use crate::support::certificates::Authority;
use crate::support::server::{Server, hang, whole};
use crate::support::{Agent, Vendor, free_port, have, nginx_with, now, program, wait_for};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// The exit code, and the findings.
fn examined(command: &mut Command) -> (i32, Vec<Value>) {
    let output = command.arg("--json").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let findings = value["findings"].as_array().unwrap().clone();
    let count = |grade: &str| findings.iter().filter(|finding| finding["grade"] == grade).count();
    assert_eq!(value["summary"]["failures"], count("failure"), "{value}");
    let code = output.status.code().unwrap();
    let expected = match (count("failure"), count("warning")) {
        (0, 0) => 0,
        (0, _) => 4,
        _ => 5,
    };
    assert_eq!(code, expected, "{value:#}");
    for finding in &findings {
        let bad = finding["grade"] == "failure" || finding["grade"] == "warning";
        assert!(!bad || finding["do"].is_string(), "what to do is missing: {finding}");
    }
    (code, findings)
}

fn doctor(agent: &Agent) -> (i32, Vec<Value>) {
    examined(&mut agent.command(&["doctor"]))
}

/// The finding of an area whose words have all of these.
fn find<'a>(findings: &'a [Value], area: &str, words: &[&str]) -> &'a Value {
    let has = |finding: &&Value| {
        let text = finding.to_string();
        finding["area"] == area && words.iter().all(|word| text.contains(word))
    };
    findings.iter().find(has).unwrap_or_else(|| panic!("{area} {words:?} in {:#}", json!(findings)))
}

fn bad(findings: &[Value]) -> Vec<&Value> {
    findings.iter().filter(|finding| finding["grade"] == "failure" || finding["grade"] == "warning").collect()
}

/// A receiver that takes everything, of any kind.
fn receiver() -> Server {
    let server = Server::start();
    server.say(whole(&["200 OK"], "{}"));
    server
}

struct World {
    folder: tempfile::TempDir,
    vendor: Vendor,
    receiver: Server,
    agent: Agent,
}

impl World {
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vendor = Vendor::new(folder.path(), now() + SignedDuration::from_hours(90 * 24), 3);
        let receiver = receiver();
        let more = format!(
            "{}{more}\n[destinations.console]\nurl = \"http://127.0.0.1:{}/\"\nreceiver = \"generic\"\n",
            vendor.source(),
            receiver.port
        );
        let agent = Agent::new(folder.path(), &vendor.trust(), &more);
        Self { folder, vendor, receiver, agent }
    }

    fn active(&self) -> support::Program {
        let program = self.agent.start_ready();
        self.agent.ask(&["activate", &self.vendor.code]).unwrap();
        self.agent.settled();
        program
    }
}

/// Everything below a folder: kind, mode, owner, size, time of change and, of files, content.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let about = std::fs::symlink_metadata(&path).unwrap();
        let content = if about.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        let digest = ring::digest::digest(&ring::digest::SHA256, &content);
        let reported =
            format!("{:o} {} {} {} {digest:?}", about.mode(), about.uid(), about.mtime(), about.mtime_nsec());
        seen.insert(path.display().to_string(), reported);
        if about.is_dir() {
            seen.extend(tree(&path));
        }
    }
    seen
}

/// What of a tree is not SQLite's index, which its readers share with the agent.
fn without_index(tree: BTreeMap<String, String>) -> BTreeMap<String, String> {
    tree.into_iter().filter(|(path, _)| !path.ends_with("-shm")).collect()
}

#[test]
fn an_svm_that_is_well_has_nothing_to_do_and_nothing_is_changed() {
    let world = World::new("");
    let mut program = world.active();
    // The agent writes for itself as well: what counts is what is there while it is held up, and after it.
    let (code, findings) = doctor(&world.agent);
    let ill: Vec<_> =
        bad(&findings).into_iter().filter(|f| f["area"] != "service" && f["area"] != "clock").collect();
    assert!(ill.is_empty(), "{code} {ill:#?}");
    for (area, words) in [
        ("settings", &["agent.toml", "machine.toml"][..]),
        ("service", &["is running, version"]),
        ("subscription", &["active, 90 days left"]),
        ("trust", &["provider.example"]),
        ("trust", &["document of SUB-1", "is signed by"]),
        ("source", &["can be reached"]),
        ("source", &["published document of SUB-1", "is the one in use, revision 1"]),
        ("delivery", &["console: answer"]),
        ("enforcement", &["ksn", "not used on this SVM"]),
        ("clock", &["trusts it"]),
        ("identity", &["belongs to this machine"]),
        ("files", &["control.sock", "0660"]),
        ("files", &["state", "0700"]),
        ("disk", &["outbox may grow"]),
        ("disk", &["opens and is intact"]),
    ] {
        let finding = find(&findings, area, words);
        assert!(finding["grade"] == "ok" || finding["grade"] == "note", "{finding}");
    }
    // No secret is shown: neither the code nor the name under which the document is published.
    let sub = svm_core::documents::ActivationCode::parse(&world.vendor.code).unwrap().sub();
    let reported = json!(findings).to_string();
    assert!(!reported.contains(sub.as_str()) && !reported.contains(&world.vendor.code));

    program.signal(rustix::process::Signal::STOP);
    let before = without_index(tree(world.folder.path()));
    let (_, held_up) = doctor(&world.agent);
    assert_eq!(without_index(tree(world.folder.path())), before, "while the agent is held up");
    find(&held_up, "disk", &["opens and is intact"]);
    let agent = find(&held_up, "service", &["agent", "failure"]);
    assert!(agent["found"].as_str().unwrap().contains("time limit"), "{agent}");
    program.signal(rustix::process::Signal::CONT);
    // Nobody was locked out: it keeps what comes.
    world.agent.ask(&["devices", "set", "3"]).unwrap();
    assert!(program.terminate().success());
    let before = tree(world.folder.path());
    let (code, findings) = doctor(&world.agent);
    assert_eq!(tree(world.folder.path()), before, "without an agent nothing is made or touched");
    assert_eq!(code, 5);
    assert_eq!(find(&findings, "service", &["is not running"])["grade"], "failure");
    find(&findings, "disk", &["opens and is intact"]);
    find(&findings, "source", &["is the one in use, revision 1"]);
}

#[test]
fn what_is_broken_below_is_named_with_the_command() {
    let world = World::new("");
    let token = world.folder.path().join("token");
    std::fs::write(&token, "secret-token-1\n").unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let prom = world.folder.path().join("nowhere/svm-agent.prom");
    let text = std::fs::read_to_string(&world.agent.config).unwrap();
    let text = format!(
        "{text}token_file = {token:?}\n[metrics]\ntextfile = {prom:?}\n[destinations.gone]\nurl = \"http://127.0.0.1:1/\"\ntoken_file = \"/nowhere/token\"\n"
    );
    std::fs::write(&world.agent.config, text).unwrap();
    let mut program = world.active();
    let run = world.folder.path().join("run");
    let state = world.folder.path().join("state");
    let mode =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&run.join("control.sock"), 0o666);
    mode(&run.join("query.sock"), 0o600);
    mode(&state, 0o755);
    // Not the recovery file: it is replaced at each change.
    let foreign = state.join("agent.db");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&foreign, Some(65_534), None).unwrap();
    }
    let trust = world.vendor.trust();
    std::fs::write(trust.join("zz.pem"), "no key").unwrap();
    mode(&trust, 0o777);
    let (_, findings) = doctor(&world.agent);
    for (area, grade, words) in [
        ("settings", "failure", &["destinations.gone.token_file", "/nowhere/token"][..]),
        ("files", "failure", &["control.sock", "every user can change", "chmod 660"]),
        ("files", "warning", &["query.sock", "0600", "chmod 666"]),
        ("files", "warning", &["state", "0755", "chmod 700"]),
        ("files", "failure", &["ledger/trust.d", "other users can change it", "chmod o-w"]),
        ("files", "warning", &["destinations.console.token_file", "every user", "chmod 640"]),
        ("files", "failure", &["metrics.textfile", "mkdir -p"]),
        ("trust", "warning", &["zz.pem"]),
        ("delivery", "failure", &["gone", "cannot connect", "nc -vz 127.0.0.1 1"]),
        ("delivery", "warning", &["gone", "are waiting"]),
    ] {
        assert_eq!(find(&findings, area, words)["grade"], grade, "{words:?}");
    }
    if rustix::process::geteuid().is_root() {
        find(&findings, "files", &["agent.db", "another user", "chown -R"]);
    }
    assert!(!json!(findings).to_string().contains("secret-token-1"));
    std::fs::create_dir(prom.parent().unwrap()).unwrap();
    wait_for("the file of metrics", 40, || prom.exists().then_some(()));
    let (_, findings) = doctor(&world.agent);
    assert_eq!(find(&findings, "files", &["metrics.textfile"])["grade"], "ok");

    // Nobody signed what is held, and the database is no database.
    assert!(program.terminate().success());
    for entry in std::fs::read_dir(&trust).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let (_, findings) = doctor(&world.agent);
    assert_eq!(find(&findings, "trust", &["no provider is trusted"])["grade"], "failure");
    assert_eq!(find(&findings, "trust", &["document of SUB-1"])["grade"], "warning");
    let database = state.join("agent.db");
    let mut bytes = std::fs::read(&database).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle..middle + 20_000].fill(0x5a);
    std::fs::write(&database, &bytes).unwrap();
    let (_, findings) = doctor(&world.agent);
    let damaged = find(&findings, "disk", &["database", "damaged"]);
    assert_eq!(damaged["grade"], "failure", "{damaged}");
    assert_eq!(std::fs::read(&database).unwrap(), bytes, "it is not the doctor who mends it");
}

#[test]
fn wrong_settings_are_told_and_the_rest_is_looked_at() {
    let world = World::new("");
    let _program = world.active();
    let text = std::fs::read_to_string(&world.agent.config).unwrap();
    std::fs::write(&world.agent.config, format!("{text}[log]\nlevle = \"info\"\nformat = \"xml\"\n"))
        .unwrap();
    let (code, findings) = doctor(&world.agent);
    assert_eq!(code, 5);
    find(&findings, "settings", &["agent.toml", "did you mean `level`?", "config check"]);
    find(&findings, "settings", &["log.format"]);
    // The places could be read, so the agent that runs there is asked.
    find(&findings, "service", &["is running, version"]);
    find(&findings, "subscription", &["active"]);
    find(&findings, "trust", &["document of SUB-1", "is signed by"]);
    find(&findings, "delivery", &["not checked, because the settings are not valid"]);
    std::fs::write(&world.agent.config, "this is = = no TOML").unwrap();
    let (code, findings) = doctor(&world.agent);
    assert_eq!(code, 5);
    assert!(find(&findings, "settings", &["agent.toml", "failure"])["found"].is_string());
    find(&findings, "disk", &["room"]);
    let mut nowhere = Command::new(program("svm-agent"));
    let (code, findings) = examined(nowhere.args(["--config", "/nowhere/agent.toml", "doctor"]));
    assert_eq!(code, 5);
    find(&findings, "settings", &["/nowhere/agent.toml", "cannot be read"]);
}

#[test]
fn another_user_sees_less_and_is_told_so() {
    if !rustix::process::geteuid().is_root() {
        println!("not run: another user needs root");
        return;
    }
    let world = World::new("");
    let _program = world.active();
    let open = |path: &Path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    open(world.folder.path());
    let program = world.folder.path().join("svm-agent");
    std::fs::copy(support::program("svm-agent"), &program).unwrap();
    open(&program);
    for file in ["machine.toml", "agent.toml"] {
        open(&world.folder.path().join(file));
    }
    let mut command = Command::new(&program);
    command.arg("--config").arg(world.folder.path().join("machine.toml"));
    command.arg("--config").arg(&world.agent.config).arg("doctor").uid(65_534).gid(65_534);
    let (_, findings) = examined(&mut command);
    find(&findings, "service", &["is running, version"]);
    find(&findings, "subscription", &["active"]);
    for (area, word) in [("files", "state"), ("disk", "database")] {
        let finding = find(&findings, area, &[word, "only root"]);
        assert_eq!(finding["grade"], "note", "{finding}");
    }
    let source = find(&findings, "source", &["only root can see its name"]);
    assert_eq!(source["grade"], "note");
}

#[test]
fn certificates_names_and_silence_are_told_in_words() {
    if !(have("nginx", "nginx-light") && have("openssl", "openssl")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let names = "DNS:localhost,IP:127.0.0.1";
    let good = authority.issue("good", names, 90);
    let short = authority.issue("short", names, 3);
    let other = authority.issue("other", "DNS:elsewhere.example", 90);
    let expired = authority.issue_expired("expired", names);
    let client = authority.issue_expired("client", names);
    let mut settings = String::new();
    let mut servers = Vec::new();
    for (name, issued) in [("good", &good), ("short", &short), ("other", &other), ("expired", &expired)] {
        let (port, at) = (free_port(), folder.path().join(name));
        std::fs::create_dir_all(&at).unwrap();
        let more = format!(
            "ssl_certificate {}; ssl_certificate_key {};",
            issued.certificate.display(),
            issued.key.display()
        );
        servers.push(nginx_with(&at, &at, port, " ssl", &format!("{more} location / {{ return 200 x; }}")));
        settings.push_str(&format!(
            "[destinations.{name}]\nurl = \"https://localhost:{port}/\"\nreceiver = \"generic\"\nca_file = {:?}\n",
            authority.certificate()
        ));
    }
    let silent = Server::start();
    silent.answer(|_, stream| hang(stream));
    // Nothing answers what begins a handshake here.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    settings.push_str(&format!(
        "[destinations.client]\nurl = \"http://127.0.0.1:1/\"\nca_file = {:?}\ncertificate_file = {:?}\nkey_file = {:?}\n\
         [destinations.silent]\nurl = \"http://127.0.0.1:{}/\"\n\
         [destinations.deaf]\nkind = \"syslog\"\nurl = \"tls://127.0.0.1:{}\"\nca_file = {:?}\n\
         [destinations.plain]\nkind = \"syslog\"\nurl = \"tls://127.0.0.1:{}\"\nca_file = {:?}\n\
         [destinations.unknown]\nurl = \"http://no-such-host.invalid/\"\n\
         [destinations.proxied]\nurl = \"https://console.example/\"\nproxy = \"http://127.0.0.1:1\"\n",
        authority.certificate(),
        client.certificate,
        client.key,
        silent.port,
        deaf.local_addr().unwrap().port(),
        authority.certificate(),
        receiver().port,
        authority.certificate(),
    ));
    let agent = Agent::new(folder.path(), folder.path(), &settings);
    let (_, findings) = doctor(&agent);
    for (grade, words) in [
        ("ok", &["good: localhost", "issued by authority"][..]),
        ("ok", &["good: answer"]),
        ("warning", &["short: localhost", "issued by authority", "renew it soon"]),
        ("failure", &["other: localhost", "another name", "openssl s_client"]),
        ("failure", &["expired: localhost", "expired on 2021-01-01", "its events wait"]),
        ("failure", &["client: client certificate", "expired at 2021-01-01"]),
        ("failure", &["silent: answer", "no answer within 5 s"]),
        ("failure", &["deaf: 127.0.0.1", "no TLS handshake within 5 s"]),
        ("failure", &["unknown: no-such-host.invalid", "cannot be resolved", "getent"]),
        ("failure", &["proxied: the proxy 127.0.0.1:1", "cannot connect"]),
        ("failure", &["plain: 127.0.0.1"]),
    ] {
        assert_eq!(find(&findings, "delivery", words)["grade"], grade, "{words:?}");
    }
    assert!(
        !json!(findings).to_string().contains("no answer within 9 s"),
        "all were looked at: {findings:#?}"
    );
}

/// Digits change, words do not.
fn masked(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_digit() { '#' } else { c })
        .collect::<String>()
        .replace("##", "#")
        .replace("##", "#")
}

const PAGE: &str = include_str!("../../docs/guide/troubleshooting.md");

/// The lines of the page that stand below this mark.
fn said_on_the_page(mark: &str) -> Vec<String> {
    let (_, after) =
        PAGE.split_once(&format!("<!-- said: {mark} -->\n```console\n")).unwrap_or_else(|| panic!("{mark}"));
    after.split_once("```").unwrap().0.lines().map(masked).collect()
}

fn says(agent: &Agent, mark: &str) {
    let command = mark.rsplit(' ').next().unwrap();
    let output = agent.command(&[command]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<String> = text.lines().map(masked).collect();
    for line in said_on_the_page(mark) {
        assert!(lines.contains(&line), "{mark}: {line}\nnot in\n{text}");
    }
}

#[test]
fn what_the_page_shows_is_what_is_said() {
    let world = World::new("");
    let program = world.agent.start_ready();
    says(&world.agent, "bare status");
    world.agent.ask(&["activate", &world.vendor.code]).unwrap();
    world.vendor.provider.pause(&world.vendor.key, now()).unwrap();
    world.vendor.publish();
    world.agent.ask(&["refresh"]).unwrap();
    says(&world.agent, "paused status");
    drop(program);
    let text = std::fs::read_to_string(&world.agent.config).unwrap();
    std::fs::write(
        &world.agent.config,
        text.replace(&format!(":{}/\"\nreceiver", world.receiver.port), ":1/\"\nreceiver"),
    )
    .unwrap();
    says(&world.agent, "failing doctor");
}

#[test]
fn for_people_it_is_grouped_with_a_summary_last_and_colours_for_a_terminal_alone() {
    let world = World::new("");
    let output = world.agent.command(&["doctor"]).env("TERM", "xterm").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "{text}");
    let titles: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    let titles = &titles[..titles.len() - 1];
    let mut once = titles.to_vec();
    once.dedup();
    assert_eq!(once, titles, "each part once");
    assert_eq!(titles[0], "Settings");
    let last = text.lines().last().unwrap().strip_suffix('.').unwrap();
    let counted: Vec<(u32, &str)> = last
        .split(", ")
        .map(|part| part.split_once(' ').unwrap())
        .map(|(n, word)| (n.parse().unwrap(), word))
        .collect();
    let word = |n: u32, one: &str| if n == 1 { one.to_owned() } else { format!("{one}s") };
    let words = [word(counted[0].0, "failure"), word(counted[1].0, "warning"), word(counted[2].0, "note")];
    assert_eq!(
        counted.iter().map(|(_, word)| *word).collect::<Vec<_>>(),
        [&*words[0], &*words[1], &*words[2], "ok"]
    );
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("  FAILURE") || line.starts_with("  WARNING") {
            assert!(lines.peek().unwrap().starts_with("           To do: "), "{text}");
        }
    }
    if have("script", "bsdutils") {
        let quoted = |no_color: &str| {
            let words: Vec<String> =
                world.agent.command(&["doctor"]).get_args().map(|w| format!("{w:?}")).collect();
            let line = format!("{:?} {}", program("svm-agent"), words.join(" "));
            let mut script = Command::new("script");
            script.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").env("NO_COLOR", no_color);
            String::from_utf8_lossy(&script.output().unwrap().stdout).into_owned()
        };
        assert!(quoted("").contains("\u{1b}[31m"), "a terminal has colours");
        assert!(!quoted("1").contains('\u{1b}'), "unless nobody wants them");
    }
}
