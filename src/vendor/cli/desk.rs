//! The commands that change keys: which keys, what is done, what is answered.

use super::{
    args::Cli,
    close, done,
    issue_args::Issue,
    provider,
    report::{Report, code_lines},
    which::{Named, Resign, Which},
};
use crate::vendor::{Change, Provider, VendorError, files};
use jiff::Timestamp;
use std::path::Path;

/// Who changes keys, and when.
pub(super) struct Desk<'a> {
    pub(super) cli: &'a Cli,
    pub(super) home: Option<&'a Path>,
    pub(super) now: Timestamp,
}

impl Desk<'_> {
    fn provider(&self, rehearses: bool) -> Result<(Provider, Vec<String>), VendorError> {
        let provider = provider(self.cli, self.home)?.rehearsing(rehearses);
        let warnings = close(provider.ledger(), rehearses);
        Ok((provider, warnings))
    }

    pub(super) fn change(&self, which: &Which, change: &Change) -> Result<Report, VendorError> {
        let rehearses = which.dry.dry_run;
        let (provider, warnings) = self.provider(rehearses)?;
        let Named { keys, one } = which.keys()?;
        let mut answers = provider.change_each(&keys, change, which.why.as_deref(), self.now)?;
        let report = match answers.pop() {
            Some(answer) if one => Report::changed(&answer?, change.as_str(), done(rehearses)),
            last => {
                answers.extend(last);
                Report::changed_many(answers, change.as_str(), None, done(rehearses))
            }
        };
        Ok(report.with_warnings(warnings))
    }

    pub(super) fn resign(&self, args: &Resign) -> Result<Report, VendorError> {
        let (provider, warnings) = self.provider(args.dry.dry_run)?;
        let (keys, unchanged, unread) = if args.all {
            let (keys, unchanged, unread) = provider.to_resign()?;
            (keys, Some(unchanged), unread)
        } else {
            (args.keys()?.keys, None, Vec::new())
        };
        let mut answers = provider.change_each(&keys, &Change::Resign, args.why.as_deref(), self.now)?;
        answers.extend(unread.into_iter().map(Err));
        let done = done(args.dry.dry_run);
        Ok(Report::changed_many(answers, Change::Resign.as_str(), unchanged, done).with_warnings(warnings))
    }

    pub(super) fn issue(&self, args: &Issue) -> Result<Report, VendorError> {
        let order = args.order(self.now)?;
        let rehearses = args.dry.dry_run;
        let (provider, mut warnings) = self.provider(rehearses)?;
        warnings.extend(order.warnings());
        let count = usize::try_from(args.count.unwrap_or(1)).unwrap_or(usize::MAX);
        let file = args.codes_to.as_deref();
        if let Some(file) = file.filter(|file| file.symlink_metadata().is_ok()) {
            return Err(VendorError::Usage(format!(
                "{} is there already, and codes are never written over: give --codes-to another path",
                file.display()
            )));
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
