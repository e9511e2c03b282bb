//! `svm-agent check` as a monitoring system runs it: one line, performance data, four exit codes and no others; read by the
//! plug-in `negate` and by Nagios itself.

use crate::support;
use crate::support::server::{Server, whole};
use crate::support::{Agent, Vendor, now, unpacked, wait_for};
use jiff::SignedDuration;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The exit code and the lines.
fn said(output: &Output) -> (i32, Vec<String>) {
    assert!(
        output.stderr.is_empty(),
        "a host shows standard output alone: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.len() <= 8192 && text.ends_with('\n'), "{} bytes", text.len());
    (output.status.code().unwrap(), text.lines().map(str::to_owned).collect())
}

fn check(agent: &Agent, arguments: &[&str]) -> (i32, Vec<String>) {
    said(&agent.command(&[&["check"], arguments].concat()).output().unwrap())
}

/// Performance data by label, each in the form of the guidelines: 'label'=value[UOM];[warn];[crit];[min];[max].
fn perfdata(lines: &[String]) -> Vec<(String, Vec<String>)> {
    let Some((_, data)) = lines[0].split_once(" | ") else { return Vec::new() };
    data.split(' ')
        .map(|one| {
            let (label, values) = one.split_once('=').unwrap();
            let label = label.strip_prefix('\'').and_then(|l| l.strip_suffix('\'')).unwrap();
            assert!(!label.contains(['\'', '=', '|']), "{one}");
            let values: Vec<String> = values.split(';').map(str::to_owned).collect();
            assert!(values.len() <= 5 && values[0].parse::<f64>().is_ok(), "{one}");
            (label.to_owned(), values)
        })
        .collect()
}

fn active(folder: &Path, days: i64, more: &str) -> (Vendor, Agent, support::Program) {
    let vendor = Vendor::new(folder, now() + SignedDuration::from_hours(days * 24), 3);
    let agent = Agent::new(folder, &vendor.trust(), &format!("{}{more}", vendor.source()));
    let program = agent.start_ready();
    agent.ask(&["activate", &vendor.code]).unwrap();
    (vendor, agent, program)
}

#[test]
fn a_life_goes_through_the_states() {
    let folder = tempfile::tempdir().unwrap();
    let databases = folder.path().join("databases");
    std::fs::write(&databases, "").unwrap();
    let (vendor, agent, _program) =
        active(folder.path(), 90, &format!("[updates]\ndatabases_file = {databases:?}\n"));
    let (code, lines) = check(&agent, &[]);
    assert_eq!(code, 0, "{lines:?}");
    assert!(lines[0].starts_with("SVM OK - subscription active, 90 days left"), "{lines:?}");
    let data = perfdata(&lines);
    // 90 days but for the moments since it was issued: with its fraction, so that the last day is below 1.
    assert_eq!(data[0], ("days_left".to_owned(), ["89.99", "7:", "1:", "0"].map(str::to_owned).to_vec()));
    assert_eq!(data[1].0, "databases_days", "{data:?}");
    // Thresholds, in all forms of a range.
    for (arguments, code) in [
        (&["-w", "91:"][..], 1),
        (&["-c", "91:"], 2),
        (&["--warning", "@89:90"], 1),
        (&["-w", "~:89"], 1),
        (&["-w", "89:100", "-c", "@0:89"], 0),
        (&["--age-critical", "@0:1"], 2),
        (&["--only", "delivery", "-c", "91:"], 0),
    ] {
        let (found, lines) = check(&agent, arguments);
        assert_eq!(found, code, "{arguments:?}: {lines:?}");
        let word = ["OK", "WARNING", "CRITICAL"][usize::try_from(code).unwrap()];
        let about = lines[0].strip_prefix(&format!("SVM {word} - "));
        assert!(about.is_some_and(|about| !about.trim().is_empty()), "{arguments:?}: {lines:?}");
    }
    let (_, lines) = check(&agent, &["--only", "subscription"]);
    assert_eq!(perfdata(&lines).len(), 1, "{lines:?}");

    vendor.provider.pause(&vendor.key, now()).unwrap();
    vendor.publish();
    agent.ask(&["refresh"]).unwrap();
    let (code, lines) = check(&agent, &[]);
    assert_eq!(code, 1, "{lines:?}");
    assert!(
        lines[0].contains("subscription in its grace period: the provider paused it, 3 days of grace left"),
        "{lines:?}"
    );
    vendor.provider.block(&vendor.key, now()).unwrap();
    vendor.publish();
    agent.ask(&["refresh"]).unwrap();
    let (code, lines) = check(&agent, &[]);
    assert_eq!(code, 2, "{lines:?}");
    assert!(
        lines[0].starts_with("SVM CRITICAL - device status critical: the subscription is restricted"),
        "{lines:?}"
    );
    assert!(lines[0].contains("subscription restricted: the provider blocked its key"), "{lines:?}");
}

/// The default `-c 1:` alerts within the last day, and the text says until when.
#[test]
fn the_last_day_is_critical() {
    let folder = tempfile::tempdir().unwrap();
    let end = now() + SignedDuration::from_hours(5);
    let vendor = Vendor::new(folder.path(), end, 3);
    let agent = Agent::new(folder.path(), &vendor.trust(), &vendor.source());
    let _program = agent.start_ready();
    agent.ask(&["activate", &vendor.code]).unwrap();
    let (code, lines) = check(&agent, &["--only", "subscription"]);
    assert_eq!(code, 2, "{lines:?}");
    let at = end.strftime("at %H:%M:%S UTC").to_string().replace(":00 UTC", " UTC");
    let said =
        format!("SVM CRITICAL - subscription active, it ends in less than a day, {at} | 'days_left'=0.2");
    assert!(lines[0].starts_with(&said), "{said}: {lines:?}");
    let (code, _) = check(&agent, &["--only", "subscription", "-w", "0:", "-c", "0:"]);
    assert_eq!(code, 0);
}

#[test]
fn a_backlog_counts_and_what_a_receiver_says_ends_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Server::start();
    let hostile = "no | 'x'=1;2\u{1b}[31m\r\nSVM OK - all is well | 'y'=1 ";
    receiver.say(whole(&["400 Bad | Request"], hostile.repeat(20)));
    let more = format!(
        "[destinations.console]\nurl = \"http://127.0.0.1:{}/\"\nreceiver = \"generic\"\n",
        receiver.port
    );
    let (_vendor, agent, _program) = active(folder.path(), 90, &more);
    let (code, lines) = wait_for("an outage or a quarantine", 30, || {
        let (code, lines) = check(&agent, &["--only", "delivery"]);
        (code == 1).then_some((code, lines))
    });
    assert_eq!(code, 1);
    assert_eq!(lines[0].matches('|').count(), 1, "{lines:?}");
    assert!(lines[1..].iter().all(|line| !line.contains('|')), "{lines:?}");
    assert!(
        lines.iter().all(|line| !line.contains(char::is_control) && line.chars().count() < 700),
        "{lines:?}"
    );
    assert_eq!(lines.iter().filter(|line| line.starts_with("SVM ")).count(), 1, "{lines:?}");
    let data = perfdata(&lines);
    assert_eq!((data.len(), data[0].0.as_str(), data[0].1[1].as_str()), (1, "console_waiting", "1000"));
    receiver.answer(|_, stream| support::server::hang(stream));
    agent.ask(&["report"]).unwrap();
    let waits = |arguments: &[&str]| check(&agent, &[&["--only", "delivery"], arguments].concat()).0;
    wait_for("a backlog", 30, || (waits(&["--backlog-critical", "0"]) == 2).then_some(()));
}

