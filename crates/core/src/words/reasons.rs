//! Why the device status is not OK: a sentence for each reason, and the next step.

use crate::subscription::Reason;
use crate::words::Text;

/// What the reason says: one sentence. Reasons that follow from the subscription have the hole `{because}`.
pub const fn sentence(reason: Reason) -> Text {
    match reason {
        Reason::CertificateExpiring => Text::new(
            "The client certificate for a destination expires soon, or has expired.",
            "Клиентский сертификат для одного из получателей скоро истечёт или уже истёк.",
        ),
        Reason::ClockSuspect => Text::new(
            "The system clock shows a time that cannot be right, so the agent does not use it.",
            "Системные часы показывают время, которое не может быть верным, и агент им не пользуется.",
        ),
        Reason::DatabasesOutdated => {
            Text::new("The anti-virus databases are out of date.", "Антивирусные базы устарели.")
        }
        Reason::DevicesOver100 => Text::new(
            "More devices are protected than the key allows.",
            "Защищено больше устройств, чем разрешает ключ.",
        ),
        Reason::DevicesOver110 => Text::new(
            "More devices are protected than the key allows, by more than 10 %.",
            "Защищено больше устройств, чем разрешает ключ, более чем на 10 %.",
        ),
        Reason::EnforcementFailed => {
            Text::new("The agent cannot carry out a permit.", "Агент не может исполнить разрешение.")
        }
        Reason::Expired => Text::new(
            "The term or the period of the active key has ended.",
            "Срок подписки или активного ключа закончился.",
        ),
        Reason::Expiring => Text::new("The subscription ends soon.", "Подписка скоро закончится."),
        Reason::Grace => Text::new(
            "The subscription is in its grace period: {because}.",
            "У подписки льготный период: {because}.",
        ),
        Reason::NotActivated => Text::new(
            "The SVM is not activated: it has no active key.",
            "SVM не активирована: на ней нет активного ключа.",
        ),
        Reason::NotEnforced => Text::new(
            "Nothing on this SVM enforces the permit for database updates or for KSN.",
            "На этой SVM ничто не исполняет разрешение на обновление баз или на KSN.",
        ),
        Reason::ProductVersionTooOld => Text::new(
            "The active key is for a newer version of the protection product.",
            "Активный ключ предназначен для более новой версии продукта защиты.",
        ),
        Reason::ReserveUnusable => Text::new(
            "The reserve key could not take over now.",
            "Резервный ключ сейчас не смог бы стать активным.",
        ),
        Reason::Restricted => {
            Text::new("The subscription is restricted: {because}.", "Подписка ограничена: {because}.")
        }
        Reason::SourceStale => Text::new(
            "The provider's document is out of date, and no newer one was received.",
            "Документ поставщика устарел, а более нового агент не получил.",
        ),
        Reason::StateLost => Text::new(
            "The agent's database was lost, and with it the keys that this SVM had.",
            "База данных агента утрачена, а с ней и ключи этой SVM.",
        ),
    }
}

/// The reason in a few words, for a list: it begins with a small letter and has no full stop.
pub const fn short(reason: Reason) -> Text {
    match reason {
        Reason::CertificateExpiring => {
            Text::new("a client certificate expires", "истекает клиентский сертификат")
        }
        Reason::ClockSuspect => {
            Text::new("the system clock is not trusted", "системные часы не считаются верными")
        }
        Reason::DatabasesOutdated => Text::new("the databases are out of date", "базы устарели"),
        Reason::DevicesOver100 => {
            Text::new("too many devices are protected", "защищено слишком много устройств")
        }
        Reason::DevicesOver110 => Text::new(
            "too many devices are protected, by more than 10 %",
            "защищено слишком много устройств, больше чем на 10 %",
        ),
        Reason::EnforcementFailed => {
            Text::new("a permit cannot be carried out", "не удаётся исполнить разрешение")
        }
        Reason::Expired => Text::new("the term has ended", "срок закончился"),
        Reason::Expiring => Text::new("the subscription ends soon", "подписка скоро закончится"),
        Reason::Grace => Text::new("the subscription is in its grace period", "у подписки льготный период"),
        Reason::NotActivated => Text::new("the SVM is not activated", "SVM не активирована"),
        Reason::NotEnforced => {
            Text::new("nothing enforces a permit on this SVM", "на этой SVM ничто не исполняет разрешение")
        }
        Reason::ProductVersionTooOld => Text::new(
            "the key is for a newer version of the product",
            "ключ предназначен для более новой версии продукта",
        ),
        Reason::ReserveUnusable => {
            Text::new("the reserve key could not take over", "резервный ключ не смог бы стать активным")
        }
        Reason::Restricted => Text::new("the subscription is restricted", "подписка ограничена"),
        Reason::SourceStale => {
            Text::new("the provider's document is out of date", "документ поставщика устарел")
        }
        Reason::StateLost => Text::new("the keys of this SVM were lost", "ключи этой SVM утрачены"),
    }
}

/// The next step. `None` for a reason that follows from the subscription: its step depends on the state of that
/// ([`crate::words::remedies`]).
pub const fn step(reason: Reason) -> Option<Text> {
    Some(match reason {
        Reason::Expired | Reason::Expiring | Reason::Grace | Reason::NotActivated | Reason::Restricted => {
            return None;
        }
        Reason::CertificateExpiring => Text::new(
            "Install a new client certificate (svm-agent doctor names its file)",
            "Установите новый клиентский сертификат (файл называет svm-agent doctor)",
        ),
        Reason::ClockSuspect => Text::new(
            "Set the system clock (timedatectl); to compare both times: svm-agent clock show",
            "Установите системные часы (timedatectl); сравнить время: svm-agent clock show",
        ),
        Reason::DatabasesOutdated => Text::new(
            "Find out why the databases are not updated: svm-agent updates status",
            "Выясните, почему базы не обновляются: svm-agent updates status",
        ),
        Reason::DevicesOver100 | Reason::DevicesOver110 => Text::new(
            "Ask {provider} for a higher number of devices, or protect fewer",
            "Попросите поставщика{provider} увеличить число устройств или защищайте меньше",
        ),
        Reason::EnforcementFailed => Text::new(
            "See what fails: svm-agent status --explain",
            "Посмотрите, что не удаётся: svm-agent status --explain",
        ),
        Reason::NotEnforced => Text::new(
            "Gate the service that uses it, never the scanner: sudo svm-agent gate install UNIT",
            "Поставьте под контроль службу, которая это делает (не сам сканер): sudo svm-agent gate install UNIT",
        ),
        Reason::ProductVersionTooOld => Text::new(
            "Upgrade the protection product, then set product.version in the settings",
            "Обновите продукт защиты и укажите его версию в настройке product.version",
        ),
        Reason::ReserveUnusable => Text::new(
            "See why (svm-agent key list) and remove that key: svm-agent key remove KEY",
            "Посмотрите причину (svm-agent key list) и удалите этот ключ: svm-agent key remove КЛЮЧ",
        ),
        Reason::SourceStale => Text::new(
            "Find out why no newer document arrives: svm-agent doctor",
            "Выясните, почему новый документ не приходит: svm-agent doctor",
        ),
        Reason::StateLost => Text::new(
            "Activate the SVM again (svm-agent activate CODE) and check its disk",
            "Активируйте SVM снова (svm-agent activate КОД) и проверьте её диск",
        ),
    })
}
