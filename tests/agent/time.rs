//! Trusted time on the real agent, whose wall clock libfaketime sets: what the table in `docs/reference/clock.md` says
//! of steps, restarts, boots and suspends, of documents and of the vendor's host.

use crate::support;
use crate::support::certificates::Authority;
use crate::support::machine::{Machine, faketime};
use crate::support::{Collector, Program, Vendor, free_port, have, now, wait_for};
use jiff::{SignedDuration, Timestamp};
use std::path::{Path, PathBuf};
use std::process::Command;
use svm_core::documents::{ActivationCode, SigningKey};
use svm_vendor::{Change, Contact, KeyRef, Profile, Provider, Renewal, Until};

const DAY: i64 = 86_400;

fn close(off: i64, to: i64) {
    assert!((off - to).abs() <= 20, "off by {off}, not {to}");
}

/// An agent with a subscription that ends in 30 days, without grace, from a file.
fn activated(folder: &Path, more: &str) -> (Machine, Vendor) {
    let end = now().checked_add(SignedDuration::from_hours(30 * 24)).unwrap();
    let vendor = Vendor::new(folder, end, 0);
    let mut machine = Machine::new(folder, &vendor.trust(), more);
    machine.start();
    let document = folder.join("document.jws");
    std::fs::write(&document, vendor.document(&vendor.code)).unwrap();
    machine.agent.ask(&["key", "add", document.to_str().unwrap()]).unwrap();
    assert_eq!((machine.phase().as_str(), machine.doubt()), ("active", "none"));
    (machine, vendor)
}

#[test]
fn a_clock_set_back_is_not_obeyed_over_restarts_and_boots_and_heals_at_once() {
    if !faketime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::new(folder.path());
    let _collector = collector.start_ready();
    let more = format!("[destinations.console]\nurl = \"http://127.0.0.1:{}/v1/events\"\n", collector.port);
    let (mut machine, _vendor) = activated(folder.path(), &more);
    machine.set(-200 * DAY);
    machine.nudge();
    // Nobody asks the agent anything: the kernel tells it.
    wait_for("the console to know", 20, || {
        collector.events()?.iter().any(|e| e["type"] == "svm.clock.suspect").then_some(())
    });
    close(machine.off(), 0);
    assert!(machine.doubt() == "behind" && machine.has_reason("clock_suspect"));
    machine.restart();
    close(machine.off(), 0);
    machine.reboot(2);
    machine.start();
    close(machine.off(), 0);
    assert_eq!((machine.doubt(), machine.reported("clock.suspect")), ("behind", 1), "told once");
    machine.set(0);
    machine.nudge();
    wait_for("the console to know", 20, || {
        collector.events()?.iter().any(|e| e["type"] == "svm.clock.trusted").then_some(())
    });
    assert!(!machine.has_reason("clock_suspect"));
    machine.agent.wrote(&["clock.suspect", "clock.trusted"]);
    // Events never went back in time, whatever the clock showed.
    let times: Vec<String> =
        collector.events().unwrap().iter().map(|e| e["time"].as_str().unwrap().to_owned()).collect();
    let ahead = now().checked_add(SignedDuration::from_mins(1)).unwrap().to_string();
    assert!(times.iter().all(|time| *time < ahead), "{times:?}");
}

