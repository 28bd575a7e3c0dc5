//! What is posted to subscribers, in the shape of the version that their subscription names, with nothing around it.
//!
//! Figures are those right after the event, however late it is posted.

use refundry_core::event::EventKind;
use refundry_core::order::Id;
use refundry_core::returns::{Return, ReturnLine, ReturnState};
use serde_json::{Value, json};

use crate::hooks::{About, Envelope, HookEvent, OrderTold, Subject};
use crate::shopline::orders::{self, Document, Form};
use crate::shopline::{Version, ids, parcels};
use crate::stock::LevelView;
use crate::text::rfc3339_offset;
use crate::wire::OrderView;

/// The body of a delivery; `None` for what this API has no topic for, and for what is not there.
pub fn body(event: &HookEvent) -> Option<String> {
    let version = Version::parse(&event.version)?;
    let body = match &event.about {
        About::Level(view) => level(view),
        About::Order(told) => of_order(version, event.kind, told)?,
    };
    Some(body.to_string())
}

/// The headers of a delivery beside its content type. A receiver may refuse one that lacks any of them.
pub fn headers(envelope: &Envelope<'_>) -> Vec<(&'static str, String)> {
    let Envelope { topic, version, store, event, subscription, signature } = envelope;
    vec![
        ("X-Shopline-Topic", (*topic).to_owned()),
        ("X-Shopline-Hmac-Sha256", (*signature).to_owned()),
        ("X-Shopline-Shop-Domain", store.domain.clone()),
        ("X-Shopline-Shop-Id", store.id.to_string()),
        ("X-Shopline-Merchant-Id", store.merchant_id.clone()),
        ("X-Shopline-API-Version", (*version).to_owned()),
        ("X-Shopline-Webhook-Id", message_id(*event, *subscription)),
    ]
}

/// What a message is called: 24 hex digits, its own for each subscriber, and the same over all attempts.
fn message_id(event: Id, subscription: i64) -> String {
    format!("{event:016x}{:08x}", subscription & 0xffff_ffff)
}

fn of_order(version: Version, kind: EventKind, told: &OrderTold) -> Option<Value> {
    let view = &told.order;
    Some(match (kind, &told.subject) {
        (EventKind::RefundCreated | EventKind::RefundUpdated, Subject::Refund(refund)) => {
            orders::told::refund(version, view, refund)
        }
        (EventKind::ParcelCreated | EventKind::ParcelUpdated, Subject::Parcel(parcel)) => {
            parcels::object(version, view, parcel)
        }
        (EventKind::TransactionCreated, Subject::Transaction(told)) => orders::told::slip(view, told.payment?)?,
        (EventKind::ReturnCreated | EventKind::ReturnUpdated, Subject::Return(back)) => goods_back(view, back),
        (
            EventKind::OrderCreated
            | EventKind::OrderUpdated
            | EventKind::OrderEdited
            | EventKind::OrderPaid
            | EventKind::OrderPartlyFulfilled
            | EventKind::OrderFulfilled
            | EventKind::OrderCancelled
            | EventKind::OrderDeleted,
            _,
        ) => orders::object(version, view, Form::Listed),
        (_, _) => return None,
    })
}

/// A return, in other words than where it is read.
fn goods_back(view: &OrderView, back: &Return) -> Value {
    let document = Document::of(view);
    json!({
        "after_sale_order_seq": ids::return_id(back.id),
        "order_seq": ids::order_id(&view.facts.order),
        "status": match back.state {
            ReturnState::Open => "OPEN",
            ReturnState::Closed => "CLOSED",
            ReturnState::Cancelled => "CANCELED",
        },
        "return_reason": back.reason,
        "created_at": rfc3339_offset(back.created_ms),
        "return_line_items": back.lines.iter().filter_map(|line| line_back(view, &document, line)).collect::<Value>(),
    })
}

/// An order keeps its lines, so the line is there.
fn line_back(view: &OrderView, document: &Document, line: &ReturnLine) -> Option<Value> {
    let index = view.facts.order.lines.iter().position(|known| known.id == line.line)?;
    Some(json!({
        "refund_detail_seq": line.id.to_string(),
        "order_package_seq": line.parcel.map(ids::minted_parcel_id).unwrap_or_default(),
        "quantity": line.quantity,
        "line_item": Value::Object(orders::sold_line(view, document.order(), index)),
    }))
}

/// Units at a place. All that are there can be sold: none are set apart for orders.
fn level(view: &LevelView) -> Value {
    json!({
        "inventory_item_id": ids::variant_id(view.variant),
        "variant_id": view.variant_external_id,
        "location_id": ids::location_id(view.location, view.location_external_id.as_deref()),
        "available": view.units,
        "onhand": view.units,
        "committed": 0,
        "unavailable": 0,
        "updated_at": rfc3339_offset(view.updated_ms),
    })
}
