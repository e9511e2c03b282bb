//! The ledger in git: clones that change keys beside each other.

use super::{support::have, *};

/// Two clones of one ledger, with a bare repository between them.
struct Clones(Provider);

impl Clones {
    fn new() -> Option<Self> {
        if !have("git", "git") {
            return None;
        }
        let clones = Self(Provider::new());
        for id in ["A", "B"] {
            clones.0.issue(id);
        }
        clones.git("ledger", &["init", "-q", "-b", "main"]);
        clones.keep("ledger", "a ledger");
        clones.git(".", &["clone", "-q", "--bare", "ledger", "hub"]);
        for name in ["one", "two"] {
            clones.git(".", &["clone", "-q", "hub", name]);
        }
        Some(clones)
    }

    fn git_may_fail(&self, folder: &str, args: &[&str]) -> bool {
        let mut command = Command::new("git");
        let output = command
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "merge.conflictStyle=merge"])
            .args(args)
            .current_dir(self.0.path(folder))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        output.status.success()
    }

    fn git(&self, folder: &str, args: &[&str]) {
        assert!(self.git_may_fail(folder, args), "git {args:?} in {folder}");
    }

    fn keep(&self, folder: &str, message: &str) {
        self.git(folder, &["add", "-A"]);
        self.git(folder, &["commit", "-q", "-m", message]);
    }

    fn push(&self, folder: &str) {
        self.git(folder, &["push", "-q", "origin", "HEAD:main"]);
    }

    fn pull(&self, folder: &str) -> bool {
        self.git_may_fail(folder, &["pull", "-q", "--no-rebase", "--no-edit", "origin", "main"])
    }

    /// Of a clone, as JSON; warnings may come.
    fn ok(&self, folder: &str, args: &[&str]) -> Value {
        self.0.ok(&[&["--ledger", folder], args].concat())
    }
}

fn revisions(list: &Value) -> Vec<(String, u64)> {
    let keys = list["keys"].as_array().unwrap().iter();
    keys.map(|key| (key["key"]["id"].as_str().unwrap().to_owned(), key["rev"].as_u64().unwrap())).collect()
}

#[test]
fn different_keys_merge_without_a_conflict() {
    let Some(clones) = Clones::new() else { return };
    clones.ok("one", &["pause", "A"]);
    clones.ok("one", &["issue", "--days=9", "--key-id=ONE"]);
    clones.ok("two", &["renew", "B", "--days=30"]);
    clones.ok("two", &["issue", "--days=9", "--key-id=TWO"]);
    for name in ["one", "two"] {
        clones.keep(name, "a day's work");
    }
    clones.push("one");
    assert!(clones.pull("two"), "a merge without a conflict");
    clones.push("two");
    assert!(clones.pull("one"));
    for name in ["one", "two"] {
        let list = clones.ok(name, &["list"]);
        let expected = [("A", 2), ("B", 2), ("ONE", 1), ("TWO", 1)];
        assert_eq!(revisions(&list), expected.map(|(id, rev)| (id.to_owned(), rev)), "{name}");
        assert_eq!(strings(&list["problems"]).len(), 0);
        assert_eq!(clones.ok(name, &["publish", "web"])["problems"], serde_json::json!([]));
    }
    assert_eq!(documents_below(&clones.0.path("web")).len(), 4);
}

