//! Endpoints about refunds: make one, read one, list those of an order.

use super::{Version, ids, only, paging, reject};
use crate::text::percent_decode;
use crate::wire::{Call, Refusal, Reply, Request, Response, Routed, Scope};

mod decode;
mod encode;

pub(super) use decode::{shipping, unit_mode};
pub(super) use encode::{Form, object};

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST order/refund.json`
    Create,
    /// `GET orders/{order_id}/refunds.json`
    List {
        /// As in the path.
        order: String,
    },
    /// `GET orders/{order_id}/refunds/{refund_id}.json`
    Get {
        /// As in the path.
        order: String,
        /// As in the path.
        refund: String,
    },
}

/// The endpoint of a method and the names of a path; `None` where the path is none of these.
pub(super) fn route(_: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    Some(match path {
        ["order", "refund"] => only(method, "POST", Endpoint::Create),
        ["orders", order, "refunds"] => only(method, "GET", Endpoint::List { order: percent_decode(order) }),
        // What a refund would be is not the name of one.
        ["orders", _, "refunds", "calculate"] => return None,
        ["orders", order, "refunds", refund] => {
            only(method, "GET", Endpoint::Get { order: percent_decode(order), refund: percent_decode(refund) })
        }
        _ => return None,
    })
}

/// What a token must allow, and the platform's word for it.
pub(super) const fn scope(endpoint: &Endpoint) -> (Scope, &'static str) {
    match endpoint {
        Endpoint::Create => (Scope::WriteOrders, "write_orders"),
        Endpoint::List { .. } | Endpoint::Get { .. } => (Scope::ReadOrders, "read_orders"),
    }
}

/// Makes a call of a request, or the finished refusal.
pub(super) fn decode(endpoint: &Endpoint, version: Version, request: &Request<'_>) -> Result<Call, Response> {
    match endpoint {
        Endpoint::Create => decode::create_refund(version, request),
        Endpoint::List { order } => decode::list_refunds(order, request),
        Endpoint::Get { refund, .. } => Ok(decode::get_refund(refund)),
    }
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(endpoint: &Endpoint, version: Version, request: &Request<'_>, reply: &Reply) -> Option<Response> {
    Some(match (endpoint, reply) {
        (Endpoint::Create, Reply::Created(answer)) => encode::created(version, &answer.view),
        (Endpoint::List { order }, Reply::Refunds(page)) => {
            let query = decode::list_query(order, request).unwrap_or_default();
            let answer = encode::list(version, request, page);
            match paging::link(request, &query, page) {
                Some(link) => answer.with("link", link),
                None => answer,
            }
        }
        (Endpoint::Get { order, refund }, Reply::Refund(view)) => {
            // A refund is found by its own id alone; the order in the path must be its order.
            let is_of = ids::order_reference(order).names(view.order.id, view.order.external_id.as_deref());
            match view.order.life.deleted_ms {
                Some(_) if is_of => reject::refusal(None, &Refusal::OrderUnknown(order.clone())),
                None if is_of => encode::one(version, view),
                _ => reject::refusal(None, &Refusal::RefundUnknown(refund.clone())),
            }
        }
        (_, _) => return None,
    })
}
