//! The answer, put together from the state of the subscription, what is known of the order, and the tables.

use super::known::{Known, KnownKey};
use super::letter::{self, Letter};
use super::order_number::LookAlike;
use super::sellers::{Form, Route, Seller, WriteTo};
use jiff::{Timestamp, civil::Date};
use serde::Serialize;
use svm_core::subscription::{
    Cause, Channel, KeyKind, Outlook, Phase, Remedy, Situation, Vendor, VendorState,
};
use svm_core::words::renewal::{self, Renewal};
use svm_core::words::{Language, causes, times};

/// What a part of the answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To have it active, or keep it so.
    Renew,
    /// To stop its renewal.
    Stop,
}

/// A part of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What it is for.
    pub purpose: Purpose,
    /// The same in words, as the state has it: "To resume".
    pub title: &'static str,
    /// What to do, in this order.
    pub steps: Vec<String>,
    /// What to send, if a letter helps.
    pub letter: Option<Letter>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    pub lang: Language,
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
    /// Both parts, the one that the state asks for first.
    pub parts: Vec<Part>,
    /// Of the part that stops the renewal.
    pub steps: Vec<String>,
    /// Of the part that stops the renewal; `None` for a commercial key.
    pub letter: Option<Letter>,
    /// What to know beside the steps.
    pub notes: Vec<String>,
    pub scope: String,
    #[serde(skip)]
    pub facts: Vec<(&'static str, String)>,
    /// What the subscription's state is, in sentences.
    #[serde(skip)]
    pub standing: Vec<String>,
}

/// What to do, for what is known.
pub fn advise(known: &Known, language: Language) -> Advice {
    let its_form = known.number.as_ref().and_then(|number| Form::of(&number.read));
    let route = Route::of(known.channel, its_form.map(|form| form.seller));
    let form = its_form.filter(|_| route.is_some_and(Route::by_number));
    let key = known.key.as_ref();
    let is_commercial =
        key.and_then(|key| key.situation.key).is_some_and(|of| of.kind == KeyKind::Commercial);
    let look_alikes = known.number.as_ref().map(|number| number.look_alikes.clone()).unwrap_or_default();
    let recognised_by = match route {
        Some(route) if route.by_number() => Some("order_number"),
        Some(route) if route.by_channel() => Some("channel"),
        _ => None,
    };
    let vendor = key.and_then(|key| key.vendor.as_ref());
    // The shops are for those of whom nothing else is known.
    let by_document = recognised_by.is_none() && vendor.is_some_and(|vendor| vendor.name.is_some());
    let sure = match form {
        Some(form) => form.sure && look_alikes.is_empty(),
        // That it was bought on the website does not say from whom.
        None => by_document || (recognised_by.is_some() && known.channel != Some(Channel::Website)),
    };
    let write_to =
        if by_document { WriteTo::Vendor } else { route.map_or(WriteTo::Unknown, |route| route.write_to) };
    let seller = form.map(|form| form.seller);
    let renew = to_renew(known, language);
    let stop = Part {
        purpose: Purpose::Stop,
        title: Renewal::ToStop.get(language),
        steps: steps_to_stop(known, route.filter(|_| !by_document), language),
        letter: (!is_commercial).then(|| letter::to_stop(known, write_to, seller, language)),
    };
    let (steps, stop_letter) = (stop.steps.clone(), stop.letter.clone());
    let parts = if is_stopped_first(key) { vec![stop, renew] } else { vec![renew, stop] };
    let facts_of = key.and_then(|key| key.situation.key);
    let has_shops = matches!(write_to, WriteTo::Seller | WriteTo::Kaspersky | WriteTo::Unknown);
    Advice {
        lang: language,
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
        ends_at: facts_of.and_then(|of| of.ends_at.or(of.paid_until)),
        grace_ends_at: facts_of.and_then(|of| of.grace_ends_at),
        auto_renew: key.map(renews_automatically),
        another_order: known.another_order,
        vendor: vendor.cloned(),
        parts,
        steps,
        letter: stop_letter,
        notes: notes(known, its_form, form, &look_alikes, has_shops && !is_commercial, language),
        scope: Renewal::Scope.get(language).to_owned(),
        facts: facts(known, form, recognised_by, language),
        standing: key.map(|key| standing(&key.situation, language)).unwrap_or_default(),
        look_alikes,
    }
}

/// Whether it goes on without anybody's doing: an unlimited subscription for as long as it is paid.
fn renews_automatically(key: &KnownKey) -> bool {
    let is_unlimited =
        |of: &svm_core::subscription::KeyFacts| of.kind == KeyKind::Subscription && of.ends_at.is_none();
    key.situation.key.as_ref().is_some_and(|of| of.auto_renew || is_unlimited(of))
}

/// Whether nothing threatens it: then who asks wants to stop it.
fn is_stopped_first(key: Option<&KnownKey>) -> bool {
    let Some(key) = key else { return false };
    let situation = &key.situation;
    let goes_on = situation.known_end.is_none_or(|end| end.why == Cause::Ended);
    situation.phase == Phase::Active && renews_automatically(key) && goes_on
}

