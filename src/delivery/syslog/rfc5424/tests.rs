use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The name of an element and its parameters.
type Element = (String, Vec<(String, String)>);

/// What a receiver reads, by the grammar of RFC 5424, section 6.
#[derive(Debug)]
struct Read {
    priority: u8,
    time: String,
    host: String,
    app: String,
    msgid: String,
    elements: Vec<Element>,
    text: String,
}

impl Read {
    fn of(message: &str) -> Self {
        let rest = message.strip_prefix('<').unwrap();
        let (priority, rest) = rest.split_once(">1 ").unwrap();
        let mut words = rest.splitn(6, ' ');
        let mut word = |most: usize| {
            let word = words.next().unwrap().to_owned();
            assert!((1..=most).contains(&word.len()), "{word}");
            assert!(word.bytes().all(|b| (33..=126).contains(&b)), "{word}");
            word
        };
        let (time, host, app, procid, msgid) = (word(32), word(255), word(48), word(128), word(32));
        assert_eq!(procid, "-");
        let (elements, text) = Self::elements(words.next().unwrap());
        Self { priority: priority.parse().unwrap(), time, host, app, msgid, elements, text }
    }

    fn elements(mut rest: &str) -> (Vec<Element>, String) {
        let name_of = |text: &str| {
            assert!((1..=32).contains(&text.len()), "{text}");
            assert!(text.bytes().all(|b| (33..=126).contains(&b) && !b"=]\"".contains(&b)), "{text}");
            text.to_owned()
        };
        let mut elements: Vec<Element> = Vec::new();
        while let Some(element) = rest.strip_prefix('[') {
            let end = element.find([' ', ']']).unwrap();
            let id = name_of(&element[..end]);
            assert!(elements.iter().all(|(other, _)| *other != id), "{id} twice");
            let mut parameters = Vec::new();
            rest = &element[end..];
            while let Some(parameter) = rest.strip_prefix(' ') {
                let (name, value) = parameter.split_once("=\"").unwrap();
                let mut text = String::new();
                let mut chars = value.char_indices();
                let end = loop {
                    match chars.next().unwrap() {
                        (at, '"') => break at,
                        (_, ']') => panic!("a bracket that is not escaped"),
                        (_, '\\') => match chars.next().unwrap().1 {
                            c @ ('"' | '\\' | ']') => text.push(c),
                            c => panic!("an escaped {c:?}"),
                        },
                        (_, c) => text.push(c),
                    }
                };
                parameters.push((name_of(name), text));
                rest = &value[end + 1..];
            }
            rest = rest.strip_prefix(']').unwrap();
            elements.push((id, parameters));
        }
        let text = rest.strip_prefix(' ').unwrap();
        (elements, text.strip_prefix('\u{feff}').unwrap_or(text).to_owned())
    }

