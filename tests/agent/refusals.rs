//! Everything that must be refused, through each door by which it can come: the command line, the socket, a scenario, and
//! what the vendor publishes. One table; the same code and the same sentence at every door, an event each, and nothing
//! that is held changes.

use crate::support::server::{Server, whole};
use crate::support::{Agent, Program};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use svm_core::documents::{ActivationCode, SigningKey};

const ISS: &str = "provider.example";
const CODE: &str = "01234-56789-ABCDE-FGHII";

/// What the SVM holds when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    Nothing,
    /// `SUB-1`, revision 5, to 2040.
    Active,
    /// And `COM-1` behind it.
    Both,
    /// `SUB-U`, without an end.
    Unlimited,
}
use Holds::{Active, Both, Nothing, Unlimited};

/// What is asked with a document, or with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Activate,
    Reserve,
    Remove(&'static str),
    /// A revision that the vendor publishes, and nothing that a command could be.
    Publish,
}
use Ask::{Activate, Publish, Remove, Reserve};

/// How the signature is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signed {
    Well,
    /// The signature is of another text.
    Over(&'static str),
    /// By somebody who has no file in `trust.d`.
    ByAStranger,
    /// With a header that names another algorithm.
    As(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InputPath {
    CommandLine,
    Socket,
    Scenario,
    Published,
}
use InputPath::{CommandLine, Published, Scenario, Socket};

/// A row of the table of what is refused.
struct Row {
    name: &'static str,
    holds: Holds,
    ask: Ask,
    /// What differs from a good revision 6 of `SUB-1`: a place in the claims, and what stands there; nothing takes away.
    claims: &'static [(&'static str, &'static str)],
    signed: Signed,
    code: &'static str,
    /// A word of the sentence.
    word: &'static str,
    /// Doors that cannot express it, each with the reason.
    not: &'static [(InputPath, &'static str)],
}

const BARE: (InputPath, &str) = (Scenario, "documents of a scenario are bare claims: there is no signature");
const COMMAND_ONLY: (InputPath, &str) =
    (Published, "the vendor publishes revisions of the active key; this is a command");
const UPGRADES: (InputPath, &str) =
    (Published, "a revision is taken all the same, with a Warning: the rule is about activating");
const NO_COMMAND_LINE: (InputPath, &str) =
    (CommandLine, "a command activates; a revision of another key only comes published");
const NO_SOCKET: (InputPath, &str) = (Socket, "the same");

const fn nonsense(
    name: &'static str,
    claims: &'static [(&'static str, &'static str)],
    word: &'static str,
) -> Row {
    let (code, not) = ("invalid_document", &[] as &[(InputPath, &str)]);
    Row { name, holds: Nothing, ask: Activate, claims, signed: Signed::Well, code, word, not }
}

const fn forged(name: &'static str, signed: Signed, code: &'static str, word: &'static str) -> Row {
    Row { name, holds: Nothing, ask: Activate, claims: &[], signed, code, word, not: &[BARE] }
}

const fn command(
    name: &'static str,
    (holds, ask): (Holds, Ask),
    claims: &'static [(&'static str, &'static str)],
    code: &'static str,
    word: &'static str,
) -> Row {
    Row { name, holds, ask, claims, signed: Signed::Well, code, word, not: &[COMMAND_ONLY] }
}

