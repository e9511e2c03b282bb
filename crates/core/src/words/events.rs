//! The sentences of events, without their full stop. The values are put in by `crate::events`.

use crate::subscription::{Cause, LimitLevel, Phase, VendorState, Why};
use crate::words::Text;

texts! {
    /// What happened to the subscription, its keys and the device status.
    LifeCycle {
        ActiveKeyAdded: "key {key} was added as the active key", "ключ {key} добавлен как активный";
        ReserveKeyAdded: "key {key} was added as the reserve key", "ключ {key} добавлен как резервный";
        KeyRemoved: "the {role} {key} was removed", "{role} {key} удалён";
        KeyReplaced: "the {role} {key} was replaced by a new one", "{role} {key} заменён новым";
        ReserveApplied: "the reserve key {key} took over, because key {replaced} {why}", "резервный ключ {key} стал активным: ключ {replaced} {why}";
        NotActivated: "the SVM is not activated: it has no active key", "SVM не активирована: на ней нет активного ключа";
        Active: "{key} is active", "{key} действует";
        Grace: "{key} is in its grace period: {because}; database updates and KSN still work", "{key}, льготный период: {because}; обновление баз и KSN пока работают";
        Restricted: "{key} is restricted: {because}; protection continues", "{key}, действуют ограничения: {because}; защита продолжает работать";
        SubscriptionExpired: "the subscription of key {key} ended on {when} and was not renewed", "подписка по ключу {key} закончилась {when} и не была продлена";
        LicenceExpired: "the period of the commercial key {key} ended on {when}", "срок коммерческого ключа {key} закончился {when}";
        Renewed: "the subscription of key {key} was renewed from {from} to {to}", "подписка по ключу {key} продлена с {from} до {to}";
        Ends: "key {key} ends {when}", "срок ключа {key} закончится {when}";
        EndsAndRenews: "key {key} ends {when}; the provider renews it automatically", "срок ключа {key} закончится {when}; поставщик продлит его автоматически";
        WillBeCancelled: "the provider cancels key {key} {when}", "поставщик отменит ключ {key} {when}";
        WillBeBlocked: "the provider blocks key {key} {when}", "поставщик заблокирует ключ {key} {when}";
        WillBePaused: "the provider pauses key {key} {when} and grants no grace period", "поставщик приостановит ключ {key} {when}, а льготного периода нет";
        WillBeUnpaid: "key {key} is no longer paid for {when}, and the provider grants no grace period", "оплата ключа {key} закончится {when}, а льготного периода нет";
        GraceEnding: "the grace period of key {key} is over {when}; then database updates and KSN are restricted", "льготный период ключа {key} закончится {when}; затем обновление баз и KSN будут ограничены";
        SourceStale: "the provider's document of key {key} was to be replaced by {when}, and no newer one was received", "документ поставщика по ключу {key} следовало обновить до {when}, но более новый не получен";
        EnforcedBy: "{what}; enforced by {names}", "{what}; исполняет: {names}";
        DevicesOf: "{devices} protected, {limit} allowed{over}", "защищено: {devices}, разрешено {limit}{over}";
        DevicesNoLimit: "{devices} protected; there is no limit", "защищено: {devices}; ограничения нет";
        DevicesUnknown: "the number of protected devices is no longer known", "число защищённых устройств больше не известно";
        DeviceStatus: "the status of this SVM is {status}", "состояние этой SVM: {status}";
        DeviceStatusBecause: "the status of this SVM is {status}: {reasons}", "состояние этой SVM: {status}, причины: {reasons}";
        KeyRejected: "{message}", "отказано: {message}";
    }
}

