//! What is shown of the fleet: sums that say what they do not know, reports with their time, names however written.

use super::*;

/// A report of an SVM about its key and devices.
fn report(svm: &str, number: u64, key: &str, devices: Option<u64>, limit: Option<u64>) -> Value {
    let mut event = event(svm, &format!("{svm}-{number}"), number);
    event["type"] = json!("svm.agent.report");
    event["time"] = json!(format!("2026-01-01T00:{number:02}:00Z"));
    event["data"]["snapshot"] = json!({"key": key, "devices": devices, "devices_limit": limit});
    event["data"]["report"] = json!({"keys": [{"id": key}]});
    event
}

#[test]
fn devices_of_a_key_are_summed_and_what_is_unknown_stays_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let batch = [
        report("a", 1, "FULL", Some(60), Some(100)),
        report("b", 1, "FULL", Some(52), Some(100)),
        report("c", 1, "FULL", None, Some(100)),
        report("d", 1, "NONE", None, Some(10)),
        report("e", 1, "ZERO", Some(0), None),
        report("f", 1, "odd\"\\\nkey", Some(1), Some(10)),
    ];
    assert_eq!(collector.post_batch(&batch).status, 200);
    let answer = collector.json("/v1/keys");
    let of =
        |key: &str| answer["keys"].as_array().unwrap().iter().find(|sum| sum["key"] == key).unwrap().clone();
    assert_eq!(
        of("FULL"),
        json!({"key": "FULL", "svms": 3, "svms_unknown": 1, "devices": 112, "devices_limit": 100, "level": "over_110"})
    );
    assert_eq!(
        of("NONE"),
        json!({"key": "NONE", "svms": 1, "svms_unknown": 1, "devices": null, "devices_limit": 10, "level": null})
    );
    assert_eq!((&of("ZERO")["devices"], &of("ZERO")["devices_limit"]), (&json!(0), &json!(null)));
    assert_eq!(
        (&answer["keys"][0]["key"], &answer["next"]),
        (&json!("FULL"), &json!(null)),
        "the fullest first"
    );
    let page = collector.json("/v1/keys?limit=2&offset=1");
    assert_eq!((page["keys"].as_array().unwrap().len(), page["next"].clone()), (2, json!(3)));
    let metrics = collector.get("/metrics").body;
    for line in [
        "svm_collector_key_devices{key=\"FULL\"} 112\n",
        "svm_collector_key_devices_limit{key=\"FULL\"} 100\n",
        "svm_collector_key_svms{key=\"FULL\"} 3\n",
        "svm_collector_key_svms_unknown{key=\"FULL\"} 1\n",
        "svm_collector_key_svms_unknown{key=\"NONE\"} 1\n",
        "svm_collector_key_devices{key=\"ZERO\"} 0\n",
        "svm_collector_key_devices{key=\"odd\\\"\\\\\u{fffd}key\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(!metrics.contains("svm_collector_key_devices{key=\"NONE\"}"), "unknown is not 0");
    assert!(!metrics.contains("svm_collector_key_devices_limit{key=\"ZERO\"}"));
    let page = collector.get("/").body;
    assert!(page.contains("unknown") && page.contains("1 SVM not counted: number unknown"), "{page}");
}

#[test]
fn the_whole_status_says_of_when_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    assert_eq!(collector.post(&report("a", 1, "K", Some(1), None)).status, 200);
    let page = collector.get("/svms/a").body;
    assert!(page.contains("Whole status as of") && page.contains("2026-01-01 00:01:00"), "{page}");
    assert!(!page.contains("Newer events changed"));
    let mut later = event("a", "later", 2);
    later["time"] = json!("2026-01-01T00:02:00Z");
    assert_eq!(collector.post(&later).status, 200);
    assert!(collector.get("/svms/a").body.contains("Newer events changed the status"));
    let svm = collector.json("/v1/svms/a");
    assert_eq!(svm["report"], json!({"keys": [{"id": "K"}]}));
    assert_eq!(svm["report_at"], "2026-01-01T00:01:00Z");
    assert_eq!(
        (&svm["report_sequence"], &svm["state_sequence"]),
        (&json!(format!("{:020}", 1)), &json!(format!("{:020}", 2)))
    );
    // A clock that is ahead makes no report of the future.
    let mut ahead = report("a", 3, "K", Some(1), None);
    ahead["time"] = json!("9999-12-31T00:00:00+00:00");
    assert_eq!(collector.post(&ahead).status, 200);
    assert!(collector.json("/v1/svms/a")["report_at"].as_str().unwrap().starts_with("20"));
}

