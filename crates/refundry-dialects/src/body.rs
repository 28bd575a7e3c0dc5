//! Reads JSON bodies key by key, so that a refusal can name the field and say what to change.
//!
//! Numbers keep their text (`serde_json` with arbitrary precision), so a decimal never passes through a float.

use refundry_core::money::{Decimal, DecimalError};
use serde_json::{Map, Value};

/// What is wrong with a field: its path (`items[0].amount`), and what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where; empty for the body as a whole.
    pub field: String,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a field's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The body is no JSON: syntax, depth, UTF-8.
    Syntax(String),
    /// Required and not there.
    Missing,
    /// Of another type than this.
    Type(&'static str),
    /// Not among what is allowed, or out of range; what is allowed.
    Value(String),
    /// Not a key of this object.
    Unknown,
    /// Longer than this many characters or entries.
    TooLong(usize),
}

impl Malformed {
    /// A fault of a field.
    pub fn at(field: impl Into<String>, fault: Fault) -> Self {
        Self { field: field.into(), fault }
    }

    /// A sentence for people: what to change.
    pub fn sentence(&self) -> String {
        let field = if self.field.is_empty() { "the body" } else { &self.field };
        match &self.fault {
            Fault::Syntax(reason) => format!("the body is not valid JSON: {reason}"),
            Fault::Missing => format!("{field} is required"),
            Fault::Type(wanted) => format!("{field} must be {wanted}"),
            Fault::Value(allowed) => format!("{field} must be {allowed}"),
            Fault::Unknown => format!("{field} is not known here"),
            Fault::TooLong(max) => format!("{field} must not be longer than {max}"),
        }
    }
}

/// Reads a body; depth is bounded by the parser (128 levels), duplicate keys take the last value.
pub fn parse(bytes: &[u8]) -> Result<Value, Malformed> {
    serde_json::from_slice(bytes).map_err(|error| Malformed::at("", Fault::Syntax(error.to_string())))
}

/// An object of the body with the path that leads to it. `null` counts as absent everywhere.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The whole body, which must be an object.
    pub fn root(value: &'a Value) -> Result<Self, Malformed> {
        Self::of(value, "")
    }

    /// A value that must be an object; `path` is named in faults.
    pub fn of(value: &'a Value, path: &str) -> Result<Self, Malformed> {
        let map = value.as_object().ok_or_else(|| Malformed::at(path, Fault::Type("an object")))?;
        Ok(Self { path: path.to_owned(), map })
    }

    /// The path of a key below this object.
    pub fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A fault of a key below this object.
    pub fn fault(&self, key: &str, fault: Fault) -> Malformed {
        Malformed::at(self.path(key), fault)
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.map.keys().map(String::as_str)
    }

    /// The value, unless absent or `null`.
    pub fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A text without NUL, which no store of text takes.
    pub fn text(&self, key: &str) -> Result<Option<&'a str>, Malformed> {
        let wrong = || self.fault(key, Fault::Type("a string"));
        let text = self.value(key).map(|value| value.as_str().ok_or_else(wrong)).transpose()?;
        if text.is_some_and(|text| text.contains('\0')) {
            return Err(self.fault(key, Fault::Value("a text without NUL characters".to_owned())));
        }
        Ok(text)
    }

    /// A text of at most `max` characters, empty where absent.
    pub fn text_or_empty(&self, key: &str, max: usize) -> Result<String, Malformed> {
        let text = self.text(key)?.unwrap_or_default();
        if text.chars().count() > max {
            return Err(self.fault(key, Fault::TooLong(max)));
        }
        Ok(text.to_owned())
    }

    /// A text or a number as its text: ids and amounts where both are accepted.
    pub fn text_or_number(&self, key: &str) -> Result<Option<String>, Malformed> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(_)) => Ok(self.text(key)?.map(str::to_owned)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.fault(key, Fault::Type("a string or a number"))),
        }
    }

    /// True or false.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, Malformed> {
        let wrong = || self.fault(key, Fault::Type("true or false"));
        self.value(key).map(|value| value.as_bool().ok_or_else(wrong)).transpose()
    }

    /// A whole number, as a JSON number (`1`, `1.0`) or as text (`"1"`, `"1.0000"`).
    pub fn whole(&self, key: &str) -> Result<Option<i64>, Malformed> {
        let wrong = || self.fault(key, Fault::Type("a whole number"));
        let Some(text) = self.text_or_number(key).map_err(|_| wrong())? else { return Ok(None) };
        let decimal = Decimal::parse_json_number(text.trim()).map_err(|_| wrong())?;
        let (mantissa, scale) = decimal.rounded_to(0).parts();
        if scale == 0 && decimal == Decimal::from_parts(mantissa, 0) {
            return i64::try_from(mantissa).map(Some).map_err(|_| wrong());
        }
        Err(wrong())
    }

    /// A decimal amount; `exponents` says whether a JSON number may be written `1e1`. Texts never may.
    pub fn decimal(&self, key: &str, exponents: bool) -> Result<Option<Decimal>, Malformed> {
        let read = match self.value(key) {
            None => return Ok(None),
            Some(Value::Number(number)) if exponents => Decimal::parse_json_number(&number.to_string()),
            Some(Value::Number(number)) => Decimal::parse(&number.to_string()),
            Some(Value::String(text)) => Decimal::parse(text.trim()),
            Some(_) => return Err(self.fault(key, Fault::Type("a decimal amount"))),
        };
        read.map(Some).map_err(|error| match error {
            DecimalError::Malformed => self.fault(key, Fault::Type("a decimal amount")),
            DecimalError::TooLong => self.fault(key, Fault::Value("an amount of at most 30 digits".to_owned())),
        })
    }

    /// An object.
    pub fn object(&self, key: &str) -> Result<Option<Fields<'a>>, Malformed> {
        self.value(key).map(|value| Fields::of(value, &self.path(key))).transpose()
    }

    /// A list of objects, empty where absent, of at most `max` entries.
    pub fn objects(&self, key: &str, max: usize) -> Result<Vec<Fields<'a>>, Malformed> {
        let Some(value) = self.value(key) else { return Ok(Vec::new()) };
        let entries = value.as_array().ok_or_else(|| self.fault(key, Fault::Type("a list")))?;
        if entries.len() > max {
            return Err(self.fault(key, Fault::TooLong(max)));
        }
        let path = self.path(key);
        entries.iter().enumerate().map(|(i, entry)| Fields::of(entry, &format!("{path}[{i}]"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_with_nul_is_refused_by_name() {
        let body = json!({"note": {"text": "a\u{0}b"}});
        let fields = Fields::root(&body).unwrap().object("note").unwrap().unwrap();
        let sentence = "note.text must be a text without NUL characters";
        assert_eq!(fields.text("text").unwrap_err().sentence(), sentence);
        assert_eq!(fields.text_or_empty("text", 10).unwrap_err().sentence(), sentence);
        assert_eq!(fields.text_or_number("text").unwrap_err().sentence(), sentence);
    }
}
