//! What systemd, its journal and the kernel tell.

use super::bytes::{Bytes, text};
use crate::gates::drop_ins::{Asks, Gate};
use crate::gates::protection::Relations;
use crate::gates::{listening, rules};
use crate::systemd::systemctl::{parse_last_run, parse_run_end, plain_lines, read};
use svm_core::subscription::Resource;

pub(super) fn systemd(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let what = bytes.byte() % 3;
    let text = text(bytes.rest());
    match what {
        0 => {
            let run = std::path::Path::new("/run/svm-agent");
            let asks = Asks::Gate { runtime_dir: run.into() };
            let gate = Gate { unit: "a.service".to_owned(), resource: Resource::Ksn, ksn_only: true, asks };
            Relations::default().add(read(&text));
            for unit in read(&text) {
                unit.runs();
                let names = unit.words("Names");
                if rules::check(&unit, true, &["p.service".to_owned()]).is_ok() {
                    assert!(!names.contains(&"p.service".to_owned()) && unit.id != "p.service");
                    let own = ["svm-agent.service", "svm-agent-update.service", "svm-collector.service"]
                        .contains(&unit.id.as_str())
                        || unit.id.starts_with("svm-agent-action@");
                    assert!(!own && unit.id.ends_with(".service"));
                }
                rules::no_sockets(&unit).ok();
                rules::in_force(&gate, run, &unit).ok();
            }
        }
        1 => {
            parse_run_end(&text);
            assert!(parse_last_run(&text, 0).is_none_or(|id| id.len() == 32));
            let lines = plain_lines(&text, 20);
            assert!(lines.len() <= 20);
            assert!(
                lines.iter().all(
                    |line| line.chars().count() <= 301 && !line.chars().any(svm_core::text::is_deceptive)
                )
            );
        }
        _ => {
            for (_, socket) in listening::rows(&text, "0A") {
                assert!(!socket.ip().to_canonical().is_loopback());
            }
        }
    }
}
