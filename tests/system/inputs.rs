//! What people, shells and disks hand to the programs: text that is not UTF-8, names with any characters, files that are
//! none, an output that takes nothing. Each ends in an answer that names what is wrong; none ends a program.

use crate::support;
use crate::support::disk::Disk;
use crate::support::server::whole;
use crate::support::{Agent, Vendor, now, order, program, wait_for};
use jiff::SignedDuration;
use serde_json::Value;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const AGENT: &str = "svm-agent";
const COLLECTOR: &str = "svm-collector";
const VENDOR: &str = "svm-vendor";
const DEMO: &str = "svm-demo";
const MANUAL: &str = "svm-manual";

fn bytes(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

/// Runs a command to its end, which has to come soon; the exit code and what it wrote.
fn ended(command: &mut Command) -> (i32, String, String) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&format!("the end of {command:?}"), 20, || child.try_wait().unwrap());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&stdout), text(&stderr));
    assert!(!err.contains("panicked"), "{command:?}: {err}");
    (status.code().unwrap_or_else(|| panic!("{command:?} was killed: {status}, {err}")), out, err)
}

fn command(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program(name));
    command.args(arguments);
    command
}

#[test]
fn no_variable_argument_or_path_that_is_not_utf_8_ends_a_program() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::new(folder.path(), &folder.path().join("trust.d"), "");
    let collector = folder.path().join("collector.toml");
    std::fs::write(&collector, "").unwrap();
    let collector = collector.to_str().unwrap();
    let alone = |mut command: Command| {
        command.env("BAD", bytes(b"\xa3")).env(bytes(b"BAD\xa3"), "x");
        command
    };
    // Variables of others are not looked at.
    for arguments in [
        &["check"][..],
        &["status"],
        &["doctor"],
        &["permit", "ksn"],
        &["config", "show"],
        &["config", "check", "--offline"],
        &["gate", "list"],
        &["gate", "remove", "--all"],
        &["identity", "show"],
        &["renewal"],
        &["key", "list", "--json"],
        &["reload"],
        &["--help"],
    ] {
        let (with, ..) = ended(&mut alone(agent.command(arguments)));
        let (without, ..) = ended(&mut agent.command(arguments));
        assert_eq!(with, without, "{arguments:?}");
    }
    for (program, arguments, exit) in [
        (COLLECTOR, &["config", "check", "--config", collector][..], 0),
        (COLLECTOR, &["token"], 0),
        (VENDOR, &["list", "--ledger", "/nonexistent"], 1),
        (DEMO, &["--help"], 0),
        (MANUAL, &[], 1),
    ] {
        assert_eq!(ended(&mut alone(command(program, arguments))).0, exit, "{program} {arguments:?}");
    }
    // Our own are, and are named.
    for (mut command, name) in [
        (agent.command(&["config", "check", "--offline"]), "SVM_AGENT__LOG__LEVEL"),
        (agent.command(&["run"]), "SVM_AGENT__LOG__LEVEL"),
        (command(COLLECTOR, &["config", "check", "--config", collector]), "SVM_COLLECTOR__LOG__LEVEL"),
        (command(COLLECTOR, &["run", "--config", collector]), "SVM_COLLECTOR__LOG__LEVEL"),
    ] {
        let (code, _, reported) = ended(command.env(name, bytes(b"\xa3")));
        assert_eq!(code, 78, "{reported}");
        assert!(
            reported.contains(&format!("{name}: the value of `log.level` is not UTF-8 text")),
            "{reported}"
        );
    }
    let (code, out, _) = ended(agent.command(&["check"]).env("SVM_AGENT__LOG__LEVEL", bytes(b"\xa3")));
    assert!(code == 3 && out.contains("SVM_AGENT__LOG__LEVEL"), "{code} {out}");
    // Arguments: a wrong use, or a name that nothing has.
    let bad = bytes(b"\xa3");
    for (mut command, exits) in [
        (agent.command(&[]), &[2][..]),
        (agent.command(&["key", "remove"]), &[2]),
        (agent.command(&["events", "show"]), &[2]),
        (agent.command(&["activate"]), &[2]),
        (agent.command(&["permit"]), &[2]),
        (agent.command(&["key", "add"]), &[1]),
        (agent.command(&["simulate"]), &[1]),
        (agent.command(&["check", "-w"]), &[3]),
        (agent.command(&["--config"]), &[2]),
        (command(COLLECTOR, &[]), &[2]),
        (command(COLLECTOR, &["config", "check", "--config"]), &[78]),
        (command(VENDOR, &[]), &[2]),
        (command(VENDOR, &["list"]), &[2]),
        (command(VENDOR, &["inspect"]), &[1]),
        (command(VENDOR, &["list", "--ledger"]), &[1]),
        (command(DEMO, &["--port"]), &[2]),
    ] {
        let (code, out, reported) = ended(command.arg(&bad));
        assert!(exits.contains(&code), "{command:?}: {code} {out}{reported}");
        assert!(!out.is_empty() || !reported.is_empty(), "{command:?} says nothing");
    }
    let (code, ..) = ended(command(MANUAL, &[]).arg(folder.path().join(&bad)));
    assert!(code == 0 && folder.path().join(&bad).join("man").is_dir());
}

