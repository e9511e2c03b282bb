//! An error with its sources, in one line: `cannot open the store: permission denied`.

use crate::library_words;
use std::{error::Error, fmt};

/// Shows an error and, after colons, what caused it. Sources that repeat their parent's text are left out; an error of a
/// library is shown in this project's words, and nothing of what caused it is.
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = String::new();
        let mut next = Some(self.0);
        while let Some(error) = next {
            let words = library_words::of(error);
            next = error.source().filter(|_| words.is_none());
            let text = words.unwrap_or_else(|| error.to_string());
            if last.is_empty() {
                f.write_str(&text)?;
            } else if !last.contains(&text) {
                write!(f, ": {text}")?;
            } else {
                continue;
            }
            last = text;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the store")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_source_of_a_library_is_shown_in_plain_words() {
        let error = Outer(std::io::Error::from_raw_os_error(13));
        assert_eq!(Chain(&error).to_string(), "cannot open the store: permission denied");
        let nested = Outer(std::io::Error::other(Outer(std::io::Error::from_raw_os_error(28))));
        assert_eq!(Chain(&nested).to_string(), "cannot open the store");
    }
}
