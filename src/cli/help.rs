//! What `--help` and the manual page say beside the options: examples and exit codes.

/// The exit codes of all commands but `check`, and what each means.
pub const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "done; permit: the resource may be used"),
    ("1", "refused by the agent, or failed"),
    ("2", "wrong usage"),
    ("3", "activate: pending, the agent retries automatically"),
    ("4", "doctor: there are warnings, and no failures"),
    ("5", "doctor: there are failures"),
    ("69", "the agent cannot be reached"),
    ("74", "the output cannot be written"),
    ("75", "permit: the resource may not be used now"),
    ("78", "the settings are not valid"),
];

/// The exit codes of `check`: those of all plug-ins.
pub const CHECK_EXIT_CODES: &str = "0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN";

/// The end of the program's own help.
pub(super) fn program() -> String {
    let mut text = PROGRAM.to_owned() + "\n\nExit codes:\n";
    for (code, meaning) in EXIT_CODES {
        text.push_str(&format!("  {code:<4}{meaning}\n"));
    }
    text.push_str(&format!("\ncheck has those of plug-ins: {CHECK_EXIT_CODES}.\n\n{FILES}"));
    text
}

const PROGRAM: &str = "\
Examples:
  svm-agent status --explain      how this SVM is, and what to do
  svm-agent activate -            activate with a code; it asks for the code
  svm-agent permit ksn            may KSN be used now?
  svm-agent doctor                find out what does not work, and why
  svm-agent events list --severity warning

Most commands ask the running agent. Commands that change something need root
or membership in the group svm-agent.";

const FILES: &str = "\
Settings: /etc/svm-agent/agent.toml and /etc/svm-agent/conf.d/*.toml
Log:      journalctl -u svm-agent
Manual:   man svm-agent, man svm-agent.toml";

pub(super) const STATUS: &str = "\
Examples:
  svm-agent status
  svm-agent status --explain
  svm-agent status --json | jq .phase";

pub(super) const ACTIVATE: &str = "\
Examples:
  svm-agent activate -                     type or paste the code
  svm-agent activate - < code.txt
  svm-agent activate - --until-published   the code is not published yet
  svm-agent activate --cancel

Exit codes: 0 activated, 3 pending: the agent retries automatically.
Without a network: svm-agent key add FILE";

pub(super) const KEY_ADD: &str = "\
Examples:
  svm-agent key add SUB-0001.jws
  svm-agent key add - < SUB-0001.jws
  svm-agent key add --reserve COM-0002.jws";

pub(super) const KEY_REMOVE: &str = "\
Example:
  svm-agent key remove SUB-0001";

pub(super) const PERMIT: &str = "\
Examples:
  svm-agent permit ksn
  svm-agent permit database-updates --take && update-the-databases

Exit codes: 0 the resource may be used, 75 it may not.
If the permit is limited to a rate, the answer says until when it is spent.";

pub(super) const GATE_INSTALL: &str = "\
Examples:
  svm-agent gate install kesl-update.service
  svm-agent gate install ksn-client.service --ksn
  svm-agent gate install ksn-server.service --resource ksn

The units of the protection itself cannot be gated.";

pub(super) const GATE_REMOVE: &str = "\
Examples:
  svm-agent gate remove kesl-update.service
  svm-agent gate remove --all";

pub(super) const EVENTS_LIST: &str = "\
Examples:
  svm-agent events list --severity warning
  svm-agent events list --waiting          what was not sent yet
  svm-agent events list --json --limit 1   one JSON object a line";

pub(super) const EVENTS_RETRY: &str = "\
Examples:
  svm-agent events list --quarantined
  svm-agent events retry --all";

pub(super) const SIMULATE: &str = "\
Examples:
  svm-agent simulate                     the next year of this SVM
  svm-agent simulate --until 2027-03-01
  svm-agent simulate --table scenario.json";

pub(super) const RENEWAL: &str = "\
Examples:
  svm-agent renewal
  svm-agent renewal --lang ru
  svm-agent renewal --order A221234065 --channel isp";

pub(super) const DEVICES: &str = "\
Example:
  svm-agent devices set 120";

pub(super) const DOCTOR: &str = "\
Exit codes: 0 no problem, 4 warnings, 5 failures.
As root it sees more: sudo svm-agent doctor";

pub(super) const SUPPORT_BUNDLE: &str = "\
Examples:
  sudo svm-agent support-bundle
  sudo svm-agent support-bundle --output /tmp/bundle.tar.zst";

pub(super) fn check() -> String {
    format!(
        "\
A RANGE is written as for all plug-ins:
  7:      alerts below 7
  10      alerts below 0 and above 10
  ~:10    alerts above 10
  10:20   alerts below 10 and above 20
  @10:20  alerts from 10 to 20

Examples:
  svm-agent check
  svm-agent check -w 30: -c 7: --only subscription
  svm-agent check --backlog-warning 500 --only delivery

Exit codes: {CHECK_EXIT_CODES}"
    )
}

pub(super) const IDENTITY_RESET: &str = "\
Example, before an image is made of this machine:
  systemctl stop svm-agent.socket svm-agent-query.socket svm-agent
  svm-agent identity reset --forget-keys";

pub(super) const CONFIG_CHECK: &str = "\
Examples:
  svm-agent config check && systemctl reload svm-agent
  svm-agent config check --offline --config new.toml

Exit codes: 0 the settings are valid, 78 they are not.";
