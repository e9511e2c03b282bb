//! The two files of a gate: the drop-in that asks for the permit, and the polkit rule that lets the agent stop and start
//! this one unit.
//!
//! Promises: pure texts; the unit's name gets into each as its form wants it, and what [`drop_in`] writes [`gate`] reads.
//! The drop-in is what makes a gate: it is written first and taken away last. Must not know: whether a unit may be gated.

use std::path::{Path, PathBuf};
use svm_core::subscription::Resource;

/// Where an administrator's rules of polkit are.
pub const RULES_DIR: &str = "/etc/polkit-1/rules.d";

/// The program that asks at each start (`crates/gate`).
pub const PROGRAM: &str = "/usr/libexec/svm-agent/gate";

/// What asked in form 1.
const FORMER_PROGRAM: &str = "/usr/bin/svm-agent permit --take";

/// The form of drop-ins, and that of rules.
const DROP_IN_FORM: &str = "2";
const RULE_FORM: &str = "1";

/// Begins the first line of each file, after the sign of a comment.
const MARK: &str = "svm-agent gate, form ";

/// No file of a gate is larger.
pub const MAX_BYTES: u64 = 16 * 1024;

/// The longest name of a unit, in bytes, that leaves room for those of its files.
pub const LONGEST_NAME: usize = 255 - "50-svm-agent-".len() - ".rules".len();

/// A unit that asks for a permit at each start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gate {
    /// Its name, such as `update.service`.
    pub unit: String,
    /// The permit that it asks for.
    pub resource: Resource,
    /// Whether it reaches nothing but this machine, so that the gateway is its only way to KSN.
    pub ksn_only: bool,
    /// What it runs to ask.
    pub asks: Asks,
}

/// What a gated unit runs to ask for its permit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asks {
    /// The gate program, with the permits of this runtime folder.
    Gate {
        /// As `paths.runtime_dir` was when the gate was installed.
        runtime_dir: PathBuf,
    },
    /// The agent's own command, as an older svm-agent installed it: it obeys the environment of the unit.
    Agent,
}

impl Gate {
    /// Whether an older svm-agent installed it, so that it is to be installed anew.
    pub fn is_outdated(&self) -> bool {
        self.asks == Asks::Agent
    }
}

/// The drop-in of a unit.
pub fn drop_in_path(systemd_dir: &Path, unit: &str) -> PathBuf {
    systemd_dir.join(format!("{unit}.d")).join("50-svm-agent.conf")
}

/// The rule of a unit.
pub fn rule_path(rules_dir: &Path, unit: &str) -> PathBuf {
    rules_dir.join(format!("50-svm-agent-{unit}.rules"))
}

/// The unit whose rule has this file name.
pub fn ruled_unit(file_name: &str) -> Option<&str> {
    let unit = file_name.strip_prefix("50-svm-agent-")?.strip_suffix(".rules")?;
    unit.ends_with(".service").then_some(unit)
}

/// Whether a file was written by `svm-agent gate`, in this form or another.
pub fn is_marked(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    ["# ", "// "].iter().any(|sign| first.strip_prefix(sign).is_some_and(|rest| rest.starts_with(MARK)))
}

/// Whether a runtime folder can stand in a command line of systemd as it is.
pub fn is_plain(runtime_dir: &Path) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/_.-".contains(&b);
    runtime_dir.is_absolute() && runtime_dir.to_str().is_some_and(|text| text.bytes().all(plain))
}

/// What the unit runs before each start: a program and its arguments, with `unit` as it is there.
pub fn condition(asks: &Asks, resource: Resource, unit: &str) -> String {
    let resource = resource.file_name();
    match asks {
        Asks::Gate { runtime_dir } => format!("{PROGRAM} {} {resource} {unit}", runtime_dir.display()),
        Asks::Agent => format!("{FORMER_PROGRAM} {resource} --unit {unit}"),
    }
}

/// The text of the drop-in. That of an outdated gate is what the older svm-agent wrote.
pub fn drop_in(gate: &Gate) -> String {
    let mark = mark('#', 1, &gate.unit, if gate.is_outdated() { "1" } else { DROP_IN_FORM });
    // `%n` is the unit's whole name: whatever stands in it need not be written here.
    let condition = condition(&gate.asks, gate.resource, "%n");
    let network = if gate.ksn_only {
        "# KSN only by the gateway of this machine.\nIPAddressDeny=any\nIPAddressAllow=localhost\n"
    } else {
        ""
    };
    format!(
        "{mark}[Unit]\nAfter=svm-agent.service\n\n[Service]\nExecCondition=+{condition}\n\
         # Being stopped with its permit is no failure.\nSuccessExitStatus=SIGTERM\n{network}"
    )
}

/// Reads what [`drop_in`] wrote; `None` where it is something else.
pub fn gate(unit: &str, text: &str) -> Option<Gate> {
    let form = text.lines().next()?.strip_prefix("# ")?.strip_prefix(MARK)?;
    let form = form.split(|c: char| !c.is_ascii_digit()).next()?;
    let conditions = || text.lines().filter_map(|line| line.trim_end().strip_prefix("ExecCondition=+"));
    let asks = |command: &str| match form {
        DROP_IN_FORM => {
            let runtime_dir = command.strip_prefix(PROGRAM)?.strip_prefix(' ')?.split(' ').next()?;
            let runtime_dir = PathBuf::from(runtime_dir);
            is_plain(&runtime_dir).then_some(Asks::Gate { runtime_dir })
        }
        "1" => Some(Asks::Agent),
        _ => None,
    };
    let found = conditions().find_map(|command| {
        let asks = asks(command)?;
        let resource =
            Resource::ALL.into_iter().find(|resource| command == condition(&asks, *resource, "%n"))?;
        Some((asks, resource))
    });
    let (asks, resource) = found?;
    let ksn_only = text.lines().any(|line| line.trim_end() == "IPAddressDeny=any");
    Some(Gate { unit: unit.to_owned(), resource, ksn_only, asks })
}

