//! Which units may be gated, and whether a gate is in force.
//!
//! Promises: pure, over what systemd reported; each refusal has a code and names the way out. Nothing passes that could stop
//! protection. Must not know: files, processes, how systemd is asked.

use crate::config::{ALWAYS_PROTECTION, service_name};
use crate::gates::drop_ins::{Asks, Gate, LONGEST_NAME, PROGRAM, condition};
use crate::systemd::systemctl::UnitState;
use std::path::Path;
use svm_core::nearest::nearest as nearest_name;

/// Why a unit may not be gated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateRefusal {
    /// Another kind of unit.
    #[error("{unit} is not a service, and only a service can be gated: {}", instead(.services))]
    NotAService {
        unit: String,
        /// The services that it starts.
        services: Vec<String>,
    },
    #[error("the unit of a gate {0}")]
    Name(String),
    #[error("{0} is a template: gate each instance of it, such as {instance}", instance = .0.replacen("@.", "@1.", 1))]
    Template(String),
    /// Its files could not be named after it.
    #[error("{0} is longer than {LONGEST_NAME} bytes; give the unit a shorter name, an alias is not enough")]
    TooLong(String),
    /// It is not there.
    #[error("there is no unit {unit}{}", .nearest.as_ref().map_or_else(
        || "; systemctl list-unit-files --type=service lists the services".to_owned(),
        |nearest| format!("; did you mean {nearest}?")))]
    NotFound {
        unit: String,
        /// The nearest that is.
        nearest: Option<String>,
    },
    /// It cannot be started anyhow.
    #[error("{0} is masked, so it never starts; if it shall run with a permit: systemctl unmask {0}")]
    Masked(String),
    /// systemd does not understand it.
    #[error("systemd cannot load {unit} ({load}); see systemctl status {unit}")]
    Broken { unit: String, load: String },
    #[error(
        "{0} belongs to svm-agent, which gates its own units itself; gate the service that updates the databases or uses KSN"
    )]
    Own(String),
    #[error(
        "{unit} is a unit of the protection (enforcement.protection_units), which is never stopped; gate the service that \
         updates the databases or uses KSN"
    )]
    Protection { unit: String },
    /// Protection would go with it.
    #[error(
        "{unit} cannot be gated: starting or stopping it would stop {protection}, a unit of the protection, by {way}; gate \
         a service that stops no unit of the protection"
    )]
    ProtectionFollows {
        unit: String,
        /// What stops with it.
        protection: String,
        way: String,
    },
    /// Its drop-ins count for others.
    #[error(
        "the drop-ins of {0} apply to every unit whose name begins like it (systemd.unit(5)), so its gate would gate other \
         units too; give the unit a name without a dash before .service or @"
    )]
    SharedDropIns(String),
    /// The gate reached a unit of the protection.
    #[error(
        "the gate of {unit} also applied to {protection}, a unit of the protection, and was removed again; gate a service \
         whose drop-ins are its own"
    )]
    ProtectionGated {
        unit: String,
        /// Whose drop-in it was too.
        protection: String,
    },
    /// The runtime folder cannot stand in a unit.
    #[error(
        "paths.runtime_dir is {0}, but a gate allows only letters, digits and / _ . - in this path; choose another folder"
    )]
    RuntimeDir(String),
    /// Somebody else could change what runs as root.
    #[error("the gate of {unit} could be bypassed: {exposed}")]
    Exposed {
        unit: String,
        /// What, by whom, and what to do.
        exposed: String,
    },
    /// A refusal would count as permission.
    #[error(
        "{0} treats exit code 75 as success (SuccessExitStatus=), so it would run although its permit is refused; remove 75 \
         (TEMPFAIL) from that setting"
    )]
    Counts75(String),
    /// It has nothing to run.
    #[error(
        "{0} runs no command (ExecStart=), so there is nothing to gate; gate the service that does the work"
    )]
    NoCommand(String),
    /// It comes before the agent.
    #[error(
        "{unit} starts before {before}, but a gated service starts after svm-agent.service, which is later; remove \
         Before={before} (or DefaultDependencies=no) from the unit"
    )]
    Early { unit: String, before: String },
    #[error(
        "{unit} accepts connections ({by}), and --ksn would block these too; use --resource ksn instead of --ksn, or move \
         the part that uses KSN into a service of its own"
    )]
    Listens { unit: String, by: String },
    /// Whether it accepts connections could not be seen.
    #[error(
        "{0} does not run now, so the agent cannot see whether it accepts connections, which --ksn would block; start it \
         and try again, or add --not-listening if you know that it accepts none"
    )]
    NotLookedAt(String),
    /// Other settings of the unit undo the gate.
    #[error("the gate of {unit} had no effect and was removed again: {why}{}", in_files(.files))]
    Undone {
        unit: String,
        why: String,
        /// Where that may be.
        files: Vec<String>,
    },
}

