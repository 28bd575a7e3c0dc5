//! An order in the legacy shape, as the full refund returns it.
//!
//! Where the order came from this platform, the document it was read from gives everything that refunds do not move;
//! the rest, and all money that refunds do move, comes from the facts. All keys are always there.

use refundry_core::balances::Facts;
use refundry_core::money::Amount;
use refundry_core::order::{Component, ComponentKind, Dialect, Order, PaymentKind, Status};
use refundry_core::standing::{self, Stage};
use serde_json::{Map, Value, json};

use super::document;
use super::encode::{object, price, times};
use super::parcels::of_order as parcels_of_order;
use super::state::{financial_status, fulfillment_status, line_fulfillment_status, refund_status};
use super::{Version, own_or_ours};
use crate::text::rfc3339_seconds;
use crate::wire::OrderView;

/// The order after its refunds.
pub(super) fn legacy_order(view: &OrderView) -> Value {
    let mut order = shown_order(view);
    // Two states that came later; these are what was said before there were words for them.
    let former = match order.get("financial_status").and_then(Value::as_str) {
        Some("partially_paid") => Some("paying"),
        Some("authorized") => Some("waiting"),
        _ => None,
    };
    if let Some(Value::Array(parcels)) = order.get_mut("fulfillments") {
        parcels.extend(parcels_of_order(Version::V202201, view));
    }
    if let (Some(order), Some(former)) = (order.as_object_mut(), former) {
        order.insert("financial_status".to_owned(), former.into());
    }
    order
}

/// The same with the states of all versions, and without the parcels that were made here.
pub(super) fn shown_order(view: &OrderView) -> Value {
    let facts = &view.facts;
    let mut order = object(of_facts(facts));
    if let Some(stored) = stored_order(view) {
        overlay_stored(&mut order, &stored);
    }
    overlay_refunds(&mut order, facts);
    Value::Object(order)
}

/// The order object of the document that an order of this platform was read from; empty where there is none.
pub(super) fn document_of(view: &OrderView) -> Map<String, Value> {
    stored_order(view).unwrap_or_default()
}

/// What the document says of the order, where it came from this platform.
pub(super) fn stored_order(view: &OrderView) -> Option<Map<String, Value>> {
    if view.facts.order.origin != Dialect::Shoplazza {
        return None;
    }
    let document: Value = serde_json::from_str(&view.document).ok()?;
    document::parts(&document).order.as_object().cloned()
}

/// The order in the legacy shape, from what is known of every order.
fn of_facts(facts: &Facts) -> Value {
    let order = &facts.order;
    let money = |amount| price(order, amount);
    let discounts: Amount = order.lines.iter().map(|l| l.discount).sum();
    let sub_total: Amount = order.lines.iter().map(|l| times(l.unit_price, l.quantity)).sum();
    let sum = |kinds: &[ComponentKind], part: fn(&Component) -> Amount| -> Amount {
        order.components.iter().filter(|c| kinds.contains(&c.kind)).map(part).sum()
    };
    let taxed: Amount = order.components.iter().filter(|c| c.kind != ComponentKind::Shipping).map(|c| c.tax).sum();
    let time = |ms: Option<i64>| ms.map_or(Value::Null, |ms| rfc3339_seconds(ms).into());
    let placed = order.life.placed_ms.or((!order.captured().is_zero()).then_some(order.created_ms));
    let canceled = order.life.cancelled_ms.or((order.status == Status::Cancelled).then_some(order.updated_ms));
    let gift_cards: Amount =
        order.payments.iter().filter(|p| p.kind == PaymentKind::GiftCard).map(|p| p.captured).sum();
    let mut all = object(json!({
        "id": own_or_ours(order, order.external_id.as_deref(), order.id),
        "number": order.number,
        "status": standing::standing(facts).stage.code(),
        "payment_method": primary(order).map_or("", |p| p.method.as_str()),
        "currency": order.currency.code(),
        "total_price": money(order.charged()),
        "sub_total": money(sub_total),
        "total_discount": money(discounts),
        "total_tax": money(taxed),
        "total_shipping": money(sum(&[ComponentKind::Shipping], |c| c.net)),
        "shipping_tax_total": money(sum(&[ComponentKind::Shipping], |c| c.tax)),
        "duty_total": money(sum(&[ComponentKind::Duty, ComponentKind::ImporterTax, ComponentKind::Fee], |c| c.net)),
        "code_discount_total": money(Amount::ZERO),
        "line_item_discount_total": money(discounts),
        "total_tip_received": money(sum(&[ComponentKind::Tip], Component::gross)),
        "gift_card_total": money(gift_cards),
        "additional_total": money(sum(&[ComponentKind::Additional], |c| c.net)),
        "total_paid": money(order.captured()),
        "additional_prices": additional_prices(order),
        "created_at": rfc3339_seconds(order.created_ms),
        "placed_at": time(placed),
        "canceled_at": time(canceled),
        "product_tax_included": order.taxes_included,
        "shipping_line": shipping_line(order),
        "payment_line": payment_line(order),
        "line_items": (0..order.lines.len()).map(|i| line_of(facts, i)).collect::<Vec<_>>(),
        "config": config(order),
    }));
    all.extend(blanks());
    Value::Object(all)
}

