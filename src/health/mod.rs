//! What the parts of the agent publish of themselves, for the status, reports and metrics.
//!
//! Only data: a part writes it, and its readers need to know nothing of that part.

mod parts;
mod registry;

pub use parts::{
    DestinationHealth, EnforcementHealth, Failed, GatewayHealth, Outdated, PendingActivation, PermitQuery,
    SourceHealth, UpdatesHealth, UpstreamHealth,
};
pub use registry::{Answered, HealthRegistry};
