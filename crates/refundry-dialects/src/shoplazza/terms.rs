//! What the document of an order says that the order is found by. What cannot be read is not found, and no fault.

use refundry_core::terms::{Term, TermKind, Terms};
use serde_json::Value;

/// What `recovery_status` is where nobody writes it down.
pub(super) const NOT_RECOVERED: &str = "waiting";

/// The terms of an order object of either generation.
pub(super) fn of(order: &Value) -> Vec<Term> {
    let mut terms = Terms::default();
    let plain = [("browser_ip", TermKind::BrowserIp), ("sales_platform", TermKind::Platform)];
    for (key, kind) in plain {
        terms.add(kind, &text(order, key));
    }
    let recovery = text(order, "recovery_status");
    if recovery != NOT_RECOVERED {
        terms.add(TermKind::Recovery, &recovery);
    }
    if let Some(customer) = order.get("customer") {
        terms.add(TermKind::Customer, &text(customer, "id"));
        terms.add(TermKind::CustomerEmail, &text(customer, "email"));
        phones(&mut terms, TermKind::CustomerPhone, customer);
        names(&mut terms, customer);
    }
    if let Some(address) = order.get("shipping_address") {
        terms.add(TermKind::ShippingEmail, &text(address, "email"));
        phones(&mut terms, TermKind::ShippingPhone, address);
        names(&mut terms, address);
    }
    if let Some(address) = order.get("billing_address") {
        names(&mut terms, address);
    }
    if let Some(place) = order.get("location_line") {
        terms.add(TermKind::Place, &text(place, "location_id"));
    }
    for tag in tags(order) {
        terms.add(TermKind::Tag, &tag);
    }
    for line in order.get("line_items").and_then(Value::as_array).into_iter().flatten() {
        terms.add(TermKind::Spu, &text(line, "spu"));
    }
    terms.into_vec()
}

/// The digits of a phone number, which is how phone numbers are compared.
pub(super) fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

/// A text, or a number as its text.
fn text(object: &Value, key: &str) -> String {
    match object.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// A phone number with and without the area code beside it.
fn phones(terms: &mut Terms, kind: TermKind, person: &Value) {
    let phone = digits(&text(person, "phone"));
    if phone.is_empty() {
        return;
    }
    terms.add(kind, &phone);
    let area = digits(&text(person, "phone_area_code"));
    terms.add(kind, &format!("{area}{phone}"));
}

fn names(terms: &mut Terms, person: &Value) {
    let (first, last) = (text(person, "first_name"), text(person, "last_name"));
    terms.add_phrases(TermKind::Name, &format!("{first} {last}"));
    terms.add_phrases(TermKind::Name, &text(person, "name"));
    terms.add_phrases(TermKind::Name, &text(person, "company"));
}

/// `"a, b"`, or a list.
fn tags(order: &Value) -> Vec<String> {
    match order.get("tags") {
        Some(Value::Array(tags)) => tags.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(tags)) => tags.split(',').map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
