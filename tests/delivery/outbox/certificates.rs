//! Mutual TLS with nginx, and settings of destinations that cannot work.

use crate::outbox::webhook::Webhook;
use crate::outbox::{World, destination, devices, events_of, health, logged, settled, types, without_a_gap};
use crate::support::certificates::{Authority, Issued};
use crate::support::{Program, free_port, have, wait_for};
use serde_json::Value;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

const LOCAL: &str = "IP:127.0.0.1";

/// nginx over TLS before a collector. With `clients`, PEM of authorities, it lets in who shows a certificate of
/// one of them; its log has their issuers.
fn nginx(folder: &Path, server: &Issued, clients: Option<&str>, collector: u16) -> (Program, u16) {
    std::fs::create_dir_all(folder.join("tmp")).unwrap();
    let (at, port) = (folder.display(), free_port());
    let verify = clients.map(|clients| {
        std::fs::write(folder.join("clients.pem"), clients).unwrap();
        format!("ssl_client_certificate {at}/clients.pem; ssl_verify_client on;")
    });
    let text = format!(
        "master_process off; daemon off; pid {at}/nginx.pid; error_log {at}/error.log;\n\
         events {{ worker_connections 64; }}\n\
         http {{ log_format issuer '$status $ssl_client_i_dn'; access_log {at}/access.log issuer;\n\
         client_body_temp_path {at}/tmp; proxy_temp_path {at}/tmp; fastcgi_temp_path {at}/tmp; uwsgi_temp_path {at}/tmp;\n\
         scgi_temp_path {at}/tmp; client_max_body_size 8m;\n\
         server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; {}\n\
         location / {{ proxy_pass http://127.0.0.1:{collector}; }} }} }}\n",
        server.certificate.display(),
        server.key.display(),
        verify.unwrap_or_default()
    );
    std::fs::write(folder.join("nginx.conf"), text).unwrap();
    let mut command = Command::new("nginx");
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").arg("-c").arg(folder.join("nginx.conf"));
    let program = Program::start(command.arg("-e").arg(folder.join("error.log")), &folder.join("nginx.log"));
    wait_for("nginx", 20, || TcpStream::connect(("127.0.0.1", port)).ok());
    (program, port)
}

#[test]
fn a_client_certificate_is_told_before_it_ends_and_replaced_without_a_restart() {
    if !have("openssl", "openssl") || !have("nginx", "nginx-light") {
        return;
    }
    let world = World::new();
    let folder = world.at("tls");
    std::fs::create_dir(&folder).unwrap();
    let (ours, theirs) = (Authority::new(&folder, "ours"), Authority::new(&folder, "theirs"));
    let server = ours.issue("server", LOCAL, 30);
    let pem = |authority: &Authority| std::fs::read_to_string(authority.certificate()).unwrap();
    let store = world.collector("store");
    let _running = store.start_ready();
    let (_nginx, port) = nginx(&folder, &server, Some(&(pem(&ours) + &pem(&theirs))), store.port);
    let shown = Issued { certificate: world.at("svm.crt"), key: world.at("svm.key") };
    let put = |issued: &Issued| {
        std::fs::copy(&issued.key, &shown.key).unwrap();
        std::fs::copy(&issued.certificate, &shown.certificate).unwrap();
    };
    put(&ours.issue("first", "DNS:svm-17", 5));
    let url = format!("https://127.0.0.1:{port}/v1/events");
    let files = format!(
        "ca_file = {:?}\ncertificate_file = {:?}\nkey_file = {:?}\n",
        ours.certificate(),
        shown.certificate,
        shown.key
    );
    let agent = world.agent(&destination("console", &url, &files));
    let mut program = world.live(&agent);
    let reasons = || agent.status()["reasons"].clone();
    for _ in 0..2 {
        settled(&agent, &["console"]);
        assert_eq!(agent.status()["device_status"], "warning");
        assert_eq!(reasons(), Value::from(vec!["certificate_expiring"]));
        assert!(program.terminate().success());
        program = agent.start_ready();
    }
    settled(&agent, &["console"]);
    let reported = || {
        let events = store.events().unwrap();
        let of = |event: &&Value| event["type"] == "svm.destination.certificate_expiring";
        events.iter().filter(of).cloned().collect::<Vec<_>>()
    };
    agent.wrote(&["destination.certificate_expiring"]);
    let [event] = &reported()[..] else { panic!("told {} times", reported().len()) };
    let data = &event["data"];
    assert_eq!((&data["severity"], &data["destination"]), (&2.into(), &"console".into()));
    assert_eq!(data["file"], shown.certificate.to_str().unwrap());
    assert!((4..=5).contains(&data["days_left"].as_u64().unwrap()), "{data}");

    // Another authority's, which only nginx knows.
    put(&theirs.issue("second", "DNS:svm-17", 300));
    let id = program.child.id();
    devices(&agent, 95);
    settled(&agent, &["console"]);
    let access = std::fs::read_to_string(folder.join("access.log")).unwrap();
    let issuers: Vec<&str> = access.lines().collect();
    assert_eq!((issuers[0], *issuers.last().unwrap()), ("200 CN=ours", "200 CN=theirs"), "{access}");
    assert!(Path::new(&format!("/proc/{id}/exe")).exists(), "it was not restarted");
    assert_eq!(logged(&agent, "delivery to console fails"), 0, "{}", agent.log());

    assert!(program.terminate().success());
    program = agent.start_ready();
    settled(&agent, &["console"]);
    assert_eq!((reasons(), reported().len()), (Value::Array(Vec::new()), 1));
    let events = store.events().unwrap();
    without_a_gap("console", &events);
    let last = events.iter().rev().find(|event| event["type"] == "svm.device.status_changed").unwrap();
    assert_eq!((&last["data"]["from"], &last["data"]["to"]), (&"warning".into(), &"ok".into()));
    assert!(program.terminate().success());
}

