//! Numbers with their nouns, by the plural rules of each language (Unicode CLDR).

use crate::words::Language;

/// Which form a noun takes after a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plural {
    /// 1 day; 1, 21 and 101 день.
    One,
    /// 2, 3, 4 and 22 дня; English has no such form.
    Few,
    /// 2 days; 0, 5 and 11 дней.
    Many,
}

impl Language {
    /// The form of a noun after `number`.
    pub fn plural(self, number: u64) -> Plural {
        match (self, number % 10, number % 100) {
            (Self::English, ..) if number == 1 => Plural::One,
            (Self::English, ..) => Plural::Many,
            (Self::Russian, 1, last) if last != 11 => Plural::One,
            (Self::Russian, 2..=4, last) if !(12..=14).contains(&last) => Plural::Few,
            (Self::Russian, ..) => Plural::Many,
        }
    }
}

macro_rules! nouns {
    ($($key:ident: $one:literal $many:literal, $single:literal $few:literal $lots:literal;)+) => {
        /// What is counted. The Russian forms are those after "через" as well.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Noun { $($key),+ }

        impl Noun {
            /// All nouns.
            pub const ALL: &'static [Self] = &[$(Self::$key),+];

            /// The form after `number`.
            pub fn after(self, number: u64, language: Language) -> &'static str {
                let form = language.plural(number);
                match (self, language) {
                    $((Self::$key, Language::English) => if form == Plural::One { $one } else { $many },
                    (Self::$key, Language::Russian) => match form {
                        Plural::One => $single,
                        Plural::Few => $few,
                        Plural::Many => $lots,
                    }),+
                }
            }
        }
    };
}

nouns! {
    Second: "second" "seconds", "секунду" "секунды" "секунд";
    Minute: "minute" "minutes", "минуту" "минуты" "минут";
    Hour: "hour" "hours", "час" "часа" "часов";
    Day: "day" "days", "день" "дня" "дней";
    Event: "event" "events", "событие" "события" "событий";
    Device: "device" "devices", "устройство" "устройства" "устройств";
    Attempt: "attempt" "attempts", "попытка" "попытки" "попыток";
    Setting: "setting" "settings", "настройку" "настройки" "настроек";
    Connection: "connection" "connections", "соединение" "соединения" "соединений";
}

/// A number with its noun: "1 day", "22 дня".
pub fn count(number: u64, noun: Noun, language: Language) -> String {
    format!("{number} {}", noun.after(number, language))
}