impl GateRefusal {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAService { .. } => "not_a_service",
            Self::Name(_) => "bad_unit_name",
            Self::Template(_) => "unit_is_template",
            Self::TooLong(_) => "unit_name_too_long",
            Self::NotFound { .. } => "unit_not_found",
            Self::Masked(_) => "unit_masked",
            Self::Broken { .. } => "unit_broken",
            Self::Own(_) => "own_unit",
            Self::Protection { .. } => "protection_unit",
            Self::ProtectionFollows { .. } => "protection_follows",
            Self::SharedDropIns(_) => "drop_ins_shared",
            Self::ProtectionGated { .. } => "protection_gated",
            Self::RuntimeDir(_) => "runtime_dir_unfit",
            Self::Exposed { .. } => "gate_exposed",
            Self::Counts75(_) => "counts_75_as_success",
            Self::NoCommand(_) => "no_command",
            Self::Early { .. } => "starts_too_early",
            Self::Listens { .. } => "unit_listens",
            Self::NotLookedAt(_) => "unit_not_running",
            Self::Undone { .. } => "gate_undone",
        }
    }
}

fn instead(services: &[String]) -> String {
    match services {
        [] => "give the service that does the work".to_owned(),
        services => format!("gate the service that it starts, {}", services.join(" or ")),
    }
}

fn in_files(files: &[String]) -> String {
    if files.is_empty() { String::new() } else { format!("; see {}", files.join(", ")) }
}

/// Properties that [`check`] reads, beside the usual ones.
pub const PROPERTIES: &[&str] = &["Names", "SuccessExitStatus", "TriggeredBy", "Before", "ControlGroup"];

/// What comes up before the agent does (`svm-agent.service`): what is before these would wait for what waits for it.
const BEFORE_THE_AGENT: &[&str] = &[
    "svm-agent.service",
    "svm-agent.socket",
    "svm-agent-query.socket",
    "time-sync.target",
    "time-set.target",
    "network.target",
    "network-pre.target",
    "sockets.target",
    "basic.target",
    "sysinit.target",
];

/// Whether a name can be that of a gate, before anyone is asked.
///
/// # Errors
/// [`GateRefusal`]; of another kind of unit without the services that it starts.
pub fn name(unit: &str) -> Result<(), GateRefusal> {
    let other =
        |kind: &str| unit.strip_suffix(kind).is_some_and(|stem| !stem.is_empty() && !stem.starts_with('-'));
    let kinds = [
        ".timer",
        ".socket",
        ".path",
        ".target",
        ".mount",
        ".automount",
        ".slice",
        ".scope",
        ".device",
        ".swap",
    ];
    if kinds.into_iter().any(other) {
        return Err(GateRefusal::NotAService { unit: unit.to_owned(), services: Vec::new() });
    }
    let good = service_name(unit);
    if unit.strip_suffix("@.service").is_some_and(|stem| service_name(&format!("{stem}.service")).is_ok()) {
        return Err(GateRefusal::Template(unit.to_owned()));
    }
    good.map_err(GateRefusal::Name)?;
    if unit.len() > LONGEST_NAME {
        return Err(GateRefusal::TooLong(unit.to_owned()));
    }
    // `a-.service.d` is a folder of drop-ins of every `a-*.service`, and `a-@1.service.d` of every `a-*@1.service`.
    let stem = unit.strip_suffix(".service").unwrap_or(unit);
    if stem.split('@').next().is_some_and(|prefix| prefix.ends_with('-')) {
        return Err(GateRefusal::SharedDropIns(unit.to_owned()));
    }
    own(unit)
}

fn own(unit: &str) -> Result<(), GateRefusal> {
    let ours = [
        "svm-agent.service",
        "svm-agent-identity.service",
        "svm-agent-update.service",
        "svm-collector.service",
    ];
    let one = ours.contains(&unit);
    if one || unit.starts_with("svm-agent-action@") {
        return Err(GateRefusal::Own(unit.to_owned()));
    }
    Ok(())
}

