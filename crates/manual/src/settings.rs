//! The manual page of a settings file, from the file of defaults: its comments say what each key is.

use crate::page::{part, part_with_preamble, see_also, title};
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::io;

/// A settings file.
pub(crate) struct SettingsPage {
    pub(crate) name: &'static str,
    about: &'static str,
    pub(crate) defaults: &'static str,
    /// Each with what it is.
    files: &'static [(&'static str, &'static str)],
    /// Commands after a change.
    examples: &'static [&'static str],
    see: (&'static str, u8),
}

pub(crate) const ALL: &[SettingsPage] = &[
    SettingsPage {
        name: "svm-agent.toml",
        about: "settings of svm-agent",
        defaults: include_str!("../../../config/agent.toml"),
        files: &[
            ("/usr/lib/svm-agent/*.toml", "settings that a package brings; do not edit them"),
            ("/etc/svm-agent/agent.toml", "the file to edit"),
            (
                "/etc/svm-agent/conf.d/*.toml",
                "settings that win over these, such as those of a configuration management",
            ),
        ],
        examples: &[
            "svm-agent config check && systemctl reload svm-agent",
            "svm-agent config show --changed",
            "SVM_AGENT__LOG__LEVEL=debug svm-agent config show",
        ],
        see: ("svm-agent", 8),
    },
    SettingsPage {
        name: "svm-collector.toml",
        about: "settings of svm-collector",
        defaults: include_str!("../../../config/collector.toml"),
        files: &[("/etc/svm-collector/collector.toml", "the file to edit")],
        examples: &["svm-collector config check && systemctl restart svm-collector"],
        see: ("svm-collector", 8),
    },
];

impl SettingsPage {
    /// The page. What stands above a key describes it, what stands above a table or alone is text.
    pub(crate) fn render(&self) -> io::Result<String> {
        let man = title(Man::new(Command::new(self.name).about(self.about)), self.name, 5);
        let mut text = part_with_preamble(|writer| man.render_title(writer))?;
        text.push_str(&part(|writer| man.render_name_section(writer))?);
        let mut roff = Roff::new();
        roff.control("SH", ["DESCRIPTION"]);
        let (mut comment, mut shown) = (Vec::new(), false);
        for line in self.defaults.lines() {
            // Tables of which there may be any number are shown as comments.
            shown = (shown || line.starts_with("# [")) && !line.is_empty();
            let line = if shown { line.trim_start_matches('#').trim_start_matches(' ') } else { line };
            // In those the comments have a sign of their own.
            if let Some(words) = line.strip_prefix('#') {
                comment.push(words.trim().to_owned());
            } else if line.starts_with('[') {
                paragraph(&mut roff, &mut comment);
                roff.control("SH", [line]);
            } else if let Some((key, value)) = line.split_once(" = ") {
                roff.control("TP", []).text([bold(key), roman(format!(" = {value}"))]);
                describe(&mut roff, &mut comment);
            } else {
                paragraph(&mut roff, &mut comment);
            }
        }
        paragraph(&mut roff, &mut comment);
        roff.control("SH", ["FILES"]);
        for (path, what) in self.files {
            roff.control("TP", []).text([bold(*path)]).text([roman(*what)]);
        }
        roff.control("SH", ["EXAMPLES"]).control("nf", []);
        for example in self.examples {
            roff.text([roman(*example)]);
        }
        roff.control("fi", []);
        see_also(&mut roff, &[self.see]);
        text.push_str(&part(|writer| roff.to_writer(writer))?);
        Ok(text)
    }
}

/// Adds what was gathered, which is then empty.
fn describe(roff: &mut Roff, comment: &mut Vec<String>) {
    let words = std::mem::take(comment).join(" ");
    if !words.trim().is_empty() {
        roff.text([roman(words.trim())]);
    }
}

/// The same in a paragraph of its own.
fn paragraph(roff: &mut Roff, comment: &mut Vec<String>) {
    if comment.iter().any(|words| !words.is_empty()) {
        roff.control("P", []);
    }
    describe(roff, comment);
}
