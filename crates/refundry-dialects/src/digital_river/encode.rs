//! Replies in this API's shapes. Fields that say nothing are left out, never `null`: clients take presence as a fact.

use refundry_core::money::{Amount, Currency};
use refundry_core::order::{ComponentKind, Order};
use refundry_core::refund::{Allocation, Leg, LegState, MetaValue, Refund, RefundState, Shape};
use serde_json::{Map, Value, json};

use super::ids::{charge_id, line_id, order_id, refund_id};
use crate::text::rfc3339_seconds;
use crate::wire::{RefundView, Reply, Response};

mod order;

/// Characters of a reason that clients bear; longer ones come from elsewhere and are cut.
const REASON_CHARS_MAX: usize = 64;

/// Writes a reply; `None` for one that no endpoint of this API asks for.
pub(super) fn reply(reply: &Reply) -> Option<Response> {
    match reply {
        Reply::Created(answer) => Some(Response::json(201, &refund(&answer.view))),
        Reply::Refund(view) => Some(Response::json(200, &refund(view))),
        Reply::Refunds(page) => {
            let data: Vec<Value> = page.refunds.iter().map(refund).collect();
            Some(Response::json(200, &json!({ "hasMore": page.has_more, "data": data })))
        }
        Reply::Order { order, created } => {
            let status = if *created { 201 } else { 200 };
            Some(Response::json(status, &order::order(order)))
        }
        Reply::Quoted { .. }
        | Reply::Tried { .. }
        | Reply::Heard
        | Reply::Counted(_)
        | Reply::OrderWithRefunds { .. }
        | Reply::Orders { .. }
        | Reply::Imported { .. }
        | Reply::Stores(_)
        | Reply::Tokens(_)
        | Reply::Revoked
        | Reply::Payouts(_)
        | Reply::Shop(_)
        | Reply::Parcels(_)
        | Reply::Returns(_)
        | Reply::Cases(_)
        | Reply::Hooks(_)
        | Reply::Stock(_) => None,
    }
}

/// One refund.
fn refund(view: &RefundView) -> Value {
    let (refund, order) = (&view.refund, &view.order);
    let currency = order.currency;
    let state = refund.state();
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
    put("id", json!(refund_id(refund, order)));
    put("createdTime", json!(rfc3339_seconds(refund.created_ms)));
    put("orderId", json!(order_id(order)));
    put("currency", json!(currency.code()));
    put("refundedAmount", money(settled(refund), currency));
    put("state", json!(state.code()));
    put("liveMode", json!(view.live));
    let items = items(refund, order);
    if items.is_none() {
        put("amount", money(refund.amount, currency));
    }
    put("items", items.unwrap_or_default().iter().map(|item| item.to_json(refund, order)).collect());
    if let Some(class) = refund.shape.class() {
        put("type", json!(class.code()));
    }
    if !refund.reason.is_empty() {
        put("reason", json!(refund.reason.chars().take(REASON_CHARS_MAX).collect::<String>()));
    }
    let failure = refund.failure().filter(|(code, _)| state == RefundState::Failed && !code.is_empty());
    if let Some((code, _)) = failure {
        put("failureReason", json!(code));
    }
    let charges = charges(refund, order);
    if !charges.is_empty() {
        put("charges", Value::Array(charges));
    }
    if !refund.metadata.is_empty() {
        put("metadata", refund.metadata.iter().map(|(key, value)| (key.clone(), metadata(value))).collect());
    }
    Value::Object(body)
}

/// What went back, once nothing of it is open any more.
fn settled(refund: &Refund) -> Amount {
    if refund.state() == RefundState::Pending { Amount::ZERO } else { refund.refunded() }
}

/// One element of a refund's `items`.
struct Item {
    line: usize,
    part: Option<&'static str>,
    quantity: u32,
    amount: Amount,
    kept: Amount,
    /// The last component added, so that a second request for the same part is told from more of the first.
    component: usize,
}

impl Item {
    fn of(allocation: &Allocation, line: usize, part: Option<&'static str>, quantity: u32) -> Self {
        let mut item = Self { line, part, quantity, amount: Amount::ZERO, kept: Amount::ZERO, component: 0 };
        item.add(allocation);
        item
    }

    fn add(&mut self, allocation: &Allocation) {
        let (net, tax) = allocation.kept();
        self.amount += allocation.gross();
        self.kept += net + tax;
        self.component = allocation.component;
    }

    fn to_json(&self, refund: &Refund, order: &Order) -> Value {
        let mut body = Map::new();
        let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
        if let Some(line) = order.lines.get(self.line) {
            put("itemId", json!(line_id(line, order)));
            if !line.sku.is_empty() {
                put("skuId", json!(line.sku));
            }
        }
        put("quantity", json!(self.quantity));
        put("amount", money(self.amount, order.currency));
        let settled = refund.state() == RefundState::Succeeded;
        put("refundedAmount", money(if settled { self.kept } else { Amount::ZERO }, order.currency));
        if let Some(part) = self.part {
            put("type", json!(part));
        }
        Value::Object(body)
    }
}

