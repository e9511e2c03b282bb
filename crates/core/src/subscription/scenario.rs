//! Scenarios: a story as data, played in virtual time through the daemon's own step.

use crate::subscription::device::{DeviceStatus, Reason};
use crate::subscription::event::Event;
use crate::subscription::key::KeyId;
use crate::subscription::permit::Permit;
use crate::subscription::phase::{Cause, Phase};
use crate::subscription::settings::Settings;
use crate::subscription::state::State;
use crate::subscription::statement::Statement;
use crate::subscription::step::{Input, Offer, next_due};
use crate::subscription::version::Version;
use crate::subscription::view::View;
use crate::subscription::{instant, step};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A timeline has at most so many rows: a small file can have a story go on for ten thousand years.
const MAX_ROWS: usize = 20_000;

/// A story: what is done to an SVM, and when. `docs/reference/simulate.md` has the form.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// A title for people; nothing depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The version of the protection product.
    pub product_version: Version,
    #[serde(deserialize_with = "instant::deserialize")]
    pub start: Timestamp,
    /// The last instant; it counts.
    #[serde(deserialize_with = "instant::deserialize")]
    pub end: Timestamp,
    /// The settings that differ from their defaults.
    #[serde(default)]
    pub settings: ScenarioSettings,
    /// What is done, in order of time.
    #[serde(default)]
    pub steps: Vec<ScenarioStep>,
    /// What a test expects; passed over here.
    #[serde(default, skip_serializing)]
    #[expect(dead_code, reason = "a scenario file may carry it")]
    expect: Value,
}

/// Settings of a scenario; what is absent has its default.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reminder_days: Option<Vec<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_reminder_days: Option<Vec<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_reminder_days: Option<Vec<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiring_status_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promote_reserve_on_lapse: Option<bool>,
}

/// One step of a scenario.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "serde_json::Map<String, Value>")]
pub struct ScenarioStep {
    /// The instant; not before that of an earlier step.
    pub at: Timestamp,
    /// What is done at that instant.
    #[serde(flatten)]
    pub act: Act,
}

/// What can be done in a scenario. A `document` is bare claims, not a signed document.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    Activate { document: Value },
    Publish { document: Value },
    AddReserve { document: Value },
    RemoveKey { key: String },
    ProtectedDevices { count: u64 },
    PowerOff {},
    PowerOn {},
}

impl TryFrom<serde_json::Map<String, Value>> for ScenarioStep {
    type Error = serde_json::Error;

    /// `at` beside what is done; a key that neither knows is wrong.
    fn try_from(mut step: serde_json::Map<String, Value>) -> Result<Self, serde_json::Error> {
        let at = step.remove("at").ok_or_else(|| serde::de::Error::missing_field("at"))?;
        let at = instant::deserialize(at)?;
        Ok(Self { at, act: serde_json::from_value(Value::Object(step))? })
    }
}

/// What is wrong with a scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file is not JSON, or not of the form of a scenario.
    #[error("the scenario cannot be read")]
    Form(#[from] serde_json::Error),
    /// `end` lies before `start`.
    #[error("the scenario's end {end} is before its start {start}")]
    EndBeforeStart {
        /// As given.
        start: Timestamp,
        /// As given.
        end: Timestamp,
    },
    /// A setting cannot be used.
    #[error("settings.{name}: {problem}")]
    Setting {
        /// Key of the setting, without `settings.`.
        name: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
    /// More happens than anybody reads.
    #[error(
        "more than {MAX_ROWS} things happen until {at}: end the scenario earlier, or remind on fewer days"
    )]
    TooMuch {
        /// How far it came.
        at: Timestamp,
    },
    /// A step comes too early.
    #[error("step {number} at {at} is before {before}; steps come in order of time")]
    Order {
        /// Counted from 1.
        number: usize,
        /// As given.
        at: Timestamp,
        /// The step or the start before it.
        before: Timestamp,
    },
    /// A step comes while the SVM has no power, or switches to what it is already.
    #[error("step {number} cannot be: the SVM is powered {is} at {at}")]
    Power {
        /// Counted from 1.
        number: usize,
        /// As given.
        at: Timestamp,
        /// `on` or `off`.
        is: &'static str,
    },
}

/// One line of a timeline: what holds after something happened or changed, and what happened.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub at: Timestamp,
    pub phase: Phase,
    pub cause: Option<Cause>,
    pub lapse_cause: Option<Cause>,
    pub key: Option<KeyId>,
    pub device_status: DeviceStatus,
    pub reasons: Vec<Reason>,
    pub database_updates: Permit,
    pub ksn: Permit,
    pub events: Vec<Event>,
}

impl Row {
    fn new(at: Timestamp, view: &View, events: Vec<Event>) -> Self {
        let View { phase, cause, lapse_cause, key, device_status, reasons, database_updates, ksn, limit: _ } =
            view.clone();
        Self { at, phase, cause, lapse_cause, key, device_status, reasons, database_updates, ksn, events }
    }
}

impl Scenario {
    /// A story without steps yet.
    pub fn new(product_version: Version, start: Timestamp, end: Timestamp) -> Self {
        let settings = ScenarioSettings::default();
        Self { name: None, product_version, start, end, settings, steps: Vec::new(), expect: Value::Null }
    }

    /// Reads a scenario from JSON.
    ///
    /// # Errors
    /// What is not JSON or not of the form.
    pub fn read(text: &str) -> Result<Self, ScenarioError> {
        Ok(serde_json::from_str(text)?)
    }

