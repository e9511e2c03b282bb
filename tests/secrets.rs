//! No secret is in anything that the agent says: planted, and then looked for in every output.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]
#![allow(clippy::disallowed_methods, reason = "a test waits in the world's time")]

mod support;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use support::server::{Server, whole};
use support::{Agent, Vendor, at, now, order, wait_for};
use svm::agent::settings::Settings;
use svm::documents::ActivationCode;

const TOKEN: &str = "planted-bearer-token-5d1f";
const HEADER: &str = "planted-token-in-the-environment-77c2";

/// Every form of a secret that must not be seen.
fn forms(code: &str) -> Vec<String> {
    let sub = ActivationCode::parse(code).unwrap().sub();
    vec![code.to_owned(), code.replace('-', ""), code.to_lowercase(), sub.as_str().to_owned()]
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn no_output_has_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), at("2040-01-01T00:00:00Z"), 30);
    let (reserve, _) = vendor.provider.issue(order("SUB-2", at("2041-01-01T00:00:00Z"), 0), now()).unwrap();
    let reserve = reserve.reveal();
    vendor.publish();
    let console = Server::start();
    console.say(whole(&["401 Unauthorized"], "no"));
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, TOKEN).unwrap();
    let text = format!(
        "{}[log]\nlevel = \"debug\"\n[destinations.console]\nurl = \"http://127.0.0.1:{}/in\"\ntoken_file = {token_file:?}\n",
        vendor.source(),
        console.port
    );
    let agent = Agent::new(folder.path(), &vendor.trust(), &text);
    let mut secrets: Vec<String> =
        [&vendor.code, &reserve].into_iter().flat_map(|code| forms(code)).collect();
    secrets.extend([TOKEN.to_owned(), HEADER.to_owned()]);
    // A code that nobody issued, and one that is mistyped.
    let wrong = svm::documents::ActivationCode::generate().unwrap().reveal();
    secrets.extend(forms(&wrong));
    // The signed text of a document: its payload.
    let document = String::from_utf8(vendor.document(&vendor.code)).unwrap();
    secrets.push(document.split('.').nth(1).unwrap().to_owned());

    let mut said: Vec<(String, String)> = Vec::new();
    let mut ask = |arguments: &[&str]| {
        let output = agent.command(arguments).env("SOME_TOKEN", HEADER).output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        said.push((arguments.join(" ").replace(&vendor.code, "CODE"), text.concat()));
        output.status.success()
    };
    let mut program = agent.start_ready();
    vendor.server.say(whole(&["500 Oh"], ""));
    ask(&["activate", &wrong]);
    ask(&["status", "--json"]);
    ask(&["activate", "--cancel"]);
    ask(&["activate", "QQQQQ-QQQQQ-QQQQQ-QQQQQ"]);
    vendor.serve();
    ask(&["activate", &wrong]);
    assert!(ask(&["activate", &vendor.code]));
    ask(&["activate", "--reserve", &reserve]);
    wait_for("the receiver's refusal", 20, || agent.log().contains("http_401").then_some(()));
    ask(&["key", "remove", "SUB-1"]);
    assert!(ask(&["activate", &vendor.code]));
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["status", "--explain"],
        &["key", "list"],
        &["key", "list", "--json"],
        &["config", "show"],
        &["config", "show", "--json"],
        &["config", "check"],
        &["events", "list", "--limit", "1000"],
        &["events", "list", "--limit", "1000", "--json"],
        &["renewal"],
        &["renewal", "--json"],
        &["report"],
        &["refresh"],
        &["reload"],
        &["doctor"],
        &["doctor", "--json"],
        &["check"],
        &["identity", "show"],
        &["clock", "show"],
        &["simulate"],
        &["updates", "status"],
        &["permit", "ksn", "--json"],
    ] {
        ask(arguments);
    }
    for event in agent.ask(&["events", "list", "--limit", "1000"]).unwrap().as_array().unwrap() {
        ask(&["events", "show", event["id"].as_str().unwrap()]);
    }
    for (socket, path) in
        [("query", "/metrics"), ("query", "/v1/status"), ("control", "/v1/status"), ("control", "/v1/keys")]
    {
        let mut stream = UnixStream::connect(folder.path().join(format!("run/{socket}.sock"))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        said.push((format!("{socket}.sock {path}"), text));
    }
    assert!(program.terminate().success());
    said.push(("the log".to_owned(), agent.log()));
    for request in console.requests() {
        said.push(("an event's body".to_owned(), String::from_utf8_lossy(&request.content()).into_owned()));
    }
    let settings = Settings::read(std::slice::from_ref(&agent.config), []).unwrap();
    said.push(("settings for debugging".to_owned(), format!("{settings:?}")));
    said.push((
        "a code for debugging".to_owned(),
        format!("{:?}", ActivationCode::parse(&vendor.code).unwrap()),
    ));
    // Files that others may read.
    for path in files(folder.path()).into_iter().filter(|path| {
        path.starts_with(folder.path().join("run")) || path.starts_with(folder.path().join("state"))
    }) {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // The code and the token are kept nowhere; the name of the file is, where nobody else may read it.
        let kept = !path.starts_with(folder.path().join("run")) && mode & 0o077 == 0;
        for secret in
            secrets.iter().filter(|secret| !kept || secret.contains(TOKEN) || vendor.code == **secret)
        {
            assert!(!text.contains(secret.as_str()), "{} has {secret}", path.display());
        }
    }
    assert!(said.len() > 40 && said.iter().any(|(what, text)| what == "the log" && text.contains("DEBUG")));
    for (what, text) in &said {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{what} has {secret}: {text}");
        }
    }
}
