//! What one change of an order means to whoever subscribed to it.
//!
//! This is the only place that derives events. Each public API has its own words for them, and some it has none for.

use crate::balances::Facts;
use crate::money::Amount;
use crate::order::{Id, Status};
use crate::refund::{Leg, LegState, Refund};
use crate::standing;

/// Something that happened to an order, to something of it, or to goods in stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// It came in.
    OrderCreated,
    /// Anything about it changed.
    OrderUpdated,
    /// All that it costs is paid.
    OrderPaid,
    /// Some more of its units were shipped, not all.
    OrderPartlyFulfilled,
    /// All of its units are shipped.
    OrderFulfilled,
    /// All of its units are delivered.
    OrderFinished,
    /// Some money arrived back.
    OrderPartlyRefunded,
    /// All money that was paid arrived back.
    OrderRefunded,
    /// It was called off.
    OrderCancelled,
    /// It was deleted.
    OrderDeleted,
    /// A parcel of it was sent; the parcel is the event's subject.
    ParcelCreated,
    /// Something of a parcel changed: how it is followed, that it arrived, that it was called off.
    ParcelUpdated,
    /// A refund of it was made; the refund is the event's subject.
    RefundCreated,
    /// Money of a refund arrived, or surely will not, or is open again after that was said.
    RefundUpdated,
    /// Somebody changed what the order says.
    OrderEdited,
    /// Something was told of a payment of it; the transaction is the event's subject.
    TransactionCreated,
    /// Units of it are to come back; the return is the event's subject.
    ReturnCreated,
    /// A return was closed, or called off.
    ReturnUpdated,
    /// How many units of a variant are at a location; of no order.
    StockChanged,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::OrderCreated,
        Self::OrderUpdated,
        Self::OrderPaid,
        Self::OrderPartlyFulfilled,
        Self::OrderFulfilled,
        Self::OrderFinished,
        Self::OrderPartlyRefunded,
        Self::OrderRefunded,
        Self::OrderCancelled,
        Self::OrderDeleted,
        Self::ParcelCreated,
        Self::ParcelUpdated,
        Self::RefundCreated,
        Self::RefundUpdated,
        Self::OrderEdited,
        Self::TransactionCreated,
        Self::ReturnCreated,
        Self::ReturnUpdated,
        Self::StockChanged,
    ];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OrderCreated => "order_created",
            Self::OrderUpdated => "order_updated",
            Self::OrderPaid => "order_paid",
            Self::OrderPartlyFulfilled => "order_partly_fulfilled",
            Self::OrderFulfilled => "order_fulfilled",
            Self::OrderFinished => "order_finished",
            Self::OrderPartlyRefunded => "order_partly_refunded",
            Self::OrderRefunded => "order_refunded",
            Self::OrderCancelled => "order_cancelled",
            Self::OrderDeleted => "order_deleted",
            Self::ParcelCreated => "parcel_created",
            Self::ParcelUpdated => "parcel_updated",
            Self::RefundCreated => "refund_created",
            Self::RefundUpdated => "refund_updated",
            Self::OrderEdited => "order_edited",
            Self::TransactionCreated => "transaction_created",
            Self::ReturnCreated => "return_created",
            Self::ReturnUpdated => "return_updated",
            Self::StockChanged => "stock_changed",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// What of an order events are told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// All that it costs is paid.
    paid: bool,
    captured: Amount,
    /// Σ of what arrived back.
    succeeded: Amount,
    units: standing::Units,
    cancelled: bool,
    deleted: bool,
}

impl Snapshot {
    /// The order as it stands.
    pub fn of(facts: &Facts) -> Self {
        let order = &facts.order;
        let captured = order.captured();
        Self {
            paid: captured.is_positive() && captured >= order.charged(),
            captured,
            succeeded: facts.balances.succeeded(),
            units: standing::all_units(facts),
            cancelled: order.status == Status::Cancelled,
            deleted: order.life.deleted_ms.is_some(),
        }
    }
}

