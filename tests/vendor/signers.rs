//! Signing keys that rotate, with an overlap.

use super::{
    support::{Agent, free_port, wait_for},
    trial::serve,
    *,
};

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

fn kids(provider: &Provider) -> Vec<(String, u64)> {
    let signers = provider.ok(&["signers"]);
    let signers = signers["signers"].as_array().unwrap().iter();
    signers.map(|s| (s["kid"].as_str().unwrap().to_owned(), s["documents"].as_u64().unwrap())).collect()
}

/// Every published document verifies against the trusted signers of a folder.
fn all_verify(provider: &Provider, trust: &Path) -> bool {
    let trust = TrustStore::load(trust).unwrap().store;
    let files = documents_below(&provider.path("web"));
    assert_eq!(files.len(), 3);
    files.iter().all(|file| verify(&fs::read_to_string(file).unwrap(), &trust, Expect::default()).is_ok())
}

/// The procedure of the documentation, with an agent that lives through it.
#[test]
fn a_signing_key_is_rotated_with_an_overlap_and_the_old_one_retired() {
    let provider = Provider::new();
    let code = provider.issue("A");
    provider.issue("B");
    provider.ok(&["issue", "--kind=commercial", "--period-days=9", "--key-id=C"]);
    provider.ok(&["publish", "web"]);
    let old = kids(&provider)[0].0.clone();
    let customer = provider.path("customer");
    fs::create_dir(&customer).unwrap();
    let give = |kid: &str| {
        let name = format!("{kid}.pem");
        fs::copy(provider.path("ledger/trust.d").join(&name), customer.join(name)).unwrap();
    };
    give(&old);
    let port = free_port();
    let _web = serve(&provider, port, &[]);
    let source =
        format!("[source]\nurl = \"http://127.0.0.1:{port}\"\ninterval = \"1s\"\nurgent_interval = \"1s\"\n");
    fs::create_dir(provider.path("agent")).unwrap();
    let agent = Agent::new(&provider.path("agent"), &customer, &source);
    let mut running = agent.start_ready();
    agent.ask(&["activate", &code]).unwrap();
    let reported = || {
        let about_keys =
            |kind: &String| ["subscription.", "key.", "documents."].iter().any(|p| kind.starts_with(p));
        agent.reported().into_iter().filter(about_keys).collect::<Vec<_>>()
    };
    let before = reported();
    let revision = |rev: u64| {
        wait_for("the revision", 60, || (agent.status()["keys"][0]["rev"] == rev).then_some(()));
    };

    // (a) A new signer, whose file is given out. Nobody can retire the only one, or one that is needed.
    let (error, message) = provider.refused(&["retire", &old], 1);
    assert!(error == "signer_in_use" && message.contains("still signs 3"), "{message}");
    let new = provider.ok(&["keygen", "--signing-key=new.pem"])["kid"].as_str().unwrap().to_owned();
    give(&new);

    // (b) Everything is signed anew. The old documents are good as long as they are there.
    assert!(all_verify(&provider, &customer));
    let resigned = provider.ok(&["resign", "--all", "--signing-key=new.pem", "--why=rotation of 2027"]);
    assert_eq!((&resigned["count"], &resigned["unchanged"]), (&3.into(), &0.into()));
    let again = provider.ok(&["resign", "--all", "--signing-key=new.pem"]);
    assert_eq!((&again["count"], &again["unchanged"]), (&0.into(), &3.into()));
    assert!(all_verify(&provider, &customer), "what is published is still by the old one");
    provider.ok(&["publish", "web"]);
    assert!(all_verify(&provider, &customer));
    revision(2);
    assert_eq!(reported(), before, "an agent tells nothing where nothing but the signer changed");

    // (c) The old one is retired, here and at the customer's, and the agent starts anew.
    let retired = provider.ok(&["retire", &old]);
    assert!(strings(&retired["removed"])[0].contains(&old));
    assert_eq!(kids(&provider), [(new.clone(), 3)]);
    fs::remove_file(customer.join(format!("{old}.pem"))).unwrap();
    assert!(all_verify(&provider, &customer));
    assert!(running.terminate().success());
    let _running = agent.start_ready();
    provider.ok(&["--signing-key=new.pem", "pause", "A"]);
    provider.ok(&["publish", "web"]);
    revision(3);
    assert!(reported().len() > before.len(), "{:?}", reported());

    // The old key no longer signs, and the message says why.
    let (error, _) = provider.refused(&["renew", "B", "--days=3"], 1);
    assert_eq!(error, "unknown_signer");
    let (error, message) = provider.refused(&["retire", &old], 1);
    assert!(error == "no_such_signer" && message.contains("svm-vendor signers"), "{message}");
    let (error, message) = provider.refused(&["retire", &new], 1);
    assert!(error == "signer_in_use" && message.contains("still signs 3"), "{message}");
}

#[test]
fn a_signer_is_not_retired_where_nobody_knows_what_it_signed() {
    let provider = Provider::new();
    let (error, message) = provider.refused(&["retire", &kids(&provider)[0].0], 1);
    assert!(error == "signer_in_use" && message.contains("only signer"), "{message}");
    let code = provider.issue("A");
    provider.ok(&["keygen", "--signing-key=new.pem"]);
    let unused = kids(&provider).into_iter().find(|(_, documents)| *documents == 0).unwrap().0;
    let sub = ActivationCode::parse(&code).unwrap().sub();
    let path = provider.path("ledger/keys").join(format!("{}.json", sub.as_str()));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, "{}").unwrap();
    let (error, message) = provider.refused(&["retire", &unused], 1);
    assert!(error == "ledger_damaged" && message.contains(sub.as_str()), "{message}");
    fs::write(&path, text).unwrap();
    // By whatever name its file has; one that begins with a dash, as every 64th does, is no option.
    let folder = provider.path("ledger/trust.d");
    fs::rename(folder.join(format!("{unused}.pem")), folder.join("second.pem")).unwrap();
    let retired = provider.ok(&["retire", &unused]);
    assert_eq!(strings(&retired["removed"]), ["ledger/trust.d/second.pem"]);
    assert_eq!(provider.refused(&["retire", "-nobody"], 1).0, "no_such_signer");
}

#[test]
fn a_changed_provider_file_is_brought_into_every_document() {
    let provider = Provider::new();
    let code = provider.issue("A");
    let path = provider.path("ledger/provider.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Example ISP", "Better ISP")).unwrap();
    assert_eq!(provider.fetch(&code).statement.vendor_name(), "Example ISP");
    let dry = provider.text(&["resign", "--all", "--dry-run"]);
    assert!(dry.contains("vendor.name: Example ISP -> Better ISP"), "{dry}");
    provider.ok(&["resign", "--all"]);
    assert_eq!(provider.fetch(&code).statement.vendor_name(), "Better ISP");
    assert_eq!(provider.ok(&["resign", "--all"])["count"], 0);
    // One that is named is signed anew in any case.
    provider.ok(&["resign", "A"]);
    assert_eq!(provider.fetch(&code).statement.rev, 3);
    // What cannot stand in a document is refused by name, and nothing is signed.
    fs::write(&path, text.replace("name = \"Example ISP\"", "support_url = \"provider\"")).unwrap();
    let (error, message) = provider.refused(&["pause", "A"], 1);
    assert!(error == "provider_file" && message.contains("`support_url` must be a web address"), "{message}");
    provider.ok(&["list"]);
}
