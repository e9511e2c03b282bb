//! Whether only root may change a path: the files by which a program decides whom it trusts and what it runs.
//!
//! The rule: the file and every folder above it belong to root, or to the ordinary user as whom this program runs, and
//! nobody else may write them, by mode or by access control list. A system user, such as the user of a service, may not
//! change the files that govern the service: for it, root alone counts. A sticky folder above a file, such as `/tmp`, is
//! no danger: others cannot replace the file in it.

use crate::library_words;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Numbers below this belong to the system's users (`SYS_UID_MAX` of `login.defs(5)`).
const FIRST_ORDINARY_USER: u32 = 1000;

/// Links that are followed, as the kernel does.
const MAX_LINKS: u32 = 40;

const STICKY: u32 = 0o1000;
const GROUP_MAY_WRITE: u32 = 0o020;
const OTHERS_MAY_WRITE: u32 = 0o002;

/// Somebody else than root may change a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// The file, or the folder above it, that is open to others.
    pub path: PathBuf,
    /// Who may change it.
    pub who: Who,
}

/// Who may change a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Its owner, by number.
    Owner(u32),
    /// Its group, by number.
    Group(u32),
    Everybody,
    /// A user of its access control list, by number.
    ListedUser(u32),
    /// A group of its access control list, by number.
    ListedGroup(u32),
    /// Nobody knows: it cannot be inspected.
    Unknown(String),
}

impl std::error::Error for Exposed {}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.who {
            Who::Owner(user) => {
                write!(f, "{path} belongs to user {user}, not to root; run: chown root {path}")
            }
            Who::Group(group) => write!(f, "group {group} can change {path}; run: chmod g-w {path}"),
            Who::Everybody => write!(f, "every user can change {path}; run: chmod o-w {path}"),
            Who::ListedUser(user) => write!(f, "user {user} can change {path}; run: setfacl -b {path}"),
            Who::ListedGroup(group) => write!(f, "group {group} can change {path}; run: setfacl -b {path}"),
            Who::Unknown(problem) => write!(f, "cannot find out who may change {path}: {problem}"),
        }
    }
}

/// Checks a path, the folders above it, and everything that links on the way lead to. Of a path that does not exist, it
/// checks who may create it.
///
/// # Errors
/// [`Exposed`], with the first place that others may change.
pub fn only_root_may_change(path: &Path) -> Result<(), Exposed> {
    Trusted::now().check(path)
}

/// The users who may change what governs this program.
#[derive(Clone, Copy, Debug)]
struct Trusted {
    user: u32,
    group: u32,
}

impl Trusted {
    fn now() -> Self {
        Self { user: rustix::process::geteuid().as_raw(), group: rustix::process::getegid().as_raw() }
    }

    fn is_ordinary(self) -> bool {
        self.user >= FIRST_ORDINARY_USER
    }

    fn trusts(self, user: u32) -> bool {
        user == 0 || (self.is_ordinary() && user == self.user)
    }

    /// The group that an ordinary user has for itself alone, which bears the user's number.
    fn trusts_group(self, group: u32) -> bool {
        self.is_ordinary() && group == self.group && group == self.user
    }

