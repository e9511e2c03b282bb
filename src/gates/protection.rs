//! Whether systemd would stop the protection when a unit is started or stopped, and the only way by which the agent starts,
//! stops and kills units.
//!
//! Promises: a unit whose start or stop would stop a unit of the protection, through any relations of systemd, directly or by
//! others, is neither started nor stopped by the agent. [`Relations`] is pure, over what systemd said of units; a relation
//! counts whichever of its two units names it. Must not know: permits, gates.

use crate::config::{ALWAYS_PROTECTION, Enforcement};
use crate::systemd::systemctl;
use crate::systemd::systemctl::{SystemctlError, UnitState};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The agent itself: who stops it cannot start again what waits for its permit.
const AGENT: &[&str] = &["svm-agent.service", "svm-agent.socket", "svm-agent-query.socket"];

/// Up whenever anything runs: whatever starts also pulls these in, the protection itself among it.
const ALWAYS_UP: &[&str] = &["sysinit.target", "basic.target", "local-fs.target"];

/// Never active while anything runs; nearly every unit conflicts with them.
const NEVER_UP: &[&str] = &["shutdown.target", "umount.target", "final.target"];

/// More units than that are not followed: then nothing is known, and nothing is done.
const MAX_UNITS: usize = 5000;

/// Properties that [`Relations`] reads, beside the usual ones.
pub const RELATIONS: &[&str] = &[
    "Names",
    "Requires",
    "Requisite",
    "Wants",
    "BindsTo",
    "PartOf",
    "Upholds",
    "RequiredBy",
    "RequisiteOf",
    "BoundBy",
    "ConsistsOf",
    "PropagatesStopTo",
    "StopPropagatedFrom",
    "Conflicts",
    "ConflictedBy",
    "OnSuccess",
    "OnFailure",
    "OnSuccessJobMode",
    "OnFailureJobMode",
    "Triggers",
    "JoinsNamespaceOf",
    "StopWhenUnneeded",
    "SuccessAction",
    "FailureAction",
    "StartLimitAction",
    "JobTimeoutAction",
];

/// `A NAME B` means that B stops when A does.
const STOPS: &[(&str, &str)] = &[
    ("RequiredBy", "Requires"),
    ("RequisiteOf", "Requisite"),
    ("BoundBy", "BindsTo"),
    ("ConsistsOf", "PartOf"),
    ("PropagatesStopTo", "StopPropagatedFrom"),
];

/// What a unit needs, and what stops with it where nothing else needs it (`StopWhenUnneeded=`).
const NEEDS: &[&str] = &["Requires", "Requisite", "Wants", "BindsTo", "Upholds"];

/// What is started with a unit.
const PULLS: &[&str] = &["Requires", "Wants", "BindsTo", "Upholds"];

/// What is started once a unit has ended.
const FOLLOWS: &[(&str, &str)] = &[("OnSuccess", "OnSuccessJobMode"), ("OnFailure", "OnFailureJobMode")];

/// What happens to the whole machine.
const ACTIONS_AT_END: &[&str] = &["SuccessAction", "FailureAction"];
const ACTIONS_AT_START: &[&str] = &["StartLimitAction", "JobTimeoutAction"];

/// What happens to a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// It is stopped, or killed.
    Stop,
    /// It is started, and may end again.
    Start,
    /// It is started because another one needs it, if it does not run already.
    Pull,
}

/// Why a unit is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Harm {
    /// The unit of the protection, or of the agent, that would stop.
    pub protection: String,
    /// How, unit by unit and relation by relation.
    pub way: String,
}