#[test]
fn a_destination_that_cannot_work_is_named_by_the_check_and_by_the_daemon_that_goes_on() {
    if !have("openssl", "openssl") || !have("nginx", "nginx-light") {
        return;
    }
    let world = World::new();
    let folder = world.at("tls");
    std::fs::create_dir(&folder).unwrap();
    let authority = Authority::new(&folder, "authority");
    let server = authority.issue("elsewhere", "DNS:elsewhere.example", 30);
    let client = authority.issue("client", "DNS:svm-17", 30);
    let store = world.collector("store");
    let _running = store.start_ready();
    let (_nginx, port) = nginx(&folder, &server, None, store.port);
    let https = format!("https://127.0.0.1:{port}/v1/events");
    let ca = format!("ca_file = {:?}\n", authority.certificate());
    let key =
        format!("{ca}certificate_file = {:?}\nkey_file = \"/nonexistent/svm.key\"\n", client.certificate);
    let silent = Webhook::start();
    let cases = [
        ("name", "http://name.invalid/v1/events".to_owned(), "", &["unreachable", "timeout"][..], ""),
        ("certificate", https.clone(), &ca, &["tls_refused"], "the server's certificate is for another name"),
        ("key", https, &key, &["connection_settings"], "cannot read /nonexistent/svm.key"),
        ("path", format!("http://127.0.0.1:{}/nowhere", store.port), "", &["http_404"], "404"),
    ];
    let mut settings = destination("good", &events_of(store.port), "");
    for (name, url, more, ..) in &cases {
        settings += &destination(name, url, more);
    }
    // What is checked offline is asked nothing.
    let offline = world.agent(&(settings.clone() + &destination("silent", &silent.url(), "")));
    let checked = offline.ask(&["config", "check", "--offline"]).unwrap();
    assert_eq!(checked["ok"], true);
    let remarks: Vec<&str> =
        checked["remarks"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
    let [key_file] = remarks[..] else { panic!("{remarks:?}") };
    assert!(
        key_file.starts_with("`destinations.key.key_file`: cannot read /nonexistent/svm.key"),
        "{key_file}"
    );
    assert!(silent.server.requests().is_empty());

    let agent = world.agent(&settings);
    let checked = agent.ask(&["config", "check"]).unwrap();
    let remarks: Vec<&str> =
        checked["remarks"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
    for (name, url, _, _, why) in &cases {
        let begin = format!("destination {name} ({url}): ");
        let named: Vec<&&str> = remarks.iter().filter(|remark| remark.starts_with(&begin)).collect();
        assert!(named.len() == 1 && named[0].contains(why), "{name}: {remarks:#?}");
    }
    assert!(!remarks.iter().any(|remark| remark.contains("good")), "{remarks:#?}");
    let human = agent.command(&["config", "check"]).output().unwrap();
    assert_eq!(human.status.code(), Some(0));
    assert_eq!(String::from_utf8(human.stdout).unwrap(), "The settings are valid.\n");
    let warnings = String::from_utf8(human.stderr).unwrap();
    assert!(warnings.contains("svm-agent: warning: destination path ("), "{warnings}");

    let _program = world.live(&agent);
    for count in [95, 10] {
        devices(&agent, count);
    }
    for (name, _, _, codes, why) in &cases {
        let outage = wait_for(&format!("{name} to fail"), 30, || {
            Some(health(&agent, name)["outage"].clone()).filter(|outage| !outage.is_null())
        });
        assert!(codes.contains(&outage["code"].as_str().unwrap()), "{name}: {outage}");
        assert!(outage["message"].as_str().unwrap().contains(why), "{name}: {outage}");
        let fails = logged(&agent, &format!("delivery to {name} fails"));
        assert!(fails == 1 || (*name == "name" && fails > 0), "{name}: {}", agent.log());
        assert!(health(&agent, name)["waiting"].as_u64() > Some(5), "{name}");
    }
    settled(&agent, &["good"]);
    let events = store.events().unwrap();
    without_a_gap("good", &events);
    assert_eq!(types(&events).iter().filter(|kind| **kind == "devices.limit").count(), 2);
    assert_eq!(logged(&agent, "delivery to good fails"), 0);
}
