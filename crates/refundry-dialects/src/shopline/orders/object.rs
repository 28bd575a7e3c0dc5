//! An order as this platform shows it: `GET orders.json`, and all that answers with an order.
//!
//! Money and states come from the books, texts that the books do not have from the document that the order was read
//! from or made with. All keys are always there, empty where nothing is known.

use std::sync::Arc;

use refundry_core::order::{Order, Status};
use refundry_core::standing::{Sent, Tally, placed_ms, sent, tally};
use serde_json::{Map, Value, json};

use super::kept::{Document, Kept};
use super::totals::Totals;
use super::{lines, slips};
use crate::shopline::money::Money;
use crate::shopline::{Version, ids, parcels, refunds};
use crate::text::rfc3339_offset;
use crate::wire::{OrderView, RefundView};

/// Where an order stands that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shopline) enum Form {
    /// Wherever it is read.
    Listed,
    /// In the answer that made it, which gives a few keys another type.
    Made,
}

/// An order with all its keys.
pub(in crate::shopline) fn object(version: Version, view: &OrderView, form: Form) -> Value {
    let document = Document::of(view);
    let kept = document.order();
    let mut shown = head(view, kept);
    shown.extend(people(version, kept));
    shown.extend(money(view, kept));
    shown.extend(parts(version, view, kept, form));
    Value::Object(shown)
}

/// The words for what is paid of an order and what went back of it.
pub(super) const fn financial_status(tally: Tally) -> &'static str {
    match tally {
        Tally::Unpaid => "unpaid",
        Tally::PartlyPaid => "partially_paid",
        Tally::Paid => "paid",
        Tally::PartlyBack => "partially_refunded",
        Tally::Back => "refunded",
    }
}

fn head(view: &OrderView, kept: Kept<'_>) -> Map<String, Value> {
    let (facts, order) = (&view.facts, &*view.facts.order);
    let called_off = order.status == Status::Cancelled;
    let cancelled_ms = order.life.cancelled_ms.or(called_off.then_some(order.updated_ms));
    let time = |ms: Option<i64>| ms.map_or_else(String::new, rfc3339_offset);
    let store = Some(kept.text("store_id")).filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
    let fulfillment_status = match sent(facts) {
        Sent::Nothing => None,
        Sent::Some => Some("partial"),
        Sent::All => Some("fulfilled"),
    };
    map(json!({
        "id": ids::order_id(order),
        "name": order.number,
        "status": if called_off { "canceled" } else { "open" },
        "financial_status": financial_status(tally(facts)),
        "fulfillment_status": fulfillment_status,
        "currency": order.currency.code(),
        "presentment_currency": order.currency.code(),
        "created_at": rfc3339_offset(order.created_ms),
        "updated_at": rfc3339_offset(order.updated_ms.max(facts.balances.updated_ms)),
        "order_at": kept.some_time("order_at").unwrap_or_else(|| rfc3339_offset(order.created_ms)),
        "processed_at": kept.some_time("processed_at").unwrap_or_else(|| time(placed_ms(order))),
        "cancelled_at": time(cancelled_ms.filter(|_| called_off)),
        "cancel_reason": order.life.cancel_reason,
        "note": kept.text("note"),
        "buyer_note": kept.text("buyer_note"),
        "email": kept.some_text("email").unwrap_or_else(|| kept.object("customer").text("email")),
        "phone": kept.some_text("phone").unwrap_or_else(|| kept.object("customer").text("phone")),
        "tags": kept.text("tags"),
        "store_id": store.unwrap_or_else(|| view.store.to_string()),
        "user_id": kept.some_text("user_id").unwrap_or_else(|| kept.object("customer").text("id")),
        "taxes_included": order.taxes_included,
        "tax_type": if kept.text("tax_type") == "shipping_tax" { "shipping_tax" } else { "product_tax" },
    }))
}

fn people(version: Version, kept: Kept<'_>) -> Map<String, Value> {
    let customer = kept.object("customer");
    map(json!({
        "customer": {
            "id": customer.text("id"),
            "email": customer.text("email"),
            "phone": customer.text("phone"),
            "first_name": customer.text("first_name"),
            "last_name": customer.text("last_name"),
            "created_at": customer.time("created_at"),
            "updated_at": customer.time("updated_at"),
        },
        "shipping_address": address(version, kept.object("shipping_address")),
        "billing_address": address(version, kept.object("billing_address")),
    }))
}

/// The key of an address that came with a later version.
const STANDARD: &str = "standard_province_code";
/// Keys of an address.
pub(super) const ADDRESS: [&str; 17] = [
    "first_name",
    "last_name",
    "company",
    "email",
    "phone",
    "address1",
    "address2",
    "area",
    "area_code",
    "city",
    "city_code",
    "province",
    "province_code",
    STANDARD,
    "country",
    "country_code",
    "zip",
];

fn address(version: Version, kept: Kept<'_>) -> Value {
    let is_there = |key: &&str| *key != STANDARD || version >= Version::WITH_TRACKING_LIST;
    texts(ADDRESS.into_iter().filter(is_there), kept)
}

fn texts<'k>(keys: impl IntoIterator<Item = &'k str>, kept: Kept<'_>) -> Value {
    keys.into_iter().map(|key| (key.to_owned(), Value::String(kept.text(key)))).collect::<Map<_, _>>().into()
}

