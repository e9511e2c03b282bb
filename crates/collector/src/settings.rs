//! The collector's settings: every key, its default and its bounds.
//!
//! Promises: what [`Settings::check`] lets pass can be run. `config/collector.toml` lists the same keys; a
//! test holds the two together.

use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use svm_core::files;
use svm_core::logging::{LogFormat, LogLevel};
use svm_core::settings::{self, Form, Loaded, Origins, Problem, Rule, Rules, SettingsError};

/// The documented defaults; the lowest layer of the settings.
const DEFAULTS: &str = include_str!("../../../config/collector.toml");

/// Where settings are read from when the command line names no file.
pub const DEFAULT_FILE: &str = "/etc/svm-collector/collector.toml";

/// What texts may stand at a key; numbers are looked at in [`Settings::check`].
const RULES: Rules = &[
    ("page.open_to", Rule::OneOf(&["loopback", "readers", "all"])),
    ("log.format", Rule::OneOf(&["auto", "plain", "json", "journal"])),
    ("log.level", Rule::OneOf(&["error", "warn", "info", "debug"])),
];

/// All settings of the collector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Names it answers to, beside IP addresses, `localhost` and this machine's own name.
    pub hosts: Vec<String>,
    /// Where events are kept.
    pub store: StoreSettings,
    pub tokens: TokenSettings,
    /// How the fleet is judged.
    pub svms: SvmSettings,
    pub page: PageSettings,
    /// What one client may take.
    pub limits: Limits,
    /// How log lines look.
    pub log: LogSettings,
}

/// Where events are kept, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    pub path: PathBuf,
    /// Days an event is kept.
    pub keep_days: u32,
    /// Days an `svm.agent.report` is kept; the latest of each SVM stays.
    pub keep_report_days: u32,
    /// Gigabytes (10^9) that the file may have; the oldest events are removed.
    pub max_gigabytes: u32,
    /// Megabytes (10^6) that the events of one source may have; its oldest events are removed.
    pub max_source_megabytes: u32,
    /// Sources at most; events of more are refused.
    pub max_sources: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSettings {
    /// Whether a sender must show a token. `false` is for a trial, and only on a loopback address.
    pub required: bool,
    /// The file of token hashes.
    pub file: PathBuf,
}

/// How the fleet is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SvmSettings {
    /// Minutes without contact after which an SVM is Critical, `not_connected`.
    pub silent_after_minutes: u32,
}

/// Who may read the page and the reading part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenTo {
    /// Programs on the same machine, unless they pass on what others ask; and who shows a reading token.
    Loopback,
    /// Only who shows a reading token.
    Readers,
    /// Everyone who can reach the port.
    All,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PageSettings {
    /// Who may read the page and the reading part of the API.
    pub open_to: OpenTo,
    /// The file of hashes of reading tokens, such as that of a web server in front. Empty: there are none.
    pub readers_file: PathBuf,
}

/// What one client, and all together, may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at once. Idle ones make room for new ones.
    pub connections: u32,
    /// Of these, at most so many from one address that is not loopback.
    pub connections_each: u32,
    /// Readers of live events at once.
    pub live_readers: u32,
    /// Of these, at most so many from one address.
    pub live_readers_each: u32,
    /// Mebibytes of request bodies held at once.
    pub bodies_mib: u32,
    /// Mebibytes of answers held at once.
    pub answers_mib: u32,
    /// Seconds that a question to the store may take.
    pub query_timeout_seconds: u32,
    /// Seconds for the head of a request, and for which an idle connection is kept.
    pub header_timeout_seconds: u32,
    /// Seconds for the body of a request.
    pub body_timeout_seconds: u32,
    /// Seconds after which a client that takes nothing of its answer, or less than 2 KiB a second, is cut.
    pub write_timeout_seconds: u32,
}

/// How log lines look.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// Plain or JSON.
    pub format: LogFormat,
    /// The least severe lines that are written.
    pub level: LogLevel,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8480)),
            hosts: Vec::new(),
            store: StoreSettings::default(),
            tokens: TokenSettings::default(),
            svms: SvmSettings::default(),
            page: PageSettings::default(),
            limits: Limits::default(),
            log: LogSettings::default(),
        }
    }
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            path: "/var/lib/svm-collector/collector.db".into(),
            keep_days: 365,
            keep_report_days: 14,
            max_gigabytes: 20,
            max_source_megabytes: 200,
            max_sources: 100_000,
        }
    }
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self { required: true, file: "/etc/svm-collector/tokens".into() }
    }
}

impl Default for SvmSettings {
    fn default() -> Self {
        Self { silent_after_minutes: 180 }
    }
}

impl Default for PageSettings {
    fn default() -> Self {
        Self { open_to: OpenTo::Loopback, readers_file: PathBuf::new() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_each: 128,
            live_readers: 64,
            live_readers_each: 16,
            bodies_mib: 64,
            answers_mib: 64,
            query_timeout_seconds: 5,
            header_timeout_seconds: 60,
            body_timeout_seconds: 30,
            write_timeout_seconds: 30,
        }
    }
}

