//! `svm-agent renewal`.

use super::arguments::RenewalArguments;
use super::error::CliError;
use super::output::Out;
use super::reach::AgentEndpoint;
use crate::control::SocketKind;
use crate::control::client::ask;
use crate::renewal::{Advice, KeyFacts, Known, Lang, Letter, OrderNumber, advise};
use crate::status::Status;
use reqwest::Method;
use svm_core::settings::SettingsError;
use svm_core::subscription::Channel;
use svm_core::words::Language;

impl RenewalArguments {
    /// Answers; asks the agent for the key that is held, and does without where more is given.
    pub(super) async fn answer(
        &self,
        reach: impl FnOnce() -> Result<AgentEndpoint, SettingsError>,
        out: &mut Out,
    ) -> Result<u8, CliError> {
        let number = self.order.as_deref().map(OrderNumber::parse).transpose();
        let number = number.map_err(|e| CliError::given("bad_order_number", e.to_string()))?;
        let given = number.is_some() || self.channel.is_some();
        let status = match held(reach, out).await {
            Ok(status) => Some(status),
            Err(_) if given => None,
            Err(error) => return Err(error),
        };
        let mut known = known(number, status.as_ref());
        known.channel = self.channel.map(Channel::from).or(known.channel);
        if !given && known.key.is_none() {
            let message = "no key is held here, so there is no order to tell of: give what its confirmation says, svm-agent renewal --order NUMBER --channel CHANNEL";
            return Err(CliError::given("not_activated", message));
        }
        let lang = match out.language() {
            Language::English => Lang::En,
            Language::Russian => Lang::Ru,
        };
        let advice = advise(&known, lang);
        if out.json() {
            out.value(&advice)?
        } else {
            show(&advice, out)?
        }
        Ok(0)
    }
}

async fn held(
    reach: impl FnOnce() -> Result<AgentEndpoint, SettingsError>,
    out: &mut Out,
) -> Result<Status, CliError> {
    let reach = reach()?;
    let asked = ask(&reach.runtime_dir, SocketKind::Query, Method::GET, "v1/status", None).await;
    reach.settle(asked.map_err(CliError::from), out)
}

/// What is known of the order that is asked about: the held key's belongs to it, unless it names another number.
fn known(number: Option<OrderNumber>, status: Option<&Status>) -> Known {
    let alone = |number| Known { number, ..Known::default() };
    let Some((status, key)) = status.and_then(|status| Some((status, status.active()?))) else {
        return alone(number);
    };
    let order = key.order.as_ref();
    // One that cannot be read is as good as none.
    let its = order.and_then(|order| order.number.as_deref()).and_then(|n| OrderNumber::parse(n).ok());
    match (&number, &its) {
        (Some(asked), Some(its)) if asked.read != its.read => {
            return Known { another_order: true, ..alone(number) };
        }
        _ => {}
    }
    Known {
        number: number.or(its),
        channel: order.and_then(|order| order.channel),
        placed_on: order.and_then(|order| order.placed_on),
        key: Some(KeyFacts::of(key, status.cause, status.at)),
        another_order: false,
    }
}

fn show(advice: &Advice, out: &mut Out) -> Result<(), CliError> {
    for (name, value) in &advice.facts {
        out.wrapped(&format!("{name:<12}"), value)?;
    }
    out.line("")?;
    out.line(advice.to_do())?;
    for (index, step) in advice.steps.iter().enumerate() {
        out.wrapped(&format!("{:>2}. ", index + 1), step)?;
    }
    out.line("")?;
    for note in advice.notes.iter().chain([&advice.scope]) {
        out.wrapped("", note)?;
    }
    if let Some(Letter { to, subject, body }) = &advice.letter {
        let [letter, of, about] = advice.of_letter();
        out.line("")?;
        out.line(letter)?;
        out.line("")?;
        out.wrapped("    ", &format!("{of}: {to}"))?;
        out.wrapped("    ", &format!("{about}: {subject}"))?;
        out.line("")?;
        for line in body.lines() {
            if line.is_empty() { out.line("")? } else { out.wrapped("    ", line)? }
        }
    }
    Ok(())
}
