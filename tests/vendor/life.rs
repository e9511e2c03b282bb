//! The life of keys, from the command line to those who read what is published.

use super::*;

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
    use svm_core::documents::SigningKey;
    use svm_core::subscription::{KeyId, Statement, add_days};
    use svm_vendor::{IssueOrder, KeyRef, Profile, Provider, Renewal, Until, VendorError};
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
    assert_eq!(provider.publish(&web).unwrap().written.len(), 1);
    let text = fs::read_to_string(web.join(published_path(&code.sub()))).unwrap();
    assert_eq!(text, renewed.document.text);
}
