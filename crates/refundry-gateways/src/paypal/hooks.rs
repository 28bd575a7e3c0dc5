//! What PayPal says unasked: its webhooks, which it is asked to confirm.
//!
//! Sources, read on 2026-11-25:
//! - github.com/paypal/paypal-rest-api-specifications, `openapi/notifications_webhooks_v1.json`, version 1.11: events,
//!   and the call that verifies one. The event has to go back as it came, because PayPal's signature covers its bytes;
//! - developer.paypal.com/api/rest/webhooks/event-names: the events;
//! - developer.paypal.com/api/customer-disputes/v1/definitions/dispute_outcome: outcomes of disputes.
//!
//! Two calls confirm a delivery: one for a token, and one that verifies.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Money, PayPal, Refund, Token};
use crate::wire::{leg_id, rfc3339_ms};
use crate::{About, Answer, Delivery, DisputeStage, Heard, HttpOutcome, Notice};

/// What the verification needs from the headers.
#[derive(Serialize)]
struct Proof<'a> {
    auth_algo: &'a str,
    cert_url: &'a str,
    transmission_id: &'a str,
    transmission_sig: &'a str,
    transmission_time: &'a str,
    webhook_id: &'a str,
}

pub(super) fn hear(paypal: &PayPal, delivery: &Delivery<'_>) -> Heard {
    match verification_body(paypal, delivery) {
        Ok(_) => Heard::Confirm(paypal.token_request()),
        Err(reason) => Heard::refused(reason),
    }
}

pub(super) fn confirm(paypal: &PayPal, delivery: &Delivery<'_>, outcome: HttpOutcome) -> Heard {
    let later = |reason: String| Heard::Later { reason };
    let (status, body) = match outcome {
        HttpOutcome::Answered { status, body } => (status, body),
        HttpOutcome::NotSent { reason } | HttpOutcome::Broken { reason } => return later(reason),
    };
    if let Some(token) = Token::read(status, &body) {
        return match verification_body(paypal, delivery) {
            Ok(body) => Heard::Confirm(paypal.call(&token, "/v1/notifications/verify-webhook-signature", body)),
            Err(reason) => Heard::refused(reason),
        };
    }
    let verdict = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    match (status, verdict.get("verification_status").and_then(Value::as_str)) {
        (200, Some("SUCCESS")) => match told(delivery.body) {
            Ok(notices) => Heard::Notices(notices),
            Err(reason) => later(reason),
        },
        (200, Some("FAILURE")) => Heard::refused("PayPal says that the delivery is not its own"),
        _ => later(format!("PayPal did not say whose the delivery is: status {status}")),
    }
}

/// What PayPal is to verify, with the event byte for byte; or why the delivery cannot be its own.
fn verification_body(paypal: &PayPal, delivery: &Delivery<'_>) -> Result<Vec<u8>, String> {
    if paypal.webhook_id.is_empty() {
        return Err("no webhook_id is configured to verify deliveries with".to_owned());
    }
    let header = |name: &str| {
        let value = delivery.header(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| format!("the header {name} is missing"))
    };
    let proof = Proof {
        auth_algo: header("paypal-auth-algo")?,
        cert_url: header("paypal-cert-url")?,
        transmission_id: header("paypal-transmission-id")?,
        transmission_sig: header("paypal-transmission-sig")?,
        transmission_time: header("paypal-transmission-time")?,
        webhook_id: &paypal.webhook_id,
    };
    // One whole object: whatever else would end the place in which it is put, and add to what is asked.
    if !serde_json::from_slice::<Value>(delivery.body).is_ok_and(|event| event.is_object()) {
        return Err("the body is no event of PayPal".to_owned());
    }
    let mut body = serde_json::to_vec(&proof).map_err(|_| "the headers cannot be written as JSON".to_owned())?;
    body.pop();
    body.extend_from_slice(b",\"webhook_event\":");
    body.extend_from_slice(delivery.body);
    body.push(b'}');
    Ok(body)
}

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "event_type")]
    kind: String,
    #[serde(default)]
    create_time: String,
    #[serde(default)]
    resource: Value,
}

#[derive(Deserialize)]
struct Dispute {
    #[serde(rename = "dispute_id")]
    id: String,
    #[serde(default)]
    status: String,
    #[serde(rename = "dispute_amount")]
    amount: Money,
    #[serde(rename = "dispute_outcome")]
    outcome: Option<Outcome>,
    #[serde(default, rename = "disputed_transactions")]
    payments: Vec<Disputed>,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    outcome_code: String,
}

#[derive(Deserialize)]
struct Disputed {
    seller_transaction_id: String,
    gross_amount: Option<Money>,
}

