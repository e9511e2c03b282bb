//! A program's calls as strace wrote them down, in the order in which they ended.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// Every call that changes files or folders, and those that say which file a descriptor means. What is not
/// here must not be used by the store: `disk.rs` panics where it sees one that it cannot replay.
const CALLS: &str = "trace=?open,openat,?openat2,?creat,close,dup,?dup2,dup3,fcntl,lseek,write,pwrite64,writev,\
    pwritev,?pwritev2,sendfile,splice,copy_file_range,?io_uring_setup,ftruncate,truncate,fallocate,fsync,fdatasync,\
    sync_file_range,sync,syncfs,mmap,?rename,renameat,renameat2,?unlink,unlinkat,?link,linkat,?symlink,symlinkat,\
    ?mkdir,mkdirat,?rmdir,chdir";

/// strace over a command, its notes in `file`.
pub(crate) fn strace(file: &Path, program: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-qq", "-a1", "-xx", "-s8388608", "-e", "signal=none", "-e", CALLS]);
    strace.arg("-o").arg(file).arg(program);
    strace
}

/// One call that succeeded.
pub(crate) struct Call<'a> {
    /// Its place among the calls, from 0.
    pub(crate) number: usize,
    /// How many calls had ended when it began.
    pub(crate) began: usize,
    pub(crate) name: &'a str,
    pub(crate) arguments: Vec<&'a str>,
    pub(crate) answer: u64,
}

impl Call<'_> {
    pub(crate) fn argument(&self, n: usize) -> &str {
        self.arguments.get(n).copied().unwrap_or_default()
    }

    pub(crate) fn number(&self, n: usize) -> u64 {
        self.argument(n).parse().unwrap_or_else(|e| panic!("argument {n} of {self}: {e}"))
    }

    /// The bytes of a text or a buffer.
    pub(crate) fn bytes(&self, n: usize) -> Vec<u8> {
        let text = self.argument(n).strip_prefix('"').and_then(|t| t.strip_suffix('"'));
        let text = text.unwrap_or_else(|| panic!("{self} was cut off")).as_bytes();
        let digit = |d: u8| if d <= b'9' { d - b'0' } else { d - b'a' + 10 };
        // Four characters each: \x41
        text.as_chunks::<4>().0.iter().map(|[_, _, high, low]| digit(*high) << 4 | digit(*low)).collect()
    }

    pub(crate) fn path(&self, n: usize) -> String {
        if self.argument(n) == "NULL" { String::new() } else { String::from_utf8(self.bytes(n)).unwrap() }
    }
}

impl std::fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |argument: &&str| {
            let text = argument.trim_matches('"');
            if text.len() == argument.len() {
                return text.to_owned();
            }
            match String::from_utf8(Call { arguments: vec![argument], ..*self }.bytes(0)) {
                Ok(text) if text.len() < 100 => text,
                _ => format!("({} bytes)", text.len() / 4),
            }
        };
        let arguments: Vec<String> = self.arguments.iter().map(shown).collect();
        write!(f, "{}({}) = {}", self.name, arguments.join(", "), self.answer)
    }
}

/// The calls of a trace that succeeded, those of all threads, in the order in which they ended.
pub(crate) fn calls(text: &str) -> impl Iterator<Item = Call<'_>> {
    let mut unfinished: HashMap<&str, (&str, usize)> = HashMap::new();
    let mut ended = 0;
    text.lines().filter_map(move |line| {
        let (thread, call) = line.split_once(' ')?;
        let call = call.trim_start();
        if let Some(beginning) = call.strip_suffix(" <unfinished ...>") {
            unfinished.insert(thread, (beginning, ended));
            return None;
        }
        let (beginning, end, began) = match call.strip_prefix("<... ") {
            Some(resumed) => {
                let (beginning, began) = unfinished.remove(thread)?;
                (beginning, resumed.split_once(" resumed>")?.1, began)
            }
            None => {
                let at = call.rfind(" = ")?;
                let (beginning, end) = call.split_at(at);
                (beginning, end, ended)
            }
        };
        let answer = end.rsplit_once("= ")?.1.split(' ').next()?;
        // A mapping is answered with an address. What failed changed nothing.
        let answer = match answer.strip_prefix("0x") {
            Some(_) => 0,
            None => answer.parse().ok()?,
        };
        let (name, arguments) = beginning.trim_end().split_once('(')?;
        let arguments = arguments.strip_suffix(')').unwrap_or(arguments);
        let number = ended;
        ended += 1;
        Some(Call { number, began, name, arguments: arguments.split(", ").collect(), answer })
    })
}
