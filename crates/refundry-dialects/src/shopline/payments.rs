//! Endpoints about payment slips and transactions of an order.

use super::Version;
use crate::wire::{Call, Reply, Request, Response, Routed, Scope};

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {}

/// The endpoint of a method and the names of a path; `None` where the path is none of these.
pub(super) const fn route(_: Version, _: &str, _: &[&str]) -> Option<Routed<Endpoint>> {
    None
}

/// What a token must allow, and the platform's word for it.
pub(super) const fn scope(endpoint: &Endpoint) -> (Scope, &'static str) {
    match *endpoint {}
}

/// Makes a call of a request, or the finished refusal.
pub(super) const fn decode(endpoint: &Endpoint, _: Version, _: &Request<'_>) -> Result<Call, Response> {
    match *endpoint {}
}

/// Writes the answer; `None` if it is to another question.
pub(super) const fn encode(endpoint: &Endpoint, _: Version, _: &Request<'_>, _: &Reply) -> Option<Response> {
    match *endpoint {}
}
