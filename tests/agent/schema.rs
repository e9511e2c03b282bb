//! The JSON Schema of the settings against the settings themselves, by a validator that this project did not write
//! (Python's `jsonschema`): what the program takes, the schema takes; what it refuses, the schema refuses, but for what no
//! schema can say.
//!
//! Where Python is not there the test says `skipped:` and passes; with `SVM_TEST_REQUIRE_ALL` set it fails.

use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use svm_agent::config::{ACTION, DEFAULTS, DESTINATION, Settings, json_schema};

/// Reads schema and instances from standard input, and prints for each instance whether it is valid.
const VALIDATE: &str = "
import json, sys
from jsonschema import Draft202012Validator
given = json.load(sys.stdin)
Draft202012Validator.check_schema(given['schema'])
validator = Draft202012Validator(given['schema'])
print(json.dumps([[e.message for e in validator.iter_errors(i)] for i in given['instances']]))
";

fn run(command: &mut Command, input: &str) -> Result<String, String> {
    let shown = format!("{command:?}");
    let failed = |error: &dyn std::fmt::Display| format!("{shown}: {error}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error))?;
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().map_err(|error| failed(&error))?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(failed(&String::from_utf8_lossy(&output.stderr))),
    }
}

/// A Python with the validator, made once below `target/`.
fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schema-venv");
    let python = folder.join("bin/python");
    let ready = || run(Command::new(&python).args(["-c", "import jsonschema"]), "");
    if ready().is_err() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder), "")?;
        let pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "jsonschema"];
        run(Command::new(&python).args(pip), "")?;
        ready()?;
    }
    Ok(python)
}

/// What is wrong with each text by the schema; `None` where no validator is there.
fn problems(texts: &[String]) -> Option<Vec<Vec<String>>> {
    let instances: Vec<Value> =
        texts.iter().map(|text| json!(toml::from_str::<toml::Table>(text).unwrap())).collect();
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            assert!(std::env::var_os("SVM_TEST_REQUIRE_ALL").is_none(), "{why}");
            let _ = writeln!(std::io::stderr(), "skipped: {why}");
            return None;
        }
    };
    let input = json!({"schema": json_schema(), "instances": instances}).to_string();
    let answer = run(Command::new(python).args(["-c", VALIDATE]), &input).unwrap();
    Some(serde_json::from_str(&answer).unwrap())
}

fn is_taken(text: &str) -> bool {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Settings::read(&[file.path().to_owned()], []).is_ok()
}

/// A table under a name, whole, and then some of its keys anew.
fn named(map: &str, defaults: &str, keys: &str) -> String {
    let (mut table, keys): (toml::Table, toml::Table) =
        (toml::from_str(defaults).unwrap(), toml::from_str(keys).unwrap());
    table.extend(keys);
    format!("[{map}.a]\n{table}")
}

#[test]
fn what_is_taken_is_valid() {
    let destination = |keys: &str| named("destinations", DESTINATION, keys);
    let mut texts = vec![
        String::new(),
        DEFAULTS.to_owned(),
        destination("url = \"https://console.example:8480/v1/events\""),
        destination("url = \"HTTP://h/hooks?token=a@b\""),
        destination("kind = \"syslog\"\nurl = \"tls://siem.example\""),
        destination("kind = \"syslog\"\nurl = \"tcp://[::1]:514\"\nformat = \"cef\"\nframing = \"newline\""),
        destination("url = \"http://h\"\ntypes = [\"subscription.*\", \"key.added\"]\nexcept = [\"*\"]"),
        named("actions", ACTION, "resource = \"ksn\""),
        "[destinations.one_and-2]\nurl = \"http://h\"\n".to_owned(),
        "[product]\nversion = \"6.10.0.1\"\n".to_owned(),
        "[source]\nurl = \"https://keys.provider.example/svm/\"\nproxy = \"http://proxy:3128\"\n".to_owned(),
        "[enforcement]\nksn_after_grace = \"30/minute\"\ndatabase_updates_after_grace = \"stop\"\ngoverns = []\n"
            .to_owned(),
        "[updates]\nschedule = [\"@daily\", \"0,30 8-18/2 * jan-MAR sun,fri-sun\"]\ntime_zone = \"Etc/GMT-3\"\n"
            .to_owned(),
        "[updates]\nunit = \"kesl-update@1.service\"\nrandom_delay = \"0s\"\n".to_owned(),
        "[gateway]\nupstreams = [\"10.0.0.5:13111\", \"[2001:db8::1]:13111\"]\nlisten = \"[::1]:13111\"\n".to_owned(),
        "[metrics]\ntextfile = \"/var/lib/node/svm-agent.prom\"\n".to_owned(),
        "[reminders]\nbefore_end_days = []\nexpiring_status_days = 0\n".to_owned(),
    ];
    for span in ["1h 30m", "90s", "168h", "7d", "PT1H", "90 minutes", "1 hour, 5 minutes"] {
        texts.push(format!("[report]\nevery = \"{span}\"\n"));
    }
    for text in &texts {
        assert!(is_taken(text), "{text}");
    }
    let Some(problems) = problems(&texts) else { return };
    for (text, problems) in texts.iter().zip(problems) {
        assert!(problems.is_empty(), "{text}: {problems:?}");
    }
}

