//! The agent: the daemon on each SVM, and its command line.

pub mod settings;
pub mod store;
