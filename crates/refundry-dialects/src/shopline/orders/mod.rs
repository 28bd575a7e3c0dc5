//! Endpoints about orders themselves: make, read, change, call off, delete.

mod kept;
mod lines;
mod list;
mod object;
mod slips;
pub(in crate::shopline) mod told;
mod totals;

use serde_json::json;

pub(super) use object::{Form, object};

use super::{Version, ids, only, reject};
use crate::shop::{ShopCall, ShopReply};
use crate::text::percent_decode;
use crate::wire::{Call, Reply, Request, Response, Routed, Scope};

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `GET orders.json`
    List,
    /// `GET orders/count.json`
    Count,
    /// `GET orders/{id}.json`
    Get {
        /// As in the path.
        order: String,
    },
}

/// The endpoint of a method and the names of a path; `None` where the path is none of these.
pub(super) fn route(_: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    Some(match path {
        ["orders"] => only(method, "GET", Endpoint::List),
        ["orders", "count"] => only(method, "GET", Endpoint::Count),
        ["orders", order] => only(method, "GET", Endpoint::Get { order: percent_decode(order) }),
        _ => return None,
    })
}

/// What a token must allow, and the platform's word for it.
pub(super) const fn scope(endpoint: &Endpoint) -> (Scope, &'static str) {
    match endpoint {
        Endpoint::List | Endpoint::Count | Endpoint::Get { .. } => (Scope::ReadOrders, "read_orders"),
    }
}

/// Makes a call of a request, or the finished refusal.
pub(super) fn decode(endpoint: &Endpoint, _: Version, request: &Request<'_>) -> Result<Call, Response> {
    let call = match endpoint {
        Endpoint::List => ShopCall::List(Box::new(list::query(request)?)),
        Endpoint::Count => ShopCall::Count(Box::new(list::count(request)?)),
        Endpoint::Get { order } => ShopCall::Get { order: ids::order_reference(order) },
    };
    Ok(Call::Shop(Box::new(call)))
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(endpoint: &Endpoint, version: Version, request: &Request<'_>, reply: &Reply) -> Option<Response> {
    let Reply::Shop(reply) = reply else { return None };
    Some(match (endpoint, &**reply) {
        (Endpoint::List, ShopReply::Orders { orders, has_more }) => list::page(version, request, orders, *has_more),
        (Endpoint::Count, ShopReply::Counted(count)) => Response::json(200, &json!({ "count": count })),
        (Endpoint::Get { .. }, ShopReply::Order(view)) => {
            Response::json(200, &json!({ "order": object(version, view, Form::Listed) }))
        }
        (_, _) => return None,
    })
}

/// An order that a list is to go on from is not there.
pub(super) fn cursor_unknown() -> Response {
    reject::unprocessable("since_id is invalid: there is no such order")
}
