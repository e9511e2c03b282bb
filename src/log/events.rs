//! The lines of stored events: the type of each, what it means to a reader of the log, and what to do.

/// The line of an event. Its level follows the event's severity, its sentence is the event's `description`.
#[derive(Clone, Copy, Debug)]
pub struct EventMessage {
    /// The type, such as `subscription.expired`.
    pub id: &'static str,
    pub means: &'static str,
    /// What to do, or nothing.
    pub todo: &'static str,
}

macro_rules! events {
    ($($id:literal, $means:literal, $todo:literal;)+) => {
        pub const ALL: &[EventMessage] = &[$(EventMessage { id: $id, means: $means, todo: $todo }),+];
    };
}

events! {
    "key.added", "A key was activated, or added as the reserve key.", "";
    "key.removed", "A key was removed by a command, or replaced by a new key.", "";
    "key.reserve_applied", "The reserve key took over and is now the active key.", "Add another reserve key, if there should be one.";
    "key.rejected", "A command with a key was refused. Nothing changed.", "The message says what to do.";
    "documents.rejected", "The agent refused a document that the provider published. The stored document stays in force. Sent once for each document.", "The message says what to do.";
    "subscription.status_changed", "The subscription is now active, in its grace period (everything works), restricted (database updates and KSN stop, protection continues), or there is none.",
        "In the grace period or restricted: svm-agent status --explain says why, and what to ask the provider for. Then svm-agent refresh.";
    "subscription.expired", "The term of the subscription ended.", "Renew with the provider: svm-agent renewal. Then svm-agent refresh.";
    "licence.expired", "The period of the commercial key ended.", "Get another key from the provider, and activate it.";
    "subscription.renewed", "The subscription ends later than before.", "";
    "subscription.parameters_changed", "The provider changed the terms of the subscription, or announced a change. The message has the values.", "If the provider cancels, pauses or blocks the subscription: ask the provider why.";
    "subscription.expiring", "A reminder: the subscription ends soon, or will be cancelled, blocked or paused, or its paid date is near.", "svm-agent status says what to do. If the term ends and the provider renews it automatically, nothing.";
    "subscription.grace_ending", "A reminder: the grace period ends soon. Then database updates and KSN stop.", "svm-agent status says what to ask the provider for. Then svm-agent refresh.";
    "source.stale", "The provider's document is older than allowed. Either the provider cannot be reached, or something holds newer documents back.", "Check whether the provider's host can be reached: svm-agent status, svm-agent refresh.";
    "enforcement.changed", "Database updates or the use of KSN are now allowed, limited or stopped. The message says what enforces it.", "Nothing: this follows from the status of the subscription.";
    "enforcement.failed", "The agent could not enforce a permit: something that should be stopped may run, or something that is allowed does not.", "svm-agent status --explain; systemctl status of the unit it names. Find out what else changes it, such as a policy of Kaspersky Security Center.";
    "enforcement.repaired", "Something undid what an action had set, and the agent set it again.", "Find out what undoes it, such as a policy of Kaspersky Security Center.";
    "devices.limit", "The number of protected devices crossed a level of what the key allows.", "Above the limit: ask the provider for more devices, or protect fewer.";
    "device.status_changed", "The status that the console shows for this SVM changed. The message says why.", "svm-agent status --explain";
    "agent.started", "The agent started.", "";
    "agent.report", "The agent sent its whole status.", "";
    "settings.reloaded", "Settings changed while the agent ran. settings.changed names each.", "";
    "store.rebuilt", "The database was rebuilt from the recovery file. If there was none, the keys are lost.", "Check the disk; the damaged files are beside the new ones. If the keys are lost: svm-agent activate CODE.";
    "identity.changed", "The first event under a new id.", "Nothing on a clone. A destination that requires a token needs a new token for this SVM.";
    "sequence.reverted", "A destination has later sequence numbers than this SVM: the machine was reverted to an earlier state, or copied.", "Nothing after a revert. Otherwise look for a copy of this machine.";
    "events.dropped", "Too many events were pending, or for too long. The agent dropped the oldest.", "Find out why the destination does not accept events: svm-agent status. For more room: outbox.max_megabytes.";
    "events.quarantined", "A destination refused the content of events. They stay on this SVM, in quarantine.", "svm-agent events list --quarantined, svm-agent events show ID. Once the receiver accepts them: svm-agent events retry.";
    "destination.certificate_expiring", "The client certificate for a destination expires soon, or has expired.", "Put a new certificate and key into the files. No restart is needed.";
    "updates.succeeded", "A database update succeeded.", "";
    "updates.failed", "A database update failed or could not start. update.last_lines has its last output.", "journalctl -u UNIT. Then svm-agent updates run.";
    "databases.outdated", "The databases are old.", "svm-agent updates status says whether updates run, fail or are not permitted.";
    "activation.pending", "The provider has no document for an activation code yet. The agent asks again until there is one.", "Check, by its code, the network, a proxy or source.url: svm-agent doctor. Without a network: svm-agent key add FILE.";
    "activation.cancelled", "A pending activation was cancelled by a command, or replaced by another key.", "";
    "activation.failed", "An activation was pending for 30 days. The agent stopped trying.", "Ask the provider about the code, then activate again.";
    "reserve.unusable", "The reserve key could not take over if it had to now.", "The message says what to do. A key that stays unusable: svm-agent key remove KEY.";
    "reserve.usable", "The reserve key is usable again.", "";
    "clock.suspect", "The system clock shows an impossible time, so the agent does not use it.", "Correct the clock (timedatectl, the host's clock); the agent then uses it again at once. If the clock is right: sudo svm-agent clock reset.";
    "clock.trusted", "The agent uses the system clock again.", "";
    "clock.reset", "Root made the agent use the system clock.", "";
}
