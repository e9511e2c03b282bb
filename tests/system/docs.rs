//! The documentation as a web of files: every link and anchor of a Markdown page resolves, and every page that code,
//! settings, units or packaging name exists.

use std::path::{Component, Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below the root that belongs to the sources, relative to it.
fn sources() -> Vec<PathBuf> {
    let (mut folders, mut found) = (vec![PathBuf::new()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap().map(Result::unwrap) {
            let path = folder.join(entry.file_name());
            let skipped =
                ["target", ".git", "corpus", "node_modules"].iter().any(|name| path.ends_with(name));
            if entry.file_type().unwrap().is_dir() {
                folders.extend((!skipped).then_some(path));
            } else {
                found.push(path);
            }
        }
    }
    found
}

/// A page without its blocks and spans of code: what is left is what a renderer looks for links in.
fn prose(page: &str) -> String {
    let mut fenced = false;
    let lines = page.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    let text: Vec<&str> = lines.collect();
    text.join("\n").split('`').step_by(2).collect()
}

/// The targets of `[text](target)` and `![text](target)`.
fn links(page: &str) -> Vec<String> {
    let prose = prose(page);
    prose.split("](").skip(1).map(|rest| rest.split([')', ' ']).next().unwrap().to_owned()).collect()
}

/// The anchors of a page's headings, as GitHub makes them: a second heading of the same text gets `-1`.
fn anchors(page: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    let mut fenced = false;
    for line in page.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let title = line.trim_start_matches('#');
        if fenced || title == line || !title.starts_with(' ') {
            continue;
        }
        let plain = title.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor = plain.collect::<String>().to_lowercase().replace(' ', "-");
        let before = anchors.iter().filter(|known| **known == anchor).count();
        anchors.push(if before == 0 { anchor } else { format!("{anchor}-{before}") });
    }
    anchors
}

/// Why a link of a page leads nowhere.
fn broken(page: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = if file.is_empty() {
        page.to_owned()
    } else {
        let mut target = page.parent().unwrap().to_owned();
        for part in Path::new(file).components() {
            match part {
                Component::ParentDir => drop(target.pop()),
                part => target.push(part),
            }
        }
        target
    };
    let whole = root().join(&target);
    if !whole.exists() {
        return Some(format!("{}: {link}: {} does not exist", page.display(), target.display()));
    }
    let anchor = anchor?;
    let there = std::fs::read_to_string(whole).unwrap();
    let known = anchors(&there).iter().any(|known| known == anchor);
    (!known).then(|| format!("{}: {link}: no such heading", page.display()))
}

#[test]
fn every_link_and_anchor_resolves() {
    let pages = sources().into_iter().filter(|path| path.extension().is_some_and(|end| end == "md"));
    let (mut faults, mut seen) = (Vec::new(), 0);
    for page in pages {
        let text = std::fs::read_to_string(root().join(&page)).unwrap();
        for link in links(&text) {
            seen += 1;
            faults.extend(broken(&page, &link));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(seen > 150, "{seen} links were found");
}

/// The pages that a text names, as paths in the sources: `docs/…`, and where the package `svm-agent` installs them.
fn named(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for place in ["docs/", "share/doc/svm-agent/"] {
        for (at, _) in text.match_indices(place) {
            let rest = &text[at + place.len()..];
            let end =
                rest.find(|c: char| !c.is_ascii_alphanumeric() && !"./_-".contains(c)).unwrap_or(rest.len());
            let name = rest[..end].trim_end_matches('.');
            if [".md", ".json", ".png"].iter().any(|end| name.ends_with(end)) {
                names.push(format!("docs/{name}"));
            }
        }
    }
    names
}

#[test]
fn every_page_that_is_named_exists() {
    let (mut missing, mut seen) = (Vec::new(), 0);
    for path in sources().into_iter().filter(|path| path != Path::new(file!())) {
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else { continue };
        for name in named(&text) {
            seen += 1;
            if !root().join(&name).exists() {
                missing.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(seen > 100, "{seen} names were found");
}

/// Files and folders of the sources that a page names in code, such as `src/main.rs`. Patterns are passed over.
fn source_paths(page: &str) -> Vec<String> {
    const FOLDERS: [&str; 9] = [
        "benches/",
        "config/",
        "crates/",
        "fuzz/",
        "monitoring/",
        "packaging/",
        "src/",
        "systemd/",
        "tests/",
    ];
    let mut fenced = false;
    let lines = page.lines().filter(|line| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced
    });
    let text: Vec<&str> = lines.collect();
    let text = text.join("\n");
    let spans = text.split('`').skip(1).step_by(2);
    let paths = spans.filter_map(|span| span.split([' ', '\n', ':']).next());
    let paths = paths.filter(|path| FOLDERS.iter().any(|folder| path.starts_with(folder)));
    // A part in capitals stands for a name.
    let is_placeholder = |part: &str| part.len() > 1 && part.chars().all(|c| c.is_ascii_uppercase());
    let paths =
        paths.filter(|path| !path.contains(['*', '…', '<', '{']) && !path.split('/').any(is_placeholder));
    paths.map(str::to_owned).collect()
}

/// The list of changes is history and is not held to the sources of today.
#[test]
fn every_source_file_that_a_page_names_exists() {
    let pages = sources().into_iter().filter(|path| path.extension().is_some_and(|end| end == "md"));
    let (mut missing, mut seen) = (Vec::new(), 0);
    for page in pages.filter(|page| page != Path::new("CHANGELOG.md")) {
        let text = std::fs::read_to_string(root().join(&page)).unwrap();
        for path in source_paths(&text) {
            seen += 1;
            if !root().join(&path).exists() {
                missing.push(format!("{}: {path}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(seen > 100, "{seen} paths were found");
}

#[test]
fn what_leads_nowhere_is_seen() {
    let page = "# A `b`-c\n## A `b`-c\n[x](docs/nothing.md) ![y](LICENSE)\n```\n# no [z](z.md)\n```\n[`w`](#a-b-c-1)";
    assert_eq!(links(page), ["docs/nothing.md", "LICENSE", "#a-b-c-1"]);
    assert_eq!(anchors(page), ["a-b-c", "a-b-c-1"]);
    let of = |link: &str| broken(Path::new("docs/guide/install.md"), link);
    assert!(
        of("nothing.md").is_some() && of("#nothing").is_some() && of("../../README.md#nothing").is_some()
    );
    assert_eq!((of("../../LICENSE"), of("https://example.org/x.md"), of("#activate")), (None, None, None));
    let text = "see docs/a.md, `/usr/share/doc/svm-agent/b/c.md` and https://h/docs/{path}.";
    assert_eq!(named(text), ["docs/a.md", "docs/b/c.md"]);
    let text = "`src/x.rs:3`, `fuzz/run 60`, `tests/NAME/main.rs` and `tests/cases/*.json`, not src/y.rs\n```\n`src/z.rs`\n```";
    assert_eq!(source_paths(text), ["src/x.rs", "fuzz/run"]);
}