#[test]
fn a_clock_far_ahead_restricts_nothing_until_it_lasts_and_all_heals() {
    if !faketime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (machine, _vendor) = activated(folder.path(), "[clock]\ndwell = \"8s\"\n");
    // Within the first dwell after its first start any clock is explained.
    std::thread::sleep(std::time::Duration::from_secs(9));
    let state = || (machine.phase(), machine.agent.permit("ksn"), machine.reported("subscription.expired"));
    let well = || ("active".to_owned(), 0, 0);
    machine.set(400 * DAY);
    assert_eq!((machine.doubt(), state()), ("ahead", well()));
    machine.set(0);
    assert_eq!((machine.doubt(), state()), ("none", well()), "as if nothing had been");
    machine.set(400 * DAY);
    machine.nudge();
    wait_for("it to be obeyed", 30, || (state() == ("restricted".to_owned(), 75, 1)).then_some(()));
    assert_eq!(machine.doubt(), "none");
    close(machine.off(), 400 * DAY);
    machine.set(0);
    machine.nudge();
    wait_for("all to heal", 20, || (machine.phase() == "active").then_some(()));
    assert_eq!((machine.agent.permit("ksn"), machine.doubt()), (0, "none"));
    close(machine.off(), 0);
    let next: Timestamp = machine.agent.status()["next_change"].as_str().unwrap().parse().unwrap();
    assert!(next.duration_since(now()) < SignedDuration::from_hours(30 * 24), "what is due is due again");
}

#[test]
fn a_first_activation_on_a_machine_whose_clock_stands_at_2000() {
    if !(faketime() && have("nginx", "nginx-light") && have("openssl", "openssl")) {
        return;
    }
    let since_2000 = now().duration_since("2000-01-01T00:00:00Z".parse().unwrap()).as_secs();
    // From a file there is nothing but the signing to go by.
    let folder = tempfile::tempdir().unwrap();
    let end = now().checked_add(SignedDuration::from_hours(30 * 24)).unwrap();
    let vendor = Vendor::new(folder.path(), end, 0);
    let mut machine = Machine::new(folder.path(), &vendor.trust(), "");
    machine.set(-since_2000);
    machine.start();
    close(machine.off(), -since_2000);
    let document = folder.path().join("document.jws");
    std::fs::write(&document, vendor.document(&vendor.code)).unwrap();
    machine.agent.ask(&["key", "add", document.to_str().unwrap()]).unwrap();
    close(machine.off(), 0);
    assert_eq!((machine.phase().as_str(), machine.doubt()), ("active", "behind"));
    assert_eq!(machine.agent.permit("ksn"), 0);
    machine.set(0);
    assert_eq!(machine.doubt(), "none");

    // By its code, over TLS, though no certificate is good in 2000.
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path());
    let signed = now().checked_sub(SignedDuration::from_hours(90 * 24)).unwrap();
    let code = site.issue("SUB-1", signed);
    let mut machine = Machine::new(folder.path(), &site.trust(), &site.source());
    machine.set(-since_2000);
    machine.start();
    machine.agent.ask(&["activate", &code]).unwrap();
    close(machine.off(), 0);
    assert_eq!((machine.phase().as_str(), machine.doubt()), ("active", "behind"));
}

#[test]
fn a_boot_explains_a_long_power_off_and_nothing_before_it() {
    if !faketime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut machine, _vendor) = activated(folder.path(), "");
    machine.reboot(2);
    machine.set(60 * DAY);
    machine.start();
    assert_eq!((machine.phase().as_str(), machine.doubt()), ("restricted", "none"));
    assert_eq!(machine.reported("subscription.expired"), 1);
    machine.reboot(3);
    machine.set(0);
    machine.start();
    assert_eq!((machine.phase().as_str(), machine.doubt()), ("restricted", "behind"));
    assert_eq!(machine.agent.permit("ksn"), 75);
    // Root says that it is right; the agent's group may not.
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let reset = machine.agent.command(&["clock", "reset", "--json"]);
    let group = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=0", "--clear-groups"])
        .arg(reset.get_program())
        .args(reset.get_args())
        .output()
        .unwrap();
    let said = String::from_utf8(group.stdout).unwrap();
    assert!(said.contains("root_only") && said.contains("sudo svm-agent clock reset"), "{said}");
    machine.agent.ask(&["clock", "reset"]).unwrap();
    assert_eq!((machine.phase().as_str(), machine.doubt()), ("active", "none"));
    assert_eq!((machine.reported("clock.reset"), machine.agent.permit("ksn")), (1, 0));
    machine.agent.wrote(&["clock.reset"]);
}

