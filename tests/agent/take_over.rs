//! A whole state folder of a released agent is taken over: identity, keys, revisions, events, quarantine and clock.
//!
//! `tests/states/VERSION/` has for each release the state folder as its agent left it, the provider's public key, a later
//! document, and what that agent answered before it was stopped. To add a release:
//!
//! ```sh
//! SVM_TEST_RELEASED=/path/of/the/released/svm-agent SVM_TEST_STATES=tests/states/VERSION \
//!     cargo test --test agent take_over::make -- --ignored
//! ```

use crate::support::server::{Server, whole};
use crate::support::{Agent, Program, at, now, wait_for};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use svm_core::documents::{ActivationCode, Draft, SigningKey, Sub, sign};
use svm_core::subscription::Statement;

/// The machine to which the id is bound.
const MACHINE_ID: &str = "5b1e0d5c4d3f4a6f8f0c9d2a7e6b1c30";

/// The provider signed then: the clock of the machine is behind, and the agent knows it.
const SIGNED: &str = "2037-03-01T12:00:00Z";

/// The destinations that every release has: one takes all, one refuses an event, one is not there.
fn settings(folder: &Path, taking: u16, refusing: u16, absent: u16) -> String {
    let destination = |name: &str, port: u16| {
        format!(
            "[destinations.{name}]\nurl = \"http://127.0.0.1:{port}/\"\nreceiver = \"generic\"\ncompression = \"none\"\ntimeout = \"2s\"\n"
        )
    };
    format!(
        "[identity]\nmachine_id_file = {:?}\nproduct_uuid_file = \"\"\n{}{}{}",
        folder.join("machine-id"),
        destination("taking", taking),
        destination("refusing", refusing),
        destination("absent", absent)
    )
}

