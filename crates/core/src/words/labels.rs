//! The names of rows and parts, and the small phrases of the status.

texts! {
    /// The name of a row: at most 15 characters, so that the texts beside them are in line.
    Label {
        Subscription: "Subscription", "Подписка";
        Stopped: "Stopped", "Остановлено";
        DoNow: "Do now", "Что делать";
        DeviceStatus: "Device status", "Состояние";
        ActiveKey: "Active key", "Активный ключ";
        ReserveKey: "Reserve key", "Резервный ключ";
        Provider: "Provider", "Поставщик";
        ProviderState: "State", "Статус";
        ActiveSince: "Active since", "Активен с";
        Renewal: "Renewal", "Продление";
        Order: "Order", "Заказ";
        Updates: "Updates", "Обновления";
        Ksn: "KSN", "KSN";
        Gateway: "KSN gateway", "Шлюз KSN";
        Databases: "Databases", "Базы";
        Devices: "Devices", "Устройства";
        Source: "Source", "Источник";
        Activation: "Activation", "Активация";
        Destination: "Destination", "Получатель";
        Clock: "Clock", "Часы";
        Store: "Database", "База данных";
        Svm: "SVM", "SVM";
    }
}

texts! {
    /// What stands beside the names.
    Phrase {
        And: " and ", " и ";
        Unknown: "unknown", "неизвестно";
        Nothing: "nothing", "ничего";
        ProtectionContinues: "{what}; protection continues", "{what}; защита продолжает работать";
        NotGovernedPart: "{what} not allowed (not governed on this SVM)", "{what} — не разрешено (на этой SVM не контролируется)";
        MustStop: "{what} must stop, but nothing on this SVM enforces it", "следует остановить: {what}; но на этой SVM ничто за этим не следит";
        MustBeLimited: "{what} must be limited, but nothing on this SVM enforces it", "следует ограничить: {what}; но на этой SVM ничто за этим не следит";
        LimitedPart: "{what} at a reduced rate", "{what} — с ограничением";
        StoreBroken: "{what}: the agent cannot write to its database", "{what}: агент не может писать в свою базу данных";
        DaysLeft: "{days} left", "осталось {days}";
        GraceDaysLeft: "{days} of grace left", "льготных дней осталось: {days}";
        GraceOver: "the grace period is over {when}", "льготный период закончится {when}";
        Ends: "it ends {when}", "закончится {when}";
        WillCancel: "the provider cancels it {when}", "поставщик отменит её {when}";
        WillBlock: "the provider blocks its key {when}", "поставщик заблокирует её ключ {when}";
        WillPause: "the provider pauses it {when}", "поставщик приостановит её {when}";
        PaidUntil: "it is no longer paid for {when}", "её оплата закончится {when}";
        KeyIsSubscription: "subscription", "подписка";
        KeyIsCommercial: "commercial", "коммерческий";
        Revision: "{key} ({kind}, revision {rev}): {dates}", "{key} ({kind}, редакция {rev}): {dates}";
        EndsAt: "ends {when}", "до {when}";
        IsPaidUntil: "paid until {when}", "оплачена до {when}";
        FromTakeOver: "its period starts when it takes over", "срок начнётся, когда он станет активным";
        NoEnd: "no end date", "без даты окончания";
        GraceUntil: "grace period until {when}", "льготный период до {when}";
        RenewalAutomatic: "automatic", "автоматическое";
        RenewalManual: "not automatic", "не автоматическое";
        SupportAt: "support {url}", "поддержка {url}";
        RenewAt: "renewal {url}", "продление {url}";
        PhoneAt: "phone {phone}", "телефон {phone}";
        OrderNumber: "number {number}", "номер {number}";
        OrderChannel: "bought through: {channel}", "куплен через: {channel}";
        OrderPlaced: "placed on {day}", "оформлен {day}";
        ReserveUnusable: "could not take over now: {problem}", "сейчас не смог бы стать активным: {problem}";
        AtLeastUntil: "at least until {when}", "как минимум до {when}";
        SpentUntil: "spent until {when}", "израсходовано до {when}";
        FailingSince: "failing since {when} ({attempts}): {problem}", "не работает с {when} ({attempts}): {problem}";
        NoLimit: "no limit", "без ограничения";
        Limit: "limit {number}", "разрешено {number}";
        LastAnswer: "last answer {when}", "последний ответ {when}";
        NoAnswer: "no answer yet", "ответов ещё не было";
        NextCheck: "next check {when}", "следующая проверка {when}";
        NoCheck: "no check is due without a key", "без ключа проверок нет";
        NoSource: "not configured (source.url)", "не настроен (source.url)";
        PublishedRefused: "the published document is refused: {problem}", "опубликованный документ отклонён: {problem}";
        NothingWaits: "no events wait", "очередь пуста";
        Waits: "{events} waiting", "в очереди {events}";
        OldestSince: "the oldest since {when}", "самое старое с {when}";
        Quarantined: "{events} refused and in quarantine (svm-agent events list --quarantined)", "отклонено и в карантине: {events} (svm-agent events list --quarantined)";
        LastDelivered: "last delivery {when}", "последняя доставка {when}";
        NoDelivery: "nothing delivered yet", "доставок ещё не было";
        ClockDoubt: "the system clock shows {wall} and is not trusted; the agent uses {time} (svm-agent clock show)", "системные часы показывают {wall} и не считаются верными; агент использует {time} (svm-agent clock show)";
        CannotWrite: "cannot be written: {problem}", "запись не удаётся: {problem}";
        SvmOn: "{id} on {host}, svm-agent {version}", "{id} на {host}, svm-agent {version}";
        Pending: "{role}, pending since {when}; next attempt {next} ({attempts} failed): {problem}. To cancel: svm-agent activate --cancel", "{role}, ожидает с {when}; следующая попытка {next} (неудачно: {attempts}): {problem}. Отменить: svm-agent activate --cancel";
        RoleActive: "active key", "активный ключ";
        RoleReserve: "reserve key", "резервный ключ";
        NoKey: "This SVM has no key. Activate one: svm-agent activate CODE", "На этой SVM нет ключей. Активируйте ключ: svm-agent activate КОД";
        DatabasesOf: "of {when}", "от {when}";
        DatabasesOld: "of {when}, out of date", "от {when}, устарели";
        DatabasesTooOld: "of {when}, far out of date", "от {when}, сильно устарели";
        DatabasesUnknown: "age unknown", "возраст неизвестен";
        UpdateRunning: "an update has been running since {when}", "обновление идёт с {when}";
        NextUpdate: "next update {when}", "следующее обновление {when}";
        UpdateFailed: "the last update failed: {problem}", "последнее обновление не удалось: {problem}";
        Gateway: "{listen}: {permit}, {open} open, {served} served, {refused} refused", "{listen}: {permit}, открыто: {open}, обслужено: {served}, отклонено: {refused}";
        UpstreamFails: "{upstream} has been failing since {when}", "{upstream} не отвечает с {when}";
        NothingChanged: "nothing changed", "ничего не изменилось";
        But: "but: {remark}", "однако: {remark}";
        ActivationPending: "the activation is pending: {problem}", "активация ожидает: {problem}";
        ReplacesPending: "The activation that was pending before is cancelled.", "Прежняя ожидавшая активация отменена.";
        PendingMeans: "Nothing is in force yet. The agent retries for 30 days, also after restarts, next at {when}; it stored the code. To see the state: svm-agent status. To cancel: svm-agent activate --cancel. Without a network: svm-agent key add FILE", "Пока ничего не изменилось. Агент повторяет попытки 30 дней, в том числе после перезапусков, следующая {when}; код он сохранил. Состояние: svm-agent status. Отменить: svm-agent activate --cancel. Без сети: svm-agent key add ФАЙЛ";
        GatewayProblem: "problem: {problem}", "неполадка: {problem}";
    }
}

