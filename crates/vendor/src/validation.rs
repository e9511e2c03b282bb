//! Values that make no sense although a reader would take them: slips of the hand.

use super::VendorError;
use super::error::{FIRST_ORDER, MAX_AHEAD_DAYS, MAX_DAYS, MAX_DEVICES, MAX_TEXT, OrderError};
use jiff::{Timestamp, tz::TimeZone};
use svm_core::subscription::{
    AfterGrace, Allowance, DAY_SECONDS, Order, Statement, Term, Terms, VendorState, add_days,
};
use svm_core::text::is_deceptive;

/// The options that name the dates of a term, for messages.
const END: &str = "--ends-at";
const PAID: &str = "--paid-until";

/// The most that is a reduced rate: a run of the database update each minute, and as many look-ups a minute.
const MAX_UPDATES_A_DAY: u64 = 1440;
const MAX_LOOKUPS_A_MINUTE: u64 = 1_000_000;

fn refused<T>(problem: OrderError) -> Result<T, VendorError> {
    Err(problem.into())
}

/// Limits on a number of days that come from one who types them.
pub(super) fn check_days(field: &'static str, days: u64, least: u64) -> Result<(), VendorError> {
    if (least..=MAX_DAYS).contains(&days) {
        return Ok(());
    }
    refused(OrderError::Days { field, days, least })
}

/// What holds for every revision that is signed at `iat`; what the reader refuses is his to say.
pub(super) fn check_statement(statement: &Statement, iat: Timestamp) -> Result<(), VendorError> {
    if let Some(devices) = statement.devices.filter(|devices| *devices > MAX_DEVICES) {
        return refused(OrderError::Devices { devices });
    }
    if let Some(until) = statement.fresh_until.filter(|until| *until <= iat) {
        return refused(OrderError::Stale { until, signed_at: iat });
    }
    match &statement.terms {
        Terms::Subscription(subscription) => {
            check_days("--grace-days", subscription.grace_days, 0)?;
            check_reduced_rate(&subscription.after_grace)?;
            check_ahead(&subscription.term, iat)
        }
        Terms::Licence(licence) => check_days("--period-days", licence.period_days, 1),
    }
}

fn check_ahead(term: &Term, iat: Timestamp) -> Result<(), VendorError> {
    let (field, date, instead) = match *term {
        Term::Limited { ends_at } => (END, ends_at, "--unlimited"),
        Term::Unlimited { paid_until: Some(paid) } => (PAID, paid, "--open-ended"),
        Term::Unlimited { paid_until: None } => return Ok(()),
    };
    if date <= add_days(iat, MAX_AHEAD_DAYS) {
        return Ok(());
    }
    refused(OrderError::TooFarAhead { field, date, instead })
}

fn check_reduced_rate(after: &AfterGrace) -> Result<(), VendorError> {
    let rows = [
        ("--after-grace-updates", after.database_updates, MAX_UPDATES_A_DAY),
        ("--after-grace-ksn", after.ksn, MAX_LOOKUPS_A_MINUTE),
    ];
    for (field, allowance, most) in rows {
        if let Allowance::Rate(rate) = allowance
            && rate > most
        {
            return refused(OrderError::Rate { field, rate, most });
        }
    }
    Ok(())
}

/// What holds for a new key.
pub(super) fn check_new(statement: &Statement, now: Timestamp) -> Result<(), VendorError> {
    let Terms::Subscription(subscription) = &statement.terms else {
        return Ok(());
    };
    if subscription.state != VendorState::Active {
        return refused(OrderError::NotActive { state: subscription.state });
    }
    if let Some(order) = &subscription.order {
        check_order(order, now)?;
    }
    match subscription.term {
        Term::Limited { ends_at } if ends_at <= now => {
            refused(OrderError::Passed { field: END, date: ends_at, now })
        }
        Term::Unlimited { paid_until: Some(paid) } if paid <= now => {
            refused(OrderError::Passed { field: PAID, date: paid, now })
        }
        _ => Ok(()),
    }
}

