//! `--dry-run`: everything is checked and said, and nothing is written.

use super::*;

#[test]
fn a_dry_run_says_what_would_be_and_writes_nothing() {
    let provider = Provider::new();
    provider.issue("A");
    provider.ok(&["issue", "--days=30", "--key-id=P"]);
    provider.ok(&["pause", "P"]);
    provider.ok(&["publish", "web"]);
    provider.ok(&["keygen", "--signing-key=new.pem"]);
    provider.ok(&["renew", "A", "--days=1"]);
    let signers = provider.ok(&["signers"]);
    let unused = signers["signers"].as_array().unwrap().iter().find(|s| s["documents"] == 0).unwrap();
    let unused = unused["kid"].as_str().unwrap();
    let rows: &[(&[&str], &str)] = &[
        (&["issue", "--days=30"], "1 key issued"),
        (&["issue", "--days=30", "--count=100000", "--codes-to=codes.txt"], "100000 keys issued"),
        (&["renew", "A", "--days=30"], "subscription.term.ends_at: "),
        (&["renew", "A", "P", "--days=30"], "2 keys renewed"),
        (&["pause", "A"], "subscription.state: active -> paused"),
        (&["resume", "P"], "subscription.state: paused -> active"),
        (&["cancel", "A"], "subscription.state: active -> soft_cancelled"),
        (&["block", "A", "--why=chargeback"], "subscription.state: active -> blocked"),
        (&["change", "A", "--devices=7"], "devices: (not set) -> 7"),
        (&["resign", "A"], "no claim changes"),
        (&["resign", "--all", "--signing-key=new.pem"], "2 keys signed anew, 0 already up to date"),
        (&["publish", "web"], "A rev 2 (changed)"),
        (&["publish", "elsewhere"], "P rev 2 (new)"),
        (&["retire", unused], "removed: ledger/trust.d/"),
    ];
    let before = snapshot(provider.root.path());
    for (args, word) in rows {
        let args = [args, &["--dry-run"][..]].concat();
        let text = provider.text(&args);
        assert!(text.contains(word) && text.contains("nothing was written"), "{args:?}: {text}");
        // Nor is there a code, as nobody could use it.
        let code = text.split_whitespace().any(|word| ActivationCode::parse(word).is_ok());
        assert!(!code, "{args:?}: {text}");
        let json = provider.run(&[&args[..], &["--json"]].concat());
        let json: Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(json["dry_run"], true, "{args:?}: {json}");
        assert!(json.get("code").is_none() && json.get("jti").is_none(), "{json}");
    }
    assert!(snapshot(provider.root.path()) == before, "something was written");
    assert!(!provider.path("elsewhere").exists());
    // What is refused is refused.
    for (args, word) in [
        (&["renew", "A", "--ends-at=2020-01-01", "--dry-run"][..], "invalid_order"),
        (&["issue", "--days=3", "--key-id=A", "--dry-run"], "key_id_taken"),
        (&["resume", "A", "--dry-run"], "not_possible"),
    ] {
        assert_eq!(provider.refused(args, 1).0, word, "{args:?}");
    }
    // A command that changes nothing knows no dry run.
    assert_eq!(provider.refused(&["list", "--dry-run"], 2).0, "usage");
}
