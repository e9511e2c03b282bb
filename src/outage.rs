//! Outages: a failure that repeats is logged three times, when it begins, when it lasts and when it is over.

use crate::log::message::LogMessage;
use crate::log::{catalogue as lines, is_due, log_event};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use svm_core::failure_code::FailureCode;
use svm_core::subscription::{Permit, Resource};
use svm_core::words::{self, Language};

/// A failure that lasts this long is logged a second time, as an error.
const STILL_FAILING_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// What can fail for a while.
#[derive(Clone, Copy, Debug)]
pub enum FailureKind<'a> {
    /// Delivery to this destination.
    Delivery(&'a str),
    /// Fetching the provider's document.
    Source,
    Permits,
    /// Writing the metrics file.
    MetricsFile,
    /// Enforcing a permit.
    Enforcing(Resource, Permit),
    Action(&'a str),
    /// The gateway's port at this address.
    Port(&'a str),
    /// The KSN upstream at this address.
    Upstream(&'a str),
}

impl<'a> FailureKind<'a> {
    /// Its messages: it begins, it lasts, it is over.
    pub(super) fn lines(self) -> [LogMessage; 3] {
        match self {
            Self::Delivery(_) => [lines::DELIVERY_FAILS, lines::DELIVERY_STILL_FAILS, lines::DELIVERY_WORKS],
            Self::Source => [lines::SOURCE_FAILS, lines::SOURCE_STILL_FAILS, lines::SOURCE_WORKS],
            Self::Permits => [lines::PERMITS_FAIL, lines::PERMITS_STILL_FAIL, lines::PERMITS_WORK],
            Self::MetricsFile => {
                [lines::METRICS_FILE_FAILS, lines::METRICS_FILE_STILL_FAILS, lines::METRICS_FILE_WORKS]
            }
            Self::Enforcing(..) => {
                [lines::ENFORCING_FAILS, lines::ENFORCING_STILL_FAILS, lines::ENFORCING_WORKS]
            }
            Self::Action(_) => [lines::ACTION_FAILS, lines::ACTION_STILL_FAILS, lines::ACTION_WORKS],
            Self::Port(_) => [lines::PORT_FAILS, lines::PORT_STILL_FAILS, lines::PORT_WORKS],
            Self::Upstream(_) => [lines::UPSTREAM_FAILS, lines::UPSTREAM_STILL_FAILS, lines::UPSTREAM_WORKS],
        }
    }

    fn fields(self) -> Fields<'a> {
        let mut fields = Fields::default();
        match self {
            Self::Delivery(name) => fields.destination = Some(name),
            Self::Enforcing(resource, permit) => {
                fields.resource = Some(resource.as_str());
                fields.task = Some(task(resource, permit));
            }
            Self::Action(name) => fields.action = Some(name),
            Self::Port(address) | Self::Upstream(address) => fields.address = Some(address),
            Self::Source | Self::Permits | Self::MetricsFile => {}
        }
        fields
    }
}

#[derive(Default)]
struct Fields<'a> {
    destination: Option<&'a str>,
    resource: Option<&'a str>,
    action: Option<&'a str>,
    address: Option<&'a str>,
    /// What the agent does, for the text alone.
    task: Option<String>,
}

impl<'a> Fields<'a> {
    /// What the message is about, if it can be about several.
    fn object(&self) -> Option<&'a str> {
        self.destination.or(self.resource).or(self.action).or(self.address)
    }

    fn text(&self, message: LogMessage, since: &str, problem: &str) -> String {
        message.render(&[
            ("destination", &self.destination),
            ("action", &self.action),
            ("address", &self.address),
            ("task", &self.task),
            ("since", &since),
            ("problem", &problem),
        ])
    }
}

/// Something that fails at present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// The short name of the failure.
    pub code: FailureCode,
    pub message: String,
    pub since: Timestamp,
    /// How often in a row.
    pub times: u32,
    /// Whether it was logged that it lasts.
    #[serde(default)]
    #[serde(rename = "told_lasting")]
    logged_lasting: bool,
}

