//! How to renew or stop a subscription: whom to write to, with which words.

use crate::subscription::Channel;
use crate::words::Text;

/// Where a subscription was bought.
pub const fn channel(channel: Channel) -> Text {
    match channel {
        Channel::Website => Text::new("website", "сайт"),
        Channel::Portal => Text::new("My Kaspersky portal", "портал My Kaspersky"),
        Channel::Isp => Text::new("internet provider", "интернет-провайдер"),
        Channel::Partner => Text::new("partner company", "компания-партнёр"),
        Channel::Corporate => {
            Text::new("provider of corporate subscriptions", "поставщик корпоративных подписок")
        }
    }
}
