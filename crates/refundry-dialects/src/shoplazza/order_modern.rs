//! An order in the modern shape. All keys are always there.
//!
//! Money, units and states come from the facts; texts that no refund needs come from the stored document, whichever
//! generation it was written in.

use refundry_core::balances::Facts;
use refundry_core::money::Amount;
use refundry_core::order::{ComponentKind, Order, Payment};
use refundry_core::refund::Bucket;
use serde_json::{Map, Value, json};

use super::echo::{additional_prices, config, primary, shown_order, stored_order};
use super::encode::{object, price};
use super::parcels::of_order as parcels_of_order;
use super::shape::{fit, fit_any};
use super::state::line_fulfillment_status;
use super::{Version, own_or_ours, payments, print_id};
use crate::text::rfc3339_seconds;
use crate::wire::OrderView;

/// Orders of this version and later ones tell the buyer's address in the net, and who is told of what.
const TOLD_SINCE: Version = Version::V202601;

/// The order as it is now.
pub(super) fn modern_order(version: Version, view: &OrderView) -> Value {
    let facts = &view.facts;
    let stored = stored_order(view).map_or(Value::Null, Value::Object);
    // The generations agree on what money and goods are; they differ in how they write the rest.
    let shown = shown_order(view);
    let mut order = object(texts(&stored));
    if version < TOLD_SINCE {
        for key in ["browser_ip", "order_confirm_notify", "fulfillment_notify"] {
            order.remove(key);
        }
        for key in ["partial_fulfillment_notify", "order_delivered_notify"] {
            order.remove(key);
        }
    }
    for key in SAME {
        order.insert((*key).to_owned(), shown.get(*key).cloned().unwrap_or_default());
    }
    order.extend(times(&shown, facts));
    let own = json!({
        "duty_total": price(&facts.order, duties(&facts.order)),
        "cancel_reason": text(&shown, "cancel_reason"),
        "note": text(&shown, "note"),
        "source_name": plain(stored.get("source_name")),
        "last_referrer_show": plain(stored.get("last_referrer_show")),
        "payment_line": payment_line(&facts.order, primary(&facts.order), &stored),
        "payment_lines": payment_lines(view),
        "shipping_line": shipping_line(&stored),
        "billing_address": address(stored.get("billing_address")),
        "shipping_address": address(stored.get("shipping_address")),
        "customer": customer(stored.get("customer")),
        "primary_market_price": primary_market_price(facts, &stored),
        "location_line": location_line(facts, &stored),
        "additional_prices": charges(facts, &stored),
        "line_items": (0..facts.order.lines.len()).map(|i| line(version, facts, i, &stored)).collect::<Vec<_>>(),
        "fulfillments": parcels(version, view, &stored),
        "config": config_of(&facts.order, &stored),
    });
    order.extend(object(own));
    Value::Object(order)
}

/// What both generations write alike.
const SAME: &[&str] = &[
    "id",
    "number",
    "status",
    "financial_status",
    "fulfillment_status",
    "recovery_status",
    "refund_status",
    "email_status",
    "payment_method",
    "currency",
    "total_price",
    "sub_total",
    "total_discount",
    "code_discount_total",
    "total_tax",
    "total_shipping",
    "shipping_tax_total",
    "total_tip_received",
    "additional_total",
    "gift_card_total",
    "total_paid",
    "total_refund_price",
    "tags",
    "buyer_accepts_marketing",
    "created_at",
    "updated_at",
];

/// Texts that nobody here needs to know.
fn texts(stored: &Value) -> Value {
    let shape = json!({
        "customer_note": "",
        "refer_info": "",
        "sales_platform": "",
        "discount_applications": "[]",
        "logistics_code": "",
        "checkout_url": "",
        "device": "",
        "order_type": "",
        "source": "",
        "last_landing_url": "",
        "browser_ip": "",
        "order_confirm_notify": 0,
        "fulfillment_notify": 0,
        "partial_fulfillment_notify": 0,
        "order_delivered_notify": 0,
    });
    fit(&shape, stored)
}

