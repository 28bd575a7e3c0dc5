//! Order + request → who gets back how much, by which payment, to the minor unit.
//!
//! A quote is a promise: quoting and creating run this same function on the same facts. Checks run in the rank order
//! of [`Rejection`]; the helper modules compute, and the first thing wrong is returned.

use std::collections::BTreeMap;

use crate::amounts::{by_amount, by_items, by_percent};
use crate::balances::Facts;
use crate::command::{Ask, CurrencyAsk, Plan, RefundRequest, Rounding};
use crate::money::{Amount, AmountError, Currency, Decimal};
use crate::order::Order;
use crate::parts::{by_lines, by_parts, everything};
use crate::payouts::Strategy;
use crate::plan::{by_strategy, check_amounts, find, named_first, plan_legs, strategy_of};
use crate::refund::{Allocation, Cap, CapKind, Route, Shape, UnitMove};
use crate::rejection::Rejection;

/// What a refund would be: every figure of it, but no id and no time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Σ legs = Σ allocations + discrepancy.
    pub amount: Amount,
    /// What legs give beyond (or, negative, short of) the allocations.
    pub discrepancy: Amount,
    /// Which component each part belongs to.
    pub allocations: Vec<Allocation>,
    /// Units taken out of the order.
    pub units: Vec<UnitMove>,
    /// One per payment touched.
    pub legs: Vec<PlannedLeg>,
    /// How it was spread over the payments that were not named; `None` where the caller named every leg.
    pub strategy: Option<Strategy>,
    /// How it was asked for.
    pub shape: Shape,
    /// The limit that left the least room.
    pub nearest_cap: Cap,
}

/// A leg before it has an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedLeg {
    /// Index into the order's payments.
    pub payment: usize,
    /// In the order's currency.
    pub amount: Amount,
    /// In the payment's own currency.
    pub own_amount: Amount,
    /// How the money travels.
    pub route: Route,
    /// The gateway that pays back, empty where it is the one that the payment names.
    pub gateway: String,
    /// The channel the caller named, for display, may be empty.
    pub named_channel: String,
}

impl PlannedLeg {
    /// The gateway that pays back.
    pub fn gateway<'l>(&'l self, order: &'l Order) -> &'l str {
        if self.gateway.is_empty() {
            return order.payments.get(self.payment).map_or("", |payment| payment.gateway.as_str());
        }
        &self.gateway
    }
}

/// What a refund would be by another strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// Every strategy that leads to these legs, in the order of [`Strategy::ALL`].
    pub strategies: Vec<Strategy>,
    /// The legs, in the order in which the first of them asks the payments.
    pub legs: Vec<PlannedLeg>,
}

/// What each strategy would make of the amount of a quote, one entry per distinct set of legs; those that would be
/// refused are left out. Payments that the request names to go first do so here too; legs that it names do not count.
pub fn alternatives(facts: &Facts, request: &RefundRequest, quote: &Quote) -> Vec<Alternative> {
    let first = match &request.plan {
        Plan::InOrder(first) => named_first(facts, first).unwrap_or_default(),
        Plan::Outside { .. } | Plan::Named(_) => Vec::new(),
    };
    let draft = Draft {
        amount: Some(quote.amount),
        at_most: quote.amount,
        allocations: Vec::new(),
        units: Vec::new(),
        shape: quote.shape,
    };
    let mut all: Vec<Alternative> = Vec::new();
    for strategy in Strategy::ALL {
        let Ok(legs) = by_strategy(facts, strategy, &first, &draft) else { continue };
        let through = by_payment(&legs);
        match all.iter_mut().find(|known| by_payment(&known.legs) == through) {
            Some(known) => known.strategies.push(strategy),
            None => all.push(Alternative { strategies: vec![strategy], legs }),
        }
    }
    all
}

/// What an ask comes to before payments are considered.
pub(crate) struct Draft {
    /// `None` where the named payments make the amount.
    pub(crate) amount: Option<Amount>,
    /// More than this is refused: what the payments have left, for refunds by amount also what components have left.
    pub(crate) at_most: Amount,
    pub(crate) allocations: Vec<Allocation>,
    pub(crate) units: Vec<UnitMove>,
    pub(crate) shape: Shape,
}

