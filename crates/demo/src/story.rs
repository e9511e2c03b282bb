//! The story: what the provider and the administrator do, and when.

use crate::print;
use crate::world::{Received, World};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use svm_core::subscription::{
    Act, AfterGrace, KeyId, Licence, Scenario, ScenarioStep, Statement, Subscription, Term, Terms,
    VendorState, add_days,
};
use svm_vendor::{Change, IssueOrder, KeyRef, Parameters, Renewal, Until};

/// The first instant of the story.
pub(crate) fn start() -> Timestamp {
    day(0)
}

/// When the story is over, and its clock stops.
pub(crate) fn end() -> Timestamp {
    noon(37)
}

/// 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// The heading of a scene: on which day, who does what, and why.
fn scene(number: u64, text: &str) {
    print::heading(&format!("Day {number}, {}.", day(number).strftime("%Y-%m-%d")), text);
}

/// Half a day after each act, so that no act falls onto an end date.
const HALF_DAY: i64 = 43_200;

fn day(number: u64) -> Timestamp {
    add_days(START, number)
}

fn noon(number: u64) -> Timestamp {
    let noon = jiff::SignedDuration::from_secs(HALF_DAY);
    day(number).checked_add(noon).unwrap_or(Timestamp::MAX)
}

fn claims(statement: &Statement) -> Value {
    Value::Object(statement.to_claims())
}

/// Plays the story to its end; answers it as a scenario, with the instants at which things were done.
pub(crate) async fn play(world: &mut World, show: fn(&Received)) -> anyhow::Result<Scenario> {
    let mut scenario = Scenario::new("6.1.0".parse().map_err(anyhow::Error::msg)?, day(0), day(37));
    scenario.name = Some("the demonstration".to_owned());
    let mut did = |at: Timestamp, act: Act| scenario.steps.push(ScenarioStep { at, act });

    scene(
        0,
        "The provider issues a subscription that ends on day 14, with 4 days of grace. The administrator activates the SVM with its code.",
    );
    // A limited subscription of two weeks with four days of grace; activated by its code.
    let mut order = IssueOrder::new(Terms::Subscription(Subscription {
        state: VendorState::Active,
        state_since: Some(day(0)),
        term: Term::Limited { ends_at: day(14) },
        grace_days: 4,
        auto_renew: false,
        after_grace: AfterGrace::default(),
        order: None,
    }));
    order.key_id = Some(KeyId::try_from("SUB-1".to_owned()).map_err(anyhow::Error::msg)?);
    order.devices = Some(100);
    let (code, entry) = world.provider.issue(order, world.clock.now())?;
    let key = KeyRef::Code(code.clone());
    world.provider.publish(&world.published)?;
    let at = world.ask(Method::POST, "v1/keys", json!({"code": code.reveal(), "reserve": false})).await?;
    did(at, Act::Activate { document: claims(&entry.document.statement) });

    world.until(noon(1), show).await?;
    scene(
        1,
        "The SVM counts 95 protected devices. That is more than 90 % of the 100 that were bought, so it warns the console.",
    );
    let at = world.ask(Method::PUT, "v1/devices", json!({"count": 95})).await?;
    did(at, Act::ProtectedDevices { count: 95 });

    world.until(noon(2), show).await?;
    scene(2, "Nobody renews the subscription. The SVM sends reminders before it ends.");
    world.until(noon(13), show).await?;
    scene(
        14,
        "The term ends, and the grace period begins: everything still works, so that there is time to renew.",
    );
    world.until(noon(17), show).await?;
    scene(
        18,
        "The grace period ends. Database updates and the use of KSN must stop; on a real SVM gates enforce that. Protection continues.",
    );
    world.until(noon(20), show).await?;
    scene(
        20,
        "The customer pays, and the provider renews the subscription to day 32. The agent fetches the new document and allows everything again.",
    );
    let renewal = Renewal { until: Until::EndsAt(day(32)), earlier: false };
    let entry = world.provider.renew(&key, renewal, world.clock.now())?;
    let at = world.publish(show).await?;
    did(at, Act::Publish { document: claims(&entry.document.statement) });

    world.until(noon(22), show).await?;
    scene(
        22,
        "The administrator adds a commercial key as the reserve key. It takes over when the subscription ends.",
    );
    let mut order = IssueOrder::new(Terms::Licence(Licence { period_days: 8, blocked_since: None }));
    order.key_id = Some(KeyId::try_from("COM-1".to_owned()).map_err(anyhow::Error::msg)?);
    order.devices = Some(90);
    let (code, entry) = world.provider.issue(order, world.clock.now())?;
    world.provider.publish(&world.published)?;
    let at = world.ask(Method::POST, "v1/keys", json!({"code": code.reveal(), "reserve": true})).await?;
    did(at, Act::AddReserve { document: claims(&entry.document.statement) });

    world.until(noon(23), show).await?;
    scene(23, "The customer buys 20 more devices, and the provider extends the grace period to 7 days.");
    let parameters = Parameters { devices: Some(Some(120)), grace_days: Some(7), ..Parameters::default() };
    let entry = world.provider.change(&key, &Change::Parameters(parameters), world.clock.now())?;
    let at = world.publish(show).await?;
    did(at, Act::Publish { document: claims(&entry.document.statement) });

    world.until(noon(26), show).await?;
    scene(26, "The provider pauses the subscription because of a disputed invoice. The grace period begins.");
    let entry = world.provider.pause(&key, world.clock.now())?;
    let at = world.publish(show).await?;
    did(at, Act::Publish { document: claims(&entry.document.statement) });

    world.until(noon(27), show).await?;
    scene(27, "The dispute is settled, and the provider resumes the subscription.");
    let entry = world.provider.resume(&key, world.clock.now())?;
    let at = world.publish(show).await?;
    did(at, Act::Publish { document: claims(&entry.document.statement) });

    // The first days of the reserve end the story; half a day more lets everything arrive.
    scene(
        28,
        "Nobody renews this time. On day 32 the term ends, and the reserve key takes over without an interruption.",
    );
    world.until(end(), show).await?;
    Ok(scenario)
}
