//! SHOPLINE Admin OpenAPI (`/admin/openapi/{version}/…`): orders and their refunds.
//!
//! Public documentation: <https://developer.shopline.com/docs/admin-rest-api/order/order-management/order-refund>.
//! Where it surprises, and what is done about it, stands in `quirks.md` beside this file.

use std::sync::LazyLock;

use refundry_core::intake::{Intake, IntakeFault};
use serde_json::Value;

use crate::keys::{List, Versions};
use crate::rate::{Bucket, Rate};
use crate::wire::{Call, Refusal, Reply, Request, Response, Routed, Scope};

pub mod hooks;
mod ids;
mod lines;
mod money;
pub mod operations;
mod order;
pub mod orders;
mod paging;
mod params;
pub mod parcels;
mod past;
pub mod payments;
pub mod refunds;
mod reject;
pub mod returns;
mod sold;
pub mod stock;
mod terms;
#[cfg(test)]
mod tests;
mod till;
pub mod told;
pub mod trial;

/// All versions that were seen; one API, which changes key by key.
pub const VERSIONS: Versions = Versions {
    groups: &[(
        "all",
        &[
            "v20210901",
            "v20220601",
            "v20220901",
            "v20230301",
            "v20230901",
            "v20231201",
            "v20240301",
            "v20240601",
            "v20241201",
            "v20250301",
            "v20250601",
            "v20251201",
            "v20260301",
            "v20260601",
            "v20260901",
            "v20261201",
            "v20270301",
        ],
    )],
};

/// The list of all keys of this API, `keys.txt`.
pub fn keys() -> &'static List {
    static LIST: LazyLock<List> = LazyLock::new(|| List::read(VERSIONS, include_str!("keys.txt")).unwrap_or_default());
    &LIST
}

/// Version and path of a call, as [`keys`] has them; `None` for a path of another API.
///
/// Any date names a version: the newest that is not after it, or the first.
pub fn version_of(path: &str) -> Option<(&'static str, &str)> {
    let below = ["/admin/openapi/", "/payments_apps/openapi/"].iter().find_map(|base| path.strip_prefix(base))?;
    let (date, _) = below.split_once('/')?;
    Some((Version::parse(date)?.listed(), below.strip_prefix(date)?))
}

/// What the platform takes: four calls a second from an app, after a burst.
pub const RATE: Rate = Rate { per_token: Bucket { capacity: 40, per_second: 4 }, per_store: None, header: None };

/// A version of the API: the date in `v20220901`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32);

impl Version {
    /// The first version with currencies and a back-dated time in requests, and with duties in answers.
    const WITH_CURRENCIES: Self = Self(20_230_901);
    /// The first version that webhooks may be subscribed in.
    const WITH_HOOKS: Self = Self(20_240_601);
    /// The first version whose parcels have a list of numbers to follow, and whose addresses have a standard code.
    const WITH_TRACKING_LIST: Self = Self(20_250_601);
    /// The first version in which a return can be called off.
    const WITH_CANCELLED_RETURNS: Self = Self(20_251_201);
    /// The first version that asks for transactions with their refunds, and types notified amounts as texts.
    const WITH_TRANSACTION_QUERY: Self = Self(20_260_301);

    /// Reads `v` and eight digits. Any date is taken: the platform serves the nearest version it still has.
    pub fn parse(segment: &str) -> Option<Self> {
        let digits = segment.strip_prefix('v')?;
        let shaped = digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit());
        shaped.then(|| digits.parse().ok().map(Self))?
    }

    /// The version of [`VERSIONS`] that it is served as: the newest that is not after it, or the first.
    fn listed(self) -> &'static str {
        let not_after = VERSIONS.all().take_while(|known| Self::parse(known).is_some_and(|known| known <= self)).last();
        not_after.or_else(|| VERSIONS.all().next()).unwrap_or_default()
    }
}

