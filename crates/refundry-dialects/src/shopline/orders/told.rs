//! Parts of an order as subscribers are told of them, by themselves: the same figures and texts as in the order.

use std::sync::Arc;

use refundry_core::order::Id;
use refundry_core::refund::{Leg, LegState, Refund};
use serde_json::{Map, Value, json};

use super::kept::Document;
use super::lines::sold_line;
use super::slips;
use crate::shopline::money::decimal;
use crate::shopline::{Version, ids, refunds};
use crate::text::rfc3339_offset;
use crate::wire::{OrderView, RefundView};

/// What is told of a payment slip; `None` for one that the order does not have.
pub(in crate::shopline) fn slip(view: &OrderView, payment: Id) -> Option<Value> {
    const TOLD: [&str; 7] =
        ["pay_seq", "pay_amount", "pay_status", "pay_channel_deal_id", "create_time", "status_code", "status_msg"];
    let index = view.facts.order.payments.iter().position(|known| known.id == payment)?;
    let document = Document::of(view);
    let whole = slips::all(view, document.order(), false).into_iter().nth(index)?;
    let told = TOLD.into_iter().filter_map(|key| Some((key.to_owned(), whole.get(key)?.clone())));
    Some(Value::Object(told.collect::<Map<_, _>>()))
}

/// A refund.
pub(in crate::shopline) fn refund(version: Version, view: &OrderView, refund: &Refund) -> Value {
    let (order, document) = (Arc::clone(&view.facts.order), Document::of(view));
    let alone = RefundView { refund: refund.clone(), order, beside: None, live: false };
    let mut shown = refunds::object(version, &alone, refunds::Form::Delivered);
    let rows = shown.get_mut("refund_line_items").and_then(Value::as_array_mut).into_iter().flatten();
    for (row, units) in rows.zip(&refund.units) {
        let mut line = sold_line(view, document.order(), units.line);
        let shipped = view.facts.order.lines.get(units.line).map_or(0, |line| line.shipped);
        line.insert("fulfillment_quantity".to_owned(), shipped.into());
        row["line_item"] = line.into();
    }
    if version >= Version::WITH_TRANSACTION_QUERY {
        let legs = refund.legs.iter().filter_map(|leg| transaction(view, refund, leg));
        shown["transactions_v2"] = legs.collect::<Vec<Value>>().into();
    }
    shown
}

/// Money on its way back, as later versions tell of it beside the older shape.
fn transaction(view: &OrderView, refund: &Refund, leg: &Leg) -> Option<Value> {
    let payment = view.facts.order.payments.get(leg.payment)?;
    let (status, code, message) = match &leg.state {
        LegState::Waiting | LegState::Sent | LegState::InDoubt { .. } | LegState::Parked { .. } => ("pending", "", ""),
        LegState::Succeeded { .. } => ("success", "", ""),
        LegState::Failed { code, message, .. } => ("fail", code.as_str(), message.as_str()),
    };
    Some(json!({
        "id": ids::leg_id(leg),
        "kind": "refund",
        "status": status,
        "amount": decimal(leg.own_amount, payment.own_currency),
        "currency": payment.own_currency.code(),
        "gateway": payment.channel,
        "payment_method": payment.method,
        "create_at": rfc3339_offset(refund.created_ms),
        "error_code": code,
        "error_msg": message,
        "payment_details": {
            // A refund has no card of its own.
            "credit_card": {
                "credit_card_number": "",
                "credit_card_bin": "",
                "credit_card_brand": "",
                "credit_card_expire_month": "",
                "credit_card_expire_year": "",
            },
            "pay_channel_deal_id": leg.reference,
            "receipt_json": "",
        },
    }))
}
