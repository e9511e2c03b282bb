//! Texts of libraries are never shown: whatever is wrong, people read a sentence of this project.

use crate::support::server::{Server, whole};
use crate::support::{Agent, free_port};
use std::io::{Read, Write};
use std::net::TcpListener;

/// What libraries and the system say, and no sentence of this project does.
const LIBRARY: [&str; 32] = [
    "os error",
    "invalid type",
    "invalid value",
    "invalid length",
    "invalid digit",
    "expected struct",
    "expected value at",
    "expected ident",
    "unknown variant",
    "unknown field",
    "missing field",
    "did not match any variant",
    "does not have variant",
    "relative URL",
    "EOF while parsing",
    "trailing characters",
    "BadSignature",
    "UnknownIssuer",
    "NotValidForName",
    "InvalidContentType",
    "received corrupt message",
    "received fatal alert",
    "peer certificate",
    "error sending request",
    "connection error",
    "hyper::",
    "failed to lookup address",
    "stream did not contain valid UTF-8",
    "No such file or directory",
    "Connection refused",
    "unexpected end of file",
    "close_notify",
];

fn shows_no_library(what: &str, text: &str) {
    let alien = LIBRARY.iter().find(|phrase| text.contains(*phrase));
    assert_eq!(alien, None, "{what}:\n{text}");
    assert!(!text.trim().is_empty(), "{what} says nothing");
}

/// Both outputs of a command.
fn outputs(agent: &Agent, arguments: &[&str]) -> String {
    let output = agent.command(arguments).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn wrong_commands_and_files_are_answered_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(at("directory")).unwrap();
    std::fs::write(at("binary"), b"\xff\xfe\x00\x01\xa3").unwrap();
    std::fs::write(at("page"), "<html>log in</html>").unwrap();
    std::fs::write(at("object.json"), "{\"events\": 5}").unwrap();
    std::fs::write(at("cut.json"), "{\"events\": [").unwrap();
    std::fs::write(at("number.json"), "17").unwrap();
    std::fs::write(at("empty"), "").unwrap();
    let agent = Agent::new(folder.path(), folder.path(), "");
    for file in
        ["directory", "binary", "page", "object.json", "cut.json", "number.json", "empty", "absent", "a/b"]
    {
        let file = at(file);
        for arguments in
            [&["key", "add", &file][..], &["simulate", &file], &["key", "add", "--reserve", &file]]
        {
            shows_no_library(&format!("{arguments:?}"), &outputs(&agent, arguments));
        }
    }
    for arguments in [
        &["status"][..],
        &["activate", "01234-56789-ABCDE-FGHIJ"],
        &["activate", ""],
        &["events", "list"],
        &["events", "show", "nothing"],
        &["refresh"],
        &["simulate", "--until", "tomorrow"],
        &["simulate", "--until", "2027-13-45"],
        &["check", "-w", "nonsense"],
        &["devices", "set", "many"],
        &["config", "check"],
        &["identity", "show"],
        &["doctor"],
        &["doctor", "--json"],
        &["status", "--json"],
        &["key", "add", "/nowhere", "--json"],
    ] {
        shows_no_library(&format!("{arguments:?}"), &outputs(&agent, arguments));
    }
}

#[test]
fn wrong_settings_are_answered_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(file("directory")).unwrap();
    for text in [
        "[log\n",
        "log = 5\n",
        "[log]\nlevel = \"loud\"\n",
        "[log]\nlevel = warn\n",
        "[source]\nurl = \"provider.example\"\n",
        "[source]\nurl = \"//provider.example/\"\n",
        "[source]\ninterval = \"often\"\n",
        "[source]\ninterval = 5\n",
        "[destinations.a]\nkind = \"kafka\"\n",
        "[destinations.a]\nurl = \"https://[::1/\"\n",
        "[destinations.a]\nurl = 5\n",
        "[updates]\nschedule = [\"0 3 31 2 *\", \"* * *\"]\ntime_zone = \"MSK\"\n",
        "[gateway]\nlisten = \"localhost\"\nupstreams = [\"x\", 7]\n",
        "[product]\nversion_file = \"/nowhere\"\n",
        "[product]\nversion_file = \"/\"\n",
        "[reminders]\nbefore_end_days = [\"x\", 1.5]\n",
    ] {
        let agent = Agent::new(folder.path(), folder.path(), text);
        let said = outputs(&agent, &["config", "check"]);
        shows_no_library(text, &said);
        assert!(said.contains("agent.toml:"), "{text}: no place: {said}");
    }
    let agent = Agent::new(folder.path(), folder.path(), "");
    std::fs::write(&agent.config, b"[log]\nlevel = \"\xa3\"\n").unwrap();
    shows_no_library("not UTF-8", &outputs(&agent, &["config", "check"]));
    let pem = format!("[source]\nurl = \"https://h.invalid\"\nca_file = {:?}\n", file("directory"));
    let agent = Agent::new(folder.path(), folder.path(), &pem);
    let said = outputs(&agent, &["config", "check"]);
    assert!(said.contains("expected a PEM file, found a directory: "), "{said}");
    shows_no_library("a directory as ca_file", &said);
}