/// A time that is not set is an empty text here, `null` in legacy orders.
fn times(shown: &Value, facts: &Facts) -> Map<String, Value> {
    let finished = facts.order.life.finished_ms.map_or_else(String::new, rfc3339_seconds);
    object(json!({
        "placed_at": text(shown, "placed_at"),
        "finished_at": finished,
        "cancelled_at": text(shown, "canceled_at"),
        "customer_deleted_at": text(shown, "customer_deleted_at"),
        "deleted_at": text(shown, "deleted_at"),
    }))
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A plain text here, an object with its time in legacy orders.
fn plain(stored: Option<&Value>) -> String {
    let Some(stored) = stored else { return String::new() };
    stored.as_str().or_else(|| stored.get("data")?.as_str()).unwrap_or_default().to_owned()
}

fn duties(order: &Order) -> Amount {
    let kinds = [ComponentKind::Duty, ComponentKind::ImporterTax, ComponentKind::Fee];
    order.components.iter().filter(|c| kinds.contains(&c.kind)).map(|c| c.net).sum()
}

/// All payment lines.
pub(super) fn payment_lines(view: &OrderView) -> Vec<Value> {
    let (order, stored) = (&view.facts.order, stored_order(view).map_or(Value::Null, Value::Object));
    order.payments.iter().map(|payment| payment_line(order, Some(payment), &stored)).collect()
}

/// A payment line; of none, its blanks.
fn payment_line(order: &Order, payment: Option<&Payment>, stored: &Value) -> Value {
    let id = payment.map(|p| own_or_ours(order, p.external_id.as_deref(), p.id)).unwrap_or_default();
    let channel = payment.map_or("", |p| p.channel.as_str());
    let told = |key: &str| match (payment, stored.as_object()) {
        (Some(payment), Some(stored)) => payments::told_of(stored, payment, key),
        _ => "",
    };
    let name = Some(told("payment_name")).filter(|name| !name.is_empty());
    let shape = json!({
        "id": id,
        "payment_name": name.unwrap_or(channel),
        "payment_channel": channel,
        "payment_method": payment.map_or("", |p| p.method.as_str()),
        "credit_card_number": told("credit_card_number"),
        "trans_channel": "",
        "trans_method": "",
        "transaction_no": payment.map_or("", |p| p.reference.as_str()),
        "merchant_email": "",
    });
    let lines = stored.get("payment_lines").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let same = lines.iter().find(|line| line.get("id").and_then(Value::as_str) == Some(&id) && !id.is_empty());
    same.map_or_else(|| shape.clone(), |same| fit(&shape, same))
}

fn shipping_line(stored: &Value) -> Value {
    let mut shape = object(json!({ "id": "", "name": "", "desc": "", "delivery_method": 0 }));
    if let Some(line) = stored.get("shipping_line") {
        shape = object(fit(&Value::Object(shape), line));
        fit_any(&mut shape, "name", line, &["name", "shipping_name"]);
        fit_any(&mut shape, "desc", line, &["desc", "shipping_desc"]);
    }
    Value::Object(shape)
}

/// Street lines are `address` and `address1` here, `address1` and `address2` in legacy orders.
fn address(stored: Option<&Value>) -> Value {
    let mut shape = object(json!({
        "first_name": "", "last_name": "", "name": "", "email": "", "phone": "", "phone_area_code": "", "company": "",
        "address": "", "address1": "", "city": "", "area": "", "zip": "", "province": "", "province_code": "",
        "country": "", "country_code": "", "latitude": "", "longitude": "",
        "extra_info": { "addition": {}, "cpf": "", "tax_text": "" },
    }));
    let Some(stored) = stored else { return Value::Object(shape) };
    let is_legacy = stored.get("address").is_none();
    shape = object(fit(&Value::Object(shape), stored));
    if is_legacy {
        for (key, old) in [("address", "address1"), ("address1", "address2")] {
            shape.insert(key.to_owned(), "".into());
            fit_any(&mut shape, key, stored, &[old]);
        }
    }
    Value::Object(shape)
}

fn customer(stored: Option<&Value>) -> Value {
    let mut shape = object(json!({
        "id": "", "email": "", "first_name": "", "last_name": "", "phone": "", "created_at": "", "updated_at": "",
        "order_count": 0, "total_spent": "0.00",
    }));
    if let Some(stored) = stored {
        shape = object(fit(&Value::Object(shape), stored));
        fit_any(&mut shape, "id", stored, &["id", "user_id"]);
        fit_any(&mut shape, "order_count", stored, &["order_count", "orders_count"]);
    }
    Value::Object(shape)
}

/// The order's figures in the shop's own money.
fn primary_market_price(facts: &Facts, stored: &Value) -> Value {
    let order = &facts.order;
    let (total, rate) = match order.shop {
        Some(shop) => {
            let total = shop.convert(order.charged(), order.currency);
            (total.to_decimal(shop.currency, shop.currency.exponent().max(2)), shop.rate.to_string())
        }
        None => (price(order, order.charged()), "1".to_owned()),
    };
    let shape = json!({ "compare_at_price": total, "price": total, "total_price": total, "actual_rate": rate });
    stored.get("primary_market_price").map_or_else(|| shape.clone(), |stored| fit(&shape, stored))
}

fn location_line(facts: &Facts, stored: &Value) -> Value {
    let location = facts.order.life.location.map(print_id).unwrap_or_default();
    let shape = json!({ "id": "", "location_id": location, "location_name": "" });
    stored.get("location_line").map_or_else(|| shape.clone(), |stored| fit(&shape, stored))
}

fn charges(facts: &Facts, stored: &Value) -> Vec<Value> {
    let stored = stored.get("additional_prices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let charges = additional_prices(&facts.order).into_iter().map(|charge| {
        let name = charge.get("name").cloned().unwrap_or_default();
        let mut charge = object(charge);
        charge.insert("biz_id".to_owned(), "".into());
        charge.insert("fee_title".to_owned(), name.clone());
        if let Some(same) = stored.iter().find(|stored| stored.get("name") == Some(&name)) {
            fit_any(&mut charge, "biz_id", same, &["biz_id"]);
            fit_any(&mut charge, "fee_title", same, &["fee_title"]);
        }
        Value::Object(charge)
    });
    charges.collect()
}

