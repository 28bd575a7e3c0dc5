//! What the document of an order says that the order is found by. What cannot be read is not found, and no fault.

use refundry_core::terms::{Term, TermKind, Terms};
use serde_json::Value;

use super::orders::Kept;

/// The terms of an order object, which may stand under `order`.
pub(super) fn of(document: &Value) -> Vec<Term> {
    let order = Kept::order(document);
    let mut terms = Terms::default();
    let (customer, ships_to) = (order.object("customer"), order.object("shipping_address"));
    for (kind, text) in [
        (TermKind::Customer, order.text("user_id")),
        (TermKind::Customer, customer.text("id")),
        (TermKind::CustomerEmail, order.text("email")),
        (TermKind::CustomerEmail, customer.text("email")),
        (TermKind::CustomerPhone, order.text("phone")),
        (TermKind::CustomerPhone, customer.text("phone")),
        (TermKind::ShippingEmail, ships_to.text("email")),
        (TermKind::ShippingPhone, ships_to.text("phone")),
    ] {
        let is_phone = matches!(kind, TermKind::CustomerPhone | TermKind::ShippingPhone);
        terms.add(kind, if is_phone { digits(&text) } else { text }.as_str());
    }
    for person in [customer, ships_to, order.object("billing_address")] {
        terms.add_phrases(TermKind::Name, &format!("{} {}", person.text("first_name"), person.text("last_name")));
        terms.add_phrases(TermKind::Name, &person.text("name"));
        terms.add_phrases(TermKind::Name, &person.text("company"));
    }
    for tag in order.text("tags").split(',') {
        terms.add(TermKind::Tag, tag);
    }
    for place in order.list("line_items").into_iter().chain(order.list("locations")) {
        terms.add(TermKind::Place, &place.text("location_id"));
    }
    terms.into_vec()
}

/// The digits of a phone number, which is how phone numbers are compared.
pub(super) fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}
