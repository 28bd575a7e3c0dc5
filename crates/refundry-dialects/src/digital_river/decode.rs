//! What all request bodies and headers of this API have in common; metadata; the one update there is.
//!
//! A request is checked in stages: keys nobody knows, keys that are missing, values. The first stage that fails
//! answers, with everything that is wrong at that stage.

use std::collections::BTreeMap;

use refundry_core::limits::{METADATA_KEY_CHARS_MAX, METADATA_PAIRS_MAX, METADATA_VALUE_CHARS_MAX};
use refundry_core::money::Decimal;
use refundry_core::refund::MetaValue;
use serde_json::Value;

use super::ids::refund_reference;
use super::reject::{Problem, bad_request};
use crate::body::{self, Fault, Fields, Malformed};
use crate::wire::{Call, Request, Response};

/// API versions that a request may name. Refunds are the same in all of them.
const VERSIONS: [&str; 6] = ["2020-01-07", "2020-09-30", "2020-12-17", "2021-02-23", "2021-03-23", "2021-12-13"];

/// Decimal places that can matter; more only stand in front of digits that no amount has. Keeps products in range.
const SCALE_MAX: u32 = 30;

/// Metadata as it was sent; `None` for a key to remove.
pub(super) type Pairs = BTreeMap<String, Option<MetaValue>>;

/// Refuses an API version that never was.
pub(super) fn check_version(request: &Request<'_>) -> Result<(), Response> {
    let named = request.header("digitalriver-version").map_or("", str::trim);
    if named.is_empty() || VERSIONS.contains(&named) {
        return Ok(());
    }
    Err(bad_request(&[Problem::invalid("DigitalRiver-Version", "API version", named)]))
}

/// Reads a body that must be an object.
pub(super) fn parse(request: &Request<'_>) -> Result<Value, Response> {
    let broken = |fault: &Malformed| bad_request(&Problem::format(&fault.sentence()));
    let value = body::parse(request.body).map_err(|fault| broken(&fault))?;
    if !value.is_object() {
        return Err(broken(&Malformed::at("", Fault::Type("a JSON object"))));
    }
    Ok(value)
}

/// Answers with the problems of a stage, if it has any.
pub(super) fn stage(problems: &[Problem]) -> Result<(), Response> {
    if problems.is_empty() { Ok(()) } else { Err(bad_request(problems)) }
}

/// Keys of an object that have a value and that nobody knows.
pub(super) fn unknown_keys<'a>(fields: &'a Fields<'_>, known: &'a [&str]) -> impl Iterator<Item = Problem> + 'a {
    let strange = fields.keys().filter(|key| !known.contains(key) && fields.value(key).is_some());
    strange.map(|key| Problem::unknown(&fields.path(key)))
}

/// `POST /refunds/{id}`: sets or removes metadata pairs, and nothing else.
pub(super) fn update(refund: &str, request: &Request<'_>) -> Result<Call, Response> {
    let value = parse(request)?;
    let Ok(fields) = Fields::root(&value) else { return Err(bad_request(&Problem::format("it is no object"))) };
    stage(&unknown_keys(&fields, &["metadata"]).collect::<Vec<_>>())?;
    let metadata = metadata(&fields).map_err(|problem| bad_request(&[problem]))?;
    Ok(Call::AnnotateRefund { refund: refund_reference(refund), metadata })
}

/// Metadata: few, short, flat. `null` removes a key.
pub(super) fn metadata(fields: &Fields<'_>) -> Result<Pairs, Problem> {
    let Some(value) = fields.value("metadata") else { return Ok(Pairs::new()) };
    let Some(pairs) = value.as_object() else { return Err(Problem::invalid("metadata", "metadata", &shown(value))) };
    if pairs.values().filter(|value| !value.is_null()).count() > METADATA_PAIRS_MAX {
        let message = format!("Metadata has more than {METADATA_PAIRS_MAX} keys.");
        return Err(Problem::of("too_many_metadata_pairs", "metadata", message));
    }
    pairs.iter().map(|(key, value)| Ok((metadata_key(key)?, metadata_value(key, value)?))).collect()
}

fn metadata_key(key: &str) -> Result<String, Problem> {
    if !key.is_empty() && key.chars().count() <= METADATA_KEY_CHARS_MAX && is_storable(key) {
        return Ok(key.to_owned());
    }
    let message =
        format!("'{}' is not a valid metadata key: use 1 to {METADATA_KEY_CHARS_MAX} characters.", shortened(key));
    Err(Problem::of("invalid_metadata_key", "metadata", message))
}

fn metadata_value(key: &str, value: &Value) -> Result<Option<MetaValue>, Problem> {
    let wrong = |why: String| Err(Problem::of("invalid_metadata_value", &format!("metadata.{key}"), why));
    let read = match value {
        Value::Null => return Ok(None),
        Value::Bool(flag) => return Ok(Some(MetaValue::Bool(*flag))),
        Value::String(text) => MetaValue::Text(text.clone()),
        Value::Number(number) => MetaValue::Number(number.to_string()),
        Value::Array(_) | Value::Object(_) => {
            return wrong(format!("The value of '{key}' must be a string, a number or a boolean."));
        }
    };
    let (MetaValue::Text(text) | MetaValue::Number(text)) = &read else { return Ok(Some(read)) };
    if text.chars().count() > METADATA_VALUE_CHARS_MAX {
        return wrong(format!("The value of '{key}' is longer than {METADATA_VALUE_CHARS_MAX} characters."));
    }
    if !is_storable(text) {
        return wrong(format!("The value of '{key}' contains the character U+0000."));
    }
    Ok(Some(read))
}

/// Not every database holds every text: the null character is the one that PostgreSQL refuses.
pub(super) fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

/// A number as this API takes it: a JSON number, exponents allowed, or digits in a string.
pub(super) fn decimal(fields: &Fields<'_>, key: &str) -> Option<Decimal> {
    fields.decimal(key, true).ok().flatten().filter(|decimal| decimal.parts().1 <= SCALE_MAX)
}

/// A whole number in any of those spellings: `2`, `2.0`, `"2"`, `"2.0000"`.
pub(super) fn whole(decimal: Decimal) -> Option<i64> {
    let rounded = decimal.rounded_to(0);
    if rounded != decimal {
        return None;
    }
    let (mantissa, scale) = rounded.parts();
    (scale == 0).then(|| i64::try_from(mantissa).ok()).flatten()
}

/// The header of our own that says what the caller believes is left.
pub(super) fn refundable_before(request: &Request<'_>) -> Result<Option<Decimal>, Problem> {
    let Some(text) = request.header("refundable-before") else { return Ok(None) };
    let wrong = |_| Problem::invalid("Refundable-Before", "amount", text);
    Decimal::parse(text.trim()).map(Some).map_err(wrong)
}

/// A value as an error message repeats it.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| shortened(&value.to_string()), shortened)
}

/// A text as an error message repeats it: a long one is cut.
pub(super) fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
