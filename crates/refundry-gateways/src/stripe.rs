//! Stripe: refunds of card and other payments by its API, `docs.stripe.com/api`, read November 2026; the version of it
//! is pinned below.
//!
//! What matters about it:
//! - A repeated `Idempotency-Key` gets the *first* answer again, even a stored 500, for at least 24 hours
//!   (`api/idempotent_requests`). So a first request is sent at once, but a repeated one begins with a look-up: what is
//!   current is in the list, and a refund that the key no longer remembers is there, too. While two requests with a key
//!   are in flight the second gets 409, and other figures under a key are an `idempotency_error`; neither says anything
//!   of the money.
//! - Our leg stands in the refund's metadata, which Stripe gives back in every answer, event and report. A refund that
//!   does not carry it, or is of another payment, answers nothing.
//! - A refund that succeeded can still fail days later (`refunds`, "Failed refunds"): that comes as an event.
//! - A payment has two ids, of its payment intent (`pi_…`) and of the charge within (`ch_…`, `py_…`); orders carry
//!   either.

mod hooks;
pub(crate) mod statement;
mod units;
mod wire;

use std::fmt;

use serde::de::DeserializeOwned;

use crate::drivers::{Chooses, base_url};
use crate::text::form_encoded;
use crate::{
    Answer, Ask, Capabilities, Delivery, Gateway, Heard, HttpOutcome, HttpRequest, KeyMemory, Method, Page, Purpose,
    Setting, SettingFault, Settings, Span, StatementFault, StatementLine, Step,
};
use wire::{Fault, Named, Refund, Refunds, Refusal};

/// The version that every request asks for, so that an account's own setting changes nothing.
const VERSION: &str = "2026-04-22.dahlia";
const BASE_URL: &str = "https://api.stripe.com";

/// Refunds on a page of a list. Stripe gives up to 100, but those could be longer than an answer may be.
const PAGE: &str = "50";

/// How long after a request may have been sent a list without its refund proves nothing, in milliseconds: it may still
/// be worked on. Ours is given up after 30 seconds.
const UNSETTLED_MS: i64 = 60_000;

/// Codes that are about the key or the moment, not about this refund: nothing was done, and it may be asked again.
const NOT_NOW: &[&str] = &[
    "account_invalid",
    "api_key_expired",
    "livemode_mismatch",
    "lock_timeout",
    "platform_api_key_expired",
    "rate_limit",
    "secret_key_required",
    "tls_version_unsupported",
];

/// What has to be known to use it.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "secret_key",
        about: "Secret or restricted API key, sk_… or rk_…",
        secret: true,
        required: true,
        chooses: Chooses::Nothing,
    },
    Setting {
        name: "webhook_secret",
        about: "Signing secret of the webhook endpoint, whsec_…; several with commas while it is rolled",
        secret: true,
        required: false,
        chooses: Chooses::Nothing,
    },
    Setting {
        name: "base_url",
        about: "Where it is reached, if not at its own address",
        secret: false,
        required: false,
        chooses: Chooses::Host,
    },
    Setting {
        name: "account",
        about: "Connected account to act for, acct_…",
        secret: false,
        required: false,
        chooses: Chooses::Account,
    },
];

/// The Stripe driver; see the module.
pub struct Stripe {
    base_url: String,
    authorization: String,
    account: String,
    webhook_secrets: Vec<String>,
}

