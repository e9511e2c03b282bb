//! Every command in every phase: the table of `docs/reference/phases.md` is what is tested.

use crate::support::{Agent, Collector, Program, Vendor, now, wait_for};
use jiff::SignedDuration;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use svm_core::subscription::{AfterGrace, Allowance};
use svm_vendor::{Cancel, Change, Parameters, Renewal, Until};

const MANUAL: &str = include_str!("../../docs/reference/phases.md");

/// The rows of the table: a command, and its answer in each column.
fn table() -> (Vec<String>, Vec<Vec<String>>) {
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut lines = MANUAL.lines().skip_while(|line| !line.starts_with("| command |"));
    let head = cells(lines.next().unwrap()).split_off(1);
    let rows = lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect();
    (head, rows)
}

/// An SVM in a phase, with a console.
struct Svm {
    agent: Agent,
    running: Option<Program>,
    vendor: Vendor,
    collector: Collector,
    _collecting: Program,
    document: PathBuf,
}

impl Svm {
    fn new(folder: &Path, phase: &str) -> Self {
        let end = now().checked_add(SignedDuration::from_hours(30 * 24)).unwrap();
        let vendor = Vendor::new(folder, end, if phase == "grace" { 14 } else { 0 });
        let trickle = AfterGrace { database_updates: Allowance::Rate(1), ksn: Allowance::Rate(30) };
        let trickle = Parameters { after_grace: Some(trickle), ..Parameters::default() };
        let changes = match phase {
            "grace" | "restricted" => vec![Change::Pause],
            "limited" => vec![Change::Parameters(trickle), Change::Pause],
            "cancelled" => vec![Change::Cancel(Cancel::Now)],
            "blocked" => vec![Change::Block],
            _ => Vec::new(),
        };
        for change in changes {
            vendor.provider.change(&vendor.key, &change, now()).unwrap();
        }
        vendor.publish();
        let collector = Collector::new(folder);
        let collecting = collector.start_ready();
        let more = format!(
            "{}[destinations.console]\nurl = \"http://127.0.0.1:{}/v1/events\"\n[updates]\nunit = \"there-is-none.service\"\n",
            vendor.source().replace("interval = \"1s\"", "interval = \"24h\""),
            collector.port
        );
        let agent = Agent::new(folder, &vendor.trust(), &more);
        let mut running = agent.start_ready();
        let document = folder.join("document.jws");
        std::fs::write(&document, vendor.document(&vendor.code)).unwrap();
        if phase != "none" {
            agent.ask(&["key", "add", document.to_str().unwrap()]).unwrap();
        }
        agent.settled();
        let shown = match phase {
            "none" => "not_activated",
            "down" => "active",
            "limited" | "cancelled" | "blocked" => "restricted",
            other => other,
        };
        assert_eq!(agent.status()["phase"], shown, "{phase}");
        let running = if phase == "down" {
            running.terminate();
            None
        } else {
            Some(running)
        };
        Self { agent, running, vendor, collector, _collecting: collecting, document }
    }

    fn arguments(&self, command: &str) -> Vec<String> {
        let id = || {
            let events = self.agent.ask(&["events", "list", "--limit", "1"]).unwrap_or_default();
            events["id"].as_str().unwrap_or("01a200d1-88e4-7b2a-847a-e0a4cbb8a133").to_owned()
        };
        let of = |word: &str| match word {
            "CODE" => self.vendor.code.clone(),
            "FILE" => self.document.display().to_string(),
            "KEY" => "SUB-1".to_owned(),
            "ID" => id(),
            "UNIT" => "there-is-none.service".to_owned(),
            "SCENARIO" => {
                concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/01-limited-runs-out-through-grace.json")
                    .to_owned()
            }
            word => word.to_owned(),
        };
        command.split(' ').map(of).collect()
    }

    fn run(&self, arguments: &[String], json: bool) -> Output {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command: Command = self.agent.command(&arguments);
        command.args(json.then_some("--json")).env("LANG", "C.UTF-8").stdin(Stdio::null());
        command.output().unwrap()
    }
}

/// What an answer comes to: the exit code, and the code of the error.
fn reported(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let first: Value =
        text.lines().next().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    let code = output.status.code().unwrap();
    match first["error"]["code"].as_str() {
        Some(error) => format!("{code} {error}"),
        None => code.to_string(),
    }
}

