//! The recipes of `config/actions/`, run as they are: over the program `svm-agent permit` and a permit file, with a stand-in
//! for the product's own tool (`tests/actions/kesl-control`).

use crate::support::program;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use svm_agent::config::WhenDown;
use svm_agent::permits::permit_file;
use svm_agent::permits::permit_file::PermitFile;
use svm_core::subscription::{Permit, Phase, Resource};

/// A machine with the product on it.
struct Machine {
    folder: tempfile::TempDir,
    path: String,
    mode: &'static str,
}

/// What a recipe said and how it ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    said: String,
}

impl Machine {
    fn new(mode: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["bin", "kesl", "state", "run/permits"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::os::unix::fs::symlink(program("svm-agent"), at("bin/svm-agent")).unwrap();
        std::os::unix::fs::symlink(root.join("tests/actions/kesl-control"), at("bin/kesl-control")).unwrap();
        let path = format!("{}:/usr/bin:/bin", at("bin").display());
        let machine = Self { folder, path, mode };
        machine.set("ksn", "Extended");
        machine.set("tasks", "1 OAS Started\n2 ODS Started\n6 Update Stopped\n100 Update Stopped");
        machine
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn set(&self, name: &str, text: &str) {
        fs::write(self.at("kesl").join(name), format!("{text}\n")).unwrap();
    }

    fn get(&self, name: &str) -> String {
        fs::read_to_string(self.at("kesl").join(name)).unwrap().trim_end().to_owned()
    }

    /// Writes both permits as the agent would.
    fn permit(&self, verdict: Permit) {
        let now = jiff::Timestamp::now();
        for resource in Resource::ALL {
            let permit = PermitFile {
                resource,
                verdict,
                rate: None,
                phase: if verdict == Permit::Full { Phase::Active } else { Phase::Restricted },
                cause: None,
                until: now + jiff::SignedDuration::from_hours(1),
                until_boot_ms: u64::MAX,
                boot_id: String::new(),
                written_at: now,
                when_agent_is_down: WhenDown::Last,
            };
            permit.write(&permit_file::folder(&self.at("run"))).unwrap();
        }
    }

    fn run(&self, recipe: &str) -> Ended {
        let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/actions").join(recipe);
        let output = Command::new(recipe)
            .env_clear()
            .env("PATH", &self.path)
            .env("LC_ALL", "ru_RU.UTF-8")
            .env("STATE_DIRECTORY", self.at("state"))
            .env("SVM_AGENT__PATHS__RUNTIME_DIR", self.at("run"))
            .env("SVM_ACTION_PATIENCE", "1")
            .env("KESL", self.at("kesl"))
            .env("KESL_MODE", self.mode)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ended { code: output.status.code().unwrap(), said }
    }

    #[track_caller]
    fn expect(&self, recipe: &str, code: i32, said: &str) {
        let ended = self.run(recipe);
        assert!(
            ended.code == code && ended.said.contains(said),
            "{recipe} in mode {:?}: {ended:?}",
            self.mode
        );
    }
}

#[test]
fn ksn_follows_its_permit_in_every_language() {
    for mode in ["", "light", "russian", "english", "json-like"] {
        for former in ["Basic", "Extended"] {
            let machine = Machine::new(mode);
            machine.set("ksn", former);
            machine.permit(Permit::Full);
            machine.expect("kesl-ksn", 0, "nothing to restore");
            machine.permit(Permit::Stopped);
            machine.expect("kesl-ksn", 10, "switched off the use of KSN");
            assert_eq!(machine.get("ksn"), "No");
            machine.expect("kesl-ksn", 0, "KSN is not used");
            // Somebody else sets it: it is set again, and what to give back is the newest.
            machine.set("ksn", former);
            machine.expect("kesl-ksn", 10, "switched off the use of KSN");
            machine.permit(Permit::Full);
            machine.expect("kesl-ksn", 10, former);
            assert_eq!(machine.get("ksn"), former, "mode {mode:?}");
            machine.expect("kesl-ksn", 0, "nothing to restore");
        }
    }
}

#[test]
fn what_an_administrator_chose_is_not_given_back() {
    let machine = Machine::new("");
    machine.set("ksn", "No");
    machine.permit(Permit::Stopped);
    machine.expect("kesl-ksn", 0, "KSN is not used");
    machine.permit(Permit::Full);
    machine.expect("kesl-ksn", 0, "nothing to restore");
    assert_eq!(machine.get("ksn"), "No");
}

#[test]
fn a_limited_permit_is_a_permit_and_none_is_none() {
    let machine = Machine::new("");
    machine.permit(Permit::Limited);
    machine.expect("kesl-ksn", 0, "allowed");
    for resource in Resource::ALL {
        fs::remove_file(machine.at("run/permits").join(resource.file_name())).unwrap();
    }
    machine.expect("kesl-ksn", 10, "switched off the use of KSN");
}

#[test]
fn a_policy_of_security_center_wins_and_is_named() {
    for (mode, code, said) in
        [("reverts", 6, "policy of Kaspersky Security Center"), ("refuses", 5, "managed by policy")]
    {
        let machine = Machine::new(mode);
        machine.permit(Permit::Stopped);
        machine.expect("kesl-ksn", code, said);
        assert_eq!(machine.get("ksn"), "Extended");
        // What would be given back is used: nothing is left to do.
        machine.permit(Permit::Full);
        machine.expect("kesl-ksn", 0, "allowed and used");
        assert!(!machine.at("state/kesl-ksn.former").exists());
    }
}

#[test]
fn what_cannot_be_kept_does_not_hold_up_stopping() {
    let machine = Machine::new("");
    machine.permit(Permit::Stopped);
    fs::remove_dir(machine.at("state")).unwrap();
    machine.expect("kesl-ksn", 10, "restore it by hand");
    assert_eq!(machine.get("ksn"), "No");
    // And what was kept and damaged comes to the lesser.
    fs::create_dir(machine.at("state")).unwrap();
    fs::write(machine.at("state/kesl-ksn.former"), "Ext").unwrap();
    machine.permit(Permit::Full);
    machine.expect("kesl-ksn", 10, "restoring Basic");
    assert_eq!(machine.get("ksn"), "Basic");
}

#[test]
fn a_tool_that_is_gone_hangs_or_says_nothing_is_a_failure() {
    for (recipe, calls) in [("kesl-ksn", "--get-app-settings"), ("kesl-updates", "--get-task-list")] {
        let machine = Machine::new("hangs");
        machine.permit(Permit::Stopped);
        machine.expect(recipe, 3, &format!("{calls} does not answer within 1 s"));
        fs::remove_file(machine.at("bin/kesl-control")).unwrap();
        machine.expect(recipe, 2, "there is no kesl-control");
        fs::remove_file(machine.at("bin/svm-agent")).unwrap();
        machine.expect(recipe, 1, "cannot ask for the permit");
    }
    let machine = Machine::new("nonsense");
    machine.permit(Permit::Stopped);
    machine.expect("kesl-ksn", 4, "Segmentation fault");
    machine.permit(Permit::Full);
    machine.expect("kesl-ksn", 4, "cannot read from kesl-control");
}

#[test]
fn updates_that_run_without_a_permit_are_stopped() {
    for mode in ["", "light", "russian"] {
        let machine = Machine::new(mode);
        let running = "1 OAS Started\n2 ODS Started\n6 Update Started\n100 Update Stopped\n101 Update Started\n102 ODS Started";
        machine.set("tasks", running);
        machine.permit(Permit::Full);
        machine.expect("kesl-updates", 0, "allowed");
        assert_eq!(machine.get("tasks"), running);
        machine.permit(Permit::Stopped);
        machine.expect("kesl-updates", 10, "stopped the update tasks 6 101:");
        // Scans are named Update in the stand-in, to no avail.
        let stopped = "1 OAS Started\n2 ODS Started\n6 Update Stopped\n100 Update Stopped\n101 Update Stopped\n102 ODS Started";
        assert_eq!(machine.get("tasks"), stopped, "mode {mode:?}");
        machine.expect("kesl-updates", 0, "no update runs");
        machine.set("tasks", &stopped.replace("100 Update Stopped", "100 Update Started"));
        machine.expect("kesl-updates", 10, "stopped the update tasks 100:");
        machine.set("tasks", "6 Update Stopping");
        machine.expect("kesl-updates", 0, "no update runs");
    }
}

#[test]
fn updates_without_a_list_are_stopped_all_the_same() {
    let machine = Machine::new("no-list");
    machine.set("tasks", "1 OAS Started\n6 Update Started\n100 Update Started");
    machine.permit(Permit::Stopped);
    machine.expect("kesl-updates", 10, "stopped the update tasks 6:");
    assert_eq!(machine.get("tasks"), "1 OAS Started\n6 Update Stopped\n100 Update Started");
}

#[test]
fn updates_that_cannot_be_stopped_or_seen_are_a_failure_and_keep_no_other_running() {
    for (mode, code, said) in [
        ("restarts", 6, "policy of Kaspersky Security Center"),
        ("refuses", 5, "managed by policy"),
        ("other-words", 4, "to stop, but cannot read its state: Task: Update"),
    ] {
        let machine = Machine::new(mode);
        machine.set("tasks", "1 OAS Started\n6 Update Started\n100 Update Started");
        machine.permit(Permit::Stopped);
        machine.expect("kesl-updates", code, said);
        for task in [6, 100] {
            let stop = format!("--stop-task {task}");
            assert!(machine.get("calls").lines().any(|call| call == stop), "{mode}: {stop}");
        }
        assert!(!machine.get("calls").contains("--stop-task 1\n"), "a scan is never touched");
    }
    let machine = Machine::new("nonsense");
    machine.permit(Permit::Stopped);
    machine.expect("kesl-updates", 4, "Segmentation fault");
}
