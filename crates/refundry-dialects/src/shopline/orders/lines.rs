//! What was sold, as an order shows it: its lines, its shipping, and what was taxed and taken off.
//!
//! Figures come from the books. Where the document has a list that comes to the same sum, its entries are shown; else
//! one entry says it all.

use refundry_core::money::{Amount, Decimal, ratio};
use refundry_core::order::{ComponentKind, Order};
use refundry_core::refund::Bucket;
use serde_json::{Map, Value, json};

use super::kept::Kept;
use super::totals::{as_priced, taken_off};
use crate::shopline::money::{Money, number};
use crate::shopline::{ids, lines};
use crate::wire::OrderView;

const PRODUCT_TAX: &str = "product_tax";
const SHIPPING_TAX: &str = "shipping_tax";

/// A line with all that an order shows of it.
pub(super) fn item(view: &OrderView, kept: Kept<'_>, index: usize) -> Value {
    let order = &*view.facts.order;
    // With points or rounding among them, discounts are only known where the document has them.
    let is_discount = taken_off(order, kept) == (Amount::ZERO, Amount::ZERO);
    let kept = OfLine::find(order, kept, index);
    let mut item = sold(view, kept, index);
    let location = order.lines.get(index).map_or("", |line| line.location_id.as_str());
    let more = json!({
        "tags": kept.text("tags"),
        "image_url": kept.text("image_url"),
        "location_id": location,
        "gift_card": kept.flag("gift_card"),
        "is_bundle": kept.flag("is_bundle"),
        "is_bundle_component": kept.flag("is_bundle_component"),
        "discount_allocations": discounts(order, kept.document, index, is_discount),
        "duties": duties(order, kept.document, index),
        "properties": kept.document.list("properties").into_iter().map(property).collect::<Vec<Value>>(),
    });
    item.extend(more.as_object().cloned().unwrap_or_default());
    Value::Object(item)
}

/// A line as refunds and parcels of the order show it.
pub(in crate::shopline) fn sold_line(view: &OrderView, kept: Kept<'_>, index: usize) -> Map<String, Value> {
    sold(view, OfLine::find(&view.facts.order, kept, index), index)
}

fn sold(view: &OrderView, kept: OfLine<'_>, index: usize) -> Map<String, Value> {
    let order = &*view.facts.order;
    let mut sold = lines::sold(order, index, view.facts.units_left(index, Bucket::Waiting));
    for key in ["name", "attribute", "vendor", "fulfillment_service"] {
        if let Some(text) = kept.document.some_text(key) {
            sold.insert(key.to_owned(), text.into());
        }
    }
    for key in ["requires_shipping", "taxable"] {
        if let Some(flag) = kept.document.flag(key) {
            sold.insert(key.to_owned(), flag.into());
        }
    }
    if let Some(grams) = kept.document.number("grams") {
        sold.insert("grams".to_owned(), grams.into());
    }
    let goods = order.goods(index);
    let taxes = tax_lines(order, kept.document.list("tax_lines"), (goods.net, goods.tax), PRODUCT_TAX);
    sold.insert("tax_lines".to_owned(), taxes.into());
    sold
}

/// What the document says of a line: as it came, and what was said of it later.
#[derive(Clone, Copy)]
struct OfLine<'a> {
    document: Kept<'a>,
    later: Kept<'a>,
}

impl<'a> OfLine<'a> {
    fn find(order: &Order, kept: Kept<'a>, index: usize) -> Self {
        let id = order.lines.get(index).map(|line| ids::line_id(order, line).to_string()).unwrap_or_default();
        let document = kept.list("line_items").into_iter().find(|line| line.text("id") == id);
        Self { document: document.unwrap_or_else(Kept::nothing), later: kept.object("_lines").object(&id) }
    }

    fn text(self, key: &str) -> String {
        self.later.some_text(key).unwrap_or_else(|| self.document.text(key))
    }

    fn flag(self, key: &str) -> bool {
        self.document.flag(key).unwrap_or_default()
    }
}

/// What was off a line.
fn discounts(order: &Order, kept: Kept<'_>, index: usize, is_discount: bool) -> Vec<Value> {
    let entries = kept.list("discount_allocations");
    if !entries.is_empty() {
        return allocations(order, &entries);
    }
    let off = order.lines.get(index).map_or(Amount::ZERO, |line| line.discount);
    (is_discount && off.is_positive()).then(|| allocation(order, off, 0)).into_iter().collect()
}

fn allocations(order: &Order, entries: &[Kept<'_>]) -> Vec<Value> {
    let one = |entry: &Kept<'_>| {
        let index = entry.number("discount_application_index").and_then(|n| n.as_u64()).unwrap_or(0);
        allocation(order, entry.amount(order, "amount").unwrap_or_default(), index)
    };
    entries.iter().map(one).collect()
}

fn allocation(order: &Order, amount: Amount, index: u64) -> Value {
    let amount = Money::converted(order, amount);
    json!({ "amount": amount.plain(), "amount_set": amount.texts(), "discount_application_index": index })
}

