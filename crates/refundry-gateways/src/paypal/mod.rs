//! PayPal: refunds of captures through its Payments API, version 2.
//!
//! Every call needs an access token, and a driver keeps nothing. So each question is two calls: one for a token, and
//! one with it. [`Gateway::read`] tells them apart by what came back: only the first answers with an `access_token`.
//!
//! Sources, read on 2026-11-25:
//! - github.com/paypal/paypal-rest-api-specifications, `openapi/payments_payment_v2.json`, version 2.9: the calls,
//!   their statuses and the issues of status 422; of `PayPal-Request-Id` for these calls: "The server stores keys for
//!   45 days" (the 6 hours that other pages name are those of the Orders API);
//! - developer.paypal.com/api/rest/reference/idempotency: a repetition gets "the latest status of the previous
//!   request", and of two at once "PayPal processes the first request and might fail the second";
//! - developer.paypal.com/api/rest/authentication: tokens. The current pages know no other way for calls;
//! - developer.paypal.com/api/rest/reference/currency-codes: currencies without decimals;
//! - developer.paypal.com/api/payments/v2/errors: issues that the specification does not list;
//! - `hooks.rs` and `statement.rs` name theirs.
//!
//! Not found: a deadline that holds for every account. 180 days is the default of the older APIs; PayPal says
//! `REFUND_TIME_LIMIT_EXCEEDED` when it is over, so nothing is refused here before.
//!
//! There is no [`Gateway::list`]: PayPal's list of transactions has pages, each call for one needs a token, and the
//! answer with the token cannot say which page was to come.

mod hooks;
pub(crate) mod statement;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::drivers::{Chooses, base_url};
use crate::signing::to_base64;
use crate::units::{self, Units, read_decimal};
use crate::wire::{answered, not_considered, path_segment, unknown_here, without_payment};
use crate::{
    Answer, Ask, Capabilities, Delivery, Gateway, Heard, HttpOutcome, HttpRequest, KeyMemory, Method, Purpose, Setting,
    SettingFault, Settings, StatementFault, StatementLine, Step,
};

/// The PayPal driver; see the module.
pub struct PayPal {
    base_url: String,
    client_id: String,
    client_secret: String,
    webhook_id: String,
}

/// What it needs to know.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "base_url",
        about: "https://api-m.paypal.com unless given; https://api-m.sandbox.paypal.com to try things on",
        secret: false,
        required: false,
        chooses: Chooses::Host,
    },
    Setting {
        name: "client_id",
        about: "The client id of the app",
        secret: false,
        required: true,
        chooses: Chooses::Account,
    },
    Setting {
        name: "client_secret",
        about: "The secret of the app",
        secret: true,
        required: true,
        chooses: Chooses::Nothing,
    },
    Setting {
        name: "webhook_id",
        about: "The id of the app's webhook; without it, deliveries are refused",
        secret: false,
        required: false,
        chooses: Chooses::Nothing,
    },
];

/// Currencies in which PayPal takes no decimals, although ISO 4217 has two for HUF and TWD.
const UNITS: Units = Units { exceptions: &[("HUF", 0), ("JPY", 0), ("TWD", 0)] };

const KEYS: KeyMemory = KeyMemory::Days(45);

/// The issue of status 404: it knows no such capture, or, asked for a refund by its name, no such refund.
const UNKNOWN_HERE: &str = "INVALID_RESOURCE_ID";

