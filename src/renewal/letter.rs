//! Letters that are ready but for what only their sender knows.

use super::known::Known;
use super::order_number::OrderNumber;
use super::sellers::{Seller, WriteTo};
use serde::Serialize;
use svm_core::subscription::{Cause, Phase, Remedy};
use svm_core::words::renewal::{Renewal, request};
use svm_core::words::{Language, times};

/// A letter; what only its sender knows stands in square brackets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Letter {
    /// Whose support.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its text, in lines.
    pub body: String,
}

/// The letter that asks the provider for these remedies; nothing if none of them is the provider's.
pub(super) fn to_renew(known: &Known, remedies: &[Remedy], language: Language) -> Option<Letter> {
    let requests: Vec<[Renewal; 2]> = remedies.iter().filter_map(|remedy| request(*remedy)).collect();
    let [_, subject] = requests.first()?;
    let to = to_provider(known, language);
    let asked = requests.iter().map(|[please, _]| please.get(language).to_owned()).collect();
    Some(letter(known, to, *subject, asked, &[Renewal::PleaseConfirm], language))
}

/// The letter that stops the renewal.
pub(super) fn to_stop(
    known: &Known,
    write_to: WriteTo,
    seller: Option<Seller>,
    language: Language,
) -> Letter {
    let to = match (write_to, seller) {
        (WriteTo::Seller, Some(seller)) => Renewal::ToSeller.fill(language, &[("seller", seller.name())]),
        (WriteTo::Kaspersky, _) => Renewal::ToKaspersky.get(language).to_owned(),
        _ => to_provider(known, language),
    };
    let asked = vec![Renewal::PleaseStop.get(language).to_owned()];
    let last: &[Renewal] = if runs_to_its_end(known) {
        &[Renewal::PleaseConfirm, Renewal::KnowItEnds]
    } else {
        &[Renewal::PleaseConfirm]
    };
    let mut stop = letter(known, to, Renewal::AboutStopping, asked, last, language);
    // Kaspersky support asks for the reason.
    let reason = Renewal::Reason.get(language);
    let number = stop.body.find(Renewal::Number.get(language).split('{').next().unwrap_or_default());
    if let Some(at) = number {
        stop.body.insert_str(at, &format!("{reason}\n"));
    }
    stop
}

/// Whether nothing comes before the end of its term, as far as is known.
fn runs_to_its_end(known: &Known) -> bool {
    let Some(key) = &known.key else { return true };
    let until = key.situation.outlook().active_until;
    let to_its_end = until.is_none_or(|(_, cause)| matches!(cause, Cause::Ended | Cause::Unpaid));
    key.situation.phase == Phase::Active && to_its_end
}

fn to_provider(known: &Known, language: Language) -> String {
    let vendor = known.key.as_ref().and_then(|key| key.vendor.as_ref()?.name.as_deref());
    match vendor {
        Some(name) => Renewal::ToSeller.fill(language, &[("seller", name)]),
        None => Renewal::ToCompany.get(language).to_owned(),
    }
}

fn letter(
    known: &Known,
    to: String,
    subject: Renewal,
    asked: Vec<String>,
    last: &[Renewal],
    language: Language,
) -> Letter {
    let plain = |text: Renewal| text.get(language).to_owned();
    let number = known.number.as_ref().map(OrderNumber::written);
    let subject = match number {
        Some(number) => {
            Renewal::OfOrder.fill(language, &[("subject", subject.get(language)), ("number", number)])
        }
        None => plain(subject),
    };
    let day = known.placed_on.map_or_else(|| plain(Renewal::BoughtUnknown), |day| times::day(day, language));
    let number = number.map_or_else(|| plain(Renewal::NumberUnknown), str::to_owned);
    let mut lines = vec![plain(Renewal::Hello), String::new()];
    lines.extend(asked);
    lines.push(String::new());
    lines.push(Renewal::Number.fill(language, &[("number", &number)]));
    lines.push(Renewal::Bought.fill(language, &[("day", &day)]));
    let key = known.key.as_ref();
    lines.extend(key.map(|key| Renewal::TheKey.fill(language, &[("key", &key.key)])));
    lines.extend([plain(Renewal::Name), plain(Renewal::Mail), String::new()]);
    lines.push(last.iter().map(|text| text.get(language)).collect::<Vec<_>>().join(" "));
    Letter { to, subject, body: lines.join("\n") }
}
