//! What people see at a terminal of 80 columns: no line is wider, a list has one thing a line, and a pipe gets every line
//! whole.

use crate::support::{Agent, Vendor, free_port, now};
use clap::{Command, CommandFactory};
use jiff::SignedDuration;
use svm_agent::cli::Cli;

const COLUMNS: usize = 80;

/// What a command prints at a terminal, both outputs, without colours.
fn at_terminal(agent: &Agent, arguments: &[&str]) -> String {
    let command = agent.command(arguments);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let line = format!("stty cols {COLUMNS}; {}", words.join(" "));
    let mut script = std::process::Command::new("script");
    script.args(["--quiet", "--command", &line, "/dev/null"]).env("NO_COLOR", "1").env("TERM", "xterm");
    let output = script.stdin(std::process::Stdio::null()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().replace('\r', "")
}

fn piped(agent: &Agent, arguments: &[&str]) -> String {
    String::from_utf8(agent.command(arguments).output().unwrap().stdout).unwrap()
}

/// The lines that are too wide although they could be broken.
fn too_wide(text: &str) -> Vec<&str> {
    let wide = text.lines().filter(|line| line.chars().count() > COLUMNS);
    wide.filter(|line| line.trim().contains(' ')).collect()
}

/// The words of each command.
fn commands(command: &Command, path: &[&str], found: &mut Vec<Vec<String>>) {
    found.push(path.iter().map(|word| (*word).to_owned()).collect());
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        let path: Vec<&str> = path.iter().copied().chain([below.get_name()]).collect();
        commands(below, &path, found);
    }
}

#[test]
fn every_command_and_option_has_a_help_that_fits() {
    fn described(command: &Command) {
        let name = command.get_name();
        assert!(command.get_about().is_some_and(|about| !about.to_string().is_empty()), "{name}");
        for argument in command.get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.len() > 3, "{name} {}: {help}", argument.get_id());
        }
        command.get_subcommands().for_each(described);
    }
    let mut program = Cli::command();
    described(&program);
    program.build();
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::new(folder.path(), &folder.path().join("trust.d"), "");
    let mut all = Vec::new();
    commands(&program, &[], &mut all);
    for path in all {
        for question in ["-h", "--help"] {
            let arguments: Vec<&str> = path.iter().map(String::as_str).chain([question]).collect();
            let help = at_terminal(&agent, &arguments);
            assert!(help.contains("Usage: svm-agent"), "{arguments:?}: {help}");
            assert_eq!(too_wide(&help), [""; 0], "{arguments:?}");
        }
    }
    let help = at_terminal(&agent, &["--help"]);
    for (code, meaning) in svm_agent::cli::EXIT_CODES {
        assert!(help.contains(&format!("  {code:<4}{meaning}\n")), "{code}: {help}");
    }
}

#[test]
fn what_commands_show_fits_a_terminal_and_is_whole_in_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path(), now() + SignedDuration::from_hours(9 * 24), 3);
    let more = format!(
        "{}[destinations.a-console-with-a-long-name]\nurl = \"http://127.0.0.1:{}/v1/events?to={}\"\n",
        vendor.source(),
        free_port(),
        "x".repeat(30)
    );
    let agent = Agent::new(folder.path(), &vendor.trust(), &more);
    let _program = agent.start_ready();
    assert_eq!(piped(&agent, &["events", "list", "--quarantined"]), "No events are in quarantine.\n");
    assert_eq!(piped(&agent, &["events", "list", "--quarantined", "--json"]), "");
    agent.ask(&["activate", &vendor.code]).unwrap();
    for arguments in [
        &["status"][..],
        &["status", "--explain"],
        &["status", "--lang", "ru"],
        &["key", "list"],
        &["doctor"],
        &["events", "list"],
        &["events", "list", "--waiting"],
        &["gate", "list"],
        &["updates", "status"],
        &["identity", "show"],
        &["clock", "show"],
        &["config", "show"],
        &["config", "check"],
        &["permit", "database-updates"],
        &["renewal"],
        &["simulate"],
        &["events", "list", "--severity", "warn"],
        &["activate", "HELLO"],
        &["key", "remove", "nothing"],
    ] {
        let shown = at_terminal(&agent, arguments);
        assert!(!shown.is_empty(), "{arguments:?}");
        assert_eq!(too_wide(&shown), [""; 0], "{arguments:?}");
        // A pipe never gets more lines than a terminal.
        let whole = piped(&agent, arguments);
        assert!(whole.lines().count() <= shown.lines().count(), "{arguments:?}: {whole}\n{shown}");
    }
    let (list, whole) = (at_terminal(&agent, &["events", "list"]), piped(&agent, &["events", "list"]));
    assert_eq!(list.lines().count(), whole.lines().count(), "one line an event: {list}");
    assert!(whole.contains("[waits for a-console-with-a-long-name]"), "{whole}");
}
