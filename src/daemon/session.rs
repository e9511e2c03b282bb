//! The parts of the daemon, put together in the order in which they can rely on each other, under one set of settings. A
//! reload ends them all and starts them anew: there is one way into new settings, and it is that of a start.

use super::home::Home;
use super::{RunError, watchdog};
use crate::activation::Activations;
use crate::certificates::Certificates;
use crate::control::reload::Reload;
use crate::control::{self, Api};
use crate::delivery::Delivery;
use crate::devices::DevicesFile;
use crate::enforcement::gate_files::Gate;
use crate::enforcement::gates;
use crate::enforcement::gateway::{self, Gateway};
use crate::enforcement::keeper::{Dues, Keeper};
use crate::enforcement::updates::Updates;
use crate::engine::{Begin, Engine, EngineParts, Handle};
use crate::health::HealthRegistry;
use crate::identity;
use crate::lines::say;
use crate::reserve::ReserveWatch;
use crate::settings::{Destination, GatewaySettings, Settings};
use crate::source::poller::Poller;
use crate::spread::spread_of;
use crate::status::{Reporter, ReporterHandle, StatusSource};
use crate::store::{Commit, Opened, Plan, Route, Store, TIME_NOTE, read_note};
use std::sync::Arc;
use svm_core::clock::Clock;
use svm_core::clock::trust::TrustedTime;
use svm_core::subscription::Resource;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// A gateway that runs, and under which settings.
pub(super) type RunningGateway = Option<(GatewaySettings, Arc<Gateway>)>;

pub(super) struct Session {
    pub(super) settings: Arc<Settings>,
    pub(super) clock: Clock,
    pub(super) engine: Handle,
    pub(super) reporter: ReporterHandle,
    /// What is held or waited for is tried at once.
    pub(super) nudge: watch::Sender<u64>,
    store: Store,
    gateway: RunningGateway,
    parts: JoinSet<&'static str>,
}

