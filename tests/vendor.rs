//! The vendor's tool from outside: the real binary, its ledger and what it publishes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, SystemTime},
};
use svm::{
    documents::{ActivationCode, Document, Expect, TrustStore, published_path, verify},
    subscription::{Term, VendorState},
};

/// A provider's machine: home, ledger and web root.
struct Provider {
    root: tempfile::TempDir,
}

impl Provider {
    /// With a ledger.
    fn new() -> Self {
        let provider = Self::bare();
        provider.ok(&["keygen", "--iss", "provider.example", "--name", "Example ISP"]);
        provider
    }

    fn bare() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_svm-vendor"))
            .args(["--ledger", "ledger"])
            .args(args)
            .current_dir(self.root.path())
            .env("HOME", self.path("home"))
            .output()
            .unwrap()
    }

    fn ok(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {text}{error}");
        assert_eq!(error, "", "{args:?}");
        serde_json::from_str(&text).unwrap()
    }

    /// Refused: the exit code, then the code and the message of the JSON. The plain form says the same.
    fn refused(&self, args: &[&str], exit: i32) -> (String, String) {
        let output = self.run(&[args, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let plain = self.run(args);
        assert_eq!(plain.status.code(), Some(exit), "{args:?}");
        assert!(plain.stdout.is_empty() && !plain.stderr.is_empty(), "{args:?}: {plain:?}");
        let text = |name: &str| json["error"][name].as_str().unwrap().to_owned();
        (text("code"), text("message"))
    }

    fn trust(&self) -> TrustStore {
        let loaded = TrustStore::load(&self.path("ledger/trust.d")).unwrap();
        assert!(loaded.problems.is_empty());
        loaded.store
    }

    /// Publishes, and reads a code's document as an agent would.
    fn fetch(&self, code: &str) -> Document {
        self.ok(&["publish", "web"]);
        let sub = ActivationCode::parse(code).unwrap().sub();
        let text = fs::read_to_string(self.path("web").join(published_path(&sub))).unwrap();
        verify(&text, &self.trust(), Expect { sub: Some(&sub), issuer: Some("provider.example") }).unwrap()
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

#[test]
fn the_whole_life_of_a_subscription_reaches_its_readers() {
    let provider = Provider::new();
    let issued = provider.ok(&[
        "issue",
        "--key-id=SUB-1",
        "--ends-at=2090-01-01",
        "--grace-days=14",
        "--devices=250",
        "--auto-renew",
        "--after-grace-updates=1",
        "--min-product-version=6.0",
        "--order-number=A221234065",
        "--channel=isp",
        "--placed-on=2026-01-31",
        "--fresh-for=90",
    ]);
    let code = issued["code"].as_str().unwrap();
    let document = provider.fetch(code);
    let statement = &document.statement;
    assert_eq!((statement.rev, statement.key.as_str()), (1, "SUB-1"));
    assert_eq!((statement.devices, statement.vendor_name()), (Some(250), "Example ISP"));
    let fresh = statement.fresh_until.unwrap().duration_since(document.iat);
    assert_eq!(fresh.as_hours(), 90 * 24);
    let subscription = statement.subscription().unwrap();
    assert_eq!(subscription.order.as_ref().unwrap().number.as_deref(), Some("A221234065"));
    assert_eq!((subscription.grace_days, subscription.auto_renew), (14, true));
    assert_eq!(subscription.term, Term::Limited { ends_at: "2090-01-01T00:00:00Z".parse().unwrap() });

    // Each by its code or its id, with the state it comes to.
    use VendorState as S;
    let steps: &[(&[&str], S)] = &[
        (&["renew", "SUB-1", "--ends-at", "2091-01-01T12:00:00Z"], S::Active),
        (&["pause", code], S::Paused),
        (&["renew", "SUB-1", "--days", "1"], S::Paused),
        (&["resume", "SUB-1"], S::Active),
        (&["change", "SUB-1", "--devices", "300", "--grace-days", "0"], S::Active),
        (&["cancel", &code.to_lowercase()], S::SoftCancelled),
        (&["renew", "SUB-1", "--ends-at=2089-01-01", "--earlier"], S::Active),
        (&["cancel", "SUB-1", "--now"], S::HardCancelled),
        (&["block", "SUB-1"], S::Blocked),
        (&["resume", "SUB-1"], S::Active),
    ];
    let mut seen = vec![document];
    for (args, state) in steps {
        // The answer tells a warning where a renewed subscription is still paused.
        provider.ok(args);
        let document = provider.fetch(code);
        let last = seen.last().unwrap();
        assert_eq!(document.statement.subscription().unwrap().state, *state, "{args:?}");
        assert_eq!(document.statement.rev, last.statement.rev + 1, "{args:?}");
        assert!(document.iat >= last.iat && document.jti != last.jti, "{args:?}");
        seen.push(document);
    }
    let end = seen.last().unwrap();
    assert_eq!((end.statement.devices, end.statement.subscription().unwrap().grace_days), (Some(300), 0));

    let list = provider.ok(&["list"]);
    assert_eq!(list["keys"][0]["rev"], 11);
    assert_eq!(list["keys"][0]["history"].as_array().unwrap().len(), 11);
    let path = provider.path("web").join(published_path(&end.sub));
    let inspected = provider.ok(&["inspect", path.to_str().unwrap()]);
    assert_eq!(inspected["claims"]["rev"], 11);
}

#[test]
fn the_other_kinds_of_keys() {
    let provider = Provider::new();
    let paid = provider.ok(&["issue", "--unlimited", "--paid-until=2090-01-01"]);
    let document = provider.fetch(paid["code"].as_str().unwrap());
    assert_eq!(document.statement.fresh_until, Some("2090-01-31T00:00:00Z".parse().unwrap()));
    let key = document.statement.key.to_string();
    assert!(key.starts_with("SUB-"));
    provider.ok(&["renew", &key, "--days=10"]);
    assert_eq!(
        provider.ok(&["list"])["keys"][0]["subscription"]["term"]["paid_until"],
        "2090-01-11T00:00:00Z"
    );

    let open = provider.ok(&["issue", "--unlimited", "--open-ended", "--key-id=OPEN"]);
    assert!(open["warnings"][0].as_str().unwrap().contains("--paid-until"));
    assert!(provider.fetch(open["code"].as_str().unwrap()).statement.fresh_until.is_some());
    provider.ok(&["renew", "OPEN"]);

    let licence = provider.ok(&["issue", "--kind=commercial", "--period-days=365", "--key-id=COM"]);
    provider.ok(&["block", "COM"]);
    let document = provider.fetch(licence["code"].as_str().unwrap());
    assert_eq!(
        (document.statement.rev, provider.ok(&["list"])["keys"][0]["state"].as_str()),
        (2, Some("blocked"))
    );
}

#[test]
fn the_ledger_holds_neither_codes_nor_private_keys() {
    let provider = Provider::new();
    let private = fs::read_to_string(provider.path("home/.config/svm-vendor/provider.example.pem")).unwrap();
    let secret = private.lines().nth(1).unwrap();
    let codes: Vec<String> =
        (0..3).map(|_| provider.ok(&["issue", "--days=30"])["code"].as_str().unwrap().to_owned()).collect();
    provider.ok(&["pause", &codes[0]]);
    provider.ok(&["publish", "web"]);
    let mut looked_at = 0;
    for folder in ["ledger", "web"] {
        for path in files_below(&provider.path(folder)) {
            let text = fs::read_to_string(&path).unwrap() + path.to_str().unwrap();
            looked_at += 1;
            assert!(!text.contains(secret) && !text.contains("PRIVATE"), "{}", path.display());
            for code in &codes {
                assert!(!text.contains(code) && !text.contains(&code.replace('-', "")), "{}", path.display());
            }
        }
    }
    assert_eq!(looked_at, 2 + 3 + 3, "provider.toml, a signer, three keys and three documents");
    // Nor does any later answer.
    let list = provider.ok(&["list"]).to_string();
    assert!(codes.iter().all(|code| !list.contains(code)));
}

#[test]
fn files_have_their_modes_whatever_the_mask() {
    for mask in ["0000", "0077"] {
        let provider = Provider::bare();
        let script = format!(
            "umask {mask}; V='{} --ledger ledger'; $V keygen --iss a && $V issue --days 3 && $V publish web",
            env!("CARGO_BIN_EXE_svm-vendor")
        );
        let mut sh = Command::new("sh");
        let output =
            sh.args(["-c", &script]).current_dir(provider.root.path()).env("HOME", provider.path("home"));
        assert!(output.output().unwrap().status.success());
        assert_eq!(mode(&provider.path("home/.config/svm-vendor/a.pem")), 0o600);
        assert_eq!(mode(&provider.path("home/.config/svm-vendor")), 0o700);
        assert_eq!(mode(&provider.path("ledger")), 0o700);
        for folder in ["web", "web/v1", "web/v1/keys", "ledger/trust.d"] {
            assert_eq!(mode(&provider.path(folder)), 0o755, "{folder}");
        }
        for file in
            files_below(&provider.path("web")).iter().chain(&files_below(&provider.path("ledger/trust.d")))
        {
            assert_eq!(mode(file), 0o644, "{}", file.display());
        }
        for file in files_below(&provider.path("ledger/keys")) {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
}

#[test]
fn publishing_writes_what_changed_and_moves_its_time_a_full_second() {
    let provider = Provider::new();
    let code = provider.ok(&["issue", "--days=30", "--key-id=A"])["code"].as_str().unwrap().to_owned();
    provider.ok(&["issue", "--days=30", "--key-id=B"]);
    let counts = |published: &Value| {
        (published["written"].as_u64().unwrap(), published["unchanged"].as_u64().unwrap())
    };
    assert_eq!(counts(&provider.ok(&["publish", "web"])), (2, 0));
    let file = |code: &str| {
        let sub = ActivationCode::parse(code).unwrap().sub();
        provider.path("web").join(published_path(&sub))
    };
    let all = files_below(&provider.path("web"));
    let other = all.iter().find(|path| **path != file(&code)).unwrap();
    let (before, other_before) = (modified(&file(&code)), modified(other));
    assert_eq!(counts(&provider.ok(&["publish", "web"])), (0, 2));
    assert_eq!(modified(&file(&code)), before);

    // Faster than the clock's seconds, five times in a row.
    let mut last = before;
    for step in ["pause", "resume", "pause", "resume", "pause"] {
        provider.ok(&[step, "A"]);
        assert_eq!(counts(&provider.ok(&["publish", "web"])), (1, 1));
        let now = modified(&file(&code));
        assert!(now.duration_since(last).unwrap() >= Duration::from_secs(1), "{step}");
        last = now;
    }
    assert_eq!(modified(other), other_before);
    // A file somebody damaged is put right, and later again.
    fs::write(file(&code), "cut").unwrap();
    let ahead = last + Duration::from_secs(100);
    fs::File::options().append(true).open(file(&code)).unwrap().set_modified(ahead).unwrap();
    provider.fetch(&code);
    assert_eq!(modified(&file(&code)), ahead + Duration::from_secs(1));
    assert_eq!(files_below(&provider.path("web")).len(), 2, "nothing is left beside the documents");
}

#[test]
fn bad_input_is_refused_with_the_way_out() {
    let provider = Provider::new();
    let code = provider.ok(&["issue", "--days=30", "--key-id=A"])["code"].as_str().unwrap().to_owned();
    provider.ok(&["issue", "--kind=commercial", "--period-days=9", "--key-id=C"]);
    let mut typo: Vec<char> = code.chars().collect();
    typo[0] = if typo[0] == 'A' { 'B' } else { 'A' };
    let typo: String = typo.into_iter().collect();
    let before: Vec<_> =
        files_below(&provider.path("ledger")).iter().map(|path| fs::read(path).unwrap()).collect();
    let rows: &[(&[&str], i32, &str, &str)] = &[
        (&["issue", "--ends-at=2020-01-01"], 1, "invalid_order", "has passed"),
        (&["issue", "--unlimited", "--paid-until=2020-01-01"], 1, "invalid_order", "has passed"),
        (&["issue", "--days=30", "--grace-days=3651"], 1, "invalid_order", "0 to 3650 days"),
        (&["issue", "--days=30", "--fresh-for=0"], 1, "invalid_order", "1 to 3650 days"),
        (&["issue", "--days=30", "--key-id=A"], 1, "key_id_taken", "leave --key-id out"),
        (&["issue", "--days=30", "--key-id=01234-56789-ABCDE-FGHII"], 1, "invalid_order", "choose another"),
        (&["issue", "--days=30", "--devices=0"], 1, "invalid_document", "1 or more"),
        (&["issue", "--days=30", "--after-grace-ksn=0"], 1, "invalid_document", "N of 1 or more"),
        (&["issue", "--days=30", "--key-id=two words"], 2, "usage", "printable"),
        (&["issue", "--days=0"], 2, "usage", "1..=36500"),
        (&["issue"], 2, "usage", "--ends-at, --days or --unlimited"),
        (&["issue", "--unlimited"], 2, "usage", "--open-ended"),
        (&["issue", "--paid-until=2090-01-01"], 2, "usage", "--unlimited"),
        (&["issue", "--days=3", "--ends-at=2090-01-01"], 2, "usage", "cannot be used with"),
        (&["issue", "--days=3", "--period-days=3"], 2, "usage", "--kind commercial"),
        (&["issue", "--kind=commercial"], 2, "usage", "--period-days"),
        (&["issue", "--kind=commercial", "--period-days=3", "--grace-days=1"], 2, "usage", "no end date"),
        (&["issue", "--ends-at=tomorrow"], 2, "usage", "2027-01-01"),
        (&["issue", "--days=3", "--min-product-version=six"], 2, "usage", "numbers separated by dots"),
        (&["issue", "--days=3", "--channel=pigeon"], 2, "usage", "corporate"),
        (&["pause", "NOBODY"], 1, "unknown_key", "svm-vendor list"),
        (&["pause", &typo], 1, "unknown_key", "typing error"),
        (&["pause", "two words"], 1, "unknown_key", "svm-vendor list"),
        (&["resume", "A"], 1, "not_possible", "nothing to resume"),
        (&["renew", "A"], 1, "not_possible", "--days"),
        (&["renew", "A", "--paid-until=2090-01-01"], 1, "not_possible", "--ends-at"),
        (&["renew", "A", "--ends-at=2020-01-01"], 1, "invalid_order", "cancel it"),
        (&["renew", "C", "--days=3"], 1, "not_possible", "issue another"),
        (&["change", "A"], 2, "usage", "--devices"),
        (&["change", "A", "--devices=0"], 1, "invalid_document", "`devices`"),
        (&["keygen", "--iss=other.example"], 1, "issuer", "provider.example"),
        (&["keygen", "--name=Another"], 2, "usage", "provider.toml"),
        (&["keygen", "--signing-key=ledger/keys/k.pem"], 1, "signing_key", "outside"),
        (&["inspect", "nowhere.jws"], 1, "io", "nowhere.jws"),
        (&["inspect", "ledger/provider.toml"], 1, "invalid_document", "fetch it again"),
        (&["--signing-key=none.pem", "pause", "A"], 1, "signing_key", "none.pem"),
        (&["sing"], 2, "usage", "unrecognized"),
    ];
    for (args, exit, error, word) in rows {
        let (found, message) = provider.refused(args, *exit);
        assert_eq!(found, *error, "{args:?}: {message}");
        assert!(message.contains(word), "{args:?}: {message}");
        assert!(!message.contains(&typo) && !message.contains(&code), "{args:?}: {message}");
    }
    let after: Vec<_> =
        files_below(&provider.path("ledger")).iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(before == after, "what was refused changed nothing");
    let (error, message) = Provider::bare().refused(&["list"], 1);
    assert_eq!(error, "not_a_ledger");
    assert!(message.contains("svm-vendor keygen"), "{message}");
}

#[test]
fn a_ledger_that_was_edited_by_hand_is_not_built_on() {
    let provider = Provider::new();
    let code = provider.ok(&["issue", "--days=30", "--devices=5", "--key-id=A"])["code"]
        .as_str()
        .unwrap()
        .to_owned();
    provider.ok(&["issue", "--days=30", "--key-id=B"]);
    let sub = ActivationCode::parse(&code).unwrap().sub();
    let path = provider.path("ledger/keys").join(format!("{}.json", sub.as_str()));
    let text = fs::read_to_string(&path).unwrap();
    for (edited, word) in [
        (text.replace("\"devices\": 5", "\"devices\": 500"), "edited by hand"),
        (text.replace("\"document\": \"", "\"document\": \"x"), "refused"),
        (text[..100].to_owned(), "as it was written"),
        ("<<<<<<< HEAD\n".to_owned() + &text, "as it was written"),
    ] {
        assert_ne!(edited, text);
        fs::write(&path, edited).unwrap();
        let (error, message) = provider.refused(&["pause", &code], 1);
        assert_eq!(error, "ledger_damaged");
        assert!(message.contains(word) && message.contains("git"), "{message}");
        // The others are published all the same, and the exit code says that one was not.
        let output = provider.run(&["publish", "web", "--json"]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), json["problems"].as_array().unwrap().len()), (Some(1), 1));
    }
    fs::write(&path, &text).unwrap();
    provider.fetch(&code);
}

#[test]
fn signing_keys_rotate() {
    let provider = Provider::new();
    let code = provider.ok(&["issue", "--days=30", "--key-id=A"])["code"].as_str().unwrap().to_owned();
    let old = provider.fetch(&code);
    // A key that openssl or anybody made is registered where it is, and so is a new one.
    let made = provider.ok(&["keygen", "--signing-key=2027.pem"]);
    assert_eq!((made["made"].as_bool(), made["iss"].as_str()), (Some(true), Some("provider.example")));
    let again = provider.ok(&["keygen", "--signing-key=2027.pem"]);
    assert_eq!((again["made"].as_bool(), &again["kid"]), (Some(false), &made["kid"]));
    assert_eq!(provider.trust().signers().count(), 2);
    assert_eq!(provider.fetch(&code), old);
    provider.ok(&["--signing-key=2027.pem", "pause", "A"]);
    assert_eq!(provider.fetch(&code).kid, made["kid"].as_str().unwrap());

    let stranger = Provider::new();
    fs::copy(stranger.path("home/.config/svm-vendor/provider.example.pem"), provider.path("stranger.pem"))
        .unwrap();
    let (error, message) = provider.refused(&["--signing-key=stranger.pem", "resume", "A"], 1);
    assert_eq!(error, "unknown_signer", "{message}");
}

#[test]
fn commands_at_once_lose_nothing() {
    let provider = Provider::new();
    provider.ok(&["issue", "--days=30", "--key-id=A"]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| provider.ok(&["issue", "--days=30"]));
            scope.spawn(|| provider.ok(&["renew", "A", "--days=1"]));
            scope.spawn(|| provider.ok(&["publish", "web"]));
        }
    });
    let list = provider.ok(&["list"]);
    assert_eq!(list["keys"].as_array().unwrap().len(), 5);
    assert_eq!(list["keys"][0]["rev"], 5);
}

