//! The programs under test.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The path of a program, which is up to date.
///
/// Cargo builds `svm-agent` before the tests, because it is of the same package. The other programs are built here when a
/// test first asks for them, with the same profile and into the same folder.
pub fn program(name: &str) -> &'static Path {
    static BUILT: Mutex<BTreeMap<String, &'static Path>> = Mutex::new(BTreeMap::new());
    let agent = Path::new(env!("CARGO_BIN_EXE_svm-agent"));
    if name == "svm-agent" {
        return agent;
    }
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = built.get(name) {
        return path;
    }
    let folder = agent.parent().unwrap();
    build(name, folder);
    let path: &'static Path = Box::leak(folder.join(name).into_boxed_path());
    built.insert(name.to_owned(), path);
    path
}

/// Builds a program into `folder`, such as `target/debug`.
fn build(name: &str, folder: &Path) {
    let profile = match folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        profile => profile,
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    // Build scripts run again when these change, and Cargo sets them for tests.
    for (variable, _) in std::env::vars_os() {
        if variable.to_str().is_some_and(|v| v.starts_with("CARGO_PKG_") || v.starts_with("CARGO_MANIFEST_"))
        {
            cargo.env_remove(variable);
        }
    }
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(["build", "--quiet", "--locked", "--workspace", "--bin", name, "--profile", profile]);
    // With a test among the targets, dependencies have the same features as in `cargo test`, and are not compiled twice.
    cargo.args(["--test", "architecture"]);
    let output = cargo.arg("--target-dir").arg(folder.parent().unwrap()).output().unwrap();
    assert!(output.status.success(), "{name} is not built: {}", String::from_utf8_lossy(&output.stderr));
}
