//! What parts of the agent remember under a name.

use crate::log::log_event;
use serde::de::DeserializeOwned;
use std::fmt;

/// What is remembered under a name in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteName {
    Activation,
    /// Of which machine the database is.
    Bond,
    /// What was reported of destinations' certificates.
    Certificates,
    /// The id that the SVM had before, until that is reported.
    ChangedIdentity,
    /// How many changes were stored.
    Changes,
    /// What was dropped, until that is reported.
    Dropped,
    /// The sequence number that every destination counts on from.
    FirstSequence,
    Id,
    /// How the database was rebuilt, until that is reported.
    Rebuilt,
    /// What was reported of the reserve key.
    Reserve,
    /// When which destination's numbers were taken above others.
    Reverts,
    Source,
    /// Where the subscription stands.
    State,
    /// What trusted time has to remember.
    Time,
    /// How far the schedule of updates was followed.
    Updates,
}

impl NoteName {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Activation => "activation",
            Self::Bond => "bond",
            Self::Certificates => "certificates",
            Self::ChangedIdentity => "changed_identity",
            Self::Changes => "changes",
            Self::Dropped => "dropped",
            Self::FirstSequence => "first_sequence",
            Self::Id => "id",
            Self::Rebuilt => "rebuilt",
            Self::Reserve => "reserve",
            Self::Reverts => "reverts",
            Self::Source => "source",
            Self::State => "state",
            Self::Time => "time",
            Self::Updates => "updates",
        }
    }
}

impl fmt::Display for NoteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a part of the agent remembered under a name. Nothing, and a line in the log, where that cannot be read: a note
/// that is damaged is not taken for one that is absent.
pub fn read_note<T: DeserializeOwned>(name: impl fmt::Display, text: Option<String>) -> Option<T> {
    let text = text.filter(|text| !text.is_empty())?;
    serde_json::from_str(&text)
        .inspect_err(|error| {
            // Not what stands there: a note may hold a secret.
            let place = format!("line {} column {}", error.line(), error.column());
            let note = name.to_string();
            log_event!(NOTE_UNREADABLE of note, %note; place);
        })
        .ok()
}