#[test]
fn a_suspend_is_time_that_passed() {
    if !faketime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut machine, _vendor) = activated(folder.path(), "");
    machine.stop();
    // Both clocks went on for 20 days while nothing ran.
    machine.boot = 20 * DAY;
    machine.set(20 * DAY);
    machine.start();
    close(machine.off(), 20 * DAY);
    assert_eq!(
        (machine.doubt(), machine.reported("subscription.expiring")),
        ("none", 2),
        "of 30 and 14 days"
    );
    assert_eq!(machine.agent.status()["days_left"], 10);
    // And that is known though the wall clock is set back.
    machine.set(0);
    close(machine.off(), 20 * DAY);
    assert_eq!(machine.doubt(), "behind");
}

/// What is known only after days, and what lasts over a boot that explains them.
#[test]
fn what_days_bring_is_told_after_them() {
    if !faketime() {
        return;
    }
    use svm_core::subscription::{Licence, Terms};
    let folder = tempfile::tempdir().unwrap();
    let end = now().checked_add(SignedDuration::from_hours(300 * 24)).unwrap();
    let vendor = Vendor::new(folder.path(), end, 0);
    let mut order = support::order("SUB-2", end, 0);
    order.fresh_for_days = Some(5);
    let (fresh, _) = vendor.provider.issue(order, now()).unwrap();
    let (licence, _) = vendor
        .provider
        .issue(
            svm_vendor::IssueOrder::new(Terms::Licence(Licence { period_days: 30, blocked_since: None })),
            now(),
        )
        .unwrap();
    vendor.publish();
    let file = |code: &ActivationCode| {
        let file = folder.path().join("document.jws");
        std::fs::write(&file, vendor.document(&code.reveal())).unwrap();
        file.display().to_string()
    };
    // Neither vendor nor console can be reached, all the time.
    let dead = "[source]\nurl = \"http://127.0.0.1:1\"\ninterval = \"1s\"\nurgent_interval = \"1s\"\n\
                [destinations.console]\nurl = \"http://127.0.0.1:1/\"\n";
    let mut machine = Machine::new(folder.path(), &vendor.trust(), dead);
    machine.start();
    machine.agent.ask(&["key", "add", &file(&licence)]).unwrap();
    // This code is never to be had.
    let pending = machine.agent.command(&["activate", "--reserve", &vendor.code]).output().unwrap();
    assert_eq!(pending.status.code(), Some(3));
    machine.agent.wrote(&["delivery.fails", "source.fails"]);
    machine.reboot(2);
    machine.set(60 * DAY);
    machine.start();
    let lines = ["licence.expired", "activation.failed", "delivery.still_fails", "source.still_fails"];
    machine.agent.wrote(&lines);
    machine.agent.ask(&["key", "add", &file(&fresh)]).unwrap();
    machine.agent.wrote(&["source.stale"]);
}

/// A provider whose files nginx serves over TLS, with the true time in each answer.
struct Site {
    folder: PathBuf,
    provider: Provider,
    authority: Authority,
    port: u16,
    _nginx: Program,
}

impl Site {
    fn new(folder: &Path) -> Self {
        let authority = Authority::new(folder, "authority");
        let issued = authority.issue("vendor", "IP:127.0.0.1", 60);
        let profile = Profile { iss: "provider.example".into(), vendor: Contact::default() };
        let provider =
            Provider::create(&folder.join("ledger"), &profile, SigningKey::generate().unwrap()).unwrap();
        std::fs::create_dir(folder.join("published")).unwrap();
        let port = free_port();
        let site = |port: u16| {
            let tls = format!(
                "ssl_certificate {}; ssl_certificate_key {};",
                issued.certificate.display(),
                issued.key.display()
            );
            support::nginx_with(folder, &folder.join("published"), port, " ssl", &tls)
        };
        Self { folder: folder.to_owned(), provider, authority, port, _nginx: site(port) }
    }

    fn trust(&self) -> PathBuf {
        self.folder.join("ledger/trust.d")
    }

