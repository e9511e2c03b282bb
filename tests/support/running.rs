//! The agent inside the test, against a clock that runs fast; the real program asks it.

use super::{Agent, wait_for};
use svm_agent::config::Settings;
use svm_agent::daemon;
use svm_core::clock::Clock;

pub struct Running {
    stop: tokio::sync::oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Running {
    pub fn start(agent: &Agent, clock: Clock) -> Self {
        svm_core::http::install_tls();
        let settings =
            Settings::read(&[agent.folder.join("machine.toml"), agent.config.clone()], []).unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (_, hangup) = tokio::sync::watch::channel(0);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let again = settings.clone();
            let reread = || Ok(again.clone());
            let work = daemon::run(settings, clock, reread, || (), hangup, async { drop(stopped.await) });
            runtime.block_on(work).unwrap();
        });
        wait_for("the agent", 20, || agent.ask(&["status"]).ok());
        Self { stop, thread }
    }

    pub fn stop(self) {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap();
    }
}
