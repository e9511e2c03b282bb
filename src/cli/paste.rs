//! A document as it comes out of a mail or a terminal: broken into lines, quoted, indented.
//!
//! White space and the marks of quotation are taken out, nothing else: what a document is made of is not touched, and
//! whether it counts is for its signature.

use svm_core::documents::MAX_DOCUMENT_BYTES;
use svm_core::text::is_invisible;

/// Why a text is no document that was pasted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PasteError {
    /// Nothing but white space.
    #[error(
        "the document is empty; give the document that the provider sent: three parts of letters and digits, with dots between"
    )]
    Empty,
    /// A key or a certificate.
    #[error(
        "this is a PEM file, not a document; put the public key of a provider into paths.trust_dir, and give the document here"
    )]
    Pem,
    #[error(
        "this is a private key, not a document; only its owner may have it: inform the sender, and delete your copy"
    )]
    PrivateKey,
    #[error("this is a web page, not a document; save or copy the document that the page links to")]
    WebPage,
    #[error(
        "this is JSON, not a document; a document is signed: three parts of letters and digits, with dots between"
    )]
    Json,
    #[error(
        "this is not a document: {character} in line {line} cannot occur in one; give the document without the text around it"
    )]
    Foreign {
        character: String,
        /// Counted from 1.
        line: usize,
    },
    /// Right characters in a wrong form.
    #[error(
        "the document is not complete: it has {parts} parts with dots between instead of three; copy all of it"
    )]
    Parts {
        /// How many there are.
        parts: usize,
    },
    /// More than a document has.
    #[error(
        "this has {bytes} bytes, more than a document can have ({MAX_DOCUMENT_BYTES}); give only the document"
    )]
    TooLarge { bytes: usize },
}

impl PasteError {
    /// A short name: that of the refusal it would be, but for what is empty.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            _ => "invalid_document",
        }
    }
}

/// What is neither seen nor meant: the mark at a file's beginning, soft hyphens and joiners, marks of direction.
fn is_unseen(c: char) -> bool {
    c.is_whitespace() || is_invisible(c) || matches!(c, '\u{200E}' | '\u{200F}')
}

/// The document in a text that was pasted or read from a file.
///
/// # Errors
/// [`PasteError`]: what it is instead. The text itself is not quoted: it may be a secret.
pub(crate) fn document(pasted: &str) -> Result<String, PasteError> {
    let seen = pasted.trim_matches(is_unseen);
    let quoted = seen.trim_start_matches(|c: char| c == '>' || is_unseen(c));
    let begins = |with: &str| quoted.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    match quoted.chars().next() {
        None => return Err(PasteError::Empty),
        _ if pasted.contains("PRIVATE KEY-----") => return Err(PasteError::PrivateKey),
        _ if pasted.contains("-----BEGIN ") => return Err(PasteError::Pem),
        Some('<') => return Err(PasteError::WebPage),
        _ if begins("&lt;") || begins("content-type: text/html") => return Err(PasteError::WebPage),
        Some('{' | '[') => return Err(PasteError::Json),
        Some(_) => {}
    }
    let mut text = String::with_capacity(seen.len());
    for (index, line) in pasted.lines().enumerate() {
        let line_alone = line.trim_start_matches(|c: char| c == '>' || is_unseen(c));
        for c in line_alone.chars().filter(|c| !is_unseen(*c)) {
            // Padding is not ours to take away: the document is refused for it.
            if !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=' | '+' | '/')) {
                return Err(PasteError::Foreign { character: format!("{c:?}"), line: index + 1 });
            }
            text.push(c);
        }
    }
    let parts = text.split('.').count();
    match () {
        () if text.len() > MAX_DOCUMENT_BYTES => Err(PasteError::TooLarge { bytes: text.len() }),
        () if parts != 3 => Err(PasteError::Parts { parts }),
        () => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJhLWJfYyJ9.c2lnbmF0dXJl-_A";

    #[test]
    fn lines_spaces_and_quotation_are_taken_out() {
        let broken = |with: &str| {
            let lines: Vec<String> =
                DOCUMENT.as_bytes().chunks(7).map(|c| String::from_utf8(c.to_vec()).unwrap()).collect();
            lines.join(with)
        };
        for pasted in [
            DOCUMENT.to_owned(),
            format!("  {DOCUMENT}\r\n\r\n"),
            format!("\u{feff}{DOCUMENT}"),
            broken("\n"),
            broken("\r\n"),
            broken("\n    "),
            broken(" "),
            broken("\u{a0}\n"),
            broken("\u{200b}"),
            broken("\u{200e}\u{3164}\n"),
            format!("> {}", broken("\n> ")),
            format!(">> {}", broken("\n>> ")),
            format!("> > {}\n>\n", broken("\n> > ")),
            format!(" >{}", broken("\n >")),
        ] {
            assert_eq!(document(&pasted).as_deref(), Ok(DOCUMENT), "{pasted:?}");
        }
    }

    #[test]
    fn what_else_is_pasted_is_named() {
        let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n";
        for (pasted, error) in [
            ("", PasteError::Empty),
            (" \r\n\t> \n", PasteError::Empty),
            (pem, PasteError::Pem),
            ("iss: a\n-----BEGIN PUBLIC KEY-----", PasteError::Pem),
            ("-----BEGIN PRIVATE KEY-----", PasteError::PrivateKey),
            ("<!doctype html><p>a.b.c", PasteError::WebPage),
            ("> <html>", PasteError::WebPage),
            ("Content-Type: text/html\n\n", PasteError::WebPage),
            ("{\"rev\": 1}", PasteError::Json),
            ("abc", PasteError::Parts { parts: 1 }),
            ("a.b", PasteError::Parts { parts: 2 }),
            ("a.b.c.d", PasteError::Parts { parts: 4 }),
            ("Hello,\na.b.c", PasteError::Foreign { character: "','".to_owned(), line: 1 }),
            ("a.b.c\nё", PasteError::Foreign { character: "'ё'".to_owned(), line: 2 }),
            ("a.b\n>c.d>e", PasteError::Foreign { character: "'>'".to_owned(), line: 2 }),
            ("a.b.\u{1b}[0m", PasteError::Foreign { character: "'\\u{1b}'".to_owned(), line: 1 }),
        ] {
            assert_eq!(document(pasted), Err(error), "{pasted:?}");
        }
        let large = format!("{}.b.c", "a".repeat(70_000));
        assert_eq!(document(&large), Err(PasteError::TooLarge { bytes: 70_004 }));
        assert_eq!(document("a==.b.c").as_deref(), Ok("a==.b.c"), "refused for it by who verifies");
    }
}
