//! Every "no" in this platform's words.
//!
//! Legacy versions answer `{"errors":[…]}` (or `{"error":…}` for token and store), modern ones `{"code","message"}`.

use refundry_core::intake::IntakeFault;
use refundry_core::money::{Amount, AmountError, Currency, Decimal};
use refundry_core::order::OrderFault;
use refundry_core::payouts::PaymentLimit;
use refundry_core::rejection::Rejection;
use serde_json::json;

use super::decode::Bad;
use super::{Endpoint, Version, cases, hooks, orders, parcels, stock};
use crate::body::Fault;
use crate::rate::retry_after;
use crate::wire::{Refusal, Response, Scope};

/// What kind of no it is; each has one status and, in modern versions, one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The request cannot be read.
    Malformed,
    /// It can be read, and asks for what is not to be had.
    Invalid,
    /// The order cannot go through after-sales.
    NotInAfterSales,
    /// Something named is not there.
    NotFound,
}

/// The seed's text for an order that cannot go through after-sales.
const NOT_IN_AFTER_SALES: &str = "After-sales is not included in current order.";

/// The documented text for what the state of an order or parcel does not allow.
pub(super) const NOT_NOW: &str = "Operation not allowed in current state";

/// Writes a refusal; without an endpoint, the version in the path decides the shape.
pub(super) fn refuse(endpoint: Option<&Endpoint>, path: &str, refusal: &Refusal) -> Response {
    let modern = endpoint.map_or_else(|| path_is_modern(path), |e| e.version().is_modern());
    match refusal {
        Refusal::NoSuchPath => not_found(modern, "Unable to find resource", "There is no such path or version."),
        Refusal::MethodNotAllowed(allow) => {
            let message = format!("This path takes {allow} only.");
            plain(modern, 405, "Method Not Allowed", "MethodNotAllowed", &message).with("allow", *allow)
        }
        Refusal::Unauthorized => {
            let message = "The Access-Token header is missing or its token does not work.";
            token_level(modern, 401, "Unauthorized", "Unauthorized", message)
        }
        Refusal::Forbidden(scope) => {
            let message = format!("The token lacks the {} scope.", scope_name(*scope));
            token_level(modern, 403, &message, "Forbidden", &message)
        }
        Refusal::BodyTooLarge => {
            let message = format!("The body must not be larger than {} bytes.", refundry_core::limits::BODY_BYTES_MAX);
            plain(modern, 413, &message, "RequestTooLarge", &message)
        }
        Refusal::BodyBroken => say(modern, Kind::Malformed, "The body did not arrive whole."),
        Refusal::Rejected(rejection) => rejected(endpoint, modern, rejection),
        Refusal::RefundUnknown(id) => {
            not_found(modern, "Unable to find resource", &format!("There is no refund record {id}."))
        }
        Refusal::OrderUnknown(_) => order_unknown(endpoint, modern),
        Refusal::CursorUnknown { cursor, .. } => {
            say(modern, Kind::Invalid, &format!("cursor {cursor} does not belong to this list"))
        }
        Refusal::LegNotSettleable(_) | Refusal::Told(_) | Refusal::Payouts(_) | Refusal::Returns(_) => {
            not_in_this_state(modern)
        }
        Refusal::Shop(fault) => orders::refuse(modern, fault),
        Refusal::Parcels(fault) => parcels::refuse(modern, fault),
        Refusal::Cases(fault) => cases::refuse(modern, fault),
        Refusal::Hooks(fault) => hooks::refuse(modern, fault),
        Refusal::Stock(fault) => stock::refuse(modern, fault),
        Refusal::Intake(fault) => say(modern, Kind::Invalid, &intake_sentence(fault)),
        Refusal::Setting { field, reason } => say(modern, Kind::Invalid, &format!("{field}: {reason}")),
        Refusal::TooMany { retry_after_ms } => too_many(modern, *retry_after_ms),
        Refusal::Busy => {
            let message = "Too much is waiting; nothing was stored. Try again.";
            plain(modern, 503, "Service Unavailable", "ServerBusy", message).with("retry-after", "1")
        }
        Refusal::Unsure => {
            let message = "Not known whether this was stored. Try again with the same Idempotency-Key.";
            plain(modern, 503, "Service Unavailable", "ServerBusy", message).with("retry-after", "1")
        }
        Refusal::Internal => plain(modern, 500, "Internal Server Error", "ServerError", "Something broke here."),
    }
}