/// Issues of status 422 that surely mean "not taken, and never will be under these figures".
const FINAL: &[&str] = &[
    "CANNOT_BE_NEGATIVE",
    "CANNOT_BE_ZERO_OR_NEGATIVE",
    "CURRENCY_MISMATCH",
    "DECIMALS_NOT_SUPPORTED",
    "DECIMAL_PRECISION",
    "INVALID_CURRENCY_CODE",
    "MAX_PAYER_AMOUNT_LIMIT_EXCEEDED",
    "MAX_REFUND_LIMIT_EXCEEDED",
    "PARTIAL_REFUND_NOT_ALLOWED",
    "PAYEE_ACCOUNT_LOCKED_OR_CLOSED",
    "PAYEE_ACCOUNT_RESTRICTED",
    "PAYEE_REFUND_AMOUNT_LIMIT_EXCEEDED",
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
    "PENDING_CAPTURE",
    "REFUND_AMOUNT_TOO_LOW",
    "REFUND_CAPTURE_CURRENCY_MISMATCH",
    "REFUND_FAILED_INSUFFICIENT_FUNDS",
    "REFUND_IS_RESTRICTED",
    "REFUND_NOT_ALLOWED",
    "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK",
    "REFUND_TIME_LIMIT_EXCEEDED",
    "TRANSACTION_DISPUTED",
];

/// Issues that an earlier request of ours may itself have brought about, if PayPal had forgotten its key: final only
/// for the first request under a key. `DUPLICATE_INVOICE_ID` is in neither list, because the invoice id is our leg: a
/// refund of it exists.
const FINAL_AT_FIRST: &[&str] = &["CAPTURE_FULLY_REFUNDED", "MAX_NUMBER_OF_REFUNDS_EXCEEDED", "REFUND_AMOUNT_EXCEEDED"];

impl PayPal {
    /// A gateway of these settings, or which of them is wrong.
    pub fn open(settings: &Settings) -> Result<PayPal, SettingFault> {
        Ok(PayPal {
            base_url: base_url(settings, "https://api-m.paypal.com")?,
            client_id: settings.get("client_id").to_owned(),
            client_secret: settings.get("client_secret").to_owned(),
            webhook_id: settings.get("webhook_id").to_owned(),
        })
    }

    /// The first call of every question.
    fn token_request(&self) -> HttpRequest {
        let credentials = format!("{}:{}", self.client_id, self.client_secret);
        HttpRequest {
            method: Method::Post,
            url: format!("{}/v1/oauth2/token", self.base_url),
            headers: vec![
                ("authorization".to_owned(), format!("Basic {}", to_base64(credentials.as_bytes()))),
                ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
            ],
            body: b"grant_type=client_credentials".to_vec(),
        }
    }

    /// A call with a token; an empty body reads.
    fn call(&self, token: &Token, path: &str, body: Vec<u8>) -> HttpRequest {
        HttpRequest {
            method: if body.is_empty() { Method::Get } else { Method::Post },
            url: format!("{}{path}", self.base_url),
            headers: vec![
                ("authorization".to_owned(), format!("Bearer {}", token.0)),
                ("content-type".to_owned(), "application/json".to_owned()),
            ],
            body,
        }
    }

    /// The second call: to pay, or to look at the refund that an earlier answer named, or to pay again under a key that
    /// is surely remembered, which is answered with the first refund.
    fn second_step(&self, purpose: Purpose, ask: &Ask, token: &Token) -> Step {
        if purpose == Purpose::Lookup && !ask.refund_reference.is_empty() {
            let path = format!("/v2/payments/refunds/{}", path_segment(&ask.refund_reference));
            return Step::Http(self.call(token, &path, Vec::new()));
        }
        let Some(value) = UNITS.write_decimal(ask.amount_minor, &ask.currency) else {
            return units::not_representable(ask).into();
        };
        let amount = Money { currency_code: ask.currency.clone(), value };
        let order = Order { amount, custom_id: ask.key(), invoice_id: ask.key() };
        let Ok(body) = serde_json::to_vec(&order) else {
            return Answer::unknown("the order could not be written as JSON").into();
        };
        let path = format!("/v2/payments/captures/{}/refund", path_segment(&ask.payment_reference));
        let mut request = self.call(token, &path, body);
        request.headers.push(("paypal-request-id".to_owned(), ask.key()));
        request.headers.push(("prefer".to_owned(), "return=representation".to_owned()));
        Step::Http(request)
    }
}

