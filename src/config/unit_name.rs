//! Names of systemd units.

/// Units of the protection that are never stopped, whatever the settings say.
pub const ALWAYS_PROTECTION: &[&str] = &["la-scanserver.service"];

/// The name of a service as systemd takes it (`systemd.unit(5)`): at most 255 of these characters, and its type.
pub fn service_name(text: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b":_.\\@-".contains(&b);
    let form = "must be the name of a service, such as \"svm-agent-update.service\"";
    match text.strip_suffix(".service") {
        Some(stem)
            if !stem.is_empty() && text.len() <= 255 && text.bytes().all(plain) && !stem.starts_with('-') =>
        {
            if stem.ends_with('@') {
                return Err(format!(
                    "`{text}` is a template; name an instance of it, such as \"{stem}1.service\""
                ));
            }
            Ok(())
        }
        Some(_) => Err(form.to_owned()),
        None if !text.contains('.') && !text.is_empty() => {
            Err(format!("{form}; did you mean \"{text}.service\"?"))
        }
        None => Err(form.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_a_name_that_systemd_takes() {
        for good in ["a.service", "kesl-update@1.service", "dev-sda\\x2d1.service"] {
            assert_eq!(service_name(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("kesl-update", "did you mean \"kesl-update.service\"?"),
            ("a.timer", "must be the name of a service"),
            ("a@.service", "name an instance of it, such as \"a@1.service\""),
            (".service", "must be"),
            ("a b.service", "must be"),
            ("../a.service", "must be"),
            ("--now.service", "must be"),
        ] {
            assert!(service_name(bad).unwrap_err().contains(why), "{bad}");
        }
    }
}
