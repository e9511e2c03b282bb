//! What libraries and the system say of an error, in this project's words.
//!
//! A library writes for programmers (`invalid type`, `os error 13`, a link to its own documentation). People get the
//! cause in plain words instead; what was attempted, on what, and the way out are the caller's to say.

use std::error::Error;
use std::io;

/// Numbers of `errno(3)` on Linux, and what each means.
const ERRNO: &[(i32, &str)] = &[
    (1, "the system does not permit it"),
    (2, "it does not exist"),
    (5, "the device reports an input/output error"),
    (6, "no such device"),
    (11, "a limit of the system is reached"),
    (12, "not enough memory"),
    (13, "permission denied"),
    (16, "it is in use"),
    (17, "it exists already"),
    (20, "a part of the path is a file, not a directory"),
    (21, "expected a file, found a directory"),
    (22, "the system does not accept the request"),
    (23, "too many open files on this machine"),
    (24, "too many open files in this process"),
    (27, "the file is too large"),
    (28, "no space left on the disk"),
    (30, "the file system is mounted read-only"),
    (32, "the other side closed the connection"),
    (36, "the name is too long"),
    (39, "the directory is not empty"),
    (40, "too many symbolic links, or links that lead in a circle"),
    (97, "this machine does not support this kind of address"),
    (98, "another program already uses the address"),
    (99, "this machine does not have the address"),
    (100, "the network is down"),
    (101, "this machine has no route to the network"),
    (103, "the other side closed the connection"),
    (104, "the other side closed the connection abruptly (reset)"),
    (107, "the connection is closed"),
    (110, "no answer (timed out)"),
    (111, "connection refused"),
    (112, "the host is down"),
    (113, "this machine cannot reach the host"),
    (116, "the file was replaced on its network share"),
    (122, "the disk quota is used up"),
];

/// The names by which glibc's resolver says why a name cannot be looked up (`getaddrinfo(3)`).
const RESOLVER: &[(&str, &str)] = &[
    ("Name or service not known", "the name does not exist in DNS"),
    ("No address associated with hostname", "the name has no address in DNS"),
    ("Temporary failure in name resolution", "no DNS server answered"),
    ("Non-recoverable failure in name resolution", "the DNS server reports a failure"),
];

/// The cause of an error of the system, without what was attempted.
///
/// An error that this project made itself, such as "line 3 is not UTF-8 text", is passed on as it is.
pub fn io(error: &io::Error) -> String {
    if let Some(code) = error.raw_os_error() {
        let known = ERRNO.iter().find(|(number, _)| *number == code).map(|(_, words)| (*words).to_owned());
        return known.unwrap_or_else(|| format!("the system reports error {code}"));
    }
    if let Some(inner) = error.get_ref() {
        if let Some(words) = of(inner) {
            return words;
        }
        let text = inner.to_string();
        if text.starts_with("failed to lookup address information") {
            let known = RESOLVER.iter().find(|(theirs, _)| text.contains(theirs));
            return known.map_or("the name cannot be looked up", |(_, words)| words).to_owned();
        }
        // What a library of TLS says when the other side leaves without a word.
        if error.kind() != io::ErrorKind::UnexpectedEof {
            return text;
        }
    }
    kind(error.kind()).to_owned()
}

/// A kind of error that has neither a number nor words of its own.
fn kind(kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind as K;
    match kind {
        K::NotFound => "it does not exist",
        K::PermissionDenied => "permission denied",
        K::ConnectionRefused => "connection refused",
        K::ConnectionReset => "the other side closed the connection abruptly (reset)",
        K::ConnectionAborted | K::BrokenPipe => "the other side closed the connection",
        K::NotConnected => "the connection is closed",
        K::AddrInUse => "another program already uses the address",
        K::AddrNotAvailable => "this machine does not have the address",
        K::TimedOut => "no answer (timed out)",
        K::UnexpectedEof => "the other side closed the connection too early",
        K::WriteZero => "nothing more could be written",
        K::IsADirectory => "expected a file, found a directory",
        K::NotADirectory => "a part of the path is a file, not a directory",
        K::FileTooLarge => "the file is too large",
        K::StorageFull => "no space left on the disk",
        K::OutOfMemory => "not enough memory",
        K::InvalidData => "its content has another form than expected",
        _ => "the system reports an error",
    }
}

