//! Holds the structure: each crate sees only what stands below it, and inside a crate each module uses only modules of
//! lower floors, and no files use each other in a circle. What has no place in these tables is refused.
#![allow(clippy::disallowed_methods, reason = "a test reads files and folders as it likes")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod imports;
mod words;

use imports::{Crate, Module};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The modules of a crate, from the ground up. A module uses only modules of the floors before its own.
type Floors = &'static [&'static [&'static str]];

/// Each crate of the workspace, its folder, and its floors.
const CRATES: &[(&str, &str, Floors)] = &[
    (
        "svm-agent",
        "src",
        &[
            &["config", "forecast", "log", "spread", "systemd", "update_request"],
            &["fetch", "gates", "identity", "outage", "permits"],
            &["health", "storage"],
            &["engine", "gateway"],
            &["context"],
            &["activation", "certificates", "delivery", "devices", "reserve", "source", "updates"],
            &["enforcement", "status"],
            &["control", "notices", "remedy", "renewal"],
            &["daemon", "doctor"],
            &["bundle"],
            &["cli"],
        ],
    ),
    (
        "svm-core",
        "crates/core/src",
        &[
            &["library_words"],
            &["text"],
            &[
                "ask",
                "atomic_file",
                "backoff",
                "bounds",
                "environment",
                "error_chain",
                "failure_code",
                "files",
                "hex",
                "lock",
                "migrations",
                "nearest",
                "percent",
                "prometheus",
                "root_only",
                "sequence",
                "subscription",
                "terminal",
            ],
            &["clock", "logging", "memory", "places", "secrets", "settings", "words"],
            &["command_line", "documents", "events", "tls"],
            &["http"],
        ],
    ),
    (
        "svm-collector",
        "crates/collector/src",
        &[
            &["connections", "gaps", "hosts", "reported", "sender", "shutdown", "tokens"],
            &["cloudevent", "settings", "stream", "token_file"],
            &["machines", "wire"],
            &["fleet"],
            &["cli", "metrics"],
            &["store"],
            &["answer"],
            &["coding", "query", "room"],
            &["app"],
            &["access", "api", "ingest"],
            &["live", "page"],
            &["routes"],
            &["serve"],
        ],
    ),
    (
        "svm-vendor",
        "crates/vendor/src",
        &[
            &["difference", "error", "parallel", "serve"],
            &["change", "files", "key_ref", "profile", "validation"],
            &["entry", "order"],
            &["ledger"],
            &["published_index", "signers"],
            &["doctor", "publish"],
            &["provider"],
            &["cli", "issuing"],
        ],
    ),
    ("svm-demo", "crates/demo/src", &[&["world"], &["print", "verdict"], &["story"]]),
    ("svm-manual", "crates/manual/src", &[&["page"], &["settings"]]),
];

/// Crates that the rules of a subscription may use: time as a value, and data. Nothing that reads a clock, a file or a
/// network.
const PURE: &[&str] = &["jiff", "serde", "serde_json", "std", "thiserror"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

fn shown(module: &Module) -> String {
    if module.is_empty() { "the root".to_owned() } else { module.join("::") }
}

/// What is wrong with the arrows between the modules of a crate.
fn faults(krate: &Crate, floors: Floors) -> Vec<String> {
    let floor: BTreeMap<&str, usize> =
        floors.iter().enumerate().flat_map(|(n, all)| all.iter().map(move |name| (*name, n))).collect();
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for module in krate.modules() {
        // The root composes what it declares.
        let Some(own) = module.first() else { continue };
        let first = seen.insert(own.as_str());
        let Some(from) = floor.get(own.as_str()) else {
            faults.extend(first.then(|| format!("{own} has no floor: say which in tests/architecture")));
            continue;
        };
        for used in krate.used_by(module) {
            match used.first() {
                None => faults.push(format!("{} uses the root of its crate", shown(module))),
                Some(other) if other == own => {}
                Some(other) => match floor.get(other.as_str()) {
                    Some(to) if to < from => {}
                    _ => faults.push(format!("{} (floor {from}) uses {}", shown(module), shown(&used))),
                },
            }
        }
    }
    faults.extend(
        floor.keys().filter(|name| !seen.contains(*name)).map(|name| format!("there is no module {name}")),
    );
    faults
}

#[test]
fn arrows_run_downwards_only() {
    for (name, folder, floors) in CRATES {
        let faults = faults(&Crate::read(&root().join(folder)), floors);
        assert!(faults.is_empty(), "{name}:\n{}", faults.join("\n"));
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    for (name, folder, _) in CRATES {
        let circles: Vec<String> = Crate::read(&root().join(folder))
            .circles()
            .iter()
            .map(|circle| circle.iter().map(shown).collect::<Vec<_>>().join(", "))
            .collect();
        assert!(circles.is_empty(), "{name}:\n{}", circles.join("\n"));
    }
}

#[test]
fn an_arrow_upwards_across_or_in_a_circle_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, code: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, code).unwrap();
    };
    let check = |floors| {
        let krate = Crate::read(folder.path());
        (faults(&krate, floors), krate.circles())
    };
    write("lib.rs", "pub mod low;\npub mod high;\n");
    write(
        "low.rs",
        "//! crate::high\npub struct Low; // crate::high\n#[cfg(test)]\nmod tests {\n    use crate::high::High;\n}\n",
    );
    write("high/mod.rs", "mod inner;\npub use inner::High;\nuse crate::low::{self, Low};\n");
    write("high/inner.rs", "pub struct High;\n");
    assert_eq!(check(&[&["low"], &["high"]]), (vec![], vec![]));
    assert_eq!(check(&[&["low", "high"]]).0.len(), 1, "across");
    assert_eq!(check(&[&["high"], &["low"]]).0.len(), 1, "upwards");
    assert_eq!(check(&[&["low"]]).0.len(), 1, "no floor");
    assert_eq!(check(&[&["low"], &["high"], &["gone"]]).0.len(), 1, "no module");
    write("low.rs", "fn f() -> super::high::High { crate::high::High }\n");
    let (faults, circles) = check(&[&["low"], &["high"]]);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(circles.is_empty(), "what is handed on lies in a file of its own: {circles:?}");
    write("high/inner.rs", "use super::Own;\npub struct High;\n");
    write("high/mod.rs", "mod inner;\npub use inner::High;\npub struct Own;\n");
    assert_eq!(check(&[&["high"], &["low"]]).1.len(), 1, "a parent and its child");
}