/// Keys that every legacy order has and that no refund needs to know.
fn blanks() -> Map<String, Value> {
    object(json!({
        "financial_status": "",
        "fulfillment_status": "",
        "refund_status": "",
        "total_refund_price": "",
        "total_refund_tax": "",
        "total_refund_discount": "",
        "updated_at": "",
        "note": null,
        "cancel_reason": null,
        "discount_code": "",
        "discount_applications": "[]",
        "customer_note": "",
        "landing_site": "",
        "last_landing_url": "",
        "source": "",
        "browser_ip": "",
        "buyer_accepts_marketing": false,
        "tags": "",
        "customer_deleted_at": null,
        "deleted_at": null,
        "email_status": "waiting",
        "recovery_status": "waiting",
        "source_name": { "data": "", "created_at": "" },
        "last_referrer_show": { "data": "", "created_at": "" },
        "sales_platform": "",
        "logistics_code": "",
        "checkout_url": "",
        "refer_info": "",
        "customer": customer(None),
        "shipping_address": address(None, true),
        "billing_address": address(None, false),
        "fulfillments": [],
    }))
}

/// The payment that stands for the order: the first one that is no gift card.
pub(super) fn primary(order: &Order) -> Option<&refundry_core::order::Payment> {
    order.payments.iter().find(|p| p.kind != PaymentKind::GiftCard).or(order.payments.first())
}

fn payment_line(order: &Order) -> Value {
    let primary = primary(order);
    json!({
        "payment_channel": primary.map_or("", |p| p.channel.as_str()),
        "payment_method": primary.map_or("", |p| p.method.as_str()),
        "transaction_no": primary.map_or("", |p| p.reference.as_str()),
        "merchant_id": "",
        "merchant_email": "",
    })
}

pub(super) fn additional_prices(order: &Order) -> Vec<Value> {
    let charges = order.of_kind(ComponentKind::Additional).filter_map(|i| order.components.get(i));
    charges.map(|c| json!({ "name": c.name, "price": price(order, c.net) })).collect()
}

fn shipping_line(order: &Order) -> Value {
    let shipping = order.of_kind(ComponentKind::Shipping).filter_map(|i| order.components.get(i));
    let charged: Amount = shipping.map(|c| c.net).sum();
    json!({ "id": "", "name": "", "desc": "", "support_cod": 0, "shipping_price": price(order, charged) })
}

pub(super) fn config(order: &Order) -> Value {
    json!({
        "page_type": "",
        "requires_shipping": true,
        "checkout_business_type": "",
        "product_tax_included": order.taxes_included,
        "checkout_template_type": "",
        "market_setting": market_setting(order),
    })
}

