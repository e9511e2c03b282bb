//! Why a subscription is in its grace period or restricted.

use crate::subscription::Cause;
use crate::words::Text;

/// Why, as half a sentence after "because". Of a lapse it says what it came from, because that has to be mended.
pub const fn because(cause: Cause, lapse_cause: Option<Cause>) -> Text {
    match (cause, lapse_cause) {
        (Cause::Ended, _) => Text::new("its end date has passed", "дата окончания прошла"),
        (Cause::Paused, _) => Text::new("the provider paused it", "поставщик её приостановил"),
        (Cause::Unpaid, _) => {
            Text::new("the provider did not pay for it in time", "поставщик не оплатил её вовремя")
        }
        (Cause::GraceOver, Some(Cause::Paused)) => Text::new(
            "the provider paused it and its grace period is over",
            "поставщик её приостановил, и льготный период закончился",
        ),
        (Cause::GraceOver, Some(Cause::Unpaid)) => Text::new(
            "the provider did not pay for it in time and its grace period is over",
            "поставщик не оплатил её вовремя, и льготный период закончился",
        ),
        (Cause::GraceOver, _) => {
            Text::new("its term ended and its grace period is over", "её срок и льготный период закончились")
        }
        (Cause::NotGranted, Some(Cause::Paused)) => Text::new(
            "the provider paused it and grants no grace period",
            "поставщик её приостановил, а льготного периода нет",
        ),
        (Cause::NotGranted, Some(Cause::Unpaid)) => Text::new(
            "the provider did not pay for it in time and grants no grace period",
            "поставщик не оплатил её вовремя, а льготного периода нет",
        ),
        (Cause::NotGranted, _) => Text::new(
            "its term ended and the provider grants no grace period",
            "её срок закончился, а льготного периода нет",
        ),
        (Cause::Cancelled, _) => Text::new("the provider cancelled it", "поставщик её отменил"),
        (Cause::Blocked, _) => Text::new("the provider blocked its key", "поставщик заблокировал её ключ"),
        (Cause::Expired, _) => {
            Text::new("the period of its key is used up", "срок действия её ключа закончился")
        }
    }
}

/// The same for a cell of a table. Of a lapse it is what started the grace period.
pub const fn short(cause: Cause, lapse_cause: Option<Cause>) -> Text {
    let cause = match (cause, lapse_cause) {
        (Cause::GraceOver | Cause::NotGranted, Some(lapse)) => lapse,
        (cause, _) => cause,
    };
    match cause {
        Cause::Ended => Text::new("ended", "закончилась"),
        Cause::Paused => Text::new("paused", "пауза"),
        Cause::Unpaid => Text::new("unpaid", "не оплачена"),
        Cause::GraceOver => Text::new("grace over", "конец льготы"),
        Cause::NotGranted => Text::new("no grace", "без льготы"),
        Cause::Cancelled => Text::new("cancelled", "отменена"),
        Cause::Blocked => Text::new("blocked", "блокировка"),
        Cause::Expired => Text::new("used up", "ключ истёк"),
    }
}
