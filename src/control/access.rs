//! Tables of routes: a line says the method, the path, who may ask, and what answers. What has no route follows from the
//! table alone: nothing there (404), not for the one who asks (403), another method (405, with `Allow`).

use hyper::Method;
use svm_core::percent;

/// One line of a table. `A` says who may ask, `H` is what answers.
pub(super) struct Route<A, H> {
    /// `HEAD` goes where `GET` goes, and has no line of its own.
    pub(super) method: Method,
    /// Without the first `/`; `*` stands for one part that is not empty.
    pub(super) path: &'static str,
    pub(super) access: A,
    pub(super) handler: H,
}

/// Why a request has no route.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// Nothing is at the path.
    UnknownPath,
    /// It is not for the one who asks.
    Forbidden,
    /// The one who asks has other methods there, as `Allow` lists them.
    Method {
        /// The method that has no line.
        asked: Method,
        /// Those that have one.
        allow: String,
    },
}

/// The route of a request, and the decoded part of its path that `*` stands for. `may` says whether the one who asks has
/// an access.
///
/// # Errors
/// [`NoRoute`]: why it is not answered.
pub(super) fn find<'t, A, H>(
    table: &'t [Route<A, H>],
    may: impl Fn(&A) -> bool,
    method: &Method,
    path: &str,
) -> Result<(&'t Route<A, H>, String), NoRoute> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let here = || table.iter().filter_map(|route| Some((route, matches(route.path, path)?)));
    if let Some((route, part)) = here().find(|(route, _)| route.method == *method)
        && may(&route.access)
    {
        return Ok((route, part));
    }
    if here().next().is_none() {
        return Err(NoRoute::UnknownPath);
    }
    let mut allow: Vec<&str> =
        here().filter(|(route, _)| may(&route.access)).map(|(route, _)| route.method.as_str()).collect();
    if allow.is_empty() || here().any(|(route, _)| route.method == *method && !may(&route.access)) {
        return Err(NoRoute::Forbidden);
    }
    if allow.contains(&"GET") {
        allow.push("HEAD");
    }
    Err(NoRoute::Method { asked: method.clone(), allow: allow.join(", ") })
}

/// The decoded part that `*` stands for, if the pattern matches.
fn matches(pattern: &str, path: &str) -> Option<String> {
    let (mut expected, mut parts) = (pattern.split('/'), path.trim_matches('/').split('/'));
    let mut star = String::new();
    loop {
        match (expected.next(), parts.next()) {
            (None, None) => return Some(star),
            (Some("*"), Some(part)) if !part.is_empty() => star = percent::decode(part),
            (Some(expected), Some(part)) if expected == part => {}
            _ => return None,
        }
    }
}