#[test]
fn an_end_that_never_comes_is_shown_and_other_forms_of_time_are_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    for (number, ends, shown) in [
        (1, "9999-12-31T00:00:00+00:00", true),
        (2, "20271231T235959Z", false),
        (3, "2027-12-31T23:59:59Z[Asia/Tokyo]", false),
        (4, "2027-12-31T23:59:59+03:00", true),
    ] {
        let mut event = event("a", &number.to_string(), number);
        event["data"]["snapshot"]["ends_at"] = json!(ends);
        assert_eq!(collector.post(&event).status, 200);
        assert_eq!(!collector.json("/v1/svms/a")["ends_at"].is_null(), shown, "{ends}");
        assert_eq!(collector.get("/svms/a").status, 200);
    }
    let mut event = event("a", "5", 5);
    event["time"] = json!("20260101T000000Z");
    assert_eq!(collector.post(&event).json()["error"]["field"], "time");
}

#[test]
fn an_id_is_found_in_capitals_and_what_is_no_text_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let id = "0197a0b2-0000-7000-8000-00000000000a";
    collector.post(&event(id, "1", 1));
    let capitals = id.to_ascii_uppercase();
    for path in
        [format!("/v1/svms/{capitals}"), format!("/svms/{capitals}"), format!("/v1/svms/{capitals}/events")]
    {
        let answer = collector.get(&path);
        assert!(answer.status == 200 && answer.body.contains("host-"), "{path}: {}", answer.body);
    }
    for source in [format!("urn:svm:{capitals}"), format!("URN:SVM:{id}")] {
        let events = collector.json(&format!("/v1/events?source={source}"));
        assert_eq!(events["events"].as_array().unwrap().len(), 1, "{source}");
    }
    for (path, status) in
        [("/v1/svms/%FF", 404), ("/svms/%FF", 404), ("/v1/svms/%FF/events", 404), ("/v1/svms/%00", 404)]
    {
        assert_eq!(collector.get(path).status, status, "{path}");
    }
    assert_eq!(collector.json("/v1/svms/%FF")["error"]["code"], "not_found");
    let mut body = event("a", "x", 1).to_string().into_bytes();
    let at = body.windows(2).position(|two| two == b"It").unwrap();
    body[at] = 0xff;
    let head = "POST /v1/events HTTP/1.1\r\nContent-Type: application/cloudevents+json\r\n";
    let error = collector.ask(head, &body).unwrap().json()["error"].clone();
    assert!(error["message"].as_str().unwrap().contains(&format!("not UTF-8 from byte {at} on")), "{error}");
}

#[test]
fn no_link_of_a_page_begins_at_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    let mut batch: Vec<Value> = (1..=120).map(|n| event(&format!("svm{n}"), "1", 1)).collect();
    batch.extend((1..=120).map(|n| event("a", &n.to_string(), n)));
    assert_eq!(collector.post_batch(&batch).status, 200);
    for path in ["/", "/?page=2&q=svm", "/?status=fine", "/svms/a", "/svms/a?before=100", "/svms/nobody"] {
        let page = collector.get(path).body;
        for attribute in ["href=\"/", "src=\"/", "action=\"/", "data-live=\"/"] {
            assert!(!page.contains(attribute), "{path}: {attribute}");
        }
    }
}
