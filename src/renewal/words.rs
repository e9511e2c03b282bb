//! The two languages, and the sentences that hold for each seller.

use jiff::{Timestamp, civil::Date};
use serde::Serialize;
use svm_core::subscription::Channel;

/// The language of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lang {
    /// English.
    En,
    /// Russian.
    Ru,
}

impl Lang {
    /// The language of a locale's variables, by their precedence (`setlocale(3)`): `LC_ALL`, `LC_MESSAGES`, `LANG`.
    pub fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let locale = set.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
        let language = locale.unwrap_or_default().to_ascii_lowercase();
        let language = language.split(['_', '.', '@']).next().unwrap_or_default();
        if language == "ru" { Self::Ru } else { Self::En }
    }

    /// An instant in the language's form.
    pub(super) fn instant(self, at: Timestamp) -> String {
        let form = match self {
            Self::En => "%Y-%m-%d %H:%M UTC",
            Self::Ru => "%d.%m.%Y %H:%M UTC",
        };
        at.strftime(form).to_string()
    }

    /// A day in the language's form.
    pub(super) fn day(self, day: Date) -> String {
        let form = match self {
            Self::En => "%Y-%m-%d",
            Self::Ru => "%d.%m.%Y",
        };
        day.strftime(form).to_string()
    }
}

/// A text in both languages; `{name}` stands for what is filled in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    pub(super) en: &'static str,
    pub(super) ru: &'static str,
}