#[test]
fn one_key_that_both_changed_conflicts_in_its_own_file_alone() {
    let Some(clones) = Clones::new() else { return };
    clones.ok("one", &["pause", "A"]);
    clones.ok("two", &["change", "A", "--devices=7"]);
    clones.ok("two", &["renew", "B", "--days=30"]);
    for name in ["one", "two"] {
        clones.keep(name, "the same key");
        // Each publishes what it has: an agent that fetched the one does not take the other.
        clones.ok(name, &["publish", &format!("web-{name}")]);
    }
    clones.push("one");
    assert!(!clones.pull("two"), "it must conflict");
    let (error, message) = clones.0.refused(&["--ledger", "two", "resume", "A"], 1);
    assert_eq!(error, "ledger_conflict");
    assert!(message.contains("two/keys/") && message.contains("--theirs"), "{message}");
    let list = clones.0.run(&["--ledger", "two", "list", "--json"]);
    assert_eq!(list.status.code(), Some(1));
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!((revisions(&list), strings(&list["problems"]).len()), (vec![("B".to_owned(), 2)], 1));
    let published = clones.0.run(&["--ledger", "two", "publish", "web", "--json"]);
    let published: Value = serde_json::from_slice(&published.stdout).unwrap();
    assert_eq!((&published["written"], strings(&published["problems"]).len()), (&1.into(), 1));
    // The others go on, with new ones too.
    clones.ok("two", &["pause", "B"]);
    clones.ok("two", &["issue", "--days=9", "--key-id=NEW"]);
    assert_eq!(
        clones.0.refused(&["--ledger", "two", "issue", "--days=9", "--key-id=A"], 1).0,
        "key_id_taken"
    );

    // The way out of the documentation: take a side whole, then make the other's change again.
    let file = message.split(' ').next().unwrap().trim_start_matches("two/").to_owned();
    clones.git("two", &["checkout", "-q", "--theirs", &file]);
    clones.keep("two", "theirs");
    assert_eq!(clones.ok("two", &["list", "A"])["keys"][0]["state"], "paused");
    // What clone two published under the same number is another document: it is not taken for this one.
    let (text, code) = {
        let output = clones.0.run(&["--ledger", "two", "publish", "web-two", "--json"]);
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    assert!(code == Some(1) && text.contains("two clones of the ledger changed the key"), "{text}");
    clones.ok("two", &["change", "A", "--devices=7"]);
    let list = clones.ok("two", &["list", "A"]);
    assert_eq!((&list["keys"][0]["rev"], &list["keys"][0]["devices"]), (&3.into(), &7.into()));
    for web in ["web-one", "web-two"] {
        assert_eq!(clones.ok("two", &["publish", web])["problems"], serde_json::json!([]), "{web}");
    }
}

#[test]
fn a_clone_that_is_behind_takes_nothing_back() {
    let Some(clones) = Clones::new() else { return };
    clones.ok("one", &["pause", "A"]);
    clones.ok("one", &["publish", "web"]);
    let before = snapshot(&clones.0.path("web"));
    // A clone begins with an open folder, which is said once; that is not the subject here.
    clones.ok("two", &["list"]);
    let output = clones.0.run(&["--ledger", "two", "publish", "web", "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("git pull"), "{text}");
    assert!(snapshot(&clones.0.path("web")) == before);
    clones.keep("one", "paused");
    clones.push("one");
    assert!(clones.pull("two"));
    assert_eq!(clones.ok("two", &["publish", "web"])["unchanged"], 2);
}

#[test]
fn one_id_that_both_issued_is_told_and_has_a_way_out() {
    let Some(clones) = Clones::new() else { return };
    for name in ["one", "two"] {
        clones.ok(name, &["issue", "--days=9", "--key-id=SAME"]);
        clones.keep(name, "issued");
    }
    clones.push("one");
    assert!(clones.pull("two"), "git sees two files");
    let (error, message) = clones.0.refused(&["--ledger", "two", "pause", "SAME"], 1);
    assert!(error == "key_id_twice" && message.contains("two/keys/"), "{message}");
    let listed = clones.0.run(&["--ledger", "two", "list"]);
    assert!(String::from_utf8_lossy(&listed.stderr).contains("two keys have the id SAME"), "{listed:?}");
    let file = message.split_whitespace().find(|word| word.starts_with("two/keys/")).unwrap();
    let blocked = clones.0.run(&["--ledger", "two", "block", file.trim_end_matches(',')]);
    assert!(blocked.status.success(), "{blocked:?}");
}

#[test]
fn a_clone_is_closed_to_others_and_an_empty_one_works() {
    let Some(clones) = Clones::new() else { return };
    let keys = clones.0.path("one/keys");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o755)).unwrap();
    let dry = clones.0.run(&["--ledger", "one", "pause", "A", "--dry-run"]);
    assert!(
        String::from_utf8_lossy(&dry.stderr).contains("without --dry-run its mode becomes 0700"),
        "{dry:?}"
    );
    assert_eq!(mode(&keys), 0o755);
    let listed = clones.0.run(&["--ledger", "one", "list"]);
    assert!(String::from_utf8_lossy(&listed.stderr).contains("its mode is now 0700"), "{listed:?}");
    assert_eq!(mode(&keys), 0o700);
    assert!(clones.0.run(&["--ledger", "one", "list"]).stderr.is_empty());

    // Git keeps no empty folder: a clone of a new ledger has no keys/.
    let new = Provider::new();
    fs::remove_dir(new.path("ledger/keys")).unwrap();
    assert_eq!(new.ok(&["list"])["keys"], serde_json::json!([]));
    assert_eq!(new.ok(&["publish", "web"])["written"], 0);
    new.issue("A");
    assert_eq!(mode(&new.path("ledger/keys")), 0o700);
}
