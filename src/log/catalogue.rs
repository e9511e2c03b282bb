//! Every message that the log can hold, except those of stored events ([`crate::log::events`]).
//!
//! A text stands here once: the log's lines, `docs/reference/logs.md` and the catalogue of `journalctl -x` are made from it.

use crate::log::message::LogMessage;
use tracing::Level;

/// What the second message of each failure means.
const STILL: &str =
    "Still failing after 10 minutes. Retries continue; this is not logged again until it recovers.";
const CHECK_DISK: &str = "Check the disk.";
const CHECK_RECEIVER: &str = "Check, by the code, the receiver, the network or the settings of the destination: svm-agent doctor. svm-agent status says how many events are pending.";
const CHECK_SOURCE: &str = "Check, by the code, the network, a proxy or source.url: svm-agent doctor. Without a network: svm-agent key add FILE.";
const CHECK_RUNTIME: &str = "Check paths.runtime_dir: free space, permissions, whether it is mounted.";
const CHECK_TEXTFILE: &str = "Let the service write there: svm-agent doctor says how.";
const CHECK_ENFORCERS: &str =
    "The message names the unit, the gateway or the action: systemctl status UNIT, svm-agent gate list.";
const CHECK_POLICY: &str =
    "Find out what else changes this setting, such as a policy of Kaspersky Security Center.";
const CHECK_PORT: &str = "Find out what uses the port (ss -ltnp), or choose another one: gateway.listen.";
const CHECK_UPSTREAM: &str = "Check whether the KSN proxy runs, and gateway.upstreams.";

macro_rules! messages {
    ($($name:ident: $id:literal, $level:ident, $template:literal, [$($field:literal),*], $means:expr, $todo:expr;)+) => {
        $(
            #[doc = $template]
            pub const $name: LogMessage = LogMessage {
                id: $id,
                level: Level::$level,
                template: $template,
                fields: &[$($field),*],
                means: $means,
                todo: $todo,
            };
        )+
        pub const ALL: &[LogMessage] = &[$($name),+];
    };
}

