use super::*;
use jiff::SignedDuration;
use serde::Deserialize;
use std::collections::BTreeMap;

const DEFAULTS: &str = "[log]\nlevel = \"info\"\nmost = 5\n[days]\nbefore = [3, 1]\n";
const ONE: &str = "url = \"\"\nretry = true\n";
const RULES: Rules = &[("days.before", Rule::Range(1, 100)), ("places.*.url", Rule::Needed)];

#[derive(Debug, Deserialize, PartialEq)]
struct Whole {
    log: Log,
    days: Days,
    #[serde(default)]
    places: BTreeMap<String, Place>,
}
#[derive(Debug, Deserialize, PartialEq)]
struct Log {
    level: String,
    most: u32,
}
#[derive(Debug, Deserialize, PartialEq)]
struct Days {
    before: Vec<u32>,
}
#[derive(Debug, Deserialize, PartialEq)]
struct Place {
    url: String,
    retry: bool,
}

fn read(text: &str, environment: &[(&str, &str)]) -> Result<(Whole, Origins), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, text).unwrap();
    let form = Form::new(DEFAULTS, &[("places", ONE)], RULES).unwrap();
    let environment = environment.iter().map(|(k, v)| ((*k).into(), (*v).into()));
    let loaded = load(&form, &[path], "P", environment).and_then(|loaded| match loaded.problems.is_empty() {
        true => Ok((loaded.settings, loaded.origins)),
        false => Err(SettingsError(loaded.problems)),
    });
    loaded.map_err(|e| e.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

#[test]
fn later_layers_win_and_know_where_they_come_from() {
    let text = "[log]\nlevel = \"warn\"\n[places.x]\nurl = \"u\"\n";
    let (whole, origins) =
        read(text, &[("P__LOG__MOST", "9"), ("P__DAYS__BEFORE", "8,2"), ("OTHER", "1")]).unwrap();
    assert_eq!(whole.log, Log { level: "warn".into(), most: 9 });
    assert_eq!(whole.days.before, [8, 2]);
    assert_eq!(whole.places["x"], Place { url: "u".into(), retry: true });
    assert!(origins.place("log.level").ends_with("a.toml:2"));
    assert_eq!(origins.place("log.most"), "P__LOG__MOST");
}

#[test]
fn a_file_that_others_may_change_is_not_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, "[log]\nlevel = \"warn\"\n").unwrap();
    let form = Form::new(DEFAULTS, &[("places", ONE)], RULES).unwrap();
    for (mode, read) in [(0o644, true), (0o666, false)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let loaded = load::<Whole>(&form, std::slice::from_ref(&path), "P", []).unwrap();
        assert_eq!(loaded.settings.log.level == "warn", read, "{mode:o}");
        assert_eq!(loaded.problems.is_empty(), read, "{mode:o}");
        let message = loaded.problems.iter().all(|problem| problem.to_string().contains("chmod o-w"));
        assert!(message, "{:?}", loaded.problems);
    }
}

#[test]
fn what_is_shown_has_every_key_its_value_and_its_place() {
    let shown = |text: &str, environment: &[(&str, &str)]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        std::fs::write(&path, text).unwrap();
        let form = Form::new(DEFAULTS, &[("places", ONE)], RULES).unwrap();
        let environment = environment.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        load::<Whole>(&form, &[path], "P", environment).unwrap().shown
    };
    let text = "[log]\nmost = 7\n[places.x]\nurl = \"https://h/p?token=secret\"\n";
    let first = shown(text, &[]);
    let all: Vec<_> =
        first.iter().map(|(key, v)| (key, v.value.as_str(), v.from.rsplit('/').next().unwrap())).collect();
    let place = r#""https://h/p?…""#;
    assert_eq!(
        all,
        [
            ("days.before", "[3, 1]", "default"),
            ("log.level", "\"info\"", "default"),
            ("log.most", "7", "a.toml:2"),
            ("places.x.retry", "true", "default"),
            ("places.x.url", place, "a.toml:4"),
        ]
    );
    let other = changes(&first, &shown(&text.replace("secret", "next"), &[]));
    let [Change { key, old, new }] = &other[..] else { panic!("{other:?}") };
    assert_eq!((key.as_str(), old.as_deref(), new.as_deref()), ("places.x.url", Some(place), Some(place)));
    let changes = changes(&first, &shown("[log]\nmost = 7\n", &[("P__LOG__LEVEL", "warn")]));
    let message: Vec<_> =
        changes.iter().map(|c| (c.key.as_str(), c.old.as_deref(), c.new.as_deref())).collect();
    assert_eq!(
        message,
        [
            ("log.level", Some("\"info\""), Some("\"warn\"")),
            // That it did try again is no news: nobody had set it.
            ("places.x.url", Some(place), None),
        ]
    );
}