/// The endpoints of this API, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Refunds: `order/refund.json`, `orders/{order_id}/refunds…`.
    Refunds(Version, refunds::Endpoint),
    /// What a refund would be: `orders/{order_id}/refunds/calculate.json`.
    Trial(Version, trial::Endpoint),
    /// Orders themselves.
    Orders(Version, orders::Endpoint),
    /// Payment slips and transactions of an order.
    Payments(Version, payments::Endpoint),
    /// Parcels of an order.
    Parcels(Version, parcels::Endpoint),
    /// Returns.
    Returns(Version, returns::Endpoint),
    /// Goods in stock, and the store.
    Stock(Version, stock::Endpoint),
    /// Webhooks.
    Hooks(Version, hooks::Endpoint),
    /// What a payment app tells of a refund.
    Told(Version, told::Endpoint),
    /// The OpenAPI document: `openapi.json`. The platform has no such path.
    Document(Version),
}

/// Names the endpoint of a method and path (without query).
pub fn route(method: &str, path: &str) -> Routed<Endpoint> {
    if let Some(below) = path.strip_prefix("/payments_apps/openapi/") {
        let Some((version, path)) = versioned(below) else { return Routed::NotFound };
        let told = told::route(version, method, &path);
        return told.map_or(Routed::NotFound, |to| to.map(|e| Endpoint::Told(version, e)));
    }
    let Some((version, path)) = path.strip_prefix("/admin/openapi/").and_then(versioned) else {
        return Routed::NotFound;
    };
    if path == ["openapi"] {
        return only(method, "GET", Endpoint::Document(version));
    }
    // Literal names win over an order that happens to have one as its id, so orders themselves come last.
    refunds::route(version, method, &path)
        .map(|to| to.map(|e| Endpoint::Refunds(version, e)))
        .or_else(|| trial::route(version, method, &path).map(|to| to.map(|e| Endpoint::Trial(version, e))))
        .or_else(|| payments::route(version, method, &path).map(|to| to.map(|e| Endpoint::Payments(version, e))))
        .or_else(|| parcels::route(version, method, &path).map(|to| to.map(|e| Endpoint::Parcels(version, e))))
        .or_else(|| returns::route(version, method, &path).map(|to| to.map(|e| Endpoint::Returns(version, e))))
        .or_else(|| stock::route(version, method, &path).map(|to| to.map(|e| Endpoint::Stock(version, e))))
        .or_else(|| hooks::route(version, method, &path).map(|to| to.map(|e| Endpoint::Hooks(version, e))))
        .or_else(|| orders::route(version, method, &path).map(|to| to.map(|e| Endpoint::Orders(version, e))))
        .unwrap_or(Routed::NotFound)
}

/// The version that a path begins with, and the names below it: the last one without its `.json`, which all have.
fn versioned(path: &str) -> Option<(Version, Vec<&str>)> {
    let (version, path) = path.split_once('/')?;
    let path = path.strip_suffix(".json")?;
    let names: Vec<&str> = path.split('/').collect();
    let complete = names.iter().all(|name| !name.is_empty());
    complete.then_some((Version::parse(version)?, names))
}

/// One method of a path that has no other.
fn only<E>(method: &str, wanted: &'static str, endpoint: E) -> Routed<E> {
    if method == wanted { Routed::To(endpoint) } else { Routed::MethodNotAllowed(wanted) }
}

/// The credential, from `Authorization: Bearer …`.
pub fn token(request: &Request<'_>) -> Option<String> {
    let (scheme, token) = request.header("authorization")?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

/// What a token must allow; `None` where no token is asked for.
pub fn scope(endpoint: &Endpoint) -> Option<Scope> {
    needed(endpoint).map(|(scope, _)| scope)
}

/// The scope that an endpoint asks for, in the platform's word.
fn scope_word(endpoint: &Endpoint) -> Option<&'static str> {
    needed(endpoint).map(|(_, word)| word)
}