/// The items of an item-level refund; `None` for an order-level one.
///
/// A refund asked for elsewhere is item-level if all of it is money for units of items; anything else could not be said
/// with items without changing its amount.
fn items(refund: &Refund, order: &Order) -> Option<Vec<Item>> {
    match refund.shape {
        Shape::Amount(_) | Shape::Percent(_) => None,
        Shape::Items => asked_items(refund, order),
        Shape::Parts | Shape::Lines | Shape::Everything | Shape::Imported => moved_items(refund, order),
    }
}

/// As they were asked for: one element an entry, in its order.
fn asked_items(refund: &Refund, order: &Order) -> Option<Vec<Item>> {
    let mut items: Vec<Item> = Vec::new();
    for allocation in &refund.allocations {
        let component = order.components.get(allocation.component)?;
        let line = component.line?;
        let part = item_part(component.kind);
        match items.last_mut() {
            // The fees of a line may be several components.
            Some(last) if (last.line, last.part) == (line, part) && last.component < allocation.component => {
                last.add(allocation);
            }
            _ => {
                let ordered = order.lines.get(line).map_or(0, |l| l.quantity);
                items.push(Item::of(allocation, line, part, allocation.quantity.unwrap_or(ordered)));
            }
        }
    }
    Some(items)
}

/// One element a line, with the units that were taken out of the order.
fn moved_items(refund: &Refund, order: &Order) -> Option<Vec<Item>> {
    if !refund.discrepancy.is_zero() || refund.allocations.is_empty() {
        return None;
    }
    let mut items: Vec<Item> = Vec::new();
    for allocation in &refund.allocations {
        let component = order.components.get(allocation.component)?;
        let line = component.line.filter(|_| component.kind == ComponentKind::Goods)?;
        let moved = refund.units.iter().filter(|units| units.line == line);
        let moved = moved.fold(0_u32, |sum, units| sum.saturating_add(units.quantity));
        let quantity = allocation.quantity.unwrap_or(moved);
        match items.iter_mut().find(|item| item.line == line) {
            Some(item) => item.add(allocation),
            None if quantity == 0 => return None,
            None => items.push(Item::of(allocation, line, None, quantity)),
        }
    }
    Some(items)
}

/// `type` of an item: what its money is for, if not for the goods.
fn item_part(kind: ComponentKind) -> Option<&'static str> {
    match kind {
        ComponentKind::Shipping => Some("shipping"),
        ComponentKind::Fee => Some("fees"),
        ComponentKind::Duty => Some("duty"),
        ComponentKind::Goods | ComponentKind::Tip | ComponentKind::Additional | ComponentKind::ImporterTax => None,
    }
}

/// One element a payment whose provider has given its final word, the primary payment first.
fn charges(refund: &Refund, order: &Order) -> Vec<Value> {
    let mut payments: Vec<usize> = Vec::new();
    for leg in refund.legs.iter().filter(|leg| leg.state.is_final()) {
        if !payments.contains(&leg.payment) {
            payments.push(leg.payment);
        }
    }
    let charges = payments.into_iter().filter_map(|index| {
        let id = charge_id(order.payments.get(index)?, order);
        let of_payment = refund.legs.iter().filter(|leg| leg.payment == index);
        let refunds: Vec<Value> = of_payment.filter_map(|leg| charge_refund(leg, order.currency)).collect();
        let source = format!("src_{id}");
        Some(json!({ "id": id, "captured": true, "refunded": true, "refunds": refunds, "sourceId": source }))
    });
    charges.collect()
}

/// The strict set of states is `pending`, `complete`, `failed`; a leg that is not final has no entry yet.
fn charge_refund(leg: &Leg, currency: Currency) -> Option<Value> {
    let (at_ms, state) = match &leg.state {
        LegState::Succeeded { at_ms, .. } => (*at_ms, "complete"),
        LegState::Failed { at_ms, .. } => (*at_ms, "failed"),
        LegState::Waiting | LegState::Sent | LegState::InDoubt { .. } | LegState::Parked { .. } => return None,
    };
    let amount = money(leg.amount, currency);
    Some(json!({ "createdTime": rfc3339_seconds(at_ms), "amount": amount, "state": state }))
}

fn metadata(value: &MetaValue) -> Value {
    match value {
        MetaValue::Text(text) => json!(text),
        MetaValue::Bool(flag) => json!(flag),
        MetaValue::Number(text) => number(text),
    }
}

/// A JSON number in major units with at least one decimal: `27.01`, `33.0`. Exact, never through a float.
fn money(amount: Amount, currency: Currency) -> Value {
    let text = amount.to_decimal(currency, currency.exponent().max(1));
    let trimmed = text.trim_end_matches('0');
    if trimmed.ends_with('.') { number(&format!("{trimmed}0")) } else { number(trimmed) }
}

fn number(text: &str) -> Value {
    text.parse::<serde_json::Number>().map_or_else(|_| json!(text), Value::Number)
}
