//! A text in both languages.

use crate::words::Language;

/// A text in both languages; `{name}` is a hole that [`Text::fill`] fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// In English.
    pub english: &'static str,
    /// In Russian.
    pub russian: &'static str,
}

impl Text {
    /// Of both languages.
    pub const fn new(english: &'static str, russian: &'static str) -> Self {
        Self { english, russian }
    }

    /// In one language.
    pub const fn get(self, language: Language) -> &'static str {
        match language {
            Language::English => self.english,
            Language::Russian => self.russian,
        }
    }

    /// In one language, with its holes filled in. A value is not searched for holes. A hole without a value is left empty.
    pub fn fill(self, language: Language, values: &[(&str, &str)]) -> String {
        let mut filled = String::new();
        let mut rest = self.get(language);
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let Some((name, after)) = after.split_once('}') else { break };
            filled.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

/// An enum whose keys have a text each: `KEY: "English", "Russian";`.
macro_rules! texts {
    ($(#[$about:meta])* $name:ident { $($key:ident: $english:literal, $russian:literal;)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($key),+ }

        impl $name {
            /// All keys.
            pub const ALL: &'static [Self] = &[$(Self::$key),+];

            /// The text.
            pub const fn text(self) -> $crate::words::Text {
                match self { $(Self::$key => $crate::words::Text::new($english, $russian)),+ }
            }

            /// In one language.
            pub const fn get(self, language: $crate::words::Language) -> &'static str {
                self.text().get(language)
            }

            /// In one language, with its holes filled in.
            pub fn fill(self, language: $crate::words::Language, values: &[(&str, &str)]) -> String {
                self.text().fill(language, values)
            }
        }
    };
}
