//! The life of a subscription: pure rules over keys, settings and time.
//!
//! Promises: one function ([`View::of`]) gives what holds at an instant, one function ([`step`]) takes a
//! state, an instant and an input and returns the next state and what happened. The daemon and
//! a scenario run the same step. Must not know: clocks, files, networks, logging, randomness.
//! The rules are written down in `docs/reference/lifecycle.md`.

mod claim_form;
mod claims;
mod device;
mod enforcement;
mod evaluate;
mod event;
mod held;
pub mod instant;
mod key;
mod known;
mod marks;
mod permit;
mod phase;
mod refusal;
mod reserve;
mod scenario;
mod settings;
mod situation;
mod state;
mod statement;
mod step;
mod take_over;
mod terms;
mod timeline;
mod version;
mod view;

pub use device::{DeviceStatus, LimitLevel, Reason};
pub use enforcement::{Enforcement, PermitProgress};
pub use event::{Change, Event, Kind, RemovalCause, Severity};
pub use held::{Held, Role};
pub use instant::{BadInstant, DAY_SECONDS, add_days, days_left, read_instant, sub_days};
pub use key::{KeyId, KeyKind};
pub use known::{KnownKey, KnownKeys};
pub use marks::{Deadline, Mark};
pub use permit::{Allowance, AllowanceError, Permit, Resource};
pub use phase::{Cause, Phase};
pub use refusal::{Refusal, RefusalCode, WayOut, bounded_message};
pub use reserve::Unusable;
pub use scenario::{Act, Row, Scenario, ScenarioError, ScenarioSettings, ScenarioStep, forecast_rows};
pub use settings::Settings;
pub use situation::{KeyFacts, Outlook, Remedy, Situation};
pub use state::State;
pub use statement::Statement;
pub use step::{Input, Offer, next_due, permit_until, step};
pub use take_over::{LapsePromotion, TakeOver, Why};
pub use terms::{AfterGrace, Channel, Licence, Order, Subscription, Term, Terms, Vendor, VendorState};
pub use timeline::{KeyTimeline, KnownEnd};
pub use version::Version;
pub use view::View;
