//! The programs as they are given out: which systems they run on, and what they say of the machine that built them.
//!
//! `SVM_TEST_PROGRAMS` names a folder with packages (`packaging/build.sh FOLDER`): every program in them is looked at. Without
//! it, the programs under test are, for what holds of these as well.

use crate::support::program;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The lowest version of glibc, as docs/guide/install.md and the packages say: that of Ubuntu 22.04 is 2.35, that of Red Hat
/// Enterprise Linux 9 is 2.34.
const LOWEST_GLIBC: (u32, u32) = (2, 34);

const UNDER_TEST: [&str; 5] = ["svm-agent", "svm-collector", "svm-vendor", "svm-demo", "svm-manual"];

/// Every program in the packages of a folder, unpacked into another.
fn packaged(packages: &Path, to: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(packages).unwrap_or_else(|e| panic!("{}: {e}", packages.display()));
    let packages =
        found.map(|file| file.unwrap().path()).filter(|path| path.extension() == Some("deb".as_ref()));
    for package in packages {
        let to = to.join(package.file_name().unwrap());
        let unpacked = Command::new("dpkg-deb").arg("-x").arg(&package).arg(to).status().unwrap();
        assert!(unpacked.success(), "{}", package.display());
    }
    let (mut folders, mut programs) = (vec![to.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match file.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(file.path()),
                kind if kind.is_file() && std::fs::read(file.path()).unwrap().starts_with(b"\x7fELF") => {
                    programs.push(file.path());
                }
                _ => {}
            }
        }
    }
    assert!(programs.len() >= 3, "{programs:?} of agent, collector and vendor");
    programs
}

/// The programs that are given out; `None` where there are none to look at.
fn given_out() -> Option<(tempfile::TempDir, Vec<PathBuf>)> {
    let packages = std::env::var_os("SVM_TEST_PROGRAMS")?;
    let folder = tempfile::tempdir().unwrap();
    let programs = packaged(Path::new(&packages), folder.path());
    Some((folder, programs))
}

/// The numbers of an ELF file for 64 bits, little endian (`elf(5)`).
struct Elf(Vec<u8>);

/// A section: its type, and where it lies; `link` and `info` mean what its type says.
struct Section {
    kind: u32,
    offset: usize,
    size: usize,
    link: usize,
    info: usize,
}

impl Elf {
    const DYNAMIC: u32 = 6;
    /// Which versions of which libraries are needed.
    const VERSIONS_NEEDED: u32 = 0x6fff_fffe;
    /// `DT_RELR`, `DT_RELRSZ`, `DT_RELRENT`: short relocations, which glibc reads from 2.36 on.
    const SHORT_RELOCATIONS: [u64; 3] = [36, 35, 37];

    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        assert!(bytes.starts_with(b"\x7fELF\x02\x01"), "{} is no 64-bit ELF file", path.display());
        Self(bytes)
    }

    fn number(&self, at: usize, bytes: usize) -> u64 {
        let mut number = [0; 8];
        number[..bytes].copy_from_slice(&self.0[at..at + bytes]);
        u64::from_le_bytes(number)
    }

    fn at(&self, at: usize, bytes: usize) -> usize {
        self.number(at, bytes).try_into().unwrap()
    }

    fn sections(&self) -> Vec<Section> {
        let (table, size, count) = (self.at(0x28, 8), self.at(0x3a, 2), self.at(0x3c, 2));
        assert!(count > 0, "the sections were taken away");
        let section = |number: usize| {
            let at = table + number * size;
            Section {
                kind: self.at(at + 4, 4).try_into().unwrap(),
                offset: self.at(at + 0x18, 8),
                size: self.at(at + 0x20, 8),
                link: self.at(at + 0x28, 4),
                info: self.at(at + 0x2c, 4),
            }
        };
        (0..count).map(section).collect()
    }

    fn text(&self, at: usize) -> String {
        let rest = &self.0[at..];
        String::from_utf8_lossy(&rest[..rest.iter().position(|byte| *byte == 0).unwrap()]).into_owned()
    }

    /// Every version of a library that the program needs, such as `GLIBC_2.34`.
    fn versions(&self) -> Vec<String> {
        let sections = self.sections();
        let mut versions = Vec::new();
        for section in sections.iter().filter(|section| section.kind == Self::VERSIONS_NEEDED) {
            let names = sections[section.link].offset;
            let mut library = section.offset;
            for _ in 0..section.info {
                let mut version = library + self.at(library + 8, 4);
                for _ in 0..self.at(library + 2, 2) {
                    versions.push(self.text(names + self.at(version + 8, 4)));
                    version += self.at(version + 12, 4);
                }
                library += self.at(library + 12, 4);
            }
        }
        versions
    }

    fn dynamic_tags(&self) -> Vec<u64> {
        let sections = self.sections();
        let dynamic = sections.iter().filter(|section| section.kind == Self::DYNAMIC);
        dynamic
            .flat_map(|section| (0..section.size / 16).map(|n| self.number(section.offset + n * 16, 8)))
            .collect()
    }
}

