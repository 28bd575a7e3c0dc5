//! Hyperswitch, the payment switch of Juspay: refunds through whichever processor took the payment.
//!
//! What matters about it:
//! - The leg is the `refund_id`, which a merchant may use once. A repetition is refused with `HE_01`, or (before July
//!   2024, github.com/juspay/hyperswitch/pull/5282) answered with the first refund. Neither says what became of the
//!   first, so `HE_01` is looked up and is never a no.
//! - The refusals about an amount, a number of attempts or an age come *before* that check. A repetition of a refund
//!   that was paid is therefore told `IR_13`, "amount exceeds", where it is already the reason why. A refusal counts
//!   only for a first request, or after Hyperswitch denied the leg when it could not be on its way any more.
//! - With `refund_type` `instant` the processor is asked before we are answered. What went wrong there is `CE_…` on a
//!   refund that is kept, so it is looked up, and `force_sync` makes Hyperswitch ask the processor again.
//! - A processor that does not answer, or answers with a 5xx, is reported as a refund that `failed`, with `TIMEOUT` or
//!   the status as its code. The processor may have paid, so that is no final answer.
//! - `HE_02` is said of refunds, payments and merchants alike; only the message tells of which.
//!
//! Sources, read on 2026-11-25:
//! - api-reference.hyperswitch.io/v1/refunds (create, retrieve, list) and `…/essentials/error_codes`;
//! - docs.hyperswitch.io, "Refunds" of September 2026 (`integration-guide/payment-suite/refunds.md` in
//!   juspay/hyperswitch-docs): limits, window, statuses;
//! - the public source of juspay/hyperswitch for what the reference leaves out: `core/refunds.rs` (the order of the
//!   checks), `core/errors/transformers.rs` (codes, statuses and messages), `consts.rs` and `services/api.rs` (codes of
//!   a processor that did not answer), `common_enums/src/enums.rs` (decimals of currencies);
//! - see `hooks` for deliveries.
//!
//! Not found: a file of refunds that could be downloaded, and in which order a list is sorted.

mod hooks;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::drivers::{Chooses, base_url};
use crate::units::{self, Units};
use crate::wire::{answered, leg_id, not_considered, rfc3339_ms, unknown_here, without_payment};
use crate::{
    Answer, Ask, Capabilities, Delivery, Gateway, Heard, HttpOutcome, HttpRequest, KeyMemory, Method, Page, Purpose,
    Setting, SettingFault, Settings, Span, Standing, StatementFault, StatementLine, Step,
};

/// The Hyperswitch driver; see the module.
pub struct Hyperswitch {
    base_url: String,
    api_key: String,
    webhook_keys: Vec<String>,
}

/// What it needs to know.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "api_key",
        about: "API key of the merchant account",
        secret: true,
        required: true,
        chooses: Chooses::Nothing,
    },
    Setting {
        name: "base_url",
        about: "Where it is reached, if not at https://api.hyperswitch.io",
        secret: false,
        required: false,
        chooses: Chooses::Host,
    },
    Setting {
        name: "webhook_key",
        about: "Payment response hash key of the profile, which signs webhooks; several with commas to replace it",
        secret: true,
        required: false,
        chooses: Chooses::Nothing,
    },
];

/// Where its table of decimals differs from ISO 4217: `is_zero_decimal_currency` has MGA and lacks ISK.
const UNITS: Units = Units { exceptions: &[("ISK", 2), ("MGA", 0)] };

