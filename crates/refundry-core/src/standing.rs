//! Where an order stands, in words that every public API can tell its own from.
//!
//! Everything here follows from the facts of an order and its balances. Lists are filtered by it, and whoever
//! subscribed to an order hears when it changes.

use crate::balances::Facts;
use crate::order::{Order, Status};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its course.
    pub stage: Stage,
    /// Its money.
    pub money: Money,
    /// Its goods.
    pub goods: Goods,
}

/// The course of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Nothing is paid.
    Opened,
    /// Paid, and on its way.
    Placed,
    /// All that was to be shipped was delivered.
    Finished,
    /// Called off.
    Cancelled,
}

/// The money of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Money {
    /// Nothing is paid.
    Waiting,
    /// Called off before anything was paid.
    Cancelled,
    /// Less is paid than it costs.
    PartlyPaid,
    /// All is paid.
    Paid,
    /// Some is on its way back.
    Refunding,
    /// None of what was to go back arrived.
    RefundFailed,
    /// Some arrived back.
    PartlyRefunded,
    /// All that was paid arrived back.
    Refunded,
}

/// The goods of an order, or of one line. Units refunded before they were shipped do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Goods {
    /// Nothing is paid or shipped.
    Initialled,
    /// Paid, nothing shipped.
    Waiting,
    /// Some are shipped.
    PartlyShipped,
    /// All are shipped.
    Shipped,
    /// Some are delivered.
    PartlyFinished,
    /// All are delivered.
    Finished,
    /// None is left that could be shipped.
    Cancelled,
}

/// The money of an order where money on its way back counts as gone back already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tally {
    /// Nothing is paid.
    Unpaid,
    /// Less is paid than it costs.
    PartlyPaid,
    /// All is paid.
    Paid,
    /// Some went back.
    PartlyBack,
    /// All that was paid went back.
    Back,
}

/// How much of an order, or of one line, left, whatever arrived. Units refunded before they were shipped do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sent {
    /// Nothing.
    Nothing,
    /// Some units.
    Some,
    /// All there are to ship.
    All,
}

impl Tally {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Unpaid, Self::PartlyPaid, Self::Paid, Self::PartlyBack, Self::Back];
}

impl Sent {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Nothing, Self::Some, Self::All];
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Opened, Self::Placed, Self::Finished, Self::Cancelled];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Placed => "placed",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Money {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Cancelled,
        Self::PartlyPaid,
        Self::Paid,
        Self::Refunding,
        Self::RefundFailed,
        Self::PartlyRefunded,
        Self::Refunded,
    ];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Cancelled => "cancelled",
            Self::PartlyPaid => "partly_paid",
            Self::Paid => "paid",
            Self::Refunding => "refunding",
            Self::RefundFailed => "refund_failed",
            Self::PartlyRefunded => "partly_refunded",
            Self::Refunded => "refunded",
        }
    }

    /// What the tally of an order with such money may be.
    pub const fn tallies(self) -> &'static [Tally] {
        match self {
            Self::Waiting | Self::Cancelled => &[Tally::Unpaid],
            Self::PartlyPaid => &[Tally::PartlyPaid],
            Self::Paid => &[Tally::Paid],
            Self::Refunding => &[Tally::PartlyBack, Tally::Back],
            Self::RefundFailed => &[Tally::PartlyPaid, Tally::Paid],
            Self::PartlyRefunded => &[Tally::PartlyBack],
            Self::Refunded => &[Tally::Back],
        }
    }
}

impl Goods {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Initialled,
        Self::Waiting,
        Self::PartlyShipped,
        Self::Shipped,
        Self::PartlyFinished,
        Self::Finished,
        Self::Cancelled,
    ];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Initialled => "initialled",
            Self::Waiting => "waiting",
            Self::PartlyShipped => "partly_shipped",
            Self::Shipped => "shipped",
            Self::PartlyFinished => "partly_finished",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
        }
    }

    /// How much may have left of an order with such goods.
    pub const fn sent(self) -> &'static [Sent] {
        match self {
            Self::Initialled | Self::Waiting | Self::Cancelled => &[Sent::Nothing],
            Self::PartlyShipped => &[Sent::Some],
            Self::PartlyFinished => &[Sent::Some, Sent::All],
            Self::Shipped | Self::Finished => &[Sent::All],
        }
    }
}

/// Where an order stands.
pub fn standing(facts: &Facts) -> Standing {
    let (money, goods) = (money(facts), goods(facts));
    let stage = match () {
        () if facts.order.status == Status::Cancelled => Stage::Cancelled,
        () if facts.order.captured().is_zero() => Stage::Opened,
        () if goods == Goods::Finished => Stage::Finished,
        () => Stage::Placed,
    };
    Standing { stage, money, goods }
}

