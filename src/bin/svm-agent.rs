//! The agent: see `svm-agent --help`.

use clap::Parser;
use std::process::ExitCode;
use svm::agent::cli::Cli;

fn main() -> ExitCode {
    svm::memory::keep_small();
    svm::http::install_tls();
    ExitCode::from(Cli::parse().run())
}
