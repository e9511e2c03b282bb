//! `svm-agent renewal`.

use super::arguments::RenewalArguments;
use super::error::CliError;
use super::output::Out;
use super::reach::AgentEndpoint;
use crate::control::SocketKind;
use crate::control::client::ask;
use crate::renewal::{Advice, Known, KnownKey, Letter, OrderNumber, Part, advise};
use crate::status::Status;
use reqwest::Method;
use svm_core::settings::SettingsError;
use svm_core::subscription::Channel;
use svm_core::words::Language;
use svm_core::words::renewal::Renewal;

impl RenewalArguments {
    /// Answers; asks the agent for the key that is held, and does without where more is given.
    pub(super) async fn answer(
        &self,
        reach: impl FnOnce() -> Result<AgentEndpoint, SettingsError>,
        out: &mut Out,
    ) -> Result<u8, CliError> {
        let number = self.order.as_deref().map(OrderNumber::parse).transpose();
        let language = out.language();
        let number = number.map_err(|e| CliError::given("bad_order_number", e.text(language)))?;
        let given = number.is_some() || self.channel.is_some();
        let status = match held(reach, out).await {
            Ok(status) => Some(status),
            Err(_) if given => None,
            Err(error) => return Err(error),
        };
        let mut known = known(number, status.as_ref());
        known.channel = self.channel.map(Channel::from).or(known.channel);
        if !given && known.key.is_none() {
            return Err(CliError::given("not_activated", Renewal::NoOrder.get(language)));
        }
        let advice = advise(&known, language);
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
        key: Some(KnownKey {
            key: key.key.clone(),
            situation: status.situation(),
            vendor: key.vendor.clone(),
        }),
        another_order: false,
    }
}

fn show(advice: &Advice, out: &mut Out) -> Result<(), CliError> {
    let language = out.language();
    for (name, value) in &advice.facts {
        out.wrapped(&format!("{name:<12}"), value)?;
    }
    if !advice.standing.is_empty() {
        out.line("")?;
        out.wrapped("", &advice.standing.join(" "))?;
    }
    for Part { title, steps, letter, .. } in &advice.parts {
        out.line("")?;
        out.line(title)?;
        for (index, step) in steps.iter().enumerate() {
            out.wrapped(&format!("{:>2}. ", index + 1), step)?;
        }
        if let Some(letter) = letter {
            show_letter(letter, language, out)?;
        }
    }
    if !advice.notes.is_empty() {
        out.line("")?;
    }
    for note in &advice.notes {
        out.wrapped("", note)?;
    }
    Ok(())
}

fn show_letter(letter: &Letter, language: Language, out: &mut Out) -> Result<(), CliError> {
    let Letter { to, subject, body } = letter;
    out.line("")?;
    out.line(format!("    {}", Renewal::Letter.get(language)))?;
    for (name, value) in [(Renewal::To, to), (Renewal::Subject, subject)] {
        out.wrapped("      ", &format!("{}: {value}", name.get(language)))?;
    }
    out.line("")?;
    for line in body.lines() {
        if line.is_empty() { out.line("")? } else { out.wrapped("      ", line)? }
    }
    Ok(())
}
