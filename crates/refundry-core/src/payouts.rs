//! Which gateway pays back through which payment, and what that gateway takes: what a store configured, as plain data.

use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// How many days after the payment it still refunds; `None` is without end.
    pub deadline_days: Option<u32>,
}

impl Payouts {
    /// The gateway through which a payment is paid back.
    ///
    /// A payment that names a gateway keeps it; else its channel or its method decides. Once a store has chosen a
    /// gateway for anything, what it chose none for waits for a person: the simulated provider moves no money, so
    /// nothing may reach it by oversight.
    pub fn gateway_of<'p>(&'p self, payment: &'p Payment) -> &'p str {
        if payment.gateway != SIMULATED || self.routes.is_empty() {
            return &payment.gateway;
        }
        let by = |name: &str| self.routes.get(&name.to_lowercase());
        let chosen = by(&payment.channel).or_else(|| by(&payment.method)).or_else(|| by(ANY_CHANNEL));
        chosen.map_or(MANUAL, String::as_str)
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
}