/// A port at which something answers with these bytes and leaves.
fn says(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(std::time::Duration::from_millis(500))).ok();
            // Whatever came of the request is enough.
            let _ = stream.read(&mut [0; 4096]).unwrap_or_default();
            stream.write_all(bytes).ok();
        }
    });
    port
}

#[test]
fn a_provider_and_receivers_that_fail_are_reported_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = Server::start();
    elsewhere.say(whole(&["302 Found", "Location: /log-in?next=planted"], ""));
    let ports = [
        ("closed", free_port(), "http"),
        ("leaves", says(b""), "http"),
        ("talks", says(b"220 mail.example ESMTP\r\n"), "http"),
        ("cut", says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), "http"),
        ("page", says(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>"), "http"),
        ("no_tls", says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), "https"),
        ("hangs_up", says(b""), "https"),
        ("redirects", elsewhere.port, "http"),
    ];
    let mut settings = "[destinations.dns]\nurl = \"http://nobody.invalid/\"\n".to_owned();
    for (name, port, scheme) in &ports {
        settings += &format!("[destinations.{name}]\nurl = \"{scheme}://127.0.0.1:{port}/in\"\n");
        settings +=
            &format!("[destinations.{name}-syslog]\nkind = \"syslog\"\nurl = \"tcp://127.0.0.1:{port}\"\n");
    }
    let code = "01234-56789-ABCDE-FGHII";
    for (name, port, scheme) in &ports {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let source = format!("[source]\nurl = \"{scheme}://127.0.0.1:{port}\"\ntimeout = \"3s\"\n");
        let agent = Agent::new(&folder, &folder, &(source + if *name == "closed" { &settings } else { "" }));
        let _running = agent.start_ready();
        let said = outputs(&agent, &["activate", code]);
        println!("{name}: {said}");
        shows_no_library(&format!("activate, {name}"), &said);
        if *name == "redirects" {
            assert!(said.contains(&format!("redirects (302) to http://127.0.0.1:{port}")), "{said}");
            assert!(!said.contains("planted"), "{said}");
        }
        if *name == "closed" {
            let outages = || {
                let status = agent.status();
                let destinations = status["destinations"].as_object().unwrap().clone();
                destinations
                    .into_iter()
                    .map(|(name, health)| (name, health["outage"]["message"].to_string()))
                    .collect::<Vec<_>>()
            };
            let failed = crate::support::wait_for("each destination to fail", 60, || {
                let outages = outages();
                let fails = |name: &str| outages.iter().any(|(of, message)| of == name && message != "null");
                let all =
                    ports.iter().all(|(name, ..)| fails(name)) && fails("dns") && fails("closed-syslog");
                println!("{:?}", outages.iter().filter(|(_, message)| message == "null").collect::<Vec<_>>());
                all.then_some(outages)
            });
            for (name, message) in failed {
                shows_no_library(&name, &message);
                println!("{name}: {message}");
                if name == "redirects" {
                    assert!(
                        message.contains(&format!(
                            "redirects (302) to http://127.0.0.1:{}/log-in",
                            elsewhere.port
                        )),
                        "{message}"
                    );
                    assert!(!message.contains("planted"), "{message}");
                }
            }
            for arguments in [&["status"][..], &["doctor"], &["config", "check"]] {
                shows_no_library(&format!("{arguments:?}"), &outputs(&agent, arguments));
            }
        }
        shows_no_library(&format!("the log, {name}"), &agent.log());
    }
}
