//! What the demonstration prints.

use crate::world::Received;
use std::io::{IsTerminal, Write, stdout};
use svm_core::terminal::{width, wrap};
use svm_core::text::clean;

/// Prints a line, in as many as the terminal needs.
pub(crate) fn line(text: &str) {
    for text in text.split('\n') {
        print(wrap("", 0, text, width(stdout())));
    }
}

/// The heading of a scene.
pub(crate) fn heading(day: &str, text: &str) {
    let first = format!("{day}  ");
    let (on, off) = if stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let mut lines = vec![String::new()];
    lines.extend(wrap(&first, 0, text, width(stdout())).into_iter().map(|line| format!("{on}{line}{off}")));
    print(lines);
}

/// One line of the timeline.
pub(crate) fn event(event: &Received) {
    let (word, colour) = match event.severity {
        4 => ("CRITICAL", "\x1b[31m"),
        3 => ("FAILURE", "\x1b[35m"),
        2 => ("WARNING", "\x1b[33m"),
        _ => ("info", "\x1b[32m"),
    };
    let first = format!("{}  {word:<8}  ", event.effective.strftime("%Y-%m-%d %H:%M"));
    let indent = first.len();
    let mut lines = wrap(&first, indent, &clean(&event.description), width(stdout()));
    if let Some(first) = lines.first_mut().filter(|_| stdout().is_terminal()) {
        *first = first.replacen(word, &format!("{colour}{word}\x1b[0m"), 1);
    }
    print(lines);
}

fn print(lines: Vec<String>) {
    for line in lines {
        // If nobody reads, the story goes on all the same.
        writeln!(stdout(), "{line}").ok();
    }
}
