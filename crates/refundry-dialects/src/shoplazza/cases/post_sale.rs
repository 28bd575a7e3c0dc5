//! An after-sales case as the lists print it: its refund, and the order as it is now.
//!
//! What is known of every order comes from the books. People, addresses and what the shop says of its products come
//! from the document that the order was read from, and are empty where that says nothing.

use refundry_core::money::Amount;
use refundry_core::order::{Order, Payment};
use refundry_core::refund::Refund;
use serde_json::{Map, Value, json};

use super::super::encode::{LineUnits, line_figures, lines_of, object, price};
use super::super::state::progress_code;
use super::super::{echo, own_or_ours, payments};
use crate::cases::CaseView;
use crate::text::{parse_time, rfc3339_seconds, uuid_of};

/// Writes a case.
pub(super) fn write(case: &CaseView, shop: &str, modern: bool) -> Value {
    let CaseView { refund, order: view } = case;
    let order = &*view.facts.order;
    let said =
        Said { order: echo::legacy_order(view), document: echo::document_of(view), fallback_ms: order.created_ms };
    let mut written = object(json!({
        "id": uuid_of(refund.id),
        "number": format!("{}-S{}", order.number, refund.number),
        "created_at": rfc3339_seconds(refund.created_ms),
        "post_sale_note": refund.note,
        "refund_amount": price(order, refund.amount),
        "shop_name": shop,
        "fulfillments": said.parcels(|_| true),
        "line_items": lines(refund, order, &said, modern),
    }));
    written.extend(order_copy(order, &said));
    written.extend(people(&said));
    written.extend(if modern { only_modern(refund, order, &said) } else { only_legacy(order, &said) });
    Value::Object(written)
}

/// What is said of the order: in the legacy shape, where every key is there, and in its own document.
struct Said {
    order: Value,
    document: Map<String, Value>,
    /// Stands for a time that cannot be read.
    fallback_ms: i64,
}

impl Said {
    /// A text of the order; empty where it is absent, `null` or no plain value.
    fn text(&self, pointer: &str) -> String {
        self.order.pointer(pointer).map_or_else(String::new, text_of)
    }

    /// The same of the first that says something.
    fn first(&self, pointers: &[&str]) -> String {
        pointers.iter().map(|pointer| self.text(pointer)).find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// A whole number of the document, 0 where it says none.
    fn whole(&self, key: &str) -> i64 {
        whole_of(self.document.get(key))
    }

    /// An object or text of the order as a JSON text.
    fn as_json(&self, key: &str) -> String {
        self.order.get(key).map_or_else(|| "{}".to_owned(), Value::to_string)
    }

    fn list(&self, key: &str) -> &[Value] {
        self.document.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice)
    }

