//! Who sells, how their order numbers look, and whom to turn to: the tables. Public pages are the source.

use super::words::Text;
use serde::Serialize;
use svm_core::subscription::Channel;

/// A seller behind the manufacturer's website.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Seller {
    /// Allsoft.
    Allsoft,
    /// Nexway.
    Nexway,
}

impl Seller {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allsoft => "Allsoft",
            Self::Nexway => "Nexway",
        }
    }
}

/// To whom the letter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteTo {
    /// The seller's support.
    Seller,
    /// Kaspersky support.
    Kaspersky,
    /// The vendor who sold it: a provider, a partner, a vendor of corporate subscriptions.
    Vendor,
    /// Nobody knows yet.
    Unknown,
}

/// What follows on the beginning of a number.
enum Rest {
    /// Digits alone.
    Digits,
    /// Latin letters and digits, with a letter among them.
    LettersAndDigits,
}

/// A form of order numbers, without spaces and dashes.
pub(super) struct Form {
    begins: &'static str,
    rest: Rest,
    pub(super) seller: Seller,
    /// Whether that form is published; else it only may be the seller's.
    pub(super) sure: bool,
    pub(super) words: Text,
}

/// The first that fits counts. How long a number is, is not published, and is not looked at.
pub(super) const FORMS: &[Form] = &[
    Form {
        begins: "ALLSOFT",
        rest: Rest::Digits,
        seller: Seller::Allsoft,
        sure: true,
        words: Text { en: "ALLSOFT and digits", ru: "ALLSOFT и цифры" },
    },
    Form {
        begins: "A",
        rest: Rest::Digits,
        seller: Seller::Allsoft,
        sure: true,
        words: Text { en: "A and digits", ru: "A и цифры" },
    },
    Form {
        begins: "A",
        rest: Rest::LettersAndDigits,
        seller: Seller::Allsoft,
        sure: false,
        words: Text {
            en: "A and letters, which is not certain", ru: "A и буквы, что не наверняка"
        },
    },
    Form {
        begins: "2",
        rest: Rest::LettersAndDigits,
        seller: Seller::Nexway,
        sure: true,
        words: Text {
            en: "2, then Latin letters and digits", ru: "2, затем латинские буквы и цифры"
        },
    },
    Form {
        begins: "3",
        rest: Rest::LettersAndDigits,
        seller: Seller::Nexway,
        sure: true,
        words: Text {
            en: "3, then Latin letters and digits", ru: "3, затем латинские буквы и цифры"
        },
    },
];

impl Form {
    /// The form of a number that was read.
    pub(super) fn of(read: &str) -> Option<&'static Self> {
        FORMS.iter().find(|form| form.fits(read))
    }

    fn fits(&self, read: &str) -> bool {
        let Some(rest) = read.strip_prefix(self.begins).filter(|rest| !rest.is_empty()) else { return false };
        match self.rest {
            Rest::Digits => rest.bytes().all(|b| b.is_ascii_digit()),
            Rest::LettersAndDigits => {
                rest.bytes().all(|b| b.is_ascii_alphanumeric())
                    && rest.bytes().any(|b| b.is_ascii_alphabetic())
            }
        }
    }
}

/// What to do for one channel and seller.
pub(super) struct Route {
    /// `None`: whichever, also where it is not known.
    channel: Option<Channel>,
    /// The same.
    seller: Option<Seller>,
    pub(super) write_to: WriteTo,
    pub(super) steps: &'static [Text],
}

const FORMS_IN_WORDS: Text = Text {
    en: "The confirmation of the order names the seller. Numbers of Allsoft begin with ALLSOFT- or with A and go on with digits; those of Nexway begin with 2 or 3 and have Latin letters among the digits. A number of digits alone tells nothing: compare it with the confirmation.",
    ru: "Продавец назван в письме с подтверждением заказа. Номера Allsoft начинаются с ALLSOFT- или с буквы A, дальше идут цифры; номера Nexway начинаются с 2 или 3, и среди цифр есть латинские буквы. Номер из одних цифр ни о чём не говорит: сверьте его с подтверждением.",
};

const TO_KASPERSKY: Text = Text {
    en: "If that does not work, send the letter below to Kaspersky support. It asks for the reason, the date of purchase, the full name and the e-mail address of the order, and for the order number if it is known.",
    ru: "Если это не удалось, отправьте письмо, приведённое ниже, в поддержку «Лаборатории Касперского». Она просит указать причину, дату покупки, полное имя и адрес электронной почты из заказа, а также номер заказа, если он известен.",
};

