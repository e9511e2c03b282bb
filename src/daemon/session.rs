//! The parts of the daemon, put together in the order in which they can rely on each other, under one set of settings. A
//! reload ends them all and starts them anew: there is one way into new settings, and it is that of a start.

use super::error::RunError;
use super::host::HostResources;
use super::{opening, watchdog};
use crate::activation::Activations;
use crate::certificates::Certificates;
use crate::config::{GatewaySettings, Settings};
use crate::context::Context;
use crate::control::reload::Reload;
use crate::control::{self, Api, ApiSettings, Requests};
use crate::delivery::Delivery;
use crate::devices::DevicesFile;
use crate::enforcement::keeper::{Keeper, Means, PendingStarts};
use crate::engine::{Engine, EngineParts, EngineSettings, Handle, StartReason};
use crate::fetch::DocumentSource;
use crate::gateway;
use crate::gateway::Gateway;
use crate::health::HealthRegistry;
use crate::log::log_event;
use crate::notices::Notices;
use crate::permits::follower::PermitFollower;
use crate::reserve::ReserveWatch;
use crate::source::poller::Poller;
use crate::spread::spread_of;
use crate::status::{Checks, Reporter, ReporterHandle, StatusSettings, StatusSource};
use crate::storage::{Commit, NoteName, Opened, Store, read_note};
use crate::updates::Updates;
use std::sync::Arc;
use svm_core::clock::Clock;
use svm_core::clock::trust::TrustedTime;
use svm_core::environment;
use svm_core::library_words;
use svm_core::subscription::Resource;
use svm_core::words::Language;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// A gateway that runs, and under which settings.
pub(super) type RunningGateway = Option<(GatewaySettings, Arc<Gateway>)>;

pub(super) struct Session {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) engine: Handle,
    pub(super) reporter: ReporterHandle,
    /// What is held or waited for is tried at once.
    pub(super) nudge: watch::Sender<u64>,
    store: Store,
    gateway: RunningGateway,
    tasks: Tasks,
}

/// The gateway under the settings: that of before where they are the same, otherwise a new one.
///
/// # Errors
/// [`RunError::Gateway`]: its thread cannot be started.
fn next_gateway(
    settings: Option<&GatewaySettings>,
    before: RunningGateway,
    clock: Clock,
    engine: &Handle,
) -> Result<RunningGateway, RunError> {
    match (settings, before) {
        (Some(settings), Some((same, running))) if *settings == same => Ok(Some((same, running))),
        (settings, before) => {
            // Its port is free only after it ended, and an earlier caller may still hold it.
            if let Some((_, before)) = before {
                before.end();
            }
            let Some(settings) = settings else { return Ok(None) };
            let started = gateway::start(settings.clone(), clock, engine.permits.clone());
            Ok(Some((settings.clone(), Arc::new(started.map_err(RunError::Gateway)?))))
        }
    }
}

