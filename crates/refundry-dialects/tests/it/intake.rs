//! Takes an order in: numbers for what is new, the old ones for what was known, refunds it carries into the books.

use refundry_core::balances::Facts;
use refundry_core::decide::record;
use refundry_core::intake::{Intake, IntakeFault, PastRefund, PastUnits};
use refundry_core::money::Amount;
use refundry_core::order::Order;
use refundry_core::refund::{Allocation, Cap, CapKind, Leg, LegState, Refund, Route, Shape, UnitMove, Why};
use refundry_dialects::OrderView;

use crate::engine::Engine;

/// What taking it in changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Created,
    Changed,
    Unchanged,
}

/// Takes an order in and returns its index.
pub(crate) fn take_in(engine: &mut Engine, intake: Intake) -> Result<(usize, Taken), IntakeFault> {
    let Intake { mut order, refunds, document, terms } = intake;
    order.validate().map_err(IntakeFault::Fault)?;
    let same = |view: &OrderView| order.external_id.is_some() && view.facts.order.external_id == order.external_id;
    let known = engine.orders.iter().position(same);
    let before = known.map(|index| engine.orders[index].facts.clone());
    if let Some(other) = before.as_ref().filter(|before| before.order.origin != order.origin) {
        return Err(IntakeFault::Clash { order: other.order.id });
    }
    give_numbers(engine, &mut order, before.as_ref().map(|facts| &*facts.order));
    let mut facts = Facts::fresh(order);
    if let Some(before) = &before {
        check_refunded(before, &facts.order)?;
        facts.balances = before.balances.clone();
        facts.balances.fit(&facts.order);
    }

    let order_changed = before.as_ref().is_none_or(|before| before.order != facts.order);
    let mut refunds_added = false;
    for past in refunds.iter().filter(|past| is_new(engine, before.as_ref(), past)).collect::<Vec<_>>() {
        let refund = imported(engine, &facts, past);
        let decision = record(&facts, refund, past.created_ms);
        facts.balances = decision.balances;
        engine.refunds.push(decision.refund);
        refunds_added = true;
    }

    engine.shelves.learn(&facts.order);
    engine.told.insert(facts.order.id, terms);
    let view = OrderView { document, ..OrderView::bare(facts) };
    match known {
        None => {
            engine.orders.push(view);
            Ok((engine.orders.len() - 1, Taken::Created))
        }
        Some(index) => {
            engine.orders[index] = view;
            Ok((index, if order_changed || refunds_added { Taken::Changed } else { Taken::Unchanged }))
        }
    }
}

pub(crate) fn give_numbers(engine: &mut Engine, order: &mut Order, before: Option<&Order>) {
    order.id = before.map_or_else(|| engine.next_id(), |before| before.id);
    for (index, line) in order.lines.iter_mut().enumerate() {
        let same = before.and_then(|b| b.lines.get(index)).filter(|b| b.external_id == line.external_id);
        line.id = same.map_or_else(|| engine.next_id(), |same| same.id);
    }
    for (index, payment) in order.payments.iter_mut().enumerate() {
        let same = before.and_then(|b| b.payments.get(index)).filter(|b| b.external_id == payment.external_id);
        payment.id = same.map_or_else(|| engine.next_id(), |same| same.id);
    }
}

/// What refunds took from must stay as it was sold.
fn check_refunded(before: &Facts, after: &Order) -> Result<(), IntakeFault> {
    for (index, held) in before.balances.components.iter().enumerate() {
        let untouched = held.net.is_zero() && held.tax.is_zero();
        if !untouched && before.order.components.get(index) != after.components.get(index) {
            return Err(IntakeFault::ChangesRefunded { what: before.order.components[index].kind.code().to_owned() });
        }
    }
    for (index, held) in before.balances.lines.iter().enumerate() {
        let sold = |order: &Order| order.lines.get(index).map(|line| line.quantity);
        if held.all() > 0 && sold(&before.order) != sold(after) {
            return Err(IntakeFault::ChangesRefunded { what: before.order.lines[index].sku.clone() });
        }
    }
    Ok(())
}

/// A past refund without a platform id can only be told apart the first time its order comes in.
fn is_new(engine: &Engine, before: Option<&Facts>, past: &PastRefund) -> bool {
    let Some(before) = before else { return true };
    let same = |refund: &Refund| refund.order == before.order.id && refund.external_id == past.external_id;
    past.external_id.is_some() && !engine.refunds.iter().any(same)
}

fn imported(engine: &mut Engine, facts: &Facts, past: &PastRefund) -> Refund {
    let order = &facts.order;
    let amount: Amount = past.legs.iter().map(|(_, amount, _)| *amount).sum();
    let allocated: Amount = past.allocations.iter().map(|(_, net, tax)| *net + *tax).sum();
    let id = engine.next_id();
    let leg = |(payment, amount, own_amount): &(usize, Amount, Amount)| Leg {
        id: engine.next_id(),
        payment: *payment,
        amount: *amount,
        own_amount: *own_amount,
        route: Route::Original,
        state: LegState::Succeeded { at_ms: past.created_ms },
        reference: String::new(),
        named_channel: String::new(),
        gateway: String::new(),
        retried_by: None,
    };
    Refund {
        id,
        external_id: past.external_id.clone(),
        order: order.id,
        number: facts.balances.refunds + 1,
        via: order.origin,
        created_ms: past.created_ms,
        updated_ms: past.created_ms,
        processed_ms: None,
        note: past.note.clone(),
        reason: past.reason.clone(),
        notify: false,
        metadata: std::collections::BTreeMap::new(),
        shape: Shape::Imported,
        amount,
        discrepancy: amount - allocated,
        allocations: past.allocations.iter().map(|part| imported_part(order, *part)).collect(),
        units: past.units.iter().map(|units| imported_units(order, units)).collect(),
        legs: past.legs.iter().map(leg).collect(),
        nearest_cap: Cap { by: CapKind::Payment(0), left: facts.payments_left() - amount },
        retry_of: None,
    }
}

fn imported_part(order: &Order, (component, net, tax): (usize, Amount, Amount)) -> Allocation {
    Allocation {
        component,
        net,
        tax,
        shop: shadow(order, net, tax),
        returned: (Amount::ZERO, Amount::ZERO),
        quantity: None,
        why: Why::Imported,
        odd: Amount::ZERO,
    }
}

fn imported_units(order: &Order, units: &PastUnits) -> UnitMove {
    UnitMove {
        line: units.line,
        bucket: units.bucket,
        returned_goods: false,
        quantity: units.quantity,
        net: units.net,
        tax: units.tax,
        discount: units.discount,
        shop: shadow(order, units.net, units.tax),
        restock: units.restock,
        location: String::new(),
        reopened: false,
    }
}

fn shadow(order: &Order, net: Amount, tax: Amount) -> (Amount, Amount) {
    let convert = |amount| order.shop.map_or(Amount::ZERO, |shop| shop.convert(amount, order.currency));
    (convert(net), convert(tax))
}
