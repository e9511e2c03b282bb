//! The life cycle against its oracle: `tests/oracle/` has the same rules a second time, in Python and from the
//! text alone, and random scenarios must tell the same on both sides.

use crate::support::program;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_oracle_tells_the_same() {
    if !Command::new("python3").arg("--version").output().is_ok_and(|done| done.status.success()) {
        assert!(std::env::var_os("SVM_TEST_REQUIRE_ALL").is_none(), "python3 is not installed");
        println!("not run: python3 is not installed");
        return;
    }
    let done = Command::new("python3")
        .args(["-B", "tests/oracle/fuzz.py", "--agent"])
        .arg(program("svm-agent"))
        .args(["--cases", "tests/cases", "--seed", "20260101", "--count", "600"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    let [out, err] = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(done.status.success(), "{out}{err}");
    println!("{out}");
}
