//! How resources are held to their permits: the keys of `[enforcement]`, `[updates]`, `[gateway]` and `[actions.*]`, and
//! what they come to. Rules: `docs/guide/enforcement.md`.

use super::{Check, path};
use crate::enforcement::gateway::{GatewaySettings, Upstream};
use crate::enforcement::permit_file::WhenDown;
use crate::enforcement::protection::ALWAYS_PROTECTION;
use crate::enforcement::updates::schedule::Schedule;
use jiff::SignedDuration;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use svm_core::settings::choice;
use svm_core::subscription::Resource;

/// Every key of an action with its default; `config/agent.toml` shows the same lines as a comment.
pub const ACTION: &str = r#"
resource = ""
look_every = "15m"
repairs_per_hour = 4
"#;

/// How resources are held to their permits.
#[derive(Clone, Debug)]
pub struct Enforcement {
    /// What a permit is worth while the agent does not answer.
    pub when_agent_is_down: WhenDown,
    /// The resources that this SVM has.
    pub governs: Vec<Resource>,
    /// Where the drop-ins of gated units are.
    pub gates_dir: PathBuf,
    /// A unit that is to stop and does not is killed after so long.
    pub stop_timeout: SignedDuration,
    /// Units that are never governed.
    pub protection_units: Vec<String>,
}

/// When the databases are updated.
#[derive(Clone, Debug)]
pub struct Updates {
    /// When; without a line the agent starts no updates.
    pub schedule: Schedule,
    /// What is started.
    pub unit: String,
    /// Each run waits at random up to so long.
    pub random_delay: SignedDuration,
    /// What becomes of a run whose time passed unseen.
    pub missed: Missed,
    /// A run that lasts longer is stopped.
    pub timeout: SignedDuration,
    /// A file whose time is that of the databases.
    pub databases_file: Option<PathBuf>,
    /// Databases are old from so many days; 0 never.
    pub outdated_days: u32,
    /// And too old from so many; 0 never.
    pub outdated_critical_days: u32,
}

/// What becomes of a run whose time passed while nobody could start it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// It is made up for, once for all that were missed.
    RunOnce,
    /// The next one comes at its time.
    Skip,
}

/// What is set when a permit changes, by the unit `svm-agent-action@NAME.service`.
#[derive(Clone, Debug)]
pub struct Action {
    /// The permit that it follows.
    pub resource: Resource,
    /// How often to look whether what it set still stands.
    pub look_every: SignedDuration,
    /// It is set again at most so many times an hour.
    pub repairs_per_hour: u32,
}

// The keys as they are written.

#[derive(Deserialize)]
pub(super) struct RawEnforcement {
    pub(super) database_updates_after_grace: String,
    pub(super) ksn_after_grace: String,
    pub(super) permit_max_age: String,
    when_agent_is_down: String,
    governs: Vec<String>,
    pub(super) gates_dir: PathBuf,
    stop_timeout: String,
    protection_units: Vec<String>,
}
#[derive(Deserialize)]
pub(super) struct RawUpdates {
    schedule: Vec<String>,
    time_zone: String,
    unit: String,
    random_delay: String,
    missed: String,
    timeout: String,
    databases_file: String,
    outdated_days: u32,
    outdated_critical_days: u32,
}
impl RawUpdates {
    pub(super) fn databases_file(&self) -> &String {
        &self.databases_file
    }
}
#[derive(Deserialize)]
pub(super) struct RawGateway {
    upstreams: Vec<String>,
    listen: String,
    max_connections: u32,
    connect_timeout: String,
    idle_timeout: String,
    max_age: String,
}
#[derive(Deserialize)]
pub(super) struct RawAction {
    resource: String,
    look_every: String,
    repairs_per_hour: u32,
}

/// The name of a service as systemd takes it (`systemd.unit(5)`): at most 255 of these characters, and its type.
pub fn service_name(text: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b":_.\\@-".contains(&b);
    let form = "must be the name of a service, such as \"svm-agent-update.service\"";
    match text.strip_suffix(".service") {
        Some(stem)
            if !stem.is_empty() && text.len() <= 255 && text.bytes().all(plain) && !stem.starts_with('-') =>
        {
            if stem.ends_with('@') {
                return Err(format!(
                    "`{text}` is a template: name an instance of it, such as \"{stem}1.service\""
                ));
            }
            Ok(())
        }
        Some(_) => Err(form.to_owned()),
        None if !text.contains('.') && !text.is_empty() => {
            Err(format!("{form}: did you mean \"{text}.service\"?"))
        }
        None => Err(form.to_owned()),
    }
}

