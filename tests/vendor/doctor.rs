//! `doctor`: a published folder behind real web servers, as they should be and as they should not.

use super::support::{Program, free_port, nginx_with};
use super::*;

/// A ledger with a key, published, and nginx over it with this in its server's block.
struct Site {
    provider: Provider,
    server: tempfile::TempDir,
    _nginx: Program,
    url: String,
}

impl Site {
    fn new(listen: &str, more: &str) -> Self {
        Self::changed(listen, more, |_| {})
    }

    /// The same, and what somebody did to the published folder.
    fn changed(listen: &str, more: &str, change: impl FnOnce(&Path)) -> Self {
        let provider = Provider::new();
        provider.issue("A");
        provider.ok(&["publish", "web"]);
        change(&provider.path("web"));
        let (server, port) = (tempfile::tempdir().unwrap(), free_port());
        let nginx = nginx_with(server.path(), &provider.path("web"), port, listen, more);
        let url = format!("http://127.0.0.1:{port}");
        Self { provider, server, _nginx: nginx, url }
    }

    fn examine(&self) -> Findings {
        Findings::of(&self.provider, &[&self.url])
    }
}

/// What was found, by its name.
struct Findings {
    exit: Option<i32>,
    all: Vec<Value>,
}

impl Findings {
    fn of(provider: &Provider, args: &[&str]) -> Self {
        let output = provider.run(&[&["doctor", "--json"], args].concat());
        let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let all = json["findings"].as_array().unwrap_or_else(|| panic!("{json}")).clone();
        Self { exit: output.status.code(), all }
    }

    fn grade(&self, check: &str) -> &str {
        let found = self.all.iter().find(|finding| finding["check"] == check);
        found.unwrap_or_else(|| panic!("no {check} in {:?}", self.all))["grade"].as_str().unwrap()
    }

    fn says(&self, check: &str) -> String {
        let found = self.all.iter().find(|finding| finding["check"] == check).unwrap();
        format!("{} {}", found["found"].as_str().unwrap(), found["do"].as_str().unwrap_or_default())
    }
}

fn have_nginx() -> bool {
    let there = Path::new("/usr/sbin/nginx").exists();
    if !there {
        let message = "not run: nginx is not installed (Debian's package nginx-light)";
        assert!(std::env::var_os("SVM_TEST_REQUIRE_ALL").is_none(), "{message}");
        println!("{message}");
    }
    there
}

#[test]
fn a_server_as_it_should_be_is_well() {
    if !have_nginx() {
        return;
    }
    let site = Site::new("", "add_header Cache-Control no-cache;");
    let findings = site.examine();
    assert_eq!(findings.exit, Some(0), "{:?}", findings.all);
    for check in [
        "connection",
        "unknown_document",
        "listing",
        "hidden_files",
        "encoding",
        "document",
        "content_type",
        "cache",
        "date",
        "etag",
    ] {
        assert_eq!(findings.grade(check), "ok", "{check}: {}", findings.says(check));
    }
    // For people, and without a name of a document in full.
    let text = site.provider.text(&["doctor", &site.url]);
    assert!(text.contains("ok        etag"), "{text}");
    let name = files_below(&site.provider.path("ledger/keys"))[0].file_stem().unwrap().to_owned();
    assert!(!text.contains(name.to_str().unwrap()), "{text}");
    // Without a ledger less is seen, and that is said.
    let findings = Findings::of(&site.provider, &["--ledger", "nowhere", &site.url]);
    assert_eq!((findings.exit, findings.grade("document")), (Some(0), "note"));
    assert!(findings.says("document").contains("--ledger"));
}

#[test]
fn a_server_that_lists_folders_is_a_failure_and_the_index_page_helps() {
    if !have_nginx() {
        return;
    }
    // With the page that publishing puts there, nothing is listed.
    let findings = Site::new("", "autoindex on;").examine();
    assert_eq!((findings.exit, findings.grade("listing")), (Some(0), "ok"), "{:?}", findings.all);
    // Without it, as a folder that an older version published.
    let remove = |web: &Path| {
        for folder in ["", "v1", "v1/keys"] {
            fs::remove_file(web.join(folder).join("index.html")).unwrap();
        }
    };
    let site = Site::changed("", "autoindex on;", remove);
    let findings = site.examine();
    assert_eq!((findings.exit, findings.grade("listing")), (Some(1), "failure"), "{:?}", findings.all);
    let says = findings.says("listing");
    assert!(says.contains("/v1/keys/") && says.contains("autoindex off"), "{says}");
    let name = files_below(&site.provider.path("ledger/keys"))[0].file_stem().unwrap().to_owned();
    assert!(!says.contains(name.to_str().unwrap()), "{says}");
    let plain = site.provider.run(&["doctor", &site.url]);
    assert_eq!(plain.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&plain.stdout).contains("FAILURE   listing"), "{plain:?}");
    // And with lists switched off.
    let findings = Site::changed("", "autoindex off;", remove).examine();
    assert_eq!((findings.exit, findings.grade("listing")), (Some(0), "ok"), "{:?}", findings.all);
}

