//! The demonstration from outside: it explains itself, and what the page shows at the end stays.

use crate::support::program;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ends with the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn svms(place: &str) -> Value {
    let mut stream = TcpStream::connect(place).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET /v1/svms HTTP/1.1\r\nhost: {place}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let (from, to) = (body.find('{').unwrap(), body.rfind('}').unwrap());
    serde_json::from_str(&body[from..=to]).unwrap_or_else(|e| panic!("{e}: {body}"))
}

#[test]
fn scenes_have_headings_and_the_page_stays_as_the_story_ended() {
    let mut demo = Command::new(program("svm-demo"));
    let demo = demo.args(["--port", "0"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut demo = Demo(demo);
    let mut lines = Vec::new();
    for line in BufReader::new(demo.0.stdout.take().unwrap()).lines() {
        lines.push(line.unwrap());
        if lines.last().unwrap().contains("/metrics") {
            break;
        }
    }
    let said = lines.join("\n");
    assert!(said.contains("exactly those that the rules foretell"), "{said}");
    let days: Vec<u64> =
        lines.iter().filter_map(|line| line.strip_prefix("Day ")?.split_once(", ")?.0.parse().ok()).collect();
    assert_eq!(days, [0, 1, 2, 14, 18, 20, 22, 23, 26, 27, 28], "{said}");
    let place = said.rsplit_once("http://").unwrap().1.split('/').next().unwrap().to_owned();
    let at_the_end = svms(&place);
    assert_eq!(
        (&at_the_end["counts"]["critical"], at_the_end["svms"].as_array().unwrap().len()),
        (&0.into(), 1),
        "{at_the_end}"
    );
    // Nine days, had the clock gone on: the reserve key would have run out.
    std::thread::sleep(Duration::from_secs(9));
    assert_eq!(svms(&place), at_the_end);
}
