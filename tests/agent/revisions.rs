//! Attacks with older revisions: what a vendor withdrew comes back by no removal, no door, no restart and no lost database;
//! and a key that was just added is looked for at once.

use crate::support::server::whole;
use crate::support::{Agent, Program, Vendor, at, now, order, wait_for};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use svm_core::documents::{ActivationCode, SigningKey, published_path};
use svm_vendor::{Contact, Profile, Provider};

const FAR: &str = "2040-01-01T00:00:00Z";

/// A vendor and an agent that usually looks every 6 hours.
struct World {
    vendor: Vendor,
    agent: Agent,
    program: Program,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vendor = Vendor::new(folder.path(), at(FAR), 30);
        let trust = folder.path().join("trust.d");
        std::fs::create_dir(&trust).unwrap();
        trust_all(&vendor.trust(), &trust);
        let agent = Agent::new(folder.path(), &trust, &slow(&vendor));
        let program = agent.start_ready();
        Self { vendor, agent, program, folder }
    }

    /// The document as it is published now, in a file.
    fn saved(&self, name: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        std::fs::write(&file, self.vendor.document(&self.vendor.code)).unwrap();
        file
    }

    fn block(&self) {
        self.vendor.provider.block(&self.vendor.key, now()).unwrap();
        self.vendor.publish();
    }

    fn add(&self, file: &Path) -> Result<Value, (i32, Value)> {
        self.agent.ask(&["key", "add", file.to_str().unwrap()])
    }

    /// Each way in which the older document could come again.
    fn attacked(&self, older: &Path, after: &str) {
        let file = older.to_str().unwrap();
        assert_eq!(self.agent.refused(&["key", "add", file]), (1, "older_revision".to_owned()), "{after}");
        // A replay: a cache or a proxy that still has it.
        let body = std::fs::read(older).unwrap();
        self.vendor.server.answer(move |_, stream| {
            std::io::Write::write_all(stream, &whole(&["200 OK", "ETag: \"old\""], &body))
        });
        let activated = self.agent.refused(&["activate", &self.vendor.code]);
        assert_eq!(activated, (1, "older_revision".to_owned()), "{after}");
        self.vendor.serve();
        let status = self.agent.status();
        assert_eq!((&status["phase"], &status["keys"]), (&json!("not_activated"), &json!([])), "{after}");
        assert_eq!(self.agent.permit("ksn"), 75, "{after}");
    }
}

/// `[source]` of an agent that looks every 6 hours.
fn slow(vendor: &Vendor) -> String {
    format!(
        "[source]\nurl = \"http://127.0.0.1:{}\"\ninterval = \"6h\"\ntimeout = \"2s\"\n",
        vendor.server.port
    )
}

