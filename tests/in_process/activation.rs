//! Activation where something is in the way: a vendor that does not answer, a code that it does not know or took back, a
//! document that comes as a paste.

use crate::support::running::Running;
use crate::support::server::whole;
use crate::support::{Agent, Program, Vendor, at, have, now, order, wait_for};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use svm_core::clock::Clock;
use svm_core::documents::ActivationCode;
use svm_core::subscription::{KeyId, Licence, Terms};
use svm_vendor::{IssueOrder, KeyRef};

const FAR: &str = "2040-01-01T00:00:00Z";

struct World {
    vendor: Vendor,
    agent: Agent,
    program: Program,
    trust: PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vendor = Vendor::new(folder.path(), at(FAR), 30);
        let trust = folder.path().join("trust");
        copy_all(&vendor.trust(), &trust);
        let agent = Agent::new(folder.path(), &trust, &vendor.source());
        let program = agent.start_ready();
        Self { vendor, agent, program, trust, _folder: folder }
    }

    /// The vendor's server is out of order.
    fn down(&self) {
        self.vendor.server.say(whole(&["503 Service Unavailable"], "later"));
    }

    fn restart(&mut self) {
        self.program.kill();
        self.program = self.agent.start_ready();
    }

    /// Another code of the vendor, published.
    fn another(&self, order: IssueOrder) -> String {
        let (code, _) = self.vendor.provider.issue(order, now()).unwrap();
        self.vendor.publish();
        code.reveal()
    }

    fn activate(&self, arguments: &[&str]) -> (i32, Value) {
        let asked = [&["activate"], arguments].concat();
        self.agent.ask(&asked).map_or_else(|refused| refused, |done| (0, done))
    }

    fn pending(&self) -> Vec<Value> {
        self.agent.status()["activations"].as_array().unwrap().clone()
    }

    /// Types of events about keys and their activation, oldest first.
    fn story(&self) -> Vec<String> {
        let reported = self.agent.reported();
        reported
            .into_iter()
            .filter(|kind| kind.starts_with("key.") || kind.starts_with("activation."))
            .collect()
    }

    fn keys(&self) -> Vec<String> {
        let keys = self.agent.status()["keys"].clone();
        keys.as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap().to_owned()).collect()
    }

    fn until_held(&self, keys: &[&str]) {
        wait_for("the keys", 20, || (self.keys() == keys && self.pending().is_empty()).then_some(()));
    }
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn commercial(key: &str) -> IssueOrder {
    let mut order = IssueOrder::new(Terms::Licence(Licence { period_days: 365, blocked_since: None }));
    order.key_id = Some(KeyId::try_from(key.to_owned()).unwrap());
    order
}

#[test]
fn the_vendor_counts_as_heard_by_whoever_activates() {
    let mut world = World::new();
    let heard = |world: &World| world.agent.status()["source"]["last_heard_at"].as_str().map(at);
    assert_eq!(heard(&world), None);
    assert_eq!(world.activate(&[&world.vendor.code]).0, 0);
    let first = wait_for("the vendor's word", 20, || heard(&world));
    world.down();
    world.restart();
    assert!(heard(&world) >= Some(first), "over a restart, too: {first} {:?}", heard(&world));
}

