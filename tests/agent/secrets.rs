//! No secret is in anything that the programs say: planted, and then looked for in every output, log, file and `Debug`.

use crate::support;
use crate::support::certificates::{Authority, damages, openssl, pieces};
use crate::support::server::{Request, Server, whole};
use crate::support::{Agent, Program, Vendor, at, have, now, order, program, wait_for};
use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use svm_agent::config::Settings;
use svm_core::documents::{ActivationCode, SigningKey};
use svm_vendor::KeyRef;

const TOKEN: &str = "planted-bearer-token-5d1f";
const QUERY: &str = "planted-in-a-query-90ab";
const NEXT_QUERY: &str = "planted-in-the-next-query-1c2d";
const FROM_ENVIRONMENT: &str = "planted-in-the-environment-77c2";
const OF_A_PROXY: &str = "planted-password-of-a-proxy-e3f4";
const INLINE: &str = "planted-inline-by-mistake-0a0b";

/// Every form of a code that must not be seen.
fn forms(code: &str) -> Vec<String> {
    let sub = ActivationCode::parse(code).unwrap().sub();
    vec![code.to_owned(), code.replace('-', ""), code.to_lowercase(), sub.as_str().to_owned()]
}

/// The lines of a private key that are not the same in all.
fn lines_of(key: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(key).unwrap();
    let lines: Vec<String> = text.lines().filter(|line| !line.contains("-----")).map(str::to_owned).collect();
    assert!(lines.iter().any(|line| line.len() > 30), "no key");
    lines.into_iter().filter(|line| line.len() > 15).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// What is secret, and everything that was said.
#[derive(Default)]
struct Planted {
    secrets: Vec<String>,
    said: Vec<(String, String)>,
}

impl Planted {
    /// Runs a command to its end; its exit code.
    fn run(&mut self, command: &mut Command, input: &str) -> i32 {
        let shown = format!("{:?}", command.get_args().collect::<Vec<_>>());
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // Whoever reads no input is gone by then.
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        self.said.push((shown, text.concat()));
        output.status.code().unwrap()
    }

    fn debug(&mut self, what: &str, value: &dyn Debug) {
        self.said.push((format!("{what} for debugging"), format!("{value:?} {value:#?}")));
    }

    /// Nothing that was said has anything of it.
    fn is_nowhere(&self) {
        for (what, text) in &self.said {
            for secret in &self.secrets {
                assert!(!text.contains(secret.as_str()), "{what} has {secret}: {text}");
            }
        }
    }
}

#[test]
fn nothing_that_the_agent_says_has_a_secret() {
    if have("openssl", "openssl") {
        agent("plain");
    }
}

#[test]
fn nor_with_a_log_in_json() {
    if have("openssl", "openssl") {
        agent("json");
    }
}

fn agent(format: &str) {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), at("2040-01-01T00:00:00Z"), 30);
    let (reserve, _) = vendor.provider.issue(order("SUB-2", at("2041-01-01T00:00:00Z"), 0), now()).unwrap();
    let reserve = reserve.reveal();
    vendor.publish();
    let console = Server::start();
    // Some repeat what they were given.
    let repeat = |status: &'static str, request: &Request, stream: &mut TcpStream| {
        let given = format!("{:?} of {}", request.header("authorization"), request.path());
        stream.write_all(&whole(&[status], format!("nobody knows {given}")))
    };
    console.answer(move |request, stream| repeat("401 Unauthorized", request, stream));
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, TOKEN).unwrap();
    let client = Authority::new(folder.path(), "authority").issue("client", "DNS:svm.example", 30);
    let text = format!(
        "{}[log]\nlevel = \"debug\"\nformat = \"{format}\"\n\
         [destinations.console]\nurl = \"http://127.0.0.1:{}/in?sig={QUERY}\"\ntoken_file = {token_file:?}\nreceiver = \"generic\"\n\
         [destinations.mutual]\nurl = \"https://127.0.0.1:1/in?sig={QUERY}\"\ncertificate_file = {:?}\nkey_file = {:?}\n",
        vendor.source(),
        console.port,
        client.certificate,
        client.key
    );
    let agent = Agent::new(folder.path(), &vendor.trust(), &text);
    let command = |arguments: &[&str]| {
        let mut command = agent.command(arguments);
        command.env("SOME_TOKEN", FROM_ENVIRONMENT).env("HTTP_PROXY", format!("http://me:{OF_A_PROXY}@h:1"));
        command.env("HTTPS_PROXY", format!("http://me:{OF_A_PROXY}@127.0.0.1:1"));
        command.env("SVM_AGENT__DESTINATIONS__OTHER__URL", format!("http://127.0.0.1:1/?{FROM_ENVIRONMENT}"));
        command
    };
    // A code that nobody issued; and the signed text of a document: its payload.
    let wrong = ActivationCode::generate().unwrap().reveal();
    let document = String::from_utf8(vendor.document(&vendor.code)).unwrap();
    let mut planted = Planted::default();
    planted.secrets.extend([&vendor.code, &reserve, &wrong].into_iter().flat_map(|code| forms(code)));
    planted
        .secrets
        .extend([TOKEN, QUERY, NEXT_QUERY, FROM_ENVIRONMENT, OF_A_PROXY, INLINE].map(str::to_owned));
    planted.secrets.push(document.split('.').nth(1).unwrap().to_owned());
    planted.secrets.extend(lines_of(&client.key));

    let start = || Program::start(&mut command(&["run"]), &folder.path().join("agent.log"));
    let mut program = start();
    wait_for("the agent", 20, || agent.ask(&["status"]).ok());
    let mut ask = |code: i32, arguments: &[&str], input: &str| {
        assert_eq!(
            planted.run(&mut command(arguments), input),
            code,
            "{arguments:?}: {:?}",
            planted.said.last()
        );
    };
    vendor.server.say(whole(&["500 Oh"], ""));
    ask(3, &["activate", &wrong], "");
    ask(0, &["status", "--json"], "");
    ask(0, &["activate", "--cancel"], "");
    ask(1, &["activate", "QQQQQ-QQQQQ-QQQQQ-QQQQQ"], "");
    ask(
        1,
        &["activate", &wrong.replacen(&wrong[..1], if wrong.starts_with('A') { "B" } else { "A" }, 1)],
        "",
    );
    vendor.serve();
    ask(1, &["activate", "--json", "-"], &wrong);
    ask(0, &["activate", "-"], &vendor.code);
    // A subscription is no reserve key.
    ask(1, &["activate", "--reserve", &reserve], "");
    wait_for("the receivers' refusals", 20, || {
        let log = agent.log();
        ["http_401", "\"unreachable\""].iter().all(|code| log.contains(code)).then_some(())
    });
    ask(0, &["key", "remove", "SUB-1"], "");
    ask(0, &["activate", &vendor.code], "");

    // Files that hold no token, a token in a place of its own making, and addresses that must not be.
    for nonsense in
        [format!("{TOKEN} and more"), format!("\n{TOKEN}"), format!("{TOKEN}\u{1}"), "x".repeat(99_999)]
    {
        std::fs::write(&token_file, nonsense).unwrap();
        ask(0, &["reload"], "");
        ask(5, &["doctor"], "");
    }
    wait_for("the nonsense to be told", 20, || agent.log().contains("is not a token").then_some(()));
    std::fs::write(&token_file, TOKEN).unwrap();
    let good = std::fs::read_to_string(&agent.config).unwrap();
    for wrong in [
        format!("[destinations.a]\nurl = \"http://me:{INLINE}@h/\"\n"),
        format!("[destinations.a]\nurl = \"ftp://h/?{INLINE}\"\n"),
        format!("[destinations.a]\nurl = \"http://h/?{INLINE}\n"),
        format!("[destinations.a]\nurl = \"http://h/\"\ntoken = \"{INLINE}\"\n"),
        format!("[destinations.a]\nurl = \"http://h/\"\ntoken_file = [\"{INLINE}\"]\n"),
        format!("[destinations.a]\nurl = \"http://h/\"\nproxy = \"http://me:{INLINE}@h\"\n"),
        format!("[destinations.a]\nurl = \"http://h/\"\nproxy = \"http://h/?{INLINE}\"\n"),
        format!("[destinations.a]\nurl = \"http://h/#{INLINE}\"\n"),
        format!("[destinations.a]\nurl = \"http://h/ {INLINE}\"\n"),
        format!("[destinations.a]\nkind = \"syslog\"\nurl = \"tls://me:{INLINE}@h\"\n"),
        format!(
            "[destinations.a]\nurl = \"http://h/\"\nkind = \"{INLINE}\"\ntimeout = \"http://h/?{INLINE}\"\n"
        ),
        format!("[destinations.a]\nurl = \"http://h/\"\ntoken_file = \"{INLINE}\"\n"),
        format!(
            "[destinations.a]\nurl = \"http://h/\"\ncertificate_file = \"/c\"\nkey_file = \"-----BEGIN PRIVATE KEY-----\\n{INLINE}\"\n"
        ),
        format!("[destinations.a]\nurl = http://h/?{INLINE}\n"),
        format!("[destinations.a]\nurl = 'http://h/?{INLINE}\n"),
        format!("[destinations.a]\nurl = \"http://h/\\p?{INLINE}\"\n"),
        format!("[destinations.a]\nurl = \"http://h/?{INLINE}\"\nurl = \"http://h/?{INLINE}\"\n"),
        format!("[gateway]\nupstreams = [\"http://me:{INLINE}@h:1\", \"me:{INLINE}@h\"]\n"),
    ] {
        std::fs::write(&agent.config, good.clone() + &wrong).unwrap();
        ask(78, &["config", "check"], "");
        ask(78, &["config", "check", "--json"], "");
        ask(78, &["config", "show"], "");
        ask(78, &["reload"], "");
        ask(5, &["doctor"], "");
    }
    let rotated = good.replacen(QUERY, NEXT_QUERY, 1);
    std::fs::write(&agent.config, &rotated).unwrap();
    ask(0, &["reload"], "");
    wait_for("the next query to be used", 20, || {
        console.requests().iter().any(|request| request.path().contains(NEXT_QUERY)).then_some(())
    });
    console.answer(move |request, stream| {
        let refused = String::from_utf8_lossy(&request.content()).contains("svm.key.removed");
        repeat(if refused { "400 Bad Request" } else { "200 OK" }, request, stream)
    });
    ask(0, &["reload"], "");
    wait_for("what is refused to be in quarantine", 20, || {
        agent.log().contains("events.quarantined").then_some(())
    });

    for (code, arguments) in [
        (0, &["status"][..]),
        (0, &["status", "--json"]),
        (0, &["status", "--explain"]),
        (0, &["key", "list"]),
        (0, &["key", "list", "--json"]),
        (0, &["config", "show"]),
        (0, &["config", "show", "--json"]),
        (0, &["config", "check"]),
        (0, &["config", "check", "--offline"]),
        (0, &["events", "list", "--limit", "1000"]),
        (0, &["events", "list", "--limit", "1000", "--json"]),
        (0, &["events", "list", "--quarantined"]),
        (0, &["events", "list", "--quarantined", "--json"]),
        (0, &["renewal"]),
        (0, &["renewal", "--json"]),
        (0, &["report"]),
        (0, &["refresh"]),
        (0, &["reload"]),
        (5, &["doctor"]),
        (5, &["doctor", "--json"]),
        (1, &["check"]),
        (0, &["identity", "show"]),
        (0, &["clock", "show"]),
        (0, &["simulate"]),
        (0, &["updates", "status"]),
        (0, &["gate", "list"]),
        (0, &["permit", "ksn", "--json"]),
    ] {
        ask(code, arguments, "");
    }
    for event in agent.ask(&["events", "list", "--limit", "1000"]).unwrap().as_array().unwrap() {
        ask(0, &["events", "show", event["id"].as_str().unwrap()], "");
    }
    for (socket, path) in
        [("query", "/metrics"), ("query", "/v1/status"), ("control", "/v1/status"), ("control", "/v1/keys")]
    {
        let mut stream = UnixStream::connect(folder.path().join(format!("run/{socket}.sock"))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        planted.said.push((format!("{socket}.sock {path}"), text));
    }
    assert!(program.terminate().success());
    // Told from the start, by settings that are wrong.
    std::fs::write(&agent.config, good.clone() + &format!("[destinations.a]\ntoken = \"{INLINE}\"\n"))
        .unwrap();
    let mut refused = start();
    assert_eq!(refused.child.wait().unwrap().code(), Some(78));
    planted.said.push(("the log".to_owned(), agent.log()));
    assert!(agent.log().contains("DEBUG") || agent.log().contains("\"level\":\"debug\""), "{}", agent.log());
    for request in console.requests() {
        planted.said.push(("an event".to_owned(), String::from_utf8_lossy(&request.content()).into_owned()));
    }
    std::fs::write(&agent.config, &good).unwrap();
    let settings = Settings::read(std::slice::from_ref(&agent.config), []).unwrap();
    assert!(format!("{settings:?}").contains("token_file"), "there is something to hide");
    planted.debug("settings", &settings);
    assert!(planted.said.len() > 80);
    planted.is_nowhere();

    // Files that others may read.
    let of = |name: &str| folder.path().join(name);
    for path in
        files(folder.path()).into_iter().filter(|p| p.starts_with(of("run")) || p.starts_with(of("state")))
    {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // Codes and tokens are kept nowhere; the name of the document is, where nobody else may read it.
        let stored = !path.starts_with(of("run")) && mode & 0o077 == 0;
        let never = [&vendor.code, &reserve, &wrong].map(String::as_str);
        for secret in &planted.secrets {
            let always = never.contains(&secret.as_str()) || secret.starts_with("planted");
            assert!(stored && !always || !text.contains(secret.as_str()), "{} has {secret}", path.display());
        }
    }
}

