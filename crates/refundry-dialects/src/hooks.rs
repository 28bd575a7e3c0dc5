//! What is asked and answered about subscriptions to what happens, and deliveries of it.
//!
//! A delivery is written once, when it is made, and posted as it is until the receiver has it. What is in it, and which
//! headers go with it, is the business of the public API that the subscription was made with.

use refundry_core::event::EventKind;
use refundry_core::money::Amount;
use refundry_core::order::{Dialect, Id};
use refundry_core::parcels::Parcel;
use refundry_core::paying::Transaction;
use refundry_core::query::{Page, TimeRange};
use refundry_core::refund::Refund;
use refundry_core::returns::Return;

use crate::stock::LevelView;
use crate::wire::OrderView;
use crate::{shoplazza, shopline};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookCall {
    /// A page of subscriptions, oldest first.
    List(HookQuery),
    /// How many subscriptions a list has, on all its pages.
    Count(HookQuery),
    /// One subscription.
    Get {
        /// The API that it was made with.
        dialect: Dialect,
        /// The number that this API calls it by.
        hook: Id,
    },
    /// Subscribe.
    Create(HookDraft),
    /// Change a subscription; what is absent stays.
    Change {
        /// The API that it was made with.
        dialect: Dialect,
        /// The number that this API calls it by.
        hook: Id,
        /// What it wants to hear from now on.
        topic: Option<Topic>,
        /// Where from now on.
        address: Option<String>,
    },
    /// End a subscription.
    Remove {
        /// The API that it was made with.
        dialect: Dialect,
        /// The number that this API calls it by.
        hook: Id,
    },
}

/// What a subscriber wants to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// In the API's words.
    pub name: String,
    /// The events that this means; `None` for what never happens here.
    pub kind: Option<EventKind>,
}

/// A subscription that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookDraft {
    /// The API that it is made with.
    pub dialect: Dialect,
    /// Version of that API.
    pub version: String,
    /// What it wants to hear.
    pub topic: Topic,
    /// Where: an address that [`host_of`] takes.
    pub address: String,
}

/// Which subscriptions, and which page of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookQuery {
    /// The API that they were made with.
    pub dialect: Dialect,
    /// Only with exactly this address.
    pub address: Option<String>,
    /// Only with one of these topics, in the API's words.
    pub topics: Option<Vec<String>>,
    /// When it was made.
    pub created: TimeRange,
    /// When it was changed last.
    pub updated: TimeRange,
    /// Where the page starts.
    pub page: Page,
    /// At most this many.
    pub limit: u32,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookReply {
    /// To `Get`, `Create` and `Change`.
    Hook(HookView),
    /// To `List`.
    Hooks {
        /// The page.
        hooks: Vec<HookView>,
        /// More follow.
        has_more: bool,
    },
    /// To `Count`.
    Counted(usize),
    /// To `Remove`.
    Removed,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookView {
    /// The number that its API calls it by: SHOPLINE's a count within the store, any other's our own.
    pub id: Id,
    /// Version of that API.
    pub version: String,
    /// What it wants to hear, in the API's words.
    pub topic: String,
    /// Where.
    pub address: String,
    /// In which format.
    pub format: String,
    /// When it was made, epoch milliseconds.
    pub created_ms: i64,
    /// When it was changed last.
    pub updated_ms: i64,
}

/// Every "no" about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookFault {
    /// No such subscription.
    Unknown(Id),
    /// The address leads into a private network, where nobody outside may make this server call.
    AddressPrivate,
    /// There is a subscription of this topic and address.
    Taken,
    /// The store has as many subscriptions as it may have.
    TooMany(usize),
}

/// What happened, as much as a delivery needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookEvent {
    /// What happened.
    pub kind: EventKind,
    /// Version of the API that the subscription was made with.
    pub version: String,
    /// What it happened to, right after it.
    pub about: About,
}

/// What something happened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// An order, or something of it.
    Order(Box<OrderTold>),
    /// Goods.
    Level(LevelView),
}

/// An order that something happened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderTold {
    /// The order right after it.
    pub order: OrderView,
    /// What was asked for last of the order by then; zero before any refund.
    pub asked_last: Amount,
    /// What else it is about.
    pub subject: Subject,
}

/// What an event is about beside its order, right after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The order alone.
    Order,
    /// A parcel.
    Parcel(Parcel),
    /// A refund.
    Refund(Box<Refund>),
    /// What was told of a payment.
    Transaction(Box<Transaction>),
    /// A return.
    Return(Box<Return>),
}

/// The body of a delivery, for ever the same; `None` if an API has none for this event.
pub fn body(dialect: Dialect, event: &HookEvent) -> Option<String> {
    match dialect {
        Dialect::Shoplazza => shoplazza::hooks::body(event),
        Dialect::Shopline => shopline::hooks::body(event),
        Dialect::Native | Dialect::DigitalRiver => None,
    }
}

/// What the headers of a delivery say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The topic, in the API's words.
    pub topic: &'a str,
    /// Version of the API.
    pub version: &'a str,
    /// The store.
    pub store: &'a Sender,
    /// Our number of the event: the same over all attempts.
    pub event: Id,
    /// The subscription, by its place among all that its store ever had.
    pub subscription: i64,
    /// HMAC-SHA256 of the body under the store's secret, as text: in Base64, or in what the store chose.
    pub signature: &'a str,
}

/// A store, as its deliveries name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Its handle.
    pub handle: String,
    /// Its number.
    pub id: i64,
    /// Its host name at SHOPLINE.
    pub domain: String,
    /// The number of its merchant there, in digits.
    pub merchant_id: String,
}

/// The headers of a delivery beside its content type.
pub fn headers(dialect: Dialect, envelope: &Envelope<'_>) -> Vec<(&'static str, String)> {
    match dialect {
        Dialect::Shoplazza => shoplazza::hooks::headers(envelope),
        Dialect::Shopline => shopline::hooks::headers(envelope),
        Dialect::Native | Dialect::DigitalRiver => Vec::new(),
    }
}

/// The host of an address that events can be posted to: `http` or `https`, a host, perhaps a port, no user or
/// fragment, and no character that would have to be escaped. An IPv6 address is given without its brackets.
pub fn host_of(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once("://")?;
    let known = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let plain = rest.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&b));
    if !known || !plain {
        return None;
    }
    let authority = rest.split(['/', '?']).next()?;
    let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (host, after)
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        authority.split_at_checked(end)?
    };
    let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok_and(|p| p > 0));
    (!host.is_empty() && host.bytes().all(named) && port_fits).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_can_be_called_have_a_host() {
        for (address, host) in [
            ("https://shop.example/hooks?a=1", Some("shop.example")),
            ("HTTP://shop.example:8080", Some("shop.example")),
            ("http://127.0.0.1:9/x", Some("127.0.0.1")),
            ("http://[::1]:9/x", Some("::1")),
            ("https://shop.example?x", Some("shop.example")),
            ("shop.example/hooks", None),
            ("ftp://shop.example", None),
            ("https://", None),
            ("https:///path", None),
            ("https://user@shop.example/", None),
            ("https://shop.example:0/", None),
            ("https://shop.example:port/", None),
            ("https://shop.example:80:80/", None),
            ("https://shop.example/#top", None),
            ("https://shop example/", None),
            ("https://shop.example/a b", None),
            ("https://läden.example/", None),
            ("http://[::1", None),
            ("http://[shop]/", None),
            ("http://[::1]x/", None),
        ] {
            assert_eq!(host_of(address), host, "{address}");
        }
    }
}
