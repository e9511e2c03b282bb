//! The agent: see `svm-agent --help`.

use std::process::ExitCode;
use svm::agent::cli::Cli;

fn main() -> ExitCode {
    svm::memory::keep_small();
    svm::http::install_tls();
    ExitCode::from(Cli::read(svm::environment::arguments()).map_or_else(|code| code, Cli::run))
}
