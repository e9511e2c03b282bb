//! One program for all targets: `SVM_FUZZ=agent/NAME svm-fuzz ...` (docs/development/testing.md). Without a name it lists them.
#![no_main]

use std::sync::OnceLock;

static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();

/// Name, length of the longest input, and what runs it.
fn targets() -> Vec<(String, usize, fn(&[u8]))> {
    macro_rules! of {
        ($($krate:ident)+) => {{
            let mut all = Vec::new();
            $(for target in $krate::fuzzing::TARGETS {
                all.push((format!("{}/{}", $krate::fuzzing::CORPUS, target.name), target.most, target.run));
            })+
            all
        }};
    }
    of!(svm_agent svm_collector svm_vendor)
}

fn choose() {
    let chosen = std::env::var("SVM_FUZZ").unwrap_or_default();
    match targets().into_iter().find(|(name, ..)| *name == chosen) {
        Some((.., run)) => drop(CHOSEN.set(run)),
        None => {
            for (name, most, _) in targets() {
                println!("{name} {most}");
            }
            std::process::exit(i32::from(!chosen.is_empty()));
        }
    }
}

libfuzzer_sys::fuzz_target!(
    init: choose(),
    |data: &[u8]| {
        if let Some(run) = CHOSEN.get() {
            run(data);
        }
    }
);
