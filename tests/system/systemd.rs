//! The service in a real systemd: installed from its package as the README and `docs/guide/install.md` say, in its sandbox. Each
//! test runs on Debian 12 (systemd 252) and on Debian 13 (systemd 257).

use crate::support::program;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A Debian that is booted.
struct System {
    /// Names the folder with its root file system.
    variable: &'static str,
    /// That folder, where the variable is not set.
    folder: &'static str,
    /// As `tests/systemd/rootfs.sh` takes it.
    suite: &'static str,
}

const DEBIAN_12: System =
    System { variable: "SVM_TEST_ROOTFS", folder: "target/systemd-rootfs", suite: "bookworm" };
const DEBIAN_13: System =
    System { variable: "SVM_TEST_ROOTFS_13", folder: "target/systemd-rootfs-13", suite: "trixie" };

impl System {
    /// The root file system that `tests/systemd/rootfs.sh` makes.
    fn rootfs(&self) -> Option<PathBuf> {
        let folder = std::env::var_os(self.variable).map_or_else(|| root().join(self.folder), PathBuf::from);
        if folder.join(".complete").exists() {
            return Some(folder);
        }
        let (folder, suite) = (folder.display(), self.suite);
        let message =
            format!("not run: there is no {folder}; tests/systemd/rootfs.sh {folder} {suite} makes it");
        assert!(std::env::var_os("SVM_TEST_REQUIRE_ALL").is_none(), "{message}");
        println!("{message}");
        None
    }
}

/// From Debian's package `libfaketime`: a clock for one program.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

fn have_faketime() -> bool {
    let there = Path::new(FAKETIME).exists();
    if !there {
        let message = format!("not run: there is no {FAKETIME} (Debian's package libfaketime)");
        assert!(std::env::var_os("SVM_TEST_REQUIRE_ALL").is_none(), "{message}");
        println!("{message}");
    }
    there
}

/// The text of a block in a document, by the comment above it.
fn block<'a>(document: &'a str, comment: &str) -> &'a str {
    let (_, after) = document.split_once(&format!("<!-- {comment} -->\n```")).expect(comment);
    after.split_once('\n').unwrap().1.split_once("```").unwrap().0
}

/// The commands of the README that install the agent.
fn install_commands() -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    block(&readme, "install").to_owned()
}

/// What the pages of `docs/guide/` have people do, as functions of a shell: `doc_NAME`; the file that they edit, `doc_file`;
/// and what `install.md` says that they see, `said_NAME`. A name stands in one page only.
fn documented() -> String {
    let pages = ["install", "maintain", "collector"]
        .map(|page| std::fs::read_to_string(root().join(format!("docs/guide/{page}.md"))).unwrap());
    let document = pages.concat();
    let names =
        ["collector", "token", "agent", "configure", "activate", "look", "upgrade", "remove", "purge"];
    let steps = names.map(|name| format!("doc_{name}() (\n{})\n", block(&document, &format!("run: {name}"))));
    let shown = |name: String, text: &str| format!("{name}() {{ cat <<'END'\n{text}END\n}}\n");
    let file = shown("doc_file".to_owned(), block(&document, "file: /etc/svm-agent/agent.toml"));
    let said = ["journal", "status", "stopped", "reload"]
        .map(|name| shown(format!("said_{name}"), block(&document, &format!("said: {name}"))));
    [steps.concat(), file, said.concat()].concat()
}

/// The packages: those of `SVM_TEST_PACKAGES`, else made once from the programs under test.
fn packages() -> &'static Path {
    static MADE: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    MADE.get_or_init(|| {
        if let Some(made) = std::env::var_os("SVM_TEST_PACKAGES") {
            return made.into();
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian");
        let [binaries, ..] = ["svm-agent", "svm-collector", "svm-vendor", "svm-manual"]
            .map(|name| program(name).parent().unwrap());
        std::fs::remove_dir_all(&folder).ok();
        let output = Command::new(root().join("packaging/build.sh"))
            .arg(&folder)
            .env("BINARIES", binaries)
            // As quick as it goes.
            .env("COMPRESS", "--fast")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    })
}

/// Runs a script of `tests/systemd/` in a system that is booted for it, with the packages and the sources at `/src`.
fn boot(system: &System, script: &str) {
    boot_times(system, script, 1);
}

/// The same with a clock for single programs.
fn boot_with_faketime(system: &System, script: &str) {
    if have_faketime() {
        boot(system, script);
    }
}

