//! The vendor's tool: issues signed documents and publishes them as static files.

use std::process::ExitCode;
use svm::clock::Clock;
use svm::environment;

fn main() -> ExitCode {
    svm::http::install_tls();
    let home = environment::variable("HOME").map(Into::into);
    svm::vendor::cli::main(environment::arguments(), home, Clock::system())
}
