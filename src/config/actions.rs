//! `[actions.*]`: what is set when a permit changes.

use crate::config::check::Check;
use jiff::SignedDuration;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use svm_core::settings::choice;
use svm_core::subscription::Resource;

/// Where the programs of actions are (`systemd/svm-agent-action@.service`).
const PROGRAMS: &str = "/etc/svm-agent/actions";

/// Every key of an action with its default; `config/agent.toml` shows the same lines as a comment.
pub const ACTION: &str = r#"
resource = ""
look_every = "15m"
repairs_per_hour = 4
"#;

/// What is set when a permit changes, by the unit `svm-agent-action@NAME.service`.
#[derive(Clone, Debug)]
pub struct Action {
    /// The permit that it follows.
    pub resource: Resource,
    /// How often to look whether what it set still stands.
    pub look_every: SignedDuration,
    /// It is set again at most so many times an hour.
    pub repairs_per_hour: u32,
}

/// The program of an action.
pub fn action_program(name: &str) -> PathBuf {
    Path::new(PROGRAMS).join(name)
}

/// The keys as they are written.
#[derive(Deserialize)]
pub(crate) struct RawAction {
    resource: String,
    look_every: String,
    repairs_per_hour: u32,
}

impl Check<'_> {
    fn resource(&mut self, key: &str, text: &str) -> Option<Resource> {
        self.take(key, choice(text, &Resource::ALL.map(|resource| (resource.file_name(), resource))))
    }

    pub(crate) fn actions(&mut self, raw: BTreeMap<String, RawAction>) -> BTreeMap<String, Action> {
        let mut actions = BTreeMap::new();
        for (name, raw) in raw {
            let key = format!("actions.{name}");
            self.name(&key, &name, "action");
            let resource = self.resource(&format!("{key}.resource"), &raw.resource);
            let look_every = self.span(&format!("{key}.look_every"), &raw.look_every, 10, 86_400);
            let repairs = raw.repairs_per_hour;
            let fits = (1..=60).contains(&repairs).then_some(repairs).ok_or("must be 1 to 60");
            let repairs = self.take(&format!("{key}.repairs_per_hour"), fits);
            if let (Some(resource), Some(look_every), Some(repairs_per_hour)) =
                (resource, look_every, repairs)
            {
                actions.insert(name, Action { resource, look_every, repairs_per_hour });
            }
        }
        actions
    }
}
