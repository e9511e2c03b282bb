//! The table against the code, `docs/reference/logs.md` and `systemd/svm-agent.catalog`.

use super::*;
use crate::log::message::{LogMessage, Shown, TemplateValue};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use svm_core::logging::message_id;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Holds a file to what the table makes of it.
fn holds(file: &str, text: &str) {
    let path = Path::new(ROOT).join(file);
    if std::env::var_os("SVM_WRITE_DOCS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "{file}: write it anew: SVM_WRITE_DOCS=1 cargo test --lib log::");
}

#[test]
fn names_are_like_those_of_events_and_each_is_there_once() {
    let mut names = BTreeSet::new();
    for id in catalogue::ALL.iter().map(|line| line.id).chain(events::ALL.iter().map(|event| event.id)) {
        assert!(names.insert(id), "{id} is there twice");
        assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.'), "{id}");
        assert_eq!(id.matches('.').count(), 1, "{id}");
    }
}

#[test]
fn the_agent_writes_no_line_without_a_name_and_has_no_name_without_a_line() {
    let (mut written, mut text) = (BTreeSet::new(), String::new());
    for path in files(&Path::new(ROOT).join("src")) {
        let code = std::fs::read_to_string(&path).unwrap();
        let own = path.ends_with("src/outage.rs") || path.ends_with("log/mod.rs");
        assert!(
            own || path.ends_with("log/tests.rs")
                || path.ends_with("log/message.rs")
                || path.ends_with("log/catalogue.rs")
                || !code.contains("tracing"),
            "{}: use log::log_event",
            path.display()
        );
        for (at, _) in code.match_indices("log_event!(") {
            let rest = code[at + 11..].trim_start();
            written
                .insert(rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect::<String>());
        }
        if own {
            text.push_str(&code);
        }
    }
    let table = std::fs::read_to_string(Path::new(ROOT).join("src/log/catalogue.rs")).unwrap();
    for name in table.lines().filter_map(|line| line.trim_start().split_once(": \"")).map(|(name, _)| name) {
        if name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') {
            let outage = ["lines::", "catalogue::", "write_message!("]
                .iter()
                .any(|by| text.contains(&format!("{by}{name}")));
            assert!(written.contains(name) || outage, "nothing writes {name}");
        }
    }
    // The crate below the agent writes no line.
    for folder in ["clock", "documents", "events", "settings", "subscription", "http", "tls.rs", "memory.rs"]
    {
        let path = Path::new(ROOT).join("crates/core/src").join(folder);
        for file in if path.is_dir() { files(&path) } else { vec![path] } {
            assert!(!std::fs::read_to_string(&file).unwrap().contains("tracing::"), "{}", file.display());
        }
    }
}

const EXAMPLE: LogMessage = LogMessage {
    id: "example.message",
    level: Level::INFO,
    template: "delivery to {destination} fails: {problem}",
    fields: &["code", "destination", "type"],
    means: "",
    todo: "",
};

#[test]
fn a_call_gives_exactly_what_its_message_needs() {
    let fields = ["destination", "code", "r#type"];
    assert!(EXAMPLE.accepts(&fields, &["problem"]));
    assert!(!EXAMPLE.accepts(&fields, &[]), "the template names a value that is not given");
    assert!(!EXAMPLE.accepts(&fields, &["problem", "since"]), "a value that the template does not name");
    assert!(!EXAMPLE.accepts(&["destination", "code"], &["problem"]), "a field is missing");
    assert!(!EXAMPLE.accepts(&["destination", "code", "type", "key"], &["problem"]), "one field too many");
}

#[test]
fn a_template_takes_its_values_once_and_as_they_are() {
    let given: [(&str, &dyn TemplateValue); 3] =
        [("problem", &Shown("no {destination} here")), ("destination", &Some("console")), ("code", &7_u32)];
    assert_eq!(EXAMPLE.render(&given), "delivery to console fails: no {destination} here");
    assert_eq!(EXAMPLE.render(&[]), "delivery to  fails: ");
    assert_eq!(EXAMPLE.names().collect::<Vec<_>>(), ["destination", "problem"]);
}

