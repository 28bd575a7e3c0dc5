//! Endpoints about subscriptions to what happens, and deliveries of it.
//!
//! Public documentation: <https://www.shoplazza.dev/reference/create-webhook>,
//! <https://www.shoplazza.dev/reference/webhook-list>, <https://www.shoplazza.dev/docs/webhooks-properties>.

use refundry_core::event::EventKind;
use refundry_core::limits::ADDRESS_BYTES_MAX;
use refundry_core::order::{Dialect, Id};
use refundry_core::query::Page;
use serde_json::{Value, json};

use super::Version;
use super::decode::Bad;
use super::encode::envelope;
use super::list::{self, Params};
use super::reject::{by_field, not_found};
use crate::body::{self, Fault, Fields, Malformed};
use crate::hooks::{HookCall, HookDraft, HookFault, HookQuery, HookReply, HookView, Topic, host_of};
use crate::text::{percent_decode, query_pairs, read_uuid, rfc3339_seconds, uuid_of};
use crate::wire::{Request, Response, Routed, Scope};

mod delivery;

pub use delivery::{body, headers};

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 250;
const BLANK: &str = "can't be blank";
const INVALID: &str = "is invalid";
const TAKEN: &str = "has already been taken";

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Webhook List: `GET /webhooks`.
    List,
    /// Create Webhook: `POST /webhooks`.
    Create,
    /// Webhook Count: `GET /webhooks/count`.
    Count,
    /// Webhook Details: `GET /webhooks/{id}`.
    Get(String),
    /// Update Webhook: `PUT /webhooks/{id}`.
    Change(String),
    /// Delete Webhook: `DELETE /webhooks/{id}`.
    Remove(String),
}

/// The endpoint of a method and a path below the version; `None` where the path is none of these.
pub(super) fn route(_version: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    Some(match (path, method) {
        (["webhooks"], "GET") => Routed::To(Endpoint::List),
        (["webhooks"], "POST") => Routed::To(Endpoint::Create),
        (["webhooks"], _) => Routed::MethodNotAllowed("GET, POST"),
        (["webhooks", "count"], "GET") => Routed::To(Endpoint::Count),
        (["webhooks", "count"], _) => Routed::MethodNotAllowed("GET"),
        (["webhooks", id], "GET") => Routed::To(Endpoint::Get(percent_decode(id))),
        (["webhooks", id], "PUT") => Routed::To(Endpoint::Change(percent_decode(id))),
        (["webhooks", id], "DELETE") => Routed::To(Endpoint::Remove(percent_decode(id))),
        (["webhooks", _], _) => Routed::MethodNotAllowed("GET, PUT, DELETE"),
        _ => return None,
    })
}

/// What a token must allow: to read what the deliveries show, which is orders.
pub(super) const fn scope(endpoint: &Endpoint) -> Scope {
    match endpoint {
        Endpoint::List
        | Endpoint::Create
        | Endpoint::Count
        | Endpoint::Get(_)
        | Endpoint::Change(_)
        | Endpoint::Remove(_) => Scope::ReadOrders,
    }
}

/// Makes a call of a request.
pub(super) fn decode(endpoint: &Endpoint, version: Version, request: &Request<'_>) -> Result<HookCall, Bad> {
    let dialect = Dialect::Shoplazza;
    Ok(match endpoint {
        Endpoint::List => HookCall::List(query(version, request.query, true)?),
        Endpoint::Count => HookCall::Count(query(version, request.query, false)?),
        Endpoint::Get(id) => HookCall::Get { dialect, hook: number(version, id)? },
        Endpoint::Remove(id) => HookCall::Remove { dialect, hook: number(version, id)? },
        Endpoint::Create => {
            let (address, topic) = draft(request, true)?;
            let missing = || Bad::Field(Malformed::at("webhook", Fault::Missing));
            let (address, topic) = (address.ok_or_else(missing)?, topic.ok_or_else(missing)?);
            HookCall::Create(HookDraft { dialect, version: version.name().to_owned(), topic, address })
        }
        Endpoint::Change(id) => {
            let hook = number(version, id)?;
            let (address, topic) = draft(request, false)?;
            HookCall::Change { dialect, hook, topic, address }
        }
    })
}

