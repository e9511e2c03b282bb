//! A state folder as ten years leave it: made through the store of the library, from the step's own events.

use super::{life, sized};
use serde_json::Value;
use std::path::Path;
use svm_agent::config::Retention;
use svm_agent::identity::Binding;
use svm_agent::storage::{Commit, Listing, Plan, Reading, Route, Store};
use svm_core::events::{Filter, Operational, Origin, Record, Renderer, Snapshot};
use svm_core::subscription::{Input, State, step};

/// Ten; of the short form one.
pub fn years() -> u64 {
    sized(10, 1)
}

/// As the agent's settings have it where nothing is said.
const BOUNDS: Retention = Retention { history: 10_000, bytes: 256 * 1_000_000 };
/// Events of a day, in one transaction: years whose events are gone at the end are made so, to be quick.
const A_DAY: usize = 24;
/// Each of the last hours is kept and delivered by itself, as an agent does it: these are what the history has.
fn alone_days() -> u64 {
    sized(430, 2)
}

/// What was made.
pub struct Made {
    pub events: usize,
    pub stored: usize,
    pub megabytes: f64,
}

/// Ten years with an hourly report, every event delivered to `destination` and pruned by the store's bounds.
pub fn make(folder: &Path, destination: &str, report: &Value) -> Made {
    std::fs::create_dir_all(folder).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let routes = vec![Route { name: destination.to_owned(), filter: Filter::default() }];
    let plan = Plan { routes, bounds: BOUNDS };
    let now = jiff::Timestamp::now();
    let start = svm_core::subscription::sub_days(now, years() * 365);
    let (store, opened) =
        Store::open(folder, plan, start, &Binding::default(), || uuid::Uuid::now_v7().to_string()).unwrap();
    let origin = Origin {
        source: format!("urn:svm:{}", opened.id),
        hostname: "svm-17".into(),
        product_name: "Security Virtual Machine".into(),
        product_version: "6.1.0".into(),
        instance: "bench".into(),
    };
    let settings = life::settings();
    let (mut events, mut stored) = (0, 0);
    let alone = svm_core::subscription::sub_days(now, alone_days());
    runtime.block_on(async {
        let (mut state, mut records) = (State::default(), Vec::<Record>::new());
        let inputs = life::inputs(start, years() * 365 - 1);
        let last = inputs.len() - 1;
        for (n, (at, input)) in inputs.into_iter().enumerate() {
            let hourly = matches!(input, Input::Tick);
            let (next, reported) = step(state, &settings, at, input);
            state = next;
            let snapshot = Snapshot::of(&state);
            let renderer = Renderer { origin: &origin, time: at, view: &state.reported, snapshot: &snapshot };
            records.extend(reported.iter().map(|event| renderer.life_cycle(event)));
            if hourly {
                records.push(renderer.operational(&Operational::AgentReport { report: report.clone() }));
            }
            if records.len() >= A_DAY || at > alone || n == last {
                events += records.len();
                let records = std::mem::take(&mut records);
                let commit = Commit { state: Some(state.clone()), records, ..Commit::default() };
                store.commit(commit).await.unwrap();
                deliver(&store, destination).await;
            }
        }
        store.safe().await;
        let all = Listing {
            before: None,
            after: 0,
            least: 0,
            waiting: false,
            quarantined: false,
            with_body: false,
            most: 1 << 20,
        };
        stored = store.events(all).await.unwrap().len();
        store.close().await;
    });
    Made { events, stored, megabytes: super::disk_mb(folder) }
}

/// Everything that waits has arrived.
async fn deliver(store: &Store, destination: &str) {
    loop {
        let waiting = store
            .next(destination, Reading { after: 0, received: 0, most: 1000, bytes: 1 << 30 })
            .await
            .unwrap();
        let Some(last) = waiting.last() else { return };
        store.delivered(destination, last.sequence).await.unwrap();
    }
}
