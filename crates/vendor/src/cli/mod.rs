//! The command line of `svm-vendor`: parse, call, print. Everything it can do is in the library.
//!
//! Promises: with `--json` every answer is one JSON object on standard output, errors too; exit codes are 0
//! done, 1 refused or failed, 2 wrong usage. An activation code is printed once, by `issue`, and nowhere else.

mod args;
mod doctor;
mod issue_args;
mod output;
mod report;
mod select;
mod session;
mod trial;
mod values;
mod which;
mod words;

use super::{Cancel, Change, Ledger, VendorError, provider::whole_second};
use args::{Cli, Command};
use report::{Done, Report};
use session::{Opened, Session};
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};
use svm_core::clock::Clock;
use svm_core::command_line::{self, USAGE};
use svm_core::documents::{Expect, MAX_DOCUMENT_BYTES, TrustStore, verify};
use svm_core::error_chain::Chain;
use svm_core::files;

const REFUSED: u8 = 1;
const PROGRAM: &str = "svm-vendor";

/// The command line, for its manual page.
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Runs a command line, with the name of the program first, and gives its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>, home: Option<PathBuf>, clock: Clock) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli: Cli = match command_line::parse(&args) {
        Ok(cli) => cli,
        Err(misuse) => return ExitCode::from(command_line::answer(PROGRAM, &misuse, REFUSED)),
    };
    let report = match run(&cli, home.as_deref(), clock) {
        Ok(report) => report,
        Err(error) => return failed(&error, cli.json),
    };
    let mut printed = report.print(cli.json, &mut io::stdout().lock());
    for note in report.notes.iter().filter(|_| !cli.json) {
        printed = printed.and_then(|()| output::lines(&mut io::stderr(), &format!("{PROGRAM}: {note}")));
    }
    match printed {
        Ok(()) if report.problems.is_empty() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(REFUSED),
        Err(error) => {
            // The change stands; a key whose code is lost with the answer is of no use.
            let way_out = report.if_lost.map(|lost| format!("; {lost}")).unwrap_or_default();
            let said = format!("{PROGRAM}: error: done, but the result cannot be printed: {error}{way_out}");
            output::lines(&mut io::stderr(), &said).ok();
            ExitCode::from(REFUSED)
        }
    }
}

fn failed(error: &VendorError, as_json: bool) -> ExitCode {
    command_line::report(PROGRAM, as_json, error.code(), &Chain(error).to_string());
    ExitCode::from(if matches!(error, VendorError::Usage(_)) { USAGE } else { REFUSED })
}

fn run(cli: &Cli, home: Option<&Path>, clock: Clock) -> Result<Report, VendorError> {
    let now = whole_second(clock.now());
    let session = Session { cli, home, now };
    match &cli.command {
        Command::Keygen(args) => session.keygen(args),
        Command::Issue(args) => session.issue(args),
        Command::Renew(args) => session.change(&args.which, &Change::Renew(args.renewal())),
        Command::Pause(which) => session.change(which, &Change::Pause),
        Command::Resume(which) => session.change(which, &Change::Resume),
        Command::Cancel(args) => {
            let how = if args.now { Cancel::Now } else { Cancel::AtTheEnd };
            session.change(&args.which, &Change::Cancel(how))
        }
        Command::Block(which) => session.change(which, &Change::Block),
        Command::Change(args) => session.change(&args.which, &Change::Parameters(args.parameters()?)),
        Command::Resign(args) => session.resign(args),
        Command::Publish { dir, dry } => {
            let Opened { opened: ledger, warnings } = session.ledger(dry.dry_run)?;
            let published = ledger.publish(dir, dry.dry_run)?;
            Ok(Report::published(published, dir, Done::of(dry.dry_run)).with_warnings(warnings))
        }
        Command::Serve { dir, listen, public } => trial::serve(dir, *listen, *public, cli.json),
        Command::Doctor { url, ca_file } => {
            let ledger = match Ledger::open(&cli.ledger) {
                Ok(ledger) => Some(ledger),
                Err(VendorError::NotALedger { .. }) => None,
                Err(error) => return Err(error),
            };
            doctor::examine(url, ca_file.clone(), ledger.as_ref(), clock)
        }
        Command::Inspect { file, trust } => inspect(cli, file, trust.as_deref()),
        Command::List(args) => {
            let Opened { opened: ledger, warnings } = session.ledger(false)?;
            Ok(args.report(ledger.list()?, now, cli.json).with_warnings(warnings))
        }
        Command::Signers => {
            let (signers, problems) = Ledger::open(&cli.ledger)?.signers()?;
            Ok(Report::signers(&signers, problems))
        }
        Command::Retire { kid, dry } => {
            let files = Ledger::open(&cli.ledger)?.retire(kid, dry.dry_run)?;
            Ok(Report::retired(kid, &files, Done::of(dry.dry_run)))
        }
    }
}

fn inspect(cli: &Cli, file: &Path, trust: Option<&Path>) -> Result<Report, VendorError> {
    let folder = trust.map_or_else(|| cli.ledger.join("trust.d"), Path::to_owned);
    let loaded = TrustStore::load_own(&folder)?;
    let most = u64::try_from(MAX_DOCUMENT_BYTES).unwrap_or(u64::MAX);
    let text = files::read_bounded(file, most).map_err(VendorError::io("read", file))?;
    let document = verify(&String::from_utf8_lossy(&text), &loaded.store, Expect::default())?;
    Ok(Report::inspected(&document, loaded.problems))
}
