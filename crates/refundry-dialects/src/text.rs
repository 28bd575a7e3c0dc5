//! Texts that several dialects share: query strings, times, ids in a platform's shape.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use refundry_core::order::Id;

/// Key–value pairs of a query string, percent-decoded, in order; invalid escapes are kept as they are.
pub fn query_pairs(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let decode = |text: &str| percent_decode(&text.replace('+', " "));
    parts
        .map(|part| match part.split_once('=') {
            Some((key, value)) => (decode(key), decode(value)),
            None => (decode(part), String::new()),
        })
        .collect()
}

/// Replaces `%41` by `A`; what is no escape, or not UTF-8 afterwards, stays.
pub fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = (*first == b'%').then(|| tail.get(..2)).flatten().and_then(|h| std::str::from_utf8(h).ok());
        let escaped =
            hex.filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit())).and_then(|h| u8::from_str_radix(h, 16).ok());
        if let Some(byte) = escaped {
            bytes.push(byte);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// `2024-06-24T08:17:59Z`.
pub fn rfc3339_seconds(ms: i64) -> String {
    let seconds = ms.div_euclid(1_000);
    Timestamp::from_second(seconds).map_or_else(|_| String::new(), |t| t.to_string())
}

/// `2024-06-24T08:17:59+00:00`.
pub fn rfc3339_offset(ms: i64) -> String {
    let text = rfc3339_seconds(ms);
    text.strip_suffix('Z').map_or(text.clone(), |head| format!("{head}+00:00"))
}

/// `2024-06-24T08:17:59.123Z`.
pub fn rfc3339_millis(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |t| format!("{t:.3}"))
}

/// Reads ISO 8601: `Z` or a numeric offset, fractions allowed; without zone, and a bare date, as UTC.
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_millisecond());
    }
    let civil = text.parse::<DateTime>().ok().or_else(|| text.parse::<Date>().ok().map(|d| d.at(0, 0, 0, 0)))?;
    TimeZone::UTC.to_timestamp(civil).ok().map(Timestamp::as_millisecond)
}

/// Our number behind a prefix, filled with zeros to `digits` in all: SHOPLINE's `210` + 23 digits.
pub fn padded_id(prefix: &str, digits: usize, id: Id) -> String {
    let width = digits.saturating_sub(prefix.len());
    format!("{prefix}{id:0>width$}")
}

/// Reads [`padded_id`] back; `None` for any other text.
pub fn read_padded_id(prefix: &str, digits: usize, text: &str) -> Option<Id> {
    if text.len() != digits || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.strip_prefix(prefix)?.parse().ok()
}

/// Our number as a UUID (version 8), for platforms whose ids are UUIDs.
pub fn uuid_of(id: Id) -> String {
    let (high, middle, low) = (id >> 32, (id >> 16) & 0xffff, id & 0xffff);
    format!("{high:08x}-{middle:04x}-8000-8000-00000000{low:04x}")
}

/// Reads [`uuid_of`] back; `None` for any other text.
pub fn read_uuid(text: &str) -> Option<Id> {
    let mut parts = text.split('-');
    let (high, middle, version, variant, tail) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let low = tail.strip_prefix("00000000")?;
    let shaped = version == "8000" && variant == "8000" && (high.len(), middle.len(), low.len()) == (8, 4, 4);
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    (shaped && parts.next().is_none()).then_some(())?;
    Some((hex(high)? << 32) | (hex(middle)? << 16) | hex(low)?)
}
