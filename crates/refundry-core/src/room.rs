//! What a payment can give back in one leg: between what its gateway takes and what it has left.
//!
//! A gateway that refunds a payment only in full, no less than a minimum, once, or for some days only, leaves the leg
//! an amount from a least to all that is left, or none at all.

use crate::balances::Facts;
use crate::money::Amount;
use crate::payouts::PaymentLimit;
use crate::plan::own_of;

const DAY_MS: i64 = 86_400_000;
/// One minor unit.
const ONE: Amount = Amount::minor(1);

/// The room of a payment, in the order's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// The least that it takes; `None` where it takes nothing.
    pub(crate) least: Option<Amount>,
    /// What it has left, which is also the most that it takes.
    pub(crate) most: Amount,
}

impl Room {
    /// Room of every payment of the order.
    pub(crate) fn of_all(facts: &Facts) -> Vec<Self> {
        (0..facts.order.payments.len()).map(|payment| Self::of(facts, payment)).collect()
    }

    fn of(facts: &Facts, payment: usize) -> Self {
        let most = facts.payment_left(payment);
        if most.is_positive() && facts.terms.payouts.limits_of(facts.payment(payment).0).is_none() {
            return Self { least: Some(ONE), most };
        }
        let takes = |amount| broken(facts, payment, own_of(facts, payment, amount), false).is_none();
        if !most.is_positive() || !takes(most) {
            return Self { least: None, most };
        }
        // Whatever takes an amount takes more of it too, because the payment's own amount grows with it.
        let (mut least, mut below) = (most, Amount::ZERO);
        if takes(ONE) {
            least = ONE;
        }
        while least - below > ONE {
            let middle = Amount::minor(least.get().midpoint(below.get()));
            if takes(middle) {
                least = middle;
            } else {
                below = middle;
            }
        }
        Self { least: Some(least), most }
    }

    /// Whether this very amount can go through it.
    pub(crate) fn takes(self, amount: Amount) -> bool {
        self.least.is_some_and(|least| least <= amount && amount <= self.most)
    }
}

/// The limit that the payment's gateway sets against giving back this much of its own currency.
///
/// What goes outside has no limits: money that a person hands over, and a leg that moves none of the payment's own
/// currency. What went outside before counts as a refund all the same: balances do not tell the two apart, and a
/// refund that is refused can be paid outside, while one that a provider turns down has to be made again.
pub(crate) fn broken(facts: &Facts, payment: usize, own: Amount, sent_before: bool) -> Option<PaymentLimit> {
    let (captured, paid) = facts.payment(payment);
    if captured.kind.settles_outside() || own.is_zero() {
        return None;
    }
    let limits = facts.terms.payouts.limits_of(captured)?;
    let refunded = sent_before || paid.held().is_positive() || paid.own_held().is_positive();
    if let Some(days) = limits.deadline_days.filter(|days| is_over(facts, *days)) {
        return Some(PaymentLimit::WithinDays(days));
    }
    if refunded && !limits.several_per_payment {
        return Some(PaymentLimit::OnlyOnce);
    }
    if !limits.partial && own != captured.own_captured {
        return Some(PaymentLimit::OnlyInFull);
    }
    (own.get() < limits.minimum_minor).then(|| PaymentLimit::AtLeast(Amount::minor(limits.minimum_minor)))
}

fn is_over(facts: &Facts, days: u32) -> bool {
    let asked_ms = facts.terms.asked_ms;
    let last_ms = i64::from(days).saturating_mul(DAY_MS).saturating_add(facts.order.created_ms);
    asked_ms != 0 && asked_ms > last_ms
}