#[test]
fn whatever_cannot_be_asked_is_unknown_and_nothing_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let (_vendor, agent, program) = active(folder.path(), 90, "");
    for wrong in [
        &["--no-such-option"][..],
        &["-w"],
        &["-w", "seven"],
        &["-c", "5:1"],
        &["--only", "everything"],
        &["-t", "0"],
        &["extra"],
    ] {
        let (code, lines) = check(&agent, wrong);
        assert_eq!(code, 3, "{wrong:?}: {lines:?}");
        assert!(lines.len() == 1 && lines[0].starts_with("SVM UNKNOWN - "), "{wrong:?}: {lines:?}");
        assert!(perfdata(&lines).is_empty());
    }
    // `config check` is another command, with the usual code of wrong use.
    assert_eq!(
        agent.command(&["config", "check", "--no-such-option"]).output().unwrap().status.code(),
        Some(2)
    );
    // The agent is there and does nothing; so its queue fills up as well.
    program.signal(rustix::process::Signal::STOP);
    let mut waiting: Vec<_> = (0..3).map(|_| agent.command(&["check", "-t", "1"])).collect();
    for command in &mut waiting {
        let (code, lines) = said(&command.output().unwrap());
        assert_eq!(code, 3, "{lines:?}");
        assert!(lines[0].starts_with("SVM UNKNOWN - ") && lines[0].contains("answer"), "{lines:?}");
    }
    let socket = folder.path().join("run/query.sock");
    let mut full = Vec::new();
    std::thread::scope(|scope| {
        // A full queue keeps new connections waiting; these end with the test.
        let filler = scope.spawn(|| {
            let flags = rustix::net::SocketFlags::NONBLOCK;
            let address = rustix::net::SocketAddrUnix::new(&socket).unwrap();
            (0..5000)
                .map_while(|_| {
                    let unix = rustix::net::AddressFamily::UNIX;
                    let made =
                        rustix::net::socket_with(unix, rustix::net::SocketType::STREAM, flags, None).ok()?;
                    rustix::net::connect(&made, &address).ok().map(|()| made)
                })
                .collect::<Vec<_>>()
        });
        full = filler.join().unwrap();
    });
    let mut held =
        agent.command(&["check", "-t", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("an answer although nobody takes the connection", 30, || held.try_wait().unwrap());
    let (code, lines) = said(&held.wait_with_output().unwrap());
    assert_eq!(code, 3, "{lines:?} with {} connections", full.len());
    assert!(lines[0].contains("no answer within 1 s") || lines[0].contains("answer"), "{lines:?}");
    program.signal(rustix::process::Signal::CONT);
    drop(full);
    drop(program);
    let (code, lines) = check(&agent, &[]);
    assert_eq!((code, lines.len()), (3, 1));
    assert!(lines[0].contains("the agent is not running"), "{lines:?}");
    std::fs::write(&agent.config, "nonsense = 1\n").unwrap();
    let (code, lines) = check(&agent, &[]);
    assert_eq!(code, 3);
    assert!(lines[0].contains("the settings are not valid") && lines.len() == 1, "{lines:?}");
}

/// `negate` runs a plug-in, reads its state and its text, and gives both back, turned.
#[test]
fn negate_reads_states_and_texts() {
    let Some(negate) = unpacked("negate") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (_vendor, agent, program) = active(folder.path(), 90, "");
    let plug_in = |arguments: &[&str]| {
        let command = agent.command(&[&["check"], arguments].concat());
        let words: Vec<_> = command.get_args().map(|word| word.to_str().unwrap().to_owned()).collect();
        [vec![command.get_program().to_str().unwrap().to_owned()], words].concat()
    };
    let turned = |arguments: &[&str]| {
        let output = Command::new(&negate)
            .args(["--ok=CRITICAL", "--warning=OK", "--critical=WARNING", "--substitute"])
            .args(plug_in(arguments))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), text.lines().next().unwrap_or_default().to_owned())
    };
    for (arguments, code, word) in [
        (&[][..], 2, "SVM CRITICAL - subscription active, 90 days left | 'days_left'=89.99;7:;1:;0"),
        (&["-w", "91:"], 0, "SVM OK - "),
        (&["-c", "91:"], 1, "SVM WARNING - "),
        (&["-w", "?"], 3, "SVM UNKNOWN - "),
    ] {
        let (found, line) = turned(arguments);
        assert_eq!(found, code, "{line}");
        assert!(line.starts_with(word), "{line}");
    }
    drop(program);
    assert_eq!(turned(&[]).0, 3);
}

