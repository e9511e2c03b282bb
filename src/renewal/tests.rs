use super::sellers::{FORMS, ROUTES, Route};
use super::words::{ALL, Text};
use super::*;
use svm_core::subscription::{Channel, KeyKind, Vendor};

fn number(text: &str) -> OrderNumber {
    OrderNumber::parse(text).unwrap()
}

fn advice_for(text: &str) -> Advice {
    advise(&Known { number: Some(number(text)), ..Known::default() }, Lang::En)
}

fn subscription() -> KeyFacts {
    KeyFacts {
        key: "SUB-1".to_owned(),
        kind: KeyKind::Subscription,
        ends_at: Some("2027-01-01T00:00:00Z".parse().unwrap()),
        ended: false,
        grace_ends_at: Some("2027-01-15T00:00:00Z".parse().unwrap()),
        auto_renew: true,
        withdrawn: false,
        vendor: Some(Vendor {
            name: Some("Example ISP".to_owned()),
            support_url: Some("https://provider.example/help".to_owned()),
            ..Vendor::default()
        }),
    }
}

#[test]
fn each_form_names_its_seller_and_the_traps_name_nobody() {
    use Seller::{Allsoft, Nexway};
    for (text, seller, sure) in [
        ("ALLSOFT-22123406", Some(Allsoft), true),
        ("A221234065", Some(Allsoft), true),
        ("a 2212-34065", Some(Allsoft), true),
        ("allsoft\u{2013}22 123 406", Some(Allsoft), true),
        ("№ ALLSOFT-22123406", Some(Allsoft), true),
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
        let error = refused(&format!("2A{hidden}3")).to_string();
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
        let advice = advise(&known, Lang::Ru);
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
    let letter = advise(&known, Lang::En).letter.unwrap();
    assert_eq!(letter.to, "Allsoft support");
    assert!(letter.subject.ends_with("order ALLSOFT-22123406"));
    for line in ["Order number: ALLSOFT-22123406", "Date of purchase: 2026-01-02", "Key: SUB-1"] {
        assert!(letter.body.contains(line), "{}", letter.body);
    }
    assert_eq!(letter.body.matches('[').count(), 3, "reason, name and e-mail: {}", letter.body);
    let russian = advise(&known, Lang::Ru).letter.unwrap();
    assert!(russian.body.contains("Дата покупки: 02.01.2026"));
    assert_eq!(russian.body.matches('[').count(), 3);
    let nothing = advise(&Known::default(), Lang::En).letter.unwrap();
    assert_eq!(nothing.body.matches('[').count(), 5, "{}", nothing.body);
    let isp = Known { channel: Some(Channel::Isp), ..known };
    assert_eq!(advise(&isp, Lang::En).letter.unwrap().to, "Example ISP support");
}

#[test]
fn what_it_stays_good_for_is_said_with_its_dates() {
    let key =
        |key: KeyFacts| advise(&Known { key: Some(key), ..Known::default() }, Lang::En).notes.join("\n");
    let running = key(subscription());
    assert!(running.contains("until its end, 2027-01-01 00:00 UTC"), "{running}");
    assert!(running.contains("everything working, until 2027-01-15 00:00 UTC"), "{running}");
    assert!(running.contains("renews by itself, until that is switched off"));
    let off = key(KeyFacts { auto_renew: false, grace_ends_at: None, ..subscription() });
    assert!(off.contains("nothing has to be switched off") && !off.contains("grace"), "{off}");
    let ended = key(KeyFacts { ended: true, ..subscription() });
    assert!(ended.contains("The term has ended, on 2027-01-01"), "{ended}");
    let cancelled = key(KeyFacts { withdrawn: true, ..subscription() });
    assert!(cancelled.contains("over already") && !cancelled.contains("2027"), "{cancelled}");
    let vendor = Vendor { renewal_url: Some("https://a.example/{end}".to_owned()), ..Vendor::default() };
    let renew = key(KeyFacts { vendor: Some(vendor), ..subscription() });
    assert!(renew.contains("https://a.example/{end}"), "what comes from outside is not filled in: {renew}");
    let commercial = KeyFacts { kind: KeyKind::Commercial, auto_renew: false, ..subscription() };
    let advice = advise(&Known { key: Some(commercial), ..Known::default() }, Lang::En);
    assert!(advice.letter.is_none() && advice.steps[0].contains("commercial key"));
}

#[test]
fn both_languages_are_whole() {
    let holes = |text: &str| {
        let mut names: Vec<_> =
            text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect();
        names.sort();
        names.dedup();
        names
    };
    let tables =
        FORMS.iter().map(|form| form.words).chain(ROUTES.iter().flat_map(|r| r.steps.iter().copied()));
    let named = ALL.iter().map(|(name, text)| (*name, *text)).chain(tables.map(|text| ("a table", text)));
    for (name, Text { en, ru }) in named {
        assert!(!en.is_empty() && en.is_ascii(), "{name}: {en}");
        assert!(ru.chars().any(|c| ('а'..='я').contains(&c)), "{name}: {ru}");
        assert_eq!(holes(en), holes(ru), "{name}");
        // The other language's letters must not slip into a word.
        for word in ru.split(|c: char| !c.is_alphabetic()) {
            let cyrillic = word.chars().filter(|c| ('\u{400}'..='\u{4ff}').contains(c)).count();
            assert!(cyrillic == 0 || cyrillic == word.chars().count(), "{name}: {word}");
        }
    }
}

#[test]
fn the_language_is_that_of_messages() {
    let of = |set: &[(&str, &str)]| {
        Lang::of_locale(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    };
    assert_eq!(of(&[]), Lang::En);
    assert_eq!(of(&[("LANG", "ru_RU.UTF-8")]), Lang::Ru);
    assert_eq!(of(&[("LANG", "ru_RU.UTF-8"), ("LC_MESSAGES", "C")]), Lang::En);
    assert_eq!(of(&[("LANG", "C"), ("LC_ALL", "ru")]), Lang::Ru);
    assert_eq!(of(&[("LC_ALL", ""), ("LANG", "RU_ru@x")]), Lang::Ru);
    assert_eq!(of(&[("LANG", "run_XX")]), Lang::En);
}
