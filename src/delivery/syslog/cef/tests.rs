use super::*;
use proptest::prelude::*;
use serde_json::json;

/// What a receiver reads, by the rules of CEF 0: the seven fields of its header, and the extensions.
fn read(message: &str) -> (Vec<String>, Vec<(String, String)>) {
    let mut words = message.splitn(8, ' ');
    assert!(words.next().unwrap().ends_with(">1"));
    let body = words.nth(6).unwrap();
    let mut fields = vec![String::new()];
    let mut chars = body.strip_prefix("CEF:").unwrap().chars();
    while fields.len() < 8 {
        let last = fields.last_mut().unwrap();
        match chars.next().unwrap() {
            '|' => fields.push(String::new()),
            '\\' => match chars.next().unwrap() {
                c @ ('|' | '\\') => last.push(c),
                c => panic!("an escaped {c:?} in the header"),
            },
            c => last.push(c),
        }
    }
    fields.pop();
    // A key is the word right before an `=` that is not escaped.
    let rest = chars.as_str();
    let mut extensions: Vec<(String, String)> = Vec::new();
    let mut value = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => value.push(match chars.next().unwrap() {
                c @ ('=' | '\\') => c,
                'n' => '\n',
                'r' => '\r',
                c => panic!("an escaped {c:?} in an extension"),
            }),
            '=' => {
                let (before, key) = value.rsplit_once(' ').unwrap_or(("", &value));
                assert!(key.chars().all(|c| c.is_ascii_alphanumeric()) && !key.is_empty(), "{key:?}");
                if let Some((_, last)) = extensions.last_mut() {
                    *last = before.to_owned();
                }
                extensions.push((key.to_owned(), String::new()));
                value = String::new();
            }
            c => value.push(c),
        }
    }
    extensions.last_mut().unwrap().1 = value;
    (fields, extensions)
}

fn text(data: serde_json::Value, from: &str) -> String {
    let body = json!({
        "specversion": "1.0", "id": "01a2", "source": "urn:svm:x", "type": "svm.subscription.expired",
        "time": "2026-11-22T01:14:21.7Z", "subject": "SUB-1", "datacontenttype": "application/json", "data": data,
    });
    message(
        QueuedEvent { sequence: 7, skipped_from: None, body: &body.to_string() },
        Some(from.parse().unwrap()),
    )
}

#[test]
fn an_event_has_the_shape_that_is_documented() {
    let data = json!({
        "severity": 4, "event_type_display_name": "Subscription expired", "description": "a = b\nc", "hostname": "svm-17",
        "product_name": "A|B", "product_version": "6.1.0", "snapshot": {"grace_ends_at": "x"}, "key": "SUB-1",
    });
    assert_eq!(
        text(data, "10.0.0.1"),
        concat!(
            "<10>1 2026-11-22T01:14:21.700000Z svm-17 A_B|6.1.0 - svm.subscription.expired - ",
            r"CEF:0|svm-agent|A\|B|6.1.0|svm.subscription.expired|Subscription expired|4|",
            r"rt=1795310061700 dhost=svm-17 dst=10.0.0.1 cs2=A|B cs2Label=ProductName cs3=6.1.0 cs3Label=ProductVersion ",
            r"msg=a \= b\nc svmId=01a2 svmSource=urn:svm:x svmSequence=00000000000000000007 svmSeverity=4 ",
            r"svmSubject=SUB-1 svmProduct=A|B svmProductVersion=6.1.0 svmSnapshotGraceEndsAt=x svmP1=key\=SUB-1",
        )
    );
    let six = read(&text(json!({}), "::1")).1;
    assert!(six.contains(&("c6a3".to_owned(), "::1".to_owned())) && !six.iter().any(|(key, _)| key == "dst"));
}

#[test]
fn what_is_too_long_is_cut_and_named() {
    let message = text(json!({"report": "=".repeat(9000), "severity": 1}), "::1");
    assert!(message.len() <= LONGEST && message.len() > LONGEST - 300, "{}", message.len());
    assert_eq!(read(&message).1.last().unwrap(), &("svmCut".to_owned(), "svmP1".to_owned()));
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "\n",
            "\r",
            "\0",
            "|",
            "\\",
            "=",
            " ",
            " suser=root",
            "\\=",
            "<10>1 ",
            "CEF:0|a|b|",
            "\u{2029}",
            "\u{202e}",
            "ü",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
        (any::<char>(), 0..3000_usize).prop_map(|(c, n)| std::iter::repeat_n(c, n).collect()),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_forges_a_field_or_a_message(texts in prop::collection::vec(hostile(), 6)) {
        let data = json!({
            "event_type_display_name": texts[0], "description": texts[1], "product_name": texts[2], "phase": texts[3],
            texts[4].clone(): texts[5], "snapshot": {texts[3].clone(): texts[4]},
        });
        let message = text(data, "10.0.0.1");
        prop_assert!(message.len() <= LONGEST, "{}", message.len());
        prop_assert!(!message.chars().any(char::is_control));
        let (fields, extensions) = read(&message);
        let clean = |text: &str| text.chars().map(clean).collect::<String>();
        prop_assert_eq!((fields[0].as_str(), fields[1].as_str()), ("0", "svm-agent"));
        prop_assert!(clean(&texts[2]).starts_with(&fields[2]));
        prop_assert!(clean(&texts[0]).starts_with(&fields[5]));
        let known = ["rt", "dhost", "dst", "cs2", "cs2Label", "cs3", "cs3Label", "msg"];
        for (key, value) in &extensions {
            prop_assert!(key.starts_with("svm") || known.contains(&key.as_str()), "{key}");
            if key == "msg" {
                let lines: String =
                    texts[1].chars().map(|c| if matches!(c, '\n' | '\r') { c } else { super::clean(c) }).collect();
                prop_assert!(lines.starts_with(value.as_str()));
            }
        }
    }
}
