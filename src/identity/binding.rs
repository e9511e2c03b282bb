//! What an id is bound to, and which differences count. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A digest of something that names a machine: it can be compared, and tells nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(pub(super) String);

/// What is known of a machine. `None`: it cannot be read, or says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Of `/etc/machine-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<Mark>,
    /// Of the product UUID that firmware or hypervisor gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_uuid: Option<Mark>,
}

/// Why a machine takes a new id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its machine-id is another one.
    MachineId,
    /// Its product UUID is another one.
    ProductUuid,
    /// `svm-agent identity reset`.
    Reset,
}

impl Why {
    /// As reports show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MachineId => "machine_id",
            Self::ProductUuid => "product_uuid",
            Self::Reset => "reset",
        }
    }
}

impl Binding {
    /// What differs on this machine. Only what is known of both counts.
    pub fn differs(&self, machine: &Self) -> Option<Why> {
        let differ =
            |stored: &Option<Mark>, now: &Option<Mark>| stored.is_some() && now.is_some() && stored != now;
        if differ(&self.machine_id, &machine.machine_id) {
            return Some(Why::MachineId);
        }
        differ(&self.product_uuid, &machine.product_uuid).then_some(Why::ProductUuid)
    }

    /// The same with what is known of the machine by now, and was not.
    #[must_use]
    pub fn completed(&self, machine: &Self) -> Self {
        let known = |stored: &Option<Mark>, now: &Option<Mark>| stored.clone().or_else(|| now.clone());
        Self {
            machine_id: known(&self.machine_id, &machine.machine_id),
            product_uuid: known(&self.product_uuid, &machine.product_uuid),
        }
    }

    /// The names of what it has.
    pub fn names(&self) -> Vec<&'static str> {
        let all = [("machine_id", &self.machine_id), ("product_uuid", &self.product_uuid)];
        all.into_iter().filter_map(|(name, mark)| mark.is_some().then_some(name)).collect()
    }
}

/// An id's bond: since when it is, to what it is bound, and whether it is given up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bond {
    /// Since when this SVM has its id; `None` in what an agent before this kept.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// To what it is bound.
    #[serde(flatten)]
    pub binding: Binding,
    /// Whether the next start takes a new id, on whatever machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
}

impl Bond {
    /// Why the id ends with a start on this machine, if it does.
    pub fn ends_on(&self, machine: &Binding) -> Option<Why> {
        if self.reset { Some(Why::Reset) } else { self.binding.differs(machine) }
    }
}

/// A new id in place of an old one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The id that the machine had until now: another one goes on with it, or it was given up.
    pub old_id: String,
    /// The one that it has now.
    pub new_id: String,
    pub why: Why,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(machine_id: &str, product_uuid: &str) -> Binding {
        let mark = |text: &str| (!text.is_empty()).then(|| Mark(text.to_owned()));
        Binding { machine_id: mark(machine_id), product_uuid: mark(product_uuid) }
    }

    /// The table of `docs/reference/identity.md`: what is kept, what is seen, what follows, what is kept then.
    #[test]
    fn each_row_of_the_table() {
        let rows = [
            (("m", "p"), ("m", "p"), None, ("m", "p")),
            (("m", "p"), ("n", "p"), Some(Why::MachineId), ("m", "p")),
            (("m", "p"), ("m", "q"), Some(Why::ProductUuid), ("m", "p")),
            (("m", "p"), ("n", "q"), Some(Why::MachineId), ("m", "p")),
            // What cannot be seen now is no difference, and stays known.
            (("m", "p"), ("", "p"), None, ("m", "p")),
            (("m", "p"), ("m", ""), None, ("m", "p")),
            (("m", "p"), ("", ""), None, ("m", "p")),
            (("m", "p"), ("", "q"), Some(Why::ProductUuid), ("m", "p")),
            (("m", "p"), ("n", ""), Some(Why::MachineId), ("m", "p")),
            // What was not known is bound when it is.
            (("", ""), ("m", "p"), None, ("m", "p")),
            (("m", ""), ("m", "p"), None, ("m", "p")),
            (("", "p"), ("m", "p"), None, ("m", "p")),
            (("", "p"), ("m", "q"), Some(Why::ProductUuid), ("m", "p")),
            (("", ""), ("", ""), None, ("", "")),
        ];
        for (stored, now, why, then) in rows {
            let (stored, now) = (binding(stored.0, stored.1), binding(now.0, now.1));
            assert_eq!(stored.differs(&now), why, "{stored:?} {now:?}");
            assert_eq!(stored.completed(&now), binding(then.0, then.1), "{stored:?} {now:?}");
        }
    }

    #[test]
    fn a_reset_ends_an_id_on_whatever_machine() {
        let bond = Bond { binding: binding("m", "p"), ..Bond::default() };
        assert_eq!(bond.ends_on(&binding("m", "p")), None);
        assert_eq!(Bond { reset: true, ..bond }.ends_on(&binding("m", "p")), Some(Why::Reset));
    }

    #[test]
    fn a_bond_of_an_agent_before_is_none() {
        assert_eq!(serde_json::from_str::<Bond>("{}").unwrap(), Bond::default());
        let bond = Bond { binding: binding("m", ""), ..Bond::default() };
        assert_eq!(serde_json::to_string(&bond).unwrap(), r#"{"since":null,"machine_id":"m"}"#);
    }
}
