//! systemd, as the agent speaks to it: `systemctl` and `journalctl`, asked with bounds in time and size.
//!
//! Promises: each call has a longest time, and none keeps more than [`MAX_OUTPUT`] of what it is answered; a
//! child that is given up is ended. What may be started and stopped is polkit's to decide (`gate_files`), and only `protection`
//! does it, after it saw that the protection goes on. Must not know:
//! permits. Zbus would cost 0.9 MB of the agent's file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use svm_core::files::list_folder;
use svm_core::library_words;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// The longest that a call may take; systemd answers in milliseconds, or is not well.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// So much of an answer is read.
pub const MAX_OUTPUT: u64 = 256 * 1024;

/// So much of a journal, in bytes.
pub const MAX_JOURNAL: u64 = 4 * 1024 * 1024;

/// Why systemd did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SystemctlError {
    /// It is not there, or may not be run.
    #[error("cannot run {program}: {problem}")]
    NotRun {
        /// `systemctl` or `journalctl`.
        program: &'static str,
        problem: String,
    },
    /// It gave no answer in time.
    #[error("{program} did not answer within {seconds} s")]
    TimedOut {
        /// As above.
        program: &'static str,
        /// So long.
        seconds: u64,
    },
    /// It refused; such as polkit, or a unit that is not there.
    #[error("{program} {verb} failed: {answer}")]
    Failed {
        /// As above.
        program: &'static str,
        /// Such as `stop`.
        verb: &'static str,
        /// The first line of its answer.
        answer: String,
    },
}

/// How a unit is, as `systemctl show` has it (`systemd.unit(5)`, `org.freedesktop.systemd1(5)`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitState {
    pub id: String,
    /// `loaded`, `not-found`, `masked`, …
    pub load: String,
    /// `active`, `activating`, `deactivating`, `inactive`, `failed`, …
    pub active: String,
    /// How it ended last: `success`, `exec-condition` where it was skipped, `exit-code`, `signal`, `timeout`, …
    pub result: String,
    /// The exit code of its main process.
    pub exit_status: i32,
    /// Which run this is: 32 hexadecimal digits, empty where it never ran.
    pub invocation: String,
    /// Everything asked for, by property.
    pub properties: BTreeMap<String, String>,
}

impl UnitState {
    /// Whether something of it runs, or is about to.
    pub fn runs(&self) -> bool {
        matches!(self.active.as_str(), "active" | "activating" | "deactivating" | "reloading" | "refreshing")
    }

    /// Whether its `ExecCondition=` is being asked, its gate among them; where `SubState` was asked for.
    pub fn asks(&self) -> bool {
        self.properties.get("SubState").is_some_and(|state| state == "condition")
    }

    /// The words of a property that is a list, such as `Names`. systemd quotes a word with a backslash in it, and doubles
    /// that.
    pub fn words(&self, property: &str) -> Vec<String> {
        let text = self.properties.get(property).map(String::as_str).unwrap_or_default();
        let word = |word: &str| match word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
            Some(quoted) => quoted.replace("\\\\", "\\"),
            None => word.to_owned(),
        };
        text.split_ascii_whitespace().map(word).collect()
    }

    fn of(properties: BTreeMap<String, String>) -> Self {
        let text = |name: &str| properties.get(name).cloned().unwrap_or_default();
        Self {
            id: text("Id"),
            load: text("LoadState"),
            active: text("ActiveState"),
            result: text("Result"),
            exit_status: text("ExecMainStatus").parse().unwrap_or(0),
            invocation: text("InvocationID"),
            properties,
        }
    }
}

/// Properties that are always asked for.
const PROPERTIES: &str = "Id,LoadState,ActiveState,Result,ExecMainStatus,InvocationID";

/// Has units stopped, and does not wait until they are.
///
/// # Errors
/// [`SystemctlError`]; some may be stopped all the same.
pub(crate) async fn stop(units: &[String]) -> Result<(), SystemctlError> {
    change("stop", &["--no-block"], units).await
}

