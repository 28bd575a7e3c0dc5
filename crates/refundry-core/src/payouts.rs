//! Which gateway pays back through which payment, and what that gateway takes: what a store configured, as plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::money::Amount;
use crate::order::Payment;

/// The channel that stands for all that have no gateway of their own.
pub const ANY_CHANNEL: &str = "*";
/// The built-in gateway behind which a person pays.
pub const MANUAL: &str = "manual";
/// The built-in gateway that moves no money: what payments name that nobody chose a gateway for.
pub const SIMULATED: &str = "simulated";

/// What a store configured about paying back, and when it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// When the refund is asked for, epoch milliseconds; 0 where no deadline is to be looked at.
    pub asked_ms: i64,
    /// What the store configured.
    pub payouts: Arc<Payouts>,
}

/// What a store configured about paying back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payouts {
    /// Gateways by payment channel, in lower case; [`ANY_CHANNEL`] stands for all others.
    pub routes: BTreeMap<String, String>,
    /// What gateways take, by name; one that is not listed takes everything.
    pub gateways: BTreeMap<String, GatewayLimits>,
    /// How a refund is spread over several payments where the request does not say.
    pub strategy: Strategy,
    /// Payment channels, in lower case, whose money waits until somebody says that it went back.
    pub held: BTreeSet<String>,
}

/// How a refund is spread over the payments that the caller did not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// One after the other, as the order lists them.
    #[default]
    OriginalFirst,
    /// One after the other, the last listed first.
    OriginalLast,
    /// All of them, in proportion to what they have left: largest remainder, ties to the earlier.
    Proportional,
    /// Gift cards first, then the others, each as listed.
    GiftCardFirst,
    /// Gift cards last.
    GiftCardLast,
    /// Through as few as possible: one that has exactly the amount left; else the smallest that covers it and may be
    /// refunded in part; else the largest first.
    FewestRefunds,
}

impl Strategy {
    /// All of them, in the order documents list them.
    pub const ALL: [Self; 6] = [
        Self::OriginalFirst,
        Self::OriginalLast,
        Self::Proportional,
        Self::GiftCardFirst,
        Self::GiftCardLast,
        Self::FewestRefunds,
    ];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OriginalFirst => "original_first",
            Self::OriginalLast => "original_last",
            Self::Proportional => "proportional",
            Self::GiftCardFirst => "gift_card_first",
            Self::GiftCardLast => "gift_card_last",
            Self::FewestRefunds => "fewest_refunds",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
    }
}

/// What a gateway takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayLimits {
    /// A payment may be refunded in part.
    pub partial: bool,
    /// A payment may be refunded more than once.
    pub several_per_payment: bool,
    /// The smallest amount, in minor units of the payment's own currency.
    pub minimum_minor: i64,
    /// How many days after the order was made it still refunds; `None` is without end.
    pub deadline_days: Option<u32>,
}

/// The limit of a gateway that a part of a refund would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentLimit {
    /// It refunds the payment only in full.
    OnlyInFull,
    /// It refunds the payment only once, and did or is about to.
    OnlyOnce,
    /// It refunds no less than this, in the payment's own currency.
    AtLeast(Amount),
    /// It refunds only within so many days after the order was made.
    WithinDays(u32),
}

impl PaymentLimit {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OnlyInFull => "only_in_full",
            Self::OnlyOnce => "only_once",
            Self::AtLeast(_) => "at_least",
            Self::WithinDays(_) => "within_days",
        }
    }
}

impl Payouts {
    /// Whether what goes back through a payment waits for a person: its channel or its method is held.
    pub fn holds(&self, payment: &Payment) -> bool {
        let is_held = |name: &str| !name.is_empty() && self.held.contains(&name.to_lowercase());
        is_held(&payment.channel) || is_held(&payment.method)
    }

    /// The gateway through which a payment is paid back.
    ///
    /// What is held waits for a person, whatever else is configured. Of the others, a payment that names a gateway
    /// keeps it; else its channel or its method decides. Once a store has chosen a
    /// gateway for anything, what it chose none for waits for a person: the simulated provider moves no money, so
    /// nothing may reach it by oversight.
    pub fn gateway_of<'p>(&'p self, payment: &'p Payment) -> &'p str {
        if self.holds(payment) {
            return MANUAL;
        }
        if payment.gateway != SIMULATED || self.routes.is_empty() {
            return &payment.gateway;
        }
        let by = |name: &str| self.routes.get(&name.to_lowercase());
        let chosen = by(&payment.channel).or_else(|| by(&payment.method)).or_else(|| by(ANY_CHANNEL));
        chosen.map_or(MANUAL, String::as_str)
    }

    /// What the gateway of a payment takes; `None` where it takes everything.
    pub fn limits_of(&self, payment: &Payment) -> Option<&GatewayLimits> {
        self.gateways.get(self.gateway_of(payment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::world::payment;

    /// routes, then: gateway named by the payment, channel, method → gateway.
    type Case =
        (&'static [(&'static str, &'static str)], &'static [(&'static str, &'static str, &'static str, &'static str)]);
    const CASES: &[Case] = &[
        (&[], &[("simulated", "card", "", "simulated"), ("manual", "cash", "", "manual"), ("eu", "card", "", "eu")]),
        (
            &[("card", "eu"), ("paypal", "pp")],
            &[
                ("simulated", "card", "", "eu"),
                ("simulated", "CARD", "", "eu"),
                ("simulated", "shop_pay", "PayPal", "pp"),
                ("simulated", "klarna", "later", "manual"),
                ("manual", "card", "", "manual"),
                ("us", "card", "", "us"),
            ],
        ),
        (
            &[("*", "eu"), ("gift_card", "simulated")],
            &[
                ("simulated", "card", "", "eu"),
                ("simulated", "gift_card", "", "simulated"),
                ("manual", "cash", "", "manual"),
            ],
        ),
    ];

    #[test]
    fn a_channel_leads_to_a_gateway() {
        for (routes, payments) in CASES {
            let routes = routes.iter().map(|(channel, gateway)| ((*channel).to_owned(), (*gateway).to_owned()));
            let payouts = Payouts { routes: routes.collect(), ..Payouts::default() };
            for (gateway, channel, method, expected) in *payments {
                let payment = Payment {
                    gateway: (*gateway).to_owned(),
                    channel: (*channel).to_owned(),
                    method: (*method).to_owned(),
                    ..payment("a", 100)
                };
                assert_eq!(payouts.gateway_of(&payment), *expected, "{payouts:?} {channel} {method}");
            }
        }
    }

    #[test]
    fn what_is_held_waits_whatever_its_route() {
        let routes = BTreeMap::from([("bogus".to_owned(), "eu".to_owned()), ("card".to_owned(), "eu".to_owned())]);
        let payouts = Payouts { routes, held: BTreeSet::from(["bogus".to_owned()]), ..Payouts::default() };
        let cases = [
            ("simulated", "bogus", "", "manual"),
            ("simulated", "BOGUS", "", "manual"),
            ("eu", "bogus", "", "manual"),
            ("simulated", "shop", "Bogus", "manual"),
            ("simulated", "card", "", "eu"),
            ("us", "", "", "us"),
        ];
        for (gateway, channel, method, expected) in cases {
            let payment = Payment {
                gateway: gateway.to_owned(),
                channel: channel.to_owned(),
                method: method.to_owned(),
                ..payment("a", 100)
            };
            assert_eq!(payouts.gateway_of(&payment), expected, "{channel} {method}");
            assert_eq!(payouts.holds(&payment), expected == "manual", "{channel} {method}");
        }
    }
}
