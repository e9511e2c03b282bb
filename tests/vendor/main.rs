//! The vendor's tool from outside: the real binary, its ledger and what it publishes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a test waits in the world's time")]

#[path = "../support/mod.rs"]
mod support;

mod bulk;
mod doctor;
mod folders;
mod git;
mod life;
mod listing;
mod nonsense;
mod page;
mod rehearsals;
mod signers;
mod trial;

use serde_json::Value;
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, SystemTime},
};
use support::program;
use svm_core::documents::{ActivationCode, Document, Expect, TrustStore, published_path, verify};
use svm_core::subscription::{Term, VendorState};

/// A provider's machine: home, ledger and web root.
struct Provider {
    root: tempfile::TempDir,
}

impl Provider {
    /// With a ledger.
    fn new() -> Self {
        let provider = Self::bare();
        provider.ok(&["keygen", "--iss", "provider.example", "--name", "Example ISP"]);
        provider
    }

    fn bare() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program("svm-vendor"));
        if !args.contains(&"--ledger") {
            command.args(["--ledger", "ledger"]);
        }
        command.args(args).current_dir(self.root.path()).env("HOME", self.path("home"));
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// The same with something on standard input.
    fn feed(&self, args: &[&str], input: &str) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What is printed for people; nothing was refused.
    fn text(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A limited subscription with this id; its code.
    fn issue(&self, id: &str) -> String {
        self.ok(&["issue", "--days=30", "--key-id", id])["code"].as_str().unwrap().to_owned()
    }

    fn ok(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {text}{error}");
        assert_eq!(error, "", "{args:?}");
        serde_json::from_str(&text).unwrap()
    }

    /// Refused: the exit code, then the code and the message of the JSON. The plain form says the same.
    fn refused(&self, args: &[&str], exit: i32) -> (String, String) {
        let output = self.run(&[args, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let plain = self.run(args);
        assert_eq!(plain.status.code(), Some(exit), "{args:?}");
        assert!(plain.stdout.is_empty() && !plain.stderr.is_empty(), "{args:?}: {plain:?}");
        let text = |name: &str| json["error"][name].as_str().unwrap().to_owned();
        (text("code"), text("message"))
    }

    fn trust(&self) -> TrustStore {
        let loaded = TrustStore::load(&self.path("ledger/trust.d")).unwrap();
        assert!(loaded.problems.is_empty());
        loaded.store
    }

    /// Publishes, and reads a code's document as an agent would.
    fn fetch(&self, code: &str) -> Document {
        self.ok(&["publish", "web"]);
        let sub = ActivationCode::parse(code).unwrap().sub();
        let text = fs::read_to_string(self.path("web").join(published_path(&sub))).unwrap();
        verify(&text, &self.trust(), Expect { sub: Some(&sub), issuer: Some("provider.example") }).unwrap()
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

/// The same without the empty pages that keep web servers from listing a folder.
fn documents_below(folder: &Path) -> Vec<PathBuf> {
    files_below(folder).into_iter().filter(|path| !path.ends_with("index.html")).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

/// All that lies below a folder, with its bytes and times.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    let mut files = files_below(folder);
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(&path).unwrap(), modified(&path))).collect()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}