/// Writes why a request cannot be understood.
pub(super) fn bad(modern: bool, bad: &Bad) -> Response {
    match bad {
        Bad::OrderId(id) if !modern => plain(modern, 422, "Invalid ID", "", id),
        Bad::OrderId(id) if id.is_empty() => say(modern, Kind::Invalid, "Order id is required."),
        Bad::OrderId(_) => {
            say(modern, Kind::Invalid, "Order id must be 1 to 64 letters, digits, underscores or hyphens.")
        }
        Bad::Field(malformed) => {
            let kind = if matches!(malformed.fault, Fault::Syntax(_)) { Kind::Malformed } else { Kind::Invalid };
            say(modern, kind, &malformed.sentence())
        }
        Bad::Fields(fields) => by_field(modern, fields),
    }
}

/// Subscriptions have a shape of their own: what is wrong, by field.
pub(super) fn by_field(modern: bool, fields: &[(&'static str, Vec<&'static str>)]) -> Response {
    if modern {
        let hint = |field: &str, faults: &[&str]| match field {
            "address" if faults.contains(&"is invalid") => ": an http or https address without user and fragment",
            "topic" if faults.contains(&"is invalid") => ": one such as orders/update",
            _ => "",
        };
        let sentence =
            |(field, faults): &(&str, Vec<&str>)| format!("{field} {}{}", faults.join(" and "), hint(field, faults));
        let sentences = fields.iter().map(sentence);
        return say(true, Kind::Invalid, &sentences.collect::<Vec<_>>().join("; "));
    }
    let fields = fields.iter().map(|(field, faults)| ((*field).to_owned(), json!(faults)));
    Response::json(422, &json!({ "errors": fields.collect::<serde_json::Map<_, _>>() }))
}

fn rejected(endpoint: Option<&Endpoint>, modern: bool, rejection: &Rejection) -> Response {
    let kind = kind_of(rejection);
    if kind == Kind::NotFound {
        return order_unknown(endpoint, modern);
    }
    say(modern, kind, &sentence(rejection, &Keys::of(endpoint)))
}

/// How a request calls what is refused.
struct Keys {
    items: &'static str,
    item: &'static str,
    total: &'static str,
}

impl Keys {
    const fn of(endpoint: Option<&Endpoint>) -> Self {
        match endpoint {
            Some(Endpoint::PartialRefund { .. }) => Self { items: "line_items", item: "id", total: "price" },
            _ => Self { items: "refund_line_items", item: "line_item_id", total: "refund_total" },
        }
    }
}

fn order_unknown(endpoint: Option<&Endpoint>, modern: bool) -> Response {
    match endpoint {
        Some(Endpoint::CreateRecord { .. } | Endpoint::FullRefund { .. }) => {
            not_found(modern, "Order not found", "Order not found")
        }
        Some(
            Endpoint::PartialRefund { .. }
            | Endpoint::ListRecords { .. }
            | Endpoint::CountRecords { .. }
            | Endpoint::OrderRefunds { .. }
            | Endpoint::Orders(..)
            | Endpoint::Parcels(..)
            | Endpoint::Cases(..)
            | Endpoint::Hooks(..)
            | Endpoint::Stock(..)
            | Endpoint::Document(_),
        )
        | None => not_found(modern, "Unable to find resource", "Order not found"),
    }
}

fn kind_of(rejection: &Rejection) -> Kind {
    match rejection {
        Rejection::OrderUnknown { .. } => Kind::NotFound,
        Rejection::OrderDisputed | Rejection::OrderDeleted | Rejection::OrderUnpaid | Rejection::NothingLeft => {
            Kind::NotInAfterSales
        }
        Rejection::KeyReused
        | Rejection::AmountsOnly
        | Rejection::RefundableStale { .. }
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
        | Rejection::RefundableExceeded { .. } => Kind::Invalid,
    }
}

