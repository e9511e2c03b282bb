//! What a command answers: for people, and the same as JSON.

use super::{
    output,
    words::{facts, lines},
};
use crate::{Changed, Difference, Entry, Published, Signer, ToPublish, VendorError};
use serde_json::{Map, Value, json};
use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
};
use svm_core::documents::{ActivationCode, Document, PublicKey, TrustError};
use svm_core::error_chain::Chain;
use svm_core::subscription::VendorState;

/// Of more keys than these, people see only the number; JSON has each.
const MAX_LISTED: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Report {
    json: Map<String, Value>,
    text: String,
    /// For people, on standard error: warnings and errors. They are in the JSON too.
    pub(super) notes: Vec<String>,
    /// What failed while the rest was done; the exit code is 1 then.
    pub(super) problems: Vec<String>,
    /// What is lost if the answer cannot be printed.
    pub(super) if_lost: Option<String>,
}

/// Whether something was done or only rehearsed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Really,
    Rehearsed,
}

impl Done {
    /// What a command does, with `--dry-run` or without.
    pub(super) fn of(dry_run: bool) -> Self {
        if dry_run { Self::Rehearsed } else { Self::Really }
    }

    fn says(self, what: &str, then: &str) -> String {
        match self {
            Self::Really => format!("{what}{then}\n"),
            Self::Rehearsed => format!("dry run, nothing was written: {what}\n"),
        }
    }
}

fn counted(keys: usize) -> String {
    format!("{keys} {}", if keys == 1 { "key" } else { "keys" })
}

/// What comes after a change.
const PUBLISH: &str = "\nNext: `svm-vendor publish DIR`, so that agents can fetch it";

impl Report {
    pub(super) fn new(json: Value, text: String) -> Self {
        let json = match json {
            Value::Object(json) => json,
            other => Map::from_iter([("answer".to_owned(), other)]),
        };
        Self { json, text, ..Self::default() }
    }

    pub(super) fn print(&self, as_json: bool, to: &mut impl io::Write) -> io::Result<()> {
        if self.json.is_empty() {
            // `serve` printed everything before.
        } else if as_json {
            output::json(to, &serde_json::to_string_pretty(&self.json)?)?;
        } else {
            output::lines(to, &self.text)?;
        }
        to.flush()
    }

