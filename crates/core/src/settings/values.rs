//! Values with a form of their own: one of a few words, and spans of time.

use crate::settings::address::quoted;
use jiff::SignedDuration;

/// No word or span of the settings is longer.
const MAX_WORD: usize = 24;

/// One of a few words, by name.
///
/// # Errors
/// A sentence that lists them, with the nearest first where one is near.
pub fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let listed = match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        names => names.concat(),
    };
    Err(format!("must be {listed}, not {}", quoted(text, MAX_WORD)))
}

/// A span of time such as `6h`, `15m`, `30s` or `2d`.
///
/// # Errors
/// A sentence that shows the form.
pub fn span(text: &str) -> Result<SignedDuration, String> {
    let wrong = || {
        format!("must be a span such as \"30s\", \"15m\", \"6h\" or \"7d\", not {}", quoted(text, MAX_WORD))
    };
    if let Some(days) = text.trim().strip_suffix('d').and_then(|days| days.parse::<i64>().ok()) {
        return days.checked_mul(86_400).map(SignedDuration::from_secs).ok_or_else(wrong);
    }
    text.parse().map_err(|_| wrong())
}
