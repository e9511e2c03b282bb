//! How to renew or stop a subscription: whom to write to, with which words.

use crate::subscription::{Cause, Channel, Remedy};
use crate::words::Text;

/// Where a subscription was bought.
pub const fn channel(channel: Channel) -> Text {
    match channel {
        Channel::Website => Text::new("Kaspersky website", "сайт «Лаборатории Касперского»"),
        Channel::Portal => Text::new("My Kaspersky portal", "портал My Kaspersky"),
        Channel::Isp => {
            Text::new("internet provider, such as Rostelecom", "интернет-провайдер, например Ростелеком")
        }
        Channel::Partner => {
            Text::new("partner company, such as MegaFon", "компания-партнёр, например МегаФон")
        }
        Channel::Corporate => {
            Text::new("provider of corporate subscriptions", "поставщик корпоративных подписок")
        }
    }
}

/// The heading of the part that leads back to an active subscription.
pub const fn title(remedy: Remedy) -> Renewal {
    match remedy {
        Remedy::Resume | Remedy::AskAboutPause => Renewal::ToResume,
        Remedy::Pay | Remedy::PayInTime => Renewal::ToPay,
        Remedy::Reinstate | Remedy::AskAboutCancellation => Renewal::ToReinstate,
        Remedy::Unblock | Remedy::AskAboutBlocking => Renewal::ToUnblock,
        Remedy::Activate | Remedy::AwaitActivation => Renewal::ToActivate,
        Remedy::Renew
        | Remedy::Replace
        | Remedy::RenewInTime
        | Remedy::AddReserve
        | Remedy::ReserveTakesOver => Renewal::ToRenew,
    }
}

/// What a letter asks for, and the subject of a letter that asks for it alone. Nothing if no letter helps.
pub const fn request(remedy: Remedy) -> Option<[Renewal; 2]> {
    Some(match remedy {
        Remedy::Resume => [Renewal::PleaseResume, Renewal::AboutResuming],
        Remedy::Pay | Remedy::PayInTime => [Renewal::PleasePay, Renewal::AboutPaying],
        Remedy::Renew | Remedy::RenewInTime => [Renewal::PleaseRenew, Renewal::AboutRenewing],
        Remedy::Reinstate => [Renewal::WhyCancelled, Renewal::AboutCancellation],
        Remedy::AskAboutCancellation => [Renewal::WhyWillBeCancelled, Renewal::AboutCancellation],
        Remedy::Unblock => [Renewal::WhyBlocked, Renewal::AboutBlocking],
        Remedy::AskAboutBlocking => [Renewal::WhyWillBeBlocked, Renewal::AboutBlocking],
        Remedy::AskAboutPause => [Renewal::WhyWillBePaused, Renewal::AboutPause],
        Remedy::Activate
        | Remedy::AwaitActivation
        | Remedy::Replace
        | Remedy::AddReserve
        | Remedy::ReserveTakesOver => return None,
    })
}

/// Until when an active key is active, and why no longer.
pub const fn active_until(cause: Cause) -> Renewal {
    match cause {
        Cause::Cancelled => Renewal::UntilCancelled,
        Cause::Blocked => Renewal::UntilBlocked,
        Cause::Paused => Renewal::UntilPaused,
        Cause::Unpaid => Renewal::UntilUnpaid,
        _ => Renewal::UntilEnd,
    }
}

