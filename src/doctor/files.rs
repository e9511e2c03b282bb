//! Files: who can read and write what, space on the disk, whether the database is intact, who is trusted.

use super::context::{DoctorContext, ONE, as_root};
use super::finding::{Area, Finding, Findings, Grade};
use crate::config::Settings;
use crate::control::{SocketKind, is_served};
use crate::storage::{InspectError, Inspection, StoredDocument, inspect};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use svm_core::documents::{Expect, TrustStore, verify};
use svm_core::error_chain::Chain;
use svm_core::files::list_folder;
use svm_core::library_words;
use svm_core::root_only::{Exposed, Who, only_root_may_change};

pub(super) fn check(context: &DoctorContext) -> Vec<Finding> {
    let settings = &context.settings;
    let mut found = Findings::of(Area::Files);
    state_folder(&mut found, &settings.state_dir);
    runtime_folder(&mut found, &settings.runtime_dir);
    governing(&mut found, settings);
    secrets(&mut found, settings);
    textfile(&mut found, settings, context.runs);
    let seen = inspect(&settings.state_dir, context.runs, ONE);
    let mut disk = Findings::of(Area::Disk);
    room(&mut disk, settings, seen.as_ref().map_or(0, |seen| seen.bytes));
    database(&mut disk, &seen);
    let mut trust = Findings::of(Area::Trust);
    signers(&mut trust, settings, seen.as_ref().map_or(&[], |seen| seen.documents.as_slice()));
    [found.found, disk.found, trust.found].concat()
}

/// Whether somebody listens; a connection that waits is none of the agent's affairs.
pub fn listens(settings: &Settings) -> bool {
    is_served(&settings.runtime_dir.join(SocketKind::Query.file_name()))
}

fn mode(about: &Metadata) -> u32 {
    about.mode() & 0o7777
}

fn state_folder(found: &mut Findings, folder: &Path) {
    let name = folder.display().to_string();
    let about = match std::fs::metadata(folder) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return found.note(name, "does not exist yet: the first start creates it");
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return found.note(name, as_root()),
        Err(error) => {
            return found.fail(
                &name,
                library_words::io(&error),
                format!("find out what is there: ls -ld {name}"),
            );
        }
    };
    if !about.is_dir() {
        return found.fail(
            &name,
            "is not a directory, so the agent cannot start",
            format!("move {name} away, then: systemctl restart svm-agent"),
        );
    }
    if mode(&about) & 0o077 != 0 {
        let text =
            format!("other users can read it (mode {:04o}); it contains keys and secret names", mode(&about));
        found.warn(&name, text, format!("chmod 700 {name}"));
    }
    if let Some(problem) = not_writable(folder, &about) {
        return found.fail(&name, problem, remount(folder));
    }
    let entries = match list_folder(folder) {
        Ok(entries) => entries,
        Err(_) => return found.note(name, as_root()),
    };
    let foreign: Vec<String> = entries
        .iter()
        .filter_map(|path| {
            let theirs = std::fs::symlink_metadata(path).is_ok_and(|file| file.uid() != about.uid());
            theirs.then(|| Some(path.file_name()?.to_string_lossy().into_owned())).flatten()
        })
        .take(5)
        .collect();
    match foreign.is_empty() {
        true => found.ok(name, format!("mode {:04o}, all files belong to its owner", mode(&about))),
        false => found.fail(
            &name,
            format!(
                "{}: owned by another user than the folder, so the agent cannot write there",
                foreign.join(", ")
            ),
            format!("chown -R --reference={name} {name}"),
        ),
    }
}

/// Why nothing can be stored in a folder, whatever its mode says: of the mount, and where this user may write there, of a
/// write that leaves nothing behind.
fn not_writable(folder: &Path, about: &Metadata) -> Option<String> {
    let mounted = rustix::fs::statvfs(folder).ok()?;
    if mounted.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        return Some("its file system is mounted read-only, so nothing can be stored".to_owned());
    }
    let user = rustix::process::geteuid();
    if !user.is_root() && user.as_raw() != about.uid() {
        return None;
    }
    let unnamed = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let written = rustix::fs::open(folder, unnamed, Mode::from_raw_mode(0o600))
        .and_then(|file| rustix::io::write(&file, b"x").map(drop));
    match written {
        // Not every file system has files without a name.
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => None,
        // Free space has a check of its own.
        Err(Errno::NOSPC | Errno::DQUOT) => None,
        Err(error) => Some(format!("cannot write there: {}", library_words::io(&error.into()))),
    }
}

fn remount(folder: &Path) -> String {
    format!(
        "find out why (dmesg: the kernel makes a damaged disk read-only), then: mount -o remount,rw, with the mount \
         point that this shows: findmnt --target {0}",
        folder.display()
    )
}