/// The number of a subscription, whose id is a UUID. One that we never gave names nothing.
fn number(version: Version, id: &str) -> Result<Id, Bad> {
    let id = id.trim().to_ascii_lowercase();
    if let Some(number) = read_uuid(&id) {
        return Ok(number);
    }
    let lengths: Vec<usize> = id.split('-').map(str::len).collect();
    let is_uuid = lengths == [8, 4, 4, 4, 12] && id.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
    match () {
        () if is_uuid => Ok(0),
        () if version.is_modern() => Err(Malformed::at("id", Fault::Type("a UUID")).into()),
        () => Err(Bad::OrderId(id)),
    }
}

/// The address and the topic of a body. Legacy versions send them bare, modern ones inside `webhook`; both are read in
/// every version. Where `all` are needed, one that is left out is as wrong as one that is blank.
fn draft(request: &Request<'_>, all: bool) -> Result<(Option<String>, Option<Topic>), Bad> {
    let blank = request.body.iter().all(u8::is_ascii_whitespace);
    let body = if blank { json!({}) } else { body::parse(request.body)? };
    let body = if body.is_null() { json!({}) } else { body };
    let root = Fields::root(&body)?;
    let fields = root.object("webhook")?.unwrap_or(root);
    let mut wrong = Vec::new();
    let address = match text(&fields, "address", all) {
        Err(()) => {
            wrong.push(("address", vec![INVALID]));
            None
        }
        // As the documentation has it: an address that is not there is no valid one either.
        Ok(Some(address)) if address.is_empty() => {
            wrong.push(("address", vec![BLANK, INVALID]));
            None
        }
        Ok(Some(address)) if address.len() > ADDRESS_BYTES_MAX || host_of(&address).is_none() => {
            wrong.push(("address", vec![INVALID]));
            None
        }
        Ok(address) => address,
    };
    let topic = match text(&fields, "topic", all) {
        Ok(Some(name)) if name.is_empty() => {
            wrong.push(("topic", vec![BLANK]));
            None
        }
        Ok(Some(name)) => {
            let topic = topic(&name);
            if topic.is_none() {
                wrong.push(("topic", vec![INVALID]));
            }
            topic
        }
        Ok(None) => None,
        Err(()) => {
            wrong.push(("topic", vec![INVALID]));
            None
        }
    };
    if wrong.is_empty() { Ok((address, topic)) } else { Err(Bad::Fields(wrong)) }
}

/// A text, trimmed; blank where it is needed and not there. An error where it is no text.
fn text(fields: &Fields<'_>, key: &str, needed: bool) -> Result<Option<String>, ()> {
    let text = fields.text(key).map_err(|_| ())?.map(|text| text.trim().to_owned());
    Ok(text.or_else(|| needed.then(String::new)))
}

/// Reads a topic. Those about products and the app are taken, and nothing ever happens under them here.
fn topic(name: &str) -> Option<Topic> {
    let kind = match name {
        "orders/create" => Some(EventKind::OrderCreated),
        "orders/update" => Some(EventKind::OrderUpdated),
        "orders/paid" => Some(EventKind::OrderPaid),
        "orders/partially_fulfilled" => Some(EventKind::OrderPartlyFulfilled),
        "orders/fulfilled" => Some(EventKind::OrderFulfilled),
        "orders/finished" => Some(EventKind::OrderFinished),
        "orders/partially_refunded" => Some(EventKind::OrderPartlyRefunded),
        "orders/refunded" => Some(EventKind::OrderRefunded),
        "orders/cancelled" => Some(EventKind::OrderCancelled),
        "orders/delete" => Some(EventKind::OrderDeleted),
        "fulfillments/create" => Some(EventKind::ParcelCreated),
        "app/uninstalled" | "products/*" | "products/create" | "products/update" | "products/delete" => None,
        _ => return None,
    };
    Some(Topic { name: name.to_owned(), kind })
}

/// Reads the query of the list; paging means nothing where they are counted.
fn query(version: Version, query: &str, paged: bool) -> Result<HookQuery, Bad> {
    let params = Params(query_pairs(query));
    let modern = version.is_modern();
    let names = params.list(&["topic"]);
    if names.iter().any(|name| topic(name).is_none()) {
        return Err(Malformed::at("topic", Fault::Value("topics such as orders/update".to_owned())).into());
    }
    let (page, limit) = match (paged, modern) {
        (false, _) => (Page::Start, LIMIT_MAX),
        (true, true) => modern_page(&params)?,
        (true, false) => legacy_page(&params)?,
    };
    Ok(HookQuery {
        dialect: Dialect::Shoplazza,
        address: params.first(&["address"]).map(str::to_owned),
        topics: (!names.is_empty()).then(|| names.into_iter().map(str::to_owned).collect()),
        created: list::range(&params, "created_at_min", "created_at_max")?,
        updated: list::range(&params, "updated_at_min", "updated_at_max")?,
        page,
        limit,
    })
}