/// The table of events, for one that PayPal has confirmed.
fn told(body: &[u8]) -> Result<Vec<Notice>, String> {
    let event: Event = serde_json::from_slice(body).map_err(|_| "an event without id or type".to_owned())?;
    if event.id.is_empty() {
        return Err("an event without id".to_owned());
    }
    let unreadable = || format!("{} {} cannot be read", event.kind, event.id);
    let refund = || Refund::deserialize(&event.resource).ok().filter(|refund| !refund.id.is_empty());
    let abouts = match event.kind.as_str() {
        "PAYMENT.CAPTURE.REFUNDED" | "PAYMENT.REFUND.PENDING" | "PAYMENT.REFUND.COMPLETED" => {
            let refund = refund().ok_or_else(unreadable)?;
            refund.answer().and_then(|answer| about_refund(&refund, answer)).into_iter().collect()
        }
        "PAYMENT.REFUND.FAILED" | "PAYMENT.REFUND.CANCELLED" => {
            let refund = refund().ok_or_else(unreadable)?;
            about_refund(&refund, refund.declined()).into_iter().collect()
        }
        // PayPal itself took the money back, for a dispute or a bank: shown as a refund, but none that anybody made.
        "PAYMENT.CAPTURE.REVERSED" => refund().and_then(|refund| about_reversal(&refund)).into_iter().collect(),
        "CUSTOMER.DISPUTE.CREATED" | "CUSTOMER.DISPUTE.UPDATED" | "CUSTOMER.DISPUTE.RESOLVED" => {
            let dispute = Dispute::deserialize(&event.resource).map_err(|_| unreadable())?;
            about_dispute(&dispute).ok_or_else(unreadable)?
        }
        _ => return Ok(Vec::new()),
    };
    if abouts.is_empty() {
        return Err(unreadable());
    }
    let notice = |(place, about)| Notice {
        // One event of a dispute over several payments is several notices.
        event: if place == 0 { event.id.clone() } else { format!("{}:{place}", event.id) },
        kind: event.kind.clone(),
        happened_ms: rfc3339_ms(&event.create_time),
        about,
    };
    Ok(abouts.into_iter().enumerate().map(notice).collect())
}

fn about_refund(refund: &Refund, answer: Answer) -> Option<About> {
    let amount = refund.amount.as_ref()?;
    Some(About::Refund {
        leg_id: leg_id(&refund.custom_id).or_else(|| leg_id(&refund.invoice_id)),
        refund_reference: refund.id.clone(),
        payment_reference: refund.capture().unwrap_or_default().to_owned(),
        payment_alias: String::new(),
        answer,
        amount_minor: amount.minor()?,
        currency: amount.currency_code.clone(),
    })
}

fn about_reversal(reversal: &Refund) -> Option<About> {
    let amount = reversal.amount.as_ref()?;
    Some(About::Dispute {
        dispute_reference: reversal.id.clone(),
        payment_reference: reversal.capture()?.to_owned(),
        payment_alias: String::new(),
        stage: DisputeStage::Lost,
        amount_minor: amount.minor()?,
        currency: amount.currency_code.clone(),
    })
}

fn about_dispute(dispute: &Dispute) -> Option<Vec<About>> {
    let only = dispute.payments.len() == 1;
    let about = |disputed: &Disputed| {
        // The disputed amount is that of all payments together, so with several each one's own goes first.
        let own = disputed.gross_amount.as_ref().filter(|_| !only);
        let amount = own.unwrap_or(&dispute.amount);
        Some(About::Dispute {
            // The books keep one record for a reference, of one payment. The payment is named even where it is the only
            // one: nothing says that a dispute keeps to the payments that it began with, and a record must not change
            // its name on the way from hold to outcome.
            dispute_reference: format!("{}:{}", dispute.id, disputed.seller_transaction_id),
            payment_reference: disputed.seller_transaction_id.clone(),
            payment_alias: String::new(),
            stage: stage(dispute),
            amount_minor: amount.minor()?,
            currency: amount.currency_code.clone(),
        })
    };
    dispute.payments.iter().map(about).collect()
}

/// The table of outcomes. What is not known to be won or lost stays on hold.
fn stage(dispute: &Dispute) -> DisputeStage {
    let outcome = dispute.outcome.as_ref().map_or("", |outcome| outcome.outcome_code.as_str());
    match (dispute.status.as_str(), outcome) {
        ("RESOLVED", "RESOLVED_SELLER_FAVOUR" | "CANCELED_BY_BUYER" | "DENIED" | "NONE") => DisputeStage::Won,
        // With a payout the buyer may have the money from PayPal: a refund beside it would be a second one.
        ("RESOLVED", "RESOLVED_BUYER_FAVOUR" | "RESOLVED_WITH_PAYOUT" | "ACCEPTED") => DisputeStage::Lost,
        _ => DisputeStage::Open,
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use super::*;
    use crate::Settings;

    const HEADERS: [(&str, &str); 5] = [
        ("paypal-auth-algo", "SHA256withRSA"),
        ("paypal-cert-url", "https://api.paypal.com/cert"),
        ("paypal-transmission-id", "id"),
        ("paypal-transmission-sig", "sig\",\"webhook_id\":\"OTHER"),
        ("paypal-transmission-time", "2016-02-18T20:01:35Z"),
    ];

    #[test]
    fn the_event_goes_back_byte_for_byte_and_headers_stay_in_their_places() {
        let settings = [("client_id", "id"), ("client_secret", "secret"), ("webhook_id", "OURS")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let paypal = PayPal::open(&Settings(BTreeMap::from(settings))).unwrap();
        let body = "{ \"b\":1.50,\r\n\t\"a\": \"é\\u00e9\" , \"b\": 2}";
        let headers = HEADERS.map(|(name, value)| (name, Cow::Borrowed(value)));
        let delivery = Delivery { headers: &headers, body: body.as_bytes(), now_ms: 0 };
        let sent = String::from_utf8(verification_body(&paypal, &delivery).unwrap()).unwrap();
        assert!(sent.ends_with(&format!(",\"webhook_event\":{body}}}")), "{sent}");
        let read: BTreeMap<String, Value> = serde_json::from_str(&sent).unwrap();
        assert_eq!(read["webhook_id"], "OURS");
        assert_eq!(read["transmission_sig"], HEADERS[3].1);
    }
}