fn check_order(order: &Order, now: Timestamp) -> Result<(), VendorError> {
    if order.number.as_ref().is_some_and(|number| number.trim().is_empty()) {
        return refused(OrderError::NoOrderNumber);
    }
    // Somewhere it is tomorrow already.
    let ahead = jiff::SignedDuration::from_secs(DAY_SECONDS);
    let latest = now.checked_add(ahead).unwrap_or(now).to_zoned(TimeZone::UTC).date();
    match order.placed_on {
        Some(day) if day > latest || day < FIRST_ORDER => refused(OrderError::OrderDay { day, latest }),
        _ => Ok(()),
    }
}

/// A reason that somebody gave for a change.
pub(super) fn check_why(why: &str) -> Result<(), VendorError> {
    let (found, hidden) = (why.chars().count(), why.chars().any(is_deceptive));
    if !(1..=MAX_TEXT).contains(&found) || hidden {
        return refused(OrderError::Reason { found, hidden });
    }
    Ok(())
}

/// Cyrillic letters that look like a Latin one, with that one.
const LOOK_ALIKES: &[(char, char)] = &[
    ('А', 'A'),
    ('В', 'B'),
    ('Е', 'E'),
    ('К', 'K'),
    ('М', 'M'),
    ('Н', 'H'),
    ('О', 'O'),
    ('Р', 'P'),
    ('С', 'C'),
    ('Т', 'T'),
    ('У', 'Y'),
    ('Х', 'X'),
    ('І', 'I'),
    ('Ѕ', 'S'),
    ('Ј', 'J'),
    ('а', 'a'),
    ('е', 'e'),
    ('о', 'o'),
    ('р', 'p'),
    ('с', 'c'),
    ('у', 'y'),
    ('х', 'x'),
    ('і', 'i'),
    ('ѕ', 's'),
    ('ј', 'j'),
];

/// Warnings about an order that is taken all the same.
pub(super) fn warnings(terms: &Terms) -> Vec<String> {
    let Terms::Subscription(subscription) = terms else { return Vec::new() };
    let mut warnings = Vec::new();
    if matches!(subscription.term, Term::Unlimited { paid_until: None }) {
        let open_ended = "an open-ended subscription keeps running for ever on an SVM that cannot reach you; --paid-until limits that";
        warnings.push(open_ended.to_owned());
    }
    let number = subscription.order.as_ref().and_then(|order| order.number.as_deref());
    warnings.extend(number.and_then(look_alikes));
    warnings
}