/// What systemd says of units, as far as it decides what stops with what.
#[derive(Debug, Default)]
pub struct Relations {
    units: BTreeMap<String, UnitState>,
    ids: BTreeMap<String, String>,
    /// By unit: what stops with it, and what conflicts with it, as the others say.
    stops: BTreeMap<String, BTreeSet<(String, &'static str)>>,
    conflicts: BTreeMap<String, BTreeSet<String>>,
}

/// What came of following the relations of a unit.
enum Followed {
    Harm(Harm),
    Harmless,
    /// These are not known yet.
    Unknown(BTreeSet<String>),
}

impl Relations {
    /// Adds what systemd says of more units; they have the properties [`RELATIONS`].
    pub fn add(&mut self, states: impl IntoIterator<Item = UnitState>) {
        for state in states {
            let id = state.id.clone();
            for name in state.words("Names").into_iter().chain([id.clone()]) {
                self.ids.insert(name, id.clone());
            }
            for (forward, backward) in STOPS {
                for other in state.words(backward) {
                    self.stops.entry(other).or_default().insert((id.clone(), *forward));
                }
            }
            for other in [state.words("Conflicts"), state.words("ConflictedBy")].concat() {
                self.conflicts.entry(other).or_default().insert(id.clone());
            }
            self.units.insert(id, state);
        }
    }

    fn id<'a>(&'a self, name: &'a str) -> &'a str {
        self.ids.get(name).map_or(name, String::as_str)
    }

    fn names(&self, id: &str) -> Vec<String> {
        let state = self.units.get(id);
        let mut names = state.map(|state| state.words("Names")).unwrap_or_default();
        names.push(id.to_owned());
        names
    }

    /// What happens next to which units, and by which relation.
    fn next(&self, act: Act, id: &str) -> Vec<(Act, String, &'static str)> {
        let Some(state) = self.units.get(id) else { return Vec::new() };
        let mut next = Vec::new();
        let mut add = |act, names: Vec<String>, relation| {
            next.extend(names.into_iter().map(|name| (act, name, relation)));
        };
        let names = self.names(id);
        if act == Act::Stop {
            for (forward, _) in STOPS {
                add(Act::Stop, state.words(forward), *forward);
            }
            for (other, relation) in names.iter().filter_map(|name| self.stops.get(name)).flatten() {
                add(Act::Stop, vec![other.clone()], *relation);
            }
            for need in NEEDS {
                let unneeded = |name: &String| {
                    self.units.get(self.id(name)).is_some_and(|needed| is(needed, "StopWhenUnneeded", "yes"))
                };
                add(Act::Stop, state.words(need).into_iter().filter(unneeded).collect(), "StopWhenUnneeded");
            }
        } else {
            let conflicting = names.iter().filter_map(|name| self.conflicts.get(name)).flatten();
            add(Act::Stop, conflicting.cloned().collect(), "ConflictedBy");
            add(Act::Stop, state.words("Conflicts"), "Conflicts");
            add(Act::Stop, state.words("ConflictedBy"), "ConflictedBy");
            for pull in PULLS {
                add(Act::Pull, state.words(pull), *pull);
            }
        }
        if act == Act::Start {
            add(Act::Start, state.words("Triggers"), "Triggers");
        }
        if act != Act::Pull {
            for (relation, _) in FOLLOWS {
                add(Act::Start, state.words(relation), *relation);
            }
        }
        next.retain(|(act, name, _)| {
            !NEVER_UP.contains(&name.as_str()) && (*act == Act::Stop || !is_always_up(name))
        });
        next
    }

    /// What a unit needs and nobody knows yet: whether it stops when it is needed no longer.
    fn unknown_needs(&self, id: &str) -> Vec<String> {
        let Some(state) = self.units.get(id) else { return Vec::new() };
        let needs = NEEDS.iter().flat_map(|need| state.words(need));
        needs.filter(|name| !is_always_up(name) && !self.units.contains_key(self.id(name))).collect()
    }

