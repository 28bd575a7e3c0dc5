//! Placeholder until the dialect is written.

use refundry_core::intake::{Intake, IntakeFault};
use serde_json::Value;

use crate::wire::{Call, Refusal, Reply, Request, Response, Routed, Scope};

/// The endpoints of this API, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {}

/// Names the endpoint of a method and path (without query).
pub fn route(_method: &str, _path: &str) -> Routed<Endpoint> {
    Routed::NotFound
}

/// The credential, from this API's own header.
pub fn token(_request: &Request<'_>) -> Option<String> {
    None
}

/// What a token must allow; `None` where no token is asked for.
pub fn scope(endpoint: &Endpoint) -> Option<Scope> {
    match *endpoint {}
}

/// Makes a call of a request, or the finished refusal.
pub fn decode(endpoint: &Endpoint, _request: &Request<'_>) -> Result<Call, Response> {
    match *endpoint {}
}

/// Writes the answer.
pub fn encode(endpoint: &Endpoint, _request: &Request<'_>, _reply: &Reply) -> Response {
    match *endpoint {}
}

/// Writes a refusal; `endpoint` is `None` where the path led to none.
pub fn refuse(_endpoint: Option<&Endpoint>, _request: &Request<'_>, _refusal: &Refusal) -> Response {
    Response::json(404, &Value::Null)
}

/// Reads an order object of this API.
pub fn read_order(_document: &Value, _now_ms: i64) -> Result<Intake, IntakeFault> {
    Err(IntakeFault::Unreadable { field: String::new(), reason: "this format cannot be read yet".to_owned() })
}
