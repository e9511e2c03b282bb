//! Text as `man` takes it.

/// A text without meaning to `man`.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = text.replace('\\', "\\e").replace('-', "\\-");
    if safe.starts_with(['.', '\'']) {
        safe.insert_str(0, "\\&");
    }
    safe
}

/// The same in bold.
pub(crate) fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escape(text))
}

/// A cell of a table in Markdown: links are their text, code is bold.
pub(crate) fn markdown(text: &str) -> String {
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
    let marked: String = plain
        .split('`')
        .enumerate()
        .map(|(i, part)| if i % 2 == 1 { bold(part) } else { escape(part) })
        .collect();
    marked
}

/// A heading of a page.
pub(crate) fn title(name: &str, section: u8) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(".TH \"{}\" \"{section}\" \"\" \"svm\\-agent {version}\" \"svm\\-agent\"\n", escape(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_a_command() {
        assert_eq!(escape(".SH of \\x"), "\\&.SH of \\ex");
        assert_eq!(escape("--json"), "\\-\\-json");
        assert_eq!(markdown("see [`a`](b.md#c) and `--d` [e]"), "see \\fBa\\fR and \\fB\\-\\-d\\fR [e]");
    }
}
