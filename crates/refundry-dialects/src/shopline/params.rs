//! Reading requests: queries, bodies, and what counts as not there.
//!
//! Clients made by the platform's generator drop `false`, `0` and `""`, and send `{}` for objects that are not set, so
//! all of these are one with a missing key here.

use refundry_core::command::CurrencyAsk;
use refundry_core::limits::{ENTRIES_PER_REQUEST_MAX, EXTERNAL_ID_CHARS_MAX};
use refundry_core::money::Decimal;
use serde_json::{Map, Value};

use super::{Version, reject};
use crate::body::{self, Fault, Fields};
use crate::text::{parse_time, query_pairs};
use crate::wire::{Request, Response};

/// Refuses a caller that takes anything but JSON.
pub(super) fn check_accept(request: &Request<'_>) -> Result<(), Response> {
    // A list that is sent in several lines is one list.
    let lines = request.headers.iter().filter(|(name, _)| *name == "accept").map(|(_, value)| value.as_ref());
    let accept = lines.filter(|text: &&str| !text.trim().is_empty()).collect::<Vec<&str>>().join(",");
    if accept.is_empty() {
        return Ok(());
    }
    // The most specific range that covers JSON decides, as RFC 9110 has it.
    let ranks = ["*/*", "application/*", "application/json"];
    let covering = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next()?.to_ascii_lowercase();
        let rank = ranks.iter().position(|r| *r == media)?;
        let refused = parts.any(|p| p.split_once('=').is_some_and(|(name, q)| is_zero_weight(name, q)));
        Some((rank, !refused))
    });
    match covering.max() {
        Some((_, true)) => Ok(()),
        Some((_, false)) | None => Err(reject::errors(406, "Not Acceptable: answers are application/json only")),
    }
}

fn is_zero_weight(name: &str, weight: &str) -> bool {
    let zero = Decimal::parse(weight.trim()).is_ok_and(|w| w == Decimal::ZERO);
    name.trim().eq_ignore_ascii_case("q") && zero
}

/// The JSON object that a request carries, without what counts as absent; no body at all is an empty one.
pub(super) fn body(request: &Request<'_>) -> Result<Value, Response> {
    if request.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    check_content_type(request)?;
    let mut body = body::parse(request.body).map_err(|m| reject::malformed(&m))?;
    drop_unset(&mut body);
    Ok(body)
}

/// The whole body as fields.
pub(super) fn root(body: &Value) -> Result<Fields<'_>, Response> {
    Fields::root(body).map_err(|m| reject::malformed(&m))
}

fn check_content_type(request: &Request<'_>) -> Result<(), Response> {
    let media = request.header("content-type").unwrap_or_default().trim().to_ascii_lowercase();
    if media.starts_with("application/json") {
        return Ok(());
    }
    Err(reject::bad_request("Content-Type must be application/json; charset=utf-8"))
}

/// Removes what counts as absent from all objects: `null`, blank texts, empty objects and lists.
pub(super) fn drop_unset(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(drop_unset);
            map.retain(|_, value| !is_unset(value));
        }
        // Entries keep their places: an empty one is a mistake to be named, not nothing.
        Value::Array(entries) => entries.iter_mut().for_each(drop_unset),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

pub(super) fn missing(fields: &Fields<'_>, key: &str) -> Response {
    reject::malformed(&fields.fault(key, Fault::Missing))
}

pub(super) fn objects<'a>(fields: &Fields<'a>, key: &str) -> Result<Vec<Fields<'a>>, Response> {
    fields.objects(key, ENTRIES_PER_REQUEST_MAX).map_err(|m| reject::malformed(&m))
}

pub(super) fn flag(fields: &Fields<'_>, key: &str) -> Result<bool, Response> {
    fields.flag(key).map(Option::unwrap_or_default).map_err(|m| reject::malformed(&m))
}

/// An id or name, as text or number; ids of 26 digits are beyond any integer, so it stays text.
pub(super) fn id(fields: &Fields<'_>, key: &str) -> Result<Option<String>, Response> {
    let text = fields.text_or_number(key).map_err(|m| reject::malformed(&m))?;
    let Some(text) = text.map(|t| t.trim().to_owned()) else { return Ok(None) };
    if text.chars().count() > EXTERNAL_ID_CHARS_MAX {
        return Err(reject::malformed(&fields.fault(key, Fault::TooLong(EXTERNAL_ID_CHARS_MAX))));
    }
    // A typed client that never set a numeric id would have dropped this zero.
    Ok(Some(text).filter(|t| t != "0"))
}

