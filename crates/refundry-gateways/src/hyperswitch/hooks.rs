//! What Hyperswitch delivers. Sources, read on 2026-11-25: docs.hyperswitch.io, "Webhooks" (events, the signature), and
//! `api_models/src/webhooks.rs` and `disputes.rs` in juspay/hyperswitch (the shapes).
//!
//! `X-Webhook-Signature-512` is HMAC-SHA-512 of the body in hexadecimal digits, under the profile's payment response
//! hash key. It has no time stamp, so a delivery does not grow old; the id of its event tells a repetition.
//!
//! The amount of a dispute is a text, but in the smallest unit like the others (`StringMinorUnit`).

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Refund, UNITS};
use crate::signing::{Hash, from_hex};
use crate::wire::{leg_id, rfc3339_ms};
use crate::{About, Delivery, DisputeStage, Heard, Notice};

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "event_id")]
    id: String,
    #[serde(rename = "event_type")]
    kind: String,
    content: Shape,
    /// When it was sent.
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "type")]
    name: String,
}

#[derive(Deserialize)]
struct Told<T> {
    content: Content<T>,
}

#[derive(Deserialize)]
struct Content<T> {
    object: T,
}

#[derive(Deserialize)]
struct Dispute {
    #[serde(rename = "dispute_id")]
    id: String,
    payment_id: String,
    amount: String,
    currency: String,
    #[serde(rename = "dispute_status")]
    status: String,
}

/// Checks the signature and says what the event tells.
pub(super) fn hear(keys: &[String], delivery: &Delivery<'_>) -> Heard {
    let Some(header) = delivery.header("x-webhook-signature-512") else {
        return Heard::refused("there is no X-Webhook-Signature-512");
    };
    if keys.is_empty() {
        return Heard::refused("no webhook_key is configured");
    }
    let code = from_hex(header).unwrap_or_default();
    if !keys.iter().any(|key| Hash::Sha512.verify(key.as_bytes(), &[delivery.body], &code)) {
        return Heard::refused("the signature is not right");
    }
    let Ok(event) = serde_json::from_slice::<Event>(delivery.body) else {
        return Heard::refused("it is signed, but no event");
    };
    let told = match event.content.name.as_str() {
        "refund_details" => object::<Refund>(delivery.body).and_then(|refund| {
            let happened = refund.updated_at.clone();
            Some((about_refund(&refund)?, happened))
        }),
        "dispute_details" => {
            object::<Dispute>(delivery.body).and_then(|dispute| Some((about_dispute(&dispute)?, None)))
        }
        _ => return Heard::Notices(Vec::new()),
    };
    match told {
        Some((about, happened)) => Heard::Notices(vec![Notice {
            event: event.id,
            kind: event.kind,
            happened_ms: happened.or(event.timestamp).as_deref().and_then(rfc3339_ms),
            about,
        }]),
        None => Heard::refused(format!("it is signed, but no {} that can be read", event.kind)),
    }
}

fn object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice::<Told<T>>(body).ok().map(|told| told.content.object)
}

fn about_refund(refund: &Refund) -> Option<About> {
    let (amount_minor, currency) = refund.figures()?;
    Some(About::Refund {
        leg_id: leg_id(&refund.id),
        refund_reference: refund.id.clone(),
        payment_reference: refund.payment_id.clone(),
        payment_alias: String::new(),
        answer: refund.answer()?,
        amount_minor,
        currency,
    })
}

fn about_dispute(dispute: &Dispute) -> Option<About> {
    let is_digits = dispute.amount.bytes().all(|byte| byte.is_ascii_digit());
    let amount: i64 = dispute.amount.parse().ok().filter(|_| is_digits)?;
    Some(About::Dispute {
        dispute_reference: dispute.id.clone(),
        payment_reference: dispute.payment_id.clone(),
        payment_alias: String::new(),
        stage: stage(&dispute.status),
        amount_minor: UNITS.read(amount, &dispute.currency).filter(|amount_minor| *amount_minor > 0)?,
        currency: dispute.currency.clone(),
    })
}

/// Whatever is not known holds the money. Nobody says in words what `dispute_expired` means; processors are mapped to
/// it when the time to defend has run out, and then the buyer keeps the money.
fn stage(status: &str) -> DisputeStage {
    match status {
        "dispute_won" | "dispute_cancelled" => DisputeStage::Won,
        "dispute_lost" | "dispute_accepted" | "dispute_expired" => DisputeStage::Lost,
        _ => DisputeStage::Open,
    }
}