/// Works a request out, or says why it is refused. Pure: the same facts and request give the same answer.
pub fn quote(facts: &Facts, request: &RefundRequest) -> Result<Quote, Rejection> {
    check_expectation(facts, request)?;
    check_state(facts, &request.ask)?;
    check_currency(facts, request)?;
    let draft = match (draft(facts, request), check_amounts(facts, request)) {
        (Err(one), Err(other)) => return Err(if other.rank() < one.rank() { other } else { one }),
        (draft, amounts) => amounts.and(draft)?,
    };
    let legs = plan_legs(facts, request, &draft)?;
    let amount: Amount = legs.iter().map(|leg| leg.amount).sum();
    let allocated: Amount = draft.allocations.iter().map(Allocation::gross).sum();
    let quote = Quote {
        amount,
        discrepancy: amount - allocated,
        nearest_cap: nearest_cap(facts, &draft.allocations, &legs),
        allocations: draft.allocations,
        units: draft.units,
        legs,
        strategy: strategy_of(facts, request),
        shape: draft.shape,
    };
    assert_promises(facts, &quote);
    Ok(quote)
}

fn draft(facts: &Facts, request: &RefundRequest) -> Result<Draft, Rejection> {
    match &request.ask {
        Ask::Parts(parts) => by_parts(facts, parts, request.rounding),
        Ask::Amount { amount, class } => by_amount(facts, *amount, *class, request.rounding),
        Ask::Percent { percent, class } => by_percent(facts, *percent, *class),
        Ask::Items(items) => by_items(facts, items, request.rounding),
        Ask::Lines { units, returned } => by_lines(facts, units, *returned),
        Ask::Everything => Ok(everything(facts)),
    }
}

fn check_expectation(facts: &Facts, request: &RefundRequest) -> Result<(), Rejection> {
    let Some(expected) = request.refundable_before else { return Ok(()) };
    let (actual, currency) = (facts.payments_left(), facts.order.currency);
    if expected.to_minor(currency) == Ok(actual) {
        return Ok(());
    }
    Err(Rejection::RefundableStale { expected, actual, currency })
}

/// Amounts, percentages and items are judged by their figures alone, as Digital River does: an order with nothing left
/// refuses them because they exceed it.
pub(crate) fn check_state(facts: &Facts, ask: &Ask) -> Result<(), Rejection> {
    if facts.order.disputed {
        return Err(Rejection::OrderDisputed);
    }
    if facts.order.life.deleted_ms.is_some() {
        return Err(Rejection::OrderDeleted);
    }
    match ask {
        Ask::Parts(_) | Ask::Lines { .. } | Ask::Everything => {
            if facts.order.captured().is_zero() {
                return Err(Rejection::OrderUnpaid);
            }
            if !facts.any_payment_left() {
                return Err(Rejection::NothingLeft);
            }
            if matches!(ask, Ask::Lines { .. }) && facts.balances.customized {
                return Err(Rejection::AmountsOnly);
            }
            Ok(())
        }
        Ask::Amount { .. } | Ask::Percent { .. } | Ask::Items(_) => Ok(()),
    }
}

fn check_currency(facts: &Facts, request: &RefundRequest) -> Result<(), Rejection> {
    check_order_currency(facts, &request.currency)?;
    let order = &facts.order;
    let shop = shop_currency(order);
    let Plan::Named(legs) = &request.plan else { return Ok(()) };
    for leg in legs {
        // A payment that is not there is refused later, with its own code.
        let Some(payment) = find(facts, leg).ok().and_then(|i| order.payments.get(i)) else { continue };
        if let Err(given) = currency_agrees(&leg.currency, payment.own_currency, shop) {
            return Err(Rejection::PaymentCurrencyDiffers { given, wanted: payment.own_currency });
        }
    }
    Ok(())
}

/// What the caller says of the order's currency.
pub(crate) fn check_order_currency(facts: &Facts, ask: &CurrencyAsk) -> Result<(), Rejection> {
    let order = &facts.order;
    currency_agrees(ask, order.currency, shop_currency(order))
        .map_err(|given| Rejection::CurrencyDiffers { given, wanted: order.currency })
}

fn shop_currency(order: &Order) -> Currency {
    order.shop.map_or(order.currency, |shop| shop.currency)
}

