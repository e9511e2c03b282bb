//! What machine this is, and what lies in the folders of the agent.

use crate::config::Settings;
use std::fmt::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use svm_core::clock::{Clock, boot_id};
use svm_core::files::{list_folder, read_text_bounded};
use svm_core::library_words;

/// The largest of the kernel's files, in bytes.
const MAX_FILE: u64 = 16 * 1024;

/// How many entries of one folder are listed.
const MAX_NAMES: usize = 200;

/// How deep below a folder of the agent is listed.
const MAX_DEPTH: usize = 3;

/// Versions, time and size of the machine, a line each; what cannot be read has a question mark.
pub(super) fn facts(settings: &Settings, clock: &Clock, systemd: &str) -> String {
    let first = |path: &str| {
        let text = read_text_bounded(Path::new(path), MAX_FILE).ok();
        text.and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_else(|| "?".to_owned())
    };
    let line_of = |path: &str, start: &str| {
        let text = read_text_bounded(Path::new(path), MAX_FILE).unwrap_or_default();
        let line =
            text.lines().find_map(|line| Some(line.strip_prefix(start)?.trim_matches([' ', '"']).to_owned()));
        line.unwrap_or_else(|| "?".to_owned())
    };
    let uname = rustix::system::uname();
    let zone = std::fs::read_link("/etc/localtime").ok();
    let zone = zone.and_then(|path| Some(path.to_str()?.split_once("zoneinfo/")?.1.to_owned()));
    let free = |folder: &Path| match rustix::fs::statvfs(folder) {
        Ok(disk) => format!(
            "{} of {} MiB, {} of {} inodes",
            disk.f_bavail.saturating_mul(disk.f_frsize) >> 20,
            disk.f_blocks.saturating_mul(disk.f_frsize) >> 20,
            disk.f_favail,
            disk.f_files
        ),
        Err(error) => library_words::io(&error.into()),
    };
    let user = rustix::process::geteuid().as_raw();
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    [
        ("svm-agent", format!("{} ({})", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH)),
        ("asked by user id", user.to_string()),
        ("system", line_of("/etc/os-release", "PRETTY_NAME=")),
        ("kernel", format!("{} {}", uname.release().to_string_lossy(), uname.version().to_string_lossy())),
        ("systemd", systemd.to_owned()),
        ("host name", uname.nodename().to_string_lossy().into_owned()),
        (
            "machine",
            format!("{} {}", first("/sys/class/dmi/id/sys_vendor"), first("/sys/class/dmi/id/product_name")),
        ),
        ("system clock", clock.now().to_string()),
        ("time zone", zone.unwrap_or_else(|| "?".to_owned())),
        ("boot id", boot_id().to_owned()),
        ("up for seconds", first("/proc/uptime")),
        ("load", first("/proc/loadavg")),
        ("processors", cpus.to_string()),
        ("memory", line_of("/proc/meminfo", "MemTotal:")),
        ("memory available", line_of("/proc/meminfo", "MemAvailable:")),
        ("state folder free", free(&settings.state_dir)),
        ("runtime folder free", free(&settings.runtime_dir)),
    ]
    .iter()
    .fold(String::new(), |mut text, (name, value)| {
        writeln!(text, "{name:<20} {value}").ok();
        text
    })
}

/// Names, modes, owners, sizes and times of what lies in the folders of the agent; no content.
pub(super) fn folders(settings: &Settings) -> String {
    let mut text = "mode    user:group          bytes  changed               path\n".to_owned();
    for folder in
        [&settings.state_dir, &settings.runtime_dir, &settings.trust_dir, Path::new("/etc/svm-agent")]
    {
        list(folder, 0, &mut text);
    }
    text
}

fn list(path: &Path, depth: usize, text: &mut String) {
    let about = match std::fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) => {
            writeln!(text, "{}: {}", path.display(), library_words::io(&error)).ok();
            return;
        }
    };
    let owner = format!("{}:{}", about.uid(), about.gid());
    let changed =
        jiff::Timestamp::from_second(about.mtime()).map_or_else(|_| "?".to_owned(), |at| at.to_string());
    writeln!(
        text,
        "{:06o}  {owner:<12} {:>12}  {changed:<20}  {}",
        about.mode(),
        about.size(),
        path.display()
    )
    .ok();
    if !about.is_dir() || depth == MAX_DEPTH {
        return;
    }
    match list_folder(path) {
        Ok(mut entries) => {
            entries.sort();
            entries.iter().take(MAX_NAMES).for_each(|entry| list(entry, depth + 1, text));
        }
        Err(error) => {
            writeln!(text, "{}: {}", path.display(), library_words::io(&error)).ok();
        }
    }
}