    pub(super) fn with_problems<E: Error + 'static>(mut self, problems: &[E]) -> Self {
        self.problems = problems.iter().map(|problem| Chain(problem).to_string()).collect();
        self.json.insert("problems".to_owned(), json!(self.problems));
        self.notes.extend(self.problems.iter().map(|problem| format!("error: {problem}")));
        self
    }

    /// So many things are wrong; the facts name them, and the exit code is 1.
    pub(super) fn failing(mut self, count: usize) -> Self {
        self.problems.resize(count, String::new());
        self
    }

    /// Adds warnings; in the JSON they stand together.
    pub(super) fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.notes.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
        let all = self.json.entry("warnings").or_insert_with(|| json!([]));
        if let Value::Array(all) = all {
            all.extend(warnings.into_iter().map(Value::from));
        }
        self
    }

    fn done(mut self, done: Done) -> Self {
        if done == Done::Rehearsed {
            self.json.insert("dry_run".to_owned(), true.into());
        }
        self
    }

    pub(super) fn key_made(iss: &str, key: &PublicKey, path: &Path, ledger: &Path, made: bool) -> Self {
        let kid = key.thumbprint();
        let public = ledger.join("trust.d").join(format!("{kid}.pem"));
        let json = json!({
            "iss": iss, "kid": kid, "made": made,
            "signing_key": path.to_string_lossy(), "public_key": public.to_string_lossy(),
        });
        let verb = if made { "new: keep a copy in a safe place" } else { "existing, now registered" };
        let text = format!(
            "signing key  {} ({verb})\npublic key   {} (for trust.d of each SVM)\nkey id       {kid}\nissuer       {iss}\n",
            path.display(),
            public.display()
        );
        Self::new(json, text)
    }

    pub(super) fn issued(code: &ActivationCode, entry: &Entry) -> Self {
        let document = &entry.document;
        let code = code.reveal();
        let mut json = facts(document);
        json.insert("code".to_owned(), code.as_str().into());
        let lines = lines(&document.statement);
        let text = format!("activation code  {code} (shown only once)\n{lines}{}\n", PUBLISH.trim_start());
        let key = &document.statement.key;
        let if_lost = format!("the activation code is lost, so block the key {key} and issue another");
        Self { if_lost: Some(if_lost), ..Self::new(json.into(), text) }
    }

    /// Codes one a line, each with its key; or how many stand in a file.
    pub(super) fn issued_many(keys: &[(ActivationCode, Entry)], file: Option<&Path>) -> Self {
        if let Some(file) = file {
            let json = json!({"issued": keys.len(), "codes": file.to_string_lossy()});
            let text = format!(
                "{} issued. The codes are in {} and nowhere else.{PUBLISH}\n",
                counted(keys.len()),
                file.display()
            );
            return Self::new(json, text);
        }
        let of = |(code, entry): &(ActivationCode, Entry)| {
            let mut json = facts(&entry.document);
            json.insert("code".to_owned(), code.reveal().into());
            Value::Object(json)
        };
        let all: Vec<Value> = keys.iter().map(of).collect();
        let if_lost =
            "the activation codes are lost, so block the keys that `svm-vendor list` shows".to_owned();
        let report = Self::new(json!({"issued": keys.len(), "keys": all}), code_lines(keys));
        Self { if_lost: Some(if_lost), ..report }
    }

    /// What would be issued: no code is shown, as there is none.
    pub(super) fn would_issue(entry: &Entry, count: usize) -> Self {
        let mut claims = entry.document.statement.to_claims();
        claims.insert("iss".to_owned(), entry.document.iss.as_str().into());
        let what = Done::Rehearsed.says(&format!("{} issued", counted(count)), "");
        let text = format!("{what}{:#}\n", Value::Object(claims.clone()));
        Self::new(json!({"would_issue": count, "claims": claims}), text).done(Done::Rehearsed)
    }

    /// One key that was named alone.
    pub(super) fn changed(changed: &Changed, what: &str, done: Done) -> Self {
        let Changed { entry, differences } = changed;
        let statement = &entry.document.statement;
        let mut warnings = Vec::new();
        if what == "renewed" && statement.subscription().is_some_and(|s| s.state == VendorState::Paused) {
            warnings.push("the subscription is still paused: `svm-vendor resume` ends the pause".to_owned());
        }
        let mut json = facts(&entry.document);
        if done == Done::Rehearsed {
            // It was made up for this once.
            json.remove("jti");
        }
        json.insert("done".to_owned(), what.into());
        json.insert("changes".to_owned(), json!(differences));
        let text = done.says(what, "");
        let text = match done {
            Done::Really => text + &lines(statement) + PUBLISH.trim_start() + "\n",
            Done::Rehearsed => text + &changes(differences, ""),
        };
        Self::new(json.into(), text).with_warnings(warnings).done(done)
    }

    /// Many keys; what was refused of some is a problem.
    pub(super) fn changed_many(
        answers: Vec<Result<Changed, VendorError>>,
        what: &str,
        unchanged: Option<u64>,
        done: Done,
    ) -> Self {
        let (mut all, mut problems) = (Vec::new(), Vec::new());
        let mut text = String::new();
        let count = answers.iter().filter(|answer| answer.is_ok()).count();
        for answer in answers {
            let changed = match answer {
                Ok(changed) => changed,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            let statement = &changed.entry.document.statement;
            if done == Done::Rehearsed || count <= MAX_LISTED {
                text += &format!("{} rev {}\n", statement.key, statement.rev);
                text += &changes(&changed.differences, "    ");
            }
            all.push(json!({"id": statement.key, "rev": statement.rev, "changes": changed.differences}));
        }
        let mut json = Map::from_iter([
            ("done".to_owned(), what.into()),
            ("count".to_owned(), count.into()),
            ("keys".to_owned(), all.into()),
        ]);
        let mut says = format!("{} {what}", counted(count));
        if let Some(unchanged) = unchanged {
            json.insert("unchanged".to_owned(), unchanged.into());
            says += &format!(", {unchanged} already up to date");
        }
        text += &done.says(&says, if count == 0 { "" } else { PUBLISH });
        Self::new(json.into(), text).with_problems(&problems).done(done)
    }

    pub(super) fn published(published: Published, dir: &Path, done: Done) -> Self {
        let Published { written, unchanged, problems } = published;
        let count = written.len();
        let folder = dir.to_string_lossy().into_owned();
        let mut json = Map::from_iter([
            ("written".to_owned(), count.into()),
            ("unchanged".to_owned(), unchanged.into()),
            ("folder".to_owned(), folder.into()),
        ]);
        let mut text = String::new();
        if done == Done::Rehearsed {
            let is = |is_new| if is_new { "new" } else { "changed" };
            let mut files = Vec::new();
            for ToPublish { key, rev, path, is_new } in &written {
                text += &format!("{key} rev {rev} ({})\n", is(*is_new));
                files.push(json!({"id": key, "rev": rev, "path": path, "is": is(*is_new)}));
            }
            json.insert("files".to_owned(), files.into());
        }
        text += &done.says(&format!("{}: {count} written, {unchanged} unchanged", dir.display()), "");
        Self::new(json.into(), text).with_problems(&problems).done(done)
    }

    pub(super) fn inspected(document: &Document, problems: Vec<TrustError>) -> Self {
        let mut json = facts(document);
        json.insert("claims".to_owned(), document.claims().into());
        json.insert("kid".to_owned(), document.kid.as_str().into());
        let claims = Value::Object(document.claims());
        let text = format!(
            "signature        good\nsigned by        {}\nissuer           {}\nsigned at        {}\n{}\n{claims:#}\n",
            document.kid,
            document.iss,
            document.iat,
            lines(&document.statement)
        );
        Self::new(json.into(), text).with_problems(&problems)
    }

    pub(super) fn signers(signers: &[Signer], problems: Vec<VendorError>) -> Self {
        let mut text = format!("{:<43}  {:>9}  {}\n", "KEY ID", "DOCUMENTS", "ISSUERS");
        for signer in signers {
            text += &format!("{}  {:>9}  {}\n", signer.kid, signer.documents, signer.issuers.join(" "));
        }
        let of = |signer: &Signer| {
            let files: Vec<_> = signer.files.iter().map(|file| file.to_string_lossy()).collect();
            json!({"kid": signer.kid, "documents": signer.documents, "issuers": signer.issuers, "files": files})
        };
        let json = json!({"signers": signers.iter().map(of).collect::<Vec<_>>()});
        Self::new(json, text).with_problems(&problems)
    }

    pub(super) fn retired(kid: &str, files: &[PathBuf], done: Done) -> Self {
        let names: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
        let what = format!("removed: {}", names.join(", "));
        let then = "\nNext: remove the same file from trust.d of each SVM, and destroy the private key";
        Self::new(json!({"kid": kid, "removed": names}), done.says(&what, then)).done(done)
    }
}

fn changes(differences: &[Difference], indent: &str) -> String {
    if differences.is_empty() {
        return format!("{indent}(no claim changes)\n");
    }
    differences.iter().map(|difference| format!("{indent}{difference}\n")).collect()
}

/// A code and the id of its key, with a tab between, one a line.
pub(super) fn code_lines(keys: &[(ActivationCode, Entry)]) -> String {
    keys.iter()
        .map(|(code, entry)| format!("{}\t{}\n", code.reveal(), entry.document.statement.key))
        .collect()
}