/// What leads back to an active subscription, or keeps it: nothing if it goes on without anybody's doing.
fn remedies(key: &KnownKey) -> Vec<Remedy> {
    let situation = &key.situation;
    match situation.phase {
        Phase::Active if is_stopped_first(Some(key)) => Vec::new(),
        Phase::Active => situation.before_known_end().into_iter().collect(),
        _ => situation.remedies(),
    }
}

fn to_renew(known: &Known, language: Language) -> Part {
    let key = known.key.as_ref();
    // Of an order without a key only its renewal can be meant.
    let remedies = key.map_or_else(|| vec![Remedy::RenewInTime], remedies);
    let title = remedies.first().map_or(Renewal::ToRenew, |remedy| renewal::title(*remedy));
    let letter = letter::to_renew(known, &remedies, language);
    Part {
        purpose: Purpose::Renew,
        title: title.get(language),
        steps: steps_to_renew(known, &remedies, letter.is_some(), language),
        letter,
    }
}

fn steps_to_renew(known: &Known, remedies: &[Remedy], has_letter: bool, language: Language) -> Vec<String> {
    let mut steps = Vec::new();
    let plain = |text: Renewal| text.get(language).to_owned();
    let vendor = known.key.as_ref().and_then(|key| key.vendor.as_ref());
    let situation = known.key.as_ref().map(|key| &key.situation);
    if remedies.is_empty() {
        let is_limited = situation.and_then(|of| of.key).is_some_and(|of| of.ends_at.is_some());
        return vec![plain(if is_limited {
            Renewal::RenewsAutomatically
        } else {
            Renewal::PaidAutomatically
        })];
    }
    if remedies.iter().any(|remedy| matches!(remedy, Remedy::Replace | Remedy::AddReserve)) {
        steps.push(plain(Renewal::NewCommercialKey));
    }
    if remedies.contains(&Remedy::ReserveTakesOver) {
        steps.push(plain(Renewal::ReserveFollows));
    }
    if remedies.iter().any(|remedy| matches!(remedy, Remedy::Renew | Remedy::RenewInTime)) {
        let url = vendor.and_then(|vendor| vendor.renewal_url.as_deref());
        steps.extend(url.map(|url| Renewal::RenewAt.fill(language, &[("url", url)])));
    }
    if has_letter {
        steps.push(match contact(vendor) {
            Some(contact) => Renewal::WriteProvider.fill(language, &[("provider", &contact)]),
            None => plain(Renewal::WriteUnknown),
        });
        let has_source = situation.is_none_or(|of| of.has_source);
        steps.push(plain(if has_source { Renewal::ThenRefresh } else { Renewal::ThenAddDocument }));
    }
    if remedies.contains(&Remedy::AddReserve) {
        steps.push(plain(Renewal::AddAsReserve));
    }
    steps.extend(situation.map(|of| new_code(of, language)));
    steps
}

/// Whether, or from when, another code is accepted as the active key.
fn new_code(situation: &Situation, language: Language) -> String {
    match situation.takes_new_code_from() {
        Some(at) if at <= situation.now => Renewal::CodeIsTaken.get(language).to_owned(),
        Some(at) => Renewal::CodeIsTakenFrom.fill(language, &[("when", &times::instant(at, language))]),
        None => Renewal::CodeIsRefused.get(language).to_owned(),
    }
}

