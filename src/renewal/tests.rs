use super::sellers::{FORMS, Route};
use super::*;
use jiff::Timestamp;
use svm_core::subscription::{
    Cause, Channel, KeyFacts, KeyKind, KnownEnd, Phase, Situation, Vendor, VendorState,
};
use svm_core::words::Language::{English, Russian};

fn number(text: &str) -> OrderNumber {
    OrderNumber::parse(text).unwrap()
}

fn advice_for(text: &str) -> Advice {
    advise(&Known { number: Some(number(text)), ..Known::default() }, English)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A subscription that is active, renews automatically, and ends on 2027-01-01.
fn subscription() -> KnownKey {
    let (ends_at, now) = (at("2027-01-01T00:00:00Z"), at("2026-06-01T00:00:00Z"));
    let facts = KeyFacts {
        kind: KeyKind::Subscription,
        state: VendorState::Active,
        state_since: None,
        ends_at: Some(ends_at),
        paid_until: None,
        grace_ends_at: Some(at("2027-01-15T00:00:00Z")),
        auto_renew: true,
    };
    KnownKey {
        key: "SUB-1".to_owned(),
        situation: Situation {
            now,
            phase: Phase::Active,
            cause: None,
            lapse_cause: None,
            key: Some(facts),
            known_end: Some(KnownEnd { ends_at, why: Cause::Ended }),
            has_reserve: false,
            is_activating: false,
            has_source: true,
        },
        vendor: Some(Vendor {
            name: Some("Example ISP".to_owned()),
            support_url: Some("https://provider.example/help".to_owned()),
            ..Vendor::default()
        }),
    }
}

/// The same with other facts.
fn with(change: impl FnOnce(&mut KeyFacts)) -> KnownKey {
    let mut key = subscription();
    change(key.situation.key.as_mut().unwrap());
    key
}

fn whole(advice: &Advice) -> String {
    let parts = advice.parts.iter().flat_map(|part| part.steps.clone());
    advice.standing.iter().cloned().chain(parts).chain(advice.notes.clone()).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_form_names_its_seller_and_the_traps_name_none() {
    use Seller::{Allsoft, Nexway};
    for (text, seller, sure) in [
        ("ALLSOFT-22123406", Some(Allsoft), true),
        ("A221234065", Some(Allsoft), true),
        ("a 2212-34065", Some(Allsoft), true),
        ("allsoft\u{2013}22 123 406", Some(Allsoft), true),
        ("№ ALLSOFT-22123406", Some(Allsoft), true),
        ("Заказ A221234065", Some(Allsoft), true),
        ("Order No. A221234065", Some(Allsoft), true),
        ("Номер заказа: 3B123FAC76F", Some(Nexway), true),
        ("AB123456", Some(Allsoft), false),
        ("ALLSOFT-2212340B", Some(Allsoft), false),
        ("ALLSOFT", Some(Allsoft), false),
        ("2A123BEC45D", Some(Nexway), true),
        ("3B123FAC76F", Some(Nexway), true),
        ("3b-123 fac 76f", Some(Nexway), true),
        // No letter: not Nexway's, though it begins with 2.
        ("22123406", None, false),
        ("3", None, false),
        ("A", None, false),
        ("4A123BEC45D", None, false),
        ("B221234065", None, false),
        ("2Щ123", None, false),
        ("2A123/BEC", None, false),
    ] {
        let advice = advice_for(text);
        assert_eq!((advice.seller, advice.sure), (seller, sure), "{text}");
        assert_eq!(advice.recognised_by, seller.map(|_| "order_number"), "{text}");
        assert_eq!(advice.channel, seller.map(|_| Channel::Website), "{text}");
        let unsure = advice.notes.iter().any(|note| note.contains("may be one of Allsoft's or not"));
        assert_eq!(unsure, seller.is_some() && !sure, "{text}");
    }
    assert!(FORMS.iter().all(|form| [Allsoft, Nexway].contains(&form.seller)));
}

#[test]
fn letters_that_only_look_latin_are_named_with_their_place() {
    // А, С and Е are Cyrillic here.
    let advice = advice_for("2А123B\u{415}\u{421}45D");
    assert_eq!((advice.seller, advice.sure), (Some(Seller::Nexway), false));
    let found: Vec<_> = advice.look_alikes.iter().map(|l| (l.place, l.character, l.looks_like)).collect();
    assert_eq!(found, [(2, 'А', 'A'), (7, 'Е', 'E'), (8, 'С', 'C')]);
    assert_eq!(advice.order_number_read.as_deref(), Some("2A123BEC45D"));
    assert_eq!(advice.order_number.as_deref(), Some("2А123BЕС45D"), "as it was given");
    assert!(advice.notes[0].starts_with("Character 2 of the order number, А, is a Cyrillic letter"));
    let letter = advice.letter.unwrap().body;
    assert!(letter.contains("2A123BEC45D"), "the letter has it in Latin letters: {letter}");
    // Small ones, and a place that counts dashes.
    let small = advice_for("аllsoft-221");
    assert_eq!(
        (small.seller, small.sure, small.look_alikes[0].character),
        (Some(Seller::Allsoft), false, 'а')
    );
    assert_eq!(advice_for("3-В123").look_alikes[0].place, 3);
    for (cyrillic, latin) in "АВСЕНІЈКМОРЅТУХԚԜЗ".chars().zip("ABCEHIJKMOPSTYXQW3".chars())
    {
        let read = number(&format!("1{cyrillic}"));
        assert_eq!(read.read, format!("1{latin}"));
        assert!(!cyrillic.is_ascii() && read.look_alikes.len() == 1);
    }
}

#[test]
fn what_is_no_number_is_refused_with_the_way_out() {
    let refused = |text: &str| OrderNumber::parse(text).unwrap_err();
    for empty in ["", "  ", "- -", "№"] {
        assert_eq!(refused(empty), OrderNumberError::Empty);
    }
    assert_eq!(refused(&"2".repeat(65)), OrderNumberError::TooLong { found: 65 });
    assert!(OrderNumber::parse(&"2".repeat(64)).is_ok());
    assert_eq!(refused("2A\u{1b}[31m"), OrderNumberError::Unseen { code: 0x1b, place: 3 });
    for hidden in ['\u{202e}', '\u{200b}', '\u{0}', '\u{feff}', '\n'] {
        let error = refused(&format!("2A{hidden}3")).text(Russian);
        assert!(!error.contains(hidden), "{error:?}");
    }
}

#[test]
fn the_channel_decides_where_the_seller_does_not_sell_on_the_website() {
    use Channel::{Corporate, Isp, Partner, Portal, Website};
    for (channel, text, write_to, by, sure) in [
        (Some(Corporate), Some("ALLSOFT-22123406"), WriteTo::Vendor, Some("channel"), true),
        (Some(Isp), None, WriteTo::Vendor, Some("channel"), true),
        (Some(Partner), None, WriteTo::Vendor, Some("channel"), true),
        (Some(Portal), Some("22123406"), WriteTo::Kaspersky, Some("channel"), true),
        (Some(Website), Some("A221234065"), WriteTo::Seller, Some("order_number"), true),
        (Some(Website), Some("3B123FAC76F"), WriteTo::Kaspersky, Some("order_number"), true),
        (Some(Website), Some("22123406"), WriteTo::Kaspersky, Some("channel"), false),
        (Some(Website), None, WriteTo::Kaspersky, Some("channel"), false),
        (None, Some("22123406"), WriteTo::Unknown, None, false),
        (None, None, WriteTo::Unknown, None, false),
    ] {
        let known = Known { number: text.map(number), channel, ..Known::default() };
        let advice = advise(&known, Russian);
        let found = (advice.write_to, advice.recognised_by, advice.sure);
        assert_eq!(found, (write_to, by, sure), "{channel:?} {text:?}");
        let by_number = by == Some("order_number");
        assert_eq!(advice.seller.is_some(), by_number, "{channel:?} {text:?}");
        assert!(!advice.steps.is_empty() && advice.letter.is_some());
        assert!(advice.scope.contains("Корпоративную подписку"));
    }
    assert!(Route::of(Some(Website), None).is_some());
}

#[test]
fn the_letter_has_what_is_known_and_placeholders_for_the_rest() {
    let known = Known {
        number: Some(number("ALLSOFT-22123406")),
        placed_on: Some("2026-01-02".parse().unwrap()),
        key: Some(subscription()),
        ..Known::default()
    };
    let letter = advise(&known, English).letter.unwrap();
    assert_eq!(letter.to, "Allsoft support");
    assert!(letter.subject.ends_with("order ALLSOFT-22123406"));
    for line in ["Order number: ALLSOFT-22123406", "Date of purchase: 2026-01-02", "Key: SUB-1"] {
        assert!(letter.body.contains(line), "{}", letter.body);
    }
    assert_eq!(letter.body.matches('[').count(), 3, "reason, name and e-mail: {}", letter.body);
    let russian = advise(&known, Russian).letter.unwrap();
    assert!(russian.body.contains("Дата покупки: 02.01.2026"));
    assert_eq!(russian.body.matches('[').count(), 3);
    let nothing = advise(&Known::default(), English).letter.unwrap();
    assert_eq!(nothing.body.matches('[').count(), 5, "{}", nothing.body);
    let isp = Known { channel: Some(Channel::Isp), ..known };
    assert_eq!(advise(&isp, English).letter.unwrap().to, "Example ISP support");
}

#[test]
fn the_state_decides_which_part_comes_first() {
    let parts = |key: KnownKey| {
        let advice = advise(&Known { key: Some(key), ..Known::default() }, English);
        (advice.parts.iter().map(|part| part.title).collect::<Vec<_>>(), whole(&advice))
    };
    let (titles, text) = parts(subscription());
    assert_eq!(titles, ["To stop", "To renew"]);
    assert!(text.contains("active until 2027-01-01 00:00 UTC"), "{text}");
    assert!(text.contains("grace period runs until 2027-01-15 00:00 UTC"), "{text}");
    assert!(text.contains("the provider renews it automatically"), "{text}");
    // The provider is known, so no shop is named.
    assert!(
        !text.contains("Allsoft") && text.contains("Write to Example ISP, https://provider.example/help")
    );
    let (titles, text) = parts(with(|facts| facts.auto_renew = false));
    assert_eq!(titles, ["To renew", "To stop"]);
    assert!(text.contains("does not renew automatically"), "{text}");
    assert!(text.contains("accepted from 2027-01-01 00:00 UTC on"), "{text}");

    let mut paused = with(|facts| facts.state = VendorState::Paused);
    (paused.situation.phase, paused.situation.cause) = (Phase::Grace, Some(Cause::Paused));
    let advice = advise(&Known { key: Some(paused), ..Known::default() }, English);
    let [resume, stop] = advice.parts.as_slice() else { panic!("{advice:?}") };
    assert_eq!((resume.title, stop.title), ("To resume", "To stop"));
    let letter = resume.letter.as_ref().unwrap();
    assert_eq!(
        (letter.to.as_str(), letter.subject.as_str()),
        ("Example ISP support", "Please resume the subscription")
    );
    assert!(letter.body.contains("please resume") && !letter.body.contains("switch off"), "{}", letter.body);
    assert!(stop.letter.as_ref().unwrap().body.contains("please switch off"));

    let mut cancelled = with(|facts| facts.state = VendorState::HardCancelled);
    (cancelled.situation.phase, cancelled.situation.cause) = (Phase::Restricted, Some(Cause::Cancelled));
    let (titles, text) = parts(cancelled);
    assert_eq!(titles, ["To keep it or get it back", "To stop"]);
    assert!(text.contains("It is over already") && text.contains("works at once"), "{text}");

    let vendor = Vendor { renewal_url: Some("https://a.example/{end}".to_owned()), ..Vendor::default() };
    let key = KnownKey { vendor: Some(vendor), ..with(|facts| facts.auto_renew = false) };
    assert!(parts(key).1.contains("https://a.example/{end}"), "what comes from outside is not filled in");
    let commercial = with(|facts| (facts.kind, facts.auto_renew) = (KeyKind::Commercial, false));
    let advice = advise(&Known { key: Some(commercial), ..Known::default() }, English);
    assert!(advice.letter.is_none() && advice.steps[0].contains("commercial key"));
}

#[test]
fn the_shops_of_home_products_are_named_only_if_the_order_says_so_or_nothing_is_known() {
    let text = |known: Known| whole(&advise(&known, English));
    let order = Known { number: Some(number("A221234065")), key: Some(subscription()), ..Known::default() };
    let said = text(order);
    assert!(said.contains("Ask Example ISP, https://provider.example/help first"), "{said}");
    assert!(said.contains("Allsoft") && said.contains("Secure Connection") && said.contains("Google Play"));
    let nothing = text(Known::default());
    assert!(nothing.contains("Allsoft") && nothing.contains("Rostelecom") && nothing.contains("MegaFon"));
    let isp = text(Known { channel: Some(Channel::Isp), ..Known::default() });
    assert!(isp.contains("Rostelecom") && !isp.contains("Allsoft") && !isp.contains("Google Play"), "{isp}");
    // A number of another seller beside a channel is remarked.
    let mixed =
        Known { channel: Some(Channel::Isp), number: Some(number("2A123BEC45D")), ..Known::default() };
    assert!(text(mixed).contains("looks like one of Nexway"));
}