/// What a change of an order means, in the order in which it is told. `before` is `None` for an order that just came
/// in, which is told as created, and as paid if it is: what else became of it before is its history, not news.
///
/// An order that was deleted is told as that and nothing else. Every other change ends with `OrderUpdated`.
pub fn events(before: Option<&Snapshot>, after: &Snapshot) -> Vec<EventKind> {
    let Some(before) = before else {
        let paid = after.paid.then_some(EventKind::OrderPaid);
        return [EventKind::OrderCreated].into_iter().chain(paid).collect();
    };
    if after.deleted && !before.deleted {
        return vec![EventKind::OrderDeleted];
    }
    let (was, is) = (before.units, after.units);
    let refunded = match () {
        () if after.succeeded <= before.succeeded => None,
        () if after.succeeded >= after.captured => Some(EventKind::OrderRefunded),
        () => Some(EventKind::OrderPartlyRefunded),
    };
    let shipped = match () {
        () if is.all_shipped() && !was.all_shipped() => Some(EventKind::OrderFulfilled),
        () if is.shipped > was.shipped && !is.all_shipped() => Some(EventKind::OrderPartlyFulfilled),
        () => None,
    };
    let told = [
        (after.paid && !before.paid).then_some(EventKind::OrderPaid),
        shipped,
        (is.all_delivered() && !was.all_delivered()).then_some(EventKind::OrderFinished),
        refunded,
        (after.cancelled && !before.cancelled).then_some(EventKind::OrderCancelled),
        Some(EventKind::OrderUpdated),
    ];
    told.into_iter().flatten().collect()
}

/// What a change of a refund means; `before` is `None` for one that was just made. It is told before what it means for
/// its order. What only moves a leg on its way is no news: to a subscriber it was pending and still is.
pub fn of_refund(before: Option<&Refund>, after: &Refund) -> Option<EventKind> {
    let Some(before) = before else { return Some(EventKind::RefundCreated) };
    let told = |was: &LegState, is: &LegState| (was.is_final() || is.is_final()) && was != is;
    let mut legs = before.legs.iter().zip(&after.legs);
    legs.any(|(was, is)| told(&was.state, &is.state)).then_some(EventKind::RefundUpdated)
}

/// The refunds of an order as they were when it was as `facts` say, of those that it has by now: later ones are left
/// out, and legs that ended since are waiting again.
///
/// Which legs those are is told by the sums of each payment, latest end first, so what is shown adds up to what the
/// order says. What failed after it had arrived is shown as failed already: how it stood before is not kept.
pub fn refunds_then(facts: &Facts, refunds: Vec<Refund>) -> Vec<Refund> {
    let mut then: Vec<Refund> = refunds.into_iter().filter(|r| r.number <= facts.balances.refunds).collect();
    let is_open = |leg: &Leg| !leg.state.is_final();
    for (payment, paid) in facts.balances.payments.iter().enumerate() {
        let of_payment = then.iter().flat_map(|refund| &refund.legs).filter(|leg| leg.payment == payment);
        let open: Amount = of_payment.clone().filter(|leg| is_open(leg)).map(|leg| leg.amount).sum();
        let mut ended: Vec<(Option<i64>, Id, Amount)> =
            of_payment.filter(|leg| !is_open(leg)).map(|leg| (leg.finished_ms(), leg.id, leg.amount)).collect();
        ended.sort_by_key(|(at_ms, id, _)| std::cmp::Reverse((*at_ms, *id)));
        let mut short = paid.pending - open;
        for (_, id, amount) in ended {
            if amount.is_positive() && amount <= short {
                short -= amount;
                for refund in &mut then {
                    open_again(refund, id);
                }
            }
        }
    }
    then
}

/// Takes back that a leg ended.
fn open_again(refund: &mut Refund, id: Id) {
    let Some(leg) = refund.legs.iter_mut().find(|leg| leg.id == id) else { return };
    leg.state = LegState::Waiting;
    leg.reference.clear();
    leg.retried_by = None;
    if refund.legs.iter().all(|leg| !leg.state.is_failed()) {
        for allocation in &mut refund.allocations {
            allocation.returned = (Amount::ZERO, Amount::ZERO);
        }
    }
    for units in &mut refund.units {
        units.reopened = false;
    }
}
