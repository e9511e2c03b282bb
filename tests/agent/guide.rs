//! The guide against the program: every command that its pages name, and the calendar of a subscription.

use crate::support::program;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

fn page(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide").join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// What `svm-agent simulate -` prints of a story.
fn simulate(story: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program("svm-agent"));
    command.args(["simulate", "-"]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(story.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{story}");
    String::from_utf8(output.stdout).unwrap()
}

/// The story of the page, whose provider pauses the subscription.
fn story(page: &str) -> &str {
    page.split_once("<<'JSON'\n").unwrap().1.split_once("\nJSON\n").unwrap().0
}

#[test]
fn the_story_of_the_page_comes_as_it_says() {
    let page = page("subscription.md");
    let shown =
        page.split_once("<!-- sample: pause -->\n```console\n").unwrap().1.split_once("```").unwrap().0;
    let table = simulate(story(&page), &["--table"]);
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    for line in shown.lines() {
        assert!(lines.contains(&line), "{line}\nis not in\n{table}");
    }
    assert!(shown.lines().count() > 3, "{shown}");
}

/// A day as the calendar has it: `2027-01-15T…` is 15 Jan.
fn day(instant: &str) -> String {
    let month = if &instant[5..7] == "12" { "Dec" } else { "Jan" };
    format!("{} {month}", instant[8..10].trim_start_matches('0'))
}

#[test]
fn the_calendar_has_each_day_on_which_something_happens() {
    let page = page("subscription.md");
    let (_, table) = page.split_once("| day | on the SVM |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut shown = BTreeSet::new();
    for cell in rows.map(|row| row.split('|').nth(1).unwrap().replace('*', "")) {
        let days: Vec<&str> = cell.split(',').map(str::trim).collect();
        let month = days.last().unwrap().split(' ').next_back().unwrap();
        for day in days.iter().filter(|day| !day.starts_with("about")) {
            shown.insert(if day.contains(' ') { (*day).to_owned() } else { format!("{day} {month}") });
        }
    }
    let mut story: Value = serde_json::from_str(story(&page)).unwrap();
    let steps = story["steps"].as_array().unwrap()[..1].to_vec();
    story["steps"] = json!(steps);
    let rows = simulate(&story.to_string(), &[]);
    let rows = rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap());
    // The first two are the beginning and the activation.
    let rows: Vec<Value> = rows.skip(2).collect();
    let days: BTreeSet<String> = rows.iter().map(|row| day(row["at"].as_str().unwrap())).collect();
    assert_eq!(shown, days);
    let last = rows.last().unwrap();
    assert_eq!((&last["phase"], &last["ksn"]), (&json!("restricted"), &json!("stopped")));
}

/// Every `svm-agent …` of the pages for administrators is a command with these options.
#[test]
fn every_command_of_the_guide_is_one() {
    let mut seen = 0;
    for name in [
        "overview.md",
        "install.md",
        "enforce.md",
        "subscription.md",
        "renew.md",
        "images.md",
        "monitor.md",
        "maintain.md",
        "rollout.md",
        "firewall.md",
        "troubleshooting.md",
        "support.md",
    ] {
        let page = page(name);
        let spans = page.split('`').chain(page.lines());
        let commands = spans.filter_map(|text| {
            let text = text.trim().trim_start_matches("sudo ").trim_start_matches("$ ");
            let rest = text.strip_prefix("svm-agent ")?;
            (!rest.contains('…') && !rest.starts_with(['-', ' '])).then_some(rest)
        });
        for command in commands {
            let first = command.split(['#', ';', '&', '<', '>', '|', '\n']).next().unwrap();
            let words: Vec<&str> = first.split(['`', ' ', ',', '.', ')']).collect();
            let plain = |word: &&&str| {
                word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
            };
            let names: Vec<&str> =
                words.iter().take_while(plain).copied().filter(|word| !word.is_empty()).collect();
            // What follows the command may be an argument, such as the name of a resource.
            let help = (1..=names.len().min(2)).rev().find_map(|most| {
                let mut program = Command::new(program("svm-agent"));
                let output = program.args(&names[..most]).arg("--help").output().unwrap();
                let text = String::from_utf8(output.stdout).unwrap();
                (output.status.success() && text.contains(&format!("svm-agent {}", names[..most].join(" "))))
                    .then_some(text)
            });
            let help = help.unwrap_or_else(|| panic!("{name}: no such command: svm-agent {command}"));
            assert!(!help.contains("\nCommands:"), "{name}: svm-agent {command}: of what?\n{help}");
            for option in words.iter().filter(|word| word.starts_with("--")) {
                assert!(help.contains(option), "{name}: svm-agent {command}: {option} is not in\n{help}");
            }
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} commands were found");
}
