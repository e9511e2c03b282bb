//! The manual page of a program: all commands in one page, so that one search finds everything.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};
use std::io;

/// Where the paths of agent and collector stand, a column each.
const PATHS: &str = include_str!("../../../docs/reference/files.md");

/// What a page has besides the command line.
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(crate) section: u8,
    about: &'static str,
    description: &'static str,
    /// A document with a table of paths, and in which column they stand.
    files: (&'static str, usize),
    /// With their sections.
    see: &'static [(&'static str, u8)],
    exit_codes: &'static [(&'static str, &'static str)],
}

pub(crate) const AGENT: Page = Page {
    name: "svm-agent",
    section: 8,
    about: "tracks the subscription of a security virtual machine and enforces it",
    description: "svm-agent runs as a service on a security virtual machine (SVM). It fetches the signed documents that \
        the provider of the subscription publishes. After the grace period it stops database updates and the use of \
        KSN, and permits them again after a renewal. It never stops protection. It reports each change to the \
        destinations in its settings. The other commands ask the service, or change something through it. Its log is \
        in the journal: journalctl -u svm-agent.",
    files: (PATHS, 1),
    see: &[("svm-agent.toml", 5), ("systemctl", 1), ("journalctl", 1)],
    exit_codes: svm_agent::cli::EXIT_CODES,
};

pub(crate) const COLLECTOR: Page = Page {
    name: "svm-collector",
    section: 8,
    about: "receives, stores and shows the events of security virtual machines",
    description: "svm-collector receives the events that svm-agent sends, stores them, and shows all SVMs on a page, \
        the console. It listens on one address and speaks plain HTTP. A web server in front of it provides TLS and \
        login. Its log is in the journal: journalctl -u svm-collector.",
    files: (PATHS, 2),
    see: &[("svm-collector.toml", 5), ("svm-agent", 8), ("systemctl", 1), ("journalctl", 1)],
    exit_codes: &[
        ("0", "done"),
        ("1", "failed"),
        ("2", "wrong usage"),
        ("74", "the output cannot be written"),
        ("78", "the settings are not valid"),
    ],
};

pub(crate) const VENDOR: Page = Page {
    name: "svm-vendor",
    section: 1,
    about: "issues signed documents about subscriptions and publishes them as static files",
    description: "svm-vendor is the tool of a provider. It stores its state in a ledger: a folder of plain files that \
        fits into git. The ledger contains no activation codes and no private keys.",
    files: ("## Where everything is\n\n|||\n|||\n| documentation | `/usr/share/doc/svm-vendor/` |\n", 1),
    see: &[("svm-agent", 8)],
    exit_codes: &[("0", "done"), ("1", "refused, or failed"), ("2", "wrong usage")],
};

impl Page {
    /// The page of a command line. Fails only where `clap_mangen` writes what is not UTF-8.
    pub(crate) fn render(&self, command: &Command) -> io::Result<String> {
        let mut command =
            command.clone().about(self.about).long_about(self.description).subcommand_value_name("command");
        command.build();
        let ending = after_help(&command);
        let man = title(Man::new(command.clone()), self.name, self.section);
        let mut text = part(|writer| {
            man.render_name_section(writer)?;
            man.render_synopsis_section(writer)?;
            man.render_description_section(writer)?;
            man.render_options_section(writer)
        })?;
        text.push_str(&examples(&ending)?);
        text.push_str(".SH COMMANDS\n");
        commands(&mut command, &mut text)?;
        let mut end = Roff::new();
        end.control("SH", ["EXIT STATUS"]);
        for (code, meaning) in self.exit_codes {
            end.control("TP", []).text([bold(*code)]).text([roman(*meaning)]);
        }
        end.control("SH", ["FILES"]);
        let (document, column) = self.files;
        for cells in rows(document, "## Where everything is") {
            let (Some(what), Some(paths)) = (cells.first(), cells.get(column)) else { continue };
            for path in paths.split('`').filter(|path| path.starts_with('/')) {
                end.control("TP", []).text([bold(path)]).text(markdown(what));
            }
        }
        see_also(&mut end, self.see);
        text.push_str(&part(|writer| end.to_writer(writer))?);
        Ok(part_with_preamble(|writer| man.render_title(writer))? + &text)
    }
}