texts! {
    /// What the provider changed.
    Changed {
        Parameters: "the provider changed the terms of {key}: {values}", "поставщик изменил условия {key}: {values}";
        Back: "the provider made {key} active again{on}", "поставщик возобновил {key}{on}";
        RenewedAgain: "the provider allows {key} to be renewed again", "поставщик снова разрешил продление {key}";
        On: " on {when}", " {when}";
        MadeLimited: "the provider made {key} limited: it ends on {to}", "поставщик сделал {key} ограниченной: она закончится {to}";
        MadeUnlimitedPaid: "the provider made {key} unlimited: it is paid until {to}", "поставщик сделал {key} неограниченной: она оплачена до {to}";
        MadeUnlimited: "the provider made {key} unlimited", "поставщик сделал {key} неограниченной";
        MovedEnd: "the provider moved the end of {key} from {from} to {to}", "поставщик перенёс окончание {key} с {from} на {to}";
        MovedPaid: "the provider moved the paid date of {key} from {from} to {to}", "поставщик перенёс дату оплаты {key} с {from} на {to}";
        PaidUntil: "the provider counts {key} as paid until {to}", "поставщик считает {key} оплаченной до {to}";
        NoPaid: "the provider removed the paid date of {key}, {from}", "поставщик убрал дату оплаты {key}, {from}";
        Term: "the provider changed the term of {key}", "поставщик изменил срок {key}";
        AfterGrace: "after the grace period", "после льготного периода";
        AutoRenew: "automatic renewal", "автоматическое продление";
        Devices: "devices", "устройства";
        GraceDays: "grace period", "льготный период";
        MinProductVersion: "lowest product version", "минимальная версия продукта";
        Period: "period", "срок";
        On_: "on", "включено";
        Off: "off", "выключено";
        NoLimit: "without limit", "без ограничения";
        Any: "any", "любая";
        NoUpdates: "no updates", "без обновлений";
        UpdatesPerDay: "updates {rate} per day", "обновления {rate} в день";
        NoKsn: "no KSN", "без KSN";
        KsnPerMinute: "KSN {rate} per minute", "KSN {rate} в минуту";
    }
}

texts! {
    /// What happened to the agent itself.
    Agent {
        Started: "svm-agent {version} started", "svm-agent {version} запущен";
        SettingsReloaded: "svm-agent reloaded its settings; changed: {names}", "svm-agent перечитал настройки; изменено: {names}";
        Report: "the status of this SVM is {status}; subscription: {phase}", "состояние этой SVM: {status}; подписка: {phase}";
        StoreRebuilt: "the database was rebuilt: {problem}", "база данных создана заново: {problem}";
        StoreRebuiltBeside: "the database was set aside as {file} and rebuilt: {problem}", "база данных отложена как {file} и создана заново: {problem}";
        StoreLost: "{problem}", "состояние утрачено: {problem}";
        StoreLostBeside: "the database was set aside as {file}: {problem}", "база данных отложена как {file}: {problem}";
        IdentityChanged: "this SVM, until now {old}, has the new id {new}: {why}", "у этой SVM вместо {old} новый идентификатор {new}: {why}";
        SequenceReverted: "{destination} has another event as number {from}, so this machine was reverted to an earlier state or copied; the numbers continue from {to}", "у получателя {destination} под номером {from} другое событие: эту машину вернули к прежнему состоянию или скопировали; нумерация продолжится с {to}";
        EventsDropped: "{events} waiting for {names} dropped: {counts}", "из очереди для {names} удалено: {events}: {counts}";
        CertificateExpired: "the certificate for {destination} expired on {when}: renew {file}", "сертификат для {destination} истёк {when}: замените {file}";
        CertificateExpires: "the certificate for {destination} expires in {days}, on {when}: renew {file}", "сертификат для {destination} истекает через {days}, {when}: замените {file}";
        Quarantined: "{destination} refuses {events}; they stay in quarantine{first}", "{destination} отклоняет {events}; они остаются в карантине{first}";
        EnforcementFailed: "cannot enforce the permit for {resource} ({permit}): {problems}", "не удаётся исполнить разрешение ({resource}, {permit}): {problems}";
        EnforcementRepaired: "{resource}: something undid what the action {action} sets; the agent set it again", "{resource}: настройки действия {action} были изменены извне; агент восстановил их";
        UpdatesSucceeded: "{unit} updated the databases in {seconds}", "{unit} обновил базы за {seconds}";
        UpdatesFailed: "{unit} could not update the databases: {problem}", "{unit} не смог обновить базы: {problem}";
        ReserveUnusable: "the reserve key {key} could not take over now: {problem}", "резервный ключ {key} сейчас не смог бы стать активным: {problem}";
        ReserveUsable: "the reserve key {key} can take over again", "резервный ключ {key} снова может стать активным";
        ActivationPending: "the activation of the {role} is pending: {problem}", "активация ожидает ({role}): {problem}";
        ActivationPendingInstead: "the activation of the {role} is pending: {problem}; it replaces the one that was pending before", "активация ожидает ({role}): {problem}; она заменяет прежнюю";
        ActivationCancelled: "the activation of the {role}, pending since {when}, was cancelled by command", "активация, ожидавшая с {when} ({role}), отменена командой";
        ActivationReplaced: "the activation of the {role}, pending since {when}, was cancelled: another key was added", "активация, ожидавшая с {when} ({role}), отменена: добавлен другой ключ";
        ActivationFailed: "the activation of the {role}, pending since {when}, is no longer retried: {problem}; activate the code again", "активация, ожидавшая с {when} ({role}), больше не повторяется: {problem}; активируйте код снова";
        DatabasesOutdated: "the databases are from {when}, {days} old", "базы от {when}, их возраст: {days}";
        ClockBehind: "the system clock shows {wall}, behind the trusted time; the agent uses {used} until that is explained", "системные часы показывают {wall} и отстают от доверенного времени; агент использует {used}, пока это не выяснится";
        ClockAhead: "the system clock shows {wall}, ahead of the trusted time; the agent uses {used} until that is explained", "системные часы показывают {wall} и опережают доверенное время; агент использует {used}, пока это не выяснится";
        ClockTrusted: "the agent trusts the system clock again: it is {used}", "агент снова доверяет системным часам: сейчас {used}";
        ClockReset: "root made the agent use the system clock: from {from} to {to}", "root перевёл агента на системные часы: с {from} на {to}";
        More: "{names} and {number} more", "{names} и ещё {number}";
    }
}

