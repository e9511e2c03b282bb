//! The story: what the provider and the administrator do, and when.

use crate::world::{START, Told, World};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use svm::subscription::{
    Act, AfterGrace, KeyId, Licence, Scenario, ScenarioStep, Statement, Subscription, Term, Terms,
    VendorState, add_days,
};
use svm::vendor::{Change, IssueOrder, KeyRef, Parameters, Renewal, Until};

/// Half a day after each act, so that no act falls onto an end date.
const HALF_DAY: i64 = 43_200;

fn day(number: u64) -> Timestamp {
    let start = START.parse().unwrap_or(Timestamp::UNIX_EPOCH);
    add_days(start, number)
}

fn noon(number: u64) -> Timestamp {
    let noon = jiff::SignedDuration::from_secs(HALF_DAY);
    day(number).checked_add(noon).unwrap_or(Timestamp::MAX)
}

fn claims(statement: &Statement) -> Value {
    Value::Object(statement.to_claims())
}

/// Plays the story to its end; answers it as a scenario, with the instants at which things were done.
pub(crate) async fn play(world: &mut World, tell: fn(&Told)) -> anyhow::Result<Scenario> {
    let mut scenario = Scenario::new("6.1.0".parse().map_err(anyhow::Error::msg)?, day(0), day(37));
    scenario.name = Some("the demonstration".to_owned());
    let mut did = |at: Timestamp, act: Act| scenario.steps.push(ScenarioStep { at, act });

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

    world.until(noon(1), tell).await?;
    let at = world.ask(Method::PUT, "v1/devices", json!({"count": 95})).await?;
    did(at, Act::ProtectedDevices { count: 95 });

    // It runs out on day 14 and lapses on day 18; the renewal of day 20 gives everything back.
    world.until(noon(20), tell).await?;
    let renewal = Renewal { until: Until::EndsAt(day(32)), earlier: false };
    let entry = world.provider.renew(&key, renewal, world.clock.now())?;
    let at = world.publish(tell).await?;
    did(at, Act::Publish { document: claims(&entry.document.statement) });

    // A commercial key waits in reserve.
    world.until(noon(22), tell).await?;
    let mut order = IssueOrder::new(Terms::Licence(Licence { period_days: 8, blocked_since: None }));
    order.key_id = Some(KeyId::try_from("COM-1".to_owned()).map_err(anyhow::Error::msg)?);
    order.devices = Some(90);
    let (code, entry) = world.provider.issue(order, world.clock.now())?;
    world.provider.publish(&world.published)?;
    let at = world.ask(Method::POST, "v1/keys", json!({"code": code.reveal(), "reserve": true})).await?;
    did(at, Act::AddReserve { document: claims(&entry.document.statement) });

    world.until(noon(23), tell).await?;
    let parameters = Parameters { devices: Some(Some(120)), grace_days: Some(7), ..Parameters::default() };
    let entry = world.provider.change(&key, &Change::Parameters(parameters), world.clock.now())?;
    let at = world.publish(tell).await?;
    did(at, Act::Publish { document: claims(&entry.document.statement) });

    world.until(noon(26), tell).await?;
    let entry = world.provider.pause(&key, world.clock.now())?;
    let at = world.publish(tell).await?;
    did(at, Act::Publish { document: claims(&entry.document.statement) });

    world.until(noon(27), tell).await?;
    let entry = world.provider.resume(&key, world.clock.now())?;
    let at = world.publish(tell).await?;
    did(at, Act::Publish { document: claims(&entry.document.statement) });

    // On day 32 the term is over, and the reserve takes over. Its own first days end the story; half a day
    // more lets everything arrive.
    world.until(noon(37), tell).await?;
    Ok(scenario)
}