impl fmt::Debug for PayPal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayPal").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Gateway for PayPal {
    fn name(&self) -> &'static str {
        "paypal"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::without_limits(KEYS)
    }

    fn refund(&self, ask: &Ask) -> Step {
        if let Some(answer) = without_payment(ask) {
            return answer.into();
        }
        if UNITS.write(ask.amount_minor, &ask.currency).is_none() {
            return units::not_representable(ask).into();
        }
        Step::Http(self.token_request())
    }

    fn lookup(&self, ask: &Ask) -> Step {
        if !ask.refund_reference.is_empty() {
            return Step::Http(self.token_request());
        }
        if ask.key_is_remembered(KEYS) {
            return self.refund(ask);
        }
        Answer::unknown("PayPal may have forgotten the key, and told no id of a refund").into()
    }

    fn read(&self, purpose: Purpose, ask: &Ask, outcome: HttpOutcome) -> Step {
        let (status, body) = match answered(purpose, outcome) {
            Ok(answered) => answered,
            Err(answer) => return answer.into(),
        };
        if let Some(token) = Token::read(status, &body) {
            return self.second_step(purpose, ask, &token);
        }
        Step::Answer(match status {
            200 | 201 => refund_told(purpose, ask, &body),
            401 | 403 | 429 => not_considered(purpose, status, &body),
            404 | 422 => refused(status, purpose, ask, &body),
            _ => Answer::unknown(format!("status {status}")),
        })
    }

    fn hear(&self, delivery: &Delivery<'_>) -> Heard {
        hooks::hear(self, delivery)
    }

    fn confirm(&self, delivery: &Delivery<'_>, outcome: HttpOutcome) -> Heard {
        hooks::confirm(self, delivery, outcome)
    }

    fn statement(&self, file: &[u8]) -> Result<Vec<StatementLine>, StatementFault> {
        statement::read(file)
    }
}

/// What the first call brings. Goes nowhere but into the header of the second.
struct Token(String);

impl Token {
    fn read(status: u16, body: &[u8]) -> Option<Token> {
        let answer = (status == 200).then(|| serde_json::from_slice::<Value>(body).ok()).flatten()?;
        let token = answer.get("access_token")?.as_str()?;
        // Anything that could not stand in a header is no token.
        let fits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Token(token.to_owned()))
    }
}

#[derive(Serialize)]
struct Order {
    amount: Money,
    custom_id: String,
    invoice_id: String,
}

#[derive(Deserialize, Serialize)]
struct Money {
    currency_code: String,
    value: String,
}

impl Money {
    fn minor(&self) -> Option<i64> {
        read_decimal(&self.value, &self.currency_code)
    }
}

/// A refund, as calls and deliveries show it.
#[derive(Deserialize)]
struct Refund {
    #[serde(default)]
    id: String,
    #[serde(default)]
    status: String,
    amount: Option<Money>,
    #[serde(default)]
    custom_id: String,
    #[serde(default)]
    invoice_id: String,
    status_details: Option<StatusDetails>,
    #[serde(default)]
    links: Vec<Link>,
}

#[derive(Deserialize)]
struct StatusDetails {
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    href: String,
    #[serde(default)]
    rel: String,
}

impl Refund {
    /// The capture that it refunds: what its link upwards points to.
    fn capture(&self) -> Option<&str> {
        let up = self.links.iter().find(|link| link.rel == "up");
        up.and_then(|link| link.href.split_once("/v2/payments/captures/")).map(|(_, capture)| capture)
    }

    /// The table of statuses; `None` for one that the reference does not know, or without the figures it needs.
    fn answer(&self) -> Option<Answer> {
        let reference = self.id.clone();
        match self.status.as_str() {
            "COMPLETED" => {
                let amount = self.amount.as_ref()?;
                let (amount_minor, currency) = (amount.minor()?, amount.currency_code.clone());
                Some(Answer::Done { reference, amount_minor, currency })
            }
            "PENDING" => Some(Answer::Pending { reference }),
            "FAILED" | "CANCELLED" => Some(self.declined()),
            _ => None,
        }
    }