/// Why the reserve key took over: what the key that it replaced did.
pub const fn take_over(why: Why) -> Text {
    match why {
        Why::Removed => Text::new("was removed", "удалён"),
        Why::Cancelled => Text::new("was cancelled", "отменён"),
        Why::Blocked => Text::new("was blocked", "заблокирован"),
        Why::Ended => Text::new("ended", "закончился"),
        Why::Lapsed => Text::new("became restricted", "попал под ограничения"),
    }
}

/// What the phase of a key is now.
pub const fn phase(phase: Phase) -> LifeCycle {
    match phase {
        Phase::NotActivated => LifeCycle::NotActivated,
        Phase::Active => LifeCycle::Active,
        Phase::Grace => LifeCycle::Grace,
        Phase::Restricted => LifeCycle::Restricted,
    }
}

/// A reminder before an end that is known.
pub const fn expiring(why: Cause, auto_renew: bool) -> LifeCycle {
    match why {
        Cause::Cancelled => LifeCycle::WillBeCancelled,
        Cause::Blocked => LifeCycle::WillBeBlocked,
        Cause::Paused => LifeCycle::WillBePaused,
        Cause::Unpaid => LifeCycle::WillBeUnpaid,
        _ if auto_renew => LifeCycle::EndsAndRenews,
        _ => LifeCycle::Ends,
    }
}

/// By how much the limit of devices is exceeded or nearly reached.
pub const fn over(level: LimitLevel) -> Text {
    match level {
        LimitLevel::None => Text::new("", ""),
        LimitLevel::Over90 => Text::new(": more than 90 %", ": больше 90 %"),
        LimitLevel::Over100 => Text::new(": too many", ": слишком много"),
        LimitLevel::Over110 => {
            Text::new(": too many, by more than 10 %", ": слишком много, больше чем на 10 %")
        }
    }
}

/// Why an SVM has a new id.
pub fn new_id_because(why: &str) -> Text {
    match why {
        "machine_id" => {
            Text::new("its machine-id is a different one, as on a copy", "её machine-id другой, как у копии")
        }
        "product_uuid" => Text::new(
            "its product UUID is a different one, as on a copy",
            "её product UUID другой, как у копии",
        ),
        _ => Text::new("its identity was reset", "её идентичность сброшена"),
    }
}

