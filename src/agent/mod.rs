//! The agent: the daemon on each SVM, and its command line.

pub mod enforcement;
pub mod settings;
pub mod source;
pub mod store;
