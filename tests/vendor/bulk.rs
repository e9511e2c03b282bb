//! Many keys at once: issued, renewed from a list, published.

use super::*;

#[test]
fn many_keys_are_issued_alike_each_with_its_own_code() {
    let provider = Provider::new();
    let text = provider.text(&["issue", "--days=30", "--devices=5", "--count=70"]);
    let lines: Vec<(&str, &str)> = text.lines().map(|line| line.split_once('\t').unwrap()).collect();
    let mut codes: Vec<&str> = lines.iter().map(|(code, _)| *code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!((lines.len(), codes.len()), (70, 70));
    assert_eq!(provider.ok(&["publish", "web"])["written"], 70);
    // Each code opens the document of the key beside it.
    for (code, id) in [lines[0], lines[69]] {
        let document = provider.fetch(code);
        assert_eq!((document.statement.key.as_str(), document.statement.devices), (id, Some(5)));
    }
    let json = provider.ok(&["issue", "--days=30", "--count=1"]);
    assert_eq!((&json["issued"], json["keys"].as_array().unwrap().len()), (&1.into(), 1));
}

#[test]
fn codes_go_to_a_file_for_their_owner_alone() {
    let provider = Provider::new();
    let json = provider.ok(&["issue", "--days=30", "--count=3", "--codes-to=codes.txt"]);
    assert_eq!((&json["issued"], &json["codes"]), (&3.into(), &"codes.txt".into()));
    let path = provider.path("codes.txt");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!((text.lines().count(), mode(&path)), (3, 0o600));
    let (code, id) = text.lines().next().unwrap().split_once('\t').unwrap();
    assert!(!json.to_string().contains(code));
    assert_eq!(provider.fetch(code).statement.key.as_str(), id);
    // One, too; and never over a file that is there, in which case nothing is issued.
    let (error, message) = provider.refused(&["issue", "--days=30", "--codes-to=codes.txt"], 2);
    assert!(error == "usage" && message.contains("another path"), "{message}");
    let (error, message) = provider.refused(&["issue", "--days=30", "--codes-to=nowhere/codes.txt"], 1);
    assert!(error == "io" && message.contains("nowhere/codes.txt"), "{message}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(files_below(&provider.path("ledger/keys")).len(), 3, "nothing was left beside the keys");
}

#[test]
fn the_monthly_routine_renews_what_a_list_names() {
    let provider = Provider::new();
    for id in ["SOON-1", "SOON-2", "LATER", "ASKED"] {
        let days = if id == "LATER" { "--days=60" } else { "--days=5" };
        let mut args = vec!["issue", days, "--key-id", id];
        if id != "ASKED" {
            args.push("--auto-renew");
        }
        provider.ok(&args);
    }
    let ids = provider.text(&["list", "--auto-renew", "--state=active", "--expiring-within=7", "--ids"]);
    assert_eq!(ids, "SOON-1\nSOON-2\n");
    let output = provider.feed(&["renew", "-", "--days=30", "--why=paid in May", "--json"], &ids);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &json["count"], &json["done"]),
        (Some(0), &2.into(), &"renewed".into())
    );
    assert_eq!(json["keys"][0]["changes"][0]["claim"], "subscription.term.ends_at");
    let history = &provider.ok(&["list", "SOON-1"])["keys"][0]["history"][1];
    assert_eq!((&history["what"], &history["why"]), (&"renewed".into(), &"paid in May".into()));
    // A second time there is nothing to do, and that is no failure.
    let again = provider.text(&["list", "--auto-renew", "--expiring-within=7", "--ids"]);
    assert_eq!(again, "");
    let output = provider.feed(&["renew", "-", "--days=30"], &again);
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).starts_with("0 keys renewed"));
}

