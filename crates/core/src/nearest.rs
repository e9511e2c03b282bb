//! Names that are like a mistyped one.

/// Longer words are no typing errors, and comparing them would take long.
const MAX_WORD_BYTES: usize = 300;

/// How many typing errors lie between two words, ignoring case; `None` if they are too many for one to be meant by the
/// other. A third of the letters may be wrong, and never more than three: a word of two letters is like no other.
pub fn distance(typed: &str, name: &str) -> Option<usize> {
    let bound = (typed.chars().count() / 3).min(3);
    if typed.len() > MAX_WORD_BYTES || typed.len().abs_diff(name.len()) > 4 * bound {
        return None;
    }
    let distance = strsim::damerau_levenshtein(&typed.to_lowercase(), &name.to_lowercase());
    Some(distance).filter(|distance| *distance <= bound)
}

/// The name that is most like a word, if one is near enough to be meant.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.into_iter().filter_map(|name| Some((distance(typed, name)?, name)));
    near.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_for_its_length_is_suggested() {
        let names = ["url", "level", "status", "omsk", "rescue"];
        for (typed, meant) in [
            ("ulr", Some("url")),
            ("LEVLE", Some("level")),
            ("statsu", Some("status")),
            ("statu", Some("status")),
            ("nosuch", None),
            ("ur", None),
            ("", None),
            ("level level", None),
        ] {
            assert_eq!(nearest(typed, names), meant, "{typed}");
        }
    }
}
