//! Real syslog receivers that write down every field they read, as JSON.

use super::{Program, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which receiver, and for rsyslog which library does its TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    SyslogNg,
    RsyslogGnutls,
    RsyslogOpenssl,
}

#[derive(Clone, Debug)]
pub enum Listen {
    Counted,
    Lines,
    /// With its certificate and key, and the authority of clients' certificates where it wants one.
    Tls {
        certificate: PathBuf,
        key: PathBuf,
        authority: PathBuf,
        wants_certificate: bool,
        only_tls12: bool,
    },
}

/// A message as the receiver understood it.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    pub priority: String,
    pub time: String,
    pub host: String,
    pub app: String,
    pub msgid: String,
    /// By element and name, such as `svm@32473 id`.
    pub fields: BTreeMap<String, String>,
    pub text: String,
}

pub struct Receiver {
    pub program: Program,
    kind: Kind,
    folder: PathBuf,
}

impl Receiver {
    /// Starts it in a folder and waits until it listens; `rsyslog` is where that is unpacked.
    pub fn start(kind: Kind, rsyslog: &Path, folder: &Path, port: u16, listen: &Listen) -> Self {
        let config = match kind {
            Kind::SyslogNg => syslog_ng(folder, port, listen),
            Kind::RsyslogGnutls | Kind::RsyslogOpenssl => rsyslog_config(kind, folder, port, listen),
        };
        Self::configured(kind, rsyslog, folder, port, &config)
    }