#[test]
fn the_form_is_a_json_schema_too() {
    let schema = schema(
        &Form::new(
            "# Of lines.\n[log]\n# How much\n# is logged.\nlevel = \"info\"\n",
            &[("places", ONE)],
            &[],
        )
        .unwrap(),
        "x",
        "X",
    );
    let level = &schema["properties"]["log"]["properties"]["level"];
    assert_eq!(
        level,
        &serde_json::json!({"type": "string", "default": "info", "description": "How much is logged."})
    );
    assert_eq!(schema["properties"]["log"]["description"], "Of lines.");
    assert_eq!(
        schema["properties"]["places"]["additionalProperties"]["properties"]["retry"]["default"],
        true
    );
    assert_eq!(schema["properties"]["log"]["additionalProperties"], false);
}

#[test]
fn all_problems_are_reported_at_once_with_line_and_nearest_name() {
    let text = "[log]\nlevle = \"warn\"\nmost = \"5\"\n[dais]\n[places.x]\nuri = 1\n";
    assert_eq!(
        read(text, &[("P__LOG__MOST", "many"), ("P__LOGS__MOST", "1")]).unwrap_err(),
        "a.toml:2: unknown setting `levle`; did you mean `level`?\n\
         a.toml:3: `log.most` must be a whole number, not the text \"5\"; write it without quotes\n\
         a.toml:4: unknown setting `dais`; did you mean `days`?\n\
         a.toml:6: unknown setting `uri`; did you mean `url`?\n\
         P__LOGS__MOST: unknown setting `logs`; did you mean `log`?\n\
         P__LOG__MOST: `log.most` must be a whole number, not \"many\""
    );
    assert!(read("[log\n", &[]).unwrap_err().starts_with("a.toml:1: "));
    assert_eq!(read("[days]\nbefore = [\"x\"]\n", &[]).unwrap_err().matches("days.before").count(), 1);
    assert!(read("[log]\nmost = -4\n", &[]).unwrap_err().starts_with("a.toml:2: `log.most`"));
}

#[test]
fn items_of_lists_are_checked_each_with_its_own_line() {
    let text = "[days]\nbefore = [\n  3,\n  \"yes\",\n  0,\n  1.5, 99999999999999999999,\n]\n[log]\nlevel = \"a\\u202Eb\"\n";
    assert_eq!(
        read(text, &[]).unwrap_err(),
        "a.toml:4: item 2 of `days.before` must be a whole number, not the text \"yes\"\n\
         a.toml:5: item 3 of `days.before`: must be 1 to 100, not 0\n\
         a.toml:6: item 4 of `days.before` must be a whole number, not the number 1.5\n\
         a.toml:6: item 5 of `days.before`: must be 1 to 100, not 99999999999999999999\n\
         a.toml:9: `log.level`: has the control or invisible character U+202E; remove it"
    );
    let (whole, origins) = read("[days]\nbefore = [\n 3,\n 1]\n", &[]).unwrap();
    assert_eq!(whole.days.before, [3, 1]);
    assert_eq!(
        origins.problem("days.before[1]", "is odd").to_string().rsplit('/').next(),
        Some("a.toml:4: `days.before`: is odd")
    );
    let message = read("", &[("P__DAYS__BEFORE", "3,x")]).unwrap_err();
    assert_eq!(message, "P__DAYS__BEFORE: `days.before` must be a whole number, not \"x\"");
}

