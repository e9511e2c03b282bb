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
        Some(WayOut::ListKeys) => format!("{message}; `svm-agent key list` shows those that are"),
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