fn claims(key: &Value, more: &Value) -> Value {
    let mut claims =
        json!({"key": key, "vendor": {"name": "Example ISP", "renewal_url": "https://isp.example/renew"}});
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

fn subscription(rev: u64, ends_at: &str) -> Value {
    let terms = json!({"state": "active", "state_since": "2026-01-01T00:00:00Z", "grace_days": 14, "auto_renew": false,
        "term": {"type": "limited", "ends_at": ends_at}, "order": {"number": "A-77", "channel": "isp"}});
    claims(
        &json!({"id": "SUB-1", "kind": "subscription"}),
        &json!({"rev": rev, "subscription": terms, "limits": {"devices": 50}}),
    )
}

fn commercial(key: &str) -> Value {
    claims(&json!({"id": key, "kind": "commercial"}), &json!({"rev": 1, "licence": {"period_days": 365}}))
}

/// What an agent answers of all that must stay the same.
fn answers(ask: &dyn Fn(&[&str]) -> Value) -> Value {
    let list = |arguments: &[&str]| match ask(arguments) {
        Value::Array(rows) => rows,
        row => vec![row],
    };
    let status = ask(&["status"]);
    json!({
        "identity": ask(&["identity", "show"]),
        "keys": status["keys"],
        "devices": status["devices"],
        "phase": status["phase"],
        "permits": status["permits"].as_array().unwrap().iter().map(|p| json!([p["resource"], p["verdict"]])).collect::<Vec<_>>(),
        "waiting": status["destinations"]["absent"]["waiting"],
        // A newer report takes the place of one that waits.
        "events": list(&["events", "list", "--limit", "1000"]).into_iter().filter(|e| e["type"] != "agent.report").collect::<Vec<_>>(),
        "quarantine": list(&["events", "list", "--quarantined"]),
        "clock": ask(&["clock", "show"]),
    })
}

/// The numbers and ids of events in order, as a destination got them.
fn sequences(server: &Server) -> Vec<(u64, String)> {
    let events = server.requests().into_iter().map(|request| request.content());
    let events = events.map(|body| serde_json::from_slice::<Value>(&body).unwrap());
    let mut got: Vec<(u64, String)> = events
        .map(|event| {
            (event["sequence"].as_str().unwrap().parse().unwrap(), event["id"].as_str().unwrap().to_owned())
        })
        .collect();
    got.sort();
    got.dedup();
    got
}

fn receiver(refused: &'static str) -> Server {
    let server = Server::start();
    server.answer(move |request, stream| {
        let text = String::from_utf8_lossy(&request.content()).into_owned();
        let refuses = !refused.is_empty() && text.contains(refused);
        std::io::Write::write_all(
            stream,
            &whole(&[if refuses { "400 Bad Request" } else { "204 No Content" }], ""),
        )
    });
    server
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            // As the agent writes them; git does not keep it.
            std::fs::copy(&path, &to).unwrap();
            std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

/// Makes a folder of `tests/states`; see the head of this file.
#[test]
#[ignore = "makes a fixture with a released program"]
fn make() {
    let released = PathBuf::from(std::env::var_os("SVM_TEST_RELEASED").unwrap());
    let states = PathBuf::from(std::env::var_os("SVM_TEST_STATES").unwrap());
    std::fs::create_dir_all(states.join("trust.d")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let signer = SigningKey::generate().unwrap();
    std::fs::write(states.join("trust.d/provider.pem"), signer.public().to_pem("provider.example")).unwrap();
    std::fs::write(folder.path().join("machine-id"), MACHINE_ID).unwrap();
    let document = |name: &str, sub: &Sub, claims: &Value, iat: &str| {
        let statement = Statement::read(claims).unwrap();
        let draft = Draft { iss: "provider.example", sub, jti: name, iat: at(iat), statement: &statement };
        sign(&draft, &signer).unwrap().text
    };
    let (taking, refusing) = (receiver(""), receiver("svm.key.removed"));
    let agent = Agent::new(
        folder.path(),
        &states.join("trust.d"),
        &settings(folder.path(), taking.port, refusing.port, 1),
    );
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&released);
        command.arg("--config").arg(folder.path().join("machine.toml")).arg("--config").arg(&agent.config);
        command.args(arguments);
        command
    };
    let ask = |arguments: &[&str]| {
        let output = command(arguments).arg("--json").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{arguments:?}: {text}");
        let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if rows.len() == 1 { rows[0].clone() } else { Value::Array(rows) }
    };
    let mut program = Program::start(&mut command(&["run"]), &folder.path().join("agent.log"));
    wait_for("the released agent", 20, || {
        command(&["status"]).output().unwrap().status.success().then_some(())
    });
    let subs = [0; 3].map(|_| ActivationCode::generate().unwrap().sub());
    let file = folder.path().join("document.jws");
    let add = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        ask(&[&["key", "add", file.to_str().unwrap()], more].concat());
    };
    let first = document("1", &subs[0], &subscription(3, "2040-01-01T00:00:00Z"), SIGNED);
    add(&first, &[]);
    add(&document("2", &subs[1], &commercial("COM-1"), SIGNED), &["--reserve"]);
    ask(&["key", "remove", "COM-1"]);
    add(&document("3", &subs[2], &commercial("COM-2"), SIGNED), &["--reserve"]);
    ask(&["devices", "set", "42"]);
    wait_for("the quarantine", 30, || {
        let status = ask(&["status"]);
        let places = &status["destinations"];
        (places["refusing"]["quarantined"] == 1
            && places["refusing"]["waiting"] == 0
            && places["taking"]["waiting"] == 0)
            .then_some(())
    });
    let before = answers(&ask);
    assert!(program.terminate().success());
    copy(&folder.path().join("state"), &states.join("state"));
    // Room on the disk for bad times, a megabyte of nothing.
    std::fs::remove_file(states.join("state/agent.reserve")).unwrap();
    std::fs::write(
        states.join("older.jws"),
        document("4", &subs[0], &subscription(2, "2039-01-01T00:00:00Z"), SIGNED),
    )
    .unwrap();
    std::fs::write(
        states.join("next.jws"),
        document("5", &subs[0], &subscription(4, "2041-01-01T00:00:00Z"), SIGNED),
    )
    .unwrap();
    std::fs::write(states.join("answers.json"), format!("{before:#}\n")).unwrap();
}

/// A copy of what a release left.
struct Taken {
    folder: tempfile::TempDir,
    agent: Agent,
    before: Value,
    taking: Server,
    absent: Server,
}

impl Taken {
    fn of(states: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(states, folder.path());
        std::fs::write(folder.path().join("machine-id"), MACHINE_ID).unwrap();
        let (taking, absent) = (receiver(""), receiver(""));
        let more = settings(folder.path(), taking.port, receiver("").port, absent.port);
        let agent = Agent::new(folder.path(), &folder.path().join("trust.d"), &more);
        let before = std::fs::read_to_string(states.join("answers.json")).unwrap();
        Self { folder, agent, before: serde_json::from_str(&before).unwrap(), taking, absent }
    }

