//! The text of a permit file, and what it says at an instant. The agent and the gate program (`crates/gate`) read it with
//! this one piece of code, which needs nothing but the standard library.
//!
//! Promises: what is not exactly as the agent writes it is refused, and a refused text permits nothing; no input takes
//! more than one pass. Must not know: files, clocks, the environment.

use std::fmt;

/// What a resource may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Full,
    /// A bounded number of runs or look-ups.
    Limited,
    Stopped,
}

/// An instant: seconds since the beginning of 1970 in UTC, and nanoseconds of that second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant {
    /// Whole seconds.
    pub seconds: i64,
    /// Below a second.
    pub nanoseconds: u32,
}

/// What a permit file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermitText {
    /// `database_updates` or `ksn`.
    pub resource: String,
    /// What it may do.
    pub verdict: Verdict,
    /// Of a limited one: runs a day or look-ups a minute.
    pub rate: Option<u64>,
    /// The phase of the subscription.
    pub phase: String,
    /// Why it is in that phase.
    pub cause: Option<String>,
    pub until: Instant,
    /// The same as it stands there.
    pub until_text: String,
    /// The same in milliseconds since boot.
    pub until_boot_ms: u64,
    /// Of which boot that counts; empty where it is unknown.
    pub boot_id: String,
    /// When it was written.
    pub written_at: Instant,
    /// Whether it counts only while the agent answers.
    pub needs_agent: bool,
}

/// The clocks that decide whether a permit is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Now {
    pub wall: Instant,
    /// Milliseconds since boot, suspends included.
    pub boot_ms: u64,
    /// This boot, without dashes.
    pub boot_id: String,
}

/// Why a text is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

impl std::error::Error for Unreadable {}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Whether the end of a permit has come. The boot clock counts, which nobody sets; the wall clock only where the permit is of
/// another boot.
pub fn is_over(until: Instant, until_boot_ms: u64, boot_id: &str, now: &Now) -> bool {
    match boot_id == now.boot_id && !boot_id.is_empty() {
        true => now.boot_ms >= until_boot_ms,
        false => now.wall >= until,
    }
}

/// What a permit says, in one sentence. `unit` is what a rate counts, such as `per day`.
pub fn sentence(
    verdict: Verdict,
    is_over: bool,
    rate: Option<u64>,
    unit: &str,
    (phase, cause): (&str, Option<&str>),
    until: &str,
) -> String {
    // Only what is in the words of the file: the program that reads it has no catalogue of sentences.
    let phase = match phase {
        "not_activated" => "the SVM is not activated".to_owned(),
        "grace" => "the subscription is in its grace period".to_owned(),
        phase => format!("the subscription is {}", phase.replace('_', " ")),
    };
    let status = match cause {
        Some("not_granted") => format!("{phase} (no grace)"),
        Some(cause) => format!("{phase} ({})", cause.replace('_', " ")),
        None => phase,
    };
    match verdict {
        Verdict::Stopped => format!("stopped: {status}"),
        _ if is_over => {
            format!("the permit ended at {until} and was not extended; check that svm-agent is running")
        }
        Verdict::Full => format!("full: {status}"),
        Verdict::Limited => {
            let rate = rate.unwrap_or(0);
            format!("limited to {rate} {unit}: {status}")
        }
    }
}

