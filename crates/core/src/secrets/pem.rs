//! PEM (RFC 7468) as people keep it: read with patience, and what is damaged named by its line, never quoted.
//!
//! White space, line ends of any system and characters that nobody sees are passed over; text outside of sections is
//! explanation. A parser of our own, since those of libraries quote what they cannot read, and that may be a key.

use crate::secrets::Plain;
use crate::text::trim_pasted;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroizing;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a section says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// `CERTIFICATE`.
    Certificate,
    /// `PUBLIC KEY`.
    PublicKey,
    /// `PRIVATE KEY`: PKCS#8.
    Pkcs8,
    /// `RSA PRIVATE KEY`: PKCS#1.
    Pkcs1,
    /// `EC PRIVATE KEY`: SEC1.
    Sec1,
    /// A private key with a password, of either form that openssl writes.
    Locked,
    /// A private key of another kind, such as `OPENSSH PRIVATE KEY`.
    OtherPrivateKey,
    Other,
}

impl Label {
    fn of(text: &str) -> Self {
        match text {
            "CERTIFICATE" | "X509 CERTIFICATE" => Self::Certificate,
            "PUBLIC KEY" => Self::PublicKey,
            "PRIVATE KEY" => Self::Pkcs8,
            "RSA PRIVATE KEY" => Self::Pkcs1,
            "EC PRIVATE KEY" => Self::Sec1,
            "ENCRYPTED PRIVATE KEY" => Self::Locked,
            other if other.ends_with("PRIVATE KEY") => Self::OtherPrivateKey,
            _ => Self::Other,
        }
    }

    /// Whether it is the secret half of something.
    pub fn is_private(self) -> bool {
        matches!(self, Self::Pkcs8 | Self::Pkcs1 | Self::Sec1 | Self::Locked | Self::OtherPrivateKey)
    }
}

/// What stands between one pair of PEM boundaries, decoded.
pub struct Section {
    /// What its boundaries call it.
    pub label: Label,
    /// What is in it; overwritten when it is dropped.
    pub der: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Section").field("label", &self.label).finish_non_exhaustive()
    }
}

/// A section of which the end was not read yet.
struct Open<'a> {
    name: &'a str,
    line: usize,
    locked: bool,
    base64: Zeroizing<String>,
}

/// Lines with their numbers, whichever way they end, without what nobody sees around them. What is no text is `None`.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, Option<&str>)> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let parts =
        lines.flat_map(|(at, line)| line.split(|byte| *byte == b'\r').map(move |part| (at + 1, part)));
    parts.map(|(number, part)| (number, std::str::from_utf8(part).ok().map(trim_pasted)))
}

/// All sections of a file; none is no error.
///
/// # Errors
/// What is damaged, and in which line.
pub fn sections(bytes: &[u8]) -> Result<Vec<Section>, Plain> {
    let mut found = Vec::new();
    let mut open: Option<Open<'_>> = None;
    for (number, line) in lines(bytes) {
        let line = line.unwrap_or("\u{fffd}");
        let begin = line.strip_prefix("-----BEGIN ");
        match &mut open {
            None => {
                let Some(rest) = begin else { continue };
                let Some((name, "")) = rest.split_once("-----") else {
                    return Err(Plain::with(
                        "line {} has more than its header: the line ends were lost; write the file again as it was issued, with lines of 64 characters",
                        number,
                    ));
                };
                open = Some(Open { name, line: number, locked: false, base64: Zeroizing::default() });
            }
            Some(Open { line, .. }) if begin.is_some() => return Err(no_end(*line)),
            Some(section) => match line.strip_prefix("-----END ") {
                Some(end) if end.strip_suffix("-----") == Some(section.name) => {
                    found.push(decoded(section)?);
                    open = None;
                }
                Some(_) => {
                    return Err(Plain::with(
                        "the section that begins in line {} ends under another name; replace it with the whole file",
                        section.line,
                    ));
                }
                // Headers of RFC 1421, as older versions of openssl write them with a password.
                None if line.contains(':') => section.locked |= line.contains("ENCRYPTED"),
                None => {
                    let base64 =
                        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
                    for byte in line.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
                        if !base64(byte) {
                            return Err(Plain::with(
                                "line {} has a character that is not base64; replace it with the whole file",
                                number,
                            ));
                        }
                        section.base64.push(char::from(byte));
                    }
                }
            },
        }
    }
    match open {
        Some(section) => Err(no_end(section.line)),
        None => Ok(found),
    }
}

const fn no_end(line: usize) -> Plain {
    Plain::with(
        "the section that begins in line {} has no end; the file was cut, replace it with the whole file",
        line,
    )
}

fn decoded(section: &Open<'_>) -> Result<Section, Plain> {
    let label = match Label::of(section.name) {
        label if section.locked && label.is_private() => Label::Locked,
        label => label,
    };
    let der = match label {
        // What is in it is of no use, and nobody has to understand it.
        Label::Locked => Vec::new(),
        _ => BASE64.decode(section.base64.as_bytes()).map_err(|_| {
            Plain::with(
                "the section that begins in line {} is not whole base64; replace it with the whole file",
                section.line,
            )
        })?,
    };
    Ok(Section { label, der: Zeroizing::new(der) })
}

