//! Lines as entries of systemd's journal, by its native protocol: `systemd.journal-fields(7)`, and
//! <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.
//!
//! Promises: a caller waits for the journal at most [`SEND_TIMEOUT`] once, and then not at all until the journal accepts
//! entries again; lines that it does not accept are counted. If there is no journal, a line goes to standard error.

use crate::logging::level::LogLevel;
use crate::text::one_line;
use std::fmt::{Debug, Write as _};
use std::io::{ErrorKind, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The socket of the journal.
const SOCKET: &str = "/run/systemd/journal/socket";
/// A burst is faster than the journal.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);
/// A value is cut here: an entry of all fields fits into one datagram.
const LONGEST: usize = 8 * 1024;

/// Entries of one program.
pub(super) struct Journal {
    socket: UnixDatagram,
    program: &'static str,
    path: &'static Path,
    /// It did not take the last one in time.
    stuck: AtomicBool,
    lost: AtomicU64,
}

impl Journal {
    pub(super) fn new(program: &'static str) -> std::io::Result<Self> {
        Self::at(program, Path::new(SOCKET))
    }

    fn at(program: &'static str, path: &'static Path) -> std::io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(SEND_TIMEOUT))?;
        Ok(Self { socket, program, path, stuck: AtomicBool::new(false), lost: AtomicU64::new(0) })
    }

    fn send(&self, entry: &[u8], line: &str, priority: u8) {
        let sent = self.socket.send_to(entry, self.path);
        match sent.map_err(|error| error.kind()) {
            Ok(_) => {
                self.lost.store(0, Relaxed);
                if self.stuck.swap(false, Relaxed) {
                    self.socket.set_nonblocking(false).ok();
                }
            }
            // Standard error leads to the same journal.
            Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                self.lost.fetch_add(1, Relaxed);
                if !self.stuck.swap(true, Relaxed) {
                    self.socket.set_nonblocking(true).ok();
                }
            }
            // systemd takes the level from the number before a line.
            Err(_) => drop(writeln!(std::io::stderr(), "<{priority}>{line}")),
        }
    }
}

/// What names a kind of line in the journal: 128 bits that follow from program and name, so they stay as long as it does.
pub fn message_id(program: &str, event: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("{program} {event}").as_bytes());
    let mut bits = [0_u8; 16];
    bits.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    // Version and variant of a UUID whose bits are a program's own (RFC 9562, section 5.8).
    uuid::Builder::from_custom_bytes(bits).into_uuid().simple().to_string()
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let priority = match LogLevel::of(*event.metadata().level()) {
            Some(LogLevel::Error) => 3,
            Some(LogLevel::Warn) => 4,
            Some(LogLevel::Info) => 6,
            Some(LogLevel::Debug) | None => 7,
        };
        let mut entry = Entry::default();
        event.record(&mut entry);
        entry.put("PRIORITY", &priority.to_string());
        entry.put("SYSLOG_IDENTIFIER", self.program);
        if !entry.event.is_empty() {
            let id = message_id(self.program, &entry.event);
            entry.put("MESSAGE_ID", &id);
        }
        let lost = self.lost.load(Relaxed);
        if lost > 0 {
            entry.put("SVM_LINES_LOST", &lost.to_string());
        }
        let message = std::mem::take(&mut entry.message);
        entry.put("MESSAGE", &message);
        self.send(&entry.bytes, &one_line(&message), priority);
    }
}

#[derive(Default)]
struct Entry {
    bytes: Vec<u8>,
    message: String,
    event: String,
}

impl Entry {
    fn put(&mut self, name: &str, value: &str) {
        let value = value.get(..value.floor_char_boundary(LONGEST)).unwrap_or(value);
        let value = one_line(value);
        self.bytes.extend(name.as_bytes());
        self.bytes.push(b'=');
        self.bytes.extend(value.as_bytes());
        self.bytes.push(b'\n');
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            name => {
                if name == "event" {
                    self.event.push_str(value);
                }
                self.put(&format!("SVM_{}", name.to_ascii_uppercase()), value);
            }
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // Writing into a text cannot fail.
        write!(text, "{value:?}").ok();
        self.record_str(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    fn entries_of(what: impl FnOnce()) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path: &'static Path = Box::leak(folder.path().join("socket").into_boxed_path());
        let journal = UnixDatagram::bind(path).unwrap();
        journal.set_nonblocking(true).unwrap();
        let subscriber = tracing_subscriber::registry().with(Journal::at("svm-agent", path).unwrap());
        tracing::subscriber::with_default(subscriber, what);
        let mut entries = Vec::new();
        let mut buffer = vec![0; 300_000];
        while let Ok(size) = journal.recv(&mut buffer) {
            entries.push(String::from_utf8_lossy(&buffer[..size]).into_owned());
        }
        entries
    }

    #[test]
    fn an_entry_has_the_sentence_the_level_the_id_and_each_field() {
        let entries = entries_of(|| {
            let absent: Option<&str> = None;
            tracing::warn!(event = "delivery.fails", code = "http_500", times = 3, absent, "delivery fails");
        });
        assert_eq!(
            entries,
            [format!(
                "SVM_EVENT=delivery.fails\nSVM_CODE=http_500\nSVM_TIMES=3\nPRIORITY=4\nSYSLOG_IDENTIFIER=svm-agent\n\
                 MESSAGE_ID={}\nMESSAGE=delivery fails\n",
                message_id("svm-agent", "delivery.fails")
            )]
        );
    }

    #[test]
    fn a_value_of_several_lines_forges_no_field_and_a_long_one_is_cut() {
        let entries = entries_of(|| {
            tracing::info!(answer = "a\nMESSAGE_ID=0\u{1b}[31m", "x");
            tracing::info!(answer = "é".repeat(200_000), "y");
        });
        assert!(
            entries[0].starts_with("SVM_ANSWER=a; MESSAGE_ID=0\u{fffd}[31m\nPRIORITY=6\n"),
            "{entries:?}"
        );
        assert!(entries[1].len() < LONGEST + 200 && entries[1].ends_with("MESSAGE=y\n"));
    }

    #[test]
    fn a_journal_that_accepts_nothing_delays_no_caller_and_gets_the_count_later() {
        let folder = tempfile::tempdir().unwrap();
        let path: &'static Path = Box::leak(folder.path().join("socket").into_boxed_path());
        let journal = UnixDatagram::bind(path).unwrap();
        let layer = Journal::at("svm-agent", path).unwrap();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            // Far more than its queue takes: each wait of SEND_TIMEOUT would make this minutes.
            for n in 0..20_000 {
                tracing::info!(n, "x");
            }
            let mut buffer = vec![0; 4096];
            journal.set_nonblocking(true).unwrap();
            while journal.recv(&mut buffer).is_ok() {}
            tracing::info!("after");
            let size = journal.recv(&mut buffer).unwrap();
            let entry = String::from_utf8_lossy(&buffer[..size]).into_owned();
            assert!(entry.contains("SVM_LINES_LOST=") && entry.ends_with("MESSAGE=after\n"), "{entry}");
        });
    }

    #[test]
    fn an_id_stays_and_is_a_uuid() {
        assert_eq!(message_id("svm-agent", "agent.ready").len(), 32);
        assert_ne!(message_id("svm-agent", "agent.ready"), message_id("svm-collector", "agent.ready"));
        assert_eq!(message_id("svm-agent", "agent.ready").as_bytes()[12], b'8');
    }
}
