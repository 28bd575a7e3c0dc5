//! What one change of an order means to whoever subscribed to it.
//!
//! This is the only place that derives events. Each public API has its own words for them, and some it has none for.

use crate::balances::Facts;
use crate::money::Amount;
use crate::order::Status;
use crate::standing;

/// Something that happened to an order.
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
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
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
