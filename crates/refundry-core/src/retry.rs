//! Trying again what failed: the request for a refund that repeats the failed legs of another one.
//!
//! A failed leg gave its money back to the order at once, so trying again is a refund of its own, decided by the same
//! rules on what is left now. It takes the same units if they are open again, the same parts of the price where that is
//! known to the cent, and goes to the same payments or to others.

use crate::command::{
    AmountIn, Ask, CurrencyAsk, LegAsk, PartAsk, PartMoney, Parts, Plan, RefundRequest, Target, Total, UnitAsk,
    UnitMode,
};
use crate::money::{Amount, Currency, Decimal};
use crate::order::{ComponentKind, Id, Order, Reference};
use crate::refund::{Allocation, Bucket, Leg, LegState, Refund, UnitMove, Why};

/// Where the money goes the second time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Back through the payments that it failed on.
    Same,
    /// Through another payment of the order.
    Payment(Reference),
    /// Outside, by a person: only recorded.
    Outside,
}

/// The failed legs of a refund that nobody tried again.
pub fn open_failures(refund: &Refund) -> impl Iterator<Item = &Leg> {
    let failed = |leg: &&Leg| matches!(leg.state, LegState::Failed { .. }) && leg.retried_by.is_none();
    refund.legs.iter().filter(failed)
}

/// The request that tries the failed legs again; `None` where there are none.
pub fn request(order: &Order, refund: &Refund, to: &Destination) -> Option<RefundRequest> {
    let failed: Vec<&Leg> = open_failures(refund).collect();
    if failed.is_empty() {
        return None;
    }
    let legs = failed.iter().map(|leg| leg_ask(order, leg, to));
    let request = RefundRequest { plan: Plan::Named(legs.collect()), ..RefundRequest::of(Ask::Everything) };
    // Once some of the failed legs were tried again, what each of them gave back is no longer told apart.
    let all_of_them = refund.legs.iter().all(|leg| leg.retried_by.is_none());
    if !all_of_them {
        let total = failed.iter().map(|leg| leg.amount).sum();
        let parts = Parts { total: Total::Stated(decimal(total, order.currency)), ..Parts::default() };
        return Some(RefundRequest { ask: Ask::Parts(parts), ..request });
    }
    let units: Vec<&UnitMove> = refund.units.iter().filter(|units| units.reopened).collect();
    let by_units = |allocation: &&Allocation| {
        matches!(allocation.why, Why::Units { .. }) && units.iter().any(|units| units.line == allocation.component)
    };
    let parts = refund.allocations.iter().filter(|allocation| !by_units(allocation));
    let parts = parts.filter_map(|allocation| part_ask(order, allocation));
    let parts = Parts {
        total: Total::OfPayments,
        units: units.iter().map(|units| unit_ask(order, units)).collect(),
        parts: parts.collect(),
        uniform_restock: false,
    };
    Some(RefundRequest { ask: Ask::Parts(parts), ..request })
}

fn leg_ask(order: &Order, leg: &Leg, to: &Destination) -> LegAsk {
    let payment = order.payments.get(leg.payment).expect("a leg names a payment of its order");
    let own = LegAsk {
        payment: Some(ours(payment.id)),
        channel: String::new(),
        amount: decimal(leg.own_amount, payment.own_currency),
        amount_in: AmountIn::Own,
        currency: CurrencyAsk::Unsaid,
        outside: false,
    };
    match to {
        Destination::Same => own,
        Destination::Outside => LegAsk { outside: true, ..own },
        Destination::Payment(other) => LegAsk {
            payment: Some(other.clone()),
            amount: decimal(leg.amount, order.currency),
            amount_in: AmountIn::Books,
            ..own
        },
    }
}

fn unit_ask(order: &Order, units: &UnitMove) -> UnitAsk {
    UnitAsk {
        line: ours(order.lines.get(units.line).map_or(0, |line| line.id)),
        quantity: Some(i64::from(units.quantity)),
        mode: match units.bucket {
            Bucket::Waiting => UnitMode::Waiting,
            Bucket::Shipped if units.returned_goods => UnitMode::Returned,
            Bucket::Shipped => UnitMode::Shipped,
        },
        restock: units.restock,
        location: units.location.clone(),
    }
}

/// What an allocation got back from failed legs, asked for again.
fn part_ask(order: &Order, allocation: &Allocation) -> Option<PartAsk> {
    let returned = allocation.returned.0 + allocation.returned.1;
    let component = order.components.get(allocation.component)?;
    if !returned.is_positive() {
        return None;
    }
    let line = component.line.and_then(|line| order.lines.get(line));
    let target = match component.kind {
        ComponentKind::Goods => Target::Goods(ours(line.map_or(0, |line| line.id))),
        ComponentKind::Shipping => Target::Shipping,
        ComponentKind::Tip => Target::Tip,
        ComponentKind::Additional => Target::Additional(component.name.clone()),
        ComponentKind::Duty => Target::Duty,
        ComponentKind::ImporterTax => Target::ImporterTax,
        ComponentKind::Fee => Target::Fees,
    };
    Some(PartAsk { target, money: PartMoney::Gross(decimal(returned, order.currency)) })
}

fn ours(id: Id) -> Reference {
    Reference { text: String::new(), ours: Some(id) }
}

fn decimal(amount: Amount, currency: Currency) -> Decimal {
    Decimal::from_parts(i128::from(amount.get()), currency.exponent())
}