    /// The settings in force.
    ///
    /// # Errors
    /// A list of days that cannot be used.
    pub fn settings(&self) -> Result<Settings, ScenarioError> {
        let mut settings = Settings::new(self.product_version.clone());
        let list = |name, days: &Vec<u32>| {
            Settings::reminder_list(days.clone()).map_err(|problem| ScenarioError::Setting { name, problem })
        };
        if let Some(days) = &self.settings.reminder_days {
            settings.reminder_days = list("reminder_days", days)?;
        }
        if let Some(days) = &self.settings.grace_reminder_days {
            settings.grace_reminder_days = list("grace_reminder_days", days)?;
        }
        if let Some(days) = &self.settings.paid_reminder_days {
            settings.paid_reminder_days = list("paid_reminder_days", days)?;
        }
        if let Some(days) = self.settings.expiring_status_days {
            settings.expiring_status_days = days;
        }
        if let Some(promote) = self.settings.promote_reserve_on_lapse {
            settings.promote_reserve_on_lapse = promote;
        }
        Ok(settings)
    }

    /// Plays the story on an SVM that holds nothing.
    ///
    /// # Errors
    /// A scenario that cannot be: see [`ScenarioError`].
    pub fn play(&self) -> Result<Vec<Row>, ScenarioError> {
        let settings = self.settings()?;
        if self.end < self.start {
            return Err(ScenarioError::EndBeforeStart { start: self.start, end: self.end });
        }
        let mut play = Play::new(State::default(), &settings, self.start);
        for (index, ScenarioStep { at, act }) in self.steps.iter().enumerate() {
            let (at, number) = (*at, index + 1);
            if at < play.now {
                return Err(ScenarioError::Order { number, at, before: play.now });
            }
            if at > self.end {
                break;
            }
            play.until(at)?;
            let power_ok = play.powered != matches!(act, Act::PowerOn {});
            if !power_ok {
                let is = if play.powered { "on" } else { "off" };
                return Err(ScenarioError::Power { number, at, is });
            }
            play.bounded()?;
            match act {
                Act::PowerOff {} => play.powered = false,
                Act::PowerOn {} => {
                    play.powered = true;
                    play.input(Input::Tick);
                }
                Act::Activate { document } => play.input(Input::Activate(read(document))),
                Act::Publish { document } => play.input(Input::Publish(read(document))),
                Act::AddReserve { document } => play.input(Input::AddReserve(read(document))),
                Act::RemoveKey { key } => play.input(Input::RemoveKey(key.clone())),
                Act::ProtectedDevices { count } => play.input(Input::ProtectedDevices(Some(*count))),
            }
        }
        play.until(self.end)?;
        Ok(play.rows)
    }
}

fn read(document: &Value) -> Offer {
    Statement::read(document)
}

/// What a state will come to by time alone, from `start` to `end`, both included.
pub fn forecast_rows(state: State, settings: &Settings, start: Timestamp, end: Timestamp) -> Vec<Row> {
    let settings = Settings { enforcement_is_proved: false, ..settings.clone() };
    let mut play = Play::new(state, &settings, start);
    // One key and a reserve have fewer marks than that.
    play.until(end).ok();
    play.rows
}

struct Play<'a> {
    state: State,
    settings: &'a Settings,
    now: Timestamp,
    powered: bool,
    rows: Vec<Row>,
}

impl<'a> Play<'a> {
    fn new(state: State, settings: &'a Settings, now: Timestamp) -> Self {
        let first = Row::new(now, &state.reported, Vec::new());
        Self { state, settings, now, powered: true, rows: vec![first] }
    }

    /// Every due instant up to `at`, in order; without power time only passes.
    fn until(&mut self, at: Timestamp) -> Result<(), ScenarioError> {
        while self.powered
            && let Some(due) = next_due(&self.state, self.settings, self.now).filter(|due| *due <= at)
        {
            self.now = due;
            self.input(Input::Tick);
            self.bounded()?;
        }
        self.now = at;
        Ok(())
    }

    fn bounded(&self) -> Result<(), ScenarioError> {
        if self.rows.len() <= MAX_ROWS { Ok(()) } else { Err(ScenarioError::TooMuch { at: self.now }) }
    }

    fn input(&mut self, input: Input) {
        let before = self.state.reported.clone();
        let (state, events) = step(std::mem::take(&mut self.state), self.settings, self.now, input);
        self.state = state;
        if !events.is_empty() || self.state.reported != before {
            self.rows.push(Row::new(self.now, &self.state.reported, events));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A revision each ten years, and a reminder each day.
    #[test]
    fn a_story_that_never_ends_is_cut_off() {
        let document = |year: u32| {
            json!({"rev": year, "key": {"id": "A", "kind": "subscription"}, "subscription": {"state": "active",
                "state_since": "0001-01-01T00:00:00Z",
                "term": {"type": "limited", "ends_at": format!("{:04}-01-01T00:00:00Z", year + 10)}}})
        };
        let steps: Vec<Value> = (10..9000)
            .step_by(10)
            .map(|year| {
                let what = if year == 10 { "activate" } else { "publish" };
                json!({"at": format!("{year:04}-01-01T00:00:00Z"), "do": what, "document": document(year)})
            })
            .collect();
        let days: Vec<u32> = (1..=3650).collect();
        let story = json!({"product_version": "6.1", "start": "0001-01-01T00:00:00Z", "end": "9999-01-01T00:00:00Z",
            "settings": {"reminder_days": days}, "steps": steps});
        let error = Scenario::read(&story.to_string()).unwrap().play().unwrap_err();
        assert!(error.to_string().starts_with("more than 20000 things happen until 006"), "{error}");
    }
}