/// A number that reads as Latin and is not, or mixes both: a search for it finds nothing.
fn look_alikes(number: &str) -> Option<String> {
    let cyrillic = |c: &char| matches!(c, '\u{0400}'..='\u{04ff}');
    let latin = |c: char| LOOK_ALIKES.iter().find(|(like, _)| *like == c).map(|(_, latin)| *latin);
    let mixed = number.chars().any(|c| c.is_ascii_alphabetic());
    let reads_as_latin = number.chars().filter(cyrillic).all(|c| latin(c).is_some());
    let found: Vec<String> = number
        .chars()
        .zip(1..)
        .filter_map(|(c, at): (char, u32)| Some(format!("{c} at position {at} (Latin {})", latin(c)?)))
        .collect();
    (!found.is_empty() && (mixed || reads_as_latin)).then(|| {
        format!(
            "the order number has Cyrillic letters that look like Latin ones: {}; a search with Latin letters does not find it",
            found.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn statement(change: impl FnOnce(&mut Value)) -> Statement {
        let mut claims = json!({"rev": 1, "key": {"id": "S", "kind": "subscription"},
            "subscription": {"term": {"type": "limited", "ends_at": "2027-01-01T00:00:00Z"}}});
        change(&mut claims);
        Statement::read(&claims).unwrap()
    }

    fn checked(statement: &Statement) -> Result<(), VendorError> {
        check_statement(statement, now())?;
        check_new(statement, now())
    }

    #[test]
    fn nonsense_that_a_reader_would_take_is_not_signed() {
        type Row = (fn(&mut Value), &'static str);
        let rows: &[Row] = &[
            (|c| c["subscription"]["term"]["ends_at"] = json!("2026-06-01T12:00:00Z"), "has passed"),
            (|c| c["subscription"]["term"]["ends_at"] = json!("2226-01-01T00:00:00Z"), "--unlimited"),
            (
                |c| {
                    c["subscription"]["term"] =
                        json!({"type": "unlimited", "paid_until": "2026-05-01T00:00:00Z"})
                },
                "has passed",
            ),
            (
                |c| {
                    c["subscription"]["term"] =
                        json!({"type": "unlimited", "paid_until": "9000-05-01T00:00:00Z"})
                },
                "--open-ended",
            ),
            (|c| c["subscription"]["grace_days"] = json!(1_000_000), "0 to 3650 days"),
            (
                |c| c["subscription"]["after_grace"] = json!({"database_updates": {"per_day": 1441}}),
                "1 to 1440",
            ),
            (
                |c| c["subscription"]["after_grace"] = json!({"ksn": {"per_minute": 1_000_001}}),
                "1 to 1000000",
            ),
            (|c| c["subscription"]["order"] = json!({"placed_on": "2026-06-03"}), "or leave it out"),
            (|c| c["subscription"]["order"] = json!({"placed_on": "0206-06-03"}), "or leave it out"),
            (|c| c["subscription"]["order"] = json!({"number": " "}), "leave it out"),
            (
                |c| {
                    c["subscription"]["state"] = json!("paused");
                    c["subscription"]["state_since"] = json!("2026-06-01T00:00:00Z");
                },
                "then pause",
            ),
            (|c| c["devices"] = json!(1_000_001), "--any-devices"),
            (|c| c["fresh_until"] = json!("2026-06-01T12:00:00Z"), "--fresh-for"),
            (
                |c| {
                    c["key"]["kind"] = json!("commercial");
                    c["subscription"] = Value::Null;
                    c["licence"] = json!({"period_days": 3651});
                },
                "1 to 3650 days",
            ),
        ];
        for (change, word) in rows {
            let error = checked(&statement(change)).unwrap_err();
            assert_eq!(error.code(), "invalid_order");
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
        for good in [json!("2026-06-02"), json!("1990-01-01")] {
            checked(&statement(|c| c["subscription"]["order"] = json!({"placed_on": good}))).unwrap();
        }
        checked(&statement(|c| c["devices"] = json!(MAX_DEVICES))).unwrap();
    }

    #[test]
    fn letters_that_only_look_latin_are_named() {
        let named = |number: &str| {
            let terms = statement(|c| c["subscription"]["order"] = json!({"number": number})).terms;
            warnings(&terms)
        };
        assert!(named("\u{410}221234065")[0].contains("\u{410} at position 1 (Latin A)"));
        assert!(named("AB-\u{421}1")[0].contains("position 4 (Latin C)"));
        // Plainly Cyrillic, and plainly Latin.
        for plain in ["\u{417}\u{410}\u{41a}\u{410}\u{417}-15", "A221234065", "7-\u{416}"] {
            assert!(named(plain).is_empty(), "{plain}");
        }
        let open = statement(|c| c["subscription"]["term"] = json!({"type": "unlimited"}));
        assert!(warnings(&open.terms)[0].contains("--paid-until"));
    }

    #[test]
    fn a_reason_is_one_line() {
        check_why("chargeback of 12 May").unwrap();
        for bad in ["", "two\nlines", &"x".repeat(201)] {
            assert_eq!(check_why(bad).unwrap_err().code(), "invalid_order");
        }
    }
}
