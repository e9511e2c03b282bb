//! "How do I stop or renew this?": whom to turn to, and with which words.
//!
//! Promises: what is said follows from tables (`sellers.rs`), in English and in Russian alike; nothing is guessed
//! silently: what is unsure is said to be. It goes by public pages, which are about home and small-office products,
//! and says so. Must not know: sockets, files, clocks. `docs/reference/renewal.md` is for people.

mod advice;
mod order_number;
mod sellers;
mod words;

#[cfg(test)]
mod tests;

pub use advice::{Advice, KeyFacts, Known, Letter, advise};
pub use order_number::{LONGEST, LookAlike, OrderNumber, OrderNumberError};
pub use sellers::{Seller, WriteTo};
pub use words::Lang;
