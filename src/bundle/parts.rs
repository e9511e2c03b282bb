//! Gathers what is in a bundle.

use super::machine;
use super::redact::{REMOVED, Redacted, Redactor};
use crate::config::{Destination, Settings};
use crate::control::SocketKind;
use crate::control::client::ask_within;
use crate::doctor;
use crate::gates::units::installed;
use crate::permits::permit_file;
use crate::storage::newest_events;
use crate::systemd::systemctl;
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use svm_core::clock::Clock;
use svm_core::error_chain::Chain;
use svm_core::files::{read_text_bounded, read_unlinked_text};
use svm_core::secrets::SecretFile;
use svm_core::settings::SettingsError;
use svm_core::subscription::Resource;

/// How long the agent may take for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How many of the newest events a bundle has.
const MAX_EVENTS: usize = 1000;

/// How many days of the journal a bundle has.
const JOURNAL_DAYS: u16 = 7;

/// The largest permit file, layer of settings and file with a secret, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// The units of the package; the journal is asked for the same names.
const OURS: [&str; 5] = [
    "svm-agent.service",
    "svm-agent.socket",
    "svm-agent-query.socket",
    "svm-agent-identity.service",
    "svm-agent-update.service",
];

/// The events: from the agent, or from the database if it does not run.
const EVENTS: &str = "events.json";

/// Settings that name a file with a secret.
const SECRET_FILE_KEYS: [&str; 2] = ["token_file", "key_file"];

/// What is asked of each unit. Not its command lines and its environment: they may hold secrets.
const UNIT_PROPERTIES: &[&str] = &[
    "SubState",
    "UnitFileState",
    "StatusText",
    "NRestarts",
    "StateChangeTimestamp",
    "FragmentPath",
    "DropInPaths",
];

/// What no bundle has.
const NEVER: [(&str, &str); 4] = [
    ("private keys, certificates", "a private key is a secret; only names and sizes of files are listed"),
    ("tokens, passwords, queries of addresses", "they are secrets; settings are shown without them"),
    ("activation codes, key documents", "with them anybody can use the subscription"),
    ("the database, environment files", "they can hold secrets; their names and sizes are listed"),
];

/// A file of the archive.
#[derive(Debug)]
pub struct Part {
    /// Its path in the archive.
    pub name: String,
    /// What it is, in a few words.
    pub about: &'static str,
    /// What is in it.
    pub text: Redacted,
}

/// What is not in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Such as the name of a file.
    pub what: String,
    /// Why it is missing.
    pub why: String,
}

/// Everything that goes into an archive.
#[derive(Debug)]
pub struct Bundle {
    /// The files, the list of contents first.
    pub parts: Vec<Part>,
    /// What is missing, and why.
    pub left_out: Vec<LeftOut>,
    /// How many secrets were removed from texts.
    pub removed: usize,
}

/// What was found, before secrets are removed.
#[derive(Default)]
struct Found {
    parts: Vec<(String, &'static str, String)>,
    left_out: Vec<LeftOut>,
}

impl Found {
    fn add(&mut self, name: &str, about: &'static str, text: Result<String, String>) {
        match text {
            Ok(text) => self.parts.push((name.to_owned(), about, text)),
            Err(why) => match self.left_out.last_mut().filter(|last| last.why == why) {
                Some(last) => last.what.push_str(&format!(", {name}")),
                None => self.left_out.push(LeftOut { what: name.to_owned(), why }),
            },
        }
    }
}

fn pretty(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| error.to_string())
}