#[test]
fn as_a_library_it_lives_in_any_time_it_is_handed() {
    use svm::{
        documents::SigningKey,
        subscription::{KeyId, Statement, add_days},
        vendor::{IssueOrder, KeyRef, Profile, Provider, Renewal, Until, VendorError},
    };
    let folder = tempfile::tempdir().unwrap();
    let profile = Profile { iss: "provider.example".to_owned(), ..Profile::default() };
    let provider = Provider::create(folder.path(), &profile, SigningKey::generate().unwrap()).unwrap();
    let now = "2030-01-01T00:00:00.75Z".parse().unwrap();
    let claims = serde_json::json!({"rev": 1, "key": {"id": "S", "kind": "subscription"},
        "subscription": {"term": {"type": "limited", "ends_at": "2030-02-01T00:00:00Z"}}});
    let order = IssueOrder::new(Statement::read(&claims).unwrap().terms);
    let id = |id: &str| Some(KeyId::try_from(id.to_owned()).unwrap());
    let (code, issued) = provider.issue(IssueOrder { key_id: id("S"), ..order.clone() }, now).unwrap();
    assert_eq!(issued.document.iat.to_string(), "2030-01-01T00:00:00Z");
    let key = KeyRef::Code(code.clone());

    // The same code for another key.
    let again = IssueOrder { code: Some(code.clone()), ..order };
    assert!(matches!(provider.issue(again, now), Err(VendorError::CodeTaken)));
    assert!(
        provider.issue(IssueOrder::new(issued.document.statement.terms.clone()), add_days(now, 31)).is_err()
    );

    let later = add_days(now, 40);
    let renewal = Renewal { until: Until::Days(10), earlier: false };
    let renewed = provider.renew(&key, renewal, later).unwrap();
    let term = &renewed.document.statement.subscription().unwrap().term;
    assert_eq!(*term, Term::Limited { ends_at: "2030-02-20T00:00:00Z".parse().unwrap() });
    let error = provider.pause(&key, now).unwrap_err();
    assert_eq!(error.code(), "clock_behind");
    assert_eq!(provider.ledger().find(&key).unwrap(), renewed);
    assert!(matches!(
        provider.issue(
            IssueOrder { key_id: id("S"), ..IssueOrder::new(renewed.document.statement.terms.clone()) },
            later
        ),
        Err(VendorError::KeyIdTaken { .. })
    ));

    let web = folder.path().join("web");
    assert_eq!(provider.publish(&web).unwrap().written, 1);
    let text = fs::read_to_string(web.join(published_path(&code.sub()))).unwrap();
    assert_eq!(text, renewed.document.text);
}

