//! One program for all targets: `SVM_FUZZ=NAME svm-fuzz ...` (docs/development/testing.md). Without a name it lists them.
#![no_main]

use std::sync::OnceLock;
use svm::fuzzing::{TARGETS, Target};

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

fn choose() {
    let name = std::env::var("SVM_FUZZ").unwrap_or_default();
    let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
        for Target { name, most, .. } in TARGETS {
            println!("{name} {most}");
        }
        std::process::exit(i32::from(!name.is_empty()));
    };
    CHOSEN.set(target).ok();
}

libfuzzer_sys::fuzz_target!(
    init: choose(),
    |data: &[u8]| {
        if let Some(target) = CHOSEN.get() {
            (target.run)(data);
        }
    }
);