/// What is wrong and what to change, in the words of the request's own keys.
fn sentence(rejection: &Rejection, keys: &Keys) -> String {
    let Keys { items, item, total: whole } = keys;
    match rejection {
        Rejection::OrderUnknown { order } => format!("there is no order {order}"),
        Rejection::KeyReused => "this Idempotency-Key was used for another request".to_owned(),
        Rejection::RefundableStale { expected, actual, currency } => {
            let actual = print(*actual, *currency);
            format!("{actual} {currency} is refundable now, not the {expected} that Refundable-Before states")
        }
        Rejection::OrderDisputed => "a dispute holds the order; it can be refunded once that is closed".to_owned(),
        Rejection::OrderDeleted => "the order was deleted".to_owned(),
        Rejection::OrderUnpaid => "the order is not paid, so there is nothing to refund".to_owned(),
        Rejection::NothingLeft => "everything that was paid has been refunded or is on its way back".to_owned(),
        Rejection::AmountsOnly => {
            "a refund without line items was made before, so line_items is no longer taken; give price".to_owned()
        }
        Rejection::CurrencyDiffers { wanted, .. } => format!("the order is in {wanted}"),
        Rejection::PaymentCurrencyDiffers { wanted, .. } => format!("the payment is in {wanted}"),
        Rejection::LineUnknown { entry, line } => {
            format!("{items}[{entry}].{item}: the order has no line item {line}")
        }
        Rejection::LineAmbiguous { entry, sku } => {
            format!("{items}[{entry}]: SKU {sku} stands on several line items")
        }
        Rejection::ModesMixed { line } => {
            format!("refund_item_type 0 must not be mixed with 1 or 2 for line item {line}")
        }
        Rejection::RestockDiffers { line } => {
            format!("return_inventory must be the same in all entries of line item {line}")
        }
        Rejection::QuantityInvalid { entry, line, quantity } => {
            format!("{items}[{entry}].quantity of line item {line} must not be {quantity}")
        }
        Rejection::QuantityExceeded { entry, line, asked, available } => {
            format!("{items}[{entry}].quantity of line item {line} must be at most {available}, not {asked}")
        }
        Rejection::LocationUnknown { location } => format!("there is no location {location}"),
        Rejection::ChargeUnknown { name } => format!("the order has no additional price named {name}"),
        Rejection::PercentInvalid { percent } => format!("{percent} is not a percentage that can be refunded"),
        Rejection::TaxOnlyWhole { .. } => "taxes are refunded whole or not at all".to_owned(),
        Rejection::PaymentUnknown { payment } => format!("the order has no payment line {payment}"),
        Rejection::PaymentUnnamed => "refund_payments must name a payment line of the order".to_owned(),
        Rejection::AmountInvalid { field, amount, why } => amount_sentence(&key_of(field, keys), *amount, *why),
        Rejection::PartExceeded { part, asked, available, currency } => {
            exceeded(&key_of(part, keys), *asked, *available, *currency)
        }
        Rejection::PartsDoNotAddUp { total, parts, currency } => {
            differs("the parts", "their total", *total, *parts, *currency)
        }
        Rejection::PaymentsDoNotAddUp { total, payments, currency } => {
            differs("refund_payments", "refund_total", *total, *payments, *currency)
        }
        Rejection::PaymentExceeded { payment, asked, available, currency } => {
            exceeded(&format!("refund_price of payment line {payment}"), *asked, *available, *currency)
        }
        Rejection::PaymentLimited { payment, limit, asked, currency } => {
            payment_limited(payment, *limit, *asked, *currency)
        }
        Rejection::RefundableExceeded { asked, available, currency } => exceeded(whole, *asked, *available, *currency),
    }
}