impl PermitText {
    /// Reads the text of a permit file. Unknown fields are passed over.
    ///
    /// # Errors
    /// [`Unreadable`], with what is wrong.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let mut fields = Fields(object(text)?);
        Ok(Self {
            resource: fields.text("resource", "its resource is missing")?,
            verdict: match fields.text("verdict", "its verdict is missing")?.as_str() {
                "full" => Verdict::Full,
                "limited" => Verdict::Limited,
                "stopped" => Verdict::Stopped,
                _ => return Err(Unreadable("its verdict is unknown")),
            },
            rate: match fields.take("rate") {
                None | Some(Value::Null) => None,
                Some(value) => Some(whole(&value).ok_or(Unreadable("its rate is not a whole number"))?),
            },
            phase: word(fields.text("phase", "its phase is missing")?)?,
            cause: match fields.take("cause") {
                None | Some(Value::Null) => None,
                Some(Value::Text(cause)) => Some(word(cause)?),
                Some(_) => return Err(Unreadable("its cause is not a text")),
            },
            until_text: fields.copy_of_text("until"),
            until: fields.instant("until", "its end (until) is not an instant")?,
            until_boot_ms: fields
                .take("until_boot_ms")
                .and_then(|value| whole(&value))
                .ok_or(Unreadable("its end (until_boot_ms) is not a whole number"))?,
            boot_id: fields.text("boot_id", "its boot_id is missing")?,
            written_at: fields.instant("written_at", "written_at is not an instant")?,
            needs_agent: match fields.take("when_agent_is_down") {
                None => false,
                Some(Value::Text(word)) if word == "last" => false,
                Some(Value::Text(word)) if word == "stopped" => true,
                Some(_) => return Err(Unreadable("when_agent_is_down is unknown")),
            },
        })
    }
}

/// A value of a JSON object, as far as it is needed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Truth(bool),
    /// A number, as it stands there.
    Number(String),
    Text(String),
    /// An object or an array.
    Nested,
}

/// The members of the one JSON object that a text is. A name that stands there twice is an error.
///
/// # Errors
/// [`Unreadable`], where it is no such text.
pub fn object(text: &str) -> Result<Vec<(String, Value)>, Unreadable> {
    let mut json = Json { left: text };
    let members = json.object(0)?;
    json.space();
    if json.left.is_empty() { Ok(members) } else { Err(Unreadable("there is more behind its end")) }
}

/// A word of the agent's, which is shown as it is.
fn word(text: String) -> Result<String, Unreadable> {
    let plain = text.len() <= 40 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if plain { Ok(text) } else { Err(Unreadable("its phase or cause is no word of svm-agent")) }
}

fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    }
}

struct Fields(Vec<(String, Value)>);

impl Fields {
    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(found, _)| found == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn text(&mut self, name: &str, missing: &'static str) -> Result<String, Unreadable> {
        match self.take(name) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(Unreadable(missing)),
        }
    }

    fn copy_of_text(&self, name: &str) -> String {
        let found = self.0.iter().find_map(|(found, value)| match value {
            Value::Text(text) if found == name => Some(text.clone()),
            _ => None,
        });
        found.unwrap_or_default()
    }

    fn instant(&mut self, name: &str, wrong: &'static str) -> Result<Instant, Unreadable> {
        Instant::read(&self.text(name, wrong)?).ok_or(Unreadable(wrong))
    }
}

impl Instant {
    /// An instant as the agent writes it: `2026-11-29T01:14:21.799019Z`, with up to nine digits below a second.
    pub fn read(text: &str) -> Option<Self> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let (year, rest) = date.split_once('-')?;
        let (month, day) = rest.split_once('-')?;
        let (clock, below) = time.split_once('.').unwrap_or((time, "0"));
        let (hour, rest) = clock.split_once(':')?;
        let (minute, second) = rest.split_once(':')?;
        let number = |digits: &str, length: usize| {
            let plain = digits.len() == length && digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse::<i64>().ok()).flatten()
        };
        let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
        let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + i64::from(leap),
            _ => return None,
        };
        if !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        if !(1..=9).contains(&below.len()) || !below.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let nanoseconds: u32 = format!("{below:0<9}").parse().ok()?;
        // Days since 1970 by the Gregorian rule, with years that begin in March.
        let shifted = if month > 2 { year } else { year - 1 };
        let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        Some(Self { seconds: ((days * 24 + hour) * 60 + minute) * 60 + second, nanoseconds })
    }
}

/// Deeper nesting is refused.
const MAX_DEPTH: u32 = 16;

/// What is left of a JSON text (RFC 8259).
struct Json<'a> {
    left: &'a str,
}