#[test]
fn a_near_name_of_a_variable_is_named_with_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::new(folder.path(), &folder.path().join("trust.d"), "");
    let (code, _, reported) = ended(agent.command(&["config", "check"]).env("SVM_AGENT_LOG_LEVEL", "debug"));
    assert_eq!(code, 78);
    assert!(
        reported.contains(
            "SVM_AGENT_LOG_LEVEL: is not the name of a setting; did you mean SVM_AGENT__LOG__LEVEL?"
        ),
        "{reported}"
    );
}

#[test]
fn every_key_id_that_is_taken_can_be_removed() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), now() + SignedDuration::from_hours(24 * 90), 3);
    let agent = Agent::new(folder.path(), &vendor.trust(), "");
    let _program = agent.start_ready();
    for id in [
        "SUB/2026/001",
        "/",
        "//",
        "a/../b",
        "..",
        ".",
        "...",
        "%",
        "%2F",
        "%2E%2E",
        "a?b=c#d",
        "?",
        "#",
        "-x",
        "--json",
        "a+b",
        "\"q\"",
        "'",
        "\\",
        "a&b;c",
        "{id}",
        "active",
        "~",
    ] {
        let terms = order(id, now() + SignedDuration::from_hours(24 * 90), 3);
        let (_, entry) = vendor.provider.issue(terms, now()).unwrap();
        let file = folder.path().join("document.jws");
        std::fs::write(&file, &entry.document.text).unwrap();
        agent.ask(&["key", "add", file.to_str().unwrap()]).unwrap();
        assert_eq!(agent.ask(&["key", "list"]).unwrap()[0]["key"], id);
        let (code, out, reported) = ended(&mut agent.command(&["key", "remove", "--", id]));
        assert_eq!(code, 0, "{id}: {out}{reported}");
        assert_eq!(agent.ask(&["key", "list"]).unwrap(), Value::Array(Vec::new()), "{id}");
    }
    for unknown in ["SUB/2026/001", "..", "\u{43a}\u{43b}\u{44e}\u{447}", "a b", ""] {
        let (code, _, reported) = ended(&mut agent.command(&["key", "remove", "--", unknown]));
        assert!(code == 1 && reported.contains("no key"), "{unknown}: {code} {reported}");
    }
    // An event is found by its id in capitals, too.
    let events = agent.ask(&["events", "list", "--limit", "1"]).unwrap();
    let id = events["id"].as_str().unwrap();
    let found = agent.ask(&["events", "show", &id.to_uppercase()]).unwrap();
    assert_eq!(found["id"], id);
}

#[test]
fn with_json_a_wrong_use_is_json_too() {
    for (program, arguments) in [
        (AGENT, &["--json"][..]),
        (AGENT, &["status", "--json", "--nonsense"]),
        (AGENT, &["nonsense", "--json"]),
        (AGENT, &["key", "--json"]),
        (AGENT, &["devices", "set", "--json", "many"]),
        (AGENT, &["permit", "--json"]),
        (COLLECTOR, &["--json"]),
        (COLLECTOR, &["config", "--json", "check", "--nonsense"]),
        (VENDOR, &["--json"]),
        (VENDOR, &["list", "--json", "--nonsense"]),
        (VENDOR, &["renew", "--json"]),
    ] {
        let (code, out, reported) = ended(&mut command(program, arguments));
        let error: Value =
            serde_json::from_str(&out).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {out}{reported}"));
        assert_eq!((code, &error["error"]["code"]), (2, &Value::from("usage")), "{arguments:?}: {out}");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(!message.is_empty() && !message.contains('\n') && !message.contains("Usage"), "{message}");
        assert_eq!(reported, "", "{arguments:?}");
    }
    // Help is asked for, not wrong.
    let (code, out, _) = ended(&mut command(AGENT, &["status", "--json", "--help"]));
    assert!(code == 0 && out.contains("Usage"), "{out}");
    // Of wrong settings, too.
    let (code, out, _) =
        ended(&mut command(COLLECTOR, &["--json", "config", "check", "--config", "/nonexistent"]));
    let error: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &error["error"]["code"]), (78, &Value::from("bad_settings")));
}

