//! The demonstration: a provider, a collector with its page and an agent on loopback, in a temporary folder,
//! with a clock that runs a day in a second and stops with the story. See `svm-demo --help`.

mod print;
mod story;
mod verdict;
mod world;

use anyhow::Context;
use clap::Parser;
use std::process::ExitCode;
use svm_core::command_line;
use world::World;

/// Shows the whole life of a subscription on this machine: a day takes a second.
///
/// A provider, an agent and a console run in a temporary folder: activation, the end of the term, the grace period,
/// restriction, renewal, a pause, and a reserve key that takes over. The console has a page to watch.
#[derive(Parser)]
#[command(name = "svm-demo", version, after_help = EXIT_CODES, max_term_width = 80)]
struct Cli {
    /// End after the story; do not keep the page until Ctrl-C
    #[arg(long)]
    once: bool,
    /// Port of the page on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8480)]
    port: u16,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  the console received exactly the events that the rules foretell
  1  it did not, or the demonstration failed
  2  wrong usage";

const PROGRAM: &str = "svm-demo";

fn main() -> ExitCode {
    svm_core::http::install_tls();
    let arguments = svm_core::environment::arguments();
    let cli: Cli = match command_line::parse(&arguments) {
        Ok(cli) => cli,
        Err(misuse) => return ExitCode::from(command_line::answer(PROGRAM, &misuse, 1)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.context("cannot start").and_then(|runtime| runtime.block_on(demo(&cli)));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            command_line::report(PROGRAM, false, "failed", &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn demo(cli: &Cli) -> anyhow::Result<bool> {
    let mut world = World::build(cli.port, story::start(), story::end()).await?;
    print::line(&format!("The console shows the SVM while the story runs: {}/", world.collector));
    print::line("A day takes a second. Below each scene are the events that the console received.");
    let scenario = story::play(&mut world, print::event).await?;
    let differences = verdict::compare(&scenario, world.received())?;
    for difference in &differences {
        print::line(difference);
    }
    let events = world.received().len();
    if differences.is_empty() {
        print::line(&format!(
            "\nThe console received {events} events: exactly those that the rules foretell for this story (svm-agent simulate)."
        ));
    } else {
        print::line(&format!(
            "\nThe console received {events} events, and they are not those that the rules foretell for this story: see above."
        ));
    }
    if !cli.once {
        world.rest().await;
        print::line(
            "The clock has stopped with the story, and the console stays until you press Ctrl-C. Look at:",
        );
        let address = &world.collector;
        for (what, where_to) in [
            ("all SVMs, and one SVM with its timeline", format!("{address}/")),
            ("the same as JSON", format!("curl -s {address}/v1/svms")),
            (
                "the last events",
                format!("curl -s '{address}/v1/events?after={}'", world.position().saturating_sub(5)),
            ),
            ("the metrics", format!("curl -s {address}/metrics")),
        ] {
            print::line(&format!("  {what}:"));
            print::line(&format!("    {where_to}"));
        }
        tokio::signal::ctrl_c().await?;
    }
    world.end().await;
    Ok(differences.is_empty())
}