impl Json<'_> {
    fn space(&mut self) {
        self.left = self.left.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Whether this comes next, after white space; it is passed then.
    fn passes(&mut self, token: &str) -> bool {
        self.space();
        let rest = self.left.strip_prefix(token);
        self.left = rest.unwrap_or(self.left);
        rest.is_some()
    }

    fn object(&mut self, depth: u32) -> Result<Vec<(String, Value)>, Unreadable> {
        let wrong = Unreadable("it is not a JSON object");
        let mut members: Vec<(String, Value)> = Vec::new();
        if depth > MAX_DEPTH || !self.passes("{") {
            return Err(wrong);
        }
        if self.passes("}") {
            return Ok(members);
        }
        loop {
            if !self.passes("\"") {
                return Err(wrong);
            }
            let name = self.string()?;
            if !self.passes(":") {
                return Err(wrong);
            }
            if members.iter().any(|(known, _)| *known == name) {
                return Err(Unreadable("a field of it stands there twice"));
            }
            let value = self.value(depth + 1)?;
            members.push((name, value));
            if self.passes("}") {
                return Ok(members);
            }
            if !self.passes(",") {
                return Err(wrong);
            }
        }
    }

    fn value(&mut self, depth: u32) -> Result<Value, Unreadable> {
        self.space();
        if self.left.starts_with('{') {
            return self.object(depth).map(|_| Value::Nested);
        }
        if self.passes("[") {
            return self.array(depth);
        }
        if self.passes("\"") {
            return self.string().map(Value::Text);
        }
        let words = [("null", Value::Null), ("true", Value::Truth(true)), ("false", Value::Truth(false))];
        for (word, value) in words {
            if self.passes(word) {
                return Ok(value);
            }
        }
        self.number()
    }

    fn array(&mut self, depth: u32) -> Result<Value, Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable("it is nested too deeply"));
        }
        if self.passes("]") {
            return Ok(Value::Nested);
        }
        loop {
            self.value(depth + 1)?;
            if self.passes("]") {
                return Ok(Value::Nested);
            }
            if !self.passes(",") {
                return Err(Unreadable("an array in it has no end"));
            }
        }
    }

    fn number(&mut self) -> Result<Value, Unreadable> {
        let end = self
            .left
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E')))
            .unwrap_or(self.left.len());
        let (number, rest) = self.left.split_at(end);
        let digits = number.strip_prefix('-').unwrap_or(number);
        let leading_zero =
            digits.starts_with('0') && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        if leading_zero || !digits.starts_with(|c: char| c.is_ascii_digit()) || number.parse::<f64>().is_err()
        {
            return Err(Unreadable("a value in it is no JSON"));
        }
        self.left = rest;
        Ok(Value::Number(number.to_owned()))
    }

    /// A string, of which the first quotation mark was passed.
    fn string(&mut self) -> Result<String, Unreadable> {
        let wrong = Unreadable("a text in it is no JSON");
        let mut text = String::new();
        let mut chars = self.left.chars();
        loop {
            match chars.next().ok_or(wrong)? {
                '"' => {
                    self.left = chars.as_str();
                    return Ok(text);
                }
                '\\' => text.push(match chars.next().ok_or(wrong)? {
                    c @ ('"' | '\\' | '/') => c,
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => escaped(&mut chars).ok_or(wrong)?,
                    _ => return Err(wrong),
                }),
                c if c < ' ' => return Err(wrong),
                c => text.push(c),
            }
        }
    }
}

/// The four digits of `\uXXXX`.
fn unit(chars: &mut std::str::Chars<'_>) -> Option<u16> {
    let digits = chars.as_str().get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let unit = u16::from_str_radix(digits, 16).ok()?;
    chars.nth(3)?;
    Some(unit)
}