/// The command of the page, in a configuration that Nagios itself reads.
#[test]
fn nagios_takes_the_command_of_the_page() {
    let Some(nagios) = unpacked("nagios4") else { return };
    let page = include_str!("../../docs/guide/monitor.md");
    let (_, after) = page.split_once("<!-- nagios -->\n```\n").unwrap();
    let (command, _) = after.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let objects = format!(
        "{command}\n\
         define timeperiod {{\n timeperiod_name always\n alias always\n monday 00:00-24:00\n}}\n\
         define command {{\n command_name none\n command_line /bin/true\n}}\n\
         define contact {{\n contact_name admin\n host_notification_period always\n service_notification_period always\n\
          host_notification_commands none\n service_notification_commands none\n host_notification_options d\n\
          service_notification_options c\n}}\n\
         define host {{\n host_name svm-17\n address 127.0.0.1\n max_check_attempts 3\n check_period always\n contacts admin\n\
          notification_period always\n notification_interval 0\n}}\n\
         define service {{\n host_name svm-17\n service_description SVM\n check_command check_svm!14:!3:\n max_check_attempts 3\n\
          check_interval 5\n retry_interval 1\n check_period always\n contacts admin\n notification_period always\n\
          notification_interval 0\n}}\n"
    );
    std::fs::write(folder.path().join("objects.cfg"), objects).unwrap();
    let user = Command::new("id").arg("-un").output().unwrap();
    let user = String::from_utf8(user.stdout).unwrap();
    let main = format!(
        "log_file={0}\ncfg_file={1}\nobject_cache_file={2}\nprecached_object_file={2}\nstatus_file={3}\ntemp_path={4}\n\
         lock_file={5}\ntemp_file={6}\ncheck_result_path={4}\nnagios_user={7}\nnagios_group={7}\ncommand_file={8}\n",
        at("nagios.log"),
        at("objects.cfg"),
        at("objects.cache"),
        at("status"),
        folder.path().display(),
        at("lock"),
        at("temp"),
        user.trim(),
        at("command")
    );
    std::fs::write(folder.path().join("nagios.cfg"), main).unwrap();
    let output = Command::new(nagios).arg("-v").arg(folder.path().join("nagios.cfg")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("Total Errors:   0"), "{text}");
    assert!(text.contains("Checked 1 services") && text.contains("Checked 2 commands"), "{text}");
}