texts! {
    /// The answer of `svm-agent renewal`.
    Renewal {
        // Labels and headings.
        Key: "Key", "Ключ";
        Order: "Order", "Заказ";
        Channel: "Channel", "Канал";
        Seller: "Seller", "Продавец";
        Provider: "Provider", "Поставщик";
        Letter: "Letter", "Письмо";
        To: "To", "Кому";
        Subject: "Subject", "Тема";
        ToRenew: "To renew", "Чтобы продлить";
        ToResume: "To resume", "Чтобы возобновить";
        ToPay: "To have it paid for", "Чтобы её оплатили";
        ToReinstate: "To keep it or get it back", "Чтобы сохранить или вернуть её";
        ToUnblock: "To keep or unblock the key", "Чтобы сохранить или разблокировать ключ";
        ToActivate: "To activate", "Чтобы активировать";
        ToStop: "To stop", "Чтобы отказаться";
        // Facts.
        Placed: "{number}, placed on {day}", "{number}, оформлен {day}";
        PlacedUnnumbered: "number not known, placed on {day}", "номер неизвестен, оформлен {day}";
        NotKnown: "not known", "неизвестен";
        Recognised: "{seller}, recognised by the order number: {form}", "{seller}, определён по номеру заказа: {form}";
        ByChannel: "the company that sold it, by the channel", "компания, которая её продала: определено по каналу";
        Unrecognised: "not recognised by the order number", "по номеру заказа не определён";
        NoContact: "the document names no contact; see the contract or the confirmation of the order", "в документе нет контактов; посмотрите в договоре или в подтверждении заказа";
        // Forms of order numbers.
        FormAllsoft: "ALLSOFT and digits", "ALLSOFT и цифры";
        FormA: "A and digits", "A и цифры";
        FormALetters: "A and letters, which is not certain", "A и буквы, но это не точно";
        FormTwo: "2, then Latin letters and digits", "2, затем латинские буквы и цифры";
        FormThree: "3, then Latin letters and digits", "3, затем латинские буквы и цифры";
        // Where it stands.
        NoKnownEnd: "The subscription is active and has no end date.", "Подписка действует, и даты окончания у неё нет.";
        UntilEnd: "It is active until {when}.", "Срок действия — до {when}.";
        UntilCancelled: "It is active until {when}; then the provider cancels it, without a grace period.", "Срок действия — до {when}; затем поставщик её отменит, льготного периода не будет.";
        UntilBlocked: "It is active until {when}; then the provider blocks its key, without a grace period.", "Срок действия — до {when}; затем поставщик заблокирует ключ, льготного периода не будет.";
        UntilPaused: "It is active until {when}; then the provider pauses it.", "Срок действия — до {when}; затем поставщик её приостановит.";
        UntilUnpaid: "It is paid until {when}.", "Оплачена до {when}.";
        ThenGrace: "Then a grace period runs until {when}; database updates and KSN still work in it.", "Затем до {when} идёт льготный период; обновление баз и KSN в нём работают.";
        ThenNoGrace: "Then database updates and KSN stop at once: the provider grants no grace period.", "Затем обновление баз и KSN сразу остановятся: льготного периода нет.";
        InGrace: "It is in its grace period until {when}, because {because}. Database updates and KSN still work.", "До {when} идёт льготный период: {because}. Обновление баз и KSN пока работают.";
        Restricted: "It is restricted, because {because}. Protection continues.", "Действуют ограничения: {because}. Защита продолжает работать.";
        ReserveFollows: "A reserve key takes over when it ends.", "Когда она закончится, активным станет резервный ключ.";
        // Steps to renew.
        RenewAt: "Use the provider's page: {url}", "Воспользуйтесь страницей поставщика: {url}";
        WriteProvider: "Write to {provider}. The letter below is ready to be sent.", "Напишите поставщику {provider}. Готовое письмо приведено ниже.";
        AskProviderFirst: "Ask {provider} first: it issued this key.", "Сначала обратитесь к поставщику {provider}: он выпустил этот ключ.";
        WriteUnknown: "Write to the company that sold the subscription. The letter below is ready to be sent.", "Напишите в компанию, которая продала подписку. Готовое письмо приведено ниже.";
        ThenRefresh: "After the provider has published the change, run: svm-agent refresh", "Когда поставщик опубликует изменение, выполните: svm-agent refresh";
        ThenAddDocument: "Add the new document that the provider sends: svm-agent key add FILE", "Добавьте новый документ, который пришлёт поставщик: svm-agent key add ФАЙЛ";
        CodeIsTaken: "A new activation code works at once: svm-agent activate CODE", "Новый код активации будет принят сразу: svm-agent activate КОД";
        CodeIsTakenFrom: "A new activation code is accepted from {when} on; until then the key is still valid.", "Новый код активации будет принят начиная с {when}; до этого ключ ещё действует.";
        CodeIsRefused: "A new activation code is not accepted as long as the key is valid.", "Пока ключ действует, новый код активации не принимается.";
        RenewsAutomatically: "Nothing is to be done: the provider renews it automatically.", "Делать ничего не нужно: поставщик продлит её автоматически.";
        PaidAutomatically: "Nothing is to be done: it continues as long as the provider pays for it.", "Делать ничего не нужно: она действует, пока её оплачивает поставщик.";
        NewCommercialKey: "A commercial key is not renewed. Get another one from the provider.", "Коммерческий ключ не продлевается. Получите у поставщика другой.";
        AddAsReserve: "Add it as the reserve key, which takes over automatically: svm-agent activate CODE --reserve", "Добавьте его как резервный, он станет активным автоматически: svm-agent activate КОД --reserve";
        // Steps to stop.
        CommercialEnds: "Nothing has to be switched off: a commercial key ends when its period is over.", "Отключать ничего не нужно: коммерческий ключ закончится вместе со своим сроком.";
        StopIsOver: "It is over already: nothing has to be switched off. Use the letter if it is charged all the same.", "Подписка уже не действует: отключать ничего не нужно. Письмо пригодится, если деньги всё же списывают.";
        StopManual: "By the provider's document it does not renew automatically: nothing has to be switched off. Use the letter to be sure.", "По документу поставщика она не продлевается автоматически: отключать ничего не нужно. Письмо — на всякий случай.";
        StopCancelled: "The provider has cancelled the renewal already: nothing has to be switched off.", "Поставщик уже отменил продление: отключать ничего не нужно.";
        StopEffect: "Switching off the renewal ends nothing at once: the subscription stays usable as long as it says above.", "Отключение продления ничего не прекращает сразу: подписка действует столько, сколько указано выше.";
        StopEffectUnknown: "Switching off the renewal ends nothing at once: the subscription stays usable until its end. After that, buy an activation code and enter it: svm-agent activate CODE", "Отключение продления ничего не прекращает сразу: подписка действует до своего окончания. После этого купите код активации и введите его: svm-agent activate КОД";
        CorporateRoute: "A corporate subscription is cancelled with the provider that sold it. The letter below is ready to be sent.", "Корпоративную подписку отменяет поставщик, который её продал. Готовое письмо приведено ниже.";
        IspRoute: "Turn to the support of the internet provider that sold the subscription, such as Rostelecom. The letter below is ready to be sent.", "Обратитесь в поддержку интернет-провайдера, у которого оформлена подписка, например Ростелекома. Готовое письмо приведено ниже.";
        PartnerRoute: "Turn to the support of the partner company that sold the subscription, such as MegaFon. The letter below is ready to be sent.", "Обратитесь в поддержку компании-партнёра, у которой оформлена подписка, например МегаФона. Готовое письмо приведено ниже.";
        PortalRoute: "Write to Kaspersky support. The letter below has what support asks for: the reason, the date of purchase, the full name and the e-mail address of the order, and the order number if it is known.", "Напишите в поддержку «Лаборатории Касперского». В письме ниже есть всё, что она просит указать: причина, дата покупки, полное имя и адрес электронной почты из заказа, а также номер заказа, если он известен.";
        AllsoftRoute: "Write to Allsoft support that automatic renewal is to be switched off. The letter below is ready to be sent; the address is in the confirmation of the order.", "Напишите в поддержку Allsoft, что автоматическое продление нужно отключить. Готовое письмо приведено ниже; адрес указан в письме с подтверждением заказа.";
        AllsoftElse: "If Allsoft cannot do it, send the same letter to Kaspersky support.", "Если Allsoft не сможет помочь, отправьте то же письмо в поддержку «Лаборатории Касперского».";
        NexwayRoute: "Switch automatic renewal off as Nexway's own instruction says; the confirmation of the order has the link to it.", "Отключите автоматическое продление по инструкции Nexway; ссылка на неё есть в письме с подтверждением заказа.";
        NexwayOrMarche: "In some regions AI Marche has order numbers of the same form. The confirmation of the order names the seller; if it is AI Marche, follow its instruction.", "В некоторых регионах номера такого же вида у AI Marche. Продавец назван в письме с подтверждением заказа; если это AI Marche, следуйте её инструкции.";
        ElseKaspersky: "If that does not work, send the letter below to Kaspersky support. It asks for the reason, the date of purchase, the full name and the e-mail address of the order, and for the order number if it is known.", "Если это не удалось, отправьте письмо, приведённое ниже, в поддержку «Лаборатории Касперского». Она просит указать причину, дату покупки, полное имя и адрес электронной почты из заказа, а также номер заказа, если он известен.";
        FormsInWords: "The confirmation of the order names the seller. Numbers of Allsoft begin with ALLSOFT- or with A and continue with digits; those of Nexway begin with 2 or 3 and have Latin letters among the digits. A number of digits alone says nothing: compare it with the confirmation.", "Продавец назван в письме с подтверждением заказа. Номера Allsoft начинаются с ALLSOFT- или с буквы A, дальше идут цифры; номера Nexway начинаются с 2 или 3, и среди цифр есть латинские буквы. Номер из одних цифр ни о чём не говорит: сверьте его с подтверждением.";
        ThatSeller: "Turn to that seller: Allsoft by a letter to its support, Nexway as its instruction says.", "Обратитесь к этому продавцу: в Allsoft — письмом в поддержку, в Nexway — по её инструкции.";
        UnknownWebsite: "Bought on the website: turn to that seller, and if that fails to Kaspersky support. Bought on the My Kaspersky portal: write to Kaspersky support.", "Если подписка куплена на сайте, обратитесь к этому продавцу, а если он не поможет — в поддержку «Лаборатории Касперского». Если на портале My Kaspersky, напишите в поддержку «Лаборатории Касперского».";
        UnknownCompany: "Bought from an internet provider (such as Rostelecom) or a partner (such as MegaFon), or as a corporate subscription: turn to the company that sold it.", "Если подписка оформлена у интернет-провайдера (например, Ростелекома) или партнёра (например, МегаФона) либо это корпоративная подписка, обратитесь в компанию, которая её продала.";
        AskAgain: "When you know more, ask again: svm-agent renewal --order NUMBER --channel CHANNEL", "Когда узнаете больше, спросите ещё раз: svm-agent renewal --order НОМЕР --channel КАНАЛ";
        // What to know beside the steps.
        LookAlike: "Character {place} of the order number, {character}, is a Cyrillic letter that looks like {latin}. It was read as {latin}; compare the number with the confirmation of the order, and write it in Latin letters.", "Символ {place} в номере заказа, {character}, — кириллический и лишь похож на {latin}. Он прочитан как {latin}; сверьте номер с подтверждением заказа и пишите его латинскими буквами.";
        Unsure: "A number that begins with A and continues with letters may be one of Allsoft's or not: compare it with the confirmation of the order.", "Номер, который начинается с A и продолжается буквами, может быть номером Allsoft, а может и не быть: сверьте его с подтверждением заказа.";
        OtherForm: "The order number looks like one of {seller}, which sells on the Kaspersky website. The channel counts here; check it if it was only a guess.", "Номер заказа похож на номер {seller}, который продаёт на сайте «Лаборатории Касперского». Здесь решает канал; проверьте его, если вы указали его наугад.";
        AnotherOrder: "The active key of this SVM belongs to another order, so nothing of it is used here.", "Активный ключ этой SVM относится к другому заказу, поэтому здесь он не учтён.";
        Products: "The sellers above are for home and small-office products: Kaspersky Standard, Plus and Premium; Security Cloud; Internet Security; Anti-Virus; Total Security; Small Office Security; Safe Kids; Password Manager; Secure Connection.", "Продавцы выше относятся к продуктам для дома и малого офиса: Kaspersky Standard, Plus и Premium; Security Cloud; Internet Security; Anti-Virus; Total Security; Small Office Security; Safe Kids; Password Manager; Secure Connection.";
        Mobile: "A subscription of a mobile app that was bought in an app store (Google Play, App Store, AppGallery) is cancelled in that store.", "Подписку мобильного приложения, купленную в магазине приложений (Google Play, App Store, AppGallery), отменяют в этом магазине.";
        Scope: "The ways of sellers hold for home and small-office products. A corporate subscription is cancelled with the provider that sold it.", "Пути через продавцов относятся к продуктам для дома и малого офиса. Корпоративную подписку отменяет поставщик, который её продал.";
        // The letters.
        ToSeller: "{seller} support", "Поддержка {seller}";
        ToKaspersky: "Kaspersky support", "Поддержка «Лаборатории Касперского»";
        ToCompany: "[the support of the company that sold the subscription]", "[поддержка компании, которая продала подписку]";
        AboutStopping: "Please switch off automatic renewal", "Просьба отключить автоматическое продление";
        AboutRenewing: "Please renew the subscription", "Просьба продлить подписку";
        AboutResuming: "Please resume the subscription", "Просьба возобновить подписку";
        AboutPaying: "Please pay for the subscription", "Просьба оплатить подписку";
        AboutCancellation: "Cancellation of the subscription", "Отмена подписки";
        AboutBlocking: "Blocked key", "Блокировка ключа";
        AboutPause: "Pause of the subscription", "Приостановка подписки";
        OfOrder: "{subject}, order {number}", "{subject}, заказ {number}";
        Hello: "Hello,", "Здравствуйте!";
        PleaseStop: "please switch off the automatic renewal of the subscription below.", "Прошу отключить автоматическое продление подписки, указанной ниже.";
        PleaseRenew: "please renew the subscription below.", "Прошу продлить подписку, указанную ниже.";
        PleaseResume: "please resume the subscription below, which is paused.", "Прошу возобновить приостановленную подписку, указанную ниже.";
        PleasePay: "please pay for the subscription below: by its document it is not paid for any longer or soon will not be.", "Прошу оплатить подписку, указанную ниже: по документу её оплата закончилась или скоро закончится.";
        WhyCancelled: "please tell me why the subscription below was cancelled, and what is needed to continue it.", "Прошу сообщить, почему отменена подписка, указанная ниже, и что нужно, чтобы она действовала.";
        WhyWillBeCancelled: "please tell me why the subscription below is going to be cancelled, and what is needed to continue it.", "Прошу сообщить, почему подписка, указанная ниже, будет отменена и что нужно, чтобы она действовала.";
        WhyBlocked: "please tell me why the key below was blocked, and what is needed to unblock it.", "Прошу сообщить, почему заблокирован ключ, указанный ниже, и что нужно, чтобы его разблокировать.";
        WhyWillBeBlocked: "please tell me why the key below is going to be blocked, and what is needed to keep it.", "Прошу сообщить, почему ключ, указанный ниже, будет заблокирован и что нужно, чтобы его сохранить.";
        WhyWillBePaused: "please tell me why the subscription below is going to be paused, and what is needed to continue it.", "Прошу сообщить, почему подписка, указанная ниже, будет приостановлена и что нужно, чтобы она действовала.";
        Reason: "Reason: [your reason]", "Причина: [ваша причина]";
        Number: "Order number: {number}", "Номер заказа: {number}";
        NumberUnknown: "[the order number, if you have it]", "[номер заказа, если он есть]";
        Bought: "Date of purchase: {day}", "Дата покупки: {day}";
        BoughtUnknown: "[the day of the order]", "[день заказа]";
        TheKey: "Key: {key}", "Ключ: {key}";
        Name: "Full name in the order: [your full name]", "Полное имя в заказе: [ваши фамилия, имя и отчество]";
        Mail: "E-mail address of the order: [your e-mail address]", "Адрес электронной почты в заказе: [ваш адрес]";
        PleaseConfirm: "Please confirm that it is done.", "Прошу подтвердить, что это сделано.";
        KnowItEnds: "I know that the application stays usable to the end of the term.", "Мне известно, что программа будет работать до окончания срока.";
        // What is refused.
        EmptyNumber: "the order number is empty: give it as the confirmation of the order has it, or leave out --order", "номер заказа пуст: укажите его, как в подтверждении заказа, или не указывайте --order";
        LongNumber: "the order number has {found} characters, and none has more than {most}: give the number alone, without the text around it", "в номере заказа {found} символов, а больше {most} не бывает: укажите только номер, без текста вокруг";
        UnseenCharacter: "the order number has an invisible character ({code}) at place {place}: type the number instead of pasting it", "в номере заказа есть невидимый символ ({code}) на месте {place}: введите номер вручную";
        NoOrder: "this SVM has no key, so no order is known; give what the confirmation of the order says: svm-agent renewal --order NUMBER --channel CHANNEL", "на этой SVM нет ключа, поэтому заказ неизвестен; укажите данные из подтверждения заказа: svm-agent renewal --order НОМЕР --channel КАНАЛ";
    }
}