impl Outage {
    /// One more failure, with a log line if one is due. Another code begins another outage.
    pub fn note(
        now: &mut Option<Self>,
        at: Timestamp,
        kind: FailureKind<'_>,
        code: FailureCode,
        message: String,
    ) {
        let [begins, lasts, _] = kind.lines();
        let fields = kind.fields();
        // A problem that says itself what fails does not say it twice.
        let opening = fields.text(begins, "", "");
        let problem = message.strip_prefix(&opening).unwrap_or(&message).to_owned();
        let Fields { destination, resource, action, address, .. } = fields;
        match now {
            Some(outage) if outage.code == code => {
                outage.times = outage.times.saturating_add(1);
                outage.message = message;
                if !outage.logged_lasting && at.duration_since(outage.since) >= STILL_FAILING_AFTER {
                    outage.logged_lasting = true;
                    let (since, times, code) = (whole(outage.since).to_string(), outage.times, &*code.code());
                    if is_due(lasts.id, lasts.level, fields.object()) {
                        let text = fields.text(lasts, &since, &problem);
                        tracing::error!(event = lasts.id, code, destination, resource, action, address, %since, times, "{text}");
                    }
                }
            }
            _ => {
                if is_due(begins.id, begins.level, fields.object()) {
                    let (text, code) = (fields.text(begins, "", &problem), &*code.code());
                    tracing::warn!(event = begins.id, code, destination, resource, action, address, "{text}");
                }
                *now = Some(Self { code, message, since: at, times: 1, logged_lasting: false });
            }
        }
    }

    /// A delivery that failed before a restart and did not recover: logged once more, because a log begins here.
    pub fn resumed(&self, destination: &str) {
        let Self { code, since, times, message, .. } = self;
        let (since, code) = (whole(*since), &*code.code());
        log_event!(DELIVERY_FAILED_BEFORE of destination, code, destination, %since, times; problem = message);
    }

    pub fn over(now: &mut Option<Self>, kind: FailureKind<'_>) {
        let Some(Self { code, since, times, .. }) = now.take() else { return };
        let [_, _, over] = kind.lines();
        let (fields, since, code) = (kind.fields(), whole(since).to_string(), &*code.code());
        let Fields { destination, resource, action, address, .. } = fields;
        if is_due(over.id, over.level, fields.object()) {
            let text = fields.text(over, &since, "");
            tracing::info!(event = over.id, code, destination, resource, action, address, %since, times, "{text}");
        }
    }
}

/// What the agent does when it enforces a permit.
fn task(resource: Resource, permit: Permit) -> String {
    let verb = match permit {
        Permit::Full => "allowing",
        Permit::Limited => "limiting",
        Permit::Stopped => "stopping",
    };
    format!("{verb} {}", words::permits::resource(resource).get(Language::English))
}

/// To the second: a log needs no finer time.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    /// Level and name of each line.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);

    impl<S: tracing::Subscriber> Layer<S> for Lines {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            struct Name(String);
            impl tracing::field::Visit for Name {
                fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
                    if field.name() == "event" {
                        self.0.push_str(value);
                    }
                }
                fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
            }
            let mut name = Name(String::new());
            event.record(&mut name);
            self.0.lock().unwrap().push(format!("{} {}", event.metadata().level(), name.0));
        }
    }

    #[test]
    fn each_kind_of_failure_is_logged_three_times_in_a_day_of_it() {
        let kinds = [
            (FailureKind::Delivery("x"), "delivery"),
            (FailureKind::Source, "source"),
            (FailureKind::Permits, "permits"),
            (FailureKind::Enforcing(Resource::Ksn, Permit::Full), "enforcing"),
            (FailureKind::Action("x"), "action"),
            (FailureKind::Port("x"), "gateway_port"),
            (FailureKind::Upstream("x"), "ksn_upstream"),
        ];
        for (kind, name) in kinds {
            let lines_logged = Lines::default();
            let subscriber = tracing_subscriber::registry().with(lines_logged.clone());
            tracing::subscriber::with_default(subscriber, || {
                let (start, mut now) = (Timestamp::UNIX_EPOCH, None);
                for second in 0..86_400 {
                    let at = start + SignedDuration::from_secs(second);
                    Outage::note(&mut now, at, kind, FailureCode::Timeout, "why".to_owned());
                }
                Outage::over(&mut now, kind);
            });
            let wanted = [("WARN", "fails"), ("ERROR", "still_fails"), ("INFO", "works")]
                .map(|(level, line)| format!("{level} {name}.{line}"));
            assert_eq!(*lines_logged.0.lock().unwrap(), wanted);
        }
    }
}