/// Gathers everything. `files` are the layers of settings, `read` what became of them.
///
/// # Errors
/// The system gives no runtime to wait with.
pub fn collect(
    files: &[PathBuf],
    read: Result<Settings, SettingsError>,
    clock: &Clock,
) -> std::io::Result<Bundle> {
    let mut found = Found::default();
    let shown =
        read.as_ref().map(shown_settings).map_err(|error| format!("the settings are not valid:\n{error}\n"));
    found.add(
        "settings.txt",
        "every setting with its value and origin",
        Ok(shown.unwrap_or_else(|wrong| wrong)),
    );
    let settings = read.clone().ok().or_else(|| doctor::places_of(files));
    found.add("doctor.json", "what svm-agent doctor finds", pretty(&doctor::examine(files, read)));
    if let Some(settings) = &settings {
        // Asks systemd on a runtime of its own, and a runtime cannot wait inside another one.
        let asleep = doctor::asleep(settings);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(ask_all(settings, asleep, clock, &mut found));
        runtime.shutdown_background();
        permits(settings, &mut found);
        found.add("folders.txt", "files of the agent, without their content", Ok(machine::folders(settings)));
    }
    let named =
        settings.iter().flat_map(secret_files).chain(files.iter().flat_map(|file| files_named_in(file)));
    Ok(redacted(found, Redactor::new(named.flat_map(|file| secrets_in(&file)))))
}

fn redacted(found: Found, mut redactor: Redactor) -> Bundle {
    let Found { parts, left_out } = found;
    let part = |(name, about, text): (String, &'static str, String)| Part {
        name,
        about,
        text: redactor.redact(&text),
    };
    let mut parts: Vec<Part> = parts.into_iter().map(part).collect();
    let never = NEVER.map(|(what, why)| LeftOut { what: what.to_owned(), why: why.to_owned() });
    let left_out = left_out.into_iter().map(|LeftOut { what, why }| {
        let why = redactor.redact(&why).as_str().trim_end().to_owned();
        LeftOut { what, why }
    });
    let left_out: Vec<LeftOut> = left_out.chain(never).collect();
    let removed = redactor.removed;
    let contents = redactor.redact(&contents(&parts, &left_out, removed));
    parts.insert(0, Part { name: "contents.txt".to_owned(), about: "this list", text: contents });
    Bundle { parts, left_out, removed }
}

/// The list of contents, for the reader of the archive.
fn contents(parts: &[Part], left_out: &[LeftOut], removed: usize) -> String {
    let mut text = format!("Support bundle of svm-agent {}\n\nInside:\n", env!("CARGO_PKG_VERSION"));
    for Part { name, about, text: content } in parts {
        writeln!(text, "  {name:<26} {about} ({} bytes)", content.as_str().len()).ok();
    }
    text.push_str("\nLeft out:\n");
    for LeftOut { what, why } in left_out {
        writeln!(text, "  {what}: {why}").ok();
    }
    writeln!(text, "\nSecrets removed from these texts: {removed}. Each place has {REMOVED}.").ok();
    text
}

/// Each key as `svm-agent config show` has it.
fn shown_settings(settings: &Settings) -> String {
    settings.shown.iter().fold(String::new(), |mut text, (key, value)| {
        writeln!(text, "{key} = {}  # {}", value.value, value.from).ok();
        text
    })
}

/// The files with secrets that the settings name.
fn secret_files(settings: &Settings) -> Vec<PathBuf> {
    let named = settings.destinations.values().flat_map(Destination::files);
    let secret = named.filter(|(key, _)| SECRET_FILE_KEYS.contains(key));
    secret.filter_map(|(_, file)| file.clone()).collect()
}

/// The same of one layer of settings, which may be wrong: the settings as a whole name none then.
fn files_named_in(layer: &Path) -> Vec<PathBuf> {
    let text = read_text_bounded(layer, MAX_FILE).unwrap_or_default();
    let named = text.lines().filter_map(|line| line.split_once('='));
    let secret = named.filter(|(key, _)| SECRET_FILE_KEYS.iter().any(|name| key.trim_end().ends_with(name)));
    secret.map(|(_, file)| file.trim().trim_matches(['"', '\'']).into()).collect()
}

/// The lines of a file with secrets, as far as this user may read it.
fn secrets_in(file: &Path) -> Vec<String> {
    let lines = |text: &str| {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
        Ok(lines.map(str::to_owned).collect())
    };
    let read = SecretFile::read(file, MAX_FILE).ok();
    read.and_then(|file| file.interpret_text(lines).ok()).unwrap_or_default()
}