/// The duties of a line: money sets, with what the document says of each.
fn duties(order: &Order, kept: Kept<'_>, index: usize) -> Vec<Value> {
    let mut entries = kept.list("duties").into_iter();
    let duties = order.components.iter().filter(|c| c.kind == ComponentKind::Duty && c.line == Some(index));
    let one = |duty: &refundry_core::order::Component| {
        let entry = entries.next().unwrap_or_else(Kept::nothing);
        let mut shown = entry.whole().as_object().cloned().unwrap_or_default();
        let set = Money::converted(order, duty.net).texts();
        shown.extend(set.as_object().cloned().unwrap_or_default());
        let taxes = tax_lines(order, entry.list("tax_lines"), (duty.net, duty.tax), PRODUCT_TAX);
        shown.insert("tax_lines".to_owned(), taxes.into());
        Value::Object(shown)
    };
    duties.map(one).collect()
}

fn property(kept: Kept<'_>) -> Value {
    json!({
        "name": kept.text("name"),
        "value": kept.text("value"),
        "show": kept.flag("show").unwrap_or(true),
        "type": kept.text("type"),
        "urls": kept.texts("urls"),
    })
}

/// Taxes on a net amount: as the document has them if they come to what was charged, else as one whose rate is what the
/// figures come to.
fn tax_lines(order: &Order, entries: Vec<Kept<'_>>, (net, tax): (Amount, Amount), kind: &str) -> Vec<Value> {
    if !tax.is_positive() {
        return Vec::new();
    }
    let prices: Vec<Amount> = entries.iter().map(|e| e.amount(order, "price").unwrap_or_default()).collect();
    if prices.iter().sum::<Amount>() == tax {
        let named = entries.into_iter().zip(prices);
        return named.map(|(entry, price)| tax_line(order, entry, price, &rate(net, price), kind)).collect();
    }
    // Where there is one entry, its name and rate hold whatever it was taken to come to.
    let entry = if let [entry] = entries.as_slice() { *entry } else { Kept::nothing() };
    vec![tax_line(order, entry, tax, &rate(net, tax), kind)]
}

fn tax_line(order: &Order, entry: Kept<'_>, price: Amount, rate: &str, kind: &str) -> Value {
    let price = Money::converted(order, price);
    let title = entry.some_text("title").or_else(|| entry.some_text("name")).unwrap_or_else(|| "Tax".to_owned());
    let said = entry.text("type");
    let kind = [PRODUCT_TAX, SHIPPING_TAX].into_iter().find(|known| *known == said).unwrap_or(kind);
    json!({
        "name": entry.some_text("name").unwrap_or_else(|| title.clone()),
        "title": title,
        "price": price.plain(),
        "price_set": price.texts(),
        "rate": entry.number("rate").map_or_else(|| number(rate), Value::Number),
        "type": kind,
    })
}

/// With four decimals; a tax beyond the price has no sensible rate, and need not fit.
fn rate(net: Amount, tax: Amount) -> String {
    const ONE: Amount = Amount::minor(10_000);
    let fits = net.is_positive() && tax <= net;
    let rate = if fits { ratio(ONE, i128::from(tax.get()), i128::from(net.get())) } else { ONE };
    Decimal::from_parts(i128::from(rate.get()), 4).to_string()
}

/// Taxes of the order as a whole.
pub(super) fn taxes(order: &Order, kept: Kept<'_>) -> Vec<Value> {
    let net = order.components.iter().filter(|c| c.tax.is_positive()).map(|c| c.net).sum();
    let tax = order.components.iter().map(|c| c.tax).sum();
    tax_lines(order, kept.list("tax_lines"), (net, tax), PRODUCT_TAX)
}

/// What was charged for shipping, a line each.
pub(super) fn shipping(order: &Order, kept: Kept<'_>) -> Vec<Value> {
    let parts: Vec<_> = order.of_kind(ComponentKind::Shipping).filter_map(|i| order.components.get(i)).collect();
    let entries = kept.list("shipping_lines");
    // A free line is in no books.
    let charged = |entry: &Kept<'_>| entry.amount(order, "price").is_none_or(|price| !price.is_zero());
    let charged: Vec<Kept<'_>> = entries.iter().copied().filter(charged).collect();
    let of_part = |place: usize| if charged.len() == parts.len() { charged.get(place).copied() } else { None };
    let shown = parts.iter().enumerate().map(|(place, part)| {
        let entry = of_part(place).unwrap_or_else(Kept::nothing);
        let taxes = tax_lines(order, entry.list("tax_lines"), (part.net, part.tax), SHIPPING_TAX);
        shipping_line(order, entry, as_priced(order, part), &taxes)
    });
    let mut shown: Vec<Value> = shown.collect();
    if parts.is_empty() {
        shown.extend(entries.into_iter().map(|entry| shipping_line(order, entry, Amount::ZERO, &[])));
    }
    shown
}

fn shipping_line(order: &Order, entry: Kept<'_>, charged: Amount, taxes: &[Value]) -> Value {
    let price = Money::converted(order, charged);
    let listed = entry.amount(order, "shipping_price").filter(|listed| *listed >= charged).unwrap_or(charged);
    let before = Money::converted(order, listed);
    json!({
        "title": entry.text("title"),
        "code": entry.text("code"),
        "source": entry.text("source"),
        "price": price.plain(),
        "price_set": price.texts(),
        "shipping_price": before.plain(),
        "shipping_price_set": before.texts(),
        "discounted_price": price.plain(),
        "discounted_price_set": price.texts(),
        "discount_allocations": allocations(order, &entry.list("discount_allocations")),
        "tax_lines": taxes,
    })
}
