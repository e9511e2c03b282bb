//! The life of a subscription: pure rules over keys, settings and time.
//!
//! Promises: one function ([`View::of`]) gives what holds at an instant, one function ([`step`]) takes a
//! state, an instant and an input and returns the next state and what happened. The daemon and
//! `svm-agent simulate` run the same step. Must not know: clocks, files, networks, logging, randomness.
//! The rules are written down in `docs/lifecycle.md`.

mod course;
mod device;
mod event;
pub mod instant;
mod known;
mod marks;
mod permit;
mod phase;
mod refusal;
mod reserve;
mod scenario;
mod settings;
mod state;
mod statement;
mod step;
mod version;
mod view;

pub use course::{Course, KnownEnd, TakeOver, Why};
pub use device::{DeviceStatus, LimitLevel, Reason};
pub use event::{Change, Event, Kind, RemovalCause, Severity};
pub use instant::{BadInstant, DAY_SECONDS, add_days, days_left, read_instant, sub_days};
pub use known::{KnownKey, KnownKeys};
pub use marks::{Deadline, Mark};
pub use permit::{Allowance, AllowanceError, Permit, Resource};
pub use phase::{Cause, Phase};
pub use refusal::{Refusal, RefusalCode};
pub use reserve::Unusable;
pub use scenario::{Act, Row, Scenario, ScenarioError, ScenarioSettings, ScenarioStep, foretell};
pub use settings::Settings;
pub use state::{Held, LapsePromotion, Role, Standing, State};
pub use statement::{
    AfterGrace, Channel, KeyId, KeyKind, Licence, Order, Statement, Subscription, Term, Terms, Vendor,
    VendorState,
};
pub use step::{Input, Offer, next_due, permit_until, step};
pub use version::Version;
pub use view::View;
