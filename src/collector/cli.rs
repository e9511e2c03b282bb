//! The command line of `svm-collector`.

use super::settings::DEFAULT_FILE;
use crate::settings::present;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// The receiving end for agents' events: keeps them and shows the fleet.
#[derive(Parser)]
#[command(name = "svm-collector", version)]
pub struct Cli {
    /// What is asked.
    #[command(subcommand)]
    pub command: Command,
}

/// What it can be asked to do.
#[derive(Subcommand)]
pub enum Command {
    /// Take events and show the fleet until told to stop
    Run(Files),
    /// Look after the settings
    Config {
        /// What about them.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Make a token for a sender, and the line that lets it in
    Token,
}

/// What it can be asked about its settings.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Tell everything that is wrong with the settings
    Check(Files),
}

/// Which settings to read.
#[derive(Args)]
pub struct Files {
    /// Settings files, later ones win [default: /etc/svm-collector/collector.toml, where it is there]
    #[arg(long = "config", value_name = "FILE", num_args = 1..)]
    config: Vec<PathBuf>,
}

impl Files {
    /// Those that were named, else the usual one where it is there.
    pub fn named(self) -> Vec<PathBuf> {
        match self.config.is_empty() {
            true => present([DEFAULT_FILE.into()]),
            false => self.config,
        }
    }
}
