//! Order + units and shipping → the most of them that can be refunded, and the payments it would go back through.
//!
//! A quote says what a refund would be, or why it is refused; a trial asks too much on purpose and is told what can be
//! had. What it comes to is accepted by [`crate::quote`]: both run on the same shares, spreads and strategies.

use crate::balances::Facts;
use crate::command::{Ask, CurrencyAsk, PartMoney, UnitAsk, UnitMode};
use crate::money::Amount;
use crate::order::ComponentKind;
use crate::parts::shipping_at_most;
use crate::plan::by_strategy;
use crate::quote::{Draft, PlannedLeg, check_order_currency, check_state};
use crate::refund::{Shape, UnitMove};
use crate::rejection::Rejection;
use crate::units;

/// What is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialAsk {
    /// Units; what happens to their stock is of no matter. A quantity of zero takes none of them.
    pub units: Vec<UnitAsk>,
    /// Shipping; `None` leaves it with the order.
    pub shipping: Option<PartMoney>,
    /// What the caller says of the order's currency.
    pub currency: CurrencyAsk,
}

/// What can be had. All amounts but those of the legs' own are in the order's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// One for each entry that was asked for, in the same order.
    pub units: Vec<TrialUnits>,
    /// Shipping, zero where it was not asked for.
    pub shipping: TrialShipping,
    /// Σ of units and shipping with their taxes, or what all payments together still can give back if that is less.
    pub total: Amount,
    /// The payments that the total would go back through, as the store spreads it; none where the total is zero. They
    /// make the total, save what a payment cannot give back because nothing is left of it in its own currency.
    pub legs: Vec<PlannedLeg>,
}

/// Units of a line that can be refunded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialUnits {
    /// Index into the order's lines.
    pub line: usize,
    /// Which of them, as asked.
    pub mode: UnitMode,
    /// How many, perhaps fewer than asked, perhaps none.
    pub quantity: u32,
    /// Their goods without tax.
    pub net: Amount,
    /// Their tax.
    pub tax: Amount,
    /// Their discount share.
    pub discount: Amount,
}

/// Shipping that can be refunded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrialShipping {
    /// Given back now, without tax.
    pub net: Amount,
    /// Its tax.
    pub tax: Amount,
    /// Net and tax that are left before that.
    pub left: (Amount, Amount),
}

/// Works out what can be had. Nothing is refused that can be lowered instead: what is left are orders that give
/// nothing back at all, other currencies, lines that are not there, figures that are none, and a total that the
/// gateways of the payments do not take.
pub fn trial(facts: &Facts, ask: &TrialAsk) -> Result<Trial, Rejection> {
    check_state(facts, &Ask::Everything)?;
    check_order_currency(facts, &ask.currency)?;
    let moves = units::at_most(facts, &ask.units)?;
    let shipping = shipping(facts, ask.shipping)?;
    let units = ask.units.iter().zip(&moves).map(|(ask, (line, moves))| of_entry(ask, *line, moves));
    let units: Vec<TrialUnits> = units.collect();
    let parts: Amount = units.iter().map(|units| units.net + units.tax).sum();
    let total = (parts + shipping.net + shipping.tax).min(facts.payments_left());
    let legs = if total.is_zero() { Vec::new() } else { legs(facts, total)? };
    Ok(Trial { units, shipping, total, legs })
}

fn of_entry(ask: &UnitAsk, line: usize, moves: &[UnitMove]) -> TrialUnits {
    let nothing =
        TrialUnits { line, mode: ask.mode, quantity: 0, net: Amount::ZERO, tax: Amount::ZERO, discount: Amount::ZERO };
    moves.iter().fold(nothing, |sum, part| TrialUnits {
        quantity: sum.quantity.saturating_add(part.quantity),
        net: sum.net + part.net,
        tax: sum.tax + part.tax,
        discount: sum.discount + part.discount,
        ..sum
    })
}

fn shipping(facts: &Facts, money: Option<PartMoney>) -> Result<TrialShipping, Rejection> {
    let (net, tax) = money.map_or(Ok((Amount::ZERO, Amount::ZERO)), |money| shipping_at_most(facts, money))?;
    let lefts = facts.order.of_kind(ComponentKind::Shipping).map(|component| facts.component_left(component));
    let left = lefts.fold((Amount::ZERO, Amount::ZERO), |sum, left| (sum.0 + left.0, sum.1 + left.1));
    Ok(TrialShipping { net, tax, left })
}

/// The legs of a total that the payments have, each of which could be asked for by what it is in its own currency.
fn legs(facts: &Facts, total: Amount) -> Result<Vec<PlannedLeg>, Rejection> {
    let draft = Draft {
        amount: Some(total),
        at_most: facts.payments_left(),
        allocations: Vec::new(),
        units: Vec::new(),
        shape: Shape::Lines,
    };
    let legs = by_strategy(facts, facts.terms.payouts.strategy, &[], &draft)?;
    let within = |leg: PlannedLeg| {
        // A dispute may hold a minor unit more of the payment's own currency than of the order's.
        let own_amount = leg.own_amount.min(facts.payment_own_left(leg.payment));
        own_amount.is_positive().then_some(PlannedLeg { own_amount, ..leg })
    };
    Ok(legs.into_iter().filter_map(within).collect())
}
