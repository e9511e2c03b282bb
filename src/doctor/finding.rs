//! What the doctor finds.

use serde::Serialize;

/// The way out of a published document that is refused: the refusal names its own, such as to install a signer's file.
pub(super) const REFUSED_DOCUMENT: &str =
    "do what this says, or else report it to the provider; the document in use stays in force";

/// How bad a finding is; the worst decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// To know, or not seen.
    Note,
    /// To be done some time.
    Warning,
    /// To be done now: something does not work.
    Failure,
}

/// Which part of the whole a finding is about; in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    Settings,
    Service,
    Subscription,
    Trust,
    Source,
    Delivery,
    Enforcement,
    Updates,
    Clock,
    Identity,
    Files,
    Disk,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub area: Area,
    /// How bad it is.
    pub grade: Grade,
    /// What was checked.
    pub about: String,
    pub found: String,
    /// What to do, if anything.
    #[serde(rename = "do")]
    pub remedy: Option<String>,
}

/// The findings of one part, as they come.
pub(super) struct Findings {
    area: Area,
    pub(super) found: Vec<Finding>,
}

impl Findings {
    pub(super) fn of(area: Area) -> Self {
        Self { area, found: Vec::new() }
    }

    pub(super) fn add(
        &mut self,
        grade: Grade,
        about: impl Into<String>,
        found: impl Into<String>,
        remedy: Option<String>,
    ) {
        let (about, found) = (about.into(), found.into());
        self.found.push(Finding { area: self.area, grade, about, found, remedy });
    }

    pub(super) fn ok(&mut self, about: impl Into<String>, found: impl Into<String>) {
        self.add(Grade::Ok, about, found, None);
    }

    pub(super) fn note(&mut self, about: impl Into<String>, found: impl Into<String>) {
        self.add(Grade::Note, about, found, None);
    }

    pub(super) fn warn(
        &mut self,
        about: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Grade::Warning, about, found, Some(remedy.into()));
    }

    pub(super) fn fail(
        &mut self,
        about: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Grade::Failure, about, found, Some(remedy.into()));
    }
}
