//! `POST /payments_apps/openapi/{version}/payment/notify/{channel_id}/{payment_method}/refund.json`: a payment app
//! tells what became of a refund.
//!
//! Public documentation:
//! <https://developer.shopline.com/docs/apps/payments-app-api/refund-successful-notification>.

use refundry_core::money::{Currency, Decimal};
use refundry_core::told::{Difference, Told, ToldFault, Word};
use serde_json::json;

use super::money::decimals;
use super::params::{self, id, missing, word};
use super::{Version, ids, only, reject};
use crate::body::Fields;
use crate::wire::{Call, Refusal, Reply, Request, Response, Routed, Scope};

/// The endpoints; which channel and method a leg went through is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST payment/notify/{channel_id}/{payment_method}/refund.json`
    Notify,
}

/// The endpoint of a method and the names of a path; `None` where the path is none of these.
pub(super) fn route(_: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    match path {
        ["payment", "notify", _, _, "refund"] => Some(only(method, "POST", Endpoint::Notify)),
        _ => None,
    }
}

/// What a token must allow, and the platform's word for it.
pub(super) const fn scope(endpoint: &Endpoint) -> (Scope, &'static str) {
    match endpoint {
        Endpoint::Notify => (Scope::WriteOrders, "write_payment_gateways"),
    }
}

/// Makes a call of a request, or the finished refusal.
pub(super) fn decode(_: &Endpoint, _: Version, request: &Request<'_>) -> Result<Call, Response> {
    let body = params::body(request)?;
    let fields = params::root(&body)?;
    let transaction = required(&fields, "refund_transaction_id", id)?;
    let status = required(&fields, "status", |fields, key| word(fields, key, "status", Word::parse))?;
    let currency = required(&fields, "currency", text)?;
    let amount = required(&fields, "amount", text_or_number)?;
    let named = |key| id(&fields, key).map(Option::unwrap_or_default);
    let (reference, payment_reference) =
        (named("channel_refund_transaction_id")?, named("channel_order_transaction_id")?);
    let amount = hundredths(&amount, &currency).ok_or_else(|| reject::unprocessable("amount is invalid"))?;
    // What is no number of ours is nobody's transaction.
    let unknown = || reject::refusal(None, &Refusal::RefundUnknown(transaction.clone()));
    let leg = ids::leg_reference(&transaction).ours.ok_or_else(unknown)?;
    Ok(Call::Told(Box::new(Told { leg, word: status, amount, currency, reference, payment_reference })))
}

fn text(fields: &Fields<'_>, key: &str) -> Result<Option<String>, Response> {
    fields.text(key).map(|text| text.map(|text| text.trim().to_owned())).map_err(|m| reject::malformed(&m))
}

fn text_or_number(fields: &Fields<'_>, key: &str) -> Result<Option<String>, Response> {
    fields.text_or_number(key).map_err(|m| reject::malformed(&m))
}

fn required<T>(
    fields: &Fields<'_>,
    key: &str,
    read: impl Fn(&Fields<'_>, &str) -> Result<Option<T>, Response>,
) -> Result<T, Response> {
    read(fields, key)?.ok_or_else(|| missing(fields, key))
}

/// An amount in whole hundredths, or in the smallest unit of a currency with more decimals: digits and nothing else.
fn hundredths(text: &str, currency: &str) -> Option<Decimal> {
    let digits = text.trim();
    let shaped = !digits.is_empty() && digits.len() <= 18 && digits.bytes().all(|b| b.is_ascii_digit());
    let minor: i128 = digits.parse().ok().filter(|_| shaped)?;
    // Of a currency that nobody knows, the amount does not matter: it is not the payment's.
    Some(Decimal::from_parts(minor, Currency::parse(currency).map_or(2, decimals)))
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(_: &Endpoint, _: Version, _: &Request<'_>, reply: &Reply) -> Option<Response> {
    matches!(reply, Reply::Heard).then(|| Response::json(200, &json!({})))
}

/// Why an app is not believed.
pub(super) fn refuse(fault: ToldFault) -> Response {
    match fault {
        ToldFault::LegUnknown => reject::errors(404, reject::REFUND_UNKNOWN),
        ToldFault::Differs(Difference::Currency(wanted)) => reject::unprocessable(format!("currency must be {wanted}")),
        ToldFault::Differs(Difference::Amount) => {
            reject::unprocessable("amount is invalid: the refund has another one")
        }
        ToldFault::ByGateway => reject::unprocessable("the refund is settled by its own gateway"),
        ToldFault::PaidOtherwise => reject::unprocessable("the refund was settled by another way and cannot fail"),
        ToldFault::MayStillArrive => reject::unprocessable("the refund is being sent and cannot fail now"),
    }
}
