//! Reply → wire: the answer to a created refund, and refunds as they are read later.
//!
//! The two shapes name the same things differently and give them other types; each is written out by itself, field by
//! field, as its page has it. Everything documented is sent, zeros and empty lists too.

use refundry_core::money::Amount;
use refundry_core::order::{ComponentKind, Line, Order};
use refundry_core::refund::{Bucket, Leg, LegState, PAYMENT_APP_ERROR, Refund, UnitMove};
use serde_json::{Map, Value, json};

use crate::shopline::money::{Money, decimal, hundredths, number};
use crate::shopline::orders::{Document, show_lines};
use crate::shopline::params::{Query, only_fields};
use crate::shopline::{Version, ids, lines};
use crate::text::rfc3339_offset;
use crate::wire::{RefundPage, RefundView, Request, Response};

/// Where a refund stands that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shopline) enum Form {
    /// By itself.
    Alone,
    /// Inside its order.
    InOrder,
    /// In a webhook.
    Delivered,
}

/// `{"data":{…}}`, the answer to `POST order/refund.json`.
pub(super) fn created(version: Version, view: &RefundView) -> Response {
    let (refund, order) = (&view.refund, &view.order);
    let adjustments = adjustments(view).into_iter().map(|a| a.as_created(view)).collect::<Vec<Value>>();
    let rows =
        refund.units.iter().enumerate().map(|(row, units)| created_row(view, row, units)).collect::<Vec<Value>>();
    let transactions = refund.legs.iter().map(|leg| created_transaction(view, leg)).collect::<Vec<Value>>();
    let mut data = json!({
        "id": ids::refund_id(order, refund),
        "order_id": ids::order_id(order),
        "create_at": refund.created_ms.to_string(),
        "note": refund.note,
        "order_adjustments": adjustments,
        "refund_line_items": rows,
        "transactions": transactions,
    });
    if let Some(map) = data.as_object_mut().filter(|_| version >= Version::WITH_CURRENCIES) {
        map.insert("total_duties_set".to_owned(), duties(view).texts());
    }
    Response::json(200, &json!({ "data": data }))
}

/// `{"refund":{…}}`
pub(super) fn one(version: Version, view: &RefundView) -> Response {
    let document = document_of(view);
    Response::json(200, &json!({ "refund": alone(version, view, document.as_ref()) }))
}

/// What the document of a refund's order says; `None` where only the refund is known.
fn document_of(view: &RefundView) -> Option<Document> {
    view.beside.as_deref().map(Document::of)
}

/// A refund by itself, with its lines as they are now where they are known.
fn alone(version: Version, view: &RefundView, document: Option<&Document>) -> Value {
    let mut shown = object(version, view, Form::Alone);
    if let (Some(order), Some(document)) = (&view.beside, document) {
        show_lines(&mut shown, order, document.order(), &view.refund);
    }
    shown
}

/// `{"refunds":[…]}`; `fields` of the query cuts each refund down to the keys it names.
pub(super) fn list(version: Version, request: &Request<'_>, page: &RefundPage) -> Response {
    let query = Query::of(request);
    // All of one order, so its document is read once.
    let document = page.refunds.first().and_then(document_of);
    let refunds = page.refunds.iter().map(|view| {
        let mut refund = alone(version, view, document.as_ref());
        only_fields(&query, &mut refund);
        refund
    });
    Response::json(200, &json!({ "refunds": refunds.collect::<Vec<Value>>() }))
}

/// A refund as it is read.
pub(in crate::shopline) fn object(_version: Version, view: &RefundView, form: Form) -> Value {
    let (refund, order) = (&view.refund, &view.order);
    let adjustments = adjustments(view).into_iter().map(|a| a.as_read(view)).collect::<Vec<Value>>();
    let rows = refund.units.iter().enumerate().map(|(row, units)| read_row(view, row, units)).collect::<Vec<Value>>();
    let transactions = refund.legs.iter().map(|leg| read_transaction(view, leg, form)).collect::<Vec<Value>>();
    let mut shown = json!({
        "id": ids::refund_id(order, refund),
        "order_id": ids::order_id(order),
        "note": refund.note,
        "user_id": "",
        "created_at": rfc3339_offset(refund.created_ms),
        "processed_at": rfc3339_offset(settled_ms(refund)),
        "order_adjustments": adjustments,
        "refund_line_items": rows,
        "transactions": transactions,
    });
    if form != Form::InOrder {
        shown["total_duties_set"] = duties(view).texts();
    }
    shown
}

