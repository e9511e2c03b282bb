//! Command lines of all programs: a wrong one is answered in one form, and in the form that was asked for.
//!
//! Promises: arguments that are not UTF-8 are wrong usage, never a panic. An error says what is wrong, what was meant if
//! that is near, and which `--help` to read. With `--json` an error is one JSON object on standard output, even if the
//! command line itself cannot be understood; an error that cannot be written there goes to standard error, so that no
//! failure is silent.

use crate::library_words;
use crate::logging::complain;
use crate::nearest::nearest;
use crate::text::escape_json;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Parser};
use serde::Serialize;
use serde_json::json;
use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::ops::RangeInclusive;

/// The exit code of wrong usage.
pub const USAGE: u8 = 2;

/// A command line that asks for help, or is wrong.
#[derive(Debug)]
pub struct Misuse {
    error: clap::Error,
    /// The program and its commands, as far as they were understood.
    path: Vec<String>,
    /// What could have been typed there: the names of commands and options.
    names: Vec<String>,
    as_json: bool,
}

/// Reads a command line, the name of the program first.
///
/// # Errors
/// [`Misuse`]; [`answer`] reports it.
pub fn parse<T: Parser>(arguments: &[OsString]) -> Result<T, Misuse> {
    T::try_parse_from(arguments).map_err(|error| {
        let program = T::command();
        let (commands, as_json) = addressed(&program, arguments);
        let last = commands.last().copied().unwrap_or(&program);
        let options = commands.iter().flat_map(|command| command.get_arguments());
        let options = options.filter_map(clap::Arg::get_long).map(|name| format!("--{name}"));
        let names = last.get_subcommands().map(|command| command.get_name().to_owned()).chain(options);
        let names = names.chain(["help".to_owned(), "--help".to_owned()]).collect();
        let path = commands.iter().map(|command| command.get_name().to_owned()).collect();
        Misuse { error, path, names, as_json }
    })
}

/// The program and the commands that a command line names, and whether it asks for JSON, however wrong the rest of it
/// is. This reads the words, because `clap` stops at the first mistake: `--json` may come after it.
fn addressed<'a>(program: &'a Command, arguments: &[OsString]) -> (Vec<&'a Command>, bool) {
    let (mut path, mut as_json, mut is_value) = (vec![program], false, false);
    for word in arguments.iter().skip(1).take_while(|word| *word != "--") {
        let word = word.to_string_lossy();
        as_json |= word == "--json";
        let current = path.last().copied().unwrap_or(program);
        if let Some(command) = current.find_subcommand(word.as_ref()).filter(|_| !is_value) {
            path.push(command);
        }
        let of = |argument: &&clap::Arg| argument.get_long().is_some_and(|long| word == format!("--{long}"));
        let option = path.iter().flat_map(|command| command.get_arguments()).find(of);
        is_value = option.is_some_and(|option| option.get_action().takes_values());
    }
    (path, as_json)
}

impl Misuse {
    /// Whether the command line asks for help or the version.
    pub fn is_question(&self) -> bool {
        !self.error.use_stderr()
    }

    /// The command below the program that was named.
    pub fn command(&self) -> Option<&str> {
        self.path.get(1).map(String::as_str)
    }

    /// What is wrong, and which help to read: one line.
    pub fn sentence(&self) -> String {
        format!("{}; see {} --help", self.problem(), self.path.join(" "))
    }

