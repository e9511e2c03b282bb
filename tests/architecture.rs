//! Holds the floors of the house: each module imports only from floors below its own.
#![allow(clippy::disallowed_methods, reason = "a test reads files and folders as it likes")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every top-level module and its floor. One that is not here is refused.
const FLOORS: &[(&str, u8)] = &[
    ("subscription", 1),
    ("ask", 0),
    ("atomic_file", 0),
    ("backoff", 0),
    ("bounds", 0),
    ("clock", 2),
    ("command_line", 2),
    ("documents", 2),
    ("environment", 0),
    ("error_chain", 2),
    ("events", 2),
    ("files", 0),
    ("hex", 0),
    ("http", 2),
    ("lock", 0),
    ("logging", 2),
    ("memory", 2),
    ("percent", 0),
    ("places", 1),
    ("prometheus", 0),
    ("root_only", 0),
    ("secrets", 1),
    ("sequence", 0),
    ("settings", 2),
    ("text", 0),
    ("tls", 2),
];

/// Arrows inside a floor: one step, to a module that has no such arrow itself.
const BESIDE: &[(&str, &str)] = &[("command_line", "logging"), ("http", "clock"), ("http", "tls")];

/// Crates that floor 1 may use: time as a value, and data. Nothing that reads a clock, a file or a network.
const PURE: &[&str] = &["jiff", "serde", "serde_json", "std", "thiserror"];

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

/// The names that follow `crate::` anywhere in the text, groups in braces included; comments are passed over.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n");
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let word = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            None => drop(names.insert(word(rest))),
            Some(group) => {
                let (mut depth, mut start) = (0, true);
                for (i, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && depth == 0 && c.is_alphabetic() => {
                            names.insert(word(&group[i..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// What is wrong with a file of `module` that has this text.
fn wrong(module: &str, text: &str) -> Vec<String> {
    let Some(own) = floor(module) else {
        return vec![format!("{module} has no floor: say which in this test")];
    };
    let upwards =
        imports(text).into_iter().filter(|name| name != module).filter_map(|name| match floor(&name) {
            Some(other) if other < own => None,
            Some(_) if BESIDE.contains(&(module, name.as_str())) => None,
            Some(other) => Some(format!("{module} (floor {own}) imports {name} (floor {other})")),
            None => Some(format!("{module} imports {name}, which has no floor")),
        });
    upwards.collect()
}

#[test]
fn arrows_run_downwards_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src");
    let mut faults = Vec::new();
    let mut seen = BTreeMap::new();
    for path in files(&src) {
        let inside = path.strip_prefix(&src).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        if module == "lib" || module == "bin" {
            continue;
        }
        *seen.entry(module.to_owned()).or_insert(0) += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        faults.extend(wrong(module, &text).into_iter().map(|fault| format!("{}: {fault}", inside.display())));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(seen.len(), FLOORS.len(), "floors without a module: {seen:?}");
}

#[test]
fn floor_one_uses_nothing_that_reads_the_world() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src/subscription");
    for path in files(&src) {
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

#[test]
fn an_arrow_upwards_or_across_is_seen() {
    assert_eq!(wrong("subscription", "use crate::events::Record;").len(), 1);
    assert_eq!(wrong("events", "fn f() { crate::collector::serve() }").len(), 1);
    assert_eq!(wrong("events", "use crate::{text::clean, vendor::{a, b}, nobody::c};").len(), 2);
    assert_eq!(wrong("newcomer", "").len(), 1);
    assert_eq!(wrong("tls", "use crate::http::Connection;").len(), 1);
    assert!(
        wrong("events", "use crate::{text::clean, subscription::{State, step}};\n// crate::vendor")
            .is_empty()
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
