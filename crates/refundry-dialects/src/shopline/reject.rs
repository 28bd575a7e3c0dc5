//! Every "no" in SHOPLINE's words: a status, and `{"errors":"…"}` with one text.
//!
//! Whatever is well-formed but cannot be done is 422 on this platform; 400 is for bodies and parameters that cannot be
//! read at all.

use refundry_core::intake::IntakeFault;
use refundry_core::money::Currency;
use refundry_core::order::OrderFault;
use refundry_core::payouts::PaymentLimit;
use refundry_core::rejection::Rejection;
use serde_json::json;

use super::{hooks, ids, orders, parcels, returns, stock, told};
use crate::body::{Fault, Malformed};
use crate::rate::retry_after;
use crate::wire::{Refusal, Response};

const ORDER_UNKNOWN: &str = "The order does not exist.";
pub(super) const REFUND_UNKNOWN: &str = "The refund does not exist.";
const NOT_REFUNDABLE: &str = "the order payment status does not support refund";
const AMOUNT_EXCEEDED: &str = "refund amount exceeds the maximum refundable amount";

/// An answer with one text.
pub(super) fn errors(status: u16, text: impl Into<String>) -> Response {
    Response::json(status, &json!({ "errors": text.into() }))
}

/// Well-formed, but it cannot be done.
pub(super) fn unprocessable(text: impl Into<String>) -> Response {
    errors(422, text)
}

/// Cannot be read.
pub(super) fn bad_request(reason: &str) -> Response {
    errors(400, format!("Bad Request: {reason}"))
}

/// A body or a field of it that cannot be read (400), or that is missing or not allowed (422).
pub(super) fn malformed(malformed: &Malformed) -> Response {
    match malformed.fault {
        Fault::Syntax(_) | Fault::Type(_) => bad_request(&malformed.sentence()),
        Fault::Missing | Fault::Value(_) | Fault::Unknown | Fault::TooLong(_) => {
            let field = without_positions(&malformed.field);
            unprocessable(Malformed { field, fault: malformed.fault.clone() }.sentence())
        }
    }
}

/// `refund_line_items.type` for `refund_line_items[3].type`: the platform names fields without positions.
fn without_positions(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ if inside => {}
            _ => plain.push(c),
        }
    }
    plain
}

/// Words every refusal; `scope` is the platform's word for what the endpoint asks of a token.
pub(super) fn refusal(scope: Option<&str>, refusal: &Refusal) -> Response {
    match refusal {
        Refusal::NoSuchPath => errors(404, "Not Found"),
        Refusal::MethodNotAllowed(allow) => {
            errors(405, format!("Method Not Allowed: use {allow}")).with("allow", *allow)
        }
        Refusal::Unauthorized => errors(401, "Unauthorized"),
        Refusal::Forbidden(native) => {
            errors(403, format!("This action requires {} scope", scope.unwrap_or(native.code())))
        }
        Refusal::BodyTooLarge => errors(413, "Payload Too Large: send a smaller body"),
        Refusal::BodyBroken => bad_request("the body did not arrive whole"),
        Refusal::Rejected(rejection) => rejected(rejection),
        Refusal::RefundUnknown(_) => errors(404, REFUND_UNKNOWN),
        Refusal::OrderUnknown(_) => errors(404, ORDER_UNKNOWN),
        Refusal::CursorUnknown { .. } => unprocessable("since_id is invalid: the order has no such refund"),
        Refusal::LegNotSettleable(leg) => unprocessable(format!("transaction {leg} cannot be settled by hand")),
        Refusal::Told(fault) => told::refuse(*fault),
        Refusal::Shop(fault) => orders::refuse(fault),
        Refusal::Parcels(fault) => parcels::refuse(fault),
        Refusal::Returns(fault) => returns::refuse(fault),
        Refusal::Stock(fault) => stock::refuse(fault),
        Refusal::Hooks(fault) => hooks::refuse(fault),
        Refusal::Payouts(_) | Refusal::Cases(_) => unprocessable("this cannot be done with the payment as it is"),
        Refusal::Intake(fault) => unprocessable(intake(fault)),
        Refusal::Setting { field, reason } => unprocessable(format!("{field} is invalid: {reason}")),
        Refusal::TooMany { retry_after_ms } => {
            errors(429, "Too many request").with("retry-after", retry_after(*retry_after_ms).to_string())
        }
        Refusal::Busy => errors(503, "Service Unavailable: nothing was stored, try again").with("retry-after", "1"),
        Refusal::Unsure => {
            let message = "Service Unavailable: not known whether this was stored, try again with the same \
                Idempotency-Key";
            errors(503, message).with("retry-after", "1")
        }
        Refusal::Internal => errors(500, "Internal Server Error: nothing was stored"),
    }
}

fn rejected(rejection: &Rejection) -> Response {
    match rejection {
        Rejection::OrderUnknown { .. } | Rejection::OrderDeleted => errors(404, ORDER_UNKNOWN),
        Rejection::KeyReused
        | Rejection::RefundableStale { .. }
        | Rejection::OrderDisputed
        | Rejection::OrderUnpaid
        | Rejection::NothingLeft
        | Rejection::AmountsOnly
        | Rejection::CurrencyDiffers { .. }
        | Rejection::PaymentCurrencyDiffers { .. }
        | Rejection::LineUnknown { .. }
        | Rejection::LineAmbiguous { .. }
        | Rejection::ModesMixed { .. }
        | Rejection::RestockDiffers { .. }
        | Rejection::QuantityInvalid { .. }
        | Rejection::QuantityExceeded { .. }
        | Rejection::LocationUnknown { .. }
        | Rejection::ChargeUnknown { .. }
        | Rejection::AmountInvalid { .. }
        | Rejection::PercentInvalid { .. }
        | Rejection::TaxOnlyWhole { .. }
        | Rejection::PartExceeded { .. }
        | Rejection::PartsDoNotAddUp { .. }
        | Rejection::PaymentUnknown { .. }
        | Rejection::PaymentUnnamed
        | Rejection::PaymentsDoNotAddUp { .. }
        | Rejection::PaymentExceeded { .. }
        | Rejection::PaymentLimited { .. }
        | Rejection::RefundableExceeded { .. } => unprocessable(text(rejection)),
    }
}

