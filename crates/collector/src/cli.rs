//! The command line of `svm-collector`.

use super::settings::DEFAULT_FILE;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use svm_core::settings::present;

/// Receives the events of agents, stores them and shows all SVMs on a page.
#[derive(Parser)]
#[command(name = "svm-collector", version, after_help = EXIT_CODES, max_term_width = 80)]
pub struct Cli {
    /// Print JSON, also for errors
    #[arg(long, global = true, help_heading = ALL_COMMANDS)]
    pub json: bool,
    /// What is asked.
    #[command(subcommand)]
    pub command: Command,
}

const ALL_COMMANDS: &str = "Options of all commands";

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   failed
  2   wrong usage
  74  the answer cannot be written
  78  the settings are not valid";

/// What it can be asked to do.
#[derive(Subcommand)]
pub enum Command {
    /// Run the collector; svm-collector.service does this
    Run(Files),
    /// Check and show the settings
    Config {
        /// What about them.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Make a token for an agent, and the line for the file of tokens
    Token {
        /// Source that only this token may use, such as urn:svm:ID
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
        Err("is not a URI without spaces, such as urn:svm:ID".to_owned())
    }
}

/// What it can be asked about its settings.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Check the settings and list everything that is wrong with them
    Check(Files),
    /// Show each key with its value, and the file and line that set it
    Show {
        /// Which settings.
        #[command(flatten)]
        files: Files,
        /// Only keys that differ from the defaults
        #[arg(long)]
        changed: bool,
    },
}

/// Which settings to read.
#[derive(Args)]
pub struct Files {
    /// Settings file; may be given several times, later files win
    /// [default: /etc/svm-collector/collector.toml, if it exists]
    #[arg(long = "config", value_name = "FILE", num_args = 1..)]
    config: Vec<PathBuf>,
}

impl Files {
    /// Those that were named, else the default one if it exists.
    pub fn named(self) -> Vec<PathBuf> {
        match self.config.is_empty() {
            true => present([DEFAULT_FILE.into()]),
            false => self.config,
        }
    }
}
