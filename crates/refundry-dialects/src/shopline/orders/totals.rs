//! What an order comes to, as this platform adds it up.
//!
//! The books know what each part costs with its tax, and what went back of it. The platform's totals are made of that;
//! `current_…` are those after refunds, where money on its way back has gone.

use refundry_core::balances::Facts;
use refundry_core::money::Amount;
use refundry_core::order::{Component, ComponentKind, Order};

use super::kept::Kept;

/// Totals in the order's currency.
pub(super) struct Totals {
    /// Prices times quantities.
    pub(super) listed: Amount,
    /// What was taken off goods and shipping, without points and rounding.
    pub(super) discounts: Amount,
    /// The goods after that.
    pub(super) subtotal: Amount,
    pub(super) tax: Amount,
    pub(super) shipping: Amount,
    pub(super) tip: Amount,
    /// Rounding, and charges of other platforms: below zero where it was rounded down.
    pub(super) adjustment: Amount,
    /// Member points that were paid with.
    pub(super) points: Amount,
    pub(super) outstanding: Amount,
    pub(super) current_subtotal: Amount,
    pub(super) current_total: Amount,
    pub(super) current_tax: Amount,
    pub(super) current_discounts: Amount,
    pub(super) current_duties: Amount,
}

impl Totals {
    pub(super) fn of(facts: &Facts, kept: Kept<'_>) -> Self {
        let order = &*facts.order;
        let sum = |kinds: &[ComponentKind], part: &dyn Fn(&Component) -> Amount| -> Amount {
            order.components.iter().filter(|c| kinds.contains(&c.kind)).map(part).sum()
        };
        // The tax of whatever is priced without it stands in the tax of the order.
        let priced = |component: &Component| as_priced(order, component);
        let priced_back = |kind| {
            let (net, tax) = back_of(facts, &[kind]);
            if order.taxes_included { net + tax } else { net }
        };
        let listed: Amount = (0..order.lines.len()).map(|line| listed(order, line)).sum();
        let off: Amount = order.lines.iter().map(|line| line.discount).sum();
        let (points, down) = taken_off(order, kept);
        let subtotal = if points.is_zero() && down.is_zero() {
            listed - off
        } else {
            kept.amount(order, "subtotal_price").unwrap_or(listed - off)
        };
        let discounts = listed - subtotal + off_shipping(order, kept);
        let tax: Amount = order.components.iter().map(|c| c.tax).sum();
        let others = [ComponentKind::Additional, ComponentKind::Fee, ComponentKind::ImporterTax];
        let back = facts.balances.succeeded() + facts.balances.pending();
        Self {
            listed,
            discounts,
            subtotal,
            tax,
            shipping: sum(&[ComponentKind::Shipping], &priced),
            tip: sum(&[ComponentKind::Tip], &priced),
            adjustment: sum(&others, &priced) - down,
            points,
            outstanding: order.charged() - order.captured(),
            current_subtotal: (subtotal - priced_back(ComponentKind::Goods)).or_zero(),
            current_total: (order.charged() - back).or_zero(),
            current_tax: (tax - back_of(facts, &ComponentKind::ALL).1).or_zero(),
            current_discounts: (discounts - discounts_back(facts)).or_zero(),
            current_duties: (sum(&[ComponentKind::Duty], &priced) - priced_back(ComponentKind::Duty)).or_zero(),
        }
    }
}

/// Member points, and what the total was rounded down by. Both were spread over the goods when the order came in, and
/// the books have them among the discounts.
pub(super) fn taken_off(order: &Order, kept: Kept<'_>) -> (Amount, Amount) {
    let points = kept.amount(order, "deduct_member_point_amount").unwrap_or_default();
    let rounding = kept.amount(order, "adjust_price").unwrap_or_default();
    (points.or_zero(), (-rounding).or_zero())
}

/// Price times quantity of a line.
fn listed(order: &Order, line: usize) -> Amount {
    let Some(line) = order.lines.get(line) else { return Amount::ZERO };
    Amount::minor(line.unit_price.get().saturating_mul(i64::from(line.quantity)))
}

/// With its tax where prices include it.
pub(super) fn as_priced(order: &Order, component: &Component) -> Amount {
    if order.taxes_included { component.gross() } else { component.net }
}

/// What was taken off shipping, which only the document says: the books have what was charged.
fn off_shipping(order: &Order, kept: Kept<'_>) -> Amount {
    let off = |line: &Kept<'_>| {
        let listed = line.amount(order, "shipping_price")?;
        Some((listed - line.amount(order, "price").unwrap_or(listed)).or_zero())
    };
    kept.list("shipping_lines").iter().filter_map(off).sum()
}

/// Net and tax that refunds hold of components of some kinds.
fn back_of(facts: &Facts, kinds: &[ComponentKind]) -> (Amount, Amount) {
    let components = facts.order.components.iter().zip(&facts.balances.components);
    let held = components.filter(|(component, _)| kinds.contains(&component.kind)).map(|(_, held)| held);
    held.fold((Amount::ZERO, Amount::ZERO), |(net, tax), held| (net + held.net, tax + held.tax))
}

/// What was off the units that were refunded.
fn discounts_back(facts: &Facts) -> Amount {
    let back = |line| facts.order.discount_share(line, 0, facts.units_refunded(line).all());
    (0..facts.order.lines.len()).map(back).sum()
}
