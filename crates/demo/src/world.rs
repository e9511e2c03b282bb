//! The demonstration's world: the real parts, over real sockets, files and signatures.

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use svm_agent::config::Settings;
use svm_agent::control::{SocketKind, client};
use svm_agent::daemon;
use svm_core::clock::Clock;
use svm_core::documents::SigningKey;
use svm_vendor::{Contact, Profile, Provider};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A day in a second.
const RATE: u32 = 86_400;

/// How long anything may take, in the world's time.
const TIMEOUT: Duration = Duration::from_secs(15);

/// An event as the collector holds it.
pub(crate) struct Received {
    pub(crate) kind: String,
    pub(crate) severity: u64,
    /// When it was reported.
    pub(crate) time: Timestamp,
    pub(crate) effective: Timestamp,
    pub(crate) description: String,
    pub(crate) data: Value,
}

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) provider: Provider,
    pub(crate) published: PathBuf,
    /// Where the collector's page is.
    pub(crate) collector: String,
    runtime_dir: PathBuf,
    http: reqwest::Client,
    received: Vec<Received>,
    position: i64,
    /// As long as it runs.
    agent: Option<RunningAgent>,
    folder: tempfile::TempDir,
}

/// The agent, as a task of this program.
struct RunningAgent {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), daemon::RunError>>,
}

impl World {
    /// Starts all parts at `start`. The clock stops at `end`.
    pub(crate) async fn build(port: u16, start: Timestamp, end: Timestamp) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let at = |name: &str| folder.path().join(name);
        let running = Clock::fast(start, RATE);
        // What the page shows is the end of the story from then on, and not what would become of it.
        let clock = running.ending(end);

        let vendor = Contact {
            name: Some("Example Provider".to_owned()),
            support_url: Some("https://provider.example/support".to_owned()),
            ..Contact::default()
        };
        let profile = Profile { iss: "provider.example".to_owned(), vendor };
        let provider = Provider::create(&at("ledger"), &profile, SigningKey::generate()?)?;
        let published = at("published");
        let files = TcpListener::bind("127.0.0.1:0").await?;
        let source = format!("http://{}", files.local_addr()?);
        tokio::spawn(svm_vendor::serve::serve(published.clone(), files));

        let page = TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("cannot listen on 127.0.0.1:{port}, --port 0 takes a free port"))?;
        let collector = format!("http://{}", page.local_addr()?);
        let mut settings = svm_collector::Settings::default();
        settings.store.path = at("collector.db");
        settings.tokens.required = false;
        // The clock runs a day a second: a day without an event is no silence here.
        settings.svms.silent_after_minutes = 60 * 24 * 60;
        let served = svm_collector::Collector::open(settings, clock)?;
        tokio::spawn(served.serve(page, std::future::pending()));

        let text = format!(
            "[paths]\nstate_dir = \"{state}\"\nruntime_dir = \"{run}\"\ntrust_dir = \"{trust}\"\n\
             [source]\nurl = \"{source}\"\ninterval = \"3h\"\nurgent_interval = \"2h\"\n\
             [report]\nevery = \"168h\"\n\
             [enforcement]\ngoverns = []\ngates_dir = \"{state}\"\n[destinations.console]\nurl = \"{collector}/v1/events\"\n",
            state = at("state").display(),
            run = at("run").display(),
            trust = at("ledger/trust.d").display(),
        );
        std::fs::write(at("agent.toml"), text)?;
        let settings = Settings::read(&[at("agent.toml")], [])?;
        let runtime_dir = settings.runtime_dir.clone();
        let ((ready, is_ready), (stop, stopped)) = (oneshot::channel(), oneshot::channel());
        let agent = tokio::spawn(async move {
            let ready = || ready.send(()).unwrap_or_default();
            let (_hang_up, hangup) = tokio::sync::watch::channel(0);
            let again = settings.clone();
            let reread = || Ok(again.clone());
            daemon::run(settings, running, reread, ready, hangup, async { drop(stopped.await) }).await
        });
        if is_ready.await.is_err() {
            agent.await??;
            bail!("the agent stopped unexpectedly");
        }
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self {
            clock,
            provider,
            published,
            collector,
            runtime_dir,
            http,
            received: Vec::new(),
            position: 0,
            agent: Some(RunningAgent { stop, task: agent }),
            folder,
        })
    }

    /// Asks the agent for a change, as its command line does; answers when it was made.
    pub(crate) async fn ask(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Value,
    ) -> anyhow::Result<Timestamp> {
        let answer: Value =
            client::ask(&self.runtime_dir, SocketKind::Control, method, path, Some(&body)).await?;
        let at = answer.get("at").and_then(Value::as_str).context("the agent names no instant")?;
        Ok(at.parse()?)
    }

    /// Publishes what the provider changed, and waits until the agent found it on its own; returns when it did.
    pub(crate) async fn publish(&mut self, show: fn(&Received)) -> anyhow::Result<Timestamp> {
        self.collect(show).await?;
        let before = self.received.len();
        self.provider.publish(&self.published)?;
        let waiting = svm_core::clock::stopwatch();
        loop {
            self.collect(show).await?;
            if let Some(event) = self.received.get(before) {
                return Ok(event.time);
            }
            if waiting() > TIMEOUT {
                bail!("the agent did not fetch the published document in time");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until an instant of the story, showing what comes in.
    pub(crate) async fn until(&mut self, at: Timestamp, show: fn(&Received)) -> anyhow::Result<()> {
        while self.clock.now() < at {
            self.collect(show).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.collect(show).await
    }

    /// Reads what the collector received since the last call.
    async fn collect(&mut self, show: fn(&Received)) -> anyhow::Result<()> {
        loop {
            let url = format!("{}/v1/events?after={}&limit=1000", self.collector, self.position);
            let text = self.http.get(url).send().await?.error_for_status()?.text().await?;
            let answer: Value = serde_json::from_str(&text)?;
            let rows = answer.get("events").and_then(Value::as_array).cloned().unwrap_or_default();
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                self.position =
                    row.get("position").and_then(Value::as_i64).context("an event has no position")?;
                let event = read(row.get("event").context("an event is missing")?)?;
                if !event.kind.starts_with("agent.") {
                    show(&event);
                    self.received.push(event);
                }
            }
        }
    }

    /// The position of the last event in the console.
    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// The events of the life cycle in the console.
    pub(crate) fn received(&self) -> &[Received] {
        &self.received
    }

    /// Stops the agent as its service would be: its permits end by the machine's clock, which does not stop.
    pub(crate) async fn rest(&mut self) {
        if let Some(RunningAgent { stop, task }) = self.agent.take() {
            stop.send(()).ok();
            task.await.ok();
        }
    }

    /// Stops the agent, and takes the folder away.
    pub(crate) async fn end(mut self) {
        self.rest().await;
        self.folder.close().ok();
    }
}

fn read(event: &Value) -> anyhow::Result<Received> {
    let text = |pointer: &str| {
        let found = event.pointer(pointer).and_then(Value::as_str);
        found.map(str::to_owned).with_context(|| format!("an event has no {pointer}"))
    };
    let time = text("/time")?.parse()?;
    let kind = text("/type")?;
    Ok(Received {
        kind: kind.strip_prefix("svm.").unwrap_or(&kind).to_owned(),
        severity: event.pointer("/data/severity").and_then(Value::as_u64).unwrap_or(0),
        time,
        effective: text("/data/effective_at").ok().map_or(Ok(time), |at| at.parse())?,
        description: text("/data/description")?,
        data: event.get("data").cloned().unwrap_or_default(),
    })
}
