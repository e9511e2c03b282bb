//! Why TLS was refused, in sentences with the way out. Nothing of a library's text is in them.

use crate::text::clean_start;
use crate::tls::chain::Untrusted;
use jiff::Timestamp;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, Error, OtherError};

/// Names of a certificate that are listed; more are counted.
const MAX_NAMES: usize = 4;

/// A sentence with the way out: one line of at most 600 characters, whatever the peer's certificate holds.
pub fn explain(error: &Error) -> String {
    let sentence = match error {
        Error::InvalidCertificate(problem) => certificate(problem),
        other => handshake(other).to_owned(),
    };
    clean_start(&sentence, 600)
}

fn certificate(problem: &CertificateError) -> String {
    use CertificateError as E;
    match problem {
        E::ExpiredContext { time, not_after } => format!(
            "the server's certificate, or one above it, expired on {}, and this machine's time is {}; renew it on the server, or correct this machine's clock",
            instant(*not_after),
            instant(*time)
        ),
        E::NotValidYetContext { time, not_before } => format!(
            "the server's certificate is not valid yet: it is valid from {} on, and this machine's time is {}; correct the clock that is wrong",
            instant(*not_before),
            instant(*time)
        ),
        E::NotValidForNameContext { expected, presented } => wrong_name(expected, presented),
        E::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => format!(
            "the server's certificate, or one above it, is signed with {}, which is not accepted; have it issued again with SHA-256",
            algorithm(signature_algorithm_id)
        ),
        E::Other(OtherError(other)) => match (other.downcast_ref::<Untrusted>(), other.downcast_ref()) {
            (Some(untrusted), _) => untrusted.to_string(),
            (None, Some(problem)) => verifier(problem).to_owned(),
            (None, None) => UNUSABLE.to_owned(),
        },
        other => plain(other).to_owned(),
    }
}

const UNUSABLE: &str = "the server's certificate cannot be used; replace it on the server";

/// Problems of a certificate without more to say.
fn plain(problem: &CertificateError) -> &'static str {
    use CertificateError as E;
    match problem {
        E::BadEncoding => "the server's certificate is damaged; replace it on the server",
        E::Expired => {
            "the server's certificate expired; renew it on the server, or correct this machine's clock"
        }
        E::NotValidYet => "the server's certificate is not valid yet; correct the clock that is wrong",
        E::Revoked => "the server's certificate was revoked; replace it on the server",
        E::UnhandledCriticalExtension => {
            "the server's certificate has a critical extension that is not supported; have it issued without it"
        }
        E::UnknownIssuer => {
            "nobody who is trusted here issued the server's certificate; name its authority in `ca_file`"
        }
        E::UnknownRevocationStatus => {
            "nothing says whether the server's certificate was revoked; replace it on the server"
        }
        E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => {
            "the list of revoked certificates is out of date; its authority must publish a new one"
        }
        E::BadSignature => {
            "the signature of the server's certificate does not match the authority of that name, or its key is an RSA key of less than 2048 bits; check that `ca_file` holds the current certificate of the authority, or have the server's certificate issued again"
        }
        E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the server's certificate, or one above it, has a key and a signature that are not accepted together (such as P-521); have it issued again with ECDSA P-256 or RSA of 2048 bits and SHA-256"
        }
        E::NotValidForName => {
            "the server's certificate is for another name; use a name that it contains, or have it issued for this one"
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            "the server's certificate, or one above it, is not for servers; have it issued with the extended key usage serverAuth"
        }
        E::InvalidOcspResponse => {
            "the server adds a status of its certificate (OCSP) that cannot be used; correct the server's settings"
        }
        _ => UNUSABLE,
    }
}

