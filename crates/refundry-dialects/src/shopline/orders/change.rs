//! Wire → call: texts and addresses of an order that change. What is missing or blank stays.

use refundry_core::amend::Amendment;
use refundry_core::limits::ENTRIES_PER_REQUEST_MAX;
use refundry_core::order::Reference;
use refundry_core::terms::{TermChange, TermKind};
use serde_json::{Map, Value, json};

use super::kept::CHANGED;
use super::object::ADDRESS;
use crate::body::{Fields, Malformed};
use crate::shop::ShopCall;
use crate::shopline::params::{id, missing, root};
use crate::shopline::{ids, params, reject, terms};
use crate::wire::{Request, Response};

/// Characters of any text that is only shown again.
const TEXT_CHARS_MAX: usize = 1_000;

/// Texts of the order, as requests call them and as answers do.
const TEXTS: [(&str, &str); 6] = [
    ("email", "email"),
    ("phone", "phone"),
    ("area_code", "area_code"),
    ("tags", "tags"),
    ("order_note", "note"),
    ("buyer_note", "buyer_note"),
];

/// `PUT orders/{id}.json`
pub(super) fn decode(request: &Request<'_>, order: Reference) -> Result<ShopCall, Response> {
    let body = params::body(request)?;
    let fields = root(&body)?;
    let malformed = |fault: Malformed| reject::malformed(&fault);
    let Some(given) = fields.object("order").map_err(malformed)? else { return Err(missing(&fields, "order")) };
    let mut patch = texts(&given, &TEXTS).map_err(malformed)?;
    if let Some(customer) = id(&given, "customer_id")? {
        patch.insert("customer".to_owned(), json!({ "id": customer }));
    }
    if let Some(address) = given.object("shipping_address").map_err(malformed)? {
        let keys: Vec<(&str, &str)> = ADDRESS.iter().map(|key| (*key, *key)).collect();
        patch.insert("shipping_address".to_owned(), texts(&address, &keys).map_err(malformed)?.into());
    }
    let notes = given.objects("note_attributes", ENTRIES_PER_REQUEST_MAX).map_err(malformed)?;
    if !notes.is_empty() {
        let keys = [("name", "name"), ("value", "value")];
        let notes = notes.iter().map(|note| texts(note, &keys).map(Value::Object)).collect::<Result<Vec<_>, _>>();
        patch.insert("note_attributes".to_owned(), notes.map_err(malformed)?.into());
    }
    let (lines, later) = lines(&given)?;
    if !later.is_empty() {
        // A merge patch replaces whole lists, so what is said of single lines stands beside them.
        patch.insert("_lines".to_owned(), later.into());
    }
    let told = Some(terms_of(&patch));
    let document = if patch.is_empty() { String::new() } else { json!({ CHANGED: patch }).to_string() };
    let amendment = Box::new(Amendment { document, terms: told, lines, ..Amendment::default() });
    Ok(ShopCall::Amend { order, amendment })
}

/// The lines that are named, and what is said of each, by its id.
fn lines(order: &Fields<'_>) -> Result<(Vec<Reference>, Map<String, Value>), Response> {
    let (mut named, mut later) = (Vec::new(), Map::new());
    let entries = order.objects("line_items", ENTRIES_PER_REQUEST_MAX).map_err(|m| reject::malformed(&m))?;
    for line in entries {
        let id = id(&line, "id")?.ok_or_else(|| missing(&line, "id"))?;
        let texts = texts(&line, &[("tags", "tags")]).map_err(|m| reject::malformed(&m))?;
        named.push(ids::line_reference(&id));
        later.insert(id, texts.into());
    }
    Ok((named, later))
}

/// Those of the texts that are there, under the names that answers have for them.
fn texts(fields: &Fields<'_>, keys: &[(&str, &str)]) -> Result<Map<String, Value>, Malformed> {
    let mut found = Map::new();
    for (asked, shown) in keys {
        let text = fields.text_or_empty(asked, TEXT_CHARS_MAX)?;
        if !text.trim().is_empty() {
            found.insert((*shown).to_owned(), text.into());
        }
    }
    Ok(found)
}

/// What a patch changes of what the order is found by.
fn terms_of(patch: &Map<String, Value>) -> TermChange {
    let kinds = [
        ("email", TermKind::CustomerEmail),
        ("phone", TermKind::CustomerPhone),
        ("customer", TermKind::Customer),
        ("tags", TermKind::Tag),
    ];
    let gone = kinds.into_iter().filter(|(key, _)| patch.contains_key(*key)).map(|(_, kind)| kind).collect();
    TermChange::Changed { gone, more: terms::of(&Value::Object(patch.clone())) }
}
