//! The token file while the collector runs: read again when it changes, or when somebody says so.
//!
//! Promises: a file that is wrong or missing changes nothing but the log, once; what it held before stays known
//! until a good one comes. A change is seen with the next request, though the file is checked
//! no oftener than every 2 s.

use super::tokens::{KnownToken, Tokens, TokensError};
use axum::http::HeaderMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use svm_core::clock::boot_time;
use svm_core::error_chain::Chain;
use svm_core::lock::lock;

/// The file is checked at most this often.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// What changes when a file is written, replaced, or given other rights: inode, size and time of the last change.
type Stamp = (u64, u64, i64, i64);

/// The known tokens and the file they come from.
pub struct TokenFile {
    path: PathBuf,
    held: Mutex<Held>,
}

struct Held {
    tokens: Tokens,
    /// Of the file that was read last, good or wrong; `None` where there was none.
    stamp: Option<Stamp>,
    checked_at: Duration,
}

impl TokenFile {
    /// Reads the file for the first time.
    pub(super) fn open(path: &Path) -> Result<Self, TokensError> {
        // Before it is read: what is written meanwhile has a later stamp, and is read again.
        let stamp = stamp(path);
        let held = Held { tokens: Tokens::read(path)?, stamp, checked_at: boot_time() };
        Ok(Self { path: path.to_owned(), held: Mutex::new(held) })
    }

    /// The token that a request shows, if it is a known one.
    pub(super) fn known(&self, headers: &HeaderMap) -> Option<KnownToken> {
        let mut held = self.held();
        let now = boot_time();
        if now.saturating_sub(held.checked_at) >= CHECK_INTERVAL {
            held.checked_at = now;
            let stamp = stamp(&self.path);
            if stamp != held.stamp {
                self.read(&mut held, stamp);
            }
        }
        held.tokens.known(headers)
    }

    /// Whether the file names a source for a token.
    pub(super) fn names(&self, source: &str) -> bool {
        self.held().tokens.names(source)
    }

    /// Reads the file again, whether it changed or not.
    pub fn reload(&self) {
        let stamp = stamp(&self.path);
        self.read(&mut self.held(), stamp);
    }

    fn read(&self, held: &mut Held, stamp: Option<Stamp>) {
        held.stamp = stamp;
        match Tokens::read(&self.path) {
            Ok(tokens) => {
                held.tokens = tokens;
                tracing::info!(tokens = held.tokens.count(), "reloaded the token file");
            }
            Err(error) => {
                tracing::error!(error = %Chain(&error), "cannot reload the token file; the tokens known before stay valid");
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        lock(&self.held)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.ino(), file.size(), file.ctime(), file.ctime_nsec()))
}