#[test]
fn a_wrong_line_of_toml_is_explained_in_plain_words() {
    for (text, words) in [
        ("[log]\nlevel = info\n", "a text must stand in quotes"),
        ("[log]\nlevel = \"info\n", "the text in quotes is not complete"),
        ("[log]\nlevel = 'info\n", "the text in quotes is not complete"),
        ("[log]\nlevel = \"a\\qb\"\n", "a backslash"),
        ("[log]\nlevel: \"info\"\n", "there is no `=`"),
        ("[log]\nlevel\n", "there is no `=`"),
        ("[log]\nlevel =\n", "there is no value behind `=`, or a text without quotes"),
        ("[log\nmost = 1\n", "must end with `]`"),
        ("[log]\nmost = 1\nmost = 2\n", "a second time"),
        ("[log]\n[log]\n", "a second time"),
        ("[days]\nbefore = [1, 2\n", "no closing `]`"),
        ("[log]\nmost = 1 level = 2\n", "more than one setting stands in the line"),
        ("[log]\nmost = 12abc\n", "quotes"),
        ("[log]\nlevel = 2026-13-01\n", "quotes"),
        ("[log]\n= 1\n", "there is no name before `=`"),
        ("[log]\nlev el = \"info\"\n", "there is no `=`"),
        ("\u{1}\n", "there is no `=`"),
    ] {
        let message = read(text, &[]).unwrap_err();
        let first = message.lines().next().unwrap();
        assert!(first.starts_with("a.toml:") && first.contains(": not valid TOML: "), "{text}: {message}");
        assert!(first.contains(words), "{text:?}: {words}: {message}");
    }
}

#[test]
fn no_number_hides_what_else_is_wrong() {
    // None of these fits the type that holds it; one is too large for TOML's own.
    for number in ["-4", "4294967296", "99999999999999999999", "0x1_0000_0000"] {
        let message =
            read(&format!("[log]\nmost = {number}\nlevle = 1\n[days]\nbefore = 1\n"), &[]).unwrap_err();
        let [most, level, before] = message.lines().collect::<Vec<_>>()[..] else { panic!("{message}") };
        assert!(most.starts_with("a.toml:2: `log.most`: must be 0 to 4294967295, not "), "{message}");
        assert!(
            level.starts_with("a.toml:3: unknown setting") && before.starts_with("a.toml:5: "),
            "{message}"
        );
    }
}

#[test]
fn a_value_that_the_form_lets_pass_hides_no_other() {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Strict {
        log: StrictLog,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct StrictLog {
        level: std::net::IpAddr,
        other: std::net::IpAddr,
    }
    let form = Form::new("[log]\nlevel = \"::1\"\nother = \"::1\"\n", &[], &[]).unwrap();
    let variables = [("P__LOG__LEVEL", "x"), ("P__LOG__OTHER", "y")].map(|(k, v)| (k.into(), v.into()));
    let loaded = load::<Strict>(&form, &[], "P", variables).ok().unwrap();
    let places: Vec<&str> = loaded.problems.iter().map(|problem| problem.place.as_str()).collect();
    assert_eq!(places, ["P__LOG__LEVEL", "P__LOG__OTHER"]);
    assert!(loaded.is_wrong("log.level"));
}

#[test]
fn variables_need_not_be_utf_8() {
    use std::os::unix::ffi::OsStringExt;
    let form = Form::new(DEFAULTS, &[("places", ONE)], RULES).unwrap();
    let bad = |text: &[u8]| OsString::from_vec(text.to_vec());
    let environment = [
        (bad(b"BAD"), bad(b"\xa3")),
        (bad(b"BAD\xa3"), bad(b"x")),
        (bad(b"P__LOG__LEVEL"), bad(b"\xa3")),
        (bad(b"P__LOG__MOST\xa3"), bad(b"1")),
    ];
    let loaded = load::<Whole>(&form, &[], "P", environment).ok().unwrap();
    let message: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        message,
        [
            "P__LOG__LEVEL: the value of `log.level` is not UTF-8 text",
            "P__LOG__MOST\u{fffd}: the name of this variable is not UTF-8 text",
        ]
    );
    assert_eq!(loaded.settings.log.level, "info");
}

#[test]
fn a_name_that_is_nearly_a_variable_is_reported_with_the_right_one() {
    let form = Form::new(DEFAULTS, &[("places", ONE)], RULES).unwrap();
    let message = |name: &str| -> Vec<String> {
        let loaded = load::<Whole>(&form, &[], "SVM_AGENT", [(name.into(), "info".into())]).ok().unwrap();
        loaded.problems.iter().map(ToString::to_string).collect()
    };
    for near in [
        "SVM_AGENT_LOG_LEVEL",
        "SVM_AGENT__LOG_LEVEL",
        "svm_agent__log__level",
        "SVMAGENT_LOG_LEVEL",
        "SVM-AGENT-LOG-LEVEL",
        "SVM_AGNET__LOG__LEVEL",
        "SVM_AGENT_LOG_LEVLE",
    ] {
        assert_eq!(
            message(near),
            [format!("{near}: is not the name of a setting; did you mean SVM_AGENT__LOG__LEVEL?")]
        );
    }
    assert!(message("SVM_AGENT_PLACES_HOME_URL")[0].ends_with("did you mean SVM_AGENT__PLACES__HOME__URL?"));
    for other in [
        "SVM_AGENT_SERVICE_HOST",
        "SVM_AGENT_PORT",
        "LOG_LEVEL",
        "SVM_TEST_KILLS",
        "SVM_COLLECTOR__LOG__LEVEL",
    ] {
        assert_eq!(message(other), [""; 0], "{other}");
    }
}

