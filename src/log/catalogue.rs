//! Every line that the log can hold, beside those of kept events ([`crate::log::events`]).
//!
//! From here come the level and the name at each call, `docs/reference/logs.md`, and the catalogue of `journalctl -x`.

use crate::log::message::LogMessage;
use tracing::Level;

macro_rules! lines {
    ($($name:ident: $id:literal, $level:ident, $sentence:literal, [$($field:literal),*], $means:literal, $todo:literal;)+) => {
        $(
            #[doc = $sentence]
            pub const $name: LogMessage = LogMessage {
                id: $id,
                level: Level::$level,
                sentence: $sentence,
                fields: &[$($field),*],
                means: $means,
                todo: $todo,
            };
        )+
        /// All of them.
        pub const ALL: &[LogMessage] = &[$($name),+];
    };
}

lines! {
    // Start, reload, stop.
    AGENT_READY: "agent.ready", INFO, "ready", ["version"],
        "The agent answers its sockets, has written its permits and delivers.", "";
    AGENT_STOPPING: "agent.stopping", INFO, "stopping; permits stay good until their own end", [],
        "The agent was told to stop. What is allowed stays allowed until the permit's own end.", "";
    IDENTITY_NEW: "identity.new", INFO, "this SVM has a new id: ID", ["id"],
        "The state folder was empty: this is a first start, or what was kept is gone.",
        "Nothing on a first start. Else activate the SVM again.";
    IDENTITY_TAKEN: "identity.taken", WARN, "this SVM has a new id, ID, because WHY; its keys are kept, and what waited under the old id OLD is dropped", ["id", "old_id", "why"],
        "The state folder came from another machine, as on a clone, or the identity was reset.",
        "Nothing, on a copy. A destination with tokens needs one of its own for it.";
    STORE_REBUILT: "store.rebuilding", ERROR, "the database was rebuilt: PROBLEM", ["set_aside"],
        "The database was damaged, missing or older than the recovery file. Keys and state were taken from the recovery file.",
        "Look at the disk.";
    STATE_LOST: "store.state_lost", ERROR, "what this SVM held is lost: PROBLEM", ["set_aside"],
        "The database is gone or damaged, and there is no recovery file from which the keys could be taken. The SVM is not activated: database updates and KSN stop.",
        "Activate the SVM again: svm-agent activate CODE. Then look at the disk; the damaged files lie in the state folder.";
    DESTINATION_LEFT: "destination.left", WARN, "the destination NAME is configured no more; EVENTS events that wait for it are kept as history, and go on if it comes back", ["destination", "events"],
        "A destination was taken out of the settings while events waited for it.", "Nothing, if it was meant.";
    DESTINATION_NONE: "destination.none", WARN, "no destination is configured: no console hears of this SVM", [],
        "Nobody is told of what happens here.", "Add a destination to the settings: [destinations.NAME] in agent.toml.";
    SETTING_CHANGED: "settings.changed", INFO, "setting KEY: NEW (was OLD)", ["key", "old", "new"],
        "A reload took up this setting.", "";
    SETTINGS_TAKEN: "settings.taken", INFO, "the settings were reloaded, with N changed; every destination is tried and every permit carried out anew", ["changed"],
        "A reload went through.", "";
    SETTING_AT_RESTART: "settings.at_restart", WARN, "setting KEY counts from the next restart only: systemctl restart svm-agent", ["key"],
        "This setting changed, and cannot be taken up by a running agent.", "systemctl restart svm-agent";
    SETTINGS_REFUSED: "settings.refused", ERROR, "the settings were not reloaded: PROBLEM", ["code"],
        "The files say something that cannot be (bad_settings), or that needs a restart (restart_needed), or nothing can be kept (store_fails). The agent goes on with the settings that it has.",
        "Mend what the line names: svm-agent config check. Then svm-agent reload.";

    // Delivery.
    DELIVERY_FAILS: "delivery.fails", WARN, "delivery to NAME fails: PROBLEM", ["code", "destination"],
        "A destination did not take events. They wait here, in order, and are tried again on and on.",
        "By the code: the receiver, the network, or the settings of the destination. svm-agent status has the count.";
    DELIVERY_STILL_FAILS: "delivery.still_fails", ERROR, "delivery to NAME still fails, since TIME: PROBLEM", ["code", "destination", "since", "times"],
        "It has failed for 10 minutes and is tried on. It is told no more until it is over.",
        "By the code: the receiver, the network, or the settings of the destination. svm-agent status has the count.";
    DELIVERY_FAILED_BEFORE: "delivery.failed_before", WARN, "delivery to NAME failed until the restart: PROBLEM", ["code", "destination", "since", "times"],
        "The agent before this one could not deliver. It is tried again.", "See delivery.fails.";
    DELIVERY_WORKS: "delivery.works", INFO, "delivery to NAME works again; it failed since TIME", ["code", "destination", "since", "times"],
        "What waited is on its way.", "";
    DELIVERED: "delivery.delivered", DEBUG, "delivered to NAME up to UPTO", ["destination", "upto", "partly"],
        "The receiver has everything up to this sequence number; partly: it took less than was sent.", "";
    EVENT_REFUSED: "event.refused", WARN, "NAME refuses an event, which stays here in quarantine: ANSWER; look with `svm-agent events show ID`", ["destination", "sequence", "id", "type", "code"],
        "The receiver refused one event for what is in it, and takes others.",
        "See what the receiver has against it; then svm-agent events retry ID.";

    // The vendor's documents.
    SOURCE_FAILS: "source.fails", WARN, "looking at the vendor's documents fails: PROBLEM", ["code"],
        "The vendor's host gave no document. What is held stays in force until its own dates.",
        "By the code: the network, a proxy in between, source.url. svm-agent key add FILE works without a network.";
    SOURCE_STILL_FAILS: "source.still_fails", ERROR, "looking at the vendor's documents still fails, since TIME: PROBLEM", ["code", "since", "times"],
        "It has failed for 10 minutes and is tried on. It is told no more until it is over.",
        "By the code: the network, a proxy in between, source.url. svm-agent key add FILE works without a network.";
    SOURCE_WORKS: "source.works", INFO, "looking at the vendor's documents works again; it failed since TIME", ["code", "since", "times"],
        "The vendor's host answers.", "";
    DOCUMENT_GOOD: "document.good_again", INFO, "the published document is good again", ["code"],
        "What documents.rejected told is over.", "";
    SIGNER_USELESS: "signers.file_useless", WARN, "FILE trusts nobody, or cannot be read: PROBLEM", [],
        "A file of paths.trust_dir does not say whom to believe. Told once, and to each command that verifies.",
        "Mend the file, or take it away.";
    SIGNERS_UNREADABLE: "signers.unreadable", ERROR, "cannot read FOLDER: PROBLEM", [],
        "paths.trust_dir is missing or may not be read: no document is believed.",
        "Make it, and let svm-agent read it.";
    SOURCE_NOTE: "source.note_not_kept", DEBUG, "the poller's note was not kept: PROBLEM", ["error"],
        "One look is made again after a restart.", "";
    ACTIVATION_WAITS: "activation.waits", DEBUG, "the pending activation waits on: CODE", ["code", "role"],
        "The vendor gave no document for the code yet.", "";
    ACTIVATION_NOTE: "activation.note_not_kept", DEBUG, "the note of pending activations was not kept: PROBLEM", ["error"],
        "The next start tries once more what is over.", "";
    ACTIVATION_NOT_DROPPED: "activation.not_dropped", DEBUG, "a pending activation was not dropped; it will be refused: PROBLEM", ["error"],
        "Another key took its place, and that could not be kept.", "";

    // The store.
    STORE_FAILS: "store.fails", ERROR, "nothing can be kept: PROBLEM; no event is told and nothing is given back until the store works; what must stop is stopped", ["error"],
        "The disk is full or broken. Commands that change something are refused.",
        "Make room on the disk, or see what is wrong with it.";
    STORE_WORKS: "store.works", INFO, "the store works again; what was held back is kept now", ["was"],
        "There is room again.", "";
    RECOVERY_FAILS: "recovery.fails", WARN, "the recovery file PATH was not written: PROBLEM; each change tries again", ["path", "error"],
        "The copy from which a damaged database is rebuilt is behind. The database is the truth. Told once until it is written.",
        "Make room on the disk, or see what is wrong with it.";
    RECOVERY_WORKS: "recovery.works", INFO, "the recovery file is written again", ["path"],
        "The copy is as new as the database.", "";
    RECOVERY_DAMAGED: "recovery.damaged", WARN, "the recovery file was damaged and is made again from the database: PROBLEM; the damaged one is kept as NAME", ["set_aside"],
        "The database is whole, and nothing is lost. With a database that is damaged too, the keys would have been.",
        "Look at the disk.";
    NOTE_UNREADABLE: "store.note_unreadable", WARN, "the note NOTE in the database cannot be read and is begun anew: PROBLEM", ["note"],
        "A part of the agent forgot what it remembered: a pending activation (activation), when it looked at the vendor last (source), how far the schedule of updates was followed (updates), what was reported of certificates, the reserve key and numbers, or the failures of a destination.",
        "Look at the disk. Of activation: activate again.";
    DROPS_UNREADABLE: "store.drops_unreadable", ERROR, "how much was dropped before cannot be read, and is counted anew: PROBLEM", ["error"],
        "A note in the database is damaged.", "Look at the disk.";

    // Permits and what follows them.
    PERMITS_FAIL: "permits.fails", WARN, "writing the permits fails: PROBLEM", ["code"],
        "A missing permit allows nothing: one that allowed is over by itself, one that stops was taken away meanwhile. It is tried again each 10 s.",
        "See paths.runtime_dir: room, rights, whether it is mounted.";
    PERMITS_STILL_FAIL: "permits.still_fails", ERROR, "writing the permits still fails, since TIME: PROBLEM", ["code", "since", "times"],
        "It has failed for 10 minutes and is tried on. It is told no more until it is over.",
        "See paths.runtime_dir: room, rights, whether it is mounted.";
    PERMITS_WORK: "permits.works", INFO, "writing the permits works again; it failed since TIME", ["code", "since", "times"],
        "The permits are as they should be.", "";
    METRICS_FILE_FAILS: "metrics_file.fails", WARN, "writing the metrics file fails: PROBLEM", ["code"],
        "metrics.textfile cannot be written. Nothing else waits for it.",
        "svm-agent doctor; the service needs leave to write there.";
    METRICS_FILE_STILL_FAILS: "metrics_file.still_fails", ERROR, "writing the metrics file still fails, since TIME: PROBLEM", ["code", "since", "times"],
        "It has failed for 10 minutes and is tried on. It is told no more until it is over.",
        "svm-agent doctor; the service needs leave to write there.";
    METRICS_FILE_WORKS: "metrics_file.works", INFO, "writing the metrics file works again; it failed since TIME", ["code", "since", "times"],
        "The file is as it should be.", "";
    ENFORCING_FAILS: "enforcing.fails", WARN, "making RESOURCE VERDICT fails: PROBLEM", ["code", "resource"],
        "What a permit says could not be carried out. It is tried again up to each minute; enforcement.failed is told the second time.",
        "The line names the unit, the gateway or the action: systemctl status, svm-agent gate list.";
    ENFORCING_STILL_FAILS: "enforcing.still_fails", ERROR, "making RESOURCE VERDICT still fails, since TIME: PROBLEM", ["code", "resource", "since", "times"],
        "It has failed for 10 minutes and is tried on. It is told no more until it is over.",
        "The line names the unit, the gateway or the action: systemctl status, svm-agent gate list.";
    ENFORCING_WORKS: "enforcing.works", INFO, "making RESOURCE VERDICT works again; it failed since TIME", ["code", "resource", "since", "times"],
        "The permit is carried out.", "";
    ACTION_FAILS: "action.fails", WARN, "the action NAME fails: PROBLEM", ["code", "action"],
        "A configured action does not do what it should, or somebody undoes it.",
        "See who else sets it, such as a policy of the console.";
    ACTION_STILL_FAILS: "action.still_fails", ERROR, "the action NAME still fails, since TIME: PROBLEM", ["code", "action", "since", "times"],
        "It has failed for 10 minutes and is tried on. It is told no more until it is over.",
        "See who else sets it, such as a policy of the console.";
    ACTION_WORKS: "action.works", INFO, "the action NAME works again; it failed since TIME", ["code", "action", "since", "times"],
        "What it sets stands.", "";
    UNIT_KILLED: "unit.killed", WARN, "asked to stop and still there, so killed: UNITS", ["units"],
        "Its permit is over, and it did not end at SIGTERM.", "See why the unit does not end at SIGTERM.";
    UNIT_STARTED: "unit.started", INFO, "the permit is back: started UNIT, which waited for it", ["unit"],
        "What was stopped or skipped for want of the permit runs again.", "";

    // The gateway for KSN.
    GATEWAY_LISTENS: "gateway.listens", INFO, "the gateway for KSN listens on ADDRESS", ["listen"],
        "Look-ups reach the gateway.", "";
    GATEWAY_OPEN: "gateway.open", INFO, "the gateway lets look-ups through: PERMIT", ["permit"],
        "Follows from the permit.", "";
    GATEWAY_SHUT: "gateway.shut", INFO, "the gateway refuses look-ups: their permit is over or stopped; N connections were closed", ["closed"],
        "Follows from the permit.", "";
    GATEWAY_SMALL: "gateway.small", WARN, "the gateway takes N connections, fewer than the WANTED of its settings: the limit of open files is too low", ["connections", "wanted", "open_files"],
        "Each connection through the gateway takes two open files.", "Raise LimitNOFILE= of svm-agent.service.";
    PORT_FAILS: "gateway_port.fails", WARN, "the gateway's port ADDRESS fails: PROBLEM", ["code", "address"],
        "The gateway cannot listen (listen), or the system gives it no connections (accept).",
        "See who has the port (ss -ltnp), or set gateway.listen.";
    PORT_STILL_FAILS: "gateway_port.still_fails", ERROR, "the gateway's port ADDRESS still fails, since TIME: PROBLEM", ["code", "address", "since", "times"],
        "It has failed for 10 minutes and is tried on. It is told no more until it is over.",
        "See who has the port (ss -ltnp), or set gateway.listen.";
    PORT_WORKS: "gateway_port.works", INFO, "the gateway's port ADDRESS works again; it failed since TIME", ["code", "address", "since", "times"],
        "The gateway takes connections.", "";
    UPSTREAM_FAILS: "ksn_upstream.fails", WARN, "the KSN upstream ADDRESS fails: PROBLEM", ["code", "address"],
        "The KSN proxy cannot be reached. The next one is used meanwhile.", "See whether the KSN proxy runs.";
    UPSTREAM_STILL_FAILS: "ksn_upstream.still_fails", ERROR, "the KSN upstream ADDRESS still fails, since TIME: PROBLEM", ["code", "address", "since", "times"],
        "It has failed for 10 minutes and is tried on. It is told no more until it is over.", "See whether the KSN proxy runs.";
    UPSTREAM_WORKS: "ksn_upstream.works", INFO, "the KSN upstream ADDRESS works again; it failed since TIME", ["code", "address", "since", "times"],
        "The KSN proxy is reached.", "";

    // Database updates.
    UPDATE_BEGAN: "update.began", INFO, "a database update began: UNIT", ["unit", "slot", "invocation"],
        "The agent started the unit by its schedule, or because it was asked.", "";
    UPDATE_MISSED: "update.missed", INFO, "the database update of SLOT was missed and is made up for", ["unit", "slot"],
        "The agent, or the machine, was off at that time.", "";
    UPDATE_OVERLAPS: "update.overlaps", INFO, "a database update is due while the one before goes on; it is skipped", ["unit", "slot"],
        "One run is longer than the pause between two.", "Leave a longer pause between the lines of the schedule, if it comes often.";
    UPDATE_FOREIGN: "update.foreign", INFO, "UNIT runs already, started by somebody else; the database update is skipped", ["unit", "slot"],
        "Somebody else updates the databases just now.", "";
    UPDATE_NO_PERMIT: "update.no_permit", INFO, "database updates are skipped until they have a permit: WHY", ["unit"],
        "Follows from the permit. Told once until an update has its permit.", "";
    UPDATE_SKIPPED: "update.skipped", DEBUG, "a database update is skipped: WHY", ["unit"],
        "The same, again.", "";
    GATE_OUTDATED: "gate.outdated", WARN, "the gate of UNIT was installed by an older svm-agent and obeys the environment of the unit: svm-agent gate install UNIT", ["unit"],
        "The unit's user may be able to choose whose permits the gate reads, and what it loads as root.", "svm-agent gate renew, as root, installs every gate again.";
    UPDATE_GATED: "update.gated", INFO, "the gate of UNIT refused the update", ["unit"],
        "The unit asked for its permit at its start, and had none.", "svm-agent permit database-updates says why.";
    UPDATE_STOPPED: "update.stopped", INFO, "the database update was stopped with its permit", ["unit"],
        "The permit ended while the update ran.", "";
    UPDATE_UNDER_WAY: "update.under_way", INFO, "a database update was under way before the agent's start", ["unit", "since"],
        "It is watched on.", "";
    UPDATE_LONG: "update.too_long", WARN, "the update lasts longer than updates.timeout and is stopped: UNIT", ["unit"],
        "The run is ended, and updates.failed is told.", "See what it does (journalctl -u UNIT), and updates.timeout.";
    UPDATE_UNENDED: "update.not_ended", WARN, "the update cannot be ended: PROBLEM", ["unit", "error"],
        "systemd was asked to end the unit, and did not.", "systemctl status; polkit's rules.";
    UPDATE_LAST_LINES: "update.last_lines", WARN, "the journal of the update ends with: LINES", ["unit", "code"],
        "What an update that failed said last.", "journalctl -u UNIT has all of it.";
    UPDATE_JOURNAL: "update.journal_unreadable", WARN, "the journal of the update cannot be read: PROBLEM; is svm-agent in the group systemd-journal?", ["unit", "error"],
        "Why the update failed is in the journal, which the agent may not read.", "Put svm-agent into the group systemd-journal.";
    UPDATE_UNSEEN: "update.unseen", DEBUG, "UNIT cannot be looked at: PROBLEM", ["unit", "error"],
        "systemd did not answer; it is asked again.", "";
    UPDATE_NOT_KEPT: "update.not_kept", DEBUG, "what database updates came to is not kept yet: PROBLEM", ["error"],
        "store.fails says why. It is kept with the next try.", "";
    DATABASES_UNSEEN: "databases.unseen", WARN, "the time of the databases cannot be seen in FILE: PROBLEM", ["file"],
        "Whether they are old is judged by the updates that went through.", "Mend updates.databases_file.";

    // This machine.
    DEVICES_UNREADABLE: "devices.unreadable", WARN, "the number of protected devices cannot be read from FILE: PROBLEM; the last one stands", ["file", "error"],
        "devices.count_file is missing or holds no number. Told once until it can be read, or fails otherwise.",
        "Mend the file, or devices.count_file.";
    HOST_RENAMED: "host.renamed", INFO, "this machine is called NEW now; until now it was OLD", ["new", "old"],
        "The machine's name changed while the agent ran. Events and reports have the new one; a report is sent where it was found by a reload.", "";
    CLOCK_STEPS: "clock.steps_unseen", WARN, "steps of the clock are not told by the kernel: PROBLEM; they are noticed within an hour", ["error"],
        "The kernel has no timerfd that tells of a clock that was set.", "Tell us which kernel it is.";
    SOCKET_ACCEPT: "socket.accept_fails", WARN, "a connection to SOCKET could not be accepted: PROBLEM", ["socket", "error"],
        "Whoever asked got no answer. It is tried again five times a second. Told once until one is accepted.", "Usually too few file descriptors: LimitNOFILE= of svm-agent.service.";
    SOCKET_BROKE: "socket.broke", DEBUG, "a connection to SOCKET broke: PROBLEM", ["socket", "error"],
        "Whoever asked went away, or said what is no HTTP.", "";

    // The log itself.
    LOG_HELD_BACK: "log.held_back", WARN, "LINE of OBJECT came 60 times within the hour: more of it is counted, and not written until TIME", ["line", "object"],
        "One kind of line comes again and again about one thing, such as a destination; about others it is still written. The agent goes on, and its events are kept and told all the same.",
        "See to what the lines before this one say. log.level = \"debug\" writes all of them.";
    LOG_LEFT_OUT: "log.left_out", WARN, "N lines LINE of OBJECT were left out since TIME", ["line", "object", "count"],
        "Follows log.held_back, with the next line of that kind after the hour.", "";
}
