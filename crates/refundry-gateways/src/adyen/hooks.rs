//! What Adyen says unasked: its Standard webhooks.
//!
//! Sources, read on 2026-11-25:
//! - docs.adyen.com/api-explorer/Webhooks/1: the events; acknowledged "on the basis of the HTTP status code";
//! - docs.adyen.com/development-resources/webhooks/verify-hmac-signatures: each item is signed with HMAC-SHA-256 over
//!   `pspReference:originalReference:merchantAccountCode:merchantReference:value:currency:eventCode:success`, absent
//!   fields empty, under the key's bytes, in Base64. Nothing is escaped: Adyen's Java library holds a signed webhook
//!   whose reference has backslashes and a colon (`HMACValidatorTest`, `testValidateHMACWithoutEscaping`, 2023);
//! - docs.adyen.com/development-resources/webhooks: a redelivery has the same `eventCode` and `pspReference`;
//! - docs.adyen.com/online-payments/refund: `REFUND` with `success: true` says that Adyen has sent the refund to the
//!   scheme; `REFUND_FAILED` and `REFUNDED_REVERSED` may take that back, days later;
//! - docs.adyen.com/risk-management/disputes-api/dispute-notifications: all events of a dispute have its
//!   `pspReference`, and `originalReference` is the payment.
//!
//! Not found: whether `merchantReference` of a refund's events is the reference of the refund or of the payment.
//! Samples show both, so our leg is read where it stands there, and else the `pspReference` of the receipt finds it.
//!
//! Test and live webhooks have keys of their own, so `live` is not looked at. What is not signed (`reason`,
//! `eventDate`, `additionalData`) never makes money free.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Adyen, UNITS};
use crate::signing::{Hash, from_base64};
use crate::wire::{leg_id, rfc3339_ms};
use crate::{About, Answer, Delivery, DisputeStage, Heard, Notice};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    notification_items: Vec<Wrapper>,
}

#[derive(Deserialize)]
struct Wrapper {
    #[serde(rename = "NotificationRequestItem")]
    item: Item,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    psp_reference: String,
    #[serde(default)]
    original_reference: String,
    merchant_account_code: String,
    #[serde(default)]
    merchant_reference: String,
    #[serde(default)]
    amount: Amount,
    event_code: String,
    success: String,
    event_date: Option<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    additional_data: BTreeMap<String, Value>,
}

#[derive(Default, Deserialize)]
struct Amount {
    #[serde(default)]
    currency: String,
    /// A number, or digits in quotes.
    value: Option<Value>,
}

/// Checks every item's signature before anything of the delivery counts.
pub(super) fn hear(adyen: &Adyen, delivery: &Delivery<'_>) -> Heard {
    let items = match serde_json::from_slice::<Webhook>(delivery.body) {
        Ok(webhook) if !webhook.notification_items.is_empty() => webhook.notification_items,
        _ => return Heard::refused("the body is no Standard webhook of Adyen"),
    };
    if !items.iter().all(|wrapper| is_signed(adyen, &wrapper.item)) {
        return Heard::refused("an item is not signed with a configured HMAC key");
    }
    // A webhook of a whole company brings the items of its other accounts, too.
    let ours =
        items.iter().map(|wrapper| &wrapper.item).filter(|item| item.merchant_account_code == adyen.merchant_account);
    match ours.filter_map(|item| notice(item).transpose()).collect::<Result<_, _>>() {
        Ok(notices) => Heard::Notices(notices),
        Err(reason) => Heard::Later { reason },
    }
}

fn is_signed(adyen: &Adyen, item: &Item) -> bool {
    let code = item.additional_data.get("hmacSignature").and_then(Value::as_str).and_then(from_base64);
    let Some(code) = code.filter(|code| !code.is_empty()) else { return false };
    let value = item.amount.text();
    let fields = [
        &item.psp_reference,
        &item.original_reference,
        &item.merchant_account_code,
        &item.merchant_reference,
        &value,
        &item.amount.currency,
        &item.event_code,
        &item.success,
    ];
    // As nothing is escaped, a colon could move a text from one field to the next under the same signature. Only the
    // merchant's own reference may hold one, and then both its ends are still where they were signed.
    let moved = fields.iter().enumerate().any(|(place, field)| place != 3 && field.contains(':'));
    let text = fields.map(String::as_str).join(":");
    !moved && adyen.hmac_keys.iter().any(|key| Hash::Sha256.verify(key, &[text.as_bytes()], &code))
}

