//! The lines of kept events: the type of each, what it means for whoever reads the log, and what to do.

/// The line of an event. Its level follows the event's severity, its sentence is the event's `description`.
#[derive(Clone, Copy, Debug)]
pub struct EventMessage {
    /// The type, such as `subscription.expired`.
    pub id: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What to do, or nothing.
    pub todo: &'static str,
}

macro_rules! events {
    ($($id:literal, $means:literal, $todo:literal;)+) => {
        /// All types.
        pub const ALL: &[EventMessage] = &[$(EventMessage { id: $id, means: $means, todo: $todo }),+];
    };
}

events! {
    "key.added", "A key was activated, or added as the reserve.", "";
    "key.removed", "A key was removed by command, or another took its place.", "";
    "key.reserve_applied", "The reserve key became the active one.", "Add another reserve, if there should be one.";
    "key.rejected", "A command with a key was refused; nothing changed.", "The line names the way out.";
    "documents.rejected", "What the vendor published was refused; what is held stays in force. Told once for each document.", "The line names the way out.";
    "subscription.status_changed", "The subscription is active, in its grace period (everything works), restricted (database updates and KSN stop, protection goes on), or there is none.",
        "In grace or restricted: svm-agent status --explain says why, what to ask the vendor for, and names the vendor; then svm-agent refresh.";
    "subscription.expired", "The subscription's term is over.", "Renew with the vendor: svm-agent renewal. Then svm-agent refresh.";
    "licence.expired", "The commercial key's period is used up.", "Get another key from the vendor, and activate it.";
    "subscription.renewed", "The end date moved later.", "";
    "subscription.parameters_changed", "The vendor changed the terms of the subscription, or what it will do to it; the line says what, with the values.", "If the vendor cancels, pauses or blocks it: ask the vendor why.";
    "subscription.expiring", "A reminder before the known end: of the term, or of an announced cancellation, blocking or pause, or the paid date.", "svm-agent status says what to do. Where the term ends and the vendor renews it automatically, nothing.";
    "subscription.grace_ending", "A reminder before the end of the grace period: then updates and KSN stop.", "svm-agent status says what to ask the vendor for; then svm-agent refresh.";
    "source.stale", "The vendor's document is older than it may get: a newer one is held back somewhere, or the vendor cannot be reached.", "See whether the vendor can be reached: svm-agent status, svm-agent refresh.";
    "enforcement.changed", "Database updates or the use of KSN are allowed, limited or stopped now; the line says by what.", "Nothing by itself: it follows from the status.";
    "enforcement.failed", "A permit could not be carried out: what should be stopped may run, or the other way round.", "svm-agent status --explain; systemctl status of what it names; who else sets it: a policy of the console?";
    "enforcement.repaired", "Somebody undid what an action sets, and it was set again.", "Find who undoes it, such as a policy of the console.";
    "devices.limit", "The number of protected devices reached or left a level of what the key allows.", "Above the limit: ask the vendor for more devices, or protect fewer.";
    "device.status_changed", "The status that the console shows for this SVM changed; the line says why.", "svm-agent status --explain";
    "agent.started", "The agent began to work.", "";
    "agent.report", "The whole status was told.", "";
    "settings.reloaded", "Settings changed while the agent ran; settings.changed names each.", "";
    "store.rebuilt", "The database was made anew from the recovery file, or without one: then the keys are lost.", "Look at the disk; the damaged files lie beside the new ones. If the keys are lost: svm-agent activate CODE.";
    "identity.changed", "The first event under a new id.", "Nothing, on a copy; a destination with tokens needs one of its own for it.";
    "sequence.reverted", "A destination knows later numbers than this SVM: the machine was reverted to an earlier state, or copied.", "Nothing after a revert. Else look for a copy of this machine.";
    "events.dropped", "More events waited than may, or for too long: the oldest were dropped.", "See why the destination does not take events: svm-agent status; more room: outbox.max_megabytes.";
    "events.quarantined", "A destination refused events for what is in them.", "svm-agent events list --quarantined, svm-agent events show ID; svm-agent events retry once the receiver takes them.";
    "destination.certificate_expiring", "The client certificate for a destination expires soon, or has.", "Put a new certificate and key into the files: no restart is needed.";
    "updates.succeeded", "A database update went through.", "";
    "updates.failed", "A database update failed or could not begin; update.last_lines has what it said last.", "journalctl -u UNIT, and then svm-agent updates run.";
    "databases.outdated", "The databases are old.", "svm-agent updates status: whether updates run, fail or have no permit.";
    "activation.pending", "The vendor gave no document for an activation code: it is asked again until there is one.", "By its code: the network, a proxy in between, source.url; svm-agent key add FILE works without a network.";
    "activation.cancelled", "A pending activation was dropped by command, or another key came.", "";
    "activation.failed", "A pending activation has lasted 30 days, and is tried no more.", "Ask the vendor about the code, then activate again.";
    "reserve.unusable", "The reserve key would be of no use if it took over now.", "The line names the way out; one that stays of no use is removed with svm-agent key remove KEY.";
    "reserve.usable", "The reserve key is good again.", "";
    "clock.suspect", "The wall clock is not obeyed: it shows something that cannot be.", "Set the clock right (timedatectl, the host's clock): it is gone by again at once. If it is right as it is: sudo svm-agent clock reset.";
    "clock.trusted", "The wall clock is obeyed again.", "";
    "clock.reset", "Root had the SVM go by the wall clock.", "";
}
