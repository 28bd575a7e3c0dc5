//! Every "no" in this API's words: `{"type", "errors": [{"code", "parameter", "message"}]}`.
//!
//! Codes, parameters and messages of refunds are the ones that clients know; rules that name internal fields of the
//! original (`amountRequested`, `percentRequested`, `order`) keep those names.

use refundry_core::intake::IntakeFault;
use refundry_core::money::{Currency, Decimal};
use refundry_core::order::OrderFault;
use refundry_core::payouts::PaymentLimit;
use refundry_core::rejection::Rejection;
use serde_json::{Map, Value, json};

use super::decode::{decimal, shortened};
use crate::body::{self, Fields};
use crate::rate::retry_after;
use crate::wire::{Refusal, Request, Response};

/// More errors than this help nobody.
const ERRORS_MAX: usize = 20;

/// One entry of `errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    code: Option<&'static str>,
    parameter: Option<String>,
    message: String,
}

impl Problem {
    /// A code, what it is about, and a sentence.
    pub(super) fn of(code: &'static str, parameter: &str, message: String) -> Self {
        Self { code: Some(code), parameter: Some(parameter.to_owned()), message }
    }

    /// `'<v>' is not a valid <what>.`
    pub(super) fn invalid(parameter: &str, what: &str, given: &str) -> Self {
        Self::of("invalid_parameter", parameter, format!("'{}' is not a valid {what}.", shortened(given)))
    }

    /// A key that must be there.
    pub(super) fn missing(parameter: &str) -> Self {
        Self::of("missing_parameter", parameter, "A parameter is missing.".to_owned())
    }

    /// A key that must not be there.
    pub(super) fn unknown(parameter: &str) -> Self {
        let parameter = shortened(parameter);
        Self::of("unknown_parameter", &parameter, format!("'{parameter}' is an unknown parameter."))
    }

    /// No JSON object: the known sentence first, then what is wrong with the bytes.
    pub(super) fn format(detail: &str) -> Vec<Self> {
        let known = "The format of your request is invalid.";
        let detail = format!("What is wrong: {detail}.");
        let entry = |message: &str| Self { code: Some("invalid_format"), parameter: None, message: message.to_owned() };
        vec![entry(known), entry(&detail)]
    }

    fn plain(message: &str) -> Self {
        Self { code: None, parameter: None, message: message.to_owned() }
    }

    fn coded(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Some(code), parameter: None, message: message.into() }
    }

    fn to_json(&self) -> Value {
        let mut entry = Map::new();
        if let Some(code) = self.code {
            entry.insert("code".to_owned(), json!(code));
        }
        if let Some(parameter) = &self.parameter {
            entry.insert("parameter".to_owned(), json!(parameter));
        }
        entry.insert("message".to_owned(), json!(self.message));
        Value::Object(entry)
    }
}

/// 400 with these problems.
pub(super) fn bad_request(problems: &[Problem]) -> Response {
    answer(400, problems)
}

/// 404 for what a parameter names.
pub(super) fn not_found(parameter: &str, message: &str) -> Response {
    answer(404, &[Problem::of("not_found", parameter, message.to_owned())])
}

fn answer(status: u16, problems: &[Problem]) -> Response {
    let errors: Vec<Value> = problems.iter().take(ERRORS_MAX).map(Problem::to_json).collect();
    Response::json(status, &json!({ "type": type_of(status), "errors": errors }))
}

/// The envelope's type. Clients validate it strictly, so it is always a published one.
fn type_of(status: u16) -> &'static str {
    match status {
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        408 => "request_timeout",
        409 => "conflict",
        429 => "too_many_requests",
        500 => "internal_server_error",
        503 => "service_unavailable",
        _ => "bad_request",
    }
}

