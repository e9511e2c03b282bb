//! The kept corpus: what the fuzzer found once, and what shows it the way.

use super::{CORPUS, TARGETS};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("fuzz").is_dir());
    root.unwrap().join("fuzz/corpus").join(CORPUS)
}

fn inputs(folder: &Path) -> Vec<PathBuf> {
    let mut inputs: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    inputs
}

#[test]
fn every_target_takes_its_corpus() {
    for target in TARGETS {
        let inputs = inputs(&folder().join(target.name));
        assert!(!inputs.is_empty(), "{} has no corpus", target.name);
        for input in inputs {
            let bytes = std::fs::read(&input).unwrap();
            assert!(bytes.len() <= target.most, "{}", input.display());
            if let Err(panic) = std::panic::catch_unwind(|| (target.run)(&bytes)) {
                eprintln!("target {}, input {}", target.name, input.display());
                std::panic::resume_unwind(panic);
            }
        }
    }
}

#[test]
fn each_corpus_belongs_to_a_target_and_all_are_small() {
    let names: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let folders = inputs(&folder());
    let found: BTreeSet<_> =
        folders.iter().map(|f| f.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(found, names);
    let bytes: u64 = folders.iter().flat_map(|f| inputs(f)).map(|f| f.metadata().unwrap().len()).sum();
    assert!(bytes < 2_000_000, "{bytes} bytes are no small corpus");
}
