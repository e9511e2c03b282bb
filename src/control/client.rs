//! The command line's side of the sockets.

use super::connect::connect;
use super::sockets::SocketKind;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use svm_core::error_chain::Chain;
use svm_core::library_words;
use tokio::net::UnixStream;
use tokio::task::JoinSet;

/// Why the agent gave no good answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It does not run, or not for us.
    #[error("cannot reach the agent at {path}: {problem}")]
    Unreachable {
        path: String,
        /// Why, and the way out.
        problem: String,
    },
    #[error("{message}")]
    Refused { status: u16, code: String, message: String },
    /// Its answer makes no sense.
    #[error("the agent's answer cannot be read: {0}")]
    Answer(String),
}

impl AskError {
    pub fn code(&self) -> &str {
        match self {
            Self::Unreachable { .. } => "agent_unreachable",
            Self::Refused { code, .. } => code,
            Self::Answer(_) => "bad_answer",
        }
    }
}

/// So long the agent may take for an answer.
pub const TIMEOUT: Duration = Duration::from_secs(120);

/// How long a request waits for its turn at the socket.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A thousand events are far less.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Asks the agent through one of its sockets.
///
/// # Errors
/// [`AskError`].
pub async fn ask<T: DeserializeOwned>(
    runtime_dir: &Path,
    socket: SocketKind,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<T, AskError> {
    ask_within(runtime_dir, socket, method, path, body, TIMEOUT).await
}

/// The same, with another patience than the usual.
///
/// # Errors
/// As above.
pub async fn ask_within<T: DeserializeOwned>(
    runtime_dir: &Path,
    socket: SocketKind,
    method: Method,
    path: &str,
    body: Option<&Value>,
    timeout: Duration,
) -> Result<T, AskError> {
    let file = runtime_dir.join(socket.file_name());
    let unreachable = |problem: String| AskError::Unreachable { path: file.display().to_string(), problem };
    let asked = async {
        let within = CONNECT_TIMEOUT.min(timeout);
        // Nobody can crowd those out who may open the other socket, which answers the same questions.
        let control = runtime_dir.join(SocketKind::Control.file_name());
        let stream = match socket {
            SocketKind::Query => match connect(&control, within).await {
                Ok(stream) => Ok(stream),
                Err(_) => connect(&file, within).await,
            },
            SocketKind::Control => connect(&file, within).await,
        };
        let stream = stream.map_err(|error| {
            unreachable(match error.kind() {
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                    "the agent is not running; see systemctl status svm-agent".to_owned()
                }
                ErrorKind::PermissionDenied => {
                    "permission denied; run the command as root or a member of the group svm-agent".to_owned()
                }
                _ => library_words::io(&error),
            })
        })?;
        exchange(stream, method, path, body).await.map_err(unreachable)
    };
    let in_time = tokio::time::timeout(timeout, asked).await;
    let (status, text) = in_time.unwrap_or_else(|_| {
        Err(unreachable(format!("it did not answer within the time limit of {} s", timeout.as_secs())))
    })?;
    if status.is_success() {
        return serde_json::from_slice(&text).map_err(|e| AskError::Answer(library_words::json(&e)));
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

/// One request and its answer; why there is none.
async fn exchange(
    stream: UnixStream,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<(StatusCode, Bytes), String> {
    // As it is: the caller encoded the names in it, and `..` is a name like others here.
    let target = format!("/{path}");
    let mut request = Request::builder().method(method).uri(target).header(header::HOST, "svm-agent");
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = request
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| "the name in the command cannot stand in a request".to_owned())?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|e| Chain(&e).to_string())?;
    // Ends with this.
    let mut work = JoinSet::new();
    work.spawn(connection);
    let answer = sender.send_request(request).await.map_err(|e| Chain(&e).to_string())?;
    let status = answer.status();
    let text = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
    Ok((status, text.map_err(|_| "its answer is cut off or too large".to_owned())?.to_bytes()))
}