/// One of a few words, case and all; absent gives `None`.
pub(super) fn word<T>(
    fields: &Fields<'_>,
    key: &str,
    name: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Response> {
    let text = fields.text(key).map_err(|m| reject::malformed(&m))?;
    text.map(|text| read(text).ok_or_else(|| reject::unprocessable(format!("{name} is invalid")))).transpose()
}

/// An amount: a plain decimal, as text or number, never with an exponent.
pub(super) fn amount(fields: &Fields<'_>, key: &str) -> Result<Option<Decimal>, Response> {
    let text = fields.text_or_number(key).map_err(|m| reject::malformed(&m))?;
    let read = text.map(|text| Decimal::parse(text.trim())).transpose();
    read.map_err(|_| reject::unprocessable("amount is invalid"))
}

/// An amount that the platform types as a number: some languages print large doubles with an exponent.
pub(super) fn double(fields: &Fields<'_>, key: &str) -> Result<Option<Decimal>, Response> {
    let Some(Value::Number(number)) = fields.value(key) else { return amount(fields, key) };
    let read = Decimal::parse_json_number(&number.to_string());
    read.map(Some).map_err(|_| reject::unprocessable("amount is invalid"))
}

/// A time in ISO 8601.
pub(super) fn time_ms(fields: &Fields<'_>, key: &str) -> Result<Option<i64>, Response> {
    let text = fields.text(key).map_err(|m| reject::malformed(&m))?;
    text.map(|text| parse_time(text).ok_or_else(|| not_a_time(key))).transpose()
}

fn not_a_time(key: &str) -> Response {
    reject::unprocessable(format!("{key} is invalid: use ISO 8601, e.g. 2023-04-12T22:59:52+08:00"))
}

/// Versions before the field ignore it; later ones take its absence for the store's currency.
pub(super) fn currency(version: Version, fields: &Fields<'_>) -> Result<CurrencyAsk, Response> {
    if version < Version::WITH_CURRENCIES {
        return Ok(CurrencyAsk::Unsaid);
    }
    let code = fields.text("currency").map_err(|m| reject::malformed(&m))?;
    Ok(code.map_or(CurrencyAsk::ShopAssumed, |code| CurrencyAsk::Is(code.trim().to_owned())))
}

/// When it counts as done; versions before the field ignore it.
pub(super) fn processed_ms(version: Version, fields: &Fields<'_>) -> Result<Option<i64>, Response> {
    if version < Version::WITH_CURRENCIES {
        return Ok(None);
    }
    time_ms(fields, "processed_at")
}

/// The query of a request; a parameter that is blank is not there, and of several the first counts.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(request: &Request<'_>) -> Self {
        Self::read(request.query)
    }

    /// Reads `a=1&b=2`.
    pub(super) fn read(text: &str) -> Self {
        Self(query_pairs(text))
    }

    /// A list as one parameter, however often it was given, and under `key[]` too, as some languages write lists.
    pub(super) fn joined(self, key: &str) -> Self {
        let entries = self.list(key).join(",");
        let others = self.0.into_iter().filter(|(name, _)| name != key && name.strip_suffix("[]") != Some(key));
        Self(others.chain((!entries.is_empty()).then(|| (key.to_owned(), entries))).collect())
    }

    /// Parameters that were read before.
    pub(super) const fn of_pairs(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.trim());
        found.filter(|text| !text.is_empty())
    }

    /// The entries of a list: with commas between them, or one parameter each, or both.
    pub(super) fn list(&self, key: &str) -> Vec<&str> {
        let named = self.0.iter().filter(|(name, _)| name == key || name.strip_suffix("[]") == Some(key));
        let entries = named.flat_map(|(_, value)| value.split(',')).map(str::trim);
        entries.filter(|entry| !entry.is_empty()).collect()
    }

    /// A whole number.
    pub(super) fn whole(&self, key: &str) -> Result<Option<i64>, Response> {
        let number = self.text(key).map(str::parse::<i64>).transpose();
        number.map_err(|_| reject::bad_request(&format!("{key} must be a whole number")))
    }

    /// Entries of a page: from 1 to `max`, `default` where it does not say.
    pub(super) fn limit(&self, default: u32, max: u32) -> Result<u32, Response> {
        let limit = self.whole("limit")?.unwrap_or(i64::from(default));
        let limit = u32::try_from(limit).ok().filter(|n| (1..=max).contains(n));
        limit.ok_or_else(|| reject::unprocessable(format!("limit must be from 1 to {max}")))
    }

    /// A time in ISO 8601. The `+` of its offset is a blank where the caller did not escape it.
    pub(super) fn time_ms(&self, key: &str) -> Result<Option<i64>, Response> {
        let ahead = |text: &str| text.rsplit_once(' ').and_then(|(at, offset)| parse_time(&format!("{at}+{offset}")));
        let read = |text: &str| parse_time(text).or_else(|| ahead(text)).ok_or_else(|| not_a_time(key));
        self.text(key).map(read).transpose()
    }

    /// True or false.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Response> {
        let read = |text: &str| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(reject::bad_request(&format!("{key} must be true or false"))),
        };
        self.text(key).map(read).transpose()
    }
}

/// Cuts an entry of a list down to the keys that the query's `fields` names.
pub(super) fn only_fields(query: &Query, entry: &mut Value) {
    let Some(names) = query.text("fields") else { return };
    let wanted: Vec<&str> = names.split(',').map(str::trim).collect();
    if let Some(map) = entry.as_object_mut() {
        map.retain(|key, _| wanted.contains(&key.as_str()));
    }
}