impl Check<'_> {
    fn resource(&mut self, key: &str, text: &str) -> Option<Resource> {
        self.take(key, choice(text, &Resource::ALL.map(|resource| (resource.file_name(), resource))))
    }

    pub(super) fn enforcement(&mut self, raw: &RawEnforcement) -> Option<Enforcement> {
        let words = [("last", WhenDown::Last), ("stopped", WhenDown::Stopped)];
        let when = self.take("enforcement.when_agent_is_down", choice(&raw.when_agent_is_down, &words));
        let resource =
            |name: &str| choice(name, &Resource::ALL.map(|resource| (resource.file_name(), resource)));
        let governs = self.items("enforcement.governs", &raw.governs, resource);
        let stop_timeout = self.span("enforcement.stop_timeout", &raw.stop_timeout, 1, 3600);
        self.items("enforcement.protection_units", &raw.protection_units, service_name);
        Some(Enforcement {
            when_agent_is_down: when?,
            governs: governs?,
            gates_dir: raw.gates_dir.clone(),
            stop_timeout: stop_timeout?,
            protection_units: raw.protection_units.clone(),
        })
    }

    pub(super) fn updates(&mut self, raw: RawUpdates) -> Option<Updates> {
        let missed = [("run-once", Missed::RunOnce), ("skip", Missed::Skip)];
        let missed = self.take("updates.missed", choice(&raw.missed, &missed));
        let unit = self.take("updates.unit", service_name(&raw.unit));
        let random_delay = self.span("updates.random_delay", &raw.random_delay, 0, 86_400);
        let timeout = self.span("updates.timeout", &raw.timeout, 1, 7 * 86_400);
        let (soon, late) = (raw.outdated_days, raw.outdated_critical_days);
        let ordered = late == 0 || soon <= late;
        let message = "must not be less than `updates.outdated_days`";
        let ordered = self.take("updates.outdated_critical_days", ordered.then_some(()).ok_or(message));
        // Each apart, so that all that is wrong is told.
        let each = |line: &str| Schedule::parse(&[line.to_owned()], "UTC").map(drop);
        let lines = self.items("updates.schedule", &raw.schedule, each);
        let zone = self.take("updates.time_zone", Schedule::parse(&[], &raw.time_zone));
        lines?;
        zone?;
        let schedule = self.take("updates.schedule", Schedule::parse(&raw.schedule, &raw.time_zone));
        unit?;
        ordered?;
        Some(Updates {
            schedule: schedule?,
            unit: raw.unit,
            random_delay: random_delay?,
            missed: missed?,
            timeout: timeout?,
            databases_file: path(&raw.databases_file),
            outdated_days: soon,
            outdated_critical_days: late,
        })
    }

    /// The schedule stops its unit when the permit goes: never one of the protection.
    pub(super) fn no_protection(&mut self, enforcement: &Enforcement, updates: &Updates) {
        let configured = enforcement.protection_units.iter().map(String::as_str);
        let is_one = configured.chain(ALWAYS_PROTECTION.iter().copied()).any(|unit| unit == updates.unit);
        let message = "is a unit of the protection itself, which is never stopped: name the unit that updates the databases";
        self.take("updates.unit", (!is_one).then_some(()).ok_or(message));
    }

    pub(super) fn gateway(&mut self, raw: RawGateway) -> Option<Option<GatewaySettings>> {
        let form = "must be an address of the loopback with its port, such as \"127.0.0.1:13111\"";
        let listen = raw.listen.parse::<SocketAddr>().map_err(|_| form.to_owned());
        let listen = listen.and_then(|at| match at.ip().is_loopback() {
            true if at.port() == 0 => {
                Err(format!("{form}: port 0 is a free one, which no client would find"))
            }
            true => Ok(at),
            false => Err(format!("{form}: from elsewhere, nobody could tell who uses it")),
        });
        let listen = self.take("gateway.listen", listen);
        let upstreams = self.items("gateway.upstreams", &raw.upstreams, str::parse::<Upstream>);
        let most = raw.max_connections;
        let most = self.take(
            "gateway.max_connections",
            (1..=100_000).contains(&most).then_some(most).ok_or("must be 1 to 100000"),
        );
        let mut span = |name: &str, text: &str, most: i64| {
            self.span(&format!("gateway.{name}"), text, 1, most).map(SignedDuration::unsigned_abs)
        };
        let connect_timeout = span("connect_timeout", &raw.connect_timeout, 300);
        let idle_timeout = span("idle_timeout", &raw.idle_timeout, 86_400);
        let max_age = span("max_age", &raw.max_age, 30 * 86_400);
        let gateway = GatewaySettings {
            listen: listen?,
            upstreams: upstreams?,
            max_connections: usize::try_from(most?).unwrap_or(usize::MAX),
            connect_timeout: connect_timeout?,
            idle_timeout: idle_timeout?,
            max_age: max_age?,
        };
        let itself = gateway.listen;
        let round = gateway.upstreams.iter().any(|to| to.to_string() == itself.to_string());
        let message = "must not be the gateway itself (`gateway.listen`): it would relay to itself";
        self.take("gateway.upstreams", (!round).then_some(()).ok_or(message))?;
        Some(Some(gateway).filter(|gateway| !gateway.upstreams.is_empty()))
    }

    pub(super) fn actions(&mut self, raw: BTreeMap<String, RawAction>) -> BTreeMap<String, Action> {
        let mut actions = BTreeMap::new();
        for (name, raw) in raw {
            let key = format!("actions.{name}");
            self.name(&key, &name, "action");
            let resource = self.resource(&format!("{key}.resource"), &raw.resource);
            let look_every = self.span(&format!("{key}.look_every"), &raw.look_every, 10, 86_400);
            let repairs = raw.repairs_per_hour;
            let fits = (1..=60).contains(&repairs).then_some(repairs).ok_or("must be 1 to 60");
            let repairs = self.take(&format!("{key}.repairs_per_hour"), fits);
            if let (Some(resource), Some(look_every), Some(repairs_per_hour)) =
                (resource, look_every, repairs)
            {
                actions.insert(name, Action { resource, look_every, repairs_per_hour });
            }
        }
        actions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_a_name_that_systemd_takes() {
        for good in ["a.service", "kesl-update@1.service", "dev-sda\\x2d1.service"] {
            assert_eq!(service_name(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("kesl-update", "did you mean \"kesl-update.service\"?"),
            ("a.timer", "must be the name of a service"),
            ("a@.service", "name an instance of it, such as \"a@1.service\""),
            (".service", "must be"),
            ("a b.service", "must be"),
            ("../a.service", "must be"),
            ("--now.service", "must be"),
        ] {
            assert!(service_name(bad).unwrap_err().contains(why), "{bad}");
        }
    }
}
