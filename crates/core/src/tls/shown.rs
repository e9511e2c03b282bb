//! A server's certificate as messages show it: who issued it, and when it ends.
//!
//! Of a name only its words are read (X.501; RFC 5280, section 4.1.2.4): the dates and the rest are the verifier's.

use crate::tls::dates::ends_at;
use crate::tls::unusable;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;

/// What people want to know of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The common name of its issuer, else the organisation; at most 100 characters, none that steers a terminal.
    pub issuer: String,
    /// notAfter: the last instant at which it is valid (RFC 5280, section 4.1.2.5).
    pub ends_at: Timestamp,
}

/// Looks at a certificate.
///
/// # Errors
/// It cannot be read; one sentence.
pub fn shown(certificate: &CertificateDer<'_>) -> Result<Shown, String> {
    let read = webpki::EndEntityCert::try_from(certificate);
    let read = read.map_err(|error| format!("the certificate cannot be used: {}", unusable::x509(&error)))?;
    let issuer = name(read.issuer()).unwrap_or_else(|| "an authority without a name".to_owned());
    Ok(Shown { issuer, ends_at: ends_at(certificate).map_err(|problem| problem.to_string())? })
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;

/// `id-at-commonName` and `id-at-organizationName`, the better one first.
const NAMES: [&[u8]; 2] = [&[0x55, 0x04, 0x03], &[0x55, 0x04, 0x0a]];

/// The first DER element: its tag, its content and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        // No name is that long.
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The elements of a content, as far as they can be read.
fn elements(mut der: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, rest) = element(der)?;
        der = rest;
        Some((tag, content))
    })
}

/// The common name of a distinguished name, whole and as it is.
pub(super) fn common_name(der: &[u8]) -> Option<String> {
    let [common, _] = NAMES;
    String::from_utf8(word(der, &[common])?.to_vec()).ok()
}

/// The first word of a distinguished name that has one of these identifiers, the better ones first.
fn word<'a>(der: &'a [u8], wanted: &[&[u8]]) -> Option<&'a [u8]> {
    // With or without the sequence around it.
    let parts = match element(der) {
        Some((SEQUENCE, content, [])) => content,
        _ => der,
    };
    let sets = elements(parts).filter(|(tag, _)| *tag == SET);
    let pairs = sets.flat_map(|(_, set)| elements(set)).filter(|(tag, _)| *tag == SEQUENCE);
    let pairs: Vec<(&[u8], &[u8])> = pairs
        .filter_map(|(_, pair)| match elements(pair).collect::<Vec<_>>().as_slice() {
            [(OID, oid), (_, text)] => Some((*oid, *text)),
            _ => None,
        })
        .collect();
    let of = |wanted: &&[u8]| pairs.iter().find(|(oid, _)| oid == wanted).map(|(_, text)| *text);
    wanted.iter().find_map(of)
}

/// The word of a distinguished name, for people.
pub(super) fn name(der: &[u8]) -> Option<String> {
    Some(crate::text::clean_start(&String::from_utf8_lossy(word(der, &NAMES)?), 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_name_is_found_and_nothing_steers_a_terminal() {
        let pair = |oid: u8, text: &[u8]| {
            let mut inner = vec![OID, 3, 0x55, 0x04, oid, 0x0c, u8::try_from(text.len()).unwrap()];
            inner.extend(text);
            let length = u8::try_from(inner.len()).unwrap();
            [vec![SET, length + 2, SEQUENCE, length], inner].concat()
        };
        let both = [pair(0x0a, b"Example Org"), pair(0x03, b"Example\x1b CA")].concat();
        assert_eq!(name(&both).as_deref(), Some("Example\u{fffd} CA"));
        let whole = [vec![SEQUENCE, u8::try_from(both.len()).unwrap()], both.clone()].concat();
        assert_eq!(name(&whole), name(&both));
        assert_eq!(name(&pair(0x0a, b"Org")).as_deref(), Some("Org"));
        for broken in [&both[..both.len() - 1], &[], &[SET, 0x84, 0xff], &[SET, 0x82, 1]] {
            // Whatever it gives, it ends.
            name(broken);
        }
        assert_eq!(name(&[]), None);
    }
}