/// What every answer has to be like, whatever it says.
fn well_formed(command: &str, plain: &Output, json: &Output) -> Result<(), String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&plain.stdout), text(&plain.stderr));
    let of_json = text(&json.stdout);
    let wrong = |what: &str| Err(format!("`{command}` {what}\n{out}{err}{of_json}"));
    if !of_json.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()) {
        return wrong("prints what is no JSON");
    }
    if !text(&json.stderr).is_empty() {
        return wrong("writes beside its JSON");
    }
    let quiet = command.starts_with("events list");
    match plain.status.code() {
        // Of `doctor`: warnings and failures are what it is asked for.
        Some(4 | 5) if command == "doctor" && err.is_empty() => Ok(()),
        Some(0 | 75 | 3) if out.trim().is_empty() && !quiet => wrong("says nothing"),
        Some(0 | 75 | 3) if !err.is_empty() => wrong("complains though it is well"),
        Some(0 | 75 | 3) => Ok(()),
        // An error is a sentence for people, on standard error, and the same in JSON.
        Some(_) if !err.starts_with("svm-agent: ") => wrong("does not say what is wrong"),
        Some(_) if !out.is_empty() => wrong("prints where it failed"),
        Some(_) => Ok(()),
        None => wrong("was killed"),
    }
}

#[test]
fn every_command_answers_in_every_phase_as_the_manual_says() {
    let (columns, rows) = table();
    assert!(rows.len() > 30 && columns.len() == 8, "the table is read");
    let mut found = vec![Vec::new(); rows.len()];
    let mut faults = Vec::new();
    for (column, phase) in columns.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let svm = Svm::new(folder.path(), phase);
        for (row, cells) in rows.iter().enumerate() {
            let command = cells[0].trim_matches('`').trim_start_matches("svm-agent ").to_owned();
            let arguments = svm.arguments(&command);
            // As JSON first: where it changes something, it is that which counts.
            let json = svm.run(&arguments, command != "check");
            let plain = svm.run(&arguments, false);
            let reported = reported(&json);
            if command == "check" {
                let words = ["OK", "WARNING", "CRITICAL", "UNKNOWN"];
                let state = plain.status.code().and_then(|code| words.get(usize::try_from(code).ok()?));
                let line = String::from_utf8(plain.stdout.clone()).unwrap();
                if !state.is_some_and(|state| line.starts_with(&format!("SVM {state} - "))) {
                    faults.push(format!("{phase}: `check` says {line}"));
                }
            } else if let Err(fault) = well_formed(&command, &plain, &json) {
                faults.push(format!("{phase}: {fault}"));
            }
            let wanted = &cells[column + 1];
            // Such as what systemd says of a unit that is not there.
            let fits = wanted
                .strip_suffix('…')
                .map_or(reported == *wanted, |code| reported.starts_with(code.trim_end()));
            if !fits {
                faults.push(format!(
                    "{phase}: `{command}` answers {reported}, and the manual says {}",
                    cells[column + 1]
                ));
            }
            found[row].push(reported);
        }
        // Whatever the phase, what happened is delivered.
        if svm.running.is_some() {
            svm.agent.settled();
            assert!(wait_for("the console", 20, || svm.collector.events()).len() > 2, "{phase}");
        }
    }
    if !faults.is_empty() {
        let table: Vec<String> = rows
            .iter()
            .zip(&found)
            .map(|(cells, found)| format!("| {} | {} |", cells[0], found.join(" | ")))
            .collect();
        panic!("{}\n\nit is:\n{}", faults.join("\n"), table.join("\n"));
    }
}

/// A renewal that is published comes into force in each phase, by itself or by `refresh`.
#[test]
fn a_renewal_is_taken_in_every_phase() {
    for phase in ["active", "grace", "limited", "restricted"] {
        let folder = tempfile::tempdir().unwrap();
        let svm = Svm::new(folder.path(), phase);
        if phase != "active" {
            svm.vendor.provider.change(&svm.vendor.key, &Change::Resume, now()).unwrap();
        }
        let renewal = Change::Renew(Renewal { until: Until::Days(365), earlier: false });
        svm.vendor.provider.change(&svm.vendor.key, &renewal, now()).unwrap();
        svm.vendor.publish();
        svm.agent.ask(&["refresh"]).unwrap();
        let status = svm.agent.status();
        assert_eq!(
            (&status["phase"], status["days_left"].as_u64() > Some(300)),
            (&"active".into(), true),
            "{phase}"
        );
        assert_eq!(svm.agent.permit("ksn"), 0, "{phase}");
    }
}
