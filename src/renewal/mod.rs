//! "How do I renew or stop this?": whom to write to, and with which words.
//!
//! Promises: the state of the subscription decides what comes first, and no sentence contradicts it; what follows from a
//! table (`sellers.rs`) follows from public pages about home and small-office products, and says so; what is unsure is
//! said to be. The sentences are those of the catalogue. Must not know: sockets, files, clocks.

mod advice;
mod known;
mod letter;
mod order_number;
mod sellers;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;

pub use advice::{Advice, Part, Purpose, advise};
pub use known::{Known, KnownKey};
pub use letter::Letter;
pub use order_number::{LONGEST, LookAlike, OrderNumber, OrderNumberError};
pub use sellers::{Seller, WriteTo};