#[test]
fn the_rules_of_a_subscription_use_nothing_that_reads_the_world() {
    for path in files(&root().join("crates/core/src/subscription")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().map(str::trim) {
            let Some(used) = line.strip_prefix("use ").or_else(|| line.strip_prefix("pub use ")) else {
                continue;
            };
            let name: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let a_type = name.starts_with(char::is_uppercase);
            let own = a_type
                || ["super", "crate", "self"].contains(&name.as_str())
                || path.with_file_name(format!("{name}.rs")).exists();
            assert!(own || PURE.contains(&name.as_str()), "{}: {line}", path.display());
        }
        for door in ["std::fs", "std::net", "std::time", "std::env", "tracing::", "Timestamp::now"] {
            assert!(!text.contains(door), "{} mentions {door}", path.display());
        }
    }
}
/// Libraries quote what they cannot read. Whatever reads a file that may hold a secret goes through `crates/core/src/secrets/`, whose
/// errors are made of our own words.
#[test]
fn files_that_may_hold_a_secret_are_read_in_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let src = root.join("crates/core/src");
    for path in ["src", "crates"].into_iter().flat_map(|folder| files(&root.join(folder))) {
        let inside = path.strip_prefix(&src).unwrap_or(&path);
        let text = std::fs::read_to_string(&path).unwrap();
        for reader in [
            "PemObject",
            "from_pem_slice",
            "from_pem_file",
            "from_pem_reader",
            "pem_slice_iter",
            "rustls_pemfile",
        ] {
            assert!(!text.contains(reader), "{} reads PEM by a library: {reader}", inside.display());
        }
        if !inside.starts_with("secrets") {
            continue;
        }
        // There is no way from a text that was read to one that is shown.
        for way in ["impl From<", "#[source]", "#[from]", "error.to_string()", "String::from"] {
            assert!(!text.contains(way), "{} has {way}", inside.display());
        }
    }
    let plain = std::fs::read_to_string(src.join("secrets/mod.rs")).unwrap();
    let fields = plain.split_once("pub struct Plain {").unwrap().1.split_once('}').unwrap().0;
    assert_eq!(
        fields.split_whitespace().collect::<Vec<_>>().join(" "),
        "text: &'static str, number: Option<usize>,"
    );
}

/// The agent is built from what it needs, and nothing of the other programs comes into it.
#[test]
fn the_agent_has_nothing_of_the_other_programs() {
    let tree = |package: &str| {
        let tree = std::process::Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--offline", "--package", package, "--edges", "normal,build"])
            .args(["--prefix", "none", "--format", "{p}"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8(tree.stdout).unwrap();
        tree.lines()
            .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
            .collect::<BTreeSet<_>>()
    };
    let agent = tree("svm-agent");
    assert!(agent.contains("svm-core") && agent.contains("rusqlite"), "{agent:?}");
    for other in ["axum", "axum-core", "maud", "anyhow", "subtle-encoding", "clap_complete", "clap_mangen"] {
        assert!(!agent.contains(other), "the agent has {other}");
    }
    let own = agent.iter().filter(|name| name.starts_with("svm-")).collect::<Vec<_>>();
    assert_eq!(own, ["svm-agent", "svm-core"]);
    // And each crate sees only what stands below it.
    for (package, below) in
        [("svm-core", &[][..]), ("svm-collector", &["svm-core"]), ("svm-vendor", &["svm-core"])]
    {
        let own = tree(package).into_iter().filter(|name| name.starts_with("svm-") && name != package);
        assert_eq!(own.collect::<Vec<_>>(), below, "{package}");
    }
}