fn runtime_folder(found: &mut Findings, folder: &Path) {
    let name = folder.display().to_string();
    match std::fs::metadata(folder) {
        Ok(about) if not_writable(folder, &about).is_some() => {
            let problem = not_writable(folder, &about).unwrap_or_default();
            found.fail(&name, problem, remount(folder));
        }
        Ok(about) if mode(&about) & 0o022 != 0 => {
            let text =
                format!("other users can write to it (mode {:04o}), and so forge permits", mode(&about));
            found.fail(&name, text, format!("chmod 755 {name}"));
        }
        Ok(about) if mode(&about) & 0o005 != 0o005 => {
            let text = format!(
                "not every user can read it (mode {:04o}), so units cannot read their permits",
                mode(&about)
            );
            found.warn(&name, text, format!("chmod 755 {name}"));
        }
        Ok(about) => found.ok(&name, format!("mode {:04o}", mode(&about))),
        Err(_) => return found.note(name, "does not exist yet: the agent creates it when it starts"),
    }
    for (door, wanted, closed) in [(SocketKind::Query, 0o666, 0), (SocketKind::Control, 0o660, 0o007)] {
        let path = folder.join(door.file_name());
        let name = path.display().to_string();
        let restart = "systemctl restart svm-agent-query.socket svm-agent.socket svm-agent";
        match std::fs::symlink_metadata(&path) {
            Err(_) => found.note(name, "does not exist: the agent is not running"),
            Ok(about) if !about.file_type().is_socket() => {
                found.fail(
                    &name,
                    "is not a socket, so commands cannot reach the agent",
                    format!("rm {name}, then: {restart}"),
                );
            }
            Ok(about) if mode(&about) & closed != 0 => {
                let text =
                    format!("every user can change keys and settings through it (mode {:04o})", mode(&about));
                found.fail(&name, text, format!("chmod 660 {name}; see svm-agent.socket (SocketMode=)"));
            }
            Ok(about) if mode(&about) & 0o777 != wanted => {
                let text = format!("has mode {:04o} instead of {wanted:04o}", mode(&about));
                found.warn(
                    &name,
                    text,
                    format!("chmod {wanted:o} {name}; see the socket's unit (SocketMode=)"),
                );
            }
            Ok(about) => found.ok(name, format!("mode {:04o}", mode(&about))),
        }
    }
}

/// What decides whom the agent trusts and what runs for it.
fn governing(found: &mut Findings, settings: &Settings) {
    for (what, path) in settings.governing() {
        if std::fs::symlink_metadata(&path).is_err() {
            continue;
        }
        let name = path.display().to_string();
        match only_root_may_change(&path) {
            Ok(()) => found.ok(name, format!("{what}: only root can change it")),
            Err(Exposed { who: Who::Unknown(problem), .. }) => {
                found.note(name, format!("{what}: cannot find out who can change it: {problem}"));
            }
            Err(exposed) => {
                let text = format!("{what}: other users can change it, and so what the agent trusts or runs");
                found.fail(name, text, exposed.to_string());
            }
        }
    }
}

/// Tokens and private keys are nobody else's.
fn secrets(found: &mut Findings, settings: &Settings) {
    for (destination, of) in &settings.destinations {
        for (key, file) in of.files() {
            let Some(file) = file.as_deref().filter(|_| matches!(key, "token_file" | "key_file")) else {
                continue;
            };
            let name = format!("destinations.{destination}.{key}");
            // One that does not exist is reported with the settings.
            let Ok(about) = std::fs::metadata(file) else { continue };
            let file = file.display();
            match mode(&about) & 0o007 {
                0 => found.ok(name, format!("{file} has mode {:04o}", mode(&about))),
                _ => found.warn(
                    name,
                    format!("{file} can be read by every user (mode {:04o})", mode(&about)),
                    format!("chgrp svm-agent {file} && chmod 640 {file}; then replace the secret in it, because others may know it"),
                ),
            }
        }
    }
}

fn textfile(found: &mut Findings, settings: &Settings, runs: bool) {
    let Some(file) = &settings.metrics.textfile else { return };
    let (about, name) = ("metrics.textfile", file.display());
    let folder = file.parent().unwrap_or(Path::new("/"));
    let drop_in = format!(
        "systemctl edit svm-agent, with [Service] and ReadWritePaths={0}; setfacl -m u:svm-agent:rwx {0}; systemctl restart svm-agent",
        folder.display()
    );
    match (std::fs::metadata(folder), std::fs::metadata(file)) {
        (Err(error), _) => found.fail(
            about,
            format!("{}: {}", folder.display(), library_words::io(&error)),
            format!("mkdir -p {}", folder.display()),
        ),
        (Ok(_), Err(_)) if runs => {
            found.fail(
                about,
                format!("the agent does not write {name}: it has no permission, so there are no metrics"),
                drop_in,
            );
        }
        (Ok(_), Err(_)) => found.note(about, format!("{name} does not exist: the agent is not running")),
        (Ok(_), Ok(file)) => {
            let now = svm_core::clock::Clock::system().now();
            let age = now.as_second() - file.mtime();
            let late = age > 2 * settings.metrics.every.as_secs() + 60;
            match late && runs {
                true => found.fail(
                    about,
                    format!("{name} was last written {age} s ago, so the metrics are old"),
                    drop_in,
                ),
                false => found.ok(about, format!("{name} was last written {} s ago", age.max(0))),
            }
        }
    }
}