/// Has units started, and does not wait until they are. One whose `ExecCondition=` refuses is no error.
///
/// # Errors
/// As above.
pub(crate) async fn start(units: &[String]) -> Result<(), SystemctlError> {
    change("start", &["--no-block"], units).await
}

/// Kills all processes of units.
///
/// # Errors
/// As above.
pub(crate) async fn kill(units: &[String]) -> Result<(), SystemctlError> {
    change("kill", &["--signal=KILL"], units).await
}

/// Has a unit started and waits until that is done: of a `Type=oneshot` service, until it ended.
///
/// # Errors
/// As above; also where it failed.
pub(crate) async fn run(unit: &str, timeout: Duration) -> Result<(), SystemctlError> {
    let mut command = Command::new("systemctl");
    command.args(["--quiet", "--no-ask-password", "start", "--", unit]);
    ask("systemctl", "start", command, timeout).await.map(drop)
}

async fn change(verb: &'static str, options: &[&str], units: &[String]) -> Result<(), SystemctlError> {
    if units.is_empty() {
        return Ok(());
    }
    let mut command = Command::new("systemctl");
    command.args(["--quiet", "--no-ask-password", verb]).args(options).arg("--").args(units);
    ask("systemctl", verb, command, TIMEOUT).await.map(drop)
}

/// Has systemd read its units again.
///
/// # Errors
/// As above.
pub async fn reload() -> Result<(), SystemctlError> {
    let mut command = Command::new("systemctl");
    command.args(["--quiet", "--no-ask-password", "daemon-reload"]);
    ask("systemctl", "daemon-reload", command, TIMEOUT).await.map(drop)
}

/// The names of the services that have a file, templates among them.
///
/// # Errors
/// As above.
pub async fn services() -> Result<Vec<String>, SystemctlError> {
    let mut command = Command::new("systemctl");
    command.args(["list-unit-files", "--type=service", "--no-legend", "--no-pager", "--full"]);
    let text = ask("systemctl", "list-unit-files", command, TIMEOUT).await?;
    Ok(text.lines().filter_map(|line| Some(line.split_ascii_whitespace().next()?.to_owned())).collect())
}

/// The names of all units that have a file or are loaded; no templates.
///
/// # Errors
/// As above.
pub async fn all_units() -> Result<Vec<String>, SystemctlError> {
    let mut command = Command::new("systemctl");
    command.args(["list-units", "--all", "--plain", "--no-legend", "--no-pager", "--full"]);
    let loaded = ask("systemctl", "list-units", command, TIMEOUT).await?;
    let mut names: BTreeSet<String> = first_words(&loaded).collect();
    // `list-unit-files` would also find out of each whether it is enabled, which takes seconds on a busy machine.
    let mut command = Command::new("systemctl");
    command.args(["show", "--no-pager", "--property", "UnitPath", "--value"]);
    let folders = ask("systemctl", "show", command, TIMEOUT).await?;
    for folder in folders.split_ascii_whitespace() {
        // Most of them are not there.
        let files = list_folder(Path::new(folder)).unwrap_or_default();
        names.extend(files.iter().filter_map(|file| Some(file.file_name()?.to_str()?.to_owned())));
    }
    names.retain(|name| is_unit(name));
    Ok(names.into_iter().collect())
}

fn first_words(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| Some(line.split_ascii_whitespace().next()?.to_owned()))
}

/// Whether a name is that of a unit that can be asked about: no folder of drop-ins, no template.
pub(crate) fn is_unit(name: &str) -> bool {
    const KINDS: [&str; 11] = [
        "service",
        "socket",
        "target",
        "timer",
        "path",
        "mount",
        "automount",
        "swap",
        "slice",
        "scope",
        "device",
    ];
    let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b":_.\\@-".contains(&b);
    KINDS.contains(&kind) && !name.contains("@.") && name.len() <= 255 && name.bytes().all(plain)
}

