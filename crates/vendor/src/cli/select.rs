//! `list`: which keys are listed, and how.

use super::{
    report::Report,
    values::{ChannelArg, KindArg},
    words,
};
use crate::{Entry, Listing};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};
use svm_core::command_line::whole;
use svm_core::subscription::{Channel, KeyKind, Statement, Term, Terms, VendorState, add_days};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StateArg {
    Active,
    Paused,
    #[value(name = "soft_cancelled")]
    SoftCancelled,
    #[value(name = "hard_cancelled")]
    HardCancelled,
    Blocked,
}

#[derive(Args)]
pub(super) struct ListArgs {
    /// Ids of the keys to list [default: all]
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// Only keys in this state; can be given several times
    #[arg(long, value_enum)]
    state: Vec<StateArg>,
    /// Only keys of this kind
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
    /// Only keys ordered through this channel
    #[arg(long, value_enum)]
    channel: Option<ChannelArg>,
    /// Only keys that you renew automatically
    #[arg(long)]
    auto_renew: bool,
    /// Only keys whose end or paid date is within DAYS or past; nearest first
    #[arg(long, value_name = "DAYS", value_parser = whole::<u64>(0..=36500))]
    expiring_within: Option<u64>,
    /// Only keys signed by the signer with this key id
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    signer: Option<String>,
    /// Print only ids, one a line; other commands read them with `-`
    #[arg(long, conflicts_with = "history")]
    ids: bool,
    /// Show the history of each key
    #[arg(long)]
    history: bool,
}

impl ListArgs {
    /// The answer in one form only: the ledger may have a hundred thousand keys.
    pub(super) fn report(&self, listing: Listing, now: Timestamp, as_json: bool) -> Report {
        let any = !listing.entries.is_empty();
        let mut entries: Vec<Entry> =
            listing.entries.into_iter().filter(|entry| self.takes(entry, now)).collect();
        if self.expiring_within.is_some() {
            entries.sort_by_key(|entry| words::date(&entry.document.statement));
        }
        let id = |entry: &Entry| format!("{}\n", entry.document.statement.key);
        let report = match () {
            () if as_json => {
                let keys: Vec<Value> = entries.iter().map(words::with_history).collect();
                Report::new(json!({ "keys": keys }), String::new())
            }
            () if self.ids => Report::new(json!({}), entries.iter().map(id).collect()),
            () if entries.is_empty() => Report::new(json!({}), Self::none(any)),
            () => Report::new(json!({}), table(&entries, self.history, now)),
        };
        report.with_problems(&listing.problems)
    }

    /// What is said if there is nothing to list.
    fn none(any: bool) -> String {
        match any {
            true => "no key matches",
            false => "the ledger has no keys: `svm-vendor issue` makes one",
        }
        .to_owned()
    }

    fn takes(&self, entry: &Entry, now: Timestamp) -> bool {
        let statement = &entry.document.statement;
        let order = statement.subscription().and_then(|s| s.order.as_ref());
        let soon = |days| words::date(statement).is_some_and(|date| date <= add_days(now, days));
        (self.keys.is_empty() || self.keys.iter().any(|key| key == statement.key.as_str()))
            && (self.state.is_empty()
                || self.state.iter().any(|s| VendorState::from(*s) == words::state(statement)))
            && self.kind.is_none_or(|kind| KeyKind::from(kind) == statement.kind())
            && self.channel.is_none_or(|c| order.is_some_and(|order| order.channel == Some(Channel::from(c))))
            && (!self.auto_renew || statement.auto_renew())
            && self.expiring_within.is_none_or(soon)
            && self.signer.as_ref().is_none_or(|kid| *kid == entry.document.kid)
    }
}

impl From<StateArg> for VendorState {
    fn from(state: StateArg) -> Self {
        match state {
            StateArg::Active => Self::Active,
            StateArg::Paused => Self::Paused,
            StateArg::SoftCancelled => Self::SoftCancelled,
            StateArg::HardCancelled => Self::HardCancelled,
            StateArg::Blocked => Self::Blocked,
        }
    }
}

const HEADS: [&str; 7] = ["KEY", "STATE", "TERM", "RENEWAL", "GRACE", "DEVICES", "CHANNEL"];

fn table(entries: &[Entry], history: bool, now: Timestamp) -> String {
    let rows: Vec<[String; 7]> = entries.iter().map(|entry| row(&entry.document.statement, now)).collect();
    let mut widths = HEADS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; 7]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(&HEADS.map(str::to_owned));
    for (entry, row) in entries.iter().zip(&rows) {
        text += &line(row);
        for done in entry.history.iter().filter(|_| history) {
            let why = done.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            text += &format!("    rev {}  {}  {}{why}\n", done.rev, done.at, done.what);
        }
    }
    text
}

fn row(statement: &Statement, now: Timestamp) -> [String; 7] {
    let subscription = statement.subscription();
    let none = || "-".to_owned();
    let channel = subscription.and_then(|s| s.order.as_ref()?.channel);
    [
        statement.key.to_string(),
        words::state_word(statement).to_owned(),
        term(statement, now),
        subscription.map_or_else(none, |s| if s.auto_renew { "auto" } else { "manual" }.to_owned()),
        subscription.map_or_else(none, |s| words::days(s.grace_days)),
        statement.devices.map_or_else(|| "any".to_owned(), |devices| devices.to_string()),
        channel.map_or_else(none, |channel| json!(channel).as_str().unwrap_or_default().to_owned()),
    ]
}

/// As [`words::term`], but it says what has passed, and days are enough: a line has 80 columns.
fn term(statement: &Statement, now: Timestamp) -> String {
    let shown = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    match &statement.terms {
        Terms::Subscription(s) => match s.term {
            Term::Limited { ends_at } if ends_at <= now => format!("ended {}", shown(ends_at)),
            Term::Limited { ends_at } => format!("ends {}", shown(ends_at)),
            Term::Unlimited { paid_until: Some(paid) } if paid <= now => {
                format!("unpaid since {}", shown(paid))
            }
            Term::Unlimited { paid_until: Some(paid) } => format!("paid until {}", shown(paid)),
            Term::Unlimited { paid_until: None } => words::term(statement),
        },
        Terms::Licence(_) => words::term(statement),
    }
}
