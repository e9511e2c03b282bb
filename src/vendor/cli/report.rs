//! What a command answers: for people, and the same as JSON.

use crate::{
    documents::{ActivationCode, Document, PublicKey, TrustError, published_path},
    error_chain::Chain,
    subscription::{KeyId, Statement, Term, Terms, VendorState},
    vendor::{Entry, Listing, Published},
};
use serde_json::{Map, Value, json};
use std::{error::Error, io, path::Path};

/// An answer.
#[derive(Debug, Default)]
pub(super) struct Report {
    json: Map<String, Value>,
    text: String,
    /// For people, on standard error: warnings and problems. They are in the JSON too.
    pub(super) notes: Vec<String>,
    /// What could not be done, though the rest was: the exit code says it.
    pub(super) problems: Vec<String>,
    /// The key whose code is in the answer.
    pub(super) issued: Option<KeyId>,
}

impl Report {
    fn new(json: Value, text: String) -> Self {
        let json = match json {
            Value::Object(json) => json,
            other => Map::from_iter([("answer".to_owned(), other)]),
        };
        Self { json, text, ..Self::default() }
    }

    /// Prints the facts.
    pub(super) fn print(&self, as_json: bool, to: &mut impl io::Write) -> io::Result<()> {
        if as_json {
            serde_json::to_writer_pretty(&mut *to, &self.json)?;
            writeln!(to)?;
        } else {
            to.write_all(self.text.as_bytes())?;
        }
        to.flush()
    }

    fn with_problems<E: Error>(mut self, problems: &[E]) -> Self {
        self.problems = problems.iter().map(|problem| Chain(problem).to_string()).collect();
        self.json.insert("problems".to_owned(), json!(self.problems));
        self.notes.extend(self.problems.iter().map(|problem| format!("problem: {problem}")));
        self
    }

    pub(super) fn key_made(iss: &str, key: &PublicKey, path: &Path, ledger: &Path, made: bool) -> Self {
        let kid = key.thumbprint();
        let public = ledger.join("trust.d").join(format!("{kid}.pem"));
        let json = json!({
            "iss": iss, "kid": kid, "made": made,
            "signing_key": path.to_string_lossy(), "public_key": public.to_string_lossy(),
        });
        let verb = if made { "made; keep a copy in a safe place" } else { "was there, registered" };
        let text = format!(
            "signing key  {} ({verb})\npublic key   {} (for your customers' trust.d)\nkey id       {kid}\nissuer       {iss}\n",
            path.display(),
            public.display()
        );
        Self::new(json, text)
    }

    pub(super) fn issued(code: &ActivationCode, entry: &Entry, warnings: Vec<String>) -> Self {
        let document = &entry.document;
        let code = code.reveal();
        let mut json = facts(document);
        json.insert("code".to_owned(), code.as_str().into());
        json.insert("warnings".to_owned(), json!(warnings));
        let text = format!("activation code  {code} (shown this once)\n{}", lines(&document.statement, 17));
        let notes = warnings.into_iter().map(|warning| format!("warning: {warning}")).collect();
        Self { notes, issued: Some(document.statement.key.clone()), ..Self::new(json.into(), text) }
    }

    pub(super) fn changed(entry: &Entry, what: &str) -> Self {
        let statement = &entry.document.statement;
        let mut warnings = Vec::new();
        if what == "renewed" && statement.subscription().is_some_and(|s| s.state == VendorState::Paused) {
            warnings.push("the subscription is still paused: `svm-vendor resume` lets it run".to_owned());
        }
        let mut json = facts(&entry.document);
        json.insert("done".to_owned(), what.into());
        json.insert("warnings".to_owned(), json!(warnings));
        let text = format!("{what}; publish to let it count\n{}", lines(statement, 17));
        let notes = warnings.into_iter().map(|warning| format!("warning: {warning}")).collect();
        Self { notes, ..Self::new(json.into(), text) }
    }