impl fmt::Debug for Stripe {
    /// Shows no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe")
            .field("base_url", &self.base_url)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl Stripe {
    /// Reads the settings.
    pub fn open(settings: &Settings) -> Result<Stripe, SettingFault> {
        let is_word = |text: &str| text.chars().all(|c| c.is_ascii_graphic());
        let key = settings.get("secret_key").trim();
        if !is_word(key) || !["sk_", "rk_"].iter().any(|prefix| key.starts_with(prefix)) {
            return Err(SettingFault::new(
                "secret_key",
                "it is neither a secret key (sk_…) nor a restricted one (rk_…)",
            ));
        }
        let account = settings.get("account").trim();
        if !account.is_empty() && (!is_word(account) || !account.starts_with("acct_")) {
            return Err(SettingFault::new("account", "it is not an account (acct_…)"));
        }
        let secrets = settings.get("webhook_secret").split(',').map(|secret| secret.trim().to_owned());
        Ok(Stripe {
            base_url: base_url(settings, BASE_URL)?,
            authorization: format!("Bearer {key}"),
            account: account.to_owned(),
            webhook_secrets: secrets.filter(|secret| !secret.is_empty()).collect(),
        })
    }

    fn request(&self, method: Method, path_and_query: &str) -> HttpRequest {
        let mut headers = vec![
            ("authorization".to_owned(), self.authorization.clone()),
            ("stripe-version".to_owned(), VERSION.to_owned()),
        ];
        if !self.account.is_empty() {
            headers.push(("stripe-account".to_owned(), self.account.clone()));
        }
        HttpRequest { method, url: format!("{}{path_and_query}", self.base_url), headers, body: Vec::new() }
    }

    /// `POST /v1/refunds`, or why this can never be asked.
    fn pay(&self, ask: &Ask) -> Step {
        let Some(parameter) = payment_parameter(&ask.payment_reference) else {
            return declined("payment_reference_invalid", "the payment is neither a payment intent nor a charge")
                .into();
        };
        let Some(amount) = units::to_stripe(ask.amount_minor, &ask.currency) else {
            let told = "Stripe cannot write this amount in its units of the currency";
            return declined("amount_not_representable", told).into();
        };
        let mut request = self.request(Method::Post, "/v1/refunds");
        request.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        request.headers.push(("idempotency-key".to_owned(), ask.key()));
        let form = format!(
            "{parameter}={}&amount={amount}&metadata[{}]={}&metadata[{}]={}",
            form_encoded(&ask.payment_reference),
            wire::LEG,
            ask.key(),
            wire::REFUND,
            ask.refund_id,
        );
        request.body = form.into_bytes();
        Step::Http(request)
    }

    /// `GET /v1/refunds` of the payment, from the start or after a refund.
    fn refunds_of(&self, ask: &Ask, after: Option<&str>) -> Step {
        let Some(parameter) = payment_parameter(&ask.payment_reference) else {
            // It was never sent: `pay` refuses it.
            return Answer::NotFound.into();
        };
        let payment = form_encoded(&ask.payment_reference);
        let after = after.map(|id| format!("&starting_after={}", form_encoded(id))).unwrap_or_default();
        Step::Http(self.request(Method::Get, &format!("/v1/refunds?{parameter}={payment}&limit={PAGE}{after}")))
    }

    /// What a page of the payment's refunds says of the leg.
    fn found_in(&self, purpose: Purpose, ask: &Ask, page: &Refunds) -> Step {
        if page.url != "/v1/refunds" || !page.data.iter().all(|refund| refund.is_of(&ask.payment_reference)) {
            return Answer::unknown("the list is of another payment").into();
        }
        let mut ours = page.data.iter().filter(|refund| refund.leg() == Some(ask.leg_id));
        match (ours.next(), ours.next(), page.data.last()) {
            (Some(_), Some(_), _) => Answer::unknown("two refunds carry this leg").into(),
            (Some(refund), None, _) => refund.answer_to(ask).into(),
            (None, _, Some(last)) if page.has_more => self.refunds_of(ask, Some(&last.id)),
            (None, _, None) if page.has_more => Answer::unknown("a page without refunds, but more to come").into(),
            _ if purpose == Purpose::Refund && ask.key_age_ms > 0 => self.pay(ask),
            _ if purpose == Purpose::Refund => Answer::unknown("a list answers no request to pay").into(),
            _ if ask.key_age_ms < UNSETTLED_MS => Answer::unknown("not in the list, but it may be on its way").into(),
            _ => Answer::NotFound.into(),
        }
    }
}

impl Gateway for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::without_limits(KeyMemory::Days(1))
    }

    fn refund(&self, ask: &Ask) -> Step {
        let is_first = ask.key_age_ms == 0;
        if is_first || payment_parameter(&ask.payment_reference).is_none() {
            self.pay(ask)
        } else {
            self.refunds_of(ask, None)
        }
    }

    fn lookup(&self, ask: &Ask) -> Step {
        if ask.refund_reference.is_empty() {
            return self.refunds_of(ask, None);
        }
        let path = format!("/v1/refunds/{}", form_encoded(&ask.refund_reference));
        Step::Http(self.request(Method::Get, &path))
    }

    fn read(&self, purpose: Purpose, ask: &Ask, outcome: HttpOutcome) -> Step {
        let (status, body) = match outcome {
            HttpOutcome::Answered { status, body } => (status, body),
            unanswered => return Answer::unanswered(purpose, unanswered).into(),
        };
        let object = parsed::<Named>(&body).map(|named| named.object);
        match (status, object.as_deref()) {
            (200, Some("refund")) => match parsed::<Refund>(&body) {
                Some(refund) => refund.answer_to(ask).into(),
                None => Answer::unknown("status 200 with an unreadable refund").into(),
            },
            (200, Some("list")) => match parsed::<Refunds>(&body) {
                Some(page) => self.found_in(purpose, ask, &page),
                None => Answer::unknown("status 200 with an unreadable list").into(),
            },
            _ => match parsed::<Refusal>(&body) {
                Some(refusal) => refused(purpose, status, refusal.error).into(),
                None => Answer::unknown(format!("status {status} with an unreadable body")).into(),
            },
        }
    }

    fn hear(&self, delivery: &Delivery<'_>) -> Heard {
        hooks::hear(&self.webhook_secrets, &self.account, delivery)
    }

    fn statement(&self, file: &[u8]) -> Result<Vec<StatementLine>, StatementFault> {
        statement::read_report(file)
    }

    fn list(&self, span: Span) -> Option<HttpRequest> {
        Some(self.request(Method::Get, &statement::query(span, None)))
    }

    fn read_list(&self, span: Span, _: &HttpRequest, outcome: HttpOutcome) -> Result<Page, StatementFault> {
        let (lines, after) = statement::read_page(outcome)?;
        let next = after.map(|id| self.request(Method::Get, &statement::query(span, Some(&id))));
        Ok(Page { lines, next })
    }
}

