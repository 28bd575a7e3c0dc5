//! Tests of our own API, by what they hold: the document, requests, orders, answers.

mod decoding;
mod document;
mod orders;
mod refusing;

use serde_json::Value;

use super::{Endpoint, decode, route};
use crate::wire::{Call, Header, Request, Response, Routed};

/// Decodes `METHOD /path?query` with a body.
fn decoded(line: &str, body: &str) -> Result<Call, Response> {
    decoded_with(line, &[], body.as_bytes())
}

fn decoded_with(line: &str, headers: &[Header<'_>], body: &[u8]) -> Result<Call, Response> {
    let (method, target) = line.split_once(' ').expect("a method and a path");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request { method, path, query, headers, body, now_ms: 1_793_613_600_000 };
    decode(&endpoint(method, path), &request)
}

fn endpoint(method: &str, path: &str) -> Endpoint {
    match route(method, path) {
        Routed::To(endpoint) => endpoint,
        other => panic!("{method} {path}: {other:?}"),
    }
}

fn body_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).expect("JSON")
}
