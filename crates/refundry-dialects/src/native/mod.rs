//! Our own API, `/v1`: the only one able to say everything that the rules can.
//!
//! Its contract is the OpenAPI document that [`openapi`] builds from the wire types in [`requests`] and [`answers`];
//! a copy lies in `docs/api/openapi.json`. Three rules hold for every endpoint: a key that is not known is refused,
//! money is a decimal string, and every "no" is a problem document (RFC 9457) with a stable code and the figures that
//! decided it.

use refundry_core::intake::{Intake, IntakeFault};
use serde_json::Value;

use crate::text::percent_decode;
use crate::wire::{Call, Refusal, Reply, Request, Response, Routed, Scope};

pub mod answers;
mod ask;
pub mod codes;
mod decode;
mod encode;
pub mod events;
mod examples;
mod explain;
pub mod gateways;
pub mod legs;
pub mod openapi;
mod operations;
mod order;
mod orders;
mod past;
mod query;
mod read;
mod reject;
pub mod requests;
#[cfg(test)]
mod tests;

/// The endpoints of this API, with their path parameters (percent-decoded).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `GET /v1/openapi.json`
    OpenApi,
    /// `GET /v1/stores`
    ListStores,
    /// `POST /v1/stores`
    CreateStore,
    /// `GET /v1/tokens`
    ListTokens,
    /// `POST /v1/tokens`
    CreateToken,
    /// `DELETE /v1/tokens/{id}`
    RevokeToken(String),
    /// `GET /v1/orders`
    ListOrders,
    /// `POST /v1/orders`
    CreateOrder,
    /// `POST /v1/orders/import`
    ImportOrders,
    /// `GET /v1/orders/{id}`
    GetOrder(String),
    /// `PUT /v1/orders/{id}`
    PutOrder(String),
    /// `POST /v1/orders/{id}/fulfilments`
    Fulfil(String),
    /// `POST /v1/orders/{id}/payments`
    AddPayment(String),
    /// `POST /v1/orders/{id}/quote`
    Quote(String),
    /// `GET /v1/refunds`
    ListRefunds,
    /// `POST /v1/refunds`
    CreateRefund,
    /// `GET /v1/refunds/{id}`
    GetRefund(String),
    /// `POST /v1/refunds/{id}/cancel`
    CancelRefund(String),
    /// `POST /v1/refunds/{id}/retry`
    RetryRefund(String),
    /// `GET /v1/refunds/{id}/legs/{leg}`
    GetLeg(String, String),
    /// `POST /v1/refunds/{id}/legs/{leg}/settle`
    SettleLeg(String, String),
    /// `GET /v1/legs`
    ListLegs,
    /// `GET /v1/events`
    ListEvents,
    /// `POST /v1/events/{event}/resolve`
    ResolveEvent(String),
    /// `GET /v1/gateways`
    ListGateways,
    /// `PUT /v1/gateways/{name}`
    PutGateway(String),
    /// `GET /v1/routes`
    ListRoutes,
    /// `PUT /v1/routes/{channel}`
    PutRoute(String),
}

/// Names the endpoint of a method and path (without query).
pub fn route(method: &str, path: &str) -> Routed<Endpoint> {
    let Some(rest) = path.strip_prefix("/v1/") else { return Routed::NotFound };
    let segments: Vec<String> = rest.split('/').map(percent_decode).collect();
    // An empty name can only be a slip, and no store of text takes a NUL.
    if segments.iter().any(|s| s.is_empty() || s.contains('\0')) {
        return Routed::NotFound;
    }
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (endpoint(method, &segments), allowed(&segments)) {
        (Some(endpoint), _) => Routed::To(endpoint),
        (None, Some(allow)) => Routed::MethodNotAllowed(allow),
        (None, None) => Routed::NotFound,
    }
}

fn endpoint(method: &str, segments: &[&str]) -> Option<Endpoint> {
    let name = |text: &str| text.to_owned();
    let endpoint = match (method, segments) {
        ("GET", ["openapi.json"]) => Endpoint::OpenApi,
        ("GET", ["stores"]) => Endpoint::ListStores,
        ("POST", ["stores"]) => Endpoint::CreateStore,
        ("GET", ["tokens"]) => Endpoint::ListTokens,
        ("POST", ["tokens"]) => Endpoint::CreateToken,
        ("DELETE", ["tokens", id]) => Endpoint::RevokeToken(name(id)),
        ("GET", ["orders"]) => Endpoint::ListOrders,
        ("POST", ["orders"]) => Endpoint::CreateOrder,
        ("POST", ["orders", "import"]) => Endpoint::ImportOrders,
        ("GET", ["orders", id]) => Endpoint::GetOrder(name(id)),
        ("PUT", ["orders", id]) => Endpoint::PutOrder(name(id)),
        ("POST", ["orders", id, "fulfilments"]) => Endpoint::Fulfil(name(id)),
        ("POST", ["orders", id, "payments"]) => Endpoint::AddPayment(name(id)),
        ("POST", ["orders", id, "quote"]) => Endpoint::Quote(name(id)),
        ("GET", ["refunds"]) => Endpoint::ListRefunds,
        ("POST", ["refunds"]) => Endpoint::CreateRefund,
        ("GET", ["refunds", id]) => Endpoint::GetRefund(name(id)),
        ("POST", ["refunds", id, "cancel"]) => Endpoint::CancelRefund(name(id)),
        ("POST", ["refunds", id, "retry"]) => Endpoint::RetryRefund(name(id)),
        ("GET", ["refunds", id, "legs", leg]) => Endpoint::GetLeg(name(id), name(leg)),
        ("POST", ["refunds", id, "legs", leg, "settle"]) => Endpoint::SettleLeg(name(id), name(leg)),
        ("GET", ["legs"]) => Endpoint::ListLegs,
        ("GET", ["events"]) => Endpoint::ListEvents,
        ("POST", ["events", event, "resolve"]) => Endpoint::ResolveEvent(name(event)),
        ("GET", ["gateways"]) => Endpoint::ListGateways,
        ("PUT", ["gateways", gateway]) => Endpoint::PutGateway(name(gateway)),
        ("GET", ["routes"]) => Endpoint::ListRoutes,
        ("PUT", ["routes", channel]) => Endpoint::PutRoute(name(channel)),
        _ => return None,
    };
    Some(endpoint)
}