/// Sets the heading of a page, which has no date: the same sources give the same packages. Without its blank `roff` would
/// leave the field out, and the version would take its place.
pub(crate) fn title(man: Man, name: &str, section: u8) -> Man {
    let source = concat!("svm-agent ", env!("CARGO_PKG_VERSION"));
    man.title(name).section(section.to_string()).date(" ").source(source).manual("svm-agent")
}

/// Adds the section that names other pages.
pub(crate) fn see_also(roff: &mut Roff, pages: &[(&str, u8)]) {
    roff.control("SH", ["SEE ALSO"]);
    for (number, (page, section)) in pages.iter().enumerate() {
        let comma = if number + 1 < pages.len() { "," } else { "" };
        roff.text([bold(*page), roman(format!("({section}){comma}"))]);
    }
}

/// What `render` writes.
pub(crate) fn part_with_preamble(
    render: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<String> {
    let mut text = Vec::new();
    render(&mut text)?;
    String::from_utf8(text).map_err(io::Error::other)
}

/// The same without the definition of an apostrophe that `roff` puts before each part: a page needs one.
pub(crate) fn part(render: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<String> {
    let text = part_with_preamble(render)?;
    Ok(text.lines().filter(|line| !line.contains(".ds Aq")).flat_map(|line| [line, "\n"]).collect())
}

/// Each command that does something, with its arguments.
fn commands(command: &mut Command, text: &mut String) -> io::Result<()> {
    for command in command.get_subcommands_mut() {
        if command.is_hide_set() || command.get_name() == "help" {
            continue;
        }
        if command.has_subcommands() {
            commands(command, text)?;
            continue;
        }
        let usage = command.render_usage().to_string().trim_start_matches("Usage: ").replace('-', "\\-");
        let about = command.get_long_about().or(command.get_about()).map(ToString::to_string);
        let mut heading = Roff::new();
        heading.control("SS", [usage.as_str()]).text([roman(about.unwrap_or_default())]);
        text.push_str(&part(|writer| heading.to_writer(writer))?);
        // What every command has stands in the page's own options.
        let own = command.clone().mut_args(|argument| {
            let shared = argument.is_global_set() || matches!(argument.get_id().as_str(), "help" | "version");
            if shared { argument.hide(true) } else { argument }
        });
        let options = part(|writer| Man::new(own).render_options_section(writer))?;
        text.push_str(options.strip_prefix(".SH OPTIONS\n").unwrap_or(&options));
        text.push_str(&verbatim(&after_help(command))?);
    }
    Ok(())
}

/// What a command's help has behind its options.
fn after_help(command: &Command) -> String {
    command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string).unwrap_or_default()
}

/// A section with the examples at the start of a text; nothing without examples.
fn examples(text: &str) -> io::Result<String> {
    let Some(examples) = text.strip_prefix("Examples:\n") else { return Ok(String::new()) };
    let examples = examples.split("\n\n").next().unwrap_or_default();
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    Ok(part(|writer| roff.to_writer(writer))? + &verbatim(examples)?)
}

/// A text whose lines and columns stay as they are.
fn verbatim(text: &str) -> io::Result<String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let mut roff = Roff::new();
    roff.control("PP", []).control("nf", []);
    for line in text.lines() {
        match line {
            "" => roff.control("sp", []),
            line => roff.text([roman(line)]),
        };
    }
    roff.control("fi", []);
    part(|writer| roff.to_writer(writer))
}

/// The rows of the first table under a heading, as cells in Markdown.
fn rows<'a>(document: &'a str, heading: &str) -> impl Iterator<Item = Vec<&'a str>> {
    let after = document.split_once(heading).map(|(_, after)| after).unwrap_or_default();
    let rows =
        after.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2).map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
}

/// A cell of a table in Markdown: links are their text, code is bold.
fn markdown(text: &str) -> Vec<Inline> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        match link.split_once("](").and_then(|(words, target)| Some((words, target.split_once(')')?.1))) {
            Some((words, after)) => {
                plain.push_str(words);
                rest = after;
            }
            None => {
                plain.push('[');
                rest = link;
            }
        }
    }
    plain.push_str(rest);
    plain.split('`').enumerate().map(|(i, part)| if i % 2 == 1 { bold(part) } else { roman(part) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_of_a_table_is_text_and_code() {
        let cell = Roff::new().text(markdown("see [`a`](b.md#c) and `--d` [e]")).to_roff();
        assert_eq!(cell, "see \\fBa\\fR and \\fB\\-\\-d\\fR [e]\n");
    }
}