#[test]
fn an_output_that_takes_nothing_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::new(folder.path(), &folder.path().join("trust.d"), "");
    let ledger = folder.path().join("ledger");
    let (code, ..) = ended(
        command(VENDOR, &["keygen", "--iss", "provider.example", "--signing-key"])
            .arg(folder.path().join("key.pem"))
            .arg("--ledger")
            .arg(&ledger),
    );
    assert_eq!(code, 0);
    let ledger = ledger.to_str().unwrap();
    for (mut command, exit) in [
        // A plug-in has four codes, and who cannot be read is UNKNOWN.
        (agent.command(&["check"]), 3),
        (agent.command(&["check", "-w", "nonsense"]), 3),
        (agent.command(&["check", "--nonsense"]), 3),
        (agent.command(&["config", "show"]), 74),
        (agent.command(&["config", "show", "--json"]), 74),
        (agent.command(&["config", "check", "--offline"]), 74),
        (agent.command(&["config", "schema"]), 74),
        (agent.command(&["doctor"]), 74),
        (agent.command(&["doctor", "--json"]), 74),
        (agent.command(&["permit", "ksn"]), 74),
        (agent.command(&["gate", "list"]), 74),
        (agent.command(&["--help"]), 74),
        (agent.command(&["status", "--json"]), 69),
        (agent.command(&["--version"]), 74),
        (command(COLLECTOR, &["token"]), 74),
        (command(COLLECTOR, &["--help"]), 74),
        (command(VENDOR, &["list", "--ledger", ledger]), 1),
        (command(VENDOR, &["list", "--json", "--ledger", ledger]), 1),
        (command(VENDOR, &["list", "--json", "--ledger", "/nonexistent"]), 1),
        (command(VENDOR, &["--help"]), 1),
        (command(DEMO, &["--help"]), 1),
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let reported = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{command:?}: {reported}");
        assert!(
            reported.contains("svm-") && !reported.contains("panicked"),
            "{command:?} is silent: {reported}"
        );
    }
    // A reader who left had enough.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = agent.command(&["config", "show"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

/// A pipe that nobody writes into, a device without an end, a folder, a link that leads nowhere.
fn no_files(folder: &Path) -> Vec<String> {
    let fifo = folder.join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    let dangling = folder.join("dangling");
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    let [fifo, dangling, folder] =
        [&fifo, &dangling, &folder.to_owned()].map(|path| path.to_str().unwrap().to_owned());
    vec![fifo, dangling, folder, "/dev/zero".to_owned(), "/dev/tty".to_owned(), "/dev/urandom".to_owned()]
}

#[test]
fn what_is_no_file_is_read_nowhere_without_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::new(folder.path(), &folder.path().join("trust.d"), "");
    let with = |more: &str, arguments: &[&str]| {
        let file = folder.path().join("more.toml");
        std::fs::write(&file, more).unwrap();
        let mut command = Command::new(program(AGENT));
        command.arg("--config").arg(&agent.config).arg("--config").arg(&file).args(arguments);
        ended(&mut command)
    };
    for no_file in no_files(folder.path()) {
        let (code, _, reported) =
            with(&format!("[product]\nversion_file = \"{no_file}\"\n"), &["config", "check"]);
        assert!(
            code == 78 && reported.contains("`product.version_file`: ") && reported.contains(&no_file),
            "{reported}"
        );
        for keys in ["token_file", "ca_file", "certificate_file", "key_file"] {
            let pair = match keys {
                "certificate_file" => format!("key_file = \"{no_file}\"\n"),
                "key_file" => format!("certificate_file = \"{no_file}\"\n"),
                _ => String::new(),
            };
            let more =
                format!("[destinations.a]\nurl = \"https://127.0.0.1:1/\"\n{keys} = \"{no_file}\"\n{pair}");
            let (code, out, reported) = with(&more, &["config", "check"]);
            assert!(
                code == 0
                    && reported.contains(&format!("`destinations.a.{keys}`: "))
                    && reported.contains(&no_file),
                "{out}{reported}"
            );
        }
        let (code, _, reported) =
            with(&format!("[devices]\ncount_file = \"{no_file}\"\n"), &["config", "check", "--offline"]);
        assert!(
            code == 0 && reported.contains("`devices.count_file`: ") && reported.contains(&no_file),
            "{reported}"
        );
        let machine =
            format!("[identity]\nmachine_id_file = \"{no_file}\"\nproduct_uuid_file = \"{no_file}\"\n");
        with(&machine, &["identity", "hand-over"]);
        for mut command in [
            agent.command(&["key", "add", &no_file]),
            agent.command(&["simulate", &no_file]),
            command(AGENT, &["--config", &no_file, "config", "check"]),
            command(COLLECTOR, &["config", "check", "--config", &no_file]),
            command(VENDOR, &["inspect", &no_file, "--trust", folder.path().to_str().unwrap()]),
            command(VENDOR, &["list", "--ledger", &no_file]),
        ] {
            let (code, _, reported) = ended(&mut command);
            assert!([1, 78].contains(&code) && !reported.is_empty(), "{command:?}: {code} {reported}");
        }
    }
}

