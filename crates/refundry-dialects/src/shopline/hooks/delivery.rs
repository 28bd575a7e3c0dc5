//! What is posted to subscribers, in the shape of the version that their subscription names, with nothing around it.
//!
//! Figures are those right after the event, however late it is posted.

use refundry_core::event::EventKind;
use refundry_core::order::{Id, Order};
use refundry_core::paying::{Transaction, TransactionState};
use serde_json::{Value, json};

use crate::hooks::{About, Envelope, HookEvent, OrderTold, Subject};
use crate::shopline::money::{decimal, number};
use crate::shopline::{Version, ids};
use crate::stock::LevelView;
use crate::text::rfc3339_offset;

/// The body of a delivery; `None` for what this API has no topic for.
pub fn body(event: &HookEvent) -> Option<String> {
    let version = Version::parse(&event.version)?;
    let body = match &event.about {
        About::Level { level: view, variant } => level(view, variant),
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
    None
}

/// A payment slip, as far as it is told of.
fn slip(order: &Order, told: &Transaction) -> Value {
    let payment = order.payments.iter().find(|payment| Some(payment.id) == told.payment);
    let named = payment.map(|payment| ids::payment_id(order, payment));
    json!({
        "pay_seq": named,
        "pay_amount": number(&decimal(told.amount, told.currency)),
        "pay_status": pay_status(told.state),
        "pay_channel_deal_id": told.trade_id,
        "create_time": rfc3339_offset(told.created_ms),
        "status_code": told.error_code,
        "status_msg": told.message,
    })
}

/// Where a payment slip stands.
const fn pay_status(state: TransactionState) -> &'static str {
    match state {
        TransactionState::Success
        | TransactionState::Refunding
        | TransactionState::Refunded
        | TransactionState::RefundFailed => "paid",
        TransactionState::Processing => "unpaid",
        TransactionState::Authorized => "pending",
        TransactionState::Void | TransactionState::Error | TransactionState::Expired => "paid_failed",
    }
}

/// Units at a place. All that are there can be sold: none are set apart for orders.
fn level(view: &LevelView, variant: &str) -> Value {
    json!({
        "inventory_item_id": format!("{:018}", view.variant),
        "variant_id": variant,
        "location_id": ids::location_id(view.location, view.location_external_id.as_deref()),
        "available": view.units,
        "onhand": view.units,
        "committed": 0,
        "unavailable": 0,
        "updated_at": rfc3339_offset(view.updated_ms),
    })
}
