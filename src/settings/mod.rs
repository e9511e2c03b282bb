//! The agent's settings: the keys of `config/agent.toml`, checked and turned into what the parts work with.

mod destination;
mod enforcement;
mod places;
mod rules;
mod unencrypted;

pub use destination::{CloudEvents, DESTINATION, Destination, Mode, Receiver, Speaks};
pub use enforcement::{ACTION, Action, Enforcement, Missed, Updates, service_name};

use crate::enforcement::gateway::GatewaySettings;
use crate::store::Bounds;
use jiff::SignedDuration;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use svm_core::files;
use svm_core::http::{Connection, Target};
use svm_core::logging::{LogFormat, LogLevel};
use svm_core::root_only::only_root_may_change;
use svm_core::settings::{
    Form, Loaded, Origins, Problem, SettingsError, Shown, choice, listed, load, present, schema, span,
};
use svm_core::subscription::{Allowance, Resource, Settings as Rules, Version};
use svm_core::tls::TlsFiles;

/// The documented defaults; the lowest layer of the settings.
pub const DEFAULTS: &str = include_str!("../../config/agent.toml");

/// The prefix of the agent's variables.
pub const PREFIX: &str = "SVM_AGENT";

/// Where more files of the settings are.
const CONF_D: &str = "/etc/svm-agent/conf.d";

/// Where the programs of actions are (`systemd/svm-agent-action@.service`).
const ACTIONS: &str = "/etc/svm-agent/actions";

/// The program of an action.
pub fn action_program(name: &str) -> PathBuf {
    Path::new(ACTIONS).join(name)
}

/// `paths.runtime_dir` as systemd makes it.
pub const RUNTIME_DIR: &str = "/run/svm-agent";

/// A file of which the first line counts, such as a version or a number, is not larger.
pub const MAX_LINE_FILE: u64 = 64 * 1024;

/// No request waits longer, whatever is set.
pub const LONGEST_TIMEOUT: SignedDuration = SignedDuration::from_secs(600);

/// Settings that were read and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the protection product.
    pub product_name: String,
    /// What the rules of the life cycle look at.
    pub rules: Rules,
    /// What must outlast a restart.
    pub state_dir: PathBuf,
    /// Permits and sockets.
    pub runtime_dir: PathBuf,
    /// Public keys of vendors.
    pub trust_dir: PathBuf,
    /// Where this machine's names are.
    pub identity: IdentitySettings,
    /// Of log lines.
    pub log_format: LogFormat,
    /// Of log lines.
    pub log_level: LogLevel,
    /// Where documents are published.
    pub source: SourceSettings,
    /// So long a wall clock far ahead has to show the same until it is obeyed.
    pub clock_dwell: SignedDuration,
    /// A file with the number of protected devices.
    pub devices_count_file: Option<PathBuf>,
    /// How long a permit is good that is not renewed.
    pub permit_max_age: SignedDuration,
    /// How resources are held to their permits.
    pub enforcement: Enforcement,
    /// When the databases are updated.
    pub updates: Updates,
    /// Where KSN is relayed to; `None` where there is no gateway.
    pub gateway: Option<GatewaySettings>,
    /// What else follows from a permit, by name.
    pub actions: BTreeMap<String, Action>,
    /// How often the whole status is sent.
    pub report_every: SignedDuration,
    /// Metrics as a file.
    pub metrics: MetricsSettings,
    /// How much is kept of events.
    pub outbox: Bounds,
    /// What waits longer is dropped.
    pub outbox_max_age: SignedDuration,
    /// Where events go.
    pub destinations: BTreeMap<String, Destination>,
    /// Every key as it was written, and where.
    pub shown: Shown,
}

/// Where what names this machine is read; `None` is not looked at.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// The machine-id of `machine-id(5)`.
    pub machine_id_file: Option<PathBuf>,
    /// The product UUID of firmware or hypervisor, which only root may read.
    pub product_uuid_file: Option<PathBuf>,
}

/// Metrics as a file, for node_exporter's textfile collector.
#[derive(Clone, Debug)]
pub struct MetricsSettings {
    /// Where it is written; `None`: nowhere.
    pub textfile: Option<PathBuf>,
    /// How often, where nothing changes.
    pub every: SignedDuration,
}