impl Text {
    /// In one language.
    pub(super) fn in_lang(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Ru => self.ru,
        }
    }

    /// In one language, filled in. What is filled in is not looked at again.
    pub(super) fn fill(&self, lang: Lang, values: &[(&str, &str)]) -> String {
        let mut filled = String::new();
        let mut rest = self.in_lang(lang);
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let Some((name, after)) = after.split_once('}') else { break };
            filled.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

macro_rules! texts {
    ($($name:ident: $en:literal, $ru:literal;)*) => {
        $(pub(super) const $name: Text = Text { en: $en, ru: $ru };)*
        #[cfg(test)]
        pub(super) const ALL: &[(&str, Text)] = &[$((stringify!($name), $name)),*];
    };
}

texts! {
    // Labels.
    KEY: "Key", "Ключ";
    ORDER: "Order", "Заказ";
    CHANNEL: "Channel", "Канал";
    SELLER: "Seller", "Продавец";
    VENDOR: "Vendor", "Поставщик";
    TO_DO: "What to do", "Что делать";
    LETTER: "Letter", "Письмо";
    TO: "To", "Кому";
    SUBJECT: "Subject", "Тема";
    PLACED: "{number}, placed on {day}", "{number}, оформлен {day}";
    PLACED_UNNUMBERED: "number not known, placed on {day}", "номер неизвестен, оформлен {day}";
    UNKNOWN: "not known", "неизвестно";
    RECOGNISED: "{seller}, recognised by the order number: {form}", "{seller}, определён по номеру заказа: {form}";
    BY_CHANNEL: "the company that sold it, by the channel", "компания, которая её продала: определено по каналу";
    UNRECOGNISED: "not recognised by the order number", "по номеру заказа не определён";
    WEBSITE: "website", "сайт";
    PORTAL: "My Kaspersky portal", "портал My Kaspersky";
    ISP: "internet provider", "интернет-провайдер";
    PARTNER: "partner company", "компания-партнёр";
    CORPORATE: "vendor of corporate subscriptions", "поставщик корпоративных подписок";
    // What is said beside the steps.
    LOOK_ALIKE: "Character {place} of the order number, {character}, is a Cyrillic letter that looks like {latin}. It was read as {latin}; compare the number with the confirmation of the order, and write it in Latin letters.",
        "Символ {place} в номере заказа, {character}, — кириллический и лишь похож на {latin}. Он прочитан как {latin}; сверьте номер с подтверждением заказа и пишите его латинскими буквами.";
    UNSURE: "A number that begins with A and goes on with letters may be one of Allsoft's or not: compare it with the confirmation of the order.",
        "Номер, который начинается с A и продолжается буквами, может быть номером Allsoft, а может и не быть: сверьте его с подтверждением заказа.";
    ANOTHER_ORDER: "The key that is held here belongs to another order: nothing of it is used.",
        "Ключ, установленный здесь, относится к другому заказу: его данные не использованы.";
    RENEWS: "By the vendor's document the subscription renews by itself, until that is switched off.",
        "По документу поставщика подписка продлевается автоматически, пока это не отключено.";
    RENEWS_NOT: "By the vendor's document the subscription does not renew by itself: nothing has to be switched off. What follows is for the case that it is charged all the same.",
        "По документу поставщика подписка не продлевается автоматически: отключать ничего не нужно. Дальнейшее — на случай, если деньги всё же списывают.";
    COMMERCIAL: "This is a commercial key, not a subscription: it runs for its period and does not renew by itself. Nothing has to be switched off.",
        "Это коммерческий ключ, а не подписка: он действует свой срок и не продлевается автоматически. Отключать ничего не нужно.";
    USABLE: "To switch renewal off ends nothing at once: the subscription stays usable until its end.",
        "Отключение продления ничего не прекращает сразу: подписка действует до своего окончания.";
    USABLE_UNTIL: "To switch renewal off ends nothing at once: the subscription stays usable until its end, {end}.",
        "Отключение продления ничего не прекращает сразу: подписка действует до своего окончания, {end}.";
    WITHDRAWN: "The vendor has cancelled or blocked it: it is over already, without a grace period. To go on, buy an activation code and enter it by hand (svm-agent activate CODE); it is taken at once. The letter is for the case that it is charged all the same.",
        "Поставщик отменил или заблокировал её: она уже не действует, льготного периода нет. Чтобы продолжить, купите код активации и введите его вручную (svm-agent activate КОД); он будет принят сразу. Письмо — на случай, если деньги всё же списывают.";
    ENDED: "The term has ended, on {end}.", "Срок закончился {end}.";
    COMMERCIAL_UNTIL: "It stays usable until {end}.", "Он действует до {end}.";
    GRACE: "Then comes a grace period, with everything working, until {grace}.",
        "Затем до {grace} идёт льготный период, в котором всё продолжает работать.";
    AFTER: "Afterwards, to go on: buy an activation code and enter it by hand (svm-agent activate CODE), and only after the term has ended; a new code is refused while the term runs.",
        "После этого, чтобы продолжить: купите код активации и введите его вручную (svm-agent activate КОД), и только после окончания срока: пока срок идёт, новый код не принимается.";
    RENEW_AT: "To renew instead: {url}", "Чтобы, наоборот, продлить: {url}";
    RENEW: "To renew instead, turn to whoever sold it before the end. A renewal that is published is found by the agent itself, or at once with svm-agent refresh.",
        "Чтобы, наоборот, продлить, обратитесь к продавцу до окончания срока. Опубликованное продление агент найдёт сам, а сразу — по команде svm-agent refresh.";
    SCOPE: "This holds for home and small-office products. A corporate subscription is cancelled with the vendor who sold it.",
        "Это относится к продуктам для дома и малого офиса. Корпоративную подписку отменяет поставщик, который её продал.";
    NO_CONTACT: "The vendor's document names no contact: look into the contract or the confirmation of the order.",
        "В документе поставщика нет контактов: посмотрите в договоре или в подтверждении заказа.";
    // The letter.
    TO_SELLER: "{seller} support", "Поддержка {seller}";
    TO_KASPERSKY: "Kaspersky support", "Поддержка «Лаборатории Касперского»";
    TO_VENDOR: "[the support of the company that sold the subscription]", "[поддержка компании, которая продала подписку]";
    ABOUT: "Please switch off automatic renewal", "Просьба отключить автоматическое продление";
    ABOUT_ORDER: "Please switch off automatic renewal of order {number}", "Просьба отключить автоматическое продление по заказу {number}";
    HELLO: "Hello,", "Здравствуйте!";
    PLEASE: "please switch off the automatic renewal of the subscription below.", "Прошу отключить автоматическое продление подписки, указанной ниже.";
    REASON: "Reason: [your reason]", "Причина: [ваша причина]";
    NUMBER: "Order number: {number}", "Номер заказа: {number}";
    NUMBER_UNKNOWN: "[the order number, if you have it]", "[номер заказа, если он есть]";
    BOUGHT: "Date of purchase: {day}", "Дата покупки: {day}";
    BOUGHT_UNKNOWN: "[the day of the order]", "[день заказа]";
    THE_KEY: "Key: {key}", "Ключ: {key}";
    NAME: "Full name in the order: [your full name]", "Полное имя в заказе: [ваши фамилия, имя и отчество]";
    MAIL: "E-mail address of the order: [your e-mail address]", "Адрес электронной почты в заказе: [ваш адрес]";
    GOODBYE: "Please confirm that it is done. I know that the application stays usable to the end of the term.",
        "Прошу подтвердить отключение. Мне известно, что программа будет работать до окончания срока.";
}

/// A channel in words.
pub(super) fn channel(channel: Channel) -> Text {
    match channel {
        Channel::Website => WEBSITE,
        Channel::Portal => PORTAL,
        Channel::Isp => ISP,
        Channel::Partner => PARTNER,
        Channel::Corporate => CORPORATE,
    }
}