/// The nearest of the services that are there to a name that is not; of a template, its instance.
pub fn nearest(unit: &str, services: &[String]) -> Option<String> {
    let instance = unit.split_once('@').map_or("1.service", |(_, instance)| instance);
    let named: Vec<String> = services
        .iter()
        .map(|name| match name.strip_suffix("@.service") {
            Some(stem) => format!("{stem}@{instance}"),
            None => name.clone(),
        })
        .collect();
    // What all names end with makes none of them alike.
    let stem = |name: &'static str, unit: &str| unit.strip_suffix(name).unwrap_or(unit).to_owned();
    let stems: Vec<String> = named.iter().map(|name| stem(".service", name)).collect();
    let near = nearest_name(&stem(".service", unit), stems.iter().map(String::as_str))?;
    named.iter().zip(&stems).find(|(_, stem)| *stem == near).map(|(name, _)| name.clone())
}

/// Whether a unit may be gated, as far as systemd knows it. `protection` are the names of the units of the protection.
///
/// # Errors
/// [`GateRefusal`]; `NotFound` without the nearest name.
pub fn check(unit: &UnitState, has_command: bool, protection: &[String]) -> Result<(), GateRefusal> {
    let id = unit.id.clone();
    match unit.load.as_str() {
        "loaded" => {}
        "not-found" => return Err(GateRefusal::NotFound { unit: id, nearest: None }),
        "masked" => return Err(GateRefusal::Masked(id)),
        load => return Err(GateRefusal::Broken { unit: id, load: load.to_owned() }),
    }
    name(&unit.id)?;
    for alias in unit.words("Names") {
        own(&alias)?;
    }
    if is_protection(unit, protection) {
        return Err(GateRefusal::Protection { unit: id });
    }
    if unit.words("SuccessExitStatus").iter().any(|status| status == "75") {
        return Err(GateRefusal::Counts75(id));
    }
    if !has_command {
        return Err(GateRefusal::NoCommand(id));
    }
    let early = unit.words("Before").into_iter().find(|name| BEFORE_THE_AGENT.contains(&name.as_str()));
    early.map_or(Ok(()), |before| Err(GateRefusal::Early { unit: id, before }))
}

/// Whether a unit is one of the protection, under any of its names.
pub fn is_protection(unit: &UnitState, protection: &[String]) -> bool {
    let named = |name: &String| protection.contains(name) || ALWAYS_PROTECTION.contains(&name.as_str());
    named(&unit.id) || unit.words("Names").iter().any(named)
}

/// Whether sockets of systemd start the unit.
///
/// # Errors
/// [`GateRefusal::Listens`].
pub fn no_sockets(unit: &UnitState) -> Result<(), GateRefusal> {
    match unit.words("TriggeredBy").into_iter().find(|name| name.ends_with(".socket")) {
        Some(by) => Err(GateRefusal::Listens { unit: unit.id.clone(), by }),
        None => Ok(()),
    }
}

/// Properties that [`in_force`] reads.
pub const EFFECTIVE: &[&str] = &[
    "ExecCondition",
    "IPAddressDeny",
    "IPAddressAllow",
    "SuccessExitStatus",
    "RootDirectory",
    "RootImage",
    "ExtensionImages",
    "ExtensionDirectories",
    "MountImages",
    "BindPaths",
    "BindReadOnlyPaths",
    "TemporaryFileSystem",
];

/// What gives a unit other files than those of the machine, also to its root processes.
const OTHER_FILES: &[&str] = &["RootDirectory", "RootImage", "ExtensionImages", "ExtensionDirectories"];

/// What puts other files in some places.
const MOUNTS: &[&str] = &["MountImages", "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem"];

