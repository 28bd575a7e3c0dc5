//! How a refund is spread over payments.

use crate::balances::Facts;
use crate::command::{AmountIn, Ask, LegAsk, Plan, RefundRequest, Total};
use crate::money::{Amount, AmountError, Currency, Decimal};
use crate::order::{Payment, Reference};
use crate::quote::{Draft, PlannedLeg, positive};
use crate::refund::{Route, Shape};
use crate::rejection::{Rejection, all_or_first};

/// Reads the amounts of named payments: they rank before whatever is wrong with payments or sums.
pub(crate) fn check_amounts(facts: &Facts, request: &RefundRequest) -> Result<(), Rejection> {
    let asks: &[LegAsk] = match &request.plan {
        Plan::Named(asks) => asks,
        Plan::InOrder(_) => &[],
    };
    if asks.is_empty() && matches!(&request.ask, Ask::Parts(parts) if parts.total == Total::OfPayments) {
        return Err(no_money());
    }
    for ask in asks {
        // Without its payment an amount of the payment's currency cannot be read; that the payment is missing is said.
        if let Some(currency) = currency_of(facts, ask) {
            positive("payment", ask.amount, currency, request.rounding)?;
        }
    }
    Ok(())
}

fn currency_of(facts: &Facts, ask: &LegAsk) -> Option<Currency> {
    match ask.amount_in {
        AmountIn::Books => Some(facts.order.currency),
        AmountIn::Own => find(facts, ask).ok().map(|index| facts.payment(index).0.own_currency),
    }
}

/// Plans the legs of a draft; without an amount they make it.
pub(crate) fn plan_legs(facts: &Facts, request: &RefundRequest, draft: &Draft) -> Result<Vec<PlannedLeg>, Rejection> {
    match &request.plan {
        Plan::Named(asks) => named(facts, request, asks, draft),
        Plan::InOrder(first) => in_order(facts, &payment_order(facts, first)?, draft),
    }
}

fn payment_order(facts: &Facts, first: &[Reference]) -> Result<Vec<usize>, Rejection> {
    let mut order = Vec::new();
    for reference in first {
        let unknown = || Rejection::PaymentUnknown { payment: reference.text.clone() };
        let index = facts.order.find_payment(reference).ok_or_else(unknown)?;
        if !order.contains(&index) {
            order.push(index);
        }
    }
    let others: Vec<usize> = (0..facts.order.payments.len()).filter(|i| !order.contains(i)).collect();
    order.extend(others);
    Ok(order)
}

fn in_order(facts: &Facts, order: &[usize], draft: &Draft) -> Result<Vec<PlannedLeg>, Rejection> {
    let amount = draft.amount.ok_or_else(no_money)?;
    let currency = facts.order.currency;
    let exceeded = || Rejection::RefundableExceeded { asked: amount, available: draft.at_most, currency };
    if amount > draft.at_most {
        return Err(exceeded());
    }
    let sweep = draft.shape == Shape::Everything;
    let mut missing = amount;
    let mut legs = Vec::new();
    for payment in order {
        let part = missing.min(facts.payment_left(*payment));
        let own = own_of(facts, *payment, part);
        // Everything takes the rest of both currencies, even where rounding has used up one of them.
        if part.is_positive() || (sweep && own.is_positive()) {
            missing -= part;
            legs.push(leg(facts, *payment, part, own, None));
        }
    }
    assert!(missing.is_zero(), "the payments had enough");
    if legs.is_empty() { Err(exceeded()) } else { Ok(legs) }
}

