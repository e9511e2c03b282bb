//! One folder on a disk that keeps only what was synced: the bytes of a file by a sync of the file, its name by a
//! sync of the folder. What was not synced may be lost, kept, or kept in part, each sector for itself.

use super::dice::Dice;
use super::trace::Call;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

const SECTOR: usize = 512;

/// The files of a folder.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

/// What a real folder holds, but for the index of SQLite's log: it is shared memory, and made anew after a crash.
pub(crate) fn read(folder: &Path) -> Image {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap()));
    files.filter(|(name, _)| !name.ends_with("-shm")).collect()
}

/// What becomes of that which was not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// It is lost.
    Lost,
    /// It is kept.
    Stored,
    /// Of each file, and of the names, what came first is kept; the last write is torn.
    Beginning,
    /// Each sector is as it was at some time since the sync.
    Scattered,
}

enum Change {
    Write(usize, Vec<u8>),
    Size(usize),
    /// At least so large.
    Grow(usize),
}

impl Change {
    fn make(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, new) => {
                let end = at + new.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*at..end].copy_from_slice(new);
            }
            Self::Size(size) => bytes.resize(*size, 0),
            Self::Grow(size) => bytes.resize(bytes.len().max(*size), 0),
        }
    }
}

/// Something with the number of the call that did it.
type Pending<T> = Vec<(usize, T)>;

#[derive(Default)]
struct File {
    synced: Vec<u8>,
    pending: Pending<Change>,
}

impl File {
    fn change(&mut self, call: &Call, change: Change) -> Effect {
        self.pending.push((call.number, change));
        Effect::Changed
    }

    /// Keeps what was there before call number `began`.
    fn sync(&mut self, began: usize) {
        let later = self.pending.partition_point(|(call, _)| *call < began);
        for (_, change) in self.pending.drain(..later) {
            change.make(&mut self.synced);
        }
    }

    /// With the first so many pending changes.
    fn with(&self, changes: usize) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        self.pending[..changes].iter().for_each(|(_, change)| change.make(&mut bytes));
        bytes
    }

    fn after(&self, fate: Fate, dice: &mut Dice) -> Vec<u8> {
        let all = self.pending.len();
        match fate {
            Fate::Lost => self.synced.clone(),
            Fate::Stored => self.with(all),
            Fate::Beginning => {
                let stored = dice.below(all + 1);
                let mut bytes = self.with(stored);
                if let Some((_, Change::Write(at, new))) = self.pending.get(stored) {
                    // The first sectors of the write that came next.
                    let end = (at + dice.below(new.len() + 1)) / SECTOR * SECTOR;
                    if end > *at {
                        Change::Write(*at, new[..end - at].to_vec()).make(&mut bytes);
                    }
                }
                bytes
            }
            Fate::Scattered => self.scattered(dice),
        }
    }

    /// The kernel writes sectors when it likes: some are as they were after fewer changes, down to none.
    fn scattered(&self, dice: &mut Dice) -> Vec<u8> {
        let all = self.pending.len();
        let mut bytes = self.with(all);
        let mut touched = BTreeSet::new();
        for (_, change) in &self.pending {
            touched.extend(match change {
                Change::Write(at, new) => at / SECTOR..(at + new.len()).div_ceil(SECTOR),
                Change::Size(size) => size / SECTOR..bytes.len().div_ceil(SECTOR),
                Change::Grow(_) => 0..0,
            });
        }
        let mut older = vec![Vec::new(); all + 1];
        let often = [2, 10, 100][dice.below(3)];
        for sector in touched {
            if dice.one_in(often) {
                older[dice.below(all + 1)].push(sector);
            }
        }
        let (mut then, mut sizes) = (self.synced.clone(), Vec::new());
        for (changes, sectors) in older.iter().enumerate() {
            if changes > 0 {
                self.pending[changes - 1].1.make(&mut then);
            }
            sizes.push(then.len());
            for sector in sectors {
                for at in (sector * SECTOR..bytes.len()).take(SECTOR) {
                    bytes[at] = then.get(at).copied().unwrap_or(0);
                }
            }
        }
        if dice.one_in(3) {
            bytes.resize(sizes[dice.below(all + 1)], 0);
        }
        bytes
    }
}

