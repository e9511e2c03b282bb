//! `serve`: the small web server on the command line.

use super::{output, report::Report};
use crate::{UsageError, VendorError, serve};
use serde_json::json;
use std::{io, net::SocketAddr, path::Path};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// Serves a published folder until SIGINT or SIGTERM.
pub(super) fn serve(
    dir: &Path,
    listen: SocketAddr,
    public: bool,
    as_json: bool,
) -> Result<Report, VendorError> {
    if !listen.ip().is_loopback() && !public {
        return Err(UsageError::Public { listen }.into());
    }
    if !dir.is_dir() {
        let source = io::Error::from(io::ErrorKind::NotADirectory);
        return Err(VendorError::Io { verb: "serve", path: dir.to_owned(), source });
    }
    let failed = |source| VendorError::Io { verb: "listen at", path: listen.to_string().into(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let at = listener.local_addr().map_err(failed)?;
        let (mut terminate, mut interrupt) = (
            signal(SignalKind::terminate()).map_err(failed)?,
            signal(SignalKind::interrupt()).map_err(failed)?,
        );
        announce(dir, at, as_json);
        let end = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let log = |answered: &serve::Answered| drop(output::lines(&mut io::stderr(), &answered.to_string()));
        serve::serve_until(dir.to_owned(), listener, log, end).await.map_err(failed)
    })?;
    Ok(Report::default())
}

/// Says where it is before the first request. It serves also if this cannot be printed.
fn announce(dir: &Path, at: SocketAddr, as_json: bool) {
    if as_json {
        let address = json!({"url": format!("http://{at}"), "folder": dir.to_string_lossy()});
        output::json(&mut io::stdout(), &address.to_string()).ok();
        return;
    }
    let address = format!(
        "svm-vendor: serving {} at http://{at}; set this address as source.url of an agent.\n\
         svm-vendor: for trials only: plain HTTP, no limits. Press Ctrl-C to stop.",
        dir.display()
    );
    output::lines(&mut io::stderr(), &address).ok();
    if !dir.join("v1/keys").is_dir() {
        let nothing = "svm-vendor: nothing is published there yet: run `svm-vendor publish`";
        output::lines(&mut io::stderr(), nothing).ok();
    }
}