fn legacy_page(params: &Params) -> Result<(Page, u32), Bad> {
    let mut wrong = Vec::new();
    let mut read = |key: &'static str, usual: u32, max: Option<u32>| {
        let keys = [key];
        let Some(text) = params.first(&keys) else { return usual };
        let fault = match text.parse::<i64>() {
            Err(_) => "is not a number",
            Ok(number) if number < 1 => "must be greater than or equal to 1",
            Ok(number) => match u32::try_from(number) {
                Ok(number) if max.is_none_or(|max| number <= max) => return number,
                _ if max.is_some() => "must be less than or equal to 250",
                _ => INVALID,
            },
        };
        wrong.push((key, vec![fault]));
        usual
    };
    let limit = read("limit", LIMIT_DEFAULT, Some(LIMIT_MAX));
    let page = read("page", 1, None);
    if !wrong.is_empty() {
        return Err(Bad::Fields(wrong));
    }
    let before = u64::from(page.saturating_sub(1)).saturating_mul(u64::from(limit));
    Ok((if before == 0 { Page::Start } else { Page::Skip(before) }, limit))
}

fn modern_page(params: &Params) -> Result<(Page, u32), Bad> {
    let limit = list::whole(params, &["page_size", "limit"], LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT);
    let Some(text) = params.first(&["cursor"]) else { return Ok((Page::Start, limit)) };
    let hex = text.strip_prefix('w').filter(|hex| hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    let wrong = || Malformed::at("cursor", Fault::Value("one that a page of this list gave".to_owned()));
    let id = hex.and_then(|hex| Id::from_str_radix(hex, 16).ok()).ok_or_else(wrong)?;
    Ok((Page::Key { key_ms: 0, id }, limit))
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(
    endpoint: &Endpoint,
    version: Version,
    _request: &Request<'_>,
    reply: &HookReply,
) -> Option<Response> {
    let data = match (endpoint, reply) {
        (Endpoint::Get(_) | Endpoint::Create | Endpoint::Change(_), HookReply::Hook(hook)) => {
            json!({ "webhook": webhook(hook) })
        }
        (Endpoint::List, HookReply::Hooks { hooks, has_more }) => {
            let mut data = json!({ "webhooks": hooks.iter().map(webhook).collect::<Vec<_>>() });
            if version.is_modern() {
                let last = hooks.last().filter(|_| *has_more);
                data["cursor"] = last.map_or_else(String::new, |last| format!("w{:016x}", last.id)).into();
                data["has_more"] = (*has_more).into();
            }
            data
        }
        (Endpoint::Count, HookReply::Counted(count)) => json!({ "count": count }),
        (Endpoint::Remove(_), HookReply::Removed) => json!({}),
        _ => return None,
    };
    let message = if matches!(endpoint, Endpoint::Count) { "Count retrieved" } else { "success" };
    let answer = if version.is_modern() { envelope(version, message, &data) } else { data };
    Some(Response::json(200, &answer))
}

fn webhook(hook: &HookView) -> Value {
    json!({
        "id": uuid_of(hook.id),
        "address": hook.address,
        "topic": hook.topic,
        "format": hook.format,
        "created_at": rfc3339_seconds(hook.created_ms),
        "updated_at": rfc3339_seconds(hook.updated_ms),
    })
}

/// Writes why not.
pub(super) fn refuse(modern: bool, fault: &HookFault) -> Response {
    match fault {
        HookFault::Unknown(id) => {
            let named = if *id == 0 { String::new() } else { format!(" {}", uuid_of(*id)) };
            not_found(modern, "Unable to find resource", &format!("There is no webhook{named}."))
        }
        HookFault::AddressPrivate if modern => {
            by_field(modern, &[("address", vec!["leads into a private network, which this server does not call"])])
        }
        HookFault::AddressPrivate => by_field(modern, &[("address", vec![INVALID])]),
        HookFault::Taken => by_field(modern, &[("address", vec![TAKEN])]),
        HookFault::TooMany(_) => by_field(modern, &[("topic", vec!["has too many webhooks in this store"])]),
    }
}
