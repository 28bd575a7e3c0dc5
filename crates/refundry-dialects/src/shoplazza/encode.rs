//! Reply → wire: the created record, the refunded order, lists of records and their count. Figures come from the
//! reply as they were stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use refundry_core::balances::{Balances, Facts};
use refundry_core::limits::AMOUNT_MINOR_MAX;
use refundry_core::money::Amount;
use refundry_core::order::{ComponentKind, Line, Order};
use refundry_core::refund::{Bucket, Leg, LegState, Refund};
use serde_json::{Map, Value, json};

use super::state::{fully_refunded, leg_code, method_code, progress_code, state_code};
use super::{Version, echo, list, own_or_ours, print_id};
use crate::text::{rfc3339_seconds, uuid_of};
use crate::wire::{OrderView, RefundAnswer, RefundPage, RefundView, Request};

/// Answer to Create Order's Refund Record.
pub(super) fn record_created(version: Version, answer: &RefundAnswer) -> Value {
    let view = &answer.view;
    let data = json!({ "refund_record_id": record_id(view), "post_sale_id": uuid_of(view.refund.id) });
    envelope(version, "Refund processed successfully", &data)
}

/// Answer to Full and Partial Order Refund: the after-sales case, the order after it, the record.
pub(super) fn full_refund(answer: &RefundAnswer) -> Value {
    let (refund, order) = (&answer.view.refund, &answer.view.order);
    // The call waits, so the balances are there; without them the refund alone is what is known.
    let view = answer.order.clone().unwrap_or_else(|| alone(refund, order));
    let reason = refund.failure().map_or("", |(code, message)| if message.is_empty() { code } else { message });
    let order_after = echo::legacy_order(&view);
    let lines = order_after.get("line_items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let record = legacy_record(&answer.view, |index, _| lines.get(index).cloned().unwrap_or_default());
    json!({
        "id": uuid_of(refund.id),
        "status": progress_code(refund.progress()),
        "number": format!("{}-S{}", order.number, refund.number),
        "created_at": rfc3339_seconds(refund.created_ms),
        "note": refund.note,
        "refund_fail_reason": reason,
        "all_refunded": fully_refunded(&view.facts),
        "refund_status": state_code(refund.state()),
        "order": order_after,
        // The page says `refund`, its sample `refunds`; both hold the one record.
        "refunds": record.clone(),
        "refund": record,
    })
}

/// Answer to Refund List.
pub(super) fn records(version: Version, request: &Request<'_>, page: &RefundPage) -> Value {
    if !version.is_modern() {
        // The list knows this refund only, so the line item that it embeds shows what this refund took.
        let listed = |view: &RefundView| {
            legacy_record(view, |index, units| echo::legacy_line(&view.order, index, units.refunded()))
        };
        let records: Vec<Value> = page.refunds.iter().map(listed).collect();
        return json!({ "records": records });
    }
    let records: Vec<Value> = page.refunds.iter().map(modern_record).collect();
    let last = page.refunds.last().filter(|_| page.has_more);
    let query = list::query(version, request.query).unwrap_or_default();
    let cursor = last.map_or_else(String::new, |view| list::cursor_after(list::List::Records, &query, &view.refund));
    let data = json!({ "records": records, "cursor": cursor, "has_more": page.has_more });
    envelope(version, "Refund records retrieved", &data)
}

/// Answer to Refunds of an Order. What it says of the order is what the order itself says.
pub(super) fn order_refunds(version: Version, view: &OrderView, refunds: &[RefundView]) -> Value {
    let order = echo::legacy_order(view);
    let said = |key: &str| order.get(key).cloned().unwrap_or_default();
    if version.is_modern() {
        let records: Vec<Value> = refunds.iter().map(modern_record).collect();
        let data = json!({
            "order_financial_status": said("financial_status"),
            "order_status": said("status"),
            "records": records,
        });
        return envelope(version, "Refund records retrieved", &data);
    }
    let line = |index: usize| order.get("line_items").and_then(|lines| lines.get(index)).cloned().unwrap_or_default();
    let records: Vec<Value> = refunds.iter().map(|view| legacy_record(view, |index, _| line(index))).collect();
    json!({
        "order_status": said("status"),
        "all_refunded": fully_refunded(&view.facts),
        "refund_status": said("refund_status"),
        "refund_total": said("total_refund_price"),
        "refund_tax_total": said("total_refund_tax"),
        "refund_discount_total": said("total_refund_discount"),
        "refunds": records,
    })
}

/// Answer to Refund Records Count.
pub(super) fn record_count(version: Version, count: i64) -> Value {
    envelope(version, "Count retrieved", &json!({ "count": count }))
}

/// The envelope of modern versions.
pub(super) fn envelope(version: Version, message: &str, data: &Value) -> Value {
    json!({ "code": version.success(), "message": message, "data": data })
}

fn alone(refund: &Refund, order: &Arc<Order>) -> OrderView {
    let mut balances = Balances::fresh(order);
    balances.refunds = refund.number;
    for leg in &refund.legs {
        let Some(paid) = balances.payments.get_mut(leg.payment) else { continue };
        match leg.state {
            LegState::Succeeded { .. } => paid.succeeded += leg.amount,
            LegState::Failed { .. } => {}
            LegState::Waiting | LegState::Sent | LegState::InDoubt { .. } | LegState::Parked { .. } => {
                paid.pending += leg.amount;
            }
        }
    }
    OrderView::bare(Facts::new(Arc::clone(order), balances))
}

/// Prints an amount of the order's currency: two decimals, or as many as the currency has.
pub(super) fn price(order: &Order, amount: Amount) -> String {
    amount.to_decimal(order.currency, order.currency.exponent().max(2))
}

fn record_id(view: &RefundView) -> String {
    own_or_ours(&view.order, view.refund.external_id.as_deref(), view.refund.id)
}

/// What records of both generations have in common.
fn common_record(view: &RefundView) -> Map<String, Value> {
    let (refund, order) = (&view.refund, &view.order);
    let (shipping, shipping_tax) = refund.allocated_to(order, ComponentKind::Shipping);
    let record = json!({
        "id": record_id(view),
        "order_id": own_or_ours(order, order.external_id.as_deref(), order.id),
        "note": refund.note,
        "refund_price": price(order, refund.amount),
        "currency": order.currency.code(),
        "created_at": rfc3339_seconds(refund.created_ms),
        "updated_at": rfc3339_seconds(refund.updated_ms),
        "refund_shipping": price(order, shipping),
        "refund_shipping_tax": price(order, shipping_tax),
        "refund_method": method_code(refund),
        "refund_status": state_code(refund.state()),
    });
    object(record)
}

/// A record of the legacy list, and of the full refund; `line_item` writes the order's line item inside.
fn legacy_record(view: &RefundView, line_item: impl Fn(usize, &LineUnits) -> Value) -> Value {
    let (refund, order) = (&view.refund, &view.order);
    let items = lines_of(refund).into_iter().filter_map(|(index, units)| {
        let line = order.lines.get(index)?;
        let mut item = line_figures(order, line, &units);
        item.insert("delete_quantity".to_owned(), units.waiting.to_string().into());
        item.insert("line_item".to_owned(), line_item(index, &units));
        Some(Value::Object(item))
    });
    let items: Vec<Value> = items.collect();
    let payments: Vec<Value> = refund.legs.iter().map(|leg| Value::Object(payment(order, leg))).collect();
    let mut record = common_record(view);
    record.insert("refund_line_items".to_owned(), items.into());
    record.insert("payment_details".to_owned(), payments.into());
    Value::Object(record)
}

/// A record of the modern list.
pub(super) fn modern_record(view: &RefundView) -> Value {
    let (refund, order) = (&view.refund, &view.order);
    let items = lines_of(refund).into_iter().filter_map(|(index, units)| {
        let line = order.lines.get(index)?;
        let mut item = line_figures(order, line, &units);
        item.insert("delete_quantity".to_owned(), units.waiting.into());
        Some(Value::Object(item))
    });
    let items: Vec<Value> = items.collect();
    let payments = refund.legs.iter().map(|leg| {
        let paid = order.payments.get(leg.payment);
        let line_id = paid.map(|p| own_or_ours(order, p.external_id.as_deref(), p.id)).unwrap_or_default();
        let mut details = payment(order, leg);
        details.insert("id".to_owned(), print_id(leg.id).into());
        details.insert("payment_line_id".to_owned(), line_id.into());
        details.insert("refund_status".to_owned(), leg_code(&leg.state).into());
        Value::Object(details)
    });
    let payments: Vec<Value> = payments.collect();
    let gross = |kind| {
        let (net, tax) = refund.allocated_to(order, kind);
        price(order, net + tax)
    };
    let mut record = common_record(view);
    record.insert("refund_tip".to_owned(), gross(ComponentKind::Tip).into());
    record.insert("additional_total".to_owned(), gross(ComponentKind::Additional).into());
    record.insert("additional_prices".to_owned(), additional_prices(refund, order).into());
    record.insert("refund_line_items".to_owned(), items.into());
    record.insert("payment_details".to_owned(), payments.into());
    Value::Object(record)
}

fn additional_prices(refund: &Refund, order: &Order) -> Vec<Value> {
    let charges = order.of_kind(ComponentKind::Additional).filter_map(|index| {
        let charge = order.components.get(index)?;
        let shares = refund.allocations.iter().filter(|a| a.component == index);
        let given: Amount = shares.map(refundry_core::refund::Allocation::gross).sum();
        given.is_positive().then(
            || json!({ "name": charge.name, "price": price(order, given), "biz_id": "", "fee_title": charge.name }),
        )
    });
    charges.collect()
}

/// Units of one line that a refund took.
#[derive(Default)]
pub(super) struct LineUnits {
    waiting: u32,
    shipped: u32,
    net: Amount,
    tax: Amount,
    discount: Amount,
}

impl LineUnits {
    fn quantity(&self) -> u32 {
        self.waiting.saturating_add(self.shipped)
    }

    fn refunded(&self) -> (u32, Amount) {
        (self.quantity(), self.net + self.tax)
    }
}

/// A line is listed once, whatever buckets its units came from.
pub(super) fn lines_of(refund: &Refund) -> BTreeMap<usize, LineUnits> {
    let mut lines: BTreeMap<usize, LineUnits> = BTreeMap::new();
    for units in &refund.units {
        let line = lines.entry(units.line).or_default();
        match units.bucket {
            Bucket::Waiting => line.waiting = line.waiting.saturating_add(units.quantity),
            Bucket::Shipped => line.shipped = line.shipped.saturating_add(units.quantity),
        }
        line.net += units.net;
        line.tax += units.tax;
        line.discount += units.discount;
    }
    lines
}

/// `total` = `sub_total` − `discount` + `tax`; where prices include their tax, it is inside `sub_total` already.
pub(super) fn line_figures(order: &Order, line: &Line, units: &LineUnits) -> Map<String, Value> {
    let sub_total = times(line.unit_price, units.quantity());
    let added_tax = if order.taxes_included { Amount::ZERO } else { units.tax };
    let figures = json!({
        "line_item_id": own_or_ours(order, line.external_id.as_deref(), line.id),
        "refund_quantity": units.quantity(),
        "tax": price(order, units.tax),
        "discount": price(order, units.discount),
        "sub_total": price(order, sub_total),
        "total": price(order, sub_total - units.discount + added_tax),
    });
    object(figures)
}

/// A unit price times a number of units. An order may state a unit price that its lines do not bear out, so this is cut
/// above every real figure rather than fatal, and low enough that the lines of an order still sum.
pub(super) fn times(unit: Amount, quantity: u32) -> Amount {
    const ABOVE_ALL: i64 = AMOUNT_MINOR_MAX * 8;
    Amount::minor(unit.get().saturating_mul(i64::from(quantity)).min(ABOVE_ALL))
}

/// The map of a value written as an object.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn payment(order: &Order, leg: &Leg) -> Map<String, Value> {
    let (channel, method) =
        order.payments.get(leg.payment).map_or(("", ""), |p| (p.channel.as_str(), p.method.as_str()));
    let finished_at = match &leg.state {
        LegState::Succeeded { at_ms, .. } => rfc3339_seconds(*at_ms),
        LegState::Waiting
        | LegState::Sent
        | LegState::InDoubt { .. }
        | LegState::Failed { .. }
        | LegState::Parked { .. } => String::new(),
    };
    let details = json!({
        "payment_channel": channel,
        "payment_method": method,
        "refund_price": price(order, leg.amount),
        "finished_at": finished_at,
    });
    object(details)
}
