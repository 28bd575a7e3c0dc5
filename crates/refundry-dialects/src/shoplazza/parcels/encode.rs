//! Reply → wire: the order after its payment, transactions, parcels.

use refundry_core::order::Order;
use refundry_core::parcels::{Parcel, ParcelState, Track};
use refundry_core::paying::{Card, Transaction, TransactionState};
use serde_json::{Value, json};

use super::Endpoint;
use super::decode::cursor_after;
use crate::shoplazza::encode::{envelope, object};
use crate::shoplazza::{Version, echo, order_modern, orders, own_or_ours, print_id};
use crate::text::rfc3339_seconds;
use crate::wire::OrderView;

/// `waiting`, `shipped`, `finished`, `cancelled`.
pub(super) const fn state_word(state: ParcelState) -> &'static str {
    match state {
        ParcelState::Waiting => "waiting",
        ParcelState::Shipped => "shipped",
        ParcelState::Finished => "finished",
        ParcelState::Cancelled => "cancelled",
    }
}

/// The state of a transaction in this platform's words.
pub(super) const fn transaction_word(state: TransactionState) -> &'static str {
    match state {
        TransactionState::Authorized => "authorized",
        TransactionState::Void => "void",
        TransactionState::Processing => "processing",
        TransactionState::Success => "success",
        TransactionState::Error => "error",
        TransactionState::Expired => "expire",
        TransactionState::Refunding => "refunding",
        TransactionState::Refunded => "refunded",
        TransactionState::RefundFailed => "refund_failed",
    }
}

/// An answer in the form of its generation.
fn answer(version: Version, message: &str, data: Value) -> Value {
    if version.is_modern() { envelope(version, message, &data) } else { data }
}

/// Answer to Pay.
pub(super) fn paid(version: Version, view: &OrderView) -> Value {
    answer(version, "Order paid", json!({ "order": orders::order(version, view) }))
}

/// All parcels of an order that were made here, oldest first, as the order itself shows them.
pub(in crate::shoplazza) fn of_order(version: Version, view: &OrderView) -> Vec<Value> {
    if view.parcels.is_empty() {
        return Vec::new();
    }
    let lines = lines(version, view);
    view.parcels.iter().rev().map(|parcel| parcel_of(version, &view.facts.order, parcel, &lines)).collect()
}

/// A parcel as it is told of, in the older shape.
pub(in crate::shoplazza) fn one_of(view: &OrderView, parcel: &Parcel) -> Value {
    let version = Version::V202201;
    parcel_of(version, &view.facts.order, parcel, &lines(version, view))
}

/// Answer to one parcel, made or asked for.
pub(super) fn one(endpoint: &Endpoint, version: Version, view: &OrderView, parcel: &Parcel) -> Value {
    let message = match endpoint {
        Endpoint::Ship { .. } => "Fulfillment created",
        Endpoint::Track { .. } => "Fulfillment updated",
        Endpoint::Deliver { .. } => "Fulfillment completed",
        Endpoint::Unship { .. } => "Fulfillment cancelled",
        Endpoint::Get { .. }
        | Endpoint::Pay { .. }
        | Endpoint::Transactions { .. }
        | Endpoint::Capture { .. }
        | Endpoint::List { .. }
        | Endpoint::Count { .. } => "Fulfillment retrieved",
    };
    let parcel = parcel_of(version, &view.facts.order, parcel, &lines(version, view));
    answer(version, message, json!({ "fulfillment": parcel }))
}

/// Answer to the list.
pub(super) fn page(version: Version, view: &OrderView, parcels: &[Parcel], has_more: bool) -> Value {
    let lines = lines(version, view);
    let list: Vec<Value> = parcels.iter().map(|p| parcel_of(version, &view.facts.order, p, &lines)).collect();
    if !version.is_modern() {
        return json!({ "fulfillments": list });
    }
    let cursor = parcels.last().filter(|_| has_more).map_or_else(String::new, cursor_after);
    let data = json!({ "fulfillments": list, "cursor": cursor, "has_more": has_more });
    envelope(version, "Fulfillments retrieved", &data)
}

/// Answer to the count.
pub(super) fn counted(version: Version, count: i64) -> Value {
    answer(version, "Count retrieved", json!({ "count": count }))
}

/// The order's line items as the items of a parcel, without how many are in it.
fn lines(version: Version, view: &OrderView) -> Vec<Value> {
    if version.is_modern() {
        return order_modern::lines(version, view);
    }
    let order = echo::shown_order(view);
    let lines = order.get("line_items").and_then(Value::as_array).cloned().unwrap_or_default();
    lines.into_iter().map(legacy_line).collect()
}