fn currency_agrees(ask: &CurrencyAsk, wanted: Currency, shop: Currency) -> Result<(), Option<String>> {
    match ask {
        CurrencyAsk::Unsaid => Ok(()),
        CurrencyAsk::Is(code) if code == wanted.code() => Ok(()),
        CurrencyAsk::Is(code) => Err(Some(code.clone())),
        CurrencyAsk::ShopAssumed if wanted == shop => Ok(()),
        CurrencyAsk::ShopAssumed => Err(None),
    }
}

/// Reads an amount that must be above zero.
pub(crate) fn positive(
    field: &str,
    amount: Decimal,
    currency: Currency,
    rounding: Rounding,
) -> Result<Amount, Rejection> {
    let minor = not_negative(field, amount, currency, rounding)?;
    if minor.is_zero() {
        return Err(Rejection::AmountInvalid { field: field.to_owned(), amount, why: AmountError::NotPositive });
    }
    Ok(minor)
}

/// Reads an amount that must not be below zero.
pub(crate) fn not_negative(
    field: &str,
    amount: Decimal,
    currency: Currency,
    rounding: Rounding,
) -> Result<Amount, Rejection> {
    let read = match rounding {
        Rounding::Exact => amount.to_minor(currency),
        Rounding::HalfUp => amount.to_minor_half_up(currency),
    };
    let checked = read.and_then(|minor| if minor.is_negative() { Err(AmountError::NotPositive) } else { Ok(minor) });
    checked.map_err(|why| Rejection::AmountInvalid { field: field.to_owned(), amount, why })
}

/// A pair of sums per component or payment; the largest order has thousands, so nothing here compares all with all.
type Sums = BTreeMap<usize, (Amount, Amount)>;

fn sums(parts: impl Iterator<Item = (usize, Amount, Amount)>) -> Sums {
    let mut sums = Sums::new();
    for (index, one, other) in parts {
        let sum = sums.entry(index).or_default();
        *sum = (sum.0 + one, sum.1 + other);
    }
    sums
}

/// Net and tax that each component gives.
fn by_component(allocations: &[Allocation]) -> Sums {
    sums(allocations.iter().map(|a| (a.component, a.net, a.tax)))
}

/// What goes through each payment, in the order's currency and in its own.
fn by_payment(legs: &[PlannedLeg]) -> Sums {
    sums(legs.iter().map(|leg| (leg.payment, leg.amount, leg.own_amount)))
}

fn nearest_cap(facts: &Facts, allocations: &[Allocation], legs: &[PlannedLeg]) -> Cap {
    let (given, through) = (by_component(allocations), by_payment(legs));
    let of_components = allocations.iter().map(|allocation| {
        let index = allocation.component;
        let taken = given.get(&index).map_or(Amount::ZERO, |(net, tax)| *net + *tax);
        Cap { by: CapKind::Component(index), left: facts.component_left_gross(index) - taken }
    });
    let of_payments = legs.iter().map(|leg| {
        let taken = through.get(&leg.payment).map_or(Amount::ZERO, |(amount, _)| *amount);
        Cap { by: CapKind::Payment(leg.payment), left: facts.payment_left(leg.payment) - taken }
    });
    of_payments.chain(of_components).min_by_key(|cap| cap.left).expect("a refund has a leg")
}

/// What every quote must keep, whatever was asked: a violation is a bug here, and stops before anything is stored.
fn assert_promises(facts: &Facts, quote: &Quote) {
    assert!(!quote.legs.is_empty(), "a refund has a leg");
    assert!(quote.amount.is_positive() || quote.legs.iter().any(|l| l.own_amount.is_positive()), "money moves");
    for leg in &quote.legs {
        assert!(!leg.amount.is_negative() && !leg.own_amount.is_negative(), "a leg is not negative");
    }
    for (payment, (amount, own)) in by_payment(&quote.legs) {
        assert!(amount <= facts.payment_left(payment), "never above the payment");
        assert!(own <= facts.payment_own_rest(payment), "never above the payment in its own currency");
    }
    for allocation in &quote.allocations {
        assert!(!allocation.net.is_negative() && !allocation.tax.is_negative(), "an allocation is not negative");
    }
    for (component, (net, tax)) in by_component(&quote.allocations) {
        let (net_left, tax_left) = facts.component_left(component);
        assert!(net <= net_left && tax <= tax_left, "never above the component");
    }
}
