//! The text format of Prometheus, version 0.0.4: families of samples.
//!
//! Promises: whatever a label holds, a sample stays on its line. Must not know: what is measured.

use jiff::Timestamp;
use std::fmt::{Display, Write};

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// Labels of a sample: name and text.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// A text under way.
#[derive(Default)]
pub struct Text(String);

impl Text {
    pub fn into_string(self) -> String {
        self.0
    }

    /// Opens a family; all its samples follow.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a text cannot fail.
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
    }

    /// A sample of the family that is open.
    pub fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(self.0, "{name}{labels} {value}").ok();
    }

    /// A gauge of one sample.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// A counter of one sample.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "counter", help);
        self.sample(name, &[], value);
    }

    /// A gauge with a label; without samples there is no family either.
    pub fn gauges<'a, V: Display>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (&'a str, V)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        self.family(name, "gauge", help);
        for (text, value) in samples {
            self.sample(name, &[(label, text)], value);
        }
    }

    /// A gauge with an instant as seconds since the beginning of 1970; nothing where there is none.
    pub fn instant(&mut self, name: &str, help: &str, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.gauge(name, help, at.as_second());
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_its_line() {
        let mut out = Text::default();
        out.sample("m", &[("a", "x\"y\n\\")], 1);
        assert_eq!(out.0, "m{a=\"x\\\"y\\n\\\\\"} 1\n");
        out.gauges::<u8>("empty", "Nothing.", "a", []);
        assert!(!out.0.contains("empty"));
    }
}