#[test]
fn every_type_of_event_has_its_line() {
    let mut types = BTreeSet::from(
        [svm_core::events::REPORT, svm_core::events::QUARANTINED, svm_core::events::DROPPED]
            .map(str::to_owned),
    );
    for file in ["crates/core/src/subscription/event.rs", "crates/core/src/events/operational.rs"] {
        let code = std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
        let (_, after) = code.split_once("fn type_name(").unwrap();
        let (body, _) = after.split_once("\n    }").unwrap();
        types.extend(body.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    let lines: BTreeSet<String> = events::ALL.iter().map(|event| event.id.to_owned()).collect();
    assert_eq!(types, lines);
}

#[test]
fn the_lines_of_an_outage_have_the_levels_at_which_they_are_written() {
    use crate::outage::FailureKind;
    use svm_core::subscription::{Permit, Resource};
    for kind in [
        FailureKind::Delivery("x"),
        FailureKind::Source,
        FailureKind::Permits,
        FailureKind::Enforcing(Resource::Ksn, Permit::Full),
        FailureKind::Action("x"),
        FailureKind::Port("x"),
        FailureKind::Upstream("x"),
    ] {
        assert_eq!(kind.lines().map(|line| line.level), [Level::WARN, Level::ERROR, Level::INFO]);
    }
}

#[test]
fn a_kind_of_line_is_written_so_often_an_hour_and_counted_beyond_that() {
    let mut count = Count::default();
    let minute = |n: u64| Duration::from_secs(60 * n);
    for _ in 0..MAX_LINES {
        assert_eq!(count.one_more(minute(1)), Admission::Write);
    }
    assert_eq!(count.one_more(minute(2)), Admission::HoldBack);
    for _ in 0..9 {
        assert_eq!(count.one_more(minute(60)), Admission::Count);
    }
    assert_eq!(count.one_more(minute(61)), Admission::WriteAfter(10));
    assert_eq!(count.one_more(minute(62)), Admission::Write);
    assert_eq!(count.one_more(minute(200)), Admission::Write);
}

#[test]
fn one_that_flaps_hides_no_other_and_memory_is_bounded() {
    let (mut counts, minute) = (Counts::new(), |n: u64| Duration::from_secs(60 * n));
    for _ in 0..1000 {
        counts.one_more("delivery.fails", Some("flapping"), minute(1));
    }
    assert_eq!(counts.one_more("delivery.fails", Some("flapping"), minute(2)), Admission::Count);
    assert_eq!(counts.one_more("delivery.fails", Some("steady"), minute(2)), Admission::Write);
    assert_eq!(counts.one_more("delivery.fails", None, minute(2)), Admission::Write);
    assert_eq!(counts.one_more("source.fails", Some("flapping"), minute(2)), Admission::Write);
    // More objects than are counted each for itself share what one may have.
    let written = (0..10_000)
        .filter(|n| {
            let admission = counts.one_more("unit.started", Some(&format!("{n}.service")), minute(3));
            matches!(admission, Admission::Write)
        })
        .count();
    assert_eq!((written, counts.0.len()), (MAX_OBJECTS + MAX_LINES as usize, MAX_OBJECTS + 5));
    // After the hour another takes the place of one that is quiet.
    assert_eq!(counts.one_more("unit.started", Some("new.service"), minute(70)), Admission::Write);
    assert_eq!(counts.0.len(), MAX_OBJECTS + 5);
}

#[test]
fn a_line_about_one_of_several_is_counted_for_each() {
    let of_one = ["destination", "action", "address", "note", "key", "unit"];
    for path in files(&Path::new(ROOT).join("src")) {
        let code = std::fs::read_to_string(&path).unwrap();
        for (at, _) in code.match_indices("log_event!(") {
            let rest = code[at + 11..].trim_start();
            let name: String = rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            let table = include_str!("catalogue.rs");
            let Some((_, row)) = table.split_once(&format!("    {name}: \"")) else { continue };
            let id = row.split('"').next().unwrap();
            let line = catalogue::ALL.iter().find(|line| line.id == id).unwrap();
            let names_one = line.fields.iter().any(|field| of_one.contains(field));
            assert!(
                !names_one || line.level == Level::DEBUG || rest[name.len()..].starts_with(" of "),
                "{}: log_event!({name} of …, …)",
                path.display()
            );
        }
    }
}

/// One entry of the catalogue of `journalctl -x`.
fn entry(text: &mut String, id: &str, subject: &str, means: &str, todo: &str) {
    let todo = if todo.is_empty() { "There is nothing to do." } else { todo };
    writeln!(
        text,
        "\n-- {}\nSubject: {subject}\nDefined-By: svm-agent\nSupport: file:///usr/share/doc/svm-agent/reference/logs.md\n\n\
         {}\n\n{}\n\nevent: {id}",
        message_id("svm-agent", id),
        wrapped(means),
        wrapped(todo)
    )
    .unwrap();
}

/// In lines that `journalctl -x` shows within 80 columns: it sets three before each.
fn wrapped(text: &str) -> String {
    let (mut all, mut column) = (String::new(), 0);
    for word in text.split(' ') {
        let fits = column + word.len() < 77;
        all.push_str(if column == 0 {
            ""
        } else if fits {
            " "
        } else {
            "\n"
        });
        column = if fits { column + word.len() + 1 } else { word.len() + 1 };
        all.push_str(word);
    }
    all
}

/// The heading of a message: what comes before its first detail, with fields as the journal fills them in.
fn subject(message: &LogMessage) -> String {
    let mut text = message.template.split([';', ':']).next().unwrap_or_default().to_owned();
    for name in message.names() {
        if message.fields.contains(&name) {
            text = text.replace(&format!("{{{name}}}"), &format!("@SVM_{}@", name.to_uppercase()));
        }
    }
    if text.contains('{') { message.id.replace(['.', '_'], " ") } else { text }
}

#[test]
fn the_catalogue_of_the_journal_is_that_of_the_code() {
    let mut text = "# Messages of svm-agent, for journalctl -x. Made from src/log by its test:\n\
                    # SVM_WRITE_DOCS=1 cargo test --lib log::\n"
        .to_owned();
    for event in events::ALL {
        entry(&mut text, event.id, &event.id.replace(['.', '_'], " "), event.means, event.todo);
    }
    for message in catalogue::ALL {
        entry(&mut text, message.id, &subject(message), message.means, message.todo);
    }
    holds("systemd/svm-agent.catalog", &text);
}

#[test]
fn the_tables_in_the_documentation_are_those_of_the_code() {
    let todo = |todo: &'static str| if todo.is_empty() { "Nothing." } else { todo };
    let mut own =
        "| level | `event` | message | fields | what it means | what to do |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for message @ LogMessage { id, level, template, means, .. } in catalogue::ALL {
        let fields: Vec<String> = message.fields.iter().map(|field| format!("`{field}`")).collect();
        let (fields, todo) = (fields.join(", "), todo(message.todo));
        writeln!(own, "| {level} | `{id}` | {template} | {fields} | {means} | {todo} |").unwrap();
    }
    let mut stored = "| `event` | what it means | what to do |\n|---|---|---|\n".to_owned();
    for event in events::ALL {
        writeln!(stored, "| `{}` | {} | {} |", event.id, event.means, todo(event.todo)).unwrap();
    }
    let path = Path::new(ROOT).join("docs/reference/logs.md");
    let mut text = std::fs::read_to_string(path).unwrap();
    for (name, table) in [("events", stored), ("lines", own)] {
        let (begin, end) = (format!("<!-- {name}: made from src/log -->\n"), format!("<!-- {name}: end -->"));
        let (before, rest) = text.split_once(&begin).expect("the begin of the table");
        let (_, after) = rest.split_once(&end).expect("the end of the table");
        text = format!("{before}{begin}{table}{end}{after}");
    }
    holds("docs/reference/logs.md", &text);
}