    /// The same with a configuration of one's own, which writes to `received` in the folder.
    pub fn configured(kind: Kind, rsyslog: &Path, folder: &Path, port: u16, text: &str) -> Self {
        let config = folder.join("receiver.conf");
        std::fs::write(&config, text).unwrap();
        let mut command = match kind {
            Kind::SyslogNg => {
                let mut command = Command::new("syslog-ng");
                command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").arg("-F").arg("--no-caps");
                for (option, file) in [("-p", "pid"), ("-c", "control"), ("-R", "persist")] {
                    command.arg(option).arg(folder.join(file));
                }
                command
            }
            Kind::RsyslogGnutls | Kind::RsyslogOpenssl => {
                let libraries = std::fs::read_dir(rsyslog.join("usr/lib"))
                    .unwrap()
                    .map(|entry| entry.unwrap().path())
                    .find(|path| path.join("rsyslog").exists())
                    .unwrap();
                let mut command = Command::new(rsyslog.join("usr/sbin/rsyslogd"));
                command.env("LD_LIBRARY_PATH", &libraries).arg("-n").arg("-C");
                command.arg("-M").arg(libraries.join("rsyslog")).arg("-i").arg(folder.join("pid"));
                command
            }
        };
        let mut program = Program::start(command.arg("-f").arg(&config), &folder.join("receiver.log"));
        wait_for("the receiver", 20, || {
            assert!(program.child.try_wait().unwrap().is_none(), "{kind:?} ended: {}", program.logged());
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self { program, kind, folder: folder.to_owned() }
    }

    /// What was written down so far, but for messages of the receiver itself.
    pub fn received(&self) -> Vec<Received> {
        let text = std::fs::read_to_string(self.folder.join("received")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines =
            whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")));
        let read = lines.map(|line: Value| match self.kind {
            Kind::SyslogNg => of_syslog_ng(&line),
            Kind::RsyslogGnutls | Kind::RsyslogOpenssl => of_rsyslog(&line),
        });
        read.filter(|message| !message.app.contains("rsyslog")).collect()
    }

    /// Waits until so many messages were written down.
    pub fn wait(&self, count: usize) -> Vec<Received> {
        wait_for(&format!("{count} messages at {:?}: {}", self.kind, self.program.logged()), 20, || {
            Some(self.received()).filter(|received| received.len() >= count)
        })
    }
}

fn syslog_ng(folder: &Path, port: u16, listen: &Listen) -> String {
    let at = folder.display();
    let source = match listen {
        Listen::Counted => format!("syslog(ip(\"127.0.0.1\") port({port}) transport(\"tcp\"))"),
        Listen::Lines => {
            format!("network(ip(\"127.0.0.1\") port({port}) transport(\"tcp\") flags(syslog-protocol))")
        }
        Listen::Tls { certificate, key, authority, wants_certificate, only_tls12 } => format!(
            "syslog(ip(\"127.0.0.1\") port({port}) transport(\"tls\") tls(key-file(\"{}\") cert-file(\"{}\") \
             ca-file(\"{}\") peer-verify({}) ssl-options(no-sslv2, no-sslv3, no-tlsv1, no-tlsv11{})))",
            key.display(),
            certificate.display(),
            authority.display(),
            if *wants_certificate { "required-trusted" } else { "optional-untrusted" },
            if *only_tls12 { ", no-tlsv13" } else { "" },
        ),
    };
    format!(
        "@version: 3.38\n\
         options {{ keep-hostname(yes); use-dns(no); stats-freq(0); log-msg-size(65536); frac-digits(6); ts-format(iso); }};\n\
         source svm {{ {source}; }};\n\
         destination file {{ file(\"{at}/received\" template(\"$(format-json --key .SDATA.* PRI=$PRI \
         TIME=$S_ISODATE HOST=$HOST PROGRAM=$PROGRAM PID=$PID MSGID=$MSGID MESSAGE=$MESSAGE)\\n\")); }};\n\
         log {{ source(svm); destination(file); }};\n"
    )
}

fn of_syslog_ng(line: &Value) -> Received {
    let of = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let mut fields = BTreeMap::new();
    for (element, parameters) in line["_SDATA"].as_object().into_iter().flatten() {
        // It takes a dot in a name for a level.
        let mut left: Vec<(String, &Value)> = vec![(String::new(), parameters)];
        while let Some((name, value)) = left.pop() {
            match value {
                Value::Object(inner) => {
                    let dot = if name.is_empty() { "" } else { "." };
                    left.extend(inner.iter().map(|(next, value)| (format!("{name}{dot}{next}"), value)));
                }
                value => drop(fields.insert(format!("{element} {name}"), value.as_str().unwrap().to_owned())),
            }
        }
    }
    Received {
        priority: of("PRI"),
        time: of("TIME").replace("+00:00", "Z"),
        host: of("HOST"),
        app: of("PROGRAM"),
        msgid: of("MSGID"),
        fields,
        text: of("MESSAGE"),
    }
}

fn rsyslog_config(kind: Kind, folder: &Path, port: u16, listen: &Listen) -> String {
    let at = folder.display();
    let (global, module) = match listen {
        Listen::Counted | Listen::Lines => (String::new(), String::new()),
        Listen::Tls { certificate, key, authority, wants_certificate, only_tls12 } => (
            format!(
                "DefaultNetstreamDriverCAFile=\"{}\" DefaultNetstreamDriverCertFile=\"{}\" DefaultNetstreamDriverKeyFile=\"{}\"",
                authority.display(),
                certificate.display(),
                key.display()
            ),
            format!(
                " StreamDriver.Name=\"{}\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=\"{}\"{}",
                if kind == Kind::RsyslogGnutls { "gtls" } else { "ossl" },
                if *wants_certificate { "x509/certvalid" } else { "anon" },
                match (kind, only_tls12) {
                    (_, false) => "",
                    (Kind::RsyslogGnutls, true) => " gnutlsPriorityString=\"NORMAL:-VERS-ALL:+VERS-TLS1.2\"",
                    (_, true) => " gnutlsPriorityString=\"MaxProtocol=TLSv1.2\"",
                },
            ),
        ),
    };
    let property =
        |out: &str, name: &str| format!("property(outname=\"{out}\" name=\"{name}\" format=\"jsonf\")");
    let time = "property(outname=\"time\" name=\"timereported\" dateFormat=\"rfc3339\" format=\"jsonf\")";
    let properties: Vec<String> = [
        ("pri", "pri"),
        ("host", "hostname"),
        ("app", "app-name"),
        ("msgid", "msgid"),
        ("sd", "structured-data"),
        ("msg", "msg"),
    ]
    .map(|(out, name)| property(out, name))
    .to_vec();
    format!(
        "global(workDirectory=\"{at}\" {global})\n\
         module(load=\"imtcp\"{module})\n\
         input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
         template(name=\"all\" type=\"list\" option.jsonf=\"on\") {{ {time} {} }}\n\
         action(type=\"omfile\" file=\"{at}/received\" template=\"all\")\n",
        properties.join(" ")
    )
}

fn of_rsyslog(line: &Value) -> Received {
    let of = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let mut fields = BTreeMap::new();
    let sd = of("sd");
    let mut rest = sd.as_str();
    while let Some(element) = rest.strip_prefix('[') {
        let end = element.find([' ', ']']).unwrap();
        let id = &element[..end];
        rest = &element[end..];
        while let Some(parameter) = rest.strip_prefix(' ') {
            let (name, value) = parameter.split_once("=\"").unwrap();
            let (mut text, mut chars) = (String::new(), value.char_indices());
            let end = loop {
                match chars.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => text.push(chars.next().unwrap().1),
                    (_, c) => text.push(c),
                }
            };
            fields.insert(format!("{id} {name}"), text);
            rest = &value[end + 1..];
        }
        rest = rest.strip_prefix(']').unwrap();
    }
    let text = of("msg");
    Received {
        priority: of("pri"),
        time: of("time"),
        host: of("host"),
        app: of("app"),
        msgid: of("msgid"),
        fields,
        // It leaves the mark of the encoding where it is.
        text: text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned(),
    }
}