#[test]
fn config_check_refuses_what_run_could_not_use() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    let long = folder.path().join("x".repeat(95));
    for (key, path, says) in [
        ("runtime_dir", long.as_path(), "has at most 107 bytes"),
        ("state_dir", &folder.path().join("file"), "expected a directory, found a file"),
        ("runtime_dir", &folder.path().join("file/below"), "expected a directory, found a file"),
        ("state_dir", &folder.path().join("link"), "is a link to nowhere"),
        ("state_dir", Path::new("state"), "must be an absolute path"),
    ] {
        let file = folder.path().join("agent.toml");
        std::fs::write(
            &file,
            format!("[paths]\nstate_dir = \"{0}/s\"\nruntime_dir = \"{0}/r\"\n", folder.path().display()),
        )
        .unwrap();
        let more = folder.path().join("more.toml");
        std::fs::write(&more, format!("[paths]\n{key} = {path:?}\n")).unwrap();
        for arguments in [&["config", "check", "--offline"][..], &["run"]] {
            let mut command = Command::new(program(AGENT));
            let (code, _, reported) =
                ended(command.arg("--config").arg(&file).arg("--config").arg(&more).args(arguments));
            assert_eq!(code, 78, "{arguments:?} with {key} = {path:?}: {reported}");
            assert!(
                reported.contains(&format!("more.toml:2: `paths.{key}`")) && reported.contains(says),
                "{reported}"
            );
        }
    }
}

#[test]
fn a_state_that_is_mounted_read_only_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let Some(_disk) = Disk::mount(&state, "4m") else { return };
    let agent = Agent::new(folder.path(), &folder.path().join("trust.d"), "");
    let about_state = |wanted: &str| {
        let (_, out, _) = ended(&mut agent.command(&["doctor", "--json"]));
        let doctor: Value = serde_json::from_str(&out).unwrap();
        let findings = doctor["findings"].as_array().unwrap().clone();
        let failed: Vec<Value> = findings.into_iter().filter(|one| one["grade"] == "failure").collect();
        ["files", "disk"].map(|area| {
            failed.iter().any(|one| one["area"] == area && one["found"].as_str().unwrap().contains(wanted))
        })
    };
    std::fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    assert_eq!(about_state("read-only"), [false, false]);
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(&state).status().unwrap();
    assert!(remounted.success());
    assert_eq!(about_state("mounted read-only"), [true, true]);
}

#[test]
fn what_a_receiver_says_steers_neither_log_nor_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = support::server::Server::start();
    receiver.answer(|_, stream| {
        use std::io::Write;
        let hostile = "no\u{1b}[31m\u{9b}2J\u{202e}\u{200b}\u{2028}\nforged=\"line\"\r\n\u{feff}end";
        stream.write_all(&whole(&["403 Forbidden"], hostile))
    });
    let more = format!("[destinations.console]\nurl = \"http://127.0.0.1:{}/\"\n", receiver.port);
    let agent = Agent::new(folder.path(), &folder.path().join("trust.d"), &more);
    let mut program = agent.start_ready();
    wait_for("the refusal", 20, || agent.log().contains("403").then_some(()));
    let (_, status, _) = ended(&mut agent.command(&["status", "--explain"]));
    let (_, json, _) = ended(&mut agent.command(&["status", "--json"]));
    let (_, doctor, _) = ended(&mut agent.command(&["doctor"]));
    program.terminate();
    for text in [agent.log(), status, json, doctor] {
        for line in text.lines() {
            assert!(!line.chars().any(svm_core::text::is_deceptive), "{line:?}");
            assert!(!line.trim_start().starts_with("forged"), "{line}");
        }
    }
    assert!(agent.log().contains("forged"), "the answer is quoted");
}