/// Where documents are published, and how to look.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// The part before `/v1/keys/`, without a slash at its end; `None` never looks.
    pub url: Option<String>,
    /// Between looks, usually.
    pub interval: SignedDuration,
    /// Between looks in the last day of a term, in grace and while restricted.
    pub urgent_interval: SignedDuration,
    /// How the connection is made.
    pub connection: Connection,
}

// The keys as they are written.

#[derive(Deserialize)]
struct Raw {
    product: RawProduct,
    paths: RawPaths,
    identity: RawIdentity,
    log: RawLog,
    source: RawSource,
    clock: RawClock,
    keys: RawKeys,
    reminders: RawReminders,
    devices: RawDevices,
    enforcement: enforcement::RawEnforcement,
    updates: enforcement::RawUpdates,
    gateway: enforcement::RawGateway,
    #[serde(default)]
    actions: BTreeMap<String, enforcement::RawAction>,
    report: RawReport,
    metrics: RawMetrics,
    outbox: RawOutbox,
    #[serde(default)]
    destinations: BTreeMap<String, destination::Raw>,
}
#[derive(Deserialize)]
struct RawProduct {
    name: String,
    version: String,
    version_file: String,
}
#[derive(Deserialize)]
struct RawPaths {
    state_dir: PathBuf,
    runtime_dir: PathBuf,
    trust_dir: PathBuf,
}
#[derive(Deserialize)]
struct RawIdentity {
    machine_id_file: String,
    product_uuid_file: String,
}
#[derive(Deserialize)]
struct RawLog {
    format: String,
    level: String,
}
#[derive(Deserialize)]
struct RawSource {
    url: String,
    interval: String,
    urgent_interval: String,
    timeout: String,
    ca_file: String,
    proxy: String,
}
#[derive(Deserialize)]
struct RawClock {
    dwell: String,
}
#[derive(Deserialize)]
struct RawKeys {
    promote_reserve_on_lapse: bool,
}
#[derive(Deserialize)]
struct RawReminders {
    before_end_days: Vec<u32>,
    before_grace_end_days: Vec<u32>,
    before_paid_until_days: Vec<u32>,
    expiring_status_days: u32,
}
#[derive(Deserialize)]
struct RawDevices {
    count_file: String,
}
#[derive(Deserialize)]
struct RawReport {
    every: String,
}
#[derive(Deserialize)]
struct RawMetrics {
    textfile: String,
    every: String,
}
#[derive(Deserialize)]
struct RawOutbox {
    history: u32,
    max_megabytes: u64,
    max_age: String,
}

/// The files of an installed agent that are there, in the order in which they are read. Only what is absent is passed
/// over.
///
/// # Errors
/// A folder that cannot be listed, by name.
pub fn installed_files() -> Result<Vec<PathBuf>, SettingsError> {
    let etc = Path::new("/etc/svm-agent");
    let mut files = listed(Path::new("/usr/lib/svm-agent"))?;
    files.extend(present([etc.join("agent.toml")]));
    files.extend(listed(Path::new(CONF_D))?);
    Ok(files)
}

/// The form of all of them.
fn form() -> Result<Form, toml::de::Error> {
    Form::new(DEFAULTS, &[("destinations", DESTINATION), ("actions", ACTION)], rules::RULES)
}

/// The form of all of them as JSON Schema.
pub fn json_schema() -> serde_json::Value {
    // A test reads the defaults; there is no other case.
    form().map(|form| schema(&form, "svm-agent.schema.json", "Settings of svm-agent")).unwrap_or_default()
}

