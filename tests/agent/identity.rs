//! Which machine an id belongs to: copies, machines that were reverted, two that are alive with one id; with the real
//! programs.

use crate::support::server::{Server, whole};
use crate::support::{Agent, Collector, Program, Vendor, at, get, get_json, have, program, wait_for};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const ONE: &str = "11111111111111111111111111111112\n";
const TWO: &str = "22222222222222222222222222222221\n";
const UUID: &str = "4c3d2b1a-6f5e-8a79-9bac-bdcedfe0f102\n";
const ANOTHER_UUID: &str = "5c3d2b1a-6f5e-8a79-9bac-bdcedfe0f102\n";

/// A collector and a vendor, for any number of machines.
struct World {
    folder: tempfile::TempDir,
    vendor: Vendor,
    collector: Collector,
    collecting: Program,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vendor = Vendor::new(folder.path(), at("2040-01-01T00:00:00Z"), 30);
        let collector = Collector::new(folder.path());
        let collecting = collector.start_ready();
        Self { folder, vendor, collector, collecting }
    }

    /// A machine of this name, with its machine-id and product UUID in files.
    fn machine(&self, name: &str, machine_id: &str, product_uuid: &str) -> Agent {
        self.sending_to(name, machine_id, product_uuid, self.collector.port)
    }

    fn sending_to(&self, name: &str, machine_id: &str, product_uuid: &str, port: u16) -> Agent {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let source = self.vendor.source();
        let more = format!(
            "{source}[identity]\nmachine_id_file = \"{0}/machine-id\"\nproduct_uuid_file = \"{0}/product_uuid\"\n\
             [destinations.console]\nurl = \"http://127.0.0.1:{port}/v1/events\"\ntimeout = \"2s\"\n",
            folder.display()
        );
        let agent = Agent::new(&folder, &self.vendor.trust(), &more);
        is(&agent, machine_id, product_uuid);
        agent
    }

    /// A copy of a machine's state under another name.
    fn copy(&self, from: &Agent, name: &str, machine_id: &str, product_uuid: &str) -> Agent {
        let agent = self.machine(name, machine_id, product_uuid);
        copy(&from.folder.join("state"), &agent.folder.join("state"));
        agent
    }

    /// Events of an SVM, in the order of their numbers.
    fn events(&self, id: &str) -> Vec<Value> {
        let source = format!("urn:svm:{id}");
        let events = self.collector.events().unwrap();
        let mut events: Vec<Value> = events.into_iter().filter(|e| e["source"] == source).collect();
        events.sort_by_key(|event| event["sequence"].as_str().unwrap().to_owned());
        events
    }

    fn svm(&self, id: &str) -> Value {
        get_json(self.collector.port, &format!("/v1/svms/{id}")).unwrap()
    }

    fn ids(&self) -> BTreeSet<String> {
        let events = self.collector.events().unwrap();
        events.iter().map(|event| event["source"].as_str().unwrap().replace("urn:svm:", "")).collect()
    }
}

