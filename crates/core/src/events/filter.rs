//! Which events a destination takes: by severity and by type.

use crate::subscription::Severity;
use std::fmt;
use std::str::FromStr;

/// A type of event, such as `subscription.expired`, or the beginning of several, such as `subscription.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypePattern {
    text: String,
    prefix: bool,
}

/// A text that is no pattern of types.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no type of event: such as \"subscription.expired\", \"subscription.*\" or \"*\"")]
pub struct NoPattern(String);

impl FromStr for TypePattern {
    type Err = NoPattern;

    fn from_str(text: &str) -> Result<Self, NoPattern> {
        let (name, prefix) = match text.strip_suffix('*') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let whole = !prefix || name.is_empty() || name.ends_with('.');
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.');
        // The `svm.` of the wire is not part of a type's name here, nor in the log and the documentation.
        if !whole || !plain || text.is_empty() || name.len() > 100 || name.starts_with("svm.") {
            return Err(NoPattern(text.chars().take(100).collect()));
        }
        Ok(Self { text: name.to_owned(), prefix })
    }
}

impl fmt::Display for TypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.prefix { "*" } else { "" })
    }
}

impl TypePattern {
    /// Whether a type of events is one of those that the pattern stands for.
    pub fn matches(&self, type_name: &str) -> bool {
        if self.prefix { type_name.starts_with(&self.text) } else { type_name == self.text }
    }
}

/// What a destination takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Events of at least this severity.
    pub least: Severity,
    /// And of one of these types.
    pub types: Vec<TypePattern>,
    /// But of none of these.
    pub except: Vec<TypePattern>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            least: Severity::Info,
            types: vec![TypePattern { text: String::new(), prefix: true }],
            except: Vec::new(),
        }
    }
}

impl Filter {
    /// Whether an event goes there.
    pub fn takes(&self, type_name: &str, severity: Severity) -> bool {
        let matches = |patterns: &[TypePattern]| patterns.iter().any(|pattern| pattern.matches(type_name));
        severity >= self.least && matches(&self.types) && !matches(&self.except)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_goes_by_severity_and_type() {
        let all = Filter::default();
        assert!(all.takes("agent.report", Severity::Info));
        let types = ["subscription.*", "key.removed"].map(|t| t.parse().unwrap()).into();
        let except = vec!["subscription.grace_ending".parse().unwrap()];
        let some = Filter { least: Severity::Warning, types, except };
        assert!(some.takes("subscription.expired", Severity::Critical));
        assert!(some.takes("key.removed", Severity::Warning));
        assert!(!some.takes("subscription.grace_ending", Severity::Warning), "an exception counts");
        assert!(!some.takes("key.removed", Severity::Info), "the severity counts");
        assert!(!some.takes("key.added", Severity::Critical), "the type counts");
        assert!(!some.takes("key.removed.twice", Severity::Critical), "a whole name is whole");
    }

    #[test]
    fn what_can_match_nothing_is_refused() {
        for wrong in ["", "Subscription.*", "sub*", "svm.key.added", "a b", "*.added"] {
            assert!(wrong.parse::<TypePattern>().is_err(), "{wrong}");
        }
        for right in ["*", "key.*", "devices.limit"] {
            assert_eq!(right.parse::<TypePattern>().unwrap().to_string(), right);
        }
    }
}