/// Writes a refusal.
pub(super) fn refuse(request: &Request<'_>, refusal: &Refusal) -> Response {
    match refusal {
        Refusal::NoSuchPath => {
            let message = format!("Resource '{}' not found.", shortened(request.path));
            answer(404, &[Problem::coded("not_found", message)])
        }
        Refusal::MethodNotAllowed(allow) => {
            let message = format!("The method {} is not allowed here; use {allow}.", shortened(request.method));
            answer(405, &[Problem::coded("method_not_allowed", message)]).with("allow", *allow)
        }
        Refusal::Unauthorized => answer(401, &[Problem::plain("An authorization error has occurred.")]),
        Refusal::Forbidden(scope) => {
            let message = format!("The key does not have the permission {}.", scope.code());
            answer(403, &[Problem::plain(&message)])
        }
        Refusal::BodyTooLarge => answer(413, &[Problem::coded("limit_exceeded", "The request body is too large.")]),
        Refusal::BodyBroken => answer(408, &[Problem::plain("The request body did not arrive completely.")]),
        Refusal::Rejected(rejection) => rejected(request, rejection),
        Refusal::RefundUnknown(refund) => not_found("id", &format!("Refund '{}' not found.", shortened(refund))),
        Refusal::OrderUnknown(order) => not_found("id", &format!("Order '{}' not found.", shortened(order))),
        Refusal::CursorUnknown { before, cursor } => {
            let parameter = if *before { "endingBefore" } else { "startingAfter" };
            bad_request(&[Problem::invalid(parameter, "refund id", cursor)])
        }
        Refusal::LegNotSettleable(leg) => {
            let message = format!("The refund of charge entry {leg} cannot be settled by hand.");
            answer(409, &[Problem::coded("invalid_state", message)])
        }
        Refusal::Told(_)
        | Refusal::Payouts(_)
        | Refusal::Shop(_)
        | Refusal::Parcels(_)
        | Refusal::Returns(_)
        | Refusal::Cases(_)
        | Refusal::Hooks(_)
        | Refusal::Stock(_) => {
            answer(409, &[Problem::coded("invalid_state", "This cannot be done with the payment as it is.")])
        }
        Refusal::Intake(fault) => intake(fault),
        Refusal::Setting { field, reason } => {
            // Of what can be set here only metadata has a bound that shows after it was merged.
            let code = if *field == "metadata" { "too_many_metadata_pairs" } else { "invalid_parameter" };
            bad_request(&[Problem::of(code, field, format!("{field}: {reason}."))])
        }
        Refusal::TooMany { retry_after_ms } => {
            let message = "Too many requests. Nothing was stored; send the request again later.";
            answer(429, &[Problem::plain(message)]).with("retry-after", retry_after(*retry_after_ms).to_string())
        }
        Refusal::Busy => {
            let message = "The service is busy. Nothing was stored; send the request again.";
            answer(503, &[Problem::plain(message)]).with("retry-after", "1")
        }
        Refusal::Unsure => {
            let message = "The service lost its database and does not know whether this was stored. Send the request \
                again with the same Idempotency-Key.";
            answer(503, &[Problem::plain(message)]).with("retry-after", "1")
        }
        Refusal::Internal => {
            answer(500, &[Problem::coded("unknown_error", "An unknown error has occurred. Nothing was stored.")])
        }
    }
}

fn rejected(request: &Request<'_>, rejection: &Rejection) -> Response {
    let invalid = |parameter: &str, message: String| (400, Problem::of("invalid_parameter", parameter, message));
    let (status, problem) = match rejection {
        Rejection::OrderUnknown { order } => {
            (404, Problem::of("not_found", "orderId", format!("Order '{}' not found.", shortened(order))))
        }
        Rejection::KeyReused => {
            let message = "The idempotency key was used for another request.".to_owned();
            (409, Problem::of("already_exists", "Idempotency-Key", message))
        }
        Rejection::RefundableStale { expected, actual, currency } => {
            let actual = actual.to_decimal(*currency, currency.exponent());
            let message = format!("The available amount is {actual} {currency}, not {expected}.");
            (409, Problem::of("invalid_state", "Refundable-Before", message))
        }
        Rejection::OrderDisputed => {
            invalid("order", "A refund cannot be performed while there is a dispute on the order.".to_owned())
        }
        Rejection::OrderDeleted => invalid("order", "A refund cannot be performed on a deleted order.".to_owned()),
        Rejection::AmountsOnly => invalid("items", "The order can only be refunded by amounts now.".to_owned()),
        Rejection::CurrencyDiffers { given, wanted } | Rejection::PaymentCurrencyDiffers { given, wanted } => {
            let given = given.as_deref().map_or_else(|| format!("other than {wanted}"), shortened);
            invalid("currency", format!("Currency {given} is not supported."))
        }
        Rejection::LineUnknown { entry, line } => {
            let key = item_key(request, *entry);
            (400, Problem::invalid(&format!("items[{entry}].{key}"), key, line))
        }
        Rejection::LineAmbiguous { entry, sku } => {
            let message = format!("'{}' is on several items of the order; name one by itemId.", shortened(sku));
            (400, Problem::of("missing_parameter", &format!("items[{entry}].itemId"), message))
        }
        Rejection::QuantityInvalid { entry, quantity, .. } => {
            (400, Problem::invalid(&format!("items[{entry}].quantity"), "quantity", &quantity.to_string()))
        }
        Rejection::QuantityExceeded { entry, asked, available, .. } => {
            let message = format!("The requested quantity {asked} is greater than the ordered quantity {available}.");
            (400, Problem::of("invalid_quantity_amount", &format!("items[{entry}].quantity"), message))
        }
        Rejection::AmountInvalid { amount, .. } => (400, Problem::invalid("amount", "amount", &amount.to_string())),
        Rejection::PercentInvalid { percent } => {
            (400, Problem::invalid(&percent_key(request, *percent), "percent", &percent.to_string()))
        }
        Rejection::TaxOnlyWhole { by_percent, .. } => {
            let parameter = if *by_percent { "percentRequested" } else { "amountRequested" };
            invalid(parameter, "Only full tax refunds are supported.".to_owned())
        }
        Rejection::OrderUnpaid
        | Rejection::NothingLeft
        | Rejection::PartExceeded { .. }
        | Rejection::PaymentExceeded { .. }
        | Rejection::RefundableExceeded { .. } => {
            invalid("amountRequested", "The requested refund amount is greater than the available amount.".to_owned())
        }
        Rejection::PaymentLimited { limit, currency, .. } => {
            invalid("amountRequested", payment_limited(*limit, *currency))
        }
        Rejection::ModesMixed { .. }
        | Rejection::RestockDiffers { .. }
        | Rejection::LocationUnknown { .. }
        | Rejection::ChargeUnknown { .. }
        | Rejection::PartsDoNotAddUp { .. }
        | Rejection::PaymentUnknown { .. }
        | Rejection::PaymentUnnamed
        | Rejection::PaymentsDoNotAddUp { .. } => (400, cannot_be_asked(rejection)),
    };
    answer(status, &[problem])
}