/// Only money that arrived makes an order refunded; as long as any is on its way it is refunding.
pub fn money(facts: &Facts) -> Money {
    let on_its_way = !facts.order.captured().is_zero() && facts.balances.pending().is_positive();
    if on_its_way { Money::Refunding } else { settled(facts) }
}

/// The money that is nowhere under way: what is on its way back counts as neither back nor failed. It stays the same
/// from the moment a refund is accepted until it is over.
pub fn settled(facts: &Facts) -> Money {
    let (captured, succeeded) = (facts.order.captured(), facts.balances.succeeded());
    match () {
        () if captured.is_zero() && facts.order.status == Status::Cancelled => Money::Cancelled,
        () if captured.is_zero() => Money::Waiting,
        () if succeeded >= captured => Money::Refunded,
        () if succeeded.is_positive() => Money::PartlyRefunded,
        () if facts.balances.refunds > 0 && !facts.balances.pending().is_positive() => Money::RefundFailed,
        () if captured < facts.order.charged() => Money::PartlyPaid,
        () => Money::Paid,
    }
}

/// The money, where money on its way back counts as gone back already.
pub fn tally(facts: &Facts) -> Tally {
    let captured = facts.order.captured();
    let back = facts.balances.succeeded() + facts.balances.pending();
    match () {
        () if captured.is_zero() => Tally::Unpaid,
        () if back >= captured => Tally::Back,
        () if back.is_positive() => Tally::PartlyBack,
        () if captured < facts.order.charged() => Tally::PartlyPaid,
        () => Tally::Paid,
    }
}

/// How much left.
pub fn sent(facts: &Facts) -> Sent {
    all_units(facts).sent()
}

/// How much left of one line.
pub fn sent_of_line(facts: &Facts, line: usize) -> Sent {
    units(facts, line).sent()
}

/// When an order was paid first, epoch milliseconds: where nobody knows, when it was made.
pub fn placed_ms(order: &Order) -> Option<i64> {
    order.life.placed_ms.or_else(|| (!order.captured().is_zero()).then_some(order.created_ms))
}

/// Of all lines.
pub fn goods(facts: &Facts) -> Goods {
    all_units(facts).goods(!facts.order.captured().is_zero())
}

/// Units of all lines.
pub(crate) fn all_units(facts: &Facts) -> Units {
    let units = (0..facts.order.lines.len()).map(|line| units(facts, line));
    units.fold(Units::default(), |sum, line| Units {
        shippable: sum.shippable.saturating_add(line.shippable),
        shipped: sum.shipped.saturating_add(line.shipped),
        delivered: sum.delivered.saturating_add(line.delivered),
    })
}

/// Of one line.
pub fn goods_of_line(facts: &Facts, line: usize) -> Goods {
    units(facts, line).goods(!facts.order.captured().is_zero())
}

/// Units, and how far they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Units {
    pub(crate) shippable: u64,
    pub(crate) shipped: u64,
    pub(crate) delivered: u64,
}

fn units(facts: &Facts, index: usize) -> Units {
    let Some(line) = facts.order.lines.get(index) else { return Units::default() };
    let gone = u64::from(facts.units_refunded(index).waiting).saturating_add(u64::from(line.cancelled));
    Units {
        shippable: u64::from(line.quantity).saturating_sub(gone),
        shipped: u64::from(line.shipped),
        delivered: u64::from(facts.order.life.delivered(index)),
    }
}

impl Units {
    /// Whether there are any to ship, and all of them are shipped.
    pub(crate) fn all_shipped(self) -> bool {
        self.shippable > 0 && self.shipped >= self.shippable
    }

    /// Whether there are any to ship, and all of them are delivered.
    pub(crate) fn all_delivered(self) -> bool {
        self.shippable > 0 && self.delivered >= self.shippable
    }

    fn sent(self) -> Sent {
        match () {
            () if self.shipped == 0 => Sent::Nothing,
            () if self.shipped < self.shippable => Sent::Some,
            () => Sent::All,
        }
    }

    fn goods(self, paid: bool) -> Goods {
        match () {
            () if self.shippable == 0 => Goods::Cancelled,
            () if self.delivered >= self.shippable => Goods::Finished,
            () if self.delivered > 0 => Goods::PartlyFinished,
            () if self.shipped >= self.shippable => Goods::Shipped,
            () if self.shipped > 0 => Goods::PartlyShipped,
            () if paid => Goods::Waiting,
            () => Goods::Initialled,
        }
    }
}