/// Codes that say no for good: status, code, and how the message begins where the code alone says too little. All but
/// one come before a refund is kept; `HE_03` also says that this processor cannot refund this payment.
const FINAL: &[(u16, &str, &str)] = &[
    // Reached maximum refund attempts: 10 for a payment, or what the deployment sets.
    (400, "IR_12", ""),
    // Refund amount exceeds the payment amount.
    (400, "IR_13", ""),
    // The payment is in a state in which it cannot be refunded, or was voided after its capture.
    (400, "IR_14", ""),
    (400, "IR_16", ""),
    // The payment has not succeeded yet; not possible through Hyperswitch.
    (400, "HE_03", "The payment has not succeeded"),
    (400, "HE_03", "This refund is not possible"),
    // The payment is older than the deployment refunds, usually 365 days; the amount is not above zero.
    (422, "IR_05", "created_at"),
    (422, "IR_05", "amount"),
    (400, "IR_06", "Refunds are currently not supported"),
    (422, "IR_06", "Refunds are currently not supported"),
    (404, "HE_02", NO_SUCH_PAYMENT),
    (404, "HE_04", "Successful payment not found"),
];

/// How the message begins that says that the payment is unknown.
const NO_SUCH_PAYMENT: &str = "Payment does not exist";

/// How the message begins by which a look-up is told that there is no such refund.
const NO_SUCH_REFUND: &str = "Refund does not exist";

/// How long after a request may have been sent its absence proves nothing, in milliseconds: it may still be on its way.
/// Ours is given up after 30 seconds.
const UNSETTLED_MS: i64 = 60_000;

/// Refunds on a page of a list. Up to 100 are allowed, but those could be longer than an answer may be.
const PAGE: i64 = 50;

impl Hyperswitch {
    /// A gateway of these settings, or which of them is wrong.
    pub fn open(settings: &Settings) -> Result<Hyperswitch, SettingFault> {
        let keys = settings.get("webhook_key").split(',').map(|key| key.trim().to_owned());
        Ok(Hyperswitch {
            base_url: base_url(settings, "https://api.hyperswitch.io")?,
            api_key: settings.get("api_key").trim().to_owned(),
            webhook_keys: keys.filter(|key| !key.is_empty()).collect(),
        })
    }

    fn request(&self, method: Method, path: &str, body: Vec<u8>) -> HttpRequest {
        let headers = [("api-key", self.api_key.as_str()), ("content-type", "application/json")];
        HttpRequest {
            method,
            url: format!("{}{path}", self.base_url),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            body,
        }
    }

    /// A page of the refunds that were made in a span of time.
    fn page(&self, span: Span, offset: i64) -> Option<HttpRequest> {
        let time = |ms: i64| jiff::Timestamp::from_millisecond(ms).ok().map(|time| format!("{time:.3}"));
        // Its range includes the end, ours does not.
        let (start_time, end_time) = (time(span.from_ms)?, time(span.to_ms.checked_sub(1)?)?);
        let body = serde_json::to_vec(&ListOrder { limit: PAGE, offset, start_time, end_time }).ok()?;
        Some(self.request(Method::Post, "/refunds/list", body))
    }
}

