use super::*;
use svm_core::subscription::Settings as Rules;

fn read(text: &str) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("agent.toml");
    std::fs::write(&file, text).unwrap();
    Settings::read(&[file], [])
        .map_err(|e| e.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

#[test]
fn what_goes_unencrypted_is_reported() {
    let of = |text: &str| read(text).unwrap().unencrypted();
    let destination = |url: &str| format!("[destinations.a]\nurl = \"{url}\"\n");
    for (text, message) in [
        ("[source]\nurl = \"http://vendor.example\"\n".to_owned(), "`source.url`: documents"),
        (
            destination("http://10.0.0.1/") + "token_file = \"/t\"\n",
            "`destinations.a.token_file`: the token goes unencrypted to 10.0.0.1:80",
        ),
        (
            destination("http://h:8080/in?sig=planted"),
            "`destinations.a.url`: what stands behind `?` goes unencrypted to h:8080",
        ),
        (destination("http://localhost/") + "certificate_file = \"/c\"\nkey_file = \"/k\"\n", "never used"),
        (
            destination("tcp://h:514") + "kind = \"syslog\"\ncertificate_file = \"/c\"\nkey_file = \"/k\"\n",
            "never used",
        ),
    ] {
        let found = of(&text);
        assert!(found.len() == 1 && found[0].contains(message) && !found[0].contains("planted"), "{found:?}");
    }
    for quiet in [
        "[source]\nurl = \"https://vendor.example\"\n".to_owned(),
        "[source]\nurl = \"http://127.0.0.1:8080\"\n".to_owned(),
        destination("http://[::1]/?a=b") + "token_file = \"/t\"\n",
        destination("https://h/?a=b") + "token_file = \"/t\"\ncertificate_file = \"/c\"\nkey_file = \"/k\"\n",
        destination("http://10.0.0.1/"),
    ] {
        assert_eq!(of(&quiet), [""; 0], "{quiet}");
    }
}

#[test]
fn an_address_is_taken_as_it_stands_and_a_base_loses_its_slash() {
    for url in
        ["http://h/hooks/svm/", "https://h/?token=c2Vj/", "http://h", "http://h/p?", "http://h/a/../B//"]
    {
        let settings = read(&format!("[destinations.a]\nurl = \"{url}\"\n")).unwrap();
        let Speaks::CloudEvents(settings) = &settings.destinations["a"].speaks else { panic!() };
        assert_eq!(settings.url.whole(), url);
    }
    let settings = read("[source]\nurl = \"https://h/docs//\"\nproxy = \"http://p:3128/\"\n").unwrap();
    assert_eq!(settings.source.url.as_deref(), Some("https://h/docs"));
    assert_eq!(settings.source.connection.proxy.as_deref(), Some("http://p:3128"));
    for key in ["destinations.a.url", "source.url", "source.proxy"] {
        let (table, key) = key.rsplit_once('.').unwrap();
        let message = read(&format!("[{table}]\n{key} = \"https://h/p#planted\"\n")).unwrap_err();
        assert!(message.contains('#') && !message.contains("planted"), "{message}");
    }
}

#[test]
fn the_documented_defaults_are_settings() {
    let settings = Settings::read(&[], []).unwrap();
    let rules = Rules { enforcement_is_proved: true, ..Rules::new("6.1.0".parse().unwrap()) };
    assert_eq!(settings.rules, rules);
    assert_eq!(settings.permit_max_age.as_hours(), 7 * 24);
    assert!(settings.source.url.is_none() && settings.destinations.is_empty());
}

#[test]
fn the_schema_in_the_documentation_is_that_of_the_settings() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/svm-agent.schema.json");
    let schema = format!("{:#}\n", json_schema());
    if std::env::var_os("SVM_WRITE_DOCS").is_some() {
        std::fs::write(file, &schema).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(written == schema, "write it anew: SVM_WRITE_DOCS=1 cargo test --lib the_schema");
}

#[test]
fn what_is_documented_as_a_comment_has_every_key_with_its_default() {
    let shown = |header: &str| {
        let lines = DEFAULTS.lines().skip_while(|line| *line != header).skip(1);
        let lines = lines.take_while(|line| line.starts_with('#')).filter_map(|line| line.strip_prefix("# "));
        let text: String =
            lines.filter(|l| !l.starts_with('#') && l.contains(" = ")).map(|l| format!("{l}\n")).collect();
        toml::from_str::<toml::Table>(&text).unwrap()
    };
    for (header, needed, keys) in
        [("# [destinations.console]", "url", DESTINATION), ("# [actions.kesl-ksn]", "resource", ACTION)]
    {
        let mut shown = shown(header);
        shown.insert(needed.into(), "".into());
        assert_eq!(shown, toml::from_str(keys).unwrap(), "{header}");
    }
}

#[test]
fn impossible_values_are_named_with_their_line_all_at_once() {
    let text = "[product]\nversion = \"six\"\n[reminders]\nbefore_end_days = [0]\n[source]\nurl = \"ftp://x\"\n\
                interval = \"0s\"\n[enforcement]\nksn_after_grace = \"1/day\"\n[destinations.a]\nurl = \"http://u:p@h/\"\n\
                receiver = \"me\"\n[log]\nlevle = 1\n";
    let message = read(text).unwrap_err();
    for line in [
        "agent.toml:2: `product.version`: `six` is not a version",
        "agent.toml:4: item 1 of `reminders.before_end_days`: must be 1 to 3650, not 0",
        "agent.toml:6: `source.url`: must begin",
        "agent.toml:7: `source.interval`: must be from 1s to 7d, not \"0s\"",
        "agent.toml:9: `enforcement.ksn_after_grace`: must be \"vendor\"",
        "agent.toml:11: `destinations.a.url`: must not hold a user name",
        "agent.toml:12: `destinations.a.receiver`: must be \"svm-collector\" or \"generic\", not \"me\"",
        "agent.toml:14: unknown setting `levle`; did you mean `level`?",
    ] {
        assert!(message.contains(line), "{line}\nnot in\n{message}");
    }
    assert_eq!(message.lines().count(), 8, "{message}");
    for key in ["url", "proxy"] {
        let message = read(&format!("[source]\n{key} = \"https://h/?token=planted\"\n")).unwrap_err();
        assert!(message.contains("nothing may follow") && !message.contains("planted"), "{message}");
    }
    let text = "[enforcement]\ngoverns = [\"updates\"]\nwhen_agent_is_down = \"full\"\n[updates]\n\
                schedule = [\"0 0 3 * * *\", \"0 3 31 2 *\"]\ntime_zone = \"Europe/Berln\"\nunit = \"la-scanserver\"\n\
                [gateway]\nlisten = \"0.0.0.0:13111\"\nupstreams = [\"http://ksn\"]\n[actions.\"a b\"]\nresource = \"KSN\"\n";
    let message = read(text).unwrap_err();
    for line in [
        "agent.toml:2: item 1 of `enforcement.governs`: must be \"database-updates\" or \"ksn\", not \"updates\"",
        "agent.toml:3: `enforcement.when_agent_is_down`: must be \"last\" or \"stopped\"",
        "agent.toml:5: `updates.schedule`: ",
        "agent.toml:6: `updates.time_zone`: ",
        "did you mean \"Europe/Berlin\"?",
        "agent.toml:7: `updates.unit`: must be the name of a service",
        "did you mean \"la-scanserver.service\"?",
        "agent.toml:9: `gateway.listen`: must be an address of the loopback",
        "agent.toml:10: `gateway.upstreams`: ",
        "the name of an action is 1 to 40 letters",
        "agent.toml:12: `actions.a b.resource`: must be \"database-updates\" or \"ksn\"",
    ] {
        assert!(message.contains(line), "{line}\nnot in\n{message}");
    }
    let protection = read("[updates]\nunit = \"kesl.service\"\n").unwrap_err();
    assert!(protection.contains("agent.toml:2: `updates.unit`: is a unit of the protection"), "{protection}");
    assert!(
        read("[destinations.x]\n").unwrap_err().contains("agent.toml:1: `destinations.x.url`: is missing")
    );
}
