//! Outboxes that are full: made through the store of the library, as the agent would have made them.

use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use svm_agent::config::Retention;
use svm_agent::identity::Binding;
use svm_agent::storage::{Commit, Plan, Route, Store};
use svm_core::events::{Filter, Operational, Origin, Record, Renderer, Snapshot, with_sequence};
use svm_core::subscription::{
    DeviceStatus, Event, Input, Kind, LimitLevel, Permit, Resource, Settings, State, Statement, step,
};

/// Records in one transaction, where it is no matter how many.
const COMMIT: usize = 1000;

/// Records of an hour, of [`Svm::days`].
pub const AN_HOUR: usize = 42;

/// An SVM with an active subscription, and who it says it is.
pub struct Svm {
    origin: Origin,
    state: State,
    now: jiff::Timestamp,
}

impl Svm {
    pub fn new() -> Self {
        let now = jiff::Timestamp::now();
        let claims = json!({
            "rev": 3, "key": {"id": "SUB-0001", "kind": "subscription"}, "devices": 250,
            "subscription": {
                "term": {"type": "limited", "ends_at": svm_core::subscription::add_days(now, 200).to_string()},
                "grace_days": 14,
            },
        });
        let statement = Statement::read(&claims).unwrap();
        let settings = Settings::new("6.1.0".parse().unwrap());
        let (state, _) = step(State::default(), &settings, now, Input::Activate(Ok(statement)));
        let (state, _) = step(state, &settings, now, Input::ProtectedDevices(Some(240)));
        let origin = Origin {
            source: "urn:svm:01a200d1-066f-75c9-a437-eb11ef40f1d7".into(),
            hostname: "svm-17".into(),
            product_name: "Security Virtual Machine".into(),
            product_version: "6.1.0".into(),
            instance: "a77e0cba4ebcb133".into(),
        };
        Self { origin, state, now }
    }

    /// The `n`th of many: what comes most often in the life of an SVM, in turn.
    fn record(&self, n: u64, time: jiff::Timestamp) -> Record {
        let count = Some(200 + n % 60);
        let kind = match n % 4 {
            0 => {
                Kind::DevicesLimit { from: LimitLevel::None, to: LimitLevel::Over90, count, limit: Some(250) }
            }
            1 => Kind::DeviceStatusChanged {
                from: DeviceStatus::Ok,
                to: DeviceStatus::Warning,
                reasons: vec![],
            },
            2 => Kind::EnforcementChanged {
                resource: Resource::DatabaseUpdates,
                from: Permit::Full,
                to: Permit::Stopped,
                enforced_by: Vec::new(),
            },
            _ => {
                Kind::DevicesLimit { from: LimitLevel::Over90, to: LimitLevel::None, count, limit: Some(250) }
            }
        };
        self.renderer(time, &Snapshot::of(&self.state)).life_cycle(&Event { kind, effective_at: None })
    }

    fn renderer<'a>(&'a self, time: jiff::Timestamp, snapshot: &'a Snapshot) -> Renderer<'a> {
        Renderer { origin: &self.origin, time, view: &self.state.reported, snapshot }
    }

    /// `count` events with the least of their snapshot, so that one has about 700 bytes on the wire.
    pub fn small(&self, count: u64) -> Vec<Record> {
        const NAMES: [&str; 2] = ["key", "kind"];
        let records = (0..count).map(|n| {
            let time = self.now + jiff::SignedDuration::from_micros(i64::try_from(n).unwrap());
            let mut record = self.record(n, time);
            let mut event: Value = serde_json::from_str(&record.body).unwrap();
            event["data"]["snapshot"]
                .as_object_mut()
                .unwrap()
                .retain(|name, _| NAMES.contains(&name.as_str()));
            record.body = event.to_string();
            record
        });
        records.collect()
    }

    /// What waits after so many days without a receiver: 1,000 events a day, whole, of which 24 are reports.
    pub fn days(&self, days: u64, report: &Value) -> Vec<Record> {
        let records = (0..days * 1000).map(|n| {
            let time = self.now
                - jiff::SignedDuration::from_millis(i64::try_from((days * 1000 - n) * 86_400).unwrap());
            if n * 24 % 1000 < 24 {
                let event = Operational::AgentReport { report: report.clone() };
                return self.renderer(time, &Snapshot::of(&self.state)).operational(&event);
            }
            self.record(n, time)
        });
        records.collect()
    }
}

/// Puts records into the outbox of a new state folder, for one destination, in transactions of `commit` records.
pub fn fill(folder: &Path, destination: &str, records: Vec<Record>, commit: usize) {
    std::fs::create_dir_all(folder).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let make_id = || uuid::Uuid::now_v7().to_string();
    let routes = vec![Route { name: destination.to_owned(), filter: Filter::default() }];
    let bounds = Retention { history: 10_000, bytes: 1 << 40 };
    let plan = Plan { routes, bounds };
    let (store, _) = Store::open(folder, plan, jiff::Timestamp::now(), &Binding::default(), make_id).unwrap();
    runtime.block_on(async {
        for records in records.chunks(commit) {
            let records = records.to_vec();
            store.commit(Commit { records, ..Commit::default() }).await.unwrap();
        }
        store.close().await;
    });
}

/// 100,000 events, say: what waits in the agent's outbox, and the same as lines for syslog-ng.
pub struct Backlog {
    pub records: Vec<Record>,
    pub ids: Arc<Vec<String>>,
}

impl Backlog {
    pub fn new(count: u64) -> Self {
        let records = Svm::new().small(count);
        let ids = records.iter().map(|record| record.id.to_string()).collect();
        Self { records, ids: Arc::new(ids) }
    }

    pub fn fill(&self, folder: &Path, destination: &str) {
        fill(folder, destination, self.records.clone(), COMMIT);
    }

    /// Each event on a line, with the sequence number that the agent would give it.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.records.iter().zip(1..).map(|(record, n)| with_sequence(&record.body, n, None) + "\n")
    }
}