/// What the provider did to a key, with `{key}` and `{when}`: done, announced, and an announcement that it took back.
/// Nothing for `active`.
pub const fn deed(state: VendorState) -> Option<[Text; 3]> {
    Some(match state {
        VendorState::Active => return None,
        VendorState::Paused => [
            Text::new("the provider paused {key}{on}", "поставщик приостановил {key}{on}"),
            Text::new("the provider will pause {key}{on}", "поставщик приостановит {key}{on}"),
            Text::new(
                "the provider withdrew the pause of {key} that was announced for {when}",
                "поставщик отозвал приостановку {key}, объявленную на {when}",
            ),
        ],
        VendorState::SoftCancelled => [
            Text::new(
                "the provider switched off the renewal of {key}{on}",
                "поставщик отключил продление {key}{on}",
            ),
            Text::new(
                "the provider will switch off the renewal of {key}{on}",
                "поставщик отключит продление {key}{on}",
            ),
            Text::new(
                "the provider withdrew the end of the renewal of {key} that was announced for {when}",
                "поставщик отозвал отключение продления {key}, объявленное на {when}",
            ),
        ],
        VendorState::HardCancelled => [
            Text::new("the provider cancelled {key}{on}", "поставщик отменил {key}{on}"),
            Text::new("the provider will cancel {key}{on}", "поставщик отменит {key}{on}"),
            Text::new(
                "the provider withdrew the cancellation of {key} that was announced for {when}",
                "поставщик отозвал отмену {key}, объявленную на {when}",
            ),
        ],
        VendorState::Blocked => [
            Text::new("the provider blocked {key}{on}", "поставщик заблокировал {key}{on}"),
            Text::new("the provider will block {key}{on}", "поставщик заблокирует {key}{on}"),
            Text::new(
                "the provider withdrew the blocking of {key} that was announced for {when}",
                "поставщик отозвал блокировку {key}, объявленную на {when}",
            ),
        ],
    })
}

/// What has a name of its own beside the sentence: the display name of the event, as the console lists it.
pub fn display_name(type_name: &str, lost: bool) -> &'static str {
    match type_name {
        "key.added" => "Key added",
        "key.removed" => "Key removed",
        "key.reserve_applied" => "Reserve key applied",
        "key.rejected" => "Key rejected",
        "documents.rejected" => "Published document rejected",
        "subscription.status_changed" => "Subscription status changed",
        "subscription.expired" => "Subscription expired",
        "licence.expired" => "Licence expired",
        "subscription.renewed" => "Subscription renewed",
        "subscription.parameters_changed" => "Subscription parameters changed",
        "subscription.expiring" => "Subscription expires soon",
        "subscription.grace_ending" => "Grace period ends soon",
        "source.stale" => "Provider's document is out of date",
        "enforcement.changed" => "Enforcement changed",
        "devices.limit" => "Protected devices against the limit",
        "device.status_changed" => "Device status changed",
        "agent.started" => "Agent started",
        "agent.report" => "Agent report",
        "settings.reloaded" => "Settings changed",
        "store.rebuilt" if lost => "State lost",
        "store.rebuilt" => "Database rebuilt",
        "identity.changed" => "New identity",
        "sequence.reverted" => "Sequence numbers reverted",
        "events.dropped" => "Events dropped",
        "events.quarantined" => "Events in quarantine",
        "destination.certificate_expiring" => "Client certificate expires",
        "enforcement.failed" => "Enforcement failed",
        "enforcement.repaired" => "Enforcement repaired",
        "updates.succeeded" => "Database update succeeded",
        "updates.failed" => "Database update failed",
        "databases.outdated" => "Databases are out of date",
        "activation.pending" => "Activation pending",
        "activation.cancelled" => "Activation cancelled",
        "activation.failed" => "Activation failed",
        "reserve.unusable" => "Reserve key unusable",
        "reserve.usable" => "Reserve key usable again",
        "clock.suspect" => "System clock not trusted",
        "clock.trusted" => "System clock trusted again",
        "clock.reset" => "Trusted time reset",
        _ => "",
    }
}