    /// What a unit does to the machine as a whole.
    fn to_all(&self, act: Act, id: &str) -> Option<String> {
        let state = self.units.get(id).filter(|_| act != Act::Pull)?;
        let isolates = FOLLOWS
            .iter()
            .find(|(relation, mode)| is(state, mode, "isolate") && !state.words(relation).is_empty());
        if let Some((relation, mode)) = isolates {
            return Some(format!("{id} has {relation}= with {mode}=isolate, which stops everything else"));
        }
        let at_start = ACTIONS_AT_START.iter().filter(|_| act == Act::Start);
        let action = ACTIONS_AT_END.iter().chain(at_start).find_map(|action| {
            let value = state.properties.get(*action).map(String::as_str).unwrap_or_default();
            (!matches!(value, "" | "none")).then(|| format!("{action}={value}"))
        });
        action.map(|action| format!("{id} has {action}, which stops the whole machine"))
    }

    /// Follows what happens to a unit to the end.
    fn follow(&self, act: Act, unit: &str, protected: &[String]) -> Followed {
        let protected: BTreeMap<&str, &str> =
            protected.iter().map(|name| (self.id(name), name.as_str())).collect();
        let first = self.id(unit).to_owned();
        let mut ways: BTreeMap<(Act, String), String> = BTreeMap::new();
        let mut left = VecDeque::from([(act, first.clone())]);
        ways.insert((act, first.clone()), first.clone());
        let mut unknown = BTreeSet::new();
        while let Some((act, id)) = left.pop_front() {
            let way = ways.get(&(act, id.clone())).cloned().unwrap_or_default();
            if act == Act::Stop
                && let Some(name) = protected.get(id.as_str())
            {
                return Followed::Harm(Harm { protection: (*name).to_owned(), way });
            }
            if let Some(way) = self.to_all(act, &id) {
                let protection = ALWAYS_PROTECTION.first().copied().unwrap_or_default().to_owned();
                return Followed::Harm(Harm { protection, way });
            }
            if !self.units.contains_key(&id) {
                unknown.insert(id);
                continue;
            }
            if act == Act::Stop {
                unknown.extend(self.unknown_needs(&id));
            }
            for (act, name, relation) in self.next(act, &id) {
                let next = self.id(&name).to_owned();
                let way = || format!("{way} -> {next} ({relation}=)");
                ways.entry((act, next.clone())).or_insert_with(|| {
                    left.push_back((act, next.clone()));
                    way()
                });
            }
        }
        // Both share what they see of the machine; one is the other's inside.
        let shares = self.units.get(&first).map(|state| state.words("JoinsNamespaceOf")).unwrap_or_default();
        let joined = self
            .units
            .iter()
            .filter(|(_, other)| other.words("JoinsNamespaceOf").iter().any(|name| self.id(name) == first));
        let mut all = shares.iter().map(|name| self.id(name)).chain(joined.map(|(id, _)| id.as_str()));
        if let Some(id) = all.find(|id| protected.contains_key(id)) {
            let (protection, way) = (id.to_owned(), format!("{first} -> {id} (JoinsNamespaceOf=)"));
            return Followed::Harm(Harm { protection, way });
        }
        if unknown.is_empty() { Followed::Harmless } else { Followed::Unknown(unknown) }
    }
}

fn is_always_up(name: &str) -> bool {
    ALWAYS_UP.contains(&name) || name.ends_with(".slice")
}

fn is(state: &UnitState, property: &str, value: &str) -> bool {
    state.properties.get(property).is_some_and(|found| found == value)
}

/// Why a unit was not started or stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// The protection would stop.
    #[error("{unit} was not {}, because that would stop {}, a unit of the protection, by {}", done(.act), .harm.protection, .harm.way)]
    Harm {
        unit: String,
        /// What was to be done with it.
        act: Act,
        /// What would stop, and how.
        harm: Harm,
    },
    /// systemd did not do it, or did not say what would follow.
    #[error(transparent)]
    Systemd(#[from] SystemctlError),
}

fn done(act: &Act) -> &'static str {
    match act {
        Act::Stop => "stopped",
        Act::Start | Act::Pull => "started",
    }
}