impl Settings {
    /// Reads and checks the settings. `files` are read in order; `environment` is looked through for variables.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn read(
        files: &[PathBuf],
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, SettingsError> {
        let form = form().map_err(|e| {
            SettingsError(vec![Problem { place: "built-in defaults".to_owned(), message: e.to_string() }])
        })?;
        let Loaded { settings: raw, origins, shown, problems, wrong } =
            load::<Raw>(&form, files, PREFIX, environment)?;
        let mut check = Check { origins: &origins, problems, wrong };
        let settings = check.settings(raw, shown);
        match settings {
            Some(settings) if check.problems.is_empty() => Ok(settings),
            _ => Err(SettingsError(check.problems)),
        }
    }
    /// What decides whom the agent trusts and what runs for it, with what each is: none of these may be changed by others
    /// ([`svm_core::root_only`]). The files of the settings themselves are checked when they are read.
    pub fn governing(&self) -> Vec<(String, PathBuf)> {
        let mut governing = vec![
            ("keys of trusted providers".to_owned(), self.trust_dir.clone()),
            ("settings".to_owned(), PathBuf::from(CONF_D)),
        ];
        governing.extend(
            self.actions.keys().map(|name| (format!("program of the action {name}"), action_program(name))),
        );
        let mut add = |key: String, file: &Option<PathBuf>| {
            governing.extend(file.clone().map(|file| (format!("`{key}`"), file)));
        };
        add("source.ca_file".to_owned(), &self.source.connection.tls.ca_file);
        for (destination, settings) in &self.destinations {
            for (key, file) in settings.files().into_iter().filter(|(key, _)| *key == "ca_file") {
                add(format!("destinations.{destination}.{key}"), file);
            }
        }
        governing
    }

    /// Which of [`Self::governing`] others may change, as sentences.
    pub fn exposed(&self) -> Vec<String> {
        let of = |(what, path): (String, PathBuf)| {
            let exposed = only_root_may_change(&path).err()?;
            Some(format!("{what}: others may change {}: {exposed}", path.display()))
        };
        self.governing().into_iter().filter_map(of).collect()
    }

    /// Files that the settings name and that cannot be read now, by key. They are read when they are needed, by
    /// whoever needs them: not everyone who may ask for the status may read a token.
    pub fn unreadable(&self) -> Vec<String> {
        let mut unreadable = Vec::new();
        let mut look = |key: String, file: &Option<PathBuf>| {
            if let Some(file) = file.as_deref()
                && let Err(error) = files::open_regular(file)
            {
                unreadable.push(format!("`{key}`: cannot read {}: {error}", file.display()));
            }
        };
        look("source.ca_file".to_owned(), &self.source.connection.tls.ca_file);
        look("devices.count_file".to_owned(), &self.devices_count_file);
        for (destination, settings) in &self.destinations {
            for (key, file) in settings.files() {
                look(format!("destinations.{destination}.{key}"), file);
            }
        }
        unreadable
    }
}

struct Check<'a> {
    origins: &'a Origins,
    problems: Vec<Problem>,
    /// Keys that have a problem of form already.
    wrong: BTreeSet<String>,
}

fn article(noun: &str) -> String {
    let an = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if an { "an" } else { "a" })
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

