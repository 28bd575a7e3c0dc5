//! The document of an order of this platform, as it was read or made here: texts that the books do not have.
//!
//! Whatever is in it was checked when it came in, or is somebody's own; so reading it is lenient, and what is no text
//! where a text belongs is as good as not there. Texts that changed later stand under `_lines`, by the line's id,
//! because a merge patch replaces whole lists.

use refundry_core::money::Amount;
use refundry_core::order::{Dialect, Order};
use serde_json::{Number, Value};

use crate::body::Fields;
use crate::shopline::till::Till;
use crate::text::{parse_time, rfc3339_offset};
use crate::wire::OrderView;

/// Where a document has what was changed through this API: beside the order as it came in, whose shape is its
/// platform's own.
pub(super) const CHANGED: &str = "_shopline";

/// The order of a document with what was changed of it; that of another platform says nothing here but that.
pub(in crate::shopline) struct Document(Value);

impl Document {
    pub(in crate::shopline) fn of(view: &OrderView) -> Self {
        let whole: Value = serde_json::from_str(&view.document).unwrap_or_default();
        let is_ours = view.facts.order.origin == Dialect::Shopline;
        let mut order = if is_ours { Kept::order(&whole).whole() } else { Value::Null };
        if let Some(changed) = whole.get(CHANGED) {
            lay_over(&mut order, changed);
        }
        Self(order)
    }

    /// The order in it.
    pub(in crate::shopline) fn order(&self) -> Kept<'_> {
        Kept(Some(&self.0))
    }
}

/// Objects grow together, anything else is replaced.
fn lay_over(target: &mut Value, over: &Value) {
    match (target, over) {
        (Value::Object(target), Value::Object(over)) => {
            for (key, value) in over {
                lay_over(target.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (target, over) => over.clone_into(target),
    }
}

/// An object of the document, or nothing.
#[derive(Clone, Copy)]
pub(in crate::shopline) struct Kept<'a>(Option<&'a Value>);

impl<'a> Kept<'a> {
    /// The order of a document, which may stand under `order`.
    pub(in crate::shopline) fn order(document: &'a Value) -> Self {
        let whole = Self(Some(document));
        let inner = whole.object("order");
        if inner.0.is_some() { inner } else { whole }
    }

    pub(super) const fn nothing() -> Self {
        Self(None)
    }

    pub(super) fn value(self, key: &str) -> Option<&'a Value> {
        self.0?.get(key).filter(|value| !value.is_null())
    }

    /// A text, or a number as its text; empty where there is none.
    pub(in crate::shopline) fn text(self, key: &str) -> String {
        match self.value(key) {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    /// A text, unless it is empty.
    pub(super) fn some_text(self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    /// A time as this API writes it; empty where there is none.
    pub(super) fn time(self, key: &str) -> String {
        parse_time(&self.text(key)).map_or_else(String::new, rfc3339_offset)
    }

    /// A time, unless there is none.
    pub(super) fn some_time(self, key: &str) -> Option<String> {
        Some(self.time(key)).filter(|time| !time.is_empty())
    }

    pub(super) fn flag(self, key: &str) -> Option<bool> {
        self.value(key)?.as_bool()
    }

    /// A number, or a text that is one.
    pub(super) fn number(self, key: &str) -> Option<Number> {
        self.text(key).parse().ok()
    }

    pub(in crate::shopline) fn object(self, key: &str) -> Self {
        Self(self.value(key).filter(|value| value.is_object()))
    }

    /// The objects of a list.
    pub(in crate::shopline) fn list(self, key: &str) -> Vec<Self> {
        let entries = self.value(key).and_then(Value::as_array);
        entries.into_iter().flatten().filter(|entry| entry.is_object()).map(|entry| Self(Some(entry))).collect()
    }

    /// The texts of a list.
    pub(super) fn texts(self, key: &str) -> Vec<&'a str> {
        self.value(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// An amount in the order's currency, not negative where it should not be.
    pub(super) fn amount(self, order: &Order, key: &str) -> Option<Amount> {
        let till = Till { books: order.currency, shop: order.shop.map(|shop| shop.currency) };
        till.signed(&Fields::root(self.0?).ok()?, key).ok()?
    }

    /// The object itself, to be shown with more.
    pub(super) fn whole(self) -> Value {
        self.0.cloned().unwrap_or_default()
    }
}