/// Everything that other processes answer.
async fn ask_all(settings: &Settings, asleep: bool, clock: &Clock, found: &mut Found) {
    agent(settings, asleep, found).await;
    let gates = installed(&settings.enforcement.gates_dir).unwrap_or_default();
    let mut units: Vec<String> = OURS.map(str::to_owned).into();
    units.push(settings.updates.unit.clone());
    units.extend(settings.actions.keys().map(|name| format!("svm-agent-action@{name}.service")));
    units.extend(gates.into_iter().map(|gate| gate.unit));
    units.extend(settings.enforcement.protection_units.iter().cloned());
    units.sort();
    units.dedup();
    let (states, journal, version) = tokio::join!(
        systemctl::show(&units, UNIT_PROPERTIES),
        systemctl::journal("svm-agent*", &settings.updates.unit, JOURNAL_DAYS),
        systemctl::version(),
    );
    let states = states.map(|states| {
        states.iter().fold(String::new(), |mut text, unit| {
            for (name, value) in &unit.properties {
                writeln!(text, "{name}={value}").ok();
            }
            text.push('\n');
            text
        })
    });
    found.add("units.txt", "states of systemd's units", states.map_err(|error| Chain(&error).to_string()));
    let journal = journal.map_err(|error| Chain(&error).to_string());
    let journal = journal.and_then(|text| match text.trim().is_empty() {
        true => Err(format!(
            "the journal has no line of svm-agent of the last {JOURNAL_DAYS} days that this user may read"
        )),
        false => Ok(text),
    });
    found.add("journal.txt", "log of the last 7 days, newest entry first", journal);
    let version = version.unwrap_or_else(|error| error.to_string());
    found.add(
        "machine.txt",
        "versions, clock, memory and disk",
        Ok(machine::facts(settings, clock, &version)),
    );
}

/// What the agent answers. One that sleeps until somebody asks is not woken up.
async fn agent(settings: &Settings, asleep: bool, found: &mut Found) {
    let asked = [
        ("status.json", "svm-agent status", SocketKind::Query, "v1/status"),
        ("identity.json", "id of this SVM and what it is bound to", SocketKind::Query, "v1/identity"),
        ("clock.json", "trusted time and system clock", SocketKind::Query, "v1/clock"),
        ("updates.json", "database updates", SocketKind::Query, "v1/updates"),
        ("forecast.json", "what the subscription will do", SocketKind::Query, "v1/forecast"),
        (EVENTS, "the newest events", SocketKind::Control, "v1/events?limit=1000"),
        (
            "quarantine.json",
            "events that a receiver refused",
            SocketKind::Control,
            "v1/events?limit=1000&quarantined=true",
        ),
    ];
    let mut down = asleep.then(|| "the agent is not running".to_owned());
    for (name, about, socket, path) in asked {
        if let Some(why) = &down {
            if name != EVENTS {
                found.add(name, about, Err(why.clone()));
            }
            continue;
        }
        let answer: Result<Value, _> =
            ask_within(&settings.runtime_dir, socket, Method::GET, path, None, ANSWER_TIMEOUT).await;
        let answer = answer.map_err(|error| Chain(&error).to_string());
        // Without an answer to the first question, the others would wait in vain.
        if path == "v1/status" {
            down = answer.as_ref().err().cloned();
        }
        found.add(name, about, answer.and_then(|value| pretty(&value)));
    }
    if down.is_some() {
        let runs = !asleep && doctor::listens(settings);
        let events = newest_events(&settings.state_dir, runs, MAX_EVENTS);
        let events = events.map_err(|error| Chain(&error).to_string());
        found.add(
            EVENTS,
            "the newest events, from the database",
            events.and_then(|rows| pretty(&json!({"events": rows}))),
        );
    }
}

/// The permit files as they are.
fn permits(settings: &Settings, found: &mut Found) {
    let folder = permit_file::folder(&settings.runtime_dir);
    for resource in Resource::ALL {
        let name = resource.file_name();
        let text = read_unlinked_text(&Path::new(&folder).join(name), MAX_FILE);
        let text = text.map_err(|error| error.to_string());
        let text = text
            .and_then(|text| text.ok_or_else(|| "there is no permit file: nothing is permitted".to_owned()));
        found.add(&format!("permits/{name}"), "permit file", text.map(|text| text + "\n"));
    }
}
