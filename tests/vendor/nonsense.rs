//! What is refused: each with its code, and a message with the way out.

use super::*;

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
        (&["issue", "--days=30", "--key-id=01234-56789-ABCDE-FGHII"], 2, "usage", "choose another"),
        (&["issue", "--ends-at=2226-01-01"], 1, "invalid_order", "--unlimited"),
        (&["issue", "--unlimited", "--paid-until=2226-01-01"], 1, "invalid_order", "--open-ended"),
        (&["issue", "--days=30", "--grace-days=1000000"], 1, "invalid_order", "0 to 3650 days"),
        (&["issue", "--days=30", "--fresh-for=1000000"], 1, "invalid_order", "1 to 3650 days"),
        (&["issue", "--kind=commercial", "--period-days=100000"], 1, "invalid_order", "1 to 3650 days"),
        (&["issue", "--days=30", "--devices=1000001"], 1, "invalid_order", "for no limit"),
        (&["issue", "--days=30", "--devices=18446744073709551615"], 1, "invalid_order", "for no limit"),
        (&["issue", "--days=30", "--after-grace-updates=1441"], 1, "invalid_order", "1 to 1440"),
        (&["issue", "--days=30", "--after-grace-ksn=1000001"], 1, "invalid_order", "1 to 1000000"),
        (&["issue", "--days=30", "--placed-on=2290-01-01"], 1, "invalid_order", "leave it out"),
        (&["issue", "--days=30", "--order-number="], 1, "invalid_order", "leave it out"),
        (&["issue", "--days=30", "--order-number=A\u{1b}[2J"], 1, "invalid_document", "control characters"),
        (
            &["issue", "--days=30", "--order-number", &"1".repeat(65)],
            1,
            "invalid_document",
            "at most 64 characters",
        ),
        (&["issue", "--days=30", "--key-id=K", "--count=2"], 2, "usage", "cannot be used with"),
        (&["issue", "--days=30", "--count=0"], 2, "usage", "from 1 to 1000000"),
        (&["issue", "--days=30", "--devices=0"], 1, "invalid_document", "1 or more"),
        (&["issue", "--days=30", "--after-grace-ksn=0"], 1, "invalid_document", "N of 1 or more"),
        (&["issue", "--days=30", "--key-id=two words"], 2, "usage", "printable"),
        (&["issue", "--days=0"], 2, "usage", "from 1 to 36500"),
        (&["issue"], 2, "usage", "--ends-at, --days or --unlimited"),
        (&["issue", "--unlimited"], 2, "usage", "--open-ended"),
        (&["issue", "--paid-until=2090-01-01"], 2, "usage", "--unlimited"),
        (&["issue", "--days=3", "--ends-at=2090-01-01"], 2, "usage", "cannot be used with"),
        (&["issue", "--days=3", "--period-days=3"], 2, "usage", "--kind commercial"),
        (&["issue", "--kind=commercial"], 2, "usage", "--period-days"),
        (&["issue", "--kind=commercial", "--period-days=3", "--grace-days=1"], 2, "usage", "no end date"),
        (&["issue", "--ends-at=tomorrow"], 2, "usage", "2027-01-01"),
        (&["issue", "--ends-at=20271231T235959Z"], 2, "usage", "2027-01-01"),
        (&["issue", "--ends-at=2027-12-31T23:59:59Z[Asia/Tokyo]"], 2, "usage", "2027-01-01"),
        (&["issue", "--ends-at=2027-12-31T23:59:59"], 2, "usage", "2027-01-01"),
        (&["renew", "A", "--ends-at=20271231"], 2, "usage", "2027-01-01"),
        (&["renew", "A", "--ends-at=2027-W52-5"], 2, "usage", "2027-01-01"),
        (&["issue", "--unlimited", "--paid-until=2027-12-31T23Z"], 2, "usage", "2027-01-01"),
        (&["issue", "--days=3", "--placed-on=20261231"], 2, "usage", "2026-12-31"),
        // For ever is no end, and is not called something about seconds.
        (&["issue", "--ends-at=9999-12-31T00:00:00+00:00"], 1, "invalid_order", "--unlimited"),
        (&["issue", "--days=3", "--min-product-version=six"], 2, "usage", "numbers separated by dots"),
        (&["issue", "--days=3", "--channel=pigeon"], 2, "usage", "corporate"),
        (&["pause", "NOBODY"], 1, "unknown_key", "svm-vendor list"),
        (&["pause", &typo], 1, "unknown_key", "typing error"),
        (&["pause", "two words"], 1, "unknown_key", "svm-vendor list"),
        (&["resume", "A"], 1, "not_possible", "nothing to resume"),
        (&["renew", "A"], 1, "not_possible", "--days"),
        (&["renew", "A", "--paid-until=2090-01-01"], 1, "not_possible", "--ends-at"),
        (&["renew", "A", "--ends-at=2020-01-01"], 1, "invalid_order", "svm-vendor cancel"),
        (&["renew", "C", "--days=3"], 1, "not_possible", "issue another"),
        (&["block", "A", "--why=two\nlines"], 1, "invalid_order", "one line"),
        (&["block", "A", "--why=hid\u{200b}den"], 1, "invalid_order", "one line"),
        (&["change", "A", "--grace-days=3651"], 1, "invalid_order", "0 to 3650 days"),
        (&["change", "A", "--devices=1000001"], 1, "invalid_order", "--any-devices"),
        (&["change", "A"], 2, "usage", "--devices"),
        (&["change", "A", "--devices=0"], 1, "invalid_document", "`devices`"),
        (&["resign"], 2, "usage", "--all"),
        (&["pause"], 2, "usage", "KEY"),
        (&["list", "--state=gone"], 2, "usage", "soft_cancelled"),
        (&["keygen", "--iss=other.example"], 1, "issuer", "provider.example"),
        (&["keygen", "--name=Another"], 2, "usage", "provider.toml"),
        (&["keygen", "--signing-key=ledger/keys/k.pem"], 1, "signing_key", "outside"),
        (&["inspect", "nowhere.jws"], 1, "io", "nowhere.jws"),
        (&["inspect", "ledger/provider.toml"], 1, "invalid_document", "fetch it again"),
        (&["--signing-key=none.pem", "pause", "A"], 1, "signing_key", "none.pem"),
        (&["sing"], 2, "usage", "unknown command"),
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
fn the_provider_s_own_texts_are_checked_before_a_ledger_is_made() {
    let provider = Provider::bare();
    let rows: &[(&[&str], &str)] = &[
        (&["--name=A\u{1b}[2J"], "`name` holds control or invisible characters"),
        (&["--name="], "`name` must be 1 to 200"),
        (&["--phone", &"1".repeat(201)], "`phone` must be 1 to 200"),
        (&["--support-url=provider.example"], "`support_url` must be a web address"),
        (&["--renewal-url=ftp://provider.example"], "`renewal_url` must be a web address"),
        (&["--support-url=https://x y"], "`support_url` must be a web address"),
    ];
    for (args, word) in rows {
        let args = [&["keygen", "--iss=provider.example"], *args].concat();
        let (error, message) = provider.refused(&args, 1);
        assert!(error == "invalid_order" && message.contains(word), "{args:?}: {message}");
        assert!(!provider.path("ledger").exists() && !provider.path("home").exists());
    }
}

#[test]
fn letters_that_only_look_latin_are_taken_and_named() {
    let provider = Provider::new();
    let issued = provider.ok(&["issue", "--days=30", "--order-number=\u{410}221234065"]);
    let warnings = strings(&issued["warnings"]);
    assert!(warnings[0].contains("\u{410} at position 1 (Latin A)"), "{warnings:?}");
    let issued = provider.ok(&["issue", "--days=30", "--order-number=A221234065"]);
    assert_eq!(issued["warnings"], serde_json::json!([]));
}