/// Makes it the commercial key `COM-2`.
const COMMERCIAL: &[(&str, &str)] = &[
    ("/key", r#"{"id": "COM-2", "kind": "commercial"}"#),
    ("/subscription", ""),
    ("/licence", r#"{"period_days": 9}"#),
];

const TABLE: &[Row] = &[
    // Signatures.
    forged("a signature of another text", Signed::Over("another text"), "bad_signature", "does not verify"),
    forged("no algorithm", Signed::As("none"), "bad_signature", "`none`"),
    forged("another algorithm", Signed::As("HS256"), "bad_signature", "`HS256`"),
    forged("a signer who is not trusted", Signed::ByAStranger, "untrusted_signer", "is not trusted"),
    Row {
        not: &[BARE],
        ..command(
            "an issuer whom the signer may not speak for",
            (Nothing, Activate),
            &[("/iss", r#""other.example""#)],
            "untrusted_signer",
            "`other.example`",
        )
    },
    // Documents that make no sense.
    nonsense("limited without an end", &[("/subscription/term/ends_at", "")], "term.ends_at"),
    nonsense(
        "limited with paid_until",
        &[("/subscription/term/paid_until", r#""2030-01-01T00:00:00Z""#)],
        "paid_until",
    ),
    nonsense("unlimited with an end", &[("/subscription/term/type", r#""unlimited""#)], "term.ends_at"),
    nonsense("a state without its since", &[("/subscription/state", r#""active""#)], "state_since"),
    nonsense(
        "soft_cancelled without an end",
        &[
            ("/subscription/term", r#"{"type": "unlimited"}"#),
            ("/subscription/state", r#""soft_cancelled""#),
            ("/subscription/state_since", r#""2026-01-01T00:00:00Z""#),
        ],
        "soft_cancelled",
    ),
    nonsense(
        "soft_cancelled with auto_renew",
        &[
            ("/subscription/auto_renew", "true"),
            ("/subscription/state", r#""soft_cancelled""#),
            ("/subscription/state_since", r#""2026-01-01T00:00:00Z""#),
        ],
        "auto_renew",
    ),
    nonsense("negative grace_days", &[("/subscription/grace_days", "-1")], "grace_days"),
    nonsense("rev 0", &[("/rev", "0")], "`rev`"),
    nonsense("a negative rev", &[("/rev", "-6")], "`rev`"),
    nonsense("no rev", &[("/rev", "")], "`rev`"),
    nonsense("devices 0", &[("/devices", "0")], "`devices`"),
    nonsense("negative devices", &[("/devices", "-5")], "`devices`"),
    nonsense(
        "period_days 0",
        &[("/key/kind", r#""commercial""#), ("/subscription", ""), ("/licence", r#"{"period_days": 0}"#)],
        "period_days",
    ),
    nonsense(
        "negative period_days",
        &[("/key/kind", r#""commercial""#), ("/subscription", ""), ("/licence", r#"{"period_days": -9}"#)],
        "period_days",
    ),
    nonsense(
        "a trickle of 0 updates",
        &[("/subscription/after_grace", r#"{"database_updates": {"per_day": 0}}"#)],
        "per_day",
    ),
    nonsense(
        "a trickle of 0 look-ups",
        &[("/subscription/after_grace", r#"{"ksn": {"per_minute": 0}}"#)],
        "per_minute",
    ),
    nonsense(
        "a negative trickle",
        &[("/subscription/after_grace", r#"{"ksn": {"per_minute": -1}}"#)],
        "per_minute",
    ),
    nonsense(
        "updates by the minute",
        &[("/subscription/after_grace", r#"{"database_updates": {"per_minute": 1}}"#)],
        "per_day",
    ),
    nonsense(
        "look-ups by the day",
        &[("/subscription/after_grace", r#"{"ksn": {"per_day": 1}}"#)],
        "per_minute",
    ),
    nonsense(
        "an unknown state",
        &[("/subscription/state", r#""asleep""#), ("/subscription/state_since", r#""2026-01-01T00:00:00Z""#)],
        "asleep",
    ),
    nonsense("an unknown kind", &[("/key/kind", r#""gift""#)], "gift"),
    nonsense("an unknown channel", &[("/subscription/order", r#"{"channel": "market"}"#)], "market"),
    nonsense("a key of two kinds", &[("/licence", r#"{"period_days": 9}"#)], "no `licence`"),
    nonsense(
        "a commercial key with a paused state",
        &[
            ("/key/kind", r#""commercial""#),
            ("/subscription", ""),
            ("/licence", r#"{"period_days": 9, "state": "paused", "state_since": "2026-01-01T00:00:00Z"}"#),
        ],
        "state",
    ),
    Row {
        holds: Active,
        ..nonsense(
            "another kind for a key that is held",
            &[("/key/kind", r#""commercial""#), ("/subscription", ""), ("/licence", r#"{"period_days": 9}"#)],
            "is a subscription key on this SVM",
        )
    },
    // Commands.
    Row {
        not: &[UPGRADES],
        ..command(
            "activation of a key for a newer product",
            (Nothing, Activate),
            &[("/min_product_version", r#""6.10""#)],
            "product_version_too_old",
            "6.10",
        )
    },
    command(
        "a reserve for a newer product",
        (Active, Reserve),
        &[
            ("/key", r#"{"id": "COM-2", "kind": "commercial"}"#),
            ("/subscription", ""),
            ("/licence", r#"{"period_days": 9}"#),
            ("/min_product_version", r#""7""#),
        ],
        "product_version_too_old",
        "upgrade",
    ),
    Row {
        not: &[NO_COMMAND_LINE, NO_SOCKET],
        ..command(
            "a revision of another key",
            (Active, Publish),
            &[("/key/id", r#""SUB-9""#)],
            "unknown_key",
            "SUB-9",
        )
    },
    Row {
        not: &[],
        ..command("an older revision", (Active, Activate), &[("/rev", "4")], "older_revision", "revision 5")
    },
    command(
        "a subscription key as reserve",
        (Active, Reserve),
        &[("/key/id", r#""SUB-2""#)],
        "subscription_key_cannot_be_reserve",
        "commercial",
    ),
    // Before it is asked whether there is an active key.
    command(
        "a subscription key as reserve of nothing",
        (Nothing, Reserve),
        &[],
        "subscription_key_cannot_be_reserve",
        "SUB-1",
    ),
    command("a reserve of nothing", (Nothing, Reserve), COMMERCIAL, "no_active_key", "activate"),
    command(
        "activation of the reserve",
        (Both, Activate),
        &[
            ("/key", r#"{"id": "COM-1", "kind": "commercial"}"#),
            ("/subscription", ""),
            ("/licence", r#"{"period_days": 365}"#),
        ],
        "key_already_held",
        "key remove COM-1",
    ),
    command(
        "the reserve once more",
        (Both, Reserve),
        &[
            ("/key", r#"{"id": "COM-1", "kind": "commercial"}"#),
            ("/subscription", ""),
            ("/licence", r#"{"period_days": 365}"#),
        ],
        "reserve_key_exists",
        "already",
    ),
    command("a second reserve", (Both, Reserve), COMMERCIAL, "reserve_key_exists", "key remove COM-1"),
    command(
        "a new code while the term runs",
        (Active, Activate),
        &[("/key/id", r#""SUB-2""#)],
        "active_key_still_valid",
        "2040-01-01",
    ),
    command(
        "a new code while an unlimited one runs",
        (Unlimited, Activate),
        &[],
        "active_key_still_valid",
        "Example ISP can cancel it",
    ),
    command("removal from an SVM without keys", (Nothing, Remove("SUB-1")), &[], "unknown_key", "key list"),
    command("removal of a key that is not held", (Both, Remove("SUB-9")), &[], "unknown_key", "key list"),
];

/// Puts a value where a pointer says; an empty text takes away what is there.
fn put(claims: &mut Value, place: &str, text: &str) {
    let (parent, name) = place.rsplit_once('/').unwrap();
    let parent = claims.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match text {
        "" => drop(parent.remove(name)),
        text => drop(parent.insert(name.to_owned(), serde_json::from_str(text).unwrap())),
    }
}

/// Bare claims of `SUB-1`, to 2040.
fn subscription(rev: u64) -> Value {
    json!({"rev": rev, "key": {"id": "SUB-1", "kind": "subscription"},
        "subscription": {"term": {"type": "limited", "ends_at": "2040-01-01T00:00:00Z"}, "grace_days": 14}})
}

fn commercial() -> Value {
    json!({"rev": 1, "key": {"id": "COM-1", "kind": "commercial"}, "licence": {"period_days": 365}})
}

fn unlimited() -> Value {
    json!({"rev": 1, "key": {"id": "SUB-U", "kind": "subscription"}, "vendor": {"name": "Example ISP"},
        "subscription": {"term": {"type": "unlimited"}}})
}

impl Holds {
    /// What is asked to come there, in order.
    fn steps(self) -> Vec<(Ask, Value)> {
        match self {
            Nothing => vec![],
            Active => vec![(Activate, subscription(5))],
            Both => vec![(Activate, subscription(5)), (Reserve, commercial())],
            Unlimited => vec![(Activate, unlimited())],
        }
    }
}

impl Row {
    fn bare(&self) -> Value {
        let mut claims = subscription(6);
        for (place, text) in self.claims.iter().filter(|(place, _)| *place != "/iss") {
            put(&mut claims, place, text);
        }
        claims
    }

    fn document(&self) -> String {
        let mut claims = dressed(self.bare());
        for (place, text) in self.claims.iter().filter(|(place, _)| *place == "/iss") {
            put(&mut claims, place, text);
        }
        signed(&claims, self.signed)
    }

    fn may_come_by(&self, path: InputPath) -> bool {
        self.not.iter().all(|(without, reason)| {
            assert!(!reason.is_empty());
            *without != path
        })
    }
}

/// A key as the library holds it, and as a forger would.
fn pair(seed: u8) -> (SigningKey, Ed25519KeyPair) {
    let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let der = [&prefix[..], &[seed; 32]].concat();
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    (SigningKey::from_pem(pem.into()).unwrap(), Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
}

/// Bare claims with what a document has besides.
fn dressed(mut claims: Value) -> Value {
    let sub = ActivationCode::parse(CODE).unwrap().sub();
    (claims["iss"], claims["sub"]) = (json!(ISS), json!(sub.as_str()));
    (claims["jti"], claims["iat"]) = (json!("D-1"), json!(1_767_225_600));
    claims
}

fn signed(claims: &Value, how: Signed) -> String {
    let (key, raw) = pair(if how == Signed::ByAStranger { 8 } else { 7 });
    let alg = if let Signed::As(alg) = how { alg } else { "EdDSA" };
    let commercial = claims["key"]["kind"] == "commercial";
    let typ = if commercial { "svm-licence+jws" } else { "svm-subscription+jws" };
    let header = json!({"alg": alg, "kid": key.public().thumbprint(), "typ": typ});
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let text = format!("{}.{}", part(&header), part(claims));
    let over = if let Signed::Over(another) = how { another } else { &text };
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(raw.sign(over.as_bytes())))
}

/// An SVM that holds something, and the vendor's server.
struct Bench {
    holds: Holds,
    agent: Agent,
    server: Server,
    _program: Program,
    _folder: tempfile::TempDir,
}

/// What a door answered.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    code: String,
    message: String,
}

impl Answer {
    fn of(error: &Value) -> Self {
        let text = |name: &str| error[name].as_str().unwrap_or_else(|| panic!("{error}")).to_owned();
        Self { code: text("code"), message: text("message") }
    }
}

impl Bench {
    fn new(holds: Holds) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trust = folder.path().join("trust");
        std::fs::create_dir(&trust).unwrap();
        std::fs::write(trust.join("vendor.pem"), pair(7).0.public().to_pem(ISS)).unwrap();
        let server = Server::start();
        // It looks when it is told to.
        let more = format!(
            "[source]\nurl = \"http://127.0.0.1:{}\"\ninterval = \"7d\"\ntimeout = \"5s\"\n",
            server.port
        );
        let agent = Agent::new(folder.path(), &trust, &more);
        let program = agent.start_ready();
        let bench = Self { holds, agent, server, _program: program, _folder: folder };
        for (ask, claims) in holds.steps() {
            let file = bench.file(&signed(&dressed(claims), Signed::Well));
            let reserve: &[&str] = if ask == Reserve { &["--reserve"] } else { &[] };
            bench.agent.ask(&[&["key", "add", &file], reserve].concat()).unwrap();
        }
        bench
    }

    fn file(&self, document: &str) -> String {
        let path = self.agent.folder.join("document.jws");
        std::fs::write(&path, document).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn keys(&self) -> Value {
        self.agent.status()["keys"].clone()
    }

    /// How many events of a refusal there are, and the newest as its code and sentence.
    fn reported(&self, kind: &str) -> (usize, Option<Answer>) {
        let events = self.agent.ask(&["events", "list", "--limit", "1000"]).unwrap();
        let events = if events.is_array() { events } else { json!([events]) };
        let of_kind: Vec<&Value> =
            events.as_array().unwrap().iter().filter(|event| event["type"] == kind).collect();
        let newest = of_kind.last().map(|event| {
            let whole = self.agent.ask(&["events", "show", event["id"].as_str().unwrap()]).unwrap();
            assert_eq!(whole["severity"], 3);
            assert_eq!(whole["event"]["data"]["message"], whole["description"]);
            Answer::of(&whole["event"]["data"])
        });
        (of_kind.len(), newest)
    }

    /// One refusal by `ask`: its answer, with one event that says the same.
    fn refused(&self, row: &Row, kind: &str, ask: impl FnOnce(&Self) -> Answer) -> Answer {
        let (keys, before) = (self.keys(), self.reported(kind).0);
        let answer = ask(self);
        let (after, newest) = self.reported(kind);
        assert_eq!(after, before + 1, "{}: one event", row.name);
        assert_eq!(newest.as_ref(), Some(&answer), "{}", row.name);
        assert_eq!(self.keys(), keys, "{}: nothing changes", row.name);
        answer
    }

    fn command(&self, arguments: &[&str]) -> Answer {
        let (exit, error) = self.agent.ask(arguments).unwrap_err();
        assert_eq!(exit, 1, "{error}");
        Answer::of(&error["error"])
    }
}

// The doors.

/// By file and by code: the same answer.
fn command_line(bench: &Bench, row: &Row) -> Answer {
    if let Remove(key) = row.ask {
        return bench.refused(row, "key.rejected", |bench| bench.command(&["key", "remove", key]));
    }
    let reserve: &[&str] = if row.ask == Reserve { &["--reserve"] } else { &[] };
    let file = bench.file(&row.document());
    let by_file = bench
        .refused(row, "key.rejected", |bench| bench.command(&[&["key", "add", &file], reserve].concat()));
    bench.server.say(whole(&["200 OK"], row.document()));
    let by_code =
        bench.refused(row, "key.rejected", |bench| bench.command(&[&["activate", CODE], reserve].concat()));
    assert_eq!(by_file, by_code, "{}", row.name);
    by_file
}

fn socket(bench: &Bench, row: &Row) -> Answer {
    let (method, path, body) = match row.ask {
        Remove(key) => ("DELETE", format!("/v1/keys/{key}"), String::new()),
        ask => {
            let body = json!({"document": row.document(), "reserve": ask == Reserve});
            ("POST", "/v1/keys".to_owned(), body.to_string())
        }
    };
    bench.refused(row, "key.rejected", |bench| {
        let (status, answer) = raw(&bench.agent.folder.join("run/control.sock"), method, &path, &body);
        assert_eq!(status, 409, "{}: {answer}", row.name);
        Answer::of(&answer["error"])
    })
}

fn raw(socket: &Path, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

fn scenario(bench: &Bench, row: &Row) -> Answer {
    let step = |ask: Ask, claims: Value| match ask {
        Activate => json!({"do": "activate", "document": claims}),
        Reserve => json!({"do": "add_reserve", "document": claims}),
        Publish => json!({"do": "publish", "document": claims}),
        Remove(key) => json!({"do": "remove_key", "key": key}),
    };
    let mut steps: Vec<Value> = bench.holds.steps().into_iter().map(|(ask, c)| step(ask, c)).collect();
    steps.push(step(row.ask, row.bare()));
    let day = "2026-01-01T00:00:00Z";
    steps.iter_mut().for_each(|step| step["at"] = json!(day));
    let story = json!({"product_version": "6.1.0", "start": day, "end": day, "steps": steps});
    let file = bench.agent.folder.join("scenario.json");
    std::fs::write(&file, story.to_string()).unwrap();
    let rows = bench.agent.ask(&["simulate", file.to_str().unwrap()]).unwrap();
    let rows = rows.as_array().unwrap();
    let [event] = &rows.last().unwrap()["events"].as_array().unwrap()[..] else { panic!("{rows:?}") };
    let kind = if row.ask == Publish { "documents.rejected" } else { "key.rejected" };
    assert_eq!((&event["type"], &event["severity"]), (&json!(kind), &json!(3)), "{}", row.name);
    Answer::of(event)
}

/// What the vendor publishes under the name of the active key: told once, however often it is looked at.
fn published(bench: &Bench, row: &Row) -> Answer {
    bench.server.say(whole(&["200 OK"], row.document()));
    let answer = bench.refused(row, "documents.rejected", |bench| {
        let first = bench.command(&["refresh"]);
        assert_eq!(bench.command(&["refresh"]), first, "{}", row.name);
        assert_eq!(bench.agent.status()["source"]["refused"], first.message, "{}", row.name);
        first
    });
    bench.server.say(whole(&["200 OK"], signed(&dressed(subscription(5)), Signed::Well)));
    bench.agent.ask(&["refresh"]).unwrap();
    assert!(bench.agent.status()["source"]["refused"].is_null(), "{}: it is over", row.name);
    answer
}

#[test]
fn each_refusal_is_the_same_by_every_path() {
    let benches = [Nothing, Active, Both, Unlimited].map(|holds| (holds, Bench::new(holds)));
    let bench = |holds: Holds| &benches.iter().find(|(held, _)| *held == holds).unwrap().1;
    let mut seen = std::collections::BTreeSet::new();
    for row in TABLE {
        let mut answers = Vec::new();
        for input in [CommandLine, Socket, Scenario, Published] {
            if !row.may_come_by(input) {
                continue;
            }
            let answer = match input {
                CommandLine => command_line(bench(row.holds), row),
                Socket => socket(bench(row.holds), row),
                Scenario => scenario(bench(row.holds), row),
                // What is published is looked at for an active key.
                Published => published(bench(Active), row),
            };
            assert_eq!(answer.code, row.code, "{} by {input:?}: {}", row.name, answer.message);
            assert!(answer.message.contains(row.word), "{} by {input:?}: {}", row.name, answer.message);
            answers.push(answer);
        }
        assert!(answers.len() >= 2, "{}", row.name);
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{}: {answers:?}", row.name);
        seen.insert(row.code);
    }
    // Every code there is, as the documentation lists them.
    let page = include_str!("../../docs/reference/lifecycle.md");
    let (_, page) = page.split_once("## What is refused").unwrap();
    let (table, _) = page.split_once("Versions are compared").unwrap();
    let listed: std::collections::BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(code, _)| code))
        .collect();
    assert_eq!(seen, listed);
}

/// What the table says of the one rule that does not hold for revisions.
#[test]
fn a_revision_for_a_newer_product_is_taken_with_a_warning() {
    let bench = Bench::new(Active);
    let row = TABLE.iter().find(|row| row.not == [UPGRADES]).unwrap();
    bench.server.say(whole(&["200 OK"], row.document()));
    // Unless the look that follows the activation at once was quicker.
    let outcome = bench.agent.ask(&["refresh"]).unwrap()["outcome"].take();
    assert!(outcome == "taken" || outcome == "not_changed", "{outcome}");
    let status = bench.agent.status();
    assert_eq!((&status["keys"][0]["rev"], &status["device_status"]), (&json!(6), &json!("warning")));
    assert_eq!(bench.reported("documents.rejected").0, 0);
}

/// Texts that are no documents at all: the command line says so by itself, as with a typing error, and the socket refuses
/// them as what they are.
#[test]
fn what_is_no_document_is_refused_everywhere() {
    let bench = Bench::new(Active);
    for text in ["", "abc", "<html>", "a.b.c.d", "{}", "eyJhbGciOiJub25lIn0.e30."] {
        let file = bench.file(text);
        let (exit, error) = bench.agent.ask(&["key", "add", &file]).unwrap_err();
        let none = text.ends_with("e30.");
        let code = if none { "bad_signature" } else { "invalid_document" };
        assert_eq!((exit, &error["error"]["code"]), (1, &json!(code)), "{text}: {error}");
        let (status, error) = raw(
            &bench.agent.folder.join("run/control.sock"),
            "POST",
            "/v1/keys",
            &json!({"document": text}).to_string(),
        );
        assert_eq!((status, &error["error"]["code"]), (409, &json!(code)), "{text}: {error}");
    }
    // What came to the agent was told: six by the socket, and the one that looks like a document.
    assert_eq!(bench.reported("key.rejected").0, 7);
}
