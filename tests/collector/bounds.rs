//! Bounds that hold for everyone who asks, sends or stays connected: memory, places, disk, time.

use super::*;

const TRIAL: &str = "[tokens]\nrequired = false\n";

/// An event of about `size` bytes.
fn large(svm: &str, number: u64, size: usize) -> Value {
    let mut event = event(svm, &format!("{svm}-{number}"), number);
    event["data"]["filler"] = json!("x".repeat(size));
    event
}

/// Stores `count` events of about 60 KB.
fn fill(collector: &Collector, count: u64) {
    let events: Vec<Value> = (1..=count).map(|n| large("a", n, 60_000)).collect();
    for batch in events.chunks(60) {
        assert_eq!(collector.post_batch(batch).status, 200);
    }
}

fn connect(collector: &Collector) -> TcpStream {
    let stream = TcpStream::connect(collector.address).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream
}

#[test]
fn an_answer_is_cut_and_says_where_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::trial(dir.path());
    fill(&collector, 60);
    for question in
        ["/v1/events?limit=1000", "/v1/svms/a/events?limit=1000", "/v1/events?limit=1000&severity=4"]
    {
        let (mut after, mut seen, mut answers) = (json!(0), Vec::new(), 0);
        while !after.is_null() {
            let answer = collector.get(&format!("{question}&after={after}"));
            assert!(answer.body.len() < 1200 * 1024, "{}", answer.body.len());
            let answer = answer.json();
            let events = answer["events"].as_array().unwrap();
            seen.extend(events.iter().map(|event| event["position"].as_i64().unwrap()));
            after = answer["next"].clone();
            answers += 1;
        }
        assert_eq!(seen, (1..=60).collect::<Vec<_>>(), "{question}");
        assert!(answers > 3, "{answers}");
    }
    // Newest first as well, also where rows must be looked at.
    for question in ["/v1/events?limit=1000", "/v1/events?limit=1000&source=urn:svm:a&severity=4"] {
        let (mut before, mut seen) = (json!(i64::MAX), Vec::new());
        while !before.is_null() {
            let answer = collector.json(&format!("{question}&before={before}"));
            seen.extend(
                answer["events"].as_array().unwrap().iter().map(|event| event["position"].as_i64().unwrap()),
            );
            before = answer["next"].clone();
        }
        assert_eq!(seen, (1..=60).rev().collect::<Vec<_>>(), "{question}");
    }
    // The list of SVMs, each with as much as a sender can have it hold.
    let word = "&".repeat(256);
    let batch: Vec<Value> = (0..200)
        .map(|n| {
            let mut event = event(&format!("svm{n:03}"), "1", 1);
            event["data"]["device_status_reasons"] = json!(vec![word.clone(); 32]);
            event
        })
        .collect();
    for part in batch.chunks(50) {
        assert_eq!(collector.post_batch(part).status, 200);
    }
    let (mut offset, mut seen) = (json!(0), BTreeSet::new());
    while !offset.is_null() {
        let answer = collector.get(&format!("/v1/svms?limit=1000&offset={offset}"));
        assert!(answer.body.len() < 1200 * 1024, "{}", answer.body.len());
        let answer = answer.json();
        seen.extend(
            answer["svms"].as_array().unwrap().iter().map(|svm| svm["id"].as_str().unwrap().to_owned()),
        );
        offset = answer["next"].clone();
    }
    assert_eq!(seen.len(), 201);
    for page in ["/", "/svms/a", "/svms/svm001"] {
        let page = collector.get(page);
        assert!(page.status == 200 && page.body.len() < 2 << 20, "{}", page.body.len());
    }
}