#[test]
fn of_many_each_is_changed_or_refused_for_itself() {
    let provider = Provider::new();
    let code = provider.issue("A");
    provider.issue("B");
    provider.ok(&["issue", "--kind=commercial", "--period-days=9", "--key-id=C"]);
    // A is named twice, and changed once: not for sixty days.
    let named = format!("A\n\n{code}\nNOBODY\nC\n B \n");
    let output = provider.feed(&["renew", "-", "--days=30", "--json"], &named);
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["count"], 2);
    let problems = strings(&json["problems"]);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("key 3 of those named: no key of the ledger"), "{problems:?}");
    assert!(problems[1].starts_with("C: a commercial key"), "{problems:?}");
    let list = provider.ok(&["list"]);
    let revisions: Vec<_> = list["keys"].as_array().unwrap().iter().map(|key| &key["rev"]).collect();
    assert_eq!(revisions, [2, 2, 1]);
    // The same on the command line, and by the file.
    let file = files_below(&provider.path("ledger/keys")).pop().unwrap();
    provider.ok(&["block", file.to_str().unwrap()]);
    let text = provider.run(&["pause", "A", "B"]);
    assert!(
        String::from_utf8_lossy(&text.stdout).contains("1 key paused\nNext: `svm-vendor publish DIR`"),
        "{text:?}"
    );
    // What can be no key is known before anything is changed.
    let before = snapshot(&provider.path("ledger"));
    let output = provider.feed(&["block", "-"], "A\ntwo words\n");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && error.contains("key 2 of those named"), "{error}");
    assert!(snapshot(&provider.path("ledger")) == before);
}

#[test]
fn a_thousand_keys_are_remembered_and_one_that_changed_is_found() {
    let provider = Provider::new();
    provider.ok(&["issue", "--days=30", "--count=1000", "--codes-to=codes.txt"]);
    let counts = |published: &Value| {
        (published["written"].as_u64().unwrap(), published["unchanged"].as_u64().unwrap())
    };
    assert_eq!(counts(&provider.ok(&["publish", "web"])), (1000, 0));
    let index = provider.path("web/v1/.published");
    let first = fs::read(&index).unwrap();
    assert_eq!((first.len(), mode(&index)), (16_000, 0o600));
    assert_eq!(counts(&provider.ok(&["publish", "web"])), (0, 1000));
    assert_eq!(fs::read(&index).unwrap(), first, "where nothing changed, nothing is written");
    let codes = fs::read_to_string(provider.path("codes.txt")).unwrap();
    let (code, id) = codes.lines().nth(500).unwrap().split_once('\t').unwrap();
    provider.ok(&["pause", id]);
    assert_eq!(counts(&provider.ok(&["publish", "web"])), (1, 999));
    assert_eq!(provider.fetch(code).statement.rev, 2);

    // What was done to a published file, or to one of the ledger, is seen though it has the same size.
    let sub = ActivationCode::parse(code).unwrap().sub();
    let published = provider.path("web").join(published_path(&sub));
    let text = fs::read_to_string(&published).unwrap();
    fs::write(&published, text.replace('.', "_")).unwrap();
    assert_eq!(counts(&provider.ok(&["publish", "web"])), (1, 999));
    assert_eq!(fs::read_to_string(&published).unwrap(), text);
    let held = provider.path("ledger/keys").join(format!("{}.json", sub.as_str()));
    let good = fs::read_to_string(&held).unwrap();
    fs::write(&held, good.replace("\"rev\": 2", "\"rev\": 3")).unwrap();
    for _ in 0..2 {
        let output = provider.run(&["publish", "web", "--json"]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((counts(&json), strings(&json["problems"]).len()), ((0, 999), 1));
    }
    fs::write(&held, good).unwrap();
    // A damaged index knows nothing, and does no harm.
    fs::write(&index, "x").unwrap();
    assert_eq!(counts(&provider.ok(&["publish", "web"])), (0, 1000));
    assert_eq!(fs::read(&index).unwrap().len(), 16_000);
}

#[test]
fn a_list_of_keys_may_have_what_nobody_sees() {
    let provider = Provider::new();
    provider.ok(&["issue", "--days=30", "--key-id", "SUB-1"]);
    let issued = provider.text(&["issue", "--days=30", "--key-id", "SUB-2"]);
    let code = issued.split_whitespace().find(|word| word.len() == 23).unwrap();
    // As a spreadsheet saves it, and as a chat hands it on.
    let list = format!(
        "\u{feff}SUB-1\u{200b}\r\n\u{a0}\u{200b}{}\u{2060}\r\n\u{feff}\n",
        code.replace('-', "\u{200b}-")
    );
    let output = provider.feed(&["renew", "-", "--days=30", "--json"], &list);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &json["count"], &json["done"]),
        (Some(0), &2.into(), &"renewed".into()),
        "{json}"
    );
}
