//! How a refund is spread over payments.

use crate::balances::Facts;
use crate::command::{AmountIn, LegAsk, Plan, RefundRequest};
use crate::money::{Amount, AmountError, Decimal};
use crate::order::{Payment, Reference};
use crate::quote::{PlannedLeg, positive};
use crate::refund::Route;
use crate::rejection::Rejection;

/// Plans the legs of `amount`; `None` takes the amount from the named payments.
pub(crate) fn plan_legs(
    facts: &Facts,
    request: &RefundRequest,
    amount: Option<Amount>,
) -> Result<Vec<PlannedLeg>, Rejection> {
    match &request.plan {
        Plan::Named(asks) => named(facts, request, asks, amount),
        Plan::InOrder(first) => {
            let order = payment_order(facts, first)?;
            match amount {
                Some(amount) => in_order(facts, &order, amount),
                None => Err(no_money()),
            }
        }
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

fn in_order(facts: &Facts, order: &[usize], amount: Amount) -> Result<Vec<PlannedLeg>, Rejection> {
    let available = facts.payments_left();
    if amount > available {
        return Err(Rejection::RefundableExceeded { asked: amount, available, currency: facts.order.currency });
    }
    let mut missing = amount;
    let mut legs = Vec::new();
    for payment in order {
        let part = missing.min(facts.payment_left(*payment));
        if part.is_positive() {
            missing -= part;
            legs.push(leg(facts, *payment, part, own_of(facts, *payment, part), None));
        }
    }
    assert!(missing.is_zero(), "the payments had enough");
    Ok(legs)
}

fn named(
    facts: &Facts,
    request: &RefundRequest,
    asks: &[LegAsk],
    amount: Option<Amount>,
) -> Result<Vec<PlannedLeg>, Rejection> {
    let payments = asks.iter().map(|ask| find(facts, ask)).collect::<Result<Vec<usize>, Rejection>>()?;
    let mut legs: Vec<PlannedLeg> = Vec::new();
    let mut over = None;
    for (ask, index) in asks.iter().zip(payments) {
        let same: Vec<&PlannedLeg> = legs.iter().filter(|l| l.payment == index).collect();
        let taken: Amount = same.iter().map(|l| l.amount).sum();
        let own_taken: Amount = same.iter().map(|l| l.own_amount).sum();
        let (payment, _) = facts.payment(index);
        let left = facts.payment_left(index) - taken;
        let own_left = facts.payment_own_left(index) - own_taken;
        let (booked, own, asked, available) = match ask.amount_in {
            AmountIn::Books => {
                let booked = positive("payment", ask.amount, facts.order.currency, request.rounding)?;
                let own = own_after(facts, index, taken, own_taken, booked);
                (booked, own, booked, left)
            }
            AmountIn::Own => {
                let own = positive("payment", ask.amount, payment.own_currency, request.rounding)?;
                let booked = booked_after(facts, index, taken, own_taken, own);
                (booked, own, own, own_left)
            }
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
    if let Some(total) = amount.filter(|total| *total != payments) {
        return Err(Rejection::PaymentsDoNotAddUp { total, payments, currency: facts.order.currency });
    }
    match over {
        Some(rejection) => Err(rejection),
        None if legs.is_empty() => Err(no_money()),
        None => Ok(legs),
    }
}

/// The payments were to make the amount, and none is named.
fn no_money() -> Rejection {
    Rejection::AmountInvalid { field: "total".to_owned(), amount: Decimal::ZERO, why: AmountError::NotPositive }
}

fn find(facts: &Facts, ask: &LegAsk) -> Result<usize, Rejection> {
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
        named_channel: ask.map_or_else(String::new, |a| a.channel.clone()),
    }
}

fn own_of(facts: &Facts, index: usize, amount: Amount) -> Amount {
    own_after(facts, index, Amount::ZERO, Amount::ZERO, amount)
}

/// The pair of amounts follows the captured pair between running sums, and what takes the rest of one takes the rest
/// of the other: both currencies are conserved. Money that moves in one moves at least one unit in the other.
fn own_after(facts: &Facts, index: usize, taken: Amount, own_taken: Amount, amount: Amount) -> Amount {
    let (payment, paid) = facts.payment(index);
    let left = facts.payment_left(index) - taken;
    let own_left = facts.payment_own_left(index) - own_taken;
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
    let left = facts.payment_left(index) - taken;
    let own_left = facts.payment_own_left(index) - own_taken;
    if own == own_left {
        return left;
    }
    let before = paid.own_held() + own_taken;
    let booked = payment.booked_of(before + own) - payment.booked_of(before);
    booked.max(Amount::minor(1)).min(left)
}
