//! `svm-agent activate` and `svm-agent key`: what makes and takes away keys.

use super::client::{read_bounded, typed};
use super::error::CliError;
use super::format::happened;
use super::output::Out;
use super::paste;
use super::reach::AgentEndpoint;
use crate::control::SocketKind;
use crate::control::client::{TIMEOUT, ask, ask_within};
use crate::health::PendingActivation;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use svm_core::documents::{ActivationCode, MAX_DOCUMENT_BYTES};
use svm_core::percent;
use svm_core::subscription::{KeyId, Role};
use svm_core::words::events::Agent;
use svm_core::words::labels::Phrase;
use svm_core::words::times::instant;

/// The exit code of an activation that the agent retries.
const PENDING: u8 = 3;

/// A document may be quoted and broken into lines: so much more than itself.
const MAX_PASTE_BYTES: u64 = 4 * MAX_DOCUMENT_BYTES as u64;

pub(super) async fn activate(
    code: &str,
    reserve: bool,
    until_published: bool,
    reach: &AgentEndpoint,
    out: &mut Out,
) -> Result<u8, CliError> {
    let code = SecretString::from(if code == "-" {
        out.ask("Type or paste the activation code, then press Enter and Ctrl-D:");
        read_bounded(Path::new("-"), 1000)?
    } else {
        code.to_owned()
    });
    if code.expose_secret().trim().is_empty() {
        let message = "the activation code is empty; give the code, or - to read it from standard input";
        return Err(CliError::given("bad_code", message));
    }
    // A typing error is reported before the provider is asked.
    let code = ActivationCode::parse(code.expose_secret())
        .map_err(|e| CliError::given("bad_code", e.to_string()))?;
    let body = json!({"code": code.reveal(), "reserve": reserve, "until_published": until_published});
    // The agent asks the provider first. Without its answer nobody would know what came of it.
    let timeout = TIMEOUT + reach.source_timeout;
    changed(&reach.runtime_dir, Method::POST, "v1/keys", (Some(&body), timeout), out).await
}

pub(super) async fn cancel(reserve: bool, dir: &Path, out: &mut Out) -> Result<(), CliError> {
    let path = if reserve { "v1/activations/reserve" } else { "v1/activations" };
    let value: Value = ask(dir, SocketKind::Control, Method::DELETE, path, None).await?;
    if out.json() {
        return Ok(out.value(&value)?);
    }
    let cancelled: Vec<PendingActivation> = typed(value.get("cancelled").cloned().unwrap_or_default())?;
    for PendingActivation { role, since, .. } in cancelled {
        let language = out.language();
        let role = if role == Role::Active { Phrase::RoleActive } else { Phrase::RoleReserve };
        let values = [("role", role.get(language)), ("when", &instant(since, language))];
        out.wrapped("", &Agent::ActivationCancelled.fill(language, &values))?;
    }
    Ok(())
}

pub(super) async fn add(file: &Path, reserve: bool, dir: &Path, out: &mut Out) -> Result<(), CliError> {
    if file == Path::new("-") {
        out.ask("Paste the document (three parts of letters and digits, separated by dots), then press Enter and Ctrl-D:");
    }
    let pasted = read_bounded(file, MAX_PASTE_BYTES)?;
    let document = paste::document(&pasted).map_err(|e| CliError::given(e.code(), e.to_string()))?;
    let body = json!({"document": document, "reserve": reserve});
    changed(dir, Method::POST, "v1/keys", (Some(&body), TIMEOUT), out).await.map(drop)
}

pub(super) async fn remove(key: &str, dir: &Path, out: &mut Out) -> Result<(), CliError> {
    let key = KeyId::try_from(key.to_owned()).map_err(|_| {
        CliError::given(
            "unknown_key",
            "this SVM has no key of this name; svm-agent key list shows the keys that it has",
        )
    })?;
    changed(dir, Method::DELETE, &format!("v1/keys/{}", percent::encode(key.as_str())), (None, TIMEOUT), out)
        .await
        .map(drop)
}

async fn changed(
    dir: &Path,
    method: Method,
    path: &str,
    (body, timeout): (Option<&Value>, Duration),
    out: &mut Out,
) -> Result<u8, CliError> {
    let value: Value = ask_within(dir, SocketKind::Control, method, path, body, timeout).await?;
    let pending = value.get("pending").cloned();
    let exit = if pending.is_some() { PENDING } else { 0 };
    if out.json() {
        out.value(&value)?;
        return Ok(exit);
    }
    if let Some(pending) = pending {
        let replaces = value.get("replaces").and_then(Value::as_bool) == Some(true);
        show_pending(&typed(pending)?, replaces, out)?;
        return Ok(exit);
    }
    if happened(&value, out)? == 0 {
        out.line(Phrase::NothingChanged.get(out.language()))?;
    }
    if let Some(remark) = value.get("remark").and_then(Value::as_str) {
        out.wrapped("", &Phrase::But.fill(out.language(), &[("remark", remark)]))?;
    }
    Ok(exit)
}

fn show_pending(pending: &PendingActivation, replaces: bool, out: &mut Out) -> Result<(), CliError> {
    let language = out.language();
    out.wrapped("", &Phrase::ActivationPending.fill(language, &[("problem", &pending.message)]))?;
    if replaces {
        out.wrapped("", Phrase::ReplacesPending.get(language))?;
    }
    let next = instant(pending.next_try_at, language);
    out.wrapped("", &Phrase::PendingMeans.fill(language, &[("when", &next)]))?;
    Ok(())
}