impl Settings {
    /// Reads the files in order, then the environment (`SVM_COLLECTOR__SECTION__KEY`), and checks the outcome.
    ///
    /// # Errors
    /// Everything that is wrong, at once, with file and line.
    pub fn load(
        files: &[PathBuf],
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, SettingsError> {
        let form = Form::new(DEFAULTS, &[], RULES).map_err(|e| {
            SettingsError(vec![Problem { place: "built-in defaults".to_owned(), message: e.to_string() }])
        })?;
        let Loaded { settings, origins, mut problems, .. }: Loaded<Self> =
            settings::load(&form, files, "SVM_COLLECTOR", environment)?;
        if let Err(SettingsError(wrong)) = settings.check(&origins) {
            problems.extend(wrong);
        }
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError(problems)) }
    }

    /// What keeps a collector with these settings from running now.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.tokens.required
            && let Err(error) = files::open_regular(&self.tokens.file)
        {
            remarks.push(format!("tokens.file: cannot read {}: {error}", self.tokens.file.display()));
        }
        if let Some(folder) = self.store.path.parent().filter(|folder| !folder.as_os_str().is_empty())
            && !folder.is_dir()
        {
            remarks.push(format!("store.path: there is no folder {}", folder.display()));
        }
        // A collector that runs already has it.
        if let Err(error) = std::net::TcpListener::bind(self.listen) {
            remarks.push(format!(
                "listen: cannot listen on {}: {error}; does a collector run already?",
                self.listen
            ));
        }
        remarks
    }

    /// Looks for values that cannot be; `origins` says where each came from.
    ///
    /// # Errors
    /// All of them.
    pub fn check(&self, origins: &Origins) -> Result<(), SettingsError> {
        let limits = &self.limits;
        let mut wrong: Vec<Problem> = [
            ("store.keep_days", self.store.keep_days, 1, 36_500),
            ("store.keep_report_days", self.store.keep_report_days, 1, 36_500),
            ("store.max_gigabytes", self.store.max_gigabytes, 1, 1_000_000),
            ("store.max_source_megabytes", self.store.max_source_megabytes, 8, 1_000_000),
            ("store.max_sources", self.store.max_sources, 1, 10_000_000),
            ("svms.silent_after_minutes", self.svms.silent_after_minutes, 1, 5_256_000),
            ("limits.connections", limits.connections, 1, 65_536),
            ("limits.connections_each", limits.connections_each, 1, 65_536),
            ("limits.live_readers", limits.live_readers, 1, 4096),
            ("limits.live_readers_each", limits.live_readers_each, 1, 4096),
            ("limits.bodies_mib", limits.bodies_mib, 8, 1024),
            ("limits.answers_mib", limits.answers_mib, 8, 1024),
            ("limits.query_timeout_seconds", limits.query_timeout_seconds, 1, 3600),
            ("limits.header_timeout_seconds", limits.header_timeout_seconds, 1, 3600),
            ("limits.body_timeout_seconds", limits.body_timeout_seconds, 1, 3600),
            ("limits.write_timeout_seconds", limits.write_timeout_seconds, 1, 3600),
        ]
        .into_iter()
        .filter(|(_, value, least, most)| !(least..=most).contains(&value))
        .map(|(key, value, least, most)| {
            origins.problem(key, format!("is {value}: it must be from {least} to {most}"))
        })
        .collect();
        if !self.tokens.required && !self.listen.ip().is_loopback() {
            let problem = format!(
                "is false while listen is {}: without tokens anyone may send, so this is taken on a loopback \
                 address only",
                self.listen
            );
            wrong.push(origins.problem("tokens.required", problem));
        }
        for name in &self.hosts {
            if super::hosts::host_name(name).is_none_or(|plain| plain != *name) {
                let problem = format!(
                    "has {:?}: it must be a name as it stands in a browser's address line, in lower case, without \
                     scheme, port and path",
                    svm_core::text::clean_start(name, 80)
                );
                wrong.push(origins.problem("hosts", problem));
            }
        }
        if self.page.open_to == OpenTo::Readers && self.page.readers_file.as_os_str().is_empty() {
            let problem =
                "is \"readers\", and page.readers_file names no file of their tokens: nobody could read";
            wrong.push(origins.problem("page.open_to", problem));
        }
        if self.store.path.file_name().is_none() {
            wrong.push(origins.problem("store.path", "is not the path of a file"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(SettingsError(wrong)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_defaults_are_those_of_the_code() {
        assert_eq!(Settings::load(&[], []).unwrap(), Settings::default());
        let documented: toml::Table = toml::from_str(DEFAULTS).unwrap();
        assert_eq!(documented, toml::Table::try_from(Settings::default()).unwrap());
    }

    #[test]
    fn without_tokens_only_on_loopback() {
        let mut settings = Settings::default();
        settings.tokens.required = false;
        assert!(settings.check(&Origins::default()).is_ok());
        settings.listen = "0.0.0.0:8480".parse().unwrap();
        settings.limits.connections = 0;
        let wrong = settings.check(&Origins::default()).unwrap_err().0;
        assert_eq!(wrong.len(), 2, "{wrong:?}");
    }

    #[test]
    fn names_are_plain_and_readers_have_a_file() {
        let hosts = vec!["console.example.com".to_owned(), "console".to_owned()];
        let mut settings = Settings { hosts, ..Settings::default() };
        assert!(settings.check(&Origins::default()).is_ok());
        for name in
            ["https://a.example", "a.example:8480", "a.example/x", "A.example", "a.example.", "", "a b", "*"]
        {
            settings.hosts = vec![name.to_owned()];
            assert!(settings.check(&Origins::default()).is_err(), "{name}");
        }
        settings.hosts.clear();
        settings.page.open_to = OpenTo::Readers;
        assert!(settings.check(&Origins::default()).is_err());
        settings.page.readers_file = "/etc/svm-collector/readers".into();
        assert!(settings.check(&Origins::default()).is_ok());
    }
}