    pub(super) fn published(published: Published, dir: &Path) -> Self {
        let Published { written, unchanged, problems } = published;
        let json = json!({"written": written, "unchanged": unchanged, "folder": dir.to_string_lossy()});
        let text = format!("{written} written, {unchanged} unchanged in {}\n", dir.display());
        Self::new(json, text).with_problems(&problems)
    }

    pub(super) fn inspected(document: &Document, problems: Vec<TrustError>) -> Self {
        let mut json = facts(document);
        json.insert("claims".to_owned(), document.claims().into());
        json.insert("kid".to_owned(), document.kid.as_str().into());
        let claims = Value::Object(document.claims());
        let text = format!(
            "verified: signed by {} for {} at {}\n{}\n{claims:#}\n",
            document.kid,
            document.iss,
            document.iat,
            lines(&document.statement, 17)
        );
        Self::new(json.into(), text).with_problems(&problems)
    }

    pub(super) fn listed(listing: Listing) -> Self {
        let keys: Vec<Value> = listing
            .entries
            .iter()
            .map(|entry| {
                let mut json = facts(&entry.document);
                json.insert("history".to_owned(), json!(entry.history));
                json.into()
            })
            .collect();
        let mut text =
            format!("{:<24} {:<14} {:<32} {:>7} {:>5}\n", "KEY", "STATE", "TERM", "DEVICES", "REV");
        for entry in &listing.entries {
            let statement = &entry.document.statement;
            text += &format!(
                "{:<24} {:<14} {:<32} {:>7} {:>5}\n",
                statement.key.as_str(),
                state(statement),
                term(statement),
                devices(statement),
                statement.rev
            );
        }
        Self::new(json!({ "keys": keys }), text).with_problems(&listing.problems)
    }
}

/// What every answer about a key has.
fn facts(document: &Document) -> Map<String, Value> {
    let mut json = document.statement.to_claims();
    json.insert("iat".to_owned(), document.iat.to_string().into());
    json.insert("jti".to_owned(), document.jti.as_str().into());
    json.insert("path".to_owned(), published_path(&document.sub).into());
    json.insert("state".to_owned(), state(&document.statement).into());
    json
}

fn lines(statement: &Statement, width: usize) -> String {
    let grace = statement.subscription().map(|s| format!("{} days", s.grace_days));
    let fresh = statement.fresh_until.map(|at| at.to_string());
    let rows = [
        ("key", Some(statement.key.to_string())),
        ("revision", Some(statement.rev.to_string())),
        ("state", Some(state(statement).to_owned())),
        ("term", Some(term(statement))),
        ("grace", grace),
        ("devices", Some(devices(statement))),
        ("fresh until", fresh),
    ];
    let rows = rows.into_iter().filter_map(|(name, value)| Some((name, value?)));
    rows.map(|(name, value)| format!("{name:<width$}{value}\n")).collect()
}

fn state(statement: &Statement) -> &'static str {
    let state = match &statement.terms {
        Terms::Subscription(subscription) => subscription.state,
        Terms::Licence(licence) if licence.blocked_since.is_some() => VendorState::Blocked,
        Terms::Licence(_) => VendorState::Active,
    };
    match state {
        VendorState::Active => "active",
        VendorState::Paused => "paused",
        VendorState::SoftCancelled => "soft_cancelled",
        VendorState::HardCancelled => "hard_cancelled",
        VendorState::Blocked => "blocked",
    }
}

fn term(statement: &Statement) -> String {
    match &statement.terms {
        Terms::Licence(licence) => format!("{} days from first use", licence.period_days),
        Terms::Subscription(subscription) => match subscription.term {
            Term::Limited { ends_at } => format!("ends {ends_at}"),
            Term::Unlimited { paid_until: Some(paid) } => format!("paid until {paid}"),
            Term::Unlimited { paid_until: None } => "open-ended".to_owned(),
        },
    }
}

fn devices(statement: &Statement) -> String {
    statement.devices.map_or_else(|| "any".to_owned(), |devices| devices.to_string())
}