fn money(view: &OrderView, kept: Kept<'_>) -> Map<String, Value> {
    let order = &*view.facts.order;
    let totals = Totals::of(&view.facts, kept);
    let mut all = Map::new();
    for (key, amount) in [
        ("subtotal_price", totals.subtotal),
        ("total_tax", totals.tax),
        ("total_discounts", totals.discounts),
        ("total_line_items_price", totals.listed),
        ("current_subtotal_price", totals.current_subtotal),
        ("current_total_price", totals.current_total),
        ("current_total_tax", totals.current_tax),
        ("current_total_discounts", totals.current_discounts),
        ("total_outstanding", totals.outstanding),
        ("total_tip_received", totals.tip),
        ("adjust_price", totals.adjustment),
        ("deduct_member_point_amount", totals.points),
    ] {
        let amount = Money::converted(order, amount);
        all.insert(key.to_owned(), amount.plain().into());
        all.insert(format!("{key}_set"), amount.texts());
    }
    all.insert("total_shipping_price_set".to_owned(), Money::converted(order, totals.shipping).texts());
    all.insert("current_total_duties_set".to_owned(), Money::converted(order, totals.current_duties).texts());
    all
}

fn parts(version: Version, view: &OrderView, kept: Kept<'_>, form: Form) -> Map<String, Value> {
    let order = &*view.facts.order;
    let weight = kept.number("total_weight").map_or_else(|| weight(order, kept), Value::Number);
    let made = form == Form::Made;
    let codes = codes(order, kept);
    let applied = kept.list("discount_applications").into_iter().map(Kept::whole);
    let oldest_first = view.parcels.iter().rev().map(|parcel| parcels::of_order(version, view, kept, parcel));
    let refunds = view.refunds.iter().map(|refund| refunded(version, view, kept, refund));
    map(json!({
        "total_weight": if made { weight.to_string().into() } else { weight },
        "line_items": (0..order.lines.len()).map(|index| lines::item(view, kept, index)).collect::<Vec<Value>>(),
        "shipping_lines": lines::shipping(order, kept),
        "tax_lines": lines::taxes(order, kept),
        "discount_codes": if made { codes.into_iter().next().unwrap_or_else(|| json!({})) } else { codes.into() },
        "discount_applications": applied.collect::<Vec<Value>>(),
        "payment_details": slips::all(view, kept, made),
        "payment_gateway_names": slips::ways(order),
        "fulfillments": oldest_first.collect::<Vec<Value>>(),
        "refunds": refunds.collect::<Vec<Value>>(),
        "locations": locations(order, kept),
    }))
}

/// Grams of all lines.
fn weight(order: &Order, kept: Kept<'_>) -> Value {
    let grams = |line: &refundry_core::order::Line| {
        let id = ids::line_id(order, line).to_string();
        let entry = kept.list("line_items").into_iter().find(|entry| entry.text("id") == id);
        let each = entry.and_then(|entry| entry.number("grams")).and_then(|grams| grams.as_u64()).unwrap_or(0);
        each.saturating_mul(u64::from(line.quantity))
    };
    order.lines.iter().map(grams).fold(0_u64, u64::saturating_add).into()
}

fn codes(order: &Order, kept: Kept<'_>) -> Vec<Value> {
    let one = |entry: Kept<'_>| {
        let amount = Money::converted(order, entry.amount(order, "amount").unwrap_or_default());
        json!({
            "code": entry.text("code"),
            "amount": amount.plain(),
            "amount_set": amount.texts(),
            "type": entry.text("type"),
        })
    };
    kept.list("discount_codes").into_iter().map(one).collect()
}

/// A refund, with its lines as they are now.
fn refunded(version: Version, view: &OrderView, kept: Kept<'_>, refund: &refundry_core::refund::Refund) -> Value {
    let order = Arc::clone(&view.facts.order);
    let alone = RefundView { refund: refund.clone(), order, beside: None, live: false };
    let mut shown = refunds::object(version, &alone, refunds::Form::InOrder);
    show_lines(&mut shown, view, kept, refund);
    shown
}

/// Shows the lines of a refund as they are now, with what the document says of them.
pub(in crate::shopline) fn show_lines(
    shown: &mut Value,
    view: &OrderView,
    kept: Kept<'_>,
    refund: &refundry_core::refund::Refund,
) {
    let rows = shown.get_mut("refund_line_items").and_then(Value::as_array_mut).into_iter().flatten();
    for (row, units) in rows.zip(&refund.units) {
        row["line_item"] = lines::sold_line(view, kept, units.line).into();
    }
}

/// Places that the document names, or else those that the lines come from.
fn locations(order: &Order, kept: Kept<'_>) -> Vec<Value> {
    let named: Vec<Kept<'_>> =
        kept.list("locations").into_iter().filter(|place| is_id(&place.text("location_id"))).collect();
    if named.is_empty() {
        let mut ids: Vec<&str> =
            order.lines.iter().map(|line| line.location_id.as_str()).filter(|id| is_id(id)).collect();
        ids.sort_unstable();
        ids.dedup();
        return ids.into_iter().map(|id| location(id, Kept::nothing())).collect();
    }
    named.into_iter().map(|place| location(&place.text("location_id"), place)).collect()
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn location(id: &str, kept: Kept<'_>) -> Value {
    let said = kept.text("type");
    let kind = ["posLocation", "pickupLocation"].into_iter().find(|kind| *kind == said).unwrap_or("productLocation");
    let keys = ["name", "address1", "address2", "city", "country", "country_code", "province", "province_code", "zip"];
    let mut shown = map(texts(keys, kept));
    shown.insert("location_id".to_owned(), id.into());
    shown.insert("type".to_owned(), kind.into());
    Value::Object(shown)
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
