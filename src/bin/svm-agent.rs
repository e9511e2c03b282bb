//! The agent: daemon and command line.

fn main() {}
