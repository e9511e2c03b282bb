//! The agent: see `svm-agent --help`.

use std::process::ExitCode;
use svm_agent::cli::Cli;

fn main() -> ExitCode {
    svm_core::memory::keep_small();
    svm_core::http::install_tls();
    ExitCode::from(Cli::read(svm_core::environment::arguments()).map_or_else(|code| code, Cli::run))
}