#[test]
fn slow_readers_take_a_bounded_amount_of_memory_and_leave_room_for_others() {
    let dir = tempfile::tempdir().unwrap();
    let settings = format!("{TRIAL}[limits]\nanswers_mib = 32\nlive_readers = 64\nlive_readers_each = 60\n");
    let collector = Collector::start(dir.path(), &settings);
    fill(&collector, 120);
    for path in ["/v1/events?limit=1000", "/", "/svms/a"] {
        collector.get(path);
    }
    let before = collector.peak_memory();
    let mut slow: Vec<TcpStream> = (0..150)
        .map(|_| {
            let mut stream = connect(&collector);
            write!(stream, "GET /v1/events?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            stream
        })
        .collect();
    slow.extend((0..60).map(|_| {
        let mut stream = connect(&collector);
        write!(stream, "GET /v1/live?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream
    }));
    // Meanwhile others get their answers.
    for _ in 0..5 {
        let began = Instant::now();
        for path in ["/healthz", "/v1/svms", "/v1/events?limit=1000", "/"] {
            assert_eq!(collector.get(path).status, 200, "{path}");
        }
        assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    }
    // 32 MiB of answers, and of live readers three pieces of an event of 64 KiB; what an allocator keeps beside that.
    let grown = collector.peak_memory() - before;
    assert!(grown < 96 << 10, "the collector grew by {grown} KiB");
    drop(slow);
    eventually("the end of all connections", || collector.metric("svm_collector_connections") < 3.0);
    // What was taken for them is given back.
    eventually("memory that is given back", || collector.memory("VmRSS:") < before + (16 << 10));
}

#[test]
fn a_reader_that_trickles_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::start(dir.path(), &format!("{TRIAL}[limits]\nwrite_timeout_seconds = 3\n"));
    fill(&collector, 40);
    let mut stream = connect(&collector);
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 8 * 1024).unwrap();
    write!(stream, "GET /v1/events?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    // Hundreds of bytes a second: never silent, and never done. What the kernel held is read to its end after the cut.
    let began = Instant::now();
    let mut taken = 0;
    while collector.metric("svm_collector_connections") > 1.0 {
        assert!(began.elapsed() < BOUND, "not cut");
        taken += stream.read(&mut [0; 150]).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).ok();
    assert!(taken + rest.len() < 1 << 20, "it got all");
}

#[test]
fn who_stays_connected_without_asking_shuts_out_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let settings = format!("{TRIAL}[limits]\nconnections = 64\n");
    let collector = Collector::start(dir.path(), &settings);
    let all_ways = |collector: &Collector, what: &str, number: u64| {
        let began = Instant::now();
        for path in ["/healthz", "/", "/v1/svms"] {
            assert_eq!(collector.get(path).status, 200, "{what}: {path}");
        }
        assert_eq!(collector.post(&event("a", &number.to_string(), number)).status, 200, "{what}");
        assert!(began.elapsed() < Duration::from_secs(5), "{what}: {:?}", began.elapsed());
    };
    let hold = |text: &str| -> Vec<TcpStream> {
        (0..200)
            .map(|_| {
                let mut stream = connect(&collector);
                stream.write_all(text.as_bytes()).ok();
                stream
            })
            .collect()
    };
    let idle = hold("");
    all_ways(&collector, "idle", 1);
    drop(idle);
    let half = hold("GET / HTTP/1.1\r\nHo");
    all_ways(&collector, "half a head", 2);
    drop(half);
    let asked = hold("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    all_ways(&collector, "after an answer", 3);
    drop(asked);
    // Bodies that do not come hold no room either, whatever they promise.
    let bodies = hold(
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\nContent-Length: 4194304\r\n\r\n{",
    );
    all_ways(&collector, "half a body", 4);
    drop(bodies);
    let live = hold("GET /v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    all_ways(&collector, "live", 5);
    drop(live);
    assert!(collector.metric("svm_collector_connections_cut_total") > 100.0);
}

#[test]
fn one_address_does_not_take_all_live_places() {
    let dir = tempfile::tempdir().unwrap();
    let (token, line) = made_token();
    let file = dir.path().join("readers");
    std::fs::write(&file, line).unwrap();
    let settings = format!(
        "{TRIAL}[page]\nreaders_file = {file:?}\n[limits]\nlive_readers = 8\nlive_readers_each = 3\n"
    );
    let collector = Collector::start(dir.path(), &settings);
    let live = |head: &str| {
        let mut stream = connect(&collector);
        write!(stream, "GET /v1/live HTTP/1.1\r\nHost: localhost\r\n{head}\r\n").unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        (stream, line.split(' ').nth(1).unwrap().to_owned())
    };
    let of =
        |address: &str| format!("Authorization: Bearer {token}\r\nX-Forwarded-For: 10.9.9.9, {address}\r\n");
    let mut held: Vec<_> = (0..3).map(|_| live("")).collect();
    assert!(held.iter().all(|(_, status)| status == "200"));
    assert_eq!(live("").1, "503");
    // Readers behind a proxy that shows a reading token count by the address that it adds.
    for (address, status) in [
        ("192.0.2.1", "200"),
        ("192.0.2.1", "200"),
        ("192.0.2.1", "200"),
        ("192.0.2.1", "503"),
        ("192.0.2.2", "200"),
    ] {
        let one = live(&of(address));
        assert_eq!(one.1, status, "{address}");
        held.push(one);
    }
}

#[test]
fn health_waits_for_no_scan_and_scans_end() {
    let dir = tempfile::tempdir().unwrap();
    drop(Collector::trial(dir.path()));
    {
        let db = rusqlite::Connection::open(dir.path().join("collector.db")).unwrap();
        let text = format!("{{\"data\":\"{}\"}}", "x".repeat(300));
        let insert = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
            INSERT INTO events (source, id, sequence, type, severity, received, event)
            SELECT 1 + i % 50, i, printf('%020d', i), 'svm.t' || (i % 3), 1, 1, ?1 FROM n";
        db.execute(insert, [&text]).unwrap();
        let sources = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
            INSERT INTO sources (source, id, first_contact, last_contact) SELECT 'urn:svm:' || i, i, 1, 1 FROM n";
        db.execute(sources, []).unwrap();
    }
    let collector = Collector::trial(dir.path());
    // Many questions whose answer is nowhere, by readers who wait, and by some who leave.
    let questions = [
        "/v1/events?severity=4",
        "/v1/events?severity=4&before=9999999",
        "/v1/events?severity=1&type=svm.t1&limit=1000&after=399990",
        "/v1/events?source=urn:svm:7&type=nothing",
        "/v1/events?type=svm.t2&severity=3",
    ];
    let waiting: Vec<TcpStream> = (0..120)
        .map(|n| {
            let mut stream = connect(&collector);
            write!(
                stream,
                "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                questions[n % questions.len()]
            )
            .unwrap();
            stream
        })
        .collect();
    for _ in 0..10 {
        let began = Instant::now();
        assert_eq!(collector.get("/healthz").status, 200);
        assert_eq!((collector.get("/v1/svms/7").status, collector.get("/").status), (200, 200));
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
    // Every one of them is answered: with what there is, and where to go on.
    for mut stream in waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    // To its end, and in a bounded time.
    let (mut after, began) = (json!(0), Instant::now());
    while !after.is_null() {
        let answer = collector.json(&format!("/v1/events?source=urn:svm:7&severity=4&after={after}"));
        assert_eq!(answer["events"], json!([]));
        after = answer["next"].clone();
    }
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
}

#[test]
fn one_source_has_its_part_of_the_disk_and_not_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = "max_source_megabytes = 8\nmax_sources = 3\n";
    let collector = Collector::start_with(dir.path(), "", store, TRIAL);
    assert_eq!(collector.post(&event("b", "b-1", 1)).status, 200);
    // Three times its part.
    fill(&collector, 400);
    eventually("the removal of what is too much", || {
        let bytes: i64 = rusqlite::Connection::open(dir.path().join("collector.db"))
            .unwrap()
            .query_row("SELECT bytes FROM sources WHERE source = 'urn:svm:a'", [], |row| row.get(0))
            .unwrap();
        bytes <= 8_000_000
    });
    assert!(collector.metric("svm_collector_events_removed_total{reason=\"quota\"}") > 200.0);
    assert!(collector.metric("svm_collector_store_bytes") < 16e6);
    // Of the other source nothing is gone; of the first the newest are there.
    let ids = collector.ids();
    assert!(ids.contains("b-1") && ids.contains("a-400") && !ids.contains("a-1"));
    assert_eq!(collector.json("/v1/svms/a")["highest_sequence"], format!("{:020}", 400), "the state stays");
    // As many sources as there may be.
    assert_eq!(collector.post(&event("c", "1", 1)).status, 200);
    let answer = collector.post(&event("d", "1", 1));
    assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (403, json!("too_many_sources")));
    assert_eq!(collector.post_batch(&[event("a", "x", 401), event("d", "1", 1)]).status, 403);
    assert!(!collector.ids().contains("x"), "nothing of a refused request is stored");
    assert_eq!(collector.post(&event("c", "2", 2)).status, 200);
}
