//! The commands that make or change keys: which keys, what is done, what is answered.

use super::{
    args::{Cli, Keygen},
    issue_args::Issue,
    report::{Done, Report, code_lines},
    which::{Named, Resign, Which},
};
use crate::{
    Change, IssuerError, Ledger, OrderError, Profile, Provider, ToResign, UsageError, VendorError, files,
    provider::read_or_make_key,
};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use svm_core::documents::SigningKey;
use svm_core::error_chain::Chain;

/// One run of the tool: its arguments, where its user lives, and the time.
pub(super) struct Session<'a> {
    pub(super) cli: &'a Cli,
    pub(super) home: Option<&'a Path>,
    pub(super) now: Timestamp,
}

/// What was opened, and what is to be said about its files.
pub(super) struct Opened<T> {
    pub(super) opened: T,
    pub(super) warnings: Vec<String>,
}

impl Session<'_> {
    /// Opens the ledger, and closes its keys to other users if a clone by git left them open.
    pub(super) fn ledger(&self, rehearsed: bool) -> Result<Opened<Ledger>, VendorError> {
        let ledger = Ledger::open(&self.cli.ledger)?;
        let warnings = close(&ledger, rehearsed);
        Ok(Opened { opened: ledger, warnings })
    }

    fn provider(&self, rehearses: bool) -> Result<Opened<Provider>, VendorError> {
        let iss = Profile::read(&self.cli.ledger)?.iss;
        let key = SigningKey::read(&self.key_path(&iss)?)?;
        let provider = Provider::open(&self.cli.ledger, key)?.rehearsing(rehearses);
        let warnings = close(provider.ledger(), rehearses);
        Ok(Opened { opened: provider, warnings })
    }

    /// Where the signing key is, or is to be.
    fn key_path(&self, iss: &str) -> Result<PathBuf, VendorError> {
        if let Some(path) = &self.cli.signing_key {
            return Ok(path.clone());
        }
        let home = self.home.ok_or(UsageError::NoHome)?;
        // An issuer may be an address with slashes.
        let name: String = iss
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' })
            .collect();
        Ok(home.join(".config/svm-vendor").join(format!("{name}.pem")))
    }

    pub(super) fn keygen(&self, args: &Keygen) -> Result<Report, VendorError> {
        let held = match Profile::read(&self.cli.ledger) {
            Ok(profile) => Some(profile),
            Err(VendorError::NotALedger { .. }) => None,
            Err(error) => return Err(error),
        };
        let profile = match (held, &args.iss) {
            (None, None) => return Err(UsageError::NoIssuer.into()),
            (None, Some(iss)) => Profile { iss: iss.clone(), vendor: args.contact() },
            (Some(held), Some(iss)) if held.iss != *iss => {
                return Err(IssuerError::Other { held: held.iss, given: iss.clone() }.into());
            }
            (Some(held), _) => {
                let contact = args.contact();
                if contact != Default::default() && contact != held.vendor {
                    return Err(UsageError::ProfileExists.into());
                }
                held
            }
        };
        profile.check()?;
        profile.vendor.check().map_err(OrderError::Contact)?;
        let path = self.key_path(&profile.iss)?;
        let (key, made) = read_or_make_key(&path, &self.cli.ledger)?;
        let public = key.public();
        Provider::create(&self.cli.ledger, &profile, key)?;
        Ok(Report::key_made(&profile.iss, &public, &path, &self.cli.ledger, made))
    }

    pub(super) fn change(&self, which: &Which, change: &Change) -> Result<Report, VendorError> {
        let rehearses = which.dry.dry_run;
        let Opened { opened: provider, warnings } = self.provider(rehearses)?;
        let Named { keys, one } = which.keys()?;
        let mut answers = provider.change_each(&keys, change, which.why.as_deref(), self.now)?;
        let report = match answers.pop() {
            Some(answer) if one => Report::changed(&answer?, change.as_str(), Done::of(rehearses)),
            last => {
                answers.extend(last);
                Report::changed_many(answers, change.as_str(), None, Done::of(rehearses))
            }
        };
        Ok(report.with_warnings(warnings))
    }

    pub(super) fn resign(&self, args: &Resign) -> Result<Report, VendorError> {
        let Opened { opened: provider, warnings } = self.provider(args.dry.dry_run)?;
        let (keys, unchanged, unread) = if args.all {
            let ToResign { keys, unchanged, problems } = provider.to_resign()?;
            (keys, Some(unchanged), problems)
        } else {
            (args.keys()?.keys, None, Vec::new())
        };
        let mut answers = provider.change_each(&keys, &Change::Resign, args.why.as_deref(), self.now)?;
        answers.extend(unread.into_iter().map(Err));
        let done = Done::of(args.dry.dry_run);
        Ok(Report::changed_many(answers, Change::Resign.as_str(), unchanged, done).with_warnings(warnings))
    }

    pub(super) fn issue(&self, args: &Issue) -> Result<Report, VendorError> {
        let order = args.order(self.now)?;
        let rehearses = args.dry.dry_run;
        let Opened { opened: provider, mut warnings } = self.provider(rehearses)?;
        warnings.extend(order.warnings());
        let count = usize::try_from(args.count.unwrap_or(1)).unwrap_or(usize::MAX);
        let file = args.codes_to.as_deref();
        if let Some(file) = file.filter(|file| file.symlink_metadata().is_ok()) {
            return Err(UsageError::CodesExist { path: file.to_owned() }.into());
        }
        if rehearses {
            // All are alike.
            let one = provider.issue_many(&order, 1, self.now, |_| Ok(()))?;
            let entry = one.first().map(|(_, entry)| Report::would_issue(entry, count));
            return Ok(entry.unwrap_or_default().with_warnings(warnings));
        }
        let keep =
            |keys: &[_]| file.map_or(Ok(()), |file| files::write_new(file, code_lines(keys).as_bytes()));
        let issued = provider.issue_many(&order, count, self.now, keep)?;
        let report = match issued.as_slice() {
            [(code, entry)] if args.count.is_none() && file.is_none() => Report::issued(code, entry),
            issued => Report::issued_many(issued, file),
        };
        Ok(report.with_warnings(warnings))
    }
}

fn close(ledger: &Ledger, rehearsed: bool) -> Vec<String> {
    if !ledger.is_open_to_others() {
        return Vec::new();
    }
    let keys = ledger.keys();
    let open = format!("other users of this machine can read {} (git keeps no such modes)", keys.display());
    let then = match rehearsed {
        true => "without --dry-run its mode becomes 0700".to_owned(),
        false => match ledger.close_to_others() {
            Ok(()) => "its mode is now 0700".to_owned(),
            Err(error) => format!("{}; run `chmod 700` on it", Chain(&error)),
        },
    };
    vec![format!("{open}: {then}")]
}
