//! The support bundle: what support needs is in it, and no secret, wherever one was planted.

use crate::support::certificates::{Authority, openssl};
use crate::support::server::{Server, whole};
use crate::support::{Agent, Vendor, at, have, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use svm_core::documents::ActivationCode;

/// The files of an archive by their names in its one folder.
fn unpack(archive: &Path) -> BTreeMap<String, String> {
    let file = std::fs::File::open(archive).unwrap();
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(zstd::Decoder::new(file).unwrap()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        let (folder, name) = path.to_str().unwrap().split_once('/').unwrap();
        assert!(folder.starts_with("svm-agent-support-"), "{folder}");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
        files.insert(name.to_owned(), text);
    }
    files
}

/// A folder with programs that stand for systemd's, which print these texts.
fn systemd(folder: &Path, journal: &str, units: &str) -> PathBuf {
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for (name, text) in [("journalctl", journal), ("systemctl", units)] {
        std::fs::write(bin.join(format!("{name}.txt")), text).unwrap();
        let program = bin.join(name);
        std::fs::write(&program, format!("#!/bin/sh\ncat {:?}\n", bin.join(format!("{name}.txt")))).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    bin
}

fn with_path(mut command: Command, bin: &Path) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(paths).unwrap());
    command
}

#[test]
fn a_bundle_has_what_support_needs_and_no_secret() {
    if !have("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join(name);
    let vendor = Vendor::new(folder.path(), at("2040-01-01T00:00:00Z"), 30);
    let console = Server::start();
    // A receiver that repeats what it was given.
    console.answer(|request, stream| {
        let given = format!("nobody knows {:?}", request.header("authorization"));
        std::io::Write::write_all(stream, &whole(&["401 Unauthorized"], given))
    });
    let client = Authority::new(folder.path(), "authority").issue("client", "DNS:svm.example", 30);
    openssl(folder.path(), &["genpkey", "-algorithm", "ed25519", "-out", "stray.pem"]);
    let lines = |path: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().filter(|line| !line.contains("-----")).map(str::to_owned).collect()
    };
    let stray = std::fs::read_to_string(of("stray.pem")).unwrap();
    let document = String::from_utf8(vendor.document(&vendor.code)).unwrap();
    let sub = ActivationCode::parse(&vendor.code).unwrap().sub();
    let other = ActivationCode::generate().unwrap().reveal();
    let planted = |name: &str| format!("planted-{name}");
    let mut secrets: Vec<String> = [
        "token",
        "query",
        "environment",
        "environment-file",
        "proxy",
        "journal",
        "bearer",
        "unit",
        "short-pw",
    ]
    .map(planted)
    .into();
    secrets.extend([vendor.code.clone(), vendor.code.replace('-', ""), other.clone(), other.to_lowercase()]);
    secrets.push(sub.as_str().to_owned());
    secrets.extend(document.split('.').skip(1).map(str::to_owned));
    secrets.extend(lines(&of("stray.pem")));
    secrets.extend(lines(&client.key).into_iter().filter(|line| line.len() > 15));

    std::fs::write(of("token"), planted("token")).unwrap();
    std::fs::write(of("secret.env"), format!("SVM_AGENT_PASSWORD={}\n", planted("environment-file")))
        .unwrap();
    let trust = of("trust.d");
    std::fs::create_dir(&trust).unwrap();
    for entry in std::fs::read_dir(vendor.trust()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, trust.join(path.file_name().unwrap())).unwrap();
    }
    // A private key in the place of a public one.
    std::fs::write(trust.join("stray.pem"), &stray).unwrap();
    let backwards: Vec<&str> = stray.lines().rev().collect();
    let journal = format!(
        "2026-11-30T10:00:07+0000 svm svm-agent[1]: INFO an ordinary line\n\
         2026-11-30T10:00:06+0000 svm update[2]: GET http://me:{}@proxy.example:3128/x?sig={}\n\
         2026-11-30T10:00:05+0000 svm update[2]: password={} Authorization: Bearer {}\n\
         2026-11-30T10:00:04+0000 svm update[2]: curl -H {}; code {} and {}\n\
         2026-11-30T10:00:03+0000 svm update[2]: GET /v1/keys/{}.jws: {document}\n\
         2026-11-30T10:00:02+0000 svm update[2]: {}\n\
         2026-11-30T10:00:01+0000 svm update[2]: {}\n\
         2026-11-30T10:00:00+0000 svm svm-agent[1]: INFO the first line\n",
        planted("proxy"),
        planted("query"),
        planted("journal"),
        planted("bearer"),
        planted("token"),
        vendor.code,
        other.to_lowercase(),
        sub.as_str(),
        std::fs::read_to_string(&client.key).unwrap().replace('\n', "\n2026 svm update[2]: "),
        backwards.join("\n2026 svm update[2]: "),
    );
    let units = format!("Id=svm-agent.service\nActiveState=active\nStatusText=token: {}\n", planted("unit"));
    let bin = systemd(folder.path(), &journal, &units);
    let text = format!(
        "{}[log]\nlevel = \"debug\"\n\
         [destinations.console]\nurl = \"http://127.0.0.1:{}/in?sig={}\"\ntoken_file = {:?}\nreceiver = \"generic\"\n\
         [destinations.mutual]\nurl = \"https://127.0.0.1:1/\"\ncertificate_file = {:?}\nkey_file = {:?}\n",
        vendor.source(),
        console.port,
        planted("query"),
        of("token"),
        client.certificate,
        client.key
    );
    let agent = Agent::new(folder.path(), &trust, &text);
    let bundle = |name: &str, more: &[&str]| {
        let archive = of(name);
        let arguments = [&["support-bundle", "--output", archive.to_str().unwrap()], more].concat();
        let mut command = with_path(agent.command(&arguments), &bin);
        command.env("HTTPS_PROXY", format!("http://me:{}@127.0.0.1:1", planted("proxy")));
        command.env(
            "SVM_AGENT__DESTINATIONS__OTHER__URL",
            format!("http://127.0.0.1:1/?{}", planted("environment")),
        );
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (output.status.code().unwrap(), said, archive)
    };
    let clean = |what: &str, text: &str| {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{what} has {secret}: {text}");
        }
    };
    let read = |archive: &Path, said: &str| {
        let files = unpack(archive);
        clean("the output", said);
        files.iter().for_each(|(name, text)| clean(name, text));
        files
    };

    // While it runs.
    let mut program = agent.start_ready();
    agent.ask(&["activate", &vendor.code]).unwrap();
    wait_for("a refusal", 20, || agent.log().contains("http_401").then_some(()));
    let (code, said, archive) = bundle("running.tar.zst", &["--json"]);
    assert_eq!(code, 0, "{said}");
    let files = read(&archive, &said);
    assert_eq!(std::fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
    let shown: Value = serde_json::from_str(&said).unwrap();
    let names: Vec<&str> =
        shown["contents"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(
        names.iter().map(|name| (*name).to_owned()).collect::<std::collections::BTreeSet<_>>(),
        files.keys().cloned().collect()
    );
    for name in [
        "contents.txt",
        "settings.txt",
        "doctor.json",
        "status.json",
        "identity.json",
        "clock.json",
        "updates.json",
        "forecast.json",
        "events.json",
        "quarantine.json",
        "units.txt",
        "journal.txt",
        "machine.txt",
        "folders.txt",
        "permits/database-updates",
        "permits/ksn",
    ] {
        assert!(files.contains_key(name), "{name}: {names:?}");
    }
    for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".json")) {
        serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
    }
    let status: Value = serde_json::from_str(&files["status.json"]).unwrap();
    assert_eq!(status["keys"][0]["key"], "SUB-1");
    for (name, part) in [
        ("journal.txt", "an ordinary line"),
        ("journal.txt", "the first line"),
        ("journal.txt", "@proxy.example:3128/x?[removed]"),
        ("settings.txt", "destinations.console.token_file = "),
        ("units.txt", "ActiveState=active"),
        ("folders.txt", "/state/agent.db"),
        ("permits/ksn", "\"verdict\":\"full\""),
        ("machine.txt", "kernel"),
        ("contents.txt", "private keys"),
    ] {
        assert!(files[name].contains(part), "{name} has no {part}: {}", files[name]);
    }
    assert!(shown["removed"].as_u64().unwrap() >= 9, "{said}");

    // What is there is not overwritten.
    let before = std::fs::read(&archive).unwrap();
    let (code, said, _) = bundle("running.tar.zst", &["--json"]);
    let refused: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &refused["error"]["code"]), (1, &"exists".into()), "{said}");
    assert_eq!(std::fs::read(&archive).unwrap(), before);
    let (code, said, _) = bundle("nowhere/a.tar.zst", &["--json"]);
    assert_eq!((code, said.contains("not_written")), (1, true), "{said}");

    // While it does not run: said inside, and the events come from the database.
    assert!(program.terminate().success());
    let (code, said, archive) = bundle("stopped.tar.zst", &[]);
    assert_eq!(code, 0, "{said}");
    let files = read(&archive, &said);
    assert!(
        !files.contains_key("status.json") && files["contents.txt"].contains("the agent is not running"),
        "{files:?}"
    );
    assert!(said.contains("status.json, identity.json"), "{said}");
    assert!(files["events.json"].contains("key.added"), "{}", files["events.json"]);

    // With settings that are wrong.
    let wrong = format!(
        "{text}[destinations.a]\nurl = \"http://me:{}@h/\"\ntoken = \"{}\"\n",
        planted("short-pw"),
        planted("token")
    );
    let wrong = std::fs::read_to_string(&agent.config).unwrap().replace(&text, &wrong);
    std::fs::write(&agent.config, wrong).unwrap();
    let (code, said, archive) = bundle("wrong.tar.zst", &[]);
    assert_eq!(code, 0, "{said}");
    let files = read(&archive, &said);
    assert!(files["settings.txt"].contains("the settings are not valid"), "{}", files["settings.txt"]);
    assert!(files["events.json"].contains("key.added"), "places are read from wrong settings: {said}");
}