/// What was given back beside goods, or what makes the money differ from the parts.
struct Adjustment {
    /// Last digit of its id.
    digit: char,
    kind: &'static str,
    /// Where the two shapes word the reason differently: in the created one, in the read one.
    reasons: (&'static str, &'static str),
    amount: Money,
    tax: Money,
}

impl Adjustment {
    fn as_created(&self, view: &RefundView) -> Value {
        self.write(view, self.reasons.0, (self.amount.texts(), self.tax.texts()))
    }

    fn as_read(&self, view: &RefundView) -> Value {
        self.write(view, self.reasons.1, (self.amount.numbers(), self.tax.numbers()))
    }

    fn write(&self, view: &RefundView, reason: &str, (amount_set, tax_set): (Value, Value)) -> Value {
        json!({
            "id": ids::adjustment_id(&view.refund, self.digit),
            "refund_id": ids::refund_id(&view.order, &view.refund),
            "order_id": ids::order_id(&view.order),
            "kind": self.kind,
            "reason": reason,
            "amount": self.amount.plain(),
            "amount_set": amount_set,
            "tax_amount": self.tax.plain(),
            "tax_amount_set": tax_set,
        })
    }
}

fn adjustments(view: &RefundView) -> Vec<Adjustment> {
    let (refund, order) = (&view.refund, &view.order);
    let mut all = Vec::new();
    let shipping = Share::of_kind(view, ComponentKind::Shipping);
    if shipping.gross().is_positive() {
        all.push(Adjustment {
            digit: '1',
            kind: "shipping_refund",
            reasons: ("shipping_refund", "shipping_refund"),
            amount: shipping.as_priced(order),
            tax: shipping.tax(order),
        });
    }
    // Whatever is neither units nor shipping is money beyond the computed total here.
    let rows: Amount = refund.units.iter().map(|units| units.net + units.tax).sum();
    let discrepancy = rows + shipping.gross() - refund.amount;
    if !discrepancy.is_zero() {
        all.push(Adjustment {
            digit: '2',
            kind: "refund_discrepancy",
            reasons: ("refund_discrepancy", "Refund discrepancy"),
            amount: Money::converted(order, discrepancy),
            tax: Money::zero(order),
        });
    }
    all
}

/// Net and tax of some part of a refund, with their shadows.
#[derive(Clone, Copy)]
struct Share {
    net: Amount,
    tax: Amount,
    shop: (Amount, Amount),
}

impl Share {
    fn of_units(order: &Order, units: &UnitMove) -> Self {
        let UnitMove { net, tax, shop, .. } = *units;
        // Units of a refund that came with an imported order have no shadow of their own.
        let shop = match order.shop {
            Some(money) if shop == (Amount::ZERO, Amount::ZERO) => {
                (money.convert(net, order.currency), money.convert(tax, order.currency))
            }
            Some(_) | None => shop,
        };
        Self { net, tax, shop }
    }

    fn of_kind(view: &RefundView, kind: ComponentKind) -> Self {
        let (refund, order) = (&view.refund, &view.order);
        let of_kind =
            refund.allocations.iter().filter(|a| order.components.get(a.component).is_some_and(|c| c.kind == kind));
        let shop = of_kind.fold((Amount::ZERO, Amount::ZERO), |(net, tax), a| (net + a.shop.0, tax + a.shop.1));
        let (net, tax) = refund.allocated_to(order, kind);
        Self { net, tax, shop }
    }

    fn gross(self) -> Amount {
        self.net + self.tax
    }

    /// As the order's prices are: with the tax inside where they include it.
    fn as_priced(self, order: &Order) -> Money {
        if order.taxes_included { self.with_tax(order) } else { Money::new(order, self.net, self.shop.0) }
    }

    fn with_tax(self, order: &Order) -> Money {
        Money::new(order, self.gross(), self.shop.0 + self.shop.1)
    }

    fn tax(self, order: &Order) -> Money {
        Money::new(order, self.tax, self.shop.1)
    }
}

fn duties(view: &RefundView) -> Money {
    Share::of_kind(view, ComponentKind::Duty).as_priced(&view.order)
}

