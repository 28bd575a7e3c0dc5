//! How a refund is spread over payments.

use std::sync::Arc;

use crate::balances::Facts;
use crate::command::{AmountIn, Ask, LegAsk, Plan, RefundRequest, Total};
use crate::money::{Amount, AmountError, Currency, Decimal};
use crate::order::{Payment, Reference};
use crate::payouts::{PaymentLimit, Payouts, Strategy, Terms};
use crate::quote::{Draft, PlannedLeg, positive};
use crate::refund::{Route, Shape};
use crate::rejection::{Rejection, all_or_first};
use crate::room::broken;
use crate::strategy::{Parts, Stuck, spread};

/// Reads the amounts of named payments: they rank before whatever is wrong with payments or sums.
pub(crate) fn check_amounts(facts: &Facts, request: &RefundRequest) -> Result<(), Rejection> {
    let asks: &[LegAsk] = match &request.plan {
        Plan::Named(asks) => asks,
        Plan::InOrder(_) | Plan::Outside { .. } => &[],
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

/// The strategy that decides; `None` where the caller names every leg.
pub(crate) fn strategy_of(facts: &Facts, request: &RefundRequest) -> Option<Strategy> {
    match request.plan {
        Plan::Named(_) => None,
        Plan::InOrder(_) | Plan::Outside { .. } => Some(request.strategy.unwrap_or(facts.terms.payouts.strategy)),
    }
}

/// Plans the legs of a draft; without an amount they make it.
pub(crate) fn plan_legs(facts: &Facts, request: &RefundRequest, draft: &Draft) -> Result<Vec<PlannedLeg>, Rejection> {
    match &request.plan {
        Plan::Named(asks) => named(facts, request, asks, draft),
        Plan::InOrder(first) => {
            let strategy = request.strategy.unwrap_or(facts.terms.payouts.strategy);
            by_strategy(facts, strategy, &named_first(facts, first)?, draft)
        }
        Plan::Outside { but } => {
            let strategy = request.strategy.unwrap_or(facts.terms.payouts.strategy);
            outside(facts, strategy, but, draft)
        }
    }
}

/// Plans legs that are paid by hand, save those through payments of one channel.
fn outside(facts: &Facts, strategy: Strategy, but: &str, draft: &Draft) -> Result<Vec<PlannedLeg>, Rejection> {
    let by_hand = |payment: &Payment| but.is_empty() || !payment.channel.eq_ignore_ascii_case(but);
    let mut legs = Vec::new();
    for PlannedLeg { payment, amount, own_amount, .. } in
        by_strategy(&without_limits(facts, by_hand), strategy, &[], draft)?
    {
        let leg = leg(facts, payment, amount, own_amount, None);
        if by_hand(facts.payment(payment).0) {
            legs.push(PlannedLeg { route: Route::Outside, ..leg });
            continue;
        }
        // Its method may be called as a channel that is paid by hand.
        if let Some(limit) = broken(facts, payment, own_amount, false) {
            return Err(limited(facts, payment, None, limit, own_amount));
        }
        legs.push(leg);
    }
    Ok(legs)
}

/// The facts for a plan by which some payments are paid back by hand: what their gateways take does not matter then.
fn without_limits(facts: &Facts, by_hand: impl Fn(&Payment) -> bool) -> Facts {
    let mut payouts = Payouts::clone(&facts.terms.payouts);
    let payments = facts.order.payments.iter().filter(|payment| by_hand(payment));
    payouts.held.extend(payments.map(|payment| payment.channel.to_lowercase()));
    Facts { terms: Terms { payouts: Arc::new(payouts), ..facts.terms.clone() }, ..facts.clone() }
}

/// The payments named first, each once.
pub(crate) fn named_first(facts: &Facts, first: &[Reference]) -> Result<Vec<usize>, Rejection> {
    let mut named = Vec::new();
    for reference in first {
        let unknown = || Rejection::PaymentUnknown { payment: reference.text.clone() };
        let index = facts.order.find_payment(reference).ok_or_else(unknown)?;
        if !named.contains(&index) {
            named.push(index);
        }
    }
    Ok(named)
}

/// Plans legs for the amount of a draft: over the payments named first, then by the strategy.
pub(crate) fn by_strategy(
    facts: &Facts,
    strategy: Strategy,
    first: &[usize],
    draft: &Draft,
) -> Result<Vec<PlannedLeg>, Rejection> {
    let amount = draft.amount.ok_or_else(no_money)?;
    let parts = match draft.shape {
        Shape::Everything => sweep(facts, first)?,
        Shape::Parts | Shape::Lines | Shape::Amount(_) | Shape::Percent(_) | Shape::Items | Shape::Imported => {
            spread(facts, strategy, first, amount).map_err(|stuck| limited_part(facts, &stuck))?
        }
    };
    if amount > draft.at_most || parts.is_empty() {
        let currency = facts.order.currency;
        return Err(Rejection::RefundableExceeded { asked: amount, available: draft.at_most, currency });
    }
    let legs = parts.into_iter().map(|(payment, part)| leg(facts, payment, part, own_of(facts, payment, part), None));
    let legs: Vec<PlannedLeg> = legs.collect();
    assert_eq!(legs.iter().map(|leg| leg.amount).sum::<Amount>(), amount, "the payments had enough");
    Ok(legs)
}

/// All that every payment has left, whatever the strategy: the rest of both its currencies, even where rounding has
/// used up one of them.
fn sweep(facts: &Facts, first: &[usize]) -> Result<Parts, Rejection> {
    let others = (0..facts.order.payments.len()).filter(|payment| !first.contains(payment));
    let mut parts = Vec::new();
    for payment in first.iter().copied().chain(others) {
        let part = facts.payment_left(payment);
        let own = own_of(facts, payment, part);
        if part.is_zero() && own.is_zero() {
            continue;
        }
        if let Some(limit) = broken(facts, payment, own, false) {
            return Err(limited(facts, payment, None, limit, own));
        }
        parts.push((payment, part));
    }
    Ok(parts)
}

fn limited_part(facts: &Facts, stuck: &Stuck) -> Rejection {
    let own = own_of(facts, stuck.payment, stuck.part);
    let limit = broken(facts, stuck.payment, own, false).expect("a limit was in the way");
    limited(facts, stuck.payment, None, limit, own)
}

/// A payment's gateway does not take this much of its own currency.
fn limited(facts: &Facts, payment: usize, ask: Option<&LegAsk>, limit: PaymentLimit, asked: Amount) -> Rejection {
    let (payment, _) = facts.payment(payment);
    let by_caller = ask.and_then(|ask| ask.payment.as_ref()).map(|reference| reference.text.clone());
    let known = || payment.external_id.clone().unwrap_or_else(|| payment.id.to_string());
    Rejection::PaymentLimited {
        payment: by_caller.filter(|text| !text.is_empty()).unwrap_or_else(known),
        limit,
        asked,
        currency: payment.own_currency,
    }
}

fn named(facts: &Facts, request: &RefundRequest, asks: &[LegAsk], draft: &Draft) -> Result<Vec<PlannedLeg>, Rejection> {
    let payments = all_or_first(asks.iter().map(|ask| find(facts, ask)))?;
    let mut legs: Vec<PlannedLeg> = Vec::new();
    let (mut over, mut barred) = (None, None);
    for (ask, index) in asks.iter().zip(payments) {
        let same = legs.iter().filter(|l| l.payment == index);
        let sent_before = same.clone().any(|l| l.route == Route::Original);
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
            // Rounding never takes what a dispute holds of the other currency.
            AmountIn::Own => (booked_after(facts, index, taken, own_taken, asked).min(left), asked, own_left),
        };
        if asked > available && over.is_none() {
            let payment = ask.payment.as_ref().map_or_else(String::new, |p| p.text.clone());
            let currency = match ask.amount_in {
                AmountIn::Books => facts.order.currency,
                AmountIn::Own => facts.payment(index).0.own_currency,
            };
            over = Some(Rejection::PaymentExceeded { payment, asked, available, currency });
        }
        let leg = leg(facts, index, booked, own, Some(ask));
        if leg.route == Route::Original && barred.is_none() {
            let limit = broken(facts, index, own, sent_before);
            barred = limit.map(|limit| limited(facts, index, Some(ask), limit, own));
        }
        legs.push(leg);
    }
    let payments: Amount = legs.iter().map(|l| l.amount).sum();
    if let Some(total) = draft.amount.filter(|total| *total != payments) {
        return Err(Rejection::PaymentsDoNotAddUp { total, payments, currency: facts.order.currency });
    }
    match over.or(barred) {
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
    let by_kind = payment.kind.settles_outside() && !facts.terms.payouts.holds(payment);
    let outside = by_kind || ask.is_some_and(|a| a.outside) || own_amount.is_zero();
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

/// What an amount through a payment is in the payment's own currency.
pub(crate) fn own_of(facts: &Facts, index: usize, amount: Amount) -> Amount {
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
    // A payment that is contested as a whole moves nothing, in neither of its currencies.
    if amount.is_zero() {
        return Amount::ZERO;
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