    fn check(self, path: &Path) -> Result<(), Exposed> {
        let unknown = |path: &Path, error: &io::Error| Exposed {
            path: path.to_owned(),
            who: Who::Unknown(library_words::io(error)),
        };
        let absolute = match path.is_absolute() {
            true => path.to_owned(),
            false => std::env::current_dir().map_err(|error| unknown(path, &error))?.join(path),
        };
        let mut left: VecDeque<OsString> = parts(&absolute);
        let (mut at, mut links) = (PathBuf::from("/"), 0);
        let root = at.symlink_metadata().map_err(|error| unknown(&at, &error))?;
        self.inspect(&at, &root, left.is_empty())?;
        let mut above = root;
        while let Some(part) = left.pop_front() {
            if part == ".." {
                at.pop();
                above = at.symlink_metadata().map_err(|error| unknown(&at, &error))?;
                continue;
            }
            let next = at.join(part);
            let found = match next.symlink_metadata() {
                Ok(found) => found,
                // A user who may write the folder above may create it: a sticky bit does not prevent that.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
                {
                    return self.inspect(&at, &above, true);
                }
                Err(error) => return Err(unknown(&next, &error)),
            };
            if found.is_symlink() {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Exposed {
                        path: next,
                        who: Who::Unknown("too many symbolic links".to_owned()),
                    });
                }
                // In a sticky folder, others may have placed it.
                if !self.trusts(found.uid()) {
                    return Err(Exposed { path: next, who: Who::Owner(found.uid()) });
                }
                let target = std::fs::read_link(&next).map_err(|error| unknown(&next, &error))?;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                    above = at.symlink_metadata().map_err(|error| unknown(&at, &error))?;
                }
                for part in parts(&target).into_iter().rev() {
                    left.push_front(part);
                }
                continue;
            }
            self.inspect(&next, &found, left.is_empty())?;
            (at, above) = (next, found);
        }
        Ok(())
    }

    /// One file or folder. `last` is what was asked about: a sticky folder above it is no danger.
    fn inspect(self, path: &Path, found: &std::fs::Metadata, last: bool) -> Result<(), Exposed> {
        let exposed = |who| Err(Exposed { path: path.to_owned(), who });
        if !self.trusts(found.uid()) {
            return exposed(Who::Owner(found.uid()));
        }
        if found.is_dir() && !last && found.mode() & STICKY != 0 {
            return Ok(());
        }
        if found.mode() & OTHERS_MAY_WRITE != 0 {
            return exposed(Who::Everybody);
        }
        match access_list(path) {
            Ok(None) if found.mode() & GROUP_MAY_WRITE == 0 || self.trusts_group(found.gid()) => Ok(()),
            Ok(None) => exposed(Who::Group(found.gid())),
            Ok(Some(list)) => match self.listed(&list, found.gid()) {
                None => Ok(()),
                Some(who) => exposed(who),
            },
            Err(error) => exposed(Who::Unknown(library_words::io(&error))),
        }
    }

    /// Whom an access control list lets write beside its owner and root.
    fn listed(self, list: &[Entry], group: u32) -> Option<Who> {
        let mask =
            list.iter().find(|entry| entry.tag == Entry::MASK).map_or(Entry::WRITE, |mask| mask.rights);
        let writes = |entry: &&Entry| entry.rights & mask & Entry::WRITE != 0;
        list.iter().filter(writes).find_map(|entry| match entry.tag {
            Entry::USER if !self.trusts(entry.id) => Some(Who::ListedUser(entry.id)),
            Entry::GROUP_OF_FILE if !self.trusts_group(group) => Some(Who::Group(group)),
            Entry::GROUP if !self.trusts_group(entry.id) => Some(Who::ListedGroup(entry.id)),
            _ => None,
        })
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let part = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(part).collect()
}

/// An entry of a POSIX access control list (`acl(5)`), as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    tag: u16,
    rights: u16,
    id: u32,
}

impl Entry {
    const USER: u16 = 0x02;
    const GROUP_OF_FILE: u16 = 0x04;
    const GROUP: u16 = 0x08;
    const MASK: u16 = 0x10;
    const WRITE: u16 = 0x2;
}

