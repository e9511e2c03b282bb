//! The answer, put together from what is known and the tables.

use super::order_number::{LookAlike, OrderNumber};
use super::sellers::{Form, Route, Seller, WriteTo};
use super::words::{self, Lang};
use crate::status::KeyStatus;
use jiff::{Timestamp, civil::Date};
use serde::Serialize;
use svm_core::subscription::{Cause, Channel, KeyKind, Vendor};

/// What the answer goes by.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The number of the order.
    pub number: Option<OrderNumber>,
    /// Where it was bought.
    pub channel: Option<Channel>,
    /// When.
    pub placed_on: Option<Date>,
    /// The key that it is about.
    pub key: Option<KeyFacts>,
    /// Whether a key is held that belongs to another order.
    pub another_order: bool,
}

/// What of a key matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// Its name.
    pub key: String,
    /// Its kind.
    pub kind: KeyKind,
    /// The end of its term, or to when an unlimited one is paid.
    pub ends_at: Option<Timestamp>,
    /// Whether that has passed.
    pub ended: bool,
    /// The end of its grace.
    pub grace_ends_at: Option<Timestamp>,
    /// Whether it renews by itself.
    pub auto_renew: bool,
    /// Whether the vendor cancelled or blocked it.
    pub withdrawn: bool,
    /// Who sells it.
    pub vendor: Option<Vendor>,
}

impl KeyFacts {
    /// Of the active key at `now`; `cause` is that of its phase.
    pub fn of(key: &KeyStatus, cause: Option<Cause>, now: Timestamp) -> Self {
        let ends_at = key.ends_at.or(key.paid_until);
        Self {
            key: key.key.clone(),
            kind: key.kind,
            ends_at,
            ended: ends_at.is_some_and(|end| end <= now),
            grace_ends_at: key.grace_ends_at,
            // An unlimited one goes on for as long as it is paid.
            auto_renew: key.auto_renew || (key.kind == KeyKind::Subscription && key.ends_at.is_none()),
            withdrawn: matches!(cause, Some(Cause::Cancelled | Cause::Blocked)),
            vendor: key.vendor.clone(),
        }
    }
}

/// A letter that is ready but for what only its sender knows; that stands in square brackets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Letter {
    /// Whose support.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its text, in lines.
    pub body: String,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are described in docs/reference/renewal.md")]
pub struct Advice {
    pub lang: Lang,
    pub channel: Option<Channel>,
    pub seller: Option<Seller>,
    pub seller_name: Option<String>,
    pub recognised_by: Option<&'static str>,
    pub sure: bool,
    pub write_to: WriteTo,
    pub order_number: Option<String>,
    pub order_number_read: Option<String>,
    pub look_alikes: Vec<LookAlike>,
    pub placed_on: Option<Date>,
    pub key: Option<String>,
    pub ends_at: Option<Timestamp>,
    pub grace_ends_at: Option<Timestamp>,
    pub auto_renew: Option<bool>,
    pub another_order: bool,
    pub vendor: Option<Vendor>,
    pub steps: Vec<String>,
    pub letter: Option<Letter>,
    /// What to know beside the steps.
    pub notes: Vec<String>,
    pub scope: String,
    #[serde(skip)]
    pub facts: Vec<(String, String)>,
}

