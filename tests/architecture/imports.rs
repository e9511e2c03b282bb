//! Which file of a crate uses which, by the paths in its code: `use` and inline, re-exports followed to where a name is
//! defined. What only tests use is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A path of modules inside a crate, such as `["store", "error"]`; the root is empty.
pub(crate) type Module = Vec<String>;

/// The files of one crate, and what each uses.
pub(crate) struct Crate {
    /// Module of each file, and its code without comments, texts and tests.
    modules: BTreeMap<Module, String>,
    /// Names that a module hands on, and where they come from.
    handed_on: BTreeMap<(Module, String), Module>,
}

impl Crate {
    /// Reads the `.rs` files below `src`. Files of tests are left out.
    pub(crate) fn read(src: &Path) -> Self {
        let mut files = Vec::new();
        collect(src, &mut files);
        let modules: BTreeMap<Module, String> = files
            .into_iter()
            .filter_map(|path| {
                let module = module(path.strip_prefix(src).unwrap())?;
                Some((module, code(&std::fs::read_to_string(&path).unwrap())))
            })
            .collect();
        let mut all = Self { modules, handed_on: BTreeMap::new() };
        let mut handed_on = BTreeMap::new();
        for (module, code) in &all.modules {
            for (public, tree) in uses(code) {
                for path in leaves(&tree).into_iter().filter(|_| public) {
                    let (path, name) = match path.split_once(" as ") {
                        Some((path, name)) => (path.to_owned(), name.to_owned()),
                        None => (path.clone(), path.rsplit("::").next().unwrap().to_owned()),
                    };
                    if let Some(absolute) = all.absolute(module, &path) {
                        handed_on.insert((module.clone(), name), absolute);
                    }
                }
            }
        }
        all.handed_on = handed_on;
        all
    }

    /// All modules that are files.
    pub(crate) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.keys()
    }

    /// The files that the file of a module uses.
    pub(crate) fn used_by(&self, module: &Module) -> BTreeSet<Module> {
        let code = &self.modules[module];
        let mut found = BTreeSet::new();
        let inline = uses(code).into_iter().flat_map(|(_, tree)| leaves(&tree)).chain(paths(code));
        for path in inline {
            let path = path.split(" as ").next().unwrap().to_owned();
            if let Some(absolute) = self.absolute(module, &path) {
                found.extend(self.file(absolute));
            }
        }
        found.remove(module);
        found
    }

    /// A path as it is written, from the root of the crate; `None` for one that leads out of it.
    fn absolute(&self, module: &Module, path: &str) -> Option<Module> {
        let mut words = path.split("::").map(str::to_owned);
        let first = words.next()?;
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.clone(),
            "super" => module.split_last()?.1.to_vec(),
            child => {
                let inside: Module = module.iter().cloned().chain([child.to_owned()]).collect();
                if !self.modules.contains_key(&inside) {
                    return None;
                }
                inside
            }
        };
        for word in words {
            if word == "super" {
                drop(base.pop()?)
            } else if word != "self" {
                base.push(word)
            }
        }
        Some(base)
    }

    /// The file in which something is defined, names that are handed on followed.
    fn file(&self, path: Module) -> Option<Module> {
        let mut path = path;
        for _ in 0..16 {
            let known = (0..=path.len()).rev().find(|n| self.modules.contains_key(&path[..*n]))?;
            let (inside, rest) = path.split_at(known);
            let Some(name) = rest.first() else { return Some(path) };
            match self.handed_on.get(&(inside.to_vec(), name.clone())) {
                Some(there) => path = there.iter().chain(&rest[1..]).cloned().collect(),
                None => return Some(inside.to_vec()),
            }
        }
        None
    }

    /// Groups of files that use each other in a circle.
    pub(crate) fn circles(&self) -> Vec<Vec<Module>> {
        let arrows: BTreeMap<&Module, BTreeSet<Module>> =
            self.modules.keys().map(|module| (module, self.used_by(module))).collect();
        let reach = |from: &Module| {
            let (mut seen, mut left) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(next) = left.pop() {
                left.extend(arrows[&next].iter().filter(|to| seen.insert((*to).clone())).cloned());
            }
            seen
        };
        let reached: BTreeMap<&Module, BTreeSet<Module>> =
            self.modules.keys().map(|module| (module, reach(module))).collect();
        let mut circles = BTreeSet::new();
        for (module, all) in &reached {
            if all.contains(*module) {
                circles.insert(
                    all.iter().filter(|other| reached[other].contains(*module)).cloned().collect::<Vec<_>>(),
                );
            }
        }
        circles.into_iter().collect()
    }
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn module(inside: &Path) -> Option<Module> {
    let mut words: Module = inside.iter().map(|word| word.to_str().unwrap().to_owned()).collect();
    let last = words.pop()?;
    let last = last.trim_end_matches(".rs");
    if words.iter().map(String::as_str).chain([last]).any(|word| word == "tests")
        || (words.is_empty() && last == "main")
    {
        return None;
    }
    if last != "mod" && !(words.is_empty() && last == "lib") {
        words.push(last.to_owned());
    }
    Some(words)
}

/// The code without comments, texts and what is compiled for tests alone.
fn code(text: &str) -> String {
    let mut stored = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim().starts_with("#[cfg(")
            && line.contains("test")
            && !line.contains("not(test")
            && !line.contains("fuzzing")
        {
            let indent = line.len() - line.trim_start().len();
            let mut next = lines.next().unwrap_or_default();
            while next.trim_start().starts_with("#[") {
                next = lines.next().unwrap_or_default();
            }
            if !next.trim_end().ends_with([';', '}']) {
                for line in lines.by_ref() {
                    if line.len() > indent && line[indent..].starts_with('}') {
                        break;
                    }
                }
            }
            continue;
        }
        let line = line.split("//").next().unwrap();
        stored.extend(line.split('"').step_by(2));
        stored.push('\n');
    }
    stored
}

/// Each `use`: whether it hands names on, and its tree on one line.
fn uses(code: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let before = code[..at].rsplit('\n').next().unwrap().trim();
        if !(before.is_empty() || before.starts_with("pub")) || before.contains('=') {
            continue;
        }
        let Some((tree, _)) = code[at + 4..].split_once(';') else { continue };
        found.push((before.starts_with("pub"), tree.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    found
}

/// The single paths of a tree.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else { return vec![tree.to_owned()] };
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let (mut depth, mut item, mut items) = (0, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            ',' if depth == 0 => items.push(std::mem::take(&mut item)),
            c => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                item.push(c);
            }
        }
    }
    items.push(item);
    items
        .iter()
        .filter(|item| !item.trim().is_empty())
        .flat_map(|item| leaves(item))
        .map(|leaf| match leaf.as_str() {
            "self" => head.trim_end_matches("::").trim().to_owned(),
            leaf => format!("{}{leaf}", head.trim()),
        })
        .collect()
}

/// Paths in the code itself.
fn paths(code: &str) -> Vec<String> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = code;
    let mut before = ' ';
    while let Some(start) = rest.find(|c: char| c.is_alphabetic() || c == '_') {
        before = rest[..start].chars().next_back().unwrap_or(before);
        let end = rest[start..].find(|c: char| !word(c) && c != ':').map_or(rest.len(), |n| start + n);
        let path = &rest[start..end];
        // Before a group stands its head alone.
        if path.contains("::") && !path.ends_with(':') && before != ':' && before != '.' {
            found.push(path.to_owned());
        }
        before = rest[..end].chars().next_back().unwrap_or(' ');
        rest = &rest[end..];
    }
    found
}
