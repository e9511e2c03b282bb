//! The step: a state, an instant and an input in; the next state and what happened out.
//!
//! Time passes first, then the input comes. What time brought since the last step is reported once, as it is now;
//! each event carries the instant at which its thing really happened. Nothing here can fail: what is not
//! allowed comes out as a refusal event.

use crate::subscription::device::{DeviceStatus, LimitLevel, Reason};
use crate::subscription::enforcement::PermitProgress;
use crate::subscription::evaluate::expires_from;
use crate::subscription::event::{Change, Event, Kind, RemovalCause};
use crate::subscription::held::{Held, Role};
use crate::subscription::instant::{days_left, sub_days};
use crate::subscription::key::{KeyId, KeyKind};
use crate::subscription::marks::{self, Deadline};
use crate::subscription::permit::{Permit, Resource};
use crate::subscription::phase::Phase;
use crate::subscription::refusal::{Refusal, RefusalCode, WayOut};
use crate::subscription::settings::Settings;
use crate::subscription::state::State;
use crate::subscription::statement::Statement;
use crate::subscription::take_over::{TakeOver, Why};
use crate::subscription::terms::{Subscription, Term, Terms, VendorState};
use crate::subscription::timeline::{KeyTimeline, KnownEnd};
use crate::subscription::view::View;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A document as it was offered: read, or already refused by the check of its signature.
pub type Offer = Result<Statement, Refusal>;

/// What can come from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Nothing but time.
    Tick,
    /// The administrator activates a code or a file.
    Activate(Offer),
    /// The administrator adds a reserve key.
    AddReserve(Offer),
    /// The vendor published a revision.
    Publish(Offer),
    /// The administrator removes a key.
    RemoveKey(String),
    /// The number of devices that this SVM protects, where it is known.
    ProtectedDevices(Option<u64>),
    /// Something else is wrong with the SVM, or right again (`None`).
    Condition(Reason, Option<DeviceStatus>),
    /// This permit is carried out, by these.
    Enforced(Resource, Permit, Vec<String>),
    /// So far the trickle of a resource is spent.
    Spent(Resource, Timestamp),
    /// A unit was refused or stopped, and is to be started when its permit returns.
    StartPending(String),
    /// These units were started, or are no longer governed.
    StartSettled(Vec<String>),
}

/// The next state, and what happened, in the order in which it is reported.
pub fn step(state: State, settings: &Settings, now: Timestamp, input: Input) -> (State, Vec<Event>) {
    let mut step = Step { state, settings, now, events: Vec::new(), origin: None };
    step.take_back();
    step.note_settings();
    step.settle(Since::LastStep);
    if !matches!(input, Input::Tick) {
        step.apply(input);
        step.settle(Since::Input);
    }
    (step.state, step.events)
}

/// The next instant after `after` at which time alone may change anything; `None` where it never will.
pub fn next_due(state: &State, settings: &Settings, after: Timestamp) -> Option<Timestamp> {
    let (active, timeline) = (state.active.as_ref()?, state.timeline()?);
    let mut due = turns(active, &timeline, settings);
    let known_end = timeline.known_end().filter(|_| timeline.phase_at(after).0 == Phase::Active);
    due.extend(known_end.and_then(|end| marks::next(settings.reminders_before(end.why), end.ends_at, after)));
    due.extend(
        timeline.grace().and_then(|(_, until)| marks::next(&settings.grace_reminder_days, until, after)),
    );
    due.extend(take_over(state).map(|t| t.at));
    due.into_iter().filter(|at| *at > after).min()
}

/// Until when `resource` keeps the permit it has at `now`, as far as time alone decides; at most `horizon`.
pub fn permit_until(
    state: &State,
    settings: &Settings,
    now: Timestamp,
    resource: Resource,
    horizon: Timestamp,
) -> Timestamp {
    let (mut state, mut at) = (state.clone(), now);
    let permit = View::of(&state, settings, now).permit(resource);
    while let Some(due) = next_due(&state, settings, at).filter(|due| *due < horizon) {
        (state, _) = step(state, settings, due, Input::Tick);
        if state.reported.permit(resource) != permit {
            return due;
        }
        at = due;
    }
    horizon
}

