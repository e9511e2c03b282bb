//! The vendor's tool: issues signed documents and publishes them as static files.

use std::process::ExitCode;
use svm_core::clock::Clock;
use svm_core::environment;

fn main() -> ExitCode {
    svm_core::http::install_tls();
    let home = environment::variable("HOME").map(Into::into);
    svm_vendor::cli::main(environment::arguments(), home, Clock::system())
}
