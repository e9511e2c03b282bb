//! `list`: which keys, in which order, in which form.

use super::*;

#[test]
fn keys_are_listed_by_what_a_provider_asks_for() {
    let provider = Provider::new();
    let rows: &[&[&str]] = &[
        &["--key-id=A-ISP", "--ends-at=2090-01-01", "--channel=isp", "--auto-renew", "--grace-days=14"],
        &["--key-id=B-SOON", "--days=3", "--channel=website", "--devices=250"],
        &["--key-id=C-PAID", "--unlimited", "--paid-until=2091-06-01T12:00:00Z", "--channel=isp"],
        &["--key-id=D-COM", "--kind=commercial", "--period-days=365"],
    ];
    for row in rows {
        provider.ok(&[&["issue"], *row].concat());
    }
    provider.ok(&["block", "C-PAID", "--why", "chargeback of 12 May"]);
    provider.ok(&["pause", "B-SOON"]);
    let ids = |filters: &[&str]| {
        let args = [&["list"], filters].concat();
        let ids = provider.text(&[&args[..], &["--ids"]].concat());
        let json = provider.ok(&args);
        let keys = json["keys"].as_array().unwrap();
        assert_eq!(
            keys.iter().map(|key| key["key"]["id"].as_str().unwrap()).collect::<Vec<_>>(),
            ids.lines().collect::<Vec<_>>()
        );
        ids.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let kid = provider.ok(&["signers"])["signers"][0]["kid"].as_str().unwrap().to_owned();
    let rows: &[(&[&str], &[&str])] = &[
        (&[], &["A-ISP", "B-SOON", "C-PAID", "D-COM"]),
        (&["--state=active"], &["A-ISP", "D-COM"]),
        (&["--state=paused", "--state=blocked"], &["B-SOON", "C-PAID"]),
        (&["--kind=commercial"], &["D-COM"]),
        (&["--channel=isp"], &["A-ISP", "C-PAID"]),
        (&["--channel=isp", "--auto-renew"], &["A-ISP"]),
        (&["--expiring-within=7"], &["B-SOON"]),
        // The nearest first.
        (&["--expiring-within=36500"], &["B-SOON", "A-ISP", "C-PAID"]),
        (&["--signer", &kid], &["A-ISP", "B-SOON", "C-PAID", "D-COM"]),
        (&["--signer", "-nobody"], &[]),
        (&["D-COM", "A-ISP"], &["A-ISP", "D-COM"]),
    ];
    for (filters, expected) in rows {
        assert_eq!(ids(filters), *expected, "{filters:?}");
    }
    let table = provider.text(&["list", "--history"]);
    let squeezed: Vec<String> =
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "KEY STATE TERM RENEWAL GRACE DEVICES CHANNEL",
        "A-ISP active ends 2090-01-01 auto 14 days any isp",
        "C-PAID blocked paid until 2091-06-01 manual 0 days any isp",
        "D-COM active 365 days from first use - - any -",
    ] {
        assert!(squeezed.iter().any(|l| l == line), "{line}\n{table}");
    }
    assert!(squeezed.iter().any(|line| line.ends_with("blocked: chargeback of 12 May")), "{table}");
    // The reason is the provider's: no document has it.
    provider.ok(&["publish", "web"]);
    for file in documents_below(&provider.path("web")) {
        let inspected = provider.text(&["inspect", file.to_str().unwrap()]);
        assert!(!inspected.contains("chargeback"), "{inspected}");
    }
    // Columns stand below their heads.
    let at = |line: &str, word: &str| line.find(word).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    let row = lines.iter().find(|line| line.starts_with("A-ISP")).unwrap();
    assert_eq!(at(lines[0], "TERM"), at(row, "ends"));
    assert_eq!(at(lines[0], "CHANNEL"), at(row, "isp"));
}