/// The tasks of a session; each ends only with it.
#[derive(Default)]
struct Tasks(JoinSet<&'static str>);

impl Tasks {
    fn start(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(async move {
            work.await;
            name
        });
    }
}

impl Session {
    /// Starts all parts. Afterwards events of the time without power are reported, the permits are right, sockets and outbox work.
    ///
    /// `reloaded` names the keys that a reload changed; `gateway` is the one of before, which stays where its settings do.
    ///
    /// # Errors
    /// [`RunError`]: what it cannot work without.
    pub(super) async fn start(
        settings: Settings,
        clock: Clock,
        host: &HostResources,
        reload: mpsc::Sender<Reload>,
        reloaded: Option<Vec<String>>,
        gateway: RunningGateway,
    ) -> Result<Self, RunError> {
        let (store, opened) = opening::open(&settings, &clock)?;
        // The clock reads it, and has no log.
        read_note::<TrustedTime>(NoteName::Time, opened.time_note.clone());
        let clock = clock.trusted(opened.time_note.as_deref(), settings.clock_dwell);
        opening::log(&settings, &opened);
        let Opened { id, bond, changed, state, documents, source_note, rebuilt, .. } = opened;
        let (nudge, nudged) = watch::channel(0);
        let health = Arc::new(HealthRegistry::default());
        health.show_start(clock.now());
        let (mut engine, handle) = Engine::new(EngineParts {
            settings: EngineSettings::of(&settings),
            clock,
            store: store.clone(),
            id: id.clone(),
            state,
            documents,
            permits: host.permits.clone(),
        });
        let begin = match reloaded {
            None => StartReason::Start { changed, rebuilt },
            Some(keys) => StartReason::Reloaded { keys },
        };
        engine.begin(begin).await;

        let context = Context { clock, engine: handle.clone(), store: store.clone(), health };
        let mut tasks = Tasks::default();
        tasks.start("engine", async move { engine.run().await });
        // The first checks come before all other parts, so that ready means that they are reported.
        let mut certificates = Certificates::new(settings.destinations.clone(), context.clone()).await;
        certificates.check().await;
        let mut devices = DevicesFile::new(settings.devices_count_file.clone(), handle.clone());
        devices.check().await;
        let (check_devices, device_checks) = mpsc::channel(8);
        tasks.start("devices", async move { devices.run(device_checks).await });
        let (check_certificates, certificate_checks) = mpsc::channel(8);
        tasks.start("certificates", async move { certificates.run(certificate_checks).await });
        tasks.start("clock", async move {
            if let Err(error) = clock.watch_steps().await {
                let error = library_words::io(&error);
                log_event!(CLOCK_STEPS, %error);
            }
        });
        for (name, destination) in &settings.destinations {
            let delivery = Delivery {
                name: name.clone(),
                settings: destination.clone(),
                context: context.clone(),
                nudge: nudged.clone(),
            };
            tasks.start("delivery", async move { delivery.run().await });
        }
        let (refresh, refresh_requests) = mpsc::channel(8);
        let documents = DocumentSource::of(&settings);
        let poller =
            Poller { context: context.clone(), documents: documents.clone(), spread: spread_of(&id) };
        tasks.start("poller", async move { poller.run(source_note, refresh_requests).await });
        let watch_reserve = ReserveWatch {
            context: context.clone(),
            trust_dir: settings.trust_dir.clone(),
            rules: settings.rules.clone(),
            spread: spread_of(&id),
        };
        tasks.start("reserve", async move { watch_reserve.run().await });
        let (activation_requests, requested) = mpsc::channel(8);
        let activations = Activations { context: context.clone(), documents };
        tasks.start("activations", async move { activations.run(requested).await });
        let gateway = next_gateway(settings.gateway.as_ref(), gateway, clock, &handle)?;
        let id: Arc<str> = id.into();
        let status = StatusSource {
            settings: Arc::new(StatusSettings::of(&settings)),
            context: context.clone(),
            gateway: gateway.as_ref().map(|(_, running)| running.clone()),
            id: id.clone(),
        };
        let checks = Checks { devices: check_devices, certificates: check_certificates };
        let (reporter, reports) = Reporter::new(status.clone(), checks, spread_of(&id));
        tasks.start("reporter", async move { reporter.run().await });
        let (check_enforcement, check_requests) = watch::channel(0);
        let (check_too, mut nudged) = (check_enforcement.clone(), nudged);
        tasks.start("nudge", async move {
            while nudged.changed().await.is_ok() {
                check_too.send_modify(|n| *n += 1);
            }
            std::future::pending().await
        });
        let (run_now, run_requests) = mpsc::channel(8);
        let means = Means {
            runtime_dir: settings.runtime_dir.clone(),
            enforcement: settings.enforcement.clone(),
            updates: settings.updates.clone(),
            actions: settings.actions.clone(),
        };
        for resource in Resource::ALL {
            let keeper = Keeper {
                resource,
                context: context.clone(),
                means: means.clone(),
                gateway: gateway
                    .as_ref()
                    .filter(|_| resource == Resource::Ksn)
                    .map(|(_, running)| running.clone() as Arc<dyn PermitFollower>),
                updates: run_now.clone(),
                check_requests: check_requests.clone(),
                pending_starts: PendingStarts::default(),
                unreported: Vec::new(),
                failing: None,
            };
            tasks.start("keeper", async move { keeper.run().await });
        }
        let updates = Updates {
            context: context.clone(),
            config: settings.updates.clone(),
            enforcement: settings.enforcement.clone(),
            asked: run_requests,
        };
        tasks.start("updates", async move { updates.run().await });
        let notices = Notices {
            source: status.clone(),
            rules: settings.rules.clone(),
            runtime_dir: settings.runtime_dir.clone(),
            is_motd_enabled: settings.motd_enabled,
            language: Language::of_locale(environment::text),
        };
        tasks.start("notices", async move { notices.run().await });
        if let Some(path) = settings.metrics.textfile.clone() {
            let written = control::keep_metrics_file(path, settings.metrics.every, status.clone());
            tasks.start("metrics file", written);
        }
        let requests = Requests {
            reporter: reports.clone(),
            refresh,
            activations: activation_requests,
            check_enforcement,
            run_now,
            reload,
        };
        let settings_of_api = Arc::new(ApiSettings::of(&settings));
        let api = Api { settings: settings_of_api, status, bond: Arc::new(bond), requests };
        for (socket, listener) in &host.listeners {
            let (api, socket, listener) = (api.clone(), *socket, listener.clone());
            tasks.start("socket", async move { control::serve(api, socket, listener).await });
        }
        let watched = handle.clone();
        tasks.start("watchdog", async move { watchdog::feed(watched).await });
        Ok(Self { settings, clock, engine: handle, reporter: reports, nudge, store, gateway, tasks })
    }

    /// What ended, which never should.
    pub(super) async fn broken(&mut self) -> RunError {
        let part = self.tasks.0.join_next().await;
        let name =
            part.map_or_else(|| "all".to_owned(), |part| part.map_or_else(|e| e.to_string(), str::to_owned));
        RunError::Ended(name)
    }

    /// Sends the whole status: it says what the console may have missed. The engine reports a store that fails.
    pub(super) async fn report(&self) {
        self.reporter.report().await.ok();
    }

    /// Ends all parts but the gateway, which is handed on.
    pub(super) async fn end(mut self) -> RunningGateway {
        self.tasks.0.shutdown().await;
        // So that the next start knows as well as can be when this one ended; what was stored with the last event will do.
        let notes = vec![(NoteName::Time, self.clock.memory())];
        self.store.commit(Commit { notes, ..Commit::default() }).await.ok();
        self.store.close().await;
        self.gateway
    }
}