/// Whether what systemd will do with a unit is what its gate says; else what undoes it. `runtime_dir` is where the agent
/// writes permits.
///
/// # Errors
/// One sentence.
pub fn in_force(gate: &Gate, runtime_dir: &Path, effective: &UnitState) -> Result<(), String> {
    let text = |name: &str| effective.properties.get(name).map(String::as_str).unwrap_or_default();
    match &gate.asks {
        Asks::Agent => {
            return Err("an older svm-agent installed it, and it obeys the environment of the unit, which the user of the \
                        unit may be able to set; run: svm-agent gate renew"
                .to_owned());
        }
        Asks::Gate { runtime_dir: asked } if asked != runtime_dir => {
            let (asked, written) = (asked.display(), runtime_dir.display());
            return Err(format!("it asks for permits in {asked}, and svm-agent writes them in {written}"));
        }
        Asks::Gate { .. } => {}
    }
    let command = condition(&gate.asks, gate.resource, &gate.unit);
    let ours = format!("{{ path={PROGRAM} ; argv[]={command} ; ignore_errors=no ;");
    if !text("ExecCondition").lines().any(|line| line.contains(&ours)) {
        return Err("another file of the unit replaces ExecCondition=".to_owned());
    }
    if let Some(other) = OTHER_FILES.iter().find(|name| !text(name).is_empty()) {
        return Err(format!("{other}= gives the unit another {PROGRAM}, or none"));
    }
    let hidden = [Path::new(PROGRAM), runtime_dir];
    let covers = |name: &&&str| {
        let paths =
            text(name).split([' ', ':', ';', '"']).filter(|word| word.starts_with('/')).map(Path::new);
        // What lies below the program's folder or the permits is of no use there either.
        paths
            .into_iter()
            .any(|path| hidden.iter().any(|ours| ours.starts_with(path) || path.starts_with(ours)))
    };
    if let Some(mount) = MOUNTS.iter().find(covers) {
        return Err(format!("{mount}= hides {PROGRAM} or {} from the unit", runtime_dir.display()));
    }
    if effective.words("SuccessExitStatus").iter().any(|status| status == "75") {
        return Err("a file of the unit treats exit code 75 as success (SuccessExitStatus=)".to_owned());
    }
    if gate.ksn_only {
        let denied = effective.words("IPAddressDeny");
        if !["0.0.0.0/0", "::/0"].iter().all(|any| denied.iter().any(|denied| denied == any)) {
            return Err("another file of the unit replaces IPAddressDeny=".to_owned());
        }
        let local = ["127.0.0.0/8", "::1/128"];
        if let Some(wide) =
            effective.words("IPAddressAllow").iter().find(|allowed| !local.contains(&allowed.as_str()))
        {
            return Err(format!("IPAddressAllow= allows {wide}, and it overrides IPAddressDeny="));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use svm_core::subscription::Resource;

    fn unit(id: &str, properties: &[(&str, &str)]) -> UnitState {
        let properties: BTreeMap<_, _> =
            properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        UnitState { id: id.to_owned(), load: "loaded".to_owned(), properties, ..UnitState::default() }
    }

    #[test]
    fn a_name_that_cannot_be_is_refused_before_anyone_is_asked() {
        for good in ["a.service", "a@b-.service", "a@b.service", "dev-sda\\x2d1.service"] {
            assert_eq!(name(good), Ok(()), "{good}");
        }
        let long = format!("{}.service", "u".repeat(240));
        for (bad, code) in [
            ("a.timer", "not_a_service"),
            ("a.target", "not_a_service"),
            ("a", "bad_unit_name"),
            ("", "bad_unit_name"),
            ("../a.service", "bad_unit_name"),
            ("a%n.service", "bad_unit_name"),
            ("-a.service", "bad_unit_name"),
            ("a@.service", "unit_is_template"),
            (long.as_str(), "unit_name_too_long"),
            ("la-.service", "drop_ins_shared"),
            ("la-@1.service", "drop_ins_shared"),
            ("la--.service", "drop_ins_shared"),
            ("svm-agent.service", "own_unit"),
            ("svm-agent-identity.service", "own_unit"),
            ("svm-collector.service", "own_unit"),
            ("svm-agent-action@kesl-ksn.service", "own_unit"),
        ] {
            assert_eq!(name(bad).unwrap_err().code(), code, "{bad}");
        }
        assert!(name("a@.service").unwrap_err().to_string().contains("such as a@1.service"));
    }

    #[test]
    fn a_unit_that_may_not_be_gated_is_refused() {
        let protection = ["kesl.service".to_owned()];
        let code = |unit: &UnitState| check(unit, true, &protection).err().map(|refusal| refusal.code());
        assert_eq!(
            code(&unit("a.service", &[("SuccessExitStatus", "10 USR1"), ("Before", "shutdown.target")])),
            None
        );
        for (id, property, value, expected) in [
            ("a.service", "SuccessExitStatus", "10 75 TERM", "counts_75_as_success"),
            ("kesl.service", "Names", "kesl.service", "protection_unit"),
            ("a.service", "Names", "a.service kesl.service", "protection_unit"),
            ("la-scanserver.service", "Names", "", "protection_unit"),
            ("a.service", "Names", "svm-agent.service a.service", "own_unit"),
            ("a.service", "Before", "shutdown.target network.target", "starts_too_early"),
        ] {
            assert_eq!(code(&unit(id, &[(property, value)])), Some(expected), "{id} {property}={value}");
        }
        for (load, expected) in [
            ("masked", "unit_masked"),
            ("not-found", "unit_not_found"),
            ("bad-setting", "unit_broken"),
            ("error", "unit_broken"),
        ] {
            let other = UnitState { load: load.to_owned(), ..unit("a.service", &[]) };
            assert_eq!(code(&other), Some(expected));
        }
        assert_eq!(check(&unit("a.service", &[]), false, &protection).unwrap_err().code(), "no_command");
        assert!(no_sockets(&unit("a.service", &[("TriggeredBy", "a.timer")])).is_ok());
        assert!(no_sockets(&unit("a.service", &[("TriggeredBy", "a.timer a.socket")])).is_err());
    }

    #[test]
    fn the_nearest_name_is_near() {
        let services =
            ["kesl.service", "kesl-update.service", "job@.service", "rescue.service"].map(str::to_owned);
        let near = |name: &str| nearest(name, &services);
        assert_eq!(near("kesl-updaet.service").as_deref(), Some("kesl-update.service"));
        assert_eq!(near("jbo@7.service").as_deref(), Some("job@7.service"));
        for other in ["something-else.service", "nosuch.service", "keys.service", "a.service"] {
            assert_eq!(near(other), None, "{other}");
        }
    }

    #[test]
    fn a_gate_is_in_force_where_nothing_undoes_it() {
        let run = Path::new("/run/svm-agent");
        let asks = Asks::Gate { runtime_dir: run.into() };
        let gate = Gate { unit: "a.service".to_owned(), resource: Resource::Ksn, ksn_only: true, asks };
        let asks = "{ path=/usr/libexec/svm-agent/gate ; argv[]=/usr/libexec/svm-agent/gate /run/svm-agent ksn a.service ; ignore_errors=no ; start_time=[n/a] }";
        let own = format!("{{ path=/bin/true ; argv[]=/bin/true ; ignore_errors=no ; }}\n{asks}");
        let good = [
            ("ExecCondition", own.as_str()),
            ("SuccessExitStatus", "TERM"),
            ("IPAddressDeny", "0.0.0.0/0 ::/0"),
            ("IPAddressAllow", "127.0.0.0/8 ::1/128"),
        ];
        assert_eq!(
            in_force(&gate, run, &unit("a.service", &good)),
            Ok(()),
            "its own condition counts besides"
        );
        for (property, value, why) in [
            ("ExecCondition", String::new(), "ExecCondition="),
            ("ExecCondition", asks.replace("=no", "=yes"), "ExecCondition="),
            ("ExecCondition", asks.replace("a.service", "b.service"), "ExecCondition="),
            ("ExecCondition", asks.replace("ksn", "database-updates"), "ExecCondition="),
            ("ExecCondition", asks.replace("path=/usr", "path=/home"), "ExecCondition="),
            ("ExecCondition", asks.replace("/run/svm-agent", "/run/mine"), "ExecCondition="),
            ("RootDirectory", "/srv/root".to_owned(), "RootDirectory="),
            ("ExtensionDirectories", "/home/kesl".to_owned(), "ExtensionDirectories="),
            ("BindPaths", "/home/kesl:/usr/libexec:rbind".to_owned(), "BindPaths="),
            ("BindReadOnlyPaths", "/home/kesl:/run/svm-agent/permits:rbind".to_owned(), "BindReadOnlyPaths="),
            ("TemporaryFileSystem", "/run:ro".to_owned(), "TemporaryFileSystem="),
            ("SuccessExitStatus", "75 TERM".to_owned(), "75"),
            ("IPAddressDeny", "10.0.0.0/8".to_owned(), "IPAddressDeny="),
            ("IPAddressAllow", "127.0.0.0/8 10.0.0.0/8".to_owned(), "10.0.0.0/8"),
        ] {
            let mut undone = good.to_vec();
            undone.retain(|(name, _)| *name != property);
            undone.push((property, &value));
            assert!(
                in_force(&gate, run, &unit("a.service", &undone)).unwrap_err().contains(why),
                "{property}={value}"
            );
        }
        let harmless = [good.to_vec(), vec![("BindPaths", "/home/kesl:/srv/kesl:rbind")]].concat();
        assert_eq!(in_force(&gate, run, &unit("a.service", &harmless)), Ok(()));
        assert!(
            in_force(&gate, Path::new("/run/other"), &unit("a.service", &good))
                .unwrap_err()
                .contains("/run/other")
        );
        let former = Gate { asks: Asks::Agent, ..gate.clone() };
        assert!(in_force(&former, run, &unit("a.service", &good)).unwrap_err().contains("older svm-agent"));
        let without = Gate { ksn_only: false, ..gate };
        assert_eq!(in_force(&without, run, &unit("a.service", &good[..2])), Ok(()));
    }
}