    fn declined(&self) -> Answer {
        let reason = self.status_details.as_ref().map_or("", |details| details.reason.as_str());
        let code = if self.status == "CANCELLED" { "CANCELLED" } else { "FAILED" };
        Answer::Declined { code: code.to_owned(), message: reason.to_owned() }
    }
}

fn refund_told(purpose: Purpose, ask: &Ask, body: &[u8]) -> Answer {
    let Ok(refund) = serde_json::from_slice::<Refund>(body) else {
        return Answer::unknown("the body is no refund");
    };
    let known = ask.refund_reference.as_str();
    let (key, names) = (ask.key(), [&refund.custom_id, &refund.invoice_id]);
    let same_leg = names.contains(&&key) || names.iter().all(|name| name.is_empty());
    if refund.id.is_empty() || (purpose == Purpose::Lookup && !known.is_empty() && refund.id != known) {
        return Answer::unknown("the answer is about another refund");
    }
    if !same_leg {
        return Answer::unknown("the answer is about another leg");
    }
    if refund.capture().is_some_and(|capture| capture != ask.payment_reference) {
        return Answer::unknown("the answer is about another payment");
    }
    match refund.answer() {
        Some(answer) => answer,
        // A short answer: taken, and what it says of the figures is asked for under the refund's own id.
        None if refund.status == "COMPLETED" && refund.amount.is_none() => Answer::Pending { reference: refund.id },
        None => Answer::unknown("a status or an amount that is not understood"),
    }
}

#[derive(Deserialize)]
struct Refusal {
    name: String,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    issue: String,
    #[serde(default)]
    description: String,
}

fn refused(status: u16, purpose: Purpose, ask: &Ask, body: &[u8]) -> Answer {
    let Ok(refusal) = serde_json::from_slice::<Refusal>(body) else {
        return Answer::unknown(format!("status {status} with a body that is no refusal"));
    };
    let is_first = purpose == Purpose::Refund && ask.key_age_ms == 0;
    let is_final = |issue: &str| match (status, refusal.name.as_str()) {
        (404, "RESOURCE_NOT_FOUND") => issue == UNKNOWN_HERE,
        (422, "UNPROCESSABLE_ENTITY") => FINAL.contains(&issue) || (is_first && FINAL_AT_FIRST.contains(&issue)),
        _ => false,
    };
    match refusal.details.into_iter().find(|detail| is_final(&detail.issue)) {
        Some(detail) if detail.issue == UNKNOWN_HERE => {
            unknown_here(purpose, ask, Answer::Declined { code: detail.issue, message: detail.description })
        }
        Some(detail) => Answer::Declined { code: detail.issue, message: detail.description },
        None => Answer::unknown(format!("status {status}: {}", refusal.name)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_token_fits_into_a_header() {
        let token = |body: &str| Token::read(200, body.as_bytes()).map(|token| token.0);
        assert_eq!(token(r#"{"access_token": "A21AA-_.~"}"#).as_deref(), Some("A21AA-_.~"));
        for wrong in [r#"{"access_token": ""}"#, r#"{"access_token": "a b"}"#, r#"{"access_token": 1}"#, r#"["a"]"#] {
            assert_eq!(token(wrong), None, "{wrong}");
        }
        assert!(Token::read(201, br#"{"access_token": "a"}"#).is_none());
    }

    #[test]
    fn debug_output_shows_where_and_nothing_else() {
        let settings = [("client_id", "abc"), ("client_secret", "def"), ("webhook_id", "ghi")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let paypal = PayPal::open(&Settings(BTreeMap::from(settings))).unwrap();
        assert_eq!(format!("{paypal:?}"), r#"PayPal { base_url: "https://api-m.paypal.com", .. }"#);
    }
}