#[test]
fn a_code_is_not_lost_where_the_vendor_does_not_answer() {
    let mut world = World::new();
    world.down();
    let (exit, answer) = world.activate(&[&world.vendor.code]);
    assert_eq!(exit, 3, "{answer}");
    assert_eq!((&answer["pending"]["code"], &answer["replaces"]), (&json!("http_status"), &json!(false)));
    assert!(answer["pending"]["message"].as_str().unwrap().starts_with("127.0.0.1: "), "{answer}");
    let since = world.pending()[0]["since"].clone();
    // Again: it is the same one, and is not told again.
    assert_eq!(world.activate(&[&world.vendor.code]).0, 3);
    world.restart();
    wait_for("more tries", 20, || (world.pending().first()?["tries"].as_u64()? > 4).then_some(()));
    assert_eq!(world.pending()[0]["since"], since, "over a restart, too");
    assert_eq!(world.agent.status()["phase"], "not_activated");
    let shown = world.agent.command(&["status", "--explain"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("pending since") && shown.contains("--cancel"), "{shown}");
    assert_eq!(world.story(), ["activation.pending"]);

    // Whatever it is that fails, it waits on.
    for wrong in [whole(&["404 Not Found"], ""), whole(&["410 Gone"], ""), whole(&["200 OK"], "<html>")] {
        let asked = world.vendor.server.requests().len();
        world.vendor.server.say(wrong);
        wait_for("two tries", 20, || (world.vendor.server.requests().len() > asked + 1).then_some(()));
        assert_eq!(world.pending().len(), 1);
    }
    world.vendor.serve();
    world.until_held(&["SUB-1"]);
    assert_eq!(world.story(), ["activation.pending", "key.added"]);
    assert_eq!(world.agent.permit("database-updates"), 0);
    // The name of the file is kept where it is needed, the code nowhere.
    let code = world.vendor.code.replace('-', "");
    for entry in std::fs::read_dir(world.agent.folder.join("state")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(20).any(|w| w == code.as_bytes()));
    }
    let sub = ActivationCode::parse(&world.vendor.code).unwrap().sub();
    assert!(!world.agent.log().contains(sub.as_str()) && !world.agent.log().contains(&code));
    assert!(!world.agent.status().to_string().contains(sub.as_str()));
}

#[test]
fn another_code_takes_its_place_and_a_word_drops_it() {
    let world = World::new();
    let other = world.another(order("SUB-2", at(FAR), 0));
    world.down();
    assert_eq!(world.activate(&[&world.vendor.code]).0, 3);
    let (exit, answer) = world.activate(&[&other]);
    assert_eq!((exit, &answer["replaces"]), (3, &json!(true)));
    let said = world.agent.command(&["activate", &world.vendor.code]).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("The activation that was pending before is cancelled."), "{said}");
    assert_eq!(world.pending().len(), 1);
    let cancelled = world.agent.ask(&["activate", "--cancel"]).unwrap();
    assert_eq!(cancelled["cancelled"][0]["role"], "active");
    assert!(world.pending().is_empty());
    assert_eq!(world.agent.refused(&["activate", "--cancel"]), (1, "not_pending".to_owned()));
    let pending = "activation.pending";
    assert_eq!(world.story(), [pending, pending, pending, "activation.cancelled"]);

    // A key that is added otherwise: the same is over with it, another one gives way, and that is told.
    let file = world.agent.folder.join("key.jws");
    std::fs::write(&file, world.vendor.document(&world.vendor.code)).unwrap();
    assert_eq!(world.activate(&[&world.vendor.code]).0, 3);
    world.agent.ask(&["key", "add", file.to_str().unwrap()]).unwrap();
    world.until_held(&["SUB-1"]);
    assert_eq!(world.story()[4..], [pending, "key.added"]);
    world.agent.ask(&["key", "remove", "SUB-1"]).unwrap();
    assert_eq!(world.activate(&[&other]).0, 3);
    world.agent.ask(&["key", "add", file.to_str().unwrap()]).unwrap();
    world.until_held(&["SUB-1"]);
    assert_eq!(world.story()[7..], [pending, "key.added", "activation.cancelled"]);
    // A wrong code is nobody's business: neither asked nor kept.
    let asked = world.vendor.server.requests().len();
    let (exit, error) = world.activate(&["AAAAA-BBBBB"]);
    assert_eq!((exit, &error["error"]["code"]), (1, &json!("bad_code")));
    assert_eq!((world.vendor.server.requests().len(), world.pending().len()), (asked, 0));
}

