//! Adyen: refunds through its Checkout API, outcomes by webhook.
//!
//! Adyen answers a refund with `received`, whatever becomes of it; the outcome comes in a webhook only, and nothing can
//! be asked about it. So a leg is pending from the first answer until a delivery settles it, and a leg in doubt is
//! asked about by repeating the request under its key, which Adyen answers with the first answer.
//!
//! Sources, read on 2026-11-25:
//! - docs.adyen.com/api-explorer/Checkout/71/post/payments/(paymentPspReference)/refunds: request and answer;
//! - docs.adyen.com/development-resources/api-idempotency: keys of at most 64 characters hold "for a minimum period of
//!   7 days after first submission" (the page of 2020 said 31); a repetition while the first is under way is answered
//!   422 or 409 with code 704; data centres do not know each other's keys, so a store keeps to one `base_url`;
//! - docs.adyen.com/development-resources/currency-codes: the currencies that Adyen counts differently;
//! - docs.adyen.com/development-resources/error-codes, and …/response-handling for statuses;
//! - docs.adyen.com/development-resources/live-endpoints:
//!   `https://[prefix]-checkout-live.adyenpayments.com/checkout/v71` and `https://checkout-test.adyen.com/v71`;
//! - `hooks.rs` and `statement.rs` name theirs.
//!
//! Not found: a deadline or a smallest amount that holds for every payment method. Adyen tells of both in the webhook.

mod hooks;
pub(crate) mod statement;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::drivers::{Chooses, base_url};
use crate::signing::from_hex;
use crate::units::{self, Units};
use crate::wire::{answered, not_considered, path_segment, unknown_here, without_payment};
use crate::{
    Answer, Ask, Capabilities, Delivery, Gateway, Heard, HttpOutcome, HttpRequest, Inquiry, KeyMemory, Method, Purpose,
    Setting, SettingFault, Settings, StatementFault, StatementLine, Step,
};

/// The Adyen driver; see the module.
pub struct Adyen {
    base_url: String,
    api_key: String,
    merchant_account: String,
    /// Newest first or not: any of them signs.
    hmac_keys: Vec<Vec<u8>>,
}

/// What it needs to know.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "base_url",
        about: "The Checkout API: https://checkout-test.adyen.com/v71, or with your prefix \
                https://PREFIX-checkout-live.adyenpayments.com/checkout/v71",
        secret: false,
        required: true,
        chooses: Chooses::Host,
    },
    Setting {
        name: "merchant_account",
        about: "The account that took the payments",
        secret: false,
        required: true,
        chooses: Chooses::Account,
    },
    Setting {
        name: "api_key",
        about: "The key of an API credential that may refund through the Checkout API",
        secret: true,
        required: true,
        chooses: Chooses::Nothing,
    },
    Setting {
        name: "hmac_key",
        about: "The HMAC key of the Standard webhook, in hexadecimal digits; several with commas while one is replaced",
        secret: true,
        required: true,
        chooses: Chooses::Nothing,
    },
];

/// Currencies whose decimals Adyen's own table sets apart from ISO 4217.
const UNITS: Units = Units { exceptions: &[("CLP", 2), ("CVE", 0), ("IDR", 0), ("ISK", 2)] };

const KEYS: KeyMemory = KeyMemory::Days(7);

/// Ends within the week that keys are remembered: after it, a repetition would pay again.
const DOUBT_MS: &[i64] =
    &[1_000, 5_000, 30_000, 120_000, 600_000, 3_600_000, 6 * 3_600_000, 24 * 3_600_000, 48 * 3_600_000, 72 * 3_600_000];

/// Codes of 422 that surely mean "not taken, and never will be under these figures". Most refusals come by webhook. Any
/// other code is left to a person, all the more as the list of codes could be read in part only; these two are as
/// Adyen's own libraries and their issues show them.
const FINAL: &[&str] = &[
    // Invalid amount specified.
    "137",
    UNKNOWN_HERE,
];

/// Original pspReference required for this operation: it knows no such payment.
const UNKNOWN_HERE: &str = "167";

impl Adyen {
    /// A gateway of these settings, or which of them is wrong.
    pub fn open(settings: &Settings) -> Result<Adyen, SettingFault> {
        let read = |key: &str| from_hex(key.trim()).filter(|key| !key.is_empty());
        let hmac_keys = settings.get("hmac_key").split(',').map(read).collect::<Option<Vec<_>>>();
        Ok(Adyen {
            base_url: base_url(settings, "")?,
            api_key: settings.get("api_key").to_owned(),
            merchant_account: settings.get("merchant_account").to_owned(),
            hmac_keys: hmac_keys.ok_or_else(|| SettingFault::new("hmac_key", "it is not in hexadecimal digits"))?,
        })
    }
}

