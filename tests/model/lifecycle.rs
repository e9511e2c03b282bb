//! The contract of the life cycle: every scenario of `tests/cases/` gives its timeline.

use serde_json::Value;
use svm_core::subscription::Scenario;

/// Whether `found` has everything that `expected` says; events may carry more fields.
fn agrees(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(name, value)| found.get(name).is_some_and(|f| agrees(value, f)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(e, f)| agrees(e, f))
        }
        _ => expected == found,
    }
}

#[test]
fn every_case_gives_its_timeline() {
    let mut played = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let case: Value = serde_json::from_str(&text).unwrap();
        let rows = Scenario::read(&text).unwrap().play().unwrap();
        let rows: Vec<Value> = rows.iter().map(|row| serde_json::to_value(row).unwrap()).collect();
        let expected = case["expect"].as_array().unwrap();
        for (index, expected) in expected.iter().enumerate() {
            let found = rows.get(index).unwrap_or(&Value::Null);
            assert!(
                agrees(expected, found),
                "{}\nrow {index}\nexpected {expected}\nfound    {found}",
                path.display()
            );
        }
        assert_eq!(
            rows.len(),
            expected.len(),
            "{}: more rows: {:?}",
            path.display(),
            &rows[expected.len()..]
        );
        played += 1;
    }
    assert!(played >= 20, "only {played} cases were found");
}
