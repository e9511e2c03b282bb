//! What lies in the ledger and in the published folder, and for whose eyes.

use super::*;

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
    assert_eq!(
        looked_at,
        2 + 3 + 3 + 3,
        "provider.toml, a signer, three keys, three documents and three index pages"
    );
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
            program("svm-vendor").display()
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
    let all = documents_below(&provider.path("web"));
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
    assert_eq!(documents_below(&provider.path("web")).len(), 2);
    assert_eq!(files_below(&provider.path("web")).len(), 2 + 3, "nothing is left beside the documents");
}

#[test]
fn each_published_folder_has_an_empty_index_page() {
    let provider = Provider::new();
    provider.issue("A");
    provider.ok(&["publish", "web", "--dry-run"]);
    assert!(!provider.path("web").exists());
    provider.ok(&["publish", "web"]);
    let page = |name: &str| provider.path(name).join("index.html");
    for folder in ["web", "web/v1", "web/v1/keys"] {
        assert_eq!(fs::read(page(folder)).unwrap(), b"", "{folder}");
        assert_eq!(mode(&page(folder)), 0o644, "{folder}");
    }
    // A page of the provider's own stays; one that was taken away comes back.
    fs::write(page("web/v1"), "ours").unwrap();
    fs::remove_file(page("web/v1/keys")).unwrap();
    assert_eq!(provider.ok(&["publish", "web"])["written"], 0);
    assert_eq!(fs::read(page("web/v1")).unwrap(), b"ours");
    assert_eq!(fs::read(page("web/v1/keys")).unwrap(), b"");
    // The root of a site has pages of its own.
    fs::create_dir(provider.path("site")).unwrap();
    fs::write(provider.path("site/index.php"), "").unwrap();
    provider.ok(&["publish", "site"]);
    assert!(!page("site").exists() && page("site/v1").exists());
}

#[test]
fn texts_that_steer_a_terminal_are_refused_where_they_stand() {
    let provider = Provider::new();
    provider.issue("A");
    provider.issue("B");
    provider.ok(&["pause", "A", "--why", "the card was charged back"]);
    let path = files_below(&provider.path("ledger/keys"))
        .into_iter()
        .find(|path| fs::read_to_string(path).unwrap().contains("charged back"))
        .unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let line = text.lines().position(|line| line.contains("charged back")).unwrap() + 1;
    for (hostile, name) in [
        ("\\u001b[2J", "\\u{1b}"),
        ("\\u001B]0;x\\u0007", "\\u{1b}"),
        ("\\n", "\\u{a}"),
        ("\u{202e}", "\\u{202e}"),
        ("\\u200b", "\\u{200b}"),
        ("\\udb40\\udc41", "\\u{e0041}"),
        ("\u{9b}2J", "\\u{9b}"),
    ] {
        fs::write(&path, text.replace("charged back", &format!("charged{hostile} back"))).unwrap();
        let (code, message) = provider.refused(&["resume", "A"], 1);
        assert_eq!(code, "ledger_damaged", "{hostile:?}: {message}");
        assert!(message.contains(&format!(".json:{line}: {name}")) && message.contains("git"), "{message}");
        // The others are listed all the same, and nothing of it is printed.
        let output = provider.run(&["list", "--history"]);
        assert_eq!(output.status.code(), Some(1));
        for printed in [output.stdout, output.stderr] {
            let printed = String::from_utf8(printed).unwrap();
            assert!(printed.chars().all(|c| c == '\n' || !svm_core::text::is_deceptive(c)), "{printed:?}");
        }
    }
    fs::write(&path, &text).unwrap();
    provider.ok(&["resume", "A"]);
    // What is typed and what the provider says of itself, too.
    let (code, message) = provider.refused(&["pause", "A", "--why=x\u{202e}y"], 1);
    assert!(code == "invalid_order" && message.contains("invisible"), "{message}");
    let profile = provider.path("ledger/provider.toml");
    let good = fs::read_to_string(&profile).unwrap();
    let line = good.lines().position(|line| line.contains("Example ISP")).unwrap() + 1;
    for hostile in ["\\u001B[2J", "\u{202e}", "\\n"] {
        fs::write(&profile, good.replace("Example ISP", &format!("Example{hostile} ISP"))).unwrap();
        let (code, message) = provider.refused(&["list"], 1);
        assert_eq!(code, "ledger_damaged", "{message}");
        assert!(message.contains(&format!("provider.toml:{line}: \\u{{")), "{message}");
    }
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
    for (edited, code_word, word) in [
        (text.replace("\"devices\": 5", "\"devices\": 500"), "ledger_damaged", "edited by hand"),
        (text.replace("\"document\": \"", "\"document\": \"x"), "ledger_damaged", "refused"),
        (text[..100].to_owned(), "ledger_damaged", "as it was written"),
        ("<<<<<<< HEAD\n".to_owned() + &text, "ledger_conflict", "merge conflict"),
    ] {
        assert_ne!(edited, text);
        fs::write(&path, edited).unwrap();
        let (error, message) = provider.refused(&["pause", &code], 1);
        assert_eq!(error, code_word);
        assert!(message.contains(word) && message.contains("git"), "{message}");
        // By its id it is found all the same; another key is changed as ever.
        let (error, _) = provider.refused(&["pause", "A"], 1);
        assert_eq!(error, code_word);
        provider.ok(&["renew", "B", "--days=1"]);
        // The others are published all the same, and the exit code says that one was not.
        let output = provider.run(&["publish", "web", "--json"]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), json["problems"].as_array().unwrap().len()), (Some(1), 1));
    }
    fs::write(&path, &text).unwrap();
    provider.fetch(&code);
}