/// All line items as they are now.
pub(super) fn lines(version: Version, view: &OrderView) -> Vec<Value> {
    let stored = stored_order(view).map_or(Value::Null, Value::Object);
    (0..view.facts.order.lines.len()).map(|index| line(version, &view.facts, index, &stored)).collect()
}

/// A line item as it is now.
fn line(version: Version, facts: &Facts, index: usize, stored: &Value) -> Value {
    let order = &facts.order;
    let Some(sold) = order.lines.get(index) else { return Value::Null };
    let goods = order.goods(index);
    let total = if order.taxes_included { goods.gross() } else { goods.net };
    let id = own_or_ours(order, sold.external_id.as_deref(), sold.id);
    let shape = json!({
        "product_id": sold.product_id, "product_title": sold.title, "product_slug": "", "variant_id": sold.variant_id,
        "variant_title": sold.variant_title, "note": "", "image": { "src": "", "width": 0, "height": 0, "alt": "" },
        "compare_at_price": price(order, sold.unit_price), "trunk_price": price(order, sold.unit_price),
        "payment_discount_price": price(order, Amount::ZERO), "discount_applications": "[]", "sku": sold.sku, "spu": "",
        "weight": "0", "weight_unit": "kg", "vendor": "", "product_url": "", "product_tags": "", "created_at": "",
        "updated_at": "", "options": [], "taxable": true, "requires_shipping": true,
        "custom": sold.product_id.is_empty() && sold.variant_id.is_empty(), "custom_properties": {},
    });
    let mut line = object(shape);
    if let Some(stored) = stored_line(stored, &id, index) {
        line = object(fit(&Value::Object(line), stored));
        fit_any(&mut line, "product_slug", stored, &["product_slug", "product_handle"]);
        fit_any(&mut line, "options", stored, &["options", "properties"]);
        if let Some(src) = stored.get("image").and_then(Value::as_str) {
            line.insert("image".to_owned(), json!({ "src": src, "width": 0, "height": 0, "alt": "" }));
        }
    }
    line.extend(object(json!({
        "id": id,
        "quantity": sold.quantity,
        "price": price(order, sold.unit_price),
        "total_price": price(order, total),
        "tax_price": price(order, goods.tax),
        "duty_price": price(order, duty_of(order, index)),
        "fulfillment_status": line_fulfillment_status(facts, index),
        "refund_quantity_total": facts.units_refunded(index).all(),
        "fulfillable_quantity": facts.units_left(index, Bucket::Waiting),
    })));
    if version < TOLD_SINCE {
        line.insert("ship_quantity".to_owned(), sold.shipped.into());
    }
    Value::Object(line)
}

