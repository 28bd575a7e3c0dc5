//! Pages of a list: the `link` header that leads on and back, and the `page_info` in it.
//!
//! A client that finds no `link` takes the page for all there is, and some of them match its entries to the letter.

use refundry_core::query::{Page, RefundQuery};
use refundry_core::refund::Refund;
use serde_json::{Map, Value, json};

use super::ids;
use super::params::Query;
use crate::body;
use crate::wire::{RefundPage, Request};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Characters of a `page_info`: ours have about a hundred, and a few thousand where many orders are named.
const TOKEN_CHARS_MAX: usize = 8_192;

/// A `page_info`, read: where the page starts, and how long it is unless the caller says otherwise.
pub(super) struct PageInfo {
    pub(super) page: Page,
    pub(super) limit: u32,
}

impl PageInfo {
    /// Reads what [`link`] printed; `None` for anything else.
    pub(super) fn read(token: &str) -> Option<Self> {
        let token = Token::read(token)?;
        let id = ids::refund_reference(&token.id);
        Some(Self { page: if token.back { Page::Before(id) } else { Page::After(id) }, limit: token.limit })
    }
}

/// What stands in a `page_info`. The platform's have the first three; it is opaque to callers, so ours say more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// The entry at the end of a page, by our number, which is unique where platform ids are not.
    pub(super) id: String,
    /// The page before that entry, not the one behind it.
    pub(super) back: bool,
    /// Entries of a page.
    pub(super) limit: u32,
    /// By which that entry was sorted.
    pub(super) key_ms: Option<i64>,
    /// The list goes up though nobody said so.
    pub(super) upwards: bool,
    /// What was asked for, by key.
    pub(super) filters: Map<String, Value>,
}

impl Token {
    /// A token without what only some lists need.
    pub(super) fn new(id: String, back: bool, limit: u32) -> Self {
        Self { id, back, limit, key_ms: None, upwards: false, filters: Map::new() }
    }

    /// Reads what [`Token::write`] wrote; `None` for anything else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let info = body::parse(&from_base64(text)?).ok()?;
        let back = match info.get("direction")?.as_str()? {
            "next" => false,
            "prev" => true,
            _ => return None,
        };
        Some(Self {
            id: info.get("sinceId")?.as_str()?.to_owned(),
            back,
            limit: info.get("limit").and_then(Value::as_u64).and_then(|limit| u32::try_from(limit).ok())?,
            key_ms: info.get("at").and_then(Value::as_i64),
            upwards: info.get("up").and_then(Value::as_bool).unwrap_or_default(),
            filters: info.get("q").and_then(Value::as_object).cloned().unwrap_or_default(),
        })
    }

    /// What was asked for under a key.
    pub(super) fn filter(&self, key: &str) -> Option<(String, String)> {
        Some((key.to_owned(), self.filters.get(key)?.as_str()?.to_owned()))
    }

    pub(super) fn write(self) -> String {
        let direction = if self.back { "prev" } else { "next" };
        let mut info = json!({ "sinceId": self.id, "direction": direction, "limit": self.limit });
        if let Some(key_ms) = self.key_ms {
            info["at"] = key_ms.into();
        }
        if self.upwards {
            info["up"] = true.into();
        }
        if !self.filters.is_empty() {
            info["q"] = self.filters.into();
        }
        to_base64(info.to_string().as_bytes())
    }
}

/// The `link` header of a page; `None` where it is all there is.
pub(super) fn link(request: &Request<'_>, query: &RefundQuery, page: &RefundPage) -> Option<String> {
    let (first, last) = (&page.refunds.first()?.refund, &page.refunds.last()?.refund);
    // A page after or before some refund has at least that one on its other side.
    let (back, on) = match query.page {
        Page::Before(_) => (page.has_more, true),
        Page::After(_) => (true, page.has_more),
        Page::Start | Page::Skip(_) | Page::Key { .. } => (false, page.has_more),
    };
    let token = |end: &Refund, back| Token::new(ids::minted_refund_id(end), back, query.limit).write();
    entries(request, query.limit, back.then(|| token(first, true)), on.then(|| token(last, false)))
}

/// The `link` header that leads to the pages of two tokens; `None` where there are none.
pub(super) fn entries(
    request: &Request<'_>,
    limit: u32,
    previous: Option<String>,
    next: Option<String>,
) -> Option<String> {
    let entry = |rel: &str, token: String| format!("<{}>; rel=\"{rel}\"", url(request, limit, &token));
    let previous = previous.map(|token| entry("previous", token));
    let next = next.map(|token| entry("next", token));
    let entries: Vec<String> = previous.into_iter().chain(next).collect();
    (!entries.is_empty()).then(|| entries.join(","))
}

/// The address that was asked, with another query; no comma in it, because clients split the header at commas.
fn url(request: &Request<'_>, limit: u32, token: &str) -> String {
    let query = Query::of(request);
    let fields = query.text("fields").map(|names| names.split(',').map(str::trim).collect::<Vec<&str>>().join(","));
    let fields = fields.map_or_else(String::new, |names| format!("&fields={}", escaped(&names)));
    let url = format!("{}{}?limit={limit}{fields}&page_info={token}", origin(request), request.path);
    url.replace(',', "%2C").replace('<', "%3C").replace('>', "%3E")
}

/// A text as it can stand in a query, whatever is in it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let digits = [byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16));
            escaped.push('%');
            escaped.extend(digits.into_iter().flatten().map(|digit| digit.to_ascii_uppercase()));
        }
    }
    escaped
}

/// `https://open001.myshopline.com`, as the caller named the server; empty where no sensible name was given.
fn origin(request: &Request<'_>) -> String {
    let is_host =
        |host: &&str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b));
    let Some(host) = request.header("host").map(str::trim).filter(is_host) else { return String::new() };
    // Of several proxies the first one is the caller's.
    let proto = request.header("x-forwarded-proto").unwrap_or_default().split(',').next().unwrap_or_default();
    let is_https = proto.trim().eq_ignore_ascii_case("https");
    format!("{}://{host}", if is_https { "https" } else { "http" })
}

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let six = (bits >> (18 - 6 * place)) & 63;
            text.extend(usize::try_from(six).ok().and_then(|at| ALPHABET.get(at)).map(|b| char::from(*b)));
        }
    }
    text
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    if text.len() > TOKEN_CHARS_MAX {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.bytes() {
        let six = ALPHABET.iter().position(|b| *b == byte).and_then(|at| u32::try_from(at).ok())?;
        (bits, held) = ((bits << 6 | six) & 0xffff, held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_back_and_nothing_else_is() {
        for text in ["", "f", "fo", "foo", "foob", "fooba", "{\"sinceId\":\"2605755870074105241861\"}"] {
            assert_eq!(from_base64(&to_base64(text.as_bytes())).as_deref(), Some(text.as_bytes()), "{text}");
        }
        assert_eq!(to_base64(b"\xfb\xff\xfe"), "-__-");
        let read = |json: &str| PageInfo::read(&to_base64(json.as_bytes())).map(|info| (info.page, info.limit));
        let id = ids::refund_reference("2600120000000000000001");
        let next = r#"{"sinceId":"2600120000000000000001","direction":"next","limit":7}"#;
        assert_eq!(read(next), Some((Page::After(id.clone()), 7)));
        assert_eq!(read(&next.replace("next", "prev")), Some((Page::Before(id), 7)));
        for wrong in ["{}", "[]", "x", &next.replace("next", "up"), &next.replace('7', "-7")] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(PageInfo::read("$").is_none());
        assert!(PageInfo::read(&"A".repeat(10_000)).is_none());
    }
}
