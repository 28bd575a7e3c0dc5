//! What Stripe delivers: `docs.stripe.com/webhooks`, "Verify webhook signatures manually", and
//! `docs.stripe.com/api/events/types`, read November 2026.
//!
//! `Stripe-Signature: t=1492774577,v1=…,v1=…,v0=…` has a code for every secret that is in force; `v0` is for tests and
//! counts for nothing. The code is over the time stamp, a dot and the body.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::wire::{Dispute, Refund};
use super::{parsed, units};
use crate::signing::{Hash, from_hex};
use crate::{About, Delivery, DisputeStage, Heard, Notice};

/// What Stripe's own libraries allow between signing and arrival.
const TOLERANCE_MS: i64 = 300_000;

/// `api/events/object`, without what it is about.
#[derive(Deserialize)]
struct Event {
    id: String,
    /// The connected account it is about, where it is about one.
    account: Option<String>,
    created: i64,
    #[serde(rename = "type")]
    kind: String,
}

/// What an event is about.
#[derive(Deserialize)]
struct Content<T> {
    data: Data<T>,
}

#[derive(Deserialize)]
struct Data<T> {
    object: T,
}

/// `api/charges/object`, for the refunds that some versions of it hold.
#[derive(Deserialize)]
struct Charge {
    refunds: Option<ChargeRefunds>,
}

#[derive(Deserialize)]
struct ChargeRefunds {
    data: Vec<Refund>,
}

/// Checks the signature and says what the event tells.
pub(super) fn hear(secrets: &[String], account: &str, delivery: &Delivery<'_>) -> Heard {
    if let Err(reason) = check(secrets, delivery) {
        return Heard::refused(reason);
    }
    let Some(event) = parsed::<Event>(delivery.body) else { return Heard::refused("it is signed, but no event") };
    // An endpoint may hear of every connected account; a store is one of them, or the platform itself.
    if event.account.as_deref().unwrap_or_default() != account {
        return Heard::Notices(Vec::new());
    }
    match told(&event, delivery.body) {
        Some(abouts) => Heard::Notices(notices(&event, abouts)),
        None => Heard::refused(format!("it is signed, but no {} that can be read", event.kind)),
    }
}

/// Whether one of the codes is ours and fresh.
fn check(secrets: &[String], delivery: &Delivery<'_>) -> Result<(), &'static str> {
    let header = delivery.header("stripe-signature").ok_or("there is no Stripe-Signature")?;
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let stamp = parts().find(|(key, _)| *key == "t").map_or("", |(_, value)| value);
    let is_digits = !stamp.is_empty() && stamp.chars().all(|c| c.is_ascii_digit());
    let signed_s: i64 = stamp.parse().ok().filter(|_| is_digits).ok_or("Stripe-Signature has no time stamp")?;
    let codes: Vec<Vec<u8>> = parts().filter(|(key, _)| *key == "v1").filter_map(|(_, code)| from_hex(code)).collect();
    let message = [stamp.as_bytes(), b".", delivery.body];
    let ours = |secret: &String| codes.iter().any(|code| Hash::Sha256.verify(secret.as_bytes(), &message, code));
    match delivery.now_ms.saturating_sub(signed_s.saturating_mul(1000)) {
        _ if secrets.is_empty() => Err("no webhook_secret is configured"),
        _ if !secrets.iter().any(ours) => Err("no signature of it is right"),
        age_ms if age_ms.saturating_abs() > TOLERANCE_MS => Err("it was not signed in the last five minutes"),
        _ => Ok(()),
    }
}

/// What an event is about: nothing for most kinds, `None` where it should be about something and cannot be read.
fn told(event: &Event, body: &[u8]) -> Option<Vec<About>> {
    match event.kind.as_str() {
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            Some(vec![about_refund(&object(body)?)?])
        }
        // Newer versions leave the refunds out; `refund.created` tells of them.
        "charge.refunded" => {
            let charge: Charge = object(body)?;
            charge.refunds.map_or_else(Vec::new, |refunds| refunds.data).iter().map(about_refund).collect()
        }
        "charge.dispute.created"
        | "charge.dispute.updated"
        | "charge.dispute.closed"
        | "charge.dispute.funds_withdrawn"
        | "charge.dispute.funds_reinstated" => Some(vec![about_dispute(&object(body)?)?]),
        _ => Some(Vec::new()),
    }
}

fn object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    parsed::<Content<T>>(body).map(|content| content.data.object)
}

fn about_refund(refund: &Refund) -> Option<About> {
    let (amount_minor, currency) = units::from_stripe(refund.amount, &refund.currency)?;
    let (payment_reference, payment_alias) = refund.payment();
    Some(About::Refund {
        leg_id: refund.leg(),
        refund_reference: refund.id.clone(),
        payment_reference,
        payment_alias,
        answer: refund.answer()?,
        amount_minor,
        currency,
    })
}

fn about_dispute(dispute: &Dispute) -> Option<About> {
    let (amount_minor, currency) = units::from_stripe(dispute.amount, &dispute.currency)?;
    let (payment_reference, payment_alias) = dispute.payment();
    Some(About::Dispute {
        dispute_reference: dispute.id.clone(),
        payment_reference,
        payment_alias,
        stage: stage(dispute),
        amount_minor,
        currency,
    })
}

/// `api/disputes/object`, status. Whatever is not known holds the money.
fn stage(dispute: &Dispute) -> DisputeStage {
    match dispute.status.as_str() {
        // An inquiry that ended without a chargeback is as good as won; so is a dispute that was blocked.
        "won" | "warning_closed" => DisputeStage::Won,
        "prevented" if dispute.is_blocked() => DisputeStage::Won,
        // Otherwise it was prevented by paying the buyer (changelog 2025-08-27: case types `block` and `resolution`).
        "lost" | "prevented" => DisputeStage::Lost,
        _ => DisputeStage::Open,
    }
}

/// Each is an event of its own, also where one delivery tells several.
fn notices(event: &Event, abouts: Vec<About>) -> Vec<Notice> {
    let several = abouts.len() > 1;
    let id = |about: &About| match about {
        About::Refund { refund_reference, .. } if several => format!("{}:{refund_reference}", event.id),
        _ => event.id.clone(),
    };
    let notice = |about: About| Notice {
        event: id(&about),
        kind: event.kind.clone(),
        happened_ms: event.created.checked_mul(1000),
        about,
    };
    abouts.into_iter().map(notice).collect()
}
