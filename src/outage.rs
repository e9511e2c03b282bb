//! Outages: what fails again and again is told when it begins, when it lasts, and when it is over.

use crate::log::message::LogMessage;
use crate::log::{catalogue as lines, may};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use svm_core::failure_code::FailureCode;
use svm_core::subscription::{Permit, Resource};

/// A failure that lasts this long is told a second time, as an error.
const STILL_FAILING_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// What can fail for a while.
#[derive(Clone, Copy, Debug)]
pub enum FailureKind<'a> {
    /// Delivery to this destination.
    Delivery(&'a str),
    /// Looking at the vendor's documents.
    Source,
    /// Writing the permits.
    Permits,
    /// Writing the metrics file.
    MetricsFile,
    /// Carrying out a permit.
    Enforcing(Resource, Permit),
    /// This action.
    Action(&'a str),
    /// The gateway's port at this address.
    Port(&'a str),
    /// The KSN upstream at this address.
    Upstream(&'a str),
}

impl<'a> FailureKind<'a> {
    fn what(self) -> String {
        match self {
            Self::Delivery(name) => format!("delivery to {name}"),
            Self::Source => "looking at the vendor's documents".to_owned(),
            Self::Permits => "writing the permits".to_owned(),
            Self::MetricsFile => "writing the metrics file".to_owned(),
            Self::Enforcing(resource, verdict) => {
                format!("making {} {}", resource.as_str(), verdict.as_str())
            }
            Self::Action(name) => format!("the action {name}"),
            Self::Port(address) => format!("the gateway's port {address}"),
            Self::Upstream(address) => format!("the KSN upstream {address}"),
        }
    }

    /// Its lines: it begins, it lasts, it is over.
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
            Self::Enforcing(resource, _) => fields.resource = Some(resource.as_str()),
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
}

/// Something that fails at present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// The short name of the failure.
    pub code: FailureCode,
    /// One sentence.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
    /// How often in a row.
    pub times: u32,
    /// Whether it was told that it lasts.
    #[serde(default)]
    #[serde(rename = "told_lasting")]
    logged_lasting: bool,
}

impl Outage {
    /// One more failure, with a log line where one is due. Another code begins another outage.
    pub fn note(
        now: &mut Option<Self>,
        at: Timestamp,
        kind: FailureKind<'_>,
        code: FailureCode,
        message: String,
    ) {
        let [begins, lasts, _] = kind.lines();
        let Fields { destination, resource, action, address } = kind.fields();
        let what = kind.what();
        let object = destination.or(resource).or(action).or(address);
        match now {
            Some(outage) if outage.code == code => {
                outage.times = outage.times.saturating_add(1);
                outage.message = message;
                if !outage.logged_lasting && at.duration_since(outage.since) >= STILL_FAILING_AFTER {
                    outage.logged_lasting = true;
                    let Self { since, times, message, .. } = outage;
                    let (since, message, code) = (whole(*since), bare(message, &what), &*code.code());
                    if may(lasts.id, lasts.level, object) {
                        tracing::error!(event = lasts.id, code, destination, resource, action, address, %since, times, "{what} still fails, since {since}: {message}");
                    }
                }
            }
            _ => {
                if may(begins.id, begins.level, object) {
                    let (message, code) = (bare(&message, &what), &*code.code());
                    tracing::warn!(
                        event = begins.id,
                        code,
                        destination,
                        resource,
                        action,
                        address,
                        "{what} fails: {message}"
                    );
                }
                *now = Some(Self { code, message, since: at, times: 1, logged_lasting: false });
            }
        }
    }

    /// A delivery that failed before a restart and was not over: told once more, as it is the beginning of a log.
    pub fn resumed(&self, destination: &str) {
        let Self { code, since, times, message, .. } = self;
        let (since, code) = (whole(*since), &*code.code());
        crate::log::log_event!(DELIVERY_FAILED_BEFORE of destination, code, destination, %since, times, "delivery to {destination} failed until the restart: {message}");
    }

    /// It works again.
    pub fn over(now: &mut Option<Self>, kind: FailureKind<'_>) {
        let Some(Self { code, since, times, .. }) = now.take() else { return };
        let [_, _, over] = kind.lines();
        let Fields { destination, resource, action, address } = kind.fields();
        let (what, since, code) = (kind.what(), whole(since), &*code.code());
        if may(over.id, over.level, destination.or(resource).or(action).or(address)) {
            tracing::info!(event = over.id, code, destination, resource, action, address, %since, times, "{what} works again; it failed since {since}");
        }
    }
}

/// A sentence that says itself what fails is not to say it twice.
fn bare<'m>(message: &'m str, what: &str) -> &'m str {
    message.strip_prefix(what).and_then(|rest| rest.strip_prefix(" fails: ")).unwrap_or(message)
}

/// Nobody reads parts of a second.
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
    fn each_kind_of_trouble_is_told_three_times_a_day_of_it() {
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