    /// Parcels of the order that are wanted.
    fn parcels(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let parcels = self.order.get("fulfillments").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let parcel = |parcel: &Value| {
            let text = |key: &str| parcel.get(key).map_or_else(String::new, text_of);
            let created_ms = parse_time(&text("created_at")).unwrap_or(self.fallback_ms);
            json!({
                "tracking_number": text("tracking_number"),
                "created_at": rfc3339_seconds(created_ms),
                "tracking_company": text("tracking_company"),
            })
        };
        parcels.iter().filter(|p| wanted(p)).map(parcel).collect()
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

fn whole_of(value: Option<&Value>) -> i64 {
    let parsed = value.and_then(|value| value.as_i64().or_else(|| text_of(value).parse().ok()));
    parsed.unwrap_or_default()
}

fn order_copy(order: &Order, said: &Said) -> Map<String, Value> {
    let taxes: Amount = order.components.iter().map(|component| component.tax).sum();
    let placed = parse_time(&said.text("/placed_at")).map_or_else(String::new, rfc3339_seconds);
    let delivery = said.document.get("shipping_line").and_then(|line| line.get("delivery_method"));
    let mut copy = Map::new();
    for (key, pointer) in [
        ("order_total", "/total_price"),
        ("financial_status", "/financial_status"),
        ("fulfillment_status", "/fulfillment_status"),
        ("payment_method", "/payment_method"),
        ("discount_code", "/discount_code"),
        ("sales_platform", "/sales_platform"),
        ("source", "/source"),
        ("last_landing_url", "/last_landing_url"),
        ("shipping_tax_total", "/shipping_tax_total"),
        ("staff_contact", "/staff_contact"),
    ] {
        copy.insert(key.to_owned(), said.text(pointer).into());
    }
    copy.extend(object(json!({
        "order_number": order.number,
        "currency_code": order.currency.code(),
        "placed_at": placed,
        "source_name": said.as_json("source_name"),
        "last_referrer_show": said.as_json("last_referrer_show"),
        "shipping_tax_type": said.whole("shipping_tax_type"),
        "all_tax_total": price(order, taxes),
        "delivery_method": whole_of(delivery),
        "credit_card_number": card_number(said, order.payments.first(), 0),
    })));
    copy
}

fn people(said: &Said) -> Map<String, Value> {
    let full = |of: &str| {
        let names = ["first_name", "last_name"].map(|name| said.text(&format!("/{of}/{name}")));
        let name = names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" ");
        if name.is_empty() { said.text(&format!("/{of}/name")) } else { name }
    };
    object(json!({
        "customer_name": full("customer"),
        "recipient_name": full("shipping_address"),
        "shipping_country": said.text("/shipping_address/country"),
        "shipping_email": said.first(&["/shipping_address/email", "/customer/email"]),
        "shipping_phone": said.first(&["/shipping_address/phone", "/customer/phone"]),
    }))
}

/// The line items that the refund took units of; one of a mere amount has none.
fn lines(refund: &Refund, order: &Order, said: &Said, modern: bool) -> Vec<Value> {
    let all = said.order.get("line_items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let taken = lines_of(refund);
    let lines = taken.iter().filter_map(|(index, units)| {
        let line = all.get(*index)?;
        let stored = said.list("line_items").iter().find(|stored| stored.get("id") == line.get("id"));
        Some(Value::Object(line_item(order, *index, (line, stored), units, said, modern)?))
    });
    lines.collect()
}

fn line_item(
    order: &Order,
    index: usize,
    (line, stored): (&Value, Option<&Value>),
    units: &LineUnits,
    said: &Said,
    modern: bool,
) -> Option<Map<String, Value>> {
    let figures = line_figures(order, order.lines.get(index)?, units);
    let figure = |key: &str| figures.get(key).cloned().unwrap_or_default();
    let stored_text = |key: &str| stored.and_then(|stored| stored.get(key)).map_or_else(String::new, text_of);
    let stored_flag = |key: &str| stored.and_then(|stored| stored.get(key)).and_then(Value::as_bool).unwrap_or(true);
    let mut item = Map::new();
    for key in [
        "id",
        "product_id",
        "variant_id",
        "product_title",
        "variant_title",
        "product_handle",
        "price",
        "compare_at_price",
        "total",
        "fulfillment_status",
        "note",
        "sku",
        "vendor",
        "weight",
        "weight_unit",
    ] {
        item.insert(key.to_owned(), line.get(key).map_or_else(String::new, text_of).into());
    }
    let is_inside = |parcel: &Value| {
        let items = parcel.get("line_items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        items.iter().any(|inside| inside.get("id") == line.get("id"))
    };
    item.extend(object(json!({
        "quantity": line.get("quantity").cloned().unwrap_or_default(),
        "refund_price": figure("sub_total"),
        "refund_quantity": figure("refund_quantity"),
        "refund_discount": figure("discount"),
        "refund_tax": figure("tax"),
        "refund_total": figure("total"),
        "image": image(stored.and_then(|stored| stored.get("image"))),
        "options": options(stored),
        "product_tags": tags(stored.and_then(|stored| stored.get("product_tags"))),
        "properties": properties(stored),
        "requires_shipping": stored_flag("requires_shipping"),
        "taxable": stored_flag("taxable"),
        "spu": stored_text("spu"),
        "vendor_url": stored_text("vendor_url"),
        "oversold_quantity": whole_of(stored.and_then(|stored| stored.get("oversold_quantity"))),
        "main_currency_prices": main_prices(order, line_amounts(order, index)),
    })));
    let parcels = if modern { "fulfillments" } else { "fulfillment" };
    item.insert(parcels.to_owned(), said.parcels(is_inside).into());
    Some(item)
}

fn image(stored: Option<&Value>) -> Value {
    let text = |key: &str| stored.and_then(|image| image.get(key)).map_or_else(String::new, text_of);
    let whole = |key: &str| whole_of(stored.and_then(|image| image.get(key)));
    // A mere address in legacy orders.
    let src = stored.and_then(Value::as_str).map_or_else(|| text("src"), str::to_owned);
    json!({ "alt": text("alt"), "height": whole("height"), "width": whole("width"), "src": src, "path": text("path") })
}

fn options(stored: Option<&Value>) -> Vec<Value> {
    let options = stored.and_then(|stored| stored.get("options")).and_then(Value::as_array);
    let option = |option: &Value| {
        let text = |key: &str| option.get(key).map_or_else(String::new, text_of);
        json!({ "name": text("name"), "value": text("value") })
    };
    options.map_or(&[][..], Vec::as_slice).iter().map(option).collect()
}

/// A list, or one text with commas.
fn tags(stored: Option<&Value>) -> Vec<String> {
    match stored {
        Some(Value::Array(tags)) => tags.iter().map(text_of).filter(|tag| !tag.is_empty()).collect(),
        Some(Value::String(tags)) => {
            tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
        }
        Some(_) | None => Vec::new(),
    }
}

/// A text here, a list in orders.
fn properties(stored: Option<&Value>) -> String {
    match stored.and_then(|stored| stored.get("properties")) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Unit price and whole of a line, in the order's currency.
fn line_amounts(order: &Order, index: usize) -> (Amount, Amount) {
    let goods = order.goods(index);
    let unit = order.lines.get(index).map_or(Amount::ZERO, |line| line.unit_price);
    (unit, if order.taxes_included { goods.gross() } else { goods.net })
}

/// Prices in the shop's own currency. The books know no price to compare with.
fn main_prices(order: &Order, (unit, total): (Amount, Amount)) -> Value {
    let (rate, shown) = match &order.shop {
        None => ("1".to_owned(), [unit, total].map(|amount| price(order, amount))),
        Some(shop) => {
            let decimals = shop.currency.exponent().max(2);
            let convert = |amount| shop.convert(amount, order.currency).to_decimal(shop.currency, decimals);
            (shop.rate.to_string(), [unit, total].map(convert))
        }
    };
    let [unit, total] = shown;
    json!({ "compare_at_price": unit, "price": unit, "total": total, "actual_rate": rate })
}

fn only_modern(refund: &Refund, order: &Order, said: &Said) -> Map<String, Value> {
    let delivery = said.document.get("shipping_line").and_then(|line| line.get("delivery_method"));
    let payment = |(index, payment): (usize, &Payment)| {
        let told = |key: &str| told_of_payment(said, Some(payment), index, key);
        json!({
            "id": own_or_ours(order, payment.external_id.as_deref(), payment.id),
            "payment_name": told("payment_name"),
            "payment_channel": payment.channel,
            "payment_method": payment.method,
            "credit_card_number": told("credit_card_number"),
            "trans_channel": told("trans_channel"),
            "trans_method": told("trans_method"),
            "transaction_no": payment.reference,
            "merchant_email": told("merchant_email"),
        })
    };
    let payments: Vec<Value> = order.payments.iter().enumerate().map(payment).collect();
    object(json!({
        "status": progress_code(refund.progress()),
        "shipping_line": {
            "id": said.text("/shipping_line/id"),
            "name": said.text("/shipping_line/name"),
            "desc": said.text("/shipping_line/desc"),
            "delivery_method": whole_of(delivery),
        },
        "payment_lines": payments,
        "main_currency_prices": main_prices(order, (order.charged(), order.charged())),
    }))
}

fn only_legacy(order: &Order, said: &Said) -> Map<String, Value> {
    let payment = |(index, payment): (usize, &Payment)| {
        let told = |key: &str| told_of_payment(said, Some(payment), index, key);
        json!({
            "channel": payment.channel,
            "method": payment.method,
            "name": told("payment_name"),
            "credit_card_number": told("credit_card_number"),
            "trans_channel": told("trans_channel"),
            "trans_method": told("trans_method"),
        })
    };
    let payments: Vec<Value> = order.payments.iter().enumerate().map(payment).collect();
    let extra = said.order.pointer("/shipping_address/extra_info").filter(|extra| extra.is_object()).cloned();
    object(json!({
        "browser_ip": said.text("/browser_ip"),
        "device": said.document.get("device").map_or_else(String::new, text_of),
        "shipping_line_name": said.text("/shipping_line/name"),
        "shipping_line_desc": said.text("/shipping_line/desc"),
        "shipping_address_extra_info": extra.unwrap_or_else(|| json!({})),
        "payment_lines": payments,
    }))
}

fn card_number(said: &Said, payment: Option<&Payment>, index: usize) -> String {
    told_of_payment(said, payment, index, "credit_card_number")
}

/// What the document says of a payment: in the list of payment lines, by its id or place, or in the one line of legacy
/// orders.
fn told_of_payment(said: &Said, payment: Option<&Payment>, index: usize, key: &str) -> String {
    let lines = said.list("payment_lines");
    let id = payment.and_then(|payment| payment.external_id.as_deref());
    let same = |line: &&Value| id.is_some() && line.get("id").and_then(Value::as_str) == id;
    let listed = lines.iter().find(same).or_else(|| lines.get(index).filter(|_| id.is_none()));
    let told = listed.or_else(|| said.document.get("payment_line").filter(|_| lines.is_empty() && index == 0));
    let told = told.and_then(|line| line.get(key)).map_or_else(String::new, text_of);
    match payment {
        Some(payment) if told.is_empty() => {
            let here = payments::told_of(&said.document, payment, key);
            if here.is_empty() && key == "payment_name" { payment.channel.clone() } else { here.to_owned() }
        }
        _ => told,
    }
}