#[test]
fn what_is_refused_is_not_valid() {
    let mut texts: Vec<String> = [
        "log.level = \"loud\"",
        "log.format = \"xml\"",
        "log.levle = \"info\"",
        "dais.x = 1",
        "product.version = \"six\"",
        "product.version = 6",
        "product.version_file = \"version\"",
        "paths.state_dir = \"\"",
        "paths.runtime_dir = \"run\"",
        "source.url = \"ftp://x\"",
        "source.url = \"https://u:p@h/\"",
        "source.url = \"https://h/?token=x\"",
        "source.url = \"https://h/#x\"",
        "source.proxy = \"https://h/?token=x\"",
        "source.interval = \"0s\"",
        "source.interval = \"soon\"",
        "source.interval = 5",
        "clock.dwell = \"30\"",
        "keys.promote_reserve_on_lapse = \"yes\"",
        "reminders.before_end_days = [0]",
        "reminders.before_end_days = [\"yes\"]",
        "reminders.before_end_days = [3651]",
        "reminders.before_end_days = 3",
        "reminders.expiring_status_days = -1",
        "reminders.expiring_status_days = 1.5",
        "enforcement.ksn_after_grace = \"1/day\"",
        "enforcement.database_updates_after_grace = \"0/day\"",
        "enforcement.governs = [\"updates\"]",
        "enforcement.when_agent_is_down = \"full\"",
        "enforcement.protection_units = [\"kesl\"]",
        "updates.schedule = [\"0 0 3 * * *\"]",
        "updates.schedule = [\"hourly\"]",
        "updates.time_zone = \"\"",
        "updates.unit = \"la-scanserver\"",
        "updates.unit = \"a@.service\"",
        "updates.missed = \"later\"",
        "gateway.listen = \"0.0.0.0:13111\"",
        "gateway.listen = \"127.0.0.1:0\"",
        "gateway.upstreams = [\"http://ksn\"]",
        "gateway.max_connections = 0",
        "metrics.textfile = \"/var/lib/x.txt\"",
        "outbox.max_megabytes = 0",
        "outbox.history = -4",
        "destinations.a = 1",
        "destinations.a = {}",
        "destinations.a.url = \"\"",
        "destinations.a.url = \"kafka://h\"",
        "actions.a = {}",
    ]
    .map(str::to_owned)
    .into();
    for keys in [
        "kind = \"kafka\"",
        "receiver = \"me\"",
        "severity = \"loud\"",
        "types = []",
        "types = [\"Subscription\"]",
        "types = [\"svm.key.added\"]",
        "mode = \"stream\"",
        "compression = \"gzip\"",
        "format = \"leef\"",
        "framing = \"tls\"",
        "webhook_origin = \"a b\"",
        "token_file = \"token\"",
        "timeout = \"0s\"",
        "uri = \"x\"",
        "kind = \"syslog\"",
    ] {
        texts.push(format!("[destinations.a]\nurl = \"https://h\"\n{keys}\n"));
    }
    for keys in [
        "resource = \"KSN\"",
        "resource = \"ksn\"\nrepairs_per_hour = 61",
        "resource = \"ksn\"\nlook_every = \"x\"",
    ] {
        texts.push(format!("[actions.a]\n{keys}\n"));
    }
    texts.push("[actions.\"a b\"]\nresource = \"ksn\"\n".to_owned());
    texts.push("[destinations.\"a.b\"]\nurl = \"https://h\"\n".to_owned());
    // A schema knows no calendar, no list of zones, no other key's value and no number in a text.
    for beyond in [
        "updates.schedule = [\"0 3 31 2 *\"]",
        "updates.time_zone = \"Europe/Berln\"",
        "updates.unit = \"kesl.service\"",
        "updates.outdated_critical_days = 1",
        "source.timeout = \"601s\"",
        "paths.state_dir = \"/a\"\npaths.runtime_dir = \"/a\"",
    ] {
        assert!(!is_taken(beyond), "{beyond}");
    }
    for text in &texts {
        assert!(!is_taken(text), "{text}");
    }
    let Some(problems) = problems(&texts) else { return };
    let valid: Vec<&String> = texts
        .iter()
        .zip(problems)
        .filter(|(_, problems)| problems.is_empty())
        .map(|(text, _)| text)
        .collect();
    assert!(valid.is_empty(), "the schema takes what the program refuses: {valid:#?}");
}