enum Naming {
    Link(String, usize),
    Unlink(String),
    Rename(String, String),
}

type Names = BTreeMap<String, usize>;

impl Naming {
    fn make(&self, names: &mut Names) {
        match self {
            Self::Link(name, file) => drop(names.insert(name.clone(), *file)),
            Self::Unlink(name) => drop(names.remove(name)),
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Open {
    Folder,
    Marks,
    /// And where the next write goes.
    File(usize, usize),
}

/// What a call did.
pub(crate) enum Effect {
    Nothing,
    /// Something was changed that is not safe yet.
    Changed,
    /// Something is safe now, or has another name: what comes next counts on it.
    Turned,
    /// A line of the program's.
    Mark(String),
}

/// The disk as the calls so far left it.
pub(crate) struct Disk {
    folder: String,
    marks: String,
    files: Vec<File>,
    /// As programs see them.
    names: Names,
    synced: Names,
    pending: Pending<Naming>,
    /// By descriptor, each with the call that made it.
    open: HashMap<u64, (usize, Open)>,
}

impl Disk {
    /// `image` is on the disk of `folder`; the program's lines go to the file `marks`.
    pub(crate) fn new(folder: &str, marks: &str, image: &Image) -> Self {
        let files = image.values().map(|b| File { synced: b.clone(), pending: Vec::new() });
        let names: Names = image.keys().cloned().zip(0..).collect();
        Self {
            folder: format!("{folder}/"),
            marks: marks.to_owned(),
            files: files.collect(),
            synced: names.clone(),
            names,
            pending: Vec::new(),
            open: HashMap::new(),
        }
    }

    /// The folder after a crash.
    pub(crate) fn crash(&self, fate: Fate, dice: &mut Dice) -> Image {
        let stored = match fate {
            Fate::Lost => 0,
            Fate::Stored => self.pending.len(),
            // A file system orders names by its journal.
            Fate::Beginning | Fate::Scattered => match dice.below(3) {
                0 => 0,
                1 => self.pending.len(),
                _ => dice.below(self.pending.len() + 1),
            },
        };
        let mut names = self.synced.clone();
        for (_, naming) in &self.pending[..stored] {
            naming.make(&mut names);
        }
        let names = names.into_iter().filter(|(name, _)| !name.ends_with("-shm"));
        names.map(|(name, file)| (name, self.files[file].after(fate, dice))).collect()
    }

    fn name(&self, path: &str) -> Option<String> {
        path.strip_prefix(&self.folder).filter(|name| !name.is_empty()).map(str::to_owned)
    }

    fn naming(&mut self, call: usize, naming: Naming) -> Effect {
        naming.make(&mut self.names);
        self.pending.push((call, naming));
        Effect::Turned
    }

    fn opened(&mut self, call: &Call, path: &str, flags: &str) -> Effect {
        let flag = |name: &str| flags.split('|').any(|flag| flag == name);
        if path == self.marks {
            self.open.insert(call.answer, (call.number, Open::Marks));
        } else if path.trim_end_matches('/') == self.folder.trim_end_matches('/') {
            assert!(!flag("O_TMPFILE"), "cannot replay {call}");
            self.open.insert(call.answer, (call.number, Open::Folder));
        } else if let Some(name) = self.name(path) {
            assert!(!flag("O_APPEND") && !flag("O_TMPFILE"), "cannot replay {call}");
            let known = self.names.get(&name).copied();
            let file = known.unwrap_or(self.files.len());
            self.open.insert(call.answer, (call.number, Open::File(file, 0)));
            if known.is_none() {
                assert!(flag("O_CREAT"), "{call}: nobody made {name}");
                self.files.push(File::default());
                return self.naming(call.number, Naming::Link(name, file));
            }
            if flag("O_TRUNC") {
                return self.files[file].change(call, Change::Size(0));
            }
        }
        Effect::Nothing
    }

    /// Does what a call did.
    pub(crate) fn replay(&mut self, call: &Call) -> Effect {
        match call.name {
            "open" => self.opened(call, &call.path(0), call.argument(1)),
            "openat" => self.opened(call, &call.path(1), call.argument(2)),
            "unlink" | "unlinkat" => match self.name(&call.path(usize::from(call.name == "unlinkat"))) {
                Some(name) => self.naming(call.number, Naming::Unlink(name)),
                None => Effect::Nothing,
            },
            "rename" | "renameat" | "renameat2" => {
                let (from, to) = if call.name == "rename" { (0, 1) } else { (1, 3) };
                match (self.name(&call.path(from)), self.name(&call.path(to))) {
                    (Some(from), Some(to)) => self.naming(call.number, Naming::Rename(from, to)),
                    (None, None) => Effect::Nothing,
                    _ => panic!("cannot replay {call}"),
                }
            }
            "openat2" | "creat" | "truncate" | "link" | "linkat" | "symlink" | "symlinkat" | "mkdir"
            | "mkdirat" | "rmdir" | "chdir" | "sync" | "io_uring_setup" => {
                let here = |n| call.argument(n).starts_with('"') && call.path(n).starts_with(&self.folder);
                let harmless =
                    (0..4).all(|n| !here(n)) && !matches!(call.name, "chdir" | "sync" | "io_uring_setup");
                assert!(harmless, "cannot replay {call}");
                Effect::Nothing
            }
            _ => self.replay_by_descriptor(call),
        }
    }

    fn replay_by_descriptor(&mut self, call: &Call) -> Effect {
        let fd = call.argument(if call.name == "mmap" { 4 } else { 0 }).parse::<u64>().ok();
        let Some((fd, (made, open))) = fd.and_then(|fd| Some((fd, *self.open.get(&fd)?))) else {
            return Effect::Nothing;
        };
        match (call.name, open) {
            // A close gives the number free before it ends: another thread may have it already.
            ("close", _) if made >= call.began => {}
            ("close", _) => drop(self.open.remove(&fd)),
            ("dup" | "dup2" | "dup3", _) => drop(self.open.insert(call.answer, (call.number, open))),
            ("fcntl", _) => {
                if call.argument(1).starts_with("F_DUPFD") {
                    self.open.insert(call.answer, (call.number, open));
                }
            }
            ("write", Open::Marks) => return Effect::Mark(String::from_utf8(call.bytes(1)).unwrap()),
            ("lseek", Open::File(file, _)) => {
                self.open.insert(fd, (made, Open::File(file, usize::try_from(call.answer).unwrap())));
            }
            ("write", Open::File(file, at)) => {
                let mut bytes = call.bytes(1);
                bytes.truncate(usize::try_from(call.answer).unwrap());
                self.open.insert(fd, (made, Open::File(file, at + bytes.len())));
                return self.files[file].change(call, Change::Write(at, bytes));
            }
            ("pwrite64", Open::File(file, _)) => {
                let mut bytes = call.bytes(1);
                bytes.truncate(usize::try_from(call.answer).unwrap());
                let at = usize::try_from(call.number(3)).unwrap();
                return self.files[file].change(call, Change::Write(at, bytes));
            }
            ("ftruncate", Open::File(file, _)) => {
                let size = usize::try_from(call.number(1)).unwrap();
                return self.files[file].change(call, Change::Size(size));
            }
            ("fallocate", Open::File(file, _)) if call.argument(1) == "0" => {
                let size = usize::try_from(call.number(2) + call.number(3)).unwrap();
                return self.files[file].change(call, Change::Grow(size));
            }
            ("fsync" | "fdatasync", Open::File(file, _)) => {
                self.files[file].sync(call.began);
                return Effect::Turned;
            }
            ("fsync" | "fdatasync", Open::Folder) => {
                let later = self.pending.partition_point(|(number, _)| *number < call.began);
                for (_, naming) in self.pending.drain(..later) {
                    naming.make(&mut self.synced);
                }
                return Effect::Turned;
            }
            // Shared memory that is written is not traced; the index of SQLite's log may be.
            ("mmap", _)
                if !call.argument(2).contains("PROT_WRITE") || call.argument(3).contains("MAP_PRIVATE") => {}
            ("mmap", Open::File(file, _))
                if self.names.iter().any(|(name, of)| *of == file && name.ends_with("-shm")) => {}
            _ => panic!("cannot replay {call}"),
        }
        Effect::Nothing
    }
}