/// The access control list of a path; `None` where the mode says everything.
fn access_list(path: &Path) -> io::Result<Option<Vec<Entry>>> {
    // A list of more entries is larger than a file system stores.
    let mut list = vec![0_u8; 64 * 1024];
    match rustix::fs::getxattr(path, "system.posix_acl_access", &mut list[..]) {
        Ok(length) => {
            let list = list.get(..length).and_then(entries);
            list.map(Some).ok_or_else(|| io::Error::other("its access control list has an unknown form"))
        }
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Version 2 of the form, then entries of 8 bytes, all little-endian (`linux/posix_acl_xattr.h`).
fn entries(list: &[u8]) -> Option<Vec<Entry>> {
    let (version, entries) = list.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != 2 || entries.len() % 8 != 0 {
        return None;
    }
    let entry = |bytes: &[u8]| {
        let [t0, t1, r0, r1, i0, i1, i2, i3] = *bytes.first_chunk::<8>()?;
        Some(Entry {
            tag: u16::from_le_bytes([t0, t1]),
            rights: u16::from_le_bytes([r0, r1]),
            id: u32::from_le_bytes([i0, i1, i2, i3]),
        })
    };
    entries.chunks_exact(8).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    const ROOT: Trusted = Trusted { user: 0, group: 0 };
    const SERVICE: Trusted = Trusted { user: 997, group: 997 };

    /// A folder that the user who runs the tests has for itself, and that user.
    fn folder() -> (tempfile::TempDir, Trusted) {
        let folder = tempfile::tempdir().unwrap();
        let now = Trusted::now();
        // Where tests run as a system user, it is as trusted here as root.
        let owner = if now.user == 0 || now.is_ordinary() { now } else { Trusted { user: 70_000, ..now } };
        (folder, owner)
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn who(trusted: Trusted, path: &Path) -> Option<(PathBuf, Who)> {
        trusted.check(path).err().map(|exposed| (exposed.path, exposed.who))
    }

    #[test]
    fn a_user_who_may_write_the_file_or_a_folder_above_it_exposes_it() {
        let (folder, me) = folder();
        if !me.trusts(Trusted::now().user) {
            return;
        }
        let (above, file) = (folder.path().join("above"), folder.path().join("above/file"));
        fs::create_dir(&above).unwrap();
        fs::write(&file, "").unwrap();
        mode(&above, 0o755);
        mode(&file, 0o644);
        assert_eq!(who(me, &file), None);
        let group = fs::metadata(&file).unwrap().gid();
        for (path, bits, expected) in [
            (&file, 0o646, Some(Who::Everybody)),
            (&file, 0o664, (!me.trusts_group(group)).then_some(Who::Group(group))),
            (&file, 0o600, None),
            (&above, 0o757, Some(Who::Everybody)),
            (&above, 0o775, (!me.trusts_group(group)).then_some(Who::Group(group))),
            (&above, 0o1777, None),
            (&above, 0o700, None),
        ] {
            let before = fs::metadata(path).unwrap().permissions();
            mode(path, bits);
            assert_eq!(
                who(me, &file),
                expected.map(|who| (path.clone(), who)),
                "{bits:o} of {}",
                path.display()
            );
            // A folder whose entries count is no less exposed for its sticky bit.
            if bits == 0o1777 {
                assert_eq!(who(me, &above), Some((above.clone(), Who::Everybody)));
                assert_eq!(who(me, &above.join("new")), Some((above.clone(), Who::Everybody)));
            }
            fs::set_permissions(path, before).unwrap();
        }
        assert_eq!(who(me, &above.join("new")), None, "nobody else may create it");
    }

    #[test]
    fn another_owner_exposes_it_and_a_service_does_not_govern_itself() {
        let (folder, me) = folder();
        if me.user != 0 {
            return;
        }
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!((who(ROOT, &file), who(SERVICE, &file)), (None, None));
        chown(&file, Some(997), None).unwrap();
        let exposed = Some((file.clone(), Who::Owner(997)));
        assert_eq!((who(ROOT, &file), who(SERVICE, &file)), (exposed.clone(), exposed));
        chown(&file, Some(1000), None).unwrap();
        assert_eq!(who(Trusted { user: 1000, group: 1000 }, &file), None, "an ordinary user's own");
        assert_eq!(who(Trusted { user: 1001, group: 1001 }, &file), Some((file.clone(), Who::Owner(1000))));
        chown(folder.path(), Some(33), None).unwrap();
        chown(&file, Some(0), None).unwrap();
        assert_eq!(who(ROOT, &file), Some((folder.path().to_owned(), Who::Owner(33))));
    }

    #[test]
    fn links_are_followed_and_count_themselves() {
        let (folder, me) = folder();
        if me.user != 0 {
            return;
        }
        let at = |name: &str| folder.path().join(name);
        for name in ["open", "closed"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("file"), "").unwrap();
        }
        mode(&at("open"), 0o777);
        symlink("../open/file", at("closed/relative")).unwrap();
        symlink(at("open"), at("absolute")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for path in [at("closed/relative"), at("absolute/file"), at("absolute/../open/file")] {
            assert_eq!(who(me, &path), Some((at("open"), Who::Everybody)), "{}", path.display());
        }
        assert!(matches!(who(me, &at("loop")), Some((_, Who::Unknown(_)))));
        // A link of somebody else in a folder like /tmp.
        mode(&at("open"), 0o1777);
        symlink(at("closed/file"), at("open/link")).unwrap();
        assert_eq!(who(me, &at("open/link")), None);
        std::os::unix::fs::lchown(at("open/link"), Some(1000), None).unwrap();
        assert_eq!(who(me, &at("open/link")), Some((at("open/link"), Who::Owner(1000))));
    }

    #[test]
    fn access_control_lists_count() {
        let (folder, me) = folder();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        mode(&file, 0o644);
        let list = |entries: &[(u16, u16, u32)]| {
            let mut list = 2_u32.to_le_bytes().to_vec();
            for (tag, rights, id) in entries {
                list.extend(tag.to_le_bytes());
                list.extend(rights.to_le_bytes());
                list.extend(id.to_le_bytes());
            }
            list
        };
        const NONE: u32 = u32::MAX;
        let rows = |user: u16, group: u16, named: u16, mask: u16| {
            list(&[
                (1, 6, NONE),
                (2, user, 4242),
                (4, group, NONE),
                (8, named, 4343),
                (0x10, mask, NONE),
                (0x20, 4, NONE),
            ])
        };
        let of = fs::metadata(&file).unwrap().gid();
        for (text, expected) in [
            (rows(4, 4, 4, 4), None),
            (rows(6, 4, 4, 6), Some(Who::ListedUser(4242))),
            (rows(6, 4, 4, 4), None),
            (rows(4, 4, 6, 7), Some(Who::ListedGroup(4343))),
            (rows(4, 6, 4, 6), (!me.trusts_group(of)).then_some(Who::Group(of))),
        ] {
            let parsed = entries(&text).unwrap();
            assert_eq!(me.listed(&parsed, of), expected);
            if !me.trusts(Trusted::now().user) {
                continue;
            }
            let flags = rustix::fs::XattrFlags::empty();
            match rustix::fs::setxattr(&file, "system.posix_acl_access", &text, flags) {
                Ok(()) => assert_eq!(who(me, &file), expected.map(|who| (file.clone(), who))),
                // The file system of temporary files has none.
                Err(rustix::io::Errno::OPNOTSUPP) => {}
                Err(error) => panic!("{error}"),
            }
        }
        for bad in [&[][..], &[2, 0, 0], &[1, 0, 0, 0], &[2, 0, 0, 0, 1]] {
            assert_eq!(entries(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn it_says_what_to_do() {
        let exposed = |who| Exposed { path: "/etc/x".into(), who }.to_string();
        assert_eq!(exposed(Who::Owner(33)), "/etc/x belongs to user 33, not to root; run: chown root /etc/x");
        assert_eq!(exposed(Who::Group(4)), "group 4 can change /etc/x; run: chmod g-w /etc/x");
        assert_eq!(exposed(Who::Everybody), "every user can change /etc/x; run: chmod o-w /etc/x");
    }
}