impl Session {
    /// Starts all parts: what was slept through is told, the permits are right, sockets and outbox stand.
    ///
    /// `reloaded` names the keys that a reload changed; `gateway` is the one of before, which stays where its settings do.
    ///
    /// # Errors
    /// [`RunError`]: what it cannot work without.
    pub(super) async fn start(
        settings: Settings,
        clock: Clock,
        home: &Home,
        reload: mpsc::Sender<Reload>,
        reloaded: Option<Vec<String>>,
        gateway: RunningGateway,
    ) -> Result<Self, RunError> {
        let route = |(name, destination): (&String, &Destination)| Route {
            name: name.clone(),
            filter: destination.filter.clone(),
        };
        let routes = settings.destinations.iter().map(route).collect();
        let plan = Plan { routes, bounds: settings.outbox };
        let make_id = || uuid::Uuid::now_v7().to_string();
        let machine = identity::of_this_machine(&settings.identity, &settings.runtime_dir);
        let (store, opened) = Store::open(&settings.state_dir, plan, clock.now(), &machine, make_id)?;
        let Opened {
            id,
            new_id,
            bond,
            changed,
            state,
            papers,
            source_note,
            time_note,
            rebuilt,
            recovery_damaged,
            left,
        } = opened;
        // The clock reads it, and has no log.
        read_note::<TrustedTime>(TIME_NOTE, time_note.clone());
        let clock = clock.trusted(time_note.as_deref(), settings.clock_dwell);
        if new_id {
            say!(IDENTITY_NEW, id, "this SVM has a new id: {id}");
        }
        if let Some(changed) = &changed {
            let (old_id, why) = (&changed.old_id, changed.why.as_str());
            let because = svm_core::events::new_id_because(why);
            say!(
                IDENTITY_TAKEN,
                id,
                old_id,
                why,
                "this SVM has a new id, {id}, because {because}; its keys are kept, and what waited under the old id {old_id} is dropped"
            );
        }
        if let Some(rebuilt) = &rebuilt {
            if rebuilt.lost {
                say!(
                    STATE_LOST,
                    set_aside = rebuilt.set_aside,
                    "what this SVM held is lost: {}",
                    rebuilt.problem
                );
            } else {
                say!(
                    STORE_REBUILT,
                    set_aside = rebuilt.set_aside,
                    "the database was rebuilt: {}",
                    rebuilt.problem
                );
            }
        }
        if let Some((problem, set_aside)) = &recovery_damaged {
            say!(
                RECOVERY_DAMAGED,
                set_aside,
                "the recovery file was damaged and is made again from the database: {problem}; the damaged one is kept as {set_aside}"
            );
        }
        for (name, events) in &left {
            say!(
                DESTINATION_LEFT of name,
                destination = name,
                events,
                "the destination {name} is configured no more; {events} events that wait for it are kept as history, and go on if it comes back"
            );
        }
        if settings.destinations.is_empty() {
            say!(DESTINATION_NONE, "no destination is configured: no console hears of this SVM");
        }
        // Where they cannot be listed, each keeper says so.
        let gates = gates::installed(&settings.enforcement.gates_dir).unwrap_or_default();
        for unit in gates.into_iter().filter(Gate::is_outdated).map(|gate| gate.unit) {
            say!(
                GATE_OUTDATED of unit,
                unit,
                "the gate of {unit} was installed by an older svm-agent and obeys the environment of the unit: svm-agent gate install {unit}"
            );
        }
        let settings = Arc::new(settings);
        let (nudge, nudged) = watch::channel(0);
        let health = Arc::new(HealthRegistry::default());
        health.show_start(clock.now());
        let (mut engine, handle) = Engine::new(EngineParts {
            settings: settings.clone(),
            clock,
            store: store.clone(),
            id: id.clone(),
            state,
            papers,
            permits: home.permits.clone(),
        });
        let begin = match reloaded {
            None => Begin::Start { changed, rebuilt },
            Some(keys) => Begin::Reloaded { keys },
        };
        engine.begin(begin).await;

        let mut parts = JoinSet::new();
        parts.spawn(async move {
            engine.run().await;
            "engine"
        });
        // The first checks come before all other parts, so that ready means that they are reported.
        let mut certificates = Certificates::new(settings.clone(), clock, handle.clone(), &store).await;
        certificates.check().await;
        let mut devices = DevicesFile::new(settings.devices_count_file.clone(), handle.clone());
        devices.check().await;
        parts.spawn(async move {
            if let Err(error) = clock.watch_steps().await {
                say!(CLOCK_STEPS, %error, "steps of the clock are not told by the kernel: {error}; they are noticed within an hour");
            }
            "clock"
        });
        for (name, destination) in &settings.destinations {
            let delivery = Delivery {
                name: name.clone(),
                settings: destination.clone(),
                store: store.clone(),
                engine: handle.clone(),
                clock,
                health: health.clone(),
                nudge: nudged.clone(),
            };
            parts.spawn(async move {
                delivery.run().await;
                "delivery"
            });
        }
        let (refresh, refresh_asked) = mpsc::channel(8);
        let poller = Poller {
            settings: settings.clone(),
            clock,
            engine: handle.clone(),
            store: store.clone(),
            health: health.clone(),
            spread: spread_of(&id),
        };
        parts.spawn(async move {
            poller.run(source_note, refresh_asked).await;
            "poller"
        });
        let watch_reserve = ReserveWatch {
            settings: settings.clone(),
            clock,
            engine: handle.clone(),
            store: store.clone(),
            health: health.clone(),
            spread: spread_of(&id),
        };
        parts.spawn(async move {
            watch_reserve.run().await;
            "reserve"
        });
        let (wishes, wished) = mpsc::channel(8);
        let activations = Activations {
            settings: settings.clone(),
            clock,
            engine: handle.clone(),
            store: store.clone(),
            health: health.clone(),
        };
        parts.spawn(async move {
            activations.run(wished).await;
            "activations"
        });
        let gateway = match (&settings.gateway, gateway) {
            (Some(wanted), Some((is, running))) if *wanted == is => Some((is, running)),
            (wanted, before) => {
                // Its port is free only after it ended, and whoever asked before may hold on to it.
                if let Some((_, before)) = before {
                    before.end();
                }
                match wanted {
                    None => None,
                    Some(wanted) => {
                        let started = gateway::start(wanted.clone(), clock, handle.permits.clone());
                        Some((wanted.clone(), Arc::new(started.map_err(RunError::Gateway)?)))
                    }
                }
            }
        };
        let id: Arc<str> = id.into();
        let status = StatusSource {
            settings: settings.clone(),
            clock,
            engine: handle.clone(),
            store: store.clone(),
            health: health.clone(),
            gateway: gateway.as_ref().map(|(_, running)| running.clone()),
            id: id.clone(),
        };
        let (reporter, reports) = Reporter::new(status.clone(), devices, certificates, spread_of(&id));
        parts.spawn(async move {
            reporter.run().await;
            "reporter"
        });
        let (look, look_asked) = watch::channel(0);
        let (look_too, mut nudged) = (look.clone(), nudged);
        parts.spawn(async move {
            while nudged.changed().await.is_ok() {
                look_too.send_modify(|n| *n += 1);
            }
            std::future::pending().await
        });
        let (run_now, run_asked) = mpsc::channel(8);
        for resource in Resource::ALL {
            let keeper = Keeper {
                resource,
                settings: settings.clone(),
                clock,
                engine: handle.clone(),
                health: health.clone(),
                gateway: gateway
                    .as_ref()
                    .filter(|_| resource == Resource::Ksn)
                    .map(|(_, running)| running.clone()),
                updates: run_now.clone(),
                look: look_asked.clone(),
                dues: Dues::default(),
                untold: Vec::new(),
                failing: None,
            };
            parts.spawn(async move {
                keeper.run().await;
                "keeper"
            });
        }
        let updates = Updates {
            settings: settings.clone(),
            clock,
            engine: handle.clone(),
            store: store.clone(),
            health: health.clone(),
            asked: run_asked,
        };
        parts.spawn(async move {
            updates.run().await;
            "updates"
        });
        let api = Api {
            settings: settings.clone(),
            clock,
            engine: handle.clone(),
            store: store.clone(),
            health,
            status,
            reporter: reports.clone(),
            refresh,
            activations: wishes,
            look,
            run_now,
            reload,
            id,
            bond: Arc::new(bond),
        };
        if settings.metrics.textfile.is_some() {
            let api = api.clone();
            parts.spawn(async move {
                control::keep_metrics_file(api).await;
                "metrics file"
            });
        }
        for (door, listener) in &home.listeners {
            let (api, door, listener) = (api.clone(), *door, listener.clone());
            parts.spawn(async move {
                control::serve(api, door, listener).await;
                "socket"
            });
        }
        let watched = handle.clone();
        parts.spawn(async move {
            watchdog::feed(watched).await;
            "watchdog"
        });
        Ok(Self { settings, clock, engine: handle, reporter: reports, nudge, store, gateway, parts })
    }

    /// What ended, which never should.
    pub(super) async fn broken(&mut self) -> RunError {
        let part = self.parts.join_next().await;
        let name =
            part.map_or_else(|| "all".to_owned(), |part| part.map_or_else(|e| e.to_string(), str::to_owned));
        RunError::Ended(name)
    }

    /// Sends the whole status: it says what the console may have missed. A store that fails is told by the engine.
    pub(super) async fn report(&self) {
        self.reporter.report().await.ok();
    }

    /// Ends all parts but the gateway, which is handed on.
    pub(super) async fn end(mut self) -> RunningGateway {
        self.parts.shutdown().await;
        // So that the next start knows as well as can be when this one ended; what was kept with the last event will do.
        let notes = vec![(TIME_NOTE, self.clock.memory())];
        self.store.commit(Commit { notes, ..Commit::default() }).await.ok();
        self.store.close().await;
        self.gateway
    }
}