/// What the provider of a payment does not take; this API has no words for it.
fn payment_limited(limit: PaymentLimit, currency: Currency) -> String {
    match limit {
        PaymentLimit::OnlyInFull => "The payment can only be refunded in full.".to_owned(),
        PaymentLimit::OnlyOnce => "The payment can only be refunded once, and it was refunded before.".to_owned(),
        PaymentLimit::AtLeast(least) => {
            let least = least.to_decimal(currency, currency.exponent());
            format!("The requested refund amount is less than the payment can be refunded by, {least} {currency}.")
        }
        PaymentLimit::WithinDays(days) => format!("The payment can only be refunded within {days} days of the order."),
    }
}

/// Refusals of things that no request of this API can say.
fn cannot_be_asked(rejection: &Rejection) -> Problem {
    Problem::coded("invalid_parameter", format!("The refund is not possible: {}.", rejection.code()))
}

/// How the request's item was named, for a refusal that only knows its position.
fn item_key(request: &Request<'_>, entry: usize) -> &'static str {
    let by_sku = body::parse(request.body).ok().is_some_and(|body| {
        let id = body.pointer(&format!("/items/{entry}/itemId"));
        id.and_then(Value::as_str).is_none_or(|id| id.trim().is_empty())
    });
    if by_sku { "skuId" } else { "itemId" }
}

/// Where in the request a percentage stands, for a refusal that only knows its value.
fn percent_key(request: &Request<'_>, percent: Decimal) -> String {
    let body = body::parse(request.body).unwrap_or_default();
    let items = body.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let stands = |item: &Value| Fields::of(item, "").is_ok_and(|fields| decimal(&fields, "percent") == Some(percent));
    items.iter().position(stands).map_or_else(|| "percent".to_owned(), |entry| format!("items[{entry}].percent"))
}

/// An order that cannot be taken in.
fn intake(fault: &IntakeFault) -> Response {
    let (status, problem) = match fault {
        IntakeFault::Unreadable { field, reason } | IntakeFault::Contradictory { field, reason } => {
            (400, Problem::of("invalid_parameter", field, reason.clone()))
        }
        IntakeFault::Fault(fault) => (400, Problem::coded("invalid_parameter", order_fault(fault))),
        IntakeFault::Clash { order } => {
            let message = format!("The id belongs to another order, {order}.");
            (409, Problem::of("already_exists", "id", message))
        }
        IntakeFault::ChangesRefunded { what } => {
            let message = format!("Price and quantity of {what} cannot change any more: it was refunded.");
            (409, Problem::coded("restricted_update", message))
        }
    };
    answer(status, &[problem])
}

fn order_fault(fault: &OrderFault) -> String {
    match fault {
        OrderFault::TooMany(what, max) => format!("An order has at most {max} {what}."),
        OrderFault::AmountOutOfRange(what) => format!("The {what} is negative or too large."),
        OrderFault::UnitsOutOfRange(line) => format!("The units of items[{line}] are out of range."),
        OrderFault::DuplicateId(id) => format!("The id '{}' occurs twice.", shortened(id)),
        OrderFault::BadId(id) => format!("'{}' is not a valid id: use 1 to 64 characters.", shortened(id)),
        OrderFault::ComponentsOutOfPlace => "A part of the price names an item that is not there.".to_owned(),
        OrderFault::CapturedPairDiffers(payment) => {
            format!("The two captured amounts of charges[{payment}] differ, though their currencies do not.")
        }
    }
}
