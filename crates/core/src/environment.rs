//! The variables and arguments of the process, which need not be UTF-8. No other module reads them.

#![allow(clippy::disallowed_methods, reason = "the one place that reads variables and arguments")]

use std::ffi::OsString;

/// All variables, as they are.
pub fn variables() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// A variable; `None` where it is not set or is empty.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// A variable as text; `None` where it is not set, is empty or is not UTF-8.
pub fn text(name: &str) -> Option<String> {
    variable(name)?.into_string().ok()
}

/// The command line, the name of the program first.
pub fn arguments() -> Vec<OsString> {
    std::env::args_os().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_not_set() {
        // Cargo sets the first; nobody the second. The environment of a test is not changed.
        assert!(variable("CARGO_MANIFEST_DIR").is_some() && text("CARGO_MANIFEST_DIR").is_some());
        assert_eq!((variable("SVM_NEVER_SET_IN_TESTS"), text("SVM_NEVER_SET_IN_TESTS")), (None, None));
        assert!(variables().iter().any(|(name, _)| name == "CARGO_MANIFEST_DIR"));
    }
}