/// The market that an order was sold in, as far as it is known of every order: its currency and the shop's.
fn market_setting(order: &Order) -> Value {
    let sold = order.currency.code();
    let (shop, rate) = order.shop.map_or((sold, String::new()), |shop| (shop.currency.code(), shop.rate.to_string()));
    let symbol = |code: &str| json!({ "code": code, "val": code, "left": "", "right": "" });
    json!({
        "primary_market_lang": "",
        "market_lang": "",
        "market_id": "",
        "market_currency": sold,
        "market_currency_symbol": symbol(sold),
        "market_base_id": "",
        "market_base_currency": shop,
        "market_base_currency_symbol": symbol(shop),
        "primary_market_id": "",
        "primary_market_currency": shop,
        "primary_market_currency_symbol": symbol(shop),
        "market_price_setting": {
            "local_currency_enabled": order.shop.is_some(),
            "custom_rate_enabled": false,
            "custom_rate": "",
            "rate": "",
            "back_rate": "",
            "actual_rate": "",
            "base_to_local": "",
            "local_to_base": rate,
            "adjust": "",
            "price_round_enabled": false,
        },
        "market_country": "",
    })
}

fn line_of(facts: &Facts, index: usize) -> Value {
    let held = facts.balances.components.get(index).copied().unwrap_or_default();
    let refunded = (facts.units_refunded(index).all(), held.net + held.tax);
    let mut line = object(legacy_line(&facts.order, index, refunded));
    line.insert("fulfillment_status".to_owned(), line_fulfillment_status(facts, index).into());
    Value::Object(line)
}

/// A line item in the legacy shape, with the units and money refunded of it.
pub(super) fn legacy_line(order: &Order, index: usize, refunded: (u32, Amount)) -> Value {
    let Some(line) = order.lines.get(index) else { return Value::Null };
    let goods = order.goods(index);
    let total = if order.taxes_included { goods.gross() } else { goods.net };
    let shipped = match (line.shipped, order.life.delivered(index)) {
        (_, arrived @ 1..) if arrived >= line.quantity => "finished",
        (_, 1..) => "partially_finished",
        (0, _) => "waiting",
        (some, _) if some < line.quantity => "partially_shipped",
        _ => "shipped",
    };
    json!({
        "id": own_or_ours(order, line.external_id.as_deref(), line.id),
        "product_id": line.product_id,
        "variant_id": line.variant_id,
        "product_title": line.title,
        "variant_title": line.variant_title,
        "product_handle": "",
        "product_url": "",
        "image": "",
        "quantity": line.quantity,
        "price": price(order, line.unit_price),
        "compare_at_price": price(order, line.unit_price),
        "total": price(order, total),
        "sku": line.sku,
        "vendor": "",
        "weight": "0",
        "weight_unit": "kg",
        "note": "",
        "fulfillment_status": shipped,
        "properties": [],
        "custom_properties": {},
        "refund_quantity": refunded.0,
        "refund_total": price(order, refunded.1),
    })
}

/// Lays what the stored document says over what the facts say, key by key, in the legacy shape.
fn overlay_stored(order: &mut Map<String, Value>, stored: &Map<String, Value>) {
    for (key, value) in stored {
        let (key, value) = match key.as_str() {
            "cancelled_at" => ("canceled_at", or_null(value)),
            "customer_deleted_at" | "deleted_at" | "canceled_at" | "placed_at" => (key.as_str(), or_null(value)),
            "source_name" | "last_referrer_show" => (key.as_str(), referrer(value, stored.get("created_at"))),
            "customer" => (key.as_str(), customer(Some(value))),
            "shipping_address" => (key.as_str(), address(Some(value), true)),
            "billing_address" => (key.as_str(), address(Some(value), false)),
            "shipping_line" | "payment_line" => (key.as_str(), with_defaults(order.get(key), value)),
            "config" => (key.as_str(), config_of(order.get(key), value)),
            "additional_prices" => (key.as_str(), charges(order.get(key), value)),
            "line_items" => continue,
            "fulfillments" => (key.as_str(), fulfillments(value)),
            // Keys that only the modern shape has, and those of nobody, would be strangers here.
            other if !order.contains_key(other) => continue,
            // Clients declare most keys as texts, and have no room for a null that the facts can fill.
            other if value.is_null() && order.get(other).is_some_and(|ours| !ours.is_null()) => continue,
            other => (other, value.clone()),
        };
        order.insert(key.to_owned(), value);
    }
    overlay_lines(order, stored);
}

