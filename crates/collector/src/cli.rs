//! The command line of `svm-collector`.

use super::settings::DEFAULT_FILE;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use svm_core::settings::present;

/// The receiving end for agents' events: keeps them and shows the fleet.
#[derive(Parser)]
#[command(name = "svm-collector", version)]
pub struct Cli {
    /// Print JSON, errors included
    #[arg(long, global = true)]
    pub json: bool,
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
    Token {
        /// The source it may speak for, and no other token then, such as urn:svm:ID
        #[arg(long, value_name = "SOURCE", value_parser = source)]
        source: Option<String>,
    },
}

/// A source as a line of the token file can have it.
fn source(text: &str) -> Result<String, String> {
    let is_good = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_good {
        Ok(super::fleet::canonical_source(text).into_owned())
    } else {
        Err("is not a URI".to_owned())
    }
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