impl Check<'_> {
    /// Notes what is wrong with a key, and goes on without it. What follows from another problem of the same key is none.
    fn take<T, E: std::fmt::Display>(&mut self, key: &str, value: Result<T, E>) -> Option<T> {
        let known = self.wrong.contains(key);
        value
            .map_err(|error| {
                if !known {
                    self.problems.push(self.origins.problem(key, error))
                }
            })
            .ok()
    }

    /// Reads each item of a list, and notes what is wrong with it at its own line.
    fn items<T, E: std::fmt::Display>(
        &mut self,
        key: &str,
        texts: &[String],
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let all: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| self.take(&format!("{key}[{at}]"), read(text)))
            .collect();
        all.into_iter().collect()
    }

    fn settings(&mut self, raw: Raw, shown: Shown) -> Option<Settings> {
        self.places(&raw);
        let version = self.product_version(&raw.product);
        let before_end =
            self.take("reminders.before_end_days", Rules::reminder_list(raw.reminders.before_end_days));
        let before_grace_end = self.take(
            "reminders.before_grace_end_days",
            Rules::reminder_list(raw.reminders.before_grace_end_days),
        );
        let before_paid_until = self.take(
            "reminders.before_paid_until_days",
            Rules::reminder_list(raw.reminders.before_paid_until_days),
        );
        let expiring = raw.reminders.expiring_status_days;
        let expiring = self.take(
            "reminders.expiring_status_days",
            (expiring <= 3650).then_some(expiring).ok_or("must be 0 to 3650 days"),
        );
        let updates_at_most = self.at_most(
            "enforcement.database_updates_after_grace",
            Resource::DatabaseUpdates,
            &raw.enforcement.database_updates_after_grace,
        );
        let ksn =
            self.at_most("enforcement.ksn_after_grace", Resource::Ksn, &raw.enforcement.ksn_after_grace);
        let source = self.source(raw.source);
        let clock_dwell = self.span("clock.dwell", &raw.clock.dwell, 1, 86_400);
        let formats = [
            ("auto", LogFormat::Auto),
            ("plain", LogFormat::Plain),
            ("json", LogFormat::Json),
            ("journal", LogFormat::Journal),
        ];
        let log_format = self.take("log.format", choice(&raw.log.format, &formats));
        let levels = [
            ("error", LogLevel::Error),
            ("warn", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
        ];
        let log_level = self.take("log.level", choice(&raw.log.level, &levels));
        let permit_max_age =
            self.span("enforcement.permit_max_age", &raw.enforcement.permit_max_age, 60, 30 * 86_400);
        let report_every = self.span("report.every", &raw.report.every, 60, 7 * 86_400);
        let metrics = self.metrics(&raw.metrics);
        let megabytes = raw.outbox.max_megabytes;
        let megabytes = self.take(
            "outbox.max_megabytes",
            (1..=100_000).contains(&megabytes).then_some(megabytes).ok_or("must be 1 to 100000"),
        );
        let max_age = self.span("outbox.max_age", &raw.outbox.max_age, 86_400, 3650 * 86_400);
        let mut destinations = BTreeMap::new();
        for (name, raw) in raw.destinations {
            let key = format!("destinations.{name}");
            self.name(&key, &name, "destination");
            if let Some(destination) = self.destination(&key, raw) {
                destinations.insert(name, destination);
            }
        }
        let enforcement = self.enforcement(&raw.enforcement);
        let updates = self.updates(raw.updates);
        if let (Some(enforcement), Some(updates)) = (&enforcement, &updates) {
            self.no_protection(enforcement, updates);
        }
        let gateway = self.gateway(raw.gateway);
        let actions = self.actions(raw.actions);
        let mut rules = Rules::new(version?);
        rules.reminder_days = before_end?;
        rules.grace_reminder_days = before_grace_end?;
        rules.paid_reminder_days = before_paid_until?;
        rules.expiring_status_days = expiring?;
        rules.promote_reserve_on_lapse = raw.keys.promote_reserve_on_lapse;
        rules.database_updates_at_most = updates_at_most?;
        rules.ksn_at_most = ksn?;
        rules.enforcement_is_proved = true;
        Some(Settings {
            product_name: raw.product.name,
            rules,
            state_dir: raw.paths.state_dir,
            runtime_dir: raw.paths.runtime_dir,
            trust_dir: raw.paths.trust_dir,
            identity: IdentitySettings {
                machine_id_file: path(&raw.identity.machine_id_file),
                product_uuid_file: path(&raw.identity.product_uuid_file),
            },
            log_format: log_format?,
            log_level: log_level?,
            source: source?,
            clock_dwell: clock_dwell?,
            devices_count_file: path(&raw.devices.count_file),
            permit_max_age: permit_max_age?,
            enforcement: enforcement?,
            updates: updates?,
            gateway: gateway?,
            actions,
            report_every: report_every?,
            metrics: metrics?,
            outbox: Bounds { history: raw.outbox.history, bytes: megabytes? * 1_000_000 },
            outbox_max_age: max_age?,
            destinations,
            shown,
        })
    }

    fn metrics(&mut self, raw: &RawMetrics) -> Option<MetricsSettings> {
        let textfile = path(&raw.textfile);
        let fits = textfile
            .as_deref()
            .is_none_or(|file| file.is_absolute() && file.extension().is_some_and(|end| end == "prom"));
        let wrong = "must be an absolute path that ends in .prom: node_exporter reads no other files";
        let textfile = self.take("metrics.textfile", fits.then_some(textfile).ok_or(wrong));
        let every = self.span("metrics.every", &raw.every, 10, 86_400);
        Some(MetricsSettings { textfile: textfile?, every: every? })
    }

    fn product_version(&mut self, raw: &RawProduct) -> Option<Version> {
        let Some(file) = path(&raw.version_file) else {
            return self.take("product.version", raw.version.parse());
        };
        let line = files::read_text_bounded(&file, MAX_LINE_FILE)
            .map_err(|e| format!("cannot read {}: {e}", file.display()))
            .map(|text| text.lines().next().unwrap_or_default().trim().to_owned());
        let line = self.take("product.version_file", line)?;
        // What stands there instead may be a secret of another file.
        let wrong = || {
            format!(
                "the first line of {} is not a version: numbers separated by dots, such as 6.1",
                file.display()
            )
        };
        self.take("product.version_file", line.parse().map_err(|_: String| wrong()))
    }

    /// Whether a table's name is one that files, units and variables can have.
    fn name(&mut self, key: &str, name: &str, what: &str) {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
            let message = format!("the name of {} is 1 to 40 letters, digits, - and _", article(what));
            self.take::<(), _>(key, Err(message));
        }
    }

    fn at_most(&mut self, key: &str, resource: Resource, text: &str) -> Option<Option<Allowance>> {
        let unit = match resource {
            Resource::DatabaseUpdates => "/day",
            Resource::Ksn => "/minute",
        };
        let rate = || text.strip_suffix(unit)?.trim().parse::<u64>().ok().filter(|n| *n > 0);
        let value = match text {
            "vendor" => Ok(None),
            "stop" => Ok(Some(Allowance::Stop)),
            _ => rate()
                .map(|n| Some(Allowance::Rate(n)))
                .ok_or_else(|| format!("must be \"vendor\", \"stop\" or such as \"1{unit}\"")),
        };
        self.take(key, value)
    }

    fn span(&mut self, key: &str, text: &str, least: i64, most: i64) -> Option<SignedDuration> {
        let span = self.take(key, span(text))?;
        let fits = (least..=most).contains(&span.as_secs());
        let range = format!(
            "must be from {:#} to {:#}",
            SignedDuration::from_secs(least),
            SignedDuration::from_secs(most)
        );
        self.take(key, fits.then_some(span).ok_or(range))
    }

    /// An address to which requests go as it stands.
    fn url(&mut self, key: &str, text: &str) -> Option<String> {
        self.take(key, Target::parse(text).map(|_| text.to_owned()))
    }

    /// An address to which a path is put, or of which the host counts alone. A slash at its end means nothing.
    fn base(&mut self, key: &str, text: &str) -> Option<String> {
        let bare = match text.contains(['?', '#']) {
            true => Err("must end with the host or its path: nothing may follow behind `?` or `#`"),
            false => Ok(()),
        };
        self.take(key, bare)?;
        self.url(key, text.trim_end_matches('/'))
    }

    fn connection(&mut self, key: &str, timeout: &str, tls: TlsFiles, proxy: &str) -> Option<Connection> {
        let timeout = self.span(&format!("{key}.timeout"), timeout, 1, LONGEST_TIMEOUT.as_secs());
        let proxy = match proxy {
            "" => Some(None),
            proxy => self.base(&format!("{key}.proxy"), proxy).map(Some),
        };
        Some(Connection { timeout: timeout?.unsigned_abs(), tls, proxy: proxy? })
    }

    fn source(&mut self, raw: RawSource) -> Option<SourceSettings> {
        let url = match raw.url.as_str() {
            "" => Some(None),
            url => self.base("source.url", url).map(Some),
        };
        let interval = self.span("source.interval", &raw.interval, 1, 7 * 86_400);
        let urgent = self.span("source.urgent_interval", &raw.urgent_interval, 1, 86_400);
        let connection = TlsFiles { ca_file: path(&raw.ca_file), ..TlsFiles::default() };
        let connection = self.connection("source", &raw.timeout, connection, &raw.proxy);
        Some(SourceSettings {
            url: url?,
            interval: interval?,
            urgent_interval: urgent?,
            connection: connection?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.toml");
        std::fs::write(&file, text).unwrap();
        Settings::read(&[file], [])
            .map_err(|e| e.to_string().replace(&format!("{}/", folder.path().display()), ""))
    }

    #[test]
    fn what_goes_unencrypted_is_told() {
        let of = |text: &str| read(text).unwrap().unencrypted();
        let destination = |url: &str| format!("[destinations.a]\nurl = \"{url}\"\n");
        for (text, told) in [
            ("[source]\nurl = \"http://vendor.example\"\n".to_owned(), "`source.url`: documents"),
            (
                destination("http://10.0.0.1/") + "token_file = \"/t\"\n",
                "`destinations.a.token_file`: the token goes unencrypted to 10.0.0.1:80",
            ),
            (
                destination("http://h:8080/in?sig=planted"),
                "`destinations.a.url`: what stands behind `?` goes unencrypted to h:8080",
            ),
            (
                destination("http://localhost/") + "certificate_file = \"/c\"\nkey_file = \"/k\"\n",
                "shown to nobody",
            ),
            (
                destination("tcp://h:514")
                    + "kind = \"syslog\"\ncertificate_file = \"/c\"\nkey_file = \"/k\"\n",
                "shown to nobody",
            ),
        ] {
            let found = of(&text);
            assert!(
                found.len() == 1 && found[0].contains(told) && !found[0].contains("planted"),
                "{found:?}"
            );
        }
        for quiet in [
            "[source]\nurl = \"https://vendor.example\"\n".to_owned(),
            "[source]\nurl = \"http://127.0.0.1:8080\"\n".to_owned(),
            destination("http://[::1]/?a=b") + "token_file = \"/t\"\n",
            destination("https://h/?a=b")
                + "token_file = \"/t\"\ncertificate_file = \"/c\"\nkey_file = \"/k\"\n",
            destination("http://10.0.0.1/"),
        ] {
            assert_eq!(of(&quiet), [""; 0], "{quiet}");
        }
    }

    #[test]
    fn an_address_is_taken_as_it_stands_and_a_base_loses_its_slash() {
        for url in
            ["http://h/hooks/svm/", "https://h/?token=c2Vj/", "http://h", "http://h/p?", "http://h/a/../B//"]
        {
            let settings = read(&format!("[destinations.a]\nurl = \"{url}\"\n")).unwrap();
            let Speaks::CloudEvents(settings) = &settings.destinations["a"].speaks else { panic!() };
            assert_eq!(settings.url.whole(), url);
        }
        let settings = read("[source]\nurl = \"https://h/docs//\"\nproxy = \"http://p:3128/\"\n").unwrap();
        assert_eq!(settings.source.url.as_deref(), Some("https://h/docs"));
        assert_eq!(settings.source.connection.proxy.as_deref(), Some("http://p:3128"));
        for key in ["destinations.a.url", "source.url", "source.proxy"] {
            let (table, key) = key.rsplit_once('.').unwrap();
            let told = read(&format!("[{table}]\n{key} = \"https://h/p#planted\"\n")).unwrap_err();
            assert!(told.contains('#') && !told.contains("planted"), "{told}");
        }
    }

    #[test]
    fn the_documented_defaults_are_settings() {
        let settings = Settings::read(&[], []).unwrap();
        let rules = Rules { enforcement_is_proved: true, ..Rules::new("6.1.0".parse().unwrap()) };
        assert_eq!(settings.rules, rules);
        assert_eq!(settings.permit_max_age.as_hours(), 7 * 24);
        assert!(settings.source.url.is_none() && settings.destinations.is_empty());
    }

    #[test]
    fn the_schema_in_the_documentation_is_that_of_the_settings() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/svm-agent.schema.json");
        let schema = format!("{:#}\n", json_schema());
        if std::env::var_os("SVM_WRITE_DOCS").is_some() {
            std::fs::write(file, &schema).unwrap();
        }
        let written = std::fs::read_to_string(file).unwrap_or_default();
        assert!(written == schema, "write it anew: SVM_WRITE_DOCS=1 cargo test --lib the_schema");
    }

    #[test]
    fn what_is_documented_as_a_comment_has_every_key_with_its_default() {
        let shown = |header: &str| {
            let lines = DEFAULTS.lines().skip_while(|line| *line != header).skip(1);
            let lines =
                lines.take_while(|line| line.starts_with('#')).filter_map(|line| line.strip_prefix("# "));
            let text: String = lines
                .filter(|l| !l.starts_with('#') && l.contains(" = "))
                .map(|l| format!("{l}\n"))
                .collect();
            toml::from_str::<toml::Table>(&text).unwrap()
        };
        for (header, needed, keys) in
            [("# [destinations.console]", "url", DESTINATION), ("# [actions.kesl-ksn]", "resource", ACTION)]
        {
            let mut shown = shown(header);
            shown.insert(needed.into(), "".into());
            assert_eq!(shown, toml::from_str(keys).unwrap(), "{header}");
        }
    }

    #[test]
    fn impossible_values_are_named_with_their_line_all_at_once() {
        let text = "[product]\nversion = \"six\"\n[reminders]\nbefore_end_days = [0]\n[source]\nurl = \"ftp://x\"\n\
                    interval = \"0s\"\n[enforcement]\nksn_after_grace = \"1/day\"\n[destinations.a]\nurl = \"http://u:p@h/\"\n\
                    receiver = \"me\"\n[log]\nlevle = 1\n";
        let told = read(text).unwrap_err();
        for line in [
            "agent.toml:2: `product.version`: `six` is not a version",
            "agent.toml:4: item 1 of `reminders.before_end_days`: must be 1 to 3650, not 0",
            "agent.toml:6: `source.url`: must begin",
            "agent.toml:7: `source.interval`: must be from 1s",
            "agent.toml:9: `enforcement.ksn_after_grace`: must be \"vendor\"",
            "agent.toml:11: `destinations.a.url`: must not hold a name",
            "agent.toml:12: `destinations.a.receiver`: must be \"svm-collector\" or \"generic\", not \"me\"",
            "agent.toml:14: unknown key `levle`; did you mean `level`?",
        ] {
            assert!(told.contains(line), "{line}\nnot in\n{told}");
        }
        assert_eq!(told.lines().count(), 8, "{told}");
        for key in ["url", "proxy"] {
            let told = read(&format!("[source]\n{key} = \"https://h/?token=planted\"\n")).unwrap_err();
            assert!(told.contains("nothing may follow") && !told.contains("planted"), "{told}");
        }
        let text = "[enforcement]\ngoverns = [\"updates\"]\nwhen_agent_is_down = \"full\"\n[updates]\n\
                    schedule = [\"0 0 3 * * *\", \"0 3 31 2 *\"]\ntime_zone = \"Europe/Berln\"\nunit = \"la-scanserver\"\n\
                    [gateway]\nlisten = \"0.0.0.0:13111\"\nupstreams = [\"http://ksn\"]\n[actions.\"a b\"]\nresource = \"KSN\"\n";
        let told = read(text).unwrap_err();
        for line in [
            "agent.toml:2: item 1 of `enforcement.governs`: must be \"database-updates\" or \"ksn\", not \"updates\"",
            "agent.toml:3: `enforcement.when_agent_is_down`: must be \"last\" or \"stopped\"",
            "agent.toml:5: `updates.schedule`: ",
            "agent.toml:6: `updates.time_zone`: ",
            "did you mean \"Europe/Berlin\"?",
            "agent.toml:7: `updates.unit`: must be the name of a service",
            "did you mean \"la-scanserver.service\"?",
            "agent.toml:9: `gateway.listen`: must be an address of the loopback",
            "agent.toml:10: `gateway.upstreams`: ",
            "the name of an action is 1 to 40 letters",
            "agent.toml:12: `actions.a b.resource`: must be \"database-updates\" or \"ksn\"",
        ] {
            assert!(told.contains(line), "{line}\nnot in\n{told}");
        }
        let protection = read("[updates]\nunit = \"kesl.service\"\n").unwrap_err();
        assert!(
            protection.contains("agent.toml:2: `updates.unit`: is a unit of the protection"),
            "{protection}"
        );
        assert!(
            read("[destinations.x]\n")
                .unwrap_err()
                .contains("agent.toml:1: `destinations.x.url`: is missing")
        );
    }
}
