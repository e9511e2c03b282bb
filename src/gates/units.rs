//! Gates: units that ask for their permit at each start, as the daemon sees them.
//!
//! Promises: a gate is a drop-in that `svm-agent gate install` wrote; every other file there is ignored, and never more
//! than a bound is read of anything. Anyone may read it. Must not know: systemctl, polkit, whether a gate is in force.

use crate::gates::drop_ins;
use crate::gates::drop_ins::{Gate, MAX_BYTES};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use svm_core::files;

/// Where an administrator's units and drop-ins are.
pub const SYSTEMD_DIR: &str = "/etc/systemd/system";

/// So many gates are looked at.
const MAX_GATES: usize = 1000;

/// The gates whose drop-ins are in a folder, by name; none where there is no such folder.
///
/// # Errors
/// The folder cannot be listed.
pub fn installed(systemd_dir: &Path) -> std::io::Result<Vec<Gate>> {
    let units = marked(systemd_dir)?;
    Ok(units.into_iter().filter_map(|(unit, text)| drop_ins::gate(&unit, &text)).collect())
}

/// The units that have a drop-in with our mark, by name, each with its text; whether or not it can still be read as a
/// gate.
///
/// # Errors
/// As above.
pub fn marked(systemd_dir: &Path) -> std::io::Result<Vec<(String, String)>> {
    let entries = match files::list_folder(systemd_dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let unit = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        name.strip_suffix(".d").filter(|unit| unit.ends_with(".service")).map(str::to_owned)
    };
    let mut units: Vec<String> = entries.into_iter().filter_map(unit).collect();
    units.sort();
    let text = |unit: String| {
        let path = drop_ins::drop_in_path(systemd_dir, &unit);
        let text = files::read_unlinked_text(&path, MAX_BYTES).ok().flatten()?;
        drop_ins::is_marked(&text).then_some((unit, text))
    };
    Ok(units.into_iter().filter_map(text).take(MAX_GATES).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::drop_ins::Asks;
    use std::fs;
    use svm_core::subscription::Resource;

    #[test]
    fn only_our_drop_ins_count() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let asks = || Asks::Gate { runtime_dir: "/run/svm-agent".into() };
        assert_eq!(installed(&at("nowhere")).unwrap(), []);
        let gates = [
            Gate {
                unit: "a\\x2db@1.service".to_owned(),
                resource: Resource::Ksn,
                ksn_only: true,
                asks: asks(),
            },
            Gate {
                unit: "b.service".to_owned(),
                resource: Resource::DatabaseUpdates,
                ksn_only: false,
                asks: asks(),
            },
        ];
        for gate in gates.iter().rev() {
            let path = drop_ins::drop_in_path(folder.path(), &gate.unit);
            fs::create_dir(path.parent().unwrap()).unwrap();
            fs::write(path, drop_ins::drop_in(gate)).unwrap();
        }
        // And junk: no file, a pipe, too much, not ours, marked but changed, no text, no folder, no service.
        let good = drop_ins::drop_in(&gates[1]);
        for (unit, junk) in [
            ("c.service", "[Service]\nExecCondition=/usr/bin/true\n".to_owned()),
            ("d.service", good.replace("ExecCondition=", "#ExecCondition=")),
            ("e.service", "#".repeat(17_000) + &good),
            ("f.timer", good.clone()),
        ] {
            fs::create_dir(at(&format!("{unit}.d"))).unwrap();
            fs::write(drop_ins::drop_in_path(folder.path(), unit), junk).unwrap();
        }
        for unit in ["g.service", "h.service", "i.service", "j.service"] {
            fs::create_dir(at(&format!("{unit}.d"))).unwrap();
        }
        fs::create_dir(drop_ins::drop_in_path(folder.path(), "h.service")).unwrap();
        let pipe = drop_ins::drop_in_path(folder.path(), "i.service");
        assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
        fs::write(drop_ins::drop_in_path(folder.path(), "j.service"), [0xff, 0xfe]).unwrap();
        fs::write(at("k.service.d"), good).unwrap();
        assert_eq!(installed(folder.path()).unwrap(), gates);
        let marked: Vec<_> = marked(folder.path()).unwrap().into_iter().map(|(unit, _)| unit).collect();
        assert_eq!(marked, ["a\\x2db@1.service", "b.service", "d.service"], "what was changed is still ours");
    }
}