/// What a secret file has in it when it came to harm, and the same where another file belongs. Libraries quote what they
/// cannot read.
#[test]
fn nothing_of_a_damaged_secret_is_told_to_anybody() {
    if !have("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let vendor = Vendor::new(folder.path(), at_far(), 30);
    let console = Server::start();
    console.say(whole(&["204 No Content"], ""));
    let client = Authority::new(folder.path(), "authority").issue("client", "DNS:svm.example", 30);
    let key = std::fs::read_to_string(&client.key).unwrap();
    openssl(folder.path(), &["pkey", "-in", "client.key", "-outform", "DER", "-out", "client.der"]);
    let trust = at("trust.d");
    std::fs::create_dir(&trust).unwrap();
    for entry in std::fs::read_dir(vendor.trust()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, trust.join(path.file_name().unwrap())).unwrap();
    }
    let mut damaged = damages(&key);
    damaged.push(("der", std::fs::read(at("client.der")).unwrap()));
    damaged.push(("whole", key.clone().into_bytes()));
    let mut text = format!(
        "{}[log]\nlevel = \"debug\"\n[devices]\ncount_file = {:?}\n\
         [destinations.console]\nurl = \"http://127.0.0.1:{}/\"\nreceiver = \"generic\"\n",
        vendor.source(),
        at("spaces.key"),
        console.port,
    );
    let mut names = Vec::new();
    for (name, bytes) in &damaged {
        let file = at(&format!("{name}.key"));
        std::fs::write(&file, bytes).unwrap();
        // Whoever may trust is asked to be root alone; that a key lies there is told all the same.
        std::fs::write(trust.join(format!("{name}.pem")), bytes).unwrap();
        let (cert, own) = (&client.certificate, &client.key);
        let pair = |certificate: &Path, key: &Path| {
            format!("certificate_file = {certificate:?}\nkey_file = {key:?}\n")
        };
        let roles = [
            ("key", pair(cert, &file)),
            ("cert", pair(&file, own)),
            ("ca", format!("ca_file = {file:?}\n")),
            ("token", format!("token_file = {file:?}\n")),
        ];
        for (role, more) in roles {
            if *name == "whole" && role == "key" {
                continue;
            }
            let scheme = if role == "token" { "http" } else { "https" };
            text += &format!(
                "[destinations.{role}-{name}]\nurl = \"{scheme}://127.0.0.1:1/\"\ntimeout = \"2s\"\n{more}"
            );
            names.push(format!("{role}-{name}"));
        }
    }
    let mut planted = Planted { secrets: pieces(&key), ..Planted::default() };
    assert!(planted.secrets.len() > 10);
    let agent = Agent::new(folder.path(), &trust, &text);
    let mut program = agent.start_ready();
    agent.ask(&["activate", &vendor.code]).unwrap();
    wait_for("each destination to fail", 30, || {
        let status = agent.status();
        let fails = |name: &String| {
            let code = &status["destinations"][name]["outage"]["code"];
            code == "connection_settings" || code == "token_file"
        };
        // A bare word of base64 is a token, as far as anybody can tell: it is sent, and to nobody.
        let missing: Vec<_> =
            names.iter().filter(|name| !fails(name) && !name.starts_with("token-")).collect();
        missing.is_empty().then_some(())
    });
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["status", "--explain"],
        &["doctor"],
        &["doctor", "--json"],
        &["config", "check"],
        &["config", "check", "--json"],
        &["config", "show"],
        &["events", "list", "--limit", "1000", "--json"],
        &["report"],
        &["reload"],
        &["refresh"],
    ] {
        planted.run(&mut agent.command(arguments), "");
    }
    for (name, bytes) in &damaged {
        let file = at(&format!("{name}.key"));
        let path = file.to_str().unwrap();
        let input = String::from_utf8_lossy(bytes).into_owned();
        for arguments in [
            &["key", "add", path][..],
            &["key", "add", "-"],
            &["activate", "-"],
            &["key", "add", "-", "--json"],
            &["simulate", path],
            &["--config", path, "config", "check"],
            &["--config", path, "doctor"],
            &["--config", path, "run"],
        ] {
            assert_ne!(planted.run(&mut agent.command(arguments), &input), 0, "{name}: {arguments:?}");
        }
        for variable in ["PRODUCT__VERSION_FILE", "DEVICES__COUNT_FILE", "IDENTITY__MACHINE_ID_FILE"] {
            let mut command = agent.command(&["config", "check"]);
            planted.run(command.env(format!("SVM_AGENT__{variable}"), &file), "");
        }
    }
    wait_for("a report with the failures", 30, || {
        let reported = |request: &std::sync::Arc<Request>| {
            let text = String::from_utf8_lossy(&request.body).into_owned();
            text.contains("svm.agent.report") && text.contains("key-spaces") && text.contains("damaged PEM")
        };
        console.requests().iter().any(reported).then_some(())
    });
    assert!(program.terminate().success());
    for request in console.requests() {
        planted.said.push(("an event".to_owned(), String::from_utf8_lossy(&request.body).into_owned()));
    }
    planted.said.push(("the log".to_owned(), agent.log()));
    assert!(agent.log().contains("damaged PEM: line 1 has more than its header"), "{}", agent.log());
    planted.debug("the settings", &Settings::read(std::slice::from_ref(&agent.config), []).unwrap());
    planted.is_nowhere();
}