/// The instants at which the view of the active key may change by time alone.
fn turns(active: &Held, timeline: &KeyTimeline, settings: &Settings) -> Vec<Timestamp> {
    let expiring = expires_from(timeline, active.statement.auto_renew(), settings);
    let named = [timeline.grace_from, timeline.lapses_at, timeline.withdrawn_at].map(|i| i.map(|(at, _)| at));
    named.into_iter().chain([timeline.ends_at, expiring, active.statement.fresh_until]).flatten().collect()
}

fn take_over(state: &State) -> Option<TakeOver> {
    let (active, reserve) = (state.active.as_ref()?, state.reserve.as_ref()?);
    let first_active = state.first_active(&reserve.statement);
    TakeOver::foresee(active, &state.timeline()?, reserve, first_active, state.lapse_promotion)
}

/// What led to this look at the state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Since {
    /// Time passed since the last look, over an unchanged state.
    LastStep,
    /// An input changed the state just now.
    Input,
}

struct Step<'a> {
    state: State,
    settings: &'a Settings,
    now: Timestamp,
    events: Vec<Event>,
    /// Since when the present state of affairs holds, where a take-over or the vendor's word dates it back.
    origin: Option<Timestamp>,
}

impl Step<'_> {
    fn happened(&mut self, kind: Kind) {
        self.happened_at(kind, None);
    }

    fn happened_at(&mut self, kind: Kind, at: Option<Timestamp>) {
        self.events.push(Event { kind, effective_at: at.filter(|at| *at < self.now) });
    }

    // Time.

    /// What was noted under a clock that stood ahead has not happened yet, where that clock was put right: it will be
    /// told when it does, and no period counts from then.
    fn take_back(&mut self) {
        let (now, settings) = (self.now, self.settings);
        self.state.marks.retain_mut(|mark| {
            let lists: [&[u32]; 2] = match mark.deadline {
                // The first is nearly always so, and costs next to nothing.
                _ if mark.at <= now || sub_days(mark.at, mark.days.into()) <= now => return true,
                // Which of the two caused the reminder does not matter: none was sent that is nearer than the nearest of both.
                Deadline::End => [&settings.reminder_days, &settings.paid_reminder_days],
                Deadline::Grace => [&settings.grace_reminder_days, &[]],
                Deadline::Fresh => [&[], &[]],
            };
            let reached = lists.into_iter().filter_map(|list| marks::reached(list, mark.at, now)).min();
            mark.days = reached.unwrap_or(mark.days);
            reached.is_some()
        });
        let State { active, reserve, known, enforcement, .. } = &mut self.state;
        known.take_back(now);
        enforcement.take_back(now);
        let held =
            active.iter_mut().chain(reserve).flat_map(|held| [&mut held.added_at, &mut held.role_since]);
        for at in held {
            *at = now.min(*at);
        }
    }

    /// Remembers since when a setting holds whose change has no instant of its own.
    fn note_settings(&mut self) {
        let is_on = self.settings.promote_reserve_on_lapse;
        self.state.lapse_promotion = self.state.lapse_promotion.seen(is_on, self.now);
    }

    fn settle(&mut self, since: Since) {
        if let Some(due) = take_over(&self.state).filter(|due| due.at <= self.now) {
            self.promote_reserve(due);
        }
        self.emit(since);
        self.origin = None;
    }

    /// The reserve becomes the active key. The old active key is gone, whether it was still held or not.
    fn promote_reserve(&mut self, due: TakeOver) {
        let Some(mut held) = self.state.reserve.take() else { return };
        let replaced = self.state.active.take();
        held.role_since = due.at;
        let key = held.statement.key.clone();
        self.state.known.note_first_active(&held.statement, due.at);
        self.state.active = Some(held);
        self.origin = Some(due.at);
        if let Some(old) = replaced {
            self.state.known.note_held(&old.statement);
            let kind = Kind::KeyReserveApplied { key, replaced: old.statement.key, why: due.why };
            self.happened_at(kind, Some(due.at));
        }
    }

    fn emit(&mut self, since: Since) {
        let view = View::of(&self.state, self.settings, self.now);
        self.emit_expiry();
        // Most looks change nothing: those have only marks to look at, and copy nothing.
        if view == self.state.reported {
            self.remind(view.phase, view.phase, since);
            self.emit_stale();
            return;
        }
        let reported = self.state.reported.clone();
        if (view.phase, view.cause) != (reported.phase, reported.cause) {
            let timeline = self.state.timeline();
            let kind = Kind::StatusChanged {
                key: view.key.clone(),
                from: reported.phase,
                to: view.phase,
                cause: view.cause,
                lapse_cause: view.lapse_cause,
                ends_at: timeline.and_then(|c| c.ends_at),
                grace_ends_at: timeline.and_then(|c| c.grace()).map(|(_, until)| until),
            };
            let at = self.since(|v| (v.phase, v.cause));
            self.happened_at(kind, at);
        }
        self.remind(reported.phase, view.phase, since);
        self.emit_stale();
        for resource in Resource::ALL {
            let (from, to) = (reported.permit(resource), view.permit(resource));
            if from != to {
                self.change_permit(resource, from, to);
            }
        }
        if view.limit != reported.limit {
            self.emit_limit(reported.limit, view.limit);
        }
        if view.device_status != reported.device_status {
            let (from, to) = (reported.device_status, view.device_status);
            let at = self.since(|v| v.device_status);
            self.happened_at(Kind::DeviceStatusChanged { from, to, reasons: view.reasons.clone() }, at);
        }
        self.state.reported = view;
    }

    /// A permit changed: reported at once, or when it is carried out. A return to the reported one is not reported.
    fn change_permit(&mut self, resource: Resource, from: Permit, to: Permit) {
        let at = self.since(|v| v.permit(resource));
        let unreported =
            self.state.enforcement.progress.get(&resource).and_then(|progress| progress.reported);
        let reported = Some(unreported.unwrap_or(from))
            .filter(|reported| self.settings.enforcement_is_proved && *reported != to);
        let progress = PermitProgress { since: at.unwrap_or(self.now), reported };
        self.state.enforcement.progress.insert(resource, progress);
        if !self.settings.enforcement_is_proved {
            self.happened_at(Kind::EnforcementChanged { resource, from, to, enforced_by: Vec::new() }, at);
        }
    }

    /// A permit is carried out: reported unless it was before.
    fn enforced(&mut self, resource: Resource, to: Permit, enforced_by: Vec<String>) {
        let is = self.state.reported.permit(resource);
        let progress = self.state.enforcement.progress.get_mut(&resource).filter(|_| is == to);
        let Some(progress) = progress else { return };
        if let Some(from) = progress.reported.take() {
            let since = progress.since;
            self.happened_at(Kind::EnforcementChanged { resource, from, to, enforced_by }, Some(since));
        }
    }

    /// Once for each end date: the term is over, and no reserve took over.
    fn emit_expiry(&mut self) {
        let Some((held, timeline)) = self.state.active.as_ref().zip(self.state.timeline()) else { return };
        let Some(ends_at) = timeline.expires_at().filter(|end| *end <= self.now) else { return };
        if marks::note(&mut self.state.marks, &held.statement, Deadline::End, ends_at, 0) {
            let key = held.statement.key.clone();
            let kind = match held.statement.kind() {
                KeyKind::Subscription => Kind::SubscriptionExpired { key, ends_at },
                KeyKind::Commercial => Kind::LicenceExpired { key, ends_at },
            };
            self.happened_at(kind, Some(ends_at));
        }
    }

    fn emit_stale(&mut self) {
        let Some(held) = &self.state.active else { return };
        let Some(fresh_until) = held.statement.fresh_until.filter(|at| *at <= self.now) else { return };
        if marks::note(&mut self.state.marks, &held.statement, Deadline::Fresh, fresh_until, 0) {
            let key = held.statement.key.clone();
            self.happened_at(Kind::SourceStale { key, fresh_until }, Some(fresh_until));
        }
    }

    fn emit_limit(&mut self, from: LimitLevel, to: LimitLevel) {
        let limit = self.state.active.as_ref().and_then(|held| held.statement.devices);
        let at = self.since(|v| v.limit);
        self.happened_at(Kind::DevicesLimit { from, to, count: self.state.protected_devices, limit }, at);
    }

    /// The nearest mark that was reached, if it was not told before. What was passed asleep or in another phase
    /// was not told, and is caught up with here.
    fn remind(&mut self, was: Phase, is: Phase, since: Since) {
        let Some((held, timeline)) = self.state.active.as_ref().zip(self.state.timeline()) else { return };
        let (key, auto_renew, role_since) =
            (held.statement.key.clone(), held.statement.auto_renew(), held.role_since);
        let left = |at| days_left(self.now, at);
        let (deadline, at, list, kind) = match (is, timeline.known_end(), timeline.lapses_at) {
            (Phase::Active, Some(KnownEnd { ends_at, why }), _) => (
                Deadline::End,
                ends_at,
                self.settings.reminders_before(why),
                Kind::Expiring { key, days_left: left(ends_at), ends_at, why, auto_renew },
            ),
            (Phase::Grace, _, Some((lapse, _))) => (
                Deadline::Grace,
                lapse,
                self.settings.grace_reminder_days.as_slice(),
                Kind::GraceEnding { key, days_left: left(lapse), grace_ends_at: lapse },
            ),
            _ => return,
        };
        let Some(days) = marks::reached(list, at, self.now) else { return };
        let is_new = marks::note(&mut self.state.marks, &held.statement, deadline, at, days);
        // Coming into grace tells when it ends.
        if !is_new || (deadline == Deadline::Grace && was != Phase::Grace) {
            return;
        }
        // Reached by time alone, it dates from its mark; found inside a new deadline, from now.
        let reached_at = self.origin.or(Some(role_since)).map(|from| sub_days(at, days.into()).max(from));
        self.happened_at(kind, reached_at.filter(|_| since == Since::LastStep || self.origin.is_some()));
    }

    /// When a part of the view came to be as it is, where that was before now.
    fn since<T: PartialEq>(&self, part: impl Fn(&View) -> T) -> Option<Timestamp> {
        let (active, timeline) = self.state.active.as_ref().zip(self.state.timeline())?;
        let mut turns = turns(active, &timeline, self.settings);
        turns.retain(|at| *at > active.role_since && *at <= self.now);
        turns.sort_unstable();
        let view = |at| part(&View::of(&self.state, self.settings, at));
        let mut value = view(active.role_since);
        let mut since = self.origin;
        for at in turns {
            let next = view(at);
            if next != value {
                (value, since) = (next, self.origin.max(Some(at)));
            }
        }
        since
    }

    // Input.

    fn apply(&mut self, input: Input) {
        match input {
            Input::Tick => {}
            Input::Activate(offer) => {
                let key = offered_key(&offer);
                if let Err(Refusal { code, message, way_out }) = self.activate(offer) {
                    self.happened(Kind::KeyRejected { key, code, message, way_out });
                }
            }
            Input::AddReserve(offer) => {
                let key = offered_key(&offer);
                if let Err(Refusal { code, message, way_out }) = self.add_reserve(offer) {
                    self.happened(Kind::KeyRejected { key, code, message, way_out });
                }
            }
            Input::Publish(offer) => {
                let key = offered_key(&offer);
                if let Err(Refusal { code, message, .. }) = self.publish(offer) {
                    self.happened(Kind::DocumentsRejected { key, code, message });
                }
            }
            Input::RemoveKey(name) => {
                let key = KeyId::try_from(name).ok();
                if let Err(Refusal { code, message, way_out }) = self.remove(key.as_ref()) {
                    self.happened(Kind::KeyRejected { key, code, message, way_out });
                }
            }
            Input::ProtectedDevices(count) => self.state.protected_devices = count,
            Input::Condition(reason, Some(status)) => drop(self.state.conditions.insert(reason, status)),
            Input::Condition(reason, None) => drop(self.state.conditions.remove(&reason)),
            Input::Enforced(resource, permit, by) => self.enforced(resource, permit, by),
            Input::Spent(resource, until) => drop(self.state.enforcement.spent.insert(resource, until)),
            Input::StartPending(unit) => self.state.enforcement.add_pending_start(unit),
            Input::StartSettled(units) => {
                self.state.enforcement.pending_starts.retain(|unit| !units.contains(unit));
            }
        }
    }

    fn active_key(&self) -> Option<KeyId> {
        self.state.active.as_ref().map(|held| held.statement.key.clone())
    }

    /// The rules for every offered document, before those of what is asked.
    fn sensible(&self, offer: Offer) -> Result<Statement, Refusal> {
        let statement = offer?;
        match self.state.held(&statement.key) {
            Some((_, Held { statement: held, .. }))
                if held
                    .issuer
                    .as_ref()
                    .zip(statement.issuer.as_ref())
                    .is_some_and(|(held, new)| held != new) =>
            {
                let (key, issuer) = (&held.key, held.issuer.as_deref().unwrap_or_default());
                Err(Refusal::new(
                    RefusalCode::UntrustedSigner,
                    format!(
                        "key {key} was issued by {issuer}, and this document comes from another issuer; ask the issuer of the key"
                    ),
                ))
            }
            Some((_, held)) if held.statement.kind() != statement.kind() => Err(Refusal::invalid(format!(
                "key {} is a {} key on this SVM, but this document calls it a {} key; ask the provider for a corrected document",
                statement.key,
                held.statement.kind().as_str(),
                statement.kind().as_str()
            ))),
            _ => Ok(statement),
        }
    }

    fn new_enough(&self, statement: &Statement) -> Result<(), Refusal> {
        match &statement.min_product_version {
            Some(least) if *least > self.settings.product_version => Err(Refusal::new(
                RefusalCode::ProductVersionTooOld,
                format!(
                    "key {} is for version {least} of the product and later, and this is version {}; upgrade the product first",
                    statement.key, self.settings.product_version
                ),
            )),
            _ => Ok(()),
        }
    }

    /// A key that is not held, but was: no revision below the highest counts, so that what the vendor withdrew does not
    /// come back by a removal.
    fn not_older(&self, statement: &Statement) -> Result<(), Refusal> {
        match self.state.known.highest_rev(statement) {
            Some(highest) if highest > statement.rev => Err(Refusal::new(
                RefusalCode::OlderRevision,
                format!(
                    "revision {} of {} is older than revision {highest}, which this SVM had before; ask the provider for the newest document",
                    statement.rev, statement.key
                ),
            )),
            _ => Ok(()),
        }
    }

    fn activate(&mut self, offer: Offer) -> Result<(), Refusal> {
        let statement = self.sensible(offer)?;
        let role = self.state.held(&statement.key).map(|(role, _)| role);
        if role == Some(Role::Active) {
            return self.revise(statement);
        }
        self.new_enough(&statement)?;
        if role == Some(Role::Reserve) {
            return Err(Refusal::new(
                RefusalCode::KeyAlreadyHeld,
                format!("key {} is the reserve key; remove it first", statement.key),
            )
            .with_way_out(WayOut::RemoveKey(statement.key)));
        }
        self.not_older(&statement)?;
        self.active_gives_way()?;
        if let Some(old) = self.state.active.take() {
            self.state.known.note_held(&old.statement);
            let key = old.statement.key;
            self.happened(Kind::KeyRemoved { key, role: Role::Active, why: RemovalCause::Replaced });
        }
        let key = statement.key.clone();
        if statement.kind() == KeyKind::Commercial {
            self.state.known.note_first_active(&statement, self.now);
        }
        self.state.active = Some(Held { statement, added_at: self.now, role_since: self.now });
        self.happened(Kind::KeyAdded { key, role: Role::Active });
        Ok(())
    }

    /// Whether a new code may take the active key's place: it has ended, was withdrawn, or is restricted.
    fn active_gives_way(&self) -> Result<(), Refusal> {
        let Some((active, timeline)) = self.state.active.as_ref().zip(self.state.timeline()) else {
            return Ok(());
        };
        let ended = timeline.ends_at.is_some_and(|end| end <= self.now);
        if ended || timeline.phase_at(self.now).0 == Phase::Restricted {
            return Ok(());
        }
        let key = &active.statement.key;
        let until = match timeline.ends_at {
            Some(end) => format!("runs until {}", end.strftime("%Y-%m-%d %H:%M:%S UTC")),
            None => format!("has no end date; {} can cancel it", active.statement.vendor_name()),
        };
        Err(Refusal::new(
            RefusalCode::ActiveKeyStillValid,
            format!("the active key {key} {until}; to replace it now, remove it first"),
        )
        .with_way_out(WayOut::RemoveKey(key.clone())))
    }

    fn add_reserve(&mut self, offer: Offer) -> Result<(), Refusal> {
        let statement = self.sensible(offer)?;
        self.new_enough(&statement)?;
        if self.state.held(&statement.key).is_none() {
            self.not_older(&statement)?;
        }
        let key = statement.key.clone();
        let refuse = |code, message: String| Err(Refusal::new(code, message));
        if statement.kind() == KeyKind::Subscription {
            return refuse(
                RefusalCode::SubscriptionKeyCannotBeReserve,
                format!(
                    "{key} is a subscription key, which can only be the active key; a reserve is a commercial key"
                ),
            );
        }
        let Some(active) = self.active_key() else {
            return refuse(
                RefusalCode::NoActiveKey,
                format!(
                    "there is no active key, so {key} cannot be the reserve key; activate {key} itself or another code first"
                ),
            );
        };
        if active == key {
            return refuse(
                RefusalCode::KeyAlreadyHeld,
                format!("key {key} is the active key; a reserve has to be another key"),
            );
        }
        if let Some(reserve) = &self.state.reserve {
            let held = reserve.statement.key.clone();
            return Err(if held == key {
                let message = format!("key {key} is the reserve key already; there is nothing to do");
                Refusal::new(RefusalCode::ReserveKeyExists, message)
            } else {
                let message =
                    format!("key {held} is the reserve key already; to put {key} there, remove it first");
                Refusal::new(RefusalCode::ReserveKeyExists, message).with_way_out(WayOut::RemoveKey(held))
            });
        }
        self.state.reserve = Some(Held { statement, added_at: self.now, role_since: self.now });
        self.happened(Kind::KeyAdded { key, role: Role::Reserve });
        Ok(())
    }

    fn publish(&mut self, offer: Offer) -> Result<(), Refusal> {
        let statement = self.sensible(offer)?;
        if self.active_key().as_ref() != Some(&statement.key) {
            return Err(Refusal::new(
                RefusalCode::UnknownKey,
                format!(
                    "the document is for {}, which is not the active key of this SVM; activate it by its code",
                    statement.key
                ),
            ));
        }
        self.revise(statement)
    }

    /// A revision of the active key: accepted if it is newer, and what changed is reported.
    fn revise(&mut self, new: Statement) -> Result<(), Refusal> {
        let Some(active) = &mut self.state.active else { return Ok(()) };
        let held = active.statement.rev;
        if new.rev < held {
            return Err(Refusal::new(
                RefusalCode::OlderRevision,
                format!(
                    "revision {} of {} is older than revision {held}, which is in use; ask the provider for the newest document",
                    new.rev, new.key
                ),
            ));
        }
        if new.rev == held {
            return Ok(());
        }
        let old = std::mem::replace(&mut active.statement, new);
        let (new, role_since) = (active.statement.clone(), active.role_since);
        if let (Terms::Subscription(before), Terms::Subscription(after)) = (&old.terms, &new.terms)
            && old.vendor_state_at(self.now) != new.vendor_state_at(self.now)
        {
            // The vendor's word dates back what it brought about alone, not what came with a new term.
            let (state, state_since) = (after.state, after.state_since);
            let word_alone = Terms::Subscription(Subscription { state, state_since, ..before.clone() });
            let phase = |terms| KeyTimeline::of(terms, role_since).phase_at(self.now);
            if phase(&word_alone) == phase(&new.terms) {
                self.origin = state_since.filter(|at| *at <= self.now).map(|at| at.max(role_since));
            }
        }
        let renewed = renewal(&old.terms, &new.terms);
        if let Some((from, to)) = renewed {
            self.happened(Kind::Renewed { key: new.key.clone(), from, to });
        }
        // A change of the provider's state is reported once: by the take-over or the change of status that follows from it, else
        // here.
        let follows = take_over(&self.state).is_some_and(|due| due.at <= self.now)
            || self.state.timeline().is_some_and(|timeline| {
                timeline.phase_at(self.now) != (self.state.reported.phase, self.state.reported.cause)
            });
        let mut changes = BTreeMap::new();
        for (name, old, new) in
            parameters(&old).into_iter().zip(parameters(&new)).map(|((n, o), (_, w))| (n, o, w))
        {
            let reported = (name == "term" && renewed.is_some()) || (name == "state" && follows);
            if old.0 != new.0 && !reported {
                changes.insert(name, Change { old: old.1, new: new.1 });
            }
        }
        if !changes.is_empty() {
            let fields = changes.keys().copied().collect();
            self.happened(Kind::ParametersChanged { key: new.key, fields, changes });
        }
        Ok(())
    }

    fn remove(&mut self, key: Option<&KeyId>) -> Result<(), Refusal> {
        let role = key.and_then(|key| self.state.held(key)).map(|(role, _)| role);
        let (Some(key), Some(role)) = (key, role) else {
            let refusal = Refusal::new(RefusalCode::UnknownKey, "this SVM has no key of this name");
            return Err(refusal.with_way_out(WayOut::ListKeys));
        };
        let held = self.state.held(key).map(|(_, held)| held.statement.clone());
        held.iter().for_each(|statement| self.state.known.note_held(statement));
        self.happened(Kind::KeyRemoved { key: key.clone(), role, why: RemovalCause::Removed });
        if role == Role::Reserve {
            self.state.reserve = None;
            return Ok(());
        }
        let works = self
            .state
            .reserve
            .as_ref()
            .is_some_and(|r| r.could_work(self.state.first_active(&r.statement), self.now));
        if works {
            self.promote_reserve(TakeOver { at: self.now, why: Why::Removed });
        } else {
            self.state.active = None;
        }
        Ok(())
    }
}

