//! Disputes: what the buyer's bank contests is held, so that nobody pays it back a second time.
//!
//! An open dispute holds its amount. One that is won lets it go; one that is lost keeps it for good, because the money
//! went back by another way. A dispute may grow or shrink while it is open.

use crate::balances::{Balances, Facts};
use crate::journal::{self, Posting};
use crate::money::Amount;

/// What one dispute holds of a payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    /// In the order's currency.
    pub amount: Amount,
    /// In the payment's own currency.
    pub own_amount: Amount,
}

/// What is to be stored when a dispute changes what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What it holds now.
    pub hold: Hold,
    /// The balances after it.
    pub balances: Balances,
    /// The movement, summing to zero; empty where nothing moves.
    pub postings: Vec<Posting>,
}

/// Changes what a dispute holds of a payment: from `before` to `own_amount` in the payment's own currency, never above
/// what the payment captured.
pub fn hold(facts: &Facts, payment: usize, before: Hold, own_amount: Amount) -> Held {
    let (captured, paid) = facts.payment(payment);
    let others = (paid.disputed - before.amount, paid.own_disputed - before.own_amount);
    let own_amount = own_amount.or_zero().min((captured.own_captured - others.1).or_zero());
    let amount = captured.booked_of(own_amount).min((captured.captured - others.0).or_zero());
    let mut balances = facts.balances.clone();
    balances.fit(&facts.order);
    let held = balances.payments.get_mut(payment).expect("payment of this order");
    held.disputed = others.0 + amount;
    held.own_disputed = others.1 + own_amount;
    let postings = journal::hold(&facts.order, payment, amount - before.amount, own_amount - before.own_amount);
    Held { hold: Hold { amount, own_amount }, balances, postings }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Account, balances};
    use crate::tests::world::{facts, foreign_pay, order, pay};

    fn minor(amount: i64, own_amount: i64) -> Hold {
        Hold { amount: Amount::minor(amount), own_amount: Amount::minor(own_amount) }
    }

    /// What one dispute held before and states now, of a payment of 100.00: what it holds then.
    const STEPS: &[(i64, i64, i64)] =
        &[(0, 4_000, 4_000), (4_000, 6_000, 6_000), (6_000, 0, 0), (0, 25_000, 10_000), (0, -5, 0)];

    #[test]
    fn a_dispute_holds_what_is_contested_and_no_more_than_was_captured() {
        for (before, stated, expected) in STEPS {
            let mut order = order("USD");
            pay(&mut order, "card", 10_000);
            let mut facts = facts(order);
            facts.balances.payments[0].disputed = Amount::minor(*before);
            facts.balances.payments[0].own_disputed = Amount::minor(*before);
            let held = hold(&facts, 0, minor(*before, *before), Amount::minor(*stated));
            assert_eq!(held.hold, minor(*expected, *expected));
            assert!(balances(&held.postings));
            facts.balances = held.balances;
            assert_eq!(facts.payment_left(0), Amount::minor(10_000 - expected));
        }
    }

    #[test]
    fn two_disputes_hold_together_and_leave_nothing_below_zero() {
        let mut order = order("USD");
        pay(&mut order, "card", 10_000);
        let mut facts = facts(order);
        facts.balances.payments[0].succeeded = Amount::minor(7_000);
        facts.balances.payments[0].own_succeeded = Amount::minor(7_000);
        facts.balances = hold(&facts, 0, Hold::default(), Amount::minor(6_000)).balances;
        assert_eq!(facts.payment_left(0), Amount::ZERO, "what was paid back is disputed all the same");
        let second = hold(&facts, 0, Hold::default(), Amount::minor(6_000));
        assert_eq!(second.hold, minor(4_000, 4_000), "together no more than was captured");
    }

    #[test]
    fn a_payment_in_another_currency_holds_both() {
        let mut order = order("USD");
        foreign_pay(&mut order, "card", 10_000, "EUR", 9_000);
        let held = hold(&facts(order), 0, Hold::default(), Amount::minor(4_500));
        assert_eq!(held.hold, minor(5_000, 4_500));
        assert!(balances(&held.postings));
        let accounts: Vec<Account> = held.postings.iter().map(|posting| posting.account).collect();
        assert_eq!(accounts, [Account::Paid(0), Account::Held(0), Account::OwnPaid(0), Account::OwnHeld(0)]);
    }
}
