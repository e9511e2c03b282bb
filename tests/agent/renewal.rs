//! "How do I stop or renew this?", asked of the real program: with an agent that holds the order, and without one.

use crate::support;
use crate::support::{Agent, Vendor, at, now, order};
use serde_json::{Value, json};
use svm_core::documents::SigningKey;
use svm_core::subscription::{Channel, Order, Terms};
use svm_vendor::{Contact, Profile, Provider};

const END: &str = "2040-01-01T00:00:00Z";

fn held(folder: &std::path::Path, bought: Option<Order>) -> (Agent, support::Program) {
    let contact = Contact {
        name: Some("Example ISP".into()),
        support_url: Some("https://provider.example/help".into()),
        ..Contact::default()
    };
    let profile = Profile { iss: "provider.example".into(), vendor: contact };
    let provider =
        Provider::create(&folder.join("ledger"), &profile, SigningKey::generate().unwrap()).unwrap();
    let mut issue = order("SUB-1", at(END), 14);
    if let Terms::Subscription(subscription) = &mut issue.terms {
        (subscription.order, subscription.auto_renew) = (bought, true);
    }
    let (code, _) = provider.issue(issue, now()).unwrap();
    provider.publish(&folder.join("published")).unwrap();
    let file = folder.join("published").join(svm_core::documents::published_path(&code.sub()));
    let agent = Agent::new(folder, &folder.join("ledger/trust.d"), "");
    let program = agent.start_ready();
    agent.ask(&["key", "add", file.to_str().unwrap()]).unwrap();
    (agent, program)
}

fn said(agent: &Agent, arguments: &[&str], locale: &str) -> (i32, String) {
    let mut command = agent.command(arguments);
    command.env_remove("LC_ALL").env_remove("LC_MESSAGES").env("LANG", locale);
    let output = command.output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn the_held_key_answers_in_the_language_of_whoever_asks() {
    let folder = tempfile::tempdir().unwrap();
    let number = Some("ALLSOFT-22123406".to_owned());
    let placed_on = Some("2026-01-02".parse().unwrap());
    let bought = Order { number, channel: Some(Channel::Website), placed_on };
    let (agent, _program) = held(folder.path(), Some(bought));
    let answer = agent.ask(&["renewal"]).unwrap();
    for (field, value) in [
        ("channel", json!("website")),
        ("seller", json!("allsoft")),
        ("recognised_by", json!("order_number")),
        ("sure", json!(true)),
        ("write_to", json!("seller")),
        ("key", json!("SUB-1")),
        ("ends_at", json!(END)),
        ("grace_ends_at", json!("2040-01-15T00:00:00Z")),
        ("auto_renew", json!(true)),
        ("placed_on", json!("2026-01-02")),
    ] {
        assert_eq!(answer[field], value, "{field}: {answer}");
    }
    assert_eq!(answer["vendor"]["name"], "Example ISP");
    let (exit, english) = said(&agent, &["renewal"], "C.UTF-8");
    assert_eq!(exit, 0);
    let (_, russian) = said(&agent, &["renewal"], "ru_RU.UTF-8");
    for (text, words) in [
        (&english, ["To stop", "Key: SUB-1", "2040-01-01 00:00 UTC", "Example ISP"]),
        (&russian, ["Чтобы отказаться", "Ключ: SUB-1", "01.01.2040 00:00 UTC", "Example ISP"]),
    ] {
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
    assert_eq!(said(&agent, &["renewal", "--lang", "ru"], "C").1, russian);
    // The same number typed otherwise is the same order; another one is not.
    let same = agent.ask(&["renewal", "--order", "allsoft 2212 3406"]).unwrap();
    assert_eq!((&same["key"], &same["another_order"]), (&json!("SUB-1"), &json!(false)));
    let other = agent.ask(&["renewal", "--order", "3B123FAC76F"]).unwrap();
    assert_eq!((&other["key"], &other["another_order"]), (&Value::Null, &json!(true)));
    assert_eq!((&other["seller"], &other["placed_on"]), (&json!("nexway"), &Value::Null));
    let channel = agent.ask(&["renewal", "--channel", "corporate"]).unwrap();
    assert_eq!((&channel["write_to"], &channel["seller"]), (&json!("vendor"), &Value::Null));
    assert!(channel["letter"]["to"].as_str().unwrap().contains("Example ISP"));
}

#[test]
fn a_document_without_an_order_still_names_the_vendor() {
    let folder = tempfile::tempdir().unwrap();
    let (agent, _program) = held(folder.path(), None);
    let answer = agent.ask(&["renewal"]).unwrap();
    assert_eq!((&answer["write_to"], &answer["sure"]), (&json!("vendor"), &json!(true)));
    assert_eq!((&answer["vendor"]["name"], &answer["ends_at"]), (&json!("Example ISP"), &json!(END)));
    // A number that is given then belongs to the key that is held.
    let given = agent.ask(&["renewal", "--order", "A221234065"]).unwrap();
    assert_eq!((&given["seller"], &given["key"]), (&json!("allsoft"), &json!("SUB-1")));
}

#[test]
fn without_an_agent_what_is_given_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::new(folder.path(), folder.path(), "");
    assert_eq!(agent.refused(&["renewal"]), (69, "agent_unreachable".to_owned()));
    let answer = agent.ask(&["renewal", "--order", "2A123BEC45D"]).unwrap();
    assert_eq!((&answer["seller"], &answer["key"]), (&json!("nexway"), &Value::Null));
    agent.ask(&["renewal", "--channel", "isp"]).unwrap();
    for wrong in ["", " - ", "2A\u{7}", "2A\u{202e}123", &"2".repeat(65)] {
        assert_eq!(agent.refused(&["renewal", "--order", wrong]), (1, "bad_order_number".to_owned()));
        let (_, text) = said(&agent, &["renewal", "--order", wrong], "C");
        assert!(!text.contains(['\u{7}', '\u{202e}']), "{text:?}");
    }
    assert_eq!(said(&agent, &["renewal", "--channel", "shop"], "C").0, 2);
    // Wrong settings are no reason to keep the answer back, where it does not need them.
    std::fs::write(&agent.config, "nonsense = 1\n").unwrap();
    assert_eq!(agent.refused(&["renewal"]), (78, "bad_settings".to_owned()));
    agent.ask(&["renewal", "--order", "2A123BEC45D"]).unwrap();
}

#[test]
fn an_svm_without_a_key_says_what_to_give() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), at(END), 0);
    let agent = Agent::new(folder.path(), &vendor.trust(), "");
    let _program = agent.start_ready();
    let (exit, error) = agent.ask(&["renewal"]).unwrap_err();
    assert_eq!((exit, &error["error"]["code"]), (1, &json!("not_activated")));
    assert!(error["error"]["message"].as_str().unwrap().contains("--order"), "{error}");
}
