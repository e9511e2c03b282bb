//! The paths of the settings: what `run` could not use is refused here already.

use crate::config::check::Check;
use crate::config::raw::Raw;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `paths.runtime_dir` as systemd makes it.
pub const RUNTIME_DIR: &str = "/run/svm-agent";

/// The socket with the longest name.
const LONGEST_SOCKET: &str = "control.sock";

/// `sun_path` of `unix(7)` has 108 bytes, the last of them 0.
const MAX_SOCKET_PATH: usize = 107;

/// SQLite opens no path over 512 bytes, and puts `-journal` behind that of the database.
const MAX_STATE_DIR: usize = 480;

const MAX_PATH: usize = 4095;

/// What is wrong with a path that has to be whole.
fn whole(path: &Path, max: usize) -> Result<(), String> {
    match path.as_os_str().len() {
        0 => Err("must be an absolute path, such as /etc/svm-agent/name; it is empty".to_owned()),
        length if length > max => Err(format!("has {length} bytes, and at most {max} are possible here; choose a shorter path")),
        _ if !path.is_absolute() => {
            Err("must be an absolute path, such as /etc/svm-agent/name; the service has another working directory than you".to_owned())
        }
        _ => Ok(()),
    }
}

/// What is wrong with the folder of sockets.
fn of_sockets(folder: &Path) -> Result<(), String> {
    whole(folder, MAX_PATH)?;
    // A slash at the end takes no room of its own.
    let path = folder.join(LONGEST_SOCKET);
    let (length, max) = (path.as_os_str().len(), MAX_SOCKET_PATH);
    match length.checked_sub(max) {
        None | Some(0) => Ok(()),
        Some(over) => Err(format!(
            "is too long: the path of a socket has at most {max} bytes, and {} would have {length}; shorten it by {over}",
            path.display()
        )),
    }
}

/// Whether one folder is the other or lies in it.
fn is_within(inner: &Path, outer: &Path) -> bool {
    inner.as_os_str().as_bytes() != b"" && inner.starts_with(outer)
}

impl Check<'_> {
    /// Looks at every path.
    pub(crate) fn places(&mut self, raw: &Raw) {
        let paths = &raw.paths;
        self.take("paths.state_dir", whole(&paths.state_dir, MAX_STATE_DIR));
        self.take("paths.runtime_dir", of_sockets(&paths.runtime_dir));
        self.take("paths.trust_dir", whole(&paths.trust_dir, MAX_PATH));
        self.take("enforcement.gates_dir", whole(&raw.enforcement.gates_dir, MAX_PATH));
        if is_within(&paths.runtime_dir, &paths.state_dir) {
            let message = "must not be `paths.state_dir` or lie in it: only the agent may enter that directory, and others need \
                           the permits and sockets";
            self.take::<(), _>("paths.runtime_dir", Err(message));
        }
        let mut files: Vec<(String, &str)> = [
            ("product.version_file", &raw.product.version_file),
            ("identity.machine_id_file", &raw.identity.machine_id_file),
            ("identity.product_uuid_file", &raw.identity.product_uuid_file),
            ("source.ca_file", &raw.source.ca_file),
            ("devices.count_file", &raw.devices.count_file),
            ("updates.databases_file", &raw.updates.databases_file),
        ]
        .map(|(key, file)| (key.to_owned(), file.as_str()))
        .into();
        for (name, destination) in &raw.destinations {
            files.extend(
                destination.named_files().map(|(key, file)| (format!("destinations.{name}.{key}"), file)),
            );
        }
        let textfile = Some(Path::new(&raw.metrics.textfile)).filter(|file| !file.as_os_str().is_empty());
        for (key, file) in files.into_iter().filter(|(_, file)| !file.is_empty()) {
            self.take(&key, whole(Path::new(file), MAX_PATH));
            if textfile == Some(Path::new(file)) {
                let message = format!("must not be the file of `{key}`, because the agent overwrites it");
                self.take::<(), _>("metrics.textfile", Err(message));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn problems(text: &str) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let read = Settings::read(&[file.path().to_owned()], []);
        read.map(drop).map_err(|error| error.to_string()).err().unwrap_or_default()
    }

    #[test]
    fn a_folder_too_long_for_a_socket_is_a_wrong_setting() {
        // The longest that can be bound, which the kernel says, and one more.
        let folder = tempfile::tempdir().unwrap();
        let of_length = |length: usize| {
            let path = format!("{}/{}", folder.path().display(), "x".repeat(length));
            path.get(..length).unwrap().to_owned()
        };
        let longest = MAX_SOCKET_PATH - 1 - LONGEST_SOCKET.len();
        for (length, fits) in [(longest, true), (longest + 1, false)] {
            let runtime = of_length(length);
            std::fs::create_dir_all(&runtime).unwrap();
            let bound = std::os::unix::net::UnixListener::bind(Path::new(&runtime).join(LONGEST_SOCKET));
            assert_eq!(bound.is_ok(), fits, "{length}");
            let message = problems(&format!("[paths]\nruntime_dir = \"{runtime}\"\n"));
            assert_eq!(message.is_empty(), fits, "{message}");
            assert!(
                fits || message.contains(":2: `paths.runtime_dir`: is too long") && message.contains("107"),
                "{message}"
            );
        }
        let state = format!("/{}", "x".repeat(MAX_STATE_DIR));
        assert!(problems(&format!("[paths]\nstate_dir = \"{state}\"\n")).contains("at most 480"));
    }

    #[test]
    fn paths_that_run_could_not_use_are_refused() {
        for (text, says) in [
            ("[paths]\nstate_dir = \"state\"\n", "`paths.state_dir`: must be an absolute path"),
            ("[paths]\nstate_dir = \"\"\n", "`paths.state_dir`: must be an absolute path"),
            ("[paths]\ntrust_dir = \"trust.d\"\n", "`paths.trust_dir`: must be an absolute path"),
            (
                "[paths]\nstate_dir = \"/a\\u0000b\"\n",
                "`paths.state_dir`: has the control or invisible character U+0000",
            ),
            (
                "[paths]\nstate_dir = \"/a\"\nruntime_dir = \"/a\"\n",
                "`paths.runtime_dir`: must not be `paths.state_dir`",
            ),
            ("[paths]\nstate_dir = \"/a\"\nruntime_dir = \"/a/run\"\n", "or lie in it"),
            ("[product]\nversion_file = \"version\"\n", "`product.version_file`: must be an absolute path"),
            ("[devices]\ncount_file = \"./count\"\n", "`devices.count_file`: must be an absolute path"),
            ("[updates]\ndatabases_file = \"x\"\n", "`updates.databases_file`: must be an absolute path"),
            ("[identity]\nmachine_id_file = \"x\"\n", "`identity.machine_id_file`: must be"),
            ("[source]\nca_file = \"ca.pem\"\n", "`source.ca_file`: must be an absolute path"),
            (
                "[destinations.a]\nurl = \"https://h\"\ntoken_file = \"t\"\n",
                "`destinations.a.token_file`: must be",
            ),
            (
                "[devices]\ncount_file = \"/a.prom\"\n[metrics]\ntextfile = \"/a.prom\"\n",
                "`metrics.textfile`: must not be the file of `devices.count_file`",
            ),
        ] {
            let message = problems(text);
            assert!(message.contains(says), "{text}: {message}");
        }
    }
}