/// The same in one that is booted so often over one disk.
fn boot_times(system: &System, name: &str, times: u32) {
    let script = name;
    let Some(rootfs) = system.rootfs() else { return };
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path();
    for copied in [root().join("systemd"), root().join("config"), root().join("docs"), packages().join(".")] {
        let copied = Command::new("cp").arg("-r").arg(copied).arg(source).status().unwrap();
        assert!(copied.success());
    }
    if script == "gate_attack.sh" {
        let (library, code) = (source.join("preload.so"), root().join("tests/systemd/preload.c"));
        let made =
            Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([library, code]).status().unwrap();
        assert!(made.success());
    }
    let script = std::fs::read_to_string(root().join("tests/systemd").join(script)).unwrap();
    let flood = std::env::var("SVM_TEST_FLOOD").unwrap_or_else(|_| "200000000".to_owned());
    // There is no network: what the package recommends cannot be fetched.
    let alone = "export DEBIAN_FRONTEND=noninteractive\necho 'APT::Install-Recommends \"false\";' > /etc/apt/apt.conf.d/test";
    let script =
        format!("INSTALL='{}'\nFLOOD={flood}\n{alone}\n{}{script}\n{SEEN}", install_commands(), documented());
    // A temporary folder may be in memory, which holds no overlay.
    let disk = tempfile::tempdir_in("/var/tmp").unwrap();
    let mut reported = String::new();
    for _ in 0..times {
        reported += &boot_once(&rootfs, &script, source, (times > 1).then_some(disk.path()));
        // It is down until then.
        let until = std::fs::read_to_string(disk.path().join("upper/srv/end")).unwrap_or_default();
        let until: u64 = until.trim().parse().unwrap_or(0);
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        while now() <= until {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
    for wanted in LINES.lines().filter_map(|line| line.strip_prefix(name)) {
        for event in wanted.split_whitespace() {
            assert!(reported.contains(&format!("== line {event}\n")), "{name} saw no line {event}");
        }
    }
}

/// Which lines of the agent are seen where; `tests/agent/logs/` counts them as seen.
const LINES: &str = include_str!("../systemd/lines.txt");

/// What each script ends with: every kind of line that the agent wrote into the journal.
const SEEN: &str = r#"journalctl -u svm-agent -o json --no-pager | sed -n 's/.*"SVM_EVENT":"\([a-z_.]*\)".*/== line \1/p' | sort -u"#;

fn boot_once(rootfs: &Path, script: &str, source: &Path, disk: Option<&Path>) -> String {
    let output = Command::new(root().join("tests/systemd/boot.sh"))
        .env("DISK", disk.unwrap_or(Path::new("")))
        .arg(rootfs)
        .arg(script)
        .arg(format!("{}:/src", source.display()))
        .arg(format!("{}:/usr/bin/svm-vendor", program("svm-vendor").display()))
        .args(Path::new(FAKETIME).exists().then(|| format!("{FAKETIME}:{FAKETIME}")))
        .output()
        .unwrap();
    let reported = String::from_utf8_lossy(&output.stdout);
    println!("{reported}");
    assert!(
        output.status.success() && reported.contains("== done"),
        "{reported}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    reported.into_owned()
}

/// Tests of each system.
macro_rules! in_each_system {
    ($($(#[$note:meta])* $name:ident: $test:expr;)+) => {
        in_each_system!(of debian_12, DEBIAN_12, $($(#[$note])* $name: $test;)+);
        in_each_system!(of debian_13, DEBIAN_13, $($(#[$note])* $name: $test;)+);
    };
    (of $module:ident, $system:ident, $($(#[$note:meta])* $name:ident: $test:expr;)+) => {
        mod $module {
            use super::*;
            $(
                $(#[$note])*
                #[test]
                fn $name() {
                    let test: fn(&System) = $test;
                    test(&$system);
                }
            )+
        }
    };
}

in_each_system! {
    the_service_lives_in_a_real_systemd: |system| boot(system, "service.sh");
    the_commands_of_the_guide_work: |system| boot(system, "operations.sh");
    the_log_is_in_the_journal_with_its_fields_and_explained: |system| boot_with_faketime(system, "logs.sh");
    gates_hold_units_to_their_permits: |system| boot(system, "gates.sh");
    no_gate_lends_root_or_stops_the_protection: |system| boot(system, "gate_attack.sh");
    a_subscription_s_life_is_enforced_on_real_units: |system| boot_with_faketime(system, "enforcement.sh");
    database_updates_run_in_a_real_systemd: |system| boot(system, "updates.sh");
    what_goes_wrong_around_the_agent_is_told_and_heals: |system| boot_with_faketime(system, "faults.sh");
    no_permit_outlasts_a_reboot: |system| if have_faketime() { boot_times(system, "reboot.sh", 2) };
    packages_are_installed_used_removed_and_purged: |system| boot(system, "package.sh");
    nothing_is_refused_or_lost_over_restarts_and_upgrades: |system| boot(system, "package_upgrade.sh");
    a_disk_that_is_full_is_told_and_heals: |system| boot(system, "package_disk.sh");
    an_id_is_bound_to_its_machine: |system| boot_times(system, "identity.sh", 2);
    /// Takes minutes: the clock is looked at once in one. Part of `.ci/run --long`.
    the_schedule_follows_a_clock_that_is_stepped: |system| {
        if std::env::var_os("SVM_TEST_LONG").is_some() {
            boot_with_faketime(system, "clock.sh");
        }
    };
}

#[test]
fn the_sandbox_is_as_tight_as_documented() {
    let analyze = |unit: &str, arguments: &[&str]| {
        Command::new("systemd-analyze").args(arguments).arg(root().join("systemd").join(unit)).output()
    };
    if analyze("svm-agent.service", &["--version"]).is_err() {
        let message = "not run: there is no systemd-analyze (Debian's package systemd)";
        assert!(std::env::var_os("SVM_TEST_REQUIRE_ALL").is_none(), "{message}");
        println!("{message}");
        return;
    }
    // As docs/reference/files.md says; in tenths.
    for (unit, most) in [("svm-agent.service", "13"), ("svm-collector.service", "11")] {
        let threshold = format!("--threshold={most}");
        let output = analyze(unit, &["security", "--no-pager", "--offline=true", &threshold]).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