/// The units that are never stopped; starts, stops and kills others.
#[derive(Clone, Debug)]
pub struct Guard(Arc<[String]>);

impl Guard {
    /// Of the settings, of the product, and the agent itself.
    pub fn new(settings: &Enforcement) -> Self {
        Self::of(&settings.protection_units)
    }

    /// Of these names, of the product, and the agent itself.
    pub fn of(protection_units: &[String]) -> Self {
        let always = ALWAYS_PROTECTION.iter().chain(AGENT).map(|name| (*name).to_owned());
        Self(protection_units.iter().cloned().chain(always).collect())
    }

    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// What follows from starting or stopping a unit, over what is known of units; what is missing is asked of systemd.
    ///
    /// # Errors
    /// [`SystemctlError`]; then nothing is known.
    pub async fn harm(
        &self,
        relations: &mut Relations,
        acts: &[Act],
        unit: &str,
    ) -> Result<Option<Harm>, SystemctlError> {
        for act in acts {
            loop {
                match relations.follow(*act, unit, &self.0) {
                    Followed::Harm(harm) => return Ok(Some(harm)),
                    Followed::Harmless => break,
                    Followed::Unknown(names) => ask(relations, names.into_iter().collect()).await?,
                }
            }
        }
        Ok(None)
    }

    /// Which of the units may be stopped, and why not the others. `known` are states with the properties [`RELATIONS`].
    pub async fn may_stop(
        &self,
        units: &[String],
        known: Vec<UnitState>,
    ) -> (Vec<String>, Option<GuardError>) {
        self.harmless(Act::Stop, units, known).await
    }

    /// Has units stopped of which [`Self::may_stop`] answered that they may be, and does not wait until they are.
    ///
    /// # Errors
    /// [`GuardError::Systemd`]; some may be stopped all the same.
    pub async fn stop_harmless(&self, units: &[String]) -> Result<(), GuardError> {
        Ok(systemctl::stop(units).await?)
    }

    /// Has a unit stopped, and does not wait until it is.
    ///
    /// # Errors
    /// [`GuardError`]
    pub async fn stop(&self, unit: &str) -> Result<(), GuardError> {
        let (good, problem) = self.may_stop(&[unit.to_owned()], Vec::new()).await;
        systemctl::stop(&good).await?;
        problem.map_or(Ok(()), Err)
    }

    /// Kills all processes of units.
    ///
    /// # Errors
    /// [`GuardError`]; others may be killed all the same.
    pub async fn kill(&self, units: &[String]) -> Result<(), GuardError> {
        let (good, problem) = self.harmless(Act::Stop, units, Vec::new()).await;
        systemctl::kill(&good).await?;
        problem.map_or(Ok(()), Err)
    }

    /// Has a unit started, and does not wait until it is. One whose `ExecCondition=` refuses is no error.
    ///
    /// # Errors
    /// [`GuardError`]
    pub async fn start(&self, unit: &str, known: Vec<UnitState>) -> Result<(), GuardError> {
        let (good, problem) = self.harmless(Act::Start, &[unit.to_owned()], known).await;
        systemctl::start(&good).await?;
        problem.map_or(Ok(()), Err)
    }

    /// Has a unit started and waits until that is done: of a `Type=oneshot` service, until it ended.
    ///
    /// # Errors
    /// [`GuardError`]
    pub async fn run(&self, unit: &str, timeout: Duration) -> Result<(), GuardError> {
        match self.harmless(Act::Start, &[unit.to_owned()], Vec::new()).await.1 {
            Some(problem) => Err(problem),
            None => Ok(systemctl::run(unit, timeout).await?),
        }
    }

