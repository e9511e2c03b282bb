//! A small web server for a published folder, for trials: ETags and 304 as any web server gives them.

use crate::documents::Sub;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

/// Serves `folder` until the program ends.
///
/// # Errors
/// Of the listener.
pub async fn serve(folder: PathBuf, listener: tokio::net::TcpListener) -> std::io::Result<()> {
    let routes = Router::new().route("/v1/keys/{name}", get(document)).with_state(Arc::new(folder));
    axum::serve(listener, routes).await
}

async fn document(
    State(folder): State<Arc<PathBuf>>,
    Path(name): Path<String>,
    asked: HeaderMap,
) -> Response {
    // Only names of documents are served, so that no path leads out of the folder.
    let Some(Ok(_)) = name.strip_suffix(".jws").map(str::parse::<Sub>) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let path = folder.join("v1/keys").join(&name);
    let (Ok(about), Ok(body)) = (std::fs::metadata(&path), std::fs::read(&path)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let etag = format!("\"{:x}-{:x}\"", about.mtime(), about.size());
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    if known {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    ([(header::ETAG, etag), (header::CONTENT_TYPE, "application/jose".to_owned())], body).into_response()
}
