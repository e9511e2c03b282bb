//! Whether a running unit takes connections from elsewhere.
//!
//! Promises: looks at every process of its control group, each in its own network; a process that ends meanwhile is passed
//! over. Needs root to see what others have open. Must not know: units, permits.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use svm_core::files;

/// More processes are not looked at; then the answer is an error.
const MAX_PROCESSES: usize = 10_000;

/// The tables of a network with a million sockets.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Where the control group of a unit is, for a `ControlGroup` as systemd names it.
pub fn control_group(sys: &Path, name: &str) -> Option<PathBuf> {
    let name = name.strip_prefix('/').filter(|name| !name.is_empty())?;
    let roots = ["", "unified", "systemd"].map(|root| sys.join("fs/cgroup").join(root).join(name));
    roots.into_iter().find(|folder| files::is_there(&folder.join("cgroup.procs")))
}

/// Sockets of a control group's processes that take what comes from elsewhere, such as `tcp 0.0.0.0:80 of process 12`.
///
/// # Errors
/// What cannot be seen.
pub fn sockets(proc: &Path, group: &Path) -> std::io::Result<Vec<String>> {
    let mut processes = BTreeSet::new();
    gather(group, &mut processes)?;
    let mut networks = BTreeMap::<PathBuf, BTreeMap<u64, String>>::new();
    let mut found = Vec::new();
    for process in processes {
        let folder = proc.join(process.to_string());
        let Some(network) = gone(std::fs::read_link(folder.join("ns/net")))? else { continue };
        let open = match networks.get(&network) {
            Some(open) => open,
            None => {
                let Some(open) = gone(open_to_all(&folder.join("net")))? else { continue };
                networks.entry(network).or_insert(open)
            }
        };
        let Some(open_files) = gone(entries(&folder.join("fd")))? else { continue };
        for file in open_files.flatten() {
            let Ok(target) = std::fs::read_link(file.path()) else { continue };
            let inode = target
                .to_str()
                .and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            if let Some(socket) = inode.and_then(|inode: u64| open.get(&inode)) {
                found.push(format!("{socket} of process {process}"));
            }
        }
    }
    Ok(found)
}

/// The entries of a folder of the kernel's: every name there counts.
#[allow(clippy::disallowed_methods, reason = "in the kernel's folders nobody leaves anything behind")]
fn entries(folder: &Path) -> std::io::Result<std::fs::ReadDir> {
    std::fs::read_dir(folder)
}

/// `None` where the process has ended.
fn gone<T>(result: std::io::Result<T>) -> std::io::Result<Option<T>> {
    const NO_SUCH_PROCESS: i32 = 3;
    match result {
        Err(error)
            if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(NO_SUCH_PROCESS) =>
        {
            Ok(None)
        }
        result => result.map(Some),
    }
}

fn gather(group: &Path, processes: &mut BTreeSet<u32>) -> std::io::Result<()> {
    match files::read_text_bounded(&group.join("cgroup.procs"), MAX_BYTES) {
        // 0 is a process that cannot be seen from here.
        Ok(text) => {
            processes.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()).filter(|pid| *pid > 0))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        // One of threads: their processes stand above it.
        Err(error) if error.kind() == ErrorKind::Unsupported => {}
        Err(error) => return Err(error),
    }
    if processes.len() > MAX_PROCESSES {
        return Err(std::io::Error::other(format!("it has more than {MAX_PROCESSES} processes")));
    }
    for entry in entries(group)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            gather(&entry.path(), processes)?;
        }
    }
    Ok(())
}

/// The sockets of a network that listen, or are bound without a peer, on more than the loopback; by inode.
fn open_to_all(net: &Path) -> std::io::Result<BTreeMap<u64, String>> {
    let mut open = BTreeMap::new();
    for (table, state) in
        [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07"), ("udplite", "07"), ("udplite6", "07")]
    {
        let text = match files::read_text_bounded(&net.join(table), MAX_BYTES) {
            // Without IPv6 there are no such tables.
            Err(error) if error.kind() == ErrorKind::NotFound && table != "tcp" => continue,
            text => text?,
        };
        let table = table.trim_end_matches('6');
        open.extend(rows(&text, state).map(|(inode, socket)| (inode, format!("{table} {socket}"))));
    }
    Ok(open)
}

/// The sockets of a table in this state that are open to more than the loopback.
pub(crate) fn rows(text: &str, state: &str) -> impl Iterator<Item = (u64, SocketAddr)> {
    text.lines().skip(1).filter_map(move |line| {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        let (address, port) = address(field(1)).filter(|_| field(3) == state)?;
        let open = !address.to_canonical().is_loopback();
        Some((field(9).parse().ok()?, SocketAddr::new(address, port))).filter(|_| open)
    })
}

/// An address as `/proc/net` has it: words of 32 bits in the order of this machine.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words: Vec<u8> = (0..4).map(word).collect::<Option<Vec<_>>>()?.concat();
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?))
        }
        _ => return None,
    };
    Some((address, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    /// A control group with this very process in a group below it.
    fn own_group() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("cgroup.procs"), "0\n4000000\n").unwrap();
        fs::write(folder.path().join("below/cgroup.procs"), format!("{}\n", std::process::id())).unwrap();
        folder
    }

    #[test]
    fn what_takes_connections_from_elsewhere_is_seen() {
        let group = own_group();
        let seen = |port: u16| {
            let found = sockets(Path::new("/proc"), group.path()).unwrap();
            found.iter().any(|socket| socket.contains(&format!(":{port} of process")))
        };
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let wide = TcpListener::bind("0.0.0.0:0").unwrap();
        let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
        let local = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(local.local_addr().unwrap()).unwrap();
        let local_udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(seen(port(&wide)) && seen(udp.local_addr().unwrap().port()));
        assert!(!seen(port(&local)) && !seen(client.local_addr().unwrap().port()));
        assert!(!seen(local_udp.local_addr().unwrap().port()));
        if let Ok(six) = TcpListener::bind("[::]:0") {
            assert!(seen(port(&six)));
        }
        if let Ok(six) = TcpListener::bind("[::1]:0") {
            assert!(!seen(port(&six)));
        }
        let gone = port(&wide);
        drop(wide);
        assert!(!seen(gone));
    }

    #[test]
    fn addresses_are_read() {
        let native = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
        assert_eq!(
            address(&format!("{}:0050", native([127, 0, 0, 1]))),
            Some(("127.0.0.1".parse().unwrap(), 80))
        );
        let mapped = format!(
            "{}{}{}{}:0001",
            native([0; 4]),
            native([0; 4]),
            native([0, 0, 255, 255]),
            native([127, 0, 0, 1])
        );
        let (address_of, _) = address(&mapped).unwrap();
        assert!(address_of.to_canonical().is_loopback());
        for bad in ["", "0:1", "0100007F", "0100007F:", "ÄÖÜ:12", "0100007F0:1"] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_group_is_found_wherever_it_is_mounted() {
        let sys = tempfile::tempdir().unwrap();
        let group = sys.path().join("fs/cgroup/unified/system.slice/a.service");
        fs::create_dir_all(&group).unwrap();
        assert_eq!(control_group(sys.path(), "/system.slice/a.service"), None);
        fs::write(group.join("cgroup.procs"), "").unwrap();
        assert_eq!(control_group(sys.path(), "/system.slice/a.service"), Some(group));
        assert_eq!(control_group(sys.path(), ""), None);
        assert_eq!(control_group(sys.path(), "/"), None);
    }
}
