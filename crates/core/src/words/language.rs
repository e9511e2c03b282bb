//! The language of an answer.

use serde::Serialize;

/// A language that every text has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Russian.
    #[serde(rename = "ru")]
    Russian,
}

impl Language {
    /// Both.
    pub const ALL: [Self; 2] = [Self::English, Self::Russian];

    /// The language code (ISO 639), as `--lang` takes it.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Russian => "ru",
        }
    }

    /// The language of a code; `None` if no text is in that language.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// The language of a locale's variables, by their precedence (`setlocale(3)`): `LC_ALL`, `LC_MESSAGES`, `LANG`.
    /// English for every locale but a Russian one.
    pub fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let locale = set.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
        let code = locale.unwrap_or_default().to_ascii_lowercase();
        let code = code.split(['_', '.', '@']).next().unwrap_or_default();
        Self::from_code(code).unwrap_or_default()
    }
}