texts! {
    /// The parts of `status --explain`.
    Explain {
        Because: "{resource}: {permit}, because {why}", "{resource}: {permit}, причина: {why}";
        SinceWhen: "since {when}", "с {when}";
        PermitEnds: "the permit ends at {when} and is extended before", "разрешение действует до {when} и продлевается заранее";
        UntilRenewal: "until the subscription is renewed or a new key is activated", "до продления подписки или активации нового ключа";
        SpentUntil: "spent until {when}; the next run is possible then", "израсходовано до {when}; тогда возможен следующий запуск";
        CarriedOut: "Carried out by {names}.", "Исполняет: {names}.";
        NotCarriedOut: "Not carried out yet by {names}.", "Ещё не исполнено: {names}.";
        NothingEnforces: "Nothing on this SVM enforces this permit.", "На этой SVM ничто не исполняет это разрешение.";
        GateTheUnit: "Gate the service that uses it, never the scanner: sudo svm-agent gate install UNIT", "Поставьте под контроль службу, которая это делает (не сам сканер): sudo svm-agent gate install UNIT";
        NotGoverned: "The settings say that this SVM does not govern it (enforcement.governs).", "По настройкам эта SVM его не контролирует (enforcement.governs).";
        AskedBy: "Last asked by {who} at {when}: {answer}.", "Последний запрос: {who}, {when}: {answer}.";
        Allowed: "allowed", "разрешено";
        Refused: "refused", "отказано";
        InTerm: "the subscription is in its term", "срок подписки идёт";
        InGrace: "the subscription is in its grace period", "у подписки льготный период";
        NoActiveKey: "the SVM has no active key", "на SVM нет активного ключа";
        WhyRestricted: "the subscription is restricted ({why})", "подписка ограничена ({why})";
        NextStep: "Next step: {step}", "Следующий шаг: {step}";
        SourceFails: "The agent cannot reach the provider: {problem}. The keys stay in force until their own dates. A document can also be added from a file: svm-agent key add FILE", "Агент не может связаться с поставщиком: {problem}. Ключи действуют до своих дат. Документ можно добавить и из файла: svm-agent key add ФАЙЛ";
        DestinationFails: "Destination {name} takes no events. {events} waiting; none is lost.", "Получатель {name} не принимает события. В очереди {events}; ни одно не потеряно.";
        RenewalFound: "The agent finds what the provider publishes within 15 minutes; svm-agent refresh checks at once.", "То, что опубликует поставщик, агент найдёт в течение 15 минут; svm-agent refresh проверит сразу.";
    }
}

texts! {
    /// The forecast and the table of a scenario.
    Forecast {
        When: "When (UTC)", "Когда (UTC)";
        InDays: "In days", "Дней";
        Subscription: "Subscription", "Подписка";
        Updates: "Updates", "Базы";
        Ksn: "KSN", "KSN";
        Device: "Device", "SVM";
        Now: "now", "сейчас";
        NothingChanges: "Nothing changes in that time.", "За это время ничего не изменится.";
        Until: "until {when}", "до {when}";
        Year: "for a year", "на год вперёд";
        Assumed: "The forecast goes {until} and shows what time alone changes. It assumes that the provider renews and changes nothing, that nobody gives a command, and that the number of protected devices stays the same. After a renewal, ask again.", "Прогноз составлен {until} и показывает, что изменит одно лишь время. Предполагается, что поставщик ничего не продлит и не изменит, команд не будет и число защищённых устройств останется прежним. После продления запросите прогноз снова.";
    }
}

impl Forecast {
    /// The names of the columns, from the left.
    pub const COLUMNS: [Self; 6] =
        [Self::When, Self::InDays, Self::Subscription, Self::Updates, Self::Ksn, Self::Device];
}
