//! How long it takes to ask for a permit: by the command, which reads the file, and over the socket.

use super::{Agent, Figures, build, percentile, root, rounded, sized};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

/// So often each is asked.
fn times() -> usize {
    sized(1000, 40)
}

/// The gate program as it is given out.
fn gate() -> PathBuf {
    let status = Command::new(root().join("packaging/gate.sh")).env("CARGO", env!("CARGO")).status().unwrap();
    assert!(status.success(), "packaging/gate.sh");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("gate/release/svm-gate")
}

/// `permit_gate_ms`, `permit_command_ms`, `permit_take_command_ms` and `permit_socket_p50_us`, with `…_p99` beside them.
pub fn measure(figures: &mut Figures) {
    let (binary, folder) = (build(), tempfile::tempdir().unwrap());
    let agent = Agent::new(&binary, folder.path(), "");
    let (_process, _) = agent.start();
    agent.activate(10);
    let command = |more: &[&str]| {
        let mut times: Vec<f64> = (0..times() / 4)
            .map(|_| {
                let began = Instant::now();
                let mut command = Command::new(&binary);
                command
                    .arg("--config")
                    .arg(folder.path().join("agent.toml"))
                    .args(["permit", "database-updates"]);
                let status = command.args(more).stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
                assert!(status.success());
                began.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        (percentile(&mut times, 0.5), percentile(&mut times, 0.99))
    };
    let (p50, p99) = command(&[]);
    figures.insert("permit_command_ms", rounded(p50));
    figures.insert("permit_command_p99_ms", rounded(p99));
    let (p50, p99) = command(&["--take", "--unit", "update.service"]);
    figures.insert("permit_take_command_ms", rounded(p50));
    figures.insert("permit_take_command_p99_ms", rounded(p99));
    let gate = gate();
    let resource_and_unit = ["database-updates", "update.service"];
    let mut times_of_gate: Vec<f64> = (0..times())
        .map(|_| {
            let began = Instant::now();
            let mut command = Command::new(&gate);
            command.arg(folder.path().join("run")).args(resource_and_unit).stdin(Stdio::null());
            assert!(command.stdout(Stdio::null()).status().unwrap().success());
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    figures.insert("permit_gate_ms", rounded(percentile(&mut times_of_gate, 0.5)));
    figures.insert("permit_gate_p99_ms", rounded(percentile(&mut times_of_gate, 0.99)));
    let mut times: Vec<f64> = (0..times() * 2)
        .map(|_| {
            let began = Instant::now();
            let mut query = agent.query();
            query.send("GET", "v1/permits/database-updates", "");
            assert_eq!(query.answer()["allowed"], true);
            began.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    figures.insert("permit_socket_p50_us", rounded(percentile(&mut times, 0.5)));
    figures.insert("permit_socket_p99_us", rounded(percentile(&mut times, 0.99)));
}