/// The methods that a path takes, where there is such a path.
fn allowed(segments: &[&str]) -> Option<&'static str> {
    match segments {
        ["stores" | "tokens" | "orders" | "refunds"] => Some("GET, POST"),
        // An order may be called `import` and is read and put like any other.
        ["orders", "import"] => Some("GET, POST, PUT"),
        ["orders", _] => Some("GET, PUT"),
        ["openapi.json" | "legs" | "events" | "gateways" | "routes"] | ["refunds", _] | ["refunds", _, "legs", _] => {
            Some("GET")
        }
        ["gateways" | "routes", _] => Some("PUT"),
        ["tokens", _] => Some("DELETE"),
        ["orders", _, "fulfilments" | "payments" | "quote"]
        | ["refunds", _, "cancel" | "retry"]
        | ["refunds", _, "legs", _, "settle"]
        | ["events", _, "resolve"] => Some("POST"),
        _ => None,
    }
}

/// The credential: `Authorization: Bearer …`.
pub fn token(request: &Request<'_>) -> Option<String> {
    let (scheme, secret) = request.header("authorization")?.trim().split_once(' ')?;
    let secret = secret.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty()).then(|| secret.to_owned())
}

/// What a token must allow; `None` where no token is asked for. A quote stores nothing, so reading is enough.
pub fn scope(endpoint: &Endpoint) -> Option<Scope> {
    match endpoint {
        Endpoint::OpenApi => None,
        Endpoint::ListStores
        | Endpoint::CreateStore
        | Endpoint::ListTokens
        | Endpoint::CreateToken
        | Endpoint::RevokeToken(_)
        | Endpoint::ListGateways
        | Endpoint::PutGateway(_)
        | Endpoint::ListRoutes
        | Endpoint::PutRoute(_) => Some(Scope::Admin),
        Endpoint::ListOrders
        | Endpoint::GetOrder(_)
        | Endpoint::Quote(_)
        | Endpoint::ListRefunds
        | Endpoint::GetRefund(_)
        | Endpoint::GetLeg(..)
        | Endpoint::ListLegs
        | Endpoint::ListEvents => Some(Scope::ReadOrders),
        Endpoint::CreateOrder
        | Endpoint::ImportOrders
        | Endpoint::PutOrder(_)
        | Endpoint::Fulfil(_)
        | Endpoint::AddPayment(_)
        | Endpoint::CreateRefund
        | Endpoint::CancelRefund(_)
        | Endpoint::RetryRefund(_)
        | Endpoint::SettleLeg(..)
        | Endpoint::ResolveEvent(_) => Some(Scope::WriteOrders),
    }
}

/// Makes a call of a request, or the finished refusal.
pub fn decode(endpoint: &Endpoint, request: &Request<'_>) -> Result<Call, Response> {
    decode::call(endpoint, request).map_err(|no| match no {
        decode::No::Malformed(malformed) => reject::malformed(&malformed),
        decode::No::Refused(refusal) => reject::refuse(Some(endpoint), &refusal),
    })
}

/// Writes the answer.
pub fn encode(endpoint: &Endpoint, request: &Request<'_>, reply: &Reply) -> Response {
    encode::reply(endpoint, request, reply)
}

/// Writes a refusal; `endpoint` is `None` where the path led to none.
pub fn refuse(endpoint: Option<&Endpoint>, _request: &Request<'_>, refusal: &Refusal) -> Response {
    reject::refuse(endpoint, refusal)
}

/// Reads an order object of this API.
pub fn read_order(document: &Value, now_ms: i64) -> Result<Intake, IntakeFault> {
    order::read(document, now_ms)
}

/// Why an order could not be taken in, in the words that this API uses; the same for orders of every format.
pub fn in_words(fault: &IntakeFault) -> String {
    reject::import_fault(0, fault).detail
}