fn at_far() -> jiff::Timestamp {
    at("2040-01-01T00:00:00Z")
}

/// The same with the provider's key, and with files of the ledger that hold it by mistake.
#[test]
fn nothing_of_a_damaged_signing_key_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let vendor = |key: &str, arguments: &[&str]| {
        let mut command = Command::new(program("svm-vendor"));
        command.current_dir(folder.path()).args(["--ledger", "ledger", "--signing-key", key]).args(arguments);
        command
    };
    let mut planted = Planted::default();
    assert_eq!(
        planted
            .run(&mut vendor("key.pem", &["keygen", "--iss", "provider.example", "--name", "Example"]), ""),
        0
    );
    planted.run(&mut vendor("key.pem", &["issue", "--key-id", "SUB-1", "--days", "30"]), "");
    planted.said.clear();
    let key = std::fs::read_to_string(at("key.pem")).unwrap();
    planted.secrets = pieces(&key);
    assert!(planted.secrets.len() > 4);
    let profile = std::fs::read(at("ledger/provider.toml")).unwrap();
    let held = files(&at("ledger/keys"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "json"))
        .unwrap();
    let entry = std::fs::read(&held).unwrap();
    for (name, bytes) in damages(&key) {
        std::fs::write(at(name), &bytes).unwrap();
        let input = String::from_utf8_lossy(&bytes).into_owned();
        for arguments in [
            &["renew", "SUB-1", "--days", "3"][..],
            &["renew", "SUB-1", "--days", "3", "--json"],
            &["keygen", "--iss", "provider.example", "--name", "Example"],
            &["resign", "--all"],
        ] {
            assert_ne!(planted.run(&mut vendor(name, arguments), ""), 0, "{name}: {arguments:?}");
        }
        for arguments in [
            &["renew", "-", "--days", "3"][..],
            &["inspect", name],
            &["publish", "published", "--profile", name],
        ] {
            assert_ne!(planted.run(&mut vendor("key.pem", arguments), &input), 0, "{name}: {arguments:?}");
        }
        // In the place of each file of the ledger.
        for (path, good) in [(at("ledger/provider.toml"), &profile), (held.clone(), &entry)] {
            for wrong in [
                bytes.clone(),
                format!("iss = 5\nname = [{input:?}]").into_bytes(),
                serde_json::json!({"key": input, "history": input}).to_string().into_bytes(),
            ] {
                std::fs::write(&path, wrong).unwrap();
                planted.run(&mut vendor("key.pem", &["list"]), "");
                planted.run(&mut vendor("key.pem", &["list", "--json"]), "");
            }
            std::fs::write(&path, good).unwrap();
        }
        let signer = at("ledger/trust.d/wrong.pem");
        std::fs::write(&signer, &bytes).unwrap();
        planted.run(&mut vendor("key.pem", &["signers"]), "");
        std::fs::remove_file(signer).unwrap();
    }
    assert!(planted.said.len() > 200);
    planted.is_nowhere();
}