    /// Those of the units with which this may be done, and why not with the others.
    async fn harmless(
        &self,
        act: Act,
        units: &[String],
        known: Vec<UnitState>,
    ) -> (Vec<String>, Option<GuardError>) {
        let mut relations = Relations::default();
        relations.add(known);
        let (mut good, mut problem) = (Vec::new(), None);
        for unit in units {
            match self.harm(&mut relations, &[act], unit).await {
                Ok(None) => good.push(unit.clone()),
                Ok(Some(harm)) => problem = Some(GuardError::Harm { unit: unit.clone(), act, harm }),
                Err(error) => problem = Some(error.into()),
            }
        }
        (good, problem)
    }
}

/// Asks systemd about units; one of which it says nothing counts as having no relations.
async fn ask(relations: &mut Relations, names: Vec<String>) -> Result<(), SystemctlError> {
    if relations.units.len() + names.len() > MAX_UNITS {
        return Err(SystemctlError::Failed {
            program: "systemctl",
            verb: "show",
            answer: format!("more than {MAX_UNITS} units depend on each other"),
        });
    }
    let found = systemctl::show(&names, RELATIONS).await?;
    if found.len() != names.len() {
        let answer = format!("it showed {} units instead of {}", found.len(), names.len());
        return Err(SystemctlError::Failed { program: "systemctl", verb: "show", answer });
    }
    relations.add(found);
    for name in names {
        if !relations.ids.contains_key(&name) {
            relations.add([UnitState { id: name, ..UnitState::default() }]);
        }
    }
    Ok(())
}