impl fmt::Debug for Hyperswitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hyperswitch").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Gateway for Hyperswitch {
    fn name(&self) -> &'static str {
        "hyperswitch"
    }

    /// The deadline of 365 days and the limit of 10 attempts are settings of a deployment, so they are left to it.
    fn capabilities(&self) -> Capabilities {
        Capabilities::without_limits(KeyMemory::Forever)
    }

    fn refund(&self, ask: &Ask) -> Step {
        if let Some(answer) = without_payment(ask) {
            return answer.into();
        }
        let Some(amount) = UNITS.write(ask.amount_minor, &ask.currency) else {
            return units::not_representable(ask).into();
        };
        let order = Order {
            payment_id: &ask.payment_reference,
            refund_id: ask.key(),
            amount,
            refund_type: "instant",
            metadata: Metadata { refundry_refund: ask.refund_id.to_string() },
        };
        match serde_json::to_vec(&order) {
            Ok(body) => Step::Http(self.request(Method::Post, "/refunds", body)),
            Err(_) => Answer::unknown("the order could not be written as JSON").into(),
        }
    }

    fn lookup(&self, ask: &Ask) -> Step {
        Step::Http(self.request(Method::Get, &format!("/refunds/{}?force_sync=true", ask.key()), Vec::new()))
    }

    fn read(&self, purpose: Purpose, ask: &Ask, outcome: HttpOutcome) -> Step {
        let (status, body) = match answered(purpose, outcome) {
            Ok(answered) => answered,
            Err(answer) => return answer.into(),
        };
        Step::Answer(match status {
            200 => match serde_json::from_slice::<Refund>(&body) {
                Ok(refund) => refund.answer_to(ask),
                Err(_) => Answer::unknown("status 200 with an unreadable refund"),
            },
            401 | 403 | 429 => not_considered(purpose, status, &body),
            _ => match serde_json::from_slice::<Refusal>(&body) {
                Ok(refusal) => refused(purpose, ask, status, refusal.error),
                Err(_) => Answer::unknown(format!("status {status} with an unreadable body")),
            },
        })
    }

    fn hear(&self, delivery: &Delivery<'_>) -> Heard {
        hooks::hear(&self.webhook_keys, delivery)
    }

    fn list(&self, span: Span) -> Option<HttpRequest> {
        self.page(span, 0)
    }

    fn read_list(&self, span: Span, asked: &HttpRequest, outcome: HttpOutcome) -> Result<Page, StatementFault> {
        let (status, body) = match outcome {
            HttpOutcome::Answered { status, body } => (status, body),
            HttpOutcome::NotSent { reason } | HttpOutcome::Broken { reason } => {
                return Err(StatementFault::whole(reason));
            }
        };
        let list = serde_json::from_slice::<List>(&body).ok().filter(|_| status == 200);
        let list = list.ok_or_else(|| StatementFault::whole(format!("status {status} without a list of refunds")))?;
        let offset = serde_json::from_slice::<ListOrder>(&asked.body).map_or(0, |order| order.offset);
        let lines = list.data.iter().map(Refund::line).collect::<Result<Vec<_>, _>>()?;
        let read = offset.saturating_add(i64::try_from(lines.len()).unwrap_or(i64::MAX));
        match () {
            () if read >= list.total_count => Ok(Page { lines, next: None }),
            () if lines.is_empty() => Err(StatementFault::whole("a page without refunds, but more to come")),
            () => Ok(Page { lines, next: self.page(span, read) }),
        }
    }
}

/// What is sent to have a payment refunded. The reason is left out: some processors take certain words only.
#[derive(Serialize)]
struct Order<'a> {
    payment_id: &'a str,
    refund_id: String,
    amount: i64,
    refund_type: &'static str,
    metadata: Metadata,
}

#[derive(Serialize)]
struct Metadata {
    refundry_refund: String,
}

#[derive(Deserialize, Serialize)]
struct ListOrder {
    limit: i64,
    offset: i64,
    start_time: String,
    end_time: String,
}

#[derive(Deserialize)]
struct List {
    total_count: i64,
    data: Vec<Refund>,
}

/// A refund as it stands in answers, deliveries and lists.
#[derive(Deserialize)]
struct Refund {
    #[serde(rename = "refund_id")]
    id: String,
    payment_id: String,
    amount: i64,
    currency: String,
    status: String,
    error_code: Option<String>,
    error_message: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
}

impl Refund {
    fn answer_to(&self, ask: &Ask) -> Answer {
        if self.id != ask.key() {
            return Answer::unknown("the answer is about another refund");
        }
        if self.payment_id != ask.payment_reference {
            return Answer::unknown("the answer is about another payment");
        }
        if self.processor_did_not_answer() {
            return Answer::unknown("failed, but only because the processor did not answer");
        }
        match self.answer() {
            // Only a refund that is done is compared by the engine.
            Some(Answer::Pending { .. } | Answer::Declined { .. })
                if self.figures() != Some((ask.amount_minor, ask.currency.clone())) =>
            {
                Answer::unknown("the answer is about other figures")
            }
            Some(answer) => answer,
            None => Answer::unknown("the answer has a status or figures that are not known"),
        }
    }