/// Why a connection could not be made, with the way out.
pub fn connecting(error: &io::Error) -> String {
    let cause = io(error);
    let way_out = match error.kind() {
        io::ErrorKind::ConnectionRefused => "check that the service runs there and that the port is right",
        io::ErrorKind::TimedOut => "check the address, the route and the firewalls in between",
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            "check this machine's network and the route"
        }
        _ => return cause,
    };
    format!("{cause}; {way_out}")
}

/// The words for an error of a library; `None` for an error of this project, whose text is meant for people.
pub fn of(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return Some(io(error));
    }
    if let Some(error) = error.downcast_ref::<serde_json::Error>() {
        return Some(json(error));
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return Some(hyper(error));
    }
    None
}

/// Why a text is not the JSON that was expected.
pub fn json(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Io => "it could not be read to its end".to_owned(),
        serde_json::error::Category::Eof => "the JSON text ends too early".to_owned(),
        serde_json::error::Category::Syntax => format!("it is not JSON from {place} on"),
        // A value that is taken apart has no lines.
        serde_json::error::Category::Data if error.line() == 0 => {
            "its JSON has another form than expected".to_owned()
        }
        serde_json::error::Category::Data => format!("its JSON has another form than expected at {place}"),
    }
}

/// What happened to an exchange of HTTP.
fn hyper(error: &hyper::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            return io(inner);
        }
        cause = inner.source();
    }
    match () {
        () if error.is_parse_too_large() => "the head of the answer is too long",
        () if error.is_parse() => "what answers does not speak HTTP",
        () if error.is_timeout() => "no answer (timed out)",
        () if error.is_incomplete_message() => "the connection was closed before the answer was complete",
        () if error.is_user() => "the request cannot be sent as it is",
        () => "the connection was closed too early",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_of_the_system_is_shown_with_a_librarys_words() {
        for code in 1..134 {
            let words = io(&io::Error::from_raw_os_error(code));
            assert!(!words.contains("os error") && words.len() > 10, "{code}: {words}");
        }
        let directory = std::fs::read(std::env::temp_dir()).unwrap_err();
        assert_eq!(io(&directory), "expected a file, found a directory");
        let absent = std::fs::read("/nowhere/at/all").unwrap_err();
        assert_eq!(io(&absent), "it does not exist");
        let ours = io::Error::new(io::ErrorKind::InvalidData, "line 3 is not UTF-8 text");
        assert_eq!(io(&ours), "line 3 is not UTF-8 text");
        let nested = io::Error::other(io::Error::from_raw_os_error(13));
        assert_eq!(io(&nested), "permission denied");
        for kind in [io::ErrorKind::UnexpectedEof, io::ErrorKind::WriteZero, io::ErrorKind::Other] {
            assert!(io(&kind.into()).contains(' '));
        }
    }

    #[test]
    fn names_that_cannot_be_looked_up_are_named_so() {
        use std::net::ToSocketAddrs;
        let error = "no such name.invalid:1".to_socket_addrs().unwrap_err();
        let words = io(&error);
        assert!(words.contains("DNS") || words.contains("looked up"), "{words}");
    }

    #[test]
    fn json_is_named_by_its_place() {
        let of = |text: &str| json(&serde_json::from_str::<Vec<u8>>(text).unwrap_err());
        assert_eq!(of("[1,"), "the JSON text ends too early");
        assert_eq!(of("[1,\n;"), "it is not JSON from line 2, column 1 on");
        assert_eq!(of("{}"), "its JSON has another form than expected at line 1, column 0");
        let value = serde_json::from_value::<u8>("a".into()).unwrap_err();
        assert_eq!(json(&value), "its JSON has another form than expected");
    }
}