/// Problems that only the verifier of chains names.
fn verifier(problem: &webpki::Error) -> &'static str {
    use webpki::Error as E;
    match problem {
        E::CaUsedAsEndEntity => {
            "the server shows the certificate of an authority; put exactly this certificate into `ca_file`, or have one issued for the server"
        }
        E::EndEntityUsedAsCa => {
            "a certificate between the server's and its authority may not issue others; correct the chain on the server"
        }
        E::NameConstraintViolation => {
            "the authority of the server's certificate may not issue for this name; have it issued by another authority"
        }
        E::PathLenConstraintViolated
        | E::MaximumPathDepthExceeded
        | E::MaximumPathBuildCallsExceeded
        | E::MaximumSignatureChecksExceeded
        | E::MaximumNameConstraintComparisonsExceeded => {
            "the server sends too long a chain of certificates; correct the chain on the server"
        }
        E::UnsupportedCertVersion => {
            "the server's certificate is X.509 version 1; have it issued again as version 3, with subjectAltName"
        }
        E::SignatureAlgorithmMismatch => {
            "the server's certificate names two different signature algorithms; have it issued again"
        }
        E::CertDistrusted => "the server's certificate is distrusted; replace it on the server",
        E::EmptyEkuExtension => {
            "the server's certificate has an empty extended key usage; have it issued again with serverAuth"
        }
        E::InvalidSerialNumber => "the server's certificate has a wrong serial number; have it issued again",
        E::UnsupportedNameType => {
            "the server's certificate has a kind of name that is not supported; have it issued with DNS names or IP addresses"
        }
        E::ExtensionValueInvalid
        | E::InvalidNetworkMaskConstraint
        | E::MalformedDnsIdentifier
        | E::MalformedExtensions
        | E::MalformedNameConstraint => {
            "the server's certificate has a damaged extension; have it issued again"
        }
        _ => UNUSABLE,
    }
}

fn handshake(error: &Error) -> &'static str {
    match error {
        Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
                "the server requires a client certificate; set `certificate_file` and `key_file`"
            }
            AlertDescription::CertificateExpired => {
                "the server reports that this machine's client certificate expired; renew it"
            }
            AlertDescription::CertificateRevoked => {
                "the server reports that this machine's client certificate was revoked; replace it"
            }
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError => {
                "the server does not accept this machine's client certificate; name one that it trusts in `certificate_file`"
            }
            AlertDescription::ProtocolVersion => {
                "the server supports neither TLS 1.2 nor TLS 1.3; upgrade the server"
            }
            AlertDescription::HandshakeFailure => {
                "the server ended the handshake; it may require a client certificate (`certificate_file`), or has no cipher in common"
            }
            AlertDescription::UnrecognisedName => {
                "the server does not know the name in the address; correct the host"
            }
            _ => "the server ended the handshake; its log says why",
        },
        Error::InvalidMessage(_) | Error::PeerSentOversizedRecord => {
            "what answers does not speak TLS; check the port, or use an address without TLS"
        }
        Error::PeerIncompatible(_) => {
            "the server and this machine have no TLS version or cipher in common; the server must offer TLS 1.2 or 1.3"
        }
        Error::PeerMisbehaved(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. } => {
            "the server breaks the rules of TLS; check whether a proxy changes the traffic"
        }
        Error::NoCertificatesPresented => "the server shows no certificate; correct the server's settings",
        Error::NoApplicationProtocol => "the server does not offer HTTP/1.1; correct the server's settings",
        Error::DecryptError => "the data was damaged on the way",
        Error::FailedToGetCurrentTime => "this machine's time cannot be read",
        Error::FailedToGetRandomBytes => "this machine gives no random numbers",
        _ => "no TLS connection could be made",
    }
}

fn instant(at: UnixTime) -> String {
    let seconds = i64::try_from(at.as_secs()).ok();
    let at = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::MAX);
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A name that a certificate presents, such as `DnsName("h")`, as people write it.
fn bare(presented: &str) -> &str {
    let inner = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}