/// The relations of all units of the machine, whether or not they are loaded: a unit that is not loaded now may be later.
///
/// # Errors
/// [`SystemctlError`]
pub async fn all_relations() -> Result<Relations, SystemctlError> {
    let mut relations = Relations::default();
    let names = systemctl::all_units().await?;
    for some in names.chunks(50) {
        ask(&mut relations, some.to_vec()).await?;
    }
    Ok(relations)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCANNER: &str = "la-scanserver.service";

    fn unit(id: &str, properties: &[(&str, &str)]) -> UnitState {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        UnitState {
            id: id.to_owned(),
            load: "loaded".to_owned(),
            properties: properties.collect(),
            ..UnitState::default()
        }
    }

    fn followed(act: Act, units: Vec<UnitState>) -> Option<Harm> {
        let mut relations = Relations::default();
        relations.add(units);
        let guard = Guard::of(&["kesl.service".to_owned()]);
        loop {
            match relations.follow(act, "a.service", guard.names()) {
                Followed::Harm(harm) => return Some(harm),
                Followed::Harmless => return None,
                Followed::Unknown(names) => relations.add(names.iter().map(|name| unit(name, &[]))),
            }
        }
    }

    /// Each relation, as either of its units names it.
    #[test]
    fn each_relation_that_stops_the_protection_is_seen_from_either_side() {
        use Act::{Start, Stop};
        for (act, here, there) in [
            (Stop, "RequiredBy", "Requires"),
            (Stop, "RequisiteOf", "Requisite"),
            (Stop, "BoundBy", "BindsTo"),
            (Stop, "ConsistsOf", "PartOf"),
            (Stop, "PropagatesStopTo", "StopPropagatedFrom"),
            (Stop, "JoinsNamespaceOf", "JoinsNamespaceOf"),
            (Start, "Conflicts", "ConflictedBy"),
            (Start, "ConflictedBy", "Conflicts"),
        ] {
            for middle in [false, true] {
                let target = if middle { "m.service" } else { SCANNER };
                let rest = |mut units: Vec<UnitState>| {
                    // Through another one: the same relation once more, or what stops by a conflict.
                    let (_, next) = if act == Stop { (here, there) } else { ("RequiredBy", "Requires") };
                    if middle {
                        units.push(unit(SCANNER, &[(next, "m.service")]));
                    }
                    units
                };
                if middle && here == "JoinsNamespaceOf" {
                    continue;
                }
                let forward = rest(vec![unit("a.service", &[(here, target)])]);
                let harm = followed(act, forward).unwrap_or_else(|| panic!("{here}={target}"));
                assert!(harm.protection == SCANNER && harm.way.starts_with("a.service -> "), "{harm:?}");
                if !middle {
                    let backward = vec![unit("a.service", &[]), unit(target, &[(there, "a.service")])];
                    assert!(followed(act, backward).is_some(), "{there}=a.service");
                }
            }
        }
    }

    #[test]
    fn what_follows_an_end_and_what_nobody_needs_any_longer_is_seen() {
        let stops = |properties: &[(&str, &str)]| {
            let middle = unit("m.service", &[("Conflicts", SCANNER)]);
            followed(Act::Stop, vec![unit("a.service", properties), middle])
        };
        assert!(
            stops(&[("OnSuccess", "m.service")]).is_some() && stops(&[("OnFailure", "m.service")]).is_some()
        );
        assert!(stops(&[("OnFailure", "x.target"), ("OnFailureJobMode", "isolate")]).is_some());
        assert!(stops(&[("OnFailureJobMode", "isolate")]).is_none(), "nothing to isolate");
        assert!(
            stops(&[("FailureAction", "reboot")]).is_some() && stops(&[("SuccessAction", "none")]).is_none()
        );
        assert!(stops(&[("Requires", SCANNER)]).is_none(), "it needs the protection, and that goes on");
        let unneeded = |value| {
            let scanner = unit(SCANNER, &[("StopWhenUnneeded", value)]);
            followed(Act::Stop, vec![unit("a.service", &[("Wants", SCANNER)]), scanner])
        };
        assert!(unneeded("yes").is_some() && unneeded("no").is_none());
        let starts = |properties: &[(&str, &str)]| {
            let middle = unit("m.service", &[("Conflicts", "kesl.service")]);
            followed(Act::Start, vec![unit("a.service", properties), middle])
        };
        for pull in ["Requires", "Wants", "BindsTo", "Upholds", "Triggers", "OnSuccess"] {
            assert_eq!(starts(&[(pull, "m.service")]).unwrap().protection, "kesl.service", "{pull}");
        }
        assert!(starts(&[("After", "m.service")]).is_none());
        assert!(starts(&[("StartLimitAction", "reboot")]).is_some());
        assert!(starts(&[("PropagatesStopTo", "svm-agent.socket")]).is_none(), "it is not stopped");
        assert!(stops(&[("PropagatesStopTo", "svm-agent.socket")]).is_some(), "nor is the agent");
    }

    #[test]
    fn names_are_resolved_and_a_usual_unit_is_harmless() {
        let usual = unit(
            "a.service",
            &[
                ("Requires", "sysinit.target system.slice"),
                ("Conflicts", "shutdown.target"),
                ("WantedBy", "multi-user.target"),
            ],
        );
        let reboot =
            unit("systemd-reboot.service", &[("Requires", "shutdown.target"), ("SuccessAction", "reboot")]);
        let sysinit = unit("sysinit.target", &[("Conflicts", "emergency.target"), ("RequiredBy", SCANNER)]);
        for act in [Act::Stop, Act::Start] {
            assert_eq!(followed(act, vec![usual.clone(), reboot.clone(), sysinit.clone()]), None);
        }
        let alias = unit("kesl-real.service", &[("Names", "kesl.service kesl-real.service")]);
        let by_alias = unit("a.service", &[("PropagatesStopTo", "kesl.service")]);
        assert_eq!(followed(Act::Stop, vec![by_alias, alias.clone()]).unwrap().protection, "kesl.service");
        let by_name = unit("a.service", &[("Names", "a.service b.service")]);
        let part = unit(
            "kesl-real.service",
            &[("Names", "kesl.service kesl-real.service"), ("PartOf", "b.service")],
        );
        assert!(followed(Act::Stop, vec![by_name, part]).is_some());
        let circle = [
            unit("a.service", &[("PropagatesStopTo", "b.service")]),
            unit("b.service", &[("PropagatesStopTo", "a.service")]),
        ];
        assert_eq!(followed(Act::Stop, circle.to_vec()), None);
    }
}
