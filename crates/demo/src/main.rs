//! The demonstration: a provider, a collector with its page and an agent on loopback, in a temporary folder,
//! with a clock that runs a day in a second. See `svm-demo --help`.

mod print;
mod story;
mod verdict;
mod world;

use anyhow::Context;
use clap::Parser;
use std::process::ExitCode;
use svm_core::command_line;
use world::World;

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
    svm_core::http::install_tls();
    let arguments = svm_core::environment::arguments();
    let cli: Cli = match command_line::parse(&arguments) {
        Ok(cli) => cli,
        Err(misuse) => return ExitCode::from(command_line::answer("svm-demo", &misuse, 1)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.context("cannot start").and_then(|runtime| runtime.block_on(demo(&cli)));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            print::line(&format!("svm-demo: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn demo(cli: &Cli) -> anyhow::Result<bool> {
    let mut world = World::build(cli.port, story::start(), story::end()).await?;
    print::line(&format!("The fleet, live:  {}/", world.collector));
    print::line(
        "A day takes a second. Each scene says who does what and why; below it stands what the collector holds, as it comes in.",
    );
    let scenario = story::play(&mut world, print::event).await?;
    let differences = verdict::compare(&scenario, world.received())?;
    for difference in &differences {
        print::line(difference);
    }
    let events = world.received().len();
    if differences.is_empty() {
        print::line(&format!(
            "\nThe collector holds {events} events of the life cycle: exactly what `simulate` foretells for this story."
        ));
    } else {
        print::line(&format!(
            "\nThe collector's {events} events are not what `simulate` foretells for this story: see above."
        ));
    }
    if !cli.once {
        print::line(&format!(
            "The clock stopped with the story. The page stays up at {}/ until you press Ctrl-C.",
            world.collector
        ));
        world.rest().await;
        tokio::signal::ctrl_c().await?;
    }
    world.end().await;
    Ok(differences.is_empty())
}
