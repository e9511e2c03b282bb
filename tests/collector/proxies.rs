//! Behind a real nginx: a plain one, below a path, and as the documentation has it.

use super::*;
use crate::support::{Program, free_port, have, wait_for};
use std::path::Path;

/// nginx with these blocks in its `http`.
fn nginx(folder: &Path, port: u16, blocks: &str) -> Program {
    let at = folder.display();
    std::fs::create_dir_all(folder.join("tmp")).unwrap();
    let text = format!(
        "master_process off; daemon off; pid {at}/nginx.pid; error_log {at}/error.log;\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log off; client_body_temp_path {at}/tmp; proxy_temp_path {at}/tmp; fastcgi_temp_path {at}/tmp;\n\
         uwsgi_temp_path {at}/tmp; scgi_temp_path {at}/tmp;\n{blocks}\n}}\n"
    );
    std::fs::write(folder.join("nginx.conf"), text).unwrap();
    let mut command = Command::new("nginx");
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").arg("-c").arg(folder.join("nginx.conf"));
    let program = Program::start(command.arg("-e").arg(folder.join("error.log")), &folder.join("nginx.log"));
    wait_for("nginx", 20, || TcpStream::connect(("127.0.0.1", port)).ok());
    program
}

/// The end of a link on a page with this path.
fn resolved(page: &str, link: &str) -> String {
    let mut parts: Vec<&str> = page.split('?').next().unwrap().split('/').collect();
    parts.pop();
    let (path, query) =
        link.split_once('?').map_or((link, String::new()), |(path, query)| (path, format!("?{query}")));
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    // What ends in a dot segment is a folder.
    let folder = if path.ends_with("..") || path.ends_with('.') { "/" } else { "" };
    format!("{}{folder}{query}", parts.join("/"))
}

#[test]
fn behind_a_plain_nginx_events_come_at_once_and_links_work_below_a_path() {
    if !have("nginx", "nginx-light") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let port = free_port();
    let to = collector.address;
    let _nginx = nginx(
        dir.path(),
        port,
        &format!(
            "server {{ listen 127.0.0.1:{port}; location /console/ {{ proxy_pass http://{to}/; }} location / {{ proxy_pass http://{to}; }} }}"
        ),
    );
    let through = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect(through).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    write!(stream, "GET /v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.by_ref().find(|line| line.starts_with("retry:")).unwrap();
    // Each comes alone, while the stream goes on.
    for number in 1..=3 {
        collector.post(&event("a", &number.to_string(), number));
        assert_eq!(lines.by_ref().find(|line| line.starts_with("id: ")).unwrap(), format!("id: {number}"));
    }

    let get = |path: &str| ask(through, &format!("GET {path} HTTP/1.1\r\n"), b"").unwrap();
    let mut followed = 0;
    for page in ["/console/", "/console/svms/a", "/console/?status=warning", "/console/svms/nobody"] {
        let text = get(page).body;
        for attribute in ["href=\"", "src=\"", "data-live=\""] {
            for link in text
                .split(attribute)
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"))
            {
                if link.is_empty() || link.starts_with('#') || link.contains("v1/live") {
                    continue;
                }
                let target = resolved(page, &link);
                assert!(target.starts_with("/console/"), "{page}: {link} leads to {target}");
                assert_eq!(get(&target).status, 200, "{page}: {link} leads to {target}");
                followed += 1;
            }
        }
    }
    assert!(followed > 20, "{followed}");
}

/// The block of the documentation, with the paths of this test.
#[test]
fn the_documented_nginx_asks_for_a_login_and_lets_senders_through() {
    if !have("nginx", "nginx-light") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let ((token, line), (reading, reading_line)) = (made_token(), made_token());
    std::fs::write(at("tokens"), line).unwrap();
    std::fs::write(at("readers"), format!("{reading_line} nginx")).unwrap();
    let settings = format!(
        "[tokens]\nfile = {:?}\n[page]\nopen_to = \"readers\"\nreaders_file = {:?}\n",
        at("tokens"),
        at("readers")
    );
    let collector = Collector::start_with(dir.path(), "hosts = [\"console.example.com\"]\n", "", &settings);

    let docs =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/collector-api.md"))
            .unwrap();
    let block = docs.split("```nginx\n").nth(1).unwrap().split("```").next().unwrap();
    let port = free_port();
    let mut blocks = String::new();
    for line in block.lines().filter(|line| !line.trim_start().starts_with("ssl_")) {
        let line = line
            .replace("listen 443 ssl;", &format!("listen 127.0.0.1:{port};"))
            .replace("/etc/nginx/svm-console.users", at("users").to_str().unwrap())
            .replace("/etc/nginx/svm-console.token", at("token").to_str().unwrap())
            .replace("127.0.0.1:8480", &collector.address.to_string());
        blocks += &(line + "\n");
    }
    // A password in a form that nginx reads without crypt(3).
    std::fs::write(at("users"), "ann:{PLAIN}secret\n").unwrap();
    std::fs::write(at("token"), format!("default \"Bearer {reading}\";\n")).unwrap();
    let _nginx = nginx(dir.path(), port, &blocks);
    let through = SocketAddr::from(([127, 0, 0, 1], port));
    let ask = |head: &str, body: &[u8]| ask(through, head, body).unwrap();
    // ann:secret
    let login = "Authorization: Basic YW5uOnNlY3JldA==\r\n";
    let post = |authorization: &str, number: u64| {
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nContent-Type: application/cloudevents+json\r\n{authorization}"
        );
        ask(&head, event("a", &number.to_string(), number).to_string().as_bytes()).status
    };
    assert_eq!(post(&format!("Authorization: Bearer {token}\r\n"), 1), 200);
    assert_eq!((post("", 2), post("Authorization: Bearer wrong\r\n", 2), post(login, 2)), (401, 401, 401));
    for path in ["/", "/svms/a", "/v1/svms", "/v1/events", "/metrics", "/static/style.css"] {
        assert_eq!(ask(&format!("GET {path} HTTP/1.1\r\n"), b"").status, 401, "{path}");
        assert_eq!(
            ask(&format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\n"), b"").status,
            401,
            "{path}"
        );
        assert_eq!(ask(&format!("GET {path} HTTP/1.1\r\n{login}"), b"").status, 200, "{path}");
    }
    // Without nginx, being on this machine is no login.
    assert_eq!(collector.get("/v1/svms").status, 401);
    let mut stream = TcpStream::connect(through).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    write!(stream, "GET /v1/live?after=0 HTTP/1.1\r\nHost: console.example.com\r\n{login}\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert_eq!(lines.find(|line| line.starts_with("id: ")).unwrap(), "id: 1");
}
