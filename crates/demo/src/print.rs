//! What the demonstration prints.

use crate::world::Received;
use std::io::{IsTerminal, Write};
use svm_core::text::clean;

pub(crate) fn line(text: &str) {
    // If nobody reads, the story goes on all the same.
    writeln!(std::io::stdout(), "{text}").ok();
}

/// One line of the timeline.
pub(crate) fn event(event: &Received) {
    let (word, colour) = match event.severity {
        4 => ("CRITICAL", "\x1b[31m"),
        3 => ("FAILURE", "\x1b[35m"),
        2 => ("WARNING", "\x1b[33m"),
        _ => ("info", "\x1b[32m"),
    };
    let (on, off) = if std::io::stdout().is_terminal() { (colour, "\x1b[0m") } else { ("", "") };
    let when = event.effective.strftime("%Y-%m-%d %H:%M");
    line(&format!("{when}  {on}{word:<8}{off}  {}: {}", event.name, clean(&event.description)));
}
