//! Who sells, how their order numbers look, and whom to turn to: the tables. Public pages are the source.

use serde::Serialize;
use svm_core::subscription::Channel;
use svm_core::words::renewal::Renewal;

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
    /// The provider who sold it: an internet provider, a partner, a provider of corporate subscriptions.
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
    pub(super) words: Renewal,
}

/// The first that fits counts. How long a number is, is not published, and is not looked at.
pub(super) const FORMS: &[Form] = &[
    Form {
        begins: "ALLSOFT",
        rest: Rest::Digits,
        seller: Seller::Allsoft,
        sure: true,
        words: Renewal::FormAllsoft,
    },
    Form { begins: "A", rest: Rest::Digits, seller: Seller::Allsoft, sure: true, words: Renewal::FormA },
    Form {
        begins: "A",
        rest: Rest::LettersAndDigits,
        seller: Seller::Allsoft,
        sure: false,
        words: Renewal::FormALetters,
    },
    Form {
        begins: "2",
        rest: Rest::LettersAndDigits,
        seller: Seller::Nexway,
        sure: true,
        words: Renewal::FormTwo,
    },
    Form {
        begins: "3",
        rest: Rest::LettersAndDigits,
        seller: Seller::Nexway,
        sure: true,
        words: Renewal::FormThree,
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
    pub(super) steps: &'static [Renewal],
}

/// The first that fits counts.
pub(super) const ROUTES: &[Route] = &[
    Route {
        channel: Some(Channel::Corporate),
        seller: None,
        write_to: WriteTo::Vendor,
        steps: &[Renewal::CorporateRoute],
    },
    Route {
        channel: Some(Channel::Isp),
        seller: None,
        write_to: WriteTo::Vendor,
        steps: &[Renewal::IspRoute],
    },
    Route {
        channel: Some(Channel::Partner),
        seller: None,
        write_to: WriteTo::Vendor,
        steps: &[Renewal::PartnerRoute],
    },
    Route {
        channel: Some(Channel::Portal),
        seller: None,
        write_to: WriteTo::Kaspersky,
        steps: &[Renewal::PortalRoute],
    },
    Route {
        channel: None,
        seller: Some(Seller::Allsoft),
        write_to: WriteTo::Seller,
        steps: &[Renewal::AllsoftRoute, Renewal::AllsoftElse],
    },
    Route {
        channel: None,
        seller: Some(Seller::Nexway),
        write_to: WriteTo::Kaspersky,
        steps: &[Renewal::NexwayRoute, Renewal::NexwayOrMarche, Renewal::ElseKaspersky],
    },
    Route {
        channel: Some(Channel::Website),
        seller: None,
        write_to: WriteTo::Kaspersky,
        steps: &[Renewal::FormsInWords, Renewal::ThatSeller, Renewal::ElseKaspersky],
    },
    Route {
        channel: None,
        seller: None,
        write_to: WriteTo::Unknown,
        steps: &[Renewal::FormsInWords, Renewal::UnknownWebsite, Renewal::UnknownCompany, Renewal::AskAgain],
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