fn legacy_line(line: Value) -> Value {
    let mut line = object(line);
    line.insert("taxable".to_owned(), true.into());
    line.insert("requires_shipping".to_owned(), true.into());
    Value::Object(line)
}

/// A parcel as both generations show it, by itself and in its order. `lines` are the order's, from [`lines`]; one that
/// the order has no more is left out.
fn parcel_of(version: Version, order: &Order, parcel: &Parcel, lines: &[Value]) -> Value {
    let count = if version.is_modern() { "ship_quantity" } else { "shipping_quantity" };
    let items = parcel.units.iter().filter_map(|units| {
        let index = order.lines.iter().position(|line| line.id == units.line)?;
        let mut item = object(lines.get(index)?.clone());
        item.insert(count.to_owned(), units.quantity.into());
        Some(Value::Object(item))
    });
    let items: Vec<Value> = items.collect();
    let main = parcel.tracking.main();
    let mut shown = object(json!({
        "id": own_or_ours(order, parcel.external_id.as_deref(), parcel.id),
        "order_id": own_or_ours(order, order.external_id.as_deref(), order.id),
        "status": state_word(parcel.state),
        "tracking_company": main.company,
        "tracking_number": main.number,
        "tracking_company_code": main.company_code,
        "created_at": rfc3339_seconds(parcel.created_ms),
        "updated_at": rfc3339_seconds(parcel.updated_ms),
        "line_items": items,
    }));
    if version.is_modern() {
        shown.insert("tracking_url".to_owned(), main.url.into());
        shown.insert("phone_number".to_owned(), parcel.tracking.phone.clone().into());
    }
    if version >= Version::V202601 {
        let tracks: Vec<Value> = parcel.tracking.tracks.iter().map(track).collect();
        shown.insert("tracking_items".to_owned(), tracks.into());
    }
    Value::Object(shown)
}

fn track(track: &Track) -> Value {
    json!({
        "tracking_number": track.number,
        "tracking_company": track.company,
        "tracking_company_code": track.company_code,
        "tracking_url": track.url,
    })
}

/// Answer to the transactions of an order.
pub(super) fn transactions(version: Version, order: &Order, transactions: &[Transaction]) -> Value {
    let list: Vec<Value> = transactions.iter().map(|t| transaction(version, order, t)).collect();
    if version.is_modern() {
        return envelope(version, "Transactions retrieved", &json!({ "transactions": list }));
    }
    let newest = transactions.last().map_or_else(String::new, |t| print_id(t.id));
    json!({ "count": list.len(), "since_id": newest, "transactions": list })
}

/// Answer to a capture.
pub(super) fn captured(version: Version, order: &Order, captured: &Transaction) -> Value {
    json!({ "transaction": transaction(version, order, captured) })
}

/// Four decimals and a time with a space in legacy transactions.
fn transaction(version: Version, order: &Order, transaction: &Transaction) -> Value {
    let modern = version.is_modern();
    let made = rfc3339_seconds(transaction.created_ms);
    let made = if modern { made } else { made.replace('T', " ").replace('Z', "") };
    let decimals = if modern { 2 } else { 4 };
    let amount = transaction.amount.to_decimal(transaction.currency, transaction.currency.exponent().max(decimals));
    let mut shown = object(json!({
        "id": print_id(transaction.id),
        "order_id": own_or_ours(order, order.external_id.as_deref(), order.id),
        "payment_channel": transaction.channel,
        "payment_name": transaction.name,
        "message": transaction.message,
        "created_at": made,
        "test": transaction.test,
        "error_code": transaction.error_code,
        "amount": amount,
        "currency": transaction.currency.code(),
        "trade_id": transaction.trade_id,
        "status": transaction_word(transaction.state),
    }));
    let key = if modern { "payment_detail" } else { "payment_details" };
    shown.insert(key.to_owned(), card(&transaction.card));
    Value::Object(shown)
}

fn card(card: &Card) -> Value {
    json!({
        "card_number": card.number,
        "card_month": card.month,
        "card_year": card.year,
        "card_first_name": card.first_name,
        "card_last_name": card.last_name,
        "card_first_fix": card.first_six(),
        "card_last_four": card.last_four(),
        "avs_result_code": card.avs,
        "cvv_result_code": card.cvv,
    })
}
