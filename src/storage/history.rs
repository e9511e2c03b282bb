//! Looking into the store: how much waits, what happened, and where each event is.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use serde::{Deserialize, Serialize};
use svm_core::failure_code::FailureCode;

/// What waits for a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub destination: String,
    pub events: u64,
    /// When the oldest of them was created.
    pub oldest: Option<String>,
    /// How many it refused, that wait for somebody to look at them.
    pub quarantined: u64,
}

pub(crate) fn waiting(db: &Connection) -> Result<Vec<Waiting>> {
    let mut rows = db.prepare_cached(
        "SELECT d.name,
           (SELECT count(*) FROM outbox o WHERE o.destination = d.name AND o.sequence > d.delivered),
           (SELECT e.time FROM outbox o JOIN events e ON e.number = o.event
              WHERE o.destination = d.name AND o.sequence > d.delivered ORDER BY o.sequence LIMIT 1),
           (SELECT count(*) FROM quarantine q WHERE q.destination = d.name)
         FROM destinations d WHERE d.configured ORDER BY d.name",
    )?;
    let rows = rows.query_map([], |row| {
        Ok(Waiting {
            destination: row.get(0)?,
            events: row.get::<_, i64>(1)?.cast_unsigned(),
            oldest: row.get(2)?,
            quarantined: row.get::<_, i64>(3)?.cast_unsigned(),
        })
    })?;
    rows.collect()
}

/// An event that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Its number here; newer ones are higher.
    pub number: i64,
    /// Its id on the wire.
    pub id: String,
    /// When it was created.
    pub time: String,
    pub r#type: String,
    /// 1 to 4.
    pub severity: u8,
    /// The key it is about.
    pub subject: Option<String>,
    pub description: String,
    /// The whole event as JSON, if the listing asks for it.
    #[serde(skip)]
    pub body: Option<String>,
    /// Destinations that have not taken it yet.
    pub waiting_for: Vec<String>,
    /// Destinations that refused it.
    pub quarantined_by: Vec<String>,
}

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Those with lower numbers than this.
    pub before: Option<i64>,
    /// Those with higher numbers than this.
    pub after: i64,
    /// At least so severe.
    pub least: u8,
    /// Only those that wait for a destination.
    pub waiting: bool,
    /// Only those that a destination refused.
    pub quarantined: bool,
    /// With the whole of each event.
    pub with_body: bool,
    /// At most so many, the newest.
    pub most: usize,
}

const ROW: &str = "
  SELECT number, id, time, type, severity, subject, description,
    (SELECT group_concat(o.destination) FROM outbox o JOIN destinations d ON d.name = o.destination
       WHERE o.event = number AND o.sequence > d.delivered),
    (SELECT group_concat(destination) FROM quarantine WHERE event = number)";

const WITHOUT_BODY: &str = ", NULL FROM events";
const WITH_BODY: &str = ", body FROM events";

fn event(row: &Row) -> Result<EventRow> {
    let names = |at: usize| -> Result<Vec<String>> {
        let names: Option<String> = row.get(at)?;
        Ok(names.map(|names| names.split(',').map(str::to_owned).collect()).unwrap_or_default())
    };
    Ok(EventRow {
        number: row.get(0)?,
        id: row.get(1)?,
        time: row.get(2)?,
        r#type: row.get(3)?,
        severity: row.get(4)?,
        subject: row.get(5)?,
        description: row.get(6)?,
        waiting_for: names(7)?,
        quarantined_by: names(8)?,
        body: row.get(9)?,
    })
}

pub(crate) fn events(db: &Connection, listing: &Listing) -> Result<Vec<EventRow>> {
    let waits = "AND EXISTS (SELECT 1 FROM outbox o JOIN destinations d ON d.name = o.destination
                   WHERE o.event = number AND o.sequence > d.delivered)";
    let refused = "AND number IN (SELECT event FROM quarantine)";
    // Only what is asked stands there: SQLite begins with the quarantine where only that is asked for.
    let waits = if listing.waiting { waits } else { "" };
    let refused = if listing.quarantined { refused } else { "" };
    let body = if listing.with_body { WITH_BODY } else { WITHOUT_BODY };
    let sql = format!(
        "{ROW} {body} WHERE number < ?1 AND number > ?2 AND severity >= ?3 {waits} {refused}
         ORDER BY number DESC LIMIT ?4"
    );
    let most = i64::try_from(listing.most).unwrap_or(i64::MAX);
    let before = listing.before.unwrap_or(i64::MAX);
    let mut rows = db.prepare(&sql)?;
    let asked = params![before, listing.after, listing.least, most];
    rows.query_map(asked, event)?.collect()
}

/// Where an event is on its way to one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub destination: String,
    pub sequence: u64,
    /// `waiting`, `delivered` or `quarantined`.
    pub state: String,
    /// Why it was refused.
    pub code: Option<FailureCode>,
    /// What the receiver said.
    pub answer: Option<String>,
    /// When it was refused.
    pub refused_at: Option<String>,
}

/// An event with all that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventShown {
    /// The line of the list.
    #[serde(flatten)]
    pub row: EventRow,
    pub places: Vec<Place>,
    /// The CloudEvent, without `sequence`.
    pub event: serde_json::Value,
}

pub(crate) fn show(db: &Connection, id: &str) -> Result<Option<EventShown>> {
    let row = db.query_row(&format!("{ROW} {WITHOUT_BODY} WHERE id = ?1"), [id], event).optional()?;
    let Some(row) = row else { return Ok(None) };
    let body: String =
        db.query_row("SELECT body FROM events WHERE number = ?1", [row.number], |row| row.get(0))?;
    let mut places = db.prepare(
        "SELECT o.destination, o.sequence, iif(o.sequence > d.delivered, 'waiting', 'delivered'), NULL, NULL, NULL
           FROM outbox o JOIN destinations d ON d.name = o.destination WHERE o.event = ?1
         UNION ALL
         SELECT destination, sequence, 'quarantined', code, answer, time FROM quarantine WHERE event = ?1
         ORDER BY 1",
    )?;
    let places = places.query_map([row.number], |row| {
        Ok(Place {
            destination: row.get(0)?,
            sequence: row.get::<_, i64>(1)?.cast_unsigned(),
            state: row.get(2)?,
            code: row.get::<_, Option<String>>(3)?.map(FailureCode::from),
            answer: row.get(4)?,
            refused_at: row.get(5)?,
        })
    })?;
    let places = places.collect::<Result<_>>()?;
    Ok(Some(EventShown { row, places, event: serde_json::from_str(&body).unwrap_or_default() }))
}
