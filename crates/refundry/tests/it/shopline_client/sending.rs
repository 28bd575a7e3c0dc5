//! What is sent: as the vendor's generated clients write a request, and how they read the `link` of a list.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// A body as a generated client sends it: objects that are not set go as `{}`, and `false`, 0 and "" are dropped.
///
/// `objects` has the objects that a request may have, empty ones inside each other; `[{…}]` is of every entry.
pub(super) fn as_sent(body: &Value, objects: &Value) -> Value {
    let mut body = body.clone();
    fill(&mut body, objects);
    drop_unset(&mut body);
    body
}

fn fill(value: &mut Value, objects: &Value) {
    match (value, objects) {
        (Value::Object(map), Value::Object(objects)) => {
            for (key, inner) in objects {
                if inner.is_array() && !map.contains_key(key) {
                    continue;
                }
                fill(map.entry(key.clone()).or_insert_with(|| Value::Object(Map::new())), inner);
            }
        }
        (Value::Array(entries), Value::Array(objects)) => {
            for entry in entries {
                for inner in objects {
                    fill(entry, inner);
                }
            }
        }
        _ => {}
    }
}

fn drop_unset(value: &mut Value) {
    match value {
        Value::Array(entries) => entries.iter_mut().for_each(drop_unset),
        Value::Object(map) => {
            map.retain(|_, value| match value {
                Value::Null | Value::Bool(false) => false,
                Value::Bool(true) | Value::Object(_) => true,
                Value::Number(number) => number.to_string().bytes().any(|b| (b'1'..=b'9').contains(&b)),
                Value::String(text) => !text.is_empty(),
                Value::Array(entries) => !entries.is_empty(),
            });
            map.values_mut().for_each(drop_unset);
        }
        _ => {}
    }
}

/// `?name=value&…`, every value written as a text; empty for none.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                write!(text, "%{byte:02X}").expect("a text takes all");
            }
        }
    }
    text
}

/// Where a list goes on, and where it came from.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Links {
    pub(super) next: Option<String>,
    pub(super) previous: Option<String>,
}

/// Reads the header as the strictest clients do: split at every comma, and each entry to the letter.
pub(super) fn links(header: &str) -> Result<Links, String> {
    let mut links = Links::default();
    for entry in header.split(',') {
        let parts = entry.strip_prefix('<').and_then(|rest| rest.split_once(">; rel=\""));
        let (url, rel) = parts.ok_or_else(|| format!("not <url>; rel=\"…\": `{entry}`"))?;
        let place = match rel {
            "next\"" => &mut links.next,
            "previous\"" => &mut links.previous,
            _ => return Err(format!("neither next nor previous: `{entry}`")),
        };
        let (_, query) = url.split_once('?').ok_or_else(|| format!("no query: `{url}`"))?;
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap_or_default();
        if value("page_info=").is_empty() || value("limit=").parse::<u32>().is_err() {
            return Err(format!("no page_info or no limit: `{url}`"));
        }
        if place.replace(url.to_owned()).is_some() {
            return Err(format!("twice the same: `{header}`"));
        }
    }
    Ok(links)
}