fn duty_of(order: &Order, index: usize) -> Amount {
    let of_line = |c: &&refundry_core::order::Component| c.kind == ComponentKind::Duty && c.line == Some(index);
    order.components.iter().filter(of_line).map(|c| c.net).sum()
}

/// A stored line item by its id; one that was stored before it had an id, by its place.
fn stored_line<'a>(stored: &'a Value, id: &str, index: usize) -> Option<&'a Value> {
    let lines = stored.get("line_items")?.as_array()?;
    let same = |line: &&Value| line.get("id").and_then(Value::as_str) == Some(id);
    lines.iter().find(same).or_else(|| lines.get(index).filter(|line| line.get("id").is_none()))
}

/// Parcels that came with the document, and those that were made here.
fn parcels(version: Version, view: &OrderView, stored: &Value) -> Vec<Value> {
    let known = stored.get("fulfillments").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let known = known.iter().map(|parcel| stored_parcel(version, &view.facts, stored, parcel));
    known.chain(parcels_of_order(version, view)).collect()
}

fn stored_parcel(version: Version, facts: &Facts, stored: &Value, parcel: &Value) -> Value {
    let tracking = json!({
        "tracking_number": "", "tracking_company": "", "tracking_company_code": "", "tracking_url": "",
    });
    let tracking = fit(&tracking, parcel);
    let mut shown = object(fit(
        &json!({ "id": "", "order_id": "", "status": "", "created_at": "", "updated_at": "", "phone_number": "" }),
        parcel,
    ));
    shown.extend(object(tracking.clone()));
    let items = parcel.get("line_items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let items = items.iter().filter_map(|item| {
        let named = item.get("id").or_else(|| item.get("line_item_id"))?.as_str()?;
        let order = &facts.order;
        let is_named = |l: &refundry_core::order::Line| own_or_ours(order, l.external_id.as_deref(), l.id) == named;
        let index = order.lines.iter().position(is_named)?;
        let mut item_shown = object(line(version, facts, index, stored));
        item_shown.insert("ship_quantity".to_owned(), 0.into());
        fit_any(&mut item_shown, "ship_quantity", item, &["ship_quantity", "shipping_quantity", "quantity"]);
        Some(Value::Object(item_shown))
    });
    shown.insert("line_items".to_owned(), items.collect::<Vec<_>>().into());
    if version >= TOLD_SINCE {
        shown.insert("tracking_items".to_owned(), json!([tracking]));
    }
    Value::Object(shown)
}

/// The price setting calls its two rates otherwise in legacy orders.
fn config_of(order: &Order, stored: &Value) -> Value {
    const RATES: [(&str, &str); 2] = [("base_to_rate", "base_to_local"), ("local_to_rate", "local_to_base")];
    let mut shape = config(order);
    if let Some(config) = shape.as_object_mut() {
        config.remove("checkout_business_type");
        config.remove("checkout_template_type");
    }
    let mut given = stored.get("config").cloned().unwrap_or_default();
    for config in [&mut shape, &mut given] {
        let setting = config.get_mut("market_setting").and_then(|m| m.get_mut("market_price_setting"));
        let Some(setting) = setting.and_then(Value::as_object_mut) else { continue };
        for (new, old) in RATES {
            if let Some(rate) = setting.remove(old) {
                setting.entry(new).or_insert(rate);
            }
        }
    }
    fit(&shape, &given)
}
