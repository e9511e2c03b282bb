//! The demonstration: a provider, a collector with its page and an agent on loopback, in a temporary folder,
//! with a clock that runs a day in a second. See `svm-demo --help`.

mod story;
mod verdict;
mod world;

use anyhow::Context;
use clap::Parser;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use svm::command_line;
use svm::text::clean;
use world::{Told, World};

/// See the main job done: one subscription from activation to expiry, grace, restriction, renewal and a
/// reserve key that takes over. A day takes a second.
#[derive(Parser)]
#[command(name = "svm-demo", version)]
struct Cli {
    /// End with the story; exit code 0 only if the collector holds exactly what `simulate` foretells
    #[arg(long)]
    once: bool,
    /// Port of the collector's page on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8480)]
    port: u16,
}

fn main() -> ExitCode {
    svm::http::install_tls();
    let arguments = svm::environment::arguments();
    let cli: Cli = match command_line::parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(command_line::answer("svm-demo", &error, &arguments, 1)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.context("cannot start").and_then(|runtime| runtime.block_on(demo(&cli)));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("svm-demo: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str) {
    // Where nobody reads, there is nobody to tell.
    writeln!(std::io::stdout(), "{line}").ok();
}

/// One line of the timeline.
fn tell(told: &Told) {
    let (word, colour) = match told.severity {
        4 => ("CRITICAL", "\x1b[31m"),
        3 => ("FAILURE", "\x1b[35m"),
        2 => ("WARNING", "\x1b[33m"),
        _ => ("info", "\x1b[32m"),
    };
    let (on, off) = if std::io::stdout().is_terminal() { (colour, "\x1b[0m") } else { ("", "") };
    let when = told.effective.strftime("%Y-%m-%d %H:%M");
    say(&format!("{when}  {on}{word:<8}{off}  {}: {}", told.name, clean(&told.description)));
}

async fn demo(cli: &Cli) -> anyhow::Result<bool> {
    let mut world = World::build(cli.port).await?;
    say(&format!("The fleet, live:  {}/", world.collector));
    say(
        "A day takes a second. Each scene says who does what and why; below it stands what the collector holds, as it comes in.",
    );
    let scenario = story::play(&mut world, tell).await?;
    let differences = verdict::compare(&scenario, world.told())?;
    for difference in &differences {
        say(difference);
    }
    let events = world.told().len();
    if differences.is_empty() {
        say(&format!(
            "\nThe collector holds {events} events of the life cycle: exactly what `simulate` foretells for this story."
        ));
    } else {
        say(&format!(
            "\nThe collector's {events} events are not what `simulate` foretells for this story: see above."
        ));
    }
    if !cli.once {
        say(&format!(
            "The clock stopped with the story. The page stays up at {}/ until you press Ctrl-C.",
            world.collector
        ));
        world.rest().await;
        tokio::signal::ctrl_c().await?;
    }
    world.end().await;
    Ok(differences.is_empty())
}