fn room(found: &mut Findings, settings: &Settings, used: u64) {
    // The folder, or the nearest above it that is there.
    let there = settings.state_dir.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok());
    let Some(there) = there else { return found.note("room", "cannot be checked") };
    if there.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        let text = "the file system is mounted read-only, so nothing can be stored";
        return found.fail("room", text, remount(&settings.state_dir));
    }
    let free = there.f_bavail.saturating_mul(there.f_frsize);
    let wanted = settings.outbox.bytes.saturating_sub(used);
    let megabytes = |bytes: u64| bytes / 1_000_000;
    let text = format!(
        "{} MB are free; the outbox may grow by {} MB (outbox.max_megabytes)",
        megabytes(free),
        megabytes(wanted)
    );
    let make_room = format!(
        "free space on the disk of {0} (du -x / | sort -n | tail), or lower outbox.max_megabytes",
        settings.state_dir.display()
    );
    match free {
        ..4_194_304 => found.fail("room", text, make_room),
        _ if free < wanted => found.warn("room", text, make_room),
        _ => found.ok("room", text),
    }
    // File systems that count none say 0 of 0.
    if there.f_files > 0 && there.f_favail < 1000 {
        let text = format!("only {} more files can be created", there.f_favail);
        let grade = if there.f_favail < 10 { Grade::Failure } else { Grade::Warning };
        found.add(
            grade,
            "inodes",
            text,
            Some("delete small files on that disk; df -i shows which disk it is".to_owned()),
        );
    }
}

fn database(found: &mut Findings, seen: &Result<Inspection, InspectError>) {
    let about = "database";
    let restart = "systemctl restart svm-agent: it sets a damaged database aside and builds a new one; then check the disk (dmesg, smartctl)";
    match seen {
        Ok(Inspection { problem: None, bytes, .. }) => {
            found.ok(about, format!("opens and is intact, {} kB", bytes / 1000));
        }
        Ok(Inspection { problem: Some(problem), .. }) => {
            found.fail(about, format!("is damaged: {problem}"), restart)
        }
        Err(InspectError::Denied) => found.note(about, as_root()),
        Err(error @ (InspectError::Missing | InspectError::Left)) => found.note(about, error.to_string()),
        Err(InspectError::Failed(problem)) if problem.contains("damaged") => {
            found.fail(about, problem.clone(), restart);
        }
        Err(error) => {
            found.warn(about, error.to_string(), "try again; if that does not help: journalctl -u svm-agent")
        }
    }
}

/// The trusted signers, and whether what is held was signed by one of them.
fn signers(found: &mut Findings, settings: &Settings, documents: &[StoredDocument]) {
    let folder = settings.trust_dir.display();
    let loaded = match TrustStore::load(&settings.trust_dir) {
        Ok(loaded) => loaded,
        Err(error) => {
            let make = format!(
                "mkdir -p {folder}, and put the provider's public key there; every user must be able to read it"
            );
            return found.fail("signers", format!("{}; no document can be verified", Chain(&error)), make);
        }
    };
    for problem in &loaded.problems {
        found.warn("signers", Chain(problem).to_string(), "repair the file, or remove it");
    }
    if loaded.store.is_empty() {
        found.fail(
            "signers",
            "no provider is trusted, so no document is accepted",
            format!("put the provider's public key into {folder}"),
        );
    } else {
        let issuers: Vec<&str> = loaded
            .store
            .signers()
            .flat_map(|(_, signer)| signer.issuers.iter().map(String::as_str))
            .collect();
        found.ok(
            "signers",
            format!("trusted keys: {}, of {}", loaded.store.signers().count(), issuers.join(", ")),
        );
    }
    for stored in documents {
        let expect = Expect { sub: None, issuer: Some(&stored.issuer) };
        match verify(&stored.jws, &loaded.store, expect) {
            Ok(document) => found.ok(format!("document of {}", stored.key), format!("is signed by {}", document.iss)),
            Err(error) => found.warn(
                format!("document of {}", stored.key),
                Chain(&error).to_string(),
                format!("put the signer's key back into {folder}, or ask the provider to publish it signed with a trusted key"),
            ),
        }
    }
}