    fn source(&self) -> String {
        let ca = self.authority.certificate();
        format!("[source]\nurl = \"https://127.0.0.1:{}\"\ntimeout = \"5s\"\nca_file = {ca:?}\n", self.port)
    }

    /// A key that was signed then and ends in 30 days; published.
    fn issue(&self, key: &str, signed: Timestamp) -> String {
        let end = now().checked_add(SignedDuration::from_hours(30 * 24)).unwrap();
        let mut order = support::order(key, end, 0);
        if let svm_core::subscription::Terms::Subscription(subscription) = &mut order.terms {
            subscription.state_since = Some(signed);
        }
        let (code, _) = self.provider.issue(order, signed).unwrap();
        self.publish();
        code.reveal()
    }

    fn publish(&self) {
        self.provider.publish(&self.folder.join("published")).unwrap();
    }

    fn document(&self, code: &str) -> PathBuf {
        let sub = ActivationCode::parse(code).unwrap().sub();
        self.folder.join("published").join(svm_core::documents::published_path(&sub))
    }
}

#[test]
fn the_vendor_s_own_host_confirms_denies_and_puts_right() {
    if !(faketime() && have("nginx", "nginx-light") && have("openssl", "openssl")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path());
    let signed = now().checked_sub(SignedDuration::from_hours(90 * 24)).unwrap();
    let code = site.issue("SUB-1", signed);
    let more = format!("{}[clock]\ndwell = \"4s\"\n", site.source());
    let mut machine = Machine::new(folder.path(), &site.trust(), &more);
    // Three weeks behind, as a machine that was paused; it is known at the first look.
    machine.set(-21 * DAY);
    machine.start();
    machine.agent.ask(&["activate", &code]).unwrap();
    close(machine.off(), 0);
    assert_eq!(machine.doubt(), "behind");
    machine.set(0);
    assert_eq!(machine.doubt(), "none");
    // Far ahead, and the vendor's host says otherwise: it is not obeyed, however long it lasts.
    machine.set(400 * DAY);
    assert_eq!((machine.doubt(), machine.clock()["obeyed_at"].is_string()), ("ahead", true));
    machine.agent.ask(&["refresh"]).unwrap();
    assert_eq!((machine.doubt(), machine.clock()["obeyed_at"].is_null()), ("ahead", true));
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!((machine.doubt(), machine.phase().as_str()), ("ahead", "active"));
    close(machine.off(), 0);
    // What the agent had wrong is put right either way.
    machine.set(0);
    machine.reboot(2);
    machine.set(40 * DAY);
    machine.start();
    machine.agent.ask(&["refresh"]).unwrap();
    close(machine.off(), 0);
    assert_eq!((machine.phase().as_str(), machine.doubt()), ("active", "ahead"));
    // Also where time is so far ahead that no certificate is good any more, once the clock is set right: the host is
    // a second witness then. An hour after the boot it would not be obeyed alone.
    machine.reboot(3);
    machine.set(300 * DAY);
    machine.start();
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!(machine.agent.refused(&["refresh"]).1, "tls_refused");
    machine.set(0);
    assert_eq!((machine.phase().as_str(), machine.doubt()), ("restricted", "behind"));
    machine.agent.ask(&["refresh"]).unwrap();
    assert_eq!((machine.phase().as_str(), machine.doubt()), ("active", "none"));

    // A document that was signed with a clock far ahead is refused by the same word.
    let renewal = Change::Renew(Renewal { until: Until::Days(365), earlier: false });
    let ahead = now().checked_add(SignedDuration::from_hours(10 * 24)).unwrap();
    let key = KeyRef::Code(ActivationCode::parse(&code).unwrap());
    site.provider.change(&key, &renewal, ahead).unwrap();
    site.publish();
    let file = site.document(&code);
    let refused = machine.agent.ask(&["key", "add", file.to_str().unwrap()]).unwrap_err().1;
    assert_eq!(refused["error"]["code"], "invalid_document");
    assert!(refused["error"]["message"].as_str().unwrap().contains("signed at"), "{refused}");
}

