//! Refusals of keys and documents: what each code says if its details are not at hand, and the commands that are ways out.

use crate::subscription::{RefusalCode, WayOut, bounded_message};
use crate::words::{Language, Text};

/// What was refused, and the way out: one sentence without its full stop; `{key}` is "key SUB-1" or "the key".
pub const fn sentence(code: RefusalCode) -> Text {
    match code {
        RefusalCode::BadSignature => Text::new(
            "the signature of the document is not valid; ask the provider for the document again",
            "подпись документа недействительна; запросите документ у поставщика ещё раз",
        ),
        RefusalCode::UntrustedSigner => Text::new(
            "the signer of the document is not trusted on this SVM; ask the provider for its trust file",
            "подписавший документ не входит в число доверенных на этой SVM; запросите у поставщика файл доверия",
        ),
        RefusalCode::InvalidDocument => Text::new(
            "the document makes no sense; ask the provider for a corrected one",
            "документ содержит ошибку; запросите у поставщика исправленный",
        ),
        RefusalCode::ProductVersionTooOld => Text::new(
            "{key} is for a newer version of the protection product; upgrade the product first",
            "{key} предназначен для более новой версии продукта защиты; сначала обновите продукт",
        ),
        RefusalCode::UnknownKey => Text::new(
            "{key} is not on this SVM; svm-agent key list shows the keys that are",
            "{key} на этой SVM не найден; ключи показывает svm-agent key list",
        ),
        RefusalCode::OlderRevision => Text::new(
            "a newer revision of {key} is or was on this SVM; ask the provider for the newest",
            "{key}: на этой SVM есть или была более новая редакция; запросите у поставщика последнюю",
        ),
        RefusalCode::SubscriptionKeyCannotBeReserve => Text::new(
            "{key} is a subscription key, which can only be the active key; a reserve key is a commercial key",
            "{key} — ключ подписки и может быть только активным; резервным бывает коммерческий ключ",
        ),
        RefusalCode::NoActiveKey => Text::new(
            "there is no active key, so {key} cannot be the reserve key; activate a key first",
            "активного ключа нет, поэтому {key} не может быть резервным; сначала активируйте ключ",
        ),
        RefusalCode::KeyAlreadyHeld => Text::new(
            "{key} is on this SVM already, in the other role; remove it first: svm-agent key remove KEY",
            "{key} уже есть на этой SVM в другой роли; сначала удалите его: svm-agent key remove КЛЮЧ",
        ),
        RefusalCode::ReserveKeyExists => Text::new(
            "there is a reserve key already; to replace it, remove it first: svm-agent key remove KEY",
            "резервный ключ уже есть; чтобы заменить его, сначала удалите: svm-agent key remove КЛЮЧ",
        ),
        RefusalCode::ActiveKeyStillValid => Text::new(
            "the active key is still valid; to replace it now, remove it first: svm-agent key remove KEY",
            "активный ключ ещё действует; чтобы заменить его сейчас, сначала удалите: svm-agent key remove КЛЮЧ",
        ),
    }
}

/// The sentence of a refusal, with the command that is the way out of it; at most 500 characters.
pub fn with_way_out(message: &str, way_out: Option<&WayOut>) -> String {
    bounded_message(match way_out {
        None => message.to_owned(),
        Some(WayOut::RemoveKey(key)) => format!("{message}: svm-agent key remove {key}"),
        Some(WayOut::ListKeys) => format!("{message}; svm-agent key list shows the keys that it has"),
    })
}

/// A key by its name, as the subject of a sentence.
pub fn key(name: Option<&str>, language: Language) -> String {
    match (name, language) {
        (Some(name), Language::English) => format!("key {name}"),
        (Some(name), Language::Russian) => format!("ключ {name}"),
        (None, language) => Text::new("the key", "этот ключ").get(language).to_owned(),
    }
}

texts! {
    /// What to know of a key that was taken, although it is of no use or soon will be.
    Remark {
        Cancelled: "the provider cancelled key {key} on {when}, so it allows nothing; ask {provider} for another code", "поставщик отменил ключ {key} {when}, поэтому он ничего не разрешает; запросите у поставщика{provider} другой код";
        Blocked: "the provider blocked key {key} on {when}, so it allows nothing; ask {provider} for another code", "поставщик заблокировал ключ {key} {when}, поэтому он ничего не разрешает; запросите у поставщика{provider} другой код";
        WillBeCancelled: "the provider will cancel key {key} on {when}; ask {provider} why", "поставщик отменит ключ {key} {when}; узнайте у поставщика{provider} причину";
        WillBeBlocked: "the provider will block key {key} on {when}; ask {provider} why", "поставщик заблокирует ключ {key} {when}; узнайте у поставщика{provider} причину";
        Paused: "key {key} has been restricted since {when}, because {because}; ask {provider} to resume it", "ключ {key} ограничен с {when}: {because}; попросите поставщика{provider} возобновить подписку";
        Unpaid: "key {key} has been restricted since {when}, because {because}; ask {provider} to pay for it", "ключ {key} ограничен с {when}: {because}; попросите поставщика{provider} оплатить подписку";
        Expired: "key {key} has been restricted since {when}, because {because}; ask {provider} for another code", "ключ {key} ограничен с {when}: {because}; запросите у поставщика{provider} другой код";
        Ended: "key {key} has been restricted since {when}, because {because}; ask {provider} to renew it", "ключ {key} ограничен с {when}: {because}; попросите поставщика{provider} продлить подписку";
    }
}

texts! {
    /// Why a reserve key could not take over, and the way out.
    ReserveProblem {
        Blocked: "the provider blocked it on {when}; ask {provider} for another code", "поставщик заблокировал его {when}; запросите у поставщика{provider} другой код";
        Expired: "its period ended here on {when}; ask {provider} for another code", "его срок здесь закончился {when}; запросите у поставщика{provider} другой код";
        ProductVersionTooOld: "it is for version {least} of the product and later, and this is {version}; upgrade the product first", "он предназначен для версии продукта {least} и новее, а здесь {version}; сначала обновите продукт";
    }
}