fn named(facts: &Facts, request: &RefundRequest, asks: &[LegAsk], draft: &Draft) -> Result<Vec<PlannedLeg>, Rejection> {
    let payments = all_or_first(asks.iter().map(|ask| find(facts, ask)))?;
    let mut legs: Vec<PlannedLeg> = Vec::new();
    let mut over = None;
    for (ask, index) in asks.iter().zip(payments) {
        let same = legs.iter().filter(|l| l.payment == index);
        let (taken, own_taken) =
            same.fold((Amount::ZERO, Amount::ZERO), |(sum, own), l| (sum + l.amount, own + l.own_amount));
        let left = facts.payment_left(index) - taken;
        let own_left = facts.payment_own_left(index) - own_taken;
        let currency = currency_of(facts, ask).expect("its payment was found");
        let asked = positive("payment", ask.amount, currency, request.rounding)?;
        // What is too much has no other side: it is refused below, and a product of it could overflow.
        let (booked, own, available) = match ask.amount_in {
            AmountIn::Books if asked > left => (asked, own_left, left),
            AmountIn::Books => (asked, own_after(facts, index, taken, own_taken, asked), left),
            AmountIn::Own if asked > own_left => (left, asked, own_left),
            AmountIn::Own => (booked_after(facts, index, taken, own_taken, asked), asked, own_left),
        };
        if asked > available && over.is_none() {
            let payment = ask.payment.as_ref().map_or_else(String::new, |p| p.text.clone());
            let currency = match ask.amount_in {
                AmountIn::Books => facts.order.currency,
                AmountIn::Own => facts.payment(index).0.own_currency,
            };
            over = Some(Rejection::PaymentExceeded { payment, asked, available, currency });
        }
        legs.push(leg(facts, index, booked, own, Some(ask)));
    }
    let payments: Amount = legs.iter().map(|l| l.amount).sum();
    if let Some(total) = draft.amount.filter(|total| *total != payments) {
        return Err(Rejection::PaymentsDoNotAddUp { total, payments, currency: facts.order.currency });
    }
    match over {
        Some(rejection) => Err(rejection),
        None if legs.is_empty() => Err(no_money()),
        None if payments > draft.at_most => Err(Rejection::RefundableExceeded {
            asked: payments,
            available: draft.at_most,
            currency: facts.order.currency,
        }),
        None => Ok(legs),
    }
}

/// The payments were to make the amount, and none is named.
fn no_money() -> Rejection {
    Rejection::AmountInvalid { field: "total".to_owned(), amount: Decimal::ZERO, why: AmountError::NotPositive }
}

/// The payment that an entry names, or the only one that fits.
pub(crate) fn find(facts: &Facts, ask: &LegAsk) -> Result<usize, Rejection> {
    if let Some(reference) = &ask.payment {
        let unknown = || Rejection::PaymentUnknown { payment: reference.text.clone() };
        return facts.order.find_payment(reference).ok_or_else(unknown);
    }
    let fits = |(index, payment): &(usize, &Payment)| {
        let channel = ask.channel.is_empty() || payment.channel.eq_ignore_ascii_case(&ask.channel);
        channel && facts.payment_own_left(*index).is_positive()
    };
    let mut fitting = facts.order.payments.iter().enumerate().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some((index, _)), None) => Ok(index),
        (Some(_) | None, _) => Err(Rejection::PaymentUnnamed),
    }
}

fn leg(facts: &Facts, index: usize, amount: Amount, own_amount: Amount, ask: Option<&LegAsk>) -> PlannedLeg {
    let (payment, _) = facts.payment(index);
    let outside = payment.kind.settles_outside() || ask.is_some_and(|a| a.outside) || own_amount.is_zero();
    PlannedLeg {
        payment: index,
        amount,
        own_amount,
        route: if outside { Route::Outside } else { Route::Original },
        gateway: gateway(facts, payment),
        named_channel: ask.map_or_else(String::new, |a| a.channel.clone()),
    }
}

/// The gateway of a leg, empty where it is the one that the payment names.
fn gateway(facts: &Facts, payment: &Payment) -> String {
    let chosen = facts.terms.payouts.gateway_of(payment);
    if chosen == payment.gateway { String::new() } else { chosen.to_owned() }
}

fn own_of(facts: &Facts, index: usize, amount: Amount) -> Amount {
    own_after(facts, index, Amount::ZERO, Amount::ZERO, amount)
}

/// The pair of amounts follows the captured pair between running sums, and what takes the rest of one takes the rest
/// of the other: both currencies are conserved. Money that moves in one moves at least one unit in the other.
fn own_after(facts: &Facts, index: usize, taken: Amount, own_taken: Amount, amount: Amount) -> Amount {
    let (payment, paid) = facts.payment(index);
    let left = facts.payment_rest(index) - taken;
    let own_left = facts.payment_own_rest(index) - own_taken;
    if amount == left {
        return own_left;
    }
    let before = paid.held() + taken;
    let own = payment.own_of(before + amount) - payment.own_of(before);
    own.max(Amount::minor(1)).min(own_left)
}

/// The other direction of [`own_after`].
fn booked_after(facts: &Facts, index: usize, taken: Amount, own_taken: Amount, own: Amount) -> Amount {
    let (payment, paid) = facts.payment(index);
    let left = facts.payment_rest(index) - taken;
    let own_left = facts.payment_own_rest(index) - own_taken;
    if own == own_left {
        return left;
    }
    let before = paid.own_held() + own_taken;
    let booked = payment.booked_of(before + own) - payment.booked_of(before);
    booked.max(Amount::minor(1)).min(left)
}