fn offered_key(offer: &Offer) -> Option<KeyId> {
    offer.as_ref().ok().map(|statement| statement.key.clone())
}

/// From when to when a renewal moved the end or the paid date, in the same kind of term.
fn renewal(old: &Terms, new: &Terms) -> Option<(Timestamp, Timestamp)> {
    let (Terms::Subscription(old), Terms::Subscription(new)) = (old, new) else { return None };
    let (from, to) = match (&old.term, &new.term) {
        (Term::Limited { ends_at: from }, Term::Limited { ends_at: to })
        | (Term::Unlimited { paid_until: Some(from) }, Term::Unlimited { paid_until: Some(to) }) => {
            (*from, *to)
        }
        _ => return None,
    };
    (to > from).then_some((from, to))
}

/// What a parameter is compared by, and how it is shown.
type Parameter = (&'static str, (Value, Value));

/// The parameters a vendor can change; always the same names in the same order.
fn parameters(statement: &Statement) -> Vec<Parameter> {
    let plain = |value: Value| (value.clone(), value);
    // 6.1 and 6.1.0 are the same version, however they are written.
    let version = statement.min_product_version.as_ref();
    let (state, since) = statement.vendor_state();
    // Since when a key is active is nothing that happens to it.
    let counts = since.filter(|_| state != VendorState::Active);
    let mut list = vec![
        ("state", (json!([state, counts]), json!({"state": state, "state_since": since}))),
        ("devices", plain(json!(statement.devices))),
        ("min_product_version", (json!(version.map(|v| v.numbers().to_vec())), json!(version))),
    ];
    match &statement.terms {
        Terms::Subscription(s) => list.extend([
            ("after_grace", plain(s.after_grace.to_claims())),
            ("auto_renew", plain(json!(s.auto_renew))),
            ("grace_days", plain(json!(s.grace_days))),
            ("term", plain(s.term.to_claims())),
        ]),
        Terms::Licence(l) => list.push(("term", plain(json!({"period_days": l.period_days})))),
    }
    list
}

#[cfg(test)]
mod tests;