impl fmt::Debug for Adyen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adyen").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Gateway for Adyen {
    fn name(&self) -> &'static str {
        "adyen"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { inquiry: Inquiry { doubt_ms: DOUBT_MS, ..Inquiry::USUAL }, ..Capabilities::without_limits(KEYS) }
    }

    fn refund(&self, ask: &Ask) -> Step {
        if let Some(answer) = without_payment(ask) {
            return answer.into();
        }
        let Some(value) = UNITS.write(ask.amount_minor, &ask.currency) else {
            return units::not_representable(ask).into();
        };
        let order = Order {
            merchant_account: &self.merchant_account,
            amount: Amount { currency: ask.currency.clone(), value },
            reference: ask.key(),
        };
        match serde_json::to_vec(&order) {
            Ok(body) => Step::Http(HttpRequest {
                method: Method::Post,
                url: format!("{}/payments/{}/refunds", self.base_url, path_segment(&ask.payment_reference)),
                headers: vec![
                    ("content-type".to_owned(), "application/json".to_owned()),
                    ("x-api-key".to_owned(), self.api_key.clone()),
                    ("idempotency-key".to_owned(), ask.key()),
                ],
                body,
            }),
            Err(_) => Answer::unknown("the order could not be written as JSON").into(),
        }
    }

    fn lookup(&self, ask: &Ask) -> Step {
        if !ask.refund_reference.is_empty() {
            // It was received, and only a webhook tells more.
            return Answer::Pending { reference: ask.refund_reference.clone() }.into();
        }
        if ask.key_is_remembered(KEYS) {
            return self.refund(ask);
        }
        Answer::unknown("Adyen may have forgotten the key, and cannot be asked in another way").into()
    }

    fn read(&self, purpose: Purpose, ask: &Ask, outcome: HttpOutcome) -> Step {
        let (status, body) = match answered(purpose, outcome) {
            Ok(answered) => answered,
            Err(answer) => return answer.into(),
        };
        Step::Answer(match status {
            200 | 201 => received(ask, &body),
            401 | 403 | 429 => not_considered(purpose, status, &body),
            422 => refused(purpose, ask, &body),
            _ => Answer::unknown(format!("status {status}")),
        })
    }

    fn hear(&self, delivery: &Delivery<'_>) -> Heard {
        hooks::hear(self, delivery)
    }

    /// Older webhooks wait for this body, newer ones for any status 2xx.
    fn acknowledgement(&self) -> &'static str {
        "[accepted]"
    }

    fn statement(&self, file: &[u8]) -> Result<Vec<StatementLine>, StatementFault> {
        statement::read(&self.merchant_account, file)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    merchant_account: &'a str,
    amount: Amount,
    reference: String,
}

#[derive(Deserialize, Serialize, PartialEq)]
struct Amount {
    currency: String,
    value: i64,
}

/// The answer to a refund: a receipt, not an outcome.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    payment_psp_reference: String,
    psp_reference: String,
    status: String,
    reference: Option<String>,
    amount: Option<Amount>,
}

fn received(ask: &Ask, body: &[u8]) -> Answer {
    let Ok(receipt) = serde_json::from_slice::<Receipt>(body) else {
        return Answer::unknown("the body is no receipt of a refund");
    };
    let asked = UNITS.write(ask.amount_minor, &ask.currency).map(|value| (ask.currency.as_str(), value));
    let same_amount = receipt.amount.is_none_or(|amount| asked == Some((amount.currency.as_str(), amount.value)));
    let same_leg = receipt.reference.is_none_or(|reference| reference == ask.key());
    match receipt.status.as_str() {
        _ if receipt.payment_psp_reference != ask.payment_reference => {
            Answer::unknown("the receipt is about another payment")
        }
        _ if !same_leg => Answer::unknown("the receipt is about another refund"),
        // A pending answer has no figures that could be compared later, so it is done here.
        _ if !same_amount => Answer::unknown("the receipt is about another amount"),
        "received" if !receipt.psp_reference.is_empty() => Answer::Pending { reference: receipt.psp_reference },
        _ => Answer::unknown("the receipt does not say `received`"),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    error_code: String,
    message: String,
    error_type: String,
}

fn refused(purpose: Purpose, ask: &Ask, body: &[u8]) -> Answer {
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) if refusal.error_type == "validation" && FINAL.contains(&refusal.error_code.as_str()) => {
            let is_unknown = refusal.error_code == UNKNOWN_HERE;
            let declined = Answer::Declined { code: refusal.error_code, message: refusal.message };
            if is_unknown { unknown_here(purpose, ask, declined) } else { declined }
        }
        // 704 is one of them: the key is in use, and what became of the first request is not known yet.
        Ok(refusal) => Answer::unknown(format!("status 422, code {}", refusal.error_code)),
        Err(_) => Answer::unknown("status 422 with a body that is no refusal"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(hmac_key: &str) -> Result<Adyen, SettingFault> {
        let settings = [
            ("base_url", "https://checkout-test.adyen.com/v71"),
            ("merchant_account", "Shop"),
            ("api_key", "AQE"),
            ("hmac_key", hmac_key),
        ];
        Adyen::open(&Settings(settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()))
    }

    #[test]
    fn several_keys_hold_while_one_is_replaced() {
        assert_eq!(open("00ff, FE01").unwrap().hmac_keys, [[0x00, 0xff], [0xfe, 0x01]]);
        for wrong in ["", "00,", "xyz", "0"] {
            assert_eq!(open(wrong).unwrap_err().name, "hmac_key", "{wrong}");
        }
    }

    #[test]
    fn debug_output_shows_where_and_nothing_else() {
        let shown = format!("{:?}", open("00ff").unwrap());
        assert_eq!(shown, r#"Adyen { base_url: "https://checkout-test.adyen.com/v71", .. }"#);
    }

    #[test]
    fn nothing_is_asked_about_once_the_key_may_be_forgotten() {
        let asked_within_ms: i64 = DOUBT_MS.iter().sum();
        let ask = |key_age_ms| Ask {
            leg_id: 1,
            refund_id: 1,
            payment_reference: "A".to_owned(),
            channel: String::new(),
            amount_minor: 1,
            currency: "EUR".to_owned(),
            script: String::new(),
            refund_reference: String::new(),
            key_age_ms,
            now_ms: 0,
        };
        assert!(ask(asked_within_ms).key_is_remembered(KEYS));
    }
}