pub(super) fn amount_sentence(key: &str, amount: Decimal, why: AmountError) -> String {
    match why {
        AmountError::TooManyDecimals(decimals) => format!("{key} must have at most {decimals} decimals, not {amount}"),
        AmountError::TooLarge => format!("{key} is too large: {amount}"),
        AmountError::NotPositive if amount.sign().is_lt() => format!("{key} must not be negative: {amount}"),
        AmountError::NotPositive => format!("{key} must be above zero"),
    }
}

fn differs(what: &str, whole: &str, total: Amount, sum: Amount, currency: Currency) -> String {
    format!("{what} make {}, but {whole} is {}", print(sum, currency), print(total, currency))
}

fn exceeded(what: &str, asked: Amount, available: Amount, currency: Currency) -> String {
    format!("{what} must be at most {}, not {}", print(available, currency), print(asked, currency))
}

fn payment_limited(payment: &str, limit: PaymentLimit, asked: Amount, currency: Currency) -> String {
    let asked = format!("{} {currency}", print(asked, currency));
    match limit {
        PaymentLimit::OnlyInFull => format!("payment line {payment} must be refunded in full, not by {asked}"),
        PaymentLimit::OnlyOnce => format!("payment line {payment} can be refunded only once, and was refunded before"),
        PaymentLimit::AtLeast(least) => {
            format!("payment line {payment} must be refunded by at least {}, not by {asked}", print(least, currency))
        }
        PaymentLimit::WithinDays(days) => {
            format!("payment line {payment} can be refunded only within {days} days of the order")
        }
    }
}

pub(super) fn print(amount: Amount, currency: Currency) -> String {
    amount.to_decimal(currency, currency.exponent().max(2))
}

/// The request's key for what the rules call by its code.
fn key_of(field: &str, keys: &Keys) -> String {
    match field {
        "total" => keys.total.to_owned(),
        "product" => "refund_product_total".to_owned(),
        "shipping" => "refund_shipping_total".to_owned(),
        "tip" => "refund_tip".to_owned(),
        "additional" => "refund_additional_total".to_owned(),
        "payment" => "refund_price".to_owned(),
        other => match other.strip_prefix("additional charge ") {
            Some(name) => format!("price of additional price {name}"),
            None => other.to_owned(),
        },
    }
}

fn intake_sentence(fault: &IntakeFault) -> String {
    match fault {
        IntakeFault::Unreadable { field, reason } | IntakeFault::Contradictory { field, reason } => {
            format!("{field}: {reason}")
        }
        IntakeFault::Fault(fault) => order_fault(fault),
        IntakeFault::Clash { order } => format!("the id belongs to another order, {order}"),
        IntakeFault::ChangesRefunded { what } => format!("{what} was refunded and must not change"),
    }
}

/// What no order can be.
pub(super) fn order_fault(fault: &OrderFault) -> String {
    match fault {
        OrderFault::TooMany(what, max) => format!("an order has at most {max} {what}"),
        OrderFault::AmountOutOfRange(what) => format!("{what} is out of range"),
        OrderFault::UnitsOutOfRange(line) => format!("line_items[{line}].quantity is out of range"),
        OrderFault::DuplicateId(id) => format!("id {id} is there twice"),
        OrderFault::BadId(id) => format!("id {id} must be 1 to 64 characters"),
        OrderFault::ComponentsOutOfPlace => "the order's parts do not fit its line items".to_owned(),
        OrderFault::CapturedPairDiffers(index) => format!("payment_lines[{index}] has two different amounts"),
    }
}

/// What is asked cannot be had: what to change.
pub(super) fn invalid(modern: bool, message: &str) -> Response {
    say(modern, Kind::Invalid, message)
}

/// The platform's word for a scope.
pub(super) fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::ReadOrders => "read_order",
        Scope::WriteOrders => "write_order",
        Scope::ReadProducts => "read_product",
        Scope::WriteProducts => "write_product",
        Scope::Admin => "admin",
    }
}

