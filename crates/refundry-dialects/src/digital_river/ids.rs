//! Ids as this API prints and reads them. To its callers they are opaque: nothing is refused for its shape.

use refundry_core::order::{Dialect, Id, Line, Order, Payment, Reference};
use refundry_core::refund::Refund;

use crate::text::{padded_id, read_padded_id};

/// Digits of our number.
const DIGITS: usize = 18;

/// `ref_` and our number; the platform's id where the refund came with one of its orders.
pub(super) fn refund_id(refund: &Refund, order: &Order) -> String {
    let own = refund.external_id.clone().filter(|_| is_native_here(order));
    own.unwrap_or_else(|| format!("ref_{}", number(refund.id)))
}

/// The platform's id of its own orders, `ord_` and our number for all others.
pub(super) fn order_id(order: &Order) -> String {
    let own = order.external_id.clone().filter(|_| is_native_here(order));
    own.unwrap_or_else(|| format!("ord_{}", number(order.id)))
}

/// The platform's id of lines of its own orders, our number for all others.
pub(super) fn line_id(line: &Line, order: &Order) -> String {
    line.external_id.clone().filter(|_| is_native_here(order)).unwrap_or_else(|| number(line.id))
}

/// The platform's id of charges of its own orders, our number for all others.
pub(super) fn charge_id(payment: &Payment, order: &Order) -> String {
    payment.external_id.clone().filter(|_| is_native_here(order)).unwrap_or_else(|| number(payment.id))
}

/// A refund as a caller names it.
pub(super) fn refund_reference(text: &str) -> Reference {
    reference(text, "ref_")
}

/// An order as a caller names it.
pub(super) fn order_reference(text: &str) -> Reference {
    reference(text, "ord_")
}

/// A line as a caller names it.
pub(super) fn line_reference(text: &str) -> Reference {
    reference(text, "")
}

fn reference(text: &str, prefix: &str) -> Reference {
    let text = text.trim();
    let digits = text.strip_prefix(prefix).unwrap_or(text);
    Reference { text: text.to_owned(), ours: read_padded_id("", DIGITS, digits) }
}

fn number(id: Id) -> String {
    padded_id("", DIGITS, id)
}

fn is_native_here(order: &Order) -> bool {
    order.origin == Dialect::DigitalRiver
}
