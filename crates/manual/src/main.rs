//! For packagers: writes the manual pages and the shell completions of the three programs into a folder.
//!
//! Promises: each fact comes from its one place: options, examples and exit codes from the command lines, settings from
//! the files of defaults, paths from the documentation. It is a separate program so that the others do not contain it.

mod page;
mod settings;

use anyhow::{Context, bail};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use page::Page;
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let mut arguments = svm_core::environment::arguments().into_iter().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(folder), None) => write_all(Path::new(&folder)),
        _ => bail!("wrong usage; run: svm-manual FOLDER"),
    }
}

fn write_all(folder: &Path) -> anyhow::Result<()> {
    for (page, command) in programs() {
        let name = format!("{}.{}", page.name, page.section);
        write(&folder.join("man").join(name), &page.render(&command)?)?;
        completions(folder, page.name, command)?;
    }
    for settings in settings::ALL {
        write(&folder.join("man").join(format!("{}.5", settings.name)), &settings.render()?)?;
    }
    Ok(())
}

/// The programs that have a manual page, with their command lines.
fn programs() -> [(Page, Command); 3] {
    [
        (page::AGENT, svm_agent::cli::Cli::command()),
        (page::COLLECTOR, svm_collector::cli::Cli::command()),
        (page::VENDOR, svm_vendor::cli::command()),
    ]
}

/// As each shell wants its file to be named.
fn completions(folder: &Path, name: &str, mut command: Command) -> anyhow::Result<()> {
    for (shell, file) in [
        (Shell::Bash, name.to_owned()),
        (Shell::Zsh, format!("_{name}")),
        (Shell::Fish, format!("{name}.fish")),
    ] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command, name, &mut text);
        let mut text = String::from_utf8(text)?;
        if shell == Shell::Bash {
            text = one_name(&text, name);
        }
        write(&folder.join(shell.to_string()).join(file), &text)?;
    }
    Ok(())
}

/// A program with a dash in its name has two names in what `clap_complete` writes for bash, and nothing is completed below
/// its first word (clap-rs/clap#6421).
fn one_name(text: &str, program: &str) -> String {
    text.replace(&program.replace('-', "__subcmd__"), &program.replace('-', "__"))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_option_is_in_its_page() {
        fn check(command: &Command, text: &str) {
            let options = command.get_arguments().filter_map(clap::Arg::get_long);
            for option in options.filter(|name| !["help", "version"].contains(name)) {
                assert!(
                    text.contains(&format!("--{option}").replace('-', "\\-")),
                    "--{option} of {}",
                    command.get_name()
                );
            }
            for below in
                command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
            {
                assert!(text.contains(&below.get_name().replace('-', "\\-")), "{}", below.get_name());
                check(below, text);
            }
        }
        for (page, mut command) in programs() {
            command.build();
            check(&command, &page.render(&command).unwrap());
        }
    }

    #[test]
    fn bash_completes_below_the_first_word() {
        for (page, mut command) in programs() {
            let mut text = Vec::new();
            clap_complete::generate(Shell::Bash, &mut command, page.name, &mut text);
            let text = one_name(&String::from_utf8(text).unwrap(), page.name);
            // What the words lead to, and what is offered there.
            let names = text.lines().filter_map(|line| line.trim().strip_prefix("cmd=\"")?.strip_suffix('"'));
            for name in names.filter(|name| !name.is_empty()) {
                assert!(text.contains(&format!("\n        {name})\n")), "{name}");
            }
        }
    }

    #[test]
    fn every_key_is_in_the_page_of_the_settings() {
        for settings in settings::ALL {
            let text = settings.render().unwrap();
            assert!(text.contains(".SH FILES\n") && text.contains(".SH EXAMPLES\n"), "{text}");
            for line in settings.defaults.lines() {
                let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") else { continue };
                if key.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                    assert!(text.contains(&format!("\\fB{key}\\fR")), "{key}");
                }
            }
        }
    }

    #[test]
    fn the_exit_codes_are_those_of_the_documentation() {
        const DOCUMENTED: &str = include_str!("../../../docs/reference/commands.md");
        let text = page::AGENT.render(&svm_agent::cli::Cli::command()).unwrap();
        let table = DOCUMENTED.split_once("### Exit codes").unwrap().1.split_once("\n\n").unwrap().1;
        let rows = table.lines().take_while(|line| line.starts_with('|')).skip(2);
        let codes = rows.flat_map(|row| row.split('|').nth(1).unwrap().split(',').map(str::trim));
        let codes: Vec<&str> = codes.collect();
        assert_eq!(codes, svm_agent::cli::EXIT_CODES.iter().map(|(code, _)| *code).collect::<Vec<_>>());
        for code in codes {
            assert!(text.contains(&format!("\n\\fB{code}\\fR\n")), "{code}");
        }
    }

    #[test]
    fn a_page_has_the_examples_of_each_command() {
        let text = page::AGENT.render(&svm_agent::cli::Cli::command()).unwrap();
        assert!(text.contains(".SH EXAMPLES\n"), "{text}");
        for example in ["svm\\-agent activate \\-", "svm\\-agent permit database\\-updates \\-\\-take"] {
            assert!(text.contains(example), "{example}");
        }
    }

    #[test]
    fn the_paths_are_those_of_the_documentation() {
        let text = |page: Page, command: Command| page.render(&command).unwrap();
        let agent = text(page::AGENT, svm_agent::cli::Cli::command());
        for path in ["/etc/svm\\-agent/agent.toml", "/run/svm\\-agent/permits/", "/var/lib/svm\\-agent/"] {
            assert!(agent.contains(&format!("\n\\fB{path}\\fR\n")), "{path}");
        }
        let collector = text(page::COLLECTOR, svm_collector::cli::Cli::command());
        assert!(collector.contains("\n\\fB/etc/svm\\-collector/tokens\\fR\n"));
        assert!(!collector.contains("/etc/svm\\-agent"));
    }
}
