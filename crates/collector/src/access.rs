//! Who may ask: judged from the request alone, before its handler runs.
//!
//! Promises: being on this machine lets nobody read on behalf of others; a name that a stranger can point at this
//! machine is not answered to; a page from elsewhere neither sends nor follows.

use super::answer::Refusal;
use super::app::App;
use super::connections::owner;
use super::hosts::{self, Authority};
use super::settings::OpenTo;
use super::tokens::KnownToken;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use std::net::IpAddr;

/// Who may ask for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everyone: it says nothing of the fleet.
    Open,
    /// Readers, by `page.open_to`. The answer is made whole.
    Reading,
    /// Readers of a list of events. The answer is made whole.
    Listing,
    /// Readers of a stream. The answer goes on.
    Following,
    /// Senders, by their token.
    Sending,
}

/// Who asks, once he may.
#[derive(Debug)]
pub(super) struct Asker {
    /// Whose places and shares the request takes.
    pub(super) owner: IpAddr,
    /// The token of a sender; `None` for readers, and if senders need none.
    pub(super) token: Option<KnownToken>,
}

/// Whether the request from `address` may ask what `access` guards.
///
/// # Errors
/// Why it may not.
pub(super) fn admit(app: &App, access: Access, request: &Request, address: IpAddr) -> Result<Asker, Refusal> {
    let headers = request.headers();
    let own = owner(address);
    if access == Access::Open {
        return Ok(Asker { owner: own, token: None });
    }
    // The address in the request line counts before `Host` (RFC 9112, section 3.2.2).
    let asked = match request.uri().authority() {
        Some(named) => Some(Authority::read(named.as_str()).ok_or(Refusal::Host)?),
        None => headers.get(header::HOST).filter(|name| !name.is_empty()).and_then(authority),
    };
    // A sender with a token needs no such check: no foreign page has it.
    let names_matter = access != Access::Sending || app.tokens.is_none();
    if let Some(asked) = &asked
        && names_matter
        && !hosts::is_ours(asked, &app.settings.hosts)
    {
        return Err(Refusal::UnknownHost(asked.host().chars().take(100).collect()));
    }
    if access == Access::Sending {
        return Ok(Asker { owner: own, token: sender(app, headers, asked.as_ref())? });
    }
    // A stream that a foreign page opens could not be read there, but would take a place.
    if access == Access::Following && headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return Err(Refusal::ForeignOrigin);
    }
    Ok(Asker { owner: reader(app, headers, address)?, token: None })
}

/// The host and port that a header names.
pub(super) fn authority(value: &HeaderValue) -> Option<Authority> {
    Authority::read(value.to_str().ok()?)
}

/// The token of a sender, if tokens are required.
fn sender(app: &App, headers: &HeaderMap, asked: Option<&Authority>) -> Result<Option<KnownToken>, Refusal> {
    let is_foreign = |origin: &HeaderValue| {
        origin.to_str().map_or(true, |origin| hosts::is_foreign(origin, asked, &app.settings.hosts))
    };
    if headers.get_all(header::ORIGIN).iter().any(is_foreign) {
        return Err(Refusal::ForeignOrigin);
    }
    match &app.tokens {
        Some(tokens) => tokens.known(headers).map(Some).ok_or(Refusal::Unauthorised),
        None => Ok(None),
    }
}

/// Whose places and shares a reader takes.
fn reader(app: &App, headers: &HeaderMap, address: IpAddr) -> Result<IpAddr, Refusal> {
    let own = owner(address);
    if app.readers.as_ref().is_some_and(|readers| readers.known(headers).is_some()) {
        // The holder of a reading token names the client it asks for. The last address is the one that it added.
        return Ok(forwarded_for(headers).map_or(own, owner));
    }
    match app.settings.page.open_to {
        OpenTo::All => Ok(own),
        OpenTo::Readers => Err(Refusal::NotReader),
        OpenTo::Loopback if !address.to_canonical().is_loopback() => Err(Refusal::NotLoopback),
        OpenTo::Loopback if is_forwarded(headers) => Err(Refusal::Forwarded),
        OpenTo::Loopback => Ok(own),
    }
}

/// What proxies say of whom they ask for.
const FORWARDED: &[&str] = &[
    "forwarded",
    "via",
    "x-forwarded",
    "x-forwarded-by",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-uri",
    "x-forwarded-user",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-user",
    "cf-connecting-ip",
    "client-ip",
    "true-client-ip",
    "remote-user",
];

fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(*name))
}

fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}
