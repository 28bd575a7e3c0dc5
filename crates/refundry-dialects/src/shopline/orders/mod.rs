//! Endpoints about orders themselves: make, read, change, call off, delete.

mod cancel;
mod change;
mod create;
mod kept;
mod lines;
mod list;
mod object;
mod slips;
pub(in crate::shopline) mod told;
mod totals;

use refundry_core::amend::AmendFault;
use serde_json::json;

pub(super) use kept::{Document, Kept};
pub(super) use lines::sold_line;
pub(super) use object::{Form, object, show_lines};

use super::{Version, ids, only, reject};
use crate::shop::{ShopCall, ShopFault, ShopReply};
use crate::text::percent_decode;
use crate::wire::{Call, Reply, Request, Response, Routed, Scope};

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `GET orders.json`
    List,
    /// `POST orders.json`
    Create,
    /// `GET orders/count.json`
    Count,
    /// `GET orders/{id}.json`
    Get {
        /// As in the path.
        order: String,
    },
    /// `PUT orders/{id}.json`
    Update {
        /// As in the path.
        order: String,
    },
    /// `DELETE orders/{id}.json`
    Delete {
        /// As in the path.
        order: String,
    },
    /// `POST orders/{id}/cancel.json`
    Cancel {
        /// As in the path.
        order: String,
    },
}

/// The endpoint of a method and the names of a path; `None` where the path is none of these.
pub(super) fn route(_: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    Some(match path {
        ["orders"] => match method {
            "GET" => Routed::To(Endpoint::List),
            "POST" => Routed::To(Endpoint::Create),
            _ => Routed::MethodNotAllowed("GET, POST"),
        },
        ["orders", "count"] => only(method, "GET", Endpoint::Count),
        // Names of other things are no ids, and where they lead to something, that was found before.
        ["orders", "pay_channels" | "transactions" | "update_transactions"] => return None,
        ["orders", order] => {
            let order = percent_decode(order);
            match method {
                "GET" => Routed::To(Endpoint::Get { order }),
                "PUT" => Routed::To(Endpoint::Update { order }),
                "DELETE" => Routed::To(Endpoint::Delete { order }),
                _ => Routed::MethodNotAllowed("GET, PUT, DELETE"),
            }
        }
        ["orders", order, "cancel"] => only(method, "POST", Endpoint::Cancel { order: percent_decode(order) }),
        _ => return None,
    })
}

/// What a token must allow, and the platform's word for it.
pub(super) const fn scope(endpoint: &Endpoint) -> (Scope, &'static str) {
    match endpoint {
        Endpoint::List | Endpoint::Count | Endpoint::Get { .. } => (Scope::ReadOrders, "read_orders"),
        Endpoint::Create | Endpoint::Update { .. } | Endpoint::Delete { .. } | Endpoint::Cancel { .. } => {
            (Scope::WriteOrders, "write_orders")
        }
    }
}

/// Makes a call of a request, or the finished refusal.
pub(super) fn decode(endpoint: &Endpoint, version: Version, request: &Request<'_>) -> Result<Call, Response> {
    let call = match endpoint {
        Endpoint::List => ShopCall::List(Box::new(list::query(request)?)),
        Endpoint::Create => create::decode(request)?,
        Endpoint::Count => ShopCall::Count(Box::new(list::count(request)?)),
        Endpoint::Get { order } => ShopCall::Get { order: ids::order_reference(order) },
        Endpoint::Update { order } => change::decode(request, ids::order_reference(order))?,
        Endpoint::Delete { order } => ShopCall::Delete { order: ids::order_reference(order) },
        Endpoint::Cancel { order } => cancel::decode(version, request, ids::order_reference(order))?,
    };
    Ok(Call::Shop(Box::new(call)))
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(endpoint: &Endpoint, version: Version, request: &Request<'_>, reply: &Reply) -> Option<Response> {
    let Reply::Shop(reply) = reply else { return None };
    Some(match (endpoint, &**reply) {
        (Endpoint::List, ShopReply::Orders { orders, has_more }) => list::page(version, request, orders, *has_more),
        (Endpoint::Count, ShopReply::Counted(count)) => Response::json(200, &json!({ "count": count })),
        (Endpoint::Create, ShopReply::Order(view)) => {
            Response::json(200, &json!({ "order": object(version, view, Form::Made) }))
        }
        (Endpoint::Delete { .. }, ShopReply::Deleted) => Response::json(200, &json!({})),
        (Endpoint::Get { .. } | Endpoint::Update { .. } | Endpoint::Cancel { .. }, ShopReply::Order(view)) => {
            Response::json(200, &json!({ "order": object(version, view, Form::Listed) }))
        }
        (_, _) => return None,
    })
}

/// An order that a list is to go on from is not there.
pub(super) fn cursor_unknown() -> Response {
    reject::unprocessable("since_id is invalid: there is no such order")
}

/// Why an order cannot be made or changed.
pub(super) fn refuse(fault: &ShopFault) -> Response {
    reject::unprocessable(match fault {
        ShopFault::CalledOff => "the order is already canceled".to_owned(),
        ShopFault::Amend(AmendFault::LineUnknown(line)) => format!("line_item_id {line} does not exist in the order"),
        other => create::refusal(other).unwrap_or_else(|| "the order cannot change so".to_owned()),
    })
}
