//! How this API reads a body: keys it does not know are refused, money is a decimal string, whole numbers are numbers.

use refundry_core::limits::EXTERNAL_ID_CHARS_MAX;
use refundry_core::money::{Currency, Decimal, DecimalError};
use refundry_core::order::{Id, Reference};
use serde_json::Value;

use crate::body::{Fault, Fields, Malformed};
use crate::text::parse_time;

/// Digits of one of our numbers in text.
const ID_DIGITS: usize = 18;

/// Refuses every key that is not among `known`: a typo must not go unnoticed.
pub(super) fn only(fields: &Fields<'_>, known: &[&str]) -> Result<(), Malformed> {
    match fields.keys().find(|key| !known.contains(key)) {
        None => Ok(()),
        Some(key) => Err(fields.fault(key, Fault::Unknown)),
    }
}

/// Our number in text.
pub(super) fn id_text(id: Id) -> String {
    format!("{id:018}")
}

/// Reads [`id_text`] back.
pub(super) fn read_id(text: &str) -> Option<Id> {
    let shaped = text.len() == ID_DIGITS && text.bytes().all(|b| b.is_ascii_digit());
    shaped.then(|| text.parse().ok()).flatten()
}

/// A name as sent: the caller's own id, or our number.
pub(super) fn reference(text: &str) -> Reference {
    let text = text.trim();
    Reference { text: text.to_owned(), ours: read_id(text) }
}

/// A text of at most `max` characters, empty where absent.
pub(super) fn text_of(fields: &Fields<'_>, key: &str, max: usize) -> Result<String, Malformed> {
    fields.text_or_empty(key, max)
}

/// An id: a text that is neither blank nor longer than ids may be.
pub(super) fn id<'a>(fields: &Fields<'a>, key: &str) -> Result<Option<&'a str>, Malformed> {
    let Some(id) = fields.text(key)?.map(str::trim) else { return Ok(None) };
    if id.is_empty() {
        return Err(fields.fault(key, Fault::Value("an id of at least one character".to_owned())));
    }
    if id.chars().count() > EXTERNAL_ID_CHARS_MAX {
        return Err(fields.fault(key, Fault::TooLong(EXTERNAL_ID_CHARS_MAX)));
    }
    Ok(Some(id))
}

/// An id that must be there.
pub(super) fn required_id<'a>(fields: &Fields<'a>, key: &str) -> Result<&'a str, Malformed> {
    id(fields, key)?.ok_or_else(|| fields.fault(key, Fault::Missing))
}

/// Money or a percentage: a decimal string. JSON numbers pass through binary floats on their way in most languages.
pub(super) fn decimal(fields: &Fields<'_>, key: &str) -> Result<Option<Decimal>, Malformed> {
    fields.value(key).map(|value| decimal_of(value).map_err(|fault| fields.fault(key, fault))).transpose()
}

/// The decimal of a value.
pub(super) fn decimal_of(value: &Value) -> Result<Decimal, Fault> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => {
            return Err(Fault::Value(format!("a string: send \"{number}\", not the JSON number {number}")));
        }
        _ => return Err(Fault::Type("a decimal string such as \"9.99\"")),
    };
    Decimal::parse(text).map_err(|error| match error {
        DecimalError::Malformed => Fault::Type("a decimal string such as \"9.99\""),
        DecimalError::TooLong => Fault::Value("a decimal of at most 30 digits".to_owned()),
    })
}

/// A decimal that must be there.
pub(super) fn required_decimal(fields: &Fields<'_>, key: &str) -> Result<Decimal, Malformed> {
    decimal(fields, key)?.ok_or_else(|| fields.fault(key, Fault::Missing))
}

/// A whole number, as a JSON number without point or exponent.
pub(super) fn whole(fields: &Fields<'_>, key: &str) -> Result<Option<i64>, Malformed> {
    let wrong = || fields.fault(key, Fault::Type("a whole number such as 2"));
    match fields.value(key) {
        None => Ok(None),
        Some(Value::Number(number)) => number.to_string().parse().map(Some).map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}

/// A count of units, zero or above.
pub(super) fn count(fields: &Fields<'_>, key: &str) -> Result<Option<u32>, Malformed> {
    let wrong = || fields.fault(key, Fault::Value("a whole number from 0 to 100000".to_owned()));
    whole(fields, key)?.map(|n| u32::try_from(n).map_err(|_| wrong())).transpose()
}

/// A currency that ISO 4217 lists.
pub(super) fn currency(fields: &Fields<'_>, key: &str) -> Result<Option<Currency>, Malformed> {
    let wrong = || fields.fault(key, Fault::Value("a currency of ISO 4217, such as \"USD\"".to_owned()));
    fields.text(key)?.map(|code| Currency::parse(code).ok_or_else(wrong)).transpose()
}

/// A time, as epoch milliseconds.
pub(super) fn time(fields: &Fields<'_>, key: &str) -> Result<Option<i64>, Malformed> {
    let wrong = || fields.fault(key, Fault::Value("an RFC 3339 time such as \"2026-01-31T09:30:00Z\"".to_owned()));
    fields.text(key)?.map(|text| parse_time(text).ok_or_else(wrong)).transpose()
}

/// One of a few codes.
pub(super) fn code<T>(
    fields: &Fields<'_>,
    key: &str,
    allowed: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Malformed> {
    let wrong = || fields.fault(key, Fault::Value(format!("one of {allowed}")));
    fields.text(key)?.map(|text| parse(text).ok_or_else(wrong)).transpose()
}