/// A host behind a cache that does not say how old its answers are: `Date` is two days old, but for who asks past it.
const CACHE: &str = "import http.server, ssl, sys, time
from email.utils import formatdate
class Cache(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        age = 0 if self.headers.get('Cache-Control') == 'no-cache' else 2 * 86400
        self.send_response_only(200 if body else 404)
        self.send_header('Date', formatdate(time.time() - age, usegmt=True))
        self.send_header('Content-Length', str(len(body or b'')))
        self.end_headers()
        if self.command == 'GET' and body: self.wfile.write(body)
    def do_GET(self):
        try: self.answer(open(sys.argv[1] + self.path, 'rb').read())
        except OSError: self.answer(None)
    do_HEAD = do_GET
    def log_message(self, *a): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[2])), Cache)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(sys.argv[3], sys.argv[4])
server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()";

#[test]
fn what_a_cache_kept_does_not_take_time_back() {
    if !(faketime()
        && have("python3", "python3")
        && have("openssl", "openssl")
        && have("nginx", "nginx-light"))
    {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::new(folder.path());
    let cached = site.authority.issue("cache", "IP:127.0.0.1", 60);
    site.port = free_port();
    let mut cache = Command::new("python3");
    cache.args(["-c", CACHE]).arg(folder.path().join("published")).arg(site.port.to_string());
    cache.arg(&cached.certificate).arg(&cached.key);
    let _cache = Program::start(&mut cache, &folder.path().join("cache.log"));
    wait_for("the cache", 20, || std::net::TcpStream::connect(("127.0.0.1", site.port)).ok());
    let code = site.issue("SUB-1", now().checked_sub(SignedDuration::from_hours(90 * 24)).unwrap());
    let mut machine = Machine::new(folder.path(), &site.trust(), &site.source());
    machine.start();
    machine.agent.ask(&["activate", &code]).unwrap();
    machine.agent.ask(&["refresh"]).unwrap();
    close(machine.off(), 0);
    assert_eq!((machine.doubt(), machine.clock()["proven_at"].is_string()), ("none", true));
    // Where time is wrong, the true answer is asked for as well.
    machine.set(-20 * DAY);
    machine.agent.ask(&["refresh"]).unwrap();
    close(machine.off(), 0);
    assert_eq!(machine.doubt(), "behind");
}

#[test]
fn a_doubt_has_the_vendor_s_host_asked() {
    if !(faketime() && have("nginx", "nginx-light") && have("openssl", "openssl")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path());
    let code = site.issue("SUB-1", now());
    let mut machine = Machine::new(folder.path(), &site.trust(), &site.source());
    machine.start();
    machine.agent.ask(&["activate", &code]).unwrap();
    machine.set(400 * DAY);
    machine.nudge();
    let looked = || {
        let clock = machine.clock();
        (machine.doubt() == "ahead" && clock["obeyed_at"].is_null()).then_some(())
    };
    wait_for("the vendor's host to be asked", 100, looked);
    assert_eq!(machine.phase(), "active");
}

#[test]
fn without_the_vendor_s_word_a_document_signed_ahead_moves_time() {
    if !faketime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (machine, vendor) = activated(folder.path(), "");
    let renewal = Change::Renew(Renewal { until: Until::Days(365), earlier: false });
    let ahead = now().checked_add(SignedDuration::from_hours(10 * 24)).unwrap();
    vendor.provider.change(&vendor.key, &renewal, ahead).unwrap();
    vendor.publish();
    let file = folder.path().join("ahead.jws");
    std::fs::write(&file, vendor.document(&vendor.code)).unwrap();
    machine.agent.ask(&["key", "add", file.to_str().unwrap()]).unwrap();
    close(machine.off(), 10 * DAY);
    assert_eq!(machine.doubt(), "behind");
    // It was the vendor whose clock was wrong.
    machine.agent.ask(&["clock", "reset"]).unwrap();
    close(machine.off(), 0);
    assert_eq!((machine.doubt(), machine.phase().as_str()), ("none", "active"));
}