/// The character of `\uXXXX`, or of two of these that are a surrogate pair.
fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let first = unit(chars)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first.into());
    }
    if (chars.next()?, chars.next()?) != ('\\', 'u') {
        return None;
    }
    let second = unit(chars)?;
    char::decode_utf16([first, second]).next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"resource":"ksn","verdict":"limited","rate":2,"phase":"restricted","cause":null,
        "until":"2026-11-29T01:14:21.799019Z","until_boot_ms":608519317,"boot_id":"5a8e",
        "written_at":"2026-11-22T01:14:21Z","when_agent_is_down":"last"}"#;

    #[test]
    fn a_permit_is_read_whole_or_not_at_all() {
        let permit = PermitText::read(GOOD).unwrap();
        assert_eq!(
            (
                permit.resource.as_str(),
                permit.verdict,
                permit.rate,
                permit.cause.as_deref(),
                permit.needs_agent
            ),
            ("ksn", Verdict::Limited, Some(2), None, false)
        );
        assert_eq!(
            (permit.until_text.as_str(), permit.until_boot_ms),
            ("2026-11-29T01:14:21.799019Z", 608_519_317)
        );
        for (old, new) in [
            ("\"limited\"", "\"Full\""),
            ("\"limited\"", "7"),
            ("\"rate\":2", "\"rate\":2.0"),
            ("\"rate\":2", "\"rate\":-2"),
            ("\"rate\":2", "\"rate\":\"2\""),
            ("608519317", "6e8"),
            ("608519317", "18446744073709551616"),
            ("608519317", "007"),
            ("2026-11-29T01:14:21.799019Z", "2026-11-29"),
            ("2026-11-29T01:14:21.799019Z", "2026-02-29T01:14:21Z"),
            ("\"last\"", "\"first\""),
            ("\"last\"}", "\"last\"} {}"),
            ("\"last\"}", "\"last\",}"),
            ("\"last\"}", "\"last\",\"verdict\":\"full\"}"),
            ("\"phase\":\"restricted\",", ""),
            ("\"boot_id\":\"5a8e\",", ""),
            ("\"5a8e\"", "\"\u{1}\""),
            ("\"5a8e\"", "\"\\ud800\""),
            ("\"5a8e\"", "\"\\x\""),
            ("\"restricted\"", "\"\\u001b[2J\""),
        ] {
            assert_ne!(GOOD.replace(old, new), GOOD);
            assert!(PermitText::read(&GOOD.replace(old, new)).is_err(), "{old} -> {new}");
        }
        for end in 0..GOOD.len() {
            assert!(PermitText::read(&GOOD[..end]).is_err(), "{end}");
        }
        // What a later agent adds is passed over.
        let more =
            GOOD.replace("\"rate\"", "\"new\":[1,{\"a\":[-0.5e-3,true]},\"\\u00e9\\ud83d\\ude00\"],\"rate\"");
        assert_eq!(PermitText::read(&more), Ok(permit));
        assert!(PermitText::read(&"[".repeat(100_000)).is_err());
        assert!(PermitText::read(&format!("{{\"a\":{}", "[".repeat(100_000))).is_err());
        assert!(PermitText::read(&"{\"a\":".repeat(100_000)).is_err());
    }

    #[test]
    fn instants_are_those_of_the_calendar() {
        let read = |text| Instant::read(text).map(|at| (at.seconds, at.nanoseconds));
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", (0, 0)),
            ("2000-02-29T23:59:59.5Z", (951_868_799, 500_000_000)),
            ("2026-11-29T01:14:21.799019Z", (1_795_914_861, 799_019_000)),
            ("9999-12-31T23:59:59.999999999Z", (253_402_300_799, 999_999_999)),
            ("0001-01-01T00:00:00Z", (-62_135_596_800, 0)),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for bad in [
            "",
            "2026-11-29T01:14:21",
            "2026-11-29T01:14:21+00:00",
            "2026-11-29 01:14:21Z",
            "2026-11-29T24:00:00Z",
            "2026-11-29T01:14:60Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-11-29T01:14:21.Z",
            "2026-11-29T01:14:21.1234567890Z",
            "+2026-1-29T01:14:21Z",
            "-001-11-29T01:14:21Z",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_boot_clock_decides_in_its_boot() {
        let until = Instant { seconds: 100, nanoseconds: 0 };
        let over = |wall: i64, boot_ms, boot_id: &str| {
            let now =
                Now { wall: Instant { seconds: wall, nanoseconds: 0 }, boot_ms, boot_id: boot_id.to_owned() };
            is_over(until, 1000, "b", &now)
        };
        assert!(!over(1_000_000, 999, "b") && over(0, 1000, "b"));
        assert!(!over(99, 5000, "another") && over(100, 0, "another"));
        let now =
            Now { wall: Instant { seconds: 99, nanoseconds: 0 }, boot_ms: 5000, boot_id: String::new() };
        assert!(!is_over(until, 1000, "", &now), "two boots that are unknown are not the same");
    }
}
