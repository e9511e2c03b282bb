//! What parts of the agent remember under a name.

use crate::log::log_event;
use serde::de::DeserializeOwned;

/// Name of the note with how many changes were kept.
pub(crate) const CHANGES_NOTE: &str = "changes";

/// Name of the note with what trusted time has to remember.
pub const TIME_NOTE: &str = "time";

/// Name of the note that the poller keeps.
pub const SOURCE_NOTE: &str = "source";

/// Name of the note with when which destination's numbers were taken above others.
pub const REVERTS_NOTE: &str = "reverts";

/// Name of the note with what was told of destinations' certificates.
pub const CERTIFICATES_NOTE: &str = "certificates";

/// Name of the note with what was dropped, as long as that was not told.
pub const DROPS_NOTE: &str = "dropped";

/// What a part of the agent remembered under a name. Nothing, and a line in the log, where that cannot be read: a note
/// that is damaged is not taken for one that is absent.
pub fn read_note<T: DeserializeOwned>(name: &str, text: Option<String>) -> Option<T> {
    let text = text.filter(|text| !text.is_empty())?;
    serde_json::from_str(&text)
        .inspect_err(|error| {
            // Not what stands there: a note may hold a secret.
            let place = format!("line {} column {}", error.line(), error.column());
            log_event!(
                NOTE_UNREADABLE of name,
                note = name,
                "the note {name} in the database cannot be read and is begun anew: it is damaged at {place}"
            );
        })
        .ok()
}

/// Name of the note with the sequence number that every destination counts on from.
pub(crate) const FIRST_NOTE: &str = "first_sequence";

/// Name of the note with how the database was rebuilt, as long as that was not told.
pub const REBUILT_NOTE: &str = "rebuilt";

/// Name of the note with the id that the SVM had before, as long as that was not told.
pub const CHANGED_NOTE: &str = "changed_identity";
