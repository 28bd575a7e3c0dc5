//! Endpoints about orders themselves: create, read, change, call off, list.

use super::Version;
use super::decode::Bad;
use crate::shop::{ShopCall, ShopFault, ShopReply};
use crate::wire::{Request, Response, Routed, Scope};

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {}

/// The endpoint of a method and a path below the version; `None` where the path is none of these.
pub(super) fn route(_version: Version, _method: &str, _path: &[&str]) -> Option<Routed<Endpoint>> {
    None
}

/// What a token must allow.
pub(super) const fn scope(endpoint: &Endpoint) -> Scope {
    match *endpoint {}
}

/// Makes a call of a request.
pub(super) fn decode(endpoint: &Endpoint, _version: Version, _request: &Request<'_>) -> Result<ShopCall, Bad> {
    match *endpoint {}
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(
    endpoint: &Endpoint,
    _version: Version,
    _request: &Request<'_>,
    _reply: &ShopReply,
) -> Option<Response> {
    match *endpoint {}
}

/// Writes why not.
pub(super) fn refuse(_modern: bool, fault: &ShopFault) -> Response {
    match *fault {}
}
