//! TLS files: what is wrong with them is named, what expires is known, and a real server takes the client's certificate.

use crate::support::certificates::{Authority, Issued, damages, openssl, pieces};
use crate::support::{Program, free_port, have, wait_for};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use svm_core::clock::Clock;
use svm_core::http::{Connection, Failure, Method, client};
use svm_core::tls::{TlsFiles, certificate_ends_at};

const LOCAL: &str = "DNS:localhost,IP:127.0.0.1";

/// What is said of files that cannot be used, without the folder.
fn refused(folder: &Path, files: &TlsFiles) -> String {
    let error = files.client_config(Clock::system()).err().unwrap_or_else(|| panic!("{files:?} can be used"));
    svm_core::error_chain::Chain(&error).to_string().replace(&format!("{}/", folder.display()), "")
}

#[test]
fn what_is_wrong_with_a_file_is_named_with_the_way_out() {
    if !have("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| Some(folder.path().join(name));
    let authority = Authority::new(folder.path(), "authority");
    let (one, two) = (authority.issue("one", LOCAL, 2), authority.issue("two", LOCAL, 2));
    std::fs::write(at("empty").unwrap(), "").unwrap();
    std::fs::write(at("half").unwrap(), "-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
    std::fs::write(at("nonsense").unwrap(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    std::fs::write(at("large").unwrap(), vec![b'\n'; 1024 * 1024 + 1]).unwrap();
    openssl(folder.path(), &["ec", "-aes128", "-passout", "pass:x", "-in", "one.key", "-out", "locked.key"]);
    openssl(
        folder.path(),
        &["pkcs8", "-topk8", "-passout", "pass:x", "-in", "one.key", "-out", "locked8.key"],
    );

    let of_ca = |name: &str| refused(folder.path(), &TlsFiles { ca_file: at(name), ..TlsFiles::default() });
    assert_eq!(
        of_ca("none"),
        "cannot read none: it does not exist; correct the path, or let this service read the file"
    );
    assert_eq!(
        of_ca("empty"),
        "there is no certificate in empty: the file is empty; expected PEM, with a line -----BEGIN CERTIFICATE-----"
    );
    assert!(of_ca("one.key").starts_with("there is no certificate in one.key: it holds a private key"));
    assert!(of_ca("half").starts_with("half is damaged PEM: "), "{}", of_ca("half"));
    assert!(
        of_ca("nonsense").starts_with("the certificate in nonsense cannot be used: "),
        "{}",
        of_ca("nonsense")
    );
    assert_eq!(of_ca("large"), "large is larger than 1 MiB; check that it is the right file");

    let of_pair = |certificate: &str, key: &str| {
        let files =
            TlsFiles { ca_file: at("authority.pem"), certificate_file: at(certificate), key_file: at(key) };
        refused(folder.path(), &files)
    };
    assert_eq!(
        of_pair("one.crt", "two.key"),
        "the key in two.key does not belong to the first certificate in one.crt; use the key for which the certificate was issued"
    );
    for locked in ["locked.key", "locked8.key"] {
        let message = of_pair("one.crt", locked);
        assert!(
            message.starts_with(&format!("the private key in {locked} has a password; remove it")),
            "{message}"
        );
    }
    for keyless in ["one.crt", "empty"] {
        let message = of_pair("one.crt", keyless);
        assert!(message.starts_with(&format!("there is no private key in {keyless}: ")), "{message}");
        assert!(message.ends_with("expected PEM in PKCS#8, SEC1 or PKCS#1"), "{message}");
    }
    assert!(of_pair("nonsense", "one.key").starts_with("the first certificate in nonsense cannot be used: "));
    assert!(of_pair("one.crt", "none").starts_with("cannot read none: "));
    let half = |certificate_file, key_file| {
        refused(folder.path(), &TlsFiles { ca_file: at("authority.pem"), certificate_file, key_file })
    };
    assert_eq!(
        half(at("one.crt"), None),
        "`certificate_file` is set and `key_file` is not; a client certificate needs both"
    );
    assert_eq!(
        half(None, at("one.key")),
        "`key_file` is set and `certificate_file` is not; a client certificate needs both"
    );
    authority.files(Some(&one)).client_config(Clock::system()).unwrap();
    authority.files(Some(&two)).client_config(Clock::system()).unwrap();
}

#[test]
fn nothing_of_a_damaged_file_is_shown() {
    if !have("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let authority = Authority::new(folder.path(), "authority");
    let one = authority.issue("one", LOCAL, 2);
    openssl(folder.path(), &["pkey", "-in", "one.key", "-outform", "DER", "-out", "one.der"]);
    let key = std::fs::read_to_string(&one.key).unwrap();
    let pieces = pieces(&key);
    assert!(pieces.len() > 10);
    let mut damaged = damages(&key);
    damaged.push(("der", std::fs::read(at("one.der")).unwrap()));
    for (name, bytes) in damaged {
        std::fs::write(at(name), bytes).unwrap();
        // A key by mistake stands in the other files as well.
        for role in ["key_file", "certificate_file", "ca_file"] {
            let mut files = authority.files(Some(&one));
            match role {
                "key_file" => files.key_file = Some(at(name)),
                "certificate_file" => files.certificate_file = Some(at(name)),
                _ => files.ca_file = Some(at(name)),
            }
            let error = files.client_config(Clock::system()).err();
            let error = error.unwrap_or_else(|| panic!("{name} can be used as {role}"));
            let message = format!("{} {error:?}", svm_core::error_chain::Chain(&error));
            let shown = pieces.iter().find(|piece| message.contains(piece.as_str()));
            assert_eq!(shown, None, "{name} as {role}: {message}");
            assert!(message.contains(&format!("/{name}")), "{name} as {role} is not named: {message}");
            assert!(message.lines().count() == 1 && message.len() < 1000, "{message}");
        }
    }
    // What people do to a file that takes nothing away from it.
    for (name, text) in [
        ("dos", key.replace('\n', "\r\n")),
        ("mac", key.replace('\n', "\r")),
        ("mark", format!("\u{feff}{key}")),
        ("indented", key.replace('\n', "\n    ")),
        ("unseen", key.replace('\n', "\u{200b}\n\u{a0}")),
        ("explained", format!("The key of svm-17:\n\n{key}")),
    ] {
        std::fs::write(at(name), text).unwrap();
        let mut files = authority.files(Some(&one));
        files.key_file = Some(at(name));
        files.client_config(Clock::system()).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn keys_of_other_kinds_are_named_by_their_kind() {
    if !have("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let mut one = authority.issue("one", LOCAL, 2);
    for (name, arguments, message) in [
        (
            "p521",
            &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"][..],
            "its curve is P-521",
        ),
        ("sec1", &["ecparam", "-name", "secp521r1", "-genkey", "-noout"], "its curve is P-521"),
        (
            "k1",
            &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
            "its curve is secp256k1",
        ),
        (
            "short",
            &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
            "less than 2048 bits",
        ),
        ("ed448", &["genpkey", "-algorithm", "ED448"], "an Ed448 key"),
        ("x25519", &["genpkey", "-algorithm", "X25519"], "an X25519 key"),
    ] {
        let file = format!("{name}.key");
        openssl(folder.path(), &[arguments, &["-out", &file]].concat());
        one.key = folder.path().join(&file);
        let error = refused(folder.path(), &authority.files(Some(&one)));
        assert!(error.starts_with(&format!("the private key in {file} cannot be used: ")), "{error}");
        assert!(error.contains(message), "{error}");
    }
}

/// Another time than it is.
#[derive(Debug)]
struct DaysFromNow(i64);

impl rustls::time_provider::TimeProvider for DaysFromNow {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let now = i64::try_from(rustls::pki_types::UnixTime::now().as_secs()).unwrap();
        let seconds = u64::try_from(now + self.0 * 86_400).unwrap();
        Some(rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// A server of openssl that shows a certificate.
fn s_server(folder: &Path, issued: &Issued) -> (Program, u16) {
    let port = free_port();
    let mut command = Command::new("openssl");
    command.args(["s_server", "-www", "-quiet", "-accept", &format!("127.0.0.1:{port}"), "-cert"]);
    command.arg(&issued.certificate).arg("-key").arg(&issued.key);
    let program = Program::start(&mut command, &folder.join("s_server.log"));
    wait_for("s_server", 20, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    (program, port)
}

#[test]
fn a_certificate_that_is_its_own_authority_is_taken_where_exactly_it_is_trusted() {
    if !have("openssl", "openssl") {
        return;
    }
    svm_core::http::install_tls();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // As the page of each product has it: an authority of its own, by default.
    let made = |name: &str, names: &str, days: &str| {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let names = format!("subjectAltName={names}");
        let names = if names.ends_with('=') { vec![] } else { vec!["-addext", &names] };
        openssl(
            folder.path(),
            &[
                &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"][..],
                &["-days", days, "-subj", "/CN=localhost", "-keyout", &key, "-out", &certificate],
                &names,
            ]
            .concat(),
        );
        Issued { certificate: folder.path().join(certificate), key: folder.path().join(key) }
    };
    let ask = |issued: &Issued, trusted: &[&Issued]| {
        let (_server, port) = s_server(folder.path(), issued);
        let bundle: String =
            trusted.iter().map(|one| std::fs::read_to_string(&one.certificate).unwrap()).collect();
        let ca_file = folder.path().join("trusted.pem");
        std::fs::write(&ca_file, bundle).unwrap();
        let tls = TlsFiles { ca_file: Some(ca_file), ..TlsFiles::default() };
        let connection = Connection { timeout: Duration::from_secs(20), tls, proxy: None };
        let url = format!("https://localhost:{port}/");
        let asked = runtime.block_on(async {
            let strict = client(&url, &connection, false, Clock::system()).unwrap();
            let strict = strict.request(Method::GET).send().await.map(|answer| answer.status.as_u16());
            let (signed, _) = svm_core::http::client_for_signed(&url, &connection, Clock::system()).unwrap();
            let signed = signed.request(Method::GET).send().await.map(|answer| answer.status.as_u16());
            (strict, signed)
        });
        assert_eq!(asked.0, asked.1);
        asked.0
    };
    let (own, other) = (made("own", LOCAL, "2"), made("other", LOCAL, "2"));
    assert_eq!(ask(&own, &[&own]), Ok(200));
    assert_eq!(ask(&own, &[&other, &own]), Ok(200));
    // As most pages have it: with a common name alone, which counts for exactly this certificate.
    let bare = made("bare", "", "2");
    assert_eq!(ask(&bare, &[&bare]), Ok(200));
    let refused = |issued: &Issued, trusted: &[&Issued], why: &str| match ask(issued, trusted) {
        Err(Failure::Tls(message)) => assert!(message.contains(why), "{message}"),
        other => panic!("{why}: {other:?}"),
    };
    // One with the same name and another key, a name that is not asked for, and one that is over.
    refused(&own, &[&other], "put exactly this certificate into `ca_file`");
    let elsewhere = made("elsewhere", "DNS:elsewhere.example", "2");
    refused(&elsewhere, &[&elsewhere], "for another name");
    let authority = Authority::new(folder.path(), "named-otherwise");
    let nameless =
        Issued { certificate: authority.certificate(), key: folder.path().join("named-otherwise.key") };
    refused(&nameless, &[&nameless], "has no names (no subjectAltName)");
    // Seen from a time at which it is over, and from one at which it has not begun.
    for (days, why) in [(5, ", expired on "), (-5, "is not valid yet: it is valid from ")] {
        let (_server, port) = s_server(folder.path(), &own);
        let tls = TlsFiles { ca_file: Some(own.certificate.clone()), ..TlsFiles::default() };
        let config = tls.client_config(DaysFromNow(days)).unwrap();
        let mut session =
            rustls::ClientConnection::new(std::sync::Arc::new(config), "localhost".try_into().unwrap())
                .unwrap();
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let error = session.complete_io(&mut stream).unwrap_err();
        let message = svm_core::tls::explain(svm_core::tls::refusal(&error).unwrap());
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn each_form_of_private_key_is_read() {
    if !have("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let mut issued = authority.issue("ec", LOCAL, 2);
    openssl(folder.path(), &["ec", "-in", "ec.key", "-out", "ec.sec1"]);
    assert!(std::fs::read_to_string(folder.path().join("ec.sec1")).unwrap().contains("BEGIN EC PRIVATE KEY"));
    for form in ["ec.key", "ec.sec1"] {
        issued.key = folder.path().join(form);
        authority.files(Some(&issued)).client_config(Clock::system()).unwrap();
    }
    openssl(
        folder.path(),
        &[
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=r", "-keyout", "r.key", "-out",
            "r.crt",
        ],
    );
    openssl(folder.path(), &["rsa", "-traditional", "-in", "r.key", "-out", "r.pkcs1"]);
    assert!(
        std::fs::read_to_string(folder.path().join("r.pkcs1")).unwrap().contains("BEGIN RSA PRIVATE KEY")
    );
    issued.certificate = folder.path().join("r.crt");
    for form in ["r.key", "r.pkcs1"] {
        issued.key = folder.path().join(form);
        authority.files(Some(&issued)).client_config(Clock::system()).unwrap();
    }
}

#[test]
fn the_end_of_a_certificate_is_what_openssl_says() {
    if !have("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    for (name, days) in [("short", 0), ("year", 365), ("far", 36_500)] {
        let issued = authority.issue(name, LOCAL, days);
        let pem = std::fs::read_to_string(&issued.certificate).unwrap();
        let shown = openssl(
            folder.path(),
            &["x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in", &format!("{name}.crt")],
        );
        let expected = shown.trim().strip_prefix("notAfter=").unwrap().replace(' ', "T");
        assert_eq!(certificate_ends_at(pem.as_bytes()).unwrap().to_string(), expected);
        // Of a chain the first counts, and a key before it does not matter.
        let key = std::fs::read_to_string(&issued.key).unwrap();
        let chain = format!("{key}{pem}{}", std::fs::read_to_string(authority.certificate()).unwrap());
        assert_eq!(certificate_ends_at(chain.as_bytes()).unwrap().to_string(), expected);
    }
    // An authority's own has an end as well.
    certificate_ends_at(&std::fs::read(authority.certificate()).unwrap()).unwrap();
    assert!(certificate_ends_at(b"").unwrap_err().to_string().starts_with("there is no certificate"));
    let nonsense = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(certificate_ends_at(nonsense).unwrap_err().to_string().starts_with("it is damaged"));
}

#[test]
fn a_replaced_file_is_another_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pem");
    let files = TlsFiles { key_file: Some(path.clone()), ..TlsFiles::default() };
    let mut states = vec![files.state()];
    std::fs::write(&path, "one").unwrap();
    states.push(files.state());
    assert_eq!(files.state(), states[1]);
    // As installers and `ln -sf` do it: another file under the same name, here even of the same length.
    std::fs::write(folder.path().join("new"), "two").unwrap();
    std::fs::rename(folder.path().join("new"), &path).unwrap();
    states.push(files.state());
    std::fs::write(&path, "longer").unwrap();
    states.push(files.state());
    for (n, state) in states.iter().enumerate() {
        assert!(states[n + 1..].iter().all(|other| other != state), "{n} of {states:?}");
    }
}

/// nginx over TLS that wants a client certificate of the authority.
fn nginx(folder: &Path, version: &str) -> (Program, u16) {
    let port = free_port();
    let at = folder.display();
    std::fs::create_dir_all(folder.join("tmp")).unwrap();
    let text = format!(
        "master_process off; daemon off; pid {at}/nginx.pid; error_log {at}/error.log;\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log off; client_body_temp_path {at}/tmp; proxy_temp_path {at}/tmp; fastcgi_temp_path {at}/tmp;\n\
         uwsgi_temp_path {at}/tmp; scgi_temp_path {at}/tmp;\n\
         server {{ listen 127.0.0.1:{port} ssl; ssl_protocols {version};\n\
         ssl_certificate {at}/server.crt; ssl_certificate_key {at}/server.key;\n\
         ssl_client_certificate {at}/authority.pem; ssl_verify_client on;\n\
         location / {{ return 200 \"$ssl_client_s_dn\"; }} }} }}\n"
    );
    std::fs::write(folder.join("nginx.conf"), text).unwrap();
    let mut command = Command::new("nginx");
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").arg("-c").arg(folder.join("nginx.conf"));
    let program = Program::start(command.arg("-e").arg(folder.join("error.log")), &folder.join("nginx.log"));
    wait_for("nginx", 20, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    (program, port)
}

#[test]
fn http_shows_the_client_certificate() {
    if !have("openssl", "openssl") || !have("nginx", "nginx-light") {
        return;
    }
    svm_core::http::install_tls();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for version in ["TLSv1.2", "TLSv1.3"] {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path(), "authority");
        let other = Authority::new(folder.path(), "other");
        authority.issue("server", LOCAL, 2);
        let svm = authority.issue("svm-17", "DNS:svm-17", 2);
        let (_nginx, port) = nginx(folder.path(), version);
        let url = format!("https://localhost:{port}/");
        let ask = |tls: TlsFiles| {
            let connection = Connection { timeout: Duration::from_secs(20), tls, proxy: None };
            let client = client(&url, &connection, false, Clock::system()).unwrap();
            runtime.block_on(async {
                let answer = client.request(Method::GET).send().await?;
                let status = answer.status.as_u16();
                Ok((status, String::from_utf8(answer.body(10_000).await?).unwrap()))
            })
        };
        assert_eq!(ask(authority.files(Some(&svm))), Ok((200, "CN=svm-17".to_owned())));
        // nginx answers in words rather than in TLS.
        assert_eq!(ask(authority.files(None)).unwrap().0, 400);
        // The server's own certificate is of an authority that is not trusted.
        match ask(other.files(Some(&svm))) {
            Err(Failure::Tls(message)) => {
                assert!(
                    message.contains("issued by \"authority\", which ")
                        && message.contains("add it to `ca_file`"),
                    "{message}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn certificates_are_not_read_where_nothing_is_verified() {
    svm_core::http::install_tls();
    let tls = TlsFiles { ca_file: Some("/nonexistent/ca.pem".into()), ..TlsFiles::default() };
    let mut connection = Connection { timeout: Duration::from_secs(1), tls, proxy: None };
    client("http://localhost/", &connection, false, Clock::system()).unwrap();
    client("https://localhost/", &connection, false, Clock::system()).unwrap_err();
    connection.proxy = Some("http://localhost:1".to_owned());
    client("http://localhost/", &connection, false, Clock::system()).unwrap();
    connection.proxy = Some("https://localhost:1".to_owned());
    client("http://localhost/", &connection, false, Clock::system()).unwrap_err();
}
