//! A small web server for a published folder, for trials: plain HTTP, ETags and 304 as any web server gives them.
//!
//! Promises: nothing but documents, `v1/keys/<sub>.jws`, is served; no path and no link leads out of the folder;
//! no folder is listed. Each request is reported to a log function, without the `sub` in full.

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::{
    fmt, fs, io,
    net::SocketAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use svm_core::documents::{MAX_DOCUMENT_BYTES, Sub};
use svm_core::files::read_stream_bounded;

/// One request, answered. Its `Display` is a line for a log.
#[derive(Debug)]
pub struct Answered {
    from: SocketAddr,
    method: Method,
    /// Cut: who knows the name of a document can fetch it.
    path: String,
    status: StatusCode,
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, method, path, status } = self;
        let method: String = method.as_str().escape_debug().take(16).collect();
        write!(f, "{from} {method} {path} {}", status.as_u16())
    }
}

/// What is done with each request that was answered.
pub type Log = fn(&Answered);

/// Serves `folder` until the program ends.
///
/// # Errors
/// Of the listener.
pub async fn serve(folder: PathBuf, listener: tokio::net::TcpListener) -> io::Result<()> {
    serve_until(folder, listener, |_| {}, std::future::pending()).await
}

/// Serves `folder` until `end`, and tells each request to `log`.
///
/// # Errors
/// Of the listener.
pub async fn serve_until(
    folder: PathBuf,
    listener: tokio::net::TcpListener,
    log: Log,
    end: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let routes = Router::new()
        .route("/v1/keys/{name}", get(document))
        .fallback(async || nothing())
        .with_state(Arc::new(folder))
        .layer(from_fn_with_state(log, log_request));
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(end).await
}

async fn log_request(
    State(log): State<Log>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let (method, path) = (request.method().clone(), shown(request.uri().path()));
    let response = next.run(request).await;
    log(&Answered { from, method, path, status: response.status() });
    response
}

/// A path for a log: of each part the first 8 characters, which are enough to find a file by.
fn shown(path: &str) -> String {
    let cut = |part: &str| {
        let short: String = part.chars().take(8).flat_map(char::escape_debug).collect();
        if part.chars().count() > 8 { short + "..." } else { short }
    };
    path.split('/').take(8).map(cut).collect::<Vec<_>>().join("/")
}

fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "there is no document here\n").into_response()
}

async fn document(State(folder): State<Arc<PathBuf>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    // Only names of documents are served, so that no path leads out of the folder.
    let name = head.uri.path().rsplit('/').next().unwrap_or_default();
    let Some(Ok(sub)) = name.strip_suffix(".jws").map(str::parse::<Sub>) else {
        return nothing();
    };
    let Ok((about, body)) = read(&folder, &svm_core::documents::published_path(&sub)) else {
        return nothing();
    };
    let etag = format!("\"{:x}-{:x}\"", about.mtime(), about.size());
    if is_known(&head.headers, &etag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    let modified = about.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
    let modified = modified
        .and_then(|time| jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok());
    let mut answer =
        ([(header::ETAG, etag), (header::CONTENT_TYPE, "application/jose".to_owned())], body).into_response();
    if let Some(Ok(modified)) = modified.map(TryInto::try_into) {
        answer.headers_mut().insert(header::LAST_MODIFIED, modified);
    }
    answer
}

/// What is published is not larger.
const MAX_SERVED: u64 = MAX_DOCUMENT_BYTES as u64;

/// Reads a file below the folder; a link that leads out of it, and what is no file, is refused.
fn read(folder: &Path, path: &str) -> io::Result<(fs::Metadata, Vec<u8>)> {
    let folder = fs::File::open(folder)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let file = fs::File::from(rustix::fs::openat2(folder, path, flags, Mode::empty(), beneath)?);
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    // What was published is a document each.
    Ok((about, read_stream_bounded(file, MAX_SERVED)?))
}

/// Whether the one who asks has this already (RFC 9110, section 13.1.2: the weak comparison).
fn is_known(asked: &HeaderMap, etag: &str) -> bool {
    let lists = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_no_name_of_a_document_in_full() {
        let sub = "0123456789abcdef".repeat(4);
        assert_eq!(shown(&format!("/v1/keys/{sub}.jws")), "/v1/keys/01234567...");
        assert_eq!(shown("/a\u{1b}b"), "/a\\u{1b}b");
        assert!(shown(&"/x".repeat(1000)).len() < 30);
    }

    #[test]
    fn a_tag_is_known_in_each_of_its_forms() {
        let known = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, value.parse().unwrap());
            is_known(&headers, "\"a-1\"")
        };
        for yes in ["\"a-1\"", "W/\"a-1\"", "\"x\", \"a-1\"", "*"] {
            assert!(known(yes), "{yes}");
        }
        for no in ["a-1", "\"a-2\"", "", "\"a-1"] {
            assert!(!known(no), "{no}");
        }
    }
}
