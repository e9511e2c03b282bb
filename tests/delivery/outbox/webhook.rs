//! A receiver that is no `svm-collector`, and one that is, seen from the wire.

use crate::support::server::{Request, Server, whole};
use serde_json::{Map, Value};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

type Answers = dyn Fn(&Request, &[Value]) -> Option<Vec<u8>> + Send + Sync;

/// A webhook: it takes events of every form, unless the test has another answer.
pub(crate) struct Webhook {
    pub(crate) server: Server,
    answers: Arc<Mutex<Arc<Answers>>>,
    away: Arc<Mutex<Arc<AtomicBool>>>,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl Webhook {
    pub(crate) fn start() -> Self {
        let takes_all: Arc<Answers> = Arc::new(|_, _| None);
        let (answers, taken) = (Arc::new(Mutex::new(takes_all)), Arc::<Mutex<Vec<Value>>>::default());
        let (server, away) = (Server::start(), Arc::<Mutex<Arc<AtomicBool>>>::default());
        let (script, stored, gone) = (answers.clone(), taken.clone(), away.clone());
        server.answer(move |request, stream| {
            if gone.lock().unwrap().load(Ordering::SeqCst) {
                return stream.write_all(&whole(&["503 Service Unavailable"], ""));
            }
            let events = events(request);
            let script = script.lock().unwrap().clone();
            match script(request, &events) {
                Some(answer) => stream.write_all(&answer),
                None => {
                    stored.lock().unwrap().extend(events);
                    stream.write_all(&whole(&["204 No Content"], ""))
                }
            }
        });
        Self { server, answers, away, taken }
    }

    /// From now on the requests for which this has an answer are not taken.
    pub(crate) fn answers(
        &self,
        script: impl Fn(&Request, &[Value]) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) {
        *self.answers.lock().unwrap() = Arc::new(script);
    }

    /// From now on it takes everything.
    pub(crate) fn takes_all(&self) {
        self.answers(|_, _| None);
    }

    /// As long as this is true, it answers 503.
    pub(crate) fn away(&self, away: Arc<AtomicBool>) {
        *self.away.lock().unwrap() = away;
    }

    /// What it took, as it came.
    pub(crate) fn taken(&self) -> Vec<Value> {
        self.taken.lock().unwrap().clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.server.port)
    }

    /// The requests with events in them.
    pub(crate) fn posts(&self) -> Vec<Arc<Request>> {
        with_events(&self.server)
    }
}

/// The requests to a server with events in them.
pub(crate) fn with_events(server: &Server) -> Vec<Arc<Request>> {
    let mut requests = server.requests();
    requests.retain(|request| request.head.starts_with("POST "));
    requests
}

/// A server that hands on to a collector what comes, and its answer back.
pub(crate) fn before(collector: u16) -> Server {
    let server = Server::start();
    server.answer(move |request, stream| stream.write_all(&hand_on(request, collector)?));
    server
}

/// The collector's answer to a request.
pub(crate) fn hand_on(request: &Request, collector: u16) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", collector))?;
    stream.write_all(format!("{}Connection: close\r\n\r\n", request.head).as_bytes())?;
    stream.write_all(&request.body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// The events of a request, in whichever of the three ways of CloudEvents over HTTP they came.
pub(crate) fn events(request: &Request) -> Vec<Value> {
    let content = request.content();
    if content.is_empty() {
        return Vec::new();
    }
    let read: Value = serde_json::from_slice(&content).unwrap();
    match (request.header("Content-Type"), read) {
        (Some("application/cloudevents-batch+json"), Value::Array(events)) => events,
        (Some("application/cloudevents+json"), event) => vec![event],
        (kind, data) => {
            let mut event = Map::new();
            for line in request.head.lines() {
                let Some((name, value)) = line.split_once(':') else { continue };
                if let Some(name) = name.to_ascii_lowercase().strip_prefix("ce-") {
                    event.insert(name.to_owned(), decoded(value.trim()).into());
                }
            }
            event.insert("datacontenttype".to_owned(), kind.into());
            event.insert("data".to_owned(), data);
            vec![Value::Object(event)]
        }
    }
}

/// Percent-encoded UTF-8 (CloudEvents HTTP binding, section 3.1.3.2).
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        bytes.push(match first {
            b'%' => {
                rest = &more[2..];
                u8::from_str_radix(std::str::from_utf8(&more[..2]).unwrap(), 16).unwrap()
            }
            plain => *plain,
        });
    }
    String::from_utf8(bytes).unwrap()
}
