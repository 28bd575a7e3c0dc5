//! Wire ⇄ domain: one folder a public API, no I/O, no web framework.
//!
//! A request goes through a dialect in four steps, which all dialects offer under the same names:
//!
//! 1. `route(method, path)` names the endpoint, or says why there is none;
//! 2. `token(request)` finds the credential in the dialect's own header, and [`Endpoint::scope`] says what it must
//!    allow;
//! 3. `decode` makes a [`Call`] of it, or the finished refusal in the dialect's own words;
//! 4. `encode` writes the answer to the reply, and `refuse` every "no".
//!
//! Wire types stay inside their folder, and domain types are never serialised as they are. Nothing here may decide
//! about money: figures come from the reply as they were stored.

use refundry_core::intake::{Intake, IntakeFault};
use refundry_core::order::Dialect;
use serde_json::Value;

pub mod body;
pub mod cases;
pub mod digital_river;
pub mod hooks;
pub mod keys;
pub mod native;
mod openapi;
pub mod operations;
pub mod parcels;
pub mod payouts;
pub mod rate;
pub mod returns;
pub mod shop;
pub mod shoplazza;
pub mod shopline;
pub mod stock;
pub mod text;
pub mod wire;

pub use rate::{Bucket, Level, Rate};
pub use wire::{
    Call, Header, OrderView, RefundAnswer, RefundPage, RefundView, Refusal, Reply, Request, Response, Routed, Scope,
    StoreView, TokenView, Wait,
};

/// An endpoint of one of the APIs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Our own API.
    Native(native::Endpoint),
    /// Shoplazza.
    Shoplazza(shoplazza::Endpoint),
    /// SHOPLINE.
    Shopline(shopline::Endpoint),
    /// Digital River.
    DigitalRiver(digital_river::Endpoint),
}

/// The API that answers for a path; everything that belongs to no other belongs to Digital River, which sits at the
/// root.
pub fn dialect_of(path: &str) -> Dialect {
    let below = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match () {
        () if below("/v1") => Dialect::Native,
        () if below("/openapi") => Dialect::Shoplazza,
        () if below("/admin") || below("/payments_apps") => Dialect::Shopline,
        () => Dialect::DigitalRiver,
    }
}

/// Names the endpoint of a method and path (without query).
pub fn route(method: &str, path: &str) -> Routed<Endpoint> {
    match dialect_of(path) {
        Dialect::Native => native::route(method, path).map(Endpoint::Native),
        Dialect::Shoplazza => shoplazza::route(method, path).map(Endpoint::Shoplazza),
        Dialect::Shopline => shopline::route(method, path).map(Endpoint::Shopline),
        Dialect::DigitalRiver => digital_river::route(method, path).map(Endpoint::DigitalRiver),
    }
}

/// The credential, from the header of the API that answers for the request's path.
pub fn token(request: &Request<'_>) -> Option<String> {
    match dialect_of(request.path) {
        Dialect::Native => native::token(request),
        Dialect::Shoplazza => shoplazza::token(request),
        Dialect::Shopline => shopline::token(request),
        Dialect::DigitalRiver => digital_river::token(request),
    }
}

/// How many calls the platform behind an API takes from a token, which is a `live` one or not; `None` for as many as
/// come.
pub fn rate(dialect: Dialect, live: bool) -> Option<Rate> {
    match dialect {
        Dialect::Native => None,
        Dialect::Shoplazza => Some(shoplazza::RATE),
        Dialect::Shopline => Some(shopline::RATE),
        Dialect::DigitalRiver => Some(digital_river::rate(live)),
    }
}

/// Writes a refusal in the words of the API that answers for the request's path.
pub fn refuse(endpoint: Option<&Endpoint>, request: &Request<'_>, refusal: &Refusal) -> Response {
    match (endpoint, dialect_of(request.path)) {
        (Some(Endpoint::Native(e)), _) => native::refuse(Some(e), request, refusal),
        (Some(Endpoint::Shoplazza(e)), _) => shoplazza::refuse(Some(e), request, refusal),
        (Some(Endpoint::Shopline(e)), _) => shopline::refuse(Some(e), request, refusal),
        (Some(Endpoint::DigitalRiver(e)), _) => digital_river::refuse(Some(e), request, refusal),
        (None, Dialect::Native) => native::refuse(None, request, refusal),
        (None, Dialect::Shoplazza) => shoplazza::refuse(None, request, refusal),
        (None, Dialect::Shopline) => shopline::refuse(None, request, refusal),
        (None, Dialect::DigitalRiver) => digital_river::refuse(None, request, refusal),
    }
}

/// Reads an order object in an API's own shape.
pub fn read_order(from: Dialect, document: &Value, now_ms: i64) -> Result<Intake, IntakeFault> {
    match from {
        Dialect::Native => native::read_order(document, now_ms),
        Dialect::Shoplazza => shoplazza::read_order(document, now_ms),
        Dialect::Shopline => shopline::read_order(document, now_ms),
        Dialect::DigitalRiver => digital_river::read_order(document, now_ms),
    }
}

impl Endpoint {
    /// The API it belongs to.
    pub const fn dialect(&self) -> Dialect {
        match self {
            Self::Native(_) => Dialect::Native,
            Self::Shoplazza(_) => Dialect::Shoplazza,
            Self::Shopline(_) => Dialect::Shopline,
            Self::DigitalRiver(_) => Dialect::DigitalRiver,
        }
    }

    /// What a token must allow; `None` where no token is asked for.
    pub fn scope(&self) -> Option<Scope> {
        match self {
            Self::Native(e) => native::scope(e),
            Self::Shoplazza(e) => shoplazza::scope(e),
            Self::Shopline(e) => shopline::scope(e),
            Self::DigitalRiver(e) => digital_river::scope(e),
        }
    }

    /// Whether a token that works is enough, whatever it allows: the platform asks for no scope.
    pub fn takes_any_token(&self) -> bool {
        match self {
            Self::Shoplazza(e) => shoplazza::takes_any_token(e),
            Self::Native(_) | Self::Shopline(_) | Self::DigitalRiver(_) => false,
        }
    }

    /// What the operator should know of a request that is served to the letter although its caller probably meant
    /// something else; `None` for almost all.
    pub fn warning(&self, request: &Request<'_>) -> Option<&'static str> {
        match self {
            Self::Shoplazza(e) => shoplazza::warning(e, request),
            Self::Native(_) | Self::Shopline(_) | Self::DigitalRiver(_) => None,
        }
    }

    /// Makes a call of a request, or the finished refusal.
    pub fn decode(&self, request: &Request<'_>) -> Result<Call, Response> {
        match self {
            Self::Native(e) => native::decode(e, request),
            Self::Shoplazza(e) => shoplazza::decode(e, request),
            Self::Shopline(e) => shopline::decode(e, request),
            Self::DigitalRiver(e) => digital_river::decode(e, request),
        }
    }

    /// Writes the answer.
    pub fn encode(&self, request: &Request<'_>, reply: &Reply) -> Response {
        match self {
            Self::Native(e) => native::encode(e, request, reply),
            Self::Shoplazza(e) => shoplazza::encode(e, request, reply),
            Self::Shopline(e) => shopline::encode(e, request, reply),
            Self::DigitalRiver(e) => digital_river::encode(e, request, reply),
        }
    }
}
