//! Endpoints about webhooks, and what is posted to their subscribers.
//!
//! Paths are odd here: one webhook is `{id}/webhooks.json`. What a delivery looks like is said by the version that its
//! subscription names, not by that of the path it was made under.

use refundry_core::event::EventKind;
use refundry_core::order::{Dialect, Id};
use refundry_core::query::{Page, TimeRange};
use serde_json::{Value, json};

use super::paging::{self, Token};
use super::params::{self, Query, only_fields};
use super::{Version, only, reject};
use crate::body::{Fault, Fields};
use crate::hooks::{HookCall, HookDraft, HookFault, HookQuery, HookReply, HookView, Topic, host_of};
use crate::text::{percent_decode, rfc3339_offset};
use crate::wire::{Call, Reply, Request, Response, Routed, Scope};

mod delivery;

pub use delivery::{body, headers};

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 250;
/// Characters of an address.
const ADDRESS_CHARS_MAX: usize = 255;

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST webhooks.json`
    Create,
    /// `GET webhooks.json`
    List,
    /// `GET webhooks/count.json`
    Count,
    /// `GET {id}/webhooks.json`
    Get(String),
    /// `PUT {id}/webhooks.json`
    Change(String),
    /// `DELETE {id}/webhooks.json`
    Remove(String),
}

/// The endpoint of a method and the names of a path; `None` where the path is none of these.
pub(super) fn route(_: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    Some(match (path, method) {
        (["webhooks"], "POST") => Routed::To(Endpoint::Create),
        (["webhooks"], "GET") => Routed::To(Endpoint::List),
        (["webhooks"], _) => Routed::MethodNotAllowed("GET, POST"),
        (["webhooks", "count"], _) => only(method, "GET", Endpoint::Count),
        ([id, "webhooks"], "GET") => Routed::To(Endpoint::Get(percent_decode(id))),
        ([id, "webhooks"], "PUT") => Routed::To(Endpoint::Change(percent_decode(id))),
        ([id, "webhooks"], "DELETE") => Routed::To(Endpoint::Remove(percent_decode(id))),
        ([_, "webhooks"], _) => Routed::MethodNotAllowed("GET, PUT, DELETE"),
        _ => return None,
    })
}

/// What a token must allow, and the platform's word for it: to read what the deliveries show, which is orders.
pub(super) const fn scope(endpoint: &Endpoint) -> (Scope, &'static str) {
    match endpoint {
        Endpoint::Create
        | Endpoint::List
        | Endpoint::Count
        | Endpoint::Get(_)
        | Endpoint::Change(_)
        | Endpoint::Remove(_) => (Scope::ReadOrders, "read_orders"),
    }
}

/// Makes a call of a request, or the finished refusal.
pub(super) fn decode(endpoint: &Endpoint, _: Version, request: &Request<'_>) -> Result<Call, Response> {
    let dialect = Dialect::Shopline;
    let call = match endpoint {
        Endpoint::Create => {
            let body = params::body(request)?;
            let fields = webhook(&body)?;
            let address = address(&fields)?;
            let name = text(&fields, "topic")?;
            let topic = topic(name).ok_or_else(|| reject::unprocessable("webhook.topic is invalid"))?;
            let version = version(&fields)?.to_owned();
            HookCall::Create(HookDraft { dialect, version, topic, address })
        }
        Endpoint::Change(id) => {
            let body = params::body(request)?;
            let address = Some(address(&webhook(&body)?)?);
            HookCall::Change { dialect, hook: number(id), topic: None, address }
        }
        Endpoint::List => HookCall::List(query(request)?),
        Endpoint::Count => HookCall::Count(all()),
        Endpoint::Get(id) => HookCall::Get { dialect, hook: number(id) },
        Endpoint::Remove(id) => HookCall::Remove { dialect, hook: number(id) },
    };
    Ok(Call::Hooks(Box::new(call)))
}

/// The number of a webhook. What is none names nothing, as 0 does: they count from 1.
fn number(id: &str) -> Id {
    let id = id.trim();
    if id.bytes().all(|b| b.is_ascii_digit()) { id.parse().unwrap_or(0) } else { 0 }
}

fn webhook(body: &Value) -> Result<Fields<'_>, Response> {
    let root = params::root(body)?;
    let inner = root.object("webhook").map_err(|m| reject::malformed(&m))?;
    inner.ok_or_else(|| params::missing(&root, "webhook"))
}

fn text<'a>(fields: &Fields<'a>, key: &str) -> Result<&'a str, Response> {
    let text = fields.text(key).map_err(|m| reject::malformed(&m))?;
    text.map(str::trim).ok_or_else(|| params::missing(fields, key))
}

fn address(fields: &Fields<'_>) -> Result<String, Response> {
    let address = text(fields, "address")?;
    if address.chars().count() > ADDRESS_CHARS_MAX {
        return Err(reject::malformed(&fields.fault("address", Fault::TooLong(ADDRESS_CHARS_MAX))));
    }
    let can_be_called = host_of(address).is_some();
    can_be_called.then(|| address.to_owned()).ok_or_else(|| reject::unprocessable("webhook.address is invalid"))
}

fn version<'a>(fields: &Fields<'a>) -> Result<&'a str, Response> {
    let name = text(fields, "api_version")?;
    let known = Version::parse(name).is_some_and(|version| version >= Version::WITH_HOOKS);
    known.then_some(name).ok_or_else(|| {
        reject::malformed(&fields.fault("api_version", Fault::Value("v20240601 or a later version".to_owned())))
    })
}

/// Reads a topic. Packages of returns are taken, and nothing ever happens under them here.
fn topic(name: &str) -> Option<Topic> {
    let kind = match name {
        "refunds/create" => Some(EventKind::RefundCreated),
        "refunds/update" => Some(EventKind::RefundUpdated),
        "orders/create" => Some(EventKind::OrderCreated),
        "orders/updated" => Some(EventKind::OrderUpdated),
        "orders/paid" => Some(EventKind::OrderPaid),
        "orders/cancelled" => Some(EventKind::OrderCancelled),
        "orders/edited" => Some(EventKind::OrderEdited),
        "orders/fulfilled" => Some(EventKind::OrderFulfilled),
        "orders/partially_fulfilled" => Some(EventKind::OrderPartlyFulfilled),
        "orders/delete" => Some(EventKind::OrderDeleted),
        "order_transactions/create" => Some(EventKind::TransactionCreated),
        "fulfillments/create" => Some(EventKind::ParcelCreated),
        "fulfillments/update" => Some(EventKind::ParcelUpdated),
        "inventory_levels/update" => Some(EventKind::StockChanged),
        "return/create" => Some(EventKind::ReturnCreated),
        "return/update" => Some(EventKind::ReturnUpdated),
        "return_package/create" | "return_package/update" => None,
        _ => return None,
    };
    Some(Topic { name: name.to_owned(), kind })
}

/// All webhooks of the store that were made with this API.
fn all() -> HookQuery {
    HookQuery {
        dialect: Dialect::Shopline,
        address: None,
        topics: None,
        created: TimeRange::default(),
        updated: TimeRange::default(),
        page: Page::Start,
        limit: LIMIT_MAX,
    }
}

/// Reads the query of the list; the encoder needs it again for the link to the next page.
fn query(request: &Request<'_>) -> Result<HookQuery, Response> {
    let query = Query::of(request);
    let from = query.text("page_info").map(|text| page_info(text).ok_or_else(bad_page_info)).transpose()?;
    let limit = query.limit(from.map_or(LIMIT_DEFAULT, |(_, limit)| limit), LIMIT_MAX)?;
    let since = match from {
        Some((since, _)) => Some(since),
        None => query.whole("since_id")?.map(|id| Id::try_from(id).unwrap_or(0)),
    };
    let page = since.map_or(Page::Start, |id| Page::Key { key_ms: 0, id });
    Ok(HookQuery { page, limit, ..all() })
}

fn bad_page_info() -> Response {
    reject::unprocessable("page_info is invalid: use one that a link header gave")
}

/// The number behind which a page starts, and how long it is.
fn page_info(text: &str) -> Option<(Id, u32)> {
    let token = Token::read(text).filter(|token| !token.back)?;
    Some((token.id.parse().ok()?, token.limit))
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(endpoint: &Endpoint, _: Version, request: &Request<'_>, reply: &Reply) -> Option<Response> {
    let Reply::Hooks(reply) = reply else { return None };
    Some(match (endpoint, &**reply) {
        (Endpoint::Create | Endpoint::Get(_) | Endpoint::Change(_), HookReply::Hook(hook)) => {
            Response::json(200, &json!({ "webhook": object(hook) }))
        }
        (Endpoint::List, HookReply::Hooks { hooks, has_more }) => list(request, hooks, *has_more),
        (Endpoint::Count, HookReply::Counted(count)) => Response::json(200, &json!({ "count": count })),
        (Endpoint::Remove(_), HookReply::Removed) => Response::json(200, &json!({})),
        _ => return None,
    })
}

fn list(request: &Request<'_>, hooks: &[HookView], has_more: bool) -> Response {
    let fields = Query::of(request);
    let entry = |hook: &HookView| {
        let mut entry = object(hook);
        only_fields(&fields, &mut entry);
        entry
    };
    let answer = Response::json(200, &json!({ "webhooks": hooks.iter().map(entry).collect::<Value>() }));
    let limit = query(request).map_or(LIMIT_DEFAULT, |query| query.limit);
    let next = hooks.last().filter(|_| has_more).map(|last| Token::new(last.id.to_string(), false, limit).write());
    match paging::entries(request, limit, None, next) {
        Some(link) => answer.with("link", link),
        None => answer,
    }
}

fn object(hook: &HookView) -> Value {
    json!({
        "id": hook.id,
        "address": hook.address,
        "topic": hook.topic,
        "api_version": hook.version,
        "created_at": rfc3339_offset(hook.created_ms),
        "updated_at": rfc3339_offset(hook.updated_ms),
    })
}

/// Writes why not.
pub(super) fn refuse(fault: &HookFault) -> Response {
    match fault {
        HookFault::Unknown(_) => reject::errors(404, "The webhook does not exist."),
        HookFault::AddressPrivate => reject::unprocessable(
            "webhook.address is invalid: it leads into a private network, which this server does not call",
        ),
        HookFault::Taken => reject::unprocessable("webhook.address has already been taken for this topic"),
        HookFault::TooMany(max) => reject::unprocessable(format!("the store has {max} webhooks, which is the most")),
    }
}
