//! What to do about the subscription: one sentence for each remedy, without its full stop.

use crate::subscription::{Remedy, Situation, Vendor};
use crate::words::times::day_or_instant;
use crate::words::{Language, Text};

/// Whom to ask, as the sentences of the catalogue take it. In Russian the name follows the noun, so that it needs no case.
pub fn provider(vendor: Option<&Vendor>, language: Language) -> String {
    let name = vendor.and_then(|vendor| vendor.name.as_deref());
    let url = vendor.and_then(|vendor| vendor.renewal_url.as_deref().or(vendor.support_url.as_deref()));
    let url = url.map(|url| format!(" ({url})")).unwrap_or_default();
    match (language, name) {
        (Language::English, name) => format!("{}{url}", name.unwrap_or("the provider")),
        (Language::Russian, Some(name)) => format!(" {name}{url}"),
        (Language::Russian, None) => url,
    }
}

/// The sentence of a remedy; `{provider}` and `{when}`, which is the end that is known, are its holes.
pub const fn text(remedy: Remedy) -> Text {
    match remedy {
        Remedy::Activate => {
            Text::new("Activate the SVM: svm-agent activate CODE", "Активируйте SVM: svm-agent activate КОД")
        }
        Remedy::AwaitActivation => Text::new(
            "Wait: the agent retries the activation automatically. Without a network: svm-agent key add FILE",
            "Подождите: агент повторяет активацию автоматически. Без сети: svm-agent key add ФАЙЛ",
        ),
        Remedy::Resume => Text::new(
            "Ask {provider} to resume the subscription",
            "Попросите поставщика{provider} возобновить подписку",
        ),
        Remedy::Pay => Text::new(
            "Ask {provider} to pay for the subscription",
            "Попросите поставщика{provider} оплатить подписку",
        ),
        Remedy::Renew => Text::new(
            "Renew the subscription with {provider}; svm-agent renewal has a letter for it",
            "Продлите подписку у поставщика{provider}; готовое письмо: svm-agent renewal",
        ),
        Remedy::Reinstate => Text::new(
            "Ask {provider} why the subscription was cancelled, or activate a new code: svm-agent activate CODE",
            "Узнайте у поставщика{provider}, почему подписка отменена, или активируйте новый код: svm-agent activate КОД",
        ),
        Remedy::Unblock => Text::new(
            "Ask {provider} why the key was blocked, or activate a new code: svm-agent activate CODE",
            "Узнайте у поставщика{provider}, почему ключ заблокирован, или активируйте новый код: svm-agent activate КОД",
        ),
        Remedy::Replace => Text::new(
            "Get a new activation code from {provider} and activate it: svm-agent activate CODE",
            "Получите у поставщика{provider} новый код активации и активируйте его: svm-agent activate КОД",
        ),
        Remedy::RenewInTime => Text::new(
            "Renew the subscription with {provider} before {when}; svm-agent renewal has a letter for it",
            "Продлите подписку у поставщика{provider} до {when}; готовое письмо: svm-agent renewal",
        ),
        Remedy::AddReserve => Text::new(
            "Get another commercial key from {provider} before {when} and add it as the reserve key: svm-agent activate CODE --reserve",
            "Получите у поставщика{provider} до {when} ещё один коммерческий ключ и добавьте его как резервный: svm-agent activate КОД --reserve",
        ),
        Remedy::ReserveTakesOver => Text::new(
            "Nothing: the reserve key takes over automatically on {when}",
            "Ничего: резервный ключ станет активным автоматически {when}",
        ),
        Remedy::AskAboutCancellation => Text::new(
            "Ask {provider} why the subscription will be cancelled on {when}",
            "Узнайте у поставщика{provider}, почему подписка будет отменена {when}",
        ),
        Remedy::AskAboutBlocking => Text::new(
            "Ask {provider} why the key will be blocked on {when}",
            "Узнайте у поставщика{provider}, почему ключ будет заблокирован {when}",
        ),
        Remedy::AskAboutPause => Text::new(
            "Ask {provider} why the subscription will be paused on {when}",
            "Узнайте у поставщика{provider}, почему подписка будет приостановлена {when}",
        ),
        Remedy::PayInTime => Text::new(
            "Ask {provider} to pay for the subscription before {when}",
            "Попросите поставщика{provider} оплатить подписку до {when}",
        ),
    }
}

texts! {
    /// What follows on a remedy, and what else people have to do.
    Then {
        Refresh: "{first}. Then run: svm-agent refresh", "{first}. Затем выполните: svm-agent refresh";
        AddDocument: "{first}. Then add the new document: svm-agent key add FILE", "{first}. Затем добавьте новый документ: svm-agent key add ФАЙЛ";
        Store: "Free disk space, or find out what is wrong with the disk: svm-agent doctor", "Освободите место на диске или выясните, что с диском: svm-agent doctor";
        Doctor: "See what fails: svm-agent doctor", "Посмотрите, что не работает: svm-agent doctor";
        Explain: "See the details: svm-agent status --explain", "Посмотрите подробности: svm-agent status --explain";
        Nothing: "nothing", "ничего";
    }
}

/// Whether the remedy is the provider's to do, so that a new document follows.
const fn is_the_providers(remedy: Remedy) -> bool {
    matches!(remedy, Remedy::Resume | Remedy::Pay | Remedy::Renew)
}

/// The sentence of a remedy in this situation.
pub fn sentence(
    remedy: Remedy,
    situation: &Situation,
    vendor: Option<&Vendor>,
    language: Language,
) -> String {
    let when = situation.known_end.map(|end| day_or_instant(end.ends_at, language)).unwrap_or_default();
    let provider = provider(vendor, language);
    let first = text(remedy).fill(language, &[("provider", &provider), ("when", &when)]);
    match (is_the_providers(remedy), situation.has_source) {
        (true, true) => Then::Refresh.fill(language, &[("first", &first)]),
        (true, false) => Then::AddDocument.fill(language, &[("first", &first)]),
        (false, _) => first,
    }
}
