//! Finds the order, its transactions and its refund records in a document, whatever they are wrapped in.

use serde_json::{Map, Value};

/// The parts of a document; absent lists are `None`.
pub(super) struct Document<'a> {
    /// The order object.
    pub(super) order: &'a Value,
    /// Where the order is, as a prefix for faults: `order`, or empty for a bare order.
    pub(super) path: &'static str,
    /// `transactions`.
    pub(super) transactions: Option<&'a Value>,
    /// `refund_records`.
    pub(super) refund_records: Option<&'a Value>,
}

impl Document<'_> {
    /// The document as it is kept, wherever its parts were: the order below `order`, so that changes find it.
    pub(super) fn kept(&self) -> String {
        let mut kept = Map::new();
        let parts = [("transactions", self.transactions), ("refund_records", self.refund_records)];
        for (key, part) in [("order", Some(self.order))].into_iter().chain(parts) {
            kept.extend(part.map(|part| (key.to_owned(), part.clone())));
        }
        Value::Object(kept).to_string()
    }
}

/// Reads `{"order":…}`, `{"data":{"order":…}}` (the modern envelope) or a bare order.
pub(super) fn parts(document: &Value) -> Document<'_> {
    let is_object = |value: &&Value| value.is_object();
    let enveloped = document.get("data").filter(is_object).filter(|data| data.get("order").is_some());
    let root = enveloped.unwrap_or(document);
    let beside = |key: &str| {
        let found = root.get(key).or_else(|| document.get(key));
        found.filter(|value| !value.is_null())
    };
    let (order, path) = match root.get("order") {
        Some(order) if enveloped.is_some() => (order, "data.order"),
        Some(order) => (order, "order"),
        None => (root, ""),
    };
    Document { order, path, transactions: beside("transactions"), refund_records: beside("refund_records") }
}
