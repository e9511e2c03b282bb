//! The collector's settings: every key, its default and its bounds.
//!
//! Promises: what [`Settings::check`] lets pass can be run. `config/collector.toml` lists the same keys; a
//! test holds the two together.

use serde::{Deserialize, Deserializer, Serialize};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use svm_core::error_chain::Chain;
use svm_core::files;
use svm_core::logging::{LogFormat, LogLevel};
use svm_core::settings::{self, Form, Loaded, Origins, Problem, Rule, Rules, SettingsError, Shown};

/// The documented defaults; the lowest layer of the settings.
const DEFAULTS: &str = include_str!("../../../config/collector.toml");

/// Where settings are read from when the command line names no file.
pub const DEFAULT_FILE: &str = "/etc/svm-collector/collector.toml";

/// What may stand at a key.
const RULES: Rules = &[
    ("store.keep_days", Rule::Range(1, 36_500)),
    ("store.keep_report_days", Rule::Range(1, 36_500)),
    ("store.max_gigabytes", Rule::Range(1, 1_000_000)),
    ("store.max_source_megabytes", Rule::Range(8, 1_000_000)),
    ("store.max_sources", Rule::Range(1, 10_000_000)),
    ("svms.silent_after_minutes", Rule::Range(1, 5_256_000)),
    ("limits.connections", Rule::Range(1, 65_536)),
    ("limits.connections_each", Rule::Range(1, 65_536)),
    ("limits.live_readers", Rule::Range(1, 4096)),
    ("limits.live_readers_each", Rule::Range(1, 4096)),
    ("limits.bodies_mib", Rule::Range(8, 1024)),
    ("limits.answers_mib", Rule::Range(8, 1024)),
    ("limits.query_timeout_seconds", Rule::Range(1, 3600)),
    ("limits.header_timeout_seconds", Rule::Range(1, 3600)),
    ("limits.body_timeout_seconds", Rule::Range(1, 3600)),
    ("limits.write_timeout_seconds", Rule::Range(1, 3600)),
    ("page.open_to", Rule::OneOf(&["loopback", "readers", "all"])),
    ("log.format", Rule::OneOf(&["auto", "plain", "json", "journal"])),
    ("log.level", Rule::OneOf(&["error", "warn", "info", "debug"])),
];

/// All settings of the collector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port to listen on.
    #[serde(deserialize_with = "address_and_port")]
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

fn address_and_port<'de, D: Deserializer<'de>>(text: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(text)?;
    text.parse().map_err(|_| {
        let found = settings::quoted(&text, MAX_SHOWN);
        serde::de::Error::custom(format!(
            "must be an IP address and a port, such as \"127.0.0.1:8480\" or \"[::]:8480\", not {found}"
        ))
    })
}

/// How much of a wrong value is shown, in characters.
const MAX_SHOWN: usize = 80;

impl Settings {
    /// Reads the files in order, then the environment (`SVM_COLLECTOR__SECTION__KEY`), and checks the outcome.
    ///
    /// # Errors
    /// Everything that is wrong, at once, with file and line.
    pub fn load(
        files: &[PathBuf],
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, SettingsError> {
        Self::load_shown(files, environment).map(|(settings, _)| settings)
    }

    /// As [`Settings::load`], with every key, its value and where it is set.
    ///
    /// # Errors
    /// As there.
    pub fn load_shown(
        files: &[PathBuf],
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(Self, Shown), SettingsError> {
        let form = Form::new(DEFAULTS, &[], RULES).map_err(|e| {
            SettingsError(vec![Problem { place: "built-in defaults".to_owned(), message: e.to_string() }])
        })?;
        let Loaded { settings, origins, shown, mut problems, .. }: Loaded<Self> =
            settings::load(&form, files, "SVM_COLLECTOR", environment)?;
        if let Err(SettingsError(wrong)) = settings.check(&origins) {
            problems.extend(wrong);
        }
        if problems.is_empty() { Ok((settings, shown)) } else { Err(SettingsError(problems)) }
    }

    /// What keeps a collector with these settings from running now, each with the way out.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.tokens.required
            && let Err(error) = files::open_regular(&self.tokens.file)
        {
            remarks.push(format!(
                "tokens.file: cannot read {}: {}; `svm-collector token` makes a token and its line for this file",
                self.tokens.file.display(),
                Chain(&error)
            ));
        }
        if let Some(folder) = self.store.path.parent().filter(|folder| !folder.as_os_str().is_empty())
            && !folder.is_dir()
        {
            remarks.push(format!("store.path: the folder {} does not exist; create it", folder.display()));
        }
        // A collector that runs already has it.
        if let Err(error) = std::net::TcpListener::bind(self.listen) {
            remarks.push(format!(
                "listen: cannot listen on {}: {}; is another collector running?",
                self.listen,
                Chain(&error)
            ));
        }
        remarks
    }

    /// Checks values that fit the form but cannot be used; `origins` says where each came from.
    ///
    /// # Errors
    /// All of them.
    pub fn check(&self, origins: &Origins) -> Result<(), SettingsError> {
        let mut wrong = Vec::new();
        if !self.tokens.required && !self.listen.ip().is_loopback() {
            let problem = format!(
                "must be true while listen is {}: without tokens anyone may send events, which is allowed on a \
                 loopback address only",
                self.listen
            );
            wrong.push(origins.problem("tokens.required", problem));
        }
        for name in &self.hosts {
            if super::hosts::host_name(name).is_none_or(|plain| plain != *name) {
                let problem = format!(
                    "must be names as in a browser's address line, in lower case, without scheme, port and path, not {}",
                    settings::quoted(name, MAX_SHOWN)
                );
                wrong.push(origins.problem("hosts", problem));
            }
        }
        if self.page.open_to == OpenTo::Readers && self.page.readers_file.as_os_str().is_empty() {
            let problem = "is \"readers\", so page.readers_file must name the file with their tokens; otherwise nobody could read";
            wrong.push(origins.problem("page.open_to", problem));
        }
        if self.store.path.file_name().is_none() {
            wrong.push(origins.problem("store.path", "must be the path of a file"));
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
        let wrong = settings.check(&Origins::default()).unwrap_err().0;
        assert_eq!(wrong.len(), 1, "{wrong:?}");
    }

    #[test]
    fn wrong_values_are_named_with_their_line_and_what_is_expected() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("collector.toml");
        let text = "listen = \"x\"\n[page]\nopen_to = \"nobody\"\n[store]\nkeep_days = 0\n[limits]\nbodies_mib = -1\n";
        std::fs::write(&file, text).unwrap();
        let problems = Settings::load(std::slice::from_ref(&file), []).unwrap_err().to_string();
        for (line, says) in [
            (
                1,
                "`listen`: must be an IP address and a port, such as \"127.0.0.1:8480\" or \"[::]:8480\", not \"x\"",
            ),
            (3, "`page.open_to`: must be \"loopback\", \"readers\" or \"all\", not \"nobody\""),
            (5, "`store.keep_days`: must be 1 to 36500, not 0"),
            (7, "`limits.bodies_mib`: must be 8 to 1024, not -1"),
        ] {
            let expected = format!("{}:{line}: {says}", file.display());
            assert!(problems.lines().any(|line| line == expected), "{expected}\n{problems}");
        }
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