    fn answers(&self) -> Value {
        answers(&|arguments| self.agent.ask(arguments).unwrap())
    }

    /// The new agent may add to an answer, but not change it. Which destinations an event waits for does change.
    fn has_all_of(&self, what: &str, now: &Value) {
        let (before, now) = (&self.before[what], &now[what]);
        let holds = |old: &Value, new: &Value| match old.as_object() {
            Some(old) => old.iter().all(|(name, value)| name == "waiting_for" || new[name] == *value),
            None => old == new,
        };
        let all = match (before.as_array(), now.as_array()) {
            (Some(old), Some(new)) => {
                old.len() <= new.len() && old.iter().zip(new).all(|(old, new)| holds(old, new))
            }
            _ => holds(before, now),
        };
        assert!(all, "{what}: {before:#} became {now:#}");
    }
}

fn releases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/states");
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_state_folder_of_each_release_is_taken_over_whole() {
    assert!(!releases().is_empty());
    for states in releases() {
        let taken = Taken::of(&states);
        let mut program = taken.agent.start_ready();
        let now_said = taken.answers();
        for what in ["identity", "keys", "devices", "phase", "permits", "events", "quarantine"] {
            taken.has_all_of(what, &now_said);
        }
        let events = |answers: &Value| answers["events"].as_array().unwrap().clone();
        let (old, new) = (events(&taken.before), events(&now_said));
        let kinds = new[old.len()..].iter().map(|event| event["type"].as_str().unwrap());
        let alarming = kinds.filter(|kind| !kind.starts_with("agent.") && !kind.starts_with("clock."));
        assert_eq!(alarming.collect::<Vec<_>>(), [""; 0], "no event about a subscription that goes on");

        // What waited arrives in its order, without a gap; what was delivered does not come twice.
        taken.agent.settled_at("absent");
        let got = sequences(&taken.absent);
        let waited = taken.before["waiting"].as_u64().unwrap() as usize;
        let first = got[0].0;
        assert_eq!(
            got.iter().map(|(n, _)| *n).collect::<Vec<_>>(),
            (first..).take(got.len()).collect::<Vec<_>>()
        );
        let ids: Vec<&str> = old.iter().map(|event| event["id"].as_str().unwrap()).collect();
        let arrived = got.iter().map(|(_, id)| id.as_str()).take(waited).filter(|id| ids.contains(id));
        assert_eq!(arrived.collect::<Vec<_>>(), ids, "each event waited there");
        taken.agent.settled_at("taking");
        let again = sequences(&taken.taking);
        assert!(
            again.iter().all(|(n, id)| *n > got[waited - 1].0 && !ids.contains(&id.as_str())),
            "{again:?}"
        );

        // The clock of the machine is still known to be behind.
        let clock = &now_said["clock"];
        let instant = |value: &Value| at(value.as_str().unwrap());
        assert!(instant(&clock["time"]) >= instant(&taken.before["clock"]["time"]), "{clock}");
        assert!(now() < at(SIGNED) && instant(&clock["time"]) >= at(SIGNED), "{clock}");

        // The revision is known: what is older is not taken, and what follows is.
        let document = |name: &str| taken.folder.path().join(name).to_str().unwrap().to_owned();
        let older = taken.agent.ask(&["key", "add", &document("older.jws")]);
        assert!(older.is_err() || taken.agent.status()["keys"][0]["rev"] == 3, "{older:?}");
        taken.agent.ask(&["key", "add", &document("next.jws")]).unwrap();
        let status = taken.agent.status();
        assert_eq!(
            (&status["keys"][0]["rev"], &status["keys"][0]["ends_at"]),
            (&json!(4), &json!("2041-01-01T00:00:00Z"))
        );
        assert!(program.terminate().success());
    }
}

#[test]
fn the_recovery_file_of_each_release_gives_its_keys_back() {
    for states in releases() {
        let taken = Taken::of(&states);
        for entry in std::fs::read_dir(taken.folder.path().join("state")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with("agent.db") {
                std::fs::write(&path, "damaged").unwrap();
            }
        }
        let _program = taken.agent.start_ready();
        let now_said = taken.answers();
        for what in ["keys", "devices", "phase", "permits"] {
            taken.has_all_of(what, &now_said);
        }
        assert_eq!(now_said["identity"]["id"], taken.before["identity"]["id"]);
    }
}