/// What is too new for the lowest glibc.
fn too_new(versions: &[String]) -> Vec<&String> {
    let is_good = |version: &&String| {
        let Some(numbers) = version.strip_prefix("GLIBC_") else { return true };
        let mut numbers = numbers.split('.').map(|number| number.parse::<u32>().ok());
        // What is no number asks for a feature, such as GLIBC_ABI_DT_RELR.
        matches!((numbers.next(), numbers.next()), (Some(Some(major)), Some(Some(minor))) if (major, minor) <= LOWEST_GLIBC)
    };
    versions.iter().filter(|version| !is_good(version)).collect()
}

#[test]
fn programs_run_with_the_lowest_glibc_that_is_documented() {
    let given_out = given_out();
    let programs: Vec<PathBuf> = match &given_out {
        Some((_, programs)) => programs.clone(),
        None => UNDER_TEST.iter().map(|name| program(name).to_owned()).collect(),
    };
    for program in programs {
        let elf = Elf::read(&program);
        let (versions, tags) = (elf.versions(), elf.dynamic_tags());
        let name = program.display();
        let short: Vec<_> = tags.iter().filter(|tag| Elf::SHORT_RELOCATIONS.contains(tag)).collect();
        assert!(short.is_empty(), "{name} has short relocations: dynamic tags {short:?}");
        assert!(too_new(&versions).is_empty(), "{name} needs {:?}", too_new(&versions));
    }
    let (major, minor) = LOWEST_GLIBC;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for depends in manifest.lines().filter(|line| line.starts_with("depends = ") && line.contains("libc6")) {
        assert!(depends.contains(&format!("libc6 (>= {major}.{minor})")), "{depends}");
    }
    let page = std::fs::read_to_string(root.join("docs/guide/install.md")).unwrap();
    assert!(
        page.contains(&format!("glibc {major}.{minor}")),
        "docs/guide/install.md does not name the lowest glibc"
    );
}

#[test]
fn what_is_too_new_is_seen() {
    let needs =
        |versions: &[&str]| -> Vec<String> { versions.iter().map(|name| (*name).to_owned()).collect() };
    assert!(too_new(&needs(&["GLIBC_2.2.5", "GLIBC_2.34", "GCC_3.0"])).is_empty());
    for version in ["GLIBC_2.35", "GLIBC_2.100", "GLIBC_3.0", "GLIBC_ABI_DT_RELR", "GLIBC_PRIVATE"] {
        assert_eq!(too_new(&needs(&[version])).len(), 1, "{version}");
    }
    // A program that is linked against glibc, read as it lies here.
    let versions = Elf::read(program(UNDER_TEST[0])).versions();
    assert!(versions.iter().any(|version| version == "GLIBC_2.34"), "{versions:?}");
}

/// The builder's home, or the folder of the sources.
fn build_paths() -> Vec<String> {
    let home = std::env::var("HOME").expect("HOME");
    let cargo = std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{home}/.cargo"));
    let rustup = std::env::var("RUSTUP_HOME").unwrap_or_else(|_| format!("{home}/.rustup"));
    [
        format!("{home}/"),
        cargo,
        rustup,
        env!("CARGO_MANIFEST_DIR").to_owned(),
        "/registry/src/index.".to_owned(),
    ]
    .into()
}

#[test]
fn programs_that_are_given_out_name_no_path_of_the_machine_that_built_them() {
    let Some((_folder, programs)) = given_out() else {
        let message = "not run: SVM_TEST_PROGRAMS names no packages (packaging/build.sh FOLDER makes them)";
        assert!(std::env::var_os("SVM_TEST_REQUIRE_ALL").is_none(), "{message}");
        println!("{message}");
        return;
    };
    for program in programs {
        let bytes = std::fs::read(&program).unwrap();
        for path in build_paths() {
            if let Some(at) = memchr::memmem::find(&bytes, path.as_bytes()) {
                let end = bytes.len().min(at + 160);
                let shown = String::from_utf8_lossy(&bytes[at..end]).into_owned();
                panic!("{} has {path} in it: {shown:?}", program.display());
            }
        }
    }
}
