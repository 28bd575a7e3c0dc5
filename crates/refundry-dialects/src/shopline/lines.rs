//! A line of an order as refunds, parcels and orders themselves show it.

use refundry_core::money::{Amount, Decimal, ratio};
use refundry_core::order::Order;
use serde_json::{Map, Value, json};

use super::ids;
use super::money::{Money, number};

/// The sold line, as far as the books know it; what they do not is sent empty. `fulfillable` are the units of it that
/// wait to be shipped.
pub(super) fn sold(order: &Order, index: usize, fulfillable: u32) -> Map<String, Value> {
    let Some(line) = order.lines.get(index) else { return Map::new() };
    let price = Money::converted(order, line.unit_price);
    let fulfillment_status = match (line.shipped, fulfillable) {
        (0, _) => None,
        (_, 0) => Some("fulfilled"),
        _ => Some("partial"),
    };
    let name = format!("{} {}", line.title, line.variant_title);
    let shown = json!({
        "id": ids::line_id(order, line).to_string(),
        "name": name.trim(),
        "title": line.title,
        "variant_title": line.variant_title,
        "attribute": line.variant_title,
        "price": price.plain(),
        "price_set": price.texts(),
        "quantity": line.quantity,
        "fulfillable_quantity": fulfillable,
        "fulfillment_status": fulfillment_status,
        "fulfillment_service": "manual",
        "product_id": line.product_id,
        "variant_id": line.variant_id,
        "sku": line.sku,
        "vendor": "",
        "grams": 0,
        "requires_shipping": true,
        "taxable": order.goods(index).tax.is_positive(),
        "tax_lines": tax_lines(order, index),
    });
    match shown {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The line's taxes as one; the rate is what the figures come to, with four decimals.
fn tax_lines(order: &Order, index: usize) -> Value {
    const RATE_ONE: Amount = Amount::minor(10_000);
    let goods = order.goods(index);
    if !goods.tax.is_positive() || !goods.net.is_positive() {
        return json!([]);
    }
    // A tax beyond the price has no sensible rate, and need not fit.
    let rate = if goods.tax <= goods.net {
        ratio(RATE_ONE, i128::from(goods.tax.get()), i128::from(goods.net.get()))
    } else {
        RATE_ONE
    };
    let price = Money::converted(order, goods.tax);
    json!([{
        "title": "Tax",
        "name": "Tax",
        "price": price.plain(),
        "price_set": price.texts(),
        "rate": number(&Decimal::from_parts(i128::from(rate.get()), 4).to_string()),
        "type": "product_tax",
    }])
}
