//! What refunds have done to an order so far: the one small record that every refund rewrites.
//!
//! Each figure is a running sum over the order's refunds, failed money already given back. Nothing here is derived
//! from the journal; `refundry audit` proves that both say the same.

use std::sync::Arc;

use crate::money::{Amount, even_share, unit_share};
use crate::order::{Id, Order, Payment};
use crate::payouts::Terms;
use crate::refund::Bucket;

/// Running sums of all refunds of one order; indices run parallel to the order's lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances {
    /// Refunds ever accepted, failed ones too: the running number of the next one is this plus one.
    pub refunds: u32,
    /// Per component: net and tax allocated to refunds that did not fail.
    pub components: Vec<Allocated>,
    /// Per line: units refunded, by the bucket they came from.
    pub lines: Vec<UnitsRefunded>,
    /// Per payment: legs under way and legs that succeeded.
    pub payments: Vec<PaidBack>,
    /// Σ of what legs gave beyond (or, negative, short of) the allocations.
    pub discrepancy: Amount,
    /// A refund without units was accepted once (Shoplazza: `customize`, which never reverts).
    pub customized: bool,
    /// When a refund or a leg last changed, epoch milliseconds; 0 before the first.
    pub updated_ms: i64,
    /// The number given last for this order. Whoever gives the next ones, of however many processes, stays above it: so
    /// the numbers of one order tell in which order things happened to it, which no clock does.
    pub newest: Id,
}

/// Net and tax of one component that refunds hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocated {
    /// Without tax.
    pub net: Amount,
    /// Tax.
    pub tax: Amount,
}

/// Units of one line refunded so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnitsRefunded {
    /// Out of those waiting to ship.
    pub waiting: u32,
    /// Out of those shipped.
    pub shipped: u32,
}

impl UnitsRefunded {
    /// Both buckets.
    pub fn all(self) -> u32 {
        self.waiting.saturating_add(self.shipped)
    }
}

/// What went, or is on its way, back through one payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaidBack {
    /// Legs that are not final, in the order's currency.
    pub pending: Amount,
    /// Legs that succeeded, in the order's currency.
    pub succeeded: Amount,
    /// Legs that are not final, in the payment's own currency.
    pub own_pending: Amount,
    /// Legs that succeeded, in the payment's own currency.
    pub own_succeeded: Amount,
    /// Held by disputes, in the order's currency. What was paid back before may be disputed all the same, so this may
    /// be more than what is left.
    pub disputed: Amount,
    /// Held by disputes, in the payment's own currency.
    pub own_disputed: Amount,
}

impl PaidBack {
    /// Pending and succeeded together.
    pub fn held(&self) -> Amount {
        self.pending + self.succeeded
    }

    /// Pending and succeeded together, in the payment's own currency.
    pub fn own_held(&self) -> Amount {
        self.own_pending + self.own_succeeded
    }
}

/// An order with its balances: all that a refund is decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What was sold and captured; shared, because no refund changes it.
    pub order: Arc<Order>,
    /// What refunds have done so far.
    pub balances: Balances,
    /// What the store configured about paying back.
    pub terms: Terms,
}

impl Balances {
    /// Balances of an order without refunds.
    pub fn fresh(order: &Order) -> Self {
        let mut fresh = Self::default();
        fresh.fit(order);
        fresh
    }

    /// Adds zeros for parts that the order gained (payments, lines) since the balances were written.
    pub fn fit(&mut self, order: &Order) {
        self.components.resize(order.components.len(), Allocated::default());
        self.lines.resize(order.lines.len(), UnitsRefunded::default());
        self.payments.resize(order.payments.len(), PaidBack::default());
    }

    /// Σ of succeeded legs.
    pub fn succeeded(&self) -> Amount {
        self.payments.iter().map(|p| p.succeeded).sum()
    }

    /// Σ of legs that are not final.
    pub fn pending(&self) -> Amount {
        self.payments.iter().map(|p| p.pending).sum()
    }
}

impl Facts {
    /// An order nobody refunded yet.
    pub fn fresh(order: impl Into<Arc<Order>>) -> Self {
        let order = order.into();
        let balances = Balances::fresh(&order);
        Self::new(order, balances)
    }

    /// An order with its balances, where nothing was configured.
    pub fn new(order: Arc<Order>, balances: Balances) -> Self {
        Self { order, balances, terms: Terms::default() }
    }

    /// Net and tax of a component that may still be refunded; never negative.
    pub fn component_left(&self, index: usize) -> (Amount, Amount) {
        let component = self.order.components.get(index).expect("component of this order");
        let held = self.balances.components.get(index).copied().unwrap_or_default();
        let (net, tax) = self.order.captured_part(component);
        ((net - held.net).or_zero(), (tax - held.tax).or_zero())
    }

    /// Net and tax together of [`Facts::component_left`].
    pub fn component_left_gross(&self, index: usize) -> Amount {
        let (net, tax) = self.component_left(index);
        net + tax
    }

    /// Whether no refund holds anything of a component.
    pub fn component_untouched(&self, index: usize) -> bool {
        self.balances.components.get(index).is_none_or(|held| *held == Allocated::default())
    }

