//! The Digital River API: refunds, and the orders they belong to.
//!
//! Reference: <https://docs.digitalriver.com/digital-river-api-reference/>. The API has no version in its path and sits
//! at the root of the server, so every path that no other API claims ends here, as a 404 if need be. `quirks.md` beside
//! this file says where the public API surprises and what we do. Nothing here may decide about money.

use refundry_core::intake::{Intake, IntakeFault};
use serde_json::Value;

use crate::rate::{Bucket, Rate};
use crate::text::percent_decode;
use crate::wire::{Call, Refusal, Reply, Request, Response, Routed, Scope};

mod create;
mod decode;
mod encode;
mod ids;
mod list;
mod order;
mod reject;
#[cfg(test)]
mod tests;

/// The endpoints of this API, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST /refunds`
    CreateRefund,
    /// `GET /refunds`
    ListRefunds,
    /// `GET /refunds/{id}`
    GetRefund {
        /// As in the path, percent-decoded.
        refund: String,
    },
    /// `POST /refunds/{id}`: metadata only.
    UpdateRefund {
        /// As in the path, percent-decoded.
        refund: String,
    },
    /// `GET /orders/{id}`
    GetOrder {
        /// As in the path, percent-decoded.
        order: String,
    },
}

/// Names the endpoint of a method and path (without query); one trailing slash is allowed.
pub fn route(method: &str, path: &str) -> Routed<Endpoint> {
    let Some(path) = path.strip_prefix('/') else { return Routed::NotFound };
    let path = path.strip_suffix('/').unwrap_or(path);
    let (resource, id) = match path.split_once('/') {
        Some((resource, id)) => (resource, Some(percent_decode(id).trim().to_owned())),
        None => (path, None),
    };
    // A slash inside the id, written as such, is a deeper path, and there is none.
    let deeper = path.matches('/').count() > 1;
    if deeper || id.as_ref().is_some_and(String::is_empty) {
        return Routed::NotFound;
    }
    match (resource, id, method) {
        ("refunds", None, "POST") => Routed::To(Endpoint::CreateRefund),
        ("refunds", None, "GET") => Routed::To(Endpoint::ListRefunds),
        ("refunds", Some(refund), "GET") => Routed::To(Endpoint::GetRefund { refund }),
        ("refunds", Some(refund), "POST") => Routed::To(Endpoint::UpdateRefund { refund }),
        ("refunds", _, _) => Routed::MethodNotAllowed("GET, POST"),
        ("orders", Some(order), "GET") => Routed::To(Endpoint::GetOrder { order }),
        ("orders", Some(_), _) => Routed::MethodNotAllowed("GET"),
        _ => Routed::NotFound,
    }
}

/// The credential, from `Authorization: Bearer`.
pub fn token(request: &Request<'_>) -> Option<String> {
    let (scheme, key) = request.header("authorization")?.trim().split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then(|| key.to_owned())
}

/// What the service takes in a second: 250 calls with a live key, 25 with a test key.
pub fn rate(live: bool) -> Rate {
    let per_second = if live { 250 } else { 25 };
    Rate { per_token: Bucket { capacity: per_second, per_second }, per_store: None, header: None }
}

/// What a token must allow; `None` where no token is asked for.
pub fn scope(endpoint: &Endpoint) -> Option<Scope> {
    match endpoint {
        Endpoint::CreateRefund | Endpoint::UpdateRefund { .. } => Some(Scope::WriteOrders),
        Endpoint::ListRefunds | Endpoint::GetRefund { .. } | Endpoint::GetOrder { .. } => Some(Scope::ReadOrders),
    }
}

/// Makes a call of a request, or the finished refusal.
pub fn decode(endpoint: &Endpoint, request: &Request<'_>) -> Result<Call, Response> {
    decode::check_version(request)?;
    match endpoint {
        Endpoint::CreateRefund => create::create(request),
        Endpoint::ListRefunds => list::list(request),
        Endpoint::GetRefund { refund } => Ok(Call::GetRefund { refund: ids::refund_reference(refund) }),
        Endpoint::UpdateRefund { refund } => decode::update(refund, request),
        Endpoint::GetOrder { order } => Ok(Call::GetOrder { order: ids::order_reference(order) }),
    }
}

/// Writes the answer.
pub fn encode(_endpoint: &Endpoint, request: &Request<'_>, reply: &Reply) -> Response {
    encode::reply(reply).unwrap_or_else(|| reject::refuse(request, &Refusal::Internal))
}

/// Writes a refusal; `endpoint` is `None` where the path led to none.
pub fn refuse(_endpoint: Option<&Endpoint>, request: &Request<'_>, refusal: &Refusal) -> Response {
    reject::refuse(request, refusal)
}

/// Reads an order object of this API.
pub fn read_order(document: &Value, now_ms: i64) -> Result<Intake, IntakeFault> {
    order::read(document, now_ms)
}