/// How units are, in the order in which they were named; `more` are properties beside the usual ones. A unit that is not
/// there has `load` `not-found`.
///
/// # Errors
/// [`SystemctlError`].
pub async fn show(units: &[String], more: &[&str]) -> Result<Vec<UnitState>, SystemctlError> {
    if units.is_empty() {
        return Ok(Vec::new());
    }
    let properties = more.iter().fold(PROPERTIES.to_owned(), |all, one| format!("{all},{one}"));
    let mut command = Command::new("systemctl");
    command.args(["show", "--no-pager", "--property", &properties, "--"]).args(units);
    Ok(read(&ask("systemctl", "show", command, TIMEOUT).await?))
}

/// Blocks of `Name=value` with an empty line between; a value may hold `=`. A name may occur more than once, such as each
/// command of `ExecCondition=`, is a line each.
pub(crate) fn read(text: &str) -> Vec<UnitState> {
    let block = |block: &str| {
        let mut properties = BTreeMap::<String, String>::new();
        for (name, value) in block.lines().filter_map(|line| line.split_once('=')) {
            match properties.get_mut(name) {
                Some(before) => {
                    before.push('\n');
                    before.push_str(value);
                }
                None => drop(properties.insert(name.to_owned(), value.to_owned())),
            }
        }
        UnitState::of(properties)
    };
    text.split("\n\n").filter(|text| !text.trim().is_empty()).map(block).collect()
}

/// The last lines of a run's journal, oldest first: at most `most`, each of at most 300 characters.
///
/// # Errors
/// [`SystemctlError`]; such as where this user may not read the journal.
pub async fn last_lines(invocation: &str, most: usize) -> Result<Vec<String>, SystemctlError> {
    if invocation.is_empty() || !invocation.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(Vec::new());
    }
    lines_of(format!("_SYSTEMD_INVOCATION_ID={invocation}"), None, most).await
}

/// The last lines that a unit's processes wrote since an instant, in microseconds since the beginning of 1970; else as
/// above. What a process says right before its end has no invocation in the journal.
///
/// # Errors
/// As above.
pub async fn last_lines_since(unit: &str, since_us: i64, most: usize) -> Result<Vec<String>, SystemctlError> {
    let (seconds, micros) = (since_us.div_euclid(1_000_000), since_us.rem_euclid(1_000_000));
    let since = format!("--since=@{seconds}.{micros:06}");
    lines_of(format!("_SYSTEMD_UNIT={unit}"), Some(since), most).await
}

async fn lines_of(of: String, since: Option<String>, most: usize) -> Result<Vec<String>, SystemctlError> {
    let mut command = Command::new("journalctl");
    // The newest first: of what is too long for an answer, the oldest is left out.
    command.args(["--quiet", "--no-pager", "--output=cat", "--reverse", "--lines"]).arg(most.to_string());
    command.args(since).arg(of);
    Ok(plain_lines(&ask("journalctl", "read", command, TIMEOUT).await?, most))
}

/// Of lines that come newest first.
pub(crate) fn plain_lines(text: &str, most: usize) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let plain = |line: &&str| svm_core::text::clean_start(line, 300);
    lines.iter().take(most).rev().map(plain).collect()
}

/// How systemd told that a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    Finished,
    /// Its `ExecCondition=` skipped it.
    Skipped,
    Stopped,
    Failed,
}

/// How a run ended, by what systemd told the journal: it forgets at once the units that ended well and that nothing
/// refers to.
///
/// # Errors
/// [`SystemctlError`].
pub async fn run_end(invocation: &str) -> Result<Option<RunEnd>, SystemctlError> {
    if invocation.is_empty() || !invocation.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let mut command = Command::new("journalctl");
    command.args([
        "--quiet",
        "--no-pager",
        "--output=cat",
        "--output-fields=MESSAGE_ID",
        "--lines=20",
        "_PID=1",
    ]);
    command.arg(format!("INVOCATION_ID={invocation}"));
    Ok(parse_run_end(&ask("journalctl", "read", command, TIMEOUT).await?))
}