fn wrong_name(expected: &ServerName<'_>, presented: &[String]) -> String {
    let expected = expected.to_str();
    let names: Vec<String> =
        presented.iter().take(MAX_NAMES).map(|name| clean_start(bare(name), 60)).collect();
    let more = match presented.len().saturating_sub(MAX_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match names.as_slice() {
        [] => format!(
            "the server's certificate has no names (no subjectAltName); have it issued for the name \"{expected}\""
        ),
        names => format!(
            "the server's certificate is for another name: it is for {}{more}, and the address has {expected}; use a name of the certificate in the address, or have it issued for {expected}",
            names.join(", ")
        ),
    }
}

/// The name of a signature algorithm that is not accepted, by its identifier in DER (RFC 5280, section 4.1.1.2).
fn algorithm(id: &[u8]) -> &'static str {
    const KNOWN: [(&[u8], &str); 9] = [
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", "SHA-1 (RSA)"),
        (b"\x2a\x86\x48\xce\x3d\x04\x01", "SHA-1 (ECDSA)"),
        (b"\x2a\x86\x48\xce\x38\x04\x03", "SHA-1 (DSA)"),
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", "MD5"),
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02", "MD2"),
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e", "SHA-224"),
        (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", "SHA-512 (ECDSA)"),
        (b"\x2b\x65\x71", "Ed448"),
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", "RSA-PSS with other parameters"),
    ];
    let has = |part: &[u8]| id.windows(part.len()).any(|window| window == part);
    KNOWN.iter().find(|(oid, _)| has(oid)).map_or("an algorithm that is unknown here", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    /// Words of the libraries behind TLS that nobody is to read.
    const LIBRARY: [&str; 12] = [
        "invalid peer certificate",
        "BadSignature",
        "UnknownIssuer",
        "Other(",
        "OtherError",
        "DnsName(",
        "IpAddress(",
        "Context",
        "received fatal alert",
        "UnixTime",
        "Unsupported",
        "[48",
    ];

    fn of_certificates() -> Vec<CertificateError> {
        use CertificateError as E;
        let (time, then) = (UnixTime::now(), UnixTime::since_unix_epoch(Duration::from_secs(1_600_000_000)));
        let expected: ServerName<'static> = "svm.example".try_into().unwrap();
        let names = |count: usize| (0..count).map(|n| format!("DnsName(\"h{n}.example\")")).collect();
        let webpki = |error: webpki::Error| E::Other(OtherError(Arc::new(error)));
        vec![
            E::BadEncoding,
            E::Expired,
            E::ExpiredContext { time, not_after: then },
            E::NotValidYet,
            E::NotValidYetContext { time: then, not_before: time },
            E::Revoked,
            E::UnhandledCriticalExtension,
            E::UnknownIssuer,
            E::UnknownRevocationStatus,
            E::ExpiredRevocationList,
            E::ExpiredRevocationListContext { time, next_update: then },
            E::BadSignature,
            E::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00".to_vec(),
                supported_algorithms: vec![],
            },
            E::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: vec![48],
                public_key_algorithm_id: vec![48],
            },
            E::NotValidForName,
            E::NotValidForNameContext { expected: expected.clone(), presented: vec![] },
            E::NotValidForNameContext { expected: expected.clone(), presented: names(1) },
            E::NotValidForNameContext { expected, presented: names(40) },
            E::InvalidPurpose,
            E::InvalidOcspResponse,
            E::ApplicationVerificationFailure,
            webpki(webpki::Error::CaUsedAsEndEntity),
            webpki(webpki::Error::EndEntityUsedAsCa),
            webpki(webpki::Error::NameConstraintViolation),
            webpki(webpki::Error::UnsupportedCertVersion),
            webpki(webpki::Error::MalformedExtensions),
            webpki(webpki::Error::PathLenConstraintViolated),
            webpki(webpki::Error::SignatureAlgorithmMismatch),
        ]
    }

    #[test]
    fn every_refusal_of_a_certificate_is_a_sentence_with_a_way_out() {
        for problem in of_certificates() {
            let shown = explain(&problem.clone().into());
            let alien = LIBRARY.iter().find(|word| shown.contains(*word));
            assert_eq!(alien, None, "{problem:?}: {shown}");
            assert!(shown.contains("; ") && shown.chars().count() <= 601 && !shown.contains('\n'), "{shown}");
        }
        for error in [
            Error::AlertReceived(AlertDescription::UnknownCA),
            Error::AlertReceived(AlertDescription::InternalError),
            Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
            Error::PeerIncompatible(rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13),
            Error::NoCertificatesPresented,
            Error::General("planted".to_owned()),
        ] {
            let shown = explain(&error);
            let alien = LIBRARY.iter().find(|word| shown.contains(*word));
            assert!(alien.is_none() && !shown.contains("planted"), "{error:?}: {shown}");
        }
    }

    #[test]
    fn dates_and_names_are_in_the_sentence() {
        let shown: Vec<String> =
            of_certificates().into_iter().map(|problem| explain(&problem.into())).collect();
        let has = |part: &str| shown.iter().any(|sentence| sentence.contains(part));
        assert!(has("expired on 2020-09-13 12:26 UTC"));
        assert!(has("is signed with SHA-1 (RSA)"));
        assert!(has("it is for h0.example, and the address has svm.example"));
        assert!(has("h3.example and 36 more"));
    }
}
