//! Issuing and publishing many keys by the real `svm-vendor`, and `rsync` or `cp` over the same files.

use super::{Figures, rounded, sized};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Of the short form, just so many that publishing remembers what it has seen.
fn key_count() -> u64 {
    sized(100_000, 1_200)
}

pub fn measure(figures: &mut Figures) {
    // On a disk, which `/tmp` may not be.
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let publisher =
        Publisher { binary: super::build_program("svm-vendor"), folder: folder.path().to_owned() };
    publisher.run(&["keygen", "--iss", "provider.example", "--name", "Example ISP"]);
    let many = key_count().to_string();
    let terms = ["--days=365", "--devices=250", "--grace-days=14", "--channel=isp", "--auto-renew"];
    let issue = [&["issue", "--count", &many, "--codes-to", "codes"], terms.as_slice()].concat();
    figures.insert("issue_100k_s", rounded(publisher.run(&issue).1));

    let publish = |figures: &mut Figures, name, written: u64| {
        let (answer, seconds) = publisher.run(&["publish", "www"]);
        assert_eq!(answer["written"], written, "{answer}");
        figures.insert(name, rounded(seconds));
    };
    publish(figures, "publish_100k_s", key_count());
    publish(figures, "publish_unchanged_100k_s", 0);
    let codes = std::fs::read_to_string(publisher.folder.join("codes")).unwrap();
    let id =
        codes.lines().nth(usize::try_from(key_count()).unwrap() / 2).unwrap().split_once('\t').unwrap().1;
    figures.insert("change_one_of_100k_s", rounded(publisher.run(&["pause", id]).1));
    publish(figures, "publish_one_of_100k_s", 1);
    figures.insert("list_100k_s", rounded(publisher.run(&["list", "--expiring-within=30"]).1));
    figures.insert("resign_100k_s", rounded(publisher.run(&["resign", "--all", "--why=x"]).1));

    // The peer copies the same files to an empty folder and waits for the disk as we do.
    let has_rsync = Command::new("rsync").arg("--version").output().is_ok();
    let copy: &[&str] =
        if has_rsync { &["rsync", "-a", "www/", "peer"] } else { &["cp", "-aT", "www", "peer"] };
    println!("beside {}", copy.join(" "));
    figures.insert("peer_copy_100k_s", rounded(publisher.peer(copy)));
    figures.insert("peer_copy_unchanged_100k_s", rounded(publisher.peer(copy)));
}

struct Publisher {
    binary: PathBuf,
    folder: PathBuf,
}

impl Publisher {
    /// What it answers, and after how many seconds.
    fn run(&self, args: &[&str]) -> (Value, f64) {
        let mut command = Command::new(&self.binary);
        command.args(["--json", "--ledger", "ledger"]).args(args);
        command.current_dir(&self.folder).env("HOME", self.folder.join("home"));
        let began = Instant::now();
        let output = command.output().unwrap();
        let seconds = began.elapsed().as_secs_f64();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
        (serde_json::from_slice(&output.stdout).unwrap(), seconds)
    }

    fn peer(&self, copy: &[&str]) -> f64 {
        let began = Instant::now();
        assert!(Command::new(copy[0]).args(&copy[1..]).current_dir(&self.folder).status().unwrap().success());
        synced(&self.folder.join("peer"));
        began.elapsed().as_secs_f64()
    }
}

/// Waits for the disk.
fn synced(folder: &Path) {
    rustix::fs::syncfs(std::fs::File::open(folder).unwrap()).unwrap();
}
