//! Where a subscription stands.

use crate::subscription::{Cause, DeviceStatus, Phase};
use crate::words::causes::{because, short};
use crate::words::{Language, Text};

/// The phase in a word or two; the subject is the subscription.
pub const fn phase(phase: Phase) -> Text {
    match phase {
        Phase::NotActivated => Text::new("not activated", "не активирована"),
        Phase::Active => Text::new("active", "действует"),
        Phase::Grace => Text::new("in its grace period", "льготный период"),
        Phase::Restricted => Text::new("restricted", "ограничена"),
    }
}

/// The phase and why, in one line: "restricted: the provider cancelled it".
pub fn with_cause(is: Phase, cause: Option<Cause>, lapse_cause: Option<Cause>, language: Language) -> String {
    let word = phase(is).get(language);
    match cause {
        Some(cause) => format!("{word}: {}", because(cause, lapse_cause).get(language)),
        None => word.to_owned(),
    }
}

/// The phase and why, for a cell of a table: "restricted (cancelled)". At most 24 characters.
pub fn in_short(is: Phase, cause: Option<Cause>, lapse_cause: Option<Cause>, language: Language) -> String {
    let word = match is {
        Phase::Grace => Text::new("grace", "льготный").get(language),
        other => phase(other).get(language),
    };
    match cause {
        Some(cause) => format!("{word} ({})", short(cause, lapse_cause).get(language)),
        None => word.to_owned(),
    }
}

/// What the phase means for the SVM: one sentence.
pub const fn meaning(phase: Phase) -> Text {
    match phase {
        Phase::NotActivated => Text::new(
            "The SVM has no active key. Protection works; database updates and KSN are not allowed.",
            "На SVM нет активного ключа. Защита работает; обновление баз и KSN не разрешены.",
        ),
        Phase::Active => Text::new(
            "The subscription is in its term. Nothing is restricted.",
            "Срок подписки идёт. Ограничений нет.",
        ),
        Phase::Grace => Text::new(
            "The subscription is in its grace period, because {because}. Database updates and KSN are still allowed in full.",
            "У подписки льготный период: {because}. Обновление баз и KSN пока разрешены без ограничений.",
        ),
        Phase::Restricted => Text::new(
            "The subscription is restricted, because {because}. Protection continues with the databases that the SVM has.",
            "Подписка ограничена: {because}. Защита продолжает работать с теми базами, которые есть на SVM.",
        ),
    }
}

/// The device status, as the console shows it.
pub const fn device_status(status: DeviceStatus) -> Text {
    match status {
        DeviceStatus::Ok => Text::new("OK", "ОК"),
        DeviceStatus::Warning => Text::new("Warning", "Предупреждение"),
        DeviceStatus::Critical => Text::new("Critical", "Критический"),
    }
}

/// The device status in a cell of a table: at most 8 characters.
pub const fn device_status_in_short(status: DeviceStatus) -> Text {
    match status {
        DeviceStatus::Ok => Text::new("ok", "ОК"),
        DeviceStatus::Warning => Text::new("warning", "внимание"),
        DeviceStatus::Critical => Text::new("critical", "критично"),
    }
}
