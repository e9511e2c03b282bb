//! The vendor's tool: issues signed documents and publishes them as static files.

use std::process::ExitCode;
use svm::clock::Clock;

fn main() -> ExitCode {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(Into::into);
    svm::vendor::cli::main(std::env::args_os(), home, Clock::system())
}
