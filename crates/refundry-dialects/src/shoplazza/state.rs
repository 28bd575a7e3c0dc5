//! What refunds did to an order, in this platform's words.

use refundry_core::balances::Facts;
use refundry_core::order::Status;
use refundry_core::refund::{LegState, Refund, RefundState};

/// `pending`, `finished`, `failed`.
pub(super) const fn state_code(state: RefundState) -> &'static str {
    match state {
        RefundState::Pending => "pending",
        RefundState::Succeeded => "finished",
        RefundState::Failed => "failed",
    }
}

/// The same for one payment of a refund; what is in doubt or waits for a person is still pending.
pub(super) const fn leg_code(state: &LegState) -> &'static str {
    match state {
        LegState::Waiting | LegState::Sent | LegState::InDoubt { .. } | LegState::Parked { .. } => "pending",
        LegState::Succeeded { .. } => "finished",
        LegState::Failed { .. } => "failed",
    }
}

/// How a refund was made: `general` with units, `customize` as a mere amount.
pub(super) fn method_code(refund: &Refund) -> &'static str {
    if refund.units.is_empty() { "customize" } else { "general" }
}

/// `financial_status` of an order.
///
/// Only money that arrived makes an order `refunded`; as long as any is on its way it is `refunding`.
pub fn financial_status(facts: &Facts) -> &'static str {
    let (captured, succeeded) = (facts.order.captured(), facts.balances.succeeded());
    match () {
        () if captured.is_zero() && facts.order.status == Status::Cancelled => "cancelled",
        () if captured.is_zero() => "waiting",
        () if facts.balances.pending().is_positive() => "refunding",
        () if succeeded >= captured => "refunded",
        () if succeeded.is_positive() => "partially_refunded",
        () if facts.balances.refunds > 0 => "refund_failed",
        () if captured < facts.order.charged() => "partially_paid",
        () => "paid",
    }
}

/// `all_refunded`: everything that was paid has arrived back.
pub fn fully_refunded(facts: &Facts) -> bool {
    let captured = facts.order.captured();
    captured.is_positive() && facts.balances.succeeded() >= captured
}

/// `refund_status` of an order, which names a method: once `customize`, it stays so.
pub fn refund_status(facts: &Facts) -> &'static str {
    match () {
        () if facts.balances.refunds == 0 => "none",
        () if facts.balances.customized => "customize",
        () => "general",
    }
}

/// `fulfillment_status` of an order, as far as units tell it: those refunded before they were shipped do not count.
pub(super) fn fulfillment_status(facts: &Facts) -> &'static str {
    let lines = facts.order.lines.iter().enumerate();
    let (shipped, shippable) = lines.fold((0_u64, 0_u64), |(shipped, shippable), (index, line)| {
        let gone = u64::from(facts.units_refunded(index).waiting) + u64::from(line.cancelled);
        (shipped + u64::from(line.shipped), shippable + u64::from(line.quantity).saturating_sub(gone))
    });
    shipping_word(shipped, shippable, facts.order.captured().is_positive())
}

/// The same for one line.
pub(super) fn line_fulfillment_status(facts: &Facts, index: usize) -> &'static str {
    let Some(line) = facts.order.lines.get(index) else { return "initialled" };
    let gone = u64::from(facts.units_refunded(index).waiting) + u64::from(line.cancelled);
    let shippable = u64::from(line.quantity).saturating_sub(gone);
    shipping_word(u64::from(line.shipped), shippable, facts.order.captured().is_positive())
}

fn shipping_word(shipped: u64, shippable: u64, paid: bool) -> &'static str {
    match () {
        () if shippable == 0 => "cancelled",
        () if shipped >= shippable => "shipped",
        () if shipped > 0 => "partially_shipped",
        () if paid => "waiting",
        () => "initialled",
    }
}
