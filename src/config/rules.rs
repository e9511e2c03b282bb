//! What may stand at each key, beyond the type of its default: for the check of the form and for the JSON Schema.
//!
//! Patterns are for the schema alone: what they refuse, the checks of this module refuse too, and say more. What no
//! pattern can say, such as a day that no month has, only the checks refuse.

use Rule::{Needed, OneOf, Pattern, Range, Schema};
use svm_core::settings::{Rule, Rules};

/// A span that is not 0: digits and units, such as `1h 30m`.
const SPAN: Rule = Pattern(r"^(?=.*[1-9])(?=.*[A-Za-zµ:])\s*[0-9Pp][0-9A-Za-zµ.,:\s]*$");
/// As above, or 0.
const SPAN_OR_0: Rule = Pattern(r"^(?=.*[A-Za-zµ:])\s*[0-9Pp][0-9A-Za-zµ.,:\s]*$");
/// A whole path, or none.
const FILE: Rule = Pattern(r"^(/.*)?$");
const FOLDER: Rule = Pattern(r"^/.*$");
/// An address to which a path is put, or none.
const BASE: Rule = Pattern(r"^$|^[Hh][Tt][Tt][Pp][Ss]?://(?![^/]*@)[!\x22$->@-~]+$");
const EVENT_TYPES: Rule = Pattern(r"^(?!svm\.)(([a-z_.]+\.)?\*|[a-z_.]+)$");
const UNIT: Rule = Pattern(r"^(?!-)[A-Za-z0-9:_.\\@-]*[A-Za-z0-9:_.\\-]\.service$");
const NAME: Rule = Pattern(r"^[A-Za-z0-9_-]{1,40}$");
const RESOURCES: Rule = OneOf(&["database-updates", "ksn"]);

/// Where a destination is depends on its kind.
const DESTINATION_OF_KIND: &str = r#"{
    "if": {"properties": {"kind": {"const": "syslog"}}, "required": ["kind"]},
    "then": {"properties": {
        "url": {"pattern": "^([Tt][Ll][Ss]|[Tt][Cc][Pp])://[^/?#@]+/?$"},
        "proxy": {"maxLength": 0}
    }},
    "else": {"properties": {"url": {"pattern": "^[Hh][Tt][Tt][Pp][Ss]?://(?![^/?#]*@)[!-~]+$"}}}
}"#;

pub(crate) const RULES: Rules = &[
    ("product.version", Pattern(r"^[0-9]+(\.[0-9]+){0,7}$")),
    ("product.version_file", FILE),
    ("paths.state_dir", FOLDER),
    ("paths.runtime_dir", FOLDER),
    ("paths.trust_dir", FOLDER),
    ("identity.machine_id_file", FILE),
    ("identity.product_uuid_file", FILE),
    ("log.format", OneOf(&["auto", "plain", "json", "journal"])),
    ("log.level", OneOf(&["error", "warn", "info", "debug"])),
    ("source.url", BASE),
    ("source.interval", SPAN),
    ("source.urgent_interval", SPAN),
    ("source.timeout", SPAN),
    ("source.ca_file", FILE),
    ("source.proxy", BASE),
    ("clock.dwell", SPAN),
    ("reminders.before_end_days", Range(1, 3650)),
    ("reminders.before_grace_end_days", Range(1, 3650)),
    ("reminders.expiring_status_days", Range(0, 3650)),
    ("devices.count_file", FILE),
    ("enforcement.database_updates_after_grace", Pattern(r"^(vendor|stop|[0-9]*[1-9][0-9]*\s*/day)$")),
    ("enforcement.ksn_after_grace", Pattern(r"^(vendor|stop|[0-9]*[1-9][0-9]*\s*/minute)$")),
    ("enforcement.permit_max_age", SPAN),
    ("enforcement.when_agent_is_down", OneOf(&["last", "stopped"])),
    ("enforcement.governs", RESOURCES),
    ("enforcement.gates_dir", FOLDER),
    ("enforcement.stop_timeout", SPAN),
    ("enforcement.protection_units", UNIT),
    ("updates.schedule", Pattern(r"^\s*(@[A-Za-z]+|[^\s@]+(\s+\S+){4})\s*$")),
    ("updates.schedule", Schema(r#"{"maxItems": 24}"#)),
    ("updates.time_zone", Pattern(r"^[A-Za-z0-9/_+-]+$")),
    ("updates.unit", UNIT),
    ("updates.random_delay", SPAN_OR_0),
    ("updates.missed", OneOf(&["run-once", "skip"])),
    ("updates.timeout", SPAN),
    ("updates.databases_file", FILE),
    ("gateway.upstreams", Pattern(r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):0*[1-9][0-9]{0,4}$")),
    ("gateway.listen", Pattern(r"^(127(\.[0-9]{1,3}){3}|\[::1\]):0*[1-9][0-9]{0,4}$")),
    ("gateway.max_connections", Range(1, 100_000)),
    ("gateway.connect_timeout", SPAN),
    ("gateway.idle_timeout", SPAN),
    ("gateway.max_age", SPAN),
    ("report.every", SPAN),
    ("metrics.textfile", Pattern(r"^(/.*\.prom)?$")),
    ("metrics.every", SPAN),
    ("outbox.max_megabytes", Range(1, 100_000)),
    ("outbox.max_age", SPAN),
    ("destinations", NAME),
    ("destinations.*", Schema(DESTINATION_OF_KIND)),
    ("destinations.*.kind", OneOf(&["cloudevents", "syslog"])),
    ("destinations.*.url", Needed),
    ("destinations.*.severity", OneOf(&["info", "warning", "failure", "critical"])),
    ("destinations.*.types", EVENT_TYPES),
    ("destinations.*.types", Schema(r#"{"minItems": 1}"#)),
    ("destinations.*.except", EVENT_TYPES),
    ("destinations.*.receiver", OneOf(&["svm-collector", "generic"])),
    ("destinations.*.mode", OneOf(&["auto", "structured", "binary", "batch"])),
    ("destinations.*.compression", OneOf(&["auto", "zstd", "none"])),
    ("destinations.*.webhook_origin", Pattern(r"^[A-Za-z0-9.-]{0,253}$")),
    ("destinations.*.format", OneOf(&["rfc5424", "cef"])),
    ("destinations.*.framing", OneOf(&["octet-counting", "newline"])),
    ("destinations.*.token_file", FILE),
    ("destinations.*.ca_file", FILE),
    ("destinations.*.certificate_file", FILE),
    ("destinations.*.key_file", FILE),
    ("destinations.*.proxy", BASE),
    ("destinations.*.timeout", SPAN),
    ("actions", NAME),
    ("actions.*.resource", RESOURCES),
    ("actions.*.resource", Needed),
    ("actions.*.look_every", SPAN),
    ("actions.*.repairs_per_hour", Range(1, 60)),
];