/// Additional prices as the books know them, with what else is stored of them.
fn charges(known: Option<&Value>, stored: &Value) -> Value {
    let mut known = known.cloned().unwrap_or_default();
    for charge in known.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let same = stored.as_array().into_iter().flatten().find(|s| s.get("name") == charge.get("name"));
        for (key, value) in same.and_then(Value::as_object).into_iter().flatten() {
            charge.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    known
}

/// Modern orders say `""` for a time that is not set, legacy ones `null`.
fn or_null(value: &Value) -> Value {
    if value.as_str() == Some("") { Value::Null } else { value.clone() }
}

/// A plain text in modern orders, an object with its time in legacy ones.
fn referrer(value: &Value, created_at: Option<&Value>) -> Value {
    match value {
        Value::String(text) => json!({ "data": text, "created_at": created_at.cloned().unwrap_or("".into()) }),
        other => other.clone(),
    }
}

/// An object with the keys of the shape: those of the stored one where it has them, and nothing else.
fn with_defaults(shape: Option<&Value>, stored: &Value) -> Value {
    let mut object = shape.and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, value) in &mut object {
        if let Some(stored) = stored.get(key).filter(|stored| !stored.is_null()) {
            *value = stored.clone();
        }
    }
    Value::Object(object)
}

/// `user_id` on the page, `id` in the sample: both.
fn customer(stored: Option<&Value>) -> Value {
    let shape = json!({
        "id": "", "user_id": "", "email": "", "first_name": "", "last_name": "", "phone": "", "created_at": "",
        "updated_at": "", "orders_count": 0, "total_spent": "0.00", "customer_role": "buyer", "ext": [],
    });
    let Some(stored) = stored else { return shape };
    let mut customer = object(with_defaults(Some(&shape), stored));
    let given = |key: &str| stored.get(key).filter(|value| !value.is_null());
    if let Some(id) = given("id").or_else(|| given("user_id")) {
        customer.insert("id".to_owned(), id.clone());
        customer.insert("user_id".to_owned(), id.clone());
    }
    if let Some(count) = given("order_count") {
        customer.insert("orders_count".to_owned(), count.clone());
    }
    Value::Object(customer)
}

/// Street lines are `address1` and `address2` here, `address` and `address1` in modern orders.
fn address(stored: Option<&Value>, shipping: bool) -> Value {
    let mut shape = object(json!({
        "first_name": "", "last_name": "", "name": "", "email": "", "phone": "", "company": "", "address1": "",
        "address2": "", "city": "", "area": "", "zip": "", "province": "", "province_code": "", "country": "",
        "country_code": "", "latitude": "", "longitude": "",
    }));
    if shipping {
        shape.insert("phone_area_code".to_owned(), "".into());
        let extra = json!({ "cpf": "", "tax_text": "", "id_number": "", "id_number_text": "", "addition": {} });
        shape.insert("extra_info".to_owned(), extra);
    }
    let shape = Value::Object(shape);
    let Some(stored) = stored else { return shape };
    let mut address = object(with_defaults(Some(&shape), stored));
    if shipping && let Some(extra) = stored.get("extra_info") {
        address.insert("extra_info".to_owned(), with_defaults(shape.get("extra_info"), extra));
    }
    let given = |key: &str| stored.get(key).filter(|value| !value.is_null());
    if let Some(first) = given("address") {
        address.insert("address1".to_owned(), first.clone());
        address.insert("address2".to_owned(), given("address1").cloned().unwrap_or("".into()));
    }
    Value::Object(address)
}

/// The price setting calls its two rates otherwise in modern orders.
fn config_of(shape: Option<&Value>, stored: &Value) -> Value {
    let mut config = object(with_defaults(shape, stored));
    let setting = config.get_mut("market_setting").and_then(|m| m.get_mut("market_price_setting"));
    if let Some(setting) = setting.and_then(Value::as_object_mut) {
        for (new, old) in [("base_to_rate", "base_to_local"), ("local_to_rate", "local_to_base")] {
            if let Some(rate) = setting.remove(new) {
                setting.insert(old.to_owned(), rate);
            }
        }
    }
    Value::Object(config)
}

