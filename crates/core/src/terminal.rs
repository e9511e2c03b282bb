//! Terminals: how wide one is, and text in lines of that width.

use rustix::termios::tcgetwinsize;
use std::os::fd::AsFd;

/// The width of a terminal that does not say how wide it is, such as a serial line.
const USUAL_WIDTH: usize = 80;

/// In a narrower terminal lines are left to the terminal: text in columns would have no room.
const MIN_WIDTH: usize = 40;

/// The columns of the terminal that an output leads to; `None` if it leads to a file or a pipe, where lines are never
/// broken: programs read them.
pub fn width(output: impl AsFd) -> Option<usize> {
    let columns = usize::from(tcgetwinsize(output).ok()?.ws_col);
    match columns {
        0 => Some(USUAL_WIDTH),
        columns => Some(columns).filter(|columns| *columns >= MIN_WIDTH),
    }
}

/// A text in lines of at most `width` characters, broken at spaces; one line without a width. `first` stands before the
/// first line, and `indent` spaces before the others. A word that is longer than a line has a line of its own.
pub fn wrap(first: &str, indent: usize, text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return vec![format!("{first}{text}")] };
    let mut lines = Vec::new();
    let (mut line, mut used) = (first.to_owned(), first.chars().count());
    let mut begun = false;
    for word in text.split(' ') {
        let length = word.chars().count();
        if begun && used + 1 + length > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            (used, begun) = (indent, false);
        }
        if begun {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
        begun |= !word.is_empty();
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces_and_keep_their_indent() {
        assert_eq!(wrap("Key  ", 5, "one two three", Some(12)), ["Key  one two", "     three"]);
        assert_eq!(wrap("- ", 2, "a-word-without-end b", Some(10)), ["- a-word-without-end", "  b"]);
        assert_eq!(wrap("", 0, "данные до 3 декабря", Some(10)), ["данные до", "3 декабря"]);
        assert_eq!(wrap("Key  ", 5, "", Some(12)), ["Key  "]);
    }

    #[test]
    fn a_pipe_has_no_width_and_its_lines_are_whole() {
        let pipe = std::io::pipe().unwrap();
        assert_eq!(width(&pipe.1), None);
        assert_eq!(wrap("Key  ", 5, &"word ".repeat(100), width(&pipe.1)).len(), 1);
    }
}
