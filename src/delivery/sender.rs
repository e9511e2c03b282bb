//! What delivery asks of each kind of destination: make events ready, send them, and say what came of it.

use super::answer::Outcome;
use super::cloudevents::{Composer, Exchange, Request};
use super::syslog::{QueuedEvent, Syslog};
use crate::config::Speaks;
use crate::storage::Outgoing;
use svm_core::clock::Clock;
use svm_core::failure_code::FailureCode;

/// Makes events ready, and sends them. Two halves, so that the next events can be made ready while some are sent.
pub(super) struct Sender {
    pub(super) encoder: Encoder,
    pub(super) transport: Transport,
}

/// Where events are made ready.
pub(super) enum Encoder {
    CloudEvents(Composer),
    /// A message names the address that it comes from, which is known once there is a connection.
    Syslog,
}

/// How they get to the receiver.
pub(super) enum Transport {
    CloudEvents(Exchange),
    Syslog(Syslog),
}

/// Events that are ready to be sent.
pub(super) struct Prepared {
    pub(super) events: Vec<Outgoing>,
    request: Option<Request>,
}

impl Prepared {
    pub(super) fn is_compressed(&self) -> bool {
        self.request.as_ref().is_some_and(Request::is_compressed)
    }
}

impl Sender {
    pub(super) fn new(speaks: &Speaks, clock: Clock) -> Self {
        match speaks {
            Speaks::CloudEvents(settings) => Self {
                encoder: Encoder::CloudEvents(Composer::new(settings)),
                transport: Transport::CloudEvents(Exchange::new(settings.clone(), clock)),
            },
            Speaks::Syslog(settings) => Self {
                encoder: Encoder::Syslog,
                transport: Transport::Syslog(Syslog::new(settings.clone(), clock)),
            },
        }
    }

    /// Gives up the connection and what is only needed with it; the next try makes all anew, from the files as they
    /// are then.
    pub(super) fn rest(&mut self) {
        if let Encoder::CloudEvents(composer) = &mut self.encoder {
            composer.rest();
        }
        match &mut self.transport {
            Transport::CloudEvents(exchange) => exchange.rest(),
            Transport::Syslog(syslog) => syslog.rest(),
        }
    }
}

impl Encoder {
    /// Events at once at most.
    pub(super) fn most(&self) -> usize {
        match self {
            Self::CloudEvents(composer) => composer.most(),
            Self::Syslog => super::batch::BATCH,
        }
    }

    /// Makes events ready, none or more.
    pub(super) fn prepare(&mut self, mut events: Vec<Outgoing>) -> Prepared {
        let Self::CloudEvents(composer) = self else { return Prepared { events, request: None } };
        let request = composer.compose(&events);
        if events.len() > 1 {
            // They are in the request now; which ones they are is all that is asked later.
            events.iter_mut().for_each(|event| event.body = String::new());
        }
        Prepared { events, request: Some(request) }
    }

    /// The receiver refuses compressed bodies.
    pub(super) fn leave_uncompressed(&mut self) {
        if let Self::CloudEvents(composer) = self {
            composer.leave_uncompressed();
        }
    }
}

impl Transport {
    /// Whether something is held that is to be given up after a while without events.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::CloudEvents(exchange) => exchange.is_connected(),
            Self::Syslog(syslog) => syslog.holds_certificates(),
        }
    }

    /// Sends what is ready, and says what came of it.
    pub(super) async fn send(&mut self, prepared: &Prepared) -> Outcome {
        let Prepared { events, request } = prepared;
        match (self, request) {
            (Self::CloudEvents(exchange), Some(request)) => exchange.send(request, events).await,
            (Self::CloudEvents(_), None) => {
                Outcome::again(FailureCode::NothingSent, "nothing was made ready")
            }
            (Self::Syslog(syslog), _) => {
                let stored = events.iter().map(|event| QueuedEvent {
                    sequence: event.sequence,
                    skipped_from: event.skipped_from,
                    body: &event.body,
                });
                let batch: Vec<QueuedEvent<'_>> = stored.collect();
                match syslog.send(&batch).await {
                    Ok(upto) => Outcome::Delivered { upto },
                    Err(failure) if failure.hold => Outcome::hold(failure.code, failure.message),
                    Err(failure) => Outcome::again(failure.code, failure.message),
                }
            }
        }
    }
}