    /// Σ over all components.
    pub fn components_left(&self) -> Amount {
        (0..self.order.components.len()).map(|i| self.component_left_gross(i)).sum()
    }

    /// What a payment can still give back, in the order's currency: what refunds and disputes left of it.
    pub fn payment_left(&self, index: usize) -> Amount {
        (self.payment_rest(index) - self.payment(index).1.disputed).or_zero()
    }

    /// What a payment can still give back, in its own currency.
    pub fn payment_own_left(&self, index: usize) -> Amount {
        (self.payment_own_rest(index) - self.payment(index).1.own_disputed).or_zero()
    }

    /// What refunds left of a payment, in the order's currency. Pairs of amounts follow this: a dispute comes and goes.
    pub(crate) fn payment_rest(&self, index: usize) -> Amount {
        let (payment, paid) = self.payment(index);
        payment.captured - paid.held()
    }

    /// What refunds left of a payment, in its own currency.
    pub(crate) fn payment_own_rest(&self, index: usize) -> Amount {
        let (payment, paid) = self.payment(index);
        payment.own_captured - paid.own_held()
    }

    /// A payment with its running sums.
    pub fn payment(&self, index: usize) -> (&Payment, PaidBack) {
        let payment = self.order.payments.get(index).expect("payment of this order");
        (payment, self.balances.payments.get(index).copied().unwrap_or_default())
    }

    /// Σ over all payments: the hard ceiling of any refund.
    pub fn payments_left(&self) -> Amount {
        (0..self.order.payments.len()).map(|i| self.payment_left(i)).sum()
    }

    /// Whether any payment can still give something back, in either of its currencies: rounding may use up one of them
    /// before the other.
    pub fn any_payment_left(&self) -> bool {
        let left = |i| self.payment_left(i).is_positive() || self.payment_own_left(i).is_positive();
        (0..self.order.payments.len()).any(left)
    }

    /// What may be refunded by parts: the smaller of what components and payments have left.
    pub fn available(&self) -> Amount {
        self.components_left().min(self.payments_left())
    }

    /// Units of a line refunded so far, by bucket.
    pub fn units_refunded(&self, line: usize) -> UnitsRefunded {
        self.balances.lines.get(line).copied().unwrap_or_default()
    }

    /// Units of a line that can still be refunded from a bucket.
    pub fn units_left(&self, line: usize, bucket: Bucket) -> u32 {
        let Some(sold) = self.order.lines.get(line) else { return 0 };
        let refunded = self.units_refunded(line);
        match bucket {
            Bucket::Waiting => sold
                .quantity
                .saturating_sub(sold.shipped)
                .saturating_sub(sold.cancelled)
                .saturating_sub(refunded.waiting),
            Bucket::Shipped => sold.shipped.saturating_sub(refunded.shipped),
        }
    }

    /// Whether units of a line are shared out by their price with tax inside, as the shop printed it.
    ///
    /// One of two units at 49.90 is then worth 49.90, where net and tax rounded apart may come to 49.91. Below a few
    /// minor units of open net a unit, rounding the price and the tax apart could leave less than no net.
    fn prices_are_gross(&self, line: usize, open: u32) -> bool {
        const NET_OF_UNIT_MIN: i64 = 4;
        let net_left = self.component_left(line).0.get();
        self.order.taxes_included && net_left.checked_div(i64::from(open)).is_some_and(|net| net >= NET_OF_UNIT_MIN)
    }

    /// Net and tax of the next `n` units of a line.
    ///
    /// As long as exactly the shares of the units refunded so far are allocated, the shares follow
    /// `round(T·(k+n)/Q) − round(T·k/Q)`. Once money went back without units, or a failed refund left a gap, the open
    /// amount is shared evenly by the open units instead, odd cents first. The last unit always takes the rest.
    pub fn next_units(&self, line: usize, n: u32) -> UnitShare {
        let goods = self.order.goods(line);
        let held = self.balances.components.get(line).copied().unwrap_or_default();
        let quantity = self.order.lines.get(line).map_or(0, |l| l.quantity);
        let taken = self.units_refunded(line).all();
        let tax = open_share(goods.tax, held.tax, taken, n, quantity);
        let net = if self.prices_are_gross(line, quantity.saturating_sub(taken)) {
            open_share(goods.gross(), held.net + held.tax, taken, n, quantity) - tax
        } else {
            open_share(goods.net, held.net, taken, n, quantity)
        };
        let (net_left, tax_left) = self.component_left(line);
        UnitShare { net: net.min(net_left), tax: tax.min(tax_left), taken }
    }
}

/// What some units of a line are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitShare {
    /// Without tax.
    pub net: Amount,
    /// Tax.
    pub tax: Amount,
    /// Units refunded before these.
    pub taken: u32,
}

fn open_share(total: Amount, held: Amount, taken: u32, n: u32, of: u32) -> Amount {
    if held == unit_share(total, 0, taken, of) {
        return unit_share(total, taken, n, of);
    }
    even_share((total - held).or_zero(), n, of.saturating_sub(taken))
}
