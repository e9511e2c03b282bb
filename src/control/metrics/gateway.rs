//! What the KSN gateway counts.

use crate::health::GatewayHealth;
use svm_core::prometheus::Text;

pub(super) fn write(out: &mut Text, gateway: &GatewayHealth) {
    out.gauge(
        "svm_agent_gateway_listening",
        "Whether the gateway takes connections.",
        u8::from(gateway.problem.is_none()),
    );
    out.gauge("svm_agent_gateway_open_connections", "Connections through the KSN gateway now.", gateway.open);
    out.counter("svm_agent_gateway_connections_total", "Connections that were let in.", gateway.accepted);
    let counters = [
        (
            "svm_agent_gateway_refused_total",
            "Connections that were refused, by reason.",
            "reason",
            vec![
                ("stopped", gateway.refused_stopped),
                ("rate", gateway.refused_rate),
                ("full", gateway.refused_full),
                ("upstream", gateway.upstream_failed),
            ],
        ),
        (
            "svm_agent_gateway_closed_total",
            "Connections that the gateway closed, by reason.",
            "reason",
            vec![
                ("permit", gateway.closed_by_permit),
                ("idle", gateway.closed_idle),
                ("age", gateway.closed_age),
            ],
        ),
        (
            "svm_agent_gateway_relayed_bytes_total",
            "Bytes that were relayed, by direction.",
            "direction",
            vec![("up", gateway.relayed_bytes_up), ("down", gateway.relayed_bytes_down)],
        ),
    ];
    for (name, help, label, counts) in counters {
        out.family(name, "counter", help);
        for (text, count) in counts {
            out.sample(name, &[(label, text)], count);
        }
    }
    let upstreams = gateway.upstreams.iter().map(|up| (up.address.as_str(), u8::from(up.healthy)));
    out.gauges(
        "svm_agent_gateway_upstream_up",
        "Whether an upstream could be reached when last tried.",
        "upstream",
        upstreams,
    );
}