/// The last run of a unit that systemd told the journal of, where that was not before an instant, in microseconds since
/// the beginning of 1970.
///
/// # Errors
/// [`SystemctlError`].
pub async fn last_run_since(unit: &str, since_us: i64) -> Result<Option<String>, SystemctlError> {
    let mut command = Command::new("journalctl");
    // Not `--since`: with `--lines` it shows the first ones.
    command.args(["--quiet", "--no-pager", "--output=json", "--lines=1"]);
    command.arg("--output-fields=INVOCATION_ID,_SOURCE_REALTIME_TIMESTAMP").arg("_PID=1");
    command.arg(format!("UNIT={unit}"));
    Ok(parse_last_run(&ask("journalctl", "read", command, TIMEOUT).await?, since_us))
}

/// Of an entry of the journal as JSON; all values are texts.
pub(crate) fn parse_last_run(entry: &str, since_us: i64) -> Option<String> {
    let entry: BTreeMap<String, serde_json::Value> = serde_json::from_str(entry.lines().next()?).ok()?;
    let field = |name: &str| entry.get(name)?.as_str();
    let logged_at = field("_SOURCE_REALTIME_TIMESTAMP").or_else(|| field("__REALTIME_TIMESTAMP"))?;
    let recent = logged_at.parse::<i64>().is_ok_and(|logged_at| logged_at >= since_us);
    let plain = |id: &&str| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    field("INVOCATION_ID").filter(plain).filter(|_| recent).map(str::to_owned)
}

/// Of the kinds of messages of `sd-messages.h`.
pub(crate) fn parse_run_end(kinds: &str) -> Option<RunEnd> {
    let has = |kind: &str| kinds.lines().any(|line| line.trim() == kind);
    if has("0e4284a0caca4bfc81c0bb6786972673") {
        Some(RunEnd::Skipped)
    } else if has("d9b373ed55a64feb8242e02dbe79a49c") || has("be02cf6855d2428ba40df7e9d022f03d") {
        Some(RunEnd::Failed)
    } else if has("9d1aaa27d60140bd96365438aad20286") {
        Some(RunEnd::Stopped)
    } else if has("7ad2d189f7e94e70a38c781354912448") {
        Some(RunEnd::Finished)
    } else {
        None
    }
}

/// The version of systemd, such as `252.39-1~deb12u1`.
///
/// # Errors
/// [`SystemctlError`].
pub async fn version() -> Result<String, SystemctlError> {
    let mut command = Command::new("systemctl");
    command.args(["show", "--no-pager", "--property", "Version", "--value"]);
    Ok(ask("systemctl", "show", command, TIMEOUT).await?.trim().to_owned())
}

/// The journal of the units whose names match a pattern and of one more unit, of so many days: the newest entry first, at most
/// [`MAX_JOURNAL`] bytes, times in UTC.
///
/// # Errors
/// [`SystemctlError`]; a user who may not read the journal gets an empty text.
pub async fn journal(pattern: &str, unit: &str, days: u16) -> Result<String, SystemctlError> {
    let mut command = Command::new("journalctl");
    // The newest first: of what is too long for an answer, the oldest is left out.
    command.args(["--quiet", "--no-pager", "--utc", "--output=short-iso", "--reverse"]);
    command
        .arg(format!("--since=-{days}days"))
        .arg(format!("--unit={pattern}"))
        .arg(format!("--unit={unit}"));
    ask_up_to(MAX_JOURNAL, "journalctl", "read", command, TIMEOUT).await
}

async fn ask(
    program: &'static str,
    verb: &'static str,
    command: Command,
    timeout: Duration,
) -> Result<String, SystemctlError> {
    ask_up_to(MAX_OUTPUT, program, verb, command, timeout).await
}

async fn ask_up_to(
    max_output: u64,
    program: &'static str,
    verb: &'static str,
    mut command: Command,
    timeout: Duration,
) -> Result<String, SystemctlError> {
    let not_run = |e: std::io::Error| SystemctlError::NotRun { program, problem: library_words::io(&e) };
    // Not translated, and without anything for a terminal.
    command
        .env("LC_ALL", "C")
        .env("SYSTEMD_COLORS", "0")
        .env("SYSTEMD_PAGER", "")
        .env_remove("NOTIFY_SOCKET");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(not_run)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let answered = async {
        let (printed, complained) = tokio::join!(bounded(stdout, max_output), bounded(stderr, MAX_OUTPUT));
        Ok::<_, std::io::Error>((child.wait().await?, printed?, complained?))
    };
    let answered = tokio::time::timeout(timeout, answered).await;
    let (status, printed, complained) = answered
        .map_err(|_| SystemctlError::TimedOut { program, seconds: timeout.as_secs() })?
        .map_err(not_run)?;
    if status.success() {
        return Ok(printed);
    }
    let answer = complained.lines().chain(printed.lines()).find(|line| !line.trim().is_empty());
    let answer = answer.map_or_else(|| status.to_string(), |line| line.trim().chars().take(300).collect());
    Err(SystemctlError::Failed { program, verb, answer })
}

