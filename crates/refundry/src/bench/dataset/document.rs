//! An order of a data set as a document of our own API, for servers that are only reached over HTTP, and for files.

use refundry_core::money::Amount;
use refundry_core::order::{Component, ComponentKind, Line, Order, Payment, PaymentKind};
use serde_json::{Value, json};

/// The document of an order in dollars.
pub(in crate::bench) fn document(order: &Order) -> Value {
    let goods = order.lines.iter().zip(&order.components);
    let shipping = order.components.iter().filter(|part| part.kind == ComponentKind::Shipping);
    let total = money(order.components.iter().map(Component::gross).sum());
    let paid = money(order.payments.iter().map(|payment| payment.captured).sum());
    json!({
        "id": order.external_id,
        "number": order.number,
        "currency": order.currency.code(),
        "taxes_included": order.taxes_included,
        "lines": goods.map(|(line, goods)| line_document(line, goods)).collect::<Vec<Value>>(),
        "shipping": shipping.map(shipping_document).collect::<Vec<Value>>(),
        "payments": order.payments.iter().map(payment_document).collect::<Vec<Value>>(),
        "total": total,
        "paid": paid,
    })
}

fn line_document(line: &Line, goods: &Component) -> Value {
    json!({
        "id": line.external_id,
        "sku": line.sku,
        "title": line.title,
        "variant_title": line.variant_title,
        "product_id": line.product_id,
        "quantity": line.quantity,
        "shipped": line.shipped,
        "unit_price": money(line.unit_price),
        "discount": money(line.discount),
        "net": money(goods.net),
        "tax": money(goods.tax),
    })
}

fn shipping_document(part: &Component) -> Value {
    json!({ "net": money(part.net), "tax": money(part.tax) })
}

fn payment_document(payment: &Payment) -> Value {
    let kind = if payment.kind == PaymentKind::GiftCard { "gift_card" } else { "online" };
    json!({
        "id": payment.external_id,
        "channel": payment.channel,
        "method": payment.method,
        "kind": kind,
        "gateway": payment.gateway,
        "reference": payment.reference,
        "captured": money(payment.captured),
    })
}

/// Two decimals, which are the dollar's.
fn money(amount: Amount) -> String {
    let cents = amount.get();
    format!("{}.{:02}", cents / 100, cents % 100)
}
