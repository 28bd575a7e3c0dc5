//! What is posted to subscribers: the legacy shape, whatever the version of the subscription.
//!
//! There is no list of refunds in an order. A receiver tells the latest one by how far `total_refund_price` grew, so
//! the figures are those right after the event, however late it is posted.

use refundry_core::event::EventKind;
use refundry_core::money::Amount;
use refundry_core::order::Order;
use serde_json::{Value, json};

use crate::hooks::{About, Envelope, HookEvent, OrderTold, Subject};
use crate::shoplazza::{echo, encode, order_modern, parcels};
use crate::text::{rfc3339_seconds, uuid_of};

/// The body of a delivery; `None` for a parcel that is not there, and for what this API has no topic for.
pub fn body(event: &HookEvent) -> Option<String> {
    let About::Order(told) = &event.about else { return None };
    let body = match event.kind {
        EventKind::ParcelCreated => {
            let Subject::Parcel(parcel) = &told.subject else { return None };
            json!({ "fulfillment": parcels::one_of(&told.order, parcel) })
        }
        EventKind::OrderCreated
        | EventKind::OrderUpdated
        | EventKind::OrderPaid
        | EventKind::OrderPartlyFulfilled
        | EventKind::OrderFulfilled
        | EventKind::OrderFinished
        | EventKind::OrderPartlyRefunded
        | EventKind::OrderRefunded
        | EventKind::OrderCancelled
        | EventKind::OrderDeleted => json!({ "order": order(told) }),
        EventKind::ParcelUpdated
        | EventKind::RefundCreated
        | EventKind::RefundUpdated
        | EventKind::OrderEdited
        | EventKind::TransactionCreated
        | EventKind::ReturnCreated
        | EventKind::ReturnUpdated
        | EventKind::StockChanged => return None,
    };
    Some(body.to_string())
}

/// The headers of a delivery beside its content type.
pub fn headers(envelope: &Envelope<'_>) -> Vec<(&'static str, String)> {
    vec![
        ("X-Shoplazza-Topic", envelope.topic.to_owned()),
        ("X-Shoplazza-Hmac-Sha256", envelope.signature.to_owned()),
        ("X-Shoplazza-Shop-Domain", format!("{}.myshoplaza.com", envelope.store.handle)),
        ("X-Shoplazza-Api-Version", envelope.version.to_owned()),
        ("X-Shoplazza-Deduplication-ID", uuid_of(envelope.event)),
    ]
}

fn order(told: &OrderTold) -> Value {
    let facts = &told.order.facts;
    let order = &facts.order;
    let closed = order.life.closed_ms.map_or(Value::Null, |ms| rfc3339_seconds(ms).into());
    let mut whole = encode::object(echo::legacy_order(&told.order));
    let beside = json!({
        "refund_price": encode::price(order, told.asked_last),
        "real_total_paid": encode::price(order, (order.captured() - facts.balances.succeeded()).or_zero()),
        "closed_at": closed,
        "main_currency_prices": main_currency_prices(order),
        "payment_lines": order_modern::payment_lines(&told.order),
    });
    whole.extend(encode::object(beside));
    Value::Object(whole)
}

/// What the order costs in the shop's own currency.
fn main_currency_prices(order: &Order) -> Value {
    let goods: Amount = order.lines.iter().map(|line| encode::times(line.unit_price, line.quantity)).sum();
    let in_shop = |amount: Amount| match order.shop {
        None => encode::price(order, amount),
        Some(shop) => {
            // An order may state unit prices that its lines do not bear out, so large that they fit no shop.
            let amount = shop.checked_convert(amount, order.currency).unwrap_or_default();
            amount.to_decimal(shop.currency, shop.currency.exponent().max(2))
        }
    };
    let rate = order.shop.map_or_else(|| "1".to_owned(), |shop| shop.rate.to_string());
    let (goods, total) = (in_shop(goods), in_shop(order.charged()));
    json!({ "compare_at_price": goods, "price": goods, "total": total, "actual_rate": rate })
}