/// Puts the texts of stored line items on the lines, which know their units and money better.
fn overlay_lines(order: &mut Map<String, Value>, stored: &Map<String, Value>) {
    let Some(Value::Array(lines)) = order.get_mut("line_items") else { return };
    let Some(Value::Array(stored)) = stored.get("line_items") else { return };
    for (place, line) in lines.iter_mut().filter_map(Value::as_object_mut).enumerate() {
        let of_line = stored.iter().find(|s| s.get("id") == line.get("id"));
        // What was stored before the line had an id is found by its place.
        let Some(stored) = of_line.or_else(|| stored.get(place).filter(|s| s.get("id").is_none())) else { continue };
        for (key, value) in texts_of_line(line, stored) {
            line.insert(key, value);
        }
        keep_delivery(line, stored.get("fulfillment_status"));
    }
    let lines = lines.clone();
    show_in_parcels(order, &lines);
}

/// A line item that is repeated in a parcel shows the same refunds there.
fn show_in_parcels(order: &mut Map<String, Value>, lines: &[Value]) {
    let Some(Value::Array(parcels)) = order.get_mut("fulfillments") else { return };
    let items = parcels.iter_mut().filter_map(|p| p.get_mut("line_items")).filter_map(Value::as_array_mut).flatten();
    for item in items.filter_map(Value::as_object_mut) {
        let Some(line) = lines.iter().find(|line| line.get("id") == item.get("id")) else { continue };
        for key in ["refund_quantity", "refund_total", "fulfillment_status"] {
            item.insert(key.to_owned(), line.get(key).cloned().unwrap_or_default());
        }
    }
}