fn trust_all(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn a_blocked_subscription_does_not_come_back() {
    let mut world = World::new();
    world.agent.ask(&["activate", &world.vendor.code]).unwrap();
    let older = world.saved("older.jws");
    world.block();
    world.agent.ask(&["refresh"]).unwrap();
    assert_eq!(world.agent.status()["cause"], "blocked");
    let newest = world.saved("newest.jws");
    world.agent.ask(&["key", "remove", "SUB-1"]).unwrap();
    world.attacked(&older, "a removal");

    world.program.kill();
    world.program = world.agent.start_ready();
    world.attacked(&older, "a kill");

    world.program.kill();
    for file in ["agent.db", "agent.db-wal", "agent.db-shm"] {
        std::fs::remove_file(world.folder.path().join("state").join(file)).ok();
    }
    world.program = world.agent.start_ready();
    assert!(world.agent.reported().contains(&"store.rebuilt".to_owned()));
    world.attacked(&older, "a lost database");

    world.program.terminate();
    world.agent.ask(&["identity", "reset"]).unwrap();
    world.program = world.agent.start_ready();
    world.attacked(&older, "a new identity");

    // The newest is taken, and is what it is.
    world.add(&newest).unwrap();
    assert_eq!(world.agent.status()["cause"], "blocked");
    assert_eq!(world.agent.permit("ksn"), 75);
}

/// The key is removed before the SVM hears of the blocking: then the older document may be added, and the newer one is found at
/// once, not at the next look in 6 hours.
#[test]
fn a_key_that_was_added_is_looked_for_at_once() {
    let world = World::new();
    let asked: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    world.agent.ask(&["activate", &world.vendor.code]).unwrap();
    let first = world.saved("first.jws");
    // It has an ETag now.
    assert_eq!(world.agent.ask(&["refresh"]).unwrap()["outcome"], "not_changed");
    world.agent.ask(&["key", "remove", "SUB-1"]).unwrap();
    world.block();
    let (seen, root) = (asked.clone(), world.folder.path().join("published"));
    world.vendor.server.answer(move |request, stream| {
        seen.lock().unwrap().push(request.header("If-None-Match").map(str::to_owned));
        let body = std::fs::read(root.join(request.path().trim_matches('/'))).unwrap();
        std::io::Write::write_all(stream, &whole(&["200 OK", "ETag: \"newer\""], body))
    });
    world.add(&first).unwrap();
    wait_for("the blocking", 10, || (world.agent.status()["cause"] == "blocked").then_some(()));
    assert_eq!(asked.lock().unwrap().len(), 1);
    // From now on it is asked whether that one changed.
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(asked.lock().unwrap().len(), 1, "once");
}

/// What the vendor just gave by its code needs no second look.
#[test]
fn a_key_that_was_activated_by_its_code_is_not_looked_for_again() {
    let world = World::new();
    let count: Arc<Mutex<u64>> = Arc::default();
    let (seen, root) = (count.clone(), world.folder.path().join("published"));
    world.vendor.server.answer(move |request, stream| {
        *seen.lock().unwrap() += 1;
        let body = std::fs::read(root.join(request.path().trim_matches('/'))).unwrap();
        std::io::Write::write_all(stream, &whole(&["200 OK"], body))
    });
    world.agent.ask(&["activate", &world.vendor.code]).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(*count.lock().unwrap(), 1);
    assert!(world.agent.status()["source"]["last_heard_at"].is_string());
}

/// Two vendors that are both trusted, and use one key id.
#[test]
fn the_same_key_id_by_another_issuer_is_another_key() {
    let mut world = World::new();
    let folder = world.folder.path().to_owned();
    let profile = Profile { iss: "other.example".into(), vendor: Contact::default() };
    let other = Provider::create(&folder.join("other"), &profile, SigningKey::generate().unwrap()).unwrap();
    let (code, _) = other.issue(order("SUB-1", at(FAR), 30), now()).unwrap();
    other.publish(&folder.join("others")).unwrap();
    let sub = ActivationCode::parse(&code.reveal()).unwrap().sub();
    let others = folder.join("others").join(published_path(&sub));
    // Both signers in one folder, under names of their own.
    for entry in std::fs::read_dir(folder.join("other/trust.d")).unwrap() {
        std::fs::copy(entry.unwrap().path(), folder.join("trust.d/other.pem")).unwrap();
    }

    world.agent.ask(&["activate", &world.vendor.code]).unwrap();
    let older = world.saved("older.jws");
    let taken = world.agent.refused(&["key", "add", others.to_str().unwrap()]);
    assert_eq!(taken, (1, "untrusted_signer".to_owned()), "not a revision of the key that is held");
    world.block();
    world.agent.ask(&["refresh"]).unwrap();
    world.agent.ask(&["key", "remove", "SUB-1"]).unwrap();
    // Another key: its first revision is taken, and says nothing of the other's.
    world.add(&others).unwrap();
    assert_eq!(world.agent.status()["phase"], "active");
    let (exit, code) = world.agent.refused(&["key", "add", older.to_str().unwrap()]);
    assert_eq!((exit, code.as_str()), (1, "untrusted_signer"));
    world.agent.ask(&["key", "remove", "SUB-1"]).unwrap();
    world.program.signal(Signal::KILL);
    world.program.kill();
    world.program = world.agent.start_ready();
    world.attacked(&older, "another issuer's key");
}
