//! The page: the fleet, and one SVM with its timeline, rendered here and complete without a script.
//!
//! Promises: text of events is escaped and never becomes a link; nothing inline that the Content-Security-Policy
//! would have to allow. The script only asks for the same page again and puts its live part in place.

mod advice;
pub(crate) mod fleet;
pub(crate) mod svm;
pub(crate) mod words;

use super::answer::Refusal;
use super::api::{FleetQuery, Named, id};
use super::app::App;
use super::fleet::SVM_SOURCE;
use super::query::{Parameters, Query, number};
use super::store::{Events, Svms, SvmsPage};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use std::sync::Arc;
use svm_core::percent;
use svm_core::text::clean;

/// SVMs on one page.
const ROWS: u32 = 100;
/// Events on one page of a timeline.
const EVENTS: u32 = 50;
/// Bytes of the events on one page of a timeline.
const EVENT_BYTES: usize = 512 * 1024;
/// Keys in the summary.
const KEYS: u32 = 8;

/// Everything around what is shown. `root` leads from the page to the fleet's page: links are relative, so that a proxy may
/// serve all of this below a path of its own. `live` names the stream whose events make the script look again.
fn shell(title: &str, root: &str, live: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="stylesheet" href={ (root) "static/style.css" };
                script src={ (root) "static/app.js" } defer {}
            }
            body data-live=(live) {
                a class="skip" href="#live" { "Skip to content" }
                header class="top" {
                    a class="brand" href=(root) {
                        svg viewBox="0 0 24 24" width="26" height="26" aria-hidden="true" focusable="false" {
                            path d="M12 1.500 21 5v6.500c0 5.400-3.700 9.300-9 11-5.300-1.700-9-5.600-9-11V5Z" fill="currentColor" {}
                            path class="tick" d="m7.800 12 3 3 5.400-5.900" fill="none" stroke-width="2.200" stroke-linecap="round" stroke-linejoin="round" {}
                        }
                        span { "SVM fleet" }
                    }
                    span id="connection" class="connection" role="status" hidden {}
                }
                main id="live" { (content) }
                footer class="bottom" {
                    "svm-collector " (env!("CARGO_PKG_VERSION")) " · all times UTC · "
                    a href={ (root) "metrics" } { "metrics" } " · " a href={ (root) "v1/svms" } { "JSON" }
                }
            }
        }
    }
}

/// What went wrong, as a page.
fn failure(root: &str, refusal: Refusal) -> Response {
    let text = clean(&refusal.to_string()).into_owned();
    let status = refusal.into_response().status();
    let content = html! {
        section class="panel empty" { h1 { "This page cannot be shown" } p { (text) } p { a href=(root) { "All SVMs" } } }
    };
    (status, Html(shell("Not shown", root, "", &content).into_string())).into_response()
}

pub(super) async fn fleet(
    State(app): State<Arc<App>>,
    query: Result<Query<FleetQuery>, Refusal>,
) -> Response {
    let shown = async {
        let Query(query) = query?;
        let filter = query.filter()?;
        let silent_before = app.silent_before();
        let page = query.page.unwrap_or(1).clamp(1, 1_000_000);
        let offset = (page - 1).saturating_mul(ROWS);
        let asked = Svms { filter, silent_before, offset, limit: ROWS };
        let SvmsPage { svms, total } = app.store.svms(asked).await?;
        let counts = app.store.counts(silent_before).await?;
        let keys = app.store.keys(0, KEYS).await?;
        let svms = svms.into_iter().map(|stored| stored.svm).collect();
        let now = app.clock.now();
        let view = fleet::View { query, page, rows: ROWS, svms, total, counts, keys, now, silent_before };
        Ok::<_, Refusal>(shell("SVM fleet", fleet::ROOT, "v1/live", &view.render()))
    };
    shown.await.map_or_else(
        |refusal| failure(fleet::ROOT, refusal),
        |page: Markup| Html(page.into_string()).into_response(),
    )
}

/// Which part of a timeline.
#[derive(Debug, Default)]
pub(super) struct TimelineQuery {
    before: Option<i64>,
}

impl Parameters for TimelineQuery {
    const NAMES: &'static [&'static str] = &["before"];

    fn set(&mut self, _: &str, value: String) -> Result<(), Refusal> {
        self.before = Some(number("before", &value)?);
        Ok(())
    }
}

pub(super) async fn svm(
    State(app): State<Arc<App>>,
    path: Named,
    query: Result<Query<TimelineQuery>, Refusal>,
) -> Response {
    let shown = async {
        let before = query?.0.before.unwrap_or(i64::MAX);
        let stored = app.store.svm(id(path)?).await?.ok_or(Refusal::NotFound("such SVM"))?;
        let source = format!("{SVM_SOURCE}{}", stored.svm.id);
        let live = format!("{}v1/live?source={}", svm::ROOT, percent::encode(&source));
        let asked = Events {
            source: Some(source),
            before: Some(before),
            limit: EVENTS,
            bytes: EVENT_BYTES,
            ..Events::default()
        };
        let page = app.store.piece(asked).await?;
        let view = svm::View {
            svm: stored.svm,
            report: stored.report,
            events: page.events,
            older: page.next,
            newest: before == i64::MAX,
            now: app.clock.now(),
            silent_before: app.silent_before(),
        };
        let title = format!("{} · SVM fleet", view.name());
        Ok::<_, Refusal>(shell(&title, svm::ROOT, &live, &view.render()))
    };
    shown.await.map_or_else(
        |refusal| failure(svm::ROOT, refusal),
        |page: Markup| Html(page.into_string()).into_response(),
    )
}

pub(super) async fn style() -> Response {
    fixed("text/css; charset=utf-8", include_str!("style.css"))
}

pub(super) async fn script() -> Response {
    fixed("text/javascript; charset=utf-8", include_str!("app.js"))
}

fn fixed(kind: &'static str, text: &'static str) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=300")], text)
        .into_response()
}