#[test]
fn a_refusal_ends_it_and_is_told_once() {
    let world = World::new();
    world.down();
    assert_eq!(world.activate(&[&world.vendor.code]).0, 3);
    for entry in std::fs::read_dir(&world.trust).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    world.vendor.serve();
    wait_for("the refusal", 20, || world.pending().is_empty().then_some(()));
    assert_eq!(world.story(), ["activation.pending", "key.rejected"]);
    assert!(world.keys().is_empty());
    copy_all(&world.vendor.trust(), &world.trust);

    // The key that runs meanwhile is the reason of the other refusal.
    let other = world.another(order("SUB-2", at(FAR), 0));
    world.activate(&[&world.vendor.code]);
    world.down();
    assert_eq!(world.activate(&[&other]).0, 3);
    world.vendor.serve();
    wait_for("the refusal", 20, || world.pending().is_empty().then_some(()));
    let events = world.agent.ask(&["events", "list", "--limit", "20"]).unwrap();
    let last = events.as_array().unwrap().iter().rfind(|e| e["type"] == "key.rejected").unwrap().clone();
    assert!(last["description"].as_str().unwrap().contains("runs until 2040-01-01"), "{last}");
    assert_eq!(world.keys(), ["SUB-1"]);
}

#[test]
fn a_reserve_waits_for_the_active_key() {
    let mut world = World::new();
    let reserve = world.another(commercial("COM-1"));
    world.down();
    assert_eq!(world.activate(&[&reserve, "--reserve"]).0, 3);
    assert_eq!(world.activate(&[&world.vendor.code]).0, 3);
    let roles: Vec<Value> = world.pending().iter().map(|p| p["role"].clone()).collect();
    assert_eq!(roles, ["active", "reserve"]);
    world.restart();
    world.vendor.serve();
    world.until_held(&["SUB-1", "COM-1"]);
    let story = world.story();
    assert_eq!(story[2..], ["key.added", "key.added"], "{story:?}");
    // Of two, one alone can be dropped.
    world.agent.ask(&["key", "remove", "COM-1"]).unwrap();
    world.down();
    world.activate(&[&reserve, "--reserve"]);
    assert_eq!(
        world.agent.ask(&["activate", "--cancel", "--reserve"]).unwrap()["cancelled"][0]["role"],
        "reserve"
    );
}

#[test]
fn a_code_that_the_vendor_does_not_know_or_took_back_is_said_to_be_so() {
    let world = World::new();
    let unpublished = ActivationCode::generate().unwrap();
    let (exit, error) = world.activate(&[&unpublished.reveal()]);
    assert_eq!((exit, &error["error"]["code"]), (1, &json!("not_found")));
    let message = error["error"]["message"].as_str().unwrap();
    for word in ["127.0.0.1", "check character", "not published yet", "source.url", "--until-published"] {
        assert!(message.contains(word), "{word}: {message}");
    }
    assert!(world.pending().is_empty());

    world.vendor.server.say(whole(&["410 Gone"], ""));
    let (exit, error) = world.activate(&[&world.vendor.code]);
    assert_eq!((exit, &error["error"]["code"]), (1, &json!("withdrawn")));
    assert!(error["error"]["message"].as_str().unwrap().contains("another code"), "{error}");
    assert!(world.pending().is_empty() && world.story().is_empty());
    world.vendor.serve();

    // Waited for on request.
    let (exit, answer) = world.activate(&[&unpublished.reveal(), "--until-published"]);
    assert_eq!((exit, &answer["pending"]["code"]), (3, &json!("not_found")));
    assert!(!answer.to_string().contains("--until-published"), "{answer}");
    let mut late = order("SUB-3", at(FAR), 0);
    late.code = Some(unpublished);
    world.another(late);
    world.until_held(&["SUB-3"]);

    // Taken back by a document: held, and of no use, and that is said.
    world.agent.ask(&["key", "remove", "SUB-3"]).unwrap();
    let code = world.another(order("SUB-4", at(FAR), 0));
    let key = KeyRef::Code(ActivationCode::parse(&code).unwrap());
    world.vendor.provider.change(&key, &svm_vendor::Change::Block, now()).unwrap();
    world.vendor.publish();
    let (exit, answer) = world.activate(&[&code]);
    assert_eq!(exit, 0, "{answer}");
    assert!(answer["remark"].as_str().unwrap().contains("blocked key SUB-4"), "{answer}");
    assert_eq!(world.agent.status()["cause"], "blocked");
    let (exit, answer) = world.activate(&[&world.vendor.code]);
    assert_eq!((exit, &answer["remark"]), (0, &Value::Null), "a blocked key gives way");
}