    /// How it stands; `None` where that cannot be said.
    fn answer(&self) -> Option<Answer> {
        let (amount_minor, currency) = self.figures()?;
        let reference = self.id.clone();
        match self.status.as_str() {
            _ if self.processor_did_not_answer() => Some(Answer::Pending { reference }),
            "succeeded" => Some(Answer::Done { reference, amount_minor, currency }),
            "pending" | "review" => Some(Answer::Pending { reference }),
            "failed" => {
                let code = self.error_code.clone().filter(|code| !code.is_empty());
                let message = self.error_message.clone().unwrap_or_default();
                Some(Answer::Declined { code: code.unwrap_or_else(|| "failed".to_owned()), message })
            }
            _ => None,
        }
    }

    /// Whether `failed` only means that Hyperswitch did not hear from the processor.
    fn processor_did_not_answer(&self) -> bool {
        let code = self.error_code.as_deref().filter(|_| self.status == "failed").unwrap_or_default();
        code == "TIMEOUT" || code.len() == 3 && code.starts_with('5') && code.bytes().all(|byte| byte.is_ascii_digit())
    }

    fn figures(&self) -> Option<(i64, String)> {
        UNITS
            .read(self.amount, &self.currency)
            .filter(|amount_minor| *amount_minor > 0)
            .map(|amount_minor| (amount_minor, self.currency.clone()))
    }

    fn line(&self) -> Result<StatementLine, StatementFault> {
        let unreadable = || StatementFault::whole(format!("the refund {} cannot be read", self.id));
        let (amount_minor, currency) = self.figures().ok_or_else(unreadable)?;
        Ok(StatementLine {
            line: 0,
            refund_reference: self.id.clone(),
            leg_id: leg_id(&self.id),
            payment_reference: self.payment_id.clone(),
            standing: match self.answer() {
                Some(Answer::Done { .. }) => Standing::Paid,
                Some(Answer::Pending { .. }) => Standing::Pending,
                Some(Answer::Declined { .. }) => Standing::NotPaid,
                _ => return Err(unreadable()),
            },
            amount_minor,
            currency,
            made_ms: self.created_at.as_deref().and_then(rfc3339_ms),
        })
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: Fault,
}

#[derive(Deserialize)]
struct Fault {
    code: String,
    message: String,
}

/// What an error says of the money.
fn refused(purpose: Purpose, ask: &Ask, status: u16, fault: Fault) -> Answer {
    let reason = format!("status {status}, code {}", fault.code);
    let may_be_on_its_way = 0 < ask.key_age_ms && ask.key_age_ms < UNSETTLED_MS;
    let is_final = FINAL.iter().any(|(known_status, code, begin)| {
        *known_status == status && *code == fault.code && fault.message.starts_with(begin)
    });
    if status == 404 && fault.code == "HE_02" && fault.message.starts_with(NO_SUCH_PAYMENT) {
        return unknown_here(purpose, ask, Answer::Declined { code: fault.code, message: fault.message });
    }
    match purpose {
        Purpose::Refund if is_final && !may_be_on_its_way => {
            Answer::Declined { code: fault.code, message: fault.message }
        }
        Purpose::Lookup if status == 404 && fault.code == "HE_02" && fault.message.starts_with(NO_SUCH_REFUND) => {
            if ask.key_age_ms < UNSETTLED_MS {
                return Answer::unknown("there is no such refund, but it may be on its way");
            }
            Answer::NotFound
        }
        Purpose::Refund | Purpose::Lookup => Answer::Unknown { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_where_and_nothing_else() {
        let settings = [("api_key", "snd_1"), ("webhook_key", "a, b")];
        let opened =
            Hyperswitch::open(&Settings(settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()))
                .unwrap();
        assert_eq!(format!("{opened:?}"), r#"Hyperswitch { base_url: "https://api.hyperswitch.io", .. }"#);
        assert_eq!(opened.webhook_keys, ["a", "b"]);
    }
}
