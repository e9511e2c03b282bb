//! The manual page of a settings file, from the file of defaults: its comments say what each key is.

use super::roff::{bold, escape, title};
use std::fmt::Write;

/// A settings file.
pub(crate) struct SettingsPage {
    pub(crate) name: &'static str,
    about: &'static str,
    pub(crate) defaults: &'static str,
    see: (&'static str, u8),
}

pub(crate) const ALL: &[SettingsPage] = &[
    SettingsPage {
        name: "svm-agent.toml",
        about: "settings of svm-agent",
        defaults: include_str!("../../../config/agent.toml"),
        see: ("svm-agent", 8),
    },
    SettingsPage {
        name: "svm-collector.toml",
        about: "settings of svm-collector",
        defaults: include_str!("../../../config/collector.toml"),
        see: ("svm-collector", 8),
    },
];

impl SettingsPage {
    /// The page. What stands above a key describes it, what stands above a table or alone is text.
    pub(crate) fn render(&self) -> String {
        let mut text = title(self.name, 5);
        _ = write!(text, ".SH NAME\n{} \\- {}\n", escape(self.name), escape(self.about));
        text.push_str(".SH DESCRIPTION\n");
        let (mut comment, mut shown) = (Vec::new(), false);
        for line in self.defaults.lines() {
            // Tables of which there may be any number are shown as comments.
            shown = (shown || line.starts_with("# [")) && !line.is_empty();
            let line = if shown { line.trim_start_matches('#').trim_start_matches(' ') } else { line };
            // In those the comments have a sign of their own.
            if let Some(words) = line.strip_prefix('#') {
                comment.push(words.trim().to_owned());
            } else if line.starts_with('[') {
                _ = writeln!(text, "{}.SH {}", paragraph(&mut comment, ".P\n"), bold(line));
            } else if let Some((key, value)) = line.split_once(" = ") {
                _ = write!(text, ".TP\n{} = {}\n", bold(key), escape(value));
                text.push_str(&paragraph(&mut comment, ""));
            } else {
                text.push_str(&paragraph(&mut comment, ".P\n"));
            }
        }
        text.push_str(&paragraph(&mut comment, ".P\n"));
        _ = write!(text, ".SH SEE ALSO\n{}({})\n", bold(self.see.0), self.see.1);
        text
    }
}

/// What was gathered, which is then empty.
fn paragraph(comment: &mut Vec<String>, before: &str) -> String {
    let words = std::mem::take(comment).join(" ");
    if words.trim().is_empty() { String::new() } else { format!("{before}{}\n", escape(words.trim())) }
}
