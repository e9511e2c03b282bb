//! `list`: which keys, and how they are shown.

use super::{
    report::Report,
    values::{ChannelArg, KindArg},
    words,
};
use crate::{Entry, Listing};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};
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
    /// Only these, by their ids [default: all]
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// Only in this state; more than one may be given
    #[arg(long, value_enum)]
    state: Vec<StateArg>,
    /// Only of this kind
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
    /// Only ordered through this channel
    #[arg(long, value_enum)]
    channel: Option<ChannelArg>,
    /// Only those that you renew without being asked
    #[arg(long)]
    auto_renew: bool,
    /// Only those whose end or paid date comes within so many days or has passed, the nearest first
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(0..=36500))]
    expiring_within: Option<u64>,
    /// Only those whose document is by the signer with this key id
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    signer: Option<String>,
    /// Print nothing but their ids, one a line, as the other commands read them with `-`
    #[arg(long, conflicts_with = "history")]
    ids: bool,
    /// Show what was done with each, too
    #[arg(long)]
    history: bool,
}

impl ListArgs {
    /// The answer in the form that is asked for: of a hundred thousand keys, one is enough to hold.
    pub(super) fn report(&self, listing: Listing, now: Timestamp, as_json: bool) -> Report {
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
            () => Report::new(json!({}), table(&entries, self.history, now)),
        };
        report.with_problems(&listing.problems)
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

const HEADS: [&str; 8] = ["KEY", "STATE", "TERM", "RENEWAL", "GRACE", "DEVICES", "CHANNEL", "REV"];

fn table(entries: &[Entry], history: bool, now: Timestamp) -> String {
    let rows: Vec<[String; 8]> = entries.iter().map(|entry| row(&entry.document.statement, now)).collect();
    let mut widths = HEADS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; 8]| {
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

fn row(statement: &Statement, now: Timestamp) -> [String; 8] {
    let subscription = statement.subscription();
    let none = || "-".to_owned();
    let channel = subscription.and_then(|s| s.order.as_ref()?.channel);
    [
        statement.key.to_string(),
        words::state_word(statement).to_owned(),
        term(statement, now),
        subscription.map_or_else(none, |s| if s.auto_renew { "auto" } else { "asked for" }.to_owned()),
        subscription.map_or_else(none, |s| format!("{} days", s.grace_days)),
        words::devices(statement),
        channel.map_or_else(none, |channel| json!(channel).as_str().unwrap_or_default().to_owned()),
        statement.rev.to_string(),
    ]
}

/// As [`words::term`], but it says what has passed, and a midnight is its date.
fn term(statement: &Statement, now: Timestamp) -> String {
    let shown = |at: Timestamp| at.to_string().replace("T00:00:00Z", "");
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