/// Gives a machine its names; empty takes one away.
fn is(agent: &Agent, machine_id: &str, product_uuid: &str) {
    for (name, text) in [("machine-id", machine_id), ("product_uuid", product_uuid)] {
        let file = agent.folder.join(name);
        match text {
            "" => drop(std::fs::remove_file(file)),
            text => std::fs::write(file, text).unwrap(),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    if to.exists() {
        std::fs::remove_dir_all(to).unwrap();
    }
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

fn id(agent: &Agent) -> String {
    agent.status()["id"].as_str().unwrap().to_owned()
}

fn devices(agent: &Agent, count: u64) {
    agent.ask(&["devices", "set", &count.to_string()]).unwrap();
}

/// Two events, whatever was before: over a limit of the key and under it again.
fn happens(agent: &Agent) {
    devices(agent, 95);
    devices(agent, 10);
}

fn stop(mut program: Program) {
    assert!(program.terminate().success(), "{}", program.logged());
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

fn find<'a>(events: &'a [Value], kind: &str) -> Option<&'a Value> {
    events.iter().find(|event| event["type"] == format!("svm.{kind}"))
}

/// Every event of the agent is at the collector, and nothing is missing there.
fn complete(world: &World, agent: &Agent) {
    let id = id(agent);
    let events = agent.ask(&["events", "list", "--limit", "1000"]).unwrap();
    let stored = world.events(&id);
    let there: BTreeSet<&str> = stored.iter().map(|event| event["id"].as_str().unwrap()).collect();
    for event in events.as_array().unwrap() {
        assert!(there.contains(event["id"].as_str().unwrap()), "{event}");
    }
    let svm = world.svm(&id);
    assert_eq!(svm["missing"]["count"], 0, "{svm}");
}

#[test]
fn a_copy_on_another_machine_takes_a_new_id_and_keeps_the_keys() {
    let mut world = World::new();
    let one = world.machine("one", ONE, UUID);
    let program = one.start_ready();
    one.ask(&["activate", &world.vendor.code]).unwrap();
    one.settled();
    let old = id(&one);
    // What waits when it is copied is the original's to tell.
    world.collecting.kill();
    happens(&one);
    stop(program);
    let two = world.copy(&one, "two", TWO, UUID);
    world.collecting = world.collector.start_ready();
    let before = world.events(&old).len();
    let program = two.start_ready();
    two.settled();
    let new = id(&two);
    assert_ne!(new, old);
    assert_eq!((two.permit("ksn"), two.permit("database-updates")), (0, 0));
    assert_eq!(two.status()["keys"][0]["key"], "SUB-1");
    let reported = world.events(&new);
    assert_eq!(kinds(&reported)[..2], ["svm.identity.changed", "svm.agent.started"]);
    let changed = &reported[0];
    assert_eq!(changed["sequence"], format!("{:020}", 1));
    let data = &changed["data"];
    assert_eq!(
        (&data["old_id"], &data["new_id"], &data["why"], &data["severity"]),
        (&json!(old), &json!(new), &json!("machine_id"), &json!(2))
    );
    assert!(!changed.to_string().contains("2222222222"), "{changed}");
    assert!(
        two.log().contains("WARN")
            && two.log().contains("its keys are kept, and events that were pending under the old id")
    );
    assert_eq!(world.events(&old).len(), before, "what waited is not the copy's to tell");
    assert_eq!(find(&reported, "devices.limit"), None);
    assert!(two.reported().iter().all(|kind| kind != "key.added"), "the history is the original's");
    complete(&world, &two);
    // It is one machine from now on, and says so once.
    stop(program);
    let _program = two.start_ready();
    two.settled();
    assert_eq!(id(&two), new);
    assert_eq!(kinds(&world.events(&new)).iter().filter(|kind| **kind == "svm.identity.changed").count(), 1);
    // The original goes on as if nothing had been.
    let _original = one.start_ready();
    one.settled();
    assert_eq!(id(&one), old);
    complete(&world, &one);
    assert!(find(&world.events(&old), "devices.limit").is_some());
    assert_eq!(world.svm(&old)["conflicts"]["count"], 0);
}

/// The rows of the table in `docs/reference/identity.md`, each with the agent itself.
#[test]
fn each_row_of_the_table_of_differences() {
    const SWAPPED: &str = "1A2B3D4C-5E6F-798A-9BAC-BDCEDFE0F102\n";
    let world = World::new();
    let rows = [
        ("the same", (ONE, UUID), (ONE, UUID), None),
        ("another machine-id", (ONE, UUID), (TWO, UUID), Some("machine_id")),
        ("another product UUID", (ONE, UUID), (ONE, ANOTHER_UUID), Some("product_uuid")),
        ("both", (ONE, UUID), (TWO, ANOTHER_UUID), Some("machine_id")),
        ("the product UUID in the other byte order", (ONE, UUID), (ONE, SWAPPED), None),
        ("no machine-id", (ONE, UUID), ("", UUID), None),
        ("an empty machine-id", (ONE, UUID), ("\n", UUID), None),
        ("not initialised", (ONE, UUID), ("uninitialized\n", UUID), None),
        ("no product UUID", (ONE, UUID), (ONE, ""), None),
        ("a vendor's placeholder", (ONE, UUID), (ONE, "03000200-0400-0500-0006-000700080009\n"), None),
        ("no UUID at all", (ONE, UUID), (ONE, "Not Settable\n"), None),
        ("nothing", (ONE, UUID), ("", ""), None),
        ("a machine-id that was not known", ("uninitialized\n", UUID), (ONE, UUID), None),
        ("a product UUID that was not known", (ONE, ""), (ONE, UUID), None),
        ("neither was known", ("", ""), (ONE, UUID), None),
    ];
    for (n, (name, stored, now, why)) in rows.into_iter().enumerate() {
        let agent = world.machine(&format!("row-{n}"), stored.0, stored.1);
        let program = agent.start_ready();
        agent.settled();
        let first = id(&agent);
        stop(program);
        is(&agent, now.0, now.1);
        let program = agent.start_ready();
        agent.settled();
        let then = id(&agent);
        assert_eq!(then != first, why.is_some(), "{name}");
        let reported = world.events(&then);
        assert_eq!(
            find(&reported, "identity.changed").map(|e| &e["data"]["why"]),
            why.map(Value::from).as_ref(),
            "{name}"
        );
        // What became known is bound now: the machine after this one is another.
        stop(program);
        is(&agent, "33333333333333333333333333333331\n", ANOTHER_UUID);
        let program = agent.start_ready();
        assert_ne!(id(&agent), then, "{name}");
        stop(program);
    }
}

#[test]
fn the_command_shows_the_id_and_whether_the_machine_is_the_one() {
    let world = World::new();
    let agent = world.machine("one", ONE, "");
    let program = agent.start_ready();
    let shown = agent.ask(&["identity", "show"]).unwrap();
    assert_eq!(shown["id"], agent.status()["id"]);
    assert!(shown["since"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert_eq!((&shown["bound_to"], &shown["differs"]), (&json!(["machine_id"]), &Value::Null));
    is(&agent, TWO, "");
    assert_eq!(agent.ask(&["identity", "show"]).unwrap()["differs"], "machine_id");
    let text = agent.command(&["identity", "show"]).output().unwrap().stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("This machine    another machine-id: at its next start the agent takes a new id"),
        "{text}"
    );
    assert!(!text.contains("1111111") && !text.contains("2222222"), "{text}");
    stop(program);
    // What is kept holds no machine-id either.
    for file in ["agent.db", "recovery.json"] {
        let stored = std::fs::read(agent.folder.join("state").join(file)).unwrap();
        assert!(!String::from_utf8_lossy(&stored).contains(ONE.trim()), "{file}");
    }
}

#[test]
fn an_image_that_was_reset_is_a_new_svm_on_each_machine_even_without_names() {
    let world = World::new();
    let image = world.machine("image", "", "");
    let program = image.start_ready();
    image.ask(&["activate", &world.vendor.code]).unwrap();
    image.settled();
    let old = id(&image);
    assert_eq!(image.refused(&["identity", "reset"]), (1, "agent_runs".to_owned()));
    assert_eq!(id(&image), old);
    stop(program);
    assert_eq!(image.ask(&["identity", "reset"]).unwrap(), json!({"reset": true, "keys_kept": true}));
    let held = std::fs::read(image.folder.join("state/agent.db")).unwrap();
    assert!(!String::from_utf8_lossy(&held).contains("agent.started"), "events are in the image");
    let copies = ["a", "b"].map(|name| world.copy(&image, name, "", ""));
    let _programs = copies.each_ref().map(Agent::start_ready);
    let ids = copies.each_ref().map(id);
    assert!(ids[0] != ids[1] && !ids.contains(&old), "{ids:?}");
    for (copy, new) in copies.iter().zip(&ids) {
        copy.settled();
        assert_eq!((copy.permit("ksn"), copy.status()["phase"].as_str()), (0, Some("active")));
        let reported = world.events(new);
        let changed = &find(&reported, "identity.changed").unwrap()["data"];
        assert_eq!((&changed["why"], &changed["old_id"]), (&json!("reset"), &json!(old)));
        complete(&world, copy);
    }

    assert_eq!(
        image.ask(&["identity", "reset", "--forget-keys"]).unwrap(),
        json!({"reset": true, "keys_kept": false})
    );
    let left = std::fs::read_dir(image.folder.join("state")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
    let _program = image.start_ready();
    image.settled();
    assert_eq!((image.status()["phase"].as_str(), image.permit("ksn")), (Some("not_activated"), 75));
    assert_eq!(find(&world.events(&id(&image)), "identity.changed"), None);
    let nobody = world.machine("nobody", ONE, UUID);
    assert_eq!(nobody.ask(&["identity", "reset"]).unwrap(), json!({"reset": false, "keys_kept": false}));
}

/// The agent under strace, killed at the `n`th of some system calls. Answers whether it came to that.
fn killed_at(agent: &Agent, calls: &str, n: u32) -> bool {
    let mut command = Command::new("strace");
    let inject = format!("inject={calls}:signal=KILL:when={n}");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &inject]).arg(program("svm-agent"));
    command.arg("--config").arg(&agent.config).arg("run");
    let mut program = Program::start(&mut command, &agent.folder.join("agent.log"));
    let killed = wait_for("the agent or its end", 20, || {
        let ended = program.child.try_wait().unwrap().is_some();
        (ended || agent.ask(&["status"]).is_ok()).then_some(ended)
    });
    let children = format!("/proc/{0}/task/{0}/children", program.child.id());
    for child in std::fs::read_to_string(children).unwrap_or_default().split_whitespace() {
        let pid = rustix::process::Pid::from_raw(child.parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).ok();
    }
    program.child.wait().unwrap();
    killed
}

#[test]
fn killed_at_each_durable_step_a_new_id_is_taken_whole_and_told_once() {
    if !have("strace", "strace") {
        return;
    }
    let world = World::new();
    let one = world.machine("one", ONE, UUID);
    let program = one.start_ready();
    one.ask(&["activate", &world.vendor.code]).unwrap();
    one.settled();
    let old = id(&one);
    stop(program);
    let before = world.events(&old).len();
    let (mut kills, mut ids) = (0, BTreeSet::new());
    for calls in ["fsync,fdatasync", "pwrite64", "rename"] {
        for n in 1..60 {
            let name = format!("{}-{n}", calls.replace(',', "-"));
            let copy = world.copy(&one, &name, TWO, UUID);
            let killed = killed_at(&copy, calls, n);
            let program = copy.start_ready();
            copy.settled();
            let new = id(&copy);
            assert!(new != old && ids.insert(new.clone()), "{name}");
            assert_eq!(copy.permit("ksn"), 0, "{name}");
            let reported = world.events(&new);
            let changes: Vec<&Value> =
                reported.iter().filter(|e| e["type"] == "svm.identity.changed").collect();
            assert_eq!(changes.len(), 1, "{name}: {:?}", kinds(&reported));
            assert_eq!(
                (&changes[0]["data"]["old_id"], &changes[0]["data"]["new_id"]),
                (&json!(old), &json!(new)),
                "{name}"
            );
            complete(&world, &copy);
            stop(program);
            std::fs::remove_dir_all(&copy.folder).unwrap();
            if !killed {
                break;
            }
            kills += 1;
        }
    }
    println!("{kills} kills");
    assert!(kills > 10, "{kills} kills");
    assert_eq!(world.events(&old).len(), before, "a copy told something as the original");
    // No id but these was ever told.
    ids.insert(old);
    assert_eq!(world.ids(), ids);
}

#[test]
fn a_machine_that_was_reverted_goes_on_above_the_numbers_that_it_used() {
    let mut world = World::new();
    let agent = world.machine("one", ONE, UUID);
    let program = agent.start_ready();
    agent.ask(&["activate", &world.vendor.code]).unwrap();
    happens(&agent);
    agent.settled();
    let id = id(&agent);
    // The snapshot is taken while something waits, which then arrives.
    world.collecting.kill();
    happens(&agent);
    stop(program);
    let snapshot = world.folder.path().join("snapshot");
    copy(&agent.folder.join("state"), &snapshot);
    world.collecting = world.collector.start_ready();
    let program = agent.start_ready();
    for _ in 0..5 {
        happens(&agent);
    }
    agent.settled();
    stop(program);
    let highest = world.svm(&id)["highest_sequence"].as_str().unwrap().to_owned();
    let first_life = world.events(&id);

    copy(&snapshot, &agent.folder.join("state"));
    let program = agent.start_ready();
    happens(&agent);
    agent.settled();
    complete(&world, &agent);
    let events = world.events(&id);
    let numbers: BTreeSet<&str> = events.iter().map(|event| event["sequence"].as_str().unwrap()).collect();
    assert_eq!(numbers.len(), events.len(), "a number means two things");
    // Nothing of the first life is gone or changed.
    for event in &first_life {
        assert!(events.contains(event), "{event}");
    }
    agent.wrote(&["sequence.reverted"]);
    let reverted = find(&events, "sequence.reverted").unwrap();
    let data = &reverted["data"];
    assert_eq!((&data["destination"], &data["severity"]), (&json!("console"), &json!(2)));
    let number = |text: &Value| text.as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(number(&data["to"]), highest.parse::<u64>().unwrap() + 1);
    assert!(number(&data["from"]) <= highest.parse().unwrap());
    let first = events.iter().find(|event| event["sequence"] == data["to"]).unwrap();
    assert_eq!(first["skippedfrom"], data["from"], "the hole is named");
    let svm = world.svm(&id);
    assert_eq!(svm["machines"], json!([]), "one machine is one: {svm}");
    assert!(agent.log().contains("the numbers continue from"), "{}", agent.log());
    // The numbers that the recovery file promises are above those in use.
    stop(program);
    let recovery = std::fs::read(agent.folder.join("state/recovery.json")).unwrap();
    let recovery: Value = serde_json::from_slice(&recovery).unwrap();
    let used = number(&events.last().unwrap()["sequence"]);
    assert!(recovery["ceiling"].as_u64().unwrap() >= used, "{used}");
    // Once is enough.
    let _program = agent.start_ready();
    happens(&agent);
    agent.settled();
    complete(&world, &agent);
    assert_eq!(kinds(&world.events(&id)).iter().filter(|k| **k == "svm.sequence.reverted").count(), 1);
}

#[test]
fn of_a_batch_that_reaches_above_what_is_known_nothing_is_lost_or_missed() {
    let mut world = World::new();
    let agent = world.machine("one", ONE, UUID);
    let program = agent.start_ready();
    agent.ask(&["activate", &world.vendor.code]).unwrap();
    agent.settled();
    stop(program);
    let snapshot = world.folder.path().join("snapshot");
    copy(&agent.folder.join("state"), &snapshot);
    let program = agent.start_ready();
    happens(&agent);
    agent.settled();
    stop(program);
    // Reverted, it tells more than it had told, all in one batch: the collector keeps the end of that at once.
    copy(&snapshot, &agent.folder.join("state"));
    world.collecting.kill();
    let program = agent.start_ready();
    for _ in 0..10 {
        happens(&agent);
    }
    world.collecting = world.collector.start_ready();
    program.signal(Signal::HUP);
    agent.settled();
    complete(&world, &agent);
    let events = world.events(&id(&agent));
    let ids: BTreeSet<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len());
    // Part of it was kept under its old numbers, and the rest above.
    let to = find(&events, "sequence.reverted").unwrap()["data"]["to"].as_str().unwrap().to_owned();
    let reverted = |event: &&Value| event["data"]["instance"].as_str().unwrap().contains('.');
    let before = events.iter().find(reverted).unwrap()["data"]["instance"].as_str().unwrap();
    let before = before.split('.').next().unwrap();
    let early =
        |event: &&Value| event["data"]["instance"] == before && event["sequence"].as_str().unwrap() < &*to;
    assert!(events.iter().filter(early).count() > 5, "{:?}", kinds(&events));
}

/// Starts an agent on a machine of this name.
fn start_as(agent: &Agent, hostname: &str) -> Program {
    let plain = agent.command(&["run"]);
    let mut command = Command::new("unshare");
    command.args(["--uts", "sh", "-c", "hostname \"$0\" && exec \"$@\"", hostname]);
    command.arg(plain.get_program()).args(plain.get_args());
    let program = Program::start(&mut command, &agent.folder.join("agent.log"));
    wait_for("the agent", 20, || agent.ask(&["status"]).ok());
    program
}

fn held(agent: &Agent) -> bool {
    agent.status()["destinations"]["console"]["outage"]["code"] == "sequence_conflict"
}

/// Waits until the destination took everything, or is held.
fn calm(agent: &Agent) {
    wait_for("delivery to get through or be held", 30, || {
        let status = agent.ask(&["status"]).ok()?;
        let console = &status["destinations"]["console"];
        (console["waiting"] == 0 || console["outage"]["code"] == "sequence_conflict").then_some(())
    });
}

#[test]
fn two_machines_that_live_with_one_id_are_held_and_named() {
    if !have("unshare", "util-linux") || !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::new();
    let one = world.machine("one", ONE, UUID);
    let program = start_as(&one, "svm-left");
    one.ask(&["activate", &world.vendor.code]).unwrap();
    one.settled();
    let shared = id(&one);
    stop(program);
    // Whatever names the machine was copied with it.
    let two = world.copy(&one, "two", ONE, UUID);
    let _first = start_as(&one, "svm-left");
    let second = start_as(&two, "svm-right");
    assert_eq!(id(&two), shared);
    let mut rounds = 0;
    while !held(&one) && !held(&two) {
        rounds += 1;
        assert!(rounds < 20, "they leap over each other: {}", world.svm(&shared));
        for agent in [&one, &two] {
            happens(agent);
            calm(agent);
        }
    }
    let reverted = |events: &[Value]| kinds(events).iter().filter(|k| **k == "svm.sequence.reverted").count();
    let events = world.events(&shared);
    assert!((3..=6).contains(&reverted(&events)), "{:?}", kinds(&events));
    let numbers: BTreeSet<&str> = events.iter().map(|event| event["sequence"].as_str().unwrap()).collect();
    assert_eq!(numbers.len(), events.len(), "a number means two things");
    let log = if held(&one) { one.log() } else { two.log() };
    assert!(log.contains("another machine uses this SVM's id"), "{log}");
    assert!(log.contains("svm-agent identity reset"), "{log}");

    let svm = world.svm(&shared);
    let mut names: Vec<&str> =
        svm["machines"].as_array().unwrap().iter().map(|m| m["hostname"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["svm-left", "svm-right"], "{svm}");
    assert_eq!((&svm["status"], &svm["reasons"][0]), (&json!("critical"), &json!("two_machines")));
    for (page, sentence) in [
        ("/".to_owned(), "several machines use its id"),
        (format!("/svms/{shared}"), "Several machines use the id of this SVM"),
    ] {
        let (status, text) = get(world.collector.port, &page).unwrap();
        assert!(status == 200 && text.contains(sentence), "{page}: {text}");
        assert!(text.contains("svm-left") && text.contains("svm-right"), "{page}");
    }
    let listed = get_json(world.collector.port, "/v1/svms?status=critical").unwrap();
    assert_eq!((&listed["total"], &listed["counts"]["critical"]), (&json!(1), &json!(1)));

    // What the line says to do helps.
    stop(second);
    two.ask(&["identity", "reset"]).unwrap();
    let _second = start_as(&two, "svm-right");
    two.settled();
    assert_ne!(id(&two), shared);
    complete(&world, &two);
}

#[test]
fn a_token_that_the_original_used_first_is_told_with_the_way_out() {
    let world = World::new();
    let server = Server::start();
    server.answer(|_, stream| {
        use std::io::Write;
        let body = r#"{"error":{"code":"token_of_another_source","message":"this token belongs to another source"}}"#;
        stream.write_all(&whole(&["403 Forbidden", "Content-Type: application/json"], body))
    });
    let agent = world.sending_to("copy", ONE, UUID, server.port);
    let _program = agent.start_ready();
    let outage = wait_for("the refusal", 20, || {
        let outage = agent.status()["destinations"]["console"]["outage"].clone();
        outage.is_object().then_some(outage)
    });
    assert_eq!(outage["code"], "token_of_another_source");
    assert!(outage["message"].as_str().unwrap().contains("give this SVM a token of its own"), "{outage}");
}

#[test]
fn a_machine_that_is_renamed_is_reported_under_its_new_name() {
    if !have("unshare", "util-linux") || !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::new();
    let agent = world.machine("one", ONE, UUID);
    let program = start_as(&agent, "before");
    let rename = |name: &str| {
        let pid = program.child.id().to_string();
        let done = Command::new("nsenter").args(["-t", &pid, "--uts", "hostname", name]).status();
        assert!(done.unwrap().success());
    };
    let reported = |name: &str| {
        wait_for(name, 20, || {
            let events = world.events(&id(&agent));
            let last = events.iter().rfind(|event| event["type"] == "svm.agent.report")?.clone();
            (last["data"]["hostname"] == name && last["data"]["report"]["hostname"] == name).then_some(())
        });
    };
    reported("before");
    rename("by-dhcp");
    assert_eq!(agent.status()["hostname"], "by-dhcp", "at once");
    agent.ask(&["report"]).unwrap();
    reported("by-dhcp");
    agent.wrote(&["host.renamed"]);
    // A reload that finds no other setting finds the name.
    rename("by-cloud-init");
    agent.ask(&["reload"]).unwrap();
    reported("by-cloud-init");
    // And one that does starts with it.
    rename("by-hand");
    let text = std::fs::read_to_string(&agent.config).unwrap();
    std::fs::write(&agent.config, text + "[reminders]\nexpiring_status_days = 3\n").unwrap();
    agent.ask(&["reload"]).unwrap();
    reported("by-hand");
}