    fn problem(&self) -> String {
        let argument = self.context(ContextKind::InvalidArg).join(" and ");
        let value = self.context(ContextKind::InvalidValue).join(" ");
        match self.error.kind() {
            ErrorKind::UnknownArgument if self.names.contains(&argument) => {
                format!("option {argument} is not known here: write it after its command")
            }
            ErrorKind::UnknownArgument if argument.starts_with('-') && argument != "-" => {
                format!("unknown option {argument}{}", self.meant(&argument))
            }
            ErrorKind::UnknownArgument => format!("unexpected argument \"{argument}\""),
            ErrorKind::InvalidSubcommand => {
                let command = self.context(ContextKind::InvalidSubcommand).join(" ");
                format!("unknown command \"{command}\"{}", self.meant(&command))
            }
            ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                "a command is missing".to_owned()
            }
            ErrorKind::MissingRequiredArgument => match self.context(ContextKind::InvalidArg).as_slice() {
                [one] => format!("{} is missing", name(one)),
                several => {
                    let names: Vec<&str> = several.iter().map(|argument| name(argument)).collect();
                    format!("{} are missing", names.join(" and "))
                }
            },
            ErrorKind::ArgumentConflict => {
                let other = self.context(ContextKind::PriorArg).join(" and ");
                match other == argument {
                    true => format!("{} is given more than once", name(&argument)),
                    false => format!("{} cannot be used with {}", name(&argument), name(&other)),
                }
            }
            ErrorKind::InvalidValue if value.is_empty() => format!("{} needs a value", name(&argument)),
            ErrorKind::InvalidValue => {
                let valid = self.context(ContextKind::ValidValue);
                let meant = nearest(&value, valid.iter().map(String::as_str));
                let meant = meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
                let name = name(&argument);
                format!("{name}: \"{value}\"{meant} is not one of {}", valid.join(", "))
            }
            ErrorKind::ValueValidation => {
                let why = self.error.source().map(ToString::to_string);
                format!("{}: \"{value}\" {}", name(&argument), why.as_deref().unwrap_or("is not valid"))
            }
            ErrorKind::TooManyValues => format!("{} takes no value \"{value}\"", name(&argument)),
            ErrorKind::NoEquals | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
                format!("{} has a wrong number of values", name(&argument))
            }
            ErrorKind::InvalidUtf8 => "an argument is not valid UTF-8".to_owned(),
            _ => {
                let text = self.error.render().to_string();
                let first = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
                first.split_whitespace().collect::<Vec<_>>().join(" ")
            }
        }
    }

    fn context(&self, kind: ContextKind) -> Vec<String> {
        match self.error.get(kind) {
            Some(ContextValue::String(text)) => vec![text.clone()],
            Some(ContextValue::Strings(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }

    fn meant(&self, typed: &str) -> String {
        let meant = nearest(typed, self.names.iter().map(String::as_str));
        meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default()
    }
}

/// An argument as it is typed: `--limit` of `--limit <LIMIT>`, and `CODE` of `[CODE]`.
fn name(argument: &str) -> &str {
    let name = argument.split([' ', '=']).next().unwrap_or_default();
    name.trim_matches(['<', '>', '[', ']', '.'])
}

/// Reads a whole number of a range, for `value_parser`.
pub fn whole<T: TryFrom<u64>>(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = text.parse::<u64>().ok().filter(|number| range.contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| match *range.end() {
            u64::MAX => "is not a whole number".to_owned(),
            most => format!("is not a whole number from {} to {most}", range.start()),
        })
    }
}

/// Answers a command line that asks for help, or is wrong, and gives the exit code; `cannot_write` is that of an answer
/// that cannot be written.
pub fn answer(program: &str, misuse: &Misuse, cannot_write: u8) -> u8 {
    if misuse.is_question() {
        return match misuse.error.print().and_then(|()| io::stdout().flush()) {
            Ok(()) => 0,
            Err(problem) => unwritten(program, &problem, cannot_write),
        };
    }
    let shows_help = misuse.error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if shows_help && !misuse.as_json {
        // If not even this can be written, the exit code remains.
        misuse.error.print().ok();
    } else {
        report(program, misuse.as_json, "usage", &misuse.sentence());
    }
    USAGE
}

/// Reports that standard output cannot be written. A reader who left, such as `head`, had enough: that is no error.
pub fn unwritten(program: &str, problem: &io::Error, cannot_write: u8) -> u8 {
    if problem.kind() == io::ErrorKind::BrokenPipe {
        return 0;
    }
    report(
        program,
        false,
        "cannot_write",
        &format!("cannot write to standard output: {}", library_words::io(problem)),
    );
    cannot_write
}

/// Reports an error: as JSON on standard output, or as text on standard error.
pub fn report(program: &str, as_json: bool, code: &str, message: &str) {
    if as_json && print_json(&json!({"error": {"code": code, "message": message}})).is_ok() {
        return;
    }
    complain(&format!("{program}: error: {message}"));
}

/// Prints a value as one line of JSON.
///
/// # Errors
/// Of standard output.
pub fn print_json(value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string(value)?;
    writeln!(io::stdout().lock(), "{}", escape_json(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser, Debug)]
    #[command(name = "svm-program")]
    struct Program {
        #[arg(long, global = true)]
        json: bool,
        #[arg(long, global = true)]
        config: Option<String>,
        #[command(subcommand)]
        command: Commands,
    }

    #[derive(clap::Subcommand, Debug)]
    enum Commands {
        Check,
        Events {
            #[arg(long, default_value_t = 50, value_parser = whole::<u16>(1..=1000))]
            limit: u16,
            #[arg(long, value_parser = ["info", "warning"], conflicts_with = "limit")]
            severity: Option<String>,
        },
        Show {
            id: String,
        },
    }

    fn misuse(line: &str) -> Misuse {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        parse::<Program>(&words).unwrap_err()
    }

    #[test]
    fn a_wrong_command_line_says_what_is_wrong_what_is_meant_and_which_help_to_read() {
        let whole = "is not a whole number from 1 to 1000";
        for (line, says, command) in [
            ("p evnets", "unknown command \"evnets\" (did you mean events?)", ""),
            ("p nosuch", "unknown command \"nosuch\"", ""),
            ("p events --limt 3", "unknown option --limt (did you mean --limit?)", " events"),
            ("p --limit 3 events", "option --limit is not known here: write it after its command", " events"),
            ("p events 3", "unexpected argument \"3\"", " events"),
            ("p events --limit many", &format!("--limit: \"many\" {whole}"), " events"),
            ("p events --limit 0", &format!("--limit: \"0\" {whole}"), " events"),
            ("p events --limit", "--limit needs a value", " events"),
            (
                "p events --severity warnin",
                "--severity: \"warnin\" (did you mean warning?) is not one of info, warning",
                " events",
            ),
            ("p events --limit 3 --severity info", "--limit cannot be used with --severity", " events"),
            ("p events --json=3", "--json takes no value \"3\"", " events"),
            ("p show", "ID is missing", " show"),
        ] {
            assert_eq!(misuse(line).sentence(), format!("{says}; see svm-program{command} --help"), "{line}");
        }
    }

    #[test]
    fn the_command_and_json_are_seen_behind_a_mistake() {
        for (line, command, as_json) in [
            ("p --nonsense --json check", Some("check"), true),
            ("p --config check events -- --json x", Some("events"), false),
            ("--json nosuch", None, false),
        ] {
            let misuse = misuse(line);
            assert_eq!((misuse.command(), misuse.as_json), (command, as_json), "{line}");
        }
    }
}