#[test]
fn a_file_is_passed_over_only_where_it_is_absent() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::os::unix::fs::symlink("nowhere", at("dangling.toml")).unwrap();
    std::os::unix::fs::symlink("loop.toml", at("loop.toml")).unwrap();
    std::fs::create_dir(at("folder.toml")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("fifo.toml"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    std::os::unix::fs::symlink("/dev/zero", at("zero.toml")).unwrap();
    std::fs::write(at("text.toml"), b"[log]\nlevel = \"\xa3\"\n").unwrap();
    std::fs::write(at("large.toml"), vec![b'#'; 2_000_000]).unwrap();
    let form = Form::new(DEFAULTS, &[("places", ONE)], RULES).unwrap();
    for (name, why) in [
        ("dangling.toml", "it is a link to nowhere, which does not exist"),
        ("loop.toml", "symbolic links"),
        ("folder.toml", "directory"),
        ("fifo.toml", "not a regular file"),
        ("zero.toml", "not a regular file"),
        ("text.toml", "line 2 is not UTF-8 text"),
        ("large.toml", "larger than"),
    ] {
        assert_eq!(present([at(name), at("absent.toml")]), [at(name)]);
        let loaded = load::<Whole>(&form, &[at(name)], "P", []).ok().unwrap();
        let [problem] = &loaded.problems[..] else { panic!("{name}: {:?}", loaded.problems) };
        assert!(problem.place.ends_with(name) && problem.message.contains(why), "{problem}");
    }
    // An editor's lock is a dangling link as well, and no file of settings.
    std::os::unix::fs::symlink("me@host.1:2", at(".#10-local.toml")).unwrap();
    std::fs::write(at("10-local.toml~"), "x").unwrap();
    std::fs::write(at("10-local.toml.dpkg-old"), "x").unwrap();
    let names: Vec<_> =
        listed(folder.path()).unwrap().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(
        names,
        ["dangling.toml", "fifo.toml", "folder.toml", "large.toml", "loop.toml", "text.toml", "zero.toml"]
    );
    assert!(listed(&at("absent")).unwrap().is_empty());
    assert!(listed(&at("dangling.toml")).unwrap_err().to_string().contains("a link to nowhere"));
}

#[test]
fn a_named_table_may_be_spread_over_layers() {
    let environment = [("P__PLACES__X__RETRY", "false"), ("P__LOG__LEVEL", "6.10")];
    let (whole, _) = read("[places.x]\nurl = \"u\"\n", &environment).unwrap();
    assert_eq!(whole.places["x"], Place { url: "u".into(), retry: false });
    assert_eq!(whole.log.level, "6.10", "a text stays the text it was");
    let (whole, _) = read("", &environment).unwrap();
    assert_eq!(whole.places["x"], Place { url: "".into(), retry: false });
}

#[test]
fn spans_and_choices_say_their_form() {
    assert_eq!(span("2d").unwrap(), SignedDuration::from_hours(48));
    assert_eq!(span("15m").unwrap(), SignedDuration::from_mins(15));
    assert!(span("soon").unwrap_err().contains("\"15m\""));
    assert_eq!(choice("b", &[("a", 1), ("b", 2)]), Ok(2));
    assert_eq!(choice("c", &[("a", 1), ("b", 2)]).unwrap_err(), "must be \"a\" or \"b\", not \"c\"");
}

#[test]
fn a_key_of_any_length_is_named_in_a_line() {
    let message = read(&format!("[log]\n{} = 1\n", "a".repeat(1_000_000)), &[]).unwrap_err();
    assert!(message.starts_with("a.toml:2: unknown setting `aaa") && message.len() < 300, "{message}");
}

#[test]
fn a_name_may_have_a_dot() {
    let (whole, _) = read("[places.\"a.b\"]\nurl = \"u\"\n", &[]).unwrap();
    assert_eq!(
        whole.places.into_iter().collect::<Vec<_>>(),
        [("a.b".to_owned(), Place { url: "u".into(), retry: true })]
    );
}