/// Why there is no section in a file, or none of the kind that belongs there.
pub fn instead(bytes: &[u8]) -> Plain {
    let text = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    let holds = |kind: fn(Label) -> bool| {
        sections(bytes).is_ok_and(|sections| sections.iter().any(|section| kind(section.label)))
    };
    match bytes {
        _ if bytes.iter().all(u8::is_ascii_whitespace) => Plain::new("the file is empty"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Plain::new("it is UTF-16 text; save it as plain ASCII"),
        // A SEQUENCE with a long length.
        [0x30, 0x81..=0x83, ..] => Plain::new(
            "it is binary (DER or PKCS#12), not PEM; convert it: openssl x509, openssl pkey or openssl pkcs12 -nodes",
        ),
        _ if holds(|label| label == Label::OtherPrivateKey) => Plain::new(
            "it holds a private key in the form of another program; convert it to PKCS#8: openssl pkcs8 -topk8 -nocrypt",
        ),
        _ if holds(Label::is_private) => {
            Plain::new("it holds a private key; check that it is the right file")
        }
        _ if holds(|label| label == Label::Certificate) => {
            Plain::new("it holds a certificate; check that it is the right file")
        }
        _ if holds(|_| true) => Plain::new("it holds PEM of another kind"),
        _ if text(b"-----BEGIN ") => {
            Plain::new("`-----BEGIN` does not stand at the beginning of its line; remove what is before it")
        }
        _ if text(b"BEGIN ") => Plain::new("its lines BEGIN and END must have five hyphens on both sides"),
        _ if lines(bytes).all(|(_, line)| line.is_some_and(is_base64)) => {
            Plain::new("the lines `-----BEGIN …-----` and `-----END …-----` are missing")
        }
        _ => Plain::new("it is not PEM"),
    }
}

fn is_base64(line: &str) -> bool {
    line.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nTUlHSEFnRUFNQk1HQnlxR1NNNDlBZ0VHQ0NxR1NNNDlBd0VIQkcwd2F3SUI=\n-----END PRIVATE KEY-----\n";

    fn labels(text: &[u8]) -> Vec<Label> {
        sections(text).unwrap().iter().map(|section| section.label).collect()
    }

    #[test]
    fn each_way_to_write_it_is_read() {
        let expected = sections(KEY.as_bytes()).unwrap();
        for same in [
            KEY.replace('\n', "\r\n"),
            KEY.replace('\n', "\r"),
            format!("\u{feff}{KEY}"),
            KEY.replace('\n', "\u{200b}\n\u{a0}"),
            KEY.replace('\n', "\n    "),
            format!("words\n\n{KEY}more words: and -----BEGIN in the middle\n"),
            KEY.replace("Qk1H", "Qk1H\n"),
            KEY.trim_end().to_owned(),
        ] {
            let read = sections(same.as_bytes()).unwrap();
            assert_eq!(read.len(), 1, "{same}");
            assert_eq!((read[0].label, &read[0].der), (Label::Pkcs8, &expected[0].der), "{same}");
        }
        let certificate = KEY.replace("PRIVATE KEY", "CERTIFICATE");
        assert_eq!(labels((KEY.to_owned() + &certificate).as_bytes()), [Label::Pkcs8, Label::Certificate]);
        let legacy =
            KEY.replacen("-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1);
        assert_eq!(labels(legacy.as_bytes()), [Label::Locked]);
        assert_eq!(labels(KEY.replace("PRIVATE", "ENCRYPTED PRIVATE").as_bytes()), [Label::Locked]);
        assert_eq!(labels(KEY.replace("PRIVATE", "OPENSSH PRIVATE").as_bytes()), [Label::OtherPrivateKey]);
        assert_eq!(labels(b"\xff\xfe not text\n"), []);
    }

    #[test]
    fn what_is_damaged_is_named_by_its_line_and_never_quoted() {
        let secret = "TUlHSEFnRUFNQk1H";
        for (damaged, message) in [
            (KEY.replace('\n', " "), "line 1 has more than its header"),
            (KEY.replace('\n', ""), "line 1 has more than its header"),
            (KEY.replace('\n', "\\n"), "line 1 has more than its header"),
            (KEY.replacen("KEY-----", "KEY----", 1), "line 1 has more than its header"),
            (KEY.replace("-----END PRIVATE KEY-----\n", ""), "begins in line 1 has no end"),
            (KEY[..60].to_owned(), "begins in line 1 has no end"),
            (format!("\n{KEY}").replace("-----END PRIVATE KEY-----\n", KEY), "begins in line 2 has no end"),
            (KEY.replace("END PRIVATE", "END PUBLIC"), "begins in line 1 ends under another name"),
            (KEY.replace("SUI=", "SU!"), "line 2 has a character that is not base64"),
            (KEY.replace("SUI=", "S"), "begins in line 1 is not whole base64"),
            (KEY.replace("TUlH", "TU=lH"), "begins in line 1 is not whole base64"),
        ] {
            let error = sections(damaged.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(message) && !error.contains(secret), "{error}: {damaged}");
        }
        for (none, message) in [
            (KEY.replace("-----BEGIN", "my key: -----BEGIN"), "does not stand at the beginning"),
            (KEY.replace("-----", "\u{2014}-"), "five hyphens"),
            (KEY.lines().nth(1).unwrap().to_owned(), "are missing"),
            (KEY.to_owned(), "it holds a private key"),
            (" \n".to_owned(), "empty"),
            ("a token, perhaps".to_owned(), "it is not PEM"),
        ] {
            let error = instead(none.as_bytes()).to_string();
            assert!(error.contains(message) && !error.contains(secret), "{error}: {none}");
        }
        assert!(instead(&[0x30, 0x82, 1, 2]).to_string().contains("binary"));
        assert!(instead(b"\xff\xfe-\0").to_string().contains("UTF-16"));
    }
}
