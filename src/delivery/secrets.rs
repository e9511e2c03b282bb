//! What a receiver was given that nobody else may see: some repeat it in their answers, which are logged, kept with
//! quarantined events and told to other destinations.

use reqwest::Url;
use std::borrow::Cow;

/// Nothing below this length in bytes is looked for: it would be found in any text, and is no secret.
const SHORTEST: usize = 6;

/// The secrets of a destination.
pub(crate) struct Secrets<'a> {
    /// All of its address: the query may hold some.
    pub(crate) url: &'a str,
    pub(crate) token: Option<&'a str>,
}

impl Secrets<'_> {
    /// A text of the receiver's, with `…` for the token, for the address's query and for each value in that, also where
    /// the receiver decoded it.
    pub(crate) fn hide(&self, text: &str) -> String {
        let query = self.url.split_once('?').map_or("", |(_, query)| query);
        let values = query.split('&').filter_map(|pair| Some(pair.split_once('=')?.1));
        let mut hidden: Vec<Cow<'_, str>> =
            [query].into_iter().chain(self.token).chain(values).map(Cow::from).collect();
        let url = Url::parse(self.url).ok();
        hidden.extend(url.iter().flat_map(Url::query_pairs).map(|(_, value)| value));
        hidden.retain(|secret| secret.len() >= SHORTEST);
        // One that is a part of another would leave the rest of that.
        hidden.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        // Some writers of JSON escape this (RFC 8259, section 7), and it is in every other token.
        let text = text.replace("\\/", "/");
        hidden.iter().fold(text, |text, secret| text.replace(&**secret, "…"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_receiver_repeats_is_hidden() {
        let secrets = Secrets { url: "https://h/in?sig=ab%2Fcd%2Bef&v=1", token: Some("t0k/en+whole") };
        for (text, shown) in [
            ("no such token: t0k/en+whole", "no such token: …"),
            (r#"{"token":"t0k\/en+whole"}"#, r#"{"token":"…"}"#),
            ("cannot POST /in?sig=ab%2Fcd%2Bef&v=1", "cannot POST /in?…"),
            ("sig ab%2Fcd%2Bef is wrong", "sig … is wrong"),
            ("sig ab/cd+ef is wrong", "sig … is wrong"),
            ("1 of 1", "1 of 1"),
        ] {
            assert_eq!(secrets.hide(text), shown);
        }
        assert_eq!(Secrets { url: "https://h/in", token: None }.hide("as it is"), "as it is");
    }
}
