//! Twenty thousand events that wait, and agent and collector killed again and again while they go out.

use crate::outbox::webhook::{events, hand_on};
use crate::outbox::{World, control, destination, events_of, fill, sequence, without_a_gap};
use crate::support::server::Server;
use crate::support::{Collector, Program, now, random, wait_for};
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Events that wait before each hundred kills.
const BACKLOG: u64 = 20_000;

/// Events in one batch at most, as `docs/reference/delivery.md` has it.
const BATCH: usize = 500;

/// What went over the wire: id and number of each event, as often as it was sent.
type Sent = Arc<Mutex<Vec<(String, u64)>>>;

/// A slow way to the collector, which notes what passes. Now and then the collector is killed in the instant in
/// which it answered: an answer that came before its commit would be a lie.
fn way(collector: &Collector, victim: Arc<AtomicU32>, seed: u64) -> (Server, Sent) {
    let (server, sent, dice) = (Server::start(), Sent::default(), Mutex::new(random(seed)));
    let (seen, port) = (sent.clone(), collector.port);
    server.answer(move |request, stream| {
        let events = events(request);
        let id = |event: &serde_json::Value| event["id"].as_str().unwrap().to_owned();
        seen.lock().unwrap().extend(events.iter().map(|event| (id(event), sequence(event))));
        let dice = |below| dice.lock().unwrap()(below);
        std::thread::sleep(Duration::from_millis(dice(100)));
        let answer = hand_on(request, port)?;
        let id = if dice(8) == 0 { victim.swap(0, Ordering::SeqCst) } else { 0 };
        if let Some(pid) = Pid::from_raw(id as i32) {
            kill_process(pid, Signal::KILL).ok();
        }
        std::thread::sleep(Duration::from_millis(dice(50)));
        stream.write_all(&answer)
    });
    (server, sent)
}

#[test]
fn twenty_thousand_events_outlive_kills_of_both_ends() {
    let wanted = std::env::var("SVM_TEST_KILLS").map_or(100, |n| n.parse::<u32>().unwrap());
    let world = World::new();
    let store = world.collector("store");
    let seed = now().as_nanosecond() as u64;
    println!("seed {seed}");
    let victim = Arc::new(AtomicU32::new(0));
    let (front, sent) = way(&store, victim.clone(), seed >> 3);
    // All of it is kept, so that in the end each event can be looked for.
    let settings = "[outbox]\nhistory = 1000000\nmax_megabytes = 10000\n".to_owned()
        + &destination("console", &events_of(front.port), "");
    let agent = world.agent(&settings);
    world.live(&agent).kill();
    let mut collecting = store.start();
    victim.store(collecting.child.id(), Ordering::SeqCst);

    let (mut dice, mut kills, mut of_collector) = (random(seed), 0, 0);
    while kills < wanted {
        fill(&agent, &["console"], BACKLOG);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // And something happens all the time.
            scope.spawn(|| {
                for count in [95, 10].into_iter().cycle().take_while(|_| !done.load(Ordering::SeqCst)) {
                    control(&agent, "PUT", "/v1/devices", &json!({"count": count}));
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let mut running = agent.start();
            for _ in 0..100.min(wanted - kills) {
                std::thread::sleep(Duration::from_millis(dice(400)));
                if victim.swap(0, Ordering::SeqCst) == 0 || dice(4) == 0 {
                    collecting.kill();
                    collecting = store.start();
                    of_collector += 1;
                } else {
                    running.kill();
                    running = agent.start();
                }
                victim.store(collecting.child.id(), Ordering::SeqCst);
                kills += 1;
            }
            done.store(true, Ordering::SeqCst);
            running.kill();
            kills += 1;
        });
    }
    // It may have been killed by its answer in the last moment.
    let was_killed = victim.swap(0, Ordering::SeqCst) == 0;
    if was_killed {
        collecting.kill();
    }
    let _collecting = if was_killed { store.start() } else { collecting };
    let program: Program = agent.start_ready();
    wait_for("everything to be delivered", 300, || {
        (crate::outbox::health(&agent, "console")["waiting"] == 0).then_some(())
    });
    drop(program);

    let held = wait_for("the store", 10, || store.events());
    assert_eq!(without_a_gap("console", &held), Vec::<u64>::new());
    assert!(held.len() as u64 > BACKLOG);
    let db = Connection::open(agent.folder.join("state/agent.db")).unwrap();
    let mut rows =
        db.prepare("SELECT id FROM events JOIN outbox ON event = number ORDER BY sequence").unwrap();
    let stored: Vec<String> = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let ids: Vec<&str> = held.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert!(stored == ids, "{} kept by the agent, {} by the collector", stored.len(), ids.len());

    let sent = sent.lock().unwrap();
    let mut numbers: BTreeMap<&str, u64> = BTreeMap::new();
    for (id, number) in sent.iter() {
        assert_eq!(*numbers.entry(id).or_insert(*number), *number, "one event under two numbers");
    }
    assert_eq!(numbers.len(), held.len(), "each was sent, and nothing else");
    let repeated = sent.len() - numbers.len();
    println!(
        "{kills} kills, {of_collector} of the collector; {} events, {repeated} of them repeated",
        held.len()
    );
    assert!(repeated <= kills as usize * BATCH, "{repeated} were repeated by {kills} kills");
}