#[test]
fn nothing_that_the_vendor_s_tool_says_has_a_private_key() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let vendor = |key: &str, arguments: &[&str]| {
        let mut command = Command::new(program("svm-vendor"));
        command.current_dir(folder.path()).args(["--ledger", "ledger", "--signing-key", key]).args(arguments);
        command
    };
    let mut planted = Planted::default();
    let keygen = ["keygen", "--iss", "provider.example", "--name", "Example"];
    assert_eq!(planted.run(&mut vendor("key.pem", &keygen), ""), 0);
    planted.secrets.extend(lines_of(&at("key.pem")));
    // That it is secret is found where it is not hidden.
    let issue = ["issue", "--key-id", "SUB-1", "--days", "30", "--json"];
    for (code, key, arguments) in [
        (0, "key.pem", &keygen[..]),
        (0, "key.pem", &issue),
        (0, "key.pem", &["list"]),
        (0, "key.pem", &["list", "--json"]),
        (0, "key.pem", &["signers"]),
        (0, "key.pem", &["renew", "SUB-1", "--days", "3"]),
        (0, "key.pem", &["resign", "--all"]),
        (0, "key.pem", &["publish", "published"]),
    ] {
        let ended = planted.run(&mut vendor(key, arguments), "");
        assert_eq!(ended, code, "{arguments:?}: {:?}", planted.said.last());
    }
    // Keys that cannot be used: cut, turned round, open to all, with words before it.
    let text = std::fs::read_to_string(at("key.pem")).unwrap();
    let secret = planted.secrets[0].clone();
    for (name, broken, mode) in [
        ("cut.pem", text.replace(&secret, &secret[..secret.len() - 8]), 0o600),
        ("other.pem", text.replace("PRIVATE KEY", "CERTIFICATE"), 0o600),
        ("open.pem", text.clone(), 0o644),
        ("bare.pem", secret.clone(), 0o600),
        ("words.pem", text.replace("-----BEGIN", "my key: -----BEGIN"), 0o600),
    ] {
        std::fs::write(at(name), broken).unwrap();
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).unwrap();
        for json in [&[][..], &["--json"]] {
            planted.run(vendor(name, &["renew", "SUB-1", "--days", "3"]).args(json), "");
        }
    }
    planted.secrets.push(secret[..secret.len() - 8].to_owned());
    planted.debug("a signing key", &SigningKey::read(&at("key.pem")).unwrap());
    planted.is_nowhere();
    // Nor is it in what the provider keeps and publishes.
    for path in files(&at("ledger")).into_iter().chain(files(&at("published"))) {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        assert!(!text.contains(&secret), "{}", path.display());
    }
}

