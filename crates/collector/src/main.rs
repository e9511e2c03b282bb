//! The collector: parse, call, exit code.

use anyhow::Context;
use serde_json::{Value, json};
use std::io::Write;
use std::process::ExitCode;
use svm_collector::cli::{Cli, Command, ConfigCommand, Files};
use svm_collector::tokens::{self, NewToken};
use svm_collector::{Collector, Settings};
use svm_core::clock::Clock;
use svm_core::command_line;
use svm_core::error_chain::Chain;
use svm_core::logging;
use svm_core::settings::{DEFAULT, SettingsError, Shown};
use tokio::signal::unix::{SignalKind, signal};

/// The settings are not valid; systemd does not restart the service on it (`RestartPreventExitStatus=`).
const WRONG_SETTINGS: u8 = 78;

const PROGRAM: &str = "svm-collector";

/// The answer cannot be written.
const CANNOT_WRITE: u8 = 74;

fn main() -> ExitCode {
    let arguments = svm_core::environment::arguments();
    let Cli { json, command } = match command_line::parse(&arguments) {
        Ok(cli) => cli,
        Err(misuse) => return ExitCode::from(command_line::answer(PROGRAM, &misuse, CANNOT_WRITE)),
    };
    match command {
        Command::Run(files) => run(files, json),
        Command::Config { command: ConfigCommand::Check(files) } => {
            match Settings::load(&files.named(), svm_core::environment::variables()) {
                Ok(settings) => {
                    let remarks = settings.remarks();
                    let value = json!({"ok": true, "remarks": remarks});
                    let said = say(json, &value, "The settings are valid.");
                    for remark in remarks.iter().filter(|_| !json) {
                        logging::complain(&format!("{PROGRAM}: warning: {remark}"));
                    }
                    said
                }
                Err(error) => complain(json, "bad_settings", &not_valid(&error), WRONG_SETTINGS),
            }
        }
        Command::Config { command: ConfigCommand::Show { files, changed } } => {
            match Settings::load_shown(&files.named(), svm_core::environment::variables()) {
                Ok((_, shown)) => show(json, &shown, changed),
                Err(error) => complain(json, "bad_settings", &not_valid(&error), WRONG_SETTINGS),
            }
        }
        Command::Token { source } => match tokens::make(source.as_deref()) {
            Some(NewToken { token, line }) => say(
                json,
                &json!({"token": token, "line": line}),
                &format!(
                    "Token for the agent, shown only once:\n  {token}\nLine for the file of tokens (tokens.file):\n  {line}"
                ),
            ),
            None => complain(
                json,
                "no_random_numbers",
                "the system gives no random numbers, so no token was made",
                1,
            ),
        },
    }
}

fn not_valid(error: &SettingsError) -> String {
    format!("the settings are not valid:\n{error}")
}

/// Every key with its value, and where it is set.
fn show(json: bool, shown: &Shown, changed: bool) -> ExitCode {
    let keys: Vec<_> = shown.iter().filter(|(_, value)| !changed || value.from != DEFAULT).collect();
    let all: serde_json::Map<String, Value> =
        keys.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let lines = keys.iter().map(|(key, value)| (format!("{key} = {}", value.value), &value.from));
    let lines: Vec<_> = lines.collect();
    let width = lines.iter().map(|(setting, _)| setting.chars().count()).max().unwrap_or(0).min(60);
    let lines: Vec<_> = lines.iter().map(|(setting, from)| format!("{setting:<width$}  # {from}")).collect();
    let text = if lines.is_empty() { "every key has its default".to_owned() } else { lines.join("\n") };
    say(json, &all.into(), &text)
}

fn run(files: Files, json: bool) -> ExitCode {
    let settings = match Settings::load(&files.named(), svm_core::environment::variables()) {
        Ok(settings) => settings,
        Err(error) => return complain(json, "bad_settings", &not_valid(&error), WRONG_SETTINGS),
    };
    logging::start("svm-collector", settings.log.format, settings.log.level);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(serve(settings)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %Chain(error.as_ref()), "svm-collector cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    let listen = settings.listen;
    let collector = Collector::open(settings, Clock::system())?;
    let listener =
        tokio::net::TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "svm-collector is ready; its page is http://{address}/");
    sd_notify::notify(&[sd_notify::NotifyState::Ready]).ok();
    let token_files = collector.token_files();
    let reloading = async {
        while hangup.recv().await.is_some() {
            token_files.iter().for_each(|file| file.reload());
            if token_files.is_empty() {
                tracing::info!("nothing to reload: no token is required (tokens.required = false)");
            }
        }
        std::future::pending().await
    };
    let shutdown = async {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {}, () = reloading => {} }
        sd_notify::notify(&[sd_notify::NotifyState::Stopping]).ok();
        tracing::info!("svm-collector is stopping; it answers the current requests first");
    };
    collector.serve(listener, shutdown).await;
    Ok(())
}

fn say(json: bool, value: &Value, text: &str) -> ExitCode {
    let said = if json { command_line::print_json(value) } else { writeln!(std::io::stdout(), "{text}") };
    ExitCode::from(said.map_or_else(|error| command_line::unwritten(PROGRAM, &error, CANNOT_WRITE), |()| 0))
}

fn complain(json: bool, code: &str, text: &str, exit: u8) -> ExitCode {
    command_line::report(PROGRAM, json, code, text);
    ExitCode::from(exit)
}