/// What a pipe brings, as text; what is too much is read and forgotten, so that nobody waits to write it.
async fn bounded(
    pipe: Option<impl tokio::io::AsyncRead + Unpin>,
    max_output: u64,
) -> std::io::Result<String> {
    let Some(mut pipe) = pipe else { return Ok(String::new()) };
    let mut kept = Vec::new();
    (&mut pipe).take(max_output).read_to_end(&mut kept).await?;
    let mut rest = [0; 4096];
    while pipe.read(&mut rest).await? > 0 {}
    Ok(String::from_utf8_lossy(&kept).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_show_prints_is_read_by_unit() {
        let text = "Id=a.service\nActiveState=activating\nResult=success\nExecMainStatus=0\nX=a=b\n\n\
                    Id=b.service\nNames=b.service \"c\\\\x2d.service\"\nLoadState=not-found\nE=1\nE=2=3\nActiveState=inactive\nResult=exec-condition\nExecMainStatus=75\n";
        let [a, b]: [UnitState; 2] = read(text).try_into().unwrap();
        assert!(a.runs() && !b.runs());
        assert_eq!(
            (b.words("Names"), b.words("None")),
            (vec!["b.service".into(), "c\\x2d.service".into()], vec![])
        );
        assert_eq!(b.properties["E"], "1\n2=3", "each of several is kept");
        assert_eq!((a.properties["X"].as_str(), b.load.as_str(), b.exit_status), ("a=b", "not-found", 75));
        let twice = read("ExecCondition={ a }\nExecCondition={ b }\n");
        assert_eq!(twice[0].properties["ExecCondition"], "{ a }\n{ b }");
    }

    #[test]
    fn names_of_units_are_distinguished_from_other_files() {
        for name in ["a.service", "-.mount", "dev-disk\\x2d1.device", "a@b.service", "network-online.target"]
        {
            assert!(is_unit(name), "{name}");
        }
        for name in [
            "a.service.d",
            "a@.service",
            "multi-user.target.wants",
            "README",
            "a b.service",
            ".service.swp",
            "",
        ] {
            assert!(!is_unit(name), "{name}");
        }
    }

    #[test]
    fn the_journal_says_how_a_run_ended() {
        let (begun, ended) = ("7d4958e842da4a758f6c1cdc7b36dcc5", "7ad2d189f7e94e70a38c781354912448");
        assert_eq!(parse_run_end(begun), None);
        let entry = format!(
            r#"{{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"12","_SOURCE_REALTIME_TIMESTAMP":"10","INVOCATION_ID":"{begun}"}}"#
        );
        assert_eq!((parse_last_run(&entry, 10), parse_last_run(&entry, 11)), (Some(begun.to_owned()), None));
        assert_eq!(
            (parse_last_run("", 0), parse_last_run("{}", 0), parse_last_run("x", 0)),
            (None, None, None)
        );
        assert_eq!(
            parse_run_end(&format!("{begun}\n{ended}\n39f53479d3a045ac8e11786248231fbf\n")),
            Some(RunEnd::Finished)
        );
        assert_eq!(
            parse_run_end(&format!("{begun}\n0e4284a0caca4bfc81c0bb6786972673\n")),
            Some(RunEnd::Skipped)
        );
        assert_eq!(
            parse_run_end(&format!("{begun}\n{ended}\n9d1aaa27d60140bd96365438aad20286\n")),
            Some(RunEnd::Stopped)
        );
    }
}
