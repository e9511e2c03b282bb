//! The command line of `svm-vendor`: parse, call, print. Everything it can do is in the library.
//!
//! Promises: with `--json` every answer is one JSON object on standard output, errors too; exit codes are 0
//! done, 1 refused or failed, 2 wrong usage. An activation code is printed once, by `issue`, and nowhere else.

mod args;
mod desk;
mod doctor;
mod issue_args;
mod report;
mod say;
mod select;
mod trial;
mod which;
mod words;

use super::{
    Cancel, Change, Ledger, Profile, Provider, VendorError,
    provider::{read_or_make_key, whole_second},
};
use crate::{
    clock::Clock,
    command_line::{self, USAGE},
    documents::{Expect, MAX_DOCUMENT_BYTES, SigningKey, TrustStore, verify},
    error_chain::Chain,
    files,
};
use args::{Cli, Command, Keygen};
use desk::Desk;
use report::{Done, Report};
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

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
        Err(error) => return ExitCode::from(command_line::answer(PROGRAM, &error, &args, REFUSED)),
    };
    let report = match run(&cli, home.as_deref(), clock) {
        Ok(report) => report,
        Err(error) => return failed(&error, cli.json),
    };
    let mut printed = report.print(cli.json, &mut io::stdout().lock());
    for note in report.notes.iter().filter(|_| !cli.json) {
        printed = printed.and_then(|()| say::lines(&mut io::stderr(), note));
    }
    match printed {
        Ok(()) if report.problems.is_empty() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(REFUSED),
        Err(error) => {
            // What was done is done; where a code is lost with it, that key is of no use to anybody.
            let way_out = report.if_lost.map(|lost| format!("; {lost}")).unwrap_or_default();
            let said = format!("{PROGRAM}: it was done, but cannot be printed: {error}{way_out}");
            say::lines(&mut io::stderr(), &said).ok();
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
    let desk = Desk { cli, home, now };
    match &cli.command {
        Command::Keygen(args) => keygen(cli, args, home),
        Command::Issue(args) => desk.issue(args),
        Command::Renew(args) => desk.change(&args.which, &Change::Renew(args.renewal())),
        Command::Pause(which) => desk.change(which, &Change::Pause),
        Command::Resume(which) => desk.change(which, &Change::Resume),
        Command::Cancel(args) => {
            let how = if args.now { Cancel::Now } else { Cancel::AtTheEnd };
            desk.change(&args.which, &Change::Cancel(how))
        }
        Command::Block(which) => desk.change(which, &Change::Block),
        Command::Change(args) => desk.change(&args.which, &Change::Parameters(args.parameters()?)),
        Command::Resign(args) => desk.resign(args),
        Command::Publish { dir, dry } => {
            let (ledger, warnings) = ledger(cli, dry.dry_run)?;
            let published = ledger.publish(dir, dry.dry_run)?;
            Ok(Report::published(published, dir, done(dry.dry_run)).with_warnings(warnings))
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
            let (ledger, warnings) = ledger(cli, false)?;
            Ok(args.report(ledger.list()?, now, cli.json).with_warnings(warnings))
        }
        Command::Signers => {
            let (signers, problems) = Ledger::open(&cli.ledger)?.signers()?;
            Ok(Report::signers(&signers, problems))
        }
        Command::Retire { kid, dry } => {
            let files = Ledger::open(&cli.ledger)?.retire(kid, dry.dry_run)?;
            Ok(Report::retired(kid, &files, done(dry.dry_run)))
        }
    }
}

fn done(rehearsed: bool) -> Done {
    if rehearsed { Done::Rehearsed } else { Done::Really }
}

/// Opens the ledger, and closes its keys to others where a clone by git left them open.
fn ledger(cli: &Cli, rehearsed: bool) -> Result<(Ledger, Vec<String>), VendorError> {
    let ledger = Ledger::open(&cli.ledger)?;
    let warnings = close(&ledger, rehearsed);
    Ok((ledger, warnings))
}

fn close(ledger: &Ledger, rehearsed: bool) -> Vec<String> {
    if !ledger.is_open_to_others() {
        return Vec::new();
    }
    let open = "other users of this machine could read the folder of keys, as git leaves it";
    let then = match rehearsed {
        true => ": without --dry-run it is closed".to_owned(),
        false => match ledger.close_to_others() {
            Ok(()) => ": closed, it has mode 0700 now".to_owned(),
            Err(error) => format!(", and it is still open: {}; `chmod 700` it", Chain(&error)),
        },
    };
    vec![format!("{open}{then}")]
}

fn provider(cli: &Cli, home: Option<&Path>) -> Result<Provider, VendorError> {
    let iss = Profile::read(&cli.ledger)?.iss;
    let key = SigningKey::read(&key_path(cli, home, &iss)?)?;
    Provider::open(&cli.ledger, key)
}

/// Where the signing key is, or is to be.
fn key_path(cli: &Cli, home: Option<&Path>, iss: &str) -> Result<PathBuf, VendorError> {
    if let Some(path) = &cli.signing_key {
        return Ok(path.clone());
    }
    let home = home.ok_or_else(|| {
        VendorError::Usage(
            "there is no home folder (HOME) for the signing key: give --signing-key".to_owned(),
        )
    })?;
    // An issuer may be an address with slashes.
    let name: String =
        iss.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' }).collect();
    Ok(home.join(".config/svm-vendor").join(format!("{name}.pem")))
}

fn keygen(cli: &Cli, args: &Keygen, home: Option<&Path>) -> Result<Report, VendorError> {
    let held = match Profile::read(&cli.ledger) {
        Ok(profile) => Some(profile),
        Err(VendorError::NotALedger { .. }) => None,
        Err(error) => return Err(error),
    };
    let profile = match (held, &args.iss) {
        (None, None) => {
            return Err(VendorError::Usage(
                "a new ledger needs --iss, best your domain: --iss provider.example".to_owned(),
            ));
        }
        (None, Some(iss)) => Profile { iss: iss.clone(), vendor: args.contact() },
        (Some(held), Some(iss)) if held.iss != *iss => {
            return Err(VendorError::Issuer(format!(
                "this ledger belongs to {}: give another issuer its own with --ledger",
                held.iss
            )));
        }
        (Some(held), _) => {
            let contact = args.contact();
            if contact != Default::default() && contact != held.vendor {
                return Err(VendorError::Usage(
                    "the ledger has its provider.toml already: edit name, support_url, phone and renewal_url there".to_owned(),
                ));
            }
            held
        }
    };
    profile.check()?;
    profile.vendor.check().map_err(VendorError::Order)?;
    let path = key_path(cli, home, &profile.iss)?;
    let (key, made) = read_or_make_key(&path, &cli.ledger)?;
    let public = key.public();
    Provider::create(&cli.ledger, &profile, key)?;
    Ok(Report::key_made(&profile.iss, &public, &path, &cli.ledger, made))
}

fn inspect(cli: &Cli, file: &Path, trust: Option<&Path>) -> Result<Report, VendorError> {
    let folder = trust.map_or_else(|| cli.ledger.join("trust.d"), Path::to_owned);
    let loaded = TrustStore::load_own(&folder)?;
    let most = u64::try_from(MAX_DOCUMENT_BYTES).unwrap_or(u64::MAX);
    let text = files::read_bounded(file, most).map_err(VendorError::io("read", file))?;
    let document = verify(&String::from_utf8_lossy(&text), &loaded.store, Expect::default())?;
    Ok(Report::inspected(&document, loaded.problems))
}