messages! {
    // Start, reload, stop.
    AGENT_READY: "agent.ready", INFO, "svm-agent {version} is ready", ["version"],
        "The agent has written the permits, answers commands and sends events.", "";
    AGENT_STOPPING: "agent.stopping", INFO, "svm-agent is stopping; permits stay valid until their own end", [],
        "The agent was asked to stop (SIGTERM). What was permitted stays permitted until its permit ends (enforcement.permit_max_age).", "";
    IDENTITY_NEW: "identity.new", INFO, "this SVM has a new id: {id}", ["id"],
        "The state directory was empty. This is the first start, or the stored state was deleted.",
        "Nothing at the first start. Otherwise activate the SVM again: svm-agent activate CODE.";
    IDENTITY_TAKEN: "identity.taken", WARN, "this SVM has a new id, {id}, because {reason}; its keys are kept, and events that were pending under the old id {old_id} are dropped", ["id", "old_id", "why"],
        "The state directory came from another machine, as on a clone, or the identity was reset.",
        "Nothing on a clone. A destination that requires a token needs a new token for this SVM.";
    STORE_REBUILT: "store.rebuilding", ERROR, "the database was rebuilt from the recovery file: {problem}", ["set_aside"],
        "The database was damaged, missing or older than the recovery file. Keys and state come from the recovery file.",
        CHECK_DISK;
    STATE_LOST: "store.state_lost", ERROR, "this SVM lost its keys and state: {problem}", ["set_aside"],
        "The database is missing or damaged, and no recovery file has the keys. The SVM is no longer activated: database updates and KSN stop.",
        "Activate the SVM again: svm-agent activate CODE. Then check the disk; the damaged files are in the state directory.";
    DESTINATION_LEFT: "destination.left", WARN, "destination {destination} was removed from the configuration; the agent keeps {pending} for it, and sends them if it is added again", ["destination", "events"],
        "A destination was removed from the settings while events for it were pending.",
        "Nothing, if it was intended. Otherwise add the destination again, under the same name.";
    DESTINATION_NONE: "destination.none", WARN, "no destination is configured: this SVM reports to no console", [],
        "The agent has nowhere to send events. Everything else works.",
        "Add a destination to the settings: [destinations.NAME] in /etc/svm-agent/agent.toml. Then systemctl reload svm-agent.";
    SETTING_CHANGED: "settings.changed", INFO, "setting {key}: {new} (was {old})", ["key", "old", "new"],
        "A reload applied this setting.", "";
    SETTINGS_TAKEN: "settings.taken", INFO, "the settings were reloaded: {changes}; the agent retries every destination and enforces every permit again", ["changed"],
        "A reload succeeded.", "";
    SETTING_AT_RESTART: "settings.at_restart", WARN, "setting {key} takes effect only after a restart: systemctl restart svm-agent", ["key"],
        "This setting changed, and a running agent cannot apply it.", "systemctl restart svm-agent";
    SETTINGS_REFUSED: "settings.refused", ERROR, "the settings were not reloaded: {problem}", ["code"],
        "A setting is wrong (bad_settings), a change needs a restart (restart_needed), or the agent cannot write to its database (store_fails). The agent continues with its old settings.",
        "Correct what the message names: svm-agent config check. Then systemctl reload svm-agent.";

    // Delivery.
    DELIVERY_FAILS: "delivery.fails", WARN, "delivery to {destination} fails: {problem}", ["code", "destination"],
        "A destination did not accept events. The agent keeps them, in order, and sends them again until they are accepted.",
        CHECK_RECEIVER;
    DELIVERY_STILL_FAILS: "delivery.still_fails", ERROR, "delivery to {destination} still fails, since {since}: {problem}", ["code", "destination", "since", "times"],
        STILL, CHECK_RECEIVER;
    DELIVERY_FAILED_BEFORE: "delivery.failed_before", WARN, "delivery to {destination} has been failing since {since}: {problem}", ["code", "destination", "since", "times"],
        "Delivery failed before the agent was restarted or reloaded. It tries again.", CHECK_RECEIVER;
    DELIVERY_WORKS: "delivery.works", INFO, "delivery to {destination} works again; it failed since {since}", ["code", "destination", "since", "times"],
        "The pending events are being sent.", "";
    DELIVERED: "delivery.delivered", DEBUG, "delivered to {destination} up to number {upto}", ["destination", "upto", "partly"],
        "The receiver has every event up to this sequence number. partly: it accepted fewer than were sent.", "";
    EVENT_REFUSED: "event.refused", WARN, "{destination} refuses an event, which is now in quarantine: {answer}; see svm-agent events show {id}", ["destination", "sequence", "id", "type", "code"],
        "The receiver refused the content of one event, and accepts others. The event stays on this SVM.",
        "Read why the receiver refuses it. Once the receiver accepts it: svm-agent events retry ID.";

    // The provider's documents.
    SOURCE_FAILS: "source.fails", WARN, "fetching the provider's document fails: {problem}", ["code"],
        "The provider's host returned no document. The stored document stays in force until its own dates.",
        CHECK_SOURCE;
    SOURCE_STILL_FAILS: "source.still_fails", ERROR, "fetching the provider's document still fails, since {since}: {problem}", ["code", "since", "times"],
        STILL, CHECK_SOURCE;
    SOURCE_WORKS: "source.works", INFO, "fetching the provider's document works again; it failed since {since}", ["code", "since", "times"],
        "The provider's host answers.", "";
    DOCUMENT_GOOD: "document.good_again", INFO, "the provider's document is valid again", ["code"],
        "The problem that documents.rejected reported is over.", "";
    SIGNER_USELESS: "signers.file_useless", WARN, "a file of trusted keys is ignored: {problem}", [],
        "A file in paths.trust_dir holds no public key, or cannot be read. Logged once, and again by each command that verifies a document.",
        "Correct the file, or remove it.";
    SIGNERS_UNREADABLE: "signers.unreadable", ERROR, "no document can be verified: {problem}", [],
        "paths.trust_dir is missing or cannot be read, so the agent trusts no document.",
        "Create the directory, and let the user svm-agent read it.";
    SOURCE_NOTE: "source.note_not_kept", DEBUG, "the result of polling was not stored: {error}", ["error"],
        "After a restart the agent may poll once more than necessary.", "";
    ACTIVATION_WAITS: "activation.waits", DEBUG, "the pending activation has no document yet: {code}", ["code", "role"],
        "The provider's host returned no document for the activation code. The agent asks again.", "";
    ACTIVATION_NOTE: "activation.note_not_kept", DEBUG, "the pending activations were not stored: {error}", ["error"],
        "After a restart the agent may retry an activation that is already over.", "";
    ACTIVATION_NOT_DROPPED: "activation.not_dropped", DEBUG, "a pending activation was not removed, and will be refused later: {error}", ["error"],
        "Another key took its place, and the agent could not store that.", "";

    // The store.
    STORE_FAILS: "store.fails", ERROR, "cannot write to the database: {error}; no events are sent and no permits are restored until it recovers; revocations still take effect", ["error"],
        "The disk is full or broken. Commands that change something are refused.",
        "Free some space, or check the disk.";
    STORE_WORKS: "store.works", INFO, "the database can be written again; everything that was held back is stored now", ["was"],
        "The problem that store.fails reported is over.", "";
    RECOVERY_FAILS: "recovery.fails", WARN, "cannot write the recovery file {path}: {error}; the agent tries again with the next change", ["path", "error"],
        "The recovery file, from which a damaged database is rebuilt, is not up to date. The database itself is fine. Logged once, until the file is written.",
        "Free some space, or check the disk.";
    RECOVERY_WORKS: "recovery.works", INFO, "the recovery file is written again", ["path"],
        "The recovery file is as new as the database.", "";
    RECOVERY_DAMAGED: "recovery.damaged", WARN, "the recovery file was damaged and is written again from the database: {problem}; the damaged file is kept as {set_aside}", ["set_aside"],
        "The database is intact, and nothing is lost. If the database had been damaged too, the keys would have been lost.",
        CHECK_DISK;
    NOTE_UNREADABLE: "store.note_unreadable", WARN, "the stored note {note} is damaged at {place} and starts empty", ["note"],
        "A part of the agent lost what it remembered: a pending activation (activation), the last poll of the provider's document (source), the progress of the update schedule (updates), what was reported of certificates, the reserve key and sequence numbers, or the failures of a destination.",
        "Check the disk. If the note is activation: activate again.";
    DROPS_UNREADABLE: "store.drops_unreadable", ERROR, "the count of dropped events cannot be read and starts at zero: {error}", ["error"],
        "A note in the database is damaged.", CHECK_DISK;

    // Permits, and what enforces them.
    PERMITS_FAIL: "permits.fails", WARN, "writing the permits fails: {problem}", ["code"],
        "Without a permit nothing is allowed. A permit that was to be revoked is already removed; one that allows something ends at its own end. The agent tries again every 10 s.",
        CHECK_RUNTIME;
    PERMITS_STILL_FAIL: "permits.still_fails", ERROR, "writing the permits still fails, since {since}: {problem}", ["code", "since", "times"],
        STILL, CHECK_RUNTIME;
    PERMITS_WORK: "permits.works", INFO, "writing the permits works again; it failed since {since}", ["code", "since", "times"],
        "The permits are up to date.", "";
    METRICS_FILE_FAILS: "metrics_file.fails", WARN, "writing the metrics file fails: {problem}", ["code"],
        "The agent cannot write metrics.textfile. Nothing else is affected.",
        CHECK_TEXTFILE;
    METRICS_FILE_STILL_FAILS: "metrics_file.still_fails", ERROR, "writing the metrics file still fails, since {since}: {problem}", ["code", "since", "times"],
        STILL, CHECK_TEXTFILE;
    METRICS_FILE_WORKS: "metrics_file.works", INFO, "writing the metrics file works again; it failed since {since}", ["code", "since", "times"],
        "The file is up to date.", "";
    ENFORCING_FAILS: "enforcing.fails", WARN, "{task} fails: {problem}", ["code", "resource"],
        "The agent could not enforce a permit. It tries again, at least once a minute. If it fails a second time, the agent also sends the event enforcement.failed.",
        CHECK_ENFORCERS;
    ENFORCING_STILL_FAILS: "enforcing.still_fails", ERROR, "{task} still fails, since {since}: {problem}", ["code", "resource", "since", "times"],
        STILL, CHECK_ENFORCERS;
    ENFORCING_WORKS: "enforcing.works", INFO, "{task} works again; it failed since {since}", ["code", "resource", "since", "times"],
        "The permit is enforced.", "";
    ACTION_FAILS: "action.fails", WARN, "the action {action} fails: {problem}", ["code", "action"],
        "A configured action failed, or something undoes what the action sets.", CHECK_POLICY;
    ACTION_STILL_FAILS: "action.still_fails", ERROR, "the action {action} still fails, since {since}: {problem}", ["code", "action", "since", "times"],
        STILL, CHECK_POLICY;
    ACTION_WORKS: "action.works", INFO, "the action {action} works again; it failed since {since}", ["code", "action", "since", "times"],
        "What the action sets is in effect.", "";
    UNIT_KILLED: "unit.killed", WARN, "killed because they did not stop when asked: {units}", ["units"],
        "The permit of these units ended, and they did not end at SIGTERM.", "Find out why the unit ignores SIGTERM.";
    UNIT_STARTED: "unit.started", INFO, "the permit is restored: started {unit}, which waited for it", ["unit"],
        "A unit that was stopped or skipped because it had no permit runs again.", "";

    // The gateway for KSN.
    GATEWAY_LISTENS: "gateway.listens", INFO, "the KSN gateway listens on {listen}", ["listen"],
        "Clients can connect to the gateway.", "";
    GATEWAY_OPEN: "gateway.open", INFO, "the KSN gateway accepts connections: {allowed}", ["permit"],
        "The permit for KSN allows it.", "";
    GATEWAY_SHUT: "gateway.shut", INFO, "the KSN gateway refuses connections, because the permit for KSN ended or was revoked; it closed {connections}", ["closed"],
        "The permit for KSN no longer allows it.", "svm-agent permit ksn says why.";
    GATEWAY_SMALL: "gateway.small", WARN, "the KSN gateway accepts {connections} connections at a time, fewer than the {wanted} of gateway.max_connections: the limit of open files, {open_files}, is too low", ["connections", "wanted", "open_files"],
        "Each connection through the gateway needs two open files.", "Raise LimitNOFILE= of svm-agent.service (systemctl edit svm-agent), or lower gateway.max_connections.";
    PORT_FAILS: "gateway_port.fails", WARN, "the gateway's port {address} fails: {problem}", ["code", "address"],
        "The gateway cannot listen on its port (listen), or the system gives it no connections (accept).",
        CHECK_PORT;
    PORT_STILL_FAILS: "gateway_port.still_fails", ERROR, "the gateway's port {address} still fails, since {since}: {problem}", ["code", "address", "since", "times"],
        STILL, CHECK_PORT;
    PORT_WORKS: "gateway_port.works", INFO, "the gateway's port {address} works again; it failed since {since}", ["code", "address", "since", "times"],
        "The gateway accepts connections.", "";
    UPSTREAM_FAILS: "ksn_upstream.fails", WARN, "the KSN upstream {address} fails: {problem}", ["code", "address"],
        "The gateway cannot reach this KSN proxy. It uses the next one, if there is one.", CHECK_UPSTREAM;
    UPSTREAM_STILL_FAILS: "ksn_upstream.still_fails", ERROR, "the KSN upstream {address} still fails, since {since}: {problem}", ["code", "address", "since", "times"],
        STILL, CHECK_UPSTREAM;
    UPSTREAM_WORKS: "ksn_upstream.works", INFO, "the KSN upstream {address} works again; it failed since {since}", ["code", "address", "since", "times"],
        "The gateway reaches this KSN proxy again.", "";

    // Database updates.
    UPDATE_BEGAN: "update.began", INFO, "a database update started: {unit}", ["unit", "slot", "invocation"],
        "The agent started the unit by its schedule, or because of svm-agent updates run.", "";
    UPDATE_MISSED: "update.missed", INFO, "the database update of {slot} was missed, so the agent runs it now", ["unit", "slot"],
        "The agent or the machine was off at that time. updates.missed = \"skip\" leaves such updates out.", "";
    UPDATE_OVERLAPS: "update.overlaps", INFO, "the database update of {slot} is skipped: the previous one still runs", ["unit", "slot"],
        "An update takes longer than the time between two updates.", "If this happens often, leave more time between the updates: updates.schedule.";
    UPDATE_FOREIGN: "update.foreign", INFO, "the database update is skipped: {unit} already runs, and not because of the agent", ["unit", "slot"],
        "Something else updates the databases at the moment.", "";
    UPDATE_NO_PERMIT: "update.no_permit", INFO, "database updates are skipped until they are permitted: {why}", ["unit"],
        "There is no permit for database updates. Logged once, until an update is permitted.", "svm-agent status --explain";
    UPDATE_SKIPPED: "update.skipped", DEBUG, "a database update is skipped: {why}", ["unit"],
        "As update.no_permit, for each further update.", "";
    GATE_OUTDATED: "gate.outdated", WARN, "the gate of {unit} was installed by an older svm-agent and obeys the environment of the unit: svm-agent gate install {unit}", ["unit"],
        "The user of this unit may be able to choose whose permits the gate reads, and what it loads as root.", "As root: svm-agent gate renew. It installs every gate again.";
    UPDATE_GATED: "update.gated", INFO, "the gate of {unit} refused the database update", ["unit"],
        "The unit asked for its permit at its start, and there was none.", "svm-agent permit database-updates says why.";
    UPDATE_STOPPED: "update.stopped", INFO, "the database update was stopped, because its permit ended", ["unit"],
        "The permit ended or was revoked while the update ran.", "svm-agent permit database-updates says why.";
    UPDATE_UNDER_WAY: "update.under_way", INFO, "a database update was already running when the agent started", ["unit", "since"],
        "The agent waits for its result.", "";
    UPDATE_LONG: "update.too_long", WARN, "the database update {unit} exceeds updates.timeout and is stopped", ["unit"],
        "The agent stops the update and sends the event updates.failed.", "See what it does: journalctl -u UNIT. If it needs more time, raise updates.timeout.";
    UPDATE_UNENDED: "update.not_ended", WARN, "cannot stop the database update {unit}: {error}", ["unit", "error"],
        "The agent asked systemd to stop the unit, and systemd did not.", "systemctl status UNIT; check the polkit rule 50-svm-agent.rules.";
    UPDATE_LAST_LINES: "update.last_lines", WARN, "the last lines of the failed database update: {lines}", ["unit", "code"],
        "What the update wrote to the journal before it failed.", "journalctl -u UNIT has everything it wrote.";
    UPDATE_JOURNAL: "update.journal_unreadable", WARN, "cannot read the journal of the database update: {error}; is user svm-agent in group systemd-journal?", ["unit", "error"],
        "The reason of the failure is in the journal, which the agent may not read.", "usermod -aG systemd-journal svm-agent; systemctl restart svm-agent";
    UPDATE_UNSEEN: "update.unseen", DEBUG, "cannot check the state of {unit}: {error}", ["unit", "error"],
        "systemd did not answer. The agent asks again.", "";
    UPDATE_NOT_KEPT: "update.not_kept", DEBUG, "the result of a database update is not stored yet: {error}", ["error"],
        "store.fails says why. The agent tries again.", "";
    DATABASES_UNSEEN: "databases.unseen", WARN, "cannot read the time of the databases from {file}: {problem}", ["file"],
        "The agent judges the age of the databases by the updates that succeeded instead.", "Correct updates.databases_file.";

    // This machine.
    DEVICES_UNREADABLE: "devices.unreadable", WARN, "cannot read the number of protected devices from {file}: {error}; the last known number stays", ["file", "error"],
        "devices.count_file is missing or holds no number. Logged once, until it can be read or fails differently.",
        "Correct the file, or devices.count_file.";
    HOST_RENAMED: "host.renamed", INFO, "this machine is now called {new}; its old name was {old}", ["new", "old"],
        "The machine's name changed while the agent ran. Events and reports use the new name. If a reload found it, the agent sends a report at once.", "";
    CLOCK_STEPS: "clock.steps_unseen", WARN, "the kernel does not report changes of the clock: {error}; the agent notices them within an hour", ["error"],
        "The kernel lacks a function of timerfd.", "Report the version of the kernel to support: uname -r.";
    SOCKET_ACCEPT: "socket.accept_fails", WARN, "cannot accept a connection on {socket}: {error}", ["socket", "error"],
        "A client got no answer. The agent tries again five times a second. Logged once, until a connection is accepted.", "Usually the agent has too few file descriptors: raise LimitNOFILE= of svm-agent.service (systemctl edit svm-agent).";
    SOCKET_BROKE: "socket.broke", DEBUG, "a connection on {socket} ended early: {problem}", ["socket", "error"],
        "The client disconnected, did not read the answer, or did not send HTTP.", "";

    // The log itself.
    LOG_HELD_BACK: "log.held_back", WARN, "{message} was logged {limit} times within an hour; further messages of this kind are counted and not written until the hour is over", ["line", "object"],
        "The same message about the same thing, such as a destination, comes again and again. Other messages are still written, and events are still stored and sent.",
        "See what the messages before this one say. log.level = \"debug\" writes all of them.";
    LOG_LEFT_OUT: "log.left_out", WARN, "{message} came {count} more times and was not written", ["line", "object", "count"],
        "Written after the hour that log.held_back began, with the next message of that kind.", "";
}