    fn get(&self, element: &str, name: &str) -> Option<&str> {
        let (_, parameters) = self.elements.iter().find(|(id, _)| id == element)?;
        parameters.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

fn event(data: &Value) -> String {
    let mut all = json!({
        "severity": 4, "event_type_display_name": "Subscription expired", "description": "it ended",
        "hostname": "svm-17", "product_name": "Security Virtual Machine", "product_version": "6.1.0",
        "device_status": "critical", "device_status_reasons": ["restricted", "not_activated"], "phase": "restricted",
        "phase_cause": null, "snapshot": {"key": "SUB-1", "devices": 240, "paid_until": null},
        "effective_at": "2026-11-21T00:00:00Z",
    });
    all.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
    json!({
        "specversion": "1.0", "id": "01a2", "source": "urn:svm:x", "type": "svm.subscription.expired",
        "time": "2026-11-22T01:14:21.7Z", "subject": "SUB-1", "datacontenttype": "application/json", "data": all,
    })
    .to_string()
}

fn text(body: &str) -> String {
    let stored = QueuedEvent { sequence: 7, skipped_from: Some(5), body };
    message(stored, Some("::ffff:10.0.0.1".parse().unwrap()))
}

#[test]
fn an_event_has_the_shape_that_is_documented() {
    let body = event(&json!({"key": "SUB-1", "ends_at": "2026-11-21T00:00:00Z", "cause": null}));
    assert_eq!(
        text(&body),
        concat!(
            "<10>1 2026-11-22T01:14:21.700000Z svm-17 Security_Virtual_Machine|6.1.0 - svm.subscription.expired ",
            r#"[event@23668 p1="cause=" p2="ends_at=2026-11-21T00:00:00Z" p3="key=SUB-1" et="svm.subscription.expired" "#,
            r#"tdn="" etdn="Subscription expired" hdn="svm-17" hip="10.0.0.1" gn=""]"#,
            r#"[svm@32473 id="01a2" source="urn:svm:x" sequence="00000000000000000007" "#,
            r#"skipped_from="00000000000000000005" severity="4" effective_at="2026-11-21T00:00:00Z" phase="restricted" "#,
            r#"device_status="critical" device_status_reasons="restricted,not_activated" subject="SUB-1" "#,
            r#"product="Security Virtual Machine" product_version="6.1.0" snapshot.devices="240" snapshot.key="SUB-1"] "#,
            "it ended",
        )
    );
}

#[test]
fn each_severity_has_its_priority() {
    for (severity, priority) in [(1, 14), (2, 12), (3, 11), (4, 10)] {
        let read = Read::of(&text(&event(&json!({"severity": severity}))));
        assert_eq!(read.priority, priority);
        assert_eq!(read.get("svm@32473", "severity"), Some(severity.to_string().as_str()));
    }
}

#[test]
fn a_long_type_is_cut_in_the_header_and_whole_in_the_element() {
    let body = event(&json!({})).replace("svm.subscription.expired", "svm.subscription.parameters_changed");
    let read = Read::of(&text(&body));
    assert_eq!(read.msgid, "svm.subscription.parameters_chan");
    assert_eq!(read.get("event@23668", "et"), Some("svm.subscription.parameters_changed"));
    assert_eq!(read.get("svm@32473", "cut"), None);
}

#[test]
fn the_tenth_parameter_and_more_stand_in_our_element() {
    let data: Value =
        (1..=12).map(|n| (format!("f{n:02}"), json!(n))).collect::<serde_json::Map<_, _>>().into();
    let read = Read::of(&text(&event(&data)));
    assert_eq!(read.get("event@23668", "p9"), Some("f09=9"));
    assert_eq!((read.get("event@23668", "p10"), read.get("svm@32473", "p10")), (None, Some("f10=10")));
    assert_eq!(read.get("svm@32473", "p12"), Some("f12=12"));
}

#[test]
fn what_is_too_long_is_cut_and_named() {
    let long = "]\u{1f600}".repeat(5000);
    let data =
        json!({"description": long, "report": {"text": long}, "zulu": "z", "hostname": "h".repeat(300)});
    let message = text(&event(&data));
    assert!(message.len() <= LONGEST && message.len() > LONGEST - 300, "{}", message.len());
    let read = Read::of(&message);
    assert_eq!(read.get("svm@32473", "cut"), Some("text hdn p1 p2"));
    assert!(read.text.starts_with("]\u{1f600}]") && read.text.len() <= MAX_TEXT);
    assert_eq!(read.host.len(), 255);
}

#[test]
fn what_is_no_event_is_still_told() {
    for body in ["", "null", "[1]", "{", "{\"data\": 5}", "{\"time\": \"soon\"}"] {
        let read = Read::of(&text(body));
        assert_eq!((read.priority, read.time.as_str(), read.host.as_str()), (11, "-", "-"));
        assert_eq!(read.app, "-|-");
        assert_eq!(read.get("svm@32473", "sequence"), Some("00000000000000000007"));
    }
    assert_eq!(Read::of(&text("{ not json")).get("svm@32473", "body"), Some("{ not json"));
}

/// Text of the kinds that break formats.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "\n",
            "\r\n",
            "\0",
            "\"",
            "\\",
            "]",
            "[",
            "=",
            "|",
            " ",
            "<10>1 ",
            "\u{2028}",
            "\u{202e}",
            "\u{85}",
            "\u{feff}",
            "\u{1b}[2J",
            "\"] [svm@32473 id=\"x\"] ",
            "CEF:0|",
            "\\n",
            "ü",
            "\u{1f600}",
            "p1=",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
        any::<char>().prop_map(String::from),
        (any::<char>(), 0..3000_usize).prop_map(|(c, n)| std::iter::repeat_n(c, n).collect()),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_forges_a_field_or_a_message(
        texts in prop::collection::vec(hostile(), 8),
        names in prop::collection::vec(hostile(), 0..15),
    ) {
        let mut data = json!({
            "event_type_display_name": texts[0], "description": texts[1], "hostname": texts[2], "product_name": texts[3],
            "product_version": texts[4], "phase": texts[5], "snapshot": {texts[6].clone(): texts[5]},
        });
        for (n, name) in names.iter().enumerate() {
            data[format!("{n}{name}")] = texts[n % texts.len()].clone().into();
        }
        let mut body: Value = serde_json::from_str(&event(&data)).unwrap();
        body["type"] = texts[6].clone().into();
        body["subject"] = texts[7].clone().into();
        let message = text(&body.to_string());
        prop_assert!(message.len() <= LONGEST, "{}", message.len());
        prop_assert!(!message.chars().any(char::is_control));
        let read = Read::of(&message);
        let ids: Vec<&str> = read.elements.iter().map(|(id, _)| id.as_str()).collect();
        prop_assert_eq!(ids, ["event@23668", "svm@32473"]);
        prop_assert_eq!(read.app.matches('|').count(), 1);
        // Whatever was not cut is there, character for character, but for those that are replaced.
        let cut: Vec<&str> = read.get("svm@32473", "cut").unwrap_or_default().split(' ').collect();
        let clean = |text: &str| text.chars().map(clean).collect::<String>();
        if !cut.contains(&"text") {
            prop_assert_eq!(&read.text, &clean(&texts[1]));
        }
        for (element, name, text) in
            [("event@23668", "et", &texts[6]), ("event@23668", "etdn", &texts[0]), ("event@23668", "hdn", &texts[2])]
        {
            let whole = read.get(element, name).unwrap();
            prop_assert!(clean(text).starts_with(whole));
            prop_assert_eq!(cut.contains(&name), whole != clean(text));
        }
        // Every own field has its parameter, or is named as cut.
        let named = (1..=names.len()).filter(|n| read.get(if *n < 10 { "event@23668" } else { "svm@32473" }, &format!("p{n}")).is_some());
        prop_assert!(named.count() == names.len() || !cut.is_empty());
    }
}
