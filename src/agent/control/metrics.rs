//! Metrics as Prometheus reads them (text format 0.0.4), from the status: nothing is counted twice.

use crate::agent::enforcement::gateway::GatewayHealth;
use crate::agent::status::Status;
use crate::subscription::{Permit, Resource};
use std::fmt::Write;

/// The media type of the text.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// A family of metrics under way.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a text cannot fail.
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> =
            labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(self.0, "{name}{labels} {value}").ok();
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// All metrics.
pub(super) fn text(status: &Status) -> String {
    let mut out = Text(String::new());
    let permit = |resource: Resource| status.permits.iter().find(|p| p.resource == resource);
    out.family("svm_agent_permit", "gauge", "What a resource may do: 0 stopped, 1 limited, 2 full.");
    for resource in Resource::ALL {
        let value = match permit(resource).map_or(Permit::Stopped, |p| p.verdict) {
            Permit::Stopped => 0,
            Permit::Limited => 1,
            Permit::Full => 2,
        };
        out.sample("svm_agent_permit", &[("resource", resource.as_str())], value);
    }
    out.family("svm_agent_permit_enforced", "gauge", "Whether something holds a resource to its permit.");
    for resource in Resource::ALL {
        let holds = permit(resource).is_some_and(|p| p.carried_out && !p.enforced_by.is_empty());
        out.sample("svm_agent_permit_enforced", &[("resource", resource.as_str())], u8::from(holds));
    }
    if let Some(gateway) = &status.gateway {
        gateway_text(&mut out, gateway);
    }
    out.family("svm_agent_device_status", "gauge", "What the console shows: 0 ok, 1 warning, 2 critical.");
    out.sample("svm_agent_device_status", &[], status.device_status as u8);
    out.family("svm_agent_clock_suspect", "gauge", "Whether the wall clock is not gone by.");
    out.sample("svm_agent_clock_suspect", &[], u8::from(status.clock.suspicion.is_some()));
    out.family(
        "svm_agent_clock_ahead_seconds",
        "gauge",
        "By how much the wall clock is ahead of the time gone by.",
    );
    let ahead = status.clock.wall.duration_since(status.clock.time).as_secs();
    out.sample("svm_agent_clock_ahead_seconds", &[], ahead);
    out.family("svm_agent_events_waiting", "gauge", "Events that a destination has not taken yet.");
    for (name, destination) in &status.destinations {
        out.sample("svm_agent_events_waiting", &[("destination", name)], destination.waiting);
    }
    out.0
}

fn gateway_text(out: &mut Text, gateway: &GatewayHealth) {
    out.family("svm_agent_gateway_open_connections", "gauge", "Connections through the KSN gateway now.");
    out.sample("svm_agent_gateway_open_connections", &[], gateway.open);
    out.family("svm_agent_gateway_connections_total", "counter", "Connections that were let in.");
    out.sample("svm_agent_gateway_connections_total", &[], gateway.accepted);
    out.family("svm_agent_gateway_refused_total", "counter", "Connections that were refused, by reason.");
    for (reason, count) in [
        ("stopped", gateway.refused_stopped),
        ("rate", gateway.refused_rate),
        ("full", gateway.refused_full),
        ("upstream", gateway.upstream_failed),
    ] {
        out.sample("svm_agent_gateway_refused_total", &[("reason", reason)], count);
    }
    out.family(
        "svm_agent_gateway_closed_total",
        "counter",
        "Connections that the gateway closed, by reason.",
    );
    for (reason, count) in
        [("permit", gateway.closed_by_permit), ("idle", gateway.closed_idle), ("age", gateway.closed_age)]
    {
        out.sample("svm_agent_gateway_closed_total", &[("reason", reason)], count);
    }
    out.family("svm_agent_gateway_relayed_bytes_total", "counter", "Bytes that were relayed, by direction.");
    for (direction, count) in [("up", gateway.relayed_bytes_up), ("down", gateway.relayed_bytes_down)] {
        out.sample("svm_agent_gateway_relayed_bytes_total", &[("direction", direction)], count);
    }
    out.family(
        "svm_agent_gateway_upstream_up",
        "gauge",
        "Whether an upstream could be reached when last tried.",
    );
    for upstream in &gateway.upstreams {
        let labels = [("upstream", upstream.address.as_str())];
        out.sample("svm_agent_gateway_upstream_up", &labels, u8::from(upstream.healthy));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_its_line() {
        let mut out = Text(String::new());
        out.sample("m", &[("a", "x\"y\n\\")], 1);
        assert_eq!(out.0, "m{a=\"x\\\"y\\n\\\\\"} 1\n");
    }
}