/// What to do, for what is known.
pub fn advise(known: &Known, lang: Lang) -> Advice {
    let form = known.number.as_ref().and_then(|number| Form::of(&number.read));
    let route = Route::of(known.channel, form.map(|form| form.seller));
    let form = form.filter(|_| route.is_some_and(Route::by_number));
    let commercial = known.key.as_ref().is_some_and(|key| key.kind == KeyKind::Commercial);
    let look_alikes = known.number.as_ref().map(|number| number.look_alikes.clone()).unwrap_or_default();
    let recognised_by = match route {
        Some(route) if route.by_number() => Some("order_number"),
        Some(route) if route.by_channel() => Some("channel"),
        _ => None,
    };
    let sure = match form {
        Some(form) => form.sure && look_alikes.is_empty(),
        // That it was bought on the website does not tell from whom.
        None => recognised_by.is_some() && known.channel != Some(Channel::Website),
    };
    let write_to = route.map_or(WriteTo::Unknown, |route| route.write_to);
    let key = known.key.as_ref();
    let steps = match route {
        Some(route) if !commercial => route.steps.iter().map(|step| step.in_lang(lang).to_owned()).collect(),
        _ => vec![words::COMMERCIAL.in_lang(lang).to_owned()],
    };
    let seller = form.map(|form| form.seller);
    Advice {
        lang,
        // A seller behind the website tells the channel, too.
        channel: known.channel.or(form.map(|_| Channel::Website)),
        seller,
        seller_name: seller.map(|seller| seller.name().to_owned()),
        recognised_by,
        sure,
        write_to,
        order_number: known.number.as_ref().map(|number| number.given.clone()),
        order_number_read: known.number.as_ref().map(|number| number.read.clone()),
        placed_on: known.placed_on,
        key: key.map(|key| key.key.clone()),
        ends_at: key.and_then(|key| key.ends_at),
        grace_ends_at: key.and_then(|key| key.grace_ends_at),
        auto_renew: key.map(|key| key.auto_renew),
        another_order: known.another_order,
        vendor: key.and_then(|key| key.vendor.clone()),
        letter: (!commercial).then(|| letter(known, write_to, seller, lang)),
        notes: notes(known, form, &look_alikes, lang),
        scope: words::SCOPE.in_lang(lang).to_owned(),
        facts: facts(known, form, recognised_by, lang),
        steps,
        look_alikes,
    }
}

fn notes(known: &Known, form: Option<&Form>, look_alikes: &[LookAlike], lang: Lang) -> Vec<String> {
    let mut notes = Vec::new();
    for LookAlike { place, character, looks_like } in look_alikes {
        let (place, character, latin) = (place.to_string(), character.to_string(), looks_like.to_string());
        notes.push(
            words::LOOK_ALIKE.fill(lang, &[("place", &place), ("character", &character), ("latin", &latin)]),
        );
    }
    let mut say = |holds: bool, text: words::Text| {
        if holds {
            notes.push(text.in_lang(lang).to_owned());
        }
    };
    say(form.is_some_and(|form| !form.sure), words::UNSURE);
    say(known.another_order, words::ANOTHER_ORDER);
    let subscription = known.key.as_ref().filter(|key| key.kind == KeyKind::Subscription);
    if known.key.as_ref().is_some_and(|key| key.withdrawn) {
        say(true, words::WITHDRAWN);
        return notes;
    }
    say(subscription.is_some_and(|key| key.auto_renew), words::RENEWS);
    say(subscription.is_some_and(|key| !key.auto_renew), words::RENEWS_NOT);
    notes.push(usable(known.key.as_ref(), lang));
    notes.push(words::AFTER.in_lang(lang).to_owned());
    let vendor = known.key.as_ref().and_then(|key| key.vendor.as_ref());
    notes.push(match vendor.and_then(|vendor| vendor.renewal_url.as_deref()) {
        Some(url) => words::RENEW_AT.fill(lang, &[("url", url)]),
        None => words::RENEW.in_lang(lang).to_owned(),
    });
    notes
}

/// Until when it stays usable, with the grace.
fn usable(key: Option<&KeyFacts>, lang: Lang) -> String {
    let Some((key, end)) = key.and_then(|key| Some((key, key.ends_at?))) else {
        return words::USABLE.in_lang(lang).to_owned();
    };
    let until = match (key.ended, key.kind) {
        (true, _) => words::ENDED,
        (false, KeyKind::Commercial) => words::COMMERCIAL_UNTIL,
        (false, KeyKind::Subscription) => words::USABLE_UNTIL,
    };
    let mut sentence = until.fill(lang, &[("end", &lang.instant(end))]);
    if let Some(grace) = key.grace_ends_at.filter(|grace| *grace > end) {
        sentence.push(' ');
        sentence.push_str(&words::GRACE.fill(lang, &[("grace", &lang.instant(grace))]));
    }
    sentence
}