/// The texts; where the platform has one it is used to the letter, without figures.
fn text(rejection: &Rejection) -> String {
    match rejection {
        Rejection::OrderUnknown { .. } | Rejection::OrderDeleted => ORDER_UNKNOWN.to_owned(),
        Rejection::KeyReused => "the Idempotency-Key was used for another request".to_owned(),
        Rejection::RefundableStale { expected, actual, currency } => {
            let actual = actual.to_decimal(*currency, currency.exponent().max(2));
            format!("Refundable-Before is {expected}, but {actual} {currency} can be refunded")
        }
        Rejection::OrderDisputed => "the order is in dispute and does not support refund".to_owned(),
        Rejection::AmountsOnly => "the order can only be refunded by amounts now".to_owned(),
        Rejection::OrderUnpaid | Rejection::NothingLeft => NOT_REFUNDABLE.to_owned(),
        Rejection::CurrencyDiffers { wanted, .. } => format!("currency must be {wanted}"),
        Rejection::PaymentCurrencyDiffers { wanted, .. } => {
            format!("the input currency must be the settlement currency of the payment: {wanted}")
        }
        Rejection::LineUnknown { line, .. } => format!("line_item_id {line} does not exist in the order"),
        Rejection::LineAmbiguous { sku, .. } => format!("sku {sku} stands on several lines of the order"),
        Rejection::ModesMixed { line } => format!("line_item_id {line} is listed both with and without a type"),
        Rejection::RestockDiffers { line } => format!("line_item_id {line} is listed with different restock_type"),
        Rejection::QuantityInvalid { .. } => "quantity is invalid".to_owned(),
        Rejection::QuantityExceeded { .. } => "refund quantity exceeds the refundable quantity".to_owned(),
        Rejection::LocationUnknown { .. } => "location_id is invalid".to_owned(),
        Rejection::ChargeUnknown { name } => format!("additional charge {name} does not exist in the order"),
        Rejection::AmountInvalid { .. } => "amount is invalid".to_owned(),
        Rejection::PercentInvalid { .. } => "percent is invalid".to_owned(),
        Rejection::TaxOnlyWhole { .. } => "tax can only be refunded as a whole".to_owned(),
        Rejection::PartExceeded { part, .. } => format!("{part} amount exceeds the maximum refundable amount"),
        Rejection::PartsDoNotAddUp { .. } => "the parts do not add up to the refund amount".to_owned(),
        Rejection::PaymentUnknown { payment } => format!("transaction {payment} does not exist in the order"),
        Rejection::PaymentUnnamed => {
            "transactions.id is required: not exactly one payment slip of the order fits".to_owned()
        }
        Rejection::PaymentsDoNotAddUp { .. } => "the transactions do not add up to the refund amount".to_owned(),
        Rejection::PaymentLimited { payment, limit, currency, .. } => payment_limited(payment, *limit, *currency),
        Rejection::PaymentExceeded { .. } | Rejection::RefundableExceeded { .. } => AMOUNT_EXCEEDED.to_owned(),
    }
}

/// What the provider of a payment slip does not take; the platform has no text for it.
fn payment_limited(payment: &str, limit: PaymentLimit, currency: Currency) -> String {
    let what = match limit {
        PaymentLimit::OnlyInFull => "in full".to_owned(),
        PaymentLimit::OnlyOnce => "once, and was refunded before".to_owned(),
        PaymentLimit::AtLeast(least) => {
            format!("by at least {} {currency}", least.to_decimal(currency, currency.exponent().max(2)))
        }
        PaymentLimit::WithinDays(days) => format!("within {days} days of the order"),
    };
    format!("transaction {} can only be refunded {what}", ids::payment_name(payment))
}

fn intake(fault: &IntakeFault) -> String {
    match fault {
        IntakeFault::Unreadable { field, reason } | IntakeFault::Contradictory { field, reason } => {
            format!("{field} is invalid: {reason}")
        }
        IntakeFault::Fault(fault) => order_fault(fault),
        IntakeFault::Clash { .. } => "id belongs to another order".to_owned(),
        IntakeFault::ChangesRefunded { what } => format!("{what} was refunded and cannot change"),
    }
}

/// Why facts cannot be an order.
pub(super) fn order_fault(fault: &OrderFault) -> String {
    match fault {
        OrderFault::TooMany(what, max) => format!("the order has more than {max} {what}"),
        OrderFault::AmountOutOfRange(what) => format!("{what} is out of range"),
        OrderFault::UnitsOutOfRange(line) => format!("line_items[{line}].quantity is out of range"),
        OrderFault::DuplicateId(id) => format!("id {id} is there twice"),
        OrderFault::BadId(id) => format!("id {id} is invalid"),
        OrderFault::ComponentsOutOfPlace => "the parts of the order do not fit its lines".to_owned(),
        OrderFault::CapturedPairDiffers(payment) => {
            format!("payment_details[{payment}] has two amounts in one currency that differ")
        }
    }
}