impl Amount {
    /// The value as it was written.
    fn text(&self) -> String {
        match &self.value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    fn minor(&self) -> Option<i64> {
        UNITS.read(self.text().parse().ok()?, &self.currency)
    }
}

/// What an event is about, as far as it concerns us.
enum Meaning {
    Done,
    Pending,
    Declined { code: &'static str },
    Dispute(DisputeStage),
    Nothing,
}

/// The table of events. `success` says whether what the event is named after did happen.
fn meaning(item: &Item) -> Meaning {
    use DisputeStage::{Lost, Open, Won};
    let word = |key: &str| item.additional_data.get(key).and_then(Value::as_str).unwrap_or_default();
    match (item.event_code.as_str(), item.success == "true") {
        ("REFUND" | "REFUND_WITH_DATA", true) => Meaning::Done,
        ("REFUND" | "REFUND_WITH_DATA", false) => Meaning::Declined { code: "refund_refused" },
        ("CANCEL_OR_REFUND", true) if word("modification.action") == "refund" => Meaning::Done,
        ("CANCEL_OR_REFUND", false) if word("modification.action") == "refund" => {
            Meaning::Declined { code: "refund_refused" }
        }
        ("POSTPONED_REFUND", true) => Meaning::Pending,
        ("REFUND_FAILED", true) => Meaning::Declined { code: "REFUND_FAILED" },
        ("REFUNDED_REVERSED", true) => Meaning::Declined { code: "REFUNDED_REVERSED" },
        // Undefended, or accepted; unless it is said to be lost, what follows will tell.
        ("DISPUTE_DEFENSE_PERIOD_ENDED", _) if word("disputeStatus") == "Lost" => Meaning::Dispute(Lost),
        // Contested, whether or not the money is gone already. A reversed chargeback may be presented a second time, so
        // it stays on hold until the issuer gives up or loses.
        (
            "NOTIFICATION_OF_CHARGEBACK"
            | "REQUEST_FOR_INFORMATION"
            | "INFORMATION_SUPPLIED"
            | "CHARGEBACK"
            | "CHARGEBACK_REVERSED"
            | "PREARBITRATION_OPEN"
            | "PREARBITRATION_ACCEPTED"
            | "PREARBITRATION_DECLINED"
            | "SCHEME_ARBITRATION"
            | "DISPUTE_DEFENSE_PERIOD_ENDED",
            _,
        ) => Meaning::Dispute(Open),
        ("SECOND_CHARGEBACK" | "PREARBITRATION_LOST" | "SCHEME_ARBITRATION_LOST", _) => Meaning::Dispute(Lost),
        (
            "ISSUER_RESPONSE_TIMEFRAME_EXPIRED"
            | "PREARBITRATION_WON"
            | "PREARBITRATION_ISSUER_WITHDRAWN"
            | "SCHEME_ARBITRATION_WON",
            true,
        ) => Meaning::Dispute(Won),
        _ => Meaning::Nothing,
    }
}

/// The notice of an item that concerns us; an error is for Adyen to come again.
fn notice(item: &Item) -> Result<Option<Notice>, String> {
    let meaning = meaning(item);
    if matches!(meaning, Meaning::Nothing) {
        return Ok(None);
    }
    let unreadable = || format!("{} {}: an amount that cannot be read", item.event_code, item.psp_reference);
    let amount_minor = item.amount.minor().ok_or_else(unreadable)?;
    let currency = item.amount.currency.clone();
    let reference = item.psp_reference.clone();
    let about = match meaning {
        Meaning::Dispute(stage) => About::Dispute {
            // Accounts that have not enabled dispute references get the payment's id instead of both.
            payment_reference: match item.original_reference.as_str() {
                "" => reference.clone(),
                payment => payment.to_owned(),
            },
            dispute_reference: reference,
            payment_alias: String::new(),
            stage,
            amount_minor,
            currency,
        },
        of_refund => About::Refund {
            leg_id: leg_id(&item.merchant_reference),
            refund_reference: reference.clone(),
            payment_reference: item.original_reference.clone(),
            payment_alias: String::new(),
            answer: match of_refund {
                Meaning::Done => Answer::Done { reference, amount_minor, currency: currency.clone() },
                Meaning::Declined { code } => Answer::Declined { code: code.to_owned(), message: item.reason.clone() },
                Meaning::Pending | Meaning::Dispute(_) | Meaning::Nothing => Answer::Pending { reference },
            },
            amount_minor,
            currency,
        },
    };
    Ok(Some(Notice {
        event: format!("{}:{}:{}", item.psp_reference, item.event_code, item.success),
        kind: item.event_code.clone(),
        happened_ms: item.event_date.as_deref().and_then(rfc3339_ms),
        about,
    }))
}