fn created_row(view: &RefundView, row: usize, units: &UnitMove) -> Value {
    let order = &view.order;
    let share = Share::of_units(order, units);
    let (subtotal, tax) = (share.as_priced(order), share.tax(order));
    json!({
        "id": ids::row_id(&view.refund, row),
        "line_item_id": order.lines.get(units.line).map(|line| ids::line_id(order, line)),
        "quantity": units.quantity,
        "restock_type": units.restock.code(),
        "subtotal": subtotal.plain(),
        "subtotal_set": subtotal.texts(),
        "total_tax": tax.plain(),
        "total_tax_set": tax.texts(),
    })
}

fn read_row(view: &RefundView, row: usize, units: &UnitMove) -> Value {
    let order = &view.order;
    let share = Share::of_units(order, units);
    let (subtotal, tax) = (share.as_priced(order), share.tax(order));
    json!({
        "id": ids::row_id(&view.refund, row).to_string(),
        "line_item_id": order.lines.get(units.line).map(|line| ids::line_id(order, line).to_string()),
        "quantity": units.quantity,
        "restock_type": units.restock.code(),
        "subtotal": number(&subtotal.plain()),
        "subtotal_set": subtotal.texts(),
        "total_tax": number(&tax.plain()),
        "total_tax_set": tax.texts(),
        "line_item": order.lines.get(units.line).map(|line| line_item(view, units.line, line)),
    })
}

/// The sold line; of other refunds nothing is known here.
fn line_item(view: &RefundView, index: usize, line: &Line) -> Value {
    let taken = view.refund.units.iter().filter(|u| u.line == index && u.bucket == Bucket::Waiting && !u.reopened);
    let waiting = line.quantity.saturating_sub(line.shipped).saturating_sub(line.cancelled);
    let fulfillable = taken.fold(waiting, |left, units| left.saturating_sub(units.quantity));
    Value::Object(lines::sold(&view.order, index, fulfillable))
}

/// A transaction of the created refund names the payment slip it pays back to, in hundredths of its currency.
fn created_transaction(view: &RefundView, leg: &Leg) -> Value {
    let order = &view.order;
    let Some(payment) = order.payments.get(leg.payment) else { return Value::Object(Map::new()) };
    json!({
        "id": ids::payment_id(order, payment),
        "order_id": ids::order_id(order),
        "amount": hundredths(leg.own_amount, payment.own_currency),
        "currency": payment.own_currency.code(),
        "kind": "refund",
        "status": status(leg),
        "create_at": view.refund.created_ms.to_string(),
        "processed_at": processed_ms(view, leg).to_string(),
    })
}

fn read_transaction(view: &RefundView, leg: &Leg, form: Form) -> Value {
    let order = &view.order;
    let Some(payment) = order.payments.get(leg.payment) else { return Value::Object(Map::new()) };
    let mut shown = json!({
        "id": ids::leg_id(leg),
        "order_id": ids::order_id(order),
        "amount": decimal(leg.own_amount, payment.own_currency),
        "currency": payment.own_currency.code(),
        "kind": "refund",
        "status": status(leg),
        "user_id": "",
        "created_at": rfc3339_offset(view.refund.created_ms),
        "processed_at": rfc3339_offset(processed_ms(view, leg)),
    });
    if form == Form::InOrder {
        shown["gateway"] = payment.channel.as_str().into();
        shown["settle_amount"] = decimal(leg.own_amount, payment.own_currency).into();
        shown["settle_currency"] = payment.own_currency.code().into();
        shown["channel_refund_id"] = leg.reference.as_str().into();
        shown["status_update_at"] = rfc3339_offset(leg.finished_ms().unwrap_or(view.refund.updated_ms)).into();
    }
    shown
}

/// When a refund was settled, or last changed before that, unless the caller back-dated it.
fn settled_ms(refund: &Refund) -> i64 {
    refund.processed_ms.or_else(|| refund.finished_ms()).unwrap_or(refund.updated_ms)
}

/// When a leg last changed, unless the caller back-dated the whole refund.
fn processed_ms(view: &RefundView, leg: &Leg) -> i64 {
    let Refund { processed_ms, updated_ms, .. } = view.refund;
    processed_ms.or_else(|| leg.finished_ms()).unwrap_or(updated_ms)
}

fn status(leg: &Leg) -> &'static str {
    match leg.state {
        LegState::Waiting | LegState::Sent | LegState::InDoubt { .. } | LegState::Parked { .. } => "pending",
        LegState::Succeeded { .. } => "success",
        LegState::Failed { ref code, .. } if code == PAYMENT_APP_ERROR => "error",
        LegState::Failed { .. } => "failure",
    }
}
