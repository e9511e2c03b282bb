use super::*;
use serde::Deserialize;

const DEFAULTS: &str = "[log]\nlevel = \"info\"\nmost = 5\n[days]\nbefore = [3, 1]\n";
const ONE: &str = "url = \"\"\nretry = true\n";

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
    let form = Form::new(DEFAULTS, &[("places", ONE)]).unwrap();
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
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
    let form = Form::new(DEFAULTS, &[("places", ONE)]).unwrap();
    for (mode, read) in [(0o644, true), (0o666, false)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let loaded = load::<Whole>(&form, std::slice::from_ref(&path), "P", []).unwrap();
        assert_eq!(loaded.settings.log.level == "warn", read, "{mode:o}");
        assert_eq!(loaded.problems.is_empty(), read, "{mode:o}");
        let told = loaded.problems.iter().all(|problem| problem.to_string().contains("chmod o-w"));
        assert!(told, "{:?}", loaded.problems);
    }
}

#[test]
fn what_is_shown_has_every_key_its_value_and_its_place() {
    let shown = |text: &str, environment: &[(&str, &str)]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        std::fs::write(&path, text).unwrap();
        let form = Form::new(DEFAULTS, &[("places", ONE)]).unwrap();
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
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
    let told: Vec<_> = changes.iter().map(|c| (c.key.as_str(), c.old.as_deref(), c.new.as_deref())).collect();
    assert_eq!(
        told,
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
        &Form::new("# Of lines.\n[log]\n# How much\n# is told.\nlevel = \"info\"\n", &[("places", ONE)])
            .unwrap(),
        "x",
        "X",
    );
    let level = &schema["properties"]["log"]["properties"]["level"];
    assert_eq!(
        level,
        &serde_json::json!({"type": "string", "default": "info", "description": "How much is told."})
    );
    assert_eq!(schema["properties"]["log"]["description"], "Of lines.");
    assert_eq!(
        schema["properties"]["places"]["additionalProperties"]["properties"]["retry"]["default"],
        true
    );
    assert_eq!(schema["properties"]["log"]["additionalProperties"], false);
}

#[test]
fn all_problems_are_told_at_once_with_line_and_nearest_name() {
    let text = "[log]\nlevle = \"warn\"\nmost = \"5\"\n[dais]\n[places.x]\nuri = 1\n";
    assert_eq!(
        read(text, &[("P__LOG__MOST", "many"), ("P__LOGS__MOST", "1")]).unwrap_err(),
        "a.toml:2: unknown key `levle`; did you mean `level`?\n\
         a.toml:3: `log.most` must be a whole number, not string\n\
         a.toml:4: unknown key `dais`; did you mean `days`?\n\
         a.toml:6: unknown key `uri`; did you mean `url`?\n\
         P__LOGS__MOST: unknown key `logs`; did you mean `log`?\n\
         P__LOG__MOST: `log.most` must be a whole number"
    );
    assert!(read("[log\n", &[]).unwrap_err().starts_with("a.toml:1: "));
    assert_eq!(read("[days]\nbefore = [\"x\"]\n", &[]).unwrap_err().matches("days.before").count(), 1);
    assert!(read("[log]\nmost = -4\n", &[]).unwrap_err().starts_with("a.toml:2: `log.most`"));
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
fn a_key_of_any_length_is_told_in_a_line() {
    let told = read(&format!("[log]\n{} = 1\n", "a".repeat(1_000_000)), &[]).unwrap_err();
    assert!(told.starts_with("a.toml:2: unknown key `aaa") && told.len() < 300, "{told}");
}

#[test]
fn a_name_may_have_a_dot() {
    let (whole, _) = read("[places.\"a.b\"]\nurl = \"u\"\n", &[]).unwrap();
    assert_eq!(
        whole.places.into_iter().collect::<Vec<_>>(),
        [("a.b".to_owned(), Place { url: "u".into(), retry: true })]
    );
}
