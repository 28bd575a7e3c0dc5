//! What refunds did to an order, in this platform's words.

use refundry_core::balances::Facts;
use refundry_core::refund::{LegState, Progress, Refund, RefundState};
use refundry_core::standing::{self, Goods, Money};

/// `pending`, `finished`, `failed`.
pub(super) const fn state_code(state: RefundState) -> &'static str {
    match state {
        RefundState::Pending => "pending",
        RefundState::Succeeded => "finished",
        RefundState::Failed => "failed",
    }
}

/// `status` of an after-sales case. It has no word for one that failed: that is finished, and its refund says so.
pub(super) const fn progress_code(progress: Progress) -> &'static str {
    match progress {
        Progress::Untouched => "pending",
        Progress::Begun => "processing",
        Progress::Over => "finished",
    }
}

/// The same as [`state_code`] for one payment of a refund; what is in doubt or waits for a person is still pending.
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
pub fn financial_status(facts: &Facts) -> &'static str {
    match standing::money(facts) {
        Money::Waiting => "waiting",
        Money::Cancelled => "cancelled",
        Money::PartlyPaid => "partially_paid",
        Money::Paid => "paid",
        Money::Refunding => "refunding",
        Money::RefundFailed => "refund_failed",
        Money::PartlyRefunded => "partially_refunded",
        Money::Refunded => "refunded",
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

/// `fulfillment_status` of an order, as far as units tell it.
pub(super) fn fulfillment_status(facts: &Facts) -> &'static str {
    goods_word(standing::goods(facts))
}

/// The same for one line.
pub(super) fn line_fulfillment_status(facts: &Facts, line: usize) -> &'static str {
    if line < facts.order.lines.len() { goods_word(standing::goods_of_line(facts, line)) } else { "initialled" }
}

const fn goods_word(goods: Goods) -> &'static str {
    match goods {
        Goods::Initialled => "initialled",
        Goods::Waiting => "waiting",
        Goods::PartlyShipped => "partially_shipped",
        Goods::Shipped => "shipped",
        Goods::PartlyFinished => "partially_finished",
        Goods::Finished => "finished",
        Goods::Cancelled => "cancelled",
    }
}