#[test]
fn after_thirty_days_it_has_failed_and_that_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), at(FAR), 0);
    vendor.server.say(whole(&["503 Service Unavailable"], ""));
    let source = vendor.source().replace("\"1s\"", "\"6h\"").replace("timeout = \"6h\"", "timeout = \"5s\"");
    let agent = Agent::new(folder.path(), &vendor.trust(), &source);
    // Five days a second.
    let running = Running::start(&agent, Clock::fast(now(), 432_000));
    let (exit, _) = agent.ask(&["activate", &vendor.code]).unwrap_err();
    assert_eq!(exit, 3);
    wait_for("the end of it", 60, || {
        agent.reported().contains(&"activation.failed".to_owned()).then_some(())
    });
    assert_eq!(agent.status()["activations"], json!([]));
    running.stop();
    let asked = vendor.server.requests().len();
    assert!(asked > 30, "{asked}");
}

// Pastes.

fn pasted(agent: &Agent, text: &str) -> (i32, Value) {
    let mut command = agent.command(&["key", "add", "-", "--json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // What is too large is not read to its end.
    let written = child.stdin.take().unwrap().write_all(text.as_bytes());
    assert!(written.is_ok() || text.len() > 100_000, "{written:?}");
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_document_is_taken_as_mails_and_terminals_break_it() {
    let world = World::new();
    let document = String::from_utf8(world.vendor.document(&world.vendor.code)).unwrap();
    let document = document.trim();
    for (text, code, word) in [
        ("".to_owned(), "invalid_document", "is empty"),
        (format!("<html>{document}</html>"), "invalid_document", "web page"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA".to_owned(), "invalid_document", "PEM"),
        (format!("Hello,\n\n{document}"), "invalid_document", "','"),
        (document[..document.len() / 4].to_owned(), "invalid_document", "all of it"),
        ("A".repeat(300_000), "too_large", "larger than"),
        (format!("{}\n", document.replacen('A', "B", 1)), "", ""),
    ] {
        let (exit, error) = pasted(&world.agent, &text);
        assert_eq!(exit, 1, "{error}");
        let (reported, message) =
            (error["error"]["code"].as_str().unwrap(), error["error"]["message"].as_str());
        assert!(code.is_empty() || reported == code, "{error}");
        assert!(message.unwrap().contains(word) && !error.to_string().contains(&document[..30]), "{error}");
    }
    let lines: Vec<String> =
        document.as_bytes().chunks(72).map(|c| String::from_utf8(c.to_vec()).unwrap()).collect();
    let (exit, answer) = pasted(&world.agent, &format!("> {}\n", lines.join("\n> ")));
    assert_eq!(exit, 0, "{answer}");
    assert_eq!(world.keys(), ["SUB-1"]);
}

#[test]
fn who_sits_at_a_terminal_is_told_what_to_paste() {
    if !have("script", "bsdutils") {
        return;
    }
    let world = World::new();
    let document = String::from_utf8(world.vendor.document(&world.vendor.code)).unwrap();
    let command = format!("{:?}", world.agent.command(&["key", "add", "-"]));
    let mut script = std::process::Command::new("script");
    let child = script.args(["-qec", &command, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // As a terminal gets it: lines, and the key that ends the input.
    for line in document.trim().as_bytes().chunks(100) {
        stdin.write_all(line).unwrap();
        stdin.write_all(b"\n").unwrap();
    }
    stdin.write_all(b"\x04").unwrap();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Paste the document") && text.contains("Ctrl-D"), "{text}");
    assert!(text.contains("key SUB-1 was added as the active key"), "{text}");
    assert_eq!(world.keys(), ["SUB-1"]);
}