/// What is known, with its name.
fn facts(known: &Known, form: Option<&Form>, by: Option<&str>, lang: Lang) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |name: words::Text, value: String| facts.push((name.in_lang(lang).to_owned(), value));
    if let Some(key) = &known.key {
        fact(words::KEY, key.key.clone());
    }
    let unknown = || words::UNKNOWN.in_lang(lang).to_owned();
    let day = known.placed_on.map(|day| lang.day(day));
    fact(
        words::ORDER,
        match (&known.number, &day) {
            (Some(number), Some(day)) => words::PLACED.fill(lang, &[("number", &number.given), ("day", day)]),
            (Some(number), None) => number.given.clone(),
            (None, Some(day)) => words::PLACED_UNNUMBERED.fill(lang, &[("day", day)]),
            (None, None) => unknown(),
        },
    );
    let channel = known.channel.or(form.map(|_| Channel::Website));
    fact(words::CHANNEL, channel.map_or_else(unknown, |c| words::channel(c).in_lang(lang).to_owned()));
    fact(
        words::SELLER,
        match (form, by) {
            (Some(form), _) => {
                let form_words = form.words.in_lang(lang);
                words::RECOGNISED.fill(lang, &[("seller", form.seller.name()), ("form", form_words)])
            }
            (None, Some("channel")) if !matches!(channel, Some(Channel::Website | Channel::Portal)) => {
                words::BY_CHANNEL.in_lang(lang).to_owned()
            }
            (None, _) if channel == Some(Channel::Portal) => "Kaspersky".to_owned(),
            _ if known.number.is_some() => words::UNRECOGNISED.in_lang(lang).to_owned(),
            _ => unknown(),
        },
    );
    if let Some(key) = &known.key {
        let of = |v: &Vendor| [&v.name, &v.support_url, &v.phone].map(Clone::clone);
        let contact: Vec<String> = key.vendor.iter().flat_map(of).flatten().collect();
        let none = contact.is_empty();
        fact(
            words::VENDOR,
            if none { words::NO_CONTACT.in_lang(lang).to_owned() } else { contact.join(", ") },
        );
    }
    facts
}

fn letter(known: &Known, write_to: WriteTo, seller: Option<Seller>, lang: Lang) -> Letter {
    let vendor = known.key.as_ref().and_then(|key| key.vendor.as_ref()?.name.as_deref());
    let to = match (write_to, seller, vendor) {
        (WriteTo::Seller, Some(seller), _) => words::TO_SELLER.fill(lang, &[("seller", seller.name())]),
        (WriteTo::Kaspersky, ..) => words::TO_KASPERSKY.in_lang(lang).to_owned(),
        (_, _, Some(vendor)) => words::TO_SELLER.fill(lang, &[("seller", vendor)]),
        _ => words::TO_VENDOR.in_lang(lang).to_owned(),
    };
    let number = known.number.as_ref().map(OrderNumber::written);
    let subject = match number {
        Some(number) => words::ABOUT_ORDER.fill(lang, &[("number", number)]),
        None => words::ABOUT.in_lang(lang).to_owned(),
    };
    let plain = |text: words::Text| text.in_lang(lang).to_owned();
    let day = known.placed_on.map_or_else(|| plain(words::BOUGHT_UNKNOWN), |day| lang.day(day));
    let number = number.map_or_else(|| plain(words::NUMBER_UNKNOWN), str::to_owned);
    let mut lines = vec![plain(words::HELLO), String::new(), plain(words::PLEASE), String::new()];
    lines.push(plain(words::REASON));
    lines.push(words::NUMBER.fill(lang, &[("number", &number)]));
    lines.push(words::BOUGHT.fill(lang, &[("day", &day)]));
    lines.extend(known.key.as_ref().map(|key| words::THE_KEY.fill(lang, &[("key", &key.key)])));
    lines.extend([plain(words::NAME), plain(words::MAIL), String::new(), plain(words::GOODBYE)]);
    Letter { to, subject, body: lines.join("\n") }
}

/// The names of the parts of the answer, for people.
impl Advice {
    /// Over the steps.
    pub fn to_do(&self) -> &'static str {
        words::TO_DO.in_lang(self.lang)
    }

    /// Over the letter: its own name, and those of its first two lines.
    pub fn of_letter(&self) -> [&'static str; 3] {
        [words::LETTER, words::TO, words::SUBJECT].map(|text| text.in_lang(self.lang))
    }
}
