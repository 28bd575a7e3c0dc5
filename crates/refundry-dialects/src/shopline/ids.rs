//! Ids in SHOPLINE's shapes: printing ours, and reading both ours and the platform's.

use refundry_core::order::{Dialect, Id, Line, Order, Payment, Reference};
use refundry_core::parcels::Parcel;
use refundry_core::refund::{Leg, Refund};

use crate::text::{padded_id, read_padded_id};

/// A platform id may happen to parse as a number; ours never have more than 18 digits.
const OURS_MAX: Id = 999_999_999_999_999_999;
const OURS_DIGITS: usize = 18;

/// Prefix and length in digits of an id.
type Shape = (&'static str, usize);

const ORDER: Shape = ("210", 26);
const PAYMENT: Shape = ("230", 26);
const REFUND: Shape = ("260", 22);
const REFUND_TRANSACTION: Shape = ("101", 29);
const PARCEL: Shape = ("220", 26);
const RETURN: Shape = ("260", 22);
const LOCATION: Shape = ("5", 19);

/// An order as a caller names it.
pub(super) fn order_reference(text: &str) -> Reference {
    reference(text, Some(ORDER))
}

/// Our number, of an order id in the shape in which ours are printed.
pub(super) fn order_number(text: &str) -> Option<Id> {
    read_padded_id(ORDER.0, ORDER.1, text).filter(|id| *id <= OURS_MAX)
}

/// A payment slip as a caller names it.
pub(super) fn payment_reference(text: &str) -> Reference {
    reference(text, Some(PAYMENT))
}

/// A refund as a caller names it.
pub(super) fn refund_reference(text: &str) -> Reference {
    reference(text, Some(REFUND))
}

/// A leg as a payment app names it: the id of a refund's transaction.
pub(super) fn leg_reference(text: &str) -> Reference {
    reference(text, Some(REFUND_TRANSACTION))
}

/// A parcel as a caller names it.
pub(super) fn parcel_reference(text: &str) -> Reference {
    reference(text, Some(PARCEL))
}

/// A return as a caller names it.
pub(super) fn return_reference(text: &str) -> Reference {
    reference(text, Some(RETURN))
}

/// A location as a caller names it.
pub(super) fn location_reference(text: &str) -> Reference {
    reference(text, Some(LOCATION))
}

/// Goods as a caller names them: by the platform's id of the variant, or by that of the inventory item.
pub(super) fn variant_reference(text: &str) -> Reference {
    reference(text, None)
}

/// A line as a caller names it: the platform's small number, or ours in plain digits.
pub(super) fn line_reference(text: &str) -> Reference {
    reference(text, None)
}

fn reference(text: &str, shape: Option<Shape>) -> Reference {
    let text = text.trim();
    let shaped = shape.and_then(|(prefix, digits)| read_padded_id(prefix, digits, text));
    let is_plain = text.len() == OURS_DIGITS && text.bytes().all(|b| b.is_ascii_digit());
    let plain = || is_plain.then(|| text.parse().ok()).flatten();
    Reference { text: text.to_owned(), ours: shaped.or_else(plain).filter(|id| *id <= OURS_MAX) }
}

/// How an order is named to callers.
pub(super) fn order_id(order: &Order) -> String {
    platform(order, order.external_id.as_deref()).unwrap_or_else(|| shaped(ORDER, order.id))
}

/// An order by our number alone, whatever its platform calls it.
pub(super) fn minted_order_id(id: Id) -> String {
    shaped(ORDER, id)
}

/// How a payment slip is named to callers.
pub(super) fn payment_id(order: &Order, payment: &Payment) -> String {
    platform(order, payment.external_id.as_deref()).unwrap_or_else(|| shaped(PAYMENT, payment.id))
}

/// How a transaction is named to callers that is not the first of its payment: that one is named as the payment.
pub(super) fn transaction_id(id: Id) -> String {
    shaped(PAYMENT, id)
}

/// How a payment slip is named to callers that a refusal names: as the caller did, or by our number.
pub(super) fn payment_name(named: &str) -> String {
    let is_plain = named.len() == OURS_DIGITS && named.bytes().all(|b| b.is_ascii_digit());
    let ours = named.parse().ok().filter(|_| is_plain);
    ours.map_or_else(|| named.to_owned(), |id| shaped(PAYMENT, id))
}

/// How a refund is named to callers.
pub(super) fn refund_id(order: &Order, refund: &Refund) -> String {
    platform(order, refund.external_id.as_deref()).unwrap_or_else(|| minted_refund_id(refund))
}

/// A refund by our number alone, whatever its platform calls it.
pub(super) fn minted_refund_id(refund: &Refund) -> String {
    shaped(REFUND, refund.id)
}

/// How a leg is named where a refund's transaction has an id of its own, apart from the payment slip's.
pub(super) fn leg_id(leg: &Leg) -> String {
    shaped(REFUND_TRANSACTION, leg.id)
}

/// How a parcel is named to callers.
pub(super) fn parcel_id(order: &Order, parcel: &Parcel) -> String {
    platform(order, parcel.external_id.as_deref()).unwrap_or_else(|| minted_parcel_id(parcel.id))
}

/// A parcel by our number alone, whatever its platform calls it.
pub(super) fn minted_parcel_id(id: Id) -> String {
    shaped(PARCEL, id)
}

/// How a return is named to callers, by our number.
pub(super) fn return_id(id: Id) -> String {
    shaped(RETURN, id)
}

/// How a location is named to callers: as its platform does, where that is digits as here; else by our number.
pub(super) fn location_id(id: Id, external_id: Option<&str>) -> String {
    let digits = external_id.filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    digits.map_or_else(|| shaped(LOCATION, id), str::to_owned)
}

/// How an inventory item is named to callers: by our number, plain.
pub(super) fn variant_id(id: Id) -> String {
    shaped(("", OURS_DIGITS), id)
}

/// How a line is named to callers: always a number that fits a signed 64-bit integer.
pub(super) fn line_id(order: &Order, line: &Line) -> i64 {
    let platform = platform(order, line.external_id.as_deref());
    let number = platform.and_then(|text| text.parse::<i64>().ok().filter(|number| number.to_string() == text));
    // Our numbers have 18 digits, so they fit.
    number.or_else(|| i64::try_from(line.id).ok()).unwrap_or(i64::MAX)
}

/// The number of a row of a refund (its position among the refund's rows).
///
/// It is made of the refund's number, so that it stays the same, and spread over 53 bits, so that rows of refunds made
/// in the same instant do not meet and every client can hold it exactly.
pub(super) fn row_id(refund: &Refund, row: usize) -> u64 {
    let row = u64::try_from(row).unwrap_or(u64::MAX);
    let mut mixed = refund.id.wrapping_add(row.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) >> 11
}

/// The number of an adjustment: the refund's with a digit for the kind.
pub(super) fn adjustment_id(refund: &Refund, kind_digit: char) -> String {
    format!("{}{kind_digit}", refund.id)
}

/// The platform's own id, which only an order that came from it prints.
fn platform(order: &Order, external_id: Option<&str>) -> Option<String> {
    external_id.filter(|_| order.origin == Dialect::Shopline).map(str::to_owned)
}

fn shaped((prefix, digits): Shape, id: Id) -> String {
    padded_id(prefix, digits, id)
}
