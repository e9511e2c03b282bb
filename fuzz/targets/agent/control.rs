//! What the agent's sockets are sent, permit files, gates, and what else lies where others may write.

use super::bytes::{Bytes, text};
use crate::config::{Upstream, service_name};
use crate::control::commands::Devices;
use crate::control::events::{Retry, listing};
use crate::control::fault::Fault;
use crate::control::keys::AddKey;
use crate::control::permits::Take;
use crate::control::request::parse;
use crate::control::status::until;
use crate::gates::{drop_ins, rules};
use crate::permits::permit_file::PermitFile;
use svm_core::events::TypePattern;
use svm_core::subscription::Resource;

/// Never with what was sent, which may be a code.
fn reported(fault: Option<Fault>) {
    if let Some(Fault { status, code, message, .. }) = fault {
        assert!(status.is_client_error() && !code.is_empty() && message.len() < 400);
    }
}

pub(super) fn control(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let what = bytes.byte() % 7;
    let rest = bytes.rest();
    let text = text(rest);
    match what {
        0 => {
            reported(parse::<AddKey>(rest).err());
            reported(parse::<Devices>(rest).err());
            reported(parse::<Retry>(rest).err());
            reported(parse::<Take>(rest).err());
        }
        1 => {
            let listing = listing(&text);
            assert!(listing.as_ref().is_ok_and(|(l, _)| (1..=1000).contains(&l.most)) || listing.is_err());
            reported(listing.err());
            reported(until(&text).err());
        }
        2 => {
            if let Ok(permit) = PermitFile::parse(&text, Resource::Ksn) {
                let again = PermitFile::parse(&serde_json::to_string(&permit).unwrap(), Resource::Ksn);
                assert_eq!(again.unwrap(), permit);
                permit.decide_now(&svm_core::clock::Clock::system());
            }
        }
        3 => {
            if let Some(gate) = drop_ins::gate("a.service", &text) {
                assert!(drop_ins::is_marked(&text));
                assert_eq!(drop_ins::gate("a.service", &drop_ins::drop_in(&gate)), Some(gate));
            }
        }
        4 => {
            if rules::name(&text).is_ok() {
                assert!(service_name(&text).is_ok() && text.len() <= drop_ins::LONGEST_NAME);
                let rule = drop_ins::rule(&text);
                assert_eq!(rule.matches("polkit.Result").count(), 1);
                assert!(!text.chars().any(|c| c.is_control() || c.is_whitespace()));
            }
            drop_ins::ruled_unit(&text);
            let services: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
            rules::nearest(text.lines().next().unwrap_or_default(), &services);
        }
        5 => {
            if let Ok(upstream) = text.parse::<Upstream>() {
                assert_eq!(upstream.to_string().parse(), Ok(upstream));
            }
        }
        _ => {
            let lines: Vec<&str> = text.lines().collect();
            if let Some((kind, patterns)) = lines.split_first() {
                let patterns = patterns.iter().filter_map(|p| p.parse::<TypePattern>().ok());
                assert!(patterns.filter(|pattern| pattern.matches(kind)).count() <= lines.len());
            }
        }
    }
}