const fn needed(endpoint: &Endpoint) -> Option<(Scope, &'static str)> {
    Some(match endpoint {
        Endpoint::Refunds(_, endpoint) => refunds::scope(endpoint),
        Endpoint::Trial(_, endpoint) => trial::scope(endpoint),
        Endpoint::Orders(_, endpoint) => orders::scope(endpoint),
        Endpoint::Payments(_, endpoint) => payments::scope(endpoint),
        Endpoint::Parcels(_, endpoint) => parcels::scope(endpoint),
        Endpoint::Returns(_, endpoint) => returns::scope(endpoint),
        Endpoint::Stock(_, endpoint) => stock::scope(endpoint),
        Endpoint::Hooks(_, endpoint) => hooks::scope(endpoint),
        Endpoint::Told(_, endpoint) => told::scope(endpoint),
        Endpoint::Document(_) => return None,
    })
}

/// Makes a call of a request, or the finished refusal.
pub fn decode(endpoint: &Endpoint, request: &Request<'_>) -> Result<Call, Response> {
    params::check_accept(request)?;
    match endpoint {
        Endpoint::Refunds(version, endpoint) => refunds::decode(endpoint, *version, request),
        Endpoint::Trial(version, endpoint) => trial::decode(endpoint, *version, request),
        Endpoint::Orders(version, endpoint) => orders::decode(endpoint, *version, request),
        Endpoint::Payments(version, endpoint) => payments::decode(endpoint, *version, request),
        Endpoint::Parcels(version, endpoint) => parcels::decode(endpoint, *version, request),
        Endpoint::Returns(version, endpoint) => returns::decode(endpoint, *version, request),
        Endpoint::Stock(version, endpoint) => stock::decode(endpoint, *version, request),
        Endpoint::Hooks(version, endpoint) => hooks::decode(endpoint, *version, request),
        Endpoint::Told(version, endpoint) => told::decode(endpoint, *version, request),
        Endpoint::Document(version) => {
            Ok(Call::Ready(Response::json(200, &operations::API.document(version.listed()))))
        }
    }
}

/// Writes the answer.
pub fn encode(endpoint: &Endpoint, request: &Request<'_>, reply: &Reply) -> Response {
    let written = match endpoint {
        Endpoint::Refunds(version, endpoint) => refunds::encode(endpoint, *version, request, reply),
        Endpoint::Trial(version, endpoint) => trial::encode(endpoint, *version, request, reply),
        Endpoint::Orders(version, endpoint) => orders::encode(endpoint, *version, request, reply),
        Endpoint::Payments(version, endpoint) => payments::encode(endpoint, *version, request, reply),
        Endpoint::Parcels(version, endpoint) => parcels::encode(endpoint, *version, request, reply),
        Endpoint::Returns(version, endpoint) => returns::encode(endpoint, *version, request, reply),
        Endpoint::Stock(version, endpoint) => stock::encode(endpoint, *version, request, reply),
        Endpoint::Hooks(version, endpoint) => hooks::encode(endpoint, *version, request, reply),
        Endpoint::Told(version, endpoint) => told::encode(endpoint, *version, request, reply),
        Endpoint::Document(_) => None,
    };
    // The engine never answers a call with another call's reply; if it did, that is a defect.
    written.unwrap_or_else(|| refuse(Some(endpoint), request, &Refusal::Internal))
}

/// Writes a refusal; `endpoint` is `None` where the path led to none.
pub fn refuse(endpoint: Option<&Endpoint>, _request: &Request<'_>, refusal: &Refusal) -> Response {
    if let (Some(Endpoint::Orders(..)), Refusal::CursorUnknown { .. }) = (endpoint, refusal) {
        return orders::cursor_unknown();
    }
    reject::refusal(endpoint.and_then(scope_word), refusal)
}

/// Reads an order object of this API: `{"order":{…}}` or the bare object.
pub fn read_order(document: &Value, now_ms: i64) -> Result<Intake, IntakeFault> {
    order::read(document, now_ms)
}