/// What is asked is refused as a whole, in the shape and with the status of the generation.
pub(super) fn say(modern: bool, kind: Kind, message: &str) -> Response {
    match (modern, kind) {
        (true, Kind::NotFound) => enveloped(404, "NotFound", message),
        (true, Kind::Malformed | Kind::Invalid | Kind::NotInAfterSales) => enveloped(400, "InvalidParameter", message),
        (false, Kind::NotFound) => errors(404, message),
        // Their texts are fixed in legacy versions; what to change is only said in modern ones.
        (false, Kind::Malformed) => errors(400, "Bad Request"),
        (false, Kind::NotInAfterSales) => errors(406, NOT_IN_AFTER_SALES),
        (false, Kind::Invalid) => errors(422, message),
    }
}

pub(super) fn not_found(modern: bool, legacy: &str, message: &str) -> Response {
    say(modern, Kind::NotFound, if modern { message } else { legacy })
}

/// What is asked cannot be done as things stand.
pub(super) fn not_in_this_state(modern: bool) -> Response {
    if modern { say(modern, Kind::Invalid, NOT_NOW) } else { plain(modern, 406, NOT_NOW, "", NOT_NOW) }
}

pub(super) fn plain(modern: bool, status: u16, legacy: &str, code: &str, message: &str) -> Response {
    if modern { enveloped(status, code, message) } else { errors(status, legacy) }
}

/// Token and store level: legacy versions say `error`, not `errors`.
fn token_level(modern: bool, status: u16, legacy: &str, code: &str, message: &str) -> Response {
    if modern { enveloped(status, code, message) } else { Response::json(status, &json!({ "error": legacy })) }
}

fn too_many(modern: bool, retry_after_ms: u64) -> Response {
    let message = "Too many requests; nothing was stored. Try again after the seconds in Retry-After.";
    let answer = plain(modern, 429, "Too Many Requests", "TooManyRequests", message);
    answer.with("retry-after", retry_after(retry_after_ms).to_string())
}

fn errors(status: u16, text: &str) -> Response {
    Response::json(status, &json!({ "errors": [text] }))
}

fn enveloped(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, &json!({ "code": code, "message": message }))
}

/// The shape for a path that leads nowhere: an unknown version counts as modern from the year of the first modern one.
fn path_is_modern(path: &str) -> bool {
    let version = path.strip_prefix("/openapi/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    Version::parse(version).map_or_else(
        || version.len() == 7 && version.starts_with(|c: char| c.is_ascii_digit()) && version >= "2024",
        Version::is_modern,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[track_caller]
    fn check(path: &str, refusal: &Refusal, status: u16, body: &Value) {
        let response = refuse(None, path, refusal);
        assert_eq!(response.status, status, "{refusal:?}");
        assert_eq!(&serde_json::from_slice::<Value>(&response.body).unwrap(), body, "{refusal:?}");
    }

    #[test]
    fn each_generation_has_its_own_shape() {
        let unauthorized = Refusal::Unauthorized;
        check("/openapi/2022-01/orders/1/refund", &unauthorized, 401, &json!({"error": "Unauthorized"}));
        check("/openapi/orders/1/refund", &Refusal::NoSuchPath, 404, &json!({"errors": ["Unable to find resource"]}));
        let missing = json!({"code": "NotFound", "message": "There is no such path or version."});
        check("/openapi/2025-01/orders/1/refund", &Refusal::NoSuchPath, 404, &missing);
        let not_found = Refusal::OrderUnknown("7".to_owned());
        check("/openapi/2022-01/x", &not_found, 404, &json!({"errors": ["Unable to find resource"]}));
    }

    #[test]
    fn an_order_outside_after_sales_has_the_documented_text() {
        for rejection in [Rejection::OrderUnpaid, Rejection::NothingLeft, Rejection::OrderDisputed] {
            let refusal = Refusal::Rejected(Box::new(rejection));
            check("/openapi/2022-01/orders/1/refund", &refusal, 406, &json!({"errors": [NOT_IN_AFTER_SALES]}));
            assert_eq!(refuse(None, "/openapi/2025-06/orders/1/refund", &refusal).status, 400);
        }
    }
}