#[test]
fn each_fault_of_a_server_has_its_word() {
    if !have_nginx() {
        return;
    }
    let rows: &[(&str, &str, &str, &str)] = &[
        ("error_page 404 =200 /v1/index.html;", "unknown_document", "failure", "make it answer 404"),
        ("error_page 404 =403 /v1/index.html;", "unknown_document", "warning", "object stores"),
        ("error_page 404 =410 /v1/index.html;", "unknown_document", "failure", "withdrawn for ever"),
        (
            "return 301 https://other.example$request_uri;",
            "unknown_document",
            "failure",
            "https://other.example ",
        ),
        (
            "auth_basic keys; auth_basic_user_file /dev/null;",
            "unknown_document",
            "failure",
            "without a password",
        ),
        ("etag off;", "etag", "warning", "no ETag"),
        ("default_type text/html;", "content_type", "failure", "application/jose"),
        ("add_header Cache-Control max-age=86400;", "cache", "warning", "86400 s"),
        ("expires 10d;", "cache", "warning", "864000 s"),
        ("add_header Age 90000;", "cache", "warning", "90000 s"),
        ("add_header Content-Encoding zstd;", "encoding", "failure", "zstd"),
        ("sub_filter_types *; sub_filter . ,; sub_filter_once on;", "document", "failure", "not a document"),
        ("location /v1/keys/ { return 404; }", "document", "warning", "svm-vendor publish"),
        ("location ~ jws$ { if ($http_if_none_match) { return 500; } }", "etag", "warning", "500"),
    ];
    for (more, check, grade, word) in rows {
        // Its `sub_filter` is a module that Debian has in every nginx.
        let site = Site::new("", more);
        let findings = site.examine();
        assert_eq!(findings.grade(check), *grade, "{more}: {:?}", findings.all);
        assert!(findings.says(check).contains(word), "{more}: {}", findings.says(check));
        let exit = i32::from(findings.all.iter().any(|finding| finding["grade"] == "failure"));
        assert_eq!(findings.exit, Some(exit), "{more}");
    }
}

#[test]
fn what_is_published_is_compared_with_the_ledger() {
    if !have_nginx() {
        return;
    }
    let site = Site::new("", "");
    site.provider.ok(&["pause", "A"]);
    let findings = site.examine();
    assert_eq!(findings.grade("document"), "warning", "{:?}", findings.all);
    assert!(findings.says("document").contains("the server has revision 1 of A, and the ledger has 2"));
    // What publishing remembers is for publishing alone.
    fs::write(site.provider.path("web/v1/.published"), "prints").unwrap();
    assert_eq!(site.examine().grade("hidden_files"), "warning");
}

#[test]
fn a_server_that_does_not_answer_and_wrong_addresses_are_told() {
    let provider = Provider::new();
    let port = free_port();
    let findings = Findings::of(&provider, &[&format!("http://127.0.0.1:{port}")]);
    assert_eq!((findings.exit, findings.grade("connection")), (Some(1), "failure"));
    for address in ["keys.provider.example", "ftp://x", "http://x/?a", "http://me@x"] {
        let (code, message) = provider.refused(&["doctor", address], 2);
        assert!(code == "usage" && message.contains("source.url"), "{address}: {message}");
    }
    let (code, message) = provider.refused(&["doctor", "https://127.0.0.1:1", "--ca-file=none.pem"], 1);
    assert!(code == "connection" && message.contains("none.pem"), "{message}");
}

#[test]
fn certificates_are_judged_as_agents_judge_them() {
    if !have_nginx() {
        return;
    }
    for (days, own, grade, word) in [
        (400, true, "ok", "more than 14 days"),
        (5, true, "warning", "expires within 14 days"),
        (400, false, "failure", "--ca-file"),
    ] {
        let tls = tempfile::tempdir().unwrap();
        let file = |name: &str| tls.path().join(name).display().to_string();
        certificate(tls.path(), days);
        let block =
            format!("ssl_certificate {}; ssl_certificate_key {};", file("server.pem"), file("server.key"));
        let site = Site::new(" ssl", &block);
        let url = site.url.replace("http:", "https:");
        let ca = file("ca.pem");
        let args = if own { vec!["--ca-file", &ca, &url] } else { vec![url.as_str()] };
        let findings = Findings::of(&site.provider, &args);
        assert_eq!(findings.grade("connection"), grade, "{days}: {:?}", findings.all);
        assert!(findings.says("connection").contains(word), "{}", findings.says("connection"));
        assert!(site.server.path().exists());
    }
}

/// An authority and a certificate of it for 127.0.0.1, by OpenSSL.
fn certificate(folder: &Path, days: u32) {
    let script = format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 800 -subj /CN=ca -keyout ca.key -out ca.pem
         openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=127.0.0.1 -keyout server.key -out server.csr
         printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' > extensions
         openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile extensions -out server.pem
         chmod 644 server.key"
    );
    let made = Command::new("sh").args(["-ec", &script]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