#[test]
fn nothing_that_the_collector_says_has_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let program = || Command::new(program("svm-collector"));
    // The one output that has it: it is made there.
    let made = String::from_utf8(program().arg("token").output().unwrap().stdout).unwrap();
    let [token, hash] = made.split_whitespace().filter(|word| word.len() >= 64).collect::<Vec<_>>()[..]
    else {
        panic!("{made}");
    };
    std::fs::write(at("tokens"), format!("{hash}\n{INLINE} is no line\n")).unwrap();
    let port = support::free_port();
    let config = format!(
        "listen = \"127.0.0.1:{port}\"\n[store]\npath = {:?}\n[tokens]\nfile = {:?}\n[log]\nlevel = \"debug\"\n",
        at("collector.db"),
        at("tokens")
    );
    std::fs::write(at("collector.toml"), &config).unwrap();
    let mut planted = Planted::default();
    planted.secrets.extend([token, TOKEN, INLINE].map(str::to_owned));
    let run = || {
        let mut command = program();
        command.args(["run", "--config"]).arg(at("collector.toml"));
        command
    };
    assert_ne!(planted.run(&mut run(), ""), 0, "a token file that is nonsense");
    std::fs::write(at("tokens"), format!("{hash}\n")).unwrap();
    let mut collector = Program::start(&mut run(), &at("collector.log"));
    wait_for("the collector", 20, || support::get_json(port, "/healthz"));

    // An agent with its token, with a wrong one, and with the right one again.
    std::fs::create_dir(at("svm")).unwrap();
    std::fs::write(at("token"), token).unwrap();
    let destination = format!(
        "[destinations.console]\nurl = \"http://127.0.0.1:{port}/v1/events\"\ntoken_file = {:?}\n",
        at("token")
    );
    let agent = Agent::new(&at("svm"), folder.path(), &destination);
    let _agent = agent.start_ready();
    agent.settled();
    std::fs::write(at("token"), TOKEN).unwrap();
    agent.ask(&["report"]).unwrap();
    wait_for("the refusal", 20, || agent.log().contains("delivery.fails").then_some(()));
    std::fs::write(at("tokens"), format!("{hash}\n{INLINE} is no line\n")).unwrap();
    wait_for("the complaint", 20, || {
        let log = std::fs::read_to_string(at("collector.log")).unwrap();
        log.contains("token").then_some(())
    });
    for path in ["/", "/v1/svms", "/v1/events?limit=1000", "/metrics", "/nothing"] {
        let (_, body) = support::get(port, path).unwrap();
        planted.said.push((path.to_owned(), body));
    }
    collector.terminate();
    planted.run(program().args(["config", "check", "--config"]).arg(at("collector.toml")), "");
    for name in ["collector.log", "collector.db", "collector.db-wal", "svm/agent.log"] {
        let bytes = std::fs::read(at(name)).unwrap_or_default();
        planted.said.push((name.to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
    }
    let settings = svm_collector::settings::Settings::load(&[at("collector.toml")], []).unwrap();
    planted.debug("settings", &settings);
    planted.is_nowhere();
}

#[test]
fn what_holds_a_secret_has_none_for_debugging() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), at("2040-01-01T00:00:00Z"), 30);
    let code = ActivationCode::parse(&vendor.code).unwrap();
    let text = String::from_utf8(vendor.document(&vendor.code)).unwrap();
    let mut planted = Planted::default();
    planted.secrets.extend(forms(&vendor.code));
    planted.secrets.extend(text.split('.').skip(1).map(str::to_owned));
    let (_, entry) = vendor.provider.issue(order("SUB-2", at("2041-01-01T00:00:00Z"), 0), now()).unwrap();
    planted.secrets.push(entry.document.sub.as_str().to_owned());
    planted.debug("a code", &code);
    planted.debug("its document's name", &code.sub());
    planted.debug("a key that is meant", &KeyRef::Code(code.clone()));
    planted.debug("a file that is meant", &KeyRef::File(code.sub()));
    planted.debug("an entry", &entry);
    let (key, issuer) = ("SUB-1".to_owned(), "provider.example".to_owned());
    let sub = code.sub().as_str().to_owned();
    planted.debug("a paper", &svm_agent::storage::StoredDocument { key, issuer, sub, jws: text });
    planted.debug("a mistyped code", &ActivationCode::parse(&vendor.code[1..]).unwrap_err());
    planted.is_nowhere();
}
