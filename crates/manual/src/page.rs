//! The manual page of a program: all commands in one, so that one search finds everything.

use super::roff::{bold, escape, markdown, title};
use clap::{Arg, Command};
use std::fmt::Write;

/// Where the exit codes of the agent stand.
const CONFIGURATION: &str = include_str!("../../../docs/reference/configuration.md");

/// What a page has beside the command line.
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(crate) section: u8,
    about: &'static str,
    description: &'static str,
    /// Each with what it is.
    files: &'static [(&'static str, &'static str)],
    /// With their sections.
    see: &'static [(&'static str, u8)],
    exit_codes: &'static str,
}

pub(crate) const AGENT: Page = Page {
    name: "svm-agent",
    section: 8,
    about: "keeps a security virtual machine and its console in step with its subscription",
    description: "The service follows the signed word of the subscription's provider, stops database updates and the \
        use of KSN when a grace period has lapsed and gives them back on renewal, and tells a console every change. \
        Protection itself is never stopped. Its log is the journal: journalctl -u svm-agent.",
    files: &[
        ("/etc/svm-agent/agent.toml", "the settings, see svm-agent.toml(5)"),
        ("/etc/svm-agent/conf.d/*.toml", "settings that win over it"),
        ("/etc/svm-agent/trust.d/*.pem", "public keys of the providers whose documents are believed"),
        ("/etc/svm-agent/actions/", "programs that are run when a permit changes"),
        ("/run/svm-agent/permits/", "what database updates and KSN may do now, and until when"),
        ("/run/svm-agent/query.sock, control.sock", "how the commands reach the service"),
        ("/var/lib/svm-agent/", "what the service keeps"),
        ("/usr/share/doc/svm-agent/", "more documentation"),
    ],
    see: &[("svm-agent.toml", 5), ("systemctl", 1), ("journalctl", 1)],
    exit_codes: CONFIGURATION,
};

pub(crate) const COLLECTOR: Page = Page {
    name: "svm-collector",
    section: 8,
    about: "takes the events of security virtual machines, keeps them and shows the fleet",
    description: "The receiving end of svm-agent. It listens on one address in plain HTTP; TLS and login are the \
        business of a web server in front of it. Its log is the journal: journalctl -u svm-collector.",
    files: &[
        ("/etc/svm-collector/collector.toml", "the settings, see svm-collector.toml(5)"),
        ("/etc/svm-collector/tokens", "the hashes of the senders' tokens, one a line"),
        ("/var/lib/svm-collector/", "what it keeps"),
        ("/usr/share/doc/svm-collector/", "more documentation"),
    ],
    see: &[("svm-collector.toml", 5), ("svm-agent", 8), ("systemctl", 1), ("journalctl", 1)],
    exit_codes: "### Exit codes\n\n|||\n|||\n| 0 | done |\n| 1 | failed |\n| 2 | wrong usage |\n| 78 | the settings are wrong |\n",
};

pub(crate) const VENDOR: Page = Page {
    name: "svm-vendor",
    section: 1,
    about: "issues signed documents about subscriptions, and publishes them as static files",
    description: "The provider's tool. Its state is a ledger: a folder of plain files, which goes well into git and \
        holds neither activation codes nor private keys.",
    files: &[("/usr/share/doc/svm-vendor/", "more documentation")],
    see: &[("svm-agent", 8)],
    exit_codes: "### Exit codes\n\n|||\n|||\n| 0 | done |\n| 1 | refused or failed |\n| 2 | wrong usage |\n",
};

impl Page {
    /// The page of a command line.
    pub(crate) fn render(&self, command: &mut Command) -> String {
        command.build();
        let mut text = title(self.name, self.section);
        let mut section = |name: &str, body: &str| _ = write!(text, ".SH {name}\n{body}\n");
        section("NAME", &format!("{} \\- {}", escape(self.name), escape(self.about)));
        section("SYNOPSIS", &bold(&usage(command)));
        section("DESCRIPTION", &escape(self.description));
        section("OPTIONS", &arguments(command, Arg::is_global_set));
        let mut commands = String::new();
        below(command, &mut commands);
        section("COMMANDS", commands.trim_end());
        section("EXIT STATUS", &exit_codes(self.exit_codes));
        let files: String = self.files.iter().map(|(file, what)| item(file, &escape(what))).collect();
        section("FILES", files.trim_end());
        let see: Vec<_> =
            self.see.iter().map(|(page, section)| format!("{}({section})", bold(page))).collect();
        section("SEE ALSO", &see.join(",\n"));
        text
    }
}

/// Each command that does something, with its arguments.
fn below(command: &mut Command, text: &mut String) {
    for command in command.get_subcommands_mut() {
        if command.is_hide_set() || command.get_name() == "help" {
            continue;
        }
        if command.has_subcommands() {
            below(command, text);
            continue;
        }
        let about =
            command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
        _ = write!(text, ".SS {}\n{}.\n", bold(&usage(command)), escape(&about));
        text.push_str(&arguments(command, |argument| !argument.is_global_set()));
        text.push('\n');
    }
}

fn usage(command: &mut Command) -> String {
    command.render_usage().to_string().trim_start_matches("Usage: ").to_owned()
}

/// Those arguments that `which` wants, and not the help that each command has.
fn arguments(command: &Command, which: impl Fn(&Arg) -> bool) -> String {
    let wanted = command.get_arguments().filter(|argument| {
        !argument.is_hide_set()
            && !matches!(argument.get_id().as_str(), "help" | "version")
            && which(argument)
    });
    wanted
        .map(|argument| {
            let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string);
            let mut words = escape(&help.unwrap_or_default());
            let values = argument.get_possible_values();
            if !values.is_empty() && argument.get_action().takes_values() {
                let names: Vec<_> = values.iter().map(clap::builder::PossibleValue::get_name).collect();
                _ = write!(words, ". One of: {}", escape(&names.join(", ")));
            }
            item(&argument.to_string(), &format!("{words}."))
        })
        .collect::<String>()
        .trim_end()
        .to_owned()
}

fn item(name: &str, what: &str) -> String {
    format!(".TP\n{}\n{what}\n", bold(name))
}

/// The rows of the table under the heading "Exit codes".
fn exit_codes(document: &str) -> String {
    let after = document.split_once("### Exit codes").map(|(_, after)| after).unwrap_or_default();
    let rows =
        after.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let rows = rows.skip(2).filter_map(|row| row.trim_matches('|').split_once('|'));
    rows.map(|(code, meaning)| item(code.trim(), &format!("{}.", markdown(meaning.trim()))))
        .collect::<String>()
        .trim_end()
        .to_owned()
}
