//! What database updates and KSN may do, and what enforces it.

use crate::subscription::{Permit, Resource};
use crate::words::{Language, Text};

/// What is governed, as the subject or object of a sentence.
pub const fn resource(resource: Resource) -> Text {
    match resource {
        Resource::DatabaseUpdates => Text::new("database updates", "обновление баз"),
        Resource::Ksn => Text::new("KSN", "KSN"),
    }
}

/// The permit as a word for a cell or a list: "full", "limited", "stopped".
pub const fn word(permit: Permit) -> Text {
    match permit {
        Permit::Full => Text::new("full", "полное"),
        Permit::Limited => Text::new("limited", "неполное"),
        Permit::Stopped => Text::new("stopped", "нет"),
    }
}

/// The permit, for the row of a resource.
pub fn permit(of: Resource, permit: Permit, rate: Option<u64>, language: Language) -> String {
    let text = match (permit, rate, of) {
        (Permit::Full, ..) => Text::new("allowed", "разрешено"),
        (Permit::Limited, None, _) => Text::new("allowed at a reduced rate", "разрешено с ограничением"),
        (Permit::Limited, Some(_), Resource::DatabaseUpdates) => {
            Text::new("allowed at a reduced rate, {rate} per day", "разрешено с ограничением, {rate} в день")
        }
        (Permit::Limited, Some(_), Resource::Ksn) => Text::new(
            "allowed at a reduced rate, {rate} per minute",
            "разрешено с ограничением, {rate} в минуту",
        ),
        (Permit::Stopped, ..) => Text::new("not allowed", "не разрешено"),
    };
    text.fill(language, &[("rate", &rate.unwrap_or_default().to_string())])
}

/// What became of a resource: one sentence without its full stop.
pub const fn became(resource: Resource, permit: Permit) -> Text {
    match (resource, permit) {
        (Resource::DatabaseUpdates, Permit::Full) => Text::new(
            "database updates are allowed without limit",
            "обновление баз разрешено без ограничений",
        ),
        (Resource::DatabaseUpdates, Permit::Limited) => Text::new(
            "database updates are limited to the rate that the provider allows after the grace period",
            "обновление баз ограничено: поставщик разрешает его после льготного периода лишь изредка",
        ),
        (Resource::DatabaseUpdates, Permit::Stopped) => {
            Text::new("database updates are stopped", "обновление баз остановлено")
        }
        (Resource::Ksn, Permit::Full) => Text::new(
            "the use of KSN is allowed without limit",
            "использование KSN разрешено без ограничений",
        ),
        (Resource::Ksn, Permit::Limited) => Text::new(
            "the use of KSN is limited to the rate that the provider allows after the grace period",
            "использование KSN ограничено: поставщик разрешает его после льготного периода лишь изредка",
        ),
        (Resource::Ksn, Permit::Stopped) => {
            Text::new("the use of KSN is stopped", "использование KSN остановлено")
        }
    }
}

/// The same if nothing on the SVM enforces it.
pub const fn should(resource: Resource, permit: Permit) -> Text {
    match (resource, permit) {
        (_, Permit::Full) => became(resource, permit),
        (Resource::DatabaseUpdates, Permit::Limited) => Text::new(
            "database updates must be limited, but nothing on this SVM enforces it",
            "обновление баз должно быть ограничено, но на этой SVM ничто за этим не следит",
        ),
        (Resource::DatabaseUpdates, Permit::Stopped) => Text::new(
            "database updates must stop, but nothing on this SVM enforces it",
            "обновление баз должно быть остановлено, но на этой SVM ничто за этим не следит",
        ),
        (Resource::Ksn, Permit::Limited) => Text::new(
            "the use of KSN must be limited, but nothing on this SVM enforces it",
            "использование KSN должно быть ограничено, но на этой SVM ничто за этим не следит",
        ),
        (Resource::Ksn, Permit::Stopped) => Text::new(
            "the use of KSN must stop, but nothing on this SVM enforces it",
            "использование KSN должно быть остановлено, но на этой SVM ничто за этим не следит",
        ),
    }
}

texts! {
    /// What enforces a permit, and what does not.
    Enforcement {
        By: "enforced by {names}", "исполняет: {names}";
        NotYet: "not carried out yet by {names}", "ещё не исполнено: {names}";
        Nothing: "not enforced (gate the service that uses it, never the scanner: sudo svm-agent gate install UNIT)",
            "ничем не исполняется (поставьте под контроль службу, не сам сканер: sudo svm-agent gate install UNIT)";
        NotGoverned: "not governed on this SVM (enforcement.governs)", "на этой SVM не контролируется (enforcement.governs)";
    }
}
