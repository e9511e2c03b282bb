//! The gateway's one loop: what is in force, who is let in, and when that changes.

use crate::config::GatewaySettings;
use crate::gateway::connections::{Bounds, Client, refuse};
use crate::gateway::listener::{Coming, Listener};
use crate::gateway::shared::Shared;
use crate::log::log_event;
use crate::permits::budget;
use crate::permits::permit_file::{PermitFile, last_written};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use svm_core::clock::Clock;
use svm_core::lock::lock;
use svm_core::subscription::{Permit, Resource};
use svm_core::words::{self, Language, Noun, count};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// The clocks are looked at so often at least while something is allowed: the wall clock may have been set forward,
/// and a timer does not count while the machine is suspended.
const CHECK_INTERVAL: Duration = Duration::from_secs(240);

/// So many connections are taken in a row before other things have their turn.
const TURN: usize = 16;

/// What is carried out, and until when.
struct InForce {
    verdict: Permit,
    /// Of `Limited`.
    rate: u64,
    permit: Option<PermitFile>,
}

pub(crate) struct Server {
    shared: Arc<Shared>,
    clock: Clock,
    bounds: Bounds,
    /// So many at a time.
    most: u64,
    listener: Listener,
    tasks: JoinSet<()>,
    in_force: InForce,
    applied: watch::Sender<Permit>,
    /// What is spent of a rate.
    spent: Option<Timestamp>,
}

impl Server {
    pub(crate) fn new(
        settings: GatewaySettings,
        connections: usize,
        clock: Clock,
        shared: Arc<Shared>,
        applied: watch::Sender<Permit>,
    ) -> Self {
        let GatewaySettings { listen, connect_timeout, idle_timeout, max_age, .. } = settings;
        Self {
            shared,
            clock,
            bounds: Bounds { connect_timeout, idle_timeout, max_age },
            most: u64::try_from(connections).unwrap_or(u64::MAX),
            listener: Listener::new(listen, clock),
            tasks: JoinSet::new(),
            in_force: InForce { verdict: Permit::Stopped, rate: 0, permit: None },
            applied,
            spent: None,
        }
    }

    /// Runs until the other end of `ended` is dropped; then everything is closed.
    pub(crate) async fn run(
        mut self,
        mut permits: watch::Receiver<Vec<PermitFile>>,
        mut ended: oneshot::Receiver<()>,
    ) {
        let shared = self.shared.clone();
        let mut followed = true;
        self.follow(&mut permits).await;
        loop {
            let closed_until = self.listener.closed_until.filter(|at| *at > Instant::now());
            self.listener.closed_until = closed_until;
            let open = closed_until.is_none() && self.listener.open();
            self.publish_problem();
            let check_at = self.next_check();
            tokio::select! {
                biased;
                _ = &mut ended => break,
                changed = permits.changed(), if followed => {
                    followed = changed.is_ok();
                    self.follow(&mut permits).await;
                }
                () = at(check_at), if check_at.is_some() => self.follow(&mut permits).await,
                () = at(self.listener.closed_until), if !open => {}
                () = shared.reap.notified() => while self.tasks.try_join_next().is_some() {},
                client = self.listener.take(), if open => self.let_in_all(client).await,
            }
        }
        self.tasks.shutdown().await;
    }

    /// Takes over the present permit for KSN, and carries it out.
    async fn follow(&mut self, permits: &mut watch::Receiver<Vec<PermitFile>>) {
        self.in_force.permit = last_written(permits, Resource::Ksn, &self.clock).await;
        self.apply().await;
    }

    /// Carries out what the permit comes to now, and publishes it afterwards.
    async fn apply(&mut self) {
        let permit = self.in_force.permit.as_ref();
        let verdict = permit.map_or(Permit::Stopped, |permit| permit.in_force(&self.clock));
        let rate = permit.and_then(|permit| permit.rate);
        let before = std::mem::replace(&mut self.in_force.verdict, verdict);
        self.in_force.rate = rate.unwrap_or(0);
        if verdict == Permit::Stopped {
            let closed = self.shared.open.load(Relaxed);
            self.tasks.shutdown().await;
            self.shared.closed_by_permit.fetch_add(closed, Relaxed);
            if before != verdict {
                log_event!(GATEWAY_SHUT, closed; connections = count(closed, Noun::Connection, Language::English));
            }
        } else if before != verdict {
            log_event!(GATEWAY_OPEN, permit = verdict.as_str(); allowed = words::permits::became(Resource::Ksn, verdict).get(Language::English));
        }
        self.applied.send_if_modified(|applied| std::mem::replace(applied, verdict) != verdict);
    }

    /// When the permit reaches its own end, or is to be checked again.
    fn next_check(&self) -> Option<Instant> {
        let permit = self.in_force.permit.as_ref().filter(|_| self.in_force.verdict != Permit::Stopped)?;
        let left = permit.left(&self.clock).min(CHECK_INTERVAL);
        Some(Instant::now() + left)
    }

    /// Whether the permit ended between two checks: a timer is late by up to 2 ms, and by a suspend.
    fn is_over(&self) -> bool {
        let permit = self.in_force.permit.as_ref();
        permit.is_some_and(|permit| permit.in_force(&self.clock) == Permit::Stopped)
    }

    /// Deals with the connections that are there.
    async fn let_in_all(&mut self, mut client: Option<Coming>) {
        for _ in 0..TURN {
            let Some(one) = client else { return };
            self.let_in(one).await;
            if self.listener.closed_until.is_some() {
                return;
            }
            client = self.listener.take_next().await;
        }
        if let Some(one) = client {
            self.let_in(one).await;
        }
    }

    /// Lets a connection in, or refuses it.
    async fn let_in(&mut self, (client, from): Coming) {
        // Where the permit is just over, what is open is closed in a moment, unless another one follows.
        let refused = if self.in_force.verdict == Permit::Stopped || self.is_over() {
            &self.shared.refused_stopped
        } else if self.shared.open.load(Relaxed) >= self.most {
            &self.shared.refused_full
        } else if self.in_force.verdict == Permit::Limited && !self.spend() {
            &self.shared.refused_rate
        } else if let Some(number) = self.shared.owners.let_in(from) {
            let client = Client::let_in(client, number, self.shared.clone());
            self.tasks.spawn(client.serve(self.bounds, self.clock));
            return;
        } else {
            &self.shared.refused_full
        };
        refused.fetch_add(1, Relaxed);
        refuse(client);
        self.listener.refused();
    }

    /// Takes one look-up of the rate, where one is left.
    fn spend(&mut self) -> bool {
        match budget::take(self.spent, self.in_force.rate, Resource::Ksn.period(), self.clock.now()) {
            Ok(spent) => {
                self.spent = Some(spent);
                true
            }
            Err(_) => false,
        }
    }

    fn publish_problem(&self) {
        let mut applied = lock(&self.shared.problem);
        let now = self.listener.problem();
        if *applied != now {
            *applied = now;
        }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
