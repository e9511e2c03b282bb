//! What is fuzzed.

/// A target.
pub struct Target {
    /// As the folder of its corpus.
    pub name: &'static str,
    /// Longer inputs are not tried: what the product itself bounds, or enough to show how work grows.
    pub most: usize,
    pub run: fn(&[u8]),
}

pub(crate) const fn target(name: &'static str, most: usize, run: fn(&[u8])) -> Target {
    Target { name, most, run }
}