#[test]
fn the_walk_in_the_documentation_works() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/vendor.md")).unwrap();
    let (_, script) = page.split_once("```sh\n").unwrap();
    let (script, _) = script.split_once("```").unwrap();
    let provider = Provider::bare();
    let binary = Path::new(env!("CARGO_BIN_EXE_svm-vendor")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-euc", script])
        .current_dir(provider.root.path())
        .env("HOME", provider.path("home"))
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(files_below(&provider.path("www")).len(), 3);
    let list = provider.ok(&["list"]);
    let states: Vec<_> = list["keys"].as_array().unwrap().iter().map(|key| &key["state"]).collect();
    assert_eq!(states, ["blocked", "soft_cancelled", "active"]);
}

#[test]
fn every_command_and_error_code_is_documented() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/vendor.md")).unwrap();
    let help = String::from_utf8(Provider::bare().run(&["--help"]).stdout).unwrap();
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let names: Vec<_> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names.len(), 12);
    for name in names.iter().filter(|name| **name != "help") {
        assert!(page.contains(&format!("| `{name}")), "{name}");
    }
    let source =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/vendor/error.rs")).unwrap();
    let (_, codes) = source.split_once("pub fn code").unwrap();
    let codes: Vec<_> =
        codes.lines().filter_map(|line| line.trim().split_once("=> \"")?.1.split('"').next()).collect();
    assert!(codes.len() > 12);
    for code in codes {
        assert!(page.contains(&format!("`{code}`")), "{code}");
    }
}
