//! The parameters of an address: `?limit=10&source=…`, each read by its name.
//!
//! Promises: a name that the address does not know, a name that occurs twice and a value of another kind are refused with
//! the name, and not passed over.

use super::answer::Refusal;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::collections::HashSet;
use std::str::FromStr;
use svm_core::percent;
use svm_core::text::clean_start;

/// How much of an unknown name is shown, in characters.
const MAX_NAME: usize = 64;

/// The parameters that an address knows.
pub(super) trait Parameters: Default {
    /// Their names.
    const NAMES: &'static [&'static str];

    /// Takes the value of one of [`Parameters::NAMES`].
    ///
    /// # Errors
    /// The value is of another kind.
    fn set(&mut self, name: &str, value: String) -> Result<(), Refusal>;
}

/// The parameters of a request.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T: Parameters, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        read(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn read<T: Parameters>(query: &str) -> Result<T, Refusal> {
    let (mut parameters, mut seen) = (T::default(), HashSet::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let part = |text: &str| percent::decode(&text.replace('+', " "));
        let name = part(name);
        let Some(known) = T::NAMES.iter().copied().find(|known| *known == name) else {
            let (name, known) = (clean_start(&name, MAX_NAME), T::NAMES.join(", "));
            return Err(Refusal::UnknownParameter { name, known });
        };
        if !seen.insert(known) {
            return Err(Refusal::Query { field: known, problem: "is given more than once" });
        }
        parameters.set(known, part(value))?;
    }
    Ok(parameters)
}

/// The value of a parameter that is a whole number in the range of its type.
pub(super) fn number<N: FromStr>(field: &'static str, value: &str) -> Result<N, Refusal> {
    value.parse().map_err(|_| Refusal::Query { field, problem: "is not a whole number in its range" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct Sample {
        q: String,
        limit: Option<u32>,
    }

    impl Parameters for Sample {
        const NAMES: &'static [&'static str] = &["q", "limit"];

        fn set(&mut self, name: &str, value: String) -> Result<(), Refusal> {
            match name {
                "q" => self.q = value,
                _ => self.limit = Some(number("limit", &value)?),
            }
            Ok(())
        }
    }

    #[test]
    fn parameters_are_decoded_and_wrong_ones_are_named() {
        let good = read::<Sample>("q=a%20b+c%26&limit=7&").unwrap();
        assert_eq!(good, Sample { q: "a b c&".to_owned(), limit: Some(7) });
        assert_eq!(read::<Sample>("").unwrap(), Sample::default());
        for (query, says) in [
            ("lmit=7", "unknown parameter \"lmit\"; this address knows q, limit"),
            ("limit=-1", "limit is not a whole number in its range"),
            ("limit=", "limit is not a whole number in its range"),
            ("q=a&q=b", "q is given more than once"),
        ] {
            assert_eq!(read::<Sample>(query).unwrap_err().to_string(), says);
        }
    }
}