/// The text of the rule: the agent's user may start, stop and kill this unit. Everything else is left to other rules.
pub fn rule(unit: &str) -> String {
    // JSON is JavaScript, and more so as the name of a unit is ASCII.
    let name = serde_json::Value::from(unit);
    format!(
        r#"{}polkit.addRule(function(action, subject) {{
    if (action.id == "org.freedesktop.systemd1.manage-units" &&
        subject.user == "svm-agent" &&
        action.lookup("unit") == {name} &&
        ["start", "stop", "kill"].indexOf(action.lookup("verb")) >= 0) {{
        return polkit.Result.YES;
    }}
}});
"#,
        mark('/', 2, unit, RULE_FORM)
    )
}

fn mark(sign: char, times: usize, unit: &str, form: &str) -> String {
    let sign = sign.to_string().repeat(times);
    // As a shell takes it.
    let word = if unit.contains('\\') { format!("'{unit}'") } else { unit.to_owned() };
    format!(
        "{sign} {MARK}{form}: written by `svm-agent gate install`, which writes over changes.\n\
         {sign} Take it away with: svm-agent gate remove {word}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate_of(unit: &str, resource: Resource, ksn_only: bool) -> Gate {
        let asks = Asks::Gate { runtime_dir: "/run/svm-agent".into() };
        Gate { unit: unit.to_owned(), resource, ksn_only, asks }
    }

    #[test]
    fn the_drop_in_asks_for_the_permit() {
        let text = drop_in(&gate_of("update@1.service", Resource::DatabaseUpdates, false));
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                "[Unit]",
                "After=svm-agent.service",
                "",
                "[Service]",
                "ExecCondition=+/usr/libexec/svm-agent/gate /run/svm-agent database-updates %n",
                "SuccessExitStatus=SIGTERM",
            ]
        );
        assert!(text.contains("svm-agent gate remove update@1.service\n"));
        let text = drop_in(&gate_of("k.service", Resource::Ksn, true));
        assert!(text.contains("/gate /run/svm-agent ksn %n\n"));
        assert!(text.ends_with("IPAddressDeny=any\nIPAddressAllow=localhost\n"));
    }

    #[test]
    fn what_is_written_is_read() {
        for (unit, resource, ksn_only) in [
            ("a.service", Resource::DatabaseUpdates, false),
            ("dev-sda\\x2d1@x.service", Resource::Ksn, true),
            ("k.service", Resource::Ksn, false),
        ] {
            let whole = gate_of(unit, resource, ksn_only);
            let text = drop_in(&whole);
            assert!(is_marked(&text) && is_marked(&rule(unit)));
            assert_eq!(gate(unit, &text), Some(whole.clone()));
            assert_eq!(gate(unit, &text.replace("form 2", "form 12")), None, "a newer agent's");
            assert!(is_marked(&text.replace("form 2", "form 12")));
            assert_eq!(gate(unit, &text.replace("/run/svm-agent ", "run ")), None, "no folder");
            assert_eq!(gate(unit, &text.replace("/run/svm-agent ", "/run/%i ")), None, "not plain");
            let former = Gate { asks: Asks::Agent, ..whole };
            let text = drop_in(&former);
            let line = format!(
                "ExecCondition=+/usr/bin/svm-agent permit --take {} --unit %n\n",
                resource.file_name()
            );
            assert!(text.contains(": written") && text.contains("form 1:") && text.contains(&line), "{text}");
            assert_eq!(gate(unit, &text), Some(former));
            assert_eq!(
                ruled_unit(rule_path(Path::new("/"), unit).file_name().unwrap().to_str().unwrap()),
                Some(unit)
            );
        }
        assert_eq!(
            gate("a.service", "[Service]\nExecCondition=+/usr/bin/svm-agent permit --take ksn --unit %n"),
            None
        );
        assert_eq!(ruled_unit("50-svm-agent.rules"), None, "the agent's own");
    }

    #[test]
    fn the_rule_names_one_unit_whatever_its_name() {
        let text = rule("dev-sda\\x2d1.service");
        assert!(text.contains(r#"action.lookup("unit") == "dev-sda\\x2d1.service" &&"#), "{text}");
        assert!(text.contains("gate remove 'dev-sda\\x2d1.service'\n"), "{text}");
        assert!(rule("a\"b").contains(r#"== "a\"b" &&"#));
        assert_eq!(text.matches("polkit.Result").count(), 1, "it says yes or nothing");
    }

    #[test]
    fn the_longest_name_has_room_for_its_files() {
        let unit = format!("{}.service", "u".repeat(LONGEST_NAME - ".service".len()));
        for path in [rule_path(Path::new("/"), &unit), drop_in_path(Path::new("/"), &unit)] {
            assert!(path.iter().all(|name| name.len() <= 255), "{}", path.display());
        }
    }
}