fn fulfillments(stored: &Value) -> Value {
    let Value::Array(parcels) = stored else { return json!([]) };
    let keys = ["id", "order_id", "status", "tracking_company", "tracking_number", "tracking_company_code"];
    let parcels = parcels.iter().map(|parcel| {
        let mut kept = Map::new();
        for key in keys.into_iter().chain(["created_at", "updated_at"]) {
            kept.insert(key.to_owned(), parcel.get(key).cloned().unwrap_or("".into()));
        }
        let items = parcel.get("line_items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        kept.insert("line_items".to_owned(), items.iter().map(parcel_item).collect::<Vec<_>>().into());
        Value::Object(kept)
    });
    Value::Array(parcels.collect())
}

/// An item of a parcel: the line item with what was in this parcel.
fn parcel_item(stored: &Value) -> Value {
    let mut item = object(json!({
        "id": "", "product_id": "", "variant_id": "", "product_title": "", "variant_title": "", "quantity": 0,
        "price": "0.00", "compare_at_price": "0.00", "total": "0.00", "sku": "", "vendor": "", "weight": "0",
        "weight_unit": "kg", "note": "", "fulfillment_status": "", "properties": [], "custom_properties": {},
        "product_handle": "", "product_url": "", "image": "", "taxable": true, "requires_shipping": true,
        "shipping_quantity": 0, "refund_quantity": 0, "refund_total": "0.00",
    }));
    item = object(with_defaults(Some(&Value::Object(item)), stored));
    for (new, old) in
        [("total_price", "total"), ("ship_quantity", "shipping_quantity"), ("refund_quantity_total", "refund_quantity")]
    {
        if let Some(value) = stored.get(new) {
            item.insert(old.to_owned(), value.clone());
        }
    }
    for (key, value) in texts_of_line(&item, stored) {
        item.insert(key, value);
    }
    Value::Object(item)
}

/// What a stored line item says beside units and money.
fn texts_of_line(line: &Map<String, Value>, stored: &Value) -> Vec<(String, Value)> {
    const TEXTS: [&str; 15] = [
        "product_id",
        "variant_id",
        "product_title",
        "variant_title",
        "product_handle",
        "product_url",
        "image",
        "compare_at_price",
        "sku",
        "vendor",
        "weight",
        "weight_unit",
        "note",
        "properties",
        "custom_properties",
    ];
    let kept = TEXTS.into_iter().filter(|key| line.contains_key(*key)).filter_map(|key| {
        let value = match key {
            // An object with its size in modern orders.
            "image" => stored.get("image").map(|i| i.get("src").unwrap_or(i)),
            "product_handle" => stored.get("product_handle").or_else(|| stored.get("product_slug")),
            "properties" => stored.get("properties").or_else(|| stored.get("options")),
            other => stored.get(other),
        };
        value.filter(|v| !v.is_null()).map(|v| (key.to_owned(), v.clone()))
    });
    kept.collect()
}

/// Units do not tell whether a parcel arrived or came back; a document that says so is believed.
fn keep_delivery(object: &mut Map<String, Value>, stored: Option<&Value>) {
    let Some(stored) = stored.and_then(Value::as_str) else { return };
    let ours = object.get("fulfillment_status").and_then(Value::as_str).unwrap_or_default();
    let goes_with = match stored {
        "finished" | "returning" | "returned" => ours == "shipped",
        "partially_finished" | "partially_returned" => matches!(ours, "shipped" | "partially_shipped"),
        "cancelled" => matches!(ours, "waiting" | "initialled"),
        _ => false,
    };
    if goes_with {
        object.insert("fulfillment_status".to_owned(), stored.into());
    }
}

/// What refunds move, which only the books know.
fn overlay_refunds(object: &mut Map<String, Value>, facts: &Facts) {
    let order = &facts.order;
    let stored_shipping = object.get("fulfillment_status").cloned();
    let stored_money = object.get("financial_status").and_then(Value::as_str).unwrap_or_default().to_owned();
    let taxes: Amount = facts.balances.components.iter().map(|c| c.tax).sum();
    let discounts = (0..order.lines.len()).map(|i| order.discount_share(i, 0, facts.units_refunded(i).all()));
    let moved = json!({
        "financial_status": unpaid_word(financial_status(facts), &stored_money),
        "fulfillment_status": fulfillment_status(facts),
        "refund_status": refund_status(facts),
        "total_refund_price": price(order, facts.balances.succeeded()),
        "total_refund_tax": price(order, taxes),
        "total_refund_discount": price(order, discounts.sum()),
        "total_paid": price(order, order.captured()),
        "updated_at": rfc3339_seconds(order.updated_ms.max(facts.balances.updated_ms)),
    });
    object.extend(self::object(moved));
    keep_delivery(object, stored_shipping.as_ref());
    overlay_life(object, facts);
}

/// What happened to the order here. That it is finished may be known from the document alone.
fn overlay_life(object: &mut Map<String, Value>, facts: &Facts) {
    let (stage, life) = (standing::standing(facts).stage, &facts.order.life);
    let finished = stage == Stage::Placed && object.get("status").and_then(Value::as_str) == Some("finished");
    if !finished {
        object.insert("status".to_owned(), stage.code().into());
    }
    let times = [("placed_at", life.placed_ms), ("canceled_at", life.cancelled_ms), ("deleted_at", life.deleted_ms)];
    for (key, ms) in times {
        if let Some(ms) = ms {
            object.insert(key.to_owned(), rfc3339_seconds(ms).into());
        }
    }
    if let Some(payment) = primary(&facts.order).filter(|payment| payment.external_id.is_none()) {
        // It was made here, so the document knows nothing of it, or only what was meant to be.
        object.insert("payment_method".to_owned(), payment.method.as_str().into());
        object.insert("payment_line".to_owned(), payment_line(&facts.order));
    }
    if !life.cancel_reason.is_empty() {
        object.insert("cancel_reason".to_owned(), life.cancel_reason.as_str().into());
    }
}

/// Before any money came, the platform knows more states than the books do.
fn unpaid_word(ours: &'static str, stored: &str) -> String {
    let finer = ours == "waiting" && matches!(stored, "waiting" | "paying" | "authorized" | "failed" | "cancelled");
    if finer { stored.to_owned() } else { ours.to_owned() }
}