/// The first that fits counts.
pub(super) const ROUTES: &[Route] = &[
    Route {
        channel: Some(Channel::Corporate),
        seller: None,
        write_to: WriteTo::Vendor,
        steps: &[Text {
            en: "A corporate subscription is cancelled with the vendor who sold it. Turn to that vendor; the letter below is ready to be sent.",
            ru: "Корпоративную подписку отменяет поставщик, который её продал. Обратитесь к нему; готовое письмо приведено ниже.",
        }],
    },
    Route {
        channel: Some(Channel::Isp),
        seller: None,
        write_to: WriteTo::Vendor,
        steps: &[Text {
            en: "Turn to the support of the internet provider that sold the subscription; the letter below is ready to be sent.",
            ru: "Обратитесь в поддержку интернет-провайдера, у которого оформлена подписка; готовое письмо приведено ниже.",
        }],
    },
    Route {
        channel: Some(Channel::Partner),
        seller: None,
        write_to: WriteTo::Vendor,
        steps: &[Text {
            en: "Turn to the support of the partner company that sold the subscription; the letter below is ready to be sent.",
            ru: "Обратитесь в поддержку компании-партнёра, у которой оформлена подписка; готовое письмо приведено ниже.",
        }],
    },
    Route {
        channel: Some(Channel::Portal),
        seller: None,
        write_to: WriteTo::Kaspersky,
        steps: &[Text {
            en: "Write to Kaspersky support; the letter below is ready to be sent. It has what support asks for: the reason, the date of purchase, the full name and the e-mail address of the order, and the order number if it is known.",
            ru: "Напишите в поддержку «Лаборатории Касперского»; готовое письмо приведено ниже. В нём есть всё, что просит указать поддержка: причина, дата покупки, полное имя и адрес электронной почты из заказа, а также номер заказа, если он известен.",
        }],
    },
    Route {
        channel: None,
        seller: Some(Seller::Allsoft),
        write_to: WriteTo::Seller,
        steps: &[
            Text {
                en: "Write to Allsoft support that automatic renewal is to be switched off; the letter below is ready to be sent. The address stands in the confirmation of the order.",
                ru: "Напишите в поддержку Allsoft, что автоматическое продление нужно отключить; готовое письмо приведено ниже. Адрес указан в письме с подтверждением заказа.",
            },
            Text {
                en: "If Allsoft cannot do it, send the same letter to Kaspersky support.",
                ru: "Если Allsoft не сможет помочь, отправьте то же письмо в поддержку «Лаборатории Касперского».",
            },
        ],
    },
    Route {
        channel: None,
        seller: Some(Seller::Nexway),
        write_to: WriteTo::Kaspersky,
        steps: &[
            Text {
                en: "Switch automatic renewal off as Nexway's own instruction says; the confirmation of the order has the link to it.",
                ru: "Отключите автоматическое продление по инструкции Nexway; ссылка на неё есть в письме с подтверждением заказа.",
            },
            Text {
                en: "In some regions AI Marche has order numbers of the same form: the confirmation of the order names the seller. If it is AI Marche, follow its instruction.",
                ru: "В некоторых регионах номера такого же вида у AI Marche: продавец назван в письме с подтверждением заказа. Если это AI Marche, следуйте её инструкции.",
            },
            TO_KASPERSKY,
        ],
    },
    Route {
        channel: Some(Channel::Website),
        seller: None,
        write_to: WriteTo::Kaspersky,
        steps: &[
            FORMS_IN_WORDS,
            Text {
                en: "Turn to that seller: Allsoft by a letter to its support, Nexway as its instruction says.",
                ru: "Обратитесь к этому продавцу: в Allsoft — письмом в поддержку, в Nexway — по её инструкции.",
            },
            TO_KASPERSKY,
        ],
    },
    Route {
        channel: None,
        seller: None,
        write_to: WriteTo::Unknown,
        steps: &[
            FORMS_IN_WORDS,
            Text {
                en: "Bought on the website: turn to that seller, and where that fails to Kaspersky support. Bought on the My Kaspersky portal: write to Kaspersky support.",
                ru: "Если подписка куплена на сайте, обратитесь к этому продавцу, а если он не поможет — в поддержку «Лаборатории Касперского». Если на портале My Kaspersky, напишите в поддержку «Лаборатории Касперского».",
            },
            Text {
                en: "Bought from an internet provider or a partner, or as a corporate subscription: turn to the company that sold it.",
                ru: "Если подписка оформлена у интернет-провайдера или партнёра либо это корпоративная подписка, обратитесь в компанию, которая её продала.",
            },
            Text {
                en: "When you know more, ask again: svm-agent renewal --order NUMBER --channel CHANNEL.",
                ru: "Когда узнаете больше, спросите ещё раз: svm-agent renewal --order НОМЕР --channel КАНАЛ.",
            },
        ],
    },
];

impl Route {
    /// The way for what is known; the last one fits always.
    pub(super) fn of(channel: Option<Channel>, seller: Option<Seller>) -> Option<&'static Self> {
        ROUTES.iter().find(|route| {
            (route.channel.is_none() || route.channel == channel)
                && (route.seller.is_none() || route.seller == seller)
        })
    }

    /// Whether the order number decided, not the channel.
    pub(super) fn by_number(&self) -> bool {
        self.seller.is_some()
    }

    /// Whether the channel did.
    pub(super) fn by_channel(&self) -> bool {
        self.channel.is_some()
    }
}
