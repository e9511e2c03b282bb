//! The vendor's tool.

fn main() {}
