//! Which machines send as one source: two that use one id, as distinct from one that was restarted or reverted.
//!
//! Promises: a machine that is restarted shows a new instance and never goes back to an earlier one; one that was
//! reverted may, once. Only where two go back and forth do two machines use the id. Pure; it must not know the store.

use super::cloudevent::Event;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// So many instances are remembered.
const MAX_INSTANCES: usize = 4;

/// Two machines are shown so long after the later of them was last seen to come back.
const SIDE_BY_SIDE_TTL: SignedDuration = SignedDuration::from_hours(24);

/// One start of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// What tells it from others.
    pub instance: String,
    /// The name of the machine.
    pub hostname: Option<String>,
    /// The time of its first event, by its own clock.
    began: Timestamp,
    /// When it was last seen to come back: after another one had sent.
    pub back: Option<Timestamp>,
}

/// The instances of a source, the one that sent last first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Machines(Vec<Machine>);

impl Machines {
    /// An event came that was not there before, kept or not. Answers whether that changed anything.
    pub(crate) fn saw(&mut self, event: &Event, at: Timestamp) -> bool {
        let Some(sender) = &event.sender else { return false };
        let renamed = self.rename(&sender.instance);
        let time = event.time.unwrap_or(at);
        let known = self.0.iter().position(|machine| machine.instance == sender.instance);
        let machine = match (known, self.0.first_mut()) {
            (Some(0), Some(first)) => {
                let same = first.hostname == sender.hostname;
                first.hostname.clone_from(&sender.hostname);
                return renamed || !same;
            }
            // It was sent before the other machine began, and came late, such as out of quarantine.
            (Some(_), Some(first)) if time <= first.began => return renamed,
            (Some(place), _) => {
                let known = self.0.remove(place);
                Machine { hostname: sender.hostname.clone(), back: Some(at), ..known }
            }
            (None, _) => {
                let (instance, hostname) = (sender.instance.clone(), sender.hostname.clone());
                Machine { instance, hostname, began: time, back: None }
            }
        };
        self.0.insert(0, machine);
        self.0.truncate(MAX_INSTANCES);
        true
    }

    /// Once its numbers were reverted, an instance goes on as itself with a dot and more behind.
    fn rename(&mut self, instance: &str) -> bool {
        let Some((before, _)) = instance.split_once('.') else { return false };
        let known = self.0.iter().any(|machine| machine.instance == instance);
        let machine = self.0.iter_mut().find(|machine| machine.instance == before);
        let Some(machine) = machine.filter(|_| !known) else { return false };
        instance.clone_into(&mut machine.instance);
        true
    }

    /// Those that use the id side by side, as of the source's last contact; none where it is one.
    pub fn side_by_side(&self, last_contact: Timestamp) -> Vec<&Machine> {
        let lately = |back: Timestamp| last_contact.duration_since(back) < SIDE_BY_SIDE_TTL;
        let back: Vec<&Machine> = self.0.iter().filter(|machine| machine.back.is_some_and(lately)).collect();
        if back.len() < 2 { Vec::new() } else { back }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudevent::from_json;
    use serde_json::json;

    /// Each step is an instance, and the hour of its event; they come in this order, an hour apart.
    fn after(steps: &[(&str, i64)]) -> Vec<String> {
        let mut machines = Machines::default();
        let hour = |hour: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour);
        for (n, (instance, hour_of_event)) in (0..).zip(steps) {
            let event = json!({"specversion": "1.0", "id": "1", "source": "urn:svm:a", "type": "svm.x",
                "time": hour(*hour_of_event), "data": {"severity": 1, "instance": instance, "hostname": format!("host-{instance}")}});
            machines.saw(&from_json(&event.to_string()).unwrap(), hour(n));
            machines = serde_json::from_str(&serde_json::to_string(&machines).unwrap()).unwrap();
        }
        let last = hour(i64::try_from(steps.len()).unwrap() - 1);
        let mut names: Vec<String> =
            machines.side_by_side(last).iter().filter_map(|machine| machine.hostname.clone()).collect();
        names.sort();
        names
    }

    #[test]
    fn two_that_go_back_and_forth_are_two() {
        assert_eq!(after(&[("x", 0), ("y", 1), ("x", 2), ("y", 3)]), ["host-x", "host-y"]);
        assert_eq!(
            after(&[("x", 0), ("y", 1), ("z", 2), ("x", 3), ("y", 4), ("z", 5)]),
            ["host-x", "host-y", "host-z"]
        );
    }

    #[test]
    fn one_that_is_restarted_or_reverted_is_one() {
        assert_eq!(after(&[("x", 0), ("x", 1), ("y", 2), ("y", 3), ("z", 4)]), [""; 0]);
        assert_eq!(after(&[("x", 0), ("y", 1), ("x", 2), ("x", 3), ("z", 4), ("z", 5)]), [""; 0]);
        // What waited when it was restarted, or was in quarantine, comes late.
        assert_eq!(after(&[("x", 0), ("y", 9), ("x", 1), ("y", 10), ("x", 2), ("y", 11)]), [""; 0]);
    }

    #[test]
    fn two_that_run_on_from_one_memory_are_two_once_their_numbers_were_reverted() {
        // One instance until here; each goes on as itself.
        assert_eq!(after(&[("x", 0), ("x", 1), ("x.a", 2), ("x", 3), ("x.b", 4), ("x.a", 5)]), [""; 0]);
        let names = ["host-x.a", "host-x.b"];
        assert_eq!(after(&[("x", 0), ("x", 1), ("x.a", 2), ("x.b", 3), ("x.a", 4), ("x.b", 5)]), names);
        // And so do two with instances of their own: they are two and not four.
        let steps = [("x", 0), ("y", 1), ("x", 2), ("y", 3), ("x.a", 4), ("y.b", 5), ("x.a", 6), ("y.b", 7)];
        assert_eq!(after(&steps), ["host-x.a", "host-y.b"]);
    }

    #[test]
    fn it_is_over_a_day_after() {
        let mut steps = vec![("x", 0), ("y", 1), ("x", 2), ("y", 3)];
        steps.extend((4..26).map(|hour| ("y", hour)));
        assert_eq!(after(&steps).len(), 2);
        steps.push(("y", 26));
        assert!(after(&steps).is_empty());
    }

    #[test]
    fn an_event_that_does_not_say_who_sent_it_changes_nothing() {
        let event = json!({"specversion": "1.0", "id": "1", "source": "urn:svm:a", "type": "svm.x", "data": {"severity": 1}});
        let mut machines = Machines::default();
        assert!(!machines.saw(&from_json(&event.to_string()).unwrap(), Timestamp::UNIX_EPOCH));
        assert_eq!(machines, Machines::default());
    }
}