/// What an error says of the money. Look-ups learn nothing by one.
fn refused(purpose: Purpose, status: u16, fault: Fault) -> Answer {
    let code = fault.code.as_deref().unwrap_or_default();
    let reason = format!("status {status}: {}", fault.word());
    if purpose == Purpose::Lookup || code == "idempotency_key_in_use" || fault.kind == "idempotency_error" {
        return Answer::Unknown { reason };
    }
    match (status, fault.kind.as_str()) {
        (401 | 403 | 429, _) => Answer::NotTaken { reason },
        (400..=499, _) if NOT_NOW.contains(&code) => Answer::NotTaken { reason },
        (400 | 402, "invalid_request_error" | "card_error") => declined_by(fault),
        // Without the code it may be the address that is unknown, not the payment.
        (404, "invalid_request_error") if code == "resource_missing" => declined_by(fault),
        _ => Answer::Unknown { reason },
    }
}

fn declined_by(fault: Fault) -> Answer {
    let code = fault.word().to_owned();
    Answer::Declined { code, message: fault.message.unwrap_or_default() }
}

fn declined(code: &str, message: &str) -> Answer {
    Answer::Declined { code: code.to_owned(), message: message.to_owned() }
}

/// By which parameter a payment is named.
fn payment_parameter(reference: &str) -> Option<&'static str> {
    match reference.split_once('_')? {
        (_, "") => None,
        ("pi", _) => Some("payment_intent"),
        ("ch" | "py", _) => Some("charge"),
        _ => None,
    }
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(settings: &[(&str, &str)]) -> Result<Stripe, SettingFault> {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Stripe::open(&Settings(settings.collect()))
    }

    #[test]
    fn settings_are_checked() {
        let opens =
            opened(&[("secret_key", "rk_test_1"), ("account", "acct_1"), ("webhook_secret", "whsec_a, whsec_b")]);
        let shown = format!("{opens:?}");
        assert!(opens.is_ok() && !shown.contains("rk_test_1") && !shown.contains("whsec"), "{shown}");
        for wrong in [
            [("secret_key", "pk_test_1"), ("account", "")],
            [("secret_key", "sk_test 1"), ("account", "")],
            [("secret_key", "sk_test_1\u{e9}"), ("account", "")],
            [("secret_key", "sk_test_1"), ("account", "1")],
            [("secret_key", "sk_test_1"), ("base_url", "http://stripe.example")],
        ] {
            assert!(opened(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn payments_are_named_by_their_prefix() {
        let named = ["pi_3Tb", "ch_3Tb", "py_1", "pi_", "pi", "", "cs_test_1", "txn_1"].map(payment_parameter);
        let (intent, charge) = (Some("payment_intent"), Some("charge"));
        assert_eq!(named, [intent, charge, charge, None, None, None, None, None]);
    }
}
