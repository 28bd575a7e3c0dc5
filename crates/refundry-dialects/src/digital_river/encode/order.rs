//! `GET /orders/{id}`: the order as its platform described it, with what is left of it now.

use refundry_core::balances::Facts;
use refundry_core::money::Amount;
use refundry_core::order::{Component, ComponentKind, Order};
use serde_json::{Map, Value, json};

use super::super::ids::{charge_id, line_id, order_id};
use super::money;
use crate::text::rfc3339_seconds;
use crate::wire::OrderView;

/// One order: its own document where it came with one, else what we know of it; then the figures of today.
pub(super) fn order(view: &OrderView) -> Value {
    let order = &view.facts.order;
    let own = order.origin == refundry_core::order::Dialect::DigitalRiver;
    let document = own.then(|| serde_json::from_str(&view.document).ok()).flatten();
    let mut body = match document {
        Some(Value::Object(body)) => body,
        _ => described(&view.facts),
    };
    bring_up_to_date(&mut body, &view.facts);
    Value::Object(body)
}

/// What refunds and payments change: what was captured, what is available of the order and its items, what went back.
fn bring_up_to_date(body: &mut Map<String, Value>, facts: &Facts) {
    let currency = facts.order.currency;
    // A figure that the document stated must not outlive what it counted.
    let stated = body.contains_key("refundedAmount");
    let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
    put("availableToRefundAmount", money(facts.available(), currency));
    put("capturedAmount", money(facts.order.captured(), currency));
    let refunded = facts.balances.succeeded();
    if refunded.is_positive() || stated {
        put("refundedAmount", money(refunded, currency));
    }
    put("updatedTime", json!(rfc3339_seconds(facts.order.updated_ms.max(facts.balances.updated_ms))));
    let items = body.get_mut("items").and_then(Value::as_array_mut);
    for (line, item) in items.into_iter().flatten().enumerate().take(facts.order.lines.len()) {
        if let Some(item) = item.as_object_mut() {
            let available = facts.component_left_gross(line).min(facts.available());
            item.insert("availableToRefundAmount".to_owned(), money(available, currency));
        }
    }
}

/// An order of another origin in this API's shape.
fn described(facts: &Facts) -> Map<String, Value> {
    let order = &facts.order;
    let currency = order.currency;
    let sum = |value: &dyn Fn(&Component) -> Amount| money(order.components.iter().map(value).sum(), currency);
    let of_kind = |kind| order.of_kind(kind).filter_map(|i| order.components.get(i)).map(|c| c.net).sum::<Amount>();
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
    put("id", json!(order_id(order)));
    put("upstreamId", json!(order.number));
    put("createdTime", json!(rfc3339_seconds(order.created_ms)));
    put("currency", json!(currency.code()));
    put("totalAmount", money(order.charged(), currency));
    put("subtotal", sum(&|component| component.net));
    put("totalTax", sum(&|component| component.tax));
    put("totalShipping", money(of_kind(ComponentKind::Shipping), currency));
    put("totalDuty", money(of_kind(ComponentKind::Duty), currency));
    put("totalFees", money(of_kind(ComponentKind::Fee), currency));
    put("totalImporterTax", money(of_kind(ComponentKind::ImporterTax), currency));
    put("capturedAmount", money(order.captured(), currency));
    // Other platforms tell what was captured, never what was authorised beyond it.
    put("cancelledAmount", money(Amount::ZERO, currency));
    put("state", json!(state(order)));
    put("requestToBeForgotten", json!(false));
    put("liveMode", json!(!order.test));
    put("items", (0..order.lines.len()).map(|line| item(order, line)).collect());
    put("payment", json!({ "charges": charges(facts) }));
    let shipping = order.components.iter().filter(|c| c.kind == ComponentKind::Shipping && c.line.is_none());
    let (net, tax) = shipping.fold((Amount::ZERO, Amount::ZERO), |(net, tax), c| (net + c.net, tax + c.tax));
    if net.is_positive() || tax.is_positive() {
        put("shippingChoice", json!({ "amount": money(net, currency), "taxAmount": money(tax, currency) }));
    }
    body
}

fn state(order: &Order) -> &'static str {
    if order.disputed {
        return "dispute";
    }
    match order.status {
        refundry_core::order::Status::Cancelled => "cancelled",
        refundry_core::order::Status::Open if order.captured() == order.charged() => "complete",
        refundry_core::order::Status::Open => "accepted",
    }
}

fn item(order: &Order, index: usize) -> Value {
    let currency = order.currency;
    let goods = order.goods(index);
    let part = |kind: ComponentKind| {
        let of_line = |i: &usize| order.components.get(*i).is_some_and(|c| c.line == Some(index));
        let parts = order.of_kind(kind).filter(of_line).filter_map(|i| order.components.get(i));
        parts.fold((Amount::ZERO, Amount::ZERO), |(net, tax), c| (net + c.net, tax + c.tax))
    };
    let with_tax = |(net, tax)| json!({ "amount": money(net, currency), "taxAmount": money(tax, currency) });
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
    if let Some(line) = order.lines.get(index) {
        put("id", json!(line_id(line, order)));
        put("skuId", json!(line.sku));
        put("productDetails", json!({ "name": line.title }));
        put("quantity", json!(line.quantity));
        put("state", json!(if line.shipped == line.quantity { "fulfilled" } else { "created" }));
    }
    put("amount", money(goods.net, currency));
    put("tax", json!({ "amount": money(goods.tax, currency) }));
    put("shipping", with_tax(part(ComponentKind::Shipping)));
    put("fees", with_tax(part(ComponentKind::Fee)));
    put("duties", json!({ "amount": money(part(ComponentKind::Duty).0, currency) }));
    put("importerTax", json!({ "amount": money(part(ComponentKind::ImporterTax).0, currency) }));
    Value::Object(body)
}

/// Payments have no time of their own, so they bear the order's. `refunded` tells of what is on its way, too.
fn charges(facts: &Facts) -> Vec<Value> {
    let order = &facts.order;
    let charges = (0..order.payments.len()).map(|index| {
        let (payment, paid_back) = facts.payment(index);
        let id = charge_id(payment, order);
        json!({
            "sourceId": format!("src_{id}"),
            "id": id,
            "createdTime": rfc3339_seconds(order.created_ms),
            "currency": order.currency.code(),
            "amount": money(payment.captured, order.currency),
            "captured": payment.captured.is_positive(),
            "refunded": paid_back.held().is_positive(),
            "state": "complete",
        })
    });
    charges.collect()
}
