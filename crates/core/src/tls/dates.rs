//! The dates of a certificate.

use crate::secrets::Plain;
use crate::tls::unusable;
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, UnixTime};
use std::time::Duration;

/// When a certificate ends.
pub(super) fn ends_at(certificate: &CertificateDer<'_>) -> Result<Timestamp, Plain> {
    let unusable = |error: webpki::Error| unusable::x509(&error);
    let certificate = webpki::EndEntityCert::try_from(certificate).map_err(unusable)?;
    let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let client = webpki::KeyUsage::client_auth();
    match certificate.verify_for_usage(&[], &[], &[], end_of_time, client, None, None) {
        Err(webpki::Error::CertExpired { not_after, .. }) => {
            let seconds = i64::try_from(not_after.as_secs()).unwrap_or(i64::MAX);
            Ok(Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX))
        }
        Err(error) => Err(unusable(error)),
        Ok(_) => Ok(Timestamp::MAX),
    }
}
