//! The command line's side of the sockets.

use super::Door;
use crate::http::Failure;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// Why the agent gave no good answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It does not run, or not for us.
    #[error("cannot reach the agent at {path}: {problem}")]
    Unreachable {
        /// The socket.
        path: String,
        /// Why, and the way out.
        problem: String,
    },
    /// It refused.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its code.
        code: String,
        /// Its sentence.
        message: String,
    },
    /// Its answer makes no sense.
    #[error("the agent's answer cannot be read: {0}")]
    Answer(String),
}

impl AskError {
    /// A short name.
    pub fn code(&self) -> &str {
        match self {
            Self::Unreachable { .. } => "agent_unreachable",
            Self::Refused { code, .. } => code,
            Self::Answer(_) => "bad_answer",
        }
    }
}

/// So long the agent may take for an answer.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Asks the agent through one of its sockets.
///
/// # Errors
/// [`AskError`].
pub async fn ask<T: DeserializeOwned>(
    runtime_dir: &Path,
    door: Door,
    method: reqwest::Method,
    path: &str,
    body: Option<&Value>,
) -> Result<T, AskError> {
    ask_within(runtime_dir, door, method, path, body, PATIENCE).await
}

/// The same, with another patience than the usual.
///
/// # Errors
/// As above.
pub async fn ask_within<T: DeserializeOwned>(
    runtime_dir: &Path,
    door: Door,
    method: reqwest::Method,
    path: &str,
    body: Option<&Value>,
    patience: Duration,
) -> Result<T, AskError> {
    let socket = runtime_dir.join(door.file_name());
    let unreachable = |problem: String| AskError::Unreachable { path: socket.display().to_string(), problem };
    // The client's own errors do not say this as well.
    if let Err(error) = std::os::unix::net::UnixStream::connect(&socket) {
        return Err(unreachable(match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
                "it does not run; see systemctl status svm-agent".to_owned()
            }
            std::io::ErrorKind::PermissionDenied => {
                "permission denied; root and members of the group svm-agent may do this".to_owned()
            }
            _ => error.to_string(),
        }));
    }
    let client = reqwest::Client::builder()
        .unix_socket(socket.as_path())
        .no_proxy()
        // Else all certificates of the system are read, for a connection that has no TLS.
        .tls_certs_only([])
        .timeout(patience)
        .build()
        .map_err(|e| unreachable(e.to_string()))?;
    let mut request = client.request(method, format!("http://svm-agent/{path}"));
    if let Some(body) = body {
        request = request.header(reqwest::header::CONTENT_TYPE, "application/json").body(body.to_string());
    }
    let answer = request.send().await.map_err(|e| unreachable(Failure::of(&e).to_string()))?;
    let status = answer.status();
    let text =
        crate::http::body(answer, 16 * 1024 * 1024).await.map_err(|e| AskError::Answer(e.to_string()))?;
    if status.is_success() {
        return serde_json::from_slice(&text).map_err(|e| AskError::Answer(e.to_string()));
    }
    let value: Value = serde_json::from_slice(&text).unwrap_or_default();
    let field =
        |name: &str| value.pointer(&format!("/error/{name}")).and_then(Value::as_str).map(str::to_owned);
    Err(AskError::Refused {
        status: status.as_u16(),
        code: field("code").unwrap_or_else(|| "error".to_owned()),
        message: field("message").unwrap_or_else(|| format!("the agent answers {status}")),
    })
}