/// Name, address and telephone number of a provider.
fn contact(vendor: Option<&Vendor>) -> Option<String> {
    let vendor = vendor?;
    let parts = [&vendor.name, &vendor.support_url, &vendor.phone].map(Clone::clone);
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn steps_to_stop(known: &Known, route: Option<&Route>, language: Language) -> Vec<String> {
    let plain = |text: Renewal| text.get(language).to_owned();
    let mut steps = Vec::new();
    let key = known.key.as_ref();
    let facts = key.and_then(|key| key.situation.key);
    if facts.is_some_and(|of| of.kind == KeyKind::Commercial) {
        return vec![plain(Renewal::CommercialEnds)];
    }
    let first = match (key, facts) {
        (Some(key), _) if key.situation.is_withdrawn() => Some(Renewal::StopIsOver),
        (Some(key), _) if key.situation.state_in_force() == Some(VendorState::SoftCancelled) => {
            Some(Renewal::StopCancelled)
        }
        (Some(key), Some(_)) if !renews_automatically(key) => Some(Renewal::StopManual),
        _ => None,
    };
    steps.extend(first.map(plain));
    // The provider of the document comes first; the sellers come if the order or the channel says so, or nothing is known.
    let contact = contact(key.and_then(|key| key.vendor.as_ref()));
    let has_sellers = route.is_some_and(|route| route.write_to != WriteTo::Vendor);
    let write = if has_sellers { Renewal::AskProviderFirst } else { Renewal::WriteProvider };
    steps.extend(contact.map(|contact| write.fill(language, &[("provider", &contact)])));
    let is_the_providers = |route: &&Route| route.write_to == WriteTo::Vendor && !steps.is_empty();
    let route = route.filter(|route| !is_the_providers(route));
    steps.extend(route.into_iter().flat_map(|route| route.steps.iter().map(|step| plain(*step))));
    steps.extend(match key.map(|key| key.situation.phase) {
        Some(Phase::Active) => Some(plain(Renewal::StopEffect)),
        None => Some(plain(Renewal::StopEffectUnknown)),
        Some(Phase::NotActivated | Phase::Grace | Phase::Restricted) => None,
    });
    steps
}

/// What the state of the subscription is, and what time will bring.
fn standing(situation: &Situation, language: Language) -> Vec<String> {
    let because = situation
        .cause
        .map(|cause| causes::because(cause, situation.lapse_cause).get(language))
        .unwrap_or_default();
    let dated = |text: Renewal, at| {
        text.fill(language, &[("when", &times::instant(at, language)), ("because", because)])
    };
    let Outlook { active_until, grace_until } = situation.outlook();
    let mut sentences = Vec::new();
    match situation.phase {
        Phase::NotActivated => {}
        Phase::Restricted => sentences.push(Renewal::Restricted.fill(language, &[("because", because)])),
        Phase::Grace => sentences.extend(grace_until.map(|at| dated(Renewal::InGrace, at))),
        Phase::Active => match active_until {
            None => sentences.push(Renewal::NoKnownEnd.get(language).to_owned()),
            Some((at, cause)) => {
                sentences.push(dated(renewal::active_until(cause), at));
                let is_withdrawn = matches!(cause, Cause::Cancelled | Cause::Blocked);
                let is_commercial = situation.key.is_some_and(|of| of.kind == KeyKind::Commercial);
                sentences.extend(match grace_until {
                    Some(end) => Some(dated(Renewal::ThenGrace, end)),
                    None if situation.has_reserve || is_withdrawn || is_commercial => None,
                    None => Some(Renewal::ThenNoGrace.get(language).to_owned()),
                });
                let takes_over = situation.before_known_end() == Some(Remedy::ReserveTakesOver);
                sentences.extend(takes_over.then(|| Renewal::ReserveFollows.get(language).to_owned()));
            }
        },
    }
    sentences
}

fn notes(
    known: &Known,
    its_form: Option<&Form>,
    form: Option<&Form>,
    look_alikes: &[LookAlike],
    has_shops: bool,
    language: Language,
) -> Vec<String> {
    let mut notes = Vec::new();
    for LookAlike { place, character, looks_like } in look_alikes {
        let (place, character, latin) = (place.to_string(), character.to_string(), looks_like.to_string());
        let values = [("place", place.as_str()), ("character", &character), ("latin", &latin)];
        notes.push(Renewal::LookAlike.fill(language, &values));
    }
    let mut say = |holds: bool, text: Renewal| {
        if holds {
            notes.push(text.get(language).to_owned());
        }
    };
    say(form.is_some_and(|form| !form.sure), Renewal::Unsure);
    say(known.another_order, Renewal::AnotherOrder);
    say(has_shops, Renewal::Products);
    say(has_shops, Renewal::Mobile);
    let other = its_form.filter(|its| form.is_none() && its.sure);
    notes.extend(other.map(|its| Renewal::OtherForm.fill(language, &[("seller", its.seller.name())])));
    notes
}

/// What is known, with its name.
fn facts(
    known: &Known,
    form: Option<&Form>,
    by: Option<&str>,
    language: Language,
) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let plain = |text: Renewal| text.get(language).to_owned();
    let mut fact = |name: Renewal, value: String| facts.push((name.get(language), value));
    if let Some(key) = &known.key {
        fact(Renewal::Key, key.key.clone());
        fact(Renewal::Provider, contact(key.vendor.as_ref()).unwrap_or_else(|| plain(Renewal::NoContact)));
    }
    let unknown = || plain(Renewal::NotKnown);
    let day = known.placed_on.map(|day| times::day(day, language));
    fact(
        Renewal::Order,
        match (&known.number, &day) {
            (Some(number), Some(day)) => {
                Renewal::Placed.fill(language, &[("number", &number.given), ("day", day)])
            }
            (Some(number), None) => number.given.clone(),
            (None, Some(day)) => Renewal::PlacedUnnumbered.fill(language, &[("day", day)]),
            (None, None) => unknown(),
        },
    );
    let channel = known.channel.or(form.map(|_| Channel::Website));
    fact(
        Renewal::Channel,
        channel.map_or_else(unknown, |channel| renewal::channel(channel).get(language).to_owned()),
    );
    let seller = match (form, by, channel) {
        (Some(form), ..) => {
            let values = [("seller", form.seller.name()), ("form", form.words.get(language))];
            Renewal::Recognised.fill(language, &values)
        }
        (None, _, Some(Channel::Portal)) => "Kaspersky".to_owned(),
        (None, Some("channel"), Some(Channel::Isp | Channel::Partner | Channel::Corporate)) => {
            plain(Renewal::ByChannel)
        }
        _ if known.number.is_some() => plain(Renewal::Unrecognised),
        _ => unknown(),
    };
    fact(Renewal::Seller, seller);
    facts
}
